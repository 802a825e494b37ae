/*
 * A unit test is a program: functions that expect things, listed in main.
 *
 *     TEST(list_pops_what_it_pushed)
 *     {
 *         …
 *         EXPECT_EQ_INT(list_count(&l), 1);
 *         EXPECT_STR(name, "first");
 *     }
 *
 *     int main(void)
 *     {
 *         RUN(list_pops_what_it_pushed);
 *         return test_end();
 *     }
 *
 * A failed expectation prints its place and both values, and the test goes on: the next lines often say why. Every
 * EXPECT is also a value, true when it held, for the cases where going on makes no sense:
 *
 *     if (!EXPECT(p != NULL))
 *         return;
 *
 * A test that cannot run here (no corpus, no peer) says so with test_skip(). Nothing registers itself: a test that
 * RUN does not name is an unused function, which the compiler refuses.
 */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of this test program: how many tests passed and failed, and whether the one that runs now has failed. */
static int test_passed, test_failed;
static bool test_is_bad;

#define TEST(name) static void test_##name(void)
#define RUN(name) test_run(#name, test_##name)

#define EXPECT(condition) test_expect((condition), __FILE__, __LINE__, #condition)

/* Any integers up to 64 bits; the values are compared as mathematical numbers are, -1 and UINT64_MAX differ. */
#define EXPECT_EQ_INT(actual, expected)                                                                      \
    test_eq_int(TEST_INT(actual), TEST_INT(expected), __FILE__, __LINE__, #actual " == " #expected)

/* Texts that end in a zero byte. NULL equals NULL only. */
#define EXPECT_STR(actual, expected)                                                                         \
    test_str((actual), (expected), __FILE__, __LINE__, #actual " == " #expected)

/* Bytes: `size` of them at both places. */
#define EXPECT_MEM(actual, expected, size)                                                                   \
    test_mem((actual), (expected), (size), __FILE__, __LINE__, #actual " == " #expected)

/* Doubles, bit for bit, except that any NaN equals any other. */
#define EXPECT_EQ_DOUBLE(actual, expected)                                                                   \
    test_eq_double((actual), (expected), __FILE__, __LINE__, #actual " == " #expected)

struct test_int {
    bool is_negative;
    uint64_t bits;
};

/* clang-format off */
#define TEST_INT(x)                                                                                          \
    _Generic((x),                                                                                            \
        unsigned: test_int_unsigned,                                                                         \
        unsigned long: test_int_unsigned,                                                                    \
        unsigned long long: test_int_unsigned,                                                               \
        default: test_int_signed)(x)
/* clang-format on */

static inline struct test_int test_int_unsigned(uint64_t x)
{
    return (struct test_int){false, x};
}

static inline struct test_int test_int_signed(int64_t x)
{
    return (struct test_int){x < 0, (uint64_t)x};
}

static inline void test_run(const char *name, void (*run)(void))
{
    test_is_bad = false;
    run();
    if (test_is_bad) {
        test_failed++;
        fprintf(stderr, "FAILED %s\n", name);
    } else {
        test_passed++;
    }
}

/* The last line of main: `return test_end();`. No test at all is a failure too. */
static inline int test_end(void)
{
    printf("%d passed, %d failed\n", test_passed, test_failed);
    return test_failed == 0 && test_passed > 0 ? 0 : 1;
}

/* Ends the program as one that could not test here, unless something has failed already. */
static inline void test_skip(const char *why)
{
    printf("skipped: %s\n", why);
    exit(test_failed > 0 || test_is_bad ? 1 : 77);
}

static inline bool test_expect(bool holds, const char *file, int line, const char *text)
{
    if (!holds) {
        test_is_bad = true;
        fprintf(stderr, "%s:%d: expected %s\n", file, line, text);
    }
    return holds;
}

static inline void test_print_int(const char *label, struct test_int n)
{
    if (n.is_negative)
        fprintf(stderr, "    %s %" PRId64 "\n", label, (int64_t)n.bits);
    else
        fprintf(stderr, "    %s %" PRIu64 "\n", label, n.bits);
}

static inline bool test_eq_int(struct test_int actual, struct test_int expected, const char *file, int line,
                               const char *text)
{
    bool same = actual.bits == expected.bits && actual.is_negative == expected.is_negative;
    if (!test_expect(same, file, line, text)) {
        test_print_int("actual:  ", actual);
        test_print_int("expected:", expected);
    }
    return same;
}

static inline bool test_str(const char *actual, const char *expected, const char *file, int line,
                            const char *text)
{
    bool same = actual && expected ? strcmp(actual, expected) == 0 : actual == expected;
    if (!test_expect(same, file, line, text))
        fprintf(stderr, "    actual:   \"%s\"\n    expected: \"%s\"\n", actual ? actual : "(null)",
                expected ? expected : "(null)");
    return same;
}

static inline void test_print_bytes(const char *label, const unsigned char *bytes, size_t size)
{
    fprintf(stderr, "    %s", label);
    for (size_t i = 0; i < size && i < 32; i++)
        fprintf(stderr, " %02x", bytes[i]);
    fprintf(stderr, "%s\n", size > 32 ? " …" : "");
}

static inline bool test_mem(const void *actual, const void *expected, size_t size, const char *file, int line,
                            const char *text)
{
    const unsigned char *a = actual, *e = expected;
    size_t at = 0;
    while (at < size && a[at] == e[at])
        at++;
    if (!test_expect(at == size, file, line, text)) {
        fprintf(stderr, "    first difference at byte %zu of %zu; from there:\n", at, size);
        test_print_bytes("actual:  ", a + at, size - at);
        test_print_bytes("expected:", e + at, size - at);
    }
    return at == size;
}

static inline bool test_eq_double(double actual, double expected, const char *file, int line,
                                  const char *text)
{
    bool both_nan = actual != actual && expected != expected;
    bool same = both_nan || (actual == expected && __builtin_signbit(actual) == __builtin_signbit(expected));
    if (!test_expect(same, file, line, text))
        fprintf(stderr, "    actual:   %.17g\n    expected: %.17g\n", actual, expected);
    return same;
}

#endif

/* The structural index: every kind of processor's code against a slow and obvious one, and against each
 * other. */
#include <ref/random_batch.h>

#include "base/test.h"
#include "base/utf8.h"
#include "json/scan_private.h"

enum { ROUNDS = 20000, SIZE_MAX_HERE = 300, INDEX_SIZE = SIZE_MAX_HERE + JSON_SCAN_SLACK };

static bool is_op(char c)
{
    return c != 0 && strchr("{}[]:,\x0C\x1A", c) != NULL;
}

static bool is_blank(char c)
{
    return c != 0 && strchr(" \t\r\n", c) != NULL;
}

/* One byte after the other. */
static struct json_scan scan_slowly(const char *p, size_t n, uint32_t *index)
{
    bool in_string = false, in_word = false, escaped = false;
    uint32_t count = 0, flags = 0;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        bool quote = c == '"' && !escaped;
        flags |= c == '\\' ? JSON_SCAN_BACKSLASH : 0;
        flags |= (unsigned char)c >= 0x80 ? JSON_SCAN_WIDE : 0;
        flags |= in_string && (unsigned char)c < 0x20 ? JSON_SCAN_CONTROL : 0;
        escaped = c == '\\' && !escaped;
        if (quote)
            index[count++] = (uint32_t)i;
        else if (!in_string && (is_op(c) || (!is_blank(c) && !in_word)))
            index[count++] = (uint32_t)i;
        in_string ^= quote;
        in_word = !quote && !is_op(c) && !is_blank(c);
    }
    return (struct json_scan){count, flags | (in_string ? JSON_SCAN_OPEN : 0)};
}

static size_t random_text(struct rng *rng, char *p)
{
    static const char common[] = "\"\"\"\\\\{}[]:, \nabc019-.tfn\x01\x0C\x1A\xC3\xA9";
    size_t n = rng_below(rng, SIZE_MAX_HERE);
    uint64_t style = rng_below(rng, 4);
    for (size_t i = 0; i < n; i++) {
        if (style == 0)
            p[i] = (char)rng_next(rng);
        else if (style == 1)
            p[i] = "\\\""[rng_below(rng, 2)];
        else
            p[i] = common[rng_below(rng, sizeof common - 1)];
    }
    return n;
}

TEST(all_processors_find_the_same_structure)
{
    struct rng rng = {1};
    uint32_t wanted[INDEX_SIZE], found[INDEX_SIZE];
    for (int round = 0; round < ROUNDS; round++) {
        char text[SIZE_MAX_HERE];
        size_t n = random_text(&rng, text);
        char *exact = mem_new(n); /* so that a read past the end is seen */
        if (n > 0)
            memcpy(exact, text, n);
        struct json_scan slow = scan_slowly(exact, n, wanted);
        for (int cpu = JSON_CPU_SCALAR; cpu <= JSON_CPU_AVX512; cpu++) {
            struct json_scan scan = json_cpu_code((enum json_cpu)cpu)->scan(exact, n, found);
            bool same = EXPECT_EQ_INT(scan.count, slow.count) && EXPECT_EQ_INT(scan.flags, slow.flags) &&
                        EXPECT_MEM(found, wanted, slow.count * sizeof *found);
            if (!same) {
                fprintf(stderr, "    round %d, %s\n", round, json_cpu_code((enum json_cpu)cpu)->name);
                mem_free(exact);
                return;
            }
        }
        mem_free(exact);
    }
}

TEST(all_processors_know_utf8)
{
    struct rng rng = {2};
    for (int round = 0; round < ROUNDS; round++) {
        char text[SIZE_MAX_HERE + 8];
        size_t n = 0, wanted = rng_below(&rng, SIZE_MAX_HERE);
        while (n < wanted) {
            uint32_t code = (uint32_t)rng_below(&rng, rng_one_in(&rng, 3)   ? 0x110000
                                                      : rng_one_in(&rng, 2) ? 0x80
                                                                            : 0x900);
            if (code < 0xD800 || code > 0xDFFF)
                n += utf8_encode(code, text + n);
        }
        if (n > 0 && rng_one_in(&rng, 2))
            text[rng_below(&rng, n)] = (char)rng_next(&rng);
        if (n > 0 && rng_one_in(&rng, 4))
            n -= rng_below(&rng, n < 4 ? n : 4);
        bool valid = utf8_valid(text, n);
        for (int cpu = JSON_CPU_SCALAR; cpu <= JSON_CPU_AVX512; cpu++)
            if (!EXPECT(json_cpu_code((enum json_cpu)cpu)->utf8(text, n) == valid)) {
                fprintf(stderr, "    round %d, %s\n", round, json_cpu_code((enum json_cpu)cpu)->name);
                return;
            }
    }
}

int main(void)
{
    RUN(all_processors_find_the_same_structure);
    RUN(all_processors_know_utf8);
    return test_end();
}

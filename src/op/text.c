/* See text.h. ICU works on UTF-8 through UCaseMap; its functions are pure, and opening a map costs an
 * allocation, which texts with other letters pay. */
#include "op/text.h"

#include <unicode/ucasemap.h>

#include "base/utf8.h"

bool text_is_ascii(struct str s)
{
    uint64_t high = 0;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, 8);
        high |= word;
    }
    for (; i < s.n; i++)
        high |= (uint8_t)s.p[i];
    return (high & 0x8080808080808080u) == 0;
}

static struct str ascii_case(struct str s, char from, struct arena *arena)
{
    size_t first = 0;
    while (first < s.n && (unsigned)(s.p[first] - from) >= 26)
        first++;
    if (first == s.n)
        return s;
    char *p = arena_dup(arena, s.p, s.n);
    for (size_t i = first; i < s.n; i++)
        p[i] = (char)(p[i] ^ (((unsigned)(p[i] - from) < 26) << 5));
    return str_n(p, s.n);
}

typedef int32_t icu_case(const UCaseMap *map, char *out, int32_t capacity, const char *in, int32_t n,
                         UErrorCode *error);

static struct str unicode_case(struct str s, icu_case *run, struct arena *arena)
{
    if (s.n > INT32_MAX / 4 || !utf8_valid(s.p, s.n))
        return s;
    UErrorCode error = U_ZERO_ERROR;
    UCaseMap *map = ucasemap_open("", 0, &error);
    if (U_FAILURE(error))
        return s;
    int32_t capacity = (int32_t)s.n * 3 +
                       16; /* the longest growth that Unicode has: one character to three */
    char *out = arena_alloc(arena, (size_t)capacity);
    int32_t n = run(map, out, capacity, s.p, (int32_t)s.n, &error);
    ucasemap_close(map);
    return U_FAILURE(error) || n > capacity ? s : str_n(out, (size_t)n);
}

struct str text_upper(struct str s, struct arena *arena)
{
    return text_is_ascii(s) ? ascii_case(s, 'a', arena) : unicode_case(s, ucasemap_utf8ToUpper, arena);
}

struct str text_lower(struct str s, struct arena *arena)
{
    return text_is_ascii(s) ? ascii_case(s, 'A', arena) : unicode_case(s, ucasemap_utf8ToLower, arena);
}

struct str text_initcap(struct str s, struct arena *arena)
{
    struct str lower = text_lower(s, arena);
    char *out = arena_alloc(arena, lower.n * 3 + 16);
    size_t n = 0;
    bool start = true;
    for (size_t i = 0; i < lower.n;) {
        uint32_t code;
        size_t size = utf8_decode(lower.p + i, lower.n - i, &code);
        struct str letter = str_n(lower.p + i, size ? size : 1);
        if (start)
            letter = text_upper(letter, arena);
        start = lower.p[i] == ' ';
        memcpy(out + n, letter.p, letter.n);
        n += letter.n;
        i += size ? size : 1;
    }
    return str_n(out, n);
}

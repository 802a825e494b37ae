/* Flat records in blocks: one name after the other, each in all records of the block.
 *
 * Records of one stream mostly have the same names in the same order. So for each name of that order one loop goes over a block's
 * records: where that name stands next, its value is read into the column; else the record waits for one of the names that follow. A
 * loop does one thing only, its key, its column and its code stay where they are, and the processor works on several records at once, which do not
 * depend on each other; a field that some records lack costs those one comparison. Names are compared as bytes, numbers are read eight digits
 * at a time, and what a string holds is looked at while its end is searched: that one pass is all that is needed, there is no index.
 *
 * Only what is common is done here: one object of scalars, no blanks but one behind colons and commas, numbers without an exponent. A
 * record that has anything else (a name that is not in the order, a value that does not fit, something that is no JSON) is left, and
 * json_decode.c reads it from its beginning, in the order of rows; it finds what is wrong, and writes again or takes back what is
 * already written.
 *
 * The order begins as the schema's. Records that do not follow it move names, and insert those without a column; if that does not come to
 * rest, blocks are not tried for a while, then for twice as long. */
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/utf8.h"
#include "format/json_value_private.h"

/* ---- the order ------------------------------------------------------------------------------------------------------------- */

static bool has_place(const struct json_key *key)
{
    return key->size != UINT32_MAX && (key->slot == NULL || key->slot->child_count == 0);
}

/* The key comes behind the name at place `after`, which its own is not behind. */
static void move_key(struct json_block *b, struct json_key *key, uint32_t after)
{
    uint32_t at = key->place;
    for (; at > 0 && at < after; at++) {
        b->order[at - 1] = b->order[at];
        b->order[at - 1]->place = at;
    }
    if (at == 0) {
        for (at = ++b->order_count; at > after + 1; at--) {
            b->order[at - 1] = b->order[at - 2];
            b->order[at - 1]->place = at;
        }
    }
    b->order[at - 1] = key;
    key->place = at;
}

void json_block_learn(struct json_block *b, struct json_key *key)
{
    if (b->learn_at == JSON_NO_PLACE)
        return;
    if (key == NULL || !has_place(key) || (key->place == 0 && b->order_count == JSON_ORDER_MAX)) {
        b->learn_at = JSON_NO_PLACE;
        return;
    }
    if (key->place <= b->learn_at)
        move_key(b, key, b->learn_at);
    b->learn_at = key->place;
}

/* Are blocks worth their while, when of one so many records are done? */
static void judge(struct json_block *b, uint32_t done)
{
    if (done * 2 >= b->count)
        b->pause = 0;
    else
        b->pause = b->pause < JSON_PAUSE_MAX / 2 ? b->pause * 2 + 1 : JSON_PAUSE_MAX;
    b->pause_left = b->pause * JSON_BLOCK;
}

/* ---- strings --------------------------------------------------------------------------------------------------------------- */

/* The first byte from p on that is no plain text: a quote, backslash, control character or one of several bytes; or end. 16 bytes before `end`
 * can be read. */
static const char *plain_end(const char *p, const char *end)
{
    while (p < end && *p >= ' ' && *p != '"' && *p != '\\' && (unsigned char)*p < 0x80)
        p++;
    return p;
}

/* The string whose first byte is at p, up to its quote: *text, without escapes. Returns the quote, or NULL. */
__attribute__((noinline)) static const char *odd_string(struct json_decoder *d, const char *p,
                                                        const char *end, struct str *text)
{
    bool has_escape = false, is_wide = false;
    const char *q = p;
    for (; q < end && *q != '"'; q++) {
        unsigned char c = (unsigned char)*q;
        if (c < ' ')
            return NULL;
        is_wide |= c >= 0x80;
        if (c == '\\') {
            has_escape = true;
            q++;
        }
    }
    size_t n = (size_t)(q - p);
    if (q >= end || (is_wide && !(n < 32 ? utf8_valid : d->code->utf8)(p, n)))
        return NULL;
    *text = str_n(p, n);
    if (has_escape) {
        char *out = arena_alloc(d->arena, n);
        if ((n = json_unescape(p, n, out)) == SIZE_MAX)
            return NULL;
        *text = str_n(out, n);
    } else if (d->options.copy && n > VIEW_INLINE) {
        text->p = arena_dup(d->arena, p, n);
    }
    return q;
}

/* A string for a column that is none. */
static const char *take_text(struct json_decoder *d, struct json_slot *slot, uint32_t row, const char *p,
                             const char *end)
{
    const char *q = plain_end(++p, end);
    return q < end && *q == '"' && json_text_into(d, slot, row, str_n(p, (size_t)(q - p))) ? q + 1 : NULL;
}

/* ---- values ---------------------------------------------------------------------------------------------------------------- */

/* A value of the kinds that have no loop of their own. */
__attribute__((noinline)) static const char *take_other(struct json_decoder *d, struct json_slot *slot,
                                                        uint32_t row, const char *p, const char *end)
{
    int64_t i = 0;
    double f = 0;
    const char *q;
    if (*p == '"')
        return take_text(d, slot, row, p, end);
    switch (slot->kind) {
    case TYPE_SHORT:
        q = json_read_i64(p, end, &i);
        ((int16_t *)slot->data)[row] = (int16_t)i;
        return i == (int16_t)i ? q : NULL;
    case TYPE_BYTE:
        q = json_read_i64(p, end, &i);
        ((int8_t *)slot->data)[row] = (int8_t)i;
        return i == (int8_t)i ? q : NULL;
    case TYPE_FLOAT:
        q = json_read_f64(p, end, &f);
        ((float *)slot->data)[row] = (float)f;
        return q;
    case TYPE_DECIMAL: return json_read_decimal(slot->type, p, end, (i128 *)slot->data + row);
    default: return NULL;
    }
}

/* A scalar without a column; NULL: it is news, or something else. */
__attribute__((noinline)) static const char *pass(struct json_decoder *d, const struct json_key *key,
                                                  const char *p, const char *end)
{
    struct str text;
    uint8_t value;
    if (d->options.report_unknown && !key->is_reported)
        return NULL;
    if (*p == '"') {
        const char *q = plain_end(++p, end);
        q = q < end && *q == '"' ? q : odd_string(d, p, end, &text);
        return q ? q + 1 : NULL;
    }
    return *p == 't' || *p == 'f' ? json_read_boolean(p, end, &value) : json_number_read(p, end).end;
}

/* ---- one name in all records, for each kind of processor -------------------------------------------------------------------- */

#define STEP_TARGET
#define STEP_NAME(name) name##_scalar
#define STEP_PLAIN_END plain_end
#include "format/json_block_steps.h"

#if defined(__x86_64__)

/* As plain_end. Compared as signed ones, bytes ≥ 0x80 are less than a blank too. */
ALWAYS_INLINE const char *plain_end_sse(const char *p, const char *end)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), blank = _mm_set1_epi8(' ');
    for (;; p += 16) {
        bool is_last = end - p < 16;
        __m128i x = view_load16(is_last ? end - 16 : p);
        __m128i odd = _mm_or_si128(_mm_cmplt_epi8(x, blank),
                                   _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash)));
        unsigned found = (unsigned)_mm_movemask_epi8(odd);
        if (UNLIKELY(is_last)) {
            found = p < end ? found >> (16 - (end - p)) : 0;
            return found ? p + __builtin_ctz(found) : end;
        }
        if (LIKELY(found != 0))
            return p + __builtin_ctz(found);
    }
}

#define STEP_TARGET
#define STEP_NAME(name) name##_sse
#define STEP_PLAIN_END plain_end_sse
#include "format/json_block_steps.h"

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))

AVX2 ALWAYS_INLINE const char *plain_end_avx2(const char *p, const char *end)
{
    const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\'),
                  blank = _mm256_set1_epi8(' ');
    for (; end - p >= 32; p += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)p);
        __m256i odd = _mm256_or_si256(
            _mm256_cmpgt_epi8(blank, x),
            _mm256_or_si256(_mm256_cmpeq_epi8(x, quote), _mm256_cmpeq_epi8(x, slash)));
        unsigned found = (unsigned)_mm256_movemask_epi8(odd);
        if (LIKELY(found != 0))
            return p + _tzcnt_u32(found);
    }
    return plain_end_sse(p, end);
}

#define STEP_TARGET AVX2
#define STEP_NAME(name) name##_avx2
#define STEP_PLAIN_END plain_end_avx2
#include "format/json_block_steps.h"

#endif

static void (*step_of(enum json_cpu cpu))(struct json_decoder *d, const struct json_key *key)
{
#if defined(__x86_64__)
    switch (cpu) {
    case JSON_CPU_AVX512:
    case JSON_CPU_AVX2: return step_avx2;
    case JSON_CPU_SSE: return step_sse;
    default: break;
    }
#endif
    (void)cpu;
    return step_scalar;
}

/* ---- the block ------------------------------------------------------------------------------------------------------------- */

void json_block_init(struct json_decoder *d)
{
    struct json_block *b = &d->block;
    b->step = step_of(d->code->cpu);
    /* two spellings of one name could be of one column */
    d->takes_blocks = !d->options.bare && !d->options.nocase && d->root.child_count > 0;
    for (uint32_t i = 0; i < d->root.child_count; i++)
        d->takes_blocks = d->takes_blocks && d->root.children[i].child_count == 0;
    for (struct json_key *key = d->root.first[0]; key != NULL && b->order_count < JSON_ORDER_MAX;
         key = key->next[0])
        if (has_place(key)) {
            b->order[b->order_count++] = key;
            key->place = b->order_count;
        }
}

/* How many records from records[row] on make a block. */
static uint32_t block_count(const struct json_decoder *d, const struct str *records, uint32_t row,
                            uint32_t count)
{
    uint32_t n = 0;
    size_t bytes = 0;
    for (; n < JSON_BLOCK && row + n < count; n++) {
        struct str record = records[row + n];
        bytes += record.n;
        if (record.p == NULL || record.n < JSON_RECORD_MIN || record.n > d->options.record_max ||
            bytes > JSON_BLOCK_BYTES)
            break;
    }
    return n;
}

uint32_t json_block_decode(struct json_decoder *d, const struct str *records, uint32_t row, uint32_t count)
{
    struct json_block *b = &d->block;
    uint32_t n = b->pause_left > 0 ? 0 : block_count(d, records, row, count);
    if (n == 0) {
        b->pause_left -= b->pause_left > 0;
        return 0;
    }
    b->row = row;
    b->count = n;
    b->done = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct str record = records[row + i];
        b->end[i] = record.p + record.n;
        b->at[i] = record.p[0] == '{' ? record.p + 1 : b->end[i];
    }
    uint32_t all = (uint32_t)(UINT64_MAX >> (64 - n));
    for (uint32_t k = 0; k < b->order_count && b->done != all; k++)
        b->step(d, b->order[k]);
    judge(b, (uint32_t)__builtin_popcount(b->done));
    return n;
}

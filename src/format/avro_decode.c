/* Records to columns: a program of steps, each of which takes one value out of up to 64 records before the next step runs.
 *
 * Avro's bytes have no marks: where a field begins is known when the one before it was read. Within a record this is a chain that a processor
 * cannot shorten, so a step goes through many records, whose chains do not depend on each other, and it does one thing only: read this type, write
 * that column. 64 records stay in the first cache between the steps, and their validity is one word.
 *
 * The common forms have no branch that depends on the data: a varint is found in eight bytes by its stop bit, a short string is masked into its view, a
 * null is a value read from a string of zeros. What is rare (a varint of nine bytes, text that is not ASCII) has a branch of its own.
 *
 * A step that meets something bad ends the run; the block is undone and its records are taken one by one, which finds the bad ones. A bad record costs more
 * than a good one by this, and nothing is kept about it while all are good.
 *
 * Arrays, maps and unions of several types run the same steps over one record at a time. */
#include "base/bytes.h"
#include "base/utf8.h"
#include "format/avro_decode_private.h"
#include "format/view_private.h"
#include "type/decimal.h"
#include "type/timestamp.h"

enum { ZEROS = 64, PAD = VIEW_BEFORE };

static const uint8_t zeros[PAD + ZEROS];

NEVER_INLINE static const uint8_t *bad(struct avro_decoder *d, const struct avro_op *op, const char *what)
{
    d->fault = what;
    d->fault_path = op->path;
    return NULL;
}

static const char cut[] = "the record ends inside of a value";

/* ---- bytes ---------------------------------------------------------------------------------------------------------------- */

/* Any varint, or what is none. */
NEVER_INLINE static const uint8_t *read_long_varint(struct avro_decoder *d, const struct avro_op *op,
                                                    const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    struct rd rd = rd_of(p, (size_t)(end - p));
    *value = rd_uvarint(&rd);
    if (!rd.bad)
        return rd.p;
    return bad(d, op, end - p < VARINT_MAX ? cut : "a number has more than 64 bits");
}

ALWAYS_INLINE const uint8_t *read_varint(struct avro_decoder *d, const struct avro_op *op, const uint8_t *p,
                                         const uint8_t *end, uint64_t *value)
{
    uint64_t w = view_load8(p, end), stop = ~w & UINT64_C(0x8080808080808080);
    if (UNLIKELY(stop == 0))
        return read_long_varint(d, op, p, end, value);
    w &= stop ^ (stop - 1);
    w = (w & UINT64_C(0x007F007F007F007F)) | (w & UINT64_C(0x7F007F007F007F00)) >> 1;
    w = (w & UINT64_C(0x00003FFF00003FFF)) | (w & UINT64_C(0x3FFF00003FFF0000)) >> 2;
    *value = (w & UINT64_C(0x000000000FFFFFFF)) | (w & UINT64_C(0x0FFFFFFF00000000)) >> 4;
    p += ((unsigned)__builtin_ctzll(stop) >> 3) + 1;
    return LIKELY(p <= end) ? p : bad(d, op, cut);
}

ALWAYS_INLINE const uint8_t *read_int(struct avro_decoder *d, const struct avro_op *op, const uint8_t *p,
                                      const uint8_t *end, int64_t *value)
{
    uint64_t u = 0;
    const uint8_t *next = read_varint(d, op, p, end, &u);
    if (UNLIKELY(next == NULL))
        return NULL;
    *value = unzigzag(u);
    return LIKELY(u <= UINT32_MAX) ? next : bad(d, op, "an int has more than 32 bits");
}

ALWAYS_INLINE const uint8_t *read_long(struct avro_decoder *d, const struct avro_op *op, const uint8_t *p,
                                       const uint8_t *end, int64_t *value)
{
    uint64_t u = 0;
    p = read_varint(d, op, p, end, &u);
    *value = unzigzag(u);
    return p;
}

NEVER_INLINE static const uint8_t *read_large_size(struct avro_decoder *d, const struct avro_op *op,
                                                   const uint8_t *p, const uint8_t *end, uint64_t *size)
{
    int64_t value;
    const uint8_t *next = read_long(d, op, p, end, &value);
    if (next == NULL)
        return NULL;
    if (value < 0)
        return bad(d, op, "a length is negative");
    if (value > end - next)
        return bad(d, op, cut);
    *size = (uint64_t)value;
    return next;
}

/* The size of what follows, which is there. */
ALWAYS_INLINE const uint8_t *read_size(struct avro_decoder *d, const struct avro_op *op, const uint8_t *p,
                                       const uint8_t *end, uint64_t *size)
{
    uint64_t w = view_load8(p, end), more = w >> 7 & 1;
    uint64_t n = (w >> 1 & 0x3F) | ((w >> 2 & 0x1FC0) & -more);
    const uint8_t *next = p + 1 + more;
    *size = n;
    if (UNLIKELY((w & 1) | ((w & more << 15) != 0) | (next > end) | ((int64_t)n > end - next)))
        return read_large_size(d, op, p, end, size);
    return next;
}

/* ---- text ----------------------------------------------------------------------------------------------------------------- */

NEVER_INLINE static bool is_text(const struct avro_decoder *d, const uint8_t *p, uint64_t n)
{
    return n < 32 ? utf8_valid((const char *)p, n) : d->code->utf8((const char *)p, n);
}

/* Some byte of p[n] is none of ASCII's: the top bits. n > VIEW_INLINE. */
ALWAYS_INLINE uint64_t wide_bytes(const uint8_t *p, uint64_t n)
{
    uint64_t all = get_le64(p + n - 8) | get_le64(p + (n >= 16 ? n - 16 : 0));
    for (uint64_t i = 0; i + 16 < n; i += 16)
        all |= get_le64(p + i) | get_le64(p + i + 8);
    return all & VIEW_TOPS;
}

/* The text at p, wherever it is. */
static const uint8_t *take_any_string(struct avro_decoder *d, const struct avro_op *op, struct view *to,
                                      const uint8_t *p, const uint8_t *end)
{
    uint64_t n = 0;
    const uint8_t *text = read_size(d, op, p, end, &n);
    if (UNLIKELY(text == NULL))
        return NULL;
    uint64_t wide = view_store(to, text, n, end);
    if (n > VIEW_INLINE)
        wide = wide_bytes(text, n);
    if (UNLIKELY(wide) && !is_text(d, text, n))
        return bad(d, op, "text is not UTF-8");
    return text + n;
}

#ifdef __SSE2__

/* The text at p where its size has at most two bytes and 16 more bytes follow; or NULL. */
ALWAYS_INLINE const uint8_t *quick_string(const struct avro_decoder *d, struct view *to, const uint8_t *p,
                                          const uint8_t *end)
{
    if (UNLIKELY(end - p < 18))
        return NULL;
    uint64_t w = get_le16(p), more = w >> 7 & 1, n = (w >> 1 & 0x3F) | ((w >> 2 & 0x1FC0) & -more);
    const uint8_t *text = p + 1 + more;
    if (UNLIKELY((w & 1) | (w >> 15 & more) | ((int64_t)n > end - text)))
        return NULL;
    __m128i all = view_store16(to, text, n);
    if (n > 16) {
        all = _mm_or_si128(all, view_load16(text + n - 16));
        for (uint64_t i = 16; i + 16 < n; i += 16)
            all = _mm_or_si128(all, view_load16(text + i));
    }
    if (UNLIKELY(_mm_movemask_epi8(all)) && !is_text(d, text, n))
        return NULL;
    return text + n;
}

#else

ALWAYS_INLINE const uint8_t *quick_string(const struct avro_decoder *d, struct view *to, const uint8_t *p,
                                          const uint8_t *end)
{
    return NULL;
}

#endif

ALWAYS_INLINE const uint8_t *take_string(struct avro_decoder *d, const struct avro_op *op, struct view *to,
                                         const uint8_t *p, const uint8_t *end)
{
    const uint8_t *next = quick_string(d, to, p, end);
    return LIKELY(next != NULL) ? next : take_any_string(d, op, to, p, end);
}

static const uint8_t *skip_string(struct avro_decoder *d, const struct avro_op *op, const uint8_t *p,
                                  const uint8_t *end)
{
    struct view view;
    return take_string(d, op, &view, p, end);
}

/* ---- numbers -------------------------------------------------------------------------------------------------------------- */

/* Big-endian two's complement of 1 to 16 bytes. */
ALWAYS_INLINE i128 read_integer(const uint8_t *p, uint64_t n, const uint8_t *end)
{
    if (LIKELY(n <= 8))
        return n == 0 ? 0 : (int64_t)__builtin_bswap64(view_load8(p, end)) >> (64 - 8 * n);
    int64_t high = (int64_t)__builtin_bswap64(view_load8(p, end)) >> (128 - 8 * n);
    return (i128)((unsigned __int128)(uint64_t)high << 64 | get_be64(p + n - 8));
}

/* More than 16 bytes: those before the last 16 must say no more than the sign. */
static bool drop_sign(const uint8_t **p, uint64_t *n)
{
    uint8_t sign = (*p)[*n - 16] & 0x80 ? 0xFF : 0;
    for (; *n > 16; ++*p, --*n)
        if (**p != sign)
            return false;
    return true;
}

ALWAYS_INLINE const uint8_t *take_decimal(struct avro_decoder *d, const struct avro_op *op, i128 *to,
                                          const uint8_t *p, const uint8_t *end)
{
    uint64_t n = op->size;
    const uint8_t *bytes = p;
    if (n == 0 && UNLIKELY((bytes = read_size(d, op, p, end, &n)) == NULL))
        return NULL;
    if (UNLIKELY((uint64_t)(end - bytes) < n))
        return bad(d, op, cut);
    const uint8_t *next = bytes + n;
    i128 value;
    if (UNLIKELY(n > 16) && !drop_sign(&bytes, &n))
        return bad(d, op, "a decimal has more digits than its column");
    value = read_integer(bytes, n, end);
    if (UNLIKELY((op->factor != 1 && __builtin_mul_overflow(value, op->factor, &value)) ||
                 !decimal_fits(value, op->slot->type->precision)))
        return bad(d, op, "a decimal has more digits than its column");
    *to = value;
    return next;
}

/* A number into a column that is neither its own nor the next wider one. */
static bool store_number(const struct avro_op *op, uint32_t row, int64_t i, double f, bool is_integer)
{
    void *data = op->slot->data;
    i128 wide;
    switch (op->slot->kind) {
    case TYPE_BYTE: ((int8_t *)data)[row] = (int8_t)i; return i == (int8_t)i;
    case TYPE_SHORT: ((int16_t *)data)[row] = (int16_t)i; return i == (int16_t)i;
    case TYPE_INT: ((int32_t *)data)[row] = (int32_t)i; return i == (int32_t)i;
    case TYPE_DOUBLE: ((double *)data)[row] = is_integer ? (double)i : f; return true;
    case TYPE_FLOAT:
        ((float *)data)[row] = is_integer ? (float)i : (float)f;
        return is_integer || f != f || (double)(float)f == f;
    case TYPE_DECIMAL:
        if (__builtin_mul_overflow((i128)i, op->factor, &wide) ||
            !decimal_fits(wide, op->slot->type->precision))
            return false;
        ((i128 *)data)[row] = wide;
        return true;
    default: UNREACHABLE("column of a number");
    }
}

static const uint8_t *take_number(struct avro_decoder *d, const struct avro_op *op, uint32_t row,
                                  const uint8_t *p, const uint8_t *end)
{
    const uint8_t *next = p;
    int64_t i = 0;
    double f = 0;
    bool is_integer = op->source == AVRO_INT || op->source == AVRO_LONG;
    if (op->source == AVRO_INT) {
        next = read_int(d, op, p, end, &i);
    } else if (op->source == AVRO_LONG) {
        next = read_long(d, op, p, end, &i);
    } else {
        CHECK(op->source == AVRO_DOUBLE);
        if (end - p < 8)
            return bad(d, op, cut);
        uint64_t bits = get_le64(p);
        memcpy(&f, &bits, sizeof f);
        next = p + 8;
    }
    if (next != NULL && !store_number(op, row, i, f, is_integer))
        return bad(d, op, "a number does not fit its column");
    return next;
}

/* ---- one value ------------------------------------------------------------------------------------------------------------ */

ALWAYS_INLINE const uint8_t *take_enum(struct avro_decoder *d, const struct avro_op *op, struct view *to,
                                       const uint8_t *p, const uint8_t *end)
{
    int64_t i = 0;
    const uint8_t *next = read_int(d, op, p, end, &i);
    if (UNLIKELY(next == NULL))
        return NULL;
    if (UNLIKELY((uint64_t)i >= op->size))
        return bad(d, op, "the enum has no such symbol");
    if (to == NULL)
        return next;
    *to = op->symbols_now[i];
    return LIKELY(to->size != UINT32_MAX) ? next : bad(d, op, "the reader's enum has no such symbol");
}

/* The value at p into row `row`. What stands behind it, or NULL. */
ALWAYS_INLINE const uint8_t *take(struct avro_decoder *d, const struct avro_op *op,
                                  const enum avro_op_kind kind, void *data, uint32_t row, const uint8_t *p,
                                  const uint8_t *end)
{
    int64_t i = 0;
    uint64_t n = 0, bits;
    uint32_t bits32;
    float f;
    const uint8_t *next;
    switch (kind) {
    case AVRO_OP_BOOLEAN:
    case AVRO_OP_SKIP_BOOLEAN:
        if (UNLIKELY(p >= end))
            return bad(d, op, cut);
        if (kind == AVRO_OP_BOOLEAN)
            ((uint8_t *)data)[row] = *p;
        return LIKELY(*p <= 1) ? p + 1 : bad(d, op, "a boolean is neither 0 nor 1");
    case AVRO_OP_I32:
        next = read_int(d, op, p, end, &i);
        ((int32_t *)data)[row] = (int32_t)i;
        return next;
    case AVRO_OP_INT_I64:
        next = read_int(d, op, p, end, &i);
        ((int64_t *)data)[row] = i;
        return next;
    case AVRO_OP_I64:
        next = read_long(d, op, p, end, &i);
        ((int64_t *)data)[row] = i;
        return next;
    case AVRO_OP_MILLIS:
        next = read_long(d, op, p, end, &i);
        if (UNLIKELY(__builtin_mul_overflow(i, US_PER_MS, (int64_t *)data + row)))
            return bad(d, op, "a timestamp is out of range");
        return next;
    case AVRO_OP_NANOS:
        next = read_long(d, op, p, end, &i);
        ((int64_t *)data)[row] = floor_div(i, 1000);
        return next;
    case AVRO_OP_F32:
    case AVRO_OP_F32_F64:
        if (UNLIKELY(end - p < 4))
            return bad(d, op, cut);
        bits32 = get_le32(p);
        if (kind == AVRO_OP_F32) {
            memcpy((float *)data + row, &bits32, sizeof bits32);
        } else {
            memcpy(&f, &bits32, sizeof f);
            ((double *)data)[row] = f;
        }
        return p + 4;
    case AVRO_OP_F64:
        if (UNLIKELY(end - p < 8))
            return bad(d, op, cut);
        bits = get_le64(p);
        memcpy((double *)data + row, &bits, sizeof bits);
        return p + 8;
    case AVRO_OP_NUMBER: return take_number(d, op, row, p, end);
    case AVRO_OP_STRING: return take_string(d, op, (struct view *)data + row, p, end);
    case AVRO_OP_SKIP_STRING: return skip_string(d, op, p, end);
    case AVRO_OP_BYTES:
    case AVRO_OP_SKIP_BYTES:
        p = read_size(d, op, p, end, &n);
        if (UNLIKELY(p == NULL))
            return NULL;
        if (kind == AVRO_OP_BYTES)
            view_store((struct view *)data + row, p, n, end);
        return p + n;
    case AVRO_OP_FIXED:
    case AVRO_OP_SKIP_FIXED:
        if (UNLIKELY((uint64_t)(end - p) < op->size))
            return bad(d, op, cut);
        if (kind == AVRO_OP_FIXED)
            view_store((struct view *)data + row, p, op->size, end);
        return p + op->size;
    case AVRO_OP_ENUM: return take_enum(d, op, (struct view *)data + row, p, end);
    case AVRO_OP_SKIP_ENUM: return take_enum(d, op, NULL, p, end);
    case AVRO_OP_DECIMAL: return take_decimal(d, op, (i128 *)data + row, p, end);
    case AVRO_OP_SKIP_INT: return read_int(d, op, p, end, &i);
    case AVRO_OP_SKIP_LONG: return read_long(d, op, p, end, &i);
    default: UNREACHABLE("kind of a value");
    }
}

/* ---- validity ------------------------------------------------------------------------------------------------------------- */

ALWAYS_INLINE uint64_t first_bits(uint32_t n)
{
    return UINT64_MAX >> (64 - n);
}

/* ---- steps of one value --------------------------------------------------------------------------------------------------- */

/* Symbols longer than a view holds are the schema's; a batch may live longer than that. */
NEVER_INLINE static void renew_symbols(struct avro_decoder *d, struct avro_op *op)
{
    op->batch = d->batch;
    op->symbols_now = arena_dup(d->arena, op->symbols, op->size * sizeof *op->symbols);
    for (uint32_t i = 0; i < op->size; i++)
        if (op->symbols[i].size > VIEW_INLINE && op->symbols[i].size != UINT32_MAX)
            op->symbols_now[i].far.p = arena_dup(d->arena, op->symbols[i].far.p, op->symbols[i].size);
}

/* The branch at *p, written as none of the two bytes that are usual. */
NEVER_INLINE static bool odd_branch(struct avro_decoder *d, const struct avro_op *op, const uint8_t **p,
                                    const uint8_t *end, bool *is_null)
{
    int64_t branch;
    const uint8_t *next = read_long(d, op, *p, end, &branch);
    if (next == NULL)
        return false;
    if (branch != 0 && branch != 1)
        return bad(d, op, "the union has no such branch") != NULL;
    *is_null = branch * 2 == op->null_code;
    *p = next - 1; /* as if it were one byte */
    return true;
}

ALWAYS_INLINE bool step(struct avro_decoder *d, struct avro_op *op, const enum avro_op_kind kind,
                        const bool nullable, uint32_t row, uint32_t n, struct avro_cursors *c)
{
    const bool has_slot = kind < AVRO_OP_SKIP_BOOLEAN;
    uint64_t valid = 0;
    if (kind == AVRO_OP_ENUM && UNLIKELY(op->batch != d->batch))
        renew_symbols(d, op);
    void *data = has_slot ? op->slot->data : NULL;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *p = c->at[i], *end = c->end[i], *from = p, *until = end, *next;
        bool is_null = false;
        if (nullable) {
            if (UNLIKELY(p >= end))
                return bad(d, op, cut) != NULL;
            is_null = *p == op->null_code;
            if (UNLIKELY((*p & ~2) != 0) && !odd_branch(d, op, &p, end, &is_null))
                return false;
            from = is_null ? zeros + PAD : p + 1;
            until = is_null ? zeros + PAD + ZEROS : end;
            valid |= (uint64_t)!is_null << i;
        }
        next = take(d, op, kind, data, row + i, from, until);
        if (UNLIKELY(next == NULL) && !(nullable && is_null))
            return false;
        c->at[i] = nullable && is_null ? p + 1 : next;
    }
    if (has_slot)
        json_slot_set_valid(op->slot, row, nullable ? valid : first_bits(n));
    return true;
}

#define STEP(name, kind)                                                                                     \
    static bool name(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,                   \
                     struct avro_cursors *c)                                                                 \
    {                                                                                                        \
        return step(d, op, kind, false, row, n, c);                                                          \
    }                                                                                                        \
    static bool name##_or_null(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,         \
                               struct avro_cursors *c)                                                       \
    {                                                                                                        \
        return step(d, op, kind, true, row, n, c);                                                           \
    }

STEP(step_boolean, AVRO_OP_BOOLEAN)
STEP(step_i32, AVRO_OP_I32)
STEP(step_i64, AVRO_OP_I64)
STEP(step_int_i64, AVRO_OP_INT_I64)
STEP(step_millis, AVRO_OP_MILLIS)
STEP(step_nanos, AVRO_OP_NANOS)
STEP(step_f32, AVRO_OP_F32)
STEP(step_f64, AVRO_OP_F64)
STEP(step_f32_f64, AVRO_OP_F32_F64)
STEP(step_number, AVRO_OP_NUMBER)
STEP(step_string, AVRO_OP_STRING)
STEP(step_bytes, AVRO_OP_BYTES)
STEP(step_fixed, AVRO_OP_FIXED)
STEP(step_enum, AVRO_OP_ENUM)
STEP(step_decimal, AVRO_OP_DECIMAL)
STEP(step_skip_boolean, AVRO_OP_SKIP_BOOLEAN)
STEP(step_skip_int, AVRO_OP_SKIP_INT)
STEP(step_skip_long, AVRO_OP_SKIP_LONG)
STEP(step_skip_fixed, AVRO_OP_SKIP_FIXED)
STEP(step_skip_string, AVRO_OP_SKIP_STRING)
STEP(step_skip_bytes, AVRO_OP_SKIP_BYTES)
STEP(step_skip_enum, AVRO_OP_SKIP_ENUM)

/* ---- values that hold others ---------------------------------------------------------------------------------------------- */

static bool run(struct avro_decoder *d, const struct avro_program *program, uint32_t row, uint32_t n,
                struct avro_cursors *c)
{
    for (uint32_t i = 0; i < program->count; i++) {
        struct avro_op *op = &program->ops[i];
        if (UNLIKELY(!op->step(d, op, row, n, c)))
            return false;
    }
    return true;
}

/* The program over one record's bytes from *p on. */
static bool run_one(struct avro_decoder *d, const struct avro_program *program, uint32_t row,
                    const uint8_t **p, const uint8_t *end)
{
    return run(d, program, row, 1, &(struct avro_cursors){p, &end});
}

static bool step_valid(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,
                       struct avro_cursors *c)
{
    json_slot_set_valid(op->slot, row, first_bits(n));
    return true;
}

static bool step_uuid(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,
                      struct avro_cursors *c)
{
    static const uint8_t ends[] = {4, 6, 8, 10, 16};
    for (uint32_t i = 0; i < n; i++) {
        if (c->end[i] - c->at[i] < 16)
            return bad(d, op, cut) != NULL;
        char *text = arena_alloc(d->arena, 37), *at = text;
        for (unsigned part = 0, from = 0; part < 5; from = ends[part++]) {
            hex_encode(at, c->at[i] + from, ends[part] - from);
            at += 2 * (ends[part] - from);
            *at++ = '-';
        }
        ((struct view *)op->slot->data)[row + i] = view_of(text, 36);
        c->at[i] += 16;
    }
    json_slot_set_valid(op->slot, row, first_bits(n));
    return true;
}

static bool step_duration(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,
                          struct avro_cursors *c)
{
    static const char *const names[] = {"months", "days", "milliseconds"};
    for (uint32_t i = 0; i < n; i++, row++) {
        if (c->end[i] - c->at[i] < 12)
            return bad(d, op, cut) != NULL;
        bit_set(op->slot->validity, row);
        for (int part = 0; part < 3; part++, c->at[i] += 4) {
            int child = type_field(op->slot->type, str_of(names[part]), false);
            struct json_slot *slot = child < 0 ? NULL : &op->slot->children[child];
            if (slot == NULL || slot->kind != TYPE_LONG)
                continue;
            ((int64_t *)slot->data)[row] = get_le32(c->at[i]);
            bit_set(slot->validity, row);
        }
    }
    return true;
}

/* How many items the next block has; 0: it was the last. More than the bytes allow is bad. */
static bool read_count(struct avro_decoder *d, const struct avro_op *op, const uint8_t **p,
                       const uint8_t *end, uint32_t low, uint64_t *count)
{
    int64_t items = 0, size = 0;
    const uint8_t *at = read_long(d, op, *p, end, &items);
    if (at == NULL)
        return false;
    if (items < 0) {
        const uint8_t *next = read_long(d, op, at, end, &size);
        if (next == NULL)
            return false;
        if (size < 0 || size > end - next || items == INT64_MIN)
            return bad(d, op, "a block's size is wrong") != NULL;
        at = next;
        items = -items;
    }
    *count = (uint64_t)items;
    if (low > 0 && *count > (uint64_t)(end - at) / low)
        return bad(d, op, "more items are announced than there are bytes for") != NULL;
    *p = at;
    return true;
}

/* Items without bytes take rows all the same. */
static bool spend_empty_items(struct avro_decoder *d, const struct avro_op *op, const uint8_t *p,
                              uint64_t count)
{
    if (count > d->empty_items)
        return bad(d, op, "it holds too many items without bytes") != NULL;
    d->empty_items -= count;
    return true;
}

static bool add_row(struct avro_decoder *d, struct json_slot *slot)
{
    if (UNLIKELY(slot->rows == slot->capacity) && !json_slot_grow(slot, d->arena))
        return false;
    slot->rows++;
    return true;
}

static bool take_list(struct avro_decoder *d, const struct avro_op *op, uint32_t row, const uint8_t **p,
                      const uint8_t *end)
{
    struct json_slot *slot = op->slot, *items = slot->children;
    uint64_t count;
    json_slot_open(slot, row);
    for (;;) {
        TRY(read_count(d, op, p, end, op->low, &count));
        if (count == 0)
            break;
        TRY(op->low > 0 || spend_empty_items(d, op, *p, count));
        for (uint64_t i = 0; i < count; i++) {
            if (UNLIKELY(!add_row(d, items) || (slot->child_count == 2 && !add_row(d, items + 1))))
                return bad(d, op, "it has too many items") != NULL;
            TRY(run_one(d, op->programs, items->rows - 1, p, end));
        }
    }
    slot->closed = row + 1;
    slot->offsets[row + 1] = items->rows;
    bit_set(slot->validity, row);
    return true;
}

static bool step_list(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,
                      struct avro_cursors *c)
{
    for (uint32_t i = 0; i < n; i++)
        TRY(take_list(d, op, row + i, &c->at[i], c->end[i]));
    return true;
}

static bool step_union(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,
                       struct avro_cursors *c)
{
    for (uint32_t i = 0; i < n; i++) {
        int64_t branch = 0;
        const uint8_t *p = c->at[i], *next = read_long(d, op, p, c->end[i], &branch);
        if (next == NULL)
            return false;
        if ((uint64_t)branch >= op->size)
            return bad(d, op, "the union has no such branch") != NULL;
        c->at[i] = next;
        TRY(run_one(d, &op->programs[branch], row + i, &c->at[i], c->end[i]));
    }
    return true;
}

static bool step_default(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,
                         struct avro_cursors *c)
{
    if (op->batch != d->batch) {
        uint8_t *bytes = arena_zalloc(d->arena, PAD + op->bytes.n);
        if (op->bytes.n > 0)
            memcpy(bytes + PAD, op->bytes.p, op->bytes.n);
        op->bytes_now = bytes + PAD;
        op->batch = d->batch;
    }
    uint64_t empty_items = d->empty_items; /* what the schema holds is not the record's */
    d->empty_items = UINT64_MAX;
    bool ok = true;
    for (uint32_t i = 0; ok && i < n; i++) {
        const uint8_t *p = op->bytes_now;
        ok = run_one(d, op->programs, row + i, &p, op->bytes_now + op->bytes.n);
    }
    d->empty_items = empty_items;
    return ok;
}

static bool step_fault(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,
                       struct avro_cursors *c)
{
    return bad(d, op, op->fault) != NULL;
}

/* ---- values without a column, by their type ------------------------------------------------------------------------------- */

static bool skip(struct avro_decoder *d, const struct avro_op *op, const struct avro_type *type,
                 const uint8_t **p, const uint8_t *end, unsigned depth);

static bool skip_size(struct avro_decoder *d, const struct avro_op *op, const uint8_t **p, const uint8_t *end,
                      uint64_t size)
{
    if ((uint64_t)(end - *p) < size)
        return bad(d, op, cut) != NULL;
    *p += size;
    return true;
}

static bool skip_key(struct avro_decoder *d, const struct avro_op *op, const uint8_t **p, const uint8_t *end)
{
    const uint8_t *next = skip_string(d, op, *p, end);
    *p = next ? next : *p;
    return next != NULL;
}

static bool skip_items(struct avro_decoder *d, const struct avro_op *op, const struct avro_type *type,
                       const uint8_t **p, const uint8_t *end, unsigned depth)
{
    uint64_t count;
    for (;;) {
        TRY(read_count(d, op, p, end, type->kind == AVRO_MAP, &count));
        if (count == 0)
            return true;
        for (uint64_t i = 0; i < count; i++) {
            const uint8_t *before = *p;
            TRY(type->kind == AVRO_ARRAY || skip_key(d, op, p, end));
            TRY(skip(d, op, type->items, p, end, depth));
            TRY(*p != before || spend_empty_items(d, op, *p, 1));
        }
    }
}

static bool skip_branch(struct avro_decoder *d, const struct avro_op *op, const struct avro_type *type,
                        const uint8_t **p, const uint8_t *end, unsigned depth)
{
    int64_t branch = 0;
    const uint8_t *next = read_long(d, op, *p, end, &branch);
    if (next == NULL)
        return false;
    if ((uint64_t)branch >= type->names.count)
        return bad(d, op, "the union has no such branch") != NULL;
    *p = next;
    return skip(d, op, type->types[branch], p, end, depth);
}

static bool skip(struct avro_decoder *d, const struct avro_op *op, const struct avro_type *type,
                 const uint8_t **p, const uint8_t *end, unsigned depth)
{
    int64_t i = 0;
    uint64_t n = 0;
    const uint8_t *next = *p;
    if (depth > AVRO_SKIP_DEPTH_MAX)
        return bad(d, op, "values are nested too deeply") != NULL;
    switch (type->kind) {
    case AVRO_NULL: return true;
    case AVRO_BOOLEAN:
        if (*p<end &&* * p> 1)
            return bad(d, op, "a boolean is neither 0 nor 1") != NULL;
        return skip_size(d, op, p, end, 1);
    case AVRO_FLOAT: return skip_size(d, op, p, end, 4);
    case AVRO_DOUBLE: return skip_size(d, op, p, end, 8);
    case AVRO_FIXED: return skip_size(d, op, p, end, type->size);
    case AVRO_INT:
    case AVRO_ENUM:
        next = read_int(d, op, *p, end, &i);
        if (next != NULL && type->kind == AVRO_ENUM && (uint64_t)i >= type->names.count)
            return bad(d, op, "the enum has no such symbol") != NULL;
        break;
    case AVRO_LONG: next = read_long(d, op, *p, end, &i); break;
    case AVRO_STRING: next = skip_string(d, op, *p, end); break;
    case AVRO_BYTES:
        next = read_size(d, op, *p, end, &n);
        next = next ? next + n : NULL;
        break;
    case AVRO_ARRAY:
    case AVRO_MAP: return skip_items(d, op, type, p, end, depth + 1);
    case AVRO_UNION: return skip_branch(d, op, type, p, end, depth + 1);
    case AVRO_RECORD:
        for (uint32_t k = 0; k < type->names.count; k++)
            TRY(skip(d, op, type->fields[k].type, p, end, depth + 1));
        return true;
    }
    if (next == NULL)
        return false;
    *p = next;
    return true;
}

static bool step_skip(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,
                      struct avro_cursors *c)
{
    for (uint32_t i = 0; i < n; i++)
        TRY(skip(d, op, op->type, &c->at[i], c->end[i], 0));
    return true;
}

bool (*avro_op_step(enum avro_op_kind kind, bool nullable))(struct avro_decoder *d, struct avro_op *op,
                                                            uint32_t row, uint32_t n, struct avro_cursors *c)
{
    static bool (*const steps[AVRO_OP_KINDS][2])(struct avro_decoder * d, struct avro_op * op, uint32_t row,
                                                 uint32_t n, struct avro_cursors * c) = {
        [AVRO_OP_BOOLEAN] = {step_boolean, step_boolean_or_null},
        [AVRO_OP_I32] = {step_i32, step_i32_or_null},
        [AVRO_OP_I64] = {step_i64, step_i64_or_null},
        [AVRO_OP_INT_I64] = {step_int_i64, step_int_i64_or_null},
        [AVRO_OP_MILLIS] = {step_millis, step_millis_or_null},
        [AVRO_OP_NANOS] = {step_nanos, step_nanos_or_null},
        [AVRO_OP_F32] = {step_f32, step_f32_or_null},
        [AVRO_OP_F64] = {step_f64, step_f64_or_null},
        [AVRO_OP_F32_F64] = {step_f32_f64, step_f32_f64_or_null},
        [AVRO_OP_NUMBER] = {step_number, step_number_or_null},
        [AVRO_OP_STRING] = {step_string, step_string_or_null},
        [AVRO_OP_BYTES] = {step_bytes, step_bytes_or_null},
        [AVRO_OP_FIXED] = {step_fixed, step_fixed_or_null},
        [AVRO_OP_ENUM] = {step_enum, step_enum_or_null},
        [AVRO_OP_DECIMAL] = {step_decimal, step_decimal_or_null},
        [AVRO_OP_SKIP_BOOLEAN] = {step_skip_boolean, step_skip_boolean_or_null},
        [AVRO_OP_SKIP_INT] = {step_skip_int, step_skip_int_or_null},
        [AVRO_OP_SKIP_LONG] = {step_skip_long, step_skip_long_or_null},
        [AVRO_OP_SKIP_FIXED] = {step_skip_fixed, step_skip_fixed_or_null},
        [AVRO_OP_SKIP_STRING] = {step_skip_string, step_skip_string_or_null},
        [AVRO_OP_SKIP_BYTES] = {step_skip_bytes, step_skip_bytes_or_null},
        [AVRO_OP_SKIP_ENUM] = {step_skip_enum, step_skip_enum_or_null},
        [AVRO_OP_VALID] = {step_valid, NULL},
        [AVRO_OP_LIST] = {step_list, NULL},
        [AVRO_OP_UUID] = {step_uuid, NULL},
        [AVRO_OP_DURATION] = {step_duration, NULL},
        [AVRO_OP_UNION] = {step_union, NULL},
        [AVRO_OP_SKIP] = {step_skip, NULL},
        [AVRO_OP_DEFAULT] = {step_default, NULL},
        [AVRO_OP_FAULT] = {step_fault, NULL},
    };
    return steps[kind][nullable];
}

/* ---- records -------------------------------------------------------------------------------------------------------------- */

static void clear_rows(struct avro_decoder *d, uint32_t row, uint32_t n)
{
    for (uint32_t r = row; r < row + n; r++)
        for (uint32_t i = 0; i < d->root.child_count; i++)
            json_slot_clear(&d->root.children[i], r);
}

static const struct avro_op whole = {.path = ""};

static bool all_read(struct avro_decoder *d, const struct avro_cursors *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (UNLIKELY(c->at[i] != c->end[i]))
            return bad(d, &whole, "something follows the record") != NULL;
    return true;
}

/* Records records[n] of one writer into rows from `row` on; false: some are bad, and nothing was written. *offset: how far the first was read. */
static bool decode_block(struct avro_decoder *d, const struct avro_writer *writer, const struct str *records,
                         uint32_t row, uint32_t n, size_t *offset)
{
    const uint8_t *at[AVRO_BLOCK], *end[AVRO_BLOCK];
    uint8_t padded[AVRO_BLOCK][2 * PAD]; /* short records, with something before their end */
    uint32_t i = 0;
    d->empty_items = 0;
    CHECK(n > 0 && n <= AVRO_BLOCK);
    do {
        size_t size = records[i].n;
        at[i] = (const uint8_t *)records[i].p;
        if (UNLIKELY(size < PAD)) {
            memset(padded[i], 0, 2 * PAD);
            memcpy(padded[i] + PAD, records[i].p, size);
            at[i] = padded[i] + PAD;
        }
        end[i] = at[i] + size;
        d->empty_items += size * AVRO_EMPTY_ITEMS;
    } while (++i < n);
    const uint8_t *start = at[0];
    struct avro_cursors cursors = {at, end};
    if (LIKELY(run(d, &writer->program, row, n, &cursors) && all_read(d, &cursors, n)))
        return true;
    clear_rows(d, row, n);
    *offset = (size_t)(at[0] - start);
    return false;
}

static void report_bad(const struct avro_decoder *d, const struct avro_report *report, uint32_t row,
                       size_t at)
{
    if (report == NULL || report->bad == NULL)
        return;
    struct avro_bad record = {.row = row, .path = str_of(d->fault_path), .reason = d->fault, .at = at};
    report->bad(report->arg, &record);
}

/* How many records from `row` on are of one writer and one block. */
static uint32_t block_size(const struct str *records, const struct avro_writer *const *writers, uint32_t row,
                           uint32_t count)
{
    uint32_t most = AVRO_BLOCK - row % AVRO_BLOCK, n = 0;
    while (n < most && row + n < count && records[row + n].p != NULL && writers[row + n] == writers[row] &&
           records[row + n].n <= AVRO_RECORD_MAX)
        n++;
    return n;
}

static void decode_singly(struct avro_decoder *d, const struct str *records, const struct avro_writer *writer,
                          uint32_t row, uint32_t n, const struct avro_report *report)
{
    size_t offset = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!decode_block(d, writer, &records[i], row + i, 1, &offset))
            report_bad(d, report, row + i, offset);
}

static void begin(struct avro_decoder *d, uint32_t count, struct batch *out)
{
    CHECK(count <= BATCH_ROWS_MAX);
    d->arena = &out->arena;
    d->batch++;
    json_slot_begin(&d->root, count, d->arena);
}

static void finish(struct avro_decoder *d, uint32_t count, struct batch *out)
{
    struct column all = json_slot_finish(&d->root, count, d->arena);
    out->schema = d->schema;
    out->rows = count;
    out->columns = all.children;
    for (uint32_t i = 0; d->options.copy && i < d->schema->field_count; i++)
        column_own_bytes(&out->columns[i], d->arena);
    d->arena = NULL;
}

void avro_decode(struct avro_decoder *d, const struct str *records, const struct avro_writer *const *writers,
                 uint32_t count, struct batch *out, const struct avro_report *report)
{
    size_t offset;
    begin(d, count, out);
    for (uint32_t row = 0; row < count;) {
        uint32_t n = block_size(records, writers, row, count);
        if (n == 0) {
            if (records[row].p != NULL) {
                d->fault = "the record is too large";
                d->fault_path = "";
                report_bad(d, report, row, AVRO_RECORD_MAX);
            }
            row++;
            continue;
        }
        CHECK(writers[row]->decoder == d);
        if (UNLIKELY(!decode_block(d, writers[row], &records[row], row, n, &offset)))
            decode_singly(d, &records[row], writers[row], row, n, report);
        row += n;
    }
    finish(d, count, out);
}

/* ---- records one behind the other ----------------------------------------------------------------------------------------- */

/* Where the record at p ends, or NULL. */
static const uint8_t *end_of_record(struct avro_decoder *d, const struct avro_writer *writer,
                                    const uint8_t *p, const uint8_t *end)
{
    return skip(d, &whole, writer->root, &p, end, 0) ? p : NULL;
}

static bool is_damaged(const struct avro_decoder *d, struct err *err)
{
    return err_set(err, ERR_DATA, "a block is damaged: %s", d->fault);
}

/* The bytes with eight more that can be read before their end. */
static const uint8_t *with_room(struct str bytes, uint8_t padded[2 * PAD])
{
    if (bytes.n >= PAD)
        return (const uint8_t *)bytes.p;
    memset(padded, 0, 2 * PAD);
    if (bytes.n > 0)
        memcpy(padded + PAD, bytes.p, bytes.n);
    return padded + PAD;
}

bool avro_skip_sequence(struct avro_decoder *d, const struct avro_writer *writer, struct str *bytes,
                        uint64_t count, struct err *err)
{
    uint8_t padded[2 * PAD];
    const uint8_t *start = with_room(*bytes, padded), *p = start, *end = start + bytes->n;
    d->empty_items = bytes->n * AVRO_EMPTY_ITEMS;
    for (uint64_t i = 0; i < count; i++)
        if ((p = end_of_record(d, writer, p, end)) == NULL)
            return is_damaged(d, err);
    *bytes = str_n(bytes->p + (p - start), bytes->n - (size_t)(p - start));
    return true;
}

bool avro_decode_sequence(struct avro_decoder *d, const struct avro_writer *writer, struct str *bytes,
                          uint32_t count, struct batch *out, const struct avro_report *report,
                          struct err *err)
{
    uint8_t padded[2 * PAD];
    const uint8_t *start = with_room(*bytes, padded), *p = start, *end = start + bytes->n;
    uint32_t row = 0;
    bool ok = true;
    CHECK(writer->decoder == d);
    begin(d, count, out);
    d->empty_items = bytes->n * AVRO_EMPTY_ITEMS;
    for (; row < count; row++) {
        const uint8_t *record = p;
        if (LIKELY(run_one(d, &writer->program, row, &p, end)))
            continue;
        const char *fault = d->fault, *path = d->fault_path;
        clear_rows(d, row, 1);
        size_t at = (size_t)(p - record);
        p = end_of_record(d, writer, record, end);
        ok = p != NULL || is_damaged(d, err);
        if (!ok)
            break;
        d->fault = fault;
        d->fault_path = path;
        report_bad(d, report, row, at);
    }
    finish(d, row, out);
    if (ok)
        *bytes = str_n(bytes->p + (p - start), bytes->n - (size_t)(p - start));
    return ok;
}

/* ---- the decoder ---------------------------------------------------------------------------------------------------------- */

static void build_slots(struct json_slot *slot, const struct type *type, struct arena *arena)
{
    bool is_list = type->kind == TYPE_ARRAY || type->kind == TYPE_MAP;
    slot->kind = type->kind;
    slot->type = type;
    slot->child_count = type->kind == TYPE_VARIANT ? 0 : type->field_count;
    slot->row_bytes = type_width(type) + 1 + (is_list ? sizeof(uint32_t) : 0);
    slot->children = arena_zarray(arena, struct json_slot, slot->child_count);
    for (uint32_t i = 0; i < slot->child_count; i++) {
        struct json_slot *child = &slot->children[i];
        child->parent = slot;
        child->name = type->kind == TYPE_STRUCT ? type->fields[i].name : NULL;
        build_slots(child, type->fields[i].type, arena);
        slot->row_bytes += is_list ? 0 : child->row_bytes;
    }
}

static bool check_columns(const struct type *type, unsigned depth, uint32_t *count, struct err *err)
{
    if (depth > TYPE_DEPTH_MAX)
        return err_set(err, ERR_CONFIG, "types are nested deeper than %d", TYPE_DEPTH_MAX);
    if (++*count > AVRO_COLUMNS_MAX)
        return err_set(err, ERR_CONFIG, "there are more than %d columns", AVRO_COLUMNS_MAX);
    if (type->kind == TYPE_VARIANT || (type->kind == TYPE_MAP && type->fields[0].type->kind != TYPE_STRING))
        return err_set(err, ERR_CONFIG, "Avro gives no %s",
                       type->kind == TYPE_MAP ? "map without STRING keys" : "VARIANT");
    for (uint32_t i = 0; i < type->field_count; i++)
        if (!check_columns(type->fields[i].type, depth + 1, count, err))
            return err_context(err, "column \"%s\"", type->fields[i].name);
    return true;
}

struct avro_decoder *avro_decoder_new(struct pool *pool, const struct avro_schema *reader,
                                      const struct type *columns, const struct avro_decoder_options *options,
                                      struct err *err)
{
    CHECK(columns->kind == TYPE_STRUCT);
    uint32_t count = 0;
    struct avro_program ignored;
    if (!check_columns(columns, 0, &count, err))
        return NULL;
    struct avro_decoder *d = pool_new_struct(pool, struct avro_decoder);
    d->pool = pool;
    d->reader = reader;
    d->code = json_cpu_code(JSON_CPU_BEST);
    if (options != NULL)
        d->options = *options;
    d->schema = json_nullable(pool_arena(pool), columns);
    build_slots(&d->root, d->schema, pool_arena(pool));
    if (reader != NULL && !avro_compile(d, reader, &ignored, err)) {
        if (err != NULL)
            err->class = ERR_CONFIG;
        return NULL;
    }
    return d;
}

const struct avro_writer *avro_decoder_writer(struct avro_decoder *d, const struct avro_schema *writer,
                                              struct err *err)
{
    struct avro_writer *w = pool_new_struct(d->pool, struct avro_writer);
    w->decoder = d;
    w->root = writer->root;
    return avro_compile(d, writer, &w->program, err) ? w : NULL;
}

/* Records to columns: one walk over a record's bytes, led by the plan of its message.
 *
 * A field's tag is compared with the one that should come next, which is the next number: records of one writer have their fields
 * in that order, and leave out one or the other. So there is no search, and the processor foresees which code comes next. Each
 * value goes straight to its column: rows are those of the record, of the message around it, or of the list that it is an element of
 * (protobuf_slot.c).
 *
 * A function here takes `p`, where a value begins, and returns where the next field does, or NULL when the record is bad (fail() says
 * why). Nothing between p and `end`, which is that of the message, is trusted: each length is compared with what is left first. */
#include <stdio.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "format/protobuf_decode_private.h"

NEVER_INLINE static const uint8_t *fail(struct protobuf_decoder *d, const struct protobuf_step *step,
                                        const uint8_t *at, const char *reason)
{
    d->reason = reason;
    d->bad_at = at;
    d->bad_step = step;
    return NULL;
}

ALWAYS_INLINE void set_bit(struct protobuf_slot *slot, uint32_t row)
{
    slot->validity[row >> 3] |= (uint8_t)(1u << (row & 7));
}

ALWAYS_INLINE void *value_at(const struct protobuf_slot *slot, uint32_t row)
{
    return slot->data + (size_t)row * slot->width;
}

/* ---- varints and lengths -------------------------------------------------------------------------------------------------- */

#define EVERY_BYTE(c) (UINT64_C(0x0101010101010101) * (uint8_t)(c))

NEVER_INLINE static const uint8_t *long_varint(const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    return protobuf_varint(p, end, value);
}

/* NULL: cut off or too long. Up to eight bytes are gathered without a loop. */
ALWAYS_INLINE const uint8_t *read_varint(const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    if (LIKELY(p < end && *p < 0x80)) {
        *value = *p;
        return p + 1;
    }
    if (UNLIKELY(end - p < 8))
        return protobuf_varint(p, end, value);
    uint64_t word = get_le64(p), last = ~word & EVERY_BYTE(0x80);
    if (UNLIKELY(last == 0))
        return long_varint(p, end, value);
    word &= (last ^ (last - 1)) & EVERY_BYTE(0x7F);
    word = (word & UINT64_C(0x007F007F007F007F)) | (word & UINT64_C(0x7F007F007F007F00)) >> 1;
    word = (word & UINT64_C(0x00003FFF00003FFF)) | (word & UINT64_C(0x3FFF00003FFF0000)) >> 2;
    *value = (word & UINT64_C(0x000000000FFFFFFF)) | (word & UINT64_C(0x0FFFFFFF00000000)) >> 4;
    return p + (__builtin_ctzll(last) >> 3) + 1;
}

static const char cut_varint[] = "a varint is cut off or too long";

/* The length of what follows, and that it is there. */
ALWAYS_INLINE const uint8_t *read_length(struct protobuf_decoder *d, const struct protobuf_step *step,
                                         const uint8_t *p, const uint8_t *end, size_t *length)
{
    uint64_t value;
    const uint8_t *next = read_varint(p, end, &value);
    if (UNLIKELY(next == NULL))
        return fail(d, step, p, cut_varint);
    if (UNLIKELY(value > (size_t)(end - next)))
        return fail(d, step, p, "a length is more than what is left");
    *length = value;
    return next;
}

/* The inside of a message, or of a group. *next: what comes behind it. */
ALWAYS_INLINE const uint8_t *read_body(struct protobuf_decoder *d, const struct protobuf_step *step,
                                       const uint8_t *p, const uint8_t *end, size_t *length,
                                       const uint8_t **next)
{
    const char *reason;
    const uint8_t *body_end = p;
    if (LIKELY((step->key & 7) == WIRE_BYTES)) {
        p = read_length(d, step, p, end, length);
        *next = LIKELY(p != NULL) ? p + *length : NULL;
        return p;
    }
    *next = protobuf_skip(p, end, step->key, &body_end, &reason);
    if (*next == NULL)
        return fail(d, step, p, reason);
    *length = (size_t)(body_end - p);
    return p;
}

/* ---- strings -------------------------------------------------------------------------------------------------------------- */

/* What remains of a text of n bytes in two words. */
static const uint64_t masks[17][2] = {
    {0, 0},
    {0xFF, 0},
    {0xFFFF, 0},
    {0xFFFFFF, 0},
    {0xFFFFFFFF, 0},
    {0xFFFFFFFFFF, 0},
    {0xFFFFFFFFFFFF, 0},
    {0xFFFFFFFFFFFFFF, 0},
    {UINT64_MAX, 0},
    {UINT64_MAX, 0xFF},
    {UINT64_MAX, 0xFFFF},
    {UINT64_MAX, 0xFFFFFF},
    {UINT64_MAX, 0xFFFFFFFF},
    {UINT64_MAX, 0xFFFFFFFFFF},
    {UINT64_MAX, 0xFFFFFFFFFFFF},
    {UINT64_MAX, 0xFFFFFFFFFFFFFF},
    {UINT64_MAX, UINT64_MAX},
};

/* More than 16 bytes. */
ALWAYS_INLINE bool is_ascii(const uint8_t *p, size_t n)
{
    const uint8_t *last = p + n - 16;
    uint64_t a = get_le64(last), b = get_le64(last + 8);
    for (; p < last; p += 16) {
        a |= get_le64(p);
        b |= get_le64(p + 8);
    }
    return ((a | b) & EVERY_BYTE(0x80)) == 0;
}

static void store_view(struct protobuf_decoder *d, struct view *to, const uint8_t *p, size_t n)
{
    if (d->options.copy && n > VIEW_INLINE)
        p = arena_dup(d->arena, p, n);
    *to = view_of((const char *)p, n);
}

NEVER_INLINE static bool store_unusual(struct protobuf_decoder *d, struct view *to, const uint8_t *p,
                                       size_t n, bool is_text)
{
    if (is_text && !(n < 16 ? utf8_valid : d->utf8)((const char *)p, n))
        return false;
    store_view(d, to, p, n);
    return true;
}

/* The view of p[n]; false: it is not UTF-8. */
ALWAYS_INLINE bool store_string(struct protobuf_decoder *d, struct view *to, const uint8_t *p, size_t n,
                                bool is_text)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (LIKELY(d->stop - p >= 16 && !d->options.copy)) {
        size_t part = n < 16 ? n : 16;
        uint64_t a = get_le64(p) & masks[part][0], b = get_le64(p + 8) & masks[part][1];
        bool plain = !is_text || (((a | b) & EVERY_BYTE(0x80)) == 0 && (n <= 16 || is_ascii(p, n)));
        if (LIKELY(plain)) {
            uint64_t words[2] = {(uint64_t)n | a << 32,
                                 n <= VIEW_INLINE ? a >> 32 | b << 32 : (uint64_t)(uintptr_t)p};
            memcpy(to, words, sizeof words);
            return true;
        }
    }
#endif
    return store_unusual(d, to, p, n, is_text);
}

/* ---- enums ---------------------------------------------------------------------------------------------------------------- */

/* What no constant says: of an open enum the digits; of a closed one nothing. */
NEVER_INLINE static void store_unknown_enum(const struct protobuf_step *step, struct protobuf_slot *slot,
                                            uint32_t row, int32_t number)
{
    if (!step->symbols->is_closed) {
        char digits[16];
        int n = snprintf(digits, sizeof digits, "%d", (int)number);
        *(struct view *)value_at(slot, row) = view_of(digits, (size_t)n);
        set_bit(slot, row);
    } else if (step->op == OP_ELEMENT || step->op == OP_PACKED) {
        slot->rows--; /* which was just added */
    } else if (step->is_map_value) {
        protobuf_slot_clear(slot, row);
    }
}

ALWAYS_INLINE void store_enum(struct protobuf_decoder *d, const struct protobuf_step *step,
                              struct protobuf_slot *slot, uint32_t row, int32_t number)
{
    const struct protobuf_symbol *found = protobuf_symbol_find(step->symbols, number);
    if (UNLIKELY(found == NULL)) {
        store_unknown_enum(step, slot, row, number);
        return;
    }
    if (UNLIKELY(found->view.size > VIEW_INLINE && found->batch != d->batch)) {
        struct protobuf_symbol *symbol = &step->symbols->symbols[found - step->symbols->symbols];
        symbol->view = view_of(arena_dup(d->arena, symbol->name.p, symbol->name.n), symbol->name.n);
        symbol->batch = d->batch;
    }
    memcpy(value_at(slot, row), &found->view, sizeof found->view);
    if (step->sets_bit)
        set_bit(slot, row);
}

/* ---- numbers that are converted ------------------------------------------------------------------------------------------- */

bool protobuf_store_integer(const struct type *type, void *to, int64_t value, bool is_unsigned)
{
    i128 wide = is_unsigned ? (i128)(uint64_t)value : (i128)value;
    switch (type->kind) {
    case TYPE_BYTE: *(int8_t *)to = (int8_t)value; return wide == (int8_t)value;
    case TYPE_SHORT: *(int16_t *)to = (int16_t)value; return wide == (int16_t)value;
    case TYPE_INT: *(int32_t *)to = (int32_t)value; return wide == (int32_t)value;
    case TYPE_LONG: *(int64_t *)to = value; return wide == value;
    case TYPE_DECIMAL:
        if (!decimal_rescale(wide, 0, decimal_shape_of(type), &wide))
            return false;
        memcpy(to, &wide, sizeof wide);
        return true;
    default: UNREACHABLE("the compiler gives integers to these columns only");
    }
}

static int64_t unzigzag32(uint64_t value)
{
    uint32_t v = (uint32_t)value;
    return (int32_t)((v >> 1) ^ -(v & 1));
}

/* What the bytes of an integer say. */
static int64_t integer_of(enum proto_kind kind, uint64_t raw)
{
    switch (kind) {
    case PROTO_INT32:
    case PROTO_ENUM:
    case PROTO_SFIXED32: return (int32_t)raw;
    case PROTO_UINT32:
    case PROTO_FIXED32: return (uint32_t)raw;
    case PROTO_SINT32: return unzigzag32(raw);
    case PROTO_SINT64: return unzigzag(raw);
    default: return (int64_t)raw;
    }
}

static const uint8_t *read_number(struct protobuf_decoder *d, const struct protobuf_step *step,
                                  struct protobuf_slot *slot, uint32_t row, const uint8_t *p,
                                  const uint8_t *end)
{
    enum proto_kind kind = (enum proto_kind)step->kind;
    enum protobuf_wire wire = protobuf_wire_of(kind);
    const uint8_t *at = p;
    uint64_t raw;
    if (wire == WIRE_VARINT) {
        p = protobuf_varint(p, end, &raw);
        if (p == NULL)
            return fail(d, step, at, cut_varint);
    } else {
        size_t size = wire == WIRE_FIXED64 ? 8 : 4;
        if ((size_t)(end - p) < size)
            return fail(d, step, at, "a number is cut off");
        raw = size == 8 ? get_le64(p) : get_le32(p);
        p += size;
    }
    if (kind == PROTO_FLOAT) {
        uint32_t bits = (uint32_t)raw;
        float number;
        memcpy(&number, &bits, sizeof number);
        *(double *)value_at(slot, row) = (double)number;
    } else if (!protobuf_store_integer(slot->type, value_at(slot, row), integer_of(kind, raw),
                                       kind == PROTO_UINT64 || kind == PROTO_FIXED64)) {
        return fail(d, step, at, "a number does not fit its column");
    }
    if (step->sets_bit)
        set_bit(slot, row);
    return p;
}

/* ---- messages that are values --------------------------------------------------------------------------------------------- */

enum { PARTS = 3 };

/* The first fields of a small message: numbers, or bytes. */
struct parts {
    int64_t number[PARTS];
    struct str bytes[PARTS];
};

static bool read_parts(struct protobuf_decoder *d, const struct protobuf_step *step, const uint8_t *p,
                       size_t n, const char *wires, struct parts *parts)
{
    const char *reason;
    const uint8_t *end = p + n, *at;
    while (p < end) {
        uint32_t key;
        at = p;
        if ((p = protobuf_tag(p, end, &key, &reason)) == NULL)
            return fail(d, step, at, reason) != NULL;
        uint32_t i = (key >> 3) - 1;
        at = p;
        if ((p = protobuf_skip(p, end, key, NULL, &reason)) == NULL)
            return fail(d, step, at, reason) != NULL;
        if (i >= PARTS || wires[i] != (char)('0' + (key & 7)))
            continue;
        uint64_t value = 0;
        at = protobuf_varint(at, p, &value);
        if ((key & 7) == WIRE_BYTES)
            parts->bytes[i] = str_n(at, (size_t)(p - at));
        else
            parts->number[i] = (int64_t)value;
    }
    return true;
}

/* Seconds and nanoseconds to microseconds. */
static bool microseconds(const struct parts *parts, bool floored, int64_t *us)
{
    int64_t nanos = (int32_t)parts->number[1];
    int64_t micros = floored ? floor_div(nanos, 1000) : nanos / 1000;
    return !__builtin_mul_overflow(parts->number[0], US_PER_S, us) &&
           !__builtin_add_overflow(*us, micros, us);
}

static bool read_time(struct protobuf_decoder *d, const struct protobuf_step *step,
                      struct protobuf_slot *slot, uint32_t row, const uint8_t *p, size_t n)
{
    struct parts parts = {0};
    int64_t *us = value_at(slot, row);
    bool is_timestamp = slot->kind != TYPE_INTERVAL_DT;
    if (bit_get(slot->validity, row)) { /* another piece of it */
        parts.number[0] = is_timestamp ? floor_div(*us, US_PER_S) : *us / US_PER_S;
        parts.number[1] = (*us - parts.number[0] * US_PER_S) * 1000;
    }
    if (!read_parts(d, step, p, n, "00", &parts))
        return false;
    return microseconds(&parts, is_timestamp, us) ||
           fail(d, step, p, is_timestamp ? "a timestamp is out of range" : "a duration is out of range") !=
               NULL;
}

static bool read_date(struct protobuf_decoder *d, const struct protobuf_step *step,
                      struct protobuf_slot *slot, uint32_t row, const uint8_t *p, size_t n)
{
    struct parts parts = {0};
    int32_t *days = value_at(slot, row), year;
    unsigned month, day;
    if (bit_get(slot->validity, row)) {
        days_to_civil(*days, &year, &month, &day);
        parts = (struct parts){.number = {year, month, day}};
    }
    if (!read_parts(d, step, p, n, "000", &parts))
        return false;
    return (parts.number[0] != 0 && date_from_civil((int32_t)parts.number[0], (int32_t)parts.number[1],
                                                    (int32_t)parts.number[2], days)) ||
           fail(d, step, p, "a date is no day of a year") != NULL;
}

/* Big endian, two's complement; false: more than 16 bytes that say something. */
static bool big_integer(struct str bytes, i128 *value)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    size_t n = bytes.n;
    uint8_t sign = n > 0 && p[0] & 0x80 ? 0xFF : 0;
    while (n > sizeof *value && *p == sign) {
        p++;
        n--;
    }
    unsigned __int128 v = sign ? ~(unsigned __int128)0 : 0;
    if (n > sizeof *value || (n == sizeof *value && (p[0] ^ sign) & 0x80))
        return false;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    *value = (i128)v;
    return true;
}

static bool read_decimal(struct protobuf_decoder *d, const struct protobuf_step *step,
                         struct protobuf_slot *slot, uint32_t row, const uint8_t *p, size_t n)
{
    struct parts parts = {0};
    i128 value, *to = value_at(slot, row);
    if (!read_parts(d, step, p, n, "200", &parts))
        return false;
    int32_t scale = (int32_t)parts.number[2];
    bool fits = scale >= 0 && scale <= DECIMAL_PRECISION_MAX && big_integer(parts.bytes[0], &value) &&
                decimal_fits(value, DECIMAL_PRECISION_MAX) &&
                decimal_rescale(value, (unsigned)scale, decimal_shape_of(slot->type), to) &&
                decimal_cmp(value, (unsigned)scale, *to, slot->type->scale) == 0;
    return fits || fail(d, step, p, "a decimal does not fit its column") != NULL;
}

static bool read_variant(struct protobuf_decoder *d, const struct protobuf_step *step,
                         struct protobuf_slot *slot, uint32_t row, const uint8_t *p, size_t n)
{
    struct parts parts = {.bytes = {STR(""), STR("")}};
    if (!read_parts(d, step, p, n, "22", &parts))
        return false;
    for (int i = 0; i < 2; i++) {
        store_view(d, value_at(&slot->children[i], row), (const uint8_t *)parts.bytes[i].p, parts.bytes[i].n);
        set_bit(&slot->children[i], row);
    }
    return true;
}

static bool read_json(struct protobuf_decoder *d, const struct protobuf_step *step,
                      struct protobuf_slot *slot, uint32_t row, const uint8_t *p, size_t n)
{
    const char *reason;
    sbuf_clear(&d->text);
    if (!protobuf_to_json(str_n(p, n), step->message, &d->text, &reason))
        return fail(d, step, p, reason) != NULL;
    const char *text = d->text.n > VIEW_INLINE ? arena_dup(d->arena, d->text.p, d->text.n) : d->text.p;
    *(struct view *)value_at(slot, row) = view_of(text, d->text.n);
    return true;
}

/* A message as its bytes. Of several pieces it is all of them, one after the other. */
static void read_raw(struct protobuf_decoder *d, struct protobuf_step *step, struct protobuf_slot *slot,
                     uint32_t row, const uint8_t *p, size_t n)
{
    struct view *to = value_at(slot, row);
    if (step->op != OP_RAW || !bit_get(slot->validity, row) || to->size == 0) {
        store_view(d, to, p, n);
        return;
    }
    size_t before = to->size, size = before + n;
    bool is_own = step->raw_row == row && step->raw_batch == d->batch && to->size > VIEW_INLINE &&
                  to->far.p == step->raw;
    if (!is_own ||
        size > step->raw_capacity) { /* doubled, so that many pieces are not copied again and again */
        char *raw = arena_alloc(d->arena, 2 * size);
        memcpy(raw, view_bytes(to), before);
        step->raw = raw;
        step->raw_capacity = (uint32_t)(2 * size);
        step->raw_row = row;
        step->raw_batch = d->batch;
    }
    memcpy(step->raw + before, p, n);
    *to = view_of(step->raw, size);
}

static const uint8_t *read_known(struct protobuf_decoder *d, struct protobuf_step *step, unsigned op,
                                 struct protobuf_slot *slot, uint32_t row, const uint8_t *p,
                                 const uint8_t *end)
{
    size_t n = 0;
    const uint8_t *next;
    bool ok = true;
    if ((p = read_body(d, step, p, end, &n, &next)) == NULL)
        return NULL;
    switch (op) {
    case OP_TIMESTAMP:
    case OP_DURATION: ok = read_time(d, step, slot, row, p, n); break;
    case OP_DATE: ok = read_date(d, step, slot, row, p, n); break;
    case OP_DECIMAL: ok = read_decimal(d, step, slot, row, p, n); break;
    case OP_VARIANT: ok = read_variant(d, step, slot, row, p, n); break;
    case OP_JSON: ok = read_json(d, step, slot, row, p, n); break;
    case OP_RAW: read_raw(d, step, slot, row, p, n); break;
    default: UNREACHABLE("no message that is a value");
    }
    if (!ok)
        return NULL;
    set_bit(slot, row);
    return next;
}

/* The usual form of a timestamp: seconds and perhaps nanoseconds, less than 128 bytes of them. */
ALWAYS_INLINE const uint8_t *read_timestamp(struct protobuf_decoder *d, struct protobuf_step *step,
                                            struct protobuf_slot *slot, uint32_t row, const uint8_t *p,
                                            const uint8_t *end)
{
    uint64_t seconds, nanos = 0;
    const uint8_t *at = p + 2;
    if (LIKELY(end - p > 2 && p[0] < 0x80 && p[1] == 0x08 && (step->key & 7) == WIRE_BYTES)) {
        const uint8_t *stop = p + 1 + p[0];
        if (LIKELY(stop <= end && (at = read_varint(at, stop, &seconds)) != NULL)) {
            if (at < stop && *at == 0x10)
                at = read_varint(at + 1, stop, &nanos);
            if (LIKELY(at == stop && nanos < 1000000000 && !bit_get(slot->validity, row) &&
                       seconds + (UINT64_C(1) << 42) < UINT64_C(1) << 43)) {
                *(int64_t *)value_at(slot, row) = (int64_t)seconds * US_PER_S + (int64_t)nanos / 1000;
                set_bit(slot, row);
                return stop;
            }
        }
    }
    return read_known(d, step, OP_TIMESTAMP, slot, row, p, end);
}

/* ---- messages and lists --------------------------------------------------------------------------------------------------- */

static const uint8_t *decode_message(struct protobuf_decoder *d, const struct protobuf_plan *plan,
                                     uint32_t row, const uint8_t *p, const uint8_t *end);
static const uint8_t *slow_value(struct protobuf_decoder *d, struct protobuf_step *step, unsigned op,
                                 struct protobuf_slot *slot, uint32_t row, const uint8_t *p,
                                 const uint8_t *end);

static const uint8_t *value_of(struct protobuf_decoder *d, struct protobuf_default *value)
{
    if (value->text.n > VIEW_INLINE && value->batch != d->batch) {
        struct view view = view_of(arena_dup(d->arena, value->text.p, value->text.n), value->text.n);
        memcpy(value->value, &view, sizeof view);
        value->batch = d->batch;
    }
    return value->value;
}

/* The message is there: what it does not say has its default. */
static void begin_message(struct protobuf_decoder *d, const struct protobuf_plan *plan, uint32_t row)
{
    if (plan->slot != NULL) {
        if (bit_get(plan->slot->validity, row))
            return;
        set_bit(plan->slot, row);
    }
    for (uint32_t i = 0; i < plan->default_count; i++) {
        struct protobuf_default *value = &plan->defaults[i];
        if (value->plan != NULL) {
            begin_message(d, value->plan, row);
            continue;
        }
        set_bit(value->slot, row);
        if (value->has_value)
            memcpy(value_at(value->slot, row), value_of(d, value), value->slot->width);
    }
}

static const uint8_t *read_message(struct protobuf_decoder *d, const struct protobuf_step *step, uint32_t row,
                                   const uint8_t *p, const uint8_t *end)
{
    size_t n = 0;
    const uint8_t *next;
    if (UNLIKELY((p = read_body(d, step, p, end, &n, &next)) == NULL))
        return NULL;
    begin_message(d, step->plan, row);
    return decode_message(d, step->plan, row, p, p + n) != NULL ? next : NULL;
}

/* One value into its column. */
ALWAYS_INLINE const uint8_t *value_into(struct protobuf_decoder *d, struct protobuf_step *step, unsigned op,
                                        struct protobuf_slot *slot, uint32_t row, const uint8_t *p,
                                        const uint8_t *end)
{
    const uint8_t *at = p;
    uint64_t v = 0;
    size_t n = 0;
    switch (op) {
    case OP_INT32:
        p = read_varint(p, end, &v);
        *(int32_t *)value_at(slot, row) = (int32_t)v;
        break;
    case OP_INT64:
        p = read_varint(p, end, &v);
        *(int64_t *)value_at(slot, row) = (int64_t)v;
        break;
    case OP_UINT32:
        p = read_varint(p, end, &v);
        *(int64_t *)value_at(slot, row) = (uint32_t)v;
        break;
    case OP_SINT32:
        p = read_varint(p, end, &v);
        *(int32_t *)value_at(slot, row) = (int32_t)unzigzag32(v);
        break;
    case OP_SINT64:
        p = read_varint(p, end, &v);
        *(int64_t *)value_at(slot, row) = unzigzag(v);
        break;
    case OP_BOOL:
        p = read_varint(p, end, &v);
        *(uint8_t *)value_at(slot, row) = v != 0;
        break;
    case OP_FIXED32:
        if (UNLIKELY(end - p < 4))
            return fail(d, step, at, "a number is cut off");
        *(uint32_t *)value_at(slot, row) = get_le32(p);
        p += 4;
        break;
    case OP_FIXED64:
        if (UNLIKELY(end - p < 8))
            return fail(d, step, at, "a number is cut off");
        *(uint64_t *)value_at(slot, row) = get_le64(p);
        p += 8;
        break;
    case OP_STRING:
    case OP_BYTES:
        if (UNLIKELY((p = read_length(d, step, p, end, &n)) == NULL))
            return NULL;
        if (UNLIKELY(!store_string(d, value_at(slot, row), p, n, op == OP_STRING)))
            return fail(d, step, p, "a string is not UTF-8");
        p += n;
        break;
    case OP_ENUM:
        if (UNLIKELY((p = read_varint(p, end, &v)) == NULL))
            return fail(d, step, at, cut_varint);
        store_enum(d, step, slot, row, (int32_t)v);
        return p;
    case OP_MESSAGE: return read_message(d, step, row, p, end);
    case OP_TIMESTAMP: return read_timestamp(d, step, slot, row, p, end);
    default: return slow_value(d, step, op, slot, row, p, end);
    }
    if (UNLIKELY(p == NULL))
        return fail(d, step, at, cut_varint);
    if (step->sets_bit)
        set_bit(slot, row);
    return p;
}

/* A row for one more element of the list's row; false: there are too many. */
ALWAYS_INLINE bool add_row(struct protobuf_decoder *d, struct protobuf_slot *list, uint32_t row,
                           uint32_t *added)
{
    struct protobuf_slot *children = list->children;
    if (UNLIKELY(list->open != row))
        protobuf_slot_open(list, row);
    if (UNLIKELY(children[0].rows == children[0].capacity ||
                 (list->kind == TYPE_MAP && children[1].rows == children[1].capacity)) &&
        !protobuf_slot_grow(list, d->arena))
        return false;
    *added = children[0].rows++;
    if (list->kind == TYPE_MAP)
        children[1].rows++;
    return true;
}

static const char too_many[] = "a list has too many elements";

ALWAYS_INLINE const uint8_t *read_element(struct protobuf_decoder *d, struct protobuf_step *step,
                                          uint32_t row, const uint8_t *p, const uint8_t *end)
{
    uint32_t added;
    if (UNLIKELY(!add_row(d, step->slot, row, &added)))
        return fail(d, step, p, too_many);
    return value_into(d, step, step->element_op, step->slot->children, added, p, end);
}

static const uint8_t *read_packed(struct protobuf_decoder *d, struct protobuf_step *step, uint32_t row,
                                  const uint8_t *p, const uint8_t *end)
{
    size_t n = 0;
    if ((p = read_length(d, step, p, end, &n)) == NULL)
        return NULL;
    for (end = p + n; p < end;)
        if ((p = read_element(d, step, row, p, end)) == NULL)
            return NULL;
    return p;
}

static const uint8_t *read_pair(struct protobuf_decoder *d, struct protobuf_step *step, uint32_t row,
                                const uint8_t *p, const uint8_t *end)
{
    size_t n = 0;
    uint32_t added;
    if ((p = read_length(d, step, p, end, &n)) == NULL)
        return NULL;
    if (!add_row(d, step->slot, row, &added))
        return fail(d, step, p, too_many);
    begin_message(d, step->plan, added);
    return decode_message(d, step->plan, added, p, p + n);
}

/* The ops that are not done where the value is met. */
__attribute__((noinline)) static const uint8_t *slow_value(struct protobuf_decoder *d,
                                                           struct protobuf_step *step, unsigned op,
                                                           struct protobuf_slot *slot, uint32_t row,
                                                           const uint8_t *p, const uint8_t *end)
{
    const char *reason;
    const uint8_t *at = p;
    switch (op) {
    case OP_NUMBER: return read_number(d, step, slot, row, p, end);
    case OP_PACKED: return read_packed(d, step, row, p, end);
    case OP_PAIR: return read_pair(d, step, row, p, end);
    case OP_SKIP:
        p = protobuf_skip(p, end, step->key, NULL, &reason);
        return p != NULL ? p : fail(d, step, at, reason);
    default: return read_known(d, step, op, slot, row, p, end);
    }
}

/* A member of a oneof has come: another one that came before does not count. One whose number its closed enum does not have did not
 * come. */
static void choose(struct protobuf_step *step, uint32_t row)
{
    struct protobuf_choice *choice = step->choice;
    struct protobuf_step *before = choice->step;
    if (step->slot != NULL && !bit_get(step->slot->validity, row))
        return;
    if (choice->row == row && before != step && before->slot != NULL)
        protobuf_slot_clear(before->slot, row);
    choice->row = row;
    choice->step = step;
}

static struct protobuf_step *find_step(struct protobuf_decoder *d, const struct protobuf_plan *plan,
                                       uint32_t key)
{
    uint32_t at = key * UINT32_C(0x9E3779B1) >> 8 & plan->table_mask;
    for (; plan->table[at] != NULL; at = (at + 1) & plan->table_mask)
        if (plan->table[at]->key == key)
            return plan->table[at];
    return &d->unknown;
}

NEVER_INLINE static const uint8_t *long_tag(struct protobuf_decoder *d, const struct protobuf_plan *plan,
                                            const uint8_t *p, const uint8_t *end, uint32_t *key)
{
    const char *reason;
    const uint8_t *next = protobuf_tag(p, end, key, &reason);
    return next != NULL ? next : fail(d, plan->step, p, reason);
}

static const uint8_t *skip_unknown(struct protobuf_decoder *d, const struct protobuf_plan *plan,
                                   const uint8_t *p, const uint8_t *end, const uint8_t *tag)
{
    const char *reason;
    uint32_t key;
    if (long_tag(d, plan, tag, end, &key) == NULL)
        return NULL;
    const uint8_t *next = protobuf_skip(p, end, key, NULL, &reason);
    return next != NULL ? next : fail(d, plan->step, p, reason);
}

static const uint8_t *check_required(struct protobuf_decoder *d, const struct protobuf_plan *plan,
                                     uint32_t row, const uint8_t *p)
{
    for (uint32_t i = 0; i < plan->required_count; i++)
        if (!bit_get(plan->required[i]->slot->validity, row))
            return fail(d, plan->required[i], p, "a required field is missing");
    return p;
}

/* The fields of a message, into the row that it has. Depth: that of the columns. */
static const uint8_t *decode_message(struct protobuf_decoder *d, const struct protobuf_plan *plan,
                                     uint32_t row, const uint8_t *p, const uint8_t *end)
{
    struct protobuf_step *const *next = &plan->first;
    while (p < end) {
        const uint8_t *tag = p;
        uint32_t key = *p++;
        if (key >= 0x80) {
            if (LIKELY(p < end && *p < 0x80))
                key = (key & 0x7F) | (uint32_t)*p++ << 7;
            else if ((p = long_tag(d, plan, tag, end, &key)) == NULL)
                return NULL;
        }
        struct protobuf_step *step = next[0];
        if (UNLIKELY(step->key != key)) {
            step = step->next[0];
            if (step->key != key)
                step = find_step(d, plan, key);
        }
        if (step->op == OP_ELEMENT)
            p = read_element(d, step, row, p, end);
        else if (LIKELY(step->op != OP_UNKNOWN))
            p = value_into(d, step, step->op, step->slot, row, p, end);
        else
            p = skip_unknown(d, plan, p, end, tag);
        if (UNLIKELY(p == NULL))
            return NULL;
        if (UNLIKELY(step->choice != NULL))
            choose(step, row);
        if (LIKELY(step->op != OP_UNKNOWN))
            next = step->next;
    }
    return LIKELY(plan->required_count == 0) ? p : check_required(d, plan, row, p);
}

/* ---- one record ----------------------------------------------------------------------------------------------------------- */

/* Writes `text` before *at, as far as there is room. */
static void prepend(char *path, size_t *at, struct str text)
{
    size_t n = text.n < *at ? text.n : *at;
    *at -= n;
    memcpy(path + *at, text.p + (text.n - n), n);
}

/* "a.b[].c" into d->path. */
static struct str path_of(struct protobuf_decoder *d, const struct protobuf_step *step)
{
    size_t at = sizeof d->path;
    for (bool is_last = true; step != NULL && at > 0; step = step->owner->step, is_last = false) {
        if (!is_last)
            prepend(d->path, &at, STR("."));
        if (step->op == OP_ELEMENT || step->op == OP_PACKED || step->op == OP_PAIR)
            prepend(d->path, &at, STR("[]"));
        prepend(d->path, &at, step->name);
    }
    return str_n(d->path + at, sizeof d->path - at);
}

NEVER_INLINE static void report_record(struct protobuf_decoder *d, const struct protobuf_report *report,
                                       uint32_t row)
{
    if (report == NULL || report->bad == NULL)
        return;
    struct protobuf_bad bad = {.row = row,
                               .path = path_of(d, d->bad_step),
                               .reason = d->reason,
                               .at = (size_t)(d->bad_at - d->start)};
    report->bad(report->arg, &bad);
}

static void clear_row(struct protobuf_decoder *d, uint32_t row)
{
    for (uint32_t i = 0; i < d->root.child_count; i++)
        protobuf_slot_clear(&d->root.children[i], row);
}

static bool decode_record(struct protobuf_decoder *d, const struct protobuf_plan *plan, struct str record,
                          uint32_t row)
{
    d->start = (const uint8_t *)record.p;
    d->stop = d->start + record.n;
    if (UNLIKELY(record.n > PROTOBUF_RECORD_MAX))
        return fail(d, NULL, d->start, "the record is too large") != NULL;
    return decode_message(d, plan, row, d->start, d->stop) != NULL;
}

static void set_bits(uint8_t *bits, uint32_t from, uint32_t to)
{
    for (; from < to && (from & 7) != 0; from++)
        bit_set(bits, from);
    if (from < to)
        memset(bits + from / 8, 0xFF, (to - from) / 8);
    for (from = from < to ? from + (to - from) / 8 * 8 : to; from < to; from++)
        bit_set(bits, from);
}

/* Rows [from, to), which have one writer, get what its message has by default. */
static void begin_records(struct protobuf_decoder *d, const struct protobuf_plan *plan, uint32_t from,
                          uint32_t to)
{
    for (uint32_t i = 0; i < plan->default_count; i++) {
        struct protobuf_default *value = &plan->defaults[i];
        set_bits(value->slot->validity, from, to);
        const uint8_t *bytes = value->has_value ? value_of(d, value) : NULL;
        for (uint32_t row = from; bytes != NULL && row < to; row++)
            memcpy(value_at(value->slot, row), bytes, value->slot->width);
    }
}

static void decode_records(struct protobuf_decoder *d, const struct protobuf_plan *plan,
                           const struct str *records, uint32_t from, uint32_t to,
                           const struct protobuf_report *report)
{
    begin_records(d, plan, from, to);
    for (uint32_t row = from; row < to; row++) {
        if (UNLIKELY(records[row].p == NULL)) {
            clear_row(d, row);
        } else if (UNLIKELY(!decode_record(d, plan, records[row], row))) {
            clear_row(d, row);
            report_record(d, report, row);
        }
    }
}

/* ---- the decoder ---------------------------------------------------------------------------------------------------------- */

void protobuf_decode(struct protobuf_decoder *d, const struct str *records,
                     const struct protobuf_writer *const *writers, uint32_t count, struct batch *out,
                     const struct protobuf_report *report)
{
    CHECK(count <= BATCH_ROWS_MAX);
    d->arena = &out->arena;
    d->batch++;
    protobuf_slot_begin(&d->root, count, d->arena);
    for (uint32_t from = 0, to; from < count; from = to) {
        const struct protobuf_writer *writer = writers[from];
        to = from + 1;
        if (records[from].p == NULL)
            continue;
        CHECK(writer->decoder == d);
        while (to < count && (writers[to] == writer || records[to].p == NULL))
            to++;
        decode_records(d, &writer->plan, records, from, to, report);
    }
    struct column all = protobuf_slot_finish(&d->root, count, d->arena);
    out->schema = d->columns;
    out->rows = count;
    out->columns = all.children;
    d->arena = NULL;
}

static void close_decoder(void *arg)
{
    struct protobuf_decoder *d = arg;
    sbuf_fini(&d->text);
}

struct protobuf_decoder *protobuf_decoder_new(struct pool *pool, const struct type *columns,
                                              const struct protobuf_decoder_options *options, struct err *err)
{
    CHECK(columns->kind == TYPE_STRUCT);
    struct protobuf_decoder *d = pool_new_struct(pool, struct protobuf_decoder);
    struct arena *arena = pool_arena(pool);
    if (options != NULL)
        d->options = *options;
    d->pool = pool;
    d->columns = protobuf_nullable(arena, columns);
    d->utf8 = json_cpu_code(JSON_CPU_BEST)->utf8;
    d->unknown = (struct protobuf_step){.op = OP_UNKNOWN};
    d->unknown.next[0] = d->unknown.next[1] = &d->unknown;
    pool_on_free(pool, close_decoder, d);
    return protobuf_slot_build(arena, &d->root, d->columns, 0, err) ? d : NULL;
}

const struct protobuf_writer *protobuf_decoder_writer(struct protobuf_decoder *d,
                                                      const struct proto_message *message, struct err *err)
{
    struct protobuf_writer *writer = pool_new_struct(d->pool, struct protobuf_writer);
    writer->decoder = d;
    return protobuf_compile(d, &writer->plan, message, err) ? writer : NULL;
}

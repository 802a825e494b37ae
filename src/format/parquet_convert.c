/* Physical values → values of the wanted SQL type. Two steps are one: what the file's type means (a
 * timestamp in milliseconds, an unsigned integer) and what the reader wants of it (a wider type). Which
 * pairs are possible is decided once per scan, so the loops have no question left. */
#include "format/parquet_read_i.h"
#include "type/decimal.h"

enum { JULIAN_DAY_OF_1970 = 2440588 };

static const int64_t us_per_day = INT64_C(86400) * 1000000;

unsigned physical_width(enum pq_type type)
{
    static const uint8_t widths[PQ_TYPES] = {1, 4, 8, 12, 4, 8, 16, 16};
    return widths[type];
}

/* ---- choosing -------------------------------------------------------------------------------------- */

/* Which unit the leaf's timestamps or times are in: µs = value × mul / div. */
static void unit_of(const struct pq_schema_element *e, struct convert *out)
{
    const struct pq_logical *l = &e->logical;
    uint32_t unit = 0;
    if (e->has >> PQ_E_LOGICAL & 1 && THRIFT_HAS(l, PQ_L_TIMESTAMP))
        unit = l->timestamp.unit.has;
    else if (e->has >> PQ_E_CONVERTED & 1 && e->converted == PQ_TIMESTAMP_MILLIS)
        unit = 1U << PQ_MILLIS;
    out->mul = unit >> PQ_MILLIS & 1 ? 1000 : 1;
    out->div = unit >> PQ_NANOS & 1 ? 1000 : 1;
}

static bool is_unsigned(const struct pq_schema_element *e)
{
    if (e->has >> PQ_E_LOGICAL & 1 && THRIFT_HAS(&e->logical, PQ_L_INTEGER))
        return !e->logical.integer.is_signed;
    return e->has >> PQ_E_CONVERTED & 1 && e->converted >= PQ_UINT_8 && e->converted <= PQ_UINT_64;
}

static bool is_timestamp(const struct type *t)
{
    return t->kind == TYPE_TIMESTAMP || t->kind == TYPE_TIMESTAMP_NTZ;
}

/* Decimal digits that an integer kind may have. */
static unsigned digits_of(enum type_kind kind)
{
    return kind == TYPE_BYTE ? 3 : kind == TYPE_SHORT ? 5 : kind == TYPE_INT ? 10 : 19;
}

static bool choose_int(const struct pq_leaf *leaf, const struct type *want, struct convert *out)
{
    enum pq_type physical = (enum pq_type)leaf->element->type;
    const struct type *own = leaf->type;
    out->kind = CONVERT_INT;
    out->mul = out->div = 1;
    if (physical == PQ_INT96 && (is_timestamp(want) || want->kind == TYPE_LONG)) {
        out->kind = CONVERT_INT96;
        out->has_order = false;
        return true;
    }
    if (physical != PQ_INT32 && physical != PQ_INT64)
        return false;
    if (is_timestamp(own) && (is_timestamp(want) || want->kind == TYPE_LONG)) {
        unit_of(leaf->element, out);
    } else if (own->kind == TYPE_DATE && want->kind == TYPE_TIMESTAMP_NTZ) {
        out->mul = us_per_day;
    } else if (type_is_integer(own) && type_is_integer(want)) {
        /* Writers without small integers leave them as plain INT32: those may be read narrower, as Spark
         * does. */
        if (own->kind > want->kind && !(own->kind == TYPE_INT && physical == PQ_INT32))
            return false;
    } else {
        bool same = own->kind == want->kind ||
                    (own->kind == TYPE_LONG && (is_timestamp(want) || want->kind == TYPE_INTERVAL_DT)) ||
                    (own->kind == TYPE_INT && want->kind == TYPE_INTERVAL_YM);
        if (!same)
            return false;
    }
    if (out->mul == 1 && out->div == 1 && out->in_width == out->out_width)
        out->kind = CONVERT_NONE;
    return true;
}

static bool choose_float(const struct pq_leaf *leaf, const struct type *want, struct convert *out)
{
    enum pq_type physical = (enum pq_type)leaf->element->type;
    bool is_double = want->kind == TYPE_DOUBLE;
    if (physical == PQ_FLOAT || (physical == PQ_DOUBLE && is_double)) {
        out->kind = physical == PQ_FLOAT && is_double ? CONVERT_F32_F64 : CONVERT_NONE;
        return true;
    }
    if (physical == PQ_FIXED && leaf->type->kind == TYPE_FLOAT) {
        out->kind = is_double ? CONVERT_F16_F64 : CONVERT_F16;
        out->has_order = false;
        return true;
    }
    out->kind = CONVERT_INT_F64;
    return is_double && physical == PQ_INT32 && type_is_integer(leaf->type) && !out->is_unsigned;
}

static bool choose_decimal(const struct pq_leaf *leaf, const struct type *want, struct convert *out)
{
    enum pq_type physical = (enum pq_type)leaf->element->type;
    const struct type *own = leaf->type;
    unsigned precision, scale;
    if (own->kind == TYPE_DECIMAL) {
        precision = own->precision;
        scale = own->scale;
    } else if (type_is_integer(own)) {
        precision = digits_of(own->kind);
        scale = 0;
    } else {
        return false;
    }
    if (want->scale < scale || want->precision - want->scale < (int)precision - (int)scale)
        return false;
    out->factor = decimal_pow10[want->scale - scale];
    out->precision = want->precision;
    out->kind = physical == PQ_INT32 || physical == PQ_INT64 ? CONVERT_INT_DEC : CONVERT_BYTES_DEC;
    out->is_signed_order = out->kind == CONVERT_INT_DEC && !out->is_unsigned;
    return true;
}

static bool choose_bytes(const struct pq_leaf *leaf, const struct type *want, struct convert *out)
{
    enum pq_type physical = (enum pq_type)leaf->element->type;
    if ((physical != PQ_BYTE_ARRAY && physical != PQ_FIXED) || !type_is_view(leaf->type))
        return false;
    bool is_uuid = physical == PQ_FIXED && leaf->element->has >> PQ_E_LOGICAL & 1 &&
                   THRIFT_HAS(&leaf->element->logical, PQ_L_UUID);
    out->is_signed_order = false;
    out->kind = is_uuid && want->kind == TYPE_STRING ? CONVERT_UUID : CONVERT_NONE;
    out->is_text = want->kind == TYPE_STRING && out->kind == CONVERT_NONE;
    out->has_order = out->kind == CONVERT_NONE;
    return true;
}

bool convert_choose(const struct pq_leaf *leaf, const struct type *want, struct convert *out)
{
    enum pq_type physical = (enum pq_type)leaf->element->type;
    *out = (struct convert){.in_width = (uint8_t)physical_width(physical),
                            .out_width = (uint8_t)type_width(want),
                            .is_unsigned = is_unsigned(leaf->element),
                            .has_order = true};
    out->is_signed_order = !out->is_unsigned;
    switch (want->kind) {
    case TYPE_BOOLEAN: return physical == PQ_BOOLEAN;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return choose_float(leaf, want, out);
    case TYPE_DECIMAL: return choose_decimal(leaf, want, out);
    case TYPE_STRING:
    case TYPE_BINARY: return choose_bytes(leaf, want, out);
    case TYPE_NULL:
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_STRUCT:
    case TYPE_VARIANT: return false;
    default: return choose_int(leaf, want, out);
    }
}

/* ---- running --------------------------------------------------------------------------------------- */

static inline int64_t load_int(const struct convert *c, const void *in, size_t i)
{
    if (c->in_width == 8)
        return ((const int64_t *)in)[i];
    int32_t v = ((const int32_t *)in)[i];
    return c->is_unsigned ? (int64_t)(uint32_t)v : v;
}

static inline int64_t scale_int(const struct convert *c, int64_t v)
{
    int64_t scaled;
    if (c->div > 1)
        return v / c->div - (v % c->div < 0);
    if (__builtin_mul_overflow(v, c->mul, &scaled))
        return v < 0 ? INT64_MIN : INT64_MAX;
    return scaled;
}

#define STORE_INTS(type)                                                                                     \
    for (size_t i = 0; i < n; i++)                                                                           \
    ((type *)out)[i] = (type)scale_int(c, load_int(c, in, i))

static void run_int(const struct convert *c, const void *in, size_t n, void *out)
{
    switch (c->out_width) {
    case 1: STORE_INTS(int8_t); break;
    case 2: STORE_INTS(int16_t); break;
    case 4: STORE_INTS(int32_t); break;
    default: STORE_INTS(int64_t); break;
    }
}

static bool fit(const struct convert *c, i128 v, i128 *out)
{
    i128 limit = decimal_pow10[c->precision], scaled = 0;
    if (v >= limit || v <= -limit || __builtin_mul_overflow(v, c->factor, &scaled) || scaled >= limit ||
        scaled <= -limit) {
        *out = 0;
        return false;
    }
    *out = scaled;
    return true;
}

static bool run_int_dec(const struct convert *c, const void *in, size_t n, i128 *out)
{
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        int64_t v = load_int(c, in, i);
        good &= fit(c, c->is_unsigned && c->in_width == 8 ? (i128)(uint64_t)v : v, &out[i]);
    }
    return good;
}

/* Big-endian two's complement of any length; bytes above the sixteenth must be the sign's. */
static bool be_i128(const struct view *v, i128 *out)
{
    const uint8_t *p = (const uint8_t *)view_bytes(v);
    size_t n = v->size;
    uint8_t sign = n > 0 && p[0] & 0x80 ? 0xFF : 0;
    for (; n > 16; p++, n--)
        if (*p != sign || (n == 17 && (p[1] & 0x80) != (sign & 0x80)))
            return false;
    unsigned __int128 all = sign ? ~(unsigned __int128)0 : 0;
    for (size_t i = 0; i < n; i++)
        all = all << 8 | p[i];
    *out = (i128)all;
    return true;
}

static bool run_bytes_dec(const struct convert *c, const struct view *in, size_t n, i128 *out)
{
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        i128 v = 0;
        good &= be_i128(&in[i], &v);
        good &= fit(c, v, &out[i]);
    }
    return good;
}

static void run_int96(const uint8_t *in, size_t n, int64_t *out)
{
    for (size_t i = 0; i < n; i++, in += 12) {
        int64_t nanos = (int64_t)get_le64(in), day = (int64_t)get_le32(in + 8) - JULIAN_DAY_OF_1970;
        int64_t us = nanos / 1000 - (nanos % 1000 < 0);
        i128 all = (i128)day * us_per_day + us;
        out[i] = all > INT64_MAX ? INT64_MAX : all < INT64_MIN ? INT64_MIN : (int64_t)all;
    }
}

static float half(const struct view *v)
{
    uint16_t h = v->size == 2 ? get_le16(v->inlined) : 0;
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023, bits;
    if (exponent == 31) {
        bits = sign | 0x7F800000 | mantissa << 13;
    } else if (exponent > 0) {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    } else {
        float small = (float)mantissa * 0x1p-24F;
        return sign ? -small : small;
    }
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

static void run_uuid(const struct view *in, size_t n, struct view *out, char *text)
{
    static const uint8_t cuts[] = {4, 2, 2, 2, 6};
    for (size_t i = 0; i < n; i++, text += 36) {
        uint8_t bytes[16] = {0}, *from = bytes;
        char *to = text, part[13];
        memcpy(bytes, view_bytes(&in[i]), in[i].size < 16 ? in[i].size : 16);
        for (unsigned k = 0; k < 5; k++, to++) {
            hex_encode(part, from, cuts[k]);
            memcpy(to, part, 2U * cuts[k]);
            to += 2 * cuts[k];
            from += cuts[k];
            if (k < 4)
                *to = '-';
        }
        out[i] = view_of(text, 36);
    }
}

bool convert_run(const struct convert *c, const void *in, size_t n, void *out, char *text)
{
    switch (c->kind) {
    case CONVERT_NONE: memcpy(out, in, n * c->out_width); break;
    case CONVERT_INT: run_int(c, in, n, out); break;
    case CONVERT_INT_DEC: return run_int_dec(c, in, n, out);
    case CONVERT_BYTES_DEC: return run_bytes_dec(c, in, n, out);
    case CONVERT_INT96: run_int96(in, n, out); break;
    case CONVERT_UUID: run_uuid(in, n, out, text); break;
    case CONVERT_INT_F64:
        for (size_t i = 0; i < n; i++)
            ((double *)out)[i] = ((const int32_t *)in)[i];
        break;
    case CONVERT_F32_F64:
        for (size_t i = 0; i < n; i++)
            ((double *)out)[i] = (double)((const float *)in)[i];
        break;
    case CONVERT_F16:
        for (size_t i = 0; i < n; i++)
            ((float *)out)[i] = half(&((const struct view *)in)[i]);
        break;
    case CONVERT_F16_F64:
        for (size_t i = 0; i < n; i++)
            ((double *)out)[i] = (double)half(&((const struct view *)in)[i]);
        break;
    }
    return true;
}

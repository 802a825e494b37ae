/* Casts: Spark's ANSI matrix, implicit conversions, and the scalar conversions that kernels are built on.
 *
 * The scalar functions say only true or false; value_cast puts a sentence around it, with Spark's error
 * class first, so that a bad record's reason is one that Spark's users know. */
#ifndef TYPE_CAST_H
#define TYPE_CAST_H

#include "type/decimal.h"
#include "type/timestamp.h"
#include "type/type.h"

/* ---- which casts there are ----------------------------------------------------------------------------- */

/* An explicit CAST under ANSI (also try_cast). Nullability inside of nested types is honoured: array<int>
 * nullable → not null is refused. */
bool type_can_cast(const struct type *from, const struct type *to);
/* May the cast fail for a row? false: it is never an error. */
bool type_cast_can_fail(const struct type *from, const struct type *to);
/* INSERT's store assignment (ANSI). */
bool type_can_assign(const struct type *from, const struct type *to);
/* An argument of type `from` where `to` is asked for: promotion to a wider type, a string literal to
 * anything simple, NULL to all. */
bool type_can_promote(const struct type *from, const struct type *to);

/* The tightest type both promote to without strings being converted (UNION, CASE, array(…) among
 * non-strings), or NULL. */
const struct type *type_tightest(struct arena *arena, const struct type *a, const struct type *b);
/* As type_tightest, and a string next to another simple type becomes that type (integers: BIGINT,
 * fractions: DOUBLE), or NULL. */
const struct type *type_common(struct arena *arena, const struct type *a, const struct type *b);

/* ---- one value ----------------------------------------------------------------------------------------- */

/* CAST(in AS to). Texts and items of *out are in arena or borrowed from `in`. zone: the session's; NULL =
 * UTC. NULL gives NULL. ERR_DATA: CAST_INVALID_INPUT, CAST_OVERFLOW, NUMERIC_VALUE_OUT_OF_RANGE,
 * INVALID_INTERVAL_FORMAT …; ERR_CONFIG: there is no such cast. */
bool value_cast(const struct value *in, const struct type *to, const struct timezone_data *zone,
                struct arena *arena, struct value *out, struct err *err);

/* The sentences of value_cast for kernels that work without it: fill err (ERR_DATA), return false. */
bool cast_invalid_input(const struct value *in, const struct type *to, struct err *err);
bool cast_overflow(const struct value *in, const struct type *to, struct err *err);
bool cast_out_of_range(const struct value *in, const struct type *decimal, struct err *err);

/* A SQL literal that reads back as the value, as Spark prints it in messages: 'it''s' is 'it\'s', 5L,
 * 1.5BD, 2.0D, DATE '2024-01-02'. */
void value_to_sql(const struct value *v, struct sbuf *out);
/* JSON text: integers and decimals as exact numbers, NaN and infinities as strings, timestamps as ISO 8601
 * in UTC with microseconds, dates yyyy-MM-dd, binary as base64, intervals as text, maps as objects with
 * their keys' text; NULL is null. */
void value_to_json(const struct value *v, struct sbuf *out);

/* ---- from text ----------------------------------------------------------------------------------------- */

/* White space and control characters around, an optional sign, digits only (no fraction: ANSI). false:
 * malformed or not in [min, max]. */
bool cast_str_to_i64(struct str s, int64_t min, int64_t max, int64_t *out);
/* Decimal numbers with a point and an exponent, Java's d and f suffixes; NaN, Inf, Infinity in any case,
 * signed. Correctly rounded; common decimals without a library call. */
bool cast_str_to_f64(struct str s, double *out);
bool cast_str_to_f32(struct str s, float *out);
/* t true y yes 1, f false n no 0, any case. */
bool cast_str_to_bool(struct str s, bool *out);
/* As Spark trims before a cast: bytes 0 .. 32 and 127 at both ends. */
struct str cast_trim(struct str s);
/* A JSON or SQL number's text (sign, digits, point, exponent; nothing else) to the nearest double; false:
 * malformed. An overflow gives an infinity, as in IEEE. */
bool number_to_f64(struct str s, double *out);
bool number_to_f32(struct str s, float *out);

/* ---- to text ------------------------------------------------------------------------------------------- */

enum { CAST_I64_MAX = 21, CAST_F64_MAX = 26 };
/* Each writes a NUL after the text and returns its length. */
size_t cast_i64_to_str(int64_t v, char *out);
/* Java's Double.toString and Float.toString: shortest digits that read back, "1.0E10", "0.001", "1.0E-4",
 * "NaN", "-Infinity". */
size_t cast_f64_to_str(double v, char *out);
size_t cast_f32_to_str(float v, char *out);
/* The shortest decimal: v = ±digits × 10^exponent, digits without trailing zeros (0 gives 0, 0). v is
 * finite. Returns digits. */
uint64_t f64_shortest(double v, int *exponent);
uint64_t f32_shortest(float v, int *exponent);

/* ---- between numbers ----------------------------------------------------------------------------------- */

/* Towards zero; false: NaN or outside of [min, max]. */
static inline bool cast_f64_to_i64(double v, int64_t min, int64_t max, int64_t *out)
{
    /* The bounds of int64 are not both doubles: compare below 2^63 first. */
    if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0))
        return false;
    int64_t whole = (int64_t)v;
    *out = whole;
    return whole >= min && whole <= max;
}
/* Seconds, with a fraction, to µs; false: NaN or an infinity. Saturates. */
bool cast_f64_to_timestamp(double seconds, int64_t *us);
/* Range of an integer kind BYTE .. LONG. */
static inline int64_t type_int_min(enum type_kind kind)
{
    return kind == TYPE_BYTE    ? INT8_MIN
           : kind == TYPE_SHORT ? INT16_MIN
           : kind == TYPE_INT   ? INT32_MIN
                                : INT64_MIN;
}
static inline int64_t type_int_max(enum type_kind kind)
{
    return kind == TYPE_BYTE    ? INT8_MAX
           : kind == TYPE_SHORT ? INT16_MAX
           : kind == TYPE_INT   ? INT32_MAX
                                : INT64_MAX;
}

#endif

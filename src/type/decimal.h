/* Decimals: an unscaled __int128, |v| < 10^38, with a precision and a scale that its type names: the value
 * is v / 10^scale.
 *
 * Rounding is HALF_UP everywhere (away from zero at the half), as in Spark. Nothing here knows NULL; what
 * does not fit says so, and the caller decides between an error and a NULL. All functions are pure and
 * allocate nothing. */
#ifndef TYPE_DECIMAL_H
#define TYPE_DECIMAL_H

#include "type/type.h"

/* 10^n for n ≤ 38. */
extern const i128 decimal_pow10[DECIMAL_PRECISION_MAX + 1];

/* |v| < 10^precision. */
static inline bool decimal_fits(i128 v, unsigned precision)
{
    i128 limit = decimal_pow10[precision];
    return v < limit && v > -limit;
}
/* Digits of |v|; 1 for 0. */
unsigned decimal_digits(i128 v);

/* ---- types of results ---------------------------------------------------------------------------------- */

struct decimal_shape {
    uint8_t precision, scale;
};
static inline struct decimal_shape decimal_shape_of(const struct type *t)
{
    return (struct decimal_shape){t->precision, t->scale};
}

enum decimal_op { DECIMAL_ADD, DECIMAL_SUB, DECIMAL_MUL, DECIMAL_DIV, DECIMAL_REM };

/* Spark's result type of an operation, cut to 38 digits with loss of scale allowed
 * (decimalOperations.allowPrecisionLoss). */
struct decimal_shape decimal_result(enum decimal_op op, struct decimal_shape a, struct decimal_shape b);
/* The type that both fit: most integer digits and most scale; past 38 digits the scale gives way (UNION,
 * comparison, CASE). */
struct decimal_shape decimal_widest(struct decimal_shape a, struct decimal_shape b);
/* An integer kind as a decimal: (3,0) (5,0) (10,0) (20,0); FLOAT (14,7), DOUBLE (30,15). */
struct decimal_shape decimal_of_kind(enum type_kind kind);
/* precision and scale as computed, cut to 38 digits: whole digits first, but at least min(scale, 6) of
 * scale stay. */
struct decimal_shape decimal_adjust(unsigned precision, unsigned scale);

/* ---- arithmetic ---------------------------------------------------------------------------------------- */
/* Each works on values of any scale and gives one of the shape `out`, rounded; false where it has more
 * digits than out.precision. Intermediate results are exact (256 bits). */

bool decimal_rescale(i128 v, unsigned scale, struct decimal_shape out, i128 *result);
bool decimal_add(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result);
bool decimal_sub(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result);
bool decimal_mul(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result);
/* b is not 0. */
bool decimal_div(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result);
/* The remainder has the sign of a. b is not 0. */
bool decimal_rem(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result);
/* The quotient without its fraction (SQL's div). b is not 0; false where it is no int64. */
bool decimal_int_div(i128 a, unsigned a_scale, i128 b, unsigned b_scale, int64_t *result);

enum decimal_rounding { DECIMAL_HALF_UP, DECIMAL_HALF_EVEN, DECIMAL_FLOOR, DECIMAL_CEILING, DECIMAL_DOWN };
/* v / 10^places, rounded; places ≤ 76. */
i128 decimal_round(i128 v, unsigned places, enum decimal_rounding rounding);

/* −1, 0, 1. */
int decimal_cmp(i128 a, unsigned a_scale, i128 b, unsigned b_scale);

/* ---- text and numbers ---------------------------------------------------------------------------------- */

enum decimal_status { DECIMAL_OK, DECIMAL_MALFORMED, DECIMAL_OVERFLOW };

/* Text as Spark's CAST takes it: white space around, a sign, digits with a point anywhere or none, an
 * exponent. Rounded to shape.scale. */
enum decimal_status decimal_parse(struct str text, struct decimal_shape shape, i128 *result);
/* The text's own digits: "1.50" is 150 of (3,2), "1e3" is 1000 of (4,0). DECIMAL_OVERFLOW: past 38 digits. */
enum decimal_status decimal_parse_exact(struct str text, i128 *result, struct decimal_shape *shape);

enum { DECIMAL_TEXT_MAX = 44 }; /* sign, "0.", 39 digits, NUL */
/* Plain digits, all of the scale ("-0.050"), NUL-terminated; returns the length. out[DECIMAL_TEXT_MAX]. */
size_t decimal_to_text(i128 v, unsigned scale, char *out);

/* Correctly rounded. */
double decimal_to_f64(i128 v, unsigned scale);
/* By the shortest decimal text of the double, as Spark: 0.1 is 0.1. false: NaN, an infinity, or too large. */
bool decimal_from_f64(double d, struct decimal_shape shape, i128 *result);
/* The whole part; false where it is no int64. */
bool decimal_to_i64(i128 v, unsigned scale, int64_t *result);
bool decimal_from_i64(int64_t v, struct decimal_shape shape, i128 *result);

#endif

/* Decimals: an unscaled __int128 with a precision and a scale that its type names. */
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

#endif

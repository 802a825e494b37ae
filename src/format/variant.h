/* VARIANT: a JSON value in binary (the Parquet project's Variant encoding, version 1): metadata, which is
 * the dictionary of all names, and the value. */
#ifndef FORMAT_VARIANT_H
#define FORMAT_VARIANT_H

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    VARIANT_DEPTH_MAX = 256,
    VARIANT_SIZE_MAX = 128 * 1024 * 1024, /* bytes of one value or its metadata, as in Spark */
};

/* One JSON value (strict) as a VARIANT, given to arena. Integers take the fewest bytes, fractions without
 * an exponent are decimals as far as 38 digits go, else doubles, as Spark's parse_json has them. ERR_DATA:
 * not JSON, nested too deeply, too large, a name twice. */
bool variant_from_json(struct arena *arena, struct str json, struct str *metadata, struct str *value,
                       struct err *err);
/* Compact JSON text of a VARIANT, appended. ERR_DATA: damaged bytes. */
bool variant_to_json(struct str metadata, struct str value, struct sbuf *out, struct err *err);

#endif

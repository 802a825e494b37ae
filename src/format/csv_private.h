/* What the files of the CSV format share. */
#ifndef FORMAT_CSV_PRIVATE_H
#define FORMAT_CSV_PRIVATE_H

#include "format/csv.h"
#include "format/json_private.h"

#define EVERY_BYTE(c) (UINT64_C(0x0101010101010101) * (uint8_t)(c))

/* The high bit of each byte of word that is c; bytes behind the first such one may be wrong. */
ALWAYS_INLINE uint64_t csv_bytes_equal(uint64_t word, char c)
{
    uint64_t x = word ^ EVERY_BYTE(c);
    return (x - EVERY_BYTE(1)) & ~x & EVERY_BYTE(0x80);
}

struct csv_field {
    struct str text; /* raw between its separators, or between its quotes */
    bool quoted, escaped;
};

/* The field at *at of a record, and past its separator; *at is SIZE_MAX behind the last one. */
struct csv_field csv_next_field(struct str record, size_t *at, const struct csv_options *options);
/* The field's value; in arena where it has escapes. */
struct str csv_value(const struct csv_field *field, const struct csv_options *options, struct arena *arena);
/* NULL as the options have it. */
ALWAYS_INLINE bool csv_is_null(const struct csv_field *field, struct str null_value)
{
    return !field->quoted && str_eq(field->text, null_value);
}

#endif

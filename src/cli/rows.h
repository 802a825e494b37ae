/* Batches of rows to stdout: as a table, JSON lines, CSV or TSV. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/table.h"

enum rows_format { ROWS_TABLE, ROWS_JSON, ROWS_CSV, ROWS_TSV };

/* "table", "json" …; false: no such format. */
bool rows_format_find(const char *name, enum rows_format *format, struct err *err);

struct rows {
    struct command_env *env;
    enum rows_format format;
    const struct type *schema;
    const struct timezone_data *zone;
    struct pool *pool;
    struct table table;
    struct json_encoder *json;
    struct csv_encoder *csv;
};

bool rows_init(struct rows *r, struct command_env *env, enum rows_format format, const struct type *schema,
               const struct timezone_data *zone, struct err *err);
void rows_batch(struct rows *r, const struct batch *batch);
/* whole: all rows have come (false after an error: no footer). */
void rows_end(struct rows *r, bool whole);

#endif

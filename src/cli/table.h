/* Rows as a table for people, and as CSV or TSV for programs: what `query`, `topic list`, `status` … print.
 *
 * Bounded memory: the first TABLE_SAMPLE rows decide how wide columns are; further rows are printed as they come, cut to that. On a terminal
 * the table is cut to its width: the widest columns give first. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/command.h"

enum {
    TABLE_SAMPLE = 500,    /* rows */
    TABLE_WIDTH_MIN = 6,   /* a column is not cut to less */
    TABLE_WIDTH_MAX = 200, /* characters of a column where stdout is no terminal */
};

struct table_column {
    const char *name;
    bool right; /* numbers */
    int width;
};

struct table {
    struct command_env *env;
    struct arena arena; /* cells of the sample */
    struct table_column *columns;
    uint32_t count;
    struct str **rows; /* rows[kept][count] */
    uint32_t kept;
    bool begun; /* the head is printed */
    uint64_t total;
};

/* columns[count] is copied (names are borrowed). */
void table_init(struct table *t, struct command_env *env, const struct table_column *columns, uint32_t count);
/* cells[count]: p NULL = NULL. Copied. */
void table_row(struct table *t, const struct str *cells);
/* Prints what is kept. footer: "(5 rows)". */
void table_end(struct table *t, bool footer);

/* Terminal columns that a text takes. */
int text_width(struct str text);
/* At most `width` columns of text, with "…" where it was cut; padded to width (0 = not). */
void text_fit(struct sbuf *out, struct str text, int width, bool right, bool pad);

#endif

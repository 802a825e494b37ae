/* Diagnostics: what is wrong with the texts that a user wrote, all of it at once, each with its place, and the printer:
 *
 *     sluice.yaml:12:20: error: unknown key "retain" in topic "users_created"
 *        12 |   users_created: { retain: 7d }
 *           |                    ^~~~~~ did you mean "retention"?
 *
 * Columns and widths are in characters (code points), from 1, everywhere; the printer alone knows how wide a character
 * is on a terminal. */
#ifndef CONF_DIAG_H
#define CONF_DIAG_H

#include "base/err.h"
#include "base/str.h"

enum {
    CONF_DIAGS_MAX = 50, /* kept; further ones are counted only */
    CONF_EXCERPT_MAX =
        110, /* terminal columns of a source line that are shown; a longer line is cut around the place */
};

/* Bytes of a text that must not be shown. */
struct conf_hidden {
    uint32_t offset, end;
    uint32_t count; /* of this and all behind */
    struct conf_hidden *next;
};

/* A text that places point into: sluice.yaml, a .sql file. Lives in the arena it was made in. */
struct conf_file {
    const char *name; /* as errors show it: "sluice.yaml", "created_users.sql" */
    struct str text;  /* as it was read, UTF-8; a leading byte order mark is skipped by the parser */
    const uint32_t *
        lines; /* lines[line_count]: byte offset of each line's start; NULL: there is no text ("--set a.b") */
    uint32_t line_count;
    struct conf_hidden **hidden; /* spans that hold secrets: shown as *** */
};

/* Copies name and text (at most UINT32_MAX - 1 bytes) into the arena and finds its lines. */
const struct conf_file *conf_file_new(struct arena *arena, const char *name, struct str text);
/* The place of width characters at a byte offset (past the end: the end). A file without text gives line 0. */
struct err_place conf_file_place(const struct conf_file *file, size_t offset, int width);
/* Byte offset of a line and column, both from 1; past a line's end: its end. */
size_t conf_file_offset(const struct conf_file *file, int line, int column);
/* Bytes [offset, end) hold a secret: the printer masks them. */
void conf_file_hide(struct arena *arena, const struct conf_file *file, size_t offset, size_t end);

enum conf_severity {
    CONF_ERROR,
    CONF_WARNING,
    CONF_NOTE, /* belongs to the diagnostic before it: "first defined here" */
};

struct conf_diag {
    enum conf_severity severity;
    struct err err;               /* class CONFIG for errors; place.line 0: no place in a text */
    const struct conf_file *file; /* of the place, or NULL */
};

/* Zeroed with an arena = empty and valid. Diagnostics, and the files that they point into, live in the arena. */
struct conf_diags {
    struct arena *arena;
    struct conf_diag *items; /* items[count] in the order they were found */
    uint32_t count;
    uint32_t errors, warnings; /* all of them, those not kept included */
    bool full;                 /* one was not kept: its notes are not kept either */
};

/* Adds a diagnostic at a place in a file (file NULL: none). Returns it, to set a hint with err_hint(&d->err, …); never
 * NULL, but past CONF_DIAGS_MAX it is a spare that is not kept. Valid until the next call. */
struct conf_diag *conf_diag(struct conf_diags *diags, enum conf_severity severity,
                            const struct conf_file *file, struct err_place place, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Adds what a function reported in its *err. file: the text that err's line and column point into, or NULL. */
void conf_diag_err(struct conf_diags *diags, const struct conf_file *file, const struct err *err);

/* The printer. Appends to out; secrets in source lines are masked. Colour: ANSI escapes. */
void conf_diag_print(struct sbuf *out, const struct conf_diag *diag, bool colour);
/* All, by file, line and column, and "… and 12 more errors" where some were not kept. */
void conf_diags_print(struct sbuf *out, const struct conf_diags *diags, bool colour);
/* One error that is no diagnostic (of a query, a command), with the text that its place points into, or NULL. */
void conf_err_print(struct sbuf *out, const struct err *err, const struct conf_file *file, bool colour);

#endif

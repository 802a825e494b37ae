/* Diagnostics and their printer. The printer thinks in three units: bytes of the text, characters (what places count),
 * and columns of a terminal (a CJK character has two, a combining one none, a tab up to four, a masked secret three).
 * It walks a source line twice: once to find the columns of the place and of the whole line, and, when it knows which window
 * of columns to show, once more to put that out. Control characters never reach the terminal. */
#include "conf/diag.h"

#include <stdio.h>
#include <unicode/uchar.h>

#include "base/check.h"
#include "base/utf8.h"

enum {
    TAB_COLUMNS = 4,
    LINE_DIGITS = 5,     /* of a line number, at least */
    CONTEXT_BEFORE = 40, /* columns shown before the place in a cut line */
    CELL_MAX = 8,
    PART_BYTES = 4 * CONF_EXCERPT_MAX, /* before and behind a place, that are looked at */
    HIDDEN_MAX = 1000,                 /* spans of a file; past that nothing of it is shown */
};

#define BOM "\xEF\xBB\xBF"
#define REPLACEMENT "\xEF\xBF\xBD"
#define ELLIPSIS "\xE2\x80\xA6"
#define MASK "***"

/* ---- texts and places ---------------------------------------------------------------------------------------- */

static uint32_t find_lines(struct str text, uint32_t *lines)
{
    uint32_t count = 0;
    if (lines)
        lines[0] = str_starts(text, STR(BOM)) ? 3 : 0;
    count++;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c != '\n' && (c != '\r' || (i + 1 < text.n && text.p[i + 1] == '\n')))
            continue;
        if (lines)
            lines[count] = (uint32_t)i + 1;
        count++;
    }
    return count;
}

const struct conf_file *conf_file_new(struct arena *arena, const char *name, struct str text)
{
    CHECK(text.n < UINT32_MAX);
    struct conf_file *file = arena_new(arena, struct conf_file);
    file->name = arena_strdup(arena, name);
    file->text = str_n(str_dup(arena, text), text.n);
    file->line_count = find_lines(text, NULL);
    uint32_t *lines = arena_array(arena, uint32_t, file->line_count);
    find_lines(text, lines);
    file->lines = lines;
    file->hidden = arena_new(arena, struct conf_hidden *);
    return file;
}

void conf_file_hide(struct arena *arena, const struct conf_file *file, size_t offset, size_t end)
{
    if (file == NULL || file->lines == NULL || offset >= end || end > file->text.n)
        return;
    for (const struct conf_hidden *h = *file->hidden; h; h = h->next)
        if (h->offset <= offset && end <= h->end) /* an alias's, again */
            return;
    struct conf_hidden *span = arena_new(arena, struct conf_hidden), *before = *file->hidden;
    *span = (struct conf_hidden){(uint32_t)offset, (uint32_t)end, before ? before->count + 1 : 1, before};
    if (span->count > HIDDEN_MAX)
        *span = (struct conf_hidden){0, (uint32_t)file->text.n, span->count, NULL};
    *file->hidden = span;
}

/* Index of the line that holds a byte. */
static uint32_t line_of(const struct conf_file *file, size_t offset)
{
    uint32_t low = 0, high = file->line_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (file->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The end of a line, its break not included. */
static size_t line_end(const struct conf_file *file, uint32_t line)
{
    size_t end = line + 1 < file->line_count ? file->lines[line + 1] : file->text.n;
    while (end > file->lines[line] && (file->text.p[end - 1] == '\n' || file->text.p[end - 1] == '\r'))
        end--;
    return end;
}

struct err_place conf_file_place(const struct conf_file *file, size_t offset, int width)
{
    struct err err = {0};
    if (file == NULL)
        return err.place;
    if (file->lines == NULL) {
        err_at(&err, file->name, 0, 0, 0);
        return err.place;
    }
    if (offset > file->text.n)
        offset = file->text.n;
    uint32_t line = line_of(file, offset);
    size_t start = file->lines[line];
    size_t before = offset > start ? utf8_length(file->text.p + start, offset - start) : 0;
    err_at(&err, file->name, (int)line + 1, (int)before + 1, width);
    return err.place;
}

size_t conf_file_offset(const struct conf_file *file, int line, int column)
{
    if (file == NULL || file->lines == NULL || line < 1)
        return 0;
    if ((uint32_t)line > file->line_count)
        return file->text.n;
    size_t start = file->lines[line - 1], end = line_end(file, (uint32_t)line - 1);
    return start + utf8_offset(file->text.p + start, end - start, column > 0 ? (size_t)column - 1 : 0);
}

/* ---- the list ------------------------------------------------------------------------------------------------ */

static struct conf_diag *next_diag(struct conf_diags *diags, enum conf_severity severity)
{
    if (diags->items ==
        NULL) /* the last one is the spare, the one before it keeps a note of the last error */
        diags->items = arena_zarray(diags->arena, struct conf_diag, CONF_DIAGS_MAX + 2);
    diags->errors += severity == CONF_ERROR;
    diags->warnings += severity == CONF_WARNING;
    if (severity != CONF_NOTE && diags->count >= CONF_DIAGS_MAX)
        diags->full = true;
    bool kept = !diags->full && diags->count <= CONF_DIAGS_MAX;
    struct conf_diag *diag = &diags->items[kept ? diags->count++ : CONF_DIAGS_MAX + 1];
    *diag = (struct conf_diag){.severity = severity};
    return diag;
}

/* What stands behind an alias is read, and wrong, as often as the alias is used; it is said once. The slot stays what a caller may set a
 * hint in. */
static void forget_repeated(struct conf_diags *diags, const struct conf_diag *diag)
{
    if (diag != &diags->items[diags->count - 1] || diag->err.place.line == 0)
        return;
    for (const struct conf_diag *d = diags->items; d < diag; d++)
        if (d->severity == diag->severity && d->file == diag->file &&
            strcmp(d->err.text, diag->err.text) == 0 && d->err.place.line == diag->err.place.line &&
            d->err.place.column == diag->err.place.column) {
            diags->count--;
            diags->errors -= diag->severity == CONF_ERROR;
            diags->warnings -= diag->severity == CONF_WARNING;
            return;
        }
}

struct conf_diag *conf_diag(struct conf_diags *diags, enum conf_severity severity,
                            const struct conf_file *file, struct err_place place, const char *format, ...)
{
    struct conf_diag *diag = next_diag(diags, severity);
    va_list args;
    va_start(args, format);
    err_vset(&diag->err, ERR_CONFIG, format, args);
    va_end(args);
    diag->err.place = place;
    diag->file = file;
    forget_repeated(diags, diag);
    return diag;
}

void conf_diag_err(struct conf_diags *diags, const struct conf_file *file, const struct err *err)
{
    struct conf_diag *diag = next_diag(diags, CONF_ERROR);
    diag->err = *err;
    diag->file = file;
    if (file && diag->err.place.file[0] == '\0')
        err_at(&diag->err, file->name, err->place.line, err->place.column, err->place.width);
}

/* ---- the printer --------------------------------------------------------------------------------------------- */

/* What a terminal does not take as it is: control characters, and marks that turn the direction of what follows. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

static int columns_of(uint32_t c)
{
    if (c < 0x300)
        return 1;
    int8_t type = u_charType((UChar32)c);
    if (type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK)
        return 0;
    int width = u_getIntPropertyValue((UChar32)c, UCHAR_EAST_ASIAN_WIDTH);
    return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

/* What is shown for one character of a source line. */
struct cell {
    char text[CELL_MAX];
    int columns;
    size_t size; /* bytes of the character in the source */
};

static const struct conf_hidden *hidden_at(const struct conf_file *file, size_t offset)
{
    for (const struct conf_hidden *span = file->hidden ? *file->hidden : NULL; span; span = span->next)
        if (offset >= span->offset && offset < span->end)
            return span;
    return NULL;
}

static struct cell cell_of(const char *p, size_t n, int column)
{
    struct cell cell = {.text = REPLACEMENT, .columns = 1, .size = 1};
    uint32_t code;
    size_t size = utf8_decode(p, n, &code);
    if (size == 0)
        return cell;
    cell.size = size;
    if (code == '\t') {
        cell.columns = TAB_COLUMNS - column % TAB_COLUMNS;
        snprintf(cell.text, sizeof cell.text, "%*s", cell.columns, "");
    } else if (!is_unsafe(code)) {
        cell.columns = columns_of(code);
        snprintf(cell.text, sizeof cell.text, "%.*s", (int)size, p);
    }
    return cell;
}

static struct cell source_cell(const struct conf_file *file, size_t at, size_t start, size_t end, int column)
{
    struct cell cell = cell_of(file->text.p + at, end - at, column);
    const struct conf_hidden *span = hidden_at(file, at);
    if (span == NULL)
        return cell;
    bool first = at == span->offset || at == start;
    return (struct cell){.text = {first ? '*' : '\0', first ? '*' : '\0', first ? '*' : '\0'},
                         .columns = first ? (int)strlen(MASK) : 0,
                         .size = cell.size};
}

/* A text without what a terminal could take as an order. */
static void put_text(struct sbuf *out, const char *text)
{
    char copy[ERR_TEXT_MAX];
    int wanted = snprintf(copy, sizeof copy, "%s", text);
    err_redact(copy, wanted >= (int)sizeof copy ? ERR_REDACT_CUT : ERR_REDACT_TEXT);
    size_t n = strlen(copy);
    for (size_t i = 0; i < n;) {
        struct cell cell = cell_of(copy + i, n - i, 0);
        sbuf_cstr(out, copy[i] == '\n' || copy[i] == '\t' ? " " : cell.text);
        i += cell.size;
    }
}

static int text_columns(const char *text)
{
    int columns = 0;
    for (size_t i = 0, n = strlen(text); i < n;) {
        struct cell cell = cell_of(text + i, n - i, columns);
        columns += cell.columns;
        i += cell.size;
    }
    return columns;
}

static const char *paint(bool colour, const char *code)
{
    return colour ? code : "";
}

#define BOLD "\x1B[1m"
#define RED "\x1B[1;31m"
#define MAGENTA "\x1B[1;35m"
#define CYAN "\x1B[1;36m"
#define GREEN "\x1B[32m"
#define DIM "\x1B[2m"
#define RESET "\x1B[0m"

static const struct {
    const char *name, *colour;
} severities[] = {
    [CONF_ERROR] = {"error", RED},
    [CONF_WARNING] = {"warning", MAGENTA},
    [CONF_NOTE] = {"note", CYAN},
};

/* The columns of a place in its line: [from, to) of `total`. */
struct span {
    int from, to, total;
};

/* The part of a line that is looked at: all of it, or, of a very long one, what is around the place. */
struct part {
    size_t start, end; /* bytes */
    int first;         /* the place's first character, counted from 1 at start */
    bool cut_left, cut_right;
};

static struct part part_of(const struct conf_file *file, uint32_t line, const struct err_place *place)
{
    struct part part = {file->lines[line], line_end(file, line), place->column, false, false};
    size_t at = conf_file_offset(file, place->line, place->column);
    if (at - part.start > PART_BYTES) {
        size_t start = at - PART_BYTES;
        while (start < at && ((unsigned char)file->text.p[start] & 0xC0) == 0x80)
            start++;
        part.start = start;
        part.first = (int)utf8_length(file->text.p + start, at - start) + 1;
        part.cut_left = true;
    }
    if (part.end - at > PART_BYTES) {
        part.end = at + PART_BYTES;
        while (part.end > at && ((unsigned char)file->text.p[part.end] & 0xC0) == 0x80)
            part.end--;
        part.cut_right = true;
    }
    return part;
}

static struct span measure(const struct conf_file *file, const struct part *part, int width)
{
    struct span span = {-1, -1, 0};
    int first = part->first, last = first + (width > 1 ? width : 1), character = 1;
    for (size_t at = part->start; at < part->end; character++) {
        if (character == first)
            span.from = span.total;
        if (character == last)
            span.to = span.total;
        struct cell cell = source_cell(file, at, part->start, part->end, span.total);
        span.total += cell.columns;
        at += cell.size;
    }
    if (span.from < 0)
        span.from = span.total;
    if (span.to < 0)
        span.to = span.total;
    if (span.to <= span.from)
        span.to = span.from + 1;
    return span;
}

/* Puts columns [low, high) of a line out. */
static void put_window(struct sbuf *out, const struct conf_file *file, size_t start, size_t end, int low,
                       int high)
{
    int column = 0;
    for (size_t at = start; at < end && column < high;) {
        struct cell cell = source_cell(file, at, start, end, column);
        if (column >= low && column + cell.columns <= high)
            sbuf_cstr(out, cell.text);
        else if (column + cell.columns > low) /* half of a wide character */
            sbuf_printf(out, "%*s",
                        (column + cell.columns < high ? column + cell.columns : high) -
                            (column > low ? column : low),
                        "");
        column += cell.columns;
        at += cell.size;
    }
}

static void put_hint(struct sbuf *out, const char *hint, int at, bool colour)
{
    if (hint[0] == '\0')
        return;
    if (at + 1 + text_columns(hint) > CONF_EXCERPT_MAX)
        sbuf_printf(out, "\n%*s |%s", LINE_DIGITS, "", "");
    sbuf_char(out, ' ');
    sbuf_cstr(out, paint(colour, GREEN));
    put_text(out, hint);
    sbuf_cstr(out, paint(colour, RESET));
}

static void put_excerpt(struct sbuf *out, const struct conf_file *file, const struct err *err,
                        const char *caret_colour, bool colour)
{
    uint32_t line = (uint32_t)err->place.line - 1;
    struct part part = part_of(file, line, &err->place);
    struct span span = measure(file, &part, err->place.width);
    int low = 0, high = span.total;
    if (span.total > CONF_EXCERPT_MAX) {
        low = span.from > CONTEXT_BEFORE ? span.from - CONTEXT_BEFORE : 0;
        high = low + CONF_EXCERPT_MAX - 2;
        if (high > span.total) {
            high = span.total;
            low = high - (CONF_EXCERPT_MAX - 2);
        }
    }
    bool left = low > 0 || part.cut_left, right = high < span.total || part.cut_right;
    sbuf_printf(out, "%s%*d |%s ", paint(colour, DIM), LINE_DIGITS, (int)line + 1, paint(colour, RESET));
    sbuf_cstr(out, left ? ELLIPSIS : "");
    put_window(out, file, part.start, part.end, low, high);
    sbuf_cstr(out, right ? ELLIPSIS : "");
    while (out->n > 0 && out->p[out->n - 1] == ' ') /* no blanks at the end of a line */
        out->p[--out->n] = '\0';
    int from = span.from - low + left,
        to = (span.to < high || high == span.total ? span.to : high) - low + left;
    sbuf_printf(out, "\n%s%*s |%s %*s%s^", paint(colour, DIM), LINE_DIGITS, "", paint(colour, RESET), from,
                "", paint(colour, caret_colour));
    for (int i = from + 1; i < to; i++)
        sbuf_char(out, '~');
    sbuf_cstr(out, paint(colour, RESET));
    put_hint(out, err->hint, to, colour);
    sbuf_char(out, '\n');
}

static void put_diag(struct sbuf *out, enum conf_severity severity, const struct err *err,
                     const struct conf_file *file, bool colour)
{
    const struct err_place *place = &err->place;
    sbuf_cstr(out, paint(colour, BOLD));
    if (place->file[0])
        put_text(out, place->file);
    if (place->line > 0)
        sbuf_printf(out, "%s%d", place->file[0] ? ":" : "", place->line);
    if (place->line > 0 && place->column > 0)
        sbuf_printf(out, ":%d", place->column);
    sbuf_printf(out, "%s%s%s:%s ", place->file[0] || place->line > 0 ? ": " : "",
                paint(colour, severities[severity].colour), severities[severity].name, paint(colour, RESET));
    put_text(out, err->text);
    sbuf_char(out, '\n');
    bool has_line = file && file->lines && place->line > 0 && (uint32_t)place->line <= file->line_count;
    if (has_line) {
        put_excerpt(out, file, err, severities[severity].colour, colour);
    } else if (err->hint[0]) {
        sbuf_printf(out, "%*s", LINE_DIGITS + 1, "");
        put_hint(out, err->hint, 0, colour);
        sbuf_char(out, '\n');
    }
}

void conf_diag_print(struct sbuf *out, const struct conf_diag *diag, bool colour)
{
    put_diag(out, diag->severity, &diag->err, diag->file, colour);
}

void conf_err_print(struct sbuf *out, const struct err *err, const struct conf_file *file, bool colour)
{
    put_diag(out, CONF_ERROR, err, file, colour);
}

/* Whether diagnostic a comes after b: files in the order of their first diagnostic, then lines, then columns. */
static bool is_after(const struct conf_diags *diags, const struct conf_diag *a, const struct conf_diag *b)
{
    const struct err_place *x = &a->err.place, *y = &b->err.place;
    if (strcmp(x->file, y->file) != 0) {
        for (uint32_t i = 0; i < diags->count; i++) {
            const char *name = diags->items[i].err.place.file;
            if (strcmp(name, x->file) == 0)
                return false;
            if (strcmp(name, y->file) == 0)
                return true;
        }
    }
    return x->line != y->line ? x->line > y->line : x->column > y->column;
}

void conf_diags_print(struct sbuf *out, const struct conf_diags *diags, bool colour)
{
    const struct conf_diag *order[CONF_DIAGS_MAX + 2];
    uint32_t count = 0, kept_errors = 0;
    for (uint32_t i = 0; i < diags->count; i++) {
        kept_errors += diags->items[i].severity == CONF_ERROR;
        if (diags->items[i].severity == CONF_NOTE && i > 0)
            continue;
        uint32_t at = count++;
        for (; at > 0 && is_after(diags, order[at - 1], &diags->items[i]); at--)
            order[at] = order[at - 1];
        order[at] = &diags->items[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct conf_diag *diag = order[i], *end = diags->items + diags->count;
        do
            conf_diag_print(out, diag++, colour);
        while (diag < end && diag->severity == CONF_NOTE);
    }
    uint32_t more = diags->errors - kept_errors;
    if (more > 0)
        sbuf_printf(out, ELLIPSIS " and %u more error%s\n", more, more == 1 ? "" : "s");
}

/* What is inside one scalar: variables, and the way back from a byte of its text to the place in the file.
 *
 * The way back could be kept as a map while decoding, but libyaml decodes, and tells nobody how. It need not: whatever the style,
 * decoding changes white space (folding, indentation) and escapes, and nothing else, so that the characters that are not
 * white space come in the same order in both texts. Walking both in step finds the place. Where they do not agree,
 * which no text that was parsed should show, the answer is the beginning of the scalar. */
#include <stdio.h>

#include "base/check.h"
#include "base/utf8.h"
#include "conf/node_private.h"

/* ---- from a text to the file --------------------------------------------------------------------------------- */

/* Walks the file's form of a scalar. */
struct raw {
    const char *p;
    size_t at, end;
    enum conf_style style;
    char bytes[4]; /* decoded by an escape, not yet used */
    size_t byte_count, byte_at;
    size_t token; /* where the byte that was last given stands */
};

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t line_break(const struct raw *raw)
{
    size_t at = raw->at;
    while (at < raw->end && raw->p[at] != '\n' && raw->p[at] != '\r')
        at++;
    return at;
}

static struct raw raw_of(const struct conf_node *node)
{
    struct raw raw = {.p = node->file->text.p, .at = node->offset, .end = node->end, .style = node->style};
    if (node->style == CONF_SINGLE || node->style == CONF_DOUBLE) {
        raw.at += raw.at < raw.end;
        raw.end -= raw.end > raw.at;
    } else if (node->style != CONF_PLAIN) {
        raw.at = line_break(&raw); /* behind "|" and its indicators */
    }
    return raw;
}

static unsigned hex_digits(const struct raw *raw, size_t from, size_t count)
{
    unsigned value = 0;
    for (size_t i = from; i < from + count && i < raw->end; i++) {
        char c = raw->p[i];
        value = value << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return value;
}

/* An escape of a double-quoted scalar at raw->at: sets its bytes (none for white space), and steps over it. */
static void take_escape(struct raw *raw)
{
    static const struct {
        char letter;
        uint8_t digits;
        uint16_t code;
    } escapes[] = {{'0', 0, 0},      {'a', 0, 7},    {'b', 0, 8},    {'v', 0, 11},
                   {'f', 0, 12},     {'e', 0, 27},   {'"', 0, '"'},  {'/', 0, '/'},
                   {'\\', 0, '\\'},  {'N', 0, 0x85}, {'_', 0, 0xA0}, {'L', 0, 0x2028},
                   {'P', 0, 0x2029}, {'x', 2, 0},    {'u', 4, 0},    {'U', 8, 0}};
    char letter = raw->at + 1 < raw->end ? raw->p[raw->at + 1] : ' ';
    size_t digits = 0;
    raw->byte_count = raw->byte_at = 0;
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        if (escapes[i].letter != letter)
            continue;
        digits = escapes[i].digits;
        uint32_t code = digits ? hex_digits(raw, raw->at + 2, digits) : escapes[i].code;
        if (code < 0x110000 && (code < 0xD800 || code > 0xDFFF))
            raw->byte_count = utf8_encode(code, raw->bytes);
        if (raw->byte_count == 1 && is_white(raw->bytes[0]))
            raw->byte_count = 0;
    }
    raw->token = raw->at;
    raw->at += 2 + digits;
    if (raw->at > raw->end)
        raw->at = raw->end;
}

/* The next byte that is not white space, or −1 at the end. */
static int next_byte(struct raw *raw)
{
    while (raw->byte_at == raw->byte_count) {
        if (raw->at >= raw->end)
            return -1;
        char c = raw->p[raw->at];
        if (is_white(c)) {
            raw->at++;
        } else if (c == '\\' && raw->style == CONF_DOUBLE) {
            take_escape(raw);
        } else {
            raw->bytes[0] = c;
            raw->byte_count = 1;
            raw->byte_at = 0;
            raw->token = raw->at;
            raw->at += c == '\'' && raw->style == CONF_SINGLE ? 2 : 1;
        }
    }
    return (unsigned char)raw->bytes[raw->byte_at++];
}

uint32_t conf_raw_offset(const struct conf_node *node, size_t offset)
{
    struct str text = node->variable_count ? node->original : node->text;
    if (node->file == NULL || node->file->lines == NULL || node->kind != CONF_SCALAR)
        return node->offset;
    struct raw raw = raw_of(node);
    size_t white = 0; /* in the text, since the last byte that is not */
    for (size_t i = 0; i < offset && i < text.n; i++) {
        white = is_white(text.p[i]) ? white + 1 : 0;
        if (white == 0 && next_byte(&raw) != (unsigned char)text.p[i])
            return node->offset;
    }
    size_t blanks = 0; /* from here to a byte that is not white: their place is counted back from its */
    while (offset + blanks < text.n && text.p[offset + blanks] == ' ')
        blanks++;
    struct raw ahead = raw;
    if (offset + blanks < text.n && !is_white(text.p[offset + blanks])) {
        if (next_byte(&ahead) != (unsigned char)text.p[offset + blanks])
            return node->offset;
        if (ahead.token >= blanks + raw.at)
            return (uint32_t)(ahead.token - blanks);
    }
    while (white > 0 && raw.at < raw.end && raw.p[raw.at] == ' ') {
        raw.at++;
        white--;
    }
    return (uint32_t)raw.at;
}

struct err_place conf_place_in(const struct conf_node *node, size_t offset, int width)
{
    struct err_place nowhere = {0};
    if (node == NULL)
        return nowhere;
    size_t from = offset;
    for (uint32_t i = 0; i < node->variable_count; i++) {
        const struct conf_variable *v = &node->variables[i];
        if (offset < v->to)
            break;
        if (offset < v->to + v->to_size) {
            from = v->from;
            width = (int)utf8_length(node->original.p + v->from, v->from_size);
            break;
        }
        from = offset - (v->to + v->to_size) + v->from + v->from_size;
    }
    return conf_file_place(node->file, conf_raw_offset(node, from), width);
}

struct conf_diag *conf_say_in(struct conf_diags *diags, enum conf_severity severity,
                              const struct conf_node *node, size_t offset, int width, const char *format, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct err_place place = {0};
    if (!diags->full) /* finding a place walks over the text; nobody sees those that are not kept */
        place = conf_place_in(node, offset, width);
    return conf_diag(diags, severity, node->file, place, "%s", text);
}

void conf_err_in(const struct conf_node *node, struct err *err)
{
    if (node == NULL || err == NULL)
        return;
    if (err->place.line < 1 || node->kind != CONF_SCALAR) {
        err->place = conf_place(node);
        return;
    }
    struct str text = node->text;
    size_t at = 0;
    for (int line = 1; line < err->place.line; line++) {
        size_t next = str_find(text, STR("\n"), at);
        if (next == SIZE_MAX)
            break;
        at = next + 1;
    }
    int column = err->place.column > 0 ? err->place.column : 1;
    at += utf8_offset(text.p + at, text.n - at, (size_t)column - 1);
    err->place = conf_place_in(node, at, err->place.width);
}

/* ---- variables ----------------------------------------------------------------------------------------------- */

struct expander {
    struct conf_node *node; /* its text is still what the file says */
    const struct conf_env *env;
    struct conf_diags *diags;
    struct sbuf out;
    struct conf_variable *variables; /* heap */
    size_t count, capacity;
    bool failed;
};

static struct conf_diag *complain(struct expander *e, size_t from, size_t end, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static struct conf_diag *complain(struct expander *e, size_t from, size_t end, const char *format, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    e->failed = true;
    int width = (int)utf8_length(e->node->text.p + from, end - from);
    return conf_say_in(e->diags, CONF_ERROR, e->node, from, width, "%s", text);
}

/* Behind the } that closes the ${ at `from`, or SIZE_MAX. */
static size_t find_close(struct str text, size_t from, size_t end)
{
    unsigned depth = 0;
    for (size_t i = from; i < end; i++) {
        if (text.p[i] == '$' && i + 2 < end && text.p[i + 1] == '$' && text.p[i + 2] == '{') {
            i += 2;
        } else if (text.p[i] == '$' && i + 1 < end && text.p[i + 1] == '{') {
            depth++;
            i++;
        } else if (text.p[i] == '}' && depth > 0 && --depth == 0) {
            return i + 1;
        }
    }
    return SIZE_MAX;
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* Bytes of the variable that begins at `from` with "${", or 0 where none does that is whole in its line. */
static size_t variable_size(struct str text, size_t from)
{
    size_t end = from, at = from + 2;
    while (end < text.n && end - from < CONF_VARIABLE_SIZE_MAX && text.p[end] != '\n' && text.p[end] != '\r')
        end++;
    while (at < end && is_name_char(text.p[at], at == from + 2))
        at++;
    if (at == from + 2 || at == end || (text.p[at] != '}' && text.p[at] != ':'))
        return 0;
    size_t close = find_close(text, from, end);
    return close == SIZE_MAX ? 0 : close - from;
}

bool conf_cover_braces(struct str text, struct sbuf *out)
{
    size_t plain = 0;
    for (size_t at; (at = str_find(text, STR("${"), plain)) != SIZE_MAX;) {
        size_t size = variable_size(text, at);
        sbuf_add(out, text.p + plain, at + 1 - plain);
        for (size_t i = at + 1; i < at + size; i++) {
            if (text.p[i] == '{')
                sbuf_cstr(out, CONF_OPEN_BRACE);
            else if (text.p[i] == '}')
                sbuf_cstr(out, CONF_CLOSE_BRACE);
            else
                sbuf_char(out, text.p[i]);
        }
        plain = at + (size ? size : 1);
    }
    if (out->n > 0)
        sbuf_add(out, text.p + plain, text.n - plain);
    return out->n > 0;
}

size_t conf_uncover_braces(char *text, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++, to++) {
        bool open = n - i >= 3 && memcmp(text + i, CONF_OPEN_BRACE, 3) == 0;
        bool close = n - i >= 3 && memcmp(text + i, CONF_CLOSE_BRACE, 3) == 0;
        text[to] = open ? '{' : close ? '}' : text[i];
        i += open || close ? 2 : 0;
    }
    text[to] = '\0';
    return to;
}

static void expand(struct expander *e, size_t from, size_t end, unsigned depth);

/* ${…} at [from, end), braces included. */
static void expand_variable(struct expander *e, size_t from, size_t end, unsigned depth)
{
    struct str text = e->node->text;
    size_t at = from + 2;
    char name[CONF_VARIABLE_NAME_MAX];
    while (at < end - 1 && is_name_char(text.p[at], at == from + 2))
        at++;
    size_t size = at - from - 2;
    bool has_default = at + 2 < end && text.p[at] == ':' && text.p[at + 1] == '-';
    if (size == 0 || size >= sizeof name || (at != end - 1 && !has_default)) {
        struct conf_diag *diag = complain(e, from, end, "\"%.*s\" is no variable", (int)(end - from),
                                          text.p + from);
        err_hint(&diag->err, "Write ${NAME} or ${NAME:-default}, or $${ for the characters \"${\".");
        return;
    }
    memcpy(name, text.p + from + 2, size);
    name[size] = '\0';
    const char *value = e->env->get(e->env->arg, name);
    if (value && !utf8_valid(value, strlen(value)))
        complain(e, from, end, "the value of the variable \"%s\" is not valid UTF-8", name);
    else if (value && (value[0] || !has_default))
        sbuf_cstr(&e->out, value);
    else if (has_default && depth < CONF_VARIABLE_DEPTH_MAX)
        expand(e, at + 2, end - 1, depth + 1);
    else if (has_default)
        complain(e, from, end, "variables are nested more than %d deep", CONF_VARIABLE_DEPTH_MAX);
    else
        err_hint(&complain(e, from, end, "the variable \"%s\" is not set", name)->err,
                 "Set it, or write ${%s:-default}.", name);
}

static void record(struct expander *e, size_t from, size_t end, size_t to)
{
    e->variables = mem_grow(e->variables, &e->capacity, e->count + 1, sizeof *e->variables);
    e->variables[e->count++] = (struct conf_variable){.from = (uint32_t)from,
                                                      .from_size = (uint32_t)(end - from),
                                                      .to = (uint32_t)to,
                                                      .to_size = (uint32_t)(e->out.n - to)};
}

/* Appends text[from, end) with its variables replaced. Recursion: through defaults, at most CONF_VARIABLE_DEPTH_MAX. */
static void expand(struct expander *e, size_t from, size_t end, unsigned depth)
{
    struct str text = e->node->text;
    size_t plain = from; /* from here on nothing has been put out */
    for (size_t i = from; i < end && !e->failed;) {
        size_t dollar = str_find(str_n(text.p, end), STR("${"), i);
        if (dollar == SIZE_MAX)
            break;
        bool escaped = dollar > plain && text.p[dollar - 1] == '$';
        size_t start = dollar - escaped, to, close = escaped ? dollar + 2 : find_close(text, dollar, end);
        sbuf_add(&e->out, text.p + plain, start - plain);
        to = e->out.n;
        if (close == SIZE_MAX) {
            err_hint(&complain(e, dollar, dollar + 2, "\"${\" without \"}\"")->err,
                     "Write $${ for the characters \"${\".");
            return;
        }
        if (escaped)
            sbuf_cstr(&e->out, "${");
        else
            expand_variable(e, start, close, depth);
        if (depth == 0)
            record(e, start, close, to);
        if (e->out.n > CONF_TEXT_MAX)
            complain(e, start, close, "with its variables, this text is longer than %d MiB",
                     CONF_TEXT_MAX / 1024 / 1024);
        plain = i = close;
    }
    sbuf_add(&e->out, text.p + plain, end - plain);
}

void conf_replace_variables(struct arena *arena, struct conf_node *node, const struct conf_env *env,
                            struct conf_diags *diags)
{
    struct expander e = {.node = node, .env = env, .diags = diags};
    expand(&e, 0, node->text.n, 0);
    if (e.failed) {
        node->is_broken = true;
    } else {
        node->original = node->text;
        node->text = str_n(str_dup(arena, sbuf_view(&e.out)), e.out.n);
        node->variables = arena_dup(arena, e.variables, e.count * sizeof *e.variables);
        node->variable_count = (uint32_t)e.count;
    }
    sbuf_fini(&e.out);
    mem_free(e.variables);
}

/* ---- secrets in a text that could not be read ---------------------------------------------------------------- */

static bool ends_with_word(struct str text, const char *word)
{
    size_t n = strlen(word);
    return text.n >= n && str_eq_nocase(str_n(text.p + text.n - n, n), str_of(word));
}

void conf_hide_likely_secrets(struct arena *arena, const struct conf_file *file, size_t offset)
{
    static const char *const words[] = {"password",    "passwd",      "secret",       "token",
                                        "api_key",     "apikey",      "key_id",       "access_key",
                                        "private_key", "credentials", "authorization"};
    if (file == NULL || file->lines == NULL)
        return;
    struct str text = file->text;
    size_t start = offset < text.n ? offset : text.n, end = start;
    while (start > 0 && text.p[start - 1] != '\n' && text.p[start - 1] != '\r')
        start--;
    while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r')
        end++;
    for (size_t at = start; at < end; at++) {
        if (text.p[at] != ':')
            continue;
        struct str before = str_trim(str_n(text.p + start, at - start));
        while (before.n > 0 && (before.p[before.n - 1] == '"' || before.p[before.n - 1] == '\''))
            before.n--;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (ends_with_word(before, words[i])) {
                conf_file_hide(arena, file, at + 1, end);
                return;
            }
    }
}

const char *conf_bytes_text(uint64_t bytes, char *out)
{
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    if (bytes < 1024) {
        snprintf(out, CONF_SIZE_TEXT_MAX, "%u byte%s", (unsigned)bytes, bytes == 1 ? "" : "s");
        return out;
    }
    double value = (double)bytes / 1024;
    int unit = 0;
    for (; value >= 1024 && unit < 2; unit++)
        value /= 1024;
    snprintf(out, CONF_SIZE_TEXT_MAX, value == (double)(uint64_t)value ? "%.0f %s" : "%.1f %s", value,
             units[unit]);
    return out;
}

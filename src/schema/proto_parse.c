/* A .proto text to its tree: proto2, proto3 and editions, as protoc's grammar has them; where Wire, which Confluent's registry
 * parses with, differs, it is followed in what it accepts and what it forgets (comments, the order of members of different kinds).
 *
 * Recursive descent over the bytes, one function a construct. Names are resolved later (proto_resolve.c). */
#include <stdlib.h>

#include "base/utf8.h"
#include "schema/proto_private.h"
#include "schema/text.h"

struct parse {
    struct arena *arena;
    struct str text;
    const char *file_name;
    size_t at;
    uint32_t depth;
    struct proto_file *file;
    struct err *err;
};

static bool fail(struct parse *p, size_t at, const char *what)
{
    return text_fail(p->err, p->text, p->file_name, at, "%s", what);
}

/* ---- words -------------------------------------------------------------------------------------------------------------- */

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '+';
}

/* Past blanks and comments. */
static void skip(struct parse *p)
{
    const char *t = p->text.p;
    size_t n = p->text.n;
    while (p->at < n) {
        char c = t[p->at];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
            p->at++;
        } else if (c == '/' && p->at + 1 < n && t[p->at + 1] == '/') {
            const char *end = memchr(t + p->at, '\n', n - p->at);
            p->at = end ? (size_t)(end - t) : n;
        } else if (c == '/' && p->at + 1 < n && t[p->at + 1] == '*') {
            size_t end = str_find(p->text, STR("*/"), p->at + 2);
            p->at = end == SIZE_MAX ? n : end + 2;
        } else {
            return;
        }
    }
}

/* The character that comes next, or 0 at the end. */
static char peek(struct parse *p)
{
    skip(p);
    return p->at < p->text.n ? p->text.p[p->at] : '\0';
}

static bool accept(struct parse *p, char c)
{
    if (peek(p) != c || c == '\0')
        return false;
    p->at++;
    return true;
}

static bool expect(struct parse *p, char c)
{
    return accept(p, c) ||
           text_fail(p->err, p->text, p->file_name, p->at,
                     p->at < p->text.n ? "a \"%c\" is expected" : "the text ends where a \"%c\" is expected",
                     c);
}

static bool take_word(struct parse *p, struct str *word)
{
    skip(p);
    size_t start = p->at;
    while (p->at < p->text.n && is_word_char(p->text.p[p->at]))
        p->at++;
    *word = str_n(p->text.p + start, p->at - start);
    return word->n > 0 ||
           fail(p, start, start < p->text.n ? "a name is expected" : "the text ends too early");
}

/* The word that comes next, without taking it; it may be empty. */
static struct str peek_word(struct parse *p)
{
    skip(p);
    size_t end = p->at;
    while (end < p->text.n && is_word_char(p->text.p[end]))
        end++;
    return str_n(p->text.p + p->at, end - p->at);
}

static bool accept_word(struct parse *p, const char *word)
{
    struct str next = peek_word(p);
    if (!str_is(next, word))
        return false;
    p->at += next.n;
    return true;
}

/* [A-Za-z_][A-Za-z0-9_]*, dotted: parts of it, perhaps behind a dot. */
static bool is_identifier(struct str word, bool dotted)
{
    bool start = true;
    if (dotted && word.n > 0 && word.p[0] == '.')
        word = str_n(word.p + 1, word.n - 1);
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (c == '-' || c == '+' || (c == '.' && (start || !dotted)) || (start && c >= '0' && c <= '9'))
            return false;
        start = c == '.';
    }
    return word.n > 0 && !start;
}

static bool take_identifier(struct parse *p, bool dotted, struct str *name)
{
    TRY(take_word(p, name));
    return is_identifier(*name, dotted) ||
           text_fail(p->err, p->text, p->file_name, p->at - name->n, "\"%.*s\" is no name", STR_ARG(*name));
}

static bool parse_integer(struct str word, int64_t *value)
{
    bool negative = word.n > 0 && word.p[0] == '-';
    struct str digits = negative ? str_n(word.p + 1, word.n - 1) : word;
    uint64_t number = 0;
    unsigned base = digits.n > 2 && digits.p[0] == '0' && (digits.p[1] | 0x20) == 'x' ? 16 : 10;
    size_t i = base == 16 ? 2 : 0;
    if (i == digits.n)
        return false;
    for (; i < digits.n; i++) {
        char c = digits.p[i];
        unsigned digit = c >= '0' && c <= '9'                     ? (unsigned)(c - '0')
                         : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (unsigned)((c | 0x20) - 'a' + 10)
                                                                  : 99;
        if (digit >= base || number > UINT32_MAX)
            return false;
        number = number * base + digit;
    }
    *value = negative ? -(int64_t)number : (int64_t)number;
    return number <= (uint64_t)INT32_MAX + negative;
}

static bool take_integer(struct parse *p, int64_t *value)
{
    struct str word;
    TRY(take_word(p, &word));
    return parse_integer(word, value) || text_fail(p->err, p->text, p->file_name, p->at - word.n,
                                                   "\"%.*s\" is no integer of 32 bits", STR_ARG(word));
}

static bool take_tag(struct parse *p, int32_t *tag)
{
    int64_t value;
    size_t at;
    TRY(expect(p, '='));
    skip(p);
    at = p->at;
    TRY(take_integer(p, &value));
    if (value < 1 || value > PROTO_TAG_MAX)
        return fail(p, at, "a field's number must be from 1 to 536870911");
    *tag = (int32_t)value;
    return true;
}

/* ---- strings ------------------------------------------------------------------------------------------------------------ */

/* Up to `most` digits of a base; the value. */
static uint32_t take_digits(struct parse *p, unsigned base, unsigned most)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < most && p->at < p->text.n; i++) {
        char c = p->text.p[p->at];
        unsigned digit = c >= '0' && c <= '9'                     ? (unsigned)(c - '0')
                         : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (unsigned)((c | 0x20) - 'a' + 10)
                                                                  : 99;
        if (digit >= base)
            break;
        value = value * base + digit;
        p->at++;
    }
    return value;
}

/* What follows a backslash. */
static bool take_escape(struct parse *p, struct sbuf *out)
{
    static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    uint32_t code;
    char c = p->text.p[p->at++], utf8[4];
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;
    if (letter != NULL) {
        sbuf_char(out, values[letter - letters]);
        return true;
    }
    if (c == 'x' || c == 'X' || c == 'u' || c == 'U') {
        code = take_digits(p, 16, c == 'u' ? 4 : c == 'U' ? 8 : 2);
    } else if (c >= '0' && c <= '7') {
        p->at--;
        code = take_digits(p, 8, 3);
    } else {
        sbuf_char(out, c);
        return true;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return fail(p, p->at, "an escape is no character");
    sbuf_add(out, utf8, utf8_encode(code, utf8));
    return true;
}

static bool take_quoted(struct parse *p, struct sbuf *out)
{
    char quote = p->text.p[p->at++];
    while (p->at < p->text.n) {
        char c = p->text.p[p->at++];
        if (c == quote)
            return true;
        if (c == '\n')
            return fail(p, p->at - 1, "a line ends in a text");
        if (c != '\\')
            sbuf_char(out, c);
        else if (p->at < p->text.n)
            TRY(take_escape(p, out));
    }
    return fail(p, p->at, "a text is not closed");
}

/* One text, or several in a row, which are one. */
static bool take_string(struct parse *p, struct str *text)
{
    struct sbuf out = {0};
    bool ok = true;
    char c = peek(p);
    if (c != '"' && c != '\'')
        return fail(p, p->at, "a text in quotes is expected");
    for (; ok && (c == '"' || c == '\''); c = peek(p))
        ok = take_quoted(p, &out);
    *text = text_take(p->arena, &out);
    sbuf_fini(&out);
    return ok;
}

/* ---- options ------------------------------------------------------------------------------------------------------------ */

static bool take_value(struct parse *p, struct proto_option *value);

/* The value of an item of a message, merged with what has the name already: a list of both, as Wire has it. */
static bool add_item(struct parse *p, struct proto_option *map, struct proto_option *item)
{
    if (map->items.count == PROTO_OPTIONS_MAX)
        return fail(p, p->at, "an option has too many values");
    PROTO_EACH(proto_option, before, &map->items)
    {
        if (!str_eq(before->name, item->name))
            continue;
        if (before->kind != PROTO_VALUE_LIST) {
            struct proto_option *first = arena_dup(p->arena, before, sizeof *before);
            first->next = NULL;
            first->name = str_n(NULL, 0);
            before->kind = PROTO_VALUE_LIST;
            memset(&before->items, 0, sizeof before->items);
            PROTO_ADD(&before->items, first);
        }
        item->name = str_n(NULL, 0);
        if (item->kind == PROTO_VALUE_LIST)
            PROTO_EACH(proto_option, each, &item->items)
            {
                struct proto_option *copy = arena_dup(p->arena, each, sizeof *each);
                copy->next = NULL;
                PROTO_ADD(&before->items, copy);
            }
        else
            PROTO_ADD(&before->items, item);
        return before->items.count <= PROTO_OPTIONS_MAX || fail(p, p->at, "an option has too many values");
    }
    PROTO_ADD(&map->items, item);
    return true;
}

static bool take_map(struct parse *p, struct proto_option *map, char close)
{
    map->kind = PROTO_VALUE_MAP;
    while (!accept(p, close)) {
        struct proto_option *item = arena_new(p->arena, struct proto_option);
        if (accept(p, '[')) {
            size_t from = p->at;
            while (p->at < p->text.n && p->text.p[p->at] != ']')
                p->at++;
            item->name = str_trim(str_n(p->text.p + from, p->at - from));
            TRY(expect(p, ']'));
            item->name = str_of(arena_printf(p->arena, "[%.*s]", STR_ARG(item->name)));
        } else {
            TRY(take_word(p, &item->name));
        }
        if (!accept(p, ':') && peek(p) != '{' && peek(p) != '<')
            return fail(p, p->at, "a colon is expected");
        TRY(take_value(p, item));
        TRY(add_item(p, map, item));
        if (!accept(p, ','))
            accept(p, ';');
    }
    return true;
}

static bool take_list(struct parse *p, struct proto_option *list)
{
    list->kind = PROTO_VALUE_LIST;
    while (!accept(p, ']')) {
        struct proto_option *item = arena_new(p->arena, struct proto_option);
        TRY(take_value(p, item));
        PROTO_ADD(&list->items, item);
        if (list->items.count > PROTO_OPTIONS_MAX)
            return fail(p, p->at, "an option has too many values");
        if (!accept(p, ',') && peek(p) != ']')
            return fail(p, p->at, "a comma or ] is expected");
    }
    return true;
}

static bool take_scalar(struct parse *p, struct proto_option *value)
{
    TRY(take_word(p, &value->text));
    char c = value->text.p[0];
    if (value->text.n == 1 && (c == '-' || c == '+')) { /* - 5 */
        struct str rest;
        TRY(take_word(p, &rest));
        value->text = str_of(arena_printf(p->arena, "%c%.*s", c, STR_ARG(rest)));
    }
    if (str_is(value->text, "true") || str_is(value->text, "false"))
        value->kind = PROTO_VALUE_BOOLEAN;
    else
        value->kind = (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' ? PROTO_VALUE_NUMBER
                                                                                 : PROTO_VALUE_ENUM;
    return true;
}

static bool take_value(struct parse *p, struct proto_option *value)
{
    char c = peek(p);
    bool ok;
    if (p->depth == PROTO_DEPTH_MAX)
        return fail(p, p->at, "values are nested too deeply");
    p->depth++;
    if (c == '"' || c == '\'')
        ok = take_string(p, &value->text); /* kind: STRING, which is 0 */
    else if (accept(p, '{'))
        ok = take_map(p, value, '}');
    else if (accept(p, '<'))
        ok = take_map(p, value, '>');
    else if (accept(p, '['))
        ok = take_list(p, value);
    else
        ok = take_scalar(p, value);
    p->depth--;
    return ok;
}

/* The innermost of the parts that ".c.d" behind a name adds. */
static struct proto_option *add_parts(struct parse *p, struct proto_option *option, struct str path)
{
    while (path.n > 0) {
        size_t dot = str_find(path, STR("."), 0), n = dot == SIZE_MAX ? path.n : dot;
        struct proto_option *part = arena_new(p->arena, struct proto_option);
        part->name = str_n(path.p, n);
        option->kind = PROTO_VALUE_PART;
        PROTO_ADD(&option->items, part);
        option = part;
        path = dot == SIZE_MAX ? str_n(NULL, 0) : str_n(path.p + n + 1, path.n - n - 1);
    }
    return option;
}

/* (a.b).c.d = 1: an option (a.b) whose value is the part c, whose value is the part d. */
static bool take_option(struct parse *p, struct proto_options *options)
{
    struct proto_option *option = arena_new(p->arena, struct proto_option);
    struct str path = {0};
    option->is_extension = accept(p, '(');
    TRY(take_identifier(p, true, &option->name));
    if (option->is_extension) {
        TRY(expect(p, ')'));
        if (accept(p, '.'))
            TRY(take_identifier(p, true, &path));
    }
    TRY(expect(p, '='));
    if (path.n > 2 * PROTO_DEPTH_MAX)
        return fail(p, p->at, "the name of an option is too long");
    TRY(take_value(p, add_parts(p, option, path)));
    PROTO_ADD(options, option);
    return options->count <= PROTO_OPTIONS_MAX || fail(p, p->at, "there are too many options");
}

static bool take_option_statement(struct parse *p, struct proto_options *options)
{
    return take_option(p, options) && expect(p, ';');
}

/* [a = 1, (b) = 2], if it stands here. */
static bool take_options(struct parse *p, struct proto_options *options)
{
    if (!accept(p, '['))
        return true;
    while (!accept(p, ']')) {
        TRY(take_option(p, options));
        if (!accept(p, ',') && peek(p) != ']')
            return fail(p, p->at, "a comma or ] is expected");
    }
    return true;
}

/* ---- fields ------------------------------------------------------------------------------------------------------------- */

static bool parse_message_body(struct parse *p, struct proto_message *message);

static enum proto_label take_label(struct parse *p)
{
    static const char *const names[] = {"optional", "required", "repeated"};
    struct str word = peek_word(p);
    for (int i = 0; i < 3; i++)
        if (str_is(word, names[i])) {
            size_t before = p->at;
            p->at += word.n;
            if (peek_word(p).n > 0)
                return (enum proto_label)(i + 1);
            p->at = before; /* a type of that name */
        }
    return PROTO_NO_LABEL;
}

static bool take_type(struct parse *p, struct proto_field *field)
{
    TRY(take_identifier(p, true, &field->type.text));
    if (!str_is(field->type.text, "map") || peek(p) != '<')
        return true;
    p->at++;
    field->is_map = true;
    TRY(take_identifier(p, true, &field->key.text));
    TRY(expect(p, ','));
    TRY(take_identifier(p, true, &field->value.text));
    TRY(expect(p, '>'));
    field->type.text = str_of(
        arena_printf(p->arena, "map<%.*s, %.*s>", STR_ARG(field->key.text), STR_ARG(field->value.text)));
    return true;
}

/* default and json_name are no options. */
static void take_special(struct proto_field *field)
{
    struct proto_options all = field->options;
    memset(&field->options, 0, sizeof field->options);
    for (struct proto_option *option = all.first, *next; option != NULL; option = next) {
        next = option->next;
        option->next = NULL;
        if (!option->is_extension && str_is(option->name, "default") && option->kind < PROTO_VALUE_MAP) {
            field->default_text = option->text;
            field->default_quoted = option->kind == PROTO_VALUE_STRING;
        } else if (!option->is_extension && str_is(option->name, "json_name") &&
                   option->kind == PROTO_VALUE_STRING) {
            field->json_name = option->text;
        } else {
            PROTO_ADD(&field->options, option);
        }
    }
}

static bool parse_group(struct parse *p, enum proto_label label, struct proto_messages *groups)
{
    struct proto_message *group = arena_new(p->arena, struct proto_message);
    TRY(take_identifier(p, false, &group->name));
    TRY(take_tag(p, &group->tag));
    TRY(take_options(p, &group->options));
    group->label = label;
    group->file = p->file;
    PROTO_ADD(groups, group);
    return parse_message_body(p, group);
}

/* A field, or a group (where it is one: "group" and a name that begins in upper case). */
static bool parse_field(struct parse *p, struct proto_fields *fields, struct proto_messages *groups,
                        const struct proto_oneof *oneof)
{
    skip(p);
    size_t at = p->at;
    enum proto_label label = take_label(p);
    if (accept_word(p, "group"))
        return parse_group(p, label, groups);
    struct proto_field *field = arena_new(p->arena, struct proto_field);
    field->label = label;
    field->oneof = oneof;
    field->at = at;
    TRY(take_type(p, field));
    TRY(take_identifier(p, false, &field->name));
    TRY(take_tag(p, &field->tag));
    TRY(take_options(p, &field->options));
    TRY(expect(p, ';'));
    if (oneof != NULL && (label != PROTO_NO_LABEL || field->is_map))
        return fail(p, at, "a field of a oneof has no label, and is no map");
    if (field->is_map && label != PROTO_NO_LABEL)
        return fail(p, at, "a map has no label");
    take_special(field);
    PROTO_ADD(fields, field);
    return true;
}

static bool parse_oneof(struct parse *p, struct proto_message *message)
{
    struct proto_oneof *oneof = arena_new(p->arena, struct proto_oneof);
    TRY(take_identifier(p, false, &oneof->name));
    TRY(expect(p, '{'));
    PROTO_ADD(&message->oneofs, oneof);
    while (!accept(p, '}')) {
        if (accept(p, ';'))
            continue;
        if (accept_word(p, "option"))
            TRY(take_option_statement(p, &oneof->options));
        else
            TRY(parse_field(p, &oneof->fields, &oneof->groups, oneof));
    }
    return true;
}

static bool parse_range(struct parse *p, struct proto_range *range, int64_t max)
{
    TRY(take_integer(p, &range->start));
    range->end = range->start;
    if (!accept_word(p, "to"))
        return true;
    range->is_range = true;
    range->end = max;
    if (!accept_word(p, "max"))
        TRY(take_integer(p, &range->end));
    return range->start <= range->end || fail(p, p->at, "a range ends before it begins");
}

/* reserved 1, 2 to 5, "a", b; and extensions 4 to max [verification = DECLARATION]; */
static bool parse_ranges(struct parse *p, struct proto_ranges *ranges, int64_t max)
{
    do {
        struct proto_range *range = arena_new(p->arena, struct proto_range);
        char c = peek(p);
        if (c == '"' || c == '\'')
            TRY(take_string(p, &range->name));
        else if ((c >= '0' && c <= '9') || c == '-')
            TRY(parse_range(p, range, max));
        else
            TRY(take_identifier(p, false, &range->name));
        PROTO_ADD(&ranges->items, range);
    } while (accept(p, ','));
    TRY(take_options(p, &ranges->options));
    return expect(p, ';');
}

/* count: of such statements here. */
static bool parse_extend(struct parse *p, struct proto_extend *extend, uint32_t count)
{
    if (count > PROTO_EXTENDS_MAX)
        return fail(p, p->at, "there are too many statements \"extend\"");
    TRY(take_identifier(p, true, &extend->type.text));
    TRY(expect(p, '{'));
    while (!accept(p, '}'))
        if (!accept(p, ';'))
            TRY(parse_field(p, &extend->fields, &extend->groups, NULL));
    return true;
}

/* ---- messages, enums, services ------------------------------------------------------------------------------------------ */

static bool parse_constant(struct parse *p, struct proto_enum *e)
{
    struct proto_constant *constant = arena_new(p->arena, struct proto_constant);
    int64_t tag;
    TRY(take_identifier(p, false, &constant->name));
    TRY(expect(p, '='));
    TRY(take_integer(p, &tag));
    TRY(take_options(p, &constant->options));
    constant->tag = (int32_t)tag;
    PROTO_ADD(&e->constants, constant);
    return expect(p, ';');
}

static bool parse_enum(struct parse *p, struct proto_enum *e)
{
    e->file = p->file;
    TRY(take_identifier(p, false, &e->name));
    TRY(expect(p, '{'));
    while (!accept(p, '}')) {
        if (accept(p, ';'))
            continue;
        struct str word = peek_word(p);
        size_t before = p->at;
        p->at += word.n;
        bool is_constant = peek(p) == '='; /* also one that is called "option" */
        p->at = before;
        if (!is_constant && accept_word(p, "option")) {
            TRY(take_option_statement(p, &e->options));
        } else if (!is_constant && accept_word(p, "reserved")) {
            struct proto_ranges *ranges = arena_new(p->arena, struct proto_ranges);
            PROTO_ADD(&e->reserved, ranges);
            TRY(parse_ranges(p, ranges, INT32_MAX));
        } else {
            TRY(parse_constant(p, e));
        }
    }
    return true;
}

static bool parse_message(struct parse *p, struct proto_messages *messages)
{
    struct proto_message *message = arena_new(p->arena, struct proto_message);
    TRY(take_identifier(p, false, &message->name));
    PROTO_ADD(messages, message);
    return parse_message_body(p, message);
}

/* Is the word that comes the beginning of such a declaration, and no type of a field? */
static bool accept_declaration(struct parse *p, const char *word)
{
    size_t before = p->at;
    if (!accept_word(p, word))
        return false;
    struct str name = peek_word(p);
    size_t after = p->at;
    p->at += name.n;
    bool is_field = name.n > 0 && peek(p) == '='; /* "message x = 1;" */
    p->at = is_field ? before : after;
    return !is_field;
}

static bool parse_member(struct parse *p, struct proto_message *message)
{
    struct arena *arena = p->arena;
    if (accept_declaration(p, "message"))
        return parse_message(p, &message->messages);
    if (accept_declaration(p, "enum")) {
        struct proto_enum *e = arena_new(arena, struct proto_enum);
        PROTO_ADD(&message->enums, e);
        return parse_enum(p, e);
    }
    if (accept_declaration(p, "oneof"))
        return parse_oneof(p, message);
    if (accept_declaration(p, "extend")) {
        struct proto_extend *extend = arena_new(arena, struct proto_extend);
        PROTO_ADD(&message->extends, extend);
        return parse_extend(p, extend, message->extends.count);
    }
    if (accept_declaration(p, "reserved")) {
        struct proto_ranges *ranges = arena_new(arena, struct proto_ranges);
        PROTO_ADD(&message->reserved, ranges);
        return parse_ranges(p, ranges, PROTO_TAG_MAX);
    }
    if (accept_declaration(p, "extensions")) {
        struct proto_ranges *ranges = arena_new(arena, struct proto_ranges);
        PROTO_ADD(&message->extensions, ranges);
        return parse_ranges(p, ranges, PROTO_TAG_MAX);
    }
    if (accept_word(p, "option"))
        return take_option_statement(p, &message->options);
    return parse_field(p, &message->fields, &message->groups, NULL);
}

static bool parse_message_body(struct parse *p, struct proto_message *message)
{
    message->file = p->file;
    TRY(expect(p, '{'));
    if (p->depth == PROTO_DEPTH_MAX)
        return fail(p, p->at, "messages are nested too deeply");
    p->depth++;
    while (!accept(p, '}'))
        if (!accept(p, ';'))
            TRY(parse_member(p, message));
    p->depth--;
    return true;
}

static bool parse_rpc_type(struct parse *p, struct proto_type *type, bool *stream)
{
    TRY(expect(p, '('));
    TRY(take_identifier(p, true, &type->text));
    *stream = str_is(type->text, "stream") && peek(p) != ')';
    if (*stream)
        TRY(take_identifier(p, true, &type->text));
    return expect(p, ')');
}

static bool parse_rpc(struct parse *p, struct proto_service *service)
{
    struct proto_rpc *rpc = arena_new(p->arena, struct proto_rpc);
    TRY(take_identifier(p, false, &rpc->name));
    TRY(parse_rpc_type(p, &rpc->request, &rpc->request_stream));
    if (!accept_word(p, "returns"))
        return fail(p, p->at, "\"returns\" is expected");
    TRY(parse_rpc_type(p, &rpc->response, &rpc->response_stream));
    PROTO_ADD(&service->rpcs, rpc);
    if (!accept(p, '{'))
        return expect(p, ';');
    while (!accept(p, '}')) {
        if (accept(p, ';'))
            continue;
        if (!accept_word(p, "option"))
            return fail(p, p->at, "an option is expected");
        TRY(take_option_statement(p, &rpc->options));
    }
    return true;
}

static bool parse_service(struct parse *p)
{
    struct proto_service *service = arena_new(p->arena, struct proto_service);
    TRY(take_identifier(p, false, &service->name));
    TRY(expect(p, '{'));
    PROTO_ADD(&p->file->services, service);
    while (!accept(p, '}')) {
        if (accept(p, ';'))
            continue;
        if (accept_word(p, "option"))
            TRY(take_option_statement(p, &service->options));
        else if (accept_word(p, "rpc"))
            TRY(parse_rpc(p, service));
        else
            return fail(p, p->at, "an rpc or an option is expected");
    }
    return true;
}

/* ---- the file ----------------------------------------------------------------------------------------------------------- */

static bool parse_import(struct parse *p)
{
    struct proto_import *import = arena_new(p->arena, struct proto_import);
    import->is_public = accept_word(p, "public");
    import->is_weak = !import->is_public && accept_word(p, "weak");
    TRY(take_string(p, &import->name));
    PROTO_ADD(&p->file->imports, import);
    return expect(p, ';');
}

/* The name of an edition is a year, to say nothing of what it means. */
static bool is_year(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return text.n == 4;
}

static bool parse_syntax(struct parse *p, bool is_edition)
{
    size_t at = p->at;
    TRY(expect(p, '='));
    TRY(take_string(p, &p->file->syntax));
    p->file->is_edition = is_edition;
    if (!is_edition && !str_is(p->file->syntax, "proto2") && !str_is(p->file->syntax, "proto3"))
        return text_fail(p->err, p->text, p->file_name, at,
                         "the syntax \"%.*s\" is neither proto2 nor proto3", STR_ARG(p->file->syntax));
    if (is_edition && !is_year(p->file->syntax))
        return text_fail(p->err, p->text, p->file_name, at, "the edition \"%.*s\" is no year",
                         STR_ARG(p->file->syntax));
    return expect(p, ';');
}

static bool parse_statement(struct parse *p)
{
    struct proto_file *file = p->file;
    size_t at = p->at;
    struct str word;
    TRY(take_word(p, &word));
    if (str_is(word, "syntax") || str_is(word, "edition"))
        return parse_syntax(p, word.p[0] == 'e');
    if (str_is(word, "package"))
        return take_identifier(p, true, &file->package) && expect(p, ';');
    if (str_is(word, "import"))
        return parse_import(p);
    if (str_is(word, "option"))
        return take_option_statement(p, &file->options);
    if (str_is(word, "message"))
        return parse_message(p, &file->messages);
    if (str_is(word, "service"))
        return parse_service(p);
    if (str_is(word, "enum")) {
        struct proto_enum *e = arena_new(p->arena, struct proto_enum);
        PROTO_ADD(&file->enums, e);
        return parse_enum(p, e);
    }
    if (str_is(word, "extend")) {
        struct proto_extend *extend = arena_new(p->arena, struct proto_extend);
        PROTO_ADD(&file->extends, extend);
        return parse_extend(p, extend, file->extends.count);
    }
    return text_fail(p->err, p->text, p->file_name, at, "\"%.*s\" begins no statement", STR_ARG(word));
}

bool proto_parse_text(struct arena *arena, struct str text, const char *name, struct proto_file *file,
                      struct err *err)
{
    struct parse p = {.arena = arena, .text = text, .file_name = name, .file = file, .err = err};
    if (!utf8_valid(text.p, text.n))
        return text_fail(err, text, name, 0, "the text is not UTF-8");
    while (peek(&p) != '\0' || p.at < text.n)
        if (!accept(&p, ';'))
            TRY(parse_statement(&p));
    return true;
}

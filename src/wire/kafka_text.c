/* Message ↔ text, by the same tables.
 *
 *   message  [{] fields [}]
 *   fields   Name: value …     in any order; case and underscores of the name do not count
 *   value    null | true | false | number | error's name | "text" | word | 0xhex | uuid | [ values ] | { fields }
 *
 * Commas and white space separate; # begins a comment until the end of the line. */
#include <stdlib.h>

#include "base/utf8.h"
#include "wire/kafka_i.h"

/* ---- uuid ------------------------------------------------------------------------------------------------------ */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void kafka_uuid_print(struct kafka_uuid uuid, char out[KAFKA_UUID_TEXT + 1])
{
    unsigned bits = 0, value = 0;
    size_t n = 0;
    for (int i = 0; i < 16; i++) {
        value = value << 8 | uuid.b[i];
        for (bits += 8; bits >= 6; bits -= 6)
            out[n++] = alphabet[value >> (bits - 6) & 63];
    }
    out[n++] = alphabet[value << (6 - bits) & 63];
    out[n] = '\0';
}

bool kafka_uuid_parse(struct str text, struct kafka_uuid *uuid)
{
    unsigned bits = 0, value = 0;
    size_t n = 0;
    if (text.n != KAFKA_UUID_TEXT)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const char *p = text.p[i] ? strchr(alphabet, text.p[i]) : NULL;
        if (p == NULL)
            return false;
        value = value << 6 | (unsigned)(p - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            uuid->b[n++] = (uint8_t)(value >> bits);
        }
    }
    return (value & ((1u << bits) - 1)) == 0; /* the last character has bits to spare */
}

/* ---- printing -------------------------------------------------------------------------------------------------- */

struct printer {
    struct sbuf *out;
    size_t bytes_max;
    int version;
};

static void print_hex(struct printer *p, struct str s)
{
    size_t n = s.n < p->bytes_max ? s.n : p->bytes_max;
    sbuf_cstr(p->out, "0x");
    hex_encode(sbuf_reserve(p->out, 2 * n + 1), s.p, n);
    sbuf_added(p->out, 2 * n);
    if (n < s.n)
        sbuf_printf(p->out, "…(%zu bytes)", s.n);
}

static void print_text(struct printer *p, int kind, struct str s)
{
    if (s.p == NULL)
        sbuf_cstr(p->out, "null");
    else if (kind == KAFKA_STR && utf8_valid(s.p, s.n))
        sbuf_json(p->out, s);
    else
        print_hex(p, s);
}

/* An integer of the kind, as the C struct has it. */
static int64_t integer_of(int kind, const void *in)
{
    int64_t v = 0;
    uint8_t size = kafka_kind_size[kind];
    memcpy(&v, in, size); /* little endian: checked below */
    _Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "a short integer is the beginning of a long one");
    if (kind == KAFKA_U16 || kind == KAFKA_U32 || kind == KAFKA_BOOL)
        return v;
    return (int64_t)((uint64_t)v << (64 - 8 * size)) >> (64 - 8 * size);
}

static void print_struct(struct printer *p, const struct kafka_type *type, const uint8_t *in);

static void print_value(struct printer *p, const struct kafka_field *f, const void *in)
{
    char text[32];
    double number;
    struct kafka_uuid uuid;
    int64_t v;
    switch ((enum kafka_kind)f->kind) {
    case KAFKA_STR:
    case KAFKA_BYTES:
    case KAFKA_RECORDS: print_text(p, f->kind, *(const struct str *)in); return;
    case KAFKA_STRUCT: print_struct(p, f->type, in); return;
    case KAFKA_BOOL: sbuf_cstr(p->out, *(const bool *)in ? "true" : "false"); return;
    case KAFKA_F64:
        memcpy(&number, in, sizeof number);
        sbuf_add(p->out, text, str_from_f64(number, text));
        return;
    case KAFKA_UUID:
        memcpy(&uuid, in, sizeof uuid);
        kafka_uuid_print(uuid, text);
        sbuf_cstr(p->out, text);
        return;
    case KAFKA_ERROR:
        v = integer_of(f->kind, in);
        if (kafka_error((int)v)->code == v) {
            sbuf_cstr(p->out, kafka_error((int)v)->name);
            return;
        }
        break;
    default: break;
    }
    sbuf_printf(p->out, "%lld", (long long)integer_of(f->kind, in));
}

static void print_field(struct printer *p, const struct kafka_field *f, const uint8_t *in)
{
    const uint8_t *elements = f->is_array || f->is_pointer ? kafka_pointer(in) : NULL;
    if (!f->is_array && !f->is_pointer) {
        print_value(p, f, in);
    } else if (elements == NULL) {
        sbuf_cstr(p->out, "null");
    } else if (f->is_pointer) {
        print_struct(p, f->type, elements);
    } else {
        sbuf_char(p->out, '[');
        for (uint32_t i = 0; i < kafka_count(in); i++) {
            if (i)
                sbuf_cstr(p->out, ", ");
            print_value(p, f, elements + i * kafka_element_size(f));
        }
        sbuf_char(p->out, ']');
    }
}

static void print_struct(struct printer *p, const struct kafka_type *type, const uint8_t *in)
{
    const char *separator = "";
    sbuf_char(p->out, '{');
    for (const struct kafka_field *f = type->fields, *end = f + type->fields_count; f < end; f++) {
        const uint8_t *at = in + f->offset;
        if (!kafka_has_field(f, p->version))
            continue;
        if (f->tag != KAFKA_NEVER && kafka_is_default(f, at, (const uint8_t *)type->defaults + f->offset))
            continue;
        sbuf_printf(p->out, "%s%s: ", separator, f->name);
        print_field(p, f, at);
        separator = ", ";
    }
    sbuf_char(p->out, '}');
}

void kafka_print(const struct kafka_type *type, int version, const void *message, size_t bytes_max,
                 struct sbuf *out)
{
    struct printer p = {.out = out, .bytes_max = bytes_max, .version = version};
    CHECK(kafka_within(version, type->first, type->last));
    print_struct(&p, type, message);
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

struct parser {
    struct str text;
    size_t at;
    struct arena *arena;
    struct err *err;
};

/* The error is at text.p[from] and `width` characters wide. */
static bool bad(struct parser *p, size_t from, size_t width, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool bad(struct parser *p, size_t from, size_t width, const char *format, ...)
{
    int line = 1;
    size_t start = 0;
    for (size_t i = 0; i < from; i++) {
        if (p->text.p[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    int column = 1 + (int)utf8_length(p->text.p + start, from - start);
    va_list args;
    va_start(args, format);
    err_vset(p->err, ERR_CONFIG, format, args);
    va_end(args);
    return err_at(p->err, "", line, column, (int)(width ? width : 1));
}

/* The next character that means something, or 0 at the end. */
static char peek(struct parser *p)
{
    for (; p->at < p->text.n; p->at++) {
        char c = p->text.p[p->at];
        if (c == '#')
            while (p->at + 1 < p->text.n && p->text.p[p->at + 1] != '\n')
                p->at++;
        else if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != ',')
            return c;
    }
    return 0;
}

static bool accept(struct parser *p, char c)
{
    bool found = peek(p) == c;
    p->at += found;
    return found;
}

/* Up to a separator; perhaps empty. */
static struct str word(struct parser *p)
{
    peek(p);
    size_t from = p->at;
    while (p->at < p->text.n && strchr(" \t\r\n,:[]{}\"#", p->text.p[p->at]) == NULL)
        p->at++;
    return str_n(p->text.p + from, p->at - from);
}

/* \uXXXX, or half of a pair of them, behind the backslash; appended as UTF-8. */
static bool read_escape_u(struct parser *p, struct sbuf *out)
{
    uint32_t code = 0;
    for (int half = 0; half < 2; half++) {
        uint8_t b[2];
        if (p->text.n - p->at < 5 || !hex_decode(b, p->text.p + p->at + 1, 2))
            return bad(p, p->at, 1, "\"\\u\" needs four hex digits");
        uint32_t unit = (uint32_t)b[0] << 8 | b[1];
        p->at += 5;
        if (half == 1 && (unit & 0xFC00) == 0xDC00)
            code = 0x10000 + ((code & 0x3FF) << 10 | (unit & 0x3FF));
        else
            code = unit;
        bool pair = half == 0 && (code & 0xFC00) == 0xD800 && p->text.n - p->at > 1 &&
                    p->text.p[p->at] == '\\' && p->text.p[p->at + 1] == 'u';
        if (!pair)
            break;
        p->at++;
    }
    char utf8[4];
    if ((code & 0xFFFFF800) == 0xD800)
        return bad(p, p->at, 1, "\"\\u%04x\" is half of a pair", (unsigned)code);
    sbuf_add(out, utf8, utf8_encode(code, utf8));
    return true;
}

/* Behind the opening quote, to *out. */
static bool read_quoted(struct parser *p, struct sbuf *out)
{
    size_t from = p->at - 1;
    while (p->at < p->text.n && p->text.p[p->at] != '"') {
        char c = p->text.p[p->at];
        if (c != '\\') {
            sbuf_char(out, c);
            p->at++;
            continue;
        }
        c = ++p->at < p->text.n ? p->text.p[p->at] : 0;
        if (c == 'u') {
            TRY(read_escape_u(p, out));
            continue;
        }
        static const char names[] = "ntrbf\"\\/", values[] = "\n\t\r\b\f\"\\/";
        const char *found = c ? strchr(names, c) : NULL;
        if (found == NULL)
            return bad(p, p->at, 1, "an unknown escape in a string");
        sbuf_char(out, values[found - names]);
        p->at++;
    }
    if (p->at == p->text.n)
        return bad(p, from, 1, "a string that does not end");
    p->at++;
    return true;
}

static bool parse_text(struct parser *p, const struct kafka_field *f, struct str *out)
{
    if (accept(p, '"')) {
        struct sbuf b = {0};
        bool done = read_quoted(p, &b);
        *out = done ? str_n(arena_dup(p->arena, b.p, b.n), b.n) : (struct str){0};
        sbuf_fini(&b);
        return done;
    }
    size_t from = p->at;
    struct str w = word(p);
    if (w.n >= 2 && w.p[0] == '0' && w.p[1] == 'x') {
        uint8_t *bytes = arena_alloc(p->arena, w.n / 2);
        if (w.n % 2 || !hex_decode(bytes, w.p + 2, w.n / 2 - 1))
            return bad(p, from, w.n, "\"%.*s\" is no hex", STR_ARG(w));
        *out = str_n(bytes, w.n / 2 - 1);
    } else if (w.n == 0 || f->kind != KAFKA_STR) {
        return bad(p, from, w.n, "%s is %s, \"%.*s\" is not", f->name,
                   f->kind == KAFKA_STR ? "text" : "0x and hex digits, or text in quotes", STR_ARG(w));
    } else {
        *out = str_n(arena_dup(p->arena, w.p, w.n), w.n);
    }
    return true;
}

static bool error_code(struct str name, int64_t *code)
{
    for (int i = -1; i < KAFKA_ERRORS_END; i++) {
        if (str_is(name, kafka_error(i)->name)) {
            *code = i;
            return true;
        }
    }
    return false;
}

static bool parse_integer(struct parser *p, const struct kafka_field *f, void *out)
{
    unsigned bits = 8u * kafka_kind_size[f->kind];
    bool is_unsigned = f->kind == KAFKA_U16 || f->kind == KAFKA_U32;
    int64_t v, max = bits == 64 ? INT64_MAX : ((int64_t)1 << (is_unsigned ? bits : bits - 1)) - 1;
    int64_t min = is_unsigned ? 0 : -max - 1;
    struct str w = word(p);
    size_t from = p->at - w.n;
    if (!(f->kind == KAFKA_ERROR && error_code(w, &v)) && !str_to_i64(w, &v))
        return bad(p, from, w.n, "%s is a number%s, \"%.*s\" is not", f->name,
                   f->kind == KAFKA_ERROR ? " or an error's name" : "", STR_ARG(w));
    if (v < min || v > max)
        return bad(p, from, w.n, "%s is from %lld to %lld, not %.*s", f->name, (long long)min, (long long)max,
                   STR_ARG(w));
    memcpy(out, &v, bits / 8); /* little endian, see integer_of */
    return true;
}

static bool parse_struct(struct parser *p, const struct kafka_type *type, char end, uint8_t *out);

static bool parse_value(struct parser *p, const struct kafka_field *f, void *out)
{
    struct kafka_uuid uuid;
    double number;
    if (f->kind == KAFKA_STRUCT) {
        if (!accept(p, '{'))
            return bad(p, p->at, 1, "%s begins with \"{\"", f->name);
        return parse_struct(p, f->type, '}', out);
    }
    if (kafka_is_text(f->kind))
        return parse_text(p, f, out);
    if (f->kind != KAFKA_BOOL && f->kind != KAFKA_UUID && f->kind != KAFKA_F64)
        return parse_integer(p, f, out);
    struct str w = word(p);
    size_t from = p->at - w.n;
    if (f->kind == KAFKA_BOOL && (str_is(w, "true") || str_is(w, "false")))
        *(bool *)out = w.p[0] == 't';
    else if (f->kind == KAFKA_UUID && kafka_uuid_parse(w, &uuid))
        memcpy(out, &uuid, sizeof uuid);
    else if (f->kind == KAFKA_F64 && str_to_f64(w, &number))
        memcpy(out, &number, sizeof number);
    else
        return bad(p, from, w.n, "%s is %s, \"%.*s\" is not", f->name,
                   f->kind == KAFKA_BOOL   ? "true or false"
                   : f->kind == KAFKA_UUID ? "a uuid of 22 characters"
                                           : "a number",
                   STR_ARG(w));
    return true;
}

static bool parse_array(struct parser *p, const struct kafka_field *f, void *out)
{
    size_t size = kafka_element_size(f);
    uint32_t count = 0, capacity = 0;
    uint8_t *elements = (uint8_t *)&kafka_nothing;
    if (!accept(p, '['))
        return bad(p, p->at, 1, "%s begins with \"[\"", f->name);
    while (!accept(p, ']')) {
        if (peek(p) == 0)
            return bad(p, p->at, 1, "\"]\" is missing");
        if (count == capacity) {
            uint8_t *more = arena_alloc(p->arena, (capacity = 2 * capacity + 4) * size);
            memcpy(more, elements, count * size);
            elements = more;
        }
        TRY(parse_value(p, f, elements + count * size));
        count++;
    }
    kafka_set_array(out, elements, count);
    return true;
}

static bool accept_null(struct parser *p)
{
    size_t from = p->at;
    if (peek(p) == 'n' && str_is(word(p), "null"))
        return true;
    p->at = from;
    return false;
}

static bool parse_field(struct parser *p, const struct kafka_field *f, void *out)
{
    bool is_text = kafka_is_text(f->kind) && !f->is_array;
    peek(p);
    size_t from = p->at;
    if (accept_null(p)) {
        if (f->null_first > f->null_last)
            return bad(p, from, 4, "%s cannot be null", f->name);
        if (f->is_array)
            kafka_set_array(out, NULL, 0);
        else
            memset(out, 0, is_text ? sizeof(struct str) : sizeof(void *));
        return true;
    }
    if (f->is_array)
        return parse_array(p, f, out);
    if (!f->is_pointer)
        return parse_value(p, f, out);
    void *message = arena_alloc(p->arena, f->type->size);
    memcpy(out, &message, sizeof message);
    return parse_value(p, f, message);
}

/* "TopicId", "topicId" and "topic_id" are the same name. */
static bool is_same_name(struct str a, const char *b)
{
    size_t i = 0;
    for (; i < a.n && *b; i++) {
        if (a.p[i] == '_')
            continue;
        if ((a.p[i] | 0x20) != (*b++ | 0x20))
            return false;
    }
    return i == a.n && *b == '\0';
}

static const struct kafka_field *field_named(struct parser *p, const struct kafka_type *type, struct str name)
{
    const char *names[UINT8_MAX];
    for (uint16_t i = 0; i < type->fields_count && i < UINT8_MAX; i++) {
        names[i] = type->fields[i].name;
        if (is_same_name(name, names[i]))
            return &type->fields[i];
    }
    bad(p, p->at - name.n, name.n, "%s has no field \"%.*s\"", type->name, STR_ARG(name));
    const char *near = str_nearest(name, names, type->fields_count);
    if (near)
        err_hint(p->err, "Did you mean %s?", near);
    return NULL;
}

/* Fields until `end`, which is 0 for the end of the text. Depth: KAFKA_DEPTH_MAX, of the description. */
static bool parse_struct(struct parser *p, const struct kafka_type *type, char end, uint8_t *out)
{
    kafka_init(type, out);
    while (peek(p) != end) {
        if (peek(p) == 0)
            return bad(p, p->at, 1, "\"%c\" is missing", end);
        struct str name = word(p);
        const struct kafka_field *f = field_named(p, type, name);
        if (f == NULL)
            return false;
        if (!accept(p, ':'))
            return bad(p, p->at, 1, "\":\" is missing behind %s", f->name);
        TRY(parse_field(p, f, out + f->offset));
    }
    p->at += end != 0;
    return true;
}

bool kafka_parse(const struct kafka_type *type, struct str text, struct arena *arena, void *message,
                 struct err *err)
{
    struct parser p = {.text = text, .arena = arena, .err = err};
    if (!accept(&p, '{'))
        return parse_struct(&p, type, 0, message);
    TRY(parse_struct(&p, type, '}', message));
    return peek(&p) == 0 || bad(&p, p.at, 1, "%s has ended already", type->name);
}

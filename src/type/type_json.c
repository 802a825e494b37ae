/* Types as Spark's and Delta's schema JSON.
 *
 *     {"type":"struct","fields":[{"name":"a","type":"integer","nullable":true,"metadata":{"comment":"x"}}]}
 *     {"type":"array","elementType":"string","containsNull":true}
 *     {"type":"map","keyType":"string","valueType":"long","valueContainsNull":true}
 *
 * A collation is no part of the type there, but metadata of the nearest struct field, by its path below
 * the field: {"__COLLATIONS":{"tags.element":"spark.UTF8_LCASE"}}.
 *
 * Members of an object come in any order, so an object is first cut into the texts of its members (and
 * thereby checked), and each is then read on its own. A text is looked at once per level above it, and
 * levels are few: schemas of tables are small, and deep ones are refused. */
#include "type/type.h"

#include "base/check.h"
#include "base/map.h"
#include "base/utf8.h"

/* ---- reading JSON -------------------------------------------------------------------------------------- */

enum { NESTING_MAX = 4 * TYPE_DEPTH_MAX }; /* brackets; a type takes three per level */

struct cursor {
    const char *p, *end;
};

static struct cursor cursor_of(struct str s)
{
    return (struct cursor){s.p, s.p ? s.p + s.n : s.p};
}

static void blank(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\r' || *c->p == '\t'))
        c->p++;
}

static bool mark(struct cursor *c, char m)
{
    blank(c);
    if (c->p == c->end || *c->p != m)
        return false;
    c->p++;
    return true;
}

static bool skip_string(struct cursor *c)
{
    if (!mark(c, '"'))
        return false;
    while (c->p < c->end && *c->p != '"') {
        if ((unsigned char)*c->p < 0x20)
            return false;
        c->p += *c->p == '\\' && c->end - c->p > 1 ? 2 : 1;
    }
    return mark(c, '"');
}

static bool skip_value(struct cursor *c, unsigned depth)
{
    blank(c);
    if (c->p == c->end || depth > NESTING_MAX)
        return false;
    if (*c->p == '"')
        return skip_string(c);
    if (*c->p == '{' || *c->p == '[') {
        bool object = *c->p++ == '{';
        char close = object ? '}' : ']';
        if (mark(c, close))
            return true;
        do {
            if ((object && (!skip_string(c) || !mark(c, ':'))) || !skip_value(c, depth + 1))
                return false;
        } while (mark(c, ','));
        return mark(c, close);
    }
    const char *start = c->p;
    while (c->p < c->end && (memchr("+-.", *c->p, 3) || (*c->p >= '0' && *c->p <= '9') ||
                             (*c->p >= 'a' && *c->p <= 'z') || *c->p == 'E'))
        c->p++;
    return c->p > start;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool unicode_escape(struct cursor *c, uint32_t *code)
{
    if (c->end - c->p < 4)
        return false;
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*c->p++);
        if (digit < 0)
            return false;
        *code = *code << 4 | (uint32_t)digit;
    }
    return true;
}

/* What follows a backslash, to *out. */
static bool escape(struct cursor *c, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (c->p == c->end)
        return false;
    char e = *c->p++;
    const char *known = memchr(from, e, sizeof from - 1);
    if (known) {
        *(*out)++ = to[known - from];
        return true;
    }
    uint32_t code, low;
    if (e != 'u' || !unicode_escape(c, &code))
        return false;
    if (code >= 0xD800 && code < 0xDC00) {
        if (c->end - c->p < 6 || c->p[0] != '\\' || c->p[1] != 'u')
            return false;
        c->p += 2;
        if (!unicode_escape(c, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code == 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return false; /* names are C strings */
    *out += utf8_encode(code, *out);
    return true;
}

/* The text of a JSON string, NUL-terminated in arena; NULL: it is none, or holds a zero or no UTF-8. */
static char *read_string(struct str json, struct arena *arena)
{
    struct cursor c = cursor_of(json);
    if (!mark(&c, '"'))
        return NULL;
    char *text = arena_alloc(arena, json.n + 1), *out = text;
    while (c.p < c.end && *c.p != '"') {
        char b = *c.p++;
        if (b == '\0' || (b == '\\' && !escape(&c, &out)))
            return NULL;
        if (b != '\\')
            *out++ = b;
    }
    *out = '\0';
    blank(&c);
    return c.p < c.end && utf8_valid(text, (size_t)(out - text)) ? text : NULL;
}

/* One member of an object. */
struct member {
    const char *name;
    struct str json; /* p NULL: it is missing */
};

/* Cuts the object json into the members asked for; others are skipped. false: it is no object. */
static bool read_members(struct str json, struct member *members, size_t count, struct arena *arena)
{
    struct cursor c = cursor_of(json);
    if (!mark(&c, '{'))
        return false;
    if (mark(&c, '}'))
        return true;
    do {
        blank(&c);
        const char *start = c.p;
        if (!skip_string(&c))
            return false;
        const char *name = read_string(str_n(start, (size_t)(c.p - start)), arena);
        if (name == NULL || !mark(&c, ':'))
            return false;
        blank(&c);
        start = c.p;
        if (!skip_value(&c, 0))
            return false;
        for (size_t i = 0; i < count; i++)
            if (strcmp(members[i].name, name) == 0)
                members[i].json = str_n(start, (size_t)(c.p - start));
    } while (mark(&c, ','));
    return mark(&c, '}');
}

/* ---- types from JSON ----------------------------------------------------------------------------------- */

struct reader {
    struct arena *arena;
    unsigned depth;
    struct err *err;
};

struct json_name {
    const char *name;
    enum type_kind kind;
};
static const struct json_name names[] = {
    {"void", TYPE_NULL},
    {"null", TYPE_NULL},
    {"boolean", TYPE_BOOLEAN},
    {"byte", TYPE_BYTE},
    {"short", TYPE_SHORT},
    {"integer", TYPE_INT},
    {"long", TYPE_LONG},
    {"float", TYPE_FLOAT},
    {"double", TYPE_DOUBLE},
    {"string", TYPE_STRING},
    {"binary", TYPE_BINARY},
    {"date", TYPE_DATE},
    {"variant", TYPE_VARIANT},
    {"timestamp", TYPE_TIMESTAMP},
    {"timestamp_ltz", TYPE_TIMESTAMP},
    {"timestamp_ntz", TYPE_TIMESTAMP_NTZ},
};

static bool read_type(struct reader *r, struct str json, const struct type **type);

static bool malformed(struct reader *r, const char *what, struct str json)
{
    return err_set(r->err, ERR_DATA, "the schema is no valid JSON schema: %s, found %.*s", what,
                   (int)(json.n < 60 ? json.n : 60), json.p ? json.p : "nothing");
}

static bool read_named(struct reader *r, struct str json, const struct type **type)
{
    const char *name = read_string(json, r->arena);
    if (name == NULL)
        return malformed(r, "expected the name of a type", json);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].name, name) == 0) {
            *type = type_simple(names[i].kind);
            return true;
        }
    /* decimal(10,2), decimal, interval day to second, string collate …: as SQL has them */
    bool sql = str_starts(str_of(name), STR("decimal")) || str_starts(str_of(name), STR("interval")) ||
               str_starts(str_of(name), STR("string ")) || str_starts(str_of(name), STR("varchar")) ||
               str_starts(str_of(name), STR("char"));
    struct err inner = {0};
    if (sql && type_parse(r->arena, str_of(name), type, &inner))
        return true;
    return malformed(r, "expected a type", json);
}

static bool read_bool(struct reader *r, struct str json, bool missing, bool *value)
{
    *value = json.p == NULL ? missing : json.n == 4;
    if (json.p == NULL || str_is(json, "true") || str_is(json, "false"))
        return true;
    return malformed(r, "expected true or false", json);
}

static bool read_array(struct reader *r, struct str json, const struct type **type)
{
    struct member m[] = {{"elementType", {0}}, {"containsNull", {0}}};
    const struct type *element;
    bool nullable;
    if (!read_members(json, m, 2, r->arena) || m[0].json.p == NULL)
        return malformed(r, "expected an elementType", json);
    TRY(read_type(r, m[0].json, &element));
    TRY(read_bool(r, m[1].json, true, &nullable));
    *type = type_array(r->arena, element, nullable);
    return true;
}

static bool read_map(struct reader *r, struct str json, const struct type **type)
{
    struct member m[] = {{"keyType", {0}}, {"valueType", {0}}, {"valueContainsNull", {0}}};
    const struct type *key, *value;
    bool nullable;
    if (!read_members(json, m, 3, r->arena) || m[0].json.p == NULL || m[1].json.p == NULL)
        return malformed(r, "expected a keyType and a valueType", json);
    TRY(read_type(r, m[0].json, &key));
    TRY(read_type(r, m[1].json, &value));
    TRY(read_bool(r, m[2].json, true, &nullable));
    *type = type_map(r->arena, key, value, nullable);
    return true;
}

/* ---- collations ---------------------------------------------------------------------------------------- */

/* The type with the collation at path "element.value…" below it; the type itself where the path leads
 * nowhere. */
static const struct type *collate(struct reader *r, const struct type *type, struct str path,
                                  const char *collation)
{
    if (path.n == 0) {
        if (type->kind != TYPE_STRING || strcmp(collation, "UTF8_BINARY") == 0)
            return type;
        struct type *t = arena_dup(r->arena, type, sizeof *type);
        t->collation = collation;
        return t;
    }
    path.p++, path.n--; /* the point */
    const char *point = memchr(path.p, '.', path.n);
    struct str head = point ? str_n(path.p, (size_t)(point - path.p)) : path;
    int child = type->kind == TYPE_ARRAY || type->kind == TYPE_MAP ? type_field(type, head, false) : -1;
    if (child < 0)
        return type;
    struct type *t = arena_dup(r->arena, type, sizeof *type);
    struct field *fields = arena_dup(r->arena, type->fields, type->field_count * sizeof *fields);
    fields[child].type = collate(r, fields[child].type, str_n(path.p + head.n, path.n - head.n), collation);
    t->fields = fields;
    return t;
}

/* Letters, digits and underscores: nothing else is the name of a collation. */
static bool is_collation(const char *name)
{
    return name[0] != '\0' &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static void read_collations(struct reader *r, struct str json, struct field *field)
{
    struct cursor c = cursor_of(json);
    if (!mark(&c, '{'))
        return;
    do {
        blank(&c);
        const char *start = c.p;
        if (!skip_string(&c))
            return;
        const char *path = read_string(str_n(start, (size_t)(c.p - start)), r->arena);
        if (!mark(&c, ':'))
            return;
        blank(&c);
        start = c.p;
        if (!skip_value(&c, 0))
            return;
        const char *name = read_string(str_n(start, (size_t)(c.p - start)), r->arena);
        size_t n = strlen(field->name);
        if (path == NULL || name == NULL || strncmp(path, field->name, n) != 0 ||
            (path[n] != '\0' && path[n] != '.'))
            continue;
        const char *point = strchr(name, '.'); /* of provider.COLLATION */
        const char *collation = point ? point + 1 : name;
        if (is_collation(collation))
            field->type = collate(r, field->type, str_of(path + n), collation);
    } while (mark(&c, ','));
}

/* ---- structs ------------------------------------------------------------------------------------------- */

static bool read_field(struct reader *r, struct str json, struct field *field)
{
    struct member m[] = {{"name", {0}}, {"type", {0}}, {"nullable", {0}}, {"metadata", {0}}};
    if (!read_members(json, m, 4, r->arena) || m[0].json.p == NULL || m[1].json.p == NULL)
        return malformed(r, "expected a field with name and type", json);
    *field = (struct field){.name = read_string(m[0].json, r->arena)};
    if (field->name == NULL)
        return malformed(r, "expected the name of a field", m[0].json);
    TRY(read_type(r, m[1].json, &field->type));
    TRY(read_bool(r, m[2].json, true, &field->nullable));
    struct member meta[] = {{"comment", {0}}, {"__COLLATIONS", {0}}};
    if (m[3].json.p == NULL || str_is(m[3].json, "null"))
        return true;
    if (!read_members(m[3].json, meta, 2, r->arena))
        return malformed(r, "expected metadata to be an object", m[3].json);
    if (meta[0].json.p != NULL)
        field->comment = read_string(meta[0].json, r->arena);
    if (meta[1].json.p != NULL)
        read_collations(r, meta[1].json, field);
    return true;
}

static bool read_struct(struct reader *r, struct str json, const struct type **type)
{
    struct member m[] = {{"fields", {0}}};
    if (!read_members(json, m, 1, r->arena) || m[0].json.p == NULL)
        return malformed(r, "expected fields", json);
    struct cursor c = cursor_of(m[0].json);
    if (!mark(&c, '['))
        return malformed(r, "expected an array of fields", m[0].json);
    struct field *fields = NULL;
    size_t count = 0, capacity = 0;
    bool ok = false;
    if (!mark(&c, ']'))
        do {
            blank(&c);
            const char *start = c.p;
            if (count == TYPE_FIELDS_MAX || !skip_value(&c, 0)) {
                malformed(r, "expected at most 10000 fields", m[0].json);
                goto out;
            }
            fields = mem_grow(fields, &capacity, count + 1, sizeof *fields);
            TRY_OUT(read_field(r, str_n(start, (size_t)(c.p - start)), &fields[count]));
            count++;
        } while (mark(&c, ','));
    *type = type_struct(r->arena, fields, (uint32_t)count);
    ok = true;
out:
    mem_free(fields);
    return ok;
}

static bool read_type(struct reader *r, struct str json, const struct type **type)
{
    if (json.n > 0 && json.p[0] == '"')
        return read_named(r, json, type);
    struct member m[] = {{"type", {0}}};
    if (!read_members(json, m, 1, r->arena))
        return malformed(r, "expected a name or an object", json);
    if (r->depth == TYPE_DEPTH_MAX)
        return err_set(r->err, ERR_DATA, "the schema is nested more than %d deep", TYPE_DEPTH_MAX);
    r->depth++;
    bool ok = false;
    if (str_is(m[0].json, "\"struct\""))
        ok = read_struct(r, json, type);
    else if (str_is(m[0].json, "\"array\""))
        ok = read_array(r, json, type);
    else if (str_is(m[0].json, "\"map\""))
        ok = read_map(r, json, type);
    else
        malformed(r, "expected the type struct, array or map", json);
    r->depth--;
    return ok;
}

bool type_from_json(struct arena *arena, struct str json, const struct type **type, struct err *err)
{
    struct reader r = {.arena = arena, .err = err};
    struct cursor c = cursor_of(json);
    blank(&c);
    const char *start = c.p;
    if (!skip_value(&c, 0))
        return malformed(&r, "expected JSON", json);
    struct str value = str_n(start, (size_t)(c.p - start));
    blank(&c);
    if (c.p != c.end)
        return malformed(&r, "expected nothing behind the schema", str_n(c.p, (size_t)(c.end - c.p)));
    return read_type(&r, value, type);
}

/* ---- types to JSON ------------------------------------------------------------------------------------- */

static const char *json_name(enum type_kind kind)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].kind == kind)
            return names[i].name;
    UNREACHABLE("a simple type without a name");
}

/* Writes "path":"spark.NAME" for each collated string below a struct field, up to the next struct. */
static void put_collations(const struct type *type, const char *path, struct arena *arena, bool *first,
                           struct sbuf *out)
{
    if (type->kind == TYPE_STRING && type->collation) {
        sbuf_cstr(out, *first ? "\"__COLLATIONS\":{" : ",");
        *first = false;
        sbuf_json(out, str_of(path));
        bool ours = str_starts(str_of(type->collation), STR("UTF8_"));
        sbuf_printf(out, ":\"%s.%s\"", ours ? "spark" : "icu", type->collation);
    }
    for (uint32_t i = 0; (type->kind == TYPE_ARRAY || type->kind == TYPE_MAP) && i < type->field_count; i++)
        put_collations(type->fields[i].type, arena_printf(arena, "%s.%s", path, type->fields[i].name), arena,
                       first, out);
}

static void put_field(const struct field *f, struct sbuf *out)
{
    sbuf_cstr(out, "{\"name\":");
    sbuf_json(out, str_of(f->name));
    sbuf_cstr(out, ",\"type\":");
    type_to_json(f->type, out);
    sbuf_printf(out, ",\"nullable\":%s,\"metadata\":{", f->nullable ? "true" : "false");
    if (f->comment) {
        sbuf_cstr(out, "\"comment\":");
        sbuf_json(out, str_of(f->comment));
    }
    struct arena scratch = {0};
    bool first = true;
    struct sbuf collations = {0};
    put_collations(f->type, f->name, &scratch, &first, &collations);
    if (!first)
        sbuf_printf(out, "%s%.*s}", f->comment ? "," : "", STR_ARG(collations));
    sbuf_fini(&collations);
    arena_fini(&scratch);
    sbuf_cstr(out, "}}");
}

void type_to_json(const struct type *type, struct sbuf *out)
{
    const struct field *f = type->fields;
    switch (type->kind) {
    case TYPE_DECIMAL: sbuf_printf(out, "\"decimal(%u,%u)\"", type->precision, type->scale); break;
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT:
        sbuf_char(out, '"');
        type_to_simple(type, out);
        sbuf_char(out, '"');
        break;
    case TYPE_ARRAY:
        sbuf_cstr(out, "{\"type\":\"array\",\"elementType\":");
        type_to_json(f[0].type, out);
        sbuf_printf(out, ",\"containsNull\":%s}", f[0].nullable ? "true" : "false");
        break;
    case TYPE_MAP:
        sbuf_cstr(out, "{\"type\":\"map\",\"keyType\":");
        type_to_json(f[0].type, out);
        sbuf_cstr(out, ",\"valueType\":");
        type_to_json(f[1].type, out);
        sbuf_printf(out, ",\"valueContainsNull\":%s}", f[1].nullable ? "true" : "false");
        break;
    case TYPE_STRUCT:
        sbuf_cstr(out, "{\"type\":\"struct\",\"fields\":[");
        for (uint32_t i = 0; i < type->field_count; i++) {
            if (i > 0)
                sbuf_char(out, ',');
            put_field(&f[i], out);
        }
        sbuf_cstr(out, "]}");
        break;
    default: sbuf_printf(out, "\"%s\"", json_name(type->kind));
    }
}

/* Values as text: as CAST and show() print them, as SQL literals, as JSON. */
#include "base/check.h"
#include "type/cast.h"

#include <math.h>

static void put_hex(struct str bytes, const char *between, struct sbuf *out)
{
    for (size_t i = 0; i < bytes.n; i++)
        sbuf_printf(out, "%s%02X", i > 0 ? between : "", (unsigned char)bytes.p[i]);
}

static void put_f64(const struct value *v, struct sbuf *out)
{
    char text[CAST_F64_MAX];
    bool is_float = v->type->kind == TYPE_FLOAT;
    sbuf_add(out, text, is_float ? cast_f32_to_str((float)v->f64, text) : cast_f64_to_str(v->f64, text));
}

static void put_i64(int64_t v, struct sbuf *out)
{
    char text[CAST_I64_MAX];
    sbuf_add(out, text, cast_i64_to_str(v, text));
}

static void put_decimal(const struct value *v, struct sbuf *out)
{
    char text[DECIMAL_TEXT_MAX];
    sbuf_add(out, text, decimal_to_text(v->decimal, v->type->scale, text));
}

/* ---- as CAST and show() print -------------------------------------------------------------------------- */

static void put_nested(const struct value *v, const struct timezone_data *zone, struct sbuf *out)
{
    bool map = v->type->kind == TYPE_MAP, array = v->type->kind == TYPE_ARRAY;
    sbuf_char(out, array ? '[' : '{');
    for (uint32_t i = 0; i < v->nested.count; i++) {
        if (i > 0)
            sbuf_cstr(out, ", ");
        const struct value *items = &v->nested.items[map ? 2 * i : i];
        for (unsigned k = 0; k <= map; k++) {
            sbuf_cstr(out, k > 0 ? " -> " : "");
            if (items[k].is_null)
                sbuf_cstr(out, "null");
            else
                value_to_text(&items[k], zone, out);
        }
    }
    sbuf_char(out, array ? ']' : '}');
}

static void put_time(const struct value *v, const struct timezone_data *zone, struct sbuf *out)
{
    char text[TIMESTAMP_TEXT_MAX];
    size_t n = v->type->kind == TYPE_DATE        ? date_to_text((int32_t)v->i64, text)
               : v->type->kind == TYPE_TIMESTAMP ? timestamp_to_text(zone, v->i64, text)
                                                 : timestamp_ntz_to_text(v->i64, text);
    sbuf_add(out, text, n);
}

void value_to_text(const struct value *v, const struct timezone_data *zone, struct sbuf *out)
{
    if (v->is_null) {
        sbuf_cstr(out, "NULL");
        return;
    }
    switch (v->type->kind) {
    case TYPE_NULL: sbuf_cstr(out, "NULL"); break;
    case TYPE_BOOLEAN: sbuf_cstr(out, v->boolean ? "true" : "false"); break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: put_f64(v, out); break;
    case TYPE_DECIMAL: put_decimal(v, out); break;
    case TYPE_STRING: sbuf_str(out, v->str); break;
    case TYPE_BINARY:
    case TYPE_VARIANT: /* what a variant says is format/'s knowledge */
        sbuf_char(out, '[');
        put_hex(v->str, " ", out);
        sbuf_char(out, ']');
        break;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: put_time(v, zone, out); break;
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT: interval_to_text(v->i64, v->type, INTERVAL_STYLE_ANSI, out); break;
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_STRUCT: put_nested(v, zone, out); break;
    default: put_i64(v->i64, out);
    }
}

/* ---- as SQL literals ----------------------------------------------------------------------------------- */

static void put_quoted(struct str s, struct sbuf *out)
{
    sbuf_char(out, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\')
            sbuf_char(out, '\\');
        sbuf_char(out, s.p[i]);
    }
    sbuf_char(out, '\'');
}

static void put_nested_sql(const struct value *v, struct sbuf *out)
{
    static const char *const constructors[TYPE_KINDS] = {
        [TYPE_ARRAY] = "ARRAY(", [TYPE_MAP] = "MAP(", [TYPE_STRUCT] = "NAMED_STRUCT("};
    sbuf_cstr(out, constructors[v->type->kind]);
    size_t n = (size_t)v->nested.count * (v->type->kind == TYPE_MAP ? 2 : 1);
    for (size_t i = 0; i < n; i++) {
        sbuf_cstr(out, i > 0 ? ", " : "");
        if (v->type->kind == TYPE_STRUCT) {
            put_quoted(str_of(v->type->fields[i].name), out);
            sbuf_cstr(out, ", ");
        }
        value_to_sql(&v->nested.items[i], out);
    }
    sbuf_char(out, ')');
}

static void put_fraction_sql(const struct value *v, struct sbuf *out)
{
    bool is_float = v->type->kind == TYPE_FLOAT;
    if (isfinite(v->f64) && !is_float) {
        put_f64(v, out);
        sbuf_char(out, 'D');
        return;
    }
    bool quote = !isfinite(v->f64);
    sbuf_cstr(out, quote ? "CAST('" : "CAST(");
    put_f64(v, out);
    sbuf_printf(out, "%s AS %s)", quote ? "'" : "", is_float ? "FLOAT" : "DOUBLE");
}

void value_to_sql(const struct value *v, struct sbuf *out)
{
    static const char *const suffixes[TYPE_KINDS] = {
        [TYPE_BYTE] = "Y", [TYPE_SHORT] = "S", [TYPE_LONG] = "L"};
    static const char *const times[TYPE_KINDS] = {
        [TYPE_DATE] = "DATE", [TYPE_TIMESTAMP] = "TIMESTAMP", [TYPE_TIMESTAMP_NTZ] = "TIMESTAMP_NTZ"};
    if (v->is_null || v->type->kind == TYPE_NULL) {
        sbuf_cstr(out, "NULL");
        return;
    }
    switch (v->type->kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: put_fraction_sql(v, out); break;
    case TYPE_DECIMAL:
        put_decimal(v, out);
        sbuf_cstr(out, "BD");
        break;
    case TYPE_STRING: put_quoted(v->str, out); break;
    case TYPE_BINARY:
    case TYPE_VARIANT:
        sbuf_cstr(out, "X'");
        put_hex(v->str, "", out);
        sbuf_char(out, '\'');
        break;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        sbuf_printf(out, "%s '", times[v->type->kind]);
        put_time(v, NULL, out);
        sbuf_char(out, '\'');
        break;
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_STRUCT: put_nested_sql(v, out); break;
    default:
        value_to_text(v, NULL, out);
        sbuf_cstr(out, suffixes[v->type->kind] ? suffixes[v->type->kind] : "");
    }
}

/* ---- as JSON ------------------------------------------------------------------------------------------- */

static void put_base64(struct str s, struct sbuf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < s.n ? (uint8_t)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            sbuf_char(out, i + k <= s.n ? digits[v >> (18 - 6 * k) & 63] : '=');
    }
}

static void put_nested_json(const struct value *v, struct sbuf *out)
{
    bool map = v->type->kind == TYPE_MAP, array = v->type->kind == TYPE_ARRAY;
    struct sbuf key = {0};
    sbuf_char(out, array ? '[' : '{');
    for (uint32_t i = 0; i < v->nested.count; i++) {
        sbuf_cstr(out, i > 0 ? "," : "");
        if (map) {
            sbuf_clear(&key);
            value_to_text(&v->nested.items[2 * i], NULL, &key);
            sbuf_json(out, sbuf_view(&key));
        } else if (!array) {
            sbuf_json(out, str_of(v->type->fields[i].name));
        }
        sbuf_cstr(out, array ? "" : ":");
        value_to_json(&v->nested.items[map ? 2 * i + 1 : i], out);
    }
    sbuf_char(out, array ? ']' : '}');
    sbuf_fini(&key);
}

void value_to_json(const struct value *v, struct sbuf *out)
{
    char text[TIMESTAMP_TEXT_MAX];
    if (v->is_null || v->type->kind == TYPE_NULL) {
        sbuf_cstr(out, "null");
        return;
    }
    switch (v->type->kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        sbuf_cstr(out, isfinite(v->f64) ? "" : "\"");
        put_f64(v, out);
        sbuf_cstr(out, isfinite(v->f64) ? "" : "\"");
        break;
    case TYPE_STRING: sbuf_json(out, v->str); break;
    case TYPE_BINARY:
    case TYPE_VARIANT:
        sbuf_char(out, '"');
        put_base64(v->str, out);
        sbuf_char(out, '"');
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        timestamp_to_iso(v->i64, v->type->kind == TYPE_TIMESTAMP ? "Z" : NULL, text);
        sbuf_printf(out, "\"%s\"", text);
        break;
    case TYPE_DATE:
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT:
        sbuf_char(out, '"');
        value_to_text(v, NULL, out);
        sbuf_char(out, '"');
        break;
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_STRUCT: put_nested_json(v, out); break;
    default: value_to_text(v, NULL, out);
    }
}

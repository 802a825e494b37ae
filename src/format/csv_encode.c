/* Columns to CSV text. Nested values and those of VARIANT are written as JSON, in quotes. */
#include <math.h>

#include "format/csv_private.h"
#include "format/json_decode_private.h"
#include "type/cast.h"

struct csv_encoder {
    struct csv_options options;
    const struct type *schema;
    struct json_encoder **nested; /* nested[field_count]: for columns that are; NULL for others */
    const struct datetime_pattern *timestamp_pattern, *ntz_pattern, *date_pattern;
    struct sbuf text; /* scratch */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool needs_quotes(const struct csv_options *o, struct str text, bool first)
{
    if (o->quote == 0)
        return false;
    if (o->quote_all || text.n == 0 || str_eq(text, str_of(o->null_value)))
        return true; /* what would read back as NULL otherwise */
    if (is_blank(text.p[0]) || is_blank(text.p[text.n - 1]) ||
        (first && o->comment != 0 && text.p[0] == o->comment))
        return true;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == o->sep || text.p[i] == o->quote || text.p[i] == '\n' || text.p[i] == '\r')
            return true;
    return false;
}

static void put_text(const struct csv_options *o, struct str text, bool first, struct sbuf *out)
{
    if (!needs_quotes(o, text, first)) {
        sbuf_str(out, text);
        return;
    }
    char escape = o->escape ? o->escape : o->quote;
    char *p = sbuf_reserve(out, 2 * text.n + 2), *to = p;
    *to++ = o->quote;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == o->quote || text.p[i] == escape)
            *to++ = escape;
        *to++ = text.p[i];
    }
    *to++ = o->quote;
    sbuf_added(out, (size_t)(to - p));
}

static void put_double(const struct csv_options *o, double value, bool is_float, struct sbuf *out)
{
    char text[CAST_F64_MAX];
    if (isnan(value))
        sbuf_cstr(out, o->nan_value);
    else if (isinf(value))
        sbuf_cstr(out, value > 0 ? o->positive_inf : o->negative_inf);
    else
        sbuf_add(out, text, is_float ? cast_f32_to_str((float)value, text) : cast_f64_to_str(value, text));
}

static void put_i64(int64_t value, struct sbuf *out)
{
    char text[CAST_I64_MAX];
    sbuf_add(out, text, cast_i64_to_str(value, text));
}

/* Text of a date or timestamp, by its pattern where there is one. */
static void put_time(struct csv_encoder *e, const struct datetime_pattern *pattern, enum type_kind kind,
                     int64_t value, bool first, struct sbuf *out)
{
    char text[TIMESTAMP_TEXT_MAX];
    if (pattern != NULL) {
        sbuf_clear(&e->text);
        datetime_format(pattern, kind == TYPE_TIMESTAMP ? e->options.zone : NULL,
                        kind == TYPE_DATE ? value * US_PER_DAY : value, &e->text);
        put_text(&e->options, sbuf_view(&e->text), first, out);
        return;
    }
    size_t n = kind == TYPE_DATE ? date_to_text((int32_t)value, text)
                                 : timestamp_to_iso(value, kind == TYPE_TIMESTAMP ? "Z" : NULL, text);
    put_text(&e->options, str_n(text, n), first, out);
}

static void put_binary(struct csv_encoder *e, struct str bytes, bool first, struct sbuf *out)
{
    sbuf_clear(&e->text);
    char *to = sbuf_reserve(&e->text, (bytes.n + 2) / 3 * 4);
    sbuf_added(&e->text, json_base64_encode((const uint8_t *)bytes.p, bytes.n, to));
    put_text(&e->options, sbuf_view(&e->text), first, out);
}

static void put_nested(struct csv_encoder *e, uint32_t field, const struct column *column, uint32_t row,
                       bool first, struct sbuf *out)
{
    sbuf_clear(&e->text);
    json_encode_column(e->nested[field], column, row, row + 1, 0, &e->text, NULL);
    put_text(&e->options, sbuf_view(&e->text), first, out);
}

static void put_value(struct csv_encoder *e, uint32_t field, const struct column *column, uint32_t row,
                      bool first, struct sbuf *out)
{
    const struct csv_options *o = &e->options;
    const struct column *values;
    uint32_t i = column_resolve(column, row, &values);
    const void *data = values->data;
    char text[DECIMAL_TEXT_MAX];
    switch (column->type->kind) {
    case TYPE_STRING: put_text(o, view_str((const struct view *)data + i), first, out); break;
    case TYPE_BINARY: put_binary(e, view_str((const struct view *)data + i), first, out); break;
    case TYPE_BOOLEAN: sbuf_cstr(out, ((const uint8_t *)data)[i] ? "true" : "false"); break;
    case TYPE_BYTE: put_i64(((const int8_t *)data)[i], out); break;
    case TYPE_SHORT: put_i64(((const int16_t *)data)[i], out); break;
    case TYPE_INT: put_i64(((const int32_t *)data)[i], out); break;
    case TYPE_LONG: put_i64(((const int64_t *)data)[i], out); break;
    case TYPE_FLOAT: put_double(o, (double)((const float *)data)[i], true, out); break;
    case TYPE_DOUBLE: put_double(o, ((const double *)data)[i], false, out); break;
    case TYPE_DECIMAL:
        sbuf_add(out, text, decimal_to_text(((const i128 *)data)[i], column->type->scale, text));
        break;
    case TYPE_DATE: put_time(e, e->date_pattern, TYPE_DATE, ((const int32_t *)data)[i], first, out); break;
    case TYPE_TIMESTAMP:
        put_time(e, e->timestamp_pattern, TYPE_TIMESTAMP, ((const int64_t *)data)[i], first, out);
        break;
    case TYPE_TIMESTAMP_NTZ:
        put_time(e, e->ntz_pattern, TYPE_TIMESTAMP_NTZ, ((const int64_t *)data)[i], first, out);
        break;
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT:
        sbuf_clear(&e->text);
        interval_to_text(column->type->kind == TYPE_INTERVAL_YM ? ((const int32_t *)data)[i]
                                                                : ((const int64_t *)data)[i],
                         column->type, INTERVAL_STYLE_ANSI, &e->text);
        put_text(o, sbuf_view(&e->text), first, out);
        break;
    default: put_nested(e, field, column, row, first, out); break;
    }
}

void csv_encode_header(struct csv_encoder *e, struct sbuf *out)
{
    for (uint32_t i = 0; i < e->schema->field_count; i++) {
        if (i > 0)
            sbuf_char(out, e->options.sep);
        put_text(&e->options, str_of(e->schema->fields[i].name), i == 0, out);
    }
    sbuf_char(out, '\n');
}

void csv_encode(struct csv_encoder *e, const struct batch *batch, uint32_t from, uint32_t to,
                struct sbuf *out, uint32_t *ends)
{
    CHECK(from <= to && to <= batch->rows);
    for (uint32_t row = from; row < to; row++) {
        size_t start = out->n;
        for (uint32_t i = 0; i < e->schema->field_count; i++) {
            const struct column *column = &batch->columns[i];
            if (i > 0)
                sbuf_char(out, e->options.sep);
            if (column_is_null(column, row))
                sbuf_cstr(out, e->options.null_value);
            else
                put_value(e, i, column, row, i == 0, out);
        }
        if (out->n == start && e->options.quote != 0) { /* a line that is blank would not be a record */
            sbuf_char(out, e->options.quote);
            sbuf_char(out, e->options.quote);
        }
        CHECK(out->n <= UINT32_MAX);
        if (ends != NULL)
            ends[row - from] = (uint32_t)out->n;
        sbuf_char(out, '\n');
    }
}

static void close_encoder(void *arg)
{
    sbuf_fini(&((struct csv_encoder *)arg)->text);
}

static bool compile_pattern(struct arena *arena, const char *name, const char *text,
                            const struct datetime_pattern **pattern, struct err *err)
{
    if (text == NULL || datetime_pattern_new(arena, str_of(text), PATTERN_FORMAT, pattern, err))
        return true;
    if (err != NULL)
        err->class = ERR_CONFIG;
    return err_context(err, "option \"%s\"", name);
}

struct csv_encoder *csv_encoder_new(struct pool *pool, const struct type *schema,
                                    const struct csv_options *options, struct err *err)
{
    struct csv_encoder *e = pool_new_struct(pool, struct csv_encoder);
    struct arena *arena = pool_arena(pool);
    e->options = options ? *options : csv_options_default();
    e->schema = schema;
    e->nested = arena_zarray(arena, struct json_encoder *, schema->field_count);
    pool_on_free(pool, close_encoder, e);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct type *type = schema->fields[i].type;
        if (!type_is_nested(type) && type->kind != TYPE_VARIANT && type->kind != TYPE_NULL)
            continue;
        e->nested[i] = json_encoder_new(pool, type, NULL, err);
        if (e->nested[i] == NULL)
            return NULL;
    }
    const struct csv_options *o = &e->options;
    bool ok = compile_pattern(arena, "timestampFormat", o->timestamp_format, &e->timestamp_pattern, err) &&
              compile_pattern(arena, "timestampNTZFormat", o->timestamp_ntz_format, &e->ntz_pattern, err) &&
              compile_pattern(arena, "dateFormat", o->date_format, &e->date_pattern, err);
    return ok ? e : NULL;
}

/* CSV records to columns, and a schema from CSV records.
 *
 * Columns are under construction as in the JSON reader (json_slot.c): bits of what nobody wrote are zero.
 * A field that its column does not take is NULL and reported; the rest of the record is taken. */
#include <stdio.h>

#include "base/utf8.h"
#include "format/csv_private.h"
#include "format/json_decode_private.h"
#include "type/cast.h"

struct csv_decoder {
    struct csv_options options;
    const struct type *schema;
    struct json_slot root;
    struct str null_value;
    int corrupt;
    uint32_t wanted;      /* fields of a record */
    int32_t *columns;     /* columns[wanted]: field → column, or -1 */
    int32_t *by_position; /* columns when there is no header */
    const struct datetime_pattern *timestamp_pattern, *ntz_pattern, *date_pattern;
    const struct json_cpu_code *code;
    struct pool *pool;

    /* the batch */
    struct arena *arena;
    const struct json_report *report;
    uint32_t row, misfits;
    const char *fault;
    struct sbuf text;
};

/* ---- values -------------------------------------------------------------------------------------------- */

static bool read_f64(const struct csv_options *o, struct str text, double *value)
{
    if (str_is(text, o->nan_value))
        *value = (double)__builtin_nanf("");
    else if (str_is(text, o->positive_inf))
        *value = (double)__builtin_inff();
    else if (str_is(text, o->negative_inf))
        *value = -(double)__builtin_inff();
    else
        return cast_str_to_f64(text, value);
    return true;
}

static bool read_bool(struct str text, uint8_t *value)
{
    *value = str_eq_nocase(text, STR("true"));
    return *value || str_eq_nocase(text, STR("false"));
}

static bool read_timestamp(const struct csv_decoder *d, struct str text, int64_t *us)
{
    bool has_zone;
    if (d->timestamp_pattern != NULL)
        return datetime_parse(d->timestamp_pattern, text, d->options.zone, us);
    if (!timestamp_parse_iso(text, us, &has_zone))
        return timestamp_parse(text, d->options.zone, NULL, us);
    if (!has_zone)
        *us = timezone_to_utc(d->options.zone, *us);
    return true;
}

static bool read_date(const struct csv_decoder *d, struct str text, int32_t *days)
{
    int64_t us;
    if (d->date_pattern == NULL)
        return date_parse(text, days);
    if (!datetime_parse_local(d->date_pattern, text, &us))
        return false;
    *days = (int32_t)floor_div(us, US_PER_DAY);
    return true;
}

static bool read_integer(const struct json_slot *slot, uint32_t row, struct str text)
{
    int64_t value;
    if (!cast_str_to_i64(text, type_int_min(slot->kind), type_int_max(slot->kind), &value))
        return false;
    switch (slot->kind) {
    case TYPE_BYTE: ((int8_t *)slot->data)[row] = (int8_t)value; break;
    case TYPE_SHORT: ((int16_t *)slot->data)[row] = (int16_t)value; break;
    case TYPE_INT: ((int32_t *)slot->data)[row] = (int32_t)value; break;
    default: ((int64_t *)slot->data)[row] = value; break;
    }
    return true;
}

static bool read_interval(const struct json_slot *slot, uint32_t row, struct str text)
{
    int64_t value;
    if (!interval_parse(text, slot->type, &value, NULL))
        return false;
    if (slot->kind == TYPE_INTERVAL_YM)
        ((int32_t *)slot->data)[row] = (int32_t)value;
    else
        ((int64_t *)slot->data)[row] = value;
    return true;
}

static bool read_binary(const struct csv_decoder *d, struct view *value, struct str text)
{
    uint8_t *bytes = arena_alloc(d->arena, text.n / 4 * 3 + 3);
    size_t n = json_base64_decode(text.p, text.n, bytes);
    if (n == SIZE_MAX)
        return false;
    *value = view_of((char *)bytes, n);
    return true;
}

/* Writes the value; false: the column does not take it. */
static bool read_value(const struct csv_decoder *d, const struct json_slot *slot, uint32_t row,
                       struct str text)
{
    double f;
    void *data = slot->data;
    switch (slot->kind) {
    case TYPE_BINARY: return read_binary(d, (struct view *)data + row, text);
    case TYPE_STRING:
        if (d->options.copy && text.n > VIEW_INLINE)
            text.p = arena_dup(d->arena, text.p, text.n);
        ((struct view *)data)[row] = view_of(text.p, text.n);
        return true;
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_LONG: return read_integer(slot, row, text);
    case TYPE_DOUBLE: return read_f64(&d->options, text, (double *)data + row);
    case TYPE_FLOAT:
        if (!read_f64(&d->options, text, &f))
            return false;
        if (f - f != 0 || !cast_str_to_f32(text, (float *)data + row))
            ((float *)data)[row] = (float)f;
        return true;
    case TYPE_BOOLEAN: return read_bool(text, (uint8_t *)data + row);
    case TYPE_DECIMAL:
        return decimal_parse(text, decimal_shape_of(slot->type), (i128 *)data + row) == DECIMAL_OK;
    case TYPE_DATE: return read_date(d, text, (int32_t *)data + row);
    case TYPE_TIMESTAMP: return read_timestamp(d, text, (int64_t *)data + row);
    case TYPE_TIMESTAMP_NTZ:
        return d->ntz_pattern ? datetime_parse_local(d->ntz_pattern, text, (int64_t *)data + row)
                              : timestamp_ntz_parse(text, false, (int64_t *)data + row);
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT: return read_interval(slot, row, text);
    default: return false;
    }
}

/* ---- records ------------------------------------------------------------------------------------------- */

static void report(struct csv_decoder *d, enum json_bad_kind kind, const char *path, const char *found,
                   struct str wanted, struct str text, size_t at)
{
    if (kind == JSON_BAD_VALUE)
        d->misfits++;
    if (d->report == NULL || d->report->bad == NULL)
        return;
    struct json_bad bad = {d->row, kind, str_of(path), found, wanted, text, at};
    d->report->bad(d->report->arg, &bad);
}

static void take_field(struct csv_decoder *d, const struct csv_field *field, int32_t column,
                       struct str record)
{
    struct json_slot *slot = &d->root.children[column];
    if (csv_is_null(field, d->null_value) || (field->text.n == 0 && !type_is_view(slot->type)))
        return; /* a row of one NULL is written as "" */
    if (LIKELY(read_value(d, slot, d->row, csv_value(field, &d->options, d->arena)))) {
        bit_set(slot->validity, d->row);
        return;
    }
    sbuf_clear(&d->text);
    type_to_sql(slot->type, &d->text);
    report(d, JSON_BAD_VALUE, d->schema->fields[column].name, "text", sbuf_view(&d->text), field->text,
           (size_t)(field->text.p - record.p));
}

static void report_count(struct csv_decoder *d, uint32_t count, struct str record)
{
    char found[32], wanted[32];
    snprintf(found, sizeof found, "%u field%s", count, count == 1 ? "" : "s");
    snprintf(wanted, sizeof wanted, "%u field%s", d->wanted, d->wanted == 1 ? "" : "s");
    report(d, JSON_BAD_VALUE, "", found, str_of(wanted), record, 0);
}

static bool bad_record(struct csv_decoder *d, const char *what, struct str record)
{
    d->fault = what;
    report(d, JSON_BAD_RECORD, "", what, STR("CSV"), record, 0);
    return false;
}

/* False: the record was not taken whole. */
static bool take_record(struct csv_decoder *d, struct str record)
{
    d->misfits = 0;
    if (UNLIKELY(record.n > d->options.record_max))
        return bad_record(d, "the record is too large", record);
    if (UNLIKELY(!d->code->utf8(record.p, record.n)))
        return bad_record(d, "the text is not UTF-8", record);
    uint32_t count = 0;
    for (size_t at = 0; at != SIZE_MAX; count++) {
        struct csv_field field = csv_next_field(record, &at, &d->options);
        if (LIKELY(count < d->wanted) && d->columns[count] >= 0)
            take_field(d, &field, d->columns[count], record);
    }
    if (UNLIKELY(count != d->wanted))
        report_count(d, count, record);
    return d->misfits == 0;
}

static void store_corrupt(struct csv_decoder *d, struct str record)
{
    if (d->corrupt < 0 || !utf8_valid(record.p, record.n))
        return;
    struct json_slot *slot = &d->root.children[d->corrupt];
    read_value(d, slot, d->row, record);
    bit_set(slot->validity, d->row);
}

static bool fail_fast(struct csv_decoder *d, struct err *err)
{
    if (d->misfits > 0)
        return err_set(err, ERR_DATA, "record %u: %u fields do not fit", d->row, d->misfits);
    return err_set(err, ERR_DATA, "record %u: %s", d->row, d->fault);
}

bool csv_decode(struct csv_decoder *d, const struct str *records, uint32_t count, struct batch *out,
                const struct json_report *report_to, struct err *err)
{
    CHECK(count <= BATCH_ROWS_MAX);
    bool ok = true;
    d->arena = &out->arena;
    d->report = report_to;
    json_slot_begin(&d->root, count, d->arena);
    for (uint32_t row = 0; row < count; row++) {
        d->row = row;
        if (records[row].p == NULL || LIKELY(take_record(d, records[row])))
            continue;
        store_corrupt(d, records[row]);
        if (d->options.mode == JSON_FAILFAST) {
            ok = fail_fast(d, err);
            break;
        }
    }
    struct column all = json_slot_finish(&d->root, count, d->arena);
    out->schema = d->schema;
    out->rows = count;
    out->columns = all.children;
    d->arena = NULL;
    d->report = NULL;
    return ok;
}

/* ---- the decoder --------------------------------------------------------------------------------------- */

static bool compile_pattern(struct arena *arena, const char *name, const char *text,
                            const struct datetime_pattern **pattern, struct err *err)
{
    if (text == NULL || datetime_pattern_new(arena, str_of(text), PATTERN_PARSE, pattern, err))
        return true;
    if (err != NULL)
        err->class = ERR_CONFIG;
    return err_context(err, "option \"%s\"", name);
}

static void close_decoder(void *arg)
{
    sbuf_fini(&((struct csv_decoder *)arg)->text);
}

static bool build_slots(struct csv_decoder *d, struct arena *arena, struct err *err)
{
    const struct type *schema = d->schema;
    d->root = (struct json_slot){.kind = TYPE_STRUCT, .type = schema, .child_count = schema->field_count};
    d->root.children = arena_zarray(arena, struct json_slot, schema->field_count);
    d->columns = d->by_position = arena_zarray(arena, int32_t, schema->field_count);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct type *type = schema->fields[i].type;
        if (type_is_nested(type) || type->kind == TYPE_VARIANT)
            return err_set(err, ERR_CONFIG, "CSV has no nested values, as column \"%s\" would need",
                           schema->fields[i].name);
        d->root.children[i].kind = type->kind;
        d->root.children[i].type = type;
        if ((int)i != d->corrupt)
            d->by_position[d->wanted++] = (int32_t)i;
    }
    return true;
}

struct csv_decoder *csv_decoder_new(struct pool *pool, const struct type *schema,
                                    const struct csv_options *options, struct err *err)
{
    CHECK(schema->kind == TYPE_STRUCT);
    struct csv_decoder *d = pool_new_struct(pool, struct csv_decoder);
    struct arena *arena = pool_arena(pool);
    d->options = options ? *options : csv_options_default();
    d->schema = schema = json_nullable(arena, schema);
    d->pool = pool;
    d->code = json_cpu_code(JSON_CPU_BEST);
    d->null_value = str_of(d->options.null_value);
    d->corrupt = d->options.corrupt_record ? type_field(schema, str_of(d->options.corrupt_record), false)
                                           : -1;
    if (d->corrupt >= 0 && schema->fields[d->corrupt].type->kind != TYPE_STRING)
        d->corrupt = -1;
    pool_on_free(pool, close_decoder, d);
    bool ok = build_slots(d, arena, err) &&
              compile_pattern(arena, "timestampFormat", d->options.timestamp_format, &d->timestamp_pattern,
                              err) &&
              compile_pattern(arena, "timestampNTZFormat", d->options.timestamp_ntz_format, &d->ntz_pattern,
                              err) &&
              compile_pattern(arena, "dateFormat", d->options.date_format, &d->date_pattern, err);
    return ok ? d : NULL;
}

void csv_decoder_header(struct csv_decoder *d, struct str header)
{
    struct arena scratch = {0};
    struct str *names = arena_array(&scratch, struct str, CSV_COLUMNS_MAX);
    size_t count = csv_fields(header, &d->options, names, CSV_COLUMNS_MAX, &scratch);
    count = count < CSV_COLUMNS_MAX ? count : CSV_COLUMNS_MAX;
    d->columns = arena_array(pool_arena(d->pool), int32_t, count);
    d->wanted = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        struct str name = i == 0 && str_starts(names[0], STR("\xEF\xBB\xBF"))
                              ? str_n(names[0].p + 3, names[0].n - 3)
                              : names[i];
        int column = type_field(d->schema, str_trim(name), true);
        d->columns[i] = column == d->corrupt ? -1 : column < 0 ? -1 : column;
    }
    arena_fini(&scratch);
}

/* ---- inference ----------------------------------------------------------------------------------------- */

/* What all values of a column may still be, the narrowest first. */
enum {
    MAY_INT = 1,
    MAY_LONG = 2,
    MAY_DOUBLE = 4,
    MAY_DATE = 8,
    MAY_TIMESTAMP = 16,
    MAY_BOOLEAN = 32,
    MAY_ALL = 63
};

static bool is_plain_date(struct str text)
{
    int32_t days;
    return text.n == 10 && text.p[4] == '-' && date_parse(text, &days);
}

static unsigned may_be(struct str text, unsigned still, const struct csv_options *o)
{
    int64_t i;
    double f;
    uint8_t b;
    unsigned may = 0;
    if ((still & MAY_LONG) && cast_str_to_i64(text, INT64_MIN, INT64_MAX, &i))
        may |= MAY_LONG | MAY_DOUBLE | (i == (int32_t)i ? MAY_INT : 0u);
    else if ((still & MAY_DOUBLE) && read_f64(o, text, &f))
        may |= MAY_DOUBLE;
    if ((still & (MAY_DATE | MAY_TIMESTAMP)) && text.n >= 10 && text.p[4] == '-')
        may |= (is_plain_date(text) ? MAY_DATE : 0u) |
               (timestamp_parse(text, NULL, NULL, &i) ? MAY_TIMESTAMP : 0u);
    if ((still & MAY_BOOLEAN) && read_bool(text, &b))
        may |= MAY_BOOLEAN;
    return may;
}

static const struct type *narrowest(unsigned may, bool seen)
{
    static const struct {
        unsigned bit;
        enum type_kind kind;
    } order[] = {{MAY_INT, TYPE_INT},   {MAY_LONG, TYPE_LONG},           {MAY_DOUBLE, TYPE_DOUBLE},
                 {MAY_DATE, TYPE_DATE}, {MAY_TIMESTAMP, TYPE_TIMESTAMP}, {MAY_BOOLEAN, TYPE_BOOLEAN}};
    for (size_t i = 0; seen && i < sizeof order / sizeof order[0]; i++)
        if (may & order[i].bit)
            return type_simple(order[i].kind);
    return type_simple(TYPE_STRING);
}

struct guess {
    unsigned may;
    bool seen;
};

static void look_at(struct guess *guesses, size_t max, struct str record, const struct csv_options *o,
                    struct arena *scratch)
{
    size_t column = 0;
    arena_reset(scratch);
    for (size_t at = 0; at != SIZE_MAX; column++) {
        struct csv_field field = csv_next_field(record, &at, o);
        if (column >= max || csv_is_null(&field, str_of(o->null_value)))
            continue;
        guesses[column].seen = true;
        if (guesses[column].may != 0)
            guesses[column].may &= may_be(csv_value(&field, o, scratch), guesses[column].may, o);
    }
}

/* "name", or _c<i> where there is none, or where it was there before. */
static const char *column_name(struct arena *arena, const struct field *fields, size_t i, struct str name)
{
    name = str_trim(name);
    for (size_t k = 0; k < i; k++)
        if (str_eq_nocase(str_of(fields[k].name), name))
            return arena_printf(arena, "%.*s%zu", STR_ARG(name), i);
    return name.n > 0 ? str_dup(arena, name) : arena_printf(arena, "_c%zu", i);
}

const struct type *csv_infer(struct arena *arena, struct str names, const struct str *records, size_t count,
                             const struct csv_options *options)
{
    const struct csv_options o = options ? *options : csv_options_default();
    struct arena scratch = {0}, fields_arena = {0};
    struct str first = names.p != NULL ? names : count > 0 ? records[0] : str_n(NULL, 0);
    struct str *texts = arena_array(&fields_arena, struct str, TYPE_FIELDS_MAX);
    size_t columns = first.p != NULL ? csv_fields(first, &o, texts, TYPE_FIELDS_MAX, &fields_arena) : 0;
    columns = columns < TYPE_FIELDS_MAX ? columns : TYPE_FIELDS_MAX;
    struct guess *guesses = arena_zarray(&fields_arena, struct guess, columns);
    for (size_t i = 0; i < columns; i++)
        guesses[i].may = MAY_ALL;
    for (size_t i = 0; i < count; i++)
        look_at(guesses, columns, records[i], &o, &scratch);
    struct field *fields = arena_zarray(arena, struct field, columns);
    for (size_t i = 0; i < columns; i++)
        fields[i] = (struct field){.name = column_name(arena, fields, i, names.p ? texts[i] : str_n(NULL, 0)),
                                   .type = narrowest(guesses[i].may, guesses[i].seen),
                                   .nullable = true};
    const struct type *schema = type_struct(arena, fields, (uint32_t)columns);
    arena_fini(&scratch);
    arena_fini(&fields_arena);
    return schema;
}

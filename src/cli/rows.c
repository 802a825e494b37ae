#include "cli/rows.h"

#include "format/csv.h"

static const char *const format_names[] = {"table", "json", "csv", "tsv"};

bool rows_format_find(const char *name, enum rows_format *format, struct err *err)
{
    *format = ROWS_TABLE;
    if (name == NULL)
        return true;
    for (int i = 0; i < 4; i++)
        if (strcmp(name, format_names[i]) == 0) {
            *format = (enum rows_format)i;
            return true;
        }
    err_set(err, ERR_CONFIG, "unknown output format \"%s\"", name);
    return err_hint(err, "There are table, json, csv and tsv.");
}

bool rows_init(struct rows *r, struct command_env *env, enum rows_format format, const struct type *schema,
               const struct timezone_data *zone, struct err *err)
{
    *r = (struct rows){
        .env = env, .format = format, .schema = schema, .zone = zone, .pool = pool_new(env->pool, "rows")};
    struct json_options json = json_options_default();
    struct csv_options csv = csv_options_rfc4180();
    json.ignore_null_fields = false;
    csv.zone = zone;
    csv.sep = format == ROWS_TSV ? '\t' : ',';
    if (format == ROWS_JSON) {
        r->json = json_encoder_new(r->pool, schema, &json, err);
        return r->json != NULL;
    }
    if (format != ROWS_TABLE) {
        r->csv = csv_encoder_new(r->pool, schema, &csv, err);
        if (r->csv)
            csv_encode_header(r->csv, &env->out);
        return r->csv != NULL;
    }
    struct table_column *columns = arena_zarray(pool_arena(r->pool), struct table_column,
                                                schema->field_count + 1);
    for (uint32_t i = 0; i < schema->field_count; i++)
        columns[i] = (struct table_column){.name = schema->fields[i].name,
                                           .right = type_is_numeric(schema->fields[i].type)};
    table_init(&r->table, env, columns, schema->field_count);
    return true;
}

static void table_batch(struct rows *r, const struct batch *batch)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    for (uint32_t row = 0; row < batch->rows && !r->env->closed; row++) {
        struct str *cells = arena_zarray(&arena, struct str, batch->schema->field_count + 1);
        for (uint32_t c = 0; c < batch->schema->field_count; c++) {
            struct value v = column_value(&batch->columns[c], row, &arena);
            if (v.is_null)
                continue;
            sbuf_clear(&text);
            value_to_text(&v, r->zone, &text);
            cells[c] = str_n(arena_dup(&arena, text.n ? text.p : "", text.n), text.n);
        }
        table_row(&r->table, cells);
        arena_reset(&arena);
    }
    sbuf_fini(&text);
    arena_fini(&arena);
}

void rows_batch(struct rows *r, const struct batch *batch)
{
    enum { ROWS = 512 }; /* of one step: what is encoded before it is sent */
    if (r->format == ROWS_TABLE) {
        table_batch(r, batch);
        return;
    }
    for (uint32_t from = 0; from < batch->rows && !r->env->closed; from += ROWS) {
        uint32_t to = from + ROWS < batch->rows ? from + ROWS : batch->rows;
        if (r->json)
            json_encode(r->json, batch, from, to, '\n', &r->env->out, NULL);
        else
            csv_encode(r->csv, batch, from, to, &r->env->out, NULL);
        if (r->env->out.n >= COMMAND_OUT_BYTES)
            env_flush(r->env);
    }
}

void rows_end(struct rows *r, bool whole)
{
    if (r->format == ROWS_TABLE)
        table_end(&r->table, whole);
    pool_free(r->pool);
}

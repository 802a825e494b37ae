/* See run_query.h. */
#include <ref/run_query.h>

struct tables {
    const struct query_table *items;
    uint32_t count;
};

static bool lookup(void *arg, const struct relation_name *name, struct relation *relation, struct err *err)
{
    const struct tables *tables = arg;
    struct str wanted = name->parts[name->part_count - 1];
    for (uint32_t i = 0; i < tables->count; i++)
        if (str_is(wanted, tables->items[i].name)) {
            *relation = (struct relation){.schema = tables->items[i].schema,
                                          .hidden_from = tables->items[i].schema->field_count};
            return true;
        }
    return err_set(err, ERR_CONFIG, "TABLE_OR_VIEW_NOT_FOUND: there is no \"%.*s\"", STR_ARG(wanted));
}

bool query_plan(struct arena *arena, const char *text, const struct query_table *tables, uint32_t count,
                const struct plan **plan, struct err *err)
{
    struct tables all = {tables, count};
    struct catalogue catalogue = {.lookup = lookup, .arg = &all, .ansi = true};
    struct plan *bound;
    if (!sql_plan(arena, str_of(text), &catalogue, &bound, err))
        return false;
    *plan = bound;
    return true;
}

void query_result_init(struct query_result *r, struct arena *arena)
{
    *r = (struct query_result){.arena = arena};
}

void query_result_fini(struct query_result *r)
{
    mem_free(r->rows);
    mem_free(r->change);
}

static struct value own(struct arena *arena, const struct value *v)
{
    struct value out = *v;
    if (v->is_null)
        return out;
    if (type_is_view(v->type) || v->type->kind == TYPE_VARIANT) {
        out.str = str_n(arena_dup(arena, v->str.n ? v->str.p : "", v->str.n), v->str.n);
        out.metadata = str_n(arena_dup(arena, v->metadata.n ? v->metadata.p : "", v->metadata.n),
                             v->metadata.n);
    } else if (type_is_nested(v->type)) {
        uint32_t n = v->nested.count * (v->type->kind == TYPE_MAP ? 2 : 1);
        struct value *items = arena_array(arena, struct value, n + 1);
        for (uint32_t i = 0; i < n; i++)
            items[i] = own(arena, &v->nested.items[i]);
        out.nested.items = items;
    }
    return out;
}

static void emit(void *arg, struct batch *batch)
{
    struct query_result *r = arg;
    struct err err = {0};
    struct arena scratch = {0};
    if (!batch_check(batch, &err))
        check_failed(__FILE__, __LINE__, err.text);
    size_t capacity = r->capacity;
    r->rows = mem_grow(r->rows, &capacity, (size_t)r->count + batch->rows, sizeof(*r->rows));
    r->change = mem_resize(r->change, capacity + 1);
    r->capacity = capacity;
    struct value *rows = arena_array(&scratch, struct value, batch->rows + 1);
    for (uint32_t row = 0; row < batch->rows; row++) {
        struct value v = {.type = batch->schema};
        struct value *items = arena_array(&scratch, struct value, batch->schema->field_count + 1);
        for (uint32_t c = 0; c < batch->schema->field_count; c++)
            items[c] = column_value(&batch->columns[c], row, &scratch);
        v.nested.count = batch->schema->field_count;
        v.nested.items = items;
        rows[row] = v;
        r->rows[r->count] = own(r->arena, &rows[row]);
        r->change[r->count++] = batch->change ? batch->change[row] : CHANGE_INSERT;
    }
    arena_fini(&scratch);
}

static void bad(void *arg, const struct op_bad_row *row)
{
    struct query_result *r = arg;
    r->bad++;
    r->last_reason = arena_strdup(r->arena, row->reason);
}

void query_push(struct pipeline *p, const struct eval_context *context, uint32_t scan,
                const struct op_msg *msg, struct query_result *r)
{
    struct pipeline_output output = {.emit = emit, .bad = bad, .arg = r};
    pipeline_push(p, context, scan, msg, &output);
}

struct batch query_scan_batch(struct arena *arena, const struct plan *scan, const struct batch *in)
{
    struct batch out = *in;
    out.schema = scan->schema;
    out.columns = arena_array(arena, struct column, scan->column_count + 1);
    for (uint32_t i = 0; i < scan->column_count; i++)
        out.columns[i] = in->columns[scan->columns[i]];
    return out;
}

void query_text(const struct query_result *r, bool with_change, struct sbuf *out)
{
    static const char *const kinds[] = {"+I ", "-U ", "+U ", "-D "};
    for (uint32_t row = 0; row < r->count; row++) {
        if (row)
            sbuf_cstr(out, " | ");
        if (with_change)
            sbuf_cstr(out, kinds[r->change[row]]);
        for (uint32_t c = 0; c < r->rows[row].nested.count; c++) {
            if (c)
                sbuf_char(out, ',');
            value_to_text(&r->rows[row].nested.items[c], NULL, out);
        }
    }
}

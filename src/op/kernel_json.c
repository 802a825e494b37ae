/* JSON and CSV in columns: from_json, to_json, get_json_object and their kin, over format/. A reader or
 * writer is made with the first batch, when the time zone is known. */
#include "format/csv.h"
#include "format/json.h"
#include "op/gather.h"
#include "op/kernels_private.h"
#include "json/tree.h"

/* State of a from_ or to_ call: the options of its last argument, and what was made of them. */
struct reader {
    struct pool *pool;       /* of the program */
    struct pool *made;       /* of decoder or encoder; made anew when the zone changes */
    const struct type *type; /* of the value: what comes out of from_, goes into to_ */
    const struct type *row;  /* a struct with the value as its field, or the value's own */
    const char **options;    /* name, value, name, value … [2 × option_count] */
    uint32_t option_count;
    bool csv, bare, failfast;
    const struct timezone_data *zone;
    struct json_decoder *json;
    struct json_encoder *json_out;
    struct csv_decoder *text;
    struct csv_encoder *text_out;
    struct err err; /* why it could not be made */
};

static bool read_options(struct kernel_pick *p, struct reader *r, uint32_t arg, struct err *err)
{
    if (p->expr->arg_count <= arg)
        return true;
    const struct column *map = p->constants[arg];
    struct arena *arena = pool_arena(p->pool);
    if (map == NULL || map->type->kind != TYPE_MAP)
        return err_set(err, ERR_CONFIG, "NON_MAP_FUNCTION: the options of \"%s\" must be a constant map",
                       p->expr->function->name);
    uint32_t n = map->offsets[1] - map->offsets[0];
    r->options = arena_array(arena, const char *, 2 * (size_t)n + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct value name = column_value(&map->children[0], map->offsets[0] + i, arena);
        struct value v = column_value(&map->children[1], map->offsets[0] + i, arena);
        if (v.is_null)
            continue;
        r->options[2 * r->option_count] = str_dup(arena, name.str);
        r->options[2 * r->option_count++ + 1] = str_dup(arena, v.str);
    }
    return true;
}

static bool json_settings(const struct reader *r, struct json_options *options, struct err *err)
{
    *options = json_options_default();
    for (uint32_t i = 0; i < r->option_count; i++)
        TRY(json_options_set(options, r->options[2 * i], r->options[2 * i + 1], err));
    options->zone = r->zone;
    options->bare = r->bare;
    options->copy = false;
    return true;
}

static bool csv_settings(const struct reader *r, struct csv_options *options, struct err *err)
{
    *options = csv_options_default();
    for (uint32_t i = 0; i < r->option_count; i++)
        TRY(csv_options_set(options, r->options[2 * i], r->options[2 * i + 1], err));
    options->zone = r->zone;
    options->copy = false;
    return true;
}

/* The reader for this zone; writing: the encoder. */
static bool make(struct reader *r, const struct timezone_data *zone, bool writing, struct err *err)
{
    struct json_options json;
    struct csv_options csv;
    if (r->made && r->zone == zone)
        return true;
    pool_free(r->made);
    r->made = pool_new(r->pool, "json");
    r->zone = zone;
    if (r->csv) {
        TRY(csv_settings(r, &csv, err));
        r->failfast = csv.mode == JSON_FAILFAST;
        csv.mode = JSON_PERMISSIVE; /* we say which rows fail */
        if (writing)
            return (r->text_out = csv_encoder_new(r->made, r->type, &csv, err)) != NULL;
        return (r->text = csv_decoder_new(r->made, r->row, &csv, err)) != NULL;
    }
    TRY(json_settings(r, &json, err));
    r->failfast = json.mode == JSON_FAILFAST;
    json.mode = JSON_PERMISSIVE;
    if (writing)
        return (r->json_out = json_encoder_new(r->made, r->type, &json, err)) != NULL;
    return (r->json = json_decoder_new(r->made, r->row, &json, err)) != NULL;
}

static bool pick_reader(struct kernel_pick *p, const struct type *type, uint32_t options, bool csv,
                        bool writing, struct err *err)
{
    struct reader *r = pool_new_struct(p->pool, struct reader);
    struct arena *arena = pool_arena(p->pool);
    r->pool = p->pool;
    r->csv = csv;
    r->type = r->row = type;
    if (type->kind != TYPE_STRUCT) {
        struct field value = {"value", type, true, NULL};
        r->row = type_struct(arena, &value, 1);
        r->bare = true;
    }
    TRY(read_options(p, r, options, err));
    p->state = r;
    p->flags |= KERNEL_CONTEXT;
    return make(r, NULL, writing, err); /* a wrong option is an error of the query */
}

/* ---- from text ----------------------------------------------------------------------------------------- */

/* The texts of the rows asked for; others have none, and give NULL. */
static struct str *records_of(struct call *c)
{
    struct str *records = arena_zarray(c->arena, struct str, c->rows + 1);
    for (EACH_ROW(c, row)) {
        records[row] = arg_str(c, 0, row);
        if (records[row].p == NULL)
            records[row].p = "";
    }
    return records;
}

static void report_bad(void *arg, const struct json_bad *bad)
{
    struct call *c = arg;
    if (bad->kind != JSON_BAD_EMPTY)
        row_errors_add(c->errors, c->arena, bad->row,
                       arena_printf(c->arena, "MALFORMED_RECORD_IN_PARSING: \"%.*s\" could not be read: %s",
                                    (int)(bad->text.n < 100 ? bad->text.n : 100), bad->text.p,
                                    bad->found ? bad->found : "malformed"));
}

/* FAILFAST: a row that failed is NULL at every level. */
static void blank_failed(struct call *c)
{
    const struct column *from = c->out;
    uint32_t *rows = arena_array(c->arena, uint32_t, c->rows + 1);
    for (uint32_t row = 0; row < c->rows; row++)
        rows[row] = row;
    for (uint32_t i = 0; i < c->errors->count; i++)
        if (c->errors->items[i].row < c->rows)
            rows[c->errors->items[i].row] = GATHER_NULL;
    *c->out = column_gather(c->out->type, &from, 1, NULL, rows, c->rows, c->arena);
}

static void from_text(struct call *c)
{
    struct reader *r = c->step->state;
    struct err err = {0};
    bool ok = make(r, c->context->zone, false, &err);
    CHECK(ok); /* it was once */
    struct str *records = records_of(c);
    struct json_report report = {.bad = r->failfast ? report_bad : NULL, .arg = c};
    struct batch decoded = {.partition = -1,
                            .arena = *c->arena}; /* the run's arena is lent for the time of the call */
    struct arena *own = c->arena;
    c->arena = &decoded.arena;
    if (r->csv)
        csv_decode(r->text, records, c->rows, &decoded, &report, &err);
    else
        json_decode(r->json, records, c->rows, &decoded, &report, &err);
    *own = decoded.arena;
    c->arena = own;
    mem_free(decoded.bufs);
    if (r->bare) { /* rows without a record are NULL in the column already */
        *c->out = decoded.columns[0];
        c->out->type = c->step->type;
    } else {
        c->out->children = decoded.columns;
    }
    c->out->rows = c->rows;
    if (r->failfast)
        blank_failed(c);
}

bool pick_from_json(struct kernel_pick *p, struct err *err)
{
    p->run = from_text;
    p->flags |= KERNEL_OUT;
    return pick_reader(p, p->expr->type, 1, false, false, err);
}
bool pick_from_csv(struct kernel_pick *p, struct err *err)
{
    p->run = from_text;
    p->flags |= KERNEL_OUT;
    return pick_reader(p, p->expr->type, 1, true, false, err);
}

/* ---- to text ------------------------------------------------------------------------------------------- */

static void encode_row(const struct reader *r, const struct column *column, uint32_t row, struct sbuf *text)
{
    if (!r->csv) {
        json_encode_column(r->json_out, column, row, row + 1, 0, text, NULL);
        return;
    }
    struct batch one = {.schema = r->type, .rows = column->rows, .columns = column->children};
    csv_encode(r->text_out, &one, row, row + 1, text, NULL);
    while (text->n && text->p[text->n - 1] == '\n')
        text->n--;
}

static void to_text(struct call *c)
{
    struct reader *r = c->step->state;
    struct err err = {0};
    struct sbuf text = {0};
    bool ok = make(r, c->context->zone, true, &err);
    CHECK(ok);
    for (EACH_ROW(c, row)) {
        sbuf_clear(&text);
        encode_row(r, &c->args[0], arg_at(c, 0, row), &text);
        out_copy(c, row, sbuf_view(&text));
    }
    sbuf_fini(&text);
}

bool pick_to_json(struct kernel_pick *p, struct err *err)
{
    p->run = to_text;
    return pick_reader(p, p->expr->args[0]->type, 1, false, true, err);
}
bool pick_to_csv(struct kernel_pick *p, struct err *err)
{
    p->run = to_text;
    return pick_reader(p, p->expr->args[0]->type, 1, true, true, err);
}

/* ---- parts of a document ------------------------------------------------------------------------------- */

/* A step of a path: .name, ['name'], [n], [*], .* */
enum { JSON_PATH_STEPS_MAX = 64 };

struct path {
    struct path_step {
        enum { PATH_NAME, PATH_INDEX, PATH_ALL } kind;
        struct str name;
        int64_t index;
    } steps[JSON_PATH_STEPS_MAX];
    uint32_t count;
};

static bool path_bracket(struct str s, size_t *at, struct path_step *step)
{
    size_t close = str_find(s, STR("]"), *at);
    if (close == SIZE_MAX)
        return false;
    struct str inside = str_n(s.p + *at + 1, close - *at - 1);
    *at = close + 1;
    if (str_is(inside, "*")) {
        step->kind = PATH_ALL;
        return true;
    }
    if (inside.n >= 2 && inside.p[0] == '\'' && inside.p[inside.n - 1] == '\'') {
        step->kind = PATH_NAME;
        step->name = str_n(inside.p + 1, inside.n - 2);
        return true;
    }
    step->kind = PATH_INDEX;
    return str_to_i64(inside, &step->index) && step->index >= 0;
}

/* false: it is no path, and finds nothing. */
static bool path_parse(struct str s, struct path *path)
{
    path->count = 0;
    if (s.n == 0 || s.p[0] != '$')
        return false;
    for (size_t at = 1; at < s.n;) {
        if (path->count == JSON_PATH_STEPS_MAX)
            return false;
        struct path_step *step = &path->steps[path->count++];
        if (s.p[at] == '[') {
            if (!path_bracket(s, &at, step))
                return false;
            continue;
        }
        if (s.p[at] != '.')
            return false;
        size_t from = ++at;
        while (at < s.n && s.p[at] != '.' && s.p[at] != '[')
            at++;
        step->name = str_n(s.p + from, at - from);
        step->kind = str_is(step->name, "*") ? PATH_ALL : PATH_NAME;
        if (at == from)
            return false;
    }
    return true;
}

struct found {
    const struct json_node *first;
    uint32_t count;
    struct sbuf *list; /* texts of all, parted by commas */
};

/* Everything under the path; [*] goes on for each element. Depth is that of the path. */
static void path_walk(const struct json_node *node, const struct path *path, uint32_t at, struct found *found)
{
    if (node == NULL)
        return;
    if (at == path->count) {
        if (found->count++ == 0)
            found->first = node;
        else
            sbuf_char(found->list, ',');
        json_write(node, found->list);
        return;
    }
    const struct path_step *step = &path->steps[at];
    int64_t i = 0;
    if (step->kind == PATH_NAME && node->kind == JSON_OBJECT) {
        path_walk(json_member(node, step->name), path, at + 1, found);
    } else if (step->kind == PATH_INDEX && node->kind == JSON_ARRAY) {
        JSON_EACH(child, node)
        if (i++ == step->index)
            path_walk(child, path, at + 1, found);
    } else if (step->kind == PATH_ALL && (node->kind == JSON_ARRAY || node->kind == JSON_OBJECT)) {
        JSON_EACH(child, node)
        path_walk(child, path, at + 1, found);
    } else if (step->kind == PATH_NAME && node->kind == JSON_ARRAY) { /* as Hive: of each element */
        JSON_EACH(child, node)
        if (child->kind == JSON_OBJECT)
            path_walk(json_member(child, step->name), path, at + 1, found);
    }
}

static bool has_all(const struct path *path)
{
    for (uint32_t i = 0; i < path->count; i++)
        if (path->steps[i].kind == PATH_ALL)
            return true;
    return false;
}

static void object_row(struct call *c, uint32_t row, const struct path *path, struct arena *arena,
                       struct sbuf *list)
{
    const struct json_node *root;
    struct found found = {.list = list};
    if (!json_parse(arena, arg_str(c, 0, row), &root, NULL)) {
        out_null(c, row);
        return;
    }
    sbuf_clear(list);
    path_walk(root, path, 0, &found);
    if (found.count == 0 || (found.count == 1 && found.first->kind == JSON_NULL)) {
        out_null(c, row);
    } else if (found.count == 1 && found.first->kind == JSON_STRING && !has_all(path)) {
        out_copy(c, row, found.first->text);
    } else if (found.count == 1) {
        out_copy(c, row, sbuf_view(list));
    } else {
        char *to = out_room(c, row, list->n + 2);
        if (to == NULL)
            return;
        to[0] = '[';
        memcpy(to + 1, list->p, list->n);
        to[list->n + 1] = ']';
        out_str(c, row, str_n(to, list->n + 2));
    }
}

void kernel_get_json_object(struct call *c)
{
    struct arena arena = {0};
    struct sbuf list = {0};
    struct path path;
    struct str last = {NULL, 0};
    bool ok = false;
    for (EACH_ROW(c, row)) {
        struct str text = arg_str(c, 1, row);
        if (last.p == NULL || !str_eq(last, text))
            ok = path_parse(text, &path);
        last = text;
        arena_reset(&arena);
        if (ok)
            object_row(c, row, &path, &arena, &list);
        else
            out_null(c, row);
    }
    arena_fini(&arena);
    sbuf_fini(&list);
}

void kernel_json_array_length(struct call *c)
{
    struct arena arena = {0};
    for (EACH_ROW(c, row)) {
        const struct json_node *root;
        arena_reset(&arena);
        if (json_parse(&arena, arg_str(c, 0, row), &root, NULL) && root->kind == JSON_ARRAY)
            OUT(c, int32_t)[row] = (int32_t)root->count;
        else
            out_null(c, row);
    }
    arena_fini(&arena);
}

void kernel_json_object_keys(struct call *c)
{
    struct arena arena = {0};
    struct column_builder keys;
    uint32_t next = 0;
    c->out->offsets = arena_zarray(c->arena, uint32_t, (size_t)c->rows + 1);
    c->out->children = arena_new(c->arena, struct column);
    column_builder_init(&keys, c->out->type->fields[0].type, c->arena);
    for (EACH_ROW(c, row)) {
        const struct json_node *root;
        for (; next <= row; next++)
            c->out->offsets[next] = keys.rows;
        arena_reset(&arena);
        if (!json_parse(&arena, arg_str(c, 0, row), &root, NULL) || root->kind != JSON_OBJECT) {
            out_null(c, row);
            continue;
        }
        JSON_EACH(child, root)
        column_builder_str(&keys, child->name, true);
    }
    for (; next <= c->rows; next++)
        c->out->offsets[next] = keys.rows;
    *c->out->children = column_builder_finish(&keys);
    arena_fini(&arena);
}

/* ---- schemas ------------------------------------------------------------------------------------------- */

static void schema_of_json(struct call *c)
{
    struct sbuf text = {0};
    for (EACH_ROW(c, row)) {
        const struct reader *r = c->step->state;
        struct json_options options;
        const struct type *type;
        struct err err = {0};
        sbuf_clear(&text);
        if (!json_settings(r, &options, &err) ||
            !json_infer_value(c->arena, arg_str(c, 0, row), &options, &type, &err)) {
            out_error(c, row, "%s", err.text);
            continue;
        }
        type_to_sql(type, &text);
        out_copy(c, row, sbuf_view(&text));
    }
    sbuf_fini(&text);
}

static void schema_of_csv(struct call *c)
{
    struct sbuf text = {0};
    for (EACH_ROW(c, row)) {
        const struct reader *r = c->step->state;
        struct csv_options options;
        struct str record = arg_str(c, 0, row);
        struct err err = {0};
        sbuf_clear(&text);
        if (!csv_settings(r, &options, &err)) {
            out_error(c, row, "%s", err.text);
            continue;
        }
        type_to_sql(csv_infer(c->arena, (struct str){NULL, 0}, &record, 1, &options), &text);
        out_copy(c, row, sbuf_view(&text));
    }
    sbuf_fini(&text);
}

static bool pick_schema_of(struct kernel_pick *p, kernel_fn *run, struct err *err)
{
    struct reader *r = pool_new_struct(p->pool, struct reader);
    TRY(read_options(p, r, 1, err));
    p->state = r;
    p->run = run;
    return true;
}
bool pick_schema_of_json(struct kernel_pick *p, struct err *err)
{
    return pick_schema_of(p, schema_of_json, err);
}
bool pick_schema_of_csv(struct kernel_pick *p, struct err *err)
{
    return pick_schema_of(p, schema_of_csv, err);
}

/* Keys are made for a whole batch at once: each column's values as JSON text in one go, then put together row by row. Records without
 * declared columns are different where the key is an object: what is a string and what a number only the record itself says, so each is
 * parsed into a tree. */
#include "topic/key.h"

#include "format/json.h"
#include "json/tree.h"

struct key_column {
    const char *name;             /* the path, as the project has it */
    struct json_encoder *encoder; /* NULL: the only column, and its bytes are the key */
    struct sbuf text;             /* its values */
    uint32_t *ends;
    size_t ends_capacity;
};

struct topic_key {
    const struct topic_def *def;
    struct key_column *columns; /* columns[def->key_count] */
    struct str *keys;           /* of the last call */
    uint32_t *ends;             /* in text */
    size_t keys_capacity, ends_capacity;
    struct sbuf text;
    struct arena arena;

    /* of records */
    struct json_decoder *decoder; /* NULL: by tree */
    struct batch *batch;
};

static void close_key(void *arg)
{
    struct topic_key *k = arg;
    for (uint32_t i = 0; i < k->def->key_count; i++) {
        sbuf_fini(&k->columns[i].text);
        mem_free(k->columns[i].ends);
    }
    mem_free(k->keys);
    mem_free(k->ends);
    sbuf_fini(&k->text);
    arena_fini(&k->arena);
    batch_free(k->batch);
}

static struct topic_key *new_key(struct pool *pool, const struct topic_def *def)
{
    struct topic_key *k = pool_new_struct(pool, struct topic_key);
    *k = (struct topic_key){.def = def};
    k->columns = pool_alloc(pool, mem_product(def->key_count, sizeof *k->columns));
    for (uint32_t i = 0; i < def->key_count; i++)
        k->columns[i] = (struct key_column){.name = def->keys[i]};
    pool_on_free(pool, close_key, k);
    return k;
}

/* ---- paths ------------------------------------------------------------------------------------------------------------- */

/* The first name of a path "a.b"; rest is what follows it, p NULL at its end. */
static struct str next_name(struct str *rest)
{
    size_t dot = str_find(*rest, STR("."), 0);
    struct str name = dot == SIZE_MAX ? *rest : str_n(rest->p, dot);
    *rest = dot == SIZE_MAX ? (struct str){0} : str_n(rest->p + dot + 1, rest->n - dot - 1);
    return name;
}

static const struct type *find_type(const struct type *type, struct str path)
{
    while (path.p) {
        int index = type->kind == TYPE_STRUCT ? type_field(type, next_name(&path), true) : -1;
        if (index < 0)
            return NULL;
        type = type->fields[index].type;
    }
    return type;
}

/* STRUCT<a: STRUCT<b: STRING>> for the path "a.b". */
static const struct type *path_schema(struct arena *arena, struct str path)
{
    struct field field = {.name = str_dup(arena, next_name(&path)), .nullable = true};
    field.type = path.p ? path_schema(arena, path) : type_simple(TYPE_STRING);
    return type_struct(arena, &field, 1);
}

/* The column at a path that find_type has found; what is not flat on the way becomes so, in arena. A null struct's fields are null. */
static struct column find_column(const struct batch *batch, struct str path, struct arena *arena)
{
    const struct type *type = batch->schema;
    const struct column *columns = batch->columns;
    for (;;) {
        int index = type_field(type, next_name(&path), true);
        CHECK(index >= 0);
        if (path.p == NULL)
            return columns[index];
        struct column *flat = arena_new(arena, struct column);
        *flat = column_flatten(&columns[index], arena);
        type = flat->type;
        columns = flat->children;
    }
}

/* ---- rows -------------------------------------------------------------------------------------------------------------- */

bool topic_key_of_rows(struct pool *pool, const struct topic_def *def, const struct type *schema,
                       struct topic_key **key, struct err *err)
{
    struct topic_key *k = *key = new_key(pool, def);
    for (uint32_t i = 0; i < def->key_count; i++) {
        const struct type *type = find_type(schema, str_of(def->keys[i]));
        if (type == NULL)
            return err_set(err, ERR_CONFIG,
                           "topic \"%s\": the key column \"%s\" is not among the columns of its rows",
                           def->name, def->keys[i]);
        if (def->key_count == 1 && (type->kind == TYPE_STRING || type->kind == TYPE_BINARY))
            continue;
        k->columns[i].encoder = json_encoder_new(pool, type, NULL, err);
        if (k->columns[i].encoder == NULL)
            return err_context(err, "key of topic \"%s\"", def->name);
    }
    return true;
}

const struct type *topic_key_columns(struct arena *arena, const struct topic_def *def,
                                     const struct type *schema, struct err *err)
{
    struct field *fields = arena_array(arena, struct field, def->key_count);
    for (uint32_t i = 0; i < def->key_count; i++) {
        struct str rest = str_of(def->keys[i]), name = rest;
        const struct type *type = find_type(schema, rest);
        while (rest.p)
            name = next_name(&rest);
        if (type == NULL) {
            err_set(err, ERR_CONFIG,
                    "topic \"%s\": the key column \"%s\" is not among the columns of its rows", def->name,
                    def->keys[i]);
            return NULL;
        }
        fields[i] = (struct field){.name = str_dup(arena, name), .type = type};
    }
    return type_struct(arena, fields, def->key_count);
}

void topic_key_batch(struct arena *arena, const struct topic_def *def, const struct type *columns,
                     const struct batch *batch, struct batch *keys)
{
    *keys = (struct batch){
        .schema = columns, .rows = batch->rows, .columns = arena_array(arena, struct column, def->key_count)};
    for (uint32_t i = 0; i < def->key_count; i++)
        keys->columns[i] = find_column(batch, str_of(def->keys[i]), arena);
}

static void bytes_of(struct str *keys, const struct column *column, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++) {
        const struct column *values;
        if (column_is_null(column, i))
            continue;
        uint32_t at = column_resolve(column, i, &values);
        keys[i] = view_str((const struct view *)values->data + at);
        if (keys[i].p == NULL)
            keys[i] = STR("");
    }
}

static void encode(struct key_column *c, const struct column *column, uint32_t rows)
{
    sbuf_clear(&c->text);
    c->ends = mem_grow(c->ends, &c->ends_capacity, rows, sizeof *c->ends);
    json_encode_column(c->encoder, column, 0, rows, 0, &c->text, c->ends);
}

static struct str encoded(const struct key_column *c, uint32_t row)
{
    uint32_t start = row ? c->ends[row - 1] : 0;
    return str_n(c->text.p + start, c->ends[row] - start);
}

/* Scalars that are no STRING need no escapes: their quotes come off. */
static void texts_of(struct str *keys, struct key_column *c, const struct column *column, uint32_t rows)
{
    encode(c, column, rows);
    for (uint32_t i = 0; i < rows; i++) {
        if (column_is_null(column, i))
            continue;
        keys[i] = encoded(c, i);
        if (keys[i].p[0] == '"')
            keys[i] = str_n(keys[i].p + 1, keys[i].n - 2);
    }
}

static void begin_keys(struct topic_key *k, uint32_t count)
{
    k->keys = mem_grow(k->keys, &k->keys_capacity, count, sizeof *k->keys);
    k->ends = mem_grow(k->ends, &k->ends_capacity, count, sizeof *k->ends);
    memset(k->keys, 0, count * sizeof *k->keys);
    sbuf_clear(&k->text);
}

static void put_member(struct sbuf *text, uint32_t i, const char *name)
{
    sbuf_char(text, i ? ',' : '{');
    sbuf_json(text, str_of(name));
    sbuf_char(text, ':');
}

/* Row i's object is text from the row before it on: taken back where all is null. */
static void end_object(struct topic_key *k, uint32_t i, bool any)
{
    if (any)
        sbuf_char(&k->text, '}');
    else
        k->text.n = i ? k->ends[i - 1] : 0;
    k->ends[i] = (uint32_t)k->text.n;
}

/* Once the text does not move any more. */
static void place_objects(struct topic_key *k, uint32_t count)
{
    for (uint32_t i = 0, start = 0; i < count; start = k->ends[i++])
        if (k->ends[i] > start)
            k->keys[i] = str_n(k->text.p + start, k->ends[i] - start);
}

static void objects_of(struct topic_key *k, const struct batch *batch)
{
    uint32_t n = k->def->key_count;
    struct column *columns = arena_array(&k->arena, struct column, n);
    for (uint32_t c = 0; c < n; c++) {
        columns[c] = find_column(batch, str_of(k->columns[c].name), &k->arena);
        encode(&k->columns[c], &columns[c], batch->rows);
    }
    for (uint32_t i = 0; i < batch->rows; i++) {
        bool any = false;
        for (uint32_t c = 0; c < n; c++) {
            put_member(&k->text, c, k->columns[c].name);
            sbuf_str(&k->text, encoded(&k->columns[c], i));
            any = any || !column_is_null(&columns[c], i);
        }
        end_object(k, i, any);
    }
    place_objects(k, batch->rows);
}

const struct str *topic_key_rows(struct topic_key *k, const struct batch *batch)
{
    arena_reset(&k->arena);
    begin_keys(k, batch->rows);
    if (k->def->key_count > 1) {
        objects_of(k, batch);
        return k->keys;
    }
    struct column column = find_column(batch, str_of(k->columns[0].name), &k->arena);
    if (k->columns[0].encoder)
        texts_of(k->keys, &k->columns[0], &column, batch->rows);
    else
        bytes_of(k->keys, &column, batch->rows);
    return k->keys;
}

/* ---- records ----------------------------------------------------------------------------------------------------------- */

/* The declared columns that hold those of the key, or NULL where one is not declared. */
static const struct type *declared(struct arena *arena, const struct topic_def *def)
{
    const struct type *schema = def->schema;
    for (uint32_t i = 0; i < def->key_count; i++)
        if (schema == NULL || find_type(schema, str_of(def->keys[i])) == NULL)
            return NULL;
    struct field *fields = arena_array(arena, struct field, schema->field_count);
    uint32_t count = 0;
    for (uint32_t f = 0; f < schema->field_count; f++)
        for (uint32_t i = 0; i < def->key_count; i++) {
            struct str path = str_of(def->keys[i]);
            if (!str_eq_nocase(next_name(&path), str_of(schema->fields[f].name)))
                continue;
            fields[count++] = schema->fields[f];
            break;
        }
    return type_struct(arena, fields, count);
}

bool topic_key_of_records(struct pool *pool, const struct topic_def *def, struct topic_key **key,
                          struct err *err)
{
    const struct type *schema = declared(pool_arena(pool), def);
    if (schema == NULL && def->key_count == 1)
        schema = path_schema(pool_arena(pool), str_of(def->keys[0]));
    if (schema == NULL) {
        *key = new_key(pool, def);
        return true;
    }
    TRY(topic_key_of_rows(pool, def, schema, key, err));
    (*key)->batch = batch_new();
    (*key)->decoder = json_decoder_new(pool, schema, NULL, err);
    return (*key)->decoder != NULL || err_context(err, "key of topic \"%s\"", def->name);
}

static void object_of_record(struct topic_key *k, uint32_t i, struct str value)
{
    const struct json_node *root;
    struct err ignored;
    bool any = false;
    arena_reset(&k->arena);
    if (value.p == NULL || !json_parse(&k->arena, value, &root, &ignored))
        root = NULL;
    for (uint32_t c = 0; c < k->def->key_count; c++) {
        const struct json_node *node = json_get(root, k->columns[c].name);
        put_member(&k->text, c, k->columns[c].name);
        if (node)
            json_write(node, &k->text);
        else
            sbuf_cstr(&k->text, "null");
        any = any || (node && node->kind != JSON_NULL);
    }
    end_object(k, i, any);
}

bool topic_key_records(struct topic_key *k, const struct str *values, uint32_t count, const struct str **keys,
                       struct err *err)
{
    if (k->decoder) {
        batch_reset(k->batch);
        TRY(json_decode(k->decoder, values, count, k->batch, NULL, err));
        *keys = topic_key_rows(k, k->batch);
        return true;
    }
    begin_keys(k, count);
    for (uint32_t i = 0; i < count; i++)
        object_of_record(k, i, values[i]);
    place_objects(k, count);
    *keys = k->keys;
    return true;
}

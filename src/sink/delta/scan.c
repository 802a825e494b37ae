/* How a scan works: the table's state gives the files, in the order in which they were added; each is one Parquet scan over the columns that
 * files hold, into the caller's batch. The batch's list of columns is then made anew with the partition's constants at their places, and
 * rows that the file's deletion vector marks are taken out. Nothing is copied for a file without marked rows. */
#include "sink/delta/scan.h"

#include <stdio.h>
#include <zlib.h>

#include "base/bytes.h"
#include "format/parquet.h"
#include "os/os.h"
#include "type/cast.h"
#include "json/tree.h"

#define VECTOR_ROWS_MAX (INT64_C(1) << 34) /* rows of a file with a deletion vector: 2 GiB of bits */

enum {
    VECTOR_BYTES_MAX = 256 << 20,
    VECTOR_UUID_TEXT = 20, /* a UUID as Z85 */
};

struct delta_scan {
    struct pool *pool;
    struct delta_table table;
    const struct type *schema;        /* of the batches */
    const struct parquet_name *names; /* [schema->field_count] as the table's files have them */
    int *partition_of;                /* [field_count] index into partition_columns, or −1: in the files */
    const char **partition_keys;      /* [partition_column_count] names in partitionValues */
    const struct type *stored;        /* of the columns that are in the files, in order */
    const struct parquet_name *stored_names;
    struct compress_ctx *ctx;
    size_t next;                                             /* entry of table.files */
    bool (*wants)(void *arg, const struct delta_file *file); /* NULL: all of them */
    void *wants_arg;
    /* the file that is being read */
    struct pool *file_pool; /* NULL: none */
    int file;
    struct parquet_scan *scan;
    struct value *constants; /* [field_count], in file_pool */
    uint8_t *deleted;        /* bits, or NULL; on the heap */
    uint32_t *kept;          /* rows of a batch that stay */
};

/* ---- the wanted columns ------------------------------------------------------------------------------------------------------------------ */

enum mapping { MAPPING_NONE, MAPPING_NAME, MAPPING_ID };

static bool name_type(struct delta_scan *s, enum mapping mapping, const struct type *want,
                      const struct type *have, const struct json_node *json, const char *path,
                      const struct parquet_name **out, struct err *err);

/* What the files call one field of a struct. */
static bool name_field(struct delta_scan *s, enum mapping mapping, const struct field *want,
                       const struct field *have, const struct json_node *json, const char *path,
                       struct parquet_name *out, struct err *err)
{
    const struct json_node *metadata = json_member(json, STR("metadata"));
    const struct json_node *physical = json_member(metadata, STR("delta.columnMapping.physicalName"));
    const struct json_node *id = json_member(metadata, STR("delta.columnMapping.id"));
    int64_t number;
    out->id = PARQUET_NO_ID;
    out->name = have->name;
    if (mapping != MAPPING_NONE) {
        if (physical == NULL || physical->kind != JSON_STRING || id == NULL || id->kind != JSON_NUMBER ||
            !str_to_i64(id->text, &number) || number != (int32_t)number)
            return err_set(
                err, ERR_DATA,
                "column \"%s\" has no physical name or id, and the table's column mapping wants both", path);
        out->name = str_dup(pool_arena(s->pool), physical->text);
        if (mapping == MAPPING_ID)
            out->id = (int32_t)number;
    }
    return name_type(s, mapping, want->type, have->type, json_get(json, "type"), path, &out->children, err);
}

static bool name_struct(struct delta_scan *s, enum mapping mapping, const struct type *want,
                        const struct type *have, const struct json_node *json, const char *path,
                        const struct parquet_name **out, struct err *err)
{
    struct arena *arena = pool_arena(s->pool);
    struct parquet_name *names = arena_zarray(arena, struct parquet_name, want->field_count);
    for (uint32_t i = 0; i < want->field_count; i++) {
        const char *name = want->fields[i].name;
        const char *inner = *path ? arena_printf(arena, "%s.%s", path, name) : name;
        int index = type_field(have, str_of(name), true);
        if (index < 0)
            return err_set(err, ERR_DATA, "the table has %s column \"%s\"",
                           index == -1 ? "no" : "more than one", inner);
        const struct field *field = &have->fields[index];
        TRY(name_field(s, mapping, &want->fields[i], field, delta_field_json(json, field->name), inner,
                       &names[i], err));
    }
    *out = names;
    return true;
}

static bool name_type(struct delta_scan *s, enum mapping mapping, const struct type *want,
                      const struct type *have, const struct json_node *json, const char *path,
                      const struct parquet_name **out, struct err *err)
{
    static const char *const inner_json[] = {"elementType", "valueType"};
    struct arena *arena = pool_arena(s->pool);
    *out = NULL;
    if (!type_is_nested(want) || want->kind != have->kind)
        return true; /* what cannot become the wanted type, the file says itself */
    if (want->kind == TYPE_STRUCT)
        return name_struct(s, mapping, want, have, json, path, out, err);
    struct parquet_name *names = arena_zarray(arena, struct parquet_name, want->field_count);
    for (uint32_t i = 0; i < want->field_count; i++) {
        const char *member = want->kind == TYPE_MAP && i == 0 ? "keyType"
                                                              : inner_json[want->kind == TYPE_MAP];
        names[i].id = PARQUET_NO_ID;
        TRY(name_type(s, mapping, want->fields[i].type, have->fields[i].type, json_get(json, member), path,
                      &names[i].children, err));
    }
    *out = names;
    return true;
}

static enum mapping mapping_of(const struct delta_table *t)
{
    const struct str *mode = delta_property(t, "delta.columnMapping.mode");
    if (mode == NULL || t->reader_version < 2)
        return MAPPING_NONE;
    return str_is(*mode, "id") ? MAPPING_ID : str_is(*mode, "name") ? MAPPING_NAME : MAPPING_NONE;
}

/* The names of all wanted columns, from the schema's JSON. */
static bool name_columns(struct delta_scan *s, struct err *err)
{
    struct arena arena = {0};
    const struct json_node *action, *schema = NULL;
    struct str text;
    enum mapping mapping = mapping_of(&s->table);
    bool ok = json_parse(&arena, s->table.metadata, &action, err);
    if (ok && json_str(action, "metaData.schemaString", &text))
        ok = json_parse(&arena, text, &schema, err);
    ok = ok && name_struct(s, mapping, s->schema, s->table.schema, schema, "", &s->names, err);
    s->partition_keys = pool_alloc(s->pool,
                                   (s->table.partition_column_count + 1) * sizeof *s->partition_keys);
    for (uint32_t i = 0; ok && i < s->table.partition_column_count; i++) {
        const char *name = s->table.partition_columns[i];
        struct parquet_name physical = {0};
        int index = type_field(s->table.schema, str_of(name), true);
        if (index < 0) {
            ok = err_set(err, ERR_DATA, "the table is partitioned by \"%s\", which is not among its columns",
                         name);
            break;
        }
        const struct field *field = &s->table.schema->fields[index];
        ok = name_field(s, mapping, field, field, delta_field_json(schema, field->name), field->name,
                        &physical, err);
        s->partition_keys[i] = physical.name;
    }
    arena_fini(&arena);
    return ok;
}

static int partition_index(const struct delta_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->partition_column_count; i++)
        if (str_eq_nocase(str_of(t->partition_columns[i]), str_of(name)))
            return (int)i;
    return -1;
}

static bool plan(struct delta_scan *s, const struct type *columns, struct err *err)
{
    struct arena *arena = pool_arena(s->pool);
    s->schema = type_nullable(arena, type_copy(arena, columns ? columns : s->table.schema));
    TRY(name_columns(s, err));
    uint32_t count = s->schema->field_count, stored = 0;
    struct field *fields = arena_zarray(arena, struct field, count);
    struct parquet_name *names = arena_zarray(arena, struct parquet_name, count);
    s->partition_of = arena_array(arena, int, count);
    for (uint32_t i = 0; i < count; i++) {
        s->partition_of[i] = partition_index(&s->table, s->schema->fields[i].name);
        if (s->partition_of[i] < 0) {
            names[stored] = s->names[i];
            fields[stored++] = s->schema->fields[i];
        }
    }
    s->stored = type_struct(arena, fields, stored);
    s->stored_names = names;
    return true;
}

/* ---- partition values ------------------------------------------------------------------------------------------------------------------------ */

bool delta_partition_value(struct arena *arena, struct str text, const struct type *type, struct value *out,
                           struct err *err)
{
    if (text.n == 0 || str_is(text, "__HIVE_DEFAULT_PARTITION__")) {
        *out = value_null(type);
        return true;
    }
    const struct value in = {.type = type_simple(TYPE_STRING), .str = text};
    if (type->kind == TYPE_STRING || type->kind == TYPE_BINARY) {
        *out = (struct value){.type = type, .str = text};
        return true;
    }
    if (type_is_nested(type) || type->kind == TYPE_VARIANT)
        return err_set(err, ERR_DATA, "a partition column has a type that cannot be one");
    return value_cast(&in, type, NULL, arena, out, err); /* a timestamp without a zone is in UTC */
}

static bool read_constants(struct delta_scan *s, const struct delta_file *f, struct err *err)
{
    struct arena *arena = pool_arena(s->file_pool);
    const struct json_node *values = NULL;
    s->constants = pool_alloc(s->file_pool, (s->schema->field_count + 1) * sizeof *s->constants);
    if (f->partition.n)
        TRY(json_parse(arena, f->partition, &values, err));
    for (uint32_t i = 0; i < s->schema->field_count; i++) {
        if (s->partition_of[i] < 0)
            continue;
        const char *key = s->partition_keys[s->partition_of[i]];
        const struct json_node *node = json_member(values, str_of(key));
        struct str text = node && node->kind == JSON_STRING ? node->text : (struct str){0};
        if (!delta_partition_value(arena, text, s->schema->fields[i].type, &s->constants[i], err))
            return err_context(err, "partition column \"%s\"", s->schema->fields[i].name);
    }
    return true;
}

static void put_constant(struct batch *out, uint32_t index, const struct value *v)
{
    struct column *column = &out->columns[index];
    struct column_builder b;
    column_builder_init(&b, v->type, &out->arena);
    if (v->is_null)
        column_builder_null(&b);
    else
        column_builder_value(&b, v);
    *column = column_builder_finish(&b);
    column->type = out->schema->fields[index].type;
    column->encoding = COLUMN_CONSTANT;
    column->rows = out->rows;
}

/* ---- deletion vectors ------------------------------------------------------------------------------------------------------------------------- */

/* "<prefix><UUID as Z85>" → the file's path. */
static bool vector_path(struct delta_scan *s, struct str text, char **out, struct err *err)
{
    struct sbuf raw = {0};
    struct str prefix = str_n(text.p, text.n < VECTOR_UUID_TEXT ? 0 : text.n - VECTOR_UUID_TEXT);
    bool ok = text.n >= VECTOR_UUID_TEXT && memchr(text.p, 0, text.n) == NULL &&
              delta_z85_decode(str_n(text.p + prefix.n, VECTOR_UUID_TEXT), &raw);
    if (ok) {
        char uuid[37];
        const uint8_t *u = (const uint8_t *)raw.p;
        snprintf(uuid, sizeof uuid, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
                 u[14], u[15]);
        *out = arena_printf(pool_arena(s->file_pool), "%s/%.*s%sdeletion_vector_%s.bin", s->table.path,
                            STR_ARG(prefix), prefix.n ? "/" : "", uuid);
    }
    sbuf_fini(&raw);
    return ok || err_set(err, ERR_DATA, "a deletion vector has a malformed name");
}

/* One vector out of a file of them: BE32 size, the bytes, BE32 CRC-32. */
static bool read_vector_file(const char *path, int64_t offset, int64_t size, struct sbuf *out,
                             struct err *err)
{
    int file;
    size_t got = 0;
    TRY(os_open(path, OS_READ, &file, err));
    char *p = sbuf_reserve(out, (size_t)size + 8);
    bool ok = os_pread(file, p, (size_t)size + 8, (uint64_t)offset, &got, err);
    os_close(file);
    TRY(ok);
    if (got != (size_t)size + 8 || get_be32(p) != (uint64_t)size ||
        get_be32(p + 4 + size) != crc32(0, (const uint8_t *)p + 4, (unsigned)size))
        return err_set(err, ERR_DATA, "deletion vector \"%s\": size or checksum is wrong", path);
    memmove(p, p + 4, (size_t)size);
    sbuf_added(out, (size_t)size);
    return true;
}

static bool vector_bytes(struct delta_scan *s, const struct json_node *dv, struct sbuf *out, struct err *err)
{
    struct str storage, text;
    int64_t size, offset = 1;
    if (!json_str(dv, "storageType", &storage) || !json_str(dv, "pathOrInlineDv", &text) ||
        !json_i64(dv, "sizeInBytes", &size) || size < 0 || size > VECTOR_BYTES_MAX ||
        (json_i64(dv, "offset", &offset) && offset < 0))
        return err_set(err, ERR_DATA, "malformed deletionVector");
    char *path;
    if (str_is(storage, "i")) {
        if (!delta_z85_decode(text, out) || (size_t)size > out->n || out->n - (size_t)size > 3)
            return err_set(err, ERR_DATA, "malformed inline deletion vector");
        out->n = (size_t)size; /* the last group of four was filled up */
        return true;
    }
    if (str_is(storage, "u"))
        TRY(vector_path(s, text, &path, err));
    else if (str_is(storage, "p"))
        TRY(delta_file_path(&s->table, pool_arena(s->file_pool), text, &path, err));
    else
        return err_set(err, ERR_DATA, "deletion vectors stored as \"%.*s\" are not supported",
                       STR_ARG(storage));
    return read_vector_file(path, offset, size, out, err);
}

static bool read_vector(struct delta_scan *s, const struct delta_file *f, int64_t rows, struct err *err)
{
    struct arena arena = {0};
    struct sbuf bytes = {0};
    const struct json_node *action;
    bool ok = json_parse(&arena, f->action, &action, err);
    const struct json_node *dv = ok ? json_get(action, "add.deletionVector") : NULL;
    int64_t cardinality = -1;
    uint64_t count = 0;
    json_i64(dv, "cardinality", &cardinality);
    ok = ok && vector_bytes(s, dv, &bytes, err);
    if (ok && (rows > VECTOR_ROWS_MAX || (s->deleted = mem_try_new((size_t)(rows + 7) / 8 + 1)) == NULL))
        ok = err_set(err, ERR_DATA, "file \"%.*s\" has a deletion vector and too many rows",
                     STR_ARG(f->path));
    ok = ok && delta_vector_read((const uint8_t *)(bytes.p ? bytes.p : ""), bytes.n, (uint64_t)rows,
                                 s->deleted, &count, err);
    if (ok && cardinality >= 0 && count != (uint64_t)cardinality)
        ok = err_set(err, ERR_DATA, "a deletion vector of \"%.*s\" marks %llu rows, its log says %lld",
                     STR_ARG(f->path), (unsigned long long)count, (long long)cardinality);
    sbuf_fini(&bytes);
    arena_fini(&arena);
    return ok;
}

/* Takes the marked rows out of a batch that begins at row `first` of the file. */
static void drop_deleted(struct delta_scan *s, struct batch *out, int64_t first)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->rows; i++) {
        uint64_t row = (uint64_t)first + i;
        if (!(s->deleted[row >> 3] >> (row & 7) & 1))
            s->kept[kept++] = i;
    }
    if (kept == out->rows)
        return;
    for (uint32_t c = 0; c < s->stored->field_count; c++)
        out->columns[c] = column_take(&out->columns[c], s->kept, kept, &out->arena);
    out->rows = kept;
}

/* ---- files -------------------------------------------------------------------------------------------------------------------------------------- */

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct delta_scan *s = arg;
    size_t got;
    TRY(os_pread(s->file, out, n, offset, &got, err));
    return got == n || err_set(err, ERR_DATA, "file is cut at byte %llu", (unsigned long long)(offset + got));
}

static void leave_file(struct delta_scan *s)
{
    if (s->file_pool == NULL)
        return;
    parquet_scan_free(s->scan);
    os_close(s->file);
    mem_free(s->deleted);
    pool_free(s->file_pool);
    s->scan = NULL;
    s->deleted = NULL;
    s->file_pool = NULL;
    s->file = -1;
}

static bool enter_file(struct delta_scan *s, const struct delta_file *f, struct err *err)
{
    struct os_stat stat;
    char *path;
    s->file_pool = pool_new(s->pool, "data file");
    s->file = -1;
    TRY(delta_file_path(&s->table, pool_arena(s->file_pool), f->path, &path, err));
    TRY(os_open(path, OS_READ, &s->file, err));
    TRY(os_fstat(s->file, &stat, err));
    const struct parquet_source source = {stat.size, read_at, s};
    struct parquet_file *file = parquet_open(s->file_pool, &source, err);
    TRY(file != NULL);
    TRY(read_constants(s, f, err));
    if (f->dv.n)
        TRY(read_vector(s, f, parquet_rows(file), err));
    struct parquet_scan_options *options = pool_new_struct(s->file_pool, struct parquet_scan_options);
    options->columns = s->stored;
    options->names = s->stored_names;
    options->nocase = true;
    options->ctx = s->ctx;
    s->scan = parquet_scan_new(s->file_pool, file, options, err);
    return s->scan != NULL;
}

/* The next file, if there is one. */
static bool advance(struct delta_scan *s, bool *end, struct err *err)
{
    const struct map *files = &s->table.files;
    while (s->next < files->used && (files->entries[s->next].value == NULL ||
                                     (s->wants && !s->wants(s->wants_arg, files->entries[s->next].value))))
        s->next++;
    *end = s->next >= files->used;
    if (*end)
        return true;
    const struct delta_file *f = files->entries[s->next++].value;
    return enter_file(s, f, err) || err_context(err, "data file \"%.*s\"", STR_ARG(f->path));
}

/* The batch's columns, until now those of the file, become those of the table. */
static void arrange(struct delta_scan *s, struct batch *out)
{
    struct column *stored = out->columns;
    uint32_t next = 0;
    out->schema = s->schema;
    out->columns = arena_zarray(&out->arena, struct column, s->schema->field_count);
    for (uint32_t i = 0; i < s->schema->field_count; i++)
        if (s->partition_of[i] < 0)
            out->columns[i] = stored[next++];
        else
            put_constant(out, i, &s->constants[i]);
}

bool delta_scan_next(struct delta_scan *s, struct batch *out, bool *end, struct err *err)
{
    for (;;) {
        bool file_end;
        batch_reset(out);
        if (s->file_pool == NULL) {
            TRY(advance(s, end, err));
            if (*end)
                return true;
        }
        if (!parquet_scan_next(s->scan, out, &file_end, err))
            return err_context(err, "a data file of \"%s\"", s->table.path);
        if (file_end) {
            leave_file(s);
            continue;
        }
        if (s->deleted)
            drop_deleted(s, out, parquet_scan_row(s->scan));
        if (out->rows == 0)
            continue;
        arrange(s, out);
        *end = false;
        return true;
    }
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------------------------ */

static void close_scan(void *arg)
{
    struct delta_scan *s = arg; /* file_pool, with what is in it, went before its parent */
    os_close(s->file);
    mem_free(s->deleted);
    mem_free(s->kept);
    compress_ctx_free(s->ctx);
    delta_fini(&s->table);
}

struct delta_scan *delta_scan_new(struct pool *parent, const char *path, int64_t version,
                                  const struct type *columns, struct err *err)
{
    struct pool *pool = pool_new(parent, "delta scan");
    struct delta_scan *s = pool_new_struct(pool, struct delta_scan);
    s->pool = pool;
    s->file = -1;
    s->ctx = compress_ctx_new();
    s->kept = mem_new_array(uint32_t, BATCH_ROWS);
    pool_on_free(pool, close_scan, s);
    bool ok = delta_load(&s->table, pool_strdup(pool, path), version, err);
    if (ok && s->table.version < 0)
        ok = err_set(err, ERR_DATA, "there is no Delta table in \"%s\"", path);
    const char *feature = ok ? delta_unknown_feature(&s->table, false) : NULL;
    if (feature)
        ok = err_set(err, ERR_DATA,
                     "the table \"%s\" needs a Delta feature that this version cannot read: %s", path,
                     feature);
    if (ok && plan(s, columns, err))
        return s;
    pool_free(pool);
    return NULL;
}

void delta_scan_only(struct delta_scan *s, bool (*wants)(void *arg, const struct delta_file *file), void *arg)
{
    s->wants = wants;
    s->wants_arg = arg;
}

void delta_scan_free(struct delta_scan *s)
{
    if (s == NULL)
        return;
    leave_file(s);
    pool_free(s->pool);
}

const struct type *delta_scan_schema(const struct delta_scan *s)
{
    return s->schema;
}

const struct delta_table *delta_scan_table(const struct delta_scan *s)
{
    return &s->table;
}

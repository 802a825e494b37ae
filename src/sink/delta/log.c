#include "sink/delta/log.h"

#include <errno.h>
#include <stdio.h>

#include "format/json.h"
#include "format/parquet.h"
#include "obs/event.h"
#include "os/os.h"
#include "type/cast.h"
#include "type/timestamp.h"
#include "json/tree.h"

#define DAY_MS INT64_C(86400000)

enum {
    NAME_DIGITS = 20,
    IN_USE_MS = 3600 * 1000,      /* so long a reader may need a checkpoint, a writer its temporary file */
    CHECKPOINT_KEPT_EVERY = 2000, /* versions: of older checkpoints, one of so many stays */
    HINT_BYTES_MAX = 1 << 20,     /* of _last_checkpoint: it may hold a schema */
};

/* ---- actions ------------------------------------------------------------------------------------------------------------- */

static struct str keep(struct delta_table *t, struct str s)
{
    return str_n(arena_dup(&t->arena, s.p, s.n), s.n);
}

static struct str kept_line(struct delta_table *t, struct str line)
{
    return keep(t, str_trim(line));
}

static bool take_strings(struct delta_table *t, const struct json_node *list, const char ***out,
                         uint32_t *count)
{
    *count = 0;
    *out = arena_array(&t->arena, const char *, list ? list->count + 1 : 1);
    JSON_EACH(item, list)
    {
        if (item->kind != JSON_STRING)
            return false;
        (*out)[(*count)++] = str_dup(&t->arena, item->text);
    }
    return true;
}

static bool apply_protocol(struct delta_table *t, const struct json_node *a, struct str line, struct err *err)
{
    int64_t reader, writer;
    if (!json_i64(a, "minReaderVersion", &reader) || !json_i64(a, "minWriterVersion", &writer) ||
        !take_strings(t, json_get(a, "readerFeatures"), &t->reader_features, &t->reader_feature_count) ||
        !take_strings(t, json_get(a, "writerFeatures"), &t->writer_features, &t->writer_feature_count))
        return err_set(err, ERR_DATA, "malformed protocol action");
    if (reader < 0 || writer < 0 || reader > INT32_MAX || writer > INT32_MAX)
        return err_set(err, ERR_DATA, "protocol versions %lld and %lld", (long long)reader,
                       (long long)writer);
    t->reader_version = (int32_t)reader;
    t->writer_version = (int32_t)writer;
    t->protocol = kept_line(t, line);
    t->protocol_changed = true;
    return true;
}

static bool apply_metadata(struct delta_table *t, const struct json_node *a, struct str line, struct err *err)
{
    struct str id, schema = STR("{\"type\":\"struct\",\"fields\":[]}"); /* one that has none has no columns */
    const struct json_node *text = json_get(a, "schemaString");
    if (!json_str(a, "id", &id) ||
        (text && text->kind != JSON_NULL && !json_str(a, "schemaString", &schema)) ||
        !take_strings(t, json_get(a, "partitionColumns"), &t->partition_columns, &t->partition_column_count))
        return err_set(err, ERR_DATA, "malformed metaData action");
    if (!type_from_json(&t->arena, keep(t, schema), &t->schema, err))
        return err_at(err, "", 0, 0, 0) ||
               err_context(err, "schemaString"); /* a place in that is none in the file */
    t->id = keep(t, id);
    map_fini(&t->configuration);
    JSON_EACH(property, json_get(a, "configuration"))
    {
        struct str *value = arena_new(&t->arena, struct str);
        *value = keep(t, property->text);
        map_put(&t->configuration, property->name, value);
    }
    t->metadata = kept_line(t, line);
    t->metadata_changed = true;
    return true;
}

static bool apply_txn(struct delta_table *t, const struct json_node *a, struct str line, struct err *err)
{
    struct delta_txn *txn = arena_new(&t->arena, struct delta_txn);
    struct str app_id;
    if (!json_str(a, "appId", &app_id) || !json_i64(a, "version", &txn->version))
        return err_set(err, ERR_DATA, "malformed txn action");
    txn->app_id = keep(t, app_id);
    txn->action = kept_line(t, line);
    map_put(&t->txns, txn->app_id, txn);
    return true;
}

/* The protocol's uniqueId of a deletion vector: storage type, path, and where it has one "@offset". */
static struct str dv_id(struct delta_table *t, const struct json_node *dv)
{
    struct str storage, path;
    int64_t offset;
    if (dv == NULL || dv->kind != JSON_OBJECT || !json_str(dv, "storageType", &storage) ||
        !json_str(dv, "pathOrInlineDv", &path))
        return (struct str){0};
    if (json_i64(dv, "offset", &offset))
        return str_of(
            arena_printf(&t->arena, "%.*s%.*s@%lld", STR_ARG(storage), STR_ARG(path), (long long)offset));
    return str_of(arena_printf(&t->arena, "%.*s%.*s", STR_ARG(storage), STR_ARG(path)));
}

/* The one spelling of a path that has several: "file:///a", "file:/a" and "/a" are the same file. */
static struct str canonical(struct str path)
{
    size_t scheme = str_starts(path, STR("file:///")) ? 7 : str_starts(path, STR("file:/")) ? 5 : 0;
    return str_n(path.p + scheme, path.n - scheme);
}

static bool apply_file(struct delta_table *t, const struct json_node *a, struct str line, bool add,
                       struct err *err)
{
    struct delta_file *f = arena_new(&t->arena, struct delta_file);
    struct str path;
    if (!json_str(a, "path", &path))
        return err_set(err, ERR_DATA, "malformed %s action", add ? "add" : "remove");
    f->path = keep(t, path);
    f->dv = dv_id(t, json_get(a, "deletionVector"));
    json_i64(a, "size", &f->size);
    json_i64(a, add ? "modificationTime" : "deletionTimestamp", &f->time_ms);
    json_bool(a, "dataChange", &f->data_change);
    const struct json_node *values = json_get(a, "partitionValues");
    if (values && values->kind == JSON_OBJECT) {
        struct sbuf text = {0};
        json_write(values, &text);
        f->partition = keep(t, sbuf_view(&text));
        sbuf_fini(&text);
    }
    f->action = kept_line(t, line);
    struct str same = canonical(f->path);
    char *key = arena_printf(&t->arena, "%.*s\n%.*s", STR_ARG(same), (int)f->dv.n, f->dv.n ? f->dv.p : "");
    map_remove(add ? &t->removed : &t->files, str_of(key));
    map_put(add ? &t->files : &t->removed, str_of(key), f);
    return true;
}

static bool apply_domain(struct delta_table *t, const struct json_node *a, struct str line, struct err *err)
{
    struct str domain;
    bool removed = false;
    if (!json_str(a, "domain", &domain))
        return err_set(err, ERR_DATA, "malformed domainMetadata action");
    json_bool(a, "removed", &removed);
    struct str *kept = arena_new(&t->arena, struct str);
    *kept = kept_line(t, line);
    if (removed)
        map_remove(&t->domains, domain);
    else
        map_put(&t->domains, domain, kept);
    return true;
}

bool delta_apply(struct delta_table *t, struct str line, int number, struct err *err)
{
    struct arena arena = {0};
    const struct json_node *root;
    bool ok = json_parse_line(&arena, line, number, &root, err);
    if (ok && root->kind != JSON_OBJECT)
        ok = err_set(err, ERR_DATA, "an action is not an object");
    JSON_EACH(a, ok ? root : NULL)
    {
        if (!ok || a->kind == JSON_NULL)
            continue;
        if (str_is(a->name, "add") || str_is(a->name, "remove"))
            ok = apply_file(t, a, line, str_is(a->name, "add"), err);
        else if (str_is(a->name, "txn"))
            ok = apply_txn(t, a, line, err);
        else if (str_is(a->name, "metaData"))
            ok = apply_metadata(t, a, line, err);
        else if (str_is(a->name, "protocol"))
            ok = apply_protocol(t, a, line, err);
        else if (str_is(a->name, "domainMetadata"))
            ok = apply_domain(t, a, line, err);
        /* commitInfo, cdc, checkpointMetadata and what later protocols add: not part of the state */
    }
    arena_fini(&arena);
    if (!ok && number && err && err->place.line == 0)
        (void)!err_context(err, "line %d", number);
    return ok;
}

static bool apply_lines(struct delta_table *t, struct str text, struct err *err)
{
    int line = 1;
    while (text.n) {
        size_t end = str_find(text, STR("\n"), 0);
        struct str one = str_trim(str_n(text.p, end == SIZE_MAX ? text.n : end));
        if (one.n)
            TRY(delta_apply(t, one, line, err));
        line++;
        if (end == SIZE_MAX)
            break;
        text = str_n(text.p + end + 1, text.n - end - 1);
    }
    return true;
}

/* ---- names ------------------------------------------------------------------------------------------------------------------ */

static const char *version_path(struct delta_table *t, struct arena *arena, int64_t version,
                                const char *suffix)
{
    return arena_printf(arena, "%s/%020lld%s", t->log_path, (long long)version, suffix);
}

/* The version that a name of the log folder begins with, and what follows it; −1: none. */
static int64_t version_of(const char *name, const char **rest)
{
    int64_t version;
    if (strlen(name) <= NAME_DIGITS || name[NAME_DIGITS] != '.' ||
        !str_to_i64(str_n(name, NAME_DIGITS), &version) || version < 0)
        return -1;
    *rest = name + NAME_DIGITS;
    return version;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

bool delta_file_path(const struct delta_table *t, struct arena *arena, struct str path, char **out,
                     struct err *err)
{
    struct sbuf decoded = {0};
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '%' && i + 2 < path.n && hex_value(path.p[i + 1]) >= 0 &&
            hex_value(path.p[i + 2]) >= 0) {
            sbuf_char(&decoded, (char)(hex_value(path.p[i + 1]) * 16 + hex_value(path.p[i + 2])));
            i += 2;
        } else {
            sbuf_char(&decoded, path.p[i]);
        }
    }
    struct str plain = sbuf_view(&decoded);
    bool ok = true;
    if (str_starts(plain, STR("file:///")))
        *out = str_dup(arena, str_n(plain.p + 7, plain.n - 7));
    else if (str_starts(plain, STR("file:/")))
        *out = str_dup(arena, str_n(plain.p + 5, plain.n - 5));
    else if (str_starts(plain, STR("/")))
        *out = str_dup(arena, plain);
    else if (str_find(plain, STR("://"), 0) != SIZE_MAX)
        ok = err_set(err, ERR_DATA, "file \"%.*s\" is not on this disk", STR_ARG(plain));
    else
        *out = arena_printf(arena, "%s/%.*s", t->path, STR_ARG(plain));
    if (ok && memchr(*out, 0, plain.n) && strlen(*out) < plain.n)
        ok = err_set(err, ERR_DATA, "file name with a NUL byte");
    sbuf_fini(&decoded);
    return ok;
}

bool delta_is_inside(struct str path)
{
    struct str plain = canonical(path);
    return plain.n == path.n && plain.n > 0 && plain.p[0] != '/' &&
           str_find(plain, STR(".."), 0) == SIZE_MAX && str_find(plain, STR("%2E"), 0) == SIZE_MAX &&
           str_find(plain, STR("%2e"), 0) == SIZE_MAX && str_find(plain, STR("://"), 0) == SIZE_MAX;
}

void delta_encode_path(struct sbuf *out, struct str path)
{
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~/=:@!$&'()*+,;", c);
        if (plain && c)
            sbuf_char(out, (char)c);
        else
            sbuf_printf(out, "%%%02X", c);
    }
}

/* ---- the schema and properties -------------------------------------------------------------------------------------------------- */

const struct json_node *delta_field_json(const struct json_node *struct_json, const char *name)
{
    JSON_EACH(field, json_get(struct_json, "fields"))
    {
        struct str text;
        if (json_str(field, "name", &text) && str_is(text, name))
            return field;
    }
    return NULL;
}

/* A property like "interval 7 days". */
static int64_t duration_ms(const struct delta_table *t, const char *name, int64_t unset_ms)
{
    const struct str *text = delta_property(t, name);
    struct calendar_interval v;
    if (text == NULL || !interval_parse_units(*text, &v, NULL) || v.months < 0 || v.days < 0 || v.us < 0)
        return unset_ms;
    return ((int64_t)v.months * 31 + v.days) * DAY_MS + v.us / US_PER_MS;
}

int64_t delta_retention_ms(const struct delta_table *t)
{
    return duration_ms(t, "delta.deletedFileRetentionDuration", 7 * DAY_MS);
}

/* ---- checkpoints -------------------------------------------------------------------------------------------------------------- */

static const char CHECKPOINT_DDL[] =
    "txn STRUCT<appId: STRING, version: BIGINT, lastUpdated: BIGINT>,"
    "add STRUCT<path: STRING, partitionValues: MAP<STRING, STRING>, size: BIGINT, modificationTime: BIGINT, dataChange: BOOLEAN,"
    "  stats: STRING, tags: MAP<STRING, STRING>,"
    "  deletionVector: STRUCT<storageType: STRING, pathOrInlineDv: STRING, `offset`: INT, sizeInBytes: INT, cardinality: BIGINT>,"
    "  baseRowId: BIGINT, defaultRowCommitVersion: BIGINT, clusteringProvider: STRING>,"
    "remove STRUCT<path: STRING, deletionTimestamp: BIGINT, dataChange: BOOLEAN, extendedFileMetadata: BOOLEAN,"
    "  partitionValues: MAP<STRING, STRING>, size: BIGINT,"
    "  deletionVector: STRUCT<storageType: STRING, pathOrInlineDv: STRING, `offset`: INT, sizeInBytes: INT, cardinality: BIGINT>,"
    "  baseRowId: BIGINT, defaultRowCommitVersion: BIGINT>,"
    "metaData STRUCT<id: STRING, name: STRING, description: STRING, format: STRUCT<provider: STRING, options: MAP<STRING, STRING>>,"
    "  schemaString: STRING, partitionColumns: ARRAY<STRING>, configuration: MAP<STRING, STRING>, createdTime: BIGINT>,"
    "protocol STRUCT<minReaderVersion: INT, minWriterVersion: INT, readerFeatures: ARRAY<STRING>, writerFeatures: ARRAY<STRING>>,"
    "domainMetadata STRUCT<domain: STRING, configuration: STRING, removed: BOOLEAN>";

const struct type *delta_checkpoint_schema(struct arena *arena, struct err *err)
{
    const struct type *schema;
    return type_parse_ddl(arena, str_of(CHECKPOINT_DDL), &schema, err) ? schema : NULL;
}

struct file_reader {
    int file;
};

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct file_reader *r = arg;
    size_t got;
    TRY(os_pread(r->file, out, n, offset, &got, err));
    return got == n || err_set(err, ERR_DATA, "file is cut at byte %llu", (unsigned long long)(offset + got));
}

/* The columns that a checkpoint file has, of those that we know; sidecars too. */
static const struct type *wanted_columns(struct arena *arena, const struct type *known,
                                         const struct type *have)
{
    struct field *fields = arena_array(arena, struct field, known->field_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < known->field_count; i++) {
        int index = type_field(have, str_of(known->fields[i].name), false);
        const struct type *type = index < 0 ? NULL : have->fields[index].type;
        if (type == NULL || type->kind != TYPE_STRUCT)
            continue;
        const struct type *ours = known->fields[i].type;
        struct field *inner = arena_array(arena, struct field, ours->field_count);
        uint32_t inner_count = 0;
        for (uint32_t k = 0; k < ours->field_count; k++)
            if (type_field(type, str_of(ours->fields[k].name), false) >= 0)
                inner[inner_count++] = ours->fields[k];
        if (inner_count)
            fields[count++] = (struct field){known->fields[i].name, type_struct(arena, inner, inner_count),
                                             true, NULL};
    }
    return type_struct(arena, fields, count);
}

/* A row of a checkpoint as an action: the one column that is not NULL. Null: none of those that we know. */
static struct value action_of(const struct batch *batch, uint32_t row, struct sbuf *line, struct arena *arena)
{
    struct value value = {0};
    sbuf_clear(line);
    for (uint32_t c = 0; c < batch->schema->field_count && line->n == 0; c++) {
        if (column_is_null(&batch->columns[c], row))
            continue;
        value = column_value(&batch->columns[c], row, arena);
        sbuf_printf(line, "{\"%s\":", batch->schema->fields[c].name);
        value_to_json(&value, line);
        sbuf_char(line, '}');
    }
    return value;
}

/* The actions of a checkpoint in a number: damage that Parquet's checksums do not cover, that of the footer, changes it. Only our checkpoints have it. */
#define CHECKSUM_KEY "sluice.actions"

static uint64_t checksum_add(uint64_t sum, struct str line)
{
    return (sum << 1 | sum >> 63) ^ hash_bytes(line.p, line.n);
}

static bool checksum_fits(const struct parquet_file *file, uint64_t sum, struct err *err)
{
    const struct str *said = parquet_metadata(file, STR(CHECKSUM_KEY));
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)sum);
    return said == NULL || str_is(*said, text) ||
           err_set(err, ERR_DATA, "its actions are not those that were written");
}

static bool apply_row(struct delta_table *t, const struct batch *batch, uint32_t row, struct sbuf *line,
                      struct arena *arena, struct map *sidecars, struct err *err)
{
    struct value value = action_of(batch, row, line, arena);
    if (line->n == 0)
        return true;
    if (!str_starts(sbuf_view(line), STR("{\"sidecar\"")))
        return delta_apply(t, sbuf_view(line), 0, err);
    CHECK(value.nested.count > 0);
    map_put(sidecars, value.nested.items[0].str, t);
    return true;
}

static bool read_checkpoint_parquet(struct delta_table *t, const char *path, struct map *sidecars,
                                    struct err *err)
{
    struct pool *pool = pool_new(NULL, "checkpoint");
    struct batch *batch = batch_new();
    struct sbuf line = {0};
    struct os_stat stat;
    struct file_reader reader = {.file = -1};
    uint64_t sum = 0;
    bool ok = false, end = false;
    TRY_OUT(os_open(path, OS_READ, &reader.file, err));
    TRY_OUT(os_fstat(reader.file, &stat, err));
    const struct parquet_source source = {stat.size, read_at, &reader};
    struct parquet_file *file = parquet_open(pool, &source, err);
    TRY_OUT(file != NULL);
    const struct type *known;
    static const char sidecar_ddl[] = ", sidecar STRUCT<path: STRING>";
    char *ddl = arena_printf(pool_arena(pool), "%s%s", CHECKPOINT_DDL, sidecar_ddl);
    TRY_OUT(type_parse_ddl(pool_arena(pool), str_of(ddl), &known, err));
    const struct parquet_scan_options options = {
        .columns = wanted_columns(pool_arena(pool), known, parquet_schema(file))};
    struct parquet_scan *scan = parquet_scan_new(pool, file, &options, err);
    TRY_OUT(scan != NULL);
    for (;;) {
        struct arena arena = {0};
        ok = parquet_scan_next(scan, batch, &end, err);
        for (uint32_t row = 0; ok && !end && row < batch->rows; row++) {
            ok = apply_row(t, batch, row, &line, &arena, sidecars, err);
            sum = checksum_add(sum, sbuf_view(&line));
            arena_reset(&arena);
        }
        arena_fini(&arena);
        TRY_OUT(ok);
        if (end)
            break;
    }
    ok = checksum_fits(file, sum, err);
out:
    batch_free(batch);
    sbuf_fini(&line);
    os_close(reader.file);
    pool_free(pool);
    return ok || err_context(err, "checkpoint \"%s\"", path);
}

static bool read_json_file(struct delta_table *t, const char *path, struct map *sidecars, struct err *err)
{
    struct sbuf text = {0};
    bool ok = os_read_file(path, DELTA_ACTIONS_MAX, &text, err) && apply_lines(t, sbuf_view(&text), err);
    if (ok && sidecars) {
        struct str rest = sbuf_view(&text);
        size_t at = 0;
        while ((at = str_find(rest, STR("{\"sidecar\":"), at)) != SIZE_MAX) {
            struct arena arena = {0};
            const struct json_node *root;
            size_t end = str_find(rest, STR("\n"), at);
            struct str line = str_n(rest.p + at, (end == SIZE_MAX ? rest.n : end) - at), name;
            if (json_parse(&arena, line, &root, NULL) && json_str(root, "sidecar.path", &name))
                map_put(sidecars, name, t);
            arena_fini(&arena);
            at++;
        }
    }
    sbuf_fini(&text);
    return ok || err_context(err, "\"%s\"", path);
}

/* A checkpoint as it lies in the folder: one file (classic, or V2 with its UUID), or all parts of one. */
struct checkpoint {
    int64_t version;
    uint32_t parts, have; /* of several parts; 0: a single file */
    const char *name;     /* of a single file */
};

/* The single file, or the part, that a name belongs to; version −1: neither. */
static struct checkpoint checkpoint_of(const char *name)
{
    const char *rest;
    struct checkpoint c = {.version = version_of(name, &rest), .name = name};
    if (c.version < 0 || strncmp(rest, ".checkpoint.", 12) != 0)
        return (struct checkpoint){.version = -1};
    struct str tail = str_of(rest + 12);
    int64_t part, parts;
    if (tail.n == 29 && str_ends(tail, STR(".parquet")) && str_to_i64(str_n(tail.p, 10), &part) &&
        str_to_i64(str_n(tail.p + 11, 10), &parts) && parts > 0 && parts <= UINT32_MAX)
        return (struct checkpoint){.version = c.version, .parts = (uint32_t)parts, .have = 1};
    if (!str_ends(tail, STR("parquet")) && !str_ends(tail, STR("json")))
        c.version = -1;
    return c;
}

/* The checkpoints at or before `at` that have all their parts, oldest first: list[count], in arena. */
static struct checkpoint *find_checkpoints(struct arena *arena, char **names, size_t count, int64_t at,
                                           size_t *found)
{
    struct checkpoint *list = arena_array(arena, struct checkpoint, count + 1);
    size_t n = 0, whole = 0;
    for (size_t i = 0; i < count; i++) {
        struct checkpoint c = checkpoint_of(names[i]);
        if (c.version < 0 || c.version > at)
            continue;
        size_t same = n; /* an earlier part of the same: versions are side by side */
        while (c.parts && same > 0 && list[same - 1].version == c.version && list[same - 1].parts != c.parts)
            same--;
        if (c.parts && same > 0 && list[same - 1].version == c.version)
            list[same - 1].have++;
        else
            list[n++] = c;
    }
    for (size_t i = 0; i < n; i++)
        if (list[i].have == list[i].parts)
            list[whole++] = list[i];
    *found = whole;
    return list;
}

static bool read_one_checkpoint_file(struct delta_table *t, const char *name, struct map *sidecars,
                                     struct err *err)
{
    char *path = arena_printf(&t->arena, "%s/%s", t->log_path, name);
    return str_ends(str_of(name), STR(".json")) ? read_json_file(t, path, sidecars, err)
                                                : read_checkpoint_parquet(t, path, sidecars, err);
}

static bool read_checkpoint(struct delta_table *t, const struct checkpoint *c, char **names, size_t count,
                            struct err *err)
{
    struct map sidecars = {0};
    bool ok = true;
    if (c->name)
        ok = read_one_checkpoint_file(t, c->name, &sidecars, err);
    for (size_t i = 0; ok && !c->name && i < count; i++) {
        struct checkpoint part = checkpoint_of(names[i]);
        if (part.version == c->version && part.parts == c->parts)
            ok = read_one_checkpoint_file(t, names[i], &sidecars, err);
    }
    MAP_EACH(entry, &sidecars)
    {
        struct map none = {0};
        char *path = str_find(entry->key, STR("/"), 0) == SIZE_MAX
                         ? arena_printf(&t->arena, "%s/_sidecars/%.*s", t->log_path, STR_ARG(entry->key))
                         : str_dup(&t->arena, entry->key);
        ok = ok && read_checkpoint_parquet(t, path, &none, err);
        map_fini(&none);
    }
    map_fini(&sidecars);
    return ok;
}

/* ---- loading -------------------------------------------------------------------------------------------------------------------- */

void delta_fini(struct delta_table *t)
{
    map_fini(&t->configuration);
    map_fini(&t->domains);
    map_fini(&t->txns);
    map_fini(&t->files);
    map_fini(&t->removed);
    arena_fini(&t->arena);
    *t = (struct delta_table){0};
}

static bool read_version(struct delta_table *t, int64_t version, struct err *err)
{
    struct arena arena = {0};
    bool ok = read_json_file(t, version_path(t, &arena, version, ".json"), NULL, err);
    arena_fini(&arena);
    if (ok)
        t->version = version;
    return ok;
}

static bool complete(const struct delta_table *t, struct err *err)
{
    if (t->protocol.n == 0 || t->metadata.n == 0)
        return err_set(err, ERR_DATA, "the Delta log of \"%s\" holds no %s action", t->path,
                       t->protocol.n ? "metaData" : "protocol");
    return true;
}

static void begin(struct delta_table *t, const char *path)
{
    delta_fini(t);
    t->path = path;
    t->log_path = arena_printf(&t->arena, "%s/_delta_log", path);
    t->version = t->checkpoint = -1;
}

/* What _last_checkpoint says is the newest; −1: it is not there or is damaged, which the folder's names make up for. */
static int64_t last_checkpoint(struct delta_table *t)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    const struct json_node *root;
    int64_t version = -1;
    if (os_read_file(arena_printf(&arena, "%s/_last_checkpoint", t->log_path), HINT_BYTES_MAX, &text, NULL) &&
        (!json_parse(&arena, sbuf_view(&text), &root, NULL) || !json_i64(root, "version", &version)))
        event_log(EVENT_TABLE_DAMAGE, t->path,
                  "_last_checkpoint is damaged; the newest checkpoint that is there is used");
    sbuf_fini(&text);
    arena_fini(&arena);
    return version;
}

/* The newest checkpoint that can be read. None: an empty state, to which the commits from version 0 on belong. first: the error of the newest one, its
 * class ERR_NONE if there was none. */
static void load_checkpoint(struct delta_table *t, char **names, size_t count, int64_t at, struct err *first)
{
    struct arena arena = {0};
    const char *path = t->path;
    size_t found;
    struct checkpoint *list = find_checkpoints(&arena, names, count, at < 0 ? INT64_MAX : at, &found);
    int64_t last = last_checkpoint(t), newest = found ? list[found - 1].version : -1;
    struct err err;
    *first = (struct err){0};
    if (last > newest && (at < 0 || last <= at)) {
        err_set(first, ERR_DATA, "the checkpoint of version %lld, which _last_checkpoint names, is not whole",
                (long long)last);
        event_log(EVENT_TABLE_DAMAGE, path, "%s; what was there before it is used", first->text);
    }
    for (; found > 0; found--) {
        const struct checkpoint *c = &list[found - 1];
        if (read_checkpoint(t, c, names, count, &err) && complete(t, &err)) {
            t->version = t->checkpoint = c->version;
            break;
        }
        if (first->class == ERR_NONE)
            *first = err;
        event_log(EVENT_TABLE_DAMAGE, path, "the checkpoint of version %lld cannot be read (%s); %s",
                  (long long)c->version, err.text,
                  found > 1 ? "the one before it is used" : "the commits alone are used");
        begin(t, path);
    }
    arena_fini(&arena);
}

/* Of what nothing else in the log makes up for. */
static bool say_what_to_do(struct err *err)
{
    return err && err->class == ERR_DATA &&
           err_hint(err, "Restore the table from a copy, or move its folder away to begin anew.");
}

bool delta_load(struct delta_table *t, const char *path, int64_t at, struct err *err)
{
    begin(t, path);
    struct arena arena = {0};
    char **names;
    size_t count;
    struct err missing, damage;
    if (!os_list(t->log_path, &arena, &names, &count, &missing)) {
        arena_fini(&arena);
        if (missing.code == ENOENT)
            return true;
        if (err)
            *err = missing;
        return false;
    }
    bool ok = true;
    load_checkpoint(t, names, count, at, &damage);
    for (size_t i = 0; ok && i < count; i++) { /* names are sorted, so versions ascend */
        const char *rest;
        int64_t version = version_of(names[i], &rest);
        if (version <= t->version || strcmp(rest, ".json") != 0 || (at >= 0 && version > at))
            continue;
        if (version != t->version + 1)
            ok = err_set(err, ERR_DATA, "the Delta log of \"%s\" lacks version %lld", path,
                         (long long)t->version + 1);
        ok = ok && read_version(t, version, err);
    }
    arena_fini(&arena);
    t->metadata_changed = t->protocol_changed = false;
    ok = ok && (t->version < 0 || complete(t, err));
    bool absent = ok && at >= 0 && t->version != at;
    if (damage.class != ERR_NONE && (!ok || absent || t->version < 0)) {
        if (err)
            *err = damage; /* nothing older made up for it: that is what has to be mended */
        ok = err_context(err, "the Delta log of \"%s\"", path);
    }
    if (!ok)
        return say_what_to_do(err);
    return !absent ||
           err_set(err, ERR_DATA, "the Delta table \"%s\" has no version %lld", path, (long long)at);
}

bool delta_refresh(struct delta_table *t, struct err *err)
{
    for (;;) {
        struct arena arena = {0};
        bool more = os_exists(version_path(t, &arena, t->version + 1, ".json"));
        arena_fini(&arena);
        if (!more)
            return true;
        if (!read_version(t, t->version + 1, err))
            return say_what_to_do(err);
    }
}

static const char *const known_reader_features[] = {
    "timestampNtz",    "vacuumProtocolCheck", "v2Checkpoint",         "typeWidening",       "columnMapping",
    "deletionVectors", "variantType",         "typeWidening-preview", "variantType-preview"};
/* Of a writer that appends, merges whole files and keeps what the metaData says of columns. */
static const char *const known_writer_features[] = {
    "appendOnly",          "invariants",   "timestampNtz",         "domainMetadata",
    "vacuumProtocolCheck", "variantType",  "variantType-preview",  "v2Checkpoint",
    "deletionVectors",     "typeWidening", "typeWidening-preview", "changeDataFeed"};

static bool among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

const char *delta_unknown_feature(const struct delta_table *t, bool for_write)
{
    if (t->reader_version > 3 || t->writer_version > 7)
        return "a later protocol version";
    for (uint32_t i = 0; i < t->reader_feature_count; i++)
        if (!among(t->reader_features[i], known_reader_features,
                   sizeof known_reader_features / sizeof *known_reader_features))
            return t->reader_features[i];
    if (!for_write)
        return NULL;
    for (uint32_t i = 0; i < t->writer_feature_count; i++)
        if (!among(t->writer_features[i], known_writer_features,
                   sizeof known_writer_features / sizeof *known_writer_features))
            return t->writer_features[i];
    if (str_find(t->metadata, STR("delta.invariants"), 0) != SIZE_MAX)
        return "column invariants";
    if (t->writer_version > 2 && t->writer_version < 7)
        return "check constraints, generated columns, column mapping or identity columns";
    return NULL;
}

const struct str *delta_property(const struct delta_table *t, const char *name)
{
    return map_get(&t->configuration, str_of(name));
}

/* ---- committing --------------------------------------------------------------------------------------------------------------------- */

/* After an unclear error: is version + 1 there, and ours? */
static bool is_ours(struct delta_table *t, const char *final, const char *txn_id, bool *there)
{
    struct sbuf text = {0};
    *there = os_read_file(final, DELTA_ACTIONS_MAX, &text, NULL);
    bool ours = *there && str_find(sbuf_view(&text), str_of(txn_id), 0) != SIZE_MAX;
    sbuf_fini(&text);
    (void)t;
    return ours;
}

static bool write_temporary(const char *path, struct str lines, struct err *err)
{
    int file;
    TRY(os_open(path, OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &file, err));
    bool ok = os_pwrite(file, lines.p, lines.n, 0, err) && os_sync(file, err);
    os_close(file);
    return ok;
}

bool delta_commit(struct delta_table *t, struct str lines, const char *txn_id, bool *won, struct err *err)
{
    struct arena arena = {0};
    const char *final = version_path(t, &arena, t->version + 1, ".json");
    const char *temporary = arena_printf(&arena, "%s/.%020lld.%s.tmp", t->log_path, (long long)t->version + 1,
                                         txn_id);
    struct err ignored;
    bool there = false;
    *won = false;
    bool ok = os_mkdirs(t->log_path, err) && write_temporary(temporary, lines, err);
    if (ok) {
        *won = os_link(temporary, final, err);
        there = !*won && is_ours(t, final, txn_id, &there);
        *won = *won || there;
        ok = *won || err->code == EEXIST;
        if (*won)
            ok = os_sync_folder(t->log_path, err);
    }
    (void)!os_unlink(temporary, &ignored);
    if (ok && *won) {
        ok = apply_lines(t, lines, err);
        t->version++;
    } else if (ok) {
        ok = delta_refresh(t, err);
    }
    arena_fini(&arena);
    return ok;
}

/* ---- writing checkpoints --------------------------------------------------------------------------------------------------------------- */

struct checkpoint_writer {
    int file;
    uint64_t at;
    struct pool *pool;
    struct json_decoder *decoder;
    struct parquet_writer *parquet;
    struct batch *batch;
    struct str lines[BATCH_ROWS];
    uint32_t count;
    uint64_t actions, adds, checksum;
    struct sbuf line;
};

static bool write_out(void *arg, const void *p, size_t n, struct err *err)
{
    struct checkpoint_writer *w = arg;
    TRY(os_pwrite(w->file, p, n, w->at, err));
    w->at += n;
    return true;
}

static bool put_lines(struct checkpoint_writer *w, struct err *err)
{
    batch_reset(w->batch);
    struct arena arena = {0};
    TRY(json_decode(w->decoder, w->lines, w->count, w->batch, NULL, err));
    for (uint32_t row = 0; row < w->batch->rows; row++) {
        action_of(w->batch, row, &w->line, &arena);
        w->checksum = checksum_add(w->checksum, sbuf_view(&w->line));
        arena_reset(&arena);
    }
    arena_fini(&arena);
    TRY(parquet_writer_batch(w->parquet, w->batch, NULL, 0, w->batch->rows, err));
    w->actions += w->count;
    w->count = 0;
    return true;
}

static bool put_action(struct checkpoint_writer *w, struct str line, struct err *err)
{
    w->lines[w->count++] = line;
    return w->count < BATCH_ROWS || put_lines(w, err);
}

static bool put_state(struct delta_table *t, struct checkpoint_writer *w, int64_t expired_ms, struct err *err)
{
    TRY(put_action(w, t->protocol, err));
    TRY(put_action(w, t->metadata, err));
    MAP_EACH(entry, &t->txns)
    TRY(put_action(w, ((struct delta_txn *)entry->value)->action, err));
    MAP_EACH(entry, &t->domains)
    TRY(put_action(w, *(struct str *)entry->value, err));
    MAP_EACH(entry, &t->removed)
    {
        const struct delta_file *f = entry->value;
        if (f->time_ms >= expired_ms)
            TRY(put_action(w, f->action, err));
    }
    MAP_EACH(entry, &t->files)
    {
        TRY(put_action(w, ((struct delta_file *)entry->value)->action, err));
        w->adds++;
    }
    return w->count == 0 || put_lines(w, err);
}

static bool write_checkpoint_file(struct delta_table *t, struct checkpoint_writer *w, const char *path,
                                  struct err *err)
{
    w->pool = pool_new(NULL, "checkpoint");
    w->batch = batch_new();
    w->file = -1;
    bool ok = false;
    int64_t now_ms = os_wall().us / US_PER_MS;
    const struct type *schema = delta_checkpoint_schema(pool_arena(w->pool), err);
    TRY_OUT(schema != NULL);
    w->decoder = json_decoder_new(w->pool, schema, NULL, err);
    TRY_OUT(w->decoder != NULL);
    TRY_OUT(os_open(path, OS_WRITE | OS_CREATE | OS_TRUNCATE, &w->file, err));
    struct parquet_writer_options options = PARQUET_WRITER_OPTIONS;
    options.codec = CODEC_SNAPPY; /* every reader has it */
    options.plain_fallback = true;
    options.page_checksums = true;
    char checksum[17] = "";
    struct parquet_key_value pair = {STR(CHECKSUM_KEY), str_n(checksum, sizeof checksum - 1)};
    options.key_values = &pair;
    options.key_value_count = 1;
    w->parquet = parquet_writer_new(w->pool, schema, &options, (struct parquet_output){write_out, w}, err);
    TRY_OUT(w->parquet != NULL);
    TRY_OUT(put_state(t, w, now_ms - delta_retention_ms(t), err));
    snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)w->checksum);
    TRY_OUT(parquet_writer_finish(w->parquet, NULL, err));
    ok = os_sync(w->file, err);
out:
    sbuf_fini(&w->line);
    parquet_writer_free(w->parquet);
    batch_free(w->batch);
    os_close(w->file);
    pool_free(w->pool);
    return ok;
}

bool delta_checkpoint(struct delta_table *t, struct err *err)
{
    struct arena arena = {0};
    struct checkpoint_writer *w = mem_new(sizeof *w);
    const char *final = version_path(t, &arena, t->version, ".checkpoint.parquet");
    const char *temporary = arena_printf(&arena, "%s/.%020lld.checkpoint.tmp", t->log_path,
                                         (long long)t->version);
    const char *hint = arena_printf(&arena, "%s/_last_checkpoint", t->log_path);
    bool ok = write_checkpoint_file(t, w, temporary, err) && os_rename(temporary, final, err) &&
              os_sync_folder(t->log_path, err);
    if (ok) {
        char *text = arena_printf(
            &arena, "{\"version\":%lld,\"size\":%llu,\"sizeInBytes\":%llu,\"numOfAddFiles\":%llu}",
            (long long)t->version, (unsigned long long)w->actions, (unsigned long long)w->at,
            (unsigned long long)w->adds);
        ok = os_write_file(hint, text, strlen(text), err);
        t->checkpoint = t->version;
    }
    mem_free(w);
    arena_fini(&arena);
    return ok || err_context(err, "checkpoint of \"%s\"", t->path);
}

static bool is_temporary(const char *name)
{
    return name[0] == '.' && str_ends(str_of(name), STR(".tmp"));
}

/* The checkpoint before the newest: with it and the commits that follow, the newest may be damaged. −1: none. */
static int64_t checkpoint_before(const struct delta_table *t, char **names, size_t count)
{
    int64_t version = -1;
    for (size_t i = 0; i < count; i++) {
        struct checkpoint c = checkpoint_of(names[i]);
        if (c.version > version && c.version < t->checkpoint)
            version = c.version;
    }
    return version;
}

/* May a file of the log go? Commits and checkpoints when they are expired. Checkpoints, which all hold the whole state, before that, but for one
 * of each CHECKPOINT_KEPT_EVERY versions: older versions stay readable through those and the commits. *kept: the last one that stayed. */
static bool may_go(const char *name, int64_t version, int64_t oldest_us, int64_t used_us, int64_t mtime_us,
                   int64_t *kept)
{
    struct checkpoint c = checkpoint_of(name);
    if (mtime_us < oldest_us)
        return true;
    if (c.version < 0 || c.parts > 0)
        return false;
    if (*kept < 0 || version / CHECKPOINT_KEPT_EVERY != *kept / CHECKPOINT_KEPT_EVERY) {
        *kept = version;
        return false;
    }
    return version != *kept && mtime_us < used_us;
}

bool delta_clean_log(struct delta_table *t, int64_t now_ms, struct err *err)
{
    struct arena arena = {0};
    char **names;
    size_t count;
    const struct str *wanted = delta_property(t, "delta.enableExpiredLogCleanup");
    bool clean = wanted == NULL || !str_is(*wanted, "false");
    int64_t oldest_us = (now_ms - duration_ms(t, "delta.logRetentionDuration", 30 * DAY_MS)) * US_PER_MS;
    int64_t used_us = (now_ms - IN_USE_MS) * US_PER_MS, kept = -1;
    bool ok = os_list(t->log_path, &arena, &names, &count, err);
    int64_t before = ok ? checkpoint_before(t, names, count) : -1;
    for (size_t i = 0; ok && i < count; i++) {
        const char *rest;
        struct os_stat stat;
        char *path = arena_printf(&arena, "%s/%s", t->log_path, names[i]);
        bool temporary = is_temporary(names[i]);
        int64_t version = temporary ? 0 : version_of(names[i], &rest);
        if (!temporary && (!clean || version < 0 || version >= before))
            continue;
        if (!os_stat(path, &stat, NULL) || !stat.is_file)
            continue;
        if (temporary ? stat.mtime_us < used_us
                      : may_go(names[i], version, oldest_us, used_us, stat.mtime_us, &kept))
            ok = os_unlink(path, err);
    }
    arena_fini(&arena);
    return ok;
}

/* Delta Lake on local disk.
 *
 * Rows go into Parquet files, one for each partition; a commit finishes them, makes them and their folders durable, and
 * adds one version to the log: commitInfo, where needed protocol and metaData, one txn for each input partition, one add for each file. The
 * position of input partition p is the txn
 *
 *     appId  sluice/<project>/<stream>/<uuid>/<p>      (of a second input topic: <input>-<p>)
 *     version = next offset
 *
 * so rows and position become visible together, and any Delta reader sees either. Losing a race against another writer costs nothing but another
 * try: appends do not conflict unless the schema was changed or the position moved.
 *
 * What the table has beyond that (columns, files, upkeep) is in the other files of this folder: see delta_private.h. */
#include <stdio.h>

#include "os/os.h"
#include "sink/delta/delta_private.h"

enum {
    STATE_SLACK_BYTES = 16 << 20
}; /* actions that no longer count, in memory, before the state is read anew */

/* ---- the slots ---------------------------------------------------------------------------------------------------------------------- */

const char *delta_table_path(struct pool *pool, const struct sink_spec *spec)
{
    const char *root = spec->url + strlen("file:");
    if (strncmp(root, "//", 2) == 0)
        root += 2;
    if (root[0] == '/')
        return pool_printf(pool, "%s/%s", root, spec->table);
    return pool_printf(pool, "%s/%s/%s", spec->folder, root, spec->table);
}

/* "sluice/<project>/<stream>/<uuid>/" or, for a uuid of NULL, up to the stream. */
static char *app_prefix(struct sink *sink, struct arena *arena, const char *uuid)
{
    const struct sink_spec *spec = sink->spec;
    return uuid ? arena_printf(arena, "sluice/%s/%s/%s/", spec->project, spec->stream, uuid)
                : arena_printf(arena, "sluice/%s/%s/", spec->project, spec->stream);
}

static bool read_position(struct str tail, struct position *p)
{
    int64_t input = 0, partition;
    size_t dash = str_find(tail, STR("-"), 0);
    if (dash != SIZE_MAX && !str_to_i64(str_n(tail.p, dash), &input))
        return false;
    struct str last = dash == SIZE_MAX ? tail : str_n(tail.p + dash + 1, tail.n - dash - 1);
    if (!str_to_i64(last, &partition))
        return false;
    p->input = (int32_t)input;
    p->partition = (int32_t)partition;
    return true;
}

static void find_positions(struct delta_sink *d, enum sink_found *found, struct position *positions,
                           uint32_t *count)
{
    struct str ours = str_of(app_prefix(d->sink, &d->arena, d->sink->spec->uuid));
    struct str stream = str_of(app_prefix(d->sink, &d->arena, NULL));
    *found = SINK_NEW;
    MAP_EACH(entry, &d->table.txns)
    {
        const struct delta_txn *txn = entry->value;
        struct position p = {.next_offset = txn->version};
        if (str_starts(txn->app_id, ours)) {
            *found = SINK_OURS;
            if (read_position(str_n(txn->app_id.p + ours.n, txn->app_id.n - ours.n), &p) &&
                *count < SINK_INPUTS_MAX)
                positions[(*count)++] = p;
        } else if (str_starts(txn->app_id, stream) && *found == SINK_NEW) {
            *found = SINK_FOREIGN;
        }
    }
}

static bool same_partitioning(struct delta_sink *d, struct err *err)
{
    const struct sink_spec *spec = d->sink->spec;
    bool same = spec->partition_by_count == d->table.partition_column_count;
    for (uint32_t i = 0; same && i < spec->partition_by_count; i++)
        same = str_eq_nocase(str_of(spec->partition_by[i]), str_of(d->table.partition_columns[i]));
    if (same)
        return true;
    err_set(err, ERR_FATAL, "the table \"%s\" is partitioned by other columns than partition_by says",
            spec->table);
    return err_hint(err, "A table's partitioning cannot change; write to another table.");
}

/* What no table could take. */
static bool delta_check(const struct sink_spec *spec, const struct type *schema, const char **key,
                        struct err *err)
{
    struct arena arena = {0};
    if (spec->mode != SINK_APPEND) {
        *key = "mode";
        err_set(err, ERR_FATAL, "this version writes Delta tables in mode append only");
        return err_hint(err, "Leave `mode` out for \"%s\".", spec->name);
    }
    bool ok = delta_check_names(delta_type(&arena, schema), err);
    arena_fini(&arena);
    TRY(ok);
    *key = "partition_by";
    for (uint32_t i = 0; i < spec->partition_by_count; i++) {
        const char *name = spec->partition_by[i];
        int index = type_field(schema, str_of(name), true);
        const struct type *type = index < 0 ? NULL : schema->fields[index].type;
        if (type == NULL)
            return err_set(err, ERR_FATAL, "partition_by column \"%s\" is not among the stream's columns",
                           name);
        if (type_is_nested(type) || type->kind == TYPE_VARIANT || type->kind == TYPE_BINARY)
            return err_set(err, ERR_FATAL, "partition_by column \"%s\" is no plain column", name) ||
                   err_hint(err, "Text, numbers, booleans, dates and timestamps make folders.");
        for (uint32_t k = 0; k < i; k++)
            if (str_eq_nocase(str_of(name), str_of(spec->partition_by[k])))
                return err_set(err, ERR_FATAL, "partition_by names column \"%s\" twice", name);
    }
    if (spec->partition_by_count && spec->partition_by_count == schema->field_count) {
        err_set(err, ERR_FATAL, "partition_by names all columns of the stream");
        return err_hint(err, "A file needs at least one column; leave one out of partition_by.");
    }
    return true;
}

/* Partition columns by the names that the table has, or will have. */
static void plan_partitions(struct delta_sink *d, const struct type *schema)
{
    const struct sink_spec *spec = d->sink->spec;
    d->partition_count = spec->partition_by_count;
    d->partition = pool_alloc(d->sink->pool, (d->partition_count + 1) * sizeof *d->partition);
    for (uint32_t i = 0; i < spec->partition_by_count; i++) {
        int index = type_field(schema, str_of(spec->partition_by[i]), true);
        d->partition[i] = pool_strdup(d->sink->pool, d->table.version < 0 ? schema->fields[index].name
                                                                          : d->table.partition_columns[i]);
    }
}

bool delta_note_identity(struct delta_sink *d, struct err *err)
{
    struct os_stat stat;
    if (d->table.version < 0)
        return true;
    TRY(os_stat(d->table.log_path, &stat, err));
    d->device = stat.device;
    d->inode = stat.inode;
    return true;
}

static bool delta_open(struct sink *sink, const struct type *schema, enum sink_found *found,
                       struct position *positions, uint32_t *count, struct err *err)
{
    struct delta_sink *d = pool_new_struct(sink->pool, struct delta_sink);
    const struct sink_spec *spec = sink->spec;
    sink->state = d;
    d->sink = sink;
    d->ctx = compress_ctx_new();
    d->path = delta_table_path(sink->pool, spec);
    const char *key;
    TRY(delta_check(spec, schema, &key, err));
    TRY(delta_load(&d->table, d->path, -1, err));
    d->loaded_bytes = d->table.arena.bytes;
    d->upkeep_version = d->table.version;
    if (d->table.version < 0) {
        plan_partitions(d, schema);
        return true;
    }
    const char *feature = delta_unknown_feature(&d->table, true);
    if (feature)
        return err_set(err, ERR_FATAL,
                       "the table \"%s\" uses a Delta feature that this version cannot write: %s",
                       spec->table, feature);
    TRY(same_partitioning(d, err));
    plan_partitions(d, schema);
    const struct type *merged;
    TRY(delta_merge_schema(d, pool_arena(sink->pool), d->table.schema,
                           delta_type(pool_arena(sink->pool), schema), &merged, err));
    /* What was committed last may be known to a kill -9 only, not to the disk; whoever believes the positions below may forget rows. */
    TRY(os_sync_folder(d->table.log_path, err));
    find_positions(d, found, positions, count);
    return delta_note_identity(d, err);
}

static bool delta_write(struct sink *sink, const struct batch *batch, struct err *err)
{
    struct delta_sink *d = sink->state;
    struct batch rows = *batch; /* the same rows, with Delta's types */
    TRY(delta_follow_schema(d, batch->schema, err));
    TRY(delta_check_nulls(d, batch, err));
    rows.schema = d->stored;
    rows.columns = arena_array(&d->arena, struct column, d->stored->field_count);
    for (uint32_t i = 0; i < d->stored->field_count; i++)
        rows.columns[i] = delta_column(&batch->columns[i], d->stored->fields[i].type, &d->arena);
    bool ok = delta_files_write(d, &rows, err);
    arena_reset(&d->arena);
    return ok;
}

static void put_txns(struct delta_sink *d, const struct position *positions, uint32_t count)
{
    char *prefix = app_prefix(d->sink, &d->arena, d->sink->spec->uuid);
    long long now_ms = (long long)(os_wall().us / US_PER_MS);
    for (uint32_t i = 0; i < count; i++) {
        char tail[32];
        const struct position *p = &positions[i];
        if (p->input == 0)
            snprintf(tail, sizeof tail, "%d", p->partition);
        else
            snprintf(tail, sizeof tail, "%d-%d", p->input, p->partition);
        char *app_id = arena_printf(&d->arena, "%s%s", prefix, tail);
        const struct delta_txn *known = map_get(&d->table.txns, str_of(app_id));
        if (known && known->version == p->next_offset)
            continue;
        sbuf_cstr(&d->lines, "{\"txn\":{\"appId\":");
        sbuf_json(&d->lines, str_of(app_id));
        sbuf_printf(&d->lines, ",\"version\":%lld,\"lastUpdated\":%lld}}\n", (long long)p->next_offset,
                    now_ms);
    }
}

void delta_put_commit_info(struct delta_sink *d, const char *operation, bool blind, const char *txn_id)
{
    sbuf_printf(
        &d->lines,
        "{\"commitInfo\":{\"timestamp\":%lld,\"operation\":\"%s\",\"operationParameters\":{\"outputMode\":\"Append\",\"queryId\":\"%s\"},"
        "\"readVersion\":%lld,\"isBlindAppend\":%s,\"engineInfo\":\"sluice/" SLUICE_VERSION
        "\",\"txnId\":\"%s\"}}\n",
        (long long)(os_wall().us / US_PER_MS), operation, d->sink->spec->uuid, (long long)d->table.version,
        blind ? "true" : "false", txn_id);
}

bool delta_still_there(struct delta_sink *d, struct err *err)
{
    struct os_stat stat;
    if (d->inode == 0)
        return true;
    if (!os_stat(d->table.log_path, &stat, NULL) || stat.inode != d->inode || stat.device != d->device)
        return err_set(err, ERR_RETRY, "the table \"%s\" was deleted or replaced while it was open", d->path);
    const char *last = arena_printf(&d->arena, "%s/%020lld.json", d->table.log_path,
                                    (long long)d->table.version);
    if (d->table.checkpoint == d->table.version || os_exists(last))
        return true;
    /* Others went on, made a checkpoint and cleaned up: our next version is long gone, and must not be written again. */
    return err_set(err, ERR_RETRY, "the log of the table \"%s\" went on without us; it is read anew",
                   d->path);
}

/* Another writer's commits came in between: may ours follow them? */
static bool still_valid(struct delta_sink *d, const struct position *positions, uint32_t count,
                        struct err *err)
{
    const char *feature = delta_unknown_feature(&d->table, true);
    if (feature)
        return err_set(err, ERR_FATAL,
                       "another writer turned on a Delta feature that this version cannot write: %s",
                       feature);
    if (d->table.metadata_changed) {
        TRY(same_partitioning(d, err));
        if (d->stored &&
            !delta_merge_schema(d, pool_arena(d->sink->pool), d->table.schema, d->stored, &d->schema, err)) {
            if (err) /* read anew, it may be of the very types that the stream has by now */
                err->class = ERR_RETRY;
            return false;
        }
        d->schema_moved = d->stored && !type_equal(d->schema, d->table.schema);
    }
    enum sink_found found;
    struct position *theirs = mem_new_array(struct position, SINK_INPUTS_MAX);
    uint32_t their_count = 0;
    find_positions(d, &found, theirs, &their_count);
    bool ok = true;
    for (uint32_t i = 0; ok && i < their_count; i++)
        for (uint32_t k = 0; k < count; k++)
            if (theirs[i].input == positions[k].input && theirs[i].partition == positions[k].partition &&
                theirs[i].next_offset > positions[k].next_offset)
                ok = err_set(err, ERR_FATAL, "somebody else writes to \"%s\" as this very stream", d->path);
    mem_free(theirs);
    d->table.metadata_changed = d->table.protocol_changed = false;
    return ok;
}

/* The state keeps all actions that it ever read: after much change it is read anew from the last checkpoint. */
static void shed_state(struct delta_sink *d)
{
    struct delta_table fresh = {0};
    if (d->table.arena.bytes < d->loaded_bytes + d->loaded_bytes / 4 + STATE_SLACK_BYTES)
        return;
    d->loaded_bytes = d->table.arena.bytes; /* if it fails: no hurry */
    if (!delta_load(&fresh, d->path, -1, NULL) || fresh.version < d->table.version) {
        delta_fini(&fresh);
        return;
    }
    fresh.metadata_changed = fresh.protocol_changed = fresh.version > d->table.version;
    delta_fini(&d->table);
    d->table = fresh;
    d->loaded_bytes = d->table.arena.bytes;
}

static bool delta_commit_rows(struct sink *sink, const struct position *positions, uint32_t count,
                              struct err *err)
{
    struct delta_sink *d = sink->state;
    char txn_id[37];
    bool won = false;
    TRY(delta_still_there(d, err));
    TRY(delta_files_close(d, err));
    for (int tries = 0; !won; tries++) {
        if (tries == DELTA_CONFLICTS_MAX)
            return err_set(err, ERR_RETRY, "lost against other writers %d times", tries);
        if (tries > 0 || d->table.metadata_changed || d->table.protocol_changed)
            TRY(still_valid(d, positions, count, err));
        os_uuid(txn_id);
        sbuf_clear(&d->lines);
        delta_put_commit_info(d, "STREAMING UPDATE", !d->schema_moved, txn_id);
        if (d->schema && (d->schema_moved || d->table.version < 0))
            delta_put_metadata(d, &d->lines);
        put_txns(d, positions, count);
        sbuf_str(&d->lines, sbuf_view(&d->adds));
        d->attempted = true;
        TRY(delta_commit(&d->table, sbuf_view(&d->lines), txn_id, &won, err));
    }
    sbuf_clear(&d->adds);
    sbuf_clear(&d->finished);
    d->attempted = d->schema_moved = false;
    d->table.metadata_changed = d->table.protocol_changed = false;
    if (d->inode == 0)
        TRY(delta_note_identity(d, err));
    delta_upkeep_overdue(d);
    shed_state(d);
    arena_reset(&d->arena);
    return true;
}

static size_t delta_pending(const struct sink *sink)
{
    const struct delta_sink *d = sink->state;
    size_t bytes = 0;
    for (uint32_t i = 0; i < d->open_count; i++)
        bytes += parquet_writer_memory(d->open[i]->parquet);
    return bytes;
}

static void delta_abort(struct sink *sink)
{
    struct delta_sink *d = sink->state;
    delta_files_abort(d);
    delta_fini(&d->table);
    compress_ctx_free(d->ctx);
    sbuf_fini(&d->lines);
    arena_fini(&d->arena);
}

/* ---- reset -------------------------------------------------------------------------------------------------------------------------------- */

void delta_put_remove(struct sbuf *out, const struct delta_file *f, bool data_change)
{
    struct arena arena = {0};
    const struct json_node *action;
    sbuf_cstr(out, "{\"remove\":{\"path\":");
    sbuf_json(out, f->path);
    sbuf_printf(
        out,
        ",\"deletionTimestamp\":%lld,\"dataChange\":%s,\"extendedFileMetadata\":true,\"partitionValues\":%.*s,\"size\":%lld",
        (long long)(os_wall().us / US_PER_MS), data_change ? "true" : "false",
        (int)(f->partition.n ? f->partition.n : 2), f->partition.n ? f->partition.p : "{}",
        (long long)f->size);
    if (f->dv.n) {
        CHECK(json_parse(&arena, f->action, &action, NULL)); /* it was read before */
        sbuf_cstr(out, ",\"deletionVector\":");
        json_write(json_get(action, "add.deletionVector"), out);
    }
    sbuf_cstr(out, "}}\n");
    arena_fini(&arena);
}

static bool delta_reset(struct sink *sink, bool replace, struct err *err)
{
    struct delta_sink *d = sink->state;
    char txn_id[37];
    bool won = false;
    if (d->table.version < 0)
        return true;
    const struct str *append_only = delta_property(&d->table, "delta.appendOnly");
    if (replace && append_only && str_is(*append_only, "true"))
        return err_set(err, ERR_FATAL,
                       "the table \"%s\" is append-only (delta.appendOnly): its rows cannot be replaced",
                       sink->spec->table);
    while (!won) {
        os_uuid(txn_id);
        sbuf_clear(&d->lines);
        delta_put_commit_info(d, replace ? "TRUNCATE" : "SET TRANSACTION", false, txn_id);
        sbuf_cstr(&d->lines, "{\"txn\":{\"appId\":");
        sbuf_json(&d->lines,
                  str_of(arena_printf(&d->arena, "%sknown", app_prefix(sink, &d->arena, sink->spec->uuid))));
        sbuf_cstr(&d->lines, ",\"version\":0}}\n");
        MAP_EACH(entry, &d->table.files)
        {
            const struct delta_file *f = entry->value;
            if (!replace)
                break;
            delta_put_remove(&d->lines, f, true);
        }
        TRY(delta_commit(&d->table, sbuf_view(&d->lines), txn_id, &won, err));
    }
    return true;
}

static const char *const schemes[] = {"file", NULL};

static const struct option_choice codecs[] = {{"zstd", CODEC_ZSTD, "small and quick"},
                                              {"snappy", CODEC_SNAPPY, "quicker, larger"},
                                              {"gzip", CODEC_GZIP, "for old readers"},
                                              {"none", CODEC_NONE, "not at all"},
                                              {0}};

static const struct option options[] = {
    {.name = "compression",
     .type = OPTION_ENUM,
     .offset = OPTION_AT(struct delta_options, codec),
     .default_text = "zstd",
     .choices = codecs,
     .help = "How data files are compressed."},
    {.name = "compression_level",
     .type = OPTION_I64,
     .offset = OPTION_AT(struct delta_options, level),
     .default_text = "3",
     .min = -7,
     .max = 22,
     .help = "Level of zstd or gzip."},
    {.name = "type_widening",
     .type = OPTION_BOOL,
     .offset = OPTION_AT(struct delta_options, type_widening),
     .default_text = "false",
     .help =
         "A column whose type becomes wider (INT to BIGINT, FLOAT to DOUBLE …) is widened in the table. Delta has that as the feature "
         "typeWidening, which not all readers know."},
    {0},
};

extern const struct sink_kind sink_delta;
const struct sink_kind sink_delta = {
    .name = "delta",
    .schemes = schemes,
    .cadence_ms = 10000,
    .exactly_once = true,
    .open = delta_open,
    .write = delta_write,
    .commit = delta_commit_rows,
    .abort = delta_abort,
    .maintain = delta_maintain,
    .expire = delta_expire,
    .pending_bytes = delta_pending,
    .reset = delta_reset,
    .check = delta_check,
    .options = options,
    .options_size = sizeof(struct delta_options),
};

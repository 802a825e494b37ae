/* topic read, topic write: records of a topic to stdout, lines of stdin to a topic. Options and the letters of formats are those that users of
 * kcat know. */
#include <stdio.h>

#include "cli/topic.h"
#include "topic/schemas.h"
#include "topic/show.h"
#include "type/timestamp.h"
#include "json/tree.h"

enum {
    SLICE_BYTES = 1 << 20,
    FOLLOW_MS = 20,
    WAIT_MS = 1000,
    LINES = 4096,
    LINE_BYTES_MAX = 64 << 20,
    STDIN_BYTES = 256 * 1024
};

/* ---- read -------------------------------------------------------------------------------------------------------------- */

struct reading {
    struct command_env *env;
    const char *topic;
    int32_t partitions;
    int64_t *start, *next, *until; /* [partitions]; start: where the partition begins */
    int64_t *found;     /* [partitions]: what has the time that --from names, −1 = none; or NULL */
    int32_t only;       /* −1: all partitions */
    uint64_t left;      /* records still to print */
    const char *format; /* "raw", "json", or a text with % in it */
    bool follow;
    struct topic_show *show; /* of records with a schema, or NULL */
    struct topic_def def;    /* of that topic */
    struct compress_ctx *ctx;
    struct arena arena;
    struct log **logs;            /* [partitions], out of the data folder; or */
    struct client_reader *reader; /* from a cluster */
};

static void put_json_text(struct sbuf *out, struct str text, bool tree, struct arena *arena)
{
    const struct json_node *root;
    struct err ignored;
    if (text.p == NULL)
        sbuf_cstr(out, "null");
    else if (tree && json_parse(arena, text, &root, &ignored))
        json_write(root, out);
    else
        sbuf_json(out, text);
}

/* A key or value as JSON: by its schema where it has one, else a value that is JSON as it is, and any other text as a string. */
static void put_part(struct reading *r, bool is_key, const struct record *record)
{
    struct sbuf *out = &r->env->out;
    struct str text = is_key ? record->key : record->value;
    const char *reason = NULL;
    struct sbuf shown = {0};
    if (r->show && topic_show_value(r->show, is_key, text, record->headers, &shown, &reason))
        put_json_text(out, sbuf_view(&shown), true, &r->arena);
    else
        put_json_text(out, text, !is_key, &r->arena);
    sbuf_fini(&shown);
    if (reason) {
        sbuf_printf(out, ",\"%s\":", is_key ? "key_error" : "value_error");
        sbuf_json(out, str_of(reason));
    }
}

static void put_json(struct reading *r, int32_t partition, const struct record *record)
{
    char time[64];
    struct sbuf *out = &r->env->out;
    timestamp_to_iso(record->timestamp_ms * US_PER_MS, "Z", time);
    sbuf_printf(out,
                "{\"topic\":\"%s\",\"partition\":%d,\"offset\":%lld,\"timestamp\":\"%s\",\"key\":", r->topic,
                partition, (long long)record->offset, time);
    put_part(r, true, record);
    sbuf_cstr(out, ",\"value\":");
    put_part(r, false, record);
    if (record->header_count) {
        struct str raw = record->headers;
        struct records_header header;
        const char *between = "";
        sbuf_cstr(out, ",\"headers\":[");
        while (raw.n && records_header_next(&raw, &header)) {
            sbuf_printf(out, "%s{\"key\":", between);
            sbuf_json(out, header.key);
            sbuf_cstr(out, ",\"value\":");
            put_json_text(out, header.value, false, &r->arena);
            sbuf_char(out, '}');
            between = ",";
        }
        sbuf_char(out, ']');
    }
    sbuf_cstr(out, "}\n");
    arena_reset(&r->arena);
}

/* What may stand behind a %, as kcat has it, and %v, %V and %d as rpk does. */
static const char tokens[] = "kKvVsShHtpoTd%";

/* "key=value,key=value", as kcat prints them. */
static void put_headers(struct sbuf *out, const struct record *record)
{
    struct str raw = record->headers;
    struct records_header header;
    for (const char *between = ""; raw.n && records_header_next(&raw, &header); between = ",") {
        sbuf_printf(out, "%s%.*s=", between, STR_ARG(header.key));
        sbuf_str(out, header.value.p ? header.value : STR("NULL"));
    }
}

static void put_length(struct sbuf *out, struct str text)
{
    sbuf_printf(out, "%lld", text.p ? (long long)text.n : -1LL);
}

static void put_token(struct reading *r, char token, int32_t partition, const struct record *record)
{
    struct sbuf *out = &r->env->out;
    switch (token) {
    case 't': sbuf_cstr(out, r->topic); break;
    case 'p': sbuf_printf(out, "%d", partition); break;
    case 'o': sbuf_printf(out, "%lld", (long long)record->offset); break;
    case 'T':
    case 'd': sbuf_printf(out, "%lld", (long long)record->timestamp_ms); break;
    case 'k': sbuf_str(out, record->key); break;
    case 'K': put_length(out, record->key); break;
    case 's':
    case 'v': sbuf_str(out, record->value); break;
    case 'S':
    case 'V': put_length(out, record->value); break;
    case 'h': put_headers(out, record); break;
    case 'H': sbuf_printf(out, "%u", (unsigned)record->header_count); break;
    case '%': sbuf_char(out, '%'); break;
    default: UNREACHABLE("the format was checked");
    }
}

static void put_format(struct reading *r, int32_t partition, const struct record *record)
{
    struct sbuf *out = &r->env->out;
    for (const char *p = r->format; *p; p++) {
        if (*p == '\\' && p[1]) {
            p++;
            sbuf_char(out, *p == 'n' ? '\n' : *p == 't' ? '\t' : *p == 'r' ? '\r' : *p == '0' ? '\0' : *p);
        } else if (*p == '%') {
            put_token(r, *++p, partition, record);
        } else {
            sbuf_char(out, *p);
        }
    }
}

static bool check_format(const char *format, struct err *err)
{
    static const char hint[] =
        "There are raw, json, and texts with %k key, %v or %s value, %K %V lengths, %h headers, %t %p %o %T.";
    if (strcmp(format, "json") == 0 || strcmp(format, "raw") == 0)
        return true;
    if (strchr(format, '%') == NULL)
        return err_set(err, ERR_CONFIG, "unknown format \"%s\"", format) || err_hint(err, "%s", hint);
    for (const char *p = format; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '%' && (*++p == '\0' || strchr(tokens, *p) == NULL))
            return err_set(err, ERR_CONFIG, "unknown token \"%%%.*s\" in the format", *p != '\0', p) ||
                   err_hint(err, "%s", hint);
    }
    return true;
}

static void put_record(struct reading *r, int32_t partition, const struct record *record)
{
    if (strcmp(r->format, "json") == 0) {
        put_json(r, partition, record);
    } else if (strcmp(r->format, "raw") == 0) {
        sbuf_str(&r->env->out, record->value);
        sbuf_char(&r->env->out, '\n');
    } else {
        put_format(r, partition, record);
    }
    if (r->env->out.n >= COMMAND_OUT_BYTES)
        env_flush(r->env);
}

static bool put_batch(struct reading *r, int32_t partition, const uint8_t *p, size_t n, uint32_t *size,
                      struct err *err)
{
    struct records_reader reader;
    struct buf *scratch = NULL;
    struct record record;
    bool more = true;
    TRY(records_open(p, n, r->ctx, &scratch, &reader, err));
    *size = reader.batch.size;
    bool ok = true;
    while (ok && more && r->left > 0 && !(reader.batch.attributes & RECORDS_CONTROL)) {
        ok = records_next(&reader, &record, &more, err);
        if (!ok || !more || record.offset < r->next[partition] ||
            (!r->follow && record.offset >= r->until[partition]))
            continue;
        put_record(r, partition, &record);
        r->next[partition] = record.offset + 1;
        r->left--;
    }
    buf_unref(scratch);
    return ok;
}

/* What a partition holds from next on; *any: there was something. */
static bool read_partition(struct reading *r, int32_t p, bool *any, struct err *err)
{
    int64_t until = r->follow ? log_stable(r->logs[p]) : r->until[p];
    while (r->next[p] < until && r->left > 0 && !env_gone(r->env)) {
        struct log_slice slice;
        if (r->next[p] < log_start(r->logs[p]))
            r->next[p] = log_start(r->logs[p]); /* retention was faster */
        TRY(log_read_committed(r->logs[p], r->next[p], SLICE_BYTES, &slice, err));
        if (slice.n == 0)
            break;
        bool ok = true;
        for (size_t at = 0; ok && at < slice.n && r->left > 0;) {
            uint32_t size = 0;
            ok = put_batch(r, p, slice.p + at, slice.n - at, &size, err);
            at += size;
        }
        if (ok && r->left > 0 && r->next[p] < slice.next_offset)
            r->next[p] = slice.next_offset;
        buf_unref(slice.buf);
        TRY(ok);
        *any = true;
    }
    return true;
}

static bool read_logs(struct reading *r, struct err *err)
{
    bool more = true;
    while (more && r->left > 0) {
        bool any = false;
        for (int32_t p = 0; p < r->partitions; p++)
            if (r->only < 0 || r->only == p)
                TRY(read_partition(r, p, &any, err));
        more = env_flush(r->env) && (r->follow || any) && !env_gone(r->env);
        if (more && r->follow && !any)
            more = r->env->engine != NULL && !r->env->gone(r->env, FOLLOW_MS);
    }
    return true;
}

static bool take_batch(void *arg, int32_t partition, const uint8_t *p, size_t n, struct err *err)
{
    struct reading *r = arg;
    uint32_t size;
    if (r->left == 0)
        return true;
    return put_batch(r, partition, p, n, &size, err);
}

/* What is read to its end is not asked for any more; true: nothing is left to be asked for. */
static bool stop_what_ended(struct reading *r)
{
    bool all = true;
    for (int32_t p = 0; p < r->partitions; p++) {
        int64_t next = client_reader_next(r->reader, p);
        if (next >= 0 && !r->follow && (next >= r->until[p] || client_reader_is_at_end(r->reader, p)))
            client_reader_stop(r->reader, p);
        all = all && client_reader_next(r->reader, p) < 0;
    }
    return all;
}

static bool read_cluster(struct reading *r, struct err *err)
{
    uint64_t lost = 0;
    bool was_troubled = false;
    while (r->left > 0 && !stop_what_ended(r) && env_flush(r->env)) {
        TRY(client_read(r->reader, WAIT_MS, take_batch, r, err));
        const struct err *trouble = client_reader_trouble(r->reader);
        if (trouble && !was_troubled && r->follow)
            env_note(r->env, "%s; trying again", trouble->text);
        was_troubled = trouble != NULL;
        if (client_reader_lost(r->reader) == lost)
            continue;
        env_note(r->env, "topic \"%s\": %llu records were deleted before they were read", r->topic,
                 (unsigned long long)(client_reader_lost(r->reader) - lost));
        lost = client_reader_lost(r->reader);
    }
    return true;
}

/* ---- where to begin ------------------------------------------------------------------------------------------------------ */

/* A time: as text, or as kcat has it, "s@MS"; rpk's "@MS". */
static bool read_time(struct reading *r, struct str from, int64_t *ms)
{
    int64_t us;
    struct str at = str_starts(from, STR("s@"))  ? str_n(from.p + 2, from.n - 2)
                    : str_starts(from, STR("@")) ? str_n(from.p + 1, from.n - 1)
                                                 : (struct str){0};
    if (at.p && str_to_i64(at, ms))
        return true;
    if (!timestamp_parse(at.p ? at : from, r->env->project->zone, NULL, &us))
        return false;
    *ms = us / US_PER_MS;
    return true;
}

/* --from: earliest, latest, an offset, −N (the last N of each partition), or a time. */
static bool find_start(struct reading *r, int32_t p, struct str from)
{
    int64_t n;
    if (from.p == NULL || str_is(from, "earliest") || str_is(from, "beginning"))
        r->next[p] = r->start[p];
    else if (str_is(from, "latest") || str_is(from, "end"))
        r->next[p] = r->until[p];
    else if (str_to_i64(from, &n))
        r->next[p] = n < 0 ? r->until[p] + n : n;
    else
        r->next[p] = r->found[p] < 0 ? r->until[p] : r->found[p];
    if (r->next[p] < r->start[p])
        r->next[p] = r->start[p];
    return true;
}

static bool is_place(struct str from)
{
    int64_t n;
    return from.p == NULL || str_is(from, "earliest") || str_is(from, "beginning") ||
           str_is(from, "latest") || str_is(from, "end") || str_to_i64(from, &n);
}

/* The ends, and what has the time that is asked for (time_ms ≥ 0). */
static bool look_at_logs(struct reading *r, bool by_time, int64_t time_ms, struct err *err)
{
    for (int32_t p = 0; p < r->partitions; p++) {
        int64_t ignored;
        r->logs[p] = log_get(r->env->store, r->topic, p);
        if (r->logs[p] == NULL)
            return err_set(err, ERR_RETRY, "topic \"%s\" was deleted just now", r->topic);
        r->start[p] = log_start(r->logs[p]);
        r->until[p] = log_stable(r->logs[p]);
        if (by_time)
            TRY(log_find_time(r->logs[p], time_ms, &r->found[p], &ignored, err));
    }
    return true;
}

static bool take_found(struct reading *r, struct client_topic *topic, int64_t time, int64_t *to,
                       struct err *err)
{
    TRY(client_offsets(r->env->kafka, topic, 1, time, true, err));
    for (int32_t p = 0; p < r->partitions; p++) {
        to[p] = topic->partitions[p].found;
        if (r->only < 0 || r->only == p)
            TRY(client_check(topic->partitions[p].error, (struct str){0}, err,
                             "could not read topic \"%s\", partition %d", r->topic, p));
    }
    return true;
}

static bool look_at_cluster(struct reading *r, struct client_topic *topic, bool by_time, int64_t time_ms,
                            struct err *err)
{
    return take_found(r, topic, CLIENT_EARLIEST, r->start, err) &&
           take_found(r, topic, CLIENT_LATEST, r->until, err) &&
           (!by_time || take_found(r, topic, time_ms, r->found, err));
}

static bool open_topic(struct reading *r, const char *name, struct client_topic *topic, struct err *err)
{
    struct topic_info info;
    r->topic = name;
    if (r->env->kafka) {
        TRY(client_topic(r->env->kafka, pool_arena(r->env->pool), name, topic, err));
        r->partitions = topic->partition_count;
    } else {
        TRY(topic_find(r->env, name, &info, err));
        r->partitions = info.partitions;
    }
    size_t count = (size_t)r->partitions;
    struct arena *arena = pool_arena(r->env->pool);
    r->start = arena_zarray(arena, int64_t, count);
    r->next = arena_zarray(arena, int64_t, count);
    r->until = arena_zarray(arena, int64_t, count);
    r->found = arena_zarray(arena, int64_t, count);
    r->logs = r->env->kafka ? NULL : arena_zarray(arena, struct log *, count);
    return true;
}

static bool read_options(struct reading *r, struct err *err)
{
    const struct cli_args *args = r->env->args;
    const char *n = cli_given(args, "--count") ? cli_value(args, "--count") : cli_value(args, "-c"),
               *format = cli_value(args, "--format");
    r->left = UINT64_MAX;
    r->follow = cli_given(args, "--follow");
    r->format = format ? format : "raw";
    if (n && !str_to_u64(str_of(n), &r->left))
        return err_set(err, ERR_CONFIG, "\"%s\" is no number of records", n);
    return check_format(r->format, err);
}

/* For JSON alone: what ids in records mean. */
static bool open_show(struct reading *r, struct err *err)
{
    const char *url = cli_value(r->env->args, "--registry");
    int32_t index = r->env->is_foreign ? -1 : project_topic_of(r->env->project, str_of(r->topic));
    if (strcmp(r->format, "json") != 0) {
        err_set(err, ERR_CONFIG, "--registry is for records as JSON");
        return url == NULL || err_hint(err, "Say -f json.");
    }
    r->def = index >= 0 ? r->env->project->topics[index]
                        : (struct topic_def){.name = r->topic, .format = TOPIC_RAW, .raw = true};
    r->def.schemas = command_schemas(r->env, url, err);
    if (r->def.schemas)
        r->show = topic_show_new(r->env->pool, &r->def);
    return err->class == ERR_NONE;
}

static bool open_reading(struct reading *r, struct err *err)
{
    const struct cli_args *args = r->env->args;
    const char *partition = cli_value(args, "--partition");
    struct str from = str_of(cli_value(args, "--from"));
    struct client_topic *topic = pool_new_struct(r->env->pool, struct client_topic);
    int64_t only = -1, time_ms = 0;
    TRY(read_options(r, err));
    bool by_time = !is_place(from);
    if (by_time && !read_time(r, from, &time_ms))
        return err_set(err, ERR_CONFIG, "\"%.*s\" is no place in a topic", STR_ARG(from)) ||
               err_hint(
                   err,
                   "There are earliest, latest, an offset, -N for the last N, a time as 2024-01-02T03:04:05Z.");
    TRY(open_topic(r, args->operands[0], topic, err));
    TRY(open_show(r, err));
    if (partition && (!str_to_i64(str_of(partition), &only) || only < 0 || only >= r->partitions))
        return err_set(err, ERR_CONFIG, "topic \"%s\" has no partition %s", r->topic, partition);
    r->only = (int32_t)only;
    TRY(r->env->kafka ? look_at_cluster(r, topic, by_time, time_ms, err)
                      : look_at_logs(r, by_time, time_ms, err));
    for (int32_t p = 0; p < r->partitions; p++)
        find_start(r, p, from);
    if (r->env->kafka == NULL)
        return true;
    int64_t *next = arena_array(pool_arena(r->env->pool), int64_t, (size_t)r->partitions);
    for (int32_t p = 0; p < r->partitions; p++)
        next[p] = r->only < 0 || r->only == p ? r->next[p] : -1;
    const struct client_reader_options options = {.next = next, .is_patient = r->follow};
    r->reader = client_reader_new(r->env->pool, r->env->kafka, topic, &options);
    return true;
}

static int look_read(struct command_env *env)
{
    struct reading r = {.env = env, .ctx = compress_ctx_new()};
    struct err err;
    bool ok = open_reading(&r, &err);
    if (ok && r.follow && env->engine == NULL && env->kafka == NULL)
        env_note(env, "nothing runs here: no more will come");
    ok = ok && (r.reader ? read_cluster(&r, &err) : read_logs(&r, &err));
    for (int32_t p = 0; r.logs && p < r.partitions; p++)
        if (r.logs[p])
            log_release(r.logs[p]);
    compress_ctx_free(r.ctx);
    arena_fini(&r.arena);
    return ok ? EXIT_DONE : env_fail(env, &err, NULL);
}

/* ---- write -------------------------------------------------------------------------------------------------------------- */

struct writing {
    struct command_env *env;
    struct topic_def def;
    struct topic_writer *writer;
    struct sbuf in;
    struct str *keys, *values; /* [LINES] */
    const char *separator;     /* between key and value, or NULL */
    uint64_t records;
    struct log **logs; /* [def.partitions], in the data folder; or */
    struct client_topic topic;
    struct client_writer *remote; /* in a cluster */
    struct buf **bufs;            /* [def.partitions] */
};

static bool commit_lines(struct writing *w, uint64_t *records, struct err *err)
{
    if (w->remote)
        return topic_writer_take(w->writer, w->bufs, records, err) && client_write(w->remote, w->bufs, err);
    struct frame *frame = frame_new(w->env->store);
    bool ok = topic_writer_flush(w->writer, frame, w->logs, records, err) &&
              command_commit(w->env, frame, err);
    frame_free(frame);
    return ok;
}

static bool write_lines(struct writing *w, uint32_t count, struct err *err)
{
    uint64_t records = 0;
    bool ok = topic_writer_add(w->writer, w->separator ? w->keys : NULL, w->values, NULL, count,
                               os_wall().us / US_PER_MS, err) &&
              commit_lines(w, &records, err);
    w->records += ok ? records : 0;
    return ok;
}

/* The whole lines of the input so far; the last one too, at its end. */
static bool take_lines(struct writing *w, bool last, struct err *err)
{
    size_t used = 0;
    uint32_t count = 0;
    for (;;) {
        const char *start = w->in.p + used;
        const char *end = used < w->in.n ? memchr(start, '\n', w->in.n - used) : NULL;
        bool done = end == NULL && !(last && used < w->in.n);
        if (count == LINES || (done && count > 0)) {
            TRY(write_lines(w, count, err));
            count = 0;
        }
        if (done)
            break;
        struct str line = str_n(start, end ? (size_t)(end - start) : w->in.n - used);
        used += line.n + (end != NULL);
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        w->keys[count] = (struct str){0};
        size_t at = w->separator ? str_find(line, str_of(w->separator), 0) : SIZE_MAX;
        if (at != SIZE_MAX) {
            w->keys[count] = str_n(line.p, at);
            at += strlen(w->separator);
            line = str_n(line.p + at, line.n - at);
        }
        if (line.n > 0 || at != SIZE_MAX)
            w->values[count++] = line;
    }
    memmove(w->in.p, w->in.p + used, w->in.n - used);
    w->in.n -= used;
    return w->in.n <= LINE_BYTES_MAX ||
           err_set(err, ERR_DATA, "a line has more than %d bytes", LINE_BYTES_MAX);
}

static bool open_logs(struct writing *w, const char *name, struct err *err)
{
    struct topic_info info;
    TRY(topic_find(w->env, name, &info, err));
    if (topic_is_internal(&info))
        return err_set(err, ERR_FATAL, "topic \"%s\" belongs to the program itself", name);
    w->def.config = info.config;
    w->def.partitions = info.partitions;
    w->logs = arena_zarray(pool_arena(w->env->pool), struct log *, (size_t)info.partitions);
    for (int32_t p = 0; p < info.partitions; p++)
        if ((w->logs[p] = log_get(w->env->store, name, p)) == NULL)
            return err_set(err, ERR_RETRY, "topic \"%s\" was deleted just now", name);
    return true;
}

static bool open_remote(struct writing *w, const char *name, struct err *err)
{
    static const char *const keys[] = {"compression.type", NULL};
    struct arena *arena = pool_arena(w->env->pool);
    struct client_configs *configs;
    struct err ignored;
    enum codec codec;
    TRY(client_topic(w->env->kafka, arena, name, &w->topic, err));
    if (w->topic.is_internal || topic_name_is_internal(name))
        return err_set(err, ERR_FATAL, "topic \"%s\" belongs to the cluster itself", name);
    w->def.partitions = w->topic.partition_count;
    w->bufs = arena_zarray(arena, struct buf *, (size_t)w->def.partitions);
    /* what the topic is to be compressed with, where it says so and we may know */
    if (client_configs(w->env->kafka, arena, &w->topic, 1, keys, &configs, &ignored) &&
        client_config_value(configs, "compression.type") &&
        codec_find(str_of(client_config_value(configs, "compression.type")), &codec))
        w->def.config.compression = (uint8_t)codec;
    return client_writer_new(w->env->pool, w->env->kafka, &w->topic, &w->remote, err);
}

static bool open_writing(struct writing *w, struct err *err)
{
    struct arena *arena = pool_arena(w->env->pool);
    const char *name = w->env->args->operands[0];
    int32_t index = project_topic_of(w->env->project, str_of(name));
    w->def = index >= 0 ? w->env->project->topics[index]
                        : (struct topic_def){.name = name, .format = TOPIC_RAW, .raw = true};
    w->def.schemas = command_schemas(w->env, NULL, err);
    if (err->class != ERR_NONE)
        return false;
    w->separator = cli_value(w->env->args, "--key");
    w->keys = arena_array(arena, struct str, LINES);
    w->values = arena_array(arena, struct str, LINES);
    TRY(w->env->kafka ? open_remote(w, name, err) : open_logs(w, name, err));
    TRY(topic_writer_new(w->env->pool, &w->def, &w->writer, err));
    topic_writer_strict(w->writer); /* whoever writes can be told */
    return topic_writer_ready(w->writer, err);
}

static int look_write(struct command_env *env)
{
    struct writing *w = pool_new_struct(env->pool,
                                        struct writing); /* the writer lives as long, and borrows from it */
    struct err err;
    size_t got = 1;
    w->env = env;
    bool ok = open_writing(w, &err);
    while (ok && got > 0) {
        ok = env->read(env, sbuf_reserve(&w->in, STDIN_BYTES), STDIN_BYTES, &got, &err);
        if (!ok)
            break;
        sbuf_added(&w->in, got);
        ok = take_lines(w, got == 0, &err);
    }
    for (int32_t p = 0; w->logs && p < w->def.partitions; p++)
        if (w->logs[p])
            log_release(w->logs[p]);
    sbuf_fini(&w->in);
    if (!ok)
        return env_fail(env, &err, NULL);
    env_note(env, "%llu record%s written", (unsigned long long)w->records, w->records == 1 ? "" : "s");
    return EXIT_DONE;
}

static const struct cli_flag read_flags[] = {
    {"--count", "-n", "COUNT", "ends after so many records"},
    {"--from", "-o", "PLACE", "earliest (default), latest, an offset, -N for the last N, a time, s@MS"},
    {"--partition", "-p", "NUMBER", "one partition only"},
    {"--format", "-f", "FORMAT",
     "raw (default: the value), json, or a text: %k key, %v or %s value, %K %V their lengths, %h headers, %p partition, %o offset, %T ms, %t topic"},
    {"--follow", NULL, NULL, "waits for more at the end"},
    {"-c", NULL, "COUNT", "the same as -n, as kcat has it"},
    {"--exit", "-e", NULL, "ends at the end, which is the default"},
    CLI_BOOTSTRAP_FLAG,
    {"--registry", "-r", "URL", "of the schemas that records name, with -f json; default: the project's"},
    {0},
};
static const struct cli_flag write_flags[] = {
    {"--key", "-k", "SEPARATOR", "a line is key, separator, value"}, CLI_BOOTSTRAP_FLAG, {0}};

extern const struct cli_command command_topic_read, command_topic_write;
const struct cli_command command_topic_read = {
    .name = "topic read",
    .operands = "TOPIC [DIR]",
    .summary = "prints the records of a topic",
    .help =
        "As JSON keys and values are shown by the schemas that they name, whatever the topic.\n\n"
        "    sluice topic read users_created -n 5 -f json\n    sluice topic read users_created --follow -f '%p:%o %k %s\\n'",
    .flags = read_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .kafka = CLI_KAFKA_IF_RUNNING,
    .look = look_read,
};
const struct cli_command command_topic_write = {
    .name = "topic write",
    .operands = "TOPIC [DIR]",
    .summary = "appends the lines of stdin to a topic, one record each",
    .help = "    echo '{\"id\":1}' | sluice topic write events",
    .flags = write_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .reads_stdin = true,
    .kafka = CLI_KAFKA_IF_RUNNING,
    .look = look_write,
};

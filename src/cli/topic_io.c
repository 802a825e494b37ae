/* topic read, topic write: records of a topic to stdout, lines of stdin to a topic. Options and the letters of formats are those that users of
 * kcat know. */
#include <stdio.h>

#include "cli/topic.h"
#include "type/timestamp.h"
#include "json/tree.h"

enum {
    SLICE_BYTES = 1 << 20,
    FOLLOW_MS = 20,
    LINES = 4096,
    LINE_BYTES_MAX = 64 << 20,
    STDIN_BYTES = 256 * 1024
};

/* ---- read -------------------------------------------------------------------------------------------------------------- */

struct reading {
    struct command_env *env;
    struct topic_info info;
    struct log **logs;
    int64_t *next, *until; /* [partitions] */
    int32_t only;          /* −1: all partitions */
    uint64_t left;         /* records still to print */
    const char *format;    /* "raw", "json", or a text with % in it */
    bool follow;
    struct compress_ctx *ctx;
    struct arena arena;
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

static void put_json(struct reading *r, int32_t partition, const struct record *record)
{
    char time[64];
    struct sbuf *out = &r->env->out;
    timestamp_to_iso(record->timestamp_ms * US_PER_MS, "Z", time);
    sbuf_printf(out, "{\"topic\":\"%s\",\"partition\":%d,\"offset\":%lld,\"timestamp\":\"%s\",\"key\":",
                r->info.name, partition, (long long)record->offset, time);
    put_json_text(out, record->key, false, &r->arena);
    sbuf_cstr(out, ",\"value\":");
    put_json_text(out, record->value, true, &r->arena);
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
    case 't': sbuf_cstr(out, r->info.name); break;
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
    int64_t until = r->follow ? log_end(r->logs[p]) : r->until[p];
    while (r->next[p] < until && r->left > 0 && !env_gone(r->env)) {
        struct log_slice slice;
        if (r->next[p] < log_start(r->logs[p]))
            r->next[p] = log_start(r->logs[p]); /* retention was faster */
        TRY(log_read(r->logs[p], r->next[p], SLICE_BYTES, &slice, err));
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

static bool read_all(struct reading *r, struct err *err)
{
    bool more = true;
    while (more && r->left > 0) {
        bool any = false;
        for (int32_t p = 0; p < r->info.partitions; p++)
            if (r->only < 0 || r->only == p)
                TRY(read_partition(r, p, &any, err));
        more = env_flush(r->env) && (r->follow || any) && !env_gone(r->env);
        if (more && r->follow && !any)
            more = r->env->engine != NULL && !r->env->gone(r->env, FOLLOW_MS);
    }
    return true;
}

/* --from: earliest, latest, an offset, −N (the last N of each partition), or a time. */
static bool find_start(struct reading *r, int32_t p, struct str from, struct err *err)
{
    struct log *log = r->logs[p];
    int64_t n, us, found;
    r->until[p] = log_end(log);
    if (from.p == NULL || str_is(from, "earliest") || str_is(from, "beginning")) {
        r->next[p] = log_start(log);
    } else if (str_is(from, "latest") || str_is(from, "end")) {
        r->next[p] = log_end(log);
    } else if (str_to_i64(from, &n)) {
        r->next[p] = n < 0 ? log_end(log) + n : n;
    } else if (timestamp_parse(from, r->env->project->zone, NULL, &us)) {
        TRY(log_find_time(log, us / US_PER_MS, &r->next[p], &found, err));
        if (r->next[p] < 0)
            r->next[p] = log_end(log);
    } else {
        return err_set(err, ERR_CONFIG, "\"%.*s\" is no place in a topic", STR_ARG(from)) ||
               err_hint(
                   err,
                   "There are earliest, latest, an offset, -N for the last N, a time as 2024-01-02T03:04:05Z.");
    }
    if (r->next[p] < log_start(log))
        r->next[p] = log_start(log);
    return true;
}

static bool open_reading(struct reading *r, struct err *err)
{
    const struct cli_args *args = r->env->args;
    const char *n = cli_value(args, "--count"), *partition = cli_value(args, "--partition"),
               *format = cli_value(args, "--format");
    struct arena *arena = pool_arena(r->env->pool);
    int64_t only = -1;
    r->left = UINT64_MAX;
    r->follow = cli_given(args, "--follow");
    r->format = format ? format : "raw";
    TRY(topic_find(r->env, args->operands[0], &r->info, err));
    if (n && !str_to_u64(str_of(n), &r->left))
        return err_set(err, ERR_CONFIG, "\"%s\" is no number of records", n);
    if (partition && (!str_to_i64(str_of(partition), &only) || only < 0 || only >= r->info.partitions))
        return err_set(err, ERR_CONFIG, "topic \"%s\" has no partition %s", r->info.name, partition);
    TRY(check_format(r->format, err));
    r->only = (int32_t)only;
    r->logs = arena_zarray(arena, struct log *, (size_t)r->info.partitions);
    r->next = arena_zarray(arena, int64_t, (size_t)r->info.partitions);
    r->until = arena_zarray(arena, int64_t, (size_t)r->info.partitions);
    for (int32_t p = 0; p < r->info.partitions; p++) {
        r->logs[p] = log_get(r->env->store, r->info.name, p);
        if (r->logs[p] == NULL)
            return err_set(err, ERR_RETRY, "topic \"%s\" was deleted just now", r->info.name);
        TRY(find_start(r, p, str_of(cli_value(args, "--from")), err));
    }
    return true;
}

static int look_read(struct command_env *env)
{
    struct reading r = {.env = env, .ctx = compress_ctx_new()};
    struct err err;
    bool ok = open_reading(&r, &err);
    if (ok && r.follow && env->engine == NULL)
        env_note(env, "nothing runs here: no more will come");
    ok = ok && read_all(&r, &err);
    for (int32_t p = 0; r.logs && p < r.info.partitions; p++)
        if (r.logs[p])
            log_release(r.logs[p]);
    compress_ctx_free(r.ctx);
    arena_fini(&r.arena);
    return ok ? EXIT_DONE : env_fail(env, &err, NULL);
}

/* ---- write -------------------------------------------------------------------------------------------------------------- */

struct writing {
    struct command_env *env;
    struct topic_info info;
    struct topic_def def;
    struct topic_writer *writer;
    struct log **logs;
    struct sbuf in;
    struct str *keys, *values; /* [LINES] */
    const char *separator;     /* between key and value, or NULL */
    uint64_t records;
};

static bool write_lines(struct writing *w, uint32_t count, struct err *err)
{
    struct frame *frame = frame_new(w->env->store);
    uint64_t records = 0;
    bool ok = topic_writer_add(w->writer, w->separator ? w->keys : NULL, w->values, NULL, count,
                               os_wall().us / US_PER_MS, err) &&
              topic_writer_flush(w->writer, frame, w->logs, &records, err) &&
              command_commit(w->env, frame, err);
    frame_free(frame);
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

static bool open_writing(struct writing *w, struct err *err)
{
    struct arena *arena = pool_arena(w->env->pool);
    TRY(topic_find(w->env, w->env->args->operands[0], &w->info, err));
    int32_t index = project_topic_of(w->env->project, str_of(w->info.name));
    if (topic_is_internal(&w->info))
        return err_set(err, ERR_FATAL, "topic \"%s\" belongs to the program itself", w->info.name);
    w->def = index >= 0 ? w->env->project->topics[index]
                        : (struct topic_def){.name = w->info.name, .format = TOPIC_RAW, .raw = true};
    w->def.config = w->info.config;
    w->def.partitions = w->info.partitions;
    w->separator = cli_value(w->env->args, "--key");
    w->keys = arena_array(arena, struct str, LINES);
    w->values = arena_array(arena, struct str, LINES);
    w->logs = arena_zarray(arena, struct log *, (size_t)w->info.partitions);
    for (int32_t p = 0; p < w->info.partitions; p++)
        if ((w->logs[p] = log_get(w->env->store, w->info.name, p)) == NULL)
            return err_set(err, ERR_RETRY, "topic \"%s\" was deleted just now", w->info.name);
    return topic_writer_new(w->env->pool, &w->def, &w->writer, err);
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
    for (int32_t p = 0; w->logs && p < w->info.partitions; p++)
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
    {"--from", "-o", "PLACE", "earliest (default), latest, an offset, -N for the last N, a time"},
    {"--partition", "-p", "NUMBER", "one partition only"},
    {"--format", "-f", "FORMAT",
     "raw (default: the value), json, or a text: %k key, %v or %s value, %K %V their lengths, %h headers, %p partition, %o offset, %T ms, %t topic"},
    {"--follow", NULL, NULL, "waits for more at the end"},
    {0},
};
static const struct cli_flag write_flags[] = {{"--key", "-k", "SEPARATOR", "a line is key, separator, value"},
                                              {0}};

extern const struct cli_command command_topic_read, command_topic_write;
const struct cli_command command_topic_read = {
    .name = "topic read",
    .operands = "TOPIC [DIR]",
    .summary = "prints the records of a topic",
    .help =
        "    sluice topic read users_created -n 5 -f json\n    sluice topic read users_created --follow -f '%p:%o %k %s\\n'",
    .flags = read_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
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
    .look = look_write,
};

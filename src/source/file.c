/* Files: JSON lines, JSON arrays, CSV; plain, .gz or .zst; one path, a pattern, or stdin.
 *
 * A file's identity is its inode and a hash of its first KiB (or of what was consumed, if that is less): a renamed file is the same file, one
 * that was rotated into its place is another, and one that was truncated and begun anew is new from its start. The device number can
 * change when a volume is mounted again, so it is kept as a hint only. The position of each file is a part of its own, named by the inode:
 *
 *     u8 version 1 │ u64 consumed │ u16 hashed bytes │ u64 hash │ u64 device │ u8 ended
 *
 * `consumed` counts bytes of the (decompressed) content; in an array, elements. A compressed file is read again from its start up to there.
 *
 * A last line without its end waits in `up` (somebody is still writing it) and is taken in `run`. */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/map.h"
#include "format/compress.h"
#include "format/csv.h"
#include "format/json.h"
#include "source/source.h"

enum {
    POSITION = 28,
    HASHED_MAX = 1024,
    CHUNK = 1 << 20,
    RECORDS = 16384,        /* of one poll */
    CSV_RECORDS = 4096,
    CSV_FIELDS_MAX = 2048,
    LOOK_MS = 200,          /* between looks for growth and for new files */
    FILES_MAX = 100000,
};

enum file_format { FILE_JSON, FILE_CSV };

struct file_options {
    const char *path;
    int format; /* enum file_format */
    bool watch;
    bool header;
    const char *separator;
};

enum file_shape { SHAPE_UNKNOWN, SHAPE_LINES, SHAPE_ARRAY, SHAPE_CSV };

/* One file that was seen. */
struct tracked {
    char *name;        /* path */
    uint64_t inode, device;
    uint64_t consumed; /* durable or handed out */
    uint64_t hash;
    uint16_t hashed;
    bool ended;        /* a compressed file or an array that was read to its end: it cannot grow */
    bool stored;       /* came from a position */
    bool seen;         /* in the last listing */
    char part[24];
};

struct file_source {
    struct source *source;
    const char *folder;  /* of the path; the pattern is its last part */
    const char *pattern; /* NULL: one file */
    struct tracked **files;
    size_t count, capacity;
    struct timer timer;
    bool is_stdin;

    /* the file that is being read */
    struct tracked *now;
    int file;
    enum file_shape shape;
    struct inflate_stream *inflate;
    struct sbuf raw;       /* compressed bytes not yet inflated */
    struct sbuf window;    /* content from `window_at` on */
    uint64_t window_at;    /* content offset of window.p[0] */
    uint64_t read_at;      /* file offset of the next read */
    bool at_end;           /* nothing more to read now */
    struct json_split split;
    struct csv_options csv;
    struct arena names_arena;
    struct str *names;     /* of CSV columns [name_count]; NULL: not read yet, or there is no header */
    uint32_t name_count;
    struct arena rows_arena; /* of one poll */
    struct sbuf rows_text; /* CSV rows as JSON objects */
    size_t handed;         /* bytes of the window that the last poll's rows take up */
    uint64_t elements;     /* of an array, so far */

    struct str values[RECORDS];
    uint8_t position[POSITION];
    char part[24];
};

/* ---- names ----------------------------------------------------------------------------------------------------------- */

/* `*`, `?` and [a-z] in one part of a path. Loops, no recursion: the last star is tried again further on. */
bool source_name_matches(const char *pattern, const char *name)
{
    const char *star = NULL, *retry = NULL;
    if (name[0] == '.' && pattern[0] != '.')
        return false;
    while (*name) {
        bool one = *pattern == '?' || (*pattern == *name && *pattern != '*' && *pattern != '[');
        size_t width = 1;
        if (*pattern == '[') {
            const char *end = strchr(pattern + 1, ']');
            bool negate = pattern[1] == '!';
            for (const char *p = pattern + 1 + negate; end && p < end; p++) {
                bool range = p + 2 < end && p[1] == '-';
                one = one || (range ? *name >= p[0] && *name <= p[2] : *name == *p);
                p += range ? 2 : 0;
            }
            one = one != negate && end;
            width = end ? (size_t)(end - pattern) + 1 : 1;
        }
        if (*pattern == '*') {
            star = pattern++;
            retry = name;
        } else if (one) {
            pattern += width;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool has_wildcard(const char *s)
{
    return strpbrk(s, "*?[") != NULL;
}

/* ---- identity ----------------------------------------------------------------------------------------------------------- */

static void name_part(struct tracked *t)
{
    snprintf(t->part, sizeof t->part, "%llx", (unsigned long long)t->inode);
}

static struct tracked *add_tracked(struct file_source *f, uint64_t inode)
{
    struct tracked *t = pool_new_struct(f->source->pool, struct tracked);
    t->inode = inode;
    name_part(t);
    f->files = mem_grow(f->files, &f->capacity, f->count + 1, sizeof *f->files);
    f->files[f->count++] = t;
    return t;
}

static struct tracked *find_tracked(struct file_source *f, uint64_t inode)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->files[i]->inode == inode)
            return f->files[i];
    return NULL;
}

static void load_position(struct file_source *f, const struct source_position *p)
{
    char *end;
    char text[32];
    if (p->value.n != POSITION || p->value.p[0] != 1 || p->part.n == 0 || p->part.n >= sizeof text)
        return;
    memcpy(text, p->part.p, p->part.n);
    text[p->part.n] = '\0';
    struct tracked *t = add_tracked(f, strtoull(text, &end, 16));
    const char *at = p->value.p;
    t->consumed = get_be64(at + 1);
    t->hashed = get_be16(at + 9);
    t->hash = get_be64(at + 11);
    t->device = get_be64(at + 19);
    t->ended = at[27];
    t->stored = true;
}

static void save_position(struct file_source *f)
{
    const struct tracked *t = f->now;
    f->position[0] = 1;
    put_be64(f->position + 1, t->consumed);
    put_be16(f->position + 9, t->hashed);
    put_be64(f->position + 11, t->hash);
    put_be64(f->position + 19, t->device);
    f->position[27] = t->ended;
    memcpy(f->part, t->part, sizeof f->part);
}

/* The hash of the file's first `n` bytes as they are on disk. */
static bool hash_start(int file, size_t n, uint64_t *hash, size_t *got, struct err *err)
{
    char bytes[HASHED_MAX];
    CHECK(n <= sizeof bytes);
    TRY(os_pread(file, bytes, n, 0, got, err));
    *hash = hash_bytes(bytes, *got);
    return true;
}

/* The content is another one than we read from under this inode: begin anew. */
static void forget(struct tracked *t)
{
    t->consumed = 0;
    t->hashed = 0;
    t->hash = 0;
    t->ended = false;
}

/* Is the open file still the one whose start we hashed? If it is longer by now than it was hashed, hashes more. */
static bool verify(struct tracked *t, int file, uint64_t raw_consumed, struct err *err)
{
    struct os_stat stat;
    uint64_t hash;
    size_t got;
    TRY(os_fstat(file, &stat, err));
    TRY(hash_start(file, t->hashed, &hash, &got, err));
    if (got < t->hashed || hash != t->hash || (raw_consumed != UINT64_MAX && stat.size < raw_consumed))
        forget(t);
    return true;
}

/* After reading: the hash covers the first KiB, or what was consumed of it. */
static bool rehash(struct tracked *t, int file, uint64_t raw_consumed, struct err *err)
{
    size_t want = raw_consumed < HASHED_MAX ? (size_t)raw_consumed : HASHED_MAX, got;
    if (t->hashed == want)
        return true;
    TRY(hash_start(file, want, &t->hash, &got, err));
    t->hashed = (uint16_t)got;
    return true;
}

/* ---- finding files --------------------------------------------------------------------------------------------------------- */

static bool look_at(struct file_source *f, const char *path, struct err *err)
{
    struct os_stat stat;
    if (!os_stat(path, &stat, err))
        return err->code == 2; /* gone since it was listed */
    if (!stat.is_file)
        return true;
    struct tracked *t = find_tracked(f, stat.inode);
    if (t == NULL) {
        if (f->count >= FILES_MAX)
            return err_set(err, ERR_FATAL, "more than %d files in \"%s\"", FILES_MAX, f->folder);
        t = add_tracked(f, stat.inode);
    }
    t->device = stat.device;
    t->seen = true;
    if (t->name == NULL || strcmp(t->name, path) != 0)
        t->name = pool_strdup(f->source->pool, path);
    return true;
}

static bool list(struct file_source *f, struct err *err)
{
    struct arena arena = {0};
    char **names;
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++)
        f->files[i]->seen = false;
    bool ok = true;
    if (f->pattern == NULL) {
        ok = look_at(f, f->folder, err);
    } else {
        ok = os_list(f->folder, &arena, &names, &count, err);
        for (size_t i = 0; ok && i < count; i++)
            if (source_name_matches(f->pattern, names[i]))
                ok = look_at(f, arena_printf(&arena, "%s/%s", f->folder, names[i]), err);
    }
    arena_fini(&arena);
    return ok;
}

/* ---- reading one file ---------------------------------------------------------------------------------------------------- */

static void close_now(struct file_source *f)
{
    if (f->now == NULL)
        return;
    if (!f->is_stdin)
        os_close(f->file);
    inflate_stream_free(f->inflate);
    f->inflate = NULL;
    f->now = NULL;
    f->names = NULL;
    arena_reset(&f->names_arena);
    sbuf_clear(&f->raw);
    sbuf_clear(&f->window);
}

static bool open_now(struct file_source *f, struct tracked *t, struct err *err)
{
    const struct file_options *o = f->source->options;
    TRY(os_open(t->name, OS_READ, &f->file, err));
    enum codec codec = inflate_stream_codec_of_name(str_of(t->name));
    f->now = t;
    if (!verify(t, f->file, codec == CODEC_NONE ? t->consumed : UINT64_MAX, err)) {
        close_now(f);
        return false;
    }
    f->shape = o->format == FILE_CSV ? SHAPE_CSV : SHAPE_UNKNOWN;
    f->inflate = codec == CODEC_NONE ? NULL : inflate_stream_new(codec);
    f->window_at = f->read_at = f->elements = 0;
    f->at_end = false;
    f->handed = 0;
    return true;
}

/* More content into the window: at least one byte, or at_end. */
static bool fill(struct file_source *f, struct err *err)
{
    size_t got;
    if (f->inflate == NULL) {
        char *to = sbuf_reserve(&f->window, CHUNK);
        if (f->is_stdin)
            TRY(os_read(f->file, to, CHUNK, &got, err));
        else
            TRY(os_pread(f->file, to, CHUNK, f->read_at, &got, err));
        f->read_at += got;
        sbuf_added(&f->window, got);
        f->at_end = got == 0;
        return true;
    }
    for (;;) {
        struct str in = sbuf_view(&f->raw);
        size_t before = in.n, out;
        TRY(inflate_stream_step(f->inflate, &in, (uint8_t *)sbuf_reserve(&f->window, CHUNK), CHUNK, &out, err));
        sbuf_added(&f->window, out);
        memmove(f->raw.p, f->raw.p + (before - in.n), in.n);
        f->raw.n = in.n;
        if (out > 0)
            return true;
        TRY(os_pread(f->file, sbuf_reserve(&f->raw, CHUNK), CHUNK, f->read_at, &got, err));
        sbuf_added(&f->raw, got);
        f->read_at += got;
        f->at_end = got == 0;
        if (f->at_end)
            return true;
    }
}

static void drop_front(struct file_source *f, size_t n)
{
    memmove(f->window.p, f->window.p + n, f->window.n - n);
    f->window.n -= n;
    f->window_at += n;
}

/* Content that was consumed before: skipped by position where the file is plain, by reading where it is not. */
static bool skip_consumed(struct file_source *f, struct err *err)
{
    uint64_t to = f->shape == SHAPE_ARRAY ? 0 : f->now->consumed;
    if (f->inflate == NULL && !f->is_stdin && f->window_at < to) {
        sbuf_clear(&f->window);
        f->window_at = f->read_at = to;
        return true;
    }
    while (f->window_at < to) {
        if (f->window.n == 0) {
            TRY(fill(f, err));
            if (f->at_end)
                return true;
        }
        uint64_t left = to - f->window_at;
        drop_front(f, left < f->window.n ? (size_t)left : f->window.n);
    }
    return true;
}

/* '[' as the first thing: an array. */
static void find_shape(struct file_source *f)
{
    struct str start = str_trim(sbuf_view(&f->window));
    if (start.n == 0)
        return;
    f->shape = start.p[0] == '[' ? SHAPE_ARRAY : SHAPE_LINES;
    if (f->shape == SHAPE_ARRAY)
        json_split_init(&f->split, STR(""), JSON_RECORD_MAX);
}

static uint32_t take_lines(struct file_source *f)
{
    size_t used = 0;
    bool last = f->at_end && (f->source->once || f->is_stdin || f->inflate);
    size_t n = json_lines(sbuf_view(&f->window), last, f->values, RECORDS, &used);
    f->handed = used;
    f->now->consumed = f->window_at + used;
    return (uint32_t)n;
}

/* Elements until the window is used up; those that were consumed before are passed over. */
static bool take_elements(struct file_source *f, uint32_t *count, struct err *err)
{
    size_t at = 0;
    *count = 0;
    while (*count < RECORDS) {
        struct str record, rest = str_n(f->window.p + at, f->window.n - at);
        enum json_split_result result = json_split_next(&f->split, rest, f->at_end, &record, err);
        at += f->split.used;
        if (result == JSON_SPLIT_BAD)
            return false;
        if (result != JSON_SPLIT_RECORD) {
            f->now->ended = result == JSON_SPLIT_END;
            break;
        }
        if (f->elements++ >= f->now->consumed)
            f->values[(*count)++] = record;
    }
    f->now->consumed = f->elements > f->now->consumed ? f->elements : f->now->consumed;
    f->handed = at;
    return true;
}

/* ---- CSV: each record becomes a JSON object, numbers and booleans as such where the text is one exactly ------------------------- */

/* The header, from the file's first record. True when the names are known. */
static bool read_names(struct file_source *f, bool last)
{
    const struct file_options *o = f->source->options;
    struct str record;
    size_t used;
    if (!o->header || f->names)
        return true;
    if (csv_records(sbuf_view(&f->window), last, &f->csv, &record, 1, &used) == 0)
        return false;
    f->names = arena_array(&f->names_arena, struct str, CSV_FIELDS_MAX);
    f->name_count = (uint32_t)csv_fields(record, &f->csv, f->names, CSV_FIELDS_MAX, &f->names_arena);
    if (f->name_count > CSV_FIELDS_MAX)
        f->name_count = CSV_FIELDS_MAX;
    for (uint32_t i = 0; i < f->name_count; i++)
        f->names[i] = str_n(arena_dup(&f->names_arena, f->names[i].p, f->names[i].n), f->names[i].n);
    drop_front(f, used);
    if (f->now->consumed < f->window_at)
        f->now->consumed = f->window_at;
    return true;
}

/* As JSON's grammar has numbers: no leading zeros or plus signs, which would not come back as they were. */
static bool is_json_number(struct str s)
{
    size_t i = s.n && s.p[0] == '-', digits = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    if (i == digits || (s.p[digits] == '0' && i > digits + 1))
        return false;
    if (i < s.n && s.p[i] == '.') {
        size_t point = ++i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
            i++;
        if (i == point)
            return false;
    }
    return i == s.n;
}

static void put_csv_row(struct file_source *f, struct str record)
{
    struct str fields[CSV_FIELDS_MAX];
    size_t count = csv_fields(record, &f->csv, fields, CSV_FIELDS_MAX, &f->rows_arena);
    struct sbuf *out = &f->rows_text;
    sbuf_char(out, '{');
    for (size_t i = 0; i < count && i < CSV_FIELDS_MAX; i++) {
        if (f->names && i >= f->name_count)
            break;
        sbuf_cstr(out, i ? "," : "");
        if (f->names)
            sbuf_json(out, f->names[i]);
        else
            sbuf_printf(out, "\"_c%zu\"", i);
        sbuf_char(out, ':');
        if (fields[i].n == 0)
            sbuf_cstr(out, "null");
        else if (is_json_number(fields[i]) || str_is(fields[i], "true") || str_is(fields[i], "false"))
            sbuf_str(out, fields[i]);
        else
            sbuf_json(out, fields[i]);
    }
    sbuf_char(out, '}');
}

static uint32_t take_csv(struct file_source *f)
{
    size_t used = 0;
    bool last = f->at_end && (f->source->once || f->is_stdin || f->inflate);
    size_t n = csv_records(sbuf_view(&f->window), last, &f->csv, f->values, CSV_RECORDS, &used);
    uint32_t ends[CSV_RECORDS];
    sbuf_clear(&f->rows_text);
    for (size_t i = 0; i < n; i++) {
        put_csv_row(f, f->values[i]);
        ends[i] = (uint32_t)f->rows_text.n;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t start = i ? ends[i - 1] : 0;
        f->values[i] = str_n(f->rows_text.p + start, ends[i] - start);
    }
    arena_reset(&f->rows_arena);
    f->handed = used;
    f->now->consumed = f->window_at + used;
    return (uint32_t)n;
}

static bool take(struct file_source *f, uint32_t *count, struct err *err)
{
    switch (f->shape) {
    case SHAPE_UNKNOWN:
        *count = 0;
        return true;
    case SHAPE_LINES:
        *count = take_lines(f);
        return true;
    case SHAPE_ARRAY:
        return take_elements(f, count, err);
    case SHAPE_CSV:
        *count = take_csv(f);
        return true;
    }
    UNREACHABLE("file shape");
}

/* Some records of the file that is open, or none when its end is reached. */
static bool read_some(struct file_source *f, uint32_t *count, struct err *err)
{
    *count = 0;
    if (f->handed) {
        drop_front(f, f->handed);
        f->handed = 0;
    }
    if (f->shape == SHAPE_UNKNOWN && f->window.n == 0)
        TRY(fill(f, err));
    if (f->shape == SHAPE_UNKNOWN)
        find_shape(f);
    while (f->shape == SHAPE_CSV && !read_names(f, f->at_end)) {
        if (f->at_end)
            return true;
        TRY(fill(f, err));
    }
    TRY(skip_consumed(f, err));
    for (;;) {
        TRY(take(f, count, err));
        if (*count > 0 || f->at_end)
            break;
        if (f->window.n > JSON_RECORD_MAX)
            return err_set(err, ERR_FATAL, "\"%s\" holds a record of more than %d bytes", f->now->name, JSON_RECORD_MAX);
        TRY(fill(f, err));
        if (f->shape == SHAPE_UNKNOWN)
            find_shape(f);
    }
    if (f->at_end && f->inflate) {
        f->now->ended = *count == 0 || f->handed == f->window.n;
        if (f->now->ended)
            TRY(inflate_stream_end(f->inflate, err));
    }
    return true;
}

/* ---- the slots ------------------------------------------------------------------------------------------------------------------ */

static void on_timer(struct timer *timer)
{
    struct file_source *f = CONTAINER_OF(timer, struct file_source, timer);
    task_wake(f->source->task);
}

static bool file_open(struct source *source, const struct source_position *positions, uint32_t count, struct err *err)
{
    const struct file_options *o = source->options;
    struct file_source *f = pool_new_struct(source->pool, struct file_source);
    source->state = f;
    f->source = source;
    timer_init(&f->timer, on_timer);
    f->csv = csv_options_default();
    f->csv.sep = o->separator[0];
    f->csv.multi_line = true;
    f->is_stdin = strcmp(o->path, "-") == 0;
    source->replayable = !f->is_stdin;
    const char *path = o->path[0] == '/' ? o->path : pool_printf(source->pool, "%s/%s", source->folder, o->path);
    const char *slash = strrchr(path, '/');
    if (has_wildcard(slash + 1)) {
        f->pattern = slash + 1;
        f->folder = str_dup(pool_arena(source->pool), str_n(path, (size_t)(slash - path)));
    } else {
        f->folder = path;
    }
    if (has_wildcard(f->folder))
        return err_set(err, ERR_CONFIG, "\"%s\": only the last part of a path may hold *, ? or [", o->path);
    for (uint32_t i = 0; i < count; i++)
        load_position(f, &positions[i]);
    if (!f->is_stdin)
        return list(f, err);
    f->now = add_tracked(f, 0);
    f->now->name = pool_strdup(source->pool, "stdin");
    f->file = os_adopt(0);
    f->shape = o->format == FILE_CSV ? SHAPE_CSV : SHAPE_UNKNOWN;
    return true;
}

/* The next file after the one that was read, which may hold something unread. NULL: none. */
static struct tracked *next_file(struct file_source *f, struct err *err, bool *failed)
{
    *failed = false;
    for (size_t i = 0; i < f->count; i++) {
        struct tracked *t = f->files[i];
        struct os_stat stat;
        if (!t->seen || t->ended)
            continue;
        if (!os_stat(t->name, &stat, err)) {
            *failed = err->code != 2;
            if (*failed)
                return NULL;
            continue;
        }
        bool plain = inflate_stream_codec_of_name(str_of(t->name)) == CODEC_NONE;
        if (stat.inode != t->inode || (plain && t->hashed && stat.size == t->consumed))
            continue;
        if (plain && stat.size == 0)
            continue;
        return t;
    }
    return NULL;
}

static enum source_status rest(struct file_source *f)
{
    const struct file_options *o = f->source->options;
    if (f->source->once || !o->watch)
        return SOURCE_END;
    timer_set_in(&f->timer, LOOK_MS * NS_PER_MS);
    return SOURCE_IDLE;
}

static enum source_status give(struct file_source *f, uint32_t count, struct source_rows *rows, struct err *err)
{
    if (!f->is_stdin && !rehash(f->now, f->file, f->inflate || f->shape == SHAPE_ARRAY ? f->read_at : f->now->consumed, err))
        return SOURCE_FAILED;
    save_position(f);
    *rows = (struct source_rows){
        .values = f->values,
        .count = count,
        .part = str_of(f->part),
        .position = str_n(f->position, POSITION),
    };
    return SOURCE_ROWS;
}

static enum source_status file_poll(struct source *source, struct source_rows *rows, struct err *err)
{
    struct file_source *f = source->state;
    bool failed;
    if (f->now == NULL && !list(f, err)) {
        timer_set_in(&f->timer, NS_PER_S);
        return SOURCE_FAILED;
    }
    for (size_t tries = 0; tries <= f->count; tries++) {
        if (f->now == NULL) {
            struct tracked *t = next_file(f, err, &failed);
            if (failed || (t && !open_now(f, t, err)))
                return SOURCE_FAILED;
            if (t == NULL)
                return rest(f);
        }
        uint32_t count;
        bool was_ended = f->now->ended;
        if (!read_some(f, &count, err)) {
            err_context(err, "file \"%s\"", f->now->name);
            close_now(f);
            return SOURCE_FAILED;
        }
        if (count > 0 || f->now->ended != was_ended)
            return give(f, count, rows, err);
        struct tracked *done = f->now;
        close_now(f);
        if (f->is_stdin)
            return SOURCE_END;
        done->seen = false; /* nothing more in it for now: the others */
    }
    return rest(f);
}

static void file_close(struct source *source)
{
    struct file_source *f = source->state;
    timer_cancel(&f->timer);
    close_now(f);
    sbuf_fini(&f->raw);
    sbuf_fini(&f->window);
    sbuf_fini(&f->rows_text);
    arena_fini(&f->names_arena);
    arena_fini(&f->rows_arena);
    mem_free(f->files);
}

static const struct option_choice formats[] = {{"json", FILE_JSON, "JSON lines, or an array"}, {"csv", FILE_CSV, "comma separated"}, {0}};

static const struct option options[] = {
    {.name = "path",
     .type = OPTION_PATH,
     .offset = OPTION_AT(struct file_options, path),
     .flags = OPTION_REQUIRED | OPTION_NOT_EMPTY,
     .help = "A file, a pattern (`in/*.jsonl`) or `-` for stdin; .gz and .zst are unpacked."},
    {.name = "format",
     .type = OPTION_ENUM,
     .offset = OPTION_AT(struct file_options, format),
     .default_text = "json",
     .choices = formats,
     .help = "What is in the files."},
    {.name = "watch",
     .type = OPTION_BOOL,
     .offset = OPTION_AT(struct file_options, watch),
     .default_text = "false",
     .help = "Goes on looking: files that grow, new files."},
    {.name = "header",
     .type = OPTION_BOOL,
     .offset = OPTION_AT(struct file_options, header),
     .default_text = "true",
     .help = "CSV: the first line names the columns."},
    {.name = "separator",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct file_options, separator),
     .default_text = ",",
     .flags = OPTION_NOT_EMPTY,
     .help = "CSV: what stands between two values."},
    {0},
};

extern const struct source_kind source_file;
const struct source_kind source_file = {
    .name = "file",
    .role = ROLE_WORK,
    .open = file_open,
    .poll = file_poll,
    .close = file_close,
    .options = options,
    .options_size = sizeof(struct file_options),
};

/* Files: JSON lines, JSON arrays, CSV, plain, .gz or .zst; Parquet; Avro; one path, a pattern, or stdin.
 *
 * A file's identity is its inode and a hash of its first KiB (or of what was consumed, if that is less): a renamed file is the same file, one
 * that was rotated into its place is another, and one that was truncated and begun anew is new from its start. The device number can
 * change when a volume is mounted again, so it is kept as a hint only. The position of each file is a part of its own, named by the inode:
 *
 *     u8 version 1 │ u64 consumed │ u16 hashed bytes │ u64 hash │ u64 device │ u64 size, i64 time of change when it was read to its end │ i64 time
 *     version 2 has also: u64 rows
 *
 * `consumed` counts bytes of the (decompressed) content; in an array, elements, in Parquet, rows; in Avro, bytes up to a block, of which `rows` are consumed too. A compressed file is read again from its start up to there. A file
 * is opened again only when its size or its time of change is another than when it was read to its end.
 *
 * What was renamed is looked for in its folder, whatever it is called now: a log that is rotated by renaming is read to its end. The positions of files
 * that are gone are kept, the last VANISHED_MAX of them: they may come back.
 *
 * A last line without its end, or an array without its bracket, waits while somebody watches, and else is taken, or refused. A file that cannot
 * be read does not stop the others. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/map.h"
#include "format/compress.h"
#include "format/csv.h"
#include "format/json.h"
#include "source/avro_rows.h"
#include "source/parquet_rows.h"
#include "source/source.h"
#include "type/cast.h"

enum {
    POSITION = 51,
    POSITION_ROWS = POSITION + 8, /* of version 2 */
    HASHED_MAX = 1024,
    CHUNK = 1 << 20,
    FIRST_CHUNK = 64 * 1024,
    RECORDS = 16384, /* of one poll */
    CSV_RECORDS = 4096,
    CSV_FIELDS_MAX = 2048,
    LOOK_MS = 200, /* between looks for growth and for new files */
    LOOK_MAX_MS = 10000,
    LOOK_SHARE = 500,    /* a look takes at most one part in so many of the time */
    RACY_US = 50000,     /* a file that changed so shortly ago may change again without another time */
    BROKEN_AGAIN_S = 60, /* until a file that could not be read is tried again, though it did not change */
    VANISHED_MAX = 1000, /* positions of files that are gone */
    FILES_MAX = 100000,
    FILES_OF_POLL = 64, /* that are looked into without finding a row */
};

enum file_format { FILE_JSON, FILE_CSV, FILE_PARQUET, FILE_AVRO };

struct file_options {
    const char *path;
    int format; /* enum file_format */
    bool watch;
    bool header;
    const char *separator;
};

enum { ERR_NO_FILE = 2 }; /* err->code: ENOENT */

enum file_shape { SHAPE_UNKNOWN, SHAPE_LINES, SHAPE_ARRAY, SHAPE_CSV, SHAPE_PARQUET, SHAPE_AVRO };

/* One file that was seen. */
struct tracked {
    char *name; /* path; NULL: not seen in this life */
    uint64_t inode, device;
    uint64_t consumed; /* durable or handed out */
    uint64_t rows;     /* AVRO: of the block that begins at `consumed` */
    uint64_t hash;
    uint16_t hashed;
    uint64_t size; /* as last seen */
    int64_t changed_us;
    uint64_t done_size; /* as it was when it was read to its end; 0 = it was not */
    int64_t done_changed_us;
    int64_t taken_us;      /* wall time of the last rows */
    enum file_shape shape; /* once known */
    bool seen;             /* in the last listing, and not read to its end since */
    bool gone;             /* looked for in the folder, and not found */
    bool broken;           /* could not be read, at tried */
    struct mono_time tried;
    char part[24];
};

struct file_source {
    struct source *source;
    const char *folder;  /* of the path; the pattern is its last part */
    const char *pattern; /* NULL: one file */
    struct tracked **files;
    size_t count, capacity;
    struct tracked *
        *due; /* of the last listing, the one that changed the longest time ago first; [due_count] */
    size_t due_count, due_at, due_capacity;
    struct map by_part; /* → struct tracked * */
    size_t vanished;
    uint32_t broken; /* files that could not be read, in `run` */
    struct err first_broken;
    int64_t look_ns; /* how long the last look took */
    struct timer timer OWNED_BY(work);
    bool is_stdin;
    struct watch watch; /* of stdin */
    bool readable;      /* a read of stdin does not wait */
    bool unwatched;     /* stdin is something that never makes anyone wait */
    bool starved;       /* nothing there yet */

    /* the file that is being read */
    struct tracked *now;
    int file;
    enum file_shape shape;
    struct inflate_stream *inflate;
    struct parquet_rows *parquet;
    struct avro_rows *avro;
    struct sbuf raw;       /* compressed bytes not yet inflated */
    struct sbuf window;    /* content from `window_at` on */
    uint64_t window_at;    /* content offset of window.p[0] */
    uint64_t read_at;      /* file offset of the next read */
    bool at_end;           /* nothing more to read now */
    struct os_stat opened; /* as it was when it was opened */
    uint64_t element_end;  /* content offset after the last element of an array */
    struct json_split split;
    struct csv_options csv;
    struct arena names_arena;
    struct str *names;         /* of CSV columns [name_count]; NULL: not read yet, or there is no header */
    const struct type **types; /* as the topic declares them, or NULL */
    uint32_t name_count;
    size_t field_count;      /* of the header; more than name_count where it is too wide */
    struct arena rows_arena; /* of one poll */
    struct sbuf rows_text;   /* CSV rows as JSON objects */
    size_t handed;           /* bytes of the window that the last poll's rows take up */
    uint64_t elements;       /* of an array, so far */

    struct str values[RECORDS];
    uint8_t position[POSITION_ROWS];
    size_t position_size;
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

static void name_part(char part[24], uint64_t inode)
{
    snprintf(part, 24, "%llx", (unsigned long long)inode);
}

static struct tracked *add_tracked(struct file_source *f, uint64_t inode)
{
    struct tracked *t = mem_new(sizeof *t);
    t->inode = inode;
    name_part(t->part, inode);
    f->files = mem_grow(f->files, &f->capacity, f->count + 1, sizeof *f->files);
    f->files[f->count++] = t;
    map_put(&f->by_part, str_of(t->part), t);
    return t;
}

static struct tracked *find_tracked(const struct file_source *f, uint64_t inode)
{
    char part[24];
    name_part(part, inode);
    return map_get(&f->by_part, str_of(part));
}

static void free_tracked(struct tracked *t)
{
    mem_free(t->name);
    mem_free(t);
}

static void load_position(struct file_source *f, const struct source_position *p)
{
    char *end;
    char text[32];
    bool has_rows = p->value.n == POSITION_ROWS && p->value.p[0] == 2;
    if ((!has_rows && (p->value.n != POSITION || p->value.p[0] != 1)) || p->part.n == 0 ||
        p->part.n >= sizeof text)
        return;
    memcpy(text, p->part.p, p->part.n);
    text[p->part.n] = '\0';
    struct tracked *t = add_tracked(f, strtoull(text, &end, 16));
    const char *at = p->value.p;
    t->consumed = get_be64(at + 1);
    t->hashed = get_be16(at + 9);
    t->hash = get_be64(at + 11);
    t->device = get_be64(at + 19);
    t->done_size = get_be64(at + 27);
    t->done_changed_us = (int64_t)get_be64(at + 35);
    t->taken_us = (int64_t)get_be64(at + 43);
    t->rows = has_rows ? get_be64(at + POSITION) : 0;
}

static void save_position(struct file_source *f)
{
    const struct tracked *t = f->now;
    f->position[0] = t->rows ? 2 : 1;
    f->position_size = t->rows ? POSITION_ROWS : POSITION;
    put_be64(f->position + 1, t->consumed);
    put_be16(f->position + 9, t->hashed);
    put_be64(f->position + 11, t->hash);
    put_be64(f->position + 19, t->device);
    put_be64(f->position + 27, t->done_size);
    put_be64(f->position + 35, (uint64_t)t->done_changed_us);
    put_be64(f->position + 43, (uint64_t)t->taken_us);
    put_be64(f->position + POSITION, t->rows);
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
    t->consumed = t->rows = 0;
    t->hashed = 0;
    t->hash = 0;
    t->done_size = 0;
    t->shape = SHAPE_UNKNOWN;
}

/* Is the open file still the one whose start we hashed, and as long as what was taken of it (UINT64_MAX: that says nothing)? */
static bool verify(struct file_source *f, struct tracked *t, uint64_t taken, struct err *err)
{
    uint64_t hash;
    size_t got;
    TRY(os_fstat(f->file, &f->opened, err));
    if (!f->is_stdin &&
        f->opened.inode != t->inode) { /* renamed since it was listed, and this is what took its place */
        err_set(err, ERR_RETRY, "it was renamed");
        err->code = ERR_NO_FILE;
        return false;
    }
    TRY(hash_start(f->file, t->hashed, &hash, &got, err));
    if (got < t->hashed || hash != t->hash || (taken != UINT64_MAX && f->opened.size < taken))
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

static void see(struct tracked *t, const char *path, const struct os_stat *stat)
{
    t->device = stat->device;
    t->size = stat->size;
    t->changed_us = stat->mtime_us;
    t->seen = true;
    t->gone = false;
    if (t->name == NULL || strcmp(t->name, path) != 0) {
        mem_free(t->name);
        t->name = mem_strdup(path);
    }
}

/* lost: only a file that we know counts. */
static bool look_at(struct file_source *f, const char *path, bool lost, struct err *err)
{
    struct os_stat stat;
    if (!os_stat(path, &stat, err))
        return err->code == ERR_NO_FILE; /* gone since it was listed */
    if (!stat.is_file)
        return true;
    struct tracked *t = find_tracked(f, stat.inode);
    if (t == NULL && lost)
        return true;
    if (t == NULL) {
        if (f->count >= FILES_MAX)
            return err_set(err, ERR_FATAL, "more than %d files in \"%s\"", FILES_MAX, f->folder);
        t = add_tracked(f, stat.inode);
    }
    if (!lost || !t->seen)
        see(t, path, &stat);
    return true;
}

/* What was rotated comes before what took its place. */
static int by_change(const void *a, const void *b)
{
    const struct tracked *x = *(struct tracked *const *)a, *y = *(struct tracked *const *)b;
    return x->changed_us != y->changed_us ? (x->changed_us < y->changed_us ? -1 : 1)
                                          : strcmp(x->name, y->name);
}

static bool is_due(const struct tracked *t);

static void find_due(struct file_source *f)
{
    f->due = mem_grow(f->due, &f->due_capacity, f->count, sizeof(struct tracked *));
    for (size_t i = 0; i < f->count; i++)
        if (is_due(f->files[i]))
            f->due[f->due_count++] = f->files[i];
    if (f->due_count > 1)
        qsort(f->due, f->due_count, sizeof(struct tracked *), by_change);
}

/* Files that we know and that are not where they were: still in the folder under another name? */
static bool look_for_lost(struct file_source *f, struct arena *arena, struct err *err)
{
    char **names;
    size_t count, lost = 0;
    const char *folder = f->folder, *slash = strrchr(folder, '/');
    for (size_t i = 0; i < f->count; i++) {
        struct tracked *t = f->files[i];
        struct os_stat stat;
        if (t->seen || t->gone)
            continue;
        if (t->name && os_stat(t->name, &stat, err) && stat.inode == t->inode)
            see(t, t->name, &stat);
        else
            lost++;
    }
    if (lost == 0)
        return true;
    if (f->pattern == NULL)
        folder = slash == f->folder ? "/" : str_dup(arena, str_n(f->folder, (size_t)(slash - f->folder)));
    TRY(os_list(folder, arena, &names, &count, err));
    for (size_t i = 0; i < count; i++)
        TRY(look_at(f, arena_printf(arena, "%s/%s", folder, names[i]), true, err));
    f->vanished = 0;
    for (size_t i = 0; i < f->count; i++) {
        f->files[i]->gone = !f->files[i]->seen;
        f->vanished += f->files[i]->gone;
    }
    return true;
}

static bool list(struct file_source *f, struct err *err)
{
    struct arena arena = {0};
    struct mono_time begun = os_mono();
    char **names;
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++)
        f->files[i]->seen = false;
    bool ok = true;
    if (f->pattern == NULL) {
        ok = look_at(f, f->folder, false, err);
    } else {
        ok = os_list(f->folder, &arena, &names, &count, err);
        for (size_t i = 0; ok && i < count; i++)
            if (source_name_matches(f->pattern, names[i]))
                ok = look_at(f, arena_printf(&arena, "%s/%s", f->folder, names[i]), false, err);
    }
    ok = ok && look_for_lost(f, &arena, err);
    arena_fini(&arena);
    f->due_at = f->due_count = 0;
    if (ok)
        find_due(f);
    f->look_ns = mono_since_ns(os_mono(), begun);
    return ok;
}

/* Too many positions of files that are gone: the one that was read the longest time ago leaves. */
static bool forget_oldest(struct file_source *f, struct source_rows *rows)
{
    size_t oldest = SIZE_MAX;
    if (f->vanished <= VANISHED_MAX)
        return false;
    for (size_t i = 0; i < f->count; i++)
        if (f->files[i]->gone && (oldest == SIZE_MAX || f->files[i]->taken_us < f->files[oldest]->taken_us))
            oldest = i;
    if (oldest == SIZE_MAX)
        return false;
    struct tracked *t = f->files[oldest];
    memcpy(f->part, t->part, sizeof f->part);
    map_remove(&f->by_part, str_of(t->part));
    f->files[oldest] = f->files[--f->count];
    f->vanished--;
    free_tracked(t);
    *rows = (struct source_rows){.values = f->values,
                                 .part = str_of(f->part)}; /* no position: it is deleted */
    return true;
}

/* ---- reading one file ---------------------------------------------------------------------------------------------------- */

static void close_now(struct file_source *f) ON(work)
{
    if (f->now == NULL)
        return;
    if (!f->is_stdin)
        os_close(f->file);
    inflate_stream_free(f->inflate);
    f->inflate = NULL;
    parquet_rows_close(f->parquet);
    f->parquet = NULL;
    avro_rows_close(f->avro);
    f->avro = NULL;
    f->now = NULL;
    f->names = NULL;
    arena_reset(&f->names_arena);
    sbuf_clear(&f->raw);
    sbuf_clear(&f->window);
}

/* By its name, or else by its first bytes: none of the codecs begins like a text. */
static bool find_codec(int file, const char *name, enum codec *codec, struct err *err)
{
    char start[4];
    size_t got;
    *codec = inflate_stream_codec_of_name(str_of(name));
    if (*codec != CODEC_NONE)
        return true;
    TRY(os_pread(file, start, sizeof start, 0, &got, err));
    *codec = inflate_stream_detect(start, got);
    return true;
}

static bool open_now(struct file_source *f, struct tracked *t, struct err *err) ON(work)
{
    const struct file_options *o = f->source->options;
    t->broken = false;
    enum codec codec;
    TRY(os_open(t->name, OS_READ, &f->file, err));
    if (!find_codec(f->file, t->name, &codec, err)) {
        os_close(f->file);
        return false;
    }
    bool in_bytes = o->format == FILE_AVRO ||
                    (codec == CODEC_NONE && t->shape != SHAPE_UNKNOWN && t->shape != SHAPE_ARRAY);
    f->now = t;
    if (!verify(f, t, in_bytes ? t->consumed : UINT64_MAX, err)) {
        close_now(f);
        return false;
    }
    f->shape = o->format == FILE_CSV       ? SHAPE_CSV
               : o->format == FILE_PARQUET ? SHAPE_PARQUET
               : o->format == FILE_AVRO    ? SHAPE_AVRO
                                           : t->shape;
    if (f->shape == SHAPE_ARRAY)
        json_split_init(&f->split, STR(""), JSON_RECORD_MAX);
    bool by_ranges = f->shape == SHAPE_PARQUET || f->shape == SHAPE_AVRO;
    f->inflate = codec == CODEC_NONE || by_ranges ? NULL : inflate_stream_new(codec);
    f->window_at = f->read_at = f->elements = f->element_end = 0;
    f->at_end = false;
    f->handed = 0;
    return true;
}

/* Nobody waits for what may be added to the file. */
static bool is_final(const struct file_source *f)
{
    return f->source->once || f->is_stdin || !((const struct file_options *)f->source->options)->watch;
}

static void on_readable(struct watch *watch, unsigned events) ON(work)
{
    struct file_source *f = CONTAINER_OF(watch, struct file_source, watch);
    struct err err;
    (void)events;
    (void)!loop_watch_fd(loop_current(), watch, watch->fd, 0, &err);
    f->readable = true;
    task_wake(f->source->task);
}

/* Without this, a quiet pipe would stop everything on this loop. */
static bool stdin_is_ready(struct file_source *f)
{
    struct err err;
    bool ready = f->readable || f->unwatched;
    f->readable = false;
    if (!ready && !loop_watch_fd(loop_current(), &f->watch, os_fd(f->file), OS_READABLE, &err))
        f->unwatched = ready = true; /* a file, /dev/null */
    f->starved = !ready;
    return ready;
}

/* More content into the window: at least one byte, or at_end. */
static bool fill(struct file_source *f, struct err *err) ON(work)
{
    size_t got, chunk = f->read_at ? CHUNK : FIRST_CHUNK;
    if (f->is_stdin && !stdin_is_ready(f))
        return true;
    if (f->inflate == NULL) {
        char *to = sbuf_reserve(&f->window, chunk);
        if (f->is_stdin)
            TRY(os_read(f->file, to, chunk, &got, err));
        else
            TRY(os_pread(f->file, to, chunk, f->read_at, &got, err));
        f->read_at += got;
        sbuf_added(&f->window, got);
        f->at_end = got == 0;
        return true;
    }
    for (;;) {
        struct str in = sbuf_view(&f->raw);
        size_t before = in.n, out;
        TRY(inflate_stream_step(f->inflate, &in, (uint8_t *)sbuf_reserve(&f->window, CHUNK), CHUNK, &out,
                                err));
        sbuf_added(&f->window, out);
        if (in.n)
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
    CHECK(n <= f->window.n);
    if (n < f->window.n)
        memmove(f->window.p, f->window.p + n, f->window.n - n);
    f->window.n -= n;
    f->window_at += n;
}

/* Content that was consumed before: skipped by position where the file is plain, by reading where it is not. */
static bool skip_consumed(struct file_source *f, struct err *err) ON(work)
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
    f->shape = f->now->shape = start.p[0] == '[' ? SHAPE_ARRAY : SHAPE_LINES;
    if (f->shape == SHAPE_ARRAY)
        json_split_init(&f->split, STR(""), JSON_RECORD_MAX);
}

static uint32_t take_lines(struct file_source *f)
{
    size_t used = 0;
    bool last = f->at_end && is_final(f);
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
        enum json_split_result result = json_split_next(&f->split, rest, f->at_end && is_final(f), &record,
                                                        err);
        at += f->split.used;
        if (result == JSON_SPLIT_BAD && *count == 0)
            return false;
        if (result != JSON_SPLIT_RECORD)
            break; /* what is bad will be so at the next call too */
        f->element_end = f->window_at + at;
        if (f->elements++ >= f->now->consumed)
            f->values[(*count)++] = record;
    }
    f->now->consumed = f->elements > f->now->consumed ? f->elements : f->now->consumed;
    f->handed = at;
    return true;
}

/* ---- CSV ----------------------------------------------------------------------------------------------------------------------- */

/* Each record becomes a JSON object. What a value is, the topic's declared columns say; where it declares none, numbers and booleans are
 * such if the text is one exactly. A record with more or fewer fields than the header has names is passed on as it is: being no JSON, it is
 * a bad record to whoever reads the topic, whole and with its place. */

/* As Spark names them: one without a name by its number, several of the same with theirs. A declared column's spelling counts. */
static void name_column(struct file_source *f, const struct str *given, uint32_t i)
{
    const struct type *schema = f->source->schema;
    struct str name = given[i];
    bool twice = false;
    for (uint32_t k = 0; k < f->name_count; k++)
        twice = twice || (k != i && str_eq_nocase(given[k], name));
    if (name.n == 0 || twice)
        name = str_of(arena_printf(&f->names_arena, name.n ? "%.*s%u" : "%.*s_c%u", STR_ARG(name), i));
    int index = schema ? type_field(schema, name, true) : -1;
    f->types[i] = index < 0 ? NULL : schema->fields[index].type;
    f->names[i] = index < 0 ? str_n(arena_dup(&f->names_arena, name.p, name.n), name.n)
                            : str_of(schema->fields[index].name);
}

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
    struct str *given = arena_array(&f->names_arena, struct str, CSV_FIELDS_MAX);
    f->names = arena_array(&f->names_arena, struct str, CSV_FIELDS_MAX);
    f->types = arena_array(&f->names_arena, const struct type *, CSV_FIELDS_MAX);
    f->field_count = csv_fields(record, &f->csv, given, CSV_FIELDS_MAX, &f->names_arena);
    f->name_count = f->field_count > CSV_FIELDS_MAX ? CSV_FIELDS_MAX : (uint32_t)f->field_count;
    for (uint32_t i = 0; i < f->name_count; i++)
        name_column(f, given, i);
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

static void put_csv_value(struct sbuf *out, struct str text, const struct type *type)
{
    enum type_kind kind = type ? type->kind : TYPE_NULL;
    int64_t integer;
    double number;
    bool is_integer = kind == TYPE_BYTE || kind == TYPE_SHORT || kind == TYPE_INT || kind == TYPE_LONG;
    bool is_float = kind == TYPE_FLOAT || kind == TYPE_DOUBLE;
    bool is_true = str_eq_nocase(text, STR("true")), is_false = str_eq_nocase(text, STR("false"));
    if (text.n == 0)
        sbuf_cstr(out, "null");
    else if (is_integer && cast_str_to_i64(text, INT64_MIN, INT64_MAX, &integer))
        sbuf_printf(out, "%lld", (long long)integer);
    else if (kind == TYPE_BOOLEAN && (is_true || is_false))
        sbuf_cstr(out, is_true ? "true" : "false");
    else if (kind != TYPE_STRING && is_json_number(text))
        sbuf_str(out, text);
    else if (type == NULL && (str_is(text, "true") || str_is(text, "false")))
        sbuf_str(out, text);
    else if (is_float && cast_str_to_f64(text, &number) && isfinite(number))
        sbuf_printf(out, "%.17g", number);
    else
        sbuf_json(out, text);
}

static void put_csv_row(struct file_source *f, struct str record)
{
    struct str fields[CSV_FIELDS_MAX];
    size_t count = csv_fields(record, &f->csv, fields, CSV_FIELDS_MAX, &f->rows_arena);
    struct sbuf *out = &f->rows_text;
    if (f->names && count != f->field_count) {
        f->source->health.bad++;
        sbuf_str(out, record);
        return;
    }
    sbuf_char(out, '{');
    for (size_t i = 0; i < count && i < CSV_FIELDS_MAX; i++) {
        sbuf_cstr(out, i ? "," : "");
        if (f->names)
            sbuf_json(out, f->names[i]);
        else
            sbuf_printf(out, "\"_c%zu\"", i);
        sbuf_char(out, ':');
        put_csv_value(out, fields[i], f->names ? f->types[i] : NULL);
    }
    sbuf_char(out, '}');
}

static uint32_t take_csv(struct file_source *f)
{
    size_t used = 0;
    bool last = f->at_end && is_final(f);
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
    case SHAPE_UNKNOWN: *count = 0; return true;
    case SHAPE_LINES: *count = take_lines(f); return true;
    case SHAPE_ARRAY: return take_elements(f, count, err);
    case SHAPE_CSV: *count = take_csv(f); return true;
    case SHAPE_PARQUET:
    case SHAPE_AVRO: break;
    }
    UNREACHABLE("file shape");
}

static void drop_handed(struct file_source *f)
{
    if (f->handed)
        drop_front(f, f->handed);
    f->handed = 0;
}

/* The start of the content: what it is, and the names of its columns. False: not to be seen yet, or an error. */
static bool read_start(struct file_source *f, bool *known, struct err *err) ON(work)
{
    *known = true;
    bool from_start = f->shape == SHAPE_UNKNOWN ||
                      (f->shape == SHAPE_CSV && ((const struct file_options *)f->source->options)->header);
    if (from_start && f->window_at == 0 && f->window.n < 3 && f->names == NULL)
        TRY(fill(f, err));
    if (f->window_at == 0 && str_starts(sbuf_view(&f->window), STR("\xEF\xBB\xBF")))
        drop_front(f, 3);
    if (f->shape == SHAPE_UNKNOWN)
        find_shape(f);
    while (f->shape == SHAPE_CSV && !read_names(f, f->at_end)) {
        *known = !f->at_end && !f->starved;
        if (!*known)
            return true;
        TRY(fill(f, err));
    }
    return true;
}

static bool take_parquet(struct file_source *f, uint32_t *count, struct err *err)
{
    if (f->parquet == NULL)
        f->parquet = parquet_rows_open(f->source->pool, f->file, f->opened.size, err);
    return f->parquet &&
           parquet_rows_next(f->parquet, f->now->consumed, f->values, RECORDS, count, &f->now->consumed, err);
}

/* A block that is not whole may become so while somebody watches. */
static bool take_avro(struct file_source *f, uint32_t *count, struct err *err)
{
    struct tracked *t = f->now;
    struct avro_place place = {t->consumed, t->rows};
    if (f->avro == NULL)
        f->avro = avro_rows_open(f->source->pool, f->file, f->opened.size, err);
    if (f->avro == NULL)
        return false;
    TRY(avro_rows_next(f->avro, &place, f->values, RECORDS, count, &f->source->health.bad, err));
    if (*count == 0 && avro_rows_is_cut(f->avro) && is_final(f))
        return err_set(err, ERR_DATA, "it ends inside of a block");
    t->consumed = place.block;
    t->rows = place.row;
    return true;
}

/* Some records of the file that is open, or none when its end is reached, or nothing is there yet. */
static bool read_some(struct file_source *f, uint32_t *count, struct err *err) ON(work)
{
    bool known;
    *count = 0;
    if (f->shape == SHAPE_PARQUET)
        return take_parquet(f, count, err);
    if (f->shape == SHAPE_AVRO)
        return take_avro(f, count, err);
    drop_handed(f);
    f->starved = false;
    TRY(read_start(f, &known, err));
    if (!known)
        return true;
    TRY(skip_consumed(f, err));
    for (;;) {
        TRY(take(f, count, err));
        if (*count > 0 || f->at_end || f->starved)
            break;
        if (f->window.n > JSON_RECORD_MAX)
            return err_set(err, ERR_DATA, "it holds a record of more than %d bytes", JSON_RECORD_MAX);
        drop_handed(f);
        TRY(fill(f, err));
        if (f->shape == SHAPE_UNKNOWN)
            find_shape(f);
    }
    if (*count == 0 && f->at_end && f->inflate && is_final(f))
        return inflate_stream_end(f->inflate, err);
    return true;
}

/* ---- the slots ------------------------------------------------------------------------------------------------------------------ */

static void on_timer(struct timer *timer) ON(work)
{
    struct file_source *f = CONTAINER_OF(timer, struct file_source, timer);
    task_wake(f->source->task);
}

/* A path that holds no pattern and is not there: nothing to wait for unless somebody watches. */
static bool is_there(const struct file_source *f, struct err *err)
{
    const struct file_options *o = f->source->options;
    if (f->pattern || f->count > 0 || !is_final(f))
        return true;
    return err_set(err, ERR_FATAL, "there is no file \"%s\"", o->path);
}

static void open_stdin(struct file_source *f)
{
    const struct file_options *o = f->source->options;
    f->now = add_tracked(f, 0);
    f->now->name = mem_strdup("stdin");
    f->file = os_adopt(0);
    f->watch.ready = on_readable;
    f->shape = o->format == FILE_CSV ? SHAPE_CSV : SHAPE_UNKNOWN;
}

static bool file_open(struct source *source, const struct source_position *positions, uint32_t count,
                      struct err *err) ON(work)
{
    const struct file_options *o = source->options;
    struct file_source *f = source->state ? source->state : pool_new_struct(source->pool, struct file_source);
    if (source->state) /* another try */
        return list(f, err) && is_there(f, err);
    source->state = f;
    f->source = source;
    timer_init(&f->timer, on_timer);
    f->csv = csv_options_default();
    if (!csv_options_set(&f->csv, "sep", o->separator, err))
        return err_set(err, ERR_CONFIG, "separator \"%s\" is not one character", o->separator);
    f->csv.multi_line = true;
    f->is_stdin = strcmp(o->path, "-") == 0;
    source->replayable = !f->is_stdin;
    const char *path = o->path[0] == '/' ? o->path
                                         : pool_printf(source->pool, "%s/%s", source->folder, o->path);
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
    if (f->is_stdin && (o->format == FILE_PARQUET || o->format == FILE_AVRO))
        return err_set(err, ERR_CONFIG, "%s is read by its parts, so it cannot come from stdin",
                       o->format == FILE_AVRO ? "Avro" : "Parquet");
    if (f->is_stdin) {
        open_stdin(f);
        return true;
    }
    if (list(f, err))
        return is_there(f, err);
    if (source->once)
        err->class = ERR_FATAL;
    return false;
}

/* May there be something in it that was not read? */
static bool is_due(const struct tracked *t)
{
    if (!t->seen || t->size == 0)
        return false;
    if (t->broken && mono_since_ns(os_mono(), t->tried) < BROKEN_AGAIN_S * NS_PER_S &&
        t->size == t->done_size && t->changed_us == t->done_changed_us)
        return false;
    return t->broken || t->size != t->done_size || t->changed_us != t->done_changed_us;
}

static struct tracked *next_file(struct file_source *f)
{
    while (f->due_at < f->due_count)
        if (is_due(f->due[f->due_at++]))
            return f->due[f->due_at - 1];
    return NULL;
}

static enum source_status rest(struct file_source *f, struct source_rows *rows, struct err *err) ON(work)
{
    if (forget_oldest(f, rows))
        return SOURCE_ROWS;
    if (f->broken && f->source->once) {
        *err = f->first_broken;
        err->class = ERR_FATAL;
        if (f->broken > 1)
            err_context(err, "%u files could not be read", f->broken);
        return SOURCE_FAILED;
    }
    if (is_final(f))
        return SOURCE_END;
    int64_t ns = f->look_ns * LOOK_SHARE;
    ns = ns < LOOK_MS * NS_PER_MS       ? LOOK_MS * NS_PER_MS
         : ns > LOOK_MAX_MS * NS_PER_MS ? LOOK_MAX_MS * NS_PER_MS
                                        : ns;
    timer_set_in(&f->timer, ns);
    return SOURCE_IDLE;
}

/* Bytes of the file as it lies on disk which the last rows came from at least; they will not change. */
static uint64_t stable_bytes(const struct file_source *f)
{
    return f->shape == SHAPE_PARQUET ? f->opened.size
           : f->inflate              ? f->read_at
           : f->shape == SHAPE_ARRAY ? f->element_end
                                     : f->now->consumed;
}

static enum source_status give(struct file_source *f, uint32_t count, struct source_rows *rows,
                               struct err *err)
{
    f->now->taken_us = os_wall().us;
    if (!f->is_stdin && !rehash(f->now, f->file, stable_bytes(f), err)) {
        err->class =
            ERR_FATAL; /* rows that were taken are not given: the next start takes them from the position that is stored */
        return SOURCE_FAILED;
    }
    save_position(f);
    *rows = (struct source_rows){
        .values = f->values,
        .count = count,
        .part = str_of(f->part),
        .position = str_n(f->position, f->position_size),
    };
    return SOURCE_ROWS;
}

/* The file is left alone until it changes, or for a while; the others go on. */
static enum source_status give_up(struct file_source *f, struct tracked *t, struct err *err) ON(work)
{
    err_context(err, "file \"%s\"", t->name);
    close_now(f);
    f->source->health.bad++;
    t->broken = true;
    t->tried = os_mono();
    t->done_size = t->size;
    t->done_changed_us = t->changed_us;
    if (f->source->once)
        t->seen = false;
    if (f->broken++ == 0)
        f->first_broken = *err;
    err->class = f->is_stdin ? ERR_FATAL : ERR_RETRY;
    task_wake(f->source->task);
    return SOURCE_FAILED;
}

/* All there is of it was read. True: that is worth remembering across lives, since finding out again would take more than a look. */
static bool finish(struct file_source *f)
{
    struct tracked *t = f->now;
    int64_t age_us = os_wall().us - f->opened.mtime_us;
    bool known = t->done_size == f->opened.size && t->done_changed_us == f->opened.mtime_us;
    t->seen = false; /* nothing more in it for now: the others */
    if (known || (age_us > -RACY_US && age_us < RACY_US && !f->source->once))
        return false;
    t->done_size = f->opened.size;
    t->done_changed_us = f->opened.mtime_us;
    return f->inflate || f->shape == SHAPE_ARRAY || f->shape == SHAPE_PARQUET;
}

static enum source_status file_poll(struct source *source, struct source_rows *rows, struct err *err) ON(work)
{
    struct file_source *f = source->state;
    if (f->now == NULL && f->due_at == f->due_count && !(f->source->once && f->broken) && !list(f, err)) {
        err->class = source->once ? ERR_FATAL : ERR_RETRY;
        timer_set_in(&f->timer, NS_PER_S);
        return SOURCE_FAILED;
    }
    for (int tries = 0; tries < FILES_OF_POLL; tries++) {
        struct tracked *t = f->now ? f->now : next_file(f);
        uint32_t count = 0;
        if (t == NULL)
            return rest(f, rows, err);
        if (f->now == NULL && !open_now(f, t, err)) {
            if (err->code != ERR_NO_FILE)
                return give_up(f, t, err);
            f->due_at = f->due_count;
            task_wake(
                source
                    ->task); /* renamed or gone since it was listed: another listing, so that nothing overtakes it */
            return SOURCE_IDLE;
        }
        if (!read_some(f, &count, err))
            return give_up(f, t, err);
        if (count > 0)
            return give(f, count, rows, err);
        if (f->starved)
            return SOURCE_IDLE;
        if (f->is_stdin)
            return SOURCE_END;
        if (finish(f)) {
            enum source_status status = give(f, 0, rows, err);
            close_now(f);
            return status;
        }
        close_now(f);
    }
    task_wake(source->task); /* others have their turn first */
    return SOURCE_IDLE;
}

static void file_close(struct source *source) ON(work)
{
    struct file_source *f = source->state;
    struct err err;
    timer_cancel(&f->timer);
    if (f->is_stdin && f->starved)
        (void)!loop_watch_fd(loop_current(), &f->watch, os_fd(f->file), 0, &err);
    close_now(f);
    sbuf_fini(&f->raw);
    sbuf_fini(&f->window);
    sbuf_fini(&f->rows_text);
    arena_fini(&f->names_arena);
    arena_fini(&f->rows_arena);
    map_fini(&f->by_part);
    for (size_t i = 0; i < f->count; i++)
        free_tracked(f->files[i]);
    mem_free(f->files);
    mem_free(f->due);
}

static void file_check(const void *options, const struct conf_node *node, struct conf_diags *diags)
{
    static const char *const of_csv[] = {"header", "separator"};
    const struct file_options *o = options;
    const struct conf_node *at;
    for (size_t i = 0; o->format != FILE_CSV && i < sizeof of_csv / sizeof *of_csv; i++)
        if ((at = conf_get(node, of_csv[i])) != NULL)
            err_hint(&conf_say(diags, CONF_ERROR, at, "\"%s\" is for format csv", of_csv[i])->err,
                     "Add format: csv.");
    if (strcmp(o->path, "-") == 0 && o->watch)
        err_hint(&conf_say(diags, CONF_ERROR, conf_get(node, "watch"), "stdin cannot be watched")->err,
                 "It is read as it comes, and ends once.");
}

static bool check_path(const void *value, struct err *err)
{
    const char *path = *(const char *const *)value;
    if (path == NULL || strstr(path, "://") == NULL)
        return true;
    err_set(err, ERR_CONFIG, "\"%s\" is a URL, not a path", path);
    return err_hint(err, "Files are read from this machine; kind: http reads URLs.");
}

static bool check_separator(const void *value, struct err *err)
{
    const char *text = *(const char *const *)value;
    if (text == NULL || strcmp(text, "\\t") == 0 ||
        (text[0] != '\0' && text[1] == '\0' && strchr("\"\r\n", text[0]) == NULL &&
         (unsigned char)text[0] < 0x80))
        return true;
    err_set(err, ERR_CONFIG,
            "\"separator\" must be one ASCII character, no quote and no line's end, not \"%s\"", text);
    return err_hint(err, "For example: separator: \";\", or \"\\t\" for a tab.");
}

static const struct option_choice formats[] = {{"json", FILE_JSON, "JSON lines, or an array"},
                                               {"csv", FILE_CSV, "comma separated"},
                                               {"parquet", FILE_PARQUET, "Parquet"},
                                               {"avro", FILE_AVRO, "Avro's object container files"},
                                               {0}};

static const struct option options[] = {
    {.name = "path",
     .type = OPTION_PATH,
     .offset = OPTION_AT(struct file_options, path),
     .flags = OPTION_REQUIRED | OPTION_NOT_EMPTY,
     .check = check_path,
     .help = "A file, a pattern (`in/*.jsonl`) or `-` for stdin; what gzip, zstd or lz4 packed is unpacked."},
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
     .check = check_separator,
     .help = "CSV: the character between two values; `\\t` is a tab."},
    {0},
};

extern const struct source_kind source_file;
const struct source_kind source_file = {
    .name = "file",
    .role = ROLE_WORK,
    .check = file_check,
    .open = file_open,
    .poll = file_poll,
    .close = file_close,
    .options = options,
    .options_size = sizeof(struct file_options),
};

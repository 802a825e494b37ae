#include "ref/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format/parquet.h"
#include "log/store.h"
#include "sink/delta/log.h"

static char folder[256];

const char *outside_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sluice-test-XXXXXX", tmp ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        exit(1);
    }
    return folder;
}

void outside_clean(void)
{
    struct err err;
    if (getenv("KEEP"))
        fprintf(stderr, "kept: %s\n", folder);
    else
        (void)!os_remove_tree(folder, &err);
}

const char *outside_path(const char *format, ...)
{
    static char texts[16][512];
    static unsigned next;
    char *text = texts[next++ % 16];
    int n = snprintf(text, sizeof texts[0], "%s/", folder);
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof texts[0] - (size_t)n, format, args);
    va_end(args);
    return text;
}

static void put(const char *path, struct str text, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
    if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n) {
        perror(path);
        exit(1);
    }
    close(fd);
}

void outside_write(const char *path, struct str text)
{
    put(path, text, O_TRUNC);
}

void outside_append(const char *path, struct str text)
{
    put(path, text, O_APPEND);
}

char *outside_read(const char *path)
{
    struct sbuf text = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;
    while (fd >= 0 && (got = read(fd, sbuf_reserve(&text, 65536), 65536)) > 0)
        sbuf_added(&text, (size_t)got);
    close(fd);
    char *copy = strndup(text.p ? text.p : "", text.n);
    sbuf_fini(&text);
    return copy;
}

/* ---- the process ---------------------------------------------------------------------------------------------------- */

pid_t outside_start(const char *command, const char *const *more, int in)
{
    const char *program = getenv("SLUICE"), *args[32];
    int count = 0;
    args[count++] = program ? program : "build/debug/sluice";
    args[count++] = command;
    while (more && *more && count < 30)
        args[count++] = *more++;
    args[count++] = folder;
    args[count] = NULL;
    const char *log = outside_path("log");
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int from = in < 0 ? open("/dev/null", O_RDONLY) : in;
    dup2(from, 0);
    dup2(out, 2);
    if (getenv("VERBOSE") == NULL)
        dup2(out, 1);
    close(out);
    close(from);
    execv(args[0], (char **)args);
    _exit(127);
}

int outside_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int outside_wait_for(pid_t pid, int64_t ms)
{
    int64_t end = outside_now_ms() + ms;
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (outside_now_ms() > end) {
            fprintf(stderr, "the program does not end\n");
            kill(pid, SIGKILL);
            outside_wait(pid);
            return -1;
        }
        outside_sleep_ms(10);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int outside_run(const char *command, const char *const *more)
{
    int status = outside_wait_for(outside_start(command, more, -1), 60000);
    if (getenv("VERBOSE") || (status != 0 && status < 3 ? 0 : status != 0)) {
        char *log = outside_read(outside_path("log"));
        size_t n = strlen(log);
        fprintf(stderr, "%s", log + (n > 4000 ? n - 4000 : 0));
        free(log);
    }
    return status;
}

int64_t outside_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void outside_sleep_ms(int64_t ms)
{
    const struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
}

bool outside_until(bool (*check)(void *arg), void *arg, int64_t ms)
{
    int64_t end = outside_now_ms() + ms;
    while (!check(arg)) {
        if (outside_now_ms() > end)
            return false;
        outside_sleep_ms(20);
    }
    return true;
}

bool outside_log_has(const char *text)
{
    char *log = outside_read(outside_path("log"));
    bool has = strstr(log, text) != NULL;
    free(log);
    return has;
}

/* ---- what it left --------------------------------------------------------------------------------------------------- */

void outside_tally_init(struct outside_tally *t, const char *where, int64_t count)
{
    *t = (struct outside_tally){
        .where = where, .times = mem_new_array(uint32_t, (size_t)count + 1), .count = count};
}

void outside_tally_see(struct outside_tally *t, int64_t n)
{
    if (n >= 0 && n < t->count)
        t->times[n]++;
    else if (t->bad++ < 5)
        fprintf(stderr, "%s: row %lld was never sent\n", t->where, (long long)n);
}

int outside_tally_end(struct outside_tally *t)
{
    int64_t lost = 0, twice = 0;
    for (int64_t i = 0; i < t->count; i++) {
        if (t->times[i] != 1 && lost + twice < 5)
            fprintf(stderr, "%s: row %lld is there %u times\n", t->where, (long long)i, t->times[i]);
        lost += t->times[i] == 0;
        twice += t->times[i] > 1;
    }
    if (lost + twice > 0)
        fprintf(stderr, "%s: of %lld rows %lld are lost, %lld there more than once\n", t->where,
                (long long)t->count, (long long)lost, (long long)twice);
    mem_free(t->times);
    return t->bad + (int)(lost + twice);
}

static bool complain(const char *what, const struct err *err)
{
    fprintf(stderr, "%s: %s\n", what, err->text);
    return false;
}

static bool see_slice(const struct log_slice *slice, int32_t partition,
                      bool (*see)(void *arg, int32_t partition, struct str key, struct str value), void *arg,
                      int64_t *next)
{
    struct compress_ctx *ctx = compress_ctx_new();
    struct err err;
    bool ok = true;
    for (size_t i = 0; ok && i < slice->n;) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch = NULL;
        bool more = true;
        if (!records_open(slice->p + i, slice->n - i, ctx, &scratch, &reader, &err))
            return complain("record batch", &err);
        i += reader.batch.size;
        while (ok && records_next(&reader, &record, &more, &err) && more) {
            if (record.offset != *next) {
                fprintf(stderr, "offset %lld where %lld was expected\n", (long long)record.offset,
                        (long long)*next);
                ok = false;
            }
            *next = record.offset + 1;
            ok = see(arg, partition, record.key, record.value) && ok;
        }
        if (scratch)
            buf_unref(scratch);
    }
    compress_ctx_free(ctx);
    return ok;
}

bool outside_topic(const char *topic,
                   bool (*see)(void *arg, int32_t partition, struct str key, struct str value), void *arg)
{
    struct pool *pool = pool_new(NULL, "outside");
    struct loop *disk;
    struct store *store;
    struct topic_info info;
    struct err err;
    bool ok = true;
    if (!loop_new(ROLE_DISK, "disk", &disk, &err) ||
        !store_open(pool, outside_path(".sluice"), &(struct store_options){.read_only_attach = true}, disk,
                    &store, &err))
        return complain("store", &err);
    if (!store_topic(store, topic, &info)) {
        fprintf(stderr, "there is no topic %s\n", topic);
        info.partitions = 0;
        ok = false;
    }
    for (int32_t p = 0; p < info.partitions; p++) {
        struct log *log = log_get(store, topic, p);
        int64_t next = log_start(log);
        for (int64_t at = next; ok && at < log_end(log);) {
            struct log_slice slice;
            if (!log_read(log, at, 1 << 20, &slice, &err)) {
                ok = complain("read", &err);
                break;
            }
            ok = see_slice(&slice, p, see, arg, &next);
            at = slice.next_offset;
            buf_unref(slice.buf);
        }
        log_release(log);
    }
    if (!store_close(store, &err))
        ok = complain("close", &err);
    loop_free(disk);
    pool_free(pool);
    return ok;
}

int64_t outside_sqlite(const char *path, const char *sql, void (*see)(void *arg, int64_t n), void *arg)
{
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    int64_t rows = 0;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_busy_timeout(db, 5000);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        rows++;
        if (see)
            see(arg, sqlite3_column_int64(statement, 0));
    }
    if (code != SQLITE_DONE) {
        fprintf(stderr, "%s: %s: %s\n", path, sql, sqlite3_errmsg(db));
        rows = -1;
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return rows;
}

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    size_t got;
    return os_pread(*(int *)arg, out, n, offset, &got, err) && got == n;
}

static bool see_file(const char *path, const char *column, int64_t *rows, void (*see)(void *arg, int64_t n),
                     void *arg, struct err *err)
{
    struct pool *pool = pool_new(NULL, "file");
    struct batch *batch = batch_new();
    struct os_stat stat;
    int file = -1;
    bool end = false, ok = os_open(path, OS_READ, &file, err) && os_fstat(file, &stat, err);
    const struct parquet_source source = {ok ? stat.size : 0, read_at, &file};
    struct parquet_file *parquet = ok ? parquet_open(pool, &source, err) : NULL;
    int index = parquet ? type_field(parquet_schema(parquet), str_of(column), true) : -1;
    struct parquet_scan *scan = index >= 0 ? parquet_scan_new(pool, parquet, NULL, err) : NULL;
    ok = scan != NULL;
    while (ok && !end) {
        struct arena arena = {0};
        ok = parquet_scan_next(scan, batch, &end, err);
        for (uint32_t row = 0; ok && !end && row < batch->rows; row++) {
            ++*rows;
            if (see)
                see(arg, column_value(&batch->columns[index], row, &arena).i64);
        }
        arena_fini(&arena);
    }
    if (file >= 0)
        os_close(file);
    batch_free(batch);
    pool_free(pool);
    return ok;
}

int64_t outside_delta(const char *path, const char *column, void (*see)(void *arg, int64_t n), void *arg)
{
    struct delta_table table = {0};
    struct arena arena = {0};
    struct err err = {0};
    int64_t rows = 0;
    if (!delta_load(&table, path, -1, &err)) {
        complain(path, &err);
        return -1;
    }
    if (table.version < 0)
        rows = -2;
    MAP_EACH(entry, &table.files)
    {
        const struct delta_file *f = entry->value;
        char *file;
        if (rows >= 0 && (!delta_file_path(&table, &arena, f->path, &file, &err) ||
                          !see_file(file, column, &rows, see, arg, &err))) {
            complain(path, &err);
            rows = -1;
        }
    }
    delta_fini(&table);
    arena_fini(&arena);
    return rows;
}

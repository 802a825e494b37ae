/* The whole program from outside: a scratch folder with a project, the process, and what it left: rows of topics, SQLite and Delta tables. */
#ifndef REF_OUTSIDE_H
#define REF_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/* A new folder under $TMPDIR; freed by outside_clean, or kept where KEEP is set. */
const char *outside_folder(void);
void outside_clean(void);
/* A path in the folder; the text lives until some sixteen calls later. */
const char *outside_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
void outside_write(const char *path, struct str text);
void outside_append(const char *path, struct str text);
/* The whole file, NUL-terminated; "" where there is none. The caller's to free. */
char *outside_read(const char *path);

/* `sluice COMMAND [more…] FOLDER`; its diagnostics go to FOLDER/log (appended), stdin is /dev/null or the descriptor given. */
pid_t outside_start(const char *command, const char *const *more, int in);
/* Exit status, or 128 + signal. */
int outside_wait(pid_t pid);
/* The same, and after `ms` without an end kills it and returns -1. */
int outside_wait_for(pid_t pid, int64_t ms);
/* Runs it to its end. */
int outside_run(const char *command, const char *const *more);
/* True as soon as check(arg) is; false after ms. */
bool outside_until(bool (*check)(void *arg), void *arg, int64_t ms);
int64_t outside_now_ms(void);
void outside_sleep_ms(int64_t ms);
/* The log holds this text. */
bool outside_log_has(const char *text);

/* How often each n of [0, count) was seen. */
struct outside_tally {
    const char *where;
    uint32_t *times;
    int64_t count;
    int bad;
};
void outside_tally_init(struct outside_tally *t, const char *where, int64_t count);
void outside_tally_see(struct outside_tally *t, int64_t n);
/* Says what is missing or there twice; the number of faults. Frees it. */
int outside_tally_end(struct outside_tally *t);

/* Every record of a topic of the stopped program's data folder; false: it could not be read, which was said. */
bool outside_topic(const char *topic,
                   bool (*see)(void *arg, int32_t partition, struct str key, struct str value), void *arg);
/* The first column of a query, integers. A negative return: it failed. */
int64_t outside_sqlite(const char *path, const char *sql, void (*see)(void *arg, int64_t n), void *arg);
/* A column of a Delta table, integers; returns rows, -1 where it could not be read, -2 where there is no table. */
int64_t outside_delta(const char *path, const char *column, void (*see)(void *arg, int64_t n), void *arg);

#endif

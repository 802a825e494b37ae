/* Sources: where rows come from. A kind is one const struct of functions plus one option table at the end of its own file, named in
 * source_kinds[]. Nobody calls a slot directly: source_open() and its siblings carry checks, counters and the fault point.
 *
 *     source_open(positions)  →  source_poll → rows + new position → (one frame makes both durable) → source_durable → source_poll …
 *
 * A source that can be replayed from a position is exactly once. Any other gives each whole answer once, or not at all. */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include "base/buf.h"
#include "conf/option.h"
#include "run/run.h"
#include "type/type.h"

enum {
    SOURCE_POSITION_MAX = 64 * 1024, /* bytes of a stored position */
    SOURCE_PART_MAX = 256,           /* bytes of a part's name */
    SOURCE_ROWS_MAX = 1 << 20,       /* rows of one poll */
    SOURCE_BYTES_MAX = 4 << 20, /* bytes of one poll that a source aims at; one larger record may exceed it */
};

/* What one poll gives: raw records, borrowed from bufs until the next poll or close. */
struct source_rows {
    const struct str *values;     /* values[count]; p NULL = null */
    const struct str *keys;       /* keys[count], or NULL: the topic's key rule applies */
    const int64_t *timestamps_ms; /* timestamps_ms[count], or NULL: the time of arrival */
    uint32_t count;
    struct str part; /* which of the source's positions it is: "" when it has only one, a file's identity … */
    struct str position; /* after these rows; stored with them */
};

/* A stored position. */
struct source_position {
    struct str part, value;
};

enum source_status {
    SOURCE_ROWS, /* `rows` is filled (count may be 0 with a new position) */
    SOURCE_IDLE, /* nothing now: the source wakes the task it was given when there may be more */
    SOURCE_END, /* nothing more, ever (a file without `watch`, a generator with `rows`); or, in `run`, all that is there now */
    SOURCE_FAILED, /* err: RETRY = it goes on by itself after backoff and will wake the task; FATAL = it stays stopped */
};

/* What is going on, for status, logs and metrics. Owned by the source's role; copied by whoever asks. */
struct source_health {
    uint64_t rows, bytes, polls, failures, bad; /* bad: answers or records that were refused */
    struct wall_time last_rows, last_try, next_try;
    bool failing; /* the last try failed, or an answer came that held no row where one was expected */
    struct err last_error;
    char note[128]; /* "waiting 30 s as the server asked (429)" */
};

struct source;

struct source_kind {
    const char *name; /* "http", "file", "generator" */
    enum role role;   /* where it runs: ROLE_NET or ROLE_WORK */
    bool replayable;  /* or decided by open: source->replayable */
    /* Mandatory. Runs once on the source's role. positions[count]: the durable ones of all parts, borrowed during the call; none at the very
     * first start. Allocates from source->pool. ERR_CONFIG or ERR_FATAL stop it; ERR_RETRY is tried again. */
    bool (*open)(struct source *source, const struct source_position *positions, uint32_t count,
                 struct err *err);
    /* Mandatory. Never waits. */
    enum source_status (*poll)(struct source *source, struct source_rows *rows, struct err *err);
    /* Optional. The frame with the last poll's rows is durable. */
    void (*durable)(struct source *source);
    /* Optional. The pool frees memory afterwards. */
    void (*close)(struct source *source);
    /* Optional; pure. Says in diags what is wrong with options that were all read: those that exclude each other. node: of the source. */
    void (*check)(const void *options, const struct conf_node *node, struct conf_diags *diags);
    const struct option *options; /* ends with a zeroed one; read into a struct of options_size bytes */
    size_t options_size;
};

struct source {
    /* set by the creator before open */
    const struct source_kind *kind;
    const char *name;
    void *options;             /* the kind's options struct */
    struct pool *pool;         /* lives as long as the source */
    struct task *task;         /* to be woken when a poll may give more */
    bool once;                 /* `run`: end when what is there now has been read */
    const struct type *schema; /* of the topic, when it is given; for kinds that make typed rows; or NULL */
    const char *folder;        /* project folder: relative paths start there */
    const char *builtin_url;   /* where the program serves builtin:randomuser, or NULL */
    /* the source's own */
    void *state;
    bool replayable;
    struct source_health health;
};

bool source_open(struct source *source, const struct source_position *positions, uint32_t count,
                 struct err *err);
enum source_status source_poll(struct source *source, struct source_rows *rows, struct err *err);
void source_durable(struct source *source);
void source_close(struct source *source);

extern const struct source_kind *const source_kinds[]; /* ends with NULL */
const struct source_kind *source_kind_find(struct str name);
/* Does one part of a path match a pattern of `*`, `?` and [a-z]? A leading dot is matched by a dot only. */
bool source_name_matches(const char *pattern, const char *name);

#endif

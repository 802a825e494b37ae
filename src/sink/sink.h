/* Sinks: where rows end up. A sink stores its position with its rows: that, and nothing else, makes it exactly once.
 *
 *     sink_open  → the positions that the table holds for this (stream, sink) identity
 *     sink_write → rows, not visible yet
 *     sink_commit(positions) → rows, positions and schema changes become visible together, durably, or not at all
 *     after any failure: sink_abort, then sink_open again: the table says where to go on
 *
 * Slots run on the sink's own thread of the block role and may wait. Nobody calls a slot directly. */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include "batch/batch.h"
#include "conf/option.h"
#include "run/run.h"

enum { SINK_INPUTS_MAX = 4096, SINK_KEY_COLUMNS_MAX = 32 };

/* How far a reader has come in one partition of one of its inputs. */
struct position {
    int32_t input; /* index of the stream's input topic */
    int32_t partition;
    int64_t next_offset; /* −1 = nothing stored */
};

enum sink_mode { SINK_APPEND, SINK_UPSERT, SINK_UPDATE, SINK_COMPLETE };

/* What the sink is to be. Borrowed, immutable, alive as long as the sink. */
struct sink_spec {
    const char *project, *stream,
        *name;          /* name: "serving.created_users"; also of bad and late tables: "sluice.x_bad" */
    const char *url;    /* of the connection: "sqlite:serving.db", "file:lake" (secrets resolved) */
    const char *table;  /* table name in it */
    const char *folder; /* project folder: relative paths start there */
    char uuid[37];      /* identity of the (stream, sink) pair */
    enum sink_mode mode;
    const char *const *key; /* key[key_count] column names */
    uint32_t key_count;
    const char *const *partition_by; /* Delta: [partition_by_count] */
    uint32_t partition_by_count;
    const char
        *age_column; /* TIMESTAMP: rows whose value is older than retention_ms go; NULL: none ever does */
    int64_t retention_ms;
    const struct conf_node *options_node; /* the `to:` entry, for kind-specific options, or NULL */
    void *options;                        /* the kind's options struct, read from it */
    bool fault_position_apart;            /* tests: the position is committed after the rows, not with them */
};

struct sink;

/* What sink_open found. */
enum sink_found {
    SINK_NEW,     /* no table, or a table that knows nothing of this identity and that may be written to */
    SINK_OURS,    /* positions of this identity are there */
    SINK_FOREIGN, /* the table holds positions of the same project, stream and sink under another uuid */
};

struct sink_kind {
    const char *name;           /* "sqlite", "delta", "console" */
    const char *const *schemes; /* URL schemes, ends with NULL */
    int64_t cadence_ms;         /* default: 100 for SQL sinks, 10 s for Delta */
    bool exactly_once;          /* false: console */
    /* Mandatory. Connects; creates nothing yet. schema: of the rows to come. Reads positions[*count ≤ SINK_INPUTS_MAX] of this uuid. Refuses
     * (ERR_FATAL) a table whose columns cannot take the rows. ERR_RETRY when the store cannot be reached now. */
    bool (*open)(struct sink *sink, const struct type *schema, enum sink_found *found,
                 struct position *positions, uint32_t *count, struct err *err);
    /* Mandatory. batch is borrowed until it returns; the kind copies what it keeps. The schema may have grown since open (new nullable
     * columns at the end or in structs): the table follows in the same commit. In upsert mode rows carry change kinds; a plain row replaces. */
    bool (*write)(struct sink *sink, const struct batch *batch, struct err *err);
    /* Mandatory. All that was written since the last commit, and positions[count] (of all partitions, also those that did not move). */
    bool (*commit)(struct sink *sink, const struct position *positions, uint32_t count, struct err *err);
    /* Mandatory. Drops what was not committed and everything connected; open may follow. */
    void (*abort)(struct sink *sink);
    /* Optional. Upkeep when idle after a commit: merge small files, checkpoint, clean up. May take long; `stop` says when to give up. */
    bool (*maintain)(struct sink *sink, bool (*stop)(void *arg), void *arg, struct err *err);
    /* Optional; nothing is written and not yet committed. Deletes rows of spec->age_column < before_us; some may stay for an eighth of the retention
     * longer, where deleting them at once is dear. */
    bool (*expire)(struct sink *sink, int64_t before_us, struct err *err);
    /* Optional: bytes kept in memory since the last commit; the turn commits early past its limit. */
    size_t (*pending_bytes)(const struct sink *sink);
    /* `stream reset`: takes over what is there. replace: drops the table's rows. Both end with uuid known to the table and no position. */
    bool (*reset)(struct sink *sink, bool replace, struct err *err);
    /* Optional; pure. What open would refuse whatever the store holds. *key: the key of the `to:` entry that is wrong, or left alone. */
    bool (*check)(const struct sink_spec *spec, const struct type *schema, const char **key, struct err *err);
    const struct option *options;
    size_t options_size;
};

struct sink {
    const struct sink_kind *kind;
    const struct sink_spec *spec;
    struct pool *pool; /* of one open … abort span: freed by sink_abort */
    void *state;
    uint64_t rows, commits; /* since start */
};

bool sink_open(struct sink *sink, const struct type *schema, enum sink_found *found,
               struct position *positions, uint32_t *count, struct err *err) ON(block);
bool sink_write(struct sink *sink, const struct batch *batch, struct err *err) ON(block);
bool sink_commit(struct sink *sink, const struct position *positions, uint32_t count, struct err *err)
    ON(block);
void sink_abort(struct sink *sink) ON(block);
bool sink_maintain(struct sink *sink, bool (*stop)(void *arg), void *arg, struct err *err) ON(block);
/* What spec->retention_ms says. */
bool sink_expire(struct sink *sink, struct err *err) ON(block);
size_t sink_pending_bytes(const struct sink *sink) ON(block);
bool sink_reset(struct sink *sink, bool replace, struct err *err) ON(block);

extern const struct sink_kind *const sink_kinds[]; /* ends with NULL */
/* By the scheme of a connection's URL. */
const struct sink_kind *sink_kind_find(struct str url);

#endif

/* The block side of a sink: one runner, one thread, one connection. The work side (job/run.c) reads, decodes and computes, and sends
 * deliveries; the runner writes them and commits rows and positions together, first rows at once, then at its cadence.
 *
 *     work                                   block
 *     sink_runner_open  ───────────────────→ sink_open          ──→ event OPENED (positions found)
 *     sink_runner_deliver (batch, positions) ─→ sink_turn: write ──→ delivery goes home
 *                                              commit when due  ──→ event COMMITTED (positions)
 *     sink_runner_flush ───────────────────→ commit now         ──→ event FLUSHED
 *     sink_runner_expire ──────────────────→ rows past their retention go, now and from now on
 *     sink_runner_close ───────────────────→ abort              ──→ event CLOSED
 *                        any failure: abort                     ──→ event FAILED (err); deliveries are dropped until the next open
 *
 * States of a runner (block side):
 *
 *     CLOSED ──open──→ OPEN ──failure──→ CLOSED
 *        ↑───────close────┘                                                                                      */
#ifndef SINK_TURN_H
#define SINK_TURN_H

#include "sink/sink.h"

enum {
    SINK_PENDING_BYTES_MAX =
        64 << 20,             /* kept in memory by a sink since its last commit; past it it commits early */
    SINK_IDLE_NOTE_MS = 5000, /* positions that moved without rows are reported this often */
    SINK_EXPIRE_EVERY_MS = 3600 * 1000, /* rows that are too old are looked for this often, */
    SINK_EXPIRE_LEAST_MS =
        1000, /* or, of a short retention, as often as that is long, but not oftener than this */
};

struct sink_runner;

/* A batch on its way to one sink and back. Everything is borrowed until home(d) runs on home_loop. */
struct delivery {
    struct msg msg;
    struct sink_runner *runner;
    const struct batch *batch;        /* NULL = no row, positions only */
    const struct position *positions; /* after this batch: positions[count], of all partitions */
    uint32_t count;
    struct loop *home_loop;
    void (*home)(struct delivery *d);
    void *owner, *arg;     /* the sender's */
    struct delivery *next; /* the receiver's queue */
};

enum sink_event_kind {
    SINK_OPENED,
    SINK_COMMITTED,
    SINK_IDLE /* moved without rows */,
    SINK_FLUSHED,
    SINK_FAILED,
    SINK_CLOSED,
    SINK_WAS_RESET
};

/* From block to work; freed by the receiver's wrapper after the handler returns. */
struct sink_event {
    struct msg msg;
    enum sink_event_kind kind;
    struct sink_runner *runner;
    enum sink_found found;      /* OPENED */
    struct position *positions; /* OPENED, COMMITTED, IDLE, FLUSHED: positions[count], in this allocation */
    uint32_t count;
    uint64_t rows;  /* COMMITTED: rows in this commit */
    struct err err; /* FAILED */
};

/* spec and kind are borrowed for the runner's life. event(owner, e) runs on owner_loop. Starts the runner's own loop. */
bool sink_runner_new(struct pool *pool, const struct sink_kind *kind, const struct sink_spec *spec,
                     int64_t cadence_ms, struct loop *owner_loop,
                     void (*event)(void *owner, struct sink_event *e), void *owner,
                     struct sink_runner **runner, struct err *err);
/* schema is borrowed until the runner is closed or opened again. */
void sink_runner_open(struct sink_runner *r, const struct type *schema);
void sink_runner_deliver(struct sink_runner *r, struct delivery *d);
/* Commits what is pending, then SINK_FLUSHED, or SINK_FAILED. maintain: upkeep too. */
void sink_runner_flush(struct sink_runner *r, bool maintain);
/* The table is ours: rows that are too old go now, and every hour until it is closed. Says nothing; what fails is tried again the next time. */
void sink_runner_expire(struct sink_runner *r);
void sink_runner_close(struct sink_runner *r);
/* reset --keep or --replace on a closed runner: SINK_WAS_RESET or SINK_FAILED. */
void sink_runner_reset(struct sink_runner *r, bool replace, const struct type *schema);
/* Ends the loop; after that nothing arrives any more. Waits for the thread. */
void sink_runner_stop(struct sink_runner *r);

#endif

/* What the files of job/ share. Everything here is owned by the work role unless a ruler says otherwise.
 *
 *     engine ─┬─ topic_state …      a topic, its logs, its pinned schema
 *             ├─ ingest …           source → topic                                  ingest.c   (the source's role)
 *             └─ stream …           a bound plan over topics                        stream.c
 *                  ├─ job           the turns of a stateful one                  job.c, group.c (its frames), checkpoint.c
 *                  ├─ run …         reads, decodes, computes for sinks that are at the same position   run.c
 *                  └─ member …      one (stream, sink) pair: identity, pins, frames or deliveries      member.c */
#ifndef JOB_ENGINE_PRIVATE_H
#define JOB_ENGINE_PRIVATE_H

#include "job/engine.h"
#include "job/replay.h"
#include "job/schemas.h"
#include "op/op.h"
#include "sink/turn.h"
#include "topic/topic.h"

enum {
    RUN_UNITS = 4,             /* batches of one run on their way at the same time */
    RUN_SLICE_BYTES = 1 << 20, /* read from a log in one step */
    RUN_LAG_MS = 500,          /* a sink that holds all units this long leaves the run and goes on alone */
    MEMBERS_MAX = CONF_TARGETS_MAX + 2, /* sinks of one stream, tables of rejected rows included */
    RETRY_MIN_MS = 200,                 /* of a sink or a stream; it doubles, */
    RETRY_MAX_MS = 5000,                /* up to this, so that nobody waits long when the trouble is over */
    INFER_RECORDS = 1000,               /* a schema is inferred from that many records, */
    INFER_MS = 2000,                    /* or from what came in that time */
    ASK_MS = 100,                       /* a schema that is being asked for is asked for again */
};

/* ---- topics ---------------------------------------------------------------------------------------------------- */

struct topic_state {
    struct engine *engine;
    const struct topic_def *def; /* &own_def */
    struct topic_def own_def;    /* the project's, with the partitions that there really are */
    struct topic_info info;
    struct log **logs; /* logs[info.partitions] */
    struct pool
        *schema_pool; /* of `schema`; replaced when it grows; the old one lives until the engine ends */
    const struct type *schema; /* NULL: not known yet (inference), or raw */
    uint32_t schema_version;   /* +1 whenever schema grows */
    struct pool *first_pool
        OWNED_BY(work); /* of first, while the columns are looked for in the records; or NULL */
    struct topic_decoder *first OWNED_BY(work); /* of the records' schemas */
    bool registered OWNED_BY(work);             /* the registry has what it needs of the topic */
    struct frame *schema_frame;                 /* schema as it is written down */
    bool schema_busy OWNED_BY(work), schema_again OWNED_BY(work),
        schema_refused OWNED_BY(work); /* busy: until it is durable, no row of it goes anywhere */
    struct task schema_task;
    struct waker schema_waker;
    struct log_wait schema_room;
    struct topic_state *next;
};

struct topic_state *topic_state_find(struct engine *engine, struct str name);
/* Takes new fields of the slice's records, which the decoder has decoded, into the schema, and writes it down. *grew says whether there were any. */
bool topic_state_grow(struct topic_state *t, const struct topic_decoder *decoder,
                      const struct log_slice *slice, bool *grew, struct err *err) ON(work);
/* Tells the registry the schemas of the topic's values and keys, as far as the project knows them. ERR_RETRY: not yet; ERR_CONFIG: refused. */
bool topic_state_register(struct topic_state *t, struct err *err) ON(work);
/* Of a topic whose records carry a schema id, and whose columns nobody gave: those of its subject's newest schema, if there is one. ERR_RETRY: not
 * known yet. */
bool topic_state_latest(struct topic_state *t, struct err *err) ON(work);
/* Reads from the topic's beginning until the schema is known. *known = false: not enough records yet. */
bool topic_state_infer(struct topic_state *t, bool now, bool *known, struct err *err) ON(work);

/* ---- streams ---------------------------------------------------------------------------------------------------- */

struct stream_input {
    struct topic_state *topic; /* whose columns its records have */
    struct log *log;
    int32_t input; /* stable number of the log's topic among the stream's inputs, see stream.c */
    int32_t partition;
    uint32_t scan;   /* index of the pipeline's scan that reads it */
    bool replayed;   /* its records are envelopes of rejected ones: replay.h */
    bool keyed_only; /* rows of it have been delivered before: for sinks with a key */
};

struct stream {
    struct engine *engine;
    const struct stream_def *def;
    struct pool *pool;         /* as long as the engine */
    struct pool *plan_pool;    /* of the plan: replaced when an input's schema grows */
    struct plan *plan;         /* NULL until the inputs' schemas are known */
    const struct type *schema; /* of its rows; old ones stay valid */
    const struct plan *const *scans;
    uint32_t scan_count;
    struct topic_state **topics; /* that the query reads [topic_count] */
    uint32_t *schema_versions;   /* of each when the plan was made [topic_count] */
    uint32_t topic_count;
    uint32_t plan_version; /* +1 with each plan */
    uint64_t
        query; /* names what decides whether a record is rejected: texts of queries and schemas, not what records bring */
    struct stream_input *sources; /* every partition of every topic that the query reads [source_count] */
    uint32_t source_count;
    struct stream_input
        *inputs; /* what the sinks read: the sources, or a stateful stream's outbox [input_count] */
    uint32_t input_count;
    struct member *members[MEMBERS_MAX];
    uint32_t member_count;
    struct list runs OWNED_BY(work);
    struct task start; /* waits for schemas, then opens the members */
    struct timer start_timer OWNED_BY(work), retry OWNED_BY(work);
    struct waker start_waker;
    struct log_wait *start_waits; /* start_waits[source_count] */
    bool asks OWNED_BY(work);     /* something of it waits for the registry's answer */
    bool started OWNED_BY(work), paused OWNED_BY(work), infer_now OWNED_BY(work);
    bool nothing_inferred OWNED_BY(work); /* infer_now did not help: no record is one of the topic's format */
    struct err err OWNED_BY(work);        /* why it stopped; class ERR_NONE: it did not */
    struct err trouble OWNED_BY(work);    /* what it waits for to pass; class ERR_NONE: nothing */
    int64_t backoff_ms OWNED_BY(work);
    struct job *job;   /* NULL: the stream is stateless */
    struct frame *ran; /* says what it is, for the next start and for `plan`: ran.h */
    bool ran_busy OWNED_BY(work), ran_again OWNED_BY(work);
    bool refuses OWNED_BY(work);     /* a sink that it cannot go on with */
    int64_t *counted OWNED_BY(work); /* offsets below these are in the counters [input_count] */
    struct stream_counters counters;
    struct stream *next;
};

bool stream_new(struct engine *engine, const struct stream_def *def, struct err *err);
void stream_start(struct stream *s) ON(work);
/* Stops the stream for a reason that a person must look at. */
void stream_stop(struct stream *s, const struct err *err) ON(work);
/* What failed may pass: says so, and sets timer for another try. */
void stream_retry(struct stream *s, const struct err *err, struct timer *timer) ON(work);
/* The same where a schema is missed: quietly, while the registry is being asked. */
void stream_ask_again(struct stream *s, const struct err *err, struct timer *timer) ON(work);
/* The registry has answered something. */
void stream_schema_came(struct stream *s) ON(work);
/* What failed is over. */
void stream_works(struct stream *s) ON(work);
/* Paused: nothing is read; what sinks hold is committed. */
void stream_pause(struct stream *s, bool pause) ON(work);
bool stream_make_plan(struct stream *s, struct err *err) ON(work);
bool stream_plan_is_old(const struct stream *s) ON(work);
/* Writes down what it is, if that has changed; once it has begun, and after each new plan. */
void stream_note_ran(struct stream *s) ON(work);
/* A schema of an input has grown and is not durable yet. */
bool stream_waits_for_schema(const struct stream *s) ON(work);
/* Nothing is on its way, and nothing will be until new records come. */
bool stream_is_idle(const struct stream *s) ON(work);
void stream_free(struct stream *s);
const struct type *bad_schema(void);
/* A row of <stream>_bad or _late, appended to a builder of bad_schema(). topic: the input topic's name; attempt: how often it had been replayed. */
struct batch_builder;
void bad_row_add(struct batch_builder *builder, const char *topic, int32_t attempt,
                 const struct topic_bad *bad);

/* ---- stateful streams: job.c --------------------------------------------------------------------------------------- */

struct job;
/* Makes the outbox and the changelog where they lack, and the outbox the stream's inputs. Before the loops run. */
bool job_new(struct stream *s, struct err *err);
/* Restores the state and begins to read. ERR_RETRY: it may be called again. */
bool job_start(struct stream *s, struct err *err) ON(work);
/* The sinks have said what they still need of the outbox. */
void job_let_outbox_go(struct job *job) ON(work);
void job_stop(struct job *job) ON(work);
void job_wake(struct job *job) ON(work);      /* after a pause, or when columns are durable */
void job_ask_again(struct job *job) ON(work); /* if it missed a schema, it goes on */
void job_free(struct job *job);
bool job_is_idle(const struct job *job) ON(work);
int64_t job_lag(const struct job *job) ON(work);
/* Why it waits for room on the disk, or NULL: it does not. */
const struct err *job_waits_for_room(const struct job *job) ON(work);
/* The first offset of the outbox at or after `offset` that a turn has made valid, and in *until where such offsets end. */
int64_t job_outbox_valid(const struct job *job, int64_t offset, int64_t *until) ON(work);
/* An outbox slice as what sinks take of it: out[i] is in[i], or NULL for no row. */
bool job_outbox_read(const struct log_slice *slice, int64_t from, struct batch *const in[],
                     const struct batch *out[], struct err *err) ON(work);

/* An internal topic, made where it lacks. Before the loops run. */
bool internal_topic(struct store *store, const char *name, int32_t partitions, struct topic_config *config,
                    struct topic_info *info, struct err *err);

/* ---- rejected records once more: replay.h ---------------------------------------------------------------------------- */

/* The topic of rejected records that the stream reads beside `topic`, made where it lacks. */
bool replay_topic(struct store *store, const char *stream, const char *topic, struct topic_info *info,
                  struct err *err);

/* What a reader of a stream's input decodes in one go: a slice of the topic, or one envelope of a slice of replayed records. */
struct reading {
    struct log_slice records;
    int32_t partition, attempt;
    int64_t from, until;        /* offsets of it that are wanted */
    int64_t next;               /* where the reader is after it */
    struct rejection rejection; /* of an envelope */
};
/* inputs[count] with the positions next[count]; slice: of inputs[k], from next[k] on. Borrows from slice. */
bool reading_of(const struct stream_input *inputs, uint32_t count, const int64_t *next, uint32_t k,
                const struct log_slice *slice, struct reading *reading, struct err *err);

/* ---- runs --------------------------------------------------------------------------------------------------------- */

struct run;
/* A member whose sink is open at positions[stream->input_count] goes on from there: joins the run at that place, or gets its own. */
void run_place(struct member *m, const int64_t *positions) ON(work);
void run_leave(struct member *m) ON(work);
/* All runs of the stream look for something to read. */
void run_wake_all(struct stream *s) ON(work);
/* Those that missed a schema go on. */
void run_ask_again(struct stream *s) ON(work);
bool stream_runs_are_idle(const struct stream *s) ON(work);
void run_free_all(struct stream *s);
/* Coming home of a delivery of a run. */
void run_delivery_home(struct delivery *d) ON(work);

/* ---- members -------------------------------------------------------------------------------------------------------- */

/* What a sink takes of what a stream puts out. */
enum wants { WANTS_ROWS, WANTS_BAD, WANTS_LATE, WANTS };

enum member_state { MEMBER_IDLE, MEMBER_OPENING, MEMBER_RUNNING, MEMBER_WAITING, MEMBER_STOPPED };

struct member {
    struct stream *stream;
    const struct sink_def *def;
    enum member_state state OWNED_BY(work);
    enum wants wants;
    struct sink_spec spec;
    struct run *run OWNED_BY(work); /* RUNNING */
    struct list run_link;
    int64_t *committed;             /* next offsets [stream->input_count] */
    int64_t *idle;                  /* nothing before these concerns the sink [stream->input_count] */
    bool idle_moved OWNED_BY(work); /* since the last note */
    struct log_pin *pins;           /* [stream->input_count] */
    bool live OWNED_BY(work);       /* the table was seen to hold our identity */
    struct timer retry OWNED_BY(work);
    int64_t backoff_ms OWNED_BY(work);
    struct err err OWNED_BY(work);     /* the last failure */
    uint32_t in_flight OWNED_BY(work); /* deliveries on their way */

    /* tables */
    struct sink_runner *runner;
    bool flushing OWNED_BY(work), flushed OWNED_BY(work),
        closed OWNED_BY(work); /* flushed: nothing was delivered since */
    bool closing_for_reset OWNED_BY(work);
    uint64_t rows_sent, rows_committed; /* since it was opened */

    /* topics */
    struct topic_state *topic;
    struct topic_writer *writer;
    struct frame *frame;
    bool frame_busy OWNED_BY(work), frame_refused OWNED_BY(work);
    struct task room_task; /* submits a refused frame again */
    struct waker room_waker;
    struct log_wait room_wait;
    int64_t *frame_positions; /* what the frame in flight will make durable */
    uint64_t frame_rows;
    struct delivery *queue OWNED_BY(work), **queue_end OWNED_BY(work);

    struct sbuf queries OWNED_BY(work); /* with which it has read what: replay.h */
    struct frame *note;                 /* of identity and positions, for tables; and of queries */
    bool note_busy OWNED_BY(work), note_wanted OWNED_BY(work);
    enum { NOTE_ONLY, NOTE_THEN_OPEN, NOTE_THEN_RESET, NOTE_THEN_GO } after_note OWNED_BY(work);
    enum { RESET_NONE, RESET_KEEP, RESET_REPLACE } reset OWNED_BY(work);
    bool was_reset OWNED_BY(work); /* as engine_options asked */
    struct mono_time noted OWNED_BY(work);
    struct member_counters counters;
};

bool member_new(struct stream *s, const struct sink_def *def, enum wants wants, struct err *err);
void member_open(struct member *m) ON(work);
/* positions in d are those of all inputs, in their order. */
void member_deliver(struct member *m, struct delivery *d) ON(work);
void member_flush(struct member *m) ON(work);
void member_close(struct member *m) ON(work);
bool member_is_idle(const struct member *m) ON(work);
void member_fail(struct member *m, const struct err *err) ON(work);
/* One that fails, and would try again, stops. */
void member_give_up(struct member *m) ON(work);
/* Records that the sink has not made durable. Any role. */
uint64_t member_lag(const struct member *m);
void member_note(struct member *m) ON(work);
/* A sink that begins anew would not have all rows; err says so, and what to choose. */
bool member_lacks_rows(const struct member *m, struct err *err) ON(work);
/* Accepts what the table holds (keep), or empties it and writes it anew; under a new identity. */
void member_reset(struct member *m, bool replace) ON(work);
/* One that has stopped tries again. */
void member_open_again(struct member *m) ON(work);
void member_prepare(struct member *m);
void member_fini(struct member *m);

#endif

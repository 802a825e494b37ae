/* struct engine, for the files of job/. */
#ifndef JOB_ENGINE_STRUCT_H
#define JOB_ENGINE_STRUCT_H

#include "job/engine_private.h"

struct ingest;

/* For tests, which switch a mechanism off and see that it is missed. */
struct engine_faults {
    bool topic_position_apart; /* an embedded topic's rows in one frame, its position in the next */
    bool source_position_late; /* a source's position one frame after its rows */
    bool no_identity;          /* a table that is gone is begun anew */
    bool beyond_synced;        /* tables take what a power cut may take away */
    bool no_changelog;         /* a turn's frame without the changes of its state */
};

struct engine {
    /* ---- set at start ---- */
    struct pool *pool;
    const struct project *project;
    struct store *store;
    struct schema_desk *desk;
    struct engine_options options;
    struct engine_faults faults;
    bool stop_posted; /* on main */

    /* ---- work ---- */
    struct topic_state *topics;
    struct stream *streams;
    struct ingest *ingests;               /* the list; each belongs to its source's role */
    uint32_t ingests_open OWNED_BY(work); /* that have not ended or stopped */
    bool stopping OWNED_BY(work), stopped OWNED_BY(work), quiet OWNED_BY(work);
    struct task quiet_task OWNED_BY(work); /* looks whether everything has come to rest */
    struct task begin_task OWNED_BY(work); /* until the registry has what the topics need */
    struct timer begin_timer OWNED_BY(work);
    bool begun OWNED_BY(work);
    struct err refusal; /* on main, after refused_msg */
    struct task came_task OWNED_BY(work);
    struct waker came_waker; /* any role: the registry has answered */
    struct msg start_msg, stop_msg, stopped_msg, quiet_msg, refused_msg;
    struct give_up {
        struct timer timer;
        uint64_t seen; /* of everything that counts what has come forward, at the last look */
        int still;     /* looks since that has changed */
    } give_up OWNED_BY(work);

    /* ---- any role ---- */
    struct counter ready;  /* 1: start has been handled */
    struct counter failed; /* 1: a stream or a sink had stopped when all came to rest */

    /* ---- any role, under schema_lock ---- */
    struct lock *schema_lock;
    bool replaying; /* a `stream replay` is under way */
    struct pool *schema_pool;
};

bool topic_state_new(struct engine *engine, const struct topic_def *def, struct err *err);

/* ingest.c */
bool ingest_new(struct engine *engine, const struct conf_source *conf, struct err *err);
void ingest_start_all(struct engine *engine) ON(work);
void ingest_stop_all(struct engine *engine) ON(work);
void ingest_free_all(struct engine *engine);

struct metric_page;
void ingest_metrics(struct engine *engine, struct metric_page *page);
bool ingest_has_failed(const struct engine *engine);
uint32_t ingest_count(const struct engine *engine);
/* The loop of the index-th source, and a report made on it. */
struct loop *ingest_loop(struct engine *engine, uint32_t index);
void ingest_report(struct engine *engine, uint32_t index, struct source_status_report *report);

/* Records that have become durable so far. Any role. */
uint64_t ingest_progress(const struct engine *engine);
/* Those that wait for room on the disk stop. */
void ingest_give_up_all(struct engine *engine) ON(work);

/* give_up.c: `run` does not wait for ever. */
void give_up_init(struct engine *engine);
void give_up_start(struct engine *engine) ON(work);
void give_up_stop(struct engine *engine) ON(work);
/* "gave up after 2m: " before what is wrong; from then on a person must look. */
void give_up_error(const struct engine *engine, const struct err *wrong, struct err *out);

/* engine.c: something has come to rest; is everything? */
void engine_look_quiet(struct engine *engine) ON(work);
void engine_ingest_ended(struct engine *engine) ON(work);
void engine_member_flushed(struct engine *engine) ON(work);

#endif

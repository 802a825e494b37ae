/* What a stream was when it last ran ("stream/<s>/ran"): its query, its columns, its sinks. So a changed project can be told from the one that
 * its state was made by: `plan` says what is another, and a start refuses what cannot be kept, with the reason. */
#ifndef JOB_RAN_H
#define JOB_RAN_H

#include "job/project.h"
#include "log/store.h"
#include "sql/plan.h"

struct ran_sink {
    const char *name, *mode;
    struct str *key; /* key[key_count]: columns */
    uint32_t key_count;
};
struct ran {
    struct str
        sql; /* canonical, with the queries of streams that it has in front of it: see project_query_text */
    const struct type *schema; /* of its rows */
    uint64_t state;            /* of state_fingerprint */
    bool stateful;
    struct ran_sink *sinks; /* sinks[sink_count]: those of the project file */
    uint32_t sink_count;
};

/* In arena; false: it never ran. Any role. */
bool ran_get(struct store *store, struct arena *arena, const char *stream, struct ran *ran);
/* As text, for the stream with that plan. */
void ran_write(const struct project *project, const struct stream_def *def, const struct plan *plan,
               struct sbuf *text);
/* May the sink go on as it is now? ERR_FATAL: its table's rows are named by another key, or by none. */
bool ran_sink_fits(const struct ran *ran, const struct sink_def *sink, struct err *err);
struct str ran_key(struct arena *arena, const char *stream);

/* What the state of a plan is of: the query as it was bound, without the columns that it does not need, and the types of what it keeps.
 * 0: the plan keeps none. */
uint64_t state_fingerprint(const struct plan *plan);

#endif

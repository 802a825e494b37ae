/* What is going on, as text: `status`, and the live status of `up`. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "job/engine.h"

struct status_line_options {
    int columns;         /* lines are cut to it; 0 = not */
    const double *rates; /* rows/s by source, or NULL */
    bool colour;
};

/* Lines of sources, streams and sinks, appended. */
void status_text(struct sbuf *out, const struct engine_report *report,
                 const struct status_line_options *options);
void status_json(struct sbuf *out, const struct project *project, const struct engine_report *report);

/* The live status: on main, from host_run's start to its end. */
struct live;
struct live *live_start(struct pool *pool, const struct project *project, struct engine *engine);
/* Draws a last time, and gives the terminal back. NULL is fine. */
void live_stop(struct live *live);

#endif

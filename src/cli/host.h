/* The process around an engine: loops, store, listeners, engine; their order of starting and ending. */
#ifndef CLI_HOST_H
#define CLI_HOST_H

#include "cli/cli.h"
#include "job/engine.h"

struct host;

enum host_mode {
    HOST_UP,   /* until a signal */
    HOST_ONCE, /* until everything there is has gone through */
};

struct host_options {
    enum host_mode mode;
    int64_t for_ms;                        /* > 0: ends after that time, sources included (`run --for`) */
    bool listen;                           /* settings.listen: HTTP, control socket */
    bool quiet;                            /* no live status */
    bool accept_loss;                      /* goes on behind a damaged journal frame: what it held is lost */
    bool no_sources;                       /* what the topics hold, and no more */
    const char *reset_stream, *reset_sink; /* `stream reset` without a running process; see engine_options */
    bool reset_replace;
    void (*started)(void *arg, struct host *host); /* on main, when everything runs; may be NULL */
    void *arg;
};

/* Loads the project in folder and runs it to its end. Everything that goes wrong is said on stderr. Returns the exit status. */
int host_run(struct cli_args *args, const char *folder, const struct host_options *options);
/* Prints the diagnostics to stderr; returns EXIT_USAGE if there was an error, else EXIT_DONE. */
int host_say(const struct cli_args *args, const struct conf_diags *diags);

struct engine *host_engine(struct host *host);
struct store *host_store(struct host *host);
const struct project *host_project(const struct host *host);
/* Ends it in order, as SIGTERM would. Any role. */
void host_stop(struct host *host);

#endif

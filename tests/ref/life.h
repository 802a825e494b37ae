/* Lives of the whole engine in the simulator, for tests of what lies between two of them.
 *
 *     sim_open(seed); life_project(yaml);
 *     end = life_run(&plan, &sim_options, &report);   as often as wanted, sim_kill() or sim_power_cut() after a crash
 *     life_ask("SELECT …")                            what /db.sqlite says now
 *     sim_close();
 *
 * The data folder is /d, the project /p, the database that projects here write to /db.sqlite. */
#ifndef REF_LIFE_H
#define REF_LIFE_H

#include "job/engine_struct.h"
#include "os/sim.h"

struct life_plan {
    struct engine_faults faults;
    bool sink_position_apart;
    enum store_flush flush;
    const char *reset_stream;
    bool reset_replace;
    const char *replay; /* `stream replay` of that stream, before the engine starts */
    const char *
        forget_outbox; /* of that stream: what it has put out is not kept any more, before there is an engine */
    const char *restore;      /* `checkpoint restore` of that stream, before there is an engine */
    int64_t stop_after_ms;    /* 0: when everything is quiet */
    uint64_t fail_allocation; /* the n-th allocation fails, which ends the process; 0: none */
};

struct life_report {
    bool started;         /* the engine ran */
    bool failed;          /* something in it needs a person */
    uint64_t loud;        /* lines of the log that are a warning or worse */
    uint64_t errors;      /* of those, errors */
    bool disk_full;       /* the store has said so */
    char error[512];      /* of the first stream or sink that stopped, and its hint */
    int64_t answer;       /* of life_ask */
    int status;           /* that the process ended with */
    uint64_t allocations; /* that a whole life made */
};

void life_project(const char *yaml);
enum sim_end life_run(const struct life_plan *plan, const struct sim_options *options,
                      struct life_report *report);
/* Lives that crash at random until one is quiet (12 at most crash). False: one did not end well, or the last one has failed. */
bool life_until_quiet(const struct life_plan *plan, bool only_power_cuts, struct life_report *report);
/* The first number of the first row; INT64_MIN: an error, INT64_MIN + 1: no row or NULL. */
int64_t life_ask(const char *sql);
/* Calls each(arg, value) for every record of the topic, inside a life of its own; what it returns is returned if not 0. */
int life_topic(const char *topic, int (*each)(void *arg, struct str value), void *arg);

#endif

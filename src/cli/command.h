/* Commands that look into a data folder: query, topic, stream, status, checkpoint …
 *
 * Such a command is one function of a command_env, and does not know where it runs:
 *
 *     a process runs on the folder     in that process, on a thread of its own; the caller is at the other end of
 *                                      control.sock (control.c), which carries arguments, stdin, stdout, stderr, exit status
 *     none runs                        in the caller's own process, which takes the lock, recovers, answers and lets go
 *     through a registry's REST        in the caller's own process, too: env->registry
 *     through Kafka's protocol         in the caller's own process, without the folder: env->kafka is there instead of a store (cli_kafka)
 *
 * The store is opened when it is first asked for, so a query over files needs no data folder at all. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/cli.h"
#include "job/engine.h"
#include "topic/client.h"

struct command_env {
    struct cli_args *args;
    const struct project *project;
    struct client *kafka;  /* NULL: not through Kafka's protocol */
    const char *registry;  /* the URL of a schema registry; NULL: the command has nothing to do with one */
    bool is_foreign;       /* kafka or registry is one that the caller named: project is an empty one */
    struct store *store;   /* NULL: not opened (see command_store) */
    struct engine *engine; /* NULL: no process runs */
    struct loop *frames;   /* submits frames while a disk loop runs; NULL: committed in place */
    struct pool *pool;     /* of the command */
    const char *cwd;       /* of the caller, absolute */
    int columns;           /* width of the caller's terminal; 0 = stdout is none */
    struct sbuf out;       /* stdout, not sent yet */
    bool closed;           /* stdout is gone: nothing more needs to be said */

    /* where it runs */
    bool (*write)(struct command_env *env, int to, const void *p, size_t n); /* to: 1 stdout, 2 stderr */
    /* Stdin of the caller: *got 0 at its end. */
    bool (*read)(struct command_env *env, void *p, size_t n, size_t *got, struct err *err);
    /* Waits up to wait_ms; true when the caller left or the process ends. */
    bool (*gone)(struct command_env *env, int wait_ms);
    void *arg;
    struct registry *own_registry; /* of command_schemas, without a process, */
    struct remote_schemas *remote; /* or where the registry is elsewhere */
    const struct topic_schemas *schemas;
    int store_state; /* of command_store: 0 not tried, 1 open, −1 there is none */
};

enum { COMMAND_OUT_BYTES = 64 * 1024 };

/* Stdout. Text is kept until there is much of it, or until env_flush. */
void env_print(struct command_env *env, const char *format, ...) __attribute__((format(printf, 2, 3)));
void env_add(struct command_env *env, struct str text);
/* False: stdout is gone. */
bool env_flush(struct command_env *env);
/* A path that the caller gave, from where the caller is. */
const char *env_path(struct command_env *env, const char *path);
/* A text from elsewhere, as it may be shown on a terminal (sbuf_visible). Lives in the command's pool. */
const char *env_visible(struct command_env *env, const char *text);
/* A line on stderr. */
void env_note(struct command_env *env, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The error on stderr; returns the exit status that fits it. file: what its place points into, or NULL. */
int env_fail(struct command_env *env, const struct err *err, const struct conf_file *file);
/* The caller left, or the process ends: asked between batches. */
bool env_gone(struct command_env *env);

/* The store, opened if need be; NULL: nothing has run in this data folder yet, or (err set, class not NONE) it cannot be opened. */
struct store *command_store(struct command_env *env, struct err *err);
/* The same, where a missing one is an error. */
bool command_needs_store(struct command_env *env, struct err *err);
/* The project's stream of that name; NULL: there is none, err says so and which one may have been meant. */
const struct stream_def *command_stream(struct command_env *env, const char *name, struct err *err);
/* Does a process run on the project's folder? (Not asked for a foreign cluster.) */
static inline bool env_runs(const struct command_env *env)
{
    return env->engine != NULL || (env->kafka != NULL && !env->is_foreign);
}
/* The schemas that records name: in the registry at that URL or (NULL) in the project's; NULL: nothing has run here yet, or (err set, class not
 * NONE) it cannot be asked. */
const struct topic_schemas *command_schemas(struct command_env *env, const char *url, struct err *err);
/* The columns of a topic of the project, as they are known where it runs or has run; NULL: they are not. */
const struct type *command_topic_columns(struct command_env *env, const char *topic);
/* --output: table, which is the default, or json. */
bool command_wants_json(struct command_env *env, bool *json, struct err *err);
/* Commits a frame wherever the command runs. */
bool command_commit(struct command_env *env, struct frame *frame, struct err *err);

/* The run slot of every such command: finds the process, or does without. */
int command_look(struct cli_args *args);
/* The same in a project that is loaded, beside its engine: for `demo`. Output goes to this process's stdout. */
int command_call(const char *const *argv, uint32_t argc, const struct project *project, struct store *store,
                 struct engine *engine, struct sbuf *out);

#endif

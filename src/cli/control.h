/* control.sock: commands that run inside the process that holds the data folder.
 *
 *     caller → process    {"args":["query","SELECT 1"],"cwd":"/home/a","columns":80,"colour":true}\n
 *                         then stdin in frames: size u32 be │ bytes; size 0 = its end
 *                         or "ask" besides: instead of doing the command, the process says one thing of itself on stdout
 *     process → caller    frames: kind u8 (1 stdout, 2 stderr, 0 the end: bytes[0] = exit status) │ size u32 be │ bytes
 *
 * The socket has mode 0600: whoever may connect may do all that the process may. Each connection has a thread of its own (a loop of the
 * block role), so that one that follows a topic holds up nobody. */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "cli/command.h"

enum {
    CONTROL_CONNECTIONS_MAX = 8,
    CONTROL_REQUEST_MAX = 4 << 20, /* bytes of the request's line */
    CONTROL_FRAME_MAX = 1 << 20,
    CONTROL_WAIT_MS = 10000, /* for the other side to take or give something it owes */
};

struct control;

/* Listens in the project's data folder, on a loop of its own. All is borrowed until control_stop. kafka, registry: where they listen, or NULL. */
bool control_start(struct pool *pool, const struct project *project, struct store *store,
                   struct engine *engine, const char *kafka, const char *registry, struct control **control,
                   struct err *err);
/* Ends connections in order, waits for their threads, removes the socket. NULL is fine. The other loops still run. */
void control_stop(struct control *control);

/* Has the running process do the command; its exit status, or −1: none runs. */
int control_call(struct command_env *env);
/* Asks the running process one thing, appended to answer: "kafka", "registry": where its broker or registry listens ("" = nowhere); "columns/TOPIC", what type_to_json makes
 * of a topic's columns ("" = not known). Returns 0, −1: none runs, or the exit status after what was wrong was said on stderr. */
int control_ask(struct command_env *env, const char *what, struct sbuf *answer);

#endif

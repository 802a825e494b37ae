#include "cli/control.h"

#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "obs/event.h"
#include "json/tree.h"

enum { FRAME_HEAD = 5, FRAME_OUT_MAX = 256 * 1024, END_WAIT_MS = 20 };

static const char SOCKET_NAME[] = "control.sock";

/* The folder's path may be longer than a socket's may be: then it is reached through an open handle of the folder. */
static char *socket_address(struct arena *arena, const char *data, int *folder, struct err *err)
{
    enum { SOCKET_PATH_MAX = 100 };
    *folder = -1;
    if (strlen(data) + sizeof SOCKET_NAME < SOCKET_PATH_MAX)
        return arena_printf(arena, "unix:%s/%s", data, SOCKET_NAME);
    if (!os_open(data, OS_READ, folder, err))
        return NULL;
    return arena_printf(arena, "unix:/proc/self/fd/%d/%s", os_fd(*folder), SOCKET_NAME);
}

/* ---- bytes over a socket that does not block --------------------------------------------------------------------- */

static bool wait_for(int socket, unsigned interest, int64_t ms, struct err *err)
{
    struct os_poller *poller;
    struct os_event event;
    TRY(os_poller_new(&poller, err));
    bool ok = os_poller_watch(poller, socket, interest, NULL, err);
    int n = ok ? os_poller_wait(poller, &event, 1, ms < 0 ? -1 : ms * NS_PER_MS) : 0;
    os_poller_free(poller);
    if (!ok)
        return false;
    return n > 0 || err_set(err, ERR_RETRY, "no answer in %lld ms", (long long)ms);
}

static bool send_all(int socket, const void *p, size_t n, int64_t patience_ms, struct err *err)
{
    const char *at = p;
    while (n > 0) {
        size_t sent = 0;
        if (os_send(socket, at, n, &sent, err)) {
            at += sent;
            n -= sent;
        } else if (err->code != EAGAIN || !wait_for(socket, OS_WRITABLE, patience_ms, err)) {
            return false;
        }
    }
    return true;
}

/* ---- a connection, in the process ------------------------------------------------------------------------------------ */

struct connection {
    struct control *control;
    struct loop *loop;
    int socket;
    struct msg start, ended;
    struct connection *next;
    /* its own thread's */
    struct sbuf in;    /* received, not used */
    size_t stdin_left; /* of the frame of stdin that is being read */
    bool stdin_ended, left;
    struct arena arena;
};

struct control {
    const char *kafka, *registry; /* or NULL */
    const struct project *project;
    struct store *store;
    struct engine *engine;
    struct pool *pool;
    struct loop *loop;
    const char *path;
    int listener, folder;
    struct watch watch;
    struct msg start_msg, stop_msg;
    struct connection *connections;
    uint32_t count;
    bool stopping;
    struct counter ending; /* for the connections' threads */
    struct err err;
};

/* For as long as the caller takes (it may be a pager that somebody reads), unless the process ends. */
static bool send_patiently(struct connection *c, const void *p, size_t n)
{
    enum { LOOK_MS = 100 };
    const char *at = p;
    struct err err;
    while (n > 0) {
        size_t sent = 0;
        if (os_send(c->socket, at, n, &sent, &err)) {
            at += sent;
            n -= sent;
        } else if (err.code != EAGAIN || counter_get(&c->control->ending)) {
            return false;
        } else {
            (void)!wait_for(c->socket, OS_WRITABLE, LOOK_MS, &err);
        }
    }
    return true;
}

static bool conn_write(struct command_env *env, int to, const void *p, size_t n)
{
    struct connection *c = env->arg;
    const char *at = p;
    while (n > 0) {
        uint8_t head[FRAME_HEAD] = {(uint8_t)to};
        size_t part = n < FRAME_OUT_MAX ? n : FRAME_OUT_MAX;
        put_be32(head + 1, (uint32_t)part);
        if (!send_patiently(c, head, sizeof head) || !send_patiently(c, at, part))
            return false;
        at += part;
        n -= part;
    }
    return true;
}

/* Takes in what has come: false when nothing came in that time, or the other side has gone (c->left). */
static bool receive(struct connection *c, int wait_ms)
{
    struct err err;
    size_t got;
    for (int try = 0; try < 2; try++) {
        char *to = sbuf_reserve(&c->in, CONTROL_FRAME_MAX / 4);
        if (os_recv(c->socket, to, CONTROL_FRAME_MAX / 4, &got, &err)) {
            c->left = got == 0;
            sbuf_added(&c->in, got);
            return got > 0;
        }
        if (err.code != EAGAIN) {
            c->left = true;
            return false;
        }
        if (wait_ms == 0 || try == 1 || !wait_for(c->socket, OS_READABLE, wait_ms, &err))
            return false;
    }
    return false;
}

static void drop_front(struct sbuf *b, size_t n)
{
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

static bool conn_read(struct command_env *env, void *p, size_t n, size_t *got, struct err *err)
{
    struct connection *c = env->arg;
    *got = 0;
    while (!c->stdin_ended) {
        if (c->stdin_left == 0 && c->in.n >= 4) {
            c->stdin_left = get_be32(c->in.p);
            c->stdin_ended = c->stdin_left == 0;
            drop_front(&c->in, 4);
            continue;
        }
        if (c->stdin_left > 0 && c->in.n > 0) {
            size_t take = c->in.n < c->stdin_left ? c->in.n : c->stdin_left;
            *got = take < n ? take : n;
            memcpy(p, c->in.p, *got);
            drop_front(&c->in, *got);
            c->stdin_left -= *got;
            return true;
        }
        if (!receive(c, 100) && (c->left || counter_get(&c->control->ending)))
            return err_set(err, ERR_FATAL, "the caller has gone");
    }
    return true;
}

static bool conn_gone(struct command_env *env, int wait_ms)
{
    struct connection *c = env->arg;
    if (c->in.n < CONTROL_FRAME_MAX) /* more of stdin may wait; then the caller is there */
        receive(c, wait_ms);
    return c->left || counter_get(&c->control->ending);
}

static bool read_request(struct connection *c, struct str *line, struct err *err)
{
    for (int waited = 0; waited < CONTROL_WAIT_MS; waited += END_WAIT_MS) {
        char *end = c->in.n ? memchr(c->in.p, '\n', c->in.n) : NULL;
        if (end) {
            size_t n = (size_t)(end - c->in.p);
            *line = str_n(arena_dup(&c->arena, c->in.p, n), n);
            drop_front(&c->in, n + 1);
            return true;
        }
        if (c->in.n > CONTROL_REQUEST_MAX)
            return err_set(err, ERR_DATA, "the request is too long");
        receive(c, END_WAIT_MS);
        if (c->left || counter_get(&c->control->ending))
            break;
    }
    return err_set(err, ERR_DATA, "no request came");
}

/* What the caller sets has been read by this process at its start, or has no effect. `settings.data` has had it: it led here. */
static bool sets_are_known(const struct command_env *env, struct err *err)
{
    const struct project *project = env->project;
    for (uint32_t i = 0; i < env->args->set_count && !env->args->command->loads_project; i++) {
        const char *set = env->args->sets[i];
        bool known = str_starts(str_of(set), STR("settings.data="));
        for (uint32_t k = 0; k < project->override_count; k++)
            known = known || strcmp(project->overrides[k], set) == 0;
        if (known)
            continue;
        err_set(err, ERR_CONFIG, "--set %s has no effect: the project is running without it", set);
        return err_hint(err, "Give it to `sluice up`, or leave it out here.");
    }
    return true;
}

/* The request as arguments of a command; *ask: what is asked instead, p NULL = nothing. */
static bool read_arguments(struct connection *c, struct str line, struct command_env *env, struct str *ask,
                           struct err *err)
{
    const struct json_node *root;
    const char *argv[CLI_SETS_MAX];
    struct str cwd = {0};
    int64_t columns = 0;
    int argc = 0;
    TRY(json_parse(&c->arena, line, &root, err));
    JSON_EACH(arg, json_get(root, "args"))
    {
        if (argc >= CLI_SETS_MAX || arg->kind != JSON_STRING)
            return err_set(err, ERR_DATA, "the request's arguments are no list of texts");
        argv[argc++] = str_dup(&c->arena, arg->text);
    }
    json_bool(root, "colour", &env->args->colour);
    json_i64(root, "columns", &columns);
    *ask = (struct str){0};
    json_str(root, "ask", ask);
    env->columns = columns > 0 && columns < 10000 ? (int)columns : 0;
    env->cwd = json_str(root, "cwd", &cwd) ? str_dup(&c->arena, cwd) : env->project->folder;
    TRY(cli_read(env->args, argc, argv, err));
    if (env->args->command->look == NULL && ask->n == 0)
        return err_set(err, ERR_CONFIG, "not a command for a running process");
    return sets_are_known(env, err);
}

/* One thing about this process. */
static int say(struct connection *c, struct command_env *env, struct str ask)
{
    if (str_is(ask, "kafka")) {
        env_add(env, str_of(c->control->kafka));
    } else if (str_is(ask, "registry")) {
        env_add(env, str_of(c->control->registry));
    } else if (str_starts(ask, STR("columns/"))) {
        const char *topic = str_dup(&c->arena, str_n(ask.p + 8, ask.n - 8));
        const struct type *columns = command_topic_columns(env, topic);
        if (columns)
            type_to_json(columns, &env->out);
    }
    return EXIT_DONE;
}

static int serve(struct connection *c, struct command_env *env)
{
    struct str line, ask;
    struct err err;
    if (!read_request(c, &line, &err) || !read_arguments(c, line, env, &ask, &err))
        return env_fail(env, &err, NULL);
    return ask.p ? say(c, env, ask) : env->args->command->look(env);
}

static void answer(struct connection *c)
{
    struct cli_args args = {.arena = &c->arena};
    struct command_env env = {
        .args = &args,
        .project = c->control->project,
        .store = c->control->store,
        .engine = c->control->engine,
        .frames = c->control->loop,
        .pool = pool_new(NULL, "command"),
        .write = conn_write,
        .read = conn_read,
        .gone = conn_gone,
        .arg = c,
    };
    struct err err;
    int status = serve(c, &env);
    env_flush(&env);
    uint8_t end[FRAME_HEAD + 1] = {0, 0, 0, 0, 1, (uint8_t)status};
    (void)!send_all(c->socket, end, sizeof end,
                    counter_get(&c->control->ending) ? END_WAIT_MS : CONTROL_WAIT_MS, &err);
    pool_free(env.pool);
    sbuf_fini(&env.out);
}

static void run_connection(struct msg *msg)
{
    struct connection *c = CONTAINER_OF(msg, struct connection, start);
    answer(c);
    loop_post(c->control->loop, &c->ended);
}

/* ---- the listener -------------------------------------------------------------------------------------------------------- */

static void free_connection(struct connection *c)
{
    os_close(c->socket);
    sbuf_fini(&c->in);
    arena_fini(&c->arena);
    mem_free(c);
}

static void connection_ended(struct msg *msg)
{
    struct connection *c = CONTAINER_OF(msg, struct connection, ended);
    struct control *control = c->control;
    struct connection **at = &control->connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    control->count--;
    loop_stop(c->loop);
    loop_join(c->loop);
    loop_free(c->loop);
    free_connection(c);
    if (control->stopping && control->count == 0)
        loop_stop(control->loop);
}

static void refuse(int socket, const char *text)
{
    uint8_t head[FRAME_HEAD] = {2}, end[FRAME_HEAD + 1] = {0, 0, 0, 0, 1, EXIT_FAILED};
    struct err err;
    put_be32(head + 1, (uint32_t)strlen(text));
    (void)(send_all(socket, head, sizeof head, 0, &err) && send_all(socket, text, strlen(text), 0, &err) &&
           send_all(socket, end, sizeof end, 0, &err));
    os_close(socket);
}

static void accept_one(struct control *control, int socket)
{
    struct err err;
    if (control->count >= CONTROL_CONNECTIONS_MAX) {
        refuse(socket, "sluice: the running process is busy with 8 commands already\n");
        return;
    }
    struct connection *c = mem_new(sizeof *c);
    c->control = control;
    c->socket = socket;
    msg_init(&c->start, run_connection);
    msg_init(&c->ended, connection_ended);
    if (!loop_new(ROLE_BLOCK, "command", &c->loop, &err)) {
        free_connection(c);
        return;
    }
    if (!loop_start(c->loop, &err)) {
        loop_free(c->loop);
        free_connection(c);
        return;
    }
    c->next = control->connections;
    control->connections = c;
    control->count++;
    loop_post(c->loop, &c->start);
}

static void listener_ready(struct watch *watch, unsigned events)
{
    struct control *control = CONTAINER_OF(watch, struct control, watch);
    char peer[64];
    int socket;
    struct err err;
    (void)events;
    while (!control->stopping && os_accept(control->listener, &socket, peer, sizeof peer, &err))
        accept_one(control, socket);
}

static void handle_start(struct msg *msg)
{
    struct control *control = CONTAINER_OF(msg, struct control, start_msg);
    struct err err;
    control->watch.ready = listener_ready;
    if (!loop_watch(control->loop, &control->watch, control->listener, OS_READABLE, &err))
        event_err(EVENT_CONTROL, SOCKET_NAME, &err);
}

static void handle_stop(struct msg *msg)
{
    struct control *control = CONTAINER_OF(msg, struct control, stop_msg);
    struct err err;
    control->stopping = true;
    (void)!loop_watch(control->loop, &control->watch, control->listener, 0, &err);
    if (control->count == 0)
        loop_stop(control->loop);
}

bool control_start(struct pool *pool, const struct project *project, struct store *store,
                   struct engine *engine, const char *kafka, const char *registry, struct control **out,
                   struct err *err)
{
    struct control *control = pool_new_struct(pool, struct control);
    char bound[OS_PATH_MAX];
    *control = (struct control){.project = project,
                                .store = store,
                                .engine = engine,
                                .kafka = kafka,
                                .registry = registry,
                                .pool = pool,
                                .listener = -1};
    char *address = socket_address(pool_arena(pool), project->data, &control->folder, err);
    TRY(address != NULL);
    control->path = pool_printf(pool, "%s/%s", project->data, SOCKET_NAME);
    TRY(os_listen(address, &control->listener, bound, sizeof bound, err));
    msg_init(&control->start_msg, handle_start);
    msg_init(&control->stop_msg, handle_stop);
    TRY(loop_new(ROLE_BLOCK, "control", &control->loop, err));
    *out = control; /* from here on control_stop ends it */
    TRY(loop_start(control->loop, err));
    loop_post(control->loop, &control->start_msg);
    return true;
}

void control_stop(struct control *control)
{
    struct err ignored;
    if (control == NULL)
        return;
    counter_set(&control->ending, 1);
    loop_post(control->loop, &control->stop_msg);
    loop_join(control->loop);
    loop_free(control->loop);
    os_close(control->listener);
    os_close(control->folder);
    (void)!os_unlink(control->path, &ignored);
}

/* ---- the caller ------------------------------------------------------------------------------------------------------------- */

struct caller {
    int socket;
    struct sbuf in;
    int status;          /* −1: not yet */
    struct sbuf *answer; /* where stdout goes; NULL: to stdout */
};

/* Puts out the whole frames that have come. */
static bool put_frames(struct caller *c, struct err *err)
{
    size_t at = 0;
    while (c->status < 0 && c->in.n - at >= FRAME_HEAD) {
        const char *p = c->in.p + at;
        size_t n = get_be32(p + 1);
        if (n > CONTROL_FRAME_MAX || (uint8_t)p[0] > 2)
            return err_set(err, ERR_FATAL, "the running process gave an answer that is none");
        if (c->in.n - at < FRAME_HEAD + n)
            break;
        FILE *to = p[0] == 1 ? stdout : stderr;
        if (p[0] == 1 && c->answer)
            sbuf_add(c->answer, p + FRAME_HEAD, n);
        else if (p[0] == 0)
            c->status = n ? p[FRAME_HEAD] : EXIT_FAILED;
        else if (fwrite(p + FRAME_HEAD, 1, n, to) != n || fflush(to) != 0)
            return err_set_errno(err, ERR_FATAL, errno, "could not write");
        at += FRAME_HEAD + n;
    }
    drop_front(&c->in, at);
    return true;
}

static bool take_answer(struct caller *c, bool wait, struct err *err)
{
    for (;;) {
        size_t got;
        if (os_recv(c->socket, sbuf_reserve(&c->in, FRAME_OUT_MAX), FRAME_OUT_MAX, &got, err)) {
            if (got == 0)
                return err_set(err, ERR_FATAL, "the running process ended before the command did");
            sbuf_added(&c->in, got);
            return put_frames(c, err);
        }
        if (err->code != EAGAIN)
            return false;
        if (!wait)
            return true;
        TRY(wait_for(c->socket, OS_READABLE, -1, err));
    }
}

/* While sending, answers are taken too: neither side waits for the other for ever. */
static bool send_or_take(struct caller *c, const void *p, size_t n, struct err *err)
{
    const char *at = p;
    while (n > 0 && c->status < 0) {
        size_t sent = 0;
        if (os_send(c->socket, at, n, &sent, err)) {
            at += sent;
            n -= sent;
            continue;
        }
        if (err->code != EAGAIN)
            return false;
        TRY(wait_for(c->socket, OS_WRITABLE | OS_READABLE, -1, err));
        TRY(take_answer(c, false, err));
    }
    return true;
}

static bool send_stdin(struct caller *c, struct err *err)
{
    char *bytes = mem_new(CONTROL_FRAME_MAX / 4 + 4);
    size_t got = 1;
    bool ok = true;
    while (ok && got > 0 && c->status < 0) {
        ok = os_read(cli_stdin(), bytes + 4, CONTROL_FRAME_MAX / 4, &got, err);
        put_be32(bytes, (uint32_t)got);
        ok = ok && send_or_take(c, bytes, got + 4, err) && take_answer(c, false, err);
    }
    mem_free(bytes);
    return ok;
}

static void put_request(const struct command_env *env, const char *ask, struct sbuf *out)
{
    sbuf_char(out, '{');
    if (ask) {
        sbuf_cstr(out, "\"ask\":");
        sbuf_json(out, str_of(ask));
        sbuf_char(out, ',');
    }
    sbuf_cstr(out, "\"args\":[");
    for (uint32_t i = 0; i < env->args->argc; i++) {
        sbuf_cstr(out, i ? "," : "");
        sbuf_json(out, str_of(env->args->argv[i]));
    }
    sbuf_cstr(out, "],\"cwd\":");
    sbuf_json(out, str_of(env->cwd));
    sbuf_printf(out, ",\"columns\":%d,\"colour\":%s}\n", env->columns, env->args->colour ? "true" : "false");
}

/* The command reads stdin, or one of its options is the file `-`. */
static bool wants_stdin(const struct cli_args *args)
{
    bool wants = args->command->reads_stdin;
    for (int i = 0; args->command->flags && args->command->flags[i].name; i++)
        wants = wants || (args->values[i] && strcmp(args->values[i], "-") == 0);
    return wants;
}

static bool talk(struct caller *c, const struct command_env *env, const char *ask, struct err *err)
{
    struct sbuf request = {0};
    put_request(env, ask, &request);
    bool ok = send_or_take(c, request.p, request.n, err);
    sbuf_fini(&request);
    TRY(ok);
    if (ask == NULL && wants_stdin(env->args))
        TRY(send_stdin(c, err));
    while (c->status < 0)
        TRY(take_answer(c, true, err));
    return true;
}

static int call(struct command_env *env, const char *ask, struct sbuf *answer)
{
    struct caller c = {.socket = -1, .status = -1, .answer = answer};
    char path[OS_PATH_MAX];
    struct err err = {0};
    int folder;
    snprintf(path, sizeof path, "%s/%s", env->project->data, SOCKET_NAME);
    if (!os_exists(path))
        return -1;
    char *address = socket_address(env->args->arena, env->project->data, &folder, &err);
    bool connected = address && os_connect(address, &c.socket, &err);
    os_close(folder);
    if (!connected) /* a socket that nobody listens on was left by a process that died */
        return err.code == ECONNREFUSED || err.code == ENOENT ? -1 : cli_fail(env->args, &err);
    if (!talk(&c, env, ask, &err))
        c.status = cli_fail(env->args, &err);
    os_close(c.socket);
    sbuf_fini(&c.in);
    return c.status;
}

int control_call(struct command_env *env)
{
    return call(env, NULL, NULL);
}

int control_ask(struct command_env *env, const char *what, struct sbuf *answer)
{
    return call(env, what, answer);
}

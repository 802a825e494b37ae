/* Loops, messages, timers, tasks. Each story is told once, and happens in real threads and in the simulator. */
#include "run/run.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/test.h"
#include "os/sim.h"

static struct err err;

/* Of a story in the simulator, which runs in a process of its own: its failures come back as its status. */
static int in_life(void *arg)
{
    test_is_bad = false;
    void (*story)(void) = *(void (**)(void))arg;
    story();
    return test_is_bad;
}

enum { SEEDS = 20 };

static void both(void (*story)(void))
{
    story();
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int status = -1;
        sim_open(seed);
        EXPECT_EQ_INT(sim_life(in_life, &story, NULL, &status), SIM_RETURNED);
        sim_close();
        if (!EXPECT_EQ_INT(status, 0)) {
            fprintf(stderr, "    in the simulator, seed %d\n", (int)seed);
            break;
        }
    }
}

static struct loop *new_loop(enum role role, const char *name)
{
    struct loop *loop;
    EXPECT(loop_new(role, name, &loop, &err));
    return loop;
}

static struct loop *start_main(void)
{
    struct loop *loop = new_loop(ROLE_MAIN, "main");
    EXPECT(loop_start(loop, &err));
    EXPECT(loop_current() == loop && run_is(ROLE_MAIN));
    return loop;
}

/* ---- messages ------------------------------------------------------------------------------------------------- */

enum { ROUNDS = 2000 };
static struct ping {
    struct msg msg;
    struct loop *a, *b;
    int rounds;
} ping;

static void on_pong(struct msg *msg);

static void on_ping(struct msg *msg)
{
    struct ping *p = CONTAINER_OF(msg, struct ping, msg);
    EXPECT(run_is(ROLE_DISK) && loop_current() == p->b);
    run_on_disk();
    msg->handle = on_pong;
    loop_post(p->a, msg);
}

static void on_pong(struct msg *msg)
{
    struct ping *p = CONTAINER_OF(msg, struct ping, msg);
    EXPECT(run_is(ROLE_MAIN));
    if (++p->rounds == ROUNDS) {
        loop_stop(p->a);
        loop_stop(p->b);
        return;
    }
    msg->handle = on_ping;
    loop_post(p->b, msg);
}

static void play_ping_pong(void)
{
    ping = (struct ping){.a = start_main(), .b = new_loop(ROLE_DISK, "disk")};
    EXPECT(loop_role(ping.b) == ROLE_DISK);
    EXPECT(loop_start(ping.b, &err));
    msg_init(&ping.msg, on_ping);
    loop_post(ping.b, &ping.msg);
    loop_run(ping.a);
    loop_join(ping.b);
    EXPECT_EQ_INT(ping.rounds, ROUNDS);
    loop_free(ping.a);
    loop_free(ping.b);
    EXPECT(run_is(ROLE_NONE) && loop_current() == NULL);
}

TEST(two_loops_play_ping_pong)
{
    both(play_ping_pong);
}

/* Three senders, one receiver: nothing is lost, and each sender's messages arrive in its order. */
enum { SENDERS = 3, MESSAGES = 300 };
static struct note {
    struct msg msg;
    int sender, number;
} notes[SENDERS][MESSAGES];
static int seen[SENDERS], seen_all;
static struct loop *receiver, *senders[SENDERS];
static struct msg kicks[SENDERS];

static void on_note(struct msg *msg)
{
    struct note *note = CONTAINER_OF(msg, struct note, msg);
    EXPECT_EQ_INT(note->number, seen[note->sender]);
    seen[note->sender]++;
    if (++seen_all == SENDERS * MESSAGES)
        loop_stop(receiver);
}

static void on_kick(struct msg *msg)
{
    int sender = (int)(msg - kicks);
    for (int i = 0; i < MESSAGES; i++) {
        notes[sender][i] = (struct note){.sender = sender, .number = i};
        msg_init(&notes[sender][i].msg, on_note);
        loop_post(receiver, &notes[sender][i].msg);
    }
    loop_stop(loop_current());
}

static void send_from_three(void)
{
    seen_all = 0;
    receiver = start_main();
    for (int i = 0; i < SENDERS; i++) {
        seen[i] = 0;
        senders[i] = new_loop(ROLE_WORK, "work");
        EXPECT(loop_start(senders[i], &err));
        msg_init(&kicks[i], on_kick);
        loop_post(senders[i], &kicks[i]);
    }
    loop_run(receiver);
    EXPECT_EQ_INT(seen_all, SENDERS * MESSAGES);
    for (int i = 0; i < SENDERS; i++) {
        loop_join(senders[i]);
        loop_free(senders[i]);
    }
    loop_free(receiver);
}

TEST(each_senders_messages_stay_in_order)
{
    both(send_from_three);
}

static int handled;
static void on_count(struct msg *msg)
{
    (void)msg;
    handled++;
}

static void stop_between_messages(void)
{
    handled = 0;
    struct loop *loop = new_loop(ROLE_NET, "net");
    struct msg first, second, last;
    msg_init(&first, on_count);
    msg_init(&second, on_count);
    msg_init(&last, on_count);
    loop_post(loop, &first); /* before it runs */
    loop_post(loop, &second);
    loop_stop(loop);
    loop_post(loop, &last);
    EXPECT(loop_start(loop, &err));
    loop_join(loop);
    EXPECT_EQ_INT(handled, 2);
    loop_free(loop);
}

TEST(a_loop_ends_after_the_messages_posted_before)
{
    both(stop_between_messages);
}

/* ---- timers ---------------------------------------------------------------------------------------------------- */

enum { TIMERS = 200 };
static struct alarm {
    struct timer timer;
    int number;
} alarms[TIMERS];
static int fired, last_number;
static struct mono_time last_due;
static struct timer end_timer;

static void on_alarm(struct timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    EXPECT(!timer_is_set(timer));
    EXPECT(os_mono().ns >= timer->due.ns);
    EXPECT(alarm->number % 3 != 0); /* cancelled */
    EXPECT(timer->due.ns > last_due.ns || (timer->due.ns == last_due.ns && alarm->number > last_number));
    last_due = timer->due;
    last_number = alarm->number;
    fired++;
}

static void on_end(struct timer *timer)
{
    (void)timer;
    loop_stop(loop_current());
}

static void set_many_timers(void)
{
    fired = 0;
    last_due.ns = 0;
    struct loop *loop = start_main();
    struct mono_time now = os_mono();
    for (int i = 0; i < TIMERS; i++) {
        alarms[i].number = i;
        timer_init(&alarms[i].timer, on_alarm);
        timer_set(&alarms[i].timer, mono_add_ns(now, NS_PER_S));
    }
    for (int i = 0; i < TIMERS; i++) { /* moved: four times 50 timers of the same time */
        timer_set(&alarms[i].timer, mono_add_ns(now, (i * 7919 % 50) * 100 * NS_PER_US));
        EXPECT(timer_is_set(&alarms[i].timer));
    }
    for (int i = 0; i < TIMERS; i += 3) {
        timer_cancel(&alarms[i].timer);
        timer_cancel(&alarms[i].timer);
        EXPECT(!timer_is_set(&alarms[i].timer));
    }
    timer_init(&end_timer, on_end);
    timer_set_in(&end_timer, 8 * NS_PER_MS);
    loop_run(loop);
    EXPECT_EQ_INT(fired, TIMERS - (TIMERS + 2) / 3);
    EXPECT(os_mono().ns >= now.ns + 8 * NS_PER_MS);
    loop_free(loop);
}

TEST(timers_fire_in_order_and_not_early)
{
    both(set_many_timers);
}

static struct timer busy_timer;
static int busy_fired;
static void on_busy(struct timer *timer)
{
    busy_fired++;
    timer_set(timer, (struct mono_time){0});
}

static void set_a_timer_that_is_always_due(void)
{
    busy_fired = 0;
    struct loop *loop = start_main();
    timer_init(&busy_timer, on_busy);
    timer_set(&busy_timer, (struct mono_time){0});
    timer_init(&end_timer, on_end);
    timer_set_in(&end_timer, NS_PER_MS);
    loop_run(loop);
    EXPECT(busy_fired > 1);
    timer_cancel(&busy_timer);
    loop_free(loop);
}

TEST(a_timer_that_is_always_due_starves_nobody)
{
    both(set_a_timer_that_is_always_due);
}

/* ---- tasks ----------------------------------------------------------------------------------------------------- */

static struct job {
    struct task task;
    int left, done;
    struct job *other;
} jobs[2];
static int trace_length, in_a_row, most_in_a_row;
static struct job *last_job;

static bool run_job(struct task *task)
{
    struct job *job = CONTAINER_OF(task, struct job, task);
    in_a_row = job == last_job ? in_a_row + 1 : 1;
    most_in_a_row = in_a_row > most_in_a_row ? in_a_row : most_in_a_row;
    last_job = job;
    trace_length++;
    job->done++;
    if (--job->left > 0)
        return true;
    if (job->other->left <= 0)
        loop_stop(loop_current());
    return false;
}

static void run_two_tasks(void)
{
    trace_length = in_a_row = most_in_a_row = 0;
    last_job = NULL;
    struct loop *loop = start_main();
    for (int i = 0; i < 2; i++) {
        jobs[i] = (struct job){.left = 100, .other = &jobs[1 - i]};
        task_init(&jobs[i].task, run_job);
        task_wake(&jobs[i].task);
        task_wake(&jobs[i].task);
    }
    loop_run(loop);
    EXPECT(jobs[0].done == 100 && jobs[1].done == 100);
    if (!sim_is_on())
        EXPECT_EQ_INT(most_in_a_row, 1);
    loop_free(loop);
}

TEST(tasks_take_turns)
{
    both(run_two_tasks);
}

static struct task self;
static int self_runs;

static bool wake_self_once(struct task *task)
{
    if (++self_runs == 1)
        task_wake(task); /* while it runs: it runs once more */
    else
        loop_stop(loop_current());
    return false;
}

static bool free_self(struct task *task)
{
    task_cancel(task);
    mem_free(task);
    loop_stop(loop_current());
    return true;
}

static void wake_and_cancel(void)
{
    self_runs = 0;
    struct loop *loop = start_main();
    task_init(&self, wake_self_once);
    task_wake(&self);
    loop_run(loop);
    EXPECT_EQ_INT(self_runs, 2);
    loop_free(loop);
    loop = start_main();
    struct task *heap = mem_new(sizeof *heap);
    task_init(heap, free_self);
    task_wake(heap);
    task_init(&self, wake_self_once);
    task_wake(&self);
    task_cancel(&self);
    loop_run(loop);
    EXPECT_EQ_INT(self_runs, 2);
    loop_free(loop);
}

TEST(a_task_wakes_and_cancels_itself)
{
    both(wake_and_cancel);
}

enum { WAKES = 1000 };
static struct {
    struct task task;
    struct waker waker;
    int runs;
    struct counter asked; /* written by the sender */
} woken;

static bool run_woken(struct task *task)
{
    (void)task;
    woken.runs++;
    if (counter_get(&woken.asked) == WAKES)
        loop_stop(loop_current());
    return false;
}

static void on_wake_much(struct msg *msg)
{
    (void)msg;
    for (int i = 0; i < WAKES; i++) {
        counter_add(&woken.asked, 1);
        waker_wake(&woken.waker);
    }
    loop_stop(loop_current());
}

static void wake_from_afar(void)
{
    struct loop *loop = start_main(), *other = new_loop(ROLE_NET, "net");
    memset(&woken, 0, sizeof woken);
    task_init(&woken.task, run_woken);
    waker_init(&woken.waker, loop, &woken.task);
    struct msg kick;
    msg_init(&kick, on_wake_much);
    EXPECT(loop_start(other, &err));
    loop_post(other, &kick);
    loop_run(loop); /* ends only if no wake-up is lost */
    loop_join(other);
    EXPECT(woken.runs >= 1 && woken.runs <= WAKES);
    if (sim_is_on())
        EXPECT_EQ_INT(woken.runs, 1); /* all of one step: one message */
    loop_free(loop);
    loop_free(other);
}

TEST(wake_ups_are_merged_and_none_is_lost)
{
    both(wake_from_afar);
}

/* ---- the simulator's order ---------------------------------------------------------------------------------------- */

enum { STEPPERS = 3, STEPS = 10 };
static char *order; /* shared: who took which step */
static struct task steppers[STEPPERS];
static int steps_left[STEPPERS];

static bool run_stepper(struct task *task)
{
    int i = (int)(task - steppers);
    order[strlen(order)] = (char)('a' + i);
    return --steps_left[i] > 0;
}

static void on_begin(struct msg *msg)
{
    task_wake(&steppers[msg - kicks]);
}

static int step_by_chance(void *arg)
{
    (void)arg;
    for (int i = 0; i < STEPPERS; i++) {
        steps_left[i] = STEPS;
        senders[i] = new_loop(ROLE_WORK, "work");
        task_init(&steppers[i], run_stepper);
        msg_init(&kicks[i], on_begin);
        EXPECT(loop_start(senders[i], &err));
        loop_post(senders[i], &kicks[i]);
    }
    while (run_sim_step())
        ;
    run_sim_reset();
    return test_is_bad;
}

static uint64_t order_of(uint64_t seed, char out[STEPPERS * STEPS + 1])
{
    int status = 1;
    sim_open(seed);
    order = sim_shared(STEPPERS * STEPS + 1);
    EXPECT(sim_life(step_by_chance, NULL, NULL, &status) == SIM_RETURNED && status == 0);
    memcpy(out, order, STEPPERS * STEPS + 1);
    uint64_t trace = sim_trace();
    sim_close();
    return trace;
}

TEST(the_seed_chooses_the_order_of_steps)
{
    char first[STEPPERS * STEPS + 1], again[STEPPERS * STEPS + 1], before[STEPPERS * STEPS + 1] = "";
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint64_t trace = order_of(seed, first);
        EXPECT_EQ_INT(order_of(seed, again), trace);
        EXPECT_STR(again, first);
        EXPECT(strlen(first) == STEPPERS * STEPS && strcmp(first, before) != 0);
        memcpy(before, first, sizeof first);
    }
}

static void note(char c)
{
    order[strlen(order)] = c;
}

/* Asleep for 10 ms from 0 on: "(" … ")". Another one of the same loop: "!". */
static void on_sleeper(struct msg *msg)
{
    struct mono_time began = os_mono();
    if (msg == &kicks[1]) {
        note('!');
        return;
    }
    note('(');
    sim_sleep(10 * NS_PER_MS);
    note(')');
    EXPECT(mono_since_ns(os_mono(), began) >= 10 * NS_PER_MS);
    EXPECT(loop_current() == senders[0]);
}

static void on_worker(struct timer *timer)
{
    EXPECT(loop_current() == senders[1]);
    note('w');
    if (strlen(order) < STEPS)
        timer_set_in(timer, 4 * NS_PER_MS);
}

static void on_work(struct msg *msg)
{
    timer_init(&end_timer, on_worker);
    timer_set_in(&end_timer, 4 * NS_PER_MS);
}

static int sleep_and_work(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        msg_init(&kicks[i], i < 2 ? on_sleeper : on_work);
    for (int i = 0; i < 2; i++) {
        senders[i] = new_loop(i ? ROLE_WORK : ROLE_BLOCK, "one");
        EXPECT(loop_start(senders[i], &err));
    }
    loop_post(senders[0], &kicks[0]);
    loop_post(senders[0], &kicks[1]);
    loop_post(senders[1], &kicks[2]);
    while (run_sim_step())
        ;
    run_sim_reset();
    return test_is_bad;
}

/* SQLite sleeps when another connection has the database, and only another loop can make that one let go. */
TEST(others_go_on_while_one_loop_sleeps)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int status = 1;
        sim_open(seed);
        order = sim_shared(STEPPERS * STEPS + 1);
        EXPECT(sim_life(sleep_and_work, NULL, NULL, &status) == SIM_RETURNED && status == 0);
        EXPECT(strncmp(order, "(ww)", 4) == 0 && strchr(order, '!') != NULL);
        sim_close();
    }
}

/* ---- descriptors, locks ------------------------------------------------------------------------------------------ */

static struct watch watch, other_watch;
static int pipe_ends[2];
static char got_text[8];

static int watches_fired;

/* Both are ready in the same turn; the first one takes the other away. */
static void on_readable(struct watch *w, unsigned events)
{
    EXPECT_EQ_INT(++watches_fired, 1);
    EXPECT(events & OS_READABLE);
    CHECK(read(pipe_ends[0], got_text, sizeof got_text) == 3);
    EXPECT(loop_watch_fd(loop_current(), w, w->fd, 0, &err));
    struct watch *other = w == &watch ? &other_watch : &watch;
    EXPECT(loop_watch_fd(loop_current(), other, other->fd, 0, &err));
    loop_stop(loop_current());
}

TEST(a_loop_watches_descriptors)
{
    struct loop *loop = start_main();
    CHECK(pipe(pipe_ends) == 0);
    watch.ready = on_readable;
    other_watch.ready = on_readable;
    int second = dup(pipe_ends[0]);
    EXPECT(loop_watch_fd(loop, &watch, pipe_ends[0], OS_READABLE, &err));
    EXPECT(loop_watch_fd(loop, &other_watch, second, OS_READABLE, &err));
    CHECK(write(pipe_ends[1], "abc", 3) == 3);
    loop_run(loop);
    EXPECT_MEM(got_text, "abc", 3);
    loop_free(loop);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    close(second);
}

static void sleep_for_a_while(void)
{
    struct loop *loop = start_main(), *other = new_loop(ROLE_WORK, "work");
    EXPECT(loop_start(other, &err));
    timer_init(&end_timer, on_end);
    timer_set_in(&end_timer, 200 * NS_PER_MS);
    clock_t before = clock();
    loop_run(loop);
    EXPECT((double)(clock() - before) / CLOCKS_PER_SEC < 0.02);
    loop_stop(other);
    loop_join(other);
    loop_free(other);
    loop_free(loop);
}

TEST(an_idle_loop_uses_no_processor)
{
    sleep_for_a_while();
}

/* A server that sends back what it gets, and a client that sends BYTES and compares. */
enum { BYTES = 300000 };
static struct {
    struct loop *server_loop, *client_loop;
    struct watch listener, server, client;
    int listener_file, server_file, client_file;
    char held[4096];
    size_t held_count, held_sent; /* server */
    size_t sent, received;        /* client */
    struct msg ask;
    char address[64];
} echo;

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

static void on_server(struct watch *w, unsigned events)
{
    struct err why;
    size_t n = 0;
    EXPECT(run_is(ROLE_NET));
    if (echo.held_sent == echo.held_count) {
        echo.held_sent = echo.held_count = 0;
        if (!os_recv(echo.server_file, echo.held, sizeof echo.held, &echo.held_count, &why)) {
            EXPECT_EQ_INT(why.code, EAGAIN);
            return;
        }
        if (echo.held_count == 0) { /* the client is done */
            EXPECT(loop_watch(echo.server_loop, w, echo.server_file, 0, &err));
            EXPECT(loop_watch(echo.server_loop, &echo.listener, echo.listener_file, 0, &err));
            os_close(echo.server_file);
            os_close(echo.listener_file);
            loop_stop(echo.server_loop);
            return;
        }
    }
    if (!os_send(echo.server_file, echo.held + echo.held_sent, echo.held_count - echo.held_sent, &n, &why))
        EXPECT_EQ_INT(why.code, EAGAIN);
    echo.held_sent += n;
    unsigned interest = echo.held_sent < echo.held_count ? OS_WRITABLE : OS_READABLE;
    EXPECT(loop_watch(echo.server_loop, w, echo.server_file, interest, &err));
}

static void on_listener(struct watch *w, unsigned events)
{
    char peer[64];
    EXPECT(events & OS_READABLE);
    EXPECT(os_accept(echo.listener_file, &echo.server_file, peer, sizeof peer, &err));
    EXPECT(!os_accept(echo.listener_file, &(int){0}, peer, sizeof peer, &err) && err.code == EAGAIN);
    echo.server.ready = on_server;
    EXPECT(loop_watch(echo.server_loop, &echo.server, echo.server_file, OS_READABLE, &err));
}

static void client_sends(void)
{
    uint8_t bytes[5000];
    struct err why;
    size_t n = BYTES - echo.sent < sizeof bytes ? BYTES - echo.sent : sizeof bytes;
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(echo.sent + i);
    if (n > 0 && !os_send(echo.client_file, bytes, n, &n, &why)) {
        EXPECT_EQ_INT(why.code, EAGAIN);
        n = 0;
    }
    echo.sent += n;
}

static void client_receives(void)
{
    uint8_t bytes[5000];
    struct err why;
    size_t n;
    if (!os_recv(echo.client_file, bytes, sizeof bytes, &n, &why)) {
        EXPECT_EQ_INT(why.code, EAGAIN);
        return;
    }
    EXPECT(n > 0);
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_at(echo.received + i)) {
            EXPECT(!"the byte that was sent");
            break;
        }
    echo.received += n;
}

static void on_client(struct watch *w, unsigned events)
{
    if (events & OS_WRITABLE)
        client_sends();
    if (events & OS_READABLE)
        client_receives();
    unsigned interest = echo.sent < BYTES ? OS_READABLE | OS_WRITABLE : OS_READABLE;
    if (echo.received == BYTES || test_is_bad)
        interest = 0;
    EXPECT(loop_watch(echo.client_loop, w, echo.client_file, interest, &err));
    if (interest == 0) {
        os_close(echo.client_file);
        loop_stop(echo.client_loop);
    }
}

static void on_ask(struct msg *msg)
{
    EXPECT(os_connect(echo.address, &echo.client_file, &err));
    echo.client.ready = on_client;
    EXPECT(loop_watch(echo.client_loop, &echo.client, echo.client_file, OS_WRITABLE, &err));
}

static void on_serve(struct msg *msg)
{
    EXPECT(os_listen("127.0.0.1:0", &echo.listener_file, echo.address, sizeof echo.address, &err));
    EXPECT(!os_listen(echo.address, &(int){0}, NULL, 0, &err) && err.code == EADDRINUSE);
    echo.listener.ready = on_listener;
    EXPECT(loop_watch(echo.server_loop, &echo.listener, echo.listener_file, OS_READABLE, &err));
    msg_init(&echo.ask, on_ask);
    loop_post(echo.client_loop, &echo.ask);
}

static void talk_over_sockets(void)
{
    struct msg serve;
    memset(&echo, 0, sizeof echo);
    echo.client_loop = start_main();
    echo.server_loop = new_loop(ROLE_NET, "net");
    EXPECT(loop_start(echo.server_loop, &err));
    msg_init(&serve, on_serve);
    loop_post(echo.server_loop, &serve);
    loop_run(echo.client_loop);
    loop_join(echo.server_loop);
    EXPECT(echo.sent == BYTES && echo.received == BYTES);
    int file;
    if (os_connect(echo.address, &file, &err)) { /* nobody is there now: refused, at once or later */
        struct os_poller *poller;
        struct os_event event;
        size_t n;
        EXPECT(os_poller_new(&poller, &err) && os_poller_watch(poller, file, OS_WRITABLE, &file, &err));
        EXPECT(os_poller_wait(poller, &event, 1, 10 * NS_PER_S) == 1 && event.ready & OS_HANGUP);
        EXPECT(!os_send(file, "x", 1, &n, &err));
        os_poller_free(poller);
        os_close(file);
    }
    EXPECT_EQ_INT(err.code, ECONNREFUSED);
    loop_free(echo.client_loop);
    loop_free(echo.server_loop);
}

TEST(loops_talk_over_sockets)
{
    both(talk_over_sockets);
}

static void take_and_release(void)
{
    struct lock *lock = lock_new();
    lock_take(lock);
    lock_release(lock);
    lock_take(lock);
    lock_release(lock);
    lock_free(lock);
    struct counter c = {0};
    counter_add(&c, 2);
    counter_add(&c, 3);
    EXPECT_EQ_INT(counter_get(&c), 5);
    counter_set(&c, 1);
    EXPECT_EQ_INT(counter_get(&c), 1);
}

TEST(locks_and_counters)
{
    both(take_and_release);
}

struct errand {
    struct msg msg;
    struct latch done;
    int answer;
};

static void run_errand(struct msg *msg)
{
    struct errand *e = CONTAINER_OF(msg, struct errand, msg);
    e->answer = 42;
    latch_open(&e->done);
}

/* The errand's memory and descriptors are gone as soon as the waiter wakes: the sanitizers see a touch that comes later. */
TEST(a_latch_is_not_touched_after_it_was_opened)
{
    struct loop *loop = new_loop(ROLE_WORK, "work");
    EXPECT(loop_start(loop, &err));
    for (int i = 0; i < 3000; i++) {
        struct errand *e = mem_new(sizeof *e);
        EXPECT(latch_init(&e->done, &err));
        msg_init(&e->msg, run_errand);
        loop_post(loop, &e->msg);
        latch_wait(&e->done);
        EXPECT_EQ_INT(e->answer, 42);
        mem_free(e);
    }
    loop_stop(loop);
    loop_join(loop);
    loop_free(loop);
}

int main(void)
{
    RUN(two_loops_play_ping_pong);
    RUN(each_senders_messages_stay_in_order);
    RUN(a_loop_ends_after_the_messages_posted_before);
    RUN(timers_fire_in_order_and_not_early);
    RUN(a_timer_that_is_always_due_starves_nobody);
    RUN(tasks_take_turns);
    RUN(a_task_wakes_and_cancels_itself);
    RUN(wake_ups_are_merged_and_none_is_lost);
    RUN(the_seed_chooses_the_order_of_steps);
    RUN(others_go_on_while_one_loop_sleeps);
    RUN(a_loop_watches_descriptors);
    RUN(loops_talk_over_sockets);
    RUN(an_idle_loop_uses_no_processor);
    RUN(locks_and_counters);
    RUN(a_latch_is_not_touched_after_it_was_opened);
    return test_end();
}

/* The simulator: lives, crashes, clocks, chance. The disk is in sim_file.c and sim_folder.c, the calls of os.h in sim_table.c, sockets
 * in sim_net.c.
 *
 * A life is a forked child. All that outlives it, the disk above all, lies in one mapping that is shared and was made before the
 * fork; the child's own memory goes with it, as that of a killed process does. The kernel does not copy the tables of a shared mapping, so a
 * life costs what the test's own memory costs.
 *
 * Everything that happens by chance comes from three generators of one seed: the scenario's (sim_random), the program's (os_random) and the
 * simulator's own (what is lost, how long a call takes, which loop is next). So more random numbers in a test do not change
 * what the simulator does, and the same seed and program are the same run: sim_trace() is a hash over all calls. */
#include "os/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/map.h"
#include "os/sim_private.h"

struct sim_world *sim;
static void (*others_until)(struct mono_time until); /* of the process: run/ sets it in each life */

bool sim_is_on(void)
{
    return sim != NULL;
}

/* ---- chance ------------------------------------------------------------------------------------------------------ */

/* SplitMix64: one word of state, any seed is good. */
uint64_t sim_next(struct sim_rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t sim_random(void)
{
    return sim_next(&sim->scenario);
}

uint64_t sim_pick(uint64_t n)
{
    CHECK(n > 0);
    return sim_next(&sim->inner) % n;
}

bool sim_one_in(uint64_t n)
{
    return sim_pick(n) == 0;
}

/* ---- the trace ------------------------------------------------------------------------------------------------- */

static void trace(const char *name, const char *what, uint64_t a, uint64_t b)
{
    uint64_t parts[5] = {sim->trace, (uint64_t)sim->clock_ns, a, b, 0};
    parts[4] = hash_bytes(name, strlen(name)) + 3 * hash_bytes(what, strlen(what));
    sim->trace = hash_bytes(parts, sizeof parts);
    if (sim->prints)
        fprintf(stderr, "sim %" PRIu64 ".%" PRIu64 " %12.6f %s %s %" PRIu64 " %" PRIu64 "\n", sim->life,
                sim->calls, (double)sim->clock_ns / 1e9, name, what, a, b);
}

uint64_t sim_trace(void)
{
    return sim->trace;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

void sim_advance(int64_t ns)
{
    CHECK(ns >= 0);
    sim->clock_ns += ns;
}

void sim_on_sleep(void (*others)(struct mono_time until))
{
    others_until = others;
}

void sim_sleep(int64_t ns)
{
    if (others_until)
        others_until((struct mono_time){sim->clock_ns - sim->boot_ns + ns});
    else
        sim_advance(ns);
}

/* A call takes about ns, at times much longer. */
static void take_time(int64_t ns)
{
    if (!sim->in_life || ns == 0)
        return;
    uint64_t luck = sim_next(&sim->inner);
    int64_t factor = (luck & 0xFF) == 0 ? 200 : 2 + (int64_t)(luck % 16); /* of an eighth */
    sim_advance(ns * factor / 8);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

void sim_look(const char *name, const char *what, uint64_t a, uint64_t b, int64_t ns)
{
    if (!sim->in_life)
        return;
    take_time(ns);
    trace(name, what, a, b);
}

enum sim_crash sim_begin(const char *name, const char *what, uint64_t a, uint64_t b, int64_t ns)
{
    if (!sim->in_life)
        return SIM_LIVE;
    sim->calls++;
    sim_look(name, what, a, b, ns);
    if (sim->calls != sim->options.crash_after)
        return SIM_LIVE;
    switch (sim_pick(3)) {
    case 0: sim_crash();
    case 1: return SIM_DIE_WITHIN;
    default: return SIM_DIE_AFTER;
    }
}

int sim_end(enum sim_crash crash, int result)
{
    if (crash != SIM_LIVE)
        sim_crash();
    if (result && sim->in_life)
        trace("=", "", (uint64_t)result, 0);
    return result;
}

uint64_t sim_calls(void)
{
    return sim->calls;
}

uint64_t sim_calls_fallible(void)
{
    return sim->calls_fallible;
}

/* ---- lives ------------------------------------------------------------------------------------------------------- */

void sim_open(uint64_t seed)
{
    CHECK(sim == NULL);
    uint8_t *all = mmap(NULL, SIM_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                        -1, 0);
    CHECK(all != MAP_FAILED);
    sim = (struct sim_world *)(void *)all;
    size_t used = (sizeof *sim + SIM_BLOCK - 1) & ~(size_t)(SIM_BLOCK - 1);
    sim_memory_init(sim, all + used, all + SIM_MEMORY);
    struct sim_rng rng = {seed};
    sim->scenario.state = sim_next(&rng);
    sim->program.state = sim_next(&rng);
    sim->inner.state = sim_next(&rng);
    sim->boot_ns = -NS_PER_S;
    sim->prints = getenv("SLUICE_SIM_TRACE") != NULL;
    list_init(&sim->inodes);
    list_init(&sim->sockets);
    sim->blocks_total = SIM_DISK_DEFAULT / SIM_BLOCK;
    sim->root = sim_inode_new(true);
    os_world = &os_sim_table;
    os_folders_forget();
}

void sim_close(void)
{
    CHECK(sim != NULL && (!sim->in_life || sim->has_no_child));
    CHECK(munmap(sim, SIM_MEMORY) == 0);
    sim = NULL;
    others_until = NULL;
    os_world = &os_real_table;
}

void *sim_shared(size_t size)
{
    return sim_alloc(size);
}

/* The end of a life, from within. */
static _Noreturn void leave(void)
{
    sim->calls_fallible = os_fail_after(0, 0);
    fflush(stdout);
    fflush(stderr);
    _exit(0);
}

_Noreturn void sim_crash(void)
{
    CHECK(sim->in_life);
    sim->has_crashed = true;
    leave();
}

void sim_exit_life(int status)
{
    if (!sim->in_life)
        _exit(status);
    sim->has_returned = status == 0;
    sim->has_exited = status != 0;
    sim->status = status;
    leave();
}

static _Noreturn void live(int (*body)(void *arg), void *arg)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(SIM_LIFE_SECONDS_MAX);
    os_folders_forget();
    os_fail_after(sim->options.fail_after, sim->options.fail_errno);
    sim->status = body(arg);
    sim->has_returned = true;
    leave();
}

static void begin_life(const struct sim_options *options)
{
    sim->options = options ? *options : (struct sim_options){0};
    uint64_t bytes = sim->options.disk_bytes ? sim->options.disk_bytes : SIM_DISK_DEFAULT;
    sim->blocks_total = bytes / SIM_BLOCK;
    if (sim->blocks_total < sim->blocks_used)
        sim->blocks_total = sim->blocks_used; /* the disk was smaller than what is on it: it is full */
    sim->life++;
    sim->calls = sim->calls_fallible = 0;
    sim->status = 0;
    sim->has_crashed = sim->has_exited = sim->has_returned = false;
    sim->in_life = true;
}

enum sim_end sim_life(int (*body)(void *arg), void *arg, const struct sim_options *options, int *status)
{
    CHECK(sim != NULL && !sim->in_life);
    fflush(stdout);
    fflush(stderr);
    begin_life(options);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        live(body, arg);
    int how;
    pid_t ended;
    do
        ended = waitpid(child, &how, 0);
    while (ended < 0 && errno == EINTR);
    CHECK(ended == child);
    sim->in_life = false;
    sim_forget_life();
    bool clean = WIFEXITED(how) && WEXITSTATUS(how) == 0;
    if (status)
        *status = clean ? sim->status : WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
    if (clean && sim->has_crashed)
        return SIM_CRASHED;
    if (clean && sim->has_exited)
        return SIM_EXITED;
    return clean && sim->has_returned ? SIM_RETURNED : SIM_FAILED;
}

void sim_kill(void)
{
    CHECK(sim != NULL && !sim->in_life);
    sim_advance((int64_t)sim_pick(5 * (uint64_t)NS_PER_S)); /* until somebody starts it again */
}

void sim_live_here(const struct sim_options *options)
{
    CHECK(sim != NULL && !sim->in_life);
    begin_life(options);
    sim->has_no_child = true;
}

void sim_power_cut(void)
{
    CHECK(sim != NULL && !sim->in_life);
    for (int i = 0; i < SIM_HANDLES; i++)
        CHECK(sim->handles[i].kind == SIM_FREE); /* the test closes its own files first */
    sim_folders_power_cut();
    sim_advance((int64_t)sim_pick(600 * (uint64_t)NS_PER_S));
    sim->boot_ns = sim->clock_ns - NS_PER_S;
    DCHECK((sim_disk_check(), true));
}

bool sim_damage(const char *path, uint64_t offset, uint64_t n)
{
    struct sim_inode *inode;
    if (sim_find(path, &inode) != 0 || inode->is_folder || n == 0 || n > inode->size ||
        offset > inode->size - n)
        return false;
    sim_file_damage(inode, offset, n);
    return true;
}

void sim_dump(void)
{
    fprintf(stderr, "/  (%" PRIu64 " of %" PRIu64 " blocks used)\n", sim->blocks_used, sim->blocks_total);
    sim_folder_dump(sim->root, 1);
}

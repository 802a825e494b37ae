/* The simulator: a second implementation of os.h. One process, one thread, one seed.
 *
 * A life of the simulated program runs in a forked child, so that a crash is simply its end: no half-destroyed
 * state can leak into the next life. The simulated disk lies in shared memory, and outlives it.
 *
 *     sim_open(seed, options)
 *     while (…) {
 *         status = sim_life(body, arg)   forks; body runs with os = simulator until it returns, crashes by plan, or fails
 *         sim_power_cut()                or sim_kill(): what the crash does to the disk
 *     }
 *     sim_close()
 *
 * From sim_open to sim_close all of os.h is the simulator, outside of lives too: there the test sees (and may change) the disk as a
 * program after the last life would; no time passes, nothing is counted, fails or crashes. Its own handles stay open over lives, but are
 * closed before a power cut. What EXPECT finds inside a life goes with the life: body returns it as its status. After SIM_FAILED the
 * shared state may be half changed: the test ends.
 *
 * The disk: every file has a durable image and a list of unsynced writes; every folder a durable set of entries and unsynced
 * changes. sim_kill (kill -9) keeps all that was written. sim_power_cut keeps what was synced, and of the rest a random subset: each unsynced write
 * whole, lost, or torn at sector boundaries (512 bytes; prewritten direct writes tear too), each unsynced folder change kept or lost (in order
 * within a folder), sizes likewise. OS_DSYNC writes and os_sync make durable. A full disk (bytes budget), an I/O error on the n-th call, a failed
 * sync (after which the pages are marked clean and may be lost: as Linux does), slow calls (virtual time passes). */
#ifndef OS_SIM_H
#define OS_SIM_H

#include "os/os.h"

struct sim_options {
    uint64_t disk_bytes; /* size of the disk; 0 = 1 GiB */
    uint64_t
        crash_after; /* the n-th os call of the next life that changes something ends it (power cut or kill is up to the caller); 0 = never */
    uint64_t fail_after; /* the n-th os call that can fail, fails with fail_errno */
    int fail_errno;
    bool fail_sync_loses; /* a failed sync drops the data it did not write */
    bool no_direct;       /* OS_DIRECT gives EINVAL: the buffered fallback */
};

enum sim_end {
    SIM_RETURNED,
    SIM_CRASHED,
    SIM_EXITED, /* by os_exit, with a status other than 0 */
    SIM_FAILED  /* a CHECK, a signal, a sanitizer, no memory */
};

void sim_open(uint64_t seed);
void sim_close(void);
/* Runs body in a child until its end; *status = what body returned. options may be NULL. */
enum sim_end sim_life(int (*body)(void *arg), void *arg, const struct sim_options *options, int *status);
/* For fuzzers, which want one process: a life begins here, without a child, and ends with sim_close. */
void sim_live_here(const struct sim_options *options);
void sim_power_cut(void);
void sim_kill(void);
/* Number of os calls of the last life that change something outside (writes, syncs, names, sends): to choose crash points. The crash
 * happens before, in (a part of a write, nothing of it durable) or after the call, by chance. */
uint64_t sim_calls(void);
/* Number of os calls of the last life that can fail: for fail_after. */
uint64_t sim_calls_fallible(void);
/* Hash over all calls of all lives, their arguments, results and times: the same seed and program give the same. With SLUICE_SIM_TRACE in
 * the environment each call is printed to stderr. */
uint64_t sim_trace(void);
/* Inside a life: the process dies here as by kill -9. */
_Noreturn void sim_crash(void);
/* Random numbers of the scenario, independent of the program's own; the same before, in, and between lives. */
uint64_t sim_random(void);
static inline uint64_t sim_below(uint64_t n)
{
    return sim_random() % n;
}
bool sim_is_on(void);
/* Memory shared between the lives and the test (its book-keeping of what was acknowledged), zeroed at sim_open. */
void *sim_shared(size_t size);
/* Damages a file as a decaying disk would: flips bits in [offset, offset + n). Between lives. */
bool sim_damage(const char *path, uint64_t offset, uint64_t n);
/* Whole simulated tree as text, for failures. */
void sim_dump(void);
/* Virtual time passes inside a life. */
void sim_advance(int64_t ns);
/* What a call that blocks its thread for that long does: the other threads go on meanwhile. */
void sim_sleep(int64_t ns);

/* For run/, which steps loops: the simulator's own choice in [0, n), n > 0; when some socket will next have something (INT64_MAX ns = never). */
uint64_t sim_pick(uint64_t n);
/* How others go on while somebody sleeps, until that time; else only time passes. Until sim_close. */
void sim_on_sleep(void (*others_until)(struct mono_time until));
struct mono_time sim_next_io(void);

#endif

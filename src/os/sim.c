#include "os/sim.h"

bool sim_is_on(void)
{
    return false;
}

uint64_t sim_pick(uint64_t n)
{
    UNREACHABLE("no simulator");
}

struct mono_time sim_next_io(void)
{
    UNREACHABLE("no simulator");
}

void sim_advance(int64_t ns)
{
    UNREACHABLE("no simulator");
}
void sim_open(uint64_t seed)
{
}
void sim_close(void)
{
}
enum sim_end sim_life(int (*body)(void *arg), void *arg, const struct sim_options *options, int *status)
{
    return SIM_FAILED;
}

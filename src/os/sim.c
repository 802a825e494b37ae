#include "os/sim.h"

bool sim_is_on(void)
{
    return false;
}

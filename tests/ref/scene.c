#include "ref/scene.h"

#include <stddef.h>

#include "os/sim.h"

int scene_play(int (*body)(void *arg))
{
    int status = -1;
    sim_open(1);
    enum sim_end end = sim_life(body, NULL, NULL, &status);
    sim_close();
    return end == SIM_RETURNED ? status : -1;
}

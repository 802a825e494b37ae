/* Who runs this line: the loop of the calling thread, and by it the role. */
#include "run/run_private.h"

struct role_token role_main, role_net, role_disk, role_work, role_block;

_Thread_local struct loop *loop_now;

enum role run_role(void)
{
    return loop_now ? loop_now->role : ROLE_NONE;
}

struct loop *loop_current(void)
{
    return loop_now;
}

enum role loop_role(const struct loop *loop)
{
    return loop->role;
}

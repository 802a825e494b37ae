#include "log/log_private.h"

void compact_work(struct store *store)
{
    (void)store;
}

bool compact_apply(struct log *log, const struct segment_state *state, bool deleted, struct err *err)
{
    (void)log;
    (void)state;
    (void)deleted;
    (void)err;
    return true;
}

bool segment_swap_in(struct segment *segment, struct err *err)
{
    (void)segment;
    (void)err;
    return true;
}

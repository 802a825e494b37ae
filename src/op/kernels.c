/* The table of kernels; see kernels.def. */
#include "op/kernels_private.h"

const struct kernel kernels[FN_COUNT] = {
#define RUN(id, fn, flags_) [FN_##id] = {.run = fn, .flags = (flags_)},
#define TRY_RUN(id, fn, flags_) [FN_##id] = {.run = fn, .flags = (flags_), .try_ = true},
#define CHEAP_RUN(id, fn, flags_) [FN_##id] = {.run = fn, .flags = (flags_), .cheap = true},
#define PICK(id, fn) [FN_##id] = {.pick = fn},
#define TRY_PICK(id, fn) [FN_##id] = {.pick = fn, .try_ = true},
#define CHEAP(id, fn) [FN_##id] = {.pick = fn, .cheap = true},
#include "op/kernels.def"
};

bool kernel_exists(enum function_id id)
{
    return kernels[id].run != NULL || kernels[id].pick != NULL;
}

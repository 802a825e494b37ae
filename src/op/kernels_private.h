/* The kernels, by family; kernels.def says which function has which. */
#ifndef OP_KERNELS_PRIVATE_H
#define OP_KERNELS_PRIVATE_H

#include "base/map.h"
#include "op/eval_private.h"

typedef bool kernel_pick_fn(struct kernel_pick *p, struct err *err);

#define RUN(id, fn, flags_) kernel_fn fn;
#define TRY_RUN(id, fn, flags_) kernel_fn fn;
#define CHEAP_RUN(id, fn, flags_) kernel_fn fn;
#define PICK(id, fn) kernel_pick_fn fn;
#define TRY_PICK(id, fn) kernel_pick_fn fn;
#define CHEAP(id, fn) kernel_pick_fn fn;
#include "op/kernels.def"

void out_overflow(struct call *c, uint32_t row);
/* Characters. */
size_t text_length(struct str s);

#endif

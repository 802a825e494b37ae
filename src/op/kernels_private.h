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
void out_datetime_overflow(struct call *c, uint32_t row);
/* Months onto a moment, by the wall clock of the zone (NULL: as it is); false: past the ends of time. */
bool timestamp_add_months(const struct timezone_data *zone, int64_t us, int64_t months, int64_t *out);
/* For the kernel tables of other files. */
kernel_fn kernel_array_sort_plain;
bool text_unhex(struct str s, char *out);
void out_hex(struct call *c, uint32_t row, struct str s);
void out_base64(struct call *c, uint32_t row, struct str s);
/* The next number of the call's random stream; its state is made by pick_random. */
uint64_t random_draw(struct call *c, uint64_t own_seed);
bool pick_random(struct kernel_pick *p, kernel_fn *run);
/* Characters. */
size_t text_length(struct str s);

#endif

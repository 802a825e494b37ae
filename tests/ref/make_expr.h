/* Bound expressions by hand, for tests: what the binder would make. Types are given or follow from the
 * arguments. */
#ifndef REF_MAKE_EXPR_H
#define REF_MAKE_EXPR_H

#include "sql/function.h"

/* The flags of a function, from function.def: works without the binder. */
const struct function *make_function(enum function_id id);
/* What function.def says that op/ must have a kernel for. */
bool make_needs_kernel(enum function_id id);

const struct expr *make_column(struct arena *arena, const struct type *schema, uint32_t index);
const struct expr *make_literal(struct arena *arena, struct value value);
const struct expr *make_i32(struct arena *arena, int32_t v);
const struct expr *make_i64(struct arena *arena, int64_t v);
const struct expr *make_f64(struct arena *arena, double v);
const struct expr *make_bool(struct arena *arena, bool v);
const struct expr *make_str(struct arena *arena, const char *s);
const struct expr *make_null(struct arena *arena, const struct type *type);
const struct expr *make_field(struct arena *arena, const struct expr *from, uint32_t index);
const struct expr *make_cast(struct arena *arena, const struct expr *from, const struct type *type,
                             bool try_);
/* AND, OR, CASE, CALL over args[count]. */
const struct expr *make_node(struct arena *arena, enum expr_kind kind, const struct type *type,
                             const struct expr *const *args, uint32_t count);
const struct expr *make_call(struct arena *arena, enum function_id id, const struct type *type,
                             const struct expr *const *args, uint32_t count);
const struct expr *make_call1(struct arena *arena, enum function_id id, const struct type *type,
                              const struct expr *a);
const struct expr *make_call2(struct arena *arena, enum function_id id, const struct type *type,
                              const struct expr *a, const struct expr *b);
const struct expr *make_call3(struct arena *arena, enum function_id id, const struct type *type,
                              const struct expr *a, const struct expr *b, const struct expr *c);
const struct expr *make_lambda(struct arena *arena, const struct expr *body, uint32_t first, uint32_t count);
const struct expr *make_param(struct arena *arena, const struct type *type, uint32_t slot);

#endif

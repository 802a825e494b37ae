/* Inside the evaluator: programs, steps, and what a kernel sees. For files of op/ only.
 *
 * A program is an array of steps in an order in which every step follows what it reads; the result of step i
 * is register i. A step with lazily evaluated parts (AND, OR, CASE) is followed by the steps of those parts,
 * its blocks, which only it runs; `end` is the step after them. Equal steps are shared: within a block, and
 * with the blocks around it, whose rows are a superset.
 *
 * What holds for every register: rows that its step was asked for are right; the others are arbitrary but
 * well-formed (views point to something, offsets ascend), so that a cheap kernel may run over all rows and
 * ignore the selection. */
#ifndef OP_EVAL_PRIVATE_H
#define OP_EVAL_PRIVATE_H

#include "op/eval.h"
#include "sql/function.h"

enum {
    EVAL_DEPTH_MAX = 2000,        /* nesting of one expression */
    EVAL_STEPS_MAX = 1 << 20,     /* steps of one program */
    EVAL_PARAMS_MAX = 10000,      /* lambda parameters of one expression */
    EVAL_NAME_MAX = 96,           /* bytes of an expression's text in an error */
    EVAL_RESULT_MAX = 256 << 20,  /* bytes that one kernel may put out for one batch; rows past it fail */
    EVAL_BLOWN_UP_MAX = 16 << 20, /* bytes of one row that a number asked for: repeat(), lpad(), space() … */
};

enum step_kind {
    STEP_CONST,  /* constant */
    STEP_COLUMN, /* column `index` of the input */
    STEP_PARAM,  /* lambda parameter `index` */
    STEP_FIELD,  /* field `index` of the struct args[0] */
    STEP_CALL,   /* `run` over args */
    STEP_AND,    /* args[0], then blocks; without blocks: all args, which are cheap */
    STEP_OR,
    STEP_CASE, /* args[0] = first condition; blocks: then, when, then, …, else */
};

struct call;
typedef void kernel_fn(struct call *c);

/* What the evaluator may do with a kernel. */
enum {
    KERNEL_TOTAL = 1 << 0,   /* cannot fail, never gives NULL by itself, defined on any well-formed value: run
                                over all rows */
    KERNEL_NULLS = 1 << 1,   /* sees NULLs, and says itself which results are NULL (out->validity, all valid
                                before); set for every function that is not FUNCTION_STRICT */
    KERNEL_CONTEXT = 1 << 2, /* reads the eval_context: not folded */
    KERNEL_VOLATILE =
        1 << 3,          /* differs for each row: never shared, folded, or run for each dictionary entry */
    KERNEL_OUT = 1 << 4, /* makes *out itself, in any encoding, validity included (the combined one of strict
                            arguments is in out->validity on entry) */
    KERNEL_DENSE = 1 << 5, /* fixed width: as TOTAL, but rows may fail: c->sel is all that were asked for,
                              NULL ones too, and the kernel fails only those of them for which call_live() */
};

struct lambda;

struct block {
    uint32_t from, to; /* its steps */
    uint32_t reg;      /* its result; may lie outside of it */
};

struct step {
    enum step_kind kind;
    uint32_t end;
    const struct type *type;
    uint32_t index;
    uint32_t arg_count, block_count;
    uint32_t *args; /* registers [arg_count]; EVAL_NO_REGISTER for a lambda */
    struct block *blocks;
    kernel_fn *run;
    void *state;
    struct lambda **lambdas; /* [arg_count] or NULL */
    uint32_t flags;
    bool try_;     /* errors are NULLs */
    bool hidden;   /* in a block that is left: not to be shared any more */
    uint64_t hash; /* of all that makes it equal to another */
    uint32_t same; /* while compiling: the step before it in its bucket, from 1; 0 = none */
    const struct expr *expr;
    const char *text;       /* of the expression, for errors */
    struct column constant; /* CONST: one row */
};

#define EVAL_NO_REGISTER UINT32_MAX

struct program {
    struct step *steps;
    uint32_t step_count;
    size_t step_capacity;
};

/* A lambda's body: a program of its own over the rows of the elements. */
struct lambda {
    struct program program;
    uint32_t reg;
    uint32_t param_first, param_count;
    uint32_t slot_count; /* parameters that its steps name, and its own */
};

/* One run of a program over `rows` rows. */
struct run {
    const struct program *program;
    const struct eval_context *context;
    const struct column *columns; /* of the input */
    uint32_t column_count;
    uint32_t rows;
    const struct column *params; /* by slot, or NULL outside of lambdas */
    struct arena *arena;
    struct column *regs;        /* [step_count] */
    const struct column **flat; /* the registers flattened, where somebody needed that [step_count] */
    struct row_errors *errors;  /* in any order, several for a row, until the run is over */
};

/* What a kernel sees: arguments that are flat or constant (then their arrays hold one row), and the rows to
 * compute. */
struct call {
    struct run *run;
    const struct eval_context *context;
    const struct step *step;
    struct arena *arena;
    uint32_t rows;        /* of each flat column here */
    struct selection sel; /* rows to compute; strict kernels: none with a NULL argument */
    struct column *args;
    uint32_t arg_count;
    struct column *out; /* flat, laid out, unless KERNEL_OUT */
    struct row_errors *errors;
    bool validity_shared; /* out->validity belongs to somebody else: copied before the first change */
    size_t bytes_left;    /* of EVAL_RESULT_MAX */
};

/* for (EACH_ROW(c, row)) { … } */
#define EACH_ROW(c, row)                                                                                     \
    uint32_t k_##row = 0, row = 0;                                                                           \
    k_##row < (c)->sel.count && ((row = (c)->sel.rows ? (c)->sel.rows[k_##row] : k_##row), true);            \
    k_##row++

/* Index of `row` into the arrays of argument i. */
static inline uint32_t arg_at(const struct call *c, uint32_t i, uint32_t row)
{
    return c->args[i].encoding == COLUMN_CONSTANT ? 0 : row;
}
#define ARG(c, type, i, row) (((const type *)(c)->args[i].data)[arg_at(c, i, row)])
static inline struct str arg_str(const struct call *c, uint32_t i, uint32_t row)
{
    return view_str((const struct view *)c->args[i].data + arg_at(c, i, row));
}
static inline bool arg_null(const struct call *c, uint32_t i, uint32_t row)
{
    const struct column *a = &c->args[i];
    return a->type->kind == TYPE_NULL || (a->validity && !bit_get(a->validity, arg_at(c, i, row)));
}
static inline enum type_kind arg_kind(const struct call *c, uint32_t i)
{
    return c->args[i].type->kind;
}
/* The row is asked for and has no NULL argument (KERNEL_DENSE; row is from c->sel). */
static inline bool call_live(const struct call *c, uint32_t row)
{
    return c->out->validity == NULL || bit_get(c->out->validity, row);
}
/* All rows 0 … rows − 1, which is what loops without an index list want. */
static inline bool call_whole(const struct call *c)
{
    return c->sel.rows == NULL && c->sel.count == c->rows;
}
/* An integer argument of any width; also DATE, TIMESTAMP, intervals. */
int64_t arg_i64(const struct call *c, uint32_t i, uint32_t row);
/* FLOAT, DOUBLE or an integer. */
double arg_f64(const struct call *c, uint32_t i, uint32_t row);

#define OUT(c, type) ((type *)(c)->out->data)
/* Results of a row. Text longer than an inline view must stay where it is: in the inputs, the arena, or be
 * static. */
static inline void out_str(struct call *c, uint32_t row, struct str s)
{
    OUT(c, struct view)[row] = view_of(s.p, s.n);
}
/* The same, copied into the arena; fails the row when the kernel's result gets too large. */
void out_copy(struct call *c, uint32_t row, struct str s);
/* n bytes for a row's text, or NULL (the row has failed) past EVAL_RESULT_MAX. */
char *out_room(struct call *c, uint32_t row, size_t n);
/* The same where n is no matter of the input's size: past EVAL_BLOWN_UP_MAX + `input` bytes the row fails. */
char *out_blown_up(struct call *c, uint32_t row, size_t n, size_t input);
void out_null(struct call *c, uint32_t row);
/* The row fails: `format` begins with Spark's error class, as "DIVIDE_BY_ZERO: …". NULL instead for try_
 * functions. */
void out_error(struct call *c, uint32_t row, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Integer of any width. */
void out_i64(struct call *c, uint32_t row, int64_t v);

void row_errors_add(struct row_errors *errors, struct arena *arena, uint32_t row, const char *text);
/* In row order, the first of each row. */
void row_errors_finish(struct row_errors *errors, struct arena *arena);

/* Runs lambda i of the call's step over `rows` elements: params[param_count] are their columns, owner[k] is
 * the row of the call that element k belongs to. */
struct column call_lambda(struct call *c, uint32_t i, const struct column *params, uint32_t rows,
                          const uint32_t *owner);

/* ---- kernels ------------------------------------------------------------------------------------------- */

/* What picks the kernel for a call when the program is compiled. */
struct kernel_pick {
    struct pool *pool;
    const struct expr *expr; /* CALL or CAST: argument types, result type */
    const struct column *const
        *constants; /* [arg_count] arguments that are constant now (one row), or NULL */
    kernel_fn *run;
    uint32_t flags;
    void *state;
};

/* An entry of the table: either `run`, or `pick` chooses by types and prepares state. `same` = as another
 * function, `try_` = errors are NULLs. */
struct kernel {
    kernel_fn *run;
    bool (*pick)(struct kernel_pick *pick, struct err *err);
    uint32_t flags;
    bool try_;
    bool cheap; /* over columns and literals: a loop without branches that cannot fail (KERNEL_TOTAL) */
};
extern const struct kernel kernels[FN_COUNT];
bool kernel_exists(enum function_id id);

/* Text argument i of a pick when it is a constant that is not NULL. */
bool pick_str(const struct kernel_pick *p, uint32_t i, struct str *text);

bool program_run_step(struct run *r, const struct step *s, struct selection sel);
void program_run_block(struct run *r, uint32_t from, uint32_t to, struct selection sel);

/* The text of an expression in an error, cut to EVAL_NAME_MAX; columns by name. */
const char *expr_text(const struct expr *e, const struct type *schema, struct arena *arena);
/* The kernel of a CAST. */
bool cast_pick(struct kernel_pick *pick, struct err *err);

/* The step's arguments, rows and result for a constant fold: see eval_compile.c. */
struct column step_fold(const struct step *s, struct column *args, struct arena *arena,
                        struct row_errors *errors);

#endif

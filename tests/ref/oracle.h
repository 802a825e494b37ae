/* The oracle: bound expressions and plans, evaluated slowly, one row at a time, over struct value; written
 * independently of op/ (which it is there to check), with plain recursion. It shares the scalar conversions
 * of type/ and nothing else. */
#ifndef REF_ORACLE_H
#define REF_ORACLE_H

#include "op/eval.h"
#include "sql/plan.h"

enum { ORACLE_DEPTH_MAX = 500, ORACLE_PARAMS_MAX = 64 };

/* Rows of one column count: values[row × columns + column]. */
struct oracle_rows {
    struct value *values;
    uint32_t rows, columns;
};

struct oracle {
    struct arena *arena; /* of all results */
    const struct eval_context *context;
    const struct value *params; /* of the lambdas around, or NULL */
    uint32_t depth;
    struct err err; /* why the last row failed */
    bool unknown;   /* it failed because the oracle does not know a function */
};

/* e over row[columns]; false: the row fails (or `unknown`). */
bool oracle_eval(struct oracle *o, const struct expr *e, const struct value *row, struct value *out);

/* A batch plan over inputs[scans] (in the order of the plan's leaves). Rows that fail are left out, and
 * counted in *bad. Groups come in order of their first row. false: the oracle does not know a part of it. */
bool oracle_run(struct oracle *o, const struct plan *plan, const struct oracle_rows *inputs,
                struct oracle_rows *out, uint32_t *bad);

#endif

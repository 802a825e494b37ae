/* A query in SQL text, run by the engine over batches in memory: for tests of operators. */
#ifndef REF_RUN_QUERY_H
#define REF_RUN_QUERY_H

#include "op/op.h"

/* A relation of the tests' catalogue: name, and its schema as DDL. */
struct query_table {
    const char *name;
    const struct type *schema;
};

/* Plans text over tables[count]. stream: every scan is one (FROM STREAM is not needed). */
bool query_plan(struct arena *arena, const char *text, const struct query_table *tables, uint32_t count,
                const struct plan **plan, struct err *err);

/* What a pipeline puts out: rows as struct values, copied into arena, with their change kinds; and how many
 * rows were bad. */
struct query_result {
    struct arena *arena;
    struct value *rows; /* [count], each a struct */
    uint8_t *change;    /* [count] */
    uint32_t count, bad;
    size_t capacity;
    const char *last_reason;
};
void query_result_init(struct query_result *r, struct arena *arena);
void query_result_fini(struct query_result *r);
/* Pushes a message into a scan. */
void query_push(struct pipeline *p, const struct eval_context *context, uint32_t scan,
                const struct op_msg *msg, struct query_result *r);
/* The columns of `in` that a scan's plan asks for, sharing memory. */
struct batch query_scan_batch(struct arena *arena, const struct plan *scan, const struct batch *in);
/* Rows as text, "a,b | c,d"; with_change: "+I a,b | -U c,d". */
void query_text(const struct query_result *r, bool with_change, struct sbuf *out);

#endif

/* Any expression in SQL that the binder takes, evaluated over a batch with NULLs, edges and every encoding:
 * nothing but values and errors may come out, and the columns must be well-formed. */
#include <ref/random_batch.h>

#include "op/eval.h"
#include "sql/plan.h"

enum { ROWS = 33, TEXT_MAX = 2000 };

static const char ddl[] =
    "b BOOLEAN, y TINYINT, i INT, l BIGINT, f FLOAT, d DOUBLE, m DECIMAL(12,3), s STRING, t STRING, "
    "x BINARY, dt DATE, ts TIMESTAMP, n TIMESTAMP_NTZ, a ARRAY<INT>, w ARRAY<STRING>, "
    "st STRUCT<p: INT, q: STRING>, mp MAP<STRING, INT>, ym INTERVAL YEAR TO MONTH, "
    "ds INTERVAL DAY TO SECOND";

static void evaluate(struct pool *pool, const struct expr *e, const struct batch *in)
{
    struct evaluator *evaluator;
    struct err err = {0};
    struct arena arena = {0};
    struct row_errors errors = {0};
    struct eval_context context = {.now = {1700000000000000}, .seed = 1};
    struct column out;
    if (!evaluator_new(pool, &e, 1, in->schema, &evaluator, &err)) {
        CHECK(err.class == ERR_CONFIG);
        return;
    }
    evaluator_run(evaluator, &context, in, (struct selection){NULL, in->rows}, &arena, &out, &errors);
    struct field field = {"r", e->type, true, NULL};
    struct batch result = {.schema = type_struct(&arena, &field, 1), .rows = in->rows, .columns = &out};
    if (!batch_check(&result, &err))
        check_failed(__FILE__, __LINE__, err.text);
    for (uint32_t i = 1; i < errors.count; i++)
        CHECK(errors.items[i - 1].row < errors.items[i].row);
    CHECK(errors.count == 0 || errors.items[errors.count - 1].row < in->rows);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pool *pool = pool_new(NULL, "fuzz");
    struct arena *arena = pool_arena(pool);
    struct catalogue options = {.ansi = true};
    const struct type *schema;
    const struct expr *e;
    struct err err = {0};
    if (size > 0 && size < TEXT_MAX && type_parse_ddl(arena, str_of(ddl), &schema, &err) &&
        sql_plan_expr(arena, str_n(data, size), schema, &options, &e, &err) &&
        !(e->kind == EXPR_CALL && e->type == NULL)) {
        struct rng rng = {size};
        struct batch *in = batch_new();
        random_batch(&rng, in, schema, ROWS, RANDOM_ANY);
        evaluate(pool, e, in);
        batch_free(in);
    }
    pool_free(pool);
    return 0;
}

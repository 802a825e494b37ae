/* Every function, with arguments of any types that it takes, over random columns: what comes out is well-formed,
 * and the same row by row as for all rows at once, whatever the encodings. Random, clocks and counters apart. */
#include <ref/make_expr.h>
#include <ref/random_batch.h>
#include <stdio.h>

#include "base/test.h"
#include "op/eval.h"
#include "sql/plan.h"

enum { SEEDS = 2, TRIES = 60, CALLS = 12, ROWS = 40, ARGS_MAX = 7 };

static const char ddl[] =
    "b BOOLEAN, y TINYINT, i INT, l BIGINT, f FLOAT, d DOUBLE, m DECIMAL(12,3), s STRING, t STRING, x BINARY, dt DATE, "
    "ts TIMESTAMP, n TIMESTAMP_NTZ, a ARRAY<INT>, w ARRAY<STRING>, st STRUCT<p: INT, q: STRING>, mp MAP<STRING, INT>, "
    "ym INTERVAL YEAR TO MONTH, ds INTERVAL DAY TO SECOND, aa ARRAY<ARRAY<INT>>, ar ARRAY<STRUCT<k: STRING, v: INT>>";

static struct pool *pool;
static struct arena *arena;
static struct arena call_arena, run_arena; /* reset for each call, each run */
static struct rng rng;
static const struct type *schema;
static uint64_t calls, refused;

static unsigned below(unsigned n)
{
    return (unsigned)rng_below(&rng, n);
}

static const char *argument(bool lambda)
{
    static const char *const literals[] = {
        "1",     "2",       "0",          "-3",      "'a'",      "','",      "'yyyy-MM-dd'",
        "'UTC'", "'month'", "'%a_'",      "1.5",     "2.5D",     "true",     "NULL",
        "'hex'", "'utf-8'", "'QUERY'",    "'[a-z]'", "'$.a'",    "'+02:00'", "'a INT'",
        "16",    "5L",      "'99,999.9'", "'Mon'",   "'1 hour'", "'second'", "4"};
    static const char *const lambdas[] = {"x -> x",          "x -> x IS NULL",   "(x, y) -> x",
                                          "(x, y) -> y > 1", "(x, y) -> x = y",  "(k, x, y) -> k",
                                          "(x, y) -> y",     "x -> x = x",       "(p, q) -> 1",
                                          "x -> [x]",        "(x, y) -> x || y", "(x, k) -> k"};
    if (lambda)
        return lambdas[below(sizeof(lambdas) / sizeof(*lambdas))];
    if (below(3) == 0)
        return literals[below(sizeof(literals) / sizeof(*literals))];
    return schema->fields[below(schema->field_count)].name;
}

/* A call that the binder takes, or NULL. */
static const struct expr *random_call(const struct function *f, struct sbuf *text)
{
    struct catalogue options = {.ansi = true};
    const struct expr *e;
    struct err err = {0};
    uint32_t most = f->args_max < ARGS_MAX ? f->args_max : ARGS_MAX;
    uint32_t count = f->args_min + below(most - f->args_min + 1);
    sbuf_clear(text);
    sbuf_printf(text, "`%s`(", f->name);
    for (uint32_t i = 0; i < count; i++)
        sbuf_printf(text, "%s%s", i ? ", " : "",
                    argument((f->flags & FUNCTION_LAMBDA) && i > 0 && i + 1 == count));
    sbuf_char(text, ')');
    char *copy = str_dup(arena, sbuf_view(text));
    return sql_plan_expr(arena, str_of(copy), schema, &options, &e, &err) ? e : NULL;
}

struct results {
    struct value *values; /* [rows] */
    bool *failed;
};

static bool run(struct evaluator *e, const struct expr *expr, const struct batch *in, struct results *out,
                uint32_t at)
{
    static const struct eval_context context = {.now = {1700000000123456}, .seed = 5};
    struct row_errors errors = {0};
    struct err err = {0};
    struct column column;
    arena_reset(&run_arena);
    evaluator_run(e, &context, in, (struct selection){NULL, in->rows}, &run_arena, &column, &errors);
    struct field field = {"r", expr->type, true, NULL};
    struct batch result = {
        .schema = type_struct(&run_arena, &field, 1), .rows = in->rows, .columns = &column};
    if (!EXPECT(batch_check(&result, &err))) {
        fprintf(stderr, "    %s\n", err.text);
        return false;
    }
    struct column_builder kept; /* the values outlive the run */
    column_builder_init(&kept, expr->type, &call_arena);
    column_builder_append(&kept, &column, NULL, in->rows, true);
    struct column values = column_builder_finish(&kept);
    for (uint32_t row = 0; row < in->rows; row++) {
        out->values[at + row] = column_value(&values, row, &call_arena);
        out->failed[at + row] = false;
    }
    for (uint32_t i = 0; i < errors.count; i++)
        out->failed[at + errors.items[i].row] = true;
    return true;
}

static struct results results_new(uint32_t rows)
{
    return (struct results){arena_zarray(&call_arena, struct value, rows + 1),
                            arena_zalloc(&call_arena, rows + 1)};
}

static bool same(const struct results *a, const struct results *b, uint32_t rows, const struct type *type)
{
    for (uint32_t row = 0; row < rows; row++) {
        struct field f = {"v", type, true, NULL};
        struct value x = {.type = type_struct(&call_arena, &f, 1)}, y = x;
        x.nested.count = y.nested.count = 1;
        x.nested.items = &a->values[row];
        y.nested.items = &b->values[row];
        if (!EXPECT(a->failed[row] == b->failed[row]) ||
            (!a->failed[row] && !EXPECT(rows_equal(&x, &y, 1)))) {
            fprintf(stderr, "    row %u\n", row);
            return false;
        }
    }
    return true;
}

/* All rows at once; one by one, flat; in threes, flat. */
static bool one_call(const struct expr *e, const struct batch *in)
{
    static const uint32_t sizes[] = {1, 3};
    struct evaluator *evaluator;
    struct err err = {0};
    arena_reset(&call_arena);
    struct results all = results_new(in->rows);
    if (!evaluator_new(pool, &e, 1, schema, &evaluator, &err)) /* a constant that fails */
        return EXPECT(err.class == ERR_CONFIG);
    if (!run(evaluator, e, in, &all, 0))
        return false;
    if (!e->deterministic)
        return true;
    struct batch *part = batch_new();
    bool ok = true;
    for (uint32_t s = 0; ok && s < 2; s++) {
        struct results parts = results_new(in->rows);
        for (uint32_t from = 0; ok && from < in->rows; from += sizes[s]) {
            uint32_t rows[3], n = in->rows - from < sizes[s] ? in->rows - from : sizes[s];
            for (uint32_t i = 0; i < n; i++)
                rows[i] = from + i;
            batch_reset(part);
            batch_take(part, in, rows, n, false);
            ok = run(evaluator, e, part, &parts, from);
        }
        ok = ok && same(&all, &parts, in->rows, e->type);
    }
    batch_free(part);
    return ok;
}

static void one_function(const struct function *f, uint64_t seed)
{
    struct sbuf text = {0};
    rng = (struct rng){seed * 1000003 + f->id};
    pool = pool_new(NULL, "functions");
    arena = pool_arena(pool);
    struct err err = {0};
    bool ok = type_parse_ddl(arena, str_of(ddl), &schema, &err);
    CHECK(ok);
    struct batch *in = batch_new();
    random_batch(&rng, in, schema, ROWS, RANDOM_ANY);
    uint32_t taken = 0;
    for (uint32_t i = 0; i < TRIES * 20 && taken < CALLS; i++) {
        const struct expr *e = random_call(f, &text);
        if (e == NULL)
            continue;
        taken++;
        calls++;
        if (!one_call(e, in)) {
            fprintf(stderr, "    %s, seed %llu\n", text.p, (unsigned long long)seed);
            break;
        }
    }
    if (taken == 0) {
        refused++;
        if (getenv("SLUICE_SHOW"))
            fprintf(stderr, "no arguments found for %s %s\n", f->name, f->signature);
    }
    sbuf_fini(&text);
    batch_free(in);
    pool_free(pool);
}

TEST(functions_do_not_depend_on_batches)
{
    const char *text = getenv("SLUICE_SEEDS"), *only = getenv("SLUICE_FUNCTION");
    uint64_t seeds = text ? strtoull(text, NULL, 10) : SEEDS;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        for (int id = 0; id < FN_COUNT; id++) {
            const struct function *f = &functions[id];
            bool skip = (f->flags &
                         (FUNCTION_AGGREGATE | FUNCTION_GENERATOR | FUNCTION_WINDOW | FUNCTION_OPERATOR)) ||
                        (only && strcmp(only, f->name) != 0);
            if (!skip)
                one_function(f, seed);
        }
    printf("%llu calls; no arguments were found for %llu functions\n", (unsigned long long)calls,
           (unsigned long long)(refused / seeds));
    EXPECT(calls > 1000 || only);
    arena_fini(&call_arena);
    arena_fini(&run_arena);
}

int main(void)
{
    RUN(functions_do_not_depend_on_batches);
    return test_end();
}

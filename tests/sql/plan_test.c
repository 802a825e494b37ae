/* Whole queries, in SQL text, against the oracle: the same rows and as many bad ones, whatever the sizes of
 * batches, and however little memory a sort may hold. */
#include <errno.h>
#include <ref/memory_spill.h>
#include <ref/oracle.h>
#include <ref/random_batch.h>
#include <ref/run_query.h>

#include "base/test.h"

enum { SEEDS = 60 };

static struct pool *pool;
static struct arena *arena;
static struct rng rng;
static uint64_t spilled; /* queries that did */

static unsigned below(unsigned n)
{
    return (unsigned)rng_below(&rng, n);
}

static const char *const queries[] = {
    "SELECT a, b, s, d FROM t WHERE a > b",
    "SELECT a + b AS c, concat(s, '-', CAST(a AS STRING)) AS k FROM t WHERE s IS NOT NULL AND a % 3 <> 1",
    "SELECT CASE WHEN b = 0 THEN -1 ELSE a DIV b END AS q, a / b AS r FROM t",
    "SELECT a DIV b FROM t",
    "SELECT CAST(s AS INT) AS n, d FROM t",
    "SELECT TRY_CAST(s AS INT) AS n, coalesce(d, 0) FROM t WHERE s LIKE '%1%' OR d < 2",
    "SELECT s, count(*), sum(a), min(b), max(d), avg(a) FROM t GROUP BY s",
    "SELECT a % 5 AS g, count(DISTINCT s), sum(m), avg(m), count(b) FILTER (WHERE a > 0) FROM t GROUP BY a % 5 HAVING count(*) > 1",
    "SELECT sum(a), count(*), max(s), min(s), first(a), last(b) FROM t",
    "SELECT d, count(*) FROM t GROUP BY d ORDER BY d",
    "SELECT a, s FROM t ORDER BY s DESC, a NULLS LAST, d LIMIT 20",
    "SELECT s, a FROM t ORDER BY d, a, s LIMIT 7 OFFSET 3",
    "SELECT * FROM t ORDER BY s, a % 3",
    "SELECT n, l, m, dt FROM t ORDER BY m DESC NULLS FIRST, length(s), dt",
    "SELECT a, s FROM t ORDER BY d, s LIMIT 50",
    "SELECT DISTINCT s, a % 3 FROM t",
    "SELECT a FROM t WHERE a < 0 UNION ALL SELECT b FROM t WHERE b > 3",
    "SELECT s FROM t WHERE a > 2 UNION SELECT s FROM t WHERE b > 2",
    "SELECT x.n, count(*) FROM (SELECT length(s) AS n, a FROM t) x WHERE x.a > 0 GROUP BY x.n",
    "SELECT n.x, n.y FROM t WHERE n.x > 0",
    "SELECT m * 2 AS m2, m / 3 AS m3, m + a FROM t WHERE m IN (1.50, 2.25, -0.75)",
    "SELECT element_at(l, 1) AS first, size(l) AS n FROM t WHERE size(l) > 0",
    "SELECT transform(l, x -> x + a) AS l2, filter(l, x -> x > b) AS l3 FROM t",
    "SELECT year(dt), month(dt), count(*) FROM t GROUP BY year(dt), month(dt)",
    "SELECT a, a BETWEEN 1 AND 5 AS yes, NOT (b > 2) AS no, d <=> 1.0 AS eq FROM t",
    "SELECT bool_and(a > 0), bool_or(a > 5) FROM t GROUP BY s",
    "SELECT upper(trim(s)), substring(s, 2, 3), s || NULL FROM t WHERE s RLIKE '[a-z]'",
};

static void make_table(struct query_table *t)
{
    struct err err = {0};
    t->name = "t";
    bool ok = type_parse_ddl(
        arena,
        STR("a INT, b INT, s STRING, d DOUBLE, m DECIMAL(8,2), n STRUCT<x: INT, y: STRING>, l ARRAY<INT>, dt DATE"),
        &t->schema, &err);
    CHECK(ok);
}

static struct value some(const struct type *type)
{
    static const char *const texts[] = {"", "1", "12", "abc", "xyz", "1x", "a longer text, past twelve", "ß"};
    struct value v = random_value(&rng, type, true, arena);
    if (v.is_null)
        return v;
    switch (type->kind) {
    case TYPE_INT: v.i64 = (int64_t)below(12) - 3; break;
    case TYPE_DOUBLE: v.f64 = below(10) == 0 ? 0.0 / 0.0 : ((double)below(20) - 8) / 4; break;
    case TYPE_DECIMAL: v.decimal = (i128)below(500) - 200; break;
    case TYPE_DATE: v.i64 = (int64_t)below(400); break;
    case TYPE_STRING: v.str = str_of(texts[below(8)]); break;
    default: break;
    }
    return v;
}

static void make_batch(struct batch *batch, const struct type *schema, uint32_t rows)
{
    struct batch_builder b;
    batch_builder_init(&b, batch, schema);
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t i = 0; i < schema->field_count; i++) {
            struct value v = some(schema->fields[i].type);
            if (v.is_null)
                column_builder_null(&b.columns[i]);
            else
                column_builder_value(&b.columns[i], &v);
        }
    batch_builder_finish(&b);
    batch->rows = rows;
}

static struct oracle_rows rows_of(const struct batch *batch)
{
    struct value *rows = batch_to_rows(batch, arena);
    struct oracle_rows out = {
        arena_array(arena, struct value, (size_t)batch->rows * batch->schema->field_count + 1), batch->rows,
        batch->schema->field_count};
    for (uint32_t row = 0; row < batch->rows; row++)
        memcpy(out.values + (size_t)row * out.columns, rows[row].nested.items,
               out.columns * sizeof(struct value));
    return out;
}

/* spills: or NULL. Says why where it fails. */
static bool run_engine(const struct plan *plan, const struct batch *all, uint32_t size, struct spills *spills,
                       struct query_result *r, struct err *failure)
{
    static const struct eval_context context = {.now = {1700000000000000}};
    struct pool *mine = pool_new(pool, "run");
    struct pipeline *p;
    struct err err = {0};
    const struct plan *const *scans;
    if (!EXPECT(pipeline_new(mine, plan, &p, &err))) {
        fprintf(stderr, "    %s\n", err.text);
        pool_free(mine);
        return false;
    }
    if (spills)
        pipeline_spill_to(p, spills);
    uint32_t scan_count = pipeline_scans(p, &scans);
    struct batch *part = batch_new();
    for (uint32_t i = 0; i < scan_count; i++) { /* one input after the other, as the oracle has a union */
        for (uint32_t from = 0; from < all->rows; from += size) {
            uint32_t n = all->rows - from < size ? all->rows - from : size,
                     *rows = arena_array(arena, uint32_t, n);
            for (uint32_t k = 0; k < n; k++)
                rows[k] = from + k;
            batch_reset(part);
            batch_take(part, all, rows, n, false);
            struct batch in = query_scan_batch(arena, scans[i], part);
            query_push(p, &context, i, &(struct op_msg){.kind = OP_BATCH, .batch = &in}, r);
        }
        query_push(p, &context, i, &(struct op_msg){.kind = OP_END}, r);
    }
    batch_free(part);
    if (pipeline_failure(p))
        *failure = *pipeline_failure(p);
    bool ok = pipeline_failure(p) == NULL;
    pool_free(mine);
    return ok;
}

static bool same(const struct query_result *r, const struct oracle_rows *wanted, uint32_t bad,
                 const struct type *schema)
{
    if (!EXPECT_EQ_INT(r->count, wanted->rows) || !EXPECT_EQ_INT(r->bad, bad))
        return false;
    for (uint32_t row = 0; row < r->count; row++) {
        struct value v = {.type = schema}, got = r->rows[row];
        v.nested.count = wanted->columns;
        v.nested.items = wanted->values + (size_t)row * wanted->columns;
        got.type = schema;
        if (!EXPECT(rows_equal(&got, &v, 1)))
            return false;
    }
    return true;
}

static bool one_query(const char *text, const struct query_table *table, const struct batch *all)
{
    static const uint32_t sizes[] = {1, 7, 64, 4096};
    static const size_t budgets[] = {2000, 1, 30000, 1}; /* bytes */
    static const struct eval_context context = {.now = {1700000000000000}};
    const struct plan *plan;
    struct err err = {0};
    if (!EXPECT(query_plan(arena, text, table, 1, &plan, &err))) {
        fprintf(stderr, "    %s: %s\n", text, err.text);
        return false;
    }
    struct oracle o = {.arena = arena, .context = &context};
    struct oracle_rows inputs[8], wanted;
    uint32_t bad;
    struct pipeline *probe;
    const struct plan *const *scans;
    if (!EXPECT(pipeline_new(pool, plan, &probe, &err))) {
        fprintf(stderr, "    %s: %s\n", text, err.text);
        return false;
    }
    uint32_t count = pipeline_scans(probe, &scans);
    for (uint32_t i = 0; i < count && i < 8; i++) {
        struct batch in = query_scan_batch(arena, scans[i], all);
        inputs[i] = rows_of(&in);
    }
    if (!oracle_run(&o, plan, inputs, &wanted, &bad)) {
        if (!EXPECT(strstr(text, "RLIKE") || strstr(text, "upper")))
            fprintf(stderr, "    %s: %s\n", text, o.err.text);
        return true;
    }
    for (uint32_t i = 0; i < 8; i++) {
        struct query_result r;
        struct memory_spills spills;
        memory_spills_init(&spills, budgets[i / 2]);
        query_result_init(&r, arena);
        bool ok = run_engine(plan, all, sizes[i / 2], i % 2 ? &spills.spills : NULL, &r, &err) &&
                  same(&r, &wanted, bad, plan->schema);
        query_result_fini(&r);
        if (!EXPECT(ok && spills.open == 0)) {
            fprintf(stderr, "    %s, batches of %u%s\n", text, sizes[i / 2], i % 2 ? ", spilled" : "");
            return false;
        }
        spilled += spills.opened > 1;
    }
    return true;
}

/* Hundreds of runs, merged in several levels. */
TEST(any_budget_gives_the_same_rows)
{
    static const char text[] = "SELECT * FROM t ORDER BY s DESC, a % 7, d";
    const struct plan *plan;
    struct query_table table;
    struct err err = {0};
    struct batch *all = batch_new();
    struct query_result wanted, r;
    rng = (struct rng){11};
    make_table(&table);
    make_batch(all, table.schema, 3000);
    EXPECT(query_plan(arena, text, &table, 1, &plan, &err));
    query_result_init(&wanted, arena);
    EXPECT(run_engine(plan, all, 4096, NULL, &wanted, &err) && wanted.count == 3000);
    for (size_t budget = 1; budget < 10000000; budget *= 30) {
        struct memory_spills spills;
        memory_spills_init(&spills, budget);
        query_result_init(&r, arena);
        EXPECT(run_engine(plan, all, 9, &spills.spills, &r, &err) && r.count == wanted.count &&
               rows_equal(wanted.rows, r.rows, r.count));
        EXPECT(spills.open == 0 && (budget > 1 || spills.opened > 340) &&
               (budget < 1000000 || spills.opened == 0));
        query_result_fini(&r);
    }
    query_result_fini(&wanted);
    batch_free(all);
}

/* Each call to a temporary file fails in turn: it is said, and nothing stays open. */
TEST(spilling_may_fail)
{
    const struct plan *plan;
    struct query_table table = {"t", NULL};
    struct err err = {0};
    struct batch *all = batch_new();
    rng = (struct rng){7};
    EXPECT(type_parse_ddl(arena, STR("a INT, b STRING"), &table.schema, &err));
    random_batch(&rng, all, table.schema, 120, RANDOM_FLAT);
    EXPECT(query_plan(arena, "SELECT * FROM t ORDER BY b, a", &table, 1, &plan, &err));
    bool ok = false;
    uint64_t n = 1;
    for (; !ok && n < 2000; n++) {
        struct query_result r;
        struct memory_spills spills;
        memory_spills_init(&spills, 1);
        spills.fail_after = n;
        query_result_init(&r, arena);
        ok = run_engine(plan, all, 5, &spills.spills, &r, &err);
        EXPECT(spills.open == 0 && (ok ? r.count == 120 : err.code == ENOSPC));
        query_result_fini(&r);
    }
    EXPECT(ok && n > 50);
    batch_free(all);
}

TEST(queries_are_as_the_oracle_has_them)
{
    const char *text = getenv("SLUICE_SEEDS");
    uint64_t seeds = text ? strtoull(text, NULL, 10) : SEEDS, failed = 0;
    for (uint64_t seed = 1; seed <= seeds && failed < 5; seed++) {
        struct query_table table;
        rng = (struct rng){seed};
        pool = pool_new(NULL, "plan");
        arena = pool_arena(pool);
        make_table(&table);
        struct batch *all = batch_new();
        make_batch(all, table.schema, below(120));
        for (size_t q = 0; q < sizeof(queries) / sizeof(*queries); q++)
            if (!one_query(queries[q], &table, all)) {
                fprintf(stderr, "    seed %llu\n", (unsigned long long)seed);
                failed++;
            }
        batch_free(all);
        pool_free(pool);
    }
}

int main(void)
{
    RUN(queries_are_as_the_oracle_has_them);
    EXPECT(spilled > 100);
    pool = pool_new(NULL, "plan");
    arena = pool_arena(pool);
    RUN(any_budget_gives_the_same_rows);
    RUN(spilling_may_fail);
    pool_free(pool);
    return test_end();
}

/* How fast the engine is, as a ratio to copying the bytes that it touches: a typical stateless stream (concat
 * of five columns, two casts, a filter), cheap expressions on flat columns, and aggregation. Rows in batches
 * of 4,096, all in the cache as they are behind a decoder. */
#include <ref/run_query.h>
#include <stdio.h>

#include "bench.h"

enum { ROUNDS = 301 };

static struct pool *pool;
static struct arena *arena;
static struct query_table table;
static struct batch *in;
static uint64_t rows_out;

static void fill(void)
{
    static const char *const cities[] = {"Amsterdam", "Rio de Janeiro", "Oslo", "San Francisco", "Ulm"};
    static const char *const countries[] = {"Netherlands", "Brazil", "Norway", "United States", "Germany"};
    struct err err = {0};
    struct batch_builder b;
    char text[64];
    table.name = "t";
    bool ok = type_parse_ddl(
        arena,
        STR("number INT, street STRING, city STRING, state STRING, country STRING, post STRING, age STRING, "
            "a INT, b INT, x DOUBLE, y DOUBLE"),
        &table.schema, &err);
    CHECK(ok);
    in = batch_new();
    batch_builder_init(&b, in, table.schema);
    for (uint32_t i = 0; i < BATCH_ROWS; i++) {
        column_builder_i64(&b.columns[0], i % 9000);
        snprintf(text, sizeof(text), "%s street", i % 3 ? "Long and winding" : "Short");
        column_builder_str(&b.columns[1], str_of(text), true);
        column_builder_str(&b.columns[2], str_of(cities[i % 5]), true);
        column_builder_str(&b.columns[3], STR("Some State"), true);
        column_builder_str(&b.columns[4], str_of(countries[i % 5]), true);
        snprintf(text, sizeof(text), "%05u", i * 7 % 99999);
        column_builder_str(&b.columns[5], str_of(text), true);
        snprintf(text, sizeof(text), "%u", i % 90);
        column_builder_str(&b.columns[6], str_of(text), true);
        column_builder_i64(&b.columns[7], (int64_t)(i * 31 % 1000));
        column_builder_i64(&b.columns[8], (int64_t)(i * 17 % 1000));
        column_builder_f64(&b.columns[9], i * 0.25);
        column_builder_f64(&b.columns[10], i * 0.5 + 1);
    }
    batch_builder_finish(&b);
    in->rows = BATCH_ROWS;
    for (uint32_t c = 0; c < table.schema->field_count; c++) /* as decoders do it: no NULL, no bits */
        in->columns[c].validity = NULL;
}

static size_t bytes_of(const struct batch *batch)
{
    size_t n = 0;
    for (uint32_t c = 0; c < batch->schema->field_count; c++) {
        const struct column *column = &batch->columns[c];
        n += batch->rows * type_width(column->type);
        if (!type_is_view(column->type) || column->encoding != COLUMN_FLAT)
            continue;
        for (uint32_t i = 0; i < batch->rows; i++) {
            uint32_t size = ((const struct view *)column->data)[i].size;
            n += size > VIEW_INLINE ? size : 0;
        }
    }
    return n;
}

static size_t out_bytes;
static void emit(void *arg, struct batch *batch)
{
    rows_out += batch->rows;
    if (out_bytes == 0)
        out_bytes = bytes_of(batch);
}
static void bad(void *arg, const struct op_bad_row *row)
{
}

/* ns of copying n bytes. */
static double copy_ns(size_t n)
{
    char *from = mem_new(n);
    double took = bench_copy(ROUNDS, from, n);
    mem_free(from);
    return took * 1e9;
}

static void measure(const char *name, const char *query)
{
    const struct plan *plan;
    struct pipeline *p;
    struct err err = {0};
    const struct plan *const *scans;
    struct eval_context context = {.now = {0}};
    struct pipeline_output output = {.emit = emit, .bad = bad};
    if (!query_plan(arena, query, &table, 1, &plan, &err) || !pipeline_new(pool, plan, &p, &err)) {
        printf("%s: %s\n", name, err.text);
        return;
    }
    pipeline_scans(p, &scans);
    struct batch part = query_scan_batch(arena, scans[0], in);
    struct op_msg msg = {.kind = OP_BATCH, .batch = &part};
    double best = 1e18;
    out_bytes = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double start = bench_now_ns();
        pipeline_push(p, &context, 0, &msg, &output);
        double took = bench_now_ns() - start;
        best = took < best ? took : best;
    }
    size_t touched = bytes_of(&part) + out_bytes;
    double copy = copy_ns(touched);
    printf("%-34s %7.1f M rows/s  %6.2f ns/row  %5.1f x the time of copying its %zu KiB\n", name,
           BATCH_ROWS * 1e3 / best, best / BATCH_ROWS, best / copy, touched / 1024);
}

int main(void)
{
    pool = pool_new(NULL, "bench");
    arena = pool_arena(pool);
    fill();
    measure(
        "concat of 5, 2 casts, a filter",
        "SELECT concat(number, ' ', street, ', ', city, ', ', state, ', ', country) AS address, CAST(age AS INT) AS age, post "
        "FROM t WHERE country <> 'Norway'");
    measure(
        "the same without a filter",
        "SELECT concat(number, ' ', street, ', ', city, ', ', state, ', ', country) AS address, CAST(age AS INT) AS age, post FROM t");
    measure("pass through", "SELECT street, city, state FROM t");
    measure("a + b, x * y", "SELECT a + b AS c, x * y AS z FROM t");
    measure("filter of two comparisons", "SELECT a, x FROM t WHERE a > 500 AND x < y");
    measure("CASE of three", "SELECT CASE WHEN a < 300 THEN b WHEN a < 600 THEN -b ELSE 0 END AS c FROM t");
    measure("LIKE '%street%'", "SELECT a FROM t WHERE street LIKE '%wind%'");
    measure("upper(city)", "SELECT upper(city) AS c FROM t");
    measure("GROUP BY city: count, sum, avg", "SELECT city, count(*), sum(a), avg(x) FROM t GROUP BY city");
    measure("sum(a), min(x), max(x)", "SELECT sum(a), min(x), max(x) FROM t");
    batch_free(in);
    pool_free(pool);
    return rows_out == 0;
}

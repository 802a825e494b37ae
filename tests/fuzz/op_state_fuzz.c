/* Operators restored from hostile state: refused, or good enough to be written again and to go on with. */
#include <ref/run_query.h>

static const struct eval_context context = {.now = {1700000000000000}};

static void go_on(struct arena *arena, struct pipeline *p, const struct type *schema)
{
    const struct plan *const *scans;
    struct query_result r;
    struct batch *in = batch_new();
    batch_layout(in, schema, 3);
    pipeline_scans(p, &scans);
    struct batch part = query_scan_batch(arena, scans[0], in);
    query_result_init(&r, arena);
    query_push(p, &context, 0, &(struct op_msg){.kind = OP_BATCH, .batch = &part}, &r);
    query_push(p, &context, 0, &(struct op_msg){.kind = OP_BARRIER, .turn = 1}, &r);
    query_result_fini(&r);
    batch_free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const queries[] = {
        "SELECT k, count(*), sum(v), avg(m), min(v), max(k), count(DISTINCT v), bool_or(v > 1) FROM STREAM t GROUP BY k",
        "SELECT v, first(k), collect_list(m), stddev_pop(v), approx_count_distinct(k), median(v), max_by(k, v) "
        "FROM STREAM t GROUP BY v",
        "SELECT window.start, k, sum(m) FROM STREAM t WATERMARK ts DELAY OF INTERVAL 1 MINUTE GROUP BY window(ts, "
        "'1 hour'), k",
        "SELECT DISTINCT k, v FROM STREAM t",
    };
    if (size == 0)
        return 0;
    struct pool *pool = pool_new(NULL, "fuzz");
    struct query_table table = {.name = "t"};
    const struct plan *plan;
    struct pipeline *p, *q;
    struct err err = {0};
    struct sbuf once = {0}, twice = {0};
    bool ok = type_parse_ddl(pool_arena(pool), STR("ts TIMESTAMP, k STRING, v INT, m DECIMAL(8,2)"),
                             &table.schema, &err) &&
              query_plan(pool_arena(pool), queries[data[0] % 4], &table, 1, &plan, &err) &&
              pipeline_new(pool, plan, &p, &err) && pipeline_new(pool, plan, &q, &err);
    CHECK(ok);
    if (pipeline_restore(p, str_n(data + 1, size - 1), &err)) {
        pipeline_snapshot(p, &once);
        ok = pipeline_restore(q, sbuf_view(&once), &err);
        CHECK(ok);
        pipeline_snapshot(q, &twice);
        CHECK(once.n == twice.n);
        go_on(pool_arena(pool), p, table.schema);
    } else {
        CHECK(err.class == ERR_FATAL);
    }
    sbuf_fini(&once);
    sbuf_fini(&twice);
    pool_free(pool);
    return 0;
}

/* Operators, by queries in SQL over small batches: whole pipelines, messages in and rows out. */
#include <ref/run_query.h>

#include "base/test.h"
#include "type/cast.h"

static struct pool *pool;
static struct arena *arena;
static struct query_table table;
static struct timezone_data zone; /* of the session; begin() makes it UTC */

static void begin(const char *ddl)
{
    struct err err = {0};
    pool = pool_new(NULL, "test");
    arena = pool_arena(pool);
    table.name = "t";
    timezone_fixed(STR("Z"), &zone);
    if (!EXPECT(type_parse_ddl(arena, str_of(ddl), &table.schema, &err)))
        fprintf(stderr, "    %s\n", err.text);
}

static void end(void)
{
    pool_free(pool);
}

static const struct eval_context *context(void)
{
    static const struct eval_context c = {.now = {1700000000000000}, .seed = 3, .zone = &zone};
    return &c;
}

/* Rows of text "a,1;b,\\N": each field is cast to its column's type. */
static struct batch *batch_of(const char *text)
{
    struct batch *batch = batch_new();
    struct batch_builder b;
    struct pool *casts = pool_new(pool, "batch");
    batch_builder_init(&b, batch, table.schema);
    uint32_t rows = 0;
    for (const char *at = text; *at; rows++) {
        for (uint32_t i = 0; i < table.schema->field_count; i++) {
            size_t n = strcspn(at, ",;");
            struct value in = {.type = type_simple(TYPE_STRING), .str = str_n(at, n)}, out;
            struct err err = {0};
            if (n == 2 && memcmp(at, "\\N", 2) == 0) {
                column_builder_null(&b.columns[i]);
            } else if (table.schema->fields[i].type->kind == TYPE_STRING) {
                column_builder_str(&b.columns[i], in.str, true);
            } else {
                if (!value_cast(&in, table.schema->fields[i].type, NULL, pool_arena(casts), &out, &err))
                    check_failed(__FILE__, __LINE__, err.text);
                column_builder_value(&b.columns[i], &out);
            }
            at += n + (at[n] != 0);
        }
    }
    batch_builder_finish(&b);
    batch->rows = rows;
    batch->partition = 0;
    batch->offset = arena_array(&batch->arena, int64_t, rows + 1);
    for (uint32_t i = 0; i < rows; i++)
        batch->offset[i] = 100 + i;
    return batch;
}

static struct pipeline *pipeline_of(const char *query, bool streaming)
{
    const struct plan *plan;
    struct pipeline *p;
    struct err err = {0};
    if (!query_plan(arena, query, &table, 1, &plan, &err) || !pipeline_new(pool, plan, &p, &err)) {
        EXPECT(false);
        fprintf(stderr, "    %s: %s\n", query, err.text);
        return NULL;
    }
    return p;
}

static void push_rows(struct pipeline *p, const char *rows, struct query_result *r)
{
    const struct plan *const *scans;
    struct batch *batch = batch_of(rows);
    for (uint32_t i = 0; i < pipeline_scans(p, &scans); i++) {
        struct batch part = query_scan_batch(arena, scans[i], batch);
        query_push(p, context(), i, &(struct op_msg){.kind = OP_BATCH, .batch = &part}, r);
    }
    batch_free(batch);
}

static void push_all(struct pipeline *p, struct op_msg msg, struct query_result *r)
{
    const struct plan *const *scans;
    uint32_t n = pipeline_scans(p, &scans);
    for (uint32_t i = 0; i < (n ? n : 1); i++)
        query_push(p, context(), i, &msg, r);
}

static void expect(const char *query, const char *rows, const char *wanted, uint32_t bad, const char *file,
                   int line)
{
    struct pipeline *p = pipeline_of(query, false);
    struct query_result r;
    struct sbuf text = {0};
    query_result_init(&r, arena);
    if (p == NULL)
        return;
    if (*rows)
        push_rows(p, rows, &r);
    push_all(p, (struct op_msg){.kind = OP_END}, &r);
    query_text(&r, false, &text);
    test_str(text.p ? text.p : "", wanted, file, line, query);
    if (!test_eq_int(TEST_INT(r.bad), TEST_INT(bad), file, line, "bad rows") && r.last_reason)
        fprintf(stderr, "    %s\n", r.last_reason);
    sbuf_fini(&text);
    query_result_fini(&r);
}
#define IS(query, rows, wanted) expect(query, rows, wanted, 0, __FILE__, __LINE__)
#define FAILS(query, rows, wanted, bad) expect(query, rows, wanted, bad, __FILE__, __LINE__)

static const char people[] = "ann,30,1.5;bob,\\N,2.5;cat,25,\\N;ann,41,4.0;dan,25,-1.0;bob,7,0.5";

TEST(filter_and_project)
{
    begin("name STRING, age INT, score DOUBLE");
    IS("SELECT name, age + 1 FROM t WHERE age > 20", people, "ann,31 | cat,26 | ann,42 | dan,26");
    IS("SELECT * FROM t WHERE age IS NULL", people, "bob,NULL,2.5");
    IS("SELECT upper(name) || '!' AS n FROM t WHERE score < 1", people, "DAN! | BOB!");
    FAILS("SELECT name, 10 / (age - 25) AS q FROM t", people,
          "ann,2.0 | bob,NULL | ann,0.625 | bob,-0.5555555555555556", 2);
    FAILS("SELECT name FROM t WHERE 10 / (age - 25) > 0", people, "ann | ann", 2);
    IS("SELECT 1 + 1 AS two, 'x' AS x", "", "2,x");
    IS("SELECT * FROM VALUES (1, 'a'), (2, NULL) AS v(n, s) WHERE n > 1", "", "2,NULL");
    end();
}

TEST(aggregates)
{
    begin("name STRING, age INT, score DOUBLE");
    IS("SELECT name, count(*), sum(age), avg(score), min(age), max(name) FROM t GROUP BY name", people,
       "ann,2,71,2.75,30,ann | bob,2,7,1.5,7,bob | cat,1,25,NULL,25,cat | dan,1,25,-1.0,25,dan");
    IS("SELECT count(*), count(age), count(DISTINCT name), sum(age) FILTER (WHERE name = 'ann') FROM t",
       people, "6,5,4,71");
    IS("SELECT count(*), sum(age) FROM t", "", "0,NULL");
    IS("SELECT name, count(*) FROM t GROUP BY name HAVING count(*) > 1 ORDER BY name DESC", people,
       "bob,2 | ann,2");
    IS("SELECT bool_and(age > 20), bool_or(age > 40), first(name), last(name), collect_list(age) FROM t",
       people, "false,true,ann,bob,[30, 25, 41, 25, 7]");
    IS("SELECT median(age), stddev_pop(score), percentile(age, 0.5) FROM t WHERE name = 'ann'", people,
       "35.5,1.25,35.5");
    FAILS("SELECT sum(10 / (age - 25)) FROM t", people, "2.0694444444444446", 2);
    end();
}

TEST(sort_limit_distinct_union)
{
    begin("name STRING, age INT, score DOUBLE");
    IS("SELECT name, age FROM t ORDER BY age DESC NULLS LAST, name", people,
       "ann,41 | ann,30 | cat,25 | dan,25 | bob,7 | bob,NULL");
    IS("SELECT name FROM t ORDER BY score LIMIT 2", people, "cat | dan");
    IS("SELECT name FROM t LIMIT 2 OFFSET 1", people, "bob | cat");
    IS("SELECT DISTINCT name FROM t", people, "ann | bob | cat | dan");
    IS("SELECT name FROM t WHERE age = 7 UNION ALL SELECT 'x'", people, "x | bob");
    IS("SELECT name FROM t WHERE age = 25 UNION SELECT name FROM t WHERE age = 25", people, "cat | dan");
    end();
}

static void expect_changes(struct query_result *r, const char *wanted, const char *file, int line)
{
    struct sbuf text = {0};
    query_text(r, true, &text);
    test_str(text.p ? text.p : "", wanted, file, line, "changes");
    r->count = 0;
    sbuf_fini(&text);
}
#define CHANGES(r, wanted) expect_changes(r, wanted, __FILE__, __LINE__)

TEST(a_stream_puts_out_changes)
{
    begin("name STRING, n INT");
    struct pipeline *p = pipeline_of("SELECT name, count(*) AS c, sum(n) AS s FROM STREAM t GROUP BY name",
                                     true);
    struct query_result r;
    query_result_init(&r, arena);
    if (p == NULL)
        return;
    EXPECT(pipeline_is_stateful(p));
    push_rows(p, "a,1;b,2;a,3", &r);
    CHANGES(&r, "");
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 1}, &r);
    CHANGES(&r, "+I a,2,4 | +I b,1,2");
    push_rows(p, "b,5", &r);
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 2}, &r);
    CHANGES(&r, "-U b,1,2 | +U b,2,7");
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 3}, &r);
    CHANGES(&r, "");
    query_result_fini(&r);
    end();
}

TEST(aggregates_of_aggregates_retract)
{
    begin("name STRING, n INT");
    struct pipeline *p = pipeline_of(
        "SELECT c, count(*) AS names FROM (SELECT name, count(*) AS c FROM STREAM t GROUP BY name) GROUP BY c",
        true);
    struct query_result r;
    query_result_init(&r, arena);
    if (p == NULL)
        return;
    push_rows(p, "a,1;b,2;c,2", &r);
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 1}, &r);
    CHANGES(&r, "+I 1,3");
    push_rows(p, "a,1", &r);
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 2}, &r);
    CHANGES(&r, "-U 1,3 | +U 1,2 | +I 2,1");
    push_rows(p, "b,1;c,1", &r);
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 3}, &r);
    CHANGES(&r, "-D 1,2 | -U 2,1 | +U 2,3");
    query_result_fini(&r);
    end();
}

/* Snapshot and changelogs give the same state as having lived on: what comes out afterwards is the same. */
TEST(state_is_restored)
{
    begin("name STRING, n INT");
    const char *query =
        "SELECT name, count(*), sum(n), min(n), max(name), count(DISTINCT n), avg(n) FROM STREAM t GROUP BY name";
    const char *turns[] = {"a,1;b,2;a,3", "c,5;a,3;a,\\N", "b,9;b,9;d,1", "\\N,1;a,0", "d,-4;c,5"};
    struct pipeline *one = pipeline_of(query, true);
    struct sbuf snapshot = {0}, changelog = {0};
    struct query_result r, other;
    struct err err = {0};
    query_result_init(&r, arena);
    query_result_init(&other, arena);
    for (uint32_t t = 0; one && t < 5; t++) {
        struct pipeline *two = pipeline_of(query, true);
        if (t > 0) {
            EXPECT(pipeline_restore(two, sbuf_view(&snapshot), &err));
            if (!EXPECT(pipeline_apply(two, sbuf_view(&changelog), &err)))
                fprintf(stderr, "    %s\n", err.text);
        }
        if (t == 2 || t == 0) { /* what the next one starts from */
            sbuf_clear(&snapshot);
            pipeline_snapshot(t == 0 ? one : two, &snapshot);
            sbuf_clear(&changelog);
            struct sbuf dropped = {0};
            pipeline_changelog(one, &dropped);
            sbuf_fini(&dropped);
        }
        r.count = other.count = 0;
        push_rows(one, turns[t], &r);
        push_all(one, (struct op_msg){.kind = OP_BARRIER, .turn = t}, &r);
        push_rows(two, turns[t], &other);
        push_all(two, (struct op_msg){.kind = OP_BARRIER, .turn = t}, &other);
        struct sbuf a = {0}, b = {0};
        query_text(&r, true, &a);
        query_text(&other, true, &b);
        EXPECT_STR(a.p, b.p);
        sbuf_fini(&a);
        sbuf_fini(&b);
        struct sbuf log = {0};
        pipeline_changelog(one, &log);
        if (changelog.n == 0) {
            sbuf_str(&changelog, sbuf_view(&log));
        } else { /* logs of one operator, one behind the other: their length stands in front */
            sbuf_add(&changelog, log.p + 8, log.n - 8);
            uint64_t n = changelog.n - 8;
            memcpy(changelog.p, &n, 8);
        }
        sbuf_fini(&log);
    }
    struct pipeline *cut = pipeline_of(query, true);
    EXPECT(!pipeline_restore(cut, str_n(snapshot.p, snapshot.n - 3), &err) && err.class == ERR_FATAL);
    query_result_fini(&r);
    query_result_fini(&other);
    sbuf_fini(&snapshot);
    sbuf_fini(&changelog);
    end();
}

static const char windows[] = "SELECT window.start AS h, k, count(*) AS c, count(DISTINCT v) AS d "
                              "FROM STREAM t WATERMARK ts DELAY OF INTERVAL 10 MINUTES "
                              "GROUP BY window(ts, '1 hour'), k";

TEST(windows_end)
{
    begin("ts TIMESTAMP, k STRING, v INT");
    struct pipeline *p = pipeline_of(windows, true);
    struct query_result r;
    struct err err = {0};
    query_result_init(&r, arena);
    if (p == NULL)
        return;
    if (!EXPECT(pipeline_set_mode(p, OP_MODE_APPEND, &err)))
        fprintf(stderr, "    %s\n", err.text);
    push_rows(p, "2024-01-01 10:05:00,a,1;2024-01-01 10:50:00,a,1;2024-01-01 11:01:00,b,2", &r);
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 1}, &r);
    CHANGES(&r, "");
    push_rows(p, "2024-01-01 11:10:00,b,3", &r); /* the watermark is at 11:00 with the end of the turn */
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 2}, &r);
    CHANGES(&r, "+I 2024-01-01 10:00:00,a,2,1");
    struct sbuf snapshot = {0};
    pipeline_snapshot(p, &snapshot);
    struct pipeline *q = pipeline_of(windows, true);
    EXPECT(pipeline_set_mode(q, OP_MODE_APPEND, &err) && pipeline_restore(q, sbuf_view(&snapshot), &err));
    for (int i = 0; i < 2; i++) { /* late for 10:00, in time for 11:00 */
        r.bad = 0;
        push_rows(i ? q : p, "2024-01-01 10:59:00,a,9;2024-01-01 11:00:00,b,3;2024-01-01 13:00:00,c,1", &r);
        push_all(i ? q : p, (struct op_msg){.kind = OP_BARRIER, .turn = 3}, &r);
        CHANGES(&r, "+I 2024-01-01 11:00:00,b,3,2");
        EXPECT_EQ_INT(r.bad, 1);
        EXPECT(r.last_reason && strstr(r.last_reason, "LATE") == r.last_reason);
    }
    sbuf_fini(&snapshot);
    query_result_fini(&r);
    end();
}

TEST(windows_update)
{
    begin("ts TIMESTAMP, k STRING, v INT");
    struct pipeline *p = pipeline_of(windows, true);
    struct query_result r;
    query_result_init(&r, arena);
    if (p == NULL)
        return;
    push_rows(p, "2024-01-01 10:05:00,a,1;2024-01-01 11:30:00,a,1", &r);
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 1}, &r);
    CHANGES(&r, "+I 2024-01-01 10:00:00,a,1,1 | +I 2024-01-01 11:00:00,a,1,1");
    push_rows(p, "2024-01-01 10:05:00,a,1;2024-01-01 11:31:00,a,2", &r);
    push_all(p, (struct op_msg){.kind = OP_BARRIER, .turn = 2}, &r);
    CHANGES(&r, "-U 2024-01-01 11:00:00,a,1,1 | +U 2024-01-01 11:00:00,a,2,2");
    EXPECT_EQ_INT(r.bad, 1);
    query_result_fini(&r);
    end();
}

TEST(windows_of_a_batch)
{
    begin("ts TIMESTAMP, k STRING, v INT");
    IS("SELECT window.end, sum(v) FROM t GROUP BY window(ts, '15 minutes') ORDER BY 1",
       "2024-01-01 10:14:59,a,1;2024-01-01 10:15:00,a,2;\\N,a,9;2024-01-01 10:16:00,a,4",
       "2024-01-01 10:15:00,1 | 2024-01-01 10:30:00,6");
    end();
}

TEST(limit_ends_early)
{
    begin("name STRING, n INT");
    struct pipeline *p = pipeline_of("SELECT upper(name) FROM (SELECT name FROM t LIMIT 2)", false);
    struct query_result r;
    query_result_init(&r, arena);
    push_rows(p, "a,1;b,2;a,3", &r);
    EXPECT(pipeline_is_done(p));
    EXPECT_EQ_INT(r.count, 2);
    push_rows(p, "a,1;b,2;a,3", &r);
    EXPECT_EQ_INT(r.count, 2);
    query_result_fini(&r);
    end();
}

TEST(bad_rows_say_where_from)
{
    begin("name STRING, n INT");
    struct pipeline *p = pipeline_of("SELECT CAST(name AS INT) FROM t", false);
    struct query_result r;
    query_result_init(&r, arena);
    push_rows(p, "12,1;zwei,2;3,3", &r);
    EXPECT_EQ_INT(r.bad, 1);
    EXPECT(strstr(r.last_reason, "CAST_INVALID_INPUT") == r.last_reason && strstr(r.last_reason, "zwei"));
    query_result_fini(&r);
    end();
}

/* What Spark 4.2 answers: an error where a moment or a wall clock is past the ends of time, NULL from TRY_CAST. */
TEST(time_ends)
{
    static const char moments[] = "0;9223372036854775807;-9223372036854775808";
    static const char days[] = "2020-01-01;+1000000-01-01";
    begin("us BIGINT");
    EXPECT(timezone_fixed(STR("+01:00"), &zone));
    FAILS("SELECT CAST(timestamp_micros(us) AS TIMESTAMP_NTZ) FROM t", moments,
          "1970-01-01 01:00:00 | -290308-12-21 20:59:05.224192", 1);
    IS("SELECT TRY_CAST(timestamp_micros(us) AS TIMESTAMP_NTZ) FROM t", moments,
       "1970-01-01 01:00:00 | NULL | -290308-12-21 20:59:05.224192");
    FAILS("SELECT to_timestamp_ntz(timestamp_micros(us)) FROM t", moments,
          "1970-01-01 01:00:00 | -290308-12-21 20:59:05.224192", 1);
    FAILS("SELECT date_trunc('DAY', timestamp_micros(us)) IS NULL FROM t", moments, "false | false", 1);
    FAILS("SELECT date_trunc('HOUR', timestamp_micros(us)) IS NULL FROM t", moments, "false | false", 1);
    FAILS("SELECT timestamp_micros(us) + INTERVAL 1 MONTH IS NULL FROM t", moments, "false | false", 1);
    FAILS("SELECT from_utc_timestamp(timestamp_micros(us), '+05:00') IS NULL FROM t", moments,
          "false | false", 1);
    FAILS("SELECT to_utc_timestamp(timestamp_micros(us), '+05:00') IS NULL FROM t", moments, "false | false",
          1);
    IS("SELECT size(sequence(timestamp_micros(us), timestamp_micros(us) + INTERVAL 1 MICROSECOND, INTERVAL 1 MONTH)) "
       "FROM t WHERE us <= 0",
       moments, "1 | 1");
    IS("SELECT size(sequence(timestamp_micros(us), timestamp_micros(9223372036854775807), INTERVAL 40000000 MONTHS)) "
       "FROM t WHERE us >= 0",
       moments, "1 | 1");
    end();
    begin("n TIMESTAMP_NTZ");
    EXPECT(timezone_fixed(STR("-08:00"), &zone));
    FAILS("SELECT CAST(n AS TIMESTAMP) FROM t", "1970-01-01;+294247-01-10 04:00:54.775807",
          "1970-01-01 08:00:00", 1);
    IS("SELECT TRY_CAST(n AS TIMESTAMP) IS NULL FROM t", "1970-01-01;+294247-01-10 04:00:54.775807",
       "false | true");
    end();
    begin("d DATE");
    FAILS("SELECT CAST(d AS TIMESTAMP) FROM t", days, "2020-01-01 00:00:00", 1);
    FAILS("SELECT CAST(d AS TIMESTAMP_NTZ) FROM t", days, "2020-01-01 00:00:00", 1);
    FAILS("SELECT to_timestamp(d) FROM t", days, "2020-01-01 00:00:00", 1);
    FAILS("SELECT to_timestamp_ntz(d) FROM t", days, "2020-01-01 00:00:00", 1);
    end();
    begin("s STRING");
    EXPECT(timezone_fixed(STR("-08:00"), &zone));
    IS("SELECT TRY_CAST(s AS TIMESTAMP) IS NULL FROM t",
       "1970-01-01 00:00:00;+294247-01-10 04:00:54.775807Z;+294247-01-10 04:00:54.775807",
       "false | false | true");
    end();
}

/* As Spark 4.2, whose text is Java's: two halves of a character become it, one alone a question mark. */
TEST(characters_by_code_point)
{
    begin("a INT, b INT");
    IS("SELECT format_string('%c%c', a, b) FROM t", "65,233;128512,1114111",
       "A\u00e9 | \U0001F600\U0010FFFF");
    IS("SELECT hex(format_string('%c%c', a, b)) FROM t", "55357,56832;55357,65;56832,55357;57343,57344",
       "F09F9880 | 3F41 | 3F3F | 3FEE8080");
    FAILS("SELECT format_string('%c%c', a, b) FROM t", "1114112,65;-1,65;65,65;65,2147483647", "AA", 3);
    IS("SELECT format_string('%3c|%c', a, b) FROM t", "128512,\\N", "  \U0001F600|null");
    FAILS("SELECT format_string('%c', CAST(a AS BIGINT)) FROM t", "65,65", "", 1);
    IS("SELECT format_string('%c', CAST(a AS TINYINT)) FROM t", "65,65", "A");
    /* no letter of a format: not even NULL is printed by it */
    FAILS("SELECT format_string('%\u028e', b) FROM t", "65,\\N", "", 1);
    end();
}

int main(void)
{
    RUN(filter_and_project);
    RUN(aggregates);
    RUN(sort_limit_distinct_union);
    RUN(a_stream_puts_out_changes);
    RUN(aggregates_of_aggregates_retract);
    RUN(state_is_restored);
    RUN(windows_end);
    RUN(windows_update);
    RUN(windows_of_a_batch);
    RUN(limit_ends_early);
    RUN(bad_rows_say_where_from);
    RUN(time_ends);
    RUN(characters_by_code_point);
    return test_end();
}

/* The binder over a small catalogue: plans, types, names, and errors with their places and hints. */
#include "base/test.h"
#include "sql/ast.h"
#include "sql/function.h"

static struct arena arena;

static const struct {
    const char *name, *ddl;
    uint32_t visible; /* columns before the hidden ones; 0 = all */
} tables[] = {
    {"users",
     "id STRING NOT NULL, name STRUCT<first: STRING, last: STRING>, age INT, score DOUBLE, price DECIMAL(10,2), tags ARRAY<STRING>,"
     "props MAP<STRING, INT>, created TIMESTAMP, born DATE, _offset BIGINT NOT NULL, _key BINARY",
     9},
    {"user-activity",
     "event_id STRING, user_id STRING, timestamp TIMESTAMP, event_type STRING, country STRING, city STRING,"
     "product_price DOUBLE, quantity INT, _offset BIGINT NOT NULL",
     8},
    {"t", "a INT, b STRING, c BIGINT NOT NULL, m MAP<STRING, INT>, arr ARRAY<STRUCT<x: INT, y: STRING>>", 0},
};

static const char *const views[][2] = {
    {"adults", "WITH t AS (SELECT * FROM STREAM users) SELECT id, age FROM t WHERE age >= 18"},
    {"seniors", "SELECT id FROM STREAM adults\n  WHERE age >= 60"},
    {"broken", "SELECT id,\n  agee FROM STREAM users"},
    {"over_broken", "SELECT * FROM STREAM broken"},
    {"not_sql", "SELECT FROM"},
};

static bool lookup(void *arg, const struct relation_name *name, struct relation *relation, struct err *err)
{
    const char *names[] = {"users", "user-activity", "t"};
    struct str wanted = name->parts[name->part_count - 1];
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if (name->stream && str_is(wanted, views[i][0])) {
            *relation = (struct relation){.view = str_of(views[i][1]), .view_name = views[i][0]};
            return true;
        }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (!str_eq_nocase(wanted, str_of(tables[i].name)))
            continue;
        if (!type_parse_ddl(&arena, str_of(tables[i].ddl), &relation->schema, err))
            return false;
        relation->hidden_from = tables[i].visible ? tables[i].visible : relation->schema->field_count;
        return true;
    }
    err_set(err, ERR_CONFIG, "TABLE_OR_VIEW_NOT_FOUND: there is no relation \"%.*s\"", STR_ARG(wanted));
    const char *near = str_nearest(wanted, names, 3);
    return near ? err_hint(err, "Did you mean \"%s\"?", near) : false;
}

static const struct catalogue catalogue = {.lookup = lookup, .ansi = true};

static const char *take(struct sbuf *out)
{
    const char *text = arena_strdup(&arena, out->p ? out->p : "");
    sbuf_fini(out);
    return text;
}

static const char *error_text(const struct err *err)
{
    return arena_printf(&arena, "%d:%d+%d %s%s%s", err->place.line, err->place.column, err->place.width,
                        err->text, err->hint[0] ? " | " : "", err->hint);
}

/* The plan as text, or the error. */
static const char *plan(const char *sql)
{
    struct plan *p;
    struct err err = {0};
    struct sbuf out = {0};
    if (!sql_plan(&arena, str_of(sql), &catalogue, &p, &err))
        return error_text(&err);
    plan_print(p, &out);
    return take(&out);
}

/* The output schema; "?" behind a name: nullable. */
static const char *schema(const char *sql)
{
    struct plan *p;
    struct err err = {0};
    struct sbuf out = {0};
    if (!sql_plan(&arena, str_of(sql), &catalogue, &p, &err))
        return error_text(&err);
    for (uint32_t i = 0; i < p->schema->field_count; i++) {
        const struct field *f = &p->schema->fields[i];
        sbuf_printf(&out, "%s%s%s ", i ? ", " : "", f->name, f->nullable ? "?" : "");
        type_to_simple(f->type, &out);
    }
    return take(&out);
}

/* Type of one expression over t, or the error. */
static const char *type_of(const char *sql)
{
    struct relation r;
    struct relation_name name = {.parts = {STR("t")}, .part_count = 1};
    const struct expr *e;
    struct err err = {0};
    struct sbuf out = {0};
    if (!lookup(NULL, &name, &r, &err) || !sql_plan_expr(&arena, str_of(sql), r.schema, &catalogue, &e, &err))
        return error_text(&err);
    type_to_simple(e->type, &out);
    return take(&out);
}

TEST(scans_are_pruned)
{
    EXPECT_STR(plan("SELECT id FROM users"), "project [#0:id AS id]\n"
                                             "  scan users [id]\n");
    EXPECT_STR(plan("SELECT name.first AS f FROM users WHERE age > 18"), "project [#0:name.first AS f]\n"
                                                                         "  filter [>(#1:age, 18)]\n"
                                                                         "    scan users [name, age]\n");
    EXPECT_STR(plan("SELECT count(*) FROM users"), "project [#0:agg0 AS count(1)]\n"
                                                   "  aggregate by [] of [count(1)]\n"
                                                   "    scan users []\n");
    EXPECT_STR(plan("SELECT x.i FROM (SELECT id AS i, age + 1 AS b, _offset FROM users) x ORDER BY x.b"),
               "project [#0:i AS i]\n"
               "  sort [#1:sort0 asc nulls first]\n"
               "    project [#0:i AS i, #1:b AS sort0]\n"
               "      project [#0:id AS i, +(#1:age, 1) AS b]\n"
               "        scan users [id, age]\n");
    EXPECT_STR(plan("SELECT a FROM (SELECT * FROM t UNION ALL SELECT * FROM t WHERE c = 1)"),
               "project [#0:a AS a]\n"
               "  union\n"
               "    project [#0:a AS a]\n"
               "      scan t [a]\n"
               "    project [#0:a AS a]\n"
               "      filter [=(#1:c, cast(1 as bigint))]\n"
               "        scan t [a, c]\n");
}

TEST(hidden_columns)
{
    EXPECT_STR(
        schema("SELECT * FROM users"),
        "id string, name? struct<first:string,last:string>, age? int, score? double, price? decimal(10,2), tags? array<string>, "
        "props? map<string,int>, created? timestamp, born? date");
    EXPECT_STR(schema("SELECT _offset, _key FROM users"), "_offset bigint, _key? binary");
    EXPECT_STR(schema("SELECT * EXCEPT (name, tags, props) FROM users u WHERE u._offset > 3"),
               "id string, age? int, score? double, price? decimal(10,2), created? timestamp, born? date");
    EXPECT_STR(schema("SELECT * FROM (SELECT id, _offset FROM users)"), "id string, _offset bigint");
    EXPECT_STR(schema("SELECT u.name.* FROM users u"), "first? string, last? string");
}

TEST(names_of_columns)
{
    EXPECT_STR(schema("SELECT a + 1, A, t.b, arr[0].y, count(*) OVER () FROM t"),
               "1:47+2 UNSUPPORTED_FEATURE: a window function (OVER) is not supported yet");
    EXPECT_STR(
        schema(
            "SELECT a + 1, A, t.b, arr[0].y, m['k'], m.k, CAST(a AS STRING), -a, NOT a = 1, a IS NULL FROM t"),
        "(a + 1)? int, A? int, b? string, arr[0].y? string, m[k]? int, k? int, a? string, (- a)? int, (NOT (a = 1))? boolean, "
        "(a IS NULL) boolean");
    EXPECT_STR(
        schema(
            "SELECT sum(a), avg(a), count(DISTINCT b), max(b) FILTER (WHERE a > 1), substring(b, 2) FROM t GROUP BY b"),
        "sum(a)? bigint, avg(a)? double, count(DISTINCT b) bigint, max(b) FILTER (WHERE (a > 1))? string, "
        "substring(b, 2, 2147483647)? string");
    EXPECT_STR(
        schema(
            "SELECT 1.0, 'x', 1e3, true, NULL, a || b, coalesce(a, 0), CASE WHEN a > 1 THEN 'x' ELSE b END FROM t"),
        "1.0 decimal(2,1), x string, 1000.0 double, true boolean, NULL? void, concat(a, b)? string, coalesce(a, 0) int, "
        "CASE WHEN (a > 1) THEN x ELSE b END? string");
    EXPECT_STR(schema("SELECT arr.x FROM t"), "x? array<int>");
    EXPECT_STR(schema("SELECT a x, x + 1 AS y, y * 2 FROM t"), "x? int, y? int, (y * 2)? int");
}

TEST(types_of_operators)
{
    EXPECT_STR(type_of("a / 2"), "double");
    EXPECT_STR(type_of("a div 2"), "bigint");
    EXPECT_STR(type_of("a + c"), "bigint");
    EXPECT_STR(type_of("a + 1.5"), "decimal(12,1)");
    EXPECT_STR(type_of("2 * 1.25"), "decimal(5,2)");
    EXPECT_STR(type_of("a * 1e0"), "double");
    EXPECT_STR(type_of("CAST(a AS decimal(38,10)) * CAST(c AS decimal(38,10))"), "decimal(38,6)");
    EXPECT_STR(type_of("CAST(a AS decimal(10,2)) / CAST(a AS decimal(5,1))"), "decimal(17,8)");
    EXPECT_STR(type_of("b + 1"), "bigint");
    EXPECT_STR(type_of("b + 1.0"), "double");
    EXPECT_STR(type_of("DATE '2024-01-01' + 1"), "date");
    EXPECT_STR(type_of("DATE '2024-01-01' + INTERVAL 2 HOURS"), "timestamp");
    EXPECT_STR(type_of("DATE '2024-01-02' - DATE '2024-01-01'"), "interval day");
    EXPECT_STR(type_of("INTERVAL 1 DAY * 1.5"), "interval day to second");
    EXPECT_STR(type_of("if(a > 1, 1, 2.5)"), "decimal(11,1)");
    EXPECT_STR(type_of("array(1, 2L, NULL)"), "array<bigint>");
    EXPECT_STR(type_of("map('a', 1, 'b', 2.0)"), "map<string,decimal(11,1)>");
    EXPECT_STR(type_of("named_struct('x', a, 'y', b)"), "struct<x:int,y:string>");
    EXPECT_STR(type_of("transform(arr, (e, i) -> e.x + i)"), "array<int>");
    EXPECT_STR(type_of("aggregate(arr, 0L, (s, e) -> s + e.x, s -> s / 2)"), "double");
    EXPECT_STR(type_of("from_json(b, 'x INT, y ARRAY<STRING>')"), "struct<x:int,y:array<string>>");
    EXPECT_STR(type_of("round(CAST(a AS decimal(10,4)), 2)"), "decimal(9,2)");
    EXPECT_STR(type_of("sum(a)"),
               "1:1+6 GROUP_BY_AGGREGATE: the aggregate \"sum\" cannot stand in an expression");
    EXPECT_STR(type_of("concat('user_', a)"), "string");
    EXPECT_STR(type_of("element_at(array('a', 'b'), 1 + CAST(floor(rand() * 2) AS INT))"), "string");
    EXPECT_STR(type_of("round(24 + 3 * randn(), 2)"), "double");
}

TEST(casts_are_written_out)
{
    EXPECT_STR(
        plan("SELECT a = c, a + 1.5, b > 3, upper(a) FROM t"),
        "project [=(cast(#0:a as bigint), #2:c) AS (a = c), +(cast(#0:a as decimal(10,0)), 1.5BD) AS (a + 1.5), "
        ">(cast(#1:b as bigint), cast(3 as bigint)) AS (b > 3), upper(cast(#0:a as string)) AS upper(a)]\n"
        "  scan t [a, b, c]\n");
    EXPECT_STR(
        plan("SELECT coalesce(a, c), nullif(a, 1), nvl2(b, 1, 2) FROM t"),
        "project [CASE WHEN isnotnull(cast(#0:a as bigint)) THEN cast(#0:a as bigint) ELSE #2:c END AS coalesce(a, c), "
        "CASE WHEN =(#0:a, 1) THEN NULL ELSE #0:a END AS nullif(a, 1), "
        "CASE WHEN isnotnull(#1:b) THEN 1 ELSE 2 END AS nvl2(b, 1, 2)]\n"
        "  scan t [a, b, c]\n");
}

TEST(grouping)
{
    EXPECT_STR(
        plan(
            "SELECT country AS k, count(*) n, sum(quantity * product_price) FROM `user-activity` WHERE country IS NOT NULL "
            "GROUP BY k HAVING n > 1 ORDER BY n DESC, sum(quantity) LIMIT 5"),
        "project [#0:k AS k, #1:n AS n, #2:sum((quantity * product_price)) AS sum((quantity * product_price))]\n"
        "  sort [#1:n desc nulls last, #3:sort1 asc nulls first] limit 5\n"
        "    project [#0:key0 AS k, #1:agg0 AS n, #2:agg1 AS sum((quantity * product_price)), #3:agg2 AS sort1]\n"
        "      filter [>(#1:agg0, cast(1 as bigint))]\n"
        "        aggregate by [#0:country] of [count(1), sum(*(cast(#2:quantity as double), #1:product_price)), "
        "sum(cast(#2:quantity as bigint))]\n"
        "          filter [isnotnull(#0:country)]\n"
        "            scan user-activity [country, product_price, quantity]\n");
    EXPECT_STR(schema("SELECT a % 2, max(c) FROM t GROUP BY a % 2"), "(a % 2)? int, max(c)? bigint");
    EXPECT_STR(schema("SELECT b, 1 + count(*) FROM t GROUP BY 1 ORDER BY 2"),
               "b? string, (1 + count(1)) bigint");
    EXPECT_STR(schema("SELECT b, a, sum(c) FROM t GROUP BY ALL"), "b? string, a? int, sum(c)? bigint");
    EXPECT_STR(schema("SELECT min_by(b, a), collect_list(a), any_value(b), stddev(a) FROM t"),
               "min_by(b, a)? string, collect_list(a) array<int>, any_value(b)? string, stddev(a)? double");
}

TEST(windows_and_watermarks)
{
    EXPECT_STR(
        plan(
            "SELECT window.start AS hour, country, count(*) AS total FROM STREAM `user-activity` "
            "WATERMARK timestamp DELAY OF INTERVAL 10 MINUTES GROUP BY window(timestamp, '1 hour'), country"),
        "project [#0:key0.start AS hour, #1:key1 AS country, #2:agg0 AS total]\n"
        "  aggregate by [window(#0:timestamp, 3600000000L, 3600000000L, 0L), #1:country] of [count(1)]\n"
        "    filter [isnotnull(#0:timestamp)]\n"
        "      watermark [#0:timestamp] delay 600000000 us\n"
        "        scan stream user-activity [timestamp, country]\n");
    EXPECT_STR(
        schema(
            "SELECT window, window(timestamp, INTERVAL 5 MINUTES).end FROM `user-activity` GROUP BY window(timestamp, '5 minutes')"),
        "window struct<start:timestamp,end:timestamp>, window(timestamp, INTERVAL '05' MINUTE).end? timestamp");
    EXPECT_STR(
        plan("SELECT 1 FROM t WATERMARK b DELAY OF INTERVAL 1 DAY"),
        "1:27+1 EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE: the event time of WATERMARK must be TIMESTAMP, not STRING");
    EXPECT_STR(
        plan("SELECT window(created, '1 month') FROM users"),
        "1:24+9 DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE: the duration of \"window\" cannot have months or years | "
        "Months differ in length; use days.");
}

TEST(other_clauses)
{
    EXPECT_STR(plan("SELECT DISTINCT a FROM t ORDER BY a + 1 LIMIT 3 OFFSET 2"),
               "limit 3 offset 2\n"
               "  sort [+(#0:a, 1) asc nulls first] limit 5\n"
               "    distinct\n"
               "      project [#0:a AS a]\n"
               "        scan t [a]\n");
    EXPECT_STR(plan("WITH x AS (SELECT a FROM t), y(k) AS (SELECT a + 1 FROM x) SELECT k FROM y"),
               "project [#0:k AS k]\n"
               "  project [#0:(a + 1) AS k]\n"
               "    project [+(#0:a, 1) AS (a + 1)]\n"
               "      project [#0:a AS a]\n"
               "        scan t [a]\n");
    EXPECT_STR(schema("SELECT * FROM VALUES (1, 'x', DATE '2024-01-01'), (2.5, NULL, NULL) AS v(a, b, c)"),
               "a decimal(11,1), b? string, c? date");
    EXPECT_STR(schema("SELECT a FROM t UNION SELECT 'x'"), "a? bigint");
    EXPECT_STR(schema("SELECT id * 2 AS x FROM range(3)"), "x bigint");
    EXPECT_STR(plan("SELECT 1 WHERE false"), "project [1 AS 1]\n"
                                             "  filter [false]\n"
                                             "    values 1 rows of 0 columns\n");
    EXPECT_STR(plan("SELECT a FROM t LIMIT ALL OFFSET 0"), "project [#0:a AS a]\n"
                                                           "  scan t [a]\n");
}

TEST(unresolved_names)
{
    EXPECT_STR(plan("SELECT nam FROM users"),
               "1:8+3 UNRESOLVED_COLUMN: there is no column \"nam\" | Did you mean \"name\"?");
    EXPECT_STR(plan("SELECT id,\n       u.scor FROM users u"),
               "2:8+6 UNRESOLVED_COLUMN: there is no column \"u.scor\" | Did you mean \"score\"?");
    EXPECT_STR(plan("SELECT id FROM user"),
               "1:16+4 TABLE_OR_VIEW_NOT_FOUND: there is no relation \"user\" | Did you mean \"users\"?");
    EXPECT_STR(plan("SELECT uper(id) FROM users"),
               "1:8+4 UNRESOLVED_ROUTINE: there is no function \"uper\" | Did you mean \"upper\"?");
    EXPECT_STR(plan("SELECT name.frist FROM users"),
               "1:13+5 FIELD_NOT_FOUND: there is no field \"frist\" | Did you mean \"first\"?");
    EXPECT_STR(plan("SELECT age.x FROM users"),
               "1:12+1 INVALID_EXTRACT_BASE_FIELD_TYPE: \"x\" is asked of INT, which has no fields");
    EXPECT_STR(plan("WITH totals AS (SELECT 1) SELECT * FROM total"),
               "1:41+5 TABLE_OR_VIEW_NOT_FOUND: there is no relation \"total\" | Did you mean \"totals\"?");
    EXPECT_STR(plan("SELECT x FROM (SELECT 1 AS x, 2 AS x)"),
               "1:8+1 AMBIGUOUS_REFERENCE: the name \"x\" means several columns");
    EXPECT_STR(
        plan("SELECT a x FROM t WHERE x > 1"),
        "1:25+1 UNRESOLVED_COLUMN: there is no column \"x\" | WHERE cannot see the aliases of the select list; "
        "repeat the expression of \"x\".");
}

TEST(wrong_types)
{
    EXPECT_STR(
        plan("SELECT substring(id, 'x', born) FROM users"),
        "1:27+4 DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE: argument 3 of \"substring\" must be INT, not DATE");
    EXPECT_STR(
        plan("SELECT substring(id) FROM users"),
        "1:8+13 WRONG_NUM_ARGS: \"substring\" takes 2 to 3 arguments, found 1 | It is called as substring(str, pos[, len]).");
    EXPECT_STR(plan("SELECT tags + 1 FROM users"),
               "1:8+8 DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES: \"+\" does not take ARRAY<STRING> and INT");
    EXPECT_STR(
        plan("SELECT id FROM users WHERE age"),
        "1:28+3 DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE: the condition of WHERE must be BOOLEAN, not INT");
    EXPECT_STR(plan("SELECT CAST(born AS INT) FROM users"),
               "1:8+17 DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION: cannot cast DATE to INT");
    EXPECT_STR(
        plan("SELECT props = props FROM users"),
        "1:8+13 DATATYPE_MISMATCH.INVALID_ORDERING_TYPE: \"=\" cannot compare values of MAP<STRING, INT>");
    EXPECT_STR(plan("SELECT DATE '2024-13-01'"),
               "1:8+17 INVALID_TYPED_LITERAL: the text of this DATE literal is no DATE");
    EXPECT_STR(plan("SELECT INTERVAL 1 MONTH 1 DAY"),
               "1:8+22 UNSUPPORTED_FEATURE: an interval of months and days together has no type | "
               "Write two intervals, one of years and months and one of days to seconds.");
}

TEST(wrong_groups)
{
    EXPECT_STR(plan("SELECT a, count(*) FROM t"),
               "1:8+1 MISSING_GROUP_BY: the query aggregates, but has no GROUP BY for the column \"a\" | "
               "Add \"a\" to GROUP BY, or take any_value(a).");
    EXPECT_STR(plan("SELECT a, b FROM t GROUP BY a"),
               "1:11+1 MISSING_AGGREGATION: the column \"b\" is neither in GROUP BY nor aggregated | "
               "Add \"b\" to GROUP BY, or take any_value(b).");
    EXPECT_STR(
        plan("SELECT a FROM t WHERE count(*) > 1"),
        "1:23+8 INVALID_WHERE_CONDITION: the aggregate \"count\" cannot stand in WHERE | Conditions on aggregates stand in HAVING.");
    EXPECT_STR(plan("SELECT sum(count(*)) FROM t"),
               "1:12+8 NESTED_AGGREGATE_FUNCTION: \"count\" stands inside of another aggregate");
    EXPECT_STR(plan("SELECT a FROM t GROUP BY 2"),
               "1:26+1 GROUP_BY_POS_OUT_OF_RANGE: GROUP BY position 2 is not in the select list (1 to 1)");
    EXPECT_STR(plan("SELECT m, 1 FROM t GROUP BY m"),
               "1:29+1 GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE: cannot group by values of MAP<STRING, INT>");
    EXPECT_STR(plan("SELECT a FROM t ORDER BY 3"),
               "1:26+1 ORDER_BY_POS_OUT_OF_RANGE: ORDER BY position 3 is not in the select list (1 to 1)");
}

/* What is parsed and cannot be bound says so by name, at its place. */
TEST(not_yet)
{
    EXPECT_STR(plan("SELECT 1 FROM t JOIN users ON true"),
               "1:22+5 UNSUPPORTED_FEATURE: a JOIN is not supported yet");
    EXPECT_STR(plan("SELECT 1 FROM t LATERAL VIEW explode(arr) AS x"),
               "1:30+12 UNSUPPORTED_FEATURE: LATERAL VIEW is not supported yet");
    EXPECT_STR(plan("SELECT (SELECT 1)"),
               "1:8+10 UNSUPPORTED_FEATURE: a scalar subquery is not supported yet");
    EXPECT_STR(plan("SELECT a FROM t WHERE a IN (SELECT 1)"),
               "1:25+2 UNSUPPORTED_FEATURE: IN with a subquery is not supported yet");
    EXPECT_STR(plan("SELECT 1 EXCEPT SELECT 2"), "1:17+8 UNSUPPORTED_FEATURE: EXCEPT is not supported yet");
    EXPECT_STR(plan("SELECT a FROM t GROUP BY CUBE (a)"),
               "1:26+8 UNSUPPORTED_FEATURE: CUBE is not supported yet");
    EXPECT_STR(plan("SELECT window(created, '2 minutes', '1 minute') FROM users"),
               "1:8+40 UNSUPPORTED_FEATURE: a sliding window is not supported yet");
    EXPECT_STR(plan("SELECT a FROM t TABLESAMPLE (5 PERCENT)"),
               "1:17+23 UNSUPPORTED_FEATURE: TABLESAMPLE is not supported yet");
}

/* Doubling at each step: refused, quickly. */
TEST(explosions_are_refused)
{
    struct sbuf sql = {0};
    sbuf_cstr(&sql, "SELECT a AS x0");
    for (int i = 1; i < 60; i++)
        sbuf_printf(&sql, ", x%d + x%d AS x%d", i - 1, i - 1, i);
    sbuf_cstr(&sql, " FROM t");
    EXPECT(strstr(plan(sql.p), "the query is too large") != NULL);
    sbuf_clear(&sql);
    sbuf_cstr(&sql, "WITH q0 AS (SELECT a FROM t)");
    for (int i = 1; i < 60; i++)
        sbuf_printf(&sql, ", q%d AS (SELECT * FROM q%d UNION ALL SELECT * FROM q%d)", i, i - 1, i - 1);
    sbuf_cstr(&sql, " SELECT * FROM q59");
    EXPECT(strstr(plan(sql.p), "the query is too large") != NULL);
    sbuf_clear(&sql);
    sbuf_cstr(&sql, "SELECT ");
    for (int i = 0; i < 60; i++)
        sbuf_cstr(&sql, "coalesce(");
    sbuf_cstr(&sql, "a");
    for (int i = 0; i < 60; i++)
        sbuf_cstr(&sql, ", 1)");
    sbuf_cstr(&sql, " FROM t");
    EXPECT(strstr(plan(sql.p), "the query is too large") != NULL);
    sbuf_fini(&sql);
}

/* As deep as the parser lets it be, the binder must do it too. */
TEST(deep_queries_bind)
{
    struct sbuf sql = {0};
    sbuf_cstr(&sql, "SELECT a");
    for (int i = 0; i < 400; i++)
        sbuf_cstr(&sql, " + 1");
    sbuf_cstr(&sql, " AS x FROM t");
    EXPECT_STR(schema(sql.p), "x? int");
    sbuf_clear(&sql);
    sbuf_cstr(&sql, "SELECT a FROM t");
    for (int i = 0; i < 400; i++)
        sbuf_cstr(&sql, " UNION ALL SELECT a FROM t");
    EXPECT_STR(schema(sql.p), "a? int");
    sbuf_fini(&sql);
}

TEST(without_ansi_errors_become_null)
{
    static const struct catalogue legacy = {.lookup = lookup};
    struct plan *p;
    struct err err;
    struct sbuf out = {0};
    if (!EXPECT(sql_plan(&arena, STR("SELECT c / a, CAST(b AS INT), b + 1 FROM t"), &legacy, &p, &err)))
        return;
    plan_print(p, &out);
    EXPECT_STR(
        out.p,
        "project [try_divide(try_cast(#2:c as double), try_cast(#0:a as double)) AS (c / a), try_cast(#1:b as int) AS b, "
        "+(try_cast(#1:b as bigint), try_cast(1 as bigint)) AS (b + 1)]\n"
        "  scan t [a, b, c]\n");
    EXPECT(p->schema->fields[1].nullable);
    sbuf_fini(&out);
}

TEST(relations)
{
    struct relation_name *names;
    uint32_t n;
    struct err err;
    struct str sql = STR(
        "WITH x AS (SELECT * FROM a) SELECT (SELECT max(v) FROM b), * FROM x JOIN STREAM `c-d` ON x.i IN (SELECT i FROM s.e) "
        "WHERE EXISTS (SELECT 1 FROM a) UNION ALL TABLE f");
    if (!EXPECT(sql_relations(&arena, sql, &names, &n, &err)) || !EXPECT_EQ_INT(n, 5))
        return;
    struct sbuf out = {0};
    for (uint32_t i = 0; i < n; i++)
        sbuf_printf(&out, "%s%.*s ", names[i].stream ? "stream " : "",
                    STR_ARG(names[i].parts[names[i].part_count - 1]));
    EXPECT_STR(out.p, "a stream c-d e b f ");
    sbuf_fini(&out);
}

static const char *view_error(const char *sql)
{
    struct plan *p;
    struct err err = {0};
    if (sql_plan(&arena, str_of(sql), &catalogue, &p, &err))
        return "bound";
    return arena_printf(&arena, "%s:%d:%d %s", err.place.file, err.place.line, err.place.column, err.text);
}

/* A view is bound as if its text stood alone; only what it puts out is seen from outside, and nothing from within it. */
TEST(views)
{
    struct plan *p;
    struct err err;
    EXPECT_STR(plan("SELECT a.id, age + 1 AS next FROM STREAM adults a"),
               "project [#0:id AS id, +(#1:age, 1) AS next]\n"
               "  project [#0:id AS id, #1:age AS age]\n"
               "    filter [>=(#1:age, 18)]\n"
               "      project [#0:id AS id, #1:age AS age]\n"
               "        scan stream users [id, age]\n");
    EXPECT_STR(view_error("WITH users AS (SELECT 1 AS one) SELECT one FROM STREAM seniors"),
               ":1:40 UNRESOLVED_COLUMN: there is no column \"one\"");
    EXPECT_STR(view_error("SELECT age FROM STREAM seniors"),
               ":1:8 UNRESOLVED_COLUMN: there is no column \"age\"");
    EXPECT_STR(view_error("SELECT id FROM STREAM broken"),
               "broken:2:3 UNRESOLVED_COLUMN: there is no column \"agee\"");
    EXPECT_STR(view_error("SELECT *\n\n FROM STREAM over_broken"),
               "broken:2:3 UNRESOLVED_COLUMN: there is no column \"agee\"");
    EXPECT(strncmp(view_error("SELECT * FROM STREAM not_sql"), "not_sql:1:", 10) == 0);
    if (!EXPECT(sql_plan(&arena, STR("SELECT id FROM STREAM seniors"), &catalogue, &p, &err)))
        return;
    EXPECT(p->streaming);
    while (p->input_count)
        p = p->inputs[0];
    EXPECT_EQ_INT(p->name.span.offset, 22); /* what it reads is read where the outermost view is named */
    EXPECT_EQ_INT(p->name.span.length, 7);
}

/* What keeps state is known before columns are; more may be said to, less may not. */
TEST(state_is_seen_without_columns)
{
    static const struct {
        const char *sql;
        bool keeps;
    } queries[] = {
        {"SELECT a, upper(b) FROM STREAM t WHERE a > 1", false},
        {"SELECT * FROM STREAM t UNION ALL SELECT * FROM STREAM t", false},
        {"SELECT b, transform(arr, x -> x.x) FROM (SELECT * FROM STREAM t) s", false},
        {"SELECT count(*) FROM STREAM t", true},
        {"SELECT a FROM STREAM t GROUP BY a", true},
        {"SELECT a FROM STREAM t GROUP BY ALL", true},
        {"SELECT DISTINCT a FROM STREAM t", true},
        {"SELECT a FROM STREAM t UNION SELECT a FROM STREAM t", true},
        {"SELECT a FROM STREAM t LIMIT 5", true},
        {"SELECT id FROM STREAM users WATERMARK created DELAY OF INTERVAL 1 MINUTE", true},
        {"SELECT x + 1 FROM (SELECT Max(a) FILTER (WHERE c > 1) AS x FROM STREAM t) s", true},
        {"WITH x AS (SELECT DISTINCT a FROM STREAM t) SELECT a FROM x", true},
        {"SELECT CASE WHEN sum(c) > 1 THEN 1 END FROM STREAM t", true},
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct err err;
        bool keeps = !queries[i].keeps;
        if (!EXPECT(sql_keeps_state(&arena, str_of(queries[i].sql), &keeps, &err)) ||
            !EXPECT(keeps == queries[i].keeps))
            fprintf(stderr, "%s\n", queries[i].sql);
    }
}

int main(void)
{
    RUN(views);
    RUN(state_is_seen_without_columns);
    RUN(scans_are_pruned);
    RUN(hidden_columns);
    RUN(names_of_columns);
    RUN(types_of_operators);
    RUN(casts_are_written_out);
    RUN(grouping);
    RUN(windows_and_watermarks);
    RUN(other_clauses);
    RUN(unresolved_names);
    RUN(wrong_types);
    RUN(wrong_groups);
    RUN(not_yet);
    RUN(explosions_are_refused);
    RUN(deep_queries_bind);
    RUN(without_ansi_errors_become_null);
    RUN(relations);
    arena_fini(&arena);
    return test_end();
}

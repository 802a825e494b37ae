/* The parser: what is printed from a tree parses to the same tree; precedence; literals; where errors are said to be; limits. */
#include "base/test.h"
#include "sql/ast.h"

static struct arena arena;

/* The canonical print of a query, or the error as "line:column+width text | hint". */
static const char *print_query(const char *sql)
{
    struct ast_query *q;
    struct err err = {0};
    struct sbuf out = {0};
    if (sql_parse_query(&arena, str_of(sql), &q, &err))
        ast_print(q, &out);
    else
        sbuf_printf(&out, "%d:%d+%d %s%s%s", err.place.line, err.place.column, err.place.width, err.text,
                    err.hint[0] ? " | " : "", err.hint);
    const char *text = arena_strdup(&arena, out.p ? out.p : "");
    sbuf_fini(&out);
    return text;
}

static const char *print_expr(const char *sql)
{
    struct ast_expr *e;
    struct err err = {0};
    struct sbuf out = {0};
    if (sql_parse_expr(&arena, str_of(sql), &e, &err))
        ast_print_expr(e, &out);
    else
        sbuf_printf(&out, "%d:%d+%d %s", err.place.line, err.place.column, err.place.width, err.text);
    const char *text = arena_strdup(&arena, out.p ? out.p : "");
    sbuf_fini(&out);
    return text;
}

TEST(precedence)
{
    EXPECT_STR(print_expr("a + b * c"), "(`a` + (`b` * `c`))");
    EXPECT_STR(print_expr("a - b - c"), "((`a` - `b`) - `c`)");
    EXPECT_STR(print_expr("-a * b"), "((- `a`) * `b`)");
    EXPECT_STR(print_expr("a OR b AND NOT c = d"), "(`a` OR (`b` AND (NOT (`c` = `d`))))");
    EXPECT_STR(print_expr("a AND b AND c"), "(`a` AND `b` AND `c`)");
    EXPECT_STR(print_expr("a | b ^ c & d << 1 + 2"), "(`a` | (`b` ^ (`c` & (`d` << ((1) + (2))))))");
    EXPECT_STR(print_expr("a || b || 'x'"), "((`a` || `b`) || 'x')");
    EXPECT_STR(print_expr("a = b IS NULL"), "((`a` = `b`) IS NULL)");
    EXPECT_STR(print_expr("a BETWEEN 1 AND 2 AND b"), "((`a` BETWEEN (1) AND (2)) AND `b`)");
    EXPECT_STR(print_expr("a >> 1 >>> 2"), "((`a` >> (1)) >>> (2))");
    EXPECT_STR(print_expr("a <=> b AND c <> d AND e == f"),
               "((`a` <=> `b`) AND (`c` != `d`) AND (`e` = `f`))");
    EXPECT_STR(print_expr("5 div 2 % 3"), "(((5) div (2)) % (3))");
    EXPECT_STR(print_expr("~a.b[0]::int"), "(~ CAST(`a`.`b`[(0)] AS INT))");
    EXPECT_STR(print_expr("NOT a IN (1, 2)"), "(NOT (`a` IN ((1), (2))))");
    EXPECT_STR(print_expr("!a"), "(NOT `a`)");
}

TEST(predicates)
{
    EXPECT_STR(print_expr("a NOT LIKE 'x%' ESCAPE '!'"), "(`a` NOT LIKE 'x%' ESCAPE '!')");
    EXPECT_STR(print_expr("a ILIKE ANY ('x', 'y')"), "(`a` ILIKE ANY ('x', 'y'))");
    EXPECT_STR(print_expr("a RLIKE 'x' OR a REGEXP 'y'"), "((`a` RLIKE 'x') OR (`a` RLIKE 'y'))");
    EXPECT_STR(print_expr("a IS NOT TRUE"), "(`a` IS NOT TRUE)");
    EXPECT_STR(print_expr("a IS NOT DISTINCT FROM b"), "(`a` IS NOT DISTINCT FROM `b`)");
    EXPECT_STR(print_expr("a NOT IN (SELECT b FROM t)"), "(`a` NOT IN (SELECT `b` FROM `t`))");
    EXPECT_STR(print_expr("EXISTS (SELECT 1)"), "EXISTS (SELECT (1))");
    EXPECT_STR(print_expr("exists(a, x -> x > 1)"), "`exists`(`a`, (`x`) -> (`x` > (1)))");
}

TEST(literals)
{
    EXPECT_STR(print_expr("1"), "(1)");
    EXPECT_STR(print_expr("-2147483648"), "(-2147483648)");
    EXPECT_STR(print_expr("2147483648"), "(2147483648L)");
    EXPECT_STR(print_expr("9223372036854775808"), "(9223372036854775808BD)");
    EXPECT_STR(print_expr("1.50"), "(1.50BD)");
    EXPECT_STR(print_expr("1e3"), "(1000D)");
    EXPECT_STR(print_expr(".5D"), "(0.5D)");
    EXPECT_STR(print_expr("7Y + 8S + 9L + 1.5F + 2BD"), "(((((7Y) + (8S)) + (9L)) + (1.5F)) + (2BD))");
    EXPECT_STR(print_expr("1st"), "`1st`");
    EXPECT_STR(print_expr("'it''s' 'a' \"b\""), "'it\\'sab'");
    EXPECT_STR(print_expr("'\\u0041\\101\\n\\%'"), "'AA\n\\%'");
    EXPECT_STR(print_expr("r'\\n'"), "'\\\\n'");
    EXPECT_STR(print_expr("X'1c7'"), "X'01C7'");
    EXPECT_STR(print_expr("DATE '2024-01-02' + INTERVAL 1 DAY 2 HOURS"),
               "(DATE'2024-01-02' + (INTERVAL 1 DAY 2 HOUR))");
    EXPECT_STR(print_expr("INTERVAL '1-2' YEAR TO MONTH"), "(INTERVAL '1-2' YEAR TO MONTH)");
    EXPECT_STR(print_expr("interval + date"), "(`interval` + `date`)");
    EXPECT_STR(print_expr("300Y"),
               "1:1+4 INVALID_NUMERIC_LITERAL_RANGE: the number \"300Y\" is outside of TINYINT");
}

TEST(special_forms)
{
    EXPECT_STR(print_expr("EXTRACT(YEAR FROM ts)"), "`extract`('YEAR', `ts`)");
    EXPECT_STR(print_expr("TRIM(BOTH 'x' FROM a)"), "TRIM(BOTH 'x' FROM `a`)");
    EXPECT_STR(print_expr("SUBSTRING(a FROM 2 FOR 3)"), "`SUBSTRING`(`a`, (2), (3))");
    EXPECT_STR(print_expr("POSITION('x' IN a)"), "`locate`('x', `a`)");
    EXPECT_STR(print_expr("OVERLAY(a PLACING 'x' FROM 3)"), "`overlay`(`a`, 'x', (3))");
    EXPECT_STR(print_expr("dateadd(MONTH, 2, d)"), "`timestampadd`('MONTH', (2), `d`)");
    EXPECT_STR(print_expr("datediff(a, b)"), "`datediff`(`a`, `b`)");
    EXPECT_STR(print_expr("CURRENT_DATE"), "CURRENT_DATE");
    EXPECT_STR(print_expr("CASE a WHEN 1 THEN 2 ELSE 3 END"), "CASE `a` WHEN (1) THEN (2) ELSE (3) END");
    EXPECT_STR(print_expr("try_cast(a AS decimal(10,2))"), "TRY_CAST(`a` AS DECIMAL(10,2))");
    EXPECT_STR(print_expr("CAST(a AS array<struct<x: int, y: map<string, bigint>>>)"),
               "CAST(`a` AS ARRAY<STRUCT<x: INT, y: MAP<STRING, BIGINT>>>)");
    EXPECT_STR(print_expr("count(DISTINCT a) FILTER (WHERE b > 1)"),
               "`count`(DISTINCT `a`) FILTER (WHERE (`b` > (1)))");
    EXPECT_STR(
        print_expr("sum(a) OVER (PARTITION BY b ORDER BY c DESC ROWS 2 PRECEDING)"),
        "`sum`(`a`) OVER (PARTITION BY `b` ORDER BY `c` DESC ROWS BETWEEN (2) PRECEDING AND CURRENT ROW)");
    EXPECT_STR(print_expr("reduce(a, 0, (x, y) -> x + y)"), "`reduce`(`a`, (0), (`x`, `y`) -> (`x` + `y`))");
    EXPECT_STR(print_expr("first(a IGNORE NULLS)"), "`first`(`a`) IGNORE NULLS");
    EXPECT_STR(print_expr(":name + ?"), "(:`name` + ?)");
}

TEST(queries)
{
    EXPECT_STR(
        print_query(
            "select a, b c from t where a > 1 group by a having count(*) > 1 order by a desc nulls last limit 3 offset 2"),
        "SELECT `a`, `b` AS `c` FROM `t` WHERE (`a` > (1)) GROUP BY `a` HAVING (`count`(*) > (1)) ORDER BY `a` DESC NULLS LAST"
        " LIMIT (3) OFFSET (2)");
    EXPECT_STR(
        print_query("WITH x(a) AS (SELECT 1), y AS (TABLE x) SELECT * EXCEPT (b), y.* FROM x, y"),
        "WITH `x`(`a`) AS (SELECT (1)), `y` AS (TABLE `x`) SELECT * EXCEPT (`b`), `y`.* FROM (`x` CROSS JOIN `y`)");
    EXPECT_STR(print_query("SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3"),
               "(SELECT (1)) UNION ALL ((SELECT (2)) INTERSECT (SELECT (3)))");
    EXPECT_STR(
        print_query("FROM STREAM user_activity WATERMARK timestamp DELAY OF INTERVAL 10 MINUTES SELECT *"),
        "SELECT * FROM STREAM `user_activity` WATERMARK `timestamp` DELAY OF (INTERVAL 10 MINUTE)");
    EXPECT_STR(
        print_query(
            "SELECT * FROM STREAM `a-b` WATERMARK to_timestamp(x) AS ts DELAY OF INTERVAL '1' HOUR AS t"),
        "SELECT * FROM STREAM `a-b` WATERMARK `to_timestamp`(`x`) AS `ts` DELAY OF (INTERVAL '1' HOUR) AS `t`");
    EXPECT_STR(print_query("SELECT * FROM json.`in/x.jsonl`, db.t AS u(a, b)"),
               "SELECT * FROM (`json`.`in/x.jsonl` CROSS JOIN `db`.`t` AS `u`(`a`, `b`))");
    EXPECT_STR(print_query("SELECT /*+ BROADCAST(t) */ DISTINCT a FROM VALUES (1, 'x'), (2, 'y') AS v(a, b)"),
               "SELECT DISTINCT `a` FROM VALUES ((1), 'x'), ((2), 'y') AS `v`(`a`, `b`)");
    EXPECT_STR(print_query("SELECT a FROM t LATERAL VIEW OUTER explode(x) e AS k, v"),
               "SELECT `a` FROM `t` LATERAL VIEW OUTER `explode`(`x`) `e` AS `k`, `v`");
    EXPECT_STR(print_query("SELECT 1 FROM a LEFT ANTI JOIN b USING (x) NATURAL FULL OUTER JOIN c"),
               "SELECT (1) FROM ((`a` LEFT ANTI JOIN `b` USING (`x`)) NATURAL FULL JOIN `c`)");
    EXPECT_STR(print_query("SELECT a FROM t GROUP BY GROUPING SETS ((a, b), a, ())"),
               "SELECT `a` FROM `t` GROUP BY GROUPING SETS ((`a`, `b`), `a`, ())");
    EXPECT_STR(print_query("SELECT a FROM t GROUP BY a, b WITH ROLLUP"),
               "SELECT `a` FROM `t` GROUP BY ROLLUP (`a`, `b`)");
    EXPECT_STR(print_query("SELECT ((SELECT 1) + 1) FROM ((SELECT 2) t JOIN u)"),
               "SELECT ((SELECT (1)) + (1)) FROM ((SELECT (2)) AS `t` JOIN `u`)");
    EXPECT_STR(print_query("SELECT order, `group` FROM t -- a comment\n /* and /* nested */ */"),
               "SELECT `order`, `group` FROM `t`");
    EXPECT_STR(print_query("(SELECT 1 ORDER BY 1) LIMIT 1"),
               "SELECT * FROM (SELECT (1) ORDER BY (1)) LIMIT (1)");
}

/* Text, line, column, width and hint of what people get wrong. */
TEST(errors)
{
    EXPECT_STR(
        print_query("SELECT a FORM t"),
        "1:10+4 PARSE_SYNTAX_ERROR: syntax error at or near \"FORM\", expected the end of the query | Did you mean \"FROM\"?");
    EXPECT_STR(
        print_query("SELECT a\nFROM t\nWHER a > 1"),
        "3:1+4 PARSE_SYNTAX_ERROR: syntax error at or near \"WHER\", expected the end of the query | Did you mean \"WHERE\"?");
    EXPECT_STR(
        print_query("SELECT a, FROM t"),
        "1:9+1 TRAILING_COMMA_IN_SELECT: the select list ends with a comma | Remove the comma in front of FROM.");
    EXPECT_STR(print_query("SELECT (a + 1 FROM t"),
               "1:15+4 PARSE_SYNTAX_ERROR: syntax error at or near \"FROM\", expected \")\" or \",\"");
    EXPECT_STR(print_query("SELECT 'a"), "1:8+1 PARSE_SYNTAX_ERROR: a string is not closed");
    EXPECT_STR(print_query("SELECT 1 /* x"),
               "1:10+2 UNCLOSED_BRACKETED_COMMENT: a comment is not closed; append */ to it");
    EXPECT_STR(print_query("SELECT 1 + "),
               "1:12+1 PARSE_SYNTAX_ERROR: syntax error at the end of the text, expected an expression");
    EXPECT_STR(
        print_query("SELEC 1"),
        "1:1+5 PARSE_SYNTAX_ERROR: syntax error at or near \"SELEC\", expected SELECT, WITH, VALUES or FROM"
        " | Did you mean \"SELECT\"?");
    EXPECT_STR(print_query("SELECT 'äöü' c 12"),
               "1:16+2 PARSE_SYNTAX_ERROR: syntax error at or near \"12\", expected the end of the query");
    EXPECT_STR(print_query(""),
               "1:1+1 PARSE_SYNTAX_ERROR: syntax error at the end of the text, expected a query");
}

TEST(types_have_places)
{
    struct ast_query *q;
    struct err err = {0};
    EXPECT(!sql_parse_query(&arena, STR("SELECT 1,\n  CAST(a AS itn)"), &q, &err));
    EXPECT_EQ_INT(err.place.line, 2);
    EXPECT_EQ_INT(err.place.column, 13);
    EXPECT_EQ_INT(err.place.width, 3);
}

TEST(statements)
{
    struct sql_statement *s;
    uint32_t n = 0;
    struct err err;
    struct str sql = STR(
        "SET a.b = c d;\nCREATE OR REPLACE TEMPORARY VIEW v (x, y) AS SELECT 1, 2;; INSERT INTO t (a) VALUES (1);\n"
        "CREATE TABLE IF NOT EXISTS t (a INT, b STRING) USING delta; DROP VIEW IF EXISTS v; DESCRIBE t; SET TIME ZONE 'UTC';"
        "SELECT 1 -- end");
    if (!EXPECT(sql_parse(&arena, sql, &s, &n, &err)) || !EXPECT_EQ_INT(n, 8))
        return;
    EXPECT(s[0].kind == SQL_SET && str_is(s[0].key, "a.b") && str_is(s[0].value, "c d"));
    EXPECT(s[1].kind == SQL_CREATE_VIEW && s[1].temporary && s[1].replace && s[1].column_count == 2 &&
           s[1].query);
    EXPECT_EQ_INT(s[1].offset, 15);
    EXPECT(s[2].kind == SQL_INSERT && s[2].column_count == 1 && s[2].query->kind == AST_VALUES);
    EXPECT(s[3].kind == SQL_CREATE_TABLE && s[3].if_not_exists && s[3].schema &&
           s[3].schema->field_count == 2);
    EXPECT(s[4].kind == SQL_DROP_VIEW && s[4].if_exists);
    EXPECT(s[5].kind == SQL_DESCRIBE && str_is(s[5].name.parts[0], "t"));
    EXPECT(s[6].kind == SQL_SET && str_is(s[6].key, "spark.sql.session.timeZone") &&
           str_is(s[6].value, "UTC"));
    EXPECT(s[7].kind == SQL_QUERY && str_is(s[7].text, "SELECT 1"));
}

/* `part` n times between two texts. */
static struct str repeated(const char *before, const char *part, int n, const char *after)
{
    struct sbuf b = {0};
    sbuf_cstr(&b, before);
    for (int i = 0; i < n; i++)
        sbuf_cstr(&b, part);
    sbuf_cstr(&b, after);
    struct str s = str_n(arena_dup(&arena, b.p, b.n), b.n);
    sbuf_fini(&b);
    return s;
}

static bool parses(struct str sql)
{
    struct ast_query *q;
    struct err err;
    return sql_parse_query(&arena, sql, &q, &err);
}

TEST(deep_nesting_is_refused)
{
    EXPECT(parses(repeated("SELECT ", "(", 50, "1))))))))))))))))))))))))))))))))))))))))))))))))))")));
    static const char *const parts[] = {"(",        "NOT ",  "- ",     "f(",    "a[", "CASE WHEN ",
                                        "(SELECT ", "CAST(", "array(", "x -> ", "~",  "EXISTS (SELECT "};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        EXPECT(!parses(repeated("SELECT ", parts[i], 50000, "1")));
    EXPECT(!parses(repeated("SELECT a", ".a", 50000, "")));
    EXPECT(!parses(repeated("SELECT a", "::int", 50000, "")));
    EXPECT(!parses(repeated("SELECT a", "[0]", 50000, "")));
    EXPECT(!parses(repeated("SELECT 1", " + 1", 50000, "")));
    EXPECT(!parses(repeated("SELECT 1", " UNION SELECT 1", 20000, "")));
    EXPECT(!parses(repeated("SELECT * FROM a", " JOIN a", 50000, "")));
    EXPECT(!parses(repeated("SELECT * FROM ", "(", 100000, "")));
    EXPECT(!parses(repeated("SELECT * FROM ", "(SELECT * FROM ", 50000, "")));
    EXPECT(!parses(repeated("", "(", 500000, "")));
    EXPECT(!parses(repeated("SELECT 1 -- ", "x", SQL_TEXT_MAX, "")));
}

TEST(wide_is_fine)
{
    EXPECT(parses(repeated("SELECT a", " AND a", 100000, "")));
    EXPECT(parses(repeated("SELECT a IN (0", ", 1", 200000, ")")));
    EXPECT(parses(repeated("VALUES (1, 'a')", ", (1, 'a')", 60000, "")));
    EXPECT(parses(repeated("SELECT (a", ", a", 200000, ")")));
    EXPECT(!parses(repeated("SELECT a", ", a", 20000, "")));
}

int main(void)
{
    RUN(precedence);
    RUN(predicates);
    RUN(literals);
    RUN(special_forms);
    RUN(queries);
    RUN(errors);
    RUN(types_have_places);
    RUN(statements);
    RUN(deep_nesting_is_refused);
    RUN(wide_is_fine);
    arena_fini(&arena);
    return test_end();
}

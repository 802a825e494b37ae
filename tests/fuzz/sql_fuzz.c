/* SQL texts, from characters to plans. What must hold: no input crashes or runs for long; a query that parses prints to a text that
 * parses to the same print; an error has a text and, if the text is not refused as a whole, a place in it. */
#include <stdlib.h>

#include "sql/ast.h"

static struct arena schema_arena;
static const struct type *schema;

static bool lookup(void *arg, const struct relation_name *name, struct relation *relation, struct err *err)
{
    (void)arg;
    if (name->part_count != 1 || name->parts[0].n > 3)
        return err_set(err, ERR_CONFIG, "TABLE_OR_VIEW_NOT_FOUND: there is no such relation");
    relation->schema = schema;
    relation->hidden_from = schema->field_count - 2;
    return true;
}

static void check_error(const struct err *err)
{
    if (err->class == ERR_NONE || err->text[0] == '\0')
        abort();
}

static void check_query(struct arena *arena, struct ast_query *query)
{
    struct sbuf once = {0}, twice = {0};
    struct ast_query *again;
    struct err err = {0};
    ast_print(query, &once);
    if (sql_parse_query(arena, sbuf_view(&once), &again, &err)) {
        ast_print(again, &twice);
        if (!str_eq(sbuf_view(&once), sbuf_view(&twice)))
            abort();
    } else if (once.n < 2000 && strstr(err.text, "levels") == NULL) { /* the print has more parentheses */
        abort();
    }
    sbuf_fini(&once);
    sbuf_fini(&twice);
}

static void check_plan(struct arena *arena, struct str text)
{
    const struct catalogue catalogue = {.lookup = lookup, .ansi = text.n % 2};
    struct relation_name *names;
    struct plan *plan;
    const struct expr *expr;
    struct sbuf out = {0};
    struct err err = {0};
    uint32_t count;
    if (sql_plan(arena, text, &catalogue, &plan, &err))
        plan_print(plan, &out);
    else
        check_error(&err);
    if (!sql_plan_expr(arena, text, schema, &catalogue, &expr, &err))
        check_error(&err);
    if (!sql_relations(arena, text, &names, &count, &err))
        check_error(&err);
    sbuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str text = str_n(data, size);
    struct sql_statement *statements;
    struct err err = {0};
    uint32_t count;
    if (schema == NULL)
        type_parse_ddl(
            &schema_arena,
            STR("a INT, b STRING, c BIGINT NOT NULL, d DOUBLE, e DECIMAL(10,2), ts TIMESTAMP, day DATE, arr ARRAY<INT>, m MAP<STRING, INT>,"
                "s STRUCT<x: INT, y: ARRAY<STRUCT<z: STRING>>>, bin BINARY, _offset BIGINT NOT NULL, _key BINARY"),
            &schema, NULL);
    if (sql_parse(&arena, text, &statements, &count, &err)) {
        for (uint32_t i = 0; i < count; i++)
            if (statements[i].query)
                check_query(&arena, statements[i].query);
    } else {
        check_error(&err);
    }
    check_plan(&arena, text);
    arena_fini(&arena);
    return 0;
}

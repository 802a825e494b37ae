/* query: batch SQL over topics, tables and files.
 *
 * A statement is parsed and bound with the catalogue of relation.c, its operators are compiled, each of its scans is fed to its end, and rows are
 * printed as they come out: memory is what the operators hold, and a sort spills past its budget. Temporary views are put in front of later queries as WITH. */
#include <stdio.h>

#include "cli/relation.h"
#include "cli/rows.h"
#include "op/op.h"
#include "sql/ast.h"
#include "type/timestamp.h"

enum {
    VIEWS_MAX = 256,
    QUERY_BYTES_MAX = 1 << 20,
    SETS_MAX = 256,
    MEMORY_AUTO = 64 << 20, /* settings.memory */
};

struct setting {
    struct str key, value;
};

struct session {
    struct command_env *env;
    struct arena *arena;
    struct pool *pool;
    struct relations relations;
    enum rows_format format;
    struct str text;              /* all statements */
    const struct conf_file *file; /* the same, for errors */
    struct ast_cte views[VIEWS_MAX];
    uint32_t view_count;
    struct setting sets[SETS_MAX];
    uint32_t set_count;
    const struct timezone_data *zone;
    struct catalogue catalogue;
    bool printed; /* a result: the next one comes after an empty line */
};

/* ---- one query ------------------------------------------------------------------------------------------------------ */

struct execution {
    struct session *session;
    struct pipeline *pipeline;
    struct eval_context context;
    struct pipeline_output output;
    uint32_t scan;
    struct rows rows;
    bool failed;
    char reason[ERR_TEXT_MAX];
};

static void emit(void *arg, struct batch *batch)
{
    struct execution *x = arg;
    if (!x->failed)
        rows_batch(&x->rows, batch);
}

static void bad(void *arg, const struct op_bad_row *row)
{
    struct execution *x = arg;
    if (!x->failed)
        snprintf(x->reason, sizeof x->reason, "%s", row->reason);
    x->failed = true;
}

static bool push_batch(void *arg, struct batch *batch)
{
    struct execution *x = arg;
    const struct op_msg msg = {.kind = OP_BATCH, .batch = batch};
    pipeline_push(x->pipeline, &x->context, x->scan, &msg, &x->output);
    return !x->failed && !pipeline_is_done(x->pipeline) && !env_gone(x->session->env);
}

static bool run_scans(struct execution *x, struct err *err)
{
    const struct op_msg end = {.kind = OP_END};
    const struct plan *const *scans;
    uint32_t count = pipeline_scans(x->pipeline, &scans);
    for (uint32_t i = 0; i < count && !x->failed && !env_gone(x->session->env); i++) {
        x->scan = i;
        TRY(relation_feed(&x->session->relations, scans[i], push_batch, x, err));
        pipeline_push(x->pipeline, &x->context, i, &end, &x->output);
    }
    if (count == 0)
        pipeline_push(x->pipeline, &x->context, 0, &end, &x->output);
    if (pipeline_failure(x->pipeline)) {
        *err = *pipeline_failure(x->pipeline);
        return false;
    }
    return !x->failed || err_set(err, ERR_DATA, "%s", x->reason);
}

/* Into the data folder; where there is none yet, where temporary files go. */
static struct spills *spills_of(struct session *s, struct pool *pool)
{
    const struct project *project = s->env->project;
    const char *tmp = os_env("TMPDIR"), *folder = tmp && tmp[0] == '/' ? tmp : "/tmp";
    if (os_exists(project->data))
        folder = pool_printf(pool, "%s/spill", project->data);
    size_t memory = (size_t)project->conf.settings.memory;
    return spills_in(pool, folder, memory ? memory : MEMORY_AUTO);
}

static bool run_plan(struct session *s, struct pool *pool, const struct plan *plan, struct err *err)
{
    struct execution x = {
        .session = s, .context = {.zone = s->zone, .now = os_wall()}, .output = {.emit = emit, .bad = bad}};
    x.output.arg = &x;
    os_random(&x.context.seed, sizeof x.context.seed);
    TRY(pipeline_new(pool, plan, &x.pipeline, err));
    pipeline_spill_to(x.pipeline, spills_of(s, pool));
    if (s->printed && s->format == ROWS_TABLE)
        env_print(s->env, "\n");
    s->printed = true;
    TRY(rows_init(&x.rows, s->env, s->format, pipeline_schema(x.pipeline), s->zone, err));
    bool ok = run_scans(&x, err);
    rows_end(&x.rows, ok);
    if (s->relations.bad > 0)
        env_note(s->env, "%llu record%s could not be read whole: %s", (unsigned long long)s->relations.bad,
                 s->relations.bad == 1 ? "" : "s", s->relations.bad_text);
    s->relations.bad = 0;
    return ok;
}

/* The query with the session's views in front of its own WITH. */
static bool bind(struct session *s, struct arena *arena, struct ast_query *query, struct plan **plan,
                 struct err *err)
{
    uint32_t count = s->view_count + query->cte_count;
    struct ast_cte *ctes = arena_array(arena, struct ast_cte, count + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->view_count; i++) {
        bool hidden = false; /* by a WITH of the same name */
        for (uint32_t k = 0; k < query->cte_count; k++)
            hidden = hidden || str_eq_nocase(query->ctes[k].name, s->views[i].name);
        if (!hidden)
            ctes[n++] = s->views[i];
    }
    for (uint32_t k = 0; k < query->cte_count; k++)
        ctes[n++] = query->ctes[k];
    struct ast_query with = *query;
    with.ctes = ctes;
    with.cte_count = n;
    return sql_bind(arena, s->text, &with, &s->catalogue, plan, err);
}

static bool run_query(struct session *s, struct ast_query *query, struct err *err)
{
    struct pool *pool = pool_new(s->pool, "query");
    struct plan *plan;
    bool ok = bind(s, pool_arena(pool), query, &plan, err) && run_plan(s, pool, plan, err);
    pool_free(pool);
    return ok;
}

/* ---- other statements --------------------------------------------------------------------------------------------------- */

static void print_pairs(struct session *s, const char *left, const char *right, const struct str *cells,
                        uint32_t rows)
{
    const struct table_column columns[2] = {{.name = left}, {.name = right}};
    struct table table;
    if (s->format == ROWS_TABLE) {
        table_init(&table, s->env, columns, 2);
        for (uint32_t i = 0; i < rows; i++)
            table_row(&table, cells + 2 * (size_t)i);
        table_end(&table, false);
        return;
    }
    for (uint32_t i = 0; i < rows; i++) {
        struct sbuf line = {0};
        if (s->format == ROWS_JSON) {
            sbuf_printf(&line, "{\"%s\":", left);
            sbuf_json(&line, cells[2 * (size_t)i]);
            sbuf_printf(&line, ",\"%s\":", right);
            sbuf_json(&line, cells[2 * (size_t)i + 1]);
            sbuf_cstr(&line, "}\n");
        } else {
            sbuf_printf(&line, "%.*s%c%.*s\n", STR_ARG(cells[2 * (size_t)i]),
                        s->format == ROWS_CSV ? ',' : '\t', STR_ARG(cells[2 * (size_t)i + 1]));
        }
        env_add(s->env, sbuf_view(&line));
        sbuf_fini(&line);
    }
}

static bool set_zone(struct session *s, struct str value, struct err *err)
{
    struct timezone_data *zone = arena_new(s->arena, struct timezone_data);
    struct sbuf tzif = {0};
    if (value.n >= 2 && (value.p[0] == '\'' || value.p[0] == '"'))
        value = str_n(value.p + 1, value.n - 2);
    if (timezone_fixed(value, zone)) {
        s->zone = zone;
        return true;
    }
    char *path = arena_printf(s->arena, "/usr/share/zoneinfo/%.*s", STR_ARG(value));
    bool ok = str_find(value, STR(".."), 0) == SIZE_MAX &&
              os_read_file(path, TIMEZONE_BYTES_MAX, &tzif, err) &&
              timezone_parse(s->arena, value, str_n(arena_dup(s->arena, tzif.p, tzif.n), tzif.n), &zone, err);
    sbuf_fini(&tzif);
    if (!ok)
        return err_set(err, ERR_CONFIG, "unknown time zone \"%.*s\"", STR_ARG(value));
    s->zone = zone;
    return true;
}

static bool set_bool(struct str value, bool *to, struct err *err)
{
    return conf_text_bool(value, to, err);
}

static bool run_set(struct session *s, const struct sql_statement *statement, struct err *err)
{
    struct str key = statement->key, value = statement->value;
    bool flag = false;
    if (key.p && value.p) {
        if (str_is(key, "spark.sql.session.timeZone"))
            TRY(set_zone(s, value, err));
        else if (str_is(key, "spark.sql.ansi.enabled"))
            TRY(set_bool(value, &s->catalogue.ansi, err));
        else if (str_is(key, "spark.sql.caseSensitive"))
            TRY(set_bool(value, &s->catalogue.case_sensitive, err));
        else if (str_is(key, "csv.header")) {
            TRY(set_bool(value, &flag, err));
            s->relations.csv_header = flag ? CSV_HEADER_YES : CSV_HEADER_NO;
        }
        uint32_t i = 0;
        while (i < s->set_count && !str_eq(s->sets[i].key, key))
            i++;
        if (i == SETS_MAX)
            return err_set(err, ERR_CONFIG, "more than %d settings", SETS_MAX);
        s->sets[i] = (struct setting){key, value};
        s->set_count += i == s->set_count;
        return true;
    }
    for (uint32_t i = 0; i < s->set_count; i++)
        if (key.p == NULL || str_eq(key, s->sets[i].key))
            print_pairs(s, "key", "value", (const struct str[2]){s->sets[i].key, s->sets[i].value}, 1);
    return true;
}

static bool create_view(struct session *s, const struct sql_statement *statement, struct err *err)
{
    struct str name = statement->name.parts[statement->name.part_count - 1];
    if (!statement->temporary)
        return err_set(err, ERR_CONFIG, "only temporary views can be created here") ||
               err_hint(err, "Write CREATE TEMPORARY VIEW %.*s AS ….", STR_ARG(name));
    uint32_t i = 0;
    while (i < s->view_count && !str_eq_nocase(s->views[i].name, name))
        i++;
    if (i < s->view_count && !statement->replace)
        return err_set(err, ERR_CONFIG, "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS: there is a view \"%.*s\" already",
                       STR_ARG(name));
    if (i == VIEWS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d views", VIEWS_MAX);
    struct ast_cte view = {.name = name,
                           .columns = statement->columns,
                           .column_count = statement->column_count,
                           .query = statement->query};
    struct plan *plan;
    TRY(bind(s, s->arena, statement->query, &plan, err)); /* its errors belong here */
    if (i < s->view_count) /* a later place: it may read its former self no more, but all others */
        memmove(&s->views[i], &s->views[i + 1], (s->view_count - i - 1) * sizeof *s->views);
    s->view_count -= i < s->view_count;
    s->views[s->view_count++] = view;
    return true;
}

static bool drop_view(struct session *s, const struct sql_statement *statement, struct err *err)
{
    struct str name = statement->name.parts[statement->name.part_count - 1];
    for (uint32_t i = 0; i < s->view_count; i++)
        if (str_eq_nocase(s->views[i].name, name)) {
            memmove(&s->views[i], &s->views[i + 1], (s->view_count - i - 1) * sizeof *s->views);
            s->view_count--;
            return true;
        }
    return statement->if_exists ||
           err_set(err, ERR_CONFIG, "TABLE_OR_VIEW_NOT_FOUND: there is no view \"%.*s\"", STR_ARG(name));
}

static bool describe(struct session *s, const struct sql_statement *statement, struct err *err)
{
    struct relation relation;
    const struct type *schema;
    if (statement->query) {
        struct plan *plan;
        TRY(bind(s, s->arena, statement->query, &plan, err));
        schema = plan->schema;
    } else {
        TRY(relations_lookup(&s->relations, &statement->name, &relation, err));
        schema = type_struct(s->arena, relation.schema->fields, relation.hidden_from);
    }
    struct str *cells = arena_zarray(s->arena, struct str, 2 * (size_t)schema->field_count + 1);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        struct sbuf type = {0};
        type_to_simple(schema->fields[i].type, &type);
        cells[2 * i] = str_of(schema->fields[i].name);
        cells[2 * i + 1] = str_of(str_dup(s->arena, sbuf_view(&type)));
        sbuf_fini(&type);
    }
    print_pairs(s, "col_name", "data_type", cells, schema->field_count);
    return true;
}

static bool explain(struct session *s, const struct sql_statement *statement, struct err *err)
{
    struct plan *plan;
    TRY(bind(s, s->arena, statement->query, &plan, err));
    plan_print(plan, &s->env->out);
    return true;
}

static bool show(struct session *s, const struct sql_statement *statement, struct err *err)
{
    uint32_t count;
    if (!str_eq_nocase(str_trim(statement->text), STR("show tables")))
        return err_set(err, ERR_CONFIG, "of SHOW there is SHOW TABLES only");
    struct str *names = relations_names(&s->relations, s->arena, &count);
    struct str *cells = arena_zarray(s->arena, struct str, 2 * (size_t)(count + s->view_count) + 1);
    for (uint32_t i = 0; i < count; i++) {
        bool table = str_find(names[i], STR("."), 0) != SIZE_MAX;
        cells[2 * i] = names[i];
        cells[2 * i + 1] = table ? STR("table") : STR("topic");
    }
    for (uint32_t i = 0; i < s->view_count; i++) {
        cells[2 * (count + i)] = s->views[i].name;
        cells[2 * (count + i) + 1] = STR("view");
    }
    print_pairs(s, "name", "kind", cells, count + s->view_count);
    return true;
}

static bool run_statement(struct session *s, const struct sql_statement *statement, struct err *err)
{
    switch (statement->kind) {
    case SQL_QUERY: return run_query(s, statement->query, err);
    case SQL_SET: return run_set(s, statement, err);
    case SQL_CREATE_VIEW: return create_view(s, statement, err);
    case SQL_DROP_VIEW: return drop_view(s, statement, err);
    case SQL_DESCRIBE: return describe(s, statement, err);
    case SQL_EXPLAIN: return explain(s, statement, err);
    case SQL_SHOW: return show(s, statement, err);
    case SQL_CREATE_TABLE:
    case SQL_DROP_TABLE:
    case SQL_INSERT:
    case SQL_OTHER: break;
    }
    err_set(err, ERR_CONFIG, "%.*s cannot be run by `query` in this version", STR_ARG(statement->verb));
    return err_hint(
        err,
        "Tables are written by streams; `query` has SELECT, SET, CREATE TEMPORARY VIEW, DESCRIBE, EXPLAIN, SHOW TABLES.");
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

/* An error without a place of its own is of its statement. */
static int say(struct session *s, struct err *err, const struct sql_statement *statement)
{
    if (err->place.line == 0 && err->class == ERR_CONFIG && statement) {
        struct err_place at = conf_file_place(s->file, statement->offset,
                                              (int)(statement->verb.n ? statement->verb.n : 1));
        err_at(err, s->file->name, at.line, at.column, at.width);
    } else if (err->place.line) {
        err_at(err, s->file->name, err->place.line, err->place.column, err->place.width);
    }
    return env_fail(s->env, err, s->file);
}

static int run_text(struct session *s)
{
    struct sql_statement *statements;
    uint32_t count;
    struct err err = {0};
    if (!sql_parse(s->arena, s->text, &statements, &count, &err))
        return say(s, &err, NULL);
    for (uint32_t i = 0; i < count && !env_gone(s->env); i++) {
        err = (struct err){0};
        if (!run_statement(s, &statements[i], &err))
            return say(s, &err, &statements[i]);
        if (!env_flush(s->env))
            return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static bool read_text(struct session *s, const char **name, struct str *text, struct err *err)
{
    const struct cli_args *args = s->env->args;
    const char *path = cli_value(args, "--file");
    *name = "query";
    if (path == NULL) {
        if (args->operand_count == 0)
            return err_set(err, ERR_CONFIG, "sluice query takes [DIR] 'SQL', or -f FILE") ||
                   err_hint(err, "See: sluice query --help.");
        *text = str_of(args->operands[args->operand_count - 1]);
        return true;
    }
    struct sbuf buf = {0};
    *name = path;
    bool ok;
    if (strcmp(path, "-") == 0) {
        size_t got = 1;
        *name = "stdin";
        for (ok = true; ok && got > 0 && buf.n < QUERY_BYTES_MAX; sbuf_added(&buf, got))
            ok = s->env->read(s->env, sbuf_reserve(&buf, 65536), 65536, &got, err);
    } else {
        ok = os_read_file(env_path(s->env, path), QUERY_BYTES_MAX, &buf, err);
        if (!ok)
            err->class = ERR_CONFIG; /* the command line names a file that is none */
    }
    *text = str_n(arena_dup(s->arena, buf.n ? buf.p : "", buf.n), buf.n);
    sbuf_fini(&buf);
    return ok;
}

static int look_query(struct command_env *env)
{
    struct session *s = pool_new_struct(env->pool, struct session);
    const char *name;
    struct str text;
    struct err err;
    s->env = env;
    s->pool = env->pool;
    s->arena = pool_arena(env->pool);
    s->zone = env->project->zone;
    s->catalogue = (struct catalogue){.lookup = relations_lookup, .arg = &s->relations, .ansi = true};
    if (!rows_format_find(cli_value(env->args, "--output"), &s->format, &err) ||
        !read_text(s, &name, &text, &err))
        return env_fail(env, &err, NULL);
    s->file = conf_file_new(s->arena, name, text);
    s->text = text;
    relations_init(&s->relations, env, s->pool);
    int status = run_text(s);
    relations_fini(&s->relations);
    return status;
}

static const struct cli_flag query_flags[] = {
    {"--file", "-f", "FILE", "the statements are in a file; - is stdin"},
    {"--output", "-o", "FORMAT", "table (default), json (one object a line), csv or tsv"},
    {0},
};

extern const struct cli_command command_query;
const struct cli_command command_query = {
    .name = "query",
    .operands = "[DIR] 'SQL'",
    .summary = "runs SQL over topics, tables and files, beside a running `up` or without one",
    .help =
        "  FROM may name\n"
        "    users                      a topic of the project, or a stream that writes to one\n"
        "    serving.users              a table of a connection\n"
        "    sluice.created_users_bad   the records that a stream rejected; those that came too late are in …_late\n"
        "    json.`in/*.jsonl`          files: json, csv, parquet, avro, delta; a path, a pattern or a folder; .gz and .zst too\n"
        "\n"
        "  Several statements are parted by `;`. There are SELECT, SET, CREATE TEMPORARY VIEW, DESCRIBE, EXPLAIN and SHOW TABLES.\n"
        "  The first record of a CSV file is its header if it looks like one; SET csv.header = true | false decides.\n"
        "\n"
        "    sluice query 'SELECT gender, count(*) FROM users_created GROUP BY gender'",
    .flags = query_flags,
    .operands_max = 2,
    .dir_first = true,
    .look = look_query,
};

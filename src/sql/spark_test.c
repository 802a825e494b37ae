/* How much of Spark's own SQL tests we parse, and for how much of what we bind the output has Spark's names and types. The files are in
 * $SLUICE_CORPORA/spark-sql/results: blocks of a query, its schema, its output. A query that Spark rejects counts as parsed either way. Views and
 * tables of a file become relations of a catalogue for the rest of it. */
#include <dirent.h>
#include <sys/stat.h>

#include "base/test.h"
#include "sql/ast.h"

enum {
    PARSED_FLOOR = 995,  /* per mille */
    SCHEMAS_FLOOR = 860, /* per mille of the queries that Spark answers */
    FILES_MAX = 200,
    RELATIONS_MAX = 400,
};

struct counts {
    int queries, parsed;
    int answered, same, differ, refused, unsupported;
};

struct session {
    struct arena arena;
    struct {
        struct str name;
        const struct type *schema;
    } relations[RELATIONS_MAX];
    int relation_count;
    struct counts *counts;
};

static char *paths[FILES_MAX];
static int path_count;

static void find_files(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) && path_count < FILES_MAX) {
        char path[4096];
        struct stat st;
        if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < 0 ||
            stat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            find_files(path);
        else
            paths[path_count++] = mem_strdup(path);
    }
    if (dir)
        closedir(dir);
}

static struct str read_file(struct arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    if (!file || stat(path, &st) != 0)
        return STR("");
    char *text = arena_alloc(arena, (size_t)st.st_size + 1);
    size_t n = fread(text, 1, (size_t)st.st_size, file);
    fclose(file);
    return str_n(text, n);
}

/* ---- a session ------------------------------------------------------------------------------------------------------- */

static bool lookup(void *arg, const struct relation_name *name, struct relation *relation, struct err *err)
{
    struct session *s = arg;
    for (int i = s->relation_count; i-- > 0;) {
        if (name->part_count != 1 || !str_eq_nocase(name->parts[0], s->relations[i].name))
            continue;
        relation->schema = s->relations[i].schema;
        relation->hidden_from = relation->schema->field_count;
        return true;
    }
    return err_set(err, ERR_CONFIG, "TABLE_OR_VIEW_NOT_FOUND: %.*s", STR_ARG(name->parts[0]));
}

static void add_relation(struct session *s, const struct relation_name *name, const struct type *schema)
{
    if (s->relation_count == RELATIONS_MAX)
        return;
    s->relations[s->relation_count].name = name->parts[name->part_count - 1];
    s->relations[s->relation_count++].schema = schema;
}

/* The tables that Spark's tests have from the start. */
static void add_builtin(struct session *s)
{
    static const char *const tables[][2] = {
        {"testdata", "key INT, value STRING"},
        {"arraydata", "arraycol ARRAY<INT>, nestedarraycol ARRAY<ARRAY<INT>>"},
        {"mapdata",
         "mapcol1 MAP<INT, STRING>, mapcol2 MAP<INT, STRING>, mapcol3 MAP<INT, STRING>, mapcol4 MAP<INT, STRING>, mapcol5 MAP<INT, STRING>"},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct relation_name name = {.parts = {str_of(tables[i][0])}, .part_count = 1};
        const struct type *schema;
        if (EXPECT(type_parse_ddl(&s->arena, str_of(tables[i][1]), &schema, NULL)))
            add_relation(s, &name, schema);
    }
}

static const struct type *renamed(struct session *s, const struct type *t, const struct sql_statement *st)
{
    if (st->column_count != t->field_count)
        return t;
    struct field *fields = arena_array(&s->arena, struct field, t->field_count + 1);
    for (uint32_t i = 0; i < t->field_count; i++) {
        fields[i] = t->fields[i];
        fields[i].name = str_dup(&s->arena, st->columns[i]);
    }
    return type_struct(&s->arena, fields, t->field_count);
}

static void define(struct session *s, struct str text, const struct sql_statement *st)
{
    const struct catalogue catalogue = {.lookup = lookup, .arg = s, .ansi = true};
    struct plan *plan;
    if (st->schema)
        add_relation(s, &st->name, st->schema);
    else if (st->query && sql_bind(&s->arena, text, st->query, &catalogue, &plan, NULL))
        add_relation(s, &st->name, renamed(s, plan->schema, st));
}

static void drop(struct session *s, const struct relation_name *name)
{
    for (int i = s->relation_count; i-- > 0;) {
        if (!str_eq_nocase(s->relations[i].name, name->parts[name->part_count - 1]))
            continue;
        s->relations[i].name = STR("");
        return;
    }
}

static void compare(struct session *s, struct str text, const struct ast_query *query, struct str schema)
{
    const struct catalogue catalogue = {.lookup = lookup, .arg = s, .ansi = true};
    struct plan *plan;
    struct err err = {0};
    struct sbuf out = {0};
    s->counts->answered++;
    if (!sql_bind(&s->arena, text, query, &catalogue, &plan, &err)) {
        bool unsupported = strstr(err.text, "UNSUPPORTED_FEATURE") != NULL;
        s->counts->unsupported += unsupported;
        s->counts->refused += !unsupported;
        return;
    }
    sbuf_cstr(&out, "struct<");
    for (uint32_t i = 0; i < plan->schema->field_count; i++) {
        sbuf_printf(&out, "%s%s:", i ? "," : "", plan->schema->fields[i].name);
        type_to_simple(plan->schema->fields[i].type, &out);
    }
    sbuf_char(&out, '>');
    if (str_eq(sbuf_view(&out), schema))
        s->counts->same++;
    else
        s->counts->differ++;
    sbuf_fini(&out);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static struct str between(struct str text, size_t from, size_t to)
{
    return str_n(text.p + from, to - from);
}

static void run_block(struct session *s, struct str query, struct str schema, struct str output)
{
    bool rejected = str_find(output, STR("errorClass"), 0) != SIZE_MAX ||
                    str_find(output, STR("Exception\n"), 0) != SIZE_MAX;
    struct sql_statement *st;
    uint32_t count;
    struct err err;
    s->counts->queries++;
    bool parsed = sql_parse(&s->arena, query, &st, &count, &err);
    s->counts->parsed += parsed || rejected;
    if (!parsed || count != 1)
        return;
    if (st->kind == SQL_CREATE_VIEW || st->kind == SQL_CREATE_TABLE)
        define(s, query, st);
    else if (st->kind == SQL_DROP_VIEW || st->kind == SQL_DROP_TABLE)
        drop(s, &st->name);
    else if (st->kind == SQL_QUERY && !rejected)
        compare(s, query, st->query, schema);
}

static void run_file(const char *path, struct counts *counts)
{
    struct session *s = mem_new(sizeof *s);
    s->counts = counts;
    struct str text = read_file(&s->arena, path);
    add_builtin(s);
    struct str mark = STR("-- !query\n"), schema_mark = STR("\n-- !query schema\n"),
               output_mark = STR("\n-- !query output\n");
    for (size_t at = str_find(text, mark, 0); at != SIZE_MAX;) {
        size_t from = at + mark.n, next = str_find(text, STR("\n-- !query\n"), from);
        size_t end = next == SIZE_MAX ? text.n : next;
        size_t schema = str_find(text, schema_mark, from), output = str_find(text, output_mark, from);
        if (schema < output && output < end)
            run_block(s, between(text, from, schema), between(text, schema + schema_mark.n, output),
                      between(text, output + output_mark.n, end));
        at = next == SIZE_MAX ? SIZE_MAX : next + 1;
    }
    arena_fini(&s->arena);
    mem_free(s);
}

static int per_mille(int part, int whole)
{
    return whole ? (int)((int64_t)part * 1000 / whole) : 0;
}

TEST(spark_agrees)
{
    struct counts c = {0};
    for (int i = 0; i < path_count; i++) {
        run_file(paths[i], &c);
        mem_free(paths[i]);
    }
    printf("%d of %d statements parsed (%d per mille)\n", c.parsed, c.queries,
           per_mille(c.parsed, c.queries));
    printf(
        "%d of %d answered queries have Spark's names and types (%d per mille); %d differ, %d refused, %d not supported yet\n",
        c.same, c.answered, per_mille(c.same, c.answered), c.differ, c.refused, c.unsupported);
    EXPECT(c.queries > 3000);
    EXPECT(per_mille(c.parsed, c.queries) >= PARSED_FLOOR);
    EXPECT(per_mille(c.same, c.answered - c.unsupported) >= SCHEMAS_FLOOR);
}

int main(void)
{
    char folder[4096];
    const char *corpora = getenv("SLUICE_CORPORA");
    snprintf(folder, sizeof folder, "%s/spark-sql/results", corpora ? corpora : "../shared/corpora");
    find_files(folder);
    if (path_count == 0)
        test_skip("no Spark tests at SLUICE_CORPORA");
    RUN(spark_agrees);
    return test_end();
}

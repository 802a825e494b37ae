/* SQLite tables and views. Columns have the types that they were declared with, by SQLite's own rules of affinity; what a row holds instead is
 * converted as SQLite converts it. */
#include <sqlite3.h>
#include <stdio.h>

#include "cli/relation_private.h"
#include "os/vfs.h"

enum { BUSY_MS = 5000 };

static bool failed(sqlite3 *db, const char *path, const char *what, struct err *err)
{
    return err_set(err, ERR_FATAL, "could not %s \"%s\": %s", what, path,
                   db ? sqlite3_errmsg(db) : "out of memory");
}

static bool open_database(const char *path, sqlite3 **db, struct err *err)
{
    *db = NULL;
    if (!os_exists(path)) {
        err_set(err, ERR_FATAL, "there is no database \"%s\" yet", path);
        return err_hint(err, "It is made with the first rows: sluice up.");
    }
    /* Not SQLITE_OPEN_READONLY: a reader of a WAL takes part in its index. */
    if (sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, OS_VFS_NAME) != SQLITE_OK) {
        failed(*db, path, "open", err);
        sqlite3_close(*db);
        *db = NULL;
        return false;
    }
    sqlite3_busy_timeout(*db, BUSY_MS);
    return true;
}

static bool contains(const char *declared, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = declared; *p; p++)
        if (sqlite3_strnicmp(p, word, (int)n) == 0)
            return true;
    return false;
}

/* sqlite.org/datatype3.html, 3.1, and BOOLEAN as what it says. */
static const struct type *type_of_declared(const char *declared)
{
    if (declared == NULL || *declared == '\0')
        return type_simple(TYPE_STRING);
    if (contains(declared, "BOOL"))
        return type_simple(TYPE_BOOLEAN);
    if (contains(declared, "INT"))
        return type_simple(TYPE_LONG);
    if (contains(declared, "CHAR") || contains(declared, "CLOB") || contains(declared, "TEXT"))
        return type_simple(TYPE_STRING);
    if (contains(declared, "BLOB"))
        return type_simple(TYPE_BINARY);
    if (contains(declared, "REAL") || contains(declared, "FLOA") || contains(declared, "DOUB"))
        return type_simple(TYPE_DOUBLE);
    return type_simple(TYPE_STRING); /* NUMERIC, DATE …: their text is exact */
}

static bool read_columns(struct relations *r, sqlite3 *db, struct relation_source *s, struct err *err)
{
    struct arena *arena = pool_arena(r->pool);
    struct field *fields = NULL;
    size_t capacity = 0, count = 0;
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, "SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1", -1,
                           &statement, NULL) != SQLITE_OK)
        return failed(db, s->path, "read", err);
    sqlite3_bind_text(statement, 1, s->table, -1, SQLITE_STATIC);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        fields = mem_grow(fields, &capacity, count + 1, sizeof *fields);
        fields[count++] = (struct field){
            .name = arena_strdup(arena, (const char *)sqlite3_column_text(statement, 0)),
            .type = type_of_declared((const char *)sqlite3_column_text(statement, 1)),
            .nullable = true,
        };
    }
    sqlite3_finalize(statement);
    if (count > 0)
        s->schema = type_struct(arena, fields, (uint32_t)count);
    mem_free(fields);
    if (count > 0)
        return true;
    err_set(err, ERR_CONFIG, "TABLE_OR_VIEW_NOT_FOUND: there is no table \"%s\" in \"%s\"", s->table,
            s->path);
    return err_hint(err, "A stream's table is made with its first rows.");
}

bool sqlite_relation_open(struct relations *r, struct relation_source *s, struct err *err)
{
    sqlite3 *db;
    TRY(open_database(s->path, &db, err));
    bool ok = read_columns(r, db, s, err);
    sqlite3_close(db);
    return ok;
}

static void put_value(struct column_builder *b, sqlite3_stmt *statement, int i)
{
    if (sqlite3_column_type(statement, i) == SQLITE_NULL) {
        column_builder_null(b);
        return;
    }
    switch (b->type->kind) {
    case TYPE_BOOLEAN: column_builder_bool(b, sqlite3_column_int64(statement, i) != 0); break;
    case TYPE_LONG: column_builder_i64(b, sqlite3_column_int64(statement, i)); break;
    case TYPE_DOUBLE: column_builder_f64(b, sqlite3_column_double(statement, i)); break;
    case TYPE_BINARY: {
        const void *p = sqlite3_column_blob(statement, i);
        column_builder_str(b, str_n(p, (size_t)sqlite3_column_bytes(statement, i)), true);
        break;
    }
    default: {
        const void *p = sqlite3_column_text(statement, i);
        column_builder_str(b, str_n(p, (size_t)sqlite3_column_bytes(statement, i)), true);
    }
    }
}

static bool give_rows(struct feed *f, sqlite3 *db, sqlite3_stmt *statement, struct err *err)
{
    struct batch *batch = batch_new();
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW && !f->stopped) {
        struct batch_builder builder;
        batch_builder_init(&builder, batch, f->wanted);
        while (batch_builder_rows(&builder) < BATCH_ROWS && (code = sqlite3_step(statement)) == SQLITE_ROW)
            for (uint32_t c = 0; c < f->wanted->field_count; c++)
                put_value(&builder.columns[c], statement, (int)c);
        batch_builder_finish(&builder);
        if (batch->rows)
            feed_give(f, batch);
        batch_reset(batch);
    }
    batch_free(batch);
    return f->stopped || code == SQLITE_DONE || failed(db, f->source->path, "read", err);
}

static void quoted(struct sbuf *out, const char *name)
{
    sbuf_char(out, '"');
    for (; *name; name++) {
        if (*name == '"')
            sbuf_char(out, '"');
        sbuf_char(out, *name);
    }
    sbuf_char(out, '"');
}

bool sqlite_feed(struct feed *f, struct err *err)
{
    struct sbuf sql = {0};
    sqlite3_stmt *statement = NULL;
    sqlite3 *db;
    TRY(open_database(f->source->path, &db, err));
    sbuf_cstr(&sql, "SELECT ");
    for (uint32_t c = 0; c < f->wanted->field_count; c++) {
        sbuf_cstr(&sql, c ? ", " : "");
        quoted(&sql, f->wanted->fields[c].name);
    }
    sbuf_cstr(&sql, " FROM ");
    quoted(&sql, f->source->table);
    bool ok = sqlite3_prepare_v2(db, sql.p, (int)sql.n, &statement, NULL) == SQLITE_OK
                  ? give_rows(f, db, statement, err)
                  : failed(db, f->source->path, "read", err);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    sbuf_fini(&sql);
    return ok;
}

/* SQLite: rows, positions and schema changes in one transaction.
 *
 *     BEGIN IMMEDIATE … CREATE or ALTER TABLE … INSERT … ON CONFLICT … positions … COMMIT
 *
 * The table _sluice_positions holds, for each identity (uuid) and input partition, the next offset; a row with input −1 only says
 * that the identity is known. WAL with synchronous FULL: a commit that returned is on the disk, and readers are never in the way.
 *
 *     SQL type                                   column
 *     BOOLEAN BYTE SHORT INT LONG                INTEGER
 *     FLOAT DOUBLE                               REAL (NaN becomes NULL: SQLite has none)
 *     DECIMAL STRING                             TEXT
 *     DATE                                       TEXT  2024-01-02
 *     TIMESTAMP                                  TEXT  2024-01-02T03:04:05.123456Z
 *     TIMESTAMP_NTZ                              TEXT  2024-01-02T03:04:05.123456
 *     BINARY                                     BLOB
 *     ARRAY MAP STRUCT VARIANT, intervals        TEXT  JSON; intervals as SQL prints them */
#include <sqlite3.h>
#include <stdio.h>

#include "os/os.h"
#include "os/vfs.h"
#include "sink/sink.h"
#include "type/cast.h"
#include "type/timestamp.h"

enum {
    BUSY_MS = 2000,
    COLUMNS_MAX = 2000,  /* SQLite's own limit */
    EXPIRE_ROWS = 10000, /* in one transaction, so that other writers come in between */
};

struct sqlite {
    sqlite3 *db;
    const char *path;       /* NULL: in memory */
    uint64_t device, inode; /* of the file that is open */
    struct sbuf sql, text;
    struct arena arena;
    bool in_transaction;
    const struct type *schema; /* that the statements below were made for, in pool */
    struct pool *pool;
    sqlite3_stmt *upsert, *remove, *position;
};

/* ---- errors -------------------------------------------------------------------------------------------------------- */

static const char *hint_of(int code)
{
    switch (code) {
    case SQLITE_FULL: return "Free some space on the disk of the database.";
    case SQLITE_BUSY: return "Another program holds the database locked; its rows follow when it lets go.";
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY: return "Check that its folder is there, and the permissions of both.";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return "Restore the database from a copy; what is missing in it then follows.";
    default: return NULL;
    }
}

static bool failed(struct sqlite *s, int code, const char *doing, struct err *err)
{
    enum err_class class = ERR_FATAL;
    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
    case SQLITE_READONLY: class = ERR_RETRY; break;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH: class = ERR_DATA; break;
    default: break;
    }
    err_set(err, class, "could not %s \"%s\": %s", doing, s->path,
            s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
    if (err)
        err->code = code;
    const char *hint = hint_of(code & 0xFF);
    return hint && err_hint(err, "%s", hint);
}

static bool run(struct sqlite *s, const char *sql, const char *doing, struct err *err)
{
    int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || failed(s, code, doing, err);
}

static bool prepare(struct sqlite *s, const char *sql, sqlite3_stmt **statement, struct err *err)
{
    int code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    return code == SQLITE_OK || failed(s, code, "use", err);
}

/* Runs a statement that gives no rows, and makes it ready for the next time. */
static bool step(struct sqlite *s, sqlite3_stmt *statement, struct err *err)
{
    int code = sqlite3_step(statement);
    bool ok = code == SQLITE_DONE || failed(s, code, "write to", err);
    sqlite3_reset(statement);
    return ok;
}

static void add_name(struct sbuf *sql, const char *name)
{
    sbuf_char(sql, '"');
    for (; *name; name++) {
        if (*name == '"')
            sbuf_char(sql, '"');
        sbuf_char(sql, *name);
    }
    sbuf_char(sql, '"');
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static const char *column_type(const struct type *type)
{
    switch (type->kind) {
    case TYPE_BOOLEAN:
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_LONG: return "INTEGER";
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return "REAL";
    case TYPE_BINARY: return "BLOB";
    default: return "TEXT";
    }
}

static bool is_key(const struct sink_spec *spec, const char *name)
{
    for (uint32_t i = 0; i < spec->key_count; i++)
        if (str_eq_nocase(str_of(spec->key[i]), str_of(name)))
            return true;
    return false;
}

/* What of the schema the table has: declared[i] is the type of field i's column, or NULL. count: columns of the table, 0 = no table. */
static bool read_columns(struct sqlite *s, const char *table, const struct type *schema,
                         const char **declared, uint32_t *count, struct err *err)
{
    sqlite3_stmt *statement;
    *count = 0;
    TRY(prepare(s, "SELECT name, type FROM pragma_table_info(?)", &statement, err));
    sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        int index = type_field(schema, str_of((const char *)sqlite3_column_text(statement, 0)), true);
        if (index >= 0)
            declared[index] = arena_strdup(&s->arena, (const char *)sqlite3_column_text(statement, 1));
        ++*count;
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE || failed(s, code, "read", err);
}

static bool takes(const char *declared, const char *wanted)
{
    struct str have = str_of(declared);
    return str_eq_nocase(have, str_of(wanted)) || str_eq_nocase(have, STR("ANY")) ||
           (strcmp(wanted, "INTEGER") == 0 && str_eq_nocase(have, STR("INT")));
}

/* Integers that became fractions: the column follows, if it names no row. */
static bool widens(const struct sink_spec *spec, const struct field *field, const char *declared,
                   const char *wanted)
{
    return takes(declared, "INTEGER") && strcmp(wanted, "REAL") == 0 &&
           !(spec->mode == SINK_UPSERT && is_key(spec, field->name));
}

static bool check_types(const struct sink_spec *spec, const struct type *schema, const char *const *declared,
                        struct err *err)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        const char *wanted = column_type(field->type);
        if (declared[i] == NULL || takes(declared[i], wanted) || widens(spec, field, declared[i], wanted))
            continue;
        err_set(err, ERR_FATAL, "column \"%s\" of table \"%s\" is %s, the stream's rows need %s", field->name,
                spec->table, declared[i], wanted);
        return err_hint(err, "Cast the column in the stream's query, or write to another table.");
    }
    return true;
}

/* Refuses a table whose columns cannot take the rows. *exists: there is a table. */
static bool check_columns(struct sqlite *s, const struct sink_spec *spec, const struct type *schema,
                          bool *exists, struct err *err)
{
    const char **declared = arena_zarray(&s->arena, const char *, schema->field_count);
    uint32_t count;
    TRY(read_columns(s, spec->table, schema, declared, &count, err));
    *exists = count > 0;
    return check_types(spec, schema, declared, err);
}

static void add_column(struct sbuf *sql, const struct field *field, bool key)
{
    add_name(sql, field->name);
    sbuf_printf(sql, " %s%s", column_type(field->type), key ? " NOT NULL" : "");
}

static void add_key_list(struct sbuf *sql, const struct sink_spec *spec)
{
    sbuf_char(sql, '(');
    for (uint32_t i = 0; i < spec->key_count; i++) {
        sbuf_cstr(sql, i ? ", " : "");
        add_name(sql, spec->key[i]);
    }
    sbuf_char(sql, ')');
}

static void add_alter(struct sqlite *s, const struct sink_spec *spec, const char *what)
{
    sbuf_cstr(&s->sql, "ALTER TABLE ");
    add_name(&s->sql, spec->table);
    sbuf_printf(&s->sql, " %s ", what);
}

/* SQLite cannot change a column's type: another one takes its values, and then its name. So it becomes the last. */
static void add_widening(struct sqlite *s, const struct sink_spec *spec, const struct field *field)
{
    static const char between[] = "_sluice_wider";
    add_alter(s, spec, "ADD COLUMN");
    sbuf_printf(&s->sql, "%s %s; UPDATE ", between, column_type(field->type));
    add_name(&s->sql, spec->table);
    sbuf_printf(&s->sql, " SET %s = ", between);
    add_name(&s->sql, field->name);
    sbuf_cstr(&s->sql, "; ");
    add_alter(s, spec, "DROP COLUMN");
    add_name(&s->sql, field->name);
    sbuf_cstr(&s->sql, "; ");
    add_alter(s, spec, "RENAME COLUMN");
    sbuf_printf(&s->sql, "%s TO ", between);
    add_name(&s->sql, field->name);
    sbuf_char(&s->sql, ';');
}

/* CREATE TABLE, or ALTER TABLE for what it lacks; inside the transaction. */
static bool make_table(struct sqlite *s, const struct sink_spec *spec, const struct type *schema,
                       struct err *err)
{
    const char **declared = arena_zarray(&s->arena, const char *, schema->field_count);
    uint32_t count;
    bool keyed = spec->mode == SINK_UPSERT;
    TRY(read_columns(s, spec->table, schema, declared, &count, err));
    sbuf_clear(&s->sql);
    if (count == 0) {
        sbuf_cstr(&s->sql, "CREATE TABLE ");
        add_name(&s->sql, spec->table);
        for (uint32_t i = 0; i < schema->field_count; i++) {
            sbuf_cstr(&s->sql, i ? ", " : " (");
            add_column(&s->sql, &schema->fields[i], keyed && is_key(spec, schema->fields[i].name));
        }
        if (keyed) {
            sbuf_cstr(&s->sql, ", PRIMARY KEY ");
            add_key_list(&s->sql, spec);
        }
        sbuf_cstr(&s->sql, ") STRICT;");
        return run(s, s->sql.p, "create a table in", err);
    }
    TRY(check_types(spec, schema, declared, err));
    for (uint32_t i = 0; i < schema->field_count; i++) {
        if (declared[i] && !takes(declared[i], column_type(schema->fields[i].type)))
            add_widening(s, spec, &schema->fields[i]);
        if (declared[i])
            continue;
        add_alter(s, spec, "ADD COLUMN");
        add_column(&s->sql, &schema->fields[i], false);
        sbuf_char(&s->sql, ';');
    }
    return s->sql.n == 0 || run(s, s->sql.p, "change columns of a table in", err);
}

static void drop_statements(struct sqlite *s)
{
    sqlite3_finalize(s->upsert);
    sqlite3_finalize(s->remove);
    s->upsert = s->remove = NULL;
    s->schema = NULL;
}

static bool prepare_upsert(struct sqlite *s, const struct sink_spec *spec, const struct type *schema,
                           struct err *err)
{
    struct sbuf *sql = &s->sql;
    sbuf_clear(sql);
    sbuf_cstr(sql, "INSERT INTO ");
    add_name(sql, spec->table);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        sbuf_cstr(sql, i ? ", " : " (");
        add_name(sql, schema->fields[i].name);
    }
    for (uint32_t i = 0; i < schema->field_count; i++)
        sbuf_cstr(sql, i ? ", ?" : ") VALUES (?");
    sbuf_char(sql, ')');
    if (spec->mode == SINK_UPSERT) {
        bool any = false;
        sbuf_cstr(sql, " ON CONFLICT ");
        add_key_list(sql, spec);
        for (uint32_t i = 0; i < schema->field_count; i++) {
            if (is_key(spec, schema->fields[i].name))
                continue;
            sbuf_cstr(sql, any ? ", " : " DO UPDATE SET ");
            add_name(sql, schema->fields[i].name);
            sbuf_cstr(sql, " = excluded.");
            add_name(sql, schema->fields[i].name);
            any = true;
        }
        if (!any)
            sbuf_cstr(sql, " DO NOTHING");
    }
    return prepare(s, sql->p, &s->upsert, err);
}

static bool prepare_remove(struct sqlite *s, const struct sink_spec *spec, struct err *err)
{
    struct sbuf *sql = &s->sql;
    sbuf_clear(sql);
    sbuf_cstr(sql, "DELETE FROM ");
    add_name(sql, spec->table);
    for (uint32_t i = 0; i < spec->key_count; i++) {
        sbuf_cstr(sql, i ? " AND " : " WHERE ");
        add_name(sql, spec->key[i]);
        sbuf_cstr(sql, " = ?");
    }
    return spec->key_count == 0 || prepare(s, sql->p, &s->remove, err);
}

/* Statements for rows of this schema; the table follows it. */
static bool follow_schema(struct sqlite *s, const struct sink_spec *spec, const struct type *schema,
                          struct err *err)
{
    if (s->schema && type_same(s->schema, schema))
        return true;
    drop_statements(s);
    TRY(make_table(s, spec, schema, err));
    TRY(prepare_upsert(s, spec, schema, err));
    TRY(prepare_remove(s, spec, err));
    s->schema = type_copy(pool_arena(s->pool), schema);
    return true;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static const char POSITIONS[] =
    "CREATE TABLE IF NOT EXISTS _sluice_positions ("
    "project TEXT NOT NULL, stream TEXT NOT NULL, sink TEXT NOT NULL, uuid TEXT NOT NULL, "
    "input INTEGER NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, "
    "PRIMARY KEY (uuid, input, partition)) STRICT, WITHOUT ROWID";

static bool connect(struct sink *sink, struct sqlite *s, struct err *err)
{
    struct str url = str_of(sink->spec->url);
    const char *path = str_dup(pool_arena(sink->pool),
                               str_n(url.p + strlen("sqlite:"), url.n - strlen("sqlite:")));
    if (strncmp(path, "//", 2) == 0)
        path += 2;
    s->path = path[0] == '/' ? path : pool_printf(sink->pool, "%s/%s", sink->spec->folder, path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(s->path, &s->db, flags, OS_VFS_NAME);
    if (code != SQLITE_OK)
        return failed(s, code, "open", err);
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    TRY(run(s, "PRAGMA journal_mode = WAL", "open", err));
    TRY(run(s, "PRAGMA synchronous = FULL", "open", err));
    struct os_stat stat;
    TRY(os_stat(s->path, &stat, err));
    s->device = stat.device;
    s->inode = stat.inode;
    return true;
}

static bool has_table(struct sqlite *s, const char *name, bool *has, struct err *err)
{
    sqlite3_stmt *statement;
    TRY(prepare(s, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE", &statement,
                err));
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    *has = code == SQLITE_ROW;
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE || failed(s, code, "read", err);
}

static bool read_positions(struct sqlite *s, const struct sink_spec *spec, enum sink_found *found,
                           struct position *positions, uint32_t *count, struct err *err)
{
    sqlite3_stmt *statement;
    bool has;
    TRY(has_table(s, "_sluice_positions", &has, err));
    if (!has)
        return true;
    TRY(prepare(
        s,
        "SELECT uuid, input, partition, next_offset FROM _sluice_positions WHERE project = ? AND stream = ? AND sink = ?",
        &statement, err));
    sqlite3_bind_text(statement, 1, spec->project, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, spec->stream, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, spec->name, -1, SQLITE_STATIC);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        bool ours = strcmp((const char *)sqlite3_column_text(statement, 0), spec->uuid) == 0;
        struct position p = {sqlite3_column_int(statement, 1), sqlite3_column_int(statement, 2),
                             sqlite3_column_int64(statement, 3)};
        if (ours)
            *found = SINK_OURS;
        else if (*found == SINK_NEW)
            *found = SINK_FOREIGN;
        if (ours && p.input >= 0 && *count < SINK_INPUTS_MAX)
            positions[(*count)++] = p;
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE || failed(s, code, "read", err);
}

static bool sqlite_check(const struct sink_spec *spec, const struct type *schema, const char **key,
                         struct err *err)
{
    (void)schema;
    if (spec->partition_by_count == 0)
        return true;
    *key = "partition_by";
    return err_set(err, ERR_FATAL, "a SQLite table has no partitions") ||
           err_hint(err, "`partition_by` is for Delta tables.");
}

static bool sqlite_open(struct sink *sink, const struct type *schema, enum sink_found *found,
                        struct position *positions, uint32_t *count, struct err *err) ON(block)
{
    struct sqlite *s = pool_new_struct(sink->pool, struct sqlite);
    bool exists;
    sink->state = s;
    s->pool = sink->pool;
    if (schema->field_count > COLUMNS_MAX)
        return err_set(err, ERR_FATAL, "%u columns are more than SQLite takes (%d)", schema->field_count,
                       COLUMNS_MAX);
    TRY(connect(sink, s, err));
    TRY(check_columns(s, sink->spec, schema, &exists, err));
    TRY(read_positions(s, sink->spec, found, positions, count, err));
    if (*found == SINK_OURS && *count > 0 && !exists) {
        *found = SINK_NEW; /* somebody dropped the table */
        *count = 0;
    }
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static bool begin(struct sqlite *s, struct err *err)
{
    if (s->in_transaction)
        return true;
    TRY(run(s, "BEGIN IMMEDIATE", "begin to write to", err));
    s->in_transaction = true;
    return run(s, POSITIONS, "create a table in", err);
}

static void bind_text(sqlite3_stmt *statement, int at, struct str text)
{
    sqlite3_bind_text64(statement, at, text.n ? text.p : "", text.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void bind_converted(struct sqlite *s, sqlite3_stmt *statement, int at, const struct column *column,
                           uint32_t row)
{
    struct value value = column_value(column, row, &s->arena);
    sbuf_clear(&s->text);
    if (type_is_nested(value.type) || value.type->kind == TYPE_VARIANT)
        value_to_json(&value, &s->text);
    else
        value_to_text(&value, NULL, &s->text);
    bind_text(statement, at, sbuf_view(&s->text));
}

static void bind(struct sqlite *s, sqlite3_stmt *statement, int at, const struct column *column, uint32_t row)
{
    char text[64];
    const struct column *values;
    if (column_is_null(column, row)) {
        sqlite3_bind_null(statement, at);
        return;
    }
    uint32_t i = column_resolve(column, row, &values);
    switch (values->type->kind) {
    case TYPE_BOOLEAN: sqlite3_bind_int(statement, at, ((const uint8_t *)values->data)[i]); break;
    case TYPE_BYTE: sqlite3_bind_int(statement, at, ((const int8_t *)values->data)[i]); break;
    case TYPE_SHORT: sqlite3_bind_int(statement, at, ((const int16_t *)values->data)[i]); break;
    case TYPE_INT: sqlite3_bind_int(statement, at, ((const int32_t *)values->data)[i]); break;
    case TYPE_LONG: sqlite3_bind_int64(statement, at, ((const int64_t *)values->data)[i]); break;
    case TYPE_FLOAT: sqlite3_bind_double(statement, at, (double)((const float *)values->data)[i]); break;
    case TYPE_DOUBLE: sqlite3_bind_double(statement, at, ((const double *)values->data)[i]); break;
    case TYPE_STRING: bind_text(statement, at, view_str((const struct view *)values->data + i)); break;
    case TYPE_BINARY: {
        struct str bytes = view_str((const struct view *)values->data + i);
        sqlite3_bind_blob64(statement, at, bytes.n ? bytes.p : "", bytes.n, SQLITE_TRANSIENT);
        break;
    }
    case TYPE_DATE:
        bind_text(statement, at, str_n(text, date_to_text(((const int32_t *)values->data)[i], text)));
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: {
        const char *suffix = values->type->kind == TYPE_TIMESTAMP ? "Z" : "";
        bind_text(statement, at,
                  str_n(text, timestamp_to_iso(((const int64_t *)values->data)[i], suffix, text)));
        break;
    }
    default: bind_converted(s, statement, at, column, row); break;
    }
}

static bool remove_row(struct sqlite *s, const struct sink_spec *spec, const struct batch *batch,
                       uint32_t row, struct err *err)
{
    if (s->remove == NULL)
        return err_set(err, ERR_FATAL, "a table without a key cannot take deletes");
    for (uint32_t k = 0; k < spec->key_count; k++) {
        int index = type_field(batch->schema, str_of(spec->key[k]), true);
        CHECK(index >= 0);
        bind(s, s->remove, (int)k + 1, &batch->columns[index], row);
    }
    return step(s, s->remove, err);
}

/* A row without a key has no place in a keyed table; the stream reports it (job/run.c). */
static bool lacks_key(const struct sink_spec *spec, const struct batch *batch, uint32_t row)
{
    for (uint32_t k = 0; spec->mode == SINK_UPSERT && k < spec->key_count; k++) {
        int index = type_field(batch->schema, str_of(spec->key[k]), true);
        if (index >= 0 && column_is_null(&batch->columns[index], row))
            return true;
    }
    return false;
}

static bool write_rows(struct sqlite *s, const struct sink_spec *spec, const struct batch *batch,
                       struct err *err) ON(block)
{
    TRY(begin(s, err));
    TRY(follow_schema(s, spec, batch->schema, err));
    for (uint32_t row = 0; row < batch->rows; row++) {
        enum change change = batch->change ? (enum change)batch->change[row] : CHANGE_INSERT;
        if (change == CHANGE_UPDATE_BEFORE || lacks_key(spec, batch, row))
            continue;
        if (change == CHANGE_DELETE) {
            TRY(remove_row(s, spec, batch, row, err));
            continue;
        }
        for (uint32_t c = 0; c < batch->schema->field_count; c++)
            bind(s, s->upsert, (int)c + 1, &batch->columns[c], row);
        TRY(step(s, s->upsert, err));
    }
    arena_reset(&s->arena);
    return true;
}

/* A table that somebody dropped is looked for by the next opening, which says what to do. */
static bool sqlite_write(struct sink *sink, const struct batch *batch, struct err *err) ON(block)
{
    struct sqlite *s = sink->state;
    bool there = true;
    if (write_rows(s, sink->spec, batch, err))
        return true;
    if ((err->code & 0xFF) != SQLITE_ERROR || !has_table(s, sink->spec->table, &there, NULL) || there)
        return false;
    return err_set(err, ERR_RETRY, "the table \"%s\" in \"%s\" was dropped while it was written to",
                   sink->spec->table, s->path);
}

/* ---- committing ----------------------------------------------------------------------------------------------------------- */

static bool put_position(struct sqlite *s, const struct sink_spec *spec, const struct position *p,
                         struct err *err)
{
    if (s->position == NULL)
        TRY(prepare(s,
                    "INSERT INTO _sluice_positions VALUES (?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (uuid, input, partition) DO UPDATE SET next_offset = excluded.next_offset",
                    &s->position, err));
    sqlite3_bind_text(s->position, 1, spec->project, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->position, 2, spec->stream, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->position, 3, spec->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->position, 4, spec->uuid, -1, SQLITE_STATIC);
    sqlite3_bind_int(s->position, 5, p->input);
    sqlite3_bind_int(s->position, 6, p->partition);
    sqlite3_bind_int64(s->position, 7, p->next_offset);
    return step(s, s->position, err);
}

/* The file under our connection is still the one that the path names. */
static bool still_there(struct sqlite *s, struct err *err)
{
    struct os_stat stat;
    if (os_stat(s->path, &stat, NULL) && stat.device == s->device && stat.inode == s->inode)
        return true;
    return err_set(err, ERR_RETRY, "the database \"%s\" was deleted or replaced while it was open", s->path);
}

static bool commit_now(struct sqlite *s, struct err *err)
{
    TRY(still_there(s, err));
    TRY(run(s, "COMMIT", "commit to", err));
    s->in_transaction = false;
    return true;
}

static bool sqlite_commit(struct sink *sink, const struct position *positions, uint32_t count,
                          struct err *err) ON(block)
{
    struct sqlite *s = sink->state;
    TRY(begin(s, err));
    for (uint32_t i = 0; i < count; i++)
        TRY(put_position(s, sink->spec, &positions[i], err));
    return commit_now(s, err);
}

/* ---- rows that are too old -------------------------------------------------------------------------------------------------- */

/* The column holds ISO 8601 with as many digits of a second as are needed, and a Z: in whole seconds and without the Z, text order is time order. */
static bool prepare_expire(struct sqlite *s, const struct sink_spec *spec, int64_t before_us,
                           sqlite3_stmt **statement, struct err *err)
{
    char text[64];
    struct sbuf *sql = &s->sql;
    sbuf_clear(sql);
    sbuf_cstr(sql, "DELETE FROM ");
    add_name(sql, spec->table);
    sbuf_cstr(sql, " WHERE rowid IN (SELECT rowid FROM ");
    add_name(sql, spec->table);
    sbuf_cstr(sql, " WHERE ");
    add_name(sql, spec->age_column);
    sbuf_printf(sql, " < ? LIMIT %d)", EXPIRE_ROWS);
    TRY(prepare(s, sql->p, statement, err));
    bind_text(*statement, 1, str_n(text, timestamp_to_iso(before_us - before_us % US_PER_S, "", text)));
    return true;
}

static bool sqlite_expire(struct sink *sink, int64_t before_us, struct err *err) ON(block)
{
    struct sqlite *s = sink->state;
    sqlite3_stmt *statement = NULL;
    bool exists;
    CHECK(!s->in_transaction);
    TRY(has_table(s, sink->spec->table, &exists, err));
    if (!exists)
        return true;
    TRY(prepare_expire(s, sink->spec, before_us, &statement, err));
    bool ok = true;
    do
        ok = step(s, statement, err); /* a transaction by itself */
    while (ok && sqlite3_changes(s->db) == EXPIRE_ROWS);
    sqlite3_finalize(statement);
    return ok;
}

static bool sqlite_reset(struct sink *sink, bool replace, struct err *err) ON(block)
{
    struct sqlite *s = sink->state;
    const struct sink_spec *spec = sink->spec;
    sqlite3_stmt *statement;
    bool exists;
    TRY(begin(s, err));
    TRY(prepare(s, "DELETE FROM _sluice_positions WHERE project = ? AND stream = ? AND sink = ?", &statement,
                err));
    sqlite3_bind_text(statement, 1, spec->project, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, spec->stream, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, spec->name, -1, SQLITE_STATIC);
    bool ok = step(s, statement, err);
    sqlite3_finalize(statement);
    TRY(ok);
    TRY(has_table(s, spec->table, &exists, err));
    if (replace && exists) {
        sbuf_clear(&s->sql);
        sbuf_cstr(&s->sql, "DELETE FROM ");
        add_name(&s->sql, spec->table);
        TRY(run(s, s->sql.p, "empty a table in", err));
    }
    TRY(put_position(s, spec, &(struct position){-1, -1, -1}, err));
    return commit_now(s, err);
}

static void sqlite_abort(struct sink *sink) ON(block)
{
    struct sqlite *s = sink->state;
    drop_statements(s);
    sqlite3_finalize(s->position);
    if (s->in_transaction)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(s->db);
    sbuf_fini(&s->sql);
    sbuf_fini(&s->text);
    arena_fini(&s->arena);
}

static const char *const schemes[] = {"sqlite", NULL};

extern const struct sink_kind sink_sqlite;
const struct sink_kind sink_sqlite = {
    .name = "sqlite",
    .schemes = schemes,
    .cadence_ms = 100,
    .exactly_once = true,
    .check = sqlite_check,
    .open = sqlite_open,
    .write = sqlite_write,
    .commit = sqlite_commit,
    .abort = sqlite_abort,
    .expire = sqlite_expire,
    .reset = sqlite_reset,
};

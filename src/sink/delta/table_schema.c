/* The table's columns: what the rows' types become, how a table follows a stream whose rows get more columns, and the actions that say so.
 *
 * A table belongs to its readers and other writers too: whatever its metaData holds that we do not know (names, properties, comments and other
 * metadata of fields) is written again as it was. */
#include <stdio.h>

#include "os/os.h"
#include "sink/delta/delta_private.h"
#include "json/tree.h"

/* ---- types --------------------------------------------------------------------------------------------------------------------------- */

const struct type *delta_type(struct arena *arena, const struct type *type)
{
    if (type->kind == TYPE_NULL || type->kind == TYPE_INTERVAL_YM || type->kind == TYPE_INTERVAL_DT ||
        type->kind == TYPE_STRING)
        return type_simple(TYPE_STRING);
    if (!type_is_nested(type))
        return type;
    struct field *fields = arena_dup(arena, type->fields, type->field_count * sizeof *fields);
    bool moved = false;
    for (uint32_t i = 0; i < type->field_count; i++) { /* as deep as types are: TYPE_DEPTH_MAX */
        fields[i].type = delta_type(arena, fields[i].type);
        moved |= !type_same(fields[i].type, type->fields[i].type);
    }
    if (!moved)
        return type;
    struct type *copy = arena_dup(arena, type, sizeof *type);
    copy->fields = fields;
    return copy;
}

/* Intervals as their text. */
static struct column text_column(const struct column *column, const struct type *to, struct arena *arena)
{
    struct column_builder b;
    struct sbuf text = {0};
    column_builder_init(&b, to, arena);
    for (uint32_t i = 0; i < column->rows; i++) {
        struct value v = column_value(column, i, arena);
        sbuf_clear(&text);
        if (v.is_null)
            column_builder_null(&b);
        else {
            value_to_text(&v, NULL, &text);
            column_builder_str(&b, sbuf_view(&text), true);
        }
    }
    sbuf_fini(&text);
    return column_builder_finish(&b);
}

struct column delta_column(const struct column *column, const struct type *to, struct arena *arena)
{
    if (type_same(column->type, to))
        return *column;
    if (to->kind == TYPE_STRING && column->type->kind != TYPE_STRING)
        return text_column(column, to, arena);
    struct column flat = column_flatten(column, arena);
    flat.type = to;
    if (type_is_nested(to)) {
        uint32_t count = column_child_count(to);
        struct column *children = arena_array(arena, struct column, count);
        for (uint32_t i = 0; i < count; i++)
            children[i] = delta_column(&flat.children[i], column_child_type(to, i), arena);
        flat.children = children;
    }
    return flat;
}

static bool has_kind(const struct type *type, enum type_kind kind)
{
    if (type->kind == kind)
        return true;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (has_kind(type->fields[i].type, kind))
            return true;
    return false;
}

bool delta_check_names(const struct type *schema, struct err *err)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const char *name = schema->fields[i].name;
        if (schema->kind == TYPE_STRUCT && (name[0] == '\0' || strpbrk(name, " ,;{}()\n\t=") != NULL)) {
            err_set(err, ERR_FATAL, "column name \"%s\" is not possible in a Delta table", name);
            return err_hint(err, "Name it otherwise in the query: AS another_name.");
        }
        for (uint32_t k = 0; schema->kind == TYPE_STRUCT && k < i; k++)
            if (str_eq_nocase(str_of(name), str_of(schema->fields[k].name))) {
                err_set(err, ERR_FATAL, "columns \"%s\" and \"%s\" differ in case only",
                        schema->fields[k].name, name);
                return err_hint(err, "To Delta they are the same; name one otherwise in the query.");
            }
        TRY(delta_check_names(schema->fields[i].type, err));
    }
    return true;
}

/* ---- merging --------------------------------------------------------------------------------------------------------------------------- */

struct merge {
    struct arena *arena;
    const char *table;
    bool widening; /* columns may become wider */
    bool anew;     /* wider in any way, for all files are written anew; and no column comes in */
};

/* What Delta's typeWidening allows. */
static bool may_widen(const struct type *have, const struct type *want)
{
    unsigned digits = have->kind == TYPE_LONG ? 20 : 10; /* that an integer takes, as Delta counts */
    switch (want->kind) {
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_LONG: return type_is_integer(have) && have->kind < want->kind;
    case TYPE_DOUBLE: return have->kind == TYPE_FLOAT || (type_is_integer(have) && have->kind <= TYPE_INT);
    case TYPE_DECIMAL:
        if (have->kind == TYPE_DECIMAL)
            return want->scale >= have->scale &&
                   want->precision - want->scale >= have->precision - have->scale;
        return type_is_integer(have) && want->precision >= digits + want->scale;
    case TYPE_TIMESTAMP_NTZ: return have->kind == TYPE_DATE;
    default: return false;
    }
}

/* What a number can become without being another one, as far as its value allows that. */
static bool may_rewrite(const struct type *have, const struct type *want)
{
    return may_widen(have, want) ||
           (type_is_integer(have) && (want->kind == TYPE_FLOAT || want->kind == TYPE_DOUBLE)) ||
           (have->kind == TYPE_STRING && want->kind == TYPE_BINARY);
}

static bool is_widening(const struct delta_table *t)
{
    const struct str *enabled = t->version >= 0 ? delta_property(t, "delta.enableTypeWidening") : NULL;
    return enabled && str_is(*enabled, "true");
}

static bool widens(const struct delta_sink *d)
{
    const struct delta_options *options = d->sink->spec->options;
    return (options && options->type_widening) || is_widening(&d->table);
}

static bool say_differs(const struct merge *m, const struct type *have, const struct type *want,
                        const char *path, struct err *err)
{
    struct sbuf text = {0};
    type_to_sql(have, &text);
    sbuf_cstr(&text, ", the stream's rows have ");
    type_to_sql(want, &text);
    err_set(err, ERR_FATAL, "column \"%s\" of the table is %s", path, text.p);
    if (m->table && may_rewrite(have, want))
        err_hint(err, "Make it wider: sluice table rewrite %s%s", m->table,
                 !m->widening && may_widen(have, want) ? "; or say type_widening: true at the table." : ".");
    else
        err_hint(err,
                 "Cast the column in the stream's query, write to another table, or write this one anew: "
                 "sluice stream reset NAME --replace.");
    sbuf_fini(&text);
    return false;
}

static bool merge_types(struct merge *m, const struct type *have, const struct type *want, const char *path,
                        const struct type **out, struct err *err);

static bool merge_fields(struct merge *m, const struct type *have, const struct type *want, const char *path,
                         const struct type **out, struct err *err)
{
    struct field *fields = arena_array(m->arena, struct field, have->field_count + want->field_count);
    uint32_t count = have->field_count;
    memcpy(fields, have->fields, count * sizeof *fields);
    for (uint32_t i = 0; i < want->field_count; i++) {
        int index = type_field(have, str_of(want->fields[i].name), true);
        if (index < 0 && m->anew)
            continue;
        if (index < 0) {
            fields[count] = want->fields[i];
            fields[count].type = type_nullable(m->arena, want->fields[i].type);
            fields[count++].nullable = true;
            continue;
        }
        char *inner = arena_printf(m->arena, "%s%s%s", path, *path ? "." : "", want->fields[i].name);
        TRY(merge_types(m, have->fields[index].type, want->fields[i].type, inner, &fields[index].type, err));
    }
    *out = type_struct(m->arena, fields, count);
    return true;
}

static bool merge_types(struct merge *m, const struct type *have, const struct type *want, const char *path,
                        const struct type **out, struct err *err)
{
    *out = have;
    if (type_same(have, want))
        return true;
    if (have->kind == TYPE_STRUCT && want->kind == TYPE_STRUCT)
        return merge_fields(m, have, want, path, out, err);
    const struct type *inner;
    if (have->kind == TYPE_ARRAY && want->kind == TYPE_ARRAY) {
        TRY(merge_types(m, have->fields[0].type, want->fields[0].type, path, &inner, err));
        *out = type_array(m->arena, inner, have->fields[0].nullable);
        return true;
    }
    if (have->kind == TYPE_MAP && want->kind == TYPE_MAP &&
        type_same(have->fields[0].type, want->fields[0].type)) {
        TRY(merge_types(m, have->fields[1].type, want->fields[1].type, path, &inner, err));
        *out = type_map(m->arena, have->fields[0].type, inner, have->fields[1].nullable);
        return true;
    }
    if (have->kind == TYPE_STRING && want->kind == TYPE_STRING)
        return true; /* a collation of the table's own */
    if (m->anew ? may_rewrite(have, want) : m->widening && may_widen(have, want)) {
        *out = want;
        return true;
    }
    return say_differs(m, have, want, path, err);
}

bool delta_merge_schema(const struct delta_sink *d, struct arena *arena, const struct type *have,
                        const struct type *want, const struct type **out, struct err *err)
{
    struct merge m = {arena, d->sink->spec->name, widens(d), false};
    const struct type *merged;
    TRY(merge_types(&m, have, want, "", &merged, err));
    *out = type_copy(arena, merged);
    return true;
}

bool delta_widest_schema(struct arena *arena, const struct type *have, const struct type *want,
                         const struct type **out, struct err *err)
{
    struct merge m = {.arena = arena, .anew = true};
    const struct type *merged;
    TRY(merge_types(&m, have, want, "", &merged, err));
    *out = type_same(merged, have) ? have : type_copy(arena, merged);
    return true;
}

bool delta_is_partition(const struct delta_sink *d, const char *name)
{
    for (uint32_t i = 0; i < d->partition_count; i++)
        if (str_eq_nocase(str_of(d->partition[i]), str_of(name)))
            return true;
    return false;
}

bool delta_follow_schema(struct delta_sink *d, const struct type *rows, struct err *err)
{
    if (d->rows && type_same(d->rows, rows))
        return true;
    TRY(delta_files_close(d,
                          err)); /* they have the old columns, which is fine: the new ones are NULL there */
    struct arena *arena = pool_arena(pool_new(
        d->sink->pool, "schema")); /* schemas change rarely: the old one stays until the sink closes */
    const struct type *have = d->schema ? d->schema : d->table.version >= 0 ? d->table.schema : NULL;
    const struct type *stored = type_copy(arena, delta_type(arena, rows)), *wider;
    TRY(delta_check_names(stored, err));
    if (have == NULL)
        wider = type_nullable(arena, stored);
    else
        TRY(delta_merge_schema(d, arena, have, stored, &wider, err));
    if (have == NULL || !type_equal(wider, have))
        d->schema_moved = true;
    d->schema = wider;
    d->rows = type_copy(arena, rows);
    d->stored = stored;
    d->drop = arena_zarray(arena, bool, stored->field_count);
    for (uint32_t i = 0; i < stored->field_count; i++)
        d->drop[i] = delta_is_partition(d, stored->fields[i].name);
    return true;
}

bool delta_check_nulls(struct delta_sink *d, const struct batch *batch, struct err *err)
{
    for (uint32_t i = 0; i < d->schema->field_count; i++) {
        const struct field *field = &d->schema->fields[i];
        if (field->nullable)
            continue;
        int index = type_field(batch->schema, str_of(field->name), true);
        if (index >= 0 && column_null_count(&batch->columns[index]) == 0)
            continue;
        err_set(err, ERR_FATAL, "column \"%s\" of the table is NOT NULL, and the stream has %s", field->name,
                index < 0 ? "no such column" : "a row with NULL in it");
        return err_hint(err, "Give it a value in the stream's query, with coalesce for example.");
    }
    return true;
}

/* ---- actions --------------------------------------------------------------------------------------------------------------------------- */

static void put_type(struct sbuf *out, const struct type *type, const struct json_node *old, bool anew);

/* The type that a simple one was before, where it is another now; else empty. */
static struct str type_before(const struct type *type, const struct json_node *old)
{
    struct sbuf now = {0};
    if (type_is_nested(type) || old == NULL || old->kind != JSON_STRING)
        return (struct str){0};
    type_to_json(type, &now);
    bool same = now.n == old->text.n + 2 && memcmp(now.p + 1, old->text.p, old->text.n) == 0;
    sbuf_fini(&now);
    return same || type->kind == TYPE_STRING ? (struct str){0} : old->text;
}

/* What has become wider in a field, down to the structs in it, as entries of delta.typeChanges. Returns whether there is any. As deep as types are. */
static bool put_changes(struct sbuf *out, const struct type *type, const struct json_node *old,
                        const char *path, bool any)
{
    static const char *const of_list[] = {"elementType"}, *const of_map[] = {"keyType", "valueType"};
    static const char *const list_paths[] = {"element"}, *const map_paths[] = {"key", "value"};
    char inner[TYPE_DEPTH_MAX * 8];
    if (type->kind == TYPE_ARRAY || type->kind == TYPE_MAP) {
        const char *const *keys = type->kind == TYPE_MAP ? of_map : of_list;
        const char *const *paths = type->kind == TYPE_MAP ? map_paths : list_paths;
        for (uint32_t i = 0; i < type->field_count; i++) {
            snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "." : "", paths[i]);
            any = put_changes(out, type->fields[i].type, json_member(old, str_of(keys[i])), inner, any);
        }
        return any;
    }
    struct str before = type_before(type, old);
    if (before.n == 0)
        return any;
    sbuf_cstr(out, any ? ",{\"toType\":" : "{\"toType\":");
    type_to_json(type, out);
    sbuf_cstr(out, ",\"fromType\":");
    sbuf_json(out, before);
    if (*path) {
        sbuf_cstr(out, ",\"fieldPath\":");
        sbuf_json(out, str_of(path));
    }
    sbuf_char(out, '}');
    return true;
}

/* A field's metadata as it was, and in it what has become wider; anew: without, for no file has an older type. */
static void put_field_metadata(struct sbuf *out, const struct json_node *metadata, struct str changes,
                               bool anew)
{
    const char *between = "";
    sbuf_char(out, '{');
    JSON_EACH(member, metadata)
    {
        if (anew && str_is(member->name, "delta.typeChanges"))
            continue;
        bool ours = changes.n && str_is(member->name, "delta.typeChanges");
        sbuf_cstr(out, between);
        sbuf_json(out, member->name);
        sbuf_char(out, ':');
        if (ours)
            sbuf_printf(out, "%.*s,%.*s]", (int)member->text.n - 1, member->text.p, STR_ARG(changes));
        else
            json_write(member, out);
        changes.n = ours ? 0 : changes.n;
        between = ",";
    }
    if (changes.n)
        sbuf_printf(out, "%s\"delta.typeChanges\":[%.*s]", between, STR_ARG(changes));
    sbuf_char(out, '}');
}

static void put_field(struct sbuf *out, const struct field *field, const struct json_node *old, bool anew)
{
    const struct json_node *metadata = json_member(old, STR("metadata"));
    sbuf_cstr(out, "{\"name\":");
    sbuf_json(out, str_of(field->name));
    sbuf_cstr(out, ",\"type\":");
    put_type(out, field->type, json_member(old, STR("type")), anew);
    sbuf_printf(out, ",\"nullable\":%s,\"metadata\":", field->nullable ? "true" : "false");
    struct sbuf changes = {0};
    if (old && !anew)
        put_changes(&changes, field->type, json_member(old, STR("type")), "", false);
    if (metadata || changes.n) {
        put_field_metadata(out, metadata, sbuf_view(&changes), anew);
    } else if (field->comment) {
        sbuf_cstr(out, "{\"comment\":");
        sbuf_json(out, str_of(field->comment));
        sbuf_char(out, '}');
    } else {
        sbuf_cstr(out, "{}");
    }
    sbuf_fini(&changes);
    sbuf_char(out, '}');
}

/* As type_to_json, with the metadata that the fields had. */
static void put_type(struct sbuf *out, const struct type *type, const struct json_node *old, bool anew)
{
    switch (type->kind) {
    case TYPE_STRUCT:
        sbuf_cstr(out, "{\"type\":\"struct\",\"fields\":[");
        for (uint32_t i = 0; i < type->field_count; i++) {
            sbuf_cstr(out, i ? "," : "");
            put_field(out, &type->fields[i], delta_field_json(old, type->fields[i].name), anew);
        }
        sbuf_cstr(out, "]}");
        break;
    case TYPE_ARRAY:
        sbuf_cstr(out, "{\"type\":\"array\",\"elementType\":");
        put_type(out, type->fields[0].type, json_member(old, STR("elementType")), anew);
        sbuf_printf(out, ",\"containsNull\":%s}", type->fields[0].nullable ? "true" : "false");
        break;
    case TYPE_MAP:
        sbuf_cstr(out, "{\"type\":\"map\",\"keyType\":");
        put_type(out, type->fields[0].type, json_member(old, STR("keyType")), anew);
        sbuf_cstr(out, ",\"valueType\":");
        put_type(out, type->fields[1].type, json_member(old, STR("valueType")), anew);
        sbuf_printf(out, ",\"valueContainsNull\":%s}", type->fields[1].nullable ? "true" : "false");
        break;
    default: type_to_json(type, out); break;
    }
}

static bool listed(const char *name, const char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void put_features(struct sbuf *out, const char *const *have, uint32_t count, const char *const *wanted,
                         uint32_t wanted_count)
{
    bool any = false;
    for (uint32_t i = 0; i < count + wanted_count; i++) {
        const char *name = i < count ? have[i] : wanted[i - count];
        if (i >= count && listed(name, have, count))
            continue;
        sbuf_cstr(out, any ? "," : "");
        sbuf_json(out, str_of(name));
        any = true;
    }
}

/* The protocol that the schema needs, where the table does not have it: plain types stay at (1, 2), which everything reads. */
static void put_protocol(struct delta_sink *d, bool widened, struct sbuf *out)
{
    static const char *const of_version_2[] = {"appendOnly", "invariants"};
    const struct delta_table *t = &d->table;
    const char *wanted[3];
    uint32_t wanted_count = 0;
    if (widened && !listed("typeWidening-preview", t->reader_features, t->reader_feature_count))
        wanted[wanted_count++] = "typeWidening";
    if (has_kind(d->schema, TYPE_TIMESTAMP_NTZ))
        wanted[wanted_count++] = "timestampNtz";
    if (has_kind(d->schema, TYPE_VARIANT) &&
        !listed("variantType-preview", t->reader_features, t->reader_feature_count))
        wanted[wanted_count++] = "variantType";
    if (t->version < 0 && wanted_count == 0) {
        sbuf_cstr(out, "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n");
        return;
    }
    bool enough = true;
    for (uint32_t i = 0; i < wanted_count; i++)
        enough = enough && t->version >= 0 &&
                 listed(wanted[i], t->reader_features, t->reader_feature_count) &&
                 listed(wanted[i], t->writer_features, t->writer_feature_count);
    if (enough)
        return;
    bool legacy = t->version < 0 || t->writer_version < 7;
    sbuf_cstr(out, "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[");
    put_features(out, t->reader_features, t->version < 0 ? 0 : t->reader_feature_count, wanted, wanted_count);
    sbuf_cstr(out, "],\"writerFeatures\":[");
    put_features(out, legacy ? of_version_2 : (const char *const *)t->writer_features,
                 legacy ? 2 : t->writer_feature_count, wanted, wanted_count);
    sbuf_cstr(out, "]}}\n");
}

static void put_first_metadata(struct delta_sink *d, struct str schema, struct sbuf *out)
{
    char uuid[37];
    os_uuid(uuid);
    sbuf_printf(
        out,
        "{\"metaData\":{\"id\":\"%s\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":",
        uuid);
    sbuf_json(out, schema);
    sbuf_cstr(out, ",\"partitionColumns\":[");
    for (uint32_t i = 0; i < d->partition_count; i++) {
        sbuf_cstr(out, i ? "," : "");
        sbuf_json(out, str_of(d->partition[i]));
    }
    sbuf_printf(out, "],\"configuration\":{},\"createdTime\":%lld}}\n",
                (long long)(os_wall().us / US_PER_MS));
}

/* With what says that types may become wider. */
static void put_configuration(struct sbuf *out, const struct json_node *configuration)
{
    sbuf_cstr(out, "{\"delta.enableTypeWidening\":\"true\"");
    JSON_EACH(member, configuration)
    {
        if (str_is(member->name, "delta.enableTypeWidening"))
            continue;
        sbuf_char(out, ',');
        sbuf_json(out, member->name);
        sbuf_char(out, ':');
        json_write(member, out);
    }
    sbuf_char(out, '}');
}

void delta_put_metadata(struct delta_sink *d, struct sbuf *out)
{
    struct arena arena = {0};
    struct sbuf schema = {0};
    const struct json_node *action = NULL, *old = NULL;
    struct str text;
    if (d->table.version >= 0)
        CHECK(json_parse(&arena, d->table.metadata, &action, NULL)); /* it was read before */
    if (json_str(action, "metaData.schemaString", &text))
        CHECK(json_parse(&arena, text, &old, NULL));
    put_type(&schema, d->schema, old, d->rewriting);
    bool widened = str_find(sbuf_view(&schema), STR("\"delta.typeChanges\""), 0) != SIZE_MAX;
    put_protocol(d, widened, out);
    const struct json_node *metadata = json_get(action, "metaData");
    bool any = false;
    if (metadata == NULL)
        put_first_metadata(d, sbuf_view(&schema), out);
    else
        sbuf_cstr(out, "{\"metaData\":{");
    JSON_EACH(member, metadata)
    {
        if (member->kind == JSON_NULL)
            continue;
        sbuf_cstr(out, any ? "," : "");
        any = true;
        sbuf_json(out, member->name);
        sbuf_char(out, ':');
        if (str_is(member->name, "schemaString"))
            sbuf_json(out, sbuf_view(&schema));
        else if (str_is(member->name, "configuration") && widened && !is_widening(&d->table))
            put_configuration(out, member);
        else
            json_write(member, out);
    }
    if (metadata && old == NULL) {
        sbuf_cstr(out, any ? ",\"schemaString\":" : "\"schemaString\":");
        sbuf_json(out, sbuf_view(&schema));
    }
    if (metadata)
        sbuf_cstr(out, "}}\n");
    sbuf_fini(&schema);
    arena_fini(&arena);
}

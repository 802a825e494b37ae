#include "job/ran.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/map.h"
#include "json/tree.h"

static const char *const modes[] = {"append", "upsert", "update", "complete"};

struct str ran_key(struct arena *arena, const char *stream)
{
    return str_of(arena_printf(arena, "stream/%s/ran", stream));
}

/* ---- state --------------------------------------------------------------------------------------------------------------- */

/* As deep as the query is nested. */
static bool keeps_state(const struct plan *plan)
{
    bool keeps = plan->streaming && (plan->kind == PLAN_AGGREGATE || plan->kind == PLAN_DISTINCT ||
                                     plan->kind == PLAN_LIMIT || plan->kind == PLAN_WATERMARK);
    for (uint32_t i = 0; i < plan->input_count; i++)
        keeps = keeps || keeps_state(plan->inputs[i]);
    return keeps;
}

static void print_state_types(const struct plan *plan, struct sbuf *text)
{
    if (plan->kind == PLAN_AGGREGATE || plan->kind == PLAN_DISTINCT)
        type_to_simple(plan->schema, text);
    for (uint32_t i = 0; plan->kind == PLAN_AGGREGATE && i < plan->expr_count; i++)
        for (uint32_t k = 0; k < plan->exprs[i]->arg_count; k++)
            type_to_simple(plan->exprs[i]->args[k]->type, text);
    for (uint32_t i = 0; i < plan->input_count; i++)
        print_state_types(plan->inputs[i], text);
}

uint64_t state_fingerprint(const struct plan *plan)
{
    struct sbuf text = {0};
    if (!keeps_state(plan))
        return 0;
    plan_print(plan, &text);
    print_state_types(plan, &text);
    uint64_t fingerprint = hash_bytes(text.p, text.n);
    sbuf_fini(&text);
    return fingerprint;
}

/* ---- written --------------------------------------------------------------------------------------------------------------- */

static void write_sink(const struct sink_def *sink, struct sbuf *text)
{
    sbuf_cstr(text, "{\"name\":");
    sbuf_json(text, str_of(sink->name));
    sbuf_printf(text, ",\"mode\":\"%s\",\"key\":[", modes[sink->mode]);
    for (uint32_t k = 0; k < sink->key_count; k++) {
        sbuf_cstr(text, k ? "," : "");
        sbuf_json(text, str_of(sink->key[k]));
    }
    sbuf_cstr(text, "]}");
}

void ran_write(const struct project *project, const struct stream_def *def, const struct plan *plan,
               struct sbuf *text)
{
    struct sbuf sql = {0};
    project_query_text(project, def, &sql);
    sbuf_cstr(text, "{\"sql\":");
    sbuf_json(text, sbuf_view(&sql));
    sbuf_printf(text, ",\"stateful\":%s,\"state\":\"%016" PRIx64 "\",\"columns\":",
                def->stateful ? "true" : "false", state_fingerprint(plan));
    type_to_json(plan->schema, text);
    sbuf_cstr(text, ",\"sinks\":[");
    for (uint32_t i = 0; i < def->sink_count; i++) {
        sbuf_cstr(text, i ? "," : "");
        write_sink(&def->sinks[i], text);
    }
    sbuf_cstr(text, "]}");
    sbuf_fini(&sql);
}

/* ---- read -------------------------------------------------------------------------------------------------------------------- */

static void read_sink(struct arena *arena, const struct json_node *node, struct ran_sink *sink)
{
    struct str name = {0}, mode = {0};
    json_str(node, "name", &name);
    json_str(node, "mode", &mode);
    *sink = (struct ran_sink){.name = str_dup(arena, name), .mode = str_dup(arena, mode)};
    const struct json_node *key = json_get(node, "key");
    sink->key = arena_array(arena, struct str, key ? key->count + 1 : 1);
    JSON_EACH(column, key)
    if (column->kind == JSON_STRING)
        sink->key[sink->key_count++] = column->text;
}

bool ran_get(struct store *store, struct arena *arena, const char *stream, struct ran *ran)
{
    struct sbuf value = {0};
    const struct json_node *root = NULL;
    struct str state = {0};
    *ran = (struct ran){0};
    bool found = store_get(store, ran_key(arena, stream), &value);
    struct str text = found ? str_n(arena_dup(arena, value.p, value.n), value.n) : STR("");
    sbuf_fini(&value);
    found = found && json_parse(arena, text, &root, NULL) && json_str(root, "sql", &ran->sql) &&
            json_bool(root, "stateful", &ran->stateful) && json_str(root, "state", &state);
    const struct json_node *columns = json_get(root, "columns"), *sinks = json_get(root, "sinks");
    if (!found || columns == NULL || sinks == NULL ||
        !type_from_json(arena, columns->text, &ran->schema, NULL))
        return false;
    ran->state = strtoull(str_dup(arena, state), NULL, 16);
    ran->sinks = arena_array(arena, struct ran_sink, sinks->count + 1);
    JSON_EACH(sink, sinks)
    read_sink(arena, sink, &ran->sinks[ran->sink_count++]);
    return true;
}

/* ---- compared --------------------------------------------------------------------------------------------------------------- */

static bool same_key(const struct ran_sink *was, const struct sink_def *sink)
{
    uint32_t found = 0;
    for (uint32_t k = 0; k < sink->key_count; k++)
        for (uint32_t i = 0; i < was->key_count; i++)
            found += str_eq_nocase(was->key[i], str_of(sink->key[k]));
    return found == sink->key_count && found == was->key_count;
}

static void print_key(const struct ran_sink *was, struct sbuf *out)
{
    for (uint32_t i = 0; i < was->key_count; i++)
        sbuf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(was->key[i]));
}

bool ran_sink_fits(const struct ran *ran, const struct sink_def *sink, struct err *err)
{
    const struct ran_sink *was = NULL;
    for (uint32_t i = 0; i < ran->sink_count; i++)
        if (strcmp(ran->sinks[i].name, sink->name) == 0)
            was = &ran->sinks[i];
    if (was == NULL || sink->kind == NULL)
        return true;
    bool was_keyed = strcmp(was->mode, modes[SINK_UPSERT]) == 0, keyed = sink->mode == SINK_UPSERT;
    if (was_keyed == keyed && (!keyed || same_key(was, sink)))
        return true;
    struct sbuf key = {0}, now = {0};
    print_key(was, &key);
    for (uint32_t k = 0; k < sink->key_count; k++)
        sbuf_printf(&now, "%s%s", k ? ", " : "", sink->key[k]);
    err_set(err, ERR_FATAL, "the table was made for mode %s%s%s and is to be written in mode %s%s%s",
            was->mode, was_keyed ? ", key " : "", was_keyed ? key.p : "", modes[sink->mode],
            keyed ? ", key " : "", keyed ? now.p : "");
    sbuf_fini(&key);
    sbuf_fini(&now);
    return err_hint(err, "Write to another table, or put the old target back.");
}

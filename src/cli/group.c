/* group list, describe, delete: consumer groups of any cluster, through Kafka's protocol. */
#include "cli/group.h"

#include <stdlib.h>

/* ---- where a group stands ------------------------------------------------------------------------------------------------ */

void group_offsets_fini(struct group_offsets *offsets)
{
    mem_free(offsets->all);
    *offsets = (struct group_offsets){0};
}

struct group_offset *group_offset_of(struct group_offsets *offsets, const char *topic, int32_t partition)
{
    for (uint32_t i = 0; i < offsets->count; i++)
        if (offsets->all[i].partition == partition && strcmp(offsets->all[i].topic, topic) == 0)
            return &offsets->all[i];
    offsets->all = mem_grow(offsets->all, &offsets->capacity, offsets->count + 1, sizeof *offsets->all);
    struct group_offset *o = &offsets->all[offsets->count++];
    *o = (struct group_offset){.topic = topic,
                               .partition = partition,
                               .leader_epoch = -1,
                               .committed = -1,
                               .start = -1,
                               .end = -1,
                               .wanted = -1};
    return o;
}

static int by_place(const void *a, const void *b)
{
    const struct group_offset *x = a, *y = b;
    int order = strcmp(x->topic, y->topic);
    return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

void group_offsets_sort(struct group_offsets *offsets)
{
    if (offsets->count > 1)
        qsort(offsets->all, offsets->count, sizeof *offsets->all, by_place);
}

bool group_offsets_committed(struct command_env *env, const char *group, struct group_offsets *offsets,
                             struct err *err)
{
    struct client_committed *committed;
    uint32_t count;
    TRY(client_group_offsets(env->kafka, pool_arena(env->pool), group, &committed, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        struct group_offset *o = group_offset_of(offsets, committed[i].place.topic,
                                                 committed[i].place.partition);
        o->committed = committed[i].offset;
        o->leader_epoch = committed[i].leader_epoch;
        o->metadata = committed[i].metadata;
    }
    return true;
}

/* The topics that offsets are of; those that are gone have their error and no partitions. */
static bool topics_of(struct command_env *env, const struct group_offsets *offsets,
                      struct client_topic **topics, uint32_t *count, struct err *err)
{
    struct arena *arena = pool_arena(env->pool);
    const char **names = arena_array(arena, const char *, offsets->count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < offsets->count; i++) {
        uint32_t k = 0;
        while (k < n && strcmp(names[k], offsets->all[i].topic) != 0)
            k++;
        if (k == n)
            names[n++] = offsets->all[i].topic;
    }
    *count = 0;
    return n == 0 || client_topics(env->kafka, arena, names, n, topics, count, err);
}

static const struct client_partition *partition_of(const struct client_topic *topics, uint32_t count,
                                                   const struct group_offset *o)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(topics[i].name, o->topic) == 0)
            return o->partition < topics[i].partition_count ? &topics[i].partitions[o->partition] : NULL;
    return NULL;
}

static bool ask_offsets(struct command_env *env, struct group_offsets *offsets, int64_t which,
                        struct client_topic *topics, uint32_t count, struct err *err)
{
    TRY(client_offsets(env->kafka, topics, count, which, false, err));
    for (uint32_t i = 0; i < offsets->count; i++) {
        struct group_offset *o = &offsets->all[i];
        const struct client_partition *p = partition_of(topics, count, o);
        int64_t found = p && p->error == 0 ? p->found : -1;
        *(which == CLIENT_EARLIEST ? &o->start : which == CLIENT_LATEST ? &o->end : &o->wanted) = found;
    }
    return true;
}

bool group_offsets_ends(struct command_env *env, struct group_offsets *offsets, struct err *err)
{
    struct client_topic *topics;
    uint32_t count;
    TRY(topics_of(env, offsets, &topics, &count, err));
    return count == 0 || (ask_offsets(env, offsets, CLIENT_EARLIEST, topics, count, err) &&
                          ask_offsets(env, offsets, CLIENT_LATEST, topics, count, err));
}

bool group_offsets_times(struct command_env *env, struct group_offsets *offsets, int64_t time_ms,
                         struct err *err)
{
    struct client_topic *topics;
    uint32_t count;
    TRY(topics_of(env, offsets, &topics, &count, err));
    return count == 0 || ask_offsets(env, offsets, time_ms, topics, count, err);
}

struct str group_text(const char *text)
{
    return text ? str_of(text) : STR("-");
}

struct str group_number(struct arena *arena, int64_t n)
{
    return n < 0 ? STR("-") : str_of(arena_printf(arena, "%lld", (long long)n));
}

/* ---- list ------------------------------------------------------------------------------------------------------------------ */

/* ,"name":"text", or null */
static void put_text(struct sbuf *out, const char *name, const char *text)
{
    sbuf_printf(out, "%s\"%s\":", out->n && out->p[out->n - 1] != '{' ? "," : "", name);
    if (text)
        sbuf_json(out, str_of(text));
    else
        sbuf_cstr(out, "null");
}

static void put_number(struct sbuf *out, const char *name, int64_t n)
{
    sbuf_printf(out, ",\"%s\":", name);
    if (n < 0)
        sbuf_cstr(out, "null");
    else
        sbuf_printf(out, "%lld", (long long)n);
}

static void group_json(struct sbuf *out, const struct client_group *g)
{
    sbuf_char(out, '{');
    put_text(out, "group", g->id);
    put_text(out, "type", g->type);
    put_text(out, "state", g->state);
    put_text(out, "protocol", g->protocol_type);
    put_number(out, "coordinator", g->coordinator);
}

static int look_list(struct command_env *env)
{
    static const struct table_column columns[] = {{.name = "group"},
                                                  {.name = "type"},
                                                  {.name = "state"},
                                                  {.name = "protocol"},
                                                  {.name = "coordinator", .right = true}};
    struct arena *arena = pool_arena(env->pool);
    struct client_group *groups;
    struct table table;
    struct err err;
    uint32_t count;
    bool json;
    if (!command_wants_json(env, &json, &err) || !client_groups(env->kafka, arena, &groups, &count, &err))
        return env_fail(env, &err, NULL);
    if (!json)
        table_init(&table, env, columns, 5);
    for (uint32_t i = 0; i < count; i++) {
        const struct client_group *g = &groups[i];
        if (json) {
            group_json(&env->out, g);
            env_add(env, STR("}\n"));
            continue;
        }
        const struct str cells[] = {str_of(g->id), str_of(g->type), str_of(g->state),
                                    str_of(g->protocol_type), group_number(arena, g->coordinator)};
        table_row(&table, cells);
    }
    if (!json)
        table_end(&table, false);
    return EXIT_DONE;
}

/* ---- describe -------------------------------------------------------------------------------------------------------------- */

static int64_t lag_of(const struct group_offset *o)
{
    if (o->committed < 0 || o->end < 0)
        return -1;
    return o->end > o->committed ? o->end - o->committed : 0;
}

static int by_assigned(const void *a, const void *b)
{
    const struct client_place *x = a, *y = b;
    int order = strcmp(x->topic, y->topic);
    return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* "orders[0,1,2] payments[0]" */
static struct str assignment_text(struct arena *arena, struct client_member *m)
{
    struct sbuf text = {0};
    if (m->assigned_count > 1)
        qsort(m->assigned, m->assigned_count, sizeof *m->assigned, by_assigned);
    for (uint32_t i = 0; i < m->assigned_count; i++) {
        const struct client_place *place = &m->assigned[i];
        bool same = i > 0 && strcmp(place->topic, place[-1].topic) == 0;
        if (!same)
            sbuf_printf(&text, "%s%s[", i ? "] " : "", place->topic);
        sbuf_printf(&text, "%s%d", same ? "," : "", place->partition);
    }
    if (m->assigned_count > 0)
        sbuf_char(&text, ']');
    struct str copy = str_of(str_dup(arena, sbuf_view(&text)));
    sbuf_fini(&text);
    return copy;
}

static void describe_json(struct command_env *env, const struct client_group_info *info,
                          const struct group_offsets *offsets)
{
    struct sbuf *out = &env->out;
    group_json(out, &info->group);
    put_text(out, "assignor", info->assignor);
    sbuf_cstr(out, ",\"members\":[");
    for (uint32_t i = 0; i < info->member_count; i++) {
        const struct client_member *m = &info->members[i];
        sbuf_cstr(out, i ? ",{" : "{");
        put_text(out, "id", m->id);
        put_text(out, "instance", m->instance);
        put_text(out, "client", m->client);
        put_text(out, "host", m->host);
        sbuf_cstr(out, ",\"assigned\":[");
        for (uint32_t k = 0; k < m->assigned_count; k++) {
            sbuf_cstr(out, k ? ",{" : "{");
            put_text(out, "topic", m->assigned[k].topic);
            sbuf_printf(out, ",\"partition\":%d}", m->assigned[k].partition);
        }
        sbuf_cstr(out, "]}");
    }
    sbuf_cstr(out, "],\"offsets\":[");
    for (uint32_t i = 0; i < offsets->count; i++) {
        const struct group_offset *o = &offsets->all[i];
        sbuf_cstr(out, i ? ",{" : "{");
        put_text(out, "topic", o->topic);
        sbuf_printf(out, ",\"partition\":%d", o->partition);
        put_number(out, "committed", o->committed);
        put_number(out, "end", o->end);
        put_number(out, "lag", lag_of(o));
        put_text(out, "member", o->member ? o->member->id : NULL);
        sbuf_char(out, '}');
    }
    sbuf_cstr(out, "]}\n");
}

static void describe_members(struct command_env *env, const struct client_group_info *info)
{
    static const struct table_column columns[] = {
        {.name = "member"}, {.name = "client"}, {.name = "host"}, {.name = "instance"}, {.name = "assigned"}};
    struct table table;
    table_init(&table, env, columns, 5);
    for (uint32_t i = 0; i < info->member_count; i++) {
        struct client_member *m = &info->members[i];
        const struct str cells[] = {str_of(m->id), str_of(m->client), str_of(m->host),
                                    group_text(m->instance), assignment_text(pool_arena(env->pool), m)};
        table_row(&table, cells);
    }
    table_end(&table, false);
    env_print(env, "\n");
}

static void describe_offsets(struct command_env *env, const struct group_offsets *offsets)
{
    static const struct table_column columns[] = {{.name = "topic"},
                                                  {.name = "partition", .right = true},
                                                  {.name = "committed", .right = true},
                                                  {.name = "end", .right = true},
                                                  {.name = "lag", .right = true},
                                                  {.name = "client"},
                                                  {.name = "host"}};
    struct arena *arena = pool_arena(env->pool);
    struct table table;
    table_init(&table, env, columns, 7);
    for (uint32_t i = 0; i < offsets->count; i++) {
        const struct group_offset *o = &offsets->all[i];
        const struct str cells[] = {str_of(o->topic),
                                    group_number(arena, o->partition),
                                    group_number(arena, o->committed),
                                    group_number(arena, o->end),
                                    group_number(arena, lag_of(o)),
                                    group_text(o->member ? o->member->client : NULL),
                                    group_text(o->member ? o->member->host : NULL)};
        table_row(&table, cells);
    }
    table_end(&table, false);
}

static const char *address_of(struct command_env *env, int32_t node)
{
    struct client_brokers brokers;
    struct err ignored;
    if (client_brokers(env->kafka, pool_arena(env->pool), &brokers, &ignored))
        for (uint32_t i = 0; i < brokers.count; i++)
            if (brokers.all[i].node == node)
                return brokers.all[i].address;
    return "?";
}

static void describe_text(struct command_env *env, const struct client_group_info *info,
                          const struct group_offsets *offsets)
{
    int64_t lag = 0;
    for (uint32_t i = 0; i < offsets->count; i++)
        lag += lag_of(&offsets->all[i]) > 0 ? lag_of(&offsets->all[i]) : 0;
    env_print(env, "group       %s\ntype        %s\nstate       %s\n", info->group.id, info->group.type,
              env_visible(env, info->group.state));
    if (info->group.protocol_type[0])
        env_print(env, "protocol    %s\n", env_visible(env, info->group.protocol_type));
    if (info->assignor[0])
        env_print(env, "assignor    %s\n", env_visible(env, info->assignor));
    env_print(env, "coordinator %d (%s)\nmembers     %u\nlag         %lld\n\n", info->group.coordinator,
              env_visible(env, address_of(env, info->group.coordinator)), info->member_count, (long long)lag);
    if (info->member_count > 0)
        describe_members(env, info);
    describe_offsets(env, offsets);
}

static bool look_at(struct command_env *env, struct client_group_info *info, struct group_offsets *offsets,
                    struct err *err)
{
    const char *id = env->args->operands[0];
    TRY(client_group(env->kafka, pool_arena(env->pool), id, info, err));
    TRY(group_offsets_committed(env, id, offsets, err));
    for (uint32_t i = 0; i < info->member_count; i++)
        for (uint32_t k = 0; k < info->members[i].assigned_count; k++) {
            const struct client_place *place = &info->members[i].assigned[k];
            group_offset_of(offsets, place->topic, place->partition)->member = &info->members[i];
        }
    group_offsets_sort(offsets);
    return group_offsets_ends(env, offsets, err);
}

static int look_describe(struct command_env *env)
{
    struct client_group_info info;
    struct group_offsets offsets = {0};
    struct err err;
    bool json;
    bool ok = command_wants_json(env, &json, &err) && look_at(env, &info, &offsets, &err);
    if (ok && json)
        describe_json(env, &info, &offsets);
    else if (ok)
        describe_text(env, &info, &offsets);
    group_offsets_fini(&offsets);
    return ok ? EXIT_DONE : env_fail(env, &err, NULL);
}

/* ---- delete ---------------------------------------------------------------------------------------------------------------- */

/* All that the group has committed in one topic. */
static bool forget_topic(struct command_env *env, const char *id, const char *topic, uint32_t *forgotten,
                         struct err *err)
{
    struct client_committed *all;
    uint32_t count;
    *forgotten = 0;
    TRY(client_group_offsets(env->kafka, pool_arena(env->pool), id, &all, &count, err));
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(all[i].place.topic, topic) == 0)
            all[(*forgotten)++] = all[i];
    if (*forgotten == 0)
        return err_set(err, ERR_CONFIG, "group \"%s\" has committed nothing in topic \"%s\"", id, topic);
    return client_group_forget(env->kafka, id, all, *forgotten, err);
}

static int look_delete(struct command_env *env)
{
    const char *id = env->args->operands[0], *topic = cli_value(env->args, "--topic");
    struct err err;
    uint32_t forgotten;
    if (topic) {
        if (!forget_topic(env, id, topic, &forgotten, &err))
            return env_fail(env, &err, NULL);
        env_note(env, "group \"%s\": %u offset%s in topic \"%s\" forgotten", id, forgotten,
                 forgotten == 1 ? "" : "s", topic);
        return EXIT_DONE;
    }
    if (!client_group_delete(env->kafka, id, &err))
        return env_fail(env, &err, NULL);
    env_note(env, "group \"%s\" deleted", id);
    return EXIT_DONE;
}

/* ---- the commands ---------------------------------------------------------------------------------------------------------- */

static const struct cli_flag look_flags[] = {
    {"--output", "-o", "FORMAT", "table (default) or json"}, CLI_BOOTSTRAP_FLAG, {0}};
static const struct cli_flag delete_flags[] = {
    {"--topic", "-t", "TOPIC", "only what the group has committed in that topic"}, CLI_BOOTSTRAP_FLAG, {0}};

extern const struct cli_command command_group_list, command_group_describe, command_group_delete;
const struct cli_command command_group_list = {
    .name = "group list",
    .operands = "[DIR]",
    .summary = "lists consumer groups",
    .flags = look_flags,
    .operands_max = 1,
    .kafka = CLI_KAFKA_ALWAYS,
    .look = look_list,
};
const struct cli_command command_group_describe = {
    .name = "group describe",
    .operands = "GROUP [DIR]",
    .summary = "shows a consumer group: members, offsets, lag",
    .flags = look_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .kafka = CLI_KAFKA_ALWAYS,
    .look = look_describe,
};
const struct cli_command command_group_delete = {
    .name = "group delete",
    .operands = "GROUP [DIR]",
    .summary = "deletes a consumer group without members, or its offsets of a topic",
    .flags = delete_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .kafka = CLI_KAFKA_ALWAYS,
    .look = look_delete,
};

/* group reset: where a group goes on reading. What is to change is worked out as a whole, then shown, then committed as a whole. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/group.h"
#include "conf/option.h"
#include "os/os.h"
#include "type/timestamp.h"

enum { FILE_BYTES_MAX = 16 << 20 };

enum goal {
    TO_EARLIEST,
    TO_LATEST,
    TO_OFFSET,
    TO_DATETIME,
    BY_DURATION,
    SHIFT_BY,
    TO_CURRENT,
    FROM_FILE,
    GOALS
};

static const char *const goal_names[GOALS] = {"--to-earliest", "--to-latest", "--to-offset",  "--to-datetime",
                                              "--by-duration", "--shift-by",  "--to-current", "--from-file"};

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

struct reset {
    struct command_env *env;
    const char *group;
    enum goal goal;
    const char *value;
    int64_t number;  /* TO_OFFSET, SHIFT_BY */
    int64_t time_ms; /* TO_DATETIME, BY_DURATION */
    enum output output;
    struct group_offsets committed, chosen;
    uint32_t moved; /* into the partition's bounds */
};

/* ---- options --------------------------------------------------------------------------------------------------------------- */

/* Java's "P7DT1H30M" as "7d1h30m"; others as they are. */
static bool read_duration(struct arena *arena, const char *text, int64_t *ms, struct err *err)
{
    char *plain = arena_strdup(arena, text), *to = plain;
    for (const char *p = text; text[0] == 'P' && *p; p++)
        if (*p != 'P' && *p != 'T')
            *to++ = (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p);
    if (text[0] == 'P')
        *to = '\0';
    return conf_text_duration(str_of(plain), ms, err);
}

static bool read_goal(struct reset *r, struct err *err)
{
    const struct cli_args *args = r->env->args;
    int given = 0;
    int64_t us;
    for (int i = 0; i < GOALS; i++) {
        if (!cli_given(args, goal_names[i]))
            continue;
        r->goal = (enum goal)i;
        r->value = cli_value(args, goal_names[i]);
        given++;
    }
    if (given != 1) {
        err_set(err, ERR_CONFIG,
                given ? "more than one place is given to go to" : "no place is given to go to");
        return err_hint(err, "One of --to-earliest, --to-latest, --to-offset, --to-datetime, --by-duration, "
                             "--shift-by, --to-current, --from-file.");
    }
    if ((r->goal == TO_OFFSET || r->goal == SHIFT_BY) &&
        (!str_to_i64(str_of(r->value), &r->number) || (r->goal == TO_OFFSET && r->number < 0)))
        return err_set(err, ERR_CONFIG, "\"%s\" is no number of records", r->value);
    if (r->goal == TO_DATETIME) {
        if (!timestamp_parse(str_of(r->value), r->env->project->zone, NULL, &us))
            return err_set(err, ERR_CONFIG, "\"%s\" is no time", r->value) ||
                   err_hint(err, "Write it as 2024-01-02T03:04:05Z.");
        r->time_ms = us / US_PER_MS;
    }
    if (r->goal == BY_DURATION) {
        TRY(read_duration(pool_arena(r->env->pool), r->value, &r->number, err));
        r->time_ms = os_wall().us / US_PER_MS - r->number;
    }
    return true;
}

static bool read_output(struct reset *r, struct err *err)
{
    static const char *const names[] = {"table", "json", "csv"};
    const char *text = cli_value(r->env->args, "--output");
    for (int i = 0; i < 3; i++)
        if (text == NULL || strcmp(text, names[i]) == 0) {
            r->output = (enum output)i;
            return true;
        }
    err_set(err, ERR_CONFIG, "unknown output format \"%s\"", text);
    return err_hint(err, "There are table, json, and csv, which --from-file reads.");
}

/* ---- which partitions -------------------------------------------------------------------------------------------------------- */

static struct group_offset *choose(struct reset *r, const char *topic, int32_t partition)
{
    struct group_offset *chosen = group_offset_of(&r->chosen, topic, partition);
    for (uint32_t i = 0; i < r->committed.count; i++)
        if (r->committed.all[i].partition == partition && strcmp(r->committed.all[i].topic, topic) == 0)
            *chosen = r->committed.all[i];
    return chosen;
}

static bool has_partition(const struct client_topic *topic, int64_t partition, struct err *err)
{
    return (partition >= 0 && partition < topic->partition_count) ||
           err_set(err, ERR_CONFIG, "topic \"%s\" has no partition %lld", topic->name, (long long)partition);
}

/* "topic" or "topic:0,2" */
static bool choose_topic(struct reset *r, struct str text, struct err *err)
{
    struct arena *arena = pool_arena(r->env->pool);
    struct client_topic topic;
    size_t colon = str_find(text, STR(":"), 0);
    TRY(client_topic(r->env->kafka, arena, str_dup(arena, str_n(text.p, colon == SIZE_MAX ? text.n : colon)),
                     &topic, err));
    for (int32_t p = 0; colon == SIZE_MAX && p < topic.partition_count; p++)
        choose(r, topic.name, p);
    struct str rest = colon == SIZE_MAX ? STR("") : str_n(text.p + colon + 1, text.n - colon - 1);
    while (rest.n > 0) {
        int64_t partition;
        size_t comma = str_find(rest, STR(","), 0);
        struct str one = str_trim(str_n(rest.p, comma == SIZE_MAX ? rest.n : comma));
        rest = comma == SIZE_MAX ? STR("") : str_n(rest.p + comma + 1, rest.n - comma - 1);
        if (!str_to_i64(one, &partition))
            return err_set(err, ERR_CONFIG, "\"%.*s\" is no partition's number", STR_ARG(one));
        TRY(has_partition(&topic, partition, err));
        choose(r, topic.name, (int32_t)partition);
    }
    return true;
}

static bool choose_topics(struct reset *r, const char *text, struct err *err)
{
    for (struct str rest = str_of(text); rest.n > 0;) {
        size_t end = str_find(rest, STR(";"), 0);
        struct str one = str_trim(str_n(rest.p, end == SIZE_MAX ? rest.n : end));
        rest = end == SIZE_MAX ? STR("") : str_n(rest.p + end + 1, rest.n - end - 1);
        if (one.n > 0)
            TRY(choose_topic(r, one, err));
    }
    return true;
}

static bool read_all(struct reset *r, struct sbuf *text, struct err *err)
{
    if (strcmp(r->value, "-") != 0)
        return os_read_file(env_path(r->env, r->value), FILE_BYTES_MAX, text, err);
    for (size_t got = 1; got > 0;) {
        enum { PIECE = 64 * 1024 };
        TRY(r->env->read(r->env, sbuf_reserve(text, PIECE), PIECE, &got, err));
        sbuf_added(text, got);
        if (text->n > FILE_BYTES_MAX)
            return err_set(err, ERR_DATA, "more than %d bytes", FILE_BYTES_MAX);
    }
    return true;
}

/* The next field of a line, behind commas or white space, without its quotes. */
static struct str next_field(struct str *line)
{
    size_t at = 0, end;
    while (at < line->n && strchr(", \t\r", line->p[at]))
        at++;
    for (end = at; end < line->n && !strchr(", \t\r", line->p[end]);)
        end++;
    struct str field = str_n(line->p + at, end - at);
    *line = str_n(line->p + end, line->n - end);
    if (field.n >= 2 && field.p[0] == '"' && field.p[field.n - 1] == '"')
        field = str_n(field.p + 1, field.n - 2);
    return field;
}

/* Lines of topic, partition, offset: as kafka-consumer-groups exports them, with commas, or rpk, with blanks. */
static bool choose_from_text(struct reset *r, struct str text, struct err *err)
{
    struct arena *arena = pool_arena(r->env->pool);
    for (int number = 1; text.n > 0; number++) {
        size_t end = str_find(text, STR("\n"), 0);
        struct str line = str_trim(str_n(text.p, end == SIZE_MAX ? text.n : end));
        text = end == SIZE_MAX ? STR("") : str_n(text.p + end + 1, text.n - end - 1);
        if (line.n == 0)
            continue;
        struct str topic = next_field(&line), partition = next_field(&line), offset = next_field(&line);
        int64_t p, o;
        if (topic.n == 0 || !str_to_i64(partition, &p) || p < 0 || p > INT32_MAX || !str_to_i64(offset, &o) ||
            o < 0 || str_trim(line).n > 0) {
            err_set(err, ERR_CONFIG, "%s:%d: a line is topic, partition and offset", r->value, number);
            return err_hint(err, "As in: orders,0,1250.");
        }
        choose(r, str_dup(arena, topic), (int32_t)p)->wanted = o;
    }
    return true;
}

static bool choose_all(struct reset *r, struct err *err)
{
    const char *topics = cli_value(r->env->args, "--topic");
    struct sbuf text = {0};
    if (r->goal == FROM_FILE) {
        if (topics)
            return err_set(err, ERR_CONFIG, "--topic has no meaning beside --from-file");
        bool ok = read_all(r, &text, err) && choose_from_text(r, sbuf_view(&text), err);
        sbuf_fini(&text);
        TRY(ok);
        return r->chosen.count > 0 || err_set(err, ERR_CONFIG, "%s names no offset", r->value);
    }
    if (topics)
        return choose_topics(r, topics, err);
    for (uint32_t i = 0; i < r->committed.count; i++)
        choose(r, r->committed.all[i].topic, r->committed.all[i].partition);
    if (r->chosen.count > 0)
        return true;
    err_set(err, ERR_CONFIG, "group \"%s\" has committed nothing", r->group);
    return err_hint(err, "Name the topics: --topic TOPIC.");
}

/* ---- what is to be ------------------------------------------------------------------------------------------------------------- */

static int64_t wanted_of(const struct reset *r, const struct group_offset *o)
{
    switch (r->goal) {
    case TO_EARLIEST: return o->start;
    case TO_LATEST: return o->end;
    case TO_OFFSET: return r->number;
    case TO_DATETIME:
    case BY_DURATION: return o->wanted < 0 ? o->end : o->wanted;
    case SHIFT_BY: return (o->committed < 0 ? o->start : o->committed) + r->number;
    case TO_CURRENT: return o->committed < 0 ? o->end : o->committed;
    case FROM_FILE: return o->wanted;
    default: UNREACHABLE("a goal");
    }
}

static bool work_out(struct reset *r, struct err *err)
{
    if (r->goal == TO_DATETIME || r->goal == BY_DURATION)
        TRY(group_offsets_times(r->env, &r->chosen, r->time_ms, err));
    TRY(group_offsets_ends(r->env, &r->chosen, err));
    for (uint32_t i = 0; i < r->chosen.count; i++) {
        struct group_offset *o = &r->chosen.all[i];
        if (o->start < 0 || o->end < 0)
            return err_set(err, ERR_FATAL, "topic \"%s\", partition %d: its offsets are not known", o->topic,
                           o->partition) ||
                   err_hint(err, "If the topic is gone: sluice group delete %s --topic %s.", r->group,
                            o->topic);
        int64_t wanted = wanted_of(r, o);
        o->wanted = wanted < o->start ? o->start : wanted > o->end ? o->end : wanted;
        r->moved += o->wanted != wanted;
    }
    return true;
}

/* Only a group without members: they would go on with what they have, and commit over it. */
static bool may_change(struct reset *r, struct err *err)
{
    struct client_group_info info;
    bool creates = r->goal == FROM_FILE || cli_given(r->env->args, "--topic");
    if (!client_group(r->env->kafka, pool_arena(r->env->pool), r->group, &info, err))
        return creates && err->code == KAFKA_ERR_GROUP_ID_NOT_FOUND;
    if (info.member_count == 0)
        return true;
    err_set(err, ERR_FATAL, "group \"%s\" has %u member%s, and would not heed a reset", r->group,
            info.member_count, info.member_count == 1 ? "" : "s");
    return err_hint(err, "Stop its consumers first; `sluice group describe %s` names them.", r->group);
}

static bool commit(struct reset *r, struct err *err)
{
    struct client_committed *offsets = arena_zarray(pool_arena(r->env->pool), struct client_committed,
                                                    r->chosen.count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->chosen.count; i++) {
        const struct group_offset *o = &r->chosen.all[i];
        offsets[count++] = (struct client_committed){
            .place = {o->topic, o->partition}, .offset = o->wanted, .leader_epoch = -1, .metadata = ""};
    }
    return client_group_commit(r->env->kafka, r->group, offsets, count, err);
}

static void show(struct reset *r)
{
    static const struct table_column columns[] = {{.name = "topic"},
                                                  {.name = "partition", .right = true},
                                                  {.name = "from", .right = true},
                                                  {.name = "to", .right = true},
                                                  {.name = "lag", .right = true}};
    struct arena *arena = pool_arena(r->env->pool);
    struct table table;
    if (r->output == OUTPUT_TABLE)
        table_init(&table, r->env, columns, 5);
    for (uint32_t i = 0; i < r->chosen.count; i++) {
        const struct group_offset *o = &r->chosen.all[i];
        if (r->output == OUTPUT_CSV) {
            env_print(r->env, "%s,%d,%lld\n", o->topic, o->partition, (long long)o->wanted);
        } else if (r->output == OUTPUT_JSON) {
            const char *from = o->committed < 0 ? "null"
                                                : arena_printf(arena, "%lld", (long long)o->committed);
            sbuf_cstr(&r->env->out, "{\"topic\":");
            sbuf_json(&r->env->out, str_of(o->topic));
            env_print(r->env, ",\"partition\":%d,\"from\":%s,\"to\":%lld,\"lag\":%lld}\n", o->partition, from,
                      (long long)o->wanted, (long long)(o->end - o->wanted));
        } else {
            const struct str cells[] = {str_of(o->topic), group_number(arena, o->partition),
                                        group_number(arena, o->committed), group_number(arena, o->wanted),
                                        group_number(arena, o->end - o->wanted)};
            table_row(&table, cells);
        }
    }
    if (r->output == OUTPUT_TABLE)
        table_end(&table, false);
}

static bool plan(struct reset *r, struct err *err)
{
    TRY(read_goal(r, err));
    TRY(read_output(r, err));
    TRY(may_change(r, err));
    TRY(group_offsets_committed(r->env, r->group, &r->committed, err));
    TRY(choose_all(r, err));
    group_offsets_sort(&r->chosen);
    return work_out(r, err);
}

static int look_reset(struct command_env *env)
{
    struct reset r = {.env = env, .group = env->args->operands[0]};
    struct err err;
    bool dry = cli_given(env->args, "--dry-run");
    bool ok = plan(&r, &err) && (dry || commit(&r, &err));
    if (ok)
        show(&r);
    if (ok && r.moved > 0)
        env_note(env, "%u place%s outside what the partition holds: the nearest one is taken", r.moved,
                 r.moved == 1 ? " is" : "s are");
    if (ok && dry)
        env_note(env, "nothing was changed (--dry-run)");
    else if (ok)
        env_note(env, "group \"%s\": %u offset%s set", r.group, r.chosen.count,
                 r.chosen.count == 1 ? "" : "s");
    group_offsets_fini(&r.committed);
    group_offsets_fini(&r.chosen);
    return ok ? EXIT_DONE : env_fail(env, &err, NULL);
}

static const struct cli_flag flags[] = {
    {"--to-earliest", NULL, NULL, "to the first records that there are"},
    {"--to-latest", NULL, NULL, "to the end"},
    {"--to-offset", NULL, "OFFSET", "to that offset"},
    {"--to-datetime", NULL, "TIME", "to the first records of that time or later: 2024-01-02T03:04:05Z"},
    {"--by-duration", NULL, "DURATION", "so long before now: 1h30m, PT1H30M"},
    {"--shift-by", NULL, "COUNT", "so many records on, or back: -100"},
    {"--to-current", NULL, NULL, "to where the group is; to the end where it has committed nothing"},
    {"--from-file", NULL, "FILE", "lines of topic, partition, offset; - is stdin"},
    {"--topic", "-t", "TOPICS", "TOPIC[:P,…][;…]: these only; default: all in which the group has committed"},
    {"--dry-run", NULL, NULL, "shows what would change"},
    {"--output", "-o", "FORMAT", "table (default), json, or csv, which --from-file reads"},
    CLI_BOOTSTRAP_FLAG,
    {0},
};

extern const struct cli_command command_group_reset;
const struct cli_command command_group_reset = {
    .name = "group reset",
    .operands = "GROUP [DIR]",
    .summary = "sets where a consumer group without members goes on",
    .help = "    sluice group reset billing --to-earliest --dry-run\n"
            "    sluice group reset billing --topic orders:0,1 --by-duration 2h",
    .flags = flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .kafka = CLI_KAFKA_ALWAYS,
    .look = look_reset,
};

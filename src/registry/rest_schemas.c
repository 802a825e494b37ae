/* /schemas: by id, by guid, all of them. */
#include "registry/rest_private.h"
#include "registry/subject.h"
#include "schema/text.h"

/* The subject that the query names, which tells contexts and versions apart; p NULL: none. */
static struct str subject_hint(struct rest *r)
{
    struct str subject = rest_text(r, "subject");
    struct config config;
    if (r->context.p != NULL && !str_starts(subject, STR(":.")) && !str_starts(subject, STR(":*:")))
        subject = str_of(arena_printf(r->work.arena, "%.*s%.*s", STR_ARG(r->context), STR_ARG(subject)));
    if (subject.n > 0 && config_of(&r->work, subject, &config) && config.fields[CONFIG_ALIAS].n > 0)
        subject = subject_beside(r->work.arena, subject, config.fields[CONFIG_ALIAS]);
    return subject;
}

static bool id_of(struct rest *r, int32_t *id)
{
    int64_t number;
    if (!str_to_i64(r->segments[2], &number) || number < INT32_MIN || number > INT32_MAX)
        return refuse(&r->work, 404, "HTTP 404 Not Found");
    *id = (int32_t)number;
    return true;
}

static bool refuse_id(struct rest *r, int32_t id)
{
    return refuse(&r->work, CODE_SCHEMA_NOT_FOUND, "Schema %d not found", (int)id);
}

static bool find_shown(struct rest *r, struct str subject, struct shown *shown)
{
    struct str where;
    int32_t id, version;
    TRY(id_of(r, &id));
    if (find_id(&r->work, id, subject, &where, &version) == NULL)
        return refuse_id(r, id);
    *shown = shown_of(where, state_version(r->work.state, where, version));
    TRY(rest_find_tags(r, shown));
    return rest_format(r, shown);
}

static bool get_schema(struct rest *r)
{
    struct str subject = subject_hint(r);
    struct shown shown;
    TRY(find_shown(r, subject, &shown));
    unsigned what = subject.p ? SHOW_SUBJECT | SHOW_VERSION : 0;
    if (subject.p && str_is(rest_text(r, "referenceFormat"), "qualified"))
        what |= SHOW_QUALIFIED;
    sbuf_char(&r->out, '{');
    if (rest_bool(r, "fetchMaxId"))
        sbuf_printf(&r->out, "\"maxId\":%d,",
                    (int)state_context(r->work.state, subject_split(shown.subject).context)->max_id);
    rest_show(r, &shown, what);
    sbuf_char(&r->out, '}');
    return true;
}

static bool get_text(struct rest *r)
{
    struct shown shown;
    TRY(find_shown(r, subject_hint(r), &shown));
    sbuf_str(&r->out, shown.text);
    return true;
}

/* One for each subject: its newest version with that id. */
static bool list_users(struct rest *r, bool with_versions)
{
    struct str where;
    int32_t id, version;
    size_t count;
    struct rest_page page;
    bool deleted = rest_bool(r, "deleted");
    TRY(id_of(r, &id));
    TRY(rest_page(r, INT32_MAX, &page));
    const struct state_content *content = find_id(&r->work, id, subject_hint(r), &where, &version);
    if (content == NULL)
        return refuse(&r->work, CODE_SCHEMA_NOT_FOUND, "Schema not found");
    const struct state_use *uses = state_uses(content, &count);
    sbuf_char(&r->out, '[');
    for (size_t i = 0; i < count && page.limit > 0; i++) {
        const struct state_version *v = state_version_by_id(uses[i].subject, id);
        if (v->version != uses[i].version || (v->deleted && !deleted) || page.offset-- > 0)
            continue;
        if (r->out.n > 1)
            sbuf_char(&r->out, ',');
        if (with_versions)
            sbuf_cstr(&r->out, "{\"subject\":");
        text_string(&r->out, state_subject_name(uses[i].subject));
        if (with_versions)
            sbuf_printf(&r->out, ",\"version\":%d}", (int)v->version);
        page.limit--;
    }
    sbuf_char(&r->out, ']');
    return true;
}

static bool list_subjects(struct rest *r)
{
    return list_users(r, false);
}

static bool list_versions(struct rest *r)
{
    return list_users(r, true);
}

/* ---- guids --------------------------------------------------------------------------------------------------------------------- */

static size_t contents_of_guid(struct rest *r, const struct state_content ***contents)
{
    uint8_t guid[16];
    return guid_parse(r->segments[2], guid) ? find_guid(&r->work, guid, contents) : 0;
}

static bool get_by_guid(struct rest *r)
{
    const struct state_content **contents;
    size_t uses_count;
    if (contents_of_guid(r, &contents) == 0)
        return refuse(&r->work, CODE_SCHEMA_NOT_FOUND, "Schema %.*s not found", STR_ARG(r->segments[2]));
    const struct state_use *uses = state_uses(contents[0], &uses_count);
    struct str name = state_subject_name(uses[0].subject);
    struct shown shown = shown_of(name, state_version(r->work.state, name, uses[0].version));
    TRY(rest_format(r, &shown));
    sbuf_char(&r->out, '{');
    rest_show(r, &shown, 0);
    sbuf_char(&r->out, '}');
    return true;
}

static bool list_ids_of_guid(struct rest *r)
{
    const struct state_content **contents;
    size_t count = contents_of_guid(r, &contents);
    sbuf_char(&r->out, '[');
    for (size_t i = 0; i < count; i++) {
        sbuf_cstr(&r->out, i ? ",{\"context\":" : "{\"context\":");
        text_string(&r->out, contents[i]->context->name);
        sbuf_printf(&r->out, ",\"id\":%d}", (int)contents[i]->id);
    }
    sbuf_char(&r->out, ']');
    return true;
}

/* ---- all of them --------------------------------------------------------------------------------------------------------------- */

struct listing {
    struct rest *r;
    bool deleted, latest_only, aliases;
    struct str rule_type;
    struct rest_page page;
};

/* Subjects that say that they are an alias of this one. */
static void show_aliases(struct listing *l, struct str subject)
{
    struct work *w = &l->r->work;
    struct str *names;
    struct config config;
    struct sbuf out = {0};
    size_t count = l->aliases ? state_configured(w->state, w->arena, STR(""), &names) : 0;
    for (size_t i = 0; i < count; i++) {
        config_of(w, names[i], &config);
        struct str alias = config.fields[CONFIG_ALIAS];
        if (alias.n == 0 || !str_eq(subject_beside(w->arena, names[i], alias), subject))
            continue;
        if (out.n > 0)
            sbuf_char(&out, ',');
        text_string(&out, names[i]);
    }
    if (out.n > 0)
        sbuf_printf(&l->r->out, ",\"aliases\":[%s]", out.p);
    sbuf_fini(&out);
}

static void list_one(struct listing *l, struct str name, const struct state_version *version)
{
    struct rest *r = l->r;
    if (l->rule_type.n > 0 && !rules_have_type(r->work.arena, version->content->rules, l->rule_type))
        return;
    if (l->page.limit == 0 || l->page.offset-- > 0)
        return;
    struct shown shown = shown_of(name, version);
    if (r->out.n > 1)
        sbuf_char(&r->out, ',');
    sbuf_char(&r->out, '{');
    rest_show(r, &shown, SHOW_SUBJECT | SHOW_VERSION | SHOW_ID);
    show_aliases(l, name);
    sbuf_char(&r->out, '}');
    l->page.limit--;
}

static void list_subject(struct listing *l, const struct state_subject *subject)
{
    size_t count;
    const struct state_version *versions = state_versions(subject, &count), *latest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (versions[i].deleted && !l->deleted)
            continue;
        latest = &versions[i];
        if (!l->latest_only)
            list_one(l, state_subject_name(subject), latest);
    }
    if (l->latest_only && latest)
        list_one(l, state_subject_name(subject), latest);
}

static bool is_wanted(struct listing *l, struct str name, struct str prefix, bool wild)
{
    struct subject_name parts = subject_split(name);
    struct work *w = &l->r->work;
    struct str *names;
    struct config config;
    if (wild ? str_starts(parts.name, prefix)
             : str_starts(name, prefix) && (str_starts(prefix, STR(":.")) || str_is(parts.context, ".")))
        return true;
    size_t count = l->aliases ? state_configured(w->state, w->arena, prefix, &names) : 0;
    for (size_t i = 0; i < count; i++) {
        config_of(w, names[i], &config);
        struct str alias = config.fields[CONFIG_ALIAS];
        if (alias.n > 0 && str_eq(subject_beside(w->arena, names[i], alias), name))
            return true;
    }
    return false;
}

static bool list_schemas(struct rest *r)
{
    struct listing l = {.r = r,
                        .deleted = rest_bool(r, "deleted"),
                        .latest_only = rest_bool(r, "latestOnly"),
                        .aliases = rest_bool(r, "aliases"),
                        .rule_type = rest_text(r, "ruleType")};
    const struct state_subject **subjects;
    struct str prefix = rest_text(r, "subjectPrefix");
    TRY(rest_page(r, 1000, &l.page));
    if (r->context.p != NULL && !str_starts(prefix, STR(":.")) && !str_starts(prefix, STR(":*:")))
        prefix = str_of(arena_printf(r->work.arena, "%.*s%.*s", STR_ARG(r->context), STR_ARG(prefix)));
    bool wild = str_starts(prefix, STR(":*:"));
    if (wild || str_starts(prefix, STR(":.:")))
        prefix = str_n(prefix.p + 3, prefix.n - 3);
    size_t count = state_subjects(r->work.state, r->work.arena, wild || l.aliases ? STR("") : prefix,
                                  &subjects);
    sbuf_char(&r->out, '[');
    for (size_t i = 0; i < count && l.page.limit > 0; i++)
        if (is_wanted(&l, state_subject_name(subjects[i]), prefix, wild))
            list_subject(&l, subjects[i]);
    sbuf_char(&r->out, ']');
    return true;
}

static bool list_types(struct rest *r)
{
    sbuf_cstr(&r->out, "[\"JSON\",\"PROTOBUF\",\"AVRO\"]");
    return true;
}

const struct rest_route rest_schema_routes[] = {
    {"GET", "schemas", false, list_schemas},
    {"GET", "schemas/types", false, list_types},
    {"GET", "schemas/ids/*", false, get_schema},
    {"GET", "schemas/ids/*/schema", false, get_text},
    {"GET", "schemas/ids/*/subjects", false, list_subjects},
    {"GET", "schemas/ids/*/versions", false, list_versions},
    {"GET", "schemas/guids/*", false, get_by_guid},
    {"GET", "schemas/guids/*/ids", false, list_ids_of_guid},
    {0},
};

/* /subjects: names, versions, registration, deletion. */
#include "registry/rest_private.h"
#include "registry/subject.h"
#include "schema/text.h"

static bool is_listed(const struct state_subject *subject, bool deleted, bool deleted_only)
{
    size_t count;
    const struct state_version *versions = state_versions(subject, &count);
    bool alive = false;
    for (size_t i = 0; i < count; i++)
        alive = alive || !versions[i].deleted;
    return deleted_only ? !alive : alive || deleted;
}

static void add_text(struct sbuf *out, struct str text)
{
    if (out->p[out->n - 1] != '[')
        sbuf_char(out, ',');
    text_string(out, text);
}

/* In all contexts, names that begin so. */
static bool has_prefix(struct str name, struct str prefix, bool wild)
{
    struct subject_name parts = subject_split(name);
    if (wild)
        return str_starts(parts.name, prefix);
    return str_starts(name, prefix) && (str_starts(prefix, STR(":.")) || str_is(parts.context, "."));
}

static bool list_subjects(struct rest *r)
{
    struct str prefix = rest_text(r, "subjectPrefix");
    struct rest_page page;
    const struct state_subject **subjects;
    bool deleted = rest_bool(r, "deleted"), only = rest_bool(r, "deletedOnly");
    TRY(rest_page(r, INT32_MAX, &page));
    if (r->context.p != NULL && !str_starts(prefix, STR(":.")) && !str_starts(prefix, STR(":*:")))
        prefix = str_of(arena_printf(r->work.arena, "%.*s%.*s", STR_ARG(r->context), STR_ARG(prefix)));
    else if (prefix.p == NULL)
        prefix = STR(":*:");
    bool wild = str_starts(prefix, STR(":*:"));
    if (wild)
        prefix = str_n(prefix.p + 3, prefix.n - 3);
    else if (str_starts(prefix, STR(":.:")))
        prefix = str_n(prefix.p + 3, prefix.n - 3);
    size_t count = state_subjects(r->work.state, r->work.arena, wild ? STR("") : prefix, &subjects);
    sbuf_char(&r->out, '[');
    for (size_t i = 0; i < count && page.limit > 0; i++) {
        struct str name = state_subject_name(subjects[i]);
        if (!has_prefix(name, prefix, wild) || !is_listed(subjects[i], deleted, only) || page.offset-- > 0)
            continue;
        add_text(&r->out, name);
        page.limit--;
    }
    sbuf_char(&r->out, ']');
    return true;
}

static bool look_up(struct rest *r)
{
    struct str subject = rest_subject(r);
    struct wanted wanted;
    struct shown shown;
    bool found, deleted = rest_bool(r, "deleted");
    TRY(rest_wanted(r, subject, &wanted));
    TRY(decide_lookup(&r->work, &wanted, rest_normalizes(r, subject), deleted, &found, &shown));
    if (!found && !state_has_subjects(r->work.state, subject, deleted))
        return refuse_subject_not_found(&r->work, subject);
    if (!found)
        return refuse(&r->work, CODE_SCHEMA_NOT_FOUND, "Schema not found");
    TRY(rest_format(r, &shown));
    sbuf_char(&r->out, '{');
    rest_show(r, &shown, SHOW_SUBJECT | SHOW_VERSION | SHOW_ID);
    sbuf_char(&r->out, '}');
    return true;
}

static bool check_subject(struct rest *r, struct str subject)
{
    return subject_is_valid(subject, false) ||
           refuse(&r->work, CODE_INVALID_SUBJECT, "The specified subject '%.*s' is not a valid.",
                  STR_ARG(subject));
}

static void show_registered(struct rest *r, const struct shown *shown)
{
    sbuf_char(&r->out, '{');
    rest_show(r, shown, SHOW_VERSION | SHOW_ID);
    sbuf_char(&r->out, '}');
}

static bool do_register(struct rest *r)
{
    struct wanted wanted;
    struct shown shown;
    struct err err;
    TRY(rest_wanted(r, rest_subject(r), &wanted));
    if (!rules_check(r->work.arena, wanted.rules, &err))
        return refuse(&r->work, CODE_INVALID_RULES, "%s", err.text);
    TRY(check_subject(r, r->segments[1]));
    unsigned how = (rest_normalizes(r, wanted.subject) ? DECIDE_NORMALIZE : 0) |
                   (rest_bool(r, "force") ? DECIDE_FORCE : 0);
    TRY(decide_register(&r->work, &wanted, how, &shown));
    TRY(rest_format(r, &shown));
    show_registered(r, &shown);
    return true;
}

static bool list_versions(struct rest *r)
{
    struct str subject = rest_subject(r);
    struct rest_page page;
    size_t count;
    bool deleted = rest_bool(r, "deleted"), only = rest_bool(r, "deletedOnly"),
         negative = rest_bool(r, "deletedAsNegative");
    if (!state_has_subjects(r->work.state, subject, deleted || only))
        return refuse_subject_not_found(&r->work, subject);
    TRY(rest_page(r, INT32_MAX, &page));
    const struct state_version *versions = state_versions(state_subject(r->work.state, subject), &count);
    sbuf_char(&r->out, '[');
    for (size_t i = 0; i < count && page.limit > 0; i++) {
        bool listed = negative || (only ? versions[i].deleted : deleted || !versions[i].deleted);
        if (!listed || page.offset-- > 0)
            continue;
        sbuf_printf(&r->out, "%s%d", r->out.n > 1 ? "," : "",
                    (int)(negative && versions[i].deleted ? -versions[i].version : versions[i].version));
        page.limit--;
    }
    sbuf_char(&r->out, ']');
    return true;
}

static bool find_shown(struct rest *r, bool deleted, struct shown *shown)
{
    struct str subject = rest_subject(r), where = subject;
    int32_t number;
    TRY(rest_version(r, 3, &number));
    const struct state_version *version = find_version_somewhere(&r->work, &where, number, deleted);
    if (version == NULL && !state_has_subjects(r->work.state, subject, deleted))
        return refuse_subject_not_found(&r->work, subject);
    if (version == NULL)
        return refuse_version_not_found(&r->work, number);
    *shown = shown_of(where, version);
    return true;
}

/* The rules of the version before, with others over them, and without some. */
static bool modified_rules(struct rest *r, struct str subject, int32_t new_version, struct str *rules)
{
    const struct json_node *merged = json_member(r->body, STR("rulesToMerge")),
                           *removed = json_member(r->body, STR("rulesToRemove"));
    struct arena *arena = r->work.arena;
    struct str added;
    struct err err;
    if (!rules_text(arena, json_member(r->body, STR("ruleSet")), rules, &err) ||
        !rules_text(arena, merged, &added, &err))
        return refuse(&r->work, 400, "%s", err.text);
    bool merges = added.p != NULL || (removed && removed->kind == JSON_ARRAY);
    if (merges && rules->p != NULL)
        return refuse(&r->work, CODE_INVALID_RULES,
                      "ruleSet should be omitted if specifying rulesToMerge or rulesToRemove");
    if (!rules_check(arena, merges ? added : *rules, &err))
        return refuse(&r->work, CODE_INVALID_RULES, "%s", err.text);
    if (!merges)
        return true;
    const struct state_version *before = new_version > 0
                                             ? state_version(r->work.state, subject, new_version - 1)
                                             : state_latest(r->work.state, subject);
    *rules = rules_merge(arena, before && !before->deleted ? before->content->rules : (struct str){0}, added);
    if (removed && removed->kind == JSON_ARRAY)
        *rules = rules_without(arena, *rules, removed);
    return true;
}

/* A new version like that one, but for its tags, metadata and rules. */
static bool modify_tags(struct rest *r)
{
    struct str subject = rest_subject(r), metadata;
    int64_t number = 0;
    struct shown old, shown;
    struct err err;
    TRY(check_subject(r, r->segments[1]));
    TRY(find_shown(r, false, &old));
    (void)json_i64(r->body, "newVersion", &number);
    if (number < INT32_MIN || number > INT32_MAX)
        return refuse(&r->work, 400, "Cannot deserialize value of \"newVersion\"");
    struct wanted wanted = {.subject = subject,
                            .type = str_of(schema_kind_name(old.kind)),
                            .text = old.text,
                            .id = -1,
                            .version = (int32_t)number};
    TRY(rest_tags(r, "tagsToAdd", &wanted.retag.add, &wanted.retag.add_count));
    TRY(rest_tags(r, "tagsToRemove", &wanted.retag.remove, &wanted.retag.remove_count));
    if (!metadata_text(r->work.arena, json_member(r->body, STR("metadata")), &metadata, &err))
        return refuse(&r->work, 400, "%s", err.text);
    wanted.metadata = metadata_with_version(r->work.arena, metadata.p ? metadata : old.metadata,
                                            wanted.version);
    TRY(modified_rules(r, subject, wanted.version, &wanted.rules));
    references_read(r->work.arena, old.references, &wanted.references, &wanted.reference_count);
    TRY(decide_register(&r->work, &wanted, 0, &shown));
    show_registered(r, &shown);
    return true;
}

static bool get_version(struct rest *r)
{
    struct shown shown;
    TRY(find_shown(r, rest_bool(r, "deleted"), &shown));
    TRY(rest_find_tags(r, &shown));
    TRY(rest_format(r, &shown));
    bool qualified = str_is(rest_text(r, "referenceFormat"), "qualified");
    sbuf_char(&r->out, '{');
    rest_show(r, &shown, SHOW_SUBJECT | SHOW_VERSION | SHOW_ID | (qualified ? SHOW_QUALIFIED : 0));
    sbuf_char(&r->out, '}');
    return true;
}

static bool get_text(struct rest *r)
{
    struct shown shown;
    TRY(find_shown(r, rest_bool(r, "deleted"), &shown));
    TRY(rest_format(r, &shown));
    sbuf_str(&r->out, shown.text);
    return true;
}

static bool get_referrers(struct rest *r)
{
    struct shown shown;
    struct rest_page page;
    const struct state_content **contents;
    TRY(find_shown(r, true, &shown));
    TRY(rest_page(r, 1000, &page));
    size_t count = find_referrers(&r->work, shown.subject, shown.version, rest_bool(r, "deleted"), &contents);
    sbuf_char(&r->out, '[');
    for (size_t i = (size_t)page.offset; i < count && page.limit-- > 0; i++)
        sbuf_printf(&r->out, "%s%d", r->out.n > 1 ? "," : "", (int)contents[i]->id);
    sbuf_char(&r->out, ']');
    return true;
}

static bool delete_version(struct rest *r)
{
    int32_t version, deleted;
    TRY(rest_version(r, 3, &version));
    TRY(decide_version_delete(&r->work, rest_subject(r), version, rest_bool(r, "permanent"), &deleted));
    sbuf_printf(&r->out, "%d", (int)deleted);
    return true;
}

static bool delete_subject(struct rest *r)
{
    int32_t *versions;
    size_t count;
    TRY(decide_subject_delete(&r->work, rest_subject(r), rest_bool(r, "permanent"), &versions, &count));
    sbuf_char(&r->out, '[');
    for (size_t i = 0; i < count; i++)
        sbuf_printf(&r->out, "%s%d", i ? "," : "", (int)versions[i]);
    sbuf_char(&r->out, ']');
    return true;
}

struct pairs {
    struct arena *arena;
    struct str items[64];
    size_t count;
};

static void add_item(void *arg, const char *value)
{
    struct pairs *pairs = arg;
    if (pairs->count < sizeof pairs->items / sizeof *pairs->items)
        pairs->items[pairs->count++] = str_of(value ? value : "");
}

/* The newest version whose metadata have all these properties. */
static bool get_by_metadata(struct rest *r)
{
    struct pairs keys = {.arena = r->work.arena}, values = {.arena = r->work.arena};
    struct str subject = rest_subject(r);
    size_t count;
    bool deleted = rest_bool(r, "deleted");
    run_on_net();
    http_query_each(r->http, "key", add_item, &keys);
    http_query_each(r->http, "value", add_item, &values);
    const struct state_version *versions = state_versions(state_subject(r->work.state, subject), &count);
    for (size_t i = count; i-- > 0;) {
        struct str metadata = versions[i].content->metadata;
        bool fits = metadata.p != NULL && (deleted || !versions[i].deleted);
        for (size_t k = 0; fits && k < keys.count && k < values.count; k++)
            fits = str_eq(metadata_property(r->work.arena, metadata, keys.items[k]), values.items[k]);
        if (!fits)
            continue;
        struct shown shown = shown_of(subject, &versions[i]);
        TRY(rest_format(r, &shown));
        sbuf_char(&r->out, '{');
        rest_show(r, &shown, SHOW_SUBJECT | SHOW_VERSION | SHOW_ID);
        sbuf_char(&r->out, '}');
        return true;
    }
    if (!state_has_subjects(r->work.state, subject, deleted))
        return refuse_subject_not_found(&r->work, subject);
    return refuse(&r->work, CODE_SCHEMA_NOT_FOUND, "Schema not found");
}

const struct rest_route rest_subject_routes[] = {
    {"GET", "subjects", false, list_subjects},
    {"POST", "subjects/*", true, look_up},
    {"DELETE", "subjects/*", false, delete_subject},
    {"GET", "subjects/*/metadata", false, get_by_metadata},
    {"GET", "subjects/*/versions", false, list_versions},
    {"POST", "subjects/*/versions", true, do_register},
    {"GET", "subjects/*/versions/*", false, get_version},
    {"DELETE", "subjects/*/versions/*", false, delete_version},
    {"POST", "subjects/*/versions/*/tags", true, modify_tags},
    {"GET", "subjects/*/versions/*/schema", false, get_text},
    {"GET", "subjects/*/versions/*/referencedby", false, get_referrers},
    {0},
};

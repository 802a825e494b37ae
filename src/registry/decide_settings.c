/* Configurations and modes: where they come from, and how they change.
 *
 *     a subject's own → its context's → that of ":.__GLOBAL:" → the default
 *
 * Of a subject that has its own configuration, some fields that it leaves out come from the default context's. */
#include "registry/decide_private.h"
#include "registry/subject.h"

#define DEFAULT_LEVEL "BACKWARD"

static bool read_config(struct work *w, struct str subject, struct config *config)
{
    struct str text = state_config(w->state, subject);
    if (text.p == NULL || !config_read(w->arena, text, config))
        return false;
    if (config->fields[CONFIG_LEVEL].p == NULL)
        config->fields[CONFIG_LEVEL] = STR(DEFAULT_LEVEL);
    return true;
}

static void default_config(struct config *config)
{
    *config = (struct config){0};
    config->fields[CONFIG_LEVEL] = STR(DEFAULT_LEVEL);
}

bool config_of(struct work *w, struct str subject, struct config *config)
{
    if (read_config(w, subject, config))
        return true;
    default_config(config);
    return subject.p == NULL || str_is(subject_split(subject).context, ".__GLOBAL");
}

/* The context that a subject is in: p NULL is the default one. */
static struct str context_scope(struct work *w, struct str subject)
{
    struct str context = subject.p ? subject_context_of(w->arena, subject) : subject;
    return context.n == 0 ? (struct str){0} : context;
}

void config_in_scope(struct work *w, struct str subject, struct config *config)
{
    static const enum config_field inherited[] = {CONFIG_NORMALIZE,    CONFIG_VALIDATE_FIELDS,
                                                  CONFIG_VALIDATE_NEW, CONFIG_VALIDATE_RULES,
                                                  CONFIG_POLICY,       CONFIG_GROUP};
    struct config above;
    if (subject.p && config_of(w, subject, config)) {
        config_of(w, (struct str){0}, &above);
        for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
            if (config->fields[inherited[i]].p == NULL)
                config->fields[inherited[i]] = above.fields[inherited[i]];
        return;
    }
    if (read_config(w, subject, config) || read_config(w, context_scope(w, subject), config) ||
        read_config(w, STR(SUBJECT_GLOBAL), config))
        return;
    default_config(config);
}

bool mode_of(struct work *w, struct str subject, enum registry_mode *mode)
{
    if (state_mode(w->state, subject, mode))
        return true;
    *mode = MODE_READWRITE;
    return subject.p == NULL || str_is(subject_split(subject).context, ".__GLOBAL");
}

enum registry_mode mode_in_scope(struct work *w, struct str subject)
{
    enum registry_mode mode;
    if (state_mode(w->state, subject, &mode) || state_mode(w->state, context_scope(w, subject), &mode) ||
        state_mode(w->state, STR(SUBJECT_GLOBAL), &mode))
        return mode;
    return MODE_READWRITE;
}

/* ---- changes ----------------------------------------------------------------------------------------------------------------- */

bool decide_config(struct work *w, struct str subject, const struct config_update *update,
                   struct config *config)
{
    struct str old = state_config(w->state, subject);
    struct sbuf text = {0};
    if (is_read_only(w, subject))
        return refuse_read_only(w, subject);
    *config = (struct config){0};
    if (old.p)
        config_read(w->arena, old, config);
    for (int i = 0; i < CONFIG_FIELDS; i++)
        if (update->given[i] || old.p == NULL)
            config->fields[i] = update->config.fields[i];
    sbuf_char(&text, '{');
    struct sbuf fields = {0};
    config_write(&fields, config, false);
    sbuf_str(&text, sbuf_view(&fields));
    sbuf_fini(&fields);
    sbuf_char(&text, '}');
    const struct entry record = {
        .kind = ENTRY_CONFIG, .subject = subject, .config = str_of(str_dup(w->arena, sbuf_view(&text)))};
    sbuf_fini(&text);
    propose(w, &record);
    return true;
}

static void drop(struct work *w, enum entry_kind kind, struct str subject)
{
    const struct entry record = {.kind = kind, .subject = subject, .tombstone = true};
    propose(w, &record);
}

bool decide_config_delete(struct work *w, struct str subject)
{
    if (is_read_only(w, subject))
        return refuse_read_only(w, subject);
    drop(w, ENTRY_CONFIG, subject);
    return true;
}

/* What was deleted in the scope is gone for good, before other ids are imported into it. */
static bool clear_deleted(struct work *w, struct str scope)
{
    const struct state_subject **subjects;
    const struct state_content **referrers;
    size_t count = state_subjects(w->state, w->arena, STR(""), &subjects), versions;
    for (size_t i = 0; i < count; i++) {
        struct str name = state_subject_name(subjects[i]);
        if (!subject_in(name, scope))
            continue;
        const struct state_version *version = state_versions(subjects[i], &versions);
        for (size_t k = 0; k < versions; k++) {
            if (find_referrers(w, name, version[k].version, true, &referrers) > 0)
                return refuse(w, CODE_REFERENCE_EXISTS,
                              "One or more references exist to the schema "
                              "{magic=1,keytype=SCHEMA,subject=%.*s,version=%d}.",
                              STR_ARG(name), (int)version[k].version);
            const struct entry gone = {
                .kind = ENTRY_SCHEMA, .subject = name, .version = version[k].version, .tombstone = true};
            propose(w, &gone);
        }
    }
    const struct entry clear = {.kind = ENTRY_CLEAR_SUBJECT, .subject = scope};
    propose(w, &clear);
    return true;
}

bool decide_mode(struct work *w, struct str subject, const enum registry_mode *mode, bool force)
{
    if (mode && *mode == MODE_IMPORT && mode_in_scope(w, subject) != MODE_IMPORT && !force) {
        if (state_has_subjects(w->state, subject, false))
            return refuse(w, CODE_NOT_PERMITTED, "Cannot import since found existing subjects");
        TRY(clear_deleted(w, subject));
    }
    const struct entry record = {
        .kind = ENTRY_MODE, .subject = subject, .tombstone = mode == NULL, .mode = mode ? *mode : 0};
    propose(w, &record);
    return true;
}

void decide_mode_delete(struct work *w, struct str subject, bool recursive)
{
    struct str *names;
    drop(w, ENTRY_MODE, subject);
    if (!recursive || (subject.p && !subject_is_context(subject)))
        return;
    size_t count = state_moded(w->state, w->arena, subject.p ? subject : STR(""), &names);
    for (size_t i = 0; i < count; i++)
        if (names[i].n > 0 && (subject.p || str_is(subject_split(names[i]).context, ".")) &&
            !str_eq(names[i], subject))
            drop(w, ENTRY_MODE, str_of(str_dup(w->arena, names[i])));
}

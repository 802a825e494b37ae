/* Registering, looking up, comparing and deleting schemas. */
#include <stdlib.h>

#include "registry/decide_private.h"
#include "registry/subject.h"
#include "schema/avro.h"
#include "schema/jschema.h"
#include "schema/proto.h"
#include "schema/text.h"

/* A schema that was sent, as it would be kept. */
struct candidate {
    struct wanted wanted; /* its text canonical or normal, its references with their numbers */
    enum schema_kind kind;
    const struct schema *schema; /* NULL: there was no text */
    struct str references;
    uint8_t md5[16];
};

static bool is_import(enum registry_mode mode)
{
    return mode == MODE_IMPORT || mode == MODE_FORWARD;
}

static int compare_references(const void *a, const void *b)
{
    const struct registry_reference *x = a, *y = b;
    int order = text_compare(x->subject, y->subject);
    return order ? order : x->version < y->version ? -1 : x->version > y->version;
}

static uint32_t sort_references(struct registry_reference *references, uint32_t count)
{
    uint32_t kept = 0;
    qsort(references, count, sizeof *references, compare_references);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || compare_references(&references[kept - 1], &references[i]) != 0 ||
            !str_eq(references[kept - 1].name, references[i].name))
            references[kept++] = references[i];
    return kept;
}

static void digest(struct work *w, struct candidate *c)
{
    c->references = references_text(w->arena, c->wanted.references, c->wanted.reference_count);
    parts_md5(w->arena, c->wanted.text, c->references, c->wanted.metadata, c->wanted.rules, c->md5);
}

enum {
    CHECK_NEW = 1 << 0,     /* by the rules for what is not there yet */
    CHECK_IMPORTS = 1 << 1, /* Protobuf's types are imported, not only referred to */
};

static unsigned checks_of(const struct config *config)
{
    bool new = config->fields[CONFIG_VALIDATE_NEW].p == NULL || config_is_true(config, CONFIG_VALIDATE_NEW);
    if (!new)
        return 0;
    return config_is_true(config, CONFIG_VALIDATE_FIELDS) ? CHECK_NEW | CHECK_IMPORTS : CHECK_NEW;
}

static bool make_candidate(struct work *w, const struct wanted *wanted, unsigned checks, bool normalize,
                           struct candidate *c)
{
    bool new = checks &CHECK_NEW;
    enum registry_mode mode = mode_in_scope(w, wanted->subject);
    struct sbuf text = {0};
    struct err err;
    *c = (struct candidate){.wanted = *wanted};
    if (wanted->id >= 0 && mode != MODE_IMPORT)
        c->wanted.id = -1;
    if (str_trim(wanted->text).n == 0)
        return true;
    if (wanted->type.p && !schema_kind_find(wanted->type, &c->kind))
        return refuse(w, CODE_INVALID_SCHEMA, "Invalid schema type %.*s", STR_ARG(wanted->type));
    struct schema_source source = {
        .kind = c->kind, .text = wanted->text, .lenient = !new, .imports_alone = checks &CHECK_IMPORTS};
    struct registry_reference *references = arena_array(w->arena, struct registry_reference,
                                                        wanted->reference_count);
    if (wanted->reference_count > 0)
        memcpy(references, wanted->references, wanted->reference_count * sizeof *references);
    if (!resolve_references(w, wanted->subject, references, wanted->reference_count, !new, &source))
        return refuse(w, CODE_INVALID_SCHEMA, "Invalid schema of type %s, details: %.*s",
                      schema_kind_name(c->kind), STR_ARG(w->message));
    if (!schema_parse(w->arena, &source, &c->schema, &err))
        return refuse(w, CODE_INVALID_SCHEMA, "Invalid schema of type %s, details: %s",
                      schema_kind_name(c->kind), err.text);
    normalize = normalize && !is_import(mode);
    if (normalize)
        schema_normalize(c->schema, &text);
    else
        schema_canonical(c->schema, &text);
    c->wanted.text = text_take(w->arena, &text);
    sbuf_fini(&text);
    c->wanted.references = references;
    if (normalize)
        c->wanted.reference_count = sort_references(references, wanted->reference_count);
    digest(w, c);
    return true;
}

static struct shown shown_candidate(const struct candidate *c, int32_t version, int32_t id)
{
    struct shown shown = {.subject = c->wanted.subject,
                          .version = version,
                          .id = id,
                          .kind = c->kind,
                          .text = c->wanted.text,
                          .references = c->references,
                          .metadata = c->wanted.metadata,
                          .rules = c->wanted.rules};
    memcpy(shown.md5, c->md5, sizeof shown.md5);
    return shown;
}

/* ---- is it there? ------------------------------------------------------------------------------------------------------------ */

/* The content of this digest in the subject's context, and the version that has it there, or NULL. */
static const struct state_content *find_twin(struct work *w, const struct candidate *c,
                                             const struct state_version **version)
{
    const struct state_content *twin = state_content_by_md5(w->state,
                                                            subject_split(c->wanted.subject).context, c->md5);
    *version = twin ? state_version_by_id(state_subject(w->state, c->wanted.subject), twin->id) : NULL;
    return twin;
}

static struct str version_number(struct work *w, struct str metadata)
{
    struct str text = metadata.p ? metadata_property(w->arena, metadata, STR(METADATA_VERSION)) : metadata;
    int64_t number;
    return text.p && str_to_i64(text, &number) ? text : (struct str){0};
}

/* Metadata are the same, but that one of them may say its version: then it is that of the old one. */
static bool same_metadata(struct work *w, struct str new, const struct state_version *old)
{
    struct str before = old->content->metadata, new_number = version_number(w, new),
               old_number = version_number(w, before);
    if (new_number.p == NULL && old_number.p != NULL) {
        before = metadata_without_version(w->arena, before);
        new = new.p ? new : STR("{}");
    } else if (new_number.p != NULL && old_number.p == NULL) {
        if (!str_is(new_number, arena_printf(w->arena, "%d", (int)old->version)))
            return false;
        new = metadata_without_version(w->arena, new);
        before = before.p ? before : STR("{}");
    }
    return (new.p == NULL) == (before.p == NULL) && str_eq(new, before);
}

/* Would whoever asks for the candidate be content with this version? So if they say the same, though perhaps one names its references and the other
 * has them inside. */
static bool stands_for(struct work *w, const struct candidate *c, const struct state_version *old, bool *yes)
{
    const struct state_content *content = old->content;
    const struct schema *schema;
    *yes = false;
    bool same_references = str_eq(c->references, content->references);
    if (c->kind != content->kind || (!same_references && c->references.p != NULL) ||
        !same_metadata(w, c->wanted.metadata, old) || !str_eq(c->wanted.rules, content->rules))
        return true;
    if (same_references && str_eq(c->wanted.text, content->text)) {
        *yes = true;
        return true;
    }
    /* Of two texts that say the same only the order differs, when neither has references: no need to parse others. */
    if (content->references.p == NULL && c->wanted.text.n != content->text.n)
        return true;
    TRY(parse_stored(w, c->wanted.subject, content->kind, content->text, content->references, &schema));
    *yes = schema_equal(c->schema, schema);
    return true;
}

enum { LOOKUP_DELETED = 1, LOOKUP_LATEST = 2 };

static bool lookup_under(struct work *w, const struct wanted *wanted, bool normalize, unsigned how,
                         bool *found, struct shown *shown)
{
    struct candidate c;
    const struct state_version *version;
    size_t count;
    *found = false;
    TRY(make_candidate(w, wanted, 0, normalize, &c));
    if (c.schema == NULL)
        return true;
    const struct state_content *twin = find_twin(w, &c, &version);
    if (!(how & LOOKUP_LATEST) && version && ((how & LOOKUP_DELETED) || !version->deleted)) {
        *found = true;
        *shown = shown_candidate(&c, version->version, twin->id);
        return true;
    }
    const struct state_version *versions = state_versions(state_subject(w->state, wanted->subject), &count);
    for (size_t i = count; i-- > 0 && !*found;) {
        if (versions[i].deleted && (!(how & LOOKUP_DELETED) || (how & LOOKUP_LATEST)))
            continue;
        TRY(stands_for(w, &c, &versions[i], found));
        if (*found)
            *shown = shown_of(wanted->subject, &versions[i]);
        if (how & LOOKUP_LATEST)
            break;
    }
    return true;
}

/* Metadata and rules of a new version: the defaults, under its own (or those of the version before), under the overrides. */
static void merge_metadata(struct work *w, const struct config *config, struct wanted *wanted,
                           const struct state_version *before, int32_t new_version)
{
    struct str metadata = wanted->metadata, rules = wanted->rules;
    if (metadata.p == NULL && before)
        metadata = before->content->metadata;
    if (rules.p == NULL && before)
        rules = before->content->rules;
    metadata = metadata_merge(w->arena, config->fields[CONFIG_DEFAULT_METADATA], metadata);
    metadata = metadata_merge(w->arena, metadata, config->fields[CONFIG_OVERRIDE_METADATA]);
    rules = rules_merge(w->arena, config->fields[CONFIG_DEFAULT_RULES], rules);
    rules = rules_merge(w->arena, rules, config->fields[CONFIG_OVERRIDE_RULES]);
    bool says_version = metadata.p && metadata_property(w->arena, metadata, STR(METADATA_VERSION)).p != NULL;
    if (new_version > 0 && (wanted->version != 0 || says_version))
        metadata = metadata_with_version(w->arena, metadata, new_version);
    if (metadata.p || rules.p) {
        wanted->metadata = metadata;
        wanted->rules = rules;
    }
}

static bool lookup_in(struct work *w, const struct wanted *wanted, bool normalize, bool deleted, bool *found,
                      struct shown *shown)
{
    struct config config;
    struct wanted next = *wanted;
    unsigned how = deleted ? LOOKUP_DELETED : 0;
    TRY(lookup_under(w, wanted, normalize, how, found, shown));
    const struct state_version *latest = state_latest(w->state, wanted->subject);
    if (*found || latest == NULL)
        return true;
    config_in_scope(w, wanted->subject, &config);
    merge_metadata(w, &config, &next, latest, 0);
    if (str_eq(next.metadata, wanted->metadata) && str_eq(next.rules, wanted->rules))
        return true;
    return lookup_under(w, &next, normalize, how, found, shown);
}

bool decide_lookup(struct work *w, const struct wanted *wanted, bool normalize, bool deleted, bool *found,
                   struct shown *shown)
{
    struct subject_name parts = subject_split(wanted->subject);
    const struct state_context **contexts;
    TRY(lookup_in(w, wanted, normalize, deleted, found, shown));
    if (*found || !str_is(parts.context, "."))
        return true;
    size_t count = state_contexts(w->state, w->arena, &contexts);
    for (size_t i = 0; i < count && !*found; i++) {
        struct wanted there = *wanted;
        there.subject = subject_join(w->arena, contexts[i]->name, parts.name);
        if (!lookup_in(w, &there, normalize, deleted, found, shown)) {
            *found = false; /* it need not be valid there */
            w->code = 0;
        }
    }
    return true;
}

/* ---- compatibility ----------------------------------------------------------------------------------------------------------- */

static struct str group_of(struct work *w, const struct config *config, struct str metadata)
{
    return metadata.p ? metadata_property(w->arena, metadata, config->fields[CONFIG_GROUP]) : metadata;
}

static bool is_transitive(enum schema_level level)
{
    return level == SCHEMA_BACKWARD_TRANSITIVE || level == SCHEMA_FORWARD_TRANSITIVE ||
           level == SCHEMA_FULL_TRANSITIVE;
}

static bool has_proto_field(const struct proto_schema *schema, struct str name)
{
    for (const struct proto_message *m = schema->file->messages.first; m; m = m->next) {
        for (const struct proto_field *f = m->fields.first; f; f = f->next)
            if (str_eq(f->name, name))
                return true;
        for (const struct proto_oneof *one = m->oneofs.first; one; one = one->next)
            for (const struct proto_field *f = one->fields.first; f; f = f->next)
                if (str_eq(f->name, name))
                    return true;
    }
    return false;
}

static bool has_field(const struct schema *schema, struct str name)
{
    switch (schema_kind_of(schema)) {
    case SCHEMA_AVRO: {
        const struct avro_type *root = schema_avro(schema)->root;
        for (uint32_t i = 0; root->kind == AVRO_RECORD && i < root->names.count; i++)
            if (str_eq(root->fields[i].name, name))
                return true;
        return false;
    }
    case SCHEMA_JSON:
        return json_member(json_member(schema_json(schema)->node, STR("properties")), name) != NULL;
    case SCHEMA_PROTOBUF: return has_proto_field(schema_proto(schema), name);
    }
    UNREACHABLE("a kind of schema");
}

/* The next name of a list "a, b"; p NULL: there is none. */
static struct str next_name(struct str *list)
{
    while (list->n > 0) {
        size_t comma = str_find(*list, STR(","), 0);
        struct str name = str_trim(comma == SIZE_MAX ? *list : str_n(list->p, comma));
        *list = comma == SIZE_MAX ? str_n("", 0) : str_n(list->p + comma + 1, list->n - comma - 1);
        if (name.n > 0)
            return name;
    }
    return (struct str){0};
}

static struct str reserved_of(struct work *w, struct str metadata)
{
    return metadata.p ? metadata_property(w->arena, metadata, STR("confluent:reserved")) : metadata;
}

/* Names that metadata reserve stay reserved, and no field has one. */
static void check_reserved(struct work *w, const struct candidate *c, const struct state_version *before,
                           struct schema_messages *messages)
{
    struct str list = reserved_of(w, c->wanted.metadata), now = list, name;
    struct str old = before ? reserved_of(w, before->content->metadata) : (struct str){0};
    size_t room = list.n + old.n + 1;
    messages->items = arena_array(w->arena, struct str, room);
    messages->capacity = room;
    while ((name = next_name(&old)).p != NULL) {
        struct str kept = now, other;
        while ((other = next_name(&kept)).p != NULL && !str_eq(other, name)) {
        }
        if (other.p == NULL)
            messages->items[messages->count++] = str_of(
                arena_printf(w->arena,
                             "The new schema has reserved field %.*s removed from its metadata which is "
                             "present in the old schema's metadata.",
                             STR_ARG(name)));
    }
    while ((name = next_name(&list)).p != NULL)
        if (has_field(c->schema, name))
            messages->items[messages->count++] = str_of(arena_printf(
                w->arena, "The new schema has field that conflicts with the reserved field %.*s.",
                STR_ARG(name)));
}

/* versions[count], ascending. */
static bool compare_with(struct work *w, const struct candidate *c, const struct config *config,
                         const struct state_version *const *versions, size_t count,
                         struct schema_messages *messages)
{
    struct schema_version *old = arena_array(w->arena, struct schema_version, count + 1);
    enum schema_level level = SCHEMA_BACKWARD;
    size_t old_count = 0;
    struct err err;
    bool grouped = config->fields[CONFIG_GROUP].n > 0;
    struct str group = grouped ? group_of(w, config, c->wanted.metadata) : (struct str){0};
    schema_level_find(config->fields[CONFIG_LEVEL], &level);
    *messages = (struct schema_messages){.arena = w->arena};
    if (config_is_true(config, CONFIG_VALIDATE_FIELDS))
        check_reserved(w, c, count > 0 ? versions[count - 1] : NULL, messages);
    uint32_t reserved = messages->count;
    for (size_t i = count; i-- > 0 && level != SCHEMA_NONE;) {
        const struct state_content *content = versions[i]->content;
        if (grouped) {
            struct str its = group_of(w, config, content->metadata);
            if ((its.p == NULL) != (group.p == NULL) || !str_eq(its, group))
                continue;
        }
        const struct schema *schema;
        TRY(parse_stored(w, c->wanted.subject, content->kind, content->text, content->references, &schema));
        old[old_count++] = (struct schema_version){schema, versions[i]->version};
        if (!is_transitive(level))
            break;
    }
    for (size_t i = 0; i < old_count / 2; i++) {
        struct schema_version other = old[i];
        old[i] = old[old_count - 1 - i];
        old[old_count - 1 - i] = other;
    }
    bool fits = schema_compatible(c->schema, old, old_count, level, messages, &err);
    if (fits && reserved == 0)
        return true;
    if (!fits && messages->count == reserved)
        return refuse(w, CODE_INVALID_SCHEMA, "%s", err.text);
    struct str *items = arena_array(w->arena, struct str, messages->count + 1);
    memcpy(items, messages->items, messages->count * sizeof *items);
    items[messages->count] = str_of(arena_printf(
        w->arena, "{validateFields: '%s', compatibility: '%s'}",
        config_is_true(config, CONFIG_VALIDATE_FIELDS) ? "true" : "false", schema_level_name(level)));
    messages->items = items;
    messages->capacity = ++messages->count;
    return true;
}

bool decide_compatible(struct work *w, const struct wanted *wanted,
                       const struct state_version *const *versions, size_t count, bool normalize,
                       struct schema_messages *messages)
{
    struct config config;
    struct candidate c;
    config_in_scope(w, wanted->subject, &config);
    TRY(make_candidate(w, wanted, checks_of(&config), normalize, &c));
    if (c.schema == NULL)
        return refuse(w, CODE_INVALID_SCHEMA, "Empty schema");
    return compare_with(w, &c, &config, versions, count, messages);
}

/* ---- registering ------------------------------------------------------------------------------------------------------------- */

static bool check_mode(struct work *w, const struct wanted *wanted)
{
    struct str context = subject_context_of(w->arena, wanted->subject);
    enum registry_mode mode = mode_in_scope(w, wanted->subject);
    if (is_read_only(w, wanted->subject))
        return refuse_read_only(w, wanted->subject);
    if (wanted->id >= 0 && !is_import(mode))
        return refuse(w, CODE_NOT_PERMITTED, "Subject %.*s in context %.*s is not in import mode",
                      STR_ARG(wanted->subject), STR_ARG(context));
    if (wanted->id < 0 && mode != MODE_READWRITE)
        return refuse(w, CODE_NOT_PERMITTED, "Subject %.*s in context %.*s is not in read-write mode",
                      STR_ARG(wanted->subject), STR_ARG(context));
    return true;
}

/* It is there, just so: nothing has to be decided. */
static bool find_registered(struct work *w, const struct wanted *wanted, bool normalize, bool *found,
                            struct shown *shown)
{
    bool latest = wanted->version == REGISTRY_LATEST;
    TRY(lookup_under(w, wanted, normalize, latest ? LOOKUP_LATEST : 0, found, shown));
    if (!*found)
        return true;
    bool id_fits = wanted->id < 0 || wanted->id == shown->id;
    if (wanted->version == 0 || latest) {
        *found = id_fits;
        return true;
    }
    *found = false;
    if (wanted->id != shown->id)
        return true;
    *found = wanted->version == shown->version;
    const struct state_version *v = state_version(w->state, wanted->subject, wanted->version);
    if (!*found && v && !v->deleted && v->content->id == shown->id &&
        memcmp(v->content->md5, shown->md5, sizeof shown->md5) == 0) {
        *shown = shown_of(wanted->subject, v); /* imported under two numbers */
        *found = true;
    }
    return true;
}

/* Its text becomes the one with tags added and removed. */
static bool retag(struct work *w, struct wanted *wanted, const struct schema_retag *change)
{
    struct registry_reference *references = arena_array(w->arena, struct registry_reference,
                                                        wanted->reference_count);
    struct schema_source source = {.text = wanted->text, .lenient = true};
    const struct schema *schema;
    struct sbuf text = {0};
    struct err err;
    if (wanted->type.p && !schema_kind_find(wanted->type, &source.kind))
        return refuse(w, CODE_INVALID_SCHEMA, "Invalid schema type %.*s", STR_ARG(wanted->type));
    if (wanted->reference_count > 0)
        memcpy(references, wanted->references, wanted->reference_count * sizeof *references);
    if (!resolve_references(w, wanted->subject, references, wanted->reference_count, false, &source))
        return refuse(w, CODE_INVALID_SCHEMA, "Invalid schema of type %s, details: %.*s",
                      schema_kind_name(source.kind), STR_ARG(w->message));
    bool ok = schema_parse(w->arena, &source, &schema, &err) &&
              schema_retag(w->arena, schema, change, &text, &err);
    if (ok)
        wanted->text = text_take(w->arena, &text);
    sbuf_fini(&text);
    return ok || refuse(w, CODE_INVALID_SCHEMA, "Invalid schema of type %s, details: %s",
                        schema_kind_name(source.kind), err.text);
}

static bool propagate_tags(struct work *w, struct wanted *wanted, const struct state_version *before)
{
    const struct state_content *content = before->content;
    const struct schema *schema;
    struct schema_retag change = {0};
    TRY(parse_stored(w, wanted->subject, content->kind, content->text, content->references, &schema));
    change.add_count = schema_tags(w->arena, schema, &change.add);
    return change.add_count == 0 || retag(w, wanted, &change);
}

/* What the subject has, from the newest to the oldest. */
struct history {
    const struct state_version **alive, **deleted;
    size_t alive_count, deleted_count;
    int32_t next; /* 0: there is no larger number */
};

static struct history history_of(struct work *w, struct str subject)
{
    size_t count;
    const struct state_version *versions = state_versions(state_subject(w->state, subject), &count);
    struct history h = {.next = 1};
    h.alive = arena_array(w->arena, const struct state_version *, count + 1);
    h.deleted = arena_array(w->arena, const struct state_version *, count + 1);
    for (size_t i = count; i-- > 0;)
        if (versions[i].deleted)
            h.deleted[h.deleted_count++] = &versions[i];
        else
            h.alive[h.alive_count++] = &versions[i];
    if (count > 0)
        h.next = versions[count - 1].version < INT32_MAX ? versions[count - 1].version + 1 : 0;
    return h;
}

/* What was sent, completed by what was there before. */
static bool complete(struct work *w, const struct config *config, const struct history *h,
                     struct wanted *wanted)
{
    const struct state_version *before = h->alive_count > 0 ? h->alive[0] : NULL;
    if (str_trim(wanted->text).n == 0) {
        uint32_t count;
        if (before == NULL)
            return refuse(w, CODE_INVALID_SCHEMA, "Empty schema");
        wanted->text = before->content->text;
        wanted->type = str_of(schema_kind_name(before->content->kind));
        references_read(w->arena, before->content->references, &wanted->references, &count);
        wanted->reference_count = count;
    }
    if (wanted->propagates_tags && before)
        TRY(propagate_tags(w, wanted, before));
    merge_metadata(w, config, wanted, before, h->next);
    return true;
}

static bool check_compatible(struct work *w, const struct candidate *c, const struct config *config,
                             const struct history *h)
{
    const struct state_version **ascending = arena_array(w->arena, const struct state_version *,
                                                         h->alive_count + 1);
    struct schema_messages messages;
    struct sbuf text = {0};
    for (size_t i = 0; i < h->alive_count; i++)
        ascending[i] = h->alive[h->alive_count - 1 - i];
    TRY(compare_with(w, c, config, ascending, h->alive_count, &messages));
    if (messages.count == 0)
        return true;
    for (uint32_t i = 0; i < messages.count; i++)
        sbuf_printf(&text, "%s%.*s", i ? ", " : "", STR_ARG(messages.items[i]));
    refuse(w, CODE_INCOMPATIBLE,
           "Schema being registered is incompatible with an earlier schema for subject \"%.*s\", details: "
           "[%s]",
           STR_ARG(c->wanted.subject), text.p);
    sbuf_fini(&text);
    return false;
}

/* An id that is given means what it meant before. */
static bool check_id(struct work *w, const struct candidate *c, int32_t id)
{
    struct str context = subject_split(c->wanted.subject).context;
    const struct state_content *there = state_content(w->state, context, id);
    if (there == NULL)
        return true;
    if (there->kind == c->kind && str_eq(there->text, c->wanted.text) &&
        str_eq(there->references, c->references) && str_eq(there->metadata, c->wanted.metadata) &&
        str_eq(there->rules, c->wanted.rules))
        return true;
    struct str qualified = subject_context_of(w->arena, c->wanted.subject);
    return refuse(w, CODE_NOT_PERMITTED, "Overwrite new schema with id %d in context %.*s is not permitted.",
                  (int)id, STR_ARG(qualified));
}

static int32_t next_id(const struct work *w, struct str context)
{
    const struct state_context *c = state_context(w->state, context);
    int32_t id = c ? c->max_id : 0;
    return id < INT32_MAX ? id + 1 : 0;
}

static bool write_version(struct work *w, struct candidate *c, int32_t id, int32_t version,
                          const struct history *h)
{
    struct str context = subject_split(c->wanted.subject).context;
    const struct state_context *known = state_context(w->state, context);
    const struct state_content **referrers;
    if (id >= 0)
        TRY(check_id(w, c, id));
    else if ((id = next_id(w, context)) == 0)
        return refuse(w, CODE_STORE,
                      "Error while registering the schema due to generating an ID that is already in use.");
    if (!str_is(context, ".") && (known == NULL || !known->declared)) {
        const struct entry declared = {.kind = ENTRY_CONTEXT, .subject = context};
        propose(w, &declared);
    }
    for (size_t i = 0; i < h->deleted_count; i++) {
        struct entry gone = {.kind = ENTRY_SCHEMA,
                             .subject = c->wanted.subject,
                             .version = h->deleted[i]->version,
                             .tombstone = true};
        if (h->deleted[i]->content->id == id && gone.version < version &&
            find_referrers(w, gone.subject, gone.version, true, &referrers) == 0)
            propose(w, &gone);
    }
    struct entry record = {.kind = ENTRY_SCHEMA, .subject = c->wanted.subject, .version = version};
    record.schema = (struct entry_schema){.id = id,
                                          .kind = c->kind,
                                          .text = c->wanted.text,
                                          .references = c->references,
                                          .metadata = c->wanted.metadata,
                                          .rules = c->wanted.rules};
    memcpy(record.schema.md5, c->md5, sizeof record.schema.md5);
    c->wanted.id = id;
    propose(w, &record);
    return true;
}

static bool register_new(struct work *w, const struct wanted *wanted, unsigned how,
                         const struct config *config, struct shown *shown)
{
    struct history h = history_of(w, wanted->subject);
    struct wanted completed = *wanted;
    struct candidate c;
    const struct state_version *twin_version;
    bool imports = is_import(mode_in_scope(w, wanted->subject));
    TRY(check_mode(w, wanted));
    if (h.next == 0)
        return refuse(w, CODE_STORE, "the subject has no number left for a new version");
    if (!imports)
        TRY(complete(w, config, &h, &completed));
    TRY(make_candidate(w, &completed, wanted->id < 0 ? checks_of(config) : 0, how & DECIDE_NORMALIZE, &c));
    if (c.schema == NULL)
        return refuse(w, CODE_INVALID_SCHEMA, "Empty schema");
    int32_t id = wanted->id;
    const struct state_content *twin = find_twin(w, &c, &twin_version);
    if (twin && (id < 0 || id == twin->id)) {
        if (wanted->version == 0 && twin_version && !twin_version->deleted) {
            *shown = shown_candidate(&c, twin_version->version, twin->id);
            return true;
        }
        id = twin->id;
    }
    for (size_t i = 0; wanted->version == 0 && i < h.alive_count; i++) {
        bool same = false;
        if (id < 0 || id == h.alive[i]->content->id)
            TRY(stands_for(w, &c, h.alive[i], &same));
        if (same) {
            *shown = shown_candidate(&c, h.alive[i]->version, h.alive[i]->content->id);
            return true;
        }
    }
    if (!imports && !(how & DECIDE_FORCE))
        TRY(check_compatible(w, &c, config, &h));
    int32_t version = wanted->version > 0 ? wanted->version : h.next;
    if (version != h.next && !imports)
        return refuse(w, CODE_INVALID_SCHEMA, "Version is not one more than previous version");
    TRY(write_version(w, &c, id, version, &h));
    *shown = shown_candidate(&c, version, c.wanted.id);
    return true;
}

bool decide_register(struct work *w, const struct wanted *wanted, unsigned how, struct shown *shown)
{
    struct config config;
    struct wanted tagged = *wanted;
    bool found = false, merges = wanted->propagates_tags;
    config_in_scope(w, wanted->subject, &config);
    if (wanted->retag.add_count > 0 || wanted->retag.remove_count > 0) {
        TRY(retag(w, &tagged, &wanted->retag));
        tagged.version = wanted->version != 0 ? wanted->version : REGISTRY_LATEST;
        merges = true;
    }
    for (int i = CONFIG_DEFAULT_METADATA; i <= CONFIG_OVERRIDE_RULES; i++)
        merges = merges || config.fields[i].p != NULL;
    if (!merges)
        TRY(find_registered(w, &tagged, how & DECIDE_NORMALIZE, &found, shown));
    return found || register_new(w, &tagged, how, &config, shown);
}

/* ---- deleting ---------------------------------------------------------------------------------------------------------------- */

static bool refuse_referenced(struct work *w, struct str subject, int32_t version)
{
    return refuse(
        w, CODE_REFERENCE_EXISTS,
        "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=%.*s,version=%d}.",
        STR_ARG(subject), (int)version);
}

static void drop_settings(struct work *w, struct str subject)
{
    enum registry_mode mode;
    struct entry gone = {.kind = ENTRY_MODE, .subject = subject, .tombstone = true};
    if (state_mode(w->state, subject, &mode))
        propose(w, &gone);
    gone.kind = ENTRY_CONFIG;
    if (state_config(w->state, subject).p)
        propose(w, &gone);
}

static void propose_deleted(struct work *w, struct str subject, const struct state_version *v)
{
    struct entry record = {.kind = ENTRY_SCHEMA, .subject = subject, .version = v->version};
    const struct state_content *c = v->content;
    record.schema = (struct entry_schema){.id = c->id,
                                          .kind = c->kind,
                                          .text = c->text,
                                          .references = c->references,
                                          .metadata = c->metadata,
                                          .rules = c->rules,
                                          .deleted = true};
    memcpy(record.schema.md5, c->md5, sizeof record.schema.md5);
    record = entry_copy(w->arena, &record); /* what it is made of may go when it is applied */
    propose(w, &record);
}

bool decide_version_delete(struct work *w, struct str subject, int32_t version, bool permanent,
                           int32_t *deleted)
{
    const struct state_content **referrers;
    const struct state_version *v = version == REGISTRY_LATEST ? state_latest(w->state, subject)
                                                               : state_version(w->state, subject, version);
    size_t count;
    if (v && v->deleted && !permanent)
        return refuse(w, CODE_VERSION_SOFT_DELETED,
                      "Subject '%.*s' Version %d was soft deleted."
                      "Set permanent=true to delete permanently",
                      STR_ARG(subject), (int)version);
    if (v == NULL && !state_has_subjects(w->state, subject, true))
        return refuse_subject_not_found(w, subject);
    if (v == NULL)
        return refuse_version_not_found(w, version);
    if (is_read_only(w, subject))
        return refuse_read_only(w, subject);
    if (find_referrers(w, subject, v->version, permanent, &referrers) > 0)
        return refuse_referenced(w, subject, v->version);
    if (permanent && !v->deleted)
        return refuse(w, CODE_VERSION_NOT_SOFT_DELETED,
                      "Subject '%.*s' Version %d was not deleted first before being permanently deleted",
                      STR_ARG(subject), (int)v->version);
    *deleted = v->version;
    if (!permanent) {
        propose_deleted(w, subject, v);
        return true;
    }
    const struct entry gone = {
        .kind = ENTRY_SCHEMA, .subject = subject, .version = v->version, .tombstone = true};
    propose(w, &gone);
    state_versions(state_subject(w->state, subject), &count);
    if (count == 1)
        drop_settings(w, subject);
    return true;
}

/* Does a schema of another subject refer to it? */
static bool is_referenced(struct work *w, struct str subject, int32_t version, bool deleted)
{
    const struct state_content **referrers;
    size_t count = find_referrers(w, subject, version, true, &referrers), use_count;
    for (size_t i = 0; i < count; i++) {
        const struct state_use *uses = state_uses(referrers[i], &use_count);
        for (size_t k = 0; k < use_count; k++) {
            struct str name = state_subject_name(uses[k].subject);
            const struct state_version *v = state_version(w->state, name, uses[k].version);
            if (!str_eq(name, subject) && v && (deleted || !v->deleted))
                return true;
        }
    }
    return false;
}

bool decide_subject_delete(struct work *w, struct str subject, bool permanent, int32_t **versions,
                           size_t *count)
{
    size_t all;
    if (!state_has_subjects(w->state, subject, true))
        return refuse_subject_not_found(w, subject);
    if (!permanent && !state_has_subjects(w->state, subject, false))
        return refuse(w, CODE_SUBJECT_SOFT_DELETED,
                      "Subject '%.*s' was soft deleted.Set permanent=true to delete permanently",
                      STR_ARG(subject));
    if (is_read_only(w, subject))
        return refuse_read_only(w, subject);
    const struct state_version *v = state_versions(state_subject(w->state, subject), &all);
    *versions = arena_array(w->arena, int32_t, all + 1);
    *count = 0;
    for (size_t i = 0; i < all; i++) {
        if (!permanent && v[i].deleted)
            continue;
        if (is_referenced(w, subject, v[i].version, permanent))
            return refuse_referenced(w, subject, v[i].version);
        if (permanent && !v[i].deleted)
            return refuse(w, CODE_SUBJECT_NOT_SOFT_DELETED,
                          "Subject '%.*s' was not deleted first before being permanently deleted",
                          STR_ARG(subject));
        (*versions)[(*count)++] = v[i].version;
    }
    if (!permanent) {
        const struct entry record = {.kind = ENTRY_DELETE_SUBJECT,
                                     .subject = subject,
                                     .version = *count > 0 ? (*versions)[*count - 1] : 0};
        propose(w, &record);
        return true;
    }
    for (size_t i = *count; i-- > 0;) { /* from the newest, since it may refer to older ones */
        const struct entry gone = {
            .kind = ENTRY_SCHEMA, .subject = subject, .version = (*versions)[i], .tombstone = true};
        propose(w, &gone);
    }
    drop_settings(w, subject);
    return true;
}

bool decide_context_delete(struct work *w, struct str context)
{
    if (state_has_subjects(w->state, context, true))
        return refuse(w, CODE_CONTEXT_NOT_EMPTY, "The specified context '%.*s' is not empty.",
                      STR_ARG(context));
    const struct entry gone = {
        .kind = ENTRY_CONTEXT, .subject = subject_split(context).context, .tombstone = true};
    propose(w, &gone);
    return true;
}

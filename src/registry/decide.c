#include "registry/decide.h"

#include "registry/decide_private.h"
#include "registry/subject.h"
#include "schema/text.h"

bool refuse(struct work *w, int code, const char *format, ...)
{
    struct sbuf text = {0};
    va_list args;
    va_start(args, format);
    sbuf_vprintf(&text, format, args);
    va_end(args);
    w->code = code;
    w->message = text_take(w->arena, &text);
    sbuf_fini(&text);
    return false;
}

bool refuse_subject_not_found(struct work *w, struct str subject)
{
    return refuse(w, CODE_SUBJECT_NOT_FOUND, "Subject '%.*s' not found.", STR_ARG(subject));
}

bool refuse_version_not_found(struct work *w, int32_t version)
{
    return refuse(w, CODE_VERSION_NOT_FOUND, "Version %d not found.", (int)version);
}

void propose(struct work *w, const struct entry *record)
{
    if (w->entry_count == w->entry_capacity) {
        size_t capacity = w->entry_capacity ? 2 * w->entry_capacity : 4;
        struct entry *entries = arena_array(w->arena, struct entry, capacity);
        if (w->entry_count > 0)
            memcpy(entries, w->entries, w->entry_count * sizeof *entries);
        w->entries = entries;
        w->entry_capacity = capacity;
    }
    w->entries[w->entry_count++] = *record;
}

struct shown shown_of(struct str subject, const struct state_version *version)
{
    const struct state_content *c = version->content;
    struct shown shown = {.subject = subject,
                          .version = version->version,
                          .id = c->id,
                          .kind = c->kind,
                          .text = c->text,
                          .references = c->references,
                          .metadata = c->metadata,
                          .rules = c->rules,
                          .is_stored = true,
                          .timestamp_ms = version->timestamp_ms,
                          .deleted = version->deleted};
    memcpy(shown.md5, c->md5, sizeof shown.md5);
    return shown;
}

bool refuse_read_only(struct work *w, struct str subject)
{
    struct str context = subject_context_of(w->arena, subject);
    return refuse(w, CODE_NOT_PERMITTED, "Subject %.*s in context %.*s is in read-only mode",
                  subject.p ? (int)subject.n : 4, subject.p ? subject.p : "null", STR_ARG(context));
}

bool is_read_only(struct work *w, struct str subject)
{
    enum registry_mode mode = mode_in_scope(w, subject);
    return mode == MODE_READONLY || mode == MODE_READONLY_OVERRIDE;
}

/* ---- finding ----------------------------------------------------------------------------------------------------------------- */

static const struct state_version *find_version(struct work *w, struct str subject, int32_t version,
                                                bool deleted)
{
    if (version == REGISTRY_LATEST)
        return state_latest(w->state, subject);
    const struct state_version *v = state_version(w->state, subject, version);
    return v && (deleted || !v->deleted) ? v : NULL;
}

const struct state_version *find_version_somewhere(struct work *w, struct str *subject, int32_t version,
                                                   bool deleted)
{
    const struct state_version *v = find_version(w, *subject, version, deleted);
    const struct state_context **contexts;
    struct subject_name parts = subject_split(*subject);
    if (v || !str_is(parts.context, "."))
        return v;
    size_t count = state_contexts(w->state, w->arena, &contexts);
    for (size_t i = 0; i < count; i++) {
        struct str there = subject_join(w->arena, contexts[i]->name, parts.name);
        if ((v = find_version(w, there, version, deleted)) != NULL) {
            *subject = there;
            return v;
        }
    }
    return NULL;
}

/* The id in a subject, or, of a mere context, anywhere in it. */
static const struct state_content *find_id_in(struct work *w, int32_t id, struct str subject,
                                              struct str *found, int32_t *version)
{
    struct subject_name parts = subject_split(subject);
    size_t count;
    if (parts.name.n > 0) {
        const struct state_version *v = state_version_by_id(state_subject(w->state, subject), id);
        if (v == NULL)
            return NULL;
        *found = subject;
        *version = v->version;
        return v->content;
    }
    const struct state_content *content = state_content(w->state, parts.context, id);
    if (content) {
        const struct state_use *uses = state_uses(content, &count);
        *found = state_subject_name(uses[0].subject);
        *version = uses[0].version;
    }
    return content;
}

const struct state_content *find_id(struct work *w, int32_t id, struct str subject, struct str *found,
                                    int32_t *version)
{
    struct subject_name parts = subject_split(subject);
    const struct state_content *content = find_id_in(w, id, subject, found, version);
    const struct state_context **contexts;
    if (content || parts.name.n == 0 || !str_is(parts.context, "."))
        return content;
    size_t count = state_contexts(w->state, w->arena, &contexts);
    for (size_t i = 0; i < count; i++) {
        struct str there = subject_join(w->arena, contexts[i]->name, parts.name);
        if ((content = find_id_in(w, id, there, found, version)) != NULL)
            return content;
    }
    return find_id_in(w, id, str_n("", 0), found, version);
}

size_t find_guid(struct work *w, const uint8_t guid[16], const struct state_content ***contents)
{
    const struct state_context **contexts;
    size_t found = 0, count = state_contexts(w->state, w->arena, &contexts);
    *contents = arena_array(w->arena, const struct state_content *, count + 1);
    for (size_t i = 0; i <= count; i++) {
        struct str context = i == 0 ? STR(".") : contexts[i - 1]->name;
        const struct state_content *content = state_content_by_md5(w->state, context, guid);
        if (content)
            (*contents)[found++] = content;
    }
    return found;
}

static bool is_alive(const struct work *w, const struct state_content *content)
{
    size_t count;
    const struct state_use *uses = state_uses(content, &count);
    for (size_t i = 0; i < count; i++) {
        const struct state_version *v = state_version(w->state, state_subject_name(uses[i].subject),
                                                      uses[i].version);
        if (v && !v->deleted)
            return true;
    }
    return false;
}

size_t find_referrers(struct work *w, struct str subject, int32_t version, bool deleted,
                      const struct state_content ***contents)
{
    size_t all = state_referrers(w->state, w->arena, subject, version, contents), count = 0;
    for (size_t i = 0; i < all; i++)
        if (deleted || is_alive(w, (*contents)[i]))
            (*contents)[count++] = (*contents)[i];
    return count;
}

/* ---- references -------------------------------------------------------------------------------------------------------------- */

struct resolving {
    struct work *w;
    bool deleted; /* deleted ones are found, too */
    struct schema_reference *found;
    size_t count, capacity;
    struct str *visited;
    size_t visited_count, visited_capacity;
};

static bool was_visited(struct resolving *r, struct str name)
{
    for (size_t i = 0; i < r->visited_count; i++)
        if (str_eq(r->visited[i], name))
            return true;
    r->visited = mem_grow(r->visited, &r->visited_capacity, r->visited_count + 1, sizeof *r->visited);
    r->visited[r->visited_count++] = name;
    return false;
}

/* references is updated where it says "latest". */
static bool resolve_list(struct resolving *r, struct str parent, struct registry_reference *references,
                         uint32_t count, uint32_t depth)
{
    struct work *w = r->w;
    if (depth > 100 || r->visited_count > SCHEMA_REFERENCES_MAX)
        return refuse(w, CODE_INVALID_SCHEMA, "there are too many references");
    for (uint32_t i = 0; i < count; i++) {
        struct registry_reference *ref = &references[i];
        if (ref->name.p == NULL || ref->subject.p == NULL || ref->version == 0)
            return refuse(w, CODE_INVALID_SCHEMA,
                          "Invalid reference: {name='%.*s', subject='%.*s', version=%d}", STR_ARG(ref->name),
                          STR_ARG(ref->subject), (int)ref->version);
        struct str subject = subject_beside(w->arena, parent, ref->subject);
        const struct state_version *v = find_version(w, subject, ref->version, r->deleted);
        if (v == NULL)
            return refuse(w, CODE_INVALID_SCHEMA,
                          "No schema reference found for subject \"%.*s\" and version %d", STR_ARG(subject),
                          (int)ref->version);
        ref->version = v->version;
        if (was_visited(r, ref->name))
            continue;
        const struct registry_reference *inner;
        uint32_t inner_count;
        references_read(w->arena, v->content->references, &inner, &inner_count);
        struct registry_reference *copy = arena_array(w->arena, struct registry_reference, inner_count);
        if (inner_count > 0)
            memcpy(copy, inner, inner_count * sizeof *copy);
        TRY(resolve_list(r, subject, copy, inner_count, depth + 1));
        r->found = mem_grow(r->found, &r->capacity, r->count + 1, sizeof *r->found);
        r->found[r->count++] = (struct schema_reference){.name = ref->name,
                                                         .subject = ref->subject,
                                                         .version = ref->version,
                                                         .text = v->content->text,
                                                         .indirect = depth > 0};
    }
    return true;
}

bool resolve_references(struct work *w, struct str subject, struct registry_reference *references,
                        uint32_t count, bool deleted, struct schema_source *source)
{
    struct resolving r = {.w = w, .deleted = deleted};
    bool done = count == 0 || resolve_list(&r, subject, references, count, 0);
    struct schema_reference *found = arena_array(w->arena, struct schema_reference, r.count + 1);
    if (r.count > 0)
        memcpy(found, r.found, r.count * sizeof *found);
    source->references = found;
    source->reference_count = (uint32_t)r.count;
    mem_free(r.found);
    mem_free(r.visited);
    return done;
}

bool resolve(struct work *w, struct str subject, enum schema_kind kind, struct str text,
             struct str references, struct schema_source *source)
{
    const struct registry_reference *list;
    uint32_t count;
    *source = (struct schema_source){.kind = kind, .text = text, .lenient = true};
    references_read(w->arena, references, &list, &count);
    struct registry_reference *copy = arena_array(w->arena, struct registry_reference, count);
    if (count > 0)
        memcpy(copy, list, count * sizeof *copy);
    return resolve_references(w, subject, copy, count, true, source);
}

bool parse_stored(struct work *w, struct str subject, enum schema_kind kind, struct str text,
                  struct str references, const struct schema **schema)
{
    struct schema_source source;
    struct err err;
    TRY(resolve(w, subject, kind, text, references, &source));
    if (!schema_parse(w->arena, &source, schema, &err))
        return refuse(w, CODE_INVALID_SCHEMA, "Invalid schema of type %s, details: %s",
                      schema_kind_name(kind), err.text);
    return true;
}

bool format_text(struct work *w, const struct shown *shown, struct str format, struct str *text)
{
    const struct schema *schema;
    struct sbuf out = {0};
    *text = shown->text;
    if (str_trim(format).n == 0)
        return true;
    TRY(parse_stored(w, shown->subject, shown->kind, shown->text, shown->references, &schema));
    schema_format(schema, format, &out);
    *text = text_take(w->arena, &out);
    sbuf_fini(&out);
    return true;
}

static bool is_wanted(const struct schema_tags *entity, const struct str *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(wanted[i], "*"))
            return true;
        for (uint32_t k = 0; k < entity->count; k++)
            if (str_eq(entity->tags[k], wanted[i]))
                return true;
    }
    return false;
}

bool find_tags(struct work *w, struct shown *shown, const struct str *wanted, size_t count)
{
    const struct schema *schema;
    const struct schema_tags *tags;
    struct sbuf out = {0};
    TRY(parse_stored(w, shown->subject, shown->kind, shown->text, shown->references, &schema));
    uint32_t tagged = schema_tags(w->arena, schema, &tags);
    for (uint32_t i = 0; i < tagged; i++) {
        if (!is_wanted(&tags[i], wanted, count))
            continue;
        sbuf_cstr(&out, out.n == 0 ? "[" : ",");
        sbuf_cstr(&out, "{\"schemaEntity\":{\"entityPath\":");
        text_string(&out, tags[i].path);
        sbuf_printf(&out, ",\"entityType\":\"%s\"},\"tags\":[", tags[i].is_field ? "sr_field" : "sr_record");
        for (uint32_t k = 0; k < tags[i].count; k++) {
            if (k > 0)
                sbuf_char(&out, ',');
            text_string(&out, tags[i].tags[k]);
        }
        sbuf_cstr(&out, "]}");
    }
    if (out.n > 0) {
        sbuf_char(&out, ']');
        shown->tags = text_take(w->arena, &out);
    }
    sbuf_fini(&out);
    return true;
}

#include "registry/state.h"

#include <stdlib.h>

#include "base/map.h"
#include "registry/registry.h"
#include "registry/subject.h"

/* ---- a table of pointers ----------------------------------------------------------------------------------------------------- */

/* Open addressing, linear probing; an entry that is removed is closed up, so that nothing of it stays. The hash is the entry's own. Several entries
 * may have one hash: whoever looks goes on with the next. */
struct table {
    void **slots; /* slots[size], NULL: free */
    size_t size, count;
    uint64_t (*hash)(const void *entry);
};

static void table_fini(struct table *t)
{
    mem_free(t->slots);
    t->slots = NULL;
    t->size = t->count = 0;
}

static void place(struct table *t, void *entry)
{
    size_t at = t->hash(entry) & (t->size - 1);
    while (t->slots[at])
        at = (at + 1) & (t->size - 1);
    t->slots[at] = entry;
}

static void table_add(struct table *t, void *entry)
{
    if (t->count + t->count / 2 + 1 >= t->size) {
        struct table wider = {.size = t->size ? 2 * t->size : 16, .hash = t->hash};
        wider.slots = mem_new_array(void *, wider.size);
        for (size_t i = 0; i < t->size; i++)
            if (t->slots[i])
                place(&wider, t->slots[i]);
        mem_free(t->slots);
        t->slots = wider.slots;
        t->size = wider.size;
    }
    place(t, entry);
    t->count++;
}

static void table_remove(struct table *t, const void *entry)
{
    size_t mask = t->size - 1, at = t->hash(entry) & mask;
    while (t->slots[at] != entry)
        at = (at + 1) & mask;
    t->slots[at] = NULL;
    t->count--;
    for (size_t next = (at + 1) & mask; t->slots[next]; next = (next + 1) & mask) {
        void *moved = t->slots[next];
        t->slots[next] = NULL;
        place(t, moved);
    }
}

/* Begins with *at = the hash, and gives one entry after the other that may have it; NULL: no further one. */
static void *table_next(const struct table *t, size_t *at)
{
    if (t->size == 0)
        return NULL;
    *at &= t->size - 1;
    return t->slots[(*at)++];
}

static uint64_t mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15u;
    return x ^ x >> 32;
}

/* ---- its parts --------------------------------------------------------------------------------------------------------------- */

struct context {
    struct state_context view;  /* its name is behind the struct */
    struct table by_id, by_md5; /* of contents */
};

struct content {
    struct state_content view; /* its texts are behind the struct */
    struct state_use *uses;    /* uses[use_count]; the first one stands in the struct */
    struct state_use only;
    size_t use_count, use_capacity;
};

struct state_subject {
    struct str name; /* behind the struct */
    struct context *context;
    struct state_version *versions;
    size_t count, capacity;
};

struct referrers {
    const struct content **contents;
    size_t count, capacity;
};

struct state {
    struct table contexts, subjects;
    struct map configs, modes;           /* by subject; the default context's key is "" */
    struct map references;               /* "subject\nversion" → struct referrers */
    const struct state_subject **sorted; /* sorted[subjects.count], while is_sorted */
    size_t sorted_capacity;
    bool is_sorted;
};

static uint64_t hash_context(const void *entry)
{
    const struct context *c = entry;
    return hash_bytes(c->view.name.p, c->view.name.n);
}

static uint64_t hash_subject(const void *entry)
{
    const struct state_subject *s = entry;
    return hash_bytes(s->name.p, s->name.n);
}

static uint64_t hash_id(const void *entry)
{
    const struct content *c = entry;
    return mix((uint32_t)c->view.id);
}

static uint64_t md5_hash(const uint8_t md5[16])
{
    uint64_t x;
    memcpy(&x, md5, sizeof x);
    return mix(x);
}

static uint64_t hash_md5(const void *entry)
{
    const struct content *c = entry;
    return md5_hash(c->view.md5);
}

struct state *state_new(void)
{
    struct state *state = mem_new(sizeof *state);
    state->contexts.hash = hash_context;
    state->subjects.hash = hash_subject;
    return state;
}

static struct context *find_context(const struct state *state, struct str name)
{
    size_t at = hash_bytes(name.p, name.n);
    struct context *c;
    while ((c = table_next(&state->contexts, &at)) != NULL)
        if (str_eq(c->view.name, name))
            return c;
    return NULL;
}

static struct context *need_context(struct state *state, struct str name)
{
    struct context *c = find_context(state, name);
    if (c)
        return c;
    c = mem_new(sizeof *c + name.n);
    c->view.name = str_n(c + 1, name.n);
    if (name.n > 0)
        memcpy(c + 1, name.p, name.n);
    c->by_id.hash = hash_id;
    c->by_md5.hash = hash_md5;
    table_add(&state->contexts, c);
    return c;
}

static struct state_subject *find_subject(const struct state *state, struct str name)
{
    size_t at = hash_bytes(name.p, name.n);
    struct state_subject *s;
    while ((s = table_next(&state->subjects, &at)) != NULL)
        if (str_eq(s->name, name))
            return s;
    return NULL;
}

static struct state_subject *need_subject(struct state *state, struct str name)
{
    struct state_subject *s = find_subject(state, name);
    if (s)
        return s;
    s = mem_new(sizeof *s + name.n);
    s->name = str_n(s + 1, name.n);
    if (name.n > 0)
        memcpy(s + 1, name.p, name.n);
    s->context = need_context(state, subject_split(name).context);
    table_add(&state->subjects, s);
    state->is_sorted = false;
    return s;
}

static void drop_subject(struct state *state, struct state_subject *s)
{
    table_remove(&state->subjects, s);
    state->is_sorted = false;
    mem_free(s->versions);
    mem_free(s);
}

/* ---- contents ---------------------------------------------------------------------------------------------------------------- */

static char *put(char *to, struct str text, struct str *view)
{
    *view = text.p ? str_n(to, text.n) : text;
    if (text.n > 0)
        memcpy(to, text.p, text.n);
    return to + text.n;
}

static struct content *new_content(struct context *context, const struct entry_schema *from)
{
    struct content *c = mem_new(sizeof *c + from->text.n + from->references.n + from->metadata.n +
                                from->rules.n);
    char *to = (char *)(c + 1);
    c->view.context = &context->view;
    c->view.id = from->id;
    c->view.kind = from->kind;
    memcpy(c->view.md5, from->md5, sizeof c->view.md5);
    to = put(to, from->text, &c->view.text);
    to = put(to, from->references, &c->view.references);
    to = put(to, from->metadata, &c->view.metadata);
    put(to, from->rules, &c->view.rules);
    c->uses = &c->only;
    c->use_capacity = 1;
    table_add(&context->by_id, c);
    table_add(&context->by_md5, c);
    return c;
}

static bool is_same(const struct content *c, const struct entry_schema *s)
{
    return c->view.id == s->id && c->view.kind == s->kind && str_eq(c->view.text, s->text) &&
           str_eq(c->view.references, s->references) && str_eq(c->view.metadata, s->metadata) &&
           str_eq(c->view.rules, s->rules);
}

/* The context's content that a record holds; *other: one with the same id and another text. */
static struct content *find_content(const struct context *context, const struct entry_schema *s,
                                    const struct content **other)
{
    size_t at = mix((uint32_t)s->id);
    struct content *c;
    *other = NULL;
    while ((c = table_next(&context->by_id, &at)) != NULL) {
        if (is_same(c, s))
            return c;
        if (c->view.id == s->id && !str_eq(c->view.text, s->text))
            *other = c;
    }
    return NULL;
}

/* The key of the index of references. */
static struct str version_key(struct sbuf *out, struct str subject, int32_t version)
{
    sbuf_clear(out);
    sbuf_printf(out, "%.*s\n%d", STR_ARG(subject), (int)version);
    return sbuf_view(out);
}

static void link_references(struct state *state, const struct content *c, struct str parent, bool on)
{
    struct arena arena = {0};
    struct sbuf key = {0};
    const struct registry_reference *references;
    uint32_t count;
    if (c->view.references.p == NULL)
        return;
    references_read(&arena, c->view.references, &references, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct str subject = subject_beside(&arena, parent, references[i].subject);
        struct str name = version_key(&key, subject, references[i].version);
        struct referrers *r = map_get(&state->references, name);
        if (on) {
            if (r == NULL) {
                r = mem_new(sizeof *r);
                map_put(&state->references, name, r);
            }
            r->contents = mem_grow(r->contents, &r->capacity, r->count + 1, sizeof *r->contents);
            r->contents[r->count++] = c;
        } else if (r) {
            size_t k = 0;
            while (k < r->count && r->contents[k] != c)
                k++;
            CHECK(k < r->count);
            r->contents[k] = r->contents[--r->count];
            if (r->count == 0) {
                map_remove(&state->references, name);
                mem_free(r->contents);
                mem_free(r);
            }
        }
    }
    sbuf_fini(&key);
    arena_fini(&arena);
}

static void use(struct state *state, struct content *c, const struct state_subject *subject, int32_t version)
{
    if (c->use_count == c->use_capacity) {
        struct state_use *more = mem_new_array(struct state_use, 2 * c->use_capacity);
        memcpy(more, c->uses, c->use_count * sizeof *more);
        if (c->uses != &c->only)
            mem_free(c->uses);
        c->uses = more;
        c->use_capacity *= 2;
    }
    c->uses[c->use_count++] = (struct state_use){subject, version};
    link_references(state, c, subject->name, true);
}

static void unuse(struct state *state, struct content *c, const struct state_subject *subject,
                  int32_t version)
{
    size_t i = 0;
    while (c->uses[i].subject != subject || c->uses[i].version != version)
        i++;
    CHECK(i < c->use_count);
    memmove(c->uses + i, c->uses + i + 1, (c->use_count - i - 1) * sizeof *c->uses);
    c->use_count--;
    link_references(state, c, subject->name, false);
    if (c->use_count > 0)
        return;
    table_remove(&subject->context->by_id, c);
    table_remove(&subject->context->by_md5, c);
    if (c->uses != &c->only)
        mem_free(c->uses);
    mem_free(c);
}

/* ---- versions ---------------------------------------------------------------------------------------------------------------- */

/* Where it is, or would be. */
static size_t find_version(const struct state_subject *s, int32_t version)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->versions[middle].version < version)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct content *content_of(const struct state_version *version)
{
    return CONTAINER_OF(version->content, struct content, view);
}

static void remove_version(struct state *state, struct state_subject *s, size_t at)
{
    struct content *c = content_of(&s->versions[at]);
    int32_t version = s->versions[at].version;
    memmove(s->versions + at, s->versions + at + 1, (s->count - at - 1) * sizeof *s->versions);
    s->count--;
    unuse(state, c, s, version);
    if (s->count == 0)
        drop_subject(state, s);
}

static void apply_tombstone(struct state *state, const struct entry *r)
{
    struct state_subject *s = find_subject(state, r->subject);
    size_t at = s ? find_version(s, r->version) : 0;
    if (s && at < s->count && s->versions[at].version == r->version)
        remove_version(state, s, at);
}

static bool apply_schema(struct state *state, const struct entry *r, struct err *err)
{
    struct context *context = need_context(state, subject_split(r->subject).context);
    const struct content *other;
    struct content *c = find_content(context, &r->schema, &other);
    if (c == NULL && other)
        return err_set(err, ERR_DATA, "\"%.*s\" version %d has the id %d of another schema",
                       STR_ARG(r->subject), (int)r->version, (int)r->schema.id);
    if (c == NULL)
        c = new_content(context, &r->schema);
    if (r->schema.id > context->view.max_id)
        context->view.max_id = r->schema.id;
    struct state_subject *s = need_subject(state, r->subject);
    size_t at = find_version(s, r->version);
    bool is_there = at < s->count && s->versions[at].version == r->version;
    struct state_version version = {r->version, r->schema.deleted, r->schema.timestamp_ms, &c->view};
    if (is_there && s->versions[at].content == &c->view) {
        s->versions[at] = version;
        return true;
    }
    use(state, c, s, r->version);
    if (is_there) {
        unuse(state, content_of(&s->versions[at]), s, r->version);
    } else {
        s->versions = mem_grow(s->versions, &s->capacity, s->count + 1, sizeof *s->versions);
        memmove(s->versions + at + 1, s->versions + at, (s->count - at) * sizeof *s->versions);
        s->count++;
    }
    s->versions[at] = version;
    return true;
}

static void apply_delete_subject(struct state *state, const struct entry *r)
{
    struct state_subject *s = find_subject(state, r->subject);
    for (size_t i = 0; s && i < s->count && s->versions[i].version <= r->version; i++)
        s->versions[i].deleted = true;
}

/* Those that a CLEAR_SUBJECT is about. */
static size_t subjects_in(const struct state *state, struct arena *arena, struct str scope,
                          struct state_subject ***subjects)
{
    size_t count = 0;
    *subjects = arena_array(arena, struct state_subject *, state->subjects.count + 1);
    for (size_t i = 0; i < state->subjects.size; i++) {
        struct state_subject *s = state->subjects.slots[i];
        if (s && subject_in(s->name, scope))
            (*subjects)[count++] = s;
    }
    return count;
}

static void apply_clear(struct state *state, const struct entry *r)
{
    struct arena arena = {0};
    struct state_subject **subjects;
    size_t count = subjects_in(state, &arena, r->subject, &subjects);
    for (size_t i = 0; i < count; i++)
        for (size_t k = subjects[i]->count; k-- > 0;)
            if (subjects[i]->versions[k].deleted) {
                bool last = subjects[i]->count == 1;
                remove_version(state, subjects[i], k);
                if (last)
                    break; /* and the subject is gone with it */
            }
    arena_fini(&arena);
}

/* ---- settings ---------------------------------------------------------------------------------------------------------------- */

struct setting {
    struct str text;
    enum registry_mode mode;
};

static struct str setting_key(struct str subject)
{
    return subject.p ? subject : str_n("", 0);
}

static void apply_setting(struct map *map, const struct entry *r)
{
    void *old;
    if (r->tombstone) {
        old = map_remove(map, setting_key(r->subject));
    } else {
        struct setting *setting = mem_new(sizeof *setting + r->config.n);
        setting->mode = r->mode;
        put((char *)(setting + 1), r->config, &setting->text);
        old = map_put(map, setting_key(r->subject), setting);
    }
    mem_free(old);
}

struct str state_config(const struct state *state, struct str subject)
{
    const struct setting *setting = map_get(&state->configs, setting_key(subject));
    return setting ? setting->text : (struct str){0};
}

bool state_mode(const struct state *state, struct str subject, enum registry_mode *mode)
{
    const struct setting *setting = map_get(&state->modes, setting_key(subject));
    if (setting)
        *mode = setting->mode;
    return setting != NULL;
}

static int compare_strs(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static size_t names_of(const struct map *map, struct arena *arena, struct str prefix, struct str **names)
{
    size_t count = 0;
    *names = arena_array(arena, struct str, map->count + 1);
    MAP_EACH(entry, map)
    if (str_starts(entry->key, prefix))
        (*names)[count++] = entry->key;
    qsort(*names, count, sizeof **names, compare_strs);
    return count;
}

size_t state_configured(const struct state *state, struct arena *arena, struct str prefix, struct str **names)
{
    return names_of(&state->configs, arena, prefix, names);
}

size_t state_moded(const struct state *state, struct arena *arena, struct str prefix, struct str **names)
{
    return names_of(&state->modes, arena, prefix, names);
}

/* ---- records ----------------------------------------------------------------------------------------------------------------- */

bool state_apply(struct state *state, const struct entry *r, struct err *err)
{
    switch (r->kind) {
    case ENTRY_SCHEMA:
        if (!r->tombstone)
            return apply_schema(state, r, err);
        apply_tombstone(state, r);
        return true;
    case ENTRY_CONFIG: apply_setting(&state->configs, r); return true;
    case ENTRY_MODE: apply_setting(&state->modes, r); return true;
    case ENTRY_CONTEXT: need_context(state, r->subject)->view.declared = !r->tombstone; return true;
    case ENTRY_DELETE_SUBJECT:
        if (!r->tombstone)
            apply_delete_subject(state, r);
        return true;
    case ENTRY_CLEAR_SUBJECT:
        if (!r->tombstone)
            apply_clear(state, r);
        return true;
    case ENTRY_OTHER: return true;
    }
    UNREACHABLE("a kind of record");
}

/* The record that this version came from. */
static struct entry record_of(const struct state_subject *s, const struct state_version *v)
{
    const struct state_content *c = v->content;
    struct entry r = {.kind = ENTRY_SCHEMA, .subject = s->name, .version = v->version};
    r.schema = (struct entry_schema){.id = c->id,
                                     .kind = c->kind,
                                     .text = c->text,
                                     .references = c->references,
                                     .metadata = c->metadata,
                                     .rules = c->rules,
                                     .deleted = v->deleted,
                                     .timestamp_ms = v->timestamp_ms};
    memcpy(r.schema.md5, c->md5, sizeof r.schema.md5);
    return r;
}

static struct entry *invert_schema(const struct state *state, struct arena *arena, const struct entry *r,
                                   size_t *count)
{
    struct entry *inverse = arena_new(arena, struct entry);
    const struct state_subject *s = find_subject(state, r->subject);
    const struct state_version *v = state_version(state, r->subject, r->version);
    *inverse = (struct entry){
        .kind = ENTRY_SCHEMA, .subject = r->subject, .version = r->version, .tombstone = true};
    if (v)
        *inverse = record_of(s, v);
    *inverse = entry_copy(arena, inverse);
    *count = 1;
    return inverse;
}

static struct entry *invert_deletion(const struct state *state, struct arena *arena, const struct entry *r,
                                     size_t *count)
{
    struct state_subject **subjects;
    size_t subject_count = subjects_in(state, arena, r->subject, &subjects), room = 0;
    *count = 0;
    for (size_t i = 0; i < subject_count; i++)
        room += subjects[i]->count;
    struct entry *inverse = arena_zarray(arena, struct entry, room + 1);
    bool clears = r->kind == ENTRY_CLEAR_SUBJECT;
    for (size_t i = 0; i < subject_count; i++)
        for (size_t k = 0; k < subjects[i]->count; k++) {
            const struct state_version *v = &subjects[i]->versions[k];
            if (clears ? !v->deleted
                       : v->deleted || v->version > r->version || !str_eq(subjects[i]->name, r->subject))
                continue;
            struct entry was = record_of(subjects[i], v);
            inverse[(*count)++] = entry_copy(arena, &was);
        }
    return inverse;
}

struct entry *state_invert(const struct state *state, struct arena *arena, const struct entry *r,
                           size_t *count)
{
    struct entry *inverse = arena_new(arena, struct entry);
    *inverse = entry_copy(arena, r);
    *count = 1;
    switch (r->kind) {
    case ENTRY_SCHEMA: return invert_schema(state, arena, r, count);
    case ENTRY_CONFIG: {
        struct str text = state_config(state, r->subject);
        inverse->tombstone = text.p == NULL;
        inverse->config = text.p ? str_n(str_dup(arena, text), text.n) : text;
        return inverse;
    }
    case ENTRY_MODE: inverse->tombstone = !state_mode(state, r->subject, &inverse->mode); return inverse;
    case ENTRY_CONTEXT: {
        const struct context *c = find_context(state, r->subject);
        inverse->tombstone = c == NULL || !c->view.declared;
        return inverse;
    }
    case ENTRY_DELETE_SUBJECT:
    case ENTRY_CLEAR_SUBJECT:
        if (!r->tombstone)
            return invert_deletion(state, arena, r, count);
        break;
    case ENTRY_OTHER: break;
    }
    *count = 0;
    return inverse;
}

/* ---- looking ----------------------------------------------------------------------------------------------------------------- */

const struct state_subject *state_subject(const struct state *state, struct str name)
{
    return find_subject(state, name);
}

struct str state_subject_name(const struct state_subject *subject)
{
    return subject->name;
}

const struct state_version *state_versions(const struct state_subject *subject, size_t *count)
{
    *count = subject ? subject->count : 0;
    return subject ? subject->versions : NULL;
}

const struct state_version **state_alive(const struct state *state, struct arena *arena, struct str subject,
                                         size_t *count)
{
    size_t all;
    const struct state_version *versions = state_versions(state_subject(state, subject), &all);
    const struct state_version **alive = arena_array(arena, const struct state_version *, all + 1);
    *count = 0;
    for (size_t i = 0; i < all; i++)
        if (!versions[i].deleted)
            alive[(*count)++] = &versions[i];
    return alive;
}

const struct state_version *state_version(const struct state *state, struct str subject, int32_t version)
{
    const struct state_subject *s = find_subject(state, subject);
    size_t at = s ? find_version(s, version) : 0;
    return s && at < s->count && s->versions[at].version == version ? &s->versions[at] : NULL;
}

static bool has_version(const struct state_subject *s, bool deleted)
{
    for (size_t i = s->count; i-- > 0;)
        if (deleted || !s->versions[i].deleted)
            return true;
    return false;
}

const struct state_version *state_latest(const struct state *state, struct str subject)
{
    const struct state_subject *s = find_subject(state, subject);
    for (size_t i = s ? s->count : 0; i-- > 0;)
        if (!s->versions[i].deleted)
            return &s->versions[i];
    return NULL;
}

static int compare_subjects(const void *a, const void *b)
{
    const struct state_subject *x = *(const struct state_subject *const *)a,
                               *y = *(const struct state_subject *const *)b;
    return str_cmp(x->name, y->name);
}

static void sort_subjects(struct state *state)
{
    size_t count = 0;
    if (state->is_sorted)
        return;
    state->sorted = mem_grow(state->sorted, &state->sorted_capacity, state->subjects.count + 1,
                             sizeof *state->sorted);
    for (size_t i = 0; i < state->subjects.size; i++)
        if (state->subjects.slots[i])
            state->sorted[count++] = state->subjects.slots[i];
    CHECK(count == state->subjects.count);
    qsort(state->sorted, count, sizeof *state->sorted, compare_subjects);
    state->is_sorted = true;
}

size_t state_subjects(struct state *state, struct arena *arena, struct str prefix,
                      const struct state_subject ***subjects)
{
    size_t low = 0, high = state->subjects.count;
    sort_subjects(state);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (str_cmp(state->sorted[middle]->name, prefix) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < state->subjects.count && str_starts(state->sorted[end]->name, prefix))
        end++;
    *subjects = arena_array(arena, const struct state_subject *, end - low + 1);
    if (end > low)
        memcpy(*subjects, state->sorted + low, (end - low) * sizeof **subjects);
    return end - low;
}

bool state_has_subjects(struct state *state, struct str scope, bool deleted)
{
    if (scope.p != NULL && !subject_is_context(scope)) {
        const struct state_subject *s = find_subject(state, scope);
        return s && has_version(s, deleted);
    }
    for (size_t i = 0; i < state->subjects.size; i++) {
        const struct state_subject *s = state->subjects.slots[i];
        if (s && has_version(s, deleted) && subject_in(s->name, scope))
            return true;
    }
    return false;
}

const struct state_context *state_context(const struct state *state, struct str name)
{
    const struct context *c = find_context(state, name);
    return c ? &c->view : NULL;
}

static int compare_contexts(const void *a, const void *b)
{
    const struct state_context *x = *(const struct state_context *const *)a,
                               *y = *(const struct state_context *const *)b;
    return str_cmp(x->name, y->name);
}

size_t state_contexts(const struct state *state, struct arena *arena, const struct state_context ***contexts)
{
    size_t count = 0;
    *contexts = arena_array(arena, const struct state_context *, state->contexts.count + 1);
    for (size_t i = 0; i < state->contexts.size; i++) {
        const struct context *c = state->contexts.slots[i];
        if (c && c->view.declared)
            (*contexts)[count++] = &c->view;
    }
    qsort(*contexts, count, sizeof **contexts, compare_contexts);
    return count;
}

const struct state_content *state_content(const struct state *state, struct str context, int32_t id)
{
    const struct context *in = find_context(state, context);
    size_t at = mix((uint32_t)id);
    const struct content *c;
    while (in && (c = table_next(&in->by_id, &at)) != NULL)
        if (c->view.id == id)
            return &c->view;
    return NULL;
}

const struct state_content *state_content_by_md5(const struct state *state, struct str context,
                                                 const uint8_t md5[16])
{
    const struct context *in = find_context(state, context);
    size_t at = md5_hash(md5);
    const struct content *c;
    while (in && (c = table_next(&in->by_md5, &at)) != NULL)
        if (memcmp(c->view.md5, md5, 16) == 0)
            return &c->view;
    return NULL;
}

const struct state_version *state_version_by_id(const struct state_subject *subject, int32_t id)
{
    const struct state_version *deleted = NULL;
    for (size_t i = subject ? subject->count : 0; i-- > 0;) {
        const struct state_version *v = &subject->versions[i];
        if (v->content->id != id)
            continue;
        if (!v->deleted)
            return v;
        if (deleted == NULL)
            deleted = v;
    }
    return deleted;
}

const struct state_use *state_uses(const struct state_content *content, size_t *count)
{
    const struct content *c = CONTAINER_OF(content, struct content, view);
    *count = c->use_count;
    return c->uses;
}

static int compare_contents(const void *a, const void *b)
{
    const struct state_content *x = *(const struct state_content *const *)a,
                               *y = *(const struct state_content *const *)b;
    int order = str_cmp(x->context->name, y->context->name);
    return order ? order : x->id < y->id ? -1 : x->id > y->id;
}

size_t state_referrers(const struct state *state, struct arena *arena, struct str subject, int32_t version,
                       const struct state_content ***contents)
{
    struct sbuf key = {0};
    const struct referrers *r = map_get(&state->references, version_key(&key, subject, version));
    size_t count = 0;
    sbuf_fini(&key);
    *contents = arena_array(arena, const struct state_content *, r ? r->count : 1);
    for (size_t i = 0; r && i < r->count; i++)
        (*contents)[i] = &r->contents[i]->view;
    if (r == NULL)
        return 0;
    qsort(*contents, r->count, sizeof **contents, compare_contents);
    for (size_t i = 0; i < r->count; i++)
        if (i == 0 || (*contents)[i] != (*contents)[i - 1])
            (*contents)[count++] = (*contents)[i];
    return count;
}

/* ---- its life ---------------------------------------------------------------------------------------------------------------- */

static bool check_subject(const struct state *state, const struct state_subject *s)
{
    if (s->count == 0 || find_subject(state, s->name) != s)
        return false;
    for (size_t i = 0; i < s->count; i++) {
        const struct content *c = content_of(&s->versions[i]);
        bool used = false;
        for (size_t k = 0; k < c->use_count; k++)
            used = used || (c->uses[k].subject == s && c->uses[k].version == s->versions[i].version);
        if (!used || c->view.context != &s->context->view || c->view.id > c->view.context->max_id ||
            (i > 0 && s->versions[i].version <= s->versions[i - 1].version))
            return false;
    }
    return true;
}

bool state_check(const struct state *state)
{
    size_t versions = 0, uses = 0;
    for (size_t i = 0; i < state->subjects.size; i++) {
        const struct state_subject *s = state->subjects.slots[i];
        if (s && !check_subject(state, s))
            return false;
        versions += s ? s->count : 0;
    }
    for (size_t i = 0; i < state->contexts.size; i++) {
        const struct context *context = state->contexts.slots[i];
        if (context && context->by_id.count != context->by_md5.count)
            return false;
        for (size_t k = 0; context && k < context->by_id.size; k++) {
            const struct content *c = context->by_id.slots[k];
            uses += c ? c->use_count : 0;
            if (c && c->use_count == 0)
                return false;
        }
    }
    return uses == versions;
}

static void free_contents(struct table *table)
{
    for (size_t i = 0; i < table->size; i++) {
        struct content *c = table->slots[i];
        if (c && c->uses != &c->only)
            mem_free(c->uses);
        mem_free(c);
    }
    table_fini(table);
}

void state_free(struct state *state)
{
    if (state == NULL)
        return;
    for (size_t i = 0; i < state->contexts.size; i++) {
        struct context *c = state->contexts.slots[i];
        if (c == NULL)
            continue;
        free_contents(&c->by_id);
        table_fini(&c->by_md5);
        mem_free(c);
    }
    for (size_t i = 0; i < state->subjects.size; i++) {
        struct state_subject *s = state->subjects.slots[i];
        mem_free(s ? s->versions : NULL);
        mem_free(s);
    }
    MAP_EACH(entry, &state->configs)
    mem_free(entry->value);
    MAP_EACH(entry, &state->modes)
    mem_free(entry->value);
    MAP_EACH(entry, &state->references)
    {
        struct referrers *r = entry->value;
        mem_free(r->contents);
        mem_free(r);
    }
    map_fini(&state->configs);
    map_fini(&state->modes);
    map_fini(&state->references);
    table_fini(&state->contexts);
    table_fini(&state->subjects);
    mem_free(state->sorted);
    mem_free(state);
}

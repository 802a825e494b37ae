#include "job/schemas.h"

#include "base/map.h"

/* A question and, once it is there, its answer. */
struct asked {
    struct registry_call call;
    struct schema_desk *desk;
    bool answered;
    struct str key; /* in the map */
    struct str subject, text;
    struct arena arena; /* of the question */
};

struct schema_desk {
    struct pool *pool;
    struct registry *registry;
    struct loop *work;
    void (*woke)(void *arg);
    void *arg;
    struct topic_schemas view, patient;

    /* ---- any role, under lock ---- */
    struct lock *lock;
    struct map asked;
};

/* What is asked. */
struct question {
    enum { ASK_ID, ASK_LATEST, ASK_ADD } what;
    struct schema_id id;
    struct str subject;
    const struct schema_source *source;
};

static void asked_free(struct asked *a)
{
    registry_call_fini(&a->call);
    arena_fini(&a->arena);
    mem_free(a);
}

/* ---- asking ------------------------------------------------------------------------------------------------------------------ */

static void put_key(const struct question *q, struct sbuf *key)
{
    static const char kinds[] = "ila";
    sbuf_char(key, kinds[q->what]);
    if (q->what == ASK_ID && q->id.is_guid) {
        sbuf_char(key, 'g');
        sbuf_add(key, (const char *)q->id.guid, sizeof q->id.guid);
        return;
    }
    if (q->what == ASK_ID) {
        sbuf_printf(key, "%u", q->id.id);
        return;
    }
    sbuf_str(key, q->subject);
    if (q->what == ASK_ADD) {
        sbuf_char(key, '\0');
        sbuf_char(key, (char)('0' + q->source->kind));
        sbuf_str(key, q->source->text);
    }
}

static void ask(struct asked *a, const struct question *q)
{
    struct registry *registry = a->desk->registry;
    a->subject = str_of(str_dup(&a->arena, q->subject));
    switch (q->what) {
    case ASK_ID:
        if (q->id.is_guid)
            registry_get_guid(registry, &a->call, q->id.guid);
        else
            registry_get_id(registry, &a->call, (int32_t)q->id.id, STR(""));
        return;
    case ASK_LATEST: registry_get_version(registry, &a->call, a->subject, REGISTRY_LATEST); return;
    case ASK_ADD:
        a->text = str_of(str_dup(&a->arena, q->source->text));
        registry_register(registry, &a->call, a->subject, q->source->kind, a->text, NULL, 0, false);
        return;
    }
    UNREACHABLE("question");
}

static void answered(struct registry_call *call)
{
    struct asked *a = call->arg;
    struct schema_desk *desk = a->desk;
    bool failed = !call->ok && call->err.class == ERR_RETRY;
    lock_take(desk->lock);
    a->answered = true;
    lock_release(desk->lock);
    if (!failed) /* else whoever asked comes again, after a while */
        desk->woke(desk->arg);
}

/* Answers are many: all that nobody waits for go. Under the lock. */
static void make_room(struct schema_desk *desk)
{
    struct map left = {0};
    MAP_EACH(entry, &desk->asked)
    {
        struct asked *a = entry->value;
        if (a->answered)
            asked_free(a);
        else
            map_put(&left, entry->key, a);
    }
    map_fini(&desk->asked);
    desk->asked = left;
}

/* Under the lock. */
static struct asked *remember(struct schema_desk *desk, struct str key)
{
    if (desk->asked.count >= SCHEMA_DESK_MAX)
        make_room(desk);
    struct asked *a = mem_new(sizeof *a);
    *a = (struct asked){.desk = desk, .call = {.done = answered, .arg = a}};
    a->key = str_of(str_dup(&a->arena, key));
    a->key.n = key.n;
    map_put(&desk->asked, a->key, a);
    return a;
}

/* ---- answering --------------------------------------------------------------------------------------------------------------- */

static void copy_source(struct arena *arena, const struct schema_source *from, struct schema_source *to)
{
    struct schema_reference *references = arena_array(arena, struct schema_reference, from->reference_count);
    *to = *from;
    to->text = str_n(str_dup(arena, from->text), from->text.n);
    to->references = references;
    for (uint32_t i = 0; i < from->reference_count; i++) {
        const struct schema_reference *r = &from->references[i];
        references[i] = *r;
        references[i].name = str_n(str_dup(arena, r->name), r->name.n);
        references[i].subject = str_n(str_dup(arena, r->subject), r->subject.n);
        references[i].text = str_n(str_dup(arena, r->text), r->text.n);
    }
}

static enum schema_found take_answer(const struct registry_call *call, enum schema_found none,
                                     struct arena *arena, struct schema_source *source, uint32_t *id,
                                     struct err *err)
{
    if (!call->ok) {
        if (err)
            *err = call->err;
        return call->err.class == ERR_RETRY ? SCHEMA_LATER : none;
    }
    if (arena)
        copy_source(arena, &call->schema.source, source);
    if (id)
        *id = (uint32_t)call->schema.id;
    return SCHEMA_FOUND;
}

static void say_asked(const struct question *q, struct err *err)
{
    char text[SCHEMA_ID_TEXT];
    if (q->what == ASK_ID)
        err_set(err, ERR_RETRY, "the registry is being asked for schema %s", schema_id_text(&q->id, text));
    else
        err_set(err, ERR_RETRY, "the registry is being asked about the subject \"%.*s\"",
                STR_ARG(q->subject));
    if (err)
        err->code = SCHEMA_IS_ASKED;
}

static enum schema_found look(struct schema_desk *desk, const struct question *q, struct arena *arena,
                              struct schema_source *source, uint32_t *id, struct err *err)
{
    enum schema_found none = q->what == ASK_ADD ? SCHEMA_REFUSED : SCHEMA_MISSING, found = SCHEMA_LATER;
    struct sbuf key = {0};
    struct asked *a;
    bool is_new = false;
    if (desk->registry == NULL) {
        err_set(err, ERR_CONFIG, "there is no schema registry");
        return none;
    }
    put_key(q, &key);
    lock_take(desk->lock);
    a = map_get(&desk->asked, sbuf_view(&key));
    if (a == NULL) {
        a = remember(desk, sbuf_view(&key));
        is_new = true;
        say_asked(q, err);
    } else if (!a->answered) {
        say_asked(q, err);
    } else {
        found = take_answer(&a->call, none, arena, source, id, err);
        if (found != SCHEMA_FOUND || q->what == ASK_LATEST) { /* the next time it may be otherwise */
            map_remove(&desk->asked, a->key);
            asked_free(a);
        }
    }
    lock_release(desk->lock);
    sbuf_fini(&key);
    if (is_new)
        ask(a, q); /* the answer comes later, on this very loop: a is ours until then */
    return found;
}

static enum schema_found view_find(void *arg, const struct schema_id *id, struct arena *arena,
                                   struct schema_source *source, struct err *err)
{
    return look(arg, &(struct question){.what = ASK_ID, .id = *id}, arena, source, NULL, err);
}

static enum schema_found view_latest(void *arg, struct str subject, struct arena *arena,
                                     struct schema_source *source, uint32_t *id, struct err *err)
{
    return look(arg, &(struct question){.what = ASK_LATEST, .subject = subject}, arena, source, id, err);
}

static enum schema_found view_add(void *arg, struct str subject, const struct schema_source *source,
                                  uint32_t *id, struct err *err)
{
    const struct question q = {.what = ASK_ADD, .subject = subject, .source = source};
    return look(arg, &q, NULL, NULL, id, err);
}

/* ---- for those who can wait ---------------------------------------------------------------------------------------------------- */

struct waiting {
    struct msg msg;
    struct asked asked;
    const struct question *question;
    struct latch latch;
};

static void wait_ended(struct registry_call *call)
{
    struct waiting *w = call->arg;
    latch_open(&w->latch);
}

static void wait_begin(struct msg *msg)
{
    struct waiting *w = CONTAINER_OF(msg, struct waiting, msg);
    ask(&w->asked, w->question);
}

static enum schema_found wait_for(struct schema_desk *desk, const struct question *q, struct arena *arena,
                                  struct schema_source *source, uint32_t *id, struct err *err)
{
    enum schema_found none = q->what == ASK_ADD ? SCHEMA_REFUSED : SCHEMA_MISSING, found = SCHEMA_LATER;
    if (desk->registry == NULL) {
        err_set(err, ERR_CONFIG, "there is no schema registry");
        return none;
    }
    struct waiting *w = mem_new(sizeof *w);
    *w = (struct waiting){.question = q};
    w->asked = (struct asked){.desk = desk, .call = {.done = wait_ended, .arg = w}};
    msg_init(&w->msg, wait_begin);
    if (latch_init(&w->latch, err)) {
        loop_post(desk->work, &w->msg);
        latch_wait(&w->latch);
        found = take_answer(&w->asked.call, none, arena, source, id, err);
    }
    registry_call_fini(&w->asked.call);
    arena_fini(&w->asked.arena);
    mem_free(w);
    return found;
}

static enum schema_found patient_find(void *arg, const struct schema_id *id, struct arena *arena,
                                      struct schema_source *source, struct err *err)
{
    return wait_for(arg, &(struct question){.what = ASK_ID, .id = *id}, arena, source, NULL, err);
}

static enum schema_found patient_latest(void *arg, struct str subject, struct arena *arena,
                                        struct schema_source *source, uint32_t *id, struct err *err)
{
    return wait_for(arg, &(struct question){.what = ASK_LATEST, .subject = subject}, arena, source, id, err);
}

static enum schema_found patient_add(void *arg, struct str subject, const struct schema_source *source,
                                     uint32_t *id, struct err *err)
{
    const struct question q = {.what = ASK_ADD, .subject = subject, .source = source};
    return wait_for(arg, &q, NULL, NULL, id, err);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

struct schema_desk *schema_desk_new(struct pool *pool, struct registry *registry, struct loop *work,
                                    void (*woke)(void *arg), void *arg)
{
    struct schema_desk *desk = pool_new_struct(pool, struct schema_desk);
    *desk = (struct schema_desk){
        .pool = pool,
        .registry = registry,
        .work = work,
        .woke = woke,
        .arg = arg,
        .lock = lock_new(),
        .view = {view_find, view_latest, view_add, desk},
        .patient = {patient_find, patient_latest, patient_add, desk},
    };
    return desk;
}

const struct topic_schemas *schema_desk_view(struct schema_desk *desk)
{
    return &desk->view;
}

const struct topic_schemas *schema_desk_patient(struct schema_desk *desk)
{
    return &desk->patient;
}

void schema_desk_fini(struct schema_desk *desk)
{
    if (desk == NULL)
        return;
    MAP_EACH(entry, &desk->asked)
    asked_free(entry->value);
    map_fini(&desk->asked);
    lock_free(desk->lock);
}

/* ---- without loops ----------------------------------------------------------------------------------------------------------- */

static enum schema_found now(bool ok, const struct registry_schema *schema, struct schema_source *source,
                             uint32_t *id, const struct err *err)
{
    if (!ok)
        return err->class == ERR_RETRY ? SCHEMA_LATER : SCHEMA_MISSING;
    *source = schema->source;
    if (id)
        *id = (uint32_t)schema->id;
    return SCHEMA_FOUND;
}

static enum schema_found store_find(void *arg, const struct schema_id *id, struct arena *arena,
                                    struct schema_source *source, struct err *err) UNSHARED
{
    struct registry_schema schema;
    bool found = id->is_guid ? registry_get_guid_now(arg, arena, id->guid, &schema, err)
                             : registry_get_id_now(arg, arena, (int32_t)id->id, STR(""), &schema, err);
    return now(found, &schema, source, NULL, err);
}

static enum schema_found store_latest(void *arg, struct str subject, struct arena *arena,
                                      struct schema_source *source, uint32_t *id, struct err *err) UNSHARED
{
    struct registry_schema schema;
    return now(registry_get_version_now(arg, arena, subject, REGISTRY_LATEST, &schema, err), &schema, source,
               id, err);
}

static enum schema_found store_add(void *arg, struct str subject, const struct schema_source *source,
                                   uint32_t *id, struct err *err) UNSHARED
{
    struct arena arena = {0};
    struct schema_source found;
    enum schema_found answer = store_latest(arg, subject, &arena, &found, id, err);
    bool same = answer == SCHEMA_FOUND && str_eq(found.text, source->text);
    arena_fini(&arena);
    if (same)
        return SCHEMA_FOUND;
    err_set(err, ERR_FATAL, "the schema is not registered yet, and that takes a running project");
    return SCHEMA_REFUSED;
}

const struct topic_schemas *schemas_of_store(struct pool *pool, struct registry *registry)
{
    struct topic_schemas *schemas = pool_new_struct(pool, struct topic_schemas);
    *schemas = (struct topic_schemas){store_find, store_latest, store_add, registry};
    return schemas;
}

#include "registry/registry.h"

#include "registry/registry_private.h"

void registry_init(struct registry *registry, const struct registry_slots *slots, struct loop *net)
{
    *registry = (struct registry){.slots = slots, .net = net};
}

/* ---- questions: to the net loop, and back -------------------------------------------------------------------------------------- */

static void handle_answer(struct msg *msg)
{
    struct registry_call *call = CONTAINER_OF(msg, struct registry_call, msg);
    call->done(call);
}

void registry_answer(struct registry_call *call)
{
    msg_init(&call->msg, handle_answer);
    loop_post(call->home, &call->msg);
}

static void handle_question(struct msg *msg)
{
    struct registry_call *call = CONTAINER_OF(msg, struct registry_call, msg);
    struct registry *registry = call->registry;
    run_on_net();
    if (registry->ending) {
        err_set(&call->err, ERR_RETRY, "the schema registry is ending");
        registry_answer(call);
        return;
    }
    registry->slots->ask(registry, call);
}

static void ask(struct registry *registry, struct registry_call *call)
{
    call->registry = registry;
    call->home = loop_current();
    call->ok = false;
    call->schema = (struct registry_schema){0};
    CHECK(call->done != NULL && call->home != NULL);
    msg_init(&call->msg, handle_question);
    loop_post(registry->net, &call->msg);
}

void registry_get_id(struct registry *registry, struct registry_call *call, int32_t id, struct str subject)
{
    call->what = REGISTRY_BY_ID;
    call->id = id;
    call->subject = subject;
    ask(registry, call);
}

void registry_get_guid(struct registry *registry, struct registry_call *call, const uint8_t guid[16])
{
    call->what = REGISTRY_BY_GUID;
    memcpy(call->guid, guid, sizeof call->guid);
    call->subject = (struct str){0};
    ask(registry, call);
}

void registry_get_version(struct registry *registry, struct registry_call *call, struct str subject,
                          int32_t version)
{
    call->what = REGISTRY_BY_VERSION;
    call->subject = subject;
    call->version = version;
    ask(registry, call);
}

void registry_register(struct registry *registry, struct registry_call *call, struct str subject,
                       enum schema_kind kind, struct str text, const struct registry_reference *references,
                       uint32_t reference_count, bool normalize)
{
    call->what = REGISTRY_REGISTER;
    call->subject = subject;
    call->kind = kind;
    call->text = text;
    call->references = references;
    call->reference_count = reference_count;
    call->normalize = normalize;
    ask(registry, call);
}

void registry_call_fini(struct registry_call *call)
{
    arena_fini(&call->arena);
}

/* ---- its life ------------------------------------------------------------------------------------------------------------------ */

void registry_ended(struct registry *registry)
{
    void (*ended)(void *arg) = registry->ended;
    registry->ended = NULL;
    if (ended)
        ended(registry->ended_arg);
}

static void handle_end(struct msg *msg)
{
    struct registry *registry = CONTAINER_OF(msg, struct registry, end);
    run_on_net();
    registry->ending = true;
    registry->slots->end(registry);
}

void registry_end(struct registry *registry, void (*ended)(void *arg), void *arg)
{
    registry->ended = ended;
    registry->ended_arg = arg;
    msg_init(&registry->end, handle_end);
    loop_post(registry->net, &registry->end);
}

void registry_free(struct registry *registry)
{
    if (registry)
        registry->slots->free(registry);
}

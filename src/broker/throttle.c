#include "broker/throttle.h"

#include <math.h>

#include "broker/api.h"
#include "broker/changes.h"

static const char PREFIX[] = "kafka.quota/"; /* of keys in the store; then the key of quotas.h */

static int64_t now_ms(void)
{
    return os_mono().ns / NS_PER_MS;
}

static struct quota_client client_of(const struct request *r)
{
    return (struct quota_client){.user = STR("ANONYMOUS"), .client_id = r->header.client_id};
}

static void raise_wait(struct request *r, enum quota_kind kind, int32_t wait_ms)
{
    r->broker->throttled[kind] += wait_ms > 0;
    if (wait_ms > r->throttle_ms)
        r->throttle_ms = wait_ms;
}

/* ---- use ----------------------------------------------------------------------------------------------------------------------------- */

bool throttle_limits(const struct request *r)
{
    struct quota_client client = client_of(r);
    for (int kind = QUOTA_PRODUCE; kind <= QUOTA_MUTATIONS; kind++)
        if (!isinf(quotas_limit(r->broker->quotas, kind, &client)))
            return true;
    return false;
}

void throttle_charge(struct request *r, enum quota_kind kind, double amount)
{
    struct quota_client client = client_of(r);
    raise_wait(r, kind, quotas_charge(r->broker->quotas, kind, &client, amount, now_ms()));
}

bool throttle_take(struct request *r, enum quota_kind kind, double amount)
{
    struct quota_client client = client_of(r);
    int32_t wait_ms = quotas_take(r->broker->quotas, kind, &client, amount, now_ms());
    raise_wait(r, kind, wait_ms);
    return wait_ms == 0;
}

size_t throttle_burst(struct request *r, enum quota_kind kind)
{
    struct quota_client client = client_of(r);
    double burst = quotas_burst(r->broker->quotas, kind, &client);
    return burst < (double)INT64_MAX ? (size_t)burst : SIZE_MAX;
}

/* Those of one request together may use more than there is; the next request is refused. Kafka's bucket for these, too. */
static int32_t charge_strictly(struct request *r, int32_t partitions)
{
    struct quota_client client = client_of(r);
    struct quotas *quotas = r->broker->quotas;
    int32_t wait_ms = quotas_charge(quotas, QUOTA_MUTATIONS, &client, 0, now_ms());
    if (wait_ms == 0)
        quotas_charge(quotas, QUOTA_MUTATIONS, &client, partitions, now_ms());
    return wait_ms;
}

bool throttle_mutations(struct request *r, int32_t partitions, int16_t strict_from)
{
    if (r->header.version < strict_from) {
        throttle_charge(r, QUOTA_MUTATIONS, partitions);
        return true;
    }
    int32_t wait_ms = charge_strictly(r, partitions);
    raise_wait(r, QUOTA_MUTATIONS, wait_ms);
    return wait_ms == 0;
}

bool throttle_auto_create(struct request *r, int32_t partitions)
{
    return charge_strictly(r, partitions) == 0;
}

void throttle_clock_start(struct request *r)
{
    if (r->busy_since.ns == 0 && quotas_has(r->broker->quotas, QUOTA_REQUEST))
        r->busy_since = os_mono();
}

void throttle_clock_stop(struct request *r)
{
    if (r->busy_since.ns != 0)
        r->busy_ns += mono_since_ns(os_mono(), r->busy_since);
    r->busy_since = (struct mono_time){0};
}

void throttle_time(struct request *r)
{
    if (r->is_charged || !quotas_has(r->broker->quotas, QUOTA_REQUEST))
        return;
    r->is_charged = true;
    throttle_clock_stop(r);
    throttle_charge(r, QUOTA_REQUEST, (double)r->busy_ns / NS_PER_MS);
}

const void *throttle_answer(struct request *r, const void *response)
{
    const struct kafka_type *type = r->header.api->response;
    throttle_time(r);
    for (uint16_t i = 0; r->throttle_ms > 0 && i < type->fields_count; i++) {
        const struct kafka_field *field = &type->fields[i];
        if (strcmp(field->name, "ThrottleTimeMs") != 0 || r->header.version < field->first)
            continue;
        uint8_t *copy = arena_dup(&r->arena, response, type->size);
        memcpy(copy + field->offset, &r->throttle_ms, sizeof r->throttle_ms);
        return copy;
    }
    return response;
}

int32_t throttle_connect(struct broker *b, const char *peer)
{
    if (!quotas_has(b->quotas, QUOTA_CONNECT))
        return 0;
    struct quota_client client = {.address = peer_address(peer)};
    int32_t wait_ms = quotas_take(b->quotas, QUOTA_CONNECT, &client, 1, now_ms());
    b->throttled[QUOTA_CONNECT] += wait_ms > 0;
    return wait_ms;
}

/* ---- keeping ------------------------------------------------------------------------------------------------------------------------- */

struct loading {
    struct quotas *quotas;
    struct err *err;
    bool failed;
};

static void load(void *arg, struct str key, struct str value)
{
    struct loading *loading = arg;
    size_t n = strlen(PREFIX);
    if (!loading->failed)
        loading->failed = !quotas_load(loading->quotas, str_n(key.p + n, key.n - n), value, loading->err);
}

bool throttle_start(struct broker *b, struct err *err)
{
    b->quotas = quotas_new();
    struct loading loading = {b->quotas, err, false};
    store_each(b->store, str_of(PREFIX), load, &loading);
    return !loading.failed;
}

void throttle_stop(struct broker *b)
{
    quotas_free(b->quotas);
}

static struct str store_key(struct str key, struct arena *arena)
{
    char *p = arena_alloc(arena, strlen(PREFIX) + key.n);
    memcpy(p, PREFIX, strlen(PREFIX));
    memcpy(p + strlen(PREFIX), key.p, key.n);
    return str_n(p, strlen(PREFIX) + key.n);
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------------ */

void handle_describe_client_quotas(struct request *r)
{
    struct kafka_describe_client_quotas_response out;
    quotas_describe(r->broker->quotas, r->body, &r->arena, &out);
    request_answer(r, &out);
}

struct alteration {
    struct str key;
    struct kafka_alter_client_quotas_response_entry *out;
};

/* What is in the store counts, whatever became of this change and of others. */
static void kept(struct change *change, const struct frame *frame)
{
    struct alteration *a = change->to;
    struct request *r = change->all->request;
    struct sbuf value = {0};
    struct err err;
    run_on_net();
    store_get(r->broker->store, store_key(a->key, &r->arena), &value);
    CHECK(quotas_load(r->broker->quotas, a->key, sbuf_view(&value), &err));
    sbuf_fini(&value);
    if (frame->durable)
        return;
    a->out->error_code = frame_error(&frame->err);
    a->out->error_message = str_of(arena_strdup(&r->arena, frame->err.text));
}

static void keep(struct changes *all, struct str key, struct kafka_alter_client_quotas_response_entry *out)
    ON(net)
{
    struct request *r = all->request;
    struct sbuf value = {0};
    struct alteration *a = arena_new(&r->arena, struct alteration);
    *a = (struct alteration){key, out};
    struct frame *frame = change_begin(all, a, kept);
    quotas_save(r->broker->quotas, key, &value);
    frame_put(frame, store_key(key, &r->arena), sbuf_view(&value));
    frame_submit(frame);
    sbuf_fini(&value);
}

static void alter(struct changes *all, const struct kafka_alter_client_quotas_request_entry *in,
                  struct kafka_alter_client_quotas_response_entry *out) ON(net)
{
    struct request *r = all->request;
    const struct kafka_alter_client_quotas_request *request = r->body;
    struct quotas *quotas = r->broker->quotas;
    struct str key;
    struct err err;
    out->entity = KAFKA_NEW(&r->arena, kafka_alter_client_quotas_response_entity, in->entity_count);
    out->entity_count = in->entity_count;
    for (uint32_t i = 0; i < in->entity_count; i++) {
        out->entity[i].entity_type = in->entity[i].entity_type;
        out->entity[i].entity_name = in->entity[i].entity_name;
    }
    bool done = quotas_alter(quotas, in, true, &r->arena, &key, &out->error_code, &err);
    if (done && strlen(PREFIX) + key.n > STORE_KEY_MAX) {
        out->error_code = KAFKA_ERR_INVALID_REQUEST;
        done = err_set(&err, ERR_CONFIG, "the names of the entity are too long");
    }
    if (!done)
        out->error_message = str_of(arena_strdup(&r->arena, err.text));
    if (!done || request->validate_only)
        return;
    CHECK(quotas_alter(quotas, in, false, &r->arena, &key, &out->error_code, &err));
    keep(all, key, out);
}

void handle_alter_client_quotas(struct request *r)
{
    const struct kafka_alter_client_quotas_request *in = r->body;
    struct kafka_alter_client_quotas_response *out = KAFKA_NEW(&r->arena, kafka_alter_client_quotas_response,
                                                               1);
    struct changes *all = changes_new(r, out);
    out->entries = KAFKA_NEW(&r->arena, kafka_alter_client_quotas_response_entry, in->entries_count);
    out->entries_count = in->entries_count;
    for (uint32_t i = 0; i < in->entries_count; i++)
        alter(all, &in->entries[i], &out->entries[i]);
    changes_done_one(all);
}

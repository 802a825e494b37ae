/* The group coordinator at work: its topic, its clock, its requests. What it decides stands in groups.h; here is what it stands on.
 *
 *     persist   a frame of the store, with one batch for each partition of __consumer_offsets that is written to
 *     load      the topic is read whole before the listener opens: it is compacted, and small
 *
 * Frames are committed in the order in which they are submitted, so confirmations come in the order of tokens. */
#include "broker/coordinator.h"

#include "broker/api.h"
#include "broker/features.h"
#include "broker/topic_log.h"
#include "obs/event.h"
#include "os/os.h"

static struct groups_time now(void)
{
    return (struct groups_time){os_mono(), os_wall()};
}

static struct groups *groups_of(struct broker *b)
{
    return b->coordinator.groups;
}

/* ---- time ---------------------------------------------------------------------------------------------------------------------------- */

static void set_timer(struct coordinator *c) ON(net)
{
    struct mono_time due;
    if (groups_next_deadline(c->groups, &due))
        timer_set(&c->groups_timer, due);
    else
        timer_cancel(&c->groups_timer);
}

static void on_timer(struct timer *timer)
{
    struct coordinator *c = CONTAINER_OF(timer, struct coordinator, groups_timer);
    run_on_net();
    groups_tick(c->groups, now());
    set_timer(c);
}

/* ---- what groups need ---------------------------------------------------------------------------------------------------------------- */

static void reply(void *arg, struct groups_call *call, const void *response)
{
    run_on_net();
    (void)arg;
    request_answer(call->owner, response);
}

struct write {
    struct topic_write topic_write;
    struct coordinator *coordinator;
    uint64_t token;
};

static void written(struct topic_write *topic_write, bool ok)
{
    struct write *w = CONTAINER_OF(topic_write, struct write, topic_write);
    struct coordinator *c = w->coordinator;
    uint64_t token = w->token;
    run_on_net();
    mem_free(w);
    groups_persisted(c->groups, token, ok, now());
    set_timer(c);
}

/* Records of one partition follow one another in the order in which they are given; a batch begins where the partition changes. */
static void persist(void *arg, const struct groups_write *in)
{
    struct coordinator *c = arg;
    struct write *w = mem_new(sizeof *w);
    run_on_net();
    *w = (struct write){.coordinator = c, .token = in->token};
    topic_write_init(&w->topic_write, c->broker, &c->offsets, written);
    for (uint32_t i = 0; i < in->records_count; i++)
        topic_write_add(&w->topic_write, in->records[i].partition, in->records[i].key, in->records[i].value);
    if (in->producer_id >= 0)
        topic_write_stamp(&w->topic_write, in->producer_id, in->producer_epoch);
    topic_write_submit(&w->topic_write);
}

static void give_topic(struct coordinator *c, const struct topic_info *info, struct groups_topic *topic)
{
    memcpy(c->topic_name, info->name, sizeof c->topic_name);
    topic->name = str_of(c->topic_name);
    topic->partitions = info->partitions;
    memcpy(topic->id.b, info->id, sizeof info->id);
}

static bool topic_by_name(void *arg, struct str name, struct groups_topic *topic)
{
    struct coordinator *c = arg;
    struct topic_info info;
    if (name.n == 0 || !broker_topic_find(c->broker, name, NULL, &info))
        return false;
    give_topic(c, &info, topic);
    return true;
}

static bool topic_by_id(void *arg, const struct kafka_uuid *id, struct groups_topic *topic)
{
    struct coordinator *c = arg;
    struct topic_info info;
    if (!broker_topic_find(c->broker, (struct str){0}, id, &info))
        return false;
    give_topic(c, &info, topic);
    return true;
}

static bool topic_next(void *arg, size_t *at, struct groups_topic *topic)
{
    struct coordinator *c = arg;
    if (*at == 0) {
        arena_reset(&c->topics);
        c->topic_count = store_topics(c->broker->store, &c->topics, &c->topic_infos);
    }
    while (*at < c->topic_count && broker_topic_is_hidden(&c->topic_infos[*at]))
        ++*at;
    if (*at >= c->topic_count)
        return false;
    give_topic(c, &c->topic_infos[(*at)++], topic);
    return true;
}

static void random_bytes(void *arg, void *out, size_t n)
{
    (void)arg;
    os_random(out, n);
}

static const struct groups_slots slots = {reply,       persist,    topic_by_name,
                                          topic_by_id, topic_next, random_bytes};

/* ---- start and end ------------------------------------------------------------------------------------------------------------------- */

static bool load_record(void *arg, int64_t producer_id, struct str key, struct str value, struct err *err)
{
    return groups_load(arg, producer_id, key, value, err);
}

static void load_marker(void *arg, const struct records_marker *marker)
{
    groups_txn_completed(arg, marker->producer_id, marker->commits, now());
}

bool coordinator_start(struct broker *b, struct err *err)
{
    struct coordinator *c = &b->coordinator;
    c->broker = b;
    timer_init(&c->groups_timer, on_timer);
    topic_log_init(&c->offsets, "__consumer_offsets");
    c->groups = groups_new(&groups_config_default, &slots, c);
    TRY(topic_log_load(b, &c->offsets, load_record, load_marker, c->groups, err));
    return coordinator_start_txns(b, err);
}

/* On the net loop: from here on groups are served. */
void coordinator_open(struct broker *b)
{
    groups_loaded(b->coordinator.groups, now());
    set_timer(&b->coordinator);
    coordinator_open_txns(b);
}

void coordinator_end(struct broker *b)
{
    timer_cancel(&b->coordinator.groups_timer);
    timer_cancel(&b->coordinator.txns_timer);
}

void coordinator_stop(struct broker *b)
{
    struct coordinator *c = &b->coordinator;
    groups_free(c->groups);
    txns_free(c->txns);
    topic_log_fini(&c->offsets);
    topic_log_fini(&c->transactions);
    arena_fini(&c->topics);
}

void coordinator_topics_changed(struct broker *b)
{
    groups_topics_changed(groups_of(b));
    set_timer(&b->coordinator);
}

void coordinator_topic_deleted(struct broker *b, struct str name, const struct kafka_uuid *id)
{
    groups_topic_deleted(groups_of(b), name, id, now());
    set_timer(&b->coordinator);
}

void coordinator_offsets_ended(struct broker *b, int64_t producer_id, bool commits)
{
    groups_txn_completed(groups_of(b), producer_id, commits, now());
    set_timer(&b->coordinator);
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------------- */

static void cancel(struct request *r)
{
    run_on_net();
    groups_cancel(groups_of(r->broker), r->work);
    request_answer_nothing(r);
}

void coordinator_serve(struct request *r)
{
    if (features_refuse(r))
        return;
    struct groups_call *call = arena_new(&r->arena, struct groups_call);
    *call = (struct groups_call){.api = r->header.key,
                                 .version = r->header.version,
                                 .client_id = r->header.client_id,
                                 .client_host = request_client_host(r),
                                 .request = r->body,
                                 .owner = r};
    struct coordinator *c = &r->broker->coordinator;
    r->work = call;
    r->cancel = cancel;
    groups_serve(c->groups, call, now());
    set_timer(c);
}

enum { KEY_GROUP = 0, KEY_TRANSACTION = 1 };

void handle_find_coordinator(struct request *r)
{
    const struct kafka_find_coordinator_request *in = r->body;
    struct kafka_find_coordinator_response out;
    KAFKA_INIT(kafka_find_coordinator_response, &out);
    uint32_t count = r->header.version >= 4 ? in->coordinator_keys_count : 1;
    out.coordinators = KAFKA_NEW(&r->arena, kafka_find_coordinator_response_coordinator, count);
    for (uint32_t i = 0; i < count; i++) {
        struct kafka_find_coordinator_response_coordinator *to = &out.coordinators[i];
        to->key = r->header.version >= 4 ? in->coordinator_keys[i] : in->key;
        to->node_id = -1;
        to->host = STR("");
        to->port = -1;
        to->error_message = STR("");
        if (in->key_type != KEY_GROUP && in->key_type != KEY_TRANSACTION) {
            to->error_code = KAFKA_ERR_INVALID_REQUEST;
        } else if (in->key_type == KEY_TRANSACTION && to->key.n == 0) {
            to->error_code = KAFKA_ERR_INVALID_REQUEST;
        } else {
            to->node_id = BROKER_NODE;
            to->host = str_of(r->broker->advertised_host);
            to->port = r->broker->advertised_port;
        }
    }
    if (r->header.version >= 4) {
        out.coordinators_count = count;
    } else {
        out.error_code = out.coordinators[0].error_code;
        out.error_message = out.error_code == KAFKA_ERR_NONE ? STR("NONE") : STR(""); /* what Kafka says */
        out.node_id = out.coordinators[0].node_id;
        out.host = out.coordinators[0].host;
        out.port = out.coordinators[0].port;
    }
    request_answer(r, &out);
}

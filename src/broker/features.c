#include "broker/features.h"

#include "broker/api.h"
#include "broker/changes.h"

static const struct feature {
    const char *name;
    int16_t first, last;
} features[FEATURES] = {
    [FEATURE_GROUP] = {"group.version", 0, 1},
    [FEATURE_TRANSACTION] = {"transaction.version", 0, 2},
};

/* In the store: be64 epoch, then a be16 for each level, in the order above. */
#define KEY STR("kafka.features")
enum { VALUE_BYTES = 8 + 2 * FEATURES };

bool features_start(struct broker *b, struct err *err)
{
    struct feature_levels *levels = &b->features;
    struct sbuf value = {0};
    bool ok = true;
    levels->epoch = 1;
    for (size_t i = 0; i < FEATURES; i++)
        levels->level[i] = features[i].last;
    if (store_get(b->store, KEY, &value)) {
        ok = value.n == VALUE_BYTES;
        levels->epoch = ok ? (int64_t)get_be64(value.p) : 0;
        for (size_t i = 0; ok && i < FEATURES; i++) {
            levels->level[i] = (int16_t)get_be16(value.p + 8 + 2 * i);
            ok = levels->level[i] >= features[i].first && levels->level[i] <= features[i].last;
        }
    }
    sbuf_fini(&value);
    return ok || err_set(err, ERR_DATA, "the levels of the Kafka features are damaged");
}

static void refuse_heartbeat(struct request *r) ON(net)
{
    struct kafka_consumer_group_heartbeat_response out;
    KAFKA_INIT(kafka_consumer_group_heartbeat_response, &out);
    out.error_code = KAFKA_ERR_UNSUPPORTED_VERSION;
    request_answer(r, &out);
}

static void refuse_describe(struct request *r) ON(net)
{
    const struct kafka_consumer_group_describe_request *in = r->body;
    struct kafka_consumer_group_describe_response out;
    KAFKA_INIT(kafka_consumer_group_describe_response, &out);
    out.groups = KAFKA_NEW(&r->arena, kafka_consumer_group_describe_response_group, in->group_ids_count);
    out.groups_count = in->group_ids_count;
    for (uint32_t i = 0; i < in->group_ids_count; i++) {
        out.groups[i].group_id = in->group_ids[i];
        out.groups[i].error_code = KAFKA_ERR_UNSUPPORTED_VERSION;
    }
    request_answer(r, &out);
}

bool features_refuse(struct request *r)
{
    int16_t key = r->header.key;
    if (r->broker->features.level[FEATURE_GROUP] >= 1 ||
        (key != KAFKA_API_CONSUMER_GROUP_HEARTBEAT && key != KAFKA_API_CONSUMER_GROUP_DESCRIBE))
        return false;
    if (key == KAFKA_API_CONSUMER_GROUP_HEARTBEAT)
        refuse_heartbeat(r);
    else
        refuse_describe(r);
    return true;
}

void features_describe(struct request *r, struct kafka_api_versions_response *out)
{
    bool old = r->header.version < 4; /* these do not know a first version 0: such a feature is left out */
    const struct feature_levels *levels = &r->broker->features;
    out->supported_features = KAFKA_NEW(&r->arena, kafka_api_versions_response_supported_feature, FEATURES);
    out->finalized_features = KAFKA_NEW(&r->arena, kafka_api_versions_response_finalized_feature, FEATURES);
    for (size_t i = 0; i < FEATURES; i++) {
        const struct feature *f = &features[i];
        if (!old || f->first > 0) {
            struct kafka_api_versions_response_supported_feature *to =
                &out->supported_features[out->supported_features_count++];
            to->name = str_of(f->name);
            to->min_version = f->first;
            to->max_version = f->last;
        }
        if (levels->level[i] == 0)
            continue; /* off */
        struct kafka_api_versions_response_finalized_feature *level =
            &out->finalized_features[out->finalized_features_count++];
        level->name = str_of(f->name);
        level->min_version_level = level->max_version_level = levels->level[i];
    }
    out->finalized_features_epoch = levels->epoch;
}

/* ---- UpdateFeatures ------------------------------------------------------------------------------------------------------------------ */

enum { UPGRADE = 1, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE };

static bool refuse(struct request *r, struct str feature, int16_t level, const char *why, struct str *text)
{
    *text = str_of(
        arena_printf(&r->arena, "level %d of the feature \"%.*s\": %s", level, STR_ARG(feature), why));
    return false;
}

static bool apply(struct request *r, const struct kafka_update_features_request_feature *in,
                  struct feature_levels *levels, struct str *text)
{
    size_t i = 0;
    int16_t level = in->max_version_level;
    int8_t type = r->header.version > 0 ? in->upgrade_type : in->allow_downgrade ? SAFE_DOWNGRADE : UPGRADE;
    while (i < FEATURES && !str_is(in->feature, features[i].name))
        i++;
    if (type < UPGRADE || type > UNSAFE_DOWNGRADE)
        return refuse(r, in->feature, level, "the type of the update is not known", text);
    if (i == FEATURES)
        return refuse(r, in->feature, level, "there is no such feature here", text);
    if (level < features[i].first || level > features[i].last)
        return refuse(r, in->feature, level, "this server does not have it", text);
    if (level < levels->level[i] && type == UPGRADE)
        return refuse(r, in->feature, level, "it is lower than now, which only a downgrade may be", text);
    if (level > levels->level[i] && type != UPGRADE)
        return refuse(r, in->feature, level, "it is higher than now, which a downgrade cannot be", text);
    levels->level[i] = level;
    return true;
}

struct update {
    struct kafka_update_features_response *out;
    struct feature_levels levels;
};

static void updated(struct change *change, const struct frame *frame)
{
    struct update *u = change->to;
    struct request *r = change->all->request;
    if (frame->durable) {
        r->broker->features = u->levels;
        return;
    }
    u->out->error_code = frame_error(&frame->err);
    u->out->error_message = str_of(arena_strdup(&r->arena, frame->err.text));
}

static void keep(struct changes *all, struct update *u) ON(net)
{
    uint8_t value[VALUE_BYTES];
    u->levels.epoch++;
    put_be64(value, (uint64_t)u->levels.epoch);
    for (size_t i = 0; i < FEATURES; i++)
        put_be16(value + 8 + 2 * i, (uint16_t)u->levels.level[i]);
    struct frame *frame = change_begin(all, u, updated);
    frame_put(frame, KEY, str_n(value, sizeof value));
    frame_submit(frame);
}

/* All of them or none. */
void handle_update_features(struct request *r)
{
    const struct kafka_update_features_request *in = r->body;
    struct kafka_update_features_response *out = KAFKA_NEW(&r->arena, kafka_update_features_response, 1);
    struct changes *all = changes_new(r, out);
    struct update *u = arena_new(&r->arena, struct update);
    bool done = true;
    *u = (struct update){out, r->broker->features};
    out->error_message = (struct str){0};
    for (uint32_t i = 0; i < in->feature_updates_count && done; i++)
        done = apply(r, &in->feature_updates[i], &u->levels, &out->error_message);
    if (!done)
        out->error_code = KAFKA_ERR_INVALID_UPDATE_VERSION;
    else if (memcmp(u->levels.level, r->broker->features.level, sizeof u->levels.level) != 0 &&
             !in->validate_only)
        keep(all, u);
    out->results = KAFKA_NEW(&r->arena, kafka_update_features_response_feature, in->feature_updates_count);
    for (uint32_t i = 0; i < in->feature_updates_count && done && r->header.version < 2; i++)
        out->results[out->results_count++].feature = in->feature_updates[i].feature;
    changes_done_one(all);
}

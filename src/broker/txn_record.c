/* Transactional ids as records of __transaction_state, in Kafka's format: TransactionLogKey 0, TransactionLogValue 1.
 *
 * Key: the id. Value: its state and, unless that is EMPTY, the partitions by topic. The newest record of an id is the whole truth about
 * it; a tombstone ends it. Kafka keeps the last epoch, by which a lost answer to InitProducerId is given again, in memory alone; ours
 * is in a tagged field that Kafka skips, for a broker that was killed must not cost a producer its life. */
#include <string.h>

#include "broker/txns_private.h"

enum { VALUE_VERSION = 1 };

static const struct kafka_record *transaction_log(void)
{
    const struct kafka_record *record = kafka_record_of(STR("__transaction_state"), 0);
    CHECK(record != NULL);
    return record;
}

/* parts are sorted by topic. */
static void fill_partitions(struct txns *txns, const struct txn_parts *parts,
                            struct kafka_transaction_log_value *value)
{
    value->transaction_partitions = KAFKA_NEW(&txns->arena, kafka_transaction_log_value_topic, parts->count);
    int32_t *partitions = arena_array(&txns->arena, int32_t, parts->count);
    struct kafka_transaction_log_value_topic *topic = NULL;
    for (uint32_t i = 0; i < parts->count; i++) {
        if (i == 0 || parts->items[i].topic != parts->items[i - 1].topic) {
            topic = &value->transaction_partitions[value->transaction_partitions_count++];
            topic->topic = txn_topic_name(txns, parts->items[i].topic);
            topic->partition_ids = partitions + i;
        }
        partitions[i] = parts->items[i].partition;
        topic->partition_ids_count++;
    }
}

struct txn_encoded txn_encode(struct txns *txns, const struct txn *txn, const struct txn_image *image,
                              const struct txn_parts *parts)
{
    struct kafka_transaction_log_key key;
    kafka_init(&kafka_transaction_log_key, &key);
    key.transactional_id = named_str(&txn->named);
    struct txn_encoded encoded = {.key_at = txns->out.bytes.n};
    CHECK(kafka_record_key_encode(transaction_log(), &key, &txns->out, NULL));
    encoded.value_at = txns->out.bytes.n;
    encoded.key_size = encoded.value_at - encoded.key_at;
    if (image == NULL)
        return encoded;

    CHECK(txn_image_is_sane(image));
    struct kafka_transaction_log_value value;
    kafka_init(&kafka_transaction_log_value, &value);
    value.producer_id = image->producer_id;
    value.previous_producer_id = image->previous_producer_id;
    value.next_producer_id = image->next_producer_id;
    value.producer_epoch = image->epoch;
    value.last_producer_epoch = image->last_epoch;
    value.transaction_timeout_ms = image->timeout_ms;
    value.transaction_status = (int8_t)image->state;
    value.transaction_last_update_timestamp_ms = image->update_ms;
    value.transaction_start_timestamp_ms = image->start_ms;
    value.client_transaction_version = image->client_version;
    if (image->state != TXN_EMPTY)
        fill_partitions(txns, parts, &value);
    CHECK(kafka_versioned_encode(&kafka_transaction_log_value, VALUE_VERSION, &value, &txns->out, NULL));
    encoded.value_size = txns->out.bytes.n - encoded.value_at;
    return encoded;
}

/* ---- loading -------------------------------------------------------------------------------------------------- */

static struct txn_image image_of(const struct kafka_transaction_log_value *value)
{
    return (struct txn_image){
        .producer_id = value->producer_id,
        .previous_producer_id = value->previous_producer_id,
        .next_producer_id = value->next_producer_id,
        .start_ms = value->transaction_start_timestamp_ms,
        .update_ms = value->transaction_last_update_timestamp_ms,
        .timeout_ms = value->transaction_timeout_ms,
        .epoch = value->producer_epoch,
        .last_epoch = value->last_producer_epoch,
        .state = (uint8_t)value->transaction_status,
        .client_version = value->client_transaction_version >= 2 ? 2 : 0,
    };
}

static void load_partitions(struct txns *txns, struct txn *txn,
                            const struct kafka_transaction_log_value *value)
{
    size_t count = 0;
    for (uint32_t i = 0; i < value->transaction_partitions_count; i++)
        count += value->transaction_partitions[i].partition_ids_count;
    struct txns_partition *partitions = arena_array(&txns->arena, struct txns_partition, count);
    count = 0;
    for (uint32_t i = 0; i < value->transaction_partitions_count; i++) {
        const struct kafka_transaction_log_value_topic *topic = &value->transaction_partitions[i];
        for (uint32_t k = 0; k < topic->partition_ids_count; k++)
            partitions[count++] = (struct txns_partition){topic->topic, topic->partition_ids[k]};
    }
    txn->parts = txn_parts_union(txns, &(struct txn_parts){0}, partitions, count);
}

static bool load_value(struct txns *txns, struct str id, struct str bytes, struct err *err)
{
    struct rd r = rd_of(bytes.p, bytes.n);
    struct kafka_transaction_log_value value;
    int version = -1;
    if (bytes.n >= 2 && get_be16(bytes.p) > VALUE_VERSION) {
        txns->stats.skipped++;
        return true;
    }
    TRY(kafka_versioned_decode(&kafka_transaction_log_value, &r, &txns->arena, &version, &value, err));
    struct txn_image image = image_of(&value);
    if (!txn_image_is_sane(&image))
        return err_set(err, ERR_DATA, "the state of transactional id \"%.*s\" makes no sense", STR_ARG(id));
    struct txn *txn = txn_find(txns, id);
    if (txn == NULL)
        txn = txn_add(txns, id);
    txn_parts_free(txns, &txn->parts, NULL);
    txn->image = image;
    txn->is_durable = true;
    if (image.state != TXN_EMPTY)
        load_partitions(txns, txn, &value);
    return true;
}

bool txns_load(struct txns *txns, struct str key, struct str value, struct err *err)
{
    CHECK(!txns->is_loaded);
    arena_reset(&txns->arena);
    struct rd r = rd_of(key.p, key.n);
    const struct kafka_record *record;
    union kafka_record_key fields;
    if (key.n < 2 || get_be16(key.p) != 0) {
        txns->stats.skipped++;
        return true;
    }
    TRY(kafka_record_key_decode(STR("__transaction_state"), &r, &txns->arena, &record, &fields, err));
    if (value.p != NULL)
        return load_value(txns, fields.transaction_log_key.transactional_id, value, err);
    struct txn *txn = txn_find(txns, fields.transaction_log_key.transactional_id);
    if (txn)
        txn_remove(txns, txn);
    return true;
}

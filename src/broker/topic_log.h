/* A topic that holds a coordinator's records: Kafka's own format, 50 partitions, compacted. Read whole at the start, appended to by frames. */
#ifndef BROKER_TOPIC_LOG_H
#define BROKER_TOPIC_LOG_H

#include "broker/broker_private.h"
#include "format/records.h"

void topic_log_init(struct coordinator_topic *topic, const char *name);
void topic_log_fini(struct coordinator_topic *topic);

/* Calls record for each record, in the order of its partition (value.p NULL: a tombstone), and marker for each end of a transaction. A record that
 * record() refuses is said in the log and skipped. Blocks on the disk. */
bool topic_log_load(struct broker *broker, struct coordinator_topic *topic,
                    bool (*record)(void *arg, int64_t producer_id, struct str key, struct str value,
                                   struct err *err),
                    void (*marker)(void *arg, const struct records_marker *marker), void *arg,
                    struct err *err);

/* One write: records for any partitions, whole or not at all; and whatever else the caller puts into its frame. */
struct topic_write {
    struct list link; /* topic->waiting */
    struct broker *broker;
    struct coordinator_topic *topic;
    void (*done)(struct topic_write *write, bool ok); /* on net; frees what it is in */
    void (*lay_more)(
        struct topic_write *write); /* what else goes into the frame, behind the records; may be NULL */
    struct frame *frame;
    struct topic_batch {
        int32_t partition;
        struct records_builder records;
    } * batches;
    size_t count, capacity;
    int64_t producer_id; /* −1: no transaction */
    int16_t producer_epoch;
};
void topic_write_init(struct topic_write *write, struct broker *broker, struct coordinator_topic *topic,
                      void (*done)(struct topic_write *write, bool ok)) ON(net);
/* value.p NULL: a tombstone. */
void topic_write_add(struct topic_write *write, int32_t partition, struct str key, struct str value);
/* Its batches belong to a transaction. */
void topic_write_stamp(struct topic_write *write, int64_t producer_id, int16_t producer_epoch);
/* Sooner or later calls done, not from inside. */
void topic_write_submit(struct topic_write *write) ON(net);

#endif

/* A heartbeat of the new protocol while it is computed: group_consumer.c and group_reconcile.c. */
#ifndef BROKER_GROUP_BEAT_PRIVATE_H
#define BROKER_GROUP_BEAT_PRIVATE_H

#include "broker/groups_private.h"

struct beat_topic {
    struct str name;
    uint32_t index; /* in consumer.topics */
    int32_t partitions;
};

/* Everything that is not the state's is in groups->out, or in the write. */
struct beat {
    struct groups_call *call;
    const struct kafka_consumer_group_heartbeat_request *request;
    struct group *group;
    struct consumer
        *consumer; /* the group's; or a blank one, of a group that becomes a consumer group by this */
    struct consumer_member *member;   /* as it is; NULL: it is new */
    struct consumer_member *replaced; /* the static one whose place it takes; or NULL */
    struct consumer_member next;      /* as it will be; pointers are borrowed */
    struct write *write;              /* NULL: nothing to be written yet */
    bool has_subscribed;              /* its subscription has changed */
    struct consumer_member **leaving; /* leaving[leaving_count]: who goes; then there is no next */
    uint32_t leaving_count;
    struct regex *regexes; /* regexes[regexes_count]: of the group, resolved, as they will be */
    uint32_t regexes_count;
    bool has_topics;           /* the next three are computed */
    struct beat_topic *topics; /* topics[topics_count], by name */
    uint32_t topics_count;
    int64_t hash;
    int32_t epoch, target_epoch; /* the group's and the assignment's, as they will be */
};

/* The write, made when first needed. */
struct write *beat_write(struct groups *groups, struct beat *b);
/* The member at the link; NULL: the heartbeat's own, or one that goes. */
const struct consumer_member *beat_member(const struct beat *b, const struct list *link);
void beat_topics(struct groups *groups, struct beat *b);
void beat_assign(struct groups *groups, struct beat *b);
void beat_reconcile(struct groups *groups, struct beat *b);

#endif

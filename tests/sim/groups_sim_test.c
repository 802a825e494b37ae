/* Group coordination by chance: some clients that behave as real ones do, a network that loses and delays, a journal that is slow, refuses
 * and forgets what it did not confirm, and a coordinator that dies and is built again from what was durable.
 *
 * Clients: classic ones, eager, cooperative and static; of the new protocol, by names and by expression, static or not. Each owns what it
 * was told, reads on from the offset that it fetched when it got a partition, and commits, by itself or in transactions.
 *
 * After every step:
 *   - groups_check holds, and a restart would make the same of the journal (now and then)
 *   - in one generation of a classic group, a partition is assigned to one member; over restarts, too
 *   - the new protocol gives out no partition that a member which it knows still owns
 *   - an acknowledged commit is never behind an earlier one, and no later fetch of stable offsets returns less
 * and at the end, when nothing fails any more, every partition has one owner again, and all are content.
 *
 * A connection keeps the order of its requests. What a client gave up on either never arrives, or has arrived before its next one.
 *
 * SEEDS=n runs n seeds, SEED=n one, VERBOSE=1 tells what happens. */
#include <ref/group_world.h>

#include "base/map.h"
#include "base/test.h"
#include "broker/groups_private.h"

enum {
    SEEDS = 1000,
    CLIENTS_MAX = 6,
    GROUPS_MAX = 2,
    PARTS = 8, /* t/0 … t/5, u/0, u/1 */
    OF_T = 6,  /* of them t's */
    CHAOS_MS = 60000,
    CALM_MS = 300000,
    GENERATIONS_MAX = 512,
    CAUGHT_WITHIN = 300, /* seeds in which a mechanism that is switched off must be missed */
};

enum kind { EAGER, COOPERATIVE, STATIC, BY_NAME, BY_REGEX, NEW_STATIC, KINDS };
enum net { IDLE, TO_SERVER, AT_SERVER, TO_CLIENT, LOST };
enum what { JOIN, SYNC, HEARTBEAT, LEAVE, BEAT, COMMIT, TXN_COMMIT, FETCH };

/* What a client keeps of an answer. */
struct answer {
    int16_t error;
    int32_t epoch; /* generation, or member epoch */
    char id[80];
    bool is_leader, has_assignment;
    unsigned mask; /* partitions */
    char members[CLIENTS_MAX + 2][80];
    unsigned claims[CLIENTS_MAX + 2];
    int32_t claim_generations[CLIENTS_MAX + 2];
    uint32_t members_count;
    int64_t offsets[PARTS]; /* −1: none; −2: unstable */
    int16_t part_errors[PARTS];
};

struct client {
    enum kind kind;
    uint32_t group;
    bool is_alive;
    int64_t back_ms;   /* dead: when it comes back */
    int64_t frozen_ms; /* until then it does nothing, and then it goes on as if nothing had been */
    char id[80], instance[16], group_id[8];
    int32_t epoch;
    bool is_member, needs_join, needs_sync, is_leader, revokes,
        goes;               /* classic; revokes: commit, then join */
    unsigned assigned_of;   /* classic leader: the partitions that there were when it assigned */
    bool is_dirty, is_full; /* new: what it owns has changed since it said so; the next heartbeat says all */
    unsigned owned, has_position;
    int64_t position[PARTS];
    int64_t beat_ms, commit_ms;
    int64_t producer_id;
    unsigned txn_mask; /* partitions of the open transaction */
    int64_t txn_offsets[PARTS];
    /* the request under way */
    enum net net;
    enum what what;
    int64_t sent_ms, due_ms;
    struct world_call *call;
    struct answer answer;
    unsigned mask; /* that it is about */
    int64_t offsets[PARTS];
    union {
        struct kafka_join_group_request join;
        struct kafka_sync_group_request sync;
        struct kafka_heartbeat_request heartbeat;
        struct kafka_leave_group_request leave;
        struct kafka_consumer_group_heartbeat_request beat;
        struct kafka_offset_commit_request commit;
        struct kafka_txn_offset_commit_request txn;
        struct kafka_offset_fetch_request fetch;
    } request;
    struct kafka_join_group_request_protocol protocol;
    uint8_t metadata[8];
    struct kafka_sync_group_request_assignment assignments[CLIENTS_MAX + 2];
    uint8_t assigned[CLIENTS_MAX + 2];
    struct kafka_leave_group_request_member leaving;
    struct str names[2];
    struct kafka_consumer_group_heartbeat_request_topic owning[2];
    struct kafka_offset_commit_request_topic commit_topics[2];
    struct kafka_offset_commit_request_partition commit_parts[PARTS];
    struct kafka_offset_fetch_request_topic fetch_topics[2];
    int32_t parts[PARTS];
};

struct sim {
    struct world w;
    uint64_t seed;
    bool is_calm, is_verbose;
    const char *broken; /* what did not hold */
    struct client clients[CLIENTS_MAX];
    uint32_t clients_count, groups_count;
    uint32_t partitions[2];
    int64_t acked[GROUPS_MAX][PARTS];                 /* greatest commit that was acknowledged */
    int8_t owner[GROUPS_MAX][GENERATIONS_MAX][PARTS]; /* classic: index of the client + 1 */
    uint64_t trace;                                   /* hash of what happened */
    uint32_t generations, restarts, commits;
};

static void tell(struct sim *s, const struct client *c, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct sim *s, const struct client *c, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    uint32_t who = c ? (uint32_t)(c - s->clients) : 99;
    s->trace = s->trace * 31 + hash_bytes(text, (size_t)n) + who;
    if (s->is_verbose)
        printf("%7.2f s  %2u  %s\n", (double)(s->w.now_ms - 1000000) / 1000, who, text);
}

static void broken(struct sim *s, const char *what)
{
    if (s->broken == NULL)
        s->broken = what;
    tell(s, NULL, "BROKEN: %s", what);
}

static bool chance(struct sim *s, uint32_t one_in)
{
    return world_below(&s->w, one_in) == 0;
}

static bool chaos(struct sim *s, uint32_t one_in)
{
    return !s->is_calm && chance(s, one_in);
}

static unsigned all_parts(const struct sim *s)
{
    unsigned mask = 0;
    for (uint32_t p = 0; p < s->partitions[0]; p++)
        mask |= 1u << p;
    for (uint32_t p = 0; p < s->partitions[1]; p++)
        mask |= 1u << (OF_T + p);
    return mask;
}

static bool is_new_protocol(const struct client *c)
{
    return c->kind >= BY_NAME;
}

/* ---- answers, as the coordinator gives them ------------------------------------------------------------------- */

static void join_answered(struct client *c, const struct kafka_join_group_response *r)
{
    struct answer *a = &c->answer;
    a->error = r->error_code;
    a->epoch = r->generation_id;
    snprintf(a->id, sizeof a->id, "%.*s", STR_ARG(r->member_id));
    a->is_leader = r->error_code == 0 && str_eq(r->leader, r->member_id);
    a->has_assignment = r->skip_assignment;
    a->members_count = r->members_count;
    for (uint32_t i = 0; i < r->members_count && i < CLIENTS_MAX + 2; i++) {
        snprintf(a->members[i], sizeof a->members[i], "%.*s", STR_ARG(r->members[i].member_id));
        a->claims[i] = (uint8_t)r->members[i].metadata.p[0];
        a->claim_generations[i] = (int32_t)get_be32(r->members[i].metadata.p + 1);
    }
}

static void sync_answered(struct sim *s, struct client *c, const struct kafka_sync_group_response *r)
{
    c->answer.error = r->error_code;
    c->answer.mask = r->error_code == 0 && r->assignment.n ? (uint8_t)r->assignment.p[0] : 0;
    int32_t generation = c->request.sync.generation_id;
    for (uint32_t p = 0; p < PARTS && r->error_code == 0 && generation < GENERATIONS_MAX; p++) {
        int8_t *owner = &s->owner[c->group][generation][p], me = (int8_t)(c - s->clients + 1);
        if ((c->answer.mask >> p & 1) == 0)
            continue;
        if (*owner && *owner != me)
            broken(s, "two members have a partition in one generation");
        *owner = me;
    }
}

/* Does the coordinator know this client as a member that it has told of its epoch? */
static bool is_known(struct sim *s, const struct client *c)
{
    const struct group *group = group_find(s->w.groups, str_of(c->group_id));
    return c->is_alive && group && group->consumer && consumer_member_of(group->consumer, str_of(c->id));
}

static void beat_answered(struct sim *s, struct client *c,
                          const struct kafka_consumer_group_heartbeat_response *r)
{
    struct answer *a = &c->answer;
    a->error = r->error_code;
    a->epoch = r->member_epoch;
    a->has_assignment = r->assignment != NULL;
    for (uint32_t i = 0; r->assignment && i < r->assignment->topic_partitions_count; i++) {
        const struct kafka_consumer_group_heartbeat_response_topic *topic =
            &r->assignment->topic_partitions[i];
        bool is_t = uuid_eq(&topic->topic_id, &s->w.topics[0].id);
        for (uint32_t k = 0; k < topic->partitions_count; k++)
            a->mask |= 1u << (topic->partitions[k] + (is_t ? 0 : OF_T));
    }
    for (uint32_t i = 0; i < s->clients_count; i++) {
        const struct client *other = &s->clients[i];
        if (other != c && other->group == c->group && is_new_protocol(other) && (other->owned & a->mask) &&
            is_known(s, other))
            broken(s, "a partition was given out while its owner has it");
    }
}

/* Partition of a topic of a request or answer → bit. */
static uint32_t bit_of(struct str topic, int32_t partition)
{
    return (uint32_t)partition + (str_is(topic, "t") ? 0 : OF_T);
}

static void commit_answered(struct sim *s, struct client *c,
                            const struct kafka_offset_commit_response_topic *topics, uint32_t count,
                            bool is_txn)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < topics[i].partitions_count; k++) {
            uint32_t p = bit_of(topics[i].name, topics[i].partitions[k].partition_index);
            c->answer.part_errors[p] = topics[i].partitions[k].error_code;
            if (topics[i].partitions[k].error_code || is_txn)
                continue;
            if (c->offsets[p] < s->acked[c->group][p])
                broken(s, "a commit was taken that goes back");
            s->acked[c->group][p] = c->offsets[p];
            s->commits++;
        }
}

static void fetch_answered(struct sim *s, struct client *c, const struct kafka_offset_fetch_response *r)
{
    c->answer.error = r->error_code;
    for (uint32_t i = 0; i < r->topics_count; i++)
        for (uint32_t k = 0; k < r->topics[i].partitions_count; k++) {
            const struct kafka_offset_fetch_response_partition *part = &r->topics[i].partitions[k];
            uint32_t p = bit_of(r->topics[i].name, part->partition_index);
            c->answer.offsets[p] = part->error_code ? -2 : part->committed_offset;
            if (part->error_code == 0 &&
                part->committed_offset < s->acked[c->group][p] - (s->acked[c->group][p] == 0))
                broken(s, "a committed offset is lost");
        }
}

static void on_answer(struct world *w, struct world_call *call, const void *response)
{
    struct client *c = call->owner;
    struct sim *s = CONTAINER_OF(w, struct sim, w);
    c->call = NULL;
    memset(&c->answer, 0, sizeof c->answer);
    switch (c->what) {
    case JOIN: join_answered(c, response); break;
    case SYNC: sync_answered(s, c, response); break;
    case HEARTBEAT: c->answer.error = ((const struct kafka_heartbeat_response *)response)->error_code; break;
    case LEAVE: break;
    case BEAT: beat_answered(s, c, response); break;
    case COMMIT: {
        const struct kafka_offset_commit_response *r = response;
        commit_answered(s, c, r->topics, r->topics_count, false);
        break;
    }
    case TXN_COMMIT: {
        const struct kafka_txn_offset_commit_response *r = response;
        commit_answered(s, c, (const struct kafka_offset_commit_response_topic *)r->topics, r->topics_count,
                        true);
        break;
    }
    case FETCH: fetch_answered(s, c, response); break;
    }
    bool is_lost = chaos(s, 12);
    c->net = is_lost ? LOST : TO_CLIENT;
    c->due_ms = w->now_ms + world_below(w, 40);
    tell(s, c, "answer %d error %d epoch %d mask %x%s", c->what, c->answer.error, c->answer.epoch,
         c->answer.mask, is_lost ? " lost" : "");
}

/* ---- requests ------------------------------------------------------------------------------------------------- */

static void send(struct sim *s, struct client *c, enum what what)
{
    c->what = what;
    c->net = chaos(s, 12) ? LOST : TO_SERVER;
    c->sent_ms = s->w.now_ms;
    c->due_ms = s->w.now_ms + world_below(&s->w, 40);
    tell(s, c, "send %d id %s epoch %d owned %x", what, c->id, c->epoch, c->owned);
}

static struct str instance_of(const struct client *c)
{
    return c->instance[0] ? str_of(c->instance) : (struct str){0};
}

static void send_join(struct sim *s, struct client *c)
{
    unsigned claims = c->kind == COOPERATIVE ? c->owned : 0;
    c->metadata[0] = (uint8_t)claims;
    put_be32(c->metadata + 1, (uint32_t)c->epoch);
    c->protocol = (struct kafka_join_group_request_protocol){.name = STR("p"),
                                                             .metadata = str_n(c->metadata, 5)};
    c->request.join = (struct kafka_join_group_request){
        .group_id = str_of(c->group_id),
        .session_timeout_ms = 8000,
        .rebalance_timeout_ms = 15000,
        .member_id = str_of(c->id),
        .group_instance_id = instance_of(c),
        .protocol_type = STR("consumer"),
        .protocols = &c->protocol,
        .protocols_count = 1,
    };
    send(s, c, JOIN);
}

/* The leader's work. Eager: who is how manyth gets every how manyth. Cooperative: everybody keeps its share of what it has, and gets of
 * the rest only what nobody has; so what must move is free in the next generation. */
static void assign_members(struct sim *s, struct client *c)
{
    const struct answer *a = &c->answer;
    unsigned all = all_parts(s), left = all, given[CLIENTS_MAX + 2] = {0}, claimed = 0;
    uint32_t n = a->members_count, share = ((uint32_t)__builtin_popcount(all) + n - 1) / n;
    int32_t last = -1;
    for (uint32_t i = 0; i < n; i++)
        last = a->claims[i] && a->claim_generations[i] > last ? a->claim_generations[i] : last;
    for (uint32_t i = 0; i < n && c->kind == COOPERATIVE; i++) {
        unsigned claims = a->claim_generations[i] == last ? a->claims[i] & all : 0;
        claimed |= claims;
        for (uint32_t p = 0; p < PARTS; p++)
            if ((claims & left) >> p & 1 && (uint32_t)__builtin_popcount(given[i]) < share) {
                given[i] |= 1u << p;
                left &= ~(1u << p);
            }
    }
    for (uint32_t p = 0; p < PARTS; p++) {
        if ((left >> p & 1) == 0 || claimed >> p & 1)
            continue;
        uint32_t to = 0;
        for (uint32_t i = 1; i < n; i++)
            if (__builtin_popcount(given[i]) < __builtin_popcount(given[to]))
                to = i;
        given[to] |= 1u << p;
    }
    for (uint32_t i = 0; i < n; i++) {
        c->assigned[i] = (uint8_t)given[i];
        c->assignments[i] = (struct kafka_sync_group_request_assignment){
            .member_id = str_of(a->members[i]), .assignment = str_n(&c->assigned[i], 1)};
    }
}

static void send_sync(struct sim *s, struct client *c)
{
    c->request.sync = (struct kafka_sync_group_request){
        .group_id = str_of(c->group_id),
        .generation_id = c->epoch,
        .member_id = str_of(c->id),
        .group_instance_id = instance_of(c),
        .assignments = c->assignments,
        .assignments_count = c->is_leader ? c->answer.members_count : 0,
    };
    send(s, c, SYNC);
}

static void send_heartbeat(struct sim *s, struct client *c)
{
    c->request.heartbeat = (struct kafka_heartbeat_request){.group_id = str_of(c->group_id),
                                                            .generation_id = c->epoch,
                                                            .member_id = str_of(c->id),
                                                            .group_instance_id = instance_of(c)};
    c->beat_ms = s->w.now_ms + 2500;
    send(s, c, HEARTBEAT);
}

static void send_leave(struct sim *s, struct client *c)
{
    c->leaving = (struct kafka_leave_group_request_member){.member_id = str_of(c->id),
                                                           .group_instance_id = instance_of(c)};
    c->request.leave = (struct kafka_leave_group_request){
        .group_id = str_of(c->group_id), .members = &c->leaving, .members_count = 1};
    send(s, c, LEAVE);
}

/* The bits of mask, as partitions of t and of u: c->parts; counts[2]. */
static void split(struct client *c, unsigned mask, uint32_t counts[2])
{
    uint32_t n = 0;
    counts[0] = counts[1] = 0;
    for (uint32_t p = 0; p < PARTS; p++) {
        if ((mask >> p & 1) == 0)
            continue;
        counts[p >= OF_T]++;
        c->parts[n++] = (int32_t)(p >= OF_T ? p - OF_T : p);
    }
}

static void send_beat(struct sim *s, struct client *c, int32_t epoch)
{
    struct kafka_consumer_group_heartbeat_request *r = &c->request.beat;
    bool is_full = c->is_full || epoch == 0 || chance(s, 8);
    *r = (struct kafka_consumer_group_heartbeat_request){.group_id = str_of(c->group_id),
                                                         .member_id = str_of(c->id),
                                                         .member_epoch = epoch,
                                                         .instance_id = instance_of(c),
                                                         .rebalance_timeout_ms = is_full ? 15000 : -1};
    if (is_full && c->kind == BY_REGEX) {
        r->subscribed_topic_regex = STR("[tu]");
    } else if (is_full) {
        c->names[0] = STR("t");
        c->names[1] = STR("u");
        r->subscribed_topic_names = c->names;
        r->subscribed_topic_names_count = 2;
    }
    if (is_full || c->is_dirty) {
        uint32_t counts[2];
        split(c, epoch == 0 ? 0 : c->owned, counts);
        c->owning[0] = (struct kafka_consumer_group_heartbeat_request_topic){s->w.topics[0].id, c->parts,
                                                                             counts[0]};
        c->owning[1] = (struct kafka_consumer_group_heartbeat_request_topic){s->w.topics[1].id,
                                                                             c->parts + counts[0], counts[1]};
        r->topic_partitions = c->owning;
        r->topic_partitions_count = epoch == 0 ? 0 : 2;
    }
    c->is_dirty = false;
    c->is_full = false;
    c->beat_ms = s->w.now_ms + 3000;
    send(s, c, BEAT);
}

static uint32_t commit_topics(struct client *c, unsigned mask)
{
    uint32_t counts[2], topics = 0, n = 0;
    split(c, mask, counts);
    for (uint32_t p = 0; p < PARTS; p++) {
        c->offsets[p] = c->position[p];
        if (mask >> p & 1) {
            c->commit_parts[n] = (struct kafka_offset_commit_request_partition){
                .partition_index = c->parts[n],
                .committed_offset = c->position[p],
                .committed_leader_epoch = -1};
            n++;
        }
    }
    if (counts[0])
        c->commit_topics[topics++] = (struct kafka_offset_commit_request_topic){
            .name = STR("t"), .partitions = c->commit_parts, .partitions_count = counts[0]};
    if (counts[1])
        c->commit_topics[topics++] = (struct kafka_offset_commit_request_topic){
            .name = STR("u"), .partitions = c->commit_parts + counts[0], .partitions_count = counts[1]};
    return topics;
}

static void send_commit(struct sim *s, struct client *c)
{
    c->mask = c->owned & c->has_position;
    uint32_t topics = commit_topics(c, c->mask);
    c->commit_ms = s->w.now_ms + 2000;
    if (chance(s, 3) && !c->revokes && c->txn_mask == 0) {
        c->producer_id = (c - s->clients) + 1;
        c->request.txn = (struct kafka_txn_offset_commit_request){
            .transactional_id = STR("x"),
            .group_id = str_of(c->group_id),
            .producer_id = c->producer_id,
            .generation_id_or_member_epoch = c->epoch,
            .member_id = str_of(c->id),
            .group_instance_id = instance_of(c),
            .topics = (struct kafka_txn_offset_commit_request_topic *)c->commit_topics,
            .topics_count = topics,
        };
        memcpy(c->txn_offsets, c->offsets, sizeof c->offsets);
        send(s, c, TXN_COMMIT);
        return;
    }
    c->request.commit = (struct kafka_offset_commit_request){
        .group_id = str_of(c->group_id),
        .generation_id_or_member_epoch = c->epoch,
        .member_id = str_of(c->id),
        .group_instance_id = instance_of(c),
        .retention_time_ms = -1,
        .topics = c->commit_topics,
        .topics_count = topics,
    };
    send(s, c, COMMIT);
}

static void send_fetch(struct sim *s, struct client *c)
{
    uint32_t counts[2];
    c->mask = c->owned & ~c->has_position;
    split(c, c->mask, counts);
    c->fetch_topics[0] = (struct kafka_offset_fetch_request_topic){STR("t"), c->parts, counts[0]};
    c->fetch_topics[1] = (struct kafka_offset_fetch_request_topic){STR("u"), c->parts + counts[0], counts[1]};
    c->request.fetch = (struct kafka_offset_fetch_request){.group_id = str_of(c->group_id),
                                                           .topics = c->fetch_topics,
                                                           .topics_count = 2,
                                                           .require_stable = true};
    send(s, c, FETCH);
}

/* ---- what a client makes of an answer ------------------------------------------------------------------------- */

static void own(struct client *c, unsigned mask)
{
    c->has_position &= mask & c->owned; /* what is new, or comes back, is fetched */
    c->owned = mask;
}

/* It is out of the group, and has nothing any more. */
static void lose(struct client *c, bool forgets_id)
{
    own(c, 0);
    c->is_member = false;
    c->needs_join = true;
    c->needs_sync = false;
    c->revokes = false;
    if (!is_new_protocol(c))
        c->epoch = -1;
    else
        c->epoch = 0;
    if (forgets_id && !is_new_protocol(c))
        c->id[0] = 0;
}

static void rejoin(struct client *c)
{
    c->is_member = false;
    c->needs_sync = false;
    c->needs_join = true;
}

/* The errors that end a generation. True: it was one. */
static bool ends(struct client *c, int16_t error)
{
    switch (error) {
    case KAFKA_ERR_UNKNOWN_MEMBER_ID:
    case KAFKA_ERR_FENCED_INSTANCE_ID: lose(c, true); return true;
    case KAFKA_ERR_ILLEGAL_GENERATION: lose(c, false); return true;
    case KAFKA_ERR_REBALANCE_IN_PROGRESS:
        c->revokes = c->kind != COOPERATIVE && (c->owned & c->has_position);
        if (!c->revokes)
            rejoin(c);
        if (!c->revokes && c->kind != COOPERATIVE)
            own(c, 0);
        return true;
    default: return false;
    }
}

static void hear_join(struct sim *s, struct client *c)
{
    struct answer *a = &c->answer;
    if (a->error == KAFKA_ERR_MEMBER_ID_REQUIRED) {
        memcpy(c->id, a->id, sizeof c->id);
    } else if (a->error == 0) {
        memcpy(c->id, a->id, sizeof c->id);
        c->epoch = a->epoch;
        c->needs_join = false;
        c->needs_sync = true;
        c->is_leader = a->is_leader && a->members_count > 0;
        s->generations += c->is_leader;
        c->assigned_of = a->has_assignment ? 0 : all_parts(s);
        if (c->is_leader)
            assign_members(s, c);
    } else {
        ends(c, a->error); /* others: again */
    }
}

static void hear_sync(struct sim *s, struct client *c)
{
    struct answer *a = &c->answer;
    if (a->error) {
        if (!ends(c, a->error))
            rejoin(c);
        return;
    }
    bool gives_back = c->kind == COOPERATIVE && (c->owned & ~a->mask);
    own(c, a->mask);
    c->needs_sync = false;
    c->is_member = true;
    c->beat_ms = s->w.now_ms + 2500;
    if (gives_back)
        rejoin(c); /* so that others get it */
}

static void hear_beat(struct sim *s, struct client *c)
{
    struct answer *a = &c->answer;
    if (c->request.beat.member_epoch < 0) { /* it has gone */
        own(c, 0);
        c->is_alive = false;
        c->back_ms = s->w.now_ms + 3000;
        return;
    }
    if (a->error == KAFKA_ERR_FENCED_MEMBER_EPOCH || a->error == KAFKA_ERR_UNKNOWN_MEMBER_ID ||
        a->error == KAFKA_ERR_FENCED_INSTANCE_ID || a->error == KAFKA_ERR_GROUP_ID_NOT_FOUND) {
        lose(c, false);
        return;
    }
    if (a->error) {
        c->is_full = true;
        return;
    }
    c->epoch = a->epoch;
    c->is_member = true;
    if (!a->has_assignment)
        return;
    if (c->owned != a->mask) {
        own(c, a->mask);
        c->is_dirty = true;
        c->beat_ms = s->w.now_ms; /* what it gave back, it says at once */
    }
}

static void hear_commit(struct client *c)
{
    bool has_ended = false;
    for (uint32_t p = 0; p < PARTS && !has_ended; p++)
        if (c->mask >> p & 1 && !is_new_protocol(c) && !c->revokes)
            has_ended = ends(c, c->answer.part_errors[p]);
    if (!c->revokes)
        return;
    c->revokes = false; /* eager: all is given up, whether that commit was taken or not */
    own(c, 0);
    rejoin(c);
}

static void hear_txn_commit(struct client *c)
{
    for (uint32_t p = 0; p < PARTS; p++)
        if (c->mask >> p & 1 && c->answer.part_errors[p] == 0)
            c->txn_mask |= 1u << p;
}

static void hear_fetch(struct client *c)
{
    for (uint32_t p = 0; p < PARTS; p++) {
        if ((c->mask >> p & 1) == 0 || (c->owned >> p & 1) == 0 || c->answer.error ||
            c->answer.offsets[p] == -2)
            continue;
        c->position[p] = c->answer.offsets[p] < 0 ? 0 : c->answer.offsets[p];
        c->has_position |= 1u << p;
    }
}

static void die(struct sim *s, struct client *c, int64_t for_ms);

static void hear(struct sim *s, struct client *c)
{
    c->net = IDLE;
    switch (c->what) {
    case JOIN: hear_join(s, c); break;
    case SYNC: hear_sync(s, c); break;
    case HEARTBEAT: ends(c, c->answer.error); break;
    case LEAVE: die(s, c, 3000); break;
    case BEAT: hear_beat(s, c); break;
    case COMMIT: hear_commit(c); break;
    case TXN_COMMIT: hear_txn_commit(c); break;
    case FETCH: hear_fetch(c); break;
    }
}

/* No answer came. What was asked may have happened. */
static void give_up(struct sim *s, struct client *c)
{
    if (c->call)
        world_cancel(&s->w, c->call);
    c->call = NULL;
    c->net = IDLE;
    tell(s, c, "gives up %d", c->what);
    if (c->what == SYNC)
        rejoin(c);
    else if (c->what == COMMIT)
        hear_commit(c);
    else if (c->what == TXN_COMMIT)
        c->txn_mask |= c->mask; /* it must be ended, so that nobody waits for it */
    else if (c->what == LEAVE)
        die(s, c, 3000);
    else if (c->what == BEAT)
        c->is_full = true;
}

/* ---- clients act ---------------------------------------------------------------------------------------------- */

static void end_txn(struct sim *s, struct client *c)
{
    bool commits = !chance(s, 3);
    tell(s, c, "transaction %s, offsets of %x", commits ? "commits" : "aborts", c->txn_mask);
    /* Only an answered commit is in the transaction for sure. */
    const struct producer *producer = table_get(&s->w.groups->producers,
                                                str_n(&c->producer_id, sizeof c->producer_id));
    unsigned in_it = 0;
    if (producer)
        LIST_EACH(link, &producer->pendings)
        {
            const struct pending *pending = CONTAINER_OF(link, const struct pending, of_producer);
            in_it |= pending->is_superseded ? 0
                                            : 1u << bit_of(pending->topic->name, pending->offset.partition);
        }
    world_end_txn(&s->w, c->producer_id, commits);
    for (uint32_t p = 0; p < PARTS && commits; p++) {
        if ((in_it >> p & 1) == 0)
            continue;
        if (c->txn_offsets[p] < s->acked[c->group][p])
            broken(s, "a transaction's commit goes back");
        s->acked[c->group][p] = c->txn_offsets[p];
    }
    c->txn_mask = 0;
}

static void die(struct sim *s, struct client *c, int64_t for_ms)
{
    tell(s, c, "dies");
    if (c->call)
        world_cancel(&s->w, c->call);
    c->call = NULL;
    c->net = IDLE;
    if (c->txn_mask || c->what == TXN_COMMIT)
        end_txn(s, c); /* its coordinator does */
    c->owned = c->has_position = 0;
    c->is_alive = false;
    c->back_ms = s->w.now_ms + for_ms;
}

static void come(struct sim *s, struct client *c)
{
    c->is_alive = true;
    c->net = IDLE;
    c->what = HEARTBEAT;
    c->owned = c->has_position = 0;
    c->needs_sync = c->revokes = c->is_member = c->goes = false;
    c->needs_join = true;
    c->epoch = is_new_protocol(c) ? 0 : -1;
    c->id[0] = 0;
    if (is_new_protocol(c))
        snprintf(c->id, sizeof c->id, "m%08x", (unsigned)world_random(&s->w));
    tell(s, c, "comes as %s", c->id);
}

static void act_classic(struct sim *s, struct client *c)
{
    int64_t now_ms = s->w.now_ms;
    if (c->is_member && c->is_leader && c->assigned_of != all_parts(s) && !c->revokes)
        rejoin(c); /* it sees that there is more to be assigned */
    if (c->revokes)
        send_commit(s, c);
    else if (c->needs_join)
        send_join(s, c);
    else if (c->needs_sync)
        send_sync(s, c);
    else if (now_ms >= c->beat_ms)
        send_heartbeat(s, c);
    else if (c->owned & ~c->has_position)
        send_fetch(s, c);
    else if (now_ms >= c->commit_ms && c->owned)
        send_commit(s, c);
    else if (chaos(s, 300) && c->kind != STATIC)
        send_leave(s, c);
}

static void act_new(struct sim *s, struct client *c)
{
    int64_t now_ms = s->w.now_ms;
    if (c->needs_join && c->epoch == 0 && now_ms >= c->beat_ms - 2500) {
        send_beat(s, c, 0);
        c->needs_join = false;
    } else if (now_ms >= c->beat_ms) {
        send_beat(s, c, c->epoch);
    } else if (!c->is_member) {
        return;
    } else if (c->owned & ~c->has_position) {
        send_fetch(s, c);
    } else if (now_ms >= c->commit_ms && c->owned) {
        send_commit(s, c);
    } else if (chaos(s, 300)) {
        own(c, 0);
        send_beat(s, c, c->kind == NEW_STATIC ? MEMBER_LEFT_STATIC : MEMBER_LEFT);
    }
}

static void act(struct sim *s, struct client *c)
{
    if (!c->is_alive) {
        if (s->w.now_ms >= c->back_ms)
            come(s, c);
        return;
    }
    if (chaos(s, 900)) {
        die(s, c, (int64_t)world_below(&s->w, 12000));
        return;
    }
    if (chaos(s, 600)) {
        c->frozen_ms = s->w.now_ms + 1000 * world_below(&s->w, 20);
        c->beat_ms = c->frozen_ms + 2000; /* its clock stood still */
        tell(s, c, "freezes");
    }
    if (s->w.now_ms < c->frozen_ms && c->net != TO_SERVER)
        return;
    int64_t timeout_ms = c->what == JOIN ? 25000 : c->what == SYNC ? 16000 : 3000;
    if (c->net == TO_SERVER && s->w.now_ms >= c->due_ms) {
        static const int16_t apis[] = {
            [JOIN] = KAFKA_API_JOIN_GROUP,
            [SYNC] = KAFKA_API_SYNC_GROUP,
            [HEARTBEAT] = KAFKA_API_HEARTBEAT,
            [LEAVE] = KAFKA_API_LEAVE_GROUP,
            [BEAT] = KAFKA_API_CONSUMER_GROUP_HEARTBEAT,
            [COMMIT] = KAFKA_API_OFFSET_COMMIT,
            [TXN_COMMIT] = KAFKA_API_TXN_OFFSET_COMMIT,
            [FETCH] = KAFKA_API_OFFSET_FETCH,
        };
        static const int16_t versions[] = {[JOIN] = 9, [SYNC] = 5,   [HEARTBEAT] = 4,  [LEAVE] = 5,
                                           [BEAT] = 1, [COMMIT] = 9, [TXN_COMMIT] = 5, [FETCH] = 7};
        c->call = world_call_new(&s->w);
        c->call->call.api = apis[c->what];
        c->call->call.version = versions[c->what];
        c->call->call.request = &c->request;
        c->call->owner = c;
        c->call->done = on_answer;
        c->net = AT_SERVER;
        world_serve(&s->w, c->call);
    }
    if (c->net == TO_CLIENT && s->w.now_ms >= c->due_ms)
        hear(s, c);
    if (c->net != IDLE && s->w.now_ms - c->sent_ms > timeout_ms)
        give_up(s, c);
    if (c->net != IDLE)
        return;
    for (uint32_t p = 0; p < PARTS; p++) /* it reads */
        if ((c->owned & c->has_position) >> p & 1)
            c->position[p] += world_below(&s->w, 3);
    if (c->txn_mask && chance(s, 4))
        end_txn(s, c);
    if (c->net != IDLE || !c->is_alive)
        return;
    if (is_new_protocol(c))
        act_new(s, c);
    else
        act_classic(s, c);
}

/* ---- the world ------------------------------------------------------------------------------------------------ */

static void restart(struct sim *s)
{
    size_t keeps = world_below(&s->w, (uint32_t)s->w.writes_count + 1);
    tell(s, NULL, "the coordinator dies; %zu of %zu writes were durable", keeps, s->w.writes_count);
    s->restarts++;
    for (uint32_t i = 0; i < s->clients_count; i++) {
        struct client *c = &s->clients[i];
        c->call = NULL;
        if (c->net == AT_SERVER || c->net == TO_SERVER)
            c->net = LOST;
    }
    world_restart(&s->w, keeps);
    world_restart(&s->w, 0); /* and once more, before it did anything */
}

static void step(struct sim *s)
{
    struct mono_time at;
    s->w.now_ms += 20 + world_below(&s->w, s->is_calm ? 200 : 120);
    if (groups_next_deadline(s->w.groups, &at) && at.ns / NS_PER_MS <= s->w.now_ms)
        groups_tick(s->w.groups, world_time(&s->w));
    if (chaos(s, 250))
        restart(s);
    if (chaos(s, 400) && s->partitions[0] < OF_T) {
        world_topic(&s->w, "t", (int32_t)++s->partitions[0]);
        tell(s, NULL, "t has %u partitions", s->partitions[0]);
    }
    for (uint32_t i = 0; i < s->clients_count && s->broken == NULL; i++)
        act(s, &s->clients[i]);
    while (s->w.writes_count && !chaos(s, 3))
        world_confirm(&s->w, !chaos(s, 30));
    struct err err;
    if (s->broken == NULL && !groups_check(s->w.groups, &err)) {
        fprintf(stderr, "%s\n", err.text);
        broken(s, "groups_check");
    }
}

/* Every partition has one owner, who is a member and has read on. */
static bool is_content(const struct sim *s)
{
    for (uint32_t g = 0; g < s->groups_count; g++) {
        unsigned owned = 0;
        for (uint32_t i = 0; i < s->clients_count; i++) {
            const struct client *c = &s->clients[i];
            if (c->group != g)
                continue;
            if (!c->is_alive || !c->is_member || (c->owned & owned) || (c->owned & ~c->has_position))
                return false;
            owned |= c->owned;
        }
        if (owned != all_parts(s))
            return false;
    }
    return true;
}

static void begin(struct sim *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->is_verbose = getenv("VERBOSE") != NULL;
    world_init(&s->w);
    s->w.random = seed * UINT64_C(0x9E3779B97F4A7C15);
    s->w.is_lazy = true;
    s->w.config.initial_rebalance_delay_ms = (int32_t)world_below(&s->w, 2) * 500;
    s->w.config.consumer_session_ms = 9000;
    s->partitions[0] = 1 + world_below(&s->w, OF_T);
    s->partitions[1] = 1 + world_below(&s->w, 2);
    world_topic(&s->w, "t", (int32_t)s->partitions[0]);
    world_topic(&s->w, "u", (int32_t)s->partitions[1]);
    world_restart(&s->w, 0);
    s->groups_count = 1 + world_below(&s->w, GROUPS_MAX);
    s->clients_count = 2 * s->groups_count + world_below(&s->w, CLIENTS_MAX - 2 * s->groups_count + 1);
    enum kind kinds[GROUPS_MAX];
    for (uint32_t g = 0; g < s->groups_count; g++)
        kinds[g] = (enum kind)world_below(&s->w, KINDS);
    for (uint32_t i = 0; i < s->clients_count; i++) {
        struct client *c = &s->clients[i];
        c->group = i % s->groups_count;
        c->kind = kinds[c->group];
        if (c->kind >= BY_NAME && chance(s, 3)) /* those mix */
            c->kind = (enum kind)(BY_NAME + world_below(&s->w, 3));
        if (c->kind == EAGER && chance(s, 4))
            c->kind = STATIC;
        snprintf(c->group_id, sizeof c->group_id, "g%u", c->group);
        if (c->kind == STATIC || c->kind == NEW_STATIC)
            snprintf(c->instance, sizeof c->instance, "i%u", i);
        c->back_ms = s->w.now_ms + world_below(&s->w, 4000);
    }
}

/* What did not hold, or NULL. */
static const char *run(struct sim *s, uint64_t seed)
{
    begin(s, seed);
    int64_t end_ms = s->w.now_ms + CHAOS_MS;
    for (uint32_t n = 0; s->w.now_ms < end_ms && s->broken == NULL; n++) {
        step(s);
        if (n % 64 == 63 && s->broken == NULL && !world_check(&s->w))
            broken(s, "a restart would make something else of the journal");
    }
    s->is_calm = true;
    end_ms = s->w.now_ms + CALM_MS;
    while (s->broken == NULL && !is_content(s)) {
        step(s);
        if (s->w.now_ms >= end_ms)
            broken(s, "the clients do not come to rest");
    }
    world_confirm_all(&s->w);
    if (s->broken == NULL && !world_check(&s->w))
        broken(s, "a restart would make something else of the journal");
    const char *what = s->broken;
    world_fini(&s->w);
    return what;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static struct sim sim;

TEST(groups_hold_whatever_happens)
{
    uint64_t first = number("SEED", 1), count = getenv("SEED") ? 1 : number("SEEDS", SEEDS);
    uint64_t generations = 0, restarts = 0, commits = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        const char *what = run(&sim, seed);
        if (what) {
            fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, what);
            EXPECT(what == NULL);
            return;
        }
        generations += sim.generations;
        restarts += sim.restarts;
        commits += sim.commits;
    }
    printf("%" PRIu64 " seeds: %" PRIu64 " generations, %" PRIu64 " restarts, %" PRIu64 " commits\n", count,
           generations, restarts, commits);
}

TEST(a_seed_is_always_the_same)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        run(&sim, seed);
        uint64_t trace = sim.trace;
        run(&sim, seed);
        EXPECT_EQ_INT(sim.trace, trace);
    }
}

/* A mechanism that is switched off is missed. */
static void missed(const char *name, struct groups_faults faults)
{
    const char *what = NULL;
    groups_faults = faults;
    uint64_t seed = 1;
    for (; seed <= CAUGHT_WITHIN && what == NULL; seed++)
        what = run(&sim, seed);
    groups_faults = (struct groups_faults){0};
    if (EXPECT(what != NULL))
        printf("%s: seed %" PRIu64 ", %s\n", name, seed - 1, what);
    else
        fprintf(stderr, "%s was not missed\n", name);
}

TEST(mechanisms_that_are_off_are_missed)
{
    missed("replies_early", (struct groups_faults){.replies_early = true});
    missed("ignores_owners", (struct groups_faults){.ignores_owners = true});
    missed("ignores_generation", (struct groups_faults){.ignores_generation = true});
    missed("forgets_pending", (struct groups_faults){.forgets_pending = true});
}

int main(void)
{
    RUN(groups_hold_whatever_happens);
    if (getenv("SEED"))
        return test_end();
    RUN(a_seed_is_always_the_same);
    RUN(mechanisms_that_are_off_are_missed);
    return test_end();
}

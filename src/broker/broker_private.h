/* What the files of broker/ share. All of it belongs to the net role. */
#ifndef BROKER_BROKER_PRIVATE_H
#define BROKER_BROKER_PRIVATE_H

#include "base/list.h"
#include "broker/broker.h"
#include "broker/configs.h"
#include "broker/coordinator.h"
#include "broker/limits.h"
#include "broker/quotas.h"
#include "broker/session.h"
#include "run/buf_pool.h"
#include "run/run.h"
#include "wire/kafka.h"

struct connection;

enum {
    CLUSTER_ID_SIZE = 24, /* 16 bytes in base64url, and NUL */
    IDLE_FRAMES_MAX = 64,
    IDLE_BUFS_MAX = 256,
    /* What a client may do, as bits of Kafka's AclOperation: everything. */
    CLUSTER_OPERATIONS =
        0x1FA0, /* create, alter, describe, cluster action, describe and alter configs, idempotent write */
    TOPIC_OPERATIONS = 0x0DF8, /* read, write, create, delete, alter, describe, describe and alter configs */
    GROUP_OPERATIONS = 0x0D48, /* read, delete, describe, describe and alter configs */
};

/* ---- requests ------------------------------------------------------------------------------------------------------------- */

/* Record batches that an answer sends from where they are. A field of kind records whose bytes are left out of the encoding has such a
 * list as its p, and the sum of the slices' bytes as its n. */
struct reply_records {
    struct log_slice *slices; /* each with its reference, which the reply takes */
    uint32_t count;
};

struct reply_part {
    const uint8_t *p; /* NULL: at `at` in the reply's own bytes, or in the file */
    size_t at, n;
    struct buf *hold; /* one reference, or NULL */
    int file;         /* 0: it is memory */
};

struct reply {
    struct kafka_out out;
    struct reply_part *parts; /* in order; none: it is all in out.bytes */
    size_t count, capacity;
    size_t total; /* bytes */
};

/*      ARRIVED ── begins when its turn has come ──> RUNNING ── request_answer ──> ANSWERED ── sent ──> freed
 *         └────── its connection ends: freed           └── its connection ends: cancel(), and freed when answered */
enum request_state { REQUEST_ARRIVED, REQUEST_RUNNING, REQUEST_ANSWERED };

struct api;

struct request {
    struct list link;              /* connection->requests, in order of arrival */
    struct connection *connection; /* NULL: it has ended, nobody waits for the answer */
    struct broker *broker;
    const struct api *api;
    enum request_state state;
    struct mono_time arrived;
    struct kafka_header header; /* client id: in the request's memory */
    struct arena arena;         /* what was decoded, and what the handler makes */
    struct buf *held;           /* the bytes of a large request, which body points into; or NULL */
    const uint8_t *bytes;       /* of the body, [size] */
    size_t size, charge;        /* charge: bytes counted in broker->request_bytes */
    void *body;                 /* decoded: struct kafka_…_request */
    struct reply reply;
    bool ends; /* the connection ends when the answer is out */
    /* throttle.h */
    int32_t throttle_ms; /* when it is answered, nothing more is read from the connection for so long */
    bool is_charged;
    struct mono_time busy_since; /* its handler runs, and its time counts; 0 = not */
    int64_t busy_ns;
    void *work; /* the handler's own, in arena */
    void (*resume)(struct request *request,
                   int16_t error); /* the transaction coordinator: it is worth asking again */
    void (*cancel)(
        struct request
            *request); /* the connection has ended; may be NULL. Ends with request_answer, now or later */
};

/* Encodes response as the answer (struct kafka_…_response of the request's API) and sends it in its turn. The request is not to be touched after. */
void request_answer(struct request *request, const void *response) ON(net);
/* The same where records fields are NULL or struct reply_records. drop: called when nothing of it can be encoded, and the slices stay the caller's. */
void request_answer_records(struct request *request, const void *response,
                            void (*drop)(struct request *request)) ON(net);
/* The same without an answer to send, and with the end of the connection. */
void request_answer_nothing(struct request *request) ON(net);
void request_refuse(struct request *request, const char *why) ON(net);
/* It holds so many bytes more, until it is gone. */
void request_charge(struct request *request, size_t bytes) ON(net);
/* "127.0.0.1", of "127.0.0.1:40000"; "::1" of "[::1]:40000". Borrowed. */
struct str peer_address(const char *peer);
/* "/127.0.0.1", as Kafka writes a client's host. */
struct str request_client_host(struct request *request);
static inline bool request_is_orphan(const struct request *request)
{
    return request->connection == NULL;
}

/* ---- connections ------------------------------------------------------------------------------------------------------------ */

enum {
    CONNECTION_READ_BYTES = 64 << 10,            /* read at once; a larger request gets a buffer of its own */
    REQUEST_ARENA_MAX = 64 << 20,                /* what one request may grow to when it is decoded */
    REQUEST_COPY_MAX = 16 << 10,                 /* a request up to this size is copied into its arena */
    REQUEST_POOL_MIN = 256 << 10,                /* from this size on a buffer of the pool is taken, */
    REQUEST_POOL_BYTES = (1 << 20) + (16 << 10), /* up to this one: what producers send by default */
    REQUEST_POOL_KEEP = BROKER_REQUEST_BYTES_MAX / REQUEST_POOL_BYTES,
    SMALL_PRODUCE_BYTES =
        4000, /* a Produce up to this size gets a buffer of this size, which is used again */
};

struct connection {
    struct list link; /* broker->connections */
    struct broker *broker;
    int file;
    struct watch watch;
    struct task flush;
    struct timer patience; /* idle, slow, muted */
    char peer[64];
    struct sbuf rest;  /* the beginning of a request: fewer than REQUEST_COPY_MAX bytes */
    struct buf *large; /* a large request that is arriving, its size not included */
    size_t large_size;
    size_t step_n;          /* of it there were so many bytes */
    struct mono_time step;  /* at that time: BROKER_ARRIVING_STEP before, or when it last waited for us */
    bool large_is_pooled;   /* counted in broker->arriving_pooled */
    struct list by_address; /* limits.h */
    struct list arriving;   /* broker->arriving */
    struct list requests;   /* in order of arrival */
    uint32_t request_count, running, running_others; /* others: of APIs that do not pipeline */
    size_t sent;                                     /* bytes of the first answer that are out */
    struct list starved; /* broker->starved, or starved_large: reads again when there is room */
    struct mono_time heard, partial_since, stuck_since, muted_until; /* 0 = not */
    bool is_limited; /* its client has a quota: its requests come one by one */
    bool is_deaf;    /* nothing more is read; it ends when all that was asked is answered */
    bool broken;
};

/* What is configured of this node: settings.h. */
struct settings {
    struct arena arena;
    struct config_list broker, default_broker, fixed;
};

/* What is on: features.h. */
enum { FEATURE_GROUP, FEATURE_TRANSACTION, FEATURES };
struct feature_levels {
    int64_t epoch; /* grows with every change */
    int16_t level[FEATURES];
};

struct broker {
    struct pool *pool;
    struct loop *net;
    struct store *store;
    struct broker_options options;
    int listener;
    struct watch watch;
    struct timer accept_timer;
    bool pause_said;
    bool is_full; /* as max.connections has it: who connects waits */
    struct limits limits;
    struct msg start, end;
    char address[128];
    char advertised_host[256];
    int32_t advertised_port;
    char cluster_id[STORE_ID_TEXT + 1];
    struct list connections, starved;
    struct list arriving;      /* connections with a large request that has come in part, the eldest first */
    struct list starved_large; /* of these, those that wait for others of these */
    struct timer arriving_timer;
    size_t arriving_bytes,
        arriving_pooled; /* what has come of them; how many hold a buffer of request_pool */
    uint32_t connection_count;
    uint32_t running; /* requests that have begun and are not answered */
    /* Of requests that are not gone, of answers that are not sent. What an answer sends from files counts as if it were in memory: so that its leases, and the
     * files that they keep open, are limited too. */
    size_t request_bytes, reply_bytes;
    struct buf *scratch;           /* [CONNECTION_READ_BYTES] */
    struct buf_pool *request_pool; /* of large requests' buffers */
    struct timer trim_timer;
    struct compress_ctx *compress;
    struct loop *reader; /* of the block role: reads what is not in memory */
    struct fetch_sessions sessions;
    struct coordinator coordinator;
    struct settings settings;
    struct quotas *quotas;
    uint64_t throttled[QUOTA_KINDS]; /* how often somebody had to wait */
    struct feature_levels features;
    struct list hungry;        /* fetches that wait until answers have gone out */
    struct list idle_requests; /* for reuse; the frames too */
    struct frame *idle_frames[IDLE_FRAMES_MAX];
    struct buf *idle_bufs[IDLE_BUFS_MAX]; /* of SMALL_PRODUCE_BYTES */
    uint32_t idle_request_count, idle_frame_count, idle_buf_count;
    bool stopping;
    void (*ended)(void *arg);
    void *ended_arg;
    struct counter bytes_in, bytes_out;
    struct api_figures *figures[KAFKA_APIS]; /* NULL: not used yet */
};

/* hold_ms > 0: it is not served, and ends after that time. */
bool connection_open(struct broker *broker, int file, const char *peer, int32_t hold_ms, struct err *err)
    ON(net);
void connection_close(struct connection *connection) ON(net);
/* It ends soon, and may be looked at until then. */
void connection_end(struct connection *connection, const char *why) ON(net);
/* What waits for something else than the disk is told that nobody waits for it. */
void connection_cancel(struct connection *connection) ON(net);
/* After request_bytes or arriving_bytes has gone down: those who waited for it read again. */
void connections_feed(struct broker *broker) ON(net);
/* broker->arriving_timer: the eldest has had its time. */
void connections_judge(struct timer *timer) ON(net);

/* ---- coordinators ----------------------------------------------------------------------------------------------------------------- */

/* coordinator.c. From coordinator_open on, on the net loop, groups and transactions are served. */
void coordinator_open(struct broker *broker) ON(net);
void coordinator_end(struct broker *broker) ON(net);
void coordinator_topics_changed(struct broker *broker) ON(net);
void coordinator_topic_deleted(struct broker *broker, struct str name, const struct kafka_uuid *id) ON(net);
void coordinator_offsets_ended(struct broker *broker, int64_t producer_id, bool commits) ON(net);
void coordinator_serve(struct request *request) ON(net);

/* transactions.c */
bool coordinator_start_txns(struct broker *broker, struct err *err);
void coordinator_open_txns(struct broker *broker) ON(net);
/* May these batches of a Produce go into the log now? True: errors are set. False: r->resume is called when it is worth asking again, or with an
 * error that holds for all. */
struct txn_batches {
    struct str transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
    const struct txns_partition *partitions; /* [count] */
    size_t count;
    int16_t *errors; /* [count] */
};
bool txn_admit_produce(struct request *request, const struct txn_batches *batches) ON(net);

/* metrics.c: the answer of a request is ready; response may be NULL. */
void metrics_count(struct request *request, const void *response) ON(net);
void metrics_fini(struct broker *broker);

/* fetch.c: after reply_bytes has gone down. */
void fetches_feed(struct broker *broker) ON(net);

/* server.c */
/* There is a place for one more connection, or may be. */
void listener_resume(struct broker *broker) ON(net);
/* When the broker ends: if nothing runs any more, so do all connections. */
void broker_look_for_end(struct broker *broker) ON(net);
void requests_fini(struct broker *broker); /* those kept for reuse, and their buffers */

/* A frame whose done is to be called with arg in frame->arg; given back when it is done. */
struct frame *frame_take(struct broker *broker, void (*done)(struct frame *frame), void *arg) ON(net);
void frame_give(struct broker *broker, struct frame *frame) ON(net);
void frames_fini(struct broker *broker);

/* ---- topics -------------------------------------------------------------------------------------------------------------------- */

/* topics.c. The topic of that name, or of that id where the name is NULL or empty. False: no client may know of one. */
bool broker_topic_find(struct broker *broker, struct str name, const struct kafka_uuid *id,
                       struct topic_info *info);
/* One that clients do not see: the engine's own. */
bool broker_topic_is_hidden(const struct topic_info *info);
/* One that clients see, and do not write. */
bool broker_topic_is_internal(const char *name);
bool broker_topic_name_is_valid(struct str name);
/* One that nobody makes by using it: those above. */
bool broker_topic_is_reserved(struct str name);
/* Names that differ only by "." and "_", or not at all: they would be one name among Kafka's metrics. */
bool broker_topic_names_collide(struct str a, struct str b);
/* Those that are there, in the request's arena, once somebody asked. Zeroed = nobody has. */
struct topic_list {
    struct topic_info *infos; /* [count] */
    size_t count;
};
/* Is there one whose name collides with that of one that is not there? */
bool broker_topic_collides(struct request *request, struct topic_list *list, struct str name);
/* Is the name taken, by whatever topic? */
bool broker_topic_is_there(struct broker *broker, struct str name);
/* Kafka's error for a frame that was refused. */
int16_t frame_error(const struct err *err);

/* ---- the APIs ------------------------------------------------------------------------------------------------------------------ */

struct api {
    int16_t key;
    bool pipelines; /* may begin while earlier ones of the same API run */
    /* Ends with request_answer, request_answer_nothing or request_refuse, now or later. */
    void (*handle)(struct request *request);
};
/* NULL: not served. */
const struct api *api_find(int key);

#endif

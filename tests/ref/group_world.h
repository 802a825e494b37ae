/* A world for the group coordinator: topics, a clock, and a journal that confirms, delays, refuses or loses writes. Stories send requests as
 * text and read answers as text; simulations use the structs. */
#ifndef REF_GROUP_WORLD_H
#define REF_GROUP_WORLD_H

#include "broker/groups.h"

struct world;

/* A request under way. Freed by the world when it is over and the owner has let go of it. */
struct world_call {
    struct groups_call call;
    struct list link;   /* in world.calls */
    struct arena arena; /* of the request */
    char *reply;        /* text of the answer; NULL: none yet */
    bool keeps_text;
    /* Simulations: called with the answer, before the call is freed. */
    void (*done)(struct world *world, struct world_call *call, const void *response);
    void *owner;
};

struct world_record {
    int64_t producer_id; /* -1: none. Of a marker, too */
    int marker;          /* 0: a record; 1 committed, 2 aborted */
    struct str key, value;
};

/* A write that is not confirmed yet. */
struct world_write {
    uint64_t token;
    struct world_record *records;
    uint32_t count;
};

struct world_topic {
    char name[64];
    struct kafka_uuid id;
    int32_t partitions;
};

enum { WORLD_TOPICS_MAX = 32 };

struct world {
    struct groups_config config;
    struct groups *groups;
    int64_t now_ms;
    uint64_t random; /* state */
    bool is_lazy;    /* writes are confirmed by world_confirm only; else after each step */
    struct world_topic topics[WORLD_TOPICS_MAX];
    uint32_t topics_count;
    struct list calls;
    struct world_write *writes; /* in order */
    size_t writes_count, writes_capacity;
    struct world_record *durable;
    size_t durable_count, durable_capacity;
    struct arena texts;
};

extern const struct groups_slots world_slots;

void world_init(struct world *w);
/* Its groups are loading: groups_load, then groups_loaded. What was loaded is durable when world_keep has it. */
void world_init_loading(struct world *w);
void world_keep(struct world *w, int64_t producer_id, struct str key, struct str value);
void world_fini(struct world *w);
uint64_t world_random(struct world *w);
uint32_t world_below(struct world *w, uint32_t n);
struct groups_time world_time(const struct world *w);

/* Makes a topic, or changes the number of its partitions. */
void world_topic(struct world *w, const char *name, int32_t partitions);
void world_topic_gone(struct world *w, const char *name);

/* Sends a request that is written as text, with client id "c". The answer as text, owned by the call; "" while there is none. */
struct world_call *world_send(struct world *w, const char *api, int version, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
const char *world_answer(const struct world_call *call);
/* The answer to a request that is answered at once. Valid until the world ends. */
const char *world_ask(struct world *w, const char *api, int version, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The value of a field in an answer, `Name: value`, the n-th (0, 1, …). Valid until the world ends. */
const char *world_field(struct world *w, const char *answer, const char *name, int n);
/* A connection dies. */
void world_cancel(struct world *w, struct world_call *call);

/* Sends a request that is a struct. call->call, arena and done are set by the caller; the world owns it from here. */
struct world_call *world_call_new(struct world *w);
void world_serve(struct world *w, struct world_call *call);

/* The oldest write (or, refused, any) ends. */
void world_confirm(struct world *w, bool ok);
void world_confirm_all(struct world *w);
/* Time goes by; what is due is done on the way. */
void world_advance(struct world *w, int64_t ms);
/* The process dies: unconfirmed writes are lost, or, as many as `keeps` of them, had become durable. A new one loads. */
void world_restart(struct world *w, size_t keeps);
/* A transaction ends. */
void world_end_txn(struct world *w, int64_t producer_id, bool committed);
/* Groups hold what must hold; and, where nothing is under way, what a restart would make of the journal is what there is. False and a text on
 * stderr: no. */
bool world_check(struct world *w);

#endif

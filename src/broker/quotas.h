/* Client quotas: who may send, fetch, ask and connect how much; and how long one who does more has to wait.
 *
 * Pure. The table of quotas is what AlterClientQuotas makes of it, one entry for each entity: a user, a client id, both, or an address;
 * each by its name or by default. The entry that counts for a client is the first there is of
 *
 *     user and client id:   both named · user named, client id by default · user named
 *                           user by default, client id named · both by default · user by default
 *     client id:            named · by default
 *
 * and what it allows is shared by the clients that it says nothing to tell apart: of a user's entry, all of the user's clients.
 *
 * Accounting is a bucket of tokens for each (kind, client): it fills by the quota, holds what QUOTA_BURST_S allow, and may be
 * overdrawn. The time until it is empty and no longer overdrawn is what the client waits; that is what Kafka's mean over its windows
 * comes to (quota.window.num 11, one of which is being filled). */
#ifndef BROKER_QUOTAS_H
#define BROKER_QUOTAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/kafka.h"

enum {
    QUOTA_ENTITIES_MAX = 10000, /* entries of the table */
    QUOTA_CLIENTS =
        16384, /* clients whose use is remembered; the longest idle ones make room, with what they owe */
    QUOTA_BURST_S = 10, /* and a second more for QUOTA_MUTATIONS, as in Kafka */
    QUOTA_WAIT_MAX_MS = 3600 * 1000,
    QUOTA_REQUEST_WAIT_MAX_MS = 1000, /* of QUOTA_REQUEST: Kafka's quota.window.size.seconds */
};

enum quota_kind {
    QUOTA_PRODUCE,   /* bytes a second */
    QUOTA_FETCH,     /* bytes a second */
    QUOTA_REQUEST,   /* per cent of one thread's time: charge milliseconds */
    QUOTA_MUTATIONS, /* topics and partitions made and deleted, a second */
    QUOTA_CONNECT,   /* new connections of an address, a second */
    QUOTA_KINDS
};

struct quotas;

struct quotas *quotas_new(void) __attribute__((returns_nonnull));
void quotas_free(struct quotas *quotas); /* NULL is fine */

/* ---- the table ------------------------------------------------------------------------------------------------ */

/* One entry of AlterClientQuotas. check_only: nothing changes. *key, if not NULL: by what the entity is kept, in arena.
 * False: *error is Kafka's code, err its text (ERR_CONFIG), and nothing changed. */
bool quotas_alter(struct quotas *quotas, const struct kafka_alter_client_quotas_request_entry *entry,
                  bool check_only, struct arena *arena, struct str *key, int16_t *error, struct err *err);
/* All of DescribeClientQuotas. Strings are borrowed until the next alteration. */
void quotas_describe(const struct quotas *quotas, const struct kafka_describe_client_quotas_request *request,
                     struct arena *arena, struct kafka_describe_client_quotas_response *response);

/* What has to be kept of the entity of that key; empty: nothing, it has no quota any more. Appended to out. */
void quotas_save(const struct quotas *quotas, struct str key, struct sbuf *out);
/* What was kept. False: ERR_DATA. */
bool quotas_load(struct quotas *quotas, struct str key, struct str value, struct err *err);

/* ---- use ------------------------------------------------------------------------------------------------------ */

struct quota_client {
    struct str user, client_id; /* empty: none */
    struct str address;         /* of QUOTA_CONNECT */
};
/* The client has used `amount`. Returns how long it is to wait, in ms; 0: not at all. now_ms: of a clock that never goes back. */
int32_t quotas_charge(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client,
                      double amount, int64_t now_ms);
/* The same, but what it may not have at once it is not charged for. More than it may ever have at once it has when its bucket is full. */
int32_t quotas_take(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client,
                    double amount, int64_t now_ms);
/* Does anybody have such a quota? */
bool quotas_has(const struct quotas *quotas, enum quota_kind kind);
/* What it may use at once; INFINITY: as much as it likes. */
double quotas_burst(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client);
/* What it may use a second; INFINITY: as it likes. */
double quotas_limit(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client);
/* "producer_byte_rate" */
const char *quotas_name(enum quota_kind kind);

#endif

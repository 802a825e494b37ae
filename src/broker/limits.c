#include "broker/limits.h"

#include <stdlib.h>

#include "base/map.h"
#include "broker/broker_private.h"
#include "broker/configs_private.h"
#include "broker/settings.h"

void limits_init(struct limits *limits)
{
    *limits = (struct limits){.connections = INT32_MAX, .per_address = INT32_MAX, .per_second = INT32_MAX};
    for (size_t i = 0; i < LIMITS_BUCKETS; i++)
        list_init(&limits->buckets[i]);
}

/* ---- the settings -------------------------------------------------------------------------------------------------------------------- */

/* Those that were silent longest go. */
static int by_silence(const void *a, const void *b)
{
    const struct connection *const *left = a, *const *right = b;
    return (*left)->heard.ns < (*right)->heard.ns ? -1 : (*left)->heard.ns > (*right)->heard.ns;
}

static void end_excess(struct broker *b, uint32_t count) ON(net)
{
    struct arena arena = {0};
    uint32_t open = 0;
    struct connection **all = arena_array(&arena, struct connection *, b->connection_count);
    LIST_EACH(link, &b->connections)
    all[open++] = CONTAINER_OF(link, struct connection, link);
    qsort(all, open, sizeof(struct connection *), by_silence);
    for (uint32_t i = 0; i < count && i < open; i++)
        connection_end(all[i], "there are more connections than max.connections");
    arena_fini(&arena);
}

void limits_load(struct broker *b)
{
    struct limits *l = &b->limits;
    int32_t per_second = (int32_t)settings_number(b, "max.connection.creation.rate");
    l->connections = (int32_t)settings_number(b, "max.connections");
    l->per_address = (int32_t)settings_number(b, "max.connections.per.ip");
    l->overrides = settings_text(b, "max.connections.per.ip.overrides");
    if (per_second != l->per_second)
        l->tokens = (double)LIMITS_BURST_S * per_second;
    l->per_second = per_second;
}

void limits_apply(struct broker *b)
{
    const struct limits *l = &b->limits;
    if (b->connection_count > (uint32_t)l->connections)
        end_excess(b, b->connection_count - (uint32_t)l->connections);
    listener_resume(b);
}

/* ---- their use ----------------------------------------------------------------------------------------------------------------------- */

static void fill(struct limits *l)
{
    int64_t now_ms = os_mono().ns / NS_PER_MS;
    double full = (double)LIMITS_BURST_S * l->per_second;
    l->tokens += (double)l->per_second * (double)(now_ms - l->filled_ms) / 1000;
    l->tokens = l->tokens < full ? l->tokens : full;
    l->filled_ms = now_ms;
}

int32_t limits_wait(struct broker *b)
{
    struct limits *l = &b->limits;
    if (b->connection_count >= (uint32_t)l->connections)
        return -1;
    if (l->per_second == INT32_MAX)
        return 0;
    if (l->per_second == 0)
        return 1000;
    fill(l);
    return l->tokens >= 1 ? 0 : (int32_t)((1 - l->tokens) * 1000 / l->per_second) + 1;
}

void limits_count(struct broker *b, int n)
{
    if (b->limits.per_second != INT32_MAX)
        b->limits.tokens -= n;
}

static int32_t max_of(const struct limits *l, struct str address)
{
    struct str rest = l->overrides, of;
    int32_t max;
    while (config_next_limit(&rest, &of, &max))
        if (str_eq_nocase(of, address))
            return max;
    return l->per_address;
}

static size_t bucket_of(struct str address)
{
    return hash_bytes(address.p, address.n) % LIMITS_BUCKETS;
}

bool limits_admit(const struct broker *b, const char *peer)
{
    struct str address = peer_address(peer);
    int32_t max = max_of(&b->limits, address), count = 0;
    if (max == INT32_MAX)
        return true;
    LIST_EACH(link, &b->limits.buckets[bucket_of(address)])
    {
        if (count >= max)
            break;
        const struct connection *c = CONTAINER_OF(link, struct connection, by_address);
        count += str_eq(peer_address(c->peer), address);
    }
    return count < max;
}

void limits_enter(struct connection *c)
{
    list_push_back(&c->broker->limits.buckets[bucket_of(peer_address(c->peer))], &c->by_address);
}

void limits_leave(struct connection *c)
{
    list_remove(&c->by_address);
}

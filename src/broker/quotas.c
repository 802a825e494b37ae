/* The table of quotas, and what clients have used. The contract, and which entity counts: quotas.h.
 *
 * A client that has no quota costs nothing but one comparison. For one that has, at most eight entities are looked up by their keys,
 * and one bucket is found by a hash of what shares it: in a table of fixed size, because client ids are whatever clients say. A client
 * whose bucket made room for another begins anew with a full one. */
#include "broker/quotas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/map.h"

enum part { USER, CLIENT_ID, IP, PARTS };
static const char *const part_names[PARTS] = {"user", "client-id", "ip"};

static const struct {
    const char *key;
    int32_t wait_max_ms;
    uint8_t burst_s; /* what so many seconds allow may be used at once */
    bool of_address; /* or of users and client ids */
    bool is_whole;   /* no fractions */
} kinds[QUOTA_KINDS] = {
    [QUOTA_PRODUCE] = {"producer_byte_rate", QUOTA_WAIT_MAX_MS, QUOTA_BURST_S, false, true},
    [QUOTA_FETCH] = {"consumer_byte_rate", QUOTA_WAIT_MAX_MS, QUOTA_BURST_S, false, true},
    [QUOTA_REQUEST] = {"request_percentage", QUOTA_REQUEST_WAIT_MAX_MS, QUOTA_BURST_S, false, false},
    [QUOTA_MUTATIONS] = {"controller_mutation_rate", QUOTA_WAIT_MAX_MS, QUOTA_BURST_S + 1, false, false},
    [QUOTA_CONNECT] = {"connection_creation_rate", QUOTA_WAIT_MAX_MS, QUOTA_BURST_S, true, true},
};

/* An entry of the table. */
struct entity {
    char *key;
    size_t key_size;
    double limits[QUOTA_KINDS]; /* NAN: none */
};
/* What one client has used. */
struct bucket {
    uint64_t who; /* 0: free */
    double tokens;
    int64_t at_ms;
};
enum { WAYS = 8, SETS = QUOTA_CLIENTS / WAYS };

struct quotas {
    struct map entities;         /* of struct entity, by key */
    uint32_t count[QUOTA_KINDS]; /* entities that limit the kind: mostly none, and then nobody is looked up */
    struct arena scratch;        /* of one look-up */
    struct bucket buckets[SETS][WAYS]; /* a client is in the set that its hash says */
};

/* ---- keys ----------------------------------------------------------------------------------------------------- */

/* The parts of an entity. Its key: for each part that it has, a letter for the part, then the length of the name and the name, or
 * a letter for the default. */
struct parts {
    bool has[PARTS];
    struct str name[PARTS]; /* p NULL: by default */
};

static struct str key_of(const struct parts *parts, struct arena *arena)
{
    size_t size = 0;
    for (int i = 0; i < PARTS; i++)
        size += parts->has[i] ? 2 + VARINT_MAX + parts->name[i].n : 0;
    uint8_t *key = arena_alloc(arena, size);
    size_t n = 0;
    for (int i = 0; i < PARTS; i++) {
        if (!parts->has[i])
            continue;
        key[n++] = (uint8_t) "uci"[i];
        key[n++] = parts->name[i].p ? '=' : '*';
        if (parts->name[i].p == NULL)
            continue;
        n += put_uvarint(key + n, parts->name[i].n);
        if (parts->name[i].n)
            memcpy(key + n, parts->name[i].p, parts->name[i].n);
        n += parts->name[i].n;
    }
    return str_n(key, n);
}

static int part_of_letter(uint8_t letter)
{
    return letter == 'u' ? USER : letter == 'c' ? CLIENT_ID : letter == 'i' ? IP : PARTS;
}

static bool parts_of(struct str key, struct parts *parts)
{
    *parts = (struct parts){0};
    struct rd r = rd_of(key.p, key.n);
    int last = -1;
    while (rd_left(&r) > 0) {
        int part = part_of_letter(rd_u8(&r));
        uint8_t how = rd_u8(&r);
        if (part == PARTS || part <= last || (how != '=' && how != '*'))
            return false;
        last = part;
        parts->has[part] = true;
        if (how == '*')
            continue;
        uint64_t n = rd_uvarint(&r);
        const uint8_t *p = rd_take(&r, n);
        if (p == NULL)
            return false;
        parts->name[part] = str_n(p, n);
    }
    return last >= 0;
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

struct quotas *quotas_new(void)
{
    return mem_new(sizeof(struct quotas));
}

static void free_entity(struct entity *entity)
{
    mem_free(entity->key);
    mem_free(entity);
}

void quotas_free(struct quotas *quotas)
{
    if (quotas == NULL)
        return;
    MAP_EACH(entry, &quotas->entities)
    free_entity(entry->value);
    map_fini(&quotas->entities);
    arena_fini(&quotas->scratch);
    mem_free(quotas);
}

/* Sets all limits of an entity; with none it goes. */
static void put_entity(struct quotas *quotas, struct str key, const double *limits)
{
    struct entity *before = map_get(&quotas->entities, key);
    bool is_empty = true;
    for (int kind = 0; kind < QUOTA_KINDS; kind++) {
        quotas->count[kind] += !isnan(limits[kind]);
        quotas->count[kind] -= before && !isnan(before->limits[kind]);
        is_empty = is_empty && isnan(limits[kind]);
    }
    if (is_empty) {
        if (map_remove(&quotas->entities, key))
            free_entity(before);
        return;
    }
    struct entity *entity = before;
    if (entity == NULL) {
        entity = mem_new(sizeof *entity);
        entity->key = mem_new(key.n);
        memcpy(entity->key, key.p, key.n);
        entity->key_size = key.n;
        map_put(&quotas->entities, key, entity);
    }
    memcpy(entity->limits, limits, sizeof entity->limits);
}

static void limits_of(const struct quotas *quotas, struct str key, double *limits)
{
    const struct entity *entity = map_get(&quotas->entities, key);
    for (int kind = 0; kind < QUOTA_KINDS; kind++)
        limits[kind] = entity ? entity->limits[kind] : NAN;
}

/* ---- altering ------------------------------------------------------------------------------------------------- */

static int part_named(struct str name)
{
    int part = 0;
    while (part < PARTS && !str_is(name, part_names[part]))
        part++;
    return part;
}

/* An address as inet_ntop writes it, or a name of a host: nothing is looked up. */
static bool is_address(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (strchr("0123456789abcdefABCDEFghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ.:-_%", text.p[i]) == NULL)
            return false;
    return text.n > 0;
}

static bool read_entity(const struct kafka_alter_client_quotas_request_entry *entry, struct parts *parts,
                        struct err *err)
{
    *parts = (struct parts){0};
    for (uint32_t i = 0; i < entry->entity_count; i++) {
        struct str type = entry->entity[i].entity_type, name = entry->entity[i].entity_name;
        int part = part_named(type);
        if (part == PARTS)
            return err_set(err, ERR_CONFIG, "unknown type of client quota entity: \"%.*s\"", STR_ARG(type));
        if (parts->has[part])
            return err_set(err, ERR_CONFIG, "the entity has \"%s\" twice", part_names[part]);
        if (name.p && name.n == 0)
            return err_set(err, ERR_CONFIG, "the name of a \"%s\" cannot be empty", part_names[part]);
        if (part == IP && name.p && !is_address(name))
            return err_set(err, ERR_CONFIG, "\"%.*s\" is no address", STR_ARG(name));
        parts->has[part] = true;
        parts->name[part] = name;
    }
    if (entry->entity_count == 0)
        return err_set(err, ERR_CONFIG, "a client quota entity cannot be empty");
    if (parts->has[IP] && (parts->has[USER] || parts->has[CLIENT_ID]))
        return err_set(err, ERR_CONFIG, "an entity cannot be of \"ip\" and of others");
    return true;
}

static bool read_op(const struct kafka_alter_client_quotas_request_op *op, bool of_address, double *limits,
                    struct err *err)
{
    int kind = 0;
    while (kind < QUOTA_KINDS && !(str_is(op->key, kinds[kind].key) && kinds[kind].of_address == of_address))
        kind++;
    if (kind == QUOTA_KINDS)
        return op->remove || /* it is not there, as is wanted */
               err_set(err, ERR_CONFIG, "unknown quota of such an entity: \"%.*s\"", STR_ARG(op->key));
    limits[kind] = op->remove ? NAN : op->value;
    if (op->remove)
        return true;
    if (!(op->value > 0) || isinf(op->value))
        return err_set(err, ERR_CONFIG, "quota \"%s\" must be greater than 0", kinds[kind].key);
    if (kinds[kind].is_whole && op->value != floor(op->value))
        return err_set(err, ERR_CONFIG, "quota \"%s\" must be a whole number", kinds[kind].key);
    return true;
}

bool quotas_alter(struct quotas *quotas, const struct kafka_alter_client_quotas_request_entry *entry,
                  bool check_only, struct arena *arena, struct str *key, int16_t *error, struct err *err)
{
    struct parts parts;
    double limits[QUOTA_KINDS];
    *error = KAFKA_ERR_INVALID_REQUEST;
    TRY(read_entity(entry, &parts, err));
    struct str at = key_of(&parts, arena);
    limits_of(quotas, at, limits);
    for (uint32_t i = 0; i < entry->ops_count; i++)
        TRY(read_op(&entry->ops[i], parts.has[IP], limits, err));
    if (quotas->entities.count >= QUOTA_ENTITIES_MAX && map_get(&quotas->entities, at) == NULL) {
        *error = KAFKA_ERR_POLICY_VIOLATION;
        return err_set(err, ERR_CONFIG, "there are %d entities with quotas already", QUOTA_ENTITIES_MAX);
    }
    *error = KAFKA_ERR_NONE;
    if (key)
        *key = at;
    if (!check_only)
        put_entity(quotas, at, limits);
    return true;
}

/* ---- describing ----------------------------------------------------------------------------------------------- */

enum { MATCH_EXACT, MATCH_DEFAULT, MATCH_ANY };

static bool matches(const struct parts *parts, const struct kafka_describe_client_quotas_request *request)
{
    uint32_t matched = 0, has = 0;
    for (int part = 0; part < PARTS; part++)
        has += parts->has[part];
    for (uint32_t i = 0; i < request->components_count; i++) {
        const struct kafka_describe_client_quotas_request_component *c = &request->components[i];
        int part = part_named(c->entity_type);
        if (!parts->has[part])
            return false;
        if (c->match_type == MATCH_EXACT && (!parts->name[part].p || !str_eq(parts->name[part], c->match)))
            return false;
        if (c->match_type == MATCH_DEFAULT && parts->name[part].p)
            return false;
        matched++;
    }
    return !request->strict || matched == has;
}

static bool check_filter(const struct kafka_describe_client_quotas_request *request, int16_t *error,
                         struct err *err)
{
    bool seen[PARTS] = {0};
    *error = KAFKA_ERR_INVALID_REQUEST;
    for (uint32_t i = 0; i < request->components_count; i++) {
        const struct kafka_describe_client_quotas_request_component *c = &request->components[i];
        int part = part_named(c->entity_type);
        if (part == PARTS) {
            *error = KAFKA_ERR_UNSUPPORTED_VERSION;
            return err_set(err, ERR_CONFIG, "unknown type of client quota entity: \"%.*s\"",
                           STR_ARG(c->entity_type));
        }
        if (seen[part])
            return err_set(err, ERR_CONFIG, "the filter has \"%s\" twice", part_names[part]);
        seen[part] = true;
        if (c->match_type < MATCH_EXACT || c->match_type > MATCH_ANY)
            return err_set(err, ERR_CONFIG, "unknown type of match: %d", c->match_type);
        if ((c->match_type == MATCH_EXACT) != (c->match.p != NULL))
            return err_set(err, ERR_CONFIG, "a name is for exact matches, and only for them");
    }
    if (seen[IP] && (seen[USER] || seen[CLIENT_ID]))
        return err_set(err, ERR_CONFIG, "a filter cannot be of \"ip\" and of others");
    *error = KAFKA_ERR_NONE;
    return true;
}

static void describe_entity(const struct entity *entity, const struct parts *parts, struct arena *arena,
                            struct kafka_describe_client_quotas_response_entry *out)
{
    out->entity = KAFKA_NEW(arena, kafka_describe_client_quotas_response_entity, PARTS);
    for (int part = 0; part < PARTS; part++) {
        if (!parts->has[part])
            continue;
        out->entity[out->entity_count].entity_type = str_of(part_names[part]);
        out->entity[out->entity_count++].entity_name = parts->name[part];
    }
    out->values = KAFKA_NEW(arena, kafka_describe_client_quotas_response_value, QUOTA_KINDS);
    for (int kind = 0; kind < QUOTA_KINDS; kind++) {
        if (isnan(entity->limits[kind]))
            continue;
        out->values[out->values_count].key = str_of(kinds[kind].key);
        out->values[out->values_count++].value = entity->limits[kind];
    }
}

void quotas_describe(const struct quotas *quotas, const struct kafka_describe_client_quotas_request *request,
                     struct arena *arena, struct kafka_describe_client_quotas_response *response)
{
    kafka_init(&kafka_describe_client_quotas_response, response);
    struct err err;
    if (!check_filter(request, &response->error_code, &err)) {
        response->error_message = str_of(arena_strdup(arena, err.text));
        return;
    }
    response->error_message = (struct str){0};
    response->entries = KAFKA_NEW(arena, kafka_describe_client_quotas_response_entry, quotas->entities.count);
    MAP_EACH(entry, &quotas->entities)
    {
        const struct entity *entity = entry->value;
        struct parts parts;
        CHECK(parts_of(str_n(entity->key, entity->key_size), &parts));
        if (matches(&parts, request))
            describe_entity(entity, &parts, arena, &response->entries[response->entries_count++]);
    }
}

/* ---- keeping -------------------------------------------------------------------------------------------------- */

void quotas_save(const struct quotas *quotas, struct str key, struct sbuf *out)
{
    const struct entity *entity = map_get(&quotas->entities, key);
    for (int kind = 0; entity && kind < QUOTA_KINDS; kind++) {
        if (isnan(entity->limits[kind]))
            continue;
        uint64_t bits;
        memcpy(&bits, &entity->limits[kind], sizeof bits);
        char *p = sbuf_reserve(out, 9);
        p[0] = (char)kind;
        put_le64(p + 1, bits);
        sbuf_added(out, 9);
    }
}

bool quotas_load(struct quotas *quotas, struct str key, struct str value, struct err *err)
{
    struct parts parts;
    double limits[QUOTA_KINDS];
    struct rd r = rd_of(value.p, value.n);
    for (int kind = 0; kind < QUOTA_KINDS; kind++)
        limits[kind] = NAN;
    bool ok = parts_of(key, &parts);
    while (ok && rd_left(&r) > 0) {
        uint8_t kind = rd_u8(&r);
        uint64_t bits = rd_le64(&r);
        ok = !r.bad && kind < QUOTA_KINDS;
        if (ok)
            memcpy(&limits[kind], &bits, sizeof bits);
        ok = ok && limits[kind] > 0 && !isinf(limits[kind]);
    }
    if (!ok)
        return err_set(err, ERR_DATA, "a client quota is damaged");
    put_entity(quotas, key, limits);
    return true;
}

/* ---- use ------------------------------------------------------------------------------------------------------ */

bool quotas_has(const struct quotas *quotas, enum quota_kind kind)
{
    return quotas->count[kind] > 0;
}

/* The limit of one entity, or NAN. *who: of all that share it. */
static double limit_at(struct quotas *quotas, enum quota_kind kind, const struct parts *parts,
                       const struct parts *sharing, uint64_t *who)
{
    struct str key = key_of(parts, &quotas->scratch);
    const struct entity *entity = map_get(&quotas->entities, key);
    if (entity == NULL || isnan(entity->limits[kind]))
        return NAN;
    struct str sharers = key_of(sharing, &quotas->scratch);
    *who = (hash_bytes(sharers.p, sharers.n) + kind) | 1;
    return entity->limits[kind];
}

/* The first entity that there is of those that are for this client. */
static double find_limit(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client,
                         uint64_t *who)
{
    /* Whether user and client id are named, by default, or not in the entity; the first that there is counts. */
    static const struct {
        uint8_t user, client_id;
    } order[] = {{1, 1}, {1, 2}, {1, 0}, {2, 1}, {2, 2}, {2, 0}, {0, 1}, {0, 2}};
    if (quotas->count[kind] == 0)
        return INFINITY;
    arena_reset(&quotas->scratch);
    double limit = NAN;
    struct str user = client->user, client_id = client->client_id, address = client->address;
    if (kind == QUOTA_CONNECT) {
        struct parts named = {.has[IP] = true, .name[IP] = address}, any = {.has[IP] = true};
        limit = limit_at(quotas, kind, &named, &named, who);
        if (isnan(limit))
            limit = limit_at(quotas, kind, &any, &named, who);
    }
    for (size_t i = 0; kind != QUOTA_CONNECT && isnan(limit) && i < sizeof order / sizeof *order; i++) {
        bool of_user = order[i].user, of_client = order[i].client_id;
        if ((of_user && user.n == 0) || (of_client && client_id.n == 0))
            continue;
        struct parts sharing = {.has = {of_user, of_client}};
        sharing.name[USER] = of_user ? user : (struct str){0};
        sharing.name[CLIENT_ID] = of_client ? client_id : (struct str){0};
        struct parts parts = sharing;
        if (order[i].user == 2)
            parts.name[USER] = (struct str){0};
        if (order[i].client_id == 2)
            parts.name[CLIENT_ID] = (struct str){0};
        limit = limit_at(quotas, kind, &parts, &sharing, who);
    }
    return isnan(limit) ? INFINITY : limit;
}

double quotas_limit(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client)
{
    uint64_t who;
    return find_limit(quotas, kind, client, &who);
}

/* Of that client; a new one is full. The one that was idle for the longest makes room. */
static struct bucket *bucket_of(struct quotas *quotas, uint64_t who, double full, int64_t now_ms)
{
    struct bucket *set = quotas->buckets[who / 2 % SETS], *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].who == who)
            return &set[i];
        if (set[i].who == 0 || (oldest->who != 0 && set[i].at_ms < oldest->at_ms))
            oldest = &set[i];
    }
    *oldest = (struct bucket){.who = who, .tokens = full, .at_ms = now_ms};
    return oldest;
}

/* A client's bucket, filled up to now. NULL: it has no quota. *per_s: what it may use. */
static struct bucket *fill(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client,
                           int64_t now_ms, double *per_s)
{
    uint64_t who;
    double limit = find_limit(quotas, kind, client, &who);
    if (isinf(limit))
        return NULL;
    *per_s = kind == QUOTA_REQUEST ? 10 * limit : limit; /* per cent of a thread are tens of ms a second */
    double full = *per_s * kinds[kind].burst_s;
    struct bucket *bucket = bucket_of(quotas, who, full, now_ms);
    double passed_ms = now_ms > bucket->at_ms ? (double)(now_ms - bucket->at_ms) : 0;
    bucket->tokens = fmin(full, bucket->tokens + *per_s * passed_ms / 1000);
    bucket->at_ms = now_ms;
    return bucket;
}

static int32_t wait_for(enum quota_kind kind, double missing, double per_s)
{
    double wait_ms = ceil(missing / per_s * 1000);
    return wait_ms > kinds[kind].wait_max_ms ? kinds[kind].wait_max_ms : (int32_t)wait_ms;
}

int32_t quotas_charge(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client,
                      double amount, int64_t now_ms)
{
    double per_s;
    struct bucket *bucket = fill(quotas, kind, client, now_ms, &per_s);
    if (bucket == NULL)
        return 0;
    bucket->tokens -= amount;
    return bucket->tokens >= 0 ? 0 : wait_for(kind, -bucket->tokens, per_s);
}

int32_t quotas_take(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client,
                    double amount, int64_t now_ms)
{
    double per_s;
    struct bucket *bucket = fill(quotas, kind, client, now_ms, &per_s);
    if (bucket == NULL)
        return 0;
    double needed = fmin(amount, per_s * kinds[kind].burst_s);
    if (bucket->tokens < needed)
        return wait_for(kind, needed - bucket->tokens, per_s);
    bucket->tokens -= amount;
    return 0;
}

double quotas_burst(struct quotas *quotas, enum quota_kind kind, const struct quota_client *client)
{
    return quotas_limit(quotas, kind, client) * kinds[kind].burst_s;
}

const char *quotas_name(enum quota_kind kind)
{
    return kinds[kind].key;
}

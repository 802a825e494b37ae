/* SCRAM credentials of users: kept for the day when the listener authenticates. A key of the store for each user and mechanism; what is kept does not
 * give the password away (RFC 5802):
 *
 *     0  iterations u32 │ 4  size of a digest u8 │ 5  stored key │ server key │ salt            big-endian
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/map.h"
#include "broker/api.h"
#include "broker/changes.h"

enum { MECHANISM_FIRST = 1, MECHANISM_LAST = 2 }; /* SCRAM-SHA-256, SCRAM-SHA-512 */
enum { ITERATIONS_MIN = 4096, ITERATIONS_MAX = 16384, HEAD_BYTES = 5 };
static const char PREFIX[] = "kafka.scram/";

static bool is_mechanism(int8_t mechanism)
{
    return mechanism >= MECHANISM_FIRST && mechanism <= MECHANISM_LAST;
}

static const EVP_MD *digest_of(int8_t mechanism)
{
    return mechanism == MECHANISM_FIRST ? EVP_sha256() : EVP_sha512();
}

/* "kafka.scram/1/ann" */
static struct str key_of(struct str user, int8_t mechanism, struct arena *arena)
{
    return str_of(arena_printf(arena, "%s%d/%.*s", PREFIX, mechanism, STR_ARG(user)));
}

static bool has_credential(struct request *r, struct str user, int8_t mechanism)
{
    struct sbuf value = {0};
    bool has = store_get(r->broker->store, key_of(user, mechanism, &r->arena), &value);
    sbuf_fini(&value);
    return has;
}

/* ---- DescribeUserScramCredentials ------------------------------------------------------------------------------------------------------ */

struct described {
    struct arena *arena;
    struct map users; /* name → struct kafka_describe_user_scram_credentials_response_user */
    struct kafka_describe_user_scram_credentials_response *out;
    uint32_t capacity;
};

static void count_one(void *arg, struct str key, struct str value)
{
    struct described *all = arg;
    (void)key, (void)value;
    all->capacity++;
}

/* Keys come by mechanism, then by name. */
static void add_one(void *arg, struct str key, struct str value)
{
    struct described *all = arg;
    size_t n = strlen(PREFIX);
    int8_t mechanism = (int8_t)(key.p[n] - '0');
    struct str name = str_n(key.p + n + 2, key.n - n - 2);
    struct kafka_describe_user_scram_credentials_response_user *user = map_get(&all->users, name);
    if (user == NULL) {
        if (all->out->results_count == all->capacity)
            return; /* made since they were counted */
        user = &all->out->results[all->out->results_count++];
        user->user = str_n(arena_dup(all->arena, name.p, name.n), name.n);
        user->credential_infos = KAFKA_NEW(
            all->arena, kafka_describe_user_scram_credentials_response_credential, MECHANISM_LAST);
        map_put(&all->users, user->user, user);
    }
    user->credential_infos[user->credential_infos_count].mechanism = mechanism;
    user->credential_infos[user->credential_infos_count++].iterations = (int32_t)get_be32(value.p);
}

static void describe_all(struct request *r, struct kafka_describe_user_scram_credentials_response *out)
{
    struct described all = {.arena = &r->arena, .out = out};
    store_each(r->broker->store, str_of(PREFIX), count_one, &all);
    out->results = KAFKA_NEW(&r->arena, kafka_describe_user_scram_credentials_response_user, all.capacity);
    store_each(r->broker->store, str_of(PREFIX), add_one, &all);
    map_fini(&all.users);
}

static void describe_one(struct request *r, struct str name, bool is_again,
                         struct kafka_describe_user_scram_credentials_response_user *out)
{
    out->user = name;
    out->credential_infos = KAFKA_NEW(&r->arena, kafka_describe_user_scram_credentials_response_credential,
                                      MECHANISM_LAST);
    for (int8_t m = MECHANISM_FIRST; m <= MECHANISM_LAST && !is_again; m++) {
        struct sbuf value = {0};
        if (store_get(r->broker->store, key_of(name, m, &r->arena), &value)) {
            out->credential_infos[out->credential_infos_count].mechanism = m;
            out->credential_infos[out->credential_infos_count++].iterations = (int32_t)get_be32(value.p);
        }
        sbuf_fini(&value);
    }
    if (out->credential_infos_count > 0)
        return;
    out->error_code = is_again ? KAFKA_ERR_DUPLICATE_RESOURCE : KAFKA_ERR_RESOURCE_NOT_FOUND;
    out->error_message = is_again ? STR("the user is asked for twice") : STR("the user has no credentials");
}

/* Each user once; one that is asked for again is told so. */
static void describe_asked(struct request *r, struct kafka_describe_user_scram_credentials_response *out)
{
    const struct kafka_describe_user_scram_credentials_request *in = r->body;
    struct map times = {0}; /* name → the first place that asks for it; or for it again */
    out->results = KAFKA_NEW(&r->arena, kafka_describe_user_scram_credentials_response_user, in->users_count);
    bool *again = arena_zarray(&r->arena, bool, in->users_count);
    for (uint32_t i = 0; i < in->users_count; i++) {
        bool *first = map_get(&times, in->users[i].name);
        if (first)
            *first = true;
        else
            map_put(&times, in->users[i].name, &again[i]);
    }
    for (uint32_t i = 0; i < in->users_count; i++)
        if (map_get(&times, in->users[i].name) == &again[i])
            describe_one(r, in->users[i].name, again[i], &out->results[out->results_count++]);
    map_fini(&times);
}

void handle_describe_user_scram_credentials(struct request *r)
{
    const struct kafka_describe_user_scram_credentials_request *in = r->body;
    struct kafka_describe_user_scram_credentials_response out;
    KAFKA_INIT(kafka_describe_user_scram_credentials_response, &out);
    if (in->users_count == 0)
        describe_all(r, &out);
    else
        describe_asked(r, &out);
    request_answer(r, &out);
}

/* ---- AlterUserScramCredentials --------------------------------------------------------------------------------------------------------- */

static bool refuse(struct kafka_alter_user_scram_credentials_response_result *out, int16_t error,
                   const char *why)
{
    out->error_code = error;
    out->error_message = str_of(why);
    return false;
}

static bool check_user(struct kafka_alter_user_scram_credentials_response_result *out, struct str name,
                       int8_t mechanism)
{
    if (name.n == 0 || name.n + strlen(PREFIX) + 2 > STORE_KEY_MAX || memchr(name.p, '\0', name.n) != NULL)
        return refuse(out, KAFKA_ERR_UNACCEPTABLE_CREDENTIAL,
                      "a user's name has 1 to 1,000 bytes, and no NUL");
    if (!is_mechanism(mechanism))
        return refuse(out, KAFKA_ERR_UNSUPPORTED_SASL_MECHANISM, "the SCRAM mechanism is not known");
    return true;
}

static bool check_upsertion(struct kafka_alter_user_scram_credentials_response_result *out,
                            const struct kafka_alter_user_scram_credentials_request_upsertion *in)
{
    if (!check_user(out, in->name, in->mechanism))
        return false;
    if (in->iterations < ITERATIONS_MIN || in->iterations > ITERATIONS_MAX)
        return refuse(out, KAFKA_ERR_UNACCEPTABLE_CREDENTIAL, "iterations are 4,096 to 16,384");
    if (in->salt.n == 0 || in->salted_password.n == 0 || in->salt.n > STORE_KEY_MAX)
        return refuse(out, KAFKA_ERR_UNACCEPTABLE_CREDENTIAL,
                      "salt or salted password is missing, or too long");
    return true;
}

/* What is kept of a salted password: H(HMAC(it, "Client Key")), and HMAC(it, "Server Key"). */
static bool derive(const struct kafka_alter_user_scram_credentials_request_upsertion *in, struct sbuf *value)
{
    const EVP_MD *md = digest_of(in->mechanism);
    size_t size = (size_t)EVP_MD_get_size(md);
    uint8_t client[EVP_MAX_MD_SIZE], stored[EVP_MAX_MD_SIZE], server[EVP_MAX_MD_SIZE], head[HEAD_BYTES];
    const uint8_t *salted = (const uint8_t *)in->salted_password.p;
    int n = (int)in->salted_password.n;
    put_be32(head, (uint32_t)in->iterations);
    head[4] = (uint8_t)size;
    bool ok = HMAC(md, salted, n, (const uint8_t *)"Client Key", 10, client, NULL) != NULL &&
              HMAC(md, salted, n, (const uint8_t *)"Server Key", 10, server, NULL) != NULL &&
              EVP_Digest(client, size, stored, NULL, md, NULL) == 1;
    sbuf_add(value, head, sizeof head);
    sbuf_add(value, stored, size);
    sbuf_add(value, server, size);
    sbuf_add(value, in->salt.p, in->salt.n);
    return ok;
}

static void altered(struct change *change, const struct frame *frame)
{
    struct request *r = change->all->request;
    if (!frame->durable)
        refuse(change->to, frame_error(&frame->err), arena_strdup(&r->arena, frame->err.text));
}

static void put(struct changes *all, struct kafka_alter_user_scram_credentials_response_result *out,
                struct str user, int8_t mechanism, struct str value) ON(net)
{
    struct frame *frame = change_begin(all, out, altered);
    frame_put(frame, key_of(user, mechanism, &all->request->arena), value);
    frame_submit(frame);
}

/* The result of a user, made when he is met first. A second change of one user in a request spoils both. */
static struct kafka_alter_user_scram_credentials_response_result *result_of(
    struct map *users, struct kafka_alter_user_scram_credentials_response *out, struct str name)
{
    struct kafka_alter_user_scram_credentials_response_result *result = map_get(users, name);
    if (result) {
        refuse(result, KAFKA_ERR_DUPLICATE_RESOURCE, "a user is altered twice in one request");
        return result;
    }
    result = &out->results[out->results_count++];
    result->user = name;
    map_put(users, name, result);
    return result;
}

static void check_all(struct request *r, struct map *users,
                      struct kafka_alter_user_scram_credentials_response *out)
{
    const struct kafka_alter_user_scram_credentials_request *in = r->body;
    for (uint32_t i = 0; i < in->deletions_count; i++) {
        struct str name = in->deletions[i].name;
        struct kafka_alter_user_scram_credentials_response_result *to = result_of(users, out, name);
        if (to->error_code == KAFKA_ERR_NONE && check_user(to, name, in->deletions[i].mechanism) &&
            !has_credential(r, name, in->deletions[i].mechanism))
            refuse(to, KAFKA_ERR_RESOURCE_NOT_FOUND, "the user has no such credential");
    }
    for (uint32_t i = 0; i < in->upsertions_count; i++) {
        struct kafka_alter_user_scram_credentials_response_result *to = result_of(users, out,
                                                                                  in->upsertions[i].name);
        if (to->error_code == KAFKA_ERR_NONE)
            check_upsertion(to, &in->upsertions[i]);
    }
}

void handle_alter_user_scram_credentials(struct request *r)
{
    const struct kafka_alter_user_scram_credentials_request *in = r->body;
    struct kafka_alter_user_scram_credentials_response *out = KAFKA_NEW(
        &r->arena, kafka_alter_user_scram_credentials_response, 1);
    struct changes *all = changes_new(r, out);
    struct map users = {0};
    out->results = KAFKA_NEW(&r->arena, kafka_alter_user_scram_credentials_response_result,
                             in->deletions_count + in->upsertions_count);
    check_all(r, &users, out);
    for (uint32_t i = 0; i < in->deletions_count; i++) {
        struct kafka_alter_user_scram_credentials_response_result *to = map_get(&users,
                                                                                in->deletions[i].name);
        if (to->error_code == KAFKA_ERR_NONE)
            put(all, to, to->user, in->deletions[i].mechanism, (struct str){0});
    }
    for (uint32_t i = 0; i < in->upsertions_count; i++) {
        struct kafka_alter_user_scram_credentials_response_result *to = map_get(&users,
                                                                                in->upsertions[i].name);
        struct sbuf value = {0};
        if (to->error_code != KAFKA_ERR_NONE)
            continue;
        if (derive(&in->upsertions[i], &value))
            put(all, to, to->user, in->upsertions[i].mechanism, sbuf_view(&value));
        else
            refuse(to, KAFKA_ERR_UNKNOWN_SERVER_ERROR, "the keys could not be derived");
        sbuf_fini(&value);
    }
    map_fini(&users);
    changes_done_one(all);
}

#include "topic/peer.h"

static const struct kafka_api *const asks = &kafka_apis[KAFKA_API_API_VERSIONS];

/* ---- what is asked ----------------------------------------------------------------------------------------------------- */

static bool put_call(struct peer *p, struct peer_call *call, int version, const void *request,
                     struct err *err)
{
    TRY(kafka_request_encode(call->api, version, p->next_id, str_of(p->client_id), request, &p->out, err));
    call->version = version;
    call->id = p->next_id++;
    call->is_done = call->is_ok = false;
    list_push_back(&p->calls, &call->link);
    return true;
}

static void ask_for_versions(struct peer *p, int version)
{
    struct kafka_api_versions_request request;
    struct err err;
    KAFKA_INIT(kafka_api_versions_request, &request);
    request.client_software_name = STR("sluice");
    request.client_software_version = STR(SLUICE_VERSION);
    bool put = put_call(p, &p->versions, version, &request, &err);
    CHECK(put);
}

void peer_init(struct peer *p, const char *client_id)
{
    *p = (struct peer){.state = PEER_ASKS, .client_id = client_id};
    list_init(&p->calls);
    p->versions = (struct peer_call){.api = asks, .arena = &p->versions_arena, .answer = &p->versions_answer};
    ask_for_versions(p, asks->last);
}

void peer_fini(struct peer *p)
{
    CHECK(list_empty(&p->calls));
    kafka_out_fini(&p->out);
    sbuf_fini(&p->in);
    arena_fini(&p->versions_arena);
}

bool peer_version(const struct peer *p, const struct kafka_api *api, int version_max, int *version,
                  struct err *err)
{
    CHECK(p->state == PEER_READY);
    int first = p->speaks[api->key].first, last = p->speaks[api->key].last;
    int ours_first = api->first > api->request->first ? api->first : api->request->first;
    int ours_last = api->last < version_max ? api->last : version_max;
    *version = last < ours_last ? last : ours_last;
    if (*version >= first && *version >= ours_first)
        return true;
    err_set(err, ERR_FATAL,
            first > last ? "the broker does not serve %s"
                         : "the broker serves %s in the versions %d to %d, which this program does not speak",
            api->name, first, last);
    err->code = KAFKA_ERR_UNSUPPORTED_VERSION;
    return false;
}

bool peer_send(struct peer *p, struct peer_call *call, int version, const void *request, struct err *err)
{
    CHECK(p->state == PEER_READY);
    return put_call(p, call, version, request, err);
}

void peer_has_sent(struct peer *p, size_t n)
{
    p->sent += n;
    CHECK(p->sent <= p->out.bytes.n);
    if (p->sent < p->out.bytes.n)
        return;
    kafka_out_clear(&p->out);
    p->sent = 0;
}

/* ---- what is answered -------------------------------------------------------------------------------------------------- */

static void done(struct peer_call *call, bool ok)
{
    list_remove(&call->link);
    call->is_done = true;
    call->is_ok = ok;
}

void peer_fail(struct peer *p, const struct err *err)
{
    while (!list_empty(&p->calls)) {
        struct peer_call *call = CONTAINER_OF(p->calls.next, struct peer_call, link);
        call->err = *err;
        done(call, false);
    }
    p->state = PEER_BAD;
}

static bool decode(struct peer_call *call, int version, struct rd *r, struct err *err)
{
    size_t limit = call->arena->limit;
    call->arena->limit = call->arena->bytes + PEER_ANSWER_MEMORY_MAX;
    bool ok = kafka_decode(call->api->response, version, r, call->arena, call->answer, err);
    call->arena->limit = limit;
    return ok;
}

/* A broker that does not know the version in which we asked says so in version 0, with those that it has of ApiVersions itself. */
static bool take_versions(struct peer *p, struct peer_call *call, struct rd *r, struct err *err)
{
    bool refused = rd_left(r) >= 2 && get_be16(r->p) == KAFKA_ERR_UNSUPPORTED_VERSION;
    TRY(decode(call, refused ? 0 : call->version, r, err));
    done(call, true);
    const struct kafka_api_versions_response *answer = &p->versions_answer;
    int again = 0;
    for (int i = 0; i < KAFKA_APIS; i++) {
        p->speaks[i].first = 0;
        p->speaks[i].last = -1;
    }
    for (uint32_t i = 0; i < answer->api_keys_count; i++) {
        int key = answer->api_keys[i].api_key;
        if (kafka_api_of(key) == NULL)
            continue;
        p->speaks[key].first = answer->api_keys[i].min_version;
        p->speaks[key].last = answer->api_keys[i].max_version;
        if (key == asks->key)
            again = answer->api_keys[i].max_version;
    }
    if (refused) {
        if (again < 0 || again >= call->version)
            return err_set(err, ERR_DATA, "the broker names no version in which it can be asked");
        ask_for_versions(p, again);
        return true;
    }
    if (answer->error_code)
        return err_set(err, ERR_DATA, "the broker does not say which versions it speaks: %s",
                       kafka_error(answer->error_code)->text);
    p->state = PEER_READY;
    return true;
}

static bool take_answer(struct peer *p, struct str frame, struct err *err)
{
    if (list_empty(&p->calls))
        return err_set(err, ERR_DATA, "an answer came that nothing was asked for");
    struct peer_call *call = CONTAINER_OF(p->calls.next, struct peer_call, link);
    int32_t id;
    struct rd r = rd_of(arena_dup(call->arena, frame.p, frame.n), frame.n);
    TRY(kafka_response_header_decode(call->api, call->version, &r, &id, err));
    if (id != call->id)
        return err_set(err, ERR_DATA, "the answer to request %d came where that to %d belongs", id, call->id);
    if (call == &p->versions)
        return take_versions(p, call, &r, err);
    TRY(decode(call, call->version, &r, err));
    done(call, true);
    return true;
}

bool peer_take(struct peer *p, const void *bytes, size_t n, struct err *err)
{
    if (p->state == PEER_BAD)
        return err_set(err, ERR_DATA, "the connection is of no use any more");
    sbuf_add(&p->in, bytes, n);
    size_t at = 0;
    bool ok = true;
    while (ok && p->in.n - at >= sizeof(uint32_t)) {
        struct str frame;
        size_t size;
        enum kafka_frame found = kafka_frame_next(p->in.p + at, p->in.n - at, KAFKA_FRAME_MAX, &frame, &size);
        if (found == KAFKA_FRAME_PART)
            break;
        ok = found == KAFKA_FRAME_WHOLE ? take_answer(p, frame, err)
                                        : err_set(err, ERR_DATA, "this is not Kafka's protocol");
        at += ok ? size : 0;
    }
    memmove(p->in.p, p->in.p + at, p->in.n - at);
    p->in.n -= at;
    if (!ok)
        p->state = PEER_BAD;
    return ok;
}

/* Groups: whatever records are loaded and whatever requests come, what must hold holds, every answer can be encoded, and a restart
 * makes the same of the journal.
 *
 * The input: the number of records, each with the sizes of key and value (0xFFFF: a tombstone) and these; then steps: a request
 * (API, version, size, body), a write that ends well or not, time that goes by, a restart. */
#include <ref/group_world.h>

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str take(struct rd *r, uint32_t n)
{
    size_t left = rd_left(r);
    n = n < left ? n : (uint32_t)left;
    return str_n(rd_take(r, n), n);
}

static void load_records(struct world *w, struct rd *r)
{
    for (uint32_t left = rd_u8(r); left > 0 && rd_left(r) > 0; left--) {
        int64_t producer_id = rd_u8(r) % 4 == 0 ? 1 : -1;
        uint32_t key_size = rd_be16(r), value_size = rd_be16(r);
        struct str key = take(r, key_size), value = {0};
        if (value_size != 0xFFFF)
            value = take(r, value_size);
        struct err err;
        if (key.p && groups_load(w->groups, producer_id, key, value, &err))
            world_keep(w, producer_id, key, value);
    }
    groups_loaded(w->groups, world_time(w));
}

static void serve(struct world *w, struct rd *r)
{
    static const int16_t keys[] = {8, 9, 11, 12, 13, 14, 15, 16, 28, 42, 47, 68, 69};
    const struct kafka_api *api = kafka_api_of(keys[rd_u8(r) % (sizeof keys / sizeof keys[0])]);
    int version = api->request->first + rd_u8(r) % (api->request->last - api->request->first + 1);
    struct str body = take(r, rd_be16(r));
    struct rd from = rd_of(body.p, body.n);
    struct err err;
    struct world_call *call = world_call_new(w);
    void *request = arena_zalloc(&call->arena, api->request->size);
    if (!kafka_decode(api->request, version, &from, &call->arena, request, &err)) {
        world_cancel(w, call);
        return;
    }
    call->call.api = api->key;
    call->call.version = (int16_t)version;
    call->call.request = request;
    world_serve(w, call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w;
    struct err err;
    struct rd r = rd_of(data, size);
    world_init_loading(&w);
    world_topic(&w, "t", 4);
    world_topic(&w, "u", 2);
    load_records(&w, &r);
    w.is_lazy = true;
    for (int step = 0; step < 200 && rd_left(&r) > 0; step++) {
        uint8_t op = rd_u8(&r) % 8;
        if (op < 4)
            serve(&w, &r);
        else if (op < 6 && w.writes_count)
            world_confirm(&w, op == 4);
        else if (op == 6)
            world_advance(&w, rd_be16(&r) * 10);
        else if (op == 7)
            world_restart(&w, rd_u8(&r));
        if (!groups_check(w.groups, &err)) {
            fprintf(stderr, "%s\n", err.text);
            abort();
        }
    }
    world_confirm_all(&w);
    world_restart(&w, 0);
    CHECK(world_check(&w));
    world_fini(&w);
    return 0;
}

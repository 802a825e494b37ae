/* The client with a broker whose answers were changed on the way: whatever comes, it is an answer or an error; nothing breaks, and nothing goes
 * on for ever.
 *
 * An input is a list of changes of five bytes: which answer (counted from the first), how, where (u16, little endian), what. The length in front of an
 * answer fits it again afterwards, unless the change says otherwise. */
#include <ref/fake_broker.h>

#include "format/records.h"
#include "os/sim.h"
#include "topic/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHANGE = 5, ANSWERS_MAX = 256, READS_MAX = 100 };
enum { SET, CUT, INSERT, ADD, LENGTH, HOWS };

static struct {
    const uint8_t *data;
    size_t size;
    uint32_t answer;
} input;

static void change(struct sbuf *bytes, const uint8_t *c)
{
    size_t at = 4 + get_le16(c + 2) % (bytes->n - 3);
    switch (c[1] % HOWS) {
    case SET:
        if (at < bytes->n)
            bytes->p[at] = (char)c[4];
        break;
    case ADD:
        if (at < bytes->n)
            bytes->p[at] = (char)(bytes->p[at] + c[4]);
        break;
    case CUT: bytes->n = at; break;
    case INSERT:
        sbuf_reserve(bytes, c[4]);
        memmove(bytes->p + at + c[4], bytes->p + at, bytes->n - at);
        memset(bytes->p + at, c[4], c[4]);
        bytes->n += c[4];
        break;
    case LENGTH: bytes->p[c[2] % 4] = (char)c[4]; return;
    default: UNREACHABLE("a way to change");
    }
    put_be32(bytes->p, (uint32_t)(bytes->n - 4));
}

static void mangle(void *arg, const struct kafka_header *header, struct sbuf *bytes)
{
    (void)arg, (void)header;
    for (size_t at = 0; at + CHANGE <= input.size; at += CHANGE)
        if (input.data[at] == input.answer && bytes->n > 4)
            change(bytes, input.data + at);
    input.answer++;
}

static bool take(void *arg, int32_t partition, const uint8_t *p, size_t n, struct err *err)
{
    struct records_reader reader;
    struct record record;
    struct buf *scratch = NULL;
    bool more = true;
    (void)arg, (void)partition;
    if (!records_open(p, n, NULL, &scratch, &reader, err))
        return false;
    bool ok = true;
    while (ok && more)
        ok = records_next(&reader, &record, &more, err);
    buf_unref(scratch);
    return ok;
}

static void read_topic(struct pool *pool, struct client *client, struct client_topic *topic)
{
    struct err err;
    int64_t *next = pool_alloc(pool, mem_product((size_t)topic->partition_count, sizeof *next));
    const struct client_reader_options options = {.next = next};
    struct pool *own = pool_new(pool, "reader");
    struct client_reader *reader = client_reader_new(own, client, topic, &options);
    for (int i = 0; i < READS_MAX && client_read(reader, 1000, take, NULL, &err); i++)
        for (int32_t p = 0; p < topic->partition_count; p++)
            if (client_reader_next(reader, p) >= FAKE_RECORDS || client_reader_is_at_end(reader, p))
                client_reader_stop(reader, p);
    pool_free(own);
}

static void write_topic(struct pool *pool, struct client *client, struct client_topic *topic)
{
    struct records_builder builder = {0};
    struct client_writer *writer;
    struct str batch;
    struct err err;
    struct buf **bufs = pool_alloc(pool, mem_product((size_t)topic->partition_count, sizeof(struct buf *)));
    if (topic->partition_count == 0 || !client_writer_new(pool, client, topic, &writer, &err))
        return;
    records_begin(&builder);
    records_add(&builder, 1000, STR("key"), STR("value"), NULL, 0);
    bool ended = records_end(&builder, 0, 0, NULL, &batch, &err);
    CHECK(ended);
    bufs[0] = builder.buf;
    (void)!client_write(writer, bufs, &err);
    records_builder_fini(&builder);
}

static void look_at_groups(struct pool *pool, struct client *client)
{
    struct arena *arena = pool_arena(pool);
    struct client_group *groups;
    struct client_group_info info;
    struct client_committed *offsets;
    uint32_t count;
    struct err err;
    (void)!client_groups(client, arena, &groups, &count, &err);
    (void)!client_group(client, arena, "g", &info, &err);
    if (client_group_offsets(client, arena, "g", &offsets, &count, &err))
        (void)!client_group_commit(client, "g", offsets, count, &err);
    (void)!client_group_delete(client, "g", &err);
}

static void look_at_topics(struct pool *pool, struct client *client)
{
    struct arena *arena = pool_arena(pool);
    struct client_topic *topics;
    struct client_configs *configs;
    uint32_t count;
    struct err err;
    if (!client_topics(client, arena, NULL, 0, &topics, &count, &err))
        return;
    (void)!client_offsets(client, topics, count, CLIENT_LATEST, true, &err);
    (void)!client_sizes(client, topics, count, &err);
    (void)!client_configs(client, arena, topics, count, NULL, &configs, &err);
    (void)!client_topic_create(client, "n", 1, 1, NULL, 0, &err);
    struct client_topic *topic = arena_new(arena, struct client_topic);
    if (!client_topic(client, arena, "t", topic, &err))
        return;
    read_topic(pool, client, topic);
    write_topic(pool, client, topic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct client_options options = {
        .bootstrap = "127.0.0.1:9092", .client_id = "fuzz", .retry_ms = 2000, .request_ms = 2000};
    struct fake_broker fake = {.mangle = mangle, .committed = {4, 5}};
    struct client *client;
    struct err err;
    input.data = data;
    input.size = size;
    input.answer = 0;
    sim_open(1);
    sim_live_here(NULL);
    fake_broker_start(&fake);
    struct pool *pool = pool_new(NULL, "fuzz");
    if (client_open(pool, &options, &client, &err)) {
        look_at_topics(pool, client);
        look_at_groups(pool, client);
    }
    pool_free(pool);
    fake_broker_stop(&fake);
    sim_close();
    return 0;
}

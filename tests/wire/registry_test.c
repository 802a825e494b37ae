/* The registry's interface to the program, on another process's registry and on our own: the same questions, the same answers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "ref/outside.h"
#include "registry/registry.h"

static struct loop *main_loop, *net, *disk;
static struct pool *pool;
static struct registry *registry;
static struct registry_call call;
static int port;

static bool reads_port(void *arg)
{
    char *log = outside_read(outside_path("log")), *at = strstr(log, "registry: http://127.0.0.1:");
    (void)arg;
    if (at)
        port = atoi(at + strlen("registry: http://127.0.0.1:"));
    free(log);
    return at != NULL;
}

static void on_done(struct registry_call *c)
{
    (void)c;
    loop_stop(main_loop);
}

static void on_ended(void *arg)
{
    (void)arg;
    loop_stop(main_loop);
}

/* Runs the loop up to the answer. */
static void answered(void)
{
    struct err err;
    loop_run(main_loop);
    loop_free(main_loop);
    EXPECT(loop_new(ROLE_MAIN, "main", &main_loop, &err) && loop_start(main_loop, &err));
}

static void begin_call(void)
{
    registry_call_fini(&call);
    call = (struct registry_call){.done = on_done};
}

static bool do_register(const char *subject, enum schema_kind kind, const char *text,
                        const struct registry_reference *references, uint32_t count)
{
    begin_call();
    registry_register(registry, &call, str_of(subject), kind, str_of(text), references, count, false);
    answered();
    return call.ok;
}

static bool get_id(int32_t id)
{
    begin_call();
    registry_get_id(registry, &call, id, STR("top"));
    answered();
    return call.ok;
}

static bool get_version(const char *subject, int32_t version)
{
    begin_call();
    registry_get_version(registry, &call, str_of(subject), version);
    answered();
    return call.ok;
}

static void ask_all(void)
{
    static const struct registry_reference base = {{"base.proto", 10}, {"base", 4}, REGISTRY_LATEST};
    struct arena arena = {0};
    const struct schema *schema;
    struct err err;
    EXPECT(
        do_register("base", SCHEMA_PROTOBUF, "syntax = \"proto3\"; message Base { int32 a = 1; }", NULL, 0));
    EXPECT_EQ_INT(call.schema.id, 1);
    EXPECT_EQ_INT(call.schema.version, 1);
    EXPECT(do_register("top", SCHEMA_PROTOBUF,
                       "syntax = \"proto3\"; import \"base.proto\"; message Top { Base b = 1; }", &base, 1));
    EXPECT_EQ_INT(call.schema.id, 2);
    EXPECT(get_id(2));
    EXPECT_EQ_INT(call.schema.id, 2);
    EXPECT_EQ_INT(call.schema.source.kind, SCHEMA_PROTOBUF);
    EXPECT_EQ_INT(call.schema.source.reference_count, 1);
    EXPECT(schema_parse(&arena, &call.schema.source, &schema, &err));
    EXPECT(get_version("top", REGISTRY_LATEST));
    EXPECT_EQ_INT(call.schema.version, 1);
    EXPECT(str_is(call.schema.subject, "top"));
    EXPECT(schema_parse(&arena, &call.schema.source, &schema, &err));
    EXPECT(get_version("top", 1) && get_version("top", 1));
    EXPECT(!get_id(99));
    EXPECT_EQ_INT(call.err.class, ERR_DATA);
    EXPECT_EQ_INT(call.err.code, REGISTRY_ERR_SCHEMA_NOT_FOUND);
    EXPECT(!get_version("nobody", REGISTRY_LATEST));
    EXPECT_EQ_INT(call.err.code, REGISTRY_ERR_SUBJECT_NOT_FOUND);
    EXPECT(!get_version("top", 9));
    EXPECT_EQ_INT(call.err.code, REGISTRY_ERR_VERSION_NOT_FOUND);
    EXPECT(!do_register("top", SCHEMA_AVRO, "\"int\"", NULL, 0));
    EXPECT_EQ_INT(call.err.class, ERR_DATA);
    EXPECT_EQ_INT(call.err.code, REGISTRY_ERR_INCOMPATIBLE);
    EXPECT(!do_register("top", SCHEMA_AVRO, "\"in\"", NULL, 0));
    EXPECT_EQ_INT(call.err.code, REGISTRY_ERR_INVALID_SCHEMA);
    arena_fini(&arena);
}

static bool begin(void)
{
    struct err err;
    pool = pool_new(NULL, "test");
    return EXPECT(loop_new(ROLE_MAIN, "main", &main_loop, &err) && loop_start(main_loop, &err) &&
                  loop_new(ROLE_NET, "net", &net, &err));
}

static void end(void)
{
    registry_end(registry, on_ended, NULL);
    answered();
    registry_call_fini(&call);
    loop_stop(net);
    loop_join(net);
    loop_stop(main_loop);
    loop_run(main_loop);
}

TEST(another_registry_answers)
{
    struct err err;
    outside_folder();
    outside_write(
        outside_path("sluice.yaml"),
        STR("name: other\nsettings: { listen: { http: off, kafka: off, registry: '127.0.0.1:0' } }\n"));
    pid_t pid = outside_start("up", NULL, -1);
    if (!EXPECT(outside_until(reads_port, NULL, 30000)) || !begin())
        return;
    const struct registry_remote_options options = {.url = pool_printf(pool, "http://127.0.0.1:%d/", port)};
    EXPECT(registry_remote_new(pool, net, &options, &registry, &err));
    EXPECT(loop_start(net, &err));
    ask_all();
    kill(pid, SIGKILL);
    outside_wait(pid);
    EXPECT(get_version("top", 1)); /* what never changes is kept */
    EXPECT(!get_version("top", REGISTRY_LATEST));
    EXPECT_EQ_INT(call.err.class, ERR_RETRY);
    end();
    registry_free(registry);
    loop_free(net);
    loop_free(main_loop);
    pool_free(pool);
    outside_clean();
}

TEST(our_own_registry_answers)
{
    const struct store_options none = {0};
    struct registry_schema schema;
    struct arena arena = {0};
    struct store *store;
    struct err err;
    const char *folder = outside_folder();
    for (int life = 0; life < 2; life++) {
        if (!begin() || !EXPECT(loop_new(ROLE_DISK, "disk", &disk, &err)))
            return;
        if (!EXPECT(store_open(pool, folder, &none, disk, &store, &err)) ||
            !EXPECT(registry_new(pool, net, store, &registry, &err)))
            return;
        if (life == 1) {
            EXPECT(registry_get_id_now(registry, &arena, 2, STR("top"), &schema, &err));
            EXPECT_EQ_INT(schema.source.reference_count, 1);
            EXPECT(registry_get_version_now(registry, &arena, STR("top"), REGISTRY_LATEST, &schema, &err));
            EXPECT_EQ_INT(schema.id, 2);
            EXPECT(!registry_get_id_now(registry, &arena, 3, STR("top"), &schema, &err));
            EXPECT_EQ_INT(err.code, REGISTRY_ERR_SCHEMA_NOT_FOUND);
        }
        EXPECT(loop_start(disk, &err) && loop_start(net, &err));
        ask_all();
        end();
        loop_stop(disk);
        loop_join(disk);
        registry_free(registry);
        EXPECT(store_close(store, &err));
        loop_free(net);
        loop_free(disk);
        loop_free(main_loop);
        pool_free(pool);
    }
    arena_fini(&arena);
    outside_clean();
}

int main(void)
{
    RUN(our_own_registry_answers);
    RUN(another_registry_answers);
    return test_end();
}

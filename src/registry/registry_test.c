/* The registry's decisions, as stories on the pure state: what is asked is decided, and what was decided is applied, and read again from the records
 * that it would be in the topic. */
#include "base/test.h"
#include "registry/decide.h"
#include "registry/subject.h"

#define INT_A "\"int\""
#define RECORD_1 "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}"
#define RECORD_2                                                                                             \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\",\"default\":0}]}"

struct log_record {
    struct sbuf key, value;
    bool tombstone;
};

static struct state *state;
static struct arena arena;
static struct log_record records[2000];
static size_t record_count;
static struct work w;

static void begin(void)
{
    state = state_new();
    w = (struct work){.state = state, .arena = &arena};
}

static struct work *work(void)
{
    w = (struct work){.state = state, .arena = &arena};
    return &w;
}

/* What was decided happens, and stands in the log. */
static void happen(void)
{
    struct err err;
    for (size_t i = 0; i < w.entry_count; i++) {
        struct entry entry = entry_copy(&arena, &w.entries[i]);
        struct log_record *r = &records[record_count++];
        *r = (struct log_record){.tombstone = entry.tombstone};
        entry_write_key(&r->key, &entry);
        if (!entry.tombstone)
            entry_write_value(&r->value, &entry);
        w.entries[i] = entry;
    }
    for (size_t i = 0; i < w.entry_count; i++)
        EXPECT(state_apply(state, &w.entries[i], &err));
    w.entry_count = 0;
    EXPECT(state_check(state));
}

static void describe(const struct state *s, struct sbuf *out)
{
    const struct state_subject **subjects;
    const struct state_context **contexts;
    struct str *names;
    size_t count = state_subjects((struct state *)s, &arena, STR(""), &subjects), n;
    for (size_t i = 0; i < count; i++) {
        const struct state_version *v = state_versions(subjects[i], &n);
        for (size_t k = 0; k < n; k++)
            sbuf_printf(out, "%.*s/%d=%d%s %.*s;", STR_ARG(state_subject_name(subjects[i])),
                        (int)v[k].version, (int)v[k].content->id, v[k].deleted ? "-" : "",
                        STR_ARG(v[k].content->text));
    }
    count = state_contexts(s, &arena, &contexts);
    for (size_t i = 0; i < count; i++)
        sbuf_printf(out, "context %.*s;", STR_ARG(contexts[i]->name));
    count = state_configured(s, &arena, STR(""), &names);
    for (size_t i = 0; i < count; i++) {
        struct config config;
        struct sbuf fields = {0};
        EXPECT(config_read(&arena, state_config(s, names[i]), &config));
        config_write(&fields, &config, false);
        sbuf_printf(out, "config %.*s %s;", STR_ARG(names[i]), fields.p);
        sbuf_fini(&fields);
    }
    count = state_moded(s, &arena, STR(""), &names);
    for (size_t i = 0; i < count; i++) {
        enum registry_mode mode;
        state_mode(s, names[i], &mode);
        sbuf_printf(out, "mode %.*s %s;", STR_ARG(names[i]), registry_mode_name(mode));
    }
}

static void forget_records(void)
{
    for (size_t i = 0; i < record_count; i++) {
        sbuf_fini(&records[i].key);
        sbuf_fini(&records[i].value);
    }
    record_count = 0;
}

/* A replay of the log makes the same state. */
static void end(void)
{
    struct state *again = state_new();
    struct sbuf now = {0}, then = {0};
    struct err err;
    for (size_t i = 0; i < record_count; i++) {
        struct entry entry;
        struct str value = records[i].tombstone ? (struct str){0} : sbuf_view(&records[i].value);
        EXPECT(entry_read(&arena, sbuf_view(&records[i].key), value, 5, &entry, &err));
        EXPECT(state_apply(again, &entry, &err));
    }
    EXPECT(state_check(again));
    describe(state, &now);
    describe(again, &then);
    EXPECT_STR(then.p, now.p);
    sbuf_fini(&now);
    sbuf_fini(&then);
    state_free(again);
    state_free(state);
    arena_fini(&arena);
    forget_records();
}

static struct wanted want(const char *subject, const char *text)
{
    return (struct wanted){.subject = str_of(subject), .text = str_of(text), .id = -1};
}

/* "version/id", or the code of the refusal. */
static const char *reg(const struct wanted *wanted)
{
    struct shown shown;
    if (!decide_register(work(), wanted, 0, &shown))
        return arena_printf(&arena, "%d", w.code);
    const char *answer = arena_printf(&arena, "%d/%d", (int)shown.version, (int)shown.id);
    happen();
    return answer;
}

static const char *reg_text(const char *subject, const char *text)
{
    struct wanted wanted = want(subject, text);
    return reg(&wanted);
}

static int del(const char *subject, int32_t version, bool permanent)
{
    int32_t deleted;
    if (!decide_version_delete(work(), str_of(subject), version, permanent, &deleted))
        return w.code;
    happen();
    return (int)deleted;
}

static int del_subject(const char *subject, bool permanent)
{
    int32_t *versions;
    size_t count;
    if (!decide_subject_delete(work(), str_of(subject), permanent, &versions, &count))
        return w.code;
    happen();
    return (int)count;
}

static int set_mode(const char *subject, enum registry_mode mode, bool force)
{
    if (!decide_mode(work(), str_of(subject), &mode, force))
        return w.code;
    happen();
    return 0;
}

static void set_level(const char *subject, const char *level)
{
    struct config_update update = {0};
    struct config config;
    update.given[CONFIG_LEVEL] = true;
    update.config.fields[CONFIG_LEVEL] = str_of(level);
    EXPECT(decide_config(work(), str_of(subject), &update, &config));
    happen();
}

TEST(one_schema_has_one_id)
{
    begin();
    EXPECT_STR(reg_text("a", RECORD_1), "1/1");
    EXPECT_STR(reg_text("a", RECORD_1), "1/1");
    EXPECT_STR(reg_text("a", " " RECORD_1 "\n"), "1/1"); /* it is the canonical text that counts */
    EXPECT_STR(reg_text("b", RECORD_1), "1/1");
    EXPECT_STR(reg_text("a", RECORD_2), "2/2");
    EXPECT_STR(reg_text("b", "\"string\""), "40901");
    EXPECT_STR(reg_text("b", "\"strin\""), "42201");
    EXPECT_STR(reg_text("b", ""), "1/1"); /* no text: the last one */
    EXPECT_STR(reg_text("c", " "), "42201");
    EXPECT_STR(reg_text(":.x:a", RECORD_2), "1/1"); /* a context has its own ids */
    EXPECT_STR(reg_text(":.x:b", RECORD_1), "1/2");
    end();
}

TEST(what_is_deleted_keeps_its_id)
{
    begin();
    EXPECT_STR(reg_text("a", RECORD_1), "1/1");
    EXPECT_STR(reg_text("a", RECORD_2), "2/2");
    EXPECT_EQ_INT(del("a", 1, true), CODE_VERSION_NOT_SOFT_DELETED);
    EXPECT_EQ_INT(del("a", 1, false), 1);
    EXPECT_EQ_INT(del("a", 1, false), CODE_VERSION_SOFT_DELETED);
    EXPECT_EQ_INT(del("a", 7, false), CODE_VERSION_NOT_FOUND);
    EXPECT_EQ_INT(del("z", 1, false), CODE_SUBJECT_NOT_FOUND);
    EXPECT(state_content(state, STR("."), 1) != NULL);
    EXPECT_STR(reg_text("a", RECORD_1), "3/1"); /* a new version, and the old one's tombstone */
    EXPECT(state_version(state, STR("a"), 1) == NULL);
    EXPECT_EQ_INT(del_subject("a", true), CODE_SUBJECT_NOT_SOFT_DELETED);
    EXPECT_EQ_INT(del_subject("a", false), 2);
    EXPECT_EQ_INT(del_subject("a", false), CODE_SUBJECT_SOFT_DELETED);
    EXPECT_EQ_INT(del_subject("a", true), 2);
    EXPECT_EQ_INT(del_subject("a", true), CODE_SUBJECT_NOT_FOUND);
    EXPECT(state_content(state, STR("."), 1) == NULL);
    EXPECT_STR(reg_text("a", RECORD_1), "1/3"); /* ids are never given twice */
    end();
}

TEST(references_hold_what_they_need)
{
    static const struct registry_reference to_base = {{"B", 1}, {"base", 4}, REGISTRY_LATEST};
    struct wanted user = want(
        "user", "{\"type\":\"record\",\"name\":\"U\",\"fields\":[{\"name\":\"b\",\"type\":\"B\"}]}");
    begin();
    user.references = &to_base;
    user.reference_count = 1;
    EXPECT_STR(reg(&user), "42201"); /* not there */
    EXPECT_STR(reg_text("base", "{\"type\":\"record\",\"name\":\"B\",\"fields\":[]}"), "1/1");
    EXPECT_STR(reg(&user), "1/2");
    EXPECT_EQ_INT(del("base", 1, false), CODE_REFERENCE_EXISTS);
    EXPECT_EQ_INT(del_subject("base", false), CODE_REFERENCE_EXISTS);
    EXPECT_STR(reg(&user), "1/2");
    /* the same with the reference's text inside */
    struct wanted inlined = want("user",
                                 "{\"type\":\"record\",\"name\":\"U\",\"fields\":[{\"name\":\"b\",\"type\":"
                                 "{\"type\":\"record\",\"name\":\"B\",\"fields\":[]}}]}");
    EXPECT_STR(reg(&inlined), "1/2");
    EXPECT_EQ_INT(del("user", 1, false), 1);
    EXPECT_EQ_INT(del("base", 1, false), 1);
    EXPECT_EQ_INT(del("base", 1, true), CODE_REFERENCE_EXISTS);
    EXPECT_EQ_INT(del("user", 1, true), 1);
    EXPECT_EQ_INT(del("base", 1, true), 1);
    end();
}

TEST(modes_say_who_may_write)
{
    struct wanted imported = want("a", RECORD_1);
    begin();
    imported.id = 10;
    imported.version = 3;
    EXPECT_STR(reg(&imported), "42205");
    EXPECT_STR(reg_text("b", RECORD_1), "1/1");
    EXPECT_EQ_INT(set_mode("b", MODE_READONLY, false), 0);
    EXPECT_STR(reg_text("b", RECORD_1), "1/1"); /* it is there */
    EXPECT_STR(reg_text("b", RECORD_2), "42205");
    EXPECT_EQ_INT(del("b", 1, false), CODE_NOT_PERMITTED);
    EXPECT_EQ_INT(set_mode("b", MODE_IMPORT, false), CODE_NOT_PERMITTED);
    EXPECT_EQ_INT(set_mode("a", MODE_IMPORT, false), 0);
    EXPECT_STR(reg_text("a", RECORD_1), "42205"); /* without an id */
    EXPECT_STR(reg(&imported), "3/10");
    imported.text = STR(RECORD_2);
    imported.version = 4;
    EXPECT_STR(reg(&imported), "42205"); /* the id means something else */
    imported.id = 7;
    EXPECT_STR(reg(&imported), "4/7");
    EXPECT_EQ_INT(set_mode("a", MODE_READWRITE, false), 0);
    EXPECT_STR(reg_text("c", "\"string\""), "1/11"); /* after the largest */
    end();
}

TEST(settings_come_from_the_nearest)
{
    struct config config;
    begin();
    config_in_scope(work(), STR("a"), &config);
    EXPECT(str_is(config.fields[CONFIG_LEVEL], "BACKWARD"));
    EXPECT(!config_of(work(), STR("a"), &config));
    set_level(SUBJECT_GLOBAL, "FORWARD");
    config_in_scope(work(), STR(":.x:a"), &config);
    EXPECT(str_is(config.fields[CONFIG_LEVEL], "FORWARD"));
    set_level(":.x:", "FULL");
    config_in_scope(work(), STR(":.x:a"), &config);
    EXPECT(str_is(config.fields[CONFIG_LEVEL], "FULL"));
    set_level(":.x:a", "NONE");
    EXPECT_STR(reg_text(":.x:a", RECORD_1), "1/1");
    EXPECT_STR(reg_text(":.x:a", "\"string\""), "2/2");
    EXPECT(decide_config_delete(work(), STR(":.x:a")));
    happen();
    EXPECT_STR(reg_text(":.x:a", "\"int\""), "40901");
    end();
}

/* Whatever is applied and undone again, in any order of kinds, leaves the state as it was. */
TEST(what_is_undone_never_was)
{
    struct sbuf before = {0}, after = {0};
    struct err err;
    begin();
    reg_text("a", RECORD_1);
    reg_text("a", RECORD_2);
    reg_text(":.x:a", RECORD_1);
    del("a", 1, false);
    set_level("a", "FULL");
    describe(state, &before);
    const struct entry entries[] = {
        {.kind = ENTRY_DELETE_SUBJECT, .subject = STR("a"), .version = 2},
        {.kind = ENTRY_CLEAR_SUBJECT},
        {.kind = ENTRY_SCHEMA, .subject = STR(":.x:a"), .version = 1, .tombstone = true},
        {.kind = ENTRY_CONFIG, .subject = STR("a"), .tombstone = true},
        {.kind = ENTRY_CONFIG, .subject = STR("b"), .config = STR("{}")},
        {.kind = ENTRY_MODE, .mode = MODE_READONLY},
        {.kind = ENTRY_CONTEXT, .subject = STR(".y")},
        {.kind = ENTRY_SCHEMA,
         .subject = STR("n"),
         .version = 1,
         .schema = {.id = 9, .text = STR("\"int\"")}},
        {.kind = ENTRY_SCHEMA, .subject = STR("n"), .version = 1, .tombstone = true},
    };
    struct entry *inverses[sizeof entries / sizeof *entries];
    size_t counts[sizeof entries / sizeof *entries];
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        inverses[i] = state_invert(state, &arena, &entries[i], &counts[i]);
        EXPECT(state_apply(state, &entries[i], &err));
        EXPECT(state_check(state));
    }
    for (size_t i = sizeof entries / sizeof *entries; i-- > 0;)
        for (size_t k = counts[i]; k-- > 0;)
            EXPECT(state_apply(state, &inverses[i][k], &err));
    EXPECT(state_check(state));
    describe(state, &after);
    EXPECT_STR(after.p, before.p);
    sbuf_fini(&before);
    sbuf_fini(&after);
    forget_records();
    state_free(state);
    arena_fini(&arena);
}

/* What a registry of Confluent's has written, in all its kinds. */
TEST(a_topic_is_taken_over)
{
    static const char *const dump[][2] = {
        {"{\"keytype\":\"NOOP\",\"magic\":0}", NULL},
        {"{\"keytype\":\"SCHEMA\",\"subject\":\"t-value\",\"version\":1,\"magic\":1}",
         "{\"subject\":\"t-value\",\"version\":1,\"id\":7,\"schema\":\"\\\"string\\\"\",\"deleted\":false}"},
        {"{\"magic\":1,\"keytype\":\"SCHEMA\",\"subject\":\"t-value\",\"version\":2}",
         "{\"subject\":\"t-value\",\"version\":2,\"id\":8,\"md5\":\"xbF9KwMD5KYEmW4hdtu7XQ==\",\"schemaType\":\"JSON\",\"references\":[{\"name\":\"n\",\"subject\":\"r\","
         "\"version\":1}],\"metadata\":{\"properties\":{\"b\":\"2\",\"a\":\"1\"}},\"ruleSet\":{\"domainRules\":[{\"name\":\"r\",\"kind\":\"CONDITION\","
         "\"mode\":\"WRITE\",\"type\":\"CEL\",\"disabled\":false}]},\"schema\":\"{}\",\"deleted\":true,\"offset\":4,\"ts\":5}"},
        {"{\"keytype\":\"CONFIG\",\"subject\":null,\"magic\":0}", "{\"compatibilityLevel\":\"FULL\"}"},
        {"{\"keytype\":\"CONFIG\",\"subject\":\"t-value\",\"magic\":0}",
         "{\"subject\":\"t-value\",\"alias\":\"u\",\"normalize\":true}"},
        {"{\"keytype\":\"MODE\",\"magic\":0}", "{\"mode\":\"IMPORT\"}"},
        {"{\"keytype\":\"CONTEXT\",\"tenant\":\"default\",\"context\":\".x\",\"magic\":0}",
         "{\"tenant\":\"default\",\"context\":\".x\"}"},
        {"{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"t-value\",\"magic\":0}",
         "{\"subject\":\"t-value\",\"version\":1}"},
        {"{\"keytype\":\"CLEAR_SUBJECT\",\"subject\":\"u\",\"magic\":0}", "{\"subject\":\"u\"}"},
        {"{\"keytype\":\"ASSOC\",\"tenant\":\"default\",\"magic\":0}", "{\"x\":1}"},
    };
    struct sbuf all = {0};
    struct err err;
    begin();
    for (size_t i = 0; i < sizeof dump / sizeof *dump; i++) {
        struct entry entry;
        EXPECT(entry_read(&arena, str_of(dump[i][0]), str_of(dump[i][1]), 5, &entry, &err));
        EXPECT(state_apply(state, &entry, &err));
    }
    describe(state, &all);
    EXPECT_STR(all.p,
               "t-value/1=7- \"string\";t-value/2=8- {};context .x;config  \"compatibilityLevel\":\"FULL\";"
               "config t-value \"alias\":\"u\",\"normalize\":true;mode  IMPORT;");
    EXPECT(!entry_read(&arena, STR("{}"), STR("{}"), 0, &(struct entry){0}, &err));
    EXPECT(!entry_read(&arena, STR("x"), STR("{}"), 0, &(struct entry){0}, &err));
    sbuf_fini(&all);
    state_free(state);
    arena_fini(&arena);
}

/* What is added to a text, removed, or handed on from the version before. */
TEST(tags_come_and_go)
{
    const struct str tag = STR("T"), f = STR("F");
    const struct schema_tags add[] = {{STR("R"), false, &tag, 1}, {STR("R.a"), true, &f, 1}},
                             gone[] = {{STR("R"), false, &tag, 1}}, missing[] = {{STR("R.z"), true, &tag, 1}};
    struct shown shown = {0};
    begin();
    EXPECT_STR(reg_text("a", RECORD_1), "1/1");
    struct wanted wanted = want("a", RECORD_1);
    wanted.retag = (struct schema_retag){missing, NULL, 1, 0};
    EXPECT_STR(reg(&wanted), "42201");
    wanted.retag = (struct schema_retag){add, NULL, 2, 0};
    EXPECT_STR(reg(&wanted), "2/2");
    const struct state_content *content = state_version(state, STR("a"), 2)->content;
    EXPECT(str_is(content->text,
                  "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\","
                  "\"confluent:tags\":[\"F\"]}],\"confluent:tags\":[\"T\"]}"));
    EXPECT(str_is(content->metadata, "{\"properties\":{\"confluent:version\":\"2\"}}"));
    wanted = want("a", RECORD_2);
    wanted.propagates_tags = true;
    wanted.retag = (struct schema_retag){NULL, gone, 0, 1}; /* what is propagated comes later */
    EXPECT_STR(reg(&wanted), "3/3");
    shown = shown_of(STR("a"), state_version(state, STR("a"), 3));
    EXPECT(find_tags(work(), &shown, &tag, 1));
    EXPECT(
        str_is(shown.tags,
               "[{\"schemaEntity\":{\"entityPath\":\"R\",\"entityType\":\"sr_record\"},\"tags\":[\"T\"]}]"));
    end();
}

/* What we write, byte for byte. */
TEST(records_are_confluents)
{
    struct sbuf key = {0}, value = {0};
    struct entry entry = {.kind = ENTRY_SCHEMA, .subject = STR("s"), .version = 2};
    entry.schema = (struct entry_schema){
        .id = 5,
        .kind = SCHEMA_PROTOBUF,
        .text = STR("a\"\n"),
        .references = STR("[{\"name\":\"n\",\"subject\":\"r\",\"version\":1}]"),
        .metadata = STR("{}"),
        .deleted = true};
    entry_write_key(&key, &entry);
    entry_write_value(&value, &entry);
    EXPECT_STR(key.p, "{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":2,\"magic\":1}");
    EXPECT_STR(
        value.p,
        "{\"subject\":\"s\",\"version\":2,\"id\":5,\"schemaType\":\"PROTOBUF\",\"references\":[{\"name\":\"n\",\"subject\":\"r\","
        "\"version\":1}],\"metadata\":{},\"schema\":\"a\\\"\\n\",\"deleted\":true}");
    sbuf_clear(&key);
    sbuf_clear(&value);
    entry = (struct entry){.kind = ENTRY_CONFIG,
                           .config = STR("{\"compatibilityLevel\":\"NONE\",\"normalize\":true}")};
    entry_write_key(&key, &entry);
    entry_write_value(&value, &entry);
    EXPECT_STR(key.p, "{\"keytype\":\"CONFIG\",\"magic\":0}");
    EXPECT_STR(value.p, "{\"normalize\":true,\"compatibilityLevel\":\"NONE\"}");
    sbuf_fini(&key);
    sbuf_fini(&value);
}

TEST(subjects_have_one_name)
{
    EXPECT(str_is(subject_normal(&arena, STR(":.:a")), "a"));
    EXPECT(str_is(subject_normal(&arena, STR(":.x")), ":.x:"));
    EXPECT(str_is(subject_beside(&arena, STR(":.x:p"), STR("a")), ":.x:a"));
    EXPECT(str_is(subject_beside(&arena, STR(":.x:p"), STR(":.y:a")), ":.y:a"));
    EXPECT(subject_in(STR(":.x:a"), STR(":.x:")) && !subject_in(STR(":.x:a"), STR(":.y:")));
    EXPECT(!subject_is_valid(STR("a\n"), false) && !subject_is_valid(STR("__GLOBAL"), true));
    EXPECT(!subject_is_valid(STR(":.__GLOBAL:"), false) && subject_is_valid(STR(":.__GLOBAL:"), true));
    arena_fini(&arena);
}

int main(void)
{
    RUN(one_schema_has_one_id);
    RUN(what_is_deleted_keeps_its_id);
    RUN(references_hold_what_they_need);
    RUN(modes_say_who_may_write);
    RUN(settings_come_from_the_nearest);
    RUN(what_is_undone_never_was);
    RUN(a_topic_is_taken_over);
    RUN(tags_come_and_go);
    RUN(records_are_confluents);
    RUN(subjects_have_one_name);
    return test_end();
}

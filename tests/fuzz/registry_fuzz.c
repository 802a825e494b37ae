/* The registry: whatever records its topic holds, and whatever is asked of it, its state holds together, what it writes can be read again and makes the
 * same, and what is undone never was.
 *
 * The input: lines. "k KEY" and "v VALUE" make a record of the topic ("t": a tombstone); the others are requests: "b BODY" is a schema for the subject
 * named last by "s SUBJECT" to register, "l BODY" one to look up, "q BODY" one to compare; "c BODY" a configuration, "m MODE" a mode; "d", "D" delete the
 * subject, for good; "1", "2" … a version of it. */
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "registry/decide.h"
#include "registry/subject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct state *state;
static struct arena arena;

/* Undone and done again, and read back from what would be written. */
static void happen(struct work *w)
{
    for (size_t i = 0; i < w->entry_count; i++)
        w->entries[i] = entry_copy(&arena, &w->entries[i]);
    for (size_t i = 0; i < w->entry_count; i++) {
        struct sbuf key = {0}, value = {0};
        struct entry read;
        struct err err;
        size_t count;
        struct entry *inverses = state_invert(state, &arena, &w->entries[i], &count);
        CHECK(state_apply(state, &w->entries[i], &err));
        while (count-- > 0)
            CHECK(state_apply(state, &inverses[count], &err));
        CHECK(state_check(state));
        entry_write_key(&key, &w->entries[i]);
        if (!w->entries[i].tombstone)
            entry_write_value(&value, &w->entries[i]);
        CHECK(entry_read(&arena, sbuf_view(&key),
                         w->entries[i].tombstone ? (struct str){0} : sbuf_view(&value), 1, &read, &err));
        CHECK(state_apply(state, &read, &err));
        sbuf_fini(&key);
        sbuf_fini(&value);
    }
    CHECK(state_check(state));
}

static bool wanted_of(struct str subject, struct str body, struct wanted *wanted)
{
    const struct json_node *root;
    struct err err;
    int64_t number;
    *wanted = (struct wanted){.subject = subject, .id = -1};
    if (!utf8_valid(body.p, body.n) || !json_parse(&arena, body, &root, &err))
        return false;
    json_str(root, "schema", &wanted->text);
    json_str(root, "schemaType", &wanted->type);
    if (json_i64(root, "id", &number) && number >= 0 && number < 1000)
        wanted->id = (int32_t)number;
    if (json_i64(root, "version", &number) && number >= -1 && number < 1000)
        wanted->version = (int32_t)number;
    return references_parse(&arena, json_member(root, STR("references")), &wanted->references,
                            &wanted->reference_count, &err) &&
           metadata_text(&arena, json_member(root, STR("metadata")), &wanted->metadata, &err) &&
           rules_text(&arena, json_member(root, STR("ruleSet")), &wanted->rules, &err) &&
           rules_check(&arena, wanted->rules, &err);
}

static void ask(char what, struct str subject, struct str rest)
{
    struct work w = {.state = state, .arena = &arena};
    struct schema_messages messages;
    struct config_update update;
    struct config config;
    struct wanted wanted;
    struct shown shown;
    enum registry_mode mode;
    const struct json_node *root;
    struct err err;
    int32_t *versions, deleted;
    size_t count;
    bool found, done = false;
    switch (what) {
    case 'b':
        done = wanted_of(subject, rest, &wanted) && decide_register(&w, &wanted, rest.n % 4, &shown);
        break;
    case 'l':
        done = wanted_of(subject, rest, &wanted) &&
               decide_lookup(&w, &wanted, rest.n % 2, true, &found, &shown);
        break;
    case 'q': {
        const struct state_version *latest = state_latest(state, subject);
        done = wanted_of(subject, rest, &wanted) &&
               decide_compatible(&w, &wanted, &latest, latest != NULL, false, &messages);
        break;
    }
    case 'c':
        done = utf8_valid(rest.p, rest.n) && json_parse(&arena, rest, &root, &err) &&
               config_update_parse(&arena, root, &update, &err) &&
               decide_config(&w, subject, &update, &config);
        break;
    case 'm': done = registry_mode_find(rest, &mode) && decide_mode(&w, subject, &mode, false); break;
    case 'd':
    case 'D': done = decide_subject_delete(&w, subject, what == 'D', &versions, &count); break;
    default:
        done = what >= '1' && what <= '9' &&
               decide_version_delete(&w, subject, what - '0', rest.n > 0, &deleted);
        break;
    }
    if (done)
        happen(&w);
}

static void replay(struct str key, struct str value)
{
    struct entry entry, copy;
    struct err err;
    if (!utf8_valid(key.p, key.n) || !utf8_valid(value.p, value.n) ||
        !entry_read(&arena, key, value, 1, &entry, &err))
        return;
    copy = entry_copy(&arena, &entry);
    (void)state_apply(state, &copy, &err); /* it may contradict what is there */
    CHECK(state_check(state));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = str_n(data, size), subject = STR("s"), key = {0};
    state = state_new();
    while (input.n > 0) {
        size_t end = str_find(input, STR("\n"), 0);
        struct str line = end == SIZE_MAX ? input : str_n(input.p, end);
        input = end == SIZE_MAX ? str_n("", 0) : str_n(input.p + end + 1, input.n - end - 1);
        struct str rest = line.n > 2 ? str_n(line.p + 2, line.n - 2) : str_n("", 0);
        if (line.n == 0)
            continue;
        if (line.p[0] == 's')
            subject = subject_is_valid(rest, false) ? subject_normal(&arena, rest) : subject;
        else if (line.p[0] == 'k')
            key = rest;
        else if (line.p[0] == 'v' || line.p[0] == 't')
            replay(key, line.p[0] == 'v' ? rest : (struct str){0});
        else
            ask(line.p[0], subject, rest);
    }
    state_free(state);
    arena_fini(&arena);
    return 0;
}

#include "registry/parts.h"

#include <stdlib.h>

#include "registry/registry.h"
#include "schema/text.h"

static bool is_there(const struct json_node *node)
{
    return node != NULL && node->kind != JSON_NULL;
}

static bool wrong(struct err *err, const char *what)
{
    return err_set(err, ERR_DATA, "\"%s\" has another type", what);
}

/* A text that was written by us: always the shape that it should have. */
static const struct json_node *tree(struct arena *arena, struct str text)
{
    const struct json_node *root = NULL;
    struct err err;
    if (text.p == NULL || !json_parse(arena, text, &root, &err))
        return NULL;
    return root;
}

static struct str taken(struct arena *arena, struct sbuf *out)
{
    struct str text = text_take(arena, out);
    sbuf_fini(out);
    return text;
}

/* ---- sorted sets and maps of texts ------------------------------------------------------------------------------------------- */

/* A member that is not empty begins: its name, behind a comma where one is needed. */
static void member(struct sbuf *out, const char *name)
{
    if (out->n > 0 && out->p[out->n - 1] != '{')
        sbuf_char(out, ',');
    sbuf_printf(out, "\"%s\":", name);
}

static int compare_texts(const void *a, const void *b)
{
    const struct json_node *x = *(const struct json_node *const *)a, *y = *(const struct json_node *const *)b;
    return text_compare(x->text, y->text);
}

static int compare_names(const void *a, const void *b)
{
    const struct json_node *x = *(const struct json_node *const *)a, *y = *(const struct json_node *const *)b;
    int order = text_compare(x->name, y->name);
    return order ? order : x->at < y->at ? -1 : x->at > y->at;
}

/* ["a","b"], sorted, each once. */
static bool write_set(struct arena *arena, struct sbuf *out, const struct json_node *node)
{
    const struct json_node **items = text_children(arena, node);
    for (uint32_t i = 0; i < node->count; i++)
        if (items[i]->kind != JSON_STRING)
            return false;
    qsort(items, node->count, sizeof *items, compare_texts);
    sbuf_char(out, '[');
    for (uint32_t i = 0; i < node->count; i++)
        if (i == 0 || !str_eq(items[i]->text, items[i - 1]->text)) {
            if (i > 0)
                sbuf_char(out, ',');
            text_string(out, items[i]->text);
        }
    sbuf_char(out, ']');
    return true;
}

/* {"name":value}, sorted by name; of several with one name the last counts. Values are texts, or (sets) sets of them. */
static bool write_map(struct arena *arena, struct sbuf *out, const struct json_node *node, bool sets)
{
    const struct json_node **items = text_children(arena, node);
    qsort(items, node->count, sizeof *items, compare_names);
    sbuf_char(out, '{');
    for (uint32_t i = 0; i < node->count; i++) {
        if (i + 1 < node->count && str_eq(items[i]->name, items[i + 1]->name))
            continue;
        if (out->p[out->n - 1] != '{')
            sbuf_char(out, ',');
        text_string(out, items[i]->name);
        sbuf_char(out, ':');
        if (items[i]->kind != (sets ? JSON_ARRAY : JSON_STRING))
            return false;
        if (!sets)
            text_string(out, items[i]->text);
        else if (!write_set(arena, out, items[i]))
            return false;
    }
    sbuf_char(out, '}');
    return true;
}

static bool write_set_member(struct arena *arena, struct sbuf *out, const struct json_node *object,
                             const char *name, struct err *err)
{
    const struct json_node *node = json_member(object, str_of(name));
    if (!is_there(node))
        return true;
    if (node->kind != JSON_ARRAY)
        return wrong(err, name);
    if (node->count == 0)
        return true;
    member(out, name);
    return write_set(arena, out, node) || wrong(err, name);
}

static bool write_map_member(struct arena *arena, struct sbuf *out, const struct json_node *object,
                             const char *name, bool sets, struct err *err)
{
    const struct json_node *node = json_member(object, str_of(name));
    if (!is_there(node))
        return true;
    if (node->kind != JSON_OBJECT)
        return wrong(err, name);
    if (node->count == 0)
        return true;
    member(out, name);
    return write_map(arena, out, node, sets) || wrong(err, name);
}

static bool write_text_member(struct sbuf *out, const struct json_node *object, const char *name,
                              struct err *err)
{
    const struct json_node *node = json_member(object, str_of(name));
    if (!is_there(node))
        return true;
    if (node->kind != JSON_STRING)
        return wrong(err, name);
    if (node->text.n == 0)
        return true;
    member(out, name);
    text_string(out, node->text);
    return true;
}

/* ---- metadata ---------------------------------------------------------------------------------------------------------------- */

static bool write_metadata(struct arena *arena, struct sbuf *out, const struct json_node *node,
                           struct err *err)
{
    sbuf_char(out, '{');
    TRY(write_map_member(arena, out, node, "tags", true, err));
    TRY(write_map_member(arena, out, node, "properties", false, err));
    TRY(write_set_member(arena, out, node, "sensitive", err));
    sbuf_char(out, '}');
    return true;
}

bool metadata_text(struct arena *arena, const struct json_node *node, struct str *text, struct err *err)
{
    struct sbuf out = {0};
    *text = (struct str){0};
    if (!is_there(node))
        return true;
    bool done = node->kind == JSON_OBJECT ? write_metadata(arena, &out, node, err) : wrong(err, "metadata");
    *text = taken(arena, &out);
    return done;
}

/* Members of both objects, in one. */
static void write_both(struct sbuf *out, const char *name, const struct json_node *a,
                       const struct json_node *b, bool is_set)
{
    const struct json_node *sides[] = {json_member(a, str_of(name)), json_member(b, str_of(name))};
    member(out, name);
    sbuf_char(out, is_set ? '[' : '{');
    bool first = true;
    for (int i = 0; i < 2; i++)
        JSON_EACH(child, sides[i])
        {
            if (!first)
                sbuf_char(out, ',');
            first = false;
            if (!is_set) {
                text_string(out, child->name);
                sbuf_char(out, ':');
            }
            text_node(out, child, 0);
        }
    sbuf_char(out, is_set ? ']' : '}');
}

struct str metadata_merge(struct arena *arena, struct str a, struct str b)
{
    struct sbuf both = {0};
    struct str merged = {0};
    struct err err;
    if (a.p == NULL || b.p == NULL)
        return a.p ? a : b;
    const struct json_node *old = tree(arena, a), *new = tree(arena, b);
    sbuf_char(&both, '{');
    write_both(&both, "tags", old, new, false);
    write_both(&both, "properties", old, new, false);
    write_both(&both, "sensitive", old, new, true);
    sbuf_char(&both, '}');
    bool done = metadata_text(arena, tree(arena, taken(arena, &both)), &merged, &err);
    CHECK(done);
    return merged;
}

struct str metadata_property(struct arena *arena, struct str metadata, struct str name)
{
    const struct json_node *node = json_member(json_member(tree(arena, metadata), STR("properties")), name);
    return node ? node->text : (struct str){0};
}

struct str metadata_with_version(struct arena *arena, struct str metadata, int32_t version)
{
    return metadata_merge(
        arena, metadata,
        str_of(arena_printf(arena, "{\"properties\":{\"" METADATA_VERSION "\":\"%d\"}}", (int)version)));
}

struct str metadata_without_version(struct arena *arena, struct str metadata)
{
    const struct json_node *root = tree(arena, metadata), *properties = json_member(root, STR("properties"));
    struct sbuf out = {0};
    struct str text = {0};
    struct err err;
    if (json_member(properties, STR(METADATA_VERSION)) == NULL)
        return metadata;
    sbuf_char(&out, '{');
    JSON_EACH(child, root)
    if (child != properties) {
        member(&out, child->name.n == 4 ? "tags" : "sensitive");
        text_node(&out, child, 0);
    }
    member(&out, "properties");
    sbuf_char(&out, '{');
    JSON_EACH(child, properties)
    if (!str_is(child->name, METADATA_VERSION)) {
        if (out.p[out.n - 1] != '{')
            sbuf_char(&out, ',');
        text_string(&out, child->name);
        sbuf_char(&out, ':');
        text_string(&out, child->text);
    }
    sbuf_cstr(&out, "}}");
    bool done = metadata_text(arena, tree(arena, taken(arena, &out)), &text, &err);
    CHECK(done);
    return text;
}

/* ---- rules ------------------------------------------------------------------------------------------------------------------- */

static const char *const rule_lists[] = {"migrationRules", "domainRules", "encodingRules"};

static bool write_choice(struct sbuf *out, const struct json_node *rule, const char *name,
                         const char *const *choices, const char *usual, struct err *err)
{
    const struct json_node *node = json_member(rule, str_of(name));
    struct str value = str_of(usual);
    if (is_there(node)) {
        if (node->kind != JSON_STRING)
            return wrong(err, name);
        value = node->text;
    }
    while (*choices && !str_is(value, *choices))
        choices++;
    if (*choices == NULL)
        return err_set(err, ERR_DATA, "\"%.*s\" is no %s of a rule", STR_ARG(value), name);
    member(out, name);
    text_string(out, value);
    return true;
}

static bool write_rule(struct arena *arena, struct sbuf *out, const struct json_node *rule, struct err *err)
{
    static const char *const kinds[] = {"TRANSFORM", "CONDITION", NULL};
    static const char *const modes[] = {"UPGRADE", "DOWNGRADE", "UPDOWN", "WRITE", "READ", "WRITEREAD", NULL};
    const struct json_node *disabled = json_member(rule, STR("disabled"));
    if (rule->kind != JSON_OBJECT)
        return wrong(err, "rule");
    sbuf_char(out, '{');
    TRY(write_text_member(out, rule, "name", err));
    TRY(write_text_member(out, rule, "doc", err));
    TRY(write_choice(out, rule, "kind", kinds, "TRANSFORM", err));
    TRY(write_choice(out, rule, "mode", modes, "WRITEREAD", err));
    TRY(write_text_member(out, rule, "type", err));
    TRY(write_set_member(arena, out, rule, "tags", err));
    TRY(write_map_member(arena, out, rule, "params", false, err));
    TRY(write_text_member(out, rule, "expr", err));
    TRY(write_text_member(out, rule, "onSuccess", err));
    TRY(write_text_member(out, rule, "onFailure", err));
    member(out, "disabled");
    sbuf_cstr(out, disabled && disabled->kind == JSON_BOOLEAN && disabled->boolean ? "true" : "false");
    sbuf_char(out, '}');
    return true;
}

static bool write_rules(struct arena *arena, struct sbuf *out, const struct json_node *node, struct err *err)
{
    sbuf_char(out, '{');
    for (size_t i = 0; i < sizeof rule_lists / sizeof *rule_lists; i++) {
        const struct json_node *list = json_member(node, str_of(rule_lists[i]));
        if (!is_there(list) || list->count == 0)
            continue;
        if (list->kind != JSON_ARRAY)
            return wrong(err, rule_lists[i]);
        member(out, rule_lists[i]);
        sbuf_char(out, '[');
        JSON_EACH(rule, list)
        {
            if (rule != list->first)
                sbuf_char(out, ',');
            TRY(write_rule(arena, out, rule, err));
        }
        sbuf_char(out, ']');
    }
    TRY(write_text_member(out, node, "enableAt", err));
    sbuf_char(out, '}');
    return true;
}

bool rules_text(struct arena *arena, const struct json_node *node, struct str *text, struct err *err)
{
    struct sbuf out = {0};
    *text = (struct str){0};
    if (!is_there(node))
        return true;
    bool done = node->kind == JSON_OBJECT ? write_rules(arena, &out, node, err) : wrong(err, "ruleSet");
    *text = taken(arena, &out);
    return done;
}

static struct str text_of(const struct json_node *node, const char *name)
{
    const struct json_node *child = json_member(node, str_of(name));
    return child ? child->text : (struct str){0};
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool check_rule_name(struct str name, struct err *err)
{
    if (name.p == NULL)
        return err_set(err, ERR_DATA, "Missing rule name");
    if (name.n > 256)
        return err_set(err, ERR_DATA, "Rule name too long");
    if (!is_letter(name.p[0]) && name.p[0] != '_')
        return err_set(err, ERR_DATA, "Illegal initial character in rule name: %.*s", STR_ARG(name));
    for (size_t i = 1; i < name.n; i++)
        if (!is_letter(name.p[i]) && !(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '_' &&
            name.p[i] != '-')
            return err_set(err, ERR_DATA, "Illegal character in rule name: %.*s", STR_ARG(name));
    return true;
}

static bool check_rule(const struct json_node *rule, bool migrates, const char *list, struct err *err)
{
    struct str mode = text_of(rule, "mode"), success = text_of(rule, "onSuccess"),
               failure = text_of(rule, "onFailure");
    TRY(check_rule_name(text_of(rule, "name"), err));
    if (text_of(rule, "type").p == NULL)
        return err_set(err, ERR_DATA, "Missing rule type");
    bool several = str_find(success, STR(","), 0) != SIZE_MAX || str_find(failure, STR(","), 0) != SIZE_MAX;
    if (several && !str_is(mode, "WRITEREAD") && !str_is(mode, "UPDOWN"))
        return err_set(err, ERR_DATA, "Multiple actions only valid with WRITEREAD and UPDOWN");
    bool is_migration = str_starts(mode, STR("UP")) || str_is(mode, "DOWNGRADE");
    if (migrates && !is_migration)
        return err_set(err, ERR_DATA, "Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN");
    if (!migrates && is_migration)
        return err_set(err, ERR_DATA, "%s rules can only be WRITE, READ, WRITEREAD", list);
    return true;
}

bool rules_check(struct arena *arena, struct str text, struct err *err)
{
    static const char *const titles[] = {"Migration", "Domain", "Encoding"};
    const struct json_node *root = tree(arena, text);
    for (size_t i = 0; i < sizeof rule_lists / sizeof *rule_lists; i++)
        JSON_EACH(rule, json_member(root, str_of(rule_lists[i])))
        {
            struct str name = text_of(rule, "name");
            for (size_t k = 0; k <= i; k++)
                JSON_EACH(other, json_member(root, str_of(rule_lists[k])))
                {
                    if (other == rule)
                        break;
                    if (name.p && str_eq(text_of(other, "name"), name))
                        return err_set(err, ERR_DATA, "Found rule with duplicate name '%.*s'", STR_ARG(name));
                }
            TRY(check_rule(rule, i == 0, titles[i], err));
        }
    return true;
}

/* Is the rule's name among those of another list, or in a list of names? */
static bool is_named(const struct json_node *rule, const struct json_node *others)
{
    JSON_EACH(other, others)
    if (str_eq(other->kind == JSON_STRING ? other->text : text_of(other, "name"), text_of(rule, "name")))
        return true;
    return false;
}

static void write_list(struct sbuf *out, const char *name, const struct json_node *old,
                       const struct json_node *gone, const struct json_node *new)
{
    size_t begin = out->n;
    member(out, name);
    sbuf_char(out, '[');
    size_t empty = out->n;
    JSON_EACH(rule, old)
    if (!is_named(rule, gone)) {
        if (out->n > empty)
            sbuf_char(out, ',');
        text_node(out, rule, 0);
    }
    JSON_EACH(rule, new)
    {
        if (out->n > empty)
            sbuf_char(out, ',');
        text_node(out, rule, 0);
    }
    if (out->n == empty)
        out->n = begin;
    else
        sbuf_char(out, ']');
}

static struct str rules_change(struct arena *arena, struct str a, struct str b, const struct json_node *names)
{
    const struct json_node *old = tree(arena, a), *new = tree(arena, b);
    struct str at = text_of(new, "enableAt").p ? text_of(new, "enableAt") : text_of(old, "enableAt");
    struct sbuf out = {0};
    sbuf_char(&out, '{');
    for (size_t i = 0; i < sizeof rule_lists / sizeof *rule_lists; i++) {
        const struct json_node *added = json_member(new, str_of(rule_lists[i]));
        write_list(&out, rule_lists[i], json_member(old, str_of(rule_lists[i])), names ? names : added,
                   added);
    }
    if (at.p) {
        member(&out, "enableAt");
        text_string(&out, at);
    }
    sbuf_char(&out, '}');
    return taken(arena, &out);
}

struct str rules_merge(struct arena *arena, struct str a, struct str b)
{
    return a.p == NULL || b.p == NULL ? (a.p ? a : b) : rules_change(arena, a, b, NULL);
}

struct str rules_without(struct arena *arena, struct str rules, const struct json_node *names)
{
    return rules.p == NULL ? rules : rules_change(arena, rules, (struct str){0}, names);
}

bool rules_have_type(struct arena *arena, struct str rules, struct str type)
{
    const struct json_node *root = tree(arena, rules);
    for (size_t i = 0; i < sizeof rule_lists / sizeof *rule_lists; i++)
        JSON_EACH(rule, json_member(root, str_of(rule_lists[i])))
    if (str_eq(text_of(rule, "type"), type))
        return true;
    return false;
}

/* ---- references -------------------------------------------------------------------------------------------------------------- */

struct str references_text(struct arena *arena, const struct registry_reference *references, uint32_t count)
{
    struct sbuf out = {0};
    if (count == 0)
        return (struct str){0};
    for (uint32_t i = 0; i < count; i++) {
        sbuf_cstr(&out, i == 0 ? "[{" : ",{");
        if (references[i].name.n > 0) {
            member(&out, "name");
            text_string(&out, references[i].name);
        }
        if (references[i].subject.n > 0) {
            member(&out, "subject");
            text_string(&out, references[i].subject);
        }
        member(&out, "version");
        sbuf_printf(&out, "%d}", (int)references[i].version);
    }
    sbuf_char(&out, ']');
    return taken(arena, &out);
}

bool references_parse(struct arena *arena, const struct json_node *node,
                      const struct registry_reference **references, uint32_t *count, struct err *err)
{
    *references = NULL;
    *count = 0;
    if (!is_there(node))
        return true;
    if (node->kind != JSON_ARRAY)
        return wrong(err, "references");
    struct registry_reference *out = arena_zarray(arena, struct registry_reference, node->count);
    JSON_EACH(child, node)
    {
        struct registry_reference *reference = &out[(*count)++];
        const struct json_node *version = json_member(child, STR("version"));
        int64_t number = 0;
        if (child->kind != JSON_OBJECT)
            return wrong(err, "references");
        reference->name = text_of(child, "name");
        reference->subject = text_of(child, "subject");
        if (is_there(version) &&
            (!str_to_i64(version->text, &number) || number < INT32_MIN || number > INT32_MAX))
            return wrong(err, "version");
        reference->version = (int32_t)number;
    }
    *references = out;
    return true;
}

bool references_read(struct arena *arena, struct str text, const struct registry_reference **references,
                     uint32_t *count)
{
    struct err err;
    return references_parse(arena, tree(arena, text), references, count, &err);
}

/* ---- digest ------------------------------------------------------------------------------------------------------------------ */

/* All texts in it, names and values, in their order. */
static void digest_texts(struct sbuf *out, const struct json_node *node)
{
    JSON_EACH(child, node)
    {
        sbuf_str(out, child->name);
        if (child->kind == JSON_STRING)
            sbuf_str(out, child->text);
        JSON_EACH(item, child)
        sbuf_str(out, item->text);
    }
}

static void digest_rule(struct sbuf *out, const struct json_node *rule)
{
    static const char *const before[] = {"name", "doc", "kind", "mode", "type"}, *const after[] = {
                                                                                     "expr", "onSuccess",
                                                                                     "onFailure"};
    const struct json_node *disabled = json_member(rule, STR("disabled"));
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        sbuf_str(out, text_of(rule, before[i]));
    JSON_EACH(tag, json_member(rule, STR("tags")))
    sbuf_str(out, tag->text);
    digest_texts(out, json_member(rule, STR("params")));
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        sbuf_str(out, text_of(rule, after[i]));
    if (disabled && disabled->boolean)
        sbuf_char(out, 1);
}

void parts_md5(struct arena *arena, struct str text, struct str references, struct str metadata,
               struct str rules, uint8_t digest[16])
{
    struct sbuf all = {0};
    const struct registry_reference *refs;
    uint32_t count;
    if (references.p == NULL && metadata.p == NULL && rules.p == NULL) {
        schema_md5(text, digest);
        return;
    }
    sbuf_str(&all, text);
    references_read(arena, references, &refs, &count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t version = (uint32_t)refs[i].version;
        const char bytes[4] = {(char)(version >> 24), (char)(version >> 16), (char)(version >> 8),
                               (char)version};
        sbuf_str(&all, refs[i].name);
        sbuf_str(&all, refs[i].subject);
        sbuf_add(&all, bytes, sizeof bytes);
    }
    if (metadata.p) {
        const struct json_node *root = tree(arena, metadata);
        sbuf_char(&all, 1);
        digest_texts(&all, json_member(root, STR("tags")));
        digest_texts(&all, json_member(root, STR("properties")));
        JSON_EACH(name, json_member(root, STR("sensitive")))
        sbuf_str(&all, name->text);
    }
    if (rules.p) {
        const struct json_node *root = tree(arena, rules);
        sbuf_char(&all, 1);
        for (size_t i = 0; i < sizeof rule_lists / sizeof *rule_lists; i++)
            JSON_EACH(rule, json_member(root, str_of(rule_lists[i])))
        digest_rule(&all, rule);
        sbuf_str(&all, text_of(root, "enableAt"));
    }
    schema_md5(sbuf_view(&all), digest);
    sbuf_fini(&all);
}

void guid_text(const uint8_t digest[16], char out[GUID_TEXT + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[n++] = '-';
        out[n++] = digits[digest[i] >> 4];
        out[n++] = digits[digest[i] & 15];
    }
    out[n] = '\0';
}

bool guid_parse(struct str text, uint8_t digest[16])
{
    size_t at = 0;
    if (text.n != 32 && text.n != GUID_TEXT)
        return false;
    for (int i = 0; i < 32; i++) {
        if (text.n == GUID_TEXT && (i == 8 || i == 12 || i == 16 || i == 20) && text.p[at++] != '-')
            return false;
        char c = text.p[at++];
        int value = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;
        if (value < 0)
            return false;
        digest[i / 2] = (uint8_t)(i % 2 ? digest[i / 2] | value : value << 4);
    }
    return true;
}

/* ---- configurations ---------------------------------------------------------------------------------------------------------- */

enum config_type { TEXT, BOOLEAN, METADATA, RULES };

static const struct {
    const char *name;
    enum config_type type;
} config_fields[] = {
    [CONFIG_ALIAS] = {"alias", TEXT},
    [CONFIG_ALIAS_FOR_DEKS] = {"aliasForDeks", TEXT},
    [CONFIG_NORMALIZE] = {"normalize", BOOLEAN},
    [CONFIG_VALIDATE_FIELDS] = {"validateFields", BOOLEAN},
    [CONFIG_VALIDATE_NEW] = {"validateNewSchemas", BOOLEAN},
    [CONFIG_VALIDATE_RULES] = {"validateRules", BOOLEAN},
    [CONFIG_LEVEL] = {"compatibilityLevel", TEXT},
    [CONFIG_POLICY] = {"compatibilityPolicy", TEXT},
    [CONFIG_GROUP] = {"compatibilityGroup", TEXT},
    [CONFIG_DEFAULT_METADATA] = {"defaultMetadata", METADATA},
    [CONFIG_OVERRIDE_METADATA] = {"overrideMetadata", METADATA},
    [CONFIG_DEFAULT_RULES] = {"defaultRuleSet", RULES},
    [CONFIG_OVERRIDE_RULES] = {"overrideRuleSet", RULES},
};

static const char *field_name(int field, bool update)
{
    return update && field == CONFIG_LEVEL ? "compatibility" : config_fields[field].name;
}

static bool read_field(struct arena *arena, const struct json_node *node, int field, struct str *value,
                       struct err *err)
{
    switch (config_fields[field].type) {
    case TEXT: *value = node->text; return node->kind == JSON_STRING || wrong(err, config_fields[field].name);
    case BOOLEAN:
        *value = node->boolean ? STR("true") : STR("false");
        return node->kind == JSON_BOOLEAN || wrong(err, config_fields[field].name);
    case METADATA: return metadata_text(arena, node, value, err);
    case RULES: return rules_text(arena, node, value, err);
    }
    UNREACHABLE("a type of field");
}

static bool read_config(struct arena *arena, const struct json_node *object, bool update,
                        struct config_update *out, struct err *err)
{
    *out = (struct config_update){0};
    if (object == NULL || object->kind != JSON_OBJECT)
        return wrong(err, "config");
    for (int i = 0; i < CONFIG_FIELDS; i++) {
        const struct json_node *node = json_member(object, str_of(field_name(i, update)));
        out->given[i] = node != NULL;
        if (is_there(node))
            TRY(read_field(arena, node, i, &out->config.fields[i], err));
    }
    return true;
}

bool config_update_parse(struct arena *arena, const struct json_node *node, struct config_update *update,
                         struct err *err)
{
    return read_config(arena, node, true, update, err);
}

bool config_read(struct arena *arena, struct str text, struct config *config)
{
    struct config_update update;
    struct err err;
    bool done = read_config(arena, tree(arena, text), false, &update, &err);
    *config = update.config;
    return done;
}

void config_write(struct sbuf *out, const struct config *config, bool update)
{
    for (int i = 0; i < CONFIG_FIELDS; i++) {
        struct str value = config->fields[i];
        if (value.p == NULL || (value.n == 0 && !update))
            continue;
        member(out, field_name(i, update));
        if (config_fields[i].type == TEXT)
            text_string(out, value);
        else
            sbuf_str(out, value);
    }
}

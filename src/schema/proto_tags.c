/* Tags of Protobuf's messages and fields: the list "tags" in the options (confluent.message_meta) and (confluent.field_meta).
 *
 * A path has the names of messages from the file on, then that of the field; the package may stand before them. */
#include "schema/proto_private.h"
#include "schema/text.h"

/* words[count], each once. */
struct words {
    struct arena *arena;
    struct str *items;
    uint32_t count, capacity;
};

static void add_word(struct words *words, struct str word)
{
    for (uint32_t i = 0; i < words->count; i++)
        if (str_eq(words->items[i], word))
            return;
    if (words->count == words->capacity) {
        struct str *before = words->items;
        words->capacity = words->capacity ? 2 * words->capacity : 4;
        words->items = arena_array(words->arena, struct str, words->capacity);
        if (words->count > 0)
            memcpy(words->items, before, words->count * sizeof *before);
    }
    words->items[words->count++] = word;
}

static void drop_word(struct words *words, struct str word)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < words->count; i++)
        if (!str_eq(words->items[i], word))
            words->items[kept++] = words->items[i];
    words->count = kept;
}

/* ---- the options ------------------------------------------------------------------------------------------------------------ */

static struct str meta_name(bool is_field)
{
    return is_field ? STR("confluent.field_meta") : STR("confluent.message_meta");
}

/* (meta) = { … } or (meta).item = … */
static bool is_meta(const struct proto_option *option, bool is_field)
{
    return option->is_extension && str_eq(option->name, meta_name(is_field)) &&
           (option->kind == PROTO_VALUE_MAP || option->kind == PROTO_VALUE_PART);
}

static bool is_tags(const struct proto_option *item)
{
    return !item->is_extension && str_is(item->name, "tags");
}

static void gather_words(struct words *words, const struct proto_options *options, bool is_field)
{
    PROTO_EACH(proto_option, option, options)
    {
        if (!is_meta(option, is_field))
            continue;
        PROTO_EACH(proto_option, item, &option->items)
        {
            if (is_tags(item) && item->kind == PROTO_VALUE_STRING)
                add_word(words, item->text);
            PROTO_EACH(proto_option, word, &item->items)
            if (is_tags(item) && item->kind == PROTO_VALUE_LIST && word->kind == PROTO_VALUE_STRING)
                add_word(words, word->text);
        }
    }
}

/* Takes the tags out. Returns whether the option still says something. */
static bool strip_tags(struct proto_option *meta)
{
    struct proto_option *item = meta->items.first;
    meta->items.first = meta->items.last = NULL;
    meta->items.count = 0;
    for (struct proto_option *next; item != NULL; item = next) {
        next = item->next;
        item->next = NULL;
        if (!is_tags(item))
            PROTO_ADD(&meta->items, item);
    }
    return meta->items.count > 0;
}

static struct proto_option *list_of(const struct words *words)
{
    struct proto_option *list = arena_new(words->arena, struct proto_option);
    *list = (struct proto_option){.name = STR("tags"), .kind = PROTO_VALUE_LIST};
    for (uint32_t i = 0; i < words->count; i++) {
        struct proto_option *word = arena_new(words->arena, struct proto_option);
        *word = (struct proto_option){.kind = PROTO_VALUE_STRING, .text = words->items[i]};
        PROTO_ADD(&list->items, word);
    }
    return list;
}

/* The words become all tags that there are. */
static void set_words(const struct words *words, struct proto_options *options, bool is_field)
{
    struct proto_option *option = options->first, *meta = NULL;
    *options = (struct proto_options){0};
    for (struct proto_option *next; option != NULL; option = next) {
        next = option->next;
        option->next = NULL;
        bool is_ours = is_meta(option, is_field), says_more = !is_ours || strip_tags(option);
        bool is_home = is_ours && meta == NULL && option->kind == PROTO_VALUE_MAP && words->count > 0;
        meta = is_home ? option : meta;
        if (says_more || is_home)
            PROTO_ADD(options, option);
    }
    if (words->count == 0)
        return;
    if (meta == NULL) {
        meta = arena_new(words->arena, struct proto_option);
        *meta = (struct proto_option){
            .name = meta_name(is_field), .is_extension = true, .kind = PROTO_VALUE_MAP};
        PROTO_ADD(options, meta);
    }
    struct proto_option *list = list_of(words);
    PROTO_ADD(&meta->items, list);
}

/* ---- which are there -------------------------------------------------------------------------------------------------------- */

struct collect {
    struct arena *arena;
    struct schema_tags *found;
    uint32_t count, capacity;
};

static void collect_entity(struct collect *c, struct str message, const struct proto_field *field,
                           const struct proto_options *options)
{
    struct words words = {.arena = c->arena};
    gather_words(&words, options, field != NULL);
    if (words.count == 0)
        return;
    if (c->count == c->capacity) {
        struct schema_tags *before = c->found;
        c->capacity = c->capacity ? 2 * c->capacity : 8;
        c->found = arena_array(c->arena, struct schema_tags, c->capacity);
        if (c->count > 0)
            memcpy(c->found, before, c->count * sizeof *before);
    }
    struct str path = message;
    if (field)
        path = str_of(arena_printf(c->arena, "%.*s.%.*s", STR_ARG(message), STR_ARG(field->name)));
    c->found[c->count++] = (struct schema_tags){path, field != NULL, words.items, words.count};
}

/* Depth: PROTO_DEPTH_MAX. */
static void collect_message(struct collect *c, const struct proto_message *message, struct str scope)
{
    struct str path = message->name;
    if (scope.n > 0)
        path = str_of(arena_printf(c->arena, "%.*s.%.*s", STR_ARG(scope), STR_ARG(path)));
    collect_entity(c, path, NULL, &message->options);
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    PROTO_EACH(proto_field, field, &oneof->fields)
    collect_entity(c, path, field, &field->options);
    PROTO_EACH(proto_field, field, &message->fields)
    collect_entity(c, path, field, &field->options);
    PROTO_EACH(proto_message, nested, &message->messages)
    collect_message(c, nested, path);
}

uint32_t proto_tags(struct arena *arena, const struct proto_schema *schema, const struct schema_tags **tags)
{
    struct collect c = {.arena = arena};
    PROTO_EACH(proto_message, message, &schema->file->messages)
    collect_message(&c, message, STR(""));
    *tags = c.found;
    return c.count;
}

/* ---- changing them ---------------------------------------------------------------------------------------------------------- */

/* The first name of a path; *rest: what is behind it. */
static struct str first_name(struct str path, struct str *rest)
{
    size_t dot = str_find(path, STR("."), 0);
    *rest = dot == SIZE_MAX ? STR("") : str_n(path.p + dot + 1, path.n - dot - 1);
    return dot == SIZE_MAX ? path : str_n(path.p, dot);
}

static struct proto_options *options_of_field(struct proto_message *message, struct str name)
{
    PROTO_EACH(proto_field, field, &message->fields)
    if (str_eq(field->name, name))
        return &field->options;
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    PROTO_EACH(proto_field, field, &oneof->fields)
    if (str_eq(field->name, name))
        return &field->options;
    return NULL;
}

static struct proto_options *find_options(struct proto_messages *in, struct str path, bool is_field)
{
    struct str rest, name = first_name(path, &rest), none;
    PROTO_EACH(proto_message, message, in)
    {
        if (!str_eq(message->name, name))
            continue;
        if (rest.n == 0)
            return is_field ? NULL : &message->options;
        struct str last = first_name(rest, &none);
        struct proto_options *found = is_field && none.n == 0 ? options_of_field(message, last) : NULL;
        return found ? found : find_options(&message->messages, rest, is_field);
    }
    return NULL;
}

static struct proto_options *find_entity(struct proto_file *file, const struct schema_tags *tags)
{
    struct str path = tags->path, package = file->package;
    if (str_starts(path, STR(".")))
        path = str_n(path.p + 1, path.n - 1);
    struct proto_options *found = find_options(&file->messages, path, tags->is_field);
    if (found == NULL && package.n > 0 && path.n > package.n && str_starts(path, package) &&
        path.p[package.n] == '.')
        found = find_options(&file->messages, str_n(path.p + package.n + 1, path.n - package.n - 1),
                             tags->is_field);
    return found;
}

static bool change_tags(struct arena *arena, struct proto_file *file, const struct schema_tags *list,
                        uint32_t count, bool removes, struct err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        struct words words = {.arena = arena};
        struct proto_options *options = find_entity(file, &list[i]);
        if (options == NULL)
            return err_set(err, ERR_DATA, "No matching path '%.*s' found in the schema",
                           STR_ARG(list[i].path));
        gather_words(&words, options, list[i].is_field);
        for (uint32_t k = 0; k < list[i].count; k++)
            (removes ? drop_word : add_word)(&words, list[i].tags[k]);
        set_words(&words, options, list[i].is_field);
    }
    return true;
}

bool proto_retag(struct arena *arena, const struct proto_schema *schema, const struct schema_retag *change,
                 struct sbuf *out, struct err *err)
{
    struct sbuf text = {0};
    struct proto_file *file = arena_new(arena, struct proto_file);
    const struct proto_schema copy = {.file = file};
    proto_write(schema, WRITE_CANONICAL, &text);
    bool ok = proto_parse_text(arena, text_take(arena, &text), "", file, err) &&
              change_tags(arena, file, change->add, change->add_count, false, err) &&
              change_tags(arena, file, change->remove, change->remove_count, true, err);
    sbuf_fini(&text);
    if (ok)
        proto_write(&copy, WRITE_CANONICAL, out);
    return ok;
}

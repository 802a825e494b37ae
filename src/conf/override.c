/* --set path.to.key=value and settings from the environment: values put into a tree that was read.
 *
 * Nodes may be shared by aliases, and a change must not show elsewhere: every list and mapping on the path is copied, the
 * new root takes the place of the old one. */
#include <stdio.h>

#include "base/check.h"
#include "base/utf8.h"
#include "conf/node_private.h"

struct override {
    struct arena *arena;
    struct conf_diags *diags;
    const struct conf_file *file; /* without text: its name is all that a place says */
    const struct str *path;
    uint32_t path_count;
    struct conf_node *value;
};

static bool refuse(struct override *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(struct override *o, const char *format, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    conf_diag(o->diags, CONF_ERROR, o->file, conf_file_place(o->file, 0, 0), "%s", text);
    return false;
}

static struct conf_node *new_node(struct override *o, enum conf_kind kind)
{
    struct conf_node *node = arena_new(o->arena, struct conf_node);
    node->kind = kind;
    node->file = o->file;
    node->expanded = 1;
    node->height = kind != CONF_SCALAR;
    node->text = str_n("", 0);
    return node;
}

static struct conf_node *new_scalar(struct override *o, struct str text, enum conf_style style)
{
    struct conf_node *node = new_node(o, CONF_SCALAR);
    node->text = str_n(str_dup(o->arena, text), text.n);
    node->style = style;
    return node;
}

/* What one step of the path does with a list or mapping: the item to go on with, in a copy that may change. */
static struct conf_node *copy(struct override *o, const struct conf_node *node, uint32_t more)
{
    struct conf_node *mine = arena_dup(o->arena, node, sizeof *node);
    mine->items = arena_zarray(o->arena, struct conf_item, node->count + more);
    if (node->count)
        memcpy(mine->items, node->items, node->count * sizeof *node->items);
    return mine;
}

/* How many parts of the path, joined by dots, are a key of the mapping: the most that are; else 1. */
static uint32_t match_key(const struct override *o, const struct conf_node *node, uint32_t at,
                          struct str *key)
{
    char joined[1024];
    uint32_t best = 0;
    size_t n = 0;
    for (uint32_t i = at; i < o->path_count; i++) {
        if (n + o->path[i].n + 1 >= sizeof joined)
            break;
        if (i > at)
            joined[n++] = '.';
        memcpy(joined + n, o->path[i].p, o->path[i].n);
        n += o->path[i].n;
        struct conf_item *item = conf_find(node, str_n(joined, n));
        if (item) {
            best = i - at + 1;
            *key = item->key->text;
        }
    }
    if (best == 0)
        *key = o->path[at];
    return best ? best : 1;
}

static struct conf_item *step_into_map(struct override *o, struct conf_node **node, uint32_t *at)
{
    struct str key;
    uint32_t used = match_key(o, *node, *at, &key);
    *at += used;
    struct conf_node *mine = copy(o, *node, 1);
    *node = mine;
    struct conf_item *item = conf_find(mine, key);
    if (item == NULL) {
        item = &mine->items[mine->count++];
        item->key = new_scalar(o, key, CONF_DOUBLE);
    }
    return item;
}

static struct conf_item *step_into_list(struct override *o, struct conf_node **node, uint32_t *at)
{
    uint64_t index;
    struct str part = o->path[*at];
    if (!str_to_u64(part, &index) || index > (*node)->count) {
        refuse(o, "\"%.*s\" is no index of this list, which has %u element%s", STR_ARG(part), (*node)->count,
               (*node)->count == 1 ? "" : "s");
        return NULL;
    }
    ++*at;
    struct conf_node *mine = copy(o, *node, 1);
    *node = mine;
    if (index == mine->count)
        mine->count++;
    return &mine->items[index];
}

/* A list or mapping's sums after one of its items changed. */
static bool sum_up(struct override *o, struct conf_node *node)
{
    node->expanded = 1;
    node->height = 1;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct conf_node *value = node->items[i].value;
        node->expanded += value->expanded + (node->kind == CONF_MAP);
        if (value->height + 1 > node->height)
            node->height = value->height + 1;
    }
    if (node->expanded > CONF_NODES_MAX)
        return refuse(o, "the project has more than %d values", CONF_NODES_MAX);
    if (node->height > CONF_DEPTH_MAX)
        return refuse(o, "lists and mappings are nested more than %d deep", CONF_DEPTH_MAX);
    return true;
}

/* Puts the value at path[at…] below *node. */
static bool apply(struct override *o, struct conf_node **node)
{
    struct conf_node **chain[CONF_DEPTH_MAX + 1];
    uint32_t depth = 0, at = 0;
    for (chain[0] = node; at < o->path_count; depth++) {
        struct conf_node **here = chain[depth];
        if (depth == CONF_DEPTH_MAX)
            return refuse(o, "the path is longer than %d keys", CONF_DEPTH_MAX);
        if (*here == NULL || (*here)->is_null)
            *here = new_node(o, CONF_MAP);
        if ((*here)->kind == CONF_SCALAR)
            return at ? refuse(o, "\"%.*s\" is a text, not a mapping", STR_ARG(o->path[at - 1]))
                      : refuse(o, "the file is a text, not a mapping");
        struct conf_item *item = (*here)->kind == CONF_MAP ? step_into_map(o, here, &at)
                                                           : step_into_list(o, here, &at);
        if (item == NULL)
            return false;
        chain[depth + 1] = &item->value;
    }
    *chain[depth] = o->value;
    while (depth-- > 0)
        TRY(sum_up(o, *chain[depth]));
    return true;
}

/* The parts of a path; a quoted part may hold dots. */
static bool split_path(struct override *o, struct str text, struct str *parts, uint32_t *count)
{
    *count = 0;
    for (size_t i = 0; i <= text.n;) {
        size_t end;
        if (*count == CONF_DEPTH_MAX)
            return refuse(o, "the path is longer than %d keys", CONF_DEPTH_MAX);
        if (i < text.n && (text.p[i] == '"' || text.p[i] == '\'')) {
            end = str_find(text, str_n(text.p + i, 1), i + 1);
            if (end == SIZE_MAX || (end + 1 < text.n && text.p[end + 1] != '.'))
                return refuse(o, "a quoted part of the path does not end with its quote");
            parts[(*count)++] = str_n(text.p + i + 1, end - i - 1);
            end++;
        } else {
            end = str_find(text, STR("."), i);
            end = end == SIZE_MAX ? text.n : end;
            parts[(*count)++] = str_n(text.p + i, end - i);
        }
        if (parts[*count - 1].n == 0)
            return refuse(o, "the path \"%.*s\" has an empty part", STR_ARG(text));
        i = end + 1;
    }
    return true;
}

static bool read_value(struct override *o, struct str text)
{
    char first = text.n ? text.p[0] : '\0';
    if (first == '[' || first == '{' || first == '"' || first == '\'') {
        o->value = conf_parse_text(o->arena, o->file->name, text, false, NULL, NULL, o->diags);
        return o->value != NULL;
    }
    if (text.n > CONF_BYTES_MAX)
        return refuse(o, "the value is longer than %d bytes", CONF_BYTES_MAX);
    bool is_null = str_is(text, "~") || str_is(text, "null");
    o->value = new_scalar(o, text, text.n ? CONF_PLAIN : CONF_DOUBLE);
    o->value->is_null = is_null;
    return true;
}

static const struct conf_file *named(struct arena *arena, const char *name)
{
    struct conf_file *file = arena_new(arena, struct conf_file);
    file->name = arena_strdup(arena, name);
    file->text = str_n("", 0);
    return file;
}

bool conf_override_path(struct arena *arena, struct conf_node **root, const char *place_name,
                        const struct str *path, uint32_t path_count, struct str value,
                        struct conf_diags *diags)
{
    struct override o = {.arena = arena,
                         .diags = diags,
                         .file = named(arena, place_name),
                         .path = path,
                         .path_count = path_count};
    struct conf_node *changed = *root;
    for (uint32_t i = 0; i < path_count; i++)
        if (!utf8_valid(path[i].p, path[i].n))
            return refuse(&o, "the path is not valid UTF-8");
    if (!utf8_valid(value.p, value.n))
        return refuse(&o, "the value is not valid UTF-8");
    TRY(read_value(&o, value));
    TRY(apply(&o, &changed));
    *root = changed;
    return true;
}

bool conf_override(struct arena *arena, struct conf_node **root, struct str assignment,
                   struct conf_diags *diags)
{
    struct str parts[CONF_DEPTH_MAX];
    uint32_t count;
    /* the first = outside of quotes ends the path */
    size_t equals = 0;
    char quote = '\0';
    for (; equals < assignment.n && (quote || assignment.p[equals] != '='); equals++) {
        char c = assignment.p[equals];
        if (quote ? c == quote : c == '"' || c == '\'')
            quote = quote ? '\0' : c;
    }
    struct str path = str_trim(str_n(assignment.p, equals));
    struct override o = {.arena = arena, .diags = diags};
    if (equals >= assignment.n || path.n == 0) {
        const struct conf_file *file = named(arena, "--set");
        struct conf_diag *diag = conf_diag(diags, CONF_ERROR, file, conf_file_place(file, 0, 0),
                                           "expected path.to.key=value, not \"%.*s\"", STR_ARG(assignment));
        err_hint(&diag->err, "As in --set settings.log.level=debug.");
        return false;
    }
    const char *name = arena_printf(arena, "--set %.*s", STR_ARG(path));
    o.file = named(arena, name);
    TRY(split_path(&o, path, parts, &count));
    struct str value = str_n(assignment.p + equals + 1, assignment.n - equals - 1);
    return conf_override_path(arena, root, name, parts, count, value, diags);
}

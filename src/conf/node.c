/* YAML text → tree, by libyaml's events. libyaml reads YAML 1.1's syntax, which is the same for what people write; what
 * its scalars mean is not its business here. It holds memory in proportion to the text between two events, and we stop
 * at the first event past a limit, so an evil text costs what it weighs.
 *
 * Items of the lists and mappings that are still open wait on one stack; a closed one moves its part of the stack to the
 * arena. An alias yields the very node of its anchor; each node knows how many nodes it stands for expanded, and how
 * deep it is, so the limits hold for the tree that a reader walks, not for the text. libyaml's marks count characters;
 * only their index is used (its lines follow YAML 1.1, which breaks them at U+0085 and others), and becomes a byte. */
#include "conf/node.h"

#include <yaml.h>

#include "base/map.h"
#include "base/utf8.h"
#include "conf/node_private.h"

enum { INDEX_STEP = 64, FEW_KEYS = 16 };

static const struct conf_limits default_limits = {CONF_BYTES_MAX, CONF_DEPTH_MAX, CONF_NODES_MAX};

struct anchor {
    char *name;
    struct conf_node *node; /* NULL: still open */
};

struct frame {
    struct conf_node *node;
    struct conf_node *key; /* of a mapping: read, its value comes next */
    size_t first_item;     /* on the stack of items */
    char *anchor;
};

struct composer {
    struct arena *arena;
    struct conf_diags *diags;
    const struct conf_env *env; /* NULL: ${…} stays as it is */
    const struct conf_limits *limits;
    const struct conf_file *file;
    struct str text;     /* what libyaml reads: the file without its byte order mark */
    uint32_t base;       /* its place in file->text */
    struct sbuf covered; /* the text with the braces of variables covered, if there are variables */
    uint32_t *indices;   /* byte of every 64th character */
    size_t characters;
    uint32_t line, counted; /* of the last place: line from 0, byte */
    int column;
    yaml_parser_t parser;
    struct frame frames[CONF_DEPTH_MAX + 1];
    uint32_t depth;
    struct conf_item *items; /* heap: of open lists and mappings */
    size_t item_count, item_capacity;
    struct anchor *anchors; /* heap */
    size_t anchor_count, anchor_capacity;
    uint32_t expanded; /* nodes so far, aliases expanded */
    size_t text_bytes; /* of all scalars */
    struct conf_node *root;
    bool failed; /* there is no tree */
};

/* ---- places -------------------------------------------------------------------------------------------------- */

static void index_characters(struct composer *c)
{
    size_t count = 0;
    c->indices = mem_new_array(uint32_t, c->text.n / INDEX_STEP + 1);
    for (size_t i = 0; i < c->text.n; i++) {
        if (((unsigned char)c->text.p[i] & 0xC0) == 0x80)
            continue;
        if (count % INDEX_STEP == 0)
            c->indices[count / INDEX_STEP] = (uint32_t)i;
        count++;
    }
    c->characters = count;
}

/* The byte of file->text where a mark points. */
static uint32_t byte_of(const struct composer *c, yaml_mark_t mark)
{
    if (mark.index >= c->characters)
        return c->base + (uint32_t)c->text.n;
    size_t at = c->indices[mark.index / INDEX_STEP];
    at += utf8_offset(c->text.p + at, c->text.n - at, mark.index % INDEX_STEP);
    return c->base + (uint32_t)at;
}

static struct conf_diag *fail_at(struct composer *c, size_t offset, int width, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* An error after which there is no tree. */
static struct conf_diag *fail_at(struct composer *c, size_t offset, int width, const char *format, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->failed = true;
    conf_hide_likely_secrets(c->arena, c->file, offset);
    return conf_diag(c->diags, CONF_ERROR, c->file, conf_file_place(c->file, offset, width), "%s", text);
}

/* Characters from offset to end, on the first line only. */
static int width_of(const struct conf_file *file, size_t offset, size_t end)
{
    if (file->lines == NULL)
        return 0;
    size_t at = offset;
    while (at < end && file->text.p[at] != '\n' && file->text.p[at] != '\r')
        at++;
    return (int)utf8_length(file->text.p + offset, at - offset);
}

/* Behind the anchor and the tag, which libyaml counts as parts of a scalar. */
static uint32_t skip_properties(struct str text, uint32_t at, uint32_t end)
{
    while (at < end && (text.p[at] == '&' || text.p[at] == '!')) {
        while (at < end && (unsigned char)text.p[at] > ' ')
            at++;
        while (at < end && (unsigned char)text.p[at] <= ' ')
            at++;
    }
    return at;
}

/* Line and column of node->offset. Nodes come in the order of the text, so the characters of a long line are counted once. */
static void place_start(struct composer *c, struct conf_node *node)
{
    const struct conf_file *file = c->file;
    while (c->line + 1 < file->line_count && file->lines[c->line + 1] <= node->offset) {
        c->line++;
        c->counted = file->lines[c->line];
        c->column = 1;
    }
    if (node->offset < c->counted) { /* not in order after all */
        struct err_place place = conf_file_place(file, node->offset, 0);
        node->line = place.line;
        node->column = place.column;
        return;
    }
    c->column += (int)utf8_length(file->text.p + c->counted, node->offset - c->counted);
    c->counted = node->offset;
    node->line = (int)c->line + 1;
    node->column = c->column;
}

static void place_node(struct composer *c, struct conf_node *node, const yaml_event_t *event)
{
    node->file = c->file;
    if (c->file->lines == NULL)
        return;
    node->offset = byte_of(c, event->start_mark);
    node->end = byte_of(c, event->end_mark);
    if (event->type == YAML_SCALAR_EVENT)
        node->offset = skip_properties(c->file->text, node->offset, node->end);
    place_start(c, node);
    node->width = width_of(c->file, node->offset, node->end);
}

/* ---- libyaml's complaints, in plain words -------------------------------------------------------------------- */

enum where { HERE, AT_BEGIN, NOTE_BEGIN }; /* the place: of the problem; where the construct began; both */

static const struct complaint {
    const char *problem; /* a part of libyaml's */
    enum where where;
    const char *text, *hint;
} complaints[] = {
    {"could not find expected ':'", AT_BEGIN, "expected \":\" after this key",
     "A key needs a colon and a space behind it."},
    {"mapping values are not allowed", HERE, "a second \":\" in one value",
     "Quote the value when it holds a colon and a space, or put the inner key on a line of its own."},
    {"block sequence entries are not allowed", HERE, "a list cannot begin here",
     "Begin it on the next line."},
    {"mapping keys are not allowed", HERE, "a key cannot begin here", NULL},
    {"unexpected end of stream", AT_BEGIN, "this quote is not closed", NULL},
    {"unexpected document indicator", AT_BEGIN, "this quote is not closed before the document ends", NULL},
    {"unknown escape character", HERE, "unknown escape in a double-quoted text",
     "Write \\\\ for a backslash, or use single quotes."},
    {"expected hexdecimal number", HERE, "expected hexadecimal digits", NULL},
    {"invalid Unicode character escape", HERE, "this escape is no character", NULL},
    {"expected alphabetic or numeric", AT_BEGIN, "expected a name after \"&\" or \"*\"",
     "Quote a text that begins with & or *."},
    {"expected comment or line break", HERE, "nothing may follow \"|\" or \">\" in the line", NULL},
    {"equal to 0", HERE, "the indentation of a block text cannot be 0", NULL},
    {"tab character where an indentation", HERE, "a tab cannot indent", "Use spaces."},
    {"expected node content", HERE, "expected a value", NULL},
    {"expected '-' indicator", HERE, "expected \"- \" as in the lines before, or less indentation", NULL},
    {"did not find expected key", HERE, "the indentation of this line fits no line above",
     "Keys of one mapping begin in the same column."},
    {"expected ',' or ']'", NOTE_BEGIN, "expected \",\" or \"]\"", "A list that begins with [ ends with ]."},
    {"expected ',' or '}'", NOTE_BEGIN, "expected \",\" or \"}\"",
     "A mapping that begins with { ends with }."},
    {"expected <document start>", HERE, "the text goes on after its end", NULL},
    {"undefined tag handle", HERE, "unknown tag", "Quote a text that begins with !."},
    {"directive", AT_BEGIN, "directives (lines that begin with %) are not supported", NULL},
};

static bool is_inside_line(struct str text, size_t at)
{
    while (at > 0 && (text.p[at - 1] == ' ' || text.p[at - 1] == '\t'))
        at--;
    return at > 0 && text.p[at - 1] != '\n' && text.p[at - 1] != '\r';
}

/* Whether nothing but one key stands before the colon in its line: then a text of the line above goes on here. */
static bool is_first_colon(struct str text, size_t colon)
{
    size_t at = colon;
    while (at > 0 && text.p[at - 1] != '\n' && text.p[at - 1] != ':')
        at--;
    return at > 0 && text.p[at - 1] == '\n';
}

/* Where the text of the last line before `at` that is not blank begins. */
static size_t line_above(struct str text, size_t at)
{
    while (at > 0 && text.p[at - 1] != '\n')
        at--;
    while (at > 0 && (unsigned char)text.p[at - 1] <= ' ')
        at--;
    while (at > 0 && text.p[at - 1] != '\n')
        at--;
    while (at < text.n && text.p[at] == ' ')
        at++;
    return at;
}

static int width_of_line(struct str text, size_t at)
{
    size_t end = at;
    while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r')
        end++;
    return (int)utf8_length(text.p + at, end - at);
}

static void explain(struct composer *c)
{
    const yaml_parser_t *p = &c->parser;
    const char *problem = p->problem ? p->problem : "not YAML";
    uint32_t at = byte_of(c, p->problem_mark);
    struct str text = c->text;
    uint32_t here = at - c->base;
    char found = here < text.n ? text.p[here] : '\0';
    if (p->error == YAML_MEMORY_ERROR) {
        fail_at(c, at, 1, "out of memory while reading YAML");
        return;
    }
    if (strstr(problem, "cannot start any token")) {
        if (found == '\t')
            err_hint(&fail_at(c, at, 1, "a tab cannot indent")->err, "Use spaces.");
        else
            err_hint(&fail_at(c, at, 1, "a value cannot begin with \"%c\"", found)->err, "Quote the value.");
        return;
    }
    if (strstr(problem, "expected ','") && found == '{' && here > 0 && text.p[here - 1] == '$') {
        err_hint(&fail_at(c, at - 1, 2, "\"${\" begins no variable here")->err,
                 "Write ${NAME} or ${NAME:-default}, or quote the value.");
        return;
    }
    if (strstr(problem, "mapping values are not allowed") && is_first_colon(text, here)) {
        size_t line = line_above(text, here);
        int width = width_of_line(text, line);
        err_hint(&fail_at(c, c->base + line, width, "expected \":\" after this key")->err,
                 "A key needs a colon and a space behind it.");
        return;
    }
    for (size_t i = 0; i < sizeof complaints / sizeof *complaints; i++) {
        if (strstr(problem, complaints[i].problem) == NULL)
            continue;
        if (complaints[i].where == AT_BEGIN && p->context)
            at = byte_of(c, p->context_mark);
        if (at >= c->base + text.n) /* at the end: point behind the last thing that was said */
            while (at > c->base && (unsigned char)text.p[at - c->base - 1] <= ' ')
                at--;
        if (strcmp(problem, "did not find expected key") == 0 && is_inside_line(text, at - c->base)) {
            err_hint(&fail_at(c, at, 1, "expected the end of the line behind a value in quotes")->err,
                     "Is a quote missing, here or further up?");
            return;
        }
        struct conf_diag *diag = fail_at(c, at, 1, "%s", complaints[i].text);
        if (complaints[i].hint)
            err_hint(&diag->err, "%s", complaints[i].hint);
        if (complaints[i].where == NOTE_BEGIN && p->context && p->context_mark.line != p->problem_mark.line)
            conf_diag(c->diags, CONF_NOTE, c->file, conf_file_place(c->file, byte_of(c, p->context_mark), 1),
                      "it begins here");
        return;
    }
    fail_at(c, at, 1, "%s", problem);
}

/* ---- what is not even text ----------------------------------------------------------------------------------- */

static bool is_forbidden(uint32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7F && c < 0xA0 && c != 0x85) ||
           c == 0xFFFE || c == 0xFFFF || (c >= 0xFDD0 && c <= 0xFDEF);
}

static bool check_characters(struct composer *c)
{
    struct str text = c->text;
    for (size_t i = 0; i < text.n;) {
        uint32_t code = 0;
        size_t size = utf8_decode(text.p + i, text.n - i, &code);
        if (size == 0) {
            struct conf_diag *diag = fail_at(c, c->base + i, 1, "the byte 0x%02X here is not valid UTF-8",
                                             (unsigned)(unsigned char)text.p[i]);
            err_hint(&diag->err, "Save the file as UTF-8.");
            return false;
        }
        if (is_forbidden(code)) {
            fail_at(c, c->base + i, 1, "the control character U+%04X is not allowed", (unsigned)code);
            return false;
        }
        i += size;
    }
    return true;
}

static bool is_utf16(struct str text)
{
    static const char little[] = {'\xFF', '\xFE'}, big[] = {'\xFE', '\xFF'};
    if (str_starts(text, str_n(little, 2)) || str_starts(text, str_n(big, 2)))
        return true;
    return text.n >= 2 && (text.p[0] == '\0') != (text.p[1] == '\0');
}

/* Size, encoding, characters; then the file and the text that libyaml gets. */
static bool admit(struct composer *c, const char *name, struct str text, bool has_places)
{
    struct conf_file *bare = arena_new(c->arena, struct conf_file);
    bare->name = arena_strdup(c->arena, name);
    bare->text = str_n("", 0);
    c->file = bare;
    if (text.n > c->limits->bytes) {
        char size[CONF_SIZE_TEXT_MAX], limit[CONF_SIZE_TEXT_MAX];
        if (has_places) /* points to where the limit is */
            c->file = conf_file_new(c->arena, name, str_n(text.p, c->limits->bytes));
        struct conf_diag *diag = fail_at(
            c, c->limits->bytes, 1, "the file has %s, more than the %s that are allowed",
            conf_bytes_text(text.n, size), conf_bytes_text(c->limits->bytes, limit));
        err_hint(&diag->err, "Keep data out of it; long SQL belongs in files of its own.");
        return false;
    }
    if (has_places)
        c->file = conf_file_new(c->arena, name, text);
    if (is_utf16(text)) {
        err_hint(&fail_at(c, 0, 1, "the file is UTF-16, not UTF-8")->err, "Save it as UTF-8.");
        return false;
    }
    c->text = has_places ? c->file->text : text;
    if (str_starts(text, STR("\xEF\xBB\xBF"))) {
        c->base = 3;
        c->text = str_n(c->text.p + 3, c->text.n - 3);
    }
    return check_characters(c);
}

/* ---- composing ----------------------------------------------------------------------------------------------- */

static struct conf_diag *say_at(struct composer *c, const struct conf_node *node, enum conf_severity severity,
                                const char *text)
{
    return conf_diag(c->diags, severity, node->file, conf_place(node), "%s", text);
}

/* One node more in the tree, `node` itself or what an alias stands for; checks the limits. */
static bool count_node(struct composer *c, const struct conf_node *place, uint32_t expanded, uint32_t height,
                       const char *alias)
{
    uint32_t limit = c->limits->nodes, left = limit - c->expanded;
    if (c->depth + height > c->limits->depth) {
        fail_at(c, place->offset, place->width, "lists and mappings are nested more than %u deep",
                c->limits->depth);
        return false;
    }
    if (expanded <= left) {
        c->expanded += expanded;
        return true;
    }
    if (alias)
        fail_at(c, place->offset, place->width,
                "the alias \"*%s\" makes the file stand for more than %u values", alias, limit);
    else
        fail_at(c, place->offset, place->width, "the file has more than %u values", limit);
    return false;
}

static bool add_anchor(struct composer *c, const char *name, struct conf_node *node)
{
    if (name == NULL)
        return true;
    for (size_t i = 0; i < c->anchor_count; i++)
        if (strcmp(c->anchors[i].name, name) == 0) {
            c->anchors[i].node = node; /* a later anchor of the same name replaces the earlier one */
            return true;
        }
    if (c->anchor_count == CONF_ANCHORS_MAX) {
        fail_at(c, node ? node->offset : 0, 1, "the file has more than %d anchors", CONF_ANCHORS_MAX);
        return false;
    }
    c->anchors = mem_grow(c->anchors, &c->anchor_capacity, c->anchor_count + 1, sizeof *c->anchors);
    c->anchors[c->anchor_count++] = (struct anchor){arena_strdup(c->arena, name), node};
    return true;
}

static void push_item(struct composer *c, struct conf_item item)
{
    c->items = mem_grow(c->items, &c->item_capacity, c->item_count + 1, sizeof *c->items);
    c->items[c->item_count++] = item;
}

/* A finished node goes to where it belongs: key, value, element, or root. */
static bool place_in_parent(struct composer *c, struct conf_node *node)
{
    if (c->depth == 0) {
        c->root = node;
        return true;
    }
    struct frame *frame = &c->frames[c->depth - 1];
    if (frame->node->kind == CONF_LIST) {
        push_item(c, (struct conf_item){NULL, node});
    } else if (frame->key) {
        push_item(c, (struct conf_item){frame->key, node});
        frame->key = NULL;
    } else {
        if (node->kind != CONF_SCALAR || node->is_null) {
            fail_at(c, node->offset, node->width, "a key must be a text");
            return false;
        }
        frame->key = node;
    }
    return true;
}

static bool is_key_next(const struct composer *c)
{
    const struct frame *frame = c->depth ? &c->frames[c->depth - 1] : NULL;
    return frame && frame->node->kind == CONF_MAP && frame->key == NULL;
}

static const char *const core_tags[] = {"str", "int", "float", "bool", "null", "seq", "map"};

/* Only the core schema's tags; returns "str" and so on, or NULL without a tag. */
static bool read_tag(struct composer *c, const struct conf_node *node, const yaml_char_t *tag,
                     const char **name)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *text = (const char *)tag;
    *name = NULL;
    if (text == NULL)
        return true;
    if (strcmp(text, "!") == 0) {
        *name = "str";
        return true;
    }
    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        for (size_t i = 0; i < sizeof core_tags / sizeof *core_tags; i++)
            if (strcmp(text + sizeof prefix - 1, core_tags[i]) == 0) {
                *name = core_tags[i];
                return true;
            }
    struct conf_diag *diag = fail_at(c, node->offset, node->width, "unknown tag \"%s\"", text);
    err_hint(&diag->err, "Quote a text that begins with !.");
    return false;
}

static bool is_null_text(struct str s)
{
    return s.n == 0 || str_is(s, "~") || str_is(s, "null") || str_is(s, "Null") || str_is(s, "NULL");
}

static enum conf_style style_of(yaml_scalar_style_t style)
{
    switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE: return CONF_SINGLE;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: return CONF_DOUBLE;
    case YAML_LITERAL_SCALAR_STYLE: return CONF_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE: return CONF_FOLDED;
    default: return CONF_PLAIN;
    }
}

static bool on_scalar(struct composer *c, const yaml_event_t *event)
{
    struct conf_node *node = arena_new(c->arena, struct conf_node);
    struct str value = str_n(event->data.scalar.value, event->data.scalar.length);
    const char *tag;
    node->kind = CONF_SCALAR;
    node->style = style_of(event->data.scalar.style);
    node->expanded = 1;
    place_node(c, node, event);
    TRY(count_node(c, node, 1, 0, NULL));
    TRY(read_tag(c, node, event->data.scalar.tag, &tag));
    char *copy = str_dup(c->arena, value);
    node->text = str_n(copy, c->covered.n > 0 ? conf_uncover_braces(copy, value.n) : value.n);
    node->is_null = (node->style == CONF_PLAIN && is_null_text(value) && tag == NULL) ||
                    (tag && strcmp(tag, "null") == 0);
    if (c->env && !is_key_next(c) && str_find(node->text, STR("${"), 0) != SIZE_MAX)
        conf_replace_variables(c->arena, node, c->env, c->diags);
    c->text_bytes += node->text.n;
    if (c->text_bytes > CONF_TEXT_MAX) {
        fail_at(c, node->offset, node->width, "with its variables, the file has more than %d MiB of text",
                CONF_TEXT_MAX / 1024 / 1024);
        return false;
    }
    TRY(add_anchor(c, (const char *)event->data.scalar.anchor, node));
    return place_in_parent(c, node);
}

static bool on_alias(struct composer *c, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct conf_node place = {0};
    place_node(c, &place, event);
    for (size_t i = 0; i < c->anchor_count; i++) {
        if (strcmp(c->anchors[i].name, name) != 0)
            continue;
        struct conf_node *node = c->anchors[i].node;
        if (node == NULL) {
            fail_at(c, place.offset, place.width, "the alias \"*%s\" stands inside of what it stands for",
                    name);
            return false;
        }
        TRY(count_node(c, &place, node->expanded, node->height, name));
        return place_in_parent(c, node);
    }
    err_hint(&fail_at(c, place.offset, place.width, "there is no anchor \"&%s\" above", name)->err,
             "Quote a text that begins with *.");
    return false;
}

static bool open_frame(struct composer *c, const yaml_event_t *event, enum conf_kind kind,
                       const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct conf_node *node = arena_new(c->arena, struct conf_node);
    const char *tag_name;
    node->kind = kind;
    node->expanded = 1;
    place_node(c, node, event);
    TRY(count_node(c, node, 1, 1, NULL));
    TRY(read_tag(c, node, tag, &tag_name));
    if (is_key_next(c)) {
        fail_at(c, node->offset, 1, "a key must be a text");
        return false;
    }
    TRY(add_anchor(c, (const char *)anchor, NULL));
    CHECK(c->depth < CONF_DEPTH_MAX + 1);
    c->frames[c->depth++] = (struct frame){.node = node,
                                           .first_item = c->item_count,
                                           .anchor = anchor ? arena_strdup(c->arena, (const char *)anchor)
                                                            : NULL};
    return true;
}

/* ---- mappings: merge keys and duplicates --------------------------------------------------------------------- */

/* The keys of a mapping that is being closed, for finding duplicates: a few by looking, many by a hash map. */
struct keys {
    const struct conf_item *items; /* grows behind */
    size_t count;
    struct map map; /* to items, when there are many */
};

static const struct conf_item *find_key(struct keys *keys, struct str name)
{
    if (keys->count > FEW_KEYS)
        return map_get(&keys->map, name);
    for (size_t i = 0; i < keys->count; i++)
        if (str_eq(keys->items[i].key->text, name))
            return &keys->items[i];
    return NULL;
}

static void add_key(struct keys *keys, struct conf_item *items, struct conf_item item)
{
    items[keys->count++] = item;
    if (keys->count == FEW_KEYS + 1)
        for (size_t i = 0; i < keys->count; i++)
            map_put(&keys->map, items[i].key->text, &items[i]);
    else if (keys->count > FEW_KEYS)
        map_put(&keys->map, item.key->text, &items[keys->count - 1]);
}

static bool is_merge(const struct conf_item *item)
{
    return item->key->style == CONF_PLAIN && str_is(item->key->text, "<<");
}

static bool merge_from(struct composer *c, struct keys *keys, struct conf_item *items,
                       const struct conf_node *from)
{
    if (from->kind != CONF_MAP) {
        fail_at(c, from->offset, from->width, "\"<<\" takes a mapping, or a list of mappings");
        return false;
    }
    for (uint32_t i = 0; i < from->count; i++)
        if (find_key(keys, from->items[i].key->text) == NULL)
            add_key(keys, items, from->items[i]);
    return true;
}

/* How many keys the mapping may have: its own and all that it merges. */
static size_t count_keys(const struct conf_item *items, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum++;
        if (!is_merge(&items[i]))
            continue;
        const struct conf_node *from = items[i].value;
        for (uint32_t j = 0; from->kind == CONF_LIST && j < from->count; j++)
            sum += from->items[j].value->count;
        sum += from->kind == CONF_MAP ? from->count : 0;
    }
    return sum;
}

static void add_own_keys(struct composer *c, struct keys *keys, struct conf_item *out,
                         const struct conf_item *in, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct conf_item *before;
        if (is_merge(&in[i]))
            continue;
        if ((before = find_key(keys, in[i].key->text)) != NULL) {
            conf_say(c->diags, CONF_ERROR, in[i].key, "the key \"%.*s\" is here twice",
                     STR_ARG(in[i].key->text));
            say_at(c, before->key, CONF_NOTE, "it is first here");
            continue;
        }
        add_key(keys, out, in[i]);
    }
}

static bool add_merged_keys(struct composer *c, struct keys *keys, struct conf_item *out,
                            const struct conf_item *in, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct conf_node *from = in[i].value;
        if (!is_merge(&in[i]))
            continue;
        if (from->kind != CONF_LIST)
            TRY(merge_from(c, keys, out, from));
        for (uint32_t j = 0; from->kind == CONF_LIST && j < from->count; j++)
            TRY(merge_from(c, keys, out, from->items[j].value));
    }
    return true;
}

static bool close_map(struct composer *c, struct conf_node *node, const struct conf_item *in, size_t count)
{
    struct conf_item *out = arena_array(c->arena, struct conf_item, count_keys(in, count));
    struct keys keys = {.items = out};
    add_own_keys(c, &keys, out, in, count);
    bool ok = add_merged_keys(c, &keys, out, in, count);
    map_fini(&keys.map);
    node->items = out;
    node->count = (uint32_t)keys.count;
    return ok;
}

static void close_list(struct composer *c, struct conf_node *node, const struct conf_item *in, size_t count)
{
    node->items = arena_dup(c->arena, in, count * sizeof *in);
    node->count = (uint32_t)count;
}

static bool close_frame(struct composer *c, const yaml_event_t *event)
{
    CHECK(c->depth > 0);
    struct frame frame = c->frames[--c->depth];
    struct conf_node *node = frame.node;
    const struct conf_item *in = c->items ? c->items + frame.first_item : NULL;
    size_t count = c->item_count - frame.first_item;
    if (c->file->lines) {
        node->end = byte_of(c, event->end_mark);
        node->width = width_of(c->file, node->offset, node->end);
    }
    if (node->kind == CONF_MAP)
        TRY(close_map(c, node, in, count));
    else
        close_list(c, node, in, count);
    c->item_count = frame.first_item;
    node->height = 1;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct conf_node *value = node->items[i].value;
        node->expanded += value->expanded + (node->kind == CONF_MAP);
        if (value->height + 1 > node->height)
            node->height = value->height + 1;
    }
    if (node->expanded > c->limits->nodes) { /* merged keys count too */
        fail_at(c, node->offset, 1, "the mapping stands for more than %u values", c->limits->nodes);
        return false;
    }
    TRY(add_anchor(c, frame.anchor, node));
    return place_in_parent(c, node);
}

/* ---- the loop ------------------------------------------------------------------------------------------------ */

static bool on_event(struct composer *c, const yaml_event_t *event, uint32_t *documents)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++*documents > 1) {
            fail_at(c, byte_of(c, event->start_mark), 3,
                    "a second document begins here; a project is one document");
            return false;
        }
        return true;
    case YAML_SCALAR_EVENT: return on_scalar(c, event);
    case YAML_ALIAS_EVENT: return on_alias(c, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_frame(c, event, CONF_LIST, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_frame(c, event, CONF_MAP, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return close_frame(c, event);
    default: return true;
    }
}

static void compose(struct composer *c)
{
    uint32_t documents = 0;
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&c->parser, &event)) {
            explain(c);
            return;
        }
        more = event.type != YAML_STREAM_END_EVENT && on_event(c, &event, &documents);
        yaml_event_delete(&event);
    }
}

static struct conf_node *null_node(const struct composer *c)
{
    struct conf_node *node = arena_new(c->arena, struct conf_node);
    node->is_null = true;
    node->text = str_n("", 0);
    node->expanded = 1;
    node->file = c->file;
    node->offset = node->end = c->base;
    node->line = node->column = c->file->lines ? 1 : 0;
    return node;
}

struct conf_node *conf_parse_text(struct arena *arena, const char *name, struct str text, bool has_places,
                                  const struct conf_env *env, const struct conf_limits *limits,
                                  struct conf_diags *diags)
{
    struct composer c = {
        .arena = arena, .diags = diags, .env = env, .limits = limits ? limits : &default_limits};
    CHECK(c.limits->depth <= CONF_DEPTH_MAX && c.limits->bytes < UINT32_MAX);
    if (!admit(&c, name, text, has_places))
        return NULL;
    if (!yaml_parser_initialize(&c.parser))
        mem_exhausted(sizeof c.parser);
    yaml_parser_set_encoding(&c.parser, YAML_UTF8_ENCODING);
    bool covered = env && conf_cover_braces(c.text, &c.covered);
    struct str input = covered ? sbuf_view(&c.covered) : c.text;
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)input.p, input.n);
    index_characters(&c);
    c.counted = c.base;
    c.column = 1;
    compose(&c);
    yaml_parser_delete(&c.parser);
    mem_free(c.indices);
    mem_free(c.items);
    mem_free(c.anchors);
    sbuf_fini(&c.covered);
    if (c.failed)
        return NULL;
    return c.root ? c.root : null_node(&c);
}

static const char *no_variable(void *arg, const char *name)
{
    return NULL;
}

struct conf_node *conf_parse(struct arena *arena, const char *name, struct str text,
                             const struct conf_env *env, const struct conf_limits *limits,
                             struct conf_diags *diags)
{
    static const struct conf_env none = {.get = no_variable};
    return conf_parse_text(arena, name, text, true, env && env->get ? env : &none, limits, diags);
}

/* ---- looking at a tree --------------------------------------------------------------------------------------- */

struct conf_item *conf_find(const struct conf_node *node, struct str key)
{
    if (node == NULL || node->kind != CONF_MAP)
        return NULL;
    for (uint32_t i = 0; i < node->count; i++)
        if (str_eq(node->items[i].key->text, key))
            return &node->items[i];
    return NULL;
}

struct conf_node *conf_get(const struct conf_node *node, const char *key)
{
    struct conf_item *item = conf_find(node, str_of(key));
    return item && !item->value->is_null ? item->value : NULL;
}

struct err_place conf_place(const struct conf_node *node)
{
    struct err err = {0};
    if (node && node->file)
        err_at(&err, node->file->name, node->line, node->column, node->width);
    return err.place;
}

struct conf_diag *conf_say(struct conf_diags *diags, enum conf_severity severity,
                           const struct conf_node *node, const char *format, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return conf_diag(diags, severity, node ? node->file : NULL, conf_place(node), "%s", text);
}

/* Depth-limited by the tree's own promise, which this checks first. */
static void check_at(const struct conf_node *node, uint32_t depth)
{
    CHECK(node != NULL && depth <= CONF_DEPTH_MAX && depth + node->height <= CONF_DEPTH_MAX);
    CHECK(node->file != NULL && node->expanded >= 1 && node->expanded <= CONF_NODES_MAX);
    CHECK(node->offset <= node->end && node->end <= node->file->text.n);
    if (node->kind == CONF_SCALAR) {
        CHECK(node->count == 0 && node->height == 0 && node->text.p != NULL &&
              node->text.p[node->text.n] == '\0');
        CHECK(utf8_valid(node->text.p, node->text.n));
        return;
    }
    CHECK(!node->is_null && node->height >= 1);
    for (uint32_t i = 0; i < node->count; i++) {
        CHECK((node->items[i].key != NULL) == (node->kind == CONF_MAP));
        if (node->items[i].key)
            CHECK(conf_find(node, node->items[i].key->text) == &node->items[i] || node->count > FEW_KEYS);
        check_at(node->items[i].value, depth + 1);
    }
}

void conf_node_check(const struct conf_node *node)
{
    check_at(node, 0);
}

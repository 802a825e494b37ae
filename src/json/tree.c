/* A document as a tree, over the same structural index as records (scan.c).
 *
 * One loop over the index with a stack of the open nodes; children are linked in order, so a node is
 * written once and never moves. Strictness is that of format/json_decode.c: every entry must be what the grammar allows
 * there. */
#include "json/tree.h"

#include "base/utf8.h"
#include "type/cast.h"
#include "json/number.h"
#include "json/scan.h"
#include "json/text.h"

struct parse {
    struct str text;
    int line; /* of its first byte */
    const uint32_t *at, *stop;
    uint32_t flags;
    bool non_numeric;
    uint32_t depth, depth_max;
    struct arena *arena;
    struct json_node *open[JSON_TREE_DEPTH_MAX + 1]; /* [0] is a made-up array around the root */
    struct json_node *last[JSON_TREE_DEPTH_MAX + 1]; /* its youngest child */
    struct err *err;
};

void json_place(struct str text, size_t at, int *line, int *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < text.n; i++) {
        if (text.p[i] == '\n') {
            (*line)++;
            *column = 1;
        } else if ((text.p[i] & 0xC0) != 0x80) {
            (*column)++;
        }
    }
}

static bool fail(struct parse *p, size_t at, const char *what)
{
    int line, column;
    json_place(p->text, at, &line, &column);
    line += p->line - 1;
    err_set(p->err, ERR_DATA, "this is not JSON: %s (line %d, column %d)", what, line, column);
    return err_at(p->err, "", line, column, 1);
}

static bool fail_here(struct parse *p, const char *what)
{
    if (p->at >= p->stop)
        return fail(p, p->text.n, "the text ends too early");
    return fail(p, *p->at, what);
}

/* The character at the next entry, or 0 at the end. */
static char next(const struct parse *p)
{
    return p->at < p->stop ? p->text.p[*p->at] : '\0';
}

/* The string at the next entry, which is a quote. */
static bool take_string(struct parse *p, struct str *text)
{
    *text = str_n(p->text.p + p->at[0] + 1, p->at[1] - p->at[0] - 1);
    if ((p->flags & JSON_SCAN_BACKSLASH) && text->n > 0 && memchr(text->p, '\\', text->n) != NULL) {
        char *out = arena_alloc(p->arena, text->n);
        size_t n = json_unescape(text->p, text->n, out);
        if (n == SIZE_MAX)
            return fail_here(p, "a string has a bad escape");
        *text = str_n(out, n);
    }
    p->at += 2;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool take_word(struct parse *p, struct json_node *node)
{
    const char *from = p->text.p + *p->at;
    struct str word = str_n(from, (p->at + 1 < p->stop ? p->at[1] : p->text.n) - *p->at);
    while (word.n > 0 && is_blank(word.p[word.n - 1]))
        word.n--;
    struct json_number number = json_number_read(word.p, word.p + word.n);
    double value;
    node->text = word;
    if (word.n > 0 && number.end == word.p + word.n)
        node->kind = JSON_NUMBER;
    else if (str_is(word, "null"))
        node->kind = JSON_NULL;
    else if (str_is(word, "true") || str_is(word, "false")) {
        node->kind = JSON_BOOLEAN;
        node->boolean = word.n == 4;
    } else if (p->non_numeric && json_non_numeric(word, &value))
        node->kind = JSON_NUMBER;
    else
        return fail_here(p, "a value is expected");
    p->at++;
    return true;
}

/* The name and colon of a member. */
static bool take_name(struct parse *p, struct str *name)
{
    if (next(p) != '"')
        return fail_here(p, "a name in quotes is expected");
    TRY(take_string(p, name));
    if (next(p) != ':')
        return fail_here(p, "a colon is expected after the name");
    p->at++;
    return true;
}

static bool push(struct parse *p, struct json_node *node)
{
    if (p->depth == p->depth_max)
        return fail_here(p, "values are nested too deeply");
    p->open[++p->depth] = node;
    p->last[p->depth] = NULL;
    p->at++;
    return true;
}

/* The value at the next entry, as the youngest child of the innermost open node; brackets are opened. */
static bool take_value(struct parse *p)
{
    struct json_node *parent = p->open[p->depth];
    struct json_node *node = arena_new(p->arena, struct json_node);
    if (parent->kind == JSON_OBJECT)
        TRY(take_name(p, &node->name));
    char c = next(p);
    if (c == '\0')
        return fail_here(p, "a value is expected");
    node->at = *p->at;
    if (p->last[p->depth] != NULL)
        p->last[p->depth]->next = node;
    else
        parent->first = node;
    p->last[p->depth] = node;
    parent->count++;
    if (c == '"') {
        node->kind = JSON_STRING;
        return take_string(p, &node->text);
    }
    if (c != '{' && c != '[')
        return take_word(p, node);
    node->kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
    return push(p, node);
}

/* Closing brackets, as many as stand here; false with err NULL-safe on a wrong one. *more: a value
 * follows. */
static bool close_nodes(struct parse *p, bool opened, bool *more)
{
    *more = false;
    while (p->depth > 0) {
        struct json_node *node = p->open[p->depth];
        bool is_object = node->kind == JSON_OBJECT;
        char c = next(p);
        if (c == (is_object ? '}' : ']')) {
            node->text = str_n(p->text.p + node->at, *p->at - node->at + 1);
            p->at++;
            p->depth--;
            opened = false;
            continue;
        }
        *more = true;
        if (opened)
            return true;
        if (c != ',')
            return fail_here(p, is_object ? "a comma or } is expected" : "a comma or ] is expected");
        p->at++;
        return true;
    }
    return true;
}

static bool parse_all(struct parse *p)
{
    if (p->flags & JSON_SCAN_OPEN)
        return fail(p, p->text.n, "a string is not closed");
    if (p->flags & JSON_SCAN_CONTROL)
        return fail(p, 0, "a string holds a control character");
    bool more = true;
    while (more) {
        uint32_t depth = p->depth;
        TRY(take_value(p));
        TRY(close_nodes(p, p->depth > depth, &more));
    }
    return p->at == p->stop || fail_here(p, "something follows the value");
}

/* p: what is to be parsed, and how. */
static bool parse_text(struct parse p, const struct json_node **root)
{
    struct str text = p.text;
    struct err *err = p.err;
    CHECK(p.depth_max <= JSON_TREE_DEPTH_MAX);
    struct json_node around = {.kind = JSON_ARRAY};
    p.open[0] = &around;
    if (text.n > JSON_TREE_SIZE_MAX)
        return err_set(err, ERR_DATA, "a JSON document of %zu bytes is too large", text.n);
    if (!utf8_valid(text.p, text.n))
        return err_set(err, ERR_DATA, "this is not JSON: the text is not UTF-8");
    uint32_t *index = mem_try_resize(NULL, mem_product(text.n + JSON_SCAN_SLACK, sizeof *index));
    if (index == NULL)
        return err_set(err, ERR_RETRY, "could not parse %zu bytes of JSON: out of memory", text.n);
    struct json_scan scan = json_cpu_code(JSON_CPU_BEST)->scan(text.p, text.n, index);
    p.flags = scan.flags;
    p.at = index;
    p.stop = index + scan.count;
    bool ok = parse_all(&p);
    mem_free(index);
    *root = ok ? around.first : NULL;
    return ok;
}

bool json_parse_as(struct arena *arena, struct str text, bool non_numeric, uint32_t depth_max,
                   const struct json_node **root, struct err *err)
{
    return parse_text((struct parse){.text = text,
                                     .line = 1,
                                     .non_numeric = non_numeric,
                                     .depth_max = depth_max,
                                     .arena = arena,
                                     .err = err},
                      root);
}

bool json_parse_line(struct arena *arena, struct str text, int line, const struct json_node **root,
                     struct err *err)
{
    return parse_text(
        (struct parse){
            .text = text, .line = line, .depth_max = JSON_TREE_DEPTH_MAX, .arena = arena, .err = err},
        root);
}

bool json_parse(struct arena *arena, struct str text, const struct json_node **root, struct err *err)
{
    return json_parse_line(arena, text, 1, root, err);
}

/* ---- looking things up --------------------------------------------------------------------------------- */

const struct json_node *json_member(const struct json_node *object, struct str name)
{
    const struct json_node *found = NULL;
    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    JSON_EACH(member, object)
    if (str_eq(member->name, name))
        found = member;
    return found;
}

static const struct json_node *element(const struct json_node *array, struct str part)
{
    uint64_t index;
    if (!str_to_u64(part, &index) || index >= array->count)
        return NULL;
    const struct json_node *node = array->first;
    while (index-- > 0)
        node = node->next;
    return node;
}

const struct json_node *json_get(const struct json_node *node, const char *path)
{
    struct str rest = str_of(path);
    while (node != NULL && rest.n > 0) {
        size_t dot = str_find(rest, STR("."), 0);
        struct str part = str_n(rest.p, dot == SIZE_MAX ? rest.n : dot);
        rest = dot == SIZE_MAX ? str_n(NULL, 0) : str_n(rest.p + dot + 1, rest.n - dot - 1);
        node = node->kind == JSON_ARRAY ? element(node, part) : json_member(node, part);
    }
    return node;
}

static const struct json_node *get_kind(const struct json_node *node, const char *path, enum json_kind kind)
{
    node = json_get(node, path);
    return node != NULL && node->kind == kind ? node : NULL;
}

bool json_str(const struct json_node *node, const char *path, struct str *value)
{
    node = get_kind(node, path, JSON_STRING);
    if (node != NULL)
        *value = node->text;
    return node != NULL;
}

bool json_i64(const struct json_node *node, const char *path, int64_t *value)
{
    node = get_kind(node, path, JSON_NUMBER);
    return node != NULL && str_to_i64(node->text, value);
}

bool json_u64(const struct json_node *node, const char *path, uint64_t *value)
{
    node = get_kind(node, path, JSON_NUMBER);
    return node != NULL && str_to_u64(node->text, value);
}

bool json_f64(const struct json_node *node, const char *path, double *value)
{
    node = get_kind(node, path, JSON_NUMBER);
    return node != NULL && number_to_f64(node->text, value);
}

bool json_bool(const struct json_node *node, const char *path, bool *value)
{
    node = get_kind(node, path, JSON_BOOLEAN);
    if (node != NULL)
        *value = node->boolean;
    return node != NULL;
}

bool json_text(const struct json_node *node, const char *path, struct str *value)
{
    node = json_get(node, path);
    if (node == NULL || node->kind == JSON_NULL || node->kind == JSON_ARRAY || node->kind == JSON_OBJECT)
        return false;
    *value = node->text;
    return true;
}

/* Depth is bounded by JSON_TREE_DEPTH_MAX. */
void json_write(const struct json_node *node, struct sbuf *out)
{
    if (node == NULL) {
        sbuf_cstr(out, "null");
        return;
    }
    if (node->kind == JSON_STRING) {
        sbuf_json(out, node->text);
        return;
    }
    if (node->kind != JSON_ARRAY && node->kind != JSON_OBJECT) {
        sbuf_str(out, node->text);
        return;
    }
    bool is_object = node->kind == JSON_OBJECT;
    sbuf_char(out, is_object ? '{' : '[');
    JSON_EACH(child, node)
    {
        if (child != node->first)
            sbuf_char(out, ',');
        if (is_object) {
            sbuf_json(out, child->name);
            sbuf_char(out, ':');
        }
        json_write(child, out);
    }
    sbuf_char(out, is_object ? '}' : ']');
}

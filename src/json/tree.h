/* A small JSON document as a tree of nodes, for control use: answers of REST APIs, a Delta log's actions,
 * requests.
 *
 * Strict RFC 8259. Records go through format/json.h instead. Nodes and unescaped texts live in the arena; texts
 * without escapes are borrowed from the document. */
#ifndef JSON_TREE_H
#define JSON_TREE_H

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    JSON_TREE_DEPTH_MAX = 256,
    JSON_TREE_SIZE_MAX = 1 << 30, /* bytes of a document */
};

enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_node {
    enum json_kind kind;
    bool boolean;    /* BOOLEAN */
    uint32_t count;  /* ARRAY, OBJECT: children */
    struct str name; /* of a member of an object, unescaped */
    struct str text; /* STRING: unescaped. NUMBER: as written. ARRAY, OBJECT: the raw text of it all */
    size_t at;       /* byte in the document, for json_place */
    const struct json_node *first; /* child; NULL = none */
    const struct json_node *next;  /* sibling */
};

#define JSON_EACH(child, parent)                                                                             \
    for (const struct json_node *child = (parent) ? (parent)->first : NULL; child != NULL;                   \
         child = child->next)

/* Parses one document (white space around it is fine). text is borrowed for as long as the tree lives.
 * ERR_DATA, with line and column: anything but one JSON value, or nesting past JSON_TREE_DEPTH_MAX. */
bool json_parse(struct arena *arena, struct str text, const struct json_node **root, struct err *err);
/* The same of a line of a text, with its number there. */
bool json_parse_line(struct arena *arena, struct str text, int line, const struct json_node **root,
                     struct err *err);
/* The same with less depth, and, where inference wants it, with NaN, Infinity and so on as NUMBER nodes. */
bool json_parse_as(struct arena *arena, struct str text, bool non_numeric, uint32_t depth_max,
                   const struct json_node **root, struct err *err);
/* Line and column, from 1, of byte `at`. */
void json_place(struct str text, size_t at, int *line, int *column);

/* All of these take NULL as a node and then find nothing. */

/* The member of that name (of several the last), or NULL. */
const struct json_node *json_member(const struct json_node *object, struct str name);
/* "links.next", "items.0.id": names and array indexes parted by dots; or NULL. */
const struct json_node *json_get(const struct json_node *node, const char *path);
/* The values under such a path; false, and *value untouched, where there is none of that kind. Integers
 * must be written as integers and fit. */
bool json_str(const struct json_node *node, const char *path, struct str *value);
bool json_i64(const struct json_node *node, const char *path, int64_t *value);
bool json_u64(const struct json_node *node, const char *path, uint64_t *value);
bool json_f64(const struct json_node *node, const char *path, double *value);
bool json_bool(const struct json_node *node, const char *path, bool *value);
/* A scalar as text, as a query parameter or a table would want it: a string's text, a number as written,
 * true, false; null and nested: false. */
bool json_text(const struct json_node *node, const char *path, struct str *value);
/* The node as compact JSON (objects in their order), appended. */
void json_write(const struct json_node *node, struct sbuf *out);

#endif

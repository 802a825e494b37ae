/* YAML text → a tree with places. YAML 1.2's core schema, with the merge key of YAML 1.1; nothing here decides what a
 * plain scalar means: `no`, `on`, `1_0`, `7d` are texts until the type of an option reads them.
 *
 * Pure: bytes in, tree out; nodes live in an arena. One document; duplicate keys, tags of one's own, keys that are not
 * scalars are errors. Aliases share the node that their anchor names, so the tree is a graph without cycles; its size
 * *expanded* is limited, so that walking it is bounded. ${NAME} and ${NAME:-default} are replaced in values (not in
 * keys); $${ is a literal ${. */
#ifndef CONF_NODE_H
#define CONF_NODE_H

#include "conf/diag.h"

enum {
    CONF_DEPTH_MAX = 64,             /* lists and mappings within each other, aliases expanded */
    CONF_NODES_MAX = 100 * 1000,     /* aliases expanded */
    CONF_BYTES_MAX = 1024 * 1024,    /* of the file */
    CONF_TEXT_MAX = 4 * 1024 * 1024, /* of all scalars after ${…} */
};

enum conf_kind { CONF_SCALAR, CONF_LIST, CONF_MAP };
enum conf_style { CONF_PLAIN, CONF_SINGLE, CONF_DOUBLE, CONF_LITERAL, CONF_FOLDED };

/* A variable that was replaced: node->text[to, to + to_size) stands for the text's [from, from + from_size) before. */
struct conf_variable {
    uint32_t from, from_size, to, to_size;
};

struct conf_item {
    struct conf_node *key; /* scalar; NULL in a list */
    struct conf_node *value;
};

struct conf_node {
    enum conf_kind kind;
    enum conf_style style;   /* of scalars */
    bool is_null;            /* plain and empty, ~ or null: as if the key were not there */
    struct str text;         /* of scalars; p is NUL-terminated (and may hold further NULs), UTF-8 */
    struct conf_item *items; /* items[count] of lists and mappings, in the order of the file */
    uint32_t count;
    const struct conf_file *file;
    int line, column,
        width; /* where it is written; width in characters, of its first line; column counts from 1 */
    uint32_t offset, end;      /* bytes of file->text: where it begins and ends, quotes included */
    uint32_t expanded, height; /* nodes below it and itself, aliases expanded; levels below it */
    const struct conf_variable *variables; /* variables[variable_count], in order */
    uint32_t variable_count;
    struct str original; /* where variables were replaced: the text before */
    bool is_broken;      /* a variable could not be replaced, which was said: readers leave it alone */
};

/* Looks a variable up: its value, or NULL when it is not set. Called while parsing only. */
struct conf_env {
    const char *(*get)(void *arg, const char *name);
    void *arg;
};

struct conf_limits {
    size_t bytes;
    uint32_t depth, nodes;
};

/* Parses a whole file. text is borrowed during the call (what is kept is copied). env NULL: no variable is set.
 * limits NULL: the defaults above. Returns the root (of an empty file: a null scalar), or NULL after an error that left
 * no tree; errors that do (a duplicate key, an unset variable) are in diags->errors only. */
struct conf_node *conf_parse(struct arena *arena, const char *name, struct str text,
                             const struct conf_env *env, const struct conf_limits *limits,
                             struct conf_diags *diags);

/* The value of a key, or NULL (also for null values, and when node is NULL or no mapping). */
struct conf_node *conf_get(const struct conf_node *node, const char *key);
/* The item of a key, or NULL. */
struct conf_item *conf_find(const struct conf_node *node, struct str key);

struct err_place conf_place(const struct conf_node *node);
/* The place of `width` characters at a byte offset of node->text, in the file: behind quotes, escapes, indentation and
 * folding. In a variable's value: the place of ${…}. */
struct err_place conf_place_in(const struct conf_node *node, size_t offset, int width);
/* Turns err's line and column, which count within node->text, into the file's, and names the file. */
void conf_err_in(const struct conf_node *node, struct err *err);
/* Adds an error, a warning or a note at the node (NULL: nowhere). */
struct conf_diag *conf_say(struct conf_diags *diags, enum conf_severity severity,
                           const struct conf_node *node, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same at `width` characters from a byte offset of the node's text on. */
struct conf_diag *conf_say_in(struct conf_diags *diags, enum conf_severity severity,
                              const struct conf_node *node, size_t offset, int width, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* --set path.to.key=value, as one text `path.to.key=value`: puts the value into the tree, making mappings on the way.
 * A part of the path may be quoted ("a.b"), and is an index in a list; longer keys of the file that hold dots win. A value that
 * begins with [ { " or ' is YAML, another is a plain scalar. The place of what it makes is "--set path.to.key".
 * Variables (${…}) are not replaced. *root may be null and changes. */
bool conf_override(struct arena *arena, struct conf_node **root, struct str assignment,
                   struct conf_diags *diags);
/* The same with a path in parts and a name for places ("SLUICE_SETTINGS_DATA"). */
bool conf_override_path(struct arena *arena, struct conf_node **root, const char *place_name,
                        const struct str *path, uint32_t path_count, struct str value,
                        struct conf_diags *diags);

/* Tests, fuzzers: aborts unless the tree is as promised above. */
void conf_node_check(const struct conf_node *node);

#endif

/* Option tables: one table says a struct's options, and from it come parsing, defaults, ranges, units, did-you-mean, the reference
 * page, the JSON Schema and --help. A table is an array that ends with a zeroed entry:
 *
 *     static const struct option http_options[] = {
 *         {"url", OPTION_URL, OPTION_AT(struct http_options, url), .flags = OPTION_REQUIRED, .help = "…"},
 *         {"every", OPTION_DURATION, OPTION_AT(struct http_options, every_ms), .default_text = "1s", .min = 10, .help = "…"},
 *         {"auth", OPTION_STRUCT, OPTION_AT(struct http_options, auth), .flags = OPTION_OPTIONAL, .table = auth_options,
 *          .size = sizeof(struct http_auth), .help = "…"},
 *         {0},
 *     };
 *
 * What is stored at the offset, by type:
 *
 *     BOOL      bool                     true | false
 *     I64       int64_t
 *     U64       uint64_t
 *     F64       double
 *     SIZE      uint64_t, bytes          32MiB 1GB 64k 1000        (k M G T = KiB …; kB MB GB TB = 1000s)
 *     DURATION  int64_t, milliseconds    500ms 10s 1h30m "1h 30m" 7d 2w
 *     RATE      double, per second       100/s 5/m 1000/h
 *     TEXT      const char *             any scalar; NULL = not given and no default
 *     PATH      const char *             as written; relative to the project folder
 *     NAME      const char *             [a-z][a-z0-9_]*
 *     TOPIC     const char *             [A-Za-z0-9._-]{1,249}
 *     ENUM      int                      one of choices
 *     URL       const char *             scheme:…
 *     ADDRESS   struct conf_address      host:port, :port, [::1]:port, off
 *     SQL       struct conf_sql          a text with white space in it is the text itself, another names a file
 *     NODE      const struct conf_node * as it is, or NULL; read later by whoever knows
 *     STRUCT    the struct itself, read by .table; with OPTION_OPTIONAL a pointer to it, NULL = not given
 *     ONE_OF    the same, and a scalar stands for a mapping with .short_key alone
 *     LIST      struct conf_list         elements as .of says; a single element may stand for a list of one
 *     MAP       struct conf_map          values as .of says
 *
 * Numbers with .choices take those words too (retention: forever). A null value (`key:` and nothing) is as if the key were not there. */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include "conf/node.h"

enum option_type {
    OPTION_NONE,
    OPTION_BOOL,
    OPTION_I64,
    OPTION_U64,
    OPTION_F64,
    OPTION_SIZE,
    OPTION_DURATION,
    OPTION_RATE,
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_NAME,
    OPTION_TOPIC,
    OPTION_ENUM,
    OPTION_URL,
    OPTION_ADDRESS,
    OPTION_SQL,
    OPTION_NODE,
    OPTION_STRUCT,
    OPTION_ONE_OF,
    OPTION_LIST,
    OPTION_MAP,
    OPTION_TYPES,
};

enum option_flag {
    OPTION_REQUIRED = 1 << 0,
    OPTION_SECRET =
        1 << 1, /* its text, also of each element, is registered (err_secret_add) and never printed */
    OPTION_HIDDEN = 1 << 2,     /* works, but is in no documentation and no suggestion */
    OPTION_DEPRECATED = 1 << 3, /* works, with a warning; .instead names its successor */
    OPTION_OPTIONAL = 1 << 4,   /* STRUCT, ONE_OF: a pointer, NULL when not given */
    OPTION_NOT_EMPTY = 1 << 5,  /* texts, LIST, MAP: at least one character or element */
};

struct option_choice {
    const char *name;
    int64_t value; /* stored; in the type's unit */
    const char *help;
};

struct option {
    const char *name; /* NULL ends a table; of an element (.of): what one is called, "topic" */
    enum option_type type;
    size_t offset;            /* in the struct */
    unsigned flags;           /* enum option_flag */
    enum option_type keys;    /* MAP: OPTION_NAME, OPTION_TOPIC, or OPTION_TEXT (the default) */
    const char *default_text; /* as one would write it in YAML (a scalar); NULL: zero, NULL, empty */
    const char *
        help; /* what it is for: a sentence or more, in Markdown; begins with a capital, ends with a full stop */
    const char *unit; /* of I64, U64 and F64, for the documentation: "partitions" */
    double min,
        max; /* in the type's unit, of the value, both inclusive; both 0: none; max < min: min alone. Of texts: bytes.
                               * Of LIST and MAP: elements */
    const struct option_choice *choices; /* ENUM, words of numbers; ends with a zeroed one */
    const struct option *table;          /* STRUCT, ONE_OF */
    size_t size;                         /* sizeof the struct of table */
    const char *short_key;               /* ONE_OF */
    const struct option *
        of; /* LIST, MAP: one element; its offset and flags but SECRET, OPTIONAL and NOT_EMPTY are not used */
    const char *example; /* for the documentation, as YAML */
    const char
        *instead; /* DEPRECATED: the key to use, often with the same offset; sets nothing when not given */
    /* Optional: a further look at the value that was read (at `value`, shape as above); sets err's text and hint. */
    bool (*check)(const void *value, struct err *err);
};

#define OPTION_AT(type, field) offsetof(type, field)

struct conf_address {
    const char *host; /* "" = all interfaces (":9092"); without the brackets of IPv6 */
    uint16_t port;    /* 0 = any free one */
    bool off;         /* `off`: do not listen */
};

struct conf_sql {
    struct str text;              /* inline, or n = 0 */
    const char *path;             /* a file's path as written, or NULL */
    const struct conf_node *node; /* where it stands; NULL when not given */
};

struct conf_list {
    void *items;                    /* items[count], each of the element type's shape */
    const struct conf_node **nodes; /* nodes[count] */
    uint32_t count;
};

struct conf_map {
    void *items; /* items[count] */
    const char **keys;
    const struct conf_node **key_nodes, **nodes;
    uint32_t count;
};

/* Reads a mapping by a table into out (zeroed or not: every option is set). node NULL or null: all defaults, and required ones are missing.
 * what: what node is, for messages: `topic "users"`, or NULL. Texts point into the arena. Goes on after errors; false when there was one. */
bool conf_read(struct arena *arena, const struct conf_node *node, const struct option *table, void *out,
               const char *what, struct conf_diags *diags);
/* The same by several tables, each with its struct: keys of all of them are known. out[count], tables[count]. */
bool conf_read_all(struct arena *arena, const struct conf_node *node, const struct option *const *tables,
                   void *const *out, uint32_t count, const char *what, struct conf_diags *diags);
/* Bytes of a value of this option. */
size_t option_size(const struct option *option);
/* The option of a table by name, or NULL. */
const struct option *option_find(const struct option *table, struct str name);
/* Tests: aborts where a table is inconsistent, a default does not parse or is out of range, or help is missing. Also its nested ones. */
void option_check(const struct option *table, size_t size);

/* The readers of single values, for whoever has a text from elsewhere (flags, topic configs). ERR_CONFIG says what is allowed. */
bool conf_text_bool(struct str text, bool *value, struct err *err);
bool conf_text_size(struct str text, uint64_t *bytes, struct err *err);
bool conf_text_duration(struct str text, int64_t *ms, struct err *err);
bool conf_text_rate(struct str text, double *per_s, struct err *err);
bool conf_text_address(struct arena *arena, struct str text, struct conf_address *address, struct err *err);
bool conf_text_name(struct str text, struct err *err);
bool conf_text_topic(struct str text, struct err *err);
/* And back, exactly: "7d", "1h30m", "32MiB". out[CONF_UNIT_TEXT_MAX] */
enum { CONF_UNIT_TEXT_MAX = 48 };
const char *conf_duration_text(int64_t ms, char *out);
const char *conf_size_text(uint64_t bytes, char *out);

/* A URL in parts; missing ones are NULL, port 0. user, password, host, path and query values are percent-decoded. */
struct conf_url {
    const char *scheme, *user, *password, *host,
        *path; /* sqlite:serving.db: path; a path keeps its leading / */
    uint16_t port;
    const char *query; /* behind ?, raw */
};
bool conf_url_parse(struct arena *arena, const char *text, struct conf_url *url, struct err *err);
/* The value of a key of url->query, decoded, or NULL. */
const char *conf_url_query(struct arena *arena, const struct conf_url *url, const char *key);
/* The URL without its password, to show. */
const char *conf_url_show(struct arena *arena, const char *text);

/* Generators. path: of keys, before the names ("settings."), or "". */
void conf_reference(struct sbuf *out, const struct option *table, const char *title, const char *intro);
/* The object of one table, as a JSON Schema (draft 2020-12), without $schema. */
void conf_schema_of(struct sbuf *out, const struct option *table);
/* Lines for --help: two columns, wrapped at `columns`. */
void conf_help(struct sbuf *out, const struct option *table, const char *prefix, int columns);

#endif

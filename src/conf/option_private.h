/* What the readers and generators of option tables share. */
#ifndef CONF_OPTION_PRIVATE_H
#define CONF_OPTION_PRIVATE_H

#include "conf/option.h"

enum { CONF_URL_SECRETS_MAX = 8, CONF_TABLES_MAX = 4, CONF_DESCRIPTION_MAX = 256 };

/* Where a table is read: what its keys belong to, and what else is known around it, for suggestions. */
struct conf_scope {
    const struct conf_scope *up;        /* or NULL */
    const struct option *const *tables; /* tables[table_count] */
    uint32_t table_count;
    const char *what;            /* `topic "users"`, "\"log\" of settings"; NULL: the whole file */
    const struct conf_node *key; /* of the mapping, or NULL: the place of what is missing in it */
    const char *
        short_form; /* the mapping stands for a scalar, which was the value of this key: the name for messages */
    bool lenient; /* unknown keys are left alone: their table is not known */
    bool quiet;   /* say nothing of what is missing: the mapping itself is wrong, which was said */
};

struct conf_reader {
    struct arena *arena;
    struct conf_diags *diags;
};

/* Reads a mapping by all tables of the scope: out[table_count]. */
void conf_read_scope(struct conf_reader *reader, const struct conf_node *node, const struct conf_scope *scope,
                     void *const *out);

/* Reads one value into `out`. key: for messages, with its place, or NULL (a default). */
bool conf_read_value(struct conf_reader *reader, const struct option *option, const struct conf_node *key,
                     const struct conf_node *node, const struct conf_scope *scope, void *out);

/* Whether a scalar may stand for text: says what is wrong with lists, mappings and null. */
bool conf_is_scalar(struct conf_reader *reader, const char *name, const struct conf_node *node,
                    const char *expected);

/* What the option takes, for messages and documentation: "a whole number from 1 to 10000". out[CONF_DESCRIPTION_MAX] */
const char *conf_describe(const struct option *option, char *out);

/* The mapping {key: node} that a scalar stands for, at the scalar's place. */
const struct conf_node *conf_long_form(struct arena *arena, const struct conf_node *node, const char *key);

/* The range part of that, with a blank before it: " from 1 to 10000"; returns its length, 0 without a range. */
size_t conf_put_range(const struct option *option, char *out, size_t size);

/* Registers a node's text as a secret and hides it in the file. */
void conf_hide_secret(struct conf_reader *reader, const struct conf_node *node);

/* Slices of a URL; p NULL: the part is not there. False: no URL. */
struct conf_url_parts {
    struct str scheme, user, password, authority, path, query;
};
bool conf_url_split(struct str text, struct conf_url_parts *parts);
/* The secrets in a URL, in their order, as they are written: the password, values of password=… and the like. secrets[CONF_URL_SECRETS_MAX] */
uint32_t conf_url_secrets(struct str text, struct str *secrets);
const char *conf_url_decode(struct arena *arena, struct str text);

#endif

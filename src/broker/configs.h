/* The configuration of topics, groups and brokers, as Kafka's clients see it: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, and
 * the values that the server goes by.
 *
 * Pure. What is configured is config.def, a table: names, types, defaults and bounds. What somebody has set are lists of name and value,
 * which are kept with the topic (or the group, or the node), as text. A value comes from the first of these that has it:
 *
 *     a topic        its own list,  then the node's, by the names that it has there ("retention.ms" is "log.retention.hours"), the default
 *     a group        its own list,  then likewise
 *     metrics of clients (a subscription)  its own list,  the default
 *     a node         its own list,  the list of all nodes,  what it was started with,  the default
 *
 * Lists are sorted by name, hold only valid values, and are never changed: an alteration makes another, in an arena. */
#ifndef BROKER_CONFIGS_H
#define BROKER_CONFIGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/kafka.h"

enum {
    CONFIG_ENTRIES_MAX = 1000,     /* of a list */
    CONFIG_LIST_BYTES_MAX = 65536, /* of a list, encoded; past it POLICY_VIOLATION */
};

/* Kafka's numbers of resources. */
enum config_scope {
    CONFIG_TOPIC = 2,
    CONFIG_BROKER = 4,
    CONFIG_CLIENT_METRICS = 16,
    CONFIG_GROUP = 32,
};
/* Kafka's numbers of what is done to one. */
enum config_operation { CONFIG_SET, CONFIG_DELETE, CONFIG_APPEND, CONFIG_SUBTRACT };
/* Kafka's numbers of types. */
enum config_type {
    CONFIG_BOOLEAN = 1,
    CONFIG_STRING,
    CONFIG_INT,
    CONFIG_SHORT,
    CONFIG_LONG,
    CONFIG_DOUBLE,
    CONFIG_LIST, /* separated by commas */
    CONFIG_CLASS,
    CONFIG_PASSWORD, /* never told */
};
/* Kafka's numbers of where a value comes from. */
enum config_source {
    CONFIG_SOURCE_TOPIC = 1,
    CONFIG_SOURCE_BROKER = 2,         /* set for this node */
    CONFIG_SOURCE_DEFAULT_BROKER = 3, /* set for all nodes */
    CONFIG_SOURCE_STATIC = 4,         /* what the node was started with */
    CONFIG_SOURCE_DEFAULT = 5,
    CONFIG_SOURCE_CLIENT_METRICS = 7,
    CONFIG_SOURCE_GROUP = 8,
};
enum config_bounds {
    CONFIG_ANY,
    CONFIG_RANGE,    /* min to max */
    CONFIG_LEVEL,    /* min to max, or −1 */
    CONFIG_ONE_OF,   /* one of words; of a list: each of its items, and none twice */
    CONFIG_NO_CASE,  /* one of words, whatever the case */
    CONFIG_REPLICAS, /* "*", or partition:broker, … */
    CONFIG_MATCH,    /* word=pattern, … */
    CONFIG_RESET,    /* latest, earliest, by_duration:… */
    CONFIG_LIMITS,   /* address:number, … */
};

struct config_def {
    const char *name;
    const char *value;    /* the default, or NULL */
    const char *words;    /* "a|b" */
    const char *synonyms; /* names in the broker's configuration, separated by blanks; or NULL */
    const char *help;
    int64_t min, max;
    enum config_scope scope;
    uint8_t type;   /* enum config_type */
    uint8_t bounds; /* enum config_bounds */
    bool read_only; /* only by a restart */
};
/* All, sorted by scope and name; *count of them. */
const struct config_def *config_defs(size_t *count);
/* NULL: there is none of that name. */
const struct config_def *config_find(enum config_scope scope, struct str name);

struct config_entry {
    struct str name, value;
};
/* Zeroed: empty. Borrowed, like its texts. */
struct config_list {
    const struct config_entry *entries; /* entries[count], sorted by name */
    size_t count;
};
/* All that has a say about one resource. A pointer that is NULL: an empty list. */
struct config_layers {
    const struct config_list *own;            /* of the topic, group or subscription; of a broker NULL */
    const struct config_list *broker;         /* set for this node */
    const struct config_list *default_broker; /* set for all nodes */
    const struct config_list *fixed;          /* what this node was started with */
};

/* "topic" */
const char *config_scope_name(enum config_scope scope);

/* ---- values --------------------------------------------------------------------------------------------------- */

/* Is that a value for it? False: ERR_CONFIG. */
bool config_check(const struct config_def *def, struct str value, struct err *err);
/* Is that a list for a resource of the kind: known names, valid values, and such as go together? False: ERR_CONFIG. */
bool config_check_list(enum config_scope scope, const struct config_list *list, struct err *err);
/* What somebody set, and NULL-terminated nothing. */
bool config_list_get(const struct config_list *list, struct str name, struct str *value);

/* The value that counts, as text in arena or for ever; p NULL: null. The name is one of the table. */
struct str config_value(const struct config_layers *layers, enum config_scope scope, const char *name,
                        struct arena *arena);
/* The same of numbers and truths. Not of names whose value may be null. */
int64_t config_int(const struct config_layers *layers, enum config_scope scope, const char *name);
double config_double(const struct config_layers *layers, enum config_scope scope, const char *name);
bool config_bool(const struct config_layers *layers, enum config_scope scope, const char *name);
/* Is the word in the list that is the value? */
bool config_has(const struct config_layers *layers, enum config_scope scope, const char *name,
                const char *word);

/* ---- altering ------------------------------------------------------------------------------------------------- */

/* The list after the alterations of one resource, in arena, checked. layers: as now.
 * False: *error is Kafka's code, err its text (ERR_CONFIG). */
bool config_alter(enum config_scope scope, const struct config_layers *layers,
                  const struct kafka_incremental_alter_configs_request_resource *request, struct arena *arena,
                  struct config_list *list, int16_t *error, struct err *err);
/* The same for AlterConfigs, which replaces all that was set. */
bool config_replace(enum config_scope scope, const struct kafka_alter_configs_request_resource *request,
                    struct arena *arena, struct config_list *list, int16_t *error, struct err *err);
/* The list of a CreateTopics request's configs. */
bool config_create(const struct config_entry *entries, size_t count, struct arena *arena,
                   struct config_list *list, int16_t *error, struct err *err);

/* ---- describing ----------------------------------------------------------------------------------------------- */

struct config_wants {
    const struct str *keys; /* keys[keys_count]; NULL: all */
    size_t keys_count;
    bool synonyms, documentation;
    bool defaults_of_all_nodes; /* of the broker "": what is set for all nodes, no more */
};
/* Fills result->configs: what there is and is asked for. In arena, or borrowed from the layers. */
void config_describe(enum config_scope scope, const struct config_layers *layers,
                     const struct config_wants *wants, struct arena *arena,
                     struct kafka_describe_configs_response_resource *result);

/* ---- keeping -------------------------------------------------------------------------------------------------- */

/* Appends the list to out. */
void config_list_encode(const struct config_list *list, struct sbuf *out);
/* Borrows bytes. False: ERR_DATA. */
bool config_list_decode(struct str bytes, struct arena *arena, struct config_list *list, struct err *err);

#endif

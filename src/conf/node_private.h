/* What the files that make trees share. */
#ifndef CONF_NODE_PRIVATE_H
#define CONF_NODE_PRIVATE_H

#include "conf/node.h"

enum {
    CONF_ANCHORS_MAX = 1000,      /* of one file */
    CONF_VARIABLE_DEPTH_MAX = 4,  /* ${A:-${B:-…}} */
    CONF_VARIABLE_NAME_MAX = 256, /* bytes */
    CONF_SIZE_TEXT_MAX = 32,
};

/* As conf_parse; without places every node's line is 0 and its file has no text. env NULL: ${…} is no variable. */
struct conf_node *conf_parse_text(struct arena *arena, const char *name, struct str text, bool has_places,
                                  const struct conf_env *env, const struct conf_limits *limits,
                                  struct conf_diags *diags);

/* Replaces ${NAME} and ${NAME:-default} in a scalar, and says what is wrong with them. */
void conf_replace_variables(struct arena *arena, struct conf_node *node, const struct conf_env *env,
                            struct conf_diags *diags);

/* Masks what looks like a secret in the line at offset, of a text that could not be read. */
void conf_hide_likely_secrets(struct arena *arena, const struct conf_file *file, size_t offset);

/* Bytes of the file where a scalar's byte `offset` stands, before variables were replaced. */
uint32_t conf_raw_offset(const struct conf_node *node, size_t offset);

/* "10 MiB", "1,234 bytes". out[CONF_SIZE_TEXT_MAX] */
const char *conf_bytes_text(uint64_t bytes, char *out);

#endif

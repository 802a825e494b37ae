/* What the files that make trees share. */
#ifndef CONF_NODE_PRIVATE_H
#define CONF_NODE_PRIVATE_H

#include "conf/node.h"

enum {
    CONF_ANCHORS_MAX = 1000,       /* of one file */
    CONF_VARIABLE_DEPTH_MAX = 4,   /* ${A:-${B:-…}} */
    CONF_VARIABLE_NAME_MAX = 256,  /* bytes */
    CONF_VARIABLE_SIZE_MAX = 1024, /* bytes of one in brackets, default included */
    CONF_SIZE_TEXT_MAX = 32,
};

/* As conf_parse; without places every node's line is 0 and its file has no text. env NULL: ${…} is no variable. */
struct conf_node *conf_parse_text(struct arena *arena, const char *name, struct str text, bool has_places,
                                  const struct conf_env *env, const struct conf_limits *limits,
                                  struct conf_diags *diags);

/* Replaces ${NAME} and ${NAME:-default} in a scalar, and says what is wrong with them. */
void conf_replace_variables(struct arena *arena, struct conf_node *node, const struct conf_env *env,
                            struct conf_diags *diags);

/* A variable may stand in a list or mapping in brackets, [${A}, {b: ${B}}], where YAML does not take braces in a plain scalar. So libyaml
 * reads them as two other characters, as many as before, which no file may hold. False: there are none, out is empty. */
#define CONF_OPEN_BRACE "\xEF\xB7\x90"  /* U+FDD0, a noncharacter */
#define CONF_CLOSE_BRACE "\xEF\xB7\x91" /* U+FDD1 */
bool conf_cover_braces(struct str text, struct sbuf *out);
/* Turns them back, in place; returns the new length. */
size_t conf_uncover_braces(char *text, size_t n);

/* Masks what looks like a secret in the line at offset, of a text that could not be read. */
void conf_hide_likely_secrets(struct arena *arena, const struct conf_file *file, size_t offset);

/* Bytes of the file where a scalar's byte `offset` stands, before variables were replaced. */
uint32_t conf_raw_offset(const struct conf_node *node, size_t offset);

/* "10 MiB", "1,234 bytes". out[CONF_SIZE_TEXT_MAX] */
const char *conf_bytes_text(uint64_t bytes, char *out);

#endif

/* json_parse with the one liberty that inference takes. */
#ifndef FORMAT_JSON_TREE_PRIVATE_H
#define FORMAT_JSON_TREE_PRIVATE_H

#include "format/json_tree.h"

/* non_numeric: NaN, Infinity and so on are NUMBER nodes. depth_max ≤ JSON_TREE_DEPTH_MAX. */
bool json_parse_as(struct arena *arena, struct str text, bool non_numeric, uint32_t depth_max,
                   const struct json_node **root, struct err *err);

#endif

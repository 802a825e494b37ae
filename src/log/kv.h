/* A sorted map from byte strings to byte strings, for what lives in memory and in a compacted log at the same time: the
 * catalogue, and the keys of frame_put. A skip list whose levels come from the keys' hash, so that it is the same every time. */
#ifndef LOG_KV_H
#define LOG_KV_H

#include "base/str.h"

enum { KV_LEVELS = 16 };

struct kv_node {
    struct str key, value; /* in the node's own block */
    unsigned levels;
    struct kv_node *next[]; /* [levels] */
};

/* Zeroed = empty and valid. Not shared without a lock. */
struct kv {
    struct kv_node *first[KV_LEVELS];
    size_t count;
    uint64_t bytes; /* of all keys and values */
};

void kv_fini(struct kv *kv);
/* Copies both. */
void kv_put(struct kv *kv, struct str key, struct str value);
bool kv_remove(struct kv *kv, struct str key);
const struct kv_node *kv_get(const struct kv *kv, struct str key);
/* First node with a key ≥ key, or > key; NULL = none. Go on with node->next[0]. */
const struct kv_node *kv_seek(const struct kv *kv, struct str key);
const struct kv_node *kv_after(const struct kv *kv, struct str key);

#endif

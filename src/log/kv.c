#include "log/kv.h"

#include "base/map.h"

static unsigned levels_of(struct str key)
{
    uint64_t h = hash_bytes(key.p, key.n);
    unsigned levels = 1;
    while (levels < KV_LEVELS && (h & 3) == 0) {
        levels++;
        h >>= 2;
    }
    return levels;
}

/* path[level]: the link that points to the first node with a key ≥ key. */
static struct kv_node *find(struct kv *kv, struct str key, struct kv_node **path[KV_LEVELS])
{
    struct kv_node **links = kv->first;
    for (unsigned level = KV_LEVELS; level-- > 0;) {
        while (links[level] != NULL && str_cmp(links[level]->key, key) < 0)
            links = links[level]->next;
        path[level] = &links[level];
    }
    return *path[0];
}

void kv_fini(struct kv *kv)
{
    for (struct kv_node *node = kv->first[0], *next; node != NULL; node = next) {
        next = node->next[0];
        mem_free(node);
    }
    *kv = (struct kv){0};
}

static void take_out(struct kv *kv, struct kv_node *node, struct kv_node **path[KV_LEVELS])
{
    for (unsigned level = 0; level < node->levels; level++)
        *path[level] = node->next[level];
    kv->count--;
    kv->bytes -= node->key.n + node->value.n;
    mem_free(node);
}

bool kv_remove(struct kv *kv, struct str key)
{
    struct kv_node **path[KV_LEVELS], *node = find(kv, key, path);
    if (node == NULL || !str_eq(node->key, key))
        return false;
    take_out(kv, node, path);
    return true;
}

void kv_put(struct kv *kv, struct str key, struct str value)
{
    struct kv_node **path[KV_LEVELS], *old = find(kv, key, path);
    unsigned levels = levels_of(key);
    struct kv_node *node = mem_new(sizeof *node + levels * sizeof node->next[0] + key.n + value.n);
    char *bytes = (char *)&node->next[levels];
    if (key.n > 0)
        memcpy(bytes, key.p, key.n);
    if (value.n > 0)
        memcpy(bytes + key.n, value.p, value.n);
    node->key = str_n(bytes, key.n);
    node->value = str_n(bytes + key.n, value.n);
    node->levels = levels;
    if (old != NULL && str_eq(old->key, key))
        take_out(kv, old, path); /* its links are the ones that the new node takes over */
    for (unsigned level = 0; level < levels; level++) {
        node->next[level] = *path[level];
        *path[level] = node;
    }
    kv->count++;
    kv->bytes += key.n + value.n;
}

const struct kv_node *kv_seek(const struct kv *kv, struct str key)
{
    struct kv_node **path[KV_LEVELS];
    return find((struct kv *)kv, key, path);
}

const struct kv_node *kv_get(const struct kv *kv, struct str key)
{
    const struct kv_node *node = kv_seek(kv, key);
    return node != NULL && str_eq(node->key, key) ? node : NULL;
}

const struct kv_node *kv_after(const struct kv *kv, struct str key)
{
    const struct kv_node *node = kv_seek(kv, key);
    return node != NULL && str_eq(node->key, key) ? node->next[0] : node;
}

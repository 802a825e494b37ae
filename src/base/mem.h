/* Three lifetimes, three allocators.
 *
 *   process   mem_new() at start, never on the path of a record
 *   instance  struct pool: a tree; freeing a pool frees its children, its blocks, and runs its closers, newest first
 *   batch     struct arena: bump allocation, reset as a whole by its owner
 *
 * Running out of memory: an allocation whose size the program chose ends the process through mem_exhausted() (exit
 * status 70): everything acknowledged is in the journal, and the next start recovers. An allocation whose size the
 * input chose goes through a named limit first, or through the _try forms, which return NULL. mem_fail_after() lets
 * a test make the n-th allocation fail. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

/* ---- process ------------------------------------------------------------------------------------------------- */

/* size bytes, zeroed, never NULL. Freed with mem_free. */
void *mem_new(size_t size) __attribute__((malloc, alloc_size(1), returns_nonnull, warn_unused_result));
/* size bytes, zeroed, or NULL. */
void *mem_try_new(size_t size) __attribute__((malloc, alloc_size(1), warn_unused_result));
/* Grows or shrinks a block of mem_new; the new part is not zeroed. p may be NULL. Never NULL for size > 0. */
void *mem_resize(void *p, size_t size) __attribute__((alloc_size(2), warn_unused_result));
void *mem_try_resize(void *p, size_t size) __attribute__((alloc_size(2), warn_unused_result));
/* p may be NULL. */
void mem_free(void *p);
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull, warn_unused_result));

#define mem_new_array(type, count) ((type *)mem_new(mem_product((count), sizeof(type))))

/* count × size, or SIZE_MAX where that overflows, which no allocation grants. */
size_t mem_product(size_t count, size_t size);

/* Doubles *capacity (first: 16) until it holds `wanted` elements of `size` bytes; items is mem_new's or NULL. */
void *mem_grow(void *items, size_t *capacity, size_t wanted, size_t size);

_Noreturn void mem_exhausted(size_t size);

/* Bytes that mem_new and arenas hold now, all roles (approximate while other roles run). */
size_t mem_in_use(void);

/* Tests: the n-th allocation from now (1 = the next) fails, once; 0 = none. Returns how many were made since the
 * last call. */
uint64_t mem_fail_after(uint64_t n);

/* ---- batch --------------------------------------------------------------------------------------------------- */

struct arena_block;

/* Zeroed = empty and valid. Not shared between roles. */
struct arena {
    struct arena_block *first; /* owned; kept over resets */
    struct arena_block *now;
    uint8_t *at, *end; /* free part of `now` */
    size_t bytes;      /* handed out since the last reset, padding included */
    size_t limit;      /* 0 = none; arena_try_alloc returns NULL past it */
};

/* size bytes, aligned to 16, not zeroed; valid until arena_reset or arena_fini. */
void *arena_alloc_slow(struct arena *arena, size_t size) __attribute__((alloc_size(2), returns_nonnull));
void *arena_try_alloc(struct arena *arena, size_t size) __attribute__((alloc_size(2)));

static inline __attribute__((returns_nonnull)) void *arena_alloc(struct arena *arena, size_t size)
{
    size_t padded = (size ? size + 15 : 16) & ~(size_t)15; /* 0 bytes have an address too */
    if (__builtin_expect(padded < size || padded > (size_t)(arena->end - arena->at), 0))
        return arena_alloc_slow(arena, size);
    void *p = arena->at;
    arena->at += padded;
    arena->bytes += padded;
    if (p == NULL)
        __builtin_unreachable(); /* an empty arena has no room for 16 bytes */
    return p;
}

/* Zeroed. */
void *arena_zalloc(struct arena *arena, size_t size) __attribute__((alloc_size(2), returns_nonnull));
void *arena_dup(struct arena *arena, const void *p, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *arena, const char *s) __attribute__((returns_nonnull));
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));

#define arena_new(arena, type) ((type *)arena_zalloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_alloc((arena), mem_product((count), sizeof(type))))
#define arena_zarray(arena, type, count) ((type *)arena_zalloc((arena), mem_product((count), sizeof(type))))

/* Everything handed out becomes invalid; blocks are kept for reuse, down to 4 MiB of them. */
void arena_reset(struct arena *arena);
/* Frees all; the arena is empty and valid again. */
void arena_fini(struct arena *arena);

/* ---- instance ------------------------------------------------------------------------------------------------ */

struct pool;

/* parent may be NULL (a root). name is borrowed for ever (a literal). */
struct pool *pool_new(struct pool *parent, const char *name) __attribute__((returns_nonnull));
/* Frees the pool: children first (newest first), then closers (newest first), then memory. NULL is fine. */
void pool_free(struct pool *pool);
/* Zeroed; valid until the pool is freed. */
void *pool_alloc(struct pool *pool, size_t size) __attribute__((alloc_size(2), returns_nonnull));
char *pool_strdup(struct pool *pool, const char *s) __attribute__((returns_nonnull));
char *pool_printf(struct pool *pool, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));
/* close(arg) runs when the pool is freed. */
void pool_on_free(struct pool *pool, void (*close)(void *arg), void *arg);
/* The pool's own arena, for things that live as long as the pool. */
struct arena *pool_arena(struct pool *pool) __attribute__((returns_nonnull));

#define pool_new_struct(pool, type) ((type *)pool_alloc((pool), sizeof(type)))

#endif

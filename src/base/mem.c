#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARENA_BLOCK_MIN = 16 * 1024,
    ARENA_BLOCK_MAX = 1024 * 1024, /* doubling stops here; a larger request gets a block of its own */
    ARENA_KEEP_MAX = 4 * 1024 * 1024,
};

/* ---- process ------------------------------------------------------------------------------------------------- */

/* Counters are shared by all roles and only approximate: relaxed builtins, no ordering is wanted. */
/* LAYERS: allow _Atomic for these counters; run/, which has the others, stands on this file. */
static size_t in_use;
static uint64_t calls, fail_at;

size_t mem_product(size_t count, size_t size)
{
    size_t n;
    return __builtin_mul_overflow(count, size, &n) ? SIZE_MAX : n;
}

_Noreturn void mem_exhausted(size_t size)
{
    fprintf(
        stderr,
        "sluice: out of memory: could not allocate %zu bytes; what was acknowledged is safe, start again\n",
        size);
    fflush(stderr);
    _Exit(70);
}

static bool fault_now(void)
{
    uint64_t n = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    uint64_t at = __atomic_load_n(&fail_at, __ATOMIC_RELAXED);
    return __builtin_expect(at != 0 && n == at, 0);
}

uint64_t mem_fail_after(uint64_t n)
{
    uint64_t made = __atomic_exchange_n(&calls, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&fail_at, n, __ATOMIC_RELAXED);
    return made;
}

size_t mem_in_use(void)
{
    return __atomic_load_n(&in_use, __ATOMIC_RELAXED);
}

static void count(void *p, int sign)
{
    if (p == NULL)
        return;
    size_t n = malloc_usable_size(p);
    if (sign > 0)
        __atomic_add_fetch(&in_use, n, __ATOMIC_RELAXED);
    else
        __atomic_sub_fetch(&in_use, n, __ATOMIC_RELAXED);
}

void *mem_try_new(size_t size)
{
    if (fault_now() || size > PTRDIFF_MAX)
        return NULL;
    void *p = calloc(1, size ? size : 1);
    count(p, 1);
    return p;
}

void *mem_new(size_t size)
{
    void *p = mem_try_new(size);
    if (p == NULL)
        mem_exhausted(size);
    return p;
}

void *mem_try_resize(void *p, size_t size)
{
    if (fault_now() || size > PTRDIFF_MAX)
        return NULL;
    size_t before = p ? malloc_usable_size(p) : 0;
    void *q = realloc(p, size ? size : 1);
    if (q != NULL) {
        __atomic_sub_fetch(&in_use, before, __ATOMIC_RELAXED);
        count(q, 1);
    }
    return q;
}

void *mem_resize(void *p, size_t size)
{
    void *q = mem_try_resize(p, size);
    if (q == NULL)
        mem_exhausted(size);
    return q;
}

void mem_free(void *p)
{
    count(p, -1);
    free(p);
}

char *mem_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(mem_new(n), s, n);
}

void *mem_grow(void *items, size_t *capacity, size_t wanted, size_t size)
{
    if (wanted <= *capacity)
        return items;
    size_t n = *capacity ? *capacity : 16;
    while (n < wanted) {
        CHECK(n < SIZE_MAX / 2);
        n *= 2;
    }
    *capacity = n;
    return mem_resize(items, mem_product(n, size));
}

/* ---- batch --------------------------------------------------------------------------------------------------- */

struct arena_block {
    struct arena_block *next;
    size_t size; /* of data */
    _Alignas(16) uint8_t data[];
};

static void arena_use(struct arena *arena, struct arena_block *block)
{
    arena->now = block;
    arena->at = block->data;
    arena->end = block->data + block->size;
}

void *arena_try_alloc(struct arena *arena, size_t size)
{
    size_t padded = (size ? size + 15 : 16) & ~(size_t)15; /* 0 bytes have an address too */
    if (padded < size || (arena->limit && arena->bytes + padded > arena->limit))
        return NULL;
    if (padded > (size_t)(arena->end - arena->at)) {
        struct arena_block *next = arena->now ? arena->now->next : NULL;
        if (next == NULL || next->size < padded) {
            size_t last = arena->now ? arena->now->size : ARENA_BLOCK_MIN / 2;
            size_t want = last * 2 > ARENA_BLOCK_MAX ? ARENA_BLOCK_MAX : last * 2;
            if (want < padded)
                want = padded;
            struct arena_block *block = mem_try_resize(NULL, sizeof *block + want);
            if (block == NULL)
                return NULL;
            block->size = want;
            block->next = next;
            if (arena->now)
                arena->now->next = block;
            else
                arena->first = block;
            next = block;
        }
        arena_use(arena, next);
    }
    void *p = arena->at;
    arena->at += padded;
    arena->bytes += padded;
    return p;
}

void *arena_alloc_slow(struct arena *arena, size_t size)
{
    size_t limit = arena->limit;
    arena->limit = 0;
    void *p = arena_try_alloc(arena, size);
    arena->limit = limit;
    if (p == NULL)
        mem_exhausted(size);
    return p;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void *arena_dup(struct arena *arena, const void *p, size_t size)
{
    void *q = arena_alloc(arena, size);
    if (size)
        memcpy(q, p, size);
    return q;
}

char *arena_strdup(struct arena *arena, const char *s)
{
    return arena_dup(arena, s, strlen(s) + 1);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    CHECK(n >= 0);
    char *s = arena_alloc(arena, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, format, again);
    va_end(args);
    va_end(again);
    return s;
}

void arena_reset(struct arena *arena)
{
    size_t kept = 0;
    struct arena_block **link = &arena->first;
    while (*link) {
        struct arena_block *block = *link;
        if (kept + block->size > ARENA_KEEP_MAX) {
            *link = block->next;
            mem_free(block);
        } else {
            kept += block->size;
            link = &block->next;
        }
    }
    arena->now = NULL;
    arena->at = arena->end = NULL;
    arena->bytes = 0;
    if (arena->first)
        arena_use(arena, arena->first);
}

void arena_fini(struct arena *arena)
{
    struct arena_block *block = arena->first;
    while (block) {
        struct arena_block *next = block->next;
        mem_free(block);
        block = next;
    }
    size_t limit = arena->limit;
    *arena = (struct arena){.limit = limit};
}

/* ---- instance ------------------------------------------------------------------------------------------------ */

struct pool_closer {
    struct pool_closer *next;
    void (*close)(void *arg);
    void *arg;
};

struct pool {
    const char *name;
    struct pool *parent, *child, *prev, *next; /* child: newest; siblings in a list, newest first */
    struct pool_closer *closers;               /* newest first */
    struct arena arena;
};

struct pool *pool_new(struct pool *parent, const char *name)
{
    struct pool *pool = mem_new(sizeof *pool);
    pool->name = name;
    pool->parent = parent;
    if (parent) {
        pool->next = parent->child;
        if (parent->child)
            parent->child->prev = pool;
        parent->child = pool;
    }
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->child)
        pool_free(pool->child); /* NOLINT(clang-analyzer-unix.Malloc): which takes itself out of the list */
    while (pool->closers) {
        struct pool_closer *closer = pool->closers;
        pool->closers = closer->next;
        closer->close(closer->arg);
    }
    if (pool->prev)
        pool->prev->next = pool->next;
    else if (pool->parent)
        pool->parent->child = pool->next;
    if (pool->next)
        pool->next->prev = pool->prev;
    arena_fini(&pool->arena);
    mem_free(pool);
}

void *pool_alloc(struct pool *pool, size_t size)
{
    return arena_zalloc(&pool->arena, size);
}

char *pool_strdup(struct pool *pool, const char *s)
{
    return arena_strdup(&pool->arena, s);
}

char *pool_printf(struct pool *pool, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    CHECK(n >= 0);
    char *s = arena_alloc(&pool->arena, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, format, again);
    va_end(args);
    va_end(again);
    return s;
}

void pool_on_free(struct pool *pool, void (*close)(void *arg), void *arg)
{
    struct pool_closer *closer = arena_new(&pool->arena, struct pool_closer);
    *closer = (struct pool_closer){.next = pool->closers, .close = close, .arg = arg};
    pool->closers = closer;
}

struct arena *pool_arena(struct pool *pool)
{
    return &pool->arena;
}

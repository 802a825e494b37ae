#include "job/group.h"

#include "format/compress.h"

enum { HOLE_BYTES = 24 };

static struct str key_of(const struct group *g, const char *what, struct arena *arena)
{
    return str_of(arena_printf(arena, "stream/%s/%s", g->stream, what));
}

/* ---- a new life ------------------------------------------------------------------------------------------------------ */

/* Holes that are still within their logs. */
static void get_holes(struct group *g)
{
    struct arena arena = {0};
    struct sbuf value = {0};
    store_get(g->store, key_of(g, "holes", &arena), &value);
    g->holes = mem_new_array(struct hole, value.n / HOLE_BYTES + GROUP_LOGS);
    for (size_t at = 0; at + HOLE_BYTES <= value.n; at += HOLE_BYTES) {
        const char *p = value.p + at;
        struct hole hole = {get_be64(p), (int64_t)get_be64(p + 8), (int64_t)get_be64(p + 16)};
        if (hole.log < GROUP_LOGS && hole.to > log_start(g->logs[hole.log]))
            g->holes[g->hole_count++] = hole;
    }
    sbuf_fini(&value);
    arena_fini(&arena);
}

static void put_holes(const struct group *g, struct frame *frame)
{
    struct arena arena = {0};
    struct sbuf value = {0};
    for (size_t i = 0; i < g->hole_count; i++) {
        char bytes[HOLE_BYTES];
        put_be64(bytes, g->holes[i].log);
        put_be64(bytes + 8, (uint64_t)g->holes[i].from);
        put_be64(bytes + 16, (uint64_t)g->holes[i].to);
        sbuf_add(&value, bytes, sizeof bytes);
    }
    frame_put(frame, key_of(g, "holes", &arena), sbuf_view(&value));
    sbuf_fini(&value);
    arena_fini(&arena);
}

static void put_mark(const struct group *g, struct frame *frame, bool open)
{
    struct arena arena = {0};
    char bytes[GROUP_LOGS * 8];
    for (int i = 0; i < GROUP_LOGS; i++)
        put_be64(bytes + 8 * i, (uint64_t)g->ends[i]);
    frame_put(frame, key_of(g, "group", &arena), str_n(bytes, open ? sizeof bytes : 0));
    arena_fini(&arena);
}

bool group_init(struct group *g, struct store *store, const char *stream, struct log *outbox,
                struct log *changelog, struct err *err)
{
    struct arena arena = {0};
    struct sbuf mark = {0};
    bool ok = true;
    *g = (struct group){.store = store, .stream = stream, .logs = {outbox, changelog}};
    get_holes(g);
    if (store_get(store, key_of(g, "group", &arena), &mark) && mark.n == GROUP_LOGS * 8) {
        struct frame *frame = frame_new(store);
        for (uint64_t i = 0; i < GROUP_LOGS; i++) {
            struct hole hole = {i, (int64_t)get_be64(mark.p + 8 * i), log_end(g->logs[i])};
            if (hole.from < hole.to)
                g->holes[g->hole_count++] = hole;
        }
        frame->internal = true;
        put_holes(g, frame);
        put_mark(g, frame, false);
        ok = frame_commit_now(frame, err);
        frame_free(frame);
    }
    sbuf_fini(&mark);
    arena_fini(&arena);
    return ok;
}

void group_fini(struct group *g)
{
    records_builder_fini(&g->builder);
    sbuf_fini(&g->bytes);
    mem_free(g->pieces);
    mem_free(g->holes);
    *g = (struct group){0};
}

/* ---- a turn ------------------------------------------------------------------------------------------------------------ */

void group_begin(struct group *g)
{
    CHECK(!g->open);
    records_begin(&g->builder);
    sbuf_clear(&g->bytes);
    g->count = g->sent = 0;
}

static bool end_batch(struct group *g, struct err *err)
{
    struct str batch;
    if (g->builder.count == 0)
        return true;
    TRY(records_end(&g->builder, CODEC_NONE, 0, NULL, &batch, err));
    g->pieces = mem_grow(g->pieces, &g->capacity, g->count + 1, sizeof *g->pieces);
    g->pieces[g->count++] = (struct piece){g->building, g->bytes.n, batch.n};
    sbuf_str(&g->bytes, batch);
    records_begin(&g->builder);
    return true;
}

bool group_add(struct group *g, enum group_log log, struct str key, struct str value, struct err *err)
{
    if (g->building != log || records_size(&g->builder) + value.n > GROUP_RECORD_BYTES)
        TRY(end_batch(g, err));
    g->building = log;
    records_add(&g->builder, os_wall().us / US_PER_MS, key, value, NULL, 0);
    return true;
}

size_t group_bytes(const struct group *g)
{
    return g->bytes.n + records_size(&g->builder);
}

bool group_next(struct group *g, struct frame *frame, bool *last, struct err *err)
{
    TRY(end_batch(g, err));
    size_t bytes = 0;
    for (; g->sent < g->count && bytes < GROUP_FRAME_BYTES; g->sent++) {
        const struct piece *piece = &g->pieces[g->sent];
        frame_append_copy(frame, g->logs[piece->log], g->bytes.p + piece->at, piece->n);
        bytes += piece->n;
    }
    *last = g->sent == g->count;
    if (!*last && !g->open) {
        for (int i = 0; i < GROUP_LOGS; i++)
            g->ends[i] = log_end(g->logs[i]);
        g->open = true;
        put_mark(g, frame, true);
    } else if (*last && g->open) {
        put_mark(g, frame, false);
    }
    return true;
}

void group_ended(struct group *g)
{
    g->open = false;
}

/* ---- readers --------------------------------------------------------------------------------------------------------------- */

int64_t group_valid(const struct group *g, enum group_log log, int64_t offset, int64_t *until)
{
    *until = g->open ? g->ends[log] : log_end(g->logs[log]);
    for (size_t i = 0; i < g->hole_count; i++) {
        const struct hole *hole = &g->holes[i];
        if (hole->log != (uint64_t)log || hole->to <= offset)
            continue;
        if (hole->from <= offset) {
            offset = hole->to;
        } else {
            *until = hole->from < *until ? hole->from : *until;
            break;
        }
    }
    return offset;
}

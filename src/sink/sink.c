/* The list of sinks, and the one way to call their slots. */
#include "sink/sink.h"

#include "os/os.h"

extern const struct sink_kind sink_sqlite, sink_delta, sink_console;

const struct sink_kind *const sink_kinds[] = {&sink_sqlite, &sink_delta, &sink_console, NULL};

const struct sink_kind *sink_kind_find(struct str url)
{
    size_t colon = str_find(url, STR(":"), 0);
    struct str scheme = str_n(url.p, colon == SIZE_MAX ? url.n : colon);
    for (const struct sink_kind *const *kind = sink_kinds; *kind; kind++)
        for (const char *const *name = (*kind)->schemes; *name; name++)
            if (str_is(scheme, *name))
                return *kind;
    return NULL;
}

static bool named(const struct sink *sink, struct err *err)
{
    return err_context(err, "sink \"%s\" of stream \"%s\"", sink->spec->name, sink->spec->stream);
}

bool sink_open(struct sink *sink, const struct type *schema, enum sink_found *found,
               struct position *positions, uint32_t *count, struct err *err)
{
    run_on_block();
    CHECK(sink->pool == NULL && schema->kind == TYPE_STRUCT);
    *found = SINK_NEW;
    *count = 0;
    sink->pool = pool_new(NULL, "sink");
    return sink->kind->open(sink, schema, found, positions, count, err) || named(sink, err);
}

bool sink_write(struct sink *sink, const struct batch *batch, struct err *err)
{
    run_on_block();
    CHECK(sink->pool != NULL);
    DCHECK(batch_check(batch, NULL));
    if (!sink->kind->write(sink, batch, err))
        return named(sink, err);
    sink->rows += batch->rows;
    return true;
}

bool sink_commit(struct sink *sink, const struct position *positions, uint32_t count, struct err *err)
{
    run_on_block();
    CHECK(sink->pool != NULL);
    if (!sink->kind->commit(sink, positions, count, err))
        return named(sink, err);
    sink->commits++;
    return true;
}

void sink_abort(struct sink *sink)
{
    if (sink->pool == NULL)
        return;
    if (sink->state)
        sink->kind->abort(sink);
    pool_free(sink->pool);
    sink->pool = NULL;
    sink->state = NULL;
}

bool sink_maintain(struct sink *sink, bool (*stop)(void *arg), void *arg, struct err *err)
{
    run_on_block();
    return sink->kind->maintain == NULL || sink->kind->maintain(sink, stop, arg, err) || named(sink, err);
}

bool sink_expire(struct sink *sink, struct err *err)
{
    const struct sink_spec *spec = sink->spec;
    run_on_block();
    if (sink->kind->expire == NULL || spec->age_column == NULL || spec->retention_ms <= 0)
        return true;
    int64_t before_us = os_wall().us - spec->retention_ms * US_PER_MS;
    return sink->kind->expire(sink, before_us, err) || named(sink, err);
}

size_t sink_pending_bytes(const struct sink *sink)
{
    return sink->kind->pending_bytes ? sink->kind->pending_bytes(sink) : 0;
}

bool sink_reset(struct sink *sink, bool replace, struct err *err)
{
    run_on_block();
    if (sink->kind->reset == NULL)
        return err_set(err, ERR_FATAL, "sink \"%s\" keeps no position that could be reset", sink->spec->name);
    return sink->kind->reset(sink, replace, err) || named(sink, err);
}

/* Topics: what is committed in them when the query begins. */
#include <stdio.h>

#include "cli/relation_private.h"
#include "format/json.h"
#include "topic/schemas.h"

enum { SLICE_BYTES = 1 << 20 };

/* ---- columns ---------------------------------------------------------------------------------------------------------- */

struct inferring {
    struct json_inference *inference;
    uint64_t tried;
};

static bool infer_value(void *arg, struct str value)
{
    struct inferring *i = arg;
    struct err ignored;
    i->tried++;
    (void)!json_inference_add(i->inference, value, &ignored);
    return json_inference_records(i->inference) < RELATION_INFER_RECORDS &&
           i->tried < 2 * RELATION_INFER_RECORDS;
}

/* Of records that carry a schema id: from the newest schema of the subject, else from the first record's. */
static bool find_columns(struct relations *r, const struct topic_def *def, const struct type **schema,
                         struct inferring *in, struct err *err)
{
    struct arena *arena = pool_arena(r->pool);
    const struct schema *newest;
    struct topic_decoder *decoder;
    struct err ignored;
    uint32_t id;
    if (topic_schema_register(arena, def, false, NULL, &newest, &id, &ignored) &&
        (*schema = topic_columns(arena, def->format, newest, &ignored)) != NULL)
        return true;
    bool ok = topic_decoder_new(r->pool, def, NULL, NULL, &decoder, err);
    for (int32_t p = 0; ok && *schema == NULL && p < def->partitions; p++) {
        struct log *log = log_get(r->env->store, def->name, p);
        for (int64_t at = log ? log_start(log) : 0; ok && log && *schema == NULL && at < log_stable(log);) {
            struct log_slice slice;
            ok = log_read_committed(log, at, SLICE_BYTES, &slice, err);
            if (!ok || slice.n == 0)
                break;
            ok = topic_columns_found(decoder, &slice, at, arena, schema, err);
            in->tried++;
            at = slice.next_offset;
            buf_unref(slice.buf);
        }
        if (log)
            log_release(log);
    }
    return ok;
}

/* From the first records; *records = 0: none that is JSON. */
static bool infer_topic(struct relations *r, const struct topic_def *def, const struct type **schema,
                        struct inferring *in, struct err *err)
{
    struct pool *pool = pool_new(r->pool, "inference");
    struct topic_decoder *decoder;
    in->inference = json_inference_new(pool, NULL);
    bool ok = topic_decoder_new(pool, def, NULL, NULL, &decoder, err);
    for (int32_t p = 0; ok && p < def->partitions; p++) {
        struct log *log = log_get(r->env->store, def->name, p);
        for (int64_t at = log ? log_start(log) : 0;
             ok && log && at < log_stable(log) && in->tried < RELATION_INFER_RECORDS;) {
            struct log_slice slice;
            ok = log_read_committed(log, at, SLICE_BYTES, &slice, err);
            if (!ok || slice.n == 0)
                break;
            ok = topic_values(decoder, &slice, at, infer_value, in, err);
            at = slice.next_offset;
            buf_unref(slice.buf);
        }
        if (log)
            log_release(log);
    }
    *schema = ok && json_inference_records(in->inference) > 0
                  ? json_inference_schema(in->inference, pool_arena(r->pool))
                  : NULL;
    pool_free(pool);
    return ok;
}

/* The schema that runs have written down, or that the project gives. */
static const struct type *known_schema(struct relations *r, const struct topic_def *def)
{
    struct arena *arena = pool_arena(r->pool);
    const struct type *schema = r->env->engine ? engine_topic_schema(r->env->engine, arena, def->name) : NULL;
    if (schema)
        return schema;
    return topic_schema_stored(r->env->store, arena, def);
}

bool topic_relation_open(struct relations *r, struct relation_source *s, struct err *err)
{
    struct arena *arena = pool_arena(r->pool);
    const struct type *schema = NULL;
    if (!s->def->raw) {
        struct inferring in = {0};
        schema = known_schema(r, s->def);
        if (schema == NULL)
            TRY(topic_has_schema(s->def) ? find_columns(r, s->def, &schema, &in, err)
                                         : infer_topic(r, s->def, &schema, &in, err));
        if (schema == NULL && in.tried > 0) { /* records, and none is JSON: as a raw topic */
            struct topic_def *raw = arena_new(arena, struct topic_def);
            *raw = *s->def;
            raw->raw = true;
            s->def = raw;
        } else if (schema == NULL) {
            err_set(err, ERR_FATAL, "topic \"%s\" holds no record yet, so that its columns are not known",
                    s->def->name);
            return err_hint(err, "Give them in the project, as schema of the topic, or wait for records.");
        }
    }
    s->schema = schema;
    topic_relation(arena, s->def, schema, &s->relation);
    return true;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

static void bad_record(void *arg, const struct topic_bad *bad)
{
    struct feed *f = arg;
    relations_bad(f->relations, "topic %s, partition %d, offset %lld: %.*s", f->source->def->name,
                  bad->partition, (long long)bad->offset, STR_ARG(bad->reason));
}

static bool feed_partition(struct feed *f, struct topic_decoder *decoder, struct log *log, int32_t partition,
                           struct batch *batch, struct err *err)
{
    const struct topic_report report = {.bad = bad_record, .arg = f};
    int64_t until = log_stable(log);
    for (int64_t at = log_start(log); at < until && !f->stopped;) {
        struct log_slice slice;
        TRY(log_read_committed(log, at, SLICE_BYTES, &slice, err));
        if (slice.n == 0)
            break;
        bool ok = topic_decode(decoder, &slice, partition, at, until, batch, &report, err);
        at = slice.next_offset;
        buf_unref(slice.buf);
        TRY(ok);
        feed_give(f, batch);
        batch_reset(batch);
    }
    return true;
}

bool topic_feed(struct feed *f, struct err *err)
{
    const struct topic_def *def = f->source->def;
    struct topic_decoder *decoder;
    struct batch *batch = batch_new();
    bool ok = topic_decoder_new(f->pool, def, f->source->schema, f->scan, &decoder, err);
    for (int32_t p = 0; ok && p < def->partitions && !f->stopped; p++) {
        struct log *log = log_get(f->relations->env->store, def->name, p);
        if (log == NULL)
            continue;
        struct log_pin pin = {0};
        log_pin_set(&pin, log, log_start(log), "query");
        ok = feed_partition(f, decoder, log, p, batch, err);
        log_pin_drop(&pin);
        log_release(log);
    }
    batch_free(batch);
    return ok;
}

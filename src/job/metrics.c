/* The engine's figures for /metrics. Everything read here is a counter that any role may read; the lists do not change after the start. */
#include <stdio.h>

#include "job/engine_struct.h"
#include "obs/event.h"
#include "obs/metric.h"

static void put_stream(struct metric_page *page, const struct stream *s)
{
    const char *name = s->def->name;
    METRIC_PUT(page, METRIC_STREAM_ROWS_IN, (double)counter_get(&s->counters.rows_in), "stream", name);
    METRIC_PUT(page, METRIC_STREAM_ROWS_OUT, (double)counter_get(&s->counters.rows_out), "stream", name);
    METRIC_PUT(page, METRIC_STREAM_BAD, (double)counter_get(&s->counters.bad), "stream", name);
    for (uint32_t i = 0; i < s->member_count; i++) {
        const struct member *m = s->members[i];
        METRIC_PUT(page, METRIC_SINK_ROWS, (double)counter_get(&m->counters.rows), "stream", name, "sink",
                   m->def->name);
        METRIC_PUT(page, METRIC_SINK_COMMITS, (double)counter_get(&m->counters.commits), "stream", name,
                   "sink", m->def->name);
        METRIC_PUT(page, METRIC_SINK_FAILURES, (double)counter_get(&m->counters.failures), "stream", name,
                   "sink", m->def->name);
        METRIC_PUT(page, METRIC_SINK_LAG, (double)member_lag(m), "stream", name, "sink", m->def->name);
        METRIC_PUT(page, METRIC_SINK_RUNNING, (double)counter_get(&m->counters.running), "stream", name,
                   "sink", m->def->name);
    }
}

static void put_store(struct metric_page *page, struct store *store)
{
    struct store_stats stats;
    store_stats(store, &stats);
    METRIC_PUT(page, METRIC_JOURNAL_FRAMES, (double)stats.frames);
    METRIC_PUT(page, METRIC_JOURNAL_WRITES, (double)stats.writes);
    METRIC_PUT(page, METRIC_JOURNAL_BYTES, (double)stats.bytes);
    METRIC_PUT(page, METRIC_JOURNAL_REFUSED, (double)stats.refused);
    METRIC_PUT(page, METRIC_DISK_FULL, stats.disk_full);
}

void engine_metrics(struct engine *engine, struct metric_page *page)
{
    METRIC_PUT(page, METRIC_UP, 1);
    METRIC_PUT(page, METRIC_MEMORY, (double)os_memory_resident());
    METRIC_PUT(page, METRIC_LOG_LINES, (double)event_count(EVENT_LEVEL_WARN), "level", "warn");
    METRIC_PUT(page, METRIC_LOG_LINES, (double)event_count(EVENT_LEVEL_ERROR), "level", "error");
    ingest_metrics(engine, page);
    for (const struct stream *s = engine->streams; s; s = s->next)
        put_stream(page, s);
    for (const struct topic_state *t = engine->topics; t; t = t->next)
        for (int32_t p = 0; p < t->info.partitions; p++) {
            char partition[16];
            snprintf(partition, sizeof partition, "%d", p);
            METRIC_PUT(page, METRIC_TOPIC_END, (double)log_end(t->logs[p]), "topic", t->def->name,
                       "partition", partition);
            METRIC_PUT(page, METRIC_TOPIC_BYTES, (double)log_bytes(t->logs[p]), "topic", t->def->name,
                       "partition", partition);
        }
    put_store(page, engine->store);
}

bool engine_is_ready(const struct engine *engine)
{
    return counter_get(&engine->ready) != 0;
}

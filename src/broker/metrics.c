/* What /metrics says of the broker. Figures are kept by API; errors are found in the answers by the tables of their messages. */
#include <stdio.h>

#include "broker/broker_private.h"
#include "obs/metric.h"

enum {
    BUCKETS = 18, /* of latencies: 64 µs, twice as much, … 8.4 s; and more */
    FIRST_BUCKET_US = 64,
    ERROR_COUNT = 140, /* codes −1 … */
    LAGS_MAX = 10000,  /* of groups and their partitions on one page; the help text says so */
};

struct api_figures {
    uint64_t counts[BUCKETS + 1];
    int64_t sum_us;
    uint32_t errors[ERROR_COUNT];
};

static void count_error(struct api_figures *figures, int16_t error)
{
    if (error != KAFKA_ERR_NONE && error >= -1 && error < ERROR_COUNT - 1)
        figures->errors[error + 1]++;
}

/* As deep as messages are: KAFKA_DEPTH_MAX. */
static void count_errors(struct api_figures *figures, const struct kafka_type *type, int version,
                         const uint8_t *message)
{
    for (uint16_t i = 0; i < type->fields_count; i++) {
        const struct kafka_field *field = &type->fields[i];
        if (version < field->first || version > field->last)
            continue;
        if (field->kind == KAFKA_ERROR && !field->is_array) {
            int16_t error;
            memcpy(&error, message + field->offset, sizeof error);
            count_error(figures, error);
        } else if (field->kind == KAFKA_STRUCT && field->is_array) {
            const uint8_t *items;
            uint32_t count;
            memcpy(&items, message + field->offset, sizeof items);
            memcpy(&count, message + field->offset + sizeof items, sizeof count);
            for (uint32_t k = 0; items && k < count; k++)
                count_errors(figures, field->type, version, items + (size_t)k * field->type->size);
        }
    }
}

void metrics_count(struct request *r, const void *response)
{
    struct api_figures **figures = &r->broker->figures[r->header.key];
    if (*figures == NULL)
        *figures = mem_new(sizeof **figures);
    int64_t us = mono_since_ns(os_mono(), r->arrived) / NS_PER_US;
    uint32_t bucket = 0;
    while (bucket < BUCKETS && us > (int64_t)FIRST_BUCKET_US << bucket)
        bucket++;
    (*figures)->counts[bucket]++;
    (*figures)->sum_us += us;
    if (!request_is_orphan(r))
        count_errors(*figures, r->header.api->response, r->header.version, response);
}

void metrics_fini(struct broker *b)
{
    for (int key = 0; key < KAFKA_APIS; key++)
        mem_free(b->figures[key]);
}

/* ---- the page -------------------------------------------------------------------------------------------------------------------------- */

static void put_api(struct metric_page *page, const char *api, const struct api_figures *figures)
{
    double bounds[BUCKETS];
    const char *const labels[] = {"api", api};
    for (uint32_t i = 0; i < BUCKETS; i++)
        bounds[i] = (double)((int64_t)FIRST_BUCKET_US << i) / 1e6;
    metric_put_histogram(
        page, METRIC_KAFKA_SECONDS, labels, 1,
        &(struct metric_histogram){bounds, figures->counts, BUCKETS, (double)figures->sum_us / 1e6});
    for (int error = -1; error < ERROR_COUNT - 1; error++)
        if (figures->errors[error + 1] > 0)
            METRIC_PUT(page, METRIC_KAFKA_ERRORS, figures->errors[error + 1], "api", api, "error",
                       kafka_error(error)->name);
}

struct lag {
    struct metric_page *page;
    struct broker *broker;
    uint32_t count, left_out;
};

static void put_lag(void *arg, struct str group, struct str topic, int32_t partition, int64_t offset)
{
    struct lag *lag = arg;
    struct arena arena = {0};
    char name[TOPIC_NAME_MAX + 1], number[16];
    if (lag->count >= LAGS_MAX) {
        lag->left_out++;
        return;
    }
    lag->count++;
    str_copy(name, sizeof name, topic);
    snprintf(number, sizeof number, "%d", partition);
    struct log *log = log_get(lag->broker->store, name, partition);
    if (log) {
        int64_t left = log_end(log) - offset;
        METRIC_PUT(lag->page, METRIC_KAFKA_GROUP_LAG, (double)(left > 0 ? left : 0), "group",
                   str_dup(&arena, group), "topic", name, "partition", number);
    }
    log_release(log);
    arena_fini(&arena);
}

static void put_groups(struct metric_page *page, const struct groups *groups)
{
    struct groups_stats stats;
    groups_stats(groups, &stats);
    METRIC_PUT(page, METRIC_KAFKA_GROUPS, stats.classic_empty + stats.consumer_empty, "state", "empty");
    METRIC_PUT(page, METRIC_KAFKA_GROUPS, stats.classic_stable + stats.consumer_stable, "state", "stable");
    METRIC_PUT(page, METRIC_KAFKA_GROUPS,
               stats.classic_preparing + stats.classic_completing + stats.consumer_assigning +
                   stats.consumer_reconciling,
               "state", "rebalancing");
}

void broker_metrics(struct broker *b, struct metric_page *page)
{
    if (b == NULL)
        return;
    struct txns_stats txns;
    struct lag lag = {.page = page, .broker = b};
    METRIC_PUT(page, METRIC_KAFKA_CONNECTIONS, b->connection_count);
    METRIC_PUT(page, METRIC_KAFKA_BYTES_IN, (double)counter_get(&b->bytes_in));
    METRIC_PUT(page, METRIC_KAFKA_BYTES_OUT, (double)counter_get(&b->bytes_out));
    for (int key = 0; key < KAFKA_APIS; key++)
        if (b->figures[key])
            put_api(page, kafka_api_of(key)->name, b->figures[key]);
    put_groups(page, b->coordinator.groups);
    groups_each_offset(b->coordinator.groups, put_lag, &lag);
    METRIC_PUT(page, METRIC_KAFKA_GROUP_LAG_LEFT_OUT, lag.left_out);
    for (int kind = 0; kind < QUOTA_KINDS; kind++)
        METRIC_PUT(page, METRIC_KAFKA_THROTTLED, (double)b->throttled[kind], "quota", quotas_name(kind));
    txns_stats(b->coordinator.txns, &txns);
    METRIC_PUT(page, METRIC_KAFKA_TRANSACTIONS, (double)txns.ongoing);
}

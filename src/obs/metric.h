/* Metrics as a table, and their text exposition (Prometheus text format 0.0.4). Whoever owns a figure keeps it in a struct counter and writes
 * it out when asked; nothing is kept twice. */
#ifndef OBS_METRIC_H
#define OBS_METRIC_H

#include "base/str.h"

enum metric {
#define METRIC(id, type, name, help) METRIC_##id,
#include "obs/metric.def"
#undef METRIC
    METRIC_COUNT
};

/* A page that is being made: values are collected by metric, in any order, and come out in the table's. */
struct metric_page {
    struct sbuf values[METRIC_COUNT];
};

/* labels: pairs of name and value, [label_count × 2]; values are escaped. */
void metric_put(struct metric_page *page, enum metric metric, const char *const *labels, uint32_t label_count,
                double value);
#define METRIC_PUT(page, metric, value, ...)                                                                 \
    metric_put((page), (metric), (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL},                     \
               (sizeof((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}) / sizeof(char *) - 1) / 2,    \
               (value))
/* A histogram: counts[n] of values up to bounds[i] (ascending; not cumulated), counts[n] of larger ones: n + 1 counts. */
struct metric_histogram {
    const double *bounds;
    const uint64_t *counts;
    uint32_t n;
    double sum;
};
void metric_put_histogram(struct metric_page *page, enum metric metric, const char *const *labels,
                          uint32_t label_count, const struct metric_histogram *histogram);
/* Appends the page and frees it. */
void metric_page_end(struct metric_page *page, struct sbuf *out);
/* The table as Markdown. */
void metric_reference(struct sbuf *out);

#endif

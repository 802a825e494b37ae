#include "obs/metric.h"

static const struct {
    const char *type, *name, *help;
} table[METRIC_COUNT] = {
#define GAUGE "gauge"
#define COUNTER "counter"
#define HISTOGRAM "histogram"
#define METRIC(id, type, name, help) {type, name, help},
#include "obs/metric.def"
#undef METRIC
#undef GAUGE
#undef COUNTER
#undef HISTOGRAM
};

static void put_label(struct sbuf *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            sbuf_printf(out, "\\%c", *value);
        else if (*value == '\n')
            sbuf_cstr(out, "\\n");
        else
            sbuf_char(out, *value);
    }
}

/* One value of the metric, or of one of a histogram's series: name and suffix, labels, then `le` if it is not NULL. */
static void put_value(struct sbuf *out, enum metric metric, const char *suffix, const char *const *labels,
                      uint32_t label_count, const char *le, double value)
{
    char text[32];
    sbuf_printf(out, "%s%s", table[metric].name, suffix);
    for (uint32_t i = 0; i < label_count; i++) {
        sbuf_printf(out, "%s%s=\"", i ? "," : "{", labels[2 * i]);
        put_label(out, labels[2 * i + 1]);
        sbuf_char(out, '"');
    }
    if (le)
        sbuf_printf(out, "%sle=\"%s\"", label_count ? "," : "{", le);
    sbuf_cstr(out, label_count || le ? "} " : " ");
    sbuf_add(out, text, str_from_f64(value, text));
    sbuf_char(out, '\n');
}

void metric_put(struct metric_page *page, enum metric metric, const char *const *labels, uint32_t label_count,
                double value)
{
    put_value(&page->values[metric], metric, "", labels, label_count, NULL, value);
}

void metric_put_histogram(struct metric_page *page, enum metric metric, const char *const *labels,
                          uint32_t label_count, const struct metric_histogram *h)
{
    struct sbuf *out = &page->values[metric];
    uint64_t count = 0;
    char bound[32];
    for (uint32_t i = 0; i < h->n; i++) {
        count += h->counts[i];
        bound[str_from_f64(h->bounds[i], bound)] = '\0';
        put_value(out, metric, "_bucket", labels, label_count, bound, (double)count);
    }
    count += h->counts[h->n];
    put_value(out, metric, "_bucket", labels, label_count, "+Inf", (double)count);
    put_value(out, metric, "_sum", labels, label_count, NULL, h->sum);
    put_value(out, metric, "_count", labels, label_count, NULL, (double)count);
}

void metric_page_end(struct metric_page *page, struct sbuf *out)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        struct sbuf *values = &page->values[i];
        if (values->n) {
            sbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", table[i].name, table[i].help, table[i].name,
                        table[i].type);
            sbuf_str(out, sbuf_view(values));
        }
        sbuf_fini(values);
    }
}

void metric_reference(struct sbuf *out)
{
    sbuf_cstr(out, "| metric | type | meaning |\n|---|---|---|\n");
    for (int i = 0; i < METRIC_COUNT; i++)
        sbuf_printf(out, "| `%s` | %s | %s |\n", table[i].name, table[i].type, table[i].help);
}

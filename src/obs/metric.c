#include "obs/metric.h"

static const struct {
    const char *type, *name, *help;
} table[METRIC_COUNT] = {
#define GAUGE "gauge"
#define COUNTER "counter"
#define METRIC(id, type, name, help) {type, name, help},
#include "obs/metric.def"
#undef METRIC
#undef GAUGE
#undef COUNTER
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

void metric_put(struct metric_page *page, enum metric metric, const char *const *labels, uint32_t label_count,
                double value)
{
    char text[32];
    struct sbuf *out = &page->values[metric];
    sbuf_cstr(out, table[metric].name);
    for (uint32_t i = 0; i < label_count; i++) {
        sbuf_printf(out, "%s%s=\"", i ? "," : "{", labels[2 * i]);
        put_label(out, labels[2 * i + 1]);
        sbuf_char(out, '"');
    }
    sbuf_cstr(out, label_count ? "} " : " ");
    sbuf_add(out, text, str_from_f64(value, text));
    sbuf_char(out, '\n');
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

/* Avro's own C library, for avro_bench.c. Apart from it, because both have the same names for Avro's types. */
#include "bench.h"
#include <avro.h>

double avro_peer(const char *schema_text, const struct str *records, int count);

double avro_peer(const char *schema_text, const struct str *records, int count)
{
    avro_schema_t schema;
    avro_value_t value;
    double best = 1e9;
    if (avro_schema_from_json_length(schema_text, strlen(schema_text), &schema) != 0)
        abort();
    avro_value_iface_t *kind = avro_generic_class_from_schema(schema);
    avro_generic_value_new(kind, &value);
    avro_reader_t reader = avro_reader_memory("", 0);
    for (int round = 0; round < 7; round++) {
        double from = bench_now_s();
        for (int i = 0; i < count; i++) {
            avro_reader_memory_set_source(reader, records[i].p, (int64_t)records[i].n);
            if (avro_value_read(reader, &value) != 0)
                abort();
        }
        double took = bench_now_s() - from;
        best = took < best ? took : best;
    }
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(kind);
    avro_schema_decref(schema);
    return best;
}

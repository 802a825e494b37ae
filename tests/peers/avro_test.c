/* Avro as fastavro writes and reads it: avro_peers.py makes container files of random schemas and rows, this program reads them into columns and writes
 * each row anew, and fastavro must read the same from that. Without arguments: the test; with a file: its rows as hex, one a line. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "format/avro_file.h"

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct sbuf *bytes = arg;
    (void)err;
    memcpy(out, bytes->p + offset, n);
    return true;
}

static int fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    return 1;
}

static void refuse(void *arg, const struct avro_bad *bad)
{
    (void)arg;
    fprintf(stderr, "row %u, \"%.*s\": %s\n", bad->row, STR_ARG(bad->path), bad->reason);
    exit(1);
}

static void print_rows(const struct batch *batch, struct avro_encoder *encoder)
{
    static uint32_t ends[BATCH_ROWS];
    const struct avro_report report = {.bad = refuse};
    struct sbuf out = {0};
    avro_encode(encoder, batch, 0, batch->rows, STR(""), &out, ends, &report);
    for (uint32_t i = 0; i < batch->rows; i++) {
        uint32_t start = i ? ends[i - 1] : 0;
        char *hex = mem_new(2 * (size_t)(ends[i] - start) + 1);
        hex_encode(hex, out.p + start, ends[i] - start);
        puts(hex);
        mem_free(hex);
    }
    sbuf_fini(&out);
}

/* The schema's text is in a file of its own. */
static int rewrite(const char *path, const char *schema_path)
{
    struct sbuf bytes = {0}, text = {0};
    const char *paths[] = {path, schema_path};
    struct sbuf *to[] = {&bytes, &text};
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(paths[i], "rb");
        size_t n = 1;
        while (f && n > 0) {
            n = fread(sbuf_reserve(to[i], 1 << 16), 1, 1 << 16, f);
            sbuf_added(to[i], n);
        }
        if (f == NULL)
            return fail("there is no such file");
        fclose(f);
    }
    struct err err = {0};
    const struct schema *schema;
    struct pool *pool = pool_new(NULL, "peer");
    const struct avro_source source = {bytes.n, read_at, &bytes};
    struct avro_file *file = avro_file_open(pool, &source, NULL, &err);
    if (file == NULL ||
        !schema_parse(pool_arena(pool), &(struct schema_source){.text = sbuf_view(&text)}, &schema, &err))
        return fail(err.text);
    struct avro_encoder *encoder = avro_encoder_new(pool, schema_avro(schema), avro_file_columns(file), &err);
    struct batch *batch = batch_new();
    const struct avro_report report = {.bad = refuse};
    bool end = false;
    while (encoder != NULL && avro_file_next(file, batch, &report, &end, &err) && !end)
        print_rows(batch, encoder);
    batch_free(batch);
    avro_file_close(file);
    pool_free(pool);
    sbuf_fini(&bytes);
    sbuf_fini(&text);
    return end ? 0 : fail(err.text);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return rewrite(argv[1], argv[2]);
    char script[4096];
    const char *source = getenv("SLUICE_SOURCE");
    snprintf(script, sizeof script, "%s/tests/peers/avro_peers.sh", source ? source : ".");
    execl("/bin/sh", "sh", script, argv[0], (char *)NULL);
    return fail("sh could not be run");
}

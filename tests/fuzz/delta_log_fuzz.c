/* A Delta log's actions, line by line: whatever the bytes are, applying them ends in a state that can be asked, or in an error. First byte 'V': the rest
 * is a deletion vector instead; 'P': a path and a partition value. */
#include "sink/delta/scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VECTOR_ROWS = 1 << 20 };

static void try_vector(const uint8_t *data, size_t size)
{
    uint8_t *bits = mem_new(VECTOR_ROWS / 8);
    uint64_t count, set = 0;
    if (delta_vector_read(data, size, VECTOR_ROWS, bits, &count, NULL)) {
        for (uint32_t i = 0; i < VECTOR_ROWS; i++)
            set += bits[i >> 3] >> (i & 7) & 1;
        CHECK(set == count);
    }
    mem_free(bits);
}

static void try_texts(struct str text)
{
    static const enum type_kind kinds[] = {TYPE_BOOLEAN,   TYPE_BYTE,         TYPE_LONG,   TYPE_DOUBLE,
                                           TYPE_DECIMAL,   TYPE_STRING,       TYPE_BINARY, TYPE_DATE,
                                           TYPE_TIMESTAMP, TYPE_TIMESTAMP_NTZ};
    struct delta_table t = {.path = "/t"};
    struct arena arena = {0};
    struct sbuf out = {0};
    struct value v;
    char *path;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        (void)!delta_partition_value(&arena, text, type_simple(kinds[i]), &v, NULL);
    (void)!delta_z85_decode(text, &out);
    (void)delta_is_inside(text);
    (void)!delta_file_path(&t, &arena, text, &path, NULL);
    /* what we write, we read back */
    sbuf_clear(&out);
    delta_encode_path(&out, text);
    if (text.n && text.p[0] != '/' && memchr(text.p, 0, text.n) == NULL &&
        str_find(text, STR("file:"), 0) == SIZE_MAX && str_find(text, STR("://"), 0) == SIZE_MAX) {
        CHECK(delta_file_path(&t, &arena, sbuf_view(&out), &path, NULL));
        CHECK(str_eq(str_of(path + 3), text));
    }
    sbuf_fini(&out);
    arena_fini(&arena);
}

static void try_log(struct str text)
{
    struct delta_table t = {.path = "/t", .version = -1, .checkpoint = -1};
    bool ok = true;
    while (ok && text.n) {
        size_t end = str_find(text, STR("\n"), 0);
        ok = delta_apply(&t, str_n(text.p, end == SIZE_MAX ? text.n : end), 0, NULL);
        text = end == SIZE_MAX ? STR("") : str_n(text.p + end + 1, text.n - end - 1);
    }
    if (t.metadata.n) {
        CHECK(t.schema != NULL && t.schema->kind == TYPE_STRUCT);
        (void)type_nullable(&t.arena, t.schema);
    }
    (void)delta_unknown_feature(&t, true);
    (void)delta_retention_ms(&t);
    MAP_EACH(entry, &t.files)
    CHECK(map_get(&t.removed, entry->key) == NULL);
    delta_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size && data[0] == 'V')
        try_vector(data + 1, size - 1);
    else if (size && data[0] == 'P')
        try_texts(str_n(data + 1, size - 1));
    else
        try_log(str_n(data, size));
    return 0;
}

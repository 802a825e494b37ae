/* Thrift's compact protocol: what can be read is written, and read again to the same bytes. */
#include "format/parquet_meta_i.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct thrift_struct *const tables[] = {&pq_file_meta_table, &pq_page_header_table,
                                                         &pq_offset_index_table, &pq_column_index_table};
    static union {
        struct pq_file_meta meta;
        struct pq_page_header header;
        struct pq_offset_index offsets;
        struct pq_column_index columns;
    } first, second;
    if (size == 0)
        return 0;
    const struct thrift_struct *table = tables[data[0] % 4];
    struct arena arena = {.limit = 1 << 22};
    struct sbuf once = {0}, twice = {0};
    struct err err;
    struct rd r = rd_of(data + 1, size - 1);
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    if (thrift_read(&r, table, &first, &arena, &err)) {
        thrift_write(&once, table, &first);
        r = rd_of(once.p, once.n);
        arena.limit = 0;
        CHECK(thrift_read(&r, table, &second, &arena, &err) && rd_left(&r) == 0);
        thrift_write(&twice, table, &second);
        CHECK(once.n == twice.n && memcmp(once.p, twice.p, once.n) == 0);
    } else {
        CHECK(err.class == ERR_DATA);
    }
    sbuf_fini(&once);
    sbuf_fini(&twice);
    arena_fini(&arena);
    return 0;
}

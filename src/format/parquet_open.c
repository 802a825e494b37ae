/* The footer: found from the end of the file, read whole, parsed into memory that is bounded by its size. */
#include "format/parquet_read_i.h"

enum {
    TAIL = 64 * 1024, /* what is read first: most footers fit */
    END = 8,          /* length of the footer, and the magic */
};

static void file_close(void *arg)
{
    struct parquet_file *file = arg;
    arena_fini(&file->arena);
}

bool file_read(const struct parquet_file *file, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    if (offset > file->source.size || n > file->source.size - offset)
        return err_set(err, ERR_DATA, "the file ends too early: bytes %llu to %llu of %llu",
                       (unsigned long long)offset, (unsigned long long)(offset + n),
                       (unsigned long long)file->source.size);
    return n == 0 || file->source.read(file->source.arg, offset, n, out, err);
}

static bool no_parquet(struct err *err, const char *why)
{
    return err_set(err, ERR_DATA, "this is no Parquet file: %s", why);
}

/* The footer's bytes, in the file's arena. */
static bool read_footer(struct parquet_file *file, struct str *footer, struct err *err)
{
    uint64_t size = file->source.size;
    if (size < END + 4)
        return no_parquet(err, "it is too short");
    size_t tail = size < TAIL ? (size_t)size : TAIL;
    uint8_t *bytes = arena_alloc(&file->arena, tail);
    TRY(file_read(file, size - tail, tail, bytes, err));
    const uint8_t *end = bytes + tail - END;
    if (memcmp(end + 4, "PARE", 4) == 0)
        return err_set(err, ERR_DATA, "cannot read the Parquet file: it is encrypted");
    if (memcmp(end + 4, "PAR1", 4) != 0)
        return no_parquet(err, "it does not end in PAR1");
    uint32_t n = get_le32(end);
    if (n > size - END - 4)
        return no_parquet(err, "its footer is longer than the file");
    if (n > PARQUET_FOOTER_MAX)
        return err_set(err, ERR_DATA,
                       "cannot read the Parquet file: its metadata takes %u bytes, the limit is %d", n,
                       PARQUET_FOOTER_MAX);
    if (n <= tail - END) {
        *footer = str_n(end - n, n);
        return true;
    }
    uint8_t *all = arena_alloc(&file->arena, n);
    *footer = str_n(all, n);
    return file_read(file, size - END - n, n, all, err);
}

static bool parse(struct parquet_file *file, struct err *err)
{
    struct str footer = {0};
    TRY(read_footer(file, &footer, err));
    file->arena.limit = file->arena.bytes + (footer.n + 1024) * PQ_META_RATIO;
    struct rd r = rd_of(footer.p, footer.n);
    TRY(thrift_read(&r, &pq_file_meta_table, &file->meta, &file->arena, err));
    if (THRIFT_HAS(&file->meta, PQ_F_ENCRYPTION))
        return err_set(err, ERR_DATA, "cannot read the Parquet file: it is encrypted");
    if (file->meta.num_rows < 0)
        return err_set(err, ERR_DATA, "the metadata is damaged: the file has %lld rows",
                       (long long)file->meta.num_rows);
    TRY(file_schema(file, err));
    const struct pq_row_group *groups = file->meta.row_groups.items;
    for (uint32_t i = 0; i < file->meta.row_groups.count; i++)
        if (groups[i].columns.count != file->leaf_count || groups[i].num_rows < 0 ||
            __builtin_add_overflow(file->rows, groups[i].num_rows, &file->rows))
            return err_set(err, ERR_DATA,
                           "the metadata is damaged: row group %u has %u columns and %lld rows", i,
                           groups[i].columns.count, (long long)groups[i].num_rows);
    return true;
}

struct parquet_file *parquet_open(struct pool *pool, const struct parquet_source *source, struct err *err)
{
    struct pool *own = pool_new(pool, "parquet file");
    struct parquet_file *file = pool_new_struct(own, struct parquet_file);
    file->pool = own;
    file->source = *source;
    pool_on_free(own, file_close, file);
    if (!parse(file, err)) {
        pool_free(own);
        return NULL;
    }
    return file;
}

void parquet_close(struct parquet_file *file)
{
    if (file)
        pool_free(file->pool);
}

const struct type *parquet_schema(const struct parquet_file *file)
{
    return file->root.type;
}

const struct parquet_name *parquet_names(const struct parquet_file *file)
{
    return file->names;
}

int64_t parquet_rows(const struct parquet_file *file)
{
    return file->rows;
}

uint32_t parquet_row_groups(const struct parquet_file *file)
{
    return file->meta.row_groups.count;
}

int64_t parquet_row_group_rows(const struct parquet_file *file, uint32_t group)
{
    CHECK(group < file->meta.row_groups.count);
    return ((const struct pq_row_group *)file->meta.row_groups.items)[group].num_rows;
}

struct str parquet_created_by(const struct parquet_file *file)
{
    return file->meta.created_by;
}

const struct str *parquet_metadata(const struct parquet_file *file, struct str key)
{
    const struct pq_key_value *pairs = file->meta.key_values.items;
    for (uint32_t i = 0; i < file->meta.key_values.count; i++)
        if (str_eq(pairs[i].key, key))
            return &pairs[i].value;
    return NULL;
}

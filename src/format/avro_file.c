#include "format/avro_file.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "format/avro_decode_private.h"
#include "format/compress.h"

enum { SYNC = 16, FIRST_READ = 64 << 10, BLOCK_HEADER = 2 * VARINT_MAX };

struct avro_file {
    struct pool *pool;
    struct avro_source source;
    const struct type *columns;
    struct avro_decoder *decoder;
    const struct avro_writer *writer;
    enum codec codec;
    struct compress_ctx *ctx;
    uint8_t sync[SYNC];
    uint64_t first;      /* offset of the first block */
    bool writes_nothing; /* its rows have no bytes */

    /* the block that is being read, if there are rows left in it */
    struct buf *buf;
    struct str rest; /* of it */
    uint64_t block, rows, row;
    uint64_t next; /* offset of the block after it */
    bool is_cut;
    bool is_broken; /* error says where */
    struct err error;
};

/* ---- the header ----------------------------------------------------------------------------------------------------------- */

struct header {
    struct str schema, codec;
    size_t size;
    bool cut; /* there is more of it than was read */
};

static bool not_a_file(struct err *err, const char *why)
{
    return err_set(err, ERR_DATA, "not an Avro file: %s", why);
}

/* A size, and that many bytes. */
static struct str take_bytes(struct rd *rd, bool *malformed)
{
    int64_t n = rd_varint(rd);
    *malformed |= n < 0 || n > AVRO_FILE_HEADER_MAX;
    const uint8_t *p = *malformed ? NULL : rd_take(rd, (size_t)n);
    return p ? str_n(p, (size_t)n) : (struct str){0};
}

/* False: it is malformed. A header that is only cut says so. */
static bool read_header(struct str bytes, struct header *header, uint8_t sync[SYNC])
{
    struct rd rd = rd_of(bytes.p, bytes.n);
    bool malformed = false;
    rd_take(&rd, 4);
    for (;;) {
        int64_t count = rd_varint(&rd);
        malformed |= count > AVRO_FILE_HEADER_MAX || count < -AVRO_FILE_HEADER_MAX;
        if (count < 0 && !malformed) { /* with its size */
            malformed |= rd_varint(&rd) < 0;
            count = -count;
        }
        if (count == 0 || malformed || rd.bad)
            break;
        for (int64_t i = 0; i < count && !malformed && !rd.bad; i++) {
            struct str key = take_bytes(&rd, &malformed), value = take_bytes(&rd, &malformed);
            if (str_is(key, "avro.schema"))
                header->schema = value;
            else if (str_is(key, "avro.codec"))
                header->codec = value;
        }
    }
    const uint8_t *p = malformed ? NULL : rd_take(&rd, SYNC);
    if (p != NULL)
        memcpy(sync, p, SYNC);
    header->cut = p == NULL && !malformed;
    header->size = bytes.n - rd_left(&rd);
    return !malformed;
}

static bool take_codec(struct avro_file *f, struct str name, struct err *err)
{
    static const struct {
        const char *name;
        enum codec codec;
    } names[] = {{"", CODEC_NONE},
                 {"null", CODEC_NONE},
                 {"deflate", CODEC_GZIP},
                 {"snappy", CODEC_SNAPPY},
                 {"zstandard", CODEC_ZSTD}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i].name)) {
            f->codec = names[i].codec;
            return true;
        }
    err_set(err, ERR_DATA, "its blocks are packed with \"%.*s\", which is not read", STR_ARG(name));
    return err_hint(err, "Files without compression, with deflate, snappy and zstandard are.");
}

static bool take_header(struct avro_file *f, const struct header *header, const struct type *columns,
                        struct err *err)
{
    struct arena *arena = pool_arena(f->pool);
    const struct schema *schema;
    if (header->schema.p == NULL)
        return not_a_file(err, "it has no schema");
    TRY(take_codec(f, header->codec, err));
    struct str text = str_n(arena_dup(arena, header->schema.p, header->schema.n), header->schema.n);
    if (!schema_parse(arena, &(struct schema_source){.text = text, .lenient = true}, &schema, err)) {
        if (err != NULL)
            err->place = (struct err_place){0};
        return err_context(err, "the schema of an Avro file");
    }
    const struct avro_schema *avro = schema_avro(schema);
    f->columns = columns ? columns : avro_columns_type(arena, avro, err);
    f->decoder = f->columns ? avro_decoder_new(f->pool, NULL, f->columns, NULL, err) : NULL;
    f->writer = f->decoder ? avro_decoder_writer(f->decoder, avro, err) : NULL;
    f->first = f->next = header->size;
    f->writes_nothing = avro_writes_nothing(avro);
    return f->writer != NULL;
}

static bool load_header(struct avro_file *f, struct sbuf *bytes, const struct type *columns, struct err *err)
{
    for (size_t want = FIRST_READ;; want *= 4) {
        struct header header = {0};
        size_t n = want < f->source.size ? want : (size_t)f->source.size;
        if (!f->source.read(f->source.arg, bytes->n, n - bytes->n,
                            (uint8_t *)sbuf_reserve(bytes, n - bytes->n), err))
            return false;
        sbuf_added(bytes, n - bytes->n);
        if (n < 4 || memcmp(bytes->p, "Obj\1", 4) != 0)
            return not_a_file(err, "it does not begin as one");
        if (!read_header(sbuf_view(bytes), &header, f->sync))
            return not_a_file(err, "its metadata is damaged");
        if (!header.cut)
            return take_header(f, &header, columns, err);
        if (n == f->source.size || n >= AVRO_FILE_HEADER_MAX)
            return not_a_file(err, "it ends in its metadata");
    }
}

struct avro_file *avro_file_open(struct pool *pool, const struct avro_source *source,
                                 const struct type *columns, struct err *err)
{
    struct pool *own = pool_new(pool, "avro file");
    struct avro_file *f = pool_new_struct(own, struct avro_file);
    struct sbuf bytes = {0};
    f->pool = own;
    f->source = *source;
    f->ctx = compress_ctx_new();
    bool ok = load_header(f, &bytes, columns, err);
    sbuf_fini(&bytes);
    if (ok)
        return f;
    avro_file_close(f);
    return NULL;
}

void avro_file_close(struct avro_file *f)
{
    if (f == NULL)
        return;
    buf_unref(f->buf);
    compress_ctx_free(f->ctx);
    pool_free(f->pool);
}

const struct type *avro_file_columns(const struct avro_file *f)
{
    return f->columns;
}

/* ---- blocks --------------------------------------------------------------------------------------------------------------- */

static bool damaged(const struct avro_file *f, const char *why, struct err *err)
{
    return err_set(err, ERR_DATA, "the block at byte %llu is damaged: %s", (unsigned long long)f->next, why);
}

/* What the block at f->next says of itself: its rows and the size of its bytes, which begin at *from. *whole: all of it is there. */
static bool read_block_header(struct avro_file *f, uint64_t *from, uint64_t *size, bool *whole,
                              struct err *err)
{
    uint8_t bytes[BLOCK_HEADER];
    uint64_t left = f->source.size - f->next;
    size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
    *whole = false;
    TRY(f->source.read(f->source.arg, f->next, n, bytes, err));
    struct rd rd = rd_of(bytes, n);
    int64_t rows = rd_varint(&rd), length = rd_varint(&rd);
    if (rd.bad && n < sizeof bytes)
        return true;
    if (rd.bad || rows < 0 || length < 0)
        return damaged(f, "its header is none", err);
    if (length > AVRO_FILE_BLOCK_MAX)
        return damaged(f, "it has more than 256 MiB", err);
    *from = f->next + (n - rd_left(&rd));
    *size = (uint64_t)length;
    *whole = *from + *size + SYNC <= f->source.size;
    f->rows = (uint64_t)rows;
    return true;
}

/* Its bytes, unpacked, into f->buf. */
static bool load_block(struct avro_file *f, uint64_t from, uint64_t size, struct err *err)
{
    struct buf *raw = buf_try_new(size + SYNC);
    if (raw == NULL)
        return err_set(err, ERR_RETRY, "no memory for a block of %llu bytes", (unsigned long long)size);
    raw->n = size;
    bool ok = f->source.read(f->source.arg, from, size + SYNC, raw->p, err);
    if (ok && memcmp(raw->p + size, f->sync, SYNC) != 0)
        ok = damaged(f, "its end is not where it should be", err);
    if (!ok || f->codec == CODEC_NONE) {
        f->buf = raw;
        return ok;
    }
    ok = codec_decompress_buf(f->ctx, f->codec, FORM_AVRO, raw->p, size, AVRO_FILE_BLOCK_MAX, &f->buf, err);
    buf_unref(raw);
    return ok;
}

/* The block at f->next becomes the one that is read; *end: there is none. */
static bool open_block(struct avro_file *f, bool *end, struct err *err)
{
    uint64_t from, size;
    bool whole;
    buf_unref(f->buf);
    f->buf = NULL;
    f->row = f->rows = 0;
    f->block = f->next;
    *end = f->next >= f->source.size;
    if (*end)
        return true;
    TRY(read_block_header(f, &from, &size, &whole, err));
    f->is_cut = *end = !whole;
    uint64_t rows = f->rows;
    f->rows = 0; /* until it is there */
    if (!whole)
        return true;
    TRY(load_block(f, from, size, err));
    f->rest = str_n(f->buf->p, f->buf->n);
    if (rows > f->rest.n * (f->writes_nothing ? AVRO_EMPTY_ITEMS : 1) &&
        !(f->writes_nothing && rows <= BATCH_ROWS))
        return damaged(f, "it says that it has more rows than bytes", err);
    f->rows = rows;
    f->next = from + size + SYNC;
    return true;
}

static bool end_block(const struct avro_file *f, struct err *err)
{
    if (f->row < f->rows || f->rest.n == 0)
        return true;
    return err_set(err, ERR_DATA, "the block at byte %llu is damaged: bytes follow its last row",
                   (unsigned long long)f->block);
}

bool avro_file_seek(struct avro_file *f, struct avro_place place, struct err *err)
{
    bool end;
    f->next = place.block ? place.block : f->first;
    f->is_cut = f->is_broken = false;
    if (f->next < f->first || f->next > f->source.size)
        return err_set(err, ERR_DATA, "the file has no block at byte %llu", (unsigned long long)f->next);
    f->row = f->rows = 0;
    f->block = f->next;
    if (place.row == 0)
        return true;
    TRY(open_block(f, &end, err));
    if (place.row > f->rows)
        return err_set(err, ERR_DATA, "the block at byte %llu has no %llu rows", (unsigned long long)f->block,
                       (unsigned long long)place.row);
    f->row = place.row;
    return avro_skip_sequence(f->decoder, f->writer, &f->rest, place.row, err) && end_block(f, err);
}

struct avro_place avro_file_place(const struct avro_file *f)
{
    if (f->row < f->rows || f->is_broken)
        return (struct avro_place){f->block, f->row};
    return (struct avro_place){f->next, 0};
}

static bool read_rows(struct avro_file *f, struct batch *out, const struct avro_report *report, bool *end,
                      struct err *err)
{
    while (f->row == f->rows) {
        TRY(open_block(f, end, err));
        if (*end)
            return true;
        TRY(f->rows > 0 || end_block(f, err));
    }
    uint64_t left = f->rows - f->row;
    batch_hold(out, f->buf);
    bool ok = avro_decode_sequence(f->decoder, f->writer, &f->rest,
                                   left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS, out, report, err);
    f->row += out->rows;
    return ok && end_block(f, err);
}

bool avro_file_next(struct avro_file *f, struct batch *out, const struct avro_report *report, bool *end,
                    struct err *err)
{
    batch_reset(out);
    *end = false;
    bool ok = !f->is_broken && read_rows(f, out, report, end, &f->error);
    f->is_broken = f->is_broken || (!ok && f->error.class == ERR_DATA);
    if (ok || (f->is_broken && out->rows > 0))
        return true; /* the next call says it */
    if (err != NULL)
        *err = f->error;
    return false;
}

bool avro_file_is_cut(const struct avro_file *f)
{
    return f->is_cut;
}

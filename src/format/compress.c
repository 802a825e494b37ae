/* Codecs as a table: a row per codec, a column per thing that is done with it.
 *
 * Decompression of unknown size writes into a `sink`, which grows by doubling up to its limit; of known
 * size the sink is the caller's memory and does not grow. Each codec asks the sink for room and says what
 * it used, so neither the limit nor the growth is in any codec's code. A frame's own word on its size is a
 * hint that is trusted as far as the input justifies it: no allocation is larger than HINT_RATIO times the
 * input. */
#include "format/compress.h"

#include <limits.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"

enum {
    HINT_RATIO = 255,         /* lz4's highest ratio; gzip's and zstd's may be more, and then grow */
    SINK_FIRST = 4096,        /* the smallest room a growing sink gives */
    XERIAL_BLOCK = 32 * 1024, /* snappy-java's default */
    XERIAL_HEADER = 16,
    LZ4_HC_LEVEL = 3, /* from here on lz4 searches (HC); below it is fast */
    WINDOW_LOG_MIN = 23,
    WINDOW_LOG_MAX = 27, /* zstd's own default; a frame that wants a larger window is refused */
};

struct compress_ctx {
    z_stream deflate, inflate;
    bool has_deflate, has_inflate;
    int deflate_level;
    LZ4F_cctx *lz4f_compress;
    LZ4F_dctx *lz4f_decompress;
    void *lz4_state;    /* LZ4_sizeofState() bytes */
    void *lz4_hc_state; /* LZ4_sizeofStateHC() bytes */
    ZSTD_CCtx *zstd_compress;
    ZSTD_DCtx *zstd_decompress;
};

/* Where decompressed bytes go. */
struct sink {
    uint8_t *p;
    size_t n, capacity;
    size_t limit;      /* n never passes it */
    struct sbuf *grow; /* the memory behind p, or NULL where p is the caller's */
    size_t base;       /* of grow: bytes that were there before */
};

static bool bad(struct err *err, enum codec codec, const char *why)
{
    return err_set(err, ERR_DATA, "cannot decompress %s: %s", codec_name(codec), why);
}

static bool sink_over(struct err *err, enum codec codec, const struct sink *s)
{
    return err_set(err, ERR_DATA, "cannot decompress %s: more than %zu bytes come out of it",
                   codec_name(codec), s->limit);
}

/* At least one byte of room, `hint` if that is allowed; false when the limit is reached. */
static bool sink_room(struct sink *s, size_t hint)
{
    if (s->capacity > s->n && (s->grow == NULL || s->capacity - s->n >= hint))
        return true;
    if (s->grow == NULL || s->n >= s->limit)
        return s->capacity > s->n;
    size_t wanted = hint > s->n ? hint : s->n;
    wanted = wanted < SINK_FIRST ? SINK_FIRST : wanted;
    if (wanted > s->limit - s->n)
        wanted = s->limit - s->n;
    s->grow->n = s->base + s->n;
    sbuf_reserve(s->grow, wanted);
    s->p = (uint8_t *)s->grow->p + s->base;
    s->capacity = s->n + wanted;
    return true;
}

/* ---- none ------------------------------------------------------------------------------------------ */

static bool put_bytes(struct sink *s, enum codec codec, const void *in, size_t n, struct err *err)
{
    if (n > s->limit - s->n)
        return sink_over(err, codec, s);
    if (n == 0)
        return true;
    if (!sink_room(s, n) || s->capacity - s->n < n)
        return sink_over(err, codec, s);
    memcpy(s->p + s->n, in, n);
    s->n += n;
    return true;
}

static size_t none_bound(enum compress_form form, size_t n)
{
    (void)form;
    return n;
}

static size_t none_compress(struct compress_ctx *ctx, enum compress_form form, int level, const void *in,
                            size_t n, uint8_t *out, size_t capacity)
{
    (void)ctx, (void)form, (void)level, (void)capacity;
    if (n)
        memcpy(out, in, n);
    return n;
}

static bool none_decompress(struct compress_ctx *ctx, enum compress_form form, struct str in, struct sink *s,
                            struct err *err)
{
    (void)ctx, (void)form;
    return put_bytes(s, CODEC_NONE, in.p, in.n, err);
}

/* ---- gzip ------------------------------------------------------------------------------------------ */

static size_t gzip_bound(enum compress_form form, size_t n)
{
    (void)form;
    return n + n / 1000 + n / 4096 * 5 + 64; /* stored blocks at worst, and zlib's own margin above them */
}

static size_t gzip_compress(struct compress_ctx *ctx, enum compress_form form, int level, const void *in,
                            size_t n, uint8_t *out, size_t capacity)
{
    (void)form;
    z_stream *z = &ctx->deflate;
    if (ctx->has_deflate && ctx->deflate_level != level) {
        deflateEnd(z);
        ctx->has_deflate = false;
    }
    if (!ctx->has_deflate) {
        memset(z, 0, sizeof *z);
        if (deflateInit2(z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            mem_exhausted(256 * 1024);
        ctx->has_deflate = true;
        ctx->deflate_level = level;
    }
    deflateReset(z);
    z->next_in = (z_const Bytef *)in;
    z->avail_in = (uInt)n;
    z->next_out = out;
    z->avail_out = capacity > UINT_MAX ? UINT_MAX : (uInt)capacity;
    int rc = deflate(z, Z_FINISH);
    CHECK(rc == Z_STREAM_END);
    return (size_t)(z->next_out - out);
}

static bool gzip_decompress(struct compress_ctx *ctx, enum compress_form form, struct str in, struct sink *s,
                            struct err *err)
{
    z_stream *z = &ctx->inflate;
    if (!ctx->has_inflate) {
        memset(z, 0, sizeof *z);
        if (inflateInit2(z, 15 + 32) != Z_OK)
            mem_exhausted(64 * 1024);
        ctx->has_inflate = true;
    }
    size_t hint = in.n >= 18 && form != FORM_AVRO ? get_le32(in.p + in.n - 4)
                                                  : 0; /* the last member's size */
    hint = hint / HINT_RATIO > in.n ? in.n * 4 : hint;
    z->next_in = (z_const Bytef *)in.p;
    z->avail_in = (uInt)in.n;
    do { /* one turn per member */
        inflateReset2(z, form == FORM_AVRO ? -15 : 15 + 32);
        int rc = Z_OK;
        while (rc == Z_OK) {
            uint8_t none;
            bool room = sink_room(s, hint > s->n ? hint - s->n : 0);
            z->next_out = room ? s->p + s->n : &none;
            z->avail_out = room ? (uInt)(s->capacity - s->n > UINT_MAX ? UINT_MAX : s->capacity - s->n) : 1;
            uInt before = z->avail_out;
            rc = inflate(z, Z_NO_FLUSH);
            if (!room && z->avail_out == 0)
                return sink_over(err, CODEC_GZIP, s);
            s->n += room ? before - z->avail_out : 0;
            if (rc == Z_OK && z->avail_in == 0 && z->avail_out > 0)
                return bad(err, CODEC_GZIP, "the data is cut");
        }
        if (rc != Z_STREAM_END)
            return bad(err, CODEC_GZIP, z->msg ? z->msg : "the data is damaged");
    } while (z->avail_in > 0 && form != FORM_AVRO); /* some writers leave a part of zlib's checksum there */
    return true;
}

/* ---- snappy ---------------------------------------------------------------------------------------- */

static const char xerial_magic[8] = {(char)0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static size_t snappy_bound(enum compress_form form, size_t n)
{
    if (form == FORM_PARQUET)
        return snappy_max_compressed_length(n);
    return XERIAL_HEADER + (n / XERIAL_BLOCK + 1) * (4 + snappy_max_compressed_length(XERIAL_BLOCK));
}

static size_t snappy_block(const char *in, size_t n, uint8_t *out, size_t capacity)
{
    size_t size = capacity;
    snappy_status rc = snappy_compress(in, n, (char *)out, &size);
    CHECK(rc == SNAPPY_OK);
    return size;
}

static size_t snappy_compress_form(struct compress_ctx *ctx, enum compress_form form, int level,
                                   const void *in, size_t n, uint8_t *out, size_t capacity)
{
    (void)ctx, (void)level;
    if (form == FORM_PARQUET)
        return snappy_block(in, n, out, capacity);
    memcpy(out, xerial_magic, 8);
    put_be32(out + 8, 1);  /* version */
    put_be32(out + 12, 1); /* the oldest version that can read it */
    size_t at = XERIAL_HEADER;
    for (size_t from = 0; from < n; from += XERIAL_BLOCK) {
        size_t piece = n - from < XERIAL_BLOCK ? n - from : XERIAL_BLOCK;
        size_t size = snappy_block((const char *)in + from, piece, out + at + 4, capacity - at - 4);
        put_be32(out + at, (uint32_t)size);
        at += 4 + size;
    }
    return at;
}

static bool snappy_raw(struct str in, struct sink *s, struct err *err)
{
    size_t size;
    if (snappy_uncompressed_length(in.p, in.n, &size) != SNAPPY_OK)
        return bad(err, CODEC_SNAPPY, "the block has no length");
    if (size > s->limit - s->n)
        return sink_over(err, CODEC_SNAPPY, s);
    if (size / HINT_RATIO > in.n)
        return bad(err, CODEC_SNAPPY, "the block says that it holds more than it can");
    char none[1];
    bool room = size == 0 || (sink_room(s, size) && s->capacity - s->n >= size);
    if (!room)
        return sink_over(err, CODEC_SNAPPY, s);
    if (snappy_uncompress(in.p, in.n, size ? (char *)s->p + s->n : none, &size) != SNAPPY_OK)
        return bad(err, CODEC_SNAPPY, "the data is damaged");
    s->n += size;
    return true;
}

static bool xerial_decompress(struct str in, struct sink *s, struct err *err)
{
    struct rd r = rd_of(in.p + XERIAL_HEADER, in.n - XERIAL_HEADER);
    while (rd_left(&r) > 0) {
        if (rd_left(&r) >= XERIAL_HEADER && memcmp(r.p, xerial_magic, sizeof xerial_magic) == 0)
            rd_take(&r, XERIAL_HEADER); /* streams one after another */
        uint32_t size = rd_be32(&r);
        const uint8_t *p = rd_take(&r, size);
        if (p == NULL)
            return bad(err, CODEC_SNAPPY, "a block is cut");
        TRY(snappy_raw(str_n(p, size), s, err));
    }
    return true;
}

/* Hadoop's block framing: be32 size of what follows, uncompressed; then be32 size and a raw block, until
 * that much has come out. */
static bool hadoop_decompress(enum codec codec, bool (*raw)(struct str, struct sink *, size_t, struct err *),
                              struct str in, struct sink *s, struct err *err)
{
    struct rd r = rd_of(in.p, in.n);
    while (rd_left(&r) > 0) {
        uint32_t whole = rd_be32(&r);
        for (size_t done = 0; done < whole && !r.bad;) {
            uint32_t size = rd_be32(&r);
            const uint8_t *p = rd_take(&r, size);
            size_t before = s->n;
            if (p == NULL)
                break;
            TRY(raw(str_n(p, size), s, whole - done, err));
            done += s->n - before;
            if (s->n == before || done > whole)
                return bad(err, codec, "a block has another size than its frame says");
        }
        if (r.bad)
            return bad(err, codec, "a block is cut");
    }
    return true;
}

static bool snappy_raw_max(struct str in, struct sink *s, size_t most, struct err *err)
{
    (void)most;
    return snappy_raw(in, s, err);
}

/* A raw block, and the checksum of what comes out of it. */
static bool snappy_checked(struct str in, struct sink *s, struct err *err)
{
    size_t before = s->n;
    if (in.n < 4)
        return bad(err, CODEC_SNAPPY, "the data is cut");
    TRY(snappy_raw(str_n(in.p, in.n - 4), s, err));
    uint32_t sum = s->n > before ? (uint32_t)crc32_z(0, s->p + before, s->n - before) : 0;
    return sum == get_be32(in.p + in.n - 4) || bad(err, CODEC_SNAPPY, "the checksum is wrong");
}

static bool snappy_decompress(struct compress_ctx *ctx, enum compress_form form, struct str in,
                              struct sink *s, struct err *err)
{
    (void)ctx;
    if (form == FORM_KAFKA && in.n >= XERIAL_HEADER && memcmp(in.p, xerial_magic, sizeof xerial_magic) == 0)
        return xerial_decompress(in, s, err);
    size_t before = s->n;
    if (form == FORM_HADOOP && hadoop_decompress(CODEC_SNAPPY, snappy_raw_max, in, s, NULL))
        return true;
    s->n = before;
    if (form == FORM_AVRO)
        return snappy_checked(in, s, err);
    return snappy_raw(in, s, err);
}

/* ---- lz4 ------------------------------------------------------------------------------------------- */

static LZ4F_preferences_t lz4_prefs(int level)
{
    LZ4F_preferences_t prefs;
    memset(&prefs, 0, sizeof prefs);
    prefs.frameInfo.blockSizeID = LZ4F_max64KB;
    prefs.frameInfo.blockMode = LZ4F_blockIndependent;
    prefs.compressionLevel = level;
    prefs.autoFlush = 1;
    return prefs;
}

static size_t lz4_bound(enum compress_form form, size_t n)
{
    if (form != FORM_KAFKA)
        return (size_t)LZ4_compressBound((int)n);
    LZ4F_preferences_t prefs = lz4_prefs(0);
    return LZ4F_compressBound(n, &prefs) + LZ4F_HEADER_SIZE_MAX + 16;
}

static size_t lz4_raw_compress(struct compress_ctx *ctx, int level, const void *in, size_t n, uint8_t *out,
                               size_t capacity)
{
    int room = capacity > INT_MAX ? INT_MAX : (int)capacity;
    int size;
    if (level >= LZ4_HC_LEVEL) {
        if (ctx->lz4_hc_state == NULL)
            ctx->lz4_hc_state = mem_new((size_t)LZ4_sizeofStateHC());
        size = LZ4_compress_HC_extStateHC(ctx->lz4_hc_state, in, (char *)out, (int)n, room, level);
    } else {
        if (ctx->lz4_state == NULL)
            ctx->lz4_state = mem_new((size_t)LZ4_sizeofState());
        size = LZ4_compress_fast_extState(ctx->lz4_state, in, (char *)out, (int)n, room,
                                          level < 0 ? -level : 1);
    }
    CHECK(size > 0);
    return (size_t)size;
}

static size_t lz4_compress(struct compress_ctx *ctx, enum compress_form form, int level, const void *in,
                           size_t n, uint8_t *out, size_t capacity)
{
    if (form != FORM_KAFKA)
        return lz4_raw_compress(ctx, level, in, n, out, capacity);
    if (ctx->lz4f_compress == NULL &&
        LZ4F_isError(LZ4F_createCompressionContext(&ctx->lz4f_compress, LZ4F_VERSION)))
        mem_exhausted(256 * 1024);
    LZ4F_preferences_t prefs = lz4_prefs(level);
    size_t at = LZ4F_compressBegin(ctx->lz4f_compress, out, capacity, &prefs);
    CHECK(!LZ4F_isError(at));
    size_t more = n ? LZ4F_compressUpdate(ctx->lz4f_compress, out + at, capacity - at, in, n, NULL) : 0;
    CHECK(!LZ4F_isError(more));
    at += more;
    more = LZ4F_compressEnd(ctx->lz4f_compress, out + at, capacity - at, NULL);
    CHECK(!LZ4F_isError(more));
    return at + more;
}

static bool lz4_raw(struct str in, struct sink *s, size_t most, struct err *err)
{
    size_t room = s->limit - s->n < most ? s->limit - s->n : most;
    if (room / HINT_RATIO > in.n)
        room = (in.n + 1) * HINT_RATIO; /* a raw block does not say its size: as much as can come out of it */
    uint8_t none[1];
    bool has_room = room > 0 && sink_room(s, room);
    uint8_t *to = has_room ? s->p + s->n : none;
    if (has_room && room > s->capacity - s->n)
        room = s->capacity - s->n;
    int n = LZ4_decompress_safe(in.p, (char *)to, (int)in.n, has_room ? (int)room : (int)sizeof none);
    if (n < 0 || (n > 0 && !has_room))
        return bad(err, CODEC_LZ4, "the data is damaged, or more comes out of it than expected");
    s->n += (size_t)n;
    return true;
}

static bool lz4_frames(struct compress_ctx *ctx, struct str in, struct sink *s, struct err *err)
{
    if (ctx->lz4f_decompress == NULL &&
        LZ4F_isError(LZ4F_createDecompressionContext(&ctx->lz4f_decompress, LZ4F_VERSION)))
        mem_exhausted(256 * 1024);
    LZ4F_resetDecompressionContext(ctx->lz4f_decompress);
    size_t left = 1; /* 0: a frame has ended */
    while (in.n > 0 || left != 0) {
        uint8_t none[1];
        bool room = sink_room(s, in.n * 2);
        size_t out_n = room ? s->capacity - s->n : sizeof none, in_n = in.n;
        left = LZ4F_decompress(ctx->lz4f_decompress, room ? s->p + s->n : none, &out_n, in.p, &in_n, NULL);
        if (LZ4F_isError(left))
            return bad(err, CODEC_LZ4, LZ4F_getErrorName(left));
        if (!room && out_n > 0)
            return sink_over(err, CODEC_LZ4, s);
        s->n += out_n;
        in = str_n(in.p + in_n, in.n - in_n);
        if (in_n == 0 && out_n == 0 && left != 0)
            return bad(err, CODEC_LZ4, "the data is cut");
    }
    return true;
}

static bool lz4_decompress(struct compress_ctx *ctx, enum compress_form form, struct str in, struct sink *s,
                           struct err *err)
{
    if (form == FORM_KAFKA)
        return lz4_frames(ctx, in, s, err);
    size_t before = s->n;
    if (form == FORM_HADOOP && hadoop_decompress(CODEC_LZ4, lz4_raw, in, s, NULL))
        return true;
    s->n = before;
    return lz4_raw(in, s, SIZE_MAX, err);
}

/* ---- zstd ------------------------------------------------------------------------------------------ */

static size_t zstd_bound(enum compress_form form, size_t n)
{
    (void)form;
    return ZSTD_compressBound(n);
}

static size_t zstd_compress(struct compress_ctx *ctx, enum compress_form form, int level, const void *in,
                            size_t n, uint8_t *out, size_t capacity)
{
    (void)form;
    if (ctx->zstd_compress == NULL && (ctx->zstd_compress = ZSTD_createCCtx()) == NULL)
        mem_exhausted(1024 * 1024);
    size_t size = ZSTD_compressCCtx(ctx->zstd_compress, out, capacity, in, n, level);
    CHECK(!ZSTD_isError(size));
    return size;
}

/* The window of a frame is memory that its header alone asks for. */
static int zstd_window_log(const struct sink *s)
{
    int log = WINDOW_LOG_MIN;
    while (log < WINDOW_LOG_MAX && ((size_t)1 << log) < s->limit)
        log++;
    return log;
}

static bool zstd_frames(struct compress_ctx *ctx, struct str in, struct sink *s, struct err *err)
{
    ZSTD_DCtx_reset(ctx->zstd_decompress, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(ctx->zstd_decompress, ZSTD_d_windowLogMax, zstd_window_log(s));
    ZSTD_inBuffer from = {in.p, in.n, 0};
    size_t left = 1; /* 0: a frame has ended */
    while (from.pos < from.size || left != 0) {
        uint8_t none[1];
        bool room = sink_room(s, in.n * 2);
        ZSTD_outBuffer to = {room ? s->p + s->n : none, room ? s->capacity - s->n : sizeof none, 0};
        size_t before = from.pos;
        left = ZSTD_decompressStream(ctx->zstd_decompress, &to, &from);
        if (ZSTD_isError(left))
            return bad(err, CODEC_ZSTD, ZSTD_getErrorName(left));
        if (!room && to.pos > 0)
            return sink_over(err, CODEC_ZSTD, s);
        s->n += to.pos;
        if (from.pos == before && to.pos == 0 && left != 0)
            return bad(err, CODEC_ZSTD, "the data is cut");
    }
    return true;
}

static bool zstd_decompress(struct compress_ctx *ctx, enum compress_form form, struct str in, struct sink *s,
                            struct err *err)
{
    (void)form;
    if (ctx->zstd_decompress == NULL && (ctx->zstd_decompress = ZSTD_createDCtx()) == NULL)
        mem_exhausted(1024 * 1024);
    unsigned long long says = ZSTD_getFrameContentSize(in.p, in.n);
    bool known = says != ZSTD_CONTENTSIZE_UNKNOWN && says != ZSTD_CONTENTSIZE_ERROR;
    if (known && ZSTD_findFrameCompressedSize(in.p, in.n) != in.n)
        known = false; /* several frames, or a damaged one */
    if (known && says > s->limit - s->n)
        return sink_over(err, CODEC_ZSTD, s);
    bool trusted = known && says > 0 && (s->grow == NULL || says / HINT_RATIO <= in.n);
    if (!trusted || !sink_room(s, (size_t)says) || s->capacity - s->n < says)
        return zstd_frames(ctx, in, s, err);
    size_t n = ZSTD_decompressDCtx(ctx->zstd_decompress, s->p + s->n, s->capacity - s->n, in.p, in.n);
    if (ZSTD_isError(n))
        return bad(err, CODEC_ZSTD, ZSTD_getErrorName(n));
    s->n += n;
    return true;
}

/* ---- the table ------------------------------------------------------------------------------------- */

static const struct codec_row {
    const char *name;
    int level_min, level_max, level_default; /* min = max: no levels */
    size_t (*bound)(enum compress_form form, size_t n);
    size_t (*compress)(struct compress_ctx *ctx, enum compress_form form, int level, const void *in, size_t n,
                       uint8_t *out, size_t capacity);
    bool (*decompress)(struct compress_ctx *ctx, enum compress_form form, struct str in, struct sink *s,
                       struct err *err);
} codecs[CODEC_COUNT] = {
    [CODEC_NONE] = {"none", 0, 0, 0, none_bound, none_compress, none_decompress},
    [CODEC_GZIP] = {"gzip", 1, 9, 6, gzip_bound, gzip_compress, gzip_decompress},
    [CODEC_SNAPPY] = {"snappy", 0, 0, 0, snappy_bound, snappy_compress_form, snappy_decompress},
    [CODEC_LZ4] = {"lz4", -64, 12, 0, lz4_bound, lz4_compress, lz4_decompress},
    [CODEC_ZSTD] = {"zstd", -64, 22, 3, zstd_bound, zstd_compress, zstd_decompress},
};

const char *codec_name(enum codec codec)
{
    return (unsigned)codec < CODEC_COUNT ? codecs[codec].name : "unknown";
}

bool codec_find(struct str name, enum codec *codec)
{
    for (unsigned i = 0; i < CODEC_COUNT; i++) {
        if (str_eq_nocase(name, str_of(codecs[i].name))) {
            *codec = (enum codec)i;
            return true;
        }
    }
    *codec = CODEC_NONE;
    return str_eq_nocase(name, STR("uncompressed"));
}

bool codec_levels(enum codec codec, int *lowest, int *highest)
{
    CHECK((unsigned)codec < CODEC_COUNT);
    *lowest = codecs[codec].level_min;
    *highest = codecs[codec].level_max;
    return *lowest < *highest;
}

struct compress_ctx *compress_ctx_new(void)
{
    return mem_new(sizeof(struct compress_ctx));
}

void compress_ctx_free(struct compress_ctx *ctx)
{
    if (ctx == NULL)
        return;
    if (ctx->has_deflate)
        deflateEnd(&ctx->deflate);
    if (ctx->has_inflate)
        inflateEnd(&ctx->inflate);
    LZ4F_freeCompressionContext(ctx->lz4f_compress);
    LZ4F_freeDecompressionContext(ctx->lz4f_decompress);
    mem_free(ctx->lz4_state);
    mem_free(ctx->lz4_hc_state);
    ZSTD_freeCCtx(ctx->zstd_compress);
    ZSTD_freeDCtx(ctx->zstd_decompress);
    mem_free(ctx);
}

size_t codec_bound(enum codec codec, enum compress_form form, size_t n)
{
    CHECK((unsigned)codec < CODEC_COUNT);
    if (n > COMPRESS_INPUT_MAX)
        n = COMPRESS_INPUT_MAX;
    return codecs[codec].bound(form, n);
}

bool codec_compress(struct compress_ctx *ctx, enum codec codec, enum compress_form form, int level,
                    const void *in, size_t n, uint8_t *out, size_t capacity, size_t *out_n, struct err *err)
{
    CHECK((unsigned)codec < CODEC_COUNT && form != FORM_HADOOP && form != FORM_AVRO);
    const struct codec_row *row = &codecs[codec];
    if (n > COMPRESS_INPUT_MAX)
        return err_set(err, ERR_DATA, "cannot compress %zu bytes at once: the limit is %d", n,
                       COMPRESS_INPUT_MAX);
    CHECK(capacity >= row->bound(form, n));
    if (level == COMPRESS_LEVEL_DEFAULT)
        level = row->level_default;
    level = level < row->level_min ? row->level_min : level > row->level_max ? row->level_max : level;
    *out_n = row->compress(ctx, form, level, in, n, out, capacity);
    CHECK(*out_n <= capacity);
    return true;
}

static bool run(struct compress_ctx *ctx, enum codec codec, enum compress_form form, const void *in, size_t n,
                struct sink *s, struct err *err)
{
    if ((unsigned)codec >= CODEC_COUNT)
        return err_set(err, ERR_DATA, "cannot decompress: there is no codec %d", (int)codec);
    if (n > COMPRESS_OUTPUT_MAX)
        return err_set(err, ERR_DATA, "cannot decompress %zu bytes at once: the limit is %d", n,
                       COMPRESS_OUTPUT_MAX);
    if (n == 0 && codec != CODEC_NONE)
        return bad(err, codec, "there are no bytes");
    return codecs[codec].decompress(ctx, form, str_n(in, n), s, err);
}

bool codec_decompress(struct compress_ctx *ctx, enum codec codec, enum compress_form form, const void *in,
                      size_t n, struct sbuf *out, size_t limit, struct err *err)
{
    struct sink s = {
        .limit = limit < COMPRESS_OUTPUT_MAX ? limit : COMPRESS_OUTPUT_MAX, .grow = out, .base = out->n};
    bool done = run(ctx, codec, form, in, n, &s, err);
    out->n = s.base;
    if (out->p)
        sbuf_added(out, done ? s.n : 0);
    return done;
}

static void release_sbuf(struct buf *buf, void *arg)
{
    (void)arg;
    mem_free(buf->p);
    mem_free(buf);
}

bool codec_decompress_buf(struct compress_ctx *ctx, enum codec codec, enum compress_form form, const void *in,
                          size_t n, size_t limit, struct buf **out, struct err *err)
{
    struct sbuf bytes = {0};
    *out = NULL;
    if (!codec_decompress(ctx, codec, form, in, n, &bytes, limit, err)) {
        sbuf_fini(&bytes);
        return false;
    }
    struct buf *buf = mem_new(sizeof *buf);
    *buf = (struct buf){.p = (uint8_t *)bytes.p,
                        .n = bytes.n,
                        .capacity = bytes.capacity,
                        .refs = 1,
                        .release = release_sbuf};
    *out = buf;
    return true;
}

bool codec_decompress_exact(struct compress_ctx *ctx, enum codec codec, enum compress_form form,
                            const void *in, size_t n, uint8_t *out, size_t out_n, struct err *err)
{
    if (n == 0 && out_n == 0)
        return true;
    struct sink s = {.p = out, .capacity = out_n, .limit = out_n};
    TRY(run(ctx, codec, form, in, n, &s, err));
    if (s.n != out_n)
        return err_set(err, ERR_DATA, "cannot decompress %s: %zu bytes came out of it, %zu were expected",
                       codec_name(codec), s.n, out_n);
    return true;
}

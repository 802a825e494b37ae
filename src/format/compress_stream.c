/* Compressed files in pieces: the same codecs as compress.c, but fed and drained in whatever pieces the
 * caller has, with the libraries' own state in between. Members and frames that follow each other are one
 * file, as gzip and zstd tools have it; zero bytes after the last gzip member (tape padding) are ignored,
 * as gzip ignores them. */
#include <limits.h>
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "format/compress.h"

enum { WINDOW_LOG_MAX = 27 }; /* zstd: 128 MiB of window, what `zstd -d` takes without --long */

struct inflate_stream {
    enum codec codec;
    bool failed;
    bool whole; /* at the border of members: the file may end here */
    z_stream gzip;
    LZ4F_dctx *lz4;
    ZSTD_DStream *zstd;
};

enum codec inflate_stream_detect(const void *p, size_t n)
{
    const uint8_t *b = p;
    if (n >= 3 && b[0] == 0x1F && b[1] == 0x8B && b[2] == 8)
        return CODEC_GZIP;
    if (n >= 4 && get_le32(p) == 0xFD2FB528)
        return CODEC_ZSTD;
    if (n >= 4 && get_le32(p) == 0x184D2204)
        return CODEC_LZ4;
    return CODEC_NONE;
}

enum codec inflate_stream_codec_of_name(struct str name)
{
    static const struct {
        struct str end;
        enum codec codec;
    } ends[] = {{{".gz", 3}, CODEC_GZIP},
                {{".zst", 4}, CODEC_ZSTD},
                {{".zstd", 5}, CODEC_ZSTD},
                {{".lz4", 4}, CODEC_LZ4}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (name.n > ends[i].end.n &&
            str_eq_nocase(str_n(name.p + name.n - ends[i].end.n, ends[i].end.n), ends[i].end))
            return ends[i].codec;
    return CODEC_NONE;
}

struct inflate_stream *inflate_stream_new(enum codec codec)
{
    struct inflate_stream *s = mem_new(sizeof *s);
    CHECK((unsigned)codec < CODEC_COUNT && codec != CODEC_SNAPPY);
    s->codec = codec;
    s->whole = true;
    bool done = true;
    if (codec == CODEC_GZIP)
        done = inflateInit2(&s->gzip, 15 + 32) == Z_OK;
    else if (codec == CODEC_LZ4)
        done = !LZ4F_isError(LZ4F_createDecompressionContext(&s->lz4, LZ4F_VERSION));
    else if (codec == CODEC_ZSTD)
        done = (s->zstd = ZSTD_createDStream()) != NULL;
    if (!done)
        mem_exhausted(256 * 1024);
    if (s->zstd)
        ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    return s;
}

void inflate_stream_free(struct inflate_stream *s)
{
    if (s == NULL)
        return;
    if (s->codec == CODEC_GZIP)
        inflateEnd(&s->gzip);
    LZ4F_freeDecompressionContext(s->lz4);
    ZSTD_freeDStream(s->zstd);
    mem_free(s);
}

static bool failed(struct inflate_stream *s, const char *why, struct err *err)
{
    s->failed = true;
    return err_set(err, ERR_DATA, "cannot read the %s file: %s", codec_name(s->codec),
                   why ? why : "the data is damaged");
}

/* One call of the library: takes *in_n of in, gives *out_n. Each keeps s->whole up to date. */
static bool step_gzip(struct inflate_stream *s, const char *in, size_t *in_n, uint8_t *out, size_t *out_n,
                      struct err *err)
{
    size_t zeros = 0;
    while (s->whole && zeros < *in_n && s->gzip.total_out > 0 && in[zeros] == 0)
        zeros++;
    if (zeros > 0) {
        *in_n = zeros, *out_n = 0;
        return true;
    }
    if (s->whole)
        inflateReset(&s->gzip);
    s->whole = false;
    s->gzip.next_in = (z_const Bytef *)in;
    s->gzip.avail_in = *in_n > UINT_MAX ? UINT_MAX : (uInt)*in_n;
    s->gzip.next_out = out;
    s->gzip.avail_out = *out_n > UINT_MAX ? UINT_MAX : (uInt)*out_n;
    int rc = inflate(&s->gzip, Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return failed(s, s->gzip.msg, err);
    s->whole = rc == Z_STREAM_END;
    *in_n = (size_t)((const char *)s->gzip.next_in - in);
    *out_n = (size_t)(s->gzip.next_out - out);
    return true;
}

static bool step_lz4(struct inflate_stream *s, const char *in, size_t *in_n, uint8_t *out, size_t *out_n,
                     struct err *err)
{
    size_t left = LZ4F_decompress(s->lz4, out, out_n, in, in_n, NULL);
    if (LZ4F_isError(left))
        return failed(s, LZ4F_getErrorName(left), err);
    s->whole = left == 0;
    return true;
}

static bool step_zstd(struct inflate_stream *s, const char *in, size_t *in_n, uint8_t *out, size_t *out_n,
                      struct err *err)
{
    ZSTD_inBuffer from = {in, *in_n, 0};
    ZSTD_outBuffer to = {out, *out_n, 0};
    size_t left = ZSTD_decompressStream(s->zstd, &to, &from);
    if (ZSTD_isError(left))
        return failed(s, ZSTD_getErrorName(left), err);
    s->whole = left == 0;
    *in_n = from.pos;
    *out_n = to.pos;
    return true;
}

static bool step_none(struct inflate_stream *s, const char *in, size_t *in_n, uint8_t *out, size_t *out_n,
                      struct err *err)
{
    (void)s, (void)err;
    if (*in_n > *out_n)
        *in_n = *out_n;
    memcpy(out, in, *in_n);
    *out_n = *in_n;
    return true;
}

bool inflate_stream_step(struct inflate_stream *s, struct str *in, uint8_t *out, size_t capacity,
                         size_t *out_n, struct err *err)
{
    typedef bool step(struct inflate_stream *, const char *, size_t *, uint8_t *, size_t *, struct err *);
    static step *const steps[CODEC_COUNT] = {
        [CODEC_NONE] = step_none, [CODEC_GZIP] = step_gzip, [CODEC_LZ4] = step_lz4, [CODEC_ZSTD] = step_zstd};
    *out_n = 0;
    if (s->failed)
        return failed(s, NULL, err);
    while (*out_n < capacity) {
        /* Between members a library must not be asked to begin one that is not there. */
        if (in->n == 0 && s->whole)
            return true;
        size_t took = in->n, gave = capacity - *out_n;
        TRY(steps[s->codec](s, in->n ? in->p : "", &took, out + *out_n, &gave, err));
        *in = str_n(in->n ? in->p + took : in->p, in->n - took);
        *out_n += gave;
        if (took == 0 && gave == 0)
            return true;
    }
    return true;
}

bool inflate_stream_end(const struct inflate_stream *s, struct err *err)
{
    if (s->failed || !s->whole)
        return err_set(err, ERR_DATA, "cannot read the %s file: it is cut", codec_name(s->codec));
    return true;
}

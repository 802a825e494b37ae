/* Compression as the outside formats have it: Kafka's record batches, Parquet's pages. One table of
 * codecs, whose numbers are Kafka's; and the forms of what a codec's bytes look like.
 *
 *   codec     FORM_KAFKA (also files)                    FORM_PARQUET        FORM_HADOOP (read only)
 *   none      the bytes                                  the bytes           the bytes
 *   gzip      RFC 1952, members may follow each other    the same            the same
 *   snappy    written: xerial framing, 32 KiB blocks     raw block           be32 framing, or a raw block
 *             read: xerial framing or one raw block
 *   lz4       standard frame, independent 64 KiB blocks  raw block (LZ4_RAW) be32 framing, or a raw block
 *   zstd      frames                                     the same            the same
 *
 * FORM_AVRO, the blocks of its files, read only: gzip is bare deflate (RFC 1951), snappy a raw block and the be32 CRC-32 of what it
 * holds, none and zstd are as above; no lz4.
 *
 * A context keeps the libraries' working memory, so that a call does not allocate (snappy's C interface
 * does, inside, and that cannot be helped). Bad input is ERR_DATA, never a crash, and output never grows
 * past the limit given. */
#ifndef FORMAT_COMPRESS_H
#define FORMAT_COMPRESS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum codec { CODEC_NONE = 0, CODEC_GZIP = 1, CODEC_SNAPPY = 2, CODEC_LZ4 = 3, CODEC_ZSTD = 4, CODEC_COUNT };

enum compress_form { FORM_KAFKA, FORM_PARQUET, FORM_HADOOP, FORM_AVRO };

enum {
    COMPRESS_LEVEL_DEFAULT = -1000000, /* gzip 6, zstd 3, lz4 0 (fast); snappy has none */
    COMPRESS_INPUT_MAX = 1 << 30,      /* bytes of one codec_compress() call */
    COMPRESS_OUTPUT_MAX = 0x7FFFFFFF,  /* the largest limit that codec_decompress() honours */
};

/* "none", "gzip", "snappy", "lz4", "zstd". */
const char *codec_name(enum codec codec);
/* The codec of that name ("uncompressed" too), ASCII case ignored. */
bool codec_find(struct str name, enum codec *codec);
/* The lowest and highest level that the codec takes; false where it has no levels. */
bool codec_levels(enum codec codec, int *lowest, int *highest);

/* Working memory of codec_compress and codec_decompress: one per role or writer, not shared between roles. */
struct compress_ctx;
struct compress_ctx *compress_ctx_new(void) __attribute__((returns_nonnull));
void compress_ctx_free(struct compress_ctx *ctx); /* NULL is fine */

/* Bytes that codec_compress() may need for n bytes of input. */
size_t codec_bound(enum codec codec, enum compress_form form, size_t n);
/* in[n] → out[capacity], capacity ≥ codec_bound; *out_n = bytes written. level: see codec_levels, or
 * COMPRESS_LEVEL_DEFAULT; one outside the range is brought into it. Fails (ERR_DATA) only for n >
 * COMPRESS_INPUT_MAX. */
bool codec_compress(struct compress_ctx *ctx, enum codec codec, enum compress_form form, int level,
                    const void *in, size_t n, uint8_t *out, size_t capacity, size_t *out_n, struct err *err);

/* in[n] → appended to out, at most `limit` bytes more (ERR_DATA past it). On an error out is as it was. */
bool codec_decompress(struct compress_ctx *ctx, enum codec codec, enum compress_form form, const void *in,
                      size_t n, struct sbuf *out, size_t limit, struct err *err);
/* As codec_decompress, into a buffer of its own: one reference, given; what columns' views may point into. */
bool codec_decompress_buf(struct compress_ctx *ctx, enum codec codec, enum compress_form form, const void *in,
                          size_t n, size_t limit, struct buf **out, struct err *err);
/* in[n] → exactly out[out_n], as Parquet knows it beforehand; any other size is ERR_DATA. */
bool codec_decompress_exact(struct compress_ctx *ctx, enum codec codec, enum compress_form form,
                            const void *in, size_t n, uint8_t *out, size_t out_n, struct err *err);

/* ---- files, in pieces ------------------------------------------------------------------------------ */

/* A .gz or .zst file as it is read: gzip members and zstd frames may follow each other; lz4 frames too. Not
 * snappy. */
struct inflate_stream;

/* The codec that the first bytes of a file show; CODEC_NONE where they show none. 4 bytes are enough. */
enum codec inflate_stream_detect(const void *p, size_t n);
/* "x.gz" → gzip, "x.zst" "x.zstd" → zstd, "x.lz4" → lz4, else none. */
enum codec inflate_stream_codec_of_name(struct str name);
/* codec: gzip, lz4, zstd or none (copies). */
struct inflate_stream *inflate_stream_new(enum codec codec) __attribute__((returns_nonnull));
void inflate_stream_free(struct inflate_stream *s); /* NULL is fine */
/* Takes some of in->p[in->n] (in is moved on) and puts at most `capacity` bytes to out; *out_n = how many.
 * To be called again with more input when in->n is 0 and *out_n < capacity. ERR_DATA where the file is
 * damaged; the error is sticky. */
bool inflate_stream_step(struct inflate_stream *s, struct str *in, uint8_t *out, size_t capacity,
                         size_t *out_n, struct err *err);
/* At the end of the file: false (ERR_DATA) where the last member or frame is cut. */
bool inflate_stream_end(const struct inflate_stream *s, struct err *err);

#endif

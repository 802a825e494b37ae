/* Decompression of hostile bytes: every codec, every form, in one piece and as a file in pieces. The first
 * byte chooses. */
#include "format/compress.h"

enum { LIMIT = 1 << 20 };

static void in_pieces(enum codec codec, const uint8_t *data, size_t size)
{
    struct inflate_stream *s = inflate_stream_new(codec);
    struct str in = str_n(data, size);
    uint8_t out[777];
    size_t gave, all = 0;
    struct err err;
    do {
        if (!inflate_stream_step(s, &in, out, sizeof out, &gave, &err))
            break;
        all += gave;
    } while (gave == sizeof out && all < LIMIT);
    inflate_stream_end(s, &err);
    inflate_stream_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum codec codec = (enum codec)(data[0] % (CODEC_COUNT + 1));
    enum compress_form form = (enum compress_form)(data[0] / 8 % 3);
    struct compress_ctx *ctx = compress_ctx_new();
    struct sbuf out = {0};
    struct err err;
    bool done = codec_decompress(ctx, codec, form, data + 1, size - 1, &out, LIMIT, &err);
    CHECK(out.n <= LIMIT && (done || err.class == ERR_DATA));
    uint8_t *exact = mem_new(out.n + 1);
    bool again = codec_decompress_exact(ctx, codec, form, data + 1, size - 1, exact, out.n, &err);
    /* A raw LZ4 block that breaks the rules for its end is accepted or not as there is room behind. */
    bool may_differ = codec == CODEC_LZ4 && form != FORM_KAFKA;
    CHECK(!done || again || may_differ);
    CHECK(!done || !again || out.n == 0 || memcmp(out.p, exact, out.n) == 0);
    if (codec < CODEC_COUNT && codec != CODEC_SNAPPY)
        in_pieces(codec, data + 1, size - 1);
    mem_free(exact);
    sbuf_fini(&out);
    compress_ctx_free(ctx);
    return 0;
}

/* A leaf's column chunk as a stream of entries. Bytes come through a window of the file that moves forward;
 * a page is decompressed whole, its levels and values are read in pieces. Buffers that views point into are
 * counted references: the window itself for uncompressed pages, the decompressed page else; they go to the
 * batch at the hand-over. */
#include "format/parquet_read_i.h"

#include <stdarg.h>
#include <zlib.h>

enum { HEADER_FIRST = 512, SLACK = 16 };

bool rleaf_broken(const struct rleaf *leaf, struct err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_vset(err, ERR_DATA, format, args);
    va_end(args);
    return err_context(err, "column \"%s\"", leaf->name);
}

/* ---- buffers --------------------------------------------------------------------------------------- */

void rleaf_hold(struct rleaf *leaf, struct buf *buf)
{
    if (leaf->held_count > 0 && leaf->held[leaf->held_count - 1] == buf)
        return;
    leaf->held = mem_grow(leaf->held, &leaf->held_capacity, leaf->held_count + 1, sizeof(struct buf *));
    leaf->held[leaf->held_count++] = buf_ref(buf);
}

static void drop(struct buf **buf)
{
    buf_unref(*buf);
    *buf = NULL;
}

static void drop_held(struct rleaf *leaf)
{
    for (size_t i = 0; i < leaf->held_count; i++)
        buf_unref(leaf->held[i]);
    leaf->held_count = 0;
}

/* Views of this batch point into these. */
static void hold_sources(struct rleaf *leaf)
{
    if (!leaf->is_view)
        return;
    if (leaf->is_dict && leaf->dictionary.values) {
        rleaf_hold(leaf, leaf->dictionary.values);
        if (leaf->dictionary.page)
            rleaf_hold(leaf, leaf->dictionary.page);
        if (leaf->dictionary.text)
            rleaf_hold(leaf, leaf->dictionary.text);
    } else if (leaf->page) {
        rleaf_hold(leaf, leaf->page);
    }
}

/* The values that wait for the next batch, with their bytes in a buffer of their own. */
static void rehome(struct rleaf *leaf)
{
    struct pending *p = &leaf->pending;
    struct view *v = (struct view *)(void *)p->values;
    size_t bytes = 0;
    for (uint32_t i = 0; i < p->value_count; i++)
        bytes += v[i].size > VIEW_INLINE ? v[i].size : 0;
    struct buf *home = buf_new(bytes + 1);
    char *at = (char *)home->p;
    for (uint32_t i = 0; i < p->value_count; i++) {
        if (v[i].size <= VIEW_INLINE)
            continue;
        memcpy(at, v[i].far.p, v[i].size);
        v[i].far.p = at;
        at += v[i].size;
    }
    drop_held(leaf);
    rleaf_hold(leaf, home);
    buf_unref(home);
}

void rleaf_hand_over(struct rleaf *leaf, struct batch *batch)
{
    const struct pending *p = &leaf->pending;
    for (size_t i = 0; i < leaf->held_count; i++)
        batch_hold(batch, leaf->held[i]);
    if (!leaf->is_view || p->value_count == 0) {
        drop_held(leaf);
    } else if (p->value_count > p->fresh || leaf->has_extra) {
        rehome(leaf);
    } else {
        drop_held(leaf);
        hold_sources(leaf);
    }
    leaf->has_extra = p->value_count > 0 && leaf->has_extra;
}

static void drop_dictionary(struct rleaf *leaf)
{
    drop(&leaf->dictionary.values);
    drop(&leaf->dictionary.page);
    drop(&leaf->dictionary.text);
    leaf->dictionary.count = 0;
}

void rleaf_fini(struct rleaf *leaf)
{
    drop(&leaf->window);
    drop(&leaf->page);
    drop(&leaf->last);
    drop_dictionary(leaf);
    drop_held(leaf);
    mem_free(leaf->held);
    mem_free(leaf->pending.def);
    mem_free(leaf->pending.rep);
    mem_free(leaf->pending.values);
}

/* ---- the window ------------------------------------------------------------------------------------ */

/* The window covers the next n bytes at leaf->at, which are in the chunk. */
static bool need(struct rleaf *leaf, size_t n, struct err *err)
{
    if (leaf->window && leaf->at >= leaf->window_at && leaf->at + n <= leaf->window_at + leaf->window->n)
        return true;
    uint64_t left = leaf->end - leaf->at;
    if (n > left)
        return rleaf_broken(leaf, err, "a page is longer than its column chunk");
    size_t size = n > leaf->read_bytes ? n : left < leaf->read_bytes ? (size_t)left : leaf->read_bytes;
    struct buf *old = leaf->window, *window = old;
    size_t known = 0; /* bytes that the old window has already */
    if (old && leaf->at >= leaf->window_at && leaf->at < leaf->window_at + old->n)
        known = (size_t)(leaf->window_at + old->n - leaf->at);
    if (old == NULL || old->refs > 1 || old->capacity < size + SLACK) {
        window = buf_try_new(size + SLACK);
        if (window == NULL)
            return rleaf_broken(leaf, err, "there is no memory for a page of %zu bytes", n);
    }
    if (known > 0)
        memmove(window->p, old->p + (leaf->at - leaf->window_at), known);
    if (window != old)
        buf_unref(old);
    leaf->window = window;
    leaf->window_at = leaf->at;
    window->n = 0;
    TRY(file_read(leaf->file, leaf->at + known, size - known, window->p + known, err));
    memset(window->p + size, 0, SLACK);
    window->n = size;
    return true;
}

static const uint8_t *window_bytes(const struct rleaf *leaf)
{
    return leaf->window->p + (leaf->at - leaf->window_at);
}

/* ---- pages ----------------------------------------------------------------------------------------- */

bool rleaf_begin(struct rleaf *leaf, const struct pq_row_group *group, struct err *err)
{
    const struct pq_column_chunk *chunk = (const struct pq_column_chunk *)group->columns.items + leaf->index;
    const struct pq_column_meta *m = &chunk->meta;
    drop(&leaf->window);
    drop(&leaf->page);
    drop(&leaf->last);
    drop_dictionary(leaf);
    drop_held(leaf);
    leaf->has_extra = false;
    leaf->pending.n = leaf->pending.rows = leaf->pending.value_count = leaf->pending.fresh = 0;
    leaf->left = 0;
    leaf->meta = m;
    if (THRIFT_HAS(chunk, PQ_K_CRYPTO) || THRIFT_HAS(chunk, PQ_K_ENCRYPTED_META))
        return rleaf_broken(leaf, err, "it is encrypted");
    if (THRIFT_HAS(chunk, PQ_K_FILE_PATH) && chunk->file_path.n > 0)
        return rleaf_broken(leaf, err, "it is in another file, \"%.*s\"", STR_ARG(chunk->file_path));
    if (!THRIFT_HAS(chunk, PQ_K_META))
        return rleaf_broken(leaf, err, "it has no metadata");
    if (m->codec < 0 || m->codec >= PQ_CODECS || m->codec == PQ_LZO || m->codec == PQ_BROTLI)
        return rleaf_broken(leaf, err, "its codec %s (%d) is not supported", pq_codec_name(m->codec),
                            m->codec);
    if (m->type != leaf->leaf->element->type)
        return rleaf_broken(leaf, err, "it is %s in a row group, %s in the schema", pq_type_name(m->type),
                            pq_type_name(leaf->leaf->element->type));
    int64_t start = m->data_page_offset;
    if (THRIFT_HAS(m, PQ_C_DICTIONARY) && m->dictionary_page_offset > 0 && m->dictionary_page_offset < start)
        start = m->dictionary_page_offset;
    uint64_t size = leaf->file->source.size;
    if (start < 0 || (uint64_t)start > size || m->total_compressed_size < 0 || m->num_values < 0)
        return rleaf_broken(leaf, err, "its place in the file is damaged");
    leaf->at = (uint64_t)start;
    leaf->end = leaf->at + (uint64_t)m->total_compressed_size;
    /* Some writers left the dictionary page's header out of the size: a bit more may be read. */
    leaf->end = leaf->end + 128 > size || leaf->end + 128 < leaf->at ? size : leaf->end + 128;
    leaf->values_left = m->num_values;
    return true;
}

/* Parses the header at leaf->at, and moves behind it. */
static bool page_header(struct rleaf *leaf, struct pq_page_header *h, struct err *err)
{
    uint64_t left = leaf->end - leaf->at;
    size_t n = left < HEADER_FIRST ? (size_t)left : HEADER_FIRST;
    for (;;) {
        TRY(need(leaf, n, err));
        size_t known = (size_t)(leaf->window_at + leaf->window->n - leaf->at);
        struct rd r = rd_of(window_bytes(leaf), known);
        memset(h, 0, sizeof *h);
        struct arena none = {.limit = 4096}; /* no lists are in it */
        bool done = thrift_read(&r, &pq_page_header_table, h, &none, err);
        arena_fini(&none);
        if (done) {
            leaf->at += (size_t)(r.p - window_bytes(leaf));
            break;
        }
        if (!r.bad || known >= left || n >= PARQUET_PAGE_HEADER_MAX)
            return rleaf_broken(leaf, err, "a page header is damaged");
        n = known * 2 < left ? known * 2 : (size_t)left;
    }
    left = leaf->end - leaf->at;
    if (h->compressed_size < 0 || (uint64_t)h->compressed_size > left)
        return rleaf_broken(leaf, err, "a page of %d bytes is longer than its column chunk",
                            h->compressed_size);
    if (h->uncompressed_size < 0 || h->uncompressed_size > PARQUET_PAGE_MAX)
        return rleaf_broken(leaf, err, "a page of %d bytes is larger than %d", h->uncompressed_size,
                            PARQUET_PAGE_MAX);
    TRY(need(leaf, (size_t)h->compressed_size, err));
    if (leaf->verify && THRIFT_HAS(h, PQ_P_CRC) &&
        (uint32_t)h->crc != (uint32_t)crc32_z(0, window_bytes(leaf), (size_t)h->compressed_size))
        return rleaf_broken(leaf, err, "the checksum of a page is wrong");
    return true;
}

static const struct codec_of {
    enum codec codec;
    enum compress_form form;
    uint32_t ratio; /* no page comes out larger than that times its bytes */
} codec_table[PQ_CODECS] = {
    [PQ_UNCOMPRESSED] = {CODEC_NONE, FORM_PARQUET, 1}, [PQ_SNAPPY] = {CODEC_SNAPPY, FORM_PARQUET, 64},
    [PQ_GZIP] = {CODEC_GZIP, FORM_PARQUET, 1100},      [PQ_LZ4] = {CODEC_LZ4, FORM_HADOOP, 256},
    [PQ_ZSTD] = {CODEC_ZSTD, FORM_PARQUET, 48 * 1024}, [PQ_LZ4_RAW] = {CODEC_LZ4, FORM_PARQUET, 256},
};

/* in[n] → leaf->page of `size` bytes, the first `head` of which are not compressed. *out = where they are. */
static bool unpack(struct rleaf *leaf, const uint8_t *in, size_t n, size_t head, size_t size,
                   bool is_compressed, const uint8_t **out, struct err *err)
{
    const struct codec_of *c = &codec_table[leaf->meta->codec];
    if (c->codec == CODEC_NONE || !is_compressed) {
        if (n < size)
            return rleaf_broken(leaf, err, "a page of %zu bytes has only %zu", size, n);
        drop(&leaf->page);
        leaf->page = buf_ref(leaf->window);
        *out = in;
        return true;
    }
    if (head > n || head > size || (size - head) / c->ratio > n - head + 64)
        return rleaf_broken(leaf, err, "a page of %zu bytes says that it becomes %zu", n, size);
    if (leaf->page == NULL || leaf->page == leaf->window || leaf->page->refs > 1 ||
        leaf->page->capacity < size + SLACK) {
        drop(&leaf->page);
        leaf->page = buf_try_new(size + SLACK);
        if (leaf->page == NULL)
            return rleaf_broken(leaf, err, "there is no memory for a page of %zu bytes", size);
    }
    leaf->page->n = size;
    memcpy(leaf->page->p, in, head);
    if (!codec_decompress_exact(leaf->ctx, c->codec, c->form, in + head, n - head, leaf->page->p + head,
                                size - head, err))
        return err_context(err, "column \"%s\"", leaf->name);
    *out = leaf->page->p;
    return true;
}

static bool dictionary_page(struct rleaf *leaf, const struct pq_page_header *h, struct err *err)
{
    const uint8_t *p = NULL;
    if (!THRIFT_HAS(h, PQ_P_DICTIONARY) || h->dictionary.num_values < 0)
        return rleaf_broken(leaf, err, "a dictionary page has no header");
    if (h->dictionary.encoding != PQ_PLAIN && h->dictionary.encoding != PQ_PLAIN_DICTIONARY)
        return rleaf_broken(leaf, err, "a dictionary is encoded as %s",
                            pq_encoding_name(h->dictionary.encoding));
    if (leaf->dictionary.values)
        return rleaf_broken(leaf, err, "a column chunk has two dictionaries");
    if (leaf->skip_values)
        return true;
    TRY(unpack(leaf, window_bytes(leaf), (size_t)h->compressed_size, 0, (size_t)h->uncompressed_size, true,
               &p, err));
    TRY(values_dictionary(leaf, leaf->page, p, (size_t)h->uncompressed_size,
                          (uint32_t)h->dictionary.num_values, err));
    drop(&leaf->page);
    return true;
}

/* Levels of a V1 page, at the front of p[n]. */
static bool levels_v1(struct rleaf *leaf, struct level_reader *l, uint8_t max, int32_t encoding,
                      uint32_t entries, const uint8_t **p, size_t *n, struct err *err)
{
    unsigned width = bits_of(max);
    *l = (struct level_reader){.max = max};
    if (max == 0)
        return true;
    if (encoding == PQ_BIT_PACKED) {
        size_t size = ((size_t)entries * width + 7) / 8;
        if (size > *n)
            return rleaf_broken(leaf, err, "the levels of a page are cut");
        l->is_bit_packed = true;
        l->p = *p;
        l->size = size;
        *p += size, *n -= size;
        return true;
    }
    if (encoding != PQ_RLE)
        return rleaf_broken(leaf, err, "levels are encoded as %s", pq_encoding_name(encoding));
    if (*n < 4 || get_le32(*p) > *n - 4)
        return rleaf_broken(leaf, err, "the levels of a page are cut");
    uint32_t size = get_le32(*p);
    rle_reader_init(&l->rle, *p + 4, size, width);
    *p += 4 + (size_t)size, *n -= 4 + (size_t)size;
    return true;
}

static bool data_page(struct rleaf *leaf, const struct pq_page_header *h, struct err *err)
{
    const struct pq_data_page *d = &h->data;
    const uint8_t *p = NULL;
    size_t n = (size_t)h->uncompressed_size;
    if (!THRIFT_HAS(h, PQ_P_DATA) || d->num_values < 0)
        return rleaf_broken(leaf, err, "a data page has no header");
    uint32_t entries = (uint32_t)d->num_values;
    TRY(unpack(leaf, window_bytes(leaf), (size_t)h->compressed_size, 0, n, true, &p, err));
    CHECK(p != NULL);
    TRY(levels_v1(leaf, &leaf->rep, leaf->leaf->max_rep, d->rep_encoding, entries, &p, &n, err));
    TRY(levels_v1(leaf, &leaf->def, leaf->leaf->max_def, d->def_encoding, entries, &p, &n, err));
    leaf->left = entries;
    return leaf->skip_values || values_begin(leaf, d->encoding, p, n, err);
}

static bool data_page_v2(struct rleaf *leaf, const struct pq_page_header *h, struct err *err)
{
    const struct pq_data_page_v2 *d = &h->data_v2;
    const uint8_t *p = NULL;
    if (!THRIFT_HAS(h, PQ_P_DATA_V2) || d->num_values < 0 || d->def_bytes < 0 || d->rep_bytes < 0)
        return rleaf_broken(leaf, err, "a data page has no header");
    size_t head = (size_t)d->def_bytes + (size_t)d->rep_bytes, size = (size_t)h->uncompressed_size;
    if (head > size || head > (size_t)h->compressed_size)
        return rleaf_broken(leaf, err, "the levels of a page are longer than the page");
    bool is_compressed = !THRIFT_HAS(d, PQ_V2_IS_COMPRESSED) || d->is_compressed;
    TRY(unpack(leaf, window_bytes(leaf), (size_t)h->compressed_size, head, size, is_compressed, &p, err));
    leaf->rep = (struct level_reader){.max = leaf->leaf->max_rep};
    leaf->def = (struct level_reader){.max = leaf->leaf->max_def};
    rle_reader_init(&leaf->rep.rle, p, (size_t)d->rep_bytes, bits_of(leaf->rep.max));
    rle_reader_init(&leaf->def.rle, p + d->rep_bytes, (size_t)d->def_bytes, bits_of(leaf->def.max));
    leaf->left = (uint32_t)d->num_values;
    return leaf->skip_values || values_begin(leaf, d->encoding, p + head, size - head, err);
}

bool rleaf_next_page(struct rleaf *leaf, struct err *err)
{
    while (leaf->left == 0) {
        if (leaf->values_left <= 0 || leaf->at >= leaf->end)
            return rleaf_broken(leaf, err, "a column chunk ends before its row group");
        struct pq_page_header h;
        TRY(page_header(leaf, &h, err));
        leaf->pending.fresh = 0;
        if (h.type == PQ_DICTIONARY_PAGE)
            TRY(dictionary_page(leaf, &h, err));
        else if (h.type == PQ_DATA_PAGE)
            TRY(data_page(leaf, &h, err));
        else if (h.type == PQ_DATA_PAGE_V2)
            TRY(data_page_v2(leaf, &h, err));
        leaf->at += (uint64_t)h.compressed_size;
        leaf->values_left -= leaf->left;
    }
    return true;
}

/* ---- levels ---------------------------------------------------------------------------------------- */

/* The next n levels. */
static bool read_levels(struct rleaf *leaf, struct level_reader *l, uint8_t *out, size_t n, struct err *err)
{
    size_t got = 0;
    if (l->max == 0) {
        memset(out, 0, n);
        return true;
    }
    if (l->is_bit_packed)
        got = bit_packed_read8(l->p, l->size, bits_of(l->max), l->at, out, n) ? n : 0, l->at += n;
    else
        got = rle_read8(&l->rle, out, n);
    if (got < n)
        return rleaf_broken(leaf, err, "a page has fewer levels than values");
    uint8_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = out[i] > most ? out[i] : most;
    return most <= l->max || rleaf_broken(leaf, err, "level %u is above the schema's %u", most, l->max);
}

static uint32_t count_of(const uint8_t *levels, uint32_t n, uint8_t level)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        count += levels[i] == level;
    return count;
}

/* ---- leaves without repetition --------------------------------------------------------------------- */

/* From the back, so that dense values move to their places without a second array; done when the rest is in
 * place. */
#define SPREAD(type)                                                                                         \
    for (uint32_t i_ = n, k_ = count; i_ > k_; i_--)                                                         \
    ((type *)data)[i_ - 1] = levels[i_ - 1] == max ? ((type *)data)[--k_] : (type)0

/* dense[count] at the front of data[n] → to where the levels are max; the others become zero. */
static void spread(void *data, size_t width, const uint8_t *levels, uint32_t n, uint32_t count, uint8_t max)
{
    switch (width) {
    case 1: SPREAD(uint8_t); break;
    case 2: SPREAD(uint16_t); break;
    case 4: SPREAD(uint32_t); break;
    case 8: SPREAD(uint64_t); break;
    default: SPREAD(i128); break;
    }
}

/* The next `n` values, of which `count` are there, to row `at` of the leaf's arrays: as indices while that
 * works. */
static bool flat_values(struct rleaf *leaf, uint32_t at, uint32_t n, uint32_t count, const uint8_t *levels,
                        struct arena *arena, struct err *err)
{
    size_t width = leaf->convert.out_width;
    if (leaf->skip_values || count == 0) {
        if (leaf->data)
            memset((uint8_t *)leaf->data + at * width, 0, n * width);
        if (leaf->indices)
            memset(leaf->indices + at, 0, n * sizeof *leaf->indices);
        return true;
    }
    if (leaf->is_dict && leaf->may_dictionary && leaf->data == NULL) {
        if (leaf->indices == NULL)
            leaf->indices = memset(arena_array(arena, uint32_t, leaf->n + 1), 0, at * sizeof *leaf->indices);
        TRY(values_indices(leaf, count, leaf->indices + at, err));
        if (count < n)
            spread(leaf->indices + at, sizeof(uint32_t), levels, n, count, leaf->def.max);
        return true;
    }
    if (leaf->data == NULL) {
        leaf->data = memset(arena_alloc(arena, (size_t)(leaf->n + 1) * width), 0, at * width);
        if (leaf->indices) { /* the first part came from the dictionary, this one does not */
            const struct view *from = (const struct view *)(const void *)leaf->dictionary.values->p;
            for (uint32_t i = 0; i < at; i++)
                if (leaf->def_levels == NULL || leaf->def_levels[i] == leaf->def.max)
                    ((struct view *)leaf->data)[i] = from[leaf->indices[i]];
            leaf->indices = NULL;
        }
    }
    TRY(values_read(leaf, count, (uint8_t *)leaf->data + at * width, err));
    if (count < n)
        spread((uint8_t *)leaf->data + at * width, width, levels, n, count, leaf->def.max);
    return true;
}

/* Definition levels of the next up to n entries; *n = how many. levels stay NULL while all are max. */
static bool flat_levels(struct rleaf *leaf, uint32_t at, uint32_t *n, uint32_t *count, uint8_t **levels,
                        struct arena *arena, struct err *err)
{
    struct level_reader *l = &leaf->def;
    uint32_t value = 0;
    *count = *n;
    if (l->max == 0)
        return true;
    uint32_t run = l->is_bit_packed ? 0 : (uint32_t)rle_peek(&l->rle, *n, &value);
    if (run > 0 && value == l->max) {
        rle_skip(&l->rle, run);
        *n = *count = run;
        if (*levels)
            memset(*levels + at, l->max, run);
        return true;
    }
    if (*levels == NULL) {
        *levels = arena_alloc(arena, leaf->n + 1);
        memset(*levels, l->max, at);
        leaf->def_levels = *levels;
    }
    TRY(read_levels(leaf, l, *levels + at, *n, err));
    *count = count_of(*levels + at, *n, l->max);
    return true;
}

bool rleaf_read_flat(struct rleaf *leaf, uint32_t rows, struct arena *arena, struct err *err)
{
    uint8_t *levels = NULL;
    leaf->n = leaf->value_count = rows;
    leaf->data = NULL;
    leaf->indices = NULL;
    leaf->def_levels = leaf->rep_levels = NULL;
    for (uint32_t at = 0; at < rows;) {
        if (leaf->left == 0)
            TRY(rleaf_next_page(leaf, err));
        uint32_t n = leaf->left < rows - at ? leaf->left : rows - at, count;
        TRY(flat_levels(leaf, at, &n, &count, &levels, arena, err));
        TRY(flat_values(leaf, at, n, count, levels ? levels + at : NULL, arena, err));
        if (count > 0)
            hold_sources(leaf);
        leaf->left -= n;
        at += n;
    }
    if (leaf->data == NULL && leaf->indices == NULL && !leaf->skip_values)
        leaf->data = arena_zalloc(arena, (size_t)(rows + 1) * leaf->convert.out_width);
    return true;
}

/* ---- leaves with repetition ------------------------------------------------------------------------ */

/* One piece of the current page into the pending. */
static bool fill_piece(struct rleaf *leaf, struct err *err)
{
    struct pending *p = &leaf->pending;
    uint32_t n = leaf->left < PQ_LEVELS_PIECE ? leaf->left : PQ_LEVELS_PIECE;
    p->def = mem_grow(p->def, &p->def_capacity, (size_t)p->n + n, 1);
    p->rep = mem_grow(p->rep, &p->rep_capacity, (size_t)p->n + n, 1);
    TRY(read_levels(leaf, &leaf->rep, p->rep + p->n, n, err));
    TRY(read_levels(leaf, &leaf->def, p->def + p->n, n, err));
    if (p->n == 0 && p->rep[0] != 0)
        return rleaf_broken(leaf, err, "its first entry does not begin a row");
    uint32_t count = count_of(p->def + p->n, n, leaf->def.max);
    p->rows += count_of(p->rep + p->n, n, 0);
    p->n += n;
    leaf->left -= n;
    if (leaf->skip_values)
        return true;
    size_t width = leaf->convert.out_width;
    p->values = mem_grow(p->values, &p->value_capacity, (size_t)p->value_count + count + 1, width);
    TRY(values_read(leaf, count, p->values + p->value_count * width, err));
    p->value_count += count;
    p->fresh += count;
    if (count > 0)
        hold_sources(leaf);
    return true;
}

bool rleaf_fill(struct rleaf *leaf, uint32_t *rows, struct err *err)
{
    struct pending *p = &leaf->pending;
    for (;;) {
        bool is_end = leaf->left == 0 && leaf->values_left <= 0;
        uint32_t complete = is_end || p->rows == 0 ? p->rows : p->rows - 1;
        if (complete >= *rows || (complete > 0 && p->n >= PARQUET_ELEMENTS_AIM) || is_end) {
            *rows = complete < *rows ? complete : *rows;
            return *rows > 0 || rleaf_broken(leaf, err, "a column chunk ends before its row group");
        }
        if (p->n > PARQUET_ELEMENTS_MAX)
            return rleaf_broken(leaf, err, "a row has more than %d elements", PARQUET_ELEMENTS_MAX);
        if (leaf->left == 0)
            TRY(rleaf_next_page(leaf, err));
        TRY(fill_piece(leaf, err));
    }
}

void rleaf_take(struct rleaf *leaf, uint32_t rows, struct arena *arena)
{
    struct pending *p = &leaf->pending;
    size_t width = leaf->convert.out_width;
    uint32_t n = 0;
    for (uint32_t begun = 0; n < p->n; n++) {
        begun += p->rep[n] == 0;
        if (begun > rows)
            break;
    }
    uint32_t count = leaf->skip_values ? 0 : count_of(p->def, n, leaf->leaf->max_def);
    leaf->n = n;
    leaf->value_count = count;
    leaf->def_levels = arena_dup(arena, p->def, n);
    leaf->rep_levels = arena_dup(arena, p->rep, n);
    leaf->data = leaf->skip_values ? NULL : arena_dup(arena, p->values, count * width);
    leaf->indices = NULL;
    memmove(p->def, p->def + n, p->n - n);
    memmove(p->rep, p->rep + n, p->n - n);
    if (p->value_count > count)
        memmove(p->values, p->values + count * width, (p->value_count - count) * width);
    p->n -= n;
    p->rows -= rows;
    p->value_count -= count;
    p->fresh = p->fresh < p->value_count ? p->fresh : p->value_count;
}

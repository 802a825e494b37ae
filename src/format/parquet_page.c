/* A leaf's pages.
 *
 * Values of a page are kept in the form that the encoding wants last: PLAIN bytes as they will stand in the
 * page, or indices into the dictionary. A full page is encoded and compressed at once and only its
 * compressed bytes stay in memory.
 *
 * Every chunk of a leaf that may have a dictionary begins with one. At the end of the first page the
 * dictionary is kept if it and the indices are smaller than the plain values, else the page is encoded anew
 * and the chunk goes on in the fallback encoding; a leaf whose dictionary failed in several row groups in a
 * row begins some without. A dictionary that grows past its limit ends: pages before it stay, pages after
 * it are in the fallback. */
#include <zlib.h>

#include "format/parquet_write_i.h"

enum { DICT_SKIP_MAX = 7 }; /* row groups in a row that begin without a dictionary */

static bool too_large(struct parquet_writer *w, const struct leaf *leaf, struct err *err)
{
    w->failed = true;
    return err_set(err, ERR_DATA,
                   "cannot store a page of \"%.*s\" in Parquet: its values take more than %d bytes",
                   STR_ARG(leaf->path[0]), PARQUET_PAGE_MAX);
}

/* ---- levels ---------------------------------------------------------------------------------------- */

static void add_levels(struct leaf *leaf, const struct shred *s)
{
    uint32_t at = leaf->entries;
    leaf->entries += s->n;
    leaf->values_count += s->alive;
    if (leaf->max_rep > 0) {
        leaf->rep = mem_grow(leaf->rep, &leaf->rep_capacity, leaf->entries, 1);
        if (s->rep)
            memcpy(leaf->rep + at, s->rep, s->n);
        else
            memset(leaf->rep + at, 0, s->n);
    }
    if (leaf->max_def == 0)
        return;
    if (leaf->is_uniform && s->def == NULL && (at == 0 || leaf->uniform_def == s->def_all)) {
        leaf->uniform_def = s->def_all;
        return;
    }
    leaf->def = mem_grow(leaf->def, &leaf->def_capacity, leaf->entries, 1);
    if (leaf->is_uniform)
        memset(leaf->def, leaf->uniform_def, at);
    leaf->is_uniform = false;
    if (s->def)
        memcpy(leaf->def + at, s->def, s->n);
    else
        memset(leaf->def + at, s->def_all, s->n);
}

/* ---- dense values ---------------------------------------------------------------------------------- */

/* The values of living entries, densely: out[] of type_to from data[] of type_from; idx is s->idx, or the same
 * through a dictionary. */
#define GATHER(name, type_to, type_from)                                                                     \
    static void name(const type_from *data, const uint32_t *idx, const struct shred *s, type_to *out)        \
    {                                                                                                        \
        if (idx == NULL) {                                                                                   \
            for (uint32_t i = 0; i < s->n; i++)                                                              \
                out[i] = (type_to)data[s->first + i];                                                        \
        } else if (s->alive == s->n) {                                                                       \
            for (uint32_t i = 0; i < s->n; i++)                                                              \
                out[i] = (type_to)data[idx[i]];                                                              \
        } else {                                                                                             \
            for (uint32_t i = 0, k = 0; i < s->n; i++) {                                                     \
                uint32_t row = idx[i], dead = row == SHRED_DEAD;                                             \
                out[k] = (type_to)data[dead ? 0 : row];                                                      \
                k += !dead;                                                                                  \
            }                                                                                                \
        }                                                                                                    \
    }
GATHER(gather_i8_i32, int32_t, int8_t)
GATHER(gather_i16_i32, int32_t, int16_t)
GATHER(gather_dec_i32, int32_t, i128)
GATHER(gather_dec_i64, int64_t, i128)
GATHER(gather_8, uint8_t, uint8_t)
GATHER(gather_32, uint32_t, uint32_t)
GATHER(gather_64, uint64_t, uint64_t)
GATHER(gather_128, i128, i128)

/* The type that the column has in memory is that of the leaf's values in the page? Then a range needs no
 * copy. */
static bool same_shape(const struct leaf *leaf)
{
    switch (leaf->type->kind) {
    case TYPE_BYTE:
    case TYPE_SHORT: return false;
    case TYPE_DECIMAL: return leaf->dense == DENSE_I128;
    default: return true;
    }
}

static void gather(const struct leaf *leaf, const void *data, const uint32_t *idx, const struct shred *s,
                   void *out)
{
    bool is_decimal = leaf->type->kind == TYPE_DECIMAL;
    if (leaf->type->kind == TYPE_BYTE)
        gather_i8_i32(data, idx, s, out);
    else if (leaf->type->kind == TYPE_SHORT)
        gather_i16_i32(data, idx, s, out);
    else if (leaf->dense == DENSE_BOOL)
        gather_8(data, idx, s, out);
    else if (is_decimal && leaf->dense == DENSE_I32)
        gather_dec_i32(data, idx, s, out);
    else if (is_decimal && leaf->dense == DENSE_I64)
        gather_dec_i64(data, idx, s, out);
    else if (leaf->dense == DENSE_I32 || leaf->dense == DENSE_F32)
        gather_32(data, idx, s, out);
    else if (leaf->dense == DENSE_I64 || leaf->dense == DENSE_F64)
        gather_64(data, idx, s, out);
    else
        gather_128(data, idx, s, out); /* views too */
}

static const size_t dense_width[] = {1, 4, 8, 4, 8, 16, 16};

static const void *dense_values(struct parquet_writer *w, const struct leaf *leaf, const struct column *c,
                                const struct shred *s)
{
    size_t width = dense_width[leaf->dense];
    const uint32_t *idx = s->idx;
    const void *data = c->data;
    if (c->encoding == COLUMN_DICTIONARY) {
        uint32_t *rows = arena_array(&w->scratch, uint32_t, s->n);
        for (uint32_t i = 0; i < s->n; i++) {
            uint32_t row = s->idx ? s->idx[i] : s->first + i;
            rows[i] = row == SHRED_DEAD ? SHRED_DEAD : c->indices[row];
        }
        idx = rows;
        data = c->dictionary->data;
    }
    if (idx == NULL && same_shape(leaf))
        return (const uint8_t *)data + s->first * width;
    void *out = arena_alloc(&w->scratch, (size_t)(s->n + 1) * width);
    gather(leaf, data, idx, s, out);
    return out;
}

/* ---- values into the page -------------------------------------------------------------------------- */

static void put_decimals(struct leaf *leaf, const i128 *v, size_t n)
{
    unsigned width = leaf->fixed;
    uint8_t *out = (uint8_t *)sbuf_reserve(&leaf->values, n * width);
    for (size_t i = 0; i < n; i++, out += width) {
        uint8_t bytes[16];
        put_be64(bytes, (uint64_t)((unsigned __int128)v[i] >> 64));
        put_be64(bytes + 8, (uint64_t)v[i]);
        memcpy(out, bytes + 16 - width, width);
    }
    sbuf_added(&leaf->values, n * width);
}

static uint64_t views_bytes(const struct view *v, size_t n)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += v[i].size;
    return bytes;
}

/* Bytes of v[n], each after its length (PLAIN), or the lengths apart (delta modes). */
static void put_views(struct leaf *leaf, const struct view *v, size_t n, uint64_t bytes)
{
    bool is_plain = leaf->mode == MODE_PLAIN;
    uint8_t *start = (uint8_t *)sbuf_reserve(&leaf->values, bytes + n * 4 + 16), *out = start;
    uint32_t *lengths = NULL;
    if (!is_plain) {
        leaf->lengths = mem_grow(leaf->lengths, &leaf->length_capacity, leaf->values_count,
                                 sizeof *leaf->lengths);
        lengths = leaf->lengths + leaf->values_count - n;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t size = v[i].size;
        if (is_plain) {
            put_le32(out, size);
            out += 4;
        } else {
            lengths[i] = size;
        }
        if (size <= VIEW_INLINE)
            memcpy(out, v[i].inlined, VIEW_INLINE);
        else
            memcpy(out, v[i].far.p, size);
        out += size;
    }
    sbuf_added(&leaf->values, (size_t)(out - start));
}

/* values_count counts them already. */
static bool put_plain(struct parquet_writer *w, struct leaf *leaf, const void *values, size_t n,
                      struct err *err)
{
    if (leaf->dense == DENSE_VIEW) {
        uint64_t bytes = views_bytes(values, n);
        if (leaf->values.n + bytes + 4 * n > PARQUET_PAGE_MAX)
            return too_large(w, leaf, err);
        put_views(leaf, values, n, bytes);
    } else if (leaf->values.n + n * 16 > PARQUET_PAGE_MAX) {
        return too_large(w, leaf, err);
    } else if (leaf->dense == DENSE_I128) {
        put_decimals(leaf, values, n);
    } else {
        sbuf_add(&leaf->values, values, n * dense_width[leaf->dense]);
    }
    return true;
}

/* Of the dictionary's values those that this page has not seen yet become part of its bounds. */
static void bounds_by_index(struct leaf *leaf, const uint32_t *indices, size_t n)
{
    const uint8_t *values = leaf->dict.values;
    size_t width = dense_width[leaf->dense];
    for (size_t i = 0; i < n; i++) {
        uint32_t *stamp = &leaf->dict.stamps[indices[i]];
        if (*stamp == leaf->page_stamp)
            continue;
        *stamp = leaf->page_stamp;
        bounds_add(&leaf->page, values + indices[i] * width, 1);
    }
}

static uint32_t *room_for_indices(struct leaf *leaf, uint32_t n)
{
    leaf->indices = mem_grow(leaf->indices, &leaf->index_capacity, leaf->values_count, sizeof *leaf->indices);
    return leaf->indices + leaf->values_count - n;
}

/* Dictionary → dictionary: each entry of the column's dictionary is looked up once per batch. */
static bool add_remapped(struct parquet_writer *w, struct leaf *leaf, const struct column *c,
                         const struct shred *s)
{
    const struct column *dictionary = c->dictionary;
    if (leaf->dense == DENSE_F32 || leaf->dense == DENSE_F64) /* their NaN are counted one by one */
        return false;
    if (dictionary->rows > 2 * s->n + 64 && leaf->remap_of != dictionary)
        return false;
    if (leaf->remap_of != dictionary) {
        leaf->remap = mem_grow(leaf->remap, &leaf->remap_capacity, dictionary->rows, sizeof *leaf->remap);
        memset(leaf->remap, 0xFF, dictionary->rows * sizeof *leaf->remap);
        leaf->remap_of = dictionary;
    }
    uint32_t *out = room_for_indices(leaf, s->alive), k = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t row = s->idx ? s->idx[i] : s->first + i;
        if (row == SHRED_DEAD)
            continue;
        uint32_t *to = &leaf->remap[c->indices[row]];
        if (*to == UINT32_MAX) {
            struct shred one = {.n = 1, .alive = 1, .first = c->indices[row]};
            dict_put(&leaf->dict, dense_values(w, leaf, dictionary, &one), 1, to);
        }
        out[k++] = *to;
    }
    if (leaf->has_order && !w->options.no_statistics) {
        bounds_by_index(leaf, out, s->alive);
        bounds_own(&leaf->page);
    }
    return true;
}

bool leaf_add(struct parquet_writer *w, struct leaf *leaf, const struct column *c, const struct shred *s,
              struct err *err)
{
    add_levels(leaf, s);
    if (s->alive == 0)
        return true;
    if (leaf->values_count > PARQUET_PAGE_MAX / 16)
        return too_large(w, leaf, err);
    bool is_dict = leaf->mode == MODE_DICT, is_constant = c->encoding == COLUMN_CONSTANT;
    bool has_bounds = leaf->has_order && !w->options.no_statistics;
    int64_t nans = leaf->page.nans;
    if (is_dict && c->encoding == COLUMN_DICTIONARY && add_remapped(w, leaf, c, s))
        return true;
    const void *values = dense_values(w, leaf, c, s);
    uint32_t n = is_constant ? 1 : s->alive;
    if (is_dict) {
        uint32_t *indices = room_for_indices(leaf, s->alive);
        dict_put(&leaf->dict, values, n, indices);
        for (uint32_t i = 1; is_constant && i < s->alive; i++)
            indices[i] = indices[0];
        if (has_bounds && (leaf->dense == DENSE_VIEW || leaf->dense == DENSE_I128))
            bounds_by_index(leaf, indices, n);
        else if (has_bounds)
            bounds_add(&leaf->page, values, n);
    } else {
        if (has_bounds)
            bounds_add(&leaf->page, values, n);
        TRY(put_plain(w, leaf, values, s->alive, err));
    }
    if (has_bounds) {
        leaf->page.nans += is_constant && leaf->page.nans > nans ? s->alive - 1 : 0;
        bounds_own(&leaf->page);
    }
    return true;
}

/* ---- the end of a page ----------------------------------------------------------------------------- */

static unsigned index_width(const struct leaf *leaf)
{
    unsigned bits = leaf->dict.count ? bits_of(leaf->dict.count - 1) : 0;
    return bits ? bits : 1; /* some readers do not expect 0 */
}

size_t leaf_page_bytes(const struct leaf *leaf)
{
    size_t values = leaf->mode == MODE_DICT ? (size_t)leaf->values_count * index_width(leaf) / 8
                                            : leaf->values.n;
    size_t lengths = leaf->lengths && leaf->mode >= MODE_DELTA_LENGTH ? (size_t)leaf->values_count * 2 : 0;
    return values + lengths + (leaf->max_rep ? leaf->entries / 4 : 0);
}

static bool dictionary_pays(const struct leaf *leaf)
{
    size_t plain = (size_t)leaf->values_count * leaf->fixed;
    if (leaf->dense == DENSE_VIEW) {
        const struct view *values = leaf->dict.values;
        for (uint32_t i = 0; i < leaf->values_count; i++)
            plain += 4 + (size_t)values[leaf->indices[i]].size;
    }
    return leaf->dict.plain_bytes + leaf_page_bytes(leaf) < plain - plain / 8;
}

/* The page anew, without the dictionary. */
static bool leave_dictionary(struct parquet_writer *w, struct leaf *leaf, struct err *err)
{
    size_t width = dense_width[leaf->dense], n = leaf->values_count;
    uint8_t *values = mem_new(n * width + 1);
    for (size_t i = 0; i < n; i++)
        memcpy(values + i * width, (const uint8_t *)leaf->dict.values + leaf->indices[i] * width, width);
    leaf->mode = leaf->fallback;
    bool done = put_plain(w, leaf, values, n, err);
    mem_free(values);
    dict_reset(&leaf->dict);
    leaf->remap_of = NULL;
    leaf->dict_failures++;
    leaf->dict_skip = leaf->dict_failures < DICT_SKIP_MAX ? leaf->dict_failures : DICT_SKIP_MAX;
    return done;
}

static void put_level_bytes(struct sbuf *body, const uint8_t *levels, uint32_t n, bool is_uniform,
                            uint8_t uniform, uint8_t max)
{
    unsigned width = bits_of(max);
    uint8_t *out = (uint8_t *)sbuf_reserve(body, 4 + rle_bound(n, width));
    size_t size = is_uniform ? rle_write_run(uniform, n, width, out + 4)
                             : rle_write8(levels, n, width, out + 4);
    put_le32(out, (uint32_t)size);
    sbuf_added(body, 4 + size);
}

static void put_bits(struct sbuf *body, const uint8_t *values, uint32_t n)
{
    uint8_t *out = (uint8_t *)sbuf_reserve(body, n / 8 + 1);
    memset(out, 0, n / 8 + 1);
    for (uint32_t i = 0; i < n; i++)
        out[i >> 3] |= (uint8_t)(values[i] << (i & 7));
    sbuf_added(body, (n + 7) / 8);
}

static void put_delta(struct sbuf *body, const struct leaf *leaf, const void *values, bool is_32)
{
    uint8_t *out = (uint8_t *)sbuf_reserve(body, delta_bound(leaf->values_count));
    sbuf_added(body, is_32 ? delta_write32(values, leaf->values_count, out)
                           : delta_write64(values, leaf->values_count, out));
}

/* DELTA_BYTE_ARRAY: lengths of what each value shares with the one before it, then the rest as
 * DELTA_LENGTH_BYTE_ARRAY. */
static void put_prefixes(struct parquet_writer *w, struct sbuf *body, struct leaf *leaf)
{
    uint32_t n = leaf->values_count;
    uint32_t *prefixes = arena_array(&w->scratch, uint32_t, n),
             *suffixes = arena_array(&w->scratch, uint32_t, n);
    char *rest = arena_alloc(&w->scratch, leaf->values.n + 1), *to = rest;
    const char *last = NULL, *at = leaf->values.p;
    uint32_t last_size = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t size = leaf->lengths[i], most = size < last_size ? size : last_size, same = 0;
        while (same < most && at[same] == last[same])
            same++;
        prefixes[i] = same;
        suffixes[i] = size - same;
        memcpy(to, at + same, size - same);
        to += size - same;
        last = at;
        last_size = size;
        at += size;
    }
    put_delta(body, leaf, prefixes, true);
    put_delta(body, leaf, suffixes, true);
    sbuf_add(body, rest, (size_t)(to - rest));
}

static void put_split(struct sbuf *body, const struct leaf *leaf)
{
    size_t n = leaf->values_count, width = leaf->fixed;
    uint8_t *out = (uint8_t *)sbuf_reserve(body, n * width);
    const uint8_t *in = (const uint8_t *)leaf->values.p;
    for (size_t b = 0; b < width; b++)
        for (size_t i = 0; i < n; i++)
            out[b * n + i] = in[i * width + b];
    sbuf_added(body, n * width);
}

/* Appends the page's values to body; returns their encoding. */
static enum pq_encoding put_values(struct parquet_writer *w, struct sbuf *body, struct leaf *leaf)
{
    if (leaf->values_count == 0)
        return PQ_PLAIN;
    switch (leaf->mode) {
    case MODE_DICT: {
        unsigned width = index_width(leaf);
        sbuf_char(body, (char)width);
        uint8_t *out = (uint8_t *)sbuf_reserve(body, rle_bound(leaf->values_count, width));
        sbuf_added(body, rle_write(leaf->indices, leaf->values_count, width, out));
        return PQ_RLE_DICTIONARY;
    }
    case MODE_DELTA:
        put_delta(body, leaf, leaf->values.p, leaf->physical == PQ_INT32);
        return PQ_DELTA_BINARY_PACKED;
    case MODE_DELTA_LENGTH:
        put_delta(body, leaf, leaf->lengths, true);
        sbuf_add(body, leaf->values.p, leaf->values.n);
        return PQ_DELTA_LENGTH_BYTE_ARRAY;
    case MODE_DELTA_PREFIX: put_prefixes(w, body, leaf); return PQ_DELTA_BYTE_ARRAY;
    case MODE_SPLIT: put_split(body, leaf); return PQ_BYTE_STREAM_SPLIT;
    case MODE_PLAIN: break;
    }
    if (leaf->physical == PQ_BOOLEAN)
        put_bits(body, (const uint8_t *)leaf->values.p, leaf->values_count);
    else
        sbuf_add(body, leaf->values.p, leaf->values.n);
    return PQ_PLAIN;
}

/* body → w->packed, and header with sizes and checksum → w->header. */
static bool pack_page(struct parquet_writer *w, struct str body, struct pq_page_header *h, struct err *err)
{
    size_t size, bound = codec_bound(w->options.codec, FORM_PARQUET, body.n);
    sbuf_clear(&w->packed);
    uint8_t *out = (uint8_t *)sbuf_reserve(&w->packed, bound);
    TRY(codec_compress(w->ctx, w->options.codec, FORM_PARQUET, w->options.level, body.p, body.n, out, bound,
                       &size, err));
    sbuf_added(&w->packed, size);
    h->has |= 1U << 1 | 1U << 2 | 1U << 3;
    h->uncompressed_size = (int32_t)body.n;
    h->compressed_size = (int32_t)size;
    if (w->options.page_checksums) {
        h->has |= 1U << PQ_P_CRC;
        h->crc = (int32_t)crc32_z(0, (const Bytef *)w->packed.p, size);
    }
    sbuf_clear(&w->header);
    thrift_write(&w->header, &pq_page_header_table, h);
    return true;
}

static void record_page(struct parquet_writer *w, struct leaf *leaf, uint64_t offset,
                        enum pq_encoding encoding)
{
    leaf->pages = mem_grow(leaf->pages, &leaf->page_capacity, leaf->page_count + 1, sizeof *leaf->pages);
    struct page_record *p = &leaf->pages[leaf->page_count++];
    *p = (struct page_record){.offset = offset,
                              .size = (uint32_t)(leaf->chunk.n - offset),
                              .rows = leaf->page_rows,
                              .null_count = (int64_t)leaf->entries - leaf->values_count,
                              .is_null = leaf->values_count == 0};
    leaf->encoding_pages[encoding]++;
    leaf->chunk_values += leaf->entries;
    leaf->chunk_nulls += p->null_count;
    if (!leaf->has_order || w->options.no_statistics)
        return;
    bool exact;
    if (!w->options.no_page_index && !p->is_null)
        p->has_bounds = bounds_bytes(&leaf->page, false, leaf->physical, leaf->fixed, leaf->is_text, &w->meta,
                                     &p->min, &exact) &&
                        bounds_bytes(&leaf->page, true, leaf->physical, leaf->fixed, leaf->is_text, &w->meta,
                                     &p->max, &exact);
    leaf->no_index = leaf->no_index || (!p->is_null && !p->has_bounds);
    bounds_merge(&leaf->bounds, &leaf->page);
    if (!leaf->page.has || w->options.no_page_index)
        return;
    if (leaf->last.has) {
        int min = bounds_cmp(&leaf->last, &leaf->page, false),
            max = bounds_cmp(&leaf->last, &leaf->page, true);
        leaf->is_ascending = leaf->is_ascending && min <= 0 && max <= 0;
        leaf->is_descending = leaf->is_descending && min >= 0 && max >= 0;
    }
    bounds_reset(&leaf->last);
    bounds_merge(&leaf->last, &leaf->page);
}

static void page_reset(struct leaf *leaf)
{
    leaf->page_rows = leaf->entries = leaf->values_count = 0;
    leaf->is_uniform = true;
    leaf->page_stamp++;
    sbuf_clear(&leaf->values);
    bounds_reset(&leaf->page);
}

bool leaf_page_end(struct parquet_writer *w, struct leaf *leaf, struct err *err)
{
    if (leaf->entries == 0)
        return true;
    if (leaf->mode == MODE_DICT && leaf->page_count == 0 && leaf->values_count > 0) {
        if (!dictionary_pays(leaf))
            TRY(leave_dictionary(w, leaf, err));
        else
            leaf->dict_failures = 0;
    }
    struct sbuf *body = &w->body;
    sbuf_clear(body);
    if (leaf->max_rep > 0)
        put_level_bytes(body, leaf->rep, leaf->entries, false, 0, leaf->max_rep);
    if (leaf->max_def > 0)
        put_level_bytes(body, leaf->def, leaf->entries, leaf->is_uniform, leaf->uniform_def, leaf->max_def);
    enum pq_encoding encoding = put_values(w, body, leaf);
    if (body->n > PARQUET_PAGE_MAX)
        return too_large(w, leaf, err);
    struct pq_page_header h = {.has = 1U << PQ_P_DATA, .type = PQ_DATA_PAGE};
    h.data = (struct pq_data_page){.has = 0x1E,
                                   .num_values = (int32_t)leaf->entries,
                                   .encoding = encoding,
                                   .def_encoding = PQ_RLE,
                                   .rep_encoding = PQ_RLE};
    TRY(pack_page(w, sbuf_view(body), &h, err));
    uint64_t offset = leaf->chunk.n;
    leaf->uncompressed += w->header.n + body->n;
    sbuf_str(&leaf->chunk, sbuf_view(&w->header));
    sbuf_str(&leaf->chunk, sbuf_view(&w->packed));
    record_page(w, leaf, offset, encoding);
    page_reset(leaf);
    return true;
}

bool leaf_added(struct parquet_writer *w, struct leaf *leaf, uint32_t rows, struct err *err)
{
    leaf->page_rows += rows;
    bool is_over = leaf->mode == MODE_DICT && leaf->dict.plain_bytes > w->options.dictionary_bytes;
    if (leaf->page_rows >= w->options.page_rows || leaf_page_bytes(leaf) >= w->options.page_bytes || is_over)
        TRY(leaf_page_end(w, leaf, err));
    if (is_over)
        leaf->mode = leaf->fallback;
    return true;
}

bool leaf_dictionary_page(struct parquet_writer *w, struct leaf *leaf, size_t *uncompressed, struct err *err)
{
    struct dict *d = &leaf->dict;
    uint32_t count = d->count;
    enum leaf_mode mode = leaf->mode;
    sbuf_clear(&leaf->values); /* the page is over: its buffer is free */
    leaf->mode = MODE_PLAIN;
    leaf->values_count = count;
    bool done = put_plain(w, leaf, d->values, count, err);
    leaf->mode = mode;
    leaf->values_count = 0;
    TRY(done);
    struct pq_page_header h = {.has = 1U << PQ_P_DICTIONARY, .type = PQ_DICTIONARY_PAGE};
    h.dictionary = (struct pq_dictionary_page){.has = 6, .num_values = (int32_t)count, .encoding = PQ_PLAIN};
    TRY(pack_page(w, sbuf_view(&leaf->values), &h, err));
    *uncompressed = w->header.n + leaf->values.n;
    sbuf_clear(&leaf->values);
    return true;
}

/* ---- chunks ---------------------------------------------------------------------------------------- */

size_t leaf_memory(const struct leaf *leaf)
{
    return leaf->chunk.n + leaf->values.n + leaf->dict.plain_bytes + leaf->entries * 2UL +
           leaf->values_count * 4UL + leaf->page_count * sizeof *leaf->pages;
}

void leaf_chunk_reset(struct leaf *leaf)
{
    page_reset(leaf);
    dict_reset(&leaf->dict);
    leaf->remap_of = NULL;
    sbuf_clear(&leaf->chunk);
    leaf->page_count = 0;
    memset(leaf->encoding_pages, 0, sizeof leaf->encoding_pages);
    leaf->chunk_values = leaf->chunk_nulls = 0;
    leaf->uncompressed = 0;
    leaf->no_index = false;
    leaf->is_ascending = leaf->is_descending = true;
    bounds_reset(&leaf->last);
    bounds_reset(&leaf->bounds);
    leaf->mode = leaf->first_mode;
    if (leaf->mode == MODE_DICT && leaf->dict_skip > 0) {
        leaf->dict_skip--;
        leaf->mode = leaf->fallback;
    }
}

void leaf_fini(struct leaf *leaf)
{
    mem_free(leaf->def);
    mem_free(leaf->rep);
    mem_free(leaf->indices);
    mem_free(leaf->lengths);
    mem_free(leaf->pages);
    mem_free(leaf->remap);
    sbuf_fini(&leaf->values);
    sbuf_fini(&leaf->chunk);
    dict_fini(&leaf->dict);
    bounds_fini(&leaf->page);
    bounds_fini(&leaf->last);
    bounds_fini(&leaf->bounds);
    bounds_fini(&leaf->file_bounds);
}

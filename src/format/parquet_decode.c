/* Values of a page, by encoding. A page's values are read in pieces; each piece goes from the encoding to
 * physical values and from there to the wanted form. Where the two forms are the same, the first step
 * writes to its final place. */
#include "format/parquet_read_i.h"

#include "base/utf8.h"

/* ---- text ------------------------------------------------------------------------------------------ */

/* p[n] with every invalid byte as U+FFFD; out has room for 3 × n. Returns the length. */
static size_t repair(const char *p, size_t n, char *out)
{
    char *at = out;
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t length = utf8_decode(p + i, n - i, &code);
        if (length == 0) {
            memcpy(at, "\xEF\xBF\xBD", 3);
            at += 3;
            i++;
        } else {
            memcpy(at, p + i, length);
            at += length;
            i += length;
        }
    }
    return (size_t)(at - out);
}

/* Strings that are no UTF-8 become so, in a buffer of their own (*text, given), or NULL where all are.
 * false: too many bytes. */
static bool repair_views(struct view *v, size_t n, struct buf **text)
{
    uint64_t bytes = 0;
    *text = NULL;
    for (size_t i = 0; i < n; i++)
        if (!utf8_valid(view_bytes(&v[i]), v[i].size))
            bytes += 3 * (uint64_t)v[i].size;
    if (bytes == 0)
        return true;
    *text = bytes <= PARQUET_PAGE_MAX ? buf_try_new(bytes) : NULL;
    if (*text == NULL)
        return false;
    char *at = (char *)(*text)->p;
    for (size_t i = 0; i < n; i++) {
        if (utf8_valid(view_bytes(&v[i]), v[i].size))
            continue;
        size_t size = repair(view_bytes(&v[i]), v[i].size, at);
        v[i] = view_of(at, size);
        at += size;
    }
    return true;
}

/* ---- beginning a page ------------------------------------------------------------------------------ */

static bool refuse(struct rleaf *leaf, int32_t encoding, struct err *err)
{
    return rleaf_broken(leaf, err, "a page of %s values is encoded as %s",
                        pq_type_name(leaf->leaf->element->type), pq_encoding_name(encoding));
}

static bool begin_delta(struct rleaf *leaf, struct value_reader *v, bool is_32, struct err *err)
{
    return delta_reader_init(&v->delta, v->p, (size_t)(v->end - v->p), is_32) ||
           rleaf_broken(leaf, err, "a page of deltas is damaged");
}

/* Lengths first; the bytes follow where the lengths end. */
static bool begin_lengths(struct rleaf *leaf, struct value_reader *v, bool has_prefixes, struct err *err)
{
    TRY(begin_delta(leaf, v, true, err));
    const uint8_t *next;
    if (!delta_end(&v->delta, &next))
        return rleaf_broken(leaf, err, "the lengths of a page are damaged");
    if (has_prefixes) {
        if (!delta_reader_init(&v->suffix, next, (size_t)(v->end - next), true) ||
            !delta_end(&v->suffix, &next))
            return rleaf_broken(leaf, err, "the lengths of a page are damaged");
    }
    v->p = next;
    return true;
}

static bool begin_rle_bool(struct rleaf *leaf, struct value_reader *v, struct err *err)
{
    size_t left = (size_t)(v->end - v->p);
    if (left < 4 || get_le32(v->p) > left - 4)
        return rleaf_broken(leaf, err, "a page of booleans is cut");
    rle_reader_init(&v->rle, v->p + 4, get_le32(v->p), 1);
    return true;
}

bool values_begin(struct rleaf *leaf, int32_t encoding, const uint8_t *p, size_t n, struct err *err)
{
    struct value_reader *v = &leaf->values;
    enum pq_type type = (enum pq_type)leaf->leaf->element->type;
    *v = (struct value_reader){.encoding = encoding, .p = p, .end = p + n};
    leaf->is_dict = encoding == PQ_PLAIN_DICTIONARY || encoding == PQ_RLE_DICTIONARY;
    if (leaf->is_dict) {
        if (n > 0)
            rle_reader_init(&v->rle, p + 1, n - 1, p[0]);
        return n == 0 || p[0] <= 32 || rleaf_broken(leaf, err, "dictionary indices have %u bits", p[0]);
    }
    bool is_bytes = type == PQ_BYTE_ARRAY || type == PQ_FIXED, is_int = type == PQ_INT32 || type == PQ_INT64;
    if (n == 0 && encoding != PQ_PLAIN) /* no values: some writers leave the headers out */
        v->encoding = PQ_PLAIN;
    switch (v->encoding) {
    case PQ_PLAIN: return true;
    case PQ_RLE:
        if (type == PQ_BOOLEAN)
            return begin_rle_bool(leaf, v, err);
        break;
    case PQ_DELTA_BINARY_PACKED:
        if (is_int)
            return begin_delta(leaf, v, type == PQ_INT32, err);
        break;
    case PQ_DELTA_LENGTH_BYTE_ARRAY:
        if (type == PQ_BYTE_ARRAY)
            return begin_lengths(leaf, v, false, err);
        break;
    case PQ_DELTA_BYTE_ARRAY:
        if (is_bytes)
            return begin_lengths(leaf, v, true, err);
        break;
    case PQ_BYTE_STREAM_SPLIT:
        if (type != PQ_BOOLEAN && type != PQ_BYTE_ARRAY && type != PQ_INT96)
            return true;
        break;
    default: break;
    }
    return refuse(leaf, encoding, err);
}

/* ---- physical values ------------------------------------------------------------------------------- */

/* Bytes of one value in PLAIN; 0 for BYTE_ARRAY and BOOLEAN. */
static size_t plain_width(const struct rleaf *leaf)
{
    enum pq_type type = (enum pq_type)leaf->leaf->element->type;
    if (type == PQ_FIXED)
        return (size_t)leaf->leaf->element->type_length;
    return type == PQ_BYTE_ARRAY || type == PQ_BOOLEAN ? 0 : physical_width(type);
}

static bool plain_views(struct value_reader *v, size_t n, struct view *out)
{
    const uint8_t *p = v->p, *end = v->end;
    for (size_t i = 0; i < n; i++) {
        if ((size_t)(end - p) < 4)
            return false;
        uint32_t size = get_le32(p);
        p += 4;
        if ((size_t)(end - p) < size)
            return false;
        out[i] = view_of((const char *)p, size);
        p += size;
    }
    v->p = p;
    return true;
}

static bool plain_bools(struct value_reader *v, size_t n, uint8_t *out)
{
    if (n > (size_t)(v->end - v->p) * 8 - v->at)
        return false;
    for (size_t i = 0; i < n; i++, v->at++)
        out[i] = v->p[v->at >> 3] >> (v->at & 7) & 1;
    return true;
}

static bool read_plain(struct rleaf *leaf, size_t n, void *out)
{
    struct value_reader *v = &leaf->values;
    enum pq_type type = (enum pq_type)leaf->leaf->element->type;
    if (type == PQ_BYTE_ARRAY)
        return plain_views(v, n, out);
    if (type == PQ_BOOLEAN)
        return plain_bools(v, n, out);
    size_t width = plain_width(leaf);
    if (n > (size_t)(v->end - v->p) / width)
        return false;
    if (type == PQ_FIXED)
        for (size_t i = 0; i < n; i++)
            ((struct view *)out)[i] = view_of((const char *)v->p + i * width, width);
    else
        memcpy(out, v->p, n * width);
    v->p += n * width;
    return true;
}

static bool read_deltas(struct rleaf *leaf, size_t n, void *out)
{
    if (leaf->leaf->element->type == PQ_INT64)
        return delta_read(&leaf->values.delta, out, n);
    int64_t piece[256];
    for (size_t done = 0; done < n;) {
        size_t some = n - done < 256 ? n - done : 256;
        if (!delta_read(&leaf->values.delta, piece, some))
            return false;
        for (size_t i = 0; i < some; i++)
            ((int32_t *)out)[done + i] = (int32_t)piece[i];
        done += some;
    }
    return true;
}

static bool read_lengths(struct rleaf *leaf, size_t n, struct view *out)
{
    struct value_reader *v = &leaf->values;
    int64_t lengths[256];
    for (size_t done = 0; done < n;) {
        size_t some = n - done < 256 ? n - done : 256;
        if (!delta_read(&v->delta, lengths, some))
            return false;
        for (size_t i = 0; i < some; i++) {
            if (lengths[i] < 0 || (size_t)lengths[i] > (size_t)(v->end - v->p))
                return false;
            out[done + i] = view_of((const char *)v->p, (size_t)lengths[i]);
            v->p += lengths[i];
        }
        done += some;
    }
    return true;
}

static void hold_extra(struct rleaf *leaf, struct buf *buf)
{
    rleaf_hold(leaf, buf);
    leaf->has_extra = true;
}

/* Each value is a prefix of the one before and a suffix of its own: expanded into a buffer that the leaf
 * holds. */
static bool read_prefixes(struct rleaf *leaf, size_t n, struct view *out)
{
    struct value_reader *v = &leaf->values;
    int64_t *prefixes = arena_array(leaf->scratch, int64_t, n + 1),
            *suffixes = arena_array(leaf->scratch, int64_t, n + 1);
    if (!delta_read(&v->delta, prefixes, n) || !delta_read(&v->suffix, suffixes, n))
        return false;
    uint64_t total = 0, before = v->last.size, rest = (size_t)(v->end - v->p);
    for (size_t i = 0; i < n; i++) {
        if (prefixes[i] < 0 || (uint64_t)prefixes[i] > before || suffixes[i] < 0 ||
            (uint64_t)suffixes[i] > rest)
            return false;
        rest -= (uint64_t)suffixes[i];
        before = (uint64_t)(prefixes[i] + suffixes[i]);
        total += before;
        if (total > PQ_EXPANDED_MAX)
            return false;
    }
    struct buf *bytes = buf_try_new(total + 1);
    if (bytes == NULL)
        return false;
    char *at = (char *)bytes->p;
    for (size_t i = 0; i < n; i++) {
        size_t prefix = (size_t)prefixes[i], suffix = (size_t)suffixes[i];
        memcpy(at, view_bytes(&v->last), prefix);
        memcpy(at + prefix, v->p, suffix);
        v->p += suffix;
        out[i] = v->last = view_of(at, prefix + suffix);
        at += prefix + suffix;
    }
    hold_extra(leaf, bytes);
    buf_unref(leaf->last);
    leaf->last = bytes;
    return true;
}

static bool read_split(struct rleaf *leaf, size_t n, void *out)
{
    struct value_reader *v = &leaf->values;
    size_t width = plain_width(leaf);
    CHECK(width > 0);
    size_t stride = (size_t)(v->end - v->p) / width;
    bool is_fixed = leaf->leaf->element->type == PQ_FIXED;
    if (n > stride - v->at || n * width > PARQUET_PAGE_MAX)
        return false;
    uint8_t *to = out;
    struct buf *bytes = is_fixed ? buf_try_new(n * width + 1) : NULL;
    if (is_fixed && bytes == NULL)
        return false;
    if (is_fixed)
        to = bytes->p;
    for (size_t b = 0; b < width; b++) {
        const uint8_t *from = v->p + b * stride + v->at;
        for (size_t i = 0; i < n; i++)
            to[i * width + b] = from[i];
    }
    v->at += n;
    if (is_fixed) {
        for (size_t i = 0; i < n; i++)
            ((struct view *)out)[i] = view_of((const char *)to + i * width, width);
        hold_extra(leaf, bytes);
        buf_unref(bytes);
    }
    return true;
}

static bool read_physical(struct rleaf *leaf, size_t n, void *out)
{
    switch (leaf->values.encoding) {
    case PQ_RLE: return rle_read8(&leaf->values.rle, out, n) == n;
    case PQ_DELTA_BINARY_PACKED: return read_deltas(leaf, n, out);
    case PQ_DELTA_LENGTH_BYTE_ARRAY: return read_lengths(leaf, n, out);
    case PQ_DELTA_BYTE_ARRAY: return read_prefixes(leaf, n, out);
    case PQ_BYTE_STREAM_SPLIT: return read_split(leaf, n, out);
    default: return read_plain(leaf, n, out);
    }
}

/* ---- wanted values --------------------------------------------------------------------------------- */

/* Physical in[n] → out[n], with the buffers that texts need: *text, given, or NULL. */
static bool finish_values(struct rleaf *leaf, const void *in, size_t n, void *out, struct buf **text,
                          struct err *err)
{
    const struct convert *c = &leaf->convert;
    *text = NULL;
    if (c->kind == CONVERT_UUID) {
        *text = buf_try_new(n * 36 + 1);
        if (*text == NULL)
            return rleaf_broken(leaf, err, "%zu values are too many", n);
    }
    if (in != out && !convert_run(c, in, n, out, *text ? (char *)(*text)->p : NULL))
        return rleaf_broken(leaf, err, "a decimal has more than %u digits", c->precision);
    if (c->is_text && !repair_views(out, n, text))
        return rleaf_broken(leaf, err, "its strings are not UTF-8");
    return true;
}

bool values_indices(struct rleaf *leaf, size_t n, uint32_t *out, struct err *err)
{
    if (rle_read(&leaf->values.rle, out, n) != n)
        return rleaf_broken(leaf, err, "a page has fewer dictionary indices than values");
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = out[i] > most ? out[i] : most;
    if (n > 0 && most >= leaf->dictionary.count)
        return rleaf_broken(leaf, err, "index %u is past the dictionary's %u values", most,
                            leaf->dictionary.count);
    return true;
}

#define LOOK_UP(type)                                                                                        \
    for (size_t i = 0; i < some; i++)                                                                        \
    ((type *)to)[i] = ((const type *)from)[indices[i]]

static bool look_up(struct rleaf *leaf, size_t n, void *out, struct err *err)
{
    uint32_t indices[512];
    if (leaf->dictionary.values == NULL)
        return rleaf_broken(leaf, err, "a page's dictionary is missing");
    const void *from = leaf->dictionary.values->p;
    size_t width = leaf->convert.out_width;
    for (size_t done = 0; done < n;) {
        size_t some = n - done < 512 ? n - done : 512;
        void *to = (uint8_t *)out + done * width;
        TRY(values_indices(leaf, some, indices, err));
        switch (width) {
        case 1: LOOK_UP(uint8_t); break;
        case 2: LOOK_UP(uint16_t); break;
        case 4: LOOK_UP(uint32_t); break;
        case 8: LOOK_UP(uint64_t); break;
        default: LOOK_UP(i128); break;
        }
        done += some;
    }
    return true;
}

bool values_read(struct rleaf *leaf, size_t n, void *out, struct err *err)
{
    if (n == 0)
        return true;
    if (leaf->is_dict)
        return look_up(leaf, n, out, err);
    const struct convert *c = &leaf->convert;
    void *physical = c->kind == CONVERT_NONE ? out : arena_alloc(leaf->scratch, n * c->in_width);
    if (!read_physical(leaf, n, physical))
        return rleaf_broken(leaf, err, "a page of %s values (%s) is damaged or cut",
                            pq_type_name(leaf->leaf->element->type), pq_encoding_name(leaf->values.encoding));
    struct buf *text;
    bool done = finish_values(leaf, physical, n, out, &text, err);
    if (text && done)
        hold_extra(leaf, text);
    buf_unref(text);
    return done;
}

bool values_dictionary(struct rleaf *leaf, struct buf *page, const uint8_t *p, size_t n, uint32_t count,
                       struct err *err)
{
    struct dictionary *d = &leaf->dictionary;
    const struct convert *c = &leaf->convert;
    enum pq_type type = (enum pq_type)leaf->leaf->element->type;
    size_t least = type == PQ_BYTE_ARRAY ? 4 : plain_width(leaf); /* bytes of a value */
    if (type == PQ_BOOLEAN || count > n / least)
        return rleaf_broken(leaf, err, "a dictionary of %u values is cut", count);
    leaf->values = (struct value_reader){.encoding = PQ_PLAIN, .p = p, .end = p + n};
    d->values = buf_try_new((size_t)count * 16 + 1);
    struct buf *physical = buf_try_new((size_t)count * 16 + 1);
    bool done = d->values != NULL && physical != NULL;
    if (!done)
        rleaf_broken(leaf, err, "a dictionary of %u values is too large", count);
    done = done &&
           (read_plain(leaf, count, physical->p) || rleaf_broken(leaf, err, "a dictionary is damaged"));
    done = done && finish_values(leaf, physical->p, count, d->values->p, &d->text, err);
    buf_unref(physical);
    if (!done)
        return false;
    d->count = count;
    d->page = c->out_width == 16 && c->in_width == 16 ? buf_ref(page) : NULL;
    return true;
}

/* Deletion vectors: sets of row numbers in the portable Roaring form.
 *
 *     magic 1681511377 as LE32, count of parts as LE64, then for each part, ascending: its upper 32 bits as LE32, a 32-bit bitmap
 *
 * A 32-bit bitmap (RoaringFormatSpec): a cookie that gives the number n of containers, one bit for each container that is in runs, n times
 * (upper 16 bits, cardinality − 1), offsets (which nothing needs that reads in order), and the containers: arrays of 16-bit values, 8 KiB of
 * bits past 4,096 values, or runs (first, length − 1).
 *
 * The library for such bitmaps trusts the order and the numbers inside of a container. The bytes come from a file that others wrote, so they are
 * read here, checked, and straight into one bit for each row of the data file, which is all that a scan asks. */
#include "base/bytes.h"
#include "sink/delta/scan.h"

enum {
    MAGIC = 1681511377,
    COOKIE_RUNS = 12347,
    COOKIE_PLAIN = 12346,
    ARRAY_MAX = 4096,
    BITS_BYTES = 8192,
    OFFSETS_FROM = 4
};

struct vector_reader {
    const uint8_t *p, *end;
    uint64_t rows;
    uint8_t *bits;
    uint64_t count;
    bool bad;
};

static const uint8_t *take(struct vector_reader *r, size_t n)
{
    static const uint8_t nothing[BITS_BYTES];
    if (n > (size_t)(r->end - r->p)) {
        r->bad = true;
        r->p = r->end;
        return n <= sizeof nothing ? nothing : NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

static void mark(struct vector_reader *r, uint64_t row)
{
    if (row >= r->rows) {
        r->bad = true;
        return;
    }
    r->bits[row >> 3] |= (uint8_t)(1 << (row & 7));
    r->count++;
}

static void read_runs(struct vector_reader *r, uint64_t base)
{
    uint32_t count = get_le16(take(r, 2)), next = 0;
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        const uint8_t *run = take(r, 4);
        uint32_t first = get_le16(run), last = first + get_le16(run + 2);
        if (first < next || last > 0xFFFF)
            r->bad = true;
        for (uint32_t k = first; k <= last && !r->bad; k++)
            mark(r, base + k);
        next = last + 1;
    }
}

static void read_array(struct vector_reader *r, uint64_t base, uint32_t cardinality)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < cardinality && !r->bad; i++) {
        uint32_t value = get_le16(take(r, 2));
        if (value < next)
            r->bad = true;
        else
            mark(r, base + value);
        next = value + 1;
    }
}

static void read_bits(struct vector_reader *r, uint64_t base, uint32_t cardinality)
{
    const uint8_t *bits = take(r, BITS_BYTES);
    uint64_t before = r->count;
    for (uint32_t i = 0; i < 65536 && !r->bad; i++)
        if (bits[i >> 3] >> (i & 7) & 1)
            mark(r, base + i);
    if (r->count - before != cardinality)
        r->bad = true;
}

static void read_part(struct vector_reader *r, uint64_t base)
{
    uint32_t cookie = get_le32(take(r, 4));
    bool has_runs = (cookie & 0xFFFF) == COOKIE_RUNS;
    if (!has_runs && cookie != COOKIE_PLAIN)
        r->bad = true;
    uint32_t n = has_runs ? (cookie >> 16) + 1 : get_le32(take(r, 4));
    if (n > 65536)
        r->bad = true;
    if (r->bad)
        return;
    const uint8_t *runs = has_runs ? take(r, (n + 7) / 8) : NULL;
    const uint8_t *heads = take(r, (size_t)n * 4);
    if (!has_runs || n >= OFFSETS_FROM)
        (void)take(r, (size_t)n * 4);
    uint32_t next = 0;
    for (uint32_t i = 0; i < n && !r->bad; i++) {
        uint32_t key = get_le16(heads + (size_t)4 * i),
                 cardinality = get_le16(heads + (size_t)4 * i + 2) + 1U;
        uint64_t at = base + ((uint64_t)key << 16);
        if (key < next)
            r->bad = true;
        else if (runs && (runs[i >> 3] >> (i & 7) & 1))
            read_runs(r, at);
        else if (cardinality <= ARRAY_MAX)
            read_array(r, at, cardinality);
        else
            read_bits(r, at, cardinality);
        next = key + 1;
    }
}

bool delta_vector_read(const uint8_t *p, size_t n, uint64_t rows, uint8_t *bits, uint64_t *count,
                       struct err *err)
{
    struct vector_reader r = {.p = p, .end = p + n, .rows = rows, .bits = bits};
    if (get_le32(take(&r, 4)) != MAGIC)
        return err_set(err, ERR_DATA, "a deletion vector has a form that is not known");
    uint64_t parts = get_le64(take(&r, 8)), next = 0;
    for (uint64_t i = 0; i < parts && !r.bad; i++) {
        uint64_t key = get_le32(take(&r, 4));
        if (key < next)
            r.bad = true;
        read_part(&r, key << 32);
        next = key + 1;
    }
    *count = r.count;
    return (!r.bad && r.p == r.end) || err_set(err, ERR_DATA, "a deletion vector is damaged");
}

/* ---- Z85: five characters for four bytes -------------------------------------------------------------------------------------------- */

static int z85_value(char c)
{
    static const char digits[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool delta_z85_decode(struct str text, struct sbuf *out)
{
    if (text.n % 5 != 0)
        return false;
    for (size_t i = 0; i < text.n; i += 5) {
        uint64_t v = 0;
        for (size_t k = i; k < i + 5; k++) {
            int digit = z85_value(text.p[k]);
            if (digit < 0)
                return false;
            v = v * 85 + (uint64_t)digit;
        }
        if (v > UINT32_MAX)
            return false;
        uint8_t four[4];
        put_be32(four, (uint32_t)v);
        sbuf_add(out, four, 4);
    }
    return true;
}

/* Message → bytes, by the tables.
 *
 * Two passes over the same functions: the first only counts, and finds everything that can be wrong; the second writes into exactly
 * so many bytes and cannot fail. So nothing grows or moves while it is written, and the size of a tagged field, which stands before it,
 * is known by counting it. */
#include "wire/kafka_i.h"

struct writer {
    uint8_t *p;      /* where to write; NULL: only count */
    size_t size;     /* bytes so far, those of holes included */
    size_t left_out; /* those of holes */
    uint8_t version;
    bool is_flexible;
    struct kafka_out *out; /* takes holes while writing; NULL: records are copied, or counted */
    size_t start;          /* of the message in out */

    /* the first mistake */
    const char *why;
    const struct kafka_type *type;
    const struct kafka_field *field;
};

static __attribute__((cold, noinline)) void fail(struct writer *w, const struct kafka_field *f,
                                                 const char *why)
{
    DCHECK(w->p == NULL);
    if (w->why == NULL) {
        w->why = why;
        w->field = f;
    }
}

/* Room for n bytes, or NULL: only counted. */
static inline uint8_t *room(struct writer *w, size_t n)
{
    uint8_t *p = w->p;
    w->size += n;
    if (p)
        w->p += n;
    return p;
}

static inline void write_uvarint(struct writer *w, uint32_t v)
{
    uint8_t *p = room(w, uvarint_size(v));
    if (p)
        put_uvarint(p, v);
}

/* n = -1: null */
static void write_length(struct writer *w, bool is_short, int64_t n)
{
    if (w->is_flexible) {
        write_uvarint(w, (uint32_t)(n + 1));
        return;
    }
    uint8_t *p = room(w, is_short ? 2 : 4);
    if (p && is_short)
        put_be16(p, (uint16_t)n);
    else if (p)
        put_be32(p, (uint32_t)n);
}

static void write_records_hole(struct writer *w, struct str s)
{
    w->size += s.n;
    w->left_out += s.n;
    if (w->p == NULL)
        return;
    struct kafka_out *out = w->out;
    out->holes = mem_grow(out->holes, &out->holes_capacity, out->holes_count + 1, sizeof *out->holes);
    out->holes[out->holes_count++] = (struct kafka_hole){.at = w->start + w->size - w->left_out,
                                                         .records = s};
}

static void write_text(struct writer *w, const struct kafka_field *f, struct str s)
{
    bool is_null = s.p == NULL && !f->is_array && kafka_can_be_null(f, w->version);
    if (s.n > (f->kind == KAFKA_STR ? KAFKA_STR_MAX : INT32_MAX - 1))
        fail(w, f, "is too long");
    CHECK(s.p || s.n == 0);
    write_length(w, f->kind == KAFKA_STR, is_null ? -1 : (int64_t)s.n);
    if (s.n == 0)
        return;
    if (f->kind == KAFKA_RECORDS && w->out->leaves_records) {
        write_records_hole(w, s);
        return;
    }
    uint8_t *p = room(w, s.n);
    if (p)
        memcpy(p, s.p, s.n);
}

static inline uint16_t get16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t get32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t get64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Anything but arrays and structs. */
static inline void write_value(struct writer *w, const struct kafka_field *f, const void *in)
{
    if (kafka_is_text(f->kind)) {
        write_text(w, f, *(const struct str *)in);
        return;
    }
    size_t size = kafka_kind_size[f->kind]; /* the same on the wire */
    uint8_t *p = room(w, size);
    if (p == NULL)
        return;
    switch (size) {
    case 1: *p = *(const uint8_t *)in; return;
    case 2: put_be16(p, get16(in)); return;
    case 4: put_be32(p, get32(in)); return;
    case 8: put_be64(p, get64(in)); return;
    case 16: memcpy(p, in, 16); return;
    default: UNREACHABLE("a kind that is no value");
    }
}

static void write_struct(struct writer *w, const struct kafka_type *type, const uint8_t *in);

static void write_array(struct writer *w, const struct kafka_field *f, const void *in)
{
    const uint8_t *p = kafka_pointer(in);
    uint32_t count = kafka_count(in);
    if (p == NULL && kafka_can_be_null(f, w->version)) {
        write_length(w, false, -1);
        return;
    }
    if (p == NULL && f->null_first <= f->null_last)
        fail(w, f, "is null, which this version does not know");
    CHECK(p || count == 0);
    if (count > INT32_MAX - 1)
        fail(w, f, "has too many elements");
    write_length(w, false, count);
    size_t size = kafka_element_size(f);
    if (f->kind != KAFKA_STRUCT && !kafka_is_text(f->kind) && w->p == NULL) {
        w->size += count * size;
        return;
    }
    for (uint32_t i = 0; i < count && w->why == NULL; i++, p += size) {
        if (f->kind == KAFKA_STRUCT)
            write_struct(w, f->type, p);
        else
            write_value(w, f, p);
    }
}

/* A struct that can be null: a byte says whether it is, a tagged one's by 0, another's by -1. */
static void write_pointer(struct writer *w, const struct kafka_field *f, const void *in)
{
    const void *message = kafka_pointer(in);
    uint8_t *p = room(w, 1);
    if (p)
        *p = message ? 1 : f->tag == KAFKA_NEVER ? 0xFF : 0;
    if (message)
        write_struct(w, f->type, message);
    else if (!kafka_can_be_null(f, w->version))
        fail(w, f, "is null, which this version does not know");
}

static inline void write_field(struct writer *w, const struct kafka_field *f, const uint8_t *in)
{
    if (f->is_array)
        write_array(w, f, in);
    else if (f->is_pointer)
        write_pointer(w, f, in);
    else if (f->kind == KAFKA_STRUCT)
        write_struct(w, f->type, in);
    else
        write_value(w, f, in);
}

/* Is it null, as it is in a zeroed struct? */
static bool is_null(const struct kafka_field *f, const uint8_t *at)
{
    return (f->is_array || f->is_pointer || kafka_is_text(f->kind)) && kafka_pointer(at) == NULL;
}

/* Is a tagged field written? NULL is a value of its own only where it can be written. */
static bool is_tag_written(const struct writer *w, const struct kafka_type *type, const struct kafka_field *f,
                           const uint8_t *in)
{
    const uint8_t *at = in + f->offset;
    if (!kafka_has_field(f, w->version) || (is_null(f, at) && !kafka_can_be_null(f, w->version)))
        return false;
    return !kafka_is_default(f, at, (const uint8_t *)type->defaults + f->offset);
}

/* Would a field that the version lacks be lost? */
static bool is_lost(const struct kafka_type *type, const struct kafka_field *f, const uint8_t *in)
{
    const uint8_t *at = in + f->offset;
    return !f->is_ignorable && !is_null(f, at) &&
           !kafka_is_default(f, at, (const uint8_t *)type->defaults + f->offset);
}

/* Ascending by tag, as they stand in the table. */
static void write_tags(struct writer *w, const struct kafka_type *type, const uint8_t *in)
{
    const struct kafka_field *first = type->fields + type->untagged_count,
                             *end = type->fields + type->fields_count;
    uint32_t count = 0;
    for (const struct kafka_field *f = first; f < end; f++)
        count += is_tag_written(w, type, f, in);
    write_uvarint(w, count);
    for (const struct kafka_field *f = first; f < end && count > 0; f++) {
        if (!is_tag_written(w, type, f, in))
            continue;
        struct writer content = {.version = w->version, .is_flexible = true, .out = w->out};
        write_field(&content, f, in + f->offset);
        write_uvarint(w, f->tag);
        write_uvarint(w, (uint32_t)content.size);
        write_field(w, f, in + f->offset);
        count--;
    }
}

/* Depth: KAFKA_DEPTH_MAX, of the description. */
static void write_struct(struct writer *w, const struct kafka_type *type, const uint8_t *in)
{
    const struct kafka_field *tagged = type->fields + type->untagged_count,
                             *end = type->fields + type->fields_count;
    unsigned version = w->version;
    for (const struct kafka_field *f = type->fields; f < tagged; f++) {
        if (version >= f->first && version <= f->last)
            write_field(w, f, in + f->offset);
        else if (w->p == NULL && is_lost(type, f, in))
            fail(w, f, "is set, but this version has no such field");
        if (w->why)
            break;
    }
    for (const struct kafka_field *f = tagged; f < end && w->p == NULL; f++)
        if (!kafka_has_field(f, w->version) && is_lost(type, f, in))
            fail(w, f, "is set, but this version has no such field");
    if (w->is_flexible && w->why == NULL)
        write_tags(w, type, in);
    if (w->why && w->type == NULL)
        w->type = type;
}

/* Counts: *size, and the bytes of it that are left out. */
static bool measure(const struct kafka_type *type, int version, const void *message, struct kafka_out *out,
                    size_t *size, size_t *left_out, struct err *err)
{
    struct writer w = {
        .version = (uint8_t)version, .is_flexible = kafka_is_flexible(type, version), .out = out};
    CHECK(kafka_within(version, type->first, type->last));
    write_struct(&w, type, message);
    *size = w.size;
    *left_out = w.left_out;
    if (w.why == NULL && w.size > INT32_MAX)
        return err_set(err, ERR_FATAL, "cannot write %s version %d: %zu bytes are too many", type->name,
                       version, w.size);
    return w.why == NULL || err_set(err, ERR_FATAL, "cannot write %s version %d: %s.%s %s", type->name,
                                    version, w.type->name, w.field->name, w.why);
}

size_t kafka_size(const struct kafka_type *type, int version, const void *message, struct err *err)
{
    struct kafka_out out = {.leaves_records = true};
    size_t size, left_out;
    return measure(type, version, message, &out, &size, &left_out, err) ? size : 0;
}

bool kafka_encode(const struct kafka_type *type, int version, const void *message, struct kafka_out *out,
                  struct err *err)
{
    size_t size, left_out;
    TRY(measure(type, version, message, out, &size, &left_out, err));
    struct writer w = {.p = (uint8_t *)sbuf_reserve(&out->bytes, size - left_out),
                       .version = (uint8_t)version,
                       .is_flexible = kafka_is_flexible(type, version),
                       .out = out,
                       .start = out->bytes.n};
    write_struct(&w, type, message);
    CHECK(w.size == size && w.left_out == left_out);
    sbuf_added(&out->bytes, size - left_out);
    return true;
}

void kafka_out_clear(struct kafka_out *out)
{
    sbuf_clear(&out->bytes);
    out->holes_count = 0;
}

void kafka_out_fini(struct kafka_out *out)
{
    sbuf_fini(&out->bytes);
    mem_free(out->holes);
    *out = (struct kafka_out){0};
}

/* Bytes → message, by the tables.
 *
 * The reader never jumps: the first thing that is wrong is noted together with the field, the input ends there, and every read after
 * it yields zeros; kafka_decode looks once, at the end. A struct begins as a copy of its defaults, so that a field that the
 * version lacks, or that is tagged and absent, costs nothing.
 *
 * Why input cannot make much memory. An array of `count` structs is allocated only if count times the fewest bytes of one are
 * left. So an array that is really there takes at most KAFKA_ELEMENT_GROWTH_MAX bytes for each of its own bytes; and a count that lies
 * can do so only once for each depth, for what is left is then too short, and the next struct of every array around it fails. The
 * description nests arrays of structs three deep at most, and the growth of inner ones is less: the fuzzer checks the sum. */
#include "wire/kafka_i.h"

struct reader {
    const uint8_t *p, *end;
    struct arena *arena;
    uint8_t version;
    bool is_flexible;

    /* the first mistake, and where the reader is */
    const char *why;
    const struct kafka_type *type, *bad_type;
    const struct kafka_field *field, *bad_field;
};

static __attribute__((cold, noinline)) void fail(struct reader *r, const char *why)
{
    r->p = r->end;
    if (r->why)
        return;
    r->why = why;
    r->bad_type = r->type;
    r->bad_field = r->field;
}

static inline size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->p);
}

/* n bytes of a scalar; zeros behind the end. */
static inline const uint8_t *take(struct reader *r, size_t n)
{
    static const uint8_t zeros[16];
    const uint8_t *p = r->p;
    if (__builtin_expect(left(r) < n, 0)) {
        fail(r, "the message ends here");
        return zeros;
    }
    r->p = p + n;
    return p;
}

static __attribute__((noinline)) uint32_t take_long_uvarint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte = *take(r, 1);
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            if (v > UINT32_MAX)
                break;
            return (uint32_t)v;
        }
    }
    fail(r, "a varint is above 32 bits");
    return 0;
}

static inline uint32_t take_uvarint(struct reader *r)
{
    if (__builtin_expect(r->p < r->end && *r->p < 0x80, 1))
        return *r->p++;
    return take_long_uvarint(r);
}

/* The length of a string or the count of an array, at most INT32_MAX; -1 = null. */
static inline int64_t take_length(struct reader *r, bool is_short)
{
    int64_t n;
    if (r->is_flexible)
        n = (int64_t)take_uvarint(r) - 1;
    else
        n = is_short ? (int16_t)get_be16(take(r, 2)) : (int32_t)get_be32(take(r, 4));
    if (__builtin_expect(n < -1 || n > INT32_MAX, 0)) {
        fail(r, "a negative length");
        return 0;
    }
    return n;
}

static void read_text(struct reader *r, int kind, bool can_be_null, struct str *out)
{
    int64_t n = take_length(r, kind == KAFKA_STR);
    *out = (struct str){NULL, 0};
    if (n < 0) {
        if (!can_be_null)
            fail(r, "it is null");
    } else if (__builtin_expect((uint64_t)n > left(r), 0)) {
        fail(r, "it is longer than what is left");
    } else if (kind == KAFKA_STR && n > KAFKA_STR_MAX) {
        fail(r, "the string is too long");
    } else {
        *out = str_n(r->p, (size_t)n);
        r->p += n;
    }
}

static inline void put16(void *out, uint16_t v)
{
    memcpy(out, &v, sizeof v);
}
static inline void put32(void *out, uint32_t v)
{
    memcpy(out, &v, sizeof v);
}
static inline void put64(void *out, uint64_t v)
{
    memcpy(out, &v, sizeof v);
}

/* Anything but arrays and structs. */
static inline void read_value(struct reader *r, int kind, bool can_be_null, void *out)
{
    switch ((enum kafka_kind)kind) {
    case KAFKA_BOOL: *(bool *)out = *take(r, 1) != 0; return;
    case KAFKA_I8: *(uint8_t *)out = *take(r, 1); return;
    case KAFKA_I16:
    case KAFKA_ERROR:
    case KAFKA_U16: put16(out, get_be16(take(r, 2))); return;
    case KAFKA_I32:
    case KAFKA_U32: put32(out, get_be32(take(r, 4))); return;
    case KAFKA_I64:
    case KAFKA_F64: put64(out, get_be64(take(r, 8))); return;
    case KAFKA_UUID: memcpy(out, take(r, 16), 16); return;
    case KAFKA_STR:
    case KAFKA_BYTES:
    case KAFKA_RECORDS: read_text(r, kind, can_be_null, out); return;
    case KAFKA_STRUCT:
    case KAFKA_KINDS: break;
    }
    UNREACHABLE("a kind that is no value");
}

static void read_struct(struct reader *r, const struct kafka_type *type, uint8_t *out);

/* NULL after a failure. */
static void *allocate(struct reader *r, size_t size)
{
    void *p = arena_try_alloc(r->arena, size);
    if (p == NULL)
        fail(r, "the message needs more memory than there is for it");
    return p;
}

/* The fewest bytes of one element. */
static size_t element_min(const struct reader *r, const struct kafka_field *f)
{
    if (f->kind == KAFKA_STRUCT)
        return f->type->wire_min;
    if (!kafka_is_text(f->kind))
        return kafka_kind_size[f->kind];
    return r->is_flexible ? 1 : f->kind == KAFKA_STR ? 2 : 4;
}

static void read_array(struct reader *r, const struct kafka_field *f, void *out)
{
    int64_t count = take_length(r, false);
    kafka_set_array(out, NULL, 0);
    if (count < 0) {
        if (!kafka_can_be_null(f, r->version))
            fail(r, "it is null");
        return;
    }
    if (count == 0) {
        kafka_set_array(out, &kafka_nothing, 0);
        return;
    }
    if ((uint64_t)count > left(r) / element_min(r, f)) {
        fail(r, "there are fewer bytes left than so many elements have");
        return;
    }
    size_t size = kafka_element_size(f);
    uint8_t *p = allocate(r, (size_t)count * size);
    if (p == NULL)
        return;
    kafka_set_array(out, p, (uint32_t)count);
    if (f->kind == KAFKA_STRUCT) {
        for (int64_t i = 0; i < count && r->why == NULL; i++)
            read_struct(r, f->type, p + (size_t)i * size);
    } else if (f->kind == KAFKA_I32) {
        for (int64_t i = 0; i < count; i++, r->p += 4)
            put32(p + 4 * i, get_be32(r->p));
    } else {
        for (int64_t i = 0; i < count && r->why == NULL; i++)
            read_value(r, f->kind, false, p + (size_t)i * size);
    }
}

/* A struct that can be null: a byte says whether it is, a tagged one's by 0, another's by -1. */
static void read_pointer(struct reader *r, const struct kafka_field *f, void *out)
{
    void *p = NULL;
    int8_t byte = (int8_t)*take(r, 1);
    bool is_null = f->tag == KAFKA_NEVER ? byte < 0 : byte == 0;
    if (!is_null && r->why == NULL)
        p = allocate(r, f->type->size);
    else if (!kafka_can_be_null(f, r->version))
        fail(r, "it is null");
    if (p)
        read_struct(r, f->type, p);
    memcpy(out, &p, sizeof p);
}

static inline void read_field(struct reader *r, const struct kafka_field *f, uint8_t *out)
{
    r->field = f;
    if (f->is_array)
        read_array(r, f, out);
    else if (f->is_pointer)
        read_pointer(r, f, out);
    else if (f->kind == KAFKA_STRUCT)
        read_struct(r, f->type, out);
    else
        read_value(r, f->kind, kafka_can_be_null(f, r->version), out);
}

static const struct kafka_field *tagged_field(const struct kafka_type *type, int version, uint32_t tag)
{
    const struct kafka_field *end = type->fields + type->fields_count;
    for (const struct kafka_field *f = type->fields + type->untagged_count; f < end; f++)
        if (f->tag == tag && kafka_has_field(f, version))
            return f;
    return NULL;
}

/* In whatever order, as Kafka reads them; one that comes twice counts as it came last. */
static __attribute__((noinline)) void read_tags(struct reader *r, const struct kafka_type *type, uint8_t *out,
                                                uint32_t count)
{
    for (; count > 0 && r->why == NULL; count--) {
        uint32_t tag = take_uvarint(r), size = take_uvarint(r);
        const struct kafka_field *f = tagged_field(type, r->version, tag);
        r->type = type;
        r->field = f;
        if (size > left(r)) {
            fail(r, "a tagged field is longer than what is left");
            return;
        }
        if (f == NULL) {
            r->p += size;
            continue;
        }
        const uint8_t *end = r->end;
        r->end = r->p + size;
        read_field(r, f, out + f->offset);
        if (r->p != r->end)
            fail(r, "the tagged field is shorter than it says");
        r->p = r->end;
        r->end = end;
    }
}

/* Depth: KAFKA_DEPTH_MAX, of the description. */
static void read_struct(struct reader *r, const struct kafka_type *type, uint8_t *out)
{
    unsigned version = r->version;
    memcpy(out, type->defaults, type->size);
    for (const struct kafka_field *f = type->fields, *end = f + type->untagged_count; f < end; f++) {
        if (version < f->first || version > f->last)
            continue;
        r->type = type;
        read_field(r, f, out + f->offset);
    }
    if (r->is_flexible) {
        uint32_t count = take_uvarint(r);
        if (count)
            read_tags(r, type, out, count);
    }
}

bool kafka_decode(const struct kafka_type *type, int version, struct rd *rd, struct arena *arena,
                  void *message, struct err *err)
{
    struct reader r = {.p = rd->p, .end = rd->end, .arena = arena};
    CHECK(kafka_within(version, type->first, type->last));
    r.version = (uint8_t)version;
    r.is_flexible = kafka_is_flexible(type, version);
    if (rd->bad)
        fail(&r, "the message ends before it begins");
    read_struct(&r, type, message);
    rd->p = r.p;
    if (__builtin_expect(r.why == NULL, 1))
        return true;
    rd->bad = true;
    const char *within = r.bad_type ? r.bad_type->name : type->name;
    const char *name = r.bad_field ? r.bad_field->name : "a tagged field";
    return err_set(err, ERR_DATA, "cannot read %s version %d: %s.%s: %s", type->name, version, within, name,
                   r.why);
}

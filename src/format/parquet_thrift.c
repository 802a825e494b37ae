/* The compact protocol's bytes: a field is a header (delta of the id and wire type) and a value; a struct
 * ends with 0x00. Booleans of structs live in the header's type; integers are zigzag varints, except the
 * byte, which is itself. */
#include "format/parquet_thrift_i.h"

enum wire {
    W_STOP,
    W_TRUE,
    W_FALSE,
    W_BYTE,
    W_I16,
    W_I32,
    W_I64,
    W_DOUBLE,
    W_BINARY,
    W_LIST,
    W_SET,
    W_MAP,
    W_STRUCT
};

static const uint8_t wire_of_kind[] = {
    [THRIFT_BOOL] = W_TRUE,     [THRIFT_I8] = W_BYTE,   [THRIFT_I16] = W_I16,
    [THRIFT_I32] = W_I32,       [THRIFT_I64] = W_I64,   [THRIFT_BINARY] = W_BINARY,
    [THRIFT_STRUCT] = W_STRUCT, [THRIFT_LIST] = W_LIST, [THRIFT_MARK] = W_STRUCT,
};

static size_t size_of_kind(unsigned kind, const struct thrift_struct *of)
{
    switch (kind) {
    case THRIFT_BOOL: return sizeof(bool);
    case THRIFT_I8: return 1;
    case THRIFT_I16: return 2;
    case THRIFT_I32: return 4;
    case THRIFT_I64: return 8;
    case THRIFT_BINARY: return sizeof(struct str);
    case THRIFT_STRUCT: return of->size;
    default: UNREACHABLE("a list's element is a scalar or a struct");
    }
}

/* ---- reading --------------------------------------------------------------------------------------- */

struct reader {
    struct rd *r;
    struct arena *arena;
    struct err *err;
};

static bool broken(struct reader *t, const char *why)
{
    t->r->bad = true;
    return err_set(t->err, ERR_DATA, "the metadata is damaged: %s", why);
}

static bool list_header(struct reader *t, unsigned *wire, uint32_t *count)
{
    uint8_t head = rd_u8(t->r);
    uint64_t n = head >> 4;
    *wire = head & 15;
    if (n == 15)
        n = rd_uvarint(t->r);
    if (t->r->bad || n > rd_left(t->r)) /* an element takes a byte at least */
        return broken(t, "a list is cut");
    *count = (uint32_t)n;
    return n <= UINT32_MAX || broken(t, "a list is too long");
}

static bool skip(struct reader *t, unsigned wire, bool in_list, unsigned depth);

static bool skip_list(struct reader *t, unsigned depth)
{
    unsigned wire;
    uint32_t count;
    TRY(list_header(t, &wire, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(skip(t, wire, true, depth + 1));
    return true;
}

static bool skip_map(struct reader *t, unsigned depth)
{
    uint64_t n = rd_uvarint(t->r);
    uint8_t kinds = n ? rd_u8(t->r) : 0;
    if (t->r->bad || n > rd_left(t->r))
        return broken(t, "a map is cut");
    for (uint64_t i = 0; i < n; i++) {
        TRY(skip(t, kinds >> 4, true, depth + 1));
        TRY(skip(t, kinds & 15, true, depth + 1));
    }
    return true;
}

static bool skip_struct(struct reader *t, unsigned depth)
{
    for (;;) {
        uint8_t head = rd_u8(t->r);
        if (t->r->bad || head == W_STOP)
            return !t->r->bad || broken(t, "a struct is cut");
        if (head >> 4 == 0)
            rd_varint(t->r);
        TRY(skip(t, head & 15, false, depth + 1));
    }
}

static bool skip(struct reader *t, unsigned wire, bool in_list, unsigned depth)
{
    if (depth > THRIFT_DEPTH_MAX)
        return broken(t, "it is nested too deeply");
    switch (wire) {
    case W_TRUE:
    case W_FALSE:
        if (in_list)
            rd_take(t->r, 1);
        break;
    case W_BYTE: rd_take(t->r, 1); break;
    case W_I16:
    case W_I32:
    case W_I64: rd_uvarint(t->r); break;
    case W_DOUBLE: rd_take(t->r, 8); break;
    case W_BINARY: rd_take(t->r, (size_t)rd_uvarint(t->r)); break;
    case W_LIST:
    case W_SET: return skip_list(t, depth);
    case W_MAP: return skip_map(t, depth);
    case W_STRUCT: return skip_struct(t, depth);
    default: return broken(t, "a field has an unknown type");
    }
    return !t->r->bad || broken(t, "a field is cut");
}

static bool read_struct(struct reader *t, const struct thrift_struct *of, void *out, unsigned depth);

static bool read_int(struct reader *t, unsigned kind, void *out)
{
    int64_t v = kind == THRIFT_I8 ? (int8_t)rd_u8(t->r) : rd_varint(t->r);
    switch (kind) {
    case THRIFT_I8: *(int8_t *)out = (int8_t)v; return true;
    case THRIFT_I16:
        *(int16_t *)out = (int16_t)v;
        return v == (int16_t)v || broken(t, "an integer is out of range");
    case THRIFT_I32:
        *(int32_t *)out = (int32_t)v;
        return v == (int32_t)v || broken(t, "an integer is out of range");
    default: *(int64_t *)out = v; return true;
    }
}

/* One value whose wire type fits the kind; a boolean's value is its wire type, or in lists its byte. */
static bool read_value(struct reader *t, unsigned kind, const struct thrift_struct *of, unsigned wire,
                       bool in_list, void *out, unsigned depth)
{
    if (kind == THRIFT_STRUCT)
        return read_struct(t, of, out, depth + 1);
    if (kind == THRIFT_BOOL) {
        *(bool *)out = (in_list ? rd_u8(t->r) : wire) == W_TRUE;
    } else if (kind == THRIFT_BINARY) {
        size_t n = (size_t)rd_uvarint(t->r);
        const uint8_t *p = rd_take(t->r, n);
        *(struct str *)out = str_n(p, p ? n : 0);
    } else {
        TRY(read_int(t, kind, out));
    }
    return !t->r->bad || broken(t, "a field is cut");
}

static bool wire_fits(unsigned wire, unsigned kind)
{
    if (kind == THRIFT_BOOL)
        return wire == W_TRUE || wire == W_FALSE;
    return wire == wire_of_kind[kind];
}

static bool read_list(struct reader *t, const struct thrift_field *f, struct thrift_list *out, unsigned depth)
{
    unsigned wire;
    uint32_t count;
    TRY(list_header(t, &wire, &count));
    if (count > 0 && !wire_fits(wire, f->element))
        return broken(t, "a list has elements of another type");
    *out = (struct thrift_list){0};
    if (count == 0)
        return true;
    size_t size = size_of_kind(f->element, f->of), bytes = mem_product(count, size);
    uint8_t *items = arena_try_alloc(t->arena, bytes);
    if (items == NULL)
        return err_set(t->err, ERR_DATA, "the metadata is too large: a list of %u elements", count);
    memset(items, 0, bytes);
    *out = (struct thrift_list){items, count};
    for (uint32_t i = 0; i < count; i++)
        TRY(read_value(t, f->element, f->of, wire, true, items + i * size, depth + 1));
    return true;
}

static const struct thrift_field *find_field(const struct thrift_struct *of, int64_t id)
{
    for (unsigned i = 0; i < of->count; i++)
        if (of->fields[i].id == id)
            return &of->fields[i];
    return NULL;
}

static bool read_struct(struct reader *t, const struct thrift_struct *of, void *out, unsigned depth)
{
    if (depth > THRIFT_DEPTH_MAX)
        return broken(t, "it is nested too deeply");
    uint32_t *has = out;
    int64_t id = 0;
    for (;;) {
        uint8_t head = rd_u8(t->r);
        unsigned wire = head & 15;
        if (t->r->bad)
            return broken(t, "a struct is cut");
        if (head == W_STOP)
            break;
        id = head >> 4 ? id + (head >> 4) : rd_varint(t->r);
        if (id < INT16_MIN || id > INT16_MAX)
            return broken(t, "a field's number is out of range");
        const struct thrift_field *f = find_field(of, id);
        if (f == NULL || (f->kind != THRIFT_MARK && !wire_fits(wire, f->kind))) {
            TRY(skip(t, wire, false, depth));
            continue;
        }
        uint8_t *to = (uint8_t *)out + f->offset;
        *has |= 1U << f->id;
        if (f->kind == THRIFT_MARK)
            TRY(skip(t, wire, false, depth));
        else if (f->kind == THRIFT_LIST)
            TRY(read_list(t, f, (struct thrift_list *)(void *)to, depth));
        else
            TRY(read_value(t, f->kind, f->of, wire, false, to, depth));
    }
    for (unsigned i = 0; i < of->count; i++)
        if (of->fields[i].required && !(*has >> of->fields[i].id & 1))
            return err_set(t->err, ERR_DATA, "the metadata is damaged: %s has no field %u", of->name,
                           of->fields[i].id);
    return true;
}

bool thrift_read(struct rd *r, const struct thrift_struct *of, void *out, struct arena *arena,
                 struct err *err)
{
    struct reader t = {r, arena, err};
    return read_struct(&t, of, out, 0);
}

/* ---- writing --------------------------------------------------------------------------------------- */

static void put_uint(struct sbuf *out, uint64_t v)
{
    sbuf_reserve(out, VARINT_MAX);
    sbuf_added(out, put_uvarint((uint8_t *)out->p + out->n, v));
}

static void write_value(struct sbuf *out, unsigned kind, const struct thrift_struct *of, const void *in)
{
    switch (kind) {
    case THRIFT_BOOL: sbuf_char(out, *(const bool *)in ? W_TRUE : W_FALSE); break;
    case THRIFT_I8: sbuf_char(out, *(const char *)in); break;
    case THRIFT_I16: put_uint(out, zigzag(*(const int16_t *)in)); break;
    case THRIFT_I32: put_uint(out, zigzag(*(const int32_t *)in)); break;
    case THRIFT_I64: put_uint(out, zigzag(*(const int64_t *)in)); break;
    case THRIFT_BINARY: {
        const struct str *s = in;
        put_uint(out, s->n);
        sbuf_str(out, *s);
        break;
    }
    case THRIFT_STRUCT: thrift_write(out, of, in); break;
    default: UNREACHABLE("a list's element is a scalar or a struct");
    }
}

static void write_list(struct sbuf *out, const struct thrift_field *f, const struct thrift_list *list)
{
    unsigned wire = wire_of_kind[f->element];
    if (list->count < 15) {
        sbuf_char(out, (char)(list->count << 4 | wire));
    } else {
        sbuf_char(out, (char)(0xF0 | wire));
        put_uint(out, list->count);
    }
    size_t size = size_of_kind(f->element, f->of);
    for (uint32_t i = 0; i < list->count; i++)
        write_value(out, f->element, f->of, (const uint8_t *)list->items + i * size);
}

void thrift_write(struct sbuf *out, const struct thrift_struct *of, const void *in)
{
    uint32_t has = *(const uint32_t *)in;
    unsigned last = 0;
    for (unsigned i = 0; i < of->count; i++) {
        const struct thrift_field *f = &of->fields[i];
        const uint8_t *from = (const uint8_t *)in + f->offset;
        if (!(has >> f->id & 1)) {
            CHECK(!f->required);
            continue;
        }
        unsigned wire = wire_of_kind[f->kind];
        if (f->kind == THRIFT_BOOL)
            wire = *(const bool *)(const void *)from ? W_TRUE : W_FALSE;
        CHECK(f->id > last);
        sbuf_char(out, (char)((f->id - last <= 15 ? f->id - last : 0) << 4 | wire));
        if (f->id - last > 15)
            put_uint(out, zigzag(f->id));
        last = f->id;
        if (f->kind == THRIFT_LIST)
            write_list(out, f, (const struct thrift_list *)(const void *)from);
        else if (f->kind == THRIFT_MARK)
            sbuf_char(out, W_STOP);
        else if (f->kind != THRIFT_BOOL)
            write_value(out, f->kind, f->of, from);
    }
    sbuf_char(out, W_STOP);
}

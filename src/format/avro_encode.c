/* Columns to records: the schema as a tree of puts, each bound to a column of the batch, walked once for each row.
 *
 * What a row has written when something in it turns out not to fit is taken back; so a put that fails leaves no trace, and says why. */
#include "base/bytes.h"
#include "base/map.h"
#include "base/utf8.h"
#include "format/avro_private.h"
#include "type/decimal.h"
#include "type/timestamp.h"

enum put_kind {
    PUT_CONSTANT, /* a field without a column */
    PUT_BOOLEAN,
    PUT_I8,
    PUT_I16,
    PUT_I32,
    PUT_I64,
    PUT_INT,   /* LONG → int */
    PUT_FLOAT, /* any number → float, double */
    PUT_F32,
    PUT_F64,
    PUT_STRING, /* → string, bytes */
    PUT_TEXT,   /* BINARY → string */
    PUT_FIXED,
    PUT_ENUM,
    PUT_UUID,
    PUT_DECIMAL,
    PUT_MILLIS, /* of a timestamp */
    PUT_NANOS,
    PUT_DURATION,
    PUT_RECORD,
    PUT_LIST,
    PUT_MEMBERS,
};

/* A union's branch as it is written. */
struct head {
    uint8_t bytes[5];
    uint8_t size; /* 0: there is no union */
};

struct put {
    enum put_kind kind;
    bool has_null;     /* the type takes NULL, written as `null` */
    struct head null;  /* size 0: of the type null itself */
    struct head value; /* before every value */
    uint32_t index;    /* which child of the parent's column this is */
    const struct avro_type *to;
    const struct type *from;
    const struct column *column; /* of the batch */
    struct put *children;        /* RECORD, LIST, MEMBERS, DURATION: [child_count] */
    uint32_t child_count;
    struct str constant;
    i128 factor;         /* DECIMAL: to the scale of `to` */
    bool divide;         /* by it */
    struct map *symbols; /* ENUM: → its index + 1, as a pointer */
    const char *path;
};

struct avro_encoder {
    struct put root; /* RECORD, or the one value */
    const struct type *columns;
    struct pool *pool;

    /* the batch */
    struct arena arena;
    struct sbuf *out;
    const char *fault, *fault_path;
};

/* ---- bytes ---------------------------------------------------------------------------------------------------------------- */

NEVER_INLINE static bool unfit(struct avro_encoder *e, const struct put *put, const char *why)
{
    e->fault = why;
    e->fault_path = put->path;
    return false;
}

/* Room for n bytes, taken. */
ALWAYS_INLINE uint8_t *room(struct avro_encoder *e, size_t n)
{
    struct sbuf *out = e->out;
    if (LIKELY(out->capacity - out->n > n)) /* and a NUL */
        return (uint8_t *)out->p + out->n;
    return (uint8_t *)sbuf_reserve(out, n);
}

ALWAYS_INLINE void write_long(struct avro_encoder *e, int64_t value)
{
    uint64_t u = zigzag(value);
    uint8_t *p = room(e, VARINT_MAX);
    size_t n = 1;
    if (LIKELY(u < 0x80))
        p[0] = (uint8_t)u;
    else
        n = put_uvarint(p, u);
    e->out->n += n;
}

ALWAYS_INLINE void write_bytes(struct avro_encoder *e, const void *bytes, size_t n)
{
    uint8_t *p = room(e, n);
    if (n > 0)
        memcpy(p, bytes, n);
    e->out->n += n;
}

ALWAYS_INLINE void write_head(struct avro_encoder *e, const struct head *head)
{
    if (head->size == 0)
        return;
    memcpy(room(e, sizeof head->bytes), head->bytes, sizeof head->bytes);
    e->out->n += head->size;
}

/* A size and its bytes; the view's short ones are copied whole. */
ALWAYS_INLINE void write_view(struct avro_encoder *e, const struct view *view)
{
    uint8_t *p = room(e, VARINT_MAX + VIEW_INLINE + view->size);
    size_t n = 1;
    if (LIKELY(view->size < 64))
        p[0] = (uint8_t)(view->size << 1);
    else
        n = put_varint(p, view->size);
    if (view->size <= VIEW_INLINE)
        memcpy(p + n, view->inlined, VIEW_INLINE);
    else
        memcpy(p + n, view->far.p, view->size);
    e->out->n += n + view->size;
}

/* ---- values that may not fit ---------------------------------------------------------------------------------------------- */

static int64_t integer_at(const struct column *column, uint32_t row)
{
    switch (type_width(column->type)) {
    case 1: return ((const int8_t *)column->data)[row];
    case 2: return ((const int16_t *)column->data)[row];
    case 4: return ((const int32_t *)column->data)[row];
    default: return ((const int64_t *)column->data)[row];
    }
}

static bool put_float(struct avro_encoder *e, const struct put *put, uint32_t row)
{
    const struct column *column = put->column;
    double value;
    if (column->type->kind == TYPE_FLOAT)
        value = (double)((const float *)column->data)[row];
    else if (column->type->kind == TYPE_DOUBLE)
        value = ((const double *)column->data)[row];
    else
        value = (double)integer_at(column, row);
    if (put->to->kind == AVRO_DOUBLE) {
        write_bytes(e, &value, sizeof value);
        return true;
    }
    float narrow = (float)value;
    if (column->type->kind == TYPE_DOUBLE && value == value && (double)narrow != value)
        return unfit(e, put, "a double is no float");
    write_bytes(e, &narrow, sizeof narrow);
    return true;
}

static bool put_fixed(struct avro_encoder *e, const struct put *put, const struct view *view)
{
    if (view->size != put->to->size)
        return unfit(e, put, "the bytes are not as many as its fixed type has");
    write_bytes(e, view_bytes(view), view->size);
    return true;
}

static bool put_enum(struct avro_encoder *e, const struct put *put, const struct view *view)
{
    uintptr_t found = (uintptr_t)map_get(put->symbols, view_str(view));
    if (found == 0)
        return unfit(e, put, "the text is no symbol of the enum");
    write_long(e, (int64_t)found - 1);
    return true;
}

static bool put_uuid(struct avro_encoder *e, const struct put *put, const struct view *view)
{
    static const uint8_t dashes[] = {8, 13, 18, 23};
    char digits[32];
    uint8_t bytes[16];
    const char *text = view_bytes(view);
    size_t n = 0, dash = 0;
    bool ok = view->size == 36;
    for (uint32_t i = 0; ok && i < 36; i++) {
        bool is_dash = dash < sizeof dashes && dashes[dash] == i;
        dash += is_dash;
        if (is_dash)
            ok = text[i] == '-';
        else
            digits[n++] = text[i];
    }
    if (!ok || !hex_decode(bytes, digits, sizeof bytes))
        return unfit(e, put, "the text is no UUID");
    write_bytes(e, bytes, sizeof bytes);
    return true;
}

static bool put_decimal(struct avro_encoder *e, const struct put *put, i128 value)
{
    bool exact = !put->divide || value % put->factor == 0;
    if (put->divide)
        value /= put->factor;
    else
        exact = !__builtin_mul_overflow(value, put->factor, &value);
    if (!exact || !decimal_fits(value, put->to->precision))
        return unfit(e, put, "the decimal has more digits than its type");
    uint8_t bytes[16];
    put_be64(bytes, (uint64_t)(value >> 64));
    put_be64(bytes + 8, (uint64_t)value);
    size_t from = 0; /* bytes that say no more than the sign */
    while (from < 15 && bytes[from] == (value < 0 ? 0xFF : 0) &&
           (bytes[from + 1] & 0x80) == (value < 0 ? 0x80 : 0))
        from++;
    size_t n = 16 - from, size = put->to->size;
    if (put->to->kind == AVRO_BYTES) {
        write_long(e, (int64_t)n);
        write_bytes(e, bytes + from, n);
        return true;
    }
    if (n > size)
        return unfit(e, put, "the decimal has more bytes than its fixed type");
    memset(room(e, size), value < 0 ? 0xFF : 0, size - n);
    e->out->n += size - n;
    write_bytes(e, bytes + from, n);
    return true;
}

static bool put_duration(struct avro_encoder *e, const struct put *put, uint32_t row)
{
    uint8_t bytes[12];
    for (uint32_t i = 0; i < 3; i++) {
        const struct column *column = put->children[i].column;
        int64_t value = column_is_null(column, row) ? -1 : ((const int64_t *)column->data)[row];
        if (value < 0 || value > UINT32_MAX)
            return unfit(e, &put->children[i], "a part of a duration has more than 32 bits");
        put_le32(bytes + 4 * i, (uint32_t)value);
    }
    write_bytes(e, bytes, sizeof bytes);
    return true;
}

/* ---- one value ------------------------------------------------------------------------------------------------------------ */

static bool put_value(struct avro_encoder *e, const struct put *put, uint32_t row);

static bool put_list(struct avro_encoder *e, const struct put *put, uint32_t row)
{
    uint32_t from = put->column->offsets[row], until = put->column->offsets[row + 1];
    const struct view *keys = put->to->kind == AVRO_MAP ? put->column->children[0].data : NULL;
    if (until > from)
        write_long(e, until - from);
    for (uint32_t i = from; i < until; i++) {
        if (keys != NULL)
            write_view(e, &keys[i]);
        TRY(put_value(e, put->children, i));
    }
    write_long(e, 0);
    return true;
}

/* The first member that is not NULL. */
static bool put_members(struct avro_encoder *e, const struct put *put, uint32_t row)
{
    for (uint32_t i = 0; i < put->child_count; i++)
        if (!column_is_null(put->children[i].column, row))
            return put_value(e, &put->children[i], row);
    if (!put->has_null)
        return unfit(e, put, "every member is NULL, and the union has no null");
    write_head(e, &put->null);
    return true;
}

static bool put_null(struct avro_encoder *e, const struct put *put)
{
    if (!put->has_null)
        return unfit(e, put, "it is NULL, and the schema has no null there");
    write_head(e, &put->null);
    return true;
}

static bool put_value(struct avro_encoder *e, const struct put *put, uint32_t row)
{
    if (put->kind == PUT_CONSTANT) {
        write_bytes(e, put->constant.p, put->constant.n);
        return true;
    }
    const struct column *column = put->column;
    if (column->validity != NULL && !bit_get(column->validity, row))
        return put_null(e, put);
    const void *data = column->data;
    const struct view *view = (const struct view *)data + row;
    int64_t i;
    write_head(e, &put->value);
    switch (put->kind) {
    case PUT_BOOLEAN: write_bytes(e, (const uint8_t *)data + row, 1); return true;
    case PUT_I8: write_long(e, ((const int8_t *)data)[row]); return true;
    case PUT_I16: write_long(e, ((const int16_t *)data)[row]); return true;
    case PUT_I32: write_long(e, ((const int32_t *)data)[row]); return true;
    case PUT_I64: write_long(e, ((const int64_t *)data)[row]); return true;
    case PUT_INT:
        i = ((const int64_t *)data)[row];
        write_long(e, i);
        return i == (int32_t)i || unfit(e, put, "the number has more than 32 bits");
    case PUT_FLOAT: return put_float(e, put, row);
    case PUT_F32: write_bytes(e, (const float *)data + row, sizeof(float)); return true;
    case PUT_F64: write_bytes(e, (const double *)data + row, sizeof(double)); return true;
    case PUT_TEXT:
        if (!utf8_valid(view_bytes(view), view->size))
            return unfit(e, put, "the bytes are not UTF-8");
        write_view(e, view);
        return true;
    case PUT_STRING: write_view(e, view); return true;
    case PUT_FIXED: return put_fixed(e, put, view);
    case PUT_ENUM: return put_enum(e, put, view);
    case PUT_UUID: return put_uuid(e, put, view);
    case PUT_DECIMAL: return put_decimal(e, put, ((const i128 *)data)[row]);
    case PUT_MILLIS: write_long(e, floor_div(((const int64_t *)data)[row], US_PER_MS)); return true;
    case PUT_NANOS:
        if (__builtin_mul_overflow(((const int64_t *)data)[row], 1000, &i))
            return unfit(e, put, "the timestamp is out of the range of nanoseconds");
        write_long(e, i);
        return true;
    case PUT_DURATION: return put_duration(e, put, row);
    case PUT_RECORD:
        for (uint32_t k = 0; k < put->child_count; k++)
            if (UNLIKELY(!put_value(e, &put->children[k], row)))
                return false;
        return true;
    case PUT_LIST: return put_list(e, put, row);
    case PUT_MEMBERS: return put_members(e, put, row);
    case PUT_CONSTANT: break;
    }
    UNREACHABLE("put");
}

/* ---- rows ----------------------------------------------------------------------------------------------------------------- */

static void bind(struct put *put, const struct column *column)
{
    put->column = column;
    for (uint32_t i = 0; i < put->child_count; i++)
        if (put->children[i].kind != PUT_CONSTANT)
            bind(&put->children[i], &column->children[put->children[i].index]);
}

static void report_unfit(const struct avro_encoder *e, const struct avro_report *report, uint32_t row)
{
    if (report == NULL || report->bad == NULL)
        return;
    struct avro_bad bad = {.row = row, .path = str_of(e->fault_path), .reason = e->fault};
    report->bad(report->arg, &bad);
}

uint32_t avro_encode(struct avro_encoder *e, const struct batch *batch, uint32_t from, uint32_t to,
                     struct str prefix, struct sbuf *out, uint32_t *ends, const struct avro_report *report)
{
    CHECK(from <= to && to <= batch->rows);
    struct column all = {.type = e->columns, .rows = batch->rows};
    uint32_t unfit_rows = 0;
    all.children = arena_array(&e->arena, struct column, e->columns->field_count);
    for (uint32_t i = 0; i < e->columns->field_count; i++)
        all.children[i] = column_flatten(&batch->columns[i], &e->arena);
    e->out = out;
    if (e->root.kind == PUT_RECORD && e->root.from == e->columns)
        bind(&e->root, &all);
    else if (e->root.kind != PUT_CONSTANT)
        bind(&e->root, &all.children[0]);
    for (uint32_t row = from; row < to; row++) {
        size_t start = out->n;
        write_bytes(e, prefix.p, prefix.n);
        if (UNLIKELY(!put_value(e, &e->root, row))) {
            out->n = start;
            unfit_rows++;
            report_unfit(e, report, row);
        }
        CHECK(out->n <= UINT32_MAX);
        ends[row - from] = (uint32_t)out->n;
    }
    if (out->p != NULL)
        *room(e, 0) = 0;
    arena_reset(&e->arena);
    return unfit_rows;
}

/* ---- compiling ------------------------------------------------------------------------------------------------------------ */

struct builder {
    struct avro_encoder *e;
    struct arena *arena;
    struct sbuf path;
    uint32_t count;
    struct err *err;
};

static bool build(struct builder *b, struct put *put, const struct avro_type *to, const struct type *from);

static bool cannot(struct builder *b, const struct avro_type *to, const struct type *from)
{
    struct sbuf text = {0};
    type_to_sql(from, &text);
    err_set(b->err, ERR_CONFIG, "\"%.*s\": %.*s cannot become Avro's %s", STR_ARG(sbuf_view(&b->path)),
            STR_ARG(sbuf_view(&text)),
            to->logical ? avro_logical_name(to->logical) : avro_kind_name(to->kind));
    sbuf_fini(&text);
    return false;
}

static struct head head_of(uint32_t branch)
{
    struct head head = {0};
    uint8_t bytes[VARINT_MAX];
    head.size = (uint8_t)put_varint(bytes, branch);
    memcpy(head.bytes, bytes, head.size);
    return head;
}

static size_t enter(struct builder *b, struct str name)
{
    size_t before = b->path.n;
    sbuf_cstr(&b->path, before ? "." : "");
    sbuf_str(&b->path, name);
    return before;
}

static struct put *make_children(struct builder *b, struct put *put, uint32_t count)
{
    put->children = arena_zarray(b->arena, struct put, count);
    put->child_count = count;
    return put->children;
}

static int find_column(const struct type *columns, const struct avro_field *field)
{
    int index = type_field(columns, field->name, false);
    for (uint32_t i = 0; index < 0 && i < field->aliases.count; i++)
        index = type_field(columns, field->aliases.items[i], false);
    return index;
}

/* A field that no column gives. */
static bool build_constant(struct builder *b, struct put *put, const struct avro_field *field)
{
    struct sbuf bytes = {0};
    bool is_null = field->type->kind == AVRO_NULL, ok = is_null;
    put->kind = PUT_CONSTANT;
    if (field->default_value != NULL)
        ok = avro_default_write(field->type, field->default_value, &bytes);
    for (uint32_t i = 0; !ok && field->type->kind == AVRO_UNION && i < field->type->names.count; i++) {
        if (field->type->types[i]->kind != AVRO_NULL)
            continue;
        struct head head = head_of(i);
        bytes.n = 0;
        sbuf_add(&bytes, head.bytes, head.size);
        ok = true;
    }
    put->constant = str_n(arena_dup(b->arena, bytes.p ? bytes.p : "", bytes.n), bytes.n);
    sbuf_fini(&bytes);
    return ok ||
           err_set(b->err, ERR_CONFIG,
                   "\"%.*s\": there is no such column, and the schema has neither a default nor null for it",
                   STR_ARG(sbuf_view(&b->path)));
}

static bool build_record(struct builder *b, struct put *put, const struct avro_type *to,
                         const struct type *from)
{
    struct put *children = make_children(b, put, to->names.count);
    put->kind = PUT_RECORD;
    for (uint32_t i = 0; i < to->names.count; i++) {
        const struct avro_field *field = &to->fields[i];
        int index = find_column(from, field);
        size_t before = enter(b, field->name);
        if (!(index < 0 ? build_constant(b, &children[i], field)
                        : build(b, &children[i], field->type, from->fields[index].type)))
            return false;
        children[i].index = index < 0 ? 0 : (uint32_t)index;
        b->path.n = before;
    }
    return true;
}

static bool build_duration(struct builder *b, struct put *put, const struct avro_type *to,
                           const struct type *from)
{
    static const char *const names[] = {"months", "days", "milliseconds"};
    struct put *children = make_children(b, put, 3);
    put->kind = PUT_DURATION;
    for (int i = 0; i < 3; i++) {
        int index = type_field(from, str_of(names[i]), false);
        if (index < 0 || from->fields[index].type->kind != TYPE_LONG)
            return cannot(b, to, from);
        children[i] = (struct put){
            .kind = PUT_I64, .index = (uint32_t)index, .from = from->fields[index].type};
        children[i].path = str_dup(b->arena, sbuf_view(&b->path));
    }
    return true;
}

static bool build_list(struct builder *b, struct put *put, const struct avro_type *to,
                       const struct type *from)
{
    size_t before = b->path.n;
    uint32_t index = from->field_count - 1;
    put->kind = PUT_LIST;
    if (from->kind == TYPE_MAP && from->fields[0].type->kind != TYPE_STRING)
        return cannot(b, to, from);
    struct put *items = make_children(b, put, 1);
    sbuf_cstr(&b->path, "[]");
    TRY(build(b, items, to->items, from->fields[index].type));
    b->path.n = before;
    items->index = index;
    return true;
}

static void free_symbols(void *arg)
{
    map_fini(arg);
}

static void build_symbols(struct builder *b, struct put *put, const struct avro_type *to)
{
    put->kind = PUT_ENUM;
    put->symbols = arena_new(b->arena, struct map);
    for (uint32_t i = 0; i < to->names.count; i++)
        map_put(put->symbols, to->names.items[i], (void *)(uintptr_t)(i + 1));
    pool_on_free(b->e->pool, free_symbols, put->symbols);
}

static bool build_integer(struct builder *b, struct put *put, const struct avro_type *to,
                          const struct type *from)
{
    static const enum put_kind kinds[] = {
        [TYPE_BYTE] = PUT_I8, [TYPE_SHORT] = PUT_I16, [TYPE_INT] = PUT_I32, [TYPE_LONG] = PUT_I64};
    if (to->kind == AVRO_INT || to->kind == AVRO_LONG)
        put->kind = to->kind == AVRO_INT && from->kind == TYPE_LONG ? PUT_INT : kinds[from->kind];
    else if (to->kind == AVRO_FLOAT || to->kind == AVRO_DOUBLE)
        put->kind = PUT_FLOAT;
    else
        return cannot(b, to, from);
    return true;
}

static bool build_text(struct builder *b, struct put *put, const struct avro_type *to,
                       const struct type *from)
{
    bool is_binary = from->kind == TYPE_BINARY;
    if (to->kind == AVRO_STRING || to->kind == AVRO_BYTES)
        put->kind = is_binary && to->kind == AVRO_STRING ? PUT_TEXT : PUT_STRING;
    else if (to->kind == AVRO_ENUM)
        build_symbols(b, put, to);
    else if (to->kind == AVRO_FIXED)
        put->kind = !is_binary && to->logical == AVRO_UUID ? PUT_UUID : PUT_FIXED;
    else
        return cannot(b, to, from);
    return true;
}

static bool build_decimal(struct builder *b, struct put *put, const struct avro_type *to,
                          const struct type *from)
{
    if (to->logical != AVRO_DECIMAL || to->precision > DECIMAL_PRECISION_MAX)
        return cannot(b, to, from);
    put->kind = PUT_DECIMAL;
    put->divide = to->scale < from->scale;
    put->factor = decimal_pow10[put->divide ? from->scale - to->scale : to->scale - from->scale];
    return true;
}

static bool build_timestamp(struct builder *b, struct put *put, const struct avro_type *to,
                            const struct type *from)
{
    bool local = from->kind == TYPE_TIMESTAMP_NTZ;
    enum avro_logical logical = to->logical;
    if (to->kind == AVRO_LONG &&
        (logical == AVRO_PLAIN || logical == (local ? AVRO_LOCAL_TIMESTAMP_MILLIS : AVRO_TIMESTAMP_MILLIS)))
        put->kind = PUT_MILLIS;
    else if (logical == (local ? AVRO_LOCAL_TIMESTAMP_MICROS : AVRO_TIMESTAMP_MICROS))
        put->kind = PUT_I64;
    else if (logical == (local ? AVRO_LOCAL_TIMESTAMP_NANOS : AVRO_TIMESTAMP_NANOS))
        put->kind = PUT_NANOS;
    else
        return cannot(b, to, from);
    return true;
}

static bool build_float(struct builder *b, struct put *put, const struct avro_type *to,
                        const struct type *from)
{
    if (to->kind != AVRO_FLOAT && to->kind != AVRO_DOUBLE)
        return cannot(b, to, from);
    bool same = (to->kind == AVRO_FLOAT) == (from->kind == TYPE_FLOAT);
    put->kind = !same ? PUT_FLOAT : to->kind == AVRO_FLOAT ? PUT_F32 : PUT_F64;
    return true;
}

/* A value that is of no union. */
static bool build_plain(struct builder *b, struct put *put, const struct avro_type *to,
                        const struct type *from)
{
    put->to = to;
    switch (from->kind) {
    case TYPE_BOOLEAN: put->kind = PUT_BOOLEAN; return to->kind == AVRO_BOOLEAN || cannot(b, to, from);
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_LONG: return build_integer(b, put, to, from);
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return build_float(b, put, to, from);
    case TYPE_DECIMAL: return build_decimal(b, put, to, from);
    case TYPE_STRING:
    case TYPE_BINARY: return build_text(b, put, to, from);
    case TYPE_DATE:
    case TYPE_INTERVAL_YM: put->kind = PUT_I32; return to->kind == AVRO_INT || cannot(b, to, from);
    case TYPE_INTERVAL_DT: put->kind = PUT_I64; return to->kind == AVRO_LONG || cannot(b, to, from);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return build_timestamp(b, put, to, from);
    case TYPE_STRUCT:
        if (to->logical == AVRO_DURATION)
            return build_duration(b, put, to, from);
        return to->kind == AVRO_RECORD ? build_record(b, put, to, from) : cannot(b, to, from);
    case TYPE_ARRAY:
    case TYPE_MAP:
        if (to->kind != (from->kind == TYPE_ARRAY ? AVRO_ARRAY : AVRO_MAP))
            return cannot(b, to, from);
        return build_list(b, put, to, from);
    default: return cannot(b, to, from);
    }
}

static bool build_members(struct builder *b, struct put *put, const struct avro_type *to,
                          const struct type *from)
{
    struct put *children = make_children(b, put, to->names.count);
    put->kind = PUT_MEMBERS;
    put->child_count = 0;
    for (uint32_t i = 0; i < to->names.count; i++) {
        char *name = arena_printf(b->arena, "member%u", avro_member_index(to, i));
        int index = to->types[i]->kind == AVRO_NULL ? -1 : type_field(from, str_of(name), false);
        if (index < 0)
            continue;
        struct put *child = &children[put->child_count++];
        size_t before = enter(b, str_of(name));
        TRY(build(b, child, to->types[i], from->fields[index].type));
        child->index = (uint32_t)index;
        child->value = head_of(i);
        b->path.n = before;
    }
    return put->child_count > 0 || cannot(b, to, from);
}

/* Is that what the type's column would be? */
static bool is_natural(const struct avro_type *to, const struct type *from)
{
    switch (from->kind) {
    case TYPE_LONG: return to->kind == AVRO_LONG && to->logical == AVRO_PLAIN;
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT: return to->kind == AVRO_INT && to->logical == AVRO_PLAIN;
    case TYPE_FLOAT: return to->kind == AVRO_FLOAT;
    case TYPE_DOUBLE: return to->kind == AVRO_DOUBLE;
    case TYPE_STRING: return to->kind == AVRO_STRING;
    case TYPE_BINARY: return to->kind == AVRO_BYTES && to->logical != AVRO_DECIMAL;
    case TYPE_DATE: return to->logical == AVRO_DATE;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return to->logical != AVRO_PLAIN;
    default: return true;
    }
}

static bool build_union(struct builder *b, struct put *put, const struct avro_type *to,
                        const struct type *from)
{
    struct err *err = b->err, last = {0};
    for (uint32_t i = 0; i < to->names.count; i++)
        if (to->types[i]->kind == AVRO_NULL) {
            put->has_null = true;
            put->null = head_of(i);
        }
    put->to = to;
    if (from->kind == TYPE_STRUCT && avro_is_members(to) && type_field(from, STR("member0"), false) >= 0)
        return build_members(b, put, to, from);
    b->err = &last;
    for (int natural = 1; natural >= 0; natural--)
        for (uint32_t i = 0; i < to->names.count; i++) {
            size_t before = b->path.n;
            if (to->types[i]->kind == AVRO_NULL || (natural && !is_natural(to->types[i], from)))
                continue;
            if (build_plain(b, put, to->types[i], from)) {
                put->value = head_of(i);
                b->err = err;
                return true;
            }
            b->path.n = before;
        }
    b->err = err;
    if (from->kind == TYPE_NULL && put->has_null)
        return true;
    if (last.text[0] == '\0')
        return cannot(b, to, from);
    if (err != NULL)
        *err = last;
    return false;
}

static bool build(struct builder *b, struct put *put, const struct avro_type *to, const struct type *from)
{
    if (b->count++ > AVRO_STEPS_MAX)
        return err_set(b->err, ERR_CONFIG, "the schema is too large");
    put->from = from;
    put->path = str_dup(b->arena, str_n(b->path.p, b->path.n < AVRO_PATH_MAX ? b->path.n : AVRO_PATH_MAX));
    if (to->kind == AVRO_UNION) {
        TRY(build_union(b, put, to, from));
    } else if (to->kind == AVRO_NULL) {
        put->has_null = true;
        put->to = to;
        if (from->kind != TYPE_NULL)
            return cannot(b, to, from);
    } else {
        TRY(build_plain(b, put, to, from));
    }
    if (from->kind == TYPE_NULL) {
        put->kind = PUT_CONSTANT;
        put->constant = str_n(arena_dup(b->arena, put->null.bytes, put->null.size), put->null.size);
    }
    return true;
}

static void close_encoder(void *arg)
{
    struct avro_encoder *e = arg;
    arena_fini(&e->arena);
}

struct avro_encoder *avro_encoder_new(struct pool *pool, const struct avro_schema *schema,
                                      const struct type *columns, struct err *err)
{
    CHECK(columns->kind == TYPE_STRUCT);
    struct avro_encoder *e = pool_new_struct(pool, struct avro_encoder);
    struct builder b = {.e = e, .arena = pool_arena(pool), .err = err};
    bool ok;
    e->pool = pool;
    e->columns = columns;
    pool_on_free(pool, close_encoder, e);
    if (schema->root->kind == AVRO_RECORD)
        ok = build(&b, &e->root, schema->root, columns);
    else if (columns->field_count == 1)
        ok = build(&b, &e->root, schema->root, columns->fields[0].type);
    else
        ok = err_set(err, ERR_CONFIG, "a schema that is no record takes one column, not %u",
                     columns->field_count);
    sbuf_fini(&b.path);
    return ok ? e : NULL;
}

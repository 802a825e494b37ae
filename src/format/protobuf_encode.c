/* Columns to records.
 *
 * The encoder holds, per field in the order of the numbers, its tag as bytes, ready to copy, and which writer does for its type and column.
 * Output goes through a cursor into the buffer: each writer first makes sure of the most bytes that it can need, then writes without looking.
 *
 * The length of a message stands before it and is known behind it. One byte is kept for it, or as many as the field's last message
 * took; where that was wrong the message moves. */
#include <stdlib.h>

#include "base/bytes.h"
#include "format/protobuf_private.h"
#include "type/decimal.h"
#include "type/timestamp.h"

enum { TAG_MAX = 5, NUMBER_MAX = TAG_MAX + VARINT_MAX };

enum encode_op {
    PUT_VARINT32, /* of an INT, with its sign */
    PUT_VARINT64,
    PUT_SINT32,
    PUT_SINT64,
    PUT_BOOL,
    PUT_FIXED32, /* as it is */
    PUT_FIXED64,
    PUT_BYTES,
    PUT_NUMBER, /* of any column of integers, its range checked */
    PUT_DOUBLE, /* of a FLOAT */
    PUT_ENUM,
    PUT_MESSAGE,
    PUT_WRAPPER,
    PUT_TIMESTAMP,
    PUT_DURATION,
    PUT_DATE,
    PUT_DECIMAL,
    PUT_VARIANT,
    PUT_JSON,
};

/* A constant of an enum: by number, and by name. */
struct constant {
    struct str name;
    int32_t number;
};

struct encode_field {
    uint8_t tag[TAG_MAX], end_tag[TAG_MAX]; /* the latter of a group */
    uint8_t tag_size;
    uint8_t length_size; /* bytes that the last message's length took */
    enum encode_op op;
    enum proto_kind kind;
    uint32_t column;
    bool is_repeated, is_map, is_packed, is_delimited, is_required;
    bool skips_default;         /* no presence: what is the default is not written */
    int64_t default_number;     /* of an enum */
    struct encode_plan *plan;   /* MESSAGE; a map's pairs: key and value; WRAPPER: its value */
    struct constant *constants; /* [constant_count], by name */
    uint32_t constant_count;
    bool is_open;
    const char *message;     /* JSON */
    const struct type *type; /* of one element */

    /* the way here, for reports */
    const struct encode_field *parent;
    struct str name;
};

struct encode_plan {
    struct encode_field *fields;
    uint32_t count;
};

struct protobuf_encoder {
    const struct type *columns;
    struct encode_plan plan;

    /* the row */
    const char *reason;
    const struct encode_field *bad;

    /* scratch */
    struct sbuf text;
    struct arena arena;
    char path[PROTOBUF_PATH_MAX];
};

/* ---- compiling ------------------------------------------------------------------------------------------------------------ */

struct compile {
    struct arena *arena;
    struct err *err;
};

static bool compile_plan(struct compile *c, struct encode_plan *plan, const struct encode_field *parent,
                         const struct proto_message *message, const struct type *columns);

static int compare_constants(const void *a, const void *b)
{
    return str_cmp(((const struct constant *)a)->name, ((const struct constant *)b)->name);
}

static void compile_enum(struct compile *c, struct encode_field *field, const struct proto_enum *e)
{
    field->constants = arena_array(c->arena, struct constant, e->constants.count);
    field->is_open = !proto_enum_is_closed(e);
    field->default_number = e->constants.first != NULL ? e->constants.first->tag : 0;
    PROTO_EACH(proto_constant, constant, &e->constants)
    field->constants[field->constant_count++] = (struct constant){constant->name, constant->tag};
    if (field->constant_count > 0)
        qsort(field->constants, field->constant_count, sizeof *field->constants, compare_constants);
}

static bool misfit(struct compile *c, const struct protobuf_member *member, const struct type *column)
{
    struct sbuf sql = {0};
    type_to_sql(column, &sql);
    struct str name = member->is_map ? STR("a map")
                      : member->kind == PROTO_MESSAGE && member->message != NULL
                          ? member->message->full
                          : str_of(proto_kind_name(member->kind));
    err_set(c->err, ERR_CONFIG, "a column %.*s cannot become the field \"%.*s\", which is %s%.*s",
            STR_ARG(sbuf_view(&sql)), STR_ARG(member->name), member->is_repeated ? "repeated " : "",
            STR_ARG(name));
    sbuf_fini(&sql);
    return false;
}

static int integer_op(enum proto_kind kind, enum type_kind column)
{
    if (column == TYPE_INT)
        switch (kind) {
        case PROTO_INT32:
        case PROTO_INT64: return PUT_VARINT32;
        case PROTO_SINT32:
        case PROTO_SINT64: return PUT_SINT32;
        case PROTO_SFIXED32: return PUT_FIXED32;
        default: return PUT_NUMBER;
        }
    if (column == TYPE_LONG)
        switch (kind) {
        case PROTO_INT64: return PUT_VARINT64;
        case PROTO_SINT64: return PUT_SINT64;
        case PROTO_SFIXED64: return PUT_FIXED64;
        default: return PUT_NUMBER;
        }
    return column == TYPE_BYTE || column == TYPE_SHORT || column == TYPE_DECIMAL || column == TYPE_INTERVAL_YM
               ? PUT_NUMBER
               : -1;
}

/* Which writer; -1: there is none. */
static int scalar_op(enum proto_kind kind, enum type_kind column)
{
    switch (kind) {
    case PROTO_BOOL: return column == TYPE_BOOLEAN ? PUT_BOOL : -1;
    case PROTO_FLOAT: return column == TYPE_FLOAT ? PUT_FIXED32 : -1;
    case PROTO_DOUBLE: return column == TYPE_DOUBLE ? PUT_FIXED64 : column == TYPE_FLOAT ? PUT_DOUBLE : -1;
    case PROTO_STRING: return column == TYPE_STRING ? PUT_BYTES : -1;
    case PROTO_BYTES: return column == TYPE_STRING || column == TYPE_BINARY ? PUT_BYTES : -1;
    case PROTO_ENUM: return column == TYPE_STRING ? PUT_ENUM : integer_op(PROTO_ENUM, column);
    case PROTO_MESSAGE:
    case PROTO_UNKNOWN: return -1;
    default: return integer_op(kind, column);
    }
}

static int message_op(const struct protobuf_member *member, enum type_kind column)
{
    bool is_time = column == TYPE_TIMESTAMP || column == TYPE_TIMESTAMP_NTZ;
    if (column == TYPE_STRUCT)
        return PUT_MESSAGE;
    switch (member->known) {
    case KNOWN_TIMESTAMP: return is_time ? PUT_TIMESTAMP : column == TYPE_BINARY ? PUT_BYTES : -1;
    case KNOWN_DURATION:
        return column == TYPE_INTERVAL_DT ? PUT_DURATION : column == TYPE_BINARY ? PUT_BYTES : -1;
    case KNOWN_DATE: return column == TYPE_DATE ? PUT_DATE : column == TYPE_BINARY ? PUT_BYTES : -1;
    case KNOWN_DECIMAL: return column == TYPE_DECIMAL ? PUT_DECIMAL : column == TYPE_BINARY ? PUT_BYTES : -1;
    case KNOWN_VARIANT: return column == TYPE_VARIANT ? PUT_VARIANT : column == TYPE_BINARY ? PUT_BYTES : -1;
    case KNOWN_JSON: return column == TYPE_STRING ? PUT_JSON : column == TYPE_BINARY ? PUT_BYTES : -1;
    case KNOWN_WRAPPER: return PUT_WRAPPER;
    case KNOWN_NONE: break;
    }
    return column == TYPE_BINARY ? PUT_BYTES : -1;
}

static void set_tag(struct encode_field *field, const struct protobuf_member *member, enum protobuf_wire wire)
{
    field->tag_size = (uint8_t)put_uvarint(field->tag, (uint64_t)member->tag << 3 | wire);
    put_uvarint(field->end_tag, (uint64_t)member->tag << 3 | WIRE_GROUP_END);
}

/* One value of it; repeated ones are dealt with around this. */
static bool compile_element(struct compile *c, struct encode_field *field,
                            const struct protobuf_member *member, const struct type *column)
{
    int op = member->kind == PROTO_MESSAGE ? message_op(member, column->kind)
                                           : scalar_op(member->kind, column->kind);
    if (op < 0)
        return misfit(c, member, column);
    field->op = (enum encode_op)op;
    field->kind = member->kind;
    field->type = column;
    if (member->kind == PROTO_ENUM)
        compile_enum(c, field, member->enumeration);
    if (op == PUT_JSON)
        field->message = str_dup(c->arena, member->message->full);
    if (op != PUT_MESSAGE && op != PUT_WRAPPER)
        return true;
    field->plan = arena_new(c->arena, struct encode_plan);
    if (op == PUT_MESSAGE)
        return compile_plan(c, field->plan, field, member->message, column);
    struct protobuf_member wrapped = protobuf_wrapped(member);
    struct encode_field *value = arena_new(c->arena, struct encode_field);
    value->skips_default = true;
    value->name = member->name;
    value->parent = field->parent;
    set_tag(value, &wrapped, protobuf_wire_of(wrapped.kind));
    *field->plan = (struct encode_plan){value, 1};
    return compile_element(c, value, &wrapped, column);
}

static bool compile_map(struct compile *c, struct encode_field *field, const struct protobuf_member *map,
                        const struct type *column)
{
    if (column->kind != TYPE_MAP)
        return misfit(c, map, column);
    struct encode_field *pair = arena_zarray(c->arena, struct encode_field, 2);
    field->plan = arena_new(c->arena, struct encode_plan);
    *field->plan = (struct encode_plan){pair, 2};
    for (uint32_t i = 0; i < 2; i++) {
        struct protobuf_member member = protobuf_map_member(map, (int)i + 1);
        pair[i].column = i;
        pair[i].is_required = true; /* no NULL */
        pair[i].parent = field;
        pair[i].name = member.name;
        set_tag(&pair[i], &member, protobuf_wire_of(member.kind));
        TRY(compile_element(c, &pair[i], &member, column->fields[i].type));
    }
    return true;
}

static bool compile_field(struct compile *c, struct encode_field *field, const struct protobuf_member *member,
                          const struct type *column)
{
    field->is_map = member->is_map;
    field->is_repeated = member->is_repeated;
    field->is_packed = member->traits.is_packed;
    field->is_delimited = member->traits.is_delimited;
    field->is_required = member->traits.is_required;
    field->skips_default = !member->traits.has_presence && !member->is_repeated && !member->is_map;
    field->length_size = 1;
    bool has_length = member->is_map || member->traits.is_packed;
    set_tag(field, member,
            has_length                    ? WIRE_BYTES
            : member->traits.is_delimited ? WIRE_GROUP
                                          : protobuf_wire_of(member->kind));
    if (member->is_map)
        return compile_map(c, field, member, column);
    if (!member->is_repeated)
        return compile_element(c, field, member, column);
    return column->kind == TYPE_ARRAY ? compile_element(c, field, member, column->fields[0].type)
                                      : misfit(c, member, column);
}

static int compare_tags(const void *a, const void *b)
{
    const struct protobuf_member *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

/* Depth: that of the columns. */
static bool compile_plan(struct compile *c, struct encode_plan *plan, const struct encode_field *parent,
                         const struct proto_message *message, const struct type *columns)
{
    uint32_t count;
    struct protobuf_member *members = protobuf_members(c->arena, message, &count);
    if (count > 0)
        qsort(members, count, sizeof *members, compare_tags);
    plan->fields = arena_zarray(c->arena, struct encode_field, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct protobuf_member *member = &members[i];
        int column = protobuf_column_of(columns, member);
        if (column < 0 && member->traits.is_required)
            return err_set(c->err, ERR_CONFIG,
                           "there is no column for the required field \"%.*s\" of \"%.*s\"",
                           STR_ARG(member->name), STR_ARG(message->full));
        if (column < 0)
            continue;
        struct encode_field *field = &plan->fields[plan->count++];
        field->column = (uint32_t)column;
        field->name = member->name;
        field->parent = parent;
        TRY(compile_field(c, field, member, columns->fields[column].type));
    }
    return true;
}

static void close_encoder(void *arg)
{
    struct protobuf_encoder *e = arg;
    sbuf_fini(&e->text);
    arena_fini(&e->arena);
}

struct protobuf_encoder *protobuf_encoder_new(struct pool *pool, const struct proto_message *message,
                                              const struct type *columns, struct err *err)
{
    CHECK(columns->kind == TYPE_STRUCT);
    struct protobuf_encoder *e = pool_new_struct(pool, struct protobuf_encoder);
    struct compile c = {pool_arena(pool), err};
    e->columns = columns;
    pool_on_free(pool, close_encoder, e);
    return compile_plan(&c, &e->plan, NULL, message, columns) ? e : NULL;
}

/* ---- the cursor ----------------------------------------------------------------------------------------------------------- */

/* The output: p … end is free. */
struct cursor {
    struct sbuf *out;
    uint8_t *p, *end;
    struct protobuf_encoder *encoder;
};

NEVER_INLINE static void make_room(struct cursor *c, size_t n)
{
    struct sbuf *out = c->out;
    out->n = (size_t)(c->p - (uint8_t *)out->p);
    size_t grow = n > out->capacity / 2 ? n : out->capacity / 2; /* by half, so that it does not come often */
    c->p = (uint8_t *)sbuf_reserve(out, grow + 64);
    c->end = (uint8_t *)out->p + out->capacity - 1;
}

ALWAYS_INLINE void need(struct cursor *c, size_t n)
{
    if (UNLIKELY((size_t)(c->end - c->p) < n))
        make_room(c, n);
}

/* There is room for NUMBER_MAX bytes. */
ALWAYS_INLINE void put_tag(struct cursor *c, const struct encode_field *field)
{
    if (LIKELY(field->tag_size == 1)) {
        *c->p++ = field->tag[0];
        return;
    }
    memcpy(c->p, field->tag, TAG_MAX);
    c->p += field->tag_size;
}

ALWAYS_INLINE void put_number(struct cursor *c, uint64_t value)
{
    if (LIKELY(value < 0x80))
        *c->p++ = (uint8_t)value;
    else
        c->p += put_uvarint(c->p, value);
}

static bool fail(struct cursor *c, const struct encode_field *field, const char *reason)
{
    c->encoder->reason = reason;
    c->encoder->bad = field;
    return false;
}

/* Room for the length of what follows: as many bytes as the field's last one took. Returns where that begins, from the buffer's
 * start, as the buffer may move. */
static size_t open_body(struct cursor *c, const struct encode_field *field)
{
    need(c, NUMBER_MAX);
    c->p += field->length_size;
    return (size_t)(c->p - (uint8_t *)c->out->p);
}

static void close_body(struct cursor *c, struct encode_field *field, size_t from)
{
    size_t n = (size_t)(c->p - (uint8_t *)c->out->p) - from, size = uvarint_size(n);
    if (UNLIKELY(size != field->length_size)) {
        need(c, VARINT_MAX);
        uint8_t *body = (uint8_t *)c->out->p + from;
        memmove(body - field->length_size + size, body, n);
        c->p = c->p - field->length_size + size;
        from = from - field->length_size + size;
        field->length_size = (uint8_t)size;
    }
    put_uvarint((uint8_t *)c->out->p + from - size, n);
}

/* ---- values --------------------------------------------------------------------------------------------------------------- */

static bool put_fields(struct cursor *c, const struct encode_plan *plan, const struct column *columns,
                       uint32_t row);

/* An integer of any column; false: it is none, or has more digits than 64 bits can hold, is_unsigned or not. */
static bool integer_at(const struct column *column, uint32_t row, i128 *value)
{
    const void *data = column->data;
    switch (column->type->kind) {
    case TYPE_BYTE: *value = ((const int8_t *)data)[row]; return true;
    case TYPE_SHORT: *value = ((const int16_t *)data)[row]; return true;
    case TYPE_INT:
    case TYPE_INTERVAL_YM: *value = ((const int32_t *)data)[row]; return true;
    case TYPE_LONG: *value = ((const int64_t *)data)[row]; return true;
    default: break;
    }
    unsigned scale = column->type->scale;
    *value = ((const i128 *)data)[row];
    i128 whole = *value / decimal_pow10[scale];
    if (whole * decimal_pow10[scale] != *value)
        return false;
    *value = whole;
    return true;
}

static bool number_bits(enum proto_kind kind, i128 value, uint64_t *bits)
{
    bool is_wide = false, is_unsigned = false;
    switch (kind) {
    case PROTO_UINT64:
    case PROTO_FIXED64: is_unsigned = is_wide = true; break;
    case PROTO_UINT32:
    case PROTO_FIXED32: is_unsigned = true; break;
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64: is_wide = true; break;
    default: break;
    }
    i128 least = is_unsigned ? 0 : is_wide ? (i128)INT64_MIN : (i128)INT32_MIN;
    i128 most = is_unsigned ? (is_wide ? (i128)UINT64_MAX : (i128)UINT32_MAX)
                            : (is_wide ? (i128)INT64_MAX : (i128)INT32_MAX);
    if (value < least || value > most)
        return false;
    bool is_zigzag = kind == PROTO_SINT32 || kind == PROTO_SINT64;
    *bits = is_zigzag ? zigzag((int64_t)value) : (uint64_t)value;
    return true;
}

static bool put_any_number(struct cursor *c, const struct encode_field *field, const struct column *column,
                           uint32_t row)
{
    i128 value;
    uint64_t bits;
    if (!integer_at(column, row, &value) || !number_bits(field->kind, value, &bits))
        return fail(c, field, "a number does not fit its field");
    switch (protobuf_wire_of(field->kind)) {
    case WIRE_FIXED64:
        put_le64(c->p, bits);
        c->p += 8;
        break;
    case WIRE_FIXED32:
        put_le32(c->p, (uint32_t)bits);
        c->p += 4;
        break;
    default: put_number(c, bits); break;
    }
    return true;
}

/* The number of a constant; of an open enum also digits. */
static bool enum_number(const struct encode_field *field, struct str text, int64_t *number)
{
    uint32_t low = 0, high = field->constant_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_cmp(field->constants[middle].name, text);
        if (order == 0) {
            *number = field->constants[middle].number;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return field->is_open && str_to_i64(text, number) && *number == (int32_t)*number;
}

static bool put_enum(struct cursor *c, const struct encode_field *field, const struct column *column,
                     uint32_t row)
{
    int64_t number;
    if (!enum_number(field, view_str((const struct view *)column->data + row), &number))
        return fail(c, field, "a text is no constant of its enum");
    put_number(c, (uint64_t)number);
    return true;
}

ALWAYS_INLINE void put_bytes(struct cursor *c, struct str bytes)
{
    need(c, bytes.n + VARINT_MAX);
    put_number(c, bytes.n);
    memcpy(c->p, bytes.p, bytes.n);
    c->p += bytes.n;
}

/* A field of a message that is a value, of one byte's tag; nothing where it is 0. */
static void put_part(struct cursor *c, unsigned number, int64_t value)
{
    if (value == 0)
        return;
    *c->p++ = (uint8_t)(number << 3 | WIRE_VARINT);
    put_number(c, (uint64_t)value);
}

static void put_time(struct cursor *c, int64_t us, bool floored)
{
    int64_t seconds = floored ? floor_div(us, US_PER_S) : us / US_PER_S;
    put_part(c, 1, seconds);
    put_part(c, 2, (us - seconds * US_PER_S) * 1000);
}

static void put_date(struct cursor *c, int32_t days)
{
    int32_t year;
    unsigned month, day;
    days_to_civil(days, &year, &month, &day);
    put_part(c, 1, year);
    put_part(c, 2, month);
    put_part(c, 3, day);
}

/* Big endian, two's complement, as few bytes as say it. */
static void put_decimal(struct cursor *c, i128 value, const struct type *type)
{
    uint8_t bytes[sizeof value];
    size_t from = 0;
    unsigned __int128 rest = (unsigned __int128)value;
    for (size_t i = sizeof bytes; i > 0; rest >>= 8)
        bytes[--i] = (uint8_t)rest;
    while (from + 1 < sizeof bytes && bytes[from] == (value < 0 ? 0xFF : 0) &&
           ((bytes[from] ^ bytes[from + 1]) & 0x80) == 0)
        from++;
    *c->p++ = 1 << 3 | WIRE_BYTES;
    put_bytes(c, str_n(bytes + from, sizeof bytes - from));
    put_part(c, 2, type->precision);
    put_part(c, 3, type->scale);
}

/* The value of a message that is one; there is room for its numbers. */
static bool put_known(struct cursor *c, const struct encode_field *field, const struct column *column,
                      uint32_t row)
{
    const void *data = column->data;
    struct protobuf_encoder *e = c->encoder;
    const char *reason;
    switch (field->op) {
    case PUT_TIMESTAMP: put_time(c, ((const int64_t *)data)[row], true); return true;
    case PUT_DURATION: put_time(c, ((const int64_t *)data)[row], false); return true;
    case PUT_DATE: put_date(c, ((const int32_t *)data)[row]); return true;
    case PUT_DECIMAL: put_decimal(c, ((const i128 *)data)[row], column->type); return true;
    case PUT_VARIANT:
        for (int i = 0; i < 2; i++) {
            need(c, NUMBER_MAX);
            *c->p++ = (uint8_t)((i + 1) << 3 | WIRE_BYTES);
            put_bytes(c, view_str((const struct view *)column->children[i].data + row));
        }
        return true;
    case PUT_JSON:
        sbuf_clear(&e->text);
        arena_reset(&e->arena);
        reason = protobuf_from_json(view_str((const struct view *)data + row), field->message, &e->arena,
                                    &e->text);
        if (reason != NULL)
            return fail(c, field, reason);
        need(c, e->text.n);
        if (e->text.n > 0)
            memcpy(c->p, e->text.p, e->text.n);
        c->p += e->text.n;
        return true;
    default: UNREACHABLE("no message that is a value");
    }
}

enum { KNOWN_MAX = 64 }; /* bytes of such a message, but for what is of any length */

static bool put_value(struct cursor *c, struct encode_field *field, const struct column *column,
                      uint32_t row);

/* A message of any kind, with its length, or in its group. The tag is written. */
static bool put_message(struct cursor *c, struct encode_field *field, const struct column *column,
                        uint32_t row)
{
    size_t from = field->is_delimited ? 0 : open_body(c, field);
    need(c, KNOWN_MAX);
    if (field->op == PUT_MESSAGE)
        TRY(put_fields(c, field->plan, column->children, row));
    else if (field->op == PUT_WRAPPER)
        TRY(put_fields(c, field->plan, column, row));
    else
        TRY(put_known(c, field, column, row));
    if (!field->is_delimited) {
        close_body(c, field, from);
        return true;
    }
    need(c, NUMBER_MAX);
    memcpy(c->p, field->end_tag, TAG_MAX);
    c->p += field->tag_size;
    return true;
}

/* The value of a row that is not NULL, behind its tag. There is room for VARINT_MAX bytes. */
ALWAYS_INLINE bool put_value_inline(struct cursor *c, struct encode_field *field, const struct column *column,
                                    uint32_t row)
{
    const void *data = column->data;
    switch (field->op) {
    case PUT_VARINT32: put_number(c, (uint64_t)(int64_t)((const int32_t *)data)[row]); return true;
    case PUT_VARINT64: put_number(c, (uint64_t)((const int64_t *)data)[row]); return true;
    case PUT_SINT32: put_number(c, zigzag(((const int32_t *)data)[row])); return true;
    case PUT_SINT64: put_number(c, zigzag(((const int64_t *)data)[row])); return true;
    case PUT_BOOL: *c->p++ = ((const uint8_t *)data)[row]; return true;
    case PUT_FIXED32:
        put_le32(c->p, ((const uint32_t *)data)[row]);
        c->p += 4;
        return true;
    case PUT_FIXED64:
        put_le64(c->p, ((const uint64_t *)data)[row]);
        c->p += 8;
        return true;
    case PUT_BYTES:
        if (UNLIKELY(field->is_delimited)) { /* a group as its bytes */
            struct str bytes = view_str((const struct view *)data + row);
            need(c, bytes.n + NUMBER_MAX);
            memcpy(c->p, bytes.p, bytes.n);
            memcpy(c->p + bytes.n, field->end_tag, TAG_MAX);
            c->p += bytes.n + field->tag_size;
            return true;
        }
        put_bytes(c, view_str((const struct view *)data + row));
        return true;
    case PUT_NUMBER: return put_any_number(c, field, column, row);
    case PUT_DOUBLE: {
        double wide = (double)((const float *)data)[row];
        uint64_t bits;
        memcpy(&bits, &wide, sizeof bits);
        put_le64(c->p, bits);
        c->p += 8;
        return true;
    }
    case PUT_ENUM: return put_enum(c, field, column, row);
    default: return put_message(c, field, column, row);
    }
}

static bool put_value(struct cursor *c, struct encode_field *field, const struct column *column, uint32_t row)
{
    return put_value_inline(c, field, column, row);
}

/* Is it what a field without presence has anyway? Of doubles 0, but not -0. */
ALWAYS_INLINE bool is_default(const struct encode_field *field, const struct column *column, uint32_t row)
{
    static const uint8_t zeros[16];
    int64_t number;
    size_t width = type_width(column->type);
    const uint8_t *value = (const uint8_t *)column->data + row * width;
    if (LIKELY(field->op != PUT_ENUM))
        return width == 16 && column->type->kind != TYPE_DECIMAL ? ((const struct view *)value)->size == 0
               : width == 8                                      ? get_le64(value) == 0
               : width == 4                                      ? get_le32(value) == 0
                                                                 : memcmp(value, zeros, width) == 0;
    return enum_number(field, view_str((const struct view *)value), &number) &&
           number == field->default_number;
}

/* ---- fields --------------------------------------------------------------------------------------------------------------- */

static bool is_null(const struct column *column, uint32_t row)
{
    return column->validity != NULL && !bit_get(column->validity, row);
}

static bool put_list(struct cursor *c, struct encode_field *field, const struct column *column, uint32_t row)
{
    const struct column *elements = &column->children[0];
    uint32_t from = column->offsets[row], to = column->offsets[row + 1];
    size_t body = 0;
    if (from == to)
        return true;
    if (field->is_packed) {
        need(c, NUMBER_MAX);
        put_tag(c, field);
        body = open_body(c, field);
    }
    for (uint32_t i = from; i < to; i++) {
        if (is_null(elements, i))
            return fail(c, field, "an element is NULL");
        need(c, NUMBER_MAX);
        if (!field->is_packed)
            put_tag(c, field);
        TRY(put_value(c, field, elements, i));
    }
    if (field->is_packed)
        close_body(c, field, body);
    return true;
}

static bool put_map(struct cursor *c, struct encode_field *field, const struct column *column, uint32_t row)
{
    for (uint32_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
        need(c, NUMBER_MAX);
        put_tag(c, field);
        size_t body = open_body(c, field);
        TRY(put_fields(c, field->plan, column->children, i));
        close_body(c, field, body);
    }
    return true;
}

static bool put_fields(struct cursor *c, const struct encode_plan *plan, const struct column *columns,
                       uint32_t row)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        struct encode_field *field = &plan->fields[i];
        const struct column *column = &columns[field->column];
        if (UNLIKELY(is_null(column, row))) {
            if (field->is_required)
                return fail(c, field,
                            field->parent != NULL && field->parent->is_map ? "it is NULL"
                                                                           : "a required field is NULL");
        } else if (UNLIKELY(field->is_repeated)) {
            TRY(put_list(c, field, column, row));
        } else if (UNLIKELY(field->is_map)) {
            TRY(put_map(c, field, column, row));
        } else if (!(field->skips_default && is_default(field, column, row))) {
            need(c, NUMBER_MAX);
            put_tag(c, field);
            if (UNLIKELY(!put_value_inline(c, field, column, row)))
                return false;
        }
    }
    return true;
}

/* ---- rows ----------------------------------------------------------------------------------------------------------------- */

static void prepend(char *path, size_t *at, struct str text)
{
    size_t n = text.n < *at ? text.n : *at;
    *at -= n;
    memcpy(path + *at, text.p + (text.n - n), n);
}

static struct str path_of(struct protobuf_encoder *e, const struct encode_field *field)
{
    size_t at = sizeof e->path;
    for (bool is_last = true; field != NULL && at > 0; field = field->parent, is_last = false) {
        if (!is_last)
            prepend(e->path, &at, STR("."));
        if (field->is_repeated || field->is_map)
            prepend(e->path, &at, STR("[]"));
        prepend(e->path, &at, field->name);
    }
    return str_n(e->path + at, sizeof e->path - at);
}

NEVER_INLINE static void report_row(struct protobuf_encoder *e, uint32_t row,
                                    const struct protobuf_report *report)
{
    if (report == NULL || report->bad == NULL)
        return;
    struct protobuf_bad bad = {.row = row, .path = path_of(e, e->bad), .reason = e->reason};
    report->bad(report->arg, &bad);
}

uint32_t protobuf_encode(struct protobuf_encoder *e, const struct batch *batch, uint32_t from, uint32_t to,
                         struct str prefix, struct sbuf *out, uint32_t *ends,
                         const struct protobuf_report *report)
{
    CHECK(from <= to && to <= batch->rows);
    DCHECK(type_same(batch->schema, e->columns));
    struct arena flat = {0};
    uint32_t count = batch->schema->field_count, bad = 0;
    struct column *columns = arena_array(&flat, struct column, count);
    for (uint32_t i = 0; i < count; i++)
        columns[i] = column_flatten(&batch->columns[i], &flat);
    struct cursor c = {.out = out, .encoder = e};
    c.p = (uint8_t *)sbuf_reserve(out, 1);
    c.end = (uint8_t *)out->p + out->capacity - 1;
    for (uint32_t row = from; row < to; row++) {
        size_t start = (size_t)(c.p - (uint8_t *)out->p);
        need(&c, prefix.n);
        if (prefix.n > 0)
            memcpy(c.p, prefix.p, prefix.n);
        c.p += prefix.n;
        if (UNLIKELY(!put_fields(&c, &e->plan, columns, row))) {
            c.p = (uint8_t *)out->p + start;
            report_row(e, row, report);
            bad++;
        }
        ends[row - from] = (uint32_t)(c.p - (uint8_t *)out->p);
    }
    out->n = (size_t)(c.p - (uint8_t *)out->p);
    sbuf_added(out, 0);
    arena_fini(&flat);
    return bad;
}

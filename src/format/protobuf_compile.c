/* From a message to a plan: which bytes go into which column.
 *
 * A plan has a step for each field and wire type that it can come with, in the order of the numbers, which is the order in which
 * writers write them: so each step knows which one to expect next, and the others are found by a table. */
#include <stdlib.h>

#include "base/utf8.h"
#include "format/protobuf_decode_private.h"

struct compile {
    struct protobuf_decoder *decoder;
    struct arena *arena;
    struct err *err;
};

static bool compile_message(struct compile *c, struct protobuf_plan *plan,
                            const struct proto_message *message, struct protobuf_slot *columns);
static bool compile_element(struct compile *c, struct protobuf_step *step,
                            const struct protobuf_member *member, struct protobuf_slot *slot, uint8_t *op);

const struct type *protobuf_nullable(struct arena *arena, const struct type *type)
{
    if (type->kind == TYPE_ARRAY)
        return type_array(arena, protobuf_nullable(arena, type->fields[0].type), true);
    if (type->kind == TYPE_MAP)
        return type_map(arena, type->fields[0].type, protobuf_nullable(arena, type->fields[1].type), true);
    if (type->kind != TYPE_STRUCT)
        return type;
    struct field *fields = arena_zarray(arena, struct field, type->field_count);
    for (uint32_t i = 0; i < type->field_count; i++) {
        fields[i] = type->fields[i];
        fields[i].type = protobuf_nullable(arena, fields[i].type);
        fields[i].nullable = true;
    }
    return type_struct(arena, fields, type->field_count);
}

/* ---- enums ---------------------------------------------------------------------------------------------------------------- */

static int compare_symbols(const void *a, const void *b)
{
    const struct protobuf_symbol *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->batch > y->batch) - (x->batch < y->batch); /* here still their order in the text */
}

static struct protobuf_symbols *compile_symbols(struct arena *arena, const struct proto_enum *e)
{
    struct protobuf_symbols *symbols = arena_new(arena, struct protobuf_symbols);
    struct protobuf_symbol *all = arena_zarray(arena, struct protobuf_symbol, e->constants.count);
    uint32_t count = 0;
    PROTO_EACH(proto_constant, constant, &e->constants)
    {
        all[count] = (struct protobuf_symbol){
            .number = constant->tag, .name = constant->name, .batch = count};
        count++;
    }
    if (count > 0)
        qsort(all, count, sizeof *all, compare_symbols);
    symbols->symbols = all;
    symbols->is_closed = proto_enum_is_closed(e);
    for (uint32_t i = 0; i < count; i++) /* of two names for a number the first counts */
        if (i == 0 || all[i].number != all[i - 1].number)
            all[symbols->count++] = all[i];
    symbols->is_dense = symbols->count > 0 &&
                        (int64_t)all[symbols->count - 1].number - all[0].number + 1 == symbols->count;
    for (uint32_t i = 0; i < symbols->count; i++) {
        all[i].batch = 0;
        all[i].view = view_of(all[i].name.p, all[i].name.n);
    }
    return symbols;
}

const struct protobuf_symbol *protobuf_symbol_find(const struct protobuf_symbols *symbols, int32_t number)
{
    const struct protobuf_symbol *all = symbols->symbols;
    if (symbols->is_dense) {
        int64_t at = (int64_t)number - all[0].number;
        return at >= 0 && at < symbols->count ? &all[at] : NULL;
    }
    uint32_t low = 0, high = symbols->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (all[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < symbols->count && all[low].number == number ? &all[low] : NULL;
}

/* ---- which op ------------------------------------------------------------------------------------------------------------- */

enum { NO_OP = UINT8_MAX };

static uint8_t integer_op(enum proto_kind kind, enum type_kind column)
{
    if (column == TYPE_INT)
        switch (kind) {
        case PROTO_INT32: return OP_INT32;
        case PROTO_SINT32: return OP_SINT32;
        case PROTO_SFIXED32: return OP_FIXED32;
        default: return OP_NUMBER;
        }
    if (column == TYPE_LONG)
        switch (kind) {
        case PROTO_INT64: return OP_INT64;
        case PROTO_UINT32: return OP_UINT32;
        case PROTO_SINT64: return OP_SINT64;
        case PROTO_SFIXED64: return OP_FIXED64;
        default: return OP_NUMBER;
        }
    return column == TYPE_BYTE || column == TYPE_SHORT || column == TYPE_DECIMAL ? OP_NUMBER : NO_OP;
}

static uint8_t scalar_op(enum proto_kind kind, enum type_kind column)
{
    switch (kind) {
    case PROTO_BOOL: return column == TYPE_BOOLEAN ? OP_BOOL : NO_OP;
    case PROTO_FLOAT: return column == TYPE_FLOAT ? OP_FIXED32 : column == TYPE_DOUBLE ? OP_NUMBER : NO_OP;
    case PROTO_DOUBLE: return column == TYPE_DOUBLE ? OP_FIXED64 : NO_OP;
    case PROTO_STRING:
    case PROTO_BYTES: return column == TYPE_STRING ? OP_STRING : column == TYPE_BINARY ? OP_BYTES : NO_OP;
    case PROTO_ENUM: return column == TYPE_STRING ? OP_ENUM : integer_op(PROTO_ENUM, column);
    case PROTO_MESSAGE:
    case PROTO_UNKNOWN: return NO_OP;
    default: return integer_op(kind, column);
    }
}

static uint8_t known_op(enum protobuf_known known, enum type_kind column)
{
    switch (known) {
    case KNOWN_TIMESTAMP:
        return column == TYPE_TIMESTAMP || column == TYPE_TIMESTAMP_NTZ ? OP_TIMESTAMP : NO_OP;
    case KNOWN_DURATION: return column == TYPE_INTERVAL_DT ? OP_DURATION : NO_OP;
    case KNOWN_DATE: return column == TYPE_DATE ? OP_DATE : NO_OP;
    case KNOWN_DECIMAL: return column == TYPE_DECIMAL ? OP_DECIMAL : NO_OP;
    case KNOWN_VARIANT: return column == TYPE_VARIANT ? OP_VARIANT : NO_OP;
    case KNOWN_JSON: return column == TYPE_STRING ? OP_JSON : NO_OP;
    case KNOWN_WRAPPER:
    case KNOWN_NONE: break;
    }
    return NO_OP;
}

static bool misfit(struct compile *c, const struct protobuf_member *member, const struct type *column)
{
    struct sbuf sql = {0};
    type_to_sql(column, &sql);
    const char *kind = member->is_map ? "map" : proto_kind_name(member->kind);
    struct str name = member->kind == PROTO_MESSAGE && member->message != NULL ? member->message->full
                                                                               : str_of(kind);
    err_set(c->err, ERR_DATA, "field \"%.*s\" is %s%.*s, which a column %.*s cannot take",
            STR_ARG(member->name), member->is_repeated ? "repeated " : "", STR_ARG(name),
            STR_ARG(sbuf_view(&sql)));
    sbuf_fini(&sql);
    return false;
}

/* ---- defaults ------------------------------------------------------------------------------------------------------------- */

/* As C has them: decimal, 0x…, 0…. */
static bool integer_of_text(struct str text, int64_t *value)
{
    bool is_negative = text.n > 0 && text.p[0] == '-';
    size_t i = is_negative;
    unsigned base = 10;
    uint64_t number = 0;
    if (text.n > i + 1 && text.p[i] == '0') {
        base = (text.p[i + 1] | 0x20) == 'x' ? 16 : 8;
        i += base == 16 ? 2 : 1;
    }
    if (i == text.n)
        return false;
    for (; i < text.n; i++) {
        char c = text.p[i];
        unsigned digit = c >= '0' && c <= '9'                     ? (unsigned)(c - '0')
                         : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (unsigned)((c | 0x20) - 'a' + 10)
                                                                  : base;
        if (digit >= base || __builtin_mul_overflow(number, (uint64_t)base, &number) ||
            __builtin_add_overflow(number, (uint64_t)digit, &number))
            return false;
    }
    *value = (int64_t)(is_negative ? 0 - number : number);
    return true;
}

/* The escapes of bytes are characters in the tree: back to bytes. */
static struct str bytes_of_text(struct arena *arena, struct str text)
{
    char *bytes = arena_alloc(arena, text.n);
    size_t n = 0;
    for (size_t at = 0, step; at < text.n; at += step) {
        uint32_t code;
        step = utf8_decode(text.p + at, text.n - at, &code);
        if (step == 0 || code > UINT8_MAX)
            return text;
        bytes[n++] = (char)code;
    }
    return str_n(bytes, n);
}

static const struct proto_constant *default_constant(const struct protobuf_member *member, struct str text)
{
    PROTO_EACH(proto_constant, constant, &member->enumeration->constants)
    if (text.p == NULL || str_eq(constant->name, text))
        return constant;
    return NULL;
}

static void set_default_text(struct protobuf_default *value, struct str text)
{
    struct view view = view_of(text.p, text.n);
    memcpy(value->value, &view, sizeof view);
    value->text = text;
    value->has_value = true;
}

/* What `text` (p NULL: nothing) says of a scalar. Stays all zeros where it says nothing, or what cannot be. */
static void default_value(struct compile *c, struct protobuf_default *value,
                          const struct protobuf_member *member, struct str text)
{
    const struct protobuf_slot *slot = value->slot;
    double number;
    int64_t integer;
    if (member->kind == PROTO_ENUM) {
        const struct proto_constant *constant = default_constant(member, text);
        if (constant != NULL && slot->kind == TYPE_STRING)
            value->text = constant->name;
        else if (constant != NULL)
            value->has_value = protobuf_store_integer(slot->type, value->value, constant->tag, false);
    } else if (text.p == NULL) {
        return;
    } else if (slot->kind == TYPE_STRING || slot->kind == TYPE_BINARY) {
        value->text = member->kind == PROTO_BYTES ? bytes_of_text(c->arena, text) : text;
        if (slot->kind == TYPE_STRING && !utf8_valid(value->text.p, value->text.n))
            value->text.n = 0;
    } else if (slot->kind == TYPE_BOOLEAN) {
        value->value[0] = str_is(text, "true");
        value->has_value = true;
    } else if (member->kind == PROTO_FLOAT || member->kind == PROTO_DOUBLE) {
        if (!str_to_f64(text, &number))
            return;
        float single = (float)number;
        if (slot->kind == TYPE_FLOAT)
            memcpy(value->value, &single, sizeof single);
        else
            memcpy(value->value, &number, sizeof number);
        value->has_value = true;
    } else if (integer_of_text(text, &integer)) {
        bool is_unsigned = member->kind == PROTO_UINT64 || member->kind == PROTO_FIXED64;
        value->has_value = protobuf_store_integer(slot->type, value->value, integer, is_unsigned);
    }
    if (value->text.n > 0)
        set_default_text(value, value->text);
}

static bool has_default(const struct protobuf_member *member)
{
    if (member->is_repeated || member->is_map || !member->traits.has_presence)
        return true;
    return member->field != NULL && member->field->default_text.p != NULL && member->oneof == NULL &&
           member->kind != PROTO_MESSAGE && !member->traits.is_required;
}

static void add_default(struct compile *c, struct protobuf_plan *plan, const struct protobuf_member *member,
                        struct protobuf_slot *slot)
{
    struct protobuf_default *value = &plan->defaults[plan->default_count++];
    *value = (struct protobuf_default){.slot = slot};
    if (!member->is_repeated && !member->is_map)
        default_value(c, value, member, member->field != NULL ? member->field->default_text : str_n(NULL, 0));
}

/* ---- steps ---------------------------------------------------------------------------------------------------------------- */

static void add_to_table(struct protobuf_plan *plan, struct protobuf_step *step)
{
    uint32_t at = step->key * UINT32_C(0x9E3779B1) >> 8 & plan->table_mask;
    while (plan->table[at] != NULL)
        at = (at + 1) & plan->table_mask;
    plan->table[at] = step;
}

/* steps[count], in the order of their numbers, become the plan. */
static void link_steps(struct compile *c, struct protobuf_plan *plan, struct protobuf_step *steps,
                       uint32_t count)
{
    uint32_t size = 4;
    while (size < 2 * count)
        size *= 2;
    plan->table = arena_zarray(c->arena, struct protobuf_step *, size);
    plan->table_mask = size - 1;
    plan->first = count > 0 ? steps : &c->decoder->unknown;
    for (uint32_t i = 0; i < count; i++) {
        struct protobuf_step *step = &steps[i], *next = &steps[(i + 1) % count];
        bool again = step->op == OP_ELEMENT || step->op == OP_PAIR;
        step->owner = plan;
        step->next[0] = again ? step : next;
        step->next[1] = again ? next : &steps[(i + 2) % count];
        if (step->plan != NULL)
            step->plan->step = step;
        add_to_table(plan, step);
    }
}

static struct protobuf_step step_of(const struct protobuf_member *member, uint32_t wire)
{
    return (struct protobuf_step){.key = (uint32_t)member->tag << 3 | wire,
                                  .op = OP_SKIP,
                                  .kind = (uint8_t)member->kind,
                                  .name = member->name,
                                  .raw_row = UINT32_MAX};
}

static uint32_t wire_of(const struct protobuf_member *member)
{
    if (member->is_map)
        return WIRE_BYTES;
    return member->traits.is_delimited ? WIRE_GROUP : protobuf_wire_of(member->kind);
}

/* A message in the column `slot`: a struct, or a wrapper, whose value is the column itself. */
static bool compile_nested(struct compile *c, struct protobuf_step *step,
                           const struct protobuf_member *member, struct protobuf_slot *slot)
{
    struct protobuf_plan *plan = step->plan = arena_new(c->arena, struct protobuf_plan);
    plan->slot = slot;
    if (slot->kind == TYPE_STRUCT)
        return compile_message(c, plan, member->message, slot) ||
               err_context(c->err, "field \"%.*s\"", STR_ARG(member->name));
    struct protobuf_member wrapped = protobuf_wrapped(member);
    struct protobuf_step *value = arena_new(c->arena, struct protobuf_step);
    *value = step_of(&wrapped, wire_of(&wrapped));
    TRY(compile_element(c, value, &wrapped, slot, &value->op));
    value->slot = slot;
    link_steps(c, plan, value, 1);
    return true;
}

/* How one value of the member comes into the column. */
static bool compile_element(struct compile *c, struct protobuf_step *step,
                            const struct protobuf_member *member, struct protobuf_slot *slot, uint8_t *op)
{
    if (member->kind == PROTO_ENUM)
        step->symbols = compile_symbols(c->arena, member->enumeration);
    if (member->kind != PROTO_MESSAGE) {
        *op = scalar_op(member->kind, slot->kind);
        return *op != NO_OP || misfit(c, member, slot->type);
    }
    *op = known_op(member->known, slot->kind);
    if (member->known == KNOWN_JSON)
        step->message = str_dup(c->arena, member->message->full);
    if (*op != NO_OP)
        return true;
    *op = OP_MESSAGE;
    if (slot->kind == TYPE_STRUCT || member->known == KNOWN_WRAPPER)
        return compile_nested(c, step, member, slot);
    *op = OP_RAW;
    return slot->kind == TYPE_BINARY || misfit(c, member, slot->type);
}

/* The plan of a map's pairs: messages of a key and a value, which are there even where the record does not have them. */
static bool compile_pair(struct compile *c, struct protobuf_step *step, const struct protobuf_member *map,
                         struct protobuf_slot *slot)
{
    struct protobuf_plan *plan = step->plan = arena_new(c->arena, struct protobuf_plan);
    struct protobuf_step *steps = arena_zarray(c->arena, struct protobuf_step, 2);
    plan->defaults = arena_zarray(c->arena, struct protobuf_default, 2);
    for (int i = 0; i < 2; i++) {
        struct protobuf_member member = protobuf_map_member(map, i + 1);
        struct protobuf_slot *child = &slot->children[i];
        steps[i] = step_of(&member, wire_of(&member));
        steps[i].slot = child;
        steps[i].is_map_value = i == 1;
        if (i == 0 && member.kind == PROTO_MESSAGE)
            return misfit(c, map, slot->type);
        if (!compile_element(c, &steps[i], &member, child, &steps[i].op))
            return err_context(c->err, "field \"%.*s\"", STR_ARG(map->name));
        steps[i].sets_bit = true;
        if (steps[i].op == OP_DATE || steps[i].op == OP_VARIANT)
            continue; /* an empty one is no value */
        struct protobuf_default *value = &plan->defaults[plan->default_count++];
        *value = (struct protobuf_default){.slot = child};
        if (member.kind != PROTO_MESSAGE)
            default_value(c, value, &member, str_n(NULL, 0));
        else if (steps[i].op == OP_MESSAGE)
            value->plan = steps[i].plan;
        else if (steps[i].op == OP_JSON)
            set_default_text(value, str_of(protobuf_empty_json(steps[i].message)));
    }
    link_steps(c, plan, steps, 2);
    return true;
}

/* The steps of a member that has a column: one, or two where numbers come packed and not. */
static bool compile_member(struct compile *c, struct protobuf_plan *plan,
                           const struct protobuf_member *member, struct protobuf_slot *slot,
                           struct protobuf_step *steps, uint32_t *count)
{
    struct protobuf_step *step = &steps[(*count)++];
    *step = step_of(member, wire_of(member));
    step->slot = slot;
    step->sets_bit = member->traits.has_presence;
    if (has_default(member))
        add_default(c, plan, member, slot);
    if (member->is_map) {
        step->op = OP_PAIR;
        return slot->kind == TYPE_MAP ? compile_pair(c, step, member, slot) : misfit(c, member, slot->type);
    }
    if (!member->is_repeated)
        return compile_element(c, step, member, slot, &step->op);
    if (slot->kind != TYPE_ARRAY)
        return misfit(c, member, slot->type);
    step->op = OP_ELEMENT;
    step->sets_bit = true;
    TRY(compile_element(c, step, member, slot->children, &step->element_op));
    if (!protobuf_is_number(member->kind))
        return true;
    struct protobuf_step *packed = &steps[(*count)++];
    *packed = *step;
    packed->key = (uint32_t)member->tag << 3 | WIRE_BYTES;
    packed->op = OP_PACKED;
    return true;
}

static int compare_tags(const void *a, const void *b)
{
    const struct protobuf_member *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

static bool compile_message(struct compile *c, struct protobuf_plan *plan,
                            const struct proto_message *message, struct protobuf_slot *columns)
{
    uint32_t count, step_count = 0;
    struct protobuf_member *members = protobuf_members(c->arena, message, &count);
    struct protobuf_choice *choices = arena_zarray(c->arena, struct protobuf_choice, message->oneofs.count);
    struct protobuf_step *steps = arena_zarray(c->arena, struct protobuf_step, 2 * (size_t)count);
    plan->defaults = arena_zarray(c->arena, struct protobuf_default, count);
    plan->required = arena_zarray(c->arena, struct protobuf_step *, count);
    if (count > 0)
        qsort(members, count, sizeof *members, compare_tags);
    for (uint32_t i = 0; i < count; i++) {
        const struct protobuf_member *member = &members[i];
        struct protobuf_step *step = &steps[step_count];
        int at = protobuf_column_of(columns->type, member);
        if (at >= 0) {
            TRY(compile_member(c, plan, member, &columns->children[at], steps, &step_count));
            if (member->traits.is_required)
                plan->required[plan->required_count++] = step;
        } else {
            steps[step_count++] = step_of(member, wire_of(member));
        }
        if (member->oneof != NULL)
            step->choice = &choices[member->oneof_index];
    }
    for (uint32_t i = 0; i < message->oneofs.count; i++)
        choices[i].row = UINT32_MAX;
    link_steps(c, plan, steps, step_count);
    return true;
}

bool protobuf_compile(struct protobuf_decoder *d, struct protobuf_plan *plan,
                      const struct proto_message *message, struct err *err)
{
    struct compile c = {.decoder = d, .arena = pool_arena(d->pool), .err = err};
    return compile_message(&c, plan, message, &d->root);
}

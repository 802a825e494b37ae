/* Schemas into a program.
 *
 * What a value is, the writer's type says; what becomes of it, its column. The reader's schema stands between them: it names fields
 * anew (aliases), gives defaults and symbols, and says which branch of its union a value is. Where both give a meaning (a decimal's scale, a timestamp's unit),
 * the writer's counts, since it knows what it wrote.
 *
 * A record inside a record is no step of its own: its fields follow in the same program. A union of null and one value is no step either, but a
 * variant of that value's. So the program of most schemas is a plain list. */
#include <stdio.h>

#include "base/map.h"
#include "format/avro_decode_private.h"
#include "type/decimal.h"

struct ops {
    struct avro_op *items;
    size_t count, capacity;
};

struct compiler {
    struct avro_decoder *d;
    struct arena *arena;
    struct sbuf path;
    uint32_t steps;
    uint8_t *emptiness; /* of the writer's types by id: 0 = not known yet, see is_empty */
    struct err *err;
};

static const struct avro_way no_way = {.plan = NULL, .branch = -1};

static bool compile_value(struct compiler *c, struct ops *out, const struct avro_type *writer,
                          struct avro_way way, const struct avro_type *reader, struct json_slot *slot);

/* ---- the list ------------------------------------------------------------------------------------------------------------- */

static struct avro_op *emit(struct compiler *c, struct ops *out, enum avro_op_kind kind,
                            struct json_slot *slot)
{
    out->items = mem_grow(out->items, &out->capacity, out->count + 1, sizeof *out->items);
    struct avro_op *op = &out->items[out->count++];
    size_t n = c->path.n < AVRO_PATH_MAX ? c->path.n : AVRO_PATH_MAX;
    *op = (struct avro_op){.kind = kind, .slot = slot, .factor = 1, .step = avro_op_step(kind, false)};
    op->path = str_dup(c->arena, str_n(c->path.p, n));
    c->steps++;
    return op;
}

static void emit_fault(struct compiler *c, struct ops *out, const char *fault)
{
    emit(c, out, AVRO_OP_FAULT, NULL)->fault = fault;
}

/* The program of what was gathered, which is given up. */
static struct avro_program finish(struct compiler *c, struct ops *ops)
{
    struct avro_program program = {.count = (uint32_t)ops->count};
    if (ops->count > 0)
        program.ops = arena_dup(c->arena, ops->items, ops->count * sizeof *ops->items);
    mem_free(ops->items);
    return program;
}

static size_t enter(struct compiler *c, struct str name)
{
    size_t before = c->path.n;
    if (before > 0)
        sbuf_char(&c->path, '.');
    sbuf_str(&c->path, name);
    return before;
}

static void leave(struct compiler *c, size_t before)
{
    c->path.n = before;
}

/* ---- how few bytes a value has -------------------------------------------------------------------------------------------- */

enum { NOT_KNOWN, EMPTY, NOT_EMPTY };

/* Has no value of the type a byte? A record that holds itself has: no value of it would end. */
static bool is_empty(struct compiler *c, const struct avro_type *type)
{
    if (type->kind != AVRO_RECORD)
        return type->kind == AVRO_NULL || (type->kind == AVRO_FIXED && type->size == 0);
    uint8_t *known = &c->emptiness[type->id];
    if (*known == NOT_KNOWN) {
        *known = NOT_EMPTY;
        bool empty = true;
        for (uint32_t i = 0; empty && i < type->names.count; i++)
            empty = is_empty(c, type->fields[i].type);
        *known = empty ? EMPTY : NOT_EMPTY;
    }
    return *known == EMPTY;
}

static uint32_t least_bytes(struct compiler *c, const struct avro_type *type)
{
    uint64_t sum = 0;
    switch (type->kind) {
    case AVRO_FLOAT: return 4;
    case AVRO_DOUBLE: return 8;
    case AVRO_FIXED: return type->size;
    case AVRO_RECORD:
        for (uint32_t i = 0; i < type->names.count; i++) {
            const struct avro_type *field = type->fields[i].type;
            sum += field->kind == AVRO_RECORD ? !is_empty(c, field) : least_bytes(c, field);
        }
        return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    default: return !is_empty(c, type);
    }
}

/* ---- values without a column ---------------------------------------------------------------------------------------------- */

static enum avro_op_kind skip_kind(const struct avro_type *type)
{
    switch (type->kind) {
    case AVRO_BOOLEAN: return AVRO_OP_SKIP_BOOLEAN;
    case AVRO_INT: return AVRO_OP_SKIP_INT;
    case AVRO_LONG: return AVRO_OP_SKIP_LONG;
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
    case AVRO_FIXED: return AVRO_OP_SKIP_FIXED;
    case AVRO_STRING: return AVRO_OP_SKIP_STRING;
    case AVRO_BYTES: return AVRO_OP_SKIP_BYTES;
    case AVRO_ENUM: return AVRO_OP_SKIP_ENUM;
    default: return AVRO_OP_SKIP;
    }
}

static void make_nullable(struct avro_op *op, uint32_t null_branch)
{
    op->null_code = (uint8_t)(null_branch * 2);
    op->value_code = (uint8_t)(2 - op->null_code);
    op->step = avro_op_step(op->kind, true);
}

/* The branch of null in a union of null and something else, or -1. */
static int null_of_two(const struct avro_type *type)
{
    if (type->kind != AVRO_UNION || type->names.count != 2)
        return -1;
    return type->types[0]->kind == AVRO_NULL ? 0 : type->types[1]->kind == AVRO_NULL ? 1 : -1;
}

static void emit_skip(struct compiler *c, struct ops *out, const struct avro_type *type)
{
    int null = null_of_two(type);
    const struct avro_type *value = null < 0 ? type : type->types[1 - null];
    enum avro_op_kind kind = skip_kind(value);
    if (is_empty(c, type))
        return;
    if (kind == AVRO_OP_SKIP) {
        emit(c, out, kind, NULL)->type = type;
        return;
    }
    struct avro_op *op = emit(c, out, kind, NULL);
    op->size = value->kind == AVRO_FLOAT    ? 4
               : value->kind == AVRO_DOUBLE ? 8
               : value->kind == AVRO_ENUM   ? value->names.count
                                            : value->size;
    if (null >= 0)
        make_nullable(op, (uint32_t)null);
}

/* ---- single values -------------------------------------------------------------------------------------------------------- */

static bool cannot(struct compiler *c, const struct avro_type *writer, const struct json_slot *slot)
{
    struct sbuf text = {0};
    type_to_sql(slot->type, &text);
    err_set(c->err, ERR_DATA, "\"%.*s\": Avro's %s cannot become %.*s", STR_ARG(sbuf_view(&c->path)),
            writer->logical ? avro_logical_name(writer->logical) : avro_kind_name(writer->kind),
            STR_ARG(sbuf_view(&text)));
    sbuf_fini(&text);
    return false;
}

/* What the value means: the type that says it. */
static const struct avro_type *meaning(const struct avro_type *writer, const struct avro_plan *plan)
{
    bool has_other = plan != NULL && writer->logical == AVRO_PLAIN && plan->reader->logical != AVRO_PLAIN;
    bool number = writer->kind == AVRO_INT && plan != NULL && plan->reader->kind == AVRO_LONG;
    return has_other && (plan->reader->kind == writer->kind || number) ? plan->reader : writer;
}

static bool emit_number(struct compiler *c, struct ops *out, const struct avro_type *writer,
                        struct json_slot *slot)
{
    enum avro_op_kind kind = AVRO_OP_NUMBER;
    bool is_integer = writer->kind == AVRO_INT || writer->kind == AVRO_LONG;
    if (!is_integer && (writer->kind < AVRO_INT || writer->kind > AVRO_DOUBLE ||
                        (slot->kind != TYPE_FLOAT && slot->kind != TYPE_DOUBLE)))
        return cannot(c, writer, slot);
    if (writer->kind == AVRO_INT && (slot->kind == TYPE_INT || slot->kind == TYPE_INTERVAL_YM))
        kind = AVRO_OP_I32;
    else if (writer->kind == AVRO_INT && slot->kind == TYPE_LONG)
        kind = AVRO_OP_INT_I64;
    else if (writer->kind == AVRO_LONG && slot->kind == TYPE_LONG)
        kind = AVRO_OP_I64;
    else if (writer->kind == AVRO_FLOAT)
        kind = slot->kind == TYPE_FLOAT ? AVRO_OP_F32 : AVRO_OP_F32_F64;
    else if (writer->kind == AVRO_DOUBLE && slot->kind == TYPE_DOUBLE)
        kind = AVRO_OP_F64;
    struct avro_op *op = emit(c, out, kind, slot);
    op->source = writer->kind;
    if (slot->kind == TYPE_DECIMAL)
        op->factor = decimal_pow10[slot->type->scale];
    return true;
}

static bool emit_decimal(struct compiler *c, struct ops *out, const struct avro_type *writer,
                         const struct avro_type *means, struct json_slot *slot)
{
    if (means->logical != AVRO_DECIMAL)
        return emit_number(c, out, writer, slot);
    if (means->precision > DECIMAL_PRECISION_MAX || means->scale > slot->type->scale)
        return cannot(c, means, slot);
    struct avro_op *op = emit(c, out, AVRO_OP_DECIMAL, slot);
    op->factor = decimal_pow10[slot->type->scale - means->scale];
    op->size = writer->kind == AVRO_FIXED ? writer->size : 0;
    return true;
}

static bool emit_date(struct compiler *c, struct ops *out, const struct avro_type *writer,
                      const struct avro_type *means, struct json_slot *slot)
{
    if (writer->kind != AVRO_INT || (means->logical != AVRO_DATE && means->logical != AVRO_PLAIN))
        return cannot(c, writer, slot);
    emit(c, out, AVRO_OP_I32, slot);
    return true;
}

/* A long that means nothing is milliseconds, as Spark has it. */
static bool emit_timestamp(struct compiler *c, struct ops *out, const struct avro_type *writer,
                           const struct avro_type *means, struct json_slot *slot)
{
    bool local = slot->kind == TYPE_TIMESTAMP_NTZ;
    enum avro_op_kind kind;
    if (writer->kind != AVRO_LONG)
        return cannot(c, writer, slot);
    if (means->logical == AVRO_PLAIN ||
        means->logical == (local ? AVRO_LOCAL_TIMESTAMP_MILLIS : AVRO_TIMESTAMP_MILLIS))
        kind = AVRO_OP_MILLIS;
    else if (means->logical == (local ? AVRO_LOCAL_TIMESTAMP_MICROS : AVRO_TIMESTAMP_MICROS))
        kind = AVRO_OP_I64;
    else if (means->logical == (local ? AVRO_LOCAL_TIMESTAMP_NANOS : AVRO_TIMESTAMP_NANOS))
        kind = AVRO_OP_NANOS;
    else
        return cannot(c, means, slot);
    emit(c, out, kind, slot);
    return true;
}

static void emit_symbols(struct compiler *c, struct ops *out, const struct avro_type *writer,
                         const struct avro_plan *plan, struct json_slot *slot)
{
    const struct avro_names *names = plan ? &plan->reader->names : &writer->names;
    struct avro_op *op = emit(c, out, AVRO_OP_ENUM, slot);
    op->size = writer->names.count;
    op->symbols = arena_zarray(c->arena, struct view, op->size);
    for (uint32_t i = 0; i < op->size; i++) {
        int32_t symbol = plan ? plan->symbols[i] : (int32_t)i;
        if (symbol >= 0)
            op->symbols[i] = view_of(names->items[symbol].p, names->items[symbol].n);
        else
            op->symbols[i].size = UINT32_MAX;
    }
}

static bool emit_text(struct compiler *c, struct ops *out, const struct avro_type *writer,
                      const struct avro_plan *plan, struct json_slot *slot)
{
    if (writer->kind == AVRO_ENUM)
        emit_symbols(c, out, writer, plan, slot);
    else if (writer->kind == AVRO_STRING || writer->kind == AVRO_BYTES)
        emit(c, out, AVRO_OP_STRING, slot);
    else if (writer->kind == AVRO_FIXED && meaning(writer, plan)->logical == AVRO_UUID)
        emit(c, out, AVRO_OP_UUID, slot);
    else
        return cannot(c, writer, slot);
    return true;
}

static bool emit_bytes(struct compiler *c, struct ops *out, const struct avro_type *writer,
                       struct json_slot *slot)
{
    if (writer->kind != AVRO_STRING && writer->kind != AVRO_BYTES && writer->kind != AVRO_FIXED)
        return cannot(c, writer, slot);
    emit(c, out, writer->kind == AVRO_FIXED ? AVRO_OP_FIXED : AVRO_OP_BYTES, slot)->size = writer->size;
    return true;
}

/* ---- records -------------------------------------------------------------------------------------------------------------- */

/* A column that nothing is written for: the reader's default, if it has one. */
static bool emit_default(struct compiler *c, struct ops *out, const struct avro_plan *plan,
                         struct json_slot *slot)
{
    int32_t index = plan ? avro_names_find(&plan->reader->names, str_of(slot->name)) : -1;
    const struct avro_field *field = index < 0 ? NULL : &plan->reader->fields[index];
    if (field == NULL || field->default_value == NULL)
        return true;
    struct sbuf bytes = {0};
    struct ops ops = {0};
    if (!avro_default_write(field->type, field->default_value, &bytes)) {
        sbuf_fini(&bytes);
        return err_set(c->err, ERR_DATA, "the default of \"%s\" is not of its type", slot->name);
    }
    uint8_t *emptiness = c->emptiness; /* the reader's types have other ids */
    c->emptiness = mem_new(c->d->reader->type_count);
    bool ok = compile_value(c, &ops, field->type, no_way, NULL, slot);
    mem_free(c->emptiness);
    c->emptiness = emptiness;
    struct avro_program *program = arena_new(c->arena, struct avro_program);
    *program = finish(c, &ops);
    if (ok && program->count > 0) {
        struct avro_op *op = emit(c, out, AVRO_OP_DEFAULT, slot);
        op->programs = program;
        op->bytes = str_n(arena_dup(c->arena, bytes.p, bytes.n), bytes.n);
    }
    sbuf_fini(&bytes);
    return ok;
}

/* One field of the writer's. *slot: the column that it went to, or NULL. */
static bool compile_field(struct compiler *c, struct ops *out, const struct avro_type *writer, uint32_t index,
                          const struct avro_plan *plan, const struct map *columns, struct json_slot **slot)
{
    const struct avro_field *field = &writer->fields[index];
    struct avro_way way = plan ? plan->steps[index].way : no_way;
    const struct avro_field *to = way.plan ? &plan->reader->fields[plan->steps[index].field] : NULL;
    *slot = map_get(columns, to ? to->name : field->name);
    if (*slot == NULL && to != NULL) { /* a column that has kept the name of before */
        *slot = map_get(columns, field->name);
        to = NULL;
    }
    if (to == NULL && plan != NULL && *slot != NULL &&
        avro_names_find(&plan->reader->names, field->name) >= 0)
        *slot = NULL; /* that of another field */
    size_t before = enter(c, to ? to->name : field->name);
    bool ok = true;
    if (*slot == NULL)
        emit_skip(c, out, field->type);
    else
        ok = compile_value(c, out, field->type, to ? way : no_way, to ? to->type : NULL, *slot);
    leave(c, before);
    return ok;
}

static bool compile_record(struct compiler *c, struct ops *out, const struct avro_type *writer,
                           const struct avro_plan *plan, struct json_slot *slot)
{
    struct map columns = {0};
    bool *filled = mem_new_array(bool, (size_t)slot->child_count + 1), ok = true;
    for (uint32_t i = slot->child_count; i > 0; i--)
        map_put(&columns, str_of(slot->children[i - 1].name), &slot->children[i - 1]);
    if (slot->parent != NULL)
        emit(c, out, AVRO_OP_VALID, slot);
    for (uint32_t i = 0; ok && i < writer->names.count; i++) {
        struct json_slot *child;
        ok = compile_field(c, out, writer, i, plan, &columns, &child);
        if (child != NULL)
            filled[child - slot->children] = true;
    }
    for (uint32_t i = 0; ok && i < slot->child_count; i++) {
        size_t before = enter(c, str_of(slot->children[i].name));
        if (!filled[i])
            ok = emit_default(c, out, plan, &slot->children[i]);
        leave(c, before);
    }
    map_fini(&columns);
    mem_free(filled);
    return ok;
}

/* ---- arrays, maps, unions ------------------------------------------------------------------------------------------------- */

static bool compile_list(struct compiler *c, struct ops *out, const struct avro_type *writer,
                         const struct avro_plan *plan, struct json_slot *slot)
{
    struct ops items = {0};
    struct avro_program *program = arena_new(c->arena, struct avro_program);
    uint32_t low = least_bytes(c, writer->items);
    size_t before = c->path.n;
    sbuf_cstr(&c->path, "[]");
    if (slot->kind == TYPE_MAP) {
        emit(c, &items, AVRO_OP_STRING, &slot->children[0]);
        low = low < UINT32_MAX ? low + 1 : low;
    }
    bool ok = compile_value(c, &items, writer->items, plan ? plan->items : no_way,
                            plan ? plan->reader->items : NULL, &slot->children[slot->child_count - 1]);
    *program = finish(c, &items);
    leave(c, before);
    struct avro_op *op = emit(c, out, AVRO_OP_LIST, slot);
    op->programs = program;
    op->low = low;
    return ok;
}

/* `value` of a union goes to the member of a STRUCT. */
static bool compile_member(struct compiler *c, struct ops *out, const struct avro_type *writer,
                           struct avro_way way, uint32_t member, struct json_slot *slot)
{
    char name[32];
    snprintf(name, sizeof name, "member%u", member);
    if (slot->kind != TYPE_STRUCT)
        return cannot(c, writer, slot);
    int child = type_field(slot->type, str_of(name), false);
    emit(c, out, AVRO_OP_VALID, slot);
    if (child < 0) {
        emit_skip(c, out, writer);
        return true;
    }
    size_t before = enter(c, str_of(name));
    bool ok = compile_value(c, out, writer, way, NULL, &slot->children[child]);
    leave(c, before);
    return ok;
}

static bool compile_branch(struct compiler *c, struct ops *out, const struct avro_type *writer,
                           uint32_t index, const struct avro_plan *plan, const struct avro_type *reader,
                           struct json_slot *slot)
{
    const struct avro_type *branch = writer->types[index];
    if (plan != NULL)
        return compile_value(c, out, branch, plan->branches[index], reader, slot);
    if (branch->kind == AVRO_NULL)
        return true;
    if (avro_is_members(writer))
        return compile_member(c, out, branch, no_way, avro_member_index(writer, index), slot);
    return compile_value(c, out, branch, no_way, NULL, slot);
}

/* Null and one value make one step. */
static bool merge_null(struct ops *out, const struct avro_type *writer, struct avro_program *programs)
{
    int null = null_of_two(writer);
    if (null < 0 || programs[null].count != 0 || programs[1 - null].count != 1 ||
        programs[1 - null].ops[0].kind >= AVRO_OP_VALUES ||
        programs[1 - null].ops[0].step != avro_op_step(programs[1 - null].ops[0].kind, false))
        return false;
    out->items = mem_grow(out->items, &out->capacity, out->count + 1, sizeof *out->items);
    out->items[out->count] = programs[1 - null].ops[0];
    make_nullable(&out->items[out->count++], (uint32_t)null);
    return true;
}

/* A branch that cannot become the column is bad when it comes, unless no branch can. */
static bool compile_union(struct compiler *c, struct ops *out, const struct avro_type *writer,
                          const struct avro_plan *plan, const struct avro_type *reader,
                          struct json_slot *slot)
{
    uint32_t count = writer->names.count, good = 0, values = 0;
    struct avro_program *programs = arena_zarray(c->arena, struct avro_program, count);
    struct err *err = c->err, last = {0};
    c->err = &last;
    for (uint32_t i = 0; i < count; i++) {
        struct ops ops = {0};
        bool ok = compile_branch(c, &ops, writer, i, plan, reader, slot);
        if (!ok) {
            ops.count = 0;
            emit_fault(c, &ops, arena_strdup(c->arena, last.text));
        }
        programs[i] = finish(c, &ops);
        values += writer->types[i]->kind != AVRO_NULL;
        good += ok && writer->types[i]->kind != AVRO_NULL;
    }
    c->err = err;
    if (values > 0 && good == 0) {
        if (err != NULL)
            *err = last;
        return false;
    }
    if (merge_null(out, writer, programs))
        return true;
    struct avro_op *op = emit(c, out, AVRO_OP_UNION, slot);
    op->size = count;
    op->programs = programs;
    return true;
}

/* ---- anything ------------------------------------------------------------------------------------------------------------- */

/* A value that is of no union, or whose branch is chosen. */
static bool compile_plain(struct compiler *c, struct ops *out, const struct avro_type *writer,
                          const struct avro_plan *plan, struct json_slot *slot)
{
    const struct avro_type *means = meaning(writer, plan);
    if (writer->kind == AVRO_NULL)
        return true;
    switch (slot->kind) {
    case TYPE_BOOLEAN:
        if (writer->kind != AVRO_BOOLEAN)
            return cannot(c, writer, slot);
        emit(c, out, AVRO_OP_BOOLEAN, slot);
        return true;
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return emit_number(c, out, writer, slot);
    case TYPE_INTERVAL_YM:
        return writer->kind == AVRO_INT ? emit_number(c, out, writer, slot) : cannot(c, writer, slot);
    case TYPE_INTERVAL_DT:
        if (writer->kind != AVRO_LONG)
            return cannot(c, writer, slot);
        emit(c, out, AVRO_OP_I64, slot);
        return true;
    case TYPE_DECIMAL: return emit_decimal(c, out, writer, means, slot);
    case TYPE_STRING: return emit_text(c, out, writer, plan, slot);
    case TYPE_BINARY: return emit_bytes(c, out, writer, slot);
    case TYPE_DATE: return emit_date(c, out, writer, means, slot);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return emit_timestamp(c, out, writer, means, slot);
    case TYPE_STRUCT:
        if (writer->kind == AVRO_RECORD)
            return compile_record(c, out, writer, plan, slot);
        if (means->logical != AVRO_DURATION)
            return cannot(c, writer, slot);
        emit(c, out, AVRO_OP_DURATION, slot);
        return true;
    case TYPE_ARRAY:
    case TYPE_MAP:
        if (writer->kind != (slot->kind == TYPE_ARRAY ? AVRO_ARRAY : AVRO_MAP))
            return cannot(c, writer, slot);
        return compile_list(c, out, writer, plan, slot);
    default: return cannot(c, writer, slot);
    }
}

/* reader: what the way leads to, a union as it is; NULL where there is none. */
static bool compile_value(struct compiler *c, struct ops *out, const struct avro_type *writer,
                          struct avro_way way, const struct avro_type *reader, struct json_slot *slot)
{
    const struct avro_plan *plan = way.plan;
    if (c->steps > AVRO_STEPS_MAX)
        return err_set(c->err, ERR_DATA, "the schema is too large");
    if (writer->kind == AVRO_UNION)
        return compile_union(c, out, writer, plan, reader, slot);
    /* A field that the writer lacks and that has no default is NULL, and no fault of its record. */
    if (plan != NULL && plan->fault != NULL && plan->steps == NULL) {
        emit_fault(c, out, plan->fault);
        return true;
    }
    if (reader == NULL || way.branch < 0 || !avro_is_members(reader))
        return compile_plain(c, out, writer, plan, slot);
    if (reader->types[way.branch]->kind == AVRO_NULL)
        return true;
    return compile_member(c, out, writer, (struct avro_way){plan, -1},
                          avro_member_index(reader, (uint32_t)way.branch), slot);
}

static bool compile_root(struct compiler *c, const struct avro_schema *writer, struct ops *out)
{
    struct avro_way way = no_way;
    const struct avro_schema *reader = c->d->reader;
    struct json_slot *root = &c->d->root;
    if (reader != NULL && !avro_resolve(c->arena, writer, reader, &way, c->err) && way.plan->steps == NULL)
        return false;
    if ((reader ? reader : writer)->root->kind == AVRO_RECORD)
        return compile_value(c, out, writer->root, way, reader ? reader->root : NULL, root);
    int value = type_field(root->type, STR("value"), false);
    if (value >= 0)
        return compile_value(c, out, writer->root, way, reader ? reader->root : NULL, &root->children[value]);
    emit_skip(c, out, writer->root);
    return true;
}

bool avro_compile(struct avro_decoder *d, const struct avro_schema *writer, struct avro_program *program,
                  struct err *err)
{
    struct compiler c = {.d = d, .arena = pool_arena(d->pool), .err = err};
    struct ops ops = {0};
    c.emptiness = mem_new(writer->type_count);
    bool ok = compile_root(&c, writer, &ops);
    *program = finish(&c, &ops);
    mem_free(c.emptiness);
    sbuf_fini(&c.path);
    return ok;
}

bool avro_writes_nothing(const struct avro_schema *writer)
{
    struct compiler c = {.emptiness = mem_new(writer->type_count)};
    bool empty = is_empty(&c, writer->root);
    mem_free(c.emptiness);
    return empty;
}

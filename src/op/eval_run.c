/* Running a program on a batch.
 *
 * The generic part of a call is here, so that kernels stay loops: NULLs of strict arguments, constants
 * (computed for one row), dictionaries (computed for each entry, where all arguments that are not constant
 * share their indices), flattening, and errors. The lazily evaluated steps narrow the selection, run a block,
 * and merge.
 *
 * Cost: a cheap kernel (KERNEL_TOTAL) runs over all rows whatever the selection says: for fixed widths a loop
 * without branches over 4,096 rows is cheaper than a loop over indices. Others see just the rows selected,
 * without NULLs. */
#include "op/eval_private.h"

#include <stdio.h>

#include "op/gather.h"

/* ---- errors -------------------------------------------------------------------------------------------- */

void row_errors_add(struct row_errors *errors, struct arena *arena, uint32_t row, const char *text)
{
    if (errors->count == errors->capacity) {
        uint32_t capacity = errors->capacity ? errors->capacity * 2 : 16;
        struct row_error *items = arena_array(arena, struct row_error, capacity);
        if (errors->count)
            memcpy(items, errors->items, errors->count * sizeof(*items));
        errors->items = items;
        errors->capacity = capacity;
    }
    errors->items[errors->count++] = (struct row_error){row, text};
}

/* Stable merge sort: errors come from one or a few kernels, each in row order, so there are few runs. */
static void sort_errors(struct row_error *items, struct row_error *scratch, uint32_t count)
{
    for (uint32_t width = 1; width < count; width *= 2) {
        for (uint32_t at = 0; at + width < count; at += 2 * width) {
            uint32_t mid = at + width, end = mid + width < count ? mid + width : count;
            if (items[mid - 1].row <= items[mid].row)
                continue;
            memcpy(scratch + at, items + at, (end - at) * sizeof(*items));
            for (uint32_t a = at, b = mid, to = at; to < end; to++)
                items[to] = b >= end || (a < mid && scratch[a].row <= scratch[b].row) ? scratch[a++]
                                                                                      : scratch[b++];
        }
    }
}

void row_errors_finish(struct row_errors *errors, struct arena *arena)
{
    if (errors->count < 2)
        return;
    sort_errors(errors->items, arena_array(arena, struct row_error, errors->count), errors->count);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < errors->count; i++)
        if (errors->items[i].row != errors->items[kept - 1].row)
            errors->items[kept++] = errors->items[i];
    errors->count = kept;
}

/* ---- what kernels call --------------------------------------------------------------------------------- */

int64_t arg_i64(const struct call *c, uint32_t i, uint32_t row)
{
    const void *data = c->args[i].data;
    uint32_t at = arg_at(c, i, row);
    switch (type_width(c->args[i].type)) {
    case 1: return ((const int8_t *)data)[at];
    case 2: return ((const int16_t *)data)[at];
    case 4: return ((const int32_t *)data)[at];
    default: return ((const int64_t *)data)[at];
    }
}

double arg_f64(const struct call *c, uint32_t i, uint32_t row)
{
    switch (arg_kind(c, i)) {
    case TYPE_FLOAT: return ARG(c, float, i, row);
    case TYPE_DOUBLE: return ARG(c, double, i, row);
    default: return (double)arg_i64(c, i, row);
    }
}

void out_i64(struct call *c, uint32_t row, int64_t v)
{
    switch (type_width(c->out->type)) {
    case 1: OUT(c, int8_t)[row] = (int8_t)v; break;
    case 2: OUT(c, int16_t)[row] = (int16_t)v; break;
    case 4: OUT(c, int32_t)[row] = (int32_t)v; break;
    default: OUT(c, int64_t)[row] = v; break;
    }
}

void out_null(struct call *c, uint32_t row)
{
    uint32_t bytes = (c->rows + 7) / 8;
    if (c->out->validity == NULL) {
        c->out->validity = arena_array(c->arena, uint8_t, bytes);
        memset(c->out->validity, 0xFF, bytes);
    } else if (c->validity_shared) {
        c->out->validity = arena_dup(c->arena, c->out->validity, bytes);
    }
    c->validity_shared = false;
    bit_clear(c->out->validity, row);
    if (type_is_view(c->out->type) && c->out->data)
        OUT(c, struct view)[row] = (struct view){0};
}

void out_error(struct call *c, uint32_t row, const char *format, ...)
{
    out_null(c, row);
    if (c->step->try_)
        return;
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    const char *where = c->step->text ? c->step->text : "";
    row_errors_add(c->errors, c->arena, row,
                   arena_printf(c->arena, "%s%s%s", text, *where ? " in " : "", where));
}

char *out_room(struct call *c, uint32_t row, size_t n)
{
    if (n > c->bytes_left) {
        out_error(c, row, "RESULT_TOO_LARGE: the result has %zu bytes, past the limit of %d for one batch", n,
                  EVAL_RESULT_MAX);
        return NULL;
    }
    c->bytes_left -= n;
    return arena_alloc(c->arena, n ? n : 1);
}

char *out_blown_up(struct call *c, uint32_t row, size_t n, size_t input)
{
    if (n <= input || n - input <= EVAL_BLOWN_UP_MAX)
        return out_room(c, row, n);
    out_error(c, row, "RESULT_TOO_LARGE: the result has %zu bytes, past the limit of %d for one value", n,
              EVAL_BLOWN_UP_MAX);
    return NULL;
}

void out_copy(struct call *c, uint32_t row, struct str s)
{
    if (s.n > VIEW_INLINE) {
        char *p = out_room(c, row, s.n);
        if (p == NULL)
            return;
        memcpy(p, s.p, s.n);
        s.p = p;
    }
    out_str(c, row, s);
}

/* ---- one call ------------------------------------------------------------------------------------------ */

static bool is_null_constant(const struct column *a)
{
    return a->type->kind == TYPE_NULL ||
           (a->encoding == COLUMN_CONSTANT && a->validity && !bit_get(a->validity, 0));
}

/* The validity of a strict result: all of the arguments'. */
static void combine_validity(struct call *c)
{
    uint32_t bytes = (c->rows + 7) / 8;
    uint8_t *own = NULL;
    for (uint32_t i = 0; i < c->arg_count; i++) {
        const uint8_t *v = c->args[i].encoding == COLUMN_CONSTANT ? NULL : c->args[i].validity;
        if (v == NULL || v == c->out->validity)
            continue;
        if (c->out->validity == NULL) {
            c->out->validity = (uint8_t *)v;
            c->validity_shared = true;
            continue;
        }
        if (own == NULL)
            own = c->out->validity = arena_dup(c->arena, c->out->validity, bytes);
        for (uint32_t k = 0; k < bytes; k++)
            own[k] &= v[k];
        c->validity_shared = false;
    }
}

/* The selection without rows that are NULL. */
static struct selection select_valid(const struct selection *sel, const uint8_t *validity,
                                     struct arena *arena)
{
    uint32_t *rows = arena_array(arena, uint32_t, sel->count + 1), count = 0;
    if (sel->rows) {
        for (uint32_t k = 0; k < sel->count; k++) {
            rows[count] = sel->rows[k];
            count += bit_get(validity, sel->rows[k]);
        }
    } else {
        for (uint32_t row = 0; row < sel->count; row++) {
            rows[count] = row;
            count += bit_get(validity, row);
        }
    }
    if (count == sel->count)
        return *sel;
    return (struct selection){rows, count};
}

static void layout_out(struct call *c)
{
    struct column *out = c->out;
    if (c->step->flags & KERNEL_OUT)
        return;
    size_t size = mem_product(c->rows, type_width(out->type));
    bool all = (c->step->flags & (KERNEL_TOTAL | KERNEL_DENSE)) && !type_is_view(out->type);
    out->data = arena_array(c->arena, uint8_t, size);
    if (!all) /* rows that the kernel does not write are defined, too */
        memset(out->data, 0, size);
}

/* Arguments are flat or constant, `rows` long; the result is flat unless KERNEL_OUT says otherwise. */
static struct column call_flat(struct run *r, const struct step *s, struct column *args, uint32_t rows,
                               struct selection sel, struct row_errors *errors)
{
    struct column out = {.type = s->type, .encoding = COLUMN_FLAT, .rows = rows};
    struct call c = {.run = r,
                     .context = r->context,
                     .step = s,
                     .arena = r->arena,
                     .rows = rows,
                     .sel = sel,
                     .args = args};
    c.arg_count = s->arg_count;
    c.out = &out;
    c.errors = errors;
    c.bytes_left = EVAL_RESULT_MAX;
    if (!(s->flags & KERNEL_NULLS)) {
        combine_validity(&c);
        if (out.validity && !(s->flags & (KERNEL_TOTAL | KERNEL_DENSE)))
            c.sel = select_valid(&sel, out.validity, r->arena);
    }
    layout_out(&c);
    s->run(&c);
    out.rows = rows;
    return out;
}

/* For one row, which stands for all that are selected. */
static struct column call_constant(struct run *r, const struct step *s, struct column *args,
                                   struct selection sel)
{
    for (uint32_t i = 0; i < s->arg_count; i++) {
        args[i].rows = 1;
        args[i].encoding = COLUMN_FLAT;
    }
    struct row_errors errors = {0};
    struct column out = call_flat(r, s, args, 1, (struct selection){NULL, sel.count > 0}, &errors);
    for (uint32_t k = 0; errors.count && k < sel.count; k++)
        row_errors_add(r->errors, r->arena, sel.rows ? sel.rows[k] : k, errors.items[0].text);
    if (out.encoding == COLUMN_DICTIONARY)
        out = column_flatten(&out, r->arena);
    out.encoding = COLUMN_CONSTANT;
    out.rows = r->rows;
    return out;
}

/* The dictionary that all arguments share, the constant ones apart; NULL if there is none. */
static const struct column *shared_dictionary(const struct step *s, const struct column *args,
                                              uint32_t selected)
{
    const struct column *first = NULL;
    if (s->flags & (KERNEL_VOLATILE | KERNEL_OUT) || s->lambdas)
        return NULL;
    for (uint32_t i = 0; i < s->arg_count; i++) {
        if (args[i].encoding == COLUMN_CONSTANT)
            continue;
        if (args[i].encoding != COLUMN_DICTIONARY || args[i].dictionary->rows > selected)
            return NULL;
        if (args[i].validity && (s->flags & KERNEL_NULLS))
            return NULL;
        if (first &&
            (args[i].indices != first->indices || args[i].dictionary->rows != first->dictionary->rows))
            return NULL;
        first = &args[i];
    }
    return first;
}

static struct column call_dictionary(struct run *r, const struct step *s, struct column *args,
                                     const struct column *shared, struct selection sel)
{
    struct column out = {
        .type = s->type, .encoding = COLUMN_DICTIONARY, .rows = r->rows, .indices = shared->indices};
    struct call combined = {
        .rows = r->rows, .args = args, .arg_count = s->arg_count, .arena = r->arena, .out = &out};
    combine_validity(&combined);
    uint32_t entries = shared->dictionary->rows;
    struct column *values = arena_array(r->arena, struct column, s->arg_count);
    for (uint32_t i = 0; i < s->arg_count; i++) {
        values[i] = args[i].encoding == COLUMN_CONSTANT ? args[i] : *args[i].dictionary;
        values[i].rows = entries;
    }
    struct row_errors errors = {0};
    struct column *dictionary = arena_new(r->arena, struct column);
    *dictionary = call_flat(r, s, values, entries, (struct selection){NULL, entries}, &errors);
    out.dictionary = dictionary;
    if (errors.count == 0)
        return out;
    const char **texts = arena_zarray(r->arena, const char *, entries);
    for (uint32_t i = 0; i < errors.count; i++)
        texts[errors.items[i].row] = errors.items[i].text;
    for (uint32_t k = 0; k < sel.count; k++) {
        uint32_t row = sel.rows ? sel.rows[k] : k;
        if (texts[out.indices[row]] && (out.validity == NULL || bit_get(out.validity, row)))
            row_errors_add(r->errors, r->arena, row, texts[out.indices[row]]);
    }
    return out;
}

/* The register flat, or constant, at every level; kept, since other steps will ask for it. */
static const struct column *register_flat(struct run *r, uint32_t reg)
{
    const struct column *column = &r->regs[reg];
    if (r->flat[reg])
        return r->flat[reg];
    struct column *flat = arena_new(r->arena, struct column);
    if (column->encoding == COLUMN_CONSTANT) {
        struct column one = *column;
        one.encoding = COLUMN_FLAT;
        one.rows = 1;
        *flat = column_flatten(&one, r->arena);
        flat->encoding = COLUMN_CONSTANT;
        flat->rows = column->rows;
    } else {
        *flat = column_flatten(column, r->arena);
    }
    return r->flat[reg] = flat;
}

static struct column step_call(struct run *r, const struct step *s, struct selection sel)
{
    struct column few[4] = {{0}};
    struct column *args = s->arg_count <= 4 ? few : arena_array(r->arena, struct column, s->arg_count);
    bool constant = !(s->flags & KERNEL_VOLATILE), dictionaries = false;
    for (uint32_t i = 0; i < s->arg_count; i++) {
        if (s->args[i] == EVAL_NO_REGISTER) { /* a lambda */
            args[i] = (struct column){.type = type_simple(TYPE_NULL), .encoding = COLUMN_CONSTANT};
            constant = false;
            continue;
        }
        args[i] = r->regs[s->args[i]];
        if (!(s->flags & KERNEL_NULLS) && is_null_constant(&args[i]))
            return column_nulls(s->type, r->rows, r->arena);
        if (args[i].type->kind == TYPE_NULL)
            args[i].encoding = COLUMN_CONSTANT;
        else if (type_width(args[i].type) == 0 && args[i].encoding != COLUMN_DICTIONARY)
            args[i] = *register_flat(r, s->args[i]);
        constant &= args[i].encoding == COLUMN_CONSTANT;
        dictionaries |= args[i].encoding == COLUMN_DICTIONARY;
    }
    if (constant)
        return call_constant(r, s, args, sel);
    if (dictionaries) {
        const struct column *shared = shared_dictionary(s, args, sel.count);
        if (shared)
            return call_dictionary(r, s, args, shared, sel);
        for (uint32_t i = 0; i < s->arg_count; i++)
            if (args[i].encoding == COLUMN_DICTIONARY)
                args[i] = *register_flat(r, s->args[i]);
    }
    return call_flat(r, s, args, r->rows, sel, r->errors);
}

/* ---- struct fields ------------------------------------------------------------------------------------- */

static struct column step_field(struct run *r, const struct step *s)
{
    const struct column *parent = &r->regs[s->args[0]];
    if (parent->type->kind == TYPE_NULL)
        return column_nulls(s->type, r->rows, r->arena);
    if (parent->encoding == COLUMN_FLAT)
        return parent->children[s->index];
    if (parent->encoding == COLUMN_CONSTANT) {
        struct column child = parent->children[s->index];
        if (child.encoding == COLUMN_DICTIONARY)
            child = column_flatten(&child, r->arena);
        child.encoding = COLUMN_CONSTANT;
        child.rows = r->rows;
        return child;
    }
    struct column out = *parent;
    struct column *dictionary = arena_new(r->arena, struct column);
    *dictionary = parent->dictionary->children[s->index];
    if (dictionary->encoding != COLUMN_FLAT)
        *dictionary = column_flatten(dictionary, r->arena);
    out.type = s->type;
    out.children = NULL;
    out.dictionary = dictionary;
    return out;
}

/* ---- three-valued logic -------------------------------------------------------------------------------- */

enum { LOGIC_FALSE = 0, LOGIC_NULL = 1, LOGIC_TRUE = 2 }; /* AND is the least, OR the greatest */

static uint8_t logic_of(const struct column *column, uint32_t row)
{
    if (column_is_null(column, row))
        return LOGIC_NULL;
    const struct column *values;
    uint32_t at = column_resolve(column, row, &values);
    return ((const uint8_t *)values->data)[at] ? LOGIC_TRUE : LOGIC_FALSE;
}

/* into[row] = or, with `merge`, is combined with, the column's value. */
static void logic_load(const struct column *column, struct selection sel, bool merge, bool is_or,
                       uint8_t *into)
{
    if (column->encoding == COLUMN_FLAT && column->validity == NULL && column->type->kind == TYPE_BOOLEAN &&
        sel.rows == NULL) {
        const uint8_t *data = column->data;
        for (uint32_t i = 0; i < sel.count; i++) {
            uint8_t v = (uint8_t)(data[i] << 1), old = into[i];
            uint8_t least = old < v ? old : v, greatest = old < v ? v : old;
            into[i] = !merge ? v : is_or ? greatest : least;
        }
        return;
    }
    for (uint32_t k = 0; k < sel.count; k++) {
        uint32_t row = sel.rows ? sel.rows[k] : k;
        uint8_t v = logic_of(column, row), old = into[row];
        into[row] = !merge ? v : is_or == (v > old) ? v : old;
    }
}

static struct column logic_column(const struct type *type, uint8_t *logic, uint32_t rows, struct arena *arena)
{
    struct column out = {.type = type, .encoding = COLUMN_FLAT, .rows = rows, .data = logic};
    uint8_t nulls = 0;
    for (uint32_t i = 0; i < rows; i++)
        nulls |= logic[i] & 1;
    if (nulls) {
        out.validity = arena_zalloc(arena, (rows + 7) / 8);
        for (uint32_t i = 0; i < rows; i++)
            out.validity[i >> 3] |= (uint8_t)(((logic[i] & 1) ^ 1) << (i & 7));
    }
    for (uint32_t i = 0; i < rows; i++)
        logic[i] = logic[i] >> 1;
    return out;
}

/* All operands are in registers: cheap ones, no row is skipped. */
static struct column logic_eager(struct run *r, const struct step *s)
{
    bool constant = r->rows > 0;
    for (uint32_t i = 0; i < s->arg_count; i++)
        constant &= r->regs[s->args[i]].encoding == COLUMN_CONSTANT;
    uint32_t rows = constant ? 1 : r->rows;
    uint8_t *logic = arena_alloc(r->arena, rows ? rows : 1);
    for (uint32_t i = 0; i < s->arg_count; i++)
        logic_load(&r->regs[s->args[i]], (struct selection){NULL, rows}, i > 0, s->kind == STEP_OR, logic);
    struct column out = logic_column(s->type, logic, rows, r->arena);
    if (constant) {
        out.encoding = COLUMN_CONSTANT;
        out.rows = r->rows;
    }
    return out;
}

static struct column step_logic(struct run *r, const struct step *s, struct selection sel)
{
    if (s->block_count == 0)
        return logic_eager(r, s);
    bool is_or = s->kind == STEP_OR;
    uint8_t decided = is_or ? LOGIC_TRUE : LOGIC_FALSE;
    uint8_t *logic = arena_zalloc(r->arena, r->rows ? r->rows : 1);
    struct selection left = sel;
    logic_load(&r->regs[s->args[0]], left, false, is_or, logic);
    for (uint32_t b = 0; b < s->block_count; b++) {
        uint32_t *rows = arena_array(r->arena, uint32_t, left.count + 1), count = 0;
        for (uint32_t k = 0; k < left.count; k++) {
            uint32_t row = left.rows ? left.rows[k] : k;
            rows[count] = row;
            count += logic[row] != decided;
        }
        if (count < left.count)
            left = (struct selection){rows, count};
        if (count == 0)
            break;
        program_run_block(r, s->blocks[b].from, s->blocks[b].to, left);
        logic_load(&r->regs[s->blocks[b].reg], left, true, is_or, logic);
    }
    return logic_column(s->type, logic, r->rows, r->arena);
}

/* ---- CASE ---------------------------------------------------------------------------------------------- */

struct branch {
    const struct column *column;
    struct selection sel;
};

#define SCATTER(bits)                                                                                        \
    static void scatter_##bits(uint##bits##_t *out, const struct branch *b)                                  \
    {                                                                                                        \
        const struct column *values = b->column;                                                             \
        bool constant = b->column->encoding == COLUMN_CONSTANT;                                              \
        const uint32_t *indices = NULL;                                                                      \
        if (b->column->encoding == COLUMN_DICTIONARY) {                                                      \
            indices = b->column->indices;                                                                    \
            values = b->column->dictionary;                                                                  \
        }                                                                                                    \
        const uint##bits##_t *data = values->data;                                                           \
        for (uint32_t k = 0; k < b->sel.count; k++) {                                                        \
            uint32_t row = b->sel.rows ? b->sel.rows[k] : k;                                                 \
            out[row] = data[constant ? 0 : indices ? indices[row] : row];                                    \
        }                                                                                                    \
    }
SCATTER(8)
SCATTER(16)
SCATTER(32)
SCATTER(64)

typedef unsigned __int128 uint128_t; /* a view or a decimal, for the macro */
SCATTER(128)

static struct column merge_flat(struct run *r, const struct step *s, const struct branch *branches,
                                uint32_t count)
{
    struct column out = {.type = s->type, .encoding = COLUMN_FLAT, .rows = r->rows};
    out.data = arena_zalloc(r->arena, mem_product(r->rows, type_width(s->type)));
    for (uint32_t b = 0; b < count; b++) {
        const struct column *from = branches[b].column;
        if (from->type->kind != TYPE_NULL)
            switch (type_width(s->type)) {
            case 1: scatter_8(out.data, &branches[b]); break;
            case 2: scatter_16(out.data, &branches[b]); break;
            case 4: scatter_32(out.data, &branches[b]); break;
            case 8: scatter_64(out.data, &branches[b]); break;
            default: scatter_128(out.data, &branches[b]); break;
            }
        if (from->validity == NULL && from->encoding != COLUMN_DICTIONARY && from->type->kind != TYPE_NULL)
            continue;
        for (uint32_t k = 0; k < branches[b].sel.count; k++) {
            uint32_t row = branches[b].sel.rows ? branches[b].sel.rows[k] : k;
            if (column_is_null(from, row))
                bit_clear(column_need_validity(&out, r->arena), row);
        }
    }
    return out;
}

static struct column merge_nested(struct run *r, const struct step *s, const struct branch *branches,
                                  uint32_t count)
{
    const struct column **sources = arena_array(r->arena, const struct column *, count);
    uint32_t *source = arena_zarray(r->arena, uint32_t, r->rows),
             *rows = arena_array(r->arena, uint32_t, r->rows);
    memset(rows, 0xFF, (size_t)r->rows * sizeof(*rows)); /* GATHER_NULL */
    for (uint32_t b = 0; b < count; b++) {
        sources[b] = branches[b].column;
        for (uint32_t k = 0; k < branches[b].sel.count; k++) {
            uint32_t row = branches[b].sel.rows ? branches[b].sel.rows[k] : k;
            source[row] = b;
            rows[row] = row;
        }
    }
    return column_gather(s->type, sources, count, source, rows, r->rows, r->arena);
}

static struct column merge(struct run *r, const struct step *s, const struct branch *branches, uint32_t count)
{
    if (count == 0)
        return column_nulls(s->type, r->rows, r->arena);
    if (count == 1) {
        struct column out = *branches[0].column;
        if (out.type->kind == TYPE_NULL)
            return column_nulls(s->type, r->rows, r->arena);
        return out;
    }
    if (type_width(s->type) == 0)
        return merge_nested(r, s, branches, count);
    return merge_flat(r, s, branches, count);
}

/* Divides `left` into rows where the condition is true (taken), and the others. */
static void divide(struct run *r, const struct column *condition, struct selection *left,
                   struct selection *taken)
{
    uint32_t *yes = arena_array(r->arena, uint32_t, left->count + 1), yes_count = 0;
    uint32_t *no = arena_array(r->arena, uint32_t, left->count + 1), no_count = 0;
    bool plain = condition->encoding == COLUMN_FLAT && condition->validity == NULL &&
                 condition->type->kind == TYPE_BOOLEAN;
    const uint8_t *data = condition->data;
    for (uint32_t k = 0; k < left->count; k++) {
        uint32_t row = left->rows ? left->rows[k] : k;
        uint32_t is = plain ? data[row] & 1 : logic_of(condition, row) == LOGIC_TRUE;
        yes[yes_count] = no[no_count] = row;
        yes_count += is;
        no_count += !is;
    }
    *taken = yes_count == left->count ? *left : (struct selection){yes, yes_count};
    *left = no_count == left->count ? *left : (struct selection){no, no_count};
}

static struct column step_case(struct run *r, const struct step *s, struct selection sel)
{
    struct branch *branches = arena_array(r->arena, struct branch, s->block_count / 2 + 1);
    uint32_t count = 0;
    struct selection left = sel;
    uint32_t condition = s->args[0];
    for (uint32_t b = 0; b < s->block_count && left.count;
         b += 2) { /* then, when, then, when, …, then, else */
        struct selection taken;
        divide(r, &r->regs[condition], &left, &taken);
        const struct block *then = &s->blocks[b], *next = &s->blocks[b + 1];
        if (taken.count) {
            program_run_block(r, then->from, then->to, taken);
            branches[count++] = (struct branch){&r->regs[then->reg], taken};
        }
        if (left.count)
            program_run_block(r, next->from, next->to, left);
        condition = next->reg;
    }
    if (left.count)
        branches[count++] = (struct branch){&r->regs[condition], left};
    return merge(r, s, branches, count);
}

/* ---- lambdas ------------------------------------------------------------------------------------------- */

struct column call_lambda(struct call *c, uint32_t i, const struct column *params, uint32_t rows,
                          const uint32_t *owner)
{
    const struct lambda *lambda = c->step->lambdas[i];
    const struct program *program = &lambda->program;
    struct run r = {.program = program, .context = c->context, .rows = rows, .arena = c->arena};
    struct column *columns = arena_zarray(c->arena, struct column, c->run->column_count);
    struct column *slots = arena_zarray(c->arena, struct column, lambda->slot_count);
    struct row_errors errors = {0};
    for (uint32_t k = 0; k < lambda->param_count; k++)
        slots[lambda->param_first + k] = params[k];
    for (uint32_t k = 0; k < program->step_count; k++) {
        const struct step *s = &program->steps[k];
        if (s->kind == STEP_COLUMN && columns[s->index].type == NULL)
            columns[s->index] = column_indirect(&c->run->columns[s->index], owner, rows, c->arena);
        else if (s->kind == STEP_PARAM && slots[s->index].type == NULL)
            slots[s->index] = column_indirect(&c->run->params[s->index], owner, rows, c->arena);
    }
    r.columns = columns;
    r.column_count = c->run->column_count;
    r.params = slots;
    r.regs = arena_array(c->arena, struct column, program->step_count);
    r.flat = arena_zarray(c->arena, const struct column *, program->step_count);
    r.errors = &errors;
    program_run_block(&r, 0, program->step_count, (struct selection){NULL, rows});
    for (uint32_t k = 0; k < errors.count; k++)
        row_errors_add(c->errors, c->arena, owner[errors.items[k].row], errors.items[k].text);
    return r.regs[lambda->reg];
}

/* ---- programs ------------------------------------------------------------------------------------------ */

static struct column step_constant(const struct run *r, const struct step *s)
{
    struct column out = s->constant;
    out.encoding = COLUMN_CONSTANT;
    out.rows = r->rows;
    return out;
}

static struct column run_step(struct run *r, const struct step *s, struct selection sel)
{
    switch (s->kind) {
    case STEP_CONST: return step_constant(r, s);
    case STEP_COLUMN: CHECK(s->index < r->column_count); return r->columns[s->index];
    case STEP_PARAM: CHECK(r->params); return r->params[s->index];
    case STEP_FIELD: return step_field(r, s);
    case STEP_CALL: return step_call(r, s, sel);
    case STEP_AND:
    case STEP_OR: return step_logic(r, s, sel);
    case STEP_CASE: return step_case(r, s, sel);
    }
    UNREACHABLE("step kinds");
}

void program_run_block(struct run *r, uint32_t from, uint32_t to, struct selection sel)
{
    for (uint32_t i = from; i < to; i = r->program->steps[i].end)
        r->regs[i] = run_step(r, &r->program->steps[i], sel);
}

struct column step_fold(const struct step *s, struct column *args, struct arena *arena,
                        struct row_errors *errors)
{
    static const struct eval_context nothing;
    struct run r = {.context = &nothing, .rows = 1, .arena = arena, .errors = errors};
    for (uint32_t i = 0; i < s->arg_count; i++)
        if (!(s->flags & KERNEL_NULLS) && is_null_constant(&args[i]))
            return column_nulls(s->type, 1, arena);
    return call_constant(&r, s, args, (struct selection){NULL, 1});
}

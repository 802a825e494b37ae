/* From expression trees to a program.
 *
 * One pass, depth first. Every step is looked up among the visible ones before it is added (common parts are
 * computed once); a call whose arguments are all constant is run at once and becomes a constant. Parts that
 * are evaluated for some rows only become blocks; their steps are visible to the later blocks of the same
 * step (whose rows are a subset), and hidden after it.
 *
 * A constant that fails (1/0) is an error of the query, unless it lies in a block: then only rows that come
 * there fail. */
#include "op/eval_private.h"
#include "op/gather.h"

enum { BUCKETS = 1 << 10 };

struct compiler {
    struct pool *pool;
    struct program *program;
    const struct type *schema;
    struct compiler *outer; /* of the lambda around, or NULL */
    uint32_t depth;
    uint32_t param_first, param_count; /* of this lambda */
    uint32_t lazy;                     /* blocks that we are in */
    uint32_t
        buckets[BUCKETS]; /* by hash: the newest step of it, from 1; 0 = none. Steps are chained by `same` */
    struct err *err;
};

static bool compile(struct compiler *c, const struct expr *e, uint32_t *reg);

/* ---- steps --------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * 0x9E3779B97F4A7C15u + (h >> 29);
}

static bool is_floating(const struct type *t)
{
    return t->kind == TYPE_FLOAT || t->kind == TYPE_DOUBLE || type_is_nested(t) || t->kind == TYPE_VARIANT;
}

/* Literals are the same when their values are: floating ones never (−0.0 compares equal to 0.0, and is not).
 */
static bool literal_equal(const struct expr *a, const struct expr *b)
{
    if (a == b)
        return true;
    if (a->literal.is_null || b->literal.is_null)
        return a->literal.is_null && b->literal.is_null;
    return !is_floating(a->type) && value_cmp(&a->literal, &b->literal) == 0;
}

static bool step_equal(const struct step *a, const struct step *b)
{
    if (a->kind != b->kind || a->index != b->index || a->arg_count != b->arg_count || a->try_ != b->try_ ||
        a->block_count || b->block_count || a->lambdas || b->lambdas || !type_same(a->type, b->type))
        return false;
    if (a->arg_count && memcmp(a->args, b->args, a->arg_count * sizeof(*a->args)) != 0)
        return false;
    if (a->kind == STEP_CONST)
        return a->expr && b->expr && a->expr->kind == EXPR_LITERAL && b->expr->kind == EXPR_LITERAL &&
               literal_equal(a->expr, b->expr);
    if (a->kind == STEP_CALL)
        return a->expr->kind == b->expr->kind && a->expr->function == b->expr->function;
    return true;
}

/* Equal for equal literals; those of other types than these all share one chain. */
static uint64_t literal_hash(const struct expr *e)
{
    switch (e->type->kind) {
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_LONG: return (uint64_t)e->literal.i64;
    case TYPE_STRING: {
        uint64_t h = e->literal.str.n;
        for (size_t i = 0; i < e->literal.str.n; i++)
            h = mix(h, (unsigned char)e->literal.str.p[i]);
        return h;
    }
    default: return 0;
    }
}

static uint64_t step_hash(const struct step *s)
{
    uint64_t h = mix(mix(mix(7, s->kind), s->index), s->arg_count);
    h = mix(mix(h, s->type->kind), s->try_);
    for (uint32_t i = 0; i < s->arg_count; i++)
        h = mix(h, s->args[i]);
    if (s->kind == STEP_CALL)
        h = mix(h, (uint64_t)(uintptr_t)s->expr->function);
    if (s->kind == STEP_CONST && s->expr && s->expr->kind == EXPR_LITERAL && !s->expr->literal.is_null)
        h = mix(h, literal_hash(s->expr));
    return h;
}

static bool shareable(const struct step *s)
{
    return !(s->flags & KERNEL_VOLATILE) && s->block_count == 0;
}

static uint32_t *bucket_of(struct compiler *c, const struct step *s)
{
    return &c->buckets[s->hash >> 32 & (BUCKETS - 1)];
}

static bool find_step(struct compiler *c, struct step *s, uint32_t *reg)
{
    s->hash = step_hash(s);
    if (!shareable(s))
        return false;
    for (uint32_t at = *bucket_of(c, s), i; at > 0; at = c->program->steps[i].same) {
        i = at - 1;
        const struct step *other = &c->program->steps[i];
        if (other->hash == s->hash && !other->hidden && shareable(other) && step_equal(other, s)) {
            *reg = i;
            return true;
        }
    }
    return false;
}

static bool add_step(struct compiler *c, struct step s, uint32_t *reg)
{
    struct program *p = c->program;
    if (p->step_count == EVAL_STEPS_MAX)
        return err_set(c->err, ERR_CONFIG, "the query has more than %d expressions", EVAL_STEPS_MAX);
    p->steps = mem_grow(p->steps, &p->step_capacity, (size_t)p->step_count + 1, sizeof(*p->steps));
    s.end = p->step_count + 1;
    s.same = *bucket_of(c, &s);
    *reg = p->step_count;
    p->steps[p->step_count++] = s;
    *bucket_of(c, &s) = p->step_count;
    return true;
}

static bool share_step(struct compiler *c, struct step s, uint32_t *reg)
{
    return find_step(c, &s, reg) || add_step(c, s, reg);
}

static void free_program(void *arg)
{
    mem_free(((struct program *)arg)->steps);
}

/* ---- leaves -------------------------------------------------------------------------------------------- */

static struct column constant_column(struct pool *pool, const struct value *v, const struct type *type)
{
    struct column_builder b;
    struct arena *arena = pool_arena(pool);
    column_builder_init(&b, type, arena);
    if (v->is_null || type->kind == TYPE_NULL)
        column_builder_null(&b);
    else
        column_builder_value(&b, v);
    struct column column = column_builder_finish(&b);
    if (b.null_count == 0)
        column.validity = NULL;
    return column;
}

static bool compile_literal(struct compiler *c, const struct expr *e, uint32_t *reg)
{
    struct step s = {.kind = STEP_CONST, .type = e->type, .expr = e};
    if (find_step(c, &s, reg))
        return true;
    s.constant = constant_column(c->pool, &e->literal, e->type);
    return add_step(c, s, reg);
}

/* A column or a lambda's parameter; the lambdas around this one need it too, to hand it on. */
static bool compile_leaf(struct compiler *c, const struct expr *e, uint32_t *reg)
{
    struct step s = {.kind = e->kind == EXPR_COLUMN ? STEP_COLUMN : STEP_PARAM,
                     .type = e->type,
                     .index = e->index,
                     .expr = e};
    uint32_t ignored;
    if (e->kind == EXPR_COLUMN)
        CHECK(e->index < c->schema->field_count);
    else if (e->index >= EVAL_PARAMS_MAX)
        return err_set(c->err, ERR_CONFIG, "an expression has more than %d lambda parameters",
                       EVAL_PARAMS_MAX);
    for (struct compiler *o = c; o->outer && o->outer->outer; o = o->outer) {
        if (e->kind == EXPR_PARAM && e->index - o->param_first < o->param_count)
            break; /* its own */
        TRY(share_step(o->outer, s, &ignored));
    }
    return share_step(c, s, reg);
}

static bool compile_field(struct compiler *c, const struct expr *e, uint32_t *reg)
{
    uint32_t arg;
    TRY(compile(c, e->args[0], &arg));
    struct step s = {.kind = STEP_FIELD, .type = e->type, .index = e->index, .expr = e, .arg_count = 1};
    s.args = arena_dup(pool_arena(c->pool), &arg, sizeof(arg));
    return share_step(c, s, reg);
}

/* ---- blocks -------------------------------------------------------------------------------------------- */

/* A step with blocks, reserved: hidden until it is complete. */
static bool open_step(struct compiler *c, enum step_kind kind, const struct expr *e, uint32_t first,
                      uint32_t block_count, uint32_t *reg)
{
    struct step s = {
        .kind = kind, .type = e->type, .expr = e, .arg_count = 1, .block_count = block_count, .hidden = true};
    s.args = arena_dup(pool_arena(c->pool), &first, sizeof(first));
    s.blocks = arena_zarray(pool_arena(c->pool), struct block, block_count);
    return add_step(c, s, reg);
}

static void hide(struct compiler *c, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        c->program->steps[i].hidden = true;
}

static bool compile_block(struct compiler *c, const struct expr *e, uint32_t owner, uint32_t block,
                          bool alone)
{
    struct block *b = &c->program->steps[owner].blocks[block]; /* in the arena: stays when steps move */
    b->from = c->program->step_count;
    c->lazy++;
    TRY(compile(c, e, &b->reg));
    c->lazy--;
    b->to = c->program->step_count;
    if (alone)
        hide(c, b->from, b->to);
    return true;
}

static void close_step(struct compiler *c, uint32_t owner)
{
    c->program->steps[owner].end = c->program->step_count;
    hide(c, owner, c->program->step_count);
}

static bool is_cheap(const struct expr *e, uint32_t depth)
{
    if (e->kind == EXPR_COLUMN || e->kind == EXPR_LITERAL || e->kind == EXPR_PARAM)
        return !type_is_nested(e->type) && e->type->kind != TYPE_VARIANT;
    if (e->kind == EXPR_FIELD && depth < 8) {
        const struct expr *from = e;
        while (from->kind == EXPR_FIELD)
            from = from->args[0];
        return from->kind == EXPR_COLUMN && !type_is_nested(e->type);
    }
    bool may = e->kind == EXPR_AND || e->kind == EXPR_OR ||
               (e->kind == EXPR_CALL && kernels[e->function->id].cheap);
    for (uint32_t i = 0; may && i < e->arg_count; i++)
        may = depth < 8 && is_cheap(e->args[i], depth + 1);
    return may;
}

static bool compile_args(struct compiler *c, const struct expr *e, struct step *s);

static bool compile_logic(struct compiler *c, const struct expr *e, uint32_t *reg)
{
    enum step_kind kind = e->kind == EXPR_AND ? STEP_AND : STEP_OR;
    bool cheap = true;
    for (uint32_t i = 1; i < e->arg_count; i++)
        cheap &= is_cheap(e->args[i], 0);
    if (cheap) {
        struct step s = {.kind = kind, .type = e->type, .expr = e};
        TRY(compile_args(c, e, &s));
        return share_step(c, s, reg);
    }
    uint32_t first;
    TRY(compile(c, e->args[0], &first));
    TRY(open_step(c, kind, e, first, e->arg_count - 1, reg));
    for (uint32_t i = 1; i < e->arg_count; i++)
        TRY(compile_block(c, e->args[i], *reg, i - 1, false));
    close_step(c, *reg);
    return true;
}

static bool compile_case(struct compiler *c, const struct expr *e, uint32_t *reg)
{
    CHECK(e->arg_count >= 3 && e->arg_count % 2 == 1);
    uint32_t first;
    TRY(compile(c, e->args[0], &first));
    TRY(open_step(c, STEP_CASE, e, first, e->arg_count - 1, reg));
    for (uint32_t i = 1; i < e->arg_count; i++)
        TRY(compile_block(c, e->args[i], *reg, i - 1, i % 2 == 1 || i + 1 == e->arg_count));
    close_step(c, *reg);
    return true;
}

/* ---- calls --------------------------------------------------------------------------------------------- */

static bool compile_lambda(struct compiler *c, const struct expr *e, struct lambda **lambda)
{
    struct lambda *l = *lambda = pool_new_struct(c->pool, struct lambda);
    pool_on_free(c->pool, free_program, &l->program);
    l->param_first = e->index;
    l->param_count = e->param_count;
    if (l->param_first + l->param_count > EVAL_PARAMS_MAX)
        return err_set(c->err, ERR_CONFIG, "an expression has more than %d lambda parameters",
                       EVAL_PARAMS_MAX);
    struct compiler inner = *c;
    memset(inner.buckets, 0, sizeof inner.buckets); /* of its own program */
    inner.program = &l->program;
    inner.outer = c;
    inner.param_first = l->param_first;
    inner.param_count = l->param_count;
    inner.lazy++;
    TRY(compile(&inner, e->args[0], &l->reg));
    l->slot_count = l->param_first + l->param_count;
    for (uint32_t i = 0; i < l->program.step_count; i++)
        if (l->program.steps[i].kind == STEP_PARAM && l->program.steps[i].index >= l->slot_count)
            l->slot_count = l->program.steps[i].index + 1;
    return true;
}

static bool compile_args(struct compiler *c, const struct expr *e, struct step *s)
{
    s->arg_count = e->arg_count;
    s->args = arena_array(pool_arena(c->pool), uint32_t, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (e->args[i]->kind != EXPR_LAMBDA) {
            TRY(compile(c, e->args[i], &s->args[i]));
            continue;
        }
        s->args[i] = EVAL_NO_REGISTER;
        if (s->lambdas == NULL)
            s->lambdas = arena_zarray(pool_arena(c->pool), struct lambda *, e->arg_count);
        TRY(compile_lambda(c, e->args[i], &s->lambdas[i]));
    }
    return true;
}

static bool missing_kernel(struct compiler *c, const struct expr *e)
{
    return err_set(c->err, ERR_CONFIG, "the function \"%s\" cannot be computed yet", e->function->name);
}

static bool pick_kernel(struct compiler *c, const struct expr *e, struct step *s)
{
    struct arena *arena = pool_arena(c->pool);
    struct kernel_pick pick = {.pool = c->pool, .expr = e};
    const struct column **constants = arena_zarray(arena, const struct column *, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        const struct step *arg = s->args[i] == EVAL_NO_REGISTER ? NULL : &c->program->steps[s->args[i]];
        if (arg && arg->kind == STEP_CONST)
            constants[i] = &arg->constant;
    }
    /* the steps may move, the constants must not */
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (constants[i])
            constants[i] = arena_dup(arena, constants[i], sizeof(struct column));
    pick.constants = constants;
    if (e->kind == EXPR_CAST) {
        TRY(cast_pick(&pick, c->err));
    } else {
        const struct kernel *k = &kernels[e->function->id];
        pick.flags = k->flags;
        pick.run = k->run;
        s->try_ = k->try_;
        if (k->pick && !k->pick(&pick, c->err))
            return false;
        if (!(e->function->flags & FUNCTION_STRICT))
            pick.flags |= KERNEL_NULLS;
        if (e->function->flags & FUNCTION_NONDETERMINISTIC)
            pick.flags |= KERNEL_VOLATILE;
        if (e->function->flags & FUNCTION_CLOCK)
            pick.flags |= KERNEL_CONTEXT;
    }
    if (pick.run == NULL)
        return e->kind == EXPR_CAST ? false : missing_kernel(c, e);
    s->run = pick.run;
    s->flags = pick.flags;
    s->state = pick.state;
    return true;
}

/* Runs a step whose arguments are all constant: *folded says whether it became one. */
static bool fold(struct compiler *c, struct step *s, bool *folded)
{
    *folded = false;
    if (s->flags & (KERNEL_CONTEXT | KERNEL_VOLATILE) || s->lambdas)
        return true;
    struct column *args = arena_array(pool_arena(c->pool), struct column, s->arg_count + 1);
    for (uint32_t i = 0; i < s->arg_count; i++) {
        const struct step *arg = &c->program->steps[s->args[i]];
        if (arg->kind != STEP_CONST)
            return true;
        args[i] = arg->constant;
        args[i].encoding = COLUMN_CONSTANT;
        args[i].rows = 1;
    }
    struct row_errors errors = {0};
    struct column out = step_fold(s, args, pool_arena(c->pool), &errors);
    if (errors.count && c->lazy == 0)
        return err_set(c->err, ERR_CONFIG, "%s", errors.items[0].text);
    if (errors.count)
        return true;
    *s = (struct step){.kind = STEP_CONST, .type = s->type, .expr = s->expr, .constant = out};
    *folded = true;
    return true;
}

static bool compile_call(struct compiler *c, const struct expr *e, uint32_t *reg)
{
    struct step s = {.kind = STEP_CALL, .type = e->type, .expr = e, .try_ = e->kind == EXPR_CAST && e->try_};
    TRY(compile_args(c, e, &s));
    if (e->kind == EXPR_CAST && type_same(e->args[0]->type, e->type)) {
        *reg = s.args[0];
        return true;
    }
    if (e->kind == EXPR_CALL && kernels[e->function->id].try_)
        s.try_ = true;
    if (e->deterministic && find_step(c, &s, reg))
        return true;
    TRY(pick_kernel(c, e, &s));
    s.try_ |= e->kind == EXPR_CAST && e->try_;
    if (!(s.flags & KERNEL_TOTAL))
        s.text = expr_text(e, c->schema, pool_arena(c->pool));
    bool folded;
    TRY(fold(c, &s, &folded));
    if (folded)
        return add_step(c, s, reg);
    return share_step(c, s, reg);
}

static bool compile(struct compiler *c, const struct expr *e, uint32_t *reg)
{
    if (c->depth == EVAL_DEPTH_MAX)
        return err_set(c->err, ERR_CONFIG, "an expression is nested deeper than %d", EVAL_DEPTH_MAX);
    c->depth++;
    bool ok = false;
    switch (e->kind) {
    case EXPR_LITERAL: ok = compile_literal(c, e, reg); break;
    case EXPR_COLUMN:
    case EXPR_PARAM: ok = compile_leaf(c, e, reg); break;
    case EXPR_FIELD: ok = compile_field(c, e, reg); break;
    case EXPR_AND:
    case EXPR_OR: ok = compile_logic(c, e, reg); break;
    case EXPR_CASE: ok = compile_case(c, e, reg); break;
    case EXPR_CAST:
    case EXPR_CALL: ok = compile_call(c, e, reg); break;
    case EXPR_LAMBDA: UNREACHABLE("a lambda is an argument of a call");
    }
    c->depth--;
    return ok;
}

bool pick_str(const struct kernel_pick *p, uint32_t i, struct str *text)
{
    const struct column *k = i < p->expr->arg_count ? p->constants[i] : NULL;
    if (k == NULL || !type_is_view(k->type) || (k->validity && !bit_get(k->validity, 0)))
        return false;
    *text = view_str(k->data);
    return true;
}

/* ---- evaluators ---------------------------------------------------------------------------------------- */

struct evaluator {
    struct program program;
    uint32_t count;
    uint32_t *regs; /* [count] */
    const struct type **types;
};

bool evaluator_new(struct pool *pool, const struct expr *const *exprs, uint32_t count,
                   const struct type *input_schema, struct evaluator **evaluator, struct err *err)
{
    struct evaluator *e = *evaluator = pool_new_struct(pool, struct evaluator);
    pool_on_free(pool, free_program, &e->program);
    e->count = count;
    e->regs = pool_alloc(pool, mem_product(count + 1, sizeof(*e->regs)));
    e->types = pool_alloc(pool, mem_product(count + 1, sizeof(*e->types)));
    struct compiler c = {.pool = pool, .program = &e->program, .schema = input_schema, .err = err};
    for (uint32_t i = 0; i < count; i++) {
        TRY(compile(&c, exprs[i], &e->regs[i]));
        e->types[i] = exprs[i]->type;
    }
    return true;
}

static struct run start(struct evaluator *e, const struct eval_context *context, const struct batch *in,
                        struct selection selection, struct arena *arena, struct row_errors *errors)
{
    static const struct eval_context nothing;
    CHECK(selection.count <= in->rows);
    struct run r = {.program = &e->program,
                    .context = context ? context : &nothing,
                    .columns = in->columns,
                    .arena = arena};
    r.column_count = in->schema ? in->schema->field_count : 0;
    r.rows = in->rows;
    r.regs = arena_array(arena, struct column, e->program.step_count + 1);
    r.flat = arena_zarray(arena, const struct column *, e->program.step_count + 1);
    r.errors = errors;
    if (selection.rows == NULL &&
        selection.count < in->rows) { /* a prefix: kernels know all rows, or a list */
        uint32_t *rows = arena_array(arena, uint32_t, selection.count + 1);
        for (uint32_t i = 0; i < selection.count; i++)
            rows[i] = i;
        selection.rows = rows;
    }
    program_run_block(&r, 0, e->program.step_count, selection);
    row_errors_finish(errors, arena);
    return r;
}

void evaluator_run(struct evaluator *e, const struct eval_context *context, const struct batch *in,
                   struct selection selection, struct arena *arena, struct column *out,
                   struct row_errors *errors)
{
    struct run r = start(e, context, in, selection, arena, errors);
    for (uint32_t i = 0; i < e->count; i++) {
        out[i] = r.regs[e->regs[i]];
        if (out[i].type->kind == TYPE_NULL && e->types[i]->kind != TYPE_NULL)
            out[i] = column_nulls(e->types[i], in->rows, arena);
        out[i].type = e->types[i];
    }
}

uint32_t evaluator_filter(struct evaluator *e, const struct eval_context *context, const struct batch *in,
                          struct selection selection, struct arena *arena, uint32_t *rows,
                          struct row_errors *errors)
{
    struct run r = start(e, context, in, selection, arena, errors);
    const struct column *is = &r.regs[e->regs[0]];
    uint32_t count = 0;
    if (is->encoding == COLUMN_FLAT && is->type->kind == TYPE_BOOLEAN && selection.rows == NULL) {
        const uint8_t *data = is->data;
        for (uint32_t row = 0; row < selection.count; row++) {
            rows[count] = row;
            count += data[row] & (is->validity ? bit_get(is->validity, row) : 1);
        }
        return count;
    }
    for (uint32_t k = 0; k < selection.count; k++) {
        uint32_t row = selection.rows ? selection.rows[k] : k;
        const struct column *values;
        if (column_is_null(is, row))
            continue;
        uint32_t at = column_resolve(is, row, &values);
        if (((const uint8_t *)values->data)[at])
            rows[count++] = row;
    }
    return count;
}

/* Which accumulator an aggregate call has, and its constant arguments. */
#include <math.h>

#include "op/agg.h"
#include "op/eval_private.h"

enum { AGG_FRACTIONS_MAX = 1000 };

static bool is_constant(const struct expr *e, uint32_t depth)
{
    if (e->kind == EXPR_COLUMN || e->kind == EXPR_PARAM || depth > EVAL_DEPTH_MAX)
        return false;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (!is_constant(e->args[i], depth + 1))
            return false;
    return e->deterministic || e->kind == EXPR_LITERAL;
}

/* The value of an expression without columns, as a flat column of one row. */
static bool evaluate(struct pool *pool, const struct expr *e, struct column *out, struct err *err)
{
    static const struct type nothing = {.kind = TYPE_STRUCT};
    struct batch row = {.schema = &nothing, .rows = 1};
    struct evaluator *evaluator;
    struct row_errors errors = {0};
    struct column column;
    TRY(evaluator_new(pool, &e, 1, &nothing, &evaluator, err));
    evaluator_run(evaluator, NULL, &row, (struct selection){NULL, 1}, pool_arena(pool), &column, &errors);
    if (errors.count)
        return err_set(err, ERR_CONFIG, "%s", errors.items[0].text);
    *out = column_flatten(&column, pool_arena(pool));
    return true;
}

static bool constants(struct pool *pool, struct agg *agg, struct err *err)
{
    agg->constants = pool_alloc(pool, mem_product(agg->arg_count + 1, sizeof(struct column)));
    for (uint32_t i = 0; i < agg->arg_count; i++)
        if (is_constant(agg->call->args[i], 0) && agg->call->args[i]->type->kind != TYPE_NULL)
            TRY(evaluate(pool, agg->call->args[i], &agg->constants[i], err));
    return true;
}

static bool has_constant(const struct agg *agg, uint32_t i)
{
    return i < agg->arg_count && agg->constants[i].type && !column_is_null(&agg->constants[i], 0);
}

static bool need_constant(const struct agg *agg, uint32_t i, struct err *err)
{
    if (has_constant(agg, i))
        return true;
    return err_set(err, ERR_CONFIG,
                   "NON_FOLDABLE_INPUT: argument %u of \"%s\" must be a constant that is not NULL", i + 1,
                   agg->call->function->name);
}

static double number(const struct column *c, uint32_t row)
{
    struct arena arena = {0};
    struct value v = column_value(c, row, &arena);
    double out = v.type->kind == TYPE_DECIMAL ? (double)v.decimal / pow(10, v.type->scale)
                 : v.type->kind == TYPE_FLOAT || v.type->kind == TYPE_DOUBLE ? v.f64
                                                                             : (double)v.i64;
    arena_fini(&arena);
    return out;
}

/* One fraction, or an array of them, each in [0, 1]. */
static bool fractions(struct pool *pool, struct agg *agg, struct err *err)
{
    if (agg->id == FN_MEDIAN) {
        static double half[] = {0.5};
        agg->fractions = half;
        agg->fraction_count = 1;
        return true;
    }
    uint32_t arg = has_constant(agg, 1) ? 1 : 0; /* percentile_cont names it first */
    agg->value_arg = 1 - arg;
    TRY(need_constant(agg, arg, err));
    const struct column *c = &agg->constants[arg];
    const struct column *items = c->type->kind == TYPE_ARRAY ? &c->children[0] : c;
    uint32_t from = c->type->kind == TYPE_ARRAY ? c->offsets[0] : 0,
             count = c->type->kind == TYPE_ARRAY ? c->offsets[1] - from : 1;
    if (count > AGG_FRACTIONS_MAX)
        return err_set(err, ERR_CONFIG, "\"%s\" takes at most %d percentages", agg->call->function->name,
                       AGG_FRACTIONS_MAX);
    agg->fractions = pool_alloc(pool, mem_product(count + 1, sizeof(double)));
    agg->fraction_count = count;
    for (uint32_t i = 0; i < count; i++) {
        double f = column_is_null(items, from + i) ? NAN : number(items, from + i);
        if (!(f >= 0 && f <= 1))
            return err_set(err, ERR_CONFIG,
                           "VALUE_OUT_OF_RANGE: the percentage %g of \"%s\" is not in [0.0, 1.0]", f,
                           agg->call->function->name);
        agg->fractions[i] = f;
    }
    return true;
}

static bool hll(struct agg *agg, struct err *err)
{
    double sd = 0.05;
    if (agg->arg_count > 1) {
        TRY(need_constant(agg, 1, err));
        sd = number(&agg->constants[1], 0);
    }
    double bits = ceil(2 * log2(1.106 / sd));
    if (!(bits >= 4 && bits <= 18))
        return err_set(err, ERR_CONFIG,
                       "the relative deviation %g of \"approx_count_distinct\" is not in [0.003, 0.39]", sd);
    agg->hll_bits = (uint32_t)bits;
    return true;
}

static const struct agg_kind *by_argument(const struct agg *agg, const struct agg_kind *integer,
                                          const struct agg_kind *fraction, const struct agg_kind *decimal)
{
    enum type_kind k = agg->arg_type->kind;
    return k == TYPE_DECIMAL ? decimal : k == TYPE_FLOAT || k == TYPE_DOUBLE ? fraction : integer;
}

static const struct agg_kind *kind_of(const struct agg *agg)
{
    switch (agg->id) {
    case FN_COUNT_VALUES: return &agg_count;
    case FN_COUNT_IF: return &agg_count_if;
    case FN_SUM:
    case FN_TRY_SUM: return by_argument(agg, &agg_sum_integer, &agg_sum_double, &agg_sum_decimal);
    case FN_AVG:
    case FN_TRY_AVG: return by_argument(agg, &agg_avg_integer, &agg_avg_double, &agg_avg_decimal);
    case FN_MIN:
    case FN_MAX:
        return type_width(agg->arg_type) == 0 || type_is_view(agg->arg_type) ? &agg_min_max_cell
                                                                             : &agg_min_max;
    case FN_FIRST:
    case FN_ANY_VALUE: return &agg_first;
    case FN_LAST: return &agg_last;
    case FN_MIN_BY:
    case FN_MAX_BY: return &agg_by;
    case FN_BOOL_AND:
    case FN_BOOL_OR: return &agg_bool;
    case FN_BIT_AND_AGG:
    case FN_BIT_OR_AGG:
    case FN_BIT_XOR_AGG: return &agg_bits;
    case FN_STDDEV_SAMP:
    case FN_STDDEV_POP:
    case FN_VAR_SAMP:
    case FN_VAR_POP:
    case FN_SKEWNESS:
    case FN_KURTOSIS: return &agg_moments;
    case FN_CORR:
    case FN_COVAR_POP:
    case FN_COVAR_SAMP:
    case FN_REGR_COUNT:
    case FN_REGR_AVGX:
    case FN_REGR_AVGY:
    case FN_REGR_R2:
    case FN_REGR_SLOPE:
    case FN_REGR_INTERCEPT:
    case FN_REGR_SXX:
    case FN_REGR_SYY:
    case FN_REGR_SXY: return &agg_pairs;
    case FN_COLLECT_LIST: return &agg_collect;
    case FN_COLLECT_SET: return &agg_collect_set;
    case FN_LISTAGG: return &agg_listagg;
    case FN_MODE: return &agg_mode;
    case FN_MEDIAN:
    case FN_PERCENTILE:
    case FN_PERCENTILE_CONT: return agg->id == FN_PERCENTILE && agg->arg_count > 2 ? NULL : &agg_percentile;
    case FN_PERCENTILE_DISC:
    case FN_APPROX_PERCENTILE: return &agg_percentile_cell;
    case FN_APPROX_COUNT_DISTINCT: return &agg_hll;
    default: return NULL;
    }
}

bool agg_init(struct pool *pool, const struct expr *call, struct agg *agg, struct err *err)
{
    CHECK(call->kind == EXPR_CALL && (call->function->flags & FUNCTION_AGGREGATE));
    *agg = (struct agg){
        .call = call, .id = call->function->id, .type = call->type, .arg_count = call->arg_count};
    agg->arg_type = call->arg_count ? call->args[0]->type : NULL;
    agg->kind = kind_of(agg);
    if (agg->kind == NULL)
        return err_set(err, ERR_CONFIG, "the aggregate function \"%s\" cannot be computed yet",
                       call->function->name);
    TRY(constants(pool, agg, err));
    agg->try_ = agg->id == FN_TRY_SUM || agg->id == FN_TRY_AVG;
    switch (agg->id) {
    case FN_FIRST:
    case FN_LAST:
    case FN_ANY_VALUE:
        if (agg->arg_count > 1) {
            TRY(need_constant(agg, 1, err));
            agg->ignore_nulls = *(uint8_t *)agg->constants[1].data != 0;
        }
        break;
    case FN_LISTAGG:
        if (agg->arg_count > 1)
            TRY(need_constant(agg, 1, err));
        break;
    case FN_MEDIAN:
    case FN_PERCENTILE:
    case FN_PERCENTILE_CONT:
    case FN_PERCENTILE_DISC:
    case FN_APPROX_PERCENTILE: TRY(fractions(pool, agg, err)); break;
    case FN_APPROX_COUNT_DISTINCT: TRY(hll(agg, err)); break;
    default: break;
    }
    if (agg->arg_count)
        agg->arg_type = call->args[agg->value_arg]->type;
    return true;
}

/* Accumulators of numbers: counts, sums, means, extremes, bits. See agg.h.
 *
 * Whole numbers are added in 128 bits and checked when finished: whether a sum overflows does not depend on
 * the order of rows. Doubles are added in the order of arrival. */
#include "op/agg.h"

#include <math.h>

#include "op/eval_private.h"
#include "type/cast.h"
#include "type/decimal.h"

/* ---- columns as plain arrays --------------------------------------------------------------------------- */

static struct column flat_values(const struct column *column, const struct agg_rows *rows)
{
    if (column->encoding == COLUMN_FLAT)
        return *column;
    struct column all = *column;
    if (column->encoding == COLUMN_CONSTANT)
        all.rows = rows->batch_rows;
    return column_flatten(&all, rows->arena);
}

static const uint8_t *validity_of(const struct column *flat, const struct agg_rows *rows)
{
    if (flat->type->kind == TYPE_NULL)
        return arena_zalloc(rows->arena, rows->batch_rows / 8 + 1);
    return flat->validity;
}

#define WIDEN(type)                                                                                          \
    for (uint32_t i = 0; i < n; i++)                                                                         \
    out[i] = ((const type *)flat.data)[i]

const int64_t *agg_i64(const struct column *column, const struct agg_rows *rows, const uint8_t **validity)
{
    struct column flat = flat_values(column, rows);
    const uint32_t n = rows->batch_rows;
    size_t width = type_width(flat.type);
    *validity = validity_of(&flat, rows);
    if (width == 8)
        return flat.data;
    int64_t *out = arena_zarray(rows->arena, int64_t, n + 1);
    if (width == 1) {
        WIDEN(int8_t);
    } else if (width == 2) {
        WIDEN(int16_t);
    } else if (width == 4) {
        WIDEN(int32_t);
    }
    return out;
}

const double *agg_f64(const struct column *column, const struct agg_rows *rows, const uint8_t **validity)
{
    struct column flat = flat_values(column, rows);
    const uint32_t n = rows->batch_rows;
    *validity = validity_of(&flat, rows);
    if (flat.type->kind == TYPE_DOUBLE)
        return flat.data;
    double *out = arena_zarray(rows->arena, double, n + 1);
    if (flat.type->kind == TYPE_FLOAT) {
        WIDEN(float);
    } else if (flat.type->kind == TYPE_DECIMAL) {
        for (uint32_t i = 0; i < n; i++)
            out[i] = decimal_to_f64(((const i128 *)flat.data)[i], flat.type->scale);
    } else if (type_width(flat.type) > 0) {
        const int64_t *whole = agg_i64(&flat, rows, validity);
        for (uint32_t i = 0; i < n; i++)
            out[i] = (double)whole[i];
    }
    return out;
}

const i128 *agg_decimal(const struct column *column, const struct agg_rows *rows, const uint8_t **validity)
{
    struct column flat = flat_values(column, rows);
    *validity = validity_of(&flat, rows);
    return flat.data;
}

/* Loops over the rows that are not NULL by `validity`, with the group's state and the sign. */
#define EACH_VALUE(state_type, validity)                                                                     \
    for (uint32_t k = 0, row = 0; k < rows->count && ((row = rows->rows[k]), true); k++)                     \
        if ((validity) && !bit_get(validity, row)) {                                                         \
        } else                                                                                               \
            for (state_type *s = (state_type *)(agg_state(states, rows->groups[row]) + agg->offset); s;      \
                 s = NULL)
#define SIGN (rows->sign ? rows->sign[row] : 1)

static void write_u64(struct sbuf *out, uint64_t v)
{
    put_le64(sbuf_reserve(out, 8), v);
    sbuf_added(out, 8);
}
static void write_f64(struct sbuf *out, double v)
{
    sbuf_add(out, &v, 8);
}
static double read_f64(struct rd *r)
{
    uint64_t bits = rd_le64(r);
    double v;
    memcpy(&v, &bits, 8);
    return v;
}
static void write_wide(struct sbuf *out, i128 v)
{
    write_u64(out, (uint64_t)v);
    write_u64(out, (uint64_t)(v >> 64));
}
static i128 read_wide(struct rd *r)
{
    uint64_t low = rd_le64(r), high = rd_le64(r);
    return (i128)((unsigned __int128)high << 64 | low);
}

/* ---- count --------------------------------------------------------------------------------------------- */

struct count_state {
    int64_t n;
};

static void count_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                         const struct agg_rows *rows)
{
    bool nulls = false;
    for (uint32_t i = 0; i < agg->arg_count; i++)
        nulls |= args[i].validity != NULL || args[i].type->kind == TYPE_NULL ||
                 (args[i].encoding == COLUMN_DICTIONARY && args[i].dictionary->validity);
    for (uint32_t k = 0; k < rows->count; k++) {
        uint32_t row = rows->rows[k];
        bool counts = true;
        for (uint32_t i = 0; nulls && i < agg->arg_count; i++)
            counts &= !agg_null(&args[i], row);
        struct count_state *s = (struct count_state *)(agg_state(states, rows->groups[row]) + agg->offset);
        s->n += counts ? SIGN : 0;
    }
}

static void count_if_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                            const struct agg_rows *rows)
{
    const uint8_t *valid;
    const int64_t *is = agg_i64(&args[0], rows, &valid);
    EACH_VALUE(struct count_state, valid)
    s->n += is[row] ? SIGN : 0;
}

static bool count_finish(const struct agg *agg, const void *state, struct column_builder *out,
                         struct arena *arena, const char **error)
{
    column_builder_i64(out, ((const struct count_state *)state)->n);
    return true;
}

static void count_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    write_u64(out, (uint64_t)((const struct count_state *)state)->n);
}

static bool count_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    ((struct count_state *)state)->n = (int64_t)rd_le64(r);
    return !r->bad;
}

const struct agg_kind agg_count = {
    sizeof(struct count_state), true, count_update, count_finish, count_write, count_read, NULL};
const struct agg_kind agg_count_if = {
    sizeof(struct count_state), true, count_if_update, count_finish, count_write, count_read, NULL};

/* ---- sums and means ------------------------------------------------------------------------------------ */

struct sum_state {
    i128 sum;
    int64_t n;
    bool overflow;
};
struct double_state {
    double sum;
    int64_t n;
};

static void sum_integer_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                               const struct agg_rows *rows)
{
    const uint8_t *valid;
    const int64_t *values = agg_i64(&args[0], rows, &valid);
    EACH_VALUE(struct sum_state, valid)
    {
        s->sum += SIGN > 0 ? (i128)values[row] : -(i128)values[row];
        s->n += SIGN;
    }
}

static void sum_decimal_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                               const struct agg_rows *rows)
{
    const uint8_t *valid;
    const i128 *values = agg_decimal(&args[0], rows, &valid);
    EACH_VALUE(struct sum_state, valid)
    {
        s->overflow |= __builtin_add_overflow(s->sum, SIGN > 0 ? values[row] : -values[row], &s->sum);
        s->n += SIGN;
    }
}

static void sum_double_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                              const struct agg_rows *rows)
{
    const uint8_t *valid;
    const double *values = agg_f64(&args[0], rows, &valid);
    EACH_VALUE(struct double_state, valid)
    {
        s->sum += SIGN > 0 ? values[row] : -values[row];
        s->n += SIGN;
    }
}

static bool no_result(const struct agg *agg, struct column_builder *out, const char *why, const char **error)
{
    column_builder_null(out);
    *error = why;
    return agg->try_;
}

static const char too_large[] = "ARITHMETIC_OVERFLOW: the sum overflows its type";

static bool sum_integer_finish(const struct agg *agg, const void *state, struct column_builder *out,
                               struct arena *arena, const char **error)
{
    const struct sum_state *s = state;
    int64_t max = type_width(agg->type) == 4 ? INT32_MAX : INT64_MAX,
            min = type_width(agg->type) == 4 ? INT32_MIN : INT64_MIN;
    if (s->n == 0) {
        column_builder_null(out);
        return true;
    }
    if (s->sum > max || s->sum < min)
        return no_result(agg, out, too_large, error);
    column_builder_i64(out, (int64_t)s->sum);
    return true;
}

static bool sum_decimal_finish(const struct agg *agg, const void *state, struct column_builder *out,
                               struct arena *arena, const char **error)
{
    const struct sum_state *s = state;
    if (s->n == 0) {
        column_builder_null(out);
        return true;
    }
    if (s->overflow || !decimal_fits(s->sum, agg->type->precision))
        return no_result(agg, out, too_large, error);
    column_builder_decimal(out, s->sum);
    return true;
}

static bool sum_double_finish(const struct agg *agg, const void *state, struct column_builder *out,
                              struct arena *arena, const char **error)
{
    const struct double_state *s = state;
    if (s->n == 0)
        column_builder_null(out);
    else
        column_builder_f64(out, s->sum);
    return true;
}

/* Whole numbers give a double, or, for intervals, one of their kind, rounded half up. */
static bool avg_integer_finish(const struct agg *agg, const void *state, struct column_builder *out,
                               struct arena *arena, const char **error)
{
    const struct sum_state *s = state;
    if (s->n == 0) {
        column_builder_null(out);
        return true;
    }
    if (agg->type->kind == TYPE_DOUBLE) {
        column_builder_f64(out, (double)s->sum / (double)s->n);
        return true;
    }
    i128 twice = (s->sum < 0 ? -s->sum : s->sum) * 2 + s->n, mean = twice / (2 * (i128)s->n);
    column_builder_i64(out, (int64_t)(s->sum < 0 ? -mean : mean));
    return true;
}

static bool avg_decimal_finish(const struct agg *agg, const void *state, struct column_builder *out,
                               struct arena *arena, const char **error)
{
    const struct sum_state *s = state;
    i128 mean;
    if (s->n == 0) {
        column_builder_null(out);
        return true;
    }
    if (s->overflow ||
        !decimal_div(s->sum, agg->arg_type->scale, s->n, 0, decimal_shape_of(agg->type), &mean))
        return no_result(agg, out, too_large, error);
    column_builder_decimal(out, mean);
    return true;
}

static bool avg_double_finish(const struct agg *agg, const void *state, struct column_builder *out,
                              struct arena *arena, const char **error)
{
    const struct double_state *s = state;
    if (s->n == 0)
        column_builder_null(out);
    else
        column_builder_f64(out, s->sum / (double)s->n);
    return true;
}

static void sum_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    const struct sum_state *s = state;
    write_wide(out, s->sum);
    write_u64(out, (uint64_t)s->n);
    sbuf_char(out, (char)s->overflow);
}

static bool sum_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    struct sum_state *s = state;
    s->sum = read_wide(r);
    s->n = (int64_t)rd_le64(r);
    s->overflow = rd_u8(r) != 0;
    return !r->bad;
}

static void double_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    const struct double_state *s = state;
    write_f64(out, s->sum);
    write_u64(out, (uint64_t)s->n);
}

static bool double_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    struct double_state *s = state;
    s->sum = read_f64(r);
    s->n = (int64_t)rd_le64(r);
    return !r->bad;
}

const struct agg_kind agg_sum_integer = {
    sizeof(struct sum_state), true, sum_integer_update, sum_integer_finish, sum_write, sum_read, NULL};
const struct agg_kind agg_sum_decimal = {
    sizeof(struct sum_state), true, sum_decimal_update, sum_decimal_finish, sum_write, sum_read, NULL};
const struct agg_kind agg_sum_double = {
    sizeof(struct double_state), true, sum_double_update, sum_double_finish, double_write, double_read, NULL};
const struct agg_kind agg_avg_integer = {
    sizeof(struct sum_state), true, sum_integer_update, avg_integer_finish, sum_write, sum_read, NULL};
const struct agg_kind agg_avg_decimal = {
    sizeof(struct sum_state), true, sum_decimal_update, avg_decimal_finish, sum_write, sum_read, NULL};
const struct agg_kind agg_avg_double = {
    sizeof(struct double_state), true, sum_double_update, avg_double_finish, double_write, double_read, NULL};

/* ---- least and greatest of fixed widths ---------------------------------------------------------------- */

struct extreme_state {
    union {
        int64_t whole;
        double fraction;
        i128 wide;
    };
    bool set;
};

static bool wants_max(const struct agg *agg)
{
    return agg->id == FN_MAX;
}

/* NaN is the greatest. */
static bool f64_less(double a, double b)
{
    return a < b || (isnan(b) && !isnan(a));
}

static void min_max_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                           const struct agg_rows *rows)
{
    bool max = wants_max(agg);
    enum type_kind kind = agg->arg_type->kind;
    if (kind == TYPE_FLOAT || kind == TYPE_DOUBLE) {
        const uint8_t *valid;
        const double *values = agg_f64(&args[0], rows, &valid);
        EACH_VALUE(struct extreme_state, valid)
        {
            double v = values[row];
            if (!s->set || (max ? f64_less(s->fraction, v) : f64_less(v, s->fraction)))
                s->fraction = v;
            s->set = true;
        }
    } else if (kind == TYPE_DECIMAL) {
        const uint8_t *valid;
        const i128 *values = agg_decimal(&args[0], rows, &valid);
        EACH_VALUE(struct extreme_state, valid)
        {
            if (!s->set || (max ? values[row] > s->wide : values[row] < s->wide))
                s->wide = values[row];
            s->set = true;
        }
    } else {
        const uint8_t *valid;
        const int64_t *values = agg_i64(&args[0], rows, &valid);
        EACH_VALUE(struct extreme_state, valid)
        {
            if (!s->set || (max ? values[row] > s->whole : values[row] < s->whole))
                s->whole = values[row];
            s->set = true;
        }
    }
}

static bool min_max_finish(const struct agg *agg, const void *state, struct column_builder *out,
                           struct arena *arena, const char **error)
{
    const struct extreme_state *s = state;
    if (!s->set)
        column_builder_null(out);
    else if (agg->type->kind == TYPE_FLOAT || agg->type->kind == TYPE_DOUBLE)
        column_builder_f64(out, s->fraction);
    else if (agg->type->kind == TYPE_DECIMAL)
        column_builder_decimal(out, s->wide);
    else if (agg->type->kind == TYPE_BOOLEAN)
        column_builder_bool(out, s->whole != 0);
    else
        column_builder_i64(out, s->whole);
    return true;
}

static void min_max_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    const struct extreme_state *s = state;
    i128 v = s->set ? s->wide : 0;
    if (s->set && agg->type->kind != TYPE_DECIMAL)
        v = s->whole; /* the upper half is not theirs */
    sbuf_char(out, (char)s->set);
    write_wide(out, v);
}

/* What other bytes than ours might say. */
static bool in_range(const struct type *type, const struct extreme_state *s)
{
    switch (type->kind) {
    case TYPE_DECIMAL: return decimal_fits(s->wide, type->precision);
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT: return s->whole >= type_int_min(type->kind) && s->whole <= type_int_max(type->kind);
    case TYPE_DATE:
    case TYPE_INTERVAL_YM: return s->whole >= INT32_MIN && s->whole <= INT32_MAX;
    default: return true;
    }
}

static bool min_max_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    struct extreme_state *s = state;
    s->set = rd_u8(r) != 0;
    i128 v = read_wide(r);
    if (agg->type->kind == TYPE_DECIMAL)
        s->wide = v;
    else
        s->whole = (int64_t)v;
    return !r->bad && in_range(agg->type, s);
}

const struct agg_kind agg_min_max = {
    sizeof(struct extreme_state), false, min_max_update, min_max_finish, min_max_write, min_max_read, NULL};

/* ---- booleans and bits --------------------------------------------------------------------------------- */

struct bool_state {
    int64_t yes, no;
};

static void bool_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                        const struct agg_rows *rows)
{
    const uint8_t *valid;
    const int64_t *is = agg_i64(&args[0], rows, &valid);
    EACH_VALUE(struct bool_state, valid)
    {
        s->yes += is[row] ? SIGN : 0;
        s->no += is[row] ? 0 : SIGN;
    }
}

static bool bool_finish(const struct agg *agg, const void *state, struct column_builder *out,
                        struct arena *arena, const char **error)
{
    const struct bool_state *s = state;
    if (s->yes == 0 && s->no == 0)
        column_builder_null(out);
    else
        column_builder_bool(out, agg->id == FN_BOOL_AND ? s->no == 0 : s->yes > 0);
    return true;
}

static void bool_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    const struct bool_state *s = state;
    write_u64(out, (uint64_t)s->yes);
    write_u64(out, (uint64_t)s->no);
}

static bool bool_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    struct bool_state *s = state;
    s->yes = (int64_t)rd_le64(r);
    s->no = (int64_t)rd_le64(r);
    return !r->bad;
}

const struct agg_kind agg_bool = {
    sizeof(struct bool_state), true, bool_update, bool_finish, bool_write, bool_read, NULL};

struct bits_state {
    int64_t bits, n;
};

static void bits_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                        const struct agg_rows *rows)
{
    const uint8_t *valid;
    const int64_t *values = agg_i64(&args[0], rows, &valid);
    EACH_VALUE(struct bits_state, valid)
    {
        if (s->n == 0)
            s->bits = values[row];
        else
            s->bits = agg->id == FN_BIT_AND_AGG  ? s->bits & values[row]
                      : agg->id == FN_BIT_OR_AGG ? s->bits | values[row]
                                                 : s->bits ^ values[row];
        s->n++;
    }
}

static bool bits_finish(const struct agg *agg, const void *state, struct column_builder *out,
                        struct arena *arena, const char **error)
{
    const struct bits_state *s = state;
    if (s->n == 0)
        column_builder_null(out);
    else
        column_builder_i64(out, s->bits);
    return true;
}

static void bits_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    const struct bits_state *s = state;
    write_u64(out, (uint64_t)s->bits);
    write_u64(out, (uint64_t)s->n);
}

static bool bits_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    struct bits_state *s = state;
    s->bits = (int64_t)rd_le64(r);
    s->n = (int64_t)rd_le64(r);
    return !r->bad && s->bits >= type_int_min(agg->type->kind) && s->bits <= type_int_max(agg->type->kind);
}

const struct agg_kind agg_bits = {
    sizeof(struct bits_state), false, bits_update, bits_finish, bits_write, bits_read, NULL};

/* ---- moments ------------------------------------------------------------------------------------------- */

/* Central moments, updated as Welford and Pébay have it. */
struct moments_state {
    double n, mean, m2, m3, m4;
};

static void moments_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                           const struct agg_rows *rows)
{
    const uint8_t *valid;
    const double *values = agg_f64(&args[0], rows, &valid);
    EACH_VALUE(struct moments_state, valid)
    {
        double before = s->n, n = before + 1, delta = values[row] - s->mean, step = delta / n,
               step2 = step * step, term = delta * step * before;
        s->m4 += term * step2 * (n * n - 3 * n + 3) + 6 * step2 * s->m2 - 4 * step * s->m3;
        s->m3 += term * step * (n - 2) - 3 * step * s->m2;
        s->m2 += term;
        s->mean += step;
        s->n = n;
    }
}

static bool moments_finish(const struct agg *agg, const void *state, struct column_builder *out,
                           struct arena *arena, const char **error)
{
    const struct moments_state *s = state;
    double n = s->n, v = NAN;
    bool sample = agg->id == FN_STDDEV_SAMP || agg->id == FN_VAR_SAMP;
    if (n == 0 || (sample && n == 1)) {
        column_builder_null(out);
        return true;
    }
    switch (agg->id) {
    case FN_STDDEV_SAMP: v = sqrt(s->m2 / (n - 1)); break;
    case FN_STDDEV_POP: v = sqrt(s->m2 / n); break;
    case FN_VAR_SAMP: v = s->m2 / (n - 1); break;
    case FN_VAR_POP: v = s->m2 / n; break;
    case FN_SKEWNESS: v = s->m2 == 0 ? NAN : sqrt(n) * s->m3 / sqrt(s->m2 * s->m2 * s->m2); break;
    case FN_KURTOSIS: v = s->m2 == 0 ? NAN : n * s->m4 / (s->m2 * s->m2) - 3; break;
    default: UNREACHABLE("moments");
    }
    if (isnan(v) && s->m2 == 0) /* skewness and kurtosis of equal values */
        column_builder_null(out);
    else
        column_builder_f64(out, v);
    return true;
}

static void moments_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    sbuf_add(out, state, sizeof(struct moments_state));
}

static bool moments_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    const uint8_t *p = rd_take(r, sizeof(struct moments_state));
    if (p)
        memcpy(state, p, sizeof(struct moments_state));
    return p != NULL;
}

const struct agg_kind agg_moments = {
    sizeof(struct moments_state), false, moments_update, moments_finish, moments_write, moments_read, NULL};

struct pairs_state {
    double n, mean_x, mean_y, m2_x, m2_y, xy;
};

/* regr_…(y, x): x is the second argument; corr and covar do not care. */
static void pairs_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                         const struct agg_rows *rows)
{
    const uint8_t *valid, *valid_x;
    const double *ys = agg_f64(&args[0], rows, &valid), *xs = agg_f64(&args[1], rows, &valid_x);
    EACH_VALUE(struct pairs_state, valid)
    {
        if (valid_x && !bit_get(valid_x, row))
            continue;
        double n = s->n + 1, dx = xs[row] - s->mean_x, dy = ys[row] - s->mean_y;
        s->mean_x += dx / n;
        s->mean_y += dy / n;
        s->m2_x += dx * (xs[row] - s->mean_x);
        s->m2_y += dy * (ys[row] - s->mean_y);
        s->xy += dx * (ys[row] - s->mean_y);
        s->n = n;
    }
}

static double pairs_result(enum function_id id, const struct pairs_state *s)
{
    switch (id) {
    case FN_CORR: return s->m2_x == 0 || s->m2_y == 0 ? NAN : s->xy / sqrt(s->m2_x * s->m2_y);
    case FN_COVAR_POP: return s->xy / s->n;
    case FN_COVAR_SAMP: return s->n == 1 ? NAN : s->xy / (s->n - 1);
    case FN_REGR_AVGX: return s->mean_x;
    case FN_REGR_AVGY: return s->mean_y;
    case FN_REGR_R2: return s->m2_x == 0 ? NAN : s->m2_y == 0 ? 1 : s->xy * s->xy / (s->m2_x * s->m2_y);
    case FN_REGR_SLOPE: return s->m2_x == 0 ? NAN : s->xy / s->m2_x;
    case FN_REGR_INTERCEPT: return s->m2_x == 0 ? NAN : s->mean_y - s->xy / s->m2_x * s->mean_x;
    case FN_REGR_SXX: return s->m2_x;
    case FN_REGR_SYY: return s->m2_y;
    case FN_REGR_SXY: return s->xy;
    default: UNREACHABLE("functions of pairs");
    }
}

static bool pairs_finish(const struct agg *agg, const void *state, struct column_builder *out,
                         struct arena *arena, const char **error)
{
    const struct pairs_state *s = state;
    if (agg->id == FN_REGR_COUNT) {
        column_builder_i64(out, (int64_t)s->n);
        return true;
    }
    double v = s->n == 0 ? NAN : pairs_result(agg->id, s);
    bool undefined = s->n == 0 || (isnan(v) && isfinite(s->mean_x) && isfinite(s->mean_y));
    if (undefined)
        column_builder_null(out);
    else
        column_builder_f64(out, v);
    return true;
}

static void pairs_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    sbuf_add(out, state, sizeof(struct pairs_state));
}

static bool pairs_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    const uint8_t *p = rd_take(r, sizeof(struct pairs_state));
    if (p)
        memcpy(state, p, sizeof(struct pairs_state));
    return p != NULL;
}

const struct agg_kind agg_pairs = {
    sizeof(struct pairs_state), false, pairs_update, pairs_finish, pairs_write, pairs_read, NULL};

/* The engine against the oracle: random schemas, rows full of edges, random typed expressions and plans; the
 * same values, NULLs and failing rows whatever the batch size and the encoding. A fixed seed; SLUICE_SEEDS=n
 * runs that many. */
#include <ref/make_expr.h>
#include <ref/oracle.h>
#include <ref/random_batch.h>

#include <math.h>

#include "base/test.h"
#include "op/op.h"
#include "type/cast.h"

enum { SEEDS = 400, EXPRS_MAX = 3, DEPTH = 4 };

static struct pool *pool;
static struct arena *arena;
static struct rng rng;
static const struct type *schema;
static const struct type *ints, *pair;
static uint64_t evaluated, failed_rows, unknown_exprs, folded;

#define T(kind) type_simple(TYPE_##kind)

static unsigned below(unsigned n)
{
    return (unsigned)rng_below(&rng, n);
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

static struct value some_text(void)
{
    static const char *const texts[] = {"",       "1",    "-5",         " 12 ",
                                        "1.5",    "abc",  "2024-02-29", "true",
                                        "F",      "a,b",  "a%b_c",      "%",
                                        "äöü",    "NaN",  "1e3",        "2020-01-01 12:34:56.789",
                                        "null",   "xyz ", "  lead",     "1234567890",
                                        "aXbXcX", "\\%",  "abcabcabc",  "a longer text than twelve bytes"};
    return (struct value){.type = T(STRING), .str = str_of(texts[below(sizeof(texts) / sizeof(*texts))])};
}

static struct value some_value(const struct type *type)
{
    struct value v = random_value(&rng, type, true, arena);
    if (v.is_null || below(3) == 0)
        return v;
    if (type->kind == TYPE_STRING)
        return some_text();
    if (type_is_integer(type))
        v.i64 = (int64_t)below(20) - 6;
    else if (type->kind == TYPE_DOUBLE || type->kind == TYPE_FLOAT)
        v.f64 = ((double)below(41) - 20) / 4;
    else if (type->kind == TYPE_DECIMAL)
        v.decimal = (i128)below(1u << (type->precision < 8 ? 3 : 20)) - 3;
    else if (type->kind == TYPE_DATE)
        v.i64 = (int64_t)below(40000) - 10000;
    else if (type->kind == TYPE_TIMESTAMP)
        v.i64 = ((int64_t)below(2000000000) - 500000000) * 1000003;
    else if (type->kind == TYPE_BOOLEAN)
        v.boolean = below(2);
    return v;
}

static void append(struct column_builder *b, const struct value *v)
{
    if (v->is_null || v->type->kind == TYPE_NULL)
        column_builder_null(b);
    else
        column_builder_value(b, v);
}

static struct column some_column(const struct type *type, uint32_t rows, struct arena *to)
{
    struct column_builder b;
    unsigned encoding = below(4);
    uint32_t count = encoding == 0 ? 1 : encoding == 1 ? 1 + below(5) : rows;
    column_builder_init(&b, type, to);
    for (uint32_t i = 0; i < count; i++) {
        struct value v = some_value(type);
        append(&b, &v);
    }
    struct column column = column_builder_finish(&b);
    if (encoding == 0) {
        column.encoding = COLUMN_CONSTANT;
        column.rows = rows;
        return column;
    }
    if (encoding > 1)
        return column;
    struct column out = {.type = type, .encoding = COLUMN_DICTIONARY, .rows = rows};
    out.dictionary = arena_dup(to, &column, sizeof(column));
    out.indices = arena_array(to, uint32_t, rows + 1);
    for (uint32_t i = 0; i < rows; i++)
        out.indices[i] = below(count);
    if (below(2)) {
        out.validity = arena_zalloc(to, (rows + 7) / 8);
        for (uint32_t i = 0; i < rows; i++)
            if (below(5))
                bit_set(out.validity, i);
    }
    return out;
}

static void make_schema(void)
{
    struct field xy[] = {{"x", T(INT), true, NULL}, {"y", T(STRING), true, NULL}};
    ints = type_array(arena, T(INT), true);
    pair = type_struct(arena, xy, 2);
    const struct type *types[] = {T(BOOLEAN), T(BYTE),   T(SHORT),  T(INT),
                                  T(LONG),    T(FLOAT),  T(DOUBLE), type_decimal(arena, 10, 2),
                                  T(STRING),  T(BINARY), T(DATE),   T(TIMESTAMP),
                                  ints,       pair,      T(INT),    T(STRING)};
    struct field fields[20];
    uint32_t n = 0;
    for (uint32_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (below(5)) {
            fields[n] = (struct field){arena_printf(arena, "c%u", n), types[i], true, NULL};
            n++;
        }
    schema = type_struct(arena, fields, n);
}

static void make_batch(struct batch *batch, uint32_t rows)
{
    batch_reset(batch);
    batch->schema = schema;
    batch->rows = rows;
    batch->columns = arena_array(&batch->arena, struct column, schema->field_count + 1);
    for (uint32_t i = 0; i < schema->field_count; i++)
        batch->columns[i] = some_column(schema->fields[i].type, rows, &batch->arena);
    batch->offset = arena_array(&batch->arena, int64_t, rows + 1);
    for (uint32_t i = 0; i < rows; i++)
        batch->offset[i] = i;
    batch->partition = 3;
}

/* ---- expressions --------------------------------------------------------------------------------------- */

static const struct expr *expr(const struct type *type, unsigned depth);

static const struct expr *leaf(const struct type *type)
{
    uint32_t fits[20], n = 0;
    for (uint32_t i = 0; i < schema->field_count; i++)
        if (type_same(schema->fields[i].type, type))
            fits[n++] = i;
    if (n && below(4))
        return make_column(arena, schema, fits[below(n)]);
    for (uint32_t i = 0; i < schema->field_count && below(2); i++)
        if (schema->fields[i].type == pair)
            for (uint32_t f = 0; f < 2; f++)
                if (type_same(pair->fields[f].type, type))
                    return make_field(arena, make_column(arena, schema, i), f);
    return make_literal(arena, some_value(type));
}

#define ONE(id, a) make_call1(arena, FN_##id, type, a)
#define TWO(id, a, b) make_call2(arena, FN_##id, type, a, b)
#define THREE(id, a, b, c) make_call3(arena, FN_##id, type, a, b, c)
#define E(t) expr(t, depth - 1)

static const struct expr *case_of(const struct type *type, unsigned depth)
{
    const struct expr *args[5];
    uint32_t n = below(2) ? 3 : 5;
    for (uint32_t i = 0; i < n; i++)
        args[i] = E(i % 2 == 0 && i + 1 < n ? T(BOOLEAN) : type);
    return make_node(arena, EXPR_CASE, type, args, n);
}

static const struct type *any_simple(void)
{
    const struct type *types[] = {T(BOOLEAN),
                                  T(BYTE),
                                  T(SHORT),
                                  T(INT),
                                  T(LONG),
                                  T(FLOAT),
                                  T(DOUBLE),
                                  T(BINARY),
                                  T(TIMESTAMP_NTZ),
                                  T(STRING),
                                  T(DATE),
                                  T(TIMESTAMP),
                                  type_decimal(arena, 10, 2),
                                  type_decimal(arena, 20, 6)};
    return types[below(sizeof(types) / sizeof(*types))];
}

static const struct expr *cast_to(const struct type *type, unsigned depth)
{
    for (int i = 0; i < 20; i++) {
        const struct type *from = any_simple();
        if (!type_same(from, type) && type_can_cast(from, type))
            return make_cast(arena, E(from), type, below(2));
    }
    return leaf(type);
}

static const struct expr *boolean(unsigned depth)
{
    const struct type *type = T(BOOLEAN), *side = any_simple();
    static const enum function_id compares[] = {FN_EQ, FN_NE, FN_LT, FN_LE, FN_GT, FN_GE, FN_EQ_NULL_SAFE};
    const struct expr *args[4];
    uint32_t n;
    switch (below(12)) {
    case 0:
    case 1:
    case 2: return make_call2(arena, compares[below(7)], type, E(side), E(side));
    case 3:
    case 4:
        n = 2 + below(3);
        for (uint32_t i = 0; i < n; i++)
            args[i] = E(type);
        return make_node(arena, below(2) ? EXPR_AND : EXPR_OR, type, args, n);
    case 5: return ONE(NOT, E(type));
    case 6:
        n = 2 + below(3);
        args[0] = E(side);
        for (uint32_t i = 1; i < n; i++)
            args[i] = below(2) ? make_literal(arena, some_value(side)) : E(side);
        return make_call(arena, FN_IN, type, args, n);
    case 7: return below(2) ? ONE(IS_NULL, E(side)) : ONE(IS_NOT_NULL, E(side));
    case 8:
        return THREE(LIKE, E(T(STRING)), below(3) ? make_literal(arena, some_text()) : E(T(STRING)),
                     make_str(arena, "\\"));
    case 9:
        return below(2)   ? TWO(CONTAINS, E(T(STRING)), E(T(STRING)))
               : below(2) ? TWO(STARTSWITH, E(T(STRING)), E(T(STRING)))
                          : TWO(ENDSWITH, E(T(STRING)), E(T(STRING)));
    case 10: return TWO(ARRAY_CONTAINS, E(ints), E(T(INT)));
    default: return make_call2(arena, FN_EQ, type, E(pair), E(pair));
    }
}

static const struct expr *number(const struct type *type, unsigned depth)
{
    static const enum function_id ops[] = {FN_ADD,     FN_SUBTRACT,     FN_MULTIPLY,     FN_MOD,    FN_PMOD,
                                           FN_TRY_ADD, FN_TRY_SUBTRACT, FN_TRY_MULTIPLY, FN_TRY_MOD};
    switch (below(5)) {
    case 0:
    case 1: return make_call2(arena, ops[below(9)], type, E(type), E(type));
    case 2: return below(2) ? ONE(NEGATE, E(type)) : ONE(ABS, E(type));
    case 3: {
        const struct expr *args[] = {E(type), E(type), E(type)};
        return make_call(arena, below(2) ? FN_GREATEST : FN_LEAST, type, args, 2 + below(2));
    }
    default: break;
    }
    if (type->kind == TYPE_DOUBLE)
        return below(2)   ? TWO(DIVIDE, E(type), E(type))
               : below(2) ? ONE(SIGN, E(T(DOUBLE)))
                          : TWO(NANVL, E(type), E(type));
    if (type->kind == TYPE_LONG)
        return below(2)   ? TWO(INT_DIVIDE, E(T(INT)), E(T(INT)))
               : below(2) ? ONE(CEIL, E(T(DOUBLE)))
                          : TWO(ARRAY_POSITION, E(ints), E(T(INT)));
    if (type_is_integer(type)) {
        static const enum function_id bits[] = {FN_BIT_AND, FN_BIT_OR, FN_BIT_XOR};
        return make_call2(arena, bits[below(3)], type, E(type), E(type));
    }
    return leaf(type);
}

static const struct expr *integer(unsigned depth)
{
    const struct type *type = T(INT);
    static const enum function_id parts[] = {FN_YEAR,      FN_QUARTER,   FN_MONTH,  FN_DAY,
                                             FN_DAYOFYEAR, FN_DAYOFWEEK, FN_WEEKDAY};
    static const enum function_id times[] = {FN_HOUR, FN_MINUTE, FN_SECOND};
    switch (below(9)) {
    case 0: return ONE(LENGTH, E(T(STRING)));
    case 1: return make_call1(arena, parts[below(7)], type, E(T(DATE)));
    case 2: return make_call1(arena, times[below(3)], type, E(T(TIMESTAMP)));
    case 3: return ONE(SIZE, E(ints));
    case 4:
        return below(2)   ? TWO(GET, E(ints), E(type))
               : below(2) ? TWO(ELEMENT_AT, E(ints), E(type))
                          : TWO(SUBSCRIPT, E(ints), E(type));
    case 5: return TWO(INSTR, E(T(STRING)), E(T(STRING)));
    case 6: return THREE(LOCATE, E(T(STRING)), E(T(STRING)), E(type));
    case 7: return TWO(DATEDIFF, leaf(T(DATE)), leaf(T(DATE)));
    default: return make_field(arena, E(pair), 0);
    }
}

static const struct expr *string(unsigned depth)
{
    const struct type *type = T(STRING);
    const struct expr *some = make_i32(arena, (int32_t)below(12) - 4);
    switch (below(14)) {
    case 0:
    case 1: return TWO(CONCAT, E(type), E(type));
    case 2: return THREE(CONCAT_WS, E(type), E(type), E(type));
    case 3:
        return below(2) ? THREE(SUBSTRING, E(type), some, make_i32(arena, (int32_t)below(6)))
                        : TWO(SUBSTRING, E(type), E(T(INT)));
    case 4: return below(2) ? TWO(LEFT, E(type), some) : TWO(RIGHT, E(type), some);
    case 5:
        return below(2)   ? ONE(TRIM, E(type))
               : below(2) ? TWO(LTRIM, E(type), E(type))
                          : TWO(RTRIM, E(type), E(type));
    case 6: return below(2) ? THREE(LPAD, E(type), some, E(type)) : TWO(RPAD, E(type), some);
    case 7: return THREE(REPLACE, E(type), E(type), E(type));
    case 8: return THREE(TRANSLATE, E(type), E(type), E(type));
    case 9: return THREE(SPLIT_PART, E(type), E(type), some);
    case 10: return ONE(REVERSE, E(type));
    case 11: return TWO(CONCAT, make_cast(arena, E(T(INT)), type, false), E(type));
    default: return make_field(arena, E(pair), 1);
    }
}

static const struct expr *array(unsigned depth)
{
    const struct type *type = ints;
    const struct expr *x = make_param(arena, T(INT), 0);
    const struct expr *args[] = {E(T(INT)), E(T(INT)), E(T(INT))};
    switch (below(5)) {
    case 0:
    case 1: return make_call(arena, FN_ARRAY, type, args, below(4));
    case 2:
        return TWO(TRANSFORM, E(type),
                   make_lambda(arena, make_call2(arena, FN_ADD, T(INT), x, E(T(INT))), 0, 1));
    case 3:
        return TWO(FILTER, E(type),
                   make_lambda(arena, make_call2(arena, FN_LT, T(BOOLEAN), x, E(T(INT))), 0, 1));
    default: return TWO(SORT_ARRAY, E(type), make_bool(arena, below(2)));
    }
}

static const struct expr *decimal(const struct type *type, unsigned depth)
{
    struct decimal_shape a = {10, 2}, r;
    const struct type *t = type_decimal(arena, 10, 2);
    static const struct {
        enum function_id id;
        enum decimal_op op;
    } ops[] = {{FN_ADD, DECIMAL_ADD},
               {FN_SUBTRACT, DECIMAL_SUB},
               {FN_MULTIPLY, DECIMAL_MUL},
               {FN_DIVIDE, DECIMAL_DIV},
               {FN_MOD, DECIMAL_REM}};
    unsigned k = below(5);
    r = decimal_result(ops[k].op, a, a);
    const struct expr *e = make_call2(arena, ops[k].id, type_decimal(arena, r.precision, r.scale), E(t),
                                      E(t));
    return make_cast(arena, e, type, below(2));
}

static const struct expr *expr(const struct type *type, unsigned depth)
{
    if (depth == 0 || below(6) == 0)
        return leaf(type);
    if (below(7) == 0)
        return case_of(type, depth);
    if (!type_is_nested(type) && below(6) == 0)
        return cast_to(type, depth);
    switch (type->kind) {
    case TYPE_BOOLEAN: return boolean(depth);
    case TYPE_INT: return below(2) ? integer(depth) : number(type, depth);
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_LONG:
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return number(type, depth);
    case TYPE_DECIMAL: return decimal(type, depth);
    case TYPE_STRING: return string(depth);
    case TYPE_DATE:
        return below(2) ? ONE(LAST_DAY, leaf(type))
                        : TWO(DATE_ADD, leaf(type), make_i32(arena, (int32_t)below(1000)));
    case TYPE_ARRAY: return array(depth);
    case TYPE_STRUCT: return make_call2(arena, FN_STRUCT, type, E(T(INT)), E(T(STRING)));
    default: return leaf(type);
    }
}

static const struct type *any_type(void)
{
    switch (below(8)) {
    case 0: return ints;
    case 1: return pair;
    default: return any_simple();
    }
}

/* ---- comparison ---------------------------------------------------------------------------------------- */

static bool values_same(const struct value *a, const struct value *b)
{
    struct value x = {.type = T(INT)}, y = x;
    struct value wrap_a = *a, wrap_b = *b;
    struct field f = {"v", a->type, true, NULL};
    x.type = y.type = type_struct(arena, &f, 1);
    x.nested.count = y.nested.count = 1;
    x.nested.items = &wrap_a;
    y.nested.items = &wrap_b;
    return rows_equal(&x, &y, 1);
}

static void show(const struct expr *e, const struct value *row, const struct value *got,
                 const struct value *wanted, uint64_t seed)
{
    struct sbuf text = {0};
    fprintf(stderr, "seed %llu, expression of type ", (unsigned long long)seed);
    type_to_sql(e->type, &text);
    sbuf_cstr(&text, ": engine ");
    value_to_sql(got, &text);
    sbuf_cstr(&text, ", oracle ");
    value_to_sql(wanted, &text);
    sbuf_cstr(&text, "\n    row: ");
    for (uint32_t i = 0; row && i < schema->field_count; i++) {
        sbuf_printf(&text, "%s%s = ", i ? ", " : "", schema->fields[i].name);
        value_to_sql(&row[i], &text);
    }
    fprintf(stderr, "%s\n", text.p);
    sbuf_fini(&text);
}

static void print_expr(const struct expr *e, struct sbuf *out)
{
    static const char *const kinds[] = {"literal", "column", "field", "cast",   "and",
                                        "or",      "case",   "call",  "lambda", "param"};
    if (e->kind == EXPR_LITERAL) {
        value_to_sql(&e->literal, out);
        return;
    }
    sbuf_printf(out, "%s", e->kind == EXPR_CALL ? e->function->name : kinds[e->kind]);
    if (e->kind == EXPR_COLUMN || e->kind == EXPR_FIELD || e->kind == EXPR_PARAM)
        sbuf_printf(out, "%u", e->index);
    if (e->kind == EXPR_CAST) {
        sbuf_cstr(out, e->try_ ? "? " : " ");
        type_to_sql(e->type, out);
    }
    if (e->arg_count == 0)
        return;
    sbuf_char(out, '(');
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (i)
            sbuf_cstr(out, ", ");
        print_expr(e->args[i], out);
    }
    sbuf_char(out, ')');
}

struct expected {
    struct value *values; /* [count] of one row */
    bool failed;
};

static const struct eval_context *context(void)
{
    static struct timezone_data zone;
    static struct eval_context contexts[2];
    timezone_fixed(STR("+05:30"), &zone);
    contexts[0] = contexts[1] = (struct eval_context){.now = {1700000000123456}, .seed = 9};
    contexts[1].zone = &zone;
    return &contexts[below(2)];
}

/* One batch through the evaluator, against the expected rows from `from` on. */
static bool check_batch(struct evaluator *e, const struct eval_context *ctx, const struct batch *in,
                        struct selection sel, const struct expr *const *exprs, uint32_t count,
                        const struct expected *expected, uint64_t seed)
{
    struct column out[EXPRS_MAX];
    struct row_errors errors = {0};
    struct arena scratch = {0};
    struct err err = {0};
    bool ok = true;
    evaluator_run(e, ctx, in, sel, &scratch, out, &errors);
    struct batch result = {.rows = in->rows, .columns = out};
    struct field fields[EXPRS_MAX];
    for (uint32_t i = 0; i < count; i++)
        fields[i] = (struct field){"r", exprs[i]->type, true, NULL};
    result.schema = type_struct(&scratch, fields, count);
    if (!EXPECT(batch_check(&result, &err))) {
        fprintf(stderr, "    %s\n", err.text);
        ok = false;
    }
    uint32_t at = 0;
    for (uint32_t k = 0; ok && k < sel.count; k++) {
        uint32_t row = sel.rows ? sel.rows[k] : k;
        bool bad = at < errors.count && errors.items[at].row == row;
        if (!EXPECT(bad == expected[row].failed)) {
            fprintf(stderr, "seed %llu row %u: %s\n", (unsigned long long)seed, row,
                    bad ? errors.items[at].text : "no error from the engine");
            ok = false;
        }
        at += bad;
        for (uint32_t i = 0; ok && !bad && i < count; i++) {
            struct value got = column_value(&out[i], row, &scratch);
            got.type = exprs[i]->type;
            evaluated++;
            if (!EXPECT(values_same(&got, &expected[row].values[i]))) {
                show(exprs[i], NULL, &got, &expected[row].values[i], seed);
                ok = false;
            }
        }
    }
    if (ok && !EXPECT(at == errors.count))
        ok = false;
    arena_fini(&scratch);
    return ok;
}

static bool check_sizes(struct evaluator *e, const struct eval_context *ctx, const struct batch *all,
                        const struct expr *const *exprs, uint32_t count, const struct expected *expected,
                        uint64_t seed)
{
    static const uint32_t sizes[] = {1, 7, 64, 4096};
    bool ok = check_batch(e, ctx, all, (struct selection){NULL, all->rows}, exprs, count, expected, seed);
    uint32_t *some = arena_array(arena, uint32_t, all->rows + 1), n = 0;
    for (uint32_t i = 0; i < all->rows; i++)
        if (below(3) == 0)
            some[n++] = i;
    ok = ok && check_batch(e, ctx, all, (struct selection){some, n}, exprs, count, expected, seed);
    struct batch *part = batch_new();
    for (uint32_t s = 0; ok && s < 4; s++)
        for (uint32_t from = 0; ok && from < all->rows; from += sizes[s]) {
            uint32_t size = all->rows - from < sizes[s] ? all->rows - from : sizes[s];
            uint32_t *rows = arena_array(arena, uint32_t, size);
            for (uint32_t i = 0; i < size; i++)
                rows[i] = from + i;
            batch_reset(part);
            batch_take(part, all, rows, size, below(2));
            ok = check_batch(e, ctx, part, (struct selection){NULL, size}, exprs, count, expected + from,
                             seed);
        }
    batch_free(part);
    return ok;
}

static bool one_seed(uint64_t seed)
{
    rng = (struct rng){seed};
    pool = pool_new(NULL, "oracle");
    arena = pool_arena(pool);
    make_schema();
    struct batch *in = batch_new();
    uint32_t rows = below(20) == 0 ? 1000 + below(4000) : below(150), count = 1 + below(EXPRS_MAX);
    const struct expr *exprs[EXPRS_MAX];
    const struct eval_context *ctx = context();
    make_batch(in, rows);
    struct value *values = batch_to_rows(in, arena);
    for (uint32_t i = 0; i < count; i++)
        exprs[i] = expr(any_type(), 1 + below(DEPTH));
    struct expected *expected = arena_zarray(arena, struct expected, rows + 1);
    bool known = true, all_fail = true;
    for (uint32_t row = 0; row < rows && known; row++) {
        expected[row].values = arena_array(arena, struct value, count);
        for (uint32_t i = 0; i < count && !expected[row].failed && known; i++) {
            struct oracle o = {.arena = arena, .context = ctx};
            expected[row].failed = !oracle_eval(&o, exprs[i], values[row].nested.items,
                                                &expected[row].values[i]);
            known = !o.unknown;
        }
        failed_rows += expected[row].failed;
        all_fail &= expected[row].failed;
    }
    struct evaluator *e;
    struct err err = {0};
    bool ok = true;
    if (!known) {
        unknown_exprs++;
    } else if (!evaluator_new(pool, exprs, count, schema, &e, &err)) {
        folded++;
        ok = EXPECT(err.class == ERR_CONFIG) && EXPECT(all_fail);
    } else {
        ok = check_sizes(e, ctx, in, exprs, count, expected, seed);
    }
    if (!ok) {
        struct sbuf text = {0};
        for (uint32_t i = 0; i < count; i++) {
            sbuf_cstr(&text, "\n    ");
            print_expr(exprs[i], &text);
        }
        fprintf(stderr, "seed %llu: %s%s\n", (unsigned long long)seed, err.text, text.p);
        sbuf_fini(&text);
    }
    batch_free(in);
    pool_free(pool);
    return ok;
}

static uint64_t seed_count(void)
{
    const char *text = getenv("SLUICE_SEEDS");
    return text ? strtoull(text, NULL, 10) : SEEDS;
}

TEST(expressions_are_as_the_oracle_has_them)
{
    const char *one = getenv("SLUICE_SEED");
    uint64_t from = one ? strtoull(one, NULL, 10) : 1, to = one ? from : seed_count(), bad = 0;
    for (uint64_t seed = from; seed <= to && bad < 5; seed++)
        bad += !one_seed(seed);
    printf("%llu values, %llu failed rows, %llu constant errors, %llu unknown\n",
           (unsigned long long)evaluated, (unsigned long long)failed_rows, (unsigned long long)folded,
           (unsigned long long)unknown_exprs);
    EXPECT(evaluated > 1000 || one);
    EXPECT(unknown_exprs * 10 <= to);
}

int main(void)
{
    RUN(expressions_are_as_the_oracle_has_them);
    return test_end();
}

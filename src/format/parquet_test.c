/* Parquet, written and read back: random nested tables under random options, then one feature at a time.
 * With a folder as its argument the program leaves the random files there, for other readers to judge. */
#include "format/parquet.h"

#include <math.h>

#include "base/test.h"
#include "format/parquet_read_i.h"
#include "type/decimal.h"

static uint64_t seed = 1;
static const char *keep_folder;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}
static uint64_t below(uint64_t n)
{
    return (rnd() >> 11) % n;
}

/* ---- files in memory ------------------------------------------------------------------------------- */

static bool put(void *arg, const void *p, size_t n, struct err *err)
{
    (void)err;
    sbuf_add(arg, p, n);
    return true;
}

static bool get(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct sbuf *file = arg;
    (void)err;
    CHECK(offset + n <= file->n);
    memcpy(out, file->p + offset, n);
    return true;
}

static struct parquet_file *open_file(struct pool *pool, struct sbuf *file)
{
    struct err err;
    struct parquet_source source = {file->n, get, file};
    struct parquet_file *f = parquet_open(pool, &source, &err);
    if (f == NULL)
        fprintf(stderr, "%s\n", err.text);
    return f;
}

/* ---- random tables --------------------------------------------------------------------------------- */

static const struct type *random_type(struct arena *arena, unsigned depth)
{
    static const enum type_kind simple[] = {
        TYPE_BOOLEAN,       TYPE_BYTE,        TYPE_SHORT,       TYPE_INT,  TYPE_LONG,   TYPE_FLOAT,
        TYPE_DOUBLE,        TYPE_STRING,      TYPE_BINARY,      TYPE_DATE, TYPE_STRING, TYPE_TIMESTAMP,
        TYPE_TIMESTAMP_NTZ, TYPE_INTERVAL_YM, TYPE_INTERVAL_DT, TYPE_NULL, TYPE_VARIANT};
    static const uint8_t precisions[] = {1, 5, 9, 10, 18, 19, 25, 38};
    uint64_t kind = below(depth < 4 ? 24 : 18);
    if (kind < 17)
        return type_simple(simple[kind]);
    if (kind == 17) {
        unsigned precision = precisions[below(8)];
        return type_decimal(arena, precision, (unsigned)below(precision + 1));
    }
    if (kind < 20)
        return type_array(arena, random_type(arena, depth + 1), below(2));
    if (kind < 21)
        return type_map(arena, type_simple(below(2) ? TYPE_STRING : TYPE_INT), random_type(arena, depth + 1),
                        below(2));
    struct field fields[4];
    uint32_t count = 1 + (uint32_t)below(4);
    for (uint32_t i = 0; i < count; i++)
        fields[i] = (struct field){arena_printf(arena, "f%u", i), random_type(arena, depth + 1), below(3) > 0,
                                   NULL};
    return type_struct(arena, fields, count);
}

static int64_t random_int(unsigned bits)
{
    uint64_t v = rnd();
    unsigned use = 1 + (unsigned)below(bits);
    return (int64_t)(v << (64 - use)) >> (64 - use);
}

static double random_double(void)
{
    static const double odd[] = {0.0, -0.0, 1.5, -1e300, 5e-324, 1e300};
    uint64_t pick = below(12);
    if (pick < 6)
        return odd[pick];
    return pick == 6   ? (double)NAN
           : pick == 7 ? (double)INFINITY
           : pick == 8 ? -(double)INFINITY
                       : (double)random_int(40) / 16;
}

static void random_value(struct column_builder *b, bool nullable, unsigned spice);

static void random_text(struct column_builder *b, unsigned spice)
{
    static const char *const parts[] = {
        "a", "Zürich", "user_", "0123456789abcdef", "", "\xF0\x9F\x98\x80", "https://example.com/"};
    char text[400];
    size_t n = 0, pieces = spice % 3 == 0 ? below(2) : below(spice % 7 == 1 ? 18 : 4);
    for (size_t i = 0; i < pieces; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", parts[below(7)], below(3) ? "" : "x");
    if (spice % 5 == 2)
        n += (size_t)snprintf(text + n, sizeof text - n, "%llu", (unsigned long long)rnd());
    column_builder_str(b, str_n(text, n), true);
}

static void random_nested(struct column_builder *b, unsigned spice)
{
    const struct type *t = b->type;
    if (t->kind == TYPE_STRUCT) {
        for (uint32_t i = 0; i < t->field_count; i++)
            random_value(&b->children[i], t->fields[i].nullable, spice);
    } else if (t->kind == TYPE_VARIANT) {
        column_builder_str(&b->children[0], STR("\1\0\0"), true);
        column_builder_str(&b->children[1], below(2) ? STR("\x0C\5") : STR("\x14\1\2\3\4"), true);
    } else {
        uint64_t count = below(4) == 0 ? 0 : below(spice % 2 ? 3 : 9);
        for (uint64_t k = 0; k < count; k++)
            for (uint32_t i = 0; i < t->field_count; i++)
                random_value(&b->children[i], t->fields[i].nullable && !(t->kind == TYPE_MAP && i == 0),
                             spice);
    }
    column_builder_nested(b);
}

static void random_value(struct column_builder *b, bool nullable, unsigned spice)
{
    const struct type *t = b->type;
    if (t->kind == TYPE_NULL || (nullable && below(spice % 4 == 0 ? 100 : 5) == 0)) {
        column_builder_null(b);
        return;
    }
    switch (t->kind) {
    case TYPE_BOOLEAN: column_builder_bool(b, below(2)); break;
    case TYPE_BYTE: column_builder_i64(b, (int8_t)random_int(8)); break;
    case TYPE_SHORT: column_builder_i64(b, (int16_t)random_int(16)); break;
    case TYPE_INT:
    case TYPE_DATE:
    case TYPE_INTERVAL_YM: column_builder_i64(b, (int32_t)random_int(spice % 2 ? 6 : 32)); break;
    case TYPE_FLOAT: column_builder_f64(b, (double)(float)random_double()); break;
    case TYPE_DOUBLE: column_builder_f64(b, random_double()); break;
    case TYPE_DECIMAL: {
        i128 v = (i128)random_int(64) * ((i128)1 << (below(2) ? 0 : 60)) % decimal_pow10[t->precision];
        column_builder_decimal(b, v);
        break;
    }
    case TYPE_STRING: random_text(b, spice); break;
    case TYPE_BINARY: {
        uint64_t bytes[4] = {rnd(), rnd(), rnd(), rnd()};
        column_builder_str(b, str_n(bytes, below(33)), true);
        break;
    }
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_STRUCT:
    case TYPE_VARIANT: random_nested(b, spice); break;
    default: column_builder_i64(b, random_int(spice % 3 ? 12 : 64)); break;
    }
}

/* Some columns become constant or dictionary-encoded, with the same meaning or another: what counts is the
 * batch afterwards. */
static void encode_columns(struct batch *batch, unsigned spice)
{
    for (uint32_t i = 0; i < batch->schema->field_count && batch->rows > 0; i++) {
        struct column *c = &batch->columns[i];
        uint64_t pick = below(spice % 2 ? 3 : 8);
        if (c->type->kind == TYPE_NULL)
            continue;
        if (pick == 0) {
            uint32_t row = 0;
            struct column one = column_take(c, &row, 1, &batch->arena);
            one.encoding = COLUMN_CONSTANT;
            one.rows = batch->rows;
            *c = one;
        } else if (pick == 1) {
            struct column *dictionary = arena_new(&batch->arena, struct column);
            *dictionary = *c;
            uint32_t *indices = arena_array(&batch->arena, uint32_t, batch->rows);
            for (uint32_t k = 0; k < batch->rows; k++)
                indices[k] = (uint32_t)below(batch->rows);
            *c = (struct column){
                .type = dictionary->type, .encoding = COLUMN_DICTIONARY, .rows = batch->rows};
            c->indices = indices;
            c->dictionary = dictionary;
            if (batch->schema->fields[i].nullable && below(2)) {
                column_need_validity(c, &batch->arena);
                bit_clear(c->validity, (uint32_t)below(batch->rows));
            }
        }
    }
}

static struct batch *random_batch(const struct type *schema, uint32_t rows, unsigned spice)
{
    struct batch *batch = batch_new();
    struct batch_builder b;
    batch_builder_init(&b, batch, schema);
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t c = 0; c < schema->field_count; c++)
            random_value(&b.columns[c], schema->fields[c].nullable, spice + c);
    batch_builder_finish(&b);
    encode_columns(batch, spice);
    return batch;
}

/* Equal to the bit: NaN is NaN, −0.0 is not 0.0. */
static bool same_value(const struct value *a, const struct value *b)
{
    if (a->is_null || b->is_null)
        return a->is_null == b->is_null;
    switch (a->type->kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return (a->f64 == b->f64 && signbit(a->f64) == signbit(b->f64)) ||
               (a->f64 != a->f64 && b->f64 != b->f64);
    case TYPE_VARIANT: return str_eq(a->str, b->str) && str_eq(a->metadata, b->metadata);
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_STRUCT: {
        uint32_t n = a->nested.count * (a->type->kind == TYPE_MAP ? 2 : 1);
        if (a->nested.count != b->nested.count)
            return false;
        for (uint32_t i = 0; i < n; i++)
            if (!same_value(&a->nested.items[i], &b->nested.items[i]))
                return false;
        return true;
    }
    case TYPE_BOOLEAN:
    case TYPE_STRING:
    case TYPE_BINARY:
    case TYPE_DECIMAL: return value_cmp(a, b) == 0;
    default: return a->i64 == b->i64; /* intervals come back as integers, unless they are asked for */
    }
}

/* ---- the round trip -------------------------------------------------------------------------------- */

/* What is expected of a file: rows in order, as (batch, row). */
struct expected {
    struct batch **batches;
    size_t batch_count, batch_capacity;
    struct {
        const struct batch *batch;
        uint32_t row;
    } * rows;
    size_t count, capacity;
};

static void expect_row(struct expected *e, const struct batch *batch, uint32_t row)
{
    e->rows = mem_grow(e->rows, &e->capacity, e->count + 1, sizeof *e->rows);
    e->rows[e->count].batch = batch;
    e->rows[e->count++].row = row;
}

static void expected_fini(struct expected *e)
{
    for (size_t i = 0; i < e->batch_count; i++)
        batch_free(e->batches[i]);
    mem_free(e->batches);
    mem_free(e->rows);
}

static struct parquet_writer_options random_options(void)
{
    static const uint32_t group_rows[] = {0, 1, 7, 500, 3000}, page_rows[] = {0, 1, 13, 400};
    static const size_t group_bytes[] = {0, 4096, 100000}, page_bytes[] = {0, 1, 200, 5000},
                        dictionary_bytes[] = {0, 1, 300, 5000};
    struct parquet_writer_options o = PARQUET_WRITER_OPTIONS;
    o.codec = (enum codec)below(CODEC_COUNT);
    o.row_group_rows = group_rows[below(5)];
    o.row_group_bytes = group_bytes[below(3)];
    o.page_rows = page_rows[below(4)];
    o.page_bytes = page_bytes[below(4)];
    o.dictionary_bytes = dictionary_bytes[below(4)];
    o.encoding = (enum parquet_encoding)below(PARQUET_SPLIT + 1);
    o.no_statistics = below(6) == 0;
    o.no_page_index = below(4) == 0;
    o.page_checksums = below(2);
    o.plain_fallback = below(3) == 0;
    return o;
}

static void write_batches(struct parquet_writer *w, struct expected *e, const struct type *schema,
                          unsigned spice)
{
    struct err err;
    uint64_t count = 1 + below(4);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t rows = (uint32_t)below(i == 0 ? 2500 : 300);
        struct batch *batch = random_batch(schema, rows, spice);
        EXPECT(batch_check(batch, &err));
        e->batches = mem_grow(e->batches, &e->batch_capacity, e->batch_count + 1, sizeof(struct batch *));
        e->batches[e->batch_count++] = batch;
        if (below(3) == 0 && rows > 0) {
            uint32_t n = (uint32_t)below(rows) + 1, *pick = arena_array(&batch->arena, uint32_t, n);
            for (uint32_t k = 0; k < n; k++)
                expect_row(e, batch, pick[k] = (uint32_t)below(rows));
            EXPECT(parquet_writer_batch(w, batch, pick, 0, n, &err));
        } else {
            uint32_t first = rows ? (uint32_t)below(rows) / 2 : 0;
            for (uint32_t k = first; k < rows; k++)
                expect_row(e, batch, k);
            EXPECT(parquet_writer_batch(w, batch, NULL, first, rows - first, &err));
        }
        if (below(5) == 0)
            EXPECT(parquet_writer_flush(w, &err));
    }
}

static void check_batch(const struct batch *got, const struct expected *e, int64_t first)
{
    struct arena arena = {0};
    struct err err;
    if (!EXPECT(batch_check(got, &err)))
        fprintf(stderr, "%s\n", err.text);
    for (uint32_t i = 0; i < got->rows; i++)
        for (uint32_t c = 0; c < got->schema->field_count; c++) {
            const struct batch *from = e->rows[first + i].batch;
            struct value want = column_value(&from->columns[c], e->rows[first + i].row, &arena);
            struct value have = column_value(&got->columns[c], i, &arena);
            if (!EXPECT(same_value(&want, &have))) {
                fprintf(stderr, "row %lld, column %u of kind %d\n", (long long)first + i, c,
                        got->schema->fields[c].type->kind);
                arena_fini(&arena);
                return;
            }
        }
    arena_fini(&arena);
}

static void read_back(struct sbuf *bytes, const struct type *schema, const struct expected *e)
{
    static const uint32_t batch_rows[] = {0, 1, 17, 1000, 1 << 20};
    struct err err;
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_file *file = open_file(pool, bytes);
    struct parquet_scan_options o = {.batch_rows = batch_rows[below(5)], .read_bytes = below(2) ? 5000 : 0};
    o.no_dictionaries = below(4) == 0;
    bool end = file == NULL;
    int64_t rows = 0;
    if (!EXPECT(file != NULL))
        return;
    if (schema->kind == TYPE_STRUCT && below(2))
        o.columns = schema;
    EXPECT_EQ_INT(parquet_rows(file), e->count);
    struct parquet_scan *scan = parquet_scan_new(pool, file, &o, &err);
    struct batch *batch = batch_new();
    while (EXPECT(scan != NULL) && !end) {
        if (!EXPECT(parquet_scan_next(scan, batch, &end, &err))) {
            fprintf(stderr, "%s\n", err.text);
            break;
        }
        if (end || !EXPECT(rows + batch->rows <= (int64_t)e->count && batch->rows > 0))
            break;
        EXPECT_EQ_INT(parquet_scan_row(scan), rows);
        check_batch(batch, e, rows);
        rows += batch->rows;
    }
    EXPECT_EQ_INT(rows, e->count);
    batch_free(batch);
    pool_free(pool);
}

/* Of one top-level or struct field, against all of its values. */
static void check_field_stats(const struct parquet_field_stats *s, const struct value *values, size_t count,
                              bool has_bounds)
{
    int64_t nulls = 0, nans = 0;
    struct value min = {0}, max = {0};
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const struct value *v = &values[i];
        bool is_float = v->type->kind == TYPE_FLOAT || v->type->kind == TYPE_DOUBLE;
        nulls += v->is_null;
        if (!v->is_null && is_float && v->f64 != v->f64)
            nans++;
        else if (!v->is_null && !type_is_nested(v->type)) {
            min = !any || value_cmp(v, &min) < 0 ? *v : min;
            max = !any || value_cmp(v, &max) > 0 ? *v : max;
            any = true;
        }
    }
    EXPECT_EQ_INT(s->null_count, nulls);
    bool is_ordered = !type_is_nested(s->field->type) && s->field->type->kind != TYPE_VARIANT;
    if (is_ordered && has_bounds) {
        EXPECT_EQ_INT(s->nan_count, nans);
        EXPECT_EQ_INT(s->has_bounds, any);
        if (any && s->has_bounds) {
            EXPECT_EQ_INT(value_cmp(&s->min, &min), 0);
            EXPECT_EQ_INT(value_cmp(&s->max, &max), 0);
        }
    }
    for (uint32_t k = 0; k < s->child_count; k++) {
        struct value *children = mem_new((count + 1) * sizeof *children);
        for (size_t i = 0; i < count; i++)
            children[i] = values[i].is_null ? value_null(s->children[k].field->type)
                                            : values[i].nested.items[k];
        check_field_stats(&s->children[k], children, count, has_bounds);
        mem_free(children);
    }
}

static void check_stats(const struct parquet_file_stats *s, const struct type *schema,
                        const struct expected *e, bool has_bounds)
{
    struct arena arena = {0};
    struct value *values = mem_new((e->count + 1) * sizeof *values);
    EXPECT_EQ_INT(s->rows, e->count);
    EXPECT_EQ_INT(s->field_count, schema->field_count);
    for (uint32_t c = 0; c < schema->field_count; c++) {
        for (size_t i = 0; i < e->count; i++)
            values[i] = column_value(&e->rows[i].batch->columns[c], e->rows[i].row, &arena);
        check_field_stats(&s->fields[c], values, e->count, has_bounds);
    }
    mem_free(values);
    arena_fini(&arena);
}

static void leave_file(const struct sbuf *bytes, unsigned number)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%04u.parquet", keep_folder, number);
    FILE *f = fopen(path, "wb");
    if (!EXPECT(f != NULL && fwrite(bytes->p, 1, bytes->n, f) == bytes->n))
        return;
    fclose(f);
}

static const struct type *random_schema(struct arena *arena)
{
    struct field fields[6];
    uint32_t count = 1 + (uint32_t)below(6);
    for (uint32_t i = 0; i < count; i++) {
        fields[i] = (struct field){arena_printf(arena, "c%u", i), random_type(arena, 0), below(4) > 0, NULL};
        fields[i].nullable = fields[i].nullable || fields[i].type->kind == TYPE_NULL;
    }
    return type_struct(arena, fields, count);
}

TEST(random_tables_come_back)
{
    struct err err;
    for (unsigned i = 0; i < (keep_folder ? 400u : 150u) && !test_is_bad; i++) {
        seed = i * 7919 + 1;
        rnd();
        struct arena arena = {0};
        const struct type *schema = random_schema(&arena);
        struct parquet_writer_options o = random_options();
        struct sbuf bytes = {0};
        struct parquet_writer *w = parquet_writer_new(NULL, schema, &o, (struct parquet_output){put, &bytes},
                                                      &err);
        if (!EXPECT(w != NULL))
            break;
        for (int round = 0; round < 2; round++) { /* the second with the first's memory */
            struct expected e = {0};
            struct parquet_file_stats stats;
            sbuf_clear(&bytes);
            write_batches(w, &e, schema, i);
            EXPECT(parquet_writer_finish(w, &stats, &err));
            EXPECT_EQ_INT(stats.bytes, bytes.n);
            check_stats(&stats, schema, &e, !o.no_statistics);
            read_back(&bytes, schema, &e);
            if (keep_folder)
                leave_file(&bytes, i * 2 + (unsigned)round);
            expected_fini(&e);
            parquet_writer_restart(w, (struct parquet_output){put, &bytes});
        }
        if (test_is_bad)
            fprintf(stderr, "table %u\n", i);
        parquet_writer_free(w);
        sbuf_fini(&bytes);
        arena_fini(&arena);
    }
}

/* ---- helpers of the tests below -------------------------------------------------------------------- */

static const struct type *ddl(struct arena *arena, const char *text)
{
    struct err err;
    const struct type *schema = NULL;
    if (!type_parse_ddl(arena, str_of(text), &schema, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return schema;
}

/* Writes one batch with the options. */
static void write_one(struct sbuf *out, const struct batch *batch, const struct parquet_writer_options *o)
{
    struct err err;
    struct parquet_writer *w = parquet_writer_new(NULL, batch->schema, o, (struct parquet_output){put, out},
                                                  &err);
    EXPECT(w && parquet_writer_batch(w, batch, NULL, 0, batch->rows, &err) &&
           parquet_writer_finish(w, NULL, &err));
    parquet_writer_free(w);
}

static struct batch *long_batch(const struct type *schema, uint32_t rows,
                                int64_t (*value)(uint32_t row, uint32_t column))
{
    struct batch *batch = batch_new();
    struct batch_builder b;
    batch_builder_init(&b, batch, schema);
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t c = 0; c < schema->field_count; c++)
            column_builder_i64(&b.columns[c], value(i, c));
    batch_builder_finish(&b);
    return batch;
}

static int64_t row_and_column(uint32_t row, uint32_t column)
{
    return (int64_t)row * 10 + column;
}

static int64_t i64_at(const struct batch *batch, uint32_t column, uint32_t row)
{
    struct arena none = {0};
    struct value v = column_value(&batch->columns[column], row, &none);
    return v.is_null ? INT64_MIN : v.i64;
}

/* ---- writing --------------------------------------------------------------------------------------- */

TEST(null_in_a_required_field_is_refused)
{
    struct arena arena = {0};
    struct err err;
    struct sbuf bytes = {0};
    const struct type *schema = ddl(&arena, "a INT, s STRUCT<b: INT NOT NULL>");
    struct batch *batch = batch_new();
    struct batch_builder b;
    batch_builder_init(&b, batch, schema);
    column_builder_null(&b.columns[0]);
    column_builder_null(&b.columns[1].children[0]);
    column_builder_nested(&b.columns[1]);
    batch_builder_finish(&b);
    struct parquet_writer_options o = PARQUET_WRITER_OPTIONS;
    struct parquet_writer *w = parquet_writer_new(NULL, schema, &o, (struct parquet_output){put, &bytes},
                                                  &err);
    EXPECT(!parquet_writer_batch(w, batch, NULL, 0, 1, &err));
    EXPECT_EQ_INT(err.class, ERR_DATA);
    EXPECT(strstr(err.text, "\"b\"") && strstr(err.text, "\"s\""));
    parquet_writer_free(w);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

TEST(types_that_have_no_place_are_refused)
{
    struct err err;
    struct arena arena = {0};
    struct field f = {"s", type_struct(&arena, NULL, 0), true, NULL};
    struct parquet_writer_options o = PARQUET_WRITER_OPTIONS;
    EXPECT(parquet_writer_new(NULL, type_struct(&arena, &f, 1), &o, (struct parquet_output){put, NULL},
                              &err) == NULL);
    EXPECT_EQ_INT(err.class, ERR_CONFIG);
    EXPECT(parquet_writer_new(NULL, type_struct(&arena, NULL, 0), &o, (struct parquet_output){put, NULL},
                              &err) == NULL);
    arena_fini(&arena);
}

static bool put_some(void *arg, const void *p, size_t n, struct err *err)
{
    int *left = arg;
    (void)p, (void)n;
    return (*left)-- > 0 || err_set(err, ERR_RETRY, "the disk is full");
}

TEST(an_error_of_the_output_comes_through)
{
    struct err err;
    struct arena arena = {0};
    const struct type *schema = ddl(&arena, "a LONG, b LONG");
    struct batch *batch = long_batch(schema, 5000, row_and_column);
    struct parquet_writer_options o = {.row_group_rows = 1000};
    for (int most = 0; most < 40; most++) {
        int left = most;
        struct err again;
        struct parquet_writer *w = parquet_writer_new(NULL, schema, &o,
                                                      (struct parquet_output){put_some, &left}, &err);
        bool done = parquet_writer_batch(w, batch, NULL, 0, 5000, &err) &&
                    parquet_writer_finish(w, NULL, &err);
        EXPECT(done || (!parquet_writer_finish(w, NULL, &again) && again.class == ERR_FATAL));
        EXPECT(done == (most >= 32) &&
               (done || err.class == ERR_RETRY)); /* magic, 10 chunks, 20 indexes, footer */
        if (done != (most >= 32))
            fprintf(stderr, "%d writes\n", most);
        parquet_writer_free(w);
    }
    batch_free(batch);
    arena_fini(&arena);
}

TEST(dropped_columns_are_not_stored)
{
    struct err err;
    struct arena arena = {0};
    struct sbuf bytes = {0};
    const struct type *schema = ddl(&arena, "a LONG, p LONG, b LONG");
    struct batch *batch = long_batch(schema, 10, row_and_column);
    const bool drop[] = {false, true, false};
    struct parquet_writer_options o = {.drop = drop};
    write_one(&bytes, batch, &o);
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_file *file = open_file(pool, &bytes);
    EXPECT_EQ_INT(parquet_schema(file)->field_count, 2);
    EXPECT_STR(parquet_schema(file)->fields[1].name, "b");
    struct parquet_scan_options scan_options = {.columns = schema};
    struct parquet_scan *scan = parquet_scan_new(pool, file, &scan_options, &err);
    bool end;
    struct batch *got = batch_new();
    EXPECT(parquet_scan_next(scan, got, &end, &err) && !end);
    EXPECT_EQ_INT(i64_at(got, 1, 3), INT64_MIN);
    EXPECT_EQ_INT(i64_at(got, 2, 3), 32);
    batch_free(got);
    pool_free(pool);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

TEST(names_ids_and_metadata_are_written_and_found)
{
    struct err err;
    struct arena arena = {0};
    struct sbuf bytes = {0};
    const struct type *schema = ddl(&arena, "a LONG, s STRUCT<x: LONG>, l ARRAY<LONG>");
    struct batch *batch = random_batch(schema, 20, 0);
    const struct parquet_name x[] = {{"col-7", 7, NULL}}, element[] = {{NULL, 9, NULL}};
    const struct parquet_name names[] = {{"col-1", 1, NULL}, {"col-2", 2, x}, {NULL, 3, element}};
    const struct parquet_key_value pairs[] = {{STR("k"), STR("v")}, {STR("empty"), {NULL, 0}}};
    struct parquet_writer_options o = {
        .names = names, .key_values = pairs, .key_value_count = 2, .created_by = "test version 1"};
    write_one(&bytes, batch, &o);
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_file *file = open_file(pool, &bytes);
    EXPECT_STR(parquet_schema(file)->fields[1].name, "col-2");
    EXPECT_STR(parquet_schema(file)->fields[1].type->fields[0].name, "col-7");
    const struct parquet_name *have = parquet_names(file);
    EXPECT(have[0].id == 1 && have[1].children[0].id == 7 && have[2].children[0].id == 9);
    EXPECT(str_is(*parquet_metadata(file, STR("k")), "v") && parquet_metadata(file, STR("z")) == NULL);
    EXPECT(str_is(parquet_created_by(file), "test version 1"));
    /* By id the names do not matter; by name the physical ones count. */
    const struct type *renamed = ddl(&arena, "was_a LONG, t STRUCT<y: LONG, new: STRING>, gone DOUBLE");
    const struct parquet_name y[] = {{NULL, 7, NULL}, {NULL, 77, NULL}};
    const struct parquet_name wanted[] = {{NULL, 1, NULL}, {NULL, 2, y}, {NULL, 99, NULL}};
    struct parquet_scan_options by_id = {.columns = renamed, .names = wanted};
    struct parquet_scan *scan = parquet_scan_new(pool, file, &by_id, &err);
    struct batch *got = batch_new();
    bool end;
    EXPECT(parquet_scan_next(scan, got, &end, &err) && batch_check(got, &err));
    for (uint32_t i = 0; i < 20; i++) {
        struct value s = column_value(&batch->columns[1], i, &arena),
                     t = column_value(&got->columns[1], i, &arena);
        EXPECT_EQ_INT(i64_at(got, 0, i), i64_at(batch, 0, i));
        EXPECT_EQ_INT(s.is_null, t.is_null);
        EXPECT(s.is_null ||
               (same_value(&s.nested.items[0], &t.nested.items[0]) && t.nested.items[1].is_null));
        EXPECT(column_is_null(&got->columns[2], i));
    }
    struct parquet_scan_options nocase = {.columns = ddl(&arena, "`COL-1` LONG"), .nocase = true};
    scan = parquet_scan_new(pool, file, &nocase, &err);
    EXPECT(parquet_scan_next(scan, got, &end, &err) && i64_at(got, 0, 5) == i64_at(batch, 0, 5));
    batch_free(got);
    pool_free(pool);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

/* A field that a struct gained later is NULL in older files, inside lists too, and where nothing else of the
 * struct is wanted. */
TEST(fields_that_came_later_are_null_at_every_depth)
{
    struct err err;
    struct arena arena = {0};
    struct sbuf bytes = {0};
    const struct type *schema = ddl(
        &arena, "s STRUCT<a: INT, b: STRING>, l ARRAY<STRUCT<x: INT, m: MAP<STRING, INT>>>");
    const struct type *wanted = ddl(
        &arena, "l ARRAY<STRUCT<new: STRUCT<q: INT>, x: INT>>, s STRUCT<c: DOUBLE>, n ARRAY<INT>");
    struct batch *batch = random_batch(schema, 500, 4), *got = batch_new();
    struct parquet_writer_options o = PARQUET_WRITER_OPTIONS;
    write_one(&bytes, batch, &o);
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_scan_options so = {.columns = wanted, .batch_rows = 77};
    struct parquet_scan *scan = parquet_scan_new(pool, open_file(pool, &bytes), &so, &err);
    bool end;
    uint32_t row = 0;
    while (EXPECT(parquet_scan_next(scan, got, &end, &err)) && !end) {
        EXPECT(batch_check(got, &err));
        for (uint32_t i = 0; i < got->rows; i++, row++) {
            struct value s = column_value(&batch->columns[0], row, &arena),
                         t = column_value(&got->columns[1], i, &arena);
            struct value l = column_value(&batch->columns[1], row, &arena),
                         k = column_value(&got->columns[0], i, &arena);
            EXPECT(s.is_null == t.is_null && (t.is_null || t.nested.items[0].is_null));
            EXPECT(l.is_null == k.is_null && (l.is_null || l.nested.count == k.nested.count));
            for (uint32_t e = 0; !l.is_null && e < l.nested.count; e++) {
                const struct value *x = &l.nested.items[e], *y = &k.nested.items[e];
                EXPECT(x->is_null == y->is_null);
                EXPECT(x->is_null ||
                       (y->nested.items[0].is_null && same_value(&x->nested.items[0], &y->nested.items[1])));
            }
            EXPECT(column_is_null(&got->columns[2], i));
        }
    }
    EXPECT_EQ_INT(row, 500);
    batch_free(got);
    pool_free(pool);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

/* ---- statistics ------------------------------------------------------------------------------------ */

struct bounds_seen {
    struct parquet_bounds b[8];
    uint32_t groups, path[2], depth;
    bool found[8];
};

static bool see(void *arg, const struct parquet_group *group)
{
    struct bounds_seen *s = arg;
    s->found[group->index] = parquet_group_bounds(group, s->path, s->depth, &s->b[group->index]);
    s->groups++;
    return true;
}

static struct bounds_seen bounds_of(struct pool *pool, struct sbuf *bytes, const struct type *want,
                                    uint32_t column)
{
    struct err err;
    struct bounds_seen seen = {.path = {column}, .depth = 1};
    struct parquet_file *file = open_file(pool, bytes);
    struct parquet_scan_options o = {.columns = want, .keep = see, .arg = &seen};
    struct parquet_scan *scan = parquet_scan_new(pool, file, &o, &err);
    struct batch *got = batch_new();
    bool end = false;
    while (scan && !end && EXPECT(parquet_scan_next(scan, got, &end, &err)))
        ;
    batch_free(got);
    return seen;
}

TEST(not_a_number_and_zeros_have_their_rules)
{
    struct arena arena = {0};
    struct pool *pool = pool_new(NULL, "test");
    struct sbuf bytes = {0};
    const struct type *schema = ddl(&arena, "d DOUBLE");
    struct batch *batch = batch_new();
    struct batch_builder b;
    batch_builder_init(&b, batch, schema);
    const double values[] = {0.0, 0.0, -0.0, -0.0, (double)NAN, (double)NAN, 1.0, (double)NAN};
    for (int i = 0; i < 8; i++)
        column_builder_f64(&b.columns[0], values[i]);
    batch_builder_finish(&b);
    struct parquet_writer_options o = {.row_group_rows = 2};
    write_one(&bytes, batch, &o);
    struct bounds_seen seen = bounds_of(pool, &bytes, schema, 0);
    EXPECT_EQ_INT(seen.groups, 4);
    EXPECT_EQ_DOUBLE(seen.b[0].min.f64, -0.0);
    EXPECT_EQ_DOUBLE(seen.b[0].max.f64, 0.0);
    EXPECT_EQ_DOUBLE(seen.b[1].min.f64, -0.0);
    EXPECT_EQ_DOUBLE(seen.b[1].max.f64, 0.0);
    EXPECT(!seen.b[2].has_min && !seen.b[2].has_max && seen.b[2].has_nulls);
    EXPECT(!seen.b[3].has_min && !seen.b[3].has_max); /* 1.0 beside NaN: no bound is everybody's */
    pool_free(pool);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

TEST(long_texts_have_cut_bounds_that_hold)
{
    struct arena arena = {0};
    struct pool *pool = pool_new(NULL, "test");
    struct sbuf bytes = {0};
    const struct type *schema = ddl(&arena, "s STRING, b BINARY");
    struct batch *batch = batch_new();
    struct batch_builder b;
    char ascii[200], wide[400], last[400], ones[200];
    memset(ascii, 'a', sizeof ascii);
    memset(ones, 0xFF, sizeof ones);
    for (int i = 0; i < 100; i++) {
        memcpy(wide + 4 * i, "\xF4\x8F\xBF\xBF", 4); /* U+10FFFF: nothing is greater */
        memcpy(last + 4 * i, i == 10 ? "\xED\x9F\xBFx" : "\xF4\x8F\xBF\xBF", 4);
    }
    const struct str texts[] = {str_n(ascii, 200), str_n(wide, 400), str_n(last, 400), str_n(ascii, 64)};
    batch_builder_init(&b, batch, schema);
    for (int i = 0; i < 4; i++) {
        column_builder_str(&b.columns[0], texts[i], true);
        column_builder_str(&b.columns[1], i == 1 ? str_n(ones, 200) : str_n(ascii, 100), true);
    }
    batch_builder_finish(&b);
    struct parquet_writer_options o = {.row_group_rows = 1};
    write_one(&bytes, batch, &o);
    struct bounds_seen seen = bounds_of(pool, &bytes, schema, 0);
    for (int i = 0; i < 4; i++) {
        EXPECT(!seen.b[i].has_min || str_cmp(seen.b[i].min.str, texts[i]) <= 0);
        EXPECT(!seen.b[i].has_max || str_cmp(seen.b[i].max.str, texts[i]) >= 0);
        EXPECT(!seen.b[i].has_max || seen.b[i].max.str.n <= PARQUET_STAT_BYTES);
    }
    EXPECT(seen.b[0].has_max && seen.b[0].max.str.p[63] == 'b');
    EXPECT(!seen.b[1].has_max);
    EXPECT(seen.b[2].has_max && seen.b[3].has_max && str_eq(seen.b[3].max.str, texts[3]));
    seen = bounds_of(pool, &bytes, schema, 1);
    EXPECT(seen.b[0].has_max && !seen.b[1].has_max);
    pool_free(pool);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

static bool keep_over_250(void *arg, const struct parquet_group *group)
{
    struct parquet_bounds b;
    uint32_t path[] = {0};
    (void)arg;
    return !parquet_group_bounds(group, path, 1, &b) || !b.has_max || b.max.i64 > 250;
}

TEST(row_groups_are_skipped_and_rows_still_count)
{
    struct err err;
    struct arena arena = {0};
    struct sbuf bytes = {0};
    const struct type *schema = ddl(&arena, "a LONG");
    struct batch *batch = long_batch(schema, 100, row_and_column);
    struct parquet_writer_options o = {.row_group_rows = 10};
    write_one(&bytes, batch, &o);
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_file *file = open_file(pool, &bytes);
    EXPECT_EQ_INT(parquet_row_groups(file), 10);
    struct parquet_scan_options so = {.keep = keep_over_250, .batch_rows = 7};
    struct parquet_scan *scan = parquet_scan_new(pool, file, &so, &err);
    struct batch *got = batch_new();
    bool end;
    for (int64_t row = 20; EXPECT(parquet_scan_next(scan, got, &end, &err)) && !end; row += got->rows) {
        EXPECT_EQ_INT(parquet_scan_row(scan), row);
        EXPECT_EQ_INT(i64_at(got, 0, 0), row * 10);
    }
    struct parquet_scan_options part = {.first_group = 3, .group_count = 2};
    int64_t rows = 0;
    scan = parquet_scan_new(pool, file, &part, &err);
    for (; EXPECT(parquet_scan_next(scan, got, &end, &err)) && !end; rows += got->rows)
        EXPECT_EQ_INT(i64_at(got, 0, 0), 300 + rows * 10);
    EXPECT_EQ_INT(rows, 20);
    batch_free(got);
    pool_free(pool);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

/* Reads an index of a chunk through the tables. */
static bool read_index(struct sbuf *bytes, int64_t offset, int32_t length, const struct thrift_struct *table,
                       void *out, struct arena *arena)
{
    struct err err;
    struct rd r = rd_of(bytes->p + offset, (size_t)length);
    return EXPECT(thrift_read(&r, table, out, arena, &err)) && EXPECT_EQ_INT(rd_left(&r), 0);
}

TEST(page_indexes_describe_the_pages)
{
    struct arena arena = {0};
    struct sbuf bytes = {0};
    const struct type *schema = ddl(&arena, "a LONG, b LONG");
    struct batch *batch = long_batch(schema, 1000, row_and_column);
    struct parquet_writer_options o = {.page_rows = 64, .row_group_rows = 500, .encoding = PARQUET_PLAIN};
    write_one(&bytes, batch, &o);
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_file *file = open_file(pool, &bytes);
    const struct pq_row_group *groups = file->meta.row_groups.items;
    for (uint32_t g = 0; g < 2; g++) {
        const struct pq_column_chunk *c = (const struct pq_column_chunk *)groups[g].columns.items + 1;
        struct pq_offset_index offsets = {0};
        struct pq_column_index columns = {0};
        if (!read_index(&bytes, c->offset_index_offset, c->offset_index_length, &pq_offset_index_table,
                        &offsets, &arena) ||
            !read_index(&bytes, c->column_index_offset, c->column_index_length, &pq_column_index_table,
                        &columns, &arena))
            break;
        EXPECT_EQ_INT(offsets.locations.count, 8);
        EXPECT_EQ_INT(columns.boundary_order, PQ_ASCENDING);
        const struct pq_page_location *at = offsets.locations.items;
        const struct str *mins = columns.min_values.items;
        for (uint32_t i = 0; i < 8; i++) {
            struct pq_page_header h = {0};
            struct err err;
            struct rd r = rd_of(bytes.p + at[i].offset, (size_t)at[i].compressed_page_size);
            EXPECT(thrift_read(&r, &pq_page_header_table, &h, &arena, &err));
            EXPECT_EQ_INT(rd_left(&r), h.compressed_size);
            EXPECT_EQ_INT(at[i].first_row_index, i * 64);
            EXPECT_EQ_INT((int64_t)get_le64(mins[i].p), (g * 500 + i * 64) * 10 + 1);
        }
    }
    pool_free(pool);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

/* ---- reading as another type ----------------------------------------------------------------------- */

static bool reads_as(const char *from, const char *to, int64_t value, struct value *out, struct arena *arena)
{
    struct err err;
    struct sbuf bytes = {0};
    const struct type *schema = ddl(arena, from);
    struct batch *batch = batch_new();
    struct batch_builder b;
    batch_builder_init(&b, batch, schema);
    enum type_kind kind = schema->fields[0].type->kind;
    if (kind == TYPE_DECIMAL)
        column_builder_decimal(&b.columns[0], value);
    else if (kind == TYPE_FLOAT || kind == TYPE_DOUBLE)
        column_builder_f64(&b.columns[0], (double)value);
    else if (kind == TYPE_STRING || kind == TYPE_BINARY)
        column_builder_str(&b.columns[0], STR("text that is long enough"), true);
    else
        column_builder_i64(&b.columns[0], value);
    batch_builder_finish(&b);
    struct parquet_writer_options o = {0};
    write_one(&bytes, batch, &o);
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_scan_options so = {.columns = ddl(arena, to)};
    struct parquet_scan *scan = parquet_scan_new(pool, open_file(pool, &bytes), &so, &err);
    struct batch *got = batch_new();
    bool end, done = scan != NULL;
    if (done && EXPECT(parquet_scan_next(scan, got, &end, &err)) && EXPECT(batch_check(got, &err)))
        *out = column_value(&got->columns[0], 0, arena);
    if (done && (kind == TYPE_STRING || kind == TYPE_BINARY))
        out->str = str_of(str_dup(arena, out->str));
    batch_free(got);
    pool_free(pool);
    batch_free(batch);
    sbuf_fini(&bytes);
    return done;
}

TEST(types_widen_and_do_not_narrow)
{
    struct arena arena = {0};
    struct value v = {0};
    EXPECT(reads_as("a BYTE", "a SHORT", -5, &v, &arena) && v.i64 == -5);
    EXPECT(reads_as("a BYTE", "a LONG", -5, &v, &arena) && v.i64 == -5);
    EXPECT(reads_as("a INT", "a LONG", INT32_MIN, &v, &arena) && v.i64 == INT32_MIN);
    EXPECT(reads_as("a INT", "a DOUBLE", -7, &v, &arena) && v.f64 == -7);
    EXPECT(reads_as("a FLOAT", "a DOUBLE", 3, &v, &arena) && v.f64 == 3);
    EXPECT(reads_as("a INT", "a DECIMAL(12,2)", -7, &v, &arena) && v.decimal == -700);
    EXPECT(reads_as("a LONG", "a DECIMAL(38,10)", 5, &v, &arena) && v.decimal == INT64_C(50000000000));
    EXPECT(reads_as("a DECIMAL(5,2)", "a DECIMAL(7,3)", 12345, &v, &arena) && v.decimal == 123450);
    EXPECT(reads_as("a DECIMAL(12,2)", "a DECIMAL(30,2)", -12345, &v, &arena) && v.decimal == -12345);
    EXPECT(reads_as("a DECIMAL(25,2)", "a DECIMAL(38,4)", -12345, &v, &arena) && v.decimal == -1234500);
    EXPECT(reads_as("a DATE", "a TIMESTAMP_NTZ", -1, &v, &arena) && v.i64 == INT64_C(-86400000000));
    EXPECT(reads_as("a TIMESTAMP", "a TIMESTAMP_NTZ", 77, &v, &arena) && v.i64 == 77);
    EXPECT(reads_as("a TIMESTAMP", "a LONG", 77, &v, &arena) && v.i64 == 77);
    EXPECT(reads_as("a STRING", "a BINARY", 0, &v, &arena) && str_is(v.str, "text that is long enough"));
    EXPECT(!reads_as("a LONG", "a INT", 5, &v, &arena));
    EXPECT(!reads_as("a SHORT", "a BYTE", 5, &v, &arena));
    EXPECT(!reads_as("a DOUBLE", "a FLOAT", 5, &v, &arena));
    EXPECT(!reads_as("a DECIMAL(7,3)", "a DECIMAL(7,2)", 5, &v, &arena));
    EXPECT(!reads_as("a DECIMAL(7,3)", "a DECIMAL(7,4)", 5, &v, &arena));
    EXPECT(!reads_as("a LONG", "a DOUBLE", 5, &v, &arena));
    EXPECT(!reads_as("a STRING", "a INT", 5, &v, &arena));
    EXPECT(!reads_as("a INT", "a STRUCT<b: INT>", 5, &v, &arena));
    EXPECT(!reads_as("a DATE", "a TIMESTAMP", 5, &v, &arena));
    arena_fini(&arena);
}

/* ---- strings --------------------------------------------------------------------------------------- */

TEST(strings_stay_dictionaries_and_live_with_the_batch)
{
    struct err err;
    struct arena arena = {0};
    struct sbuf bytes = {0};
    const struct type *schema = ddl(&arena, "s STRING, t STRING");
    struct batch *batch = batch_new(), *first = batch_new(), *second = batch_new();
    struct batch_builder b;
    batch_builder_init(&b, batch, schema);
    char text[64];
    for (int i = 0; i < 8000; i++) {
        snprintf(text, sizeof text, "one of a few long texts: %d", i % 7);
        column_builder_str(&b.columns[0], str_of(text), true);
        snprintf(text, sizeof text, "every one of these is another: %d", i);
        column_builder_str(&b.columns[1], str_of(text), true);
    }
    batch_builder_finish(&b);
    struct parquet_writer_options o = PARQUET_WRITER_OPTIONS;
    write_one(&bytes, batch, &o);
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_scan *scan = parquet_scan_new(pool, open_file(pool, &bytes), NULL, &err);
    bool end;
    EXPECT(parquet_scan_next(scan, first, &end, &err) && parquet_scan_next(scan, second, &end, &err));
    parquet_scan_free(scan); /* its memory is gone; the batches' bytes are not */
    EXPECT_EQ_INT(first->columns[0].encoding, COLUMN_DICTIONARY);
    EXPECT_EQ_INT(first->columns[0].dictionary->rows, 7);
    EXPECT_EQ_INT(first->columns[1].encoding, COLUMN_FLAT);
    EXPECT_EQ_INT(first->rows + second->rows, 8000);
    struct batch *const batches[] = {first, second};
    for (uint32_t k = 0, row = 0; k < 2; k++)
        for (uint32_t i = 0; i < batches[k]->rows; i++, row++)
            for (uint32_t c = 0; c < 2; c++) {
                struct value want = column_value(&batch->columns[c], row, &arena);
                struct value have = column_value(&batches[k]->columns[c], i, &arena);
                EXPECT(same_value(&want, &have));
            }
    pool_free(pool);
    batch_free(first);
    batch_free(second);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

TEST(bytes_that_are_no_text_are_repaired_when_text_is_wanted)
{
    struct err err;
    struct arena arena = {0};
    const struct type *schema = ddl(&arena, "s BINARY");
    struct batch *batch = batch_new(), *got = batch_new();
    struct batch_builder b;
    batch_builder_init(&b, batch, schema);
    for (int i = 0; i < 50; i++)
        column_builder_str(&b.columns[0],
                           i % 2 ? STR("gr\xFC\xDF") : STR("a longer text, with one \x80 in it"), true);
    batch_builder_finish(&b);
    static const enum parquet_encoding encodings[] = {PARQUET_PLAIN, PARQUET_DICTIONARY,
                                                      PARQUET_DELTA_PREFIX};
    for (int i = 0; i < 3; i++) {
        struct sbuf bytes = {0};
        struct parquet_writer_options o = {.encoding = encodings[i]};
        write_one(&bytes, batch, &o);
        struct pool *pool = pool_new(NULL, "test");
        struct parquet_scan_options so = {.columns = ddl(&arena, "s STRING")};
        struct parquet_scan *scan = parquet_scan_new(pool, open_file(pool, &bytes), &so, &err);
        bool end;
        EXPECT(parquet_scan_next(scan, got, &end, &err) && batch_check(got, &err));
        struct value even = column_value(&got->columns[0], 48, &arena),
                     odd = column_value(&got->columns[0], 49, &arena);
        EXPECT(str_is(odd.str, "gr\xEF\xBF\xBD\xEF\xBF\xBD"));
        EXPECT(str_is(even.str, "a longer text, with one \xEF\xBF\xBD in it"));
        pool_free(pool);
        sbuf_fini(&bytes);
    }
    batch_free(got);
    batch_free(batch);
    arena_fini(&arena);
}

/* ---- damage ---------------------------------------------------------------------------------------- */

static bool read_all(struct sbuf *bytes, struct err *err)
{
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_source source = {bytes->n, get, bytes};
    struct parquet_file *file = parquet_open(pool, &source, err);
    struct parquet_scan *scan = file ? parquet_scan_new(pool, file, NULL, err) : NULL;
    struct batch *got = batch_new();
    bool end = false, good = scan != NULL;
    for (int i = 0; good && !end && i < 1000; i++)
        good = parquet_scan_next(scan, got, &end, err) && batch_check(got, err);
    batch_free(got);
    pool_free(pool);
    return good;
}

TEST(damaged_files_are_refused_or_read_but_never_crash)
{
    struct arena arena = {0};
    struct err err;
    seed = 99;
    for (unsigned round = 0; round < 6; round++) {
        const struct type *schema = ddl(
            &arena,
            "a LONG, s STRING, l ARRAY<STRUCT<x: INT, y: MAP<STRING, DECIMAL(25,3)>>>, b BOOLEAN, v VARIANT");
        struct batch *batch = random_batch(schema, 200, round);
        struct sbuf bytes = {0};
        struct parquet_writer_options o = random_options();
        o.row_group_rows = 100;
        o.page_rows = 50;
        write_one(&bytes, batch, &o);
        EXPECT(read_all(&bytes, &err));
        uint64_t refused = 0;
        for (unsigned i = 0; i < 1500; i++) {
            size_t at = below(bytes.n);
            char before = bytes.p[at];
            bytes.p[at] = (char)rnd();
            if (!read_all(&bytes, &err)) {
                refused++;
                if (!EXPECT_EQ_INT(err.class, ERR_DATA))
                    fprintf(stderr, "%s\n", err.text);
            }
            bytes.p[at] = before;
        }
        EXPECT(refused > 100);
        size_t whole = bytes.n;
        for (bytes.n = 0; bytes.n < whole; bytes.n += 1 + whole / 100)
            EXPECT(!read_all(&bytes, &err));
        sbuf_fini(&bytes);
        batch_free(batch);
    }
    arena_fini(&arena);
}

TEST(checksums_are_verified)
{
    struct err err;
    struct arena arena = {0};
    struct sbuf bytes = {0};
    struct batch *batch = long_batch(ddl(&arena, "a LONG"), 1000, row_and_column);
    struct parquet_writer_options o = {.page_checksums = true, .encoding = PARQUET_PLAIN};
    write_one(&bytes, batch, &o);
    EXPECT(read_all(&bytes, &err));
    bytes.p[1000] ^= 1;
    EXPECT(!read_all(&bytes, &err) && strstr(err.text, "checksum"));
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

struct failing {
    struct sbuf *file;
    int left; /* reads that work */
};

static bool get_some(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    struct failing *f = arg;
    return f->left-- > 0 ? get(f->file, offset, n, out, err) : err_set(err, ERR_RETRY, "the network is down");
}

TEST(an_error_of_the_source_comes_through)
{
    struct arena arena = {0};
    struct sbuf bytes = {0};
    struct batch *batch = random_batch(ddl(&arena, "a LONG, l ARRAY<STRING>"), 2000, 3), *got = batch_new();
    struct parquet_writer_options o = {.row_group_rows = 500};
    write_one(&bytes, batch, &o);
    bool good = false;
    for (int most = 0; most < 100 && !good; most++) {
        struct err err = {0};
        struct failing f = {&bytes, most};
        struct pool *pool = pool_new(NULL, "test");
        struct parquet_source source = {bytes.n, get_some, &f};
        struct parquet_scan_options so = {.read_bytes = 4096};
        struct parquet_file *file = parquet_open(pool, &source, &err);
        struct parquet_scan *scan = file ? parquet_scan_new(pool, file, &so, &err) : NULL;
        bool end = false;
        good = scan != NULL;
        while (good && !end)
            good = parquet_scan_next(scan, got, &end, &err);
        EXPECT(good || err.class == ERR_RETRY);
        EXPECT(good || scan == NULL || (parquet_scan_next(scan, got, &end, &err) && end));
        pool_free(pool);
    }
    EXPECT(good);
    batch_free(got);
    batch_free(batch);
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

TEST(what_is_no_parquet_is_named)
{
    struct err err;
    struct sbuf bytes = {0};
    EXPECT(!read_all(&bytes, &err) && strstr(err.text, "too short"));
    sbuf_add(&bytes, "PAR1\0\0\0\0\0\0\0\0PARE", 16);
    EXPECT(!read_all(&bytes, &err) && strstr(err.text, "encrypted"));
    bytes.p[15] = 'X';
    EXPECT(!read_all(&bytes, &err) && strstr(err.text, "PAR1"));
    sbuf_fini(&bytes);
}

int main(int argc, char **argv)
{
    keep_folder = argc > 1 ? argv[1] : NULL;
    RUN(random_tables_come_back);
    RUN(null_in_a_required_field_is_refused);
    RUN(types_that_have_no_place_are_refused);
    RUN(an_error_of_the_output_comes_through);
    RUN(dropped_columns_are_not_stored);
    RUN(names_ids_and_metadata_are_written_and_found);
    RUN(fields_that_came_later_are_null_at_every_depth);
    RUN(not_a_number_and_zeros_have_their_rules);
    RUN(long_texts_have_cut_bounds_that_hold);
    RUN(row_groups_are_skipped_and_rows_still_count);
    RUN(page_indexes_describe_the_pages);
    RUN(types_widen_and_do_not_narrow);
    RUN(strings_stay_dictionaries_and_live_with_the_batch);
    RUN(bytes_that_are_no_text_are_repaired_when_text_is_wanted);
    RUN(damaged_files_are_refused_or_read_but_never_crash);
    RUN(checksums_are_verified);
    RUN(an_error_of_the_source_comes_through);
    RUN(what_is_no_parquet_is_named);
    return test_end();
}

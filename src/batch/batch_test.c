/* Columns against the naive row model: random nested schemas, every encoding. */
#include <ref/random_batch.h>

#include "base/test.h"

enum { ROUNDS = 300 };

static bool check(const struct batch *batch)
{
    struct err err = {0};
    bool ok = batch_check(batch, &err);
    if (!ok)
        fprintf(stderr, "    %s\n", err.text);
    return ok;
}

TEST(views_of_short_and_long_strings)
{
    static const char text[] = "abcdefghijklmnop";
    for (size_t n = 0; n <= 16; n++) {
        struct view a = view_of(text, n), b = view_of(text, n), c = view_of(text + 1, n);
        EXPECT_EQ_INT(a.size, n);
        EXPECT_MEM(view_bytes(&a), text, n);
        EXPECT(view_eq(&a, &b));
        EXPECT_EQ_INT(view_cmp(&a, &b), 0);
        EXPECT(view_eq(&a, &c) == (n == 0));
        EXPECT(n == 0 || view_cmp(&a, &c) < 0);
    }
    struct view shorter = view_of("abcdefghijklm", 13), longer = view_of("abcdefghijklmn", 14);
    EXPECT(!view_eq(&shorter, &longer));
    EXPECT(view_cmp(&shorter, &longer) < 0);
    struct view high = view_of("\xC3\xA9", 2), low = view_of("z", 1);
    EXPECT(view_cmp(&high, &low) > 0);
}

TEST(random_batches_pass_the_check)
{
    struct arena arena = {0};
    for (unsigned seed = 0; seed < ROUNDS; seed++) {
        struct rng rng = {seed};
        struct batch *batch = batch_new();
        const struct type *schema = random_schema(&rng, 1 + seed % 5, &arena);
        random_batch(&rng, batch, schema, (uint32_t)rng_below(&rng, 70), RANDOM_ANY);
        random_hidden(&rng, batch);
        if (!EXPECT(check(batch)))
            fprintf(stderr, "    seed %u\n", seed);
        batch_free(batch);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

TEST(take_gathers_the_rows_asked_for)
{
    struct arena arena = {0};
    for (unsigned seed = 0; seed < ROUNDS; seed++) {
        struct rng rng = {seed};
        struct batch *batch = batch_new(), *out = batch_new();
        const struct type *schema = random_schema(&rng, 1 + seed % 5, &arena);
        random_batch(&rng, batch, schema, 1 + (uint32_t)rng_below(&rng, 70), RANDOM_ANY);
        random_hidden(&rng, batch);
        uint32_t rows[100], count = (uint32_t)rng_below(&rng, 100);
        for (uint32_t i = 0; i < count; i++)
            rows[i] = (uint32_t)rng_below(&rng, batch->rows);
        bool deep = rng_one_in(&rng, 2);
        struct value *all = batch_to_rows(batch, &arena), *wanted = arena_array(&arena, struct value, count);
        for (uint32_t i = 0; i < count; i++)
            wanted[i] = all[rows[i]];
        batch_take(out, batch, rows, count, deep);
        for (uint32_t i = 0; i < count; i++) {
            EXPECT(batch->change == NULL || out->change[i] == batch->change[rows[i]]);
            EXPECT(batch->offset == NULL || out->offset[i] == batch->offset[rows[i]]);
            EXPECT(batch->event_time == NULL || out->event_time[i] == batch->event_time[rows[i]]);
        }
        if (deep) {
            batch_free(batch);
            batch = NULL;
        }
        EXPECT(check(out));
        EXPECT_EQ_INT(out->rows, count);
        if (!EXPECT(rows_equal(batch_to_rows(out, &arena), wanted, count)))
            fprintf(stderr, "    seed %u\n", seed);
        batch_free(batch);
        batch_free(out);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

static bool all_flat(const struct column *column)
{
    bool flat = column->encoding == COLUMN_FLAT;
    for (uint32_t i = 0; column->children && i < column_child_count(column->type); i++)
        flat = flat && all_flat(&column->children[i]);
    return flat;
}

TEST(flatten_keeps_the_rows)
{
    struct arena arena = {0};
    for (unsigned seed = 0; seed < ROUNDS; seed++) {
        struct rng rng = {seed};
        struct batch *batch = batch_new();
        const struct type *schema = random_schema(&rng, 1 + seed % 5, &arena);
        random_batch(&rng, batch, schema, (uint32_t)rng_below(&rng, 70), RANDOM_ANY);
        struct value *before = batch_to_rows(batch, &arena);
        for (uint32_t i = 0; i < schema->field_count; i++) {
            uint32_t nulls = column_null_count(&batch->columns[i]), counted = 0;
            for (uint32_t r = 0; r < batch->rows; r++)
                counted += column_is_null(&batch->columns[i], r);
            EXPECT_EQ_INT(nulls, counted);
            batch->columns[i] = column_flatten(&batch->columns[i], &batch->arena);
            EXPECT(all_flat(&batch->columns[i]));
            EXPECT_EQ_INT(column_null_count(&batch->columns[i]), nulls);
        }
        EXPECT(check(batch));
        EXPECT(rows_equal(batch_to_rows(batch, &arena), before, batch->rows));
        batch_free(batch);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

TEST(append_puts_batches_one_after_the_other)
{
    struct arena arena = {0};
    for (unsigned seed = 0; seed < ROUNDS; seed++) {
        struct rng rng = {seed};
        struct batch *out = batch_new();
        const struct type *schema = random_schema(&rng, 1 + seed % 5, &arena);
        struct batch_builder builder;
        batch_builder_init(&builder, out, schema);
        struct value wanted[1000];
        uint32_t rows = 0;
        for (unsigned k = 0; k < 4; k++) {
            struct batch *in = batch_new();
            random_batch(&rng, in, schema, 1 + (uint32_t)rng_below(&rng, 70), RANDOM_ANY);
            random_hidden(&rng, in);
            struct value *now = batch_to_rows(in, &arena);
            if (rng_one_in(&rng, 2)) {
                batch_builder_append(&builder, in, NULL, in->rows, true);
                memcpy(wanted + rows, now, in->rows * sizeof *now);
                rows += in->rows;
            } else {
                uint32_t row = (uint32_t)rng_below(&rng, in->rows);
                batch_builder_row(&builder, in, row);
                wanted[rows++] = now[row];
            }
            batch_free(in);
        }
        if (rng_one_in(&rng, 3)) { /* and some of them taken back */
            rows = (uint32_t)rng_below(&rng, rows + 1);
            batch_builder_truncate(&builder, rows);
        }
        batch_builder_finish(&builder);
        EXPECT_EQ_INT(out->rows, rows);
        EXPECT(check(out));
        if (!EXPECT(rows_equal(batch_to_rows(out, &arena), wanted, rows)))
            fprintf(stderr, "    seed %u\n", seed);
        batch_free(out);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

TEST(hidden_columns_that_only_some_batches_have)
{
    struct field field = {.name = "x", .type = type_simple(TYPE_INT), .nullable = true};
    struct type schema = {.kind = TYPE_STRUCT, .field_count = 1, .fields = &field};
    struct batch *out = batch_new(), *a = batch_new(), *b = batch_new();
    batch_layout(a, &schema, 2);
    a->partition = 3;
    batch_layout(b, &schema, 1);
    b->partition = 3;
    b->change = arena_alloc(&b->arena, 1);
    b->change[0] = CHANGE_DELETE;
    b->offset = arena_array(&b->arena, int64_t, 1);
    b->offset[0] = 77;
    struct batch_builder builder;
    batch_builder_init(&builder, out, &schema);
    batch_builder_append(&builder, a, NULL, 2, true);
    batch_builder_append(&builder, b, NULL, 1, true);
    batch_builder_finish(&builder);
    EXPECT_EQ_INT(out->partition, 3);
    EXPECT_EQ_INT(out->change[1], CHANGE_INSERT);
    EXPECT_EQ_INT(out->change[2], CHANGE_DELETE);
    EXPECT_EQ_INT(out->offset[0], -1);
    EXPECT_EQ_INT(out->offset[2], 77);
    EXPECT(out->event_time == NULL);
    batch_free(out);
    batch_free(a);
    batch_free(b);
}

TEST(a_row_begun_can_be_taken_back)
{
    struct arena arena = {0};
    const struct type *type = type_array(&arena, type_simple(TYPE_STRING), true);
    struct column_builder b;
    column_builder_init(&b, type, &arena);
    column_builder_str(&b.children[0], STR("kept"), true);
    column_builder_nested(&b);
    column_builder_null(&b);
    column_builder_str(&b.children[0], STR("dropped"), true); /* the row is never closed */
    column_builder_truncate(&b, 1);
    EXPECT_EQ_INT(b.null_count, 0);
    EXPECT_EQ_INT(b.children[0].rows, 1);
    column_builder_nested(&b); /* an empty list */
    struct column column = column_builder_finish(&b);
    EXPECT_EQ_INT(column.rows, 2);
    EXPECT(column.validity == NULL);
    EXPECT_EQ_INT(column.offsets[2], 1);
    arena_fini(&arena);
}

static int released;
static void count_release(struct buf *buf, void *arg)
{
    released++;
    mem_free(buf);
}

TEST(a_batch_holds_each_buffer_until_reset)
{
    struct buf *buf = mem_new(sizeof *buf);
    *buf = (struct buf){.refs = 1, .release = count_release};
    struct batch *a = batch_new(), *b = batch_new();
    batch_hold(a, buf);
    batch_hold(a, buf);
    EXPECT_EQ_INT(a->buf_count, 1);
    batch_hold_all(b, a);
    buf_unref(buf);
    batch_free(a);
    EXPECT_EQ_INT(released, 0);
    batch_reset(b);
    EXPECT_EQ_INT(released, 1);
    batch_free(b);
}

/* Each of these breaks one invariant of a sound batch, and the check must say so. */
TEST(the_check_finds_what_is_broken)
{
    struct arena arena = {0};
    const struct type *schema, *list = type_array(&arena, type_simple(TYPE_INT), true);
    struct field fields[] = {{.name = "s", .type = type_simple(TYPE_STRING), .nullable = true},
                             {.name = "l", .type = list, .nullable = true},
                             {.name = "n", .type = type_simple(TYPE_BOOLEAN), .nullable = false},
                             {.name = "d", .type = type_decimal(&arena, 3, 1), .nullable = true}};
    schema = type_struct(&arena, fields, 4);
    for (int broken = 0; broken <= 9; broken++) {
        struct batch *batch = batch_new();
        batch_layout(batch, schema, 3);
        struct column *c = batch->columns;
        uint32_t indices[3] = {0, 3, 1};
        struct column dictionary = c[0];
        switch (broken) {
        case 1: ((struct view *)c[0].data)[1] = view_of("\xFF", 1); break;
        case 2: ((struct view *)c[0].data)[2].inlined[5] = 'x'; break;
        case 3: ((struct view *)c[0].data)[2].size = 20; break;
        case 4: c[1].offsets[2] = 1; break;
        case 5: c[1].offsets[3] = 1; break;
        case 6: bit_clear(column_need_validity(&c[2], &batch->arena), 2); break;
        case 7: ((i128 *)c[3].data)[0] = 1000; break;
        case 8:
            c[0] = (struct column){.type = c[0].type, .encoding = COLUMN_DICTIONARY, .rows = 3};
            c[0].dictionary = &dictionary;
            c[0].indices = indices;
            break;
        case 9: ((uint8_t *)c[2].data)[1] = 2; break;
        default: break;
        }
        struct err err = {0};
        if (!EXPECT(batch_check(batch, &err) == (broken == 0)))
            fprintf(stderr, "    case %d: %s\n", broken, err.text);
        batch_free(batch);
    }
    arena_fini(&arena);
}

int main(void)
{
    RUN(views_of_short_and_long_strings);
    RUN(random_batches_pass_the_check);
    RUN(take_gathers_the_rows_asked_for);
    RUN(flatten_keeps_the_rows);
    RUN(append_puts_batches_one_after_the_other);
    RUN(hidden_columns_that_only_some_batches_have);
    RUN(a_row_begun_can_be_taken_back);
    RUN(a_batch_holds_each_buffer_until_reset);
    RUN(the_check_finds_what_is_broken);
    return test_end();
}

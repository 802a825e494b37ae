/* The generator: rows computed by SQL expressions, at a rate. Row n is a function of n and the seed alone, so the position is a
 * number, and the same project makes the same rows however often it is interrupted.
 *
 * Expressions see the columns `n` (LONG, from 0) and `at` (TIMESTAMP: when the row is due). rand(), uuid() and their kin are seeded by
 * (seed, n): each row is evaluated in a batch of its own position. */
#include "base/bytes.h"
#include "format/json.h"
#include "op/eval.h"
#include "source/source.h"
#include "sql/plan.h"

enum { BATCH = 1024, POSITION = 16 };

struct generator_options {
    double rate; /* per second; 0 = as fast as it goes */
    uint64_t rows;
    uint64_t seed;
    struct conf_map columns; /* SQL text by name */
};

struct generator {
    struct evaluator *evaluator;
    struct json_encoder *encoder;
    const struct type *input_schema, *schema;
    struct batch *in, *out;
    struct arena scratch;
    struct sbuf text;
    uint32_t ends[BATCH];
    struct str values[BATCH];
    int64_t timestamps_ms[BATCH];
    uint64_t next;    /* number of the next row */
    int64_t begun_us; /* wall time at which row 0 was due */
    uint8_t position[POSITION];
    struct timer timer OWNED_BY(work);
    struct source *source;
};

static void on_timer(struct timer *timer) ON(work)
{
    struct generator *g = CONTAINER_OF(timer, struct generator, timer);
    task_wake(g->source->task);
}

/* Binds the columns' expressions over (n, at). */
static bool compile(struct source *source, struct generator *g, struct err *err) ON(work)
{
    const struct generator_options *o = source->options;
    struct arena *arena = pool_arena(source->pool);
    const struct field inputs[2] = {{"n", type_simple(TYPE_LONG), false, NULL},
                                    {"at", type_simple(TYPE_TIMESTAMP), false, NULL}};
    const struct catalogue catalogue = {.ansi = true};
    const struct expr **exprs = arena_array(arena, const struct expr *, o->columns.count);
    struct field *fields = arena_array(arena, struct field, o->columns.count);
    g->input_schema = type_struct(arena, inputs, 2);
    for (uint32_t i = 0; i < o->columns.count; i++) {
        const char *sql = ((const char **)o->columns.items)[i];
        if (!sql_plan_expr(arena, str_of(sql), g->input_schema, &catalogue, &exprs[i], err)) {
            if (o->columns.nodes[i])
                conf_err_in(o->columns.nodes[i], err);
            return err_context(err, "column \"%s\"", o->columns.keys[i]);
        }
        fields[i] = (struct field){o->columns.keys[i], exprs[i]->type, true, NULL};
    }
    g->schema = type_struct(arena, fields, o->columns.count);
    TRY(evaluator_new(source->pool, exprs, o->columns.count, g->input_schema, &g->evaluator, err));
    g->encoder = json_encoder_new(source->pool, g->schema, NULL, err);
    return g->encoder != NULL;
}

static bool generator_open(struct source *source, const struct source_position *positions, uint32_t count,
                           struct err *err) ON(work)
{
    struct generator *g = pool_new_struct(source->pool, struct generator);
    source->state = g;
    source->replayable = true;
    g->source = source;
    g->in = batch_new();
    g->out = batch_new();
    timer_init(&g->timer, on_timer);
    g->begun_us = os_wall().us;
    if (count && positions[0].value.n == POSITION) {
        g->next = get_be64(positions[0].value.p);
        g->begun_us = (int64_t)get_be64(positions[0].value.p + 8);
    }
    return compile(source, g, err);
}

/* Rows [next, next + count), one after another, so that what a row looks like does not depend on how many come with it. */
static bool generate(struct source *source, struct generator *g, uint32_t count, struct err *err) ON(work)
{
    const struct generator_options *o = source->options;
    double interval_us = o->rate > 0 ? 1e6 / o->rate : 0;
    sbuf_clear(&g->text);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t n = g->next + i;
        int64_t at_us = o->rate > 0 ? g->begun_us + (int64_t)((double)n * interval_us) : os_wall().us;
        batch_reset(g->in);
        batch_reset(g->out);
        arena_reset(&g->scratch);
        batch_layout(g->in, g->input_schema, 1);
        *(int64_t *)g->in->columns[0].data = (int64_t)n;
        *(int64_t *)g->in->columns[1].data = at_us;
        const struct eval_context context = {.now = {at_us},
                                             .seed = o->seed * UINT64_C(0x9E3779B97F4A7C15) + n};
        struct row_errors errors = {0};
        g->out->schema = g->schema;
        g->out->rows = 1;
        g->out->columns = arena_zarray(&g->out->arena, struct column, g->schema->field_count);
        evaluator_run(g->evaluator, &context, g->in, (struct selection){NULL, 1}, &g->scratch,
                      g->out->columns, &errors);
        if (errors.count)
            return err_set(err, ERR_FATAL, "row %llu: %s", (unsigned long long)n, errors.items[0].text);
        json_encode(g->encoder, g->out, 0, 1, 0, &g->text, NULL);
        g->ends[i] = (uint32_t)g->text.n;
        g->timestamps_ms[i] = at_us / US_PER_MS;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t start = i ? g->ends[i - 1] : 0;
        g->values[i] = str_n(g->text.p + start, g->ends[i] - start);
    }
    return true;
}

static enum source_status generator_poll(struct source *source, struct source_rows *rows, struct err *err)
    ON(work)
{
    struct generator *g = source->state;
    const struct generator_options *o = source->options;
    uint64_t until = o->rows ? o->rows : UINT64_MAX;
    uint64_t due = until;
    if (g->next >= until)
        return SOURCE_END;
    if (o->rate > 0) {
        double elapsed_s = (double)(os_wall().us - g->begun_us) / 1e6;
        uint64_t by_now = elapsed_s < 0 ? 0 : (uint64_t)(elapsed_s * o->rate) + 1;
        due = by_now < until ? by_now : until;
    }
    if (due <= g->next) {
        if (source->once && o->rows == 0)
            return SOURCE_END;
        double wait_s = (double)(g->next + 1) / o->rate - (double)(os_wall().us - g->begun_us) / 1e6;
        timer_set_in(&g->timer, wait_s < 0.001 ? NS_PER_MS : (int64_t)(wait_s * 1e9));
        return SOURCE_IDLE;
    }
    if (source->once && o->rows == 0 && o->rate == 0)
        return SOURCE_END; /* endless, and nothing to wait for: what is "there now" is nothing */
    uint32_t count = due - g->next < BATCH ? (uint32_t)(due - g->next) : BATCH;
    if (!generate(source, g, count, err))
        return SOURCE_FAILED;
    g->next += count;
    put_be64(g->position, g->next);
    put_be64(g->position + 8, (uint64_t)g->begun_us);
    *rows = (struct source_rows){
        .values = g->values,
        .timestamps_ms = g->timestamps_ms,
        .count = count,
        .position = str_n(g->position, POSITION),
    };
    return SOURCE_ROWS;
}

static void generator_close(struct source *source) ON(work)
{
    struct generator *g = source->state;
    timer_cancel(&g->timer);
    batch_free(g->in);
    batch_free(g->out);
    arena_fini(&g->scratch);
    sbuf_fini(&g->text);
}

static const struct option column_option = {
    .name = "column", .type = OPTION_TEXT, .flags = OPTION_NOT_EMPTY, .help = "A SQL expression."};

static const struct option options[] = {
    {.name = "rate",
     .type = OPTION_RATE,
     .offset = OPTION_AT(struct generator_options, rate),
     .help = "Rows per second; without it, as many as can be made durable."},
    {.name = "rows",
     .type = OPTION_U64,
     .offset = OPTION_AT(struct generator_options, rows),
     .unit = "rows",
     .help = "Ends after so many rows; 0 goes on for ever."},
    {.name = "seed",
     .type = OPTION_U64,
     .offset = OPTION_AT(struct generator_options, seed),
     .default_text = "0",
     .help = "The same seed gives the same random values."},
    {.name = "columns",
     .type = OPTION_MAP,
     .offset = OPTION_AT(struct generator_options, columns),
     .flags = OPTION_REQUIRED | OPTION_NOT_EMPTY,
     .of = &column_option,
     .keys = OPTION_TEXT,
     .help =
         "A SQL expression for each column; it may use `n`, the number of the row from 0, and `at`, the time when it is due.",
     .example = "{ user_id: \"concat('user_', n % 100)\", amount: \"round(rand() * 100, 2)\" }"},
    {0},
};

extern const struct source_kind source_generator;
const struct source_kind source_generator = {
    .name = "generator",
    .role = ROLE_WORK,
    .replayable = true,
    .open = generator_open,
    .poll = generator_poll,
    .close = generator_close,
    .options = options,
    .options_size = sizeof(struct generator_options),
};

/* The list of sources, and the one way to call their slots. */
#include "source/source.h"

extern const struct source_kind source_http, source_file, source_generator;

const struct source_kind *const source_kinds[] = {&source_http, &source_file, &source_generator, NULL};

const struct source_kind *source_kind_find(struct str name)
{
    for (const struct source_kind *const *kind = source_kinds; *kind; kind++)
        if (str_is(name, (*kind)->name))
            return *kind;
    return NULL;
}

bool source_open(struct source *source, const struct source_position *positions, uint32_t count,
                 struct err *err)
{
    CHECK(run_is(source->kind->role) && source->pool != NULL && source->task != NULL);
    return source->kind->open(source, positions, count, err) ||
           err_context(err, "source \"%s\"", source->name);
}

enum source_status source_poll(struct source *source, struct source_rows *rows, struct err *err)
{
    CHECK(run_is(source->kind->role));
    struct source_health *health = &source->health;
    *rows = (struct source_rows){0};
    enum source_status status = source->kind->poll(source, rows, err);
    health->polls++;
    if (status == SOURCE_ROWS) {
        CHECK(rows->count <= SOURCE_ROWS_MAX && rows->position.n <= SOURCE_POSITION_MAX &&
              rows->part.n <= SOURCE_PART_MAX);
        health->rows += rows->count;
        for (uint32_t i = 0; i < rows->count; i++)
            health->bytes += rows->values[i].n;
        if (rows->count) {
            health->last_rows = os_wall();
            health->failing = false;
        }
    } else if (status == SOURCE_FAILED) {
        err_context(err, "source \"%s\"", source->name);
        health->failures++;
        health->failing = true;
        health->last_error = *err;
    }
    return status;
}

void source_durable(struct source *source)
{
    if (source->kind->durable)
        source->kind->durable(source);
}

void source_close(struct source *source)
{
    if (source->kind->close && source->state)
        source->kind->close(source);
    source->state = NULL;
}

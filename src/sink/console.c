/* The console: rows as JSON lines on stdout. Not exactly once, and says so: what was printed cannot be taken back. */
#include "format/json.h"
#include "os/os.h"
#include "sink/sink.h"

struct console {
    struct json_encoder *encoder;
    const struct type *schema;
    struct sbuf text;
    int out;
};

static bool console_open(struct sink *sink, const struct type *schema, enum sink_found *found,
                         struct position *positions, uint32_t *count, struct err *err) ON(block)
{
    struct console *c = pool_new_struct(sink->pool, struct console);
    sink->state = c;
    c->out = os_adopt(1);
    return true;
}

static bool console_write(struct sink *sink, const struct batch *batch, struct err *err) ON(block)
{
    struct console *c = sink->state;
    if (c->schema == NULL || !type_same(c->schema, batch->schema)) {
        c->schema = type_copy(pool_arena(sink->pool), batch->schema);
        c->encoder = json_encoder_new(sink->pool, c->schema, NULL, err);
        if (c->encoder == NULL)
            return false;
    }
    json_encode(c->encoder, batch, 0, batch->rows, '\n', &c->text, NULL);
    return true;
}

static bool console_commit(struct sink *sink, const struct position *positions, uint32_t count,
                           struct err *err) ON(block)
{
    struct console *c = sink->state;
    TRY(os_write(c->out, c->text.p, c->text.n, err));
    sbuf_clear(&c->text);
    return true;
}

static size_t console_pending(const struct sink *sink) ON(block)
{
    return ((const struct console *)sink->state)->text.n;
}

static void console_abort(struct sink *sink) ON(block)
{
    struct console *c = sink->state;
    sbuf_fini(&c->text);
}

static const char *const schemes[] = {"console", NULL};

extern const struct sink_kind sink_console;
const struct sink_kind sink_console = {
    .name = "console",
    .schemes = schemes,
    .cadence_ms = 100,
    .open = console_open,
    .write = console_write,
    .commit = console_commit,
    .abort = console_abort,
    .pending_bytes = console_pending,
};

/* Each schema has a decoder into its own columns, and an encoder of those as JSON. Where a topic says nothing of its records' format, the registry
 * does, of the id that a record seems to carry. */
#include "topic/show.h"

#include <stdio.h>

#include "base/map.h"
#include "format/json.h"
#include "topic/wire_private.h"

struct shown {
    const struct type *columns;
    struct wire *wire;
    struct json_encoder *encoder;
    struct batch *batch;
};

enum { SHOW_KINDS = SCHEMA_JSON + 1 };

/* What is known of an id that stands in a record of no known format. */
enum seen { SEEN_NONE = 1 /* no schema's */, SEEN_KIND /* and then by its kind */ };

struct topic_show {
    struct pool *pool;
    const struct topic_def *def;
    struct topic_def defs[SHOW_KINDS]; /* the same, of keys and values with a schema of that kind */
    struct wire *wires[SHOW_KINDS][2]; /* of values, of keys: they tell ids apart */
    struct map known;                  /* 'v' or 'k', then the id → struct shown */
    struct map seen;                   /* id → enum seen */
    char reason[ERR_TEXT_MAX];
};

static const enum topic_format formats[SHOW_KINDS] = {
    [SCHEMA_AVRO] = TOPIC_AVRO, [SCHEMA_PROTOBUF] = TOPIC_PROTOBUF, [SCHEMA_JSON] = TOPIC_JSON_SCHEMA};

static void close_show(void *arg)
{
    struct topic_show *s = arg;
    MAP_EACH(entry, &s->known)
    batch_free(((struct shown *)entry->value)->batch);
    map_fini(&s->known);
    map_fini(&s->seen);
}

struct topic_show *topic_show_new(struct pool *pool, const struct topic_def *def)
{
    struct topic_show *s = pool_new_struct(pool, struct topic_show);
    *s = (struct topic_show){.pool = pool, .def = def};
    for (int kind = 0; kind < SHOW_KINDS; kind++) {
        s->defs[kind] = *def;
        s->defs[kind].format = s->defs[kind].key_format = formats[kind];
        s->defs[kind].raw = false;
    }
    pool_on_free(pool, close_show, s);
    return s;
}

static bool say(struct topic_show *s, const char *reason)
{
    snprintf(s->reason, sizeof s->reason, "%s", reason);
    return false;
}

/* A decoder for all records with that id. */
static bool open_shown(struct topic_show *s, enum schema_kind kind, bool is_key, struct str value,
                       struct str headers, struct str key, struct shown **out)
{
    struct err err = {0};
    struct wire_found found;
    struct wire *wire = s->wires[kind][is_key];
    struct shown *shown = pool_new_struct(s->pool, struct shown);
    if (!wire_columns(wire, pool_arena(s->pool), value, headers, &shown->columns, &err))
        return say(s, err.text);
    if (shown->columns == NULL) { /* wire_find says why */
        (void)!wire_find(wire, value, headers, &found, &err);
        return say(s, found.reason ? found.reason : err.text);
    }
    shown->wire = wire_new(s->pool, &s->defs[kind], is_key, shown->columns, NULL, &err);
    shown->encoder = json_encoder_new(s->pool, shown->columns, NULL, &err);
    if (shown->wire == NULL || shown->encoder == NULL)
        return say(s, err.text);
    shown->batch = batch_new();
    map_put(&s->known, key, shown);
    *out = shown;
    return true;
}

static void note_bad(void *arg, const struct codec_bad *bad)
{
    struct topic_show *s = arg;
    snprintf(s->reason, sizeof s->reason, "%.*s%s%.*s", STR_ARG(bad->path), bad->path.n ? ": " : "",
             STR_ARG(bad->reason));
}

static bool show(struct topic_show *s, struct shown *shown, struct str value, struct str headers,
                 const struct record_codec *codec, struct sbuf *out)
{
    const struct codec_report report = {.bad = note_bad, .arg = s};
    struct wire_found found;
    struct err err = {0};
    s->reason[0] = '\0';
    if (!wire_find(shown->wire, value, headers, &found, &err))
        return say(s, err.text);
    if (found.writer == NULL)
        return say(s, found.reason);
    batch_reset(shown->batch);
    if (!codec->decode(wire_decoder(shown->wire), &found.payload, &found.writer, 1, shown->batch, &report,
                       &err))
        return say(s, err.text);
    if (s->reason[0])
        return false;
    bool alone = shown->columns->field_count == 1 && codec != &codec_protobuf &&
                 strcmp(shown->columns->fields[0].name, "value") == 0; /* what is no record */
    size_t before = out->n;
    json_encode(shown->encoder, shown->batch, 0, 1, 0, out, NULL);
    if (alone && str_starts(str_n(out->p + before, out->n - before), STR("{\"value\":"))) {
        size_t skip = strlen("{\"value\":");
        memmove(out->p + before, out->p + before + skip, out->n - before - skip - 1);
        out->n -= skip + 1;
    }
    return true;
}

/* Of a record that says by itself what it is of: does the registry know the id that it seems to begin with? */
static bool look_for_kind(struct topic_show *s, bool is_key, struct str value, struct str headers,
                          enum schema_kind *kind)
{
    struct str bytes = wire_id(is_key, value, headers);
    const struct topic_schemas *from = s->def->schemas;
    struct schema_source source;
    struct arena arena = {0};
    struct err ignored;
    if (bytes.n == 0 || from == NULL)
        return false;
    uintptr_t seen = (uintptr_t)map_get(&s->seen, bytes);
    if (seen == 0) {
        const struct schema_id id = schema_id_read(bytes);
        bool found = from->find(from->arg, &id, &arena, &source, &ignored) == SCHEMA_FOUND;
        seen = found ? SEEN_KIND + (uintptr_t)source.kind : SEEN_NONE;
        map_put(&s->seen, bytes, (void *)seen);
        arena_fini(&arena);
    }
    if (seen != SEEN_NONE)
        *kind = (enum schema_kind)(seen - SEEN_KIND);
    return seen != SEEN_NONE;
}

bool topic_show_value(struct topic_show *s, bool is_key, struct str value, struct str headers,
                      struct sbuf *out, const char **reason)
{
    enum schema_kind kind;
    struct str id, payload;
    struct err err = {0};
    *reason = NULL;
    if (value.p == NULL)
        return false;
    if (is_key ? topic_key_has_schema(s->def) : topic_has_schema(s->def))
        kind = topic_schema_kind(is_key ? s->def->key_format : s->def->format);
    else if (!look_for_kind(s, is_key, value, headers, &kind))
        return false;
    struct wire **wire = &s->wires[kind][is_key];
    if (*wire == NULL)
        *wire = wire_new(s->pool, &s->defs[kind], is_key, NULL, NULL, &err);
    if (!wire_part(*wire, value, headers, &id, &payload, reason))
        return false;
    *reason = s->reason;
    if (kind == SCHEMA_JSON) { /* it is JSON */
        *reason = NULL;
        sbuf_str(out, payload);
        return true;
    }
    struct sbuf key = {0};
    sbuf_char(&key, is_key ? 'k' : 'v');
    sbuf_str(&key, id);
    struct shown *shown = map_get(&s->known, sbuf_view(&key));
    bool ok = (shown || open_shown(s, kind, is_key, value, headers, sbuf_view(&key), &shown)) &&
              show(s, shown, value, headers, codec_of(formats[kind]), out);
    sbuf_fini(&key);
    if (ok)
        *reason = NULL;
    return ok;
}

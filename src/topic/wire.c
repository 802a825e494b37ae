/* A record's schema id, to what decodes it.
 *
 * Ids are looked up once and kept, compiled, by the very bytes that stand before the value (or in its header), with Protobuf's indexes: what
 * comes again is one comparison where it is the id of the record before, else one look into a map. That nobody knows an id counts for the
 * records of one batch, however often they are gone through until all answers are there: it may be registered later. */
#include "topic/wire_private.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/map.h"

struct wire_writer {
    const void *writer;
    const char *reason;
    const struct type *columns; /* that it brings; NULL: none that are new */
    struct str id;              /* its key in the map */
};

struct wire {
    struct pool *pool; /* of what follows it: replaced when there are too many */
    struct pool *own;
    const struct topic_def *def;
    bool is_key;
    const struct record_codec *codec;
    const struct type *columns, *pinned;
    void *decoder;
    struct map *writers;            /* of struct wire_writer */
    const struct wire_writer *last; /* of the record before */
    struct pool *missing_pool;      /* NULL: nothing is missing */
    struct map *missing; /* ids that are not there, as the registry said while this batch was looked at */
    char reason[ERR_TEXT_MAX];
};

static void close_map(void *arg)
{
    map_fini(arg);
}

static bool begin_anew(struct wire *w, struct err *err)
{
    pool_free(w->own);
    w->own = pool_new(w->pool, "writers' schemas");
    w->writers = pool_new_struct(w->own, struct map);
    pool_on_free(w->own, close_map, w->writers);
    w->last = NULL;
    w->decoder = w->columns ? w->codec->decoder_new(w->own, w->columns, false, err) : NULL;
    return w->columns == NULL || w->decoder != NULL || err_context(err, "topic \"%s\"", w->def->name);
}

struct wire *wire_new(struct pool *pool, const struct topic_def *def, bool is_key, const struct type *columns,
                      const struct type *pinned, struct err *err)
{
    struct wire *w = pool_new_struct(pool, struct wire);
    *w = (struct wire){.pool = pool,
                       .def = def,
                       .is_key = is_key,
                       .codec = codec_of(is_key ? def->key_format : def->format),
                       .columns = columns,
                       .pinned = pinned};
    return begin_anew(w, err) ? w : NULL;
}

bool wire_begin(struct wire *w, struct err *err)
{
    return w->writers->count < WIRE_WRITERS_MAX || begin_anew(w, err);
}

void wire_end(struct wire *w)
{
    pool_free(w->missing_pool);
    w->missing_pool = NULL;
}

static bool is_missing(const struct wire *w, struct str id)
{
    return w->missing_pool && map_get(w->missing, id) != NULL;
}

static void note_missing(struct wire *w, struct str id)
{
    if (w->missing_pool == NULL) {
        w->missing_pool = pool_new(w->pool, "missing schemas");
        w->missing = pool_new_struct(w->missing_pool, struct map);
        pool_on_free(w->missing_pool, close_map, w->missing);
    }
    map_put(w->missing, id, w);
}

void *wire_decoder(struct wire *w)
{
    return w->decoder;
}

/* ---- the id ------------------------------------------------------------------------------------------------------------------ */

/* How many bytes the id at the front of `bytes` takes; 0: it is none, w->reason says why. */
static size_t id_size(struct wire *w, struct str bytes, const char *where)
{
    size_t size = bytes.n && bytes.p[0] == 1 ? SCHEMA_GUID_BYTES : SCHEMA_ID_BYTES;
    if (bytes.n == 0)
        snprintf(w->reason, sizeof w->reason, "no schema id: the %s is empty", where);
    else if (bytes.p[0] != 0 && bytes.p[0] != 1)
        snprintf(w->reason, sizeof w->reason,
                 "no schema id: the %s begins with the byte 0x%02x, not 0x00 or 0x01", where,
                 (unsigned char)bytes.p[0]);
    else if (bytes.n < size)
        snprintf(w->reason, sizeof w->reason, "truncated: the %s has %zu bytes, a schema id takes %zu", where,
                 bytes.n, size);
    else
        return size;
    return 0;
}

/* The header of that name, or p NULL. */
static struct str find_header(struct str headers, const char *name)
{
    struct records_header header;
    while (headers.n && records_header_next(&headers, &header))
        if (str_is(header.key, name))
            return header.value;
    return (struct str){0};
}

static const char *header_name(bool is_key)
{
    return is_key ? "__key_schema_id" : "__value_schema_id";
}

struct str wire_id(bool is_key, struct str value, struct str headers)
{
    struct str header = headers.n ? find_header(headers, header_name(is_key)) : (struct str){0};
    struct str bytes = header.p ? header : value;
    size_t size = bytes.n && bytes.p[0] == 1 ? SCHEMA_GUID_BYTES : SCHEMA_ID_BYTES;
    bool is_id = bytes.n >= size && (bytes.p[0] == 0 || bytes.p[0] == 1);
    return is_id ? str_n(bytes.p, size) : str_n("", 0);
}

/* Parts what says whose schema it is (with Protobuf's indexes) from the value. False: w->reason says what is wrong. */
static bool part(struct wire *w, struct str value, struct str headers, struct str *id, struct str *payload)
{
    const char *name = header_name(w->is_key);
    struct str header = headers.n ? find_header(headers, name) : (struct str){0};
    struct str bytes = header.p ? header : value;
    size_t size = id_size(w, bytes, header.p ? name : w->is_key ? "key" : "value");
    if (size == 0)
        return false;
    size_t more = w->codec->selector ? w->codec->selector(str_n(bytes.p + size, bytes.n - size)) : 0;
    if (more == SIZE_MAX) {
        snprintf(w->reason, sizeof w->reason, "damaged: no message indexes behind the schema id");
        return false;
    }
    *id = str_n(bytes.p, size + more);
    *payload = header.p ? value : str_n(value.p + id->n, value.n - id->n);
    return true;
}

bool wire_part(struct wire *w, struct str value, struct str headers, struct str *id, struct str *payload,
               const char **reason)
{
    *reason = w->reason;
    return part(w, value, headers, id, payload);
}

/* ---- the schema --------------------------------------------------------------------------------------------------------------- */

static bool say_missing(struct wire *w, const struct schema_id *id)
{
    char text[SCHEMA_ID_TEXT];
    snprintf(w->reason, sizeof w->reason, "unknown schema id: the registry has no schema %s",
             schema_id_text(id, text));
    return true;
}

/* The schema of an id, in arena; NULL and w->reason: such records are bad. */
static bool load(struct wire *w, struct arena *arena, struct str bytes, const struct schema **schema,
                 struct err *err)
{
    const struct topic_schemas *from = w->def->schemas;
    const struct schema_id id = schema_id_read(bytes);
    struct schema_source *source = arena_new(arena, struct schema_source);
    struct err why = {0};
    char text[SCHEMA_ID_TEXT];
    *schema = NULL;
    if (from == NULL || is_missing(w, bytes))
        return say_missing(w, &id);
    switch (from->find(from->arg, &id, arena, source, &why)) {
    case SCHEMA_FOUND: break;
    case SCHEMA_LATER:
        if (err) {
            *err = why;
            err->class = ERR_RETRY;
        }
        return err_context(err, "topic \"%s\"", w->def->name);
    case SCHEMA_MISSING:
    case SCHEMA_REFUSED: note_missing(w, bytes); return say_missing(w, &id);
    }
    source->lenient = true;
    if (source->kind != w->codec->schema)
        snprintf(w->reason, sizeof w->reason, "schema %s is %s, the topic's format is %s",
                 schema_id_text(&id, text), schema_kind_name(source->kind),
                 schema_kind_name(w->codec->schema));
    else if (!schema_parse(arena, source, schema, &why))
        snprintf(w->reason, sizeof w->reason, "schema %s: %.400s", schema_id_text(&id, text), why.text);
    return true;
}

static struct str selector_of(struct str id)
{
    size_t size = id.p[0] == 1 ? SCHEMA_GUID_BYTES : SCHEMA_ID_BYTES;
    return str_n(id.p + size, id.n - size);
}

/* What of its columns is new, or NULL. */
static const struct type *brings(struct wire *w, struct arena *arena, const struct schema *schema,
                                 struct str selector)
{
    struct err ignored;
    const struct type *found = w->codec->columns(arena, schema, selector, &ignored);
    bool any = found && w->pinned && w->codec->evolve(arena, w->pinned, found) != w->pinned;
    return any ? found : NULL;
}

/* Compiles what an id that was never seen before says. *out NULL: it is not there, or of no use, w->reason says why. */
static bool compile(struct wire *w, struct str id, const struct wire_writer **out, struct err *err)
{
    struct arena *arena = pool_arena(w->own);
    const struct schema *schema;
    struct err why = {0};
    *out = NULL;
    TRY(load(w, arena, id, &schema, err));
    if (schema == NULL)
        return true;
    struct wire_writer *writer = arena_new(arena, struct wire_writer);
    *writer = (struct wire_writer){.id = str_n(arena_dup(arena, id.p, id.n), id.n)};
    writer->columns = brings(w, arena, schema, selector_of(id));
    writer->writer = w->codec->writer(w->decoder, schema, selector_of(writer->id), &why);
    if (writer->writer == NULL) {
        const struct schema_id number = schema_id_read(id);
        char text[SCHEMA_ID_TEXT];
        writer->reason = arena_printf(arena, "schema %s: %s", schema_id_text(&number, text), why.text);
    }
    map_put(w->writers, writer->id, writer);
    *out = writer;
    return true;
}

bool wire_find(struct wire *w, struct str value, struct str headers, struct wire_found *found,
               struct err *err)
{
    struct str id;
    if (w->last && headers.n == 0 && value.n >= w->last->id.n &&
        memcmp(value.p, w->last->id.p, w->last->id.n) == 0) { /* as nearly always */
        const struct wire_writer *last = w->last;
        *found = (struct wire_found){last->writer, last->reason,
                                     str_n(value.p + last->id.n, value.n - last->id.n),
                                     last->columns != NULL};
        return true;
    }
    *found = (struct wire_found){.reason = w->reason};
    if (!part(w, value, headers, &id, &found->payload))
        return true;
    const struct wire_writer *writer = w->last;
    if (writer == NULL || !str_eq(writer->id, id))
        writer = map_get(w->writers, id);
    if (writer == NULL)
        TRY(compile(w, id, &writer, err));
    if (writer == NULL)
        return true;
    w->last = writer;
    *found = (struct wire_found){writer->writer, writer->reason, found->payload, writer->columns != NULL};
    return true;
}

const struct type *wire_brought(const struct wire *w, struct arena *arena, const struct type *pinned)
{
    MAP_EACH(entry, w->writers)
    {
        const struct wire_writer *writer = entry->value;
        if (writer->columns)
            pinned = topic_columns_evolve(arena, w->def->format, pinned, writer->columns);
    }
    return pinned;
}

bool wire_columns(struct wire *w, struct arena *arena, struct str value, struct str headers,
                  const struct type **pinned, struct err *err)
{
    struct str id, payload;
    const struct schema *schema;
    struct err ignored;
    if (!part(w, value, headers, &id, &payload))
        return true;
    TRY(load(w, arena, id, &schema, err));
    const struct type *found = schema ? w->codec->columns(arena, schema, selector_of(id), &ignored) : NULL;
    if (found && *pinned)
        *pinned = topic_columns_evolve(arena, w->def->format, *pinned, found);
    else if (found)
        *pinned = type_nullable(arena, found);
    return true;
}

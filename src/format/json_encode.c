/* Columns to JSON text.
 *
 * The encoder holds, per field, the bytes `,"name":` ready to copy; a row is then prefix, value, prefix,
 * value. Output goes through a cursor into the buffer: each writer first makes sure of the most bytes that
 * it can need, then writes without looking. Strings are copied eight bytes at a time for as long as none
 * of the eight needs an escape. */
#include <math.h>

#include "base/bytes.h"
#include "format/json_decode_private.h"
#include "format/variant.h"
#include "type/cast.h"

struct writer_field;

/* How values of one type are written. */
struct writer {
    const struct type *type;
    struct writer_field *fields; /* STRUCT: per field; ARRAY: element; MAP: key, value */
    uint32_t count;
};

struct writer_field {
    struct writer writer;
    struct str prefix; /* ,"name":, and PREFIX_PAD bytes behind it */
};

struct json_encoder {
    struct json_options options;
    struct writer root;
    const struct datetime_pattern *timestamp_pattern, *ntz_pattern, *date_pattern;
    struct sbuf text, key; /* scratch */
};

/* The output: p … end is free. */
struct cursor {
    struct sbuf *out;
    char *p, *end;
    unsigned depth; /* of indentation */
};

enum {
    SCALAR_MAX = 64, /* bytes of the longest scalar of fixed size, with its quotes */
    PREFIX_PAD = 16,
};

NEVER_INLINE static void make_room(struct cursor *c, size_t n)
{
    struct sbuf *out = c->out;
    out->n = (size_t)(c->p - out->p);
    size_t grow = n > out->capacity / 2 ? n : out->capacity / 2; /* by half, so that it does not come often */
    c->p = sbuf_reserve(out, grow + 64);
    c->end = out->p + out->capacity - 1;
}

ALWAYS_INLINE void need(struct cursor *c, size_t n)
{
    if (UNLIKELY((size_t)(c->end - c->p) < n))
        make_room(c, n);
}

ALWAYS_INLINE void put(struct cursor *c, struct str s)
{
    need(c, s.n);
    memcpy(c->p, s.p, s.n);
    c->p += s.n;
}

/* As put, of what has PREFIX_PAD bytes behind its end: so many are copied at once. */
ALWAYS_INLINE void put_padded(struct cursor *c, struct str s)
{
    need(c, s.n + PREFIX_PAD);
    for (size_t i = 0; i < s.n; i += PREFIX_PAD)
        memcpy(c->p + i, s.p + i, PREFIX_PAD);
    c->p += s.n;
}

ALWAYS_INLINE void put_char(struct cursor *c, char x)
{
    need(c, 1);
    *c->p++ = x;
}

static void put_newline(struct cursor *c)
{
    need(c, 2 * (size_t)c->depth + 1);
    *c->p++ = '\n';
    memset(c->p, ' ', 2 * (size_t)c->depth);
    c->p += 2 * (size_t)c->depth;
}

/* ---- text ---------------------------------------------------------------------------------------------- */

#define EVERY_BYTE(c) (UINT64_C(0x0101010101010101) * (uint8_t)(c))

/* Nonzero when some byte of word must be escaped: below 0x20, a quote or a backslash. */
ALWAYS_INLINE uint64_t needs_escape(uint64_t word)
{
    uint64_t quote = word ^ EVERY_BYTE('"'), slash = word ^ EVERY_BYTE('\\');
    uint64_t below = (word - EVERY_BYTE(0x20)) & ~word;
    return (below | ((quote - EVERY_BYTE(1)) & ~quote) | ((slash - EVERY_BYTE(1)) & ~slash)) &
           EVERY_BYTE(0x80);
}

static char *put_escaped(char *to, unsigned char ch)
{
    static const char names[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    static const char hex[] = "0123456789abcdef";
    if (ch >= 0x20 && ch != '"' && ch != '\\') {
        *to = (char)ch;
        return to + 1;
    }
    to[0] = '\\';
    to[1] = ch >= 0x20 ? (char)ch : names[ch];
    if (to[1] != 0)
        return to + 2;
    to[1] = 'u';
    to[2] = to[3] = '0';
    to[4] = hex[ch >> 4];
    to[5] = hex[ch & 15];
    return to + 6;
}

/* Fewer than eight bytes, if none of them is to be escaped: as two pieces that may overlap. `before`: as many in front of them are copied already. */
ALWAYS_INLINE bool put_rest(char *to, const char *p, size_t n, size_t before)
{
    uint64_t word;
    uint32_t first, last;
    if (LIKELY(n + before >= 8)) {
        memcpy(&word, p + n - 8, 8);
        memcpy(to + n - 8, &word, 8); /* where it is escaped, that comes again */
        return !needs_escape(word);
    }
    if (n < 4)
        return false;
    memcpy(&first, p, 4);
    memcpy(&last, p + n - 4, 4);
    memcpy(to, &first, 4);
    memcpy(to + n - 4, &last, 4);
    return !needs_escape(first | (uint64_t)last << 32);
}

/* At most STRING_CHUNK bytes, for which there is room. */
ALWAYS_INLINE char *put_chunk(char *to, const char *p, size_t n)
{
    while (n > 0) {
        uint64_t word;
        size_t plain = 0; /* bytes that were copied as they are */
        for (; LIKELY(n >= 8); p += 8, n -= 8, to += 8, plain += 8) {
            memcpy(&word, p, 8);
            if (UNLIKELY(needs_escape(word)))
                break;
            memcpy(to, &word, 8);
        }
        if (n < 8 && LIKELY(put_rest(to, p, n, plain)))
            return to + n;
        for (size_t left = n < 8 ? n : 8; left > 0; left--, n--)
            to = put_escaped(to, (unsigned char)*p++);
    }
    return to;
}

/* The text in quotes. */
static void put_string(struct cursor *c, const char *p, size_t n)
{
    enum { STRING_CHUNK = 4096 };
    put_char(c, '"');
    do {
        size_t chunk = n < STRING_CHUNK ? n : STRING_CHUNK;
        need(c, chunk * 6 + 1);
        c->p = put_chunk(c->p, p, chunk);
        p += chunk;
        n -= chunk;
    } while (UNLIKELY(n > 0));
    *c->p++ = '"'; /* need() counted it */
}

/* Text that has nothing to escape, in quotes. */
static void put_quoted(struct cursor *c, struct str s)
{
    need(c, s.n + 2);
    *c->p++ = '"';
    memcpy(c->p, s.p, s.n);
    c->p += s.n;
    *c->p++ = '"';
}

/* ---- numbers and times --------------------------------------------------------------------------------- */

static const char pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

ALWAYS_INLINE void put_pair(char *to, unsigned value)
{
    memcpy(to, pairs + 2 * (size_t)value, 2);
}

static void put_i64(struct cursor *c, int64_t value)
{
    char digits[24], *end = digits + sizeof digits, *p = end;
    uint64_t rest = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
    need(c, 24);
    while (rest >= 100) {
        p -= 2;
        put_pair(p, (unsigned)(rest % 100));
        rest /= 100;
    }
    if (rest >= 10) {
        p -= 2;
        put_pair(p, (unsigned)rest);
    } else {
        *--p = (char)('0' + rest);
    }
    *c->p = '-';
    c->p += value < 0;
    memcpy(c->p, p, (size_t)(end - p));
    c->p += end - p;
}

static void put_double(struct cursor *c, double value, bool is_float)
{
    need(c, SCALAR_MAX);
    if (isfinite(value))
        c->p += is_float ? cast_f32_to_str((float)value, c->p) : cast_f64_to_str(value, c->p);
    else
        put_quoted(c, isnan(value) ? STR("NaN") : value > 0 ? STR("Infinity") : STR("-Infinity"));
}

/* yyyy-MM-dd of a year from 0 to 9999. */
static char *put_civil(char *to, int32_t year, unsigned month, unsigned day)
{
    put_pair(to, (unsigned)year / 100);
    put_pair(to + 2, (unsigned)year % 100);
    to[4] = to[7] = '-';
    put_pair(to + 5, month);
    put_pair(to + 8, day);
    return to + 10;
}

static void put_date(struct cursor *c, int32_t days)
{
    int32_t year;
    unsigned month, day;
    char text[DATE_TEXT_MAX];
    days_to_civil(days, &year, &month, &day);
    if (year < 0 || year > 9999) {
        put_quoted(c, str_n(text, date_to_text(days, text)));
        return;
    }
    need(c, SCALAR_MAX);
    *c->p = '"';
    c->p = put_civil(c->p + 1, year, month, day);
    *c->p++ = '"';
}

/* yyyy-MM-ddTHH:mm:ss.SSSSSS and the suffix. */
static void put_timestamp(struct cursor *c, int64_t us, const char *suffix)
{
    int32_t year;
    unsigned month, day;
    char text[TIMESTAMP_TEXT_MAX];
    int64_t days = floor_div(us, US_PER_DAY), rest = us - days * US_PER_DAY;
    days_to_civil(days, &year, &month, &day);
    if (year < 0 || year > 9999) {
        put_quoted(c, str_n(text, timestamp_to_iso(us, suffix, text)));
        return;
    }
    need(c, SCALAR_MAX);
    char *to = c->p;
    uint32_t seconds = (uint32_t)(rest / US_PER_S), micros = (uint32_t)(rest % US_PER_S);
    *to = '"';
    to = put_civil(to + 1, year, month, day);
    to[0] = 'T';
    put_pair(to + 1, seconds / 3600);
    to[3] = to[6] = ':';
    put_pair(to + 4, seconds / 60 % 60);
    put_pair(to + 7, seconds % 60);
    to[9] = '.';
    put_pair(to + 10, micros / 10000);
    put_pair(to + 12, micros / 100 % 100);
    put_pair(to + 14, micros % 100);
    to += 16;
    if (suffix != NULL)
        *to++ = *suffix;
    *to++ = '"';
    c->p = to;
}

static void put_pattern(struct json_encoder *e, struct cursor *c, const struct datetime_pattern *pattern,
                        const struct timezone_data *zone, int64_t us)
{
    sbuf_clear(&e->text);
    datetime_format(pattern, zone, us, &e->text);
    put_string(c, e->text.p, e->text.n);
}

static void put_binary(struct cursor *c, struct str bytes)
{
    need(c, (bytes.n + 2) / 3 * 4 + 2);
    *c->p++ = '"';
    c->p += json_base64_encode((const uint8_t *)bytes.p, bytes.n, c->p);
    *c->p++ = '"';
}

/* ---- values -------------------------------------------------------------------------------------------- */

static void put_value(struct json_encoder *e, struct cursor *c, const struct writer *w,
                      const struct column *column, uint32_t row);

ALWAYS_INLINE bool is_null(const struct column *column, uint32_t row)
{
    if (LIKELY(column->encoding == COLUMN_FLAT && column->type->kind != TYPE_NULL))
        return column->validity != NULL && !bit_get(column->validity, row);
    return column_is_null(column, row);
}

/* Fields in a row of columns[count]: of a batch or a struct. */
static void put_object(struct json_encoder *e, struct cursor *c, const struct writer *w,
                       const struct column *columns, uint32_t row)
{
    bool pretty = e->options.pretty, skip_null = e->options.ignore_null_fields;
    uint32_t written = 0;
    put_char(c, '{');
    c->depth++;
    for (uint32_t i = 0; i < w->count; i++) {
        if (skip_null && is_null(&columns[i], row))
            continue;
        struct str prefix = w->fields[i].prefix;
        if (UNLIKELY(pretty)) {
            if (written > 0)
                put_char(c, ',');
            put_newline(c);
            put(c, str_n(prefix.p + 1, prefix.n - 2));
            put(c, STR(" : "));
        } else {
            size_t skip = written == 0;
            put_padded(c, str_n(prefix.p + skip, prefix.n - skip));
        }
        written++;
        put_value(e, c, &w->fields[i].writer, &columns[i], row);
    }
    c->depth--;
    if (pretty && written > 0)
        put_newline(c);
    else if (pretty)
        put_char(c, ' ');
    put_char(c, '}');
}

static void put_array(struct json_encoder *e, struct cursor *c, const struct writer *w,
                      const struct column *values, uint32_t row)
{
    bool pretty = e->options.pretty;
    uint32_t from = values->offsets[row], to = values->offsets[row + 1];
    put(c, pretty ? STR("[ ") : STR("["));
    for (uint32_t i = from; i < to; i++) {
        if (i > from)
            put(c, pretty ? STR(", ") : STR(","));
        put_value(e, c, &w->fields[0].writer, &values->children[0], i);
    }
    if (pretty && to > from)
        put_char(c, ' ');
    put_char(c, ']');
}

static struct cursor cursor_begin(struct sbuf *out)
{
    struct cursor c = {.out = out};
    c.p = sbuf_reserve(out, 4096);
    c.end = out->p + out->capacity - 1;
    return c;
}

static void cursor_end(struct cursor *c)
{
    size_t n = (size_t)(c->p - c->out->p);
    CHECK(n <= UINT32_MAX);
    sbuf_added(c->out, n - c->out->n);
}

/* A map's key of any type becomes a name: its JSON text, in quotes if it has none. */
static void put_key(struct json_encoder *e, struct cursor *c, const struct writer *w,
                    const struct column *keys, uint32_t row)
{
    if (LIKELY(w->type->kind == TYPE_STRING)) {
        put_value(e, c, w, keys, row);
        return;
    }
    sbuf_clear(&e->key);
    struct cursor key = cursor_begin(&e->key);
    put_value(e, &key, w, keys, row);
    cursor_end(&key);
    if (e->key.p[0] == '"')
        put(c, sbuf_view(&e->key));
    else
        put_string(c, e->key.p, e->key.n);
}

static void put_map(struct json_encoder *e, struct cursor *c, const struct writer *w,
                    const struct column *values, uint32_t row)
{
    bool pretty = e->options.pretty;
    uint32_t from = values->offsets[row], to = values->offsets[row + 1];
    put_char(c, '{');
    c->depth++;
    for (uint32_t i = from; i < to; i++) {
        if (i > from)
            put_char(c, ',');
        if (pretty)
            put_newline(c);
        put_key(e, c, &w->fields[0].writer, &values->children[0], i);
        put(c, pretty ? STR(" : ") : STR(":"));
        put_value(e, c, &w->fields[1].writer, &values->children[1], i);
    }
    c->depth--;
    if (pretty && to > from)
        put_newline(c);
    else if (pretty)
        put_char(c, ' ');
    put_char(c, '}');
}

static void put_variant(struct json_encoder *e, struct cursor *c, const struct column *values, uint32_t row)
{
    const struct column *metadata, *value;
    uint32_t m = column_resolve(&values->children[0], row, &metadata);
    uint32_t v = column_resolve(&values->children[1], row, &value);
    sbuf_clear(&e->text);
    if (variant_to_json(view_str((const struct view *)metadata->data + m),
                        view_str((const struct view *)value->data + v), &e->text, NULL))
        put(c, sbuf_view(&e->text));
    else
        put(c, STR("null"));
}

/* Kinds that are rare or long to write. */
static void put_other(struct json_encoder *e, struct cursor *c, const struct writer *w,
                      const struct column *values, uint32_t row)
{
    const void *data = values->data;
    switch (w->type->kind) {
    case TYPE_BYTE: put_i64(c, ((const int8_t *)data)[row]); break;
    case TYPE_SHORT: put_i64(c, ((const int16_t *)data)[row]); break;
    case TYPE_FLOAT: put_double(c, (double)((const float *)data)[row], true); break;
    case TYPE_DECIMAL:
        need(c, SCALAR_MAX);
        c->p += decimal_to_text(((const i128 *)data)[row], w->type->scale, c->p);
        break;
    case TYPE_BINARY: put_binary(c, view_str((const struct view *)data + row)); break;
    case TYPE_DATE:
        if (e->date_pattern)
            put_pattern(e, c, e->date_pattern, NULL, ((const int32_t *)data)[row] * US_PER_DAY);
        else
            put_date(c, ((const int32_t *)data)[row]);
        break;
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT:
        sbuf_clear(&e->text);
        interval_to_text(w->type->kind == TYPE_INTERVAL_YM ? ((const int32_t *)data)[row]
                                                           : ((const int64_t *)data)[row],
                         w->type, INTERVAL_STYLE_ANSI, &e->text);
        put_string(c, e->text.p, e->text.n);
        break;
    case TYPE_VARIANT: put_variant(e, c, values, row); break;
    default: UNREACHABLE("every type has its text");
    }
}

static void put_value(struct json_encoder *e, struct cursor *c, const struct writer *w,
                      const struct column *column, uint32_t row)
{
    if (is_null(column, row)) {
        put(c, STR("null"));
        return;
    }
    const struct column *values;
    uint32_t i = column_resolve(column, row, &values);
    const void *data = values->data;
    switch (w->type->kind) {
    case TYPE_STRING: {
        const struct view *view = (const struct view *)data + i;
        put_string(c, view_bytes(view), view->size);
        break;
    }
    case TYPE_LONG: put_i64(c, ((const int64_t *)data)[i]); break;
    case TYPE_INT: put_i64(c, ((const int32_t *)data)[i]); break;
    case TYPE_DOUBLE: put_double(c, ((const double *)data)[i], false); break;
    case TYPE_BOOLEAN: put(c, ((const uint8_t *)data)[i] ? STR("true") : STR("false")); break;
    case TYPE_TIMESTAMP:
        if (UNLIKELY(e->timestamp_pattern != NULL)) /* a zone is wanted where the pattern shows it */
            put_pattern(e, c, e->timestamp_pattern, e->options.zone, ((const int64_t *)data)[i]);
        else
            put_timestamp(c, ((const int64_t *)data)[i], "Z");
        break;
    case TYPE_TIMESTAMP_NTZ:
        if (UNLIKELY(e->ntz_pattern != NULL))
            put_pattern(e, c, e->ntz_pattern, NULL, ((const int64_t *)data)[i]);
        else
            put_timestamp(c, ((const int64_t *)data)[i], NULL);
        break;
    case TYPE_STRUCT: put_object(e, c, w, values->children, i); break;
    case TYPE_ARRAY: put_array(e, c, w, values, i); break;
    case TYPE_MAP: put_map(e, c, w, values, i); break;
    default: put_other(e, c, w, values, i); break;
    }
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

void json_encode(struct json_encoder *e, const struct batch *batch, uint32_t from, uint32_t to, char between,
                 struct sbuf *out, uint32_t *ends)
{
    CHECK(from <= to && to <= batch->rows);
    struct cursor c = cursor_begin(out);
    for (uint32_t row = from; row < to; row++) {
        put_object(e, &c, &e->root, batch->columns, row);
        if (ends != NULL)
            ends[row - from] = (uint32_t)(c.p - out->p);
        if (between != 0)
            put_char(&c, between);
    }
    cursor_end(&c);
}

void json_encode_column(struct json_encoder *e, const struct column *column, uint32_t from, uint32_t to,
                        char between, struct sbuf *out, uint32_t *ends)
{
    CHECK(from <= to && to <= column->rows);
    struct cursor c = cursor_begin(out);
    for (uint32_t row = from; row < to; row++) {
        put_value(e, &c, &e->root, column, row);
        if (ends != NULL)
            ends[row - from] = (uint32_t)(c.p - out->p);
        if (between != 0)
            put_char(&c, between);
    }
    cursor_end(&c);
}

/* ---- the encoder --------------------------------------------------------------------------------------- */

static bool build(struct writer *w, const struct type *type, struct arena *arena, unsigned depth,
                  struct err *err)
{
    if (depth > TYPE_DEPTH_MAX)
        return err_set(err, ERR_CONFIG, "types are nested deeper than %d", TYPE_DEPTH_MAX);
    w->type = type;
    w->count = type->field_count;
    w->fields = arena_zarray(arena, struct writer_field, w->count);
    struct sbuf text = {0};
    bool ok = true;
    for (uint32_t i = 0; ok && i < w->count; i++) {
        if (type->kind == TYPE_STRUCT) {
            sbuf_clear(&text);
            sbuf_char(&text, ',');
            sbuf_json(&text, str_of(type->fields[i].name));
            sbuf_char(&text, ':');
            char *prefix = arena_zalloc(arena, text.n + PREFIX_PAD);
            memcpy(prefix, text.p, text.n);
            w->fields[i].prefix = str_n(prefix, text.n);
        }
        ok = build(&w->fields[i].writer, type->fields[i].type, arena, depth + 1, err);
    }
    sbuf_fini(&text);
    return ok;
}

static bool compile_pattern(struct arena *arena, const char *name, const char *text,
                            const struct datetime_pattern **pattern, struct err *err)
{
    if (text == NULL || datetime_pattern_new(arena, str_of(text), PATTERN_FORMAT, pattern, err))
        return true;
    if (err != NULL)
        err->class = ERR_CONFIG;
    return err_context(err, "option \"%s\"", name);
}

static void close_encoder(void *arg)
{
    struct json_encoder *e = arg;
    sbuf_fini(&e->text);
    sbuf_fini(&e->key);
}

struct json_encoder *json_encoder_new(struct pool *pool, const struct type *schema,
                                      const struct json_options *options, struct err *err)
{
    struct json_encoder *e = pool_new_struct(pool, struct json_encoder);
    struct arena *arena = pool_arena(pool);
    e->options = options ? *options : json_options_default();
    pool_on_free(pool, close_encoder, e);
    const struct json_options *o = &e->options;
    bool ok = compile_pattern(arena, "timestampFormat", o->timestamp_format, &e->timestamp_pattern, err) &&
              compile_pattern(arena, "timestampNTZFormat", o->timestamp_ntz_format, &e->ntz_pattern, err) &&
              compile_pattern(arena, "dateFormat", o->date_format, &e->date_pattern, err) &&
              build(&e->root, schema, arena, 0, err);
    return ok ? e : NULL;
}

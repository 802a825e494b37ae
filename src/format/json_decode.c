/* Records to columns: one walk over a record's structural index, led by the schema. Flat records in their common form do not come here (json_block.c).
 *
 * The index (json/scan.c) has every bracket, colon, comma, both quotes of every string and the first byte
 * of every bare word, so the walk never searches: a string's end is the next entry, a value's successor
 * two or one further. The positions do not depend on each other through memory that was just read, so the
 * processor overlaps the work of several fields; what remains per field is to compare the expected name,
 * convert the value, store it.
 *
 * Strictness comes from the grammar alone: each entry must be the one that JSON allows there, and each
 * bare word must be a number, true, false or null and reach to the next entry but for blanks. Values
 * without a column are checked just as much. Behind the index stand copies of its last entry, which is a
 * closing bracket, so that looking a few entries ahead needs no test; closing brackets are the only
 * entries that could lead on from there, so they alone compare with the end.
 *
 * A function here takes `at`, the entry of the value's first byte, and returns the entry behind the value,
 * or NULL when the record is not JSON (fault() says why). The common forms are dealt with inline; anything
 * else (null, escapes, values that do not fit) goes to slow_value(). */
#include "base/utf8.h"
#include "format/json_value_private.h"
#include "format/variant.h"

static const uint32_t *decode_value(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                    const uint32_t *at);

NEVER_INLINE static const uint32_t *fault(struct json_decoder *d, const uint32_t *at, const char *what)
{
    d->fault = at >= d->stop ? "the record ends too early" : what;
    d->fault_at = at >= d->stop ? (size_t)(d->end - d->base) : *at;
    return NULL;
}

/* ---- words: numbers, true, false, null ----------------------------------------------------------------- */

/* Only blanks from p to `until`? */
static bool is_blank(const char *p, const char *until)
{
    for (; p < until; p++)
        if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r')
            return false;
    return true;
}

/* Where the next entry is, or the end of the record behind the last one. */
ALWAYS_INLINE const char *next_entry(const struct json_decoder *d, const uint32_t *at)
{
    return at + 1 < d->stop ? d->base + at[1] : d->end;
}

/* Where the bare word at `at` ends without its blanks. */
static const char *word_end(const struct json_decoder *d, const uint32_t *at)
{
    const char *p = d->base + *at, *end = next_entry(d, at);
    while (end > p && is_blank(end - 1, end))
        end--;
    return end;
}

enum word { WORD_BAD, WORD_NULL, WORD_TRUE, WORD_FALSE, WORD_NUMBER, WORD_NON_NUMERIC };

/* What the bare word p[n] is; a number goes to *number. */
static enum word classify(const struct json_decoder *d, struct str text, struct json_number *number)
{
    double value;
    *number = json_number_read(text.p, text.p + text.n);
    if (number->end == text.p + text.n)
        return WORD_NUMBER;
    if (str_is(text, "null"))
        return WORD_NULL;
    if (str_is(text, "true"))
        return WORD_TRUE;
    if (str_is(text, "false"))
        return WORD_FALSE;
    return d->options.allow_non_numeric_numbers && json_non_numeric(text, &value) ? WORD_NON_NUMERIC
                                                                                  : WORD_BAD;
}

/* ---- values without a column --------------------------------------------------------------------------- */

/* The escapes of the string between two entries are checked, where the record has any. */
static bool string_ok(const struct json_decoder *d, const uint32_t *at)
{
    if (!(d->flags & JSON_SCAN_BACKSLASH))
        return true;
    const char *p = d->base + at[0] + 1;
    size_t n = at[1] - at[0] - 1;
    const char *slash = memchr(p, '\\', n);
    while (slash != NULL) {
        size_t left = n - (size_t)(slash - p);
        char out[8];
        size_t size = left > 1 && slash[1] == 'u' ? 6 : 2;
        if (size > left || json_unescape(slash, size, out) == SIZE_MAX)
            return false;
        slash = memchr(slash + size, '\\', left - size);
    }
    return true;
}

/* A scalar without a column. */
static const uint32_t *skip_scalar(struct json_decoder *d, const uint32_t *at)
{
    const char *p = d->base + *at;
    if (at >= d->stop)
        return fault(d, at, "");
    if (*p == '"')
        return string_ok(d, at) ? at + 2 : fault(d, at, "a string has a bad escape");
    struct json_number number;
    struct str text = str_n(p, (size_t)(word_end(d, at) - p));
    return classify(d, text, &number) != WORD_BAD ? at + 1 : fault(d, at, "a value is expected");
}

/* "name": at `at`; returns the entry of the value. */
static const uint32_t *skip_name(struct json_decoder *d, const uint32_t *at)
{
    if (at + 2 >= d->stop || d->base[at[0]] != '"')
        return fault(d, at, "a name in quotes is expected");
    if (d->base[at[2]] != ':')
        return fault(d, at + 2, "a colon is expected after the name");
    return string_ok(d, at) ? at + 3 : fault(d, at, "a name has a bad escape");
}

enum { SKIP_DEPTH_MAX = 1024, SKIP_WORDS = SKIP_DEPTH_MAX / 64 };

/* Any value, checked. Brackets that are open are a stack of bits: 1 = object. */
static const uint32_t *skip_value(struct json_decoder *d, const uint32_t *at)
{
    uint64_t objects[SKIP_WORDS];
    uint32_t depth = 0;
    const char *base = d->base;
    for (;;) {
        char c = base[*at];
        if ((c == '{' || c == '[') && at < d->stop) {
            if (depth == SKIP_DEPTH_MAX)
                return fault(d, at, "values are nested too deeply");
            uint64_t bit = UINT64_C(1) << (depth & 63);
            objects[depth >> 6] = c == '{' ? (depth & 63 ? objects[depth >> 6] : 0) | bit
                                           : (depth & 63 ? objects[depth >> 6] : 0) & ~bit;
            depth++;
            at++;
            if (at < d->stop && base[*at] == (c == '{' ? '}' : ']'))
                goto close;
            if (c == '{' && (at = skip_name(d, at)) == NULL)
                return NULL;
            continue;
        }
        if ((at = skip_scalar(d, at)) == NULL)
            return NULL;
    after:
        if (depth == 0)
            return at;
        bool is_object = objects[(depth - 1) >> 6] >> ((depth - 1) & 63) & 1;
        if (at >= d->stop)
            return fault(d, at, "");
        c = base[*at];
        if (c == ',') {
            at++;
            if (is_object && (at = skip_name(d, at)) == NULL)
                return NULL;
            continue;
        }
        if (c != (is_object ? '}' : ']'))
            return fault(d, at, is_object ? "a comma or } is expected" : "a comma or ] is expected");
    close:
        depth--;
        at++;
        goto after;
    }
}

/* The raw text of the value from `at` up to the entry behind it. */
static struct str raw_value(const struct json_decoder *d, const uint32_t *at, const uint32_t *next)
{
    const char *p = d->base + *at;
    char c = *p;
    bool bounded = c == '"' || c == '{' || c == '[';
    return str_n(p, (size_t)((bounded ? d->base + next[-1] + 1 : word_end(d, at)) - p));
}

/* ---- reports ------------------------------------------------------------------------------------------- */

static const char *found_name(struct str text)
{
    switch (text.n ? text.p[0] : 0) {
    case '"': return "string";
    case '{': return "object";
    case '[': return "array";
    case 't':
    case 'f': return "boolean";
    default: return "number";
    }
}

/* The value does not fit its column: NULL there, and a report if the rest of the record is good. */
NEVER_INLINE static const uint32_t *misfit(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                           const uint32_t *at)
{
    const uint32_t *next = skip_value(d, at);
    if (next == NULL)
        return NULL;
    json_slot_clear(slot, row);
    if (d->misfit_count == JSON_BAD_VALUES_MAX)
        return next;
    if (d->misfit_count == d->misfit_capacity)
        d->misfits = mem_grow(d->misfits, &d->misfit_capacity, d->misfit_count + 1, sizeof *d->misfits);
    d->misfits[d->misfit_count++] = (struct json_misfit){slot, raw_value(d, at, next), *at};
    return next;
}

NEVER_INLINE static void report_misfits(struct json_decoder *d)
{
    if (d->report == NULL || d->report->bad == NULL)
        return;
    for (size_t i = 0; i < d->misfit_count; i++) {
        const struct json_misfit *misfit = &d->misfits[i];
        sbuf_clear(&d->wanted);
        type_to_sql(misfit->slot->type, &d->wanted);
        struct json_bad bad = {.row = d->row,
                               .kind = JSON_BAD_VALUE,
                               .path = json_slot_path(d, misfit->slot, STR("")),
                               .found = found_name(misfit->text),
                               .wanted = sbuf_view(&d->wanted),
                               .text = misfit->text,
                               .at = misfit->at};
        d->report->bad(d->report->arg, &bad);
    }
}

NEVER_INLINE static void report_unknown(struct json_decoder *d, struct json_slot *object,
                                        struct json_key *key, struct str text)
{
    struct arena scratch = {0};
    const struct type *type = NULL;
    if (json_infer_value(&scratch, text, &d->options, &type, NULL) && type->kind != TYPE_NULL) {
        key->is_reported = true;
        struct json_unknown unknown = {d->row, json_slot_path(d, object, key->name), key->name, type};
        d->report->unknown(d->report->arg, &unknown);
    }
    arena_fini(&scratch);
}

static const uint32_t *skip_unknown(struct json_decoder *d, struct json_slot *object, struct json_key *key,
                                    const uint32_t *at)
{
    const uint32_t *next = skip_value(d, at);
    if (UNLIKELY(next != NULL && d->options.report_unknown && key != NULL && !key->is_reported &&
                 d->report != NULL && d->report->unknown != NULL && d->base[*at] != 'n'))
        report_unknown(d, object, key, raw_value(d, at, next));
    return next;
}

/* ---- strings ------------------------------------------------------------------------------------------- */

/* Text that stays as it is: borrowed, or copied where the options want that. */
static void store_text(struct json_decoder *d, struct json_slot *slot, uint32_t row, struct str text)
{
    if (d->options.copy && text.n > VIEW_INLINE)
        text.p = arena_dup(d->arena, text.p, text.n);
    ((struct view *)slot->data)[row] = view_of(text.p, text.n);
    json_set_valid(slot, row);
}

/* The string at `at` without its escapes; in the arena where it has any. */
static bool string_text(struct json_decoder *d, const uint32_t *at, struct str *text)
{
    *text = str_n(d->base + at[0] + 1, at[1] - at[0] - 1);
    if (!(d->flags & JSON_SCAN_BACKSLASH) || text->n == 0 || memchr(text->p, '\\', text->n) == NULL)
        return true;
    char *out = arena_alloc(d->arena, text->n);
    size_t n = json_unescape(text->p, text->n, out);
    if (n == SIZE_MAX) {
        fault(d, at, "a string has a bad escape");
        return false;
    }
    *text = str_n(out, n);
    return true;
}

/* A string column's value in any form but the plain string. */
NEVER_INLINE static const uint32_t *slow_string(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                                const uint32_t *at)
{
    struct str text;
    if (d->base[*at] == '"') {
        if (!string_text(d, at, &text))
            return NULL;
        store_text(d, slot, row, text);
        return at + 2;
    }
    const uint32_t *next = skip_value(d, at);
    if (next == NULL)
        return NULL;
    text = raw_value(d, at, next);
    if (str_is(text, "null"))
        json_slot_clear(slot, row);
    else
        store_text(d, slot, row, text);
    return next;
}

ALWAYS_INLINE const uint32_t *read_string(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                          const uint32_t *at, const char *base, const char *end)
{
    const char *p = base + *at;
    if (UNLIKELY(*p != '"'))
        return slow_string(d, slot, row, at);
    uint32_t n = at[1] - at[0] - 1;
    if (UNLIKELY((d->flags & JSON_SCAN_BACKSLASH) && memchr(p + 1, '\\', n) != NULL))
        return slow_string(d, slot, row, at);
    if (UNLIKELY(d->options.copy))
        store_text(d, slot, row, str_n(p + 1, n));
    else
        json_store_view((struct view *)slot->data + row, p + 1, n, end);
    json_set_valid(slot, row);
    return at + 2;
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

/* A word that ends at p: is the next entry there, but for blanks? NULL: it did not even begin. */
ALWAYS_INLINE bool ends_well(const struct json_decoder *d, const char *p, const uint32_t *at,
                             const char *base)
{
    return LIKELY(p == base + at[1]) || (p != NULL && is_blank(p, next_entry(d, at)));
}

/* ---- the rest, by kind --------------------------------------------------------------------------------- */

static void store_i64(struct json_slot *slot, uint32_t row, int64_t value)
{
    switch (type_width(slot->type)) {
    case 1: ((int8_t *)slot->data)[row] = (int8_t)value; break;
    case 2: ((int16_t *)slot->data)[row] = (int16_t)value; break;
    case 4: ((int32_t *)slot->data)[row] = (int32_t)value; break;
    default: ((int64_t *)slot->data)[row] = value; break;
    }
    json_set_valid(slot, row);
}

static bool number_fits(struct json_slot *slot, uint32_t row, const struct json_number *number,
                        struct str text)
{
    int64_t i;
    void *data = slot->data;
    const char *p = text.p;
    switch (slot->kind) {
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_LONG: {
        unsigned bits = (unsigned)type_width(slot->type) * 8;
        if (!json_number_i64(number, p, &i) || i >> (bits - 1) != i >> 63)
            return false;
        store_i64(slot, row, i);
        return true;
    }
    case TYPE_FLOAT: return number_to_f32(text, (float *)data + row);
    case TYPE_DOUBLE: return number_to_f64(text, (double *)data + row);
    case TYPE_DECIMAL:
        return json_number_decimal(number, p, slot->type->precision, slot->type->scale, (i128 *)data + row);
    case TYPE_TIMESTAMP: /* seconds */
        return json_number_i64(number, p, &i) && !__builtin_mul_overflow(i, US_PER_S, (int64_t *)data + row);
    default: return false;
    }
}

static bool read_timestamp(const struct json_decoder *d, struct str text, int64_t *us)
{
    if (d->timestamp_pattern != NULL)
        return datetime_parse(d->timestamp_pattern, text, d->options.zone, us);
    bool has_zone;
    if (LIKELY(timestamp_parse_iso(text, us, &has_zone))) {
        if (!has_zone)
            *us = timezone_to_utc(d->options.zone, *us);
        return true;
    }
    return timestamp_parse(text, d->options.zone, NULL, us);
}

static bool read_timestamp_ntz(const struct json_decoder *d, struct str text, int64_t *us)
{
    bool has_zone;
    if (d->ntz_pattern != NULL)
        return datetime_parse_local(d->ntz_pattern, text, us);
    return (timestamp_parse_iso(text, us, &has_zone) && !has_zone) || timestamp_ntz_parse(text, false, us);
}

static bool read_date(const struct json_decoder *d, struct str text, int32_t *days)
{
    if (d->date_pattern == NULL)
        return date_parse(text, days);
    int64_t us;
    if (!datetime_parse_local(d->date_pattern, text, &us))
        return false;
    *days = (int32_t)floor_div(us, US_PER_DAY);
    return true;
}

static bool read_binary(struct json_decoder *d, struct json_slot *slot, uint32_t row, struct str text)
{
    uint8_t *bytes = arena_alloc(d->arena, text.n / 4 * 3 + 3);
    size_t n = json_base64_decode(text.p, text.n, bytes);
    if (n == SIZE_MAX)
        return false;
    ((struct view *)slot->data)[row] = view_of((char *)bytes, n);
    return true;
}

/* A string for a column that is none. */
bool json_text_into(struct json_decoder *d, struct json_slot *slot, uint32_t row, struct str text)
{
    double f;
    int64_t i;
    switch (slot->kind) {
    case TYPE_TIMESTAMP: return read_timestamp(d, text, (int64_t *)slot->data + row);
    case TYPE_TIMESTAMP_NTZ: return read_timestamp_ntz(d, text, (int64_t *)slot->data + row);
    case TYPE_DATE: return read_date(d, text, (int32_t *)slot->data + row);
    case TYPE_BINARY: return read_binary(d, slot, row, text);
    case TYPE_DECIMAL:
        return decimal_parse(text, decimal_shape_of(slot->type), (i128 *)slot->data + row) == DECIMAL_OK;
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT:
        if (!interval_parse(text, slot->type, &i, NULL))
            return false;
        store_i64(slot, row, i);
        return true;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        if (!d->options.allow_non_numeric_numbers || !json_non_numeric(text, &f))
            return false;
        if (slot->kind == TYPE_FLOAT)
            ((float *)slot->data)[row] = (float)f;
        else
            ((double *)slot->data)[row] = f;
        return true;
    default: return false;
    }
}

static bool word_fits(struct json_decoder *d, struct json_slot *slot, uint32_t row, struct str text,
                      enum word word, const struct json_number *number)
{
    double f = 0;
    switch (word) {
    case WORD_NUMBER: return number_fits(slot, row, number, text);
    case WORD_TRUE:
    case WORD_FALSE:
        if (slot->kind != TYPE_BOOLEAN)
            return false;
        ((uint8_t *)slot->data)[row] = word == WORD_TRUE;
        return true;
    case WORD_NON_NUMERIC:
        if (slot->kind == TYPE_DOUBLE && json_non_numeric(text, &f))
            ((double *)slot->data)[row] = f;
        else if (slot->kind == TYPE_FLOAT && json_non_numeric(text, &f))
            ((float *)slot->data)[row] = (float)f;
        else
            return false;
        return true;
    default: return false;
    }
}

static const uint32_t *read_variant(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                    const uint32_t *at)
{
    const uint32_t *next = skip_value(d, at);
    if (next == NULL)
        return NULL;
    struct str metadata, value;
    if (!variant_from_json(d->arena, raw_value(d, at, next), &metadata, &value, NULL))
        return misfit(d, slot, row, at);
    ((struct view *)slot->children[0].data)[row] = view_of(metadata.p, metadata.n);
    ((struct view *)slot->children[1].data)[row] = view_of(value.p, value.n);
    json_set_valid(&slot->children[0], row);
    json_set_valid(&slot->children[1], row);
    json_set_valid(slot, row);
    return next;
}

/* A scalar in any of its less common forms: null, a number written at length, text for a date; and what
 * does not fit. */
__attribute__((noinline)) static const uint32_t *slow_value(struct json_decoder *d, struct json_slot *slot,
                                                            uint32_t row, const uint32_t *at)
{
    struct str text;
    const char *p = d->base + *at;
    if (at >= d->stop)
        return fault(d, at, "");
    if (*p == '{' || *p == '[')
        return misfit(d, slot, row, at);
    if (*p == '"') {
        if (!string_text(d, at, &text))
            return NULL;
        if (!json_text_into(d, slot, row, text))
            return misfit(d, slot, row, at);
        json_set_valid(slot, row);
        return at + 2;
    }
    struct json_number number;
    text = str_n(p, (size_t)(word_end(d, at) - p));
    enum word word = classify(d, text, &number);
    if (word == WORD_BAD)
        return fault(d, at, "a value is expected");
    if (word == WORD_NULL) {
        json_slot_clear(slot, row);
        return at + 1;
    }
    if (!word_fits(d, slot, row, text, word, &number))
        return misfit(d, slot, row, at);
    json_set_valid(slot, row);
    return at + 1;
}

/* ---- arrays, maps, objects ----------------------------------------------------------------------------- */

/* A row for one more element; false: there are too many. */
ALWAYS_INLINE bool add_row(struct json_decoder *d, struct json_slot *element, uint32_t *row)
{
    if (UNLIKELY(element->rows == element->capacity) && !json_slot_grow(element, d->arena))
        return false;
    *row = element->rows++;
    return true;
}

static const uint32_t *close_list(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                  const uint32_t *at)
{
    if (UNLIKELY(at > d->stop))
        return fault(d, at, "");
    slot->closed = row + 1;
    slot->offsets[row + 1] = slot->children[0].rows;
    json_set_valid(slot, row);
    return at;
}

static const uint32_t *decode_array(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                    const uint32_t *at)
{
    const char *base = d->base;
    struct json_slot *element = slot->children;
    if (UNLIKELY(base[*at] != '['))
        return slow_value(d, slot, row, at);
    if (UNLIKELY(bit_get(slot->validity, row)))
        json_slot_clear(slot, row);
    json_slot_open(slot, row);
    at++;
    if (base[*at] == ']')
        return close_list(d, slot, row, at + 1);
    for (;;) {
        uint32_t added;
        if (UNLIKELY(!add_row(d, element, &added)))
            return fault(d, at, "an array has too many elements");
        at = decode_value(d, element, added, at);
        if (UNLIKELY(at == NULL))
            return NULL;
        char c = base[*at++];
        if (c == ']')
            return close_list(d, slot, row, at);
        if (UNLIKELY(c != ',' || at > d->stop))
            return fault(d, at - 1, "a comma or ] is expected");
    }
}

static const uint32_t *decode_map(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                  const uint32_t *at)
{
    const char *base = d->base;
    if (UNLIKELY(base[*at] != '{'))
        return slow_value(d, slot, row, at);
    if (UNLIKELY(bit_get(slot->validity, row)))
        json_slot_clear(slot, row);
    json_slot_open(slot, row);
    at++;
    if (base[*at] == '}')
        return close_list(d, slot, row, at + 1);
    for (;;) {
        if (UNLIKELY(skip_name(d, at) == NULL))
            return NULL;
        uint32_t key, value;
        struct str name;
        if (UNLIKELY(!add_row(d, &slot->children[0], &key) || !add_row(d, &slot->children[1], &value)))
            return fault(d, at, "a map has too many entries");
        if (UNLIKELY(!string_text(d, at, &name)))
            return NULL;
        store_text(d, &slot->children[0], key, name);
        at = decode_value(d, &slot->children[1], value, at + 3);
        if (UNLIKELY(at == NULL))
            return NULL;
        char c = base[*at++];
        if (c == '}')
            return close_list(d, slot, row, at);
        if (UNLIKELY(c != ',' || at > d->stop))
            return fault(d, at - 1, "a comma or } is expected");
    }
}

/* The name at `at` when it is not the one that was expected first. *key: its key or NULL; *slot: its
 * column or NULL. Returns the entry of the value. */
NEVER_INLINE static const uint32_t *find_key(struct json_decoder *d, struct json_slot *object,
                                             const uint32_t *at, struct json_key **guesses,
                                             struct json_key **key, struct json_slot **slot)
{
    const char *p = d->base + *at;
    struct json_key *second = guesses[1];
    if (second != NULL && *p == '"' && json_key_is(second, p, d->end)) {
        guesses[1] = guesses[0];
        guesses[0] = second;
        *key = second;
        *slot = second->slot;
        return at + 3;
    }
    const uint32_t *value = skip_name(d, at);
    if (value == NULL)
        return NULL;
    struct str name = str_n(p + 1, at[1] - at[0] - 1);
    bool has_escape = (d->flags & JSON_SCAN_BACKSLASH) && memchr(name.p, '\\', name.n) != NULL;
    if (has_escape && !string_text(d, at, &name))
        return NULL;
    *key = json_slot_find(d, object, name, slot);
    if (*key != NULL && !has_escape)
        guesses[1] = *key;
    return value;
}

static const uint32_t *decode_object(struct json_decoder *d, struct json_slot *object, uint32_t row,
                                     const uint32_t *at);

/* One value into its column. */
ALWAYS_INLINE const uint32_t *value_into(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                         const uint32_t *at, const char *base, const char *end)
{
    int64_t i = 0;
    double f = 0;
    i128 decimal = 0;
    const char *p = base + *at;
    switch (slot->kind) {
    case TYPE_STRING: return read_string(d, slot, row, at, base, end);
    case TYPE_LONG:
        if (UNLIKELY(!ends_well(d, json_read_i64(p, end, &i), at, base)))
            return slow_value(d, slot, row, at);
        ((int64_t *)slot->data)[row] = i;
        break;
    case TYPE_INT:
        if (UNLIKELY(!ends_well(d, json_read_i64(p, end, &i), at, base) || i != (int32_t)i))
            return slow_value(d, slot, row, at);
        ((int32_t *)slot->data)[row] = (int32_t)i;
        break;
    case TYPE_SHORT:
        if (UNLIKELY(!ends_well(d, json_read_i64(p, end, &i), at, base) || i != (int16_t)i))
            return slow_value(d, slot, row, at);
        ((int16_t *)slot->data)[row] = (int16_t)i;
        break;
    case TYPE_BYTE:
        if (UNLIKELY(!ends_well(d, json_read_i64(p, end, &i), at, base) || i != (int8_t)i))
            return slow_value(d, slot, row, at);
        ((int8_t *)slot->data)[row] = (int8_t)i;
        break;
    case TYPE_DOUBLE:
        if (UNLIKELY(!ends_well(d, json_read_f64(p, end, &f), at, base)))
            return slow_value(d, slot, row, at);
        ((double *)slot->data)[row] = f;
        break;
    case TYPE_FLOAT:
        if (UNLIKELY(!ends_well(d, json_read_f64(p, end, &f), at, base)))
            return slow_value(d, slot, row, at);
        ((float *)slot->data)[row] = (float)f;
        break;
    case TYPE_DECIMAL:
        if (UNLIKELY(!ends_well(d, json_read_decimal(slot->type, p, end, &decimal), at, base)))
            return slow_value(d, slot, row, at);
        ((i128 *)slot->data)[row] = decimal;
        break;
    case TYPE_BOOLEAN:
        if (UNLIKELY(!ends_well(d, json_read_boolean(p, end, (uint8_t *)slot->data + row), at, base)))
            return slow_value(d, slot, row, at);
        break;
    case TYPE_STRUCT: return decode_object(d, slot, row, at);
    case TYPE_ARRAY: return decode_array(d, slot, row, at);
    case TYPE_MAP: return decode_map(d, slot, row, at);
    case TYPE_VARIANT: return read_variant(d, slot, row, at);
    default: return slow_value(d, slot, row, at);
    }
    json_set_valid(slot, row);
    return at + 1;
}

static const uint32_t *decode_value(struct json_decoder *d, struct json_slot *slot, uint32_t row,
                                    const uint32_t *at)
{
    return value_into(d, slot, row, at, d->base, d->end);
}

ALWAYS_INLINE const uint32_t *object_into(struct json_decoder *d, struct json_slot *object, uint32_t row,
                                          const uint32_t *at, const bool learn)
{
    const char *base = d->base, *end = d->end;
    if (UNLIKELY(base[*at] != '{'))
        return slow_value(d, object, row, at);
    if (object->parent != NULL) {
        if (UNLIKELY(bit_get(object->validity, row)))
            json_slot_clear(object, row);
        json_set_valid(object, row);
    }
    at++;
    if (UNLIKELY(base[*at] == '}'))
        return at < d->stop ? at + 1 : fault(d, at, "");
    struct json_key **guesses = object->first;
    for (;;) {
        const char *p = base + *at;
        struct json_key *key = guesses[0];
        struct json_slot *slot = NULL;
        if (LIKELY(key != NULL && json_key_is(key, p, end))) {
            slot = key->slot;
            at += 3;
        } else {
            at = find_key(d, object, at, guesses, &key, &slot);
            if (UNLIKELY(at == NULL))
                return NULL;
        }
        if (learn)
            json_block_learn(&d->block, key);
        if (key != NULL)
            guesses = key->next;
        at = LIKELY(slot != NULL) ? value_into(d, slot, row, at, base, end)
                                  : skip_unknown(d, object, key, at);
        if (UNLIKELY(at == NULL))
            return NULL;
        char c = base[*at++];
        if (LIKELY(c == ','))
            continue;
        if (LIKELY(c == '}' && at <= d->stop))
            return at;
        return fault(d, at - 1, "a comma or } is expected");
    }
}

static const uint32_t *decode_object(struct json_decoder *d, struct json_slot *object, uint32_t row,
                                     const uint32_t *at)
{
    return object_into(d, object, row, at, false);
}

/* A record; in what order its names are is told to the block. */
__attribute__((noinline)) static const uint32_t *decode_root(struct json_decoder *d, uint32_t row,
                                                             const uint32_t *at)
{
    d->block.learn_at = d->takes_blocks ? 0 : JSON_NO_PLACE;
    return object_into(d, &d->root, row, at, true);
}

/* ---- one record ---------------------------------------------------------------------------------------- */

static bool bad_record(struct json_decoder *d, size_t at, const char *what)
{
    d->fault = what;
    d->fault_at = at;
    return false;
}

/* The record's bytes with blanks behind them, in the arena: what is so short, or ends in a bare word, that
 * looking ahead would leave it. */
static struct str padded(struct json_decoder *d, struct str record)
{
    char *copy = arena_alloc(d->arena, record.n + 2 * JSON_RECORD_MIN);
    memcpy(copy, record.p, record.n);
    memset(copy + record.n, ' ', 2 * JSON_RECORD_MIN);
    return str_n(copy, record.n + JSON_RECORD_MIN);
}

/* What the index says about the text as a whole. */
static bool check_scan(struct json_decoder *d, struct str record)
{
    if (UNLIKELY(d->flags & (JSON_SCAN_CONTROL | JSON_SCAN_OPEN))) {
        if (d->flags & JSON_SCAN_OPEN)
            return bad_record(d, record.n, "a string is not closed");
        if (!d->options.allow_unquoted_control_chars)
            return bad_record(d, 0, "a string holds a control character");
    }
    if (UNLIKELY((d->flags & JSON_SCAN_WIDE) && !d->code->utf8(record.p, record.n)))
        return bad_record(d, 0, "the text is not UTF-8");
    return true;
}

/* The first and last entries must be a pair of brackets; in bare mode other values are fine. */
static bool check_ends(struct json_decoder *d, uint32_t count)
{
    char first = d->base[d->index[0]], last = d->base[d->index[count - 1]];
    if (LIKELY(first == '{' && last == '}'))
        return true;
    if (d->options.bare && (first == '[' ? last == ']' : first != '{'))
        return true;
    if (first == '{' || first == '[')
        return bad_record(d, d->index[count - 1],
                          first == '{' ? "the record does not end with }" : "an array is not an object");
    return bad_record(d, d->index[0], "an object is expected");
}

/* Writes row `row`; false: d->fault. What was written must be taken back then. */
static bool decode_record(struct json_decoder *d, struct str record, uint32_t row)
{
    if (UNLIKELY(record.n < JSON_RECORD_MIN || d->options.bare))
        record = padded(d, record);
    if (UNLIKELY(d->index_capacity < record.n + JSON_SCAN_SLACK + JSON_INDEX_GUARD))
        d->index = mem_grow(d->index, &d->index_capacity, record.n + JSON_SCAN_SLACK + JSON_INDEX_GUARD,
                            sizeof *d->index);
    struct json_scan scan = d->code->scan(record.p, record.n, d->index);
    d->flags = scan.flags;
    d->base = record.p;
    d->end = record.p + record.n;
    d->stop = d->index + scan.count;
    if (UNLIKELY(scan.count == 0))
        return bad_record(d, 0, NULL);
    if (!check_scan(d, record) || !check_ends(d, scan.count))
        return false;
    for (int i = 0; i < JSON_INDEX_GUARD; i++)
        d->index[scan.count + (uint32_t)i] = d->index[scan.count - 1];
    const uint32_t *at = d->options.bare ? decode_value(d, d->root.children, row, d->index)
                                         : decode_root(d, row, d->index);
    if (at == NULL)
        return false;
    return at == d->stop || bad_record(d, *at, "something follows the value");
}

static void clear_row(struct json_decoder *d, uint32_t row)
{
    for (uint32_t i = 0; i < d->root.child_count; i++)
        json_slot_clear(&d->root.children[i], row);
}

/* Once more without what JSON does not have but the options allow, and without a byte order mark. */
NEVER_INLINE static bool retry(struct json_decoder *d, struct str record, uint32_t row)
{
    clear_row(d, row);
    d->misfit_count = 0;
    if (record.n >= 3 && memcmp(record.p, "\xEF\xBB\xBF", 3) == 0) {
        record = str_n(record.p + 3, record.n - 3);
        if (decode_record(d, record, row))
            return true;
        clear_row(d, row);
        d->misfit_count = 0;
    }
    const char *what = d->fault;
    size_t at = d->fault_at;
    if (what == NULL || !d->is_lenient || !json_lenient(record, &d->options, &d->text))
        return false;
    struct str strict = str_n(arena_dup(d->arena, d->text.p, d->text.n), d->text.n);
    if (decode_record(d, strict, row))
        return true;
    clear_row(d, row);
    return bad_record(d, at, what); /* the fault of what was written, not of what was made of it */
}

static void store_corrupt(struct json_decoder *d, struct str record, uint32_t row)
{
    if (d->corrupt < 0 || !utf8_valid(record.p, record.n))
        return;
    store_text(d, &d->root.children[d->corrupt], row, record);
}

NEVER_INLINE static void report_record(struct json_decoder *d, struct str record, enum json_bad_kind kind)
{
    if (d->report == NULL || d->report->bad == NULL)
        return;
    struct json_bad bad = {.row = d->row,
                           .kind = kind,
                           .path = STR(""),
                           .found = d->fault ? d->fault : "the record is empty",
                           .wanted = STR("a JSON object"),
                           .text = record,
                           .at = d->fault_at};
    d->report->bad(d->report->arg, &bad);
}

static bool fail_fast(struct json_decoder *d, struct err *err)
{
    if (d->misfit_count > 0)
        return err_set(err, ERR_DATA, "record %u: %zu values do not fit their columns", d->row,
                       d->misfit_count);
    return err_set(err, ERR_DATA, "record %u, byte %zu: %s", d->row, d->fault_at,
                   d->fault ? d->fault : "the record is empty");
}

/* One row. False: it was not taken whole. */
static bool decode_row(struct json_decoder *d, struct str record, uint32_t row)
{
    d->row = row;
    d->misfit_count = 0;
    bool done = record.n <= d->options.record_max
                    ? decode_record(d, record, row)
                    : bad_record(d, d->options.record_max, "the record is too large");
    if (UNLIKELY(!done && record.n <= d->options.record_max))
        done = retry(d, record, row);
    if (LIKELY(done && d->misfit_count == 0))
        return true;
    if (done) {
        report_misfits(d);
    } else {
        d->misfit_count = 0;
        report_record(d, record, d->fault ? JSON_BAD_RECORD : JSON_BAD_EMPTY);
    }
    store_corrupt(d, record, row);
    return false;
}

/* Some rows from `row` on, in *n how many. False: one of them was not taken whole. */
static bool decode_rows(struct json_decoder *d, const struct str *records, uint32_t row, uint32_t count,
                        uint32_t *n)
{
    bool good = true;
    *n = d->takes_blocks ? json_block_decode(d, records, row, count) : 0;
    if (*n == 0) {
        *n = 1;
        return records[row].p == NULL || decode_row(d, records[row], row);
    }
    uint32_t left = ~d->block.done & (uint32_t)(UINT64_MAX >> (64 - *n));
    for (; left != 0 && (good || d->options.mode != JSON_FAILFAST); left &= left - 1) {
        uint32_t i = row + (uint32_t)__builtin_ctz(left);
        good = decode_row(d, records[i], i) && good;
    }
    return good;
}

/* ---- the decoder --------------------------------------------------------------------------------------- */

static bool compile_patterns(struct json_decoder *d, struct err *err)
{
    struct arena *arena = pool_arena(d->pool);
    const struct json_options *o = &d->options;
    const struct {
        const char *name, *text;
        const struct datetime_pattern **pattern;
    } all[] = {{"timestampFormat", o->timestamp_format, &d->timestamp_pattern},
               {"timestampNTZFormat", o->timestamp_ntz_format, &d->ntz_pattern},
               {"dateFormat", o->date_format, &d->date_pattern}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].text != NULL &&
            !datetime_pattern_new(arena, str_of(all[i].text), PATTERN_PARSE, all[i].pattern, err)) {
            if (err != NULL)
                err->class = ERR_CONFIG;
            return err_context(err, "option \"%s\"", all[i].name);
        }
    return true;
}

static void close_decoder(void *arg)
{
    struct json_decoder *d = arg;
    mem_free(d->index);
    mem_free(d->misfits);
    sbuf_fini(&d->text);
    sbuf_fini(&d->wanted);
}

struct json_decoder *json_decoder_new(struct pool *pool, const struct type *schema,
                                      const struct json_options *options, struct err *err)
{
    CHECK(schema->kind == TYPE_STRUCT);
    struct json_decoder *d = pool_new_struct(pool, struct json_decoder);
    d->options = options ? *options : json_options_default();
    const struct json_options *o = &d->options;
    CHECK(!o->bare || schema->field_count == 1);
    CHECK(o->depth_max <= JSON_DEPTH_MAX && o->record_max <= JSON_RECORD_LIMIT);
    d->pool = pool;
    d->schema = schema = json_nullable(pool_arena(pool), schema);
    d->code = json_cpu_code(o->cpu);
    d->is_lenient = o->allow_single_quotes || o->allow_comments || o->allow_unquoted_field_names ||
                    o->allow_numeric_leading_zeros || o->allow_backslash_escaping_any_character;
    d->corrupt = o->corrupt_record && !o->bare ? type_field(schema, str_of(o->corrupt_record), false) : -1;
    if (d->corrupt >= 0 && schema->fields[d->corrupt].type->kind != TYPE_STRING)
        d->corrupt = -1;
    pool_on_free(pool, close_decoder, d);
    if (!compile_patterns(d, err) || !json_slot_build(d, &d->root, schema, 0, err))
        return NULL;
    json_block_init(d);
    return d;
}

static void forget(struct json_slot *slot)
{
    for (uint32_t i = 0; slot->table != NULL && i <= slot->table_mask; i++)
        if (slot->table[i] != NULL)
            slot->table[i]->is_reported = false;
    for (uint32_t i = 0; i < slot->child_count; i++)
        forget(&slot->children[i]);
}

void json_decoder_forget(struct json_decoder *d)
{
    forget(&d->root);
}

bool json_decode(struct json_decoder *d, const struct str *records, uint32_t count, struct batch *out,
                 const struct json_report *report, struct err *err)
{
    CHECK(count <= BATCH_ROWS_MAX);
    bool ok = true;
    d->arena = &out->arena;
    d->report = report;
    json_slot_begin(&d->root, count, d->arena);
    for (uint32_t row = 0, n; ok && row < count; row += n)
        if (UNLIKELY(!decode_rows(d, records, row, count, &n) && d->options.mode == JSON_FAILFAST))
            ok = fail_fast(d, err);
    struct column all = json_slot_finish(&d->root, count, d->arena);
    out->schema = d->schema;
    out->rows = count;
    out->columns = all.children;
    if (d->index_capacity > JSON_INDEX_KEEP) {
        mem_free(d->index);
        d->index = NULL;
        d->index_capacity = 0;
    }
    d->arena = NULL;
    d->report = NULL;
    return ok;
}

/* The compiled schema: slots (columns under construction) and keys (spellings of names).
 *
 * Columns are not zeroed before decoding and no list of missing fields is kept. A column's validity bits
 * start as zeros; writing a value sets its row's bit. What nobody wrote is therefore null, at no cost, and
 * json_slot_finish zeroes the values of null rows where there are any. A bad record, or a repeated field,
 * is undone by clearing bits.
 *
 * Names are guessed before they are looked up. Records of one stream mostly have the same fields in the
 * same order, so each key remembers the two that last came after it, and the reader compares bytes with
 * those: `"name":` with quotes and colon, in two loads of sixteen bytes. Names that have no column are
 * remembered in the same way, so a record with a hundred fields of which five are wanted is walked as fast
 * as any. What is remembered is bounded. */
#include "base/map.h"
#include "format/json_decode_private.h"
#include "type/timestamp.h"

enum { LIST_ROWS_MIN = 64, LIST_ROWS_KEEP = 1 << 16, LIST_ROWS_MAX = 1 << 30 };

/* ---- keys ---------------------------------------------------------------------------------------------- */

/* Would a JSON writer escape something in it? Then its bytes cannot be compared with a record's. */
static bool is_plain(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == '"' || name.p[i] == '\\')
            return false;
    return true;
}

static void key_prepare(struct json_key *key, struct arena *arena)
{
    key->size = key->reach = UINT32_MAX;
    if (!is_plain(key->name))
        return;
    uint32_t n = (uint32_t)key->name.n + 3;
    char *text = arena_alloc(arena, n);
    text[0] = '"';
    memcpy(text + 1, key->name.p, key->name.n);
    memcpy(text + n - 2, "\":", 2);
    key->text = text;
    key->size = n;
    if (n > JSON_KEY_FAST_MAX)
        return;
    uint32_t part = n < sizeof key->first ? n : (uint32_t)sizeof key->first;
    key->last_at = n - part;
    key->reach = (n > part ? n : (uint32_t)sizeof key->first) + 1;
    key->beyond = UINT32_C(0xFFFF) << part & 0xFFFF;
    memcpy(key->first, text, part);
    memcpy(key->last, text + key->last_at, part);
}

static void table_insert(struct json_slot *object, struct json_key *key)
{
    uint32_t at = (uint32_t)key->hash & object->table_mask;
    while (object->table[at] != NULL)
        at = (at + 1) & object->table_mask;
    object->table[at] = key;
}

static void table_grow(struct json_slot *object, struct arena *arena)
{
    struct json_key **old = object->table;
    uint32_t old_size = old ? object->table_mask + 1 : 0, size = old ? old_size * 2 : 16;
    object->table = arena_zarray(arena, struct json_key *, size);
    object->table_mask = size - 1;
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i] != NULL)
            table_insert(object, old[i]);
}

static struct json_key *key_add(struct json_slot *object, struct str name, struct json_slot *slot,
                                struct arena *arena)
{
    struct json_key *key = arena_new(arena, struct json_key);
    key->name = str_of(str_dup(arena, name));
    key->name.n = name.n; /* a zero byte may be in it */
    key->slot = slot;
    key->hash = hash_bytes(name.p, name.n);
    key_prepare(key, arena);
    if (++object->key_count * 2 > object->table_mask)
        table_grow(object, arena);
    table_insert(object, key);
    return key;
}

static struct json_key *table_get(const struct json_slot *object, struct str name)
{
    if (object->table == NULL)
        return NULL;
    uint32_t at = (uint32_t)hash_bytes(name.p, name.n) & object->table_mask;
    for (; object->table[at] != NULL; at = (at + 1) & object->table_mask)
        if (str_eq(object->table[at]->name, name))
            return object->table[at];
    return NULL;
}

struct json_key *json_slot_find(struct json_decoder *d, struct json_slot *object, struct str name,
                                struct json_slot **slot)
{
    struct json_key *key = table_get(object, name);
    if (key != NULL) {
        *slot = key->slot;
        return key;
    }
    *slot = NULL;
    if (d->options.nocase) {
        int field = type_field(object->type, name, true);
        if (field >= 0 && !(object == &d->root && field == d->corrupt))
            *slot = &object->children[field];
    }
    if (name.n > JSON_KEY_NAME_MAX || object->learnt_count >= JSON_KEY_LEARNT_MAX)
        return NULL;
    object->learnt_count++;
    return key_add(object, name, *slot, pool_arena(d->pool));
}

static bool is_list(const struct json_slot *slot)
{
    return slot->kind == TYPE_ARRAY || slot->kind == TYPE_MAP;
}

/* ---- building ------------------------------------------------------------------------------------------ */

const struct type *json_nullable(struct arena *arena, const struct type *type)
{
    if (type->kind == TYPE_ARRAY)
        return type_array(arena, json_nullable(arena, type->fields[0].type), true);
    if (type->kind == TYPE_MAP)
        return type_map(arena, type->fields[0].type, json_nullable(arena, type->fields[1].type), true);
    if (type->kind != TYPE_STRUCT)
        return type;
    struct field *fields = arena_zarray(arena, struct field, type->field_count);
    for (uint32_t i = 0; i < type->field_count; i++) {
        fields[i] = type->fields[i];
        fields[i].type = json_nullable(arena, fields[i].type);
        fields[i].nullable = true;
    }
    return type_struct(arena, fields, type->field_count);
}

static bool build_struct(struct json_decoder *d, struct json_slot *slot, unsigned depth, struct err *err)
{
    struct arena *arena = pool_arena(d->pool);
    struct json_key *last = NULL;
    for (uint32_t i = 0; i < slot->child_count; i++) {
        const struct field *field = &slot->type->fields[i];
        slot->children[i].name = field->name;
        if (!json_slot_build(d, &slot->children[i], field->type, depth + 1, err))
            return err_context(err, "field \"%s\"", field->name);
        slot->row_bytes += slot->children[i].row_bytes;
        if (slot == &d->root && (int)i == d->corrupt)
            continue;
        struct str name = str_of(field->name);
        if (table_get(slot, name) != NULL)
            return err_set(err, ERR_CONFIG, "there are two fields \"%s\"", field->name);
        struct json_key *key = key_add(slot, name, &slot->children[i], arena);
        if (last != NULL)
            last->next[0] = last->next[1] = key;
        else
            slot->first[0] = slot->first[1] = key;
        last = key;
    }
    return true;
}

bool json_slot_build(struct json_decoder *d, struct json_slot *slot, const struct type *type, unsigned depth,
                     struct err *err)
{
    if (depth > d->options.depth_max)
        return err_set(err, ERR_CONFIG, "types are nested deeper than %u", d->options.depth_max);
    if (type->kind == TYPE_MAP && type->fields[0].type->kind != TYPE_STRING)
        return err_set(err, ERR_CONFIG, "a map in JSON has STRING keys, not %s",
                       type->fields[0].type->kind == TYPE_INT ? "INT" : "others");
    slot->kind = type->kind;
    slot->type = type;
    slot->child_count = type->kind == TYPE_VARIANT ? 2 : type->field_count;
    slot->row_bytes = type_width(type) + 1 + (is_list(slot) ? sizeof(uint32_t) : 0);
    if (slot->child_count == 0)
        return true;
    slot->children = arena_zarray(pool_arena(d->pool), struct json_slot, slot->child_count);
    for (uint32_t i = 0; i < slot->child_count; i++)
        slot->children[i].parent = slot;
    if (type->kind == TYPE_STRUCT)
        return build_struct(d, slot, depth, err);
    if (type->kind == TYPE_VARIANT) {
        slot->children[0].kind = slot->children[1].kind = TYPE_BINARY;
        slot->children[0].type = slot->children[1].type = type_simple(TYPE_BINARY);
        slot->row_bytes += 2 * sizeof(struct view);
        return true;
    }
    for (uint32_t i = 0; i < slot->child_count; i++)
        if (!json_slot_build(d, &slot->children[i], type->fields[i].type, depth + 1, err))
            return false;
    return true;
}

/* ---- columns under construction ------------------------------------------------------------------------ */

/* Room for `capacity` rows, what is there kept: `rows` of them. */
static void reserve(struct json_slot *slot, uint32_t rows, uint32_t capacity, struct arena *arena)
{
    size_t width = type_width(slot->type), bits = ((size_t)rows + 7) / 8,
           all_bits = ((size_t)capacity + 7) / 8 + 8;
    uint8_t *validity = arena_zalloc(arena, all_bits);
    if (bits > 0)
        memcpy(validity, slot->validity, bits);
    slot->validity = validity;
    if (width > 0) {
        void *data = arena_alloc(arena, mem_product(capacity, width) + 16);
        if (rows > 0)
            memcpy(data, slot->data, rows * width);
        slot->data = data;
    }
    if (is_list(slot)) {
        uint32_t *offsets = arena_array(arena, uint32_t, (size_t)capacity + 1);
        if (rows > 0)
            memcpy(offsets, slot->offsets, ((size_t)slot->closed + 1) * sizeof(uint32_t));
        else
            offsets[0] = 0;
        slot->offsets = offsets;
        return;
    }
    for (uint32_t i = 0; i < slot->child_count; i++)
        reserve(&slot->children[i], rows, capacity, arena);
}

/* The elements of each list at or below slot begin anew. */
static void begin_lists(struct json_slot *slot, struct arena *arena)
{
    slot->closed = 0;
    for (uint32_t i = 0; i < slot->child_count; i++) {
        struct json_slot *child = &slot->children[i];
        if (is_list(slot)) {
            child->capacity = child->rows_before + LIST_ROWS_MIN;
            child->rows = 0;
            reserve(child, 0, child->capacity, arena);
        }
        begin_lists(child, arena);
    }
}

void json_slot_begin(struct json_slot *slot, uint32_t rows, struct arena *arena)
{
    reserve(slot, 0, rows, arena);
    begin_lists(slot, arena);
}

bool json_slot_grow(struct json_slot *slot, struct arena *arena)
{
    uint32_t capacity = slot->capacity * 2;
    if (slot->capacity >= LIST_ROWS_MAX || mem_product(capacity, slot->row_bytes) > JSON_ELEMENTS_MAX)
        return false;
    reserve(slot, slot->rows, capacity, arena);
    slot->capacity = capacity;
    return true;
}

/* ---- taking back --------------------------------------------------------------------------------------- */

static void truncate_rows(struct json_slot *slot, uint32_t to, uint32_t from)
{
    for (uint32_t row = to; row < from; row++)
        bit_clear(slot->validity, row);
    if (!is_list(slot)) {
        for (uint32_t i = 0; i < slot->child_count; i++)
            truncate_rows(&slot->children[i], to, from);
        return;
    }
    if (slot->closed < to)
        return;
    slot->closed = to;
    uint32_t start = slot->offsets[to];
    for (uint32_t i = 0; i < slot->child_count; i++) {
        truncate_rows(&slot->children[i], start, slot->children[i].rows);
        slot->children[i].rows = start;
    }
}

void json_slot_clear(struct json_slot *slot, uint32_t row)
{
    truncate_rows(slot, row, row + 1);
}

void json_slot_open(struct json_slot *slot, uint32_t row)
{
    uint32_t end = slot->children[0].rows;
    if (UNLIKELY(slot->closed > row)) {
        truncate_rows(slot, row, row + 1);
        return;
    }
    while (slot->closed < row)
        slot->offsets[++slot->closed] = end;
}

/* ---- the finished columns ------------------------------------------------------------------------------ */

static void zero_null_rows(struct column *column, size_t width)
{
    uint8_t *data = column->data;
    for (uint32_t row = 0; row < column->rows; row++) {
        uint8_t byte = column->validity[row >> 3];
        if (byte == 0xFF && (row & 7) == 0)
            row += 7;
        else if (!(byte >> (row & 7) & 1))
            memset(data + row * width, 0, width);
    }
}

static uint32_t count_bits(const uint8_t *bits, uint32_t rows)
{
    uint32_t count = 0;
    for (size_t at = 0; at < ((size_t)rows + 7) / 8;
         at += 8) { /* the array is eight bytes longer, of zeros */
        uint64_t word;
        memcpy(&word, bits + at, 8);
        count += (uint32_t)__builtin_popcountll(word);
    }
    return count;
}

struct column json_slot_finish(struct json_slot *slot, uint32_t rows, struct arena *arena)
{
    struct column column = {.type = slot->type, .encoding = COLUMN_FLAT, .rows = rows, .data = slot->data};
    size_t width = type_width(slot->type);
    if (slot->kind != TYPE_NULL && count_bits(slot->validity, rows) < rows) {
        column.validity = slot->validity;
        if (width > 0)
            zero_null_rows(&column, width);
    }
    if (is_list(slot)) {
        json_slot_open(slot, rows); /* closes the rows that nobody wrote */
        column.offsets = slot->offsets;
    }
    if (slot->child_count == 0)
        return column;
    column.children = arena_array(arena, struct column, slot->child_count);
    for (uint32_t i = 0; i < slot->child_count; i++) {
        struct json_slot *child = &slot->children[i];
        column.children[i] = json_slot_finish(child, is_list(slot) ? child->rows : rows, arena);
        child->rows_before = child->rows < LIST_ROWS_KEEP ? child->rows : LIST_ROWS_KEEP;
    }
    return column;
}

/* ---- where --------------------------------------------------------------------------------------------- */

/* Writes `text` before *at, as far as there is room. */
static void prepend(char *path, size_t *at, struct str text)
{
    size_t n = text.n < *at ? text.n : *at;
    *at -= n;
    memcpy(path + *at, text.p + (text.n - n), n);
}

struct str json_slot_path(struct json_decoder *d, const struct json_slot *slot, struct str last)
{
    size_t at = sizeof d->path;
    bool dot = last.n > 0;
    prepend(d->path, &at, last);
    for (; slot != NULL && slot->parent != NULL; slot = slot->parent) {
        if (dot && slot->parent != NULL)
            prepend(d->path, &at, STR("."));
        if (slot->name != NULL)
            prepend(d->path, &at, str_of(slot->name));
        else
            prepend(d->path, &at, STR("[]"));
        dot = slot->name != NULL;
    }
    return str_n(d->path + at, sizeof d->path - at);
}

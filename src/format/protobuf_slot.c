/* Columns under construction.
 *
 * A column's validity bits and values start as zeros. Writing a value stores it, and sets its row's bit where that is not set
 * already, as it is for fields without presence; what nobody wrote is therefore null, or zero. A bad record, or a member of a oneof
 * that another one follows, is undone by zeroing its rows again.
 *
 * Elements of a list are rows of their own. They are only ever added to the list's last row, the open one, which closes when a later
 * row opens: so the elements of one field may come in any number of pieces, other fields in between. */
#include "format/protobuf_decode_private.h"

enum { LIST_ROWS_MIN = 64, LIST_ROWS_KEEP = 1 << 16, LIST_ROWS_MAX = 1 << 30 };

/* ---- building ------------------------------------------------------------------------------------------------------------- */

bool protobuf_slot_build(struct arena *arena, struct protobuf_slot *slot, const struct type *type,
                         unsigned depth, struct err *err)
{
    if (depth > TYPE_DEPTH_MAX)
        return err_set(err, ERR_CONFIG, "columns are nested deeper than %d", TYPE_DEPTH_MAX);
    slot->kind = type->kind;
    slot->type = type;
    slot->child_count = column_child_count(type);
    slot->width = (uint32_t)type_width(type);
    slot->row_bytes = slot->width + 1 + (protobuf_is_list(slot) ? sizeof(uint32_t) : 0);
    if (slot->child_count == 0)
        return true;
    slot->children = arena_zarray(arena, struct protobuf_slot, slot->child_count);
    for (uint32_t i = 0; i < slot->child_count; i++) {
        TRY(protobuf_slot_build(arena, &slot->children[i], column_child_type(type, i), depth + 1, err));
        if (!protobuf_is_list(slot))
            slot->row_bytes += slot->children[i].row_bytes;
    }
    return true;
}

/* ---- room ----------------------------------------------------------------------------------------------------------------- */

/* size bytes of zeros, of which the first `kept` are those of `from`. */
static void *widen(const void *from, size_t kept, size_t size, struct arena *arena)
{
    uint8_t *to = arena_alloc(arena, size);
    if (kept > 0)
        memcpy(to, from, kept);
    memset(to + kept, 0, size - kept);
    return to;
}

/* Room for `capacity` rows, what is there kept: `rows` of them. */
static void reserve(struct protobuf_slot *slot, uint32_t rows, uint32_t capacity, struct arena *arena)
{
    slot->validity = widen(slot->validity, ((size_t)rows + 7) / 8, ((size_t)capacity + 7) / 8 + 8, arena);
    if (slot->width > 0)
        slot->data = widen(slot->data, mem_product(rows, slot->width), mem_product(capacity, slot->width),
                           arena);
    if (protobuf_is_list(slot)) {
        size_t kept = rows > 0 ? (size_t)slot->open + 1 : 0;
        slot->offsets = widen(slot->offsets, kept * sizeof(uint32_t),
                              mem_product((size_t)capacity + 1, sizeof(uint32_t)), arena);
        return;
    }
    for (uint32_t i = 0; i < slot->child_count; i++)
        reserve(&slot->children[i], rows, capacity, arena);
}

/* The elements of each list at or below slot begin anew. */
static void begin_lists(struct protobuf_slot *slot, struct arena *arena)
{
    slot->open = 0;
    for (uint32_t i = 0; i < slot->child_count; i++) {
        struct protobuf_slot *child = &slot->children[i];
        if (protobuf_is_list(slot)) {
            child->capacity = child->rows_before + LIST_ROWS_MIN;
            child->rows = 0;
            reserve(child, 0, child->capacity, arena);
        }
        begin_lists(child, arena);
    }
}

void protobuf_slot_begin(struct protobuf_slot *slot, uint32_t rows, struct arena *arena)
{
    reserve(slot, 0, rows, arena);
    begin_lists(slot, arena);
}

bool protobuf_slot_grow(struct protobuf_slot *list, struct arena *arena)
{
    for (uint32_t i = 0; i < list->child_count; i++) {
        struct protobuf_slot *slot = &list->children[i];
        uint32_t capacity = slot->capacity * 2;
        if (slot->rows < slot->capacity)
            continue;
        if (slot->capacity >= LIST_ROWS_MAX || mem_product(capacity, slot->row_bytes) > PROTOBUF_ELEMENTS_MAX)
            return false;
        reserve(slot, slot->rows, capacity, arena);
        slot->capacity = capacity;
    }
    return true;
}

/* ---- taking back ---------------------------------------------------------------------------------------------------------- */

static void clear_rows(struct protobuf_slot *slot, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    for (uint32_t row = from; row < to; row++)
        bit_clear(slot->validity, row);
    if (slot->width > 0)
        memset(slot->data + (size_t)from * slot->width, 0, (size_t)(to - from) * slot->width);
    if (!protobuf_is_list(slot)) {
        for (uint32_t i = 0; i < slot->child_count; i++)
            clear_rows(&slot->children[i], from, to);
        return;
    }
    if (slot->open < from)
        return;
    slot->open = from;
    for (uint32_t i = 0; i < slot->child_count; i++) {
        struct protobuf_slot *child = &slot->children[i];
        clear_rows(child, slot->offsets[from], child->rows);
        child->rows = slot->offsets[from];
    }
}

void protobuf_slot_clear(struct protobuf_slot *slot, uint32_t row)
{
    clear_rows(slot, row, row + 1);
}

void protobuf_slot_open(struct protobuf_slot *list, uint32_t row)
{
    DCHECK(list->open <= row);
    while (list->open < row)
        list->offsets[++list->open] = list->children[0].rows;
}

/* ---- the finished columns ------------------------------------------------------------------------------------------------- */

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

struct column protobuf_slot_finish(struct protobuf_slot *slot, uint32_t rows, struct arena *arena)
{
    struct column column = {.type = slot->type, .encoding = COLUMN_FLAT, .rows = rows, .data = slot->data};
    if (slot->kind != TYPE_NULL && count_bits(slot->validity, rows) < rows)
        column.validity = slot->validity;
    if (protobuf_is_list(slot)) {
        protobuf_slot_open(slot, rows);
        column.offsets = slot->offsets;
    }
    if (slot->child_count == 0)
        return column;
    column.children = arena_array(arena, struct column, slot->child_count);
    for (uint32_t i = 0; i < slot->child_count; i++) {
        struct protobuf_slot *child = &slot->children[i];
        column.children[i] = protobuf_slot_finish(child, protobuf_is_list(slot) ? child->rows : rows, arena);
        child->rows_before = child->rows < LIST_ROWS_KEEP ? child->rows : LIST_ROWS_KEEP;
    }
    return column;
}

/* Shredding: from columns to definition and repetition levels, column by column.
 *
 * A node receives its entries (struct shred): for each, the row of its column and the levels so far. It
 * resolves the column's encoding, takes out the nulls, and hands the entries to its children: the same ones
 * through a struct, the elements through a list. Entries without a value (a null somewhere above, an empty
 * list) stay in the list as SHRED_DEAD, since every leaf below needs their levels. As long as nothing is
 * null and nothing is selected, no array is made at all: a plain column reaches its page as one range. */
#include "format/parquet_write_i.h"

struct shredder {
    struct parquet_writer *w;
    struct node *top;
    struct err *err;
};

static bool shred_node(struct shredder *t, struct node *node, const struct column *c, struct shred s);

static uint32_t *own_idx(struct shredder *t, struct shred *s)
{
    uint32_t *idx = arena_array(&t->w->scratch, uint32_t, s->n + 1);
    if (s->idx)
        memcpy(idx, s->idx, s->n * sizeof *idx);
    else
        for (uint32_t i = 0; i < s->n; i++)
            idx[i] = s->first + i;
    s->idx = idx;
    return idx;
}

static uint8_t *own_def(struct shredder *t, struct shred *s)
{
    uint8_t *def = arena_array(&t->w->scratch, uint8_t, s->n + 1);
    if (s->def)
        memcpy(def, s->def, s->n);
    else
        memset(def, s->def_all, s->n);
    s->def = def;
    return def;
}

/* Are rows first..first+n of the bitmap all valid? */
static bool all_valid(const uint8_t *validity, uint32_t first, uint32_t n)
{
    uint32_t i = first, end = first + n;
    for (; i < end && (i & 7); i++)
        if (!bit_get(validity, i))
            return false;
    for (; i + 8 <= end; i += 8)
        if (validity[i >> 3] != 0xFF)
            return false;
    for (; i < end; i++)
        if (!bit_get(validity, i))
            return false;
    return true;
}

/* Entries whose row is not valid die; of the others' levels nothing changes. */
static void kill_nulls(struct shredder *t, const struct column *c, struct shred *s)
{
    if (c->type->kind == TYPE_NULL) {
        uint32_t *idx = own_idx(t, s);
        memset(idx, 0xFF, s->n * sizeof *idx);
        s->alive = 0;
        return;
    }
    if (c->validity == NULL || s->alive == 0 || (s->idx == NULL && all_valid(c->validity, s->first, s->n)))
        return;
    bool was_range = s->idx == NULL;
    uint32_t *idx = was_range ? arena_array(&t->w->scratch, uint32_t, s->n + 1) : own_idx(t, s), alive = 0;
    if (was_range) {
        for (uint32_t i = 0; i < s->n; i++) {
            uint32_t row = s->first + i, valid = bit_get(c->validity, row);
            idx[i] = row | (valid - 1);
            alive += valid;
        }
    } else {
        for (uint32_t i = 0; i < s->n; i++) {
            uint32_t valid = idx[i] != SHRED_DEAD && bit_get(c->validity, idx[i]);
            idx[i] |= valid - 1;
            alive += valid;
        }
    }
    s->idx = idx;
    s->alive = alive;
}

/* Rows of a constant are its row 0, of a dictionary column the rows of its dictionary. */
static const struct column *resolve(struct shredder *t, const struct column *c, struct shred *s)
{
    if (c->encoding == COLUMN_FLAT)
        return c;
    uint32_t *idx = own_idx(t, s);
    if (c->encoding == COLUMN_CONSTANT) {
        for (uint32_t i = 0; i < s->n; i++)
            idx[i] = idx[i] == SHRED_DEAD ? SHRED_DEAD : 0;
        return c;
    }
    for (uint32_t i = 0; i < s->n; i++)
        if (idx[i] != SHRED_DEAD)
            idx[i] = c->indices[idx[i]];
    return c->dictionary;
}

/* After the nulls are out: an optional node's entries that live are one level higher. */
static bool raise_def(struct shredder *t, struct node *node, struct shred *s, uint32_t alive_before)
{
    if (!node->in_list)
        node->nulls += s->n - s->alive;
    if (!node->optional) {
        if (s->alive == alive_before)
            return true;
        t->w->failed = true;
        return err_set(t->err, ERR_DATA, "cannot store NULL in \"%s\"%s%s%s, which is not nullable",
                       node->name, node == t->top ? "" : " of \"", node == t->top ? "" : t->top->name,
                       node == t->top ? "" : "\"");
    }
    if (s->alive == s->n && s->def == NULL) {
        s->def_all++;
        return true;
    }
    uint8_t *def = own_def(t, s);
    if (s->idx == NULL)
        for (uint32_t i = 0; i < s->n; i++)
            def[i]++;
    else
        for (uint32_t i = 0; i < s->n; i++)
            def[i] = (uint8_t)(def[i] + (s->idx[i] != SHRED_DEAD));
    return true;
}

static uint32_t element_entries(const struct column *c, const struct shred *s)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t row = s->idx ? s->idx[i] : s->first + i;
        uint32_t count = row == SHRED_DEAD ? 0 : c->offsets[row + 1] - c->offsets[row];
        n += count ? count : 1;
    }
    return n > PARQUET_ELEMENTS_MAX ? UINT32_MAX : (uint32_t)n;
}

/* Entries of a list (nulls are out) → entries of its elements. */
static bool expand(struct shredder *t, struct node *node, const struct column *c, const struct shred *s,
                   struct shred *out)
{
    uint32_t n = element_entries(c, s), at = 0, alive = 0;
    if (n == UINT32_MAX) {
        t->w->failed = true;
        return err_set(t->err, ERR_DATA, "cannot store \"%s\": its lists have more than %d elements",
                       t->top->name, PARQUET_ELEMENTS_MAX);
    }
    uint32_t *idx = arena_array(&t->w->scratch, uint32_t, n + 1);
    uint8_t *def = arena_array(&t->w->scratch, uint8_t, n + 1),
            *rep = arena_array(&t->w->scratch, uint8_t, n + 1);
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t row = s->idx ? s->idx[i] : s->first + i;
        uint8_t d = s->def ? s->def[i] : s->def_all, r = s->rep ? s->rep[i] : 0;
        uint32_t begin = row == SHRED_DEAD ? 0 : c->offsets[row],
                 end = row == SHRED_DEAD ? 0 : c->offsets[row + 1];
        idx[at] = SHRED_DEAD;
        def[at] = d;
        rep[at] = r;
        if (begin == end) {
            at++;
            continue;
        }
        memset(def + at, d + 1, end - begin);
        memset(rep + at, node->rep + 1, end - begin);
        rep[at] = r;
        for (uint32_t j = begin; j < end; j++)
            idx[at++] = j;
        alive += end - begin;
    }
    DCHECK(at == n);
    *out = (struct shred){.n = n, .alive = alive, .idx = idx, .def = def, .rep = rep};
    return true;
}

static bool shred_leaf(struct shredder *t, struct node *node, const struct column *c, struct shred s)
{
    uint32_t alive = s.alive;
    kill_nulls(t, c, &s); /* of the rows; a constant has one */
    if (c->encoding == COLUMN_DICTIONARY && c->dictionary->validity) {
        c = resolve(t, c, &s);
        kill_nulls(t, c, &s);
    }
    TRY(raise_def(t, node, &s, alive));
    return leaf_add(t->w, node->leaf, c, &s, t->err);
}

static bool shred_node(struct shredder *t, struct node *node, const struct column *c, struct shred s)
{
    if (node->leaf && c->encoding != COLUMN_CONSTANT)
        return shred_leaf(t, node, c, s);
    uint32_t alive = s.alive;
    if (c->encoding == COLUMN_CONSTANT) {
        c = resolve(t, c, &s);
        kill_nulls(t, c, &s);
    } else {
        kill_nulls(t, c, &s);
        const struct column *values = resolve(t, c, &s);
        if (values != c)
            kill_nulls(t, values, &s);
        c = values;
    }
    TRY(raise_def(t, node, &s, alive));
    if (node->leaf)
        return leaf_add(t->w, node->leaf, c, &s, t->err);
    struct shred elements = s;
    if (node->type->kind == TYPE_ARRAY || node->type->kind == TYPE_MAP)
        TRY(expand(t, node, c, &s, &elements));
    for (uint32_t i = 0; i < node->child_count; i++)
        TRY(shred_node(t, &node->children[i], &c->children[i], elements));
    return true;
}

bool shred_column(struct parquet_writer *w, struct node *node, const struct column *column,
                  const uint32_t *rows, uint32_t first, uint32_t count, struct err *err)
{
    struct shredder t = {w, node, err};
    struct shred s = {
        .n = count, .alive = count, .idx = rows ? rows + first : NULL, .first = rows ? 0 : first};
    return shred_node(&t, node, column, s);
}

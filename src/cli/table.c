#include "cli/table.h"

#include <unicode/uchar.h>

#include "base/utf8.h"

/* ---- texts on a terminal ------------------------------------------------------------------------------------------ */

static int code_width(uint32_t c)
{
    if (c < 0x300)
        return 1;
    int type = u_charType((UChar32)c);
    if (type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK || type == U_FORMAT_CHAR)
        return 0;
    int width = u_getIntPropertyValue((UChar32)c, UCHAR_EAST_ASIAN_WIDTH);
    return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

int text_width(struct str text)
{
    int width = 0;
    for (size_t i = 0; i < text.n;) {
        uint32_t code;
        size_t n = utf8_decode(text.p + i, text.n - i, &code);
        width += n ? code_width(code) : 1;
        i += n ? n : 1;
    }
    return width;
}

static void spaces(struct sbuf *out, int n)
{
    for (; n > 0; n--)
        sbuf_char(out, ' ');
}

void text_fit(struct sbuf *out, struct str text, int width, bool right, bool pad)
{
    int whole = text_width(text), used = 0;
    if (whole <= width || width <= 0) {
        if (right && pad)
            spaces(out, width - whole);
        sbuf_str(out, text);
        if (!right && pad)
            spaces(out, width - whole);
        return;
    }
    for (size_t i = 0; i < text.n;) {
        uint32_t code;
        size_t n = utf8_decode(text.p + i, text.n - i, &code);
        int w = n ? code_width(code) : 1;
        if (used + w > width - 1)
            break;
        sbuf_add(out, text.p + i, n ? n : 1);
        used += w;
        i += n ? n : 1;
    }
    sbuf_cstr(out, "…");
    if (pad)
        spaces(out, width - used - 1);
}

/* ---- tables ----------------------------------------------------------------------------------------------------------- */

void table_init(struct table *t, struct command_env *env, const struct table_column *columns, uint32_t count)
{
    *t = (struct table){.env = env, .count = count};
    t->columns = arena_array(&t->arena, struct table_column, count + 1);
    if (count)
        memcpy(t->columns, columns, count * sizeof *columns);
    t->rows = arena_array(&t->arena, struct str *, TABLE_SAMPLE);
}

static struct str cell_text(struct str cell)
{
    return cell.p ? cell : STR("NULL");
}

/* The widest columns give until the table fits. */
static void fit_columns(struct table *t)
{
    int limit = t->env->columns, total = -3;
    for (uint32_t c = 0; c < t->count; c++)
        total += t->columns[c].width + 3;
    while (limit > 0 && total > limit) {
        uint32_t widest = 0;
        for (uint32_t c = 1; c < t->count; c++)
            if (t->columns[c].width > t->columns[widest].width)
                widest = c;
        if (t->columns[widest].width <= TABLE_WIDTH_MIN)
            break;
        t->columns[widest].width--;
        total--;
    }
}

static void print_row(struct table *t, const struct str *cells)
{
    struct sbuf line = {0};
    for (uint32_t c = 0; c < t->count; c++) {
        sbuf_cstr(&line, c ? " | " : "");
        text_fit(&line, cell_text(cells[c]), t->columns[c].width, t->columns[c].right,
                 c + 1 < t->count || t->columns[c].right);
    }
    sbuf_char(&line, '\n');
    env_add(t->env, sbuf_view(&line));
    sbuf_fini(&line);
}

static void begin(struct table *t)
{
    struct sbuf line = {0};
    struct str *names = arena_array(&t->arena, struct str, t->count + 1);
    t->begun = true;
    for (uint32_t c = 0; c < t->count; c++) {
        struct table_column *column = &t->columns[c];
        names[c] = str_of(column->name);
        column->width = text_width(names[c]);
        for (uint32_t r = 0; r < t->kept; r++) {
            int width = text_width(cell_text(t->rows[r][c]));
            column->width = width > column->width ? width : column->width;
        }
        if (column->width > TABLE_WIDTH_MAX)
            column->width = TABLE_WIDTH_MAX;
    }
    fit_columns(t);
    print_row(t, names);
    for (uint32_t c = 0; c < t->count; c++) {
        sbuf_cstr(&line, c ? "-+-" : "");
        for (int i = 0; i < t->columns[c].width; i++)
            sbuf_char(&line, '-');
    }
    sbuf_char(&line, '\n');
    env_add(t->env, sbuf_view(&line));
    sbuf_fini(&line);
    for (uint32_t r = 0; r < t->kept; r++)
        print_row(t, t->rows[r]);
    t->kept = 0;
}

void table_row(struct table *t, const struct str *cells)
{
    struct sbuf text = {0};
    struct arena scratch = {0};
    struct arena *arena = t->begun ? &scratch : &t->arena;
    struct str *row = arena_zarray(arena, struct str, t->count + 1);
    for (uint32_t c = 0; c < t->count; c++) {
        if (cells[c].p == NULL)
            continue;
        sbuf_clear(&text);
        sbuf_visible(&text, cells[c]);
        row[c] = str_n(arena_dup(arena, text.n ? text.p : "", text.n), text.n);
    }
    t->total++;
    if (t->begun)
        print_row(t, row);
    else
        t->rows[t->kept++] = row;
    if (t->kept == TABLE_SAMPLE)
        begin(t);
    sbuf_fini(&text);
    arena_fini(&scratch);
}

void table_end(struct table *t, bool footer)
{
    if (!t->begun)
        begin(t);
    if (footer)
        env_print(t->env, "(%llu row%s)\n", (unsigned long long)t->total, t->total == 1 ? "" : "s");
    arena_fini(&t->arena);
}

/* sentences(): ICU's rules of where sentences and words end. */
#include <stdio.h>
#include <unicode/ubrk.h>
#include <unicode/utext.h>

#include "base/utf8.h"
#include "op/kernels_private.h"

enum { LOCALE_MAX = 32 };

/* Words of text[from, to) become elements of `words`. */
static void add_words(UBreakIterator *breaks, struct str text, int32_t from, int32_t to,
                      struct column_builder *words)
{
    int32_t at = ubrk_preceding(breaks, from + 1);
    for (int32_t end = ubrk_next(breaks); end != UBRK_DONE && at < to; at = end, end = ubrk_next(breaks))
        if (ubrk_getRuleStatus(breaks) != UBRK_WORD_NONE && at >= from)
            column_builder_str(words, str_n(text.p + at, (size_t)(end - at)), false);
}

static void split_text(struct str text, const char *locale, struct column_builder *sentences)
{
    UErrorCode error = U_ZERO_ERROR;
    UText whole = UTEXT_INITIALIZER;
    utext_openUTF8(&whole, text.p, (int64_t)text.n, &error);
    UBreakIterator *outer = ubrk_open(UBRK_SENTENCE, locale, NULL, 0, &error);
    UBreakIterator *inner = ubrk_open(UBRK_WORD, locale, NULL, 0, &error);
    if (U_SUCCESS(error)) {
        ubrk_setUText(outer, &whole, &error);
        ubrk_setUText(inner, &whole, &error);
    }
    for (int32_t at = 0, end; U_SUCCESS(error) && (end = ubrk_next(outer)) != UBRK_DONE; at = end) {
        add_words(inner, text, at, end, &sentences->children[0]);
        column_builder_nested(sentences);
    }
    ubrk_close(outer);
    ubrk_close(inner);
    utext_close(&whole);
}

void kernel_sentences(struct call *c)
{
    struct column_builder b;
    uint32_t next = 0;
    column_builder_init(&b, c->out->type, c->arena);
    for (EACH_ROW(c, row)) {
        char locale[LOCALE_MAX] = "en_US";
        for (; next < row; next++)
            column_builder_null(&b);
        next++;
        struct str text = arg_null(c, 0, row) ? STR("") : arg_str(c, 0, row);
        if (arg_null(c, 0, row) || text.n > INT32_MAX / 2 || !utf8_valid(text.p, text.n)) {
            column_builder_null(&b);
            continue;
        }
        if (c->arg_count > 1 && !arg_null(c, 1, row)) {
            struct str language = arg_str(c, 1, row);
            bool country = c->arg_count > 2 && !arg_null(c, 2, row);
            struct str where = country ? arg_str(c, 2, row) : STR("");
            snprintf(locale, sizeof(locale), "%.*s%s%.*s", (int)(language.n < 8 ? language.n : 8), language.p,
                     country ? "_" : "", (int)(where.n < 8 ? where.n : 8), where.p);
        }
        split_text(text, locale, &b.children[0]);
        column_builder_nested(&b);
    }
    for (; next < c->rows; next++)
        column_builder_null(&b);
    *c->out = column_builder_finish(&b);
}

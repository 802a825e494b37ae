/* Numbers by SQL formats: to_char, to_number. A format is [S|MI|$|L] digits [MI|S|PR], digits being 0 and 9 with
 * one point (. or D) and separators (, or G). */
#include "op/kernels_private.h"
#include "type/decimal.h"

enum { FORMAT_MAX = 100 };

struct number_format {
    char digits[FORMAT_MAX]; /* 0 9 , . */
    uint32_t count, whole, fraction;
    bool leading_zero; /* a 0 before the point: filled with zeros from there on */
    bool dollar, minus_front, minus_back, sign_front, sign_back, brackets;
};

static bool take(struct str *s, const char *word, bool front)
{
    struct str w = str_of(word);
    if (s->n < w.n || !str_eq_nocase(str_n(front ? s->p : s->p + s->n - w.n, w.n), w))
        return false;
    s->p += front ? w.n : 0;
    s->n -= w.n;
    return true;
}

/* false: not such a format. */
static bool format_parse(struct str s, struct number_format *f)
{
    *f = (struct number_format){.count = 0};
    f->minus_front = take(&s, "MI", true);
    f->sign_front = !f->minus_front && take(&s, "S", true);
    f->dollar = take(&s, "$", true) || take(&s, "L", true);
    f->brackets = take(&s, "PR", false);
    f->minus_back = !f->brackets && take(&s, "MI", false);
    f->sign_back = !f->brackets && !f->minus_back && take(&s, "S", false);
    bool point = false;
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i] == 'D' || s.p[i] == 'd' ? '.' : s.p[i] == 'G' || s.p[i] == 'g' ? ',' : s.p[i];
        if (f->count == FORMAT_MAX || !strchr("09,.", ch) || (ch == '.' && point) || (ch == ',' && point))
            return false;
        f->digits[f->count++] = ch;
        point |= ch == '.';
        f->leading_zero |= ch == '0' && !point && f->whole == 0;
        f->whole += !point && ch != ',';
        f->fraction += point && ch != '.';
    }
    return f->whole + f->fraction > 0 && f->whole + f->fraction <= DECIMAL_PRECISION_MAX;
}

static bool format_of(struct call *c, uint32_t row, struct number_format *f)
{
    struct str text = arg_str(c, 1, row);
    if (format_parse(text, f))
        return true;
    out_error(c, row, "INVALID_FORMAT: \"%.*s\" is not a format of numbers", (int)(text.n < 80 ? text.n : 80),
              text.p);
    return false;
}

/* ---- to_char ------------------------------------------------------------------------------------------------- */

static void sign_before(const struct number_format *f, bool negative, struct sbuf *out)
{
    if (f->brackets)
        sbuf_char(out, negative ? '<' : ' ');
    if (f->sign_front)
        sbuf_char(out, negative ? '-' : '+');
    if (f->minus_front)
        sbuf_char(out, negative ? '-' : ' ');
    if (f->dollar)
        sbuf_char(out, '$');
}

static void sign_behind(const struct number_format *f, bool negative, struct sbuf *out)
{
    if (f->brackets)
        sbuf_char(out, negative ? '>' : ' ');
    if (f->sign_back)
        sbuf_char(out, negative ? '-' : '+');
    if (f->minus_back)
        sbuf_char(out, negative ? '-' : ' ');
}

/* digits[whole + fraction], without a sign. */
static void print_digits(const struct number_format *f, const char *digits, struct sbuf *out)
{
    uint32_t at = 0;
    bool started = false;
    for (uint32_t i = 0; i < f->count; i++) {
        char ch = f->digits[i];
        if (ch == '.') {
            sbuf_char(out, '.');
            started = true;
        } else if (ch == ',') {
            sbuf_char(out, started ? ',' : ' ');
        } else {
            started |= digits[at] != '0' || ch == '0' || at + 1 == f->whole;
            sbuf_char(out, started ? digits[at] : ' ');
            at++;
        }
    }
}

static void to_char_row(struct call *c, uint32_t row, struct sbuf *out)
{
    struct number_format f;
    char digits[DECIMAL_PRECISION_MAX + 2];
    i128 v = arg_kind(c, 0) == TYPE_DECIMAL ? ARG(c, i128, 0, row) : 0;
    unsigned scale = c->args[0].type->scale;
    if (!format_of(c, row, &f))
        return;
    if (arg_kind(c, 0) == TYPE_FLOAT || arg_kind(c, 0) == TYPE_DOUBLE) {
        if (!decimal_from_f64(arg_f64(c, 0, row),
                              (struct decimal_shape){DECIMAL_PRECISION_MAX, (uint8_t)f.fraction}, &v)) {
            out_null(c, row);
            return;
        }
        scale = f.fraction;
    } else if (arg_kind(c, 0) != TYPE_DECIMAL) {
        v = arg_i64(c, 0, row);
        scale = 0;
    }
    struct decimal_shape shape = {DECIMAL_PRECISION_MAX, (uint8_t)f.fraction};
    bool fits = decimal_rescale(v, scale, shape, &v) && decimal_fits(v, f.whole + f.fraction),
         negative = v < 0;
    unsigned __int128 rest = negative ? -(unsigned __int128)v : (unsigned __int128)v;
    for (uint32_t i = f.whole + f.fraction; i-- > 0; rest /= 10)
        digits[i] = fits ? (char)('0' + (int)(rest % 10)) : '#';
    sbuf_clear(out);
    sign_before(&f, negative, out);
    print_digits(&f, digits, out);
    sign_behind(&f, negative, out);
    out_copy(c, row, sbuf_view(out));
}

static void to_char_rows(struct call *c)
{
    struct sbuf out = {0};
    for (EACH_ROW(c, row))
        to_char_row(c, row, &out);
    sbuf_fini(&out);
}

static void binary_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row), format = arg_str(c, 1, row);
        if (str_eq_nocase(format, STR("utf-8")))
            out_str(c, row, s);
        else if (str_eq_nocase(format, STR("hex")))
            out_hex(c, row, s);
        else if (str_eq_nocase(format, STR("base64")))
            out_base64(c, row, s);
        else
            out_error(c, row, "INVALID_PARAMETER_VALUE.BINARY_FORMAT: \"%.*s\" is not hex, utf-8 or base64",
                      (int)(format.n < 40 ? format.n : 40), format.p);
    }
}

bool pick_to_char(struct kernel_pick *p, struct err *err)
{
    const struct type *t = p->expr->args[0]->type;
    if (t->kind == TYPE_DATE || t->kind == TYPE_TIMESTAMP || t->kind == TYPE_TIMESTAMP_NTZ)
        return pick_date_format(p, err);
    p->run = type_is_view(t) ? binary_rows : to_char_rows;
    return true;
}

/* ---- to_number ----------------------------------------------------------------------------------------------- */

/* The text against the format; the digits as a number of the format's scale. */
static bool number_parse(const struct number_format *f, struct str s, i128 *out)
{
    bool negative = false, open = false, any = false;
    s = str_trim(s);
    if (f->brackets)
        open = take(&s, "<", true);
    if ((f->sign_front || f->minus_front) && s.n && (s.p[0] == '-' || (s.p[0] == '+' && f->sign_front))) {
        negative = s.p[0] == '-';
        s = str_n(s.p + 1, s.n - 1);
    }
    if (f->dollar && !take(&s, "$", true))
        return false;
    if (open && !take(&s, ">", false))
        return false;
    if ((f->sign_back || f->minus_back) && s.n &&
        (s.p[s.n - 1] == '-' || (s.p[s.n - 1] == '+' && f->sign_back))) {
        negative = s.p[s.n - 1] == '-';
        s.n--;
    }
    uint32_t whole = 0, fraction = 0;
    i128 v = 0;
    bool point = false;
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        if (ch == ',' && !point && memchr(f->digits, ',', f->count))
            continue;
        if (ch == '.' && !point && f->fraction) {
            point = true;
            continue;
        }
        if (ch < '0' || ch > '9' || (point ? ++fraction > f->fraction : ++whole > f->whole))
            return false;
        v = v * 10 + (ch - '0');
        any = true;
    }
    for (; fraction < f->fraction; fraction++)
        v *= 10;
    *out = negative || open ? -v : v;
    return any && (!f->leading_zero || whole == f->whole || whole > 0);
}

void kernel_to_number(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct number_format f;
        struct str s = arg_str(c, 0, row);
        i128 v;
        if (!format_of(c, row, &f))
            continue;
        if (number_parse(&f, s, &v) && decimal_rescale(v, f.fraction, decimal_shape_of(c->out->type), &v))
            OUT(c, i128)[row] = v;
        else
            out_error(c, row, "INVALID_FORMAT.MISMATCH_INPUT: \"%.*s\" does not match the format",
                      (int)(s.n < 80 ? s.n : 80), s.p);
    }
}

/* Argument rules: "string, int, int -> 1". The words are explained at the top of function.def.
 *
 * Two passes over the arguments: the first converts those whose type the rule names, and finds what the type variables stand for; the second
 * converts the arguments that share one. The texts are our own, so a malformed one is a programmer's error (a test reads them all). */
#include "sql/bind_private.h"
#include "type/cast.h"

enum spec_kind {
    SPEC_TYPE,  /* a simple type */
    SPEC_CLASS, /* any of several, kept */
    SPEC_VAR,   /* T U K V */
    SPEC_SAME,  /* the type of argument `index` */
    SPEC_ARRAY,
    SPEC_MAP,
};

enum class {
    CLASS_TEXT,
    CLASS_NUMBER,
    CLASS_INTEGRAL,
    CLASS_FRACTION,
    CLASS_TIME,
    CLASS_ANYTIME,
    CLASS_ANY,
    CLASS_ORDER
};

enum { SPECS_MAX = 8, PARTS_MAX = 24 };

struct spec {
    enum spec_kind kind;
    enum type_kind type;
    enum class class;
    unsigned index; /* VAR: 0..3; SAME: argument, from 0 */
    bool never_null, always_null;
    struct spec *a, *b; /* of ARRAY, MAP */
};

struct rule {
    struct spec parts[PARTS_MAX];
    unsigned part_count;
    struct spec *args[SPECS_MAX];
    unsigned arg_count;
    bool repeats; /* the last one holds for all that follow */
    struct spec *result;
};

static const struct {
    const char *name;
    uint8_t kind, value;
} words[] = {
    {"null", SPEC_TYPE, TYPE_NULL},
    {"boolean", SPEC_TYPE, TYPE_BOOLEAN},
    {"byte", SPEC_TYPE, TYPE_BYTE},
    {"short", SPEC_TYPE, TYPE_SHORT},
    {"int", SPEC_TYPE, TYPE_INT},
    {"long", SPEC_TYPE, TYPE_LONG},
    {"float", SPEC_TYPE, TYPE_FLOAT},
    {"double", SPEC_TYPE, TYPE_DOUBLE},
    {"decimal", SPEC_TYPE, TYPE_DECIMAL},
    {"string", SPEC_TYPE, TYPE_STRING},
    {"binary", SPEC_TYPE, TYPE_BINARY},
    {"date", SPEC_TYPE, TYPE_DATE},
    {"timestamp", SPEC_TYPE, TYPE_TIMESTAMP},
    {"ntz", SPEC_TYPE, TYPE_TIMESTAMP_NTZ},
    {"interval_ym", SPEC_TYPE, TYPE_INTERVAL_YM},
    {"interval_dt", SPEC_TYPE, TYPE_INTERVAL_DT},
    {"variant", SPEC_TYPE, TYPE_VARIANT},
    {"text", SPEC_CLASS, CLASS_TEXT},
    {"number", SPEC_CLASS, CLASS_NUMBER},
    {"integral", SPEC_CLASS, CLASS_INTEGRAL},
    {"fraction", SPEC_CLASS, CLASS_FRACTION},
    {"time", SPEC_CLASS, CLASS_TIME},
    {"anytime", SPEC_CLASS, CLASS_ANYTIME},
    {"any", SPEC_CLASS, CLASS_ANY},
    {"order", SPEC_CLASS, CLASS_ORDER},
    {"array", SPEC_ARRAY, 0},
    {"map", SPEC_MAP, 0},
};

/* ---- reading a rule ------------------------------------------------------------------------------------------------- */

static const char *skip_blanks(const char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

static struct spec *read_spec(struct rule *r, const char **text);

static void read_word(struct rule *r, struct spec *s, struct str word, const char **text)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!str_is(word, words[i].name))
            continue;
        s->kind = (enum spec_kind)words[i].kind;
        s->type = (enum type_kind)words[i].value;
        s->class = (enum class)words[i].value;
        if (s->kind != SPEC_ARRAY && s->kind != SPEC_MAP)
            return;
        CHECK(**text == '<');
        ++*text;
        s->a = read_spec(r, text);
        if (s->kind == SPEC_MAP) {
            CHECK(**text == ',');
            ++*text;
            s->b = read_spec(r, text);
        }
        CHECK(**text == '>');
        ++*text;
        return;
    }
    UNREACHABLE("a rule has an unknown word");
}

/* Recursive, but rules nest two deep and parts[] bounds them. */
static struct spec *read_spec(struct rule *r, const char **text)
{
    CHECK(r->part_count < PARTS_MAX);
    struct spec *s = &r->parts[r->part_count++];
    static const char vars[] = "TUKV";
    const char *p = skip_blanks(*text);
    if (*p >= '1' && *p <= '9') {
        s->kind = SPEC_SAME;
        s->index = (unsigned)(*p++ - '1');
        *text = p;
    } else if (*p && strchr(vars, *p)) {
        s->kind = SPEC_VAR;
        s->index = (unsigned)(strchr(vars, *p++) - vars);
        *text = p;
    } else {
        const char *from = p;
        while ((*p >= 'a' && *p <= 'z') || *p == '_')
            p++;
        *text = p;
        read_word(r, s, str_n(from, (size_t)(p - from)), text);
    }
    if (**text == '!' || **text == '?') {
        s->never_null = **text == '!';
        s->always_null = **text == '?';
        ++*text;
    }
    return s;
}

static void read_rule(const char *text, struct rule *r)
{
    const char *p = skip_blanks(text);
    while (strncmp(p, "->", 2) != 0) {
        CHECK(r->arg_count < SPECS_MAX && *p);
        r->args[r->arg_count++] = read_spec(r, &p);
        if (strncmp(p, "...", 3) == 0) {
            r->repeats = true;
            p += 3;
        }
        p = skip_blanks(p);
        if (*p == ',')
            p = skip_blanks(p + 1);
    }
    p += 2;
    r->result = read_spec(r, &p);
    CHECK(*p == '\0');
}

/* ---- applying it ---------------------------------------------------------------------------------------------------- */

struct match {
    struct arena *arena;
    const struct function *f;
    const struct expr **args;
    const struct type *vars[4];
    bool nulls[4]; /* an element of that type may be NULL */
    struct err *err;
};

bool resolve_mismatch(struct err *err, uint32_t arg, const struct function *f, const char *wanted,
                      const struct expr *found, struct arena *arena)
{
    err_set(err, ERR_CONFIG,
            "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE: argument %u of \"%s\" must be %s, not %s", arg + 1,
            f->name, wanted, bind_type_text(arena, found->type));
    if (err)
        err->code = (int)arg + 1;
    return false;
}

/* What a class makes of a type: the type to cast to, or NULL if it is none of them. */
static const struct type *class_type(enum class class, const struct type *t)
{
    bool is_string = t->kind == TYPE_STRING, is_void = type_is_void(t);
    switch (class) {
    case CLASS_TEXT:
        if (t->kind == TYPE_BINARY || is_string)
            return t;
        return type_is_nested(t) || t->kind == TYPE_VARIANT ? NULL : type_simple(TYPE_STRING);
    case CLASS_NUMBER: return type_is_numeric(t) ? t : is_string || is_void ? type_simple(TYPE_DOUBLE) : NULL;
    case CLASS_INTEGRAL:
        return type_is_integer(t) ? t
               : is_string        ? type_simple(TYPE_LONG)
               : is_void          ? type_simple(TYPE_INT)
                                  : NULL;
    case CLASS_FRACTION:
        if (t->kind == TYPE_DECIMAL || t->kind == TYPE_DOUBLE)
            return t;
        return type_is_numeric(t) || is_string || is_void ? type_simple(TYPE_DOUBLE) : NULL;
    case CLASS_TIME:
        if (t->kind == TYPE_DATE || t->kind == TYPE_TIMESTAMP || t->kind == TYPE_TIMESTAMP_NTZ)
            return t;
        return is_string || is_void ? type_simple(TYPE_TIMESTAMP) : NULL;
    case CLASS_ANYTIME:
        if (t->kind == TYPE_TIMESTAMP || t->kind == TYPE_TIMESTAMP_NTZ)
            return t;
        return t->kind == TYPE_DATE || is_string || is_void ? type_simple(TYPE_TIMESTAMP) : NULL;
    case CLASS_ORDER: return type_is_orderable(t) ? t : NULL;
    case CLASS_ANY: return t;
    }
    return NULL;
}

static const char *spec_text(const struct spec *s)
{
    static const char *const classes[] = {
        "STRING or BINARY", "a number",    "an integer", "a number",
        "a date or time",   "a timestamp", "any type",   "a type that can be ordered"};
    switch (s->kind) {
    case SPEC_CLASS: return classes[s->class];
    case SPEC_ARRAY: return "an ARRAY";
    case SPEC_MAP: return "a MAP";
    default: return "of the same type as the others";
    }
}

/* Widens variable `v` by a type that was found in its place. */
static bool bind_var(struct match *m, unsigned v, const struct type *found)
{
    m->vars[v] = m->vars[v] == NULL             ? found
                 : type_same(m->vars[v], found) ? m->vars[v]
                                                : type_common(m->arena, m->vars[v], found);
    return m->vars[v] != NULL;
}

/* Looks at the parts of a nested argument for what variables stand for. */
static bool match_part(struct match *m, const struct spec *s, const struct type *found, bool nullable)
{
    if (s->kind == SPEC_VAR) {
        m->nulls[s->index] |= nullable;
        return bind_var(m, s->index, found);
    }
    if (s->kind == SPEC_ARRAY || s->kind == SPEC_MAP) {
        if (type_is_void(found))
            return true;
        if (found->kind != (s->kind == SPEC_ARRAY ? TYPE_ARRAY : TYPE_MAP))
            return false;
        if (!match_part(m, s->a, found->fields[0].type, found->fields[0].nullable))
            return false;
        return s->kind == SPEC_ARRAY || match_part(m, s->b, found->fields[1].type, found->fields[1].nullable);
    }
    return true;
}

static const struct type *result_type(const struct match *m, const struct spec *s)
{
    switch (s->kind) {
    case SPEC_TYPE: return type_simple(s->type);
    case SPEC_SAME: return m->args[s->index]->type;
    case SPEC_VAR: return m->vars[s->index] ? m->vars[s->index] : type_simple(TYPE_NULL);
    case SPEC_ARRAY: {
        bool nulls = s->a->kind == SPEC_VAR ? m->nulls[s->a->index] : true;
        return type_array(m->arena, result_type(m, s->a), nulls && !s->a->never_null);
    }
    case SPEC_MAP: {
        bool nulls = s->b->kind == SPEC_VAR ? m->nulls[s->b->index] : true;
        return type_map(m->arena, result_type(m, s->a), result_type(m, s->b), nulls && !s->b->never_null);
    }
    default: UNREACHABLE("a rule's result is a class");
    }
}

/* First pass over one argument. */
static bool match_arg(struct match *m, uint32_t i, const struct spec *s)
{
    const struct expr *arg = m->args[i];
    const struct type *wanted = NULL;
    switch (s->kind) {
    case SPEC_TYPE: wanted = type_simple(s->type); break;
    case SPEC_CLASS: wanted = class_type(s->class, arg->type); break;
    case SPEC_SAME: wanted = m->args[s->index]->type; break;
    case SPEC_VAR:
        m->nulls[s->index] |= arg->nullable;
        return bind_var(m, s->index, arg->type) ||
               resolve_mismatch(m->err, i, m->f, spec_text(s), arg, m->arena);
    default:
        return match_part(m, s, arg->type, false) ||
               resolve_mismatch(m->err, i, m->f, spec_text(s), arg, m->arena);
    }
    /* An interval of any range will do. */
    bool same_interval = wanted && type_is_interval(wanted) && wanted->kind == arg->type->kind;
    const struct expr *cast = wanted == NULL  ? NULL
                              : same_interval ? arg
                                              : cast_implicit(m->arena, arg, wanted);
    if (cast == NULL) {
        const char *text = s->kind == SPEC_CLASS ? spec_text(s) : bind_type_text(m->arena, wanted);
        return resolve_mismatch(m->err, i, m->f, text, arg, m->arena);
    }
    m->args[i] = cast;
    return true;
}

/* Second pass: arguments with variables become what those stand for. */
static bool cast_arg(struct match *m, uint32_t i, const struct spec *s)
{
    if (s->kind != SPEC_VAR && s->kind != SPEC_ARRAY && s->kind != SPEC_MAP)
        return true;
    const struct type *wanted = result_type(m, s);
    const struct expr *arg = m->args[i];
    const struct expr *cast = type_same(arg->type, wanted) ? arg : NULL;
    if (cast == NULL && s->kind == SPEC_VAR)
        cast = cast_to(m->arena, arg, wanted);
    else if (cast == NULL)
        cast = type_can_cast(arg->type, wanted) || type_is_void(arg->type) ? cast_to(m->arena, arg, wanted)
                                                                           : NULL;
    if (cast == NULL)
        return resolve_mismatch(m->err, i, m->f, bind_type_text(m->arena, wanted), arg, m->arena);
    m->args[i] = cast;
    return true;
}

static const struct spec *spec_of(const struct rule *r, uint32_t i)
{
    if (i < r->arg_count)
        return r->args[i];
    CHECK(r->repeats);
    return r->args[r->arg_count - 1];
}

bool resolve_rule(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                  const struct type **result, bool *nullable, struct err *err)
{
    struct rule rule = {0};
    struct match m = {.arena = arena, .f = f, .args = args, .err = err};
    read_rule(f->rule, &rule);
    for (uint32_t i = 0; i < arg_count; i++)
        TRY(match_arg(&m, i, spec_of(&rule, i)));
    for (uint32_t i = 0; i < arg_count; i++)
        TRY(cast_arg(&m, i, spec_of(&rule, i)));
    *result = result_type(&m, rule.result);
    *nullable = rule.result->always_null;
    for (uint32_t i = 0; i < arg_count && !rule.result->never_null; i++)
        *nullable |= args[i]->nullable;
    return true;
}

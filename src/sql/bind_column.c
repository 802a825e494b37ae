/* What a name means. In this order: a lambda's variable, a column with as many leading parts as qualify it, a name of the select list; in
 * HAVING and ORDER BY the select list comes first. The parts that are left are fields of structs. Case does not count, unless the catalogue
 * says so. */
#include "sql/bind_private.h"

#include <stdio.h>

enum { SUGGESTIONS_MAX = 2000 };

static bool name_is(const struct binder *b, struct str a, struct str c)
{
    return b->catalogue->case_sensitive ? str_eq(a, c) : str_eq_nocase(a, c);
}

/* The parts of a.b.c…, first to last; 0 if the chain does not begin with a name. Longer chains give their first SQL_NAME_PARTS_MAX. */
static uint32_t name_parts(const struct ast_expr *ast, const struct ast_expr *parts[SQL_NAME_PARTS_MAX])
{
    uint32_t count = 0;
    const struct ast_expr *e = ast;
    for (; e->kind == AST_FIELD && !(e->parens && e != ast); e = e->items[0])
        count++;
    if (e->kind != AST_NAME)
        return 0;
    count++;
    uint32_t i = count;
    for (e = ast; i > 0; e = e->kind == AST_FIELD ? e->items[0] : e)
        if (--i < SQL_NAME_PARTS_MAX)
            parts[i] = e;
    return count;
}

/* ---- columns ---------------------------------------------------------------------------------------------------------- */

/* Does column c answer to parts[0 … qualifiers] with the last one its name? Qualifiers match from the right: t.a, db.t.a. */
static bool column_is(const struct binder *b, const struct scope_column *c,
                      const struct ast_expr *const *parts, uint32_t qualifiers)
{
    if (qualifiers > c->qualifier_count || !name_is(b, c->name, parts[qualifiers]->name))
        return false;
    for (uint32_t i = 0; i < qualifiers; i++)
        if (!name_is(b, c->qualifier[c->qualifier_count - qualifiers + i], parts[i]->name))
            return false;
    return true;
}

/* Index of the column, −1 none, −2 several. Hidden ones count where no visible one does. */
static int64_t find_column(const struct binder *b, const struct scope *s, const struct ast_expr *const *parts,
                           uint32_t qualifiers)
{
    int64_t found = -1, hidden = -1;
    for (uint32_t i = 0; i < s->count; i++) {
        if (!column_is(b, &s->columns[i], parts, qualifiers))
            continue;
        if (s->columns[i].hidden)
            hidden = hidden == -1 ? (int64_t)i : -2;
        else if (found != -1)
            return -2;
        else
            found = i;
    }
    return found != -1 ? found : hidden;
}

/* Tries the longest qualifier first. *used = parts taken. */
static int64_t resolve_column(const struct binder *b, const struct scope *s,
                              const struct ast_expr *const *parts, uint32_t count, uint32_t *used)
{
    uint32_t most = count - 1 < 3 ? count - 1 : 3;
    for (uint32_t qualifiers = most + 1; qualifiers-- > 0;) {
        int64_t at = find_column(b, s, parts, qualifiers);
        if (at == -1)
            continue;
        *used = qualifiers + 1;
        return at;
    }
    return -1;
}

uint32_t bind_qualifier_parts(const struct binder *b, const struct scope *s, const struct ast_expr *ast)
{
    const struct ast_expr *parts[SQL_NAME_PARTS_MAX];
    uint32_t count = name_parts(ast, parts), used = 1;
    if (count > SQL_NAME_PARTS_MAX)
        count = SQL_NAME_PARTS_MAX;
    if (count < 2)
        return 0;
    return resolve_column(b, s, parts, count, &used) >= 0 ? used - 1 : 0;
}

static const struct expr *find_param(const struct scope *s, const struct binder *b, struct str name)
{
    for (const struct lambda_env *l = s->lambda; l; l = l->outer)
        for (uint32_t i = 0; i < l->count; i++)
            if (name_is(b, l->names[i], name))
                return l->params[i];
    return NULL;
}

/* The alias's expression; *several if two differ. The last one wins nothing: Spark calls that ambiguous. */
static const struct expr *find_alias(const struct binder *b, const struct scope *s, struct str name,
                                     bool *several)
{
    const struct expr *found = NULL;
    *several = false;
    for (uint32_t i = 0; i < s->alias_count; i++) {
        if (!name_is(b, s->aliases[i].name, name))
            continue;
        *several = found != NULL && !expr_equal(found, s->aliases[i].expr);
        if (*several)
            return found;
        found = s->aliases[i].expr;
    }
    return found;
}

/* ---- errors ------------------------------------------------------------------------------------------------------------- */

static bool ambiguous(struct binder *b, const struct ast_expr *part)
{
    return bind_fail(b, part->span, "AMBIGUOUS_REFERENCE: the name \"%.*s\" means several columns",
                     STR_ARG(part->name));
}

/* An alias of the select list, where it is not visible. */
static bool is_hidden_alias(const struct binder *b, const struct scope *s, struct str name)
{
    for (uint32_t i = 0; s->select && i < s->select->select_count; i++)
        if (s->select->select[i]->kind == AST_ALIAS && name_is(b, s->select->select[i]->name, name))
            return true;
    return false;
}

/* As many of the columns as a hint holds. */
static bool hint_columns(struct binder *b, const char *const *names, size_t count)
{
    char list[ERR_HINT_MAX - 32];
    size_t n = 0, i = 0;
    while (i < count && n + strlen(names[i]) + 2 < sizeof list) {
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", names[i]);
        i++;
    }
    return i > 0 && err_hint(b->err, "The columns: %s%s.", list, i < count ? ", …" : "");
}

static bool unresolved(struct binder *b, const struct scope *s, const struct ast_expr *const *parts,
                       uint32_t count, const struct ast_expr *ast)
{
    const char **names = arena_array(b->arena, const char *, SUGGESTIONS_MAX * 2);
    size_t n = 0;
    struct str last = parts[count - 1]->name;
    for (uint32_t i = 0; i < s->count && n < SUGGESTIONS_MAX; i++)
        if (!s->columns[i].hidden || (parts[0]->name.n && parts[0]->name.p[0] == '_'))
            names[n++] = str_dup(b->arena, s->columns[i].name);
    for (uint32_t i = 0; i < s->alias_count && n < 2 * SUGGESTIONS_MAX; i++)
        names[n++] = str_dup(b->arena, s->aliases[i].name);
    const char *hint = parts[0]->name.n > 1 ? str_nearest(parts[0]->name, names, n)
                                            : NULL; /* one letter is near to any other */
    if (hint == NULL && count > 1)
        hint = str_nearest(last, names, n);
    struct str text = ast->span.length <= 100 ? str_n(b->text.p + ast->span.offset, ast->span.length) : last;
    bind_fail(b, ast->span, "UNRESOLVED_COLUMN: there is no column \"%.*s\"", STR_ARG(text));
    if (is_hidden_alias(b, s, parts[0]->name))
        return err_hint(b->err,
                        "WHERE cannot see the aliases of the select list; repeat the expression of \"%.*s\".",
                        STR_ARG(parts[0]->name));
    return hint ? err_hint(b->err, "Did you mean \"%s\"?", hint) : hint_columns(b, names, n);
}

/* ---- fields --------------------------------------------------------------------------------------------------------------- */

static bool no_such_field(struct binder *b, const struct type *t, struct str name, struct span at,
                          bool several)
{
    if (several)
        return bind_fail(b, at, "AMBIGUOUS_REFERENCE_TO_FIELDS: several fields are named \"%.*s\"",
                         STR_ARG(name));
    uint32_t n = t->field_count < SUGGESTIONS_MAX ? t->field_count : SUGGESTIONS_MAX;
    const char **names = arena_array(b->arena, const char *, n + 1);
    for (uint32_t i = 0; i < n; i++)
        names[i] = t->fields[i].name;
    const char *hint = str_nearest(name, names, n);
    bind_fail(b, at, "FIELD_NOT_FOUND: there is no field \"%.*s\"", STR_ARG(name));
    return hint ? err_hint(b->err, "Did you mean \"%s\"?", hint) : false;
}

bool bind_field(struct binder *b, const struct expr *base, struct str name, struct span at, struct span span,
                const struct expr **out)
{
    const struct type *t = base->type;
    bool array = t->kind == TYPE_ARRAY && t->fields[0].type->kind == TYPE_STRUCT;
    if (t->kind == TYPE_MAP) {
        const struct expr *args[] = {base, expr_string(b->arena, name, at)};
        return bind_function(b, FN_MAP_VALUE, args, 2, span, out);
    }
    if (t->kind != TYPE_STRUCT && !array)
        return bind_fail(b, at,
                         "INVALID_EXTRACT_BASE_FIELD_TYPE: \"%.*s\" is asked of %s, which has no fields",
                         STR_ARG(name), bind_type_text(b->arena, t));
    const struct type *fields = array ? t->fields[0].type : t;
    int index = type_field(fields, name, !b->catalogue->case_sensitive);
    if (index < 0)
        return no_such_field(b, fields, name, at, index == -2);
    if (array) {
        const struct expr *args[] = {base, expr_int(b->arena, index, at)};
        return bind_function(b, FN_ARRAY_FIELD, args, 2, span, out);
    }
    *out = expr_field(b->arena, base, (uint32_t)index, span);
    return bind_work(b, (*out)->size, span);
}

/* The fields of ast's chain beyond its first `used` parts; the chain's depth is bounded by the parser. */
static bool bind_fields(struct binder *b, const struct expr *base, const struct ast_expr *ast,
                        uint32_t fields, const struct expr **out)
{
    const struct ast_expr **chain = arena_array(b->arena, const struct ast_expr *, fields + 1);
    for (uint32_t i = fields; i-- > 0; ast = ast->items[0])
        chain[i] = ast;
    *out = base;
    for (uint32_t i = 0; i < fields; i++)
        TRY(bind_field(b, *out, chain[i]->name, chain[i]->at, chain[i]->span, out));
    return true;
}

/* ---- names ----------------------------------------------------------------------------------------------------------------- */

static const struct expr *column_expr(struct binder *b, const struct scope *s, int64_t at, struct span span)
{
    const struct scope_column *c = &s->columns[at];
    return expr_column(b->arena, (uint32_t)at, c->type, c->nullable, span);
}

/* parts[0] as a name of the select list. */
static bool bind_alias(struct binder *b, const struct scope *s, const struct ast_expr *part,
                       bool before_columns, const struct expr **out)
{
    bool several;
    *out = find_alias(b, s, part->name, &several);
    if (several && before_columns) {
        *out = NULL; /* perhaps a column of the input is meant */
        return true;
    }
    if (several && !s->first_alias_wins)
        return ambiguous(b, part);
    return *out == NULL || bind_work(b, (*out)->size, part->span);
}

static bool bind_name_parts(struct binder *b, struct scope *s, const struct ast_expr *ast,
                            const struct ast_expr *const *parts, uint32_t count, const struct expr **out)
{
    uint32_t known = count < SQL_NAME_PARTS_MAX ? count : SQL_NAME_PARTS_MAX, used = 1;
    if ((b->lookups += s->count + s->alias_count) > BIND_LOOKUP_MAX)
        return bind_fail(b, ast->span, "the query is too large: too many names of too many columns");
    const struct expr *base = find_param(s, b, parts[0]->name);
    if (base == NULL && s->aliases_first && !s->in_aggregate)
        TRY(bind_alias(b, s, parts[0], true, &base));
    if (base == NULL) {
        int64_t at = resolve_column(b, s, parts, known, &used);
        if (at == -2)
            return ambiguous(b, parts[used - 1]);
        if (at >= 0)
            base = column_expr(b, s, at, parts[used - 1]->span);
    }
    if (base == NULL)
        TRY(bind_alias(b, s, parts[0], false, &base));
    if (base == NULL)
        return unresolved(b, s, parts, known, ast);
    return bind_fields(b, base, ast, count - used, out);
}

/* current_date and its like need no parentheses; a column of that name comes first. */
static bool bare_function(const struct ast_expr *ast)
{
    static const char *const names[] = {
        "current_date",    "current_timestamp", "current_user",     "user",           "current_time",
        "current_catalog", "current_schema",    "current_database", "localtimestamp", "session_user"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ast->kind == AST_NAME && !ast->quoted && str_eq_nocase(ast->name, str_of(names[i])))
            return function_find(ast->name) != NULL;
    return false;
}

bool bind_column(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    const struct ast_expr *parts[SQL_NAME_PARTS_MAX];
    uint32_t count = name_parts(ast, parts);
    if (count == 0) { /* f(x).a */
        const struct expr *base;
        TRY(bind_expr(b, s, ast->items[0], &base));
        return bind_field(b, base, ast->name, ast->at, ast->span, out);
    }
    uint32_t used;
    if (bare_function(ast) && resolve_column(b, s, parts, 1, &used) == -1) {
        struct ast_call call = {.without_parens = true};
        struct ast_expr *as_call = arena_new(b->arena, struct ast_expr);
        *as_call = *ast;
        as_call->kind = AST_CALL;
        as_call->call = arena_dup(b->arena, &call, sizeof call);
        return bind_call(b, s, as_call, out);
    }
    return bind_name_parts(b, s, ast, parts, count, out);
}

/* ---- * ---------------------------------------------------------------------------------------------------------------------- */

static bool qualifier_is(const struct binder *b, const struct scope_column *c,
                         const struct ast_expr *const *parts, uint32_t count)
{
    if (count > c->qualifier_count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!name_is(b, c->qualifier[c->qualifier_count - count + i], parts[i]->name))
            return false;
    return true;
}

/* A name of EXCEPT that names nothing is an error. */
static bool check_except(struct binder *b, const struct scope *s, const struct ast_expr *ast)
{
    for (uint32_t k = 0; k < ast->name_count; k++) {
        bool found = false;
        for (uint32_t i = 0; i < s->count && !found; i++)
            found = name_is(b, s->columns[i].name, ast->names[k]);
        if (!found)
            return bind_fail(b, ast->span,
                             "UNRESOLVED_COLUMN: EXCEPT names a column \"%.*s\" that is not there",
                             STR_ARG(ast->names[k]));
    }
    return true;
}

static bool is_excepted(const struct binder *b, const struct ast_expr *ast, struct str name)
{
    for (uint32_t k = 0; k < ast->name_count; k++)
        if (name_is(b, ast->names[k], name))
            return true;
    return false;
}

/* s.*: the fields of a struct column, as a scope of their own. */
static bool struct_star(struct binder *b, const struct scope *s, const struct ast_expr *ast,
                        const struct expr **base, struct scope *base_scope)
{
    struct scope copy = *s;
    TRY(bind_expr(b, &copy, ast->items[0], base));
    const struct type *t = (*base)->type;
    if (t->kind != TYPE_STRUCT)
        return bind_fail(b, ast->span,
                         "CANNOT_RESOLVE_STAR_EXPAND: \"%.*s\" is neither a relation nor a struct",
                         STR_ARG(ast->items[0]->name));
    *base_scope = (struct scope){.columns = arena_zarray(b->arena, struct scope_column, t->field_count + 1),
                                 .count = t->field_count};
    for (uint32_t i = 0; i < t->field_count; i++)
        base_scope->columns[i] = (struct scope_column){
            .name = str_of(t->fields[i].name), .type = t->fields[i].type, .nullable = t->fields[i].nullable};
    return true;
}

bool bind_star(struct binder *b, const struct scope *s, const struct ast_expr *ast, uint32_t **indexes,
               uint32_t *count, const struct expr **base, struct scope *base_scope)
{
    const struct ast_expr *parts[SQL_NAME_PARTS_MAX] = {0};
    uint32_t part_count = ast->count ? name_parts(ast->items[0], parts) : 0;
    const struct scope *from = s;
    bool known = ast->count == 0;
    *base = NULL;
    for (uint32_t i = 0; i < s->count && !known; i++)
        known = part_count > 0 && part_count <= 3 && qualifier_is(b, &s->columns[i], parts, part_count);
    if (!known) {
        TRY(struct_star(b, s, ast, base, base_scope));
        from = base_scope;
        part_count = 0;
    }
    TRY(check_except(b, from, ast));
    *indexes = arena_array(b->arena, uint32_t, from->count + 1);
    *count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        const struct scope_column *c = &from->columns[i];
        if (!c->hidden && (part_count == 0 || qualifier_is(b, c, parts, part_count)) &&
            !is_excepted(b, ast, c->name))
            (*indexes)[(*count)++] = i;
    }
    return true;
}

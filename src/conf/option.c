/* Reading a tree by option tables. Nothing here stops at an error: the value that is wrong keeps its default, and what is wrong
 * is said with its place, so that one run of `sluice check` shows everything.
 *
 * Three kinds of types: those read from one scalar (the table `scalars`), those that hold others (struct, list, map), and the node as
 * it is. Recursion follows the tables, which are finite, or the tree, which is at most CONF_DEPTH_MAX deep. */
#include "conf/option.h"

#include <float.h>
#include <stdio.h>

#include "base/check.h"
#include "conf/node_private.h"
#include "conf/option_private.h"

enum { TABLE_DEPTH_MAX = 16, NAMES_MAX = 256, KEYS_LISTED_MAX = 12 };

/* ---- finding options ----------------------------------------------------------------------------------------- */

const struct option *option_find(const struct option *table, struct str name)
{
    for (; table && table->name; table++)
        if (str_is(name, table->name))
            return table;
    return NULL;
}

static const struct option *find_in_scope(const struct conf_scope *scope, struct str name)
{
    const struct option *found = NULL;
    for (uint32_t i = 0; i < scope->table_count && found == NULL; i++)
        found = option_find(scope->tables[i], name);
    return found;
}

static size_t names_of(const struct conf_scope *scope, const char **names)
{
    size_t count = 0;
    for (uint32_t i = 0; i < scope->table_count; i++)
        for (const struct option *o = scope->tables[i]; o && o->name && count < NAMES_MAX; o++)
            if (!(o->flags & (OPTION_HIDDEN | OPTION_DEPRECATED)))
                names[count++] = o->name;
    return count;
}

/* The table that reads an option's value, its elements' included; NULL where there is none. */
static const struct option *inner_table(const struct option *option)
{
    const struct option *o = option;
    while ((o->type == OPTION_LIST || o->type == OPTION_MAP) && o->of)
        o = o->of;
    return o->table;
}

/* Looks for a key in the tables below, and writes the path of what has it, "settings.listen". */
static bool find_below(const struct option *table, struct str name, char *path, size_t size, unsigned depth)
{
    if (depth == TABLE_DEPTH_MAX)
        return false;
    for (const struct option *o = table; o && o->name; o++) {
        const struct option *inner = inner_table(o);
        if (inner == NULL || (o->flags & OPTION_HIDDEN))
            continue;
        int n = snprintf(path, size, "%s%s%s", depth ? "." : "", o->name,
                         o->type == OPTION_MAP ? ".<name>" : "");
        if (n < 0 || (size_t)n >= size)
            continue;
        const struct option *found = option_find(inner, name);
        if ((found && !(found->flags & OPTION_HIDDEN)) ||
            find_below(inner, name, path + n, size - (size_t)n, depth + 1))
            return true;
    }
    path[0] = '\0';
    return false;
}

/* ---- unknown keys -------------------------------------------------------------------------------------------- */

static bool hint_elsewhere(struct err *err, const struct conf_scope *scope, struct str name)
{
    char path[128];
    const struct conf_scope *root = scope;
    for (const struct conf_scope *up = scope->up; up; up = up->up) {
        root = up;
        if (find_in_scope(up, name) == NULL)
            continue;
        if (up == scope->up && up->what)
            err_hint(err, "\"%.*s\" belongs one level up, to %s.", STR_ARG(name), up->what);
        else
            err_hint(err, "\"%.*s\" is a key %s%s.", STR_ARG(name),
                     up->what ? "of " : "at the top of the file", up->what ? up->what : "");
        return true;
    }
    for (uint32_t i = 0; i < scope->table_count; i++)
        if (find_below(scope->tables[i], name, path, sizeof path, 0)) {
            err_hint(err, "\"%.*s\" is a key of \"%s\".", STR_ARG(name), path);
            return true;
        }
    for (uint32_t i = 0; i < root->table_count; i++)
        if (find_below(root->tables[i], name, path, sizeof path, 0)) {
            err_hint(err, "\"%.*s\" is a key of \"%s\".", STR_ARG(name), path);
            return true;
        }
    return false;
}

static void hint_keys(struct err *err, const char *const *names, size_t count)
{
    char list[ERR_HINT_MAX];
    size_t n = 0;
    if (count == 0 || count > KEYS_LISTED_MAX)
        return;
    for (size_t i = 0; i < count && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s",
                              i == 0           ? ""
                              : i + 1 == count ? " and "
                                               : ", ",
                              names[i]);
    if (n < sizeof list - 32)
        err_hint(err, count == 1 ? "The only key here is %s." : "The keys here are %s.", list);
}

static void say_unknown(struct conf_reader *reader, const struct conf_scope *scope,
                        const struct conf_item *item)
{
    const char *names[NAMES_MAX];
    struct str name = item->key->text;
    size_t count = names_of(scope, names);
    const char *near = str_nearest(name, names, count);
    const struct option *meant = near ? find_in_scope(scope, str_of(near)) : NULL;
    if (meant && (meant->flags & OPTION_SECRET))
        conf_hide_secret(reader, item->value);
    struct conf_diag *diag = conf_say(reader->diags, CONF_ERROR, item->key, "unknown key \"%.*s\"%s%s",
                                      STR_ARG(name), scope->what ? " in " : "",
                                      scope->what ? scope->what : "");
    if (near)
        err_hint(&diag->err, "did you mean \"%s\"?", near);
    else if (!hint_elsewhere(&diag->err, scope, name))
        hint_keys(&diag->err, names, count);
}

/* ---- secrets ------------------------------------------------------------------------------------------------- */

static void register_secret(struct conf_reader *reader, const struct conf_node *node, const char *secret)
{
    if (!err_secret_add(secret))
        conf_say(reader->diags, CONF_ERROR, node, "there are more than %d secrets", ERR_SECRETS_MAX);
}

/* Whether the file shows no part of the value: all of it is ${NAME}. */
static bool is_one_variable(const struct conf_node *node)
{
    return node->variable_count == 1 && node->variables[0].from == 0 &&
           node->variables[0].from_size == node->original.n &&
           str_find(node->original, STR(":-"), 0) == SIZE_MAX;
}

void conf_hide_secret(struct conf_reader *reader, const struct conf_node *node)
{
    if (!is_one_variable(node))
        conf_file_hide(reader->arena, node->file, node->offset, node->end);
    if (node->kind == CONF_SCALAR && node->text.n > 0)
        register_secret(reader, node, node->text.p);
}

static void hide_url(struct conf_reader *reader, const struct conf_node *node)
{
    struct str secrets[CONF_URL_SECRETS_MAX];
    uint32_t count = conf_url_secrets(node->text, secrets);
    for (uint32_t i = 0; i < count; i++) {
        const char *decoded = conf_url_decode(reader->arena, secrets[i]);
        size_t from = (size_t)(secrets[i].p - node->text.p);
        register_secret(reader, node, str_dup(reader->arena, secrets[i]));
        if (decoded)
            register_secret(reader, node, decoded);
        if (node->variable_count == 0)
            conf_file_hide(reader->arena, node->file, conf_raw_offset(node, from),
                           conf_raw_offset(node, from + secrets[i].n - 1) + 1);
        else if (!is_one_variable(node))
            conf_file_hide(reader->arena, node->file, node->offset, node->end);
    }
}

/* ---- scalars ------------------------------------------------------------------------------------------------- */

/* Reads text into out; err's text begins with "must …" where the name of the key is to stand before it. */
typedef bool read_scalar(struct conf_reader *reader, const struct option *option,
                         const struct conf_node *node, void *out, struct err *err);

static bool must_be(const struct option *option, const struct conf_node *node, struct err *err)
{
    char what[CONF_DESCRIPTION_MAX];
    if (option->flags & OPTION_SECRET)
        return err_set(err, ERR_CONFIG, "must be %s", conf_describe(option, what));
    return err_set(err, ERR_CONFIG, "must be %s, not \"%.*s\"", conf_describe(option, what),
                   STR_ARG(node->text));
}

static bool in_range(const struct option *option, double value)
{
    if (option->min == 0 && option->max == 0)
        return true;
    return value >= option->min && (option->max < option->min || value <= option->max);
}

static bool read_bool(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                      void *out, struct err *err)
{
    return conf_text_bool(node->text, out, err);
}

/* YAML's core schema: decimal, 0x, 0o. */
static bool parse_u64(struct str text, uint64_t *value)
{
    unsigned base = str_starts(text, STR("0x")) ? 16 : str_starts(text, STR("0o")) ? 8 : 10;
    if (base == 10)
        return str_to_u64(text.n && text.p[0] == '+' ? str_n(text.p + 1, text.n - 1) : text, value);
    *value = 0;
    for (size_t i = 2; i < text.n; i++) {
        char c = text.p[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a' + 10);
        if (digit >= base || (c > '9' && (c | 32) < 'a') || *value > (UINT64_MAX - digit) / base)
            return false;
        *value = *value * base + digit;
    }
    return text.n > 2;
}

static bool read_u64(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                     void *out, struct err *err)
{
    uint64_t *value = out;
    return (parse_u64(node->text, value) && in_range(option, (double)*value)) || must_be(option, node, err);
}

static bool read_i64(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                     void *out, struct err *err)
{
    int64_t *value = out;
    uint64_t positive;
    bool ok = str_to_i64(node->text, value);
    if (!ok && parse_u64(node->text, &positive) && positive <= INT64_MAX) {
        *value = (int64_t)positive;
        ok = true;
    }
    return (ok && in_range(option, (double)*value)) || must_be(option, node, err);
}

/* Digits, a point, an exponent; finite. */
static bool is_number(struct str text)
{
    size_t i = 0, digits = 0;
    i += i < text.n && (text.p[i] == '-' || text.p[i] == '+');
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        digits++;
    i += i < text.n && text.p[i] == '.';
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        digits++;
    if (digits > 0 && i < text.n && (text.p[i] | 32) == 'e') {
        i++;
        i += i < text.n && (text.p[i] == '-' || text.p[i] == '+');
        size_t first = i;
        while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9')
            i++;
        digits = i > first ? digits : 0;
    }
    return digits > 0 && i == text.n;
}

static bool read_f64(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                     void *out, struct err *err)
{
    double *value = out;
    bool ok = is_number(node->text) && str_to_f64(node->text, value) && *value >= -DBL_MAX &&
              *value <= DBL_MAX;
    return (ok && in_range(option, *value)) || must_be(option, node, err);
}

static bool read_size(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                      void *out, struct err *err)
{
    TRY(conf_text_size(node->text, out, err));
    return in_range(option, (double)*(uint64_t *)out) || must_be(option, node, err);
}

static bool read_duration(struct conf_reader *reader, const struct option *option,
                          const struct conf_node *node, void *out, struct err *err)
{
    TRY(conf_text_duration(node->text, out, err));
    return in_range(option, (double)*(int64_t *)out) || must_be(option, node, err);
}

static bool read_rate(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                      void *out, struct err *err)
{
    TRY(conf_text_rate(node->text, out, err));
    return in_range(option, *(double *)out) || must_be(option, node, err);
}

static bool read_text(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                      void *out, struct err *err)
{
    if (memchr(node->text.p, '\0', node->text.n))
        return err_set(err, ERR_CONFIG, "must not hold a NUL character");
    if ((option->flags & OPTION_NOT_EMPTY) && node->text.n == 0)
        return err_set(err, ERR_CONFIG, "must not be empty");
    if (!in_range(option, (double)node->text.n))
        return must_be(option, node, err);
    *(const char **)out = str_dup(reader->arena, node->text);
    return true;
}

static bool read_path(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                      void *out, struct err *err)
{
    if (node->text.n == 0)
        return err_set(err, ERR_CONFIG, "must be a path; it is empty");
    return read_text(reader, option, node, out, err);
}

static bool read_name(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                      void *out, struct err *err)
{
    TRY(conf_text_name(node->text, err));
    return read_text(reader, option, node, out, err);
}

static bool read_topic(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                       void *out, struct err *err)
{
    TRY(conf_text_topic(node->text, err));
    return read_text(reader, option, node, out, err);
}

static const struct option_choice *find_choice(const struct option *option, struct str text)
{
    for (const struct option_choice *choice = option->choices; choice && choice->name; choice++)
        if (str_is(text, choice->name))
            return choice;
    return NULL;
}

static bool read_enum(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                      void *out, struct err *err)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    const struct option_choice *choice = find_choice(option, node->text);
    if (choice) {
        *(int *)out = (int)choice->value;
        return true;
    }
    for (choice = option->choices; choice && choice->name && count < NAMES_MAX; choice++)
        names[count++] = choice->name;
    must_be(option, node, err);
    const char *near = str_nearest(node->text, names, count);
    return near ? err_hint(err, "did you mean \"%s\"?", near) : false;
}

static bool read_url(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                     void *out, struct err *err)
{
    struct conf_url url;
    hide_url(reader, node);
    TRY(read_text(reader, option, node, out, err));
    return conf_url_parse(reader->arena, *(const char **)out, &url, err);
}

static bool read_address(struct conf_reader *reader, const struct option *option,
                         const struct conf_node *node, void *out, struct err *err)
{
    return conf_text_address(reader->arena, node->text, out, err);
}

static bool read_sql(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                     void *out, struct err *err)
{
    struct conf_sql *sql = out;
    struct str text = str_trim(node->text);
    *sql = (struct conf_sql){.node = node};
    if (text.n == 0)
        return err_set(err, ERR_CONFIG, "must be %s; it is empty", "a text, or the name of a file");
    if (memchr(text.p, '\0', text.n))
        return err_set(err, ERR_CONFIG, "must not hold a NUL character");
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ' ' || (text.p[i] >= '\t' && text.p[i] <= '\r')) {
            sql->text = node->text;
            return true;
        }
    sql->path = str_dup(reader->arena, text);
    return true;
}

static const struct {
    read_scalar *read; /* NULL: not read from one scalar */
    size_t size;
} types[OPTION_TYPES] = {
    [OPTION_BOOL] = {read_bool, sizeof(bool)},
    [OPTION_I64] = {read_i64, sizeof(int64_t)},
    [OPTION_U64] = {read_u64, sizeof(uint64_t)},
    [OPTION_F64] = {read_f64, sizeof(double)},
    [OPTION_SIZE] = {read_size, sizeof(uint64_t)},
    [OPTION_DURATION] = {read_duration, sizeof(int64_t)},
    [OPTION_RATE] = {read_rate, sizeof(double)},
    [OPTION_TEXT] = {read_text, sizeof(char *)},
    [OPTION_PATH] = {read_path, sizeof(char *)},
    [OPTION_NAME] = {read_name, sizeof(char *)},
    [OPTION_TOPIC] = {read_topic, sizeof(char *)},
    [OPTION_ENUM] = {read_enum, sizeof(int)},
    [OPTION_URL] = {read_url, sizeof(char *)},
    [OPTION_ADDRESS] = {read_address, sizeof(struct conf_address)},
    [OPTION_SQL] = {read_sql, sizeof(struct conf_sql)},
    [OPTION_NODE] = {NULL, sizeof(struct conf_node *)},
    [OPTION_STRUCT] = {NULL, 0},
    [OPTION_ONE_OF] = {NULL, 0},
    [OPTION_LIST] = {NULL, sizeof(struct conf_list)},
    [OPTION_MAP] = {NULL, sizeof(struct conf_map)},
};

size_t option_size(const struct option *option)
{
    CHECK(option->type > OPTION_NONE && option->type < OPTION_TYPES);
    if (option->type == OPTION_STRUCT || option->type == OPTION_ONE_OF)
        return option->flags & OPTION_OPTIONAL ? sizeof(void *) : option->size;
    return types[option->type].size;
}

/* ---- what an option takes, in words -------------------------------------------------------------------------- */

static const char *const nouns[OPTION_TYPES] = {
    [OPTION_BOOL] = "true or false",
    [OPTION_I64] = "a whole number",
    [OPTION_U64] = "a whole number",
    [OPTION_F64] = "a number",
    [OPTION_SIZE] = "a size",
    [OPTION_DURATION] = "a duration",
    [OPTION_RATE] = "a rate",
    [OPTION_TEXT] = "a text",
    [OPTION_PATH] = "a path",
    [OPTION_NAME] = "a name",
    [OPTION_TOPIC] = "the name of a topic",
    [OPTION_URL] = "a URL",
    [OPTION_ADDRESS] = "an address (host:port)",
    [OPTION_SQL] = "a text, or the name of a file",
    [OPTION_NODE] = "a value",
    [OPTION_STRUCT] = "a mapping",
    [OPTION_ONE_OF] = "a mapping",
    [OPTION_LIST] = "a list",
    [OPTION_MAP] = "a mapping",
};

static void put_bound(const struct option *option, double value, char *out)
{
    switch (option->type) {
    case OPTION_DURATION: conf_duration_text((int64_t)value, out); return;
    case OPTION_SIZE: conf_size_text((uint64_t)value, out); return;
    case OPTION_RATE: snprintf(out, CONF_UNIT_TEXT_MAX, "%.15g/s", value); return;
    default: snprintf(out, CONF_UNIT_TEXT_MAX, "%.15g", value); return;
    }
}

size_t conf_put_range(const struct option *option, char *out, size_t size)
{
    char low[CONF_UNIT_TEXT_MAX], high[CONF_UNIT_TEXT_MAX];
    bool text = option->type >= OPTION_TEXT && option->type != OPTION_LIST && option->type != OPTION_MAP;
    const char *of = text                                                        ? " bytes"
                     : option->type == OPTION_LIST || option->type == OPTION_MAP ? " elements"
                                                                                 : "";
    const char *with = *of ? " with" : " from";
    if (option->min == 0 && option->max == 0)
        return 0;
    put_bound(option, option->min, low);
    put_bound(option, option->max, high);
    if (option->max < option->min)
        return (size_t)snprintf(out, size, *of ? " with at least %s%s" : " of at least %s%s", low, of);
    return (size_t)snprintf(out, size, "%s %s to %s%s", with, low, high, of);
}

const char *conf_describe(const struct option *option, char *out)
{
    size_t size = CONF_DESCRIPTION_MAX, n = 0;
    if (nouns[option->type])
        n += (size_t)snprintf(out + n, size - n, "%s", nouns[option->type]);
    n += conf_put_range(option, out + n, size - n);
    for (const struct option_choice *c = option->choices; c && c->name && n < size; c++) {
        bool last = c[1].name == NULL, first = n == 0;
        n += (size_t)snprintf(out + n, size - n, "%s%s", first ? "" : last ? " or " : ", ", c->name);
    }
    return out;
}

/* ---- values -------------------------------------------------------------------------------------------------- */

static const char *const kind_names[] = {
    [CONF_SCALAR] = "a text", [CONF_LIST] = "a list", [CONF_MAP] = "a mapping"};

bool conf_is_scalar(struct conf_reader *reader, const char *name, const struct conf_node *node,
                    const char *expected)
{
    if (node->kind == CONF_SCALAR)
        return !node->is_broken;
    conf_say(reader->diags, CONF_ERROR, node, "\"%s\" must be %s, not %s", name, expected,
             kind_names[node->kind]);
    return false;
}

static bool store_word(const struct option *option, const struct conf_node *node, void *out)
{
    const struct option_choice *choice = option->type == OPTION_ENUM ? NULL : find_choice(option, node->text);
    if (choice == NULL)
        return false;
    if (option->type == OPTION_F64 || option->type == OPTION_RATE)
        *(double *)out = (double)choice->value;
    else if (option->type == OPTION_TEXT)
        return false; /* its words are examples */
    else
        *(int64_t *)out = choice->value;
    return true;
}

/* Adds what is wrong with a value, with the option's name before it where it begins with "must". */
static void say_wrong(struct conf_reader *reader, const char *name, const struct conf_node *node,
                      const struct err *err)
{
    bool named = strncmp(err->text, "must ", 5) == 0;
    struct conf_diag *diag = conf_say(reader->diags, CONF_ERROR, node, "%s%s%s%s", named ? "\"" : "",
                                      named ? name : "", named ? "\" " : "", err->text);
    err_hint(&diag->err, "%s", err->hint);
}

static bool read_one(struct conf_reader *reader, const struct option *option, const char *name,
                     const struct conf_node *node, void *out)
{
    char what[CONF_DESCRIPTION_MAX];
    struct err err = {0};
    union {
        int64_t i64;
        double f64;
        struct conf_address address;
        struct conf_sql sql;
    } value = {0}; /* what is wrong keeps its default */
    if (option->flags & OPTION_SECRET)
        conf_hide_secret(reader, node);
    if (!conf_is_scalar(reader, name, node, conf_describe(option, what)))
        return false;
    if (store_word(option, node, out))
        return true;
    size_t size = types[option->type].size;
    CHECK(size <= sizeof value);
    bool ok = types[option->type].read(reader, option, node, &value, &err) &&
              (option->check == NULL || option->check(&value, &err));
    if (ok)
        memcpy(out, &value, size);
    else
        say_wrong(reader, name, node, &err);
    return ok;
}

/* What a nested value is called: "log" of "settings". */
static const char *nested_what(struct conf_reader *reader, const struct conf_scope *scope, const char *name)
{
    if (scope == NULL || scope->what == NULL)
        return arena_printf(reader->arena, "\"%s\"", name);
    return arena_printf(reader->arena, "\"%s\" of %s", name, scope->what);
}

const struct conf_node *conf_long_form(struct arena *arena, const struct conf_node *node, const char *key)
{
    struct conf_node *map = arena_dup(arena, node, sizeof *node);
    struct conf_item *item = arena_new(arena, struct conf_item);
    item->key = arena_dup(arena, node, sizeof *node);
    item->key->text = str_of(key);
    item->key->variable_count = 0;
    item->value = arena_dup(arena, node, sizeof *node);
    map->kind = CONF_MAP;
    map->items = item;
    map->count = map->height = 1;
    map->expanded = 3;
    map->variable_count = 0;
    map->text = str_n("", 0);
    return map;
}

static bool read_struct(struct conf_reader *reader, const struct option *option, const char *what,
                        const struct conf_node *key, const struct conf_node *node,
                        const struct conf_scope *scope, void *out)
{
    uint32_t errors = reader->diags->errors;
    const struct option *tables[] = {option->table};
    struct conf_scope inner = {.up = scope,
                               .tables = tables,
                               .table_count = 1,
                               .what = what,
                               .key = key,
                               .quiet = scope && scope->quiet};
    void *place = out;
    if (node && node->is_broken)
        return false;
    if (option->flags & OPTION_OPTIONAL) {
        place = arena_zalloc(reader->arena, option->size);
        *(void **)out = place;
    }
    if (option->type == OPTION_ONE_OF && node && node->kind == CONF_SCALAR && !node->is_null) {
        inner.short_form = key ? key->text.p : option->name;
        node = conf_long_form(reader->arena, node, option->short_key);
    }
    conf_read_scope(reader, node, &inner, &place);
    return reader->diags->errors == errors;
}

static bool check_count(struct conf_reader *reader, const struct option *option, const char *name,
                        const struct conf_node *node, uint32_t count)
{
    char what[CONF_DESCRIPTION_MAX];
    bool empty = (option->flags & OPTION_NOT_EMPTY) && count == 0;
    if (!empty && in_range(option, count))
        return true;
    if (empty)
        conf_say(reader->diags, CONF_ERROR, node, "\"%s\" must not be empty", name);
    else
        conf_say(reader->diags, CONF_ERROR, node, "\"%s\" must be %s; it has %u", name,
                 conf_describe(option, what), count);
    return false;
}

/* One element of a list or map. */
static bool read_element(struct conf_reader *reader, const struct option *option, const char *name,
                         const char *what, const struct conf_node *key, const struct conf_node *node,
                         const struct conf_scope *scope, void *out)
{
    struct option element = *option->of;
    element.flags |= option->flags & OPTION_SECRET;
    if (element.type == OPTION_STRUCT || element.type == OPTION_ONE_OF)
        return read_struct(reader, &element, what, key, node, scope, out);
    if (node->is_null && element.type != OPTION_NODE) {
        conf_say(reader->diags, CONF_ERROR,
                 node->width ? node
                 : key       ? key
                             : node,
                 "an element of \"%s\" has no value", name);
        return false;
    }
    if (types[element.type].read)
        return read_one(reader, &element, key ? key->text.p : name, node, out);
    struct conf_scope inner = {.up = scope, .what = what};
    element.name = name;
    return conf_read_value(reader, &element, key, node, &inner, out);
}

static bool read_list(struct conf_reader *reader, const struct option *option, const char *name,
                      const struct conf_node *node, const struct conf_scope *scope, void *out)
{
    bool is_list = node->kind == CONF_LIST, ok = true;
    uint32_t count = is_list ? node->count : 1;
    size_t size = option_size(option->of);
    struct conf_list list = {.count = count, .items = arena_zalloc(reader->arena, mem_product(count, size))};
    list.nodes = arena_zarray(reader->arena, const struct conf_node *, count);
    if (node->is_broken)
        return false;
    const char *element = option->of->name ? option->of->name : name;
    for (uint32_t i = 0; i < count; i++) {
        list.nodes[i] = is_list ? node->items[i].value : node;
        const char *what = NULL;
        if (option->of->type >= OPTION_NODE)
            what = scope && scope->what
                       ? arena_printf(reader->arena, "%s %u of %s", element, i + 1, scope->what)
                       : arena_printf(reader->arena, "%s %u", element, i + 1);
        ok &= read_element(reader, option, name, what, NULL, list.nodes[i], scope,
                           (char *)list.items + i * size);
    }
    ok &= check_count(reader, option, name, node, count);
    *(struct conf_list *)out = list;
    return ok;
}

static bool check_map_key(struct conf_reader *reader, const struct option *option,
                          const struct conf_node *key)
{
    struct err err = {0};
    bool ok = option->keys == OPTION_NAME    ? conf_text_name(key->text, &err)
              : option->keys == OPTION_TOPIC ? conf_text_topic(key->text, &err)
                                             : true;
    if (!ok)
        say_wrong(reader, key->text.p, key, &err);
    if (ok && memchr(key->text.p, '\0', key->text.n)) {
        conf_say(reader->diags, CONF_ERROR, key, "a key must not hold a NUL character");
        ok = false;
    }
    return ok;
}

static bool read_map(struct conf_reader *reader, const struct option *option, const char *name,
                     const struct conf_node *node, const struct conf_scope *scope, void *out)
{
    struct conf_map map = {0};
    size_t size = option_size(option->of);
    bool ok = true;
    if (node->kind != CONF_MAP) {
        if (!node->is_broken)
            conf_say(reader->diags, CONF_ERROR, node, "\"%s\" must be a mapping, not %s", name,
                     kind_names[node->kind]);
        return false;
    }
    map.items = arena_zalloc(reader->arena, mem_product(node->count, size));
    map.keys = arena_zarray(reader->arena, const char *, node->count);
    map.key_nodes = arena_zarray(reader->arena, const struct conf_node *, node->count);
    map.nodes = arena_zarray(reader->arena, const struct conf_node *, node->count);
    const char *element = option->of->name ? option->of->name : name;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct conf_item *item = &node->items[i];
        if (!check_map_key(reader, option, item->key)) {
            ok = false;
            continue;
        }
        const char *what = arena_printf(reader->arena, "%s \"%s\"", element, item->key->text.p);
        map.keys[map.count] = item->key->text.p;
        map.key_nodes[map.count] = item->key;
        map.nodes[map.count] = item->value;
        ok &= read_element(reader, option, name, what, item->key, item->value, scope,
                           (char *)map.items + map.count * size);
        map.count++;
    }
    ok &= check_count(reader, option, name, node, map.count);
    *(struct conf_map *)out = map;
    return ok;
}

bool conf_read_value(struct conf_reader *reader, const struct option *option, const struct conf_node *key,
                     const struct conf_node *node, const struct conf_scope *scope, void *out)
{
    const char *name = scope && scope->short_form ? scope->short_form
                       : key                      ? key->text.p
                       : option->name             ? option->name
                                                  : "value";
    bool ok;
    if (types[option->type].read)
        return read_one(reader, option, name, node, out);
    if ((option->flags & OPTION_SECRET) && option->type == OPTION_MAP && node->kind != CONF_MAP)
        conf_hide_secret(reader, node);
    switch (option->type) {
    case OPTION_NODE: *(const struct conf_node **)out = node; return !node->is_broken;
    case OPTION_STRUCT:
    case OPTION_ONE_OF:
        ok = read_struct(reader, option, nested_what(reader, scope, name), key, node, scope, out);
        break;
    case OPTION_LIST: ok = read_list(reader, option, name, node, scope, out); break;
    case OPTION_MAP: ok = read_map(reader, option, name, node, scope, out); break;
    default: UNREACHABLE("a type of option without a reader");
    }
    struct err err = {0};
    if (ok && option->check && !option->check(out, &err)) {
        say_wrong(reader, name, node, &err);
        ok = false;
    }
    return ok;
}

/* ---- tables -------------------------------------------------------------------------------------------------- */

static void set_default(struct conf_reader *reader, const struct option *option,
                        const struct conf_scope *scope, void *out)
{
    memset(out, 0, option_size(option));
    if (option->default_text) {
        struct conf_node node = {.text = str_of(option->default_text), .style = CONF_DOUBLE};
        CHECK(
            conf_read_value(reader, option, NULL, arena_dup(reader->arena, &node, sizeof node), scope, out));
        if (option->type == OPTION_SQL)
            ((struct conf_sql *)out)->node = NULL;
    } else if ((option->type == OPTION_STRUCT || option->type == OPTION_ONE_OF) &&
               !(option->flags & OPTION_OPTIONAL)) {
        read_struct(reader, option, nested_what(reader, scope, option->name), scope->key, NULL, scope, out);
    }
}

static void say_missing(struct conf_reader *reader, const struct option *option, const struct conf_node *node,
                        const struct conf_item *item, const struct conf_scope *scope)
{
    struct conf_diag *diag;
    if (item) {
        diag = conf_say(reader->diags, CONF_ERROR, item->key, "\"%s\" has no value", option->name);
    } else {
        diag = conf_say(reader->diags, CONF_ERROR, scope->key ? scope->key : node, "missing key \"%s\"%s%s",
                        option->name, scope->what ? " in " : "", scope->what ? scope->what : "");
    }
    if (option->example)
        err_hint(&diag->err, "For example: %s: %s", option->name, option->example);
}

static void say_deprecated(struct conf_reader *reader, const struct option *option,
                           const struct conf_item *item)
{
    struct conf_diag *diag = conf_say(reader->diags, CONF_WARNING, item->key, "\"%s\" is deprecated",
                                      option->name);
    if (option->instead)
        err_hint(&diag->err, "Use \"%s\" instead.", option->instead);
}

static void read_options(struct conf_reader *reader, const struct conf_node *node,
                         const struct conf_scope *scope, const struct option *table, void *out)
{
    for (const struct option *option = table; option && option->name; option++) {
        const struct conf_item *item = conf_find(node, str_of(option->name));
        void *place = (char *)out + option->offset;
        bool given = item && !item->value->is_null;
        if (given && types[option->type].read == NULL)
            memset(place, 0, option_size(option)); /* no defaults inside: its own reader sets them */
        else if (option->instead == NULL)          /* else it may share its successor's field */
            set_default(reader, option, scope, place);
        if (given && (option->flags & OPTION_DEPRECATED))
            say_deprecated(reader, option, item);
        if (given)
            conf_read_value(reader, option, item->key, item->value, scope, place);
        else if ((option->flags & OPTION_REQUIRED) && !scope->quiet)
            say_missing(reader, option, node, item, scope);
    }
}

void conf_read_scope(struct conf_reader *reader, const struct conf_node *node, const struct conf_scope *scope,
                     void *const *out)
{
    const struct conf_node *map = node && !node->is_null && !node->is_broken ? node : NULL;
    struct conf_scope quiet = *scope;
    if (map && map->kind != CONF_MAP) {
        conf_say(reader->diags, CONF_ERROR, map, "%s must be a mapping, not %s",
                 scope->what ? scope->what : "the file", kind_names[map->kind]);
        map = NULL;
    }
    quiet.quiet |= map == NULL && node &&
                   !node->is_null; /* what is missing then needs no word: defaults only */
    for (uint32_t i = 0; i < scope->table_count; i++)
        read_options(reader, map, &quiet, scope->tables[i], out[i]);
    for (uint32_t i = 0; map && !scope->lenient && i < map->count; i++)
        if (find_in_scope(scope, map->items[i].key->text) == NULL)
            say_unknown(reader, scope, &map->items[i]);
}

bool conf_read_all(struct arena *arena, const struct conf_node *node, const struct option *const *tables,
                   void *const *out, uint32_t count, const char *what, struct conf_diags *diags)
{
    struct conf_reader reader = {arena, diags};
    struct conf_scope scope = {.tables = tables, .table_count = count, .what = what};
    uint32_t errors = diags->errors;
    conf_read_scope(&reader, node, &scope, out);
    return diags->errors == errors;
}

bool conf_read(struct arena *arena, const struct conf_node *node, const struct option *table, void *out,
               const char *what, struct conf_diags *diags)
{
    return conf_read_all(arena, node, &table, &out, 1, what, diags);
}

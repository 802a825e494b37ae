/* Lists of what somebody has set, and what follows from them. The contract: configs.h; the table: config.def. */
#include "broker/configs_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { LIST_FORMAT = 1 };

/* ---- lists ---------------------------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
    return str_cmp(((const struct config_entry *)a)->name, ((const struct config_entry *)b)->name);
}

bool config_list_get(const struct config_list *list, struct str name, struct str *value)
{
    if (list == NULL || list->count == 0)
        return false;
    struct config_entry key = {.name = name};
    const struct config_entry *entry = bsearch(&key, list->entries, list->count, sizeof key, compare_entries);
    if (entry)
        *value = entry->value;
    return entry;
}

/* As long as a topic lives its segments cannot be kept from compaction for longer than until they must be compacted. */
static bool check_topic(const struct config_list *list, struct err *err)
{
    struct config_layers layers = {.own = list};
    int64_t min = config_int(&layers, CONFIG_TOPIC, "min.compaction.lag.ms");
    int64_t max = config_int(&layers, CONFIG_TOPIC, "max.compaction.lag.ms");
    if (min > max)
        return err_set(err, ERR_CONFIG,
                       "\"min.compaction.lag.ms\" (%lld) is above \"max.compaction.lag.ms\" (%lld)",
                       (long long)min, (long long)max);
    if (config_bool(&layers, CONFIG_TOPIC, "remote.storage.enable"))
        return err_set(err, ERR_CONFIG,
                       "\"remote.storage.enable\" cannot be true: this server has no tiered storage");
    return true;
}

static bool check_group(const struct config_list *list, struct err *err)
{
    static const char *const kinds[] = {"consumer", "share", "streams"};
    struct config_layers layers = {.own = list};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char session[40], heartbeat[40];
        snprintf(session, sizeof session, "%s.session.timeout.ms", kinds[i]);
        snprintf(heartbeat, sizeof heartbeat, "%s.heartbeat.interval.ms", kinds[i]);
        if (config_int(&layers, CONFIG_GROUP, session) <= config_int(&layers, CONFIG_GROUP, heartbeat))
            return err_set(err, ERR_CONFIG, "\"%s\" must be greater than \"%s\"", session, heartbeat);
    }
    return true;
}

static bool check_broker(const struct config_list *list, struct err *err)
{
    struct str max, overrides;
    if (config_list_get(list, STR("max.connections.per.ip"), &max) && str_is(str_trim(max), "0") &&
        !(config_list_get(list, STR("max.connections.per.ip.overrides"), &overrides) && overrides.n > 0))
        return err_set(err, ERR_CONFIG,
                       "\"max.connections.per.ip\" can be 0 only with \"max.connections.per.ip.overrides\"");
    return true;
}

const char *config_scope_name(enum config_scope scope)
{
    switch (scope) {
    case CONFIG_TOPIC: return "topic";
    case CONFIG_GROUP: return "group";
    case CONFIG_CLIENT_METRICS: return "client-metrics";
    default: return "broker";
    }
}

bool config_check_list(enum config_scope scope, const struct config_list *list, struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct config_entry *entry = &list->entries[i];
        const struct config_def *def = config_find(scope, entry->name);
        if (def == NULL)
            return err_set(err, ERR_CONFIG, "unknown %s config name: \"%.*s\"", config_scope_name(scope),
                           STR_ARG(entry->name));
        TRY(config_check(def, entry->value, err));
    }
    if (scope == CONFIG_TOPIC)
        return check_topic(list, err);
    if (scope == CONFIG_BROKER)
        return check_broker(list, err);
    return scope != CONFIG_GROUP || check_group(list, err);
}

/* ---- values --------------------------------------------------------------------------------------------------- */

/* Called for each place that has a value, the one that counts first. False: enough. */
typedef bool each_value(void *arg, struct str name, struct str value, enum config_source source);

static bool each_broker_value(const struct config_layers *layers, struct str name, each_value *each,
                              void *arg)
{
    const struct config_def *def = config_find(CONFIG_BROKER, name);
    struct str value;
    if (config_list_get(layers->broker, name, &value) && !each(arg, name, value, CONFIG_SOURCE_BROKER))
        return false;
    if (config_list_get(layers->default_broker, name, &value) &&
        !each(arg, name, value, CONFIG_SOURCE_DEFAULT_BROKER))
        return false;
    if (config_list_get(layers->fixed, name, &value) && !each(arg, name, value, CONFIG_SOURCE_STATIC))
        return false;
    return def == NULL || def->value == NULL || each(arg, name, str_of(def->value), CONFIG_SOURCE_DEFAULT);
}

/* (word): *tacit, it stands in, and is not told as a synonym. */
static bool next_word(const char **at, struct str *word, bool *tacit)
{
    *at += strspn(*at, " ");
    *tacit = **at == '(';
    *at += *tacit;
    *word = str_n(*at, strcspn(*at, " )"));
    *at += word->n + *tacit;
    return word->n > 0;
}

static enum config_source own_source(const struct config_def *def)
{
    return def->scope == CONFIG_TOPIC   ? CONFIG_SOURCE_TOPIC
           : def->scope == CONFIG_GROUP ? CONFIG_SOURCE_GROUP
                                        : CONFIG_SOURCE_CLIENT_METRICS;
}

static void each_config_value(const struct config_def *def, const struct config_layers *layers,
                              each_value *each, void *arg)
{
    struct str name = str_of(def->name), value, word;
    bool tacit;
    if (def->scope != CONFIG_BROKER && config_list_get(layers->own, name, &value) &&
        !each(arg, name, value, own_source(def)))
        return;
    if (def->scope == CONFIG_BROKER && def->synonyms == NULL)
        each_broker_value(layers, name, each, arg);
    else if (def->synonyms)
        for (const char *at = def->synonyms; next_word(&at, &word, &tacit);)
            if (!each_broker_value(layers, word, each, arg))
                return;
}

struct found {
    struct str name, value;
};

static bool take_first(void *arg, struct str name, struct str value, enum config_source source)
{
    (void)source;
    *(struct found *)arg = (struct found){name, value};
    return false;
}

/* A value by a name that counts in other units: hours for milliseconds. */
static struct str in_units_of(const struct config_def *def, struct found found, struct arena *arena)
{
    int64_t unit = str_ends(found.name, STR(".hours"))     ? 3600000
                   : str_ends(found.name, STR(".minutes")) ? 60000
                                                           : 1;
    int64_t number;
    if (unit == 1 || !str_ends(str_of(def->name), STR(".ms")) || !str_to_i64(str_trim(found.value), &number))
        return found.value;
    if (number > 0 && number > INT64_MAX / unit)
        number = INT64_MAX / unit;
    return str_of(arena_printf(arena, "%lld", (long long)(number < 0 ? -1 : number * unit)));
}

static struct str value_of(const struct config_def *def, const struct config_layers *layers,
                           struct arena *arena)
{
    struct found found = {.value = str_of(def->value)};
    each_config_value(def, layers, take_first, &found);
    /* A broker's own name is only its own, though others stand in for it elsewhere. */
    if (def->scope == CONFIG_BROKER && found.name.p && !str_is(found.name, def->name))
        return str_of(def->value);
    return found.name.p ? in_units_of(def, found, arena) : found.value;
}

static const struct config_def *must_find(enum config_scope scope, const char *name)
{
    const struct config_def *def = config_find(scope, str_of(name));
    CHECK(def != NULL);
    return def;
}

struct str config_value(const struct config_layers *layers, enum config_scope scope, const char *name,
                        struct arena *arena)
{
    const struct config_def *def = must_find(scope, name);
    struct str value = value_of(def, layers, arena);
    return value.p ? config_canonical(def, value, arena) : value;
}

int64_t config_int(const struct config_layers *layers, enum config_scope scope, const char *name)
{
    struct arena arena = {0};
    struct str text = config_value(layers, scope, name, &arena);
    int64_t number;
    CHECK(str_to_i64(text, &number));
    arena_fini(&arena);
    return number;
}

double config_double(const struct config_layers *layers, enum config_scope scope, const char *name)
{
    struct arena arena = {0};
    struct str text = config_value(layers, scope, name, &arena);
    double number;
    CHECK(str_to_f64(text, &number));
    arena_fini(&arena);
    return number;
}

bool config_bool(const struct config_layers *layers, enum config_scope scope, const char *name)
{
    struct arena arena = {0};
    bool is_true = str_is(config_value(layers, scope, name, &arena), "true");
    arena_fini(&arena);
    return is_true;
}

bool config_has(const struct config_layers *layers, enum config_scope scope, const char *name,
                const char *word)
{
    struct arena arena = {0};
    struct str rest = config_value(layers, scope, name, &arena), item;
    bool found = false;
    while (!found && config_next_item(&rest, &item))
        found = str_is(item, word);
    arena_fini(&arena);
    return found;
}

/* ---- altering ------------------------------------------------------------------------------------------------- */

static bool refuse(int16_t *error, int16_t code, struct err *err, const char *what, struct str name)
{
    *error = code;
    return err_set(err, ERR_CONFIG, "%s: \"%.*s\"", what, STR_ARG(name));
}

/* Sorted, complete, and checked. */
static bool finish(enum config_scope scope, struct config_entry *entries, size_t count,
                   struct config_list *list, int16_t *error, struct err *err)
{
    if (count)
        qsort(entries, count, sizeof *entries, compare_entries);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += entries[i].name.n + entries[i].value.n + 8;
        if (i > 0 && str_eq(entries[i].name, entries[i - 1].name))
            return refuse(error, KAFKA_ERR_INVALID_REQUEST, err, "a config is there twice", entries[i].name);
    }
    *list = (struct config_list){entries, count};
    *error = KAFKA_ERR_POLICY_VIOLATION;
    if (count > CONFIG_ENTRIES_MAX || bytes > CONFIG_LIST_BYTES_MAX)
        return err_set(err, ERR_CONFIG, "too many configs: %zu of them, %zu bytes", count, bytes);
    *error = KAFKA_ERR_INVALID_CONFIG;
    TRY(config_check_list(scope, list, err));
    *error = KAFKA_ERR_NONE;
    return true;
}

static bool has_item(struct str list, struct str wanted)
{
    struct str item;
    while (list.n > 0 && config_next_item(&list, &item))
        if (str_eq(item, wanted))
            return true;
    return false;
}

/* The list `now` with, or without, the items of `items`. */
static struct str edit_list(struct str now, struct str items, bool appends, struct arena *arena)
{
    char *text = arena_alloc(arena, now.n + items.n + 2);
    struct str made = str_n(text, 0), item;
    for (int part = 0; part < (appends ? 2 : 1); part++) {
        struct str rest = part == 0 ? now : items;
        while (rest.n > 0 && config_next_item(&rest, &item)) {
            if (part == 0 ? !appends && has_item(items, item) : has_item(made, item))
                continue;
            if (made.n)
                text[made.n++] = ',';
            if (item.n)
                memcpy(text + made.n, item.p, item.n);
            made.n += item.n;
        }
    }
    return made;
}

/* What an operation makes of a value; p NULL: the entry goes. */
static bool operate(enum config_scope scope, const struct config_layers *layers,
                    const struct kafka_incremental_alter_configs_request_config *op, struct arena *arena,
                    struct str *value, int16_t *error, struct err *err)
{
    const struct config_def *def = config_find(scope, op->name);
    if (op->config_operation < CONFIG_SET || op->config_operation > CONFIG_SUBTRACT)
        return refuse(error, KAFKA_ERR_INVALID_REQUEST, err, "unknown operation for", op->name);
    if (op->config_operation == CONFIG_DELETE) {
        *value = (struct str){0};
        return true;
    }
    if (op->value.p == NULL)
        return refuse(error, KAFKA_ERR_INVALID_REQUEST, err, "null is not a value for", op->name);
    *value = op->value;
    if (op->config_operation == CONFIG_SET)
        return true;
    if (def == NULL)
        return refuse(error, KAFKA_ERR_INVALID_CONFIG, err, "unknown config name", op->name);
    if (def->type != CONFIG_LIST)
        return refuse(error, KAFKA_ERR_INVALID_CONFIG, err,
                      op->config_operation == CONFIG_APPEND ? "cannot append, it is not a list"
                                                            : "cannot subtract, it is not a list",
                      op->name);
    struct str now = value_of(def, layers, arena);
    *value = edit_list(now, op->value, op->config_operation == CONFIG_APPEND, arena);
    return true;
}

/* Of a running node not all can be changed. */
static bool check_dynamic(enum config_scope scope, struct str name, int16_t *error, struct err *err)
{
    const struct config_def *def = config_find(scope, name);
    if (scope != CONFIG_BROKER || def == NULL || !def->read_only)
        return true;
    return refuse(error, KAFKA_ERR_INVALID_REQUEST, err, "cannot be changed while the server runs", name);
}

static const struct config_list *own_list(enum config_scope scope, const struct config_layers *layers)
{
    static const struct config_list none;
    const struct config_list *own = scope == CONFIG_BROKER ? layers->broker : layers->own;
    return own ? own : &none;
}

bool config_alter(enum config_scope scope, const struct config_layers *layers,
                  const struct kafka_incremental_alter_configs_request_resource *request, struct arena *arena,
                  struct config_list *list, int16_t *error, struct err *err)
{
    const struct config_list *own = own_list(scope, layers);
    struct config_entry *entries = arena_array(arena, struct config_entry,
                                               own->count + request->configs_count);
    size_t count = 0;
    for (size_t i = 0; i < own->count; i++) {
        bool is_altered = false;
        for (uint32_t k = 0; k < request->configs_count; k++)
            is_altered = is_altered || str_eq(request->configs[k].name, own->entries[i].name);
        if (!is_altered)
            entries[count++] = own->entries[i];
    }
    for (uint32_t i = 0; i < request->configs_count; i++) {
        const struct kafka_incremental_alter_configs_request_config *op = &request->configs[i];
        for (uint32_t k = 0; k < i; k++)
            if (str_eq(request->configs[k].name, op->name))
                return refuse(error, KAFKA_ERR_INVALID_REQUEST, err, "a config is there twice", op->name);
        struct str value;
        TRY(check_dynamic(scope, op->name, error, err));
        TRY(operate(scope, layers, op, arena, &value, error, err));
        if (value.p)
            entries[count++] = (struct config_entry){op->name, value};
    }
    return finish(scope, entries, count, list, error, err);
}

bool config_replace(enum config_scope scope, const struct kafka_alter_configs_request_resource *request,
                    struct arena *arena, struct config_list *list, int16_t *error, struct err *err)
{
    struct config_entry *entries = arena_array(arena, struct config_entry, request->configs_count);
    for (uint32_t i = 0; i < request->configs_count; i++) {
        entries[i] = (struct config_entry){request->configs[i].name, request->configs[i].value};
        if (entries[i].value.p == NULL)
            return refuse(error, KAFKA_ERR_INVALID_REQUEST, err, "null is not a value for", entries[i].name);
        TRY(check_dynamic(scope, entries[i].name, error, err));
    }
    return finish(scope, entries, request->configs_count, list, error, err);
}

bool config_create(const struct config_entry *given, size_t count, struct arena *arena,
                   struct config_list *list, int16_t *error, struct err *err)
{
    struct config_entry *entries = arena_array(arena, struct config_entry, count);
    for (size_t i = 0; i < count; i++) {
        entries[i] = given[i];
        if (entries[i].value.p == NULL) /* Kafka's word for it, here */
            return refuse(error, KAFKA_ERR_INVALID_CONFIG, err, "null is not a value for", entries[i].name);
    }
    return finish(CONFIG_TOPIC, entries, count, list, error, err);
}

/* ---- describing ----------------------------------------------------------------------------------------------- */

struct describing {
    const struct config_def *def;
    struct kafka_describe_configs_response_synonym *all;
    uint32_t count;
    struct arena *arena;
};

static void tell_synonym(struct describing *d, const struct config_def *def, struct str value,
                         enum config_source source)
{
    bool is_secret = d->def->type == CONFIG_PASSWORD;
    d->all[d->count++] = (struct kafka_describe_configs_response_synonym){
        .name = str_of(def->name),
        .value = is_secret ? (struct str){0} : config_canonical(def, value, d->arena),
        .source = (int8_t)source,
    };
}

/* What the broker's names have in one place. Kafka tells nothing before the first of the very name that the value is asked by. */
static void tell_place(struct describing *d, const struct config_list *list, enum config_source source)
{
    const char *at = d->def->synonyms ? d->def->synonyms : d->def->name;
    struct str word, value, first = {0};
    uint32_t before = d->count;
    bool tacit, told = before > 0 && d->all[before - 1].source != (int8_t)own_source(d->def);
    while (next_word(&at, &word, &tacit)) {
        const struct config_def *def = config_find(CONFIG_BROKER, word);
        first = first.p ? first : word;
        bool found = !tacit && def != NULL;
        if (found && source == CONFIG_SOURCE_DEFAULT)
            found = (value = str_of(def->value)).p != NULL;
        else if (found)
            found = config_list_get(list, word, &value);
        told = told || (found && str_eq(word, first));
        if (found && told)
            tell_synonym(d, def, value, source);
    }
}

/* All places that the value could come from, the first one first: by where it was set, then by name. Not as it is found (value_of), where an older name
 * gives way to a newer one wherever that was set. */
static void tell_synonyms(struct describing *d, const struct config_layers *layers, bool of_all_nodes)
{
    struct str value;
    if (d->def->scope != CONFIG_BROKER && config_list_get(layers->own, str_of(d->def->name), &value))
        tell_synonym(d, d->def, value, own_source(d->def));
    if (d->def->scope != CONFIG_BROKER && d->def->synonyms == NULL)
        return;
    tell_place(d, layers->broker, CONFIG_SOURCE_BROKER);
    tell_place(d, layers->default_broker, CONFIG_SOURCE_DEFAULT_BROKER);
    if (of_all_nodes)
        return;
    tell_place(d, layers->fixed, CONFIG_SOURCE_STATIC);
    tell_place(d, NULL, CONFIG_SOURCE_DEFAULT);
}

static void describe_one(const struct config_def *def, const struct config_layers *layers,
                         const struct config_wants *wants, struct arena *arena,
                         struct kafka_describe_configs_response_config *out)
{
    enum { SYNONYMS_MAX = 1 + 3 * 4 }; /* its own, and of three names four places each */
    struct describing d = {.def = def, .arena = arena};
    struct str value = value_of(def, layers, arena);
    d.all = KAFKA_NEW(arena, kafka_describe_configs_response_synonym, SYNONYMS_MAX);
    tell_synonyms(&d, layers, wants->defaults_of_all_nodes);
    CHECK(d.count <= SYNONYMS_MAX);
    out->name = str_of(def->name);
    out->is_sensitive = def->type == CONFIG_PASSWORD;
    out->value = out->is_sensitive || value.p == NULL ? (struct str){0} : config_canonical(def, value, arena);
    out->read_only = def->read_only;
    out->config_source = d.count > 0 ? d.all[0].source : (int8_t)CONFIG_SOURCE_DEFAULT;
    out->config_type = (int8_t)def->type;
    out->documentation = wants->documentation ? str_of(def->help) : (struct str){0};
    if (wants->synonyms) {
        out->synonyms = d.all;
        out->synonyms_count = d.count;
    }
}

static bool is_wanted(const struct config_def *def, const struct config_layers *layers,
                      const struct config_wants *wants)
{
    struct str value;
    if (wants->defaults_of_all_nodes && !config_list_get(layers->default_broker, str_of(def->name), &value))
        return false;
    for (size_t i = 0; i < wants->keys_count; i++)
        if (str_is(wants->keys[i], def->name))
            return true;
    return wants->keys == NULL || wants->keys_count == 0;
}

void config_describe(enum config_scope scope, const struct config_layers *layers,
                     const struct config_wants *wants, struct arena *arena,
                     struct kafka_describe_configs_response_resource *result)
{
    size_t count;
    const struct config_def *all = config_defs(&count);
    struct config_layers seen = *layers;
    if (wants->defaults_of_all_nodes)
        seen.broker = NULL;
    result->configs = KAFKA_NEW(arena, kafka_describe_configs_response_config, count);
    for (size_t i = 0; i < count; i++)
        if (all[i].scope == scope && is_wanted(&all[i], &seen, wants))
            describe_one(&all[i], &seen, wants, arena, &result->configs[result->configs_count++]);
}

/* ---- keeping -------------------------------------------------------------------------------------------------- */

static void put_number(struct sbuf *out, size_t number)
{
    sbuf_added(out, put_uvarint((uint8_t *)sbuf_reserve(out, VARINT_MAX), number));
}

void config_list_encode(const struct config_list *list, struct sbuf *out)
{
    put_number(out, LIST_FORMAT);
    put_number(out, list->count);
    for (size_t i = 0; i < list->count; i++) {
        put_number(out, list->entries[i].name.n);
        sbuf_str(out, list->entries[i].name);
        put_number(out, list->entries[i].value.n);
        sbuf_str(out, list->entries[i].value);
    }
}

static struct str read_text(struct rd *r)
{
    uint64_t n = rd_uvarint(r);
    const uint8_t *p = rd_take(r, n);
    return str_n(p ? (const char *)p : "", p ? n : 0);
}

bool config_list_decode(struct str bytes, struct arena *arena, struct config_list *list, struct err *err)
{
    struct rd r = rd_of(bytes.p, bytes.n);
    uint64_t format = rd_uvarint(&r), count = rd_uvarint(&r);
    if (r.bad || format != LIST_FORMAT || count > CONFIG_ENTRIES_MAX)
        return err_set(err, ERR_DATA, "a list of configs is damaged");
    struct config_entry *entries = arena_array(arena, struct config_entry, count);
    for (uint64_t i = 0; i < count; i++) {
        entries[i].name = read_text(&r);
        entries[i].value = read_text(&r);
        r.bad = r.bad || (i > 0 && str_cmp(entries[i - 1].name, entries[i].name) >= 0);
    }
    if (r.bad || rd_left(&r) > 0)
        return err_set(err, ERR_DATA, "a list of configs is damaged");
    *list = (struct config_list){entries, count};
    return true;
}

/* Makes C of src/wire/kafka.messages, whose head explains the notation: the structs (kafka_messages.h) and the tables
 * (kafka_messages.c). Run by the build, before anything that includes the first.
 *
 *     kafka_gen kafka.messages kafka_messages.h kafka_messages.c
 *
 * One pass reads the lines into types and fields; indentation says whose a field is. A type is complete before its parent is, so
 * writing them in the order in which they were completed declares each before its use. A mistake in the description ends the
 * build with its line. */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_MAX = 96,
    FIELDS_MAX = 40,
    TYPES_MAX = 600,
    APIS_MAX = 128,
    RECORDS_MAX = 64,
    DEPTH_MAX = 6, /* KAFKA_DEPTH_MAX */
    WORDS_MAX = 16,
    TEXT_MAX = 400,
    NEVER = 255, /* KAFKA_NEVER */
};

/* In the order of enum kafka_kind. fixed: bytes on the wire, 0 = a length and bytes. */
static const struct {
    const char *name, *constant, *c;
    int fixed;
} kinds[] = {
    {"bool", "KAFKA_BOOL", "bool", 1},
    {"i8", "KAFKA_I8", "int8_t", 1},
    {"i16", "KAFKA_I16", "int16_t", 2},
    {"error", "KAFKA_ERROR", "int16_t", 2},
    {"u16", "KAFKA_U16", "uint16_t", 2},
    {"i32", "KAFKA_I32", "int32_t", 4},
    {"u32", "KAFKA_U32", "uint32_t", 4},
    {"i64", "KAFKA_I64", "int64_t", 8},
    {"f64", "KAFKA_F64", "double", 8},
    {"uuid", "KAFKA_UUID", "struct kafka_uuid", 16},
    {"str", "KAFKA_STR", "struct str", 0},
    {"bytes", "KAFKA_BYTES", "struct str", 0},
    {"records", "KAFKA_RECORDS", "struct str", 0},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], STR = 10, UUID = 9, STRUCT = KINDS };

struct range {
    int first, last; /* first > last: none */
};

struct type;

struct field {
    char name[NAME_MAX], c_name[NAME_MAX], value[NAME_MAX]; /* value: the default, "" = none */
    int kind;
    struct type *type;
    bool is_array, is_ignorable;
    struct range versions, null;
    int tag;
};

struct type {
    char name[NAME_MAX], own_name[NAME_MAX],
        c_name[NAME_MAX]; /* "FetchRequest.Topic", "Topic", "kafka_fetch_request_topic" */
    struct field fields[FIELDS_MAX];
    int fields_count;
    struct type *message; /* which it is within; itself for a message */
    struct range versions;
    int flexible;
    int depth; /* of structs below */
    bool is_written;
};

struct api {
    char name[NAME_MAX];
    int key;
    struct range advertised;
    struct type *request, *response;
};

struct record {
    char name[NAME_MAX], topic[NAME_MAX];
    int type;
    struct type *key, *value;
};

static struct type types[TYPES_MAX];
static int types_count;
static struct api apis[APIS_MAX];
static int apis_count;
static struct record records[RECORDS_MAX];
static int records_count;

/* Where the reader is: the open types by depth of indentation. */
static const char *path;
static int line_number;
static struct type *open_types[DEPTH_MAX + 1];
static enum { NOWHERE, IN_API, IN_RECORD } place;

static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: error: ", path, line_number);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

static void set_name(char *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (vsnprintf(out, NAME_MAX, format, args) >= NAME_MAX)
        fail("name too long");
    va_end(args);
}

/* ThrottleTimeMs → throttle_time_ms */
static void snake(char *out, const char *name)
{
    size_t n = 0;
    for (const char *p = name; *p && n + 2 < NAME_MAX; p++) {
        if (isupper((unsigned char)*p) && p > name && !isupper((unsigned char)p[-1]) && p[-1] != '.')
            out[n++] = '_';
        out[n++] = *p == '.' ? '_' : (char)tolower((unsigned char)*p);
    }
    out[n] = '\0';
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* "3+", "0-2", "7", within the versions given. */
static struct range read_range(const char *text, struct range within)
{
    char *end;
    struct range r;
    r.first = r.last = (int)strtol(text, &end, 10);
    if (*end == '+' && end[1] == '\0')
        r.last = within.last;
    else if (*end == '-')
        r.last = (int)strtol(end + 1, &end, 10);
    else if (*end)
        fail("\"%s\" is no range of versions", text);
    if (r.first < 0 || r.first >= NEVER || r.last >= NEVER)
        fail("versions \"%s\" are above %d", text, NEVER - 1);
    r.first = r.first < within.first ? within.first : r.first;
    r.last = r.last > within.last ? within.last : r.last;
    if (r.first > r.last)
        fail("versions \"%s\" are outside %d-%d", text, within.first, within.last);
    return r;
}

static int read_number(const char *text, int max)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*end || end == text || n < 0 || n > max)
        fail("\"%s\" is no number up to %d", text, max);
    return (int)n;
}

static struct type *add_type(struct type *message, const char *name)
{
    if (types_count == TYPES_MAX)
        fail("more than %d structs", TYPES_MAX);
    struct type *t = &types[types_count++];
    char c_name[NAME_MAX];
    set_name(t->own_name, "%s", name);
    if (message)
        set_name(t->name, "%s.%s", message->name, name);
    else
        set_name(t->name, "%s", name);
    snake(c_name, t->name);
    set_name(t->c_name, "kafka_%s", c_name);
    for (int i = 0; i < types_count - 1; i++)
        if (strcmp(types[i].c_name, t->c_name) == 0)
            fail("there are two structs \"%s\"", t->c_name);
    t->message = message ? message : t;
    if (message) {
        t->versions = message->versions;
        t->flexible = message->flexible;
    }
    return t;
}

/* words: VERSIONS [flexible FROM] */
static struct type *add_message(const char *name, const char *suffix, char **words, int count)
{
    char full[NAME_MAX];
    set_name(full, "%s%s", name, suffix);
    struct type *t = add_type(NULL, full);
    if (count == 0)
        fail("versions expected");
    t->versions = read_range(words[0], (struct range){0, NEVER - 1});
    t->flexible = NEVER;
    if (count == 3 && strcmp(words[1], "flexible") == 0)
        t->flexible = read_range(words[2], (struct range){0, NEVER - 1}).first;
    else if (count != 1)
        fail("\"flexible FROM\" expected");
    memset(open_types, 0, sizeof open_types);
    open_types[0] = t;
    return t;
}

static void read_message(char **words, int count)
{
    struct api *api = apis_count ? &apis[apis_count - 1] : NULL;
    struct record *record = records_count ? &records[records_count - 1] : NULL;
    if (apis_count == APIS_MAX || records_count == RECORDS_MAX)
        fail("more than %d apis, or %d records", APIS_MAX - 1, RECORDS_MAX - 1);
    if (strcmp(words[0], "api") == 0 && count == 5 && strcmp(words[3], "advertised") == 0) {
        api = &apis[apis_count++];
        set_name(api->name, "%s", words[1]);
        api->key = read_number(words[2], 126);
        api->advertised = read_range(words[4], (struct range){0, NEVER - 1});
        place = IN_API;
    } else if (strcmp(words[0], "record") == 0 && count == 5 && strcmp(words[3], "in") == 0) {
        record = &records[records_count++];
        set_name(record->name, "%s", words[1]);
        record->type = read_number(words[2], 1000);
        set_name(record->topic, "%s", words[4]);
        place = IN_RECORD;
    } else if (strcmp(words[0], "data") == 0 && count > 2) {
        add_message(words[1], "", words + 2, count - 2);
        place = NOWHERE;
    } else if (strcmp(words[0], "request") == 0 && place == IN_API) {
        api->request = add_message(api->name, "Request", words + 1, count - 1);
    } else if (strcmp(words[0], "response") == 0 && place == IN_API) {
        api->response = add_message(api->name, "Response", words + 1, count - 1);
    } else if (strcmp(words[0], "key") == 0 && place == IN_RECORD) {
        record->key = add_message(record->name, "Key", words + 1, count - 1);
    } else if (strcmp(words[0], "value") == 0 && place == IN_RECORD) {
        record->value = add_message(record->name, "Value", words + 1, count - 1);
    } else {
        fail("\"%s\" is not expected here", words[0]);
    }
}

static void set_field_type(struct field *f, char *text, int depth)
{
    size_t n = strlen(text);
    struct type *parent = open_types[depth];
    if (text[0] == '[' && text[n - 1] == ']') {
        f->is_array = true;
        text[n - 1] = '\0';
        text++;
    }
    for (f->kind = 0; f->kind < KINDS; f->kind++)
        if (strcmp(text, kinds[f->kind].name) == 0)
            return;
    if (!isupper((unsigned char)text[0]))
        fail("\"%s\" is no type", text);
    for (int i = 0; i < types_count; i++)
        if (types[i].message == parent->message && strcmp(types[i].own_name, text) == 0)
            f->type = &types[i];
    for (int i = 0; i <= depth; i++)
        if (f->type && f->type == open_types[i])
            fail("\"%s\" within itself", text);
    if (f->type && (f->versions.first < f->type->versions.first || f->versions.last > f->type->versions.last))
        fail("\"%s\" is described for versions %d-%d only", text, f->type->versions.first,
             f->type->versions.last);
    if (f->type)
        return;
    if (depth == DEPTH_MAX)
        fail("structs deeper than %d", DEPTH_MAX);
    f->type = add_type(parent->message, text);
    f->type->versions = f->versions;
    open_types[depth + 1] = f->type;
}

/* words: Name: TYPE [VERSIONS] [null [VERSIONS]] [tag N] [= DEFAULT] [ignorable] */
static void read_field(char **words, int count, int depth)
{
    struct type *parent = open_types[depth];
    if (parent == NULL || count < 2)
        fail("a field of nothing, or without a type");
    if (parent->fields_count == FIELDS_MAX)
        fail("more than %d fields", FIELDS_MAX);
    struct field *f = &parent->fields[parent->fields_count++];
    char *colon = strchr(words[0], ':');
    if (colon == NULL)
        fail("\":\" expected behind the name");
    *colon = '\0';
    set_name(f->name, "%s", words[0]);
    snake(f->c_name, f->name);
    f->versions = parent->versions;
    f->null = (struct range){NEVER, 0};
    f->tag = NEVER;
    for (int i = 2; i < count; i++) {
        bool more = i + 1 < count;
        if (isdigit((unsigned char)words[i][0]))
            f->versions = read_range(words[i], parent->versions);
        else if (strcmp(words[i], "null") == 0 && more && isdigit((unsigned char)words[i + 1][0]))
            f->null = read_range(words[++i], f->versions);
        else if (strcmp(words[i], "null") == 0)
            f->null = f->versions;
        else if (strcmp(words[i], "tag") == 0 && more)
            f->tag = read_number(words[++i], NEVER - 1);
        else if (strcmp(words[i], "=") == 0 && more)
            set_name(f->value, "%s", words[++i]);
        else if (strcmp(words[i], "ignorable") == 0)
            f->is_ignorable = true;
        else
            fail("\"%s\" is not expected here", words[i]);
    }
    if (f->tag != NEVER && f->versions.first < parent->message->flexible)
        fail("a tagged field in versions that are not flexible");
    set_field_type(f, words[1], depth);
}

static void read_line(char *line)
{
    char *words[WORDS_MAX], *comment = strchr(line, '#');
    int count = 0, spaces = (int)strspn(line, " ");
    if (comment)
        *comment = '\0';
    for (char *p = strtok(line, " \n"); p && count < WORDS_MAX; p = strtok(NULL, " \n"))
        words[count++] = p;
    if (count == 0)
        return;
    if (spaces == 0) {
        read_message(words, count);
        return;
    }
    int depth = spaces / 4 - 1;
    if (spaces % 4 || depth > DEPTH_MAX)
        fail("indentation by 4, up to %d times", DEPTH_MAX + 1);
    for (int i = depth + 1; i <= DEPTH_MAX; i++)
        open_types[i] = NULL;
    if (strcmp(words[0], "struct") == 0 && count == 2 && depth == 0)
        open_types[1] = add_type(open_types[0], words[1]);
    else
        read_field(words, count, depth);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

/* The fewest bytes of a struct in any of its versions. */
static int wire_min(const struct type *t)
{
    int least = 1 << 20;
    for (int version = t->versions.first; version <= t->versions.last; version++) {
        bool flexible = version >= t->message->flexible;
        int n = flexible;
        for (int i = 0; i < t->fields_count; i++) {
            const struct field *f = &t->fields[i];
            bool is_null = version >= f->null.first && version <= f->null.last;
            if (version < f->versions.first || version > f->versions.last || f->tag != NEVER)
                continue;
            if (f->is_array)
                n += flexible ? 1 : 4;
            else if (f->kind == STRUCT)
                n += is_null ? 1 : wire_min(f->type);
            else if (kinds[f->kind].fixed)
                n += kinds[f->kind].fixed;
            else
                n += flexible ? 1 : f->kind == STR ? 2 : 4;
        }
        least = n < least ? n : least;
    }
    return least > 0 ? least : 1;
}

static bool is_pointer(const struct field *f)
{
    return f->kind == STRUCT && !f->is_array && f->null.first <= f->null.last;
}

static void write_struct(FILE *h, const struct type *t)
{
    fprintf(h, "\nstruct %s {\n", t->c_name);
    for (int i = 0; i < t->fields_count; i++) {
        const struct field *f = &t->fields[i];
        bool points = f->is_array || is_pointer(f);
        if (f->kind == STRUCT)
            fprintf(h, "    struct %s ", f->type->c_name);
        else
            fprintf(h, "    %s ", kinds[f->kind].c);
        fprintf(h, "%s%s;", points ? "*" : "", f->c_name);
        bool always = f->versions.first == t->versions.first && f->versions.last == t->versions.last;
        bool can_be_null = f->null.first <= f->null.last;
        if (!always || can_be_null || f->value[0]) {
            fprintf(h, " /*");
            if (!always && f->versions.last == t->versions.last)
                fprintf(h, " %d+", f->versions.first);
            else if (!always)
                fprintf(h, " %d-%d", f->versions.first, f->versions.last);
            fprintf(h, "%s", can_be_null ? " or null" : "");
            if (f->value[0])
                fprintf(h, " = %s", f->value);
            fprintf(h, " */");
        }
        fprintf(h, "\n");
        if (f->is_array)
            fprintf(h, "    uint32_t %s_count;\n", f->c_name);
    }
    if (t->fields_count == 0)
        fprintf(h, "    char nothing; /* it has no field */\n");
    fprintf(h, "};\nextern const struct kafka_type %s;\n", t->c_name);
}

/* The initialiser of one struct with its defaults, in braces. */
static void write_defaults(FILE *c, const struct type *t)
{
    const char *separator = "";
    fprintf(c, "{");
    for (int i = 0; i < t->fields_count; i++) {
        const struct field *f = &t->fields[i];
        bool is_struct = f->kind == STRUCT && !f->is_array;
        bool is_zero = f->kind < STR && !f->is_array && f->value[0] == '\0';
        if (is_zero || strcmp(f->value, "null") == 0)
            continue;
        fprintf(c, "%s.%s = ", separator, f->c_name);
        if (f->is_array)
            fprintf(c, "NOTHING");
        else if (is_struct && is_pointer(f))
            fprintf(c, "(struct %s *)&%s_defaults", f->type->c_name, f->type->c_name);
        else if (is_struct)
            write_defaults(c, f->type);
        else if (f->kind >= STR)
            fprintf(c, "{\"\", 0}");
        else
            fprintf(c, "%s", strcmp(f->value, "-2147483648") == 0 ? "INT32_MIN" : f->value);
        separator = ", ";
    }
    fprintf(c, "%s}", *separator ? "" : "0");
}

static void write_field(FILE *c, const struct type *t, const struct field *f)
{
    fprintf(c, "    {\"%s\", %s%s, offsetof(struct %s, %s), %s, %d, %d, %d, %d, %d, %d, %d, %d},\n", f->name,
            f->type ? "&" : "NULL", f->type ? f->type->c_name : "", t->c_name, f->c_name,
            f->kind == STRUCT ? "KAFKA_STRUCT" : kinds[f->kind].constant, f->is_array, is_pointer(f),
            f->is_ignorable, f->versions.first, f->versions.last, f->null.first, f->null.last, f->tag);
}

/* The fields: those without a tag in their order, then the others by tag. */
static int write_fields(FILE *c, const struct type *t)
{
    int untagged = 0;
    fprintf(c, "\nstatic const struct kafka_field %s_fields[] = {\n", t->c_name);
    for (int i = 0; i < t->fields_count; i++) {
        if (t->fields[i].tag == NEVER) {
            write_field(c, t, &t->fields[i]);
            untagged++;
        }
    }
    for (int tag = 0; tag < NEVER; tag++)
        for (int i = 0; i < t->fields_count; i++)
            if (t->fields[i].tag == tag)
                write_field(c, t, &t->fields[i]);
    if (t->fields_count == 0)
        fprintf(c, "    {0},\n");
    fprintf(c, "};\n");
    return untagged;
}

static void write_table(FILE *c, const struct type *t)
{
    int untagged = write_fields(c, t);
    fprintf(c, "static const struct %s %s_defaults = ", t->c_name, t->c_name);
    write_defaults(c, t);
    fprintf(
        c,
        ";\nconst struct kafka_type %s = {\"%s\", &%s_defaults, %s_fields, %d, %d, sizeof(struct %s), %d, %d, %d, %d};\n",
        t->c_name, t->name, t->c_name, t->c_name, untagged, t->fields_count, t->c_name, wire_min(t),
        t->versions.first, t->versions.last, t->message->flexible);
    if (t->message == t)
        return;
    fprintf(
        c,
        "_Static_assert(sizeof(struct %s) <= KAFKA_ELEMENT_GROWTH_MAX * %d, \"too large for so few bytes\");\n",
        t->c_name, wire_min(t));
}

/* Those that it holds before it. */
static void write_type(FILE *h, FILE *c, struct type *t)
{
    if (t->is_written)
        return;
    t->is_written = true;
    for (int i = 0; i < t->fields_count; i++)
        if (t->fields[i].type)
            write_type(h, c, t->fields[i].type);
    write_struct(h, t);
    write_table(c, t);
}

static void write_apis(FILE *h, FILE *c)
{
    int max = 0;
    fprintf(h, "\nenum kafka_api_key {\n");
    fprintf(c, "\nconst struct kafka_api kafka_apis[KAFKA_APIS] = {\n");
    for (int i = 0; i < apis_count; i++) {
        const struct api *a = &apis[i];
        char name[NAME_MAX];
        if (a->request == NULL || a->response == NULL || a->request->flexible != a->response->flexible)
            fail("api \"%s\" needs a request and a response that are flexible from the same version on",
                 a->name);
        snake(name, a->name);
        for (char *p = name; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        fprintf(h, "    KAFKA_API_%s = %d,\n", name, a->key);
        fprintf(c, "    [%d] = {\"%s\", &%s, &%s, %d, %d, %d},\n", a->key, a->name, a->request->c_name,
                a->response->c_name, a->key, a->advertised.first, a->advertised.last);
        max = a->key > max ? a->key : max;
    }
    fprintf(h, "    KAFKA_APIS = %d\n};\nextern const struct kafka_api kafka_apis[KAFKA_APIS];\n", max + 1);
    fprintf(c, "};\n");
}

static void write_records(FILE *h, FILE *c)
{
    fprintf(
        h,
        "\nenum { KAFKA_RECORDS_COUNT = %d };\nextern const struct kafka_record kafka_records[KAFKA_RECORDS_COUNT];\n",
        records_count);
    fprintf(c, "\nconst struct kafka_record kafka_records[KAFKA_RECORDS_COUNT] = {\n");
    for (int i = 0; i < records_count; i++) {
        const struct record *r = &records[i];
        if (r->key == NULL || r->value == NULL)
            fail("record \"%s\" needs a key and a value", r->name);
        fprintf(c, "    {\"%s\", \"%s\", &%s, &%s, %d},\n", r->name, r->topic, r->key->c_name,
                r->value->c_name, r->type);
    }
    fprintf(c, "};\n");
    fprintf(h, "union kafka_record_key {\n");
    for (int i = 0; i < records_count; i++)
        fprintf(h, "    struct %s %s;\n", records[i].key->c_name, records[i].key->c_name + strlen("kafka_"));
    fprintf(h, "};\n");
}

static void write_messages(FILE *h, FILE *c)
{
    int count = 0;
    fprintf(c, "\nconst struct kafka_type *const kafka_types[KAFKA_TYPES_COUNT] = {\n");
    for (int i = 0; i < types_count; i++) {
        if (types[i].message == &types[i]) {
            fprintf(c, "    &%s,\n", types[i].c_name);
            count++;
        }
    }
    fprintf(c, "};\n");
    fprintf(
        h,
        "\nenum { KAFKA_TYPES_COUNT = %d };\nextern const struct kafka_type *const kafka_types[KAFKA_TYPES_COUNT];\n",
        count);
}

static FILE *open_file(const char *name, const char *mode)
{
    FILE *f = fopen(name, mode);
    if (f == NULL) {
        perror(name);
        exit(1);
    }
    return f;
}

int main(int argc, char **argv)
{
    char line[TEXT_MAX];
    if (argc != 4) {
        fprintf(stderr, "usage: kafka_gen kafka.messages kafka_messages.h kafka_messages.c\n");
        return 2;
    }
    path = argv[1];
    FILE *in = open_file(path, "r");
    while (fgets(line, sizeof line, in)) {
        line_number++;
        if (strchr(line, '\n') == NULL)
            fail("a line of more than %d characters, or without an end", (int)sizeof line - 2);
        read_line(line);
    }
    fclose(in);
    FILE *h = open_file(argv[2], "w"), *c = open_file(argv[3], "w");
    fprintf(h, "/* Made of src/wire/kafka.messages by tools/kafka_gen.c; include wire/kafka.h. */\n"
               "#ifndef WIRE_KAFKA_MESSAGES_H\n#define WIRE_KAFKA_MESSAGES_H\n");
    fprintf(
        c,
        "/* Made of src/wire/kafka.messages by tools/kafka_gen.c. */\n#include \"wire/kafka.h\"\n\n"
        "/* Where empty arrays begin: NULL would be null. */\nstatic uint64_t nothing;\n#define NOTHING ((void *)&nothing)\n");
    for (int i = 0; i < types_count; i++)
        write_type(h, c, &types[i]);
    write_apis(h, c);
    write_records(h, c);
    write_messages(h, c);
    fprintf(h, "\n#endif\n");
    if (fclose(h) || fclose(c)) {
        perror("kafka_gen");
        return 1;
    }
    return 0;
}

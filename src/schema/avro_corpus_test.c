/* Apache Avro's own test data: canonical forms with their fingerprints, schemas that must parse, and that must not. */
#include <dirent.h>

#include "schema/avro.h"

#include "base/test.h"

static char folder[2048];
static struct arena arena;

static struct str load(const char *name)
{
    char path[4096];
    struct sbuf b = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    size_t n = 1;
    while (f && n > 0) {
        n = fread(sbuf_reserve(&b, 1 << 16), 1, 1 << 16, f);
        sbuf_added(&b, n);
    }
    EXPECT(f != NULL);
    if (f)
        fclose(f);
    struct str text = str_n(arena_dup(&arena, b.n ? b.p : "", b.n + 1), b.n);
    sbuf_fini(&b);
    return text;
}

static const struct schema *parse(struct str text, struct err *err)
{
    const struct schema *schema;
    return schema_parse(&arena, &(struct schema_source){.text = text}, &schema, err) ? schema : NULL;
}

/* What follows a mark, up to the next one that begins a line, trimmed; *rest is behind it. */
static bool section(struct str *rest, struct str mark, struct str *text)
{
    size_t at = str_find(*rest, mark, 0);
    if (at == SIZE_MAX)
        return false;
    *rest = str_n(rest->p + at + mark.n, rest->n - at - mark.n);
    size_t end = str_find(*rest, STR("\n<<"), 0), comment = str_find(*rest, STR("\n//"), 0);
    end = comment < end ? comment : end;
    *text = str_trim(str_n(rest->p, end == SIZE_MAX ? rest->n : end));
    if (str_ends(*text, STR("INPUT"))) /* a text of several lines */
        *text = str_trim(str_n(text->p, text->n - 5));
    return true;
}

TEST(forms_and_fingerprints)
{
    struct str file = load("share/test/data/schema-tests.txt"), input, wanted, number;
    unsigned count = 0;
    while (section(&file, STR("<<INPUT"), &input)) {
        struct str here = str_n(file.p, str_find(file, STR("<<INPUT"), 0));
        struct err err = {0};
        struct sbuf form = {0};
        int64_t fingerprint;
        if (str_find(input, STR("broken???"), 0) != SIZE_MAX) /* so the corpus says of what is no JSON */
            continue;
        if (here.n == SIZE_MAX)
            here.n = file.n;
        const struct schema *schema = parse(input, &err);
        if (!EXPECT(schema != NULL)) {
            fprintf(stderr, "    %.*s: %s\n", STR_ARG(input), err.text);
            continue;
        }
        avro_parsing_form(schema_avro(schema), &form);
        if (section(&here, STR("<<canonical"), &wanted) && !EXPECT(str_eq(wanted, sbuf_view(&form))))
            fprintf(stderr, "    %.*s\n    %s\n", STR_ARG(wanted), form.p);
        if (section(&here, STR("<<fingerprint"), &number) && EXPECT(str_to_i64(number, &fingerprint)))
            EXPECT_EQ_INT((int64_t)avro_fingerprint(schema_avro(schema)), fingerprint);
        sbuf_fini(&form);
        count++;
    }
    EXPECT(count > 30);
}

static void each_file(const char *sub, bool must_parse)
{
    char path[4096];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/%s", folder, sub);
    DIR *dir = opendir(path);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        struct err err = {0};
        if (entry->d_name[0] == '.' || (strstr(entry->d_name, ".av") && !strstr(entry->d_name, ".avsc")))
            continue;
        snprintf(path, sizeof path, "%s/%s", sub, entry->d_name);
        const struct schema *schema = parse(load(path), &err);
        if (!EXPECT((schema != NULL) == must_parse))
            fprintf(stderr, "    %s: %s\n", path, err.text);
        if (schema != NULL) {
            struct sbuf text = {0};
            schema_canonical(schema, &text);
            const struct schema *again = parse(sbuf_view(&text), &err);
            if (EXPECT(again != NULL))
                EXPECT(schema_equal(schema, again));
            sbuf_fini(&text);
        }
        count++;
    }
    if (dir)
        closedir(dir);
    EXPECT(count > 0);
}

TEST(good_and_bad_schemas)
{
    each_file("lang/c/tests/schema_tests/pass", true);
    each_file("lang/c/tests/schema_tests/fail", false);
    each_file("share/test/schemas", true);
}

int main(void)
{
    const char *corpora = getenv("SLUICE_CORPORA");
    snprintf(folder, sizeof folder, "%s/avro", corpora ? corpora : "../shared/corpora");
    DIR *dir = opendir(folder);
    if (dir == NULL)
        test_skip("no corpus avro in SLUICE_CORPORA");
    closedir(dir);
    RUN(forms_and_fingerprints);
    RUN(good_and_bad_schemas);
    arena_fini(&arena);
    return test_end();
}

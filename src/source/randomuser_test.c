/* Made-up people beside those of the API's own generator: same keys in the same order, same types, same patterns of numbers. */
#include "source/randomuser.h"

#include "base/test.h"
#include "json/tree.h"

/* A fixed day: ages count from it. */
static const struct wall_time today = {INT64_C(1790000000) * US_PER_S};

static char *ask(struct randomuser_request r)
{
    struct sbuf out = {0};
    r.now = today;
    if (r.entropy == 0)
        r.entropy = 7;
    const char *type = randomuser_answer(&r, &out);
    EXPECT(strncmp(type, "application/json", 16) == 0 || r.format != NULL);
    sbuf_char(&out, '\0');
    return out.p;
}

static const struct json_node *parse(struct arena *arena, struct str text)
{
    const struct json_node *root = NULL;
    struct err err;
    if (!EXPECT(json_parse(arena, text, &root, &err)))
        fprintf(stderr, "%s\n", err.text);
    return root;
}

static int64_t count_results(struct randomuser_request r)
{
    struct arena arena = {0};
    char *text = ask(r);
    const struct json_node *root = parse(&arena, str_of(text)), *results = json_get(root, "results");
    int64_t n = results ? (int64_t)results->count : -1;
    arena_fini(&arena);
    mem_free(text);
    return n;
}

/* ---- the form ----------------------------------------------------------------------------------------------------------- */

static void put_form(const struct json_node *node, struct sbuf *out)
{
    static const char kinds[] = "0bns";
    if (node->kind == JSON_OBJECT) {
        JSON_EACH(child, node)
        {
            sbuf_printf(out, "%.*s(", STR_ARG(child->name));
            put_form(child, out); /* as deep as the answer is: four */
            sbuf_char(out, ')');
        }
    } else {
        sbuf_char(out, node->kind == JSON_ARRAY ? 'a' : kinds[node->kind]);
    }
}

/* Digits are 9, letters A; everything else stands for itself. */
static void put_pattern(struct str text, struct sbuf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool digit = c >= '0' && c <= '9', letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        sbuf_char(out, digit ? '9' : letter ? 'A' : c);
    }
}

static bool same_pattern(const struct json_node *user, const char *path, struct str wanted)
{
    struct sbuf a = {0}, b = {0};
    struct str value = STR("null");
    json_text(user, path, &value);
    put_pattern(value, &a);
    put_pattern(wanted, &b);
    bool same = str_eq(sbuf_view(&a), sbuf_view(&b));
    sbuf_fini(&a);
    sbuf_fini(&b);
    return same;
}

static bool some_has_pattern(const struct json_node *results, const char *path, struct str wanted)
{
    JSON_EACH(user, results)
    if (same_pattern(user, path, wanted))
        return true;
    return false;
}

static void compare(const struct json_node *theirs)
{
    static const char *const paths[] = {"phone", "cell", "id.value", "location.postcode"};
    struct arena arena = {0};
    struct sbuf wanted = {0}, found = {0};
    struct str nat = {0}, country = {0}, id_name = {0}, text;
    EXPECT(json_str(theirs, "nat", &nat) && json_str(theirs, "location.country", &country) &&
           json_str(theirs, "id.name", &id_name));
    char *answer = ask((struct randomuser_request){.results = "500", .nat = str_dup(&arena, nat)});
    const struct json_node *results = json_get(parse(&arena, str_of(answer)), "results");
    put_form(theirs, &wanted);
    JSON_EACH(user, results)
    {
        sbuf_clear(&found);
        put_form(user, &found);
        if (!EXPECT_STR(found.p, wanted.p))
            break;
    }
    EXPECT(json_str(results->first, "location.country", &text) && str_eq(text, country));
    EXPECT(json_str(results->first, "id.name", &text) && str_eq(text, id_name));
    EXPECT(json_str(results->first, "nat", &text) && str_eq(text, nat));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        text = STR("null");
        json_text(theirs, paths[i], &text);
        if (!EXPECT(some_has_pattern(results, paths[i], text))) {
            struct str ours = STR("null");
            json_text(results->first, paths[i], &ours);
            fprintf(stderr, "%.*s %s: %.*s, ours %.*s\n", STR_ARG(nat), paths[i], STR_ARG(text),
                    STR_ARG(ours));
        }
    }
    sbuf_fini(&wanted);
    sbuf_fini(&found);
    arena_fini(&arena);
    mem_free(answer);
}

static void read_corpus(struct sbuf *text)
{
    const char *corpora = getenv("SLUICE_CORPORA");
    char path[512];
    snprintf(path, sizeof path, "%s/randomuser/users-v1.4.json", corpora ? corpora : "../shared/corpora");
    FILE *file = fopen(path, "r");
    size_t got;
    while (file && (got = fread(sbuf_reserve(text, 65536), 1, 65536, file)) > 0)
        sbuf_added(text, got);
    if (file)
        fclose(file);
}

TEST(people_have_the_form_of_the_api)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    uint32_t users = 0;
    read_corpus(&text);
    if (text.n == 0) {
        printf("no people to compare with\n");
        return;
    }
    JSON_EACH(user, json_get(parse(&arena, sbuf_view(&text)), "results"))
    {
        compare(user);
        users++;
    }
    EXPECT(users >= 42);
    arena_fini(&arena);
    sbuf_fini(&text);
}

/* ---- parameters ----------------------------------------------------------------------------------------------------------- */

TEST(wrong_numbers_are_one)
{
    EXPECT_EQ_INT(count_results((struct randomuser_request){0}), 1);
    EXPECT_EQ_INT(count_results((struct randomuser_request){.results = "5000"}), 5000);
    static const char *const wrong[] = {"5001", "0", "-1", "x", "", "1.5"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EXPECT_EQ_INT(count_results((struct randomuser_request){.results = wrong[i]}), 1);
}

static bool same(struct randomuser_request a, struct randomuser_request b)
{
    char *x = ask(a), *y = ask(b);
    bool equal = strcmp(x, y) == 0;
    mem_free(x);
    mem_free(y);
    return equal;
}

TEST(a_seed_says_it_all)
{
    const struct randomuser_request seeded = {.seed = "abc", .results = "5", .noinfo = ""};
    struct randomuser_request other = seeded;
    other.entropy = 99;
    EXPECT(same(seeded, other));
    other.gender = "female";
    EXPECT(same(seeded, other));
    other.page = "10001";
    EXPECT(same(seeded, other));
    other.page = "2";
    EXPECT(!same(seeded, other));
    EXPECT(!same((struct randomuser_request){.entropy = 1}, (struct randomuser_request){.entropy = 2}));
}

TEST(fields_can_be_chosen)
{
    char *text = ask(
        (struct randomuser_request){.inc = "nat, GENDER", .gender = "male", .nat = "fr", .noinfo = ""});
    EXPECT_STR(text, "{\"results\":[{\"gender\":\"male\",\"nat\":\"FR\"}]}");
    mem_free(text);
    text = ask((struct randomuser_request){.inc = "nothing", .noinfo = ""});
    EXPECT_STR(text, "{\"results\":[{}]}");
    mem_free(text);
    text = ask(
        (struct randomuser_request){.exc = "login,location,picture,name,email,dob,registered,phone,cell,id",
                                    .gender = "female",
                                    .nat = "DE",
                                    .seed = NULL,
                                    .noinfo = ""});
    EXPECT_STR(text, "{\"results\":[{\"gender\":\"female\",\"nat\":\"DE\"}]}");
    mem_free(text);
    text = ask((struct randomuser_request){.inc = "nat", .seed = "a\"b", .page = "3"});
    EXPECT(strstr(text, ",\"info\":{\"seed\":\"a\\\"b\",\"results\":1,\"page\":3,\"version\":\"1.4\"}}") !=
           NULL);
    mem_free(text);
}

TEST(nations_are_those_asked_for_or_all)
{
    static const char *const lists[] = {"us,xx", "lego", "", NULL};
    char *text = ask(
        (struct randomuser_request){.results = "300", .inc = "nat", .nat = "us,GB", .noinfo = ""});
    EXPECT(strstr(text, "\"US\"") && strstr(text, "\"GB\"") && !strstr(text, "\"FR\""));
    mem_free(text);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        text = ask(
            (struct randomuser_request){.results = "2000", .inc = "nat", .nat = lists[i], .noinfo = ""});
        EXPECT(strstr(text, "\"IR\"") && strstr(text, "\"UA\"") && strstr(text, "\"NZ\""));
        mem_free(text);
    }
}

/* ---- what is odd about the real ones ------------------------------------------------------------------------------------- */

static bool has_blanks(const struct json_node *user, const char *path)
{
    struct str text;
    return json_str(user, path, &text) && str_trim(text).n < text.n;
}

static int compare_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

TEST(oddities_are_as_frequent_as_in_the_api)
{
    enum { USERS = 5000 };
    struct arena arena = {0};
    static struct str ids[USERS];
    int blanks = 0, strings = 0, nulls = 0, n = 0, twice = 0;
    char *text = ask((struct randomuser_request){.results = "5000"});
    JSON_EACH(user, json_get(parse(&arena, str_of(text)), "results"))
    {
        blanks += has_blanks(user, "name.first") || has_blanks(user, "name.last") ||
                  has_blanks(user, "location.street.name") || has_blanks(user, "location.city") ||
                  has_blanks(user, "location.state");
        strings += json_get(user, "location.postcode")->kind == JSON_STRING;
        nulls += json_get(user, "id.value")->kind == JSON_NULL;
        EXPECT(json_str(user, "login.uuid", &ids[n]) && ids[n].n == 36 && ids[n].p[14] == '4' &&
               strchr("89ab", ids[n].p[19]) != NULL);
        n++;
    }
    qsort(ids, (size_t)n, sizeof *ids, compare_text);
    for (int i = 1; i < n; i++)
        twice += str_eq(ids[i - 1], ids[i]);
    EXPECT_EQ_INT(twice, 0);
    printf("%.1f %% with blanks, %.1f %% postcodes that are strings, %.1f %% without an id\n", blanks / 50.0,
           strings / 50.0, nulls / 50.0);
    EXPECT(blanks > USERS * 3 / 100 && blanks < USERS * 5 / 100);
    EXPECT(strings > USERS * 12 / 100 && strings < USERS * 17 / 100);
    EXPECT(nulls > USERS * 16 / 100 && nulls < USERS * 22 / 100);
    arena_fini(&arena);
    mem_free(text);
}

TEST(other_forms_say_the_same)
{
    struct randomuser_request r = {.inc = "gender,name,id,nat", .seed = "abc", .noinfo = ""};
    struct arena arena = {0};
    static const char *const first[] = {
        "{\n  \"results\": [\n    {\n      \"gender\": ",
        "gender,name.title,name.first,name.last,id.name,id.value,nat\n",
        "results:\n  - gender: ", "<?xml version='1.0'?>\n<user><results><gender>"};
    static const char *const formats[] = {"pretty", "csv", "yaml", "xml"};
    char *json = ask(r);
    for (int i = 0; i < 4; i++) {
        struct str name;
        r.format = formats[i];
        char *text = ask(r);
        EXPECT(json_str(parse(&arena, str_of(json)), "results.0.name.last", &name) &&
               strstr(text, str_dup(&arena, name)) != NULL);
        if (!EXPECT(strncmp(text, first[i], strlen(first[i])) == 0))
            fprintf(stderr, "%s\n", text);
        mem_free(text);
    }
    arena_fini(&arena);
    mem_free(json);
}

int main(void)
{
    RUN(other_forms_say_the_same);
    RUN(people_have_the_form_of_the_api);
    RUN(wrong_numbers_are_one);
    RUN(a_seed_says_it_all);
    RUN(fields_can_be_chosen);
    RUN(nations_are_those_asked_for_or_all);
    RUN(oddities_are_as_frequent_as_in_the_api);
    return test_end();
}

/* Subscriptions by regular expression.
 *
 * Kafka has RE2/J; we have PCRE2, which takes nearly all of RE2's syntax and more. What RE2 has not is refused, so that an
 * expression means the same here and there: look-around, atomic groups and possessive quantifiers, conditions, recursion,
 * back-references, callouts. A match is bounded; an expression that takes longer than that on a topic's name does not match it. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "broker/groups_private.h"

enum { MATCH_LIMIT = 100000, HEAP_KIB = 4096 };

/* What PCRE2 has and RE2 has not; NULL: nothing. */
static const char *beyond_re2(struct str text)
{
    bool in_class = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : 0;
        if (c == '\\') {
            if (!in_class && ((next >= '1' && next <= '9') || next == 'g' || next == 'k' || next == 'G' ||
                              next == 'K' || next == 'Z' || next == 'R' || next == 'X'))
                return "invalid escape sequence";
            if (next == 'Q')
                return "\\Q is not supported";
            i++;
        } else if (in_class) {
            in_class = c != ']';
        } else if (c == '[') {
            in_class = true;
            i += next == '^';
            if (i + 1 < text.n && text.p[i + 1] == ']')
                i++;
        } else if (c == '(' && next == '*') {
            return "invalid or unsupported Perl syntax";
        } else if (c == '(' && next == '?' && i + 2 < text.n) {
            char kind = text.p[i + 2], after = i + 3 < text.n ? text.p[i + 3] : 0;
            bool is_name = (kind == 'P' && after == '<') || (kind == '<' && after != '=' && after != '!');
            bool is_flags = kind == ':' || kind == '-' || kind == 'i' || kind == 'm' || kind == 's' ||
                            kind == 'U';
            if (!is_name && !is_flags)
                return "invalid or unsupported Perl syntax";
        } else if ((c == '*' || c == '+' || c == '?' || c == '}') && next == '+') {
            return "invalid nested repetition operator";
        }
    }
    return NULL;
}

static pcre2_code *compile(struct str text, int *error)
{
    PCRE2_SIZE at;
    return pcre2_compile((PCRE2_SPTR)(text.p ? text.p : ""), text.n,
                         PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED | PCRE2_ENDANCHORED, error, &at,
                         NULL);
}

bool regex_valid(struct str text, struct arena *arena, const char **why)
{
    *why = text.n > GROUPS_REGEX_BYTES_MAX ? "it is too long" : beyond_re2(text);
    if (*why)
        return false;
    int error;
    pcre2_code *code = compile(text, &error);
    if (code == NULL) {
        char message[128];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        *why = arena_strdup(arena, message);
    }
    pcre2_code_free(code);
    return code != NULL;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void regex_resolve(struct groups *groups, struct str text, struct arena *arena, struct regex *regex)
{
    int error;
    *regex = (struct regex){
        .text = text, .version = (int64_t)groups->topics_version, .time_ms = groups->now.wall.us / US_PER_MS};
    pcre2_code *code = compile(text, &error);
    if (code == NULL)
        return;
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    CHECK(match && context);
    pcre2_set_match_limit(context, MATCH_LIMIT);
    pcre2_set_heap_limit(context, HEAP_KIB);
    struct sbuf found = {0};
    struct groups_topic topic;
    for (size_t at = 0; groups->slots.topic_next(groups->arg, &at, &topic);) {
        if (pcre2_match(code, (PCRE2_SPTR)topic.name.p, topic.name.n, 0, 0, match, context) < 0)
            continue;
        struct str name = str_n(arena_dup(arena, topic.name.p, topic.name.n), topic.name.n);
        sbuf_add(&found, &name, sizeof name);
    }
    regex->topics_count = (uint32_t)(found.n / sizeof(struct str));
    regex->topics = arena_dup(arena, found.p ? found.p : "", found.n);
    qsort(regex->topics, regex->topics_count, sizeof *regex->topics, compare_names);
    sbuf_fini(&found);
    pcre2_match_context_free(context);
    pcre2_match_data_free(match);
    pcre2_code_free(code);
}

#include "registry/subject.h"

#include "base/utf8.h"

struct subject_name subject_split(struct str s)
{
    if (str_starts(s, STR(":."))) {
        size_t colon = str_find(s, STR(":"), 2);
        if (colon == SIZE_MAX)
            return (struct subject_name){str_n(s.p + 1, s.n - 1), str_n("", 0)};
        return (struct subject_name){str_n(s.p + 1, colon - 1), str_n(s.p + colon + 1, s.n - colon - 1)};
    }
    if (str_starts(s, STR(":*:")))
        return (struct subject_name){STR("*"), str_n(s.p + 3, s.n - 3)};
    return (struct subject_name){STR("."), s};
}

struct str subject_join(struct arena *arena, struct str context, struct str name)
{
    const char *text = str_is(context, ".")
                           ? str_dup(arena, name)
                           : arena_printf(arena, ":%.*s:%.*s", STR_ARG(context), STR_ARG(name));
    return str_of(text);
}

struct str subject_normal(struct arena *arena, struct str subject)
{
    struct subject_name parts = subject_split(subject);
    return subject_join(arena, parts.context, parts.name);
}

struct str subject_context_of(struct arena *arena, struct str subject)
{
    return subject_join(arena, subject_split(subject).context, STR(""));
}

struct str subject_beside(struct arena *arena, struct str parent, struct str subject)
{
    struct subject_name parts = subject_split(subject);
    struct str context = str_is(parts.context, ".") ? subject_split(parent).context : parts.context;
    return subject_join(arena, context, str_is(parts.context, ".") ? subject : parts.name);
}

bool subject_is_default_context(struct str subject)
{
    struct subject_name parts = subject_split(subject);
    return str_is(parts.context, ".") && parts.name.n == 0;
}

bool subject_is_global_context(struct str subject)
{
    struct subject_name parts = subject_split(subject);
    return str_is(parts.context, ".__GLOBAL") && parts.name.n == 0;
}

bool subject_is_context(struct str subject)
{
    return subject_split(subject).name.n == 0;
}

bool subject_is_valid(struct str subject, bool setting)
{
    struct subject_name parts = subject_split(subject);
    for (size_t i = 0; i < subject.n; i++) {
        unsigned char c = (unsigned char)subject.p[i];
        bool c1 = c == 0xc2 && i + 1 < subject.n &&
                  (unsigned char)subject.p[i + 1] < 0xa0; /* U+0080 … U+009F */
        if (c < 0x20 || c == 0x7f || c1)
            return false;
    }
    if (!utf8_valid(subject.p, subject.n) || str_is(parts.name, "__GLOBAL") || str_is(parts.name, "__EMPTY"))
        return false;
    return setting || !str_is(parts.context, ".__GLOBAL");
}

bool subject_in(struct str subject, struct str scope)
{
    if (scope.p == NULL || str_eq(subject, scope))
        return true;
    struct subject_name parts = subject_split(scope);
    return parts.name.n == 0 &&
           (str_is(parts.context, ".__GLOBAL") || str_eq(parts.context, subject_split(subject).context));
}

bool subject_context_prefix(struct arena *arena, struct str context, struct str *prefix)
{
    if (str_starts(context, STR(":")))
        context = str_n(context.p + 1, context.n - 1);
    if (str_ends(context, STR(":")))
        context.n--;
    if (str_find(context, STR(":"), 0) != SIZE_MAX)
        return false;
    if (!str_starts(context, STR(".")))
        context = str_of(arena_printf(arena, ".%.*s", STR_ARG(context)));
    *prefix = subject_join(arena, context, STR(""));
    return true;
}

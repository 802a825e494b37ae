/* /compatibility: would this schema be taken? */
#include "registry/rest_private.h"
#include "registry/subject.h"
#include "schema/text.h"

static void write_verdict(struct rest *r, const struct schema_messages *messages, bool verbose)
{
    sbuf_printf(&r->out, "{\"is_compatible\":%s", messages->count == 0 ? "true" : "false");
    if (verbose) {
        sbuf_cstr(&r->out, ",\"messages\":[");
        for (uint32_t i = 0; i < messages->count; i++) {
            if (i > 0)
                sbuf_char(&r->out, ',');
            text_string(&r->out, messages->items[i]);
        }
        sbuf_char(&r->out, ']');
    }
    sbuf_char(&r->out, '}');
}

static bool compare(struct rest *r, struct str subject, const struct state_version *const *versions,
                    size_t count)
{
    struct wanted wanted;
    struct schema_messages messages = {0};
    bool verbose = rest_bool(r, "verbose");
    TRY(rest_wanted(r, subject, &wanted));
    if (!decide_compatible(&r->work, &wanted, versions, count, rest_normalizes(r, subject), &messages)) {
        if (!verbose || r->work.code != CODE_INVALID_SCHEMA)
            return false;
        messages.items = &r->work.message; /* that it cannot be parsed is one reason more */
        messages.count = 1;
    }
    write_verdict(r, &messages, verbose);
    return true;
}

static bool compare_one(struct rest *r)
{
    struct str subject = subject_normal(r->work.arena, r->segments[2]);
    int32_t number;
    TRY(rest_version(r, 4, &number));
    const struct state_version *version = number == REGISTRY_LATEST
                                              ? state_latest(r->work.state, subject)
                                              : state_version(r->work.state, subject, number);
    if (version && version->deleted)
        version = NULL;
    if (version == NULL && number != REGISTRY_LATEST)
        return refuse_version_not_found(&r->work, number);
    return compare(r, subject, &version, version != NULL);
}

static bool compare_all(struct rest *r)
{
    struct str subject = subject_normal(r->work.arena, r->segments[2]);
    size_t count;
    const struct state_version **alive = state_alive(r->work.state, r->work.arena, subject, &count);
    return compare(r, subject, alive, count);
}

const struct rest_route rest_compatibility_routes[] = {
    {"POST", "compatibility/subjects/*/versions", true, compare_all},
    {"POST", "compatibility/subjects/*/versions/*", true, compare_one},
    {0},
};

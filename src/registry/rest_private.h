/* What the files of the REST interface share: one request, and the tables of what there is to ask. */
#ifndef REGISTRY_REST_PRIVATE_H
#define REGISTRY_REST_PRIVATE_H

#include "http/server.h"
#include "registry/local.h"
#include "registry/rest.h"

enum { REST_SEGMENTS_MAX = 8, REST_BODY_MAX = 4 << 20 };

struct rest {
    const struct http_request *http;
    struct local *local;
    struct work work; /* its refusal is the request's */
    const char *method;
    struct str segments[REST_SEGMENTS_MAX]; /* of the path, decoded: segments[segment_count] */
    uint32_t segment_count;
    struct str context;           /* of "/contexts/…" before the path: ":.sales:"; p NULL: none */
    const struct json_node *body; /* NULL: none */
    int status;                   /* 200 */
    const char *content_type;     /* of the answer; NULL: the registry's own */
    struct sbuf out;              /* the answer */
};

/* One thing to ask. A '*' in the path stands for any segment. handle answers into out, or refuses and returns false; what it decided is written after
 * it. */
struct rest_route {
    const char *method, *path;
    bool has_body;
    bool (*handle)(struct rest *r);
};
/* Each ends with a zeroed one. */
extern const struct rest_route rest_subject_routes[], rest_schema_routes[], rest_compatibility_routes[],
    rest_setting_routes[], rest_server_routes[];

/* Parameters of the query. */
bool rest_bool(const struct rest *r, const char *name);
struct str rest_text(const struct rest *r, const char *name); /* p NULL: not there */
/* False: it is no number, and refused as Jersey does. */
bool rest_int(struct rest *r, const char *name, int32_t usual, int32_t *value);
struct rest_page {
    int64_t offset, limit;
};
/* "offset" and "limit": max is what counts where the latter is not between 1 and it. */
bool rest_page(struct rest *r, int64_t max, struct rest_page *page);

/* The subject in the path's second segment, normal. */
struct str rest_subject(struct rest *r);
/* In segment i: a number from 1 on, or "latest". */
bool rest_version(struct rest *r, uint32_t i, int32_t *version);
bool refuse_invalid_version(struct work *w, struct str version);
/* Tags in a member of the body: add, or remove. */
bool rest_tags(struct rest *r, const char *name, const struct schema_tags **tags, uint32_t *count);
/* The tags that the query asks for, if it does; before rest_format. */
bool rest_find_tags(struct rest *r, struct shown *shown);
/* A schema in the body. */
bool rest_wanted(struct rest *r, struct str subject, struct wanted *wanted);
/* Does the parameter, or the subject's configuration, say so? */
bool rest_normalizes(struct rest *r, struct str subject);

/* The members of a shown schema, without braces. */
enum {
    SHOW_SUBJECT = 1,
    SHOW_VERSION = 2,
    SHOW_ID = 4,
    SHOW_QUALIFIED = 8, /* references with their contexts */
};
void rest_show(struct rest *r, const struct shown *shown, unsigned what);
/* In the format that the query names; false: it cannot be parsed. */
bool rest_format(struct rest *r, struct shown *shown);

#endif

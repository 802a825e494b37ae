/* Names of subjects: "orders-value" is in the default context ".", ":.sales:orders-value" in the context ".sales". Pure. */
#ifndef REGISTRY_SUBJECT_H
#define REGISTRY_SUBJECT_H

#include "base/str.h"

/* Parts of a name, borrowed from it. */
struct subject_name {
    struct str context; /* "." is the default, "*" what ":*:" says: all of them */
    struct str name;    /* empty: it names the context itself */
};

#define SUBJECT_GLOBAL ":.__GLOBAL:" /* has the configuration and mode that count where no other does */

struct subject_name subject_split(struct str subject);
/* The one way to write it. */
struct str subject_join(struct arena *arena, struct str context, struct str name);
struct str subject_normal(struct arena *arena, struct str subject);
/* ":.sales:" of ":.sales:orders", "" of the default context. */
struct str subject_context_of(struct arena *arena, struct str subject);
/* A subject that another one (or a reference or alias in it) names: in its context, unless it names one itself. */
struct str subject_beside(struct arena *arena, struct str parent, struct str subject);

bool subject_is_default_context(struct str subject);
bool subject_is_global_context(struct str subject);
/* Is there no name but that of a context? */
bool subject_is_context(struct str subject);
/* May there be a subject, or (setting) a configuration or mode, of that name? */
bool subject_is_valid(struct str subject, bool setting);
/* Is subject matched by `scope`: itself, or a context that it is in? scope.p NULL: everything. */
bool subject_in(struct str subject, struct str scope);

/* "sales", ".sales", ":.sales:" → ":.sales:"; "." → "". False: a colon is inside. */
bool subject_context_prefix(struct arena *arena, struct str context, struct str *prefix);

#endif

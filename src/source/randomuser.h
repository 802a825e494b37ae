/* People as https://randomuser.me/api/1.4/ gives them: same form, same order of keys, same oddities, all made up here. Pure: the same request gives the
 * same answer on the same day. */
#ifndef SOURCE_RANDOMUSER_H
#define SOURCE_RANDOMUSER_H

#include "base/str.h"
#include "base/time.h"

enum { RANDOMUSER_RESULTS_MAX = 5000, RANDOMUSER_PAGE_MAX = 10000 };

/* The parameters as they came, NULL where they did not. What is wrong is taken as if it were not there, as the API does. */
struct randomuser_request {
    const char *results, *seed, *nat, *gender, *inc, *exc, *page, *noinfo, *format;
    uint64_t entropy;     /* for a request without a seed */
    struct wall_time now; /* ages are counted from it */
};

/* The whole answer into out, which is empty. Returns its content type. */
const char *randomuser_answer(const struct randomuser_request *request, struct sbuf *out);
/* Turns an answer in JSON into the form asked for (pretty, csv, yaml, xml; else it stays). Returns its content type. */
const char *randomuser_form(const char *format, struct sbuf *answer);

#endif

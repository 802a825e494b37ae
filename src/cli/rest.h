/* Requests to a schema registry, one after the other, for commands: each waits for its answer. */
#ifndef CLI_REST_H
#define CLI_REST_H

#include "cli/command.h"
#include "json/tree.h"

struct rest_client;

/* url: of the registry. Lives as long as the pool. */
bool rest_client_new(struct pool *pool, const char *url, struct rest_client **client, struct err *err);
/* Ends its loop. NULL is fine. */
void rest_client_end(struct rest_client *client);
/* What came; text is in the pool. A status from 400 on is ERR_DATA with the registry's own words. */
struct rest_answer {
    int status;
    struct str text;
    const struct json_node *json; /* NULL: it is none */
};
/* path: "/subjects", behind the registry's URL. body.p NULL: none. */
bool rest_ask(struct rest_client *client, const char *method, const char *path, struct str body,
              struct rest_answer *answer, struct err *err);

#endif

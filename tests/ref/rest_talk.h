/* A client of a REST interface on this machine, as plain as can be: one connection, one request after the other, blocking. */
#ifndef REF_REST_TALK_H
#define REF_REST_TALK_H

#include "base/str.h"

/* Zeroed but for the port: not connected. */
struct rest_talk {
    int port;
    int fd; /* 0: none */
    struct sbuf in;
};

/* The answer's status, its body in *body (borrowed until the next request); −1: the connection was lost. body.p NULL: none. */
int rest_talk_ask(struct rest_talk *talk, const char *method, const char *path, struct str body,
                  struct str *answer);
void rest_talk_end(struct rest_talk *talk);

#endif

/* A request that changes several things, each by a frame of its own: one that is refused leaves the others alone. The answer comes when all are
 * done. */
#ifndef BROKER_CHANGES_H
#define BROKER_CHANGES_H

#include "broker/broker_private.h"

struct changes {
    struct request *request;
    void *response;
    uint32_t pending; /* frames, and 1 while they are made */
    struct topic_list topics;
};

struct change {
    struct changes *all;
    void *to; /* its part of the response */
    void (*done)(struct change *change,
                 const struct frame *frame); /* on net; the frame is given back after it */
};

struct changes *changes_new(struct request *request, void *response);
/* One frame more, to be filled and submitted. */
struct frame *change_begin(struct changes *all, void *to,
                           void (*done)(struct change *change, const struct frame *frame)) ON(net);
/* One is done; once by whoever made it, when all frames are on their way. */
void changes_done_one(struct changes *all) ON(net);

#endif

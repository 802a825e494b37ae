/* What a turn puts out, as frames. Most turns are one. A turn that puts out more than a frame should hold (a watermark that closes a million windows
 * does, however little it read) is a group of frames that is valid only with its last:
 *
 *     frame 1      outbox records …            stream/<s>/group = where the outbox and the changelog end before the group
 *     frame 2 …    outbox, changelog records …
 *     last frame   changelog records, positions            stream/<s>/group deleted
 *
 * While the key is there, nobody reads either log beyond its places. A life that finds it at its start was preceded by one that ended within the
 * group: what that one appended is void, from those places to the ends of the logs ("stream/<s>/holes"), and the turn is made again. */
#ifndef JOB_GROUP_H
#define JOB_GROUP_H

#include "log/store.h"

enum group_log { GROUP_OUTBOX, GROUP_CHANGELOG, GROUP_LOGS };
enum {
    GROUP_FRAME_BYTES = 1 << 20,   /* a frame of a group holds that much, and a record more */
    GROUP_RECORD_BYTES = 256 << 10 /* who adds records makes them no larger, as far as it can */
};

struct group {
    struct store *store;
    const char *stream; /* borrowed */
    struct log *logs[GROUP_LOGS];
    struct records_builder builder; /* of the batch that is being built */
    enum group_log building;
    struct sbuf bytes; /* whole batches */
    struct piece {
        enum group_log log;
        size_t at, n;
    } * pieces; /* pieces[count]; those before `sent` have been put into frames */
    size_t count, capacity, sent;
    bool open;                /* the first frame of several was made, the last is not durable */
    int64_t ends[GROUP_LOGS]; /* open: of the logs before it */
    struct hole {
        uint64_t log;
        int64_t from, to;
    } * holes; /* holes[hole_count] ascending for each log */
    size_t hole_count;
};

/* Before the loops run. Makes a group that was cut void. */
bool group_init(struct group *g, struct store *store, const char *stream, struct log *outbox,
                struct log *changelog, struct err *err);
void group_fini(struct group *g);

void group_begin(struct group *g);
bool group_add(struct group *g, enum group_log log, struct str key, struct str value, struct err *err);
size_t group_bytes(const struct group *g); /* added */
/* Fills frame, which is empty, with what comes next. *last: and that is all; the caller adds what makes the turn valid. */
bool group_next(struct group *g, struct frame *frame, bool *last, struct err *err);
/* The last frame is durable. */
void group_ended(struct group *g);

/* The first valid offset at or after `offset`, and in *until where valid ones end (for now, or before a hole). */
int64_t group_valid(const struct group *g, enum group_log log, int64_t offset, int64_t *until);

#endif

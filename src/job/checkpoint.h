/* Checkpoints of stateful streams: files in <data>/checkpoints/<stream>, and what the store knows of them.
 *
 *     magic 8 │ crc32c u32 of what follows │ inputs u32 │ fingerprint u64 │ turn u64 │ input × inputs │ state
 *     input: topic id 16 │ partition i32 │ next offset i64
 *
 * A file says by itself where in which topics its state stands, so a copy of it (`checkpoint export`) is whole. The store names those that count
 * ("stream/<s>/checkpoint": turn and first changelog offset that is not in it, newest first) and the newest turn ("stream/<s>/turn"). */
#ifndef JOB_CHECKPOINT_H
#define JOB_CHECKPOINT_H

#include "log/store.h"

enum { CHECKPOINTS_KEPT = 2, CHECKPOINT_BYTES_MAX = 1 << 30 };

struct checkpoint {
    int64_t turn; /* 0 = none */
    int64_t changelog;
};

struct checkpoint_input {
    uint8_t topic[16];
    int32_t partition;
    int64_t next;
};
struct checkpoint_data {
    uint64_t fingerprint; /* of the plan: state of another query is no use */
    int64_t turn;
    const struct checkpoint_input *inputs; /* inputs[input_count] */
    uint32_t input_count;
    struct str state;
};

/* In arena. data: the project's data folder. */
char *checkpoint_path(struct arena *arena, const char *data, const char *stream, int64_t turn);
/* Durable, with its folder, when it returns. */
bool checkpoint_write(const char *path, const struct checkpoint_data *data, struct err *err);
/* data borrows from file and arena. ERR_DATA: it is not there, or damaged. ERR_RETRY: it could not be read now. */
bool checkpoint_read(struct arena *arena, const char *path, struct sbuf *file, struct checkpoint_data *data,
                     struct err *err);

/* What the store names, newest first, into kept[CHECKPOINTS_KEPT]; returns how many. */
uint32_t checkpoints_get(struct store *store, const char *stream, struct checkpoint *kept);
void checkpoints_put(struct frame *frame, const char *stream, const struct checkpoint *kept);

/* The newest turn and its positions: turn u64, then input i32 │ partition i32 │ next offset i64 for each input, by its stable number. */
enum { TURN_POSITION_BYTES = 16 };
void turn_begin(struct sbuf *value, int64_t turn);
void turn_position(struct sbuf *value, int32_t input, int32_t partition, int64_t next);
void turn_put(struct frame *frame, const char *stream, const struct sbuf *value);
/* 0: there was none yet. */
int64_t turn_get(struct store *store, const char *stream, struct sbuf *value);

/* Where a stream that goes back to data begins to read. */
struct checkpoint_way {
    struct topic_info topic;
    int32_t partition, input;
    int64_t next, now, start; /* of the checkpoint; of the newest turn; first that can still be read */
};
/* In arena; ERR_FATAL: the checkpoint does not belong to this stream in this data folder. */
bool checkpoint_ways(struct arena *arena, struct store *store, const char *stream,
                     const struct checkpoint_data *data, struct checkpoint_way **ways, uint32_t *count,
                     struct err *err);
/* Takes the stream back to data, while nothing runs, in one frame that the caller commits: data as a checkpoint of a turn of its own, which is newer than
 * any, the only one that counts, and behind all that the changelog holds. So a turn's number never means two things. */
bool checkpoint_restore(struct store *store, const char *data_folder, const char *stream,
                        struct checkpoint_data *data, const struct checkpoint_way *ways, uint32_t count,
                        struct frame *frame, struct err *err);

#endif

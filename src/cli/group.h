/* What the files of `group …` share. */
#ifndef CLI_GROUP_H
#define CLI_GROUP_H

#include "cli/table.h"

/* Where a group stands in a partition. */
struct group_offset {
    const char *topic;
    int32_t partition;
    int32_t leader_epoch;
    int64_t committed;  /* −1 = nothing */
    int64_t start, end; /* of the partition; −1 = not known: its topic is gone, or one may not look */
    const char *metadata;
    const struct client_member *member; /* who reads it, or NULL */
    int64_t wanted;                     /* group reset */
};
struct group_offsets {
    struct group_offset *all; /* all[count] */
    uint32_t count;
    size_t capacity;
};
void group_offsets_fini(struct group_offsets *offsets);
/* The one of that place, added where it is not there. */
struct group_offset *group_offset_of(struct group_offsets *offsets, const char *topic, int32_t partition);
/* By topic and partition. */
void group_offsets_sort(struct group_offsets *offsets);
/* What the group has committed. */
bool group_offsets_committed(struct command_env *env, const char *group, struct group_offsets *offsets,
                             struct err *err);
/* Sets start and end; `wanted` to the first offset of that time or later (−1: there is none). */
bool group_offsets_ends(struct command_env *env, struct group_offsets *offsets, struct err *err);
bool group_offsets_times(struct command_env *env, struct group_offsets *offsets, int64_t time_ms,
                         struct err *err);
/* Cells: "-" for what is not there, as Kafka's own tools have it. */
struct str group_text(const char *text);
struct str group_number(struct arena *arena, int64_t n);

#endif

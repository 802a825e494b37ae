/* A Delta table's log (Delta protocol): its state as the latest version has it, and commits that add to it.
 *
 *     <table>/_delta_log/00000000000000000007.json                one action a line; version 7 exists once, whole, or not at all
 *     <table>/_delta_log/00000000000000000010.checkpoint.parquet  all actions that still count at version 10
 *
 * The state keeps each action as the JSON that it came as: a commit adds lines, a checkpoint is those lines decoded into columns by our own JSON
 * decoder, and reading one turns rows back into lines. So there is one reader of actions, whatever they are stored in. */
#ifndef SINK_DELTA_LOG_H
#define SINK_DELTA_LOG_H

#include "base/map.h"
#include "type/type.h"
#include "json/tree.h"

enum {
    DELTA_ACTIONS_MAX = 512 << 20, /* bytes of one commit file */
    DELTA_CONFLICTS_MAX = 100,     /* other writers' commits that one of ours may lose against in a row */
};

/* An added or removed file. Texts live in the table's arena. */
struct delta_file {
    struct str path;       /* as in the action: URI-encoded, relative */
    struct str action;     /* the whole line: {"add":{…}} or {"remove":{…}} */
    struct str partition;  /* partitionValues, compact JSON: files of one partition have the same */
    struct str dv;         /* deletion vector's unique id, or n = 0 */
    int64_t size, time_ms; /* modificationTime, or of a removed one deletionTimestamp */
    bool data_change;
};

struct delta_txn {
    struct str app_id;
    int64_t version;
    struct str action;
};

struct delta_table {
    const char *path;     /* of the table's folder */
    const char *log_path; /* path/_delta_log */
    struct arena arena;
    int64_t version;    /* −1: there is no table */
    int64_t checkpoint; /* version of the newest checkpoint, −1: none */
    /* protocol */
    int32_t reader_version, writer_version;
    struct str protocol; /* the action */
    const char **reader_features, **writer_features;
    uint32_t reader_feature_count, writer_feature_count;
    /* metaData */
    struct str metadata; /* the action */
    struct str id;
    const struct type *schema;
    const char **partition_columns;
    uint32_t partition_column_count;
    struct map configuration;                /* property → struct str * */
    struct map domains;                      /* domainMetadata: domain → struct str * (action) */
    struct map txns;                         /* appId → struct delta_txn * */
    struct map files;                        /* path and dv → struct delta_file * */
    struct map removed;                      /* tombstones, the same */
    bool metadata_changed, protocol_changed; /* by commits read since the flags were cleared */
};

/* Zeroed = valid. path is borrowed for the table's life. Reads the newest version, or with at ≥ 0 that one; version −1 where there is no
 * table. A checkpoint that is damaged is made up for by an older one, or by the commits alone, with a warning in the log. ERR_DATA: not a Delta log, gaps, damage. ERR_RETRY: could not be read now. */
bool delta_load(struct delta_table *t, const char *path, int64_t at, struct err *err);
/* Takes in the versions that came since. */
bool delta_refresh(struct delta_table *t, struct err *err);
void delta_fini(struct delta_table *t);
/* NULL, or the name of a feature of the table that a reader (for_write: a writer) must know and we do not. */
const char *delta_unknown_feature(const struct delta_table *t, bool for_write);
/* A table property, or NULL. */
const struct str *delta_property(const struct delta_table *t, const char *name);

/* Writes version t->version + 1 with these lines (each action with its '\n'), durably, and takes it in. *won = false: somebody else was first; t
 * has taken theirs in, and nothing of ours is there. txn_id: a UUID that the lines hold as commitInfo.txnId, to recognise our own
 * commit after an unclear error. */
bool delta_commit(struct delta_table *t, struct str lines, const char *txn_id, bool *won, struct err *err);
/* Writes a checkpoint of t->version, then _last_checkpoint. */
bool delta_checkpoint(struct delta_table *t, struct err *err);
/* Deletes commits and checkpoints that are older than the retention, most checkpoints sooner, and what crashed writers left; the two newest checkpoints
 * and what follows the older of them stay. */
bool delta_clean_log(struct delta_table *t, int64_t now_ms, struct err *err);

/* ---- vacuum.c ---- */

/* In the name of every data file that this program writes, and of no other's. */
#define DELTA_OUR_MARK "-sluice."

struct delta_vacuum {
    uint64_t files, bytes; /* that went, or would go */
};

/* Deletes the data files that t, the newest state, does not need and no reader of an older one may any more: those that were merged away, and those of
 * this program's own that no version names, as a killed process leaves them, or names any more. All have to be that longer than
 * delta.deletedFileRetentionDuration says. Files of other writers that no version names stay: they may be about to be committed. dry: only counts.
 * stop (or NULL) ends it early. */
bool delta_vacuum(struct delta_table *t, int64_t now_ms, bool dry, bool (*stop)(void *arg), void *arg,
                  struct delta_vacuum *done, struct err *err);

/* One action line, with its number for errors, 0 = none. Exposed for fuzzing. */
bool delta_apply(struct delta_table *t, struct str line, int number, struct err *err);
/* path in an action → path of a file, in arena: percent-decoded, relative to the table. ERR_DATA for one that leaves the table. */
bool delta_file_path(const struct delta_table *t, struct arena *arena, struct str path, char **out,
                     struct err *err);
/* Is a path of an action that of a file inside of the table's folder, as far as its text says? */
bool delta_is_inside(struct str path);
/* delta.deletedFileRetentionDuration: how long files and tombstones stay. */
int64_t delta_retention_ms(const struct delta_table *t);
/* The field of that name in a struct type's JSON, or NULL. */
const struct json_node *delta_field_json(const struct json_node *struct_json, const char *name);
/* Text as it stands in an action's path: percent-encoded. */
void delta_encode_path(struct sbuf *out, struct str path);
/* The schema as columns of checkpoints. */
const struct type *delta_checkpoint_schema(struct arena *arena, struct err *err);

#endif

/* What FROM may name in `query`, and its rows as batches:
 *
 *     x                         a topic of the project or of the store; a stream of the project (the topic it writes to)
 *     connection.table          SQLite tables and views, Delta tables
 *     sluice.<stream>_bad       rejected records, sluice.<stream>_late those that came too late
 *     json.`…` csv.`…` parquet.`…` avro.`…` delta.`…`   files, as Spark has them: a path, a pattern, a folder; .gz and .zst too */
#ifndef CLI_RELATION_H
#define CLI_RELATION_H

#include "base/map.h"
#include "cli/command.h"
#include "sql/plan.h"

enum {
    RELATION_INFER_RECORDS = 1000, /* a schema that nobody gave comes from so many records */
    RELATION_FILES_MAX = 100000,
};

enum csv_header { CSV_HEADER_GUESS, CSV_HEADER_YES, CSV_HEADER_NO };

struct relations {
    struct command_env *env;
    struct pool *pool; /* as long as plans that were bound with it */
    struct map known;  /* name → struct relation_source * */
    enum csv_header csv_header;
    uint64_t bad;       /* records that could not be read whole, since the last look */
    char bad_text[256]; /* of the first of them */
};

struct relation_source;

void relations_init(struct relations *r, struct command_env *env, struct pool *pool);
void relations_fini(struct relations *r);
/* The lookup of a catalogue; arg is the struct relations. */
bool relations_lookup(void *arg, const struct relation_name *name, struct relation *relation,
                      struct err *err);
/* Gives the rows of a scan, batch by batch (borrowed), until give returns false. */
bool relation_feed(struct relations *r, const struct plan *scan, bool (*give)(void *arg, struct batch *batch),
                   void *arg, struct err *err);
/* Names of everything that can be named without a path, in arena: for SHOW TABLES. */
struct str *relations_names(struct relations *r, struct arena *arena, uint32_t *count);

#endif

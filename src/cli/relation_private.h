/* What the files of relation/ share. */
#ifndef CLI_RELATION_PRIVATE_H
#define CLI_RELATION_PRIVATE_H

#include "cli/relation.h"

enum relation_kind {
    RELATION_TOPIC,
    RELATION_SQLITE,
    RELATION_DELTA,
    RELATION_JSON,
    RELATION_CSV,
    RELATION_PARQUET,
    RELATION_AVRO
};

struct relation_source {
    enum relation_kind kind;
    struct relation relation;
    const struct type *schema;   /* all its data columns */
    const struct topic_def *def; /* TOPIC */
    const char *path;            /* SQLITE: the database; DELTA: the table's folder */
    const char *table;           /* SQLITE */
    char **files;                /* JSON, CSV, PARQUET, AVRO: files[file_count] */
    size_t file_count;
    bool csv_header;
};

struct feed {
    struct relations *relations;
    const struct relation_source *source;
    const struct plan *scan;
    const struct type *wanted; /* the scan's columns; where it wants none, the first of the source */
    bool (*give)(void *arg, struct batch *batch);
    void *arg;
    struct pool *pool; /* of this feed */
    bool stopped;      /* give wants no more */
};

/* Hands on a batch of f->wanted; a scan without columns gets the rows alone. */
bool feed_give(struct feed *f, struct batch *batch);
/* Counts a record that could not be read whole. */
void relations_bad(struct relations *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool topic_relation_open(struct relations *r, struct relation_source *s, struct err *err);
bool topic_feed(struct feed *f, struct err *err);
bool sqlite_relation_open(struct relations *r, struct relation_source *s, struct err *err);
bool sqlite_feed(struct feed *f, struct err *err);
bool delta_relation_open(struct relations *r, struct relation_source *s, struct err *err);
bool delta_feed(struct feed *f, struct err *err);
bool files_relation_open(struct relations *r, struct relation_source *s, const char *path, struct err *err);
bool files_feed(struct feed *f, struct err *err);

#endif

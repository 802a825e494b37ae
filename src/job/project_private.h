/* What project.c, which loads a project, and project_check.c, which looks at what was loaded, share. */
#ifndef JOB_PROJECT_PRIVATE_H
#define JOB_PROJECT_PRIVATE_H

#include "job/project.h"
#include "sql/plan.h"

struct loader {
    struct arena *arena;
    struct project *project;
    struct conf_diags *diags;
    bool options_are_read; /* all of them: no error in the project file itself */
};

/* The text of a `sql` or `schema` option: inline, or a file's. false: said in diags. */
bool project_load_text(struct loader *l, const struct conf_sql *sql, struct str *text,
                       const struct conf_file **file);
/* What the project says of the topic's formats and schemas. */
void project_load_schemas(struct loader *l, const struct conf_topic *conf, struct topic_def *topic);
/* An error whose place counts within a query or schema becomes one of the file that it stands in. Without a place it is of the beginning. */
void project_say_in_text(struct loader *l, const struct conf_sql *sql, const struct conf_file *file,
                         struct err *err);

/* Everything that can be wrong with what was read, each at its place in l->diags. */
void project_check_sources(struct loader *l);
void project_check_topics(struct loader *l);
void project_check_writes(struct loader *l);
/* What depends on columns is not looked at while stream->plan is NULL. */
void project_check_stream(struct loader *l, const struct stream_def *stream);

#endif

/* Parts of generated documents, for the document of the whole project file. */
#ifndef CONF_DOCS_PRIVATE_H
#define CONF_DOCS_PRIVATE_H

#include "conf/option.h"

/* The Markdown table of a table's keys; nothing for an empty one. */
void conf_put_rows(struct sbuf *out, const struct option *table, const char *prefix);
/* JSON Schema: the members of the schema of a mapping with the keys of all tables, without braces. extra: properties put first, or NULL. */
void conf_put_object(struct sbuf *out, const struct option *const *tables, uint32_t count, bool may_be_null,
                     const char *extra);
/* "name": {…} of one option. */
void conf_put_member(struct sbuf *out, const struct option *o);

#endif

/* What the files of decide.h share. */
#ifndef REGISTRY_DECIDE_PRIVATE_H
#define REGISTRY_DECIDE_PRIVATE_H

#include "registry/decide.h"

void propose(struct work *w, const struct entry *record);
bool is_read_only(struct work *w, struct str subject);
bool refuse_read_only(struct work *w, struct str subject);
/* references[count]: where one says REGISTRY_LATEST, it is given the number. deleted: those that are deleted count. */
bool resolve_references(struct work *w, struct str subject, struct registry_reference *references,
                        uint32_t count, bool deleted, struct schema_source *source);
/* A schema that was accepted once. */
bool parse_stored(struct work *w, struct str subject, enum schema_kind kind, struct str text,
                  struct str references, const struct schema **schema);

#endif

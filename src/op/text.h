/* Text beyond ASCII: case by Unicode's rules, through ICU, which only texts with other letters ever reach. */
#ifndef OP_TEXT_H
#define OP_TEXT_H

#include "base/str.h"

/* Bytes below 0x80 only. */
bool text_is_ascii(struct str s);
/* In arena, or the text itself where nothing changes. Invalid UTF-8 comes back as it is. */
struct str text_upper(struct str s, struct arena *arena);
struct str text_lower(struct str s, struct arena *arena);
/* Words are parted by blanks alone: the first letter in title case, the others in lower case. */
struct str text_initcap(struct str s, struct arena *arena);

#endif

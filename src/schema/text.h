/* JSON as Java's Jackson writes it, which is how the registry's texts look. */
#ifndef SCHEMA_TEXT_H
#define SCHEMA_TEXT_H

#include "schema/schema.h"
#include "json/tree.h"

/* Objects of the tree keep of members with the same name the last value, at the first one's place. */
void text_drop_duplicates(const struct json_node *root);
enum {
    TEXT_SORTED = 1,   /* members by name, as UTF-16 units compare, as Java's strings do */
    TEXT_DECIMALS = 2, /* numbers as BigDecimal.toString has them, which keeps zeros at the end */
};

/* A node, compact. */
void text_node(struct sbuf *out, const struct json_node *node, unsigned how);
void text_string(struct sbuf *out, struct str s);
/* An integer as written (without a minus before zero), any other number as Double.toString has it. */
void text_number(struct sbuf *out, struct str number);
/* BigDecimal.toString. */
void text_decimal(struct sbuf *out, struct str number);
/* Double.toString, and Float.toString. */
void text_double(struct sbuf *out, double value);
void text_float(struct sbuf *out, float value);
/* Are they the same value? Order of members does not count, and integers differ from other numbers. */
bool text_equal(const struct json_node *a, const struct json_node *b);
/* String.compareTo. */
int text_compare(struct str a, struct str b);
/* The children of an array or object. */
const struct json_node **text_children(struct arena *arena, const struct json_node *node);
/* A copy of what was appended to a buffer, which is emptied. */
struct str text_take(struct arena *arena, struct sbuf *b);

/* ERR_DATA at a byte of a text: fills *err, returns false. file: the text's name, or "". */
bool text_fail(struct err *err, struct str text, const char *file, size_t at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
#ifdef __clang_analyzer__ /* which cannot see that it returns false */
#define text_fail(...) (text_fail(__VA_ARGS__), false)
#endif

#endif

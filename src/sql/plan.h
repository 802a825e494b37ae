/* Text to bound plan. Pure: the catalogue is a callback.
 *
 *     sql_parse(text) → struct sql_statement (tree, spans)     sql/ast.h
 *     sql_bind(tree, catalogue) → struct plan                  here
 *
 * A plan is a tree of nodes; inputs[0] is what a node reads. The planner has pushed column pruning into the scans. */
#ifndef SQL_PLAN_H
#define SQL_PLAN_H

#include "sql/expr.h"

enum plan_kind {
    PLAN_SCAN,    /* a relation of the catalogue; `columns` says which of its fields are needed */
    PLAN_VALUES,  /* VALUES, or SELECT without FROM (one row without columns) */
    PLAN_FILTER,  /* predicate */
    PLAN_PROJECT, /* exprs */
    PLAN_AGGREGATE, /* group_count exprs first = keys, then aggregate calls (FUNCTION_AGGREGATE, with `distinct` and `filter`) */
    PLAN_SORT,  /* sort keys; limit ≥ 0 makes it top-n */
    PLAN_LIMIT, /* limit, offset */
    PLAN_DISTINCT,
    PLAN_UNION,     /* UNION ALL of all inputs */
    PLAN_JOIN,      /* join type, condition, equi keys */
    PLAN_GENERATE,  /* LATERAL VIEW explode … */
    PLAN_WINDOW,    /* window functions */
    PLAN_WATERMARK, /* event time column and delay */
};

/* What FROM names: parts are as written, unquoted. `stream` = FROM STREAM x. A format path (json.`in/x.jsonl`) has
 * parts {"json", "in/x.jsonl"}. */
struct relation_name {
    struct str parts[3];
    uint32_t part_count;
    bool stream;
    struct span span;
};

/* Either a relation, or a view: a query that stands for it, and is bound in its place. */
struct relation {
    const struct type *schema; /* STRUCT, visible columns first */
    uint32_t hidden_from;      /* fields from here on (_key, _offset …) are not part of `*` */
    void *handle;              /* the catalogue's own */
    struct str view;       /* text of the query, borrowed for as long as the plan lives; p NULL: no view */
    const char *view_name; /* place.file of an error within it */
};

/* Resolves a name; false + err (ERR_CONFIG, with hint "Did you mean …?") when there is none. A view never leads back to itself: the
 * catalogue sees to that. */
struct catalogue {
    bool (*lookup)(void *arg, const struct relation_name *name, struct relation *relation, struct err *err);
    void *arg;
    bool case_sensitive;
    bool ansi; /* Spark's spark.sql.ansi.enabled; default true */
};

struct sort_key {
    const struct expr *expr;
    bool descending, nulls_last;
};

struct plan {
    enum plan_kind kind;
    const struct type *schema; /* of what this node puts out */
    struct plan **inputs;      /* inputs[input_count] */
    uint32_t input_count;
    const struct expr *
        *exprs; /* PROJECT, AGGREGATE: exprs[expr_count]; FILTER, JOIN, WATERMARK (a column): exprs[0] */
    uint32_t expr_count, group_count;
    const struct expr **filters; /* AGGREGATE: FILTER (WHERE …) of each aggregate, or NULL [expr_count] */
    bool *distinct;              /* AGGREGATE: [expr_count] */
    struct sort_key *sort;       /* SORT */
    uint32_t sort_count;
    int64_t limit, offset;     /* −1 = none */
    struct relation_name name; /* SCAN */
    struct relation relation;
    uint32_t *columns; /* SCAN: indexes into relation.schema [column_count]; schema = these, in this order */
    uint32_t column_count;
    int join_type;      /* JOIN: enum join_type of sql/ast.h */
    int64_t delay_us;   /* WATERMARK */
    struct value *rows; /* VALUES: row-major [row_count × field_count] */
    uint32_t row_count;
    bool streaming; /* any scan below is a stream */
};

/* Parses and binds one query. text is borrowed for as long as the plan lives. Errors have line, column and width within
 * `text` (place.file empty), Spark's error class where it has one, and did-you-mean hints. */
bool sql_plan(struct arena *arena, struct str text, const struct catalogue *catalogue, struct plan **plan,
              struct err *err);

/* Binds one expression over a schema: generator columns, quality rules, `--where`. */
bool sql_plan_expr(struct arena *arena, struct str text, const struct type *schema,
                   const struct catalogue *options, const struct expr **expr, struct err *err);

/* Names of the relations that the query reads, without binding: the project's dependency graph. */
bool sql_relations(struct arena *arena, struct str text, struct relation_name **names, uint32_t *count,
                   struct err *err);
/* Would the query keep state over a stream, whatever the columns are? It has something that aggregates, DISTINCT, LIMIT or a watermark, be
 * it in a WITH that nobody reads. */
bool sql_keeps_state(struct arena *arena, struct str text, bool *keeps, struct err *err);

/* Plan as an indented text, for `check`, `plan` and tests. */
void plan_print(const struct plan *plan, struct sbuf *out);

#endif

/* The tree of a SQL text as it was written: names unresolved, no types, every node with its span.
 *
 * Lives in the arena given to the parser and borrows the text. Immutable once parsed. A node's meaning is its kind's comment; what a
 * kind does not name is zero. Printing a tree (ast_print) gives SQL that parses to the same tree. */
#ifndef SQL_AST_H
#define SQL_AST_H

#include "sql/plan.h"

enum {
    SQL_TEXT_MAX = 1 << 20, /* bytes of one text */
    SQL_DEPTH_MAX =
        300, /* nesting of expressions and queries, in the parser's steps: about 100 parentheses */
    SQL_CHAIN_MAX = 500,    /* a + b + c …, a.b.c …, x UNION y UNION z …: levels of the tree */
    SQL_NAME_PARTS_MAX = 8, /* a.b.c … of one name */
    SQL_COLUMNS_MAX =
        10000, /* columns of one SELECT, arguments of one call, rows of VALUES × columns are below 2^20 by the text */
};

struct ast_query;

/* ---- expressions ---------------------------------------------------------------------------------------------- */

enum ast_kind {
    AST_LITERAL, /* `literal`: NULL, TRUE, numbers, strings, X'…' */
    AST_TYPED, /* DATE '…', TIME '…', TIMESTAMP '…', TIMESTAMP_NTZ '…', TIMESTAMP_LTZ '…': `name` in upper case, `literal` the text */
    AST_INTERVAL, /* INTERVAL …: items[i] = amount, units[i] = its unit; with `to` ≥ 0 one item, a string, from units[0] to `to`;
                      INTERVAL '…' alone has count 1 and units[0] = AST_UNIT_NONE */
    AST_NAME,     /* one identifier `name` */
    AST_FIELD,    /* items[0] . name; also t.a, which only the binder can tell */
    AST_STAR,     /* [items[0] .] * [EXCEPT (names)]: except[except_count]; count 0 or 1 */
    AST_PARAMETER, /* :name, or ? with an empty name */
    AST_UNARY,     /* op items[0] */
    AST_BINARY,    /* items[0] op items[1] */
    AST_BETWEEN,   /* items[0] [NOT] BETWEEN items[1] AND items[2] */
    AST_IN,        /* items[0] [NOT] IN (items[1], …), or (query) */
    AST_LIKE,      /* items[0] [NOT] op [quantifier] items[1] …; escape = last item when has_escape */
    AST_IS,        /* items[0] IS [NOT] test; IS DISTINCT FROM has items[1] */
    AST_CASE, /* CASE [operand] WHEN … THEN … [ELSE …] END: items = [operand], when, then, …, [else] */
    AST_CAST,      /* CAST(items[0] AS type), TRY_CAST, x::type */
    AST_CALL,      /* name(items…) with call */
    AST_SUBSCRIPT, /* items[0] [ items[1] ] */
    AST_LAMBDA,    /* (names) -> items[0] */
    AST_ROW,       /* (a, b, …) */
    AST_SUBQUERY,  /* (query) as a value */
    AST_EXISTS,    /* EXISTS (query) */
    AST_ALIAS,     /* items[0] AS name, or AS (names): in select lists, and in STRUCT(a AS b) */
    AST_NAMED_ARG, /* name => items[0] */
    AST_COLLATE,   /* items[0] COLLATE name */
};

enum ast_op {
    AST_OP_NONE,
    AST_OR,
    AST_AND,
    AST_NOT,
    AST_EQ,
    AST_EQ_NULL_SAFE,
    AST_NE,
    AST_LT,
    AST_LE,
    AST_GT,
    AST_GE,
    AST_BIT_OR,
    AST_BIT_XOR,
    AST_BIT_AND,
    AST_SHIFT_LEFT,
    AST_SHIFT_RIGHT,
    AST_SHIFT_RIGHT_UNSIGNED,
    AST_ADD,
    AST_SUBTRACT,
    AST_CONCAT,
    AST_MULTIPLY,
    AST_DIVIDE,
    AST_MOD,
    AST_DIV,
    AST_NEGATE,
    AST_PLUS,
    AST_BIT_NOT,
    AST_LIKE_OP, /* AST_LIKE only */
    AST_ILIKE_OP,
    AST_RLIKE_OP,
};

/* As written, upper case: "+", "AND" … */
const char *ast_op_text(enum ast_op op);

enum ast_quantifier { AST_NO_QUANTIFIER, AST_ANY, AST_ALL };

enum ast_test { AST_IS_NULL, AST_IS_TRUE, AST_IS_FALSE, AST_IS_UNKNOWN, AST_IS_DISTINCT };

enum ast_unit {
    AST_UNIT_NONE = -1,
    AST_UNIT_YEAR,
    AST_UNIT_MONTH,
    AST_UNIT_DAY,
    AST_UNIT_HOUR,
    AST_UNIT_MINUTE,
    AST_UNIT_SECOND, /* up to here as enum interval_unit */
    AST_UNIT_WEEK,
    AST_UNIT_MILLISECOND,
    AST_UNIT_MICROSECOND,
};

struct ast_expr;

struct ast_sort {
    struct ast_expr *expr;
    bool descending;
    int nulls; /* 0 = as the direction says, 1 = NULLS FIRST, 2 = NULLS LAST */
};

struct ast_frame_bound {
    enum {
        AST_UNBOUNDED_PRECEDING,
        AST_PRECEDING,
        AST_CURRENT_ROW,
        AST_FOLLOWING,
        AST_UNBOUNDED_FOLLOWING
    } kind;
    struct ast_expr *offset; /* PRECEDING, FOLLOWING */
};

struct ast_window {
    struct str name; /* WINDOW name AS (…), or OVER name; else empty */
    struct ast_expr **partition;
    uint32_t partition_count, order_count;
    struct ast_sort *order;
    enum { AST_NO_FRAME, AST_ROWS, AST_RANGE } frame;
    struct ast_frame_bound start, end;
    struct span span;
};

/* What a call may have besides its arguments. */
struct ast_call {
    struct str qualifier[2]; /* a.b of a.b.f(…) */
    uint32_t qualifier_count;
    bool distinct, ignore_nulls, respect_nulls, without_parens;
    struct ast_expr *filter;
    struct ast_window *over;
    struct ast_sort *within_group;
    uint32_t within_group_count;
};

/* What the binder last made of an expression: names of columns depend on types. The one thing about a tree that changes. */
struct ast_note {
    const struct expr *bound;
};

struct ast_expr {
    enum ast_kind kind;
    struct span span; /* of the whole expression */
    struct span at;   /* of the word that names it: an operator, a function's name, an identifier */
    struct str name;
    struct ast_expr **items; /* items[count] */
    uint32_t count;
    uint32_t depth; /* levels of items below it */
    enum ast_op op;
    bool not_, try_, has_operand, has_else, has_escape, quoted /* NAME in backticks */, parens, double_colon;
    enum ast_quantifier quantifier;
    enum ast_test test;
    struct value literal;
    const struct type *type; /* CAST */
    struct str *names;       /* LAMBDA, ALIAS, STAR's EXCEPT: names[name_count] */
    uint32_t name_count;
    enum ast_unit *units; /* INTERVAL: units[count] */
    enum ast_unit to;
    struct ast_call *call;
    struct ast_query *query;
    struct ast_note *note; /* the binder's; never NULL */
};

/* ---- queries -------------------------------------------------------------------------------------------------- */

enum join_type { JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL, JOIN_SEMI, JOIN_ANTI, JOIN_CROSS };

enum ast_from_kind {
    AST_FROM_NAME,     /* relation */
    AST_FROM_QUERY,    /* (query) */
    AST_FROM_VALUES,   /* VALUES …: query is of kind AST_VALUES */
    AST_FROM_FUNCTION, /* call: range(10), explode(x) … */
    AST_FROM_JOIN,     /* left, right, join */
    AST_FROM_VIEW,     /* left LATERAL VIEW [OUTER] call table AS columns */
    AST_FROM_PIVOT,    /* left PIVOT (…): parsed, kept as text */
};

struct ast_watermark {
    struct ast_expr *column, *delay; /* delay is an AST_INTERVAL */
    struct span span;
};

struct ast_from {
    enum ast_from_kind kind;
    struct span span;
    struct relation_name relation;
    struct ast_query *query;
    struct ast_expr *call;
    struct str alias;    /* empty = none */
    struct str *columns; /* AS t(a, b): columns[column_count] */
    uint32_t column_count;
    struct ast_watermark *watermark;
    bool lateral, outer, sampled; /* sampled: TABLESAMPLE, kept as text */
    struct span clause;           /* of TABLESAMPLE, PIVOT or a time travel clause, for errors */
    struct ast_from *left, *right;
    enum join_type join;
    bool natural;
    struct ast_expr *on;
    struct str *using_;
    uint32_t using_count;
};

enum ast_grouping_kind { AST_GROUP_PLAIN, AST_GROUP_ROLLUP, AST_GROUP_CUBE, AST_GROUP_SETS };

/* One element of GROUP BY. ROLLUP, CUBE: items are its members (a tuple is an AST_ROW); SETS: each item a set. */
struct ast_grouping {
    enum ast_grouping_kind kind;
    struct ast_expr *expr; /* PLAIN */
    struct ast_expr **items;
    uint32_t count;
    struct span span;
};

enum ast_query_kind { AST_SELECT, AST_VALUES, AST_TABLE, AST_SET_OPERATION };

enum ast_set_op { AST_UNION, AST_INTERSECT, AST_EXCEPT };

struct ast_cte {
    struct str name;
    struct str *columns;
    uint32_t column_count;
    struct ast_query *query;
    struct span span;
};

/* One query, with what binds it: WITH in front, ORDER BY … OFFSET behind. */
struct ast_query {
    enum ast_query_kind kind;
    enum ast_set_op set_op;
    struct span span;
    struct span hint;     /* SELECT: the text within the hint's comment, length 0 = none */
    struct ast_cte *ctes; /* ctes[cte_count] */
    /* SELECT */
    struct ast_expr **select; /* select[select_count] */
    struct ast_from *from;    /* NULL = none */
    struct ast_expr *where, *having, *qualify;
    struct ast_grouping *groups; /* groups[group_count] */
    struct ast_window *windows;  /* windows[window_count] */
    /* VALUES: rows[row_count] are AST_ROW or single expressions; AS values_alias(values_columns) behind them */
    struct ast_expr **rows;
    struct str values_alias;
    struct str *values_columns;
    struct relation_name table;     /* TABLE x */
    struct ast_query *left, *right; /* SET_OPERATION */
    /* of any */
    struct ast_sort *order, *sort; /* ORDER BY, SORT BY */
    struct ast_expr **distribute;  /* DISTRIBUTE BY, CLUSTER BY */
    struct ast_expr *limit, *offset;
    uint32_t cte_count, select_count, group_count, window_count, row_count, values_column_count, order_count,
        sort_count, distribute_count;
    bool recursive, distinct, group_all, has_group;
    bool group_kind_suffix; /* GROUP BY a, b WITH ROLLUP */
    bool all;               /* UNION ALL … */
    bool order_all, limit_all;
    bool cluster; /* CLUSTER BY, not DISTRIBUTE BY */
    bool parens;  /* was in parentheses */
};

/* ---- statements ------------------------------------------------------------------------------------------------ */

enum sql_statement_kind {
    SQL_QUERY, /* query */
    SQL_SET, /* SET key = value: `key`, `value`; SET alone has neither; SET TIME ZONE has key spark.sql.session.timeZone */
    SQL_CREATE_VIEW,  /* name, columns, query; temporary, replace */
    SQL_DROP_VIEW,    /* name, if_exists */
    SQL_CREATE_TABLE, /* name, schema or query; if_not_exists, replace */
    SQL_DROP_TABLE,
    SQL_INSERT,   /* name, columns, query; overwrite */
    SQL_DESCRIBE, /* name, or query */
    SQL_EXPLAIN,  /* query */
    SQL_SHOW,     /* SHOW TABLES, …: `text` only */
    SQL_OTHER,    /* recognised, `text` only: CACHE, ANALYZE, ALTER, UPDATE, DELETE, MERGE … */
};

struct sql_statement {
    enum sql_statement_kind kind;
    struct str text; /* without white space and comments around it, without ';' */
    uint32_t offset; /* of `text` in the whole */
    struct str verb; /* its first word, upper case */
    struct ast_query *query;
    struct relation_name name;
    struct str *columns;
    uint32_t column_count;
    const struct type *schema;
    struct str key, value;
    bool temporary, replace, if_exists, if_not_exists, overwrite;
};

/* Parses statements separated by ';'. text is borrowed. ERR_CONFIG: line, column and width within text (place.file empty),
 * "PARSE_SYNTAX_ERROR: …". */
bool sql_parse(struct arena *arena, struct str text, struct sql_statement **statements, uint32_t *count,
               struct err *err);

/* Exactly one query (a ';' may end it), or one expression. */
bool sql_parse_query(struct arena *arena, struct str text, struct ast_query **query, struct err *err);
bool sql_parse_expr(struct arena *arena, struct str text, struct ast_expr **expr, struct err *err);

/* Binds a parsed query (of a statement too): text is the whole text that its spans point into. */
bool sql_bind(struct arena *arena, struct str text, const struct ast_query *query,
              const struct catalogue *catalogue, struct plan **plan, struct err *err);

/* Canonical SQL, one line. */
void ast_print(const struct ast_query *query, struct sbuf *out);
void ast_print_expr(const struct ast_expr *expr, struct sbuf *out);

#endif

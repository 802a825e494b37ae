/* Tokens of Spark's SQL. The whole text becomes one array, so that the parser looks ahead and back for free. */
#ifndef SQL_LEX_H
#define SQL_LEX_H

#include "sql/expr.h"

enum token_kind {
    TOKEN_END,           /* after the last one */
    TOKEN_WORD,          /* identifier or keyword */
    TOKEN_QUOTED,        /* `identifier` */
    TOKEN_STRING,        /* '…', "…", r'…' */
    TOKEN_INTEGER,       /* digits */
    TOKEN_DECIMAL,       /* digits with a point */
    TOKEN_EXPONENT,      /* with e: a double */
    TOKEN_NUMBER_SUFFIX, /* Y S L F D BD behind it */
    TOKEN_PARAMETER,     /* :name */
    TOKEN_HINT,          /* a whole hint comment */
    /* Operators: their own texts. */
    TOKEN_EQ,           /* = == */
    TOKEN_EQ_NULL_SAFE, /* <=> */
    TOKEN_NE,           /* <> != */
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT, /* the parser joins two or three that touch to >> and >>> */
    TOKEN_GE,
    TOKEN_SHIFT_LEFT,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_TILDE,
    TOKEN_AMPERSAND,
    TOKEN_PIPE,
    TOKEN_CONCAT,     /* || */
    TOKEN_PIPE_ARROW, /* |> */
    TOKEN_CARET,
    TOKEN_BANG,
    TOKEN_DOT,
    TOKEN_COMMA,
    TOKEN_SEMICOLON,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPEN_BRACKET,
    TOKEN_CLOSE_BRACKET,
    TOKEN_OPEN_BRACE,
    TOKEN_CLOSE_BRACE,
    TOKEN_COLON,
    TOKEN_DOUBLE_COLON,
    TOKEN_ARROW,     /* -> */
    TOKEN_FAT_ARROW, /* => */
    TOKEN_AT,
    TOKEN_QUESTION,
};

struct token {
    uint8_t kind;
    uint8_t suffix;   /* NUMBER_SUFFIX: its letters' length */
    uint16_t keyword; /* WORD: enum keyword, 0 = none */
    uint32_t offset, length;
};

enum keyword {
    KEYWORD_NONE,
#define KEYWORD(name, flags) KEYWORD_##name,
#include "sql/keyword.def"
#undef KEYWORD
    KEYWORD_COUNT
};

enum {
    KEYWORD_CLAUSE = 1 << 0,   /* no alias of a column without AS */
    KEYWORD_JOINS = 1 << 1,    /* no alias of a relation without AS */
    KEYWORD_RESERVED = 1 << 2, /* no bare name in an expression, but where nothing else could stand there */
};

const char *keyword_text(enum keyword k); /* upper case */
unsigned keyword_flags(enum keyword k);

/* tokens[*count], the last one TOKEN_END. err: an open string, comment or backtick, a byte that begins no token, a text past
 * SQL_TEXT_MAX. */
bool sql_lex(struct arena *arena, struct str text, struct token **tokens, uint32_t *count, struct err *err);

/* The characters of a STRING token (neighbours are joined by the parser), or of a QUOTED one, without quotes and escapes. */
struct str sql_unescape(struct arena *arena, struct str text, const struct token *token);

/* Sets err's place from a span within text: line and column count from 1, in characters. Returns false. */
bool sql_error_at(struct err *err, struct str text, struct span span);
/* err's place counts from `offset` within text (a part of it was parsed by itself); makes it count from text's start. */
void sql_error_shift(struct err *err, struct str text, uint32_t offset);

#endif

/* Errors are values: a class that tells the caller what to do, a text for a person, and optionally a place and a hint.
 *
 * Every function that can fail returns bool (true = done), takes `struct err *err` last, and fills it exactly when it
 * returns false. Context is added once per module boundary with err_context(). Text: lower case, no full stop, names
 * in double quotes, the actual value included, "could not" (may work later) or "cannot" (never will). The hint is a
 * full sentence. A text never holds a secret: see err_redact(). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum err_class {
    ERR_NONE = 0,
    ERR_RETRY,  /* may work later: back off and try again */
    ERR_DATA,   /* this record only: dead letter with topic, partition, offset */
    ERR_CONFIG, /* the project or the command line is wrong: has a place; exit status 2 */
    ERR_FATAL,  /* stop this stream, sink or command */
};

enum {
    ERR_TEXT_MAX = 512, /* bytes of text incl. NUL; a longer one is cut at a character and ends in "…" */
    ERR_HINT_MAX = 192,
    ERR_FILE_MAX = 128,
};

/* Where in a text the error is. line and column count from 1, column in characters; 0 = unknown. */
struct err_place {
    char file[ERR_FILE_MAX];
    int line;
    int column;
    int width; /* characters to underline; 0 = 1 */
};

struct err {
    enum err_class class;
    int code; /* errno, HTTP status, SQLite's or Kafka's code: its meaning is the module's; 0 = none */
    struct err_place place;
    char text[ERR_TEXT_MAX];
    char hint[ERR_HINT_MAX];
};

/* Fills *err (err may be NULL: then nothing) and returns false, so that `return err_set(...)` reads well. */
bool err_set(struct err *err, enum err_class class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool err_vset(struct err *err, enum err_class class, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* As err_set, with `: <strerror(os_errno)>` appended and code = os_errno. */
bool err_set_errno(struct err *err, enum err_class class, int os_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<context>: " before the text. Returns false. */
bool err_context(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the hint, a full sentence. Returns false. */
bool err_hint(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the place. Returns false. */
bool err_at(struct err *err, const char *file, int line, int column, int width);

void err_clear(struct err *err);

#ifdef __clang_analyzer__ /* which cannot see that they return false */
#define err_set(...) (err_set(__VA_ARGS__), false)
#define err_vset(...) (err_vset(__VA_ARGS__), false)
#define err_set_errno(...) (err_set_errno(__VA_ARGS__), false)
#define err_context(...) (err_context(__VA_ARGS__), false)
#define err_hint(...) (err_hint(__VA_ARGS__), false)
#define err_at(...) (err_at(__VA_ARGS__), false)
#endif

/* Secrets (passwords, tokens, credentials in URLs) are registered once, when the configuration is read; err_vset and
 * the log writer pass their text through err_redact(), which overwrites each occurrence with "***" in place, and also a long
 * secret's first 16 bytes and what follows of it. At most ERR_SECRETS_MAX secrets of any length, copied. Registered before
 * threads start. False when there are ERR_SECRETS_MAX already and this is not one of them. */
enum { ERR_SECRETS_MAX = 64 };
bool err_secret_add(const char *secret);

enum err_redact {
    ERR_REDACT_TEXT,   /* a sentence: secrets shorter than 4 bytes too, where they are a word of it */
    ERR_REDACT_CUT,    /* the same, whose end is lacking: there the beginning of a secret is one */
    ERR_REDACT_OUTPUT, /* made of such texts, and of numbers and names that a short secret must not shred */
};
void err_redact(char *text, enum err_redact how);

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            return false;                                                                                    \
    } while (0)

#define TRY_OUT(call)                                                                                        \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            goto out;                                                                                        \
    } while (0)

#endif

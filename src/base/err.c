#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* the functions themselves, see err.h */
#undef err_set
#undef err_vset
#undef err_set_errno
#undef err_context
#undef err_hint
#undef err_at

enum {
    SECRET_SHORT = 4,  /* bytes: a shorter one is overwritten as a whole word of a sentence only */
    SECRET_BEGUN = 16, /* so much of a secret's beginning gives it away: libraries cut what they show */
};

static struct secret {
    const char *text; /* on the heap, for ever */
    size_t n;
} secrets[ERR_SECRETS_MAX];
static int secret_count;

bool err_secret_add(const char *secret)
{
    size_t n = strlen(secret);
    if (n == 0)
        return true;
    for (int i = 0; i < secret_count; i++)
        if (strcmp(secrets[i].text, secret) == 0)
            return true;
    if (secret_count == ERR_SECRETS_MAX)
        return false;
    char *copy = mem_new(n + 1);
    memcpy(copy, secret, n);
    secrets[secret_count] = (struct secret){copy, n}; /* whole before it counts */
    secret_count++;
    return true;
}

static bool in_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c & 0x80);
}

static bool is_word(const char *text, const char *at, size_t n)
{
    return !(at > text && in_word(at[-1]) && in_word(at[0])) && !(in_word(at[n - 1]) && in_word(at[n]));
}

/* Bytes of a secret at this place: the longest. */
static size_t secret_at(const char *text, const char *at, enum err_redact how)
{
    size_t longest = 0;
    for (int i = 0; i < secret_count; i++) {
        const struct secret *s = &secrets[i];
        size_t same = 0;
        while (same < s->n && at[same] == s->text[same])
            same++;
        bool hit = same == s->n || same >= SECRET_BEGUN ||
                   (how == ERR_REDACT_CUT && same > 0 && at[same] == '\0');
        if (s->n < SECRET_SHORT)
            hit = same == s->n && how != ERR_REDACT_OUTPUT && is_word(text, at, same);
        if (hit && same > longest)
            longest = same;
    }
    return longest;
}

void err_redact(char *text, enum err_redact how)
{
    char *to = text;
    for (const char *at = text; *at;) {
        size_t n = secret_at(text, at, how), stars = n < 3 ? n : 3;
        if (n == 0) {
            *to++ = *at++;
            continue;
        }
        memset(to, '*', stars); /* never more than were there */
        to += stars;
        at += n;
    }
    *to = '\0';
}

/* Cuts text that did not fit, at a character, and marks the cut. */
static void mark_cut(char *text, size_t size, int wanted)
{
    if (wanted < 0 || (size_t)wanted < size)
        return;
    size_t at = strlen(text);
    at = at < size - 4 ? at : size - 4;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    memcpy(text + at, "\xE2\x80\xA6", 4);
}

/* What vsnprintf left of a text that wanted so many bytes. */
static void finish(char *text, size_t size, int wanted)
{
    err_redact(text, wanted >= 0 && (size_t)wanted >= size ? ERR_REDACT_CUT : ERR_REDACT_TEXT);
    mark_cut(text, size, wanted);
}

bool err_vset(struct err *err, enum err_class class, const char *format, va_list args)
{
    CHECK(class != ERR_NONE);
    if (err == NULL)
        return false;
    *err = (struct err){.class = class};
    int n = vsnprintf(err->text, sizeof err->text, format, args);
    finish(err->text, sizeof err->text, n);
    return false;
}

bool err_set(struct err *err, enum err_class class, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_vset(err, class, format, args);
    va_end(args);
    return false;
}

bool err_set_errno(struct err *err, enum err_class class, int os_errno, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_vset(err, class, format, args);
    va_end(args);
    if (err == NULL)
        return false;
    size_t at = strlen(err->text);
    int n = snprintf(err->text + at, sizeof err->text - at, ": %s",
                     strerrordesc_np(os_errno) ? strerrordesc_np(os_errno) : "unknown error");
    mark_cut(err->text, sizeof err->text, (int)at + n);
    err->code = os_errno;
    return false;
}

bool err_context(struct err *err, const char *format, ...)
{
    if (err == NULL)
        return false;
    char old[ERR_TEXT_MAX];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    if ((size_t)n < sizeof err->text)
        n += snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", old);
    finish(err->text, sizeof err->text, n);
    return false;
}

bool err_hint(struct err *err, const char *format, ...)
{
    if (err == NULL)
        return false;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->hint, sizeof err->hint, format, args);
    va_end(args);
    finish(err->hint, sizeof err->hint, n);
    return false;
}

bool err_at(struct err *err, const char *file, int line, int column, int width)
{
    if (err == NULL)
        return false;
    err->place = (struct err_place){.line = line, .column = column, .width = width};
    int n = snprintf(err->place.file, sizeof err->place.file, "%s", file ? file : "");
    mark_cut(err->place.file, sizeof err->place.file, n);
    return false;
}

void err_clear(struct err *err)
{
    *err = (struct err){0};
}

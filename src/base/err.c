#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* the functions themselves, see err.h */
#undef err_set
#undef err_vset
#undef err_set_errno
#undef err_context
#undef err_hint
#undef err_at

static char secrets[ERR_SECRETS_MAX][1024];
static int secret_count;

bool err_secret_add(const char *secret)
{
    size_t n = strlen(secret);
    if (n < 4 || n >= sizeof secrets[0])
        return true;
    for (int i = 0; i < secret_count; i++)
        if (strcmp(secrets[i], secret) == 0)
            return true;
    if (secret_count == ERR_SECRETS_MAX)
        return false;
    memcpy(secrets[secret_count], secret, n + 1); /* whole before it counts */
    secret_count++;
    return true;
}

void err_redact(char *text, size_t size)
{
    (void)size; /* the text only shrinks: a secret has 4 bytes or more, its stand-in 3 */
    for (int i = 0; i < secret_count; i++) {
        size_t n = strlen(secrets[i]);
        for (char *at = text; (at = strstr(at, secrets[i])) != NULL; at += 3) {
            memcpy(at, "***", 3);
            memmove(at + 3, at + n, strlen(at + n) + 1);
        }
    }
}

/* Cuts text that did not fit, at a character, and marks the cut. */
static void mark_cut(char *text, size_t size, int wanted)
{
    if (wanted < 0 || (size_t)wanted < size)
        return;
    size_t at = size - 4;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    memcpy(text + at, "\xE2\x80\xA6", 4);
}

bool err_vset(struct err *err, enum err_class class, const char *format, va_list args)
{
    CHECK(class != ERR_NONE);
    if (err == NULL)
        return false;
    *err = (struct err){.class = class};
    int n = vsnprintf(err->text, sizeof err->text, format, args);
    mark_cut(err->text, sizeof err->text, n);
    err_redact(err->text, sizeof err->text);
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
    mark_cut(err->text, sizeof err->text, n);
    err_redact(err->text, sizeof err->text);
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
    mark_cut(err->hint, sizeof err->hint, n);
    err_redact(err->hint, sizeof err->hint);
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

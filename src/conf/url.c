/* URLs of connections and sources (RFC 3986, as far as these need it): scheme:[//[user[:password]@]host[:port]]path[?query].
 * Before a "//" is required of nobody: sqlite:serving.db and file:lake have a path alone. */
#include <stdio.h>

#include "base/utf8.h"
#include "conf/option.h"
#include "conf/option_private.h"

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Percent-decoded copy; NULL for %00, a broken escape, or what is then no UTF-8. */
static const char *decode(struct arena *arena, struct str text)
{
    char *out = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_value(text.p[i + 1]) : -1,
                low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
            if (low < 0 || high * 16 + low == 0)
                return NULL;
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return utf8_valid(out, n) ? out : NULL;
}

static bool is_scheme(struct str text)
{
    bool ok = text.n > 0 && ((text.p[0] | 32) >= 'a' && (text.p[0] | 32) <= 'z');
    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i];
        ok = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' ||
             c == '-';
    }
    return ok;
}

static size_t find_any(struct str text, const char *set, size_t from)
{
    while (from < text.n && (text.p[from] == '\0' || strchr(set, text.p[from]) == NULL))
        from++;
    return from;
}

bool conf_url_split(struct str text, struct conf_url_parts *parts)
{
    *parts = (struct conf_url_parts){0};
    size_t colon = find_any(text, ":/?#", 0);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7F)
            return false;
    if (colon >= text.n || text.p[colon] != ':' || !is_scheme(str_n(text.p, colon)) || colon + 1 == text.n)
        return false;
    parts->scheme = str_n(text.p, colon);
    struct str rest = str_n(text.p + colon + 1, text.n - colon - 1);
    size_t fragment = find_any(rest, "#", 0), question = find_any(str_n(rest.p, fragment), "?", 0);
    if (question < fragment)
        parts->query = str_n(rest.p + question + 1, fragment - question - 1);
    rest.n = question;
    if (!str_starts(rest, STR("//"))) {
        parts->path = rest;
        return true;
    }
    rest = str_n(rest.p + 2, rest.n - 2);
    size_t slash = find_any(rest, "/", 0), at = slash;
    parts->path = str_n(rest.p + slash, rest.n - slash);
    while (at > 0 && rest.p[at - 1] != '@')
        at--;
    if (at > 0) {
        size_t mid = find_any(str_n(rest.p, at - 1), ":", 0);
        parts->user = str_n(rest.p, mid);
        if (mid < at - 1)
            parts->password = str_n(rest.p + mid + 1, at - 1 - mid - 1);
    }
    parts->authority = str_n(rest.p + at, slash - at);
    return true;
}

static bool read_authority(struct arena *arena, struct str text, struct conf_url *url, struct err *err)
{
    size_t colon;
    struct str host;
    if (text.n > 0 && text.p[0] == '[') {
        size_t close = find_any(text, "]", 0);
        if (close == text.n)
            return err_set(err, ERR_CONFIG, "the host of the URL begins with \"[\" and has no \"]\"");
        host = str_n(text.p + 1, close - 1);
        colon = close + 1;
        if (colon < text.n && text.p[colon] != ':')
            return err_set(err, ERR_CONFIG, "expected \":\" and a port behind \"]\" in the URL");
    } else {
        colon = find_any(text, ":", 0);
        /* a list of hosts (h1:1,h2:2) is left to its kind, as one text */
        if (find_any(text, ",", 0) < text.n)
            colon = text.n;
        host = str_n(text.p, colon);
    }
    if (colon + 1 < text.n) {
        uint64_t port;
        struct str digits = str_n(text.p + colon + 1, text.n - colon - 1);
        if (!str_to_u64(digits, &port) || port == 0 || port > UINT16_MAX)
            return err_set(err, ERR_CONFIG, "the port \"%.*s\" of the URL is not from 1 to 65535",
                           STR_ARG(digits));
        url->port = (uint16_t)port;
    }
    url->host = host.n ? decode(arena, host) : NULL;
    return host.n == 0 || url->host || err_set(err, ERR_CONFIG, "the host of the URL is not valid");
}

static bool decode_part(struct arena *arena, struct str text, const char *what, const char **out,
                        struct err *err)
{
    *out = NULL;
    if (text.p == NULL)
        return true;
    *out = decode(arena, text);
    if (*out)
        return true;
    err_set(err, ERR_CONFIG, "the %s of the URL has a %% that begins no valid escape", what);
    return err_hint(err, "Write %%25 for a percent sign.");
}

bool conf_url_parse(struct arena *arena, const char *text, struct conf_url *url, struct err *err)
{
    struct conf_url_parts parts;
    *url = (struct conf_url){0};
    if (!conf_url_split(str_of(text), &parts)) {
        err_set(err, ERR_CONFIG, "must be a URL");
        return err_hint(err,
                        "A URL begins with a scheme, as in sqlite:serving.db or postgresql://user@host/db.");
    }
    char *scheme = str_dup(arena, parts.scheme);
    for (char *c = scheme; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    url->scheme = scheme;
    TRY(decode_part(arena, parts.user, "user", &url->user, err));
    TRY(decode_part(arena, parts.password, "password", &url->password, err));
    TRY(decode_part(arena, parts.path, "path", &url->path, err));
    url->query = parts.query.p ? str_dup(arena, parts.query) : NULL;
    return parts.authority.p == NULL || read_authority(arena, parts.authority, url, err);
}

/* The next key=value of a query; false at its end. */
static bool next_pair(struct str *query, struct str *key, struct str *value)
{
    if (query->n == 0)
        return false;
    size_t end = find_any(*query, "&", 0), equals = find_any(str_n(query->p, end), "=", 0);
    *key = str_n(query->p, equals);
    *value = equals < end ? str_n(query->p + equals + 1, end - equals - 1) : str_n(query->p + end, 0);
    size_t used = end < query->n ? end + 1 : end;
    *query = str_n(query->p + used, query->n - used);
    return true;
}

const char *conf_url_query(struct arena *arena, const struct conf_url *url, const char *key)
{
    struct str query = str_of(url->query), name, value;
    while (next_pair(&query, &name, &value))
        if (str_is(name, key))
            return decode(arena, value);
    return NULL;
}

static bool is_secret_name(struct str name)
{
    static const char *const words[] = {"password", "passwd",    "secret", "token", "api_key",
                                        "apikey",   "signature", "sig",    "key"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(name, str_of(words[i])))
            return true;
    return false;
}

uint32_t conf_url_secrets(struct str text, struct str *secrets)
{
    struct conf_url_parts parts;
    uint32_t count = 0;
    struct str name, value;
    if (!conf_url_split(text, &parts))
        return 0;
    if (parts.password.n)
        secrets[count++] = parts.password;
    while (count < CONF_URL_SECRETS_MAX && next_pair(&parts.query, &name, &value))
        if (value.n && is_secret_name(name))
            secrets[count++] = value;
    return count;
}

const char *conf_url_show(struct arena *arena, const char *text)
{
    struct str secrets[CONF_URL_SECRETS_MAX];
    uint32_t count = conf_url_secrets(str_of(text), secrets);
    char *out = arena_alloc(arena, strlen(text) + 3 * (size_t)count + 1);
    size_t n = 0;
    const char *at = text;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(out + n, at, (size_t)(secrets[i].p - at));
        n += (size_t)(secrets[i].p - at);
        memcpy(out + n, "***", 3);
        n += 3;
        at = secrets[i].p + secrets[i].n;
    }
    memcpy(out + n, at, strlen(at) + 1);
    return out;
}

const char *conf_url_decode(struct arena *arena, struct str text)
{
    return decode(arena, text);
}

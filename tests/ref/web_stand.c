#include "ref/web_stand.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

struct web_stand {
    void (*handle)(void *arg, struct web_request *request);
    void *arg;
    int listener, port;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int requests, open;
    bool ending;
};

static bool is_ending(struct web_stand *stand)
{
    pthread_mutex_lock(&stand->mutex);
    bool ending = stand->ending;
    pthread_mutex_unlock(&stand->mutex);
    return ending;
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

static bool read_head(struct web_request *r)
{
    while (r->head_size < sizeof r->head - 1) {
        struct pollfd wait = {.fd = r->fd, .events = POLLIN};
        if (poll(&wait, 1, 5000) <= 0)
            return false;
        ssize_t got = recv(r->fd, r->head + r->head_size, sizeof r->head - 1 - r->head_size, 0);
        if (got <= 0)
            return false;
        r->head_size += (size_t)got;
        r->head[r->head_size] = '\0';
        if (strstr(r->head, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void split_target(struct web_request *r)
{
    const char *from = strchr(r->head, ' ');
    const char *to = from ? strchr(from + 1, ' ') : NULL;
    if (to == NULL)
        return;
    int n = (int)(to - from) - 1, path = (int)strcspn(from + 1, "? ");
    snprintf(r->path, sizeof r->path, "%.*s", path, from + 1);
    if (path < n)
        snprintf(r->query, sizeof r->query, "%.*s", n - path - 1, from + 2 + path);
}

int64_t web_param(const struct web_request *r, const char *name, int64_t otherwise)
{
    size_t n = strlen(name);
    for (const char *at = r->query; *at; at += strcspn(at, "&"), at += *at == '&')
        if (strncmp(at, name, n) == 0 && at[n] == '=')
            return atoll(at + n + 1);
    return otherwise;
}

bool web_has_header(const struct web_request *r, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= r->head_size; i++)
        if (strncasecmp(r->head + i, text, n) == 0)
            return true;
    return false;
}

/* ---- answers -------------------------------------------------------------------------------------------------------- */

void web_raw(struct web_request *r, const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        ssize_t sent = send(r->fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
        n -= (size_t)sent;
    }
}

void web_answer(struct web_request *r, int status, const char *headers, struct str body)
{
    struct sbuf text = {0};
    sbuf_printf(&text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status, body.n,
                headers);
    sbuf_str(&text, body);
    web_raw(r, text.p, text.n);
    sbuf_fini(&text);
}

void web_text(struct web_request *r, int status, const char *headers, const char *body)
{
    web_answer(r, status, headers, str_of(body));
}

void web_hang(struct web_request *r)
{
    char byte;
    while (!is_ending(r->stand)) {
        struct pollfd wait = {.fd = r->fd, .events = POLLIN};
        if (poll(&wait, 1, 50) > 0 && recv(r->fd, &byte, 1, 0) <= 0)
            return;
    }
}

/* ---- threads ---------------------------------------------------------------------------------------------------------- */

static void *serve(void *arg)
{
    struct web_request *r = arg;
    struct web_stand *stand = r->stand;
    if (read_head(r)) {
        split_target(r);
        stand->handle(stand->arg, r);
    }
    shutdown(r->fd, SHUT_WR);
    close(r->fd);
    free(r);
    pthread_mutex_lock(&stand->mutex);
    stand->open--;
    pthread_cond_signal(&stand->changed);
    pthread_mutex_unlock(&stand->mutex);
    return NULL;
}

static void *listen_on(void *arg)
{
    struct web_stand *stand = arg;
    while (!is_ending(stand)) {
        struct pollfd wait = {.fd = stand->listener, .events = POLLIN};
        if (poll(&wait, 1, 50) <= 0)
            continue;
        int fd = accept(stand->listener, NULL, NULL);
        struct web_request *r = fd < 0 ? NULL : calloc(1, sizeof *r);
        pthread_t thread;
        if (r == NULL)
            continue;
        pthread_mutex_lock(&stand->mutex);
        *r = (struct web_request){.stand = stand, .fd = fd, .number = ++stand->requests, .port = stand->port};
        stand->open++;
        pthread_mutex_unlock(&stand->mutex);
        if (pthread_create(&thread, NULL, serve, r) != 0)
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

struct web_stand *web_stand_new(void (*handle)(void *arg, struct web_request *request), void *arg)
{
    struct web_stand *stand = calloc(1, sizeof *stand);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (stand == NULL)
        abort();
    stand->handle = handle;
    stand->arg = arg;
    stand->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_mutex_init(&stand->mutex, NULL);
    pthread_cond_init(&stand->changed, NULL);
    if (bind(stand->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(stand->listener, 64) != 0 ||
        getsockname(stand->listener, (struct sockaddr *)&address, &size) != 0) {
        free(stand);
        return NULL;
    }
    stand->port = ntohs(address.sin_port);
    if (pthread_create(&stand->thread, NULL, listen_on, stand) != 0)
        abort();
    return stand;
}

int web_stand_port(const struct web_stand *stand)
{
    return stand->port;
}

int web_stand_requests(const struct web_stand *stand)
{
    struct web_stand *s = (struct web_stand *)stand;
    pthread_mutex_lock(&s->mutex);
    int n = s->requests;
    pthread_mutex_unlock(&s->mutex);
    return n;
}

void web_stand_free(struct web_stand *stand)
{
    if (stand == NULL)
        return;
    pthread_mutex_lock(&stand->mutex);
    stand->ending = true;
    pthread_mutex_unlock(&stand->mutex);
    pthread_join(stand->thread, NULL);
    pthread_mutex_lock(&stand->mutex);
    while (stand->open > 0)
        pthread_cond_wait(&stand->changed, &stand->mutex);
    pthread_mutex_unlock(&stand->mutex);
    close(stand->listener);
    free(stand);
}

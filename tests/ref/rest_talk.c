#include "ref/rest_talk.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static bool open_connection(struct rest_talk *t)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port)};
    int on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->fd > 0 && connect(t->fd, (struct sockaddr *)&at, sizeof at) == 0) {
        setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return true;
    }
    rest_talk_end(t);
    return false;
}

void rest_talk_end(struct rest_talk *t)
{
    if (t->fd > 0)
        close(t->fd);
    t->fd = 0;
    sbuf_fini(&t->in);
}

static bool send_all(int fd, struct str text)
{
    while (text.n > 0) {
        ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text = str_n(text.p + n, text.n - (size_t)n);
    }
    return true;
}

static bool receive(struct rest_talk *t)
{
    char *to = sbuf_reserve(&t->in, 65536);
    ssize_t n = recv(t->fd, to, 65536, 0);
    if (n <= 0)
        return false;
    sbuf_added(&t->in, (size_t)n);
    t->in.p[t->in.n] = '\0';
    return true;
}

static int read_answer(struct rest_talk *t, struct str *answer)
{
    size_t head;
    sbuf_clear(&t->in);
    do {
        if (!receive(t))
            return -1;
        head = str_find(sbuf_view(&t->in), STR("\r\n\r\n"), 0);
    } while (head == SIZE_MAX);
    const char *length = strstr(t->in.p, "Content-Length: ");
    size_t n = length ? strtoul(length + 16, NULL, 10) : 0;
    while (t->in.n < head + 4 + n)
        if (!receive(t))
            return -1;
    *answer = str_n(t->in.p + head + 4, n);
    return atoi(t->in.p + 9);
}

int rest_talk_ask(struct rest_talk *t, const char *method, const char *path, struct str body,
                  struct str *answer)
{
    struct sbuf out = {0};
    *answer = (struct str){0};
    if (t->fd == 0 && !open_connection(t))
        return -1;
    sbuf_printf(&out, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path);
    if (body.p)
        sbuf_printf(&out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.n);
    sbuf_cstr(&out, "\r\n");
    sbuf_str(&out, body);
    int status = send_all(t->fd, sbuf_view(&out)) ? read_answer(t, answer) : -1;
    sbuf_fini(&out);
    if (status < 0)
        rest_talk_end(t);
    return status;
}

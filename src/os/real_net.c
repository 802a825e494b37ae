/* The real system: stream sockets, TCP and Unix. All non-blocking and close-on-exec, TCP without Nagle's delay: every sender
 * above writes whole answers. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/os_private.h"

enum { BACKLOG = 1024, HOST_MAX = 256 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage room;
};

/* ---- addresses ------------------------------------------------------------------------------------------------- */

/* "host:port" and "[host]:port" → host, port. False when it is neither. */
static bool split(const char *text, char host[HOST_MAX], char port[8])
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || strlen(colon + 1) == 0 || strlen(colon + 1) > 5)
        return false;
    for (const char *at = colon + 1; *at; at++)
        if (!isdigit((unsigned char)*at))
            return false;
    if (strtol(colon + 1, NULL, 10) > 65535)
        return false;
    snprintf(port, 8, "%s", colon + 1);
    size_t n = (size_t)(colon - text);
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n >= HOST_MAX)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    return true;
}

static int resolve_local(const char *path, union address *address, socklen_t *size)
{
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof address->local.sun_path)
        return n ? ENAMETOOLONG : EINVAL;
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path, path, n + 1);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return 0;
}

static int errno_of_lookup(int code)
{
    switch (code) {
    case EAI_SYSTEM: return errno;
    case EAI_MEMORY: return ENOMEM;
    case EAI_AGAIN: return EHOSTUNREACH; /* not EAGAIN, which means "not yet" here */
    default: return EADDRNOTAVAIL;
    }
}

/* "localhost" is 127.0.0.1, whatever the resolver says: a listener and its clients then agree, and nobody asks the network.
 * An empty host and "*" are all addresses. */
static int resolve(const char *text, bool listening, union address *address, socklen_t *size)
{
    memset(address, 0, sizeof *address);
    if (strncmp(text, "unix:", 5) == 0)
        return resolve_local(text + 5, address, size);
    char host[HOST_MAX], port[8];
    if (!split(text, host, port))
        return EINVAL;
    const char *name = host;
    if (strcmp(host, "") == 0 || strcmp(host, "*") == 0)
        name = listening ? "::" : "127.0.0.1";
    else if (strcmp(host, "localhost") == 0)
        name = "127.0.0.1";
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV},
                    *found = NULL;
    int code = getaddrinfo(name, port, &want, &found);
    if (code == EAI_NONAME) {
        want.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
        code = getaddrinfo(name, port, &want, &found);
    }
    if (code != 0)
        return errno_of_lookup(code);
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static void print_address(const union address *address, char *out, size_t size)
{
    char host[HOST_MAX], port[8];
    if (size == 0)
        return;
    if (address->any.sa_family == AF_UNIX)
        snprintf(out, size, "unix:%s", address->local.sun_path);
    else if (getnameinfo(&address->any, sizeof *address, host, sizeof host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(out, size, "?");
    else
        snprintf(out, size, address->any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* ---- sockets --------------------------------------------------------------------------------------------------- */

static int socket_for(const union address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd >= 0 && address->any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* A socket file that nobody listens on is left from a process that died: it is in the way of its successor. */
static void remove_stale(const union address *address, socklen_t size)
{
    struct stat st;
    if (stat(address->local.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = socket_for(address);
    if (fd < 0)
        return;
    if (connect(fd, &address->any, size) < 0 && errno == ECONNREFUSED)
        unlink(address->local.sun_path);
    close(fd);
}

static int bind_and_listen(int fd, const union address *address, socklen_t size)
{
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (address->any.sa_family == AF_UNIX) {
        remove_stale(address, size);
        fchmod(fd, 0600); /* before bind: the file never has another mode */
    }
    if (bind(fd, &address->any, size) < 0 || listen(fd, BACKLOG) < 0)
        return errno;
    return 0;
}

int real_listen(const char *text, int *file, char *bound, size_t bound_size)
{
    union address address;
    socklen_t size = 0;
    int why = resolve(text, true, &address, &size);
    if (why)
        return why;
    int fd = socket_for(&address);
    if (fd < 0 && errno == EAFNOSUPPORT && address.any.sa_family == AF_INET6 &&
        IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr)) { /* all addresses, on a machine without IPv6 */
        in_port_t port = address.v6.sin6_port;
        address.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        size = sizeof address.v4;
        fd = socket_for(&address);
    }
    if (fd < 0)
        return errno;
    why = bind_and_listen(fd, &address, size);
    if (why) {
        close(fd);
        return why;
    }
    size = sizeof address;
    getsockname(fd, &address.any, &size);
    if (bound)
        print_address(&address, bound, bound_size);
    *file = os_real_table.adopt(fd);
    return 0;
}

int real_accept(int listener, int *file, char *peer, size_t peer_size)
{
    union address address;
    int fd;
    do {
        memset(&address, 0, sizeof address);
        socklen_t size = sizeof address;
        fd = accept4(os_real_table.fd(listener), &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0)
        return errno;
    int on = 1;
    if (address.any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (peer)
        print_address(&address, peer, peer_size);
    *file = os_real_table.adopt(fd);
    return 0;
}

void os_send_buffer_hint(int file, size_t n)
{
    int fd = os_fd(file), size = (int)n;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

int real_connect(const char *text, int *file)
{
    union address address;
    socklen_t size = 0;
    int why = resolve(text, false, &address, &size);
    if (why)
        return why;
    int fd = socket_for(&address);
    if (fd < 0)
        return errno;
    if (connect(fd, &address.any, size) < 0 && errno != EINPROGRESS && errno != EINTR) {
        /* EAGAIN is a Unix listener whose backlog is full: to be tried again later, but not by waiting for this socket. */
        why = errno == EAGAIN ? ECONNREFUSED : errno;
        close(fd);
        return why;
    }
    *file = os_real_table.adopt(fd);
    return 0;
}

int real_recv(int file, void *p, size_t n, size_t *got)
{
    ssize_t r;
    do
        r = recv(os_real_table.fd(file), p, n, 0);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return errno;
    *got = (size_t)r;
    return 0;
}

int real_send(int file, const struct os_span *spans, size_t count, bool more, size_t *sent)
{
    struct iovec parts[OS_SPANS_MAX];
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct iovec){(void *)spans[i].p, spans[i].n};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t r;
    do
        r = sendmsg(os_real_table.fd(file), &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return errno;
    *sent = (size_t)r;
    return 0;
}

/* For file systems that cannot give their pages away. */
static int send_by_reading(int socket, int file, uint64_t offset, size_t n, size_t *sent)
{
    char bytes[64 << 10];
    ssize_t r;
    do
        r = pread(os_real_table.fd(file), bytes, n < sizeof bytes ? n : sizeof bytes, (off_t)offset);
    while (r < 0 && errno == EINTR);
    if (r > 0) {
        n = (size_t)r;
        do
            r = send(os_real_table.fd(socket), bytes, n, MSG_NOSIGNAL);
        while (r < 0 && errno == EINTR);
    }
    if (r < 0)
        return errno;
    *sent = (size_t)r;
    return 0;
}

int real_sendfile(int socket, int file, uint64_t offset, size_t n, size_t *sent)
{
    off_t at = (off_t)offset;
    ssize_t r;
    do
        r = sendfile(os_real_table.fd(socket), os_real_table.fd(file), &at, n);
    while (r < 0 && errno == EINTR);
    if (r < 0 && (errno == EINVAL || errno == ENOSYS))
        return send_by_reading(socket, file, offset, n, sent);
    if (r < 0)
        return errno;
    *sent = (size_t)r;
    return 0;
}

/* ---- who holds a port ------------------------------------------------------------------------------------------ */

enum { TCP_STATE_LISTEN = 0x0A };

/* The inode of the socket that listens on port, by /proc/net/tcp and tcp6; 0 = none. */
static unsigned long inode_of_port(const char *table, unsigned port)
{
    FILE *f = fopen(table, "re");
    if (f == NULL)
        return 0;
    char line[512];
    unsigned long inode = 0;
    while (inode == 0 && fgets(line, sizeof line, f)) {
        unsigned its_port, state;
        unsigned long its_inode;
        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", &its_port, &state,
                   &its_inode) == 3 &&
            its_port == port && state == TCP_STATE_LISTEN)
            inode = its_inode;
    }
    fclose(f);
    return inode;
}

static bool process_has(const char *pid, const char *socket)
{
    char path[300], target[64];
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        found = strcmp(target, socket) == 0;
    }
    closedir(dir);
    return found;
}

static void name_of_process(const char *pid, char *out, size_t size)
{
    char path[64], name[64] = "a process";
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *f = fopen(path, "re");
    if (f) {
        if (fgets(name, sizeof name, f))
            name[strcspn(name, "\n")] = '\0';
        fclose(f);
    }
    snprintf(out, size, "%s (pid %s)", name, pid);
}

void real_port_holder(const char *address, char *out, size_t size)
{
    char host[HOST_MAX], port[8], socket[64];
    if (strncmp(address, "unix:", 5) == 0 || !split(address, host, port))
        return;
    unsigned number = (unsigned)strtoul(port, NULL, 10);
    unsigned long inode = inode_of_port("/proc/net/tcp", number);
    if (inode == 0)
        inode = inode_of_port("/proc/net/tcp6", number);
    DIR *dir = inode ? opendir("/proc") : NULL;
    if (dir == NULL)
        return;
    snprintf(socket, sizeof socket, "socket:[%lu]", inode);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (isdigit((unsigned char)entry->d_name[0]) && process_has(entry->d_name, socket)) {
            name_of_process(entry->d_name, out, size);
            break;
        }
    closedir(dir);
}

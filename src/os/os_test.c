/* The real system through the door: each function once as it should go, and once as it should fail. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "base/test.h"

static char folder[OS_PATH_MAX]; /* a fresh one for each test */
static struct err err;

static const char *in(const char *name)
{
    static char paths[4][OS_PATH_MAX * 2];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void begin(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.3000s/sluice_os_XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(folder) != NULL);
}

static void end(void)
{
    EXPECT(os_remove_tree(folder, &err));
    EXPECT(!os_exists(folder));
}

static int open_file(const char *name, unsigned flags)
{
    int file;
    if (!EXPECT(os_open(in(name), flags, &file, &err)))
        fprintf(stderr, "    %s\n", err.text);
    return file;
}

TEST(clocks_go_on_and_random_bytes_differ)
{
    struct mono_time a = os_mono(), b = os_mono();
    EXPECT(b.ns >= a.ns);
    EXPECT(os_wall().us > INT64_C(1600000000) * US_PER_S);
    uint8_t x[32] = {0}, y[32] = {0};
    os_random(x, sizeof x);
    os_random(y, sizeof y);
    EXPECT(memcmp(x, y, sizeof x) != 0);
}

TEST(a_file_is_written_and_read_at_offsets)
{
    begin();
    int file = open_file("a", OS_READ | OS_WRITE | OS_CREATE | OS_EXCLUSIVE);
    EXPECT(os_pwrite(file, "world", 5, 6, &err));
    EXPECT(os_pwrite(file, "hello ", 6, 0, &err));
    char text[32] = "";
    size_t got;
    EXPECT(os_pread(file, text, sizeof text, 0, &got, &err));
    EXPECT_EQ_INT(got, 11);
    EXPECT_MEM(text, "hello world", 11);
    EXPECT(os_pread(file, text, sizeof text, 11, &got, &err) && got == 0);
    EXPECT(os_sync(file, &err) && os_sync_folder(folder, &err));
    struct os_stat stat = {0}, same = {0};
    EXPECT(os_fstat(file, &stat, &err) && os_stat(in("a"), &same, &err));
    EXPECT(stat.size == 11 && stat.is_file && !stat.is_folder && stat.allocated > 0);
    EXPECT(stat.inode == same.inode && stat.device == same.device);
    EXPECT(os_wall().us - stat.mtime_us < 60 * US_PER_S);
    EXPECT(os_truncate(file, 4, &err) && os_fstat(file, &stat, &err) && stat.size == 4);
    EXPECT(os_allocate(file, 4096, 8192, &err) && os_fstat(file, &stat, &err) && stat.size == 12288);
    os_close(file);
    EXPECT(!os_pread(file, text, 1, 0, &got, &err) && err.code == EBADF && err.class == ERR_FATAL);
    os_close(-1);
    end();
}

TEST(open_says_what_is_wrong)
{
    begin();
    int file;
    EXPECT(!os_open(in("none"), OS_READ, &file, &err) && err.code == ENOENT && err.class == ERR_RETRY &&
           file == -1);
    EXPECT(strstr(err.text, "could not open \"") && strstr(err.text, "/none\": No such file or directory"));
    os_close(open_file("a", OS_WRITE | OS_CREATE));
    EXPECT(!os_open(in("a"), OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &file, &err) && err.code == EEXIST);
    EXPECT(!os_open(in("a/b"), OS_READ, &file, &err) && err.code == ENOTDIR && err.class == ERR_FATAL);
    EXPECT(!os_open(folder, OS_WRITE, &file, &err) && err.code == EISDIR);
    file = open_file("secret", OS_WRITE | OS_CREATE | OS_PRIVATE);
    char command[OS_PATH_MAX + 64];
    snprintf(command, sizeof command, "test \"$(stat -c %%a '%s')\" = 600", in("secret"));
    EXPECT_EQ_INT(system(command), 0);
    size_t got;
    EXPECT(!os_pread(file, command, 1, 0, &got, &err) && err.code == EBADF);
    EXPECT(strstr(err.text, "secret") != NULL);
    os_close(file);
    end();
}

TEST(append_truncate_and_sequential_calls)
{
    begin();
    int file = open_file("a", OS_WRITE | OS_CREATE | OS_APPEND);
    EXPECT(os_write(file, "one", 3, &err));
    os_close(file);
    file = open_file("a", OS_WRITE | OS_APPEND);
    EXPECT(os_write(file, "two", 3, &err));
    os_close(file);
    file = open_file("a", OS_READ);
    char text[8];
    size_t got;
    EXPECT(os_read(file, text, 4, &got, &err) && got == 4);
    EXPECT(os_read(file, text, 4, &got, &err) && got == 2 && memcmp(text, "wo", 2) == 0);
    EXPECT(os_read(file, text, 4, &got, &err) && got == 0);
    os_close(file);
    os_close(open_file("a", OS_WRITE | OS_TRUNCATE));
    struct os_stat stat;
    EXPECT(os_stat(in("a"), &stat, &err) && stat.size == 0);
    end();
}

TEST(direct_writes_need_alignment)
{
    begin();
    int file;
    if (!os_open(in("a"), OS_READ | OS_WRITE | OS_CREATE | OS_DIRECT | OS_DSYNC, &file, &err)) {
        EXPECT_EQ_INT(err.code, EINVAL); /* a file system without: the caller falls back */
        end();
        return;
    }
    static _Alignas(OS_DIRECT_ALIGN) char block[2 * OS_DIRECT_ALIGN], back[2 * OS_DIRECT_ALIGN];
    memset(block, 'x', sizeof block);
    EXPECT(os_pwrite(file, block, sizeof block, OS_DIRECT_ALIGN, &err));
    size_t got;
    EXPECT(os_pread(file, back, sizeof back, 2 * OS_DIRECT_ALIGN, &got, &err) && got == OS_DIRECT_ALIGN);
    EXPECT_MEM(back, block, OS_DIRECT_ALIGN);
    EXPECT(os_truncate(file, OS_DIRECT_ALIGN + 100, &err)); /* the end in the middle of a block */
    EXPECT(os_pread(file, back, sizeof back, OS_DIRECT_ALIGN, &got, &err) && got == 100);
    EXPECT(!os_pwrite(file, block + 1, OS_DIRECT_ALIGN, 0, &err) && err.code == EINVAL);
    os_close(file);
    end();
}

TEST(link_is_put_if_absent_and_rename_replaces)
{
    begin();
    EXPECT(os_write_file(in("a"), "first", 5, &err) && os_write_file(in("b"), "second", 6, &err));
    EXPECT(os_link(in("a"), in("c"), &err));
    EXPECT(!os_link(in("b"), in("c"), &err) && err.code == EEXIST);
    EXPECT(strstr(err.text, "/b\" to \"") != NULL);
    struct os_stat a, c;
    EXPECT(os_stat(in("a"), &a, &err) && os_stat(in("c"), &c, &err) && a.inode == c.inode);
    EXPECT(os_rename(in("b"), in("c"), &err) && !os_exists(in("b")));
    EXPECT(os_stat(in("c"), &c, &err) && c.size == 6 && a.inode != c.inode);
    EXPECT(!os_rename(in("b"), in("d"), &err) && err.code == ENOENT);
    EXPECT(os_unlink(in("c"), &err) && !os_unlink(in("c"), &err) && err.code == ENOENT);
    end();
}

TEST(folders_are_made_listed_and_removed)
{
    begin();
    EXPECT(os_mkdirs(in("x/y//z/"), &err) && os_mkdirs(in("x/y/z"), &err));
    EXPECT(!os_mkdir(in("x"), &err) && err.code == EEXIST);
    EXPECT(!os_mkdir(in("no/x"), &err) && err.code == ENOENT);
    os_close(open_file("x/file", OS_WRITE | OS_CREATE));
    EXPECT(!os_mkdirs(in("x/file"), &err) && err.code == ENOTDIR);
    EXPECT(!os_mkdirs(in("x/file/z"), &err) && err.code == ENOTDIR);
    EXPECT(!os_rmdir(in("x"), &err) && (err.code == ENOTEMPTY || err.code == EEXIST));
    static const char *const made[] = {"x/b", "x/a", "x/B", "x/\xC3\xA4", "x/a0"};
    for (size_t i = 0; i < 5; i++)
        os_close(open_file(made[i], OS_WRITE | OS_CREATE));
    struct arena arena = {0};
    char **names;
    size_t count;
    EXPECT(os_list(in("x"), &arena, &names, &count, &err));
    static const char *const sorted[] = {"B", "a", "a0", "b", "file", "y", "\xC3\xA4"};
    if (EXPECT_EQ_INT(count, 7))
        for (size_t i = 0; i < count; i++)
            EXPECT_STR(names[i], sorted[i]);
    EXPECT(os_list(in("x/y/z"), &arena, &names, &count, &err) && count == 0);
    EXPECT(!os_list(in("nowhere"), &arena, &names, &count, &err) && err.code == ENOENT);
    arena_fini(&arena);
    EXPECT(symlink("/etc", in("x/link")) == 0);
    EXPECT(os_remove_tree(in("x"), &err) && !os_exists(in("x")) && os_exists("/etc/passwd"));
    EXPECT(os_remove_tree(in("x"), &err));
    end();
}

TEST(whole_files)
{
    begin();
    struct sbuf buf = {0};
    EXPECT(os_write_file(in("a"), "hello", 5, &err) && os_write_file(in("a"), "bye", 3, &err));
    EXPECT(os_read_file(in("a"), 3, &buf, &err) && str_is(sbuf_view(&buf), "bye"));
    EXPECT(!os_read_file(in("a"), 2, &buf, &err) && err.class == ERR_DATA);
    EXPECT(!os_exists(in("a.tmp")));
    EXPECT(os_read_file("/proc/self/status", 1 << 20, &buf, &err) && buf.n > 0);
    EXPECT(!os_read_file(in("none"), 2, &buf, &err) && err.code == ENOENT);
    sbuf_fini(&buf);
    uint64_t bytes;
    EXPECT(os_disk_free(folder, &bytes, &err) && bytes > 0);
    end();
}

TEST(every_step_of_a_whole_write_can_fail_and_leaves_the_old_file)
{
    begin();
    EXPECT(os_write_file(in("a"), "old", 3, &err));
    struct sbuf buf = {0};
    uint64_t n = 1;
    for (;; n++) {
        os_fail_after(n, ENOSPC);
        bool done = os_write_file(in("a"), "new!", 4, &err);
        uint64_t made = os_fail_after(0, 0);
        if (made < n) {
            EXPECT(done);
            break;
        }
        EXPECT(!done && err.code == ENOSPC && err.hint[0] != '\0');
        EXPECT(os_read_file(in("a"), 100, &buf, &err));
        EXPECT(str_is(sbuf_view(&buf),
                      n < 5 ? "old" : "new!")); /* the 5th is the sync of the folder, after the rename */
        EXPECT(!os_exists(in("a.tmp")));
    }
    EXPECT_EQ_INT(n, 6); /* open, write, sync, rename, sync of the folder */
    sbuf_fini(&buf);
    end();
}

TEST(a_lock_keeps_another_handle_out)
{
    begin();
    int a = open_file("lock", OS_WRITE | OS_CREATE), b = open_file("lock", OS_WRITE);
    EXPECT(os_lock(a, &err));
    EXPECT(!os_lock(b, &err) && err.code == EWOULDBLOCK && strstr(err.text, "lock") != NULL);
    os_close(a);
    EXPECT(os_lock(b, &err));
    os_close(b);
    end();
}

TEST(pipes_and_descriptors)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    int out = os_adopt(ends[1]), from = os_adopt(ends[0]);
    EXPECT(os_fd(out) == ends[1] && out != ends[1]);
    EXPECT(os_write(out, "abc", 3, &err));
    os_close(out);
    char text[8];
    size_t got;
    EXPECT(os_read(from, text, sizeof text, &got, &err) && got == 3);
    EXPECT(os_read(from, text, sizeof text, &got, &err) && got == 0);
    os_close(from);
}

/* Sends, and reads until n bytes are there or the time is over. */
static size_t recv_all(int file, char *p, size_t n)
{
    size_t all = 0;
    struct mono_time start = os_mono();
    while (all < n && mono_since_ns(os_mono(), start) < 5 * NS_PER_S) {
        size_t got;
        if (os_recv(file, p + all, n - all, &got, &err)) {
            if (got == 0)
                break;
            all += got;
        } else if (err.code != EAGAIN) {
            break;
        }
    }
    return all;
}

static int accept_one(int listener, struct os_poller *poller, char *peer, size_t size)
{
    int file;
    struct os_event event;
    EXPECT(os_poller_watch(poller, listener, OS_READABLE, &listener, &err));
    for (int i = 0; i < 100 && !os_accept(listener, &file, peer, size, &err); i++)
        os_poller_wait(poller, &event, 1, 50 * NS_PER_MS);
    EXPECT(os_poller_watch(poller, listener, 0, NULL, &err));
    return file;
}

static void send_file_parts(int client, int server)
{
    int file = -1;
    size_t sent;
    char text[16];
    EXPECT(os_write_file(in("sent"), "0123456789", 10, &err) && os_open(in("sent"), OS_READ, &file, &err));
    EXPECT(os_prefetch(file, 0, 10, OS_PREFETCH_WAIT, &err) &&
           os_prefetch(file, 9, 1, OS_PREFETCH_WAIT, &err) &&
           os_prefetch(file, 5, 1 << 20, OS_PREFETCH_WAIT, &err) &&
           os_prefetch(file, 0, 10, OS_PREFETCH_BEGIN, &err));
    EXPECT(os_prefetch(file, 0, 10, OS_PREFETCH_LOOK, &err) || err.code == EAGAIN);
    if (os_pread_cached(file, text, 5, 7, &sent, &err))
        EXPECT(sent == 3 && memcmp(text, "789", 3) == 0);
    else
        EXPECT_EQ_INT(err.code, EAGAIN);
    EXPECT(os_sendfile(client, file, 3, 4, &sent, &err) && sent == 4);
    EXPECT(os_sendfile(client, file, 8, 4, &sent, &err) && sent == 2);
    EXPECT(os_sendfile(client, file, 10, 4, &sent, &err) && sent == 0);
    EXPECT(recv_all(server, text, 6) == 6 && memcmp(text, "345689", 6) == 0);
    EXPECT(!os_sendfile(client, client, 0, 4, &sent, &err) && err.code != EAGAIN);
    os_fail_after(1, EIO);
    EXPECT(!os_sendfile(client, file, 3, 4, &sent, &err) && err.code == EIO && sent == 0);
    os_fail_after(1, EIO);
    EXPECT(!os_prefetch(file, 3, 4, OS_PREFETCH_WAIT, &err) && err.code == EIO);
    os_fail_after(1, EIO);
    EXPECT(!os_pread_cached(file, text, 5, 3, &sent, &err) && err.code == EIO && sent == 0);
    os_fail_after(0, 0);
    os_close(file);
}

static void talk(const char *address)
{
    int listener, client, server;
    char bound[OS_PATH_MAX], peer[OS_PATH_MAX] = "", text[16];
    struct os_poller *poller;
    if (!EXPECT(os_listen(address, &listener, bound, sizeof bound, &err))) {
        fprintf(stderr, "    %s\n", err.text);
        return;
    }
    EXPECT(os_poller_new(&poller, &err));
    EXPECT(!os_accept(listener, &server, NULL, 0, &err) && err.code == EAGAIN && err.class == ERR_RETRY);
    EXPECT(os_connect(bound, &client, &err));
    server = accept_one(listener, poller, peer, sizeof peer);
    EXPECT(peer[0] != '\0');
    size_t sent;
    EXPECT(os_send(client, "ping", 4, &sent, &err) && sent == 4);
    EXPECT(recv_all(server, text, 4) == 4 && memcmp(text, "ping", 4) == 0);
    EXPECT(!os_recv(server, text, 4, &sent, &err) && err.code == EAGAIN);
    const struct os_span spans[] = {{"po", 2}, {"n", 1}, {"gs", 2}};
    EXPECT(os_send_spans(client, spans, 3, true, &sent, &err) && sent == 5);
    EXPECT(recv_all(server, text, 5) == 5 && memcmp(text, "pongs", 5) == 0);
    EXPECT(!os_recv(server, text, 4, &sent, &err) && err.code == EAGAIN);
    send_file_parts(client, server);
    EXPECT(os_poller_watch(poller, server, OS_READABLE | OS_WRITABLE, text, &err));
    struct os_event event;
    EXPECT(os_poller_wait(poller, &event, 1, NS_PER_S) == 1 && event.arg == text &&
           event.ready == OS_WRITABLE);
    os_close(client);
    EXPECT(recv_all(server, text, 4) == 0);
    os_close(server);
    int other;
    EXPECT(!os_listen(bound, &other, NULL, 0, &err) && err.code == EADDRINUSE);
    if (strncmp(bound, "unix:", 5) != 0)
        EXPECT(strstr(err.hint, "pid ") != NULL);
    os_close(listener);
    os_poller_free(poller);
}

TEST(sockets_talk)
{
    begin();
    talk("127.0.0.1:0");
    talk("localhost:0");
    char address[OS_PATH_MAX * 2 + 8];
    snprintf(address, sizeof address, "unix:%s", in("socket"));
    talk(address);
    talk(address); /* the file that the first left behind is replaced */
    end();
}

TEST(bad_addresses_are_refused)
{
    int file;
    static const char *const bad[] = {"",     "9092",           "host:",      "host:x", "host:99999",
                                      "a:-1", "1.2.3.4:555555", "[::1]:port", "unix:"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT(!os_listen(bad[i], &file, NULL, 0, &err) && err.code == EINVAL && file == -1);
    EXPECT(!os_connect("unix:/nowhere/socket", &file, &err) && err.code == ENOENT);
}

static void wake_it(void *arg)
{
    os_poller_wake(arg);
}

TEST(a_poller_waits_and_is_woken_by_another_thread)
{
    struct os_poller *poller;
    struct os_event event;
    EXPECT(os_poller_new(&poller, &err));
    struct mono_time start = os_mono();
    EXPECT_EQ_INT(os_poller_wait(poller, &event, 1, 3 * NS_PER_MS), 0);
    EXPECT(mono_since_ns(os_mono(), start) >= 3 * NS_PER_MS);
    struct os_thread *thread;
    EXPECT(os_thread_start("waker", wake_it, poller, &thread, &err));
    start = os_mono();
    EXPECT_EQ_INT(os_poller_wait(poller, &event, 1, 20 * NS_PER_S), 0);
    EXPECT(mono_since_ns(os_mono(), start) < 10 * NS_PER_S);
    os_thread_join(thread);
    EXPECT_EQ_INT(os_poller_wait(poller, &event, 1, 0), 0);
    os_poller_free(poller);
}

static int signal_counts[8], signals_seen;

static void on_signal(void *arg, int count)
{
    (void)arg;
    if (signals_seen < 8)
        signal_counts[signals_seen++] = count;
}

TEST(signals_arrive_where_the_poller_waits)
{
    struct os_poller *poller;
    struct os_event event;
    EXPECT(os_poller_new(&poller, &err) && os_signals(poller, on_signal, NULL, &err));
    kill(getpid(), SIGINT);
    kill(getpid(), SIGTERM);
    for (int i = 0; i < 100 && signals_seen < 2; i++)
        os_poller_wait(poller, &event, 1, 50 * NS_PER_MS);
    EXPECT(signals_seen == 2 && signal_counts[0] == 1 && signal_counts[1] == 2);
    int ends[2];
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    int out = os_adopt(ends[1]);
    EXPECT(!os_write(out, "x", 1, &err) && err.code == EPIPE); /* and no SIGPIPE */
    os_close(out);
    os_poller_free(poller);
}

static struct os_mutex *mutex;
static int shared;

static void count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        os_mutex_lock(mutex);
        shared++;
        os_mutex_unlock(mutex);
    }
}

TEST(a_mutex_excludes)
{
    struct os_thread *threads[3];
    mutex = os_mutex_new();
    for (int i = 0; i < 3; i++)
        EXPECT(os_thread_start("count", count_up, NULL, &threads[i], &err));
    for (int i = 0; i < 3; i++)
        os_thread_join(threads[i]);
    EXPECT_EQ_INT(shared, 30000);
    os_mutex_free(mutex);
    os_mutex_free(NULL);
    EXPECT(os_cpu_count() >= 1);
}

TEST(the_process_knows_itself)
{
    struct arena arena = {0};
    EXPECT_EQ_INT(os_pid(), getpid());
    setenv("SLUICE_OS_TEST", "x", 1);
    EXPECT_STR(os_env("SLUICE_OS_TEST"), "x");
    EXPECT(os_env("SLUICE_OS_TEST_NOT") == NULL);
    EXPECT(os_memory_resident() > 1000000);
    EXPECT(strstr(os_program(&arena), "os") != NULL);
    int columns, rows;
    os_terminal_size(&columns, &rows);
    EXPECT(columns > 0 && rows > 0);
    EXPECT_STR(os_absolute(&arena, "/a/./b/../c//d/"), "/a/c/d");
    EXPECT_STR(os_absolute(&arena, "/../.."), "/");
    char here[OS_PATH_MAX];
    CHECK(getcwd(here, sizeof here) != NULL);
    EXPECT_STR(os_absolute(&arena, "."), here);
    EXPECT_STR(os_absolute(&arena, "x/.."), here);
    arena_fini(&arena);
    pid_t child = fork();
    if (child == 0)
        os_exit(7);
    int status;
    waitpid(child, &status, 0);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

int main(void)
{
    RUN(clocks_go_on_and_random_bytes_differ);
    RUN(a_file_is_written_and_read_at_offsets);
    RUN(open_says_what_is_wrong);
    RUN(append_truncate_and_sequential_calls);
    RUN(direct_writes_need_alignment);
    RUN(link_is_put_if_absent_and_rename_replaces);
    RUN(folders_are_made_listed_and_removed);
    RUN(whole_files);
    RUN(every_step_of_a_whole_write_can_fail_and_leaves_the_old_file);
    RUN(a_lock_keeps_another_handle_out);
    RUN(pipes_and_descriptors);
    RUN(sockets_talk);
    RUN(bad_addresses_are_refused);
    RUN(a_poller_waits_and_is_woken_by_another_thread);
    RUN(signals_arrive_where_the_poller_waits);
    RUN(a_mutex_excludes);
    RUN(the_process_knows_itself);
    return test_end();
}

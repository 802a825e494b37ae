#include "obs/event.h"

#include <stdio.h>

#include "os/os.h"
#include "run/run.h"
#include "type/timestamp.h"

const struct event_info event_table[EVENT_COUNT] = {
#define EVENT(id, level, name, help) {EVENT_LEVEL_##level, name, help},
#include "obs/event.def"
#undef EVENT
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* A byte of text is at most six of a line (JSON's \u00ff), so no line is cut. */
enum { TEXT_MAX_BYTES = 1024, LINE_MAX_BYTES = 8 * TEXT_MAX_BYTES, RECENT_MAX = 64 };

/* Set once, before threads start. */
static bool as_json;
static int destination = -1;

/* ---- shared by all roles, under `lock` ---- */
static struct lock *lock;
static int threshold_of_all = EVENT_LEVEL_INFO;
static struct {
    bool is_set;
    int threshold;
} own[EVENT_COUNT];
static char recent[RECENT_MAX][LINE_MAX_BYTES];
static uint64_t recent_count;
static struct counter counts[4];
static void (*line_to)(void *arg, const char *p, size_t n);
static void *line_arg;

void event_setup(enum event_level lowest, bool json, int to)
{
    threshold_of_all = lowest;
    as_json = json;
    destination = to;
    if (lock == NULL)
        lock = lock_new();
}

/* lock NULL: there is one thread. */
static void enter(void)
{
    if (lock)
        lock_take(lock);
}

static void leave(void)
{
    if (lock)
        lock_release(lock);
}

int event_threshold(int event)
{
    enter();
    int threshold = event >= 0 && own[event].is_set ? own[event].threshold : threshold_of_all;
    leave();
    return threshold;
}

void event_set_threshold(int event, int threshold)
{
    CHECK(event >= EVENT_ALL && event < EVENT_COUNT && threshold >= EVENT_TRACE && threshold <= EVENT_FATAL);
    enter();
    if (event == EVENT_ALL) {
        threshold_of_all = threshold;
    } else {
        own[event].is_set = true;
        own[event].threshold = threshold;
    }
    leave();
}

void event_unset_threshold(enum event event)
{
    enter();
    own[event].is_set = false;
    leave();
}

void event_redirect(void (*line)(void *arg, const char *p, size_t n), void *arg)
{
    CHECK(lock != NULL);
    lock_take(lock);
    line_to = line;
    line_arg = arg;
    lock_release(lock);
}

static void put_out(const char *line, size_t n)
{
    struct err ignored; /* a log that cannot be written has nowhere to say so */
    if (destination < 0)
        destination = os_adopt(2);
    (void)!os_write(destination, line, n, &ignored);
}

static void write_line(const char *line, size_t n)
{
    if (lock == NULL) {
        put_out(line, n);
        return;
    }
    lock_take(lock);
    bool redirected = line_to != NULL;
    if (redirected)
        line_to(line_arg, line, n);
    lock_release(lock);
    if (!redirected)
        put_out(line, n);
    lock_take(lock);
    char *slot = recent[recent_count++ % RECENT_MAX];
    memcpy(slot, line, n);
    slot[n - 1] = '\0'; /* instead of the line's end */
    lock_release(lock);
}

static void put(enum event event, const char *subject, const char *text)
{
    const struct event_info *info = &event_table[event];
    counter_add(&counts[info->level], 1);
    if ((int)info->level < event_threshold((int)event))
        return;
    struct sbuf line = {0};
    struct datetime at;
    timestamp_to_datetime(os_wall().us, &at);
    if (as_json) {
        sbuf_printf(
            &line,
            "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06uZ\",\"level\":\"%s\",\"event\":\"%s\",\"subject\":",
            at.year, at.month, at.day, at.hour, at.minute, at.second, at.micro, level_names[info->level],
            info->name);
        sbuf_json(&line, str_of(subject));
        sbuf_cstr(&line, ",\"text\":");
        sbuf_json(&line, str_of(text));
        sbuf_char(&line, '}');
    } else {
        sbuf_printf(&line, "%02d:%02d:%02d %-5s ", at.hour, at.minute, at.second, level_names[info->level]);
        sbuf_visible(&line, str_of(subject));
        sbuf_cstr(&line, *subject ? ": " : "");
        sbuf_visible(&line, str_of(text));
    }
    err_redact(line.p, ERR_REDACT_OUTPUT); /* the subject too */
    line.n = strlen(line.p);
    CHECK(line.n < LINE_MAX_BYTES);
    sbuf_char(&line, '\n');
    write_line(line.p, line.n);
    sbuf_fini(&line);
}

void event_log(enum event event, const char *subject, const char *format, ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_redact(text, n >= (int)sizeof text ? ERR_REDACT_CUT : ERR_REDACT_TEXT);
    put(event, subject, text);
}

void event_err(enum event event, const char *subject, const struct err *err)
{
    event_log(event, subject, "%s%s%s", err->text, err->hint[0] ? "; " : "", err->hint);
}

uint64_t event_count(enum event_level level)
{
    return counter_get(&counts[level]);
}

size_t event_recent(struct arena *arena, struct str *lines, size_t max)
{
    if (lock == NULL)
        return 0;
    lock_take(lock);
    size_t n = recent_count < RECENT_MAX ? (size_t)recent_count : RECENT_MAX;
    if (n > max)
        n = max;
    for (size_t i = 0; i < n; i++)
        lines[i] = str_of(arena_strdup(arena, recent[(recent_count - n + i) % RECENT_MAX]));
    lock_release(lock);
    return n;
}

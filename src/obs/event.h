/* Log lines: one event, one line, on stderr. Events are a table (event.def): name, severity, who sees it and why. Text form for people:
 *
 *     12:00:01 warn  source randomuser: waiting 30 s as the server asked (429)
 *
 * JSON form (settings.log.format: json): {"time":"…","level":"warn","event":"source_retry","subject":"randomuser","text":"…"}.
 * Secrets are overwritten on the way out. Any role; a line is one write. */
#ifndef OBS_EVENT_H
#define OBS_EVENT_H

#include <stdarg.h>

#include "base/err.h"
#include "base/str.h"

enum event_level { EVENT_LEVEL_DEBUG, EVENT_LEVEL_INFO, EVENT_LEVEL_WARN, EVENT_LEVEL_ERROR };

enum event {
#define EVENT(id, level, name, help) EVENT_##id,
#include "obs/event.def"
#undef EVENT
    EVENT_COUNT
};

struct event_info {
    enum event_level level;
    const char *name, *help;
};
extern const struct event_info event_table[EVENT_COUNT];

/* Before threads start. to: a handle of os/ (default: stderr). */
void event_setup(enum event_level lowest, bool json, int to);
/* What is written of an event: its own threshold, or, if it has none, that of all events, EVENT_ALL. At EVENT_TRACE it is as at debug, at
 * EVENT_FATAL nothing is. Any role. */
enum { EVENT_ALL = -1, EVENT_TRACE = EVENT_LEVEL_DEBUG - 1, EVENT_FATAL = EVENT_LEVEL_ERROR + 1 };
int event_threshold(int event);
void event_set_threshold(int event, int threshold);
/* It is that of all events again. */
void event_unset_threshold(enum event event);
/* Lines go there instead, whole, with their '\n', one at a time (line NULL: as before). Any role calls it. */
void event_redirect(void (*line)(void *arg, const char *p, size_t n), void *arg);
/* subject: what it is about ("source randomuser"), or "". */
void event_log(enum event event, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The error's text and hint as the line's text. */
void event_err(enum event event, const char *subject, const struct err *err);
/* Lines of warn and error so far, for metrics. */
uint64_t event_count(enum event_level level);
/* The last `max` lines, oldest first, for status and the console: copied into arena. */
size_t event_recent(struct arena *arena, struct str *lines, size_t max);

#endif

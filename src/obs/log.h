/* Log lines: one event, one line, on stderr. Events are a table (log.def): name, severity, who sees it and why. Text form for people:
 *
 *     12:00:01 warn  source randomuser: waiting 30 s as the server asked (429)
 *
 * JSON form (settings.log.format: json): {"time":"…","level":"warn","event":"source_retry","subject":"randomuser","text":"…"}.
 * Secrets are overwritten on the way out. Any role; a line is one write. */
#ifndef OBS_LOG_H
#define OBS_LOG_H

#include <stdarg.h>

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_event {
#define LOG_EVENT(id, level, name, help) LOG_##id,
#include "obs/log.def"
#undef LOG_EVENT
    LOG_EVENTS
};

struct log_event_info {
    enum log_level level;
    const char *name, *help;
};
extern const struct log_event_info log_events[LOG_EVENTS];

/* Before threads start. to: a handle of os/ (default: stderr). */
void log_setup(enum log_level lowest, bool json, int to);
/* subject: what it is about ("source randomuser"), or "". */
void log_line(enum log_event event, const char *subject, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The error's text and hint as the line's text. */
void log_err(enum log_event event, const char *subject, const struct err *err);
/* Lines of warn and error so far, for metrics. */
uint64_t log_count(enum log_level level);
/* The last `max` lines, oldest first, for status and the console: copied into arena. */
size_t log_recent(struct arena *arena, struct str *lines, size_t max);

#endif

/*
 * log.h - carbon-meterd's log: one line per event that matters, to stderr
 *
 * Under journald (JOURNAL_STREAM is set) each line begins with its priority, "<4>"; elsewhere with
 * the program's name. A storm of like events must fill neither the journal nor the disk: beyond
 * LOG_BURST lines in LOG_WINDOW_S seconds lines are swallowed, and their number is told when the
 * window has passed. Not for several threads.
 */
#ifndef CARBON_METER_LOG_H
#define CARBON_METER_LOG_H

#define LOG_BURST 20
#define LOG_WINDOW_S 10

/* As syslog's priorities. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5 };

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

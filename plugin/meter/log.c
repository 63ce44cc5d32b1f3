#include "meter/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"

static struct {
    uint64_t begin_ns;
    unsigned lines, swallowed;
} window;

static const char *line_prefix(enum log_level level)
{
    static const char *const priorities[] = { "", "", "", "<3>", "<4>", "<5>" };

    return getenv("JOURNAL_STREAM") ? priorities[level] : "carbon-meterd: ";
}

/* Whether a line may pass now; says what was swallowed when a window ends. */
static int may_pass(void)
{
    uint64_t now = clock_boottime_ns();

    if (now - window.begin_ns >= LOG_WINDOW_S * NS_PER_S) {
        if (window.swallowed)
            fprintf(stderr, "%s%u more lines of the kind before were left out\n",
                    line_prefix(LOG_LEVEL_WARNING), window.swallowed);
        window.begin_ns = now;
        window.lines = window.swallowed = 0;
    }
    if (window.lines < LOG_BURST) {
        window.lines++;
        return 1;
    }
    window.swallowed++;
    return 0;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (!may_pass())
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s%s\n", line_prefix(level), text);
}

#include "config.h"

#include "meter/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/apportion.h"
#include "core/clock.h"
#include "core/file.h"
#include "meter/log.h"

#define NAME(rest) "slurm_carbon_" rest

void metrics_init(struct metrics *metrics, const char *path, int lock_fd, uint64_t due_ns)
{
    *metrics = (struct metrics){ .lock_fd = lock_fd, .due_ns = due_ns };
    snprintf(metrics->path, sizeof(metrics->path), "%s", path);
}

/* --- the text -------------------------------------------------------------------------------- */

static void add_family(struct buf *buf, const char *name, const char *type, const char *help)
{
    buf_printf(buf, "# HELP " NAME("%s") " %s\n# TYPE " NAME("%s") " %s\n", name, help, name, type);
}

/* All digits, as Prometheus' own numbers lose the last beyond 9 GJ: 100 days of 1 kW. */
static void add_micro(struct buf *buf, uint64_t micro)
{
    buf_printf(buf, " %" PRIu64 ".%06" PRIu64 "\n", micro / 1000000, micro % 1000000);
}

static void add_number(struct buf *buf, const char *name, const char *type, const char *help,
                       uint64_t number)
{
    add_family(buf, name, type, help);
    buf_printf(buf, NAME("%s") " %" PRIu64 "\n", name, number);
}

/* An instant that is not known is left out. */
static void add_instant(struct buf *buf, const char *name, const char *help, int64_t wall_ns)
{
    if (wall_ns <= 0)
        return;
    add_family(buf, name, "gauge", help);
    buf_printf(buf, NAME("%s"), name);
    add_micro(buf, (uint64_t)wall_ns / 1000);
}

static bool has_counter(const struct meter *meter, int component, int quality)
{
    for (size_t i = 0; i < meter_counters(meter); i++) {
        const struct sensor_counter *counter = meter_counter(meter, i)->counter;

        if ((int)counter->component == component && (int)counter->quality == quality)
            return true;
    }
    return false;
}

static bool has_component(const struct meter *meter, int component)
{
    return has_counter(meter, component, QUALITY_MEASURED) ||
           has_counter(meter, component, QUALITY_MODELLED);
}

/* From 0 on for what the node has, so that a first increase is seen. */
static void add_energy(struct buf *buf, const struct meter *meter, const struct tally *tally)
{
    add_family(buf, "energy_joules_total", "counter",
               "Energy in sealed batches since carbon-meterd started, by whom it was for.");
    for (int component = 0; component < COMPONENT_COUNT; component++)
        for (int quality = 0; quality < QUALITY_COUNT; quality++) {
            if (!tally->is_booked[component][quality] && !has_counter(meter, component, quality))
                continue;
            for (int share = 0; share < SHARE_COUNT; share++) {
                buf_printf(buf, NAME("energy_joules_total")
                           "{component=\"%s\",quality=\"%s\",share=\"%s\"}",
                           component_names[component], quality_names[quality], share_names[share]);
                add_micro(buf, tally->energy_uj[component][quality][share]);
            }
        }
}

static void add_power(struct buf *buf, const struct meter *meter, const struct tally *tally,
                      const struct tally *before)
{
    uint64_t span_ns = tally->booked_ns - before->booked_ns;

    if (!span_ns)
        return;
    add_family(buf, "power_watts", "gauge",
               "Mean power over what was booked last, of a minute or longer.");
    for (int component = 0; component < COMPONENT_COUNT; component++) {
        if (!has_component(meter, component))
            continue;
        buf_printf(buf, NAME("power_watts") "{component=\"%s\"}", component_names[component]);
        add_micro(buf, mul_div(tally_component_uj(tally, component) -
                               tally_component_uj(before, component), NS_PER_S, span_ns));
    }
}

/* Seconds of each counter for each owner of its energy, as coverage is reckoned in the books. */
static void add_seconds(struct buf *buf, const struct meter *meter, const char *name,
                        const char *help, const uint64_t *span_ns)
{
    add_family(buf, name, "counter", help);
    for (int component = 0; component < COMPONENT_COUNT; component++) {
        if (!span_ns[component] && !has_component(meter, component))
            continue;
        buf_printf(buf, NAME("%s") "{component=\"%s\"}", name, component_names[component]);
        add_micro(buf, span_ns[component] / 1000);
    }
}

static bool is_alike(const struct sensor_counter *a, const struct sensor_counter *b)
{
    return a->sensor == b->sensor && a->component == b->component && a->quality == b->quality;
}

/* The counters that are of one kind, or those of them that cannot be read. */
static void add_sensors(struct buf *buf, const struct meter *meter, const char *name,
                        const char *help, bool is_failing)
{
    add_family(buf, name, "gauge", help);
    for (size_t i = 0; i < meter_counters(meter); i++) {
        const struct sensor_counter *counter = meter_counter(meter, i)->counter;
        unsigned count = 0;
        size_t first = i;

        for (size_t k = meter_counters(meter); k-- > 0;)
            if (is_alike(meter_counter(meter, k)->counter, counter)) {
                count += !is_failing || meter_counter(meter, k)->code != 0;
                first = k;
            }
        if (first == i)
            buf_printf(buf, NAME("%s") "{sensor=\"%s\",component=\"%s\",quality=\"%s\"} %u\n", name,
                       counter->sensor, component_names[counter->component],
                       quality_names[counter->quality], count);
    }
}

static void add_delivery(struct buf *buf, const struct meter_state *state)
{
    add_number(buf, "batches_waiting", "gauge",
               "Sealed batches in SpoolDir that are not delivered yet.", state->undelivered);
    add_number(buf, "batches_waiting_bytes", "gauge", "Size of the batches that wait.",
               state->undelivered_bytes);
    add_number(buf, "batches_dropped_total", "counter",
               "Batches given up as SpoolDir was full, since the node's stream began.",
               state->batches_dropped);
    add_instant(buf, "last_delivery_timestamp_seconds",
                "When a batch was last delivered, since carbon-meterd started.",
                state->delivered_wall_ns);
}

void metrics_format(struct buf *buf, const struct meter *meter, const struct tally *before)
{
    const struct tally *tally = meter_tally(meter);
    struct meter_state state;

    meter_describe(meter, &state);
    add_energy(buf, meter, tally);
    add_power(buf, meter, tally, before);
    add_seconds(buf, meter, "metered_seconds_total",
                "Of slurm_carbon_elapsed_seconds_total, what was metered: the ratio is coverage.",
                tally->metered_ns);
    add_seconds(buf, meter, "elapsed_seconds_total",
                "Seconds in sealed batches, of each counter and for each whom its energy was for.",
                tally->elapsed_ns);
    add_sensors(buf, meter, "sensors", "Counters in use, by the kind of sensor.", false);
    add_sensors(buf, meter, "sensors_failing", "Of these, those that cannot be read now.", true);
    add_number(buf, "batches_sealed_total", "counter",
               "Batches sealed since carbon-meterd started.", tally->batches);
    add_delivery(buf, &state);
    add_instant(buf, "start_timestamp_seconds", "When carbon-meterd started.",
                state.since_wall_ns);
    add_family(buf, "build_info", "gauge", "The version of carbon-meterd; always 1.");
    buf_printf(buf, NAME("build_info") "{version=\"%s\"} 1\n", PACKAGE_VERSION);
}

/* --- in the child ---------------------------------------------------------------------------- */

/* The directory is not made: it is where somebody else looks. */
int metrics_write(const char *path, const struct buf *text, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    int fd, rc;

    snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path) + 1, path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, -errno, "cannot open the directory of MetricsFile %s", path);
    rc = file_write_atomic(fd, slash + 1, text->data, text->len, METRICS_MODE, 0);
    close(fd);
    return rc < 0 ? error_set_errno(err, rc, "cannot write MetricsFile %s", path) : 0;
}

/* What metrics_look() gives the child. */
struct work {
    const char *path;
    struct buf text;
};

static int write_text(void *context, void *report)
{
    const struct work *work = context;

    return metrics_write(work->path, &work->text, report);
}

/* --- in the meter ---------------------------------------------------------------------------- */

static void note(struct metrics *metrics, const char *text)
{
    if (text[0] && !metrics->is_failing)
        log_line(LOG_LEVEL_WARNING, "%s", text);
    else if (!text[0] && metrics->is_failing)
        log_line(LOG_LEVEL_NOTICE, "MetricsFile %s is written again", metrics->path);
    metrics->is_failing = text[0] != '\0';
}

static void reap(struct metrics *metrics, uint64_t now)
{
    struct error err = { "" };
    int rc = child_reap(&metrics->child, METRICS_DEADLINE_S, now, &err, sizeof(err));

    if (rc == -EAGAIN)
        return;
    if (rc < 0)
        error_set(&err, rc, rc == -ETIMEDOUT
                  ? "the directory of MetricsFile %s did not answer within %d s"
                  : "the process that writes MetricsFile %s died (within %d s)", metrics->path,
                  METRICS_DEADLINE_S);
    note(metrics, err.text);
}

static void start(struct metrics *metrics, const struct meter *meter, uint64_t now)
{
    const struct tally *tally = meter_tally(meter);
    struct work work = { .path = metrics->path };
    int rc;

    if (tally->booked_ns > metrics->latest.booked_ns) { /* else power stays what it was */
        metrics->before = metrics->latest;
        metrics->latest = *tally;
    }
    buf_init(&work.text);
    metrics_format(&work.text, meter, &metrics->before);
    metrics->due_ns = now + METRICS_EVERY_S * NS_PER_S;
    rc = buf_failed(&work.text) ? -ENOMEM
                                : child_start(&metrics->child, metrics->lock_fd, write_text, &work,
                                              sizeof(struct error), now);
    buf_free(&work.text);
    if (rc < 0) {
        struct error err;

        error_set_errno(&err, rc, "cannot start to write MetricsFile %s", metrics->path);
        note(metrics, err.text);
    }
}

void metrics_look(struct metrics *metrics, const struct meter *meter, uint64_t now)
{
    if (!metrics->path[0])
        return;
    reap(metrics, now);
    if (now >= metrics->due_ns && !child_is_busy(&metrics->child))
        start(metrics, meter, now);
}

void metrics_end(struct metrics *metrics)
{
    if (child_is_busy(&metrics->child))
        kill(metrics->child.pid, SIGKILL);
}

#include "config.h"

#include "meter/status.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"

static void add_time(struct buf *buf, const char *key, int64_t wall_ns)
{
    char text[CLOCK_TEXT_SIZE] = "never";

    if (wall_ns > 0)
        clock_format_utc(wall_ns / (int64_t)NS_PER_S, text);
    buf_printf(buf, "%s: %s\n", key, text);
}

static void add_milli(struct buf *buf, const char *key, uint64_t milli)
{
    buf_printf(buf, "%s: %" PRIu64 ".%03" PRIu64 "\n", key, milli / 1000, milli % 1000);
}

static void add_who(struct buf *buf, const struct meter_options *options,
                    const struct meter_state *state, uint64_t now)
{
    buf_printf(buf, "pid: %ld\nnode: %s\ncluster: %s\nversion: %s\n", (long)getpid(),
               options->node, options->conf->cluster_name, PACKAGE_VERSION);
    buf_printf(buf, "boot_id: %s\nstream: %016" PRIx64 "\nnext_seq: %" PRIu64 "\nstart: %s\n",
               options->boot_id, state->stream, state->next_seq,
               state->start == METER_RESUMED ? "resumed" : "new stream");
    add_milli(buf, "running_s", (now - state->since_ns) / 1000000);
    add_time(buf, "last_tick_utc", state->tick_wall_ns);
    add_milli(buf, "tick_s", options->conf->tick_ms);
    if (state->tick_ns > state->closed_ns)
        add_milli(buf, "open_window_s", (state->tick_ns - state->closed_ns) / 1000000);
}

static void add_work(struct buf *buf, const struct meter_state *state)
{
    const struct {
        const char *key;
        uint64_t count;
    } lines[] = {
        { "jobs_open", state->jobs },
        { "steps_open", state->steps },
        { "marks_seen", state->marks_seen },
        { "marks_bad", state->marks_bad },
        { "marks_other_boot", state->marks_other_boot },
        { "marks_late", state->marks_late },
        { "marks_repeated", state->marks_repeated },
        { "marks_stray", state->marks_stray },
        { "marks_held", state->marks_held },
        { "marks_waiting_for_seal", state->marks_waiting },
        { "ends_lost", state->ends_lost },
        { "old_streams_closed", state->streams_closed },
        { "batches_undelivered", state->undelivered },
        { "batches_undelivered_bytes", state->undelivered_bytes },
        { "batches_dropped", state->batches_dropped },
        { "batches_unwritten", state->has_unwritten },
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        buf_printf(buf, "%s: %" PRIu64 "\n", lines[i].key, lines[i].count);
    add_time(buf, "last_delivery_utc", state->delivered_wall_ns);
    add_time(buf, "last_error_utc", state->last_error_wall_ns);
    buf_printf(buf, "last_error: %s\n",
               state->last_error.text[0] ? state->last_error.text : "none");
}

static void add_counter(struct buf *buf, const struct meter *meter, size_t index)
{
    const struct meter_counter *at = meter_counter(meter, index);
    const struct sensor_counter *counter = at->counter;
    uint64_t floor_uw;
    bool learned;

    buf_printf(buf, "counter: %s sensor=%s component=%s domain=%u quality=%s", counter->source,
               counter->sensor, component_names[counter->component], counter->domain,
               quality_names[counter->quality]);
    if (at->has_raw)
        buf_printf(buf, " raw_uj=%" PRIu64 " power_w=%" PRIu64 ".%03" PRIu64, at->raw_uj,
                   at->power_uw / 1000000, at->power_uw / 1000 % 1000);
    if (meter_floor(meter, index, &floor_uw, &learned))
        buf_printf(buf, " floor_w=%" PRIu64 ".%03" PRIu64 " floor=%s", floor_uw / 1000000,
                   floor_uw / 1000 % 1000, learned ? "learned" : "known");
    if (at->below_parts)
        buf_printf(buf, " below_its_parts_j=%" PRIu64, at->excess_uj / 1000000);
    if (at->code)
        buf_printf(buf, " error=\"%s\"", sensors_error_text(at->code));
    buf_printf(buf, "\n");
}

void status_format(struct buf *buf, const struct meter *meter, const struct meter_options *options,
                   uint64_t now)
{
    const struct sensor_left_out *left_out;
    size_t n_left_out = sensors_left_out(options->sensors, &left_out);
    struct meter_state state;

    meter_describe(meter, &state);
    add_who(buf, options, &state, now);
    add_work(buf, &state);
    for (size_t i = 0; i < meter_counters(meter); i++)
        add_counter(buf, meter, i);
    for (size_t i = 0; i < n_left_out; i++)
        buf_printf(buf, "left_out: %s (%s)\n", left_out[i].source, left_out[i].reason);
}

int status_write(const struct meter *meter, const struct meter_options *options, uint64_t now,
                 struct error *err)
{
    struct buf buf;
    int rc;

    buf_init(&buf);
    status_format(&buf, meter, options, now);
    rc = buf_failed(&buf) ? -ENOMEM
                          : file_write_atomic(meter_spool_fd(meter), STATUS_NAME, buf.data, buf.len,
                                              0600, 0);
    buf_free(&buf);
    return rc < 0 ? error_set_errno(err, rc, "cannot write the status file") : 0;
}

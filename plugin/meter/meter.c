/*
 * The meter: sample, take in, apply, close; now and then seal. See marks.c, roster.c and spool.c
 * for the invariants of each; what holds between them:
 *   T1  A full tick samples all counters, the packages' busy time and the live steps' CPU time,
 *       before it looks for marks, and closes. Each reading comes with its own instant, that of one
 *       that was late with a past one. While marks come or wait every tick is full; in between
 *       every FULL_EVERY-th, for then nobody comes or goes, and what counts on unread need not be
 *       read. Power gauges do not: they are sampled by every tick.
 *   T2  The window is closed up to C = min(full regular tick before the last, horizon of the marks,
 *       what the counters can say), after all marks up to C were applied and none after it (M1).
 *       A step that began before C has a later point of its CPU time, if there is any to be had:
 *       a series grows by nothing behind its last point.
 *       GPUs that are modelled draw by whether a job holds them, which is known up to C then: they
 *       have a reading at each mark that is applied, before it is, and at C. So their energy turns
 *       at the jobs' edges, and goes on from the checkpoint as if the meter had not been away.
 *   T3  ledger_seal() forgets what it hands out, so the batch lives in `unwritten` until the spool
 *       has it; while it lives no other is sealed (S5), and the ledger goes on.
 */
#include "config.h"

#include "meter/meter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/apportion.h"
#include "ledger/ledger.h"
#include "meter/floors.h"
#include "meter/log.h"
#include "meter/marks.h"
#include "meter/roster.h"
#include "meter/spool.h"

/* A counter that is silent for longer is not waited for: see ledger_ready(). */
#define PATIENCE_NS (60 * NS_PER_S)
#define FULL_EVERY 4 /* T1 */
/* What a tick waits for sensors that read apart; they answer within 1 ms when all is well. */
#define ANSWER_NS (NS_PER_S / 20)
/* A node meter that is behind its parts by this much time of its own power is inconsistent: what
   lags or is averaged comes even within some seconds. */
#define EXCESS_S 60
#define EXCESS_LEAST_UJ UINT64_C(1000000000)
/* One that is late for longer than this is told in the log. */
#define LATE_NS (20 * NS_PER_S)
/* An error that goes on is told again this often. */
#define ERROR_AGAIN_S 600

struct meter {
    struct meter_options options;
    struct ledger *ledger;
    struct roster *roster;
    struct floors *floors;
    struct marks *marks;
    struct spool *spool;
    struct cputime_node *cputime;
    struct deliver deliver;
    struct meter_counter *counters;
    size_t n_counters;
    uint64_t *busy_ns; /* [packages] */
    bool busy_failed;
    uint64_t regular_ns, lagged_ns; /* the last full regular tick, and the one before it */
    uint64_t quiet_ticks;           /* regular ticks without marks */
    uint64_t sealed_to_ns;
    uint64_t marks_bad_before, dropped; /* since the stream began */
    struct batch unwritten;
    struct tally tally; /* of the batches that were written */
    bool has_unwritten;
    bool failed; /* a tick did, half-way: nothing more is sealed */
    int64_t told_wall_ns; /* when the last error was logged */
    struct meter_state state;
};

/* --- sampling -------------------------------------------------------------------------------- */

static void note_power(struct meter_counter *at, uint64_t raw_uj, uint64_t now)
{
    uint64_t grown_uj;

    at->power_uw = 0;
    if (at->has_raw && now > at->read_ns &&
        sensors_growth(at->counter, at->raw_uj, raw_uj, &grown_uj) &&
        grown_uj < UINT64_MAX / NS_PER_S)
        at->power_uw = mul_div(grown_uj, NS_PER_S, now - at->read_ns);
    at->has_raw = true;
    at->raw_uj = raw_uj;
    at->read_ns = now;
}

/* One line when a counter falls silent, one when it is back. */
static void note_code(struct meter_counter *at, int code)
{
    if (code == at->code)
        return;
    if (code < 0)
        log_line(LOG_LEVEL_WARNING, "counter %s cannot be read: %s", at->counter->source,
                 sensors_error_text(code));
    else
        log_line(LOG_LEVEL_NOTICE, "counter %s is back", at->counter->source);
    at->code = code;
}

/* A source that is late for a moment is no news: its next answer says when it was read. */
static int code_of(const struct meter_counter *at, const struct sensor_reading *reading,
                   uint64_t now)
{
    if (reading->code == -EAGAIN) /* nobody asked */
        return at->code;
    if (reading->code == -ETIMEDOUT && at->has_raw && now - at->read_ns < LATE_NS)
        return at->code;
    return reading->code;
}

static int take_counters(struct meter *meter, uint64_t now)
{
    sensors_take(meter->options.sensors, now, now + ANSWER_NS);
    for (size_t i = 0; i < meter->n_counters; i++) {
        const struct sensor_reading *reading = sensors_reading(meter->options.sensors, i);
        int rc;

        if (meter->counters[i].counter->held_uw)
            continue; /* T2 */
        note_code(&meter->counters[i], code_of(&meter->counters[i], reading, now));
        if (reading->code < 0)
            continue; /* absence is no reading */
        note_power(&meter->counters[i], reading->raw_uj, reading->at_ns);
        rc = ledger_reading(meter->ledger, reading->at_ns, i, reading->raw_uj);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int sample_busy(struct meter *meter, uint64_t now)
{
    int rc = sensors_read_busy(meter->options.sensors, meter->busy_ns);

    if ((rc < 0) != meter->busy_failed)
        log_line(LOG_LEVEL_WARNING, rc < 0 ? "the packages' CPU use cannot be read: %s"
                                           : "the packages' CPU use can be read again%s",
                 rc < 0 ? strerror(-rc) : "");
    meter->busy_failed = rc < 0;
    for (uint32_t i = 0; rc == 0 && i < meter->options.topology->n_packages; i++)
        rc = ledger_busy(meter->ledger, now, i, meter->busy_ns[i]);
    return rc == -ENOMEM ? rc : 0;
}

/* T1 */
static int sample(struct meter *meter, uint64_t now, int64_t wall_ns, bool full)
{
    int rc = meter->failed ? -ENOMEM : 0;

    sensors_ask(meter->options.sensors, now, !full);
    if (rc == 0 && full)
        rc = sample_busy(meter, now);
    if (rc == 0)
        rc = ledger_clock(meter->ledger, now, wall_ns);
    if (rc == 0 && full)
        rc = roster_read_cpu(meter->roster, now);
    if (rc == 0)
        rc = take_counters(meter, now);
    return rc;
}

/* T2: modelled GPUs up to an instant, all marks before which are applied, and none after it. */
static int read_modelled(struct meter *meter, uint64_t at_ns)
{
    for (size_t i = 0; i < meter->n_counters; i++) {
        struct meter_counter *at = &meter->counters[i];
        const struct sensor_counter *counter = at->counter;
        bool held = ledger_gpu_is_held(meter->ledger, counter->domain);
        int rc;

        if (!counter->held_uw || at_ns <= at->read_ns)
            continue;
        note_power(at, at->raw_uj + mul_div(held ? counter->held_uw : counter->floor_uw,
                                            at_ns - at->read_ns, NS_PER_S), at_ns);
        rc = ledger_reading(meter->ledger, at_ns, i, at->raw_uj);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* They begin where the checkpoint has them, or at 0 with the books. */
static int begin_modelled(struct meter *meter, const struct batch *checkpoint)
{
    int rc = 0;

    for (size_t i = 0; i < meter->n_counters && rc == 0; i++) {
        struct meter_counter *at = &meter->counters[i];

        if (!at->counter->held_uw)
            continue;
        at->has_raw = true;
        at->read_ns = ledger_begin(meter->ledger);
        for (size_t k = 0; checkpoint && k < checkpoint->n_counters; k++)
            if (checkpoint->counters[k].has & COUNTER_HAS_RAW &&
                strcmp(checkpoint->counters[k].source, at->counter->source) == 0)
                at->raw_uj = checkpoint->counters[k].raw_uj;
        rc = ledger_reading(meter->ledger, at->read_ns, i, at->raw_uj);
    }
    return rc;
}

/* --- marks ----------------------------------------------------------------------------------- */

static int feed_readings(struct meter *meter, const struct marks_item *item)
{
    for (size_t i = 0; i < item->n_readings; i++)
        for (size_t k = 0; k < meter->n_counters; k++)
            if (strcmp(item->readings[i].source, meter->counters[k].counter->source) == 0) {
                int rc = ledger_reading(meter->ledger, item->mark.boottime_ns, k,
                                        item->readings[i].raw_uj);

                if (rc < 0)
                    return rc;
            }
    return 0;
}

static int feed_mark(struct meter *meter, struct marks_item *item)
{
    const struct mark *mark = &item->mark;
    int rc = ledger_clock(meter->ledger, mark->boottime_ns, mark->wall_ns);

    if (rc == 0)
        rc = feed_readings(meter, item);
    if (rc == 0)
        rc = roster_apply(meter->roster, mark, &item->cpu);
    if (rc < 0 && rc != -ENOMEM) {
        log_line(LOG_LEVEL_ERROR, "the %s of job %" PRIu32 " was not understood: %s",
                 mark_edge_names[mark->edge], mark->job_id, strerror(-rc));
        rc = 0;
    }
    return rc;
}

/*
 * Apply the held marks up to `close_ns`, and any that is late. Returns the instant up to which the
 * window may be closed: earlier than close_ns when a mark has to wait.
 */
static uint64_t apply_marks(struct meter *meter, uint64_t close_ns)
{
    uint64_t begin_ns = ledger_begin(meter->ledger);
    uint64_t until_ns = close_ns > begin_ns ? close_ns : begin_ns;
    struct marks_item *item;

    while ((item = marks_first(meter->marks)) && item->mark.boottime_ns <= until_ns) {
        int rc = marks_room(meter->marks);

        if (rc == 0)
            rc = read_modelled(meter, item->mark.boottime_ns);
        if (rc == 0)
            rc = feed_mark(meter, item);
        if (rc < 0)
            return item->mark.boottime_ns;
        if (item->mark.boottime_ns < begin_ns)
            meter->state.marks_late++;
        marks_applied(meter->marks);
    }
    return close_ns;
}

/* Whether a held mark before `index` is of this job's own edges: what follows is another run. */
static bool job_edge_before(const struct marks *marks, size_t index, uint32_t job_id)
{
    for (size_t i = 0; i < index; i++) {
        const struct mark *mark = &marks_peek(marks, i)->mark;

        if (mark->job_id == job_id && (mark->edge == MARK_JOB_BEGIN || mark->edge == MARK_JOB_END))
            return true;
    }
    return false;
}

/*
 * T2: the CPU time of steps that were applied just now, as of this tick; and of those that ended
 * since, as of their end marks, which are held.
 */
static int look_ahead(struct meter *meter, bool has_applied, uint64_t now)
{
    int rc = has_applied ? roster_read_cpu(meter->roster, now) : 0;

    for (size_t i = 0; i < marks_held(meter->marks) && rc == 0; i++) {
        const struct mark *mark = &marks_peek(meter->marks, i)->mark;

        if (mark->edge == MARK_STEP_END && !job_edge_before(meter->marks, i, mark->job_id))
            rc = roster_foresee(meter->roster, mark);
    }
    return rc;
}

/* --- ticks ----------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* T2 */
static int close_window(struct meter *meter, uint64_t until_ns, uint64_t now)
{
    size_t waiting = marks_waiting(meter->marks);
    int rc;

    until_ns = apply_marks(meter, earlier(until_ns, marks_horizon(meter->marks)));
    rc = look_ahead(meter, marks_waiting(meter->marks) != waiting, now);
    if (rc < 0 || until_ns <= ledger_begin(meter->ledger))
        return rc;
    rc = read_modelled(meter, until_ns);
    return rc < 0 ? rc : ledger_close(meter->ledger, until_ns);
}

/* A tick that failed half-way leaves a ledger that may not be used any more (ledger.h). */
static void end_tick(struct meter *meter, int rc, uint64_t now, int64_t wall_ns)
{
    if (rc < 0 && !meter->failed)
        log_line(LOG_LEVEL_ERROR, "a tick failed: %s; ending, to be started again from the last "
                 "batch", strerror(-rc));
    meter->failed = meter->failed || rc < 0;
    meter->state.tick_ns = now;
    meter->state.tick_wall_ns = wall_ns;
}

/* T1 */
static bool is_full(struct meter *meter, bool regular)
{
    return !regular || marks_held(meter->marks) || marks_behind(meter->marks) ||
           meter->quiet_ticks++ % FULL_EVERY == 0;
}

void meter_tick(struct meter *meter, uint64_t now, int64_t wall_ns, bool regular)
{
    bool full = is_full(meter, regular);
    int rc = sample(meter, now, wall_ns, full);

    if (regular && full) {
        floors_tick(meter->floors, now, meter->busy_failed ? NULL : meter->busy_ns);
        meter->lagged_ns = meter->regular_ns;
        meter->regular_ns = now;
    }
    marks_look(meter->marks, now);
    if (rc == 0 && full)
        rc = close_window(meter, earlier(meter->lagged_ns,
                                         ledger_ready(meter->ledger, now, PATIENCE_NS)),
                          now);
    if (rc == 0 && !marks_behind(meter->marks))
        rc = roster_check_alive(meter->roster, meter->marks, now, wall_ns);
    end_tick(meter, rc, now, wall_ns);
}

/* The latest instant that a counter was read at: a little after its tick where it is read apart. */
static uint64_t last_reading_ns(const struct meter *meter, uint64_t now)
{
    for (size_t i = 0; i < meter->n_counters; i++)
        if (meter->counters[i].has_raw && meter->counters[i].read_ns > now)
            now = meter->counters[i].read_ns;
    return now;
}

void meter_last_tick(struct meter *meter, uint64_t now, int64_t wall_ns)
{
    int rc = sample(meter, now, wall_ns, true);
    uint64_t end_ns = last_reading_ns(meter, now);

    marks_look(meter->marks, end_ns);
    if (rc == 0)
        rc = close_window(meter, end_ns, now);
    end_tick(meter, rc, now, wall_ns);
}

bool meter_is_behind(const struct meter *meter)
{
    return marks_behind(meter->marks);
}

bool meter_wants_seal(const struct meter *meter)
{
    return marks_waiting(meter->marks) >= MARKS_APPLIED_MANY && !meter->has_unwritten;
}

int meter_fd(const struct meter *meter)
{
    return marks_fd(meter->marks);
}

void meter_wake(struct meter *meter)
{
    marks_drain(meter->marks);
}

bool meter_has_failed(const struct meter *meter)
{
    return meter->failed;
}

bool meter_is_stranded(const struct meter *meter)
{
    return marks_is_gone(meter->marks);
}

/* --- sealing --------------------------------------------------------------------------------- */

static void note_error(struct meter *meter, const char *text, int64_t wall_ns)
{
    if (strcmp(meter->state.last_error.text, text) != 0 ||
        wall_ns - meter->told_wall_ns > ERROR_AGAIN_S * (int64_t)NS_PER_S) {
        log_line(LOG_LEVEL_WARNING, "%s", text);
        meter->told_wall_ns = wall_ns;
    }
    meter->state.last_error_wall_ns = wall_ns;
    snprintf(meter->state.last_error.text, sizeof(meter->state.last_error.text), "%s", text);
}

static void fill_head(struct meter *meter, struct batch_head *head)
{
    snprintf(head->cluster, sizeof(head->cluster), "%s", meter->options.conf->cluster_name);
    snprintf(head->node, sizeof(head->node), "%s", meter->options.node);
    snprintf(head->boot_id, sizeof(head->boot_id), "%s", meter->options.boot_id);
    snprintf(head->version, sizeof(head->version), "%s", PACKAGE_VERSION);
    head->stream = meter->state.stream;
    head->seq = meter->state.next_seq;
    head->next_ref = roster_next_ref(meter->roster);
    head->marks_bad = meter->marks_bad_before + marks_count(meter->marks)->bad;
    head->batches_dropped = meter->dropped;
}

/* Take a batch from the ledger into `unwritten`. */
static int take_batch(struct meter *meter, struct error *err)
{
    struct batch *batch = &meter->unwritten;
    struct batch list = { 0 };
    struct error why;
    int rc = marks_consume(meter->marks, &list); /* first: what follows cannot be undone */

    if (rc == 0)
        rc = floors_save(meter->floors, &list);
    if (rc == 0)
        rc = ledger_seal(meter->ledger, batch);
    if (rc < 0) {
        batch_clear(&list);
        return error_set_errno(err, rc, "cannot seal a batch");
    }
    batch->consumed = list.consumed;
    batch->n_consumed = list.n_consumed;
    batch->floors = list.floors;
    batch->n_floors = list.n_floors;
    fill_head(meter, &batch->head);
    meter->has_unwritten = true;
    rc = batch_check(batch, &why);
    if (rc == 0 || rc == -ENOMEM)
        return 0;
    spool_keep_bad(meter->spool, batch);
    return error_set(err, -EPROTO, "batch %" PRIu64 " does not balance (%s); this is a bug, please "
                     "report it with the .bad file in SpoolDir; starting again from the last good "
                     "batch", batch->head.seq, why.text);
}

/* A node meter below the sum of its parts: `other` is then 0, never negative, and that is told. */
static void check_node_meters(struct meter *meter)
{
    for (size_t i = 0; i < meter->n_counters; i++) {
        struct meter_counter *at = &meter->counters[i];
        bool was_below = at->below_parts;

        if (at->counter->component != COMPONENT_OTHER)
            continue;
        at->excess_uj = ledger_excess_uj(meter->ledger, i);
        at->below_parts = at->excess_uj > EXCESS_LEAST_UJ &&
                          at->excess_uj / EXCESS_S > at->power_uw;
        if (at->below_parts && !was_below)
            log_line(LOG_LEVEL_WARNING, "the node's meter %s has counted %" PRIu64 " J less than "
                     "the sum of its parts: one of them is wrong, and no energy is booked as "
                     "`other` until it has caught up; see `carbonctl sensors`", at->counter->source,
                     at->excess_uj / 1000000);
        else if (was_below && !at->below_parts)
            log_line(LOG_LEVEL_NOTICE, "the node's meter %s agrees with its parts again",
                     at->counter->source);
    }
}

/* Write `unwritten`; only then its marks go. The list of marks was made when it was sealed. */
static int write_batch(struct meter *meter, struct error *err)
{
    int rc = spool_write(meter->spool, &meter->unwritten, err);

    if (rc < 0)
        return rc;
    marks_forget(meter->marks, &meter->unwritten);
    meter->sealed_to_ns = meter->unwritten.head.end_boottime_ns;
    meter->state.next_seq++;
    meter->has_unwritten = false;
    tally_add(&meter->tally, &meter->unwritten);
    batch_clear(&meter->unwritten);
    meter->dropped += spool_drop(meter->spool);
    return 0;
}

int meter_seal(struct meter *meter, int64_t wall_ns, struct error *err)
{
    struct error why = { "" };
    int rc = 0;

    if (!meter->has_unwritten) {
        if (meter->failed || ledger_begin(meter->ledger) <= meter->sealed_to_ns)
            return 0;
        check_node_meters(meter);
        rc = take_batch(meter, &why);
    }
    if (rc == 0)
        rc = write_batch(meter, &why);
    if (rc < 0) {
        note_error(meter, why.text, wall_ns);
        return error_set(err, rc, "%s", why.text);
    }
    return 0;
}

/* --- delivery -------------------------------------------------------------------------------- */

void meter_deliver(struct meter *meter, uint64_t now, int64_t wall_ns)
{
    struct deliver *deliver = &meter->deliver;
    size_t count;
    int rc;

    if (deliver_is_busy(deliver))
        return;
    count = spool_undelivered(meter->spool, deliver->names, DELIVER_MAX);
    if (!count)
        return;
    rc = deliver_start(deliver, spool_fd(meter->spool), count,
                       spool_is_newest(meter->spool, deliver->names[count - 1]), now);
    if (rc < 0) {
        struct error err;

        error_set_errno(&err, rc, "cannot start a delivery");
        note_error(meter, err.text, wall_ns);
    }
}

bool meter_reap(struct meter *meter, uint64_t now, int64_t wall_ns)
{
    struct deliver_result result;

    if (!deliver_is_busy(&meter->deliver))
        return true;
    if (!deliver_reap(&meter->deliver, now, &result))
        return false;
    spool_delivered(meter->spool, meter->deliver.names, result.delivered);
    if (result.delivered)
        meter->state.delivered_wall_ns = wall_ns;
    if (result.err.text[0]) {
        note_error(meter, result.err.text, wall_ns);
        return true;
    }
    meter_deliver(meter, now, wall_ns); /* the rest of a backlog */
    return !deliver_is_busy(&meter->deliver);
}

/* --- starting -------------------------------------------------------------------------------- */

static struct ledger_counter *describe_counters(const struct meter *meter)
{
    struct ledger_counter *counters = calloc(meter->n_counters + 1, sizeof(*counters));

    for (size_t i = 0; counters && i < meter->n_counters; i++) {
        const struct sensor_counter *from = meter->counters[i].counter;

        snprintf(counters[i].source, sizeof(counters[i].source), "%s", from->source);
        snprintf(counters[i].sensor, sizeof(counters[i].sensor), "%s", from->sensor);
        counters[i].component = from->component;
        counters[i].quality = from->quality;
        counters[i].domain = from->domain;
        counters[i].range_uj = from->range_uj;
        counters[i].max_uw = from->max_uw;
        counters[i].fresh = from->fresh;
        counters[i].at_close = from->held_uw != 0;
    }
    return counters;
}

static struct ledger_node describe_node(const struct meter *meter)
{
    const struct topology *topology = meter->options.topology;
    struct ledger_node node = {
        .packages = topology->n_packages,
        .cores = topology->n_cores,
        .core_package = topology->core_package,
        .memory_mb = topology->memory_mb,
    };

    for (size_t i = 0; i < meter->n_counters; i++) {
        const struct sensor_counter *counter = meter->counters[i].counter;

        if (counter->component == COMPONENT_GPU && counter->domain >= node.gpus)
            node.gpus = counter->domain + 1;
    }
    return node;
}

static int make_ledger(struct meter *meter, const struct batch *checkpoint, uint64_t begin_ns)
{
    struct ledger_counter *counters = describe_counters(meter);
    struct ledger_node node = describe_node(meter);

    if (!counters)
        return -ENOMEM;
    meter->ledger = checkpoint ? ledger_resume(&node, counters, meter->n_counters, checkpoint)
                               : ledger_new(&node, counters, meter->n_counters, begin_ns);
    free(counters);
    if (meter->ledger)
        meter->roster = roster_new(meter->ledger, meter->cputime);
    if (!meter->roster || begin_modelled(meter, checkpoint) < 0)
        return -ENOMEM;
    return floors_new(meter->counters, meter->n_counters, meter->options.topology,
                      meter->options.conf->idle_uw, meter->ledger, &meter->floors);
}

static int resume(struct meter *meter, const struct batch *checkpoint)
{
    int rc = marks_resume(meter->marks, checkpoint);

    if (rc == 0)
        rc = make_ledger(meter, checkpoint, 0);
    if (rc == 0)
        rc = roster_resume(meter->roster, checkpoint);
    if (rc == 0)
        floors_resume(meter->floors, checkpoint);
    meter->state.start = METER_RESUMED;
    meter->state.stream = checkpoint->head.stream;
    meter->state.next_seq = checkpoint->head.seq + 1;
    meter->sealed_to_ns = checkpoint->head.end_boottime_ns;
    meter->marks_bad_before = checkpoint->head.marks_bad;
    meter->dropped = checkpoint->head.batches_dropped;
    return rc;
}

static int random_stream(uint64_t *ret_stream)
{
    uint64_t stream = 0;

    while (!stream)
        if (getrandom(&stream, sizeof(stream), 0) != sizeof(stream))
            return errno ? -errno : -EIO;
    *ret_stream = stream;
    return 0;
}

/* Floors are the hardware's: what an earlier boot, or a stream that ended, learned still holds. */
static int take_over_floors(struct meter *meter)
{
    struct batch last;
    int rc = spool_last_floors(meter->spool, &last);

    if (rc < 0)
        return rc == -ENOMEM ? rc : 0;
    floors_resume(meter->floors, &last);
    batch_clear(&last);
    return 0;
}

/* The books begin with the earliest mark of this boot that still lies there, else now. */
static int begin_stream(struct meter *meter, uint64_t now)
{
    const struct marks_item *first = NULL;
    int rc = random_stream(&meter->state.stream);

    if (rc < 0)
        return rc;
    do {
        marks_look(meter->marks, now);
        first = marks_first(meter->marks);
    } while (!first && marks_behind(meter->marks));
    meter->state.start = METER_NEW_STREAM;
    meter->state.next_seq = 1;
    meter->sealed_to_ns = first && first->mark.boottime_ns < now ? first->mark.boottime_ns : now;
    rc = make_ledger(meter, NULL, meter->sealed_to_ns);
    return rc < 0 ? rc : take_over_floors(meter);
}

static int resume_or_begin(struct meter *meter, uint64_t now, struct error *err)
{
    struct batch checkpoint = { 0 };
    int rc = spool_close_old_streams(meter->spool, meter->options.boot_id,
                                     &meter->state.streams_closed, err);

    if (rc == 0)
        rc = spool_checkpoint(meter->spool, meter->options.boot_id, &checkpoint, err);
    if (rc < 0 && rc != -ENOENT)
        return rc;
    if (rc == 0 && checkpoint.head.end_boottime_ns <= now) {
        rc = resume(meter, &checkpoint);
    } else {
        if (rc == 0)
            log_line(LOG_LEVEL_ERROR, "the last batch ends in the future of this boot's clock; "
                     "beginning a new stream");
        rc = begin_stream(meter, now);
    }
    batch_clear(&checkpoint);
    return rc < 0 ? error_set_errno(err, rc, "cannot begin") : 0;
}

static int list_counters(struct meter *meter)
{
    meter->n_counters = sensors_count(meter->options.sensors);
    meter->counters = calloc(meter->n_counters + 1, sizeof(*meter->counters));
    meter->busy_ns = calloc(meter->options.topology->n_packages + 1, sizeof(*meter->busy_ns));
    if (!meter->counters || !meter->busy_ns)
        return -ENOMEM;
    for (size_t i = 0; i < meter->n_counters; i++)
        meter->counters[i].counter = sensors_counter(meter->options.sensors, i);
    return 0;
}

static int open_parts(struct meter *meter, uint64_t now, struct error *err)
{
    const struct meter_options *options = &meter->options;
    const struct marks_options marks = {
        .dir = options->conf->mark_dir,
        .node = options->node,
        .boot_id = options->boot_id,
        .cputime = meter->cputime = cputime_node_new(options->conf->cgroup_root),
    };
    int rc = meter->cputime ? list_counters(meter) : -ENOMEM;

    if (rc < 0)
        return error_set(err, rc, "out of memory");
    rc = marks_open(&marks, &meter->marks, err);
    if (rc == 0)
        rc = spool_open(options->conf->spool_dir, options->node,
                        (uint64_t)options->conf->spool_max_mb << 20, &meter->spool, err);
    if (rc == 0)
        rc = resume_or_begin(meter, now, err);
    return rc;
}

int meter_open(const struct meter_options *options, uint64_t now, int64_t wall_ns,
               struct meter **ret_meter, struct error *err)
{
    struct meter *meter = calloc(1, sizeof(*meter));
    int rc;

    if (!meter)
        return error_set(err, -ENOMEM, "out of memory");
    meter->options = *options;
    meter->state.since_ns = now;
    meter->state.since_wall_ns = wall_ns;
    meter->state.tick_wall_ns = wall_ns;
    deliver_init(&meter->deliver, options->conf->deliver[0] ? options->conf->deliver
                                                            : options->conf->deliver_dir,
                 options->conf->munge_socket, options->lock_fd);
    rc = open_parts(meter, now, err);
    if (rc < 0) {
        meter_close(meter);
        return rc;
    }
    meter_tick(meter, now, wall_ns, true);
    *ret_meter = meter;
    return 0;
}

struct meter *meter_close(struct meter *meter)
{
    if (!meter)
        return NULL;
    roster_free(meter->roster);
    floors_free(meter->floors);
    ledger_free(meter->ledger);
    marks_close(meter->marks);
    cputime_node_free(meter->cputime);
    spool_close(meter->spool);
    batch_clear(&meter->unwritten);
    free(meter->counters);
    free(meter->busy_ns);
    free(meter);
    return NULL;
}

/* --- telling --------------------------------------------------------------------------------- */

void meter_describe(const struct meter *meter, struct meter_state *ret_state)
{
    const struct marks_counts *marks = marks_count(meter->marks);
    const struct roster_counts *roster = roster_count(meter->roster);
    struct meter_state state = meter->state;

    state.closed_ns = ledger_begin(meter->ledger);
    state.jobs = roster_jobs(meter->roster);
    state.steps = roster_steps(meter->roster);
    state.marks_seen = marks->seen;
    state.marks_bad = meter->marks_bad_before + marks->bad;
    state.marks_other_boot = marks->other_boot;
    state.marks_repeated = roster->repeated;
    state.marks_stray = roster->stray;
    state.ends_lost = roster->lost;
    state.marks_held = marks_held(meter->marks);
    state.marks_waiting = marks_waiting(meter->marks);
    state.undelivered = spool_waiting(meter->spool, &state.undelivered_bytes);
    state.batches_dropped = meter->dropped;
    state.has_unwritten = meter->has_unwritten;
    *ret_state = state;
}

const struct tally *meter_tally(const struct meter *meter)
{
    return &meter->tally;
}

size_t meter_counters(const struct meter *meter)
{
    return meter->n_counters;
}

const struct meter_counter *meter_counter(const struct meter *meter, size_t index)
{
    return index < meter->n_counters ? &meter->counters[index] : NULL;
}

int meter_spool_fd(const struct meter *meter)
{
    return spool_fd(meter->spool);
}

bool meter_floor(const struct meter *meter, size_t index, uint64_t *ret_uw, bool *ret_learned)
{
    return floors_get(meter->floors, index, ret_uw, ret_learned);
}

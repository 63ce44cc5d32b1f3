#include "cli/sensors_watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/apportion.h"
#include "core/clock.h"

#define NS_PER_MS UINT64_C(1000000)

#define QUIET_NS (250 * NS_PER_MS)  /* between two looks at the power */
#define ANSWER_NS (200 * NS_PER_MS) /* waited for what is read apart */
#define REPLAY_NS (2 * NS_PER_S)    /* the same, of files, where nothing else passes */
/* Faster than the fastest counters, which change every millisecond, and no busy loop. */
#define POLL_PAUSE_NS 100000
#define POLL_ANSWER_NS (5 * NS_PER_MS)

struct watched *watch_new(const struct sensors *sensors)
{
    struct watched *list = calloc(sensors_count(sensors) + 1, sizeof(*list));

    for (size_t i = 0; list && i < sensors_count(sensors); i++)
        list[i].code = -EAGAIN;
    return list;
}

static void pause_ns(uint64_t ns)
{
    struct timespec span = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

    nanosleep(&span, NULL);
}

/* The modelled counters go by the busy time; where it cannot be read they say so themselves. */
static void read_all(struct sensors *sensors, uint64_t *busy_ns, uint64_t patience_ns)
{
    uint64_t now_ns = clock_boottime_ns();
    int rc = sensors_read_busy(sensors, busy_ns);

    (void)rc;
    sensors_ask(sensors, now_ns, false);
    sensors_take(sensors, now_ns, now_ns + patience_ns);
}

/* A reading that was not there at the last look. */
static bool is_new(const struct watched *watched, const struct sensor_reading *reading)
{
    return reading->code == 0 && reading->at_ns > watched->at_ns;
}

static void note_cost(struct watched *watched, const struct sensor_reading *reading)
{
    if (watched->n_costs < WATCH_COSTS_MAX)
        watched->costs_ns[watched->n_costs++] = reading->cost_ns;
}

/* Adds what it grew by since the last reading; one that began anew is watched from then on. */
static void note_growth(struct watched *watched, const struct sensor_counter *counter,
                        const struct sensor_reading *reading, uint64_t span_ns)
{
    uint64_t grown_uj;

    if (sensors_growth(counter, watched->raw_uj, reading->raw_uj, &grown_uj)) {
        watched->grown_uj += grown_uj;
        watched->span_ns += span_ns;
    } else {
        watched->grown_uj = watched->span_ns = 0;
    }
    watched->raw_uj = reading->raw_uj;
}

static void note_reading(struct watched *watched, const struct sensor_counter *counter,
                         const struct sensor_reading *reading, uint64_t span_ns)
{
    if (!is_new(watched, reading)) {
        if (watched->at_ns == 0)
            watched->code = reading->code;
        return;
    }
    if (watched->at_ns == 0)
        watched->raw_uj = reading->raw_uj;
    else
        note_growth(watched, counter, reading, span_ns ? span_ns : reading->at_ns - watched->at_ns);
    watched->at_ns = reading->at_ns;
    watched->code = 0;
    note_cost(watched, reading);
}

static void note_readings(struct sensors *sensors, struct watched *list, uint64_t span_ns)
{
    for (size_t i = 0; i < sensors_count(sensors); i++)
        note_reading(&list[i], sensors_counter(sensors, i), sensors_reading(sensors, i), span_ns);
}

/* uJ in ns are 10^9 times as many uW. False for what no node draws: 10^12 W. */
static bool power_over(uint64_t grown_uj, uint64_t span_ns, uint64_t *ret_power_uw)
{
    if (span_ns == 0 || grown_uj / span_ns >= NS_PER_S)
        return false;
    *ret_power_uw = mul_div(grown_uj, NS_PER_S, span_ns);
    return true;
}

static void work_out_power(struct sensors *sensors, struct watched *list)
{
    for (size_t i = 0; i < sensors_count(sensors); i++)
        list[i].has_power = power_over(list[i].grown_uj, list[i].span_ns, &list[i].power_uw);
}

void watch_power(struct sensors *sensors, struct watched *list, uint64_t *busy_ns, uint64_t span_ns)
{
    uint64_t begin_ns = clock_boottime_ns(), now_ns;

    do {
        read_all(sensors, busy_ns, ANSWER_NS);
        note_readings(sensors, list, 0);
        now_ns = clock_boottime_ns();
        if (now_ns < begin_ns + span_ns)
            pause_ns(begin_ns + span_ns - now_ns < QUIET_NS ? begin_ns + span_ns - now_ns
                                                            : QUIET_NS);
    } while (now_ns < begin_ns + span_ns);
    work_out_power(sensors, list);
}

/* --- how often they change ------------------------------------------------------------------- */

static void note_poll(struct watched *watched, const struct sensor_reading *reading)
{
    if (reading->code < 0 || reading->at_ns <= watched->last_ns)
        return;
    if (watched->polls++ == 0)
        watched->first_ns = reading->at_ns;
    else if (reading->raw_uj != watched->polled_uj) {
        if (watched->changes++ == 0)
            watched->first_change_ns = reading->at_ns;
        watched->last_change_ns = reading->at_ns;
    }
    watched->polled_uj = reading->raw_uj;
    watched->last_ns = reading->at_ns;
    note_cost(watched, reading);
}

static void work_out_period(struct watched *watched, const struct sensor_counter *counter)
{
    if (counter->quality != QUALITY_MEASURED || watched->changes < 2)
        return;
    if (watched->changes + 1 < watched->polls) {
        watched->has_period = true;
        watched->period_ns = (watched->last_change_ns - watched->first_change_ns) /
                             (watched->changes - 1);
    } else if (!counter->fresh) { /* one that is integrated changes whenever it is read */
        watched->below_ns = (watched->last_ns - watched->first_ns) / (watched->polls - 1);
    }
}

void watch_periods(struct sensors *sensors, struct watched *list, uint64_t *busy_ns,
                   uint64_t span_ns)
{
    uint64_t begin_ns = clock_boottime_ns();

    while (clock_boottime_ns() < begin_ns + span_ns) {
        read_all(sensors, busy_ns, POLL_ANSWER_NS);
        for (size_t i = 0; i < sensors_count(sensors); i++)
            note_poll(&list[i], sensors_reading(sensors, i));
        pause_ns(POLL_PAUSE_NS);
    }
    for (size_t i = 0; i < sensors_count(sensors); i++)
        work_out_period(&list[i], sensors_counter(sensors, i));
}

/* --- captures --------------------------------------------------------------------------------- */

/*
 * What a power gauge's readings were integrated over is this process's own time, not the
 * capture's: a fresh counter is taken by the one that gives a power that can be believed. The
 * model goes by both, and tells nothing here.
 */
static void correct_gauges(struct sensors *sensors, struct watched *list, uint64_t own_ns)
{
    for (size_t i = 0; i < sensors_count(sensors); i++) {
        const struct sensor_counter *counter = sensors_counter(sensors, i);
        uint64_t power_uw;

        if (counter->quality == QUALITY_MODELLED)
            list[i].span_ns = 0;
        else if (counter->fresh && list[i].span_ns > 0 &&
                 power_over(list[i].grown_uj, own_ns, &power_uw) && power_uw <= counter->max_uw)
            list[i].span_ns = own_ns;
    }
}

int watch_capture(struct sensors *sensors, struct watched *list, uint64_t *busy_ns,
                  const struct capture *capture, int dir_fd, struct error *err)
{
    uint64_t begin_ns = clock_boottime_ns();
    int rc = 0;

    read_all(sensors, busy_ns, REPLAY_NS);
    note_readings(sensors, list, 0);
    for (size_t i = 1; i < capture->n_instants && rc == 0; i++) {
        rc = capture_unpack(capture, i, dir_fd, err);
        pause_ns(NS_PER_MS); /* for those that go by this process's time */
        read_all(sensors, busy_ns, REPLAY_NS);
        note_readings(sensors, list,
                      capture->instants[i].after_ns - capture->instants[i - 1].after_ns);
    }
    for (size_t i = 0; i < sensors_count(sensors); i++)
        list[i].n_costs = 0; /* of plain files */
    correct_gauges(sensors, list, clock_boottime_ns() - begin_ns);
    work_out_power(sensors, list);
    return rc;
}

/* --- what a reading costs --------------------------------------------------------------------- */

static int compare_costs(const void *a, const void *b)
{
    uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;

    return (p > q) - (p < q);
}

uint64_t watch_cost_ns(const struct watched *watched)
{
    uint64_t sorted_ns[WATCH_COSTS_MAX];

    if (watched->n_costs == 0)
        return 0;
    memcpy(sorted_ns, watched->costs_ns, watched->n_costs * sizeof(*sorted_ns));
    qsort(sorted_ns, watched->n_costs, sizeof(*sorted_ns), compare_costs);
    return sorted_ns[watched->n_costs / 2];
}

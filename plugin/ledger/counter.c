#include "ledger/counter.h"

#include <string.h>

#include "core/apportion.h"

/* Counters are refreshed every 1 to 100 ms (NVML, pm_counters): a short interval may hold the
   energy of this much more time. */
#define REFRESH_NS UINT64_C(200000000)

/* raws are a plain sorted list: their values fall at wraps, so series_at() is not for them. */
int counter_read(struct counter *counter, uint64_t at, uint64_t raw_uj)
{
    counter->stale = true;
    return series_add(&counter->raws, (struct point){ at, raw_uj, false });
}

/*
 * The growth from one reading to a later one. False when it cannot be told: the counter went back
 * without a wrap, grew more than max_uw allows, or may have wrapped once more than seen.
 */
static bool growth_between(const struct counter *counter, const struct reading *from,
                           const struct point *to, uint64_t *ret_uj)
{
    uint64_t believed_uj = mul_div(counter->max_uw, to->at - from->at + REFRESH_NS, NS_PER_S);
    uint64_t growth_uj = to->value - from->raw_uj;

    if (to->value < from->raw_uj) {
        if (counter->range_uj == 0 || from->raw_uj >= counter->range_uj)
            return false;
        growth_uj = counter->range_uj - from->raw_uj + to->value;
    }
    if (growth_uj > believed_uj)
        return false;
    if (counter->range_uj && growth_uj + counter->range_uj <= believed_uj)
        return false;
    *ret_uj = growth_uj;
    return true;
}

/*
 * Whether `to` was read before `from`, although its instant is later. Marks and ticks are read by
 * different processes, and an instant is as good as the reading was quick; on a busy node that is
 * milliseconds. Taken for a reset, the energy in between would be counted twice.
 */
static bool is_out_of_order(const struct counter *counter, const struct reading *from,
                            const struct point *to)
{
    uint64_t back_uj = from->raw_uj - to->value;

    if (to->at - from->at > REFRESH_NS)
        return false;
    if (to->value > from->raw_uj) { /* `from` is behind a wrap that `to` is before */
        if (to->value > counter->range_uj)
            return false;
        back_uj += counter->range_uj;
    }
    return back_uj <= mul_div(counter->max_uw, REFRESH_NS, NS_PER_S);
}

static int emit(struct series *series, uint64_t at, uint64_t seen_uj, bool gap)
{
    return series ? series_add(series, (struct point){ at, seen_uj, gap }) : 0;
}

/* Judge one reading after `good` and `refused`; a believed one becomes the new `good`.
   Points go to `series`, which may be NULL. 0 or -ENOMEM. */
static int judge(const struct counter *counter, struct reading *good, struct reading *refused,
                 const struct point *raw, struct series *series)
{
    struct reading next = { true, raw->at, raw->value, good->seen_uj };
    uint64_t growth_uj = 0;
    int rc = 0;

    if (!good->has) {
        *good = next; /* the first ever: nothing is known before it */
        return emit(series, next.at, next.seen_uj, true);
    }
    if (growth_between(counter, good, raw, &growth_uj)) {
        next.seen_uj += growth_uj;
    } else if (is_out_of_order(counter, good, raw)) {
        next.raw_uj = good->raw_uj;
    } else if (refused->has && growth_between(counter, refused, raw, &growth_uj)) {
        /* two refused readings agree: the counter began anew, and up to the first is a gap */
        rc = emit(series, refused->at, good->seen_uj, true);
        next.seen_uj += growth_uj;
    } else {
        *refused = next;
        return 0;
    }
    *good = next;
    refused->has = false;
    return rc < 0 ? rc : emit(series, next.at, next.seen_uj, false);
}

int counter_unwrap(struct counter *counter)
{
    struct reading good = counter->good, refused = counter->refused;
    int rc = 0;

    if (!counter->stale)
        return 0;
    series_clear(&counter->series);
    for (size_t i = 0; i < counter->raws.count && rc == 0; i++)
        rc = judge(counter, &good, &refused, &counter->raws.points[i], &counter->series);
    counter->stale = false;
    return rc;
}

/* Readings up to `at` become part of good and refused, and are forgotten. */
static void commit_readings(struct counter *counter, uint64_t at)
{
    struct series *raws = &counter->raws;
    size_t gone = 0;

    for (; gone < raws->count && raws->points[gone].at <= at; gone++)
        (void)judge(counter, &counter->good, &counter->refused, &raws->points[gone], NULL);
    if (gone) /* there may be no array yet */
        memmove(raws->points, raws->points + gone, (raws->count - gone) * sizeof(*raws->points));
    raws->count -= gone;
}

void counter_advance(struct counter *counter, uint64_t at)
{
    series_advance(&counter->series, at, true);
    commit_readings(counter, at);
}

void counter_free(struct counter *counter)
{
    series_free(&counter->raws);
    series_free(&counter->series);
}

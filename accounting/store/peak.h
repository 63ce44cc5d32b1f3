/*
 * peak.h - what a job's peak power is: its highest minute
 *
 * The power of a minute is its energy over all nodes and components, over the longest time that one
 * of them was metered in it. A part of a minute below 10 s is not power but the noise of its edges:
 * it counts only where there is no longer one. Of equals the earlier is the peak.
 */
#ifndef CARBON_STORE_PEAK_H
#define CARBON_STORE_PEAK_H

#include <stdbool.h>
#include <stdint.h>

#define PEAK_SPAN_MS 10000

struct peak {
    int64_t mw, minute_s, span_ms;
};

/* Columns of a minute of `power`, for rows with span_ms > 0 that are grouped by job and minute. */
#define PEAK_COLUMNS \
    "CAST(SUM(energy_mj) AS BIGINT) * 1000 / MAX(span_ms), minute_s, MAX(span_ms)"

static inline bool peak_is_higher(const struct peak *peak, const struct peak *than)
{
    bool longer = peak->span_ms >= PEAK_SPAN_MS, than_longer = than->span_ms >= PEAK_SPAN_MS;

    if (longer != than_longer)
        return longer;
    return peak->mw > than->mw || (peak->mw == than->mw && peak->minute_s < than->minute_s);
}

#endif

/*
 * emissions.h - CodeCarbon's emissions.csv: what it counted of a process or machine, a row each run
 *
 * Columns are found by name, as versions 2.0 to 3.x write them (docs/method.md says what their
 * figures rest on); others are passed over. Energies contain the PUE that the row names, and are
 * given here without it: at the machine.
 */
#ifndef CARBON_CARBON_EMISSIONS_H
#define CARBON_CARBON_EMISSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct emissions_row {
    unsigned line;          /* of the file */
    int64_t end_s;          /* its timestamp, when it was written */
    char timestamp[40], run_id[64], version[24], country[16], tracking_mode[16];
    double duration_s;
    double cpu_kwh, memory_kwh, gpu_kwh; /* at the machine, as total_kwh */
    double total_kwh;
    double emissions_g;     /* of total_kwh x pue */
    double pue;             /* 1 where the file has none */
    double cpu_w, memory_w; /* as it says: of its last interval, or the mean */
    double cpu_count, gpu_count; /* 0: not said */
};

/*
 * All rows of the text; `name` is the file's, for messages. A timestamp without an offset from UTC
 * is in this zone (TZ). -EBADMSG "NAME:LINE: COLUMN: …"; -ENOMEM. *ret is malloc'ed, untouched on
 * failure.
 */
MUST_CHECK int emissions_parse(const char *text, const char *name, struct emissions_row **ret,
                               size_t *ret_count, struct error *err);

/* Add a row that follows in time to a sum: amounts and duration add up, the rest is the later's. */
void emissions_add(struct emissions_row *sum, const struct emissions_row *row);

#endif

/*
 * compare.h - a job's figures beside CodeCarbon's of the same job, and what the difference rests on
 *
 * Differences are slurm-carbon's figure minus CodeCarbon's. The reasons add up to them, with what
 * nothing in the data explains as one of them. Energy is at the machines; a kWh is worth in grams
 * what CodeCarbon took it for, and what its PUE and intensity differ by has reasons of its own:
 *
 *     ours - theirs = (E - E') x PUE' x I' + E x (PUE - PUE') x I' + E x PUE x (I - I')
 */
#ifndef CARBON_REPORT_COMPARE_H
#define CARBON_REPORT_COMPARE_H

#include "carbon/emissions.h"
#include "report/row.h"

/* A figure of both; an unknown one is not `has`. */
struct compare_figure {
    bool has_theirs, has_ours;
    double theirs, ours;
};

#define COMPARE_REASONS_MAX 12
struct compare_reason {
    const char *key;     /* "span", "cpu", …: for programs */
    char words[200];
    bool has_energy;     /* else it is of grams alone */
    double energy_kwh, mass_g;
};

struct comparison {
    struct compare_figure cpu_kwh, memory_kwh, gpu_kwh, other_kwh, total_kwh, duration_s, pue,
        intensity_g_per_kwh, operational_g, embodied_g, total_g;
    double difference_kwh, difference_g; /* of total_kwh, and of what is known of the mass */
    bool has_difference_g;
    struct compare_reason reasons[COMPARE_REASONS_MAX]; /* the greatest first */
    size_t n_reasons;
};

/*
 * The job's row and what CodeCarbon counted of it: one row, or the sum of rows that follow each
 * other. The energy of the job is known (usage->has).
 */
void compare(const struct row *row, const struct emissions_row *theirs, struct comparison *ret);

#endif

#include "report_samples.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/apportion.h"

#define DAY_S 86400
#define OCTOBER_S INT64_C(1790812800) /* 2026-10-01T00:00:00Z */
#define NOVEMBER_S (OCTOBER_S + 31 * DAY_S)
#define KG UINT64_C(1000000)          /* milligrams */
#define KWH UINT64_C(3600000000)      /* millijoules */
#define PUE_PPM 1250000
#define G_PER_KWH 57

const char *const sample_names[] = {
    "month", "accounts60", "empty", "nozone", "noinventory", "nothing", "oneaccount", "hostile",
    "day", "holes", "spread", "planned", "underrecovered", "sofar", "zero", NULL,
};

/* --- lines of jobs ---------------------------------------------------------------------------- */

/* The energy of line i of a group; odd numbers, so that nothing adds up by luck. */
static struct amounts amounts_of(uint64_t jobs, uint64_t active_kwh)
{
    struct amounts amounts = {
        .jobs = jobs,
        .active_mj = active_kwh * KWH + active_kwh * 977,
        .idle_mj = active_kwh * KWH * 34 / 100 + 13,
        .metered_ms = jobs * 3500000, .elapsed_ms = jobs * 3600000, .gap_ms = jobs * 100000,
        .gpu_ms = active_kwh * 5000000, .core_ms = active_kwh * 90000000,
    };

    amounts.measured_mj = amounts.active_mj + amounts.idle_mj / 3;
    amounts.modelled_mj = amounts.idle_mj - amounts.idle_mj / 3;
    amounts.active_mg = amounts.active_mj / 3600 / 1000 * G_PER_KWH;
    amounts.idle_mg = amounts.idle_mj / 3600 / 1000 * G_PER_KWH;
    amounts.overhead_mg = (amounts.active_mg + amounts.idle_mg) / 4;
    amounts.embodied.central = active_kwh * 21713;
    amounts.embodied.low = amounts.embodied.central * 8 / 10;
    amounts.embodied.high = amounts.embodied.central * 16 / 10;
    return amounts;
}

static void add(struct amounts *sum, const struct amounts *more)
{
    sum->jobs += more->jobs;
    sum->active_mj += more->active_mj;
    sum->idle_mj += more->idle_mj;
    sum->measured_mj += more->measured_mj;
    sum->modelled_mj += more->modelled_mj;
    sum->metered_ms += more->metered_ms;
    sum->elapsed_ms += more->elapsed_ms;
    sum->gap_ms += more->gap_ms;
    sum->gpu_ms += more->gpu_ms;
    sum->core_ms += more->core_ms;
    sum->active_mg += more->active_mg;
    sum->idle_mg += more->idle_mg;
    sum->overhead_mg += more->overhead_mg;
    sum->spread_mg += more->spread_mg;
    sum->embodied.low += more->embodied.low;
    sum->embodied.central += more->embodied.central;
    sum->embodied.high += more->embodied.high;
    sum->missing_embodied += more->missing_embodied;
}

struct seed {
    const char *name;
    unsigned depth;
    uint64_t jobs, active_kwh;
};

static void group(struct report_group *group, struct report_line *lines, const struct seed *seeds,
                  size_t count)
{
    group->lines = lines;
    group->count = count;
    for (size_t i = 0; i < count; i++)
        lines[i] = (struct report_line){ .name = (char *)seeds[i].name, .depth = seeds[i].depth,
                                         .own = amounts_of(seeds[i].jobs, seeds[i].active_kwh) };
    for (size_t i = 1; i < count; i++) {
        size_t above = i;

        while (above > 0 && lines[above - 1].depth >= lines[i].depth)
            above--;
        lines[i].parent = above > 0 ? lines[above - 1].name : NULL;
    }
    for (size_t i = 0; i < count; i++) {
        lines[i].tree = lines[i].own;
        for (size_t j = i + 1; j < count && lines[j].depth > lines[i].depth; j++)
            add(&lines[i].tree, &lines[j].own);
    }
}

#define GROUP(sample, field, seeds) \
    group(&(sample)->report.field, (sample)->field, seeds, sizeof(seeds) / sizeof((seeds)[0]))

#define FIELDS (sizeof(struct amounts) / sizeof(uint64_t)) /* all of them are such */

/* Divide all jobs by weights, field by field, so that each adds up. */
static void divide(struct report_group *group, struct report_line *lines,
                   const struct amounts *all, const char *const *names, const uint64_t *weights,
                   size_t count)
{
    uint64_t fields[FIELDS], parts[FIELDS][SAMPLE_LINES];

    memcpy(fields, all, sizeof(fields));
    for (size_t i = 0; i < FIELDS; i++)
        (void)apportion(fields[i], weights, count, parts[i]);
    for (size_t line = 0; line < count; line++) {
        for (size_t i = 0; i < FIELDS; i++)
            fields[i] = parts[i][line];
        lines[line] = (struct report_line){ .name = (char *)names[line] };
        memcpy(&lines[line].own, fields, sizeof(fields));
        lines[line].tree = lines[line].own;
    }
    group->lines = lines;
    group->count = count;
}

static void month_accounts(struct sample *sample)
{
    static const struct seed accounts[] = {
        { "root", 0, 3, 11 }, { "science", 1, 0, 0 }, { "climate", 2, 812, 41207 },
        { "astro", 2, 1204, 17433 }, { "chemistry", 2, 5210, 9811 },
        { "engineering", 1, 40, 311 }, { "turbines", 2, 322, 26110 },
        { "cfd-teaching", 2, 980, 502 },
        { "industry", 1, 77, 7302 }, { "", 0, 12, 54 },
    };

    GROUP(sample, accounts, accounts);
}

static void one_account(struct sample *sample)
{
    static const struct seed accounts[] = { { "only", 0, 812, 41207 } };

    GROUP(sample, accounts, accounts);
}

static void many_accounts(struct sample *sample)
{
    struct seed seeds[60];

    for (unsigned i = 0; i < 60; i++) {
        snprintf(sample->names[i], sizeof(sample->names[i]), "project-%03u", i * 37 % 60);
        seeds[i] = (struct seed){ sample->names[i], 0, 10 + i * 7,
                                  1 + 41000 / (i + 3) / (i / 9 + 1) };
    }
    seeds[59].active_kwh = 0;
    GROUP(sample, accounts, seeds);
}

static void hostile_accounts(struct sample *sample)
{
    static const struct seed seeds[] = {
        { "</title><script>alert(1)</script>", 0, 1, 4000 },
        { "\"><img src=x onerror=alert(1)>", 0, 1, 3000 },
        { "a&b;&lt;'quoted'", 0, 1, 2000 },
        { "esc\033[31mred\033[0m\r\nnext\ttab\x7f", 0, 1, 1500 },
        { "turned \xe2\x80\xaetxt.exe", 0, 1, 1200 },
        { "broken \xff\xfe utf-8 \xc3", 0, 1, 1000 },
        { "not XML \xef\xbf\xbf", 0, 1, 900 },
        { "\xe8\xb6\x85\xe7\xae\x97\xe4\xb8\xad\xe5\xbf\x83\xe7\x9a\x84\xe6\xb0\x94\xe5\x80\x99"
          "\xe6\xa8\xa1\xe6\x8b\x9f\xe9\xa1\xb9\xe7\x9b\xae", 0, 1, 800 },
        { "\xd7\xa2\xd7\x91\xd7\xa8\xd7\x99\xd7\xaa", 0, 1, 700 },
        { "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
          0, 1, 600 },
        { "an_account_whose_name_goes_on_and_on_without_any_blank_because_a_script_made_it_from_"
          "the_titles_of_seven_grants_and_nobody_ever_read_it_aloud_or_printed_it", 0, 1, 500 },
    };

    GROUP(sample, accounts, seeds);
}

/* --- the rest of a report --------------------------------------------------------------------- */

static void fill_period(struct sample *sample, int64_t from_s, int64_t to_s)
{
    sample->report.basis = &sample->basis;
    sample->report.period = (struct period){ "aurora", from_s, to_s };
    sample->report.has_grams = true;
    sample->report.pue_ppm = PUE_PPM;
    sample->report.ug_per_kwh = G_PER_KWH * 1000000;
}

static void fill_basis(struct sample *sample)
{
    struct basis *basis = &sample->basis;

    basis->set = (struct factor_set){ 7, OCTOBER_S + 9 * DAY_S + 3600, "carbonctl grid import" };
    basis->mode = MODE_CAPACITY;
    basis->utilisation_ppm = 850000;
    basis->has_inventory = true;
    basis->grid = (struct grid){
        .has_intensity = true, .zone = "FR", .name = "France", .basis = "lifecycle",
        .scope = "consumption", .source = "Electricity Maps 2026, FR, hourly",
        .annual = sample->annual, .n_annual = 1, .intervals = &sample->interval, .n_intervals = 1,
        .pue_ppm = PUE_PPM, .pues = &sample->pue, .n_pues = 1,
    };
    sample->annual[0] = (struct intensity){
        "FR", "France", "lifecycle",
        "Ember yearly electricity data 2024, lifecycle, generation-based, CC BY 4.0", 2024, 44180000
    };
    sample->interval = (struct grid_interval){ OCTOBER_S, NOVEMBER_S, 57000000, false };
    sample->pue = (struct pue_period){ OCTOBER_S - 273 * DAY_S, OCTOBER_S + 92 * DAY_S, PUE_PPM,
                                       "facility meters 2025, operations report" };
}

static void fill_assets(struct sample *sample)
{
    static const struct asset assets[] = {
        { .name = "server", .class = ASSET_GPU, .count = 1, .low_mg = 2200 * KG,
          .central_mg = 2500 * KG, .high_mg = 2561 * KG, .lifetime_h = 6 * 8760,
          .source = "HPE product carbon footprint, as used by Luccioni et al. 2022" },
        { .name = "A100 SXM4 40GB", .class = ASSET_GPU, .count = 8, .low_mg = 1276 * KG / 10,
          .central_mg = 150 * KG, .high_mg = 2734 * KG / 10, .lifetime_h = 6 * 8760,
          .source = "150: Luccioni et al. 2022, arXiv 2211.02001; 127.6: Falk et al. 2025" },
        { .name = "dual-socket node", .class = ASSET_CPU, .count = 1, .low_mg = 900 * KG,
          .central_mg = 1313 * KG, .high_mg = 1700 * KG, .lifetime_h = 5 * 8760,
          .source = "Boavizta formulas on the bill of materials" },
        { .name = "switches", .class = ASSET_SHARED, .count = 12, .low_mg = 200 * KG,
          .central_mg = 280 * KG, .high_mg = 400 * KG, .lifetime_h = 6 * 8760,
          .source = "vendor's carbon footprint" },
    };
    static const uint64_t pieces[] = { 48, 384, 96, 12 };
    struct inventory *inventory = &sample->basis.inventory;

    memcpy(sample->assets, assets, sizeof(assets));
    sample->node_types[0] = (struct node_type){ .name = "gpu", .assets = sample->assets,
                                                .n_assets = 2, .gpus = 8 };
    sample->node_types[1] = (struct node_type){ .name = "cpu", .assets = &sample->assets[2],
                                                .n_assets = 1, .cores = 128 };
    inventory->types = sample->node_types;
    inventory->n_types = 2;
    inventory->shared = &sample->assets[3];
    inventory->n_shared = 1;
    for (size_t i = 0; i < 4; i++) {
        uint64_t rate = pieces[i] * 744;

        sample->parts[i] = (struct asset_part){
            .asset = &sample->assets[i], .type = i < 2 ? 0 : i == 2 ? 1 : -1,
            .pieces = pieces[i], .service_ms = pieces[i] * 744 * 3600000,
            .amount = { assets[i].low_mg * rate / assets[i].lifetime_h,
                        assets[i].central_mg * rate / assets[i].lifetime_h,
                        assets[i].high_mg * rate / assets[i].lifetime_h },
        };
    }
    sample->parts[1].acquired = (struct range_mg){ 8 * 128 * KG, 8 * 150 * KG, 8 * 273 * KG };
    sample->parts[3].amortised_pieces = 2;
    sample->report.embodied.parts = sample->parts;
    sample->report.embodied.n_parts = 4;
    sample->report.embodied.acquired = sample->parts[1].acquired;
    sample->report.fully_amortised_pieces = 2;
}

static void fill_cluster(struct sample *sample)
{
    struct period_report *report = &sample->report;

    report->jobs = (struct amounts){ 0 };
    for (size_t i = 0; i < report->accounts.count; i++)
        add(&report->jobs, &report->accounts.lines[i].own);
    report->active_mj = report->jobs.active_mj;
    report->idle_mj = report->jobs.idle_mj;
    report->system_mj = 612 * KWH + 5;
    report->unallocated_mj = 19807 * KWH + 77;
    report->measured_mj = report->jobs.measured_mj + report->unallocated_mj;
    report->modelled_mj = report->jobs.modelled_mj + report->system_mj;
    report->metered_ms = report->jobs.metered_ms;
    report->elapsed_ms = report->jobs.elapsed_ms;
    report->gap_ms = report->jobs.gap_ms;
    report->system_mg = 612 * 57000 + 1;
    report->unallocated_mg = UINT64_C(19807) * 57000 + 3;
    report->system_overhead_mg = report->system_mg / 4;
    report->unallocated_overhead_mg = report->unallocated_mg / 4;
    report->unallocated_embodied = (struct range_mg){ 702 * KG, 911 * KG + 7, 1460 * KG };
    report->hours = 744;
    report->annual_hours = 26;
    report->estimated_hours = 3;
}

/* The cluster's totals, after whatever a sample changed (P1, P2). */
static void close_books(struct sample *sample)
{
    struct period_report *report = &sample->report;
    const struct range_mg *written_off = &report->embodied.written_off;
    uint64_t operational_mg;

    report->counted_mj = report->active_mj + report->idle_mj + report->system_mj +
                         report->unallocated_mj;
    operational_mg = report->jobs.active_mg + report->jobs.idle_mg + report->jobs.overhead_mg +
                     report->jobs.spread_mg + report->system_mg + report->system_overhead_mg +
                     report->unallocated_mg + report->unallocated_overhead_mg;
    report->scope2_location_mg = operational_mg;
    report->total_mg = operational_mg + report->jobs.embodied.central +
                       report->unallocated_embodied.central + written_off->central -
                       (uint64_t)report->recovery_mg;
    report->total = (struct range_mg){
        operational_mg + report->jobs.embodied.low + report->unallocated_embodied.low +
            written_off->low,
        report->total_mg,
        operational_mg + report->jobs.embodied.high + report->unallocated_embodied.high +
            written_off->high,
    };
}

static void divide_jobs(struct sample *sample)
{
    static const char *const users[] = { "mueller", "okafor", "li", "garcia", "tanaka",
                                         "svensson" };
    static const char *const partitions[] = { "gpu", "cpu", "debug" };
    static const char *const states[] = { "COMPLETED", "TIMEOUT", "FAILED", "CANCELLED", "RUNNING",
                                          "NODE_FAIL" };
    static const uint64_t user_weights[] = { 388, 240, 199, 120, 72, 7 };
    static const uint64_t partition_weights[] = { 802, 224, 1 };
    static const uint64_t state_weights[] = { 8810, 801, 430, 183, 48, 1 };
    struct period_report *report = &sample->report;

    if (report->jobs.jobs == 0)
        return;
    divide(&report->users, sample->users, &report->jobs, users, user_weights, 6);
    divide(&report->partitions, sample->partitions, &report->jobs, partitions, partition_weights,
           3);
    divide(&report->states, sample->states, &report->jobs, states, state_weights, 6);
}

static void fill_types(struct sample *sample)
{
    struct period_report *report = &sample->report;

    uint64_t weights[] = { 750, 201, 49 }, mj[3], mg[3];

    (void)apportion(report->counted_mj, weights, 3, mj);
    (void)apportion(report->scope2_location_mg, weights, 3, mg);
    sample->types[0] = (struct report_type){
        .name = (char *)"gpu", .pool = POOL_GPU, .nodes = 48, .used_ms = UINT64_C(714230000),
        .available_ms = UINT64_C(1028505600), .embodied = { 0, 2141 * KG, 0 },
    };
    sample->types[1] = (struct report_type){
        .name = (char *)"cpu", .pool = POOL_CPU, .nodes = 96, .used_ms = UINT64_C(19230000000),
        .available_ms = UINT64_C(32910000000), .embodied = { 0, 940 * KG, 0 },
    };
    sample->types[2] = (struct report_type){ .name = (char *)"", .pool = POOL_CPU, .nodes = 2 };
    for (size_t i = 0; i < 3; i++) {
        sample->types[i].counted_mj = mj[i];
        sample->types[i].operational_mg = mg[i];
    }
    report->types = sample->types;
    report->n_types = 3;
}

static void fill_top(struct sample *sample)
{
    static const char *const names[] = { "cmip7-historical-r1i1p1f1", "les-turbine", "train",
                                         "gromacs", NULL, "sweep" };
    struct period_report *report = &sample->report;

    for (size_t i = 0; i < SAMPLE_TOP; i++) {
        struct report_job *job = &sample->top[i];

        snprintf(job->job_id, sizeof(job->job_id), "%zu_%zu", 48117 + i * 31, i);
        job->job.name = names[i % 6];
        job->job.user = report->users.lines[i % report->users.count].name;
        job->job.account = report->accounts.lines[i % report->accounts.count].name;
        job->state = i % 4 == 1 ? "TIMEOUT" : "COMPLETED";
        job->amounts = amounts_of(1, 9000 / (i + 2));
    }
    report->top = sample->top;
    report->n_top = SAMPLE_TOP;
}

/* More on weekdays, less when the wind blows; no pattern that repeats. */
static void fill_days(struct sample *sample, size_t count)
{
    struct period_report *report = &sample->report;
    uint64_t weights[SAMPLE_DAYS], mj[SAMPLE_DAYS], grams[SAMPLE_DAYS], mg[SAMPLE_DAYS];
    uint64_t intensity = 52;

    for (size_t i = 0; i < count; i++) {
        weights[i] = 70 + (i * 29 + i * i * 7) % 31 - ((i + 3) % 7 > 4 ? 22 : 0);
        intensity += (i * i * 13 + i * 5) % 17;
        intensity -= 8;
        grams[i] = weights[i] * intensity;
        sample->days[i] = (struct report_day){
            .day_s = report->period.from_s + (int64_t)i * DAY_S, .hours = 24,
            .ug_per_kwh = report->has_grams ? intensity * 1000000 : 0,
            .annual_hours = i == 12 ? 24 : i == 13 ? 2 : 0,
        };
    }
    (void)apportion(report->counted_mj, weights, count, mj);
    (void)apportion(report->scope2_location_mg, grams, count, mg);
    for (size_t i = 0; i < count; i++) {
        sample->days[i].counted_mj = mj[i];
        sample->days[i].operational_mg = mg[i];
    }
    report->days = sample->days;
    report->n_days = count;
}

static int64_t months_before(int64_t month_s, int months)
{
    time_t instant = (time_t)month_s;
    struct tm tm = { 0 };

    gmtime_r(&instant, &tm);
    tm.tm_mon -= months;
    return (int64_t)timegm(&tm);
}

static void fill_trend(struct sample *sample)
{
    static const uint64_t percents[] = { 81, 88, 84, 60, 92, 97, 105, 101, 96, 88, 74, 91, 100 };
    struct period_report *report = &sample->report;

    for (size_t i = 0; i < SAMPLE_MONTHS; i++) {
        struct report_month *month = &sample->trend[i];
        uint64_t percent = percents[i];

        month->month_s = months_before(OCTOBER_S, SAMPLE_MONTHS - 1 - (int)i);
        month->has = report->counted_mj > 0 || report->total_mg > 0;
        month->counted_mj = report->counted_mj / 100 * percent;
        month->measured_mj = report->measured_mj / 100 * percent;
        month->active_mg = report->jobs.active_mg / 100 * percent;
        month->idle_mg = report->jobs.idle_mg / 100 * percent;
        month->system_mg = report->system_mg / 100 * percent;
        month->unallocated_mg = report->unallocated_mg / 100 * percent;
        month->overhead_mg = (report->jobs.overhead_mg + report->system_overhead_mg +
                              report->unallocated_overhead_mg) / 100 * percent;
        month->embodied.central = report->total_mg - report->scope2_location_mg;
        month->total_mg = month->active_mg + month->idle_mg + month->system_mg +
                          month->unallocated_mg + month->overhead_mg + month->embodied.central;
    }
    sample->trend[SAMPLE_MONTHS - 1].total_mg = report->total_mg;
    report->trend = sample->trend;
    report->n_trend = SAMPLE_MONTHS;
}

/* --- what makes each sample ------------------------------------------------------------------- */

static bool is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

static void without_grams(struct amounts *amounts)
{
    amounts->active_mg = amounts->idle_mg = amounts->overhead_mg = 0;
}

static void without_zone(struct sample *sample)
{
    struct period_report *report = &sample->report;

    report->has_grams = false;
    report->ug_per_kwh = 0;
    sample->basis.grid.has_intensity = false;
    report->system_mg = report->unallocated_mg = 0;
    report->system_overhead_mg = report->unallocated_overhead_mg = 0;
    without_grams(&report->jobs);
    for (size_t i = 0; i < SAMPLE_LINES; i++) {
        without_grams(&sample->accounts[i].own);
        without_grams(&sample->accounts[i].tree);
    }
}

static void without_inventory(struct sample *sample)
{
    struct period_report *report = &sample->report;

    sample->basis.has_inventory = false;
    report->unallocated_embodied = report->jobs.embodied = (struct range_mg){ 0, 0, 0 };
    report->embodied = (struct embodied_period){ 0 };
    for (size_t i = 0; i < SAMPLE_LINES; i++) {
        sample->accounts[i].own.embodied = (struct range_mg){ 0, 0, 0 };
        sample->accounts[i].tree.embodied = (struct range_mg){ 0, 0, 0 };
    }
}

static void without_jobs(struct sample *sample)
{
    struct period_report *report = &sample->report;

    report->accounts.count = 0;
    report->jobs = (struct amounts){ 0 };
    report->active_mj = report->idle_mj = 0;
}

static void spread(struct sample *sample)
{
    struct period_report *report = &sample->report;
    uint64_t left_mg = report->unallocated_mg + report->unallocated_overhead_mg;

    sample->basis.spread_idle = true;
    report->unallocated_mg = report->unallocated_overhead_mg = 0;
    for (size_t i = 0; i < report->accounts.count; i++) {
        struct amounts *own = &report->accounts.lines[i].own;

        own->spread_mg = i + 1 == report->accounts.count ? left_mg : left_mg / 3;
        left_mg -= own->spread_mg;
        report->accounts.lines[i].tree.spread_mg = own->spread_mg; /* of a flat list */
        report->jobs.spread_mg += own->spread_mg;
    }
}

static void planned(struct sample *sample, int64_t recovery_mg)
{
    sample->basis.mode = MODE_PLANNED;
    sample->report.unallocated_embodied = (struct range_mg){ 0, 0, 0 };
    sample->report.recovery_mg = recovery_mg;
}

static void with_notes(struct sample *sample)
{
    for (size_t i = 0; i < 2; i++)
        sample->unknown_names[i] = sample->names[i];
    snprintf(sample->names[0], sizeof(sample->names[0]), "login1");
    snprintf(sample->names[1], sizeof(sample->names[1]), "login2");
    sample->report.unknown_nodes = (struct hostlist){ sample->unknown_names, 2 };
    sample->report.jobs.missing_embodied = 4;
    sample->report.accounts.lines[0].own.missing_embodied = 4;
    sample->report.accounts.lines[0].tree.missing_embodied = 4;
    sample->report.embodied.written_off = (struct range_mg){ 100 * KG, 141 * KG, 200 * KG };
    sample->parts[2].written_off = sample->report.embodied.written_off;
    sample->report.has_market = true;
    sample->report.scope2_market_mg = sample->report.total_mg / 9 + 211 * KG;
}

static void nothing_at_all(struct sample *sample)
{
    struct period_report *report = &sample->report;

    *report = (struct period_report){ .period = report->period, .basis = report->basis,
                                      .has_grams = true };
}

static void before_books(const char *name, struct sample *sample)
{
    if (is(name, "nozone") || is(name, "nothing"))
        without_zone(sample);
    if (is(name, "noinventory") || is(name, "nothing"))
        without_inventory(sample);
    if (is(name, "empty"))
        without_jobs(sample);
    if (is(name, "spread"))
        spread(sample);
    if (is(name, "planned"))
        planned(sample, (int64_t)(303 * KG));
    if (is(name, "underrecovered"))
        planned(sample, -(int64_t)(1203 * KG));
    if (is(name, "month"))
        with_notes(sample);
}

/* Little used, nearly all, far over, unknown in part, of an account that nothing knows, energy. */
static void fill_budgets(struct sample *sample)
{
    static const uint64_t percents[SAMPLE_BUDGETS] = { 3, 99, 412, 60, 0, 130 };
    struct period_report *report = &sample->report;
    struct budget_uses *uses = &report->budgets;

    *uses = (struct budget_uses){ sample->budget_uses, SAMPLE_BUDGETS, true, OCTOBER_S - DAY_S };
    for (size_t i = 0; i < SAMPLE_BUDGETS; i++) {
        const char *name = report->accounts.lines[i % report->accounts.count].name;
        struct budget *budget = &sample->budgets[i];
        struct budget_use *use = &sample->budget_uses[i];

        *budget = (struct budget){ .is_yearly = i % 2 == 0, .co2e_mg = i < 5 ? 1500 * KG : 0,
                                   .energy_mj = i < 5 ? 0 : 40000 * KWH };
        snprintf(budget->account, sizeof(budget->account), "%.63s", name);
        *use = (struct budget_use){
            .budget = budget, .from_s = budget->is_yearly ? OCTOBER_S - 273 * DAY_S : OCTOBER_S,
            .to_s = report->period.to_s, .end_s = NOVEMBER_S, .is_known = i != 4,
            .has_grams = report->has_grams, .energy_mj = 400 * KWH * percents[i],
            .measured_mj = 399 * KWH * percents[i], .modelled_mj = KWH * percents[i],
            .metered_ms = 99 * percents[i], .elapsed_ms = 100 * percents[i],
            .gap_ms = percents[i], .operational_mg = 10 * KG * percents[i],
            .embodied = { 4 * KG * percents[i], 5 * KG * percents[i], 6 * KG * percents[i] },
            .missing_embodied = i == 3,
        };
        snprintf(use->label, sizeof(use->label), "%s", budget->is_yearly ? "2026" : "2026-10");
    }
}

/* A day without energy: another has it. */
static void move_day(struct sample *sample, size_t from, size_t to)
{
    struct report_day *day = &sample->days[from];

    sample->days[to].counted_mj += day->counted_mj;
    sample->days[to].operational_mg += day->operational_mg;
    *day = (struct report_day){ .day_s = day->day_s };
}

static void after_books(const char *name, struct sample *sample)
{
    if (is(name, "holes")) {
        for (size_t i = 0; i < 7; i++)
            sample->trend[i] = (struct report_month){ .month_s = sample->trend[i].month_s };
        sample->trend[9] = (struct report_month){ .month_s = sample->trend[9].month_s };
        sample->trend[7].counted_mj = sample->trend[7].measured_mj = 0;
        sample->trend[7].active_mg = sample->trend[7].idle_mg = sample->trend[7].system_mg = 0;
        sample->trend[7].unallocated_mg = sample->trend[7].overhead_mg = 0;
        sample->trend[7].total_mg = sample->trend[7].embodied.central;
        for (size_t i = 9; i < 15; i++)
            move_day(sample, i, 20);
        move_day(sample, 0, 1);
        sample->days[11].counted_mj = sample->days[1].counted_mj / 100; /* alone, between holes */
        sample->days[11].ug_per_kwh = 50000000;
        sample->days[1].counted_mj -= sample->days[11].counted_mj;
    }
    if (is(name, "zero")) {
        sample->report.n_types = 0;
        sample->report.ug_per_kwh = sample->report.pue_ppm = 0;
        for (size_t i = 0; i < SAMPLE_DAYS; i++)
            sample->days[i] = (struct report_day){ .day_s = sample->days[i].day_s };
    }
    if (is(name, "sofar"))
        sample->report.so_far = true;
    if (is(name, "month") || is(name, "accounts60") || is(name, "hostile") || is(name, "nozone"))
        fill_budgets(sample);
}

void sample_make(const char *name, struct sample *ret)
{
    int64_t to_s = is(name, "day") ? OCTOBER_S + DAY_S
                 : is(name, "sofar") ? OCTOBER_S + 11 * DAY_S + 13 * 3600 : NOVEMBER_S;

    memset(ret, 0, sizeof(*ret));
    fill_period(ret, OCTOBER_S, to_s);
    fill_basis(ret);
    fill_assets(ret);
    month_accounts(ret);
    if (is(name, "accounts60"))
        many_accounts(ret);
    if (is(name, "hostile"))
        hostile_accounts(ret);
    if (is(name, "spread"))
        many_accounts(ret);
    if (is(name, "oneaccount"))
        one_account(ret);
    fill_cluster(ret);
    before_books(name, ret);
    if (is(name, "zero"))
        nothing_at_all(ret);
    close_books(ret);
    divide_jobs(ret);
    if (ret->report.jobs.jobs > 0)
        fill_top(ret);
    fill_types(ret);
    fill_days(ret, is(name, "day") ? 1 : is(name, "sofar") ? 12 : SAMPLE_DAYS);
    fill_trend(ret);
    after_books(name, ret);
}

/*
 * carbonctl compare: a job beside what CodeCarbon counted of it, and why the two differ
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/emissions.h"
#include "cli/carbonctl.h"
#include "cli/jobid.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/timespec.h"
#include "report/compare.h"
#include "report/job_rows.h"
#include "report/json_doc.h"

#define FILE_SIZE_MAX (16u << 20)
#define FAR_S INT64_C(9000000000) /* after any job */
#define SLACK_S 5 /* of two clocks, and of a timestamp that is written after the work */
#define CELL_SIZE 40
#define UG_PER_G 1e6
#define MJ_PER_KWH_D ((double)MJ_PER_KWH)

struct compare_run {
    const char *file, *job, *run_id;
    bool json;
    struct emissions_row *rows; /* of the file, then those of the job's run alone */
    size_t n_rows;
    struct emissions_row sum;   /* of the latter */
    struct query_result result;
    struct comparison comparison;
    struct error *err;
};

/* --- CodeCarbon's side ------------------------------------------------------------------------ */

static bool is_wanted(const struct compare_run *run, const struct emissions_row *row)
{
    return !run->run_id || strncmp(row->run_id, run->run_id, strlen(run->run_id)) == 0;
}

/* Of rows of one tracker, each of which holds what those before it do, the last. */
static void keep_wanted(struct compare_run *run)
{
    size_t kept = 0;

    for (size_t i = 0; i < run->n_rows; i++) {
        bool superseded = false;

        for (size_t k = i + 1; !superseded && k < run->n_rows; k++)
            superseded = strcmp(run->rows[i].run_id, run->rows[k].run_id) == 0;
        if (!superseded && is_wanted(run, &run->rows[i]))
            run->rows[kept++] = run->rows[i];
    }
    run->n_rows = kept;
}

static int read_file(struct compare_run *run)
{
    char *text = NULL;
    size_t len;
    int rc = file_read(AT_FDCWD, run->file, FILE_SIZE_MAX, &text, &len, run->err);

    if (rc == 0 && strlen(text) != len)
        rc = error_set(run->err, -EBADMSG, "%s: holds a NUL byte: it is no emissions.csv",
                       run->file);
    if (rc == 0)
        rc = emissions_parse(text, run->file, &run->rows, &run->n_rows, run->err);
    free(text);
    if (rc < 0)
        return rc;
    keep_wanted(run);
    if (run->n_rows == 0)
        return error_set(run->err, -ENOENT, "%s: no row whose run_id begins with %.60s", run->file,
                         run->run_id);
    return 0;
}

/* --- the job ---------------------------------------------------------------------------------- */

static bool is_named(const struct query_job *job, void *data)
{
    const struct jobid_subject subject = {
        .job_id = job->job_id,
        .array_job_id = job->array_job_id.has ? job->array_job_id.value : -1,
        .array_task_id = job->array_task_id.has ? job->array_task_id.value : -1,
        .het_job_id = job->het_job_id.has ? job->het_job_id.value : -1,
        .het_offset = job->het_offset.has ? job->het_offset.value : -1,
        .sluid = job->sluid,
    };

    return jobid_matches(data, &subject);
}

static bool lies_in(const struct emissions_row *row, const struct query_job *job)
{
    double begin_s = (double)row->end_s - row->duration_s;

    return job->end_s.has && begin_s >= (double)(job->begin_s - SLACK_S) &&
           row->end_s <= job->end_s.value + SLACK_S;
}

static bool has_rows(const struct query_job *job, void *data)
{
    const struct compare_run *run = data;

    for (size_t i = 0; i < run->n_rows; i++)
        if (lies_in(&run->rows[i], job))
            return true;
    return false;
}

static void write_span(char *text, size_t size, int64_t begin_s, int64_t end_s)
{
    char begin[TIMESPEC_SIZE], end[TIMESPEC_SIZE];

    timespec_format(begin_s, NULL, end_s, begin);
    timespec_format(end_s, NULL, end_s, end);
    snprintf(text, size, "%s to %s", begin, end);
}

/* None of the rows is of any of the runs found: say when both were. */
static int refuse_rows(const struct compare_run *run, const struct query_job *job)
{
    const struct emissions_row *row = &run->rows[run->n_rows - 1];
    char rows[2 * TIMESPEC_SIZE + 8], jobs[2 * TIMESPEC_SIZE + 8];

    if (!job->end_s.has)
        return error_set(run->err, -EAGAIN, "job %.60s still runs, or its end is not booked yet: "
                         "compare it when it is over", run->job);
    write_span(rows, sizeof(rows), row->end_s - (int64_t)row->duration_s, row->end_s);
    write_span(jobs, sizeof(jobs), job->begin_s, job->end_s.value);
    return error_set(run->err, -ERANGE, "%s:%u: of %s, outside of job %.60s, %s%s. CodeCarbon's "
                     "times are of its machine's zone: TZ must name it", run->file, row->line, rows,
                     run->job, jobs, run->n_rows > 1 ? "; so is every other row" : "");
}

/* The one run that has rows, of those that the job's name means. */
static int choose_run(struct compare_run *run)
{
    struct query_job *last;
    int rc = 0;

    if (run->result.n_jobs == 0)
        return error_set(run->err, -ENOENT, "job %.60s is unknown: none of its energy has been "
                         "delivered to this database", run->job);
    last = &run->result.jobs[run->result.n_jobs - 1];
    if (!has_rows(last, run)) {
        rc = refuse_rows(run, last);
        query_keep(&run->result, has_rows, run);
        if (run->result.n_jobs == 0)
            return rc;
    }
    query_keep(&run->result, has_rows, run);
    if (run->result.n_jobs > 1)
        return error_set(run->err, -EINVAL, "%s: has rows of %zu jobs or runs that %.60s names: "
                         "name one task, and with --run-id one row", run->file,
                         run->result.n_jobs, run->job);
    return 0;
}

static int find_job(struct compare_run *run, struct store *store)
{
    struct jobid id;
    struct query_filter filter = { .n_job_ids = 0 };
    const char *sluid;
    int rc = jobid_parse(run->job, &id, run->err);

    if (rc < 0)
        return error_prefix(run->err, rc, "--job");
    sluid = id.sluid;
    if (id.sluid[0])
        filter.sluids = (struct query_names){ &sluid, 1 };
    else
        filter.job_ids = &id.job_id, filter.n_job_ids = 1;
    rc = query_jobs(store, &filter, &run->result, run->err);
    if (rc == 0)
        query_keep(&run->result, is_named, &id);
    jobid_clear(&id);
    return rc < 0 ? rc : choose_run(run);
}

/* --- both ------------------------------------------------------------------------------------- */

static int compare_ends(const void *a, const void *b)
{
    const struct emissions_row *x = a, *y = b;

    return x->end_s < y->end_s ? -1 : x->end_s > y->end_s;
}

/* Rows of other times are named and left out; two at once would count the machine twice. */
static int sum_rows(struct compare_run *run)
{
    const struct query_job *job = &run->result.jobs[0];
    const struct emissions_row *last = NULL;

    qsort(run->rows, run->n_rows, sizeof(*run->rows), compare_ends);
    for (size_t i = 0; i < run->n_rows; i++) {
        const struct emissions_row *row = &run->rows[i];

        if (!lies_in(row, job)) {
            complain("compare: %s:%u: of %s, outside of the job: left out", run->file, row->line,
                     row->timestamp);
            continue;
        }
        if (last && (double)row->end_s - row->duration_s < (double)(last->end_s - SLACK_S))
            return error_set(run->err, -EINVAL, "%s: lines %u and %u are of trackers that ran at "
                             "once, and may have counted the same: choose one with --run-id",
                             run->file, last->line, row->line);
        if (!last)
            run->sum = *row;
        else
            emissions_add(&run->sum, row);
        last = row;
    }
    return 0;
}

/* --- printing --------------------------------------------------------------------------------- */

/* One unit, and decimals that give the greater total four digits: what is shown adds up. */
struct shown {
    const struct unit *unit;
    int decimals;
};

static struct shown shown_of(const struct unit *units, double greatest)
{
    struct scale scale = scale_of(units, NULL, greatest);

    return (struct shown){ scale.unit, scale.decimals < 0 ? 0 : scale.decimals + 1 };
}

static long long ticks_of(const struct shown *shown, double amount)
{
    return llround(amount / shown->unit->size * pow(10, shown->decimals));
}

static const char *write_ticks(const struct shown *shown, bool known, bool sign, long long ticks,
                               char cell[CELL_SIZE])
{
    if (!known)
        return "-";
    snprintf(cell, CELL_SIZE, sign && ticks != 0 ? "%+.*f" : "%.*f", shown->decimals,
             (double)ticks * pow(10, -shown->decimals));
    return cell;
}

/* An amount of both, in the smallest unit times `size`. */
static bool add_amount(struct table *table, const char *what, const struct shown *shown,
                       double size, const struct compare_figure *figure)
{
    char label[64], theirs[CELL_SIZE], ours[CELL_SIZE], difference[CELL_SIZE];
    long long ticks[] = { ticks_of(shown, figure->theirs * size),
                          ticks_of(shown, figure->ours * size) };
    bool any = figure->has_theirs || figure->has_ours;
    bool both = figure->has_theirs && figure->has_ours;

    snprintf(label, sizeof(label), "%s, %s", what, shown->unit->name);
    return !any || table_add(table, (const char *const[]){
        label, write_ticks(shown, figure->has_theirs, false, ticks[0], theirs),
        write_ticks(shown, figure->has_ours, false, ticks[1], ours),
        write_ticks(shown, both, true, ticks[1] - ticks[0], difference) });
}

static bool add_number(struct table *table, const char *what, const struct compare_figure *figure)
{
    char theirs[CELL_SIZE] = "-", ours[CELL_SIZE] = "-", difference[CELL_SIZE] = "-";

    if (figure->has_theirs)
        snprintf(theirs, sizeof(theirs), "%.5g", figure->theirs);
    if (figure->has_ours)
        snprintf(ours, sizeof(ours), "%.5g", figure->ours);
    if (figure->has_theirs && figure->has_ours)
        snprintf(difference, sizeof(difference), "%+.5g", figure->ours - figure->theirs);
    return table_add(table, (const char *const[]){ what, theirs, ours, difference });
}

static double greater(const struct compare_figure *figure)
{
    return figure->theirs > figure->ours ? figure->theirs : figure->ours;
}

static bool fill_figures(struct table *table, const struct comparison *found,
                         const struct shown *energy, const struct shown *mass)
{
    return add_amount(table, "CPU", energy, MJ_PER_KWH_D, &found->cpu_kwh) &&
           add_amount(table, "memory", energy, MJ_PER_KWH_D, &found->memory_kwh) &&
           add_amount(table, "GPU", energy, MJ_PER_KWH_D, &found->gpu_kwh) &&
           add_amount(table, "fans, board, power supply", energy, MJ_PER_KWH_D,
                      &found->other_kwh) &&
           add_amount(table, "energy", energy, MJ_PER_KWH_D, &found->total_kwh) &&
           add_number(table, "duration, s", &found->duration_s) &&
           add_number(table, "PUE", &found->pue) &&
           add_number(table, "grid, g/kWh", &found->intensity_g_per_kwh) &&
           add_amount(table, "CO2e of running", mass, UG_PER_G, &found->operational_g) &&
           add_amount(table, "CO2e of making the hardware", mass, UG_PER_G, &found->embodied_g) &&
           add_amount(table, "CO2e in all", mass, UG_PER_G, &found->total_g);
}

/* The last line takes what rounding leaves, so that the column adds up to the difference. */
static bool fill_reasons(struct table *table, const struct comparison *found,
                         const struct shown *energy, const struct shown *mass)
{
    char kwh[CELL_SIZE], g[CELL_SIZE];
    long long left_energy = ticks_of(energy, found->total_kwh.ours * MJ_PER_KWH_D) -
                            ticks_of(energy, found->total_kwh.theirs * MJ_PER_KWH_D);
    const struct compare_figure *total = found->total_g.has_ours ? &found->total_g
                                                                 : &found->operational_g;
    long long left_mass = ticks_of(mass, total->ours * UG_PER_G) -
                          ticks_of(mass, total->theirs * UG_PER_G);
    long long sum_energy = left_energy, sum_mass = left_mass;

    for (size_t i = 0; i < found->n_reasons; i++) {
        const struct compare_reason *reason = &found->reasons[i];
        long long energy_ticks = ticks_of(energy, reason->energy_kwh * MJ_PER_KWH_D);
        long long mass_ticks = ticks_of(mass, reason->mass_g * UG_PER_G);

        left_energy -= reason->has_energy ? energy_ticks : 0;
        left_mass -= mass_ticks;
        if (!table_add(table, (const char *const[]){
                write_ticks(energy, reason->has_energy, true, energy_ticks, kwh),
                write_ticks(mass, found->has_difference_g, true, mass_ticks, g), reason->words }))
            return false;
    }
    if ((left_energy != 0 || (found->has_difference_g && left_mass != 0)) &&
        !table_add(table, (const char *const[]){
            write_ticks(energy, true, true, left_energy, kwh),
            write_ticks(mass, found->has_difference_g, true, left_mass, g), "rounding" }))
        return false;
    return table_add(table, (const char *const[]){
        write_ticks(energy, true, true, sum_energy, kwh),
        write_ticks(mass, found->has_difference_g, true, sum_mass, g), "in all" });
}

static int print_table(struct compare_run *run, const struct table_column *columns,
                       bool (*fill)(struct table *table, const struct comparison *found,
                                    const struct shown *energy, const struct shown *mass),
                       const struct shown *energy, const struct shown *mass)
{
    struct table *table = table_new(columns);
    bool filled = table && fill(table, &run->comparison, energy, mass);

    if (filled)
        table_print(table);
    table_free(table);
    return filled ? 0 : error_set(run->err, -ENOMEM, "no memory for the comparison");
}

static void print_heads(const struct compare_run *run, const struct row *row)
{
    const struct usage *usage = row->usage;
    struct buf id, percent;

    buf_init(&id);
    buf_init(&percent);
    row_job_id(row, false, &id);
    format_percent(&percent, usage->quality_mj[QUALITY_MEASURED], usage_mj(usage));
    buf_printf(&percent, " %% of it measured, coverage ");
    format_percent(&percent, usage->metered_ms, usage->elapsed_ms);
    plainf("Job %s of %s on %s, %zu node%s\n", id.data ? id.data : "",
           row->job->user ? row->job->user : "unknown", row->job->cluster ? row->job->cluster : "",
           row->job->n_nodes, row->job->n_nodes == 1 ? "" : "s");
    plainf("CodeCarbon    version %s, %s mode, run %s, up to %s (%s)\n", run->sum.version,
           run->sum.tracking_mode, run->sum.run_id, run->sum.timestamp, run->file);
    plainf("slurm-carbon  %s; %s %%\n\n", usage->sensors, percent.data ? percent.data : "");
    buf_free(&id);
    buf_free(&percent);
}

static int print_report(struct compare_run *run, const struct row *row)
{
    static const struct table_column figures[] = {
        { "at the machines", false }, { "CodeCarbon", true }, { "slurm-carbon", true },
        { "difference", true }, { NULL, false } };
    const struct comparison *found = &run->comparison;
    struct shown energy = shown_of(energy_units, greater(&found->total_kwh) * MJ_PER_KWH_D);
    struct shown mass = shown_of(mass_units, (found->total_g.has_ours
                                 ? greater(&found->total_g) : greater(&found->operational_g)) *
                                 UG_PER_G);
    const struct table_column reasons[] = {
        { energy.unit->name, true }, { mass.unit->name, true }, { "why", false }, { NULL, false } };
    int rc;

    print_heads(run, row);
    rc = print_table(run, figures, fill_figures, &energy, &mass);
    if (rc < 0)
        return rc;
    plainf("\nThe difference, slurm-carbon minus CodeCarbon; energy in grams at CodeCarbon's grid "
           "and PUE\n");
    rc = print_table(run, reasons, fill_reasons, &energy, &mass);
    if (rc == 0 && !found->has_difference_g)
        plainf("\nGrams of slurm-carbon are unknown: Zone is not set, or `carbonctl factors "
               "update` was never run\n");
    if (rc == 0 && row->usage->metered_ms < row->usage->elapsed_ms)
        plainf("\nslurm-carbon has not metered all of the job: what is missing is missing above\n");
    return rc;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void put_figure(struct json_doc *doc, json_t *root, const char *key,
                       const struct compare_figure *figure)
{
    json_t *object = json_object();

    json_put(doc, object, "codecarbon", figure->has_theirs ? json_real(figure->theirs)
                                                           : json_null());
    json_put(doc, object, "slurm_carbon", figure->has_ours ? json_real(figure->ours)
                                                           : json_null());
    json_put(doc, root, key, object);
}

static json_t *reasons_of(struct json_doc *doc, const struct comparison *found)
{
    json_t *array = json_array();

    for (size_t i = 0; i < found->n_reasons; i++) {
        const struct compare_reason *reason = &found->reasons[i];
        json_t *object = json_object();

        json_put_text(doc, object, "reason", reason->key);
        json_put(doc, object, "energy_kwh", reason->has_energy ? json_real(reason->energy_kwh)
                                                               : json_null());
        json_put(doc, object, "co2e_g", found->has_difference_g ? json_real(reason->mass_g)
                                                                : json_null());
        json_put_text(doc, object, "words", reason->words);
        json_add(doc, array, object);
    }
    return array;
}

static int print_json(struct compare_run *run, const struct row *row)
{
    const struct comparison *found = &run->comparison;
    struct json_doc doc = { false };
    json_t *root = json_object();
    struct buf id, out;

    buf_init(&id);
    buf_init(&out);
    row_job_id(row, false, &id);
    json_put(&doc, root, "format", json_string("carbonctl-compare-1"));
    json_put_text(&doc, root, "cluster", row->job->cluster);
    json_put_buf(&doc, root, "job", &id);
    json_put_text(&doc, root, "codecarbon_version", run->sum.version);
    json_put_text(&doc, root, "codecarbon_run_id", run->sum.run_id);
    put_figure(&doc, root, "cpu_kwh", &found->cpu_kwh);
    put_figure(&doc, root, "memory_kwh", &found->memory_kwh);
    put_figure(&doc, root, "gpu_kwh", &found->gpu_kwh);
    put_figure(&doc, root, "other_kwh", &found->other_kwh);
    put_figure(&doc, root, "energy_kwh", &found->total_kwh);
    put_figure(&doc, root, "duration_s", &found->duration_s);
    put_figure(&doc, root, "pue_ratio", &found->pue);
    put_figure(&doc, root, "grid_intensity_g_per_kwh", &found->intensity_g_per_kwh);
    put_figure(&doc, root, "operational_co2e_g", &found->operational_g);
    put_figure(&doc, root, "embodied_co2e_g", &found->embodied_g);
    put_figure(&doc, root, "total_co2e_g", &found->total_g);
    json_put(&doc, root, "difference_kwh", json_real(found->difference_kwh));
    json_put(&doc, root, "difference_co2e_g", found->has_difference_g
             ? json_real(found->difference_g) : json_null());
    json_put(&doc, root, "reasons", reasons_of(&doc, found));
    json_doc_write(&doc, root, &out);
    if (!doc.failed && !buf_failed(&out))
        fwrite(out.data, 1, out.len, stdout);
    doc.failed |= buf_failed(&out);
    buf_free(&out);
    return doc.failed ? error_set(run->err, -ENOMEM, "no memory for the JSON") : 0;
}

static int take(void *arg, const struct row *row)
{
    struct compare_run *run = arg;

    if (!row->usage->has)
        return error_set(run->err, -ENODATA, "job %.60s: its energy is unknown", run->job);
    compare(row, &run->sum, &run->comparison);
    return run->json ? print_json(run, row) : print_report(run, row);
}

static int compare_in(struct compare_run *run, struct store *store)
{
    struct job_rows *rows = job_rows_new(0);
    int rc = rows ? store_begin(store, run->err)
                  : error_set(run->err, -ENOMEM, "no memory for the comparison");

    if (rc == 0)
        rc = find_job(run, store);
    if (rc == 0)
        rc = sum_rows(run);
    if (rc == 0)
        rc = query_details(store, &run->result, 0, 0, FAR_S, run->err);
    if (rc == 0)
        rc = job_rows_each(rows, store, &run->result, take, run, run->err);
    store_rollback(store);
    job_rows_free(rows);
    return rc;
}

static int compare_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "job", required_argument, NULL, 'j' },
        { "run-id", required_argument, NULL, 'r' },
        { "json", no_argument, NULL, 'o' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct error err = { "" };
    struct compare_run run = { .err = &err };
    struct store *store = NULL;
    struct conf conf;
    int option, rc;

    setlocale(LC_CTYPE, "");
    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option == OPTION_HELP || option == '?')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        run.json |= option != 'j' && option != 'r';
        run.job = option == 'j' ? optarg : run.job;
        run.run_id = option == 'r' ? optarg : run.run_id;
    }
    if (!run.job || optind + 1 != argc) {
        complain("compare: name one emissions.csv and its job: carbonctl compare --job 123 "
                 "emissions.csv");
        return EXIT_ERROR;
    }
    run.file = argv[optind];
    if (load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    rc = read_file(&run);
    if (rc == 0)
        rc = store_open(conf.database, STORE_READ, NULL, &store, &err);
    if (rc == 0)
        rc = compare_in(&run, store);
    store_close(store);
    query_clear(&run.result);
    free(run.rows);
    if (rc < 0)
        complain("compare: %s", err.text);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

const struct command command_compare = {
    .name = "compare",
    .usage = "--job JOB [--run-id ID] [--json] [OPTIONS] EMISSIONS.CSV",
    .summary = "show a job beside what CodeCarbon counted of it, and why the two differ",
    .help = "EMISSIONS.CSV is CodeCarbon's, of version 2.0 or later. Its rows lie within the\n"
            "job's time, in the time zone that TZ names; others are left out.\n\n"
            "  --job JOB          which job: 123, 123_4, 123+1; CodeCarbon does not write it\n"
            "  --run-id ID        only the row whose run_id begins so\n"
            "  --json             print JSON; full precision\n",
    .exec = compare_exec,
};

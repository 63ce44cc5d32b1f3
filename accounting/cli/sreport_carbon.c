/*
 * sreport-carbon - what a cluster emitted in a period
 *
 * In order: options, carbon.conf, the database (one instant of it), the period, the factor set, the
 * report, then files and standard output, and the exit status.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/output.h"
#include "cli/plainf.h"
#include "cli/screen.h"
#include "cli/sreport_options.h"
#include "core/clock.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/timespec.h"
#include "report/basis.h"
#include "report/format.h"
#include "report/month.h"
#include "report/period_report.h"
#include "store/query.h"
#include "store/store.h"
#include "store/viewer.h"

enum { EXIT_FINE, EXIT_ERROR, EXIT_NOTHING, EXIT_INCOMPLETE };

#define TREND_MONTHS 13
#define PROGRESS_AFTER_NS (NS_PER_S / 2)

/* Everything of one run. */
struct run {
    struct sreport_options options;
    char **argv;
    struct viewer viewer; /* of the environment */
    struct conf conf;
    char conf_path[PATH_MAX];
    const char *cluster;
    int64_t now_s, from_s, to_s;
    bool so_far;
    bool nothing;           /* no hour of the period has been delivered */
    uint64_t begin_ns;      /* of reading, for progress */
    bool progress_shown;
    struct basis basis;
    struct period_report report;
};

static void say(const struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct run *run, const char *fmt, ...)
{
    va_list ap;

    if (run->options.verbose == 0)
        return;
    fputs("sreport-carbon: ", stderr);
    va_start(ap, fmt);
    vfplainf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* --- the period ------------------------------------------------------------------------------- */

static int64_t hour_of(int64_t instant_s)
{
    return instant_s / S_PER_HOUR * S_PER_HOUR;
}

static int parse_hour(const struct run *run, const char *option, const char *text, int64_t *ret_s,
                      struct error *err)
{
    char utc[CLOCK_TEXT_SIZE];
    int rc = timespec_parse(text, run->now_s, ret_s, err);

    if (rc < 0)
        return error_prefix(err, rc, "%s", option);
    if (*ret_s % S_PER_HOUR == 0)
        return 0;
    clock_format_utc(*ret_s, utc);
    return error_set(err, -EINVAL, "%s: %.40s is %s: energy is booked by the UTC hour, so write a "
                     "time that is a full hour of UTC", option, text, utc);
}

static int choose_period(struct run *run, struct error *err)
{
    const struct sreport_options *options = &run->options;
    int rc = 0;

    run->from_s = month_add(run->now_s, -1);
    if (options->month)
        rc = error_prefix(err, month_parse(options->month, &run->from_s, err), "--month");
    run->to_s = clock_month_next_s(run->from_s);
    if (rc == 0 && options->start) {
        rc = parse_hour(run, "--starttime", options->start, &run->from_s, err);
        run->to_s = hour_of(run->now_s) + S_PER_HOUR; /* to be cut */
    }
    if (rc == 0 && options->end)
        rc = parse_hour(run, "--endtime", options->end, &run->to_s, err);
    if (rc == 0 && options->end && run->to_s <= run->from_s)
        rc = error_set(err, -EINVAL, "--endtime is not after --starttime: write them in order");
    return rc;
}

/*
 * What has not come yet is no part of a report: a period that goes on ends with the last hour that
 * was delivered, and not with the one that is running.
 */
static int cut_period(struct run *run, struct store *store, struct error *err)
{
    int64_t first_s = 0, last_s = 0, now_hour_s = hour_of(run->now_s);
    bool has = false;
    int rc;

    if (run->to_s <= now_hour_s)
        return 0;
    rc = period_bounds(store, run->cluster, &has, &first_s, &last_s, err);
    if (rc < 0)
        return rc;
    if (!has || last_s + S_PER_HOUR > run->to_s)
        last_s = has ? run->to_s - S_PER_HOUR : run->from_s - S_PER_HOUR;
    run->so_far = last_s + S_PER_HOUR < run->to_s || last_s == now_hour_s;
    /* the hour that runs is left out, unless there is no other */
    run->to_s = last_s == now_hour_s && last_s > run->from_s ? last_s : last_s + S_PER_HOUR;
    run->nothing = run->to_s <= run->from_s;
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void show_progress(void *arg, unsigned percent)
{
    struct run *run = arg;

    if (!run->progress_shown && clock_boottime_ns() - run->begin_ns < PROGRESS_AFTER_NS)
        return;
    run->progress_shown = true;
    fprintf(stderr, "\rreading the period: %3u %%", percent);
    fflush(stderr);
}

static void end_progress(struct run *run)
{
    if (run->progress_shown)
        fprintf(stderr, "\r%*s\r", (int)strlen("reading the period: 100 %"), "");
    run->progress_shown = false;
}

static int check_cluster(struct run *run, struct store *store, struct error *err)
{
    int known;

    run->cluster = run->options.cluster ? run->options.cluster : run->conf.cluster_name;
    known = query_has_cluster(store, run->cluster, err);
    if (known != 0)
        return known < 0 ? known : 0;
    if (run->options.cluster)
        return error_set(err, -ENOENT, "cluster \"%.60s\" is unknown: none of its energy has been "
                         "delivered to this database", run->cluster);
    fplainf(stderr, "sreport-carbon: none of the energy of cluster \"%.60s\" has been delivered to "
            "this database (ClusterName of carbon.conf; -M names another)\n", run->cluster);
    return 0;
}

static int load_basis(struct run *run, struct store *store, struct error *err)
{
    char text[512];
    int rc = basis_load(store, run->options.factor_set, NULL,
                        month_add(run->to_s - 1, 1 - TREND_MONTHS), run->to_s, &run->basis, err);

    if (rc < 0)
        return rc;
    if (run->options.has_mode)
        run->basis.mode = run->options.mode;
    say(run, "factor set: %lld", (long long)run->basis.set.number);
    if (run->options.factor_set == 0 &&
        basis_differs(&run->basis, &run->conf, text, sizeof(text)))
        fplainf(stderr, "sreport-carbon: %s: carbonctl factors update takes it in\n", text);
    return 0;
}

static int read_store(struct run *run, struct store *store, struct error *err)
{
    struct period_report_options options = { .n_top = run->options.n_top, .arg = run };
    struct period period;
    int rc = check_cluster(run, store, err);

    if (rc == 0)
        rc = cut_period(run, store, err);
    if (rc < 0 || run->nothing)
        return rc;
    rc = load_basis(run, store, err);
    if (rc < 0)
        return rc;
    period = (struct period){ run->cluster, run->from_s, run->to_s };
    options.so_far = run->so_far;
    if (isatty(STDERR_FILENO))
        options.progress = show_progress;
    run->begin_ns = clock_boottime_ns();
    rc = period_report_build(store, &period, &run->basis, &options, &run->report, err);
    end_progress(run);
    say(run, "read in %.2f s", (double)(clock_boottime_ns() - run->begin_ns) / (double)NS_PER_S);
    return rc;
}

/* Everything that is read is of one instant. */
static int read_at_once(struct run *run, struct error *err)
{
    struct store *store;
    int rc = store_open(run->conf.database, STORE_READ, "sreport-carbon", &store, err);

    if (rc < 0)
        return ask_carbond(&run->conf, run->argv, rc, err);
    store_set_viewer(store, &run->viewer);
    say(run, "database: %s", store_path(store));
    rc = store_begin(store, err);
    if (rc == 0)
        rc = read_store(run, store, err);
    store_rollback(store);
    store_close(store);
    return rc;
}

/* --- files ------------------------------------------------------------------------------------ */

static int write_csv(const struct run *run, struct error *err)
{
    static const struct period_section_style style = { .csv = true, .header = true };
    const char *dir = run->options.csv_dir;
    int dirfd, rc = 0;

    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return error_set_errno(err, -errno, "--csv: cannot make the directory %s", dir);
    dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return error_set_errno(err, -errno, "--csv: cannot open the directory %s", dir);
    for (size_t i = 0; rc == 0 && period_report_sections[i]; i++) {
        char name[64];
        struct buf buf;

        buf_init(&buf);
        snprintf(name, sizeof(name), "%s.csv", period_report_sections[i]);
        rc = period_report_section(&run->report, period_report_sections[i], &style, &buf, err);
        if (rc == 0) {
            rc = file_write_atomic(dirfd, name, buf.data, buf.len, 0644, 0);
            if (rc < 0)
                error_set_errno(err, rc, "--csv: cannot write %s/%s", dir, name);
        }
        buf_free(&buf);
    }
    close(dirfd);
    return rc;
}

static int write_page(const struct run *run, struct error *err)
{
    struct buf buf;
    int rc;

    buf_init(&buf);
    rc = period_report_html(&run->report, &buf, err);
    if (rc == 0)
        rc = output_write("--html", run->options.html_file, 0644, &buf, err);
    buf_free(&buf);
    return rc;
}

/* --- standard output -------------------------------------------------------------------------- */

/* Is the local time another than UTC, at either end? */
static bool is_elsewhere(const struct run *run)
{
    time_t from = (time_t)run->from_s, to = (time_t)run->to_s;
    struct tm begin, end;

    if (!localtime_r(&from, &begin) || !localtime_r(&to, &end))
        return false;
    return begin.tm_gmtoff != 0 || end.tm_gmtoff != 0;
}

static struct period_text_style text_style(const struct run *run)
{
    return (struct period_text_style){
        .utf8 = format_locale_is_utf8(),
        .colour = screen_has_colour(),
        .head = !run->options.no_header,
        .headings = !run->options.no_header,
        .says_utc = is_elsewhere(run),
    };
}

/* Each of the sections asked for, or of all, with an empty line between. */
static int write_sections(const struct run *run, struct buf *out, struct error *err)
{
    const struct sreport_options *options = &run->options;
    const struct period_section_style style = {
        .delimiter = options->delimiter ? options->delimiter : "|",
        .header = !options->no_header, .trailing = options->output == SREPORT_PARSABLE,
    };
    const char *const *names = options->sections[0] ? options->sections : period_report_sections;
    int rc = 0;

    for (size_t i = 0; rc == 0 && names[i]; i++) {
        buf_printf(out, "%s", i > 0 ? "\n" : "");
        rc = period_report_section(&run->report, names[i], &style, out, err);
    }
    return rc;
}

static int write_text(const struct run *run, struct buf *out, struct error *err)
{
    struct period_text_style style = text_style(run);
    int rc = 0;

    if (!run->options.sections[0])
        return period_report_text(&run->report, &style, out, err);
    for (size_t i = 0; rc == 0 && run->options.sections[i]; i++) {
        style.section = run->options.sections[i];
        rc = period_report_text(&run->report, &style, out, err);
        style.head = false;
    }
    return rc;
}

static int write_report(const struct run *run, struct buf *out, struct error *err)
{
    switch (run->options.output) {
    case SREPORT_JSON:
        return period_report_json(&run->report, out, err);
    case SREPORT_HTML:
        return period_report_html(&run->report, out, err);
    case SREPORT_TEXT:
        return write_text(run, out, err);
    default:
        return write_sections(run, out, err);
    }
}

/* A reader that went away (head) is no error worth a word. */
static int flush_out(const struct buf *out)
{
    if (buf_failed(out)) {
        fplainf(stderr, "sreport-carbon: no memory\n");
        return EXIT_ERROR;
    }
    if (out->len == 0)
        return EXIT_FINE;
    if (fwrite(out->data, 1, out->len, stdout) == out->len && fflush(stdout) == 0)
        return EXIT_FINE;
    if (errno != EPIPE)
        fplainf(stderr, "sreport-carbon: writing the report: %s\n", strerror(errno));
    return EXIT_ERROR;
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool is_complete(const struct period_report *report)
{
    return report->has_grams && report->basis->has_inventory && report->gap_ms == 0 &&
           report->metered_ms >= report->elapsed_ms && report->nodes_silent_hours == 0 &&
           report->unknown_nodes.count == 0 && report->jobs.missing_embodied == 0;
}

static int exit_status(const struct run *run)
{
    if (run->report.counted_mj == 0 && run->report.elapsed_ms == 0)
        return EXIT_NOTHING;
    return run->options.strict && !is_complete(&run->report) ? EXIT_INCOMPLETE : EXIT_FINE;
}

static int say_nothing(const struct run *run)
{
    char from[CLOCK_TEXT_SIZE];

    clock_format_utc(run->from_s, from);
    fplainf(stderr, "sreport-carbon: nothing to report yet: no full hour since %s has been "
            "delivered\n", from);
    return EXIT_NOTHING;
}

static int make_report(struct run *run, struct error *err)
{
    int rc = viewer_of_environment(&run->viewer, err);

    if (rc < 0)
        return rc;
    run->now_s = clock_wall_ns() / (int64_t)NS_PER_S;
    conf_find(run->options.config, run->conf_path);
    say(run, "settings: %.200s",
        run->conf_path[0] ? run->conf_path : "defaults, as there is no file");
    rc = conf_load(run->conf_path, "", &run->conf, NULL, err);
    if (rc == 0)
        rc = choose_period(run, err);
    return rc == 0 ? read_at_once(run, err) : rc;
}

static int answer(struct run *run)
{
    struct error err = { "" };
    struct buf out;
    int status = EXIT_ERROR, rc = make_report(run, &err);

    if (rc == 0 && run->nothing)
        return say_nothing(run);
    buf_init(&out);
    if (rc == 0)
        rc = write_report(run, &out, &err);
    if (rc == 0 && run->options.csv_dir)
        rc = write_csv(run, &err);
    if (rc == 0 && run->options.html_file)
        rc = write_page(run, &err);
    if (rc < 0)
        fplainf(stderr, "sreport-carbon: error: %s\n", err.text);
    else
        status = flush_out(&out);
    buf_free(&out);
    return rc < 0 || status != EXIT_FINE ? EXIT_ERROR : exit_status(run);
}

/* --help and the like */
static int explain(enum sreport_action action)
{
    struct buf out;
    int status;

    buf_init(&out);
    if (action == SREPORT_HELP)
        sreport_options_help(&out);
    else if (action == SREPORT_USAGE)
        sreport_options_usage(&out);
    else
        buf_printf(&out, "sreport-carbon (slurm-carbon) " PACKAGE_VERSION "\n");
    status = flush_out(&out);
    buf_free(&out);
    return status;
}

int main(int argc, char **argv)
{
    static struct run run;
    struct error err = { "" };
    int status;

    run.argv = argv;
    mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* what one step frees is not kept from the next */
    signal(SIGPIPE, SIG_IGN);
    setlocale(LC_CTYPE, "");
    if (sreport_options_parse(argc, argv, &run.options, &err) < 0) {
        fplainf(stderr, "sreport-carbon: error: %s\n", err.text);
        return EXIT_ERROR;
    }
    if (run.options.action != SREPORT_REPORT)
        return explain(run.options.action);
    status = answer(&run);
    period_report_clear(&run.report);
    basis_clear(&run.basis);
    viewer_clear(&run.viewer);
    return status;
}

/* carbonctl grid list and grid show: what there is, and each interval */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/ctl_grid.h"
#include "cli/plainf.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/parse.h"
#include "core/timespec.h"
#include "report/format.h"

enum output { OUTPUT_TABLE, OUTPUT_PARSABLE, OUTPUT_JSON };

struct view {
    struct conf conf;
    enum output output;
    int64_t number;          /* --set; 0: the newest */
    const char *zone, *basis;
    int64_t from_s, to_s;
    struct factor_set set;
};

/* --- cells ------------------------------------------------------------------------------------ */

#define CELLS_MAX 13
#define CELL_SIZE 320

struct cells {
    char room[CELLS_MAX][CELL_SIZE];
    const char *texts[CELLS_MAX];
    size_t count;
};

static void add_cell(struct cells *cells, const char *text)
{
    snprintf(cells->room[cells->count], CELL_SIZE, "%s", text);
    cells->texts[cells->count] = cells->room[cells->count];
    cells->count++;
}

static void add_time(struct cells *cells, int64_t instant_s)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(instant_s, text);
    add_cell(cells, text);
}

static void add_number(struct cells *cells, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    add_cell(cells, text);
}

/* For people aligned, or for programs with a bar between. */
struct sheet {
    struct table *table; /* NULL: parsable */
    size_t lines;
    bool failed;
};

static void begin_sheet(struct sheet *sheet, enum output output, const struct table_column *columns,
                        const char *names)
{
    *sheet = (struct sheet){ .table = output == OUTPUT_TABLE ? table_new(columns) : NULL };
    sheet->failed = output == OUTPUT_TABLE && !sheet->table;
    if (output == OUTPUT_PARSABLE)
        plainf("%s\n", names);
}

static void add_line(struct sheet *sheet, const struct cells *cells)
{
    sheet->lines++;
    if (sheet->table) {
        sheet->failed = sheet->failed || !table_add(sheet->table, cells->texts);
        return;
    }
    for (size_t i = 0; i < cells->count; i++)
        plainf("%s%s", i ? "|" : "", cells->texts[i]);
    putchar('\n');
}

static int end_sheet(struct sheet *sheet, struct error *err)
{
    if (sheet->table && !sheet->failed && sheet->lines)
        table_print(sheet->table);
    sheet->table = table_free(sheet->table);
    return sheet->failed ? error_set(err, -ENOMEM, "out of memory") : 0;
}

/* "44.2 (2024)", and the basis where it is another; "none" */
static void add_annual(struct cells *cells, struct store *store, const struct view *view,
                       const struct grid_series *series)
{
    struct intensity annual;
    char text[64];
    struct buf buf;

    if (grid_annual(store, view->set.number, series->zone, series->basis, &annual, NULL) < 0) {
        add_cell(cells, "none");
        return;
    }
    buf_init_fixed(&buf, text, sizeof(text));
    grid_write_grams(&buf, annual.ug_per_kwh, false);
    buf_printf(&buf, " (%" PRIu32, annual.year);
    if (strcmp(annual.basis, series->basis) != 0)
        buf_printf(&buf, ", %s", annual.basis);
    buf_printf(&buf, ")");
    add_cell(cells, text);
}

/* The same in three fields, for programs. */
static void add_annual_fields(struct cells *cells, struct store *store, const struct view *view,
                              const struct grid_series *series)
{
    struct intensity annual = { .year = 0 };
    char text[48] = "";
    struct buf buf;

    buf_init_fixed(&buf, text, sizeof(text));
    if (grid_annual(store, view->set.number, series->zone, series->basis, &annual, NULL) == 0)
        grid_write_grams(&buf, annual.ug_per_kwh, true);
    add_cell(cells, text);
    text[0] = '\0';
    if (annual.year)
        snprintf(text, sizeof(text), "%" PRIu32, annual.year);
    add_cell(cells, text);
    add_cell(cells, annual.basis);
}

/* What others wrote, with nothing in it that a terminal or a delimiter would mistake. */
static void add_foreign(struct cells *cells, const char *text)
{
    struct buf buf;

    buf_init(&buf);
    format_text(&buf, text, true, "|");
    add_cell(cells, buf_failed(&buf) || !buf.data ? "" : buf.data);
    buf_free(&buf);
}

static json_t *json_time(int64_t instant_s)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(instant_s, text);
    return json_string(text);
}

static int print_json(json_t *root, struct error *err)
{
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15) |
                                             JSON_ENSURE_ASCII) : NULL;

    json_decref(root);
    if (!text)
        return error_set(err, -ENOMEM, "out of memory");
    puts(text);
    free(text);
    return 0;
}

/* --- list ------------------------------------------------------------------------------------- */

static void used_text(const struct view *view, const struct grid_summaries *all,
                      const struct grid_series *series, char *text, size_t size)
{
    struct buf why;

    buf_init_fixed(&why, text, size);
    grid_unused(&view->conf, series->zone, series->basis, series->scope,
                grid_has_consumption(all, series->zone, series->basis), &why);
    if (why.len == 0)
        snprintf(text, size, "yes");
}

static void add_summary(struct sheet *sheet, struct store *store, const struct view *view,
                        const struct grid_summaries *all, const struct grid_series_summary *summary)
{
    const struct grid_series *series = &summary->series;
    bool whole = view->output == OUTPUT_PARSABLE;
    struct cells cells = { .count = 0 };
    char text[CELL_SIZE], why[128];
    struct buf span;

    add_foreign(&cells, series->zone);
    add_cell(&cells, series->basis);
    add_cell(&cells, series->scope);
    add_time(&cells, summary->begin_s);
    add_time(&cells, summary->end_s);
    add_number(&cells, summary->intervals);
    add_number(&cells, summary->estimated);
    buf_init_fixed(&span, text, sizeof(text));
    if (whole)
        buf_printf(&span, "%" PRId64, summary->missing_s);
    else
        grid_write_span(&span, summary->missing_s);
    add_cell(&cells, text);
    if (whole)
        add_annual_fields(&cells, store, view, series);
    else
        add_annual(&cells, store, view, series);
    used_text(view, all, series, why, sizeof(why));
    snprintf(text, sizeof(text), "%s%s", strcmp(why, "yes") ? "no: " : "", why);
    add_cell(&cells, text);
    add_foreign(&cells, series->source);
    add_line(sheet, &cells);
}

static void print_none(struct store *store, const struct view *view)
{
    const char *zone = view->conf.zone, *basis = grid_basis_name(&view->conf);
    struct intensity annual;
    char grams[48];
    struct buf buf;

    if (zone[0] == '\0') {
        plainf("Zone is not set in carbon.conf: reports have no grams.\n");
        return;
    }
    if (grid_annual(store, view->set.number, zone, basis, &annual, NULL) < 0) {
        plainf("Nothing is known of Zone=%s: reports have no grams.\n", zone);
        return;
    }
    buf_init_fixed(&buf, grams, sizeof(grams));
    grid_write_grams(&buf, annual.ug_per_kwh, false);
    plainf("No series of %s, %s: reports use its annual value, %s g/kWh (%" PRIu32 ", %s).\n", zone,
           basis, grams, annual.year, annual.basis);
}

static bool has_own(const struct grid_summaries *all, const struct conf *conf)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcasecmp(all->items[i].series.zone, conf->zone) == 0 &&
            strcmp(all->items[i].series.basis, grid_basis_name(conf)) == 0)
            return true;
    return false;
}

static int list_sheet(struct store *store, const struct view *view,
                      const struct grid_summaries *all, struct error *err)
{
    static const struct table_column columns[] = {
        { "ZONE", false },    { "BASIS", false },    { "SCOPE", false },        { "FROM", false },
        { "TO", false },      { "INTERVALS", true }, { "ESTIMATED", true },     { "MISSING", true },
        { "ANNUAL g/kWh", false }, { "USED", false }, { "SOURCE", false },      { NULL, false },
    };
    char made[CLOCK_TEXT_SIZE];
    struct sheet sheet;
    int rc;

    clock_format_utc(view->set.made_s, made);
    if (view->output == OUTPUT_TABLE)
        plainf("Factor set %" PRId64 ", %s, %s\n", view->set.number, made, view->set.made_by);
    begin_sheet(&sheet, view->output, columns, "Zone|Basis|Scope|From|To|Intervals|Estimated|"
                "MissingSeconds|AnnualGramsPerKWh|AnnualYear|AnnualBasis|Used|Source");
    for (size_t i = 0; i < all->count; i++)
        add_summary(&sheet, store, view, all, &all->items[i]);
    rc = end_sheet(&sheet, err);
    if (rc == 0 && view->output == OUTPUT_TABLE && !has_own(all, &view->conf))
        print_none(store, view);
    return rc;
}

static json_t *annual_json(struct store *store, const struct view *view, const char *zone,
                           const char *basis)
{
    struct intensity annual;

    if (grid_annual(store, view->set.number, zone, basis, &annual, NULL) < 0)
        return json_null();
    return json_pack("{s:f,s:i,s:s,s:s}", "g_per_kwh", (double)annual.ug_per_kwh / 1e6, "year",
                     (int)annual.year, "basis", annual.basis, "source", annual.source);
}

static int list_json(struct store *store, const struct view *view, const struct grid_summaries *all,
                     struct error *err)
{
    json_t *list = json_array();

    for (size_t i = 0; i < all->count; i++) {
        const struct grid_series_summary *summary = &all->items[i];
        const struct grid_series *series = &summary->series;
        char why[128];

        used_text(view, all, series, why, sizeof(why));
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:I,s:I,s:I,s:o,s:b}",
            "zone", series->zone, "basis", series->basis, "scope", series->scope, "source",
            series->source, "from", json_time(summary->begin_s), "to", json_time(summary->end_s),
            "intervals", (json_int_t)summary->intervals, "estimated",
            (json_int_t)summary->estimated, "missing_s", (json_int_t)summary->missing_s, "annual",
            annual_json(store, view, series->zone, series->basis), "used",
            strcmp(why, "yes") == 0));
    }
    return print_json(json_pack("{s:I,s:o,s:s,s:o}", "factor_set", (json_int_t)view->set.number,
                                "made", json_time(view->set.made_s), "made_by", view->set.made_by,
                                "series", list), err);
}

static int list_series(struct store *store, const struct view *view, struct error *err)
{
    struct grid_summaries all = { 0 };
    int rc = grid_summaries_read(store, view->set.number, &all, err);

    if (rc == 0)
        rc = view->output == OUTPUT_JSON ? list_json(store, view, &all, err)
                                         : list_sheet(store, view, &all, err);
    grid_summaries_clear(&all);
    return rc;
}

/* --- show ------------------------------------------------------------------------------------- */

struct found {
    struct grid_series series;
    struct grid_interval *intervals;
    size_t count;
};

static void add_interval(struct sheet *sheet, const struct view *view, int64_t from_s, int64_t to_s,
                         const struct grid_interval *interval)
{
    struct cells cells = { .count = 0 };
    char grams[48] = "";
    struct buf buf;

    buf_init_fixed(&buf, grams, sizeof(grams));
    if (interval)
        grid_write_grams(&buf, interval->ug_per_kwh, true);
    add_time(&cells, from_s);
    add_time(&cells, to_s);
    add_cell(&cells, interval || view->output == OUTPUT_PARSABLE ? grams : "-");
    add_cell(&cells, !interval ? "missing" : interval->estimated ? "estimated" : "");
    add_line(sheet, &cells);
}

static int show_sheet(const struct view *view, const struct found *found, struct error *err)
{
    static const struct table_column columns[] = {
        { "FROM", false }, { "TO", false }, { "g/kWh", true }, { "", false }, { NULL, false },
    };
    struct sheet sheet;

    if (view->output == OUTPUT_TABLE)
        plainf("%s %s, %s: %s; factor set %" PRId64 "\n", found->series.zone,
               found->series.basis, found->series.scope, found->series.source, view->set.number);
    begin_sheet(&sheet, view->output, columns, "From|To|GramsPerKWh|Note");
    for (size_t i = 0; i < found->count; i++) {
        const struct grid_interval *interval = &found->intervals[i];

        if (i && found->intervals[i - 1].end_s < interval->begin_s)
            add_interval(&sheet, view, found->intervals[i - 1].end_s, interval->begin_s, NULL);
        add_interval(&sheet, view, interval->begin_s, interval->end_s, interval);
    }
    return end_sheet(&sheet, err);
}

static int show_json(const struct view *view, const struct found *found, struct error *err)
{
    json_t *list = json_array();

    for (size_t i = 0; i < found->count; i++) {
        const struct grid_interval *interval = &found->intervals[i];

        json_array_append_new(list, json_pack("{s:o,s:o,s:f,s:b}", "from",
            json_time(interval->begin_s), "to", json_time(interval->end_s), "g_per_kwh",
            (double)interval->ug_per_kwh / 1e6, "estimated", interval->estimated));
    }
    return print_json(json_pack("{s:I,s:s,s:s,s:s,s:s,s:o}", "factor_set",
                                (json_int_t)view->set.number, "zone", found->series.zone, "basis",
                                found->series.basis, "scope", found->series.scope, "source",
                                found->series.source, "intervals", list), err);
}

static int show_series(struct store *store, const struct view *view, struct error *err)
{
    struct found found = { .count = 0 };
    int rc = factors_intervals(store, view->set.number, view->zone, view->basis, view->from_s,
                               view->to_s, &found.series, &found.intervals, &found.count, err);

    if (rc == 0 && found.count == 0)
        rc = error_set(err, -ENODATA, "factor set %" PRId64 " has no %s intensities of %s%s; "
                       "carbonctl grid list tells what there is", view->set.number, view->basis,
                       view->zone, view->from_s == INT64_MIN && view->to_s == INT64_MAX
                                       ? "" : " in that time");
    if (rc == 0)
        rc = view->output == OUTPUT_JSON ? show_json(view, &found, err)
                                         : show_sheet(view, &found, err);
    free(found.intervals);
    return rc;
}

/* --- the commands ----------------------------------------------------------------------------- */

static int run_view(struct view *view,
                    int (*print)(struct store *store, const struct view *view, struct error *err))
{
    struct error err = { "" };
    struct store *store = NULL;
    int rc = store_open(view->conf.database, STORE_READ, NULL, &store, &err);

    if (rc == 0)
        rc = store_begin(store, &err);
    if (rc == 0)
        rc = view->number ? factors_get(store, view->number, &view->set, &err)
                          : factors_newest(store, &view->set, &err);
    if (rc == 0)
        rc = print(store, view, &err);
    if (rc < 0)
        complain("%s", err.text);
    store_close(store);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

/* Times of this command are UTC, in and out: a local hour would name two in October. */
static int take_time(const char *text, int64_t *ret_s)
{
    struct error err = { "" };

    setenv("TZ", "UTC", 1);
    tzset();
    if (timespec_parse(text, clock_wall_ns() / (int64_t)NS_PER_S, ret_s, &err) == 0)
        return 0;
    complain("grid show: %s", err.text);
    return -EINVAL;
}

static int take_option(const struct command *command, int option, struct view *view)
{
    if (option == 'P' || option == 'j')
        view->output = option == 'P' ? OUTPUT_PARSABLE : OUTPUT_JSON;
    if (option == 'S' || option == 'E')
        return take_time(optarg, option == 'S' ? &view->from_s : &view->to_s);
    if (option == 'b') {
        view->basis = strcasecmp(optarg, "direct") == 0      ? "direct"
                      : strcasecmp(optarg, "lifecycle") == 0 ? "lifecycle" : NULL;
        if (!view->basis) {
            complain("%s: --basis %s: give lifecycle or direct", command->name, optarg);
            return -EINVAL;
        }
    }
    if (option == 's' && parse_i64(optarg, 1, INT64_MAX, &view->number) < 0) {
        complain("%s: --set %s is no number of a factor set; carbonctl factors list tells them",
                 command->name, optarg);
        return -EINVAL;
    }
    return 0;
}

/* 0, or a status in *ret_status at which to end. */
static int take_options(const struct command *command, int argc, char **argv,
                        const struct option *options, struct view *view, int *ret_status)
{
    int option;

    *view = (struct view){ .from_s = INT64_MIN, .to_s = INT64_MAX };
    while ((option = next_option(command, argc, argv, options)) != -1) {
        *ret_status = option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        if (option == OPTION_HELP || option == '?' || take_option(command, option, view) < 0)
            return -1;
    }
    *ret_status = EXIT_ERROR;
    return load_conf(&view->conf, NULL);
}

static int list_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "set", required_argument, NULL, 's' }, { "parsable", no_argument, NULL, 'P' },
        { "json", no_argument, NULL, 'j' },      COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct view view;
    int status;

    if (take_options(command, argc, argv, options, &view, &status) < 0)
        return status;
    return refuse_operands(command, argc, argv) ? EXIT_ERROR : run_view(&view, list_series);
}

/* The zone and basis of carbon.conf, unless told. */
static int take_zone(int argc, char **argv, struct view *view)
{
    if (!view->basis)
        view->basis = grid_basis_name(&view->conf);
    view->zone = optind < argc ? argv[optind++] : view->conf.zone;
    if (view->zone[0] == '\0') {
        complain("grid show: name a zone, or set Zone in carbon.conf");
        return -EINVAL;
    }
    if (view->from_s >= view->to_s) {
        complain("grid show: -E is not after -S");
        return -EINVAL;
    }
    return 0;
}

static int show_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "starttime", required_argument, NULL, 'S' }, { "endtime", required_argument, NULL, 'E' },
        { "basis", required_argument, NULL, 'b' },     { "set", required_argument, NULL, 's' },
        { "parsable", no_argument, NULL, 'P' },        { "json", no_argument, NULL, 'j' },
        COMMON_OPTIONS,                                { NULL, 0, NULL, 0 },
    };
    struct view view;
    int status;

    if (take_options(command, argc, argv, options, &view, &status) < 0)
        return status;
    if (take_zone(argc, argv, &view) < 0 || refuse_operands(command, argc, argv))
        return EXIT_ERROR;
    return run_view(&view, show_series);
}

const struct command command_grid_list = {
    .name = "grid list",
    .usage = "[OPTIONS]",
    .summary = "list the series of hourly intensity, and whether reports use them",
    .help = "  --set N            of factor set N instead of the newest\n"
            "  -P, --parsable     for programs: fields between |, numbers whole\n"
            "  --json             for programs: JSON\n",
    .exec = list_exec,
};

const struct command command_grid_show = {
    .name = "grid show",
    .usage = "[OPTIONS] [ZONE]",
    .summary = "print the intervals of a zone, that of carbon.conf unless named",
    .help = "All times are UTC, those of -S and -E too.\n\n"
            "  -S, --starttime T  from here on, such as 2026-10-25T01:00\n"
            "  -E, --endtime T    up to here\n"
            "  --basis BASIS      lifecycle or direct, instead of GridBasis\n"
            "  --set N            of factor set N instead of the newest\n"
            "  -P, --parsable     for programs: fields between |\n"
            "  --json             for programs: JSON\n",
    .exec = show_exec,
};

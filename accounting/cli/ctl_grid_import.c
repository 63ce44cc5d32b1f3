#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "carbon/grid_import.h"
#include "cli/ctl_grid.h"
#include "cli/plainf.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/file.h"

#define FILE_SIZE_MAX (64u << 20) /* ten years of Electricity Maps are 15 MB */

struct arguments {
    struct grid_import_options options;
    bool replace, dry_run;
    char **files;
    size_t n_files;
};

struct result {
    unsigned formats;            /* a bit for each that was read */
    int64_t set;                 /* 0: nothing was new */
    int64_t newest;              /* before */
    struct factors_import sums;
    struct grid_summaries summaries; /* of the set in force after it */
};

/* --- progress, on a terminal ------------------------------------------------------------------ */

static void show_progress(const char *what, size_t done, size_t of)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s (%zu of %zu)", what, done, of);
}

static void end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A file may be a link, or what a shell hands over as <(…) once it is written. */
static int read_file(const char *path, char *room, size_t *ret_len, struct error *err)
{
    int rc = file_read_small(AT_FDCWD, path, room, FILE_SIZE_MAX, ret_len);

    if (rc == -EFBIG)
        return error_set(err, rc, "%s is larger than %u MiB: import it in parts", path,
                         FILE_SIZE_MAX >> 20);
    return rc < 0 ? error_set_errno(err, rc, "cannot read %s", path) : 0;
}

/* formats: a bit for each that was met */
static int read_files(const struct arguments *arguments, struct grid_import *import,
                      unsigned *formats, struct error *err)
{
    char *room = malloc(FILE_SIZE_MAX);
    int rc = room ? 0 : error_set(err, -ENOMEM, "out of memory");

    for (size_t i = 0; rc == 0 && i < arguments->n_files; i++) {
        const char *path = arguments->files[i];
        enum grid_format format = GRID_ANY;
        size_t len;

        show_progress("reading files", i + 1, arguments->n_files);
        rc = read_file(path, room, &len, err);
        if (rc == 0)
            rc = grid_import_read(import, path, room, len, &format, err);
        *formats |= 1u << format;
    }
    free(room);
    return rc == 0 ? grid_import_end(import, err) : rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Hours without a value take the annual one: a zone must have that. */
static int check_zone(struct store *store, int64_t set, const struct grid_import_series *series,
                      struct error *err)
{
    struct intensity annual;
    const char *dash = strchr(series->zone, '-');
    char whole[32];
    int rc = grid_annual(store, set, series->zone, series->basis, &annual, err);

    if (rc != -ENOENT || !dash)
        return rc;
    snprintf(whole, sizeof(whole), "%.*s", (int)(dash - series->zone), series->zone);
    if (grid_annual(store, set, whole, series->basis, &annual, NULL) < 0)
        return rc;
    return error_set(err, rc, "zone \"%s\" has no annual value for the hours that are missing: "
                     "--zone %s takes its figures for all of %s, and says so in their source",
                     series->zone, whole, whole);
}

static int put_series(struct factor_change *change, const struct grid_import_series *from,
                      bool replace, struct factors_import *sums, struct error *err)
{
    struct factors_import part = { 0 };
    struct grid_series series = { 0 };
    int rc;

    snprintf(series.zone, sizeof(series.zone), "%s", from->zone);
    snprintf(series.basis, sizeof(series.basis), "%s", from->basis);
    snprintf(series.scope, sizeof(series.scope), "%s", from->scope);
    snprintf(series.source, sizeof(series.source), "%s", from->source);
    rc = factors_put_intervals(change, &series, from->intervals, from->count, replace, &part, err);
    sums->added += part.added;
    sums->same += part.same;
    sums->replaced += part.replaced;
    return rc;
}

/* "carbonctl grid import fr.csv", cut where a set has no room for all names */
static void describe(const struct arguments *arguments, char *text, size_t size)
{
    struct buf buf;

    buf_init_fixed(&buf, text, size);
    buf_printf(&buf, "carbonctl grid import%s", arguments->replace ? " --replace" : "");
    for (size_t i = 0; i < arguments->n_files; i++) {
        const char *slash = strrchr(arguments->files[i], '/');
        const char *name = slash ? slash + 1 : arguments->files[i];

        if (buf.len + strlen(name) + 6 > size) {
            buf_printf(&buf, " …");
            return;
        }
        buf_printf(&buf, " %s", name);
    }
}

static int put_all(struct store *store, const struct arguments *arguments,
                   const struct grid_import *import, struct result *result, struct error *err)
{
    char made_by[256];
    struct factor_change *change;
    int rc = 0;

    describe(arguments, made_by, sizeof(made_by));
    change = factors_change_new(store, made_by);
    if (!change)
        return error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < grid_import_count(import); i++) {
        show_progress("writing series", i + 1, grid_import_count(import));
        rc = put_series(change, grid_import_at(import, i), arguments->replace, &result->sums, err);
    }
    result->set = factors_change_set(change);
    factors_change_free(change);
    return rc;
}

/* One import, one transaction, one set. */
static int write_import(struct store *store, const struct arguments *arguments,
                        const struct grid_import *import, struct result *result,
                        struct error *err)
{
    struct factor_set newest = { 0 };
    int rc = factors_newest(store, &newest, err);

    result->newest = newest.number;
    for (size_t i = 0; rc == 0 && i < grid_import_count(import); i++)
        rc = check_zone(store, newest.number, grid_import_at(import, i), err);
    if (rc < 0)
        return rc;
    rc = store_begin(store, err);
    if (rc < 0)
        return rc;
    rc = put_all(store, arguments, import, result, err);
    if (rc == 0)
        rc = grid_summaries_read(store, result->set ? result->set : newest.number,
                                 &result->summaries, err);
    if (rc == 0 && !arguments->dry_run)
        return store_commit(store, err);
    store_rollback(store);
    return rc;
}

/* --- telling ---------------------------------------------------------------------------------- */

static bool add_row(struct table *table, const struct grid_import_series *series)
{
    char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE], room[6][32];
    const char *texts[11] = { series->zone, series->basis, series->scope, from, to };
    const uint64_t grams[] = { series->min_ug, series->mean_ug, series->max_ug };
    struct buf cell;

    clock_format_utc(series->intervals[0].begin_s, from);
    clock_format_utc(series->intervals[series->count - 1].end_s, to);
    for (size_t i = 0; i < 6; i++) {
        buf_init_fixed(&cell, room[i], sizeof(room[i]));
        if (i < 2)
            buf_printf(&cell, "%zu", i ? series->estimated : series->count);
        else if (i == 2)
            grid_write_span(&cell, series->missing_s);
        else
            grid_write_grams(&cell, grams[i - 3], false);
        texts[5 + i] = room[i];
    }
    return table_add(table, texts);
}

static int print_series(const struct grid_import *import)
{
    static const struct table_column columns[] = {
        { "ZONE", false },     { "BASIS", false },    { "SCOPE", false },     { "FROM", false },
        { "TO", false },       { "INTERVALS", true }, { "ESTIMATED", true },  { "MISSING", true },
        { "MIN g/kWh", true }, { "MEAN g/kWh", true }, { "MAX g/kWh", true }, { NULL, false },
    };
    struct table *table = table_new(columns);
    bool fine = table != NULL;

    for (size_t i = 0; fine && i < grid_import_count(import); i++)
        fine = add_row(table, grid_import_at(import, i));
    if (fine)
        table_print(table);
    table_free(table);
    return fine ? 0 : -ENOMEM;
}

static void print_use(const struct conf *conf, const struct grid_import_series *series,
                      const struct grid_summaries *summaries)
{
    char room[128];
    struct buf why;

    buf_init_fixed(&why, room, sizeof(room));
    grid_unused(conf, series->zone, series->basis, series->scope,
                grid_has_consumption(summaries, series->zone, series->basis), &why);
    plainf("%s %s, %s: %s%s\n", series->zone, series->basis, series->scope,
           why.len ? "not used in reports while " : "used in reports", why.len ? room : "");
    plainf("  source: %s\n", series->source);
    if (series->missing_s)
        plainf("  the hours that are missing take the annual value of %s, and are flagged\n",
               series->zone);
}

static void print_outcome(const struct arguments *arguments, const struct result *result)
{
    const struct factors_import *sums = &result->sums;

    if (result->set == 0) {
        plainf("Nothing new: factor set %" PRId64 " has all of it already.\n", result->newest);
        return;
    }
    if (arguments->dry_run)
        plainf("Nothing was written (--dry-run). It would be factor set %" PRId64 ": ",
               result->set);
    else
        plainf("Factor set %" PRId64 " is in force: ", result->set);
    plainf("%zu interval%s new, %zu there already, %zu replaced.\n", sums->added,
           sums->added == 1 ? "" : "s", sums->same, sums->replaced);
}

/* "Read fr.csv as eco2mix", "Read 5 files as csv, uk" */
static void print_formats(const struct arguments *arguments, unsigned formats)
{
    const char *separator = " as ";

    if (arguments->n_files == 1)
        plainf("Read %s", arguments->files[0]);
    else
        plainf("Read %zu files", arguments->n_files);
    for (int format = GRID_CSV; format < GRID_FORMATS; format++) {
        if (formats & 1u << format) {
            plainf("%s%s", separator, grid_format_name((enum grid_format)format));
            separator = ", ";
        }
    }
    putchar('\n');
}

static int tell(const struct conf *conf, const struct arguments *arguments,
                const struct grid_import *import, const struct result *result)
{
    print_formats(arguments, result->formats);
    if (print_series(import) < 0) {
        complain("out of memory");
        return EXIT_ERROR;
    }
    for (size_t i = 0; i < grid_import_count(import); i++)
        print_use(conf, grid_import_at(import, i), &result->summaries);
    print_outcome(arguments, result);
    return EXIT_FINE;
}

/* --- the command ------------------------------------------------------------------------------ */

static int store_import(const struct conf *conf, const struct arguments *arguments,
                        const struct grid_import *import, unsigned formats)
{
    struct result result = { .formats = formats };
    struct error err = { "" };
    const struct store_turn turn = writer_turn("carbonctl grid import");
    struct store *store = NULL;
    int rc = store_open_in_turn(conf->database, &turn, &store, &err);
    int status = EXIT_ERROR;

    if (rc == 0 && store_backup(store))
        plainf("%s upgraded to schema %d; %s is the database as it was\n", conf->database,
               STORE_SCHEMA_VERSION, store_backup(store));
    if (rc == 0)
        rc = write_import(store, arguments, import, &result, &err);
    end_progress();
    if (rc < 0)
        complain("%s", err.text);
    else
        status = tell(conf, arguments, import, &result);
    grid_summaries_clear(&result.summaries);
    store_close(store);
    return status;
}

static int run_import(const struct conf *conf, const struct arguments *arguments)
{
    struct grid_import *import = grid_import_new(&arguments->options);
    struct error err = { "out of memory" };
    unsigned formats = 0;
    int rc = import ? read_files(arguments, import, &formats, &err) : -ENOMEM;
    int status = EXIT_ERROR;

    end_progress();
    if (rc < 0)
        complain("%s", err.text);
    else
        status = store_import(conf, arguments, import, formats);
    grid_import_free(import);
    return status;
}

static int take_kind(const char *kind)
{
    if (strcasecmp(kind, "average") == 0)
        return 0;
    if (strcasecmp(kind, "marginal") == 0)
        complain("grid import: --kind marginal: %s", GRID_MARGINAL_REASON);
    else
        complain("grid import: --kind %s: only average is taken", kind);
    return -EINVAL;
}

/* One of two words, as the option must be. */
static int take_word(const char *option, const char *text, const char *one, const char *other,
                     const char **ret)
{
    *ret = strcasecmp(text, one) == 0 ? one : strcasecmp(text, other) == 0 ? other : NULL;
    if (!*ret)
        complain("grid import: --%s %s: give %s or %s", option, text, one, other);
    return *ret ? 0 : -EINVAL;
}

static int take_format(const char *name, enum grid_format *ret)
{
    *ret = grid_format_find(name);
    if (*ret != GRID_FORMATS)
        return 0;
    complain("grid import: --format %s is not known: give csv, electricitymaps, uk, eco2mix, or "
             "any to tell it from the content", name);
    return -EINVAL;
}

static int take_option(int option, struct arguments *arguments)
{
    struct grid_import_options *options = &arguments->options;

    switch (option) {
    case 'f':
        return take_format(optarg, &options->format);
    case 'z':
        options->zone = optarg;
        return 0;
    case 'b':
        return take_word("basis", optarg, "lifecycle", "direct", &options->basis);
    case 's':
        return take_word("scope", optarg, "consumption", "generation", &options->scope);
    case 'k':
        return take_kind(optarg);
    case 'o':
        options->source = optarg;
        return 0;
    case 'r':
        arguments->replace = true;
        return 0;
    case 'g':
        options->allow_gaps = true;
        return 0;
    default:
        arguments->dry_run = true;
        return 0;
    }
}

static int import_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "format", required_argument, NULL, 'f' }, { "zone", required_argument, NULL, 'z' },
        { "basis", required_argument, NULL, 'b' },  { "scope", required_argument, NULL, 's' },
        { "kind", required_argument, NULL, 'k' },   { "source", required_argument, NULL, 'o' },
        { "replace", no_argument, NULL, 'r' },      { "allow-gaps", no_argument, NULL, 'g' },
        { "dry-run", no_argument, NULL, 'n' },      WRITER_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct arguments arguments = { 0 };
    struct conf conf;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option == OPTION_HELP || option == '?')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        if (take_option(option, &arguments) < 0)
            return EXIT_ERROR;
    }
    if (optind >= argc) {
        complain("grid import: name the files to import; see carbonctl grid import --help");
        return EXIT_ERROR;
    }
    arguments.files = argv + optind;
    arguments.n_files = (size_t)(argc - optind);
    return load_conf(&conf, NULL) < 0 ? EXIT_ERROR : run_import(&conf, &arguments);
}

const struct command command_grid_import = {
    .name = "grid import",
    .usage = "[OPTIONS] FILE...",
    .summary = "take files of grid intensity into a new factor set, all of them or none",
    .help =
        "Formats: csv (start_utc,end_utc,gco2e_per_kwh), electricitymaps (CSV of its portal),\n"
        "uk (JSON of the Carbon Intensity API), eco2mix (CSV of RTE). All hours must be there\n"
        "once; a file that is wrong anywhere is refused whole. Reports of older factor sets stay\n"
        "as they were.\n\n"
        "  --format FORMAT    read the files so; otherwise told from their content\n"
        "  --zone ZONE        refuse files of another zone; of a part of ZONE, take it for all\n"
        "  --basis BASIS      lifecycle or direct, where the file does not say; electricitymaps:\n"
        "                     this one alone instead of both\n"
        "  --scope SCOPE      consumption or generation, where the file does not say\n"
        "  --kind average     the only kind there is: marginal intensities are refused\n"
        "  --source TEXT      whose figures these are, with their licence\n"
        "  --replace          these figures take the place of others for the same hours\n"
        "  --allow-gaps       hours that are missing take the annual value, and are flagged\n"
        "  --dry-run          check and tell, and write nothing\n"
        WAIT_HELP,
    .exec = import_exec,
};

/* carbonctl factors: what figures rest on, set by set */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/carbonctl.h"
#include "cli/factors_update.h"
#include "cli/linediff.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/parse.h"
#include "report/basis.h"
#include "store/factors.h"
#include "store/store.h"

/* What is asked of the open store. */
struct ask {
    int64_t set, other;  /* 0: the newest */
    const char *name;    /* of a document; NULL: all */
    struct error *err;
};

/* --- asking ----------------------------------------------------------------------------------- */

/* Open the database for reading, at one instant, and answer; the exit status. */
static int ask_store(int (*answer)(struct store *store, struct ask *ask), struct ask *ask)
{
    struct error err = { "" };
    struct store *store;
    struct conf conf;
    int rc;

    if (load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    ask->err = &err;
    rc = store_open(conf.database, STORE_READ, NULL, &store, &err);
    if (rc == 0) {
        rc = store_begin(store, &err);
        if (rc == 0)
            rc = answer(store, ask);
        store_rollback(store);
        store_close(store);
    }
    if (rc < 0)
        complain("%s", err.text);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

static int find_set(struct store *store, int64_t number, struct factor_set *ret, struct error *err)
{
    return number == 0 ? factors_newest(store, ret, err) : factors_get(store, number, ret, err);
}

static int parse_set(const struct command *command, const char *text, int64_t *ret_set)
{
    if (parse_i64(text, 1, INT64_MAX, ret_set) == 0)
        return 0;
    complain("%s: %s is no number of a factor set; carbonctl factors list has them",
             command->name, text);
    return -EINVAL;
}

/* --- update ----------------------------------------------------------------------------------- */

static int report_update(struct store *store, const struct factors_update *update,
                         struct error *err)
{
    struct factor_set newest;
    char *inventory = NULL;
    int64_t set;
    int rc = factors_update_print(store, update, &set, err);

    if (rc < 0 || set > 0)
        return rc;
    rc = factors_newest(store, &newest, err);
    if (rc == 0)
        rc = factors_document(store, newest.number, FACTORS_INVENTORY, &inventory, err);
    if (rc < 0)
        return rc;
    plainf("nothing differs from factor set %" PRId64 "\n", newest.number);
    if (!inventory)
        plainf("%s is not there: embodied emissions are unknown without it\n",
               update->conf->inventory);
    free(inventory);
    return 0;
}

static int update_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "dry-run", no_argument, NULL, 'n' },
        WRITER_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct factors_update update = { .made_by = "carbonctl factors update" };
    struct error err = { "" };
    struct store_turn turn;
    struct store *store;
    struct conf conf;
    int option, rc;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 'n')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        update.dry_run = true;
    }
    if (refuse_operands(command, argc, argv) || load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    update.conf = &conf;
    turn = writer_turn(update.made_by);
    rc = update.dry_run ? store_open(conf.database, STORE_READ, NULL, &store, &err)
                        : store_open_in_turn(conf.database, &turn, &store, &err);
    if (rc == 0) {
        rc = report_update(store, &update, &err);
        store_close(store);
    }
    if (rc < 0)
        complain("%s", err.text);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

/* --- list ------------------------------------------------------------------------------------- */

struct listing {
    struct table *table;
    bool failed;
};

static void list_set(void *arg, const struct factor_set *set)
{
    struct listing *listing = arg;
    char number[24], made[CLOCK_TEXT_SIZE];
    const char *const texts[] = { number, made, set->made_by };

    snprintf(number, sizeof(number), "%" PRId64, set->number);
    clock_format_utc(set->made_s, made);
    listing->failed |= !table_add(listing->table, texts);
}

static int answer_list(struct store *store, struct ask *ask)
{
    static const struct table_column columns[] = {
        { "SET", true }, { "MADE", false }, { "BY", false }, { NULL, false },
    };
    struct listing listing = { .table = table_new(columns) };
    struct factor_set newest;
    int rc = listing.table ? factors_newest(store, &newest, ask->err) : -ENOMEM;

    if (rc == 0)
        rc = factors_sets(store, list_set, &listing, ask->err);
    if (rc == -ENOMEM || listing.failed)
        rc = error_set(ask->err, -ENOMEM, "out of memory");
    if (rc == 0)
        table_print(listing.table);
    table_free(listing.table);
    return rc;
}

static int list_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = { COMMON_OPTIONS, { NULL, 0, NULL, 0 } };
    int option = next_option(command, argc, argv, options);
    struct ask ask = { .set = 0 };

    if (option != -1)
        return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    return refuse_operands(command, argc, argv) ? EXIT_ERROR : ask_store(answer_list, &ask);
}

/* --- show ------------------------------------------------------------------------------------- */

static void show_settings(const char *text)
{
    plainf("\nSettings\n");
    for (size_t i = 0; basis_setting_keys[i]; i++) {
        char value[160];

        basis_setting(text, basis_setting_keys[i], value, sizeof(value));
        plainf("  %-20s %s\n", basis_setting_keys[i], value[0] ? value : "not set");
    }
}

static void show_series(void *arg, const struct grid_series_summary *summary)
{
    const struct grid_series *series = &summary->series;
    char begin[CLOCK_TEXT_SIZE], end[CLOCK_TEXT_SIZE];
    bool *any = arg;

    clock_format_utc(summary->begin_s, begin);
    clock_format_utc(summary->end_s, end);
    plainf("  %s, %s, %s: %s to %s\n", series->zone, series->basis, series->scope, begin, end);
    plainf("    %zu intervals, %zu estimated, %.4g h in between without a figure\n",
           summary->intervals, summary->estimated, (double)summary->missing_s / 3600);
    plainf("    source: %s\n", series->source);
    *any = true;
}

static int show_documents(struct store *store, int64_t set, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && factors_documents[i]; i++) {
        const char *name = factors_documents[i];
        char *text;

        rc = factors_document(store, set, name, &text, err);
        if (rc < 0)
            return rc;
        if (i == 0) {
            show_settings(text);
            plainf("\nDocuments, each printed by carbonctl factors show --set %" PRId64 " NAME\n",
                   set);
        } else if (text) {
            plainf("  %-20s %zu lines\n", name, linediff_lines(text));
        } else {
            plainf("  %-20s none\n", name);
        }
        free(text);
    }
    return rc;
}

static int show_set(struct store *store, const struct factor_set *set, struct error *err)
{
    char made[CLOCK_TEXT_SIZE];
    bool any = false;
    int rc;

    clock_format_utc(set->made_s, made);
    plainf("Factor set %" PRId64 ", made %s by %s\n", set->number, made, set->made_by);
    rc = show_documents(store, set->number, err);
    if (rc < 0)
        return rc;
    plainf("\nGrid intensity over time\n");
    rc = factors_series(store, set->number, show_series, &any, err);
    if (rc == 0 && !any)
        plainf("  none imported: the yearly figures of %s serve\n", FACTORS_GRID);
    return rc;
}

static int show_document(struct store *store, int64_t set, const char *name, struct error *err)
{
    char *text;
    int rc = factors_document(store, set, name, &text, err);

    if (rc < 0)
        return rc;
    if (!text)
        return error_set(err, -ENOENT, "factor set %" PRId64 " has no document %s; carbonctl "
                         "factors show --set %" PRId64 " lists those it has", set, name, set);
    fputs(text, stdout);
    free(text);
    return 0;
}

static int answer_show(struct store *store, struct ask *ask)
{
    struct factor_set set;
    int rc = find_set(store, ask->set, &set, ask->err);

    if (rc < 0)
        return rc;
    return ask->name ? show_document(store, set.number, ask->name, ask->err)
                     : show_set(store, &set, ask->err);
}

static int show_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "set", required_argument, NULL, 's' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct ask ask = { .set = 0 };
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 's')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        if (parse_set(command, optarg, &ask.set) < 0)
            return EXIT_ERROR;
    }
    if (optind < argc)
        ask.name = argv[optind++];
    return refuse_operands(command, argc, argv) ? EXIT_ERROR : ask_store(answer_show, &ask);
}

/* --- diff ------------------------------------------------------------------------------------- */

static void write_series_change(void *arg, const struct grid_series_change *change)
{
    const struct grid_series *series = &change->series;

    buf_printf(arg, "%s, %s, %s, of %s: %zu intervals added, %zu removed\n", series->zone,
               series->basis, series->scope, series->source, change->added, change->ended);
}

static int diff_document(struct store *store, const struct ask *ask, const char *name,
                         struct buf *out)
{
    char *old = NULL, *new = NULL;
    int rc = factors_document(store, ask->set, name, &old, ask->err);

    if (rc == 0)
        rc = factors_document(store, ask->other, name, &new, ask->err);
    if (rc == 0)
        rc = factors_describe(name, old, new, true, out, ask->err);
    free(old);
    free(new);
    return rc;
}

static int write_diff(struct store *store, const struct ask *ask, struct buf *out)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && factors_documents[i]; i++)
        rc = diff_document(store, ask, factors_documents[i], out);
    if (rc == 0)
        rc = factors_series_changes(store, ask->set, ask->other, write_series_change, out,
                                    ask->err);
    if (rc == 0 && buf_failed(out))
        rc = error_set(ask->err, -ENOMEM, "out of memory");
    return rc;
}

static int answer_diff(struct store *store, struct ask *ask)
{
    struct factor_set set;
    struct buf out;
    int rc = find_set(store, ask->set, &set, ask->err);

    if (rc == 0)
        rc = find_set(store, ask->other, &set, ask->err);
    if (rc < 0)
        return rc;
    buf_init(&out);
    rc = write_diff(store, ask, &out);
    if (rc == 0 && out.len > 0)
        fputs(out.data, stdout);
    else if (rc == 0)
        plainf("factor sets %" PRId64 " and %" PRId64 " do not differ\n", ask->set, ask->other);
    buf_free(&out);
    return rc;
}

static int diff_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = { COMMON_OPTIONS, { NULL, 0, NULL, 0 } };
    int option = next_option(command, argc, argv, options);
    struct ask ask = { .set = 0 };

    if (option != -1)
        return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    if (argc - optind < 2) {
        complain("%s: give the numbers of two factor sets; see carbonctl %s --help",
                 command->name, command->name);
        return EXIT_ERROR;
    }
    if (parse_set(command, argv[optind], &ask.set) < 0 ||
        parse_set(command, argv[optind + 1], &ask.other) < 0)
        return EXIT_ERROR;
    optind += 2;
    return refuse_operands(command, argc, argv) ? EXIT_ERROR : ask_store(answer_diff, &ask);
}

/* --- the command ------------------------------------------------------------------------------ */

static const struct command factors_update_command = {
    .name = "factors update",
    .usage = "[--dry-run] [OPTIONS]",
    .summary = "make a new set of carbon.conf, inventory.conf and the shipped tables, if they "
               "differ",
    .help = "  --dry-run          check them and print what differs, and change nothing\n"
            WAIT_HELP,
    .exec = update_exec,
};
static const struct command factors_list_command = {
    .name = "factors list",
    .usage = "[OPTIONS]",
    .summary = "list the sets, oldest first: when each was made, and by what",
    .help = "",
    .exec = list_exec,
};
static const struct command factors_show_command = {
    .name = "factors show",
    .usage = "[--set N] [NAME] [OPTIONS]",
    .summary = "print what is in a set, or one of its documents as it was",
    .help = "  --set N            of set N; else of the newest\n"
            "  NAME               settings, inventory.conf, grid_intensity.csv,\n"
            "                     embodied_factors.csv or equivalences.csv\n",
    .exec = show_exec,
};
static const struct command factors_diff_command = {
    .name = "factors diff",
    .usage = "A B [OPTIONS]",
    .summary = "print what differs from set A to set B",
    .help = "",
    .exec = diff_exec,
};

static const struct command *const parts[] = {
    &factors_update_command, &factors_list_command, &factors_show_command, &factors_diff_command,
    NULL,
};

const struct command command_factors = {
    .name = "factors",
    .usage = "update | list | show | diff [OPTIONS]",
    .summary = "tell and change what emissions are computed with, in numbered sets",
    .help = "",
    .exec = run_part,
    .parts = parts,
};

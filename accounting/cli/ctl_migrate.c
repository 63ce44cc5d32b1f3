#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/carbonctl.h"
#include "core/conf_value.h"
#include "store/migrate.h"

/* Both kinds of progress are of a line that is written over. */
static void show_progress(const char *what, int64_t rows, int64_t of_rows)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (of_rows > 0)
        fprintf(stderr, "\r\033[K%s: %" PRId64 " %%", what, 100 * rows / of_rows);
    else
        fprintf(stderr, "\r\033[K%s", what);
}

static void end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}

/* TO is checked as carbon.conf's line will be. */
static int check_database(const char *text, struct conf *conf, struct error *err)
{
    const struct conf_option *option = conf_options;

    while (strcmp(option->key, "Database") != 0)
        option++;
    return conf_value_parse(option, text, "", conf, err);
}

static void print_done(const struct migration *done, const struct conf_origin *origin)
{
    plainf("%s: %" PRId64 " rows of %" PRId64 " tables, %" PRId64 " bytes of values, %s\n",
           done->to, done->rows, done->tables, done->bytes,
           done->dry_run ? "would be moved there; the books balance"
                         : "read again and found alike; the books there balance");
    if (done->moved_before[0])
        plainf("%s was moved to %s before: what was loaded there since is not in it\n", done->from,
               done->moved_before);
    if (done->mended > 0)
        plainf("%" PRId64 " text%s no UTF-8: \"?\" %s in place of such bytes there\n",
               done->mended, done->mended == 1 ? " is" : "s are",
               done->dry_run ? "would be" : "is");
    if (done->dry_run)
        plainf("nothing was written; first stop what loads into %s\n", done->from);
    else
        plainf("now write Database=%s into %s, start again what was stopped, and keep %s, which "
               "is as it was, and takes nothing any more\n", done->to,
               origin->file[0] ? origin->file : "carbon.conf", done->from);
}

static int migrate(const char *to, bool dry_run)
{
    static struct conf_origin origin;
    const struct store_turn turn = writer_turn("carbonctl migrate-store");
    struct conf conf, target;
    struct error err = { "" };
    struct migration migration = { .from = conf.database, .to = target.database, .turn = &turn,
                                   .dry_run = dry_run, .progress = show_progress };
    int rc;

    if (load_conf(&conf, &origin) < 0)
        return EXIT_ERROR;
    target = conf;
    rc = check_database(to, &target, &err);
    if (rc == 0 && strcmp(target.database, conf.database) == 0)
        rc = error_set(&err, -EINVAL, "%s is the database in use; name another", to);
    if (rc == 0) {
        rc = store_migrate(&migration, &err);
        end_progress();
    }
    if (rc < 0) {
        complain("migrate-store: %s", err.text);
        return EXIT_ERROR;
    }
    print_done(&migration, &origin);
    return EXIT_FINE;
}

static int migrate_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "dry-run", no_argument, NULL, 'n' },
        WRITER_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    bool dry_run = false;
    const char *to;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 'n')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        dry_run = true;
    }
    if (optind >= argc) {
        complain("migrate-store: name the database to move to; see carbonctl migrate-store --help");
        return EXIT_ERROR;
    }
    to = argv[optind++];
    return refuse_operands(command, argc, argv) ? EXIT_ERROR : migrate(to, dry_run);
}

const struct command command_migrate_store = {
    .name = "migrate-store",
    .usage = "[--dry-run] DATABASE [OPTIONS]",
    .summary = "move all books into another database, audited on both sides",
    .help = "DATABASE is named as in carbon.conf, and has no books yet: sqlite:/absolute/path or\n"
            "postgresql://HOST/DATABASE. It has all of them at the end, or none; the database in\n"
            "use is read, and marked as moved: nobody writes it meanwhile, nor afterwards. See\n"
            "\"The books in PostgreSQL\" in docs/admin.md.\n\n"
            "  --dry-run          audit, read everything, and write nothing\n"
            WAIT_HELP,
    .exec = migrate_exec,
};

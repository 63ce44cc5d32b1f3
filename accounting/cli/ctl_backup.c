#include <inttypes.h>
#include <stdio.h>

#include "cli/carbonctl.h"
#include "core/clock.h"
#include "store/backup.h"

static void print_facts(const char *path, const struct backup_facts *facts)
{
    char last[CLOCK_TEXT_SIZE] = "";

    clock_format_utc(facts->last_s, last);
    plainf("%s: sound, schema %" PRId64 ", %" PRId64 " batch%s of %" PRId64 " node%s%s%s\n", path,
           facts->schema, facts->batches, facts->batches == 1 ? "" : "es", facts->nodes,
           facts->nodes == 1 ? "" : "s", facts->batches ? ", up to " : "",
           facts->batches ? last : "");
    if (!facts->audited)
        plainf("its schema is older: audit its books when `carbonctl init` has upgraded it\n");
    else if (facts->failures == 0)
        plainf("the books in it balance\n");
    else
        plainf("the books in it do not balance: %u failures; `carbonctl audit` shows those of the "
               "database in use\n", facts->failures);
}

static int write_backup(const char *path, struct backup_facts *facts, struct error *err)
{
    struct store *store;
    struct conf conf;
    int rc = load_conf(&conf, NULL);

    if (rc < 0)
        return rc;
    rc = store_open(conf.database, STORE_READ, NULL, &store, err);
    if (rc < 0)
        return rc;
    rc = backup_write(store, path, facts, err);
    store_close(store);
    return rc;
}

static int backup_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "verify", no_argument, NULL, 'v' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct backup_facts facts;
    struct error err = { "" };
    bool verify = false;
    const char *path;
    int option, rc;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 'v')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        verify = true;
    }
    if (optind >= argc || argv[optind][0] == '\0') {
        complain("backup: name the file; see carbonctl backup --help");
        return EXIT_ERROR;
    }
    path = argv[optind++];
    if (refuse_operands(command, argc, argv))
        return EXIT_ERROR;
    rc = verify ? backup_verify(path, &facts, &err) : write_backup(path, &facts, &err);
    if (rc < 0) {
        if (err.text[0])
            complain("%s", err.text);
        return EXIT_ERROR;
    }
    print_facts(path, &facts);
    return EXIT_FINE;
}

const struct command command_backup = {
    .name = "backup",
    .usage = "[--verify] FILE [OPTIONS]",
    .summary = "copy the database into FILE, checked, while others use it",
    .help = "An older backup in FILE is replaced, any other file refused. Restoring one: see\n"
            "docs/operations.md.\n\n"
            "  --verify           write nothing: check the backup in FILE\n",
    .exec = backup_exec,
};

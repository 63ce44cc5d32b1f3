#include <stdio.h>

#include "cli/carbonctl.h"
#include "cli/factors_update.h"
#include "store/store.h"

static void print_created(const struct store *store, const char *database, bool created)
{
    if (store_backup(store))
        plainf("%s upgraded to schema %d; %s is the database as it was\n", database,
               STORE_SCHEMA_VERSION, store_backup(store));
    else
        plainf("%s %s\n", database, created ? "created" : "is there already, and as it should be");
}

static int init_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = { WRITER_OPTIONS, { NULL, 0, NULL, 0 } };
    int option = next_option(command, argc, argv, options);
    struct error err = { "" };
    struct factors_update update = { .made_by = "carbonctl init" };
    struct store_turn turn;
    struct store *store;
    struct conf conf;
    bool created;
    int64_t set;
    int rc;

    if (option != -1)
        return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    if (refuse_operands(command, argc, argv) || load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    turn = writer_turn(update.made_by);
    if (store_create(conf.database, &turn, &created, &err) < 0 ||
        store_open_in_turn(conf.database, &turn, &store, &err) < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    print_created(store, conf.database, created);
    update.conf = &conf;
    /* set 1, so that it is known from the first batch on what is computed with */
    rc = factors_update_print(store, &update, &set, &err);
    store_close(store);
    if (rc < 0)
        complain("%s; correct that and call carbonctl init again", err.text);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

const struct command command_init = {
    .name = "init",
    .usage = "[OPTIONS]",
    .summary = "create the database that carbon.conf names, or upgrade it",
    .help = WAIT_HELP,
    .exec = init_exec,
};

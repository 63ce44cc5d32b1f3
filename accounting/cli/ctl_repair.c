/*
 * carbonctl repair: what the audit finds and a command can mend. Both parts change the books in one
 * transaction.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/carbonctl.h"
#include "store/loss.h"
#include "store/store.h"

static int open_books(const char *who, struct store **ret_store, struct error *err)
{
    const struct store_turn turn = writer_turn(who);
    struct conf conf;
    int rc = load_conf(&conf, NULL);

    if (rc < 0)
        return rc;
    rc = store_open_in_turn(conf.database, &turn, ret_store, err);
    return rc == 0 ? store_begin(*ret_store, err) : rc;
}

/* Commit what went well, and say what did not. */
static int close_books(struct store *store, int rc, struct error *err)
{
    if (rc == 0)
        rc = store_commit(store, err);
    store_close(store);
    if (rc < 0 && err->text[0])
        complain("%s", err->text);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

/* --- sums ------------------------------------------------------------------------------------- */

static int sums_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = { WRITER_OPTIONS, { NULL, 0, NULL, 0 } };
    int rc, option = next_option(command, argc, argv, options);
    struct store *store = NULL;
    struct error err = { "" };

    if (option != -1)
        return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    if (refuse_operands(command, argc, argv))
        return EXIT_ERROR;
    rc = open_books("carbonctl repair sums", &store, &err);
    if (rc == 0)
        rc = store_make_sums(store, &err);
    rc = close_books(store, rc, &err);
    if (rc == EXIT_FINE)
        plainf("the sums of hours and months are made anew from their rows\n");
    return rc;
}

static const struct command command_repair_sums = {
    .name = "repair sums",
    .usage = "[OPTIONS]",
    .summary = "make all sums of hours and months anew from the rows (audit's A6 and A7)",
    .help = "It takes about a minute for ten million rows of energy, and changes nothing else.\n\n"
            WAIT_HELP,
    .exec = sums_exec,
};

/* --- loss ------------------------------------------------------------------------------------- */

static void print_span(void *arg, const struct loss_span *span)
{
    int64_t *batches = arg;
    int64_t count = span->last_seq - span->first_seq + 1;

    *batches += count;
    plainf("cluster %s, node %s, stream %s, seq %" PRId64, span->cluster, span->node, span->stream,
           span->first_seq);
    if (count > 1)
        plainf(" to %" PRId64, span->last_seq);
    plainf(": given up (%" PRId64 " batch%s)\n", count, count == 1 ? "" : "es");
}

/* "n1" or "n1:0123456789abcdef"; the colon is overwritten. */
static int accept_loss(const char *cluster, char *operand, const char *reason)
{
    struct loss_note note = { .reason = reason, .made_by = own_user_name() };
    int64_t batches = 0;
    struct store *store = NULL;
    struct error err = { "" };
    char *stream = strchr(operand, ':');
    int rc;

    if (stream)
        *stream++ = '\0';
    rc = open_books("carbonctl repair loss", &store, &err);
    if (rc == 0)
        rc = loss_accept(store, cluster, operand, stream, &note, print_span, &batches, &err);
    rc = close_books(store, rc, &err);
    if (rc == EXIT_FINE && batches == 0)
        plainf("nothing is missing of node %s%s%s%s%s, or all of it is given up already\n", operand,
               cluster ? " of cluster " : "", cluster ? cluster : "", stream ? ", stream " : "",
               stream ? stream : "");
    else if (rc == EXIT_FINE)
        plainf("audit and coverage state it; a batch that comes after all is counted\n");
    return rc;
}

static int loss_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "reason", required_argument, NULL, 'r' },
        { "cluster", required_argument, NULL, 'm' },
        WRITER_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    const char *reason = NULL, *cluster = NULL;
    char *operand;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option == 'r')
            reason = optarg;
        else if (option == 'm')
            cluster = optarg;
        else
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    }
    if (optind >= argc) {
        complain("%s: say which node's; see carbonctl %s --help", command->name, command->name);
        return EXIT_ERROR;
    }
    operand = argv[optind++];
    if (refuse_operands(command, argc, argv) || check_reason(command->name, reason))
        return EXIT_ERROR;
    return accept_loss(cluster, operand, reason);
}

static const struct command command_repair_loss = {
    .name = "repair loss",
    .usage = "NODE[:STREAM] [--cluster NAME] --reason TEXT [OPTIONS]",
    .summary = "write off batches of a node that are lost for good (audit's A2)",
    .help = "All that is missing now of the node, or of one stream of it, is given up: audit goes\n"
            "on stating it, and fails for it no more; the coverage of its time falls. What is\n"
            "missing later is a failure again.\n\n"
            "  --cluster NAME     the node of this cluster, where several have one of its name\n"
            "  --reason TEXT      why, for whoever reads the audit\n"
            WAIT_HELP,
    .exec = loss_exec,
};

/* --- both ------------------------------------------------------------------------------------- */

static const struct command *const parts[] = { &command_repair_loss, &command_repair_sums, NULL };

const struct command command_repair = {
    .name = "repair",
    .usage = "loss|sums [OPTIONS]",
    .summary = "mend what audit finds: write off lost batches, make sums anew",
    .help = "",
    .exec = run_part,
    .parts = parts,
};

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/carbonctl.h"
#include "cli/table.h"
#include "core/clock.h"
#include "report/json_doc.h"
#include "spool/quarantine.h"

/* --- list ------------------------------------------------------------------------------------- */

/* Either form of the list. */
struct list {
    struct table *table;
    struct json_doc doc;
    json_t *files; /* of --json; else NULL */
    bool failed;   /* out of memory */
};

static void add_row(struct list *list, const struct quarantine_file *file)
{
    char since[CLOCK_TEXT_SIZE], seq[24] = "-";
    const char *texts[] = { file->name, file->is_batch ? file->id.node : "-",
                            file->is_batch ? file->id.stream : "-", seq, since, file->reason };

    if (file->is_batch)
        snprintf(seq, sizeof(seq), "%" PRId64, file->id.seq);
    clock_format_utc(file->since_s, since);
    if (!table_add(list->table, texts))
        list->failed = true;
}

static void take_file(void *arg, const struct quarantine_file *file)
{
    struct list *list = arg;
    json_t *item;

    if (!list->files) {
        add_row(list, file);
        return;
    }
    item = json_object();
    json_put_text(&list->doc, item, "file", file->name);
    json_put_text(&list->doc, item, "node", file->is_batch ? file->id.node : NULL);
    json_put_text(&list->doc, item, "stream", file->is_batch ? file->id.stream : NULL);
    json_put(&list->doc, item, "seq", file->is_batch ? json_integer(file->id.seq) : json_null());
    json_put_instant(&list->doc, item, "since", file->since_s);
    json_put_text(&list->doc, item, "reason", file->reason);
    json_add(&list->doc, list->files, item);
}

static int print_list(struct list *list)
{
    struct buf buf;

    if (!list->files) {
        if (table_is_empty(list->table))
            plainf("nothing is in quarantine\n");
        else
            table_print(list->table);
        return list->failed ? -ENOMEM : 0;
    }
    buf_init(&buf);
    json_doc_write(&list->doc, json_incref(list->files), &buf);
    if (!buf.failed && !list->doc.failed)
        fwrite(buf.data, 1, buf.len, stdout);
    list->failed |= buf.failed || list->doc.failed;
    buf_free(&buf);
    return list->failed ? -ENOMEM : 0;
}

static int read_list(const struct conf *conf, struct list *list, struct error *err)
{
    struct quarantine quarantine;
    struct store *store;
    int rc = store_open(conf->database, STORE_READ, NULL, &store, err);

    if (rc < 0)
        return rc;
    rc = quarantine_open(conf->deliver_dir, store, &quarantine, err);
    if (rc == 0) {
        rc = quarantine_list(&quarantine, take_file, list, err);
        quarantine_close(&quarantine);
    }
    store_close(store);
    return rc == -ENOENT ? 0 : rc;
}

static int run_list(const struct conf *conf, bool json)
{
    static const struct table_column columns[] = {
        { "FILE", false }, { "NODE", false }, { "STREAM", false }, { "SEQ", true },
        { "SINCE", false }, { "REASON", false }, { NULL, false },
    };
    struct list list = { .table = table_new(columns), .files = json ? json_array() : NULL };
    struct error err = { "" };
    int rc = !list.table || (json && !list.files) ? error_set(&err, -ENOMEM, "out of memory")
                                                  : read_list(conf, &list, &err);

    if (rc == 0 && print_list(&list) < 0)
        rc = error_set(&err, -ENOMEM, "out of memory");
    if (rc < 0)
        complain("%s", err.text);
    table_free(list.table);
    json_decref(list.files);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

static int list_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };

    return run_with_flag(command, argc, argv, options, run_list);
}

static const struct command command_quarantine_list = {
    .name = "quarantine list",
    .usage = "[--json] [OPTIONS]",
    .summary = "show what ingest set aside: which batch, since when, and why",
    .help = "  --json             print JSON\n",
    .exec = list_exec,
};

/* --- retry and drop --------------------------------------------------------------------------- */

/* What is done with each file named. */
struct work {
    const char *who;
    int (*one)(const struct quarantine *quarantine, const char *name, const struct work *work,
               struct error *err);
    struct loss_note note; /* of drop */
};

struct names {
    char **items;
    size_t count;
    bool failed;
};

static void keep_name(void *arg, const struct quarantine_file *file)
{
    struct names *names = arg;
    char **grown = realloc(names->items, (names->count + 1) * sizeof(*grown));

    names->failed |= !grown;
    if (!grown)
        return;
    names->items = grown;
    grown[names->count] = strdup(file->name);
    names->failed |= !grown[names->count++];
}

/* One that is refused stops no other. */
static int work_on(const struct quarantine *quarantine, const struct work *work, char **names,
                   size_t count, struct error *err)
{
    int rc, status = 0;

    for (size_t i = 0; i < count; i++) {
        rc = work->one(quarantine, names[i], work, err);
        if (rc < 0)
            complain("%s", err->text);
        status = rc < 0 ? rc : status;
    }
    err->text[0] = '\0';
    rc = quarantine_tidy(quarantine, err);
    return rc < 0 ? rc : status;
}

static int work_on_all(const struct quarantine *quarantine, const struct work *work,
                       struct error *err)
{
    struct names names = { NULL, 0, false };
    int rc = quarantine_list(quarantine, keep_name, &names, err);

    if (rc == 0 && names.failed)
        rc = error_set(err, -ENOMEM, "out of memory");
    if (rc == 0 && names.count == 0)
        plainf("nothing is in quarantine\n");
    if (rc == 0)
        rc = work_on(quarantine, work, names.items, names.count, err);
    for (size_t i = 0; i < names.count; i++)
        free(names.items[i]);
    free(names.items);
    return rc;
}

/* names NULL: all */
static int run_work(const struct work *work, char **names, size_t count)
{
    const struct store_turn turn = writer_turn(work->who);
    struct quarantine quarantine;
    struct error err = { "" };
    struct store *store;
    struct conf conf;
    int rc;

    if (load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    rc = store_open_in_turn(conf.database, &turn, &store, &err);
    if (rc == 0) {
        rc = quarantine_open(conf.deliver_dir, store, &quarantine, &err);
        if (rc == 0) {
            rc = names ? work_on(&quarantine, work, names, count, &err)
                       : work_on_all(&quarantine, work, &err);
            quarantine_close(&quarantine);
        }
        store_close(store);
    }
    if (rc < 0 && err.text[0])
        complain("%s", err.text);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

static int retry_one(const struct quarantine *quarantine, const char *name,
                     const struct work *work, struct error *err)
{
    int rc = quarantine_retry(quarantine, name, err);

    (void)work;
    if (rc == 0)
        plainf("%s: back in DeliverDir, for the next round of `carbonctl ingest`\n", name);
    return rc;
}

static int retry_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "all", no_argument, NULL, 'a' },
        WRITER_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    const struct work work = { .who = "carbonctl quarantine retry", .one = retry_one };
    bool all = false;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 'a')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        all = true;
    }
    if (all == (optind < argc)) {
        complain("%s: name the files, or say --all; `carbonctl quarantine list` shows them",
                 command->name);
        return EXIT_ERROR;
    }
    return run_work(&work, all ? NULL : argv + optind, (size_t)(argc - optind));
}

static const struct command command_quarantine_retry = {
    .name = "quarantine retry",
    .usage = "NAME...|--all [OPTIONS]",
    .summary = "have ingest try files again, after what was wrong was mended",
    .help = "  --all              every file in quarantine\n"
            WAIT_HELP,
    .exec = retry_exec,
};

static int drop_one(const struct quarantine *quarantine, const char *name, const struct work *work,
                    struct error *err)
{
    static const char *const outcomes[] = {
        [DROPPED_GIVEN_UP] = "given up; audit and coverage state the loss",
        [DROPPED_NO_LOSS] = "removed; nothing is lost, as the books have a batch of this node, "
                            "stream and seq",
        [DROPPED_NO_NODE] = "removed; the books have no batch of its node yet, so its loss is "
                            "written off by `carbonctl repair loss` once they have",
        [DROPPED_UNCLEAR] = "removed; clusters have nodes of one name, and the stream does not "
                            "tell which it is of, so once audit names its loss it is written off "
                            "by `carbonctl repair loss`",
        [DROPPED_NO_BATCH] = "removed; its name is no batch's, so nobody can say what is lost",
    };
    enum quarantine_dropped dropped;
    int rc = quarantine_drop(quarantine, name, &work->note, &dropped, err);

    if (rc == 0)
        plainf("%s: %s\n", name, outcomes[dropped]);
    return rc;
}

static int drop_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "reason", required_argument, NULL, 'r' },
        WRITER_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct work work = { .who = "carbonctl quarantine drop", .one = drop_one };
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 'r')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        work.note.reason = optarg;
    }
    if (optind >= argc) {
        complain("%s: name the files; `carbonctl quarantine list` shows them", command->name);
        return EXIT_ERROR;
    }
    if (check_reason(command->name, work.note.reason))
        return EXIT_ERROR;
    work.note.made_by = own_user_name();
    return run_work(&work, argv + optind, (size_t)(argc - optind));
}

static const struct command command_quarantine_drop = {
    .name = "quarantine drop",
    .usage = "NAME... --reason TEXT [OPTIONS]",
    .summary = "give files up for good: the loss is written into the books, the file removed",
    .help = "  --reason TEXT      why, for whoever reads the audit\n"
            WAIT_HELP,
    .exec = drop_exec,
};

/* --- all three -------------------------------------------------------------------------------- */

static const struct command *const parts[] = { &command_quarantine_list, &command_quarantine_retry,
                                               &command_quarantine_drop, NULL };

const struct command command_quarantine = {
    .name = "quarantine",
    .usage = "list|retry|drop [OPTIONS]",
    .summary = "look at what ingest set aside, have it tried again, or give it up",
    .help = "",
    .exec = run_part,
    .parts = parts,
};

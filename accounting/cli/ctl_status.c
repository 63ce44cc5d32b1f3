#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/carbonctl.h"
#include "cli/meter_status.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/parse.h"
#include "store/nodes.h"

#define SECONDS_PER_DAY 86400
#define DEFAULT_DAYS 7

/* --- the meter of this node ------------------------------------------------------------------ */

static void print_meter_lines(int spool_fd)
{
    static char text[METER_STATUS_SIZE];
    char *line, *rest = text;

    if (meter_read_status(spool_fd, text) < 0) {
        plainf("  it has left no status yet\n");
        return;
    }
    while ((line = strsep(&rest, "\n")) != NULL)
        if (line[0])
            plainf("  %s\n", line);
}

static void print_meter(const struct conf *conf)
{
    int alive, spool_fd = open(conf->spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (spool_fd < 0) {
        plainf("Meter of %s: %s: %s\n", own_node_name(), conf->spool_dir,
               errno == ENOENT ? "not there; this machine is not metered" : strerror(errno));
        return;
    }
    alive = meter_is_alive(spool_fd);
    plainf("Meter of %s: %s\n", own_node_name(),
           alive > 0    ? "running"
           : alive == 0 ? "not running; what follows is its last word"
                        : "its lock cannot be read");
    print_meter_lines(spool_fd);
    close(spool_fd);
}

/* --- the nodes of the database --------------------------------------------------------------- */

struct nodes {
    struct table *table;
    int64_t now_s;
    bool failed;
};

/* "12 s", "3 min", "5 h", "2 d": how far behind the books are */
static void format_lag(int64_t lag_s, char *text, size_t size)
{
    if (lag_s < 120)
        snprintf(text, size, "%" PRId64 " s", lag_s);
    else if (lag_s < 7200)
        snprintf(text, size, "%" PRId64 " min", lag_s / 60);
    else if (lag_s < 2 * SECONDS_PER_DAY)
        snprintf(text, size, "%" PRId64 " h", lag_s / 3600);
    else
        snprintf(text, size, "%" PRId64 " d", lag_s / SECONDS_PER_DAY);
}

static void take_node(void *arg, const struct node_status *status)
{
    struct nodes *nodes = arg;
    const int64_t counts[] = { status->batches, status->streams, status->missing,
                               status->marks_bad, status->batches_dropped };
    char last[CLOCK_TEXT_SIZE], lag[32], numbers[5][24];
    const char *texts[9] = { status->cluster, status->node, last, lag };

    clock_format_utc(status->last_s, last);
    format_lag(nodes->now_s - status->last_s, lag, sizeof(lag));
    for (size_t i = 0; i < 5; i++) {
        snprintf(numbers[i], sizeof(numbers[i]), "%" PRId64, counts[i]);
        texts[4 + i] = numbers[i];
    }
    if (!table_add(nodes->table, texts))
        nodes->failed = true;
}

static int print_nodes(struct store *store, uint32_t days, struct error *err)
{
    static const struct table_column columns[] = {
        { "CLUSTER", false }, { "NODE", false },   { "BOOKED UP TO", false },
        { "LAG", true },      { "BATCHES", true }, { "STREAMS", true },
        { "MISSING", true },  { "MARKS BAD", true }, { "DROPPED", true },
        { NULL, false },
    };
    struct nodes nodes = { .table = table_new(columns),
                           .now_s = clock_wall_ns() / (int64_t)NS_PER_S };
    int64_t quarantined = 0;
    int rc = nodes.table ? 0 : error_set(err, -ENOMEM, "out of memory");

    if (rc == 0)
        rc = store_nodes(store, nodes.now_s - (int64_t)days * SECONDS_PER_DAY, take_node, &nodes,
                         err);
    if (rc == 0)
        rc = store_quarantined(store, &quarantined, err);
    if (rc == 0 && nodes.failed)
        rc = error_set(err, -ENOMEM, "out of memory");
    if (rc == 0) {
        plainf("\nDatabase %s, batches of the last %" PRIu32 " days, %" PRId64
               " files in quarantine\n", store_path(store), days, quarantined);
        if (table_is_empty(nodes.table))
            plainf("  no node has delivered yet\n");
        else
            table_print(nodes.table);
    }
    table_free(nodes.table);
    return rc;
}

/* A compute node has no database, and that is no error. */
static int print_database(const struct conf *conf, uint32_t days)
{
    struct error err = { "" };
    struct store *store;
    int rc = store_open(conf->database, STORE_READ, NULL, &store, &err);

    if (rc == -ENOENT) {
        plainf("\nDatabase %s: not on this machine\n", conf->database);
        return EXIT_FINE;
    }
    if (rc == 0) {
        rc = print_nodes(store, days, &err);
        store_close(store);
    }
    if (rc < 0)
        complain("%s", err.text);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

static int status_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "days", required_argument, NULL, 'd' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    uint32_t days = DEFAULT_DAYS;
    struct conf conf;
    int option;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option != 'd')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        if (parse_u32(optarg, 1, 36500, &days) < 0) {
            complain("status: --days %s is no number of days; give 1 to 36500", optarg);
            return EXIT_ERROR;
        }
    }
    if (refuse_operands(command, argc, argv) || load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    print_meter(&conf);
    return print_database(&conf, days);
}

const struct command command_status = {
    .name = "status",
    .usage = "[--days N] [OPTIONS]",
    .summary = "tell whether this node's meter runs and how far each node's books are",
    .help = "  --days N           look at batches of the last N days (7 unless told)\n",
    .exec = status_exec,
};

#include "config.h" /* nftw() */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/carbonctl.h"
#include "cli/meter_status.h"
#include "cli/output.h"
#include "cli/sensors_show.h"
#include "core/clock.h"
#include "core/parse.h"

#define SECONDS 2       /* long against what refreshes once a second, short for who looks on */
#define SECONDS_MAX 600
#define PERIODS_NS NS_PER_S /* ten refreshes of a counter of 10 Hz */

struct request {
    const char *root;    /* --root, or NULL */
    const char *capture; /* --capture, or NULL */
    uint32_t seconds;
    bool json;
};

/* What is looked at: a directory, or a capture that was laid out in one of our own. */
struct look {
    struct conf conf;
    char path[PATH_MAX];
    int fd;              /* of the directory, or -1 */
    bool is_capture;
    struct capture replayed;
    struct topology *topology;
    struct sensors *sensors;
    struct watched *watched;
    uint64_t *busy_ns;
    char status[METER_STATUS_SIZE];
};

/* --- what is looked at ------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* Takes a capture apart into a directory of its own below TMPDIR. */
static int lay_out(const char *file, struct look *look, struct error *err)
{
    const char *tmp = getenv("TMPDIR");
    int rc = capture_load(file, &look->replayed, err);

    if (rc < 0)
        return rc;
    snprintf(look->path, sizeof(look->path), "%s/carbonctl-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    if (!mkdtemp(look->path)) {
        rc = error_set_errno(err, -errno, "cannot make a directory for the capture in %s; set "
                             "TMPDIR to one that can be written", tmp && tmp[0] ? tmp : "/tmp");
        look->path[0] = '\0';
        return rc;
    }
    look->is_capture = true;
    look->fd = open(look->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (look->fd < 0)
        return error_set_errno(err, -errno, "cannot open %s", look->path);
    return error_prefix(err, capture_unpack(&look->replayed, 0, look->fd, err), "%s", file);
}

static int open_root(const char *root, struct look *look, struct error *err)
{
    struct stat st;

    if (stat(root, &st) < 0)
        return error_set_errno(err, -errno, "cannot look at %s; --root takes a directory that "
                               "holds sys/ and proc/, or a file that --capture wrote", root);
    if (S_ISREG(st.st_mode))
        return lay_out(root, look, err);
    snprintf(look->path, sizeof(look->path), "%s", root);
    look->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return look->fd < 0 ? error_set_errno(err, -errno, "cannot open %s", root) : 0;
}

static int open_sensors(struct look *look, struct error *err)
{
    struct sensor_options options = sensors_options(&look->conf);
    int rc = topology_load(look->path, &look->topology, err);

    if (rc < 0)
        return rc;
    options.root_fd = look->fd;
    options.topology = look->topology;
    rc = sensors_open(&options, &look->sensors, err);
    if (rc < 0)
        return rc;
    look->watched = watch_new(look->sensors);
    look->busy_ns = calloc(look->topology->n_packages, sizeof(*look->busy_ns));
    return look->watched && look->busy_ns ? 0 : error_set_errno(err, -ENOMEM, "sensors");
}

static void close_look(struct look *look)
{
    sensors_close(look->sensors);
    topology_free(look->topology);
    free(look->watched);
    free(look->busy_ns);
    capture_clear(&look->replayed);
    if (look->fd >= 0)
        close(look->fd);
    if (look->is_capture) /* what is unreadable in it can be removed all the same */
        nftw(look->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- showing ---------------------------------------------------------------------------------- */

/* What the meter says, of the node whose sensors are its own. */
static enum meter_life ask_meter(const struct request *request, struct look *look)
{
    int alive, rc, spool_fd;

    if (request->root)
        return METER_NOT_ASKED;
    spool_fd = open(look->conf.spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool_fd < 0)
        return errno == ENOENT ? METER_ABSENT : METER_UNREADABLE;
    alive = meter_is_alive(spool_fd);
    rc = meter_read_status(spool_fd, look->status);
    close(spool_fd);
    if (rc < 0)
        look->status[0] = '\0';
    if (alive > 0 && rc != -EACCES)
        return METER_RUNS;
    if (rc == -ENOENT && alive == 0)
        return METER_ABSENT;
    return rc < 0 || alive < 0 ? METER_UNREADABLE : METER_STOPPED;
}

static int watch(const struct request *request, struct look *look, struct error *err)
{
    if (look->is_capture)
        return watch_capture(look->sensors, look->watched, look->busy_ns, &look->replayed, look->fd,
                             err);
    watch_power(look->sensors, look->watched, look->busy_ns, request->seconds * NS_PER_S);
    watch_periods(look->sensors, look->watched, look->busy_ns, PERIODS_NS);
    return 0;
}

static uint64_t last_instant_ns(const struct capture *capture)
{
    return capture->instants[capture->n_instants - 1].after_ns;
}

static int show(const struct request *request, struct look *look, struct error *err)
{
    struct sensors_shown shown = {
        .node = request->root ? request->root : own_node_name(),
        .root = request->root ? request->root : look->path,
        .spool_dir = look->conf.spool_dir,
        .is_capture = look->is_capture,
        .is_captured_once = look->is_capture && look->replayed.n_instants < 2,
        .span_ns = look->is_capture ? last_instant_ns(&look->replayed)
                                    : request->seconds * NS_PER_S,
        .status = look->status,
    };
    int rc = open_sensors(look, err);

    if (rc == 0)
        rc = watch(request, look, err);
    if (rc < 0)
        return rc;
    shown.sensors = look->sensors;
    shown.watched = look->watched;
    shown.life = ask_meter(request, look);
    rc = request->json ? sensors_show_json(&shown, err) : sensors_show_tables(&shown, err);
    if (rc == 0 && !look->is_capture && geteuid() != 0 && sensors_need_root(&shown))
        complain("sensors: some counters can be read by root alone; carbon-meterd reads them, and "
                 "you see them as root");
    return rc;
}

/* --- capturing -------------------------------------------------------------------------------- */

/* The same instants of a capture, or two of what is there. */
static int scan_all(const struct request *request, struct look *look, struct capture *capture,
                    struct error *err)
{
    uint64_t begin_ns = clock_boottime_ns();
    int rc = capture_scan(look->fd, capture, err);

    if (rc == 0 && capture->n_records == 0)
        rc = error_set(err, -ENODEV, "there is nothing to capture below %s: neither sys/ nor proc/",
                       look->path);
    if (!look->is_capture && rc == 0) {
        sleep(request->seconds);
        return capture_scan_again(look->fd, clock_boottime_ns() - begin_ns, capture, err);
    }
    for (size_t i = 1; i < look->replayed.n_instants && rc == 0; i++) {
        rc = capture_unpack(&look->replayed, i, look->fd, err);
        if (rc == 0)
            rc = capture_scan_again(look->fd, look->replayed.instants[i].after_ns, capture, err);
    }
    return rc;
}

static int write_text(const char *file, const struct buf *text, struct error *err)
{
    int rc;

    if (strcmp(file, "-") == 0)
        return fwrite(text->data, 1, text->len, stdout) == text->len
                   ? 0 : error_set_errno(err, -EIO, "cannot write");
    /* RAPL's readings are root's alone, until he sends them to somebody (docs/security.md) */
    rc = output_write("--capture", file, 0600, text, err);
    return rc < 0 ? error_prefix(err, rc, "cannot write %s", file) : 0;
}

static void tell_captured(const char *file, const struct capture *capture, const struct buf *text)
{
    size_t unreadable = capture_count_unreadable(capture);

    fplainf(stderr, "%s: %zu files, %zu KiB of text. It holds no serial numbers, names of hosts or "
            "users, or processes;\nread it before you send it to somebody.\n",
            strcmp(file, "-") == 0 ? "capture" : file, capture->n_records,
            (text->len + 1023) / 1024);
    if (unreadable > 0)
        complain("sensors: %zu files are there and could not be read%s; the capture says which: "
                 "grep ^unreadable", unreadable,
                 geteuid() == 0 ? "" : ", most likely because you are not root");
}

static int capture_to(const struct request *request, struct look *look, struct error *err)
{
    struct capture capture;
    struct buf text;
    int rc;

    capture_init(&capture);
    buf_init(&text);
    rc = scan_all(request, look, &capture, err);
    if (rc == 0) {
        capture_format(&capture, &text);
        rc = buf_failed(&text) ? error_set_errno(err, -ENOMEM, "capture")
                               : write_text(request->capture, &text, err);
    }
    if (rc == 0)
        tell_captured(request->capture, &capture, &text);
    buf_free(&text);
    capture_clear(&capture);
    return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

static int run(const struct request *request, struct look *look)
{
    struct error err = { "" };
    int rc = open_root(request->root ? request->root : look->conf.sensor_root, look, &err);

    if (rc == 0)
        rc = request->capture ? capture_to(request, look, &err) : show(request, look, &err);
    if (rc < 0)
        complain("sensors: %s", err.text);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

static int take_seconds(const char *text, uint32_t *ret_seconds)
{
    if (parse_u32(text, 1, SECONDS_MAX, ret_seconds) == 0)
        return 0;
    complain("sensors: --seconds %s is no number of seconds; give 1 to %d", text, SECONDS_MAX);
    return -EINVAL;
}

static int sensors_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "root", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 's' },
        { "capture", required_argument, NULL, 'o' },
        { "json", no_argument, NULL, 'j' },
        COMMON_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    static struct look look = { .fd = -1 }; /* a status is too large for a stack */
    struct request request = { .seconds = SECONDS };
    int option, status;

    while ((option = next_option(command, argc, argv, options)) != -1) {
        if (option == 'r')
            request.root = optarg;
        else if (option == 'o')
            request.capture = optarg;
        else if (option == 'j')
            request.json = true;
        else if (option != 's')
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
        else if (take_seconds(optarg, &request.seconds) < 0)
            return EXIT_ERROR;
    }
    if (request.json && request.capture) {
        complain("sensors: --json and --capture exclude each other");
        return EXIT_ERROR;
    }
    if (refuse_operands(command, argc, argv) || load_conf(&look.conf, NULL) < 0)
        return EXIT_ERROR;
    status = run(&request, &look);
    close_look(&look);
    return status;
}

const struct command command_sensors = {
    .name = "sensors",
    .usage = "[--seconds N] [--json] [--root PATH] [--capture FILE] [OPTIONS]",
    .summary = "show which energy counters this node has and what they read, or capture them",
    .help = "  --seconds N        measure power over N seconds (2 unless told)\n"
            "  --json             print JSON, with the unit in each key; null is unknown\n"
            "  --root PATH        look at a directory that holds another node's sys/ and proc/,\n"
            "                     or at a file that --capture wrote, instead of SensorRoot\n"
            "  --capture FILE     write what the sensors see of the node into FILE, as text to\n"
            "                     read and to send with a question; run it as root (-: output)\n",
    .exec = sensors_exec,
};

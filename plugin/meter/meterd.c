/*
 * carbon-meterd - the meter of one node
 *
 * Options, directories, the lock, signals and the loop; everything else is in meter.c. It stays in
 * the foreground and logs to stderr, as systemd and other supervisors like it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/conf.h"
#include "core/file.h"
#include "meter/log.h"
#include "meter/meter.h"
#include "meter/metrics.h"
#include "meter/status.h"

/* A tick after a mark waits so long for the marks that come with it … */
#define COALESCE_NS (5 * UINT64_C(1000000))
/* … and extra ticks are this far apart: at most 20 a second. */
#define EXTRA_GAP_NS (50 * UINT64_C(1000000))
/* A batch that could not be written is tried again after. */
#define WRITE_AGAIN_NS (10 * NS_PER_S)
/* What can be delivered at the end, within. */
#define LAST_DELIVERY_NS (5 * NS_PER_S)
/* What users see of running jobs is no finer (docs/security.md). */
#define SEEN_S 60

enum { FD_TIMER, FD_SIGNAL, FD_MARKS, FD_COUNT };

struct daemon {
    const char *config; /* --config, or NULL */
    char node[NODE_NAME_SIZE];
    char boot_id[BOOT_ID_SIZE];
    struct conf conf;
    struct topology *topology;
    struct sensors *sensors;
    struct meter *meter;
    struct meter_options options;
    struct metrics metrics;
    int root_fd, lock_fd;
    struct pollfd fds[FD_COUNT];
    uint64_t tick_ns;      /* the last tick of either kind */
    uint64_t extra_ns;     /* when the next extra tick is due; 0: none */
    uint64_t seal_ns;      /* when the next seal is due */
    bool stop;
    int exit_status;
};

/* --- options --------------------------------------------------------------------------------- */

static const struct {
    struct option option;
    const char *argument, *help;
} options_table[] = {
    { { "config", required_argument, NULL, 'c' }, "FILE",
      "carbon.conf (default: SLURM_CARBON_CONF, else beside slurm.conf)" },
    { { "node", required_argument, NULL, 'N' }, "NAME",
      "the node's name (default: SLURMD_NODENAME, else the short host name)" },
    { { "foreground", no_argument, NULL, 'D' }, NULL,
      "stay in the foreground: the only way it runs, accepted for unit files" },
    { { "help", no_argument, NULL, 'h' }, NULL, "print this and exit" },
    { { "version", no_argument, NULL, 'V' }, NULL, "print the version and exit" },
};
#define OPTIONS (sizeof(options_table) / sizeof(options_table[0]))

static void print_help(void)
{
    puts("Usage: carbon-meterd [OPTION]...\n"
         "Meter this node's energy and book it to its jobs and steps.\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        char left[64];

        snprintf(left, sizeof(left), "-%c, --%s%s%s", options_table[i].option.val,
                 options_table[i].option.name, options_table[i].argument ? " " : "",
                 options_table[i].argument ? options_table[i].argument : "");
        printf("  %-22s %s\n", left, options_table[i].help);
    }
    puts("\nSignals: SIGUSR1 writes SpoolDir/status; SIGTERM seals, delivers and ends.");
}

/* SLURMD_NODENAME, else the host's name up to its first dot. */
static void default_node(char ret_node[NODE_NAME_SIZE])
{
    const char *named = getenv("SLURMD_NODENAME");

    if (named && named[0]) {
        snprintf(ret_node, NODE_NAME_SIZE, "%s", named);
        return;
    }
    if (gethostname(ret_node, NODE_NAME_SIZE) < 0)
        ret_node[0] = '\0';
    ret_node[NODE_NAME_SIZE - 1] = '\0';
    ret_node[strcspn(ret_node, ".")] = '\0';
}

static int check_node(const char *node)
{
    if (node[0] && node[0] != '.' && !strchr(node, '/'))
        return 0;
    fprintf(stderr, "carbon-meterd: \"%s\" is no name of a node; give one with --node\n", node);
    return -EINVAL;
}

/* Returns 0 to go on, 1 when all is done, negative after a mistake. */
static int read_options(struct daemon *d, int argc, char **argv)
{
    struct option options[OPTIONS + 1] = { { 0 } };
    int c;

    for (size_t i = 0; i < OPTIONS; i++)
        options[i] = options_table[i].option;
    while ((c = getopt_long(argc, argv, "c:N:DhV", options, NULL)) != -1) {
        if (c == 'c')
            d->config = optarg;
        else if (c == 'N')
            snprintf(d->node, sizeof(d->node), "%s", optarg);
        else if (c == 'h')
            return print_help(), 1;
        else if (c == 'V')
            return puts("carbon-meterd " PACKAGE_VERSION), 1;
        else if (c != 'D')
            return -EINVAL; /* getopt_long() said what is wrong */
    }
    if (optind < argc) {
        fprintf(stderr, "carbon-meterd: unexpected argument \"%s\"; see --help\n", argv[optind]);
        return -EINVAL;
    }
    if (!d->node[0])
        default_node(d->node);
    return check_node(d->node);
}

/* --- directories and the lock ---------------------------------------------------------------- */

/* The directory 0700, its parents 0755 where they are missing. */
static int make_dir(const char *path, const char *key, struct error *err)
{
    char part[PATH_MAX];

    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return error_set_errno(err, -errno, "cannot make %s, for %s %s", part, key, path);
        *slash = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return error_set_errno(err, -errno, "cannot make %s %s", key, path);
    return 0;
}

static int write_pid(int fd)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return -errno;
    return 0;
}

/* One meter per SpoolDir. The lock lives as long as the process, however it ends. */
static int take_lock(struct daemon *d, struct error *err)
{
    char path[PATH_MAX + 8], pid[24] = "?";
    int rc = -1;

    snprintf(path, sizeof(path), "%s/lock", d->conf.spool_dir);
    d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->lock_fd < 0)
        return error_set_errno(err, -errno, "cannot open the lock %s", path);
    for (int i = 0; i < 10 && (rc = flock(d->lock_fd, LOCK_EX | LOCK_NB)) < 0; i++)
        poll(NULL, 0, 20); /* `carbonctl status` holds it for a moment when it asks */
    if (rc < 0) {
        ssize_t got = pread(d->lock_fd, pid, sizeof(pid) - 1, 0);

        pid[got > 0 ? strcspn(pid, "\n") : 0] = '\0';
        return error_set(err, -EBUSY, "node %s is metered already, by process %s, which holds %s; "
                         "stop it first, or give this node another SpoolDir", d->node, pid, path);
    }
    write_pid(d->lock_fd); /* a full disk leaves the pid out, no more: the lock holds */
    return 0;
}

static int prepare_dirs(struct daemon *d, struct error *err)
{
    int rc;

    if (strcmp(d->conf.spool_dir, d->conf.deliver_dir) == 0 ||
        strcmp(d->conf.spool_dir, d->conf.mark_dir) == 0)
        return error_set(err, -EINVAL, "SpoolDir %s is DeliverDir or MarkDir as well; each needs a "
                         "directory of its own", d->conf.spool_dir);
    rc = make_dir(d->conf.mark_dir, "MarkDir", err);
    if (rc == 0)
        rc = make_dir(d->conf.spool_dir, "SpoolDir", err);
    return rc < 0 ? rc : take_lock(d, err);
}

/* --- starting -------------------------------------------------------------------------------- */

static int read_conf(struct daemon *d, struct error *err)
{
    static char path[PATH_MAX];

    conf_find(d->config, path);
    return conf_load(path, d->node, &d->conf, NULL, err);
}

static int open_sensors(struct daemon *d, struct error *err)
{
    struct sensor_options options = sensors_options(&d->conf);
    int rc;

    d->root_fd = open(d->conf.sensor_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->root_fd < 0)
        return error_set_errno(err, -errno, "cannot open SensorRoot %s", d->conf.sensor_root);
    rc = topology_load(d->conf.sensor_root, &d->topology, err);
    if (rc < 0)
        return rc;
    options.root_fd = d->root_fd;
    options.topology = d->topology;
    return sensors_open(&options, &d->sensors, err);
}

static int open_meter(struct daemon *d, struct error *err)
{
    if (clock_boot_id(d->boot_id) < 0)
        return error_set(err, -EIO, "/proc/sys/kernel/random/boot_id cannot be read; without it a "
                         "reboot cannot be told from a restart");
    d->options = (struct meter_options){
        .conf = &d->conf,
        .node = d->node,
        .boot_id = d->boot_id,
        .topology = d->topology,
        .sensors = d->sensors,
        .lock_fd = d->lock_fd,
    };
    return meter_open(&d->options, clock_boottime_ns(), clock_wall_ns(), &d->meter, err);
}

static int open_timer(const struct daemon *d)
{
    const struct timespec every = {
        .tv_sec = d->conf.tick_ms / 1000,
        .tv_nsec = (long)(d->conf.tick_ms % 1000) * 1000000,
    };
    const struct itimerspec timer = { .it_interval = every, .it_value = every };
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd >= 0 && timerfd_settime(fd, 0, &timer, NULL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Each live step holds up to two descriptors. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* if not, the supervisor's limit is what there is */
    }
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_fds(struct daemon *d, struct error *err)
{
    d->fds[FD_TIMER] = (struct pollfd){ open_timer(d), POLLIN, 0 };
    d->fds[FD_SIGNAL] = (struct pollfd){ open_signals(), POLLIN, 0 };
    d->fds[FD_MARKS] = (struct pollfd){ meter_fd(d->meter), POLLIN, 0 };
    if (d->fds[FD_TIMER].fd < 0 || d->fds[FD_SIGNAL].fd < 0)
        return error_set_errno(err, -errno, "cannot make a timer");
    return 0;
}

/* What runs, and only others would notice that it does not do what they expect. */
static void log_warnings(const struct daemon *d)
{
    struct statfs fs;
    struct stat st;

    if (statfs(d->conf.mark_dir, &fs) == 0 && fs.f_type != TMPFS_MAGIC)
        log_line(LOG_LEVEL_WARNING, "MarkDir %s is not on a tmpfs, so the plugin will leave no "
                 "mark in it; have it below /run", d->conf.mark_dir);
    if (d->conf.deliver_s < SEEN_S)
        log_line(LOG_LEVEL_WARNING, "DeliverSeconds=%" PRIu32 " is for tests: who may read the "
                 "books sees running jobs finer than a minute; give 60 or more", d->conf.deliver_s);
    if (geteuid() == 0)
        return;
    if (stat(d->conf.mark_dir, &st) == 0 && st.st_uid != 0)
        log_line(LOG_LEVEL_WARNING, "MarkDir %s is not root's, so the plugin will leave no mark in "
                 "it; remove it, and let root make it (install -d -m 700)", d->conf.mark_dir);
    if (access("/proc/1/stat", F_OK) < 0)
        log_line(LOG_LEVEL_WARNING, "processes of others are hidden here, so CPU time is known by "
                 "cgroups alone; give this user the group of /proc's mount options hidepid= and "
                 "gid=");
}

static void log_start(const struct daemon *d)
{
    const struct sensor_left_out *left_out;
    size_t n_left_out = sensors_left_out(d->sensors, &left_out);
    struct meter_state state;

    meter_describe(d->meter, &state);
    log_line(LOG_LEVEL_NOTICE, "node %s: %zu counters, %s stream %016llx at batch %llu, %zu jobs "
             "and %zu steps open", d->node, sensors_count(d->sensors),
             state.start == METER_RESUMED ? "resuming" : "beginning",
             (unsigned long long)state.stream, (unsigned long long)state.next_seq, state.jobs,
             state.steps);
    if (state.streams_closed)
        log_line(LOG_LEVEL_NOTICE, "the node rebooted: what it left open is closed in the books");
    for (size_t i = 0; i < n_left_out; i++)
        log_line(LOG_LEVEL_NOTICE, "counter %s is left out: %s", left_out[i].source,
                 left_out[i].reason);
}

static int start(struct daemon *d, struct error *err)
{
    int rc = read_conf(d, err);

    raise_file_limit();
    if (rc == 0)
        rc = prepare_dirs(d, err);
    if (rc == 0)
        rc = open_sensors(d, err);
    if (rc == 0)
        rc = open_meter(d, err);
    if (rc == 0)
        rc = open_fds(d, err);
    if (rc == 0)
        malloc_trim(0); /* hwloc's topology is gone; so shall be its memory */
    return rc;
}

/* --- the loop -------------------------------------------------------------------------------- */

static void write_status(struct daemon *d, uint64_t now)
{
    struct error err;

    if (status_write(d->meter, &d->options, now, &err) < 0)
        log_line(LOG_LEVEL_WARNING, "%s", err.text);
}

/* End without a seal, so that the supervisor's restart resumes from the last good batch. */
static void give_up(struct daemon *d)
{
    d->stop = true;
    d->exit_status = EXIT_FAILURE;
}

static int seal(struct daemon *d, uint64_t now)
{
    int rc = meter_seal(d->meter, clock_wall_ns(), NULL);

    d->seal_ns = now + (rc < 0 ? WRITE_AGAIN_NS : d->conf.deliver_s * NS_PER_S);
    if (rc == -EPROTO)
        give_up(d);
    else
        meter_deliver(d->meter, now, clock_wall_ns());
    write_status(d, now);
    return rc;
}

static void tick(struct daemon *d, bool regular)
{
    uint64_t now = clock_boottime_ns();

    meter_tick(d->meter, now, clock_wall_ns(), regular);
    d->tick_ns = now;
    d->extra_ns = meter_is_behind(d->meter) ? now + EXTRA_GAP_NS : 0;
    if (now >= d->seal_ns || meter_wants_seal(d->meter))
        seal(d, now);
    meter_reap(d->meter, now, clock_wall_ns());
    metrics_look(&d->metrics, d->meter, now);
    if (meter_has_failed(d->meter))
        give_up(d);
    if (meter_is_stranded(d->meter)) {
        log_line(LOG_LEVEL_ERROR, "MarkDir %s was deleted; ending, to be started again with a new "
                 "one", d->conf.mark_dir);
        give_up(d);
    }
}

static void on_timer(struct daemon *d)
{
    uint64_t times;

    if (read(d->fds[FD_TIMER].fd, &times, sizeof(times)) == sizeof(times))
        tick(d, true);
}

static void on_marks(struct daemon *d)
{
    uint64_t due = clock_boottime_ns() + COALESCE_NS;

    meter_wake(d->meter);
    if (due < d->tick_ns + EXTRA_GAP_NS)
        due = d->tick_ns + EXTRA_GAP_NS;
    if (!d->extra_ns || due < d->extra_ns)
        d->extra_ns = due;
}

static void on_signal(struct daemon *d)
{
    struct signalfd_siginfo info;

    while (read(d->fds[FD_SIGNAL].fd, &info, sizeof(info)) == sizeof(info)) {
        uint64_t now = clock_boottime_ns();

        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            d->stop = true;
        else if (info.ssi_signo == SIGUSR1)
            write_status(d, now);
        else if (info.ssi_signo == SIGCHLD) {
            meter_reap(d->meter, now, clock_wall_ns());
            metrics_look(&d->metrics, d->meter, now);
        }
    }
}

/* Milliseconds until the extra tick, rounded up; -1 when none is due. */
static int extra_timeout_ms(const struct daemon *d)
{
    uint64_t now = clock_boottime_ns();

    if (!d->extra_ns)
        return -1;
    return now >= d->extra_ns ? 0 : (int)((d->extra_ns - now + 999999) / 1000000);
}

/* The first file is of the first seal, or what there is where that takes more than a minute. */
static uint64_t first_metrics_ns(const struct daemon *d, uint64_t now)
{
    uint64_t latest_ns = now + METRICS_EVERY_S * NS_PER_S;

    return d->seal_ns < latest_ns ? d->seal_ns : latest_ns;
}

static void loop(struct daemon *d)
{
    uint64_t now = clock_boottime_ns();

    d->tick_ns = now;
    d->seal_ns = now + d->conf.deliver_s * NS_PER_S;
    metrics_init(&d->metrics, d->conf.metrics_file, d->lock_fd, first_metrics_ns(d, now));
    d->extra_ns = meter_is_behind(d->meter) ? now + EXTRA_GAP_NS : 0;
    write_status(d, now);
    meter_deliver(d->meter, now, clock_wall_ns()); /* what the last one left */
    while (!d->stop) {
        int ready = poll(d->fds, FD_COUNT, extra_timeout_ms(d));

        if (ready < 0 && errno != EINTR) {
            log_line(LOG_LEVEL_ERROR, "poll: %s", strerror(errno));
            give_up(d);
        }
        if (ready > 0 && d->fds[FD_SIGNAL].revents)
            on_signal(d);
        if (ready > 0 && d->fds[FD_MARKS].revents)
            on_marks(d);
        if (ready > 0 && d->fds[FD_TIMER].revents)
            on_timer(d);
        else if (d->extra_ns && clock_boottime_ns() >= d->extra_ns)
            tick(d, false);
    }
}

/* Seal everything up to now, and deliver what can be delivered in LAST_DELIVERY_NS. */
static void finish(struct daemon *d)
{
    uint64_t now = clock_boottime_ns(), until = now + LAST_DELIVERY_NS;
    struct pollfd child = { d->fds[FD_SIGNAL].fd, POLLIN, 0 };
    bool started = false;

    meter_last_tick(d->meter, now, clock_wall_ns());
    if (meter_seal(d->meter, clock_wall_ns(), NULL) < 0)
        d->exit_status = EXIT_FAILURE;
    else if (meter_seal(d->meter, clock_wall_ns(), NULL) < 0) /* behind one that was unwritten */
        d->exit_status = EXIT_FAILURE;
    while (clock_boottime_ns() < until) {
        if (meter_reap(d->meter, clock_boottime_ns(), clock_wall_ns())) {
            if (started)
                break;
            started = true;
            meter_deliver(d->meter, clock_boottime_ns(), clock_wall_ns());
            continue;
        }
        poll(&child, 1, 100);
        on_signal(d);
    }
    write_status(d, clock_boottime_ns());
}

static void clean_up(struct daemon *d)
{
    metrics_end(&d->metrics);
    meter_close(d->meter);
    sensors_close(d->sensors);
    topology_free(d->topology);
    if (d->root_fd >= 0)
        close(d->root_fd);
    for (int i = FD_TIMER; i <= FD_SIGNAL; i++)
        if (d->fds[i].fd > 0)
            close(d->fds[i].fd);
    if (d->lock_fd >= 0)
        close(d->lock_fd);
}

int main(int argc, char **argv)
{
    static struct daemon d = { .root_fd = -1, .lock_fd = -1 };
    struct error err = { "" };
    int rc = read_options(&d, argc, argv);

    if (rc != 0)
        return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    setvbuf(stderr, NULL, _IOLBF, 0);
    umask(022); /* each file is made with a mode of its own, whoever starts this */
    rc = start(&d, &err);
    if (rc < 0) {
        log_line(LOG_LEVEL_ERROR, "%s", err.text);
        d.exit_status = EXIT_FAILURE;
    } else {
        log_start(&d);
        log_warnings(&d);
        loop(&d);
        if (d.exit_status == EXIT_SUCCESS)
            finish(&d);
    }
    clean_up(&d);
    return d.exit_status;
}

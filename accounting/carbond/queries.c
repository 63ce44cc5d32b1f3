#include "config.h"

#include "carbond/queries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define PLACES_MIN 2
#define PLACES_MAX 16
#define SETTINGS_MAX 12 /* variables of a tool's environment that are ours */

/* AddressSanitizer reserves terabytes. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define MEMORY_LIMIT RLIM_INFINITY
#else
#define MEMORY_LIMIT QUERY_MEMORY_MAX
#endif

extern char **environ;

struct queries {
    struct queries_options options;
    unsigned places;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct turn *turns;
};

struct queries *queries_new(const struct queries_options *options)
{
    struct queries *queries = calloc(1, sizeof(*queries));
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_condattr_t attributes;

    if (!queries)
        return NULL;
    queries->options = *options;
    queries->places = cpus < PLACES_MIN ? PLACES_MIN : cpus > PLACES_MAX ? PLACES_MAX
                                                                         : (unsigned)cpus;
    pthread_mutex_init(&queries->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queries->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    return queries;
}

void queries_free(struct queries *queries)
{
    if (!queries)
        return;
    pthread_cond_destroy(&queries->freed);
    pthread_mutex_destroy(&queries->lock);
    free(queries);
}

/* --- taking turns ----------------------------------------------------------------------------- */

int queries_enter(struct queries *queries, struct turn *turn, struct error *err)
{
    unsigned own = 0;

    pthread_mutex_lock(&queries->lock);
    for (const struct turn *other = queries->turns; other; other = other->next)
        own += other->uid == turn->uid;
    if (own < QUERIES_PER_UID) {
        turn->next = queries->turns;
        queries->turns = turn;
    }
    pthread_mutex_unlock(&queries->lock);
    if (own < QUERIES_PER_UID)
        return 0;
    return error_set(err, -EAGAIN, "%u questions of this user are under way already", own);
}

void queries_leave(struct queries *queries, struct turn *turn)
{
    struct turn **at = &queries->turns;

    pthread_mutex_lock(&queries->lock);
    while (*at && *at != turn)
        at = &(*at)->next;
    if (*at)
        *at = turn->next;
    pthread_cond_broadcast(&queries->freed);
    pthread_mutex_unlock(&queries->lock);
}

/* Is there a place for this user? Of two places each user has one at most. */
static bool may_run(const struct queries *queries, uid_t uid)
{
    unsigned all = 0, own = 0;

    for (const struct turn *turn = queries->turns; turn; turn = turn->next) {
        all += turn->runs;
        own += turn->runs && turn->uid == uid;
    }
    return all < queries->places && own < (queries->places + 1) / 2;
}

static bool is_stopped(const struct queries *queries)
{
    struct pollfd stop = { queries->options.stop_fd, POLLIN, 0 };

    return poll(&stop, 1, 0) > 0;
}

static int await_place(struct queries *queries, struct turn *turn, struct error *err)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += QUERY_WAIT_S;
    pthread_mutex_lock(&queries->lock);
    while (rc == 0 && !is_stopped(queries) && !may_run(queries, turn->uid))
        rc = -pthread_cond_timedwait(&queries->freed, &queries->lock, &until);
    turn->runs = rc == 0;
    pthread_mutex_unlock(&queries->lock);
    return rc == 0 ? 0 : error_set(err, -EAGAIN, "many ask at once");
}

static void give_back_place(struct queries *queries, struct turn *turn)
{
    pthread_mutex_lock(&queries->lock);
    turn->runs = false;
    pthread_cond_broadcast(&queries->freed);
    pthread_mutex_unlock(&queries->lock);
}

/* --- the tool's command line and environment -------------------------------------------------- */

/* All that the child needs is made before the fork: behind it, other threads' locks may be held. */
struct launch {
    char path[PATH_MAX];
    char **argv, **environment;
    struct buf settings[SETTINGS_MAX];
    size_t n_settings;
    char dir[64], csv[96], html[96]; /* where it writes files; "": none */
    int out_fd, err_fd, null_fd;
    int alive[2]; /* a pipe whose writer it is while it lives */
    struct rlimit cpu;
    sigset_t signals;
};

static void set(struct launch *launch, const char *name, const char *value)
{
    struct buf *text = &launch->settings[launch->n_settings++];

    buf_init(text);
    buf_printf(text, "%s=%s", name, value);
}

static void set_number(struct launch *launch, const char *name, unsigned value)
{
    char digits[16];

    snprintf(digits, sizeof(digits), "%u", value);
    set(launch, name, digits);
}

/* Of carbond's own environment: what changes where or how a tool writes is the asker's to say. */
static bool is_kept(const char *variable)
{
    static const char *const dropped[] = { "SLURM_", "SACCT_", "LC_", "LANG", "TZ=", "COLUMNS=",
                                           "NO_COLOR=", "CLICOLOR", "TERM=", NULL };

    if (strncmp(variable, "SLURM_CONF=", 11) == 0)
        return true;
    for (size_t i = 0; dropped[i]; i++)
        if (strncmp(variable, dropped[i], strlen(dropped[i])) == 0)
            return false;
    return true;
}

/* carbond's own, without all that changes what the tool prints, and with what the asker has. */
static int make_environment(const struct queries *queries, const struct question *question,
                            const char *viewer, struct launch *launch)
{
    size_t count = 0, n = 0;

    set(launch, "SLURM_CARBON_VIEWER", viewer);
    set(launch, "LC_ALL", question->utf8 ? "C.UTF-8" : "C");
    if (queries->options.conf_path[0])
        set(launch, "SLURM_CARBON_CONF", queries->options.conf_path);
    if (question->zone[0])
        set(launch, "TZ", question->zone);
    if (question->time_format[0])
        set(launch, "SLURM_TIME_FORMAT", question->time_format);
    if (question->format && question->format[0])
        set(launch, "SACCT_CARBON_FORMAT", question->format);
    if (question->columns)
        set_number(launch, "COLUMNS", question->columns);
    set(launch, question->colour ? "CLICOLOR_FORCE" : "NO_COLOR", "1");
    while (environ[count])
        count++;
    launch->environment = calloc(count + SETTINGS_MAX + 1, sizeof(*launch->environment));
    if (!launch->environment)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (is_kept(environ[i]))
            launch->environment[n++] = environ[i];
    for (size_t i = 0; i < launch->n_settings; i++) {
        if (buf_failed(&launch->settings[i]))
            return -ENOMEM;
        launch->environment[n++] = launch->settings[i].data;
    }
    return 0;
}

/* --csv and --html go before what was asked, which may end with operands. */
static int make_argv(const struct question *question, struct launch *launch)
{
    size_t n = 0;

    launch->argv = calloc(question->n_arguments + 4, sizeof(*launch->argv));
    if (!launch->argv)
        return -ENOMEM;
    launch->argv[n++] = (char *)(uintptr_t)question->tool;
    if (question->csv)
        launch->argv[n++] = launch->csv;
    if (question->html)
        launch->argv[n++] = launch->html;
    for (size_t i = 0; i < question->n_arguments; i++)
        launch->argv[n++] = question->arguments[i];
    return 0;
}

/* A file without a name. */
static int open_nameless(void)
{
    char path[] = "/tmp/carbond-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd >= 0)
        unlink(path);
    return fd;
}

static int make_dir(struct launch *launch)
{
    snprintf(launch->dir, sizeof(launch->dir), "/tmp/carbond-XXXXXX");
    if (!mkdtemp(launch->dir)) {
        launch->dir[0] = '\0';
        return -errno;
    }
    snprintf(launch->csv, sizeof(launch->csv), "--csv=%s/csv", launch->dir);
    snprintf(launch->html, sizeof(launch->html), "--html=%s/html", launch->dir);
    return 0;
}

static int prepare(const struct queries *queries, const struct question *question,
                   const char *viewer, struct launch *launch, struct error *err)
{
    int rc = 0;

    *launch = (struct launch){ .out_fd = -1, .err_fd = -1, .null_fd = -1, .alive = { -1, -1 } };
    snprintf(launch->path, sizeof(launch->path), "%s/%s", queries->options.tools_dir,
             question->tool);
    launch->cpu = (struct rlimit){ queries->options.deadline_s, queries->options.deadline_s };
    sigemptyset(&launch->signals);
    if (question->csv || question->html)
        rc = make_dir(launch);
    if (rc == 0)
        rc = make_argv(question, launch);
    if (rc == 0)
        rc = make_environment(queries, question, viewer, launch);
    if (rc < 0)
        return error_set_errno(err, rc, "cannot prepare %s", question->tool);
    launch->out_fd = open_nameless();
    launch->err_fd = open_nameless();
    launch->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (launch->out_fd < 0 || launch->err_fd < 0 || launch->null_fd < 0 ||
        pipe2(launch->alive, O_CLOEXEC) < 0)
        return error_set_errno(err, -errno, "cannot make a file for the answer");
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Files of a directory that nobody else writes to; no directories. */
static void remove_files(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

static void clean_up(struct launch *launch)
{
    char csv[96];

    close_fd(launch->out_fd);
    close_fd(launch->err_fd);
    close_fd(launch->null_fd);
    close_fd(launch->alive[0]);
    close_fd(launch->alive[1]);
    free(launch->argv);
    free(launch->environment);
    for (size_t i = 0; i < launch->n_settings; i++)
        buf_free(&launch->settings[i]);
    if (!launch->dir[0])
        return;
    snprintf(csv, sizeof(csv), "%s/csv", launch->dir);
    remove_files(csv);
    remove_files(launch->dir);
}

/* --- the tool's process ----------------------------------------------------------------------- */

static void limit(int resource, rlim_t most)
{
    const struct rlimit both = { most, most };

    setrlimit(resource, &both);
}

/* In the child: system calls alone. */
static void __attribute__((noreturn)) become(const struct launch *launch)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* when the thread that waits for it is no more */
    setsid();
    sigprocmask(SIG_SETMASK, &launch->signals, NULL);
    signal(SIGPIPE, SIG_DFL);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, QUERY_ANSWER_MAX);
    limit(RLIMIT_AS, MEMORY_LIMIT);
    setrlimit(RLIMIT_CPU, &launch->cpu);
    if (dup2(launch->null_fd, STDIN_FILENO) >= 0 && dup2(launch->out_fd, STDOUT_FILENO) >= 0 &&
        dup2(launch->err_fd, STDERR_FILENO) >= 0 && fcntl(launch->alive[1], F_SETFD, 0) == 0)
        execve(launch->path, launch->argv, launch->environment);
    _exit(127);
}

/* Until it ends, which closes its end of the pipe: 0, or why it was ended. */
static int await(const struct queries *queries, const struct launch *launch, int asker_fd)
{
    uint64_t now = clock_boottime_ns();
    uint64_t end_ns = now + queries->options.deadline_s * NS_PER_S;
    struct pollfd fds[] = {
        { launch->alive[0], POLLIN, 0 },
        { asker_fd, POLLRDHUP, 0 },
        { queries->options.stop_fd, POLLIN, 0 },
    };

    while (now < end_ns) {
        int ready = poll(fds, 3, (int)((end_ns - now) / 1000000) + 1);

        if (ready > 0 && fds[0].revents)
            return 0;
        if (ready > 0 && fds[1].revents)
            return -EPIPE;
        if (ready > 0 && fds[2].revents)
            return -ESHUTDOWN;
        now = clock_boottime_ns();
    }
    return -ETIMEDOUT;
}

static int refuse(const struct queries *queries, const struct launch *launch, int rc,
                  struct error *err)
{
    switch (rc) {
    case -ETIMEDOUT:
        return error_set(err, rc, "%s took longer than %u s and was ended; ask for less at once",
                         launch->argv[0], queries->options.deadline_s);
    case -EOVERFLOW:
        return error_set(err, rc, "the answer of %s is larger than %u MiB; ask for less at once",
                         launch->argv[0], (unsigned)(QUERY_ANSWER_MAX >> 20));
    case -EPIPE:
        return error_set(err, rc, "who asked did not wait");
    case -ESHUTDOWN:
        return error_set(err, rc, "carbond is being stopped");
    default:
        return error_set_errno(err, rc, "cannot run %s", launch->path);
    }
}

static int run(const struct queries *queries, struct launch *launch, int asker_fd, int *ret_status,
               struct error *err)
{
    pid_t pid = fork();
    int rc, status = 0;

    if (pid == 0)
        become(launch);
    if (pid < 0)
        return refuse(queries, launch, -errno, err);
    close(launch->alive[1]);
    launch->alive[1] = -1;
    rc = await(queries, launch, asker_fd);
    if (rc < 0)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == 0 && WIFSIGNALED(status))
        rc = WTERMSIG(status) == SIGXFSZ ? -EOVERFLOW :
             WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL ? -ETIMEDOUT : 0;
    if (rc == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127)
        rc = -ENOEXEC;
    if (rc < 0)
        return refuse(queries, launch, rc, err);
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void add_file(struct answer *answer, const char *kind, int fd)
{
    struct answer_file *file = &answer->files[answer->n_files++];

    snprintf(file->kind, sizeof(file->kind), "%s", kind);
    file->fd = fd;
    lseek(fd, 0, SEEK_SET);
}

/* What the tool wrote; names are its own. */
static void add_named(struct answer *answer, const struct launch *launch)
{
    char path[96], kind[KIND_SIZE];
    const struct dirent *entry;
    DIR *dir;
    int fd;

    snprintf(path, sizeof(path), "%s/html", launch->dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        add_file(answer, "html", fd);
    snprintf(path, sizeof(path), "%s/csv", launch->dir);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)) && answer->n_files < ANSWER_FILES_MAX - 2) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) > 40)
            continue;
        snprintf(kind, sizeof(kind), "csv %.40s", entry->d_name);
        fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0)
            add_file(answer, kind, fd);
    }
    if (dir)
        closedir(dir);
}

int queries_run(struct queries *queries, struct turn *turn, const struct question *question,
                const char *viewer, int asker_fd, struct answer *ret, struct error *err)
{
    struct launch launch;
    int rc = await_place(queries, turn, err);

    *ret = (struct answer){ .status = 0 };
    if (rc < 0)
        return rc;
    rc = prepare(queries, question, viewer, &launch, err);
    if (rc == 0)
        rc = run(queries, &launch, asker_fd, &ret->status, err);
    if (rc == 0) {
        if (launch.dir[0])
            add_named(ret, &launch);
        add_file(ret, "err", launch.err_fd);
        add_file(ret, "out", launch.out_fd);
        launch.err_fd = launch.out_fd = -1;
    }
    clean_up(&launch);
    give_back_place(queries, turn);
    return rc;
}

void answer_clear(struct answer *answer)
{
    for (size_t i = 0; i < answer->n_files; i++)
        close(answer->files[i].fd);
    *answer = (struct answer){ .status = 0 };
}

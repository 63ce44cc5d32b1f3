/*
 * Invariants:
 *   C1  last_ns only grows: a reading below it is answered with it
 *   C2  a descriptor of /proc/PID or a pidfd was checked against the start time after it was
 *       opened, so it means the step's slurmstepd and never a later process of that number
 *   C3  node->steps lists exactly the open steps that are CPUTIME_PROCESSES
 *   C4  only they may still await a cgroup
 */
#include "sensors/cputime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/mark.h"
#include "core/parse.h"

/* A walk through /proc is repeated after 200 times the CPU time that it took: 0.5 %. */
#define WALK_SHARE 200
/*
 * Slurm makes a step's v1 cgroup within the step's first second or so: wait for it that long before
 * anything dearer, and go on looking as long as a slow prolog may take.
 */
#define CGROUP_WAIT_NS (3 * NS_PER_S)
#define CGROUP_LOOK_NS (60 * NS_PER_S)
/* Ancestors looked through until one is a slurmstepd; a deeper nest of shells is not a step's. */
#define ANCESTORS_MAX 256

struct process {
    uint32_t pid, parent_pid;
    uint64_t own_ticks, reaped_ticks; /* user + system, of itself and of children waited for */
};

struct cputime_node {
    char cgroup_root[PATH_MAX];
    uint64_t ns_per_tick;
    struct cputime *steps; /* CPUTIME_PROCESSES */
    struct process *processes;
    size_t n_processes, room;
    uint64_t next_walk_ns; /* CLOCK_BOOTTIME */
    uint64_t walks;
};

struct cputime {
    struct cputime_node *node;
    struct cputime *next;
    enum cputime_way way;
    char *cgroup;  /* named and not there yet, or NULL */
    uint64_t opened_ns;
    int cgroup_fd; /* cpuacct.usage or cpu.stat, or -1 */
    bool unified;  /* … cpu.stat */
    bool cgroup_gone;
    uint32_t stepd_pid;
    int proc_fd; /* /proc/PID, or -1 */
    int pidfd;   /* or -1: Linux before 5.3 */
    bool hidden; /* by hidepid=: known by its number alone */
    uint64_t sum_ticks; /* of the walk */
    uint64_t walk_seen; /* node->walks that last_ns is from */
    uint64_t last_ns;
};

struct cputime_node *cputime_node_new(const char *cgroup_root)
{
    struct cputime_node *node = calloc(1, sizeof(*node));
    long hz = sysconf(_SC_CLK_TCK);

    if (!node)
        return NULL;
    snprintf(node->cgroup_root, sizeof(node->cgroup_root), "%s", cgroup_root);
    node->ns_per_tick = NS_PER_S / (uint64_t)(hz > 0 ? hz : 100);
    return node;
}

struct cputime_node *cputime_node_free(struct cputime_node *node)
{
    if (node) {
        free(node->processes);
        free(node);
    }
    return NULL;
}

/* --- /proc/PID/stat -------------------------------------------------------- */

#define STAT_FIELDS 23 /* up to starttime, field 22; numbered from 1 as in proc(5) */

/*
 * The numbers behind the command, which stands in parentheses and may itself hold anything: so from
 * its last parenthesis on. Fields 4 to 22; a negative one, never one used here, loses its sign.
 */
static int parse_stat(const char *text, uint64_t field[STAT_FIELDS])
{
    const char *p = strrchr(text, ')');

    if (!p || p[1] != ' ' || !p[2])
        return -EBADMSG;
    p += 3; /* behind the state, field 3 */
    for (int i = 4; i < STAT_FIELDS; i++) {
        uint64_t number = 0;

        if (*p != ' ')
            return -EBADMSG;
        p += p[1] == '-' ? 2 : 1;
        for (; *p >= '0' && *p <= '9'; p++)
            number = number * 10 + (uint64_t)(*p - '0');
        field[i] = number;
    }
    return 0;
}

static int read_stat(int dirfd, const char *path, uint64_t field[STAT_FIELDS])
{
    char text[1024];
    int rc = file_read_small(dirfd, path, text, sizeof(text), NULL);

    return rc < 0 ? rc : parse_stat(text, field);
}

/* --- the slurmstepd -------------------------------------------------------- */

static int open_pidfd(uint32_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0U); /* close-on-exec by itself */
#else
    (void)pid;
    return -1;
#endif
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool has_process(uint32_t pid)
{
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

/*
 * /proc has nothing of it. Where hidepid= hides it, it is there all the same: held by its number
 * alone, since its start is not to be seen.
 */
static int open_hidden_stepd(struct cputime *cputime)
{
    if (!has_process(cputime->stepd_pid))
        return -ESRCH;
    cputime->hidden = true;
    cputime->pidfd = open_pidfd(cputime->stepd_pid);
    return 0;
}

/* Hold on to the process, and then check that it is the one. -ESRCH: it is not there any more. */
static int open_stepd(struct cputime *cputime, uint64_t start_ticks)
{
    uint64_t field[STAT_FIELDS];
    char path[32];
    int rc;

    if (cputime->stepd_pid == 0)
        return -ESRCH;
    snprintf(path, sizeof(path), "/proc/%u", cputime->stepd_pid);
    cputime->proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cputime->proc_fd < 0)
        return errno == ENOENT ? open_hidden_stepd(cputime) : -errno;
    cputime->pidfd = open_pidfd(cputime->stepd_pid);
    rc = read_stat(cputime->proc_fd, "stat", field);
    if (rc == 0 && field[22] == start_ticks)
        return 0;
    close_fd(&cputime->pidfd);
    close_fd(&cputime->proc_fd);
    return rc == 0 || rc == -ENOENT ? -ESRCH : rc;
}

bool cputime_alive(struct cputime *cputime)
{
    struct pollfd poll_fd = {.fd = cputime->pidfd, .events = POLLIN};
    uint64_t ignored;

    if (cputime->pidfd >= 0)
        return poll(&poll_fd, 1, 0) == 0;
    if (cputime->hidden)
        return has_process(cputime->stepd_pid);
    if (cputime->proc_fd >= 0)
        return faccessat(cputime->proc_fd, "stat", F_OK, 0) == 0;
    if (cputime->stepd_pid == 0 && !cputime->cgroup_gone)
        return cputime_read(cputime, &ignored) == 0;
    return false;
}

int cputime_pidfd(const struct cputime *cputime)
{
    return cputime->pidfd;
}

/* --- the cgroup ------------------------------------------------------------ */

/* "…/step_0/task_1" cut to "…/step_0". -ENOENT where no part is a step's. */
static int cut_behind_step(const char *path, char *ret_path, size_t size)
{
    const char *step = strstr(path, "/step_");
    size_t len;

    if (!step)
        return -ENOENT;
    len = (size_t)(step - path) + 1 + strcspn(step + 1, "/");
    if (len >= size)
        return -ENAMETOOLONG;
    memcpy(ret_path, path, len);
    ret_path[len] = '\0';
    return 0;
}

static bool has_controller(const char *list, size_t len, const char *controller)
{
    size_t wanted = strlen(controller);

    for (size_t i = 0; i < len;) {
        size_t word = strcspn(list + i, ",:");

        if (word == wanted && strncmp(list + i, controller, word) == 0)
            return true;
        i += word + 1;
    }
    return false;
}

static int open_below(const struct cputime_node *node, const char *mount, const char *path,
                      const char *file)
{
    char full[PATH_MAX];
    int len = snprintf(full, sizeof(full), "%s%s%s/%s", node->cgroup_root, mount, path, file);
    int fd;

    if (len < 0 || (size_t)len >= sizeof(full))
        return -ENAMETOOLONG;
    fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? -errno : fd;
}

/* A node has its hierarchies at one of these places below CgroupRoot. */
static int open_usage(const struct cputime_node *node, bool unified, const char *path)
{
    static const char *const v1[] = {"/cpuacct", "/cpu,cpuacct", "/cpuacct,cpu", NULL};
    static const char *const v2[] = {"", "/unified", NULL};
    int fd = -ENOENT;

    for (const char *const *mount = unified ? v2 : v1; *mount; mount++) {
        fd = open_below(node, *mount, path, unified ? "cpu.stat" : "cpuacct.usage");
        if (fd != -ENOENT)
            break;
    }
    return fd;
}

/*
 * The step's directory below its hierarchy. -ENOENT when the text names no cgroup of a step,
 * -EINVAL when it names none at all.
 */
static int parse_cgroup(const char *cgroup, bool *ret_unified, char *ret_path, size_t size)
{
    const char *colon = strchr(cgroup, ':');
    size_t len;

    if (!*cgroup)
        return -ENOENT;
    if (!colon || colon[1] != '/' || strstr(colon, "/../"))
        return -EINVAL;
    len = (size_t)(colon - cgroup);
    *ret_unified = has_controller(cgroup, len, "unified");
    if (!*ret_unified && !has_controller(cgroup, len, "cpuacct"))
        return -ENOENT;
    return cut_behind_step(colon + 1, ret_path, size);
}

static bool is_step_cgroup(const char *cgroup)
{
    char path[CGROUP_PATH_SIZE];
    bool unified;

    return parse_cgroup(cgroup, &unified, path, sizeof(path)) == 0;
}

/* -ENOENT when the text names no step's cgroup, or one that is not there. */
static int open_cgroup(struct cputime *cputime, const char *cgroup)
{
    char path[CGROUP_PATH_SIZE];
    int rc = parse_cgroup(cgroup, &cputime->unified, path, sizeof(path));

    if (rc == 0)
        rc = open_usage(cputime->node, cputime->unified, path);
    if (rc < 0)
        return rc;
    cputime->cgroup_fd = rc;
    return 0;
}

/* cpu.stat's "usage_usec N" in ns; cpuacct.usage is the number alone, in ns. */
static int parse_usage(char *text, bool unified, uint64_t *ret_ns)
{
    static const char key[] = "usage_usec ";
    uint64_t usage_us;
    char *number = text, *end;
    int rc;

    if (!unified) {
        text[strcspn(text, "\n")] = '\0';
        return parse_u64(text, 0, UINT64_MAX, ret_ns) < 0 ? -EBADMSG : 0;
    }
    while (number && strncmp(number, key, sizeof(key) - 1) != 0) {
        number = strchr(number, '\n');
        number = number ? number + 1 : NULL;
    }
    if (!number)
        return -EBADMSG;
    number += sizeof(key) - 1;
    end = strchr(number, '\n');
    if (!end) /* cut off where the room ends: it may go on */
        return -EBADMSG;
    *end = '\0';
    rc = parse_u64(number, 0, UINT64_MAX / 1000, &usage_us);
    if (rc < 0)
        return -EBADMSG;
    *ret_ns = usage_us * 1000;
    return 0;
}

static int read_cgroup(struct cputime *cputime, uint64_t *ret_ns)
{
    char text[256]; /* usage_usec is cpu.stat's first line */
    ssize_t len;

    do {
        len = pread(cputime->cgroup_fd, text, sizeof(text) - 1, 0);
    } while (len < 0 && errno == EINTR);
    cputime->cgroup_gone = len < 0 && (errno == ENODEV || errno == ENOENT);
    if (len < 0)
        return cputime->cgroup_gone ? -ENODEV : -errno;
    text[len] = '\0';
    return parse_usage(text, cputime->unified, ret_ns);
}

/* --- the processes --------------------------------------------------------- */

static int add_process(struct cputime_node *node, uint32_t pid, const uint64_t field[STAT_FIELDS])
{
    if (node->n_processes == node->room) {
        size_t room = node->room ? node->room * 2 : 256;
        struct process *processes = realloc(node->processes, room * sizeof(*processes));

        if (!processes)
            return -ENOMEM;
        node->processes = processes;
        node->room = room;
    }
    node->processes[node->n_processes++] = (struct process){
        .pid = pid,
        .parent_pid = (uint32_t)field[4],
        .own_ticks = field[14] + field[15],
        .reaped_ticks = field[16] + field[17],
    };
    return 0;
}

/* A process that ends while it is looked at is simply not there. */
static int list_processes(struct cputime_node *node, DIR *proc)
{
    const struct dirent *entry;
    int rc = 0;

    node->n_processes = 0;
    while (rc == 0 && (entry = readdir(proc))) {
        uint64_t field[STAT_FIELDS];
        char path[32];
        uint32_t pid;

        if (parse_u32(entry->d_name, 1, INT_MAX, &pid) < 0)
            continue;
        snprintf(path, sizeof(path), "%u/stat", pid);
        if (read_stat(dirfd(proc), path, field) == 0)
            rc = add_process(node, pid, field);
    }
    return rc;
}

static int compare_pids(const void *a, const void *b)
{
    const struct process *p = a, *q = b;

    return (p->pid > q->pid) - (p->pid < q->pid);
}

static const struct process *find_process(const struct cputime_node *node, uint32_t pid)
{
    const struct process key = {.pid = pid};

    return bsearch(&key, node->processes, node->n_processes, sizeof(key), compare_pids);
}

static struct cputime *find_step(const struct cputime_node *node, uint32_t stepd_pid)
{
    struct cputime *step = node->steps;

    while (step && step->stepd_pid != stepd_pid)
        step = step->next;
    return step;
}

/* The step whose slurmstepd is the nearest above a process, or NULL. */
static struct cputime *find_owner(const struct cputime_node *node, const struct process *process)
{
    for (int i = 0; process && process->parent_pid > 1 && i < ANCESTORS_MAX; i++) {
        struct cputime *step = find_step(node, process->parent_pid);

        if (step)
            return step;
        process = find_process(node, process->parent_pid);
    }
    return NULL;
}

/*
 * What a process used is in its own ticks while it lives, and among its parent's reaped ticks from
 * when it was waited for. The slurmstepd's own ticks are Slurm's, not the step's.
 */
static void add_up(struct cputime_node *node)
{
    for (struct cputime *step = node->steps; step; step = step->next) {
        const struct process *stepd = find_process(node, step->stepd_pid);

        step->sum_ticks = stepd ? stepd->reaped_ticks : 0;
    }
    for (size_t i = 0; i < node->n_processes; i++) {
        const struct process *process = &node->processes[i];
        struct cputime *owner = find_owner(node, process);

        if (owner)
            owner->sum_ticks += process->own_ticks + process->reaped_ticks;
    }
}

static uint64_t own_cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int walk(struct cputime_node *node)
{
    uint64_t begin_ns = own_cpu_ns();
    DIR *proc = opendir("/proc");
    int rc;

    if (!proc)
        return -errno;
    rc = list_processes(node, proc);
    closedir(proc);
    if (rc < 0)
        return rc;
    qsort(node->processes, node->n_processes, sizeof(*node->processes), compare_pids);
    add_up(node);
    node->walks++;
    node->next_walk_ns = clock_boottime_ns() + (own_cpu_ns() - begin_ns) * WALK_SHARE;
    return 0;
}

static void enlist(struct cputime *cputime)
{
    cputime->way = CPUTIME_PROCESSES;
    cputime->walk_seen = cputime->node->walks; /* it was not in that one */
    cputime->next = cputime->node->steps;
    cputime->node->steps = cputime;
}

static void delist(struct cputime *cputime)
{
    struct cputime **link = &cputime->node->steps;

    while (*link && *link != cputime)
        link = &(*link)->next;
    if (*link)
        *link = cputime->next;
}

static void forget_cgroup(struct cputime *cputime)
{
    free(cputime->cgroup);
    cputime->cgroup = NULL;
}

/* Whether the cgroup that was awaited is there now. */
static bool cgroup_has_come(struct cputime *cputime, uint64_t now_ns)
{
    if (open_cgroup(cputime, cputime->cgroup) == 0) {
        delist(cputime);
        cputime->way = CPUTIME_CGROUP;
        forget_cgroup(cputime);
        return true;
    }
    if (now_ns > cputime->opened_ns + CGROUP_LOOK_NS)
        forget_cgroup(cputime);
    return false;
}

static int read_processes(struct cputime *cputime, uint64_t *ret_ns)
{
    struct cputime_node *node = cputime->node;
    uint64_t now_ns = clock_boottime_ns();

    if (cputime->cgroup) {
        if (cgroup_has_come(cputime, now_ns))
            return read_cgroup(cputime, ret_ns);
        if (now_ns < cputime->opened_ns + CGROUP_WAIT_NS)
            return -EAGAIN;
    }
    if (now_ns >= node->next_walk_ns) {
        int rc = walk(node);

        if (rc < 0)
            return rc;
    }
    if (cputime->walk_seen >= node->walks)
        return -EAGAIN;
    cputime->walk_seen = node->walks;
    *ret_ns = cputime->sum_ticks * node->ns_per_tick;
    return 0;
}

/* --- one step -------------------------------------------------------------- */

/* A cgroup of a step that is not there may be made yet. */
static int await_cgroup(struct cputime *cputime, const char *cgroup, struct error *err)
{
    if (!is_step_cgroup(cgroup))
        return 0;
    cputime->opened_ns = clock_boottime_ns();
    cputime->cgroup = strdup(cgroup);
    return cputime->cgroup ? 0 : error_set_errno(err, -ENOMEM, "cgroup %s", cgroup);
}

static int open_ways(struct cputime *cputime, const char *cgroup, uint64_t start_ticks,
                     struct error *err)
{
    int stepd_rc = open_stepd(cputime, start_ticks);
    int rc;

    if (stepd_rc < 0 && stepd_rc != -ESRCH)
        return error_set_errno(err, stepd_rc, "/proc/%u", cputime->stepd_pid);
    rc = open_cgroup(cputime, cgroup);
    if (rc == 0)
        return 0;
    if (rc == -EINVAL)
        return error_set(err, rc, "'%s' is no cgroup (controller:/path)", cgroup);
    if (rc == -EMFILE || rc == -ENFILE)
        return error_set_errno(err, rc, "cgroup %s", cgroup);
    if (stepd_rc < 0)
        return error_set(err, -ESRCH, "neither cgroup '%s' nor slurmstepd %u is there any more",
                         cgroup, cputime->stepd_pid);
    enlist(cputime);
    return await_cgroup(cputime, cgroup, err);
}

int cputime_open(struct cputime_node *node, const char *cgroup, uint32_t stepd_pid,
                 uint64_t stepd_start_ticks, struct cputime **ret_cputime, struct error *err)
{
    struct cputime *cputime = calloc(1, sizeof(*cputime));
    int rc;

    if (!cputime)
        return error_set_errno(err, -ENOMEM, "CPU time of a step");
    cputime->node = node;
    cputime->stepd_pid = stepd_pid;
    cputime->cgroup_fd = cputime->proc_fd = cputime->pidfd = -1;
    rc = open_ways(cputime, cgroup, stepd_start_ticks, err);
    if (rc < 0) {
        cputime_close(cputime);
        return rc;
    }
    if (cputime->pidfd >= 0)
        close_fd(&cputime->proc_fd); /* one of the two is enough to know it by */
    *ret_cputime = cputime;
    return 0;
}

struct cputime *cputime_close(struct cputime *cputime)
{
    if (!cputime)
        return NULL;
    delist(cputime);
    forget_cgroup(cputime);
    close_fd(&cputime->cgroup_fd);
    close_fd(&cputime->proc_fd);
    close_fd(&cputime->pidfd);
    free(cputime);
    return NULL;
}

enum cputime_way cputime_way(const struct cputime *cputime)
{
    return cputime->way;
}

int cputime_read(struct cputime *cputime, uint64_t *ret_cpu_ns)
{
    uint64_t cpu_ns;
    int rc = cputime->way == CPUTIME_CGROUP ? read_cgroup(cputime, &cpu_ns)
                                            : read_processes(cputime, &cpu_ns);

    if (rc < 0)
        return rc;
    if (cpu_ns > cputime->last_ns)
        cputime->last_ns = cpu_ns;
    *ret_cpu_ns = cputime->last_ns;
    return 0;
}

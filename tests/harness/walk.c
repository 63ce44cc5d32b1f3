#include "config.h" /* clone() */

#include "unit.h"

#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "fake_slurm.h"
#include "plugin_world.h"

#define FDS_MAX 64 /* a new one takes the lowest number that is free */
#define SIGNALS_MAX 65
#define CHILDREN_SIZE 256
#define STACK_SIZE (1 << 20)
#define TASKS 2

extern char **environ;

const char *const walk_names[WALK_COUNT] = {
    [WALK_SLURMD] = "slurmd", [WALK_PROLOG] = "prolog", [WALK_EPILOG] = "epilog",
    [WALK_STEP] = "step", [WALK_CONTAINED_STEP] = "contained step", [WALK_EXTERN] = "extern step",
    [WALK_SRUN] = "srun", [WALK_SBATCH] = "sbatch",
};

static struct walk_report *report; /* shared by all processes of a walk */

/* --- what a hook must leave as it was -------------------------------------------------------- */

struct process {
    bool open_fds[FDS_MAX];
    struct {
        void (*handler)(int);
        int flags;
    } actions[SIGNALS_MAX];
    sigset_t blocked, pending;
    struct itimerval timer;
    struct rlimit limits[RLIM_NLIMITS];
    uid_t uid, euid;
    gid_t gid, egid;
    mode_t umask;
    char cwd[PATH_MAX];
    char *environment;
    nlink_t threads;
    char children[CHILDREN_SIZE];
    off_t written; /* to stdout and stderr, which are files */
};

static char *copy_environment(void)
{
    size_t len = 0;
    char *copy, *at;

    for (char **e = environ; *e; e++)
        len += strlen(*e) + 1;
    at = copy = malloc(len + 1);
    for (char **e = environ; *e && copy; e++)
        at += sprintf(at, "%s\n", *e);
    if (at)
        *at = '\0';
    return copy;
}

static void look_at_children(struct process *process)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)syscall(SYS_gettid));
    if (file_read_small(AT_FDCWD, path, process->children, sizeof(process->children), NULL) < 0)
        process->children[0] = '\0';
}

/* Of the masks glibc fills in a part; the rest is what lay there. */
static void look_at_signals(struct process *process)
{
    struct sigaction action = { .sa_handler = SIG_DFL };

    for (int number = 1; number < SIGNALS_MAX; number++) {
        sigaction(number, NULL, &action);
        process->actions[number].handler = action.sa_handler;
        process->actions[number].flags = action.sa_flags;
    }
    sigprocmask(SIG_BLOCK, NULL, &process->blocked);
    sigpending(&process->pending);
    getitimer(ITIMER_REAL, &process->timer);
}

static void look(struct process *process)
{
    struct stat st;

    memset(process, 0, sizeof(*process));
    for (int fd = 0; fd < FDS_MAX; fd++)
        process->open_fds[fd] = fcntl(fd, F_GETFD) >= 0;
    look_at_signals(process);
    for (int i = 0; i < RLIM_NLIMITS; i++)
        getrlimit(i, &process->limits[i]);
    process->uid = getuid(), process->euid = geteuid();
    process->gid = getgid(), process->egid = getegid();
    process->umask = umask(0);
    umask(process->umask);
    if (!getcwd(process->cwd, sizeof(process->cwd)))
        process->cwd[0] = '\0';
    process->environment = copy_environment();
    process->threads = stat("/proc/self/task", &st) == 0 ? st.st_nlink : 0;
    look_at_children(process);
    for (int fd = 1; fd <= 2; fd++)
        process->written += fstat(fd, &st) == 0 ? st.st_size : 0;
}

static void complain(const char *hook, const char *what)
{
    if (!*report->wrong)
        snprintf(report->wrong, sizeof(report->wrong), "%s: %s", hook, what);
}

#define SAME(member) (memcmp(&a->member, &b->member, sizeof(a->member)) == 0)

static const char *difference(const struct process *a, const struct process *b)
{
    if (!SAME(open_fds))
        return "other descriptors are open";
    if (!SAME(actions) || !SAME(blocked) || !SAME(pending) || !SAME(timer))
        return "signals are not as they were";
    if (!SAME(limits))
        return "limits are not as they were";
    if (!SAME(uid) || !SAME(euid) || !SAME(gid) || !SAME(egid))
        return "the user is another";
    if (!SAME(umask) || strcmp(a->cwd, b->cwd) != 0)
        return "umask or working directory are not as they were";
    if (!a->environment || !b->environment || strcmp(a->environment, b->environment) != 0)
        return "the environment is not as it was";
    if (!SAME(threads))
        return "there are other threads";
    if (strcmp(a->children, b->children) != 0)
        return "there are other children";
    return SAME(written) ? NULL : "it wrote to stdout or stderr";
}

/* --- calling hooks --------------------------------------------------------------------------- */

static void call(const char *hook)
{
    static struct process before, after; /* of one at a time */
    const char *what;
    int rc;

    snprintf(report->hook, sizeof(report->hook), "%s", hook);
    look(&before);
    rc = fake_call(hook, world.arguments);
    look(&after);
    report->hooks++;
    what = difference(&before, &after);
    if (rc != 0 || what)
        complain(hook, what ? what : "it did not return 0");
    free(before.environment);
    free(after.environment);
}

static int call_contained(void *hook)
{
    call(hook);
    return 0; /* and glibc's clone() ends this process, without running its exit handlers */
}

/* In a child that has our memory, but a pid and descriptors of its own. */
static void contain(const char *hook)
{
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                       0);
    int status;
    pid_t pid = stack == MAP_FAILED ? -1 : clone(call_contained, stack + STACK_SIZE,
                                                 CLONE_VM | SIGCHLD, (void *)hook);

    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        complain(hook, "the child that contains it failed");
    munmap(stack, STACK_SIZE);
}

/* --- slurmstepd ------------------------------------------------------------------------------ */

/* Only root can become someone else; others stay who they are. */
static void become_user(bool for_good)
{
    if (geteuid() != 0)
        return;
    if (setgroups(0, NULL) < 0 ||
        (for_good ? setresgid(fake_step.gid, fake_step.gid, fake_step.gid)
                  : setegid(fake_step.gid)) < 0 ||
        (for_good ? setresuid(fake_step.uid, fake_step.uid, fake_step.uid)
                  : seteuid(fake_step.uid)) < 0)
        complain(report->hook, "cannot become the user");
    prctl(PR_SET_DUMPABLE, 1); /* as slurmstepd does: else /proc/self is closed to it */
}

static void become_root(void)
{
    if (getuid() == 0 && (seteuid(0) < 0 || setegid(0) < 0))
        complain(report->hook, "cannot become root again");
    prctl(PR_SET_DUMPABLE, 1);
}

/* A task is up to its exec(), and ends when the gate is closed. */
static pid_t fork_task(int gate[2])
{
    pid_t pid = fork();
    char byte;

    if (pid != 0)
        return pid;
    close(gate[1]);
    become_root();
    call("task_init_privileged");
    become_user(true);
    call("task_init");
    _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
}

static void walk_tasks(void (*in_stepd)(const char *))
{
    pid_t pids[TASKS];
    int gate[2], status;

    if (pipe2(gate, O_CLOEXEC) < 0)
        return complain("tasks", "no pipe");
    become_user(false);
    in_stepd("user_init");
    for (int i = 0; i < TASKS; i++)
        pids[i] = fork_task(gate);
    become_root();
    for (int i = 0; i < TASKS; i++)
        in_stepd("task_post_fork");
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < TASKS; i++) {
        if (pids[i] < 0 || waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            complain("task_init", "the task failed");
        in_stepd("task_exit");
    }
}

static void call_all(const char *const hooks[])
{
    for (size_t i = 0; hooks[i]; i++)
        call(hooks[i]);
}

static void walk_hooks(enum walk which)
{
    static const char *const slurmd[] = { "init", "slurmd_exit", NULL };
    static const char *const extern_step[] = { "init", "init_post_opt", "task_post_fork", "exit",
                                               NULL };
    static const char *const begin[] = { "init", "init_post_opt", NULL };
    static const char *const srun[] = { "init", "init_post_opt", "local_user_init", "exit", NULL };
    static const char *const sbatch[] = { "init", "init_post_opt", "exit", NULL };

    switch (which) {
    case WALK_SLURMD:
        return call_all(slurmd);
    case WALK_PROLOG:
        return call("job_prolog");
    case WALK_EPILOG:
        return call("job_epilog");
    case WALK_STEP:
    case WALK_CONTAINED_STEP:
        call_all(begin);
        walk_tasks(which == WALK_STEP ? call : contain);
        return call("exit");
    case WALK_EXTERN:
        return call_all(extern_step);
    case WALK_SRUN:
        return call_all(srun);
    default:
        return call_all(sbatch);
    }
}

/* --- processes ------------------------------------------------------------------------------- */

static void set_context(enum walk which)
{
    static const enum spank_context contexts[WALK_COUNT] = {
        [WALK_SLURMD] = S_CTX_SLURMD, [WALK_PROLOG] = S_CTX_JOB_SCRIPT,
        [WALK_EPILOG] = S_CTX_JOB_SCRIPT, [WALK_STEP] = S_CTX_REMOTE,
        [WALK_CONTAINED_STEP] = S_CTX_REMOTE, [WALK_EXTERN] = S_CTX_REMOTE,
        [WALK_SRUN] = S_CTX_LOCAL, [WALK_SBATCH] = S_CTX_ALLOCATOR,
    };

    fake_context = contexts[which];
    if (which == WALK_EXTERN)
        fake_step.step_id = STEP_EXTERN;
    if (which == WALK_PROLOG || which == WALK_EPILOG)
        plugin_world_job_environment();
}

/* stdout and stderr are a file each, whose size tells what was written. */
static void redirect_output(void)
{
    for (int fd = 1; fd <= 2; fd++) {
        int file = memfd_create("output", MFD_CLOEXEC);

        if (file < 0 || dup2(file, fd) < 0)
            complain("walk", "cannot redirect the output");
        close(file);
    }
}

static void be_process(enum walk which, void (*before)(void))
{
    redirect_output();
    set_context(which);
    if (before)
        before();
    fake_load();
    walk_hooks(which);
    report->lines = fake_errors + fake_infos + fake_debugs;
    memcpy(report->last_line, fake_last_line, sizeof(report->last_line));
    fake_unload();
    _exit(0);
}

/* Until all its processes have closed their end of the pipe, or the deadline. */
static void wait_for(pid_t pid, int end_fd)
{
    struct pollfd poll_fd = { .fd = end_fd };

    if (poll(&poll_fd, 1, WALK_DEADLINE_MS) == 0) {
        complain(report->hook, "it does not return");
        kill(-pid, SIGKILL);
    }
    waitpid(pid, &report->status, 0);
}

struct walk_report walk(enum walk which, void (*before)(void))
{
    struct walk_report result;
    int ends[2];
    pid_t pid;

    report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(report != MAP_FAILED);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    setpgid(pid, pid); /* both do it: none waits for the other */
    if (pid == 0)
        be_process(which, before);
    close(ends[1]);
    wait_for(pid, ends[0]);
    close(ends[0]);
    result = *report;
    munmap(report, sizeof(*report));
    return result;
}

struct walk_report walk_well(enum walk which)
{
    struct walk_report result = walk(which, NULL);

    if (*result.wrong || result.status != 0)
        fail_msg("%s: %s (status %d, last hook %s)", walk_names[which], result.wrong, result.status,
                 result.hook);
    return result;
}

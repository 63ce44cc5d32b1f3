/* A step's CPU time: from its cgroup, or from the processes below its slurmstepd. */
#include "config.h" /* unshare() */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "sensors/cputime.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A real cgroup of the v1 hierarchy, made and removed by the test. */
#define CGROUP_ROOT "/sys/fs/cgroup"
#define PATIENCE 20000 /* looks, 1 ms apart, before a test gives up */

struct fixture {
    struct tree tree;
    struct cputime_node *node;
};

static int setup(void **state)
{
    static struct fixture fixture;

    tree_make(&fixture.tree);
    fixture.node = cputime_node_new(fixture.tree.path);
    *state = &fixture;
    return fixture.node ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    cputime_node_free(fixture->node);
    tree_free(&fixture->tree);
    return 0;
}

/* --- cgroups in a tree --- */

static void test_cgroup_of_the_whole_step_is_found(void **state)
{
    static const struct {
        const char *file, *text, *cgroup;
        uint64_t cpu_ns;
    } cases[] = {
        {"cpuacct/slurm_n1/uid_0/job_7/step_0/cpuacct.usage", "123456789\n",
         "cpuacct:/slurm_n1/uid_0/job_7/step_0", 123456789},
        {"cpu,cpuacct/slurm/uid_0/job_7/step_batch/cpuacct.usage", "5\n",
         "cpuacct:/slurm/uid_0/job_7/step_batch/task_0", 5},
        {"cpuacct,cpu/slurm/uid_0/job_8/step_extern/cpuacct.usage", "6\n",
         "cpu,cpuacct:/slurm/uid_0/job_8/step_extern", 6},
        {"system.slice/slurmstepd.scope/job_9/step_1/cpu.stat",
         "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n",
         "unified:/system.slice/slurmstepd.scope/job_9/step_1/user/task_0", 1500000},
        {"unified/system.slice/n1_slurmstepd.scope/s01H2/step_2/cpu.stat",
         "usage_usec 7\nuser_usec 7\nsystem_usec 0\n",
         "unified:/system.slice/n1_slurmstepd.scope/s01H2/step_2/slurm", 7000},
        /* a key that begins alike, and a file that grew lines before it */
        {"x/step_0/cpu.stat", "core_sched 1\nusage_usecs 9\nusage_usec 8\n", "unified:/x/step_0",
         8000},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cputime *cputime = NULL;
        struct error err = {""};
        uint64_t cpu_ns = 0;

        tree_write(&fixture->tree, cases[i].file, "%s", cases[i].text);
        if (cputime_open(fixture->node, cases[i].cgroup, 0, 0, &cputime, &err) < 0)
            fail_msg("%s: %s", cases[i].cgroup, err.text);
        assert_int_equal(cputime_way(cputime), CPUTIME_CGROUP);
        assert_int_equal(cputime_read(cputime, &cpu_ns), 0);
        assert_int_equal(cpu_ns, cases[i].cpu_ns);
        assert_true(cputime_alive(cputime));
        cputime_close(cputime);
    }
}

static void test_cgroup_that_is_no_steps_is_not_used(void **state)
{
    static const struct {
        const char *cgroup;
        int rc;
    } cases[] = {
        {"cpuacct:/", -ESRCH},
        {"cpuacct:/system.slice/slurmd.service", -ESRCH},
        {"cpuacct:/slurm/job_7/step_9", -ESRCH}, /* not there */
        {"freezer:/slurm/job_7/step_0", -ESRCH},
        {"cpuacctx:/slurm/job_7/step_0", -ESRCH},
        {"", -ESRCH},
        {"/slurm/job_7/step_0", -EINVAL},
        {"cpuacct:slurm/step_0", -EINVAL},
        {"cpuacct:/../cpuacct/slurm/job_7/step_0", -EINVAL},
    };
    struct fixture *fixture = *state;

    tree_write(&fixture->tree, "cpuacct/slurm/job_7/step_0/cpuacct.usage", "5\n");
    tree_write(&fixture->tree, "cpuacct/cpuacct.usage", "5\n");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cputime *cputime = NULL;
        struct error err = {""};

        assert_int_equal(cputime_open(fixture->node, cases[i].cgroup, 0, 0, &cputime, &err),
                         cases[i].rc);
        assert_null(cputime);
        assert_true(strlen(err.text) > 0);
    }
}

static void test_number_that_is_cut_off_is_no_number(void **state)
{
    struct fixture *fixture = *state;
    struct cputime *cputime = NULL;
    uint64_t cpu_ns = 77;

    /* the meter reads the first 255 bytes */
    tree_write(&fixture->tree, "a/step_0/cpu.stat", "%0239d\nusage_usec 123456\n", 1);
    assert_int_equal(cputime_open(fixture->node, "unified:/a/step_0", 0, 0, &cputime, NULL), 0);
    assert_int_equal(cputime_read(cputime, &cpu_ns), -EBADMSG);
    assert_int_equal(cpu_ns, 77);
    cputime_close(cputime);
}

static void test_cpu_time_never_steps_back_and_no_number_is_no_zero(void **state)
{
    static const char file[] = "cpuacct/a/step_0/cpuacct.usage";
    struct fixture *fixture = *state;
    struct cputime *cputime = NULL;
    uint64_t cpu_ns = 0;

    tree_write(&fixture->tree, file, "1000\n");
    assert_int_equal(cputime_open(fixture->node, "cpuacct:/a/step_0", 0, 0, &cputime, NULL), 0);
    assert_int_equal(cputime_read(cputime, &cpu_ns), 0);
    tree_write(&fixture->tree, file, "900\n");
    assert_int_equal(cputime_read(cputime, &cpu_ns), 0);
    assert_int_equal(cpu_ns, 1000);
    tree_write(&fixture->tree, file, "%s", "");
    assert_int_equal(cputime_read(cputime, &cpu_ns), -EBADMSG);
    tree_write(&fixture->tree, file, "usage\n");
    assert_int_equal(cputime_read(cputime, &cpu_ns), -EBADMSG);
    tree_write(&fixture->tree, file, "1001\n");
    assert_int_equal(cputime_read(cputime, &cpu_ns), 0);
    assert_int_equal(cpu_ns, 1001);
    cputime_close(cputime);
}

/* --- real processes --- */

static uint64_t own_cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void burn(uint64_t cpu_ns)
{
    while (own_cpu_ns() < cpu_ns)
        ;
}

/* Field 22 of /proc/PID/stat. */
static uint64_t start_ticks(pid_t pid)
{
    char path[64], text[1024] = "";
    const char *p;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    p = strrchr(text, ')') + 2;
    for (int field = 3; field < 22; field++)
        p = strchr(p, ' ') + 1;
    return strtoull(p, NULL, 10);
}

/*
 * A stand-in for slurmstepd: it waits for one child that used 60 ms, starts another that uses
 * 60 ms and then sleeps, uses 60 ms itself (which is not the step's), and says so by the pipe.
 */
static void run_stepd(int ready_fd)
{
    pid_t pid = fork();

    if (pid == 0) {
        burn(60000000);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    pid = fork();
    if (pid == 0) {
        burn(60000000);
        if (write(ready_fd, "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    burn(60000000);
    if (write(ready_fd, "x", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static pid_t start_stepd(void)
{
    int fds[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setpgid(0, 0);
        close(fds[0]);
        run_stepd(fds[1]);
    }
    setpgid(pid, pid);
    close(fds[1]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    return pid;
}

static void end_stepd(pid_t pid)
{
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* The next reading that is news. */
static uint64_t read_news(struct cputime *cputime)
{
    uint64_t cpu_ns = 0;
    int rc = -EAGAIN;

    for (int i = 0; i < PATIENCE && rc == -EAGAIN; i++) {
        rc = cputime_read(cputime, &cpu_ns);
        if (rc == -EAGAIN)
            usleep(1000);
    }
    assert_int_equal(rc, 0);
    return cpu_ns;
}

/* Two children of 60 ms, in ticks of 10 ms; the slurmstepd's own 60 ms are not the step's. */
static void test_processes_below_slurmstepd_are_added_up(void **state)
{
    struct fixture *fixture = *state;
    struct cputime *cputime = NULL;
    struct error err = {""};
    pid_t pid = start_stepd();
    uint64_t cpu_ns;

    if (cputime_open(fixture->node, "cpuacct:/", (uint32_t)pid, start_ticks(pid), &cputime, &err))
        fail_msg("%s", err.text);
    assert_int_equal(cputime_way(cputime), CPUTIME_PROCESSES);
    cpu_ns = read_news(cputime);
    assert_in_range(cpu_ns, 80000000, 160000000);
    assert_true(read_news(cputime) >= cpu_ns);
    assert_true(cputime_alive(cputime));
    end_stepd(pid);
    assert_false(cputime_alive(cputime));
    /* the tree is gone: what was used is not */
    assert_true(read_news(cputime) >= cpu_ns);
    cputime_close(cputime);
}

/* On cgroup v1 Slurm makes the step's directory after the begin mark. */
static void test_cgroup_that_comes_later_is_taken_up(void **state)
{
    struct fixture *fixture = *state;
    struct cputime *cputime = NULL;
    uint64_t cpu_ns = 0;

    assert_int_equal(cputime_open(fixture->node, "cpuacct:/a/step_0", (uint32_t)getpid(),
                                  start_ticks(getpid()), &cputime, NULL), 0);
    assert_int_equal(cputime_way(cputime), CPUTIME_PROCESSES);
    assert_int_equal(cputime_read(cputime, &cpu_ns), -EAGAIN);
    tree_write(&fixture->tree, "cpuacct/a/step_0/cpuacct.usage", "1000\n");
    assert_int_equal(cputime_read(cputime, &cpu_ns), 0);
    assert_int_equal(cpu_ns, 1000);
    assert_int_equal(cputime_way(cputime), CPUTIME_CGROUP);
    cputime_close(cputime);
}

static void test_two_steps_are_kept_apart(void **state)
{
    struct fixture *fixture = *state;
    struct cputime *busy = NULL, *idle = NULL;
    pid_t busy_pid = start_stepd(), idle_pid = fork();

    if (idle_pid == 0)
        for (;;)
            pause();
    assert_int_equal(cputime_open(fixture->node, "", (uint32_t)busy_pid, start_ticks(busy_pid),
                                  &busy, NULL), 0);
    assert_int_equal(cputime_open(fixture->node, "", (uint32_t)idle_pid, start_ticks(idle_pid),
                                  &idle, NULL), 0);
    assert_true(read_news(busy) >= 80000000);
    assert_int_equal(read_news(idle), 0);
    cputime_close(busy);
    kill(idle_pid, SIGKILL);
    waitpid(idle_pid, NULL, 0);
    end_stepd(busy_pid);
    assert_int_equal(read_news(idle), 0);
    cputime_close(idle);
}

static void test_process_of_the_same_number_but_another_start_is_not_the_step(void **state)
{
    struct fixture *fixture = *state;
    struct cputime *cputime = NULL;
    struct error err = {""};
    uint64_t ticks = start_ticks(getpid());

    assert_int_equal(cputime_open(fixture->node, "", (uint32_t)getpid(), ticks + 1, &cputime, &err),
                     -ESRCH);
    assert_null(cputime);
    assert_non_null(strstr(err.text, "slurmstepd"));
    assert_int_equal(cputime_open(fixture->node, "", (uint32_t)getpid(), ticks, &cputime, &err), 0);
    cputime_close(cputime);
}

/* In a child, with a /proc of its own: 0 as it should be, 77 where that cannot be had. */
static int open_what_is_hidden(struct cputime_node *node, pid_t pid, uint64_t ticks)
{
    struct cputime *cputime = NULL;
    bool lives, lived;

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", 0, "hidepid=2") < 0 || setgroups(0, NULL) < 0 ||
        setgid(65534) < 0 || setuid(65534) < 0)
        return 77;
    if (access("/proc/1/stat", F_OK) == 0)
        return 77;
    if (cputime_open(node, "", (uint32_t)pid, ticks, &cputime, NULL) < 0)
        return 1;
    lives = cputime_alive(cputime);
    if (raise(SIGSTOP) != 0) /* until it has ended */
        return 2;
    lived = cputime_alive(cputime);
    cputime_close(cputime);
    if (cputime_open(node, "", (uint32_t)pid, ticks, &cputime, NULL) != -ESRCH)
        return 3;
    return lives && !lived ? 0 : 4;
}

static void test_slurmstepd_that_proc_hides_is_there_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    pid_t pid = start_stepd(), child;
    uint64_t ticks = start_ticks(pid);
    int status;

    child = fork();
    if (child == 0)
        _exit(open_what_is_hidden(fixture->node, pid, ticks));
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    end_stepd(pid);
    if (WIFSTOPPED(status)) {
        kill(child, SIGCONT);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("skipped: no /proc with hidepid= can be mounted here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_cgroup_outlives_slurmstepd_and_says_that_it_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct cputime *cputime = NULL;
    uint64_t cpu_ns = 0;
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    tree_write(&fixture->tree, "cpuacct/a/step_0/cpuacct.usage", "1000\n");
    assert_int_equal(cputime_open(fixture->node, "cpuacct:/a/step_0", (uint32_t)pid,
                                  start_ticks(pid), &cputime, NULL), 0);
    assert_true(cputime_alive(cputime));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_false(cputime_alive(cputime));
    assert_int_equal(cputime_read(cputime, &cpu_ns), 0);
    assert_int_equal(cpu_ns, 1000);
    cputime_close(cputime);
}

static void test_descriptors_are_not_inherited_nor_left_open(void **state)
{
    struct fixture *fixture = *state;
    struct cputime *cputime = NULL;
    struct fd_count before = count_fds();

    tree_write(&fixture->tree, "cpuacct/a/step_0/cpuacct.usage", "1000\n");
    assert_int_equal(cputime_open(fixture->node, "cpuacct:/a/step_0", (uint32_t)getpid(),
                                  start_ticks(getpid()), &cputime, NULL), 0);
    assert_true(count_fds().all > before.all && count_fds().all <= before.all + 2);
    assert_int_equal(count_fds().inherited, before.inherited);
    cputime_close(cputime);
    assert_int_equal(count_fds().all, before.all);
}

/* --- a real cgroup --- */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* A child in the cgroup's procs file burns 50 ms and ends; its orphan burns 50 ms more. Returns
   when both have, however long the machine takes. */
static void run_in_cgroup(const char *procs)
{
    int alive[2];
    pid_t pid;

    assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char text[32];

        snprintf(text, sizeof(text), "%d", getpid());
        write_file(procs, text);
        if (fork() == 0) {
            setsid();
            burn(50000000);
            _exit(0);
        }
        burn(own_cpu_ns() + 50000000); /* what it took to move there was outside */
        _exit(0);
    }
    close(alive[1]);
    assert_int_equal(read(alive[0], &(char){ 0 }, 1), 0); /* its end: nobody writes */
    close(alive[0]);
    waitpid(pid, NULL, 0);
}

static void test_real_cgroup_counts_orphans_too(void **state)
{
    struct cputime_node *node = cputime_node_new(CGROUP_ROOT);
    char job[128], step[160], file[256], cgroup[160];
    struct cputime *cputime = NULL;
    uint64_t cpu_ns = 0;

    (void)state;
    snprintf(job, sizeof(job), CGROUP_ROOT "/cpuacct/carbon-test-%d", getpid());
    if (mkdir(job, 0755) < 0) {
        print_message("no cgroup v1 can be made here: %s: %s\n", job, strerror(errno));
        cputime_node_free(node);
        skip();
    }
    snprintf(step, sizeof(step), "%s/step_0", job);
    assert_int_equal(mkdir(step, 0755), 0);
    snprintf(cgroup, sizeof(cgroup), "cpuacct:/carbon-test-%d/step_0/task_0", getpid());
    assert_int_equal(cputime_open(node, cgroup, 0, 0, &cputime, NULL), 0);
    assert_int_equal(cputime_read(cputime, &cpu_ns), 0);
    assert_true(cpu_ns < 50000000);
    snprintf(file, sizeof(file), "%s/cgroup.procs", step);
    run_in_cgroup(file);
    for (int i = 0; i < PATIENCE && cpu_ns < 100000000; i++) {
        assert_int_equal(cputime_read(cputime, &cpu_ns), 0);
        usleep(1000);
    }
    assert_true(cpu_ns >= 100000000);
    for (int i = 0; i < PATIENCE && rmdir(step) < 0; i++)
        usleep(1000); /* until the orphan has ended */
    assert_int_equal(rmdir(job), 0);
    assert_int_equal(cputime_read(cputime, &cpu_ns), -ENODEV);
    assert_false(cputime_alive(cputime));
    cputime_close(cputime);
    cputime_node_free(node);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cgroup_of_the_whole_step_is_found),
        TEST(test_cgroup_that_is_no_steps_is_not_used),
        TEST(test_number_that_is_cut_off_is_no_number),
        TEST(test_cpu_time_never_steps_back_and_no_number_is_no_zero),
        TEST(test_processes_below_slurmstepd_are_added_up),
        TEST(test_cgroup_that_comes_later_is_taken_up),
        TEST(test_two_steps_are_kept_apart),
        TEST(test_process_of_the_same_number_but_another_start_is_not_the_step),
        TEST(test_slurmstepd_that_proc_hides_is_there_all_the_same),
        TEST(test_cgroup_outlives_slurmstepd_and_says_that_it_is_gone),
        TEST(test_descriptors_are_not_inherited_nor_left_open),
        cmocka_unit_test(test_real_cgroup_counts_orphans_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

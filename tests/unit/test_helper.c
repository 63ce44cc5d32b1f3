/* The processes that sources run in: what hangs or crashes there never holds the meter. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "sensors/helper.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS UINT64_C(1000000)
#define PATIENCE_NS (20 * NS_PER_S) /* for what takes 1 ms on an idle machine */

/* What a process that finds or reads is to do. */
enum deed { WORK, FAIL, HANG, SIGNAL, EXIT_0, EXIT_1 };

/* What the counters of this source say of the process that reads them. */
enum question { VALUE, OPEN_FDS, SIGNAL_MASK };

/* Shared with the helpers, which are forked from here. */
static struct {
    _Atomic int find_deed, read_deed; /* enum deed */
    _Atomic int find_code, question;
    _Atomic int counters, hidden; /* how many there are; the number of one that is gone, or -1 */
    _Atomic int backwards;        /* found last to first */
    _Atomic int part, range, first_domain; /* of each counter */
    _Atomic int finds, reads, pid, closed;
} *world;

static void do_deed(_Atomic int *deed)
{
    const struct rlimit none = { 0, 0 };
    const struct timespec pause = { .tv_nsec = 1000000 };

    while (*deed == HANG)
        nanosleep(&pause, NULL);
    if (*deed == SIGNAL) {
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (*deed == EXIT_0 || *deed == EXIT_1)
        _exit(*deed == EXIT_1);
}

static int test_find(struct sensors *sensors, struct error *err)
{
    world->pid = getpid();
    world->finds++;
    do_deed(&world->find_deed);
    if (world->find_deed == FAIL)
        return error_set(err, world->find_code, "nothing is %s", "here");
    for (int i = 0; i < world->counters; i++) {
        extern const struct sensor_source test_source;
        struct sensor_slot slot = { .source = &test_source, .fd = -1 };
        int number = world->backwards ? world->counters - 1 - i : i;

        if (number == world->hidden)
            continue;
        snprintf(slot.counter.source, sizeof(slot.counter.source), "test:%d", number);
        slot.part = (enum sensor_part)world->part;
        slot.counter.range_uj = (uint64_t)world->range;
        slot.counter.domain = (unsigned)(world->first_domain + number);
        slot.scratch[0] = (uint64_t)number;
        slot.device = malloc(16); /* means nothing in another process */
        if (sensors_offer(sensors, &slot) < 0)
            return -ENOMEM;
    }
    if (sensors_leave_out(sensors, "test:psys", "it contains the others") < 0)
        return -ENOMEM;
    return world->counters;
}

static uint64_t mask_bits(void)
{
    uint64_t bits = 0;
    sigset_t set;

    sigprocmask(SIG_BLOCK, NULL, &set);
    for (int number = 1; number < 32; number++)
        bits |= (uint64_t)(sigismember(&set, number) == 1) << number;
    return bits;
}

static int test_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    (void)sensors;
    world->reads++;
    do_deed(&world->read_deed);
    if (world->read_deed == FAIL)
        return -EIO;
    if (world->question == OPEN_FDS)
        *ret_raw_uj = (uint64_t)count_fds().all;
    else if (world->question == SIGNAL_MASK)
        *ret_raw_uj = mask_bits();
    else
        *ret_raw_uj = 1000 + slot->scratch[0];
    return 0;
}

static void test_close(struct sensor_slot *slot)
{
    world->closed++;
    free(slot->device);
}

extern const struct sensor_source test_source;
const struct sensor_source test_source = { "test", false, test_find, test_read, test_close };

/* --- a meter's side of it --- */

struct meter {
    struct tree tree;
    struct sensor_options options;
    struct sensors sensors;
    struct helper *helper;
    uint64_t ahead_ns; /* the meter's clock runs ahead of the real one by this */
};

static int setup(void **state)
{
    static struct meter meter;

    memset(&meter, 0, sizeof(meter));
    tree_make(&meter.tree);
    meter.options.root_fd = meter.tree.fd;
    meter.sensors.raw_list = true; /* all that is found is used */
    memset(world, 0, sizeof(*world));
    world->counters = 3;
    world->hidden = -1;
    world->part = PART_GPU;
    *state = &meter;
    return 0;
}

/* No zombie and no process is left by any test. */
static int teardown(void **state)
{
    struct meter *meter = *state;

    meter->helper = helper_stop(meter->helper);
    sensors_clear(&meter->sensors);
    tree_free(&meter->tree);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return 0;
}

static uint64_t now(const struct meter *meter)
{
    return clock_boottime_ns() + meter->ahead_ns;
}

static int find(struct meter *meter, uint64_t patience_ns, struct error *err)
{
    assert_int_equal(helper_start(&test_source, &meter->options, &meter->helper), 0);
    return helper_find(meter->helper, &meter->sensors, clock_boottime_ns() + patience_ns, err);
}

static void begin(struct meter *meter)
{
    struct error err = { "" };
    int rc = find(meter, PATIENCE_NS, &err);

    if (rc != world->counters)
        fail_msg("%d: %s", rc, err.text);
    meter->sensors.states = calloc(meter->sensors.n_slots + 1, sizeof(*meter->sensors.states));
    assert_non_null(meter->sensors.states);
    assert_int_equal(helper_adopt(meter->helper, &meter->sensors), 0);
}

/* One tick that waits up to wait_ns for answers: the code of the first counter's reading. */
static int tick(struct meter *meter, uint64_t wait_ns)
{
    helper_ask(meter->helper, now(meter));
    helper_take(meter->helper, &meter->sensors, clock_boottime_ns() + wait_ns);
    return meter->sensors.states[0].own.code;
}

static const struct sensor_reading *reading(const struct meter *meter, size_t index)
{
    return &meter->sensors.states[index].own;
}

/* Tick until the first counter says `code`; time passes as it does. */
static void tick_until(struct meter *meter, int code)
{
    uint64_t until_ns = clock_boottime_ns() + PATIENCE_NS;

    while (tick(meter, 10 * MS) != code)
        if (clock_boottime_ns() > until_ns)
            fail_msg("it says %d, not %d", meter->sensors.states[0].own.code, code);
}

static void wait_for(const _Atomic int *number, int least)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    uint64_t until_ns = clock_boottime_ns() + PATIENCE_NS;

    while (*number < least) {
        if (clock_boottime_ns() > until_ns)
            fail_msg("%d, not %d", *number, least);
        nanosleep(&pause, NULL);
    }
}

/* Until this process is dead and reaped: only then does its pause begin. */
static void let_die(struct meter *meter, pid_t pid)
{
    uint64_t until_ns = clock_boottime_ns() + PATIENCE_NS;

    while (kill(pid, 0) == 0) {
        assert_true(clock_boottime_ns() < until_ns);
        tick(meter, MS);
    }
}

static void kill_helper(struct meter *meter)
{
    pid_t pid = world->pid;

    kill(pid, SIGKILL);
    let_die(meter, pid);
}

/* --- finding --- */

static void test_what_is_found_and_what_is_not_used_come_over(void **state)
{
    struct meter *meter = *state;

    begin(meter);
    assert_int_equal(meter->sensors.n_slots, 3);
    assert_string_equal(meter->sensors.slots[2].counter.source, "test:2");
    assert_string_equal(meter->sensors.slots[2].counter.sensor, "test");
    assert_int_equal(meter->sensors.n_left_out, 1);
    assert_string_equal(meter->sensors.left_out[0].reason, "it contains the others");
    assert_int_not_equal(world->pid, getpid());
}

static void test_more_than_a_socket_holds_is_found(void **state)
{
    struct meter *meter = *state;

    world->counters = 250;
    begin(meter);
    assert_int_equal(meter->sensors.n_slots, 250);
    assert_int_equal(tick(meter, PATIENCE_NS), 0);
    assert_int_equal(reading(meter, 249)->raw_uj, 1249);
}

static void test_how_finding_can_fail(void **state)
{
    static const struct {
        enum deed deed;
        int code;
        uint64_t patience_ns;
        int rc;
        const char *text;
    } cases[] = {
        { FAIL, -ENODEV, PATIENCE_NS, -ENODEV, "nothing is here" },
        { FAIL, -EINVAL, PATIENCE_NS, -EINVAL, "nothing is here" },
        { SIGNAL, 0, PATIENCE_NS, -ECHILD, "died" },
        { EXIT_0, 0, PATIENCE_NS, -ECHILD, "died" },
        { EXIT_1, 0, PATIENCE_NS, -ECHILD, "died" },
        { HANG, 0, 50 * MS, -ETIMEDOUT, "did not answer" },
    };
    struct meter *meter = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t begin_ns = clock_boottime_ns();
        struct error err = { "" };

        world->find_deed = (int)cases[i].deed;
        world->find_code = cases[i].code;
        assert_int_equal(find(meter, cases[i].patience_ns, &err), cases[i].rc);
        assert_non_null(strstr(err.text, cases[i].text));
        meter->helper = helper_stop(meter->helper);
        assert_true(clock_boottime_ns() - begin_ns < PATIENCE_NS);
        assert_int_equal(meter->sensors.n_slots, 0);
    }
}

/* --- reading --- */

static void test_readings_have_the_time_at_which_they_were_taken(void **state)
{
    struct meter *meter = *state;
    uint64_t before_ns, after_ns;

    begin(meter);
    before_ns = clock_boottime_ns();
    assert_int_equal(tick(meter, PATIENCE_NS), 0);
    after_ns = clock_boottime_ns();
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(reading(meter, i)->code, 0);
        assert_int_equal(reading(meter, i)->raw_uj, 1000 + i);
        assert_true(reading(meter, i)->at_ns >= before_ns && reading(meter, i)->at_ns <= after_ns);
    }
}

static void test_failed_reading_keeps_its_code(void **state)
{
    struct meter *meter = *state;

    begin(meter);
    world->read_deed = FAIL;
    assert_int_equal(tick(meter, PATIENCE_NS), -EIO);
    world->read_deed = WORK;
    assert_int_equal(tick(meter, PATIENCE_NS), 0);
    assert_int_equal(world->finds, 1);
}

static void test_nobody_waits_for_what_hangs_beyond_the_deadline(void **state)
{
    struct meter *meter = *state;
    uint64_t begin_ns, asked_ns;

    begin(meter);
    world->read_deed = HANG;
    begin_ns = clock_boottime_ns();
    assert_int_equal(tick(meter, 50 * MS), -ETIMEDOUT);
    asked_ns = clock_boottime_ns();
    assert_true(asked_ns - begin_ns >= 50 * MS && asked_ns - begin_ns < 5 * NS_PER_S);
    /* late already: not waited for at all, and not asked again */
    assert_int_equal(tick(meter, PATIENCE_NS), -ETIMEDOUT);
    assert_int_equal(tick(meter, PATIENCE_NS), -ETIMEDOUT);
    assert_true(clock_boottime_ns() - asked_ns < 5 * NS_PER_S);
    assert_int_equal(world->reads, 1);
}

static void test_late_answer_comes_later_with_its_own_time(void **state)
{
    const struct timespec pause = { .tv_nsec = 50000000 };
    struct meter *meter = *state;
    uint64_t taken_ns;

    begin(meter);
    world->read_deed = HANG;
    assert_int_equal(tick(meter, 0), -ETIMEDOUT);
    wait_for(&world->reads, 1);
    world->read_deed = WORK;
    wait_for(&world->reads, 3); /* the first two are read by then */
    nanosleep(&pause, NULL);
    taken_ns = clock_boottime_ns();
    tick_until(meter, 0);
    assert_true(reading(meter, 0)->at_ns + 50 * MS <= taken_ns);
    assert_true(reading(meter, 1)->at_ns + 50 * MS <= taken_ns);
    assert_int_equal(world->finds, 1);
}

/* --- dying, and coming back --- */

static void test_one_that_hangs_is_killed_and_started_anew(void **state)
{
    struct meter *meter = *state;

    begin(meter);
    world->read_deed = HANG;
    assert_int_equal(tick(meter, 0), -ETIMEDOUT);
    meter->ahead_ns = HELPER_DEADLINE_NS / 2;
    assert_int_equal(tick(meter, 0), -ETIMEDOUT);
    meter->ahead_ns = HELPER_DEADLINE_NS + NS_PER_S;
    assert_int_equal(tick(meter, 0), -ECHILD);
    world->read_deed = WORK;
    let_die(meter, world->pid);
    assert_int_equal(tick(meter, 0), -ECHILD);
    assert_int_equal(world->finds, 1); /* not before its pause is over */
    meter->ahead_ns += HELPER_PAUSE_NS + NS_PER_S;
    tick_until(meter, 0);
    assert_int_equal(world->finds, 2);
    assert_int_equal(reading(meter, 2)->raw_uj, 1002);
}

static void test_one_that_dies_is_started_anew(void **state)
{
    static const enum deed deeds[] = { SIGNAL, EXIT_0, EXIT_1, WORK };
    struct meter *meter = *state;

    begin(meter);
    for (size_t i = 0; i < COUNT(deeds); i++) {
        assert_int_equal(tick(meter, PATIENCE_NS), 0);
        world->read_deed = (int)deeds[i];
        if (deeds[i] == WORK) /* then from outside: the OOM killer, an operator */
            kill(world->pid, SIGKILL);
        tick_until(meter, -ECHILD);
        world->read_deed = WORK;
        let_die(meter, world->pid);
        assert_int_equal(tick(meter, 0), -ECHILD);
        meter->ahead_ns += HELPER_PAUSE_NS + NS_PER_S;
        tick_until(meter, 0);
        assert_int_equal(world->finds, 2 + i);
    }
}

static void test_one_that_hangs_when_started_anew_is_killed_too(void **state)
{
    struct meter *meter = *state;
    pid_t second;

    begin(meter);
    world->find_deed = HANG;
    kill_helper(meter);
    meter->ahead_ns += HELPER_PAUSE_NS + NS_PER_S;
    assert_int_equal(tick(meter, 0), -ECHILD);
    wait_for(&world->finds, 2);
    second = world->pid;
    meter->ahead_ns += HELPER_FIND_NS + NS_PER_S;
    assert_int_equal(tick(meter, 0), -ECHILD);
    let_die(meter, second);
    world->find_deed = WORK;
    meter->ahead_ns += 2 * HELPER_PAUSE_NS + NS_PER_S;
    tick_until(meter, 0);
}

static void test_pause_doubles_up_to_its_maximum_until_readings_come(void **state)
{
    static const uint64_t pauses_s[] = { 5, 10, 20, 40, 80, 160, 300, 300 };
    struct meter *meter = *state;
    uint64_t early_ns, late_ns; /* between them it died */

    begin(meter);
    kill(world->pid, SIGKILL);
    world->find_deed = EXIT_1;
    for (size_t i = 0; i < COUNT(pauses_s); i++) {
        early_ns = now(meter);
        wait_for(&world->finds, 1 + (int)i);
        let_die(meter, world->pid);
        late_ns = now(meter);
        meter->ahead_ns = early_ns + (pauses_s[i] - 1) * NS_PER_S - clock_boottime_ns();
        assert_int_equal(tick(meter, 0), -ECHILD);
        assert_int_equal(world->finds, 1 + i);
        meter->ahead_ns = late_ns + (pauses_s[i] + 1) * NS_PER_S - clock_boottime_ns();
        if (i + 1 == COUNT(pauses_s))
            world->find_deed = WORK;
        assert_int_equal(tick(meter, 0), -ECHILD);
    }
    tick_until(meter, 0);
    kill_helper(meter);
    meter->ahead_ns += HELPER_PAUSE_NS + NS_PER_S;
    tick_until(meter, 0);
}

/* As of a helper that dies, so that the next one finds what `world` has by then. */
static void start_anew(struct meter *meter)
{
    kill_helper(meter);
    meter->ahead_ns += HELPER_PAUSE_NS + NS_PER_S;
}

static void test_counters_are_known_by_their_names_when_they_are_back(void **state)
{
    struct meter *meter = *state;

    begin(meter);
    assert_int_equal(tick(meter, PATIENCE_NS), 0);
    world->backwards = 1;
    world->counters = 4; /* a new one, that nobody counts */
    start_anew(meter);
    tick_until(meter, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(reading(meter, i)->code, 0);
        assert_int_equal(reading(meter, i)->raw_uj, 1000 + i);
    }
}

static void test_counter_that_is_not_found_again_is_gone_and_others_go_on(void **state)
{
    struct meter *meter = *state;

    begin(meter);
    world->hidden = 0;
    start_anew(meter);
    tick_until(meter, -ENODEV);
    assert_int_equal(tick(meter, PATIENCE_NS), -ENODEV);
    assert_int_equal(reading(meter, 1)->raw_uj, 1001);
    assert_int_equal(reading(meter, 2)->raw_uj, 1002);
    world->hidden = -1; /* back, and looked for every five minutes */
    meter->ahead_ns += HELPER_PAUSE_MAX_NS - 10 * NS_PER_S;
    assert_int_equal(tick(meter, PATIENCE_NS), -ENODEV);
    meter->ahead_ns += 20 * NS_PER_S;
    let_die(meter, world->pid);
    assert_int_equal(reading(meter, 1)->code, -ECHILD);
    meter->ahead_ns += HELPER_PAUSE_NS + NS_PER_S;
    tick_until(meter, 0);
    assert_int_equal(reading(meter, 0)->raw_uj, 1000);
}

/* A driver that is not loaded yet, or no longer, when the helper is started anew. */
static void test_it_looks_again_while_nothing_is_found(void **state)
{
    struct meter *meter = *state;
    pid_t second;

    begin(meter);
    world->find_deed = FAIL;
    world->find_code = -ENODEV;
    start_anew(meter);
    tick_until(meter, -ENODEV);
    second = world->pid;
    let_die(meter, second);
    assert_int_equal(tick(meter, 0), -ENODEV);
    assert_int_equal(world->finds, 2);
    world->find_deed = WORK;
    meter->ahead_ns += 2 * HELPER_PAUSE_NS + NS_PER_S;
    tick_until(meter, 0);
    assert_int_equal(reading(meter, 2)->raw_uj, 1002);
    kill_helper(meter); /* and is told apart from one that died */
    assert_int_equal(tick(meter, 0), -ECHILD);
}

/* After a driver was loaded anew a name may mean another thing. */
static void test_another_thing_of_the_same_name_is_not_taken_up(void **state)
{
    static const struct {
        enum sensor_part part;
        int other_range, other_domain, code;
    } cases[] = {
        { PART_PACKAGE, 0, 0, 0 }, { PART_PACKAGE, 0, 1, -ENODEV }, { PART_DRAM, 0, 1, -ENODEV },
        { PART_GPU, 1, 0, -ENODEV },
        { PART_GPU, 0, 1, 0 }, /* its name is the device's own; only its place has changed */
    };
    struct meter *meter = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        world->part = (int)cases[i].part;
        world->range = world->first_domain = 0;
        meter->ahead_ns = 0;
        begin(meter);
        world->range = cases[i].other_range;
        world->first_domain = cases[i].other_domain;
        start_anew(meter);
        tick_until(meter, cases[i].code);
        meter->helper = helper_stop(meter->helper);
        sensors_clear(&meter->sensors);
    }
}

/* --- what a helper has and has not --- */

static void test_helper_holds_no_descriptors_of_the_meter(void **state)
{
    struct meter *meter = *state;
    int lock = open("/dev/null", O_RDONLY | O_CLOEXEC), pipe_fds[2];

    assert_int_equal(pipe(pipe_fds), 0);
    world->question = OPEN_FDS;
    begin(meter);
    assert_int_equal(tick(meter, PATIENCE_NS), 0);
    assert_int_equal(reading(meter, 0)->raw_uj, 5); /* 0, 1, 2, the socket, the root directory */
    assert_int_equal(tick(meter, PATIENCE_NS), 0);
    assert_int_equal(reading(meter, 2)->raw_uj, 5);
    close(lock);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void test_meter_keeps_no_descriptor_of_a_helper(void **state)
{
    struct meter *meter = *state;
    struct fd_count before = count_fds();

    begin(meter);
    assert_int_equal(count_fds().all, before.all + 1);
    assert_int_equal(count_fds().inherited, before.inherited);
    start_anew(meter);
    tick_until(meter, 0);
    assert_int_equal(count_fds().all, before.all + 1);
    meter->helper = helper_stop(meter->helper);
    assert_int_equal(count_fds().all, before.all);
}

static void test_helper_blocks_no_signals(void **state)
{
    struct meter *meter = *state;
    sigset_t set, old;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    world->question = SIGNAL_MASK;
    begin(meter);
    assert_int_equal(tick(meter, PATIENCE_NS), 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(reading(meter, 0)->raw_uj, 0);
}

/* systemd asks all of a service to end at once, and the meter reads once more before it does. */
static void test_helper_reads_on_when_asked_to_end(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
    struct meter *meter = *state;

    begin(meter);
    assert_int_equal(tick(meter, PATIENCE_NS), 0);
    for (size_t i = 0; i < COUNT(signals); i++) {
        kill(world->pid, signals[i]);
        assert_int_equal(tick(meter, PATIENCE_NS), 0);
    }
    assert_int_equal(world->finds, 1);
}

/* The parent is killed, with no chance to clean up, while its helper hangs. */
static void test_helper_dies_with_its_parent(void **state)
{
    struct meter *meter = *state;
    pid_t middle;
    int status;

    prctl(PR_SET_CHILD_SUBREAPER, 1); /* the orphan becomes ours, to see how it ends */
    world->find_deed = HANG;
    middle = fork();
    if (middle == 0) {
        struct error err;

        (void)!find(meter, PATIENCE_NS, &err);
        _exit(0);
    }
    wait_for(&world->finds, 1);
    kill(middle, SIGKILL);
    assert_int_equal(waitpid(middle, &status, 0), middle);
    assert_int_equal(waitpid(world->pid, &status, 0), world->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void test_stopping_does_not_wait_for_what_hangs(void **state)
{
    struct meter *meter = *state;
    uint64_t begin_ns;

    begin(meter);
    world->read_deed = HANG;
    assert_int_equal(tick(meter, 0), -ETIMEDOUT);
    begin_ns = clock_boottime_ns();
    meter->helper = helper_stop(meter->helper);
    assert_true(clock_boottime_ns() - begin_ns < 5 * NS_PER_S);
    assert_null(helper_stop(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_found_and_what_is_not_used_come_over),
        TEST(test_more_than_a_socket_holds_is_found),
        TEST(test_how_finding_can_fail),
        TEST(test_readings_have_the_time_at_which_they_were_taken),
        TEST(test_failed_reading_keeps_its_code),
        TEST(test_nobody_waits_for_what_hangs_beyond_the_deadline),
        TEST(test_late_answer_comes_later_with_its_own_time),
        TEST(test_one_that_hangs_is_killed_and_started_anew),
        TEST(test_one_that_dies_is_started_anew),
        TEST(test_one_that_hangs_when_started_anew_is_killed_too),
        TEST(test_pause_doubles_up_to_its_maximum_until_readings_come),
        TEST(test_counters_are_known_by_their_names_when_they_are_back),
        TEST(test_counter_that_is_not_found_again_is_gone_and_others_go_on),
        TEST(test_it_looks_again_while_nothing_is_found),
        TEST(test_another_thing_of_the_same_name_is_not_taken_up),
        TEST(test_helper_holds_no_descriptors_of_the_meter),
        TEST(test_meter_keeps_no_descriptor_of_a_helper),
        TEST(test_helper_blocks_no_signals),
        TEST(test_helper_reads_on_when_asked_to_end),
        TEST(test_helper_dies_with_its_parent),
        TEST(test_stopping_does_not_wait_for_what_hangs),
    };

    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return world == MAP_FAILED ? 99 : cmocka_run_group_tests(tests, NULL, NULL);
}

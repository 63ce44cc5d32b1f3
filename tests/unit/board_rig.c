#include "board_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"

#define NOBODY 65534

static uid_t self;

/* Shared with the processes that are forked from here. */
static _Atomic uint64_t *boottime(void)
{
    static _Atomic uint64_t *boottime_ns;

    if (!boottime_ns)
        boottime_ns = mmap(NULL, sizeof(*boottime_ns), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (boottime_ns == MAP_FAILED)
        abort();
    return boottime_ns;
}

/* In the place of libc's, for all that is linked into the test. Any other clock is the wall's. */
int clock_gettime(clockid_t id, struct timespec *ret_time)
{
    uint64_t boottime_ns = *boottime();

    if (id != CLOCK_BOOTTIME)
        return timespec_get(ret_time, TIME_UTC) == TIME_UTC ? 0 : -1;
    ret_time->tv_sec = (time_t)(boottime_ns / NS_PER_S);
    ret_time->tv_nsec = (long)(boottime_ns % NS_PER_S);
    return 0;
}

void board_rig_pass_ms(uint64_t span_ms)
{
    *boottime() += span_ms * 1000000;
}

void board_rig_machine(struct board_rig *rig, const struct machine *machine)
{
    struct error err = {""};

    topology_free(rig->topology);
    tree_remove(&rig->tree, "sys/devices/system");
    machine_write(&rig->tree, machine);
    rig->topology = NULL;
    if (topology_load(rig->tree.path, &rig->topology, &err) < 0)
        fail_msg("%s", err.text);
}

int board_rig_setup(void **state)
{
    static const struct machine two_sockets = {
        .packages = 2, .cores = 2, .threads = 1, .memory_mb = 4096};
    static struct board_rig rig;

    memset(&rig, 0, sizeof(rig));
    *boottime() = 3600 * NS_PER_S;
    rig.before = count_fds();
    tree_make(&rig.tree);
    board_rig_machine(&rig, &two_sockets);
    *state = &rig;
    return 0;
}

void board_rig_close(struct board_rig *rig)
{
    rig->sensors = sensors_close(rig->sensors);
}

int board_rig_teardown(void **state)
{
    struct board_rig *rig = *state;
    int inherited = count_fds().inherited;

    board_rig_close(rig);
    topology_free(rig->topology);
    tree_free(&rig->tree);
    return count_fds().all == rig->before.all && inherited == rig->before.inherited ? 0 : -1;
}

static struct sensor_options options_of(const struct board_rig *rig, const char *list)
{
    return (struct sensor_options){
        .root_fd = rig->tree.fd, .list = list, .topology = rig->topology};
}

void board_rig_open(struct board_rig *rig, const char *list)
{
    struct sensor_options options = options_of(rig, list);
    struct error err = {""};

    board_rig_close(rig);
    if (sensors_open(&options, &rig->sensors, &err) < 0)
        fail_msg("%s", err.text);
}

void board_rig_refuse(struct board_rig *rig, const char *list, int code, const char *text)
{
    struct sensor_options options = options_of(rig, list);
    struct sensors *sensors = NULL;
    struct error err = {""};

    assert_int_equal(sensors_open(&options, &sensors, &err), code);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err.text);
    assert_null(sensors);
}

int board_rig_read(struct board_rig *rig, size_t index, uint64_t *ret_raw_uj)
{
    struct sensor_slot *slot = &rig->sensors->slots[index];

    return slot->source->read(rig->sensors, slot, ret_raw_uj);
}

void board_rig_expect(struct board_rig *rig, size_t index, uint64_t raw_uj)
{
    uint64_t got_uj = 0;

    assert_int_equal(board_rig_read(rig, index, &got_uj), 0);
    assert_int_equal(got_uj, raw_uj);
}

void board_rig_expect_counter(struct board_rig *rig, size_t index, const char *source,
                              enum component component, unsigned domain)
{
    const struct sensor_counter *counter;

    assert_true(index < sensors_count(rig->sensors));
    counter = sensors_counter(rig->sensors, index);
    assert_string_equal(counter->source, source);
    assert_int_equal(counter->component, component);
    assert_int_equal(counter->domain, domain);
    assert_int_equal(counter->quality, QUALITY_MEASURED);
    assert_int_equal(counter->range_uj, 0);
    assert_true(counter->max_uw > 0);
}

void board_rig_expect_left_out(struct board_rig *rig, const char *source, const char *reason)
{
    const struct sensor_left_out *list;
    size_t count = sensors_left_out(rig->sensors, &list), i = 0;

    while (i < count && strcmp(list[i].source, source) != 0)
        i++;
    if (i == count)
        fail_msg("%s is not left out", source);
    if (!strstr(list[i].reason, reason))
        fail_msg("%s is left out because of \"%s\"", source, list[i].reason);
}

void board_rig_become_nobody(void)
{
    self = geteuid();
    if (self == 0)
        assert_int_equal(seteuid(NOBODY), 0);
}

void board_rig_become_self(void)
{
    assert_int_equal(seteuid(self), 0);
}

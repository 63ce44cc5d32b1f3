/*
 * sensors.h on any tree: the input is a capture, laid out in a directory in which every kind of
 * sensor looks that needs no library. A fixed topology of two packages goes with it: hwloc is not
 * what is tested here (fuzz_topology.c).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "fuzz.h"
#include "sensors/capture.h"
#include "sensors/sensors.h"
#include "tree.h"

#define PACKAGES 2
#define CPUS 8

static struct topology topology = {
    .n_packages = PACKAGES, .n_cores = 4, .n_cpus = CPUS,
    .core_package = (uint16_t[]){ 0, 0, 1, 1 },
    .package_os = (int32_t[]){ 0, 1 },
    .package_cpus = (uint32_t[]){ 4, 4 },
    .cpu_package = (int16_t[]){ 0, 0, 1, 1, 0, 0, 1, 1 },
    .cpu_limit = CPUS, .memory_mb = 1024,
};

/* In the place of libc's: to wait for a counter that no one moves shows nothing. */
int nanosleep(const struct timespec *span, struct timespec *ret_rest)
{
    (void)span;
    (void)ret_rest;
    return 0;
}

static void check_counters(const struct sensors *sensors)
{
    for (size_t i = 0; i < sensors_count(sensors); i++) {
        const struct sensor_counter *counter = sensors_counter(sensors, i);

        PROMISE(counter->source[0] != '\0' && counter->sensor && counter->max_uw > 0);
        PROMISE(counter->component < COMPONENT_COUNT && counter->quality < QUALITY_GAP);
        if (counter->component == COMPONENT_CPU || counter->component == COMPONENT_MEMORY)
            PROMISE(counter->domain < PACKAGES);
        for (size_t k = 0; k < i; k++)
            PROMISE(strcmp(sensors_counter(sensors, k)->source, counter->source) != 0);
    }
}

static void read_all(struct sensors *sensors)
{
    uint64_t busy_ns[PACKAGES] = { 77, 77 }, now_ns = clock_boottime_ns();

    if (sensors_read_busy(sensors, busy_ns) < 0)
        PROMISE(busy_ns[0] == 77 && busy_ns[1] == 77);
    sensors_ask(sensors, now_ns, false);
    sensors_take(sensors, now_ns, now_ns);
    for (size_t i = 0; i < sensors_count(sensors); i++)
        PROMISE(sensors_reading(sensors, i)->code <= 0);
}

static void look(const struct capture *capture)
{
    struct sensor_options options = { .list = "-nvml,-ipmi", .topology = &topology };
    struct sensors *sensors = NULL;
    struct error err = { "" };
    struct tree tree;
    int rc;

    tree_make(&tree);
    options.root_fd = tree.fd;
    rc = capture_unpack(capture, 0, tree.fd, &err);
    if (!fuzz_failed(rc, &err)) {
        rc = sensors_open(&options, &sensors, &err);
        fuzz_failed(rc, &err);
    }
    if (rc == 0) {
        check_counters(sensors);
        read_all(sensors);
        for (size_t i = 1; rc == 0 && i < capture->n_instants; i++) {
            rc = capture_unpack(capture, i, tree.fd, &err);
            read_all(sensors);
        }
    }
    sensors_close(sensors);
    tree_free(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { "" };
    struct capture capture;

    capture_init(&capture);
    if (capture_parse("capture", (const char *)data, size, &capture, &err) == 0)
        look(&capture);
    capture_clear(&capture);
    return 0;
}

/*
 * perf_kernel.h - a kernel whose perf events count what the test says
 *
 * In the place of libc's syscall() and fstatfs(), for all that is linked into the test.
 */
#ifndef CARBON_TESTS_PERF_KERNEL_H
#define CARBON_TESTS_PERF_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERF_KERNEL_EVENTS 16

/* One event that is open: what is written to `in` is read from the other end, once. */
struct perf_kernel_event {
    uint32_t type;
    uint64_t config;
    int cpu, in;
};

struct perf_kernel {
    bool sysfs;     /* every tree is the kernel's own */
    int open_errno; /* 0: events can be opened */
    struct perf_kernel_event events[PERF_KERNEL_EVENTS];
    size_t count;
};

extern struct perf_kernel perf_kernel;

/* What the event says at its next reading; its CPU is gone. */
void perf_kernel_set_count(size_t index, uint64_t count);
void perf_kernel_end_event(size_t index);
void perf_kernel_forget(void); /* all events, as of a test that ends */

#endif

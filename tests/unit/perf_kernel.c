#include "config.h"

#include "perf_kernel.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

struct perf_kernel perf_kernel;

static int open_fake(const struct perf_event_attr *attr, int pid, int cpu, int group,
                     unsigned long flags)
{
    int ends[2];

    assert_int_equal(pid, -1);
    assert_int_equal(group, -1);
    assert_int_equal(flags, PERF_FLAG_FD_CLOEXEC);
    assert_int_equal(attr->size, sizeof(*attr));
    assert_int_equal(attr->sample_period, 0);
    assert_true(perf_kernel.count < PERF_KERNEL_EVENTS);
    if (perf_kernel.open_errno) {
        errno = perf_kernel.open_errno;
        return -1;
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    perf_kernel.events[perf_kernel.count++] =
        (struct perf_kernel_event){attr->type, attr->config, cpu, ends[1]};
    return ends[0];
}

long syscall(long number, ...)
{
    const struct perf_event_attr *attr;
    int pid, cpu, group;
    va_list ap;

    if (number != SYS_perf_event_open) {
        errno = ENOSYS;
        return -1;
    }
    va_start(ap, number);
    attr = va_arg(ap, const struct perf_event_attr *);
    pid = va_arg(ap, int);
    cpu = va_arg(ap, int);
    group = va_arg(ap, int);
    number = open_fake(attr, pid, cpu, group, va_arg(ap, unsigned long));
    va_end(ap);
    return number;
}

int fstatfs(int fd, struct statfs *ret_fs)
{
    assert_true(fcntl(fd, F_GETFD) >= 0);
    memset(ret_fs, 0, sizeof(*ret_fs));
    ret_fs->f_type = perf_kernel.sysfs ? SYSFS_MAGIC : TMPFS_MAGIC;
    return 0;
}

void perf_kernel_set_count(size_t index, uint64_t count)
{
    assert_true(index < perf_kernel.count);
    assert_int_equal(write(perf_kernel.events[index].in, &count, sizeof(count)), sizeof(count));
}

void perf_kernel_end_event(size_t index)
{
    close(perf_kernel.events[index].in);
    perf_kernel.events[index].in = -1;
}

void perf_kernel_forget(void)
{
    for (size_t i = 0; i < perf_kernel.count; i++)
        if (perf_kernel.events[i].in >= 0)
            perf_kernel_end_event(i);
    perf_kernel.count = 0;
}

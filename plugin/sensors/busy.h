/*
 * busy.h - busy CPU time of each package since boot, from proc/stat
 *
 * Busy is user, nice, system, irq, softirq and steal (proc(5)); guest time is inside user and
 * nice. Steal is in it because a step's cgroup counts stolen time as run time too, unless the
 * kernel accounts paravirtual steal; on real hardware it is 0.
 *
 * CPUs that go offline vanish from proc/stat. What each CPU was last seen at is kept, so that a
 * package's sum never steps back while the process lives.
 */
#ifndef CARBON_SENSORS_BUSY_H
#define CARBON_SENSORS_BUSY_H

#include <stddef.h>
#include <stdint.h>

#include "sensors/topology.h"

struct busy;

/*
 * Open root_fd's proc/stat, kept open from then on. `topology` must outlive the reader. -ENOENT,
 * -EACCES, … when there is none.
 */
MUST_CHECK int busy_open(int root_fd, const struct topology *topology, struct busy **ret_busy);
struct busy *busy_close(struct busy *busy); /* takes NULL, returns NULL */

/*
 * Read now. ret_busy_ns has room for topology->n_packages. In steps of 1/USER_HZ (10 ms) for each
 * CPU. 0, or a negative errno (-EBADMSG: no CPU lines); ret_busy_ns is untouched then.
 */
MUST_CHECK int busy_read(struct busy *busy, uint64_t *ret_busy_ns);

#endif

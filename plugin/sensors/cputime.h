/*
 * cputime.h - the CPU time that a step has used so far on this node, cheap enough to read at every
 * tick
 *
 * The step's cgroup is the authority: it also has what orphans and daemons of the step used, to the
 * nanosecond (v1) or microsecond (v2), in one pread() of a file that stays open. Where Slurm runs
 * without cgroups, the processes below the step's slurmstepd are added up instead: in steps of
 * 10 ms, without what left the tree (a daemon that got init as its parent, a child that nobody
 * waited for), and from a walk through all of /proc that is shared by all such steps and done no
 * more often than costs 0.5 % of one CPU.
 *
 * /proc is always this machine's own: processes cannot be captured. One thread at a time.
 */
#ifndef CARBON_SENSORS_CPUTIME_H
#define CARBON_SENSORS_CPUTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

enum cputime_way { CPUTIME_CGROUP, CPUTIME_PROCESSES };

struct cputime_node; /* all steps of this node */
struct cputime;      /* one step */

/* cgroup_root: carbon.conf's CgroupRoot, copied. NULL without memory. */
struct cputime_node *cputime_node_new(const char *cgroup_root);
/* Its steps must have been closed. Takes NULL, returns NULL. */
struct cputime_node *cputime_node_free(struct cputime_node *node);

/*
 * Open a step from what its begin mark says:
 *
 *   cgroup   "cpuacct:/slurm_n1/uid_0/job_7/step_0", or "cpu,cpuacct:/…" (v1), "unified:/…" (v2),
 *            or "". Cut behind its step_* part, so that it means the whole step. A path without
 *            one is no step's (slurmd's own, say) and is not used.
 *   stepd_pid, stepd_start_ticks
 *            the slurmstepd and its start time (field 22 of /proc/PID/stat), by which a process
 *            that got the same number later is told apart. 0: not known.
 *
 * The cgroup is looked for in CgroupRoot/cpuacct, /cpu,cpuacct and /cpuacct,cpu, or for v2 in
 * CgroupRoot itself and CgroupRoot/unified. On v1 Slurm makes it a little after the begin mark: one
 * that is named and not there yet is looked for again by cputime_read(), for a minute; processes
 * are not walked through in the first seconds of it. -ESRCH when there is neither a cgroup nor that
 * process: the step is over. -EMFILE, -ENOMEM, -EINVAL (a cgroup text that is none).
 * A step holds up to two descriptors, both O_CLOEXEC.
 */
MUST_CHECK int cputime_open(struct cputime_node *node, const char *cgroup, uint32_t stepd_pid,
                            uint64_t stepd_start_ticks, struct cputime **ret_cputime,
                            struct error *err);
struct cputime *cputime_close(struct cputime *cputime); /* takes NULL, returns NULL */

/* How it is read now; CPUTIME_PROCESSES may become CPUTIME_CGROUP. */
enum cputime_way cputime_way(const struct cputime *cputime);

/*
 * CPU time used so far, in ns; never less than a reading before. 0; -EAGAIN when nothing newer is
 * known than was said last (CPUTIME_PROCESSES between two walks, or while waiting for a cgroup);
 * -ENODEV when the cgroup is gone (the last reading stays the best that is known); -EIO, -EBADMSG.
 */
MUST_CHECK int cputime_read(struct cputime *cputime, uint64_t *ret_cpu_ns);

/*
 * Whether the step's slurmstepd still lives. Where it is not known, whether the cgroup could be
 * read last. Needs no privilege, but a /proc that shows other users' processes.
 */
bool cputime_alive(struct cputime *cputime);

/*
 * A pidfd of the slurmstepd for poll(): readable once it has ended, so that a quiet tick need not
 * ask cputime_alive(). -1 where the kernel has none (before 5.3). Stays the step's.
 */
int cputime_pidfd(const struct cputime *cputime);

#endif

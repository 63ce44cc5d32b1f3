/*
 * step_cgroup.h - the cgroup in which a step's CPU time is counted
 *
 * Slurm's paths are never built from job ids: their form depends on version, node and settings.
 * They are taken from /proc/self/cgroup of slurmstepd, which is where Slurm put it.
 *
 *   v2: slurmstepd sits in …/step_0/slurm; the step is the directory above:
 *       unified:/system.slice/slurmstepd.scope/job_7/step_0
 *   v1: before the tasks start, slurmstepd is in the job's directory of the freezer hierarchy
 *       only (seen on 22.05). All controllers use the same paths, so the step's cpuacct directory
 *       is that path and the step's name; it comes into being a little after the mark:
 *       cpuacct:/slurm_n1/uid_0/job_7/step_0
 */
#ifndef CARBON_SPANK_STEP_CGROUP_H
#define CARBON_SPANK_STEP_CGROUP_H

#include <stdint.h>

#include "core/mark.h"

/*
 * From the text of /proc/self/cgroup (changed in place). -ENOENT when it holds no path of Slurm's
 * (no proctrack/cgroup), -ENAMETOOLONG when the path is too long for a mark.
 */
MUST_CHECK int step_cgroup_find(char *text, uint32_t step_id, char ret_cgroup[CGROUP_PATH_SIZE]);

/* step_cgroup_find() of this process. */
MUST_CHECK int step_cgroup_self(uint32_t step_id, char ret_cgroup[CGROUP_PATH_SIZE]);

/*
 * CPU time used in `cgroup` (as found above) so far, all its tasks and their orphans together, from
 * cpuacct.usage or cpu.stat below cgroup_root. -ENOENT when the cgroup is gone.
 */
MUST_CHECK int step_cgroup_cpu_ns(const char *cgroup_root, const char *cgroup,
                                  uint64_t *ret_cpu_ns);

#endif

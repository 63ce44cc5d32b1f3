/*
 * stepd.h - slurmstepd: a step's begin (init_post_opt), tasks' exits, and end (exit)
 *
 * One slurmstepd serves one step on one node. It is root in all three hooks, and what the step
 * is comes from Slurm's own items; the job's environment is not read, but for the step's GPUs,
 * which no item tells: that is a claim (the ledger holds it against the job's devices).
 */
#ifndef CARBON_SPANK_STEPD_H
#define CARBON_SPANK_STEPD_H

#include <sys/types.h>

#include <slurm/spank.h>

/* Leave the step-begin mark, and remember what the end needs. Only the first call counts. */
void stepd_begin(spank_t spank, int ac, char *const av[]);

/*
 * A task ended: keep the worst exit status, and the step's CPU time so far, because its cgroup is
 * gone by the time of stepd_end() (22.05, v1).
 */
void stepd_task_exit(spank_t spank);

/* Leave the step-end mark. Only the first call after a stepd_begin() counts. */
void stepd_end(void);

#endif

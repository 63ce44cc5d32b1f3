/*
 * job_script.h - the job script context: prolog and epilog, each a fresh process of slurmd, root
 *
 * slurmd builds these processes' environment from what slurmctld told it, so unlike a job's own
 * environment it can be trusted: job, user, the node's GPUs, and in the epilog the exit code.
 */
#ifndef CARBON_SPANK_JOB_SCRIPT_H
#define CARBON_SPANK_JOB_SCRIPT_H

#include "core/mark.h"

/* Leave the mark of this process's job; MARK_JOB_BEGIN or MARK_JOB_END. Once in a process. */
void job_script_mark(enum mark_edge which, int ac, char *const av[]);

/* Fill in from the environment what of the job it tells. -ENOENT without a job id. */
MUST_CHECK int job_script_read_environment(struct mark *mark);

#endif

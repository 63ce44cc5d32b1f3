/*
 * fake_slurm.h - a Slurm small enough for one test program: loads the real spank_carbon.so, answers
 * its questions, and calls its hooks in the order that slurmd and slurmstepd do
 */
#ifndef CARBON_TESTS_FAKE_SLURM_H
#define CARBON_TESTS_FAKE_SLURM_H

#include <stdbool.h>
#include <stdint.h>

#include <slurm/spank.h>

/* What the fake slurmstepd knows; NULL, 0 and NO_ANSWER stand for items that it refuses. */
struct fake_step {
    uint32_t job_id, step_id, uid, gid;
    uint32_t array_job_id, array_task_id;
    const char *job_cores, *step_cores;
    uint64_t memory_mb;
    const char *step_gpus_env, *job_gpus_env; /* the job's own environment */
    bool refuse_all;                          /* spank_get_item() and spank_getenv() fail */
};

extern enum spank_context fake_context;
extern struct fake_step fake_step;
extern int fake_task_status;
/* Lines written to the log since fake_load(), by slurm_error(), _info() and _debug(). */
extern unsigned fake_errors, fake_infos, fake_debugs;
extern char fake_last_line[1024];

/* Load the plugin afresh, with no state of an earlier test. Fails the test if it cannot. */
void fake_load(void);
void fake_unload(void);

/* Call the hook named slurm_spank_<hook> with these arguments, NULL-terminated; its return code. */
int fake_call(const char *hook, const char *const argv[]);

#endif

/*
 * fake_slurm.h - a Slurm small enough for one test program: loads the real spank_carbon.so, answers
 * its questions, and calls its hooks in the order that slurmd and slurmstepd do
 */
#ifndef CARBON_TESTS_FAKE_SLURM_H
#define CARBON_TESTS_FAKE_SLURM_H

#include <stdbool.h>
#include <stdint.h>

#include <slurm/spank.h>

#define FAKE_NO_TASK UINT32_C(0xfffffffe) /* slurm.h: NO_VAL */

/* What the fake slurmstepd knows. */
struct fake_step {
    uint32_t job_id, step_id, uid, gid;
    uint32_t array_job_id, array_task_id;
    const char *job_cores, *step_cores;
    uint64_t memory_mb;
    const char *const *environment;           /* the job's: "NAME=value", …, NULL */
    bool refuse_all;                          /* spank_get_item() and spank_getenv() fail */
};

extern enum spank_context fake_context;
extern struct fake_step fake_step;
extern int fake_task_status;
/* Lines written to the log since fake_load(), by slurm_error(), _info() and _debug(). */
extern unsigned fake_errors, fake_infos, fake_debugs;
extern char fake_last_line[1024];
/* Inside a hook. */
extern volatile bool fake_in_hook;
/* Asked at each call that a hook makes of Slurm whether that is to fail. NULL: no. */
extern bool (*fake_fails)(const char *callee);

/* Load the plugin afresh, with no state of an earlier test. Fails the test if it cannot. */
void fake_load(void);
void fake_unload(void);

/* Call the hook named slurm_spank_<hook> with these arguments, NULL-terminated; its return code. */
int fake_call(const char *hook, const char *const argv[]);

#endif

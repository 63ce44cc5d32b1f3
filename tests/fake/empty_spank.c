/*
 * empty_spank.c - a plugin with the hooks of spank_carbon.c that does nothing in them
 *
 * What a SPANK plugin costs before it does anything: Slurm loads it in srun and in every
 * slurmstepd, and starts one process for the prolog hook and one for the epilog hook.
 * scripts/bench-step measures ours against it, and refuses to when the hooks differ.
 */
#include <slurm/spank.h>

SPANK_PLUGIN(empty, 1)

#define EMPTY_HOOK(hook)                              \
    int hook(spank_t spank, int ac, char *argv[])     \
    {                                                 \
        (void)spank;                                  \
        (void)ac;                                     \
        (void)argv;                                   \
        return 0;                                     \
    }

EMPTY_HOOK(slurm_spank_init)
EMPTY_HOOK(slurm_spank_job_prolog)
EMPTY_HOOK(slurm_spank_job_epilog)
EMPTY_HOOK(slurm_spank_init_post_opt)
EMPTY_HOOK(slurm_spank_task_exit)
EMPTY_HOOK(slurm_spank_exit)

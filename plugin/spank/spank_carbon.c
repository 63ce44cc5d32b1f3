/*
 * spank_carbon.c - every hook that Slurm calls; each only asks where it runs and hands on
 *
 * Promises of the plugin, whatever happens:
 *   1. Every hook returns 0: a job never fails, waits or drains a node because of its books.
 *   2. In srun, sbatch and salloc, the user's own processes, nothing is done at all.
 *   3. No thread, no signal, no child; the environment, umask and working directory stay as they
 *      are; every descriptor is O_CLOEXEC and closed before the hook returns.
 *   4. Nothing is believed that the job's owner can set, but for the step's GPUs, which are a
 *      claim that the ledger holds against the job's own.
 *   5. Nothing waits: what is read is in /proc, /sys and one small file, what is written is in
 *      MarkDir, which is not so much as looked at unless it is on tmpfs (mark_dir.c). The file is
 *      carbon.conf, beside those that slurmstepd itself cannot start without.
 */
#include <stdint.h>
#include <sys/types.h>

#include <slurm/spank.h>

#include "core/built_for.h"
#include "spank/job_script.h"
#include "spank/settings.h"
#include "spank/stepd.h"

#define TEXT_OF_(number) #number
#define TEXT_OF(number) TEXT_OF_(number)

/* For `carbonctl doctor`, which cannot load us. */
static const char built_for[] __attribute__((used)) =
    SLURM_BUILT_FOR TEXT_OF(SLURM_VERSION_NUMBER);

#pragma GCC visibility push(default)

SPANK_PLUGIN(carbon, 1)

/* slurmd's start is the one place where an admin sees a complaint, once, and no user does. */
int slurm_spank_init(spank_t spank, int ac, char *av[])
{
    const char *unknown;

    (void)spank;
    if (spank_context() != S_CTX_SLURMD)
        return 0;
    unknown = settings_unknown_argument(ac, av);
    if (unknown)
        slurm_error("spank_carbon: \"%s\" in plugstack.conf is unknown and ignored; "
                    "the only argument is config=/path/to/carbon.conf", unknown);
    return 0;
}

int slurm_spank_job_prolog(spank_t spank, int ac, char *av[])
{
    (void)spank;
    if (spank_context() == S_CTX_JOB_SCRIPT)
        job_script_mark(MARK_JOB_BEGIN, ac, av);
    return 0;
}

int slurm_spank_job_epilog(spank_t spank, int ac, char *av[])
{
    (void)spank;
    if (spank_context() == S_CTX_JOB_SCRIPT)
        job_script_mark(MARK_JOB_END, ac, av);
    return 0;
}

int slurm_spank_init_post_opt(spank_t spank, int ac, char *av[])
{
    if (spank_context() == S_CTX_REMOTE)
        stepd_begin(spank, ac, av);
    return 0;
}

int slurm_spank_task_exit(spank_t spank, int ac, char *av[])
{
    (void)ac;
    (void)av;
    if (spank_context() == S_CTX_REMOTE)
        stepd_task_exit(spank);
    return 0;
}

int slurm_spank_exit(spank_t spank, int ac, char *av[])
{
    (void)spank;
    (void)ac;
    (void)av;
    if (spank_context() == S_CTX_REMOTE)
        stepd_end();
    return 0;
}

#pragma GCC visibility pop

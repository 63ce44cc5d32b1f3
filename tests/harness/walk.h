/*
 * walk.h - the processes of Slurm that load the plugin, and the hooks that each calls, in order
 *
 * Each walk is a process of its own, as in Slurm, with the plugin loaded afresh, and ends within
 * WALK_DEADLINE_MS. Around each hook the process is looked at, and must be left as it was:
 * descriptors, signals, environment, umask, cwd, limits, threads, children, output.
 *
 * Order: Slurm's spank(8), and what 22.05 and 24.11 do where it is silent: slurmstepd becomes the
 * user for user_init, forks the tasks, is root again for task_post_fork, and waits for a
 * task before its task_exit. SlurmdParameters=contain_spank (24.05) runs those three in a
 * child that has slurmstepd's memory, clone(CLONE_VM|SIGCHLD), but its own pid and descriptors.
 */
#ifndef CARBON_TESTS_WALK_H
#define CARBON_TESTS_WALK_H

#include <stdbool.h>

/* Generous: no walk takes a second. */
#define WALK_DEADLINE_MS 10000

enum walk {
    WALK_SLURMD,
    WALK_PROLOG,
    WALK_EPILOG,
    WALK_STEP,           /* as fake_step says: srun's, batch or interactive */
    WALK_CONTAINED_STEP, /* with contain_spank */
    WALK_EXTERN,         /* sets the step id itself */
    WALK_SRUN,
    WALK_SBATCH,         /* and salloc */
    WALK_COUNT,
};
extern const char *const walk_names[WALK_COUNT];

struct walk_report {
    int status;          /* as waitpid() gives it */
    char wrong[512];     /* the first promise that was broken, and by which hook; "" */
    char hook[32];       /* the last one called */
    unsigned hooks;      /* called */
    unsigned lines;      /* written to Slurm's log */
    char last_line[1024];
};

/* Walk once, in a child; `before`, if any, is called there first, outside of all hooks. */
struct walk_report walk(enum walk walk, void (*before)(void));

/* The same, and the test fails when the process did not end well, or a promise was broken. */
struct walk_report walk_well(enum walk walk);

#endif

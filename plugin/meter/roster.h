/*
 * roster.h - who is on the node: marks become the ledger's job and step events
 *
 * The roster keeps the open jobs and steps, gives each allocation its reference, follows the CPU
 * time of live steps, and notices those whose end nobody will report. Invariants at the top of
 * roster.c.
 */
#ifndef CARBON_METER_ROSTER_H
#define CARBON_METER_ROSTER_H

#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/mark.h"
#include "ledger/ledger.h"
#include "meter/marks.h"
#include "sensors/cputime.h"

/* A step is looked for this often; it is given up when it was gone twice in a row. */
#define ROSTER_ALIVE_NS (5 * NS_PER_S)
/* A job that no prolog announced is over when it had no step for so long. */
#define ROSTER_IMPLICIT_NS (60 * NS_PER_S)
/* A job's repeated begin within this is the same begin told twice. */
#define ROSTER_REPEAT_NS (60 * NS_PER_S)

struct roster;

struct roster_counts {
    uint64_t repeated; /* marks that told what was known already */
    uint64_t stray;    /* step marks of a job that had ended, ends of jobs never seen */
    uint64_t lost;     /* steps and jobs ended without an end mark */
};

/* A roster that feeds `ledger` and reads steps by `cputime`; neither is owned. NULL without
   memory. */
struct roster *roster_new(struct ledger *ledger, struct cputime_node *cputime);
struct roster *roster_free(struct roster *roster); /* takes NULL, returns NULL */

/* On start: take up the jobs and steps that were open in `checkpoint`. -ENOMEM. */
MUST_CHECK int roster_resume(struct roster *roster, const struct batch *checkpoint);

/*
 * Feed one mark to the ledger. *cpu, the step's CPU time if it could be opened, is taken (and set
 * to NULL) by a step-begin. -ENOMEM: nothing is lost when the same mark is fed again.
 */
MUST_CHECK int roster_apply(struct roster *roster, const struct mark *mark, struct cputime **cpu);

/*
 * What an end mark that is not to be applied yet tells of an open step: the CPU time that it came
 * to. Of any other mark: nothing. -ENOMEM.
 */
MUST_CHECK int roster_foresee(struct roster *roster, const struct mark *mark);

/* Read the CPU times of the live steps into the ledger; of idle ones not each time. -ENOMEM. */
MUST_CHECK int roster_read_cpu(struct roster *roster, uint64_t now);

/*
 * Notice steps whose slurmstepd is gone without an end mark, and jobs of whom no prolog told and
 * which have no steps any more. Does its work once in ROSTER_ALIVE_NS; call it at any tick at which
 * every mark of the directory is at least held: one whose end is told there is left to it. -ENOMEM.
 */
MUST_CHECK int roster_check_alive(struct roster *roster, const struct marks *marks, uint64_t now,
                                  int64_t wall_ns);

size_t roster_jobs(const struct roster *roster);  /* open */
size_t roster_steps(const struct roster *roster); /* open */
uint64_t roster_next_ref(const struct roster *roster);
const struct roster_counts *roster_count(const struct roster *roster);

#endif

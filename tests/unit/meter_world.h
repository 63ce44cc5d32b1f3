/*
 * meter_world.h - a small node for the meter's tests: two packages with DRAM, two cores each, a
 * clock that moves only when told to, marks, and the books that come out
 */
#ifndef CARBON_TESTS_METER_WORLD_H
#define CARBON_TESTS_METER_WORLD_H

#include <stdint.h>

#include "core/conf.h"
#include "meter/meter.h"
#include "sensors/sensors.h"
#include "tree.h"

#define WORLD_NODE "n1"
#define WORLD_BOOT "11111111-2222-3333-4444-555555555555"
#define WORLD_BOOT_2 "99999999-2222-3333-4444-555555555555"
#define WORLD_COUNTERS 4
#define SECOND NS_PER_S
/* Of every counter, when not told otherwise. */
#define WORLD_UW UINT64_C(100000000)

struct world {
    struct tree tree; /* sys/ proc/ marks/ spool/ deliver/ */
    const char *boot_id;
    struct conf conf;
    struct topology topology;
    struct sensors *sensors;
    struct meter *meter;
    uint64_t now;      /* CLOCK_BOOTTIME, ns */
    int64_t wall_ns;
    uint64_t raw_uj;   /* of every counter */
};

void world_make(struct world *w);
void world_free(struct world *w);

/* Time passes, and every counter counts WORLD_UW of it. */
void world_pass(struct world *w, uint64_t ns);
/* Pass a second, then a regular tick; `times` times. With no mark about, the window is closed at
   every fourth, up to the one before: so within 9 ticks something is. */
void world_ticks(struct world *w, unsigned times);

/* A meter starts on the node's directories; it dies without a word. */
void world_start(struct world *w);
void world_kill(struct world *w);
/* It ends as on SIGTERM. */
void world_stop(struct world *w);
void world_seal(struct world *w);

/* A mark of this instant with what every mark has; leave it, with readings of this instant. */
struct mark world_mark(const struct world *w, enum mark_edge edge, uint32_t job_id,
                       uint32_t step_id);
void world_leave(struct world *w, const struct mark *mark);
/* Both, for a job on both cores of package 0. */
void world_edge(struct world *w, enum mark_edge edge, uint32_t job_id, uint32_t step_id);

/* Files in a directory of the tree whose names end in `suffix`. */
unsigned world_files(const struct world *w, const char *dir, const char *suffix);
/* dir := a copy of from, as it is now */
void world_copy_dir(struct world *w, const char *from, const char *to);

/* What all batches of the spool say together. */
struct world_books {
    unsigned batches, streams;
    uint64_t cpu_uj, memory_uj;      /* sum over all */
    uint64_t job_uj;                 /* cpu, of rows that name a job */
    uint64_t gpu_uj, job_gpu_uj;     /* the same of GPUs */
    uint64_t job_gpu_idle_uj;        /* … its idle part */
    unsigned gpu_not_modelled;       /* rows of GPUs that are not marked as modelled */
    uint64_t step_uj[4];             /* cpu, of rows that name a step of this id */
    struct batch_job jobs[16];       /* the last record of each */
    struct batch_step steps[32];
    size_t n_jobs, n_steps;
    struct batch_head last;
};

/* Read every batch of dir/, check each and the chain, and add them up. Fails the test by itself. */
void world_books(const struct world *w, const char *dir, struct world_books *ret_books);
const struct batch_job *books_job(const struct world_books *books, uint32_t job_id);
/* The step of that job, or NULL. */
const struct batch_step *books_step(const struct world_books *books, uint32_t job_id,
                                    uint32_t step_id);

#endif

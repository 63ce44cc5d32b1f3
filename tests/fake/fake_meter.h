/*
 * fake_meter.h - a meter that makes batches without a node: for tests of what comes after it
 *
 * A fake meter is one stream. A batch is begun, gets jobs, steps and energy rows, and is sealed:
 * totals, components and counters are then made from the rows, so that it satisfies B1 to B4.
 */
#ifndef CARBON_TESTS_FAKE_METER_H
#define CARBON_TESTS_FAKE_METER_H

#include "core/batch.h"

#define FAKE_BEGIN_S INT64_C(1790000000) /* when a fake meter starts: 2026-09-21T14:13:20Z */

struct fake_meter {
    char cluster[CLUSTER_NAME_SIZE]; /* "c", unless the caller changes it */
    char node[NODE_NAME_SIZE], boot_id[BOOT_ID_SIZE];
    uint64_t stream, seq; /* of the next batch */
    int64_t wall_s;       /* the next batch begins here */
    uint64_t counted_uj[COMPONENT_COUNT];
};

void fake_meter_init(struct fake_meter *meter, const char *node, uint64_t stream, int64_t wall_s);

/* An empty batch of `seconds`, from where the last one ended. End it with batch_clear(). */
void fake_meter_begin(const struct fake_meter *meter, int64_t seconds, struct batch *ret_batch);

/* A job that began at begin_s; the caller may fill in more, until the next push. */
struct batch_job *fake_meter_job(struct batch *batch, uint64_t ref, uint32_t job_id,
                                 int64_t begin_s);
void fake_meter_end_job(struct batch_job *job, int64_t end_s);
struct batch_step *fake_meter_step(struct batch *batch, uint64_t ref, uint32_t step_id,
                                   int64_t begin_s);

/* A row of the batch's first hour; ref and step_id count where the owner has them. */
struct batch_energy *fake_meter_energy(struct batch *batch, enum owner owner, uint64_t ref,
                                       uint32_t step_id, enum component component,
                                       uint64_t active_uj, uint64_t idle_uj);

/* Make it balance, and go on to the next. A batch that is begun and never sealed leaves a hole. */
void fake_meter_seal(struct fake_meter *meter, struct batch *batch);

/* Write it into a directory under its own name, as delivery does; `room` gets the name. */
void fake_meter_deliver(const struct batch *batch, const char *dir, char room[BATCH_NAME_SIZE]);

/* The whole text of the file; free() it. */
char *fake_meter_text(const struct batch *batch, size_t *ret_len);

/* A sealed batch with random jobs, steps, rows and hours; state carries the generator. */
void fake_meter_random(struct fake_meter *meter, uint64_t *state, struct batch *ret_batch);

/* The next number of a generator (splitmix64 by Steele, Lea and Flood, 2014), below `bound`. */
uint64_t fake_random(uint64_t *state, uint64_t bound);

#endif

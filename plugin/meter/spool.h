/*
 * spool.h - sealed batches on the node's own disk
 *
 * The directory holds the batches that are not delivered yet and always the newest one, which is
 * the meter's checkpoint. Invariants and the sealing protocol at the top of spool.c.
 */
#ifndef CARBON_METER_SPOOL_H
#define CARBON_METER_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"

struct spool;

/* Open the directory and list what is there. max_bytes bounds the undelivered batches. */
MUST_CHECK int spool_open(const char *dir, const char *node, uint64_t max_bytes,
                          struct spool **ret_spool, struct error *err);
struct spool *spool_close(struct spool *spool); /* takes NULL, returns NULL */

/*
 * The checkpoint to resume from, after spool_close_old_streams(): the newest batch of boot boot_id
 * that can be read. Files that cannot be read are renamed to NAME.bad, logged, and the one before
 * serves. Returns 0 and the batch (the caller ends it with batch_clear()), or -ENOENT when there
 * is none.
 */
MUST_CHECK int spool_checkpoint(struct spool *spool, const char *boot_id, struct batch *ret_batch,
                                struct error *err);

/*
 * The batch with learned floors that ended last, of whatever boot: what a new stream may begin to
 * learn from. 0 and the batch (the caller ends it with batch_clear()), or -ENOENT; -ENOMEM.
 */
MUST_CHECK int spool_last_floors(struct spool *spool, struct batch *ret_batch);

/*
 * After a reboot: end in its books whatever an earlier boot left open, by one last batch for each
 * stream that needs it. *ret_closed counts them.
 */
MUST_CHECK int spool_close_old_streams(struct spool *spool, const char *boot_id,
                                       unsigned *ret_closed, struct error *err);

/* The last batch of *open's stream: all its jobs and steps end where it ended, and no energy. */
MUST_CHECK int spool_closing_batch(const struct batch *open, struct batch *ret_closing);

/* Write a sealed batch durably; it is the checkpoint from then on. On failure nothing has changed,
   and the same batch may be written again. */
MUST_CHECK int spool_write(struct spool *spool, const struct batch *batch, struct error *err);

/* Keep a batch that failed its own check, as NAME.bad, for whoever mends the program. */
void spool_keep_bad(struct spool *spool, const struct batch *batch);

/* Drop the oldest beyond max_bytes, but never the newest; returns how many. */
unsigned spool_drop(struct spool *spool);

/*
 * Delivery (deliver.h): the names of up to `max` batches that are undelivered, oldest first; then
 * how many of them, from the first on, have arrived.
 */
size_t spool_undelivered(const struct spool *spool, char (*ret_names)[BATCH_NAME_SIZE], size_t max);
void spool_delivered(struct spool *spool, char (*names)[BATCH_NAME_SIZE], size_t count);

/* Whether it is the newest batch, the checkpoint. */
bool spool_is_newest(const struct spool *spool, const char *name);

size_t spool_waiting(const struct spool *spool, uint64_t *ret_bytes); /* undelivered */
int spool_fd(const struct spool *spool);                              /* the directory */

#endif

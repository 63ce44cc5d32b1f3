/*
 * intake.h - a node's batch into DeliverDir: whole, on the disk, or not at all
 *
 * What is in a batch is not looked at: ingest does that, and sets aside with a reason what is none.
 * One that was refused here would bar the spool of its node for ever.
 */
#ifndef CARBON_CARBOND_INTAKE_H
#define CARBON_CARBOND_INTAKE_H

#include <stddef.h>

#include "core/batch.h"
#include "core/error.h"

struct intake {
    int dir_fd, fd; /* -1: none */
    char name[BATCH_NAME_SIZE];
    char temporary[64];
    size_t size;
};

/* What a carbond that was killed has left in DeliverDir; to be called once, at the start. */
void intake_clean(const char *dir);

/* -EINVAL: no batch's name. -ENOSPC … To be ended by intake_end() or intake_drop(). */
MUST_CHECK int intake_begin(const char *dir, const char *name, size_t len, struct intake *ret,
                            struct error *err);
/* -EFBIG beyond BATCH_SIZE_MAX. */
MUST_CHECK int intake_add(struct intake *intake, const char *bytes, size_t len, struct error *err);
/* 0: it is under its name, and will be after a loss of power. One of that name is replaced. */
MUST_CHECK int intake_end(struct intake *intake, struct error *err);
void intake_drop(struct intake *intake); /* does nothing after intake_end() */

#endif

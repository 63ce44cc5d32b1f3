/*
 * dbd.h - asking slurmdbd, by one call of sacct, and reading what sacct prints
 */
#ifndef CARBON_CLI_DBD_H
#define CARBON_CLI_DBD_H

#include <stdio.h>

#include "store/reconcile.h"

/*
 * What `sacct -P` printed into the file `path`; or, where that is NULL, run `sacct` for every run
 * of every job of all clusters that was there between from_s and to_s, into a temporary file that
 * is rewound. Its own errors go to the error output. -EIO when it fails, -ETIMEDOUT after ten
 * minutes, -ENOENT when there is no sacct, or the errno of opening; the caller closes *ret_file.
 */
MUST_CHECK int dbd_open(const char *path, int64_t from_s, int64_t to_s, FILE **ret_file,
                        struct error *err);

/*
 * Read what `sacct -P` prints: a head line of field names, then a line for each run. The byte
 * behind the first name is what separates fields. JobIDRaw, Cluster, Start, End and State must be
 * there; Submit, JobID (for arrays and heterogeneous jobs), User, UID, Account, QOS, Partition,
 * AllocTRES, NodeList, ConsumedEnergyRaw, NNodes and JobName may; others are passed over, and so
 * are lines of steps. Times are seconds since 1970, or as sacct writes them, in this zone. `name`
 * is for messages: -EINVAL "NAME:LINE: …", of take()'s too. take() may end it by a negative errno,
 * which is returned.
 */
MUST_CHECK int dbd_read(FILE *file, const char *name,
                        int (*take)(void *arg, const struct dbd_job *job), void *arg,
                        struct error *err);

#endif

/*
 * roles.h - what each user may see under Visibility of carbon.conf, by slurmdbd
 *
 *   own      his own jobs, and all jobs of the accounts that he coordinates
 *   account  those, and all jobs of the accounts that he is a user of
 *   all      everything
 *
 * Root, the user that this process runs as, and operators and administrators of slurmdbd see
 * everything under each. Who coordinates an account coordinates those below it: sacctmgr lists them
 * with it. Accounts are slurmdbd's, so of all clusters.
 */
#ifndef CARBON_CLI_ROLES_H
#define CARBON_CLI_ROLES_H

#include <sys/types.h>

#include "core/conf.h"
#include "core/error.h"

struct roles; /* may be used by any number of threads at once */

struct roles *roles_new(void); /* NULL without memory */
void roles_free(struct roles *roles);

/*
 * The viewer (store/viewer.h) that uid is, as text to be freed: what a tool is to be given as
 * SLURM_CARBON_VIEWER. Nothing is asked where all is visible anyway. Else sacctmgr of PATH is, by
 * one thread at a time, and its answer about everybody serves for five minutes, or for an hour
 * where no new one can be had. Only who has no answer at all waits for it. Without one, users see
 * their own jobs alone; that, and when it ends, is said on the error output. -ENOMEM, -E2BIG for a
 * user of so many accounts that no environment holds them.
 */
MUST_CHECK int roles_viewer(struct roles *roles, const struct conf *conf, uid_t uid, gid_t gid,
                            char **ret_text, struct error *err);

#endif

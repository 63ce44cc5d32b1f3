/*
 * viewer.h - who looks, and which jobs are for him to see
 *
 * Whoever lets others ask (carbond) starts a tool with the viewer as text in its environment. A
 * viewer can only restrict: a tool without one shows what the database's file shows.
 *
 *     all                                  everything, as without a viewer
 *     all;uid=1000;user=alice              the same, asked by alice
 *     uid=1000;user=alice;account=a,b      her jobs, and all jobs of the accounts a and b
 *
 * Bytes other than letters, digits and "._@-+" are written %XX, so that a name can hold anything.
 * Each field comes once; without "all" there is a uid.
 */
#ifndef CARBON_STORE_VIEWER_H
#define CARBON_STORE_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/hostlist.h"

#define VIEWER_ENVIRONMENT "SLURM_CARBON_VIEWER"

struct viewer {
    bool all;
    bool has_uid;
    uint32_t uid;
    char *user;               /* NULL: uid has no name */
    struct hostlist accounts; /* whose jobs are his to see, by rising bytes, each once */
};

/* -EINVAL with what is wrong with the text, -ENOMEM; *ret then sees nothing, and needs no clear. */
MUST_CHECK int viewer_parse(const char *text, struct viewer *ret, struct error *err);
void viewer_write(const struct viewer *viewer, struct buf *buf);
void viewer_clear(struct viewer *viewer);

/* Of the environment; none is a viewer of everything. Errors as of viewer_parse(). */
MUST_CHECK int viewer_of_environment(struct viewer *ret, struct error *err);

/*
 * Is the job his to see? He is its owner (by its uid; by its name where the uid is not known), or
 * it is of one of his accounts. A job without a known owner is for those alone who see all. A NULL
 * viewer sees all; a NULL user or account is not known.
 */
bool viewer_sees(const struct viewer *viewer, bool has_uid, int64_t uid, const char *user,
                 const char *account);
/* Are sums of all jobs of this account his to see? */
bool viewer_sees_account(const struct viewer *viewer, const char *account);

#endif

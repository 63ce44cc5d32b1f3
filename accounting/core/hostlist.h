/*
 * hostlist.h - names of nodes as Slurm writes them: "n[1-4,7],login"
 */
#ifndef CARBON_CORE_HOSTLIST_H
#define CARBON_CORE_HOSTLIST_H

#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

#define HOSTLIST_MAX 65536 /* names; a longer list is refused */

/* Names, malloc'ed, in the order in which they were written. A zeroed struct is an empty list. */
struct hostlist {
    char **names;
    size_t count;
};

/*
 * Append the names that `text` stands for to *list. Brackets hold numbers and ranges ("[08-11,20]"
 * keeps the zeros in front); a name may have several ("rack[1-2]n[1-4]"). -EINVAL with what is
 * wrong, -E2BIG, -ENOMEM: names already appended stay, and hostlist_clear() frees them.
 */
MUST_CHECK int hostlist_expand(const char *text, struct hostlist *list, struct error *err);

void hostlist_clear(struct hostlist *list);

/*
 * Append the shortest common text to buf: names that differ only in the number at their end are
 * folded ("n1", "n2", "n4" give "n[1-2,4]"). Sorts `names` in place, numbers by value.
 */
void hostlist_fold(const char **names, size_t count, struct buf *buf);

#endif

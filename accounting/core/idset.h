/*
 * idset.h - a set of small ids (cores, GPUs of one node), written as Slurm does: "0-3,8"
 *
 * A plain value of fixed size: copy it, compare it with idset_equal(), no destructor. Libc only
 * (the plugin uses it too).
 */
#ifndef CARBON_CORE_IDSET_H
#define CARBON_CORE_IDSET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/* More cores or devices than any node of today has; Slurm's own limit on CPUs is far above. */
#define IDSET_SIZE 2048
/*
 * Room for the text of any set. The longest has two of every three ids ("1000-1001,1003-1004"):
 * ten bytes a pair; every second one ("1000,1002") needs only five for two ids.
 */
#define IDSET_TEXT_SIZE ((IDSET_SIZE / 3 + 1) * 10 + 1)

struct idset {
    uint64_t bits[IDSET_SIZE / 64];
};

void idset_clear(struct idset *set);
/* id >= IDSET_SIZE is ignored by _add and absent for _has. */
void idset_add(struct idset *set, unsigned id);
bool idset_has(const struct idset *set, unsigned id);
unsigned idset_count(const struct idset *set);
bool idset_is_empty(const struct idset *set);
bool idset_equal(const struct idset *a, const struct idset *b);
/* The lowest id that is >= from, or -1:
   for (id = idset_next(s, 0); id >= 0; id = idset_next(s, id + 1)) */
int idset_next(const struct idset *set, unsigned from);
/* set := set and other */
void idset_intersect(struct idset *set, const struct idset *other);
bool idset_is_subset(const struct idset *set, const struct idset *of);

/* "" is the empty set. -EINVAL for other text, -ERANGE for an id >= IDSET_SIZE; *ret_set is
   untouched then. */
MUST_CHECK int idset_parse(const char *text, struct idset *ret_set);
/* Returns the length as snprintf() does; cut text when size is too small. */
int idset_format(const struct idset *set, char *text, size_t size);

#endif

/*
 * nearest.h - what somebody may have meant who wrote a name that is not there
 */
#ifndef CARBON_CORE_NEAREST_H
#define CARBON_CORE_NEAREST_H

/*
 * Edits (insert, delete, replace one letter; Levenshtein 1966) that turn a into b, without case.
 * Of b the first 127 bytes count.
 */
unsigned edit_distance(const char *a, const char *b);

#endif

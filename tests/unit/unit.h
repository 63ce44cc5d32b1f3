/*
 * unit.h - what every unit test includes: cmocka with the headers that it wants before it
 */
#ifndef CARBON_TESTS_UNIT_H
#define CARBON_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* A table's row that does not hold says which one it was. */
#define ROW_HOLDS(row, condition)                                  \
    do {                                                           \
        if (!(condition))                                          \
            fail_msg("row %zu: %s", (size_t)(row), #condition);    \
    } while (0)

#endif

/*
 * rules.h - which of all the counters on a node count, so that no joule counts twice
 *
 * One table, in rules.c, read from top to bottom: for every thing that a kind of sensor can measure
 * it says what it counts as, or why it never counts. Of several counters of one component of one
 * package, device or node the one whose row comes first counts (with a list in carbon.conf's
 * Sensors: the one whose sensor comes first there), and the others are left out.
 */
#ifndef CARBON_SENSORS_RULES_H
#define CARBON_SENSORS_RULES_H

#include <stddef.h>

/* What a counter measures. Its domain is a package, a device or, of NODE and PLATFORM, nothing. */
enum sensor_part {
    PART_PACKAGE,  /* a processor package */
    PART_DRAM,     /* the memory of a package */
    PART_GPU,      /* a GPU with its memory, or what can be told of a part of one */
    PART_MODULE,   /* a GPU and the package it shares a module with (GH200, MI300A) */
    PART_NODE,     /* all of the node, at the inlet of its power supply or board */
    PART_CORES,    /* inside a package */
    PART_GRAPHICS, /* inside a package */
    PART_IO,       /* inside a package or module, or what a card has around its GPU */
    PART_PLATFORM, /* packages and part of what is around them */
    PART_COUNT,
};

#define RULE_NEVER (-1)

struct sensor_rule {
    const char *sensor; /* "powercap" */
    enum sensor_part part;
    int counts_as;      /* enum component, or RULE_NEVER */
    const char *why;    /* what RULE_NEVER tells; else NULL */
};

/* The row for what a sensor offers; NULL when there is none, which is a mistake of the sensor's. */
const struct sensor_rule *rules_find(const char *sensor, enum sensor_part part);

/* Row by row, for tests and documents; NULL behind the last. */
const struct sensor_rule *rules_row(size_t index);

#endif

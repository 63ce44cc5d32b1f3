/*
 * sensors_show.h - `carbonctl sensors` on the output: as tables for people, or as JSON
 */
#ifndef CARBON_CLI_SENSORS_SHOW_H
#define CARBON_CLI_SENSORS_SHOW_H

#include <stdbool.h>

#include "cli/sensors_watch.h"

enum meter_life {
    METER_NOT_ASKED,  /* what is looked at is not this node */
    METER_RUNS,
    METER_STOPPED,    /* its last status is there */
    METER_ABSENT,     /* no status */
    METER_UNREADABLE, /* it is not told to this user */
};

struct sensors_shown {
    const char *node;      /* its name; of a tree or a capture its path */
    const char *root;      /* what was looked at */
    const char *spool_dir;
    bool is_capture;       /* of one, there are no periods and costs */
    bool is_captured_once; /* … nor powers */
    uint64_t span_ns;      /* that the powers are the mean of */
    struct sensors *sensors;
    const struct watched *watched; /* [sensors_count()] */
    enum meter_life life;
    const char *status;    /* the meter's, or "" */
};

/* 0, or -ENOMEM with err set. */
MUST_CHECK int sensors_show_tables(const struct sensors_shown *shown, struct error *err);
MUST_CHECK int sensors_show_json(const struct sensors_shown *shown, struct error *err);

/* Whether something was left out, or fails, that root could read. */
bool sensors_need_root(const struct sensors_shown *shown);

#endif

/*
 * board_rig.h - a node below a temporary root whose board has sensors; its clock is the test's
 *
 * For sources that read files: the test writes the files, opens the sensors, lets time pass and
 * reads. Any failure to set it up fails the test.
 */
#ifndef CARBON_TESTS_BOARD_RIG_H
#define CARBON_TESTS_BOARD_RIG_H

#include <stdint.h>

#include "machine.h"
#include "sensors/source.h"
#include "tree.h"

struct board_rig {
    struct tree tree;
    struct topology *topology;
    struct sensors *sensors; /* once open */
    struct fd_count before;  /* descriptors when it was made */
};

/* Two packages with two CPUs each, ids 0 and 1, unless board_rig_machine() says otherwise. */
int board_rig_setup(void **state);
/* Closes, and fails when a descriptor is left open or could be inherited. */
int board_rig_teardown(void **state);
void board_rig_machine(struct board_rig *rig, const struct machine *machine);

/* CLOCK_BOOTTIME of this program stands still and is moved by the test; it begins at an hour. */
void board_rig_pass_ms(uint64_t span_ms);

void board_rig_open(struct board_rig *rig, const char *list);
/* sensors_open() must fail with this code and a text that has this in it. */
void board_rig_refuse(struct board_rig *rig, const char *list, int code, const char *text);
void board_rig_close(struct board_rig *rig);

/* A counter as its source reads it now: 0 or its code, *ret_raw_uj then untouched. */
int board_rig_read(struct board_rig *rig, size_t index, uint64_t *ret_raw_uj);
/* It reads, and is this. */
void board_rig_expect(struct board_rig *rig, size_t index, uint64_t raw_uj);
/* The counter at this index is this one, measured. */
void board_rig_expect_counter(struct board_rig *rig, size_t index, const char *source,
                              enum component component, unsigned domain);
/* It is left out, for a reason that has this in it. */
void board_rig_expect_left_out(struct board_rig *rig, const char *source, const char *reason);

/* Whoever runs the test is somebody to whom mode 0 is an obstacle, or is himself again. */
void board_rig_become_nobody(void);
void board_rig_become_self(void);

#endif

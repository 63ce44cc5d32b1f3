/*
 * metrics.h - the bytes of an AMD GPU's gpu_metrics as a kernel would write them, for tests
 */
#ifndef CARBON_TESTS_METRICS_H
#define CARBON_TESTS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#define METRICS_ROOM 8192

struct metrics_values {
    uint64_t energy_units; /* of 2^-16 J; all ones: not known, as for the others */
    uint16_t power_w, partitions;
};

/* The layouts of v1.0 to v1.8, in order; v1.6 thrice. */
size_t metrics_count(void);
unsigned metrics_content(size_t layout);
size_t metrics_size(size_t layout);
/* Whether it has partitions; its energy has 32 bits; the kernel states the unit. */
int metrics_has_partitions(size_t layout);
int metrics_is_narrow(size_t layout);
int metrics_states_unit(size_t layout);

/* All ones but for the header and these. Returns the size. */
size_t metrics_make(uint8_t room[METRICS_ROOM], size_t layout, const struct metrics_values *values);

/* The last layout of v1.<content>. */
size_t metrics_find(unsigned content);

/* v1.9: begin, add attributes, end; each returns the size so far. */
size_t metrics_list_begin(uint8_t room[METRICS_ROOM], uint32_t count);
size_t metrics_list_add(uint8_t room[METRICS_ROOM], size_t size, unsigned unit, unsigned type,
                        unsigned id, unsigned count, uint64_t value);
size_t metrics_list_end(uint8_t room[METRICS_ROOM], size_t size);
/* One as an MI300X writes it, these values among others. */
size_t metrics_list_make(uint8_t room[METRICS_ROOM], const struct metrics_values *values);

/* Another format, all ones behind the header. */
size_t metrics_make_other(uint8_t room[METRICS_ROOM], unsigned format, unsigned content,
                          size_t size);

#endif

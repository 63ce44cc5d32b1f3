/*
 * powercap.h - Intel and AMD RAPL counters in /sys/class/powercap
 *
 * Source: kernel Documentation/power/powercap/powercap.rst. Shared by the meter and the plugin:
 * libc only, no hwloc, no state.
 *
 * What counts. Energy is counted once when package zones and the dram zones below them are added
 * up and nothing else is:
 *
 *   package-N, package-N-die-M   counted
 *   dram below one of those      counted (it is outside the package)
 *   core, uncore                 left out: inside the package
 *   psys, psys-N                 left out: contains the packages
 *   intel-rapl-mmio*             left out: a second way to the same package counter
 *   a name that came before      left out: a second way to the same counter
 *   a die that mirrors another   left out by powercap_leave_out_mirrors()
 *   energy_uj unreadable         left out, with what to do about it
 */
#ifndef CARBON_SENSORS_POWERCAP_H
#define CARBON_SENSORS_POWERCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mark.h"

/* Two sockets of 16 dies with a core zone each, 64, are the most seen; twice that is room. */
#define POWERCAP_ZONES_MAX 128

enum powercap_use { POWERCAP_PACKAGE, POWERCAP_DRAM, POWERCAP_LEFT_OUT };

struct powercap_zone {
    char zone[SOURCE_NAME_SIZE]; /* directory: "intel-rapl:0:1" */
    char name[32];               /* its name file: "dram" */
    enum powercap_use use;
    const char *reason; /* why it is left out, or NULL; static text of less than 96 bytes */
    bool repeats;       /* left out because another zone shows the same energy */
    int package_os;     /* physical package id, from "package-N" (of the parent for dram), or -1 */
    int die_os;         /* die id, from "package-N-die-M" (of the parent for dram), or -1 */
    uint64_t range_uj;  /* the counter runs 0 … range_uj - 1 … 0: powercap_range_uj() */
};

/*
 * List the zones below root_fd's sys/class/powercap, parents before children and numbers in order,
 * each with its use. Of a left-out zone only zone, name, use and reason are known. Reads names,
 * ranges and each counted energy_uj once; never waits. Returns the count, or a negative errno:
 * -ENOENT when there is no powercap here, -EOVERFLOW when there are more than `max` zones.
 */
MUST_CHECK int powercap_list(int root_fd, struct powercap_zone *ret_zones, size_t max);

/*
 * The same by the zones' names alone, for the plugin, which must be quick: neither range_uj nor
 * whether the counter can be read is known, so of two zones of one name the first is taken.
 */
MUST_CHECK int powercap_list_by_name(int root_fd, struct powercap_zone *ret_zones, size_t max);

/*
 * Leave out die zones that show the counter of another die of their package (kernels 6.9 and 6.10
 * list an AMD package once per core complex die), with their dram. Waits up to 20 ms for each pair
 * of dies that do not settle it at once, so this is the meter's: a mark may carry the readings of
 * mirrors too, since the meter takes readings by zone. Returns how many it left out.
 */
int powercap_leave_out_mirrors(int root_fd, struct powercap_zone *zones, size_t count);

/* Whether a zone of this name is the platform: packages and more. */
bool powercap_is_psys(const char *name);

/* Open a zone's energy_uj, O_CLOEXEC. Returns the descriptor or a negative errno. */
MUST_CHECK int powercap_open(int root_fd, const char *zone);

/*
 * Read an open energy_uj from its start: 0, or a negative errno (-EIO, -ENODEV, -EACCES …, and
 * -EBADMSG for text that is no number). A failed read is never 0 J.
 */
MUST_CHECK int powercap_read(int fd, uint64_t *ret_raw_uj);

/*
 * The counter's modulus from its max_energy_range_uj file, in µJ.
 *
 * The kernel (drivers/powercap/intel_rapl_common.c) multiplies a 32-bit register by an energy unit
 * of whole nanojoules and rounds down to µJ, so the file says floor((2^32 - 1) x unit / 1000) and
 * the counter's true modulus is 2^32 x unit / 1000. The unit follows from the file's value:
 * 262143328850 is 61035 nJ (Intel), 65532610987 is 15258 nJ (AMD), 65712999613 is 15300 nJ (server
 * DRAM). So a wrap is unwound to within 1 µJ. A value that no whole unit gives (another driver)
 * is taken as the largest reading: modulus = value + 1, at most one unit of that counter (of the
 * order of 100 µJ) too small at each wrap.
 */
uint64_t powercap_range_uj(uint64_t max_energy_range_uj);

/*
 * Whether two zones show one counter, told from rounds of three readings in quick succession: the
 * first zone, the second, the first again. A pure state; zero it before the first round.
 *
 * A round agrees when the second zone's reading lies between (or is equal to) the first's two.
 * Two agreeing rounds at different readings: a mirror. Readings more than 1 J apart: two counters.
 * Otherwise undecided. RAPL counters step about once a millisecond by up to half a joule, so two
 * readings within microseconds are mostly the same number: mirrors agree at once, while separate
 * dies would have to show the same one of 2^32 values at both times.
 */
enum powercap_verdict { POWERCAP_UNDECIDED, POWERCAP_MIRROR, POWERCAP_SEPARATE };
struct powercap_mirror {
    bool agreed;    /* one round agreed … */
    uint64_t at_uj; /* … at this reading of the first zone */
};
enum powercap_verdict powercap_mirror_round(struct powercap_mirror *mirror, uint64_t range_uj,
                                            uint64_t first_uj, uint64_t second_uj,
                                            uint64_t first_again_uj);

#endif

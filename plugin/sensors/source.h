/*
 * source.h - what a kind of sensor implements, and what sensors.c gives it; for plugin/sensors only
 *
 * To add one: a file with a const struct sensor_source, an entry in sources[] of sensors.c and rows
 * in rules.c. docs/adding-a-sensor.md is the guide.
 *
 * With sensor_options.apart a source runs in a process of its own (helper.h): find() and read() may
 * then block, crash or load what they like, and nobody waits for them for long. They are called in
 * one process, one after the other, and never see the meter's.
 */
#ifndef CARBON_SENSORS_SOURCE_H
#define CARBON_SENSORS_SOURCE_H

#include <stdbool.h>

#include "sensors/busy.h"
#include "sensors/gauge.h"
#include "sensors/rules.h"
#include "sensors/sensors.h"

struct sensor_source;
struct helper;

/*
 * One counter, with what its source needs to read it. Plain data: in the meter it is a copy of what
 * the source's process found, of which `counter`, `part`, `package` and the share alone mean
 * something there.
 */
struct sensor_slot {
    struct sensor_counter counter;
    const struct sensor_source *source;
    enum sensor_part part;
    unsigned package;  /* PART_MODULE: the package that its counter contains */
    bool elsewhere;    /* such a copy: nothing of it is to be closed here */
    /* the source's own */
    int fd;            /* open file, closed with the slot; -1: none */
    uint64_t retry_ns; /* while it is gone: not to be looked for before this CLOCK_BOOTTIME */
    char name[128];    /* powercap: the zone's name; others: a path or an id to find it again */
    uint64_t full_uw;  /* modelled: power at full load */
    struct gauge gauge;
    uint32_t share, shares; /* it counts share / shares of what is read; 0 shares: all of it */
    void *device;      /* its library's handle */
    uint64_t scratch[4];
};

struct sensor_source {
    const char *name; /* as in carbon.conf's Sensors; "powercap" */
    bool in_process;  /* reads nothing that could block: never apart */
    /*
     * Offer every counter with sensors_offer() and every thing that cannot be read at all with
     * sensors_leave_out(). What would count twice is offered too: rules.c decides. Returns how many
     * were offered, or a negative errno: -ENODEV with the remedy in err when there is nothing of
     * this kind, others when something is wrong.
     */
    int (*find)(struct sensors *sensors, struct error *err);
    /*
     * Read now: the cumulative raw value, or a negative errno (-ENODEV: it is gone, and looked for
     * again by later calls; -ERESTART: the same, and only a process begun anew can find it;
     * -EBADMSG: what came is no reading), *ret_raw_uj then untouched.
     */
    int (*read)(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj);
    void (*close)(struct sensor_slot *slot); /* of what find() opened besides fd; may be NULL */
};

extern const struct sensor_source powercap_source, perf_source, grace_source, nvml_source,
    amdgpu_source, intelgpu_source, cray_source, ipmi_source, modelled_source;

/* A counter of a module less those that it contains (source.h's PART_MODULE, sensors.c). */
struct sensor_difference {
    uint64_t begins; /* of the module's counter and its parts' together; 0: none yet */
    uint64_t whole_base_uj, parts_base_uj, value_uj;
};

/* What sensors.c knows of a counter in use beside its slot. */
struct sensor_state {
    struct helper *helper; /* where it is read, or NULL: in this process */
    bool gone;             /* that helper, started anew, did not find it again */
    struct sensor_reading own;  /* as its source said … */
    struct sensor_reading last; /* … and as it is handed out */
    uint64_t raw_uj, read_ns;   /* its source's last value, and when it was read; 0: not yet */
    uint64_t moved_ns;          /* … and when it last was another one */
    uint64_t total_uj, begins;  /* what it grew since the first; how often it began (anew) */
    struct sensor_difference difference;
};

#define SOURCES_MAX 16

struct sensors {
    struct sensor_options options; /* root_fd is our own duplicate */
    struct sensor_slot *slots;     /* those in use, in the order of preference */
    struct sensor_state *states;   /* [n_slots], made when all are known */
    size_t n_slots;
    struct sensor_left_out *left_out;
    size_t n_left_out;
    struct helper *helpers[SOURCES_MAX];
    size_t n_helpers;
    bool only_fresh; /* what the last sensors_ask() was for */
    bool raw_list; /* a helper's own list: nothing is decided here, all that is offered is kept */
    struct busy *busy;
    int busy_rc;       /* of the last busy_read() */
    uint64_t *busy_ns; /* [n_packages], as of the last good one */
};

/*
 * What is believed of a package and of its memory: the highest TDP of today's packages is 500 W
 * (EPYC 9965, Xeon 6980P), with a fifth on top; twelve DIMMs of 25 W make 300 W.
 */
#define PACKAGE_MAX_UW UINT64_C(600000000)
#define DRAM_MAX_UW UINT64_C(300000000)

/*
 * What is gone is looked for every SENSOR_RETRY_NS, not at every tick: whether this slot's time has
 * come (the next is then set), and that it comes so much later from now.
 */
#define SENSOR_RETRY_NS (5 * NS_PER_S)
bool sensors_may_look(struct sensor_slot *slot);
void sensors_look_later(struct sensor_slot *slot);

/* The source that counts this component of this domain already, if it is another one, or NULL. */
const struct sensor_source *sensors_counted_by(const struct sensors *sensors,
                                               const struct sensor_slot *slot);

/*
 * Offer a counter: `counter` (but for sensor and component), source, part and the source's own are
 * set. The slot's fd is taken over (closed on failure). rules.c says as what it counts; one whose
 * component an earlier source counts in that domain is left out: nothing is counted twice. 0 or
 * -ENOMEM.
 */
MUST_CHECK int sensors_offer(struct sensors *sensors, const struct sensor_slot *slot);

/* 0 or -ENOMEM. reason is copied, cut to its room. */
MUST_CHECK int sensors_leave_out(struct sensors *sensors, const char *source, const char *reason);

/* value x share / shares of a slot that is one of several parts of a counter, rounded down. */
uint64_t sensors_share(const struct sensor_slot *slot, uint64_t value_uj);

/* Free slots and lists, leaving *sensors empty; helpers must be gone. */
void sensors_clear(struct sensors *sensors);

#endif

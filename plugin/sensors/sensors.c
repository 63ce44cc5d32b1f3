#include "sensors/sensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "sensors/source.h"

/* Measured before modelled: the first that has a component of a package counts it. */
static const struct sensor_source *const sources[] = {&powercap_source, &modelled_source};

#define N_SOURCES (sizeof(sources) / sizeof(sources[0]))

const char *sensors_kind(size_t index)
{
    return index < N_SOURCES ? sources[index]->name : NULL;
}

/* --- what sources call (source.h) ----------------------------------------- */

static void *grow(void *array, size_t count, size_t item_size)
{
    return realloc(array, (count + 1) * item_size);
}

int sensors_leave_out(struct sensors *sensors, const char *source, const char *reason)
{
    struct sensor_left_out *list =
        grow(sensors->left_out, sensors->n_left_out, sizeof(*sensors->left_out));
    struct sensor_left_out *item;

    if (!list)
        return -ENOMEM;
    sensors->left_out = list;
    item = &list[sensors->n_left_out++];
    snprintf(item->source, sizeof(item->source), "%s", source);
    snprintf(item->reason, sizeof(item->reason), "%s", reason);
    return 0;
}

const struct sensor_source *sensors_counted_by(const struct sensors *sensors,
                                               const struct sensor_slot *slot)
{
    for (size_t i = 0; i < sensors->n_slots; i++) {
        const struct sensor_slot *other = &sensors->slots[i];

        if (other->source != slot->source && other->counter.domain == slot->counter.domain &&
            other->counter.component == slot->counter.component)
            return other->source;
    }
    return NULL;
}

static void close_slot(const struct sensor_slot *slot)
{
    if (slot->fd >= 0)
        close(slot->fd);
}

int sensors_offer(struct sensors *sensors, const struct sensor_slot *slot)
{
    const struct sensor_source *other = sensors_counted_by(sensors, slot);
    struct sensor_slot *slots;
    char reason[64];

    if (other) {
        close_slot(slot);
        snprintf(reason, sizeof(reason), "%s counts this package already", other->name);
        return sensors_leave_out(sensors, slot->counter.source, reason);
    }
    slots = grow(sensors->slots, sensors->n_slots, sizeof(*sensors->slots));
    if (!slots) {
        close_slot(slot);
        return -ENOMEM;
    }
    sensors->slots = slots;
    slots[sensors->n_slots] = *slot;
    slots[sensors->n_slots++].counter.sensor = slot->source->name;
    return 0;
}

/* --- which sources --------------------------------------------------------- */

static const struct sensor_source *find_source(const char *name, size_t len)
{
    for (size_t i = 0; i < N_SOURCES; i++)
        if (strlen(sources[i]->name) == len && strncasecmp(sources[i]->name, name, len) == 0)
            return sources[i];
    return NULL;
}

static int unknown_source(const char *name, size_t len, struct error *err)
{
    char known[128] = "auto";

    for (size_t i = 0; i < N_SOURCES; i++) {
        size_t used = strlen(known);

        snprintf(known + used, sizeof(known) - used, ", %s", sources[i]->name);
    }
    return error_set(err, -EINVAL, "Sensors: there is no sensor '%.*s'; known are %s", (int)len,
                     name, known);
}

/* A kind that has nothing here is passed over, and why is told. */
static int open_auto(struct sensors *sensors, struct error *err)
{
    for (size_t i = 0; i < N_SOURCES; i++) {
        struct error why;
        int rc = sources[i]->find(sensors, &why);

        if (rc == -ENODEV)
            rc = sensors_leave_out(sensors, sources[i]->name, why.text);
        if (rc < 0)
            return rc == -ENOMEM ? rc
                                 : error_set(err, rc, "sensor %s: %s", sources[i]->name, why.text);
    }
    return 0;
}

/* A kind that was asked for and has nothing here is an error. */
static int open_named(struct sensors *sensors, const char *list, struct error *err)
{
    const char *separators = ", \t";
    const char *name = list + strspn(list, separators);

    while (*name) {
        size_t len = strcspn(name, separators);
        const struct sensor_source *source = find_source(name, len);
        int rc;

        if (!source)
            return unknown_source(name, len, err);
        rc = source->find(sensors, err);
        if (rc < 0)
            return rc == -ENOMEM ? rc : error_prefix(err, rc, "sensor %s", source->name);
        name += len;
        name += strspn(name, separators);
    }
    return 0;
}

static int open_sources(struct sensors *sensors, struct error *err)
{
    const char *list = sensors->options.list;
    int rc = strcasecmp(list, "auto") == 0 ? open_auto(sensors, err)
                                           : open_named(sensors, list, err);

    if (rc == -ENOMEM)
        return error_set_errno(err, rc, "sensors");
    if (rc == 0 && sensors->n_slots == 0)
        return error_set(err, -ENODEV,
                         "no sensor can be used here: neither sys/class/powercap nor proc/stat "
                         "below SensorRoot; Sensors=%s",
                         list);
    return rc;
}

/* --- opening and closing --------------------------------------------------- */

static int prepare(struct sensors *sensors, const struct sensor_options *options)
{
    sensors->options = *options;
    sensors->options.root_fd = fcntl(options->root_fd, F_DUPFD_CLOEXEC, 0);
    if (sensors->options.root_fd < 0)
        return -errno;
    sensors->busy_ns = calloc(options->topology->n_packages, sizeof(*sensors->busy_ns));
    if (!sensors->busy_ns)
        return -ENOMEM;
    sensors->busy_rc = busy_open(sensors->options.root_fd, options->topology, &sensors->busy);
    if (sensors->busy_rc == 0)
        sensors->busy_rc = busy_read(sensors->busy, sensors->busy_ns);
    return sensors->busy_rc == -ENOMEM ? -ENOMEM : 0;
}

int sensors_open(const struct sensor_options *options, struct sensors **ret_sensors,
                 struct error *err)
{
    struct sensors *sensors = calloc(1, sizeof(*sensors));
    int rc;

    if (!sensors)
        return error_set_errno(err, -ENOMEM, "sensors");
    sensors->options.root_fd = -1;
    rc = prepare(sensors, options);
    if (rc < 0)
        error_set_errno(err, rc, "sensors");
    else
        rc = open_sources(sensors, err);
    if (rc < 0) {
        sensors_close(sensors);
        return rc;
    }
    sensors->options.list = NULL; /* the caller's, and not needed any more */
    *ret_sensors = sensors;
    return 0;
}

struct sensors *sensors_close(struct sensors *sensors)
{
    if (!sensors)
        return NULL;
    for (size_t i = 0; i < sensors->n_slots; i++)
        close_slot(&sensors->slots[i]);
    if (sensors->options.root_fd >= 0)
        close(sensors->options.root_fd);
    busy_close(sensors->busy);
    free(sensors->busy_ns);
    free(sensors->slots);
    free(sensors->left_out);
    free(sensors);
    return NULL;
}

/* --- reading ---------------------------------------------------------------- */

size_t sensors_count(const struct sensors *sensors)
{
    return sensors->n_slots;
}

const struct sensor_counter *sensors_counter(const struct sensors *sensors, size_t index)
{
    return &sensors->slots[index].counter;
}

size_t sensors_left_out(const struct sensors *sensors, const struct sensor_left_out **ret_list)
{
    *ret_list = sensors->left_out;
    return sensors->n_left_out;
}

int sensors_read(struct sensors *sensors, size_t index, uint64_t *ret_raw_uj)
{
    struct sensor_slot *slot = &sensors->slots[index];

    return slot->source->read(sensors, slot, ret_raw_uj);
}

int sensors_read_busy(struct sensors *sensors, uint64_t *ret_busy_ns)
{
    if (!sensors->busy)
        return sensors->busy_rc;
    sensors->busy_rc = busy_read(sensors->busy, sensors->busy_ns);
    if (sensors->busy_rc == 0)
        memcpy(ret_busy_ns, sensors->busy_ns,
               sensors->options.topology->n_packages * sizeof(*ret_busy_ns));
    return sensors->busy_rc;
}

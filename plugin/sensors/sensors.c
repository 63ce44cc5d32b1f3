#include "sensors/sensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/apportion.h"
#include "core/clock.h"
#include "core/conf.h"
#include "sensors/helper.h"
#include "sensors/source.h"

/* In the order of rules.c, which is that of "auto": the first that has a component counts it. */
static const struct sensor_source *const sources[] = {
    &powercap_source, &perf_source, &grace_source, &nvml_source, &amdgpu_source,
    &intelgpu_source, &cray_source, &ipmi_source, &modelled_source,
};

/* A short time between two readings may hold the energy of this much more: ledger/counter.c. */
#define REFRESH_NS (NS_PER_S / 5)

#define N_SOURCES (sizeof(sources) / sizeof(sources[0]))
_Static_assert(N_SOURCES <= SOURCES_MAX, "sensors.helpers has room");

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
    struct sensor_slot copy = *slot;

    if (slot->elsewhere)
        return;
    if (slot->source->close)
        slot->source->close(&copy);
    if (slot->fd >= 0)
        close(slot->fd);
}

static int keep(struct sensors *sensors, const struct sensor_slot *slot)
{
    struct sensor_slot *slots = grow(sensors->slots, sensors->n_slots, sizeof(*sensors->slots));

    if (!slots) {
        close_slot(slot);
        return -ENOMEM;
    }
    sensors->slots = slots;
    slots[sensors->n_slots] = *slot;
    slots[sensors->n_slots++].counter.sensor = slot->source->name;
    return 0;
}

/* Whether a slot's energy is inside a module's. */
static bool is_inside(const struct sensor_slot *slot, const struct sensor_slot *module)
{
    return module->part == PART_MODULE &&
           (slot->part == PART_PACKAGE || slot->part == PART_DRAM) &&
           slot->counter.domain == module->package;
}

/* The module in use whose counter contains this slot's energy, or NULL. */
static const struct sensor_slot *find_module_of(const struct sensors *sensors,
                                                const struct sensor_slot *slot)
{
    for (size_t i = 0; i < sensors->n_slots; i++)
        if (is_inside(slot, &sensors->slots[i]))
            return &sensors->slots[i];
    return NULL;
}

static bool has_parts(const struct sensors *sensors, const struct sensor_slot *module)
{
    for (size_t i = 0; i < sensors->n_slots; i++)
        if (is_inside(&sensors->slots[i], module))
            return true;
    return false;
}

static const char *domain_words(enum component component)
{
    switch (component) {
    case COMPONENT_GPU:
        return "this device";
    case COMPONENT_OTHER:
        return "the node";
    default:
        return "this package";
    }
}

int sensors_offer(struct sensors *sensors, const struct sensor_slot *slot)
{
    const struct sensor_rule *rule = rules_find(slot->source->name, slot->part);
    struct sensor_slot counted = *slot;
    const struct sensor_source *other;
    const struct sensor_slot *module;
    char reason[96];

    if (sensors->raw_list)
        return keep(sensors, slot);
    if (!rule || rule->counts_as == RULE_NEVER) {
        close_slot(slot);
        return sensors_leave_out(sensors, slot->counter.source,
                                 rule ? rule->why : "no rule for it");
    }
    counted.counter.component = (enum component)rule->counts_as;
    other = sensors_counted_by(sensors, &counted);
    module = find_module_of(sensors, &counted);
    if (has_parts(sensors, slot))
        counted.counter.fresh = true; /* it is told as a difference: take_difference() */
    if (!other && !module)
        return keep(sensors, &counted);
    close_slot(slot);
    if (other)
        snprintf(reason, sizeof(reason), "%s counts %s already", other->name,
                 domain_words(counted.counter.component));
    else
        snprintf(reason, sizeof(reason), "%s counts the module that contains it",
                 module->source->name);
    return sensors_leave_out(sensors, slot->counter.source, reason);
}

uint64_t sensors_share(const struct sensor_slot *slot, uint64_t value_uj)
{
    return slot->shares ? mul_div(value_uj, slot->share, slot->shares) : value_uj;
}

void sensors_look_later(struct sensor_slot *slot)
{
    slot->retry_ns = clock_boottime_ns() + SENSOR_RETRY_NS;
}

bool sensors_may_look(struct sensor_slot *slot)
{
    if (clock_boottime_ns() < slot->retry_ns)
        return false;
    sensors_look_later(slot);
    return true;
}

void sensors_clear(struct sensors *sensors)
{
    for (size_t i = 0; i < sensors->n_slots; i++)
        close_slot(&sensors->slots[i]);
    free(sensors->slots);
    free(sensors->states);
    free(sensors->left_out);
    sensors->slots = NULL;
    sensors->states = NULL;
    sensors->left_out = NULL;
    sensors->n_slots = sensors->n_left_out = 0;
}

/* --- which sources --------------------------------------------------------- */

/* What carbon.conf's Sensors says, in order of preference. */
struct choice {
    size_t count;
    struct {
        const struct sensor_source *source;
        bool required, forbidden;
        struct helper *helper;
    } kinds[N_SOURCES];
};

static const struct sensor_source *find_source(const char *name, size_t len)
{
    for (size_t i = 0; i < N_SOURCES; i++)
        if (strlen(sources[i]->name) == len && strncasecmp(sources[i]->name, name, len) == 0)
            return sources[i];
    return NULL;
}

static int unknown_source(const char *name, size_t len, struct error *err)
{
    char known[256] = "auto";

    for (size_t i = 0; i < N_SOURCES; i++) {
        size_t used = strlen(known);

        snprintf(known + used, sizeof(known) - used, ", %s", sources[i]->name);
    }
    return error_set(err, -EINVAL, "Sensors: there is no sensor '%.*s'; known are %s", (int)len,
                     name, known);
}

static void choose(struct choice *choice, const struct sensor_source *source, bool required,
                   bool forbidden)
{
    size_t i = 0;

    while (i < choice->count && choice->kinds[i].source != source)
        i++;
    if (i == choice->count)
        choice->kinds[choice->count++].source = source;
    choice->kinds[i].required |= required;
    choice->kinds[i].forbidden |= forbidden;
}

static int read_list(const char *list, struct choice *ret_choice, struct error *err)
{
    const char *separators = ", \t";
    const char *name = list + strspn(list, separators);
    bool only_forbids = *name != '\0';
    size_t len;

    for (; *name; name += len, name += strspn(name, separators)) {
        bool forbids = *name == '-';
        const struct sensor_source *source;

        name += forbids;
        len = strcspn(name, separators);
        source = find_source(name, len);
        only_forbids = only_forbids && forbids;
        if (source)
            choose(ret_choice, source, !forbids, forbids);
        else if (forbids || len != 4 || strncasecmp(name, "auto", len) != 0)
            return unknown_source(name, len, err);
        for (size_t i = 0; !source && i < N_SOURCES; i++)
            choose(ret_choice, sources[i], false, false);
    }
    for (size_t i = 0; only_forbids && i < N_SOURCES; i++)
        choose(ret_choice, sources[i], false, false);
    return 0;
}

/*
 * A kind of "auto" that has nothing here, does not answer or fails is passed over, and why is told;
 * only a mistake in carbon.conf ends the meter.
 */
static int find_one(struct sensors *sensors, const struct sensor_source *source,
                    struct helper *helper, uint64_t until_ns, bool required, struct error *err)
{
    struct error why = { "" };
    int rc = helper ? helper_find(helper, sensors, until_ns, &why) : source->find(sensors, &why);

    if (!required && rc < 0 && rc != -ENOMEM && rc != -EINVAL)
        rc = sensors_leave_out(sensors, source->name, why.text);
    if (rc == -ENOMEM)
        return error_set_errno(err, rc, "sensors");
    return rc < 0 ? error_set(err, rc, "sensor %s: %s", source->name, why.text) : 0;
}

/* Keeps the helper if anything of its is in use. */
static int settle_helper(struct sensors *sensors, struct helper *helper)
{
    bool in_use = false;

    for (size_t i = 0; i < sensors->n_slots; i++)
        in_use = in_use || sensors->slots[i].source == helper_source(helper);
    if (!in_use) {
        helper_stop(helper);
        return 0;
    }
    sensors->helpers[sensors->n_helpers++] = helper;
    return helper_adopt(helper, sensors);
}

static int find_all(struct sensors *sensors, struct choice *choice, struct error *err)
{
    uint64_t until_ns;
    int rc = 0;

    for (size_t i = 0; i < choice->count; i++) /* all at once: some take seconds */
        if (sensors->options.apart && !choice->kinds[i].forbidden &&
            !choice->kinds[i].source->in_process &&
            helper_start(choice->kinds[i].source, &sensors->options, &choice->kinds[i].helper) < 0)
            choice->kinds[i].helper = NULL; /* no more processes: then here */
    until_ns = clock_boottime_ns() + HELPER_FIND_NS;
    for (size_t i = 0; i < choice->count && rc == 0; i++)
        if (!choice->kinds[i].forbidden)
            rc = find_one(sensors, choice->kinds[i].source, choice->kinds[i].helper, until_ns,
                          choice->kinds[i].required, err);
    sensors->states = calloc(sensors->n_slots + 1, sizeof(*sensors->states));
    if (rc == 0 && !sensors->states)
        rc = error_set_errno(err, -ENOMEM, "sensors");
    for (size_t i = 0; i < sensors->n_slots && rc == 0; i++)
        sensors->states[i].own.code = sensors->states[i].last.code = -EAGAIN;
    for (size_t i = 0; i < choice->count; i++) {
        if (rc < 0)
            helper_stop(choice->kinds[i].helper);
        else if (choice->kinds[i].helper && settle_helper(sensors, choice->kinds[i].helper) < 0)
            rc = error_set_errno(err, -ENOMEM, "sensors");
    }
    return rc;
}

static int open_sources(struct sensors *sensors, struct error *err)
{
    const char *list = sensors->options.list;
    struct choice choice = { 0 };
    int rc = read_list(list, &choice, err);

    if (rc == 0)
        rc = find_all(sensors, &choice, err);
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

struct sensor_options sensors_options(const struct conf *conf)
{
    return (struct sensor_options){
        .root_fd = -1,
        .list = conf->sensors,
        .apart = true,
        .idle_uw = conf->idle_uw,
        .full_uw = conf->full_uw,
        .gpu_utilisation_ppm = conf->gpu_utilisation_ppm,
    };
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
    for (size_t i = 0; i < sensors->n_helpers; i++)
        helper_stop(sensors->helpers[i]);
    sensors_clear(sensors);
    if (sensors->options.root_fd >= 0)
        close(sensors->options.root_fd);
    busy_close(sensors->busy);
    free(sensors->busy_ns);
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

const char *sensors_error_text(int code)
{
    switch (-code) {
    case EAGAIN:
        return "not read yet";
    case ETIMEDOUT:
        return "no answer in time";
    case ESTALE:
        return "the counter stands still";
    case ECHILD:
        return "the process that reads it died and is started anew";
    case EBADMSG:
        return "what came is no reading";
    default:
        return strerror(-code);
    }
}

bool sensors_growth(const struct sensor_counter *counter, uint64_t from_uj, uint64_t to_uj,
                    uint64_t *ret_grown_uj)
{
    if (to_uj >= from_uj)
        *ret_grown_uj = to_uj - from_uj;
    else if (counter->range_uj > from_uj)
        *ret_grown_uj = counter->range_uj - from_uj + to_uj;
    else
        return false;
    return true;
}

/* Whether the helper reads what the last sensors_ask() was for. */
static bool is_wanted(const struct sensors *sensors, const struct helper *helper)
{
    for (size_t i = 0; i < sensors->n_slots; i++)
        if (sensors->states[i].helper == helper && sensors->slots[i].counter.fresh)
            return true;
    return !sensors->only_fresh;
}

void sensors_ask(struct sensors *sensors, uint64_t now_ns, bool only_fresh)
{
    sensors->only_fresh = only_fresh;
    for (size_t i = 0; i < sensors->n_helpers; i++)
        if (is_wanted(sensors, sensors->helpers[i]))
            helper_ask(sensors->helpers[i], now_ns);
}

/*
 * What it grew since the last reading goes to its total; false when it began anew: it fell without
 * a wrap, or rose by more than is believed.
 */
static bool add_growth(const struct sensor_counter *counter, struct sensor_state *state)
{
    const struct sensor_reading *own = &state->own;
    uint64_t span_ns = own->at_ns - state->read_ns, grown_uj;

    if (!sensors_growth(counter, state->raw_uj, own->raw_uj, &grown_uj) ||
        grown_uj > mul_div(counter->max_uw, span_ns + REFRESH_NS, NS_PER_S))
        return false;
    state->total_uj += grown_uj;
    return true;
}

/* Follow its value. A counter that measures what draws power does not stand still: then it is no
   reading. */
static void follow(const struct sensor_slot *slot, struct sensor_state *state)
{
    struct sensor_reading *own = &state->own;

    if (own->code < 0)
        return;
    if (state->read_ns == 0 || own->raw_uj != state->raw_uj)
        state->moved_ns = own->at_ns;
    if (state->read_ns == 0 || !add_growth(&slot->counter, state))
        state->begins++;
    state->raw_uj = own->raw_uj;
    state->read_ns = own->at_ns;
    if (slot->counter.quality == QUALITY_MEASURED &&
        own->at_ns - state->moved_ns >= SENSORS_STUCK_NS)
        own->code = -ESTALE;
}

/* The counters inside the module's: 0 with their totals and beginnings, or the code of the first
   that has no reading. */
static int sum_parts(const struct sensors *sensors, const struct sensor_slot *module,
                     uint64_t *ret_total_uj, uint64_t *ret_begins)
{
    uint64_t total_uj = 0, begins = 0;

    for (size_t i = 0; i < sensors->n_slots; i++) {
        const struct sensor_state *state = &sensors->states[i];

        if (!is_inside(&sensors->slots[i], module))
            continue;
        if (state->own.code < 0)
            return state->own.code;
        total_uj += state->total_uj;
        begins += state->begins;
    }
    *ret_total_uj = total_uj;
    *ret_begins = begins;
    return 0;
}

/*
 * What a module counted since the first look less what its parts did. The two are not read at quite
 * one instant, so the highest value so far counts, and what it is ahead is made up later: never
 * negative, and exact in the long run. When either begins anew so does the difference, at 0, which
 * the ledger takes for the reset that it is.
 */
static uint64_t take_difference(struct sensor_difference *d, uint64_t whole_uj, uint64_t parts_uj,
                                uint64_t begins)
{
    uint64_t grown_uj, inside_uj;

    if (d->begins != begins)
        *d = (struct sensor_difference){ begins, whole_uj, parts_uj, 0 };
    grown_uj = whole_uj - d->whole_base_uj;
    inside_uj = parts_uj - d->parts_base_uj;
    if (grown_uj > inside_uj && grown_uj - inside_uj > d->value_uj)
        d->value_uj = grown_uj - inside_uj;
    return d->value_uj;
}

static void finish_reading(struct sensors *sensors, size_t index)
{
    struct sensor_state *state = &sensors->states[index];
    const struct sensor_slot *slot = &sensors->slots[index];
    uint64_t parts_uj, begins;
    int rc;

    state->last = state->own;
    if (slot->part != PART_MODULE || !slot->counter.fresh || state->last.code < 0)
        return;
    rc = sum_parts(sensors, slot, &parts_uj, &begins);
    if (rc < 0)
        state->last.code = rc;
    else /* of a slice of the module's GPU: to its share of both */
        state->last.raw_uj = take_difference(&state->difference, state->total_uj,
                                             sensors_share(slot, parts_uj),
                                             begins + state->begins);
}

void sensors_take(struct sensors *sensors, uint64_t now_ns, uint64_t until_ns)
{
    for (size_t i = 0; i < sensors->n_slots; i++) {
        struct sensor_slot *slot = &sensors->slots[i];
        struct sensor_reading *own = &sensors->states[i].own;
        uint64_t before_ns;

        own->code = -EAGAIN;
        if (sensors->states[i].helper || (sensors->only_fresh && !slot->counter.fresh))
            continue;
        before_ns = clock_boottime_ns();
        own->code = slot->source->read(sensors, slot, &own->raw_uj);
        if (own->code == -ERESTART) /* there is no process of its own to begin anew */
            own->code = -ENODEV;
        own->at_ns = now_ns;
        own->cost_ns = clock_boottime_ns() - before_ns;
    }
    for (size_t i = 0; i < sensors->n_helpers; i++)
        if (is_wanted(sensors, sensors->helpers[i]))
            helper_take(sensors->helpers[i], sensors, until_ns);
    for (size_t i = 0; i < sensors->n_slots; i++)
        follow(&sensors->slots[i], &sensors->states[i]);
    for (size_t i = 0; i < sensors->n_slots; i++)
        finish_reading(sensors, i);
}

const struct sensor_reading *sensors_reading(const struct sensors *sensors, size_t index)
{
    return &sensors->states[index].last;
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

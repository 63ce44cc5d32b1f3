#include "meter/floors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"
#include "ledger/floor.h"

/* A shorter stretch between two ticks says little: busy time comes in steps of 10 ms. */
#define SHORTEST_NS (NS_PER_S / 2)
/* A reading this much older than its tick says nothing of the same stretch as the busy time. */
#define OLDEST_NS (NS_PER_S / 10)

struct learner {
    bool learns;
    bool has_last;
    uint64_t last_ns, last_raw_uj, last_busy_ns;
    struct floor floor;
    uint64_t in_force_uw; /* 0: none yet */
};

struct floors {
    const struct meter_counter *counters;
    size_t count;
    const struct topology *topology;
    struct ledger *ledger;
    struct learner learners[];
};

static void put_in_force(struct floors *floors, size_t index, uint64_t floor_uw)
{
    if (floors->learners[index].in_force_uw == floor_uw)
        return;
    floors->learners[index].in_force_uw = floor_uw;
    ledger_floor(floors->ledger, index, floor_uw);
}

int floors_new(const struct meter_counter *counters, size_t count, const struct topology *topology,
               uint64_t idle_uw, struct ledger *ledger, struct floors **ret_floors)
{
    struct floors *floors = calloc(1, sizeof(*floors) + count * sizeof(floors->learners[0]));

    if (!floors)
        return -ENOMEM;
    *floors = (struct floors){ counters, count, topology, ledger };
    for (size_t i = 0; i < count; i++) {
        const struct sensor_counter *counter = counters[i].counter;
        uint64_t known_uw = counter->floor_uw;

        if (!known_uw && counter->component == COMPONENT_CPU)
            known_uw = idle_uw;
        if (known_uw)
            put_in_force(floors, i, known_uw);
        else /* whose domain can be seen to be quiet: a package by its busy time, a GPU when free */
            floors->learners[i].learns = counter->component == COMPONENT_GPU ||
                                         (counter->component != COMPONENT_OTHER &&
                                          counter->domain < topology->n_packages);
    }
    *ret_floors = floors;
    return 0;
}

struct floors *floors_free(struct floors *floors)
{
    free(floors);
    return NULL;
}

static void use_learned(struct floors *floors, size_t index)
{
    uint64_t floor_uw;

    if (floor_value(&floors->learners[index].floor, &floor_uw))
        put_in_force(floors, index, floor_uw);
}

void floors_resume(struct floors *floors, const struct batch *checkpoint)
{
    for (size_t i = 0; i < floors->count; i++)
        for (size_t k = 0; k < checkpoint->n_floors && floors->learners[i].learns; k++)
            if (strcmp(checkpoint->floors[k].source, floors->counters[i].counter->source) == 0 &&
                floor_parse(checkpoint->floors[k].histogram, &floors->learners[i].floor) == 0)
                use_learned(floors, i);
}

/* Whether nothing to speak of ran on the counter's domain since the last look. */
static bool is_quiet(const struct floors *floors, size_t index, uint64_t span_ns, uint64_t busy_ns)
{
    const struct learner *learner = &floors->learners[index];
    const struct sensor_counter *counter = floors->counters[index].counter;
    uint64_t cpus;

    if (counter->component == COMPONENT_GPU)
        return !learner->last_busy_ns && !busy_ns;
    cpus = floors->topology->package_cpus[counter->domain];
    return busy_ns >= learner->last_busy_ns &&
           busy_ns - learner->last_busy_ns <= mul_div(span_ns * cpus, FLOOR_QUIET_PERMILLE, 1000);
}

static void observe(struct floors *floors, size_t index, uint64_t busy_ns)
{
    struct learner *learner = &floors->learners[index];
    const struct meter_counter *at = &floors->counters[index];
    uint64_t span_ns = at->read_ns - learner->last_ns, growth_uj, power_uw;

    if (span_ns < SHORTEST_NS || !is_quiet(floors, index, span_ns, busy_ns) ||
        !sensors_growth(at->counter, learner->last_raw_uj, at->raw_uj, &growth_uj))
        return;
    power_uw = mul_div(growth_uj, NS_PER_S, span_ns);
    if (power_uw > at->counter->max_uw)
        return;
    floor_observe(&learner->floor, power_uw);
    use_learned(floors, index);
}

/* Of a package its busy time; of a GPU whether a job holds it. */
static uint64_t busy_of(const struct floors *floors, const struct sensor_counter *counter,
                        const uint64_t *busy_ns)
{
    if (counter->component == COMPONENT_GPU)
        return ledger_gpu_is_held(floors->ledger, counter->domain);
    return busy_ns[counter->domain];
}

void floors_tick(struct floors *floors, uint64_t now, const uint64_t *busy_ns)
{
    for (size_t i = 0; i < floors->count; i++) {
        struct learner *learner = &floors->learners[i];
        const struct meter_counter *at = &floors->counters[i];
        bool known = busy_ns && at->has_raw && at->code == 0 && at->read_ns + OLDEST_NS >= now &&
                     at->read_ns > learner->last_ns;
        uint64_t domain_busy_ns;

        if (!learner->learns)
            continue;
        domain_busy_ns = known ? busy_of(floors, at->counter, busy_ns) : 0;
        if (known && learner->has_last)
            observe(floors, i, domain_busy_ns);
        learner->has_last = known;
        learner->last_ns = known ? at->read_ns : learner->last_ns;
        learner->last_raw_uj = at->raw_uj;
        learner->last_busy_ns = domain_busy_ns;
    }
}

int floors_save(const struct floors *floors, struct batch *batch)
{
    for (size_t i = 0; i < floors->count; i++) {
        struct batch_floor record = { 0 };

        if (!floors->learners[i].floor.total)
            continue;
        memcpy(record.source, floors->counters[i].counter->source, sizeof(record.source));
        floor_format(&floors->learners[i].floor, record.histogram, sizeof(record.histogram));
        if (!batch_push(&batch->floors, &batch->n_floors, sizeof(record), &record))
            return -ENOMEM;
    }
    return 0;
}

bool floors_get(const struct floors *floors, size_t index, uint64_t *ret_uw, bool *ret_learned)
{
    const struct learner *learner = &floors->learners[index];

    if (!learner->in_force_uw)
        return false;
    *ret_uw = learner->in_force_uw;
    *ret_learned = learner->learns;
    return true;
}

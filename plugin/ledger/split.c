/*
 * split.c - the rules: who gets what of one slice (ledger.h, rules 1 to 6)
 *
 * For each counter: give() hands out its growth in parts, then book_parts() turns the parts into
 * rows. Whoever has a claim on a counter is touched, so that its time counts even at 0 uJ.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"
#include "ledger/internal.h"

#define HOUR_S 3600
/* A job's claim on one core or device is this much, divided by the jobs that hold it: divisible by
   every number up to 16, so that common sharing is exact. */
#define CLAIM UINT64_C(720720)
/* Clock ticks of /proc/stat are 10 ms: steps' CPU time may seem ahead by this much per core. */
#define DEBT_PER_CORE_NS UINT64_C(100000000)

enum kind { IDLE, ACTIVE };

static bool is_srun_step(const struct lstep *step)
{
    return step->record.step_id < STEP_INTERACTIVE;
}

static bool is_batch_step(const struct lstep *step)
{
    return step->record.step_id == STEP_BATCH || step->record.step_id == STEP_INTERACTIVE;
}

/* --- the slice at hand ----------------------------------------------------------------------- */

static void look_at_step(struct lstep *step, const struct ljob *job, const struct slice *slice)
{
    step->live = job->live && step->from <= slice->from && step->to >= slice->to;
    step->cpu_growth_ns = 0;
    if (step->live)
        step->cpu_growth_ns = series_at(&step->cpu, slice->to) - series_at(&step->cpu, slice->from);
}

/* Who is there, how much CPU time each step used, how many jobs hold each core. */
static void look_at_slice(struct ledger *ledger, const struct slice *slice)
{
    memset(ledger->core_holders, 0, ledger->node.cores * sizeof(*ledger->core_holders));
    for (size_t i = 0; i < ledger->n_jobs; i++) {
        struct ljob *job = ledger->jobs[i];
        const struct idset *cores = &job->record.cores;

        job->live = job->from <= slice->from && job->to >= slice->to;
        memset(job->power, 0, sizeof(job->power));
        for (size_t k = 0; k < job->n_steps; k++)
            look_at_step(job->steps[k], job, slice);
        if (!job->live)
            continue;
        for (int core = idset_next(cores, 0); core >= 0 && (uint32_t)core < ledger->node.cores;
             core = idset_next(cores, (unsigned)core + 1))
            ledger->core_holders[core]++;
    }
    for (uint32_t p = 0; p < ledger->node.packages; p++) {
        struct series *busy = &ledger->packages[p].busy;

        ledger->packages[p].busy_growth_ns =
            series_at(busy, slice->to) - series_at(busy, slice->from);
    }
}

/* Room for the weights and shares of every possible owner: jobs, steps, system, unallocated. */
static int reserve_weights(struct ledger *ledger)
{
    size_t need = ledger->n_jobs + 2;

    for (size_t i = 0; i < ledger->n_jobs; i++)
        need += ledger->jobs[i]->n_steps;
    if (need <= ledger->room_weights)
        return 0;
    need *= 2;
    free(ledger->weights);
    free(ledger->shares);
    ledger->room_weights = 0;
    ledger->weights = malloc(need * sizeof(*ledger->weights));
    ledger->shares = malloc(need * sizeof(*ledger->shares));
    if (!ledger->weights || !ledger->shares)
        return -ENOMEM;
    ledger->room_weights = need;
    return 0;
}

/* --- claims: what a job holds ---------------------------------------------------------------- */

#define ALL_PACKAGES UINT32_MAX

/* A job's claim on the cores of a package, CLAIM for each that it holds alone. */
static uint64_t core_claim(const struct ledger *ledger, const struct ljob *job, uint32_t package)
{
    const struct idset *cores = &job->record.cores;
    uint64_t claim = 0;

    for (int core = idset_next(cores, 0); core >= 0 && (uint32_t)core < ledger->node.cores;
         core = idset_next(cores, (unsigned)core + 1))
        if (package == ALL_PACKAGES || ledger->core_package[core] == package)
            claim += CLAIM / ledger->core_holders[core];
    return claim;
}

static uint64_t free_core_claim(const struct ledger *ledger, uint32_t package)
{
    uint64_t claim = 0;

    for (uint32_t core = 0; core < ledger->node.cores; core++)
        if (ledger->core_holders[core] == 0 &&
            (package == ALL_PACKAGES || ledger->core_package[core] == package))
            claim += CLAIM;
    return claim;
}

static uint32_t gpu_holders(const struct ledger *ledger, uint32_t device)
{
    uint32_t holders = 0;

    for (size_t i = 0; i < ledger->n_jobs; i++)
        holders += ledger->jobs[i]->live && idset_has(&ledger->jobs[i]->record.gpus, device);
    return holders;
}

/* --- giving ---------------------------------------------------------------------------------- */

static void add_part(struct part *part, enum kind kind, uint64_t amount_uj)
{
    part->touched = true;
    if (kind == IDLE)
        part->idle_uj += amount_uj;
    else
        part->active_uj += amount_uj;
}

/* Which of a job's steps hold a device; a step that did not say holds all of its job's. */
static bool holds_device(const struct lstep *step, const struct ljob *job, int device)
{
    if (device < 0)
        return true;
    if (!(step->record.has & STEP_HAS_GPUS))
        return idset_has(&job->record.gpus, (unsigned)device);
    return idset_has(&step->record.gpus, (unsigned)device);
}

/* Evenly to the live steps that `matches` picks. False when there are none. */
static bool give_evenly(struct ledger *ledger, struct ljob *job, enum kind kind, uint64_t amount_uj,
                        int device, bool (*matches)(const struct lstep *))
{
    bool any = false;

    for (size_t k = 0; k < job->n_steps; k++) {
        const struct lstep *step = job->steps[k];

        ledger->weights[k] = step->live && matches(step) &&
                             (is_batch_step(step) || holds_device(step, job, device));
        any = any || ledger->weights[k];
    }
    if (!any)
        return false;
    apportion(amount_uj, ledger->weights, job->n_steps, ledger->shares);
    for (size_t k = 0; k < job->n_steps; k++)
        if (ledger->weights[k])
            add_part(&job->steps[k]->part, kind, ledger->shares[k]);
    return true;
}

/* Rule 5 for idle energy, and rule 1 inside a job (device >= 0). */
static void give_holders(struct ledger *ledger, struct ljob *job, enum kind kind,
                         uint64_t amount_uj, int device)
{
    if (!give_evenly(ledger, job, kind, amount_uj, device, is_srun_step) &&
        !give_evenly(ledger, job, kind, amount_uj, device, is_batch_step))
        add_part(&job->part, kind, amount_uj);
}

/* Rule 5 for active energy that a job was given as a whole: by its steps' CPU time. */
static void give_users(struct ledger *ledger, struct ljob *job, uint64_t amount_uj)
{
    for (size_t k = 0; k < job->n_steps; k++)
        ledger->weights[k] = job->steps[k]->cpu_growth_ns;
    if (apportion(amount_uj, ledger->weights, job->n_steps, ledger->shares) || job->n_steps == 0) {
        give_holders(ledger, job, ACTIVE, amount_uj, -1);
        return;
    }
    for (size_t k = 0; k < job->n_steps; k++)
        if (ledger->weights[k])
            add_part(&job->steps[k]->part, ACTIVE, ledger->shares[k]);
}

/*
 * Split by the claims that ledger->weights holds, one per job and the last for what is free, and
 * give each job's share to its steps. Where nobody has a claim at all, unallocated.
 */
static void give_by_claims(struct ledger *ledger, enum kind kind, uint64_t amount_uj, int device)
{
    size_t n = ledger->n_jobs;
    /* give_evenly() uses the same scratch: claims and shares live behind the steps' part of it */
    uint64_t *claims = ledger->weights + ledger->room_weights - (n + 1);
    uint64_t *shares = ledger->shares + ledger->room_weights - (n + 1);
    uint64_t left = apportion(amount_uj, claims, n + 1, shares);

    for (size_t i = 0; i < n; i++) {
        if (!claims[i])
            continue;
        if (kind == ACTIVE && device < 0)
            give_users(ledger, ledger->jobs[i], shares[i]);
        else
            give_holders(ledger, ledger->jobs[i], kind, shares[i], device);
    }
    if (claims[n] || left)
        add_part(&ledger->unallocated_part, kind, shares[n] + left);
}

static uint64_t *claims_of(struct ledger *ledger)
{
    return ledger->weights + ledger->room_weights - (ledger->n_jobs + 1);
}

static void claim_cores(struct ledger *ledger, uint32_t package)
{
    uint64_t *claims = claims_of(ledger);

    for (size_t i = 0; i < ledger->n_jobs; i++)
        claims[i] = ledger->jobs[i]->live ? core_claim(ledger, ledger->jobs[i], package) : 0;
    claims[ledger->n_jobs] = free_core_claim(ledger, package);
}

static void claim_device(struct ledger *ledger, uint32_t device)
{
    uint64_t *claims = claims_of(ledger);

    for (size_t i = 0; i < ledger->n_jobs; i++)
        claims[i] = ledger->jobs[i]->live && idset_has(&ledger->jobs[i]->record.gpus, device);
    claims[ledger->n_jobs] = gpu_holders(ledger, device) == 0;
}

/* Rule 4: a job's claim on the node, by its devices where the node has any, else by its cores. */
static void claim_node(struct ledger *ledger)
{
    uint64_t *claims = claims_of(ledger);

    claim_cores(ledger, ALL_PACKAGES);
    if (ledger->node.gpus == 0)
        return;
    memset(claims, 0, (ledger->n_jobs + 1) * sizeof(*claims));
    for (uint32_t device = 0; device < ledger->node.gpus; device++) {
        uint32_t holders = gpu_holders(ledger, device);

        if (holders == 0)
            claims[ledger->n_jobs] += CLAIM;
        for (size_t i = 0; i < ledger->n_jobs && holders; i++)
            if (ledger->jobs[i]->live && idset_has(&ledger->jobs[i]->record.gpus, device))
                claims[i] += CLAIM / holders;
    }
}

/* Rule 3: memory of a job on one package's DRAM, in MB x CLAIM so that core shares are exact. */
static void claim_memory(struct ledger *ledger, uint32_t package)
{
    uint64_t *claims = claims_of(ledger);
    uint64_t domain_mb_claim = mul_div(ledger->node.memory_mb, CLAIM, ledger->node.packages);
    uint64_t held = 0;

    if (ledger->node.memory_mb == 0 || ledger->node.cores == 0) {
        claim_cores(ledger, package);
        return;
    }
    for (size_t i = 0; i < ledger->n_jobs; i++) {
        const struct ljob *job = ledger->jobs[i];
        uint64_t here = job->live ? core_claim(ledger, job, package) : 0;
        uint64_t everywhere = here ? core_claim(ledger, job, ALL_PACKAGES) : 0;
        uint64_t memory_mb = job->record.memory_mb < ledger->node.memory_mb
                                 ? job->record.memory_mb
                                 : ledger->node.memory_mb;

        claims[i] = 0;
        if (here && job->record.has & JOB_HAS_MEMORY)
            claims[i] = mul_div(memory_mb * CLAIM, here, everywhere);
        else if (here)
            claims[i] = mul_div(ledger->node.memory_mb, here, ledger->node.cores);
        held += claims[i];
    }
    claims[ledger->n_jobs] = held < domain_mb_claim ? domain_mb_claim - held : 0;
}

/* --- CPU time -------------------------------------------------------------------------------- */

/* The cores that a step runs on: its own, else its job's; NULL when unknown. */
static const struct idset *cores_of(const struct lstep *step, const struct ljob *job)
{
    if (step->record.has & STEP_HAS_CORES && !idset_is_empty(&step->record.cores))
        return &step->record.cores;
    if (job->record.has & JOB_HAS_CORES && !idset_is_empty(&job->record.cores))
        return &job->record.cores;
    return NULL;
}

/* A step's CPU time on one package, as its cores lie. */
static uint64_t cpu_on_package(const struct ledger *ledger, const struct lstep *step,
                               const struct ljob *job, uint32_t package)
{
    const struct idset *cores = cores_of(step, job);
    uint64_t here = 0, all = 0;

    if (step->cpu_growth_ns == 0)
        return 0;
    for (int core = cores ? idset_next(cores, 0) : -1;
         core >= 0 && (uint32_t)core < ledger->node.cores;
         core = idset_next(cores, (unsigned)core + 1)) {
        all++;
        here += ledger->core_package[core] == package;
    }
    if (all == 0) {
        here = ledger->package_cores[package];
        all = ledger->node.cores;
    }
    return all ? mul_div(step->cpu_growth_ns, here, all) : 0;
}

/* What no job used of a package's busy time; the steps' excess over it is carried as debt. */
static uint64_t system_ns(struct ledger *ledger, uint32_t package, uint64_t steps_ns,
                          bool last_counter_of_package)
{
    struct lpackage *p = &ledger->packages[package];
    uint64_t excess_ns = steps_ns + p->job_debt_ns;
    uint64_t limit_ns = DEBT_PER_CORE_NS * ledger->package_cores[package];
    uint64_t debt_ns = excess_ns > p->busy_growth_ns ? excess_ns - p->busy_growth_ns : 0;

    if (last_counter_of_package)
        p->job_debt_ns = debt_ns < limit_ns ? debt_ns : limit_ns;
    return excess_ns < p->busy_growth_ns ? p->busy_growth_ns - excess_ns : 0;
}

/* Weights of all steps, in order, and of system last; returns their number. */
static size_t weigh_users(struct ledger *ledger, uint32_t package, uint64_t *ret_sum_ns)
{
    size_t n = 0;

    *ret_sum_ns = 0;
    for (size_t i = 0; i < ledger->n_jobs; i++) {
        const struct ljob *job = ledger->jobs[i];

        for (size_t k = 0; k < job->n_steps; k++) {
            ledger->weights[n] = cpu_on_package(ledger, job->steps[k], job, package);
            *ret_sum_ns += ledger->weights[n++];
        }
    }
    return n;
}

/* The active part of a package or its memory, by CPU time. False when nobody used any. */
static bool give_by_cpu(struct ledger *ledger, uint32_t package, uint64_t amount_uj, bool settle)
{
    uint64_t steps_ns;
    size_t system = weigh_users(ledger, package, &steps_ns), n = 0;

    ledger->weights[system] = system_ns(ledger, package, steps_ns, settle);
    if (steps_ns == 0 && ledger->weights[system] == 0)
        return false;
    apportion(amount_uj, ledger->weights, system + 1, ledger->shares);
    for (size_t i = 0; i < ledger->n_jobs; i++)
        for (size_t k = 0; k < ledger->jobs[i]->n_steps; k++, n++)
            if (ledger->weights[n])
                add_part(&ledger->jobs[i]->steps[k]->part, ACTIVE, ledger->shares[n]);
    if (ledger->weights[system])
        add_part(&ledger->system_part, ACTIVE, ledger->shares[system]);
    return true;
}

/* --- booking --------------------------------------------------------------------------------- */

static int add_total(struct ledger *ledger, int64_t hour_s, enum component component,
                     uint64_t counted_uj)
{
    struct batch_total total = { 0, hour_s, component, counted_uj };

    ledger->counted_uj[component] += counted_uj;
    for (size_t i = ledger->n_totals; i-- > 0;) {
        if (ledger->totals[i].hour_s == hour_s && ledger->totals[i].component == component) {
            ledger->totals[i].counted_uj += counted_uj;
            return 0;
        }
    }
    return batch_push(&ledger->totals, &ledger->n_totals, sizeof(total), &total) ? 0 : -ENOMEM;
}

/* Turn one part into a row, and clear it. */
static int book_part(struct rows *rows, struct part *part, const struct row *like)
{
    struct row row = *like;
    int rc = 0;

    row.active_uj = part->active_uj;
    row.idle_uj = part->idle_uj;
    if (part->touched)
        rc = rows_add(rows, &row);
    *part = (struct part){ 0 };
    return rc;
}

static void note_power(struct ljob *job, const struct part *part, const struct row *like)
{
    struct lpower *power = &job->power[like->component];

    power->energy_uj += part->active_uj + part->idle_uj;
    if (part->touched && power->metered_ns < like->metered_ns)
        power->metered_ns = like->metered_ns;
}

static int book_job(struct ljob *job, const struct row *like)
{
    int rc;

    note_power(job, &job->part, like);
    rc = book_part(&job->rows, &job->part, like);
    for (size_t k = 0; k < job->n_steps && rc == 0; k++) {
        struct part *part = &job->steps[k]->part;

        note_power(job, part, like);
        rc = book_part(&job->steps[k]->rows, part, like);
    }
    return rc;
}

static struct row row_like(const struct counter *counter, const struct slice *slice)
{
    struct row row = {
        .hour_s = slice->minute_s - slice->minute_s % HOUR_S,
        .component = counter->component,
        .quality = counter->quality,
        .elapsed_ns = slice->to - slice->from,
        .metered_ns = series_known_ns(&counter->series, slice->from, slice->to),
    };

    if (row.metered_ns == 0)
        row.quality = QUALITY_GAP;
    memcpy(row.sensor, counter->sensor, sizeof(row.sensor));
    return row;
}

static int book_parts(struct ledger *ledger, const struct counter *counter,
                      const struct slice *slice, uint64_t amount_uj)
{
    struct row like = row_like(counter, slice);
    int rc = add_total(ledger, like.hour_s, counter->component, amount_uj);

    for (size_t i = 0; i < ledger->n_jobs && rc == 0; i++)
        rc = book_job(ledger->jobs[i], &like);
    if (rc == 0)
        rc = book_part(&ledger->system, &ledger->system_part, &like);
    if (rc == 0)
        rc = book_part(&ledger->unallocated, &ledger->unallocated_part, &like);
    return rc;
}

/* What a part counted is owed by the node meter's growth. */
static void owe_parts(struct ledger *ledger, uint64_t amount_uj)
{
    for (size_t i = 0; i < ledger->n_counters; i++)
        if (ledger->counters[i].component == COMPONENT_OTHER && ledger->counters[i].series.has_base)
            ledger->counters[i].debt_uj += amount_uj;
}

/* What of a node meter's growth is `other`, after what its parts are owed. */
static uint64_t pay_debt(struct counter *counter, uint64_t node_uj)
{
    uint64_t paid_uj = node_uj < counter->debt_uj ? node_uj : counter->debt_uj;

    counter->debt_uj -= paid_uj;
    return node_uj - paid_uj;
}

int book_silence(struct ledger *ledger, struct counter *counter, const struct slice *slice)
{
    struct row row = row_like(counter, slice);
    uint64_t amount_uj =
        series_at(&counter->series, slice->to) - series_at(&counter->series, slice->from);
    int rc;

    if (counter->component == COMPONENT_OTHER)
        amount_uj = pay_debt(counter, amount_uj);
    else
        owe_parts(ledger, amount_uj);
    if (amount_uj == 0)
        return 0;
    row.quality = QUALITY_GAP;
    row.active_uj = amount_uj;
    row.metered_ns = row.elapsed_ns = 0;
    rc = add_total(ledger, row.hour_s, counter->component, amount_uj);
    return rc < 0 ? rc : rows_add(&ledger->unallocated, &row);
}

/* --- the rules ------------------------------------------------------------------------------- */

static uint64_t floor_part(const struct counter *counter, const struct slice *slice,
                           uint64_t amount_uj)
{
    uint64_t floor_uj = mul_div(counter->floor_uw, slice->to - slice->from, NS_PER_S);

    return floor_uj < amount_uj ? floor_uj : amount_uj;
}

/* Rule 1 */
static void give_gpu(struct ledger *ledger, const struct counter *counter,
                     const struct slice *slice, uint64_t amount_uj)
{
    uint64_t floor_uj = floor_part(counter, slice, amount_uj);

    claim_device(ledger, counter->domain);
    give_by_claims(ledger, IDLE, floor_uj, (int)counter->domain);
    give_by_claims(ledger, ACTIVE, amount_uj - floor_uj, (int)counter->domain);
}

/* Rules 2 and 3 */
static void give_package(struct ledger *ledger, const struct counter *counter,
                         const struct slice *slice, uint64_t amount_uj, bool settle)
{
    uint64_t floor_uj = floor_part(counter, slice, amount_uj);
    uint32_t package = counter->domain < ledger->node.packages ? counter->domain : 0;

    if (counter->component == COMPONENT_MEMORY)
        claim_memory(ledger, package);
    else
        claim_cores(ledger, package);
    give_by_claims(ledger, IDLE, floor_uj, -1);
    if (!give_by_cpu(ledger, package, amount_uj - floor_uj, settle))
        give_by_claims(ledger, ACTIVE, amount_uj - floor_uj, -1);
}

/* Whether it was read at all until then: in an earlier window or in this one. */
static bool began_by(const struct series *series, uint64_t at)
{
    return series->has_base || (series->count && series->points[0].at <= at);
}

/* Rule 4; returns what of the node meter's growth is `other`. */
static uint64_t give_other(struct ledger *ledger, struct counter *counter,
                           const struct slice *slice, uint64_t node_uj, uint64_t parts_uj)
{
    uint64_t other_uj = 0, floor_uj;

    if (series_known_ns(&counter->series, slice->from, slice->to)) {
        counter->debt_uj += parts_uj;
        other_uj = pay_debt(counter, node_uj);
    } else if (began_by(&counter->series, slice->from)) {
        counter->pending_uj += parts_uj;
    }
    floor_uj = floor_part(counter, slice, other_uj);
    claim_node(ledger);
    for (size_t i = 0; i < ledger->n_jobs; i++)
        if (ledger->jobs[i]->live && !claims_of(ledger)[i]) /* no GPU: its part is a metered 0 J */
            add_part(&ledger->jobs[i]->part, IDLE, 0);
    give_by_claims(ledger, IDLE, floor_uj, -1);
    give_by_claims(ledger, ACTIVE, other_uj - floor_uj, -1);
    return other_uj;
}

/* A counter is the last of its package when no later one of cpu or memory lies on it: then the
   package's CPU debt is settled, once a slice. */
static bool is_last_of_package(const struct ledger *ledger, size_t index)
{
    for (size_t i = index + 1; i < ledger->n_counters; i++)
        if (!ledger->counters[i].gone &&
            ledger->counters[i].domain == ledger->counters[index].domain &&
            ledger->counters[i].component <= COMPONENT_MEMORY)
            return false;
    return true;
}

/* The record of the minute at hand, at the end of the job's records; NULL: there is none yet. */
static struct batch_power *find_power(const struct ljob *job, int64_t minute_s, unsigned component)
{
    for (size_t i = job->n_powers; i-- > 0 && job->powers[i].minute_s == minute_s;)
        if (job->powers[i].component == component)
            return &job->powers[i];
    return NULL;
}

/* What the slice gave the job of one component; nothing where it has no part, or nothing is known:
   no record is no knowledge, and 0 uJ is a measured nothing. */
static int add_power(struct ljob *job, const struct slice *slice, unsigned component)
{
    const struct lpower *given = &job->power[component];
    struct batch_power *power = find_power(job, slice->minute_s, component);
    struct batch_power fresh = {
        .has = POWER_HAS_COMPONENT, .minute_s = slice->minute_s, .ref = job->record.ref,
        .component = component, .energy_uj = given->energy_uj, .span_ns = given->metered_ns,
    };

    if (given->metered_ns == 0 && given->energy_uj == 0)
        return 0;
    if (!power)
        return batch_push(&job->powers, &job->n_powers, sizeof(fresh), &fresh) ? 0 : -ENOMEM;
    power->energy_uj += given->energy_uj;
    power->span_ns += given->metered_ns;
    return 0;
}

static int add_powers(struct ljob *job, const struct slice *slice)
{
    int rc = 0;

    for (unsigned c = 0; c < COMPONENT_COUNT && rc == 0; c++)
        rc = add_power(job, slice, c);
    return rc;
}

static int split_counter(struct ledger *ledger, size_t index, const struct slice *slice,
                         uint64_t *parts_uj)
{
    struct counter *counter = &ledger->counters[index];
    uint64_t amount_uj =
        series_at(&counter->series, slice->to) - series_at(&counter->series, slice->from);

    if (counter->component == COMPONENT_OTHER) {
        amount_uj = give_other(ledger, counter, slice, amount_uj, *parts_uj);
    } else {
        *parts_uj += amount_uj;
        if (counter->component == COMPONENT_GPU)
            give_gpu(ledger, counter, slice, amount_uj);
        else
            give_package(ledger, counter, slice, amount_uj, is_last_of_package(ledger, index));
    }
    return book_parts(ledger, counter, slice, amount_uj);
}

int split_slice(struct ledger *ledger, const struct slice *slice)
{
    uint64_t parts_uj = 0;
    int rc = reserve_weights(ledger);

    if (rc < 0)
        return rc;
    look_at_slice(ledger, slice);
    for (int pass = 0; pass < 2; pass++) /* the node meter last: it is given what the parts leave */
        for (size_t i = 0; i < ledger->n_counters && rc == 0; i++)
            if ((ledger->counters[i].component == COMPONENT_OTHER) == pass &&
                !ledger->counters[i].gone)
                rc = split_counter(ledger, i, slice, &parts_uj);
    for (size_t i = 0; i < ledger->n_jobs && rc == 0; i++)
        if (ledger->jobs[i]->live)
            rc = add_powers(ledger->jobs[i], slice);
    return rc;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakesys_model.c - energy and CPU time of the simulated machine.
 *
 * 1. A domain's true energy is an integral that is never rounded, reset or
 *    bent by a command: only its rate changes.
 * 2. What a counter shows is (true uJ + offset) mod range. jump, near-wrap and
 *    reboot move the offset; faults change one reading; neither touches 1.
 */
#include "fakesys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Near idle of a two-socket server, nested as on hardware: core and uncore
 * inside package, package and DRAM inside psys. */
#define DEFAULT_PACKAGE_UW UINT64_C(60000000)
#define DEFAULT_DRAM_UW UINT64_C(6000000)
#define DEFAULT_CORE_UW UINT64_C(30000000)
#define DEFAULT_UNCORE_UW UINT64_C(5000000)
#define DEFAULT_REST_UW UINT64_C(40000000)
#define DEFAULT_GPU_UW UINT64_C(60000000)

#define NVML_REFRESH_NS UINT64_C(20000000)
#define PM_REFRESH_NS UINT64_C(100000000)

#define NO_RANGE_UJ (UINT64_C(1) << 62) /* wraps in no lifetime */
#define NS_PER_TICK (NS_PER_S / 100) /* USER_HZ */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t boottime_ns(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}

uint64_t walltime_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

u128 integral_at(const struct integral *integral, uint64_t now_ns)
{
    if (now_ns <= integral->since_ns)
        return integral->total;
    return integral->total + (u128)integral->rate * (now_ns - integral->since_ns);
}

void integral_set_rate(struct integral *integral, uint64_t rate, uint64_t now_ns)
{
    integral->total = integral_at(integral, now_ns);
    integral->rate = rate;
    if (now_ns > integral->since_ns)
        integral->since_ns = now_ns;
}

/* --- setting up ----------------------------------------------------------- */

static void make_boot_id(char id[37])
{
    uint8_t bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        memset(bytes, 0x5a, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);     /* RFC 4122: version 4, */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);     /* variant 1 */
    for (int i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            id[at++] = '-';
        snprintf(id + at, 3, "%02x", bytes[i]);
        at += 2;
    }
}

static int add_domain(struct machine *machine, const char *kind, int number, uint64_t power_uw,
                      int parent, uint64_t now_ns)
{
    int index = machine->domain_count++;
    struct domain *domain = &machine->domains[index];

    if (number < 0)
        snprintf(domain->name, sizeof(domain->name), "%s", kind);
    else
        snprintf(domain->name, sizeof(domain->name), "%s-%d", kind, number);
    domain->nominal_uw = power_uw;
    domain->true_fj.rate = power_uw;
    domain->true_fj.since_ns = now_ns;
    domain->parent = parent;
    domain->range_uj = strcmp(kind, "dram") == 0 ? machine->options.dram_range_uj
                                                 : machine->options.range_uj;
    if (strcmp(kind, "gpu") == 0 || strcmp(kind, "node") == 0)
        domain->range_uj = NO_RANGE_UJ;
    /* Real counters are never found at zero, and no two alike. */
    domain->offset_uj = (UINT64_C(12345678901) * (uint64_t)(index + 1)) % domain->range_uj;
    return index;
}

static uint64_t add_sockets(struct machine *machine, uint64_t now_ns)
{
    const struct options *options = &machine->options;
    uint64_t sum_uw = 0;

    for (unsigned int i = 0; i < options->sockets; i++) {
        int socket = (int)i;
        int package = add_domain(machine, "package", socket, DEFAULT_PACKAGE_UW, -1, now_ns);

        sum_uw += DEFAULT_PACKAGE_UW + DEFAULT_DRAM_UW;
        if (options->core)
            add_domain(machine, "core", socket, DEFAULT_CORE_UW, package, now_ns);
        if (options->uncore)
            add_domain(machine, "uncore", socket, DEFAULT_UNCORE_UW, package, now_ns);
        if (options->dram)
            add_domain(machine, "dram", socket, DEFAULT_DRAM_UW, package, now_ns);
    }
    return sum_uw;
}

static void add_domains(struct machine *machine, uint64_t now_ns)
{
    const struct options *options = &machine->options;
    uint64_t sum_uw = DEFAULT_REST_UW;

    if (options->rapl)
        sum_uw += add_sockets(machine, now_ns);
    if (options->rapl && options->psys)
        add_domain(machine, "psys", -1, sum_uw, -1, now_ns);
    for (unsigned int i = 0; i < options->gpus; i++, sum_uw += DEFAULT_GPU_UW)
        add_domain(machine, "gpu", (int)i, DEFAULT_GPU_UW, -1, now_ns);
    if (options->node_meter)
        add_domain(machine, "node", -1, sum_uw, -1, now_ns);
}

static void add_cpus(struct machine *machine, uint64_t now_ns)
{
    const struct options *options = &machine->options;
    unsigned int per_round = options->sockets * options->cores;

    for (int i = 0; i < machine->cpu_count; i++) {
        unsigned int slot = (unsigned int)i % per_round;
        struct cpu *cpu = &machine->cpus[i];

        cpu->socket = options->interleave ? slot % options->sockets : slot / options->cores;
        cpu->core = options->interleave ? slot / options->sockets : slot % options->cores;
        cpu->busy_ppm_ns.since_ns = now_ns;
    }
}

int model_init(struct machine *machine, uint64_t now_ns)
{
    const struct options *options = &machine->options;
    size_t most_domains = (size_t)options->sockets * 4 + options->gpus + 2;

    machine->cpu_count = (int)(options->sockets * options->cores * options->threads);
    machine->domains = calloc(most_domains, sizeof(*machine->domains));
    machine->cpus = calloc((size_t)machine->cpu_count, sizeof(*machine->cpus));
    if (!machine->domains || !machine->cpus)
        return -ENOMEM;
    add_cpus(machine, now_ns);
    add_domains(machine, now_ns);
    machine->random_state = options->seed;
    machine->boot_ns = now_ns;
    make_boot_id(machine->boot_id);
    return 0;
}

void model_destroy(struct machine *machine)
{
    free(machine->domains);
    free(machine->cpus);
    machine->domains = NULL;
    machine->cpus = NULL;
}

void model_reboot(struct machine *machine, uint64_t now_ns)
{
    make_boot_id(machine->boot_id);
    machine->boot_ns = now_ns;
    for (int i = 0; i < machine->domain_count; i++) {
        struct domain *domain = &machine->domains[i];

        domain_set_counter(domain, 0, now_ns);
        domain->fault = FAULT_NONE;
        domain->delay_us = 0;
    }
    for (int i = 0; i < machine->cpu_count; i++) {
        struct cpu *cpu = &machine->cpus[i];

        cpu->boot_ppm_ns = integral_at(&cpu->busy_ppm_ns, now_ns);
    }
}

/* --- noise ---------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood 2014): any seed gives a good sequence. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = (*state += UINT64_C(0x9e3779b97f4a7c15));

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

void model_noise_step(struct machine *machine, uint64_t now_ns)
{
    uint64_t span_ppm = machine->options.noise_ppm;

    for (int i = 0; i < machine->domain_count; i++) {
        struct domain *domain = &machine->domains[i];
        uint64_t random = next_random(&machine->random_state);
        uint64_t factor_ppm = PPM_PER_ONE - span_ppm + random % (2 * span_ppm + 1);
        u128 power_uw = (u128)domain->nominal_uw * factor_ppm / PPM_PER_ONE;

        integral_set_rate(&domain->true_fj, (uint64_t)power_uw, now_ns);
        truth_log_domain(machine, i, "noise", now_ns);
    }
}

/* --- reading -------------------------------------------------------------- */

static uint64_t true_modulo_uj(const struct domain *domain, uint64_t now_ns)
{
    return (uint64_t)(integral_at(&domain->true_fj, now_ns) / FJ_PER_UJ % domain->range_uj);
}

uint64_t domain_counter_uj(const struct domain *domain, uint64_t now_ns)
{
    u128 sum_uj = (u128)true_modulo_uj(domain, now_ns) + domain->offset_uj;

    return (uint64_t)(sum_uj % domain->range_uj);
}

void domain_set_counter(struct domain *domain, uint64_t counter_uj, uint64_t now_ns)
{
    u128 sum_uj = (u128)counter_uj + domain->range_uj - true_modulo_uj(domain, now_ns);

    domain->offset_uj = (uint64_t)(sum_uj % domain->range_uj);
}

bool domain_is_gone(const struct machine *machine, int domain)
{
    for (; domain >= 0; domain = machine->domains[domain].parent) {
        if (machine->domains[domain].fault == FAULT_VANISH)
            return true;
    }
    return false;
}

/* The fault that this reading has; one with a count ends by being read. */
static enum fault take_fault(struct domain *domain)
{
    enum fault fault = domain->fault;

    if (fault != FAULT_NONE && domain->fault_left != FAULT_FOREVER && --domain->fault_left == 0)
        domain->fault = FAULT_NONE;
    return fault;
}

/* One reading in uJ as of at_ns: 1 when there is one, 0 when `out` has what stands for it, or an
   errno. */
static int take_reading(struct machine *machine, int arg, uint64_t at_ns, FILE *out,
                        uint64_t *ret_uj)
{
    struct domain *domain = &machine->domains[arg];

    if (machine->is_log_broken)
        return -EIO;
    if (domain_is_gone(machine, arg))
        return -ENODEV;         /* what kernfs says on a descriptor kept open */
    domain->reading_count++;
    *ret_uj = domain_counter_uj(domain, at_ns);
    switch (take_fault(domain)) {
    case FAULT_FAIL:
        return -(int)domain->fault_value;
    case FAULT_SPIKE:
        *ret_uj *= domain->fault_value;
        break;
    case FAULT_STUCK:
        *ret_uj = domain->fault_value;
        break;
    case FAULT_GARBAGE:
        fprintf(out, "%s\n", domain->fault_text);
        return 0;
    case FAULT_EMPTY:
        return 0;
    case FAULT_NONE:
    case FAULT_VANISH:
        break;
    }
    return 1;
}

int show_energy(struct machine *machine, int arg, uint64_t now_ns, FILE *out)
{
    uint64_t uj;
    int rc = take_reading(machine, arg, now_ns, out, &uj);

    if (rc == 1)
        fprintf(out, "%" PRIu64 "\n", uj);
    return rc < 0 ? rc : 0;
}

int show_energy_mj(struct machine *machine, int arg, uint64_t now_ns, FILE *out)
{
    uint64_t uj;
    int rc = take_reading(machine, arg, now_ns - now_ns % NVML_REFRESH_NS, out, &uj);

    if (rc == 1)
        fprintf(out, "%" PRIu64 "\n", uj / 1000);
    return rc < 0 ? rc : 0;
}

int show_power_mw(struct machine *machine, int arg, uint64_t now_ns, FILE *out)
{
    (void)now_ns;
    if (domain_is_gone(machine, arg))
        return -ENODEV;
    fprintf(out, "%" PRIu64 "\n", machine->domains[arg].true_fj.rate / 1000);
    return 0;
}

int show_pm_energy(struct machine *machine, int arg, uint64_t now_ns, FILE *out)
{
    uint64_t at_ns = now_ns - now_ns % PM_REFRESH_NS, uj;
    int rc = take_reading(machine, arg, at_ns, out, &uj);

    if (rc == 1)
        fprintf(out, "%" PRIu64 " J %" PRIu64 " us\n", uj / 1000000, at_ns / 1000);
    return rc < 0 ? rc : 0;
}

int show_pm_freshness(struct machine *machine, int arg, uint64_t now_ns, FILE *out)
{
    (void)machine, (void)arg;
    fprintf(out, "%" PRIu64 "\n", now_ns / PM_REFRESH_NS);
    return 0;
}

struct ticks {
    uint64_t busy;
    uint64_t idle;
};

static struct ticks cpu_ticks(const struct machine *machine, const struct cpu *cpu, uint64_t now_ns)
{
    u128 busy_ppm_ns = integral_at(&cpu->busy_ppm_ns, now_ns) - cpu->boot_ppm_ns;
    uint64_t busy_ns = (uint64_t)(busy_ppm_ns / PPM_PER_ONE);
    uint64_t up_ns = now_ns > machine->boot_ns ? now_ns - machine->boot_ns : 0;

    return (struct ticks){
        .busy = busy_ns / NS_PER_TICK,
        .idle = up_ns > busy_ns ? (up_ns - busy_ns) / NS_PER_TICK : 0,
    };
}

static void show_ticks(FILE *out, const char *label, struct ticks ticks)
{
    /* user nice system idle iowait irq softirq steal guest guest_nice */
    fprintf(out, "%s %" PRIu64 " 0 0 %" PRIu64 " 0 0 0 0 0 0\n", label, ticks.busy, ticks.idle);
}

int show_proc_stat(struct machine *machine, int arg, uint64_t now_ns, FILE *out)
{
    struct ticks sum = { 0 };

    (void)arg;
    for (int i = 0; i < machine->cpu_count; i++) {
        struct ticks ticks = cpu_ticks(machine, &machine->cpus[i], now_ns);

        sum.busy += ticks.busy;
        sum.idle += ticks.idle;
    }
    show_ticks(out, "cpu ", sum);       /* the kernel puts two blanks here */
    for (int i = 0; i < machine->cpu_count; i++) {
        char label[NAME_SIZE];

        snprintf(label, sizeof(label), "cpu%d", i);
        show_ticks(out, label, cpu_ticks(machine, &machine->cpus[i], now_ns));
    }
    fprintf(out, "intr 0\nctxt 0\nbtime %" PRIu64 "\nprocesses 1\nprocs_running 1\n"
            "procs_blocked 0\nsoftirq 0\n",
            (walltime_ns() - (now_ns - machine->boot_ns)) / NS_PER_S);
    return 0;
}

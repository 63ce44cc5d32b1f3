/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakesys - a machine's energy counters, topology and CPU time, simulated below
 * the kernel interface: a FUSE file system to use as a sensor root directory.
 *
 *     fakesys MOUNTPOINT --state DIR [OPTION...]
 *     fakesys --truth STATE FROM TO [DOMAIN...]
 *     fakesys --now
 *
 * The first form mounts and serves until SIGTERM, SIGINT or an unmount. It is
 * ready when DIR/pid exists, which goes when it ends; with -d the command returns
 * when it is ready. It needs /dev/fuse, and root or fusermount3.
 *
 * LAYOUT (below MOUNTPOINT)
 *   sys/class/powercap/                 links, as on Linux:
 *     intel-rapl:P                      package-P  (psys: the number after the last)
 *     intel-rapl:P:K                    core, uncore, dram: those asked for, in the
 *                                       driver's order, from 0; nested and linked here
 *     intel-rapl-mmio:P                 --mmio: package-P again, the same counter
 *   sys/devices/virtual/powercap/...    what they point to: name, energy_uj (0400),
 *                                       max_energy_range_uj, enabled, constraint_0_*
 *   sys/devices/system/cpu, .../node    enough for hwloc: sockets, cores, threads,
 *                                       one memory node per socket. hwloc's x86
 *                                       component asks the real CPU: disable it
 *                                       (HWLOC_COMPONENTS=-x86)
 *   proc/stat                           busy CPU time as user ticks (USER_HZ 100)
 *   proc/cpuinfo, proc/meminfo, proc/sys/kernel/random/boot_id
 *   fake/nvml/gpuN/                     --gpus: what the fake libnvidia-ml.so.1 answers with
 *                                       (FAKE_NVML_DIR); energy_mj refreshed every 20 ms
 *   proc/driver/nvidia/version          --gpus
 *   sys/cray/pm_counters/               --node-meter: energy, to 1 J every 100 ms
 *   ctl                                 control commands in, state out
 *
 * READINGS are computed at the moment of the read from CLOCK_BOOTTIME:
 *     energy_uj = (true energy + offset) mod range
 * Every read at offset 0 is a new one, also on a descriptor kept open.
 *
 * CONTROL: lines written to ctl, `echo power package-0 120.5 > MOUNTPOINT/ctl`.
 * All lines of one write happen at the same instant. A line that is refused
 * makes the write fail with EINVAL; reading ctl says why, and shows every domain.
 * DOMAIN is a shell pattern over package-N, dram-N, core-N, uncore-N, psys, gpu-N, node
 * ('*', 'package-*'). READINGS limits a fault to so many readings.
 *   power DOMAIN WATTS               from now on (decimals to 0.000001)
 *   fail DOMAIN ERRNO [READINGS]     reads give EIO, ENODATA, ...; default: until ok
 *   spike DOMAIN FACTOR [READINGS]   the reading times FACTOR; default one reading
 *   garbage DOMAIN [TEXT [READINGS]] TEXT in place of a number; default: until ok
 *   empty DOMAIN [READINGS]          reads give end of file; default: until ok
 *   stuck DOMAIN [READINGS]          the counter stands still; default: until ok
 *   vanish DOMAIN                    its zone is gone (a package's subzones too);
 *                                    descriptors kept open read ENODEV; until ok
 *   slow DOMAIN SECONDS              every reading takes so long
 *   ok DOMAIN                        ends faults and slowness
 *   jump DOMAIN [-]UJ                the counter steps, a step back not below 0
 *   set DOMAIN UJ                    the counter is UJ now
 *   near-wrap DOMAIN JOULES          the counter wraps so many joules from now
 *   busy CPU|FIRST-LAST|* FRACTION   CPUs are busy so much of the time, 0 to 1
 *   reboot                           counters and ticks at 0, faults gone, new boot_id
 * No command but power (and noise) touches the true energy.
 *
 * TRUTH: DIR/truth.csv has a line for every change and command,
 *     boottime_ns,wall_ns,domain,event,energy_uj,energy_rest_fj,power_uw
 * with the domain's true energy at that instant since its first line, unwrapped
 * (energy_uj whole, energy_rest_fj the rest below 1 uJ in 10^-15 J), and the
 * power from then on: the energy at a later t, up to the next line, is
 * energy + power x (t - boottime_ns), with nothing rounded. event is the
 * command, or start, noise, stop. DIR/busy.csv is the same for CPU time:
 *     boottime_ns,wall_ns,cpu,event,busy_ns,busy_rest_ppm,busy_ppm
 * Both are appended to: a second run on the same DIR goes on from the totals.
 *   --truth prints the true energy in uJ between two instants (ns of
 * CLOCK_BOOTTIME, `start` or `now`): a bare number for one DOMAIN, otherwise
 * "DOMAIN NUMBER" lines; cpu-N gives busy time in ns. It is exact also
 * while the simulation runs, and what it prints is additive: whole uJ at TO less
 * whole uJ at FROM, just what a counter without wrap would have advanced by.
 *   --now prints CLOCK_BOOTTIME in ns, for shell scripts.
 */
#include "config.h"
#include "fakesys.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SOCKETS 64
#define MAX_CORES 512
#define MAX_CPUS 4096
#define MAX_COMMANDS 64

/* Intel's package counter: 2^32 units of 61035 nJ; max_energy_range_uj says 262143328850. */
#define DEFAULT_RANGE_UJ UINT64_C(262143328911)

enum option_code {
    OPTION_STATE = 1000,
    OPTION_SOCKETS,
    OPTION_CORES,
    OPTION_THREADS,
    OPTION_DIES,
    OPTION_MEMORY,
    OPTION_RANGE,
    OPTION_DRAM_RANGE,
    OPTION_COMMAND,
    OPTION_NOISE,
    OPTION_SEED,
    OPTION_GPUS,
    OPTION_NODE_METER,
    OPTION_NO_RAPL,
    OPTION_NO_DRAM,
    OPTION_CORE,
    OPTION_UNCORE,
    OPTION_PSYS,
    OPTION_MMIO,
    OPTION_INTERLEAVE,
    OPTION_REVERSE_ZONES,
    OPTION_DAEMONIZE,
    OPTION_HELP,
};

static const struct {
    const char *name;
    int argument;               /* no_argument, required_argument, optional_argument */
    enum option_code code;
    const char *help;
} option_table[] = {
    { "state", required_argument, OPTION_STATE, "DIR  truth log and pid file (needed)" },
    { "sockets", required_argument, OPTION_SOCKETS, "N  packages (1)" },
    { "cores", required_argument, OPTION_CORES, "N  cores per package (4)" },
    { "threads", required_argument, OPTION_THREADS, "N  threads per core (1)" },
    { "dies", required_argument, OPTION_DIES,
      "N  zones package-P-die-D that mirror one counter (1: package-P)" },
    { "memory", required_argument, OPTION_MEMORY, "MIB  of the machine (16384)" },
    { "range", required_argument, OPTION_RANGE, "UJ  where counters wrap (262143328911)" },
    { "dram-range", required_argument, OPTION_DRAM_RANGE, "UJ  where dram wraps (as --range)" },
    { "command", required_argument, OPTION_COMMAND,
      "LINE  a control command at start; repeatable" },
    { "noise", optional_argument, OPTION_NOISE, "[=PERCENT]  vary powers every 50 ms (10)" },
    { "seed", required_argument, OPTION_SEED, "N  of the noise (1)" },
    { "gpus", required_argument, OPTION_GPUS, "N  NVIDIA GPUs, for the fake libnvidia-ml (0)" },
    { "node-meter", no_argument, OPTION_NODE_METER, "Cray's pm_counters, of the whole node" },
    { "no-rapl", no_argument, OPTION_NO_RAPL, "no powercap at all" },
    { "no-dram", no_argument, OPTION_NO_DRAM, "no dram subzones, as on AMD" },
    { "core", no_argument, OPTION_CORE, "core subzones" },
    { "uncore", no_argument, OPTION_UNCORE, "uncore subzones" },
    { "psys", no_argument, OPTION_PSYS, "a psys zone" },
    { "mmio", no_argument, OPTION_MMIO, "intel-rapl-mmio duplicates of the packages" },
    { "interleave", no_argument, OPTION_INTERLEAVE, "CPU numbers go round the sockets" },
    { "reverse-zones", no_argument, OPTION_REVERSE_ZONES, "intel-rapl:0 is the last package" },
    { "daemonize", no_argument, OPTION_DAEMONIZE, "(-d) return once mounted" },
    { "help", no_argument, OPTION_HELP, "this text" },
};

#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

struct setup {
    struct options options;
    const char *commands[MAX_COMMANDS];
    size_t command_count;
};

static void usage(FILE *out)
{
    fprintf(out, "usage: fakesys MOUNTPOINT --state DIR [OPTION...]\n"
            "       fakesys --truth STATE FROM TO [DOMAIN...]\n"
            "       fakesys --now\n");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        fprintf(out, "  --%s %s\n", option_table[i].name, option_table[i].help);
    fprintf(out, "control commands:\n");
    control_usage(out);
}

/* --- options -------------------------------------------------------------- */

static int parse_unsigned(const char *text, unsigned int max, unsigned int *ret_value)
{
    uint64_t value;

    if (parse_count(text, max, &value) < 0 || value == 0)
        return -EINVAL;
    *ret_value = (unsigned int)value;
    return 0;
}

static int parse_range(const char *text, uint64_t *ret_range_uj)
{
    uint64_t range_uj;

    if (parse_count(text, INT64_MAX, &range_uj) < 0 || range_uj == 0)
        return -EINVAL;
    *ret_range_uj = range_uj;
    return 0;
}

static int parse_noise(const char *text, uint64_t *ret_ppm)
{
    int64_t percent_micro;

    if (!text)
        text = "10";
    if (parse_micro(text, &percent_micro) < 0 || percent_micro < 0 || percent_micro > 100000000)
        return -EINVAL;
    *ret_ppm = (uint64_t)percent_micro / 100;
    return 0;
}

static int add_command(struct setup *setup, const char *line)
{
    if (setup->command_count == MAX_COMMANDS)
        return -EINVAL;
    setup->commands[setup->command_count++] = line;
    return 0;
}

static int set_flag(bool *ret_flag, bool value)
{
    *ret_flag = value;
    return 0;
}

static int apply_option(struct setup *setup, enum option_code code, const char *text)
{
    struct options *options = &setup->options;

    switch (code) {
    case OPTION_STATE:
        options->state_dir = text;
        return 0;
    case OPTION_SOCKETS:
        return parse_unsigned(text, MAX_SOCKETS, &options->sockets);
    case OPTION_CORES:
        return parse_unsigned(text, MAX_CORES, &options->cores);
    case OPTION_THREADS:
        return parse_unsigned(text, 8, &options->threads);
    case OPTION_DIES:
        return parse_unsigned(text, 16, &options->dies);
    case OPTION_MEMORY:
        return parse_count(text, UINT32_MAX, &options->memory_mib);
    case OPTION_RANGE:
        return parse_range(text, &options->range_uj);
    case OPTION_DRAM_RANGE:
        return parse_range(text, &options->dram_range_uj);
    case OPTION_COMMAND:
        return add_command(setup, text);
    case OPTION_NOISE:
        return parse_noise(text, &options->noise_ppm);
    case OPTION_SEED:
        return parse_count(text, UINT64_MAX, &options->seed);
    case OPTION_GPUS:
        return parse_unsigned(text, 16, &options->gpus);
    case OPTION_NODE_METER:
        return set_flag(&options->node_meter, true);
    case OPTION_NO_RAPL:
        return set_flag(&options->rapl, false);
    case OPTION_NO_DRAM:
        return set_flag(&options->dram, false);
    case OPTION_CORE:
        return set_flag(&options->core, true);
    case OPTION_UNCORE:
        return set_flag(&options->uncore, true);
    case OPTION_PSYS:
        return set_flag(&options->psys, true);
    case OPTION_MMIO:
        return set_flag(&options->mmio, true);
    case OPTION_INTERLEAVE:
        return set_flag(&options->interleave, true);
    case OPTION_REVERSE_ZONES:
        return set_flag(&options->reverse_zones, true);
    case OPTION_DAEMONIZE:
        return set_flag(&options->daemonize, true);
    case OPTION_HELP:
        usage(stdout);
        exit(0);
    }
    return -EINVAL;
}

static const char *option_name(int code)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((int)option_table[i].code == code)
            return option_table[i].name;
    }
    return "?";
}

/* What is left when every option by itself was good. */
static int check_setup(struct setup *setup, int argc, char **argv)
{
    struct options *options = &setup->options;

    if (optind != argc - 1 || !options->state_dir) {
        usage(stderr);
        return -EINVAL;
    }
    if (options->sockets * options->cores * options->threads > MAX_CPUS) {
        fprintf(stderr, "fakesys: more than %d CPUs\n", MAX_CPUS);
        return -EINVAL;
    }
    options->mountpoint = argv[optind];
    if (options->dram_range_uj == 0)
        options->dram_range_uj = options->range_uj;
    return 0;
}

static int parse_options(struct setup *setup, int argc, char **argv)
{
    struct option long_options[OPTION_COUNT + 1] = { { 0 } };
    int code;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        long_options[i].name = option_table[i].name;
        long_options[i].has_arg = option_table[i].argument;
        long_options[i].val = (int)option_table[i].code;
    }
    while ((code = getopt_long(argc, argv, "d", long_options, NULL)) != -1) {
        if (code == '?')
            return -EINVAL;
        if (code == 'd')
            code = OPTION_DAEMONIZE;
        if (apply_option(setup, (enum option_code)code, optarg) < 0) {
            fprintf(stderr, "fakesys: --%s: %s is not valid\n", option_name(code),
                    optarg ? optarg : "this");
            return -EINVAL;
        }
    }
    return check_setup(setup, argc, argv);
}

/* --- running -------------------------------------------------------------- */

static int run_commands(struct machine *machine, const struct setup *setup)
{
    for (size_t i = 0; i < setup->command_count; i++) {
        int rc = control_run(machine, setup->commands[i], strlen(setup->commands[i]));

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int make_pid_path(struct machine *machine)
{
    char *directory = realpath(machine->options.state_dir, NULL);
    int rc = 0;

    if (!directory)
        return -errno;
    if (asprintf(&machine->pid_path, "%s/pid", directory) < 0) {
        machine->pid_path = NULL;
        rc = -ENOMEM;
    }
    free(directory);
    return rc;
}

static int make_machine(struct machine *machine, const struct setup *setup)
{
    uint64_t now_ns = boottime_ns();
    int rc;

    pthread_mutex_init(&machine->lock, NULL);
    machine->options = setup->options;
    machine->truth_fd = machine->busy_fd = -1;
    rc = make_pid_path(machine);
    if (rc == 0)
        rc = model_init(machine, now_ns);
    if (rc == 0)
        rc = tree_build(machine);
    if (rc == 0)
        rc = truth_open(machine, now_ns);
    if (rc < 0)
        return rc;
    now_ns = change_begin(machine);
    truth_log_all(machine, "start", now_ns);
    change_end(machine);
    return run_commands(machine, setup);
}

static int run_simulation(int argc, char **argv)
{
    struct setup setup = {
        .options = {
            .sockets = 1,
            .cores = 4,
            .threads = 1,
            .dies = 1,
            .memory_mib = 16384,
            .range_uj = DEFAULT_RANGE_UJ,
            .seed = 1,
            .rapl = true,
            .dram = true,
        },
    };
    struct machine machine = { 0 };
    int rc;

    if (parse_options(&setup, argc, argv) < 0)
        return 2;
    rc = make_machine(&machine, &setup);
    if (rc == 0)
        rc = filesystem_serve(&machine);
    if (rc < 0)
        fprintf(stderr, "fakesys: serving %s with state in %s: %s\n", setup.options.mountpoint,
                setup.options.state_dir, strerror(-rc));
    truth_close(&machine);
    tree_destroy(&machine);
    model_destroy(&machine);
    free(machine.pid_path);
    pthread_mutex_destroy(&machine.lock);
    return rc < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--truth") == 0)
        return truth_main(argc - 2, argv + 2);
    if (argc == 2 && strcmp(argv[1], "--now") == 0) {
        printf("%" PRIu64 "\n", boottime_ns());
        return 0;
    }
    return run_simulation(argc, argv);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakesys.h - what the parts of the simulated /sys and /proc share.
 * The manual (layout, control commands, truth format) opens fakesys.c.
 *
 *   fakesys_model.c   domains: exact energy, faults, readings; CPUs: busy time
 *   fakesys_truth.c   the truth log: written by the simulator, evaluated by --truth
 *   fakesys_ctl.c     the control commands
 *   fakesys_tree.c    the tree of directories, links and files of one machine
 *   fakesys_fuse.c    the same tree as a file system
 */
#ifndef FAKESYS_H
#define FAKESYS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

__extension__ typedef unsigned __int128 u128;

#define NAME_SIZE 32
#define FJ_PER_UJ UINT64_C(1000000000)
#define PPM_PER_ONE UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

struct options {
    const char *mountpoint;
    const char *state_dir;
    unsigned int sockets;
    unsigned int cores;             /* per socket */
    unsigned int threads;           /* per core */
    unsigned int dies;              /* per socket; each mirrors its package's counter */
    uint64_t memory_mib;
    uint64_t range_uj;
    uint64_t dram_range_uj;
    uint64_t noise_ppm;             /* 0: power changes only by command */
    uint64_t seed;
    unsigned int gpus;
    bool node_meter;
    bool rapl;
    bool dram;
    bool core;
    bool uncore;
    bool psys;
    bool mmio;
    bool interleave;                /* CPU numbers go round the sockets */
    bool reverse_zones;             /* intel-rapl:0 is the last package */
    bool daemonize;
};

/*
 * A quantity that grows at a piecewise constant rate per nanosecond, exactly:
 * uW x ns = fJ for energy, ppm x ns for busy time. 128 bits hold 1 MW for
 * 10^13 years, so nothing is ever rounded before it is shown.
 */
struct integral {
    u128 total;                     /* at since_ns */
    uint64_t rate;
    uint64_t since_ns;
};

enum fault {
    FAULT_NONE,
    FAULT_FAIL,
    FAULT_SPIKE,
    FAULT_GARBAGE,
    FAULT_EMPTY,
    FAULT_STUCK,
    FAULT_VANISH,
};

#define FAULT_FOREVER UINT64_MAX

struct domain {
    char name[NAME_SIZE];           /* package-0, dram-0, core-0, uncore-0, psys, gpu-0, node */
    struct integral true_fj;
    uint64_t nominal_uw;            /* what was asked for; noise varies around it */
    uint64_t range_uj;
    uint64_t offset_uj;             /* shown = (true + offset) mod range; offset < range */
    int parent;                     /* the package a subzone is in, or -1 */
    enum fault fault;
    uint64_t fault_left;            /* readings, or FAULT_FOREVER */
    uint64_t fault_value;           /* errno, factor or stuck reading in uJ */
    char fault_text[NAME_SIZE];
    uint64_t delay_us;
    uint64_t reading_count;
};

struct cpu {
    struct integral busy_ppm_ns;
    u128 boot_ppm_ns;               /* busy total at the simulated boot */
    unsigned int socket;
    unsigned int core;              /* within the socket */
};

struct machine;

/* Writes a file's content as of now_ns. Returns 0 or a negative errno that the reader gets. */
typedef int node_show(struct machine *machine, int arg, uint64_t now_ns, FILE *out);

struct node {
    char *name;
    char *text;                     /* constant content, or a link's target */
    node_show *show;                /* computed content */
    int arg;
    int domain;                     /* is gone while this domain has vanished; or -1 */
    bool is_reading;                /* domain's delay applies */
    bool is_control;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    int parent;
    int first_child;
    int last_child;
    int next_sibling;
};

struct machine {
    struct options options;
    pthread_mutex_t lock;           /* over all that follows */
    struct domain *domains;
    int domain_count;
    struct cpu *cpus;
    int cpu_count;
    struct node *nodes;             /* nodes[0] is the root */
    int node_count;
    uint64_t boot_ns;               /* CLOCK_BOOTTIME of the simulated boot */
    char boot_id[37];
    uint64_t random_state;
    char *pid_path;                 /* absolute: it outlives a change of directory */
    int truth_fd;
    int busy_fd;
    bool is_log_broken;             /* the truth log has a hole: refuse to go on */
    char control_error[256];        /* why the last write to ctl was refused, or "" */
};

/* --- fakesys_model.c ------------------------------------------------------ */

/* CLOCK_BOOTTIME and CLOCK_REALTIME in ns. */
uint64_t boottime_ns(void);
uint64_t walltime_ns(void);

/* The exact total at now_ns; an instant before the last change counts as that change. */
u128 integral_at(const struct integral *integral, uint64_t now_ns);

/* Grow at `rate` from now_ns on. */
void integral_set_rate(struct integral *integral, uint64_t rate, uint64_t now_ns);

/* Allocates domains and CPUs as the options ask, idle, with default powers. 0 or -ENOMEM. */
int model_init(struct machine *machine, uint64_t now_ns);
void model_destroy(struct machine *machine);

/* A new boot id, counters and tick counts at zero, faults gone; the truth goes on. */
void model_reboot(struct machine *machine, uint64_t now_ns);

/* Vary every domain's power around its nominal by at most noise_ppm. */
void model_noise_step(struct machine *machine, uint64_t now_ns);

/* What the counter shows without faults, in uJ. */
uint64_t domain_counter_uj(const struct domain *domain, uint64_t now_ns);

/* Make the counter show counter_uj (below the range) now. */
void domain_set_counter(struct domain *domain, uint64_t counter_uj, uint64_t now_ns);

/* Has it, or the package that it is part of, vanished? */
bool domain_is_gone(const struct machine *machine, int domain);

/* node_show: one reading of domain `arg`, faults included: RAPL's energy_uj, NVML's mJ (refreshed
   every 20 ms) and mW, and a line of Cray's pm_counters, "N J ts us". */
int show_energy(struct machine *machine, int arg, uint64_t now_ns, FILE *out);
int show_energy_mj(struct machine *machine, int arg, uint64_t now_ns, FILE *out);
int show_power_mw(struct machine *machine, int arg, uint64_t now_ns, FILE *out);
int show_pm_energy(struct machine *machine, int arg, uint64_t now_ns, FILE *out);
/* node_show: pm_counters' freshness, which moves ten times a second. */
int show_pm_freshness(struct machine *machine, int arg, uint64_t now_ns, FILE *out);

/* node_show: /proc/stat. */
int show_proc_stat(struct machine *machine, int arg, uint64_t now_ns, FILE *out);

/* --- fakesys_truth.c ------------------------------------------------------ */

/*
 * Opens (appends to) the logs in state_dir; totals go on from what they hold.
 * Call after model_init(). Returns 0 or a negative errno, reported on stderr.
 */
int truth_open(struct machine *machine, uint64_t now_ns);
void truth_close(struct machine *machine);

/*
 * Take the machine's lock and the log's, and the instant of the change; and let go.
 * A change and its line lie between the two, so a --truth that holds the
 * log's lock sees every change that happened before.
 */
uint64_t change_begin(struct machine *machine);
void change_end(struct machine *machine);

/* Write a line. On failure is_log_broken is set and every later reading fails. */
void truth_log_domain(struct machine *machine, int domain, const char *event, uint64_t now_ns);
void truth_log_cpu(struct machine *machine, int cpu, const char *event, uint64_t now_ns);
void truth_log_all(struct machine *machine, const char *event, uint64_t now_ns);

/*
 * --truth STATE FROM TO [DOMAIN...]: prints true energy in uJ (cpu-N: busy time
 * in ns). argv holds the operands. Returns an exit status.
 */
int truth_main(int argc, char **argv);

/* --- fakesys_ctl.c -------------------------------------------------------- */

/*
 * Runs the commands in text, one a line, all at one instant. Stops at the first
 * that is refused and returns -EINVAL (-EIO when the log is broken), the reason
 * in machine->control_error and on stderr.
 */
int control_run(struct machine *machine, const char *text, size_t size);

/* node_show: what a read of ctl says. */
int show_control(struct machine *machine, int arg, uint64_t now_ns, FILE *out);

/* The commands and their usage. */
void control_usage(FILE *out);

/* Unsigned number in [0, max], whole text. 0 or -EINVAL, *ret_value untouched. */
int parse_count(const char *text, uint64_t max, uint64_t *ret_value);

/* Decimal such as "-120.5" in millionths, exactly: -120500000. 0 or -EINVAL. */
int parse_micro(const char *text, int64_t *ret_micro);

/* --- fakesys_tree.c ------------------------------------------------------- */

/* Builds machine->nodes. 0 or -ENOMEM. */
int tree_build(struct machine *machine);
void tree_destroy(struct machine *machine);

/* Is it there at this moment? */
bool node_is_visible(const struct machine *machine, int node);

/* --- fakesys_fuse.c ------------------------------------------------------- */

/*
 * Mounts the tree and serves it until SIGTERM, SIGINT or an unmount; with
 * options.daemonize the caller's process exits 0 as soon as it is mounted.
 * STATE/pid is there as long as it is. Returns 0 or a negative errno.
 */
int filesystem_serve(struct machine *machine);

#endif

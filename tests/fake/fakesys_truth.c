/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakesys_truth.c - the log of what really happened, and questions to it.
 *
 * 1. Between two lines of one name the quantity grew at the first line's rate.
 * 2. A line is written while the log is locked (flock), from before its
 *    instant is taken until it is in the file. Whoever holds the lock shared
 *    therefore has every change up to that moment.
 * 3. Totals of a name never fall, not even when the simulator starts again on
 *    the same state directory.
 */
#include "config.h"
#include "fakesys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char energy_log[] = "truth.csv";
static const char energy_header[] =
    "boottime_ns,wall_ns,domain,event,energy_uj,energy_rest_fj,power_uw\n";
static const char busy_log[] = "busy.csv";
static const char busy_header[] = "boottime_ns,wall_ns,cpu,event,busy_ns,busy_rest_ppm,busy_ppm\n";

/* One line of either log, its total in base units (fJ, ppm x ns). */
struct row {
    uint64_t boottime_ns;
    char name[NAME_SIZE];
    u128 total;
    uint64_t rate;
};

/* A name's first line and its last lines at or before two instants. */
struct track {
    char name[NAME_SIZE];
    struct integral from;
    struct integral to;
    uint64_t first_ns;
};

struct tracks {
    struct track *list;
    size_t count;
    uint64_t from_ns;
    uint64_t to_ns;
    uint64_t unit;              /* base units in a shown one */
    bool take_all;              /* every name in the log, not only those listed */
};

static uint64_t log_unit(const char *log)
{
    return log == energy_log ? FJ_PER_UJ : PPM_PER_ONE;
}

/* --- writing -------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, text, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        text += written;
        size -= (size_t)written;
    }
    return 0;
}

static void log_row(struct machine *machine, int fd, const char *name, const char *event,
                    const struct integral *integral, uint64_t unit, uint64_t now_ns)
{
    u128 total = integral_at(integral, now_ns);
    char line[256];
    int size = snprintf(line, sizeof(line),
                        "%" PRIu64 ",%" PRIu64 ",%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                        now_ns, walltime_ns(), name, event, (uint64_t)(total / unit),
                        (uint64_t)(total % unit), integral->rate);
    int rc = write_all(fd, line, (size_t)size);

    if (rc < 0 && !machine->is_log_broken) {
        machine->is_log_broken = true;
        fprintf(stderr, "fakesys: writing the truth log: %s; every reading fails from now on\n",
                strerror(-rc));
    }
}

void truth_log_domain(struct machine *machine, int domain, const char *event, uint64_t now_ns)
{
    const struct domain *what = &machine->domains[domain];

    log_row(machine, machine->truth_fd, what->name, event, &what->true_fj, FJ_PER_UJ, now_ns);
}

void truth_log_cpu(struct machine *machine, int cpu, const char *event, uint64_t now_ns)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof(name), "cpu-%d", cpu);
    log_row(machine, machine->busy_fd, name, event, &machine->cpus[cpu].busy_ppm_ns, PPM_PER_ONE,
            now_ns);
}

void truth_log_all(struct machine *machine, const char *event, uint64_t now_ns)
{
    for (int i = 0; i < machine->domain_count; i++)
        truth_log_domain(machine, i, event, now_ns);
    for (int i = 0; i < machine->cpu_count; i++)
        truth_log_cpu(machine, i, event, now_ns);
}

static void lock_log(int fd, int operation)
{
    while (flock(fd, operation) < 0 && errno == EINTR)
        ;
}

uint64_t change_begin(struct machine *machine)
{
    pthread_mutex_lock(&machine->lock);
    lock_log(machine->truth_fd, LOCK_EX);
    lock_log(machine->busy_fd, LOCK_EX);
    return boottime_ns();
}

void change_end(struct machine *machine)
{
    lock_log(machine->busy_fd, LOCK_UN);
    lock_log(machine->truth_fd, LOCK_UN);
    pthread_mutex_unlock(&machine->lock);
}

/* --- reading -------------------------------------------------------------- */

/* Cuts the first comma-separated field off *rest. */
static char *next_field(char **rest)
{
    char *field = *rest;
    char *comma;

    if (!field)
        return NULL;
    comma = strchr(field, ',');
    if (comma)
        *comma++ = '\0';
    *rest = comma;
    return field;
}

static int next_number(char **rest, uint64_t *ret_value)
{
    char *field = next_field(rest);

    return field ? parse_count(field, UINT64_MAX, ret_value) : -EINVAL;
}

static int parse_row(char *line, uint64_t unit, struct row *ret_row)
{
    uint64_t wall_ns, whole, rest;
    char *name;

    line[strcspn(line, "\n")] = '\0';
    if (next_number(&line, &ret_row->boottime_ns) < 0 || next_number(&line, &wall_ns) < 0)
        return -EINVAL;
    name = next_field(&line);
    if (!name || strlen(name) >= sizeof(ret_row->name) || !next_field(&line))
        return -EINVAL;
    snprintf(ret_row->name, sizeof(ret_row->name), "%s", name);
    if (next_number(&line, &whole) < 0 || next_number(&line, &rest) < 0 ||
        next_number(&line, &ret_row->rate) < 0)
        return -EINVAL;
    ret_row->total = (u128)whole * unit + rest;
    return 0;
}

static struct track *track_add(struct tracks *tracks, const char *name)
{
    struct track *list = realloc(tracks->list, (tracks->count + 1) * sizeof(*list));
    struct track *track;

    if (!list)
        return NULL;
    tracks->list = list;
    track = &list[tracks->count++];
    *track = (struct track){ .first_ns = UINT64_MAX };
    snprintf(track->name, sizeof(track->name), "%s", name);
    return track;
}

static struct track *track_find(const struct tracks *tracks, const char *name)
{
    for (size_t i = 0; i < tracks->count; i++) {
        if (strcmp(tracks->list[i].name, name) == 0)
            return &tracks->list[i];
    }
    return NULL;
}

static void track_row(struct track *track, const struct row *row, const struct tracks *tracks)
{
    struct integral here = {
        .total = row->total,
        .rate = row->rate,
        .since_ns = row->boottime_ns,
    };

    if (track->first_ns == UINT64_MAX) {
        track->first_ns = row->boottime_ns;
        /* Before its first line nothing is known to have been used. */
        track->from = track->to = (struct integral){ .total = row->total };
    }
    if (row->boottime_ns <= tracks->from_ns)
        track->from = here;
    if (row->boottime_ns <= tracks->to_ns)
        track->to = here;
}

static int tracks_read(struct tracks *tracks, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    int rc = 0;

    /* The first line is the header. */
    for (size_t number = 1; rc == 0 && getline(&line, &size, file) >= 0; number++) {
        struct row row = { 0 };
        struct track *track;

        if (number == 1)
            continue;
        rc = parse_row(line, tracks->unit, &row);
        if (rc < 0)
            fprintf(stderr, "fakesys: truth log line %zu is not understood\n", number);
        track = rc == 0 ? track_find(tracks, row.name) : NULL;
        if (rc == 0 && !track && tracks->take_all && !(track = track_add(tracks, row.name)))
            rc = -ENOMEM;
        if (track)
            track_row(track, &row, tracks);
    }
    free(line);
    return rc;
}

static int tracks_load(struct tracks *tracks, const char *state_dir, const char *log)
{
    char *path = NULL;
    FILE *file;
    int rc;

    tracks->unit = log_unit(log);
    if (asprintf(&path, "%s/%s", state_dir, log) < 0)
        return -ENOMEM;
    file = fopen(path, "re");
    if (!file) {
        rc = -errno;
        fprintf(stderr, "fakesys: opening %s: %s\n", path, strerror(-rc));
        free(path);
        return rc;
    }
    lock_log(fileno(file), LOCK_SH);
    rc = tracks_read(tracks, file);
    fclose(file);
    free(path);
    return rc;
}

/* --- opening -------------------------------------------------------------- */

static int open_log(const char *state_dir, const char *log, const char *header)
{
    char *path = NULL;
    struct stat status;
    int fd, rc = 0;

    if (asprintf(&path, "%s/%s", state_dir, log) < 0)
        return -ENOMEM;
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || fstat(fd, &status) < 0)
        rc = -errno;
    else if (status.st_size == 0)
        rc = write_all(fd, header, strlen(header));
    if (rc < 0) {
        fprintf(stderr, "fakesys: opening %s: %s\n", path, strerror(-rc));
        if (fd >= 0)
            close(fd);
    }
    free(path);
    return rc < 0 ? rc : fd;
}

/* Go on from an earlier run's total, as it stands now. */
static void resume(struct integral *integral, const struct tracks *tracks, const char *name)
{
    const struct track *track = track_find(tracks, name);

    if (track)
        integral->total = integral_at(&track->to, integral->since_ns);
}

static int resume_all(struct machine *machine, uint64_t now_ns)
{
    struct tracks energy = { .to_ns = now_ns, .take_all = true };
    struct tracks busy = { .to_ns = now_ns, .take_all = true };
    int rc = tracks_load(&energy, machine->options.state_dir, energy_log);

    if (rc == 0)
        rc = tracks_load(&busy, machine->options.state_dir, busy_log);
    for (int i = 0; rc == 0 && i < machine->domain_count; i++) {
        struct domain *domain = &machine->domains[i];
        uint64_t counter_uj = domain_counter_uj(domain, now_ns);

        resume(&domain->true_fj, &energy, domain->name);
        domain_set_counter(domain, counter_uj, now_ns);
    }
    for (int i = 0; rc == 0 && i < machine->cpu_count; i++) {
        struct cpu *cpu = &machine->cpus[i];
        char name[NAME_SIZE];

        snprintf(name, sizeof(name), "cpu-%d", i);
        resume(&cpu->busy_ppm_ns, &busy, name);
        cpu->boot_ppm_ns = cpu->busy_ppm_ns.total;
    }
    free(energy.list);
    free(busy.list);
    return rc;
}

int truth_open(struct machine *machine, uint64_t now_ns)
{
    const char *state_dir = machine->options.state_dir;

    machine->truth_fd = open_log(state_dir, energy_log, energy_header);
    if (machine->truth_fd < 0)
        return machine->truth_fd;
    machine->busy_fd = open_log(state_dir, busy_log, busy_header);
    if (machine->busy_fd < 0)
        return machine->busy_fd;
    return resume_all(machine, now_ns);
}

void truth_close(struct machine *machine)
{
    if (machine->truth_fd >= 0)
        close(machine->truth_fd);
    if (machine->busy_fd >= 0)
        close(machine->busy_fd);
    machine->truth_fd = machine->busy_fd = -1;
}

/* --- --truth -------------------------------------------------------------- */

static int parse_instant(const char *text, uint64_t *ret_ns)
{
    if (strcmp(text, "now") == 0) {
        *ret_ns = boottime_ns();
        return 0;
    }
    if (strcmp(text, "start") == 0) {
        *ret_ns = 0;
        return 0;
    }
    return parse_count(text, UINT64_MAX, ret_ns);
}

/* Whole units at the end less whole units at the beginning: exactly what a
 * counter without wrap would have advanced by, and additive over intervals. */
static uint64_t track_between(const struct track *track, const struct tracks *tracks)
{
    u128 from = integral_at(&track->from, tracks->from_ns) / tracks->unit;
    u128 to = integral_at(&track->to, tracks->to_ns) / tracks->unit;

    return (uint64_t)(to - from);
}

static int print_one(const struct tracks *tracks, const char *name, bool with_name)
{
    const struct track *track = track_find(tracks, name);

    if (!track || track->first_ns == UINT64_MAX) {
        fprintf(stderr, "fakesys: the truth log has no %s\n", name);
        return 1;
    }
    if (with_name)
        printf("%s ", name);
    printf("%" PRIu64 "\n", track_between(track, tracks));
    return 0;
}

int truth_main(int argc, char **argv)
{
    struct tracks energy = { .take_all = true };
    struct tracks busy = { .take_all = true };
    int status = 0;

    if (argc < 3 || parse_instant(argv[1], &energy.from_ns) < 0 ||
        parse_instant(argv[2], &energy.to_ns) < 0 || energy.from_ns > energy.to_ns) {
        fprintf(stderr, "usage: fakesys --truth STATE FROM TO [DOMAIN...]\n"
                "FROM <= TO in ns of CLOCK_BOOTTIME, or \"start\", \"now\"\n");
        return 2;
    }
    if (energy.to_ns > boottime_ns()) {
        fprintf(stderr, "fakesys: %s lies in the future; what is true then is not known yet\n",
                argv[2]);
        return 2;
    }
    busy.from_ns = energy.from_ns;
    busy.to_ns = energy.to_ns;
    if (tracks_load(&energy, argv[0], energy_log) < 0 || tracks_load(&busy, argv[0], busy_log) < 0)
        status = 1;
    for (size_t i = 0; status == 0 && argc == 3 && i < energy.count; i++)
        status = print_one(&energy, energy.list[i].name, true);
    for (int i = 3; status == 0 && i < argc; i++) {
        bool is_cpu = strncmp(argv[i], "cpu-", 4) == 0;

        status = print_one(is_cpu ? &busy : &energy, argv[i], argc > 4);
    }
    free(energy.list);
    free(busy.list);
    return status;
}

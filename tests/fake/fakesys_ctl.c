/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakesys_ctl.c - the control commands: one table, read by the parser and by --help.
 * Every change is logged as it is made.
 */
#include "fakesys.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 8
#define MAX_POWER_W 1000000
#define MAX_DELAY_S 3600

struct words {
    int count;
    const char *word[MAX_WORDS];
};

typedef int domain_command(struct machine *machine, struct domain *domain,
                           const struct words *words, uint64_t now_ns);
typedef int machine_command(struct machine *machine, const struct words *words, uint64_t now_ns);

struct command {
    const char *verb;
    int min_words;
    int max_words;
    domain_command *on_domain;      /* once for every domain that word 1 matches */
    machine_command *on_machine;
    const char *usage;
};

/* --- numbers -------------------------------------------------------------- */

int parse_count(const char *text, uint64_t max, uint64_t *ret_value)
{
    unsigned long long value;
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return -EINVAL;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > max)
        return -EINVAL;
    *ret_value = value;
    return 0;
}

/* Up to six digits after the point, as millionths. */
static int parse_fraction(const char *text, int64_t *ret_micro)
{
    int64_t micro = 0;
    int digits = 0;

    for (; isdigit((unsigned char)text[digits]) && digits < 6; digits++)
        micro = micro * 10 + (text[digits] - '0');
    if (digits == 0 || text[digits] != '\0')
        return -EINVAL;
    for (; digits < 6; digits++)
        micro *= 10;
    *ret_micro = micro;
    return 0;
}

int parse_micro(const char *text, int64_t *ret_micro)
{
    bool is_negative = text[0] == '-';
    const char *digits = text + is_negative;
    int64_t whole = 0, fraction = 0;
    size_t i = 0;

    for (; isdigit((unsigned char)digits[i]); i++) {
        whole = whole * 10 + (digits[i] - '0');
        if (whole > INT64_MAX / 10000000)
            return -EINVAL;
    }
    if (i == 0)
        return -EINVAL;
    if (digits[i] == '.' ? parse_fraction(digits + i + 1, &fraction) < 0 : digits[i] != '\0')
        return -EINVAL;
    *ret_micro = (whole * 1000000 + fraction) * (is_negative ? -1 : 1);
    return 0;
}

/* A decimal in [0, max] (in whole units), as millionths. */
static int parse_amount(const char *text, uint64_t max, uint64_t *ret_micro)
{
    int64_t micro;

    if (parse_micro(text, &micro) < 0 || micro < 0 || (uint64_t)micro > max * 1000000)
        return -EINVAL;
    *ret_micro = (uint64_t)micro;
    return 0;
}

static int parse_errno(const char *text, uint64_t *ret_errno)
{
    static const struct {
        const char *name;
        int value;
    } names[] = {
        { "EIO", EIO },       { "ENODATA", ENODATA },     { "EAGAIN", EAGAIN },
        { "ENODEV", ENODEV }, { "EACCES", EACCES },       { "EPERM", EPERM },
        { "ENXIO", ENXIO },   { "ETIMEDOUT", ETIMEDOUT }, { "EINTR", EINTR },
        { "EBUSY", EBUSY },   { "EINVAL", EINVAL },       { "ENOENT", ENOENT },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i].name) == 0) {
            *ret_errno = (uint64_t)names[i].value;
            return 0;
        }
    }
    return -EINVAL;
}

/* --- commands on domains -------------------------------------------------- */

/* The optional count in word `at`; `missing` where there is none. */
static int parse_readings(const struct words *words, int at, uint64_t missing, uint64_t *ret_left)
{
    uint64_t left = missing;

    if (words->count > at && (parse_count(words->word[at], UINT32_MAX, &left) < 0 || left == 0))
        return -EINVAL;
    *ret_left = left;
    return 0;
}

static int set_fault(struct domain *domain, enum fault fault, uint64_t value, uint64_t left)
{
    domain->fault = fault;
    domain->fault_value = value;
    domain->fault_left = left;
    return 0;
}

static int run_power(struct machine *machine, struct domain *domain, const struct words *words,
                     uint64_t now_ns)
{
    uint64_t power_uw;

    (void)machine;
    if (parse_amount(words->word[2], MAX_POWER_W, &power_uw) < 0)
        return -EINVAL;
    domain->nominal_uw = power_uw;
    integral_set_rate(&domain->true_fj, power_uw, now_ns);
    return 0;
}

static int run_jump(struct machine *machine, struct domain *domain, const struct words *words,
                    uint64_t now_ns)
{
    const char *text = words->word[2];
    bool is_back = text[0] == '-';
    uint64_t counter_uj = domain_counter_uj(domain, now_ns);
    uint64_t step_uj;

    (void)machine;
    if (parse_count(text + is_back, domain->range_uj - 1, &step_uj) < 0 ||
        (is_back && step_uj > counter_uj))
        return -EINVAL;         /* a counter that steps back does not pass zero */
    counter_uj = is_back ? counter_uj - step_uj
                         : (uint64_t)(((u128)counter_uj + step_uj) % domain->range_uj);
    domain_set_counter(domain, counter_uj, now_ns);
    return 0;
}

static int run_set(struct machine *machine, struct domain *domain, const struct words *words,
                   uint64_t now_ns)
{
    uint64_t counter_uj;

    (void)machine;
    if (parse_count(words->word[2], domain->range_uj - 1, &counter_uj) < 0)
        return -EINVAL;
    domain_set_counter(domain, counter_uj, now_ns);
    return 0;
}

static int run_near_wrap(struct machine *machine, struct domain *domain,
                         const struct words *words, uint64_t now_ns)
{
    uint64_t left_uj;

    (void)machine;
    if (parse_amount(words->word[2], domain->range_uj / 1000000, &left_uj) < 0 || left_uj == 0)
        return -EINVAL;
    domain_set_counter(domain, domain->range_uj - left_uj, now_ns);
    return 0;
}

static int run_fail(struct machine *machine, struct domain *domain, const struct words *words,
                    uint64_t now_ns)
{
    uint64_t number, left;

    (void)machine, (void)now_ns;
    if (parse_errno(words->word[2], &number) < 0 ||
        parse_readings(words, 3, FAULT_FOREVER, &left) < 0)
        return -EINVAL;
    return set_fault(domain, FAULT_FAIL, number, left);
}

static int run_spike(struct machine *machine, struct domain *domain, const struct words *words,
                     uint64_t now_ns)
{
    uint64_t factor, left;

    (void)machine, (void)now_ns;
    if (parse_count(words->word[2], UINT32_MAX, &factor) < 0 ||
        parse_readings(words, 3, 1, &left) < 0)
        return -EINVAL;
    return set_fault(domain, FAULT_SPIKE, factor, left);
}

static int run_garbage(struct machine *machine, struct domain *domain, const struct words *words,
                       uint64_t now_ns)
{
    const char *text = words->count > 2 ? words->word[2] : "garbage";
    uint64_t left;

    (void)machine, (void)now_ns;
    if (strlen(text) >= sizeof(domain->fault_text) ||
        parse_readings(words, 3, FAULT_FOREVER, &left) < 0)
        return -EINVAL;
    snprintf(domain->fault_text, sizeof(domain->fault_text), "%s", text);
    return set_fault(domain, FAULT_GARBAGE, 0, left);
}

static int run_empty(struct machine *machine, struct domain *domain, const struct words *words,
                     uint64_t now_ns)
{
    uint64_t left;

    (void)machine, (void)now_ns;
    if (parse_readings(words, 2, FAULT_FOREVER, &left) < 0)
        return -EINVAL;
    return set_fault(domain, FAULT_EMPTY, 0, left);
}

static int run_stuck(struct machine *machine, struct domain *domain, const struct words *words,
                     uint64_t now_ns)
{
    uint64_t left;

    (void)machine;
    if (parse_readings(words, 2, FAULT_FOREVER, &left) < 0)
        return -EINVAL;
    return set_fault(domain, FAULT_STUCK, domain_counter_uj(domain, now_ns), left);
}

static int run_vanish(struct machine *machine, struct domain *domain, const struct words *words,
                      uint64_t now_ns)
{
    (void)machine, (void)words, (void)now_ns;
    return set_fault(domain, FAULT_VANISH, 0, FAULT_FOREVER);
}

static int run_slow(struct machine *machine, struct domain *domain, const struct words *words,
                    uint64_t now_ns)
{
    (void)machine, (void)now_ns;
    return parse_amount(words->word[2], MAX_DELAY_S, &domain->delay_us);
}

static int run_ok(struct machine *machine, struct domain *domain, const struct words *words,
                  uint64_t now_ns)
{
    (void)machine, (void)words, (void)now_ns;
    domain->delay_us = 0;
    return set_fault(domain, FAULT_NONE, 0, 0);
}

/* --- commands on the machine ---------------------------------------------- */

/* "*", "3" or "0-3". */
static int parse_cpus(const struct machine *machine, const char *text, int *ret_first,
                      int *ret_last)
{
    uint64_t max = (uint64_t)machine->cpu_count - 1;
    uint64_t first = 0, last = max;
    char head[NAME_SIZE];
    size_t size = strcspn(text, "-");

    if (strcmp(text, "*") != 0) {
        snprintf(head, sizeof(head), "%.*s", (int)size, text);
        if (parse_count(head, max, &first) < 0 ||
            parse_count(text[size] ? text + size + 1 : head, max, &last) < 0 || last < first)
            return -EINVAL;
    }
    *ret_first = (int)first;
    *ret_last = (int)last;
    return 0;
}

static int run_busy(struct machine *machine, const struct words *words, uint64_t now_ns)
{
    uint64_t busy_ppm;
    int first, last;

    if (parse_cpus(machine, words->word[1], &first, &last) < 0 ||
        parse_amount(words->word[2], 1, &busy_ppm) < 0)
        return -EINVAL;
    for (int i = first; i <= last; i++) {
        integral_set_rate(&machine->cpus[i].busy_ppm_ns, busy_ppm, now_ns);
        truth_log_cpu(machine, i, "busy", now_ns);
    }
    return 0;
}

static int run_reboot(struct machine *machine, const struct words *words, uint64_t now_ns)
{
    (void)words;
    model_reboot(machine, now_ns);
    truth_log_all(machine, "reboot", now_ns);
    return 0;
}

static const struct command commands[] = {
    { "power", 3, 3, run_power, NULL, "power DOMAIN WATTS" },
    { "fail", 3, 4, run_fail, NULL, "fail DOMAIN ERRNO [READINGS]" },
    { "spike", 3, 4, run_spike, NULL, "spike DOMAIN FACTOR [READINGS]" },
    { "garbage", 2, 4, run_garbage, NULL, "garbage DOMAIN [TEXT [READINGS]]" },
    { "empty", 2, 3, run_empty, NULL, "empty DOMAIN [READINGS]" },
    { "stuck", 2, 3, run_stuck, NULL, "stuck DOMAIN [READINGS]" },
    { "vanish", 2, 2, run_vanish, NULL, "vanish DOMAIN" },
    { "slow", 3, 3, run_slow, NULL, "slow DOMAIN SECONDS" },
    { "ok", 2, 2, run_ok, NULL, "ok DOMAIN" },
    { "jump", 3, 3, run_jump, NULL, "jump DOMAIN [-]UJ" },
    { "set", 3, 3, run_set, NULL, "set DOMAIN UJ" },
    { "near-wrap", 3, 3, run_near_wrap, NULL, "near-wrap DOMAIN JOULES" },
    { "busy", 3, 3, NULL, run_busy, "busy CPU|FIRST-LAST|* FRACTION" },
    { "reboot", 1, 1, NULL, run_reboot, "reboot" },
};

static const size_t command_count = sizeof(commands) / sizeof(commands[0]);

void control_usage(FILE *out)
{
    for (size_t i = 0; i < command_count; i++)
        fprintf(out, "  %s\n", commands[i].usage);
}

/* --- running -------------------------------------------------------------- */

/* Splits a line in place at blanks. Returns -EINVAL where it has too many words. */
static int split_words(char *line, struct words *ret_words)
{
    ret_words->count = 0;
    for (;;) {
        line += strspn(line, " \t\r");
        if (*line == '\0' || *line == '#')
            return 0;
        if (ret_words->count == MAX_WORDS)
            return -EINVAL;
        ret_words->word[ret_words->count++] = line;
        line += strcspn(line, " \t\r");
        if (*line != '\0')
            *line++ = '\0';
    }
}

static int refuse(struct machine *machine, const char *what, const char *why)
{
    snprintf(machine->control_error, sizeof(machine->control_error), "%s: %s", what, why);
    fprintf(stderr, "fakesys: ctl: %s\n", machine->control_error);
    return -EINVAL;
}

static int run_on_domains(struct machine *machine, const struct command *command,
                          const struct words *words, uint64_t now_ns)
{
    const char *pattern = words->word[1];
    int matches = 0;

    for (int i = 0; i < machine->domain_count; i++) {
        struct domain *domain = &machine->domains[i];

        if (fnmatch(pattern, domain->name, 0) != 0)
            continue;
        if (command->on_domain(machine, domain, words, now_ns) < 0)
            return refuse(machine, command->verb, command->usage);
        truth_log_domain(machine, i, command->verb, now_ns);
        matches++;
    }
    return matches > 0 ? 0 : refuse(machine, pattern, "no domain has this name");
}

static int run_words(struct machine *machine, const struct words *words, uint64_t now_ns)
{
    const struct command *command = NULL;

    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(words->word[0], commands[i].verb) == 0)
            command = &commands[i];
    }
    if (!command)
        return refuse(machine, words->word[0], "no such command");
    if (words->count < command->min_words || words->count > command->max_words)
        return refuse(machine, command->verb, command->usage);
    if (command->on_domain)
        return run_on_domains(machine, command, words, now_ns);
    if (command->on_machine(machine, words, now_ns) < 0)
        return refuse(machine, command->verb, command->usage);
    return 0;
}

static int run_line(struct machine *machine, char *line, uint64_t now_ns)
{
    struct words words = { 0 };

    if (split_words(line, &words) < 0)
        return refuse(machine, words.word[0], "too many words");
    return words.count > 0 ? run_words(machine, &words, now_ns) : 0;
}

int control_run(struct machine *machine, const char *text, size_t size)
{
    char *copy = strndup(text, size);
    uint64_t now_ns;
    int rc = 0;

    if (!copy)
        return -ENOMEM;
    now_ns = change_begin(machine);
    machine->control_error[0] = '\0';
    for (char *line = copy, *next; rc == 0 && line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        rc = run_line(machine, line, now_ns);
    }
    if (machine->is_log_broken)
        rc = -EIO;
    change_end(machine);
    free(copy);
    return rc;
}

int show_control(struct machine *machine, int arg, uint64_t now_ns, FILE *out)
{
    static const char *const faults[] = {
        [FAULT_NONE] = "ok",           [FAULT_FAIL] = "fail",   [FAULT_SPIKE] = "spike",
        [FAULT_GARBAGE] = "garbage",   [FAULT_EMPTY] = "empty", [FAULT_STUCK] = "stuck",
        [FAULT_VANISH] = "vanish",
    };

    (void)arg;
    fprintf(out, "error %s\n", machine->control_error[0] ? machine->control_error : "none");
    fprintf(out, "boottime_ns %" PRIu64 "\n", now_ns);
    for (int i = 0; i < machine->domain_count; i++) {
        const struct domain *domain = &machine->domains[i];

        fprintf(out, "%s power_uw=%" PRIu64 " counter_uj=%" PRIu64 " readings=%" PRIu64
                " delay_us=%" PRIu64 " fault=%s\n", domain->name, domain->true_fj.rate,
                domain_counter_uj(domain, now_ns), domain->reading_count, domain->delay_us,
                faults[domain->fault]);
    }
    return 0;
}

/*
 * mkmonth DIR < SPEC: what the meters of a whole cluster would have delivered over a long time, as
 * batch files in DIR: for tests, the demo and docs/bloom.md, which need months of energy at once.
 *
 * SPEC has lines of key=value; '#' begins a comment:
 *     cluster NAME
 *     period 2022-03-11T16:00:00Z 2022-07-07T04:00:00Z
 *     node n[1-48] cores=40 gpus=8 cpu_w=70 memory_w=20 gpu_w=50 other_w=0 system_w=1
 *     job id=1 nodes=n[1-4] cores=40 gpus=8 begin=… end=… cpu_w=100 gpu_w=300 user=… account=…
 *         partition=… name=… exit=0 uid=1001      (one line)
 * Of a node, watts are its idle floor (gpu_w of each device); of a job, what it draws above the
 * floor: cpu_w on each of its nodes, gpu_w by each of its devices. cores and gpus are those it has
 * on each node. Floors are split as the ledger does: by cores and devices held, the rest
 * unallocated. A batch holds a day. Instants may have a fraction of a second.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/hostlist.h"
#include "core/parse.h"
#include "fake_meter.h"

#define NS INT64_C(1000000000)
#define HOUR_NS (3600 * NS)
#define DAY_S 86400
#define JOBS_MAX 16384
#define NODES_MAX 4096

struct node {
    char *name;
    uint32_t cores, gpus;
    uint64_t idle_mw[COMPONENT_COUNT]; /* of gpu: of one device */
    uint64_t system_mw;
};

struct job {
    uint32_t id, cores, gpus, uid, exit_status;
    struct hostlist nodes;
    int64_t begin_ns, end_ns;
    uint64_t cpu_mw, gpu_mw;
    char user[32], account[32], partition[32], name[64];
};

static char cluster[32];
static int64_t from_s, to_ns;
static struct node nodes[NODES_MAX];
static struct job jobs[JOBS_MAX];
static size_t n_nodes, n_jobs;

static void die(const char *what, const char *text)
{
    fprintf(stderr, "mkmonth: %s: %s\n", what, text);
    exit(1);
}

/* --- the specification ------------------------------------------------------------------------ */

static int64_t instant_ns(const char *text)
{
    struct tm tm = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    uint64_t ns = 0;

    if (rest && *rest == '.') {
        char digits[16] = "0";

        snprintf(digits + 1, sizeof(digits) - 1, "%.*s", (int)strcspn(rest, "Z"), rest);
        if (parse_decimal(digits, 9, UINT64_MAX, &ns) < 0)
            die("no instant", text);
        rest += strcspn(rest, "Z");
    }
    if (!rest || strcmp(rest, "Z") != 0)
        die("no instant such as 2026-10-01T00:00:00Z", text);
    return timegm(&tm) * NS + (int64_t)ns;
}

static uint64_t milliwatts(const char *text)
{
    uint64_t mw;

    if (parse_decimal(text, 3, UINT64_MAX, &mw) < 0)
        die("no watts", text);
    return mw;
}

static uint32_t count(const char *text)
{
    uint32_t number;

    if (parse_u32(text, 0, UINT32_MAX, &number) < 0)
        die("no count", text);
    return number;
}

static void read_node(char *list, char **rest)
{
    struct hostlist names = { 0 };
    struct node node = { .cores = 1 };

    for (char *word; (word = strtok_r(NULL, " \n", rest));) {
        char *value = strchr(word, '=');

        if (!value)
            die("no key=value", word);
        *value++ = '\0';
        if (strcmp(word, "cores") == 0)
            node.cores = count(value);
        else if (strcmp(word, "gpus") == 0)
            node.gpus = count(value);
        else if (strcmp(word, "system_w") == 0)
            node.system_mw = milliwatts(value);
        else if (strcmp(word, "cpu_w") == 0)
            node.idle_mw[COMPONENT_CPU] = milliwatts(value);
        else if (strcmp(word, "memory_w") == 0)
            node.idle_mw[COMPONENT_MEMORY] = milliwatts(value);
        else if (strcmp(word, "gpu_w") == 0)
            node.idle_mw[COMPONENT_GPU] = milliwatts(value);
        else if (strcmp(word, "other_w") == 0)
            node.idle_mw[COMPONENT_OTHER] = milliwatts(value);
        else
            die("no key of a node", word);
    }
    if (hostlist_expand(list, &names, NULL) < 0 || n_nodes + names.count > NODES_MAX)
        die("bad or too long node list", list);
    for (size_t i = 0; i < names.count; i++) {
        nodes[n_nodes] = node;
        nodes[n_nodes++].name = names.names[i];
    }
    free(names.names);
}

static void read_job_field(struct job *job, const char *key, const char *value)
{
    if (strcmp(key, "id") == 0)
        job->id = count(value);
    else if (strcmp(key, "uid") == 0)
        job->uid = count(value);
    else if (strcmp(key, "exit") == 0)
        job->exit_status = count(value);
    else if (strcmp(key, "cores") == 0)
        job->cores = count(value);
    else if (strcmp(key, "gpus") == 0)
        job->gpus = count(value);
    else if (strcmp(key, "cpu_w") == 0)
        job->cpu_mw = milliwatts(value);
    else if (strcmp(key, "gpu_w") == 0)
        job->gpu_mw = milliwatts(value);
    else if (strcmp(key, "begin") == 0)
        job->begin_ns = instant_ns(value);
    else if (strcmp(key, "end") == 0)
        job->end_ns = instant_ns(value);
    else if (strcmp(key, "user") == 0)
        snprintf(job->user, sizeof(job->user), "%s", value);
    else if (strcmp(key, "account") == 0)
        snprintf(job->account, sizeof(job->account), "%s", value);
    else if (strcmp(key, "partition") == 0)
        snprintf(job->partition, sizeof(job->partition), "%s", value);
    else if (strcmp(key, "name") == 0)
        snprintf(job->name, sizeof(job->name), "%s", value);
    else if (strcmp(key, "nodes") != 0 || hostlist_expand(value, &job->nodes, NULL) < 0)
        die("no key of a job, or bad nodes", key);
}

static void read_job(char **rest)
{
    struct job *job = &jobs[n_jobs++];

    if (n_jobs == JOBS_MAX)
        die("too many jobs", "");
    job->cores = 1;
    for (char *word; (word = strtok_r(NULL, " \n", rest));) {
        char *value = strchr(word, '=');

        if (!value)
            die("no key=value", word);
        *value++ = '\0';
        read_job_field(job, word, value);
    }
    if (job->end_ns <= job->begin_ns || job->nodes.count == 0)
        die("a job without nodes, or that ends before it begins", job->name);
}

static void read_spec(void)
{
    static char line[65536];

    while (fgets(line, sizeof(line), stdin)) {
        char *rest, *word;

        line[strcspn(line, "#")] = '\0';
        word = strtok_r(line, " \n", &rest);
        if (!word)
            continue;
        if (strcmp(word, "cluster") == 0) {
            snprintf(cluster, sizeof(cluster), "%s", strtok_r(NULL, " \n", &rest));
        } else if (strcmp(word, "period") == 0) {
            from_s = instant_ns(strtok_r(NULL, " \n", &rest)) / NS;
            to_ns = instant_ns(strtok_r(NULL, " \n", &rest));
        } else if (strcmp(word, "node") == 0) {
            read_node(strtok_r(NULL, " \n", &rest), &rest);
        } else if (strcmp(word, "job") == 0) {
            read_job(&rest);
        } else {
            die("no such line", word);
        }
    }
    if (to_ns <= from_s * NS || from_s % 3600 != 0 || n_nodes == 0)
        die("needs", "cluster, a period that begins at a full hour, and nodes");
}

/* --- one node --------------------------------------------------------------------------------- */

/* Jobs of the node, each with the first core and device that it holds. */
struct share {
    const struct job *job;
    uint32_t first_core, first_gpu;
};

static bool overlap(const struct job *a, const struct job *b)
{
    return a->begin_ns < b->end_ns && b->begin_ns < a->end_ns;
}

/* The lowest cores and devices that no earlier job of the node holds at the same time. */
static void place(struct share *shares, size_t index)
{
    struct share *share = &shares[index];

    for (size_t i = 0; i < index; i++) {
        const struct share *other = &shares[i];

        if (!overlap(other->job, share->job))
            continue;
        if (share->first_core < other->first_core + other->job->cores)
            share->first_core = other->first_core + other->job->cores;
        if (share->first_gpu < other->first_gpu + other->job->gpus)
            share->first_gpu = other->first_gpu + other->job->gpus;
    }
}

static size_t shares_of(const struct node *node, struct share *shares)
{
    size_t count_of = 0;

    for (size_t i = 0; i < n_jobs; i++) {
        for (size_t k = 0; k < jobs[i].nodes.count; k++) {
            if (strcmp(jobs[i].nodes.names[k], node->name) != 0)
                continue;
            shares[count_of] = (struct share){ .job = &jobs[i] };
            place(shares, count_of++);
        }
    }
    return count_of;
}

static uint64_t microjoules(uint64_t mw, int64_t span_ns)
{
    return (uint64_t)((unsigned __int128)mw * (uint64_t)span_ns / 1000000);
}

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void add_row(struct batch *batch, int64_t hour_s, int64_t span_ns, enum owner owner,
                    uint64_t ref, enum component component, uint64_t active_uj, uint64_t idle_uj)
{
    struct batch_energy *row;

    if (active_uj + idle_uj == 0)
        return;
    row = fake_meter_energy(batch, owner, ref, 0, component, active_uj, idle_uj);
    row->hour_s = hour_s;
    row->metered_ns = row->elapsed_ns = (uint64_t)span_ns;
    snprintf(row->sensor, sizeof(row->sensor), "%s",
             component == COMPONENT_GPU ? "nvml" : component == COMPONENT_OTHER ? "dcmi"
                                                                              : "powercap");
}

/* An hour of one job; takes what it holds of the floors off idle_uj. */
static void add_job_hour(struct batch *batch, const struct node *node, const struct share *share,
                         uint64_t ref, int64_t hour_s, uint64_t idle_uj[COMPONENT_COUNT])
{
    const struct job *job = share->job;
    int64_t span_ns =
        least(job->end_ns, hour_s * NS + HOUR_NS) - greatest(job->begin_ns, hour_s * NS);

    if (span_ns <= 0)
        return;
    for (unsigned c = 0; c < COMPONENT_COUNT; c++) {
        bool gpu = c == COMPONENT_GPU;
        uint64_t active_mw = gpu ? job->gpu_mw * job->gpus : c == COMPONENT_CPU ? job->cpu_mw : 0;
        uint64_t floor_mw = gpu ? node->idle_mw[c] * job->gpus
                                : node->idle_mw[c] * job->cores / node->cores;
        uint64_t floor_uj = microjoules(floor_mw, span_ns);

        idle_uj[c] -= floor_uj;
        add_row(batch, hour_s, span_ns, OWNER_STEP, ref, c, microjoules(active_mw, span_ns),
                floor_uj);
    }
}

static void add_hour(struct batch *batch, const struct node *node, const struct share *shares,
                     size_t n_shares, int64_t hour_s)
{
    int64_t span_ns = least(hour_s * NS + HOUR_NS, to_ns) - hour_s * NS;
    uint64_t idle_uj[COMPONENT_COUNT];

    for (unsigned c = 0; c < COMPONENT_COUNT; c++)
        idle_uj[c] = microjoules(node->idle_mw[c] * (c == COMPONENT_GPU ? node->gpus : 1), span_ns);
    for (size_t i = 0; i < n_shares; i++)
        add_job_hour(batch, node, &shares[i], i + 1, hour_s, idle_uj);
    for (unsigned c = 0; c < COMPONENT_COUNT; c++)
        add_row(batch, hour_s, span_ns, OWNER_UNALLOCATED, 0, c, 0, idle_uj[c]);
    add_row(batch, hour_s, span_ns, OWNER_SYSTEM, 0, COMPONENT_CPU,
            microjoules(node->system_mw, span_ns), 0);
}

static void add_records(struct batch *batch, const struct share *share, uint64_t ref)
{
    const struct job *job = share->job;
    struct batch_job *record = fake_meter_job(batch, ref, job->id, 0);
    struct batch_step *step;
    bool ended = job->end_ns <= batch->head.end_wall_ns;

    record->has |= JOB_HAS_UID | JOB_HAS_USER | JOB_HAS_ACCOUNT | JOB_HAS_PARTITION |
                   JOB_HAS_NAME | JOB_HAS_NODES | JOB_HAS_CORES | JOB_HAS_GPUS;
    record->begin_wall_ns = job->begin_ns;
    record->uid = record->gid = job->uid;
    record->node_count = (uint32_t)job->nodes.count;
    snprintf(record->user, sizeof(record->user), "%s", job->user);
    snprintf(record->account, sizeof(record->account), "%s", job->account);
    snprintf(record->partition, sizeof(record->partition), "%s", job->partition);
    snprintf(record->name, sizeof(record->name), "%s", job->name);
    for (uint32_t i = 0; i < job->cores; i++)
        idset_add(&record->cores, share->first_core + i);
    for (uint32_t i = 0; i < job->gpus; i++)
        idset_add(&record->gpus, share->first_gpu + i);
    if (ended) {
        record->has |= JOB_HAS_END | JOB_HAS_EXIT;
        record->end_wall_ns = job->end_ns;
        record->exit_status = (int64_t)job->exit_status << 8;
    }
    step = fake_meter_step(batch, ref, 0, 0);
    step->begin_wall_ns = job->begin_ns;
    step->has = STEP_HAS_CORES | STEP_HAS_GPUS | (ended ? STEP_HAS_END | STEP_HAS_EXIT : 0);
    step->cores = record->cores;
    step->gpus = record->gpus;
    step->end_wall_ns = record->end_wall_ns;
    step->exit_status = record->exit_status;
}

static void play_node(const struct node *node, uint64_t number, const char *dir)
{
    struct fake_meter meter;
    struct share *shares = calloc(n_jobs + 1, sizeof(*shares));
    size_t n_shares = shares ? shares_of(node, shares) : 0;

    fake_meter_init(&meter, node->name, 0x5eed0000 + number, from_s);
    while (shares && meter.wall_s * NS < to_ns) {
        int64_t begin_s = meter.wall_s, end_s = begin_s - begin_s % DAY_S + DAY_S;
        char name[BATCH_NAME_SIZE];
        struct batch batch;

        fake_meter_begin(&meter, end_s - begin_s, &batch);
        batch.head.end_wall_ns = least(batch.head.end_wall_ns, to_ns);
        batch.head.end_boottime_ns =
            batch.head.begin_boottime_ns + (uint64_t)(batch.head.end_wall_ns - begin_s * NS);
        snprintf(batch.head.cluster, sizeof(batch.head.cluster), "%s", cluster);
        batch.head.cores = node->cores;
        batch.head.gpus = node->gpus;
        for (size_t i = 0; i < n_shares; i++) {
            if (shares[i].job->begin_ns < end_s * NS && shares[i].job->end_ns > begin_s * NS)
                add_records(&batch, &shares[i], i + 1);
        }
        for (int64_t hour_s = begin_s; hour_s < end_s && hour_s * NS < to_ns; hour_s += 3600)
            add_hour(&batch, node, shares, n_shares, hour_s);
        fake_meter_seal(&meter, &batch);
        meter.wall_s = end_s;
        fake_meter_deliver(&batch, dir, name);
        batch_clear(&batch);
    }
    free(shares);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage", "mkmonth DIR < SPEC");
    read_spec();
    for (size_t i = 0; i < n_nodes; i++)
        play_node(&nodes[i], i, argv[1]);
    return 0;
}

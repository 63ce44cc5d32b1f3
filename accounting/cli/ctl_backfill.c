/*
 * carbonctl backfill: jobs from before the plugin, booked from what slurmdbd knows of them. Its
 * answer is read twice: who was on which node when; then what each drew.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/factor_table.h"
#include "carbon/inventory.h"
#include "cli/carbonctl.h"
#include "cli/dbd.h"
#include "core/apportion.h"
#include "core/clock.h"
#include "core/timespec.h"
#include "core/tres.h"
#include "store/backfill.h"
#include "store/factors.h"

#define LEARN_S (31 * INT64_C(86400)) /* what nodes drew lately */
#define LEARN_CORE_MS (UINT64_C(100) * 3600000)
#define LEARN_GPU_MS (UINT64_C(10) * 3600000)
#define KWH_MJ 3.6e9

/* Why a run was left alone. */
enum reason { IN_BOOKS, METERED, RUNNING, NOT_BEGUN, NO_TIME, NO_NODES, STRANGE, REASON_COUNT };
static const char *const reason_texts[REASON_COUNT] = {
    [IN_BOOKS] = "in the books already",
    [METERED] = "on nodes that were metered then: that energy is in the books",
    [RUNNING] = "not over yet",
    [NOT_BEGUN] = "never began",
    [NO_TIME] = "over within a second",
    [NO_NODES] = "without a NodeList",
    [STRANGE] = "of clusters that are not in this database",
};

/* Why ConsumedEnergy was not believed, and of how many runs; texts of tres_doubt(). */
struct doubt {
    const char *text;
    uint64_t runs;
};

/* What cores and GPUs of a node type draw, and how that is known. */
struct type_rates {
    bool known;
    const char *core_from, *gpu_from;
    struct backfill_learned learned;
    struct tres_rates rates;
    uint32_t threads; /* Slurm's CPUs of a core */
};

struct work {
    const struct conf *conf;
    const char *file; /* --sacct-file, or NULL */
    const char *made_by;
    int64_t from_s, to_s, now_s;
    bool dry_run, drop;
    struct store *store;
    struct backfill backfill;
    struct inventory inventory;
    struct type_rates *types; /* by index of the inventory's, and one for nodes of none */
    uint64_t runs[2], mj[2]; /* by enum backfill_source */
    uint64_t left[REASON_COUNT];
    struct doubt doubts[8];
    int64_t dropped;
    struct error *err;
};

/* --- what nodes draw ------------------------------------------------------------------------- */

static int load_inventory(struct work *work)
{
    struct factor_table table = { 0 };
    struct factor_set newest;
    char *inventory = NULL, *embodied = NULL;
    int rc = factors_newest(work->store, &newest, work->err);

    if (rc == -ENODATA)
        return 0;
    if (rc == 0)
        rc = factors_document(work->store, newest.number, FACTORS_INVENTORY, &inventory, work->err);
    if (rc == 0 && inventory)
        rc = factors_document(work->store, newest.number, FACTORS_EMBODIED, &embodied, work->err);
    if (rc == 0 && embodied)
        rc = factor_table_parse(embodied, FACTORS_EMBODIED, &table, work->err);
    if (rc == 0 && inventory)
        rc = inventory_parse(inventory, FACTORS_INVENTORY, embodied ? &table : NULL,
                             &work->inventory, work->err);
    factor_table_clear(&table);
    free(embodied);
    free(inventory);
    return rc;
}

static uint64_t uw_of(uint64_t mj, uint64_t ms)
{
    return mul_div(mj, 1000000, ms);
}

static void take_learned(struct type_rates *type)
{
    const struct backfill_learned *sum = &type->learned;
    struct tres_rates *rates = &type->rates;

    if (sum->cores > 0)
        type->threads = (uint32_t)((sum->cpus + sum->cores / 2) / sum->cores);
    if (sum->core_ms >= LEARN_CORE_MS) {
        for (int i = 0; i < COMPONENT_COUNT; i++) {
            if (i == COMPONENT_GPU)
                continue;
            rates->core_active_uw[i] = uw_of(sum->active_mj[i], sum->core_ms);
            rates->core_idle_uw[i] = uw_of(sum->idle_mj[i], sum->core_ms);
        }
        type->core_from = "measured since";
    }
    if (sum->gpu_ms >= LEARN_GPU_MS && sum->active_mj[COMPONENT_GPU] > 0) {
        rates->gpu_active_uw = uw_of(sum->active_mj[COMPONENT_GPU], sum->gpu_ms);
        rates->gpu_idle_uw = uw_of(sum->idle_mj[COMPONENT_GPU], sum->gpu_ms);
        type->gpu_from = "measured since";
    }
}

/* inventory.conf first, then what was measured since, then the default. */
static void settle_rates(const struct work *work, size_t at)
{
    struct type_rates *type = &work->types[at];
    const struct node_type *said = at < work->inventory.n_types ? &work->inventory.types[at] : NULL;

    type->known = true;
    type->rates = tres_default_rates;
    type->core_from = type->gpu_from = "default";
    take_learned(type);
    if (type->threads < 1)
        type->threads = 1;
    if (said && said->core_uw > 0) {
        memset(type->rates.core_active_uw, 0, sizeof(type->rates.core_active_uw));
        memset(type->rates.core_idle_uw, 0, sizeof(type->rates.core_idle_uw));
        type->rates.core_active_uw[COMPONENT_CPU] = said->core_uw;
        type->core_from = "inventory.conf";
    }
    if (said && said->gpu_uw > 0) {
        type->rates.gpu_active_uw = said->gpu_uw;
        type->rates.gpu_idle_uw = 0;
        type->gpu_from = "inventory.conf";
    }
}

/* Of a node's type; learned once, from all of its nodes, at the first of them. */
static int rates_of(struct work *work, const char *cluster, const char *node,
                    struct type_rates **ret)
{
    int type = inventory_type_of(&work->inventory, node);
    size_t at = type >= 0 ? (size_t)type : work->inventory.n_types;
    int64_t since_s = work->now_s - LEARN_S;
    int rc = 0;

    *ret = &work->types[at];
    if ((*ret)->known)
        return 0;
    if (type < 0)
        rc = backfill_learn(work->store, cluster, NULL, since_s, &(*ret)->learned, work->err);
    for (size_t i = 0; type >= 0 && rc == 0 && i < work->inventory.types[type].nodes.count; i++)
        rc = backfill_learn(work->store, cluster, work->inventory.types[type].nodes.names[i],
                            since_s, &(*ret)->learned, work->err);
    if (rc == 0)
        settle_rates(work, at);
    return rc;
}

/* --- a run ----------------------------------------------------------------------------------- */

/* None of one that never began. */
static int nodes_of(struct work *work, const struct dbd_job *job, struct hostlist *nodes)
{
    if (job->start_s < 0 || job->node_list[0] == '\0' ||
        strcmp(job->node_list, "None assigned") == 0)
        return 0;
    return hostlist_expand(job->node_list, nodes, work->err);
}

static int note_run(void *arg, const struct dbd_job *job)
{
    struct work *work = arg;
    struct hostlist nodes = { 0 };
    int rc = nodes_of(work, job, &nodes);

    for (size_t i = 0; rc == 0 && i < nodes.count; i++)
        rc = backfill_note(&work->backfill, job, nodes.names[i], work->err);
    hostlist_clear(&nodes);
    return rc < 0 ? error_prefix(work->err, rc, "NodeList of job %" PRId64, job->job_id) : 0;
}

static enum reason reason_of(const struct work *work, const struct dbd_job *job, bool is_here)
{
    return !is_here              ? STRANGE
         : job->start_s < 0      ? NOT_BEGUN
         : job->end_s < 0        ? RUNNING
         : job->end_s <= job->start_s ? NO_TIME
         : job->end_s > work->now_s   ? RUNNING
                                 : REASON_COUNT;
}

/* ConsumedEnergy of a run, and why it cannot be believed; NULL: it can. */
static int consumed_of(struct work *work, const struct dbd_job *job, const struct hostlist *nodes,
                       int64_t *ret_j, const char **ret_doubt)
{
    uint64_t elapsed_ms = (uint64_t)(job->end_s - job->start_s) * 1000;
    uint64_t in_tres = tres_count(job->alloc_tres, "energy");
    int shared = 0;

    *ret_j = job->consumed_j > 0 ? job->consumed_j
           : in_tres <= INT64_MAX ? (int64_t)in_tres : -1;
    for (size_t i = 0; i < nodes->count && shared == 0; i++)
        shared = backfill_shared(&work->backfill, job, nodes->names[i], work->err);
    if (shared >= 0)
        *ret_doubt = tres_doubt(*ret_j, (uint32_t)nodes->count, tres_count(job->alloc_tres, "cpu"),
                                tres_count(job->alloc_tres, "gres/gpu"), elapsed_ms, shared > 0);
    return shared < 0 ? shared : 0;
}

static void note_doubt(struct work *work, const char *doubt)
{
    for (size_t i = 0; doubt && i < sizeof(work->doubts) / sizeof(work->doubts[0]); i++) {
        struct doubt *known = &work->doubts[i];

        if (known->text && known->text != doubt)
            continue;
        known->text = doubt;
        known->runs++;
        return;
    }
}

/* The i-th of `count` equal shares of a whole number; the first ones have what is left over. */
static uint64_t share_of(uint64_t whole, size_t i, size_t count)
{
    return whole / count + (i < whole % count);
}

/* 1: booked, by ConsumedEnergy unless that is NULL; 0: not, and *ret_reason says why. */
static int book_part(struct work *work, const struct dbd_job *job, const struct hostlist *nodes,
                     size_t i, const int64_t *consumed_j, enum reason *ret_reason)
{
    int type_at = inventory_type_of(&work->inventory, nodes->names[i]);
    const struct node_type *type = type_at >= 0 ? &work->inventory.types[type_at] : NULL;
    struct backfill_part part = {
        .job = job, .node = nodes->names[i], .begin_s = job->start_s,
        .gpus = (uint32_t)share_of(tres_count(job->alloc_tres, "gres/gpu"), i, nodes->count),
        .memory_mb = share_of(tres_count(job->alloc_tres, "mem"), i, nodes->count),
        .node_cores = type ? type->cores : 0, .node_gpus = type ? type->gpus : 0,
        .made_by = work->made_by,
    };
    uint64_t cpus = share_of(tres_count(job->alloc_tres, "cpu"), i, nodes->count), elapsed_ms, mj;
    struct type_rates *rates;
    int rc = backfill_free_until(work->store, job->cluster, part.node, job->start_s, job->end_s,
                                 &part.end_s, work->err);

    *ret_reason = METERED;
    if (rc < 0 || part.end_s <= part.begin_s)
        return rc;
    rc = rates_of(work, job->cluster, part.node, &rates);
    if (rc < 0)
        return rc;
    part.cores = (uint32_t)(cpus / rates->threads);
    if (part.node_cores && part.cores > part.node_cores)
        part.cores = part.node_cores;
    elapsed_ms = (uint64_t)(part.end_s - part.begin_s) * 1000;
    part.energy = tres_model(&rates->rates, part.cores, part.gpus, elapsed_ms);
    part.source = consumed_j ? BACKFILL_CONSUMED_ENERGY : BACKFILL_TRES;
    if (consumed_j) {
        mj = share_of((uint64_t)*consumed_j * 1000, i, nodes->count);
        mj = mul_div(mj, elapsed_ms, (uint64_t)(job->end_s - job->start_s) * 1000);
        part.energy = tres_scale(&part.energy, mj);
    }
    rc = backfill_book(&work->backfill, &part, work->err);
    *ret_reason = IN_BOOKS;
    if (rc > 0)
        work->mj[part.source] += tres_energy_mj(&part.energy);
    return rc;
}

static int book_run(void *arg, const struct dbd_job *job)
{
    struct work *work = arg;
    enum reason reason = REASON_COUNT, last = IN_BOOKS;
    struct hostlist nodes = { 0 };
    const char *doubt = NULL;
    int64_t consumed_j;
    uint64_t booked = 0;
    int rc = 0;

    if (job->start_s >= 0 && (job->start_s < work->from_s || job->start_s >= work->to_s))
        return 0;
    rc = reconcile_is_here(work->store, work->conf->cluster_name, job, work->err);
    if (rc < 0)
        return rc;
    reason = reason_of(work, job, rc);
    rc = nodes_of(work, job, &nodes);
    if (rc == 0 && reason == REASON_COUNT && nodes.count == 0)
        reason = NO_NODES;
    if (rc == 0 && reason == REASON_COUNT)
        rc = consumed_of(work, job, &nodes, &consumed_j, &doubt);
    for (size_t i = 0; rc >= 0 && reason == REASON_COUNT && i < nodes.count; i++) {
        rc = book_part(work, job, &nodes, i, doubt ? NULL : &consumed_j, &last);
        booked += rc > 0;
    }
    if (rc >= 0 && booked > 0) {
        work->runs[doubt ? BACKFILL_TRES : BACKFILL_CONSUMED_ENERGY]++;
        note_doubt(work, doubt);
    } else if (rc >= 0) {
        work->left[reason == REASON_COUNT ? last : reason]++;
    }
    hostlist_clear(&nodes);
    return rc < 0 ? rc : 0;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int book_all(struct work *work, FILE *file)
{
    const char *name = work->file ? work->file : "sacct";
    int rc = load_inventory(work);

    work->types = calloc(work->inventory.n_types + 1, sizeof(*work->types));
    if (rc == 0 && !work->types)
        rc = error_set(work->err, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = reconcile_begin(work->store, work->err);
    if (rc == 0)
        rc = backfill_begin(&work->backfill, work->store, work->now_s, work->err);
    if (rc == 0)
        rc = dbd_read(file, name, note_run, work, work->err);
    if (rc == 0 && fseek(file, 0, SEEK_SET) != 0)
        rc = error_set_errno(work->err, -errno, "%s is read twice, so it has to be a file", name);
    return rc == 0 ? dbd_read(file, name, book_run, work, work->err) : rc;
}

/* slurmdbd is asked before the books are locked: it may take minutes. */
static int backfill(struct work *work)
{
    const struct store_turn turn = writer_turn("carbonctl backfill");
    FILE *file = NULL;
    int rc = work->drop ? 0 : dbd_open(work->file, work->from_s, work->now_s, &file, work->err);

    if (rc == 0)
        rc = store_open_in_turn(work->conf->database, &turn, &work->store, work->err);
    if (rc == 0)
        rc = store_begin(work->store, work->err);
    if (rc == 0 && work->drop)
        rc = backfill_drop(work->store, work->conf->cluster_name, work->from_s, work->to_s,
                           &work->dropped, work->err);
    else if (rc == 0)
        rc = book_all(work, file);
    if (rc == 0 && work->dry_run)
        store_rollback(work->store);
    else if (rc == 0)
        rc = store_commit(work->store, work->err);
    store_close(work->store);
    if (file)
        fclose(file);
    return rc;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_doubts(const struct work *work)
{
    for (size_t i = 0; i < sizeof(work->doubts) / sizeof(work->doubts[0]); i++)
        if (work->doubts[i].text)
            plainf("    ConsumedEnergy not taken of %" PRIu64 " run%s: %s\n", work->doubts[i].runs,
                   plural(work->doubts[i].runs), work->doubts[i].text);
}

static void print_rates(const struct work *work)
{
    for (size_t i = 0; i <= work->inventory.n_types; i++) {
        const struct type_rates *type = &work->types[i];
        uint64_t core_uw = 0;

        if (!type->known)
            continue;
        for (int c = 0; c < COMPONENT_COUNT; c++)
            core_uw += type->rates.core_active_uw[c] + type->rates.core_idle_uw[c];
        plainf("    nodes of %s%s: %.3g W a core (%s), %.3g W a GPU (%s)\n",
               i < work->inventory.n_types ? "type " : "no type in inventory.conf",
               i < work->inventory.n_types ? work->inventory.types[i].name : "",
               (double)core_uw / 1e6, type->core_from,
               (double)(type->rates.gpu_active_uw + type->rates.gpu_idle_uw) / 1e6, type->gpu_from);
    }
}

static void print_report(const struct work *work)
{
    char from[TIMESPEC_SIZE];

    timespec_format(work->from_s, NULL, work->now_s, from);
    if (work->drop) {
        plainf("taken back: %" PRId64 " run%s, each on one node%s\n", work->dropped,
               plural((uint64_t)work->dropped),
               work->dry_run ? "; a dry run, nothing is changed" : "");
        return;
    }
    plainf("runs of jobs begun since %s, as slurmdbd has them%s\n", from,
           work->dry_run ? "; a dry run, nothing is booked" : "");
    plainf("booked: %" PRIu64 "\n", work->runs[0] + work->runs[1]);
    if (work->runs[BACKFILL_CONSUMED_ENERGY] > 0)
        plainf("  by Slurm's ConsumedEnergy: %" PRIu64 ", %.3f kWh\n",
               work->runs[BACKFILL_CONSUMED_ENERGY],
               (double)work->mj[BACKFILL_CONSUMED_ENERGY] / KWH_MJ);
    if (work->runs[BACKFILL_TRES] > 0) {
        plainf("  by AllocTRES: %" PRIu64 ", %.3f kWh\n", work->runs[BACKFILL_TRES],
               (double)work->mj[BACKFILL_TRES] / KWH_MJ);
        print_rates(work);
        print_doubts(work);
    }
    for (int i = 0; i < REASON_COUNT; i++)
        if (work->left[i] > 0)
            plainf("left alone: %" PRIu64 " %s\n", work->left[i], reason_texts[i]);
}

static int time_option(const char *name, const char *text, int64_t now_s, int64_t *ret_s)
{
    struct error err = { "" };

    if (timespec_parse(text, now_s, ret_s, &err) == 0)
        return 0;
    complain("--%s: %s", name, err.text);
    return -EINVAL;
}

static int take_option(struct work *work, int option)
{
    switch (option) {
    case 'S':
        return time_option("starttime", optarg, work->now_s, &work->from_s);
    case 'E':
        return time_option("endtime", optarg, work->now_s, &work->to_s);
    case 'f':
        work->file = optarg;
        return 0;
    case 'n':
        work->dry_run = true;
        return 0;
    case 'd':
        work->drop = true;
        return 0;
    default:
        return -EINVAL;
    }
}

static int backfill_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "starttime", required_argument, NULL, 'S' },
        { "endtime", required_argument, NULL, 'E' },
        { "sacct-file", required_argument, NULL, 'f' },
        { "dry-run", no_argument, NULL, 'n' },
        { "drop", no_argument, NULL, 'd' },
        WRITER_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    struct error err = { "" };
    struct conf conf;
    struct work work = { .conf = &conf, .made_by = own_user_name(), .from_s = -1, .err = &err,
                         .now_s = clock_wall_ns() / (int64_t)NS_PER_S };
    int option, rc;

    work.to_s = work.now_s;
    while ((option = next_option(command, argc, argv, options)) != -1)
        if (take_option(&work, option) < 0)
            return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    if (refuse_operands(command, argc, argv))
        return EXIT_ERROR;
    if (work.from_s < 0) {
        complain("backfill: --starttime is missing; it says from when on jobs are booked");
        return EXIT_ERROR;
    }
    if (load_conf(&conf, NULL) < 0)
        return EXIT_ERROR;
    rc = backfill(&work);
    if (rc < 0)
        complain("%s", err.text);
    else
        print_report(&work);
    inventory_clear(&work.inventory);
    free(work.types);
    return rc < 0 ? EXIT_ERROR : EXIT_FINE;
}

const struct command command_backfill = {
    .name = "backfill",
    .usage = "--starttime TIME [--endtime TIME] [--sacct-file FILE] [--dry-run] [--drop] [OPTIONS]",
    .summary = "book jobs from before the plugin by what slurmdbd knows of them",
    .help = "Slurm's ConsumedEnergy where it is plausible, else AllocTRES times what a core and a\n"
            "GPU of such a node draw: by inventory.conf, else as measured since, else a default.\n"
            "All of it is marked as modelled. Time in which a node was metered is left alone, and\n"
            "what was metered and comes later takes its place. Run again, it books what is new.\n\n"
            "  -S, --starttime TIME\n"
            "                     jobs that began then or later, a time as sacct takes it\n"
            "  -E, --endtime TIME\n"
            "                     and before then; now unless told\n"
            "  --sacct-file FILE  read what `sacct -P` printed, instead of calling sacct\n"
            "  --dry-run          say what would be done, and change nothing\n"
            "  --drop             take back what was booked of jobs of this time\n"
            WAIT_HELP,
    .exec = backfill_exec,
};

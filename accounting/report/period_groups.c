/*
 * period_groups.c - lines of the report: jobs by account, user, partition and state, node types,
 * the greatest jobs, and what a reader must know
 */
#include "report/period_work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/row.h"
#include "store/viewer.h"

#define ACCOUNTS_NAMED 20

void amounts_add(struct amounts *sum, const struct amounts *part)
{
    sum->jobs += part->jobs;
    sum->active_mj += part->active_mj;
    sum->idle_mj += part->idle_mj;
    sum->measured_mj += part->measured_mj;
    sum->modelled_mj += part->modelled_mj;
    sum->metered_ms += part->metered_ms;
    sum->elapsed_ms += part->elapsed_ms;
    sum->gap_ms += part->gap_ms;
    sum->gpu_ms += part->gpu_ms;
    sum->core_ms += part->core_ms;
    sum->active_mg += part->active_mg;
    sum->idle_mg += part->idle_mg;
    sum->overhead_mg += part->overhead_mg;
    sum->spread_mg += part->spread_mg;
    range_add(&sum->embodied, &part->embodied);
    sum->missing_embodied += part->missing_embodied;
}

uint64_t amounts_operational_mg(const struct amounts *amounts)
{
    return amounts->active_mg + amounts->idle_mg + amounts->overhead_mg + amounts->spread_mg;
}

uint64_t amounts_total_mg(const struct amounts *amounts)
{
    return amounts_operational_mg(amounts) + amounts->embodied.central;
}

/* What lines and jobs are in order of: greatest first, by mass, then (where there are no grams) by
   energy. */
struct size {
    uint64_t mg, mj;
};

static int compare_sizes(struct size a, struct size b)
{
    if (a.mg != b.mg)
        return a.mg > b.mg ? -1 : 1;
    return a.mj > b.mj ? -1 : a.mj < b.mj;
}

static struct size size_of_line(const struct report_line *line)
{
    return (struct size){ amounts_total_mg(&line->tree),
                          line->tree.active_mj + line->tree.idle_mj };
}

static int compare_lines(const void *va, const void *vb)
{
    const struct report_line *a = va, *b = vb;
    int order = compare_sizes(size_of_line(a), size_of_line(b));

    if (a->hidden != b->hidden)
        return a->hidden - b->hidden;
    return order ? order : strcmp(a->name, b->name);
}

/* --- groups ----------------------------------------------------------------------------------- */

static int add_line(struct report_group *group, const char *name, struct report_line **ret)
{
    struct report_line *line = work_grow(&group->lines, &group->count, sizeof(*line));

    if (line)
        line->name = strdup(name);
    if (!line || !line->name)
        return -ENOMEM;
    *ret = line;
    return 0;
}

static struct amounts amounts_of(const struct work *work, const struct work_job *job)
{
    return (struct amounts){
        .jobs = 1, .active_mj = job->active_mj, .idle_mj = job->idle_mj,
        .measured_mj = job->measured_mj, .modelled_mj = job->modelled_mj,
        .metered_ms = job->metered_ms, .elapsed_ms = job->elapsed_ms, .gap_ms = job->gap_ms,
        .gpu_ms = job->gpu_ms, .core_ms = job->core_ms, .active_mg = job->mg.active,
        .idle_mg = job->mg.idle, .overhead_mg = job->mg.overhead, .spread_mg = job->spread_mg,
        .embodied = job->mg.embodied,
        .missing_embodied = work->basis->has_inventory && job->missing,
    };
}

/* The job's line in a group; line_of: index + 1 by text. Where names are somebody's, jobs that are
   not the viewer's to see are all in one. NULL without memory. */
static struct report_line *line_of_job(const struct work *work, const struct work_job *job, int by,
                                       struct report_group *group, size_t *line_of)
{
    const size_t others = work->texts.count;
    bool is_private = by == WORK_USER || by == WORK_ACCOUNT;
    size_t text = is_private && job->hidden ? others : job->of[by];
    struct report_line *line;

    if (line_of[text])
        return &group->lines[line_of[text] - 1];
    if (add_line(group, text == others ? REPORT_OTHERS : work->texts.items[text], &line) < 0)
        return NULL;
    line->hidden = text == others;
    line_of[text] = group->count;
    return line;
}

/* In one go, since all jobs are more than a cache holds. */
static int sum_jobs(struct work *work, struct report_group *const *groups)
{
    const size_t n_texts = work->texts.count + 1;
    size_t *lines = calloc(WORK_GROUP_COUNT * n_texts, sizeof(*lines));
    int rc = lines ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < work->n_jobs; i++) {
        const struct work_job *job = &work->jobs[i];
        struct amounts amounts = amounts_of(work, job);

        amounts_add(&work->report->jobs, &amounts);
        for (size_t by = 0; rc == 0 && by < WORK_GROUP_COUNT; by++) {
            struct report_line *line = line_of_job(work, job, (int)by, groups[by],
                                                   &lines[by * n_texts]);

            if (line)
                amounts_add(&line->own, &amounts);
            else
                rc = -ENOMEM;
        }
    }
    free(lines);
    return rc;
}

void report_write_viewer(const struct viewer *viewer, struct buf *buf)
{
    const struct hostlist *accounts = &viewer->accounts;

    buf_printf(buf, "%s (uid %u)", viewer->user ? viewer->user : "the user", viewer->uid);
    for (size_t i = 0; i < accounts->count && i < ACCOUNTS_NAMED; i++)
        buf_printf(buf, "%s%s", i > 0 ? ", " : accounts->count > 1 ? " and of accounts "
                   : " and of account ", accounts->names[i]);
    if (accounts->count > ACCOUNTS_NAMED)
        buf_printf(buf, " and %zu more", accounts->count - ACCOUNTS_NAMED);
}

/* --- the tree of accounts --------------------------------------------------------------------- */

static struct report_line *find_line(const struct report_group *group, const char *name)
{
    for (size_t i = 0; name && i < group->count; i++) {
        if (!group->lines[i].hidden && strcmp(group->lines[i].name, name) == 0)
            return &group->lines[i];
    }
    return NULL;
}

/* The nearest account above that may be named. */
static const char *parent_of(const struct work *work, const struct report_line *line)
{
    const char *name = line->hidden ? NULL : line->name;

    do
        name = name ? inventory_parent_of(work_inventory(work), name) : NULL;
    while (name && !viewer_sees_account(work->report->viewer, name) &&
           !find_line(&work->report->accounts, name));
    return name;
}

/* Give lines their parents, and parents without jobs a line: it comes last, and has its turn. */
static int add_parents(const struct work *work, struct report_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        const char *parent = parent_of(work, &group->lines[i]);
        struct report_line *line;

        if (!parent)
            continue;
        group->lines[i].parent = strdup(parent);
        if (!group->lines[i].parent || (!find_line(group, parent) &&
                                        add_line(group, parent, &line) < 0))
            return -ENOMEM;
    }
    return 0;
}

/* Every line's own amounts to all above it. The inventory has no account above itself. */
static void sum_tree(struct report_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        struct report_line *above = find_line(group, group->lines[i].parent);

        for (; above; above = find_line(group, above->parent)) {
            amounts_add(&above->tree, &group->lines[i].own);
            group->lines[i].depth++;
        }
    }
}

/* Move lines below `parent` (NULL: the root) to `sorted`, each followed by those below it. */
static void place_below(struct report_group *group, const char *parent, struct report_line *sorted,
                        size_t *count)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct report_line *line = &group->lines[i];

        if (parent ? !line->parent || strcmp(line->parent, parent) != 0 : line->parent != NULL)
            continue;
        sorted[(*count)++] = *line;
        if (!line->hidden)
            place_below(group, line->name, sorted, count);
    }
}

static void sort_group(struct report_group *group)
{
    if (group->count > 0)
        qsort(group->lines, group->count, sizeof(*group->lines), compare_lines);
}

static int make_tree(const struct work *work, struct report_group *group)
{
    struct report_line *sorted;
    size_t count = 0;

    if (work_inventory(work)->n_accounts == 0)
        return 0;
    if (add_parents(work, group) < 0)
        return -ENOMEM;
    sum_tree(group);
    sort_group(group);
    sorted = calloc(group->count + 1, sizeof(*sorted));
    if (!sorted)
        return -ENOMEM;
    place_below(group, NULL, sorted, &count);
    free(group->lines);
    group->lines = sorted;
    return 0;
}

int work_groups(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    struct report_group *const groups[] = {
        [WORK_USER] = &report->users, [WORK_ACCOUNT] = &report->accounts,
        [WORK_PARTITION] = &report->partitions, [WORK_STATE] = &report->states,
    };

    if (sum_jobs(work, groups) < 0)
        return work_no_memory(err);
    for (size_t by = 0; by < WORK_GROUP_COUNT; by++) {
        for (size_t i = 0; i < groups[by]->count; i++)
            groups[by]->lines[i].tree = groups[by]->lines[i].own;
        sort_group(groups[by]);
    }
    return make_tree(work, &report->accounts) < 0 ? work_no_memory(err) : 0;
}

/* --- node types ------------------------------------------------------------------------------- */

static void count_nodes(struct work *work)
{
    const struct period *period = &work->report->period;

    for (size_t i = 0; i < work->n_nodes; i++) {
        const struct work_node *node = &work->nodes[i];

        if (node->heard || node->used ||
            work_service_s(work, node, period->from_s, period->to_s) > 0)
            work->lines[node->line].nodes++;
    }
}

/* What the type's own assets emitted, without those that all share. */
static void sum_assets(const struct work *work, int type, struct range_mg *sum)
{
    const struct embodied_period *embodied = &work->report->embodied;

    for (size_t i = 0; i < embodied->n_parts; i++) {
        if (embodied->parts[i].type == type)
            range_add(sum, &embodied->parts[i].amount);
    }
}

/* POOL_COUNT: a type whose time is part of no pool, such as storage. */
static unsigned pool_of_line(const struct work *work, size_t line)
{
    const struct inventory *inventory = work_inventory(work);
    struct embodied_node node = { .name = "", .type = (int)line };

    if (line >= inventory->n_types)
        return (unsigned)(line - inventory->n_types);
    return embodied_counts(inventory, &node) ? embodied_pool_of(inventory, &node) : POOL_COUNT;
}

const char *report_pool_name(unsigned pool)
{
    return pool < POOL_COUNT ? pool_names[pool] : "none";
}

static int add_type(struct work *work, size_t at, uint64_t operational_mg)
{
    struct period_report *report = work->report;
    const struct inventory *inventory = work_inventory(work);
    const struct work_line *line = &work->lines[at];
    struct report_type *type = &report->types[report->n_types];

    *type = (struct report_type){
        .name = strdup(at < inventory->n_types ? inventory->types[at].name : ""),
        .pool = pool_of_line(work, at), .nodes = line->nodes, .counted_mj = line->counted_mj,
        .active_mj = line->active_mj, .idle_mj = line->idle_mj, .system_mj = line->system_mj,
        .unallocated_mj = line->unallocated_mj, .operational_mg = operational_mg,
        .used_ms = line->used_ms, .available_ms = line->available_ms,
    };
    if (!type->name)
        return -ENOMEM;
    report->n_types++;
    type->has_embodied = at < inventory->n_types && inventory->types[at].n_assets > 0;
    if (at < inventory->n_types)
        sum_assets(work, (int)at, &type->embodied);
    return 0;
}

static int compare_types(const void *va, const void *vb)
{
    const struct report_type *a = va, *b = vb;
    uint64_t x = a->operational_mg + a->embodied.central;
    uint64_t y = b->operational_mg + b->embodied.central;

    if (x == y) {
        x = a->counted_mj;
        y = b->counted_mj;
    }
    if (x != y)
        return x > y ? -1 : 1;
    return strcmp(a->name, b->name) ? strcmp(a->name, b->name) : (int)a->pool - (int)b->pool;
}

int work_types(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    size_t count = work_inventory(work)->n_types + POOL_COUNT;
    exact *weights = calloc(count, sizeof(*weights));
    uint64_t *shares = calloc(count, sizeof(*shares));
    bool failed = false;

    report->types = calloc(count, sizeof(*report->types));
    failed = !weights || !shares || !report->types;
    count_nodes(work);
    for (size_t i = 0; !failed && i < count; i++)
        weights[i] = operational_sum(&work->lines[i].exact);
    if (!failed)
        (void)apportion_exact(work->operational_mg, weights, count, shares, &failed);
    for (size_t i = 0; !failed && i < count; i++) {
        const struct work_line *line = &work->lines[i];

        if (i < count - POOL_COUNT || line->nodes > 0)
            failed = add_type(work, i, shares[i]) < 0;
    }
    if (!failed)
        qsort(report->types, report->n_types, sizeof(*report->types), compare_types);
    free(weights);
    free(shares);
    return failed ? work_no_memory(err) : 0;
}

/* --- the greatest jobs ------------------------------------------------------------------------ */

static struct size size_of_job(const struct work_job *job)
{
    return (struct size){ job->mg.active + job->mg.idle + job->mg.overhead + job->spread_mg +
                              job->mg.embodied.central,
                          job->active_mj + job->idle_mj };
}

static int compare_jobs(const struct work_job *a, const struct work_job *b)
{
    int order = compare_sizes(size_of_job(a), size_of_job(b));

    return order ? order : a->job_key < b->job_key ? -1 : a->job_key > b->job_key;
}

static const char *copy_of(const char *text, bool *failed)
{
    char *copy = text ? strdup(text) : NULL;

    *failed |= text && !copy;
    return copy;
}

static int take_top(void *arg, const struct period_job *job)
{
    const struct query_job query = {
        .job_id = job->job_id, .array_job_id = job->array_job_id,
        .array_task_id = job->array_task_id, .het_job_id = job->het_job_id,
        .het_offset = job->het_offset, .end_s = job->end_s, .exit_status = job->exit_status,
        .flags = job->flags, .state = (char *)(uintptr_t)job->dbd_state,
    };
    const struct row row = { .job = &query };
    struct report_job *top = arg;
    struct buf id;
    bool failed = false;

    top->job = *job;
    top->state = job_state(&query)->name;
    buf_init_fixed(&id, top->job_id, sizeof(top->job_id));
    row_job_id(&row, false, &id);
    top->job.dbd_state = NULL; /* `state` says it */
    top->job.user = NULL;      /* known already, of one without a name too */
    top->job.account = copy_of(job->account, &failed);
    top->job.partition = copy_of(job->partition, &failed);
    top->job.qos = copy_of(job->qos, &failed);
    top->job.name = copy_of(job->name, &failed);
    return failed ? -ENOMEM : 0;
}

/* What is known of a job that is among the greatest. */
static int describe_top(struct work *work, const struct work_job *job, struct error *err)
{
    struct report_job *top = &work->report->top[work->report->n_top++];
    bool failed = false;
    int rc;

    top->amounts = amounts_of(work, job);
    rc = period_jobs(work->store, work->report->period.cluster, &job->job_key, 1, true, take_top,
                     top, err);
    if (rc == 0)
        top->job.user = copy_of(work->texts.items[job->of[WORK_USER]], &failed);
    return rc == -ENOMEM || failed ? work_no_memory(err) : rc;
}

static int compare_tops(const void *va, const void *vb)
{
    return compare_jobs(*(const struct work_job *const *)va, *(const struct work_job *const *)vb);
}

/* The greatest, in order: candidates are sorted when there are twice as many as are asked for. */
static size_t choose_top(const struct work *work, size_t wanted, const struct work_job **top)
{
    const struct work_job *last = NULL; /* of as many as are asked for, so far */
    size_t count = 0;

    for (size_t i = 0; i < work->n_jobs && wanted > 0; i++) {
        if (work->jobs[i].hidden || (last && compare_jobs(last, &work->jobs[i]) < 0))
            continue;
        top[count++] = &work->jobs[i];
        if (count == 2 * wanted) {
            qsort(top, count, sizeof(*top), compare_tops);
            count = wanted;
            last = top[count - 1];
        }
    }
    if (count > 0)
        qsort(top, count, sizeof(*top), compare_tops);
    return count < wanted ? count : wanted;
}

int work_top(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    size_t wanted = work->options->n_top < work->n_jobs ? work->options->n_top : work->n_jobs;
    const struct work_job **top = calloc(2 * wanted + 1, sizeof(*top));
    size_t count = top ? choose_top(work, wanted, top) : 0;
    int rc = 0;

    report->top = calloc(wanted + 1, sizeof(*report->top));
    if (!top || !report->top)
        rc = work_no_memory(err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = describe_top(work, top[i], err);
    free(top);
    return rc;
}

/* --- what a reader must know ------------------------------------------------------------------ */

static int add_name(struct hostlist *list, const char *name)
{
    char **slot = work_grow(&list->names, &list->count, sizeof(*slot));

    if (!slot)
        return -ENOMEM;
    *slot = strdup(name);
    return *slot ? 0 : -ENOMEM;
}

int work_warnings(struct work *work, struct error *err)
{
    struct period_report *report = work->report;
    const struct embodied_period *embodied = &report->embodied;
    int rc = 0;

    for (size_t i = 0; work->basis->has_inventory && rc == 0 && i < work->n_nodes; i++) {
        const struct work_node *node = &work->nodes[i];
        int64_t s = work_service_s(work, node, report->period.from_s, report->period.to_s);
        uint64_t hours = (uint64_t)(s / WORK_HOUR_S);

        if (node->type < 0 && (node->heard || node->used))
            rc = add_name(&report->unknown_nodes, node->name);
        if (hours > 0 && !node->heard)
            rc = add_name(&report->silent_nodes, node->name);
        report->nodes_silent_hours += hours > node->hours ? hours - node->hours : 0;
    }
    for (size_t i = 0; i < embodied->n_parts; i++)
        report->fully_amortised_pieces += embodied->parts[i].amortised_pieces;
    return rc < 0 ? work_no_memory(err) : 0;
}

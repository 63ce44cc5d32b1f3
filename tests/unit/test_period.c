/* reading a period: each call against a plain count over random allocations and energy */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "fake_meter.h"
#include "store/period.h"

#define NS INT64_C(1000000000)
#define HOUR 3600
#define JUL INT64_C(1782864000) /* 2026-07-01T00:00:00Z */
#define AUG (JUL + 31 * 86400)
#define SEP (AUG + 31 * 86400)
#define OCT (SEP + 30 * 86400)
#define NOV (OCT + 31 * 86400)

#define NODES 6       /* the last two of cluster "other" */
#define JOBS 60       /* the last ten of cluster "other" */
#define ACCOUNTS 3
#define ALLOCATIONS 200
#define ROWS 1500
#define TOTALS 300

static bool node_is_ours(int64_t node_key)
{
    return node_key <= NODES - 2;
}

static bool job_is_ours(int64_t job_key)
{
    return job_key <= JOBS - 10;
}

/* Accounts "a0" to "a2"; both clusters have jobs of each. */
static int account_of(int64_t job_key)
{
    return (int)(job_key % ACCOUNTS);
}

struct held {
    int64_t key, job_key, node_key, begin_ns, end_ns; /* end_ns: or seen */
    bool open;
};

struct row {
    int64_t hour_s, node_key, job_key, step_id;
    enum quality quality;
    int64_t active_mj, idle_mj, metered_ms, elapsed_ms, counted_mj; /* counted: of a total */
};

/* The books as arrays. Totals are rows too, with job_key -1. */
struct world {
    struct books books;
    uint64_t random;
    struct held held[ALLOCATIONS];
    struct row rows[ROWS + TOTALS];
};

static int64_t pick(struct world *world, int64_t bound)
{
    return (int64_t)fake_random(&world->random, (uint64_t)bound);
}

/* Any second of the four months; a good part of them at borders of the periods below. */
static int64_t pick_ns(struct world *world)
{
    static const int64_t months[] = { JUL, AUG, SEP, OCT, NOV };
    static const int64_t hours[] = { SEP - 86400, SEP - HOUR, SEP + HOUR, SEP + 5 * HOUR,
                                     SEP + 6 * HOUR };
    int64_t any_s = JUL + pick(world, NOV - JUL);

    switch (pick(world, 4)) {
    case 0:
        return months[pick(world, LENGTH(months))] * NS;
    case 1:
        return months[pick(world, LENGTH(months))] * NS + pick(world, 3) - 1;
    case 2:
        return hours[pick(world, LENGTH(hours))] * NS;
    default:
        return any_s * NS + pick(world, NS);
    }
}

static void run_sql(struct world *world, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void run_sql(struct world *world, const char *fmt, ...)
{
    struct error err = { "" };
    char sql[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    if (store_exec(world->books.store, sql, &err) < 0)
        fail_msg("%s\nin %s", err.text, sql);
}

static void make_names(struct world *world)
{
    for (int64_t i = 1; i <= NODES; i++)
        run_sql(world, "INSERT INTO node VALUES (%" PRId64 ", '%s', 'n%" PRId64 "', 2, 64, 4,"
                " 1000)", i, node_is_ours(i) ? "ours" : "other", 9 - i);
    for (int64_t i = 1; i <= JOBS; i++)
        run_sql(world, "INSERT INTO job (job_key, cluster, job_id, restart_count, begin_s, account)"
                " VALUES (%" PRId64 ", '%s', %" PRId64 ", 0, 0, 'a%d')", i,
                job_is_ours(i) ? "ours" : "other", 1000 - i, account_of(i));
}

static void make_held(struct world *world)
{
    for (int64_t i = 0; i < ALLOCATIONS; i++) {
        struct held *held = &world->held[i];
        int64_t other_ns = pick_ns(world), shape = pick(world, 8);

        *held = (struct held){ i + 1, 1 + pick(world, JOBS), 0, pick_ns(world), 0,
                               pick(world, 5) == 0 };
        held->node_key = job_is_ours(held->job_key) ? 1 + pick(world, NODES - 2)
                                                    : NODES - pick(world, 2);
        held->end_ns = other_ns;
        if (shape == 0)
            held->end_ns = held->begin_ns;
        else if (shape != 1 && other_ns < held->begin_ns) { /* 1: a clock went backwards */
            held->end_ns = held->begin_ns;
            held->begin_ns = other_ns;
        }
        run_sql(world, "INSERT INTO allocation VALUES (%" PRId64 ", %" PRId64 ", %" PRId64 ", 's',"
                " %" PRId64 ", %" PRId64 ", NULL, %" PRId64 ", 1, 3, '', 2, '', 0, 0)", held->key,
                held->job_key, held->node_key, held->key, held->begin_ns, held->end_ns);
        if (!held->open)
            run_sql(world, "UPDATE allocation SET end_ns = seen_ns WHERE allocation_key = %" PRId64,
                    held->key);
    }
}

static void make_rows(struct world *world)
{
    for (int i = 0; i < ROWS; i++) {
        struct row *row = &world->rows[i];
        bool of_job = pick(world, 4) > 0;

        *row = (struct row){
            .hour_s = JUL + pick(world, 4) * 31 * 86400 + (pick(world, 30) - 10) * HOUR,
            .node_key = 1 + pick(world, NODES),
            .job_key = of_job ? 1 + pick(world, JOBS) : 0,
            .step_id = of_job ? pick(world, 3) - 1 : -1 - pick(world, 2),
            .quality = (enum quality)pick(world, QUALITY_COUNT),
            .active_mj = pick(world, 1000), .idle_mj = pick(world, 1000),
            .metered_ms = pick(world, 1000), .elapsed_ms = 1000 + pick(world, 1000),
        };
        run_sql(world, "INSERT INTO energy VALUES (%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64
                ", 'cpu', '%s', 'sensor %d', %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ")",
                row->node_key, row->hour_s, row->job_key, row->step_id, quality_names[row->quality],
                i, row->active_mj, row->idle_mj, row->metered_ms, row->elapsed_ms);
    }
    for (int i = ROWS; i < ROWS + TOTALS; i++) {
        struct row *row = &world->rows[i];

        *row = (struct row){ .hour_s = JUL + pick(world, 3000) * HOUR,
                             .node_key = 1 + pick(world, NODES), .job_key = -1,
                             .counted_mj = pick(world, 1000) };
        run_sql(world, "INSERT INTO node_total VALUES (%" PRId64 ", %" PRId64 ", 'c%d', %" PRId64
                ")", row->node_key, row->hour_s, i, row->counted_mj);
    }
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    world->random = 20260701;
    books_open(&world->books);
    books_unbind(&world->books);
    run_sql(world, "BEGIN");
    make_names(world);
    make_held(world);
    make_rows(world);
    assert_int_equal(store_make_sums(world->books.store, NULL), 0);
    run_sql(world, "COMMIT");
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    books_close(&world->books);
    free(world);
    return 0;
}

static const struct period periods[] = {
    { "ours", SEP, OCT }, { "ours", JUL, AUG }, { "ours", AUG, OCT }, { "ours", JUL, NOV },
    { "ours", SEP + 5 * HOUR, SEP + 6 * HOUR }, { "ours", SEP - HOUR, SEP + HOUR },
    { "ours", AUG + 86400, SEP - 86400 }, { "other", SEP, OCT }, { "ours", 0, HOUR },
    { "ours", NOV, NOV + 30 * 86400 }, { "absent", JUL, NOV },
    { "ours", SEP, SEP + HOUR }, { "ours", SEP - HOUR, SEP },
};

static bool is_of(const struct period *period, bool ours)
{
    return strcmp(period->cluster, "absent") != 0 && ours == (strcmp(period->cluster, "ours") == 0);
}

/* in whole nanoseconds, as the header says it */
static bool lives(const struct held *held, const struct period *period)
{
    int64_t from_ns = period->from_s * NS, to_ns = period->to_s * NS;

    if (held->end_ns <= held->begin_ns)
        return held->begin_ns >= from_ns && held->begin_ns < to_ns;
    return held->begin_ns < to_ns && held->end_ns > from_ns;
}

static bool is_in(const struct row *row, const struct period *period)
{
    return row->hour_s >= period->from_s && row->hour_s < period->to_s;
}

/* --- jobs ------------------------------------------------------------------------------------ */

struct keys {
    int64_t keys[JOBS];
    size_t count;
};

static int take_brief_job(void *arg, const struct period_job *job)
{
    struct keys *keys = arg;

    assert_true(keys->count < JOBS);
    assert_int_equal(job->job_id, 0);
    keys->keys[keys->count++] = job->job_key;
    return 0;
}

static int take_job(void *arg, const struct period_job *job)
{
    struct keys *keys = arg;

    assert_true(keys->count < JOBS);
    assert_int_equal(job->job_id, 1000 - job->job_key);
    keys->keys[keys->count++] = job->job_key;
    return 0;
}

/* Of other clusters, and between those that are asked for, are some too. */
static void jobs_are_those_of_the_keys_in_their_cluster(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < 16; i++) {
        struct keys asked = { .count = 0 }, found = { .count = 0 };
        size_t expected = 0;

        for (int64_t key = 1; key <= JOBS; key++)
            if (i & 1 || key % 7 < 3 || (i & 2 && key / 20 % 2)) /* and gaps that begin anew */
                asked.keys[asked.count++] = key;
        assert_int_equal(period_jobs(world->books.store, i & 4 ? "ours" : "other", asked.keys,
                                     asked.count, i & 8, i & 8 ? take_job : take_brief_job, &found,
                                     NULL), 0);
        for (size_t j = 0; j < asked.count; j++) {
            if (job_is_ours(asked.keys[j]) != ((i & 4) != 0))
                continue;
            ROW_HOLDS(i, expected < found.count && found.keys[expected] == asked.keys[j]);
            expected++;
        }
        ROW_HOLDS(i, found.count == expected);
    }
}

static int take_job_100(void *arg, const struct period_job *job)
{
    *(bool *)arg = true;
    assert_int_equal(job->job_key, 100);
    assert_int_equal(job->restart_count, 2);
    assert_true(job->array_job_id.has && job->array_job_id.value == 90);
    assert_true(job->array_task_id.has && job->array_task_id.value == 3);
    assert_true(job->uid.has && job->uid.value == 1001);
    assert_true(job->node_count.has && job->node_count.value == 4);
    assert_true(job->exit_status.has && job->exit_status.value == 256);
    assert_false(job->het_job_id.has || job->het_offset.has || job->end_s.has);
    assert_string_equal(job->user, "alice");
    assert_string_equal(job->account, "physics");
    assert_string_equal(job->partition, "gpu");
    assert_null(job->qos);
    assert_null(job->name);
    assert_int_equal(job->begin_s, 77);
    assert_int_equal(job->flags, 5);
    return 0;
}

static void a_job_comes_with_all_that_is_known_of_it(void **state)
{
    struct world *world = *state;
    const int64_t key = 100;
    bool came = false;

    run_sql(world, "BEGIN; INSERT INTO job (job_key, cluster, job_id, restart_count, uid,"
            " user_name, account, partition_name, job_name, array_job_id, array_task_id,"
            " node_count, begin_s, exit_status, flags) VALUES (100, 'third', 93, 2, 1001,"
            " 'alice', 'physics', 'gpu', '', 90, 3, 4, 77, 256, 5)");
    assert_int_equal(period_jobs(world->books.store, "third", &key, 1, true, take_job_100, &came,
                                 NULL), 0);
    assert_true(came);
    store_rollback(world->books.store);
}

/* --- uses ------------------------------------------------------------------------------------ */

struct uses {
    struct period_use uses[ALLOCATIONS];
    size_t count;
};

static int take_use(void *arg, const struct period_use *use)
{
    struct uses *uses = arg;

    assert_true(uses->count < ALLOCATIONS);
    assert_int_equal(use->cores, 3);
    assert_int_equal(use->gpus, 2);
    uses->uses[uses->count++] = *use;
    return 0;
}

/* Take the use that an allocation must have given out of those found. */
static bool take_out(struct uses *uses, const struct held *held, int64_t from_ns, int64_t to_ns)
{
    int64_t end_ns = held->end_ns < held->begin_ns ? held->begin_ns : held->end_ns;
    int64_t begin_ns = held->begin_ns < from_ns ? from_ns : held->begin_ns;

    end_ns = end_ns > to_ns ? to_ns : end_ns;
    for (size_t i = 0; i < uses->count; i++) {
        struct period_use *use = &uses->uses[i];

        if (use->job_key == held->job_key && use->node_key == held->node_key &&
            use->begin_ns == begin_ns && use->end_ns == end_ns) {
            use->job_key = -1;
            return true;
        }
    }
    return false;
}

static bool are_in_order(const struct uses *uses)
{
    for (size_t i = 1; i < uses->count; i++) {
        const struct period_use *a = &uses->uses[i - 1], *b = &uses->uses[i];

        if (a->job_key > b->job_key || (a->job_key == b->job_key && a->begin_ns > b->begin_ns))
            return false;
    }
    return true;
}

static void uses_are_cut_to_the_period_and_come_once(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < LENGTH(periods); i++) {
        const struct period *period = &periods[i];
        struct uses found = { .count = 0 };
        size_t expected = 0;

        assert_int_equal(period_uses(world->books.store, period, take_use, &found, NULL), 0);
        for (size_t j = 0; j < ALLOCATIONS; j++) {
            if (!lives(&world->held[j], period))
                continue;
            expected++;
            ROW_HOLDS(i, take_out(&found, &world->held[j], period->from_s * NS,
                                  period->to_s * NS));
        }
        ROW_HOLDS(i, found.count == expected);
    }
}

static void uses_of_a_job_are_whole(void **state)
{
    struct world *world = *state;

    for (int64_t key = 1; key <= JOBS; key++) {
        struct uses found = { .count = 0 };
        size_t expected = 0;

        assert_int_equal(period_uses_of_job(world->books.store, key, take_use, &found, NULL), 0);
        ROW_HOLDS(key, are_in_order(&found));
        for (size_t j = 0; j < ALLOCATIONS; j++) {
            if (world->held[j].job_key != key)
                continue;
            expected++;
            ROW_HOLDS(key, take_out(&found, &world->held[j], INT64_MIN, INT64_MAX));
        }
        ROW_HOLDS(key, found.count == expected);
    }
}

static const char *const account_names[ACCOUNTS + 1] = { "a0", "a1", "a2", "a3" };

static void uses_of_an_account_are_whole_and_those_that_live_in_the_period(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < LENGTH(periods) * (ACCOUNTS + 1); i++) {
        const struct period *period = &periods[i / (ACCOUNTS + 1)];
        int account = (int)(i % (ACCOUNTS + 1));
        struct uses found = { .count = 0 };
        size_t expected = 0;

        assert_int_equal(period_uses_of_account(world->books.store, period, account_names[account],
                                                take_use, &found, NULL), 0);
        for (size_t j = 0; j < ALLOCATIONS; j++) {
            const struct held *held = &world->held[j];

            if (!lives(held, period) || account_of(held->job_key) != account ||
                !is_of(period, job_is_ours(held->job_key)))
                continue;
            expected++;
            ROW_HOLDS(i, take_out(&found, held, INT64_MIN, INT64_MAX));
        }
        ROW_HOLDS(i, found.count == expected);
    }
}

static int take_key(void *arg, int64_t job_key)
{
    struct keys *keys = arg;

    assert_true(keys->count < JOBS);
    keys->keys[keys->count++] = job_key;
    return 0;
}

static void an_account_has_its_jobs_on_each_cluster(void **state)
{
    struct store *store = ((struct world *)*state)->books.store;

    for (int i = 0; i <= ACCOUNTS; i++) {
        const char *account = account_names[i];
        struct keys ours = { .count = 0 }, theirs = { .count = 0 };

        assert_int_equal(period_jobs_of_account(store, "ours", account, take_key, &ours, NULL), 0);
        assert_int_equal(period_jobs_of_account(store, "other", account, take_key, &theirs, NULL),
                         0);
        ROW_HOLDS(i, ours.count + theirs.count == (i < ACCOUNTS ? JOBS / ACCOUNTS : 0));
        for (size_t j = 0; j < ours.count; j++)
            ROW_HOLDS(i, job_is_ours(ours.keys[j]) && account_of(ours.keys[j]) == i);
        for (size_t j = 0; j < theirs.count; j++)
            ROW_HOLDS(i, !job_is_ours(theirs.keys[j]) && account_of(theirs.keys[j]) == i);
        ROW_HOLDS(i, period_has_account(store, "ours", account, NULL) == (i < ACCOUNTS));
        ROW_HOLDS(i, period_has_account(store, "absent", account, NULL) == 0);
    }
}

/* --- energy ---------------------------------------------------------------------------------- */

enum view { OF_JOB, OF_NODE, OF_CLUSTER, OF_ACCOUNT };

struct hours {
    struct world *world;
    const struct period *period;
    enum view view;
    int64_t only_job; /* 0: any */
    int account;      /* of OF_ACCOUNT */
    size_t count;
    struct {
        int64_t hour_s, key;
    } seen[ROWS + TOTALS];
};

static bool is_new(const struct hours *hours, const struct period_energy *energy)
{
    for (size_t i = 0; i < hours->count; i++)
        if (hours->seen[i].hour_s == energy->hour_s && hours->seen[i].key == energy->key)
            return false;
    return true;
}

static int64_t key_of(const struct row *row, enum view view)
{
    return view == OF_JOB ? row->job_key : view == OF_NODE ? row->node_key : 0;
}

/* Does the row belong to what is being read at all? */
static bool counts(const struct hours *hours, const struct row *row)
{
    if (!is_in(row, hours->period) || (hours->view == OF_JOB && row->job_key <= 0) ||
        (hours->only_job && row->job_key != hours->only_job))
        return false;
    if (hours->view == OF_ACCOUNT)
        return row->job_key > 0 && account_of(row->job_key) == hours->account &&
               is_of(hours->period, job_is_ours(row->job_key));
    return hours->view != OF_CLUSTER || is_of(hours->period, node_is_ours(row->node_key));
}

static struct period_energy sum_of(const struct hours *hours, int64_t hour_s, int64_t key)
{
    struct period_energy sum = { .hour_s = hour_s, .key = key };

    for (size_t i = 0; i < ROWS + TOTALS; i++) {
        const struct row *row = &hours->world->rows[i];
        uint64_t all_mj = (uint64_t)(row->active_mj + row->idle_mj);

        if (!counts(hours, row) || row->hour_s != hour_s || key_of(row, hours->view) != key)
            continue;
        sum.counted_mj += (uint64_t)row->counted_mj;
        sum.active_mj += row->job_key > 0 ? (uint64_t)row->active_mj : 0;
        sum.idle_mj += row->job_key > 0 ? (uint64_t)row->idle_mj : 0;
        sum.system_mj += row->job_key == 0 && row->step_id == -2 ? all_mj : 0;
        sum.unallocated_mj += row->job_key == 0 && row->step_id == -1 ? all_mj : 0;
        if (row->job_key < 0 || hours->view == OF_NODE)
            continue;
        sum.measured_mj += row->quality == QUALITY_MEASURED ? all_mj : 0;
        sum.modelled_mj += row->quality == QUALITY_MODELLED ? all_mj : 0;
        sum.metered_ms += (uint64_t)row->metered_ms;
        sum.elapsed_ms += (uint64_t)row->elapsed_ms;
        sum.gap_ms += row->quality == QUALITY_GAP ? (uint64_t)row->elapsed_ms : 0;
    }
    return sum;
}

static int take_hour(void *arg, const struct period_energy *energy)
{
    struct hours *hours = arg;
    struct period_energy expected = sum_of(hours, energy->hour_s, energy->key);

    assert_true(is_new(hours, energy));
    if (hours->view == OF_CLUSTER && hours->count > 0)
        assert_true(energy->hour_s > hours->seen[hours->count - 1].hour_s);
    hours->seen[hours->count].hour_s = energy->hour_s;
    hours->seen[hours->count++].key = energy->key;
    assert_memory_equal(energy, &expected, sizeof(expected));
    return 0;
}

/* How many (hour, key) there must be: rows that no earlier one shares both with. */
static size_t distinct(const struct hours *hours)
{
    size_t count = 0;

    for (size_t i = 0; i < ROWS + TOTALS; i++) {
        const struct row *row = &hours->world->rows[i];
        bool first = counts(hours, row);

        for (size_t j = 0; j < i && first; j++) {
            const struct row *other = &hours->world->rows[j];

            first = !counts(hours, other) || other->hour_s != row->hour_s ||
                    key_of(other, hours->view) != key_of(row, hours->view);
        }
        count += first;
    }
    return count;
}

static void energy_by_hour_is_the_sum_of_its_rows(void **state)
{
    struct world *world = *state;
    struct store *store = world->books.store;

    for (size_t i = 0; i < LENGTH(periods); i++) {
        const struct period *period = &periods[i];
        struct hours jobs = { .world = world, .period = period, .view = OF_JOB };
        struct hours nodes = { .world = world, .period = period, .view = OF_NODE };
        struct hours cluster = { .world = world, .period = period, .view = OF_CLUSTER };

        assert_int_equal(period_job_hours(store, period, take_hour, &jobs, NULL), 0);
        ROW_HOLDS(i, jobs.count == distinct(&jobs));
        assert_int_equal(period_node_hours(store, period, take_hour, &nodes, NULL), 0);
        ROW_HOLDS(i, nodes.count == distinct(&nodes));
        assert_int_equal(period_cluster_hours(store, period, take_hour, &cluster, NULL), 0);
        ROW_HOLDS(i, cluster.count == distinct(&cluster));
    }
}

static void hours_of_an_account_are_those_of_its_jobs(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < LENGTH(periods) * (ACCOUNTS + 1); i++) {
        const struct period *period = &periods[i / (ACCOUNTS + 1)];
        struct hours hours = { .world = world, .period = period, .view = OF_ACCOUNT,
                               .account = (int)(i % (ACCOUNTS + 1)) };

        assert_int_equal(period_hours_of_account(world->books.store, period,
                                                 account_names[hours.account], take_hour, &hours,
                                                 NULL), 0);
        ROW_HOLDS(i, hours.count == distinct(&hours));
    }
}

static void the_bounds_are_the_first_and_last_hour_of_the_cluster(void **state)
{
    struct world *world = *state;
    int64_t first_s = INT64_MAX, last_s = 0, found_first_s, found_last_s;
    bool has;

    for (size_t i = 0; i < ROWS + TOTALS; i++) {
        const struct row *row = &world->rows[i];

        if (!node_is_ours(row->node_key))
            continue;
        first_s = row->hour_s < first_s ? row->hour_s : first_s;
        last_s = row->hour_s > last_s ? row->hour_s : last_s;
    }
    assert_int_equal(period_bounds(world->books.store, "ours", &has, &found_first_s, &found_last_s,
                                   NULL), 0);
    assert_true(has);
    assert_int_equal(found_first_s, first_s);
    assert_int_equal(found_last_s, last_s);
    assert_int_equal(period_last(world->books.store, "ours", &has, &found_last_s, NULL), 0);
    assert_true(has);
    assert_int_equal(found_last_s, last_s);
    assert_int_equal(period_last(world->books.store, "absent", &has, &found_last_s, NULL), 0);
    assert_false(has);
    assert_int_equal(period_bounds(world->books.store, "absent", &has, &found_first_s,
                                   &found_last_s, NULL), 0);
    assert_false(has);
}

/* --- the rest -------------------------------------------------------------------------------- */

static int take_node(void *arg, const struct period_node *node)
{
    char **at = arg;

    assert_int_equal(node->packages, 2);
    assert_int_equal(node->cores, 64);
    assert_int_equal(node->gpus, 4);
    *at += sprintf(*at, "%s=%d ", node->name, (int)node->node_key);
    return 0;
}

static void nodes_come_by_name(void **state)
{
    struct world *world = *state;
    char names[256] = "", *at = names;

    assert_int_equal(period_nodes(world->books.store, "ours", take_node, &at, NULL), 0);
    assert_string_equal(names, "n5=4 n6=3 n7=2 n8=1 ");
}

static int stop_at_second(void *arg, const struct period_energy *energy)
{
    (void)energy;
    return ++*(int *)arg == 2 ? -ECANCELED : 0;
}

static void a_taker_can_stop_and_the_next_reading_begins_anew(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 2; i++) {
        int seen = 0;

        assert_int_equal(period_job_hours(world->books.store, &periods[0], stop_at_second, &seen,
                                          NULL), -ECANCELED);
        assert_int_equal(seen, 2);
    }
}

/* --- two at once ----------------------------------------------------------------------------- */

struct both {
    struct uses uses;
    struct keys keys;
    struct hours hours;
    size_t stop_at; /* an hour; 0: none */
};

static int take_use_of_both(void *arg, const struct period_use *use)
{
    return take_use(&((struct both *)arg)->uses, use);
}

static int take_job_of_both(void *arg, const struct period_job *job)
{
    return take_brief_job(&((struct both *)arg)->keys, job);
}

static int take_hour_of_both(void *arg, const struct period_energy *energy)
{
    struct both *both = arg;

    if (both->stop_at && both->hours.count + 1 == both->stop_at)
        return -ECANCELED;
    return take_hour(&both->hours, energy);
}

static int read_both_times(struct world *world, struct store *beside, const struct period *period,
                           size_t stop_at)
{
    struct both first = { .hours = { .world = world, .period = period, .view = OF_JOB },
                          .stop_at = stop_at };
    struct both second = { .hours = { .world = world, .period = period, .view = OF_NODE },
                           .stop_at = stop_at };
    struct uses uses = { .count = 0 };
    int64_t keys[JOBS];
    int rc;

    for (int64_t key = 1; key <= JOBS; key++)
        keys[key - 1] = key;
    rc = period_uses_and_job_hours(world->books.store, beside, period, take_use_of_both,
                                   take_hour_of_both, &first, NULL);
    if (rc < 0)
        return rc;
    assert_int_equal(period_uses(world->books.store, period, take_use, &uses, NULL), 0);
    assert_int_equal(first.uses.count, uses.count);
    assert_memory_equal(first.uses.uses, uses.uses, uses.count * sizeof(uses.uses[0]));
    assert_int_equal(first.hours.count, distinct(&first.hours));
    assert_int_equal(period_jobs_and_node_hours(world->books.store, beside, period, keys, JOBS,
                                                take_job_of_both, take_hour_of_both, &second,
                                                NULL), 0);
    assert_int_equal(second.keys.count, is_of(period, true) ? JOBS - 10
                                        : is_of(period, false) ? 10 : 0);
    assert_int_equal(second.hours.count, distinct(&second.hours));
    return 0;
}

/* Each in its own order, and whoever stops can begin anew. What is written after they began is in
   neither. */
static void two_readings_at_once_are_as_one_after_the_other(void **state)
{
    struct world *world = *state;
    struct store *beside, *other;

    assert_int_equal(store_open(world->books.database, STORE_READ, NULL, &other, NULL), 0);
    assert_int_equal(store_begin(other, NULL), 0);
    beside = store_open_beside(other);
    assert_int_equal(beside == NULL, books_are_a_file(&world->books));
    for (size_t i = 0; i < LENGTH(periods); i++) {
        ROW_HOLDS(i, read_both_times(world, NULL, &periods[i], 0) == 0);
        ROW_HOLDS(i, read_both_times(world, beside, &periods[i], 0) == 0);
    }
    assert_int_equal(read_both_times(world, NULL, &periods[0], 3), -ECANCELED);
    assert_int_equal(read_both_times(world, beside, &periods[0], 3), -ECANCELED);
    if (!books_are_a_file(&world->books))
        run_sql(world, "UPDATE job_hour SET active_mj = active_mj + 1");
    assert_int_equal(read_both_times(world, beside, &periods[0], 0), 0);
    if (!books_are_a_file(&world->books))
        run_sql(world, "UPDATE job_hour SET active_mj = active_mj - 1");
    store_close(beside);
    store_close(other);
}

static int ask_in_between(void *arg, const struct period_energy *energy)
{
    struct hours *hours = arg;
    int64_t first_s, last_s;
    bool has;

    (void)energy;
    if (hours->count++ == 0)
        assert_int_equal(period_bounds(hours->world->books.store, "ours", &has, &first_s, &last_s,
                                       NULL), 0);
    return 0;
}

/* Not every database can do it; none gives some of the rows as if they were all. */
static void a_taker_that_asks_the_store_has_all_rows_or_an_error(void **state)
{
    struct world *world = *state;
    struct hours hours = { .world = world, .period = &periods[0], .view = OF_JOB };
    struct error err = { "" };
    int rc = period_job_hours(world->books.store, &periods[0], ask_in_between, &hours, &err);

    assert_true(distinct(&hours) > 1);
    assert_true(rc < 0 ? *err.text != '\0' : hours.count == distinct(&hours));
}

static int ignore_hour(void *arg, const struct period_energy *energy)
{
    (void)arg;
    (void)energy;
    return 0;
}

static void what_is_no_period_is_refused(void **state)
{
    static const struct period rows[] = {
        { "ours", SEP, SEP }, { "ours", OCT, SEP }, { "ours", SEP + 1, OCT },
        { "ours", SEP, OCT + 1 }, { "ours", -HOUR, OCT },
    };
    struct world *world = *state;
    struct error err;

    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct uses uses;

        ROW_HOLDS(i, period_uses(world->books.store, &rows[i], take_use, &uses, &err) == -EINVAL);
        ROW_HOLDS(i, period_node_hours(world->books.store, &rows[i], ignore_hour, NULL, &err) ==
                  -EINVAL);
    }
}

static void an_amount_below_zero_is_an_error_not_a_huge_number(void **state)
{
    struct world *world = *state;
    struct error err = { "" };

    run_sql(world, "UPDATE node_hour SET idle_mj = -1");
    assert_int_equal(period_node_hours(world->books.store, &periods[0], ignore_hour, NULL, &err),
                     -EBADMSG);
    assert_non_null(strstr(err.text, "run `carbonctl audit`"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_those_of_the_keys_in_their_cluster),
        cmocka_unit_test(a_job_comes_with_all_that_is_known_of_it),
        cmocka_unit_test(uses_are_cut_to_the_period_and_come_once),
        cmocka_unit_test(uses_of_a_job_are_whole),
        cmocka_unit_test(uses_of_an_account_are_whole_and_those_that_live_in_the_period),
        cmocka_unit_test(an_account_has_its_jobs_on_each_cluster),
        cmocka_unit_test(energy_by_hour_is_the_sum_of_its_rows),
        cmocka_unit_test(hours_of_an_account_are_those_of_its_jobs),
        cmocka_unit_test(the_bounds_are_the_first_and_last_hour_of_the_cluster),
        cmocka_unit_test(nodes_come_by_name),
        cmocka_unit_test(a_taker_can_stop_and_the_next_reading_begins_anew),
        cmocka_unit_test(two_readings_at_once_are_as_one_after_the_other),
        cmocka_unit_test(a_taker_that_asks_the_store_has_all_rows_or_an_error),
        cmocka_unit_test(what_is_no_period_is_refused),
        cmocka_unit_test(an_amount_below_zero_is_an_error_not_a_huge_number),
    };

    return cmocka_run_group_tests_name("period", tests, set_up, tear_down);
}

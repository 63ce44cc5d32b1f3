#include "store/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"
#include "core/buf.h"
#include "store/peak.h"
#include "store/prune.h"
#include "store/roll.h"
#include "store/db.h"
#include "store/viewer.h"

#define CHUNK 500       /* ids in one statement, or jobs: far below the limit on its length */
#define CHUNK_KEYS 2000
#define NAMES_MAX 900   /* bound texts in one statement: SQLite 3.26 takes 999 */
#define NARROW_MAX 100  /* accounts of a viewer that are looked up one by one */

/* A statement in the making: text with its bound texts. */
struct sql {
    struct buf text;
    const char *bound[NAMES_MAX];
    size_t n_bound;
    bool too_many;
};

/* Job keys in rising order, with their jobs. */
struct key_index {
    int64_t job_key;
    struct query_job *job;
    struct old_hour *old; /* by rising hour */
    size_t n_old;
};

/* An hour of a day whose rows may be by the day (roll.h), as job_hour has it. */
struct old_hour {
    int64_t hour_s;
    uint64_t active_mj, idle_mj, elapsed_ms;
};
#define HOURS_PER_DAY 24

/* --- statements ------------------------------------------------------------------------------- */

static void sql_init(struct sql *sql, const char *text)
{
    buf_init(&sql->text);
    sql->n_bound = 0;
    sql->too_many = false;
    buf_printf(&sql->text, "%s", text);
}

/* " <glue><column> IN (?,?,…)" */
static void sql_names(struct sql *sql, const char *glue, const char *column,
                      struct query_names names)
{
    buf_printf(&sql->text, " %s%s IN (", glue, column);
    for (size_t i = 0; i < names.count; i++) {
        if (sql->n_bound >= NAMES_MAX) {
            sql->too_many = true;
            break;
        }
        sql->bound[sql->n_bound++] = names.names[i];
        buf_printf(&sql->text, "%s?", i > 0 ? "," : "");
    }
    buf_printf(&sql->text, ")");
}

/* " <glue><column> IN (1,2,…)": numbers that we printed ourselves, so there is no limit to them */
static void sql_ids(struct sql *sql, const char *glue, const char *column, const uint32_t *ids,
                    size_t count)
{
    buf_printf(&sql->text, " %s%s IN (", glue, column);
    for (size_t i = 0; i < count; i++)
        buf_printf(&sql->text, "%s%u", i > 0 ? "," : "", ids[i]);
    buf_printf(&sql->text, ")");
}

static int sql_prepare(struct store *store, struct sql *sql, struct stmt **ret, struct error *err)
{
    int rc = 0;

    *ret = NULL;
    if (sql->too_many)
        rc = error_set(err, -E2BIG, "more than %d names in one question: name fewer", NAMES_MAX);
    else if (buf_failed(&sql->text))
        rc = error_set(err, -ENOMEM, "no memory to read the database");
    else
        rc = store_prepare(store, sql->text.data, ret, err);
    for (size_t i = 0; rc == 0 && i < sql->n_bound; i++)
        stmt_bind_text(*ret, (int)i + 1, sql->bound[i]);
    buf_free(&sql->text);
    return rc;
}

/* --- columns ---------------------------------------------------------------------------------- */

static struct maybe maybe_column(struct stmt *stmt, int column)
{
    if (stmt_is_null(stmt, column))
        return (struct maybe){ 0 };
    return (struct maybe){ .has = true, .value = stmt_int(stmt, column) };
}

/* A copy of the text, or NULL when it is absent or empty; *failed without memory. */
static char *text_column(struct stmt *stmt, int column, bool *failed)
{
    const char *text = stmt_text(stmt, column);
    char *copy;

    if (!text || *text == '\0')
        return NULL;
    copy = strdup(text);
    *failed |= !copy;
    return copy;
}

/* This one and the two behind it. */
static struct peak peak_columns(struct stmt *stmt, int column)
{
    return (struct peak){ stmt_int(stmt, column), stmt_int(stmt, column + 1),
                          stmt_int(stmt, column + 2) };
}

static int name_index(const char *name, const char *const *names, int count)
{
    for (int i = 0; name && i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

/* Append a zeroed item to an array whose room doubles; NULL without memory. */
static void *grow(void *array, size_t *count, size_t item_size)
{
    void **items = array;
    char *grown = *items;

    if ((*count & (*count - 1)) == 0) {
        grown = realloc(*items, (*count ? *count * 2 : 1) * item_size);
        if (!grown)
            return NULL;
        *items = grown;
    }
    grown += (*count)++ * item_size;
    memset(grown, 0, item_size);
    return grown;
}

/* --- jobs ------------------------------------------------------------------------------------- */

static const char select_jobs[] =
    "SELECT job_key, cluster, job_id, restart_count, sluid, uid, gid, user_name, account,"
    " partition_name, qos, job_name, array_job_id, array_task_id, het_job_id, het_offset,"
    " node_count, begin_s, end_s, exit_status, flags, state, submit_s, alloc_tres, peak_mw,"
    " peak_minute_s, peak_span_ms FROM job WHERE 1 = 1";

static int read_job(struct stmt *stmt, struct query_job *job)
{
    bool failed = false;
    int i = 0;

    job->job_key = stmt_int(stmt, i++);
    job->cluster = text_column(stmt, i++, &failed);
    job->job_id = (uint32_t)stmt_int(stmt, i++);
    job->restart_count = (uint32_t)stmt_int(stmt, i++);
    job->sluid = text_column(stmt, i++, &failed);
    job->uid = maybe_column(stmt, i++);
    job->gid = maybe_column(stmt, i++);
    job->user = text_column(stmt, i++, &failed);
    job->account = text_column(stmt, i++, &failed);
    job->partition = text_column(stmt, i++, &failed);
    job->qos = text_column(stmt, i++, &failed);
    job->name = text_column(stmt, i++, &failed);
    job->array_job_id = maybe_column(stmt, i++);
    job->array_task_id = maybe_column(stmt, i++);
    job->het_job_id = maybe_column(stmt, i++);
    job->het_offset = maybe_column(stmt, i++);
    job->node_count = maybe_column(stmt, i++);
    job->begin_s = stmt_int(stmt, i++);
    job->end_s = maybe_column(stmt, i++);
    job->exit_status = maybe_column(stmt, i++);
    job->flags = (uint32_t)stmt_int(stmt, i++);
    job->state = text_column(stmt, i++, &failed);
    job->submit_s = maybe_column(stmt, i++);
    job->alloc_tres = text_column(stmt, i++, &failed);
    job->has_pruned_peak = !stmt_is_null(stmt, i);
    job->pruned_peak = peak_columns(stmt, i);
    return failed ? -ENOMEM : 0;
}

static void clear_job(struct query_job *job)
{
    for (size_t i = 0; i < job->n_nodes; i++)
        free(job->nodes[i].name);
    for (size_t i = 0; i < job->n_steps; i++)
        free(job->steps[i].usage.hours);
    free(job->usage.hours);
    free(job->usage.details);
    free(job->nodes);
    free(job->steps);
    free(job->cluster);
    free(job->sluid);
    free(job->user);
    free(job->account);
    free(job->partition);
    free(job->qos);
    free(job->name);
    free(job->state);
    free(job->alloc_tres);
}

void query_clear(struct query_result *result)
{
    for (size_t i = 0; i < result->n_jobs; i++)
        clear_job(&result->jobs[i]);
    free(result->jobs);
    *result = (struct query_result){ 0 };
}

void query_keep(struct query_result *result, bool (*keep)(const struct query_job *job, void *data),
                void *data)
{
    size_t kept = 0;

    for (size_t i = 0; i < result->n_jobs; i++) {
        if (keep(&result->jobs[i], data))
            result->jobs[kept++] = result->jobs[i];
        else
            clear_job(&result->jobs[i]);
    }
    result->n_jobs = kept;
}

/* Alternatives begin with "(" and go on with "OR": a constant among them, such as 1 = 0, would keep
   SQLite from using an index for each. */
static const char *glue_of(bool *any)
{
    const char *glue = *any ? "OR " : "AND (";

    *any = true;
    return glue;
}

static void add_users(struct sql *sql, const struct query_filter *filter)
{
    bool any = false;

    if (filter->users.count > 0)
        sql_names(sql, glue_of(&any), "user_name", filter->users);
    if (filter->n_uids > 0)
        sql_ids(sql, glue_of(&any), "uid", filter->uids, filter->n_uids);
    if (any)
        buf_printf(&sql->text, ")");
}

/* The ids from `first` on, at most CHUNK of them; the SLUIDs go with the first. */
static void add_ids(struct sql *sql, const struct query_filter *filter, size_t first)
{
    static const char *const columns[] = { "job_id", "array_job_id", "het_job_id" };
    size_t count = filter->n_job_ids - first < CHUNK ? filter->n_job_ids - first : CHUNK;
    bool any = false;

    for (size_t i = 0; count > 0 && i < sizeof(columns) / sizeof(*columns); i++)
        sql_ids(sql, glue_of(&any), columns[i], filter->job_ids + first, count);
    if (first == 0 && filter->sluids.count > 0)
        sql_names(sql, glue_of(&any), "sluid", filter->sluids);
    if (any)
        buf_printf(&sql->text, ")");
}

static void add_conditions(struct sql *sql, const struct query_filter *filter)
{
    add_users(sql, filter);
    if (filter->accounts.count > 0)
        sql_names(sql, "AND ", "account", filter->accounts);
    if (filter->partitions.count > 0)
        sql_names(sql, "AND ", "partition_name", filter->partitions);
    if (filter->qos.count > 0)
        sql_names(sql, "AND ", "qos", filter->qos);
    if (filter->clusters.count > 0)
        sql_names(sql, "AND ", "cluster", filter->clusters);
    if (filter->nodes.count > 0) {
        buf_printf(&sql->text, " AND job_key IN (SELECT a.job_key FROM allocation a"
                               " JOIN node n ON n.node_key = a.node_key WHERE");
        sql_names(sql, "", "n.name", filter->nodes);
        buf_printf(&sql->text, ")");
    }
    if (filter->has_window)
        buf_printf(&sql->text, " AND begin_s < %lld AND (end_s IS NULL OR end_s >= %lld)",
                   (long long)filter->to_s, (long long)filter->from_s);
}

/* What read_found() would drop need not be read, where nothing else in the filter is as quick to
   find: a viewer's jobs by their indexes. */
static void narrow_to(struct sql *sql, const struct viewer *viewer,
                      const struct query_filter *filter)
{
    bool any = false;

    if (!viewer || viewer->accounts.count > NARROW_MAX || filter->n_job_ids > 0 ||
        filter->sluids.count > 0 || filter->users.count > 0 || filter->n_uids > 0)
        return;
    if (viewer->has_uid)
        sql_ids(sql, glue_of(&any), "uid", &viewer->uid, 1);
    if (viewer->user)
        sql_names(sql, glue_of(&any), "user_name",
                  (struct query_names){ (const char *const *)&viewer->user, 1 });
    if (viewer->accounts.count > 0)
        sql_names(sql, glue_of(&any), "account",
                  (struct query_names){ (const char *const *)viewer->accounts.names,
                                        viewer->accounts.count });
    if (any)
        buf_printf(&sql->text, ")");
}

/* Append all jobs that a statement in the making finds, but for those that are not the viewer's to
   see: every job of a struct query_job goes through here. */
static int read_found(struct store *store, struct sql *sql, struct query_result *result,
                      struct error *err)
{
    struct stmt *stmt;
    int step = 0;
    int rc = sql_prepare(store, sql, &stmt, err);

    if (rc < 0)
        return rc;
    while (rc == 0 && (step = store_step(store, stmt, err)) > 0) {
        struct query_job *job = grow(&result->jobs, &result->n_jobs, sizeof(*job));

        if (!job || read_job(stmt, job) < 0) {
            rc = error_set(err, -ENOMEM, "no memory for %zu jobs", result->n_jobs);
        } else if (!viewer_sees(store->viewer, job->uid.has, job->uid.value, job->user,
                                job->account)) {
            clear_job(job);
            result->n_jobs--;
        }
    }
    stmt_free(stmt);
    return rc == 0 ? step : rc;
}

static int read_jobs(struct store *store, const struct query_filter *filter, size_t first,
                     struct query_result *result, struct error *err)
{
    struct sql sql;

    sql_init(&sql, select_jobs);
    add_ids(&sql, filter, first);
    add_conditions(&sql, filter);
    narrow_to(&sql, store->viewer, filter);
    return read_found(store, &sql, result, err);
}

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int64_t family_id(const struct query_job *job)
{
    if (job->array_job_id.has)
        return job->array_job_id.value;
    return job->het_job_id.has ? job->het_job_id.value : job->job_id;
}

static int64_t place_in_family(const struct query_job *job)
{
    if (job->array_task_id.has)
        return job->array_task_id.value;
    return job->het_offset.has ? job->het_offset.value : 0;
}

static int compare_jobs(const void *a, const void *b)
{
    const struct query_job *x = a, *y = b;
    int order = strcmp(x->cluster ? x->cluster : "", y->cluster ? y->cluster : "");

    if (order == 0)
        order = compare(family_id(x), family_id(y));
    if (order == 0)
        order = compare(place_in_family(x), place_in_family(y));
    if (order == 0)
        order = compare(x->job_id, y->job_id);
    if (order == 0)
        order = compare(x->begin_s, y->begin_s);
    if (order == 0)
        order = compare(x->restart_count, y->restart_count);
    return order ? order : compare(x->job_key, y->job_key);
}

/* A job may have been found by its own id in one chunk and by its array's in another. */
static bool is_first_find(const struct query_job *job, void *data)
{
    int64_t *last_key = data;
    bool first = job->job_key != *last_key;

    *last_key = job->job_key;
    return first;
}

int query_jobs(struct store *store, const struct query_filter *filter, struct query_result *ret,
               struct error *err)
{
    struct query_result result = { 0 };
    int64_t last_key = -1;
    size_t first = 0;
    int rc;

    do {
        rc = read_jobs(store, filter, first, &result, err);
        first += CHUNK;
    } while (rc == 0 && first < filter->n_job_ids);
    if (rc == 0)
        rc = roll_before(store, &result.rolled_before_s, err);
    if (rc < 0) {
        query_clear(&result);
        *ret = result;
        return rc;
    }
    if (result.n_jobs > 0)
        qsort(result.jobs, result.n_jobs, sizeof(*result.jobs), compare_jobs);
    query_keep(&result, is_first_find, &last_key);
    *ret = result;
    return 0;
}

/*
 * By the index of begins, so that nothing is sorted, and no chunk reads again what one before it
 * did. What ended in the window began before its end.
 */
int query_next_ended(struct store *store, int64_t from_s, int64_t to_s, struct query_place *place,
                     struct query_result *ret, struct error *err)
{
    struct query_result result = { 0 };
    struct sql sql;
    int rc;

    *ret = result;
    if (store->viewer) /* a chunk without any job of his would pass for the end */
        return error_set(err, -EPERM, "jobs are exported for who may see all of them alone");
    sql_init(&sql, select_jobs);
    buf_printf(&sql.text, " AND begin_s >= %lld AND (begin_s > %lld OR job_key > %lld)",
               (long long)place->begin_s, (long long)place->begin_s, (long long)place->job_key);
    buf_printf(&sql.text, " AND begin_s <= %lld AND end_s >= %lld AND end_s < %lld",
               (long long)to_s, (long long)from_s, (long long)to_s);
    buf_printf(&sql.text, " ORDER BY begin_s, job_key LIMIT %d", CHUNK);
    rc = read_found(store, &sql, &result, err);
    if (rc == 0)
        rc = roll_before(store, &result.rolled_before_s, err);
    if (rc < 0)
        query_clear(&result);
    else if (result.n_jobs > 0)
        *place = (struct query_place){ result.jobs[result.n_jobs - 1].begin_s,
                                       result.jobs[result.n_jobs - 1].job_key };
    *ret = result;
    return rc;
}

/* --- what belongs to jobs --------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    const struct key_index *x = a, *y = b;

    return compare(x->job_key, y->job_key);
}

static struct key_index *find_key(struct key_index *keys, size_t count, int64_t job_key)
{
    struct key_index wanted = { .job_key = job_key };

    return bsearch(&wanted, keys, count, sizeof(*keys), compare_keys);
}

static int read_node(struct stmt *stmt, struct query_job *job)
{
    struct query_node *node = grow(&job->nodes, &job->n_nodes, sizeof(*node));
    bool failed = false;

    if (!node)
        return -ENOMEM;
    node->name = text_column(stmt, 1, &failed);
    node->begin_ns = stmt_int(stmt, 2);
    node->end_ns = maybe_column(stmt, 3);
    node->seen_ns = stmt_int(stmt, 4);
    node->cores = (uint32_t)stmt_int(stmt, 5);
    node->gpus = (uint32_t)stmt_int(stmt, 6);
    node->memory_mb = (uint64_t)stmt_int(stmt, 7);
    node->node_key = stmt_int(stmt, 8);
    return failed ? -ENOMEM : 0;
}

/* The job's step, put in its place when it is new. NULL without memory. */
static struct query_step *find_step(struct query_job *job, int64_t step_id)
{
    size_t low = 0, high = job->n_steps;
    struct query_step *step;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (job->steps[middle].step_id < step_id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < job->n_steps && job->steps[low].step_id == step_id)
        return &job->steps[low];
    if (!grow(&job->steps, &job->n_steps, sizeof(*step)))
        return NULL;
    step = &job->steps[low];
    memmove(step + 1, step, (job->n_steps - 1 - low) * sizeof(*step));
    *step = (struct query_step){ .step_id = step_id };
    return step;
}

/* wait(2) statuses have no order of their own: any failure is worse than none, then the larger. */
static void worse_exit(struct maybe *exit_status, struct maybe other)
{
    if (other.has && (!exit_status->has || other.value > exit_status->value))
        *exit_status = other;
}

static int read_step(struct stmt *stmt, struct query_job *job)
{
    struct query_step *step = find_step(job, stmt_int(stmt, 1));
    int64_t begin_ns = stmt_int(stmt, 2);
    struct maybe end_ns = maybe_column(stmt, 3);

    if (!step)
        return -ENOMEM;
    if (!step->has_record || begin_ns < step->begin_ns)
        step->begin_ns = begin_ns;
    if (!step->has_record || !end_ns.has)
        step->end_ns = end_ns;
    else if (step->end_ns.has && end_ns.value > step->end_ns.value)
        step->end_ns = end_ns;
    step->has_record = true;
    step->cpu_ns += (uint64_t)stmt_int(stmt, 4);
    worse_exit(&step->exit_status, maybe_column(stmt, 5));
    step->cores += (uint32_t)stmt_int(stmt, 6);
    step->gpus += (uint32_t)stmt_int(stmt, 7);
    step->flags |= (uint32_t)stmt_int(stmt, 8);
    step->nodes++;
    return 0;
}

static void add_sensor(struct usage *usage, const char *sensor)
{
    size_t used = strlen(usage->sensors), len = strlen(sensor);

    for (const char *at = usage->sensors; (at = strstr(at, sensor)) != NULL; at += len) {
        bool begins = at == usage->sensors || at[-1] == ' ';

        if (begins && (at[len] == '\0' || at[len] == ','))
            return;
    }
    snprintf(usage->sensors + used, sizeof(usage->sensors) - used, "%s%s", used > 0 ? ", " : "",
             sensor);
}

/* One row of energy, as read. */
struct energy_row {
    int64_t hour_s;
    int component, quality;
    const char *sensor;
    uint64_t active_mj, idle_mj, metered_ms, elapsed_ms;
};

/* Room for the details of one hour more, at its place; they are as many as there are hours. */
static bool add_detail(struct usage *usage, size_t place)
{
    size_t count = usage->n_hours;
    struct usage_detail *detail;

    if (!grow(&usage->details, &count, sizeof(*detail)))
        return false;
    detail = &usage->details[place];
    memmove(detail + 1, detail, (usage->n_hours - place) * sizeof(*detail));
    memset(detail, 0, sizeof(*detail));
    return true;
}

/* The hour's place in its order; NULL without memory. */
static struct usage_hour *find_hour(struct usage *usage, int64_t hour_s, bool detailed)
{
    size_t low = 0, high = usage->n_hours;
    struct usage_hour *hour;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (usage->hours[middle].hour_s < hour_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < usage->n_hours && usage->hours[low].hour_s == hour_s)
        return &usage->hours[low];
    if (detailed && !add_detail(usage, low))
        return NULL;
    if (!grow(&usage->hours, &usage->n_hours, sizeof(*hour)))
        return NULL;
    hour = &usage->hours[low];
    memmove(hour + 1, hour, (usage->n_hours - 1 - low) * sizeof(*hour));
    *hour = (struct usage_hour){ .hour_s = hour_s };
    return hour;
}

static void add_to_detail(struct usage_detail *detail, const struct energy_row *row)
{
    detail->active_mj[row->component] += row->active_mj;
    detail->idle_mj[row->component] += row->idle_mj;
    detail->components |= 1u << row->component;
    detail->quality_mj[row->quality] += row->active_mj + row->idle_mj;
    detail->metered_ms += row->metered_ms;
    detail->elapsed_ms += row->elapsed_ms;
    detail->gap_ms += row->quality == QUALITY_GAP ? row->elapsed_ms : 0;
}

static int add_usage(struct usage *usage, const struct energy_row *row, bool detailed)
{
    struct usage_hour *hour = find_hour(usage, row->hour_s, detailed);

    if (!hour)
        return -ENOMEM;
    if (detailed)
        add_to_detail(&usage->details[hour - usage->hours], row);
    hour->active_mj += row->active_mj;
    hour->idle_mj += row->idle_mj;
    usage->has = true;
    usage->active_mj[row->component] += row->active_mj;
    usage->idle_mj[row->component] += row->idle_mj;
    usage->components |= 1u << row->component;
    usage->quality_mj[row->quality] += row->active_mj + row->idle_mj;
    usage->metered_ms += row->metered_ms;
    usage->elapsed_ms += row->elapsed_ms;
    usage->gap_ms += row->quality == QUALITY_GAP ? row->elapsed_ms : 0;
    if (row->sensor[0] != '\0' && (row->quality != QUALITY_GAP || row->active_mj + row->idle_mj))
        add_sensor(usage, row->sensor);
    return 0;
}

static int take_row(struct query_job *job, int64_t step_id, const struct energy_row *row,
                    bool detailed)
{
    struct query_step *step = find_step(job, step_id);

    if (!step || add_usage(&step->usage, row, false) < 0)
        return -ENOMEM;
    return add_usage(&job->usage, row, detailed);
}

static int energy_columns(struct stmt *stmt, struct energy_row *ret)
{
    struct energy_row row = { .sensor = stmt_text(stmt, 4) };

    for (int i = 5; i < 9; i++) {
        if (stmt_int(stmt, i) < 0)
            return -EBADMSG;
    }
    row.component = name_index(stmt_text(stmt, 2), component_names,
                               COMPONENT_COUNT);
    row.quality = name_index(stmt_text(stmt, 3), quality_names,
                             QUALITY_COUNT);
    row.active_mj = (uint64_t)stmt_int(stmt, 5);
    row.idle_mj = (uint64_t)stmt_int(stmt, 6);
    row.metered_ms = (uint64_t)stmt_int(stmt, 7);
    row.elapsed_ms = (uint64_t)stmt_int(stmt, 8);
    row.hour_s = stmt_int(stmt, 9);
    *ret = row;
    return row.component < 0 || row.quality < 0 || !row.sensor ? -EBADMSG : 0;
}

static int read_energy_row(struct stmt *stmt, struct query_job *job, bool detailed)
{
    struct energy_row row;
    int rc = energy_columns(stmt, &row);

    return rc < 0 ? rc : take_row(job, stmt_int(stmt, 1), &row, detailed);
}

static int read_energy(struct stmt *stmt, struct query_job *job)
{
    return read_energy_row(stmt, job, false);
}

static int read_energy_hourly(struct stmt *stmt, struct query_job *job)
{
    return read_energy_row(stmt, job, true);
}

static void raise_peak(struct query_job *job, const struct peak *peak)
{
    struct peak highest = { job->peak_mw.value, job->peak_minute_s, job->peak_span_ms };

    if (job->peak_mw.has && !peak_is_higher(peak, &highest))
        return;
    job->peak_mw = (struct maybe){ .has = true, .value = peak->mw };
    job->peak_minute_s = peak->minute_s;
    job->peak_span_ms = peak->span_ms;
}

static int read_minute(struct stmt *stmt, struct query_job *job)
{
    struct peak minute = peak_columns(stmt, 1);

    raise_peak(job, &minute);
    return 0;
}

/* The peak of minutes that are gone takes part, where it lies in the window; where it does not and
   the window lost minutes too, nobody knows how high these were. */
static void settle_peak(struct query_job *job, int64_t kept_since_s, int64_t from_s, int64_t to_s)
{
    const struct peak *pruned = &job->pruned_peak;

    if (!job->has_pruned_peak)
        return;
    if (pruned->minute_s >= from_s && pruned->minute_s < to_s)
        raise_peak(job, pruned);
    else if (from_s < kept_since_s && job->begin_s < kept_since_s && job->begin_s < to_s)
        job->peak_mw.has = false;
}

struct detail {
    const char *select;  /* up to the job keys; column 0 is job_key */
    const char *clock;   /* column that the window is of; NULL: none */
    const char *rest;    /* after the conditions */
    int (*read)(struct stmt *stmt, struct query_job *job);
};

/* For few rows a server plans a JOIN or an ORDER BY longer than it runs: there is none here. */
static const struct detail nodes_detail = {
    "SELECT job_key, (SELECT name FROM node WHERE node.node_key = allocation.node_key), begin_ns,"
    " end_ns, seen_ns, cores, gpus, memory_mb, node_key FROM allocation WHERE job_key",
    NULL, "", read_node
};
static const struct detail steps_detail = {
    "SELECT job_key, step_id, begin_ns, end_ns, cpu_ns, exit_status, cores, gpus, flags"
    " FROM step WHERE job_key",
    NULL, "", read_step
};
/* Not summed by SQL: the rows need no sorting this way. */
#define SELECT_ENERGY \
    "SELECT job_key, step_id, component, quality, sensor, active_mj, idle_mj, metered_ms," \
    " elapsed_ms, hour_s FROM energy WHERE job_key"
static const struct detail energy_detail = { SELECT_ENERGY, "hour_s", "", read_energy };
static const struct detail energy_hourly_detail = {
    SELECT_ENERGY, "hour_s", "", read_energy_hourly
};
static const struct detail peak_detail = {
    "SELECT job_key, " PEAK_COLUMNS " FROM power WHERE span_ms > 0 AND job_key",
    "minute_s", " GROUP BY job_key, minute_s", read_minute
};

static int explain(int rc, const struct query_job *job, struct error *err)
{
    if (rc == -ENOMEM)
        error_set(err, rc, "no memory for the jobs' details");
    else if (rc < 0)
        error_set(err, rc, "job %u has a row of energy that cannot be (below zero, or of an "
                  "unknown component or quality): run carbonctl audit", job->job_id);
    return rc;
}

/* " IN (1,2,…)", as the kind of database reads it with the least effort */
static void list_keys(struct buf *list, const struct store *store, const struct key_index *keys,
                      size_t count)
{
    buf_printf(list, "%s", count == 1 ? " = " : store->backend->list_begin);
    for (size_t i = 0; i < count; i++)
        buf_printf(list, "%s%lld", i > 0 ? "," : "", (long long)keys[i].job_key);
    buf_printf(list, "%s", count == 1 ? "" : store->backend->list_end);
}

static int prepare_detail(struct store *store, const struct detail *detail, const char *list,
                          int64_t from_s, int64_t to_s, struct stmt **ret, struct error *err)
{
    struct sql sql;

    sql_init(&sql, detail->select);
    buf_printf(&sql.text, "%s", list);
    if (detail->clock)
        buf_printf(&sql.text, " AND %s >= %lld AND %s < %lld", detail->clock, (long long)from_s,
                   detail->clock, (long long)to_s);
    buf_printf(&sql.text, "%s", detail->rest);
    return sql_prepare(store, &sql, ret, err);
}

static int read_detail(struct store *store, const struct detail *detail, struct stmt *stmt,
                       struct key_index *keys, size_t count, struct error *err)
{
    int rc = 0, step = 0;

    while (rc == 0 && (step = store_step(store, stmt, err)) > 0) {
        struct key_index *key = find_key(keys, count, stmt_int(stmt, 0));

        rc = key ? explain(detail->read(stmt, key->job), key->job, err) : 0;
    }
    return rc == 0 ? step : rc;
}

/* --- old days --------------------------------------------------------------------------------- */

/* What is read: hours from from_s on and below to_s, all of them before the bound of roll.h. */
struct old_days {
    struct store *store;
    const char *list; /* of the keys */
    struct key_index *keys;
    size_t count;
    bool detailed;
    int64_t from_s, to_s;
    struct error *err;
};

static bool wants_hour(const struct old_days *days, int64_t hour_s)
{
    return hour_s >= days->from_s && hour_s < days->to_s;
}

/* A statement up to its job keys, and the rest of it. */
static int prepare_old(const struct old_days *days, const char *select, const char *rest,
                       struct stmt **ret)
{
    struct sql sql;

    sql_init(&sql, select);
    buf_printf(&sql.text, "%s AND hour_s >= %lld AND hour_s < %lld%s", days->list,
               (long long)(days->from_s - days->from_s % ROLL_DAY_S), (long long)days->to_s, rest);
    return sql_prepare(days->store, &sql, ret, days->err);
}

/* All hours of the days that are touched: what they weigh among each other is of whole days. */
static int read_old_hours(const struct old_days *days)
{
    struct stmt *stmt;
    int step = 0, rc = prepare_old(days,
        "SELECT days.job_key, h.hour_s, h.active_mj, h.idle_mj, h.elapsed_ms"
        " FROM (SELECT DISTINCT job_key, " DAY_OF("hour_s") " AS day_s FROM energy"
        "  WHERE job_key", ") AS days JOIN job_hour AS h ON " ROLL_HOURS_OF_DAYS
        " ORDER BY days.job_key, h.hour_s", &stmt);

    while (rc == 0 && (step = store_step(days->store, stmt, days->err)) > 0) {
        struct key_index *key = find_key(days->keys, days->count, stmt_int(stmt, 0));
        struct old_hour *hour = key ? grow(&key->old, &key->n_old, sizeof(*hour)) : NULL;

        if (key && !hour)
            rc = explain(-ENOMEM, key->job, days->err);
        if (hour)
            *hour = (struct old_hour){ stmt_int(stmt, 1), (uint64_t)stmt_int(stmt, 2),
                                       (uint64_t)stmt_int(stmt, 3), (uint64_t)stmt_int(stmt, 4) };
    }
    stmt_free(stmt);
    return rc == 0 ? step : rc;
}

/* By weights that may all be zero: then the last has it. */
static void share_out(uint64_t amount, const uint64_t *weights, size_t count, uint64_t *ret_shares)
{
    ret_shares[count - 1] += apportion(amount, weights, count, ret_shares);
}

/* A row of a day over the hours of its job, as the job's energy and time lie in them. */
static int spread_row(const struct old_days *days, const struct key_index *key, int64_t step_id,
                      const struct energy_row *row)
{
    const int64_t day_s = row->hour_s - row->hour_s % ROLL_DAY_S;
    uint64_t weights[3][HOURS_PER_DAY], shares[4][HOURS_PER_DAY];
    size_t first = 0, count = 0;
    int rc = 0;

    while (first < key->n_old && key->old[first].hour_s < day_s)
        first++;
    for (; count < HOURS_PER_DAY && first + count < key->n_old &&
           key->old[first + count].hour_s < day_s + ROLL_DAY_S; count++) {
        weights[0][count] = key->old[first + count].active_mj;
        weights[1][count] = key->old[first + count].idle_mj;
        weights[2][count] = key->old[first + count].elapsed_ms;
    }
    if (count == 0)
        return wants_hour(days, day_s) ? take_row(key->job, step_id, row, days->detailed) : 0;
    share_out(row->active_mj, weights[0], count, shares[0]);
    share_out(row->idle_mj, weights[1], count, shares[1]);
    share_out(row->metered_ms, weights[2], count, shares[2]);
    share_out(row->elapsed_ms, weights[2], count, shares[3]);
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct energy_row part = *row;

        part.hour_s = key->old[first + i].hour_s;
        part.active_mj = shares[0][i];
        part.idle_mj = shares[1][i];
        part.metered_ms = shares[2][i];
        part.elapsed_ms = shares[3][i];
        if (wants_hour(days, part.hour_s))
            rc = take_row(key->job, step_id, &part, days->detailed);
    }
    return rc;
}

static int read_old_energy(const struct old_days *days)
{
    struct stmt *stmt;
    int step = 0, rc = prepare_old(days, SELECT_ENERGY, "", &stmt);

    while (rc == 0 && (step = store_step(days->store, stmt, days->err)) > 0) {
        struct key_index *key = find_key(days->keys, days->count, stmt_int(stmt, 0));
        struct energy_row row;

        rc = energy_columns(stmt, &row);
        if (rc == 0 && key)
            rc = spread_row(days, key, stmt_int(stmt, 1), &row);
        if (rc < 0)
            explain(rc, key ? key->job : days->keys[0].job, days->err);
    }
    stmt_free(stmt);
    return rc == 0 ? step : rc;
}

/* What a job had in an hour is known, and what it comes to in grams with it; whose it was within
   the job, by step and component, is known by the day. */
static void set_hours(const struct old_days *days, const struct key_index *key)
{
    for (size_t i = 0; i < key->n_old; i++) {
        struct usage_hour *hour = wants_hour(days, key->old[i].hour_s)
                                      ? find_hour(&key->job->usage, key->old[i].hour_s,
                                                  days->detailed)
                                      : NULL;

        if (hour) {
            hour->active_mj = key->old[i].active_mj;
            hour->idle_mj = key->old[i].idle_mj;
        }
    }
}

static int read_old_days(const struct old_days *days)
{
    int rc = read_old_hours(days);

    if (rc == 0)
        rc = read_old_energy(days);
    for (size_t i = 0; i < days->count; i++) {
        if (rc == 0)
            set_hours(days, &days->keys[i]);
        free(days->keys[i].old);
        days->keys[i].old = NULL;
        days->keys[i].n_old = 0;
    }
    return rc;
}


#define LIFE_MARGIN_S INT64_C(86400) /* a node's clock may have been set while it had the job */

/* To when the jobs lived, so that a server opens no more partitions of power than hold of them. */
static void narrow_to_lives(const struct key_index *keys, size_t count, int64_t *from_s,
                            int64_t *to_s)
{
    int64_t first_s = INT64_MAX, last_s = 0;

    for (size_t i = 0; i < count; i++) {
        const struct query_job *job = keys[i].job;
        const bool set_back = job->end_s.has && job->end_s.value < job->begin_s;
        const int64_t begin_s = set_back ? job->end_s.value : job->begin_s;
        /* what was noted late has energy after its end */
        const bool ended = job->end_s.has && !set_back && !(job->flags & FLAG_END_LATE);
        const int64_t end_s = ended ? job->end_s.value : INT64_MAX;

        first_s = begin_s < first_s ? begin_s : first_s;
        last_s = end_s > last_s ? end_s : last_s;
    }
    if (first_s - LIFE_MARGIN_S > *from_s)
        *from_s = first_s - LIFE_MARGIN_S;
    if (last_s < *to_s - LIFE_MARGIN_S)
        *to_s = last_s + LIFE_MARGIN_S;
}

static int read_chunk(struct store *store, struct key_index *keys, size_t count, unsigned want,
                      int64_t from_s, int64_t to_s, int64_t before_s, struct error *err)
{
    const bool hourly = want & QUERY_HOURLY;
    const struct detail *const details[] = {
        &nodes_detail, &steps_detail, hourly ? &energy_hourly_detail : &energy_detail, &peak_detail
    };
    const size_t n_details = sizeof(details) / sizeof(*details) - !(want & QUERY_PEAK);
    struct stmt *stmts[sizeof(details) / sizeof(*details)] = { NULL };
    const int64_t energy_s = from_s < before_s ? before_s : from_s; /* what is as it was booked */
    int64_t power_from_s = from_s, power_to_s = to_s;
    struct buf list;
    int rc = 0;

    buf_init(&list);
    list_keys(&list, store, keys, count);
    if (buf_failed(&list))
        rc = explain(-ENOMEM, keys->job, err);
    if (rc == 0 && from_s < before_s)
        rc = read_old_days(&(struct old_days){ store, list.data, keys, count, hourly, from_s,
                                               to_s < before_s ? to_s : before_s, err });
    narrow_to_lives(keys, count, &power_from_s, &power_to_s);
    for (size_t i = 0; rc == 0 && i < n_details; i++) {
        bool power = details[i] == &peak_detail;

        rc = prepare_detail(store, details[i], list.data, power ? power_from_s : energy_s,
                            power ? power_to_s : to_s, &stmts[i], err);
    }
    buf_free(&list);
    if (rc == 0)
        store_ask(store, stmts, n_details);
    for (size_t i = 0; rc == 0 && i < n_details; i++)
        rc = read_detail(store, details[i], stmts[i], keys, count, err);
    for (size_t i = 0; i < n_details; i++)
        stmt_free(stmts[i]);
    return rc;
}

static int settle_peaks(struct store *store, struct query_result *result, int64_t from_s,
                        int64_t to_s, struct error *err)
{
    int64_t kept_since_s = 0;
    size_t first = 0;
    int rc = 0;

    while (first < result->n_jobs && !result->jobs[first].has_pruned_peak)
        first++;
    if (first < result->n_jobs)
        rc = prune_kept_since(store, &kept_since_s, err);
    for (size_t i = first; rc == 0 && !store->asking && i < result->n_jobs; i++)
        settle_peak(&result->jobs[i], kept_since_s, from_s, to_s);
    return rc;
}

static int compare_nodes(const void *a, const void *b)
{
    const struct query_node *x = a, *y = b;
    int order = strcmp(x->name ? x->name : "", y->name ? y->name : "");

    return order ? order : compare(x->begin_ns, y->begin_ns);
}

int query_details(struct store *store, struct query_result *result, unsigned want, int64_t from_s,
                  int64_t to_s, struct error *err)
{
    struct key_index *keys = calloc(result->n_jobs + 1, sizeof(*keys));
    int rc = 0;

    if (!keys)
        return error_set(err, -ENOMEM, "no memory for the jobs' details");
    for (size_t i = 0; i < result->n_jobs; i++)
        keys[i] = (struct key_index){ .job_key = result->jobs[i].job_key, .job = &result->jobs[i] };
    qsort(keys, result->n_jobs, sizeof(*keys), compare_keys);
    /* asking ahead: those that come first are enough */
    for (size_t i = 0; rc == 0 && i < result->n_jobs && (i == 0 || !store->asking);
         i += CHUNK_KEYS) {
        size_t count = result->n_jobs - i < CHUNK_KEYS ? result->n_jobs - i : CHUNK_KEYS;

        rc = read_chunk(store, keys + i, count, want, from_s, to_s, result->rolled_before_s, err);
    }
    free(keys);
    for (size_t i = 0; rc == 0 && i < result->n_jobs; i++)
        if (result->jobs[i].n_nodes > 1)
            qsort(result->jobs[i].nodes, result->jobs[i].n_nodes, sizeof(*result->jobs[i].nodes),
                  compare_nodes);
    if (rc == 0 && (want & QUERY_PEAK))
        rc = settle_peaks(store, result, from_s, to_s, err);
    return rc;
}

int query_shares_a_node(struct store *store, int64_t job_key, struct error *err)
{
    static const char sql[] =
        "SELECT 1 FROM allocation AS own JOIN allocation AS other"
        " ON other.node_key = own.node_key AND other.job_key <> own.job_key"
        " WHERE own.job_key = ?1 AND own.end_ns IS NULL AND other.end_ns IS NULL LIMIT 1";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, job_key);
    rc = store_step(store, stmt, err);
    stmt_reset(stmt);
    return rc;
}

int query_has_cluster(struct store *store, const char *cluster, struct error *err)
{
    struct sql sql;
    struct stmt *stmt;
    int rc;

    sql_init(&sql, "SELECT 1 FROM node WHERE");
    sql_names(&sql, "", "cluster", (struct query_names){ &cluster, 1 });
    buf_printf(&sql.text, " LIMIT 1");
    rc = sql_prepare(store, &sql, &stmt, err);
    if (rc < 0)
        return rc;
    rc = store_step(store, stmt, err);
    stmt_free(stmt);
    return rc;
}

/* --- sums ------------------------------------------------------------------------------------- */

static uint64_t sum(const uint64_t amounts[COMPONENT_COUNT])
{
    uint64_t total = 0;

    for (int i = 0; i < COMPONENT_COUNT; i++)
        total += amounts[i];
    return total;
}

uint64_t usage_active_mj(const struct usage *usage)
{
    return sum(usage->active_mj);
}

uint64_t usage_idle_mj(const struct usage *usage)
{
    return sum(usage->idle_mj);
}

uint64_t usage_mj(const struct usage *usage)
{
    return usage_active_mj(usage) + usage_idle_mj(usage);
}

static void add_hour_to(struct usage *usage, const struct usage_detail *detail)
{
    for (int i = 0; i < COMPONENT_COUNT; i++) {
        usage->active_mj[i] += detail->active_mj[i];
        usage->idle_mj[i] += detail->idle_mj[i];
    }
    for (int i = 0; i < QUALITY_COUNT; i++)
        usage->quality_mj[i] += detail->quality_mj[i];
    usage->components |= detail->components;
    usage->metered_ms += detail->metered_ms;
    usage->elapsed_ms += detail->elapsed_ms;
    usage->gap_ms += detail->gap_ms;
}

struct usage usage_within(const struct usage *usage, int64_t from_s, int64_t to_s)
{
    struct usage part = { .has = false };
    size_t first = 0;

    while (first < usage->n_hours && usage->hours[first].hour_s < from_s)
        first++;
    while (usage->details && first + part.n_hours < usage->n_hours &&
           usage->hours[first + part.n_hours].hour_s < to_s)
        add_hour_to(&part, &usage->details[first + part.n_hours++]);
    if (part.n_hours == 0)
        return part;
    part.has = true;
    part.hours = &usage->hours[first];
    part.details = &usage->details[first];
    memcpy(part.sensors, usage->sensors, sizeof(part.sensors));
    return part;
}

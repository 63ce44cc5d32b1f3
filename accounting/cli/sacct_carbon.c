/*
 * sacct-carbon - what jobs used, and what that emitted
 *
 * In order: options, carbon.conf, the database (one instant of it: jobs, their energy, the factor
 * set), rows, a card, a table or JSON, and the exit status.
 */
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/jobid.h"
#include "cli/plainf.h"
#include "cli/sacct_budgets.h"
#include "cli/sacct_options.h"
#include "cli/sacct_profile.h"
#include "cli/sacct_rows.h"
#include "cli/screen.h"
#include "core/clock.h"
#include "core/conf.h"
#include "core/timespec.h"
#include "report/basis.h"
#include "report/card.h"
#include "report/columns.h"
#include "report/explain.h"
#include "report/json.h"
#include "report/table.h"
#include "store/query.h"
#include "store/store.h"
#include "store/viewer.h"

enum { EXIT_FINE, EXIT_ERROR, EXIT_UNKNOWN, EXIT_INCOMPLETE };

#define FAR_S INT64_C(9000000000) /* after any job: the year 2255, whose nanoseconds still fit */

/* Everything of one run. */
struct run {
    struct sacct_options options;
    char **argv;
    struct viewer viewer; /* of the environment */
    struct conf conf;
    char conf_path[PATH_MAX];
    struct basis basis;
    struct report_method method;
    char remedy[PATH_MAX + 128], what_if[192];
    struct report_style style;
    struct column_choices choices;
    int64_t from_s, to_s;
    bool has_window;
    struct query_result result;
    bool *known;      /* of each named id: the database has it */
    bool *newest;     /* of each found job */
    struct row *rows;
    size_t n_rows;
    char time_format[256]; /* SLURM_TIME_FORMAT, without what moves a terminal */
    struct sacct_profile profile;
    struct sacct_rows embodied; /* and parts, of each job */
    struct sacct_budgets budgets; /* of -A */
};

static void say(const struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct run *run, const char *fmt, ...)
{
    va_list ap;

    if (run->options.verbose == 0)
        return;
    fputs("sacct-carbon: ", stderr);
    va_start(ap, fmt);
    vfplainf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* --- settings --------------------------------------------------------------------------------- */

static int read_conf(struct run *run, struct error *err)
{
    int rc;

    conf_find(run->options.config, run->conf_path);
    rc = conf_load(run->conf_path, "", &run->conf, NULL, err);
    say(run, "settings: %.200s",
        run->conf_path[0] ? run->conf_path : "defaults, as there is no file");
    return rc;
}

/* -o Period asks for rows that only --by makes; -o ALL asks for nothing in particular. */
static int check_period_column(const struct run *run, struct error *err)
{
    size_t all = 0;

    while (columns[all].name)
        all++;
    for (size_t i = 0; !run->options.by && run->choices.count < all && i < run->choices.count; i++)
        if (strcmp(run->choices.choices[i].column->name, "Period") == 0)
            return error_set(err, -EINVAL, "--format: Period is of parts of a job's time: write "
                             "--by hour, day or month too");
    return 0;
}

static int choose_columns(struct run *run, struct error *err)
{
    const char *format = getenv("SACCT_CARBON_FORMAT");

    if (run->options.format.len > 0) {
        int rc = columns_choose(run->options.format.data, &run->choices, err);

        return rc < 0 ? rc : check_period_column(run, err);
    }
    if (format && *format)
        return error_prefix(err, columns_choose(format, &run->choices, err), "SACCT_CARBON_FORMAT");
    return columns_choose(run->options.by ? COLUMNS_BY : COLUMNS_DEFAULT, &run->choices, err);
}

/* As the environment has it, or none where that is too long to be one. */
static const char *time_format(struct run *run)
{
    const char *named = getenv("SLURM_TIME_FORMAT");
    struct buf buf;

    buf_init_fixed(&buf, run->time_format, sizeof(run->time_format));
    format_text(&buf, named, true, NULL);
    return named && !buf_failed(&buf) ? run->time_format : NULL;
}

static void choose_style(struct run *run)
{
    run->style = (struct report_style){
        .utf8 = format_locale_is_utf8(),
        .colour = screen_has_colour(),
        .time_format = time_format(run),
        .now_s = clock_wall_ns() / (int64_t)NS_PER_S,
        .energy_unit = run->options.energy_unit,
        .base_units = run->options.base_units,
    };
}

/* Energy is booked by the hour: a border inside of one would tear its row. */
static int check_clip(struct run *run, struct error *err)
{
    bool to_past = run->options.end && run->to_s < run->style.now_s;

    if (!run->options.truncate)
        return 0;
    if (run->from_s % S_PER_HOUR != 0 || (to_past && run->to_s % S_PER_HOUR != 0))
        return error_set(err, -EINVAL, "--truncate: energy is booked by the hour (UTC): write full "
                         "hours with -S and -E");
    run->style.clipped = true;
    run->style.from_s = run->from_s;
    run->style.to_s = to_past ? run->to_s : run->style.now_s;
    return 0;
}

static int choose_window(struct run *run, struct error *err)
{
    const struct sacct_options *options = &run->options;
    bool named = options->jobs.count > 0;
    int rc = 0;

    run->from_s = 0;
    run->to_s = FAR_S;
    run->has_window = !named || options->start || options->end;
    if (options->start || !named)
        rc = timespec_parse(options->start ? options->start : "midnight", run->style.now_s,
                            &run->from_s, err);
    if (rc < 0)
        return error_prefix(err, rc, "--starttime");
    if (options->end)
        rc = timespec_parse(options->end, run->style.now_s, &run->to_s, err);
    if (rc < 0)
        return error_prefix(err, rc, "--endtime");
    if (run->to_s < run->from_s)
        return error_set(err, -EINVAL, "--endtime is before --starttime%s: write them in order",
                         options->start ? "" : " (midnight, when it is not named)");
    return check_clip(run, err);
}

/* --- which jobs ------------------------------------------------------------------------------- */

static struct query_names names_of(const struct hostlist *list)
{
    return (struct query_names){ (const char *const *)list->names, list->count };
}

/* A user whose name was not recorded is found by number. */
static int add_uids_of_users(struct sacct_options *options, struct error *err)
{
    for (size_t i = 0; i < options->users.count; i++) {
        const struct passwd *user = getpwnam(options->users.names[i]);
        uint32_t *uids;

        if (!user)
            continue;
        uids = realloc(options->uids, (options->n_uids + 1) * sizeof(*uids));
        if (!uids)
            return error_set(err, -ENOMEM, "no memory for users");
        options->uids = uids;
        uids[options->n_uids++] = user->pw_uid;
    }
    return 0;
}

/* Who asks: where another asks for him, the viewer. */
static int add_own_uid(struct run *run, struct error *err)
{
    struct sacct_options *options = &run->options;
    uid_t uid = run->viewer.has_uid ? run->viewer.uid : geteuid();

    if (options->all_users || options->users.count > 0 || options->n_uids > 0 ||
        options->jobs.count > 0 || uid == 0)
        return 0;
    options->uids = calloc(1, sizeof(*options->uids));
    if (!options->uids)
        return error_set(err, -ENOMEM, "no memory for users");
    options->uids[options->n_uids++] = uid;
    return 0;
}

/* -M, or the cluster of carbon.conf when the database has it; "all" is no condition. */
static int choose_clusters(const struct run *run, struct store *store, struct query_names *ret,
                           const char *own[1], struct error *err)
{
    const struct hostlist *named = &run->options.clusters;
    int known;

    *ret = (struct query_names){ 0 };
    if (named->count == 1 && strcasecmp(named->names[0], "all") == 0)
        return 0;
    if (named->count > 0) {
        *ret = names_of(named);
        return 0;
    }
    known = query_has_cluster(store, run->conf.cluster_name, err);
    own[0] = run->conf.cluster_name;
    if (known > 0)
        *ret = (struct query_names){ own, 1 };
    return known < 0 ? known : 0;
}

/* The numbers and SLUIDs that the named ids begin with. */
static void add_ids(const struct jobid_list *jobs, uint32_t *job_ids, const char **sluids,
                   struct query_filter *filter)
{
    filter->job_ids = job_ids;
    filter->sluids.names = sluids;
    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->ids[i].sluid[0] != '\0')
            sluids[filter->sluids.count++] = jobs->ids[i].sluid;
        else
            job_ids[filter->n_job_ids++] = jobs->ids[i].job_id;
    }
}

static struct jobid_subject subject_of(const struct query_job *job)
{
    return (struct jobid_subject){
        .job_id = job->job_id,
        .array_job_id = job->array_job_id.has ? job->array_job_id.value : -1,
        .array_task_id = job->array_task_id.has ? job->array_task_id.value : -1,
        .het_job_id = job->het_job_id.has ? job->het_job_id.value : -1,
        .het_offset = job->het_offset.has ? job->het_offset.value : -1,
        .sluid = job->sluid,
    };
}

/* Named (or nobody is), and in a wanted state. Marks which names the database knows. */
static bool is_wanted(const struct query_job *job, void *data)
{
    struct run *run = data;
    const struct sacct_options *options = &run->options;
    struct jobid_subject subject = subject_of(job);
    bool named = options->jobs.count == 0, in_state = options->n_states == 0;

    for (size_t i = 0; i < options->jobs.count; i++) {
        if (jobid_matches(&options->jobs.ids[i], &subject))
            named = run->known[i] = true;
    }
    for (size_t i = 0; i < options->n_states; i++)
        in_state |= options->states[i] == job_state(job);
    return named && in_state;
}

/* An empty answer must not pass for "no job timed out" where nobody can know. */
static int check_states(const struct run *run, struct error *err)
{
    const struct state *asked = NULL;

    for (size_t i = 0; i < run->options.n_states; i++)
        asked = run->options.states[i]->known ? asked : run->options.states[i];
    for (size_t i = 0; asked && i < run->result.n_jobs; i++)
        if (run->result.jobs[i].state)
            return 0;
    if (!asked || run->result.n_jobs == 0)
        return 0;
    return error_set(err, -EINVAL, "--state: %s cannot be told here: slurmdbd has not been asked "
                     "for these jobs. Have the administrator run `carbonctl reconcile`, or ask "
                     "sacct --state=%s and name its jobs here", asked->name, asked->name);
}

static int compare_runs(const void *a, const void *b)
{
    const struct query_job *x = *(const struct query_job *const *)a;
    const struct query_job *y = *(const struct query_job *const *)b;
    int order = strcmp(x->cluster ? x->cluster : "", y->cluster ? y->cluster : "");

    if (order == 0)
        order = x->job_id < y->job_id ? -1 : x->job_id > y->job_id;
    if (order == 0)
        order = x->begin_s < y->begin_s ? -1 : x->begin_s > y->begin_s;
    if (order == 0)
        order = x->restart_count < y->restart_count ? -1 : x->restart_count > y->restart_count;
    return order ? order : x->job_key < y->job_key ? -1 : x->job_key > y->job_key;
}

static bool same_cluster(const struct query_job *x, const struct query_job *y)
{
    return strcmp(x->cluster ? x->cluster : "", y->cluster ? y->cluster : "") == 0;
}

static bool same_id(const struct query_job *x, const struct query_job *y)
{
    return x->job_id == y->job_id && same_cluster(x, y);
}

static bool is_newest(const struct query_job *job, void *data)
{
    struct run *run = data;

    return run->newest[job - run->result.jobs];
}

/* Of the runs of one id only the newest, as sacct without -D. */
static int drop_duplicates(struct run *run, struct error *err)
{
    size_t count = run->result.n_jobs;
    const struct query_job **sorted = calloc(count + 1, sizeof(*sorted));

    run->newest = calloc(count + 1, sizeof(*run->newest));
    if (!sorted || !run->newest) {
        free(sorted);
        return error_set(err, -ENOMEM, "no memory for %zu jobs", count);
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = &run->result.jobs[i];
    qsort(sorted, count, sizeof(*sorted), compare_runs);
    for (size_t i = 0; i < count; i++)
        run->newest[sorted[i] - run->result.jobs] =
            i + 1 == count || !same_id(sorted[i], sorted[i + 1]);
    free(sorted);
    query_keep(&run->result, is_newest, run);
    return 0;
}

/* --- what grams rest on ----------------------------------------------------------------------- */

/* Without a factor set, energy is known all the same. */
static void name_remedy(struct run *run, bool has_set)
{
    const char *conf_path = run->conf_path[0] ? run->conf_path : "carbon.conf";

    if (run->conf.zone[0] == '\0')
        snprintf(run->remedy, sizeof(run->remedy), "set Zone (such as Zone=FR) in %s, then "
                 "`carbonctl factors update`", conf_path);
    else if (has_set)
        snprintf(run->remedy, sizeof(run->remedy), "no Zone in the factor set; `carbonctl factors "
                 "update` takes that of %s", conf_path);
    else
        snprintf(run->remedy, sizeof(run->remedy), "no factor set in the database; `carbonctl "
                 "factors update` makes one");
    run->method.remedy = run->remedy;
}

static void say_method(const struct run *run)
{
    const struct basis *basis = &run->basis;
    char differences[512];

    if (run->options.verbose == 0)
        return;
    say(run, "factor set %lld, made by %s", (long long)basis->set.number, basis->set.made_by);
    if (run->options.factor_set == 0 &&
        basis_differs(basis, &run->conf, differences, sizeof(differences)))
        say(run, "%s; `carbonctl factors update` takes the new ones", differences);
    if (basis->grid.has_intensity)
        say(run, "grid: %s, %zu hours of its own", basis->grid.zone, basis->grid.n_intervals);
}

/* --grid is in the basis already. */
static int suppose(struct run *run, struct error *err)
{
    const struct sacct_options *options = &run->options;
    struct buf what_if;
    int rc = 0;

    if (!options->grid && !options->has_gco2)
        return 0;
    if (options->has_gco2)
        rc = sacct_what_if_gco2(&run->basis, options->gco2_ug_per_kwh, err);
    buf_init_fixed(&what_if, run->what_if, sizeof(run->what_if));
    sacct_what_if(options, &run->basis.grid, run->style.utf8, &what_if);
    run->method.what_if = run->what_if;
    if (options->no_header || options->output == SACCT_PARSABLE ||
        options->output == SACCT_PARSABLE_BARE || options->format.len > 0)
        fplainf(stderr, "sacct-carbon: WHAT IF %s: not what was emitted\n", run->what_if);
    return rc;
}

static int choose_set(struct run *run, struct store *store, struct error *err)
{
    bool what_if = run->options.grid || run->options.has_gco2;
    int rc = basis_load_set(store, run->options.factor_set, run->options.grid, &run->basis, err);

    if (rc < 0 && run->options.grid)
        return error_prefix(err, rc, "--grid");
    if (rc < 0 && (rc != -ENODATA || run->options.factor_set > 0 || what_if))
        return rc;
    name_remedy(run, rc == 0);
    run->method.basis = &run->basis;
    run->method.grid = &run->basis.grid;
    if (rc < 0)
        say(run, "%s", err->text);
    return 0;
}

static int choose_method(struct run *run, struct store *store, struct error *err)
{
    int64_t from_s, to_s;
    int rc;

    if (run->basis.set.number == 0)
        return 0;
    job_carbon_span(&run->result, &from_s, &to_s);
    rc = basis_load_hours(store, from_s, to_s, &run->basis, err);
    if (rc < 0)
        return rc;
    say_method(run);
    return suppose(run, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

static unsigned wanted_details(const struct run *run)
{
    bool one = run->result.n_jobs == 1;
    unsigned hourly = run->options.by != PARTS_NONE ? QUERY_HOURLY : 0;

    if (one || run->options.output == SACCT_JSON)
        return QUERY_PEAK | hourly;
    return columns_need(&run->choices) | hourly;
}

/* Of the job, or of the step that is named. */
static int read_profile(struct run *run, struct store *store, struct error *err)
{
    const struct query_result *result = &run->result;
    const struct jobid *id = &run->options.jobs.ids[0];
    const struct query_step *step = NULL;
    struct row row = { .job = NULL };

    run->method.basis = &run->basis; /* empty: power needs no factor */
    run->method.grid = &run->basis.grid;
    for (size_t i = 0; id->has_step && result->n_jobs > 0 && i < result->jobs[0].n_steps; i++)
        if (result->jobs[0].steps[i].step_id == id->step_id)
            step = &result->jobs[0].steps[i];
    if (result->n_jobs > 0)
        row = row_of(&result->jobs[0], step, NULL, &run->method, &run->style);
    return sacct_profile_read(store, result, &row, &run->options, run->from_s, run->to_s,
                              &run->profile, err);
}

/*
 * While a step runs beside other jobs, its energy would tell of them from delivery to delivery: it
 * is shown when it has ended. Root and the books' own user see all (docs/security.md), asking for
 * themselves.
 */
static bool sees_running_steps(const struct store *store, uid_t uid)
{
    struct stat st;

    return uid == 0 || (store_is_file(store) && stat(store_path(store), &st) == 0 &&
                        st.st_uid == uid);
}

static int hide_running_steps(struct run *run, struct store *store, struct error *err)
{
    int shares = 0;

    if (sees_running_steps(store, geteuid()) &&
        (!run->viewer.has_uid || sees_running_steps(store, run->viewer.uid)))
        return 0;
    for (size_t i = 0; shares >= 0 && i < run->result.n_jobs; i++) {
        struct query_job *job = &run->result.jobs[i];

        shares = job->end_s.has ? 0 : query_shares_a_node(store, job->job_key, err);
        for (size_t k = 0; shares > 0 && k < job->n_steps; k++)
            if (job->steps[k].has_record && !job->steps[k].end_ns.has)
                job->steps[k].usage.has = false;
    }
    return shares < 0 ? shares : 0;
}

/* Of the accounts asked for, at the end of the time asked for. What if the grid were another is no
   question of budgets. */
static int read_budgets(struct run *run, struct store *store, const struct query_names *clusters,
                        struct error *err)
{
    const struct sacct_options *options = &run->options;

    if (options->accounts.count == 0 || run->to_s <= 0 || options->grid || options->has_gco2 ||
        (options->output != SACCT_TABLE && options->output != SACCT_JSON))
        return 0;
    return sacct_budgets_read(store, options->factor_set,
                              clusters->count == 1 ? clusters->names[0] : NULL, &options->accounts,
                              run->to_s < run->style.now_s ? run->to_s : run->style.now_s,
                              &run->budgets, err);
}

/* What comes of most questions: jobs of our own cluster, with grams by the newest set. */
static void ask_ahead(const struct run *run, struct store *store, struct query_filter filter)
{
    const char *own_cluster[1] = { NULL };
    struct query_result none;
    int rc;

    if (!store_ask_ahead(store))
        return;
    rc = choose_clusters(run, store, &filter.clusters, own_cluster, NULL);
    if (own_cluster[0])
        filter.clusters = (struct query_names){ own_cluster, 1 };
    rc |= query_jobs(store, &filter, &none, NULL);
    if (!run->options.profile && run->options.factor_set == 0)
        basis_ask(store, run->options.grid, &run->conf);
    (void)rc;
    store_ask_done(store);
}

static int read_details(struct run *run, struct store *store, struct error *err)
{
    const bool clipped = run->style.clipped;

    return query_details(store, &run->result, wanted_details(run), clipped ? run->from_s : 0,
                         clipped && run->to_s < FAR_S ? run->to_s : FAR_S, err);
}

/* The documents of the set are read while the server looks for the details. */
static int read_more(struct run *run, struct store *store, struct error *err)
{
    int64_t last_s;
    bool has;
    int rc = 0;

    if (store_ask_ahead(store)) {
        rc = read_details(run, store, err);
        if (run->result.n_jobs > 0 && run->result.jobs[0].cluster && !run->options.profile &&
            access(run->conf.inventory, F_OK) == 0) /* then the set has one, too */
            rc |= period_last(store, run->result.jobs[0].cluster, &has, &last_s, NULL);
        store_ask_done(store);
    }
    if (rc == 0 && !run->options.profile)
        rc = choose_set(run, store, err);
    return rc == 0 ? read_details(run, store, err) : rc;
}

static int read_store(struct run *run, struct store *store, struct query_filter *filter,
                      struct error *err)
{
    const char *own_cluster[1];
    int rc;

    ask_ahead(run, store, *filter);
    rc = choose_clusters(run, store, &filter->clusters, own_cluster, err);

    if (rc == 0)
        rc = query_jobs(store, filter, &run->result, err);
    if (rc < 0)
        return rc;
    rc = check_states(run, err);
    if (rc < 0)
        return rc;
    query_keep(&run->result, is_wanted, run);
    if (!run->options.duplicates)
        rc = drop_duplicates(run, err);
    if (rc < 0)
        return rc;
    say(run, "jobs found: %zu", run->result.n_jobs);
    rc = read_more(run, store, err);
    if (rc == 0)
        rc = hide_running_steps(run, store, err);
    if (rc == 0 && run->options.profile)
        return read_profile(run, store, err);
    if (rc == 0)
        rc = choose_method(run, store, err);
    if (rc == 0)
        rc = sacct_rows_read(store, &run->basis, &run->result, &run->options, &run->style,
                             &run->embodied, err);
    return rc == 0 ? read_budgets(run, store, &filter->clusters, err) : rc;
}

/* Everything that is read is of one instant. */
static int read_at_once(struct run *run, struct query_filter *filter, struct error *err)
{
    struct store *store;
    int rc = store_open(run->conf.database, STORE_READ, "sacct-carbon", &store, err);

    if (rc < 0)
        return ask_carbond(&run->conf, run->argv, rc, err);
    store_set_viewer(store, &run->viewer);
    say(run, "database: %s", store_path(store));
    rc = store_begin(store, err);
    if (rc == 0)
        rc = read_store(run, store, filter, err);
    store_close(store); /* ends the transaction too */
    return rc;
}

static int find_jobs(struct run *run, struct error *err)
{
    struct sacct_options *options = &run->options;
    size_t count = options->jobs.count;
    uint32_t *job_ids = calloc(count + 1, sizeof(*job_ids));
    const char **sluids = calloc(count + 1, sizeof(*sluids));
    struct query_filter filter = { 0 };
    int rc = add_uids_of_users(options, err);

    run->known = calloc(count + 1, sizeof(*run->known));
    if (rc == 0 && (!job_ids || !sluids || !run->known))
        rc = error_set(err, -ENOMEM, "no memory for job ids");
    if (rc == 0)
        rc = add_own_uid(run, err);
    if (rc == 0)
        add_ids(&options->jobs, job_ids, sluids, &filter);
    filter.users = names_of(&options->users);
    filter.uids = options->uids;
    filter.n_uids = options->n_uids;
    filter.accounts = names_of(&options->accounts);
    filter.partitions = names_of(&options->partitions);
    filter.qos = names_of(&options->qos);
    filter.nodes = names_of(&options->nodes);
    filter.has_window = run->has_window;
    filter.from_s = run->from_s;
    filter.to_s = run->to_s;
    if (rc == 0)
        rc = read_at_once(run, &filter, err);
    free(job_ids);
    free(sluids);
    return rc;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Jobs of two clusters may have one number, user and account: then whoever reads must be told. */
static bool has_several_clusters(const struct run *run)
{
    for (size_t i = 1; i < run->result.n_jobs; i++)
        if (!same_cluster(&run->result.jobs[0], &run->result.jobs[i]))
            return true;
    return false;
}

/* Programs, and whoever names fields, get those that they count on. */
static int tell_clusters(struct run *run, struct error *err)
{
    const char *format = getenv("SACCT_CARBON_FORMAT");

    if (run->options.output != SACCT_TABLE || run->options.format.len > 0 || (format && *format) ||
        !has_several_clusters(run))
        return 0;
    columns_clear(&run->choices);
    return columns_choose(run->options.by ? "Cluster," COLUMNS_BY : "Cluster," COLUMNS_DEFAULT,
                          &run->choices, err);
}

/* Is this step (NULL: the job's own row) asked for? */
static bool is_asked(const struct run *run, const struct query_job *job,
                     const struct query_step *step)
{
    const struct sacct_options *options = &run->options;
    struct jobid_subject subject = subject_of(job);

    if (options->allocations || options->jobs.count == 0)
        return !options->allocations || !step;
    for (size_t i = 0; i < options->jobs.count; i++) {
        const struct jobid *id = &options->jobs.ids[i];

        if (jobid_matches(id, &subject) &&
            (!id->has_step || (step && step->step_id == id->step_id)))
            return true;
    }
    return false;
}

static int add_row(struct run *run, struct row row, struct error *err)
{
    if ((run->n_rows & (run->n_rows - 1)) == 0) {
        struct row *rows = realloc(run->rows, (run->n_rows ? run->n_rows * 2 : 1) * sizeof(*rows));

        if (!rows)
            return error_set(err, -ENOMEM, "no memory for the report");
        run->rows = rows;
    }
    run->rows[run->n_rows++] = row;
    return 0;
}

/* A job and its steps. */
static int add_job(struct run *run, const struct query_job *job, const struct job_carbon *carbon,
                   struct error *err)
{
    const struct query_step *step;
    int rc = 0;

    if (is_asked(run, job, NULL))
        rc = add_row(run, row_of(job, NULL, carbon, &run->method, &run->style), err);
    for (size_t i = 0; rc == 0 && (step = row_step(job, i)) != NULL; i++) {
        if (is_asked(run, job, step))
            rc = add_row(run, row_of(job, step, carbon, &run->method, &run->style), err);
    }
    return rc;
}

/* The parts of a job's time; as JSON after the job itself. */
static int add_parts(struct run *run, const struct query_job *job, const struct sacct_job *read,
                     struct error *err)
{
    int rc = 0;

    if (run->options.output == SACCT_JSON)
        rc = add_row(run, row_of(job, NULL, &read->carbon, &run->method, &run->style), err);
    for (size_t i = 0; rc == 0 && i < read->n_parts; i++)
        rc = add_row(run, row_of_part(job, &read->parts[i], &run->method), err);
    return rc;
}

static int build_rows(struct run *run, struct error *err)
{
    bool by = run->options.by != PARTS_NONE && !run->options.explain;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < run->result.n_jobs; i++) {
        const struct query_job *job = &run->result.jobs[i];
        const struct sacct_job *read = run->options.profile ? NULL : &run->embodied.jobs[i];

        rc = by ? add_parts(run, job, read, err)
                : add_job(run, job, read ? &read->carbon : NULL, err);
    }
    return rc;
}

/* A named step that its job does not have is as unknown as a job that the database lacks. */
static void check_named_steps(struct run *run)
{
    const struct jobid_list *jobs = &run->options.jobs;

    for (size_t i = 0; i < jobs->count; i++) {
        bool job_kept = false, step_found = false;

        if (!jobs->ids[i].has_step || run->options.allocations)
            continue;
        for (size_t j = 0; j < run->result.n_jobs; j++) {
            struct jobid_subject subject = subject_of(&run->result.jobs[j]);

            job_kept |= jobid_matches(&jobs->ids[i], &subject);
        }
        for (size_t j = 0; j < run->n_rows; j++) {
            struct jobid_subject subject = subject_of(run->rows[j].job);

            step_found |= run->rows[j].step && jobid_matches(&jobs->ids[i], &subject) &&
                          run->rows[j].step->step_id == jobs->ids[i].step_id;
        }
        run->known[i] = run->known[i] && (step_found || !job_kept);
    }
}

/* Say which names are unknown; true when all are. */
static bool report_unknown(const struct run *run)
{
    const struct jobid_list *jobs = &run->options.jobs;
    size_t unknown = 0;

    for (size_t i = 0; i < jobs->count; i++) {
        struct buf text;

        if (run->known[i])
            continue;
        unknown++;
        buf_init(&text);
        format_text(&text, jobs->ids[i].text, run->style.utf8, NULL);
        fplainf(stderr, "sacct-carbon: job %s is unknown: none of its energy has been delivered to "
                "this database\n", text.data ? text.data : "");
        buf_free(&text);
    }
    return jobs->count > 0 && unknown == jobs->count;
}

/* --- output ----------------------------------------------------------------------------------- */

static bool wants_card(const struct run *run)
{
    const struct sacct_options *options = &run->options;

    return options->jobs.count > 0 && options->output == SACCT_TABLE &&
           options->by == PARTS_NONE && options->format.len == 0 && !options->no_header &&
           run->result.n_jobs == 1 && run->n_rows > 0 && !run->rows[0].step;
}

/* Every job that was found, with a blank line between. */
static int write_explained(struct run *run, struct buf *out, struct error *err)
{
    bool several_clusters = has_several_clusters(run);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < run->result.n_jobs; i++) {
        struct row row = row_of(&run->result.jobs[i], NULL, &run->embodied.jobs[i].carbon,
                                &run->method, &run->style);

        buf_printf(out, "%s", i > 0 ? "\n" : "");
        if (several_clusters) {
            buf_printf(out, "Cluster ");
            format_text(out, run->result.jobs[i].cluster, run->style.utf8, NULL);
            buf_printf(out, "\n");
        }
        rc = explain_write(&row, run->options.by, out, err);
    }
    return rc;
}

static int write_report(struct run *run, struct buf *out, struct error *err)
{
    const struct sacct_options *options = &run->options;
    const struct budgets_style style = { run->style.utf8, run->style.colour, true };
    const struct json_options json = {
        .by = options->by, .compare = options->compare, .has_budgets = run->budgets.wanted,
        .budgets = run->budgets.has ? &run->budgets.uses : NULL,
    };
    bool header = !options->no_header;
    int rc;

    if (options->explain)
        return write_explained(run, out, err);

    if (options->profile && run->result.n_jobs > 0)
        return sacct_profile_write(&run->profile, options, out, err);
    if (options->output == SACCT_JSON)
        return json_write(run->rows, run->n_rows, &json, &run->method, out, err);
    if (options->output != SACCT_TABLE)
        return table_write_parsable(run->rows, run->n_rows, &run->choices, header,
                                    options->delimiter ? options->delimiter : "|",
                                    options->output == SACCT_PARSABLE, out, err);
    if (wants_card(run))
        return card_write(&run->rows[0], !options->allocations, options->compare, out, err);
    rc = table_write(run->rows, run->n_rows, &run->choices, header, out, err);
    if (rc < 0 || !header || options->format.len > 0)
        return rc;
    table_write_summary(run->rows, run->n_rows, options->compare, out);
    return sacct_budgets_write(&run->budgets, &style, out, err);
}

/* A reader that went away (head) is no error worth a word. */
static int flush_out(const struct buf *out)
{
    if (buf_failed(out)) {
        fplainf(stderr, "sacct-carbon: no memory\n");
        return EXIT_ERROR;
    }
    if (out->len > 0 && fwrite(out->data, 1, out->len, stdout) == out->len && fflush(stdout) == 0)
        return EXIT_FINE;
    if (out->len == 0)
        return EXIT_FINE;
    if (errno != EPIPE)
        fplainf(stderr, "sacct-carbon: writing the report: %s\n", strerror(errno));
    return EXIT_ERROR;
}

static int exit_status(const struct run *run, bool all_unknown)
{
    if (all_unknown)
        return EXIT_UNKNOWN;
    for (size_t i = 0; run->options.strict && i < run->result.n_jobs; i++) {
        if (!job_is_complete(&run->result.jobs[i]))
            return EXIT_INCOMPLETE;
    }
    return EXIT_FINE;
}

static int answer(struct run *run)
{
    struct error err = { "" };
    struct buf out;
    bool all_unknown;
    int status;
    int rc = read_conf(run, &err);

    choose_style(run);
    if (rc == 0)
        rc = viewer_of_environment(&run->viewer, &err);
    if (rc == 0)
        rc = choose_columns(run, &err);
    if (rc == 0)
        rc = choose_window(run, &err);
    if (rc == 0)
        rc = find_jobs(run, &err);
    if (rc == 0)
        rc = tell_clusters(run, &err);
    if (rc == 0)
        rc = build_rows(run, &err);
    if (rc < 0) {
        fplainf(stderr, "sacct-carbon: error: %s\n", err.text);
        return EXIT_ERROR;
    }
    check_named_steps(run);
    all_unknown = report_unknown(run);
    if (all_unknown && run->options.output != SACCT_JSON)
        return EXIT_UNKNOWN;
    buf_init(&out);
    rc = write_report(run, &out, &err);
    if (rc < 0)
        fplainf(stderr, "sacct-carbon: error: %s\n", err.text);
    status = rc < 0 ? EXIT_ERROR : flush_out(&out);
    buf_free(&out);
    return status != EXIT_FINE ? status : exit_status(run, all_unknown);
}

/* --help and the like */
static int explain(enum sacct_action action)
{
    struct buf out;
    int status;

    buf_init(&out);
    if (action == SACCT_HELP)
        sacct_options_help(&out);
    else if (action == SACCT_USAGE)
        sacct_options_usage(&out);
    else if (action == SACCT_HELPFORMAT)
        sacct_options_helpformat(&out);
    else
        buf_printf(&out, "sacct-carbon (slurm-carbon) " PACKAGE_VERSION "\n");
    status = flush_out(&out);
    buf_free(&out);
    return status;
}

static void clear(struct run *run)
{
    sacct_options_clear(&run->options);
    columns_clear(&run->choices);
    query_clear(&run->result);
    free(run->known);
    free(run->newest);
    free(run->rows);
    sacct_profile_clear(&run->profile);
    sacct_rows_clear(&run->embodied);
    sacct_budgets_clear(&run->budgets);
    basis_clear(&run->basis);
    viewer_clear(&run->viewer);
}

int main(int argc, char **argv)
{
    static struct run run;
    struct error err = { "" };
    int status;

    run.argv = argv;
    signal(SIGPIPE, SIG_IGN);
    setlocale(LC_CTYPE, "");
    if (sacct_options_parse(argc, argv, &run.options, &err) < 0) {
        fplainf(stderr, "sacct-carbon: error: %s\n", err.text);
        status = EXIT_ERROR;
    } else if (run.options.action != SACCT_QUERY) {
        status = explain(run.options.action);
    } else {
        status = answer(&run);
    }
    clear(&run);
    return status;
}

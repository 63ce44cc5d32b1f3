#include "cli/sacct_profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/plainf.h"
#include "cli/screen.h"
#include "core/clock.h"
#include "store/prune.h"

#define COLUMNS_DEFAULT 80

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The time of the job or step that can be drawn: within -S and -E, and what is not pruned. */
static void choose_time(struct sacct_profile *profile, const struct sacct_options *options,
                        int64_t from_s, int64_t to_s)
{
    struct profile_view *view = &profile->view;
    int64_t begin_s = row_begin_ns(view->row) / (int64_t)NS_PER_S;
    int64_t end_s = (row_end_ns(view->row) + (int64_t)NS_PER_S - 1) / (int64_t)NS_PER_S;

    view->cut = options->start || options->end;
    view->from_s = later(begin_s, view->kept_since_s);
    view->to_s = end_s;
    if (options->start)
        view->from_s = later(view->from_s, from_s);
    if (options->end)
        view->to_s = earlier(view->to_s, to_s);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int take_csv(void *arg, const struct profile_row *row)
{
    struct sacct_profile *profile = arg;

    profile_csv_row(&profile->table, row);
    profile->table_rows++;
    return 0;
}

static int take_json(void *arg, const struct profile_row *row)
{
    struct sacct_profile *profile = arg;

    profile_json_row(&profile->table, row, profile->table_rows == 0);
    profile->table_rows++;
    return 0;
}

static int read_table(struct store *store, const struct profile_filter *filter, bool csv,
                      struct sacct_profile *profile, struct error *err)
{
    int rc;

    if (csv) {
        profile_csv_head(&profile->table);
        return profile_each(store, filter, take_csv, profile, err);
    }
    profile_json_head(&profile->table, profile->view.row);
    rc = profile_each(store, filter, take_json, profile, err);
    profile_json_end(&profile->table);
    return rc;
}

int sacct_profile_read(struct store *store, const struct query_result *result,
                       const struct row *row, const struct sacct_options *options, int64_t from_s,
                       int64_t to_s, struct sacct_profile *ret, struct error *err)
{
    bool json = options->output == SACCT_JSON;
    struct profile_filter filter = { .nodes = { (const char *const *)options->nodes.names,
                                                options->nodes.count } };
    int rc;

    buf_init(&ret->table);
    if (result->n_jobs == 0)
        return 0;
    if (result->n_jobs > 1)
        return error_set(err, -EINVAL, "--profile shows one job, and these are %zu: name one of "
                         "them, such as 123_4 of an array or 123+1, or its cluster by -M",
                         result->n_jobs);
    ret->row = *row;
    ret->view = (struct profile_view){ .row = &ret->row, .nodes = &options->nodes,
                                       .profile = &ret->profile };
    rc = prune_kept_since(store, &ret->view.kept_since_s, err);
    if (rc < 0)
        return rc;
    choose_time(ret, options, from_s, to_s);
    filter.job_key = result->jobs[0].job_key;
    filter.from_s = ret->view.from_s - ret->view.from_s % 60;
    filter.to_s = ret->view.to_s;
    if (json || options->profile == SACCT_PROFILE_CSV)
        return read_table(store, &filter, !json, ret, err);
    return profile_read(store, &filter, &ret->profile, err);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Programs take an empty table as it is; a person should learn why it is empty. */
static void say_nothing_to_show(const struct sacct_profile *profile)
{
    struct error why = { "" };

    (void)!profile_nothing(&profile->view, &why);
    fplainf(stderr, "sacct-carbon: %s\n", why.text);
}

int sacct_profile_write(const struct sacct_profile *profile, const struct sacct_options *options,
                        struct buf *buf, struct error *err)
{
    unsigned columns = screen_columns();

    if (options->profile == SACCT_PROFILE_SVG)
        return profile_svg(&profile->view, buf, err);
    if (options->output != SACCT_JSON && options->profile == SACCT_PROFILE_TEXT)
        return profile_draw(&profile->view, columns ? columns : COLUMNS_DEFAULT, buf, err);
    if (buf_failed(&profile->table))
        return error_set(err, -ENOMEM, "no memory for the job's minutes");
    if (profile->table_rows == 0)
        say_nothing_to_show(profile);
    buf_add(buf, profile->table.data, profile->table.len);
    return 0;
}

void sacct_profile_clear(struct sacct_profile *profile)
{
    profile_clear(&profile->profile);
    buf_free(&profile->table);
}

#include "report/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/timespec.h"
#include "report/csv.h"

int profile_nothing(const struct profile_view *view, struct error *err)
{
    const struct query_job *job = view->row->job;
    bool pruned = job->begin_s < view->kept_since_s;
    char since[TIMESPEC_SIZE];
    struct buf id;

    buf_init(&id);
    row_job_id(view->row, false, &id);
    timespec_format(view->kept_since_s, "%Y-%m-%d %H:%M:%S %Z", 0, since);
    error_set(err, -ENODATA, "job %s: there is no power per minute %s%s%s%s",
              id.data ? id.data : "",
              view->cut || view->nodes->count ? "of this time and these nodes" : "of it",
              pruned ? ": it is kept since " : ": none was metered, or none is delivered yet",
              pruned ? since : "", pruned ? " (KeepPowerDays in carbon.conf)" : "");
    buf_free(&id);
    return -ENODATA;
}

void profile_nodes(const struct profile_view *view, struct buf *buf)
{
    size_t count = view->nodes->count;
    struct buf list;

    if (count > 0) {
        buf_printf(buf, "of ");
        for (size_t i = 0; i < count && i < 4; i++) {
            buf_printf(buf, i > 0 ? "," : "");
            format_text(buf, view->nodes->names[i], view->row->style->utf8, NULL);
        }
        buf_printf(buf, count > 4 ? " and %zu more alone" : " alone", count - 4);
        return;
    }
    buf_init(&list);
    row_node_list(view->row, &list);
    buf_printf(buf, "of ");
    format_text(buf, list.data ? list.data : "its nodes", view->row->style->utf8, NULL);
    buf_printf(buf, view->row->job->n_nodes > 1 ? " together" : "");
    buf_free(&list);
}

/* Slurm's node names need no escape anywhere; another one was never a node's. */
static void put_node(struct buf *buf, const char *name)
{
    for (const char *c = name; *c; c++)
        buf_printf(buf, "%c", strchr("\",\\", *c) || *c <= ' ' || *c > '~' ? '?' : *c);
}

/* --- CSV (RFC 4180, but for its line ends) ---------------------------------------------------- */

static void put_thousandths(struct buf *buf, uint64_t number)
{
    buf_printf(buf, "%" PRIu64 ".%03u", number / 1000, (unsigned)(number % 1000));
}

void profile_csv_head(struct buf *buf)
{
    buf_printf(buf, "minute_utc,node,component,power_w,span_s\n");
}

void profile_csv_row(struct buf *buf, const struct profile_row *row)
{
    char minute[CLOCK_TEXT_SIZE];

    clock_format_utc(row->minute_s, minute);
    buf_printf(buf, "%s,%s", minute, csv_is_formula(row->node) ? "'" : "");
    put_node(buf, row->node);
    buf_printf(buf, ",%s,", profile_component_names[row->component]);
    put_thousandths(buf, profile_mw(row->energy_mj, row->span_ms));
    buf_printf(buf, ",");
    put_thousandths(buf, row->span_ms);
    buf_printf(buf, "\n");
}

/* --- JSON ------------------------------------------------------------------------------------- */

void profile_json_head(struct buf *buf, const struct row *job_or_step)
{
    buf_printf(buf, "{\n  \"job_id\": \"");
    row_job_id(job_or_step, false, buf);
    buf_printf(buf, "\",\n  \"running\": %s,\n  \"minutes\": [",
               row_is_open(job_or_step) ? "true" : "false");
}

void profile_json_row(struct buf *buf, const struct profile_row *row, bool first)
{
    char minute[CLOCK_TEXT_SIZE];

    clock_format_utc(row->minute_s, minute);
    buf_printf(buf, "%s\n    { \"minute_utc\": \"%s\", \"node\": \"", first ? "" : ",", minute);
    put_node(buf, row->node);
    buf_printf(buf, "\", \"component\": \"%s\", \"power_mw\": %" PRIu64 ", \"energy_mj\": %" PRIu64
               ", \"span_ms\": %" PRIu64 " }", profile_component_names[row->component],
               profile_mw(row->energy_mj, row->span_ms), row->energy_mj, row->span_ms);
}

void profile_json_end(struct buf *buf)
{
    buf_printf(buf, "\n  ]\n}\n");
}

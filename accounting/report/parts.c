#include "report/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"

const char *const parts_by_names[] = { "none", "hour", "day", "month", NULL };

void part_label(int64_t hour_s, enum parts_by by, char label[PART_LABEL_SIZE])
{
    char utc[CLOCK_TEXT_SIZE];
    time_t instant = (time_t)hour_s;
    struct tm local = { 0 };

    clock_format_utc(hour_s, utc);
    if (by == PARTS_HOUR)
        snprintf(label, PART_LABEL_SIZE, "%.16sZ", utc);
    else if (by == PARTS_MONTH)
        snprintf(label, PART_LABEL_SIZE, "%.7s", utc);
    else if (!localtime_r(&instant, &local) ||
             strftime(label, PART_LABEL_SIZE, "%Y-%m-%d", &local) == 0)
        snprintf(label, PART_LABEL_SIZE, "%.10s", utc);
}

/* [*ret_from_s, *ret_to_s) of a job's hours; false: there are none. */
static bool span(const struct query_job *job, const struct report_style *style,
                 int64_t *ret_from_s, int64_t *ret_to_s)
{
    const struct usage *usage = &job->usage;
    struct row row = { .job = job, .usage = usage, .style = style };
    int64_t from_s = row_begin_ns(&row) / (int64_t)NS_PER_S;
    int64_t to_s = (row_end_ns(&row) + (int64_t)NS_PER_S - 1) / (int64_t)NS_PER_S;

    if (usage->n_hours > 0) {
        int64_t last_s = usage->hours[usage->n_hours - 1].hour_s + S_PER_HOUR;

        from_s = usage->hours[0].hour_s < from_s ? usage->hours[0].hour_s : from_s;
        to_s = last_s > to_s ? last_s : to_s;
    }
    *ret_from_s = from_s / S_PER_HOUR * S_PER_HOUR;
    *ret_to_s = (to_s + S_PER_HOUR - 1) / S_PER_HOUR * S_PER_HOUR;
    return *ret_from_s < *ret_to_s;
}

static struct part *add_part(struct part **parts, size_t *count)
{
    struct part *grown = *parts;

    if ((*count & (*count - 1)) == 0) {
        grown = realloc(*parts, (*count ? *count * 2 : 1) * sizeof(*grown));
        if (!grown)
            return NULL;
        *parts = grown;
    }
    grown += (*count)++;
    memset(grown, 0, sizeof(*grown));
    return grown;
}

/* A part's own energy, and a style that cuts its times. */
static void fill(struct part *part, const struct query_job *job, const struct report_style *style)
{
    part->usage = usage_within(&job->usage, part->from_s, part->to_s);
    part->style = *style;
    part->style.clipped = true;
    part->style.from_s = part->from_s;
    part->style.to_s = part->to_s;
    if (style->clipped && style->from_s > part->from_s)
        part->style.from_s = style->from_s;
    if (style->clipped && style->to_s < part->to_s)
        part->style.to_s = style->to_s;
}

int parts_of(const struct query_job *job, enum parts_by by, const struct report_style *style,
             struct part **ret, size_t *ret_count, struct error *err)
{
    struct part *parts = NULL;
    size_t count = 0;
    int64_t from_s, to_s;

    *ret = NULL;
    *ret_count = 0;
    if (!span(job, style, &from_s, &to_s))
        return 0;
    for (int64_t hour_s = from_s; hour_s < to_s; hour_s += S_PER_HOUR) {
        char label[PART_LABEL_SIZE];
        struct part *part;

        part_label(hour_s, by, label);
        if (count > 0 && strcmp(parts[count - 1].label, label) == 0) {
            parts[count - 1].to_s = hour_s + S_PER_HOUR;
            continue;
        }
        part = add_part(&parts, &count);
        if (!part) {
            parts_free(parts, count);
            return error_set(err, -ENOMEM, "no memory for the parts of a job");
        }
        part->from_s = hour_s;
        part->to_s = hour_s + S_PER_HOUR;
        memcpy(part->label, label, sizeof(label));
    }
    for (size_t i = 0; i < count; i++)
        fill(&parts[i], job, style);
    *ret = parts;
    *ret_count = count;
    return 0;
}

void parts_free(struct part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        job_carbon_clear(&parts[i].carbon);
    free(parts);
}

struct row row_of_part(const struct query_job *job, const struct part *part,
                       const struct report_method *method)
{
    return row_of_usage(job, part, &part->usage, &part->carbon, method, &part->style);
}

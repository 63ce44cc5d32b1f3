#include "cli/jobid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mark.h"
#include "core/parse.h"
#include "store/query.h"

#define JOB_ID_MAX UINT32_C(0x7ffffffe)
#define TASK_ID_MAX UINT32_C(0x7ffffffe)
#define FORMS "write 123, 123.0, 123.batch, 123_4, 123_[1-4], 123+1 or a SLUID"

static const struct {
    const char *name;
    int64_t step_id;
} step_names[] = {
    { "batch", STEP_BATCH },
    { "extern", STEP_EXTERN },
    { "interactive", STEP_INTERACTIVE },
    { "remainder", STEP_REMAINDER },
};

static int bad_id(const struct jobid *id, const char *what, struct error *err)
{
    return error_set(err, -EINVAL, "job id \"%s\": %s; " FORMS, id->text, what);
}

static int add_range(struct jobid *id, const char *text, struct error *err)
{
    struct jobid_range range = { .stride = 1 }, *ranges;
    char first[24];
    const char *dash = strchr(text, '-');
    char last[24];
    char *colon;

    if (strlen(text) >= sizeof(first))
        return bad_id(id, "a range that is too long", err);
    memcpy(first, text, strlen(text) + 1);
    memcpy(last, text, strlen(text) + 1);
    if (dash) {
        first[dash - text] = '\0';
        memmove(last, dash + 1, strlen(dash + 1) + 1);
        colon = strchr(last, ':');
        if (colon) {
            *colon = '\0';
            if (parse_u32(colon + 1, 1, TASK_ID_MAX, &range.stride) < 0)
                return bad_id(id, "a step of a range is a number from 1", err);
        }
    }
    if (parse_u32(first, 0, TASK_ID_MAX, &range.first) < 0 ||
        parse_u32(last, range.first, TASK_ID_MAX, &range.last) < 0)
        return bad_id(id, "tasks and components are numbers and rising ranges", err);
    ranges = realloc(id->ranges, (id->n_ranges + 1) * sizeof(*ranges));
    if (!ranges)
        return error_set(err, -ENOMEM, "no memory for job ids");
    id->ranges = ranges;
    id->ranges[id->n_ranges++] = range;
    return 0;
}

/* "4" or "[1-4,7]" */
static int parse_ranges(struct jobid *id, char *text, struct error *err)
{
    size_t len = strlen(text);
    int rc = 0;

    if (text[0] != '[') {
        if (strchr(text, '-'))
            return bad_id(id, "a range stands in brackets", err);
        return add_range(id, text, err);
    }
    if (text[len - 1] != ']')
        return bad_id(id, "a bracket without its partner", err);
    text[len - 1] = '\0';
    for (char *item = text + 1, *comma; rc == 0 && item; item = comma) {
        comma = strchr(item, ',');
        if (comma)
            *comma++ = '\0';
        rc = add_range(id, item, err);
    }
    return rc;
}

static int parse_step(struct jobid *id, const char *text, struct error *err)
{
    uint32_t number;

    id->has_step = true;
    for (size_t i = 0; i < sizeof(step_names) / sizeof(*step_names); i++) {
        if (strcasecmp(text, step_names[i].name) == 0) {
            id->step_id = step_names[i].step_id;
            return 0;
        }
    }
    if (parse_u32(text, 0, STEP_INTERACTIVE - 1, &number) < 0)
        return bad_id(id, "a step is a number, batch, extern or interactive", err);
    id->step_id = number;
    return 0;
}

/* Crockford's base32, as Slurm writes it: digits and letters without i, l, o and u. */
static bool is_sluid(const char *text)
{
    if (strlen(text) != SLUID_LEN || (text[0] != 's' && text[0] != 'S'))
        return false;
    return strspn(text + 1, "0123456789abcdefghjkmnpqrstvwxyzABCDEFGHJKMNPQRSTVWXYZ") ==
           SLUID_LEN - 1;
}

/* The part before the step: number, task, component, SLUID. Changes text. */
static int parse_job(struct jobid *id, char *text, struct error *err)
{
    size_t digits = strspn(text, "0123456789");
    char mark = text[digits];

    if (is_sluid(text)) {
        for (size_t i = 0; i < SLUID_LEN; i++)
            id->sluid[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
        return 0;
    }
    text[digits] = '\0';
    if (parse_u32(text, 1, JOB_ID_MAX, &id->job_id) < 0)
        return bad_id(id, "that is no job id", err);
    if (mark == '\0')
        return 0;
    if (mark != '_' && mark != '+')
        return bad_id(id, "that is no job id", err);
    id->part = mark == '_' ? JOBID_TASKS : JOBID_HET;
    return parse_ranges(id, text + digits + 1, err);
}

int jobid_parse(const char *text, struct jobid *ret, struct error *err)
{
    char *copy = strdup(text);
    char *dot;
    int rc = 0;

    *ret = (struct jobid){ 0 };
    if (!copy)
        return error_set(err, -ENOMEM, "no memory for job ids");
    snprintf(ret->text, sizeof(ret->text), "%s", text);
    dot = strchr(copy, '.');
    if (dot) {
        *dot++ = '\0';
        rc = parse_step(ret, dot, err);
    }
    if (rc == 0)
        rc = parse_job(ret, copy, err);
    free(copy);
    if (rc < 0)
        jobid_clear(ret);
    return rc;
}

void jobid_clear(struct jobid *id)
{
    free(id->ranges);
    *id = (struct jobid){ 0 };
}

static int list_add_one(struct jobid_list *list, const char *text, size_t len, struct error *err)
{
    struct jobid *ids = realloc(list->ids, (list->count + 1) * sizeof(*ids));
    char *item;
    int rc;

    if (!ids)
        return error_set(err, -ENOMEM, "no memory for job ids");
    list->ids = ids;
    item = strndup(text, len);
    if (!item)
        return error_set(err, -ENOMEM, "no memory for job ids");
    rc = jobid_parse(item, &list->ids[list->count], err);
    free(item);
    if (rc == 0)
        list->count++;
    return rc;
}

int jobid_list_add(struct jobid_list *list, const char *text, struct error *err)
{
    int rc = 0;

    for (const char *end; rc == 0; text = end + 1) {
        int depth = 0;

        for (end = text; *end != '\0' && (*end != ',' || depth > 0); end++)
            depth += *end == '[' ? 1 : *end == ']' ? -1 : 0;
        rc = list_add_one(list, text, (size_t)(end - text), err);
        if (*end == '\0')
            break;
    }
    return rc;
}

void jobid_list_clear(struct jobid_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        jobid_clear(&list->ids[i]);
    free(list->ids);
    *list = (struct jobid_list){ 0 };
}

static bool in_ranges(const struct jobid *id, int64_t number)
{
    for (size_t i = 0; i < id->n_ranges; i++) {
        const struct jobid_range *range = &id->ranges[i];

        if (number >= range->first && number <= range->last &&
            (number - range->first) % range->stride == 0)
            return true;
    }
    return false;
}

bool jobid_matches(const struct jobid *id, const struct jobid_subject *subject)
{
    if (id->sluid[0] != '\0')
        return subject->sluid && strcasecmp(id->sluid, subject->sluid) == 0;
    switch (id->part) {
    case JOBID_TASKS:
        return subject->array_job_id == id->job_id && in_ranges(id, subject->array_task_id);
    case JOBID_HET:
        return subject->het_job_id == id->job_id && in_ranges(id, subject->het_offset);
    case JOBID_WHOLE:
        break;
    }
    return subject->job_id == id->job_id || subject->array_job_id == id->job_id ||
           subject->het_job_id == id->job_id;
}

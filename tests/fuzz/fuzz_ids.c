/* idset.h, hostlist.h, jobid.h and viewer.h: short texts of numbers, names and ranges. */
#include <stdlib.h>
#include <string.h>

#include "cli/jobid.h"
#include "core/hostlist.h"
#include "core/idset.h"
#include "fuzz.h"
#include "store/viewer.h"

static void try_idset(const char *text)
{
    char formatted[IDSET_TEXT_SIZE], cut[8];
    struct idset set, again;
    int len;

    memset(&set, 0x5a, sizeof(set));
    again = set;
    if (idset_parse(text, &set) < 0) {
        PROMISE(idset_equal(&set, &again)); /* untouched */
        return;
    }
    len = idset_format(&set, formatted, sizeof(formatted));
    PROMISE((size_t)len == strlen(formatted));
    PROMISE(idset_format(&set, cut, sizeof(cut)) == len);
    PROMISE(strncmp(cut, formatted, sizeof(cut) - 1) == 0 && strlen(cut) < sizeof(cut));
    PROMISE(idset_parse(formatted, &again) == 0 && idset_equal(&set, &again));
    PROMISE(idset_is_empty(&set) == (idset_count(&set) == 0));
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same names, whatever their order. */
static void check_same_names(struct hostlist *a, struct hostlist *b)
{
    PROMISE(a->count == b->count);
    qsort(a->names, a->count, sizeof(*a->names), compare);
    qsort(b->names, b->count, sizeof(*b->names), compare);
    for (size_t i = 0; i < a->count; i++)
        PROMISE(strcmp(a->names[i], b->names[i]) == 0);
}

static void try_hostlist(const char *text)
{
    struct hostlist list = { 0 }, again = { 0 };
    struct error err = { "" };
    struct buf buf;
    int rc = hostlist_expand(text, &list, &err);

    PROMISE(list.count <= HOSTLIST_MAX);
    buf_init(&buf);
    if (!fuzz_failed(rc, &err)) {
        PROMISE(list.count > 0);
        hostlist_fold((const char **)list.names, list.count, &buf);
        PROMISE(!buf_failed(&buf));
        rc = hostlist_expand(buf.data, &again, &err);
        if (!fuzz_failed(rc, &err))
            check_same_names(&list, &again);
        else /* an expression of ours is longer than what is taken, and not wrong */
            PROMISE(buf.len >= 4096);
    }
    buf_free(&buf);
    hostlist_clear(&list);
    hostlist_clear(&again);
}

/* An id names the first and the last task of each of its ranges, and its job. */
static void check_jobid(const struct jobid *id)
{
    struct jobid_subject subject = { id->job_id, -1, -1, -1, -1, NULL };
    bool tasks = id->part == JOBID_TASKS;

    PROMISE((id->sluid[0] != '\0') == (id->job_id == 0));
    PROMISE((id->part == JOBID_WHOLE) == (id->n_ranges == 0));
    if (id->sluid[0] != '\0')
        subject.sluid = id->sluid;
    for (size_t i = 0; i < id->n_ranges; i++) {
        PROMISE(id->ranges[i].first <= id->ranges[i].last && id->ranges[i].stride > 0);
        subject = (struct jobid_subject){ 1, -1, -1, -1, -1, NULL };
        *(tasks ? &subject.array_job_id : &subject.het_job_id) = id->job_id;
        *(tasks ? &subject.array_task_id : &subject.het_offset) = id->ranges[i].first;
        PROMISE(jobid_matches(id, &subject));
    }
    PROMISE(jobid_matches(id, &subject));
}

static void try_jobids(const char *text)
{
    struct jobid_list list = { 0 };
    struct error err = { "" };
    int rc = jobid_list_add(&list, text, &err);

    if (!fuzz_failed(rc, &err))
        PROMISE(list.count > 0);
    for (size_t i = 0; i < list.count; i++)
        check_jobid(&list.ids[i]);
    jobid_list_clear(&list);
}

/* What is written of a viewer is read as the same; what is none sees nothing. */
static void try_viewer(const char *text)
{
    struct viewer viewer, again;
    struct error err = { "" };
    struct buf buf, twice;
    int rc = viewer_parse(text, &viewer, &err);

    if (fuzz_failed(rc, &err)) {
        PROMISE(!viewer.all && !viewer.has_uid && !viewer.user && viewer.accounts.count == 0);
        return;
    }
    PROMISE(viewer.all ? viewer.accounts.count == 0 : viewer.has_uid);
    PROMISE(viewer.all || !viewer_sees(&viewer, false, 0, NULL, "a"));
    for (size_t i = 0; i < viewer.accounts.count; i++)
        PROMISE(viewer_sees_account(&viewer, viewer.accounts.names[i]));
    buf_init(&buf);
    buf_init(&twice);
    viewer_write(&viewer, &buf);
    PROMISE(!buf_failed(&buf) && viewer_parse(buf.data, &again, &err) == 0);
    viewer_write(&again, &twice);
    PROMISE(strcmp(buf.data, twice.data) == 0);
    buf_free(&buf);
    buf_free(&twice);
    viewer_clear(&viewer);
    viewer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    try_idset(text);
    try_hostlist(text);
    try_jobids(text);
    try_viewer(text);
    free(text);
    return 0;
}

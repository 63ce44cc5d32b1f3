/*
 * dbd.h: what `sacct -P` prints. Every run that is handed on has an id, a cluster and a state, and
 * its texts lie in what was read.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/dbd.h"
#include "core/tres.h"
#include "fuzz.h"

#define RUNS_MAX 1000

static int take(void *arg, const struct dbd_job *job)
{
    unsigned *runs = arg;

    PROMISE(job->job_id >= 0 && job->cluster[0] && job->state[0]);
    PROMISE(job->submit_s >= -1 && job->start_s >= -1 && job->end_s >= -1);
    PROMISE(job->array_job_id < 0 || job->het_job_id < 0);
    PROMISE((job->array_job_id < 0) == (job->array_task_id < 0));
    PROMISE((job->het_job_id < 0) == (job->het_offset < 0));
    PROMISE(strlen(job->user) + strlen(job->account) + strlen(job->partition) + strlen(job->qos) +
                strlen(job->name) + strlen(job->alloc_tres) + strlen(job->node_list) <
            SIZE_MAX / 2);
    PROMISE(job->consumed_j >= -1);
    PROMISE(tres_count(job->alloc_tres, "mem") <= UINT64_MAX / 2);
    return ++*runs < RUNS_MAX ? 0 : -ECANCELED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { "" };
    char path[FUZZ_PATH_SIZE];
    unsigned runs = 0;
    FILE *file;
    int rc;

    fuzz_file(data, size, path);
    file = fopen(path, "re");
    PROMISE(file);
    rc = dbd_read(file, "sacct", take, &runs, &err);
    if (rc != -ECANCELED)
        (void)fuzz_failed(rc, &err);
    fclose(file);
    return 0;
}

#include "core/mark.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIELD(key, type, member, bit) { #key, type, offsetof(struct mark, member), 0, bit, NULL }
#define TEXT(key, bit) \
    { #key, RECORD_TEXT, offsetof(struct mark, key), sizeof(((struct mark *)0)->key), bit, NULL }

const char *const mark_edge_names[] = { "job-begin", "job-end", "step-begin", "step-end", NULL };

static const struct record_field mark_fields[] = {
    { "edge", RECORD_ENUM, offsetof(struct mark, edge), 0, 0, mark_edge_names },
    TEXT(boot_id, 0),
    FIELD(boottime_ns, RECORD_U64, boottime_ns, 0),
    FIELD(wall_ns, RECORD_I64, wall_ns, 0),
    TEXT(node, 0),
    TEXT(cluster, MARK_HAS_CLUSTER),
    FIELD(job_id, RECORD_U32, job_id, 0),
    FIELD(step_id, RECORD_U32, step_id, MARK_HAS_STEP),
    TEXT(sluid, MARK_HAS_SLUID),
    FIELD(uid, RECORD_U32, uid, MARK_HAS_UID),
    FIELD(gid, RECORD_U32, gid, MARK_HAS_UID),
    TEXT(user, MARK_HAS_USER),
    TEXT(account, MARK_HAS_ACCOUNT),
    TEXT(partition, MARK_HAS_PARTITION),
    TEXT(qos, MARK_HAS_QOS),
    TEXT(job_name, MARK_HAS_JOB_NAME),
    FIELD(restart_count, RECORD_U32, restart_count, MARK_HAS_RESTARTS),
    FIELD(array_job_id, RECORD_U32, array_job_id, MARK_HAS_ARRAY),
    FIELD(array_task_id, RECORD_U32, array_task_id, MARK_HAS_ARRAY),
    FIELD(het_job_id, RECORD_U32, het_job_id, MARK_HAS_HET),
    FIELD(het_offset, RECORD_U32, het_offset, MARK_HAS_HET),
    FIELD(node_count, RECORD_U32, node_count, MARK_HAS_NODES),
    FIELD(cpu_count, RECORD_U32, cpu_count, MARK_HAS_CPUS),
    FIELD(job_cores, RECORD_IDSET, job_cores, MARK_HAS_JOB_CORES),
    FIELD(step_cores, RECORD_IDSET, step_cores, MARK_HAS_STEP_CORES),
    FIELD(job_gpus, RECORD_IDSET, job_gpus, MARK_HAS_JOB_GPUS),
    FIELD(step_gpus, RECORD_IDSET, step_gpus, MARK_HAS_STEP_GPUS),
    FIELD(memory_mb, RECORD_U64, memory_mb, MARK_HAS_MEMORY),
    TEXT(cgroup, MARK_HAS_CGROUP),
    FIELD(stepd_pid, RECORD_U32, stepd_pid, MARK_HAS_STEPD),
    FIELD(stepd_start_ticks, RECORD_U64, stepd_start_ticks, MARK_HAS_STEPD),
    FIELD(cpu_ns, RECORD_U64, cpu_ns, MARK_HAS_CPU),
    FIELD(exit_status, RECORD_I64, exit_status, MARK_HAS_EXIT),
    { NULL, 0, 0, 0, 0, NULL },
};

static const struct record_field reading_fields[] = {
    { "source", RECORD_TEXT, offsetof(struct mark_reading, source), SOURCE_NAME_SIZE, 0, NULL },
    { "raw_uj", RECORD_U64, offsetof(struct mark_reading, raw_uj), 0, 0, NULL },
    { NULL, 0, 0, 0, 0, NULL },
};

const struct record_desc mark_desc = { "mark", sizeof(struct mark), offsetof(struct mark, has),
                                       mark_fields };
const struct record_desc mark_reading_desc = { "reading", sizeof(struct mark_reading), 0,
                                               reading_fields };

void mark_file_name(const struct mark *mark, char ret_name[MARK_NAME_SIZE])
{
    snprintf(ret_name, MARK_NAME_SIZE, "%020" PRIu64 "-%010" PRIu32 "-%08" PRIx32 "-%s.mark",
             mark->boottime_ns, mark->job_id,
             mark->has & MARK_HAS_STEP ? mark->step_id : UINT32_MAX, mark_edge_names[mark->edge]);
}

void mark_write(struct buf *buf, const struct mark *mark, const struct mark_reading *readings,
                size_t count)
{
    buf_printf(buf, "carbon-mark %d\n", MARK_FORMAT);
    record_write(buf, &mark_desc, mark);
    for (size_t i = 0; i < count; i++)
        record_write(buf, &mark_reading_desc, &readings[i]);
    buf_printf(buf, "end\n");
}

/* Cut the next line off *text; NULL when no whole line is left. */
static char *next_line(char **text)
{
    char *line = *text, *newline = strchr(line, '\n');

    if (!newline)
        return NULL;
    *newline = '\0';
    *text = newline + 1;
    return line;
}

static int read_readings(char **text, struct mark_reading *readings, size_t *ret_count,
                         struct error *err)
{
    size_t count = 0;
    char *line;

    while ((line = next_line(text)) && strcmp(line, "end") != 0) {
        int rc;

        if (!record_is(line, &mark_reading_desc))
            continue; /* a record type of a later minor version */
        if (count == MARK_READINGS_MAX)
            return error_set(err, -EBADMSG, "more than %d readings", MARK_READINGS_MAX);
        rc = record_read(line, &mark_reading_desc, &readings[count++], err);
        if (rc < 0)
            return rc;
    }
    if (!line)
        return error_set(err, -EBADMSG, "torn: the last line is not \"end\"");
    if (**text)
        return error_set(err, -EBADMSG, "text after \"end\"");
    *ret_count = count;
    return 0;
}

int mark_read(char *text, struct mark *ret_mark,
              struct mark_reading ret_readings[MARK_READINGS_MAX], size_t *ret_count,
              struct error *err)
{
    char *line = next_line(&text);
    int rc;

    if (!line || strcmp(line, "carbon-mark 1") != 0)
        return error_set(err, -EBADMSG, "not a mark of format %d", MARK_FORMAT);
    line = next_line(&text);
    if (!line)
        return error_set(err, -EBADMSG, "torn: no mark record");
    rc = record_read(line, &mark_desc, ret_mark, err);
    if (rc < 0)
        return rc;
    if (ret_mark->edge >= MARK_STEP_BEGIN && !(ret_mark->has & MARK_HAS_STEP))
        return error_set(err, -EBADMSG, "mark record: a step edge without step_id");
    return read_readings(&text, ret_readings, ret_count, err);
}

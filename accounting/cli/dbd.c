#include "config.h"

#include "cli/dbd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/run.h"
#include "core/clock.h"
#include "core/parse.h"
#include "core/timespec.h"

#define DEADLINE_S 600
#define PRINTED_MAX (UINT64_C(16) << 30) /* bytes: some fifty million runs */
#define FIELDS_MAX 128
/* JobName is last: it may hold what separates fields. */
#define ASKED "JobIDRaw,JobID,Cluster,Submit,Start,End,State,User,UID,Account,QOS,Partition," \
              "NNodes,AllocTRES,NodeList,ConsumedEnergyRaw,JobName"
#define SEPARATOR "\x1f"

/* --- asking ---------------------------------------------------------------------------------- */

/* As sacct takes it, in UTC. */
static void write_time(int64_t at_s, char ret_text[TIMESPEC_SIZE])
{
    time_t at = (time_t)at_s;
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(ret_text, TIMESPEC_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
}

static int ask(int64_t from_s, int64_t to_s, FILE **ret_file, struct error *err)
{
    char from[TIMESPEC_SIZE], to[TIMESPEC_SIZE];
    const char *const argv[] = { "sacct", "--parsable2", "--duplicates", "--allocations",
                                 "--allusers", "--allclusters", "--delimiter=" SEPARATOR,
                                 "--starttime", from, "--endtime", to, "--format", ASKED, NULL };
    struct error why = { "" };
    int rc;

    write_time(from_s, from);
    write_time(to_s, to);
    rc = run_command(argv, DEADLINE_S, PRINTED_MAX, false, ret_file, &why);
    if (rc == -ENOENT)
        error_set(err, rc, "sacct is not in PATH: reconcile where Slurm's commands are installed, "
                  "or give what `sacct -P` printed by --sacct-file");
    else if (rc == -ETIMEDOUT)
        error_set(err, rc, "sacct took longer than ten minutes; ask for less by --starttime");
    else if (rc < 0)
        error_set(err, rc, "%s: is slurmdbd up, and may this user see all jobs?", why.text);
    return rc;
}

int dbd_open(const char *path, int64_t from_s, int64_t to_s, FILE **ret_file, struct error *err)
{
    if (!path)
        return ask(from_s, to_s, ret_file, err);
    *ret_file = fopen(path, "re");
    return *ret_file ? 0 : error_set_errno(err, -errno, "cannot open %s", path);
}

/* --- reading --------------------------------------------------------------------------------- */

enum field {
    JOB_ID_RAW, JOB_ID, CLUSTER, SUBMIT, START, END, STATE, USER, UID_NUMBER, ACCOUNT, QOS,
    PARTITION, NNODES, ALLOC_TRES, NODE_LIST, CONSUMED_ENERGY, JOB_NAME, FIELD_COUNT
};

static const struct {
    const char *name;
    bool needed;
} fields[] = {
    [JOB_ID_RAW] = { "JobIDRaw", true }, [JOB_ID] = { "JobID", false },
    [CLUSTER] = { "Cluster", true }, [SUBMIT] = { "Submit", false }, [START] = { "Start", true },
    [END] = { "End", true }, [STATE] = { "State", true }, [USER] = { "User", false },
    [UID_NUMBER] = { "UID", false }, [ACCOUNT] = { "Account", false }, [QOS] = { "QOS", false },
    [PARTITION] = { "Partition", false }, [NNODES] = { "NNodes", false },
    [ALLOC_TRES] = { "AllocTRES", false }, [NODE_LIST] = { "NodeList", false },
    [CONSUMED_ENERGY] = { "ConsumedEnergyRaw", false }, [JOB_NAME] = { "JobName", false },
};

struct reader {
    const char *name;
    unsigned line;
    char separator;
    size_t count;             /* of columns */
    size_t column[FIELD_COUNT]; /* index + 1; 0: not there */
    int64_t now_s;
    struct error *err;
};

/* Cut a line at the separators: how many parts. The last one holds the rest of the line. */
static size_t cut(char *line, char separator, size_t most, char *parts[])
{
    size_t n = 0;

    for (char *at = line; at && n < most; n++) {
        char *end = n + 1 < most ? strchr(at, separator) : NULL;

        if (end)
            *end++ = '\0';
        parts[n] = at;
        at = end;
    }
    return n;
}

static int read_head(struct reader *reader, char *line)
{
    char *parts[FIELDS_MAX];
    size_t word = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    reader->separator = line[word];
    reader->count = reader->separator ? cut(line, reader->separator, FIELDS_MAX, parts) : 0;
    for (size_t i = 0; i < reader->count; i++)
        for (unsigned f = 0; f < FIELD_COUNT; f++)
            if (strcasecmp(parts[i], fields[f].name) == 0)
                reader->column[f] = i + 1;
    for (unsigned f = 0; f < FIELD_COUNT; f++)
        if (fields[f].needed && !reader->column[f])
            return error_set(reader->err, -EINVAL, "%s:1: no field %s in the head line; print it "
                             "with `sacct --parsable2 --duplicates --allocations --format " ASKED
                             "`", reader->name, fields[f].name);
    return 0;
}

static const char *text_of(const struct reader *reader, char *const parts[], enum field field)
{
    return reader->column[field] ? parts[reader->column[field] - 1] : "";
}

/* -1 where there is none. */
static int number_of(const struct reader *reader, char *const parts[], enum field field,
                     int64_t *ret)
{
    const char *text = text_of(reader, parts, field);
    uint64_t value;

    *ret = -1;
    if (!text[0])
        return 0;
    if (parse_u64(text, 0, INT64_MAX, &value) < 0)
        return error_set(reader->err, -EINVAL, "%s:%u: %s '%.40s' is not a number", reader->name,
                         reader->line, fields[field].name, text);
    *ret = (int64_t)value;
    return 0;
}

static int time_of(const struct reader *reader, char *const parts[], enum field field, int64_t *ret)
{
    const char *text = text_of(reader, parts, field);
    uint64_t value;

    *ret = -1;
    if (!text[0] || strcasecmp(text, "Unknown") == 0 || strcasecmp(text, "None") == 0)
        return 0;
    if (parse_u64(text, 0, INT64_MAX, &value) == 0) {
        *ret = value ? (int64_t)value : -1;
        return 0;
    }
    if (timespec_parse(text, reader->now_s, ret, NULL) < 0 || *ret < 0)
        return error_set(reader->err, -EINVAL, "%s:%u: %s '%.40s' is not a time; print it with "
                         "SLURM_TIME_FORMAT=%%s", reader->name, reader->line, fields[field].name,
                         text);
    return 0;
}

/* "123_4" of an array, "123+1" of a heterogeneous job. */
static void read_relations(const char *text, struct dbd_job *job)
{
    char leader_text[24];
    size_t len = strcspn(text, "_+");
    uint64_t leader, index;

    job->array_job_id = job->array_task_id = job->het_job_id = job->het_offset = -1;
    if (!text[len] || len >= sizeof(leader_text))
        return;
    snprintf(leader_text, sizeof(leader_text), "%.*s", (int)len, text);
    if (parse_u64(leader_text, 0, UINT32_MAX, &leader) < 0 ||
        parse_u64(text + len + 1, 0, UINT32_MAX, &index) < 0)
        return;
    if (text[len] == '_') {
        job->array_job_id = (int64_t)leader;
        job->array_task_id = (int64_t)index;
    } else {
        job->het_job_id = (int64_t)leader;
        job->het_offset = (int64_t)index;
    }
}

/* 1: a run of a job; 0: a step, passed over. */
static int read_job(const struct reader *reader, char *const parts[], struct dbd_job *ret)
{
    const char *id = text_of(reader, parts, JOB_ID_RAW);
    int rc;

    if (strchr(id, '.'))
        return 0;
    *ret = (struct dbd_job){
        .cluster = text_of(reader, parts, CLUSTER), .user = text_of(reader, parts, USER),
        .account = text_of(reader, parts, ACCOUNT), .partition = text_of(reader, parts, PARTITION),
        .qos = text_of(reader, parts, QOS), .name = text_of(reader, parts, JOB_NAME),
        .alloc_tres = text_of(reader, parts, ALLOC_TRES), .state = text_of(reader, parts, STATE),
        .node_list = text_of(reader, parts, NODE_LIST),
    };
    /* 2^64 - 2 is what Slurm writes for "not known" */
    if (parse_i64(text_of(reader, parts, CONSUMED_ENERGY), 0, INT64_MAX, &ret->consumed_j) < 0)
        ret->consumed_j = -1;
    read_relations(text_of(reader, parts, JOB_ID), ret);
    rc = number_of(reader, parts, JOB_ID_RAW, &ret->job_id);
    if (rc == 0)
        rc = number_of(reader, parts, NNODES, &ret->nodes);
    if (rc == 0)
        rc = number_of(reader, parts, UID_NUMBER, &ret->uid);
    if (rc == 0)
        rc = time_of(reader, parts, SUBMIT, &ret->submit_s);
    if (rc == 0)
        rc = time_of(reader, parts, START, &ret->start_s);
    if (rc == 0)
        rc = time_of(reader, parts, END, &ret->end_s);
    if (rc == 0 && (ret->job_id < 0 || !ret->cluster[0] || !ret->state[0]))
        rc = error_set(reader->err, -EINVAL, "%s:%u: %s is empty", reader->name, reader->line,
                       ret->job_id < 0 ? "JobIDRaw" : ret->cluster[0] ? "State" : "Cluster");
    return rc < 0 ? rc : 1;
}

static int take_line(struct reader *reader, char *line,
                     int (*take)(void *arg, const struct dbd_job *job), void *arg)
{
    char *parts[FIELDS_MAX];
    struct dbd_job job;
    size_t count;
    int rc;

    if (reader->line == 1)
        return read_head(reader, line);
    count = cut(line, reader->separator, reader->count, parts);
    if (count < reader->count)
        return error_set(reader->err, -EINVAL, "%s:%u: %zu fields, and %zu in the head line",
                         reader->name, reader->line, count, reader->count);
    rc = read_job(reader, parts, &job);
    if (rc <= 0)
        return rc;
    rc = take(arg, &job);
    return rc == -EINVAL ? error_prefix(reader->err, rc, "%s:%u", reader->name, reader->line) : rc;
}

int dbd_read(FILE *file, const char *name, int (*take)(void *arg, const struct dbd_job *job),
             void *arg, struct error *err)
{
    struct reader reader = { .name = name, .err = err,
                             .now_s = clock_wall_ns() / (int64_t)NS_PER_S };
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    int rc = 0;

    while (rc == 0 && (len = getline(&line, &size, file)) >= 0) {
        reader.line++;
        if (strlen(line) != (size_t)len)
            rc = error_set(err, -EINVAL, "%s:%u: a NUL byte", name, reader.line);
        line[strcspn(line, "\n")] = '\0';
        if (rc == 0)
            rc = take_line(&reader, line, take, arg);
    }
    if (rc == 0 && ferror(file))
        rc = error_set_errno(err, -EIO, "cannot read %s", name);
    if (rc == 0 && reader.line == 0)
        rc = error_set(err, -EINVAL, "%s is empty; sacct's output has at least a head line", name);
    free(line);
    return rc;
}

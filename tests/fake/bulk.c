/*
 * bulk DATABASE DIR: the yardstick of scripts/bench-scale: what the batches in DIR carry, inserted
 * as fast as the engine takes it
 *
 * DATABASE is one that `carbonctl init` made: the product's own tables, keys and indexes. Each
 * record of a batch that ingest keeps becomes one new row: head, component, job (a row of `job` and
 * one of `allocation`), step, energy, total, power. Nothing is looked up, added up or updated: what
 * would repeat a key is numbered on (a new job in each batch, the batch's instant for its hour).
 * Foreign keys are not checked. As many batches as ingest takes into one commit are read into
 * memory; then the clock runs, while SQLite is given prepared INSERTs, PostgreSQL COPY, in one
 * transaction as durable as ingest's. Prints the time and the rows. The batches stay.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#ifdef HAVE_LIBPQ
#include <libpq-fe.h>
#endif
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/batch.h"
#include "core/file.h"
#include "spool/ingest.h"

#define CELLS_MAX 24

enum table { BATCH, COMPONENT, JOB, ALLOCATION, STEP, ENERGY, TOTAL, POWER, TABLES };
static const struct {
    const char *name, *columns;
} tables[TABLES] = {
    [BATCH] = { "batch", "node_key, stream, seq, crc32, boot_id, version, begin_boottime_ns,"
                " end_boottime_ns, begin_wall_ns, end_wall_ns, marks_bad, batches_dropped,"
                " loaded_s" },
    [COMPONENT] = { "batch_component", "node_key, stream, seq, component, begin_uj, end_uj" },
    [JOB] = { "job", "job_key, cluster, job_id, restart_count, uid, gid, user_name, account,"
              " partition_name, qos, job_name, array_job_id, array_task_id, node_count, begin_s,"
              " end_s, exit_status, flags" },
    [ALLOCATION] = { "allocation", "allocation_key, job_key, node_key, stream, ref, begin_ns,"
                     " end_ns, seen_ns, seen_seq, cores, core_list, gpus, gpu_list, memory_mb,"
                     " flags" },
    [STEP] = { "step", "job_key, step_id, allocation_key, begin_ns, end_ns, seen_seq, cpu_ns,"
               " exit_status, cores, gpus, gpu_list, flags" },
    [ENERGY] = { "energy", "node_key, hour_s, job_key, step_id, component, quality, sensor,"
                 " active_mj, idle_mj, metered_ms, elapsed_ms" },
    [TOTAL] = { "node_total", "node_key, hour_s, component, counted_mj" },
    [POWER] = { "power", "job_key, node_key, minute_s, component, energy_mj, span_ms" },
};

struct cell {
    const char *text; /* NULL: a number */
    int64_t number;
    bool is_null;
};

struct row {
    enum table table;
    int count;
    struct cell cells[CELLS_MAX];
};

static uint64_t rows_put, batches_put, insert_ns, insert_cpu_ns, read_ns;
static int64_t last_key; /* of a job and its allocation */

static void need(bool holds, const char *what, const char *text)
{
    if (holds)
        return;
    fprintf(stderr, "bulk: %s: %s\n", what, text);
    exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* --- SQLite ----------------------------------------------------------------------------------- */

static sqlite3 *lite;
static sqlite3_stmt *inserts[TABLES];

static void lite_exec(const char *sql)
{
    need(sqlite3_exec(lite, sql, NULL, NULL, NULL) == SQLITE_OK, sql, sqlite3_errmsg(lite));
}

static int take_key(void *arg, int count, char **texts, char **names)
{
    (void)arg, (void)count, (void)names;
    last_key = texts[0] ? strtoll(texts[0], NULL, 10) : 0;
    return 0;
}

static void lite_open(const char *path)
{
    need(sqlite3_open(path, &lite) == SQLITE_OK, path, sqlite3_errmsg(lite));
    /* as accounting/store/sqlite.c has it */
    lite_exec("PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;"
              "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536");
    need(sqlite3_exec(lite, "SELECT MAX(job_key) FROM job", take_key, NULL, NULL) == SQLITE_OK,
         "job", sqlite3_errmsg(lite));
    for (int t = 0; t < TABLES; t++) {
        char sql[1024];
        int len = snprintf(sql, sizeof(sql), "INSERT INTO %s (%s) VALUES (?", tables[t].name,
                           tables[t].columns);

        for (const char *comma = tables[t].columns; (comma = strchr(comma, ',')); comma++)
            len += snprintf(sql + len, sizeof(sql) - (size_t)len, ", ?");
        snprintf(sql + len, sizeof(sql) - (size_t)len, ")");
        need(sqlite3_prepare_v2(lite, sql, -1, &inserts[t], NULL) == SQLITE_OK, sql,
             sqlite3_errmsg(lite));
    }
}

static void lite_put(const struct row *row)
{
    sqlite3_stmt *insert = inserts[row->table];

    for (int i = 0; i < row->count; i++) {
        if (row->cells[i].is_null)
            sqlite3_bind_null(insert, i + 1);
        else if (row->cells[i].text)
            sqlite3_bind_text(insert, i + 1, row->cells[i].text, -1, SQLITE_STATIC);
        else
            sqlite3_bind_int64(insert, i + 1, row->cells[i].number);
    }
    need(sqlite3_step(insert) == SQLITE_DONE, tables[row->table].name, sqlite3_errmsg(lite));
    sqlite3_reset(insert);
}

/* --- PostgreSQL ------------------------------------------------------------------------------- */

#ifdef HAVE_LIBPQ
static PGconn *pg;
static struct buf copies[TABLES];

static PGresult *pg_exec(const char *sql, ExecStatusType wanted)
{
    PGresult *result = PQexec(pg, sql);

    need(PQresultStatus(result) == wanted, sql, PQerrorMessage(pg));
    return result;
}

static void pg_open(const char *database)
{
    PGresult *result;

    pg = PQconnectdb(database);
    need(PQstatus(pg) == CONNECTION_OK, database, PQerrorMessage(pg));
    PQclear(pg_exec("SET synchronous_commit = on", PGRES_COMMAND_OK));
    result = pg_exec("SELECT COALESCE(MAX(job_key), 0) FROM job", PGRES_TUPLES_OK);
    last_key = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
}

/* Texts here have nothing in them that COPY would read in another way. */
static void pg_put(const struct row *row)
{
    struct buf *copy = &copies[row->table];

    for (int i = 0; i < row->count; i++) {
        if (i)
            buf_add(copy, "\t", 1);
        if (row->cells[i].is_null)
            buf_add(copy, "\\N", 2);
        else if (row->cells[i].text)
            buf_add(copy, row->cells[i].text, strlen(row->cells[i].text));
        else
            buf_printf(copy, "%" PRId64, row->cells[i].number);
    }
    buf_add(copy, "\n", 1);
}

static void pg_commit(void)
{
    for (int t = 0; t < TABLES; t++) {
        char sql[1024];
        PGresult *result;

        if (copies[t].len == 0)
            continue;
        snprintf(sql, sizeof(sql), "COPY %s (%s) FROM STDIN", tables[t].name, tables[t].columns);
        PQclear(pg_exec(sql, PGRES_COPY_IN));
        need(PQputCopyData(pg, copies[t].data, (int)copies[t].len) == 1 &&
             PQputCopyEnd(pg, NULL) == 1, tables[t].name, PQerrorMessage(pg));
        while ((result = PQgetResult(pg))) {
            need(PQresultStatus(result) == PGRES_COMMAND_OK, tables[t].name, PQerrorMessage(pg));
            PQclear(result);
        }
        buf_free(&copies[t]);
        buf_init(&copies[t]);
    }
    PQclear(pg_exec("COMMIT", PGRES_COMMAND_OK));
}
#endif

/* --- either ----------------------------------------------------------------------------------- */

static void begin(void)
{
    if (lite)
        lite_exec("BEGIN");
#ifdef HAVE_LIBPQ
    else
        PQclear(pg_exec("BEGIN", PGRES_COMMAND_OK));
#endif
}

static void commit(void)
{
    if (lite)
        lite_exec("COMMIT");
#ifdef HAVE_LIBPQ
    else
        pg_commit();
#endif
}

static void put(const struct row *row)
{
    rows_put++;
    if (lite)
        lite_put(row);
#ifdef HAVE_LIBPQ
    else
        pg_put(row);
#endif
}

static void add_number(struct row *row, int64_t number)
{
    row->cells[row->count++] = (struct cell){ .number = number };
}

static void add_text(struct row *row, const char *text)
{
    row->cells[row->count++] = (struct cell){ .text = text };
}

static void add_if(struct row *row, bool known, int64_t number)
{
    row->cells[row->count++] = (struct cell){ .number = number, .is_null = !known };
}

/* --- rows ------------------------------------------------------------------------------------- */

struct source {
    const struct batch *batch;
    char stream[17];
    int64_t node_key, at_s;
    int64_t first_key; /* of the first of its jobs */
};

static int64_t key_of(const struct source *source, uint64_t ref)
{
    return source->first_key + (batch_find_job(source->batch, ref) - source->batch->jobs);
}

static void put_head(const struct source *source)
{
    const struct batch_head *head = &source->batch->head;
    struct row row = { .table = BATCH };

    add_number(&row, source->node_key);
    add_text(&row, source->stream);
    add_number(&row, (int64_t)head->seq);
    add_text(&row, "01234567");
    add_text(&row, head->boot_id);
    add_text(&row, head->version);
    add_number(&row, (int64_t)head->begin_boottime_ns);
    add_number(&row, (int64_t)head->end_boottime_ns);
    add_number(&row, head->begin_wall_ns);
    add_number(&row, head->end_wall_ns);
    add_number(&row, (int64_t)head->marks_bad);
    add_number(&row, (int64_t)head->batches_dropped);
    add_number(&row, source->at_s);
    put(&row);
    for (size_t i = 0; i < source->batch->n_components; i++) {
        const struct batch_component *component = &source->batch->components[i];

        row = (struct row){ .table = COMPONENT };
        add_number(&row, source->node_key);
        add_text(&row, source->stream);
        add_number(&row, (int64_t)head->seq);
        add_text(&row, component_names[component->component]);
        add_number(&row, (int64_t)component->begin_uj);
        add_number(&row, (int64_t)component->end_uj);
        put(&row);
    }
}

static void put_job(const struct source *source, const struct batch_job *job, int64_t key)
{
    bool ended = job->has & JOB_HAS_END, array = job->has & JOB_HAS_ARRAY;
    char cores[IDSET_TEXT_SIZE], gpus[IDSET_TEXT_SIZE];
    struct row row = { .table = JOB };

    add_number(&row, key);
    add_text(&row, source->batch->head.cluster);
    add_number(&row, job->job_id);
    add_number(&row, job->restart_count);
    add_number(&row, job->uid);
    add_number(&row, job->gid);
    add_text(&row, job->user);
    add_text(&row, job->account);
    add_text(&row, job->partition);
    add_text(&row, job->qos);
    add_text(&row, job->name);
    add_if(&row, array, job->array_job_id);
    add_if(&row, array, job->array_task_id);
    add_number(&row, job->node_count);
    add_number(&row, job->begin_wall_ns / (int64_t)NS_PER_S);
    add_if(&row, ended, job->end_wall_ns / (int64_t)NS_PER_S);
    add_if(&row, ended, job->exit_status);
    add_number(&row, job->flags);
    put(&row);
    row = (struct row){ .table = ALLOCATION };
    idset_format(&job->cores, cores, sizeof(cores));
    idset_format(&job->gpus, gpus, sizeof(gpus));
    add_number(&row, key);
    add_number(&row, key);
    add_number(&row, source->node_key);
    add_text(&row, source->stream);
    add_number(&row, key); /* for its ref */
    add_number(&row, job->begin_wall_ns);
    add_if(&row, ended, job->end_wall_ns);
    add_number(&row, source->batch->head.end_wall_ns);
    add_number(&row, (int64_t)source->batch->head.seq);
    add_number(&row, idset_count(&job->cores));
    add_text(&row, cores);
    add_number(&row, idset_count(&job->gpus));
    add_text(&row, gpus);
    add_number(&row, (int64_t)job->memory_mb);
    add_number(&row, job->flags);
    put(&row);
}

static void put_step(const struct source *source, const struct batch_step *step)
{
    int64_t key = key_of(source, step->ref);
    char gpus[IDSET_TEXT_SIZE];
    struct row row = { .table = STEP };

    idset_format(&step->gpus, gpus, sizeof(gpus));
    add_number(&row, key);
    add_number(&row, step->step_id);
    add_number(&row, key);
    add_number(&row, step->begin_wall_ns);
    add_if(&row, step->has & STEP_HAS_END, step->end_wall_ns);
    add_number(&row, (int64_t)source->batch->head.seq);
    add_number(&row, (int64_t)step->cpu_ns);
    add_if(&row, step->has & STEP_HAS_EXIT, step->exit_status);
    add_number(&row, idset_count(&step->cores));
    add_number(&row, idset_count(&step->gpus));
    add_text(&row, gpus);
    add_number(&row, step->flags);
    put(&row);
}

/* at_s is no full hour, and so the rows of two hours in one batch are told apart by it too. */
static int64_t hour_of(const struct source *source, int64_t hour_s)
{
    return source->at_s + hour_s % 7200 / 3600;
}

static void put_energy(const struct source *source, const struct batch_energy *energy)
{
    struct row row = { .table = ENERGY };

    add_number(&row, source->node_key);
    add_number(&row, hour_of(source, energy->hour_s));
    add_number(&row, energy->has & ENERGY_HAS_REF ? key_of(source, energy->ref) : 0);
    add_number(&row, energy->owner == OWNER_STEP ? (int64_t)energy->step_id
                                                 : -1 - (int64_t)(energy->owner == OWNER_SYSTEM));
    add_text(&row, component_names[energy->component]);
    add_text(&row, quality_names[energy->quality]);
    add_text(&row, energy->sensor);
    add_number(&row, (int64_t)(energy->active_uj / 1000));
    add_number(&row, (int64_t)(energy->idle_uj / 1000));
    add_number(&row, (int64_t)(energy->metered_ns / 1000000));
    add_number(&row, (int64_t)(energy->elapsed_ns / 1000000));
    put(&row);
}

static void put_amounts(const struct source *source)
{
    const struct batch *batch = source->batch;

    for (size_t i = 0; i < batch->n_energies; i++)
        put_energy(source, &batch->energies[i]);
    for (size_t i = 0; i < batch->n_totals; i++) {
        struct row row = { .table = TOTAL };

        add_number(&row, source->node_key);
        add_number(&row, hour_of(source, batch->totals[i].hour_s));
        add_text(&row, component_names[batch->totals[i].component]);
        add_number(&row, (int64_t)(batch->totals[i].counted_uj / 1000));
        put(&row);
    }
    for (size_t i = 0; i < batch->n_powers; i++) {
        const struct batch_power *power = &batch->powers[i];
        struct row row = { .table = POWER };

        add_number(&row, key_of(source, power->ref));
        add_number(&row, source->node_key);
        add_number(&row, power->minute_s);
        add_text(&row, power->has & POWER_HAS_COMPONENT ? component_names[power->component]
                                                        : "all");
        add_number(&row, (int64_t)(power->energy_uj / 1000));
        add_number(&row, (int64_t)(power->span_ns / 1000000));
        put(&row);
    }
}

static void put_batch(const struct batch *batch)
{
    struct source source = { .batch = batch, .at_s = batch->head.end_wall_ns / (int64_t)NS_PER_S,
                             .node_key = (int64_t)batch->head.stream,
                             .first_key = last_key + 1 };

    snprintf(source.stream, sizeof(source.stream), "%016" PRIx64, batch->head.stream);
    put_head(&source);
    for (size_t i = 0; i < batch->n_jobs; i++)
        put_job(&source, &batch->jobs[i], ++last_key);
    for (size_t i = 0; i < batch->n_steps; i++)
        put_step(&source, &batch->steps[i]);
    put_amounts(&source);
    batches_put++;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void take_group(int dir_fd, struct dirent **entries, int count)
{
    static struct batch batches[INGEST_GROUP_BATCHES];
    uint64_t begin_ns = now_ns(CLOCK_MONOTONIC), middle_ns, middle_cpu_ns;

    for (int i = 0; i < count; i++) {
        struct error err = { "" };
        char *text;
        size_t len;

        need(file_read(dir_fd, entries[i]->d_name, BATCH_SIZE_MAX, &text, &len, &err) == 0 &&
             batch_read(text, len, &batches[i], &err) == 0, entries[i]->d_name, err.text);
        free(text);
    }
    middle_ns = now_ns(CLOCK_MONOTONIC);
    middle_cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    read_ns += middle_ns - begin_ns;
    begin();
    for (int i = 0; i < count; i++)
        put_batch(&batches[i]);
    commit();
    insert_ns += now_ns(CLOCK_MONOTONIC) - middle_ns;
    insert_cpu_ns += now_ns(CLOCK_PROCESS_CPUTIME_ID) - middle_cpu_ns;
    for (int i = 0; i < count; i++)
        batch_clear(&batches[i]);
}

static int is_batch(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strstr(entry->d_name, ".batch") != NULL;
}

int main(int argc, char **argv)
{
    static struct dirent **entries;
    int dir_fd, count;

    need(argc == 3, "usage", "bulk DATABASE DIR");
    if (strncmp(argv[1], "sqlite:", 7) == 0)
        lite_open(argv[1] + 7);
    else
#ifdef HAVE_LIBPQ
        pg_open(argv[1]);
#else
        need(false, argv[1], "built without libpq");
#endif
    dir_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    count = scandir(argv[2], &entries, is_batch, alphasort);
    need(dir_fd >= 0 && count > 0, argv[2], "no batches");
    for (int first = 0; first < count; first += INGEST_GROUP_BATCHES)
        take_group(dir_fd, entries + first,
                   count - first < INGEST_GROUP_BATCHES ? count - first : INGEST_GROUP_BATCHES);
    printf("batches=%" PRIu64 "\nrows=%" PRIu64 "\nread_ns=%" PRIu64 "\ninsert_ns=%" PRIu64
           "\ninsert_cpu_ns=%" PRIu64 "\n", batches_put, rows_put, read_ns, insert_ns,
           insert_cpu_ns);
    return 0;
}

#include "report/job_carbon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

struct job_carbon_reader {
    struct store *store;
    const struct basis *basis;
    struct cluster_months {
        char *cluster;
        struct basis_months *months;
    } *clusters;
    size_t n_clusters;
};

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "no memory for embodied emissions");
}

void job_carbon_clear(struct job_carbon *carbon)
{
    free(carbon->refusal);
    free(carbon->lines);
    *carbon = (struct job_carbon){ .refusal = NULL };
}

struct job_carbon_reader *job_carbon_reader_new(struct store *store, const struct basis *basis)
{
    struct job_carbon_reader *reader = calloc(1, sizeof(*reader));

    if (reader)
        *reader = (struct job_carbon_reader){ .store = store, .basis = basis };
    return reader;
}

struct job_carbon_reader *job_carbon_reader_free(struct job_carbon_reader *reader)
{
    for (size_t i = 0; reader && i < reader->n_clusters; i++) {
        free(reader->clusters[i].cluster);
        basis_months_free(reader->clusters[i].months);
    }
    if (reader)
        free(reader->clusters);
    free(reader);
    return NULL;
}

/* NULL without memory */
static struct basis_months *months_of(struct job_carbon_reader *reader, const char *cluster)
{
    struct cluster_months *grown;
    struct cluster_months one;

    for (size_t i = 0; i < reader->n_clusters; i++) {
        if (strcmp(reader->clusters[i].cluster, cluster) == 0)
            return reader->clusters[i].months;
    }
    grown = realloc(reader->clusters, (reader->n_clusters + 1) * sizeof(*grown));
    if (!grown)
        return NULL;
    reader->clusters = grown;
    one = (struct cluster_months){ strdup(cluster),
                                   basis_months_new(reader->store, reader->basis, cluster) };
    if (!one.cluster || !one.months) {
        free(one.cluster);
        basis_months_free(one.months);
        return NULL;
    }
    grown[reader->n_clusters++] = one;
    return one.months;
}

static int take_line(void *arg, const struct embodied_line *line)
{
    struct job_carbon *carbon = arg;
    struct embodied_line *grown = realloc(carbon->lines, (carbon->n_lines + 1) * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    carbon->lines = grown;
    grown[carbon->n_lines++] = *line;
    return 0;
}

static struct period_use *uses_of(const struct query_job *job)
{
    struct period_use *uses = calloc(job->n_nodes + 1, sizeof(*uses));

    for (size_t i = 0; uses && i < job->n_nodes; i++) {
        const struct query_node *node = &job->nodes[i];

        uses[i] = (struct period_use){
            .job_key = job->job_key,
            .node_key = node->node_key,
            .begin_ns = node->begin_ns,
            .end_ns = node->end_ns.has ? node->end_ns.value : node->seen_ns,
            .cores = node->cores,
            .gpus = node->gpus,
        };
    }
    return uses;
}

int job_carbon_read(struct job_carbon_reader *reader, const struct query_job *job, int64_t from_s,
                    int64_t to_s, bool lines, struct job_carbon *ret, struct error *err)
{
    struct basis_months *months = months_of(reader, job->cluster ? job->cluster : "");
    struct period_use *uses = uses_of(job);
    struct error refusal = { "" };
    int rc = months && uses ? 0 : -ENOMEM;

    *ret = (struct job_carbon){ .refusal = NULL };
    for (size_t i = 0; rc == 0 && i < job->n_nodes; i++)
        rc = basis_months_meet(months, job->nodes[i].node_key, job->nodes[i].name, &refusal);
    if (rc == 0)
        rc = basis_job_embodied(months, uses, job->n_nodes, from_s, to_s, lines ? take_line : NULL,
                                ret, &ret->embodied, &refusal);
    free(uses);
    if (rc == -ERANGE || rc == -EINVAL) {
        job_carbon_clear(ret);
        ret->refusal = strdup(refusal.text);
        rc = ret->refusal ? 0 : -ENOMEM;
    }
    if (rc == -ENOMEM)
        return no_memory(err);
    return rc < 0 ? error_set(err, rc, "%s", refusal.text) : 0;
}

void job_carbon_span(const struct query_result *result, int64_t *ret_from_s, int64_t *ret_to_s)
{
    *ret_from_s = INT64_MAX;
    *ret_to_s = 0;
    for (size_t i = 0; i < result->n_jobs; i++) {
        const struct usage *usage = &result->jobs[i].usage;

        if (usage->n_hours == 0)
            continue;
        if (usage->hours[0].hour_s < *ret_from_s)
            *ret_from_s = usage->hours[0].hour_s;
        if (usage->hours[usage->n_hours - 1].hour_s + S_PER_HOUR > *ret_to_s)
            *ret_to_s = usage->hours[usage->n_hours - 1].hour_s + S_PER_HOUR;
    }
    if (*ret_from_s >= *ret_to_s) {
        *ret_from_s = *ret_to_s;
        return;
    }
    *ret_from_s = clock_month_begin_s(*ret_from_s);
    *ret_to_s = clock_month_next_s(*ret_to_s - 1);
}

#include "config.h"

#include "meter_world.h"

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

static const char *const zones[WORLD_COUNTERS] = { "intel-rapl:0", "intel-rapl:0:0",
                                                   "intel-rapl:1", "intel-rapl:1:0" };
static const char *const zone_names[WORLD_COUNTERS] = { "package-0", "dram", "package-1", "dram" };

static uint16_t core_package[] = { 0, 0, 1, 1 };
static int32_t package_os[] = { 0, 1 };
static int16_t cpu_package[] = { 0, 0, 1, 1 };
static uint32_t package_cpus[] = { 2, 2 };

static void write_counters(struct world *w)
{
    for (size_t i = 0; i < WORLD_COUNTERS; i++) {
        char file[128];

        snprintf(file, sizeof(file), "sys/class/powercap/%s/energy_uj", zones[i]);
        tree_write(&w->tree, file, "%" PRIu64 "\n", w->raw_uj);
    }
}

void world_make(struct world *w)
{
    *w = (struct world){
        .boot_id = WORLD_BOOT,
        .topology = { .n_packages = 2, .n_cores = 4, .n_cpus = 4, .core_package = core_package,
                      .package_os = package_os, .package_cpus = package_cpus,
                      .cpu_package = cpu_package, .cpu_limit = 4, .memory_mb = 4000 },
        .now = 1000 * SECOND,
        .wall_ns = INT64_C(1790000000) * (int64_t)SECOND,
        .raw_uj = 5000000,
    };
    tree_make(&w->tree);
    for (size_t i = 0; i < WORLD_COUNTERS; i++) {
        char file[128];

        snprintf(file, sizeof(file), "sys/class/powercap/%s/name", zones[i]);
        tree_write(&w->tree, file, "%s\n", zone_names[i]);
        snprintf(file, sizeof(file), "sys/class/powercap/%s/max_energy_range_uj", zones[i]);
        tree_write(&w->tree, file, "262143328850\n");
    }
    write_counters(w);
    tree_write(&w->tree, "proc/stat", "cpu  0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n"
               "cpu2 0 0 0 0 0 0 0 0\ncpu3 0 0 0 0 0 0 0 0\n");
    tree_mkdir(&w->tree, "marks");
    tree_mkdir(&w->tree, "spool");
    snprintf(w->conf.cluster_name, sizeof(w->conf.cluster_name), "c");
    snprintf(w->conf.sensors, sizeof(w->conf.sensors), "powercap");
    snprintf(w->conf.mark_dir, sizeof(w->conf.mark_dir), "%s/marks", w->tree.path);
    snprintf(w->conf.spool_dir, sizeof(w->conf.spool_dir), "%s/spool", w->tree.path);
    snprintf(w->conf.deliver_dir, sizeof(w->conf.deliver_dir), "%s/deliver", w->tree.path);
    snprintf(w->conf.cgroup_root, sizeof(w->conf.cgroup_root), "%s/cgroup", w->tree.path);
    w->conf.spool_max_mb = 100;
    w->conf.tick_ms = 1000;
}

void world_free(struct world *w)
{
    world_kill(w);
    tree_free(&w->tree);
}

void world_pass(struct world *w, uint64_t ns)
{
    w->now += ns;
    w->wall_ns += (int64_t)ns;
    w->raw_uj += WORLD_UW * (ns / 1000) / 1000000;
    write_counters(w);
}

void world_ticks(struct world *w, unsigned times)
{
    while (times--) {
        world_pass(w, SECOND);
        meter_tick(w->meter, w->now, w->wall_ns, true);
    }
}

void world_start(struct world *w)
{
    const struct sensor_options sensors = { .root_fd = w->tree.fd, .list = w->conf.sensors,
                                            .topology = &w->topology,
                                            .gpu_utilisation_ppm = w->conf.gpu_utilisation_ppm };
    struct meter_options options = { .conf = &w->conf, .node = WORLD_NODE, .boot_id = w->boot_id,
                                     .topology = &w->topology, .lock_fd = -1 };
    struct error err = { "" };

    if (sensors_open(&sensors, &w->sensors, &err) < 0)
        fail_msg("%s", err.text);
    options.sensors = w->sensors;
    if (meter_open(&options, w->now, w->wall_ns, &w->meter, &err) < 0)
        fail_msg("%s", err.text);
}

void world_kill(struct world *w)
{
    w->meter = meter_close(w->meter);
    w->sensors = sensors_close(w->sensors);
}

void world_seal(struct world *w)
{
    struct error err = { "" };

    if (meter_seal(w->meter, w->wall_ns, &err) < 0)
        fail_msg("%s", err.text);
}

void world_stop(struct world *w)
{
    meter_last_tick(w->meter, w->now, w->wall_ns);
    world_seal(w);
    world_kill(w);
}

struct mark world_mark(const struct world *w, enum mark_edge edge, uint32_t job_id,
                       uint32_t step_id)
{
    struct mark mark = { .edge = edge, .boottime_ns = w->now, .wall_ns = w->wall_ns,
                         .job_id = job_id, .step_id = step_id };

    snprintf(mark.boot_id, sizeof(mark.boot_id), "%s", w->boot_id);
    snprintf(mark.node, sizeof(mark.node), WORLD_NODE);
    if (edge == MARK_STEP_BEGIN || edge == MARK_STEP_END)
        mark.has |= MARK_HAS_STEP;
    return mark;
}

void world_leave(struct world *w, const struct mark *mark)
{
    struct mark_reading readings[WORLD_COUNTERS] = { 0 };
    char name[MARK_NAME_SIZE];
    struct buf buf;
    int fd = open(w->conf.mark_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (size_t i = 0; i < WORLD_COUNTERS; i++) {
        snprintf(readings[i].source, sizeof(readings[i].source), "%s", zones[i]);
        readings[i].raw_uj = w->raw_uj;
    }
    mark_file_name(mark, name);
    buf_init(&buf);
    mark_write(&buf, mark, readings, WORLD_COUNTERS);
    assert_int_equal(file_write_atomic(fd, name, buf.data, buf.len, 0600, 0), 0);
    buf_free(&buf);
    close(fd);
    if (w->meter)
        meter_wake(w->meter);
}

void world_edge(struct world *w, enum mark_edge edge, uint32_t job_id, uint32_t step_id)
{
    struct mark mark = world_mark(w, edge, job_id, step_id);

    mark.has |= MARK_HAS_JOB_CORES;
    idset_add(&mark.job_cores, 0);
    idset_add(&mark.job_cores, 1);
    world_leave(w, &mark);
}

/* --- files ----------------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *suffix)
{
    size_t len = strlen(name), tail = strlen(suffix);

    return len >= tail && strcmp(name + len - tail, suffix) == 0;
}

static int pick_batches(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_in(entry->d_name, ".batch");
}

static int pick_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

unsigned world_files(const struct world *w, const char *dir, const char *suffix)
{
    struct dirent **list;
    int n = scandirat(w->tree.fd, dir, &list, pick_visible, alphasort);
    unsigned count = 0;

    for (int i = 0; i < n; i++) {
        count += ends_in(list[i]->d_name, suffix);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return count;
}

void world_copy_dir(struct world *w, const char *from, const char *to)
{
    struct dirent **list;
    int n;

    if (faccessat(w->tree.fd, to, F_OK, 0) == 0)
        tree_remove(&w->tree, to);
    tree_mkdir(&w->tree, to);
    n = scandirat(w->tree.fd, from, &list, pick_visible, alphasort);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        char source[512], target[512], *data;
        size_t len;

        snprintf(source, sizeof(source), "%s/%s", from, list[i]->d_name);
        snprintf(target, sizeof(target), "%s/%s", to, list[i]->d_name);
        assert_int_equal(file_read(w->tree.fd, source, 1 << 24, &data, &len, NULL), 0);
        tree_write(&w->tree, target, "%s", data);
        free(data);
        free(list[i]);
    }
    free(list);
}

/* --- books ----------------------------------------------------------------------------------- */

static void add_records(const struct batch *batch, struct world_books *books)
{
    for (size_t i = 0; i < batch->n_jobs; i++) {
        size_t at = 0;

        while (at < books->n_jobs && books->jobs[at].ref != batch->jobs[i].ref)
            at++;
        assert_true(at < LENGTH(books->jobs));
        books->n_jobs += at == books->n_jobs;
        books->jobs[at] = batch->jobs[i];
    }
    for (size_t i = 0; i < batch->n_steps; i++) {
        size_t at = 0;

        while (at < books->n_steps && (books->steps[at].ref != batch->steps[i].ref ||
                                       books->steps[at].step_id != batch->steps[i].step_id))
            at++;
        assert_true(at < LENGTH(books->steps));
        books->n_steps += at == books->n_steps;
        books->steps[at] = batch->steps[i];
    }
}

/* Chained to the one before: nothing between them, nothing twice. */
static void check_chain(const struct batch *batch, const uint64_t end_uj[COMPONENT_COUNT],
                        const struct world_books *books)
{
    if (!books->batches || books->last.stream != batch->head.stream) {
        assert_int_equal(batch->head.seq, 1);
        return;
    }
    assert_int_equal(batch->head.seq, books->last.seq + 1);
    assert_int_equal(batch->head.begin_boottime_ns, books->last.end_boottime_ns);
    for (size_t i = 0; i < batch->n_components; i++)
        assert_int_equal(batch->components[i].begin_uj, end_uj[batch->components[i].component]);
}

static void add_energy(const struct batch_energy *energy, struct world_books *books)
{
    uint64_t uj = energy->active_uj + energy->idle_uj;

    books->gpu_not_modelled +=
        energy->component == COMPONENT_GPU && energy->quality != QUALITY_MODELLED;
    if (energy->has & ENERGY_HAS_REF && energy->component == COMPONENT_GPU) {
        books->job_gpu_uj += uj;
        books->job_gpu_idle_uj += energy->idle_uj;
    }
    if (!(energy->has & ENERGY_HAS_REF) || energy->component != COMPONENT_CPU)
        return;
    books->job_uj += uj;
    if (energy->owner == OWNER_STEP && energy->step_id < LENGTH(books->step_uj))
        books->step_uj[energy->step_id] += uj;
}

static void add_batch(const struct batch *batch, uint64_t end_uj[COMPONENT_COUNT],
                      struct world_books *books)
{
    check_chain(batch, end_uj, books);
    books->streams += !books->batches || books->last.stream != batch->head.stream;
    books->batches++;
    books->last = batch->head;
    for (size_t i = 0; i < batch->n_components; i++) {
        const struct batch_component *c = &batch->components[i];

        end_uj[c->component] = c->end_uj;
        if (c->component == COMPONENT_CPU)
            books->cpu_uj += c->end_uj - c->begin_uj;
        if (c->component == COMPONENT_GPU)
            books->gpu_uj += c->end_uj - c->begin_uj;
        if (c->component == COMPONENT_MEMORY)
            books->memory_uj += c->end_uj - c->begin_uj;
    }
    for (size_t i = 0; i < batch->n_energies; i++)
        add_energy(&batch->energies[i], books);
    add_records(batch, books);
}

void world_books(const struct world *w, const char *dir, struct world_books *ret_books)
{
    uint64_t end_uj[COMPONENT_COUNT] = { 0 };
    struct dirent **list;
    int n = scandirat(w->tree.fd, dir, &list, pick_batches, alphasort);

    *ret_books = (struct world_books){ 0 };
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        char path[512], *text;
        struct batch batch;
        struct error err = { "" };
        size_t len;

        snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
        assert_int_equal(file_read(w->tree.fd, path, 1 << 24, &text, &len, &err), 0);
        if (batch_read(text, len, &batch, &err) < 0)
            fail_msg("%s: %s", path, err.text);
        add_batch(&batch, end_uj, ret_books);
        batch_clear(&batch);
        free(text);
        free(list[i]);
    }
    free(list);
}

const struct batch_job *books_job(const struct world_books *books, uint32_t job_id)
{
    for (size_t i = 0; i < books->n_jobs; i++)
        if (books->jobs[i].job_id == job_id)
            return &books->jobs[i];
    return NULL;
}

const struct batch_step *books_step(const struct world_books *books, uint32_t job_id,
                                    uint32_t step_id)
{
    const struct batch_job *job = books_job(books, job_id);

    for (size_t i = 0; job && i < books->n_steps; i++)
        if (books->steps[i].ref == job->ref && books->steps[i].step_id == step_id)
            return &books->steps[i];
    return NULL;
}

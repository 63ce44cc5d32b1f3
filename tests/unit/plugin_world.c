#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/file.h"
#include "fake_slurm.h"
#include "plugin_world.h"

#define TMPFS "/dev/shm"

struct plugin_world world;

bool plugin_world_is_possible(void)
{
    struct statfs fs;

    if (statfs(TMPFS, &fs) == 0 && fs.f_type == TMPFS_MAGIC && access(TMPFS, W_OK) == 0)
        return true;
    printf("skipped: " TMPFS " is no tmpfs that we may write to\n");
    return false;
}

void plugin_world_zone(const char *zone, const char *name, const char *energy_uj)
{
    char dir[128], file[192];

    snprintf(dir, sizeof(dir), "root/sys/class/powercap/%s", zone);
    snprintf(file, sizeof(file), "%s/name", dir);
    tree_write(&world.tree, file, "%s\n", name);
    snprintf(file, sizeof(file), "%s/max_energy_range_uj", dir);
    tree_write(&world.tree, file, "262143328850\n");
    snprintf(file, sizeof(file), "%s/energy_uj", dir);
    tree_write(&world.tree, file, "%s\n", energy_uj);
}

void plugin_world_make(void)
{
    static const char *const environment[] = { "SLURM_STEP_GPUS=1", "SLURM_JOB_GPUS=0-1", NULL };

    setenv("TMPDIR", TMPFS, 1);
    tree_make(&world.tree);
    tree_mkdir(&world.tree, "marks");
    tree_write(&world.tree, "carbon.conf", "MarkDir=%s/marks\nSensorRoot=%s/root\n",
               world.tree.path, world.tree.path);
    plugin_world_zone("intel-rapl:0", "package-0", "1234567");
    plugin_world_zone("intel-rapl:0:0", "dram", "89");
    plugin_world_zone("intel-rapl:0:1", "core", "77");
    snprintf(world.config, sizeof(world.config), "config=%s/carbon.conf", world.tree.path);
    world.arguments[0] = world.config;
    setenv("SLURMD_NODENAME", "n1", 1);
    fake_step = (struct fake_step){
        .job_id = 7, .step_id = 0, .uid = 1000, .gid = 100, .array_task_id = FAKE_NO_TASK,
        .job_cores = "0-3", .step_cores = "0,2", .memory_mb = 4000, .environment = environment,
    };
    fake_task_status = 0;
    fake_context = S_CTX_REMOTE;
}

void plugin_world_free(void)
{
    tree_free(&world.tree);
}

void plugin_world_job_environment(void)
{
    setenv("SLURM_JOB_ID", "7", 1);
    setenv("SLURM_JOB_UID", "1000", 1);
    setenv("SLURM_JOB_GID", "100", 1);
    setenv("SLURM_JOB_USER", "alice", 1);
    setenv("SLURM_JOB_PARTITION", "main", 1);
    setenv("SLURM_CLUSTER_NAME", "carbon", 1);
    setenv("SLURM_JOB_GPUS", "2,3", 1);
    setenv("SLURM_JOB_NUM_NODES", "2", 1);
    setenv("SLURM_JOB_RESTART_COUNT", "1", 1);
    setenv("SLURM_JOB_CPUS_PER_NODE", "4(x2)", 1);
    setenv("SLURM_JOB_EXIT_CODE", "1280", 1);
    unsetenv("SLURM_CPUS_ON_NODE");
    unsetenv("SLURM_HET_JOB_ID");
}

static int is_mark(const struct dirent *entry)
{
    return strstr(entry->d_name, ".mark") != NULL && entry->d_name[0] != '.';
}

static void read_one(const char *name, struct found_mark *ret_found)
{
    char path[NAME_MAX + 16], text[MARK_SIZE_MAX], own_name[MARK_NAME_SIZE];
    struct error err;

    snprintf(path, sizeof(path), "marks/%s", name);
    assert_int_equal(file_read_small(world.tree.fd, path, text, sizeof(text), NULL), 0);
    if (mark_read(text, &ret_found->mark, ret_found->readings, &ret_found->count, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    snprintf(ret_found->name, sizeof(ret_found->name), "%s", name);
    mark_file_name(&ret_found->mark, own_name);
    assert_string_equal(name, own_name);
}

size_t plugin_world_read(void)
{
    char dir[PATH_MAX + 8];
    struct dirent **names;
    int count;

    snprintf(dir, sizeof(dir), "%s/marks", world.tree.path);
    count = scandir(dir, &names, is_mark, alphasort);
    if (count < 0)
        return 0;
    assert_in_range(count, 0, PLUGIN_WORLD_MARKS_MAX);
    for (int i = 0; i < count; i++) {
        read_one(names[i]->d_name, &world.found[i]);
        free(names[i]);
    }
    free(names);
    return (size_t)count;
}

#include "spank/step_cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/parse.h"

#define V1 "cpuacct:"
#define V2 "unified:"
/* A dozen hierarchies, each with a path of Slurm's: about 1 KiB; longer text is not Slurm's. */
#define PROC_CGROUP_SIZE 8192
#define CPU_STAT_SIZE 4096
#define STEP_NAME_SIZE 24

static void step_name(uint32_t step_id, char ret_name[STEP_NAME_SIZE])
{
    if (step_id == STEP_BATCH)
        snprintf(ret_name, STEP_NAME_SIZE, "step_batch");
    else if (step_id == STEP_EXTERN)
        snprintf(ret_name, STEP_NAME_SIZE, "step_extern");
    else if (step_id == STEP_INTERACTIVE)
        snprintf(ret_name, STEP_NAME_SIZE, "step_interactive");
    else
        snprintf(ret_name, STEP_NAME_SIZE, "step_%" PRIu32, step_id);
}

static bool has_controller(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = list; *p; p += strspn(p, ",")) {
        size_t item_len = strcspn(p, ",");

        if (item_len == len && strncmp(p, name, len) == 0)
            return true;
        p += item_len;
    }
    return false;
}

/* The step's directory from one path: cut after "/step_…", or added below a last "/job_…". */
static int step_dir(const char *prefix, const char *path, const char *name,
                    char ret_cgroup[CGROUP_PATH_SIZE])
{
    const char *step = strstr(path, "/step_");
    const char *last = strrchr(path, '/');
    size_t len = strlen(path);
    const char *tail = "", *slash = "";
    char cgroup[CGROUP_PATH_SIZE];

    if (step) {
        len = (size_t)(step - path) + 1 + strcspn(step + 1, "/");
    } else if (last && strncmp(last, "/job_", 5) == 0) {
        slash = "/";
        tail = name;
    } else {
        return -ENOENT;
    }
    if (snprintf(cgroup, sizeof(cgroup), "%s%.*s%s%s", prefix, (int)len, path, slash, tail) >=
        (int)sizeof(cgroup))
        return -ENAMETOOLONG;
    memcpy(ret_cgroup, cgroup, sizeof(cgroup));
    return 0;
}

/* Cut the next line "ID:controllers:path" in its parts. */
static bool next_hierarchy(char **text, const char **ret_controllers, const char **ret_path)
{
    char *line, *controllers, *path;

    while ((line = strsep(text, "\n"))) {
        controllers = strchr(line, ':');
        path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        *ret_controllers = controllers + 1;
        *ret_path = path;
        return true;
    }
    return false;
}

int step_cgroup_find(char *text, uint32_t step_id, char ret_cgroup[CGROUP_PATH_SIZE])
{
    const char *controllers, *path, *v1 = NULL, *v2 = NULL;
    bool cpuacct = false;
    char name[STEP_NAME_SIZE];

    while (next_hierarchy(&text, &controllers, &path)) {
        if (!*controllers) {
            v2 = path;
        } else if (has_controller(controllers, "cpuacct")) {
            cpuacct = true;
            v1 = strstr(path, "/step_") ? path : v1;
        } else if (has_controller(controllers, "freezer")) {
            v1 = v1 ? v1 : path;
        }
    }
    step_name(step_id, name);
    if (cpuacct)
        return v1 ? step_dir(V1, v1, name, ret_cgroup) : -ENOENT;
    return v2 ? step_dir(V2, v2, name, ret_cgroup) : -ENOENT;
}

int step_cgroup_self(uint32_t step_id, char ret_cgroup[CGROUP_PATH_SIZE])
{
    char text[PROC_CGROUP_SIZE];
    int rc = file_read_small(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text), NULL);

    return rc < 0 ? rc : step_cgroup_find(text, step_id, ret_cgroup);
}

static int read_text(const char *root, const char *dir, const char *path, const char *file,
                     char *text, size_t size)
{
    char whole[PATH_MAX];

    if (snprintf(whole, sizeof(whole), "%s%s%s/%s", root, dir, path, file) >= (int)sizeof(whole))
        return -ENAMETOOLONG;
    return file_read_small(AT_FDCWD, whole, text, size, NULL);
}

static int read_usage(const char *root, const char *path, uint64_t *ret_cpu_ns)
{
    char text[32];
    int rc = read_text(root, "/cpuacct", path, "cpuacct.usage", text, sizeof(text));

    if (rc < 0)
        return rc;
    text[strcspn(text, "\n")] = '\0';
    return parse_u64(text, 0, UINT64_MAX, ret_cpu_ns);
}

static int read_cpu_stat(const char *root, const char *path, uint64_t *ret_cpu_ns)
{
    char text[CPU_STAT_SIZE];
    char *rest = text, *line;
    int rc = read_text(root, "", path, "cpu.stat", text, sizeof(text));
    uint64_t cpu_us;

    if (rc < 0)
        return rc;
    while ((line = strsep(&rest, "\n"))) {
        if (strncmp(line, "usage_usec ", 11) != 0)
            continue;
        rc = parse_u64(line + 11, 0, UINT64_MAX / 1000, &cpu_us);
        if (rc == 0)
            *ret_cpu_ns = cpu_us * 1000;
        return rc;
    }
    return -EBADMSG;
}

int step_cgroup_cpu_ns(const char *cgroup_root, const char *cgroup, uint64_t *ret_cpu_ns)
{
    if (strncmp(cgroup, V1, strlen(V1)) == 0)
        return read_usage(cgroup_root, cgroup + strlen(V1), ret_cpu_ns);
    if (strncmp(cgroup, V2, strlen(V2)) == 0)
        return read_cpu_stat(cgroup_root, cgroup + strlen(V2), ret_cpu_ns);
    return -EINVAL;
}

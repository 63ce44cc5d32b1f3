/*
 * fake_nvml.c - a libnvidia-ml.so.1 whose GPUs are folders
 *
 * Found by LD_LIBRARY_PATH. The environment variable FAKE_NVML_DIR names a folder, which is read
 * anew at each call; it may be a mounted simulation. What a file says may end with a newline.
 *
 *   init_error        the result of nvmlInit_v2(); absent or 0: it works
 *   energy_supported  0: no GPU has an energy counter (also per GPU)
 *   crash             when it exists every call aborts the process
 *   gpu0/, gpu1/, …   a GPU each; NVML's index is their order by bus_id, taken at nvmlInit_v2()
 *     uuid            GPU-00000000-…
 *     name            NVIDIA H100 80GB HBM3
 *     bus_id          00000000:C1:00.0
 *     minor           of /dev/nvidiaN
 *     energy_mj       since the driver was loaded; absent: not supported
 *     power_mw        absent: not supported
 *     power_limit_mw  absent: not supported
 *     power_max_mw    the highest limit that could be set; absent: not supported
 *     c2c             1: linked with its processor
 *     error           the result of every call of this GPU; absent or 0: none
 *     delay_ms        how long every call of this GPU takes
 *     mig             absent: MIG is off; else a line for each slice, "UUID SLICES MEMORY-MIB";
 *                     a line "-" is an index without a slice, SLICES 0 one whose size is not told
 *
 * With -DOLD_DRIVER it lacks what drivers of before 2018 lacked.
 *
 * A handle is good until nvmlShutdown(), as the real ones are; one used later is an error here,
 * where the real library might crash.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sensors/nvml_api.h"

#define GPUS_MAX 64
#define SLICES_MAX 16

struct nvml_device {
    bool listed; /* since the last nvmlInit_v2() */
    char folder[32];
    char bus_id[32];
    int slice; /* a MIG device: its index; -1: the GPU */
    struct nvml_device *gpu;
};

static int users; /* nvmlInit_v2() counts */
static unsigned n_gpus;
/* Those of one initialisation, and those of the one before, which are not listed any more. */
static struct nvml_device sets[2][GPUS_MAX], slice_sets[2][GPUS_MAX][SLICES_MAX];
static struct nvml_device *gpus = sets[0], (*slices)[SLICES_MAX] = slice_sets[0];

/* --- files ----------------------------------------------------------------------------------- */

static bool read_text(const char *folder, const char *file, char *text, size_t size)
{
    const char *dir = getenv("FAKE_NVML_DIR");
    char path[PATH_MAX];
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "%s/%s/%s", dir ? dir : "/nowhere", folder, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    len = read(fd, text, size - 1);
    close(fd);
    if (len < 0)
        return false;
    text[len] = '\0';
    return true;
}

static bool read_line(const char *folder, const char *file, char *line, size_t size)
{
    if (!read_text(folder, file, line, size))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

static int read_number(const char *folder, const char *file, unsigned long long *ret_number)
{
    char line[64], *end;

    if (!read_line(folder, file, line, sizeof(line)))
        return NVML_NOT_SUPPORTED;
    errno = 0;
    *ret_number = strtoull(line, &end, 10);
    return errno == 0 && end != line && !*end ? NVML_OK : NVML_UNKNOWN;
}

static unsigned long long number_or(const char *folder, const char *file,
                                    unsigned long long otherwise)
{
    unsigned long long number;

    return read_number(folder, file, &number) == NVML_OK ? number : otherwise;
}

static int get_unsigned(const char *folder, const char *file, unsigned *ret_value)
{
    unsigned long long number;
    int result = read_number(folder, file, &number);

    if (result == NVML_OK && number > UINT_MAX)
        return NVML_UNKNOWN;
    if (result == NVML_OK)
        *ret_value = (unsigned)number;
    return result;
}

/* With FAKE_NVML_FAULTS=0 nothing is asked about faults: for benchmarks, which would time that. */
static bool has_faults(void)
{
    const char *faults = getenv("FAKE_NVML_FAULTS");

    return !faults || strcmp(faults, "0") != 0;
}

/* --- every call ------------------------------------------------------------------------------ */

static void maybe_crash(void)
{
    char text[8];

    if (has_faults() && read_text(".", "crash", text, sizeof(text)))
        abort();
}

/* A call of a device: what it gives before it does anything. */
static int begin(const struct nvml_device *device)
{
    const char *folder;
    unsigned long long delay_ms;

    maybe_crash();
    if (users == 0)
        return NVML_UNINITIALIZED;
    if (!device || !device->listed)
        return NVML_INVALID_ARGUMENT;
    folder = device->gpu->folder;
    if (!has_faults())
        return NVML_OK;
    delay_ms = number_or(folder, "delay_ms", 0);
    if (delay_ms > 0)
        poll(NULL, 0, (int)delay_ms);
    return (int)number_or(folder, "error", 0);
}

static int give_text(const char *text, char *room, unsigned size)
{
    if (strlen(text) >= size)
        return 7; /* NVML_ERROR_INSUFFICIENT_SIZE */
    memcpy(room, text, strlen(text) + 1);
    return NVML_OK;
}

/* Line `index` of the file mig: its words. */
static bool read_slice(const struct nvml_device *gpu, int index, char *uuid, unsigned *ret_count,
                       unsigned long long *ret_memory_mib)
{
    char text[4096], *line = text, *rest = NULL;

    if (!read_text(gpu->folder, "mig", text, sizeof(text)))
        return false;
    line = strtok_r(text, "\n", &rest);
    while (line && index-- > 0)
        line = strtok_r(NULL, "\n", &rest);
    return line && sscanf(line, "%95s %u %llu", uuid, ret_count, ret_memory_mib) == 3;
}

/* --- the library ----------------------------------------------------------------------------- */

#define X(ours, theirs, parameters) int theirs parameters;
NVML_FUNCTIONS(X)
#undef X

static int compare_gpus(const void *a, const void *b)
{
    return strcmp(((const struct nvml_device *)a)->bus_id, ((const struct nvml_device *)b)->bus_id);
}

static void list_gpus(void)
{
    const char *path = getenv("FAKE_NVML_DIR");
    DIR *dir = path ? opendir(path) : NULL;
    const struct dirent *entry;

    n_gpus = 0;
    while (dir && (entry = readdir(dir)) && n_gpus < GPUS_MAX) {
        struct nvml_device *gpu = &gpus[n_gpus];

        if (strncmp(entry->d_name, "gpu", 3) != 0 || strlen(entry->d_name) >= sizeof(gpu->folder))
            continue;
        memcpy(gpu->folder, entry->d_name, strlen(entry->d_name) + 1);
        if (!read_line(gpu->folder, "bus_id", gpu->bus_id, sizeof(gpu->bus_id)))
            gpu->bus_id[0] = '\0';
        n_gpus++;
    }
    if (dir)
        closedir(dir);
    qsort(gpus, n_gpus, sizeof(gpus[0]), compare_gpus);
    for (unsigned i = 0; i < n_gpus; i++) {
        gpus[i].listed = true;
        gpus[i].slice = -1;
        gpus[i].gpu = &gpus[i];
    }
}

int nvmlInit_v2(void)
{
    int error;

    maybe_crash();
    error = (int)number_or(".", "init_error", 0);
    if (error != NVML_OK)
        return error;
    if (users++ == 0)
        list_gpus();
    return NVML_OK;
}

int nvmlShutdown(void)
{
    if (users == 0)
        return NVML_UNINITIALIZED;
    if (--users > 0)
        return NVML_OK;
    memset(sets, 0, sizeof(sets));
    memset(slice_sets, 0, sizeof(slice_sets));
    gpus = gpus == sets[0] ? sets[1] : sets[0];
    slices = slices == slice_sets[0] ? slice_sets[1] : slice_sets[0];
    return NVML_OK;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    maybe_crash();
    *count = n_gpus;
    return users ? NVML_OK : NVML_UNINITIALIZED;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct nvml_device **device)
{
    if (index >= n_gpus)
        return NVML_INVALID_ARGUMENT;
    *device = &gpus[index];
    return begin(&gpus[index]);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, struct nvml_device **device)
{
    char line[96];

    maybe_crash();
    for (unsigned i = 0; users && i < n_gpus; i++)
        if (read_line(gpus[i].folder, "uuid", line, sizeof(line)) && strcmp(line, uuid) == 0) {
            *device = &gpus[i];
            return begin(&gpus[i]);
        }
    return users ? NVML_NOT_FOUND : NVML_UNINITIALIZED;
}

int nvmlDeviceGetUUID(struct nvml_device *device, char *uuid, unsigned size)
{
    char line[96];
    unsigned count;
    unsigned long long memory_mib;
    int result = begin(device);

    if (result != NVML_OK)
        return result;
    if (device->slice >= 0) {
        if (!read_slice(device->gpu, device->slice, line, &count, &memory_mib))
            return NVML_NOT_FOUND;
    } else if (!read_line(device->folder, "uuid", line, sizeof(line))) {
        return NVML_UNKNOWN;
    }
    return give_text(line, uuid, size);
}

int nvmlDeviceGetName(struct nvml_device *device, char *name, unsigned size)
{
    char line[96];
    int result = begin(device);

    if (result == NVML_OK && !read_line(device->gpu->folder, "name", line, sizeof(line)))
        result = NVML_UNKNOWN;
    return result == NVML_OK ? give_text(line, name, size) : result;
}

int nvmlDeviceGetMinorNumber(struct nvml_device *device, unsigned *minor)
{
    int result = begin(device);

    return result == NVML_OK ? get_unsigned(device->gpu->folder, "minor", minor) : result;
}

int nvmlDeviceGetPciInfo_v2(struct nvml_device *device, struct nvml_pci *pci)
{
    int result = begin(device);

    if (result != NVML_OK)
        return result;
    if (sscanf(device->gpu->bus_id, "%8x:%2x:%2x.", &pci->domain, &pci->bus, &pci->device) != 3)
        return NVML_UNKNOWN;
    snprintf(pci->bus_id_legacy, sizeof(pci->bus_id_legacy), "%04X:%02X:%02X.0",
             pci->domain & 0xffff, pci->bus & 0xff, pci->device & 0xff);
    return NVML_OK;
}

int nvmlDeviceGetPowerUsage(struct nvml_device *device, unsigned *power_mw)
{
    int result = begin(device);

    return result == NVML_OK ? get_unsigned(device->gpu->folder, "power_mw", power_mw) : result;
}

int nvmlDeviceGetPowerManagementLimit(struct nvml_device *device, unsigned *limit_mw)
{
    int result = begin(device);

    return result == NVML_OK ? get_unsigned(device->gpu->folder, "power_limit_mw", limit_mw)
                             : result;
}

int nvmlDeviceGetPowerManagementLimitConstraints(struct nvml_device *device, unsigned *min_mw,
                                                 unsigned *max_mw)
{
    int result = begin(device);

    *min_mw = 0;
    return result == NVML_OK ? get_unsigned(device->gpu->folder, "power_max_mw", max_mw) : result;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetPciInfo_v3(struct nvml_device *device, struct nvml_pci *pci)
{
    int result = nvmlDeviceGetPciInfo_v2(device, pci);

    if (result == NVML_OK)
        snprintf(pci->bus_id, sizeof(pci->bus_id), "%.31s", device->gpu->bus_id);
    return result;
}

int nvmlDeviceGetTotalEnergyConsumption(struct nvml_device *device, unsigned long long *energy_mj)
{
    int result = begin(device);

    if (result != NVML_OK)
        return result;
    if (has_faults() && (number_or(".", "energy_supported", 1) == 0 ||
                         number_or(device->gpu->folder, "energy_supported", 1) == 0))
        return NVML_NOT_SUPPORTED;
    return read_number(device->gpu->folder, "energy_mj", energy_mj);
}

int nvmlDeviceGetFieldValues(struct nvml_device *device, int count, struct nvml_field *fields)
{
    int result = begin(device);

    for (int i = 0; result == NVML_OK && i < count; i++) {
        struct nvml_field *field = &fields[i];

        field->type = NVML_U32;
        field->result = field->field == NVML_FIELD_POWER_AVERAGE && field->scope == NVML_SCOPE_GPU
                            ? get_unsigned(device->gpu->folder, "power_mw", &field->value.u32)
                            : NVML_NOT_SUPPORTED;
    }
    return result;
}

int nvmlDeviceGetC2cModeInfoV(struct nvml_device *device, unsigned *linked)
{
    int result = begin(device);

    return result == NVML_OK ? get_unsigned(device->gpu->folder, "c2c", linked) : result;
}

int nvmlDeviceGetMigMode(struct nvml_device *device, unsigned *on, unsigned *pending)
{
    char text[8];
    int result = begin(device);

    if (result == NVML_OK)
        *on = *pending = read_text(device->gpu->folder, "mig", text, sizeof(text));
    return result;
}

int nvmlDeviceGetMaxMigDeviceCount(struct nvml_device *device, unsigned *count)
{
    *count = 7;
    return begin(device);
}

int nvmlDeviceGetMigDeviceHandleByIndex(struct nvml_device *device, unsigned index,
                                        struct nvml_device **slice)
{
    char uuid[96];
    unsigned count;
    unsigned long long memory_mib;
    int result = begin(device);

    if (result != NVML_OK)
        return result;
    if (index >= SLICES_MAX || !read_slice(device, (int)index, uuid, &count, &memory_mib))
        return NVML_NOT_FOUND;
    *slice = &slices[device - gpus][index];
    **slice = (struct nvml_device){ .listed = true, .slice = (int)index, .gpu = device };
    return NVML_OK;
}

int nvmlDeviceGetAttributes_v2(struct nvml_device *device, struct nvml_attributes *attributes)
{
    char uuid[96];
    unsigned count = 0;
    int result = begin(device);

    if (result != NVML_OK)
        return result;
    *attributes = (struct nvml_attributes){ .gpu_slices = 0 };
    if (device->slice < 0)
        return NVML_NOT_SUPPORTED;
    if (!read_slice(device->gpu, device->slice, uuid, &count, &attributes->memory_mib))
        return NVML_NOT_FOUND;
    attributes->gpu_slices = attributes->compute_slices = count;
    return count ? NVML_OK : NVML_NOT_SUPPORTED;
}
#endif

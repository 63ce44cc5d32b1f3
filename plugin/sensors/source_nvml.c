/*
 * source_nvml.c - NVIDIA GPUs, through the library that comes with their driver (NVML)
 *
 * The counter is nvmlDeviceGetTotalEnergyConsumption(): millijoules since the driver was loaded,
 * Volta and newer. Where there is none, power is integrated (gauge.h).
 *
 * Which index Slurm gives a GPU. SLURM_JOB_GPUS carries the position in the node's list of GPUs
 * (gres_common.c, gres_common_prep_set_env(): gres_device->index), not the number of the device
 * file as it did in old releases. With AutoDetect=nvml slurmd sorts that list (gres_gpu.c,
 * _merge_system_gres_conf()): by the names of the device files, then, stably, by where a GPU has
 * itself in its list of links. That is NVML's own index of a whole GPU, which is the order on
 * the PCI bus, and of a MIG device its index within its GPU (gpu_nvml.c,
 * gres_links_create_empty()). So two GPUs of two slices each are listed 0/0, 1/0, 0/1, 1/1;
 * sort_places() does the same. With File= in gres.conf and no AutoDetect the index is the
 * position there: see docs/accuracy.md.
 *
 * GH200. There the counter is that of the module, processor and memory included (so the authors of
 * Zeus found, ml-energy/zeus pull request 172; NVIDIA's manual says "this GPU"): PART_MODULE.
 * Of GB200, GB300 and what else has a chip-to-chip link to its processor nobody has said; two of
 * their GPUs share one module, and taking one for the other would count a processor twice or not at
 * all. The power of the GPU alone has a scope of its own in NVML (field NVML_FI_DEV_POWER_AVERAGE,
 * scope 0), so that is integrated.
 *
 * The library is loaded once and stays: it is not made for being unloaded. It is initialised anew,
 * every 5 s at most, when a device is lost, and only while the driver is there: as root it would
 * load the driver itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/parse.h"
#include "sensors/nvml_api.h"
#include "sensors/source.h"

#define DRIVER_FILE "proc/driver/nvidia/version"

#define GPUS_MAX 64
#define SLICES_MAX 16 /* 7 in every GPU so far */

/* An initialisation that takes long is tried less often: a twentieth of the time goes into it. */
#define INIT_SHARE 20

/*
 * Believed of one GPU: half more than the highest limit that it can be set to. Without one, what
 * the largest of 2025 may draw (B300, 1400 W) and a fifth; a Grace processor with its memory adds
 * 500 W and a fifth to its module.
 */
#define GPU_MAX_UW UINT64_C(1680000000)
#define GRACE_MAX_UW UINT64_C(600000000)

enum method { ENERGY, POWER, POWER_OF_GPU }; /* the last: explicitly not of its module */

/* In slot->scratch. */
enum { METHOD, GENERATION };

static struct {
    void *library; /* once loaded, for good */
    struct nvml_functions f;
    bool ready;          /* initialised */
    bool outdated;       /* the driver is another version's: this process cannot use it any more */
    uint64_t generation; /* of device handles: one more with each initialisation */
    uint64_t pause_ns;
} nvml;

/* --- the library ----------------------------------------------------------------------------- */

static const char *result_text(int result)
{
    switch (result) {
    case NVML_DRIVER_NOT_LOADED:
        return "the driver is not loaded (modprobe nvidia)";
    case NVML_LIB_RM_VERSION_MISMATCH:
        return "driver and library are of different versions (reload the driver, or reboot)";
    case NVML_NO_PERMISSION:
        return "no permission to use /dev/nvidiactl";
    case NVML_GPU_IS_LOST:
        return "the GPU fell off its bus (nvidia-smi -r, or reboot)";
    case NVML_RESET_REQUIRED:
        return "the GPU has to be reset (nvidia-smi -r)";
    case NVML_NOT_SUPPORTED:
    case NVML_FUNCTION_NOT_FOUND:
        return "neither energy nor power can be read";
    default:
        return "the library says that something failed";
    }
}

static int result_errno(int result)
{
    switch (result) {
    case NVML_OK:
        return 0;
    case NVML_LIB_RM_VERSION_MISMATCH:
        return -ERESTART;
    case NVML_UNINITIALIZED:
    case NVML_INVALID_ARGUMENT: /* a handle from before */
    case NVML_NOT_FOUND:
    case NVML_DRIVER_NOT_LOADED:
    case NVML_GPU_IS_LOST:
    case NVML_RESET_REQUIRED:
    case NVML_GPU_NOT_FOUND:
        return -ENODEV;
    case NVML_NOT_SUPPORTED:
    case NVML_FUNCTION_NOT_FOUND:
        return -EOPNOTSUPP;
    case NVML_NO_PERMISSION:
        return -EACCES;
    case NVML_TIMEOUT:
        return -ETIMEDOUT;
    case NVML_OUT_OF_MEMORY:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static void take_symbol(void *library, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(library, name);

    memcpy(function, &symbol, size);
}

static int load(struct error *err)
{
    const struct nvml_functions *f = &nvml.f;
    void *library;

    if (nvml.library)
        return 0;
    library = dlopen(NVML_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(err, -ENODEV,
                         "%s; install the library that comes with the driver (Debian: "
                         "libnvidia-ml1)",
                         dlerror());
#define X(ours, theirs, parameters) \
    take_symbol(library, #theirs, &nvml.f.ours, sizeof(nvml.f.ours));
    NVML_FUNCTIONS(X)
#undef X
    if (!f->init || !f->shutdown || !f->count || !f->by_index || !f->by_uuid || !f->uuid) {
        dlclose(library);
        return error_set(err, -ENODEV, NVML_LIBRARY " lacks functions; update the driver");
    }
    nvml.library = library;
    return 0;
}

static bool has_driver(const struct sensors *sensors)
{
    return faccessat(sensors->options.root_fd, DRIVER_FILE, F_OK, 0) == 0;
}

/* Initialise, anew when it was before. All handles are to be asked for again. */
static int start(const struct sensors *sensors)
{
    uint64_t before_ns = clock_boottime_ns(), took_ns;
    int result = NVML_DRIVER_NOT_LOADED;

    if (nvml.ready)
        nvml.f.shutdown();
    if (has_driver(sensors))
        result = nvml.f.init();
    nvml.ready = result == NVML_OK;
    nvml.outdated = result == NVML_LIB_RM_VERSION_MISMATCH;
    nvml.generation++;
    took_ns = clock_boottime_ns() - before_ns;
    nvml.pause_ns = took_ns * (INIT_SHARE - 1);
    if (nvml.pause_ns < SENSOR_RETRY_NS)
        nvml.pause_ns = SENSOR_RETRY_NS;
    return result;
}

/* --- what one device tells ------------------------------------------------------------------- */

static int read_energy(struct nvml_device *device, uint64_t *ret_uj)
{
    unsigned long long energy_mj = 0;
    int result = nvml.f.energy ? nvml.f.energy(device, &energy_mj) : NVML_FUNCTION_NOT_FOUND;

    if (result != NVML_OK)
        return result_errno(result);
    if (energy_mj > UINT64_MAX / 1000)
        return -EBADMSG;
    *ret_uj = (uint64_t)energy_mj * 1000;
    return 0;
}

static int read_field(struct nvml_device *device, unsigned field, unsigned scope,
                      uint64_t *ret_value)
{
    struct nvml_field value = { .field = field, .scope = scope };
    int result = nvml.f.fields ? nvml.f.fields(device, 1, &value) : NVML_FUNCTION_NOT_FOUND;

    if (result == NVML_OK)
        result = value.result;
    if (result != NVML_OK)
        return result_errno(result);
    switch (value.type) {
    case NVML_U32:
        *ret_value = value.value.u32;
        return 0;
    case NVML_ULONG:
        *ret_value = value.value.ulong;
        return 0;
    case NVML_U64:
        *ret_value = value.value.u64;
        return 0;
    default:
        return -EBADMSG;
    }
}

static int read_power(struct nvml_device *device, enum method method, uint64_t *ret_uw)
{
    uint64_t power_mw = 0;
    unsigned value = 0;
    int rc;

    if (method == POWER_OF_GPU) {
        rc = read_field(device, NVML_FIELD_POWER_AVERAGE, NVML_SCOPE_GPU, &power_mw);
    } else {
        rc = result_errno(nvml.f.power ? nvml.f.power(device, &value) : NVML_FUNCTION_NOT_FOUND);
        power_mw = value;
    }
    if (rc < 0)
        return rc;
    if (power_mw > UINT32_MAX) /* as much as gauge.h takes */
        return -EBADMSG;
    *ret_uw = power_mw * 1000;
    return 0;
}

static uint64_t believed_uw(struct nvml_device *device, bool module)
{
    unsigned limit_mw = 0, min_mw = 0, max_mw = 0;
    uint64_t believed;

    if (!nvml.f.limit || nvml.f.limit(device, &limit_mw) != NVML_OK)
        limit_mw = 0;
    if (!nvml.f.limits || nvml.f.limits(device, &min_mw, &max_mw) != NVML_OK)
        max_mw = 0;
    if (limit_mw > max_mw)
        max_mw = limit_mw;
    believed = max_mw ? (uint64_t)max_mw * 1500 : GPU_MAX_UW;
    return module ? believed + GRACE_MAX_UW : believed;
}

/* --- finding --------------------------------------------------------------------------------- */

struct slice {
    char uuid[96];
    unsigned index;  /* within its GPU */
    unsigned weight; /* its slices; 0: unknown */
};

struct gpu {
    int result; /* of the first call that failed for good */
    struct nvml_device *device;
    char uuid[96], name[96], bus[32];
    unsigned minor;
    bool hopper;   /* a GH200 */
    bool linked;   /* it shares a module with a processor */
    bool module;   /* what is read is the module's */
    int package;   /* that of its module; -1: unknown */
    enum method method;
    uint64_t max_uw;
    unsigned n_slices, weight;
    struct slice slices[SLICES_MAX];
};

/* An entry of Slurm's list of GPUs: a whole one, or a slice of one. */
struct place {
    const struct gpu *gpu;
    const struct slice *slice; /* NULL: all of it */
    unsigned link;             /* where it is in its own list of links */
    char file[64];
};

/* The package whose NUMA node the GPU says is nearest: on a superchip the one of its module. */
static int find_package(const struct sensors *sensors, const char *bus)
{
    char path[128], line[64];
    uint32_t node;

    snprintf(path, sizeof(path), "sys/bus/pci/devices/%.31s/numa_node", bus);
    if (!bus[0] || file_read_line(sensors->options.root_fd, path, line, sizeof(line)) < 0 ||
        parse_u32(line, 0, INT32_MAX, &node) < 0)
        return -1;
    snprintf(path, sizeof(path), "sys/devices/system/node/node%u/cpulist", (unsigned)node);
    if (file_read_line(sensors->options.root_fd, path, line, sizeof(line)) < 0)
        return -1;
    return topology_package_of_list(sensors->options.topology, line);
}

static void look_at_bus(struct gpu *gpu)
{
    struct nvml_pci pci = { .domain = 0 };
    int result = NVML_FUNCTION_NOT_FOUND;

    if (nvml.f.pci)
        result = nvml.f.pci(gpu->device, &pci);
    else if (nvml.f.pci_v2)
        result = nvml.f.pci_v2(gpu->device, &pci);
    if (result == NVML_OK) /* as in /sys/bus/pci/devices; a GPU is function 0 */
        snprintf(gpu->bus, sizeof(gpu->bus), "%04x:%02x:%02x.0", pci.domain, pci.bus, pci.device);
}

static void look_at_slice(struct gpu *gpu, struct nvml_device *device, unsigned index)
{
    struct slice *slice = &gpu->slices[gpu->n_slices++];
    struct nvml_attributes attributes = { .gpu_slices = 0 };

    slice->index = index;
    if (nvml.f.uuid(device, slice->uuid, sizeof(slice->uuid) - 1) != NVML_OK)
        slice->uuid[0] = '\0';
    if (nvml.f.attributes && nvml.f.attributes(device, &attributes) == NVML_OK)
        slice->weight =
            attributes.compute_slices ? attributes.compute_slices : attributes.gpu_slices;
}

/* Slices whose size is not known for all count alike. */
static void weigh_slices(struct gpu *gpu)
{
    bool known = true;

    for (unsigned i = 0; i < gpu->n_slices; i++)
        known = known && gpu->slices[i].weight > 0 && gpu->slices[i].weight < 1000;
    for (unsigned i = 0; i < gpu->n_slices; i++) {
        gpu->slices[i].weight = known ? gpu->slices[i].weight : 1;
        gpu->weight += gpu->slices[i].weight;
    }
}

static void look_at_slices(struct gpu *gpu)
{
    unsigned on = 0, pending = 0, max = 0;

    if (!nvml.f.mig_mode || !nvml.f.mig_max || !nvml.f.mig_by_index ||
        nvml.f.mig_mode(gpu->device, &on, &pending) != NVML_OK || on != 1 ||
        nvml.f.mig_max(gpu->device, &max) != NVML_OK)
        return;
    for (unsigned i = 0; i < max && gpu->n_slices < SLICES_MAX; i++) {
        struct nvml_device *device = NULL;

        if (nvml.f.mig_by_index(gpu->device, i, &device) == NVML_OK)
            look_at_slice(gpu, device, i);
    }
    weigh_slices(gpu);
}

static void look_at(const struct sensors *sensors, unsigned index, struct gpu *gpu)
{
    unsigned linked = 0;

    gpu->minor = index;
    gpu->package = -1;
    gpu->result = nvml.f.by_index(index, &gpu->device);
    if (gpu->result == NVML_OK)
        gpu->result = nvml.f.uuid(gpu->device, gpu->uuid, sizeof(gpu->uuid) - 1);
    if (gpu->result != NVML_OK)
        return;
    if (nvml.f.minor && nvml.f.minor(gpu->device, &gpu->minor) != NVML_OK)
        gpu->minor = index;
    if (!nvml.f.name || nvml.f.name(gpu->device, gpu->name, sizeof(gpu->name) - 1) != NVML_OK)
        snprintf(gpu->name, sizeof(gpu->name), "NVIDIA GPU");
    look_at_bus(gpu);
    look_at_slices(gpu);
    gpu->hopper = strstr(gpu->name, "GH200") != NULL;
    gpu->linked = gpu->hopper || strstr(gpu->name, "GB200") || strstr(gpu->name, "GB300") ||
                  (nvml.f.c2c && nvml.f.c2c(gpu->device, &linked) == NVML_OK && linked == 1);
    if (gpu->hopper)
        gpu->package = find_package(sensors, gpu->bus);
}

/*
 * Modules whose package nobody tells are those of the packages in their order, if there are as many
 * of one as of the other.
 */
static void guess_packages(const struct sensors *sensors, struct gpu *gpus, unsigned count)
{
    unsigned modules = 0, known = 0;

    for (unsigned i = 0; i < count; i++) {
        modules += gpus[i].hopper;
        known += gpus[i].hopper && gpus[i].package >= 0;
    }
    if (known > 0 || modules != sensors->options.topology->n_packages)
        return;
    for (unsigned i = 0, package = 0; i < count; i++)
        if (gpus[i].hopper)
            gpus[i].package = (int)package++;
}

/* One module's counter is the difference to one package's: two GPUs of a package are no modules. */
static bool is_module(const struct gpu *gpus, unsigned count, const struct gpu *gpu)
{
    if (!gpu->hopper || gpu->package < 0)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (&gpus[i] != gpu && gpus[i].hopper && gpus[i].package == gpu->package)
            return false;
    return true;
}

/* How it is read. -EOPNOTSUPP when it cannot be; another failure may pass. */
static int choose_method(struct gpu *gpu, bool module)
{
    uint64_t ignored;
    int rc = gpu->linked && !module ? -EOPNOTSUPP : read_energy(gpu->device, &ignored);

    gpu->method = ENERGY;
    if (rc == -EOPNOTSUPP) {
        gpu->method = gpu->linked ? POWER_OF_GPU : POWER;
        rc = read_power(gpu->device, gpu->method, &ignored);
    }
    gpu->module = module && gpu->method == ENERGY;
    gpu->max_uw = believed_uw(gpu->device, gpu->module);
    return rc == -EOPNOTSUPP ? rc : 0;
}

/* --- offering -------------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->link != y->link)
        return x->link < y->link ? -1 : 1;
    return strcmp(x->file, y->file);
}

/* As slurmd: see above. A GPU that cannot be read keeps its place, for the sake of the others. */
static unsigned sort_places(const struct gpu *gpus, unsigned count, struct place *ret_places)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        struct place place = { .gpu = &gpus[i], .link = i };

        snprintf(place.file, sizeof(place.file), "/dev/nvidia%u%s", gpus[i].minor,
                 gpus[i].n_slices ? "," : "");
        if (gpus[i].n_slices == 0)
            ret_places[n++] = place;
        for (unsigned k = 0; k < gpus[i].n_slices; k++) {
            place.slice = &gpus[i].slices[k];
            place.link = place.slice->index;
            ret_places[n++] = place;
        }
    }
    qsort(ret_places, n, sizeof(*ret_places), compare_places);
    return n;
}

static void describe(const struct place *place, struct sensor_counter *counter)
{
    const struct gpu *gpu = place->gpu;

    if (place->slice) {
        snprintf(counter->source, sizeof(counter->source), "nvml:%.50s/%u", gpu->uuid,
                 place->slice->index);
        snprintf(counter->device, sizeof(counter->device), "%.40s %.50s", gpu->name,
                 place->slice->uuid);
    } else {
        snprintf(counter->source, sizeof(counter->source), "nvml:%.50s", gpu->uuid);
        snprintf(counter->device, sizeof(counter->device), "%.40s %.20s /dev/nvidia%u", gpu->name,
                 gpu->bus, gpu->minor);
    }
}

static int offer(struct sensors *sensors, const struct place *place, unsigned domain)
{
    const struct gpu *gpu = place->gpu;
    struct sensor_slot slot = { .source = &nvml_source, .fd = -1 };

    slot.part = gpu->module ? PART_MODULE : PART_GPU;
    slot.package = gpu->module ? (unsigned)gpu->package : 0;
    slot.share = place->slice ? place->slice->weight : 0;
    slot.shares = place->slice ? gpu->weight : 0;
    slot.device = gpu->device;
    slot.scratch[METHOD] = gpu->method;
    slot.scratch[GENERATION] = nvml.generation;
    snprintf(slot.name, sizeof(slot.name), "%s", gpu->uuid);
    describe(place, &slot.counter);
    slot.counter.quality = QUALITY_MEASURED;
    slot.counter.domain = domain;
    slot.counter.max_uw = sensors_share(&slot, gpu->max_uw);
    slot.counter.fresh = gpu->method != ENERGY;
    return sensors_offer(sensors, &slot);
}

static int leave_out(struct sensors *sensors, const struct place *place, unsigned domain)
{
    const struct gpu *gpu = place->gpu;
    char source[SOURCE_NAME_SIZE];

    if (gpu->uuid[0])
        snprintf(source, sizeof(source), "nvml:%.50s", gpu->uuid);
    else
        snprintf(source, sizeof(source), "nvml:%u", domain);
    if (gpu->result == NVML_OK)
        return sensors_leave_out(sensors, source, "it has no UUID");
    return sensors_leave_out(sensors, source, result_text(gpu->result));
}

static int offer_all(struct sensors *sensors, struct gpu *gpus, unsigned count,
                     struct place *places)
{
    int offered = 0, rc = 0;
    unsigned n;

    for (unsigned i = 0; i < count; i++)
        look_at(sensors, i, &gpus[i]);
    guess_packages(sensors, gpus, count);
    for (unsigned i = 0; i < count; i++)
        if (gpus[i].result == NVML_OK &&
            choose_method(&gpus[i], is_module(gpus, count, &gpus[i])) < 0)
            gpus[i].result = NVML_NOT_SUPPORTED;
    n = sort_places(gpus, count, places);
    for (unsigned domain = 0; domain < n && rc == 0; domain++) {
        const struct gpu *gpu = places[domain].gpu;

        if (gpu->result == NVML_OK && gpu->uuid[0]) {
            rc = offer(sensors, &places[domain], domain);
            offered++;
        } else {
            rc = leave_out(sensors, &places[domain], domain);
        }
    }
    return rc < 0 ? rc : offered;
}

static int nvml_find(struct sensors *sensors, struct error *err)
{
    unsigned count = 0;
    struct place *places;
    struct gpu *gpus;
    int rc, result;

    if (!has_driver(sensors))
        return error_set(err, -ENODEV, "no " DRIVER_FILE " (no NVIDIA GPU, or load its driver: "
                                       "modprobe nvidia)");
    rc = load(err);
    if (rc < 0)
        return rc;
    result = start(sensors);
    if (result == NVML_OK)
        result = nvml.f.count(&count);
    if (result != NVML_OK)
        return error_set(err, -ENODEV, NVML_LIBRARY ": %s (error %d)", result_text(result), result);
    if (count > GPUS_MAX)
        count = GPUS_MAX;
    gpus = calloc(count + 1, sizeof(*gpus));
    places = calloc((size_t)count * SLICES_MAX + 1, sizeof(*places));
    rc = gpus && places ? offer_all(sensors, gpus, count, places) : -ENOMEM;
    free(places);
    free(gpus);
    if (rc == 0)
        return error_set(err, -ENODEV, "no GPU can be read (nvidia-smi -q says more)");
    return rc;
}

/* --- reading --------------------------------------------------------------------------------- */

/*
 * A handle lives as long as the initialisation that gave it. The first slot of a lost device whose
 * time has come makes a new one; the others find theirs in it.
 */
static bool find_again(const struct sensors *sensors, struct sensor_slot *slot)
{
    struct nvml_device *device = NULL;
    int result = NVML_UNINITIALIZED;

    if (slot->scratch[GENERATION] == nvml.generation) {
        if (clock_boottime_ns() < slot->retry_ns)
            return false;
        start(sensors);
    }
    slot->scratch[GENERATION] = nvml.generation;
    slot->device = NULL;
    if (nvml.ready)
        result = nvml.f.by_uuid(slot->name, &device);
    if (result == NVML_OK) {
        slot->device = device;
        slot->retry_ns = 0;
    } else {
        slot->retry_ns = clock_boottime_ns() + nvml.pause_ns;
    }
    return result == NVML_OK;
}

/* What is gone is looked for again, and so is what fails for a while. */
static int note_failure(struct sensor_slot *slot, int rc)
{
    uint64_t now_ns = clock_boottime_ns();

    if (rc == -ERESTART)
        nvml.outdated = true;
    if (rc == -ENODEV || rc == -ERESTART) {
        slot->device = NULL;
        slot->retry_ns = now_ns + nvml.pause_ns;
    } else if (slot->retry_ns == 0) {
        slot->retry_ns = now_ns + nvml.pause_ns;
    } else if (now_ns >= slot->retry_ns) {
        slot->device = NULL;
    }
    return rc;
}

static int nvml_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    enum method method = (enum method)slot->scratch[METHOD];
    uint64_t energy_uj, power_uw;
    int rc;

    if ((!slot->device || slot->scratch[GENERATION] != nvml.generation) &&
        !find_again(sensors, slot))
        return nvml.outdated ? -ERESTART : -ENODEV;
    if (method == ENERGY) {
        rc = read_energy(slot->device, &energy_uj);
    } else {
        rc = read_power(slot->device, method, &power_uw);
        if (rc == 0)
            energy_uj = gauge_add(&slot->gauge, clock_boottime_ns(), power_uw);
    }
    if (rc < 0)
        return note_failure(slot, rc);
    slot->retry_ns = 0;
    *ret_raw_uj = sensors_share(slot, energy_uj);
    return 0;
}

const struct sensor_source nvml_source = {
    .name = "nvml",
    .find = nvml_find,
    .read = nvml_read,
};

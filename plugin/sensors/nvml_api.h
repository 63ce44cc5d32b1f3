/*
 * nvml_api.h - what is used of NVIDIA's management library; for source_nvml.c and the fake alone
 *
 * Written by hand after the NVML API Reference Guide (docs.nvidia.com/deploy/nvml-api): names of
 * functions, numbers of results and fields, and the members of structures, whose layout is part of
 * the library's binary interface and does not change under one name of a function.
 */
#ifndef CARBON_SENSORS_NVML_API_H
#define CARBON_SENSORS_NVML_API_H

#include <stddef.h>

#define NVML_LIBRARY "libnvidia-ml.so.1"

/* nvmlReturn_t, as far as one differs from another here. */
enum nvml_result {
    NVML_OK = 0,
    NVML_UNINITIALIZED = 1,
    NVML_INVALID_ARGUMENT = 2,
    NVML_NOT_SUPPORTED = 3,
    NVML_NO_PERMISSION = 4,
    NVML_NOT_FOUND = 6,
    NVML_DRIVER_NOT_LOADED = 9,
    NVML_TIMEOUT = 10,
    NVML_FUNCTION_NOT_FOUND = 13,
    NVML_GPU_IS_LOST = 15,
    NVML_RESET_REQUIRED = 16,
    NVML_LIB_RM_VERSION_MISMATCH = 18,
    NVML_OUT_OF_MEMORY = 20,
    NVML_GPU_NOT_FOUND = 28,
    NVML_UNKNOWN = 999,
};

struct nvml_device; /* what nvmlDevice_t points to */

/* nvmlPciInfo_t of nvmlDeviceGetPciInfo_v3(); the older functions fill all but bus_id. */
struct nvml_pci {
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};
_Static_assert(offsetof(struct nvml_pci, domain) == 16, "as in the library");
_Static_assert(sizeof(struct nvml_pci) == 68, "as in the library");

/* nvmlDeviceAttributes_t of nvmlDeviceGetAttributes_v2(). */
struct nvml_attributes {
    unsigned multiprocessors;
    unsigned copy_engines, decoders, encoders, jpeg_engines, ofa_engines;
    unsigned gpu_slices;     /* of its GPU instance, which may hold several MIG devices */
    unsigned compute_slices; /* its own */
    unsigned long long memory_mib;
};
_Static_assert(sizeof(struct nvml_attributes) == 40, "as in the library");

/* nvmlFieldValue_t. */
struct nvml_field {
    unsigned field, scope;
    long long timestamp_us, latency_us;
    unsigned type; /* enum nvml_type */
    int result;
    union {
        unsigned u32;
        unsigned long ulong;
        unsigned long long u64;
    } value;
};
_Static_assert(offsetof(struct nvml_field, value) == 32, "as in the library");
_Static_assert(sizeof(struct nvml_field) == 40, "as in the library");

enum nvml_type { NVML_U32 = 1, NVML_ULONG = 2, NVML_U64 = 3 };

#define NVML_FIELD_POWER_AVERAGE 185 /* mW over the last second */
#define NVML_SCOPE_GPU 0             /* the GPU with its memory; 1 is the module */

/* The functions: our name of each, its name in the library, and its parameters. */
#define NVML_FUNCTIONS(X)                                                                         \
    X(init, nvmlInit_v2, (void))                                                                  \
    X(shutdown, nvmlShutdown, (void))                                                             \
    X(count, nvmlDeviceGetCount_v2, (unsigned *))                                                 \
    X(by_index, nvmlDeviceGetHandleByIndex_v2, (unsigned, struct nvml_device **))                 \
    X(by_uuid, nvmlDeviceGetHandleByUUID, (const char *, struct nvml_device **))                  \
    X(uuid, nvmlDeviceGetUUID, (struct nvml_device *, char *, unsigned))                          \
    X(name, nvmlDeviceGetName, (struct nvml_device *, char *, unsigned))                          \
    X(minor, nvmlDeviceGetMinorNumber, (struct nvml_device *, unsigned *))                        \
    X(pci, nvmlDeviceGetPciInfo_v3, (struct nvml_device *, struct nvml_pci *))                    \
    X(pci_v2, nvmlDeviceGetPciInfo_v2, (struct nvml_device *, struct nvml_pci *))                 \
    X(energy, nvmlDeviceGetTotalEnergyConsumption, (struct nvml_device *, unsigned long long *))  \
    X(power, nvmlDeviceGetPowerUsage, (struct nvml_device *, unsigned *))                         \
    X(fields, nvmlDeviceGetFieldValues, (struct nvml_device *, int, struct nvml_field *))         \
    X(limit, nvmlDeviceGetPowerManagementLimit, (struct nvml_device *, unsigned *))               \
    X(limits, nvmlDeviceGetPowerManagementLimitConstraints,                                       \
      (struct nvml_device *, unsigned *, unsigned *))                                             \
    X(c2c, nvmlDeviceGetC2cModeInfoV, (struct nvml_device *, unsigned *))                         \
    X(mig_mode, nvmlDeviceGetMigMode, (struct nvml_device *, unsigned *, unsigned *))             \
    X(mig_max, nvmlDeviceGetMaxMigDeviceCount, (struct nvml_device *, unsigned *))                \
    X(mig_by_index, nvmlDeviceGetMigDeviceHandleByIndex,                                          \
      (struct nvml_device *, unsigned, struct nvml_device **))                                    \
    X(attributes, nvmlDeviceGetAttributes_v2, (struct nvml_device *, struct nvml_attributes *))

struct nvml_functions {
#define X(ours, theirs, parameters) int(*ours) parameters;
    NVML_FUNCTIONS(X)
#undef X
};

#endif

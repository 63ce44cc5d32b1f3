/*
 * source_ipmi.c - a whole node's power as its management controller (BMC) tells it
 *
 * DCMI's command Get Power Reading (DCMI 1.5, 6.6.1) gives watts, which are integrated (gauge.h).
 * It is sent by FreeIPMI's library, loaded when there is a BMC: sys/class/ipmi/ipmi0 is there when
 * the kernel's own driver (ipmi_si or ipmi_ssif, and ipmi_devintf) serves one. That driver is the
 * only way used: FreeIPMI could talk to the controller's ports itself, behind the kernel's back.
 *
 * What the prototypes below say is from FreeIPMI's manual pages and API (1.6, soname 17): values of
 * enum ipmi_driver_type and of the error numbers are part of its ABI.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "sensors/source.h"

#define LIBRARY "libfreeipmi.so.17"
#define DEVICE_DIR "sys/class/ipmi/ipmi0"
#define DRIVER_OPENIPMI 7
#define MODE_POWER_STATISTICS 1
/* No rack feeds one node with more; the largest air-cooled GPU nodes have 14 kW of supplies. */
#define NODE_MAX_UW UINT64_C(30000000000)
#define UW_PER_W UINT64_C(1000000)

/* ipmi_ctx_errnum() of what will not be better at the next try. */
enum {
    ERROR_CTX_INVALID = 2, ERROR_DEVICE_NOT_OPEN = 16, ERROR_DEVICE_NOT_SUPPORTED = 17,
    ERROR_DEVICE_NOT_FOUND = 18, ERROR_COMMAND_FOR_INTERFACE = 22, ERROR_COMMAND_UNSUPPORTED = 23,
    ERROR_SYSTEM = 33,
};

/* The process's one copy of the library; it stays loaded. */
static struct {
    void *handle;
    void *template; /* of the answer: fields and their lengths */
    void *(*ctx_create)(void);
    int (*ctx_open)(void *ctx, int driver, int disable_auto_probe, uint16_t address,
                    uint8_t register_spacing, const char *device, unsigned workarounds,
                    unsigned flags); /* 0 or -1 */
    int (*ctx_errnum)(void *ctx);
    char *(*ctx_errormsg)(void *ctx);
    void (*ctx_destroy)(void *ctx); /* closes too */
    void *(*obj_create)(void *template);
    void (*obj_destroy)(void *obj);
    int (*obj_get)(void *obj, const char *field, uint64_t *ret_value); /* 1, 0: not there, -1 */
    int (*get_power)(void *ctx, uint8_t mode, uint8_t attributes, void *answer); /* 0 or -1 */
} ipmi;

static int load_library(struct error *err)
{
    static const struct {
        const char *name;
        void **place;
    } symbols[] = {
        { "tmpl_cmd_dcmi_get_power_reading_rs", &ipmi.template },
        { "ipmi_ctx_create", (void **)&ipmi.ctx_create },
        { "ipmi_ctx_open_inband", (void **)&ipmi.ctx_open },
        { "ipmi_ctx_errnum", (void **)&ipmi.ctx_errnum },
        { "ipmi_ctx_errormsg", (void **)&ipmi.ctx_errormsg },
        { "ipmi_ctx_destroy", (void **)&ipmi.ctx_destroy },
        { "fiid_obj_create", (void **)&ipmi.obj_create },
        { "fiid_obj_destroy", (void **)&ipmi.obj_destroy },
        { "fiid_obj_get", (void **)&ipmi.obj_get },
        { "ipmi_cmd_dcmi_get_power_reading", (void **)&ipmi.get_power },
    };
    void *handle;

    if (ipmi.handle)
        return 0;
    handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return error_set(err, -ENODEV, "there is a BMC; to read it install FreeIPMI's library "
                         "(Debian: libfreeipmi17; RHEL: freeipmi): %s", dlerror());
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        *symbols[i].place = dlsym(handle, symbols[i].name);
        if (!*symbols[i].place) {
            dlclose(handle);
            return error_set(err, -ENODEV, LIBRARY " has no %s", symbols[i].name);
        }
    }
    ipmi.handle = handle;
    return 0;
}

static void *open_bmc(struct error *err)
{
    void *ctx = ipmi.ctx_create();

    if (!ctx) {
        error_set(err, -ENOMEM, "ipmi_ctx_create failed");
        return NULL;
    }
    if (ipmi.ctx_open(ctx, DRIVER_OPENIPMI, 0, 0, 0, NULL, 0, 0) == 0)
        return ctx;
    error_set(err, -ENODEV, "the BMC does not open: %s (is ipmi_devintf loaded, and is this root?)",
              ipmi.ctx_errormsg(ctx));
    ipmi.ctx_destroy(ctx);
    return NULL;
}

/*
 * -ENODATA: the BMC measures no power now; it says so, or gives 0 W for a node that runs. The field
 * of the state is one bit: 1 while power is measured.
 */
static int get_watts(void *ctx, uint64_t *ret_watts, int *ret_errnum)
{
    void *answer = ipmi.obj_create(ipmi.template);
    uint64_t watts = 0, active = 0;
    int rc = 0;

    *ret_errnum = 0;
    if (!answer)
        return -ENOMEM;
    if (ipmi.get_power(ctx, MODE_POWER_STATISTICS, 0, answer) != 0) {
        *ret_errnum = ipmi.ctx_errnum(ctx);
        rc = -EIO;
    } else if (ipmi.obj_get(answer, "current_power", &watts) != 1 ||
               ipmi.obj_get(answer, "power_reading_state.power_measurement", &active) != 1) {
        rc = -EBADMSG;
    } else if (!active || watts == 0) {
        rc = -ENODATA;
    }
    ipmi.obj_destroy(answer);
    if (rc == 0)
        *ret_watts = watts;
    return rc;
}

static bool is_lost(int errnum)
{
    return errnum == ERROR_CTX_INVALID || errnum == ERROR_DEVICE_NOT_OPEN ||
           errnum == ERROR_DEVICE_NOT_FOUND || errnum == ERROR_SYSTEM;
}

/* A BMC that is only busy now is offered; one that cannot or does not measure is not. */
static int try_bmc(void *ctx, struct error *err)
{
    uint64_t watts;
    int errnum;
    int rc = get_watts(ctx, &watts, &errnum);

    if (rc == -ENODATA)
        return error_set(err, -ENODEV, "the BMC measures no power; switch its power measurement on "
                         "if it has any");
    if (errnum == ERROR_DEVICE_NOT_SUPPORTED || errnum == ERROR_COMMAND_FOR_INTERFACE ||
        errnum == ERROR_COMMAND_UNSUPPORTED)
        return error_set(err, -ENODEV, "the BMC has no DCMI power reading: %s",
                         ipmi.ctx_errormsg(ctx));
    return 0;
}

static int ipmi_find(struct sensors *sensors, struct error *err)
{
    struct sensor_slot slot = { .source = &ipmi_source, .part = PART_NODE, .fd = -1 };
    int rc;

    if (faccessat(sensors->options.root_fd, DEVICE_DIR, F_OK, 0) < 0)
        return error_set(err, -ENODEV, "no BMC in sys/class/ipmi (load ipmi_si and ipmi_devintf if "
                         "this node has one)");
    rc = load_library(err);
    if (rc < 0)
        return rc;
    slot.device = open_bmc(err);
    if (!slot.device)
        return -ENODEV;
    rc = try_bmc(slot.device, err);
    if (rc < 0) {
        ipmi.ctx_destroy(slot.device);
        return rc;
    }
    snprintf(slot.counter.source, sizeof(slot.counter.source), "ipmi:dcmi");
    snprintf(slot.counter.device, sizeof(slot.counter.device), "BMC, DCMI power reading");
    slot.counter.quality = QUALITY_MEASURED;
    slot.counter.max_uw = NODE_MAX_UW;
    slot.counter.fresh = true;
    rc = sensors_offer(sensors, &slot);
    return rc < 0 ? rc : 1;
}

static void ipmi_close(struct sensor_slot *slot)
{
    if (slot->device)
        ipmi.ctx_destroy(slot->device);
    slot->device = NULL;
}

static int ipmi_read(struct sensors *sensors, struct sensor_slot *slot, uint64_t *ret_raw_uj)
{
    uint64_t before_ns = clock_boottime_ns(), now_ns, watts;
    int errnum, rc;

    (void)sensors;
    if (!slot->device) {
        if (!sensors_may_look(slot))
            return -ENODEV;
        slot->device = open_bmc(NULL);
        if (!slot->device)
            return -ENODEV;
    }
    rc = get_watts(slot->device, &watts, &errnum);
    now_ns = clock_boottime_ns();
    if (is_lost(errnum)) {
        ipmi_close(slot);
        sensors_look_later(slot);
        return -ENODEV;
    }
    if (rc == 0) /* of an instant between question and answer */
        *ret_raw_uj = gauge_add(&slot->gauge, before_ns + (now_ns - before_ns) / 2,
                                watts * UW_PER_W);
    return rc;
}

const struct sensor_source ipmi_source = {
    .name = "ipmi",
    .find = ipmi_find,
    .read = ipmi_read,
    .close = ipmi_close,
};

/*
 * pci.h - the PCI devices of a kernel driver and their sensors, below a root directory
 *
 * The kernel keeps a link for each device of a driver in sys/bus/pci/drivers/<driver>/, named after
 * its address (Documentation/ABI/testing/sysfs-bus-pci), and one for each device in
 * sys/bus/pci/devices. "<driver>/<address>" is a device's name here, "<address>" that of one whose
 * driver does not matter. Every descriptor is O_CLOEXEC and closed again.
 */
#ifndef CARBON_SENSORS_PCI_H
#define CARBON_SENSORS_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct sensor_slot;

#define PCI_DEVICES_MAX 64
#define PCI_NAME_SIZE 40
#define PCI_HWMONS_MAX 16

struct pci_device {
    char name[PCI_NAME_SIZE]; /* "amdgpu/0000:c1:00.0", "0000:c1:00.0" */
    uint64_t order;           /* domain, bus, device, function: sorts as the bus does */
    uint16_t vendor, device;  /* 0 when they could not be read */
    uint32_t class;           /* 0x030200; of pci_list_gpus() alone */
};

/*
 * As in pci.ids: base classes, what PCI says of a GPU, and of accelerators such as the MI300X; and
 * vendors.
 */
enum { PCI_CLASS_DISPLAY = 0x03, PCI_CLASS_ACCELERATOR = 0x12 };
enum { PCI_AMD = 0x1002, PCI_NVIDIA = 0x10de, PCI_INTEL = 0x8086 };
/* Base class and subclass: a GPU without a screen. */
#define PCI_CLASS_3D 0x0302

/*
 * The devices of a driver in bus order, behind those that room[0..used) has already, which are
 * sorted with them. How many there are now; -ENOENT when the driver is not loaded, -EOVERFLOW
 * beyond PCI_DEVICES_MAX, or another errno.
 */
MUST_CHECK int pci_list(int root_fd, const char *driver, struct pci_device room[PCI_DEVICES_MAX],
                        size_t used);

/*
 * So too all devices of the two classes above, whatever their driver or without one; not virtual
 * functions, which are parts of another. How many, or an errno as above.
 */
MUST_CHECK int pci_list_gpus(int root_fd, struct pci_device room[PCI_DEVICES_MAX]);

/* An address such as "0000:c1:00.0" as its order; false for what is none ("bind", "module"). */
bool pci_parse_address(const char *text, uint64_t *ret_order);

/* "0000:c1:00.0" of a device's name. */
const char *pci_address(const char *name);

/*
 * Attributes of the device `name`. Text loses its newline; a number is decimal. 0 or a negative
 * errno: -EBADMSG for what is no number up to max, or no text that fits.
 */
MUST_CHECK int pci_read_text(int root_fd, const char *name, const char *attribute, char *room,
                             size_t size);
MUST_CHECK int pci_read_u64(int root_fd, const char *name, const char *attribute, uint64_t max,
                            uint64_t *ret_value);
MUST_CHECK int pci_read_bytes(int root_fd, const char *name, const char *attribute, uint8_t *room,
                              size_t size, size_t *ret_len);

/*
 * "0x1002" as vendor or device, "c1f4…" as unique_id: hexadecimal with or without 0x; 0 when there
 * is no such attribute or it is none.
 */
uint64_t pci_read_hex(int root_fd, const char *name, const char *attribute);

/* A sensor chip of a device: its directory as attributes' prefix, "hwmon/hwmon3", and its name. */
struct pci_hwmon {
    char dir[24];
    char chip[24];
};

/* All of a device, sorted by chip. How many (up to PCI_HWMONS_MAX), or a negative errno. */
MUST_CHECK int pci_list_hwmons(int root_fd, const char *name,
                               struct pci_hwmon room[PCI_HWMONS_MAX]);

/* The one of this chip; -ENOENT when there is none. The number in `dir` may change over time. */
MUST_CHECK int pci_find_hwmon(int root_fd, const char *name, const char *chip,
                              struct pci_hwmon *ret_hwmon);

/* <dir>/<attribute> of a sensor chip as pci_read_u64(). */
MUST_CHECK int pci_read_hwmon(int root_fd, const char *name, const struct pci_hwmon *hwmon,
                              const char *attribute, uint64_t max, uint64_t *ret_value);

/*
 * A slot whose `name` is a device's: remember which it is, by its PCI id and its unique_id where
 * the kernel says them, in scratch[PCI_IDENTITY] and scratch[PCI_SERIAL].
 */
enum { PCI_IDENTITY, PCI_SERIAL, PCI_OWN }; /* from PCI_OWN on scratch is the source's own */
void pci_remember(int root_fd, struct sensor_slot *slot);

/* Whether it is there as far as known; one that was gone: whether it is back, and the same. */
bool pci_is_there(int root_fd, struct sensor_slot *slot);

/* The code of a reading that failed with rc: -ENODEV for one that is gone, and that is noted. */
int pci_note_failure(struct sensor_slot *slot, int rc);

/* The kernel's model of a device, or its PCI id ("1002:74a1") where it has none. */
void pci_describe(int root_fd, const struct pci_device *device, char *room, size_t size);

#endif

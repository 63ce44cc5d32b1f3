#include "config.h"

#include "cli/discover.h"

#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/parse.h"

#define GIB (UINT64_C(1) << 30)
#define KIB UINT64_C(1024)
#define GB UINT64_C(1000000000)
#define PCI_CLASS(id) ((id) >> 8) /* hwloc keeps class and subclass: 0x0302 */

/* Of the PCI ID repository and the PCI code and ID assignment specification 1.11. */
enum {
    PCI_NETWORK = 0x02, PCI_DISPLAY = 0x03, PCI_ACCELERATOR = 0x12,
    VENDOR_AMD = 0x1002, VENDOR_NVIDIA = 0x10de, VENDOR_VIRTIO = 0x1af4, VENDOR_QEMU = 0x1b36,
    VENDOR_VMWARE = 0x15ad, VENDOR_MICROSOFT = 0x1414, VENDOR_AMAZON = 0x1d0f,
    VENDOR_XEN = 0x5853, VENDOR_INTEL = 0x8086,
};

struct walk {
    hwloc_topology_t topology;
    struct bom_hardware *hardware;
    bool this_machine;
    uint32_t modules;             /* memory modules of unknown size */
    unsigned nic_slots[256];      /* domain, bus and device of the cards that were counted */
    size_t n_nic_slots;
    struct error *err;
};

static const char *info_of(hwloc_obj_t obj, const char *name)
{
    const char *text = hwloc_obj_get_info_by_name(obj, name);

    return text ? text : "";
}

/* --- loading ---------------------------------------------------------------------------------- */

static int configure(hwloc_topology_t topology, const char *xml, struct error *err)
{
    /* the x86 component would bind this process to every CPU in turn */
    if (hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) < 0 ||
        hwloc_topology_set_type_filter(topology, HWLOC_OBJ_MISC, HWLOC_TYPE_FILTER_KEEP_ALL) < 0 ||
        hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) < 0 ||
        hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST,
                                      "x86") < 0)
        return error_set_errno(err, -errno, "hwloc cannot be set up");
    if (!xml)
        return 0;
    if (access(xml, R_OK) < 0)
        return error_set_errno(err, -errno, "cannot read %s", xml);
    if (hwloc_topology_set_xml(topology, xml) < 0)
        return error_set(err, -EINVAL, "%s is no topology of hwloc 2; write one on the node with "
                         "`lstopo --of xml FILE`", xml);
    return 0;
}

static int load(const char *xml, hwloc_topology_t *ret, struct error *err)
{
    hwloc_topology_t topology;
    int rc;

    if (hwloc_topology_init(&topology) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    rc = configure(topology, xml, err);
    if (rc == 0 && hwloc_topology_load(topology) < 0)
        rc = xml ? error_set(err, -EINVAL, "%s is no whole topology of hwloc 2; write it anew on "
                             "the node with `lstopo --of xml FILE`", xml)
                 : error_set_errno(err, errno ? -errno : -EIO, "hwloc cannot read this machine");
    if (rc < 0) {
        hwloc_topology_destroy(topology);
        return rc;
    }
    *ret = topology;
    return 0;
}

/* --- machine, packages, memory ---------------------------------------------------------------- */

static bool is_virtual_vendor(unsigned vendor)
{
    return vendor == VENDOR_VIRTIO || vendor == VENDOR_QEMU || vendor == VENDOR_VMWARE ||
           vendor == VENDOR_MICROSOFT || vendor == VENDOR_AMAZON || vendor == VENDOR_XEN;
}

static bool is_virtual_product(const char *text)
{
    static const char *const names[] = { "QEMU", "KVM", "VMware", "Virtual Machine", "VirtualBox",
                                         "Xen", "OpenStack", "Google Compute", "Amazon EC2",
                                         "Bochs", NULL };

    for (size_t i = 0; names[i]; i++)
        if (strcasestr(text, names[i]))
            return true;
    return false;
}

static void take_machine(struct walk *walk)
{
    hwloc_obj_t root = hwloc_get_root_obj(walk->topology);
    struct bom_hardware *hardware = walk->hardware;

    snprintf(hardware->product, sizeof(hardware->product), "%s", info_of(root, "DMIProductName"));
    snprintf(hardware->host, sizeof(hardware->host), "%s", info_of(root, "HostName"));
    hardware->host[strcspn(hardware->host, ".")] = '\0';
    hardware->virtual_machine = is_virtual_product(hardware->product) ||
                                is_virtual_product(info_of(root, "DMISysVendor"));
}

static int take_packages(struct walk *walk)
{
    int packages = hwloc_get_nbobjs_by_type(walk->topology, HWLOC_OBJ_PACKAGE);
    int cores = hwloc_get_nbobjs_by_type(walk->topology, HWLOC_OBJ_CORE);
    int rc = 0;

    if (cores <= 0)
        cores = hwloc_get_nbobjs_by_type(walk->topology, HWLOC_OBJ_PU);
    walk->hardware->cores = cores > 0 ? (uint32_t)cores : 1;
    walk->hardware->packages = packages > 0 ? (uint32_t)packages : 1;
    if (packages <= 0)
        return bom_count(&walk->hardware->cpus, "", 1, 0, BOM_SSD, walk->err);
    for (int i = 0; rc == 0 && i < packages; i++) {
        hwloc_obj_t package = hwloc_get_obj_by_type(walk->topology, HWLOC_OBJ_PACKAGE,
                                                    (unsigned)i);

        rc = bom_count(&walk->hardware->cpus, info_of(package, "CPUModel"), 1, 0, BOM_SSD,
                       walk->err);
    }
    return rc;
}

/* Memory that is not in modules of its own: a GPU's, or on the CPU's package. */
static bool is_modules(hwloc_obj_t numa)
{
    static const char *const others[] = { "GPUMemory", "HBM", "MCDRAM", "SPM", "NVM", NULL };

    for (size_t i = 0; numa->subtype && others[i]; i++)
        if (strcmp(numa->subtype, others[i]) == 0)
            return false;
    return true;
}

static void take_memory(struct walk *walk)
{
    hwloc_obj_t numa = NULL;
    uint64_t bytes = 0;

    while ((numa = hwloc_get_next_obj_by_type(walk->topology, HWLOC_OBJ_NUMANODE, numa)) != NULL)
        if (is_modules(numa))
            bytes += numa->attr->numanode.local_memory;
    walk->hardware->memory_gb = (bytes + GIB - 1) / GIB;
}

/* A module that hwloc read from the firmware's tables (as root); empty sockets are not listed. */
static int take_module(struct walk *walk, hwloc_obj_t misc)
{
    uint64_t kib;

    if (!misc->subtype || strcmp(misc->subtype, "MemoryModule") != 0)
        return 0;
    if (parse_u64(info_of(misc, "Size"), 1, UINT64_MAX / KIB, &kib) < 0) {
        walk->modules++; /* hwloc before 2.10 does not say its size */
        return 0;
    }
    return bom_count(&walk->hardware->dimms, "", 1, (kib * KIB + GIB - 1) / GIB, BOM_SSD,
                     walk->err);
}

static int take_modules(struct walk *walk)
{
    static const uint64_t sizes_gb[] = { 1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 256, 512 };
    hwloc_obj_t misc = NULL;
    size_t i = 0;
    int rc = 0;

    while (rc == 0 && (misc = hwloc_get_next_obj_by_type(walk->topology, HWLOC_OBJ_MISC, misc)))
        rc = take_module(walk, misc);
    if (rc < 0)
        return rc;
    if (walk->modules == 0 && walk->hardware->dimms.count == 0)
        bom_assume_dimms(walk->hardware);
    if (walk->modules == 0)
        return 0;
    while (i + 1 < sizeof(sizes_gb) / sizeof(sizes_gb[0]) &&
           sizes_gb[i] * walk->modules < walk->hardware->memory_gb)
        i++;
    return bom_count(&walk->hardware->dimms, "", walk->modules, sizes_gb[i], BOM_SSD, walk->err);
}

/* --- PCI devices ------------------------------------------------------------------------------ */

/* The model as the driver has it, else as the PCI ID repository does. */
static const char *gpu_model(hwloc_obj_t pci)
{
    for (hwloc_obj_t os = pci->io_first_child; os; os = os->next_sibling)
        if (os->type == HWLOC_OBJ_OS_DEVICE && info_of(os, "GPUModel")[0])
            return info_of(os, "GPUModel");
    return info_of(pci, "PCIDevice");
}

/* A GPU for computing, rather than the console's. */
static bool is_gpu(hwloc_obj_t pci)
{
    unsigned class = PCI_CLASS(pci->attr->pcidev.class_id);
    unsigned vendor = pci->attr->pcidev.vendor_id;

    if (class == PCI_ACCELERATOR)
        return vendor == VENDOR_NVIDIA || vendor == VENDOR_AMD || vendor == VENDOR_INTEL;
    if (class != PCI_DISPLAY)
        return false;
    return vendor == VENDOR_NVIDIA || vendor == VENDOR_AMD ||
           (vendor == VENDOR_INTEL && pci->attr->pcidev.class_id != 0x0300);
}

/* Ports of the mainboard are counted with it. */
static bool is_on_board(const char *model)
{
    static const char *const names[] = { "I210", "I350", "BCM5720", "BCM5719", "Gigabit Ethernet",
                                         "1GbE", NULL };

    if (strstr(model, "10-Gigabit") || strstr(model, "10 Gigabit") || strstr(model, "10-Gbit"))
        return false;
    for (size_t i = 0; names[i]; i++)
        if (strcasestr(model, names[i]))
            return true;
    return false;
}

/* Functions (ports) of one card share domain, bus and device. */
static int take_nic(struct walk *walk, hwloc_obj_t pci)
{
    const struct hwloc_pcidev_attr_s *attr = &pci->attr->pcidev;
    unsigned slot = (unsigned)attr->domain << 16 | (unsigned)attr->bus << 8 | attr->dev;

    if (is_on_board(info_of(pci, "PCIDevice")))
        return 0;
    for (size_t i = 0; i < walk->n_nic_slots; i++)
        if (walk->nic_slots[i] == slot)
            return 0;
    if (walk->n_nic_slots < sizeof(walk->nic_slots) / sizeof(walk->nic_slots[0]))
        walk->nic_slots[walk->n_nic_slots++] = slot;
    return bom_count(&walk->hardware->nics, info_of(pci, "PCIDevice"), 1, 0, BOM_SSD, walk->err);
}

static int take_pci(struct walk *walk)
{
    hwloc_obj_t pci = NULL;
    int rc = 0;

    while (rc == 0 && (pci = hwloc_get_next_pcidev(walk->topology, pci)) != NULL) {
        walk->hardware->has_io = true;
        if (is_virtual_vendor(pci->attr->pcidev.vendor_id))
            walk->hardware->virtual_machine = true;
        else if (is_gpu(pci))
            rc = bom_count(&walk->hardware->gpus, gpu_model(pci), 1, 0, BOM_SSD, walk->err);
        else if (PCI_CLASS(pci->attr->pcidev.class_id) == PCI_NETWORK)
            rc = take_nic(walk, pci);
    }
    return rc;
}

/* --- disks ------------------------------------------------------------------------------------ */

static enum bom_disk disk_kind(const struct walk *walk, hwloc_obj_t os)
{
    char path[256], text[8];

    if (strncmp(os->name, "nvme", 4) == 0 || strncmp(os->name, "pmem", 4) == 0)
        return BOM_SSD;
    if (info_of(os, "Rotational")[0])
        return info_of(os, "Rotational")[0] == '0' ? BOM_SSD : BOM_HDD;
    snprintf(path, sizeof(path), "/sys/class/block/%.64s/queue/rotational", os->name);
    if (walk->this_machine && file_read_small(AT_FDCWD, path, text, sizeof(text), NULL) == 0)
        return text[0] == '0' ? BOM_SSD : BOM_HDD;
    return strcasestr(info_of(os, "Model"), "SSD") ? BOM_SSD : BOM_DISK_UNKNOWN;
}

static bool is_virtual_device(hwloc_obj_t os)
{
    for (hwloc_obj_t up = os->parent; up; up = up->parent)
        if (up->type == HWLOC_OBJ_PCI_DEVICE)
            return is_virtual_vendor(up->attr->pcidev.vendor_id);
    return false;
}

/* Whole disks that stay in the machine. */
static bool is_disk(hwloc_obj_t os)
{
    if (os->attr->osdev.type != HWLOC_OBJ_OSDEV_BLOCK || !os->name || is_virtual_device(os))
        return false;
    return !os->subtype || strcmp(os->subtype, "Disk") == 0;
}

static int take_disks(struct walk *walk)
{
    hwloc_obj_t os = NULL;
    int rc = 0;

    while (rc == 0 && (os = hwloc_get_next_osdev(walk->topology, os)) != NULL) {
        uint64_t kib;

        walk->hardware->has_io = true;
        if (!is_disk(os) ||
            parse_u64(info_of(os, "Size"), 1, UINT64_C(1) << 40, &kib) < 0 ||
            kib * KIB < GB) /* a slot without a medium */
            continue;
        rc = bom_count(&walk->hardware->disks, info_of(os, "Model"), 1,
                       (kib * KIB + GB / 2) / GB, disk_kind(walk, os), walk->err);
    }
    return rc;
}

/* --- public ----------------------------------------------------------------------------------- */

int discover_hardware(const char *xml, struct bom_hardware *ret, struct error *err)
{
    struct walk walk = { .hardware = ret, .this_machine = !xml, .err = err };
    int rc = load(xml, &walk.topology, err);

    if (rc < 0)
        return rc;
    *ret = (struct bom_hardware){ .has_io = false };
    take_machine(&walk);
    take_memory(&walk);
    rc = take_packages(&walk);
    if (rc == 0)
        rc = take_modules(&walk);
    if (rc == 0)
        rc = take_pci(&walk);
    if (rc == 0)
        rc = take_disks(&walk);
    hwloc_topology_destroy(walk.topology);
    return rc;
}

#include "sensors/pci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/parse.h"
#include "sensors/source.h"

#define DRIVERS "sys/bus/pci/drivers"
#define DEVICES "sys/bus/pci/devices"

static bool take_hex(const char **text, unsigned digits_max, char end, uint64_t *value)
{
    uint64_t number = 0;
    unsigned digits = 0;

    for (; **text && **text != end; (*text)++, digits++) {
        char c = **text;

        if (digits == digits_max)
            return false;
        if (c >= '0' && c <= '9')
            number = number << 4 | (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            number = number << 4 | (unsigned)(c - 'a' + 10);
        else
            return false;
    }
    if (digits == 0 || **text != end)
        return false;
    if (end)
        (*text)++;
    *value = number;
    return true;
}

bool pci_parse_address(const char *text, uint64_t *ret_order)
{
    uint64_t domain, bus, device, function;

    if (!take_hex(&text, 8, ':', &domain) || !take_hex(&text, 2, ':', &bus) ||
        !take_hex(&text, 2, '.', &device) || !take_hex(&text, 1, '\0', &function))
        return false;
    *ret_order = domain << 20 | bus << 12 | device << 4 | function;
    return true;
}

const char *pci_address(const char *name)
{
    const char *slash = strchr(name, '/');

    return slash ? slash + 1 : name;
}

static int read_at(int root_fd, const char *name, const char *attribute, char *room, size_t size,
                   size_t *ret_len)
{
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof(path), "%s/%s/%s", strchr(name, '/') ? DRIVERS : DEVICES,
                         name, attribute) >= sizeof(path))
        return -ENAMETOOLONG;
    return file_read_small(root_fd, path, room, size, ret_len);
}

int pci_read_text(int root_fd, const char *name, const char *attribute, char *room, size_t size)
{
    size_t len;
    int rc = read_at(root_fd, name, attribute, room, size, &len);

    if (rc < 0)
        return rc == -EFBIG ? -EBADMSG : rc;
    if (len > 0 && room[len - 1] == '\n')
        room[--len] = '\0';
    return strlen(room) == len ? 0 : -EBADMSG;
}

int pci_read_u64(int root_fd, const char *name, const char *attribute, uint64_t max,
                 uint64_t *ret_value)
{
    char text[32];
    int rc = pci_read_text(root_fd, name, attribute, text, sizeof(text));

    if (rc < 0)
        return rc;
    return parse_u64(text, 0, max, ret_value) < 0 ? -EBADMSG : 0;
}

int pci_read_bytes(int root_fd, const char *name, const char *attribute, uint8_t *room,
                   size_t size, size_t *ret_len)
{
    int rc = read_at(root_fd, name, attribute, (char *)room, size, ret_len);

    return rc == -EFBIG ? -EBADMSG : rc;
}

uint64_t pci_read_hex(int root_fd, const char *name, const char *attribute)
{
    char text[32];
    const char *digits = text;
    uint64_t value;

    if (pci_read_text(root_fd, name, attribute, text, sizeof(text)) < 0)
        return 0;
    if (strncmp(text, "0x", 2) == 0)
        digits += 2;
    return take_hex(&digits, 16, '\0', &value) ? value : 0;
}

static int compare_devices(const void *a, const void *b)
{
    const struct pci_device *x = a, *y = b;

    return (x->order > y->order) - (x->order < y->order);
}

static int open_dir(int root_fd, const char *path, DIR **ret_dir)
{
    int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return -errno;
    *ret_dir = fdopendir(fd);
    if (*ret_dir)
        return 0;
    rc = -errno;
    close(fd);
    return rc;
}

static bool take_device(int root_fd, const char *driver, const char *entry,
                        struct pci_device *ret_device)
{
    size_t len;

    if (!pci_parse_address(entry, &ret_device->order))
        return false;
    len = (size_t)snprintf(ret_device->name, sizeof(ret_device->name), "%s/%s", driver, entry);
    if (len >= sizeof(ret_device->name))
        return false;
    ret_device->vendor = (uint16_t)pci_read_hex(root_fd, ret_device->name, "vendor");
    ret_device->device = (uint16_t)pci_read_hex(root_fd, ret_device->name, "device");
    return true;
}

/* A virtual function has a link to the device whose part it is. */
static bool is_virtual(int root_fd, const char *address)
{
    char path[PATH_MAX];
    struct stat st;

    snprintf(path, sizeof(path), DEVICES "/%s/physfn", address);
    return fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool take_gpu(int root_fd, const char *entry, struct pci_device *ret_device)
{
    unsigned base;

    if (strlen(entry) >= sizeof(ret_device->name) ||
        !pci_parse_address(entry, &ret_device->order))
        return false;
    snprintf(ret_device->name, sizeof(ret_device->name), "%s", entry);
    ret_device->class = (uint32_t)pci_read_hex(root_fd, entry, "class");
    base = ret_device->class >> 16;
    if ((base != PCI_CLASS_DISPLAY && base != PCI_CLASS_ACCELERATOR) || is_virtual(root_fd, entry))
        return false;
    ret_device->vendor = (uint16_t)pci_read_hex(root_fd, entry, "vendor");
    ret_device->device = (uint16_t)pci_read_hex(root_fd, entry, "device");
    return true;
}

static int list(int root_fd, const char *path, const char *driver,
                struct pci_device room[PCI_DEVICES_MAX], size_t used)
{
    struct dirent *entry;
    DIR *dir;
    int rc = open_dir(root_fd, path, &dir);

    if (rc < 0)
        return rc;
    while (rc == 0 && (entry = readdir(dir))) {
        struct pci_device device = { .class = 0 };

        if (!(driver ? take_device(root_fd, driver, entry->d_name, &device)
                     : take_gpu(root_fd, entry->d_name, &device)))
            continue;
        if (used == PCI_DEVICES_MAX)
            rc = -EOVERFLOW;
        else
            room[used++] = device;
    }
    closedir(dir);
    if (rc < 0)
        return rc;
    qsort(room, used, sizeof(*room), compare_devices);
    return (int)used;
}

int pci_list(int root_fd, const char *driver, struct pci_device room[PCI_DEVICES_MAX], size_t used)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), DRIVERS "/%s", driver);
    return list(root_fd, path, driver, room, used);
}

int pci_list_gpus(int root_fd, struct pci_device room[PCI_DEVICES_MAX])
{
    return list(root_fd, DEVICES, NULL, room, 0);
}

static int compare_hwmons(const void *a, const void *b)
{
    return strcmp(((const struct pci_hwmon *)a)->chip, ((const struct pci_hwmon *)b)->chip);
}

static bool take_hwmon(int root_fd, const char *name, const char *entry,
                       struct pci_hwmon *ret_hwmon)
{
    char attribute[40];

    if (strncmp(entry, "hwmon", 5) != 0 || strlen(entry) > 12)
        return false;
    snprintf(ret_hwmon->dir, sizeof(ret_hwmon->dir), "hwmon/%.12s", entry);
    snprintf(attribute, sizeof(attribute), "%s/name", ret_hwmon->dir);
    return pci_read_text(root_fd, name, attribute, ret_hwmon->chip, sizeof(ret_hwmon->chip)) == 0;
}

int pci_list_hwmons(int root_fd, const char *name, struct pci_hwmon room[PCI_HWMONS_MAX])
{
    char path[PATH_MAX];
    struct dirent *entry;
    size_t count = 0;
    DIR *dir;
    int rc;

    snprintf(path, sizeof(path), DRIVERS "/%s/hwmon", name);
    rc = open_dir(root_fd, path, &dir);
    if (rc < 0)
        return rc;
    while (count < PCI_HWMONS_MAX && (entry = readdir(dir)))
        count += take_hwmon(root_fd, name, entry->d_name, &room[count]);
    closedir(dir);
    qsort(room, count, sizeof(*room), compare_hwmons);
    return (int)count;
}

int pci_find_hwmon(int root_fd, const char *name, const char *chip, struct pci_hwmon *ret_hwmon)
{
    struct pci_hwmon hwmons[PCI_HWMONS_MAX];
    int count = pci_list_hwmons(root_fd, name, hwmons);

    for (int i = 0; i < count; i++)
        if (strcmp(hwmons[i].chip, chip) == 0) {
            *ret_hwmon = hwmons[i];
            return 0;
        }
    return count < 0 ? count : -ENOENT;
}

int pci_read_hwmon(int root_fd, const char *name, const struct pci_hwmon *hwmon,
                   const char *attribute, uint64_t max, uint64_t *ret_value)
{
    char path[64];

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", hwmon->dir, attribute) >= sizeof(path))
        return -ENAMETOOLONG;
    return pci_read_u64(root_fd, name, path, max, ret_value);
}

static uint64_t read_identity(int root_fd, const char *name, uint64_t *ret_serial)
{
    *ret_serial = pci_read_hex(root_fd, name, "unique_id");
    return pci_read_hex(root_fd, name, "vendor") << 16 | pci_read_hex(root_fd, name, "device");
}

void pci_remember(int root_fd, struct sensor_slot *slot)
{
    slot->scratch[PCI_IDENTITY] = read_identity(root_fd, slot->name, &slot->scratch[PCI_SERIAL]);
}

bool pci_is_there(int root_fd, struct sensor_slot *slot)
{
    uint64_t serial;

    if (slot->retry_ns == 0)
        return true;
    if (!sensors_may_look(slot) ||
        read_identity(root_fd, slot->name, &serial) != slot->scratch[PCI_IDENTITY] ||
        serial != slot->scratch[PCI_SERIAL])
        return false;
    slot->retry_ns = 0;
    return true;
}

int pci_note_failure(struct sensor_slot *slot, int rc)
{
    if (rc != -ENODEV && rc != -ENOENT)
        return rc;
    sensors_look_later(slot);
    return -ENODEV;
}

void pci_describe(int root_fd, const struct pci_device *device, char *room, size_t size)
{
    char model[80];

    if (pci_read_text(root_fd, device->name, "product_name", model, sizeof(model)) == 0 &&
        model[strspn(model, " ")] != '\0')
        snprintf(room, size, "%s", model);
    else
        snprintf(room, size, "%04x:%04x", device->vendor, device->device);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakesys_tree.c - the directories, links and files of one machine, laid out
 * as Linux lays them out. Node numbers never change once the tree is built.
 */
#include "config.h"
#include "fakesys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char powercap_class[] = "sys/class/powercap";
static const char powercap_devices[] = "sys/devices/virtual/powercap";

/*
 * What is being built. The first failure sticks, so that the steps below need
 * no check of their own; `domain` marks nodes that go when it vanishes.
 */
struct builder {
    struct machine *machine;
    int node_room;
    int domain;
    int rc;
};

/* --- nodes ---------------------------------------------------------------- */

static int new_node(struct builder *builder, int parent, const char *name, mode_t mode)
{
    struct machine *machine = builder->machine;
    int index = machine->node_count;

    if (index == builder->node_room) {
        int room = builder->node_room ? builder->node_room * 2 : 256;
        struct node *nodes = realloc(machine->nodes, (size_t)room * sizeof(*nodes));

        if (!nodes) {
            builder->rc = -ENOMEM;
            return 0;
        }
        machine->nodes = nodes;
        builder->node_room = room;
    }
    machine->nodes[index] = (struct node){
        .name = strdup(name),
        .domain = builder->domain,
        .mode = mode,
        .uid = geteuid(),
        .gid = getegid(),
        .parent = parent,
        .first_child = -1,
        .last_child = -1,
        .next_sibling = -1,
    };
    if (!machine->nodes[index].name) {
        builder->rc = -ENOMEM;
        return 0;
    }
    machine->node_count++;
    return index;
}

static int add_node(struct builder *builder, int parent, const char *name, mode_t mode)
{
    int index = builder->rc == 0 ? new_node(builder, parent, name, mode) : 0;
    struct node *nodes = builder->machine->nodes;

    if (index == 0)
        return 0;
    if (nodes[parent].last_child < 0)
        nodes[parent].first_child = index;
    else
        nodes[nodes[parent].last_child].next_sibling = index;
    nodes[parent].last_child = index;
    return index;
}

static int child_named(const struct machine *machine, int parent, const char *name, size_t size)
{
    for (int i = machine->nodes[parent].first_child; i >= 0; i = machine->nodes[i].next_sibling) {
        const char *other = machine->nodes[i].name;

        if (strncmp(other, name, size) == 0 && other[size] == '\0')
            return i;
    }
    return -1;
}

/* The directory at `path` below `from`, made with its parents where missing. */
static int make_path(struct builder *builder, int from, const char *path)
{
    while (builder->rc == 0 && *path != '\0') {
        size_t size = strcspn(path, "/");
        int next = child_named(builder->machine, from, path, size);
        char *name = next < 0 ? strndup(path, size) : NULL;

        if (next < 0 && !name)
            builder->rc = -ENOMEM;
        if (name)
            next = add_node(builder, from, name, S_IFDIR | 0755);
        free(name);
        from = next;
        path += size + (path[size] == '/');
    }
    return builder->rc == 0 ? from : 0;
}

/* A directory; name and parents as a format. */
static int __attribute__((format(printf, 3, 4)))
add_directory(struct builder *builder, int parent, const char *format, ...)
{
    char *path = NULL;
    va_list arguments;
    int made, index;

    va_start(arguments, format);
    made = vasprintf(&path, format, arguments);
    va_end(arguments);
    if (made < 0) {
        builder->rc = -ENOMEM;
        return 0;
    }
    index = make_path(builder, parent, path);
    free(path);
    return index;
}

/* A file (S_IFREG) or link (S_IFLNK) of constant text. */
static void add_constant(struct builder *builder, int parent, const char *name, mode_t mode,
                         const char *format, va_list arguments)
{
    char *text = NULL;
    int index = vasprintf(&text, format, arguments) >= 0 ? add_node(builder, parent, name, mode)
                                                          : 0;

    if (index == 0) {
        free(text);
        builder->rc = builder->rc ? builder->rc : -ENOMEM;
        return;
    }
    builder->machine->nodes[index].text = text;
}

static void __attribute__((format(printf, 4, 5)))
add_file(struct builder *builder, int parent, const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_constant(builder, parent, name, S_IFREG | 0444, format, arguments);
    va_end(arguments);
}

static void __attribute__((format(printf, 4, 5)))
add_link(struct builder *builder, int parent, const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_constant(builder, parent, name, S_IFLNK | 0777, format, arguments);
    va_end(arguments);
}

static int add_shown(struct builder *builder, int parent, const char *name, mode_t mode,
                     node_show *show, int arg)
{
    int index = add_node(builder, parent, name, S_IFREG | mode);

    if (index > 0) {
        builder->machine->nodes[index].show = show;
        builder->machine->nodes[index].arg = arg;
    }
    return index;
}

bool node_is_visible(const struct machine *machine, int node)
{
    return !domain_is_gone(machine, machine->nodes[node].domain);
}

/* --- powercap ------------------------------------------------------------- */

static const struct options *options_of(const struct builder *builder)
{
    return &builder->machine->options;
}

static int domain_named(const struct machine *machine, const char *kind, unsigned int socket)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof(name), "%s-%u", kind, socket);
    for (int i = 0; i < machine->domain_count; i++) {
        if (strcmp(machine->domains[i].name, name) == 0)
            return i;
    }
    return -1;
}

/* The one domain of a name without a number. */
static int domain_alone(const struct machine *machine, const char *name)
{
    int i = machine->domain_count - 1;

    while (i > 0 && strcmp(machine->domains[i].name, name) != 0)
        i--;
    return i;
}

/*
 * max_energy_range_uj of a counter that wraps at range_uj. Linux multiplies a 32-bit register by a
 * unit of whole nanojoules and rounds down, so that the file says what the register's largest value
 * is, almost a unit below the range. A range of no such unit: the largest reading.
 */
static uint64_t max_range_uj(uint64_t range_uj)
{
    u128 unit_nj = ((u128)range_uj * 1000 + (UINT64_C(1) << 31)) >> 32;

    if (((unit_nj << 32) + 500) / 1000 != range_uj)
        return range_uj - 1;
    return (uint64_t)(unit_nj * UINT32_MAX / 1000);
}

/* A zone's files; `up` climbs from its directory to sys/. */
static void fill_zone(struct builder *builder, int zone, const char *name, int domain,
                      const char *up)
{
    int node = add_shown(builder, zone, "energy_uj", 0400, show_energy, domain);

    if (node > 0)
        builder->machine->nodes[node].is_reading = true;
    add_file(builder, zone, "name", "%s\n", name);
    add_file(builder, zone, "max_energy_range_uj", "%" PRIu64 "\n",
             max_range_uj(builder->machine->domains[domain].range_uj));
    add_file(builder, zone, "enabled", "1\n");
    add_file(builder, zone, "uevent", "%s", "");
    add_link(builder, zone, "subsystem", "%sclass/powercap", up);
}

/* What a subzone has not. */
static void fill_top_zone(struct builder *builder, int zone)
{
    add_file(builder, zone, "constraint_0_name", "long_term\n");
    add_file(builder, zone, "constraint_0_max_power_uw", "205000000\n");
    add_file(builder, zone, "constraint_0_power_limit_uw", "205000000\n");
    add_file(builder, zone, "constraint_0_time_window_us", "999424\n");
}

/* intel-rapl, intel-rapl-mmio: the parent of a kind's zones. */
static void add_control_type(struct builder *builder, const char *type)
{
    int class = add_directory(builder, 0, "%s", powercap_class);
    int directory = add_directory(builder, 0, "%s/%s", powercap_devices, type);

    add_file(builder, directory, "enabled", "1\n");
    add_file(builder, directory, "uevent", "%s", "");
    add_link(builder, directory, "subsystem", "../../../../class/powercap");
    add_link(builder, class, type, "../../devices/virtual/powercap/%s", type);
}

/* A top-level zone TYPE:NUMBER. */
static void add_zone(struct builder *builder, const char *type, unsigned int number,
                     const char *name, int domain)
{
    char id[NAME_SIZE];
    int class, zone;

    snprintf(id, sizeof(id), "%s:%u", type, number);
    class = add_directory(builder, 0, "%s", powercap_class);
    builder->domain = domain;
    zone = add_directory(builder, 0, "%s/%s/%s", powercap_devices, type, id);
    fill_zone(builder, zone, name, domain, "../../../../../");
    if (builder->machine->domains[domain].parent < 0)
        fill_top_zone(builder, zone);
    add_link(builder, zone, "device", "../../%s", type);
    add_link(builder, class, id, "../../devices/virtual/powercap/%s/%s", type, id);
    builder->domain = -1;
}

/* A subzone, nested below its package and linked beside it in the class. */
static void add_subzone(struct builder *builder, unsigned int number, unsigned int sub,
                        const char *name, int domain)
{
    char parent[NAME_SIZE], id[NAME_SIZE * 2];
    int class, zone;

    snprintf(parent, sizeof(parent), "intel-rapl:%u", number);
    snprintf(id, sizeof(id), "%s:%u", parent, sub);
    class = add_directory(builder, 0, "%s", powercap_class);
    builder->domain = domain;
    zone = add_directory(builder, 0, "%s/intel-rapl/%s/%s", powercap_devices, parent, id);
    fill_zone(builder, zone, name, domain, "../../../../../../");
    add_link(builder, zone, "device", "../../%s", parent);
    add_link(builder, class, id, "../../devices/virtual/powercap/intel-rapl/%s/%s", parent, id);
    builder->domain = -1;
}

/* The driver looks for core, uncore and dram in this order and numbers those it finds. */
static void add_subzones(struct builder *builder, unsigned int number, unsigned int socket)
{
    static const char *const kinds[] = { "core", "uncore", "dram" };
    unsigned int sub = 0;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int domain = domain_named(builder->machine, kinds[i], socket);

        if (domain >= 0)
            add_subzone(builder, number, sub++, kinds[i], domain);
    }
}

/* Every die of a package is a zone of its own that shows the package's counter. */
static void add_package(struct builder *builder, unsigned int first_number, unsigned int socket)
{
    unsigned int dies = options_of(builder)->dies;
    int domain = domain_named(builder->machine, "package", socket);

    for (unsigned int die = 0; die < dies; die++) {
        char name[NAME_SIZE * 2];

        snprintf(name, sizeof(name), "package-%u", socket);
        if (dies > 1)
            snprintf(name, sizeof(name), "package-%u-die-%u", socket, die);
        add_zone(builder, "intel-rapl", first_number + die, name, domain);
    }
    add_subzones(builder, first_number, socket);
}

static void add_powercap(struct builder *builder)
{
    const struct options *options = options_of(builder);
    unsigned int number = 0;

    add_control_type(builder, "intel-rapl");
    for (unsigned int i = 0; i < options->sockets; i++) {
        add_package(builder, number, options->reverse_zones ? options->sockets - 1 - i : i);
        number += options->dies;
    }
    if (options->psys)
        add_zone(builder, "intel-rapl", number, "psys", domain_alone(builder->machine, "psys"));
    if (!options->mmio)
        return;
    add_control_type(builder, "intel-rapl-mmio");
    for (unsigned int i = 0; i < options->sockets; i++) {
        char name[NAME_SIZE];

        snprintf(name, sizeof(name), "package-%u", i);
        add_zone(builder, "intel-rapl-mmio", i, name, domain_named(builder->machine, "package", i));
    }
}

/* --- sets of CPUs --------------------------------------------------------- */

enum scope {
    SCOPE_MACHINE,
    SCOPE_SOCKET,
    SCOPE_CORE,
};

static bool is_in_scope(const struct machine *machine, enum scope scope, int self, int other)
{
    const struct cpu *a = &machine->cpus[self];
    const struct cpu *b = &machine->cpus[other];

    return scope == SCOPE_MACHINE || (a->socket == b->socket &&
                                      (scope == SCOPE_SOCKET || a->core == b->core));
}

/* The kernel's bitmap form: 32-bit words in hexadecimal, the highest first, without padding it. */
static void print_map(FILE *out, const struct machine *machine, enum scope scope, int self)
{
    int top = (machine->cpu_count - 1) / 32;

    for (int word = top; word >= 0; word--) {
        int bits = word == top ? (machine->cpu_count - 1) % 32 + 1 : 32;
        uint32_t value = 0;

        for (int bit = 0; bit < bits; bit++) {
            if (is_in_scope(machine, scope, self, word * 32 + bit))
                value |= UINT32_C(1) << bit;
        }
        fprintf(out, "%s%0*" PRIx32, word == top ? "" : ",", (bits + 3) / 4, value);
    }
    fputc('\n', out);
}

/* The kernel's list form: 0-3,8-11. */
static void print_list(FILE *out, const struct machine *machine, enum scope scope, int self)
{
    const char *comma = "";

    for (int i = 0; i < machine->cpu_count; i++) {
        int last = i;

        if (!is_in_scope(machine, scope, self, i))
            continue;
        while (last + 1 < machine->cpu_count && is_in_scope(machine, scope, self, last + 1))
            last++;
        fprintf(out, last > i ? "%s%d-%d" : "%s%d", comma, i, last);
        comma = ",";
        i = last;
    }
    fputc('\n', out);
}

typedef void set_printer(FILE *out, const struct machine *machine, enum scope scope, int self);

static void add_set(struct builder *builder, int parent, const char *name, set_printer *print,
                    enum scope scope, int self)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        builder->rc = -ENOMEM;
        return;
    }
    print(out, builder->machine, scope, self);
    if (fclose(out) == 0)
        add_file(builder, parent, name, "%s", text);
    else
        builder->rc = -ENOMEM;
    free(text);
}

/* --- topology ------------------------------------------------------------- */

static void add_cpu(struct builder *builder, int root, int number)
{
    static const struct {
        const char *map;
        const char *list;
        enum scope scope;
    } sets[] = {
        { "core_cpus", "core_cpus_list", SCOPE_CORE },
        { "thread_siblings", "thread_siblings_list", SCOPE_CORE },
        { "package_cpus", "package_cpus_list", SCOPE_SOCKET },
        { "core_siblings", "core_siblings_list", SCOPE_SOCKET },
    };
    const struct cpu *cpu = &builder->machine->cpus[number];
    int directory = add_directory(builder, root, "cpu%d", number);
    int topology = add_directory(builder, directory, "topology");

    if (number > 0)     /* the boot CPU cannot be taken offline */
        add_file(builder, directory, "online", "1\n");
    add_file(builder, topology, "physical_package_id", "%u\n", cpu->socket);
    add_file(builder, topology, "core_id", "%u\n", cpu->core);
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        add_set(builder, topology, sets[i].map, print_map, sets[i].scope, number);
        add_set(builder, topology, sets[i].list, print_list, sets[i].scope, number);
    }
}

static void add_cpus(struct builder *builder)
{
    static const char *const lists[] = { "online", "possible", "present" };
    int root = add_directory(builder, 0, "sys/devices/system/cpu");

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        add_set(builder, root, lists[i], print_list, SCOPE_MACHINE, 0);
    add_file(builder, root, "offline", "\n");
    add_file(builder, root, "kernel_max", "8191\n");
    for (int i = 0; i < builder->machine->cpu_count; i++)
        add_cpu(builder, root, i);
}

static int first_cpu_of(const struct machine *machine, unsigned int socket)
{
    int i = 0;

    while (machine->cpus[i].socket != socket)
        i++;
    return i;
}

/* Numbers 0..count-1 as the kernel lists them. */
static void add_range(struct builder *builder, int parent, const char *name, unsigned int count)
{
    if (count > 1)
        add_file(builder, parent, name, "0-%u\n", count - 1);
    else
        add_file(builder, parent, name, "0\n");
}

static void add_distance(struct builder *builder, int node, unsigned int self)
{
    unsigned int count = options_of(builder)->sockets;
    char text[16 * 3 + 2] = "";
    size_t at = 0;

    if (count > 16)
        return;
    for (unsigned int i = 0; i < count; i++)    /* 10 is here, 21 is across */
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d", i ? " " : "",
                               i == self ? 10 : 21);
    add_file(builder, node, "distance", "%s\n", text);
}

/* One memory node per socket. */
static void add_memory(struct builder *builder)
{
    static const char *const lists[] = {
        "online", "possible", "has_cpu", "has_memory", "has_normal_memory",
    };
    unsigned int sockets = options_of(builder)->sockets;
    uint64_t kib = options_of(builder)->memory_mib * 1024;
    int root = add_directory(builder, 0, "sys/devices/system/node");

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        add_range(builder, root, lists[i], sockets);
    for (unsigned int i = 0; i < sockets; i++) {
        int node = add_directory(builder, root, "node%u", i);
        int cpu = first_cpu_of(builder->machine, i);

        add_set(builder, node, "cpumap", print_map, SCOPE_SOCKET, cpu);
        add_set(builder, node, "cpulist", print_list, SCOPE_SOCKET, cpu);
        add_file(builder, node, "meminfo",
                 "Node %u MemTotal: %15" PRIu64 " kB\nNode %u MemFree:  %15" PRIu64 " kB\n",
                 i, kib / sockets, i, kib / sockets);
        add_distance(builder, node, i);
    }
}

/* --- proc ----------------------------------------------------------------- */

static int show_cpuinfo(struct machine *machine, int arg, uint64_t now_ns, FILE *out)
{
    const struct options *options = &machine->options;

    (void)arg, (void)now_ns;
    for (int i = 0; i < machine->cpu_count; i++) {
        const struct cpu *cpu = &machine->cpus[i];

        fprintf(out, "processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
                "model\t\t: 85\nmodel name\t: Simulated CPU @ 2.50GHz\nstepping\t: 7\n"
                "physical id\t: %u\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n\n",
                i, cpu->socket, options->cores * options->threads, cpu->core, options->cores);
    }
    return 0;
}

static int show_boot_id(struct machine *machine, int arg, uint64_t now_ns, FILE *out)
{
    (void)arg, (void)now_ns;
    fprintf(out, "%s\n", machine->boot_id);
    return 0;
}

static void add_proc(struct builder *builder)
{
    uint64_t kib = options_of(builder)->memory_mib * 1024;
    int proc = add_directory(builder, 0, "proc");
    int random = add_directory(builder, proc, "sys/kernel/random");

    add_shown(builder, proc, "stat", 0444, show_proc_stat, 0);
    add_shown(builder, proc, "cpuinfo", 0444, show_cpuinfo, 0);
    add_shown(builder, random, "boot_id", 0444, show_boot_id, 0);
    add_file(builder, proc, "meminfo",
             "MemTotal:     %13" PRIu64 " kB\nMemFree:      %13" PRIu64 " kB\n", kib, kib);
}

/* --- GPUs and the node's meter ------------------------------------------------------------- */

/* What the fake libnvidia-ml.so.1 answers with (fake_nvml.c), and what shows that there is one. */
static void add_gpus(struct builder *builder)
{
    int driver = add_directory(builder, 0, "proc/driver/nvidia");

    add_file(builder, driver, "version",
             "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15\n");
    for (unsigned int i = 0; i < options_of(builder)->gpus; i++) {
        int domain = domain_named(builder->machine, "gpu", i);
        int gpu = add_directory(builder, 0, "fake/nvml/gpu%u", i), node;

        builder->domain = domain;
        node = add_shown(builder, gpu, "energy_mj", 0444, show_energy_mj, domain);
        if (node > 0)
            builder->machine->nodes[node].is_reading = true;
        add_shown(builder, gpu, "power_mw", 0444, show_power_mw, domain);
        builder->domain = -1;
        add_file(builder, gpu, "uuid", "GPU-%08x-0000-4000-8000-000000000000\n", 0xa100 + i);
        add_file(builder, gpu, "name", "NVIDIA A100-SXM4-40GB\n");
        add_file(builder, gpu, "bus_id", "00000000:%02X:00.0\n", 0x10 + i * 8);
        add_file(builder, gpu, "minor", "%u\n", i);
        add_file(builder, gpu, "power_limit_mw", "400000\n");
    }
}

static void add_node_meter(struct builder *builder)
{
    int counters = add_directory(builder, 0, "sys/cray/pm_counters");
    int domain = domain_alone(builder->machine, "node"), node;

    node = add_shown(builder, counters, "energy", 0444, show_pm_energy, domain);
    if (node > 0)
        builder->machine->nodes[node].is_reading = true;
    add_shown(builder, counters, "freshness", 0444, show_pm_freshness, 0);
    add_file(builder, counters, "generation", "1\n");
    add_file(builder, counters, "version", "2\n");
}

/* --- the whole ------------------------------------------------------------ */

int tree_build(struct machine *machine)
{
    struct builder builder = { .machine = machine, .domain = -1 };
    int control;

    new_node(&builder, -1, "", S_IFDIR | 0755);
    if (builder.rc < 0)
        return builder.rc;
    add_cpus(&builder);
    add_memory(&builder);
    add_proc(&builder);
    if (machine->options.rapl)
        add_powercap(&builder);
    if (machine->options.gpus)
        add_gpus(&builder);
    if (machine->options.node_meter)
        add_node_meter(&builder);
    control = add_shown(&builder, 0, "ctl", 0600, show_control, 0);
    if (control > 0)
        machine->nodes[control].is_control = true;
    return builder.rc;
}

void tree_destroy(struct machine *machine)
{
    for (int i = 0; i < machine->node_count; i++) {
        free(machine->nodes[i].name);
        free(machine->nodes[i].text);
    }
    free(machine->nodes);
    machine->nodes = NULL;
    machine->node_count = 0;
}

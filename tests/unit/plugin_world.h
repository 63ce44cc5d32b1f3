/*
 * plugin_world.h - a node for the plugin's tests: MarkDir on tmpfs, counters, a configuration that
 * names both, and the marks that are found there afterwards
 */
#ifndef CARBON_TESTS_PLUGIN_WORLD_H
#define CARBON_TESTS_PLUGIN_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "core/mark.h"
#include "tree.h"

#define PLUGIN_WORLD_MARKS_MAX 8

struct found_mark {
    struct mark mark;
    struct mark_reading readings[MARK_READINGS_MAX];
    size_t count;
    char name[NAME_MAX + 1];
};

struct plugin_world {
    struct tree tree; /* marks/, carbon.conf, root/sys/ with a package, its DRAM and its cores */
    char config[PATH_MAX + 32];
    const char *arguments[2]; /* of each hook, NULL-terminated: config */
    struct found_mark found[PLUGIN_WORLD_MARKS_MAX];
};
extern struct plugin_world world;

/* Whether /dev/shm can take a tree: else a line of output says so. */
bool plugin_world_is_possible(void);

/* Make the node, and fake_step a step of job 7 there. */
void plugin_world_make(void);
void plugin_world_free(void);

/* (Re)write a counter. */
void plugin_world_zone(const char *zone, const char *name, const char *energy_uj);

/* What slurmd tells the prolog and epilog of job 7, into this process's environment. */
void plugin_world_job_environment(void);

/*
 * Read all marks in marks/, in the order of their names, into world.found; their number. Fails the
 * test when one is no whole mark, or has another's name.
 */
size_t plugin_world_read(void);

#endif

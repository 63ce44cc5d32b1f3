/*
 * settings.h - the three settings of carbon.conf that the plugin needs
 *
 * The plugin runs inside Slurm's daemons and may need libc alone, so it cannot use the tools'
 * reader (core/conf.h, libconfuse). This one reads the same file; tests/unit/test_spank_settings.c
 * holds the two against each other. It knows lines of the form
 *
 *     Key = value        Key="value"        Key='value'        # comment
 *
 * with keys in any case, absolute paths, and %n in MarkDir and SensorRoot standing for the node's
 * name. A line that the tools' reader refuses is passed over: complaining is the business of
 * `carbonctl config`.
 */
#ifndef CARBON_SPANK_SETTINGS_H
#define CARBON_SPANK_SETTINGS_H

#include <limits.h>

/* Default: the file beside the slurm.conf of a Slurm installed under the same prefix. */
#define SETTINGS_FILE SYSCONFDIR "/slurm/carbon.conf"

struct settings {
    char mark_dir[PATH_MAX];    /* MarkDir, default /run/slurm-carbon/%n */
    char sensor_root[PATH_MAX]; /* SensorRoot, default / */
    char cgroup_root[PATH_MAX]; /* CgroupRoot, default /sys/fs/cgroup */
};

/* Read the file that the plugin's arguments name, or the default one. A missing file: defaults. */
void settings_load(int ac, char *const av[], const char *node, struct settings *ret_settings);

/* The same from text (NUL-terminated, changed in place). */
void settings_read(char *text, const char *node, struct settings *ret_settings);

/* The first argument that is not config=..., or NULL. */
const char *settings_unknown_argument(int ac, char *const av[]);

#endif

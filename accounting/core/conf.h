/*
 * conf.h - carbon.conf
 *
 * Key=Value lines as Slurm admins know them ('#' begins a comment), read with libconfuse; keys are
 * matched without case. Every key is described once, in conf_options[]: type, unit, default and
 * one line of help feed the parser, `carbonctl config`, the sample file's test and the manual page.
 * Every mistake is an error that names file, line, key and remedy.
 */
#ifndef CARBON_CORE_CONF_H
#define CARBON_CORE_CONF_H

#include <limits.h>
#include <stdint.h>

#include "core/address.h"
#include "core/mark.h"

enum idle_policy { IDLE_SEPARATE, IDLE_SPREAD };
/* Of whose jobs carbond tells whom; more from each to the next. */
enum visibility { VISIBILITY_OWN, VISIBILITY_ACCOUNT, VISIBILITY_ALL };
enum grid_basis { BASIS_LIFECYCLE, BASIS_DIRECT };

struct conf {
    char cluster_name[CLUSTER_NAME_SIZE]; /* ClusterName; default: slurm.conf's, else "cluster" */
    char zone[32];                        /* Zone, of grid_intensity.csv; "" = not set: no grams */
    uint64_t pue_ppm;                     /* PUE x 10^6; at least 10^6 */
    char database[PATH_MAX];              /* "sqlite:/path" or "postgresql://…" */
    char inventory[PATH_MAX];
    char mark_dir[PATH_MAX];              /* in this and all of CONF_NODE_PATH %n is replaced */
    char spool_dir[PATH_MAX];
    char deliver_dir[PATH_MAX];
    char deliver[ADDRESS_SIZE];           /* Deliver: "carbond://…"; "" = not set: DeliverDir */
    char carbond[ADDRESS_SIZE];           /* Carbond: its address; "" = not set: its socket */
    char munge_socket[PATH_MAX];          /* MungeSocket; "" = not set: libmunge's own */
    uint32_t deliver_s;                   /* DeliverSeconds: a batch is sealed this often */
    uint32_t tick_ms;                     /* TickSeconds, to the millisecond; 100 ms to 60 s */
    uint32_t keep_power_days;             /* KeepPowerDays: older power per minute is pruned */
    uint32_t keep_hourly_days;            /* KeepHourlyDays: older energy is by the day */
    uint32_t spool_max_mb;                /* SpoolMaxMB: beyond, the oldest batches are dropped */
    unsigned visibility;                  /* Visibility: enum visibility */
    char metrics_file[PATH_MAX];          /* MetricsFile, ends in .prom; "" = not set: none */
    char sensors[256];                    /* Sensors: "auto", or a list as "powercap,modelled" */
    char sensor_root[PATH_MAX];           /* SensorRoot: holds sys/ and proc/ */
    char cgroup_root[PATH_MAX];           /* CgroupRoot */
    uint64_t idle_uw, full_uw;            /* IdleWatts, FullWatts of one package; 0 = not set */
    uint64_t gpu_utilisation_ppm;         /* GpuUtilisation x 10^6; 0 to 10^6 */
    unsigned idle_policy;                 /* IdlePolicy: enum idle_policy */
    unsigned grid_basis;                  /* GridBasis: enum grid_basis */
    unsigned embodied_mode;               /* EmbodiedMode, by place: capacity, share, planned */
    uint64_t utilisation_ppm;             /* ExpectedUtilisation x 10^6; above 0, up to 10^6 */
};

/* RATIO: a part of a whole, up to 1. PATH: absolute. NODE_PATH: so too, %n stands for the node's
   name. DATABASE: "sqlite:/path" or "postgresql://…". ADDRESS: as in core/address.h; CARBOND_URL:
   one behind "carbond://". */
enum conf_type { CONF_TEXT, CONF_PATH, CONF_NODE_PATH, CONF_DATABASE, CONF_ADDRESS,
                 CONF_CARBOND_URL, CONF_SECONDS,
                 CONF_MILLISECONDS, CONF_DAYS, CONF_MEGABYTES, CONF_WATTS, CONF_PUE, CONF_RATIO,
                 CONF_CHOICE };

struct conf_option {
    const char *key;           /* as documented: "DeliverSeconds" */
    enum conf_type type;
    size_t offset, size;       /* in struct conf */
    const char *fallback;      /* default, as it would stand in the file; NULL: unset */
    uint64_t min, max;         /* in the stored unit */
    const char *const *choices;
    const char *help;          /* one sentence, with the unit */
};

extern const struct conf_option conf_options[]; /* ends with key NULL */

#define CONF_OPTIONS_MAX 32

/* Where each value came from: line of the file, or 0 for the default. By index of conf_options. */
struct conf_origin {
    char file[PATH_MAX]; /* "" when no file was read */
    char slurm_conf[PATH_MAX]; /* gave ClusterName when no line did; "" when it did not either */
    unsigned line[CONF_OPTIONS_MAX];
};

/*
 * Which file: `named` if not NULL (then it must exist), else the environment's SLURM_CARBON_CONF,
 * else carbon.conf beside slurm.conf (SLURM_CONF, or SYSCONFDIR/slurm/, or /etc/slurm/). Writes ""
 * when there is none: the defaults serve.
 */
void conf_find(const char *named, char ret_path[PATH_MAX]);

/*
 * The syntax, kept so plain that the plugin's reader of three keys and this one always agree:
 * one Key=Value a line, blanks around either ignored; '#' begins a comment outside quotes; a value
 * may stand in '…' or "…" (needed for blanks and '#'), and has no backslashes and no ${…}. An empty
 * value is allowed where "not set" is the default.
 *
 * Read `path` ("": only defaults). node replaces %n ("" on machines that are no node). origin may
 * be NULL. -EINVAL with "path:line: Key: what is wrong; remedy", -ENOENT, -EACCES …
 */
MUST_CHECK int conf_load(const char *path, const char *node, struct conf *ret_conf,
                         struct conf_origin *origin, struct error *err);

/* The value in force as it would stand in a file ("1.2", "60", "/run/…"). */
void conf_format(const struct conf *conf, const struct conf_option *option, char *text,
                 size_t size);

#endif

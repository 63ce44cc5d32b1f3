#include "core/conf_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/parse.h"

#define MICRO UINT64_C(1000000)

static const char *const idle_policies[] = { "separate", "spread", NULL };
static const char *const visibilities[] = { "own", "account", "all", NULL };
static const char *const grid_bases[] = { "lifecycle", "direct", NULL };
static const char *const embodied_modes[] = { "capacity", "share", "planned", NULL };

#define AT(member) offsetof(struct conf, member), sizeof(((struct conf *)0)->member)

const struct conf_option conf_options[] = {
    { "ClusterName", CONF_TEXT, AT(cluster_name), NULL, 0, 0, NULL,
      "Name of the cluster in the books; unset: slurm.conf's ClusterName, else \"cluster\"." },
    { "Zone", CONF_TEXT, AT(zone), NULL, 0, 0, NULL,
      "Electricity zone, a row of grid_intensity.csv such as FR; unset: energy, not its grams." },
    { "PUE", CONF_PUE, AT(pue_ppm), "1.2", MICRO, 3 * MICRO, NULL,
      "Facility energy over IT energy, 1.0 to 3.0; 1.0 where the meters see the whole facility." },
    { "Database", CONF_DATABASE, AT(database), "sqlite:/var/lib/slurm-carbon/carbon.db", 0, 0, NULL,
      "Where the books are; on a local file system." },
    { "Inventory", CONF_PATH, AT(inventory), "/etc/slurm/inventory.conf", 0, 0, NULL,
      "Hardware of the cluster and what its manufacture emitted." },
    { "MarkDir", CONF_NODE_PATH, AT(mark_dir), "/run/slurm-carbon/%n", 0, 0, NULL,
      "Where the plugin leaves its marks; on tmpfs, writable by root only; %n is the node." },
    { "SpoolDir", CONF_NODE_PATH, AT(spool_dir), "/var/spool/slurm-carbon/%n", 0, 0, NULL,
      "Where carbon-meterd keeps its sealed batches, on the node's own disk; %n is the node." },
    { "DeliverDir", CONF_PATH, AT(deliver_dir), "/var/spool/slurm-carbon/deliver", 0, 0, NULL,
      "Where batches are delivered to and `carbonctl ingest` takes them from; one for all nodes." },
    { "Deliver", CONF_CARBOND_URL, AT(deliver), NULL, 0, 0, NULL,
      "carbond://HOST[:PORT]: nodes send batches there; unset: they write them to DeliverDir." },
    { "Carbond", CONF_ADDRESS, AT(carbond), NULL, 0, 0, NULL,
      "HOST[:PORT] of the carbond to ask where the database cannot be read; unset: its socket." },
    { "MungeSocket", CONF_PATH, AT(munge_socket), NULL, 0, 0, NULL,
      "Socket of munged, for carbond and who asks it; unset: the usual one." },
    { "DeliverSeconds", CONF_SECONDS, AT(deliver_s), "60", 1, 3600, NULL,
      "A batch is sealed and delivered this often, 1 to 3600 seconds." },
    { "TickSeconds", CONF_MILLISECONDS, AT(tick_ms), "1", 100, 60000, NULL,
      "Time between two readings of the sensors, 0.1 to 60 seconds." },
    { "KeepPowerDays", CONF_DAYS, AT(keep_power_days), "30", 1, 3650, NULL,
      "Power per minute is kept this long, 1 to 3650 days; totals and peaks are kept for ever." },
    { "KeepHourlyDays", CONF_DAYS, AT(keep_hourly_days), "400", 32, 36500, NULL,
      "Energy of steps is kept by the hour this long, 32 to 36500 days; then it is by the day." },
    { "SpoolMaxMB", CONF_MEGABYTES, AT(spool_max_mb), "256", 1, 1048576, NULL,
      "Undelivered batches beyond this many megabytes are dropped, oldest first, and counted." },
    { "Visibility", CONF_CHOICE, AT(visibility), "own", 0, 0, visibilities,
      "Whose jobs carbond shows: own (and those one coordinates), one's account's, or all." },
    { "MetricsFile", CONF_NODE_PATH, AT(metrics_file), NULL, 0, 0, NULL,
      "What the meter counts, for node_exporter's textfile collector: NAME.prom; unset: none." },
    { "Sensors", CONF_TEXT, AT(sensors), "auto", 0, 0, NULL,
      "Sources of energy readings: auto, or names separated by commas such as powercap,modelled." },
    { "SensorRoot", CONF_NODE_PATH, AT(sensor_root), "/", 0, 0, NULL,
      "Directory that holds the sys/ and proc/ to read; other than / for simulated machines; %n." },
    { "CgroupRoot", CONF_PATH, AT(cgroup_root), "/sys/fs/cgroup", 0, 0, NULL,
      "Where the cgroup file systems are mounted." },
    { "IdleWatts", CONF_WATTS, AT(idle_uw), NULL, 0, 10000 * MICRO, NULL,
      "Idle power of one package in watts; unset: learned, or the modelled sensor's default." },
    { "FullWatts", CONF_WATTS, AT(full_uw), NULL, 0, 10000 * MICRO, NULL,
      "Power of one fully busy package in watts, for the modelled sensor; unset: its default." },
    { "GpuUtilisation", CONF_RATIO, AT(gpu_utilisation_ppm), "0.5", 0, MICRO, NULL,
      "How far from idle to its board's watts a modelled GPU is while a job holds it, 0 to 1." },
    { "IdlePolicy", CONF_CHOICE, AT(idle_policy), "separate", 0, 0, idle_policies,
      "Idle nodes' emissions: separate states them on their own, spread shares them over jobs." },
    { "GridBasis", CONF_CHOICE, AT(grid_basis), "lifecycle", 0, 0, grid_bases,
      "Grams per kWh of the grid: lifecycle counts building plants and fuel supply; direct not." },
    { "EmbodiedMode", CONF_CHOICE, AT(embodied_mode), "capacity", 0, 0, embodied_modes,
      "Manufacture by the hour: out of hours that nodes are there, that jobs use, or as planned." },
    { "ExpectedUtilisation", CONF_RATIO, AT(utilisation_ppm), "0.85", 1, MICRO, NULL,
      "Part of a node's lifetime that jobs will use, above 0 to 1; for EmbodiedMode=planned." },
    { NULL, CONF_TEXT, 0, 0, NULL, 0, 0, NULL, NULL },
};

_Static_assert(sizeof(conf_options) / sizeof(conf_options[0]) <= CONF_OPTIONS_MAX,
               "struct conf_origin has a line for every option");

void *conf_value_at(struct conf *conf, const struct conf_option *option)
{
    return (char *)conf + option->offset;
}

/* Digits after the point of a number of this type; its stored unit is 10^-digits of the file's. */
static unsigned type_digits(enum conf_type type)
{
    switch (type) {
    case CONF_WATTS:
    case CONF_PUE:
    case CONF_RATIO:
        return 6;
    case CONF_MILLISECONDS:
        return 3;
    default:
        return 0;
    }
}

/* value / 10^digits without needless zeros: "1.2" */
static void format_decimal(uint64_t value, unsigned digits, char *text, size_t size)
{
    uint64_t unit = 1;

    for (unsigned i = 0; i < digits; i++)
        unit *= 10;
    while (digits > 0 && value % 10 == 0) {
        value /= 10;
        unit /= 10;
        digits--;
    }
    if (digits == 0)
        snprintf(text, size, "%" PRIu64, value);
    else
        snprintf(text, size, "%" PRIu64 ".%0*" PRIu64, value / unit, (int)digits, value % unit);
}

static int parse_number(const struct conf_option *option, const char *text, struct conf *conf,
                        struct error *err)
{
    unsigned digits = type_digits(option->type);
    char low[32], high[32];
    uint64_t number;
    int rc = parse_decimal(text, digits, option->max, &number);

    if (rc == 0 && number < option->min)
        rc = -ERANGE;
    format_decimal(option->min, digits, low, sizeof(low));
    format_decimal(option->max, digits, high, sizeof(high));
    if (rc == -ERANGE && option->type == CONF_PUE && text[0] == '0')
        return error_set(err, -EINVAL, "%s is below 1: a facility cannot use less energy than its "
                         "computers; give 1.0 to 3.0", text);
    if (rc == -ERANGE)
        return error_set(err, -EINVAL, "%s is out of range; give %s to %s", text, low, high);
    if (rc < 0)
        return error_set(err, -EINVAL, "'%s' is not a number%s; give %s to %s, without a unit",
                         text, digits ? "" : " without fraction", low, high);
    if (option->size == sizeof(uint32_t))
        *(uint32_t *)conf_value_at(conf, option) = (uint32_t)number;
    else
        *(uint64_t *)conf_value_at(conf, option) = number;
    return 0;
}

static int refuse_choice(const struct conf_option *option, const char *text, struct error *err)
{
    char choices[64] = "";
    size_t used = 0;

    for (unsigned i = 0; option->choices[i] && used < sizeof(choices); i++) {
        const char *glue = i == 0 ? "" : option->choices[i + 1] ? ", " : " or ";

        used += (size_t)snprintf(choices + used, sizeof(choices) - used, "%s%s", glue,
                                 option->choices[i]);
    }
    return error_set(err, -EINVAL, "'%s' is not one of its choices; give %s", text, choices);
}

static int parse_choice(const struct conf_option *option, const char *text, struct conf *conf,
                        struct error *err)
{
    for (unsigned i = 0; option->choices[i]; i++) {
        if (strcasecmp(text, option->choices[i]) == 0) {
            *(unsigned *)conf_value_at(conf, option) = i;
            return 0;
        }
    }
    return refuse_choice(option, text, err);
}

static int store_text(const struct conf_option *option, const char *text, struct conf *conf,
                      struct error *err)
{
    size_t len = strlen(text);

    if (len >= option->size)
        return error_set(err, -EINVAL, "the value has %zu characters; give at most %zu", len,
                         option->size - 1);
    memcpy(conf_value_at(conf, option), text, len + 1);
    return 0;
}

static int check_absolute(const char *text, struct error *err)
{
    if (text[0] != '/')
        return error_set(err, -EINVAL, "'%s' is not an absolute path; begin it with /", text);
    return 0;
}

/* %n becomes the node's name; any other % is refused, so that nobody's %h is taken literally. */
static int expand_node(const char *text, const char *node, char *room, size_t size,
                       struct error *err)
{
    size_t used = 0;

    for (const char *p = text; *p; p++) {
        const char *piece = p;
        size_t len = 1;

        if (*p == '%') {
            if (p[1] != 'n')
                return error_set(err, -EINVAL, "%%%.1s in '%s' means nothing; only %%n, the node's "
                                 "name, does", p + 1, text);
            piece = node;
            len = strlen(node);
            p++;
        }
        if (used + len >= size)
            return error_set(err, -EINVAL, "the path is longer than %zu characters; shorten it",
                             size - 1);
        memcpy(room + used, piece, len);
        used += len;
    }
    room[used] = '\0';
    return 0;
}

static int parse_node_path(const struct conf_option *option, const char *text, const char *node,
                           struct conf *conf, struct error *err)
{
    char path[PATH_MAX];
    int rc = check_absolute(text, err);

    if (rc == 0)
        rc = expand_node(text, node, path, sizeof(path), err);
    return rc == 0 ? store_text(option, path, conf, err) : rc;
}

/* carbon.conf is a file that all may read, and its values are printed. */
static bool holds_password(const char *uri)
{
    const char *at = memchr(uri, '@', strcspn(uri, "/?"));

    return (at && memchr(uri, ':', (size_t)(at - uri))) || strstr(uri, "password=");
}

static int check_database(const char *text, struct error *err)
{
    if (strncmp(text, "sqlite:/", 8) == 0)
        return 0;
    if (strncmp(text, "postgresql://", 13) != 0)
        return error_set(err, -EINVAL, "'%s' is no database; give sqlite:/absolute/path or "
                         "postgresql://HOST/DATABASE", text);
    if (holds_password(text + 13))
        return error_set(err, -EINVAL, "no password here, where all may read it: the file "
                         "~/.pgpass of whoever connects has it, or the server knows users by peer");
    return 0;
}

static int check_address(const char *text, enum conf_type type, struct error *err)
{
    size_t scheme = type == CONF_CARBOND_URL ? strlen(CARBOND_SCHEME) : 0;
    struct address address;

    if (strncmp(text, CARBOND_SCHEME, scheme) != 0)
        return error_set(err, -EINVAL, "'%.80s' does not begin with " CARBOND_SCHEME "; give "
                         CARBOND_SCHEME "HOST, or a directory as DeliverDir", text);
    return address_parse(text + scheme, &address, err);
}

static int parse_plain(const struct conf_option *option, const char *text, struct conf *conf,
                       struct error *err)
{
    int rc = 0;

    if (strchr(text, '%'))
        return error_set(err, -EINVAL, "'%s': %%n is allowed in MarkDir, SpoolDir, SensorRoot "
                         "and MetricsFile only; %s is one for all nodes", text, option->key);
    if (option->type == CONF_PATH)
        rc = check_absolute(text, err);
    if (option->type == CONF_DATABASE)
        rc = check_database(text, err);
    if (option->type == CONF_ADDRESS || option->type == CONF_CARBOND_URL)
        rc = check_address(text, option->type, err);
    return rc == 0 ? store_text(option, text, conf, err) : rc;
}

int conf_value_parse(const struct conf_option *option, const char *text, const char *node,
                     struct conf *conf, struct error *err)
{
    if (text[0] == '\0' && !option->fallback) {
        memset(conf_value_at(conf, option), 0, option->size);
        return 0;
    }
    if (text[0] == '\0')
        return error_set(err, -EINVAL, "has no value; give one, or remove the line for the default "
                         "%s", option->fallback);
    switch (option->type) {
    case CONF_TEXT:
    case CONF_PATH:
    case CONF_DATABASE:
    case CONF_ADDRESS:
    case CONF_CARBOND_URL:
        return parse_plain(option, text, conf, err);
    case CONF_NODE_PATH:
        return parse_node_path(option, text, node, conf, err);
    case CONF_CHOICE:
        return parse_choice(option, text, conf, err);
    case CONF_SECONDS:
    case CONF_MILLISECONDS:
    case CONF_DAYS:
    case CONF_MEGABYTES:
    case CONF_WATTS:
    case CONF_PUE:
    case CONF_RATIO:
        break;
    }
    return parse_number(option, text, conf, err);
}

void conf_format(const struct conf *conf, const struct conf_option *option, char *text,
                 size_t size)
{
    const void *at = (const char *)conf + option->offset;
    uint64_t number;

    switch (option->type) {
    case CONF_TEXT:
    case CONF_PATH:
    case CONF_NODE_PATH:
    case CONF_DATABASE:
    case CONF_ADDRESS:
    case CONF_CARBOND_URL:
        snprintf(text, size, "%s", (const char *)at);
        return;
    case CONF_CHOICE:
        snprintf(text, size, "%s", option->choices[*(const unsigned *)at]);
        return;
    case CONF_SECONDS:
    case CONF_MILLISECONDS:
    case CONF_DAYS:
    case CONF_MEGABYTES:
    case CONF_WATTS:
    case CONF_PUE:
    case CONF_RATIO:
        break;
    }
    number = option->size == sizeof(uint32_t) ? *(const uint32_t *)at : *(const uint64_t *)at;
    if (number == 0 && !option->fallback)
        snprintf(text, size, "%s", ""); /* not set */
    else
        format_decimal(number, type_digits(option->type), text, size);
}

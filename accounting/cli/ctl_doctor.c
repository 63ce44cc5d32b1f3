/*
 * carbonctl doctor: walk the installation as far as it can be seen from this machine, and say of
 * each thing whether it is well, and what to do where it is not.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/carbonctl.h"
#include "cli/meter_status.h"
#include "cli/run.h"
#include "core/built_for.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/hostlist.h"
#include "store/audit.h"
#include "store/nodes.h"
#include "store/reconcile.h"

#define SLURM_DEADLINE_S 20
#define PRINTED_MAX (UINT64_C(64) << 20) /* bytes */
#define PLUGIN "spank_carbon.so"
#define PLUGIN_MAX_SIZE (16 << 20)
#define LATE_S 900      /* batches and statuses are late after this, and … */
#define LATE_BATCHES 10 /* … this many times DeliverSeconds */
#define METRICS_LATE_S 300 /* it is written each minute */
#define AHEAD_S 60      /* a batch may end so long after it was loaded: clocks differ */
#define MARKS_MANY 1000 /* that nobody reads; a tick takes 256 */
#define NAMED_MAX 5
#define NAMES_SIZE 400

enum verdict { WELL, SKIPPED, WARNING, PROBLEM };

struct visit {
    struct conf conf;
    struct conf_origin origin;
    struct store *store;   /* NULL: not on this machine */
    bool slurm_answers;
    unsigned count[PROBLEM + 1];
    char version[32];      /* of Slurm, "22.05.8"; "" unknown */
    char prolog_flags[256], plugstack[PATH_MAX], plugin_dirs[PATH_MAX];
    int64_t now_s;
    struct error *err;
};

/* What was found of one thing; `remedy` "" where there is nothing to do. */
static void find(struct visit *visit, enum verdict verdict, const char *what, const char *remedy,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void find(struct visit *visit, enum verdict verdict, const char *what, const char *remedy,
                 const char *fmt, ...)
{
    static const char *const words[] = { "well", "skipped", "warning", "PROBLEM" };
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    visit->count[verdict]++;
    plainf("%-8s %-14s %s\n", words[verdict], what, text);
    if (remedy[0])
        plainf("%-8s %-14s %s\n", "", "", remedy);
}

static int64_t late_s(const struct visit *visit)
{
    int64_t batches_s = (int64_t)visit->conf.deliver_s * LATE_BATCHES;

    return batches_s > LATE_S ? batches_s : LATE_S;
}

/* --- this node's meter ------------------------------------------------------------------------ */

/* Files whose names end so, and when the oldest was written. */
static int64_t count_files(int dir_fd, const char *end, int64_t *ret_oldest_s)
{
    DIR *dir = fdopendir(dup(dir_fd));
    const struct dirent *entry;
    int64_t count = 0;
    struct stat st;

    *ret_oldest_s = INT64_MAX;
    while (dir && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);

        if (entry->d_name[0] == '.' || len < strlen(end) ||
            strcmp(entry->d_name + len - strlen(end), end) != 0 ||
            fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        count++;
        if (st.st_mtim.tv_sec < *ret_oldest_s)
            *ret_oldest_s = st.st_mtim.tv_sec;
    }
    if (dir)
        closedir(dir);
    return count;
}

/* Behind "KEY: " at the begin of a line of a status; false when it is not there. */
static bool find_line(const char *text, const char *key, char *value, size_t size)
{
    size_t len = strlen(key);

    for (; text; text = strchr(text, '\n')) {
        text += *text == '\n';
        if (strncmp(text, key, len) == 0 && strncmp(text + len, ": ", 2) == 0) {
            snprintf(value, size, "%.*s", (int)strcspn(text + len + 2, "\n"), text + len + 2);
            return true;
        }
        if (!*text)
            return false;
    }
    return false;
}

static void look_at_status(struct visit *visit, int spool_fd)
{
    static char text[METER_STATUS_SIZE];
    char value[512];
    struct stat st;

    if (meter_read_status(spool_fd, text) < 0 || fstatat(spool_fd, "status", &st, 0) < 0) {
        find(visit, WARNING, "meter's word", "look into its log", "it has left no status in %s yet",
             visit->conf.spool_dir);
        return;
    }
    if (visit->now_s - st.st_mtim.tv_sec > late_s(visit))
        find(visit, PROBLEM, "meter's word", "look into its log: it has sealed no batch since",
             "its status is %" PRId64 " min old", (visit->now_s - st.st_mtim.tv_sec) / 60);
    else if (find_line(text, "last_error", value, sizeof(value)) && strcmp(value, "none") != 0)
        find(visit, WARNING, "meter's word", "docs/operations.md has what each message asks for",
             "its last error was: %s", value);
    else
        find(visit, WELL, "meter's word", "", "no error; status of %" PRId64 " s ago",
             visit->now_s - st.st_mtim.tv_sec);
    if (!strstr(text, "\ncounter: "))
        find(visit, PROBLEM, "sensors", "see `carbonctl sensors`", "nothing is measured here");
    else if (!strstr(text, "quality=measured"))
        find(visit, WARNING, "sensors", "see `carbonctl sensors` for what was looked for",
             "this node has no energy counter: all its figures are modelled");
    else
        find(visit, WELL, "sensors", "", "it has energy counters");
}

static void look_at_spool(struct visit *visit, int spool_fd)
{
    int64_t oldest_s, count = count_files(spool_fd, ".batch", &oldest_s);

    if (count > 1 && visit->now_s - oldest_s > late_s(visit))
        find(visit, PROBLEM, "spool", "is DeliverDir mounted, and may carbon-meterd write there?",
             "%" PRId64 " batches wait in %s, the oldest for %" PRId64 " min", count,
             visit->conf.spool_dir, (visit->now_s - oldest_s) / 60);
    else
        find(visit, WELL, "spool", "", "no batch waits for long");
}

static void look_at_marks(struct visit *visit)
{
    int64_t oldest_s, count;
    struct statfs fs;
    int fd = open(visit->conf.mark_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == EACCES) {
        find(visit, SKIPPED, "marks", "ask as root", "%s is root's to look at",
             visit->conf.mark_dir);
        return;
    }
    if (fd < 0) {
        find(visit, PROBLEM, "marks", "carbon-meterd makes it when it starts, its package at boot",
             "MarkDir %s: %s", visit->conf.mark_dir, strerror(errno));
        return;
    }
    count = count_files(fd, ".mark", &oldest_s);
    if (fstatfs(fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC)
        find(visit, PROBLEM, "marks", "have MarkDir below /run", "MarkDir %s is not on a tmpfs, so "
             "the plugin leaves no mark in it", visit->conf.mark_dir);
    else if (count > MARKS_MANY)
        find(visit, PROBLEM, "marks", "is carbon-meterd running, and of this MarkDir?",
             "%" PRId64 " marks lie unread in %s", count, visit->conf.mark_dir);
    else
        find(visit, WELL, "marks", "", "%s can take them", visit->conf.mark_dir);
    close(fd);
}

/* The meter says once in its log that it cannot write it, and node_exporter shows old figures. */
static void look_at_metrics(struct visit *visit)
{
    const char *file = visit->conf.metrics_file;
    struct stat st;

    if (!file[0])
        return;
    if (stat(file, &st) < 0)
        find(visit, WARNING, "metrics", "is its directory there, and in the unit's ReadWritePaths? "
             "It is first written a minute after the start", "MetricsFile %s: %s", file,
             strerror(errno));
    else if (visit->now_s - st.st_mtim.tv_sec > METRICS_LATE_S)
        find(visit, WARNING, "metrics", "carbon-meterd's log says why it cannot be written",
             "MetricsFile %s is %" PRId64 " min old", file,
             (visit->now_s - st.st_mtim.tv_sec) / 60);
    else
        find(visit, WELL, "metrics", "", "%s is written", file);
}

static void look_at_meter(struct visit *visit)
{
    int alive, spool_fd = open(visit->conf.spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (spool_fd < 0) {
        find(visit, SKIPPED, "meter", errno == ENOENT ? "" : "ask as root", "%s: %s",
             visit->conf.spool_dir,
             errno == ENOENT ? "not there; this machine is not metered" : strerror(errno));
        return;
    }
    alive = meter_is_alive(spool_fd);
    if (alive > 0)
        find(visit, WELL, "meter", "", "carbon-meterd runs");
    else if (alive == 0)
        find(visit, PROBLEM, "meter", "systemctl enable --now carbon-meterd",
             "carbon-meterd does not run");
    else
        find(visit, SKIPPED, "meter", "ask as root", "its lock cannot be read");
    look_at_status(visit, spool_fd);
    look_at_spool(visit, spool_fd);
    look_at_marks(visit);
    look_at_metrics(visit);
    close(spool_fd);
}

/* --- Slurm ------------------------------------------------------------------------------------ */

/* "Key   = value", as scontrol prints it. */
static void take_setting(const char *line, const char *key, char *value, size_t size)
{
    size_t len = strlen(key);
    const char *at = line + len;

    if (strncasecmp(line, key, len) != 0 || (*at != ' ' && *at != '='))
        return;
    at += strspn(at, " ");
    if (*at++ == '=')
        snprintf(value, size, "%.*s", (int)strcspn(at + strspn(at, " "), "\n"),
                 at + strspn(at, " "));
}

/* Where nobody has set PlugStackConfig, it is the file beside slurm.conf. */
static void default_plugstack(struct visit *visit, const char *slurm_conf)
{
    const char *slash = strrchr(slurm_conf, '/');

    if (slash && (!visit->plugstack[0] || strcmp(visit->plugstack, "(null)") == 0))
        snprintf(visit->plugstack, sizeof(visit->plugstack), "%.*s/plugstack.conf",
                 (int)(slash - slurm_conf), slurm_conf);
}

static bool ask_slurm(struct visit *visit)
{
    static const char *const argv[] = { "scontrol", "show", "config", NULL };
    struct error err = { "" };
    char *line = NULL, slurm_conf[PATH_MAX - sizeof("plugstack.conf")] = "";
    size_t size = 0;
    FILE *file;
    int rc = run_command(argv, SLURM_DEADLINE_S, PRINTED_MAX, true, &file, &err);

    if (rc < 0) {
        find(visit, rc == -ENOENT ? SKIPPED : WARNING, "Slurm",
             rc == -ENOENT ? "ask where Slurm's commands are" : "is slurmctld up?", "%s", err.text);
        return false;
    }
    while (getline(&line, &size, file) >= 0) {
        take_setting(line, "SLURM_VERSION", visit->version, sizeof(visit->version));
        take_setting(line, "PrologFlags", visit->prolog_flags, sizeof(visit->prolog_flags));
        take_setting(line, "PlugStackConfig", visit->plugstack, sizeof(visit->plugstack));
        take_setting(line, "PluginDir", visit->plugin_dirs, sizeof(visit->plugin_dirs));
        take_setting(line, "SLURM_CONF", slurm_conf, sizeof(slurm_conf));
    }
    default_plugstack(visit, slurm_conf);
    free(line);
    fclose(file);
    find(visit, WELL, "Slurm", "", "slurmctld answers, version %s", visit->version);
    return true;
}

/* What timedatectl says, and it alone: what keeps the time differs from site to site. */
static void look_at_clock(struct visit *visit)
{
    static const char *const argv[] = { "timedatectl", "show", "--property=NTPSynchronized",
                                        "--value", NULL };
    struct error err = { "" };
    char word[8] = "";
    FILE *file;

    if (run_command(argv, SLURM_DEADLINE_S, PRINTED_MAX, true, &file, &err) < 0) {
        find(visit, SKIPPED, "clock", "", "%s", err.text);
        return;
    }
    if (fgets(word, sizeof(word), file) && strncmp(word, "yes", 3) == 0)
        find(visit, WELL, "clock", "", "kept by NTP");
    else
        find(visit, WARNING, "clock", "have chrony, ntpd or systemd-timesyncd keep it",
             "not kept by NTP: hours of nodes whose clocks differ are booked beside each other");
    fclose(file);
}

static void look_at_prologs(struct visit *visit)
{
    if (strcasestr(visit->prolog_flags, "Contain"))
        find(visit, WELL, "PrologFlags", "", "%s", visit->prolog_flags);
    else
        find(visit, PROBLEM, "PrologFlags", "PrologFlags=Contain in slurm.conf, and restart slurmd",
             "without Contain prologs run when the first step does: what an allocation idles "
             "before is nobody's");
}

struct plugstack_line {
    char kind[16], plugin[PATH_MAX], config[PATH_MAX];
};

/* The line that names our plugin in a plugstack.conf or what it includes. */
static bool find_plugin_line(const char *path, unsigned depth, struct plugstack_line *ret)
{
    char *line = NULL, kind[32], plugin[PATH_MAX];
    FILE *file = fopen(path, "re");
    bool found = false;
    size_t size = 0;

    while (file && !found && getline(&line, &size, file) >= 0) {
        const char *config = strstr(line, "config=");

        if (sscanf(line, " %31s %4095s", kind, plugin) != 2 || kind[0] == '#')
            continue;
        if (strcasecmp(kind, "include") == 0 && depth < 8) {
            glob_t paths;

            if (glob(plugin, 0, NULL, &paths) == 0)
                for (size_t i = 0; i < paths.gl_pathc && !found; i++)
                    found = find_plugin_line(paths.gl_pathv[i], depth + 1, ret);
            globfree(&paths);
        } else if (strlen(plugin) >= strlen(PLUGIN) &&
                   strcmp(plugin + strlen(plugin) - strlen(PLUGIN), PLUGIN) == 0) {
            snprintf(ret->kind, sizeof(ret->kind), "%.15s", kind);
            snprintf(ret->plugin, sizeof(ret->plugin), "%s", plugin);
            snprintf(ret->config, sizeof(ret->config), "%.*s",
                     config ? (int)strcspn(config + 7, " \t\n") : 0, config ? config + 7 : "");
            found = true;
        }
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

/* In the first of PluginDir's directories that has it. */
static bool find_plugin(const struct visit *visit, const char *name, char ret_path[PATH_MAX])
{
    const char *at = visit->plugin_dirs;

    snprintf(ret_path, PATH_MAX, "%s", name);
    if (name[0] == '/')
        return access(name, R_OK) == 0;
    while (*at) {
        size_t len = strcspn(at, ":");

        if ((size_t)snprintf(ret_path, PATH_MAX, "%.*s/%s", (int)len, at, name) < PATH_MAX &&
            access(ret_path, R_OK) == 0)
            return true;
        at += len + (at[len] == ':');
    }
    return false;
}

/* SLURM_VERSION_NUMBER of the Slurm that a plugin was built for; 0 when it does not say. */
static int read_built_for(const char *path, unsigned *ret_number, struct error *err)
{
    char *data;
    const char *at;
    size_t len;
    char real[PATH_MAX];
    int rc = file_read(AT_FDCWD, realpath(path, real) ? real : path, PLUGIN_MAX_SIZE, &data,
                       &len, err);

    if (rc < 0)
        return rc;
    *ret_number = 0;
    at = memmem(data, len, SLURM_BUILT_FOR, strlen(SLURM_BUILT_FOR));
    if (at)
        sscanf(at + strlen(SLURM_BUILT_FOR), "0x%6x", ret_number);
    free(data);
    return 0;
}

/* Slurm refuses a plugin that was built for another major.minor. */
static void look_at_plugin(struct visit *visit, const char *path)
{
    unsigned number, major = 0, minor = 0;
    struct error err = { "" };

    if (read_built_for(path, &number, &err) < 0 || number == 0)
        find(visit, WARNING, "plugin", "is it whole? is it of this version?",
             "%s cannot be looked at: %s", path,
             err.text[0] ? err.text : "it does not say which Slurm it was built for");
    else if (sscanf(visit->version, "%u.%u", &major, &minor) == 2 &&
             (number >> 16 != major || (number >> 8 & 0xff) != minor))
        find(visit, PROBLEM, "plugin", "install the package that is named after this Slurm",
             "%s was built for Slurm %u.%02u, and this is %s", path, number >> 16,
             number >> 8 & 0xff, visit->version);
    else
        find(visit, WELL, "plugin", "", "%s, for Slurm %u.%02u", path, number >> 16,
             number >> 8 & 0xff);
}

static void look_at_plugstack(struct visit *visit)
{
    struct plugstack_line line;
    char path[PATH_MAX];

    if (!find_plugin_line(visit->plugstack, 0, &line)) {
        find(visit, PROBLEM, "plugstack.conf", "add `optional " PLUGIN " config=CARBON_CONF` to "
             "it, on every node, and restart slurmd", "%s does not name " PLUGIN, visit->plugstack);
        return;
    }
    if (strcasecmp(line.kind, "optional") != 0)
        find(visit, WARNING, "plugstack.conf", "say `optional`", "%s is `%s`: if it is ever away, "
             "jobs fail", PLUGIN, line.kind);
    else if (line.config[0] && strcmp(line.config, visit->origin.file) != 0)
        find(visit, WARNING, "plugstack.conf", "give both the same file", "the plugin reads %s, "
             "and this command %s", line.config, visit->origin.file);
    else
        find(visit, WELL, "plugstack.conf", "", "%s names it", visit->plugstack);
    if (find_plugin(visit, line.plugin, path))
        look_at_plugin(visit, path);
    else
        find(visit, PROBLEM, "plugin", "install the package slurm-carbon-spank of this Slurm here",
             "%s is in none of PluginDir's %s", line.plugin, visit->plugin_dirs);
}

/* --- the books -------------------------------------------------------------------------------- */

static void look_at_database(struct visit *visit)
{
    char to[PATH_MAX];

    if (store_moved_to(visit->store, to, NULL) > 0)
        find(visit, PROBLEM, "database", "write that into carbon.conf as Database, and restart "
             "carbon-ingest", "the books of %s were moved to %s", visit->conf.database, to);
    else
        find(visit, WELL, "database", "", "%s", visit->conf.database);
}

/* Is there one that holds the lock of the service? It is there for its database's life. */
static void look_at_ingest(struct visit *visit)
{
    char path[PATH_MAX + 32];
    int fd;

    if (!store_is_file(visit->store)) {
        find(visit, SKIPPED, "ingest", "systemctl status carbon-ingest, where it is to run",
             "the database does not tell who loads into it; nodes that deliver do");
        return;
    }
    snprintf(path, sizeof(path), "%s.ingest.lock", store_path(visit->store));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        find(visit, SKIPPED, "ingest", "ask as root", "%s: %s", path, strerror(errno));
    else if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0)
        find(visit, WELL, "ingest", "", "carbonctl ingest --watch runs");
    else
        find(visit, PROBLEM, "ingest", "systemctl enable --now carbon-ingest",
             "nobody loads what nodes deliver");
    if (fd >= 0)
        close(fd);
}

static void look_at_deliver_dir(struct visit *visit)
{
    int fd = open(visit->conf.deliver_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int64_t oldest_s, count;

    if (fd < 0) {
        find(visit, PROBLEM, "DeliverDir", "mount or make it; docs/security.md says whose it is",
             "%s: %s", visit->conf.deliver_dir, strerror(errno));
        return;
    }
    count = count_files(fd, ".batch", &oldest_s);
    if (count > 0 && visit->now_s - oldest_s > LATE_S)
        find(visit, PROBLEM, "DeliverDir", "look into the log of carbon-ingest",
             "%" PRId64 " batches wait in %s, the oldest for %" PRId64 " min", count,
             visit->conf.deliver_dir, (visit->now_s - oldest_s) / 60);
    else
        find(visit, WELL, "DeliverDir", "", "%s: %" PRId64 " batches wait", visit->conf.deliver_dir,
             count);
    close(fd);
}

/* Nodes of a kind: how many, and the first by name. */
struct nodes {
    int64_t count;
    char names[NAMES_SIZE];
};

struct node_kinds {
    const struct visit *visit;
    struct hostlist in_slurm; /* that are up, each once, sorted */
    bool *delivers;           /* of them */
    struct nodes all, late, missing, dropped, bad, ahead, silent;
};

static void add_node(struct nodes *nodes, const char *name)
{
    size_t len = strlen(nodes->names);

    if (nodes->count++ < NAMED_MAX)
        snprintf(nodes->names + len, sizeof(nodes->names) - len, "%s%.64s", len ? ", " : "", name);
    else if (nodes->count == NAMED_MAX + 1)
        snprintf(nodes->names + len, sizeof(nodes->names) - len, ", …");
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A node that is off, or that Slurm lost, has no meter that could deliver. */
static bool is_up(const char *state)
{
    static const char *const off[] = { "down", "power", "unk", "future", "reboot", "fail" };

    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
        if (strncasecmp(state, off[i], strlen(off[i])) == 0)
            return false;
    return !strpbrk(state, "*~#!%@");
}

static int ask_for_nodes(const struct visit *visit, struct hostlist *list)
{
    static const char *const argv[] = { "sinfo", "--noheader", "--Node", "--format=%N %T", NULL };
    struct error err = { "" };
    char *line = NULL;
    size_t size = 0;
    FILE *file;
    int rc = 0;

    if (!visit->slurm_answers ||
        run_command(argv, SLURM_DEADLINE_S, PRINTED_MAX, true, &file, &err) < 0)
        return 0;
    while (rc == 0 && getline(&line, &size, file) >= 0) {
        char *state = line + strcspn(line, " ");

        if (*state)
            *state++ = '\0';
        state[strcspn(state, "\n")] = '\0';
        if (is_up(state))
            rc = hostlist_expand(line, list, visit->err);
    }
    free(line);
    fclose(file);
    return rc;
}

/* A node stands there once for each of its partitions. */
static int find_nodes(struct node_kinds *kinds)
{
    struct hostlist *list = &kinds->in_slurm;
    size_t kept = 0;
    int rc = ask_for_nodes(kinds->visit, list);

    kinds->delivers = calloc(list->count + 1, sizeof(*kinds->delivers));
    if (rc == 0 && !kinds->delivers)
        rc = error_set(kinds->visit->err, -ENOMEM, "out of memory");
    if (rc < 0 || list->count == 0)
        return rc;
    qsort(list->names, list->count, sizeof(*list->names), compare_names);
    for (size_t i = 1; i < list->count; i++) {
        if (strcmp(list->names[i], list->names[kept]) == 0)
            free(list->names[i]);
        else
            list->names[++kept] = list->names[i];
    }
    list->count = kept + 1;
    return 0;
}

static void note_delivery(struct node_kinds *kinds, const char *node)
{
    char **names = kinds->in_slurm.names;
    char **found = kinds->in_slurm.count
                       ? bsearch(&node, names, kinds->in_slurm.count, sizeof(*names), compare_names)
                       : NULL;

    if (found)
        kinds->delivers[found - names] = true;
}

static void take_node(void *arg, const struct node_status *status)
{
    struct node_kinds *kinds = arg;
    const struct visit *visit = kinds->visit;

    if (strcmp(status->cluster, visit->conf.cluster_name) == 0)
        note_delivery(kinds, status->node);
    add_node(&kinds->all, status->node);
    if (visit->now_s - status->last_s > late_s(visit))
        add_node(&kinds->late, status->node);
    if (status->missing)
        add_node(&kinds->missing, status->node);
    if (status->batches_dropped)
        add_node(&kinds->dropped, status->node);
    if (status->marks_bad)
        add_node(&kinds->bad, status->node);
    if (status->last_s > status->loaded_s + AHEAD_S)
        add_node(&kinds->ahead, status->node);
}

static void tell_nodes(struct visit *visit, struct node_kinds *kinds)
{
    const struct {
        const struct nodes *nodes;
        enum verdict verdict;
        const char *what, *remedy;
    } rows[] = {
        { &kinds->silent, PROBLEM, "are up in Slurm, and never delivered",
          "install slurm-carbon-node there; systemctl enable --now carbon-meterd" },
        { &kinds->late, PROBLEM, "delivered nothing for long",
          "is carbon-meterd alive there, and DeliverDir mounted?" },
        { &kinds->missing, PROBLEM, "lack batches between those that came",
          "`carbonctl audit --verbose` names them and what to do" },
        { &kinds->dropped, WARNING, "had a full spool, and gave up batches",
          "deliver sooner, or give SpoolDir more room: SpoolMaxMB" },
        { &kinds->bad, WARNING, "found marks that are none",
          "look into the log of carbon-meterd there: who writes to MarkDir?" },
        { &kinds->ahead, WARNING, "have a clock that is ahead of this machine's",
          "have all keep time by NTP" },
    };
    bool well = true;

    if (kinds->all.count == 0) {
        find(visit, PROBLEM, "nodes", "start carbon-meterd on one, and look whether its batches "
             "come", "no node has delivered yet");
        return;
    }
    for (size_t i = 0; i < kinds->in_slurm.count; i++)
        if (!kinds->delivers[i])
            add_node(&kinds->silent, kinds->in_slurm.names[i]);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!rows[i].nodes->count)
            continue;
        well = false;
        find(visit, rows[i].verdict, "nodes", rows[i].remedy, "%" PRId64 " of %" PRId64 " %s: %s",
             rows[i].nodes->count, kinds->all.count + kinds->silent.count, rows[i].what,
             rows[i].nodes->names);
    }
    if (well)
        find(visit, WELL, "nodes", "", "all %" PRId64 " deliver", kinds->all.count);
}

static void take_audit(void *arg, const struct audit_finding *finding)
{
    int64_t *failures = arg;

    *failures += finding->fails;
}

static void take_balance(void *arg, const struct audit_balance *balance)
{
    (void)arg;
    (void)balance;
}

static int look_at_audit(struct visit *visit)
{
    int64_t failures = 0, quarantined = 0;
    const struct audit_sink sink = { &failures, take_balance, take_audit };
    int rc = store_audit(visit->store, false, &sink, visit->err);

    if (rc == 0)
        rc = store_quarantined(visit->store, &quarantined, visit->err);
    if (rc < 0)
        return rc;
    if (failures)
        find(visit, PROBLEM, "audit", "`carbonctl audit --verbose` names each and what to do",
             "%" PRId64 " findings: the books do not balance", failures);
    else
        find(visit, WELL, "audit", "", "the books balance");
    if (quarantined)
        find(visit, WARNING, "quarantine", "`carbonctl quarantine list` has the reasons",
             "%" PRId64 " files were set aside", quarantined);
    else
        find(visit, WELL, "quarantine", "", "empty");
    return 0;
}

static int look_at_reconciling(struct visit *visit)
{
    int64_t count;
    int rc = reconcile_waiting(visit->store, visit->now_s - 2 * 86400, visit->now_s, &count,
                               visit->err);

    if (rc < 0)
        return rc;
    if (count)
        find(visit, WARNING, "reconcile",
             "where there is a slurmdbd: systemctl enable --now carbon-reconcile.timer",
             "%" PRId64 " jobs of the last month have not slurmdbd's state and account", count);
    else
        find(visit, WELL, "reconcile", "", "slurmdbd was asked about all jobs but the newest");
    return 0;
}

static void look_at_factors(struct visit *visit)
{
    if (!visit->conf.zone[0])
        find(visit, WARNING, "Zone", "set Zone in carbon.conf; `carbonctl grid list` has zones",
             "no grid zone is set: reports have energy, and no emissions");
    else
        find(visit, WELL, "Zone", "", "%s", visit->conf.zone);
    if (access(visit->conf.inventory, R_OK) < 0)
        find(visit, WARNING, "inventory", "`carbonctl inventory discover` on a node writes it",
             "%s: %s: embodied emissions are unknown", visit->conf.inventory, strerror(errno));
    else
        find(visit, WELL, "inventory", "", "%s; `carbonctl inventory check` compares it with nodes",
             visit->conf.inventory);
}

static int look_at_books(struct visit *visit)
{
    struct node_kinds kinds = { .visit = visit };
    int rc = store_open(visit->conf.database, STORE_READ, NULL, &visit->store, visit->err);

    if (rc == -ENOENT) {
        find(visit, SKIPPED, "database", "", "%s: not on this machine", visit->conf.database);
        return 0;
    }
    if (rc < 0) {
        find(visit, PROBLEM, "database", "", "%s", visit->err->text);
        return 0;
    }
    look_at_database(visit);
    look_at_ingest(visit);
    look_at_deliver_dir(visit);
    rc = find_nodes(&kinds);
    if (rc == 0)
        rc = store_nodes(visit->store, visit->now_s - 7 * 86400, take_node, &kinds, visit->err);
    if (rc == 0)
        tell_nodes(visit, &kinds);
    hostlist_clear(&kinds.in_slurm);
    free(kinds.delivers);
    if (rc == 0)
        rc = look_at_audit(visit);
    if (rc == 0)
        rc = look_at_reconciling(visit);
    if (rc == 0)
        look_at_factors(visit);
    visit->store = store_close(visit->store);
    return rc;
}

/* --- carbond ---------------------------------------------------------------------------------- */

/* The whole way: munged here and there, the tool behind carbond, and its answer. */
static void look_at_carbond(struct visit *visit)
{
    const char *address = visit->conf.carbond[0] ? visit->conf.carbond : CARBOND_SOCKET;
    char program[PATH_MAX];
    const char *const argv[] = { program, address, visit->conf.munge_socket, "", "sacct-carbon",
                                 "--version", NULL };
    struct error err = { "" };
    FILE *file;

    if (!visit->conf.carbond[0] && access(CARBOND_SOCKET, F_OK) < 0)
        return;
    ask_program(program);
    if (run_command(argv, SLURM_DEADLINE_S, PRINTED_MAX, false, &file, &err) < 0) {
        find(visit, PROBLEM, "carbond", "what it says is in the log of carbond there, and on the "
             "error output here", "%s: %s", address, err.text);
        return;
    }
    find(visit, WELL, "carbond", "", "%s answers", address);
    fclose(file);
}

/* --- the visit -------------------------------------------------------------------------------- */

static int doctor_exec(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = { COMMON_OPTIONS, { NULL, 0, NULL, 0 } };
    static struct visit visit;
    struct error err = { "" };
    int rc, option = next_option(command, argc, argv, options);

    if (option != -1)
        return option == OPTION_HELP ? EXIT_FINE : EXIT_ERROR;
    if (refuse_operands(command, argc, argv) || load_conf(&visit.conf, &visit.origin) < 0)
        return EXIT_ERROR;
    visit.now_s = clock_wall_ns() / (int64_t)NS_PER_S;
    visit.err = &err;
    find(&visit, WELL, "carbon.conf", "", "%s", visit.origin.file);
    look_at_clock(&visit);
    visit.slurm_answers = ask_slurm(&visit);
    if (visit.slurm_answers) {
        look_at_prologs(&visit);
        look_at_plugstack(&visit);
    }
    look_at_meter(&visit);
    look_at_carbond(&visit);
    rc = look_at_books(&visit);
    if (rc < 0) {
        complain("%s", err.text);
        return EXIT_ERROR;
    }
    plainf("\n%u problems, %u warnings\n", visit.count[PROBLEM], visit.count[WARNING]);
    return visit.count[PROBLEM] ? EXIT_ERROR : EXIT_FINE;
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "[OPTIONS]",
    .summary = "walk the installation, as seen from this machine, and say what to mend and how",
    .help = "What cannot be seen from here is skipped: run it on a node, and where the database\n"
            "is. Exits with 1 when there is a problem.\n\n",
    .exec = doctor_exec,
};

/*
 * Reading carbon.conf, in named steps: read the file; split it into lines and check the shape of
 * each (what libconfuse itself would report lines later, or not at all: a missing '=', an open
 * quote, a value that is a comma list); give the lines to libconfuse, each value quoted, which
 * takes quotes off; convert each value; check what concerns two values together.
 */
#include "core/conf.h"

#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/conf_value.h"
#include "core/file.h"
#include "core/nearest.h"

#define CONF_SIZE_MAX (1u << 20) /* bytes of a carbon.conf or slurm.conf; more is a mistake */

/* --- where the files are --------------------------------------------------------------------- */

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* slurm.conf by SLURM_CONF, else beside `near` (may be NULL), else in the usual places; or "". */
static void find_slurm_conf(const char *near, char ret_path[PATH_MAX])
{
    const char *named = getenv("SLURM_CONF");
    const char *slash = near ? strrchr(near, '/') : NULL;

    snprintf(ret_path, PATH_MAX, "%s", named ? named : "");
    if (ret_path[0])
        return;
    if (slash) {
        snprintf(ret_path, PATH_MAX, "%.*s/slurm.conf", (int)(slash - near), near);
        if (is_there(ret_path))
            return;
    }
    snprintf(ret_path, PATH_MAX, "%s", SYSCONFDIR "/slurm/slurm.conf");
    if (!is_there(ret_path))
        snprintf(ret_path, PATH_MAX, "%s", "/etc/slurm/slurm.conf");
    if (!is_there(ret_path))
        ret_path[0] = '\0';
}

/* dir(slurm_conf)/carbon.conf */
static void beside(const char *slurm_conf, char ret_path[PATH_MAX])
{
    const char *slash = strrchr(slurm_conf, '/');
    int dir_len = slash ? (int)(slash - slurm_conf) : 1;

    if (snprintf(ret_path, PATH_MAX, "%.*s/carbon.conf", dir_len, slash ? slurm_conf : ".") >=
        PATH_MAX)
        ret_path[0] = '\0';
}

void conf_find(const char *named, char ret_path[PATH_MAX])
{
    static const char *const usual[] = { SYSCONFDIR "/slurm/carbon.conf",
                                         "/etc/slurm/carbon.conf" };
    const char *chosen = named ? named : getenv("SLURM_CARBON_CONF");
    const char *slurm_conf = getenv("SLURM_CONF");

    snprintf(ret_path, PATH_MAX, "%s", chosen ? chosen : "");
    if (ret_path[0])
        return;
    if (slurm_conf && slurm_conf[0]) {
        beside(slurm_conf, ret_path);
        if (ret_path[0] && is_there(ret_path))
            return;
    }
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        snprintf(ret_path, PATH_MAX, "%s", usual[i]);
        if (is_there(ret_path))
            return;
    }
    ret_path[0] = '\0';
}

/* Whole text of a file that may be a link (Slurm's configuration often is). */
static int read_text(const char *path, char **ret_text, struct error *err)
{
    char *text = malloc(CONF_SIZE_MAX);
    size_t len = 0;
    int rc = text ? file_read_small(AT_FDCWD, path, text, CONF_SIZE_MAX, &len) : -ENOMEM;

    if (rc == 0 && strlen(text) != len)
        rc = error_set(err, -EINVAL, "%s: holds a NUL byte; it is no configuration file", path);
    else if (rc == -EFBIG)
        error_set(err, rc, "%s: larger than %u bytes; it is no configuration file", path,
                  CONF_SIZE_MAX);
    else if (rc < 0)
        error_set_errno(err, rc, "cannot read %s", path);
    if (rc < 0) {
        free(text);
        return rc;
    }
    *ret_text = text;
    return 0;
}

/* --- the shape of a line --------------------------------------------------------------------- */

/* A line cut into its key and its value as written; key NULL: nothing on it. */
struct line {
    char *key, *value;
    char quote; /* '\'', '"', or 0 */
};

static char *skip_blanks(char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

static void cut_trailing_blanks(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
}

/* Take the value apart from quotes, comment and blanks, in place. */
static int split_value(char *p, struct line *line, struct error *err)
{
    char *end;

    p = skip_blanks(p);
    line->quote = *p == '"' || *p == '\'' ? *p : 0;
    line->value = p + (line->quote != 0);
    end = line->quote ? strchr(line->value, line->quote) : line->value + strcspn(p, "#");
    if (!end)
        return error_set(err, -EINVAL, "%s: the quote %c is not closed; close it on the same line",
                         line->key, line->quote);
    if (line->quote) {
        char *rest = skip_blanks(end + 1);

        if (*rest && *rest != '#' && *rest != '\r')
            return error_set(err, -EINVAL, "%s: '%.40s' after the closing quote; give one value a "
                             "line", line->key, rest);
    }
    *end = '\0';
    if (!line->quote)
        cut_trailing_blanks(line->value);
    return 0;
}

static int check_value_text(const struct line *line, struct error *err)
{
    for (const char *p = line->value; *p; p++)
        if (iscntrl((unsigned char)*p) && *p != '\t')
            return error_set(err, -EINVAL, "%s: a control character (0x%02x) in the value; take it "
                             "out", line->key, (unsigned char)*p);
    if (strchr(line->value, '\\') || strstr(line->value, "${"))
        return error_set(err, -EINVAL, "%s: backslashes and ${…} have no meaning here; write the "
                         "value itself", line->key);
    if (!line->quote && strpbrk(line->value, " \t'\""))
        return error_set(err, -EINVAL, "%s: '%s' holds blanks or quotes; put one value a line, in "
                         "quotes if blanks belong to it", line->key, line->value);
    return 0;
}

/* Cut one line in place. */
static int split_line(char *text, struct line *ret_line, struct error *err)
{
    char *key = skip_blanks(text), *equals = key + strcspn(key, "=#'\"");
    int rc;

    *ret_line = (struct line){ 0 };
    cut_trailing_blanks(key);
    if (*key == '\0' || *key == '#')
        return 0;
    if (*equals != '=')
        return error_set(err, -EINVAL, "'%.60s' has no '='; write Key=Value", key);
    *equals = '\0';
    cut_trailing_blanks(key);
    if (*key == '\0')
        return error_set(err, -EINVAL, "nothing before the '='; write Key=Value");
    ret_line->key = key;
    rc = split_value(equals + 1, ret_line, err);
    return rc == 0 ? check_value_text(ret_line, err) : rc;
}

/* --- keys ------------------------------------------------------------------------------------ */

static const char *nearest_key(const char *key)
{
    const char *nearest = conf_options[0].key;
    unsigned least = UINT_MAX;

    for (const struct conf_option *o = conf_options; o->key; o++) {
        unsigned distance = edit_distance(key, o->key);

        if (distance < least) {
            least = distance;
            nearest = o->key;
        }
    }
    return nearest;
}

static int find_key(const char *key, struct error *err)
{
    for (int i = 0; conf_options[i].key; i++)
        if (strcasecmp(conf_options[i].key, key) == 0)
            return i;
    return error_set(err, -EINVAL, "%s: no such key; did you mean %s?", key, nearest_key(key));
}

/* --- the whole file -------------------------------------------------------------------------- */

/* One line to its place in `clean`, libconfuse's text; every value quoted, lines kept. */
static int take_line(char *text, unsigned number, unsigned *lines, struct buf *clean,
                     struct error *err)
{
    struct line line;
    int index, rc = split_line(text, &line, err);
    char quote;

    if (rc < 0)
        return rc;
    if (!line.key) {
        buf_printf(clean, "\n");
        return 0;
    }
    index = find_key(line.key, err);
    if (index < 0)
        return index;
    if (lines[index])
        return error_set(err, -EINVAL, "%s: stands on line %u already; keep one of the two",
                         conf_options[index].key, lines[index]);
    lines[index] = number;
    quote = line.quote ? line.quote : '"';
    buf_printf(clean, "%s = %c%s%c\n", conf_options[index].key, quote, line.value, quote);
    return 0;
}

static int take_lines(const char *path, char *text, unsigned *lines, struct buf *clean,
                      struct error *err)
{
    char *one, *rest = text;
    unsigned number = 0;

    while ((one = strsep(&rest, "\n")) != NULL) {
        int rc = take_line(one, ++number, lines, clean, err);

        if (rc < 0)
            return error_prefix(err, rc, "%s:%u", path, number);
    }
    return buf_failed(clean) ? error_set(err, -ENOMEM, "%s: out of memory", path) : 0;
}

/* libconfuse reports by a callback that knows nothing of its caller. */
static _Thread_local struct error *confuse_error;

static void report_confuse(cfg_t *cfg, const char *fmt, va_list ap)
{
    char text[ERROR_TEXT_SIZE / 2];

    vsnprintf(text, sizeof(text), fmt, ap);
    error_set(confuse_error, -EINVAL, "line %d: %s", cfg ? cfg->line : 0, text);
}

static cfg_t *parse_clean(const char *text, struct error *err)
{
    cfg_opt_t opts[CONF_OPTIONS_MAX + 1];
    cfg_t *cfg;
    size_t i;

    for (i = 0; conf_options[i].key; i++)
        opts[i] = (cfg_opt_t)CFG_STR(conf_options[i].key, NULL, CFGF_NODEFAULT);
    opts[i] = (cfg_opt_t)CFG_END();
    cfg = cfg_init(opts, CFGF_NOCASE); /* copies opts */
    if (!cfg) {
        error_set(err, -ENOMEM, "out of memory");
        return NULL;
    }
    confuse_error = err;
    cfg_set_error_function(cfg, report_confuse);
    if (cfg_parse_buf(cfg, text) == CFG_SUCCESS)
        return cfg;
    cfg_free(cfg);
    return NULL;
}

static int convert(const char *path, const cfg_t *cfg, const unsigned *lines, const char *node,
                   struct conf *conf, struct error *err)
{
    for (size_t i = 0; conf_options[i].key; i++) {
        const struct conf_option *option = &conf_options[i];
        const char *text = lines[i] ? cfg_getstr((cfg_t *)cfg, option->key) : option->fallback;
        int rc = conf_value_parse(option, text ? text : "", node, conf, err);

        if (rc < 0)
            return error_prefix(err, rc, "%s:%u: %s", path, lines[i], option->key);
    }
    return 0;
}

static unsigned line_of(const unsigned *lines, const char *key)
{
    for (size_t i = 0; conf_options[i].key; i++)
        if (strcmp(conf_options[i].key, key) == 0)
            return lines[i];
    return 0;
}

/* The collector looks at no others, and says nothing. */
static int check_metrics_file(const char *path, const struct conf *conf, const unsigned *lines,
                              struct error *err)
{
    const char *file = conf->metrics_file;
    size_t len = strlen(file);

    if (len == 0 || (len > 6 && strcmp(file + len - 5, ".prom") == 0 && file[len - 6] != '/'))
        return 0;
    return error_set(err, -EINVAL, "%s:%u: MetricsFile: '%s' is no NAME.prom, and node_exporter "
                     "reads no other files; name one in its textfile directory", path,
                     line_of(lines, "MetricsFile"), file);
}

static int check_together(const char *path, const struct conf *conf, const unsigned *lines,
                          struct error *err)
{
    unsigned idle = line_of(lines, "IdleWatts"), full = line_of(lines, "FullWatts");

    if (conf->idle_uw && conf->full_uw && conf->full_uw < conf->idle_uw)
        return error_set(err, -EINVAL, "%s:%u: FullWatts is less than IdleWatts (line %u); a busy "
                         "package takes more power than an idle one, so correct one of them", path,
                         full, idle);
    return 0;
}

/* ClusterName of slurm.conf, in lower case as Slurm keeps it; -ENOENT when it does not say. */
static int slurm_cluster_name(const char *slurm_conf, char *room, size_t size)
{
    char *text, *one, *rest;
    int rc = read_text(slurm_conf, &text, NULL), found = -ENOENT;

    if (rc < 0)
        return rc;
    rest = text;
    while (found < 0 && (one = strsep(&rest, "\n")) != NULL) {
        char *key = skip_blanks(one), *name = key + strcspn(key, "=");
        size_t len;

        if (strncasecmp(key, "ClusterName", 11) != 0 || skip_blanks(key + 11) != name || !*name)
            continue;
        name = skip_blanks(name + 1);
        len = strcspn(name, " \t\r#");
        if (len == 0 || len >= size)
            continue;
        for (size_t i = 0; i < len; i++)
            room[i] = (char)tolower((unsigned char)name[i]);
        room[len] = '\0';
        found = 0;
    }
    free(text);
    return found;
}

static void default_cluster_name(const char *path, struct conf *conf, struct conf_origin *origin)
{
    char slurm_conf[PATH_MAX];

    find_slurm_conf(path, slurm_conf);
    if (slurm_conf[0] &&
        slurm_cluster_name(slurm_conf, conf->cluster_name, sizeof(conf->cluster_name)) == 0)
        snprintf(origin->slurm_conf, PATH_MAX, "%s", slurm_conf);
    else
        snprintf(conf->cluster_name, sizeof(conf->cluster_name), "cluster");
}

static int load(const char *path, char *text, const char *node, struct conf *conf,
                struct conf_origin *origin, struct error *err)
{
    struct buf clean;
    cfg_t *cfg = NULL;
    int rc;

    buf_init(&clean);
    buf_add(&clean, "", 0);
    rc = take_lines(path, text, origin->line, &clean, err);
    if (rc == 0) {
        cfg = parse_clean(clean.data, err);
        rc = cfg ? convert(path, cfg, origin->line, node, conf, err)
                 : error_prefix(err, -EINVAL, "%s", path);
    }
    if (rc == 0)
        rc = check_together(path, conf, origin->line, err);
    if (rc == 0)
        rc = check_metrics_file(path, conf, origin->line, err);
    if (rc == 0 && conf->cluster_name[0] == '\0')
        default_cluster_name(path, conf, origin);
    if (cfg)
        cfg_free(cfg);
    buf_free(&clean);
    return rc;
}

int conf_load(const char *path, const char *node, struct conf *ret_conf, struct conf_origin *origin,
              struct error *err)
{
    struct conf_origin from = { .file = "" };
    struct conf conf = { .zone = "" };
    char *text = NULL;
    int rc = path[0] ? read_text(path, &text, err) : 0;

    if (rc < 0)
        return rc;
    snprintf(from.file, sizeof(from.file), "%s", path);
    if (!text)
        text = strdup("");
    rc = text ? load(path, text, node, &conf, &from, err)
              : error_set(err, -ENOMEM, "out of memory");
    free(text);
    if (rc < 0)
        return rc;
    *ret_conf = conf;
    if (origin)
        *origin = from;
    return 0;
}

/*
 * conf.h and the plugin's own reader of the same file (spank/settings.h): what the tools take, the
 * plugin takes for the same, and what they have made of it reads the same when it is written again.
 * The text is slurm.conf too, which may name the cluster.
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/conf.h"
#include "fuzz.h"
#include "spank/settings.h"

#define NODE "n1"
#define VALUE_SIZE (PATH_MAX + 64)

static int load(const char *text, size_t size, struct conf *ret_conf, struct conf_origin *origin)
{
    char path[FUZZ_PATH_SIZE];
    struct error err = { "" };
    int rc;

    fuzz_file(text, size, path);
    setenv("SLURM_CONF", path, 1);
    rc = conf_load(path, NODE, ret_conf, origin, &err);
    return fuzz_failed(rc, &err) ? rc : 0;
}

static void check_same(const struct conf *conf)
{
    static char before[VALUE_SIZE], after[VALUE_SIZE];
    static struct conf again;
    struct buf buf;

    buf_init(&buf);
    for (const struct conf_option *o = conf_options; o->key; o++) {
        conf_format(conf, o, before, sizeof(before));
        if (before[0] != '\0')
            buf_printf(&buf, strchr(before, '"') ? "%s='%s'\n" : "%s=\"%s\"\n", o->key, before);
    }
    PROMISE(!buf_failed(&buf));
    PROMISE(load(buf.data, buf.len, &again, NULL) == 0);
    for (const struct conf_option *o = conf_options; o->key; o++) {
        conf_format(conf, o, before, sizeof(before));
        conf_format(&again, o, after, sizeof(after));
        PROMISE(strcmp(before, after) == 0);
    }
    buf_free(&buf);
}

static void check_bounds(const struct conf *conf, const struct conf_origin *origin)
{
    PROMISE(conf->cluster_name[0] != '\0');
    PROMISE(conf->pue_ppm >= 1000000 && conf->pue_ppm <= 3000000);
    PROMISE(conf->deliver_s >= 1 && conf->deliver_s <= 3600);
    PROMISE(conf->tick_ms >= 100 && conf->tick_ms <= 60000);
    PROMISE(conf->full_uw == 0 || conf->full_uw >= conf->idle_uw);
    PROMISE(conf->utilisation_ppm > 0 && conf->utilisation_ppm <= 1000000);
    PROMISE(conf->mark_dir[0] == '/' && conf->spool_dir[0] == '/' && conf->deliver_dir[0] == '/');
    PROMISE(origin->file[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf conf, before;
    static struct conf_origin origin;
    static struct settings settings;
    char *text = fuzz_text(data, size);

    memset(&conf, 0x5a, sizeof(conf));
    before = conf;
    settings_read(text, NODE, &settings);
    PROMISE(settings.mark_dir[0] == '/' && settings.sensor_root[0] == '/' &&
            settings.cgroup_root[0] == '/');
    if (load((const char *)data, size, &conf, &origin) == 0) {
        check_bounds(&conf, &origin);
        PROMISE(strcmp(conf.mark_dir, settings.mark_dir) == 0);
        PROMISE(strcmp(conf.sensor_root, settings.sensor_root) == 0);
        PROMISE(strcmp(conf.cgroup_root, settings.cgroup_root) == 0);
        check_same(&conf);
    } else {
        PROMISE(memcmp(&conf, &before, sizeof(conf)) == 0); /* untouched */
    }
    free(text);
    return 0;
}

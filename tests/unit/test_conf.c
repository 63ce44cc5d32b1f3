/* carbon.conf: what is read, what is refused, and how the refusal reads */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/conf.h"

#define FILE_NAME "carbon.conf"

static char dir[] = "/tmp/test_conf.XXXXXX";

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static int load(const char *text, struct conf *conf, struct conf_origin *origin, struct error *err)
{
    write_file(FILE_NAME, text);
    return conf_load(FILE_NAME, "n1", conf, origin, err);
}

static void without_a_file_the_defaults_serve(void **state)
{
    struct conf_origin origin;
    struct error err;
    struct conf conf;

    (void)state;
    assert_int_equal(conf_load("", "n1", &conf, &origin, &err), 0);
    assert_string_equal(conf.cluster_name, "cluster");
    assert_string_equal(conf.zone, "");
    assert_int_equal(conf.pue_ppm, 1200000);
    assert_string_equal(conf.database, "sqlite:/var/lib/slurm-carbon/carbon.db");
    assert_string_equal(conf.mark_dir, "/run/slurm-carbon/n1");
    assert_string_equal(conf.spool_dir, "/var/spool/slurm-carbon/n1");
    assert_string_equal(conf.deliver_dir, "/var/spool/slurm-carbon/deliver");
    assert_int_equal(conf.deliver_s, 60);
    assert_int_equal(conf.tick_ms, 1000);
    assert_int_equal(conf.idle_uw, 0);
    assert_int_equal(conf.idle_policy, IDLE_SEPARATE);
    assert_int_equal(conf.grid_basis, BASIS_LIFECYCLE);
    assert_int_equal(conf.embodied_mode, 0);
    assert_int_equal(conf.utilisation_ppm, 850000);
    assert_string_equal(origin.file, "");
    assert_int_equal(origin.line[0], 0);
}

static void every_form_of_a_line_is_read(void **state)
{
    struct conf_origin origin;
    struct error err;
    struct conf conf;
    int rc = load("# a comment\n"
                  "\n"
                  "ClusterName=Alpha # in full\n"
                  "  zone = FR\t\r\n"
                  "PUE=1.085\n"
                  "Database='sqlite:/data/x y.db?network=yes'\n"
                  "MARKDIR=\"/run/%n/marks#1\"  # quoted\n"
                  "Sensors=powercap,modelled\n"
                  "TickSeconds=0.25\n"
                  "SensorRoot=/run/%n/root\n"
                  "IdleWatts=30.5\n"
                  "keeppowerdays = 7\n"
                  "GpuUtilisation=0\n"
                  "FullWatts=\n"
                  "GridBasis=direct\n"
                  "EmbodiedMode=planned\n"
                  "ExpectedUtilisation=1\n"
                  "IdlePolicy=Spread", &conf, &origin, &err);

    (void)state;
    assert_int_equal(rc, 0);
    assert_string_equal(conf.cluster_name, "Alpha");
    assert_string_equal(conf.zone, "FR");
    assert_int_equal(conf.pue_ppm, 1085000);
    assert_string_equal(conf.database, "sqlite:/data/x y.db?network=yes");
    assert_string_equal(conf.mark_dir, "/run/n1/marks#1");
    assert_string_equal(conf.sensors, "powercap,modelled");
    assert_int_equal(conf.tick_ms, 250);
    assert_string_equal(conf.sensor_root, "/run/n1/root");
    assert_int_equal(conf.keep_power_days, 7);
    assert_int_equal(conf.idle_uw, 30500000);
    assert_int_equal(conf.full_uw, 0);
    assert_int_equal(conf.gpu_utilisation_ppm, 0);
    assert_int_equal(conf.idle_policy, IDLE_SPREAD);
    assert_int_equal(conf.grid_basis, BASIS_DIRECT);
    assert_int_equal(conf.embodied_mode, 2);
    assert_int_equal(conf.utilisation_ppm, 1000000);
    assert_string_equal(origin.file, FILE_NAME);
    assert_int_equal(origin.line[0], 3);
    assert_int_equal(origin.line[1], 4);
}

static void every_mistake_names_file_line_key_and_remedy(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "Zone=FR\nPUE=0.99\n", "carbon.conf:2: PUE: 0.99 is below 1: a facility cannot use less "
          "energy than its computers; give 1.0 to 3.0" },
        { "PUE=0\n", "is below 1" },
        { "PUE=3.1\n", "carbon.conf:1: PUE: 3.1 is out of range; give 1 to 3" },
        { "PUE=\n", "carbon.conf:1: PUE: has no value; give one, or remove the line for the "
          "default 1.2" },
        { "PUE=1,2\n", "carbon.conf:1: PUE: '1,2' is not a number; give 1 to 3" },
        { "PUE=-1\n", "'-1' is not a number" },
        { "TickSeconds=0.05\n", "TickSeconds: 0.05 is out of range; give 0.1 to 60" },
        { "TickSeconds=61\n", "TickSeconds: 61 is out of range; give 0.1 to 60" },
        { "TickSeconds=1s\n", "'1s' is not a number; give 0.1 to 60, without a unit" },
        { "DeliverSeconds=0\n", "DeliverSeconds: 0 is out of range; give 1 to 3600" },
        { "DeliverSeconds=3601\n", "3601 is out of range" },
        { "DeliverSeconds=1.5\n", "'1.5' is not a number without fraction" },
        { "SpoolMaxMB=99999999999999999999999\n", "is out of range; give 1 to 1048576" },
        { "KeepPowerDays=0\n", "KeepPowerDays: 0 is out of range; give 1 to 3650" },
        { "IdleWatts=20000\n", "IdleWatts: 20000 is out of range; give 0 to 10000" },
        { "\nDeliverSecond=60\n",
          "carbon.conf:2: DeliverSecond: no such key; did you mean DeliverSeconds?" },
        { "tik=1\n", "tik: no such key; did you mean PUE?" },
        { "Zone FR\n", "carbon.conf:1: 'Zone FR' has no '='; write Key=Value" },
        { "Zone # = FR\n", "has no '='" },
        { "=FR\n", "carbon.conf:1: nothing before the '='" },
        { "Zone='FR\n", "carbon.conf:1: Zone: the quote ' is not closed" },
        { "Zone=\"FR'\n", "the quote \" is not closed" },
        { "Zone=FR'\n", "holds blanks or quotes" },
        { "Zone='FR' PUE=1\n", "Zone: 'PUE=1' after the closing quote; give one value a line" },
        { "ClusterName='a\033[31m'\n", "ClusterName: a control character (0x1b) in the value" },
        { "Zone=FR PUE=1\n", "Zone: 'FR PUE=1' holds blanks or quotes; put one value a line" },
        { "Zone=${ZONE}\n", "backslashes and ${…} have no meaning here" },
        { "Zone=a\\nb\n", "backslashes and ${…} have no meaning here" },
        { "Zone=FR\n\nzone=DE\n", "carbon.conf:3: Zone: stands on line 1 already; keep one" },
        { "DeliverDir=/spool/%n\n", "carbon.conf:1: DeliverDir: '/spool/%n': %n is allowed in "
          "MarkDir, SpoolDir, SensorRoot and MetricsFile only" },
        { "Database=sqlite:/%n.db\n", "%n is allowed in MarkDir, SpoolDir, SensorRoot and" },
        { "MarkDir=/run/%h\n", "MarkDir: %h in '/run/%h' means nothing; only %n" },
        { "SpoolDir=spool\n", "SpoolDir: 'spool' is not an absolute path; begin it with /" },
        { "SensorRoot=../x\n", "'../x' is not an absolute path" },
        { "Database=postgresql://me:secret@host:5432/x\n", "no password here" },
        { "Database=/var/x.db\n", "no database; give sqlite:/absolute/path or postgresql://" },
        { "Database=sqlite:x.db\n", "is no database" },
        { "IdlePolicy=shared\n", "'shared' is not one of its choices; give separate or spread" },
        { "GridBasis=marginal\n",
          "'marginal' is not one of its choices; give lifecycle or direct" },
        { "EmbodiedMode=all\n",
          "'all' is not one of its choices; give capacity, share or planned" },
        { "ExpectedUtilisation=0\n",
          "ExpectedUtilisation: 0 is out of range; give 0.000001 to 1" },
        { "ExpectedUtilisation=85\n", "85 is out of range; give 0.000001 to 1" },
        { "GpuUtilisation=1.01\n",
          "carbon.conf:1: GpuUtilisation: 1.01 is out of range; give 0 to 1" },
        { "Zone=FR\nGpuUtilisation=60%\n",
          "carbon.conf:2: GpuUtilisation: '60%' is not a number; give 0 to 1" },
        { "GpuUtilisation=\n", "GpuUtilisation: has no value; give one, or remove the line for "
          "the default 0.5" },
        { "FullWatts=50\nIdleWatts=60\n", "conf:1: FullWatts is less than IdleWatts (line 2)" },
        { "Zone=0123456789012345678901234567890123456789\n",
          "Zone: the value has 40 characters; give at most 31" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf conf = { .deliver_s = 4711 };
        struct error err = { "" };
        int rc = load(cases[i].text, &conf, NULL, &err);

        if (rc != -EINVAL || !strstr(err.text, cases[i].message))
            fail_msg("%s gives %d: %s\nexpected: %s", cases[i].text, rc, err.text,
                     cases[i].message);
        assert_int_equal(conf.deliver_s, 4711); /* untouched on failure */
    }
}

static void a_metrics_file_is_one_that_the_collector_reads(void **state)
{
    static const char *const refused[] = { "/tmp/n1.txt", "/tmp/.prom", "/prom", "/tmp/a.prom/" };
    struct conf conf;

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char line[64], message[128];
        struct error err = { "" };

        snprintf(line, sizeof(line), "Zone=FR\nMetricsFile=%s\n", refused[i]);
        snprintf(message, sizeof(message), "carbon.conf:2: MetricsFile: '%s' is no NAME.prom",
                 refused[i]);
        if (load(line, &conf, NULL, &err) != -EINVAL || !strstr(err.text, message))
            fail_msg("%s: %s", refused[i], err.text);
    }
    assert_int_equal(load("MetricsFile=/x/carbon-%n.prom\n", &conf, NULL, NULL), 0);
    assert_string_equal(conf.metrics_file, "/x/carbon-n1.prom");
    assert_int_equal(load("MetricsFile=\n", &conf, NULL, NULL), 0);
    assert_string_equal(conf.metrics_file, "");
}

static void a_named_file_must_be_there(void **state)
{
    struct error err;
    struct conf conf;

    (void)state;
    assert_int_equal(conf_load("absent.conf", "n1", &conf, NULL, &err), -ENOENT);
    assert_string_equal(err.text, "cannot read absent.conf: No such file or directory");
    assert_int_equal(load("", &conf, NULL, &err), 0);
}

static void the_clusters_name_is_slurms_in_lower_case(void **state)
{
    struct conf_origin origin;
    struct conf conf;
    char path[PATH_MAX];

    (void)state;
    write_file("slurm.conf", "# ClusterName=no\nSlurmctldHost=a\nclustername = Alpha # x\n");
    snprintf(path, sizeof(path), "%s/carbon.conf", dir);
    write_file(path, "");
    assert_int_equal(conf_load(path, "", &conf, &origin, NULL), 0);
    assert_string_equal(conf.cluster_name, "alpha");
    assert_non_null(strstr(origin.slurm_conf, "/slurm.conf"));
    write_file(path, "ClusterName=beta\n");
    assert_int_equal(conf_load(path, "", &conf, &origin, NULL), 0);
    assert_string_equal(conf.cluster_name, "beta");
    assert_string_equal(origin.slurm_conf, "");
    unlink("slurm.conf");
}

static void the_file_is_found_by_name_then_environment_then_slurm_conf(void **state)
{
    char path[PATH_MAX], near[PATH_MAX];

    (void)state;
    setenv("SLURM_CARBON_CONF", "/x/by-env.conf", 1);
    conf_find("/x/named.conf", path);
    assert_string_equal(path, "/x/named.conf");
    conf_find(NULL, path);
    assert_string_equal(path, "/x/by-env.conf");
    unsetenv("SLURM_CARBON_CONF");
    write_file(FILE_NAME, "");
    snprintf(near, sizeof(near), "%s/slurm.conf", dir);
    setenv("SLURM_CONF", near, 1);
    conf_find(NULL, path);
    snprintf(near, sizeof(near), "%s/carbon.conf", dir);
    assert_string_equal(path, near);
    unsetenv("SLURM_CONF");
}

static void assert_same_value(const struct conf *a, const struct conf *b,
                              const struct conf_option *option)
{
    char text_a[PATH_MAX], text_b[PATH_MAX];

    conf_format(a, option, text_a, sizeof(text_a));
    conf_format(b, option, text_b, sizeof(text_b));
    assert_string_equal(text_a, text_b);
}

/* what conf_format() writes is what conf_load() reads */
static void formatted_values_read_back_the_same(void **state)
{
    char text[4096] = "", value[PATH_MAX];
    struct conf before, after;
    size_t used = 0;

    (void)state;
    assert_int_equal(load("ClusterName=c\nPUE=1.000001\nTickSeconds=0.1\nIdleWatts=0.5\n"
                          "GpuUtilisation=0.375\nIdlePolicy=spread\n", &before, NULL, NULL), 0);
    for (const struct conf_option *o = conf_options; o->key; o++) {
        conf_format(&before, o, value, sizeof(value));
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s=%s\n", o->key, value);
    }
    assert_int_equal(load(text, &after, NULL, NULL), 0);
    for (const struct conf_option *o = conf_options; o->key; o++)
        assert_same_value(&before, &after, o);
    assert_int_equal(after.pue_ppm, 1000001);
    assert_int_equal(after.idle_uw, 500000);
    assert_int_equal(after.gpu_utilisation_ppm, 375000);
}

static void the_sample_shows_every_key_with_its_default(void **state)
{
    const char *top = getenv("top_srcdir");
    char path[PATH_MAX], *text = calloc(1, 65536);
    struct conf conf, bare;
    FILE *file;

    (void)state;
    assert_non_null(text);
    snprintf(path, sizeof(path), "%s/docs/carbon.conf.sample", top ? top : ".");
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    for (const struct conf_option *o = conf_options; o->key; o++) {
        char line[PATH_MAX];

        snprintf(line, sizeof(line), "\n#%s=%s\n", o->key, o->fallback ? o->fallback : "");
        if (!strstr(text, line))
            fail_msg("the sample lacks the line%s", line);
    }
    /* and with every key uncommented it is read, as the same as no file */
    for (char *p = text; (p = strchr(p, '#')) != NULL; p++)
        if (p[1] >= 'A' && p[1] <= 'Z' && p > text && p[-1] == '\n')
            *p = ' ';
    assert_int_equal(load(text, &conf, NULL, NULL), 0);
    assert_int_equal(conf_load("", "n1", &bare, NULL, NULL), 0);
    for (const struct conf_option *o = conf_options; o->key; o++)
        assert_same_value(&conf, &bare, o);
    free(text);
}

static int set_up(void **state)
{
    (void)state;
    unsetenv("SLURM_CONF");
    unsetenv("SLURM_CARBON_CONF");
    return mkdtemp(dir) ? chdir(dir) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(FILE_NAME);
    return chdir("/") == 0 ? rmdir(dir) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_the_defaults_serve),
        cmocka_unit_test(every_form_of_a_line_is_read),
        cmocka_unit_test(every_mistake_names_file_line_key_and_remedy),
        cmocka_unit_test(a_metrics_file_is_one_that_the_collector_reads),
        cmocka_unit_test(a_named_file_must_be_there),
        cmocka_unit_test(the_clusters_name_is_slurms_in_lower_case),
        cmocka_unit_test(the_file_is_found_by_name_then_environment_then_slurm_conf),
        cmocka_unit_test(formatted_values_read_back_the_same),
        cmocka_unit_test(the_sample_shows_every_key_with_its_default),
    };

    return cmocka_run_group_tests_name("conf", tests, set_up, tear_down);
}

/* The plugin's own reader of carbon.conf against the tools' reader */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "core/file.h"
#include "spank/settings.h"
#include "tree.h"

static struct tree tree;

static int set_up(void **state)
{
    (void)state;
    tree_make(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_free(&tree);
    return 0;
}

/* Read text both ways; returns what the tools' reader says. */
static int read_both(const char *text, struct settings *settings, struct conf *conf)
{
    char path[PATH_MAX + 16], argument[PATH_MAX + 32];
    char *av[] = { argument };

    tree_write(&tree, "carbon.conf", "%s", text);
    snprintf(path, sizeof(path), "%s/carbon.conf", tree.path);
    snprintf(argument, sizeof(argument), "config=%s", path);
    settings_load(1, av, "n1", settings);
    return conf_load(path, "n1", conf, NULL, NULL);
}

static bool agree(const struct settings *settings, const struct conf *conf)
{
    return strcmp(settings->mark_dir, conf->mark_dir) == 0 &&
           strcmp(settings->sensor_root, conf->sensor_root) == 0 &&
           strcmp(settings->cgroup_root, conf->cgroup_root) == 0;
}

static void both_readers_agree_on_what_is_right(void **state)
{
    static const char *const texts[] = {
        "",
        "# nothing\n",
        "MarkDir=/a\n",
        "MarkDir=/a",
        "  MarkDir\t = \t/a  \n",
        "markdir=/a/%n/b%n\nSENSORROOT=/s/%n\nCgroupRoot=/c\n",
        "MarkDir=\"/with blank/%n\" # comment\n",
        "MarkDir='/with \"quotes\"#'\n",
        "MarkDir=\"/it's\"\n",
        "MarkDir=/a#comment\n",
        "MarkDir=/a # comment\n",
        "MarkDir=/a=b\n",
        "MarkDir=/a\r\nSensorRoot=\"/b\"\r\n",
        "#MarkDir=/no\nMarkDir=/yes\n",
        "\n\n\t\nSensorRoot = /s\n\n",
        "Zone=FR\nPUE=1.1\nMarkDir=/m\nSensors=powercap,modelled\n",
        "Zone='MarkDir=/no'\n",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        struct settings settings;
        struct conf conf;

        ROW_HOLDS(i, read_both(texts[i], &settings, &conf) == 0);
        ROW_HOLDS(i, agree(&settings, &conf));
    }
}

static void what_the_tools_refuse_leaves_the_default(void **state)
{
    static const char *const texts[] = {
        "MarkDir\n",          "MarkDir=\n",          "MarkDir=\"/a\n",       "MarkDir=/a /b\n",
        "MarkDir='/a' /b\n",  "MarkDir=relative\n",  "MarkDir=/a\\ b\n",     "MarkDir=/${HOME}\n",
        "MarkDir=/a\"b\"\n",  "MarkDir=/%h\n",       "MarkDir=/a%\n",        "CgroupRoot=/%n\n",
        "MarkDirs=/a\n",      "=/a\n",               "\"MarkDir\"=/a\n",     "MarkDir:/a\n",
        "Mark Dir=/a\n",      "MarkDir==/a\n",
    };
    struct settings defaults, settings;
    struct conf conf;

    (void)state;
    assert_int_equal(read_both("", &defaults, &conf), 0);
    for (size_t i = 0; i < LENGTH(texts); i++) {
        ROW_HOLDS(i, read_both(texts[i], &settings, &conf) < 0);
        ROW_HOLDS(i, memcmp(&settings, &defaults, sizeof(settings)) == 0);
    }
}

static void a_path_longer_than_paths_can_be_leaves_the_default(void **state)
{
    char text[PATH_MAX + 64];
    struct settings settings;
    struct conf conf;

    (void)state;
    snprintf(text, sizeof(text), "MarkDir=/%0*d\n", PATH_MAX, 0);
    assert_true(read_both(text, &settings, &conf) < 0);
    assert_string_equal(settings.mark_dir, "/run/slurm-carbon/n1");
}

static void both_readers_agree_on_the_sample_file(void **state)
{
    const char *top = getenv("top_srcdir");
    char path[PATH_MAX];
    struct settings settings;
    struct conf conf;
    char *text;

    (void)state;
    snprintf(path, sizeof(path), "%s/docs/carbon.conf.sample", top ? top : ".");
    assert_int_equal(file_read(AT_FDCWD, path, 1 << 16, &text, &(size_t){ 0 }, NULL), 0);
    assert_int_equal(read_both(text, &settings, &conf), 0);
    assert_true(agree(&settings, &conf));
    free(text);
}

static void a_file_too_large_to_be_one_gives_the_defaults(void **state)
{
    struct settings settings;
    struct conf conf;
    char *text = malloc(70000);

    (void)state;
    assert_non_null(text);
    memset(text, '\n', 70000);
    memcpy(text, "MarkDir=/a", 10);
    text[69999] = '\0';
    (void)!read_both(text, &settings, &conf);
    assert_string_equal(settings.mark_dir, "/run/slurm-carbon/n1");
    free(text);
}

static void the_last_config_argument_counts_and_others_are_told(void **state)
{
    char first[] = "config=/a", odd[] = "conf=/b";
    char *known[] = { first }, *unknown[] = { first, odd };

    (void)state;
    assert_null(settings_unknown_argument(0, NULL));
    assert_null(settings_unknown_argument(1, known));
    assert_string_equal(settings_unknown_argument(2, unknown), "conf=/b");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_readers_agree_on_what_is_right),
        TEST(what_the_tools_refuse_leaves_the_default),
        TEST(a_path_longer_than_paths_can_be_leaves_the_default),
        TEST(both_readers_agree_on_the_sample_file),
        TEST(a_file_too_large_to_be_one_gives_the_defaults),
        TEST(the_last_config_argument_counts_and_others_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

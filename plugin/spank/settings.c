#include "spank/settings.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/error.h"
#include "core/file.h"

#define ARGUMENT "config="
#define BLANKS " \t\r"
/* A file with every key and a page of comments is a tenth of this. */
#define SETTINGS_FILE_SIZE 65536

static const struct key {
    const char *name, *fallback;
    bool per_node; /* %n is the node's name; in other paths % is refused */
    size_t offset;
} keys[] = {
    { "MarkDir", "/run/slurm-carbon/%n", true, offsetof(struct settings, mark_dir) },
    { "SensorRoot", "/", true, offsetof(struct settings, sensor_root) },
    { "CgroupRoot", "/sys/fs/cgroup", false, offsetof(struct settings, cgroup_root) },
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* Replace %n in value. False when there is another %, or no room. */
static bool expand(const struct key *key, const char *value, const char *node, char path[PATH_MAX])
{
    size_t len = 0;

    for (const char *p = value; *p; p++) {
        const char *part = *p == '%' ? node : p;
        size_t part_len = *p == '%' ? strlen(node) : 1;

        if (*p == '%' && (!key->per_node || *++p != 'n'))
            return false;
        if (len + part_len >= PATH_MAX)
            return false;
        memcpy(path + len, part, part_len);
        len += part_len;
    }
    path[len] = '\0';
    return true;
}

static bool has_control_character(const char *value)
{
    for (; *value; value++)
        if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
            return true;
    return false;
}

/* What the tools refuse (core/conf.c) leaves the setting as it is. */
static void set_path(const struct key *key, const char *value, const char *node,
                     struct settings *settings)
{
    char path[PATH_MAX];

    if (*value != '/' || strchr(value, '\\') || strstr(value, "${") ||
        has_control_character(value) || !expand(key, value, node, path))
        return;
    memcpy((char *)settings + key->offset, path, strlen(path) + 1);
}

static void cut_trailing_blanks(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && strchr(BLANKS, text[len - 1]))
        text[--len] = '\0';
}

/* Cut the value at the start of text out of it: NULL when it is malformed, or followed by more. */
static char *cut_value(char *text)
{
    char quote[2] = { *text, '\0' };
    char *value = text, *rest;

    if (*quote != '"' && *quote != '\'') {
        value[strcspn(value, "#")] = '\0';
        cut_trailing_blanks(value);
        return strpbrk(value, BLANKS "\"'") ? NULL : value;
    }
    value++;
    rest = value + strcspn(value, quote);
    if (!*rest)
        return NULL;
    *rest++ = '\0';
    rest += strspn(rest, BLANKS);
    return *rest == '\0' || *rest == '#' ? value : NULL;
}

static void read_line(char *line, const char *node, struct settings *settings)
{
    char *key = line + strspn(line, BLANKS);
    size_t key_len = strcspn(key, BLANKS "=#");
    char *at = key + key_len;
    char *value;

    at += strspn(at, BLANKS);
    if (*at++ != '=')
        return;
    value = cut_value(at + strspn(at, BLANKS));
    for (size_t i = 0; value && i < KEY_COUNT; i++)
        if (strlen(keys[i].name) == key_len && strncasecmp(key, keys[i].name, key_len) == 0)
            set_path(&keys[i], value, node, settings);
}

void settings_read(char *text, const char *node, struct settings *ret_settings)
{
    memset(ret_settings, 0, sizeof(*ret_settings));
    for (size_t i = 0; i < KEY_COUNT; i++)
        set_path(&keys[i], keys[i].fallback, node, ret_settings);
    while (text) {
        char *line = text;

        text = strchr(line, '\n');
        if (text)
            *text++ = '\0';
        read_line(line, node, ret_settings);
    }
}

void settings_load(int ac, char *const av[], const char *node, struct settings *ret_settings)
{
    const char *path = SETTINGS_FILE;
    char text[SETTINGS_FILE_SIZE];

    for (int i = 0; i < ac; i++)
        if (strncmp(av[i], ARGUMENT, strlen(ARGUMENT)) == 0)
            path = av[i] + strlen(ARGUMENT);
    if (file_read_small(AT_FDCWD, path, text, sizeof(text), NULL) < 0)
        text[0] = '\0';
    settings_read(text, node, ret_settings);
}

const char *settings_unknown_argument(int ac, char *const av[])
{
    for (int i = 0; i < ac; i++)
        if (strncmp(av[i], ARGUMENT, strlen(ARGUMENT)) != 0)
            return av[i];
    return NULL;
}

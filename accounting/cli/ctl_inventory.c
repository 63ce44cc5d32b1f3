#include "cli/ctl_inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "carbon/intensity.h"
#include "core/file.h"

#define TEXT_SIZE_MAX (16u << 20) /* of an inventory.conf or a table; more is another file */

int load_text(const char *path, char **ret_text, struct error *err)
{
    char *text = malloc(TEXT_SIZE_MAX), *shorter;
    size_t len = 0;
    int rc = text ? file_read_small(AT_FDCWD, path, text, TEXT_SIZE_MAX, &len) : -ENOMEM;

    if (rc == 0 && strlen(text) != len)
        rc = error_set(err, -EINVAL, "%s: holds a NUL byte; it is no text", path);
    else if (rc < 0)
        error_set_errno(err, rc, "cannot read %s", path);
    if (rc < 0) {
        free(text);
        return rc;
    }
    shorter = realloc(text, len + 1);
    *ret_text = shorter ? shorter : text;
    return 0;
}

int load_embodied_factors(struct factor_table *ret, struct error *err)
{
    char path[PATH_MAX], *text;
    int rc;

    table_path(FACTOR_TABLE_FILE, path);
    rc = load_text(path, &text, err);
    if (rc < 0)
        return rc;
    rc = factor_table_parse(text, path, ret, err);
    free(text);
    return rc;
}

static const struct command *const parts[] = { &command_inventory_discover,
                                               &command_inventory_check, NULL };

const struct command command_inventory = {
    .name = "inventory",
    .usage = "PART [OPTIONS]",
    .summary = "write and check inventory.conf: what the cluster is made of",
    .help = "",
    .exec = run_part,
    .parts = parts,
};

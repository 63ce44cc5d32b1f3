#include "config.h"

#include "cli/ask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/address.h"

#define OWN_ARGUMENTS 4

static bool is_for_carbond(int rc)
{
    return rc == -ENOENT || rc == -EACCES || rc == -ECONNREFUSED || rc == -ENOTSUP || rc == -EXDEV;
}

void ask_program(char ret_path[PATH_MAX])
{
    const char *dir = getenv("SLURM_CARBON_LIBEXEC"); /* of tests */

    snprintf(ret_path, PATH_MAX, "%s/carbon-ask", dir ? dir : LIBEXECDIR "/slurm-carbon");
}

/* carbon-ask ADDRESS MUNGE_SOCKET WHY TOOL ARGUMENT... */
static int become(const char *address, const struct conf *conf, char **argv, int rc,
                  struct error *err)
{
    char path[PATH_MAX], why[ERROR_TEXT_SIZE];
    size_t count = 0;
    char **line;

    while (argv[count])
        count++;
    line = calloc(OWN_ARGUMENTS + count + 1, sizeof(*line));
    if (!line)
        return error_set(err, -ENOMEM, "no memory to ask carbond");
    ask_program(path);
    snprintf(why, sizeof(why), "%s", err->text);
    line[0] = path;
    line[1] = (char *)(uintptr_t)address;
    line[2] = (char *)(uintptr_t)conf->munge_socket;
    line[3] = why;
    memcpy(line + OWN_ARGUMENTS, argv, count * sizeof(*line));
    execv(path, line);
    free(line);
    return error_set(err, rc, "%.300s; carbond could be asked at %.80s, but not from here: %s: %s",
                     why, address, path, strerror(errno));
}

int ask_carbond(const struct conf *conf, char **argv, int rc, struct error *err)
{
    char why[ERROR_TEXT_SIZE];

    if (!is_for_carbond(rc) || getenv("SLURM_CARBON_VIEWER")) /* we are carbond's already */
        return rc;
    if (conf->carbond[0])
        return become(conf->carbond, conf, argv, rc, err);
    if (access(CARBOND_SOCKET, F_OK) == 0)
        return become(CARBOND_SOCKET, conf, argv, rc, err);
    snprintf(why, sizeof(why), "%s", err->text);
    return error_set(err, rc, "%s; and no carbond is there to ask (Carbond in carbon.conf)", why);
}

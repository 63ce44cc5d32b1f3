#include "cli/roles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct roles {
    int none;
};

struct roles *roles_new(void)
{
    return calloc(1, sizeof(struct roles));
}

void roles_free(struct roles *roles)
{
    free(roles);
}

int roles_viewer(struct roles *roles, const struct conf *conf, uid_t uid, gid_t gid,
                 char **ret_text, struct error *err)
{
    char text[32] = "all";

    (void)roles;
    (void)conf;
    (void)gid;
    if (uid != 0)
        snprintf(text, sizeof(text), "uid=%u", (unsigned)uid);
    *ret_text = strdup(text);
    return *ret_text ? 0 : error_set(err, -ENOMEM, "no memory");
}

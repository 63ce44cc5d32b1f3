/* viewer_of CONF NAME... : the viewer that each user is, a line each, as carbond asks for it. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/roles.h"

int main(int argc, char **argv)
{
    struct roles *roles = roles_new();
    struct error err = { "" };
    struct conf conf;
    int rc = argc > 2 && roles ? conf_load(argv[1], "", &conf, NULL, &err) : -1;

    for (int i = 2; rc == 0 && i < argc; i++) {
        const struct passwd *user = getpwnam(argv[i]);
        char *text = NULL;

        rc = user ? roles_viewer(roles, &conf, user->pw_uid, user->pw_gid, &text, &err) : -1;
        if (rc == 0)
            printf("%s\n", text);
        free(text);
    }
    if (rc < 0)
        fprintf(stderr, "viewer_of: %s\n", err.text[0] ? err.text : "CONF NAME...");
    roles_free(roles);
    return rc < 0;
}

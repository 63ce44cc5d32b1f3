#include "store/viewer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/parse.h"

#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-+"
#define UID_MOST (UINT32_MAX - 1) /* the last one is no user's */

/* --- reading ---------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* A name of the text's next `len` bytes, malloc'ed. */
static int take_name(const char *text, size_t len, char **ret, struct error *err)
{
    char *name = malloc(len + 1), *end = name;
    bool good = len > 0;

    if (!name)
        return error_set(err, -ENOMEM, "no memory for the viewer");
    for (size_t i = 0; good && i < len; i++) {
        int high = text[i] == '%' && i + 2 < len ? digit_of(text[i + 1]) : -1;
        int low = high >= 0 ? digit_of(text[i + 2]) : -1;

        if (low >= 0) {
            *end = (char)(high << 4 | low);
            good = *end != '\0' && !strchr(PLAIN, *end);
            i += 2;
        } else {
            *end = text[i];
            good = strchr(PLAIN, *end) != NULL;
        }
        end++;
    }
    *end = '\0';
    if (good) {
        *ret = name;
        return 0;
    }
    free(name);
    return error_set(err, -EINVAL, "'%.*s' is no name: other bytes than letters, digits and "
                     "._@-+ are written %%XX", len < 60 ? (int)len : 60, text);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In order, each once. */
static void sort_names(struct hostlist *list)
{
    size_t kept = 0;

    qsort(list->names, list->count, sizeof(*list->names), compare_names);
    for (size_t i = 0; i < list->count; i++) {
        if (kept > 0 && strcmp(list->names[kept - 1], list->names[i]) == 0)
            free(list->names[i]);
        else
            list->names[kept++] = list->names[i];
    }
    list->count = kept;
}

/* "a,b" */
static int take_accounts(const char *text, size_t len, struct hostlist *list, struct error *err)
{
    const char *end = text + len;
    size_t most = 1;
    int rc = 0;

    for (const char *at = text; at < end; at++)
        most += *at == ',';
    list->names = calloc(most, sizeof(*list->names));
    if (!list->names)
        return error_set(err, -ENOMEM, "no memory for the viewer");
    while (rc == 0 && text <= end) {
        size_t part = 0;

        while (text + part < end && text[part] != ',')
            part++;
        rc = take_name(text, part, &list->names[list->count], err);
        list->count += rc == 0;
        text += part + 1;
    }
    sort_names(list);
    return rc;
}

static int take_uid(const char *text, size_t len, struct viewer *viewer, struct error *err)
{
    char number[16] = "";

    if (len < sizeof(number))
        memcpy(number, text, len);
    if (parse_u32(number, 0, UID_MOST, &viewer->uid) < 0)
        return error_set(err, -EINVAL, "'%.*s' is no uid", len < 60 ? (int)len : 60, text);
    viewer->has_uid = true;
    return 0;
}

static bool begins(const char *text, size_t len, const char *key)
{
    return len >= strlen(key) && strncmp(text, key, strlen(key)) == 0;
}

/* One field; what came before is not taken twice. */
static int take_field(const char *text, size_t len, struct viewer *viewer, struct error *err)
{
    if (len == 3 && begins(text, len, "all") && !viewer->all) {
        viewer->all = true;
        return 0;
    }
    if (begins(text, len, "uid=") && !viewer->has_uid)
        return take_uid(text + 4, len - 4, viewer, err);
    if (begins(text, len, "user=") && !viewer->user)
        return take_name(text + 5, len - 5, &viewer->user, err);
    if (begins(text, len, "account=") && viewer->accounts.count == 0)
        return take_accounts(text + 8, len - 8, &viewer->accounts, err);
    return error_set(err, -EINVAL, "'%.*s' is none of all, uid=, user= and account=, or stands "
                     "there twice", len < 60 ? (int)len : 60, text);
}

int viewer_parse(const char *text, struct viewer *ret, struct error *err)
{
    struct viewer viewer = { .all = false };
    const char *at = text;
    int rc;

    do {
        size_t len = strcspn(at, ";");

        rc = take_field(at, len, &viewer, err);
        at += len;
    } while (rc == 0 && *at++ == ';');
    if (rc == 0 && !viewer.all && !viewer.has_uid)
        rc = error_set(err, -EINVAL, "neither all nor a uid");
    if (rc == 0 && viewer.all && viewer.accounts.count > 0)
        rc = error_set(err, -EINVAL, "who sees all needs no accounts");
    if (rc < 0) {
        viewer_clear(&viewer);
        error_prefix(err, rc, VIEWER_ENVIRONMENT);
    }
    *ret = viewer;
    return rc;
}

int viewer_of_environment(struct viewer *ret, struct error *err)
{
    const char *text = getenv(VIEWER_ENVIRONMENT);

    if (text)
        return viewer_parse(text, ret, err);
    *ret = (struct viewer){ .all = true };
    return 0;
}

void viewer_clear(struct viewer *viewer)
{
    free(viewer->user);
    hostlist_clear(&viewer->accounts);
    *viewer = (struct viewer){ .all = false };
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_name(const char *name, struct buf *buf)
{
    for (const char *at = name; *at; at++)
        buf_printf(buf, strchr(PLAIN, *at) ? "%c" : "%%%02X", (unsigned char)*at);
}

void viewer_write(const struct viewer *viewer, struct buf *buf)
{
    buf_printf(buf, "%s%s", viewer->all ? "all" : "", viewer->all && viewer->has_uid ? ";" : "");
    if (viewer->has_uid)
        buf_printf(buf, "uid=%u", viewer->uid);
    if (viewer->user) {
        buf_printf(buf, ";user=");
        write_name(viewer->user, buf);
    }
    for (size_t i = 0; i < viewer->accounts.count; i++) {
        buf_printf(buf, "%s", i == 0 ? ";account=" : ",");
        write_name(viewer->accounts.names[i], buf);
    }
}

/* --- seeing ----------------------------------------------------------------------------------- */

bool viewer_sees_account(const struct viewer *viewer, const char *account)
{
    if (!viewer || viewer->all)
        return true;
    return account && viewer->accounts.count > 0 &&
           bsearch(&account, viewer->accounts.names, viewer->accounts.count, sizeof(char *),
                   compare_names);
}

bool viewer_sees(const struct viewer *viewer, bool has_uid, int64_t uid, const char *user,
                 const char *account)
{
    if (!viewer || viewer->all)
        return true;
    if (!has_uid && !user)
        return false;
    if (has_uid ? viewer->has_uid && uid == viewer->uid
                : viewer->user && strcmp(user, viewer->user) == 0)
        return true;
    return viewer_sees_account(viewer, account);
}

/*
 * roles.c - one answer of sacctmgr about all users, kept for a while
 *
 * Invariants, under `lock`:
 *   R1  at most one thread asks sacctmgr, and it does so without the lock
 *   R2  an answer is replaced by a whole new one or stays; it is used for KEPT_S after it was asked
 *       for, and never later
 *   R3  a failure is followed by no other try for RETRY_S
 */
#include "config.h"

#include "cli/roles.h"

#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/plainf.h"
#include "cli/run.h"
#include "core/batch.h"
#include "core/clock.h"
#include "store/viewer.h"

#define FRESH_S 300
#define KEPT_S 3600
#define RETRY_S 30
#define DEADLINE_S 7 /* of each of the two questions: carbond gives both 15 s */
#define PRINTED_MAX (UINT64_C(64) << 20) /* bytes: some hundred thousand users */
#define TEXT_MAX (100u << 10)            /* execve(2): an environment's string has 128 KiB */

/* A user of slurmdbd. */
struct person {
    char *name;
    bool is_operator; /* or an administrator */
    char *coordinates; /* "a,b" */
};

/* A user's account. */
struct membership {
    char *user, *account;
};

struct answer {
    uint64_t asked_ns;
    struct person *people;           /* by name */
    size_t n_people;
    bool has_memberships;            /* were asked for */
    struct membership *memberships;  /* by user */
    size_t n_memberships;
};

struct roles {
    pthread_mutex_t lock;
    pthread_cond_t done;      /* asking ended */
    bool is_asking;
    uint64_t next_try_ns;
    struct answer answer;
    bool has_answer;
    enum { TOLD_NOTHING, TOLD_STALE, TOLD_NONE } told; /* of an outage */
};

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "no memory for users' roles");
}

static void answer_clear(struct answer *answer)
{
    for (size_t i = 0; i < answer->n_people; i++) {
        free(answer->people[i].name);
        free(answer->people[i].coordinates);
    }
    for (size_t i = 0; i < answer->n_memberships; i++) {
        free(answer->memberships[i].user);
        free(answer->memberships[i].account);
    }
    free(answer->people);
    free(answer->memberships);
    *answer = (struct answer){ 0 };
}

struct roles *roles_new(void)
{
    struct roles *roles = calloc(1, sizeof(*roles));

    if (roles) {
        pthread_mutex_init(&roles->lock, NULL);
        pthread_cond_init(&roles->done, NULL);
    }
    return roles;
}

void roles_free(struct roles *roles)
{
    if (!roles)
        return;
    answer_clear(&roles->answer);
    pthread_cond_destroy(&roles->done);
    pthread_mutex_destroy(&roles->lock);
    free(roles);
}

/* --- asking ----------------------------------------------------------------------------------- */

#define FIELDS 3

/* Cut a line of sacctmgr -P into just `count` fields. */
static bool cut(char *line, size_t count, char *fields[FIELDS])
{
    char *rest = line;
    size_t n = 0;

    line[strcspn(line, "\n")] = '\0';
    while (rest && n < count)
        fields[n++] = strsep(&rest, "|");
    return n == count && !rest;
}

static int take_person(struct answer *answer, char *const fields[FIELDS])
{
    const struct person person = {
        .name = strdup(fields[0]),
        .is_operator = strcmp(fields[1], "Operator") == 0 ||
                       strcmp(fields[1], "Administrator") == 0,
        .coordinates = strdup(fields[2]),
    };

    if (person.name && person.coordinates &&
        batch_push(&answer->people, &answer->n_people, sizeof(person), &person))
        return 0;
    free(person.name);
    free(person.coordinates);
    return -ENOMEM;
}

/* An account's own line has no user. */
static int take_membership(struct answer *answer, char *const fields[FIELDS])
{
    struct membership membership;

    if (!fields[0][0] || !fields[1][0])
        return 0;
    membership = (struct membership){ strdup(fields[0]), strdup(fields[1]) };
    if (membership.user && membership.account &&
        batch_push(&answer->memberships, &answer->n_memberships, sizeof(membership), &membership))
        return 0;
    free(membership.user);
    free(membership.account);
    return -ENOMEM;
}

static int ask(const char *const argv[], size_t count,
               int (*take)(struct answer *answer, char *const fields[FIELDS]),
               struct answer *answer, struct error *err)
{
    char *line = NULL, *fields[FIELDS];
    size_t size = 0;
    FILE *file;
    int rc = run_command(argv, DEADLINE_S, PRINTED_MAX, true, &file, err);

    if (rc < 0)
        return rc;
    while (rc == 0 && getline(&line, &size, file) >= 0) {
        if (!cut(line, count, fields))
            rc = error_set(err, -EBADMSG, "sacctmgr's line '%.60s' has not %zu fields", line,
                           count);
        else if (take(answer, fields) < 0)
            rc = no_memory(err);
    }
    free(line);
    fclose(file);
    return rc;
}

static int compare_people(const void *a, const void *b)
{
    return strcmp(((const struct person *)a)->name, ((const struct person *)b)->name);
}

static int compare_memberships(const void *a, const void *b)
{
    const struct membership *x = a, *y = b;
    int order = strcmp(x->user, y->user);

    return order ? order : strcmp(x->account, y->account);
}

static int ask_all(bool memberships, struct answer *answer, struct error *err)
{
    static const char *const people[] = { "sacctmgr", "-nP", "show", "user", "withcoord",
                                          "format=user,adminlevel,coord", NULL };
    static const char *const associations[] = { "sacctmgr", "-nP", "show", "assoc",
                                                "format=user,account", NULL };
    int rc;

    *answer = (struct answer){ .asked_ns = clock_boottime_ns(), .has_memberships = memberships };
    rc = ask(people, 3, take_person, answer, err);
    if (rc == 0 && memberships)
        rc = ask(associations, 2, take_membership, answer, err);
    if (rc == 0 && answer->n_people > 0)
        qsort(answer->people, answer->n_people, sizeof(struct person), compare_people);
    if (rc == 0 && answer->n_memberships > 0)
        qsort(answer->memberships, answer->n_memberships, sizeof(struct membership),
              compare_memberships);
    if (rc < 0)
        answer_clear(answer);
    return rc;
}

/* --- what is known, under the lock ------------------------------------------------------------ */

static bool is_usable(const struct roles *roles, bool memberships, unsigned seconds)
{
    const struct answer *answer = &roles->answer;

    return roles->has_answer && (answer->has_memberships || !memberships) &&
           clock_boottime_ns() < answer->asked_ns + seconds * NS_PER_S;
}

/* Once for each turn to the worse. */
static void tell(struct roles *roles, bool memberships, int rc, const struct error *why)
{
    bool usable = is_usable(roles, memberships, KEPT_S);

    if (rc == 0 && roles->told)
        fplainf(stderr, "carbond: sacctmgr answers again: users' roles are slurmdbd's\n");
    else if (rc < 0 && usable && roles->told < TOLD_STALE)
        fplainf(stderr, "carbond: %s: users' roles stay as they were for up to an hour\n",
                why->text);
    else if (rc < 0 && !usable && roles->told < TOLD_NONE)
        fplainf(stderr, "carbond: %s: until slurmdbd answers, users see their own jobs alone; "
                "Visibility=all of carbon.conf needs none\n", why->text);
    roles->told = rc == 0 ? TOLD_NOTHING : usable ? TOLD_STALE : TOLD_NONE;
}

/* Ask, if it is time to and nobody does; wait, if there is nothing to go by and somebody does. */
static void renew(struct roles *roles, bool memberships)
{
    struct answer answer;
    struct error why = { "" };
    int rc;

    while (roles->is_asking && !is_usable(roles, memberships, KEPT_S))
        pthread_cond_wait(&roles->done, &roles->lock);
    if (roles->is_asking || is_usable(roles, memberships, FRESH_S) ||
        clock_boottime_ns() < roles->next_try_ns)
        return;
    roles->is_asking = true;
    pthread_mutex_unlock(&roles->lock);
    rc = ask_all(memberships, &answer, &why);
    pthread_mutex_lock(&roles->lock);
    roles->is_asking = false;
    roles->next_try_ns = rc < 0 ? clock_boottime_ns() + RETRY_S * NS_PER_S : 0;
    if (rc == 0) {
        answer_clear(&roles->answer);
        roles->answer = answer;
        roles->has_answer = true;
    }
    tell(roles, memberships, rc, &why);
    pthread_cond_broadcast(&roles->done);
}

/* --- one user --------------------------------------------------------------------------------- */

static int add_account(struct viewer *viewer, const char *name, size_t len)
{
    char *copy = strndup(name, len);

    if (copy && batch_push(&viewer->accounts.names, &viewer->accounts.count, sizeof(copy), &copy))
        return 0;
    free(copy);
    return -ENOMEM;
}

static int add_coordinated(struct viewer *viewer, const char *list)
{
    int rc = 0;

    while (rc == 0 && *list) {
        size_t len = strcspn(list, ",");

        if (len > 0)
            rc = add_account(viewer, list, len);
        list += len + (list[len] == ',');
    }
    return rc;
}

static int add_memberships(struct viewer *viewer, const struct answer *answer)
{
    const struct membership *all = answer->memberships;
    size_t low = 0, high = answer->n_memberships;
    int rc = 0;

    while (low < high) { /* the first of this user */
        size_t middle = low + (high - low) / 2;

        if (strcmp(all[middle].user, viewer->user) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; rc == 0 && low < answer->n_memberships && strcmp(all[low].user, viewer->user) == 0;
         low++)
        rc = add_account(viewer, all[low].account, strlen(all[low].account));
    return rc;
}

/* What slurmdbd says of a user with a name. */
static int add_roles(struct roles *roles, bool memberships, struct viewer *viewer)
{
    const struct person wanted = { .name = viewer->user }, *person;
    const struct answer *answer = &roles->answer;
    int rc = 0;

    pthread_mutex_lock(&roles->lock);
    renew(roles, memberships);
    if (is_usable(roles, memberships, KEPT_S) && answer->n_people > 0) {
        person = bsearch(&wanted, answer->people, answer->n_people, sizeof(*person),
                         compare_people);
        viewer->all = person && person->is_operator;
        if (person && !viewer->all)
            rc = add_coordinated(viewer, person->coordinates);
        if (rc == 0 && !viewer->all && memberships)
            rc = add_memberships(viewer, answer);
    }
    pthread_mutex_unlock(&roles->lock);
    return rc;
}

/* NULL: it has none, or nobody can say now. */
static char *name_of(uid_t uid)
{
    char room[16384];
    struct passwd entry, *found = NULL;

    if (getpwuid_r(uid, &entry, room, sizeof(room), &found) != 0 || !found || !*found->pw_name)
        return NULL;
    return strdup(found->pw_name);
}

static int write_text(const struct viewer *viewer, char **ret_text, struct error *err)
{
    struct buf buf;
    int rc = 0;

    buf_init(&buf);
    viewer_write(viewer, &buf);
    if (buf_failed(&buf))
        rc = no_memory(err);
    else if (buf.len > TEXT_MAX)
        rc = error_set(err, -E2BIG, "user %u has %zu accounts, more than an environment holds",
                       viewer->uid, viewer->accounts.count);
    if (rc < 0)
        buf_free(&buf);
    else
        *ret_text = buf.data;
    return rc;
}

int roles_viewer(struct roles *roles, const struct conf *conf, uid_t uid, gid_t gid,
                 char **ret_text, struct error *err)
{
    struct viewer viewer = {
        .all = conf->visibility == VISIBILITY_ALL || uid == 0 || uid == geteuid(),
        .has_uid = true, .uid = uid, .user = name_of(uid),
    };
    int rc = 0;

    (void)gid; /* Slurm's roles are users' */
    if (!viewer.all && viewer.user)
        rc = add_roles(roles, conf->visibility == VISIBILITY_ACCOUNT, &viewer);
    rc = rc < 0 ? no_memory(err) : write_text(&viewer, ret_text, err);
    viewer_clear(&viewer);
    return rc;
}

#include "config.h"

#include "spool/ingest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "spool/quarantine.h"

#define CRC_DIGITS 8
#define END_LINE_SIZE 13 /* "end 01234567\n" */
#define NS_PER_MS 1000000
#define NAMES_MAX 65536 /* more of them are for the next round */
#define READ_BATCHES 50 /* are read before they are loaded, … */
#define READ_BYTES (16u << 20) /* … or so many bytes of files */
#define TRIES_MAX 10
#define ASIDE_MAX 224 /* of a name: ".NAME.10000.reason.tmp" is one too; batches have less */

/* What becomes of a file once the group's commit is on the disk. */
enum fate {
    FATE_LOADED,
    FATE_DUPLICATE,
    FATE_QUARANTINE,
    FATE_LEAVE,
    FATE_OTHERS, /* another process has its node in hand, or took it */
};

struct item {
    const char *name;
    struct batch batch; /* as it was read, until it was loaded */
    char crc[CRC_DIGITS + 1]; /* of its end line */
    bool was_read;
    enum fate fate;
    char aside[NAME_MAX + 1]; /* its name in quarantine */
    struct error reason;
};

struct round {
    const struct ingest *ingest;
    struct ingest_report *report;
    int dir_fd, quarantine_fd;
    uid_t dir_uid; /* DeliverDir's owner */
    char **names;  /* sorted: those of one stream in order */
    size_t n_names, names_size;
    bool more;     /* there are later ones */
    size_t alone_until; /* up to this one, each name is a group of its own */
    struct item *items; /* of a group */
    struct error *err;
};

static bool stopped(const struct ingest *ingest)
{
    return ingest->stop && *ingest->stop;
}

static void say(const struct round *round, const struct item *item, const char *what)
{
    char text[NAME_MAX + ERROR_TEXT_SIZE + 64];

    if (!round->ingest->say)
        return;
    snprintf(text, sizeof(text), "%s: %s: %s", item->name, what, item->reason.text);
    round->ingest->say(text);
}

/* --- one file -------------------------------------------------------------------------------- */

/* -EBADMSG and what concerns the file itself put it aside; the rest is for another time. */
static enum fate fate_of_read_error(int rc)
{
    switch (rc) {
    case -EBADMSG:
    case -ELOOP:  /* a symbolic link */
    case -EINVAL: /* not a regular file */
    case -ENXIO:  /* a socket */
    case -EFBIG:
        return FATE_QUARANTINE;
    case -ENOENT:
        return FATE_OTHERS;
    default:
        return FATE_LEAVE;
    }
}

static int check_name(const char *name, const struct batch_head *head, struct error *err)
{
    char expected[BATCH_NAME_SIZE];

    batch_file_name(head, expected);
    if (strcmp(name, expected) != 0)
        return error_set(err, -EBADMSG, "its head says that it is %s", expected);
    return 0;
}

/*
 * Whose the file is. DeliverDir is closed to all but those who deliver, so anything else came here
 * by a mistake or an attack. What is no regular file is file_read()'s to refuse.
 */
static int check_owner(const struct round *round, const char *name, struct error *err)
{
    struct stat st;

    if (fstatat(round->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return 0;
    if (st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != round->dir_uid)
        return error_set(err, -EBADMSG, "it belongs to uid %u, who is no meter: batches are those "
                         "of root, of DeliverDir's owner, or of the user who loads them",
                         (unsigned)st.st_uid);
    if (st.st_mode & S_IWOTH)
        return error_set(err, -EBADMSG, "everybody may write to it");
    if (st.st_nlink != 1)
        return error_set(err, -EBADMSG, "it has %lu names (hard links), and so may be changed "
                         "elsewhere", (unsigned long)st.st_nlink);
    return 0;
}

/* Read and check a file; *ret_len of its bytes. */
static int read_batch(const struct round *round, struct item *item, size_t *ret_len)
{
    char *text;
    int rc = check_owner(round, item->name, &item->reason);

    *ret_len = 0;
    if (rc == 0)
        rc = file_read(round->dir_fd, item->name, BATCH_SIZE_MAX, &text, ret_len, &item->reason);
    if (rc < 0)
        return rc;
    if (*ret_len >= END_LINE_SIZE)
        snprintf(item->crc, sizeof(item->crc), "%.*s", CRC_DIGITS,
                 text + *ret_len - CRC_DIGITS - 1);
    rc = batch_read(text, *ret_len, &item->batch, &item->reason);
    free(text);
    if (rc < 0)
        return rc;
    batch_mend_labels(&item->batch);
    rc = check_name(item->name, &item->batch.head, &item->reason);
    if (rc < 0)
        batch_clear(&item->batch);
    return rc;
}

/* A name that is free in quarantine: "x.batch", "x.batch.2", …; cut where it is no batch's. */
static int choose_aside(const struct round *round, struct item *item)
{
    snprintf(item->aside, sizeof(item->aside), "%.*s", ASIDE_MAX, item->name);
    for (unsigned n = 2; file_is_there(round->quarantine_fd, item->aside); n++) {
        snprintf(item->aside, sizeof(item->aside), "%.*s.%u", ASIDE_MAX, item->name, n);
        if (n > 10000)
            return error_set(round->err, -ENAMETOOLONG, "%s/%s: no free name for %s; clear it",
                             round->ingest->deliver_dir, QUARANTINE_DIR, item->name);
    }
    return 0;
}

static int set_aside(const struct round *round, struct item *item)
{
    int rc = choose_aside(round, item);

    item->fate = FATE_QUARANTINE;
    if (rc == 0)
        rc = store_note_quarantine(round->ingest->store, item->aside, item->reason.text,
                                   round->err);
    return rc;
}

static size_t read_item(const struct round *round, struct item *item, const char *name)
{
    size_t len;
    int rc;

    *item = (struct item){ .name = name };
    rc = read_batch(round, item, &len);
    item->was_read = rc == 0;
    if (rc < 0)
        item->fate = fate_of_read_error(rc);
    return len;
}

static void forget(struct item *item)
{
    if (item->was_read)
        batch_clear(&item->batch);
    item->was_read = false;
}

/* Load a batch inside the open transaction and decide its file's fate. */
static int take_item(const struct round *round, struct item *item)
{
    enum store_outcome outcome;
    int rc;

    if (item->fate == FATE_OTHERS)
        return 0;
    if (!item->was_read)
        return item->fate == FATE_QUARANTINE ? set_aside(round, item) : 0;
    rc = store_load(round->ingest->store, &item->batch, item->crc, &outcome, &item->reason);
    if (rc == -EBADMSG)
        return set_aside(round, item);
    if (rc < 0)
        return error_set(round->err, rc, "%s: %s", item->name, item->reason.text);
    item->fate = outcome == STORE_DUPLICATE ? FATE_DUPLICATE : FATE_LOADED;
    if (outcome == STORE_CONFLICTING) {
        error_set(&item->reason, 0, "conflicting: another file of this node, stream and seq was "
                                    "loaded before, with other contents");
        return set_aside(round, item);
    }
    return 0;
}

/* --- after the commit ------------------------------------------------------------------------ */

static int move_aside(const struct round *round, const struct item *item)
{
    char name[NAME_MAX + 8], text[ERROR_TEXT_SIZE + 1];
    int len = snprintf(text, sizeof(text), "%s\n", item->reason.text);
    int rc;

    snprintf(name, sizeof(name), "%s.reason", item->aside);
    rc = file_write_atomic(round->quarantine_fd, name, text, (size_t)len, 0640, 1);
    if (rc < 0)
        return rc;
    if (renameat(round->dir_fd, item->name, round->quarantine_fd, item->aside) < 0)
        return -errno;
    return 0;
}

static int discard(const struct round *round, const struct item *item)
{
    return unlinkat(round->dir_fd, item->name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* N1: the books know of it; now the file goes. One that cannot go is met again as a duplicate. */
static void settle(const struct round *round, struct item *item)
{
    int rc = 0;

    if (item->fate == FATE_OTHERS)
        return;
    if (item->fate == FATE_LEAVE) {
        round->report->left++;
        say(round, item, "left where it is");
        return;
    }
    rc = item->fate == FATE_QUARANTINE ? move_aside(round, item) : discard(round, item);
    if (item->fate == FATE_QUARANTINE) {
        round->report->quarantined++;
        say(round, item, "quarantined");
    } else if (item->fate == FATE_DUPLICATE) {
        round->report->duplicates++;
    } else {
        round->report->loaded++;
    }
    if (rc < 0) {
        round->report->left++;
        error_set_errno(&item->reason, rc, "cannot be removed from %s",
                        round->ingest->deliver_dir);
        say(round, item, "left where it is");
    }
}

/* --- a group of files, one commit ------------------------------------------------------------ */

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

static size_t group_of(const struct ingest *ingest)
{
    return ingest->group_batches ? ingest->group_batches : INGEST_GROUP_BATCHES;
}

static bool goes_on(const struct round *round, int64_t begin_ms)
{
    return !stopped(round->ingest) && monotonic_ms() - begin_ms < INGEST_GROUP_MS &&
           !store_has_enough(round->ingest->store);
}

/* The next few, as many as fit into memory. */
static size_t read_some(const struct round *round, size_t first, struct item *items, size_t most)
{
    size_t count = 0, bytes = 0;

    while (first + count < round->n_names && count < most && count < READ_BATCHES &&
           bytes < READ_BYTES && (count == 0 || !stopped(round->ingest))) {
        bytes += read_item(round, &items[count], round->names[first + count]);
        count++;
    }
    return count;
}

static int expect(const struct round *round, struct item *items, size_t count)
{
    const struct batch *batches[READ_BATCHES] = { NULL };
    bool mine[READ_BATCHES];
    size_t n = 0;
    int rc;

    for (size_t i = 0; i < count; i++)
        if (items[i].was_read)
            batches[n++] = &items[i].batch;
    rc = store_expect(round->ingest->store, batches, n, mine, round->err);
    n = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (items[i].was_read && !mine[n++])
            items[i].fate = FATE_OTHERS;
    return rc;
}

/* Read and load the next few, inside the open transaction; *ret_count of them. */
static int take_some(const struct round *round, size_t first, struct item *items, size_t most,
                     size_t *ret_count)
{
    size_t count = read_some(round, first, items, most);
    int rc = expect(round, items, count);

    for (size_t i = 0; i < count; i++) {
        if (rc == 0)
            rc = take_item(round, &items[i]);
        forget(&items[i]);
    }
    *ret_count = count;
    return rc;
}

/* Load a group from names[first] on in one transaction; *ret_count of them. */
static int load_group(const struct round *round, size_t first, size_t most, size_t *ret_count)
{
    struct store *store = round->ingest->store;
    int64_t begin_ms = monotonic_ms();
    size_t count = 0, some;
    int rc = store_begin(store, round->err);

    while (rc == 0 && first + count < round->n_names && count < most &&
           (count == 0 || goes_on(round, begin_ms))) {
        rc = take_some(round, first + count, &round->items[count], most - count, &some);
        count += some;
    }
    if (rc == 0)
        rc = store_commit(store, round->err);
    if (rc < 0)
        store_rollback(store);
    *ret_count = count;
    return rc;
}

/* The database refuses what a batch would write, and there is no other it could be. */
static int set_aside_alone(const struct round *round, struct item *item)
{
    struct store *store = round->ingest->store;
    int rc;

    error_set(&item->reason, -EBADMSG, "%s", round->err->text);
    rc = store_begin(store, round->err);
    if (rc == 0)
        rc = set_aside(round, item);
    if (rc == 0)
        rc = store_commit(store, round->err);
    if (rc < 0)
        store_rollback(store);
    return rc;
}

/* A group whose rows the database refuses is loaded anew, each batch alone, to find the one. */
static int take_group(struct round *round, size_t first, size_t *ret_end)
{
    size_t count, most = first < round->alone_until ? 1 : group_of(round->ingest);
    int rc, tries = 0;

    do /* -EBUSY of one who loads beside others: two waited for each other, and we gave way */
        rc = load_group(round, first, most, &count);
    while (rc == -EBUSY && !store_is_alone(round->ingest->store) && ++tries < TRIES_MAX);
    if (rc == -EEXIST && count > 1) {
        round->alone_until = first + count;
        rc = load_group(round, first, 1, &count);
    }
    if (rc == -EEXIST)
        rc = set_aside_alone(round, &round->items[0]);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        settle(round, &round->items[i]);
    *ret_end = first + count;
    return 0;
}

static bool has_time(const struct ingest *ingest, int64_t begin_ms)
{
    return ingest->turn_ms == 0 || monotonic_ms() - begin_ms < ingest->turn_ms;
}

static int take_all(struct round *round)
{
    int64_t begin_ms = monotonic_ms();
    size_t done = 0;
    int rc = 0;

    round->items = malloc(group_of(round->ingest) * sizeof(*round->items));
    if (!round->items)
        return error_set(round->err, -ENOMEM, "out of memory");
    while (rc == 0 && done < round->n_names && !stopped(round->ingest) &&
           (done == 0 || has_time(round->ingest, begin_ms)))
        rc = take_group(round, done, &done);
    round->report->more = done < round->n_names || round->more;
    if (!round->report->more)
        round->report->after[0] = '\0';
    else if (done)
        snprintf(round->report->after, sizeof(round->report->after), "%s",
                 round->names[done - 1]);
    free(round->items);
    return rc;
}

/* --- the directory --------------------------------------------------------------------------- */

static bool is_batch_name(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > 6 && strcmp(name + len - 6, ".batch") == 0;
}

/* By bytes: names of one stream differ in the hexadecimal seq only. */
static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Keep the first NAMES_MAX: a directory may hold a million. */
static void sort_names(struct round *round)
{
    if (round->n_names)
        qsort(round->names, round->n_names, sizeof(*round->names), compare_names);
    while (round->n_names > NAMES_MAX) {
        free(round->names[--round->n_names]);
        round->more = true;
    }
}

static int add_name(struct round *round, const char *name)
{
    if (round->n_names == 2 * NAMES_MAX)
        sort_names(round);
    if (round->n_names == round->names_size) {
        size_t size = round->names_size ? 2 * round->names_size : 64;
        char **names = realloc(round->names, size * sizeof(*names));

        if (!names)
            return error_set(round->err, -ENOMEM, "out of memory");
        round->names = names;
        round->names_size = size;
    }
    round->names[round->n_names] = strdup(name);
    if (!round->names[round->n_names])
        return error_set(round->err, -ENOMEM, "out of memory");
    round->n_names++;
    return 0;
}

static int list_names(struct round *round)
{
    const struct dirent *entry;
    DIR *dir = NULL;
    int rc = 0, fd = openat(round->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        dir = fdopendir(fd);
    if (!dir) {
        rc = error_set_errno(round->err, -errno, "cannot list %s", round->ingest->deliver_dir);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (errno = 0, rc == 0 && (entry = readdir(dir)))
        if (is_batch_name(entry->d_name) && strcmp(entry->d_name, round->report->after) > 0)
            rc = add_name(round, entry->d_name);
    if (rc == 0 && errno)
        rc = error_set_errno(round->err, -errno, "cannot list %s", round->ingest->deliver_dir);
    closedir(dir);
    sort_names(round);
    return rc;
}

/* Whoever may put files there may book what he likes on whom he likes. */
static int open_deliver_dir(const struct ingest *ingest, uid_t *ret_uid, struct error *err)
{
    int fd = open(ingest->deliver_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    int rc = fd;

    if (fd < 0 || fstat(fd, &st) < 0)
        rc = error_set_errno(err, -errno, "cannot open DeliverDir %s", ingest->deliver_dir);
    else if (st.st_mode & S_IWOTH)
        rc = error_set(err, -EPERM, "everybody may write in DeliverDir %s, and so forge batches; "
                       "chmod o-w %s", ingest->deliver_dir, ingest->deliver_dir);
    else
        *ret_uid = st.st_uid;
    if (rc < 0 && fd >= 0)
        close(fd);
    return rc;
}

static int open_dirs(struct round *round)
{
    const char *dir = round->ingest->deliver_dir;

    round->dir_fd = open_deliver_dir(round->ingest, &round->dir_uid, round->err);
    if (round->dir_fd < 0)
        return round->dir_fd;
    if (mkdirat(round->dir_fd, QUARANTINE_DIR, 0750) < 0 && errno != EEXIST)
        return error_set_errno(round->err, -errno, "cannot create %s/%s", dir, QUARANTINE_DIR);
    round->quarantine_fd = openat(round->dir_fd, QUARANTINE_DIR,
                                  O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (round->quarantine_fd < 0)
        return error_set_errno(round->err, -errno, "cannot open %s/%s", dir, QUARANTINE_DIR);
    return 0;
}

int ingest_is_due(const struct ingest *ingest, struct error *err)
{
    uid_t uid;
    int rc = 0, fd = open_deliver_dir(ingest, &uid, err);
    const struct dirent *entry;
    DIR *dir;

    if (fd < 0)
        return fd;
    dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return error_set(err, -ENOMEM, "out of memory");
    }
    while (errno = 0, rc == 0 && (entry = readdir(dir)))
        rc = is_batch_name(entry->d_name);
    if (rc == 0 && errno)
        rc = error_set_errno(err, -errno, "cannot list %s", ingest->deliver_dir);
    closedir(dir);
    return rc;
}

/* Notes of files that were taken out of quarantine since. */
static int tidy(const struct round *round)
{
    const struct quarantine quarantine = { round->ingest->store, round->dir_fd,
                                           round->quarantine_fd };

    return quarantine_tidy(&quarantine, round->err);
}

int ingest_round(const struct ingest *ingest, struct ingest_report *report, struct error *err)
{
    struct round round = { .ingest = ingest, .report = report, .dir_fd = -1, .quarantine_fd = -1,
                           .err = err };
    int rc = open_dirs(&round);

    if (!report->more) {
        report->after[0] = '\0';
        report->left = 0;
    }
    report->more = false;
    if (rc == 0 && store_is_alone(ingest->store)) /* another may be about to move a file there */
        rc = tidy(&round);
    if (rc == 0)
        rc = list_names(&round);
    if (rc == 0)
        rc = take_all(&round);
    while (round.n_names)
        free(round.names[--round.n_names]);
    free(round.names);
    if (round.quarantine_fd >= 0)
        close(round.quarantine_fd);
    if (round.dir_fd >= 0)
        close(round.dir_fd);
    return rc;
}

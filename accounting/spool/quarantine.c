#include "config.h"

#include "spool/quarantine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/parse.h"
#include "store/nodes.h"

#define BATCH_END ".batch"
#define REASON_END ".reason"
#define STREAM_DIGITS 16
#define SEQ_DIGITS 12

/* --- names ----------------------------------------------------------------------------------- */

static bool ends_in(const char *name, size_t len, const char *end)
{
    size_t end_len = strlen(end);

    return len > end_len && memcmp(name + len - end_len, end, end_len) == 0;
}

/* How much of a name is the one that it was delivered by: "x.batch" of "x.batch.2". */
static size_t delivered_len(const char *name)
{
    const char *dot = strrchr(name, '.');

    if (dot && dot[1] != '\0' && dot[1 + strspn(dot + 1, "0123456789")] == '\0' &&
        ends_in(name, (size_t)(dot - name), BATCH_END))
        return (size_t)(dot - name);
    return strlen(name);
}

bool quarantine_parse_name(const char *name, struct quarantine_id *ret_id)
{
    const size_t tail = 1 + STREAM_DIGITS + 1 + SEQ_DIGITS + strlen(BATCH_END);
    size_t len = delivered_len(name), node_len = len - tail;
    char seq_text[STREAM_DIGITS + 1] = "0000";
    struct quarantine_id id = { .seq = 0 };
    uint64_t stream, seq;

    if (len <= tail || node_len >= sizeof(id.node) || !ends_in(name, len, BATCH_END) ||
        name[node_len] != '-' || name[node_len + 1 + STREAM_DIGITS] != '-')
        return false;
    memcpy(id.node, name, node_len);
    memcpy(id.stream, name + node_len + 1, STREAM_DIGITS);
    memcpy(seq_text + STREAM_DIGITS - SEQ_DIGITS, name + node_len + 2 + STREAM_DIGITS, SEQ_DIGITS);
    if (parse_hex64(id.stream, &stream) < 0 || parse_hex64(seq_text, &seq) < 0 || seq == 0)
        return false;
    id.seq = (int64_t)seq;
    *ret_id = id;
    return true;
}

/* A file of quarantine, not its reason, and nothing that leads out of it. */
static bool is_file_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX || name[0] == '.' || ends_in(name, len, REASON_END))
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] == '/' || (unsigned char)name[i] < ' ' || name[i] == 127)
            return false;
    return true;
}

/* --- the directory --------------------------------------------------------------------------- */

int quarantine_open(const char *deliver_dir, struct store *store,
                    struct quarantine *ret_quarantine, struct error *err)
{
    int fd, rc, dir_fd = open(deliver_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return error_set_errno(err, errno == ENOENT ? -ENOTDIR : -errno,
                               "cannot open DeliverDir %s", deliver_dir);
    fd = openat(dir_fd, QUARANTINE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        rc = error_set_errno(err, -errno, "cannot open %s/%s", deliver_dir, QUARANTINE_DIR);
        close(dir_fd);
        return rc;
    }
    *ret_quarantine = (struct quarantine){ store, dir_fd, fd };
    return 0;
}

void quarantine_close(struct quarantine *quarantine)
{
    close(quarantine->fd);
    close(quarantine->dir_fd);
}

static int check_file(const struct quarantine *quarantine, const char *name, struct error *err)
{
    struct stat st;

    if (!is_file_name(name))
        return error_set(err, -EINVAL, "that is no name of a file in quarantine, or one to be "
                         "removed by hand; `carbonctl quarantine list` names them, without their "
                         "directory");
    if (fstatat(quarantine->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set(err, -errno, errno == ENOENT ? "%s: not in quarantine; `carbonctl "
                         "quarantine list` says what is" : "%s: cannot be looked at", name);
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "%s: no regular file, so no batch; remove it by hand", name);
    return 0;
}

/* --- list ------------------------------------------------------------------------------------ */

struct note {
    char *name, *reason;
    int64_t since_s;
};

struct notes {
    struct note *items;
    size_t count;
};

static int keep_note(void *arg, const char *name, const char *reason, int64_t since_s)
{
    struct notes *notes = arg;
    struct note *grown = realloc(notes->items, (notes->count + 1) * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    notes->items = grown;
    grown[notes->count] = (struct note){ strdup(name), strdup(reason), since_s };
    if (!grown[notes->count].name || !grown[notes->count++].reason)
        return -ENOMEM;
    return 0;
}

static void clear_notes(struct notes *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        free(notes->items[i].name);
        free(notes->items[i].reason);
    }
    free(notes->items);
}

static int read_notes(const struct quarantine *quarantine, struct notes *notes, struct error *err)
{
    int rc = store_quarantine_notes(quarantine->store, keep_note, notes, err);

    return rc == -ENOMEM ? error_set(err, rc, "out of memory") : rc;
}

static int compare_note(const void *name, const void *note)
{
    return strcmp(name, ((const struct note *)note)->name);
}

static const struct note *find_note(const struct notes *notes, const char *name)
{
    return notes->count == 0 ? NULL : bsearch(name, notes->items, notes->count,
                                              sizeof(*notes->items), compare_note);
}

/* Whatever lies there, also what no command takes. */
static int is_listed(const struct dirent *entry)
{
    const char *name = entry->d_name;

    return name[0] != '.' && !ends_in(name, strlen(name), REASON_END);
}

static int is_reason(const struct dirent *entry)
{
    return ends_in(entry->d_name, strlen(entry->d_name), REASON_END);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The books know it, but for a file that was given up by a process that was killed. */
static void hand_out(const struct quarantine *quarantine, const struct notes *notes,
                     const char *name,
                     void (*take)(void *arg, const struct quarantine_file *file), void *arg)
{
    const struct note *note = find_note(notes, name);
    struct quarantine_file file = { .name = name, .reason = note ? note->reason : "" };
    char reason_name[NAME_MAX + sizeof(REASON_END)], reason[ERROR_TEXT_SIZE + 2];
    struct stat st;

    snprintf(reason_name, sizeof(reason_name), "%s%s", name, REASON_END);
    if (!note && file_read_line(quarantine->fd, reason_name, reason, sizeof(reason)) == 0)
        file.reason = reason;
    if (note)
        file.since_s = note->since_s;
    else if (fstatat(quarantine->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        file.since_s = st.st_ctim.tv_sec;
    file.is_batch = quarantine_parse_name(name, &file.id);
    take(arg, &file);
}

static int list_names(const struct quarantine *quarantine,
                      int (*wanted)(const struct dirent *entry), struct dirent ***ret_names,
                      struct error *err)
{
    int count = scandirat(quarantine->fd, ".", ret_names, wanted, compare_names);

    return count < 0 ? error_set_errno(err, -errno, "cannot list %s", QUARANTINE_DIR) : count;
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

int quarantine_list(const struct quarantine *quarantine,
                    void (*take)(void *arg, const struct quarantine_file *file), void *arg,
                    struct error *err)
{
    struct notes notes = { NULL, 0 };
    struct dirent **names;
    int count, rc = read_notes(quarantine, &notes, err);

    if (rc == 0) {
        count = list_names(quarantine, is_listed, &names, err);
        rc = count < 0 ? count : 0;
        for (int i = 0; i < count; i++)
            hand_out(quarantine, &notes, names[i]->d_name, take, arg);
        if (count >= 0)
            free_names(names, count);
    }
    clear_notes(&notes);
    return rc;
}

/* --- tidy: Q3 -------------------------------------------------------------------------------- */

static int forget_notes(const struct quarantine *quarantine, const struct notes *notes,
                        struct error *err)
{
    int rc = store_begin(quarantine->store, err);

    for (size_t i = 0; i < notes->count && rc == 0; i++)
        if (!file_is_there(quarantine->fd, notes->items[i].name))
            rc = store_forget_quarantine(quarantine->store, notes->items[i].name, err);
    if (rc == 0)
        rc = store_commit(quarantine->store, err);
    if (rc < 0)
        store_rollback(quarantine->store);
    return rc;
}

static int remove_reasons(const struct quarantine *quarantine, struct error *err)
{
    struct dirent **names;
    int count = list_names(quarantine, is_reason, &names, err);

    if (count < 0)
        return count;
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        char file[NAME_MAX + 1];

        snprintf(file, sizeof(file), "%.*s", (int)(strlen(name) - strlen(REASON_END)), name);
        if (!file_is_there(quarantine->fd, file))
            unlinkat(quarantine->fd, name, 0); /* one that stays is removed another time */
    }
    free_names(names, count);
    return 0;
}

int quarantine_tidy(const struct quarantine *quarantine, struct error *err)
{
    struct notes notes = { NULL, 0 };
    bool stale = false;
    int rc = read_notes(quarantine, &notes, err);

    for (size_t i = 0; i < notes.count && rc == 0 && !stale; i++)
        stale = !file_is_there(quarantine->fd, notes.items[i].name);
    if (rc == 0 && stale)
        rc = forget_notes(quarantine, &notes, err);
    if (rc == 0)
        rc = remove_reasons(quarantine, err);
    clear_notes(&notes);
    return rc;
}

/* --- retry and drop -------------------------------------------------------------------------- */

/* Q1. Nobody else moves files while the writer's lock is held; a meter delivers only its own. */
int quarantine_retry(const struct quarantine *quarantine, const char *name, struct error *err)
{
    char delivered[NAME_MAX + 1];
    int rc = check_file(quarantine, name, err);

    if (rc < 0)
        return rc;
    snprintf(delivered, sizeof(delivered), "%.*s", (int)delivered_len(name), name);
    if (!ends_in(delivered, strlen(delivered), BATCH_END))
        return error_set(err, -EINVAL, "%s: does not end in %s, so ingest would not take it; "
                         "remove it by hand", name, BATCH_END);
    if (file_is_there(quarantine->dir_fd, delivered))
        return error_set(err, -EEXIST, "%s: DeliverDir has a file of this name already; try again "
                         "when `carbonctl ingest` has loaded it", name);
    if (renameat(quarantine->fd, name, quarantine->dir_fd, delivered) < 0 ||
        fsync(quarantine->dir_fd) < 0 || fsync(quarantine->fd) < 0)
        return error_set_errno(err, -errno, "%s: cannot be moved to DeliverDir", name);
    return 0;
}

static int book_loss(const struct quarantine *quarantine, const struct quarantine_id *id,
                     const struct loss_note *note, enum loss_outcome *ret_outcome,
                     struct error *err)
{
    int rc = store_begin(quarantine->store, err);

    if (rc == 0)
        rc = loss_give_up(quarantine->store, id->node, id->stream, id->seq, note, ret_outcome,
                          err);
    if (rc == 0)
        rc = store_commit(quarantine->store, err);
    if (rc < 0)
        store_rollback(quarantine->store);
    return rc;
}

/* Q2 */
int quarantine_drop(const struct quarantine *quarantine, const char *name,
                    const struct loss_note *note, enum quarantine_dropped *ret_dropped,
                    struct error *err)
{
    enum loss_outcome outcome;
    struct quarantine_id id;
    int rc = check_file(quarantine, name, err);

    if (rc < 0)
        return rc;
    *ret_dropped = DROPPED_NO_BATCH;
    if (quarantine_parse_name(name, &id)) {
        rc = book_loss(quarantine, &id, note, &outcome, err);
        if (rc < 0)
            return rc;
        *ret_dropped = outcome == LOSS_NONE           ? DROPPED_NO_LOSS
                       : outcome == LOSS_NODE_UNKNOWN ? DROPPED_NO_NODE
                       : outcome == LOSS_NODE_UNCLEAR ? DROPPED_UNCLEAR
                                                      : DROPPED_GIVEN_UP;
    }
    if (unlinkat(quarantine->fd, name, 0) < 0 || fsync(quarantine->fd) < 0)
        return error_set_errno(err, -errno, "%s: cannot be removed", name);
    return 0;
}

/*
 * Invariants of the directory of marks:
 *   M1  Marks are applied in order of their instant, and only up to an instant C to which the
 *       ledger is then closed at once; so at a seal the ledger holds the effect of exactly the
 *       marks up to the batch's end that were seen, and of none after it. (A mark that turns up
 *       later than that is applied when seen; the ledger clamps and flags it.)
 *   M2  C never passes a mark that lies in the directory unread: marks_horizon().
 *   M3  A mark is deleted only after a batch that names it is on disk. One that was applied and not
 *       deleted is in `applied`, and is never read again by this process; after a restart, the
 *       checkpoint's own list says which ones took effect.
 *   M4  What cannot be read as a mark of this node is set aside at once and never blocks others.
 *   M5  One look reads at most MARKS_ENTRIES_PER_LOOK names and MARKS_HELD_MAX files. A pass over
 *       the directory may take many looks; the horizon stands still meanwhile.
 *
 * Names carry instant, job, step and edge, so a mark that is not in memory is known by a key of 24
 * bytes, from which its name is made again.
 */
#include "meter/marks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "meter/log.h"

#define BAD_KEPT 16
/* The directory is read again this often even when nothing was announced. */
#define SAFETY_PASS_NS (60 * NS_PER_S)
/* A mark is written in well under a second: one that is unfinished after this has no writer. */
#define TORN_AFTER_NS (60 * NS_PER_S)

struct mark_key {
    uint64_t boottime_ns;
    uint32_t job_id, step_id; /* step_id UINT32_MAX: none */
    unsigned edge;
};

/* A sorted array of keys. */
struct key_set {
    struct mark_key *keys;
    size_t count, room;
};

struct held {
    struct mark_key key;
    struct marks_item *item;
};

struct marks {
    char node[NODE_NAME_SIZE];
    char boot_id[BOOT_ID_SIZE];
    struct cputime_node *cputime;
    int dir_fd, inotify_fd;
    DIR *dir;
    bool gone;           /* the directory was deleted or renamed */
    bool dirty;          /* something was announced since the last pass began */
    bool in_pass;        /* a pass over the directory is under way */
    uint64_t pass_ns;    /* when the pass, or the last one, began */
    uint64_t known_ns;   /* what was renamed into the directory by then, the last pass saw */
    uint64_t cut_ns;     /* marks beyond this instant may be in no list of ours */
    uint64_t horizon_ns;
    struct key_set found;    /* of the last pass: not yet read */
    struct key_set applied;
    struct held held[MARKS_HELD_MAX]; /* sorted */
    size_t n_held;
    unsigned n_set_aside;
    struct marks_counts counts;
};

/* --- keys ------------------------------------------------------------------------------------ */

/* Marks of one job at one instant: a job begins before its steps and ends after them. */
static unsigned edge_rank(unsigned edge)
{
    static const unsigned ranks[] = {
        [MARK_JOB_BEGIN] = 0, [MARK_STEP_BEGIN] = 1, [MARK_STEP_END] = 2, [MARK_JOB_END] = 3,
    };

    return ranks[edge];
}

static int compare_keys(const struct mark_key *a, const struct mark_key *b)
{
    if (a->boottime_ns != b->boottime_ns)
        return a->boottime_ns < b->boottime_ns ? -1 : 1;
    if (a->job_id != b->job_id)
        return a->job_id < b->job_id ? -1 : 1;
    if (a->edge != b->edge)
        return edge_rank(a->edge) < edge_rank(b->edge) ? -1 : 1;
    return a->step_id < b->step_id ? -1 : a->step_id > b->step_id;
}

static void key_name(const struct mark_key *key, char ret_name[MARK_NAME_SIZE])
{
    snprintf(ret_name, MARK_NAME_SIZE, "%020" PRIu64 "-%010" PRIu32 "-%08" PRIx32 "-%s.mark",
             key->boottime_ns, key->job_id, key->step_id, mark_edge_names[key->edge]);
}

static struct mark_key key_of(const struct mark *mark)
{
    return (struct mark_key){
        .boottime_ns = mark->boottime_ns,
        .job_id = mark->job_id,
        .step_id = mark->has & MARK_HAS_STEP ? mark->step_id : UINT32_MAX,
        .edge = mark->edge,
    };
}

/* `count` digits of `base` from *text on; false when one is none. Strict: no sign, no blank. */
static bool take_digits(const char **text, unsigned count, unsigned base, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < count; i++) {
        char c = (*text)[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;

        if (digit >= base || value > (UINT64_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    *text += count;
    *ret_value = value;
    return true;
}

static bool take_dash(const char **text)
{
    return *(*text)++ == '-';
}

/* The key of a file's name; false when no mark has that name. */
static bool key_parse(const char *name, struct mark_key *ret_key)
{
    uint64_t at, job_id, step_id;
    unsigned edge;

    if (!take_digits(&name, 20, 10, &at) || !take_dash(&name) ||
        !take_digits(&name, 10, 10, &job_id) || !take_dash(&name) ||
        !take_digits(&name, 8, 16, &step_id) || !take_dash(&name) || job_id > UINT32_MAX)
        return false;
    for (edge = 0; mark_edge_names[edge]; edge++) {
        size_t len = strlen(mark_edge_names[edge]);

        if (strncmp(name, mark_edge_names[edge], len) == 0 && strcmp(name + len, ".mark") == 0)
            break;
    }
    if (!mark_edge_names[edge])
        return false;
    *ret_key = (struct mark_key){ at, (uint32_t)job_id, (uint32_t)step_id, edge };
    return true;
}

/* Index of the first key that is not before *key. */
static size_t set_place(const struct key_set *set, const struct mark_key *key)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_keys(&set->keys[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool set_has(const struct key_set *set, const struct mark_key *key)
{
    size_t at = set_place(set, key);

    return at < set->count && compare_keys(&set->keys[at], key) == 0;
}

static int set_room(struct key_set *set)
{
    size_t room = set->room ? set->room * 2 : 64;
    struct mark_key *keys;

    if (set->count < set->room)
        return 0;
    keys = realloc(set->keys, room * sizeof(*keys));
    if (!keys)
        return -ENOMEM;
    set->keys = keys;
    set->room = room;
    return 0;
}

/* There must be room. */
static void set_insert(struct key_set *set, const struct mark_key *key)
{
    size_t at = set_place(set, key);

    memmove(&set->keys[at + 1], &set->keys[at], (set->count - at) * sizeof(*key));
    set->keys[at] = *key;
    set->count++;
}

static void set_remove(struct key_set *set, size_t at)
{
    set->count--;
    memmove(&set->keys[at], &set->keys[at + 1], (set->count - at) * sizeof(*set->keys));
}

/* --- held marks ------------------------------------------------------------------------------ */

static struct marks_item *item_free(struct marks_item *item)
{
    if (item) {
        cputime_close(item->cpu);
        free(item->readings);
        free(item);
    }
    return NULL;
}

static bool is_held(const struct marks *marks, const struct mark_key *key)
{
    for (size_t i = 0; i < marks->n_held; i++)
        if (compare_keys(&marks->held[i].key, key) == 0)
            return true;
    return false;
}

static void hold(struct marks *marks, const struct mark_key *key, struct marks_item *item)
{
    size_t at = marks->n_held;

    while (at > 0 && compare_keys(&marks->held[at - 1].key, key) > 0)
        at--;
    memmove(&marks->held[at + 1], &marks->held[at], (marks->n_held - at) * sizeof(*marks->held));
    marks->held[at] = (struct held){ *key, item };
    marks->n_held++;
}

/* --- one file -------------------------------------------------------------------------------- */

/* M4. The last BAD_KEPT are kept for whoever wants to know what was wrong with them. */
static void set_aside(struct marks *marks, const char *name, const char *why)
{
    char aside[16];

    marks->counts.bad++;
    snprintf(aside, sizeof(aside), ".bad-%02u", marks->n_set_aside++ % BAD_KEPT);
    unlinkat(marks->dir_fd, aside, 0);
    unlinkat(marks->dir_fd, aside, AT_REMOVEDIR);
    if (renameat(marks->dir_fd, name, marks->dir_fd, aside) == 0)
        log_line(LOG_LEVEL_WARNING, "mark %s is not usable: %s; it is kept as %s", name, why,
                 aside);
    else if (unlinkat(marks->dir_fd, name, 0) == 0 || errno == ENOENT)
        log_line(LOG_LEVEL_WARNING, "mark %s is not usable: %s; it is deleted", name, why);
    else
        log_line(LOG_LEVEL_WARNING, "mark %s is not usable: %s; remove it by hand (%s)", name, why,
                 strerror(errno));
}

static int parse_item(const struct marks *marks, const struct mark_key *key, char *text,
                      struct marks_item *item, struct error *err)
{
    static struct mark_reading readings[MARK_READINGS_MAX];
    struct mark_key inside;
    int rc = mark_read(text, &item->mark, readings, &item->n_readings, err);

    if (rc < 0)
        return rc;
    inside = key_of(&item->mark);
    if (compare_keys(&inside, key) != 0)
        return error_set(err, -EBADMSG, "its name and its text do not agree");
    if (strcmp(item->mark.node, marks->node) != 0)
        return error_set(err, -EBADMSG, "it is of node %s; is MarkDir shared by two nodes?",
                         item->mark.node);
    if (item->n_readings) {
        item->readings = malloc(item->n_readings * sizeof(*readings));
        if (!item->readings)
            return error_set(err, -ENOMEM, "out of memory");
        memcpy(item->readings, readings, item->n_readings * sizeof(*readings));
    }
    return 0;
}

static int load_item(const struct marks *marks, const struct mark_key *key, const char *name,
                     struct marks_item **ret_item, struct error *err)
{
    struct marks_item *item = calloc(1, sizeof(*item));
    char *text = NULL;
    size_t len;
    int rc = item ? file_read(marks->dir_fd, name, MARK_SIZE_MAX, &text, &len, err) : -ENOMEM;

    if (rc == 0)
        rc = parse_item(marks, key, text, item, err);
    free(text);
    if (rc < 0) {
        item_free(item);
        return rc;
    }
    *ret_item = item;
    return 0;
}

static bool is_passing_trouble(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -EINTR;
}

/* Read one found mark. False when it must be tried again later. */
static bool take_in(struct marks *marks, const struct mark_key *key)
{
    struct marks_item *item;
    struct error err = { "" };
    char name[MARK_NAME_SIZE];
    int rc;

    key_name(key, name);
    rc = load_item(marks, key, name, &item, &err);
    if (rc == -ENOENT)
        return true;
    if (is_passing_trouble(rc))
        return false;
    if (rc < 0) {
        set_aside(marks, name, err.text);
        return true;
    }
    if (strcmp(item->mark.boot_id, marks->boot_id) != 0) {
        marks->counts.other_boot++;
        unlinkat(marks->dir_fd, name, 0);
        item_free(item);
        return true;
    }
    marks->counts.seen++;
    if (item->mark.edge == MARK_STEP_BEGIN &&
        cputime_open(marks->cputime, item->mark.cgroup, item->mark.stepd_pid,
                     item->mark.stepd_start_ticks, &item->cpu, NULL) < 0)
        item->cpu = NULL; /* the roster finds out why */
    hold(marks, key, item);
    return true;
}

/* --- passes ---------------------------------------------------------------------------------- */

/* Beyond `boottime_ns` there may be marks that are in no list of ours. */
static void cut_at(struct marks *marks, uint64_t boottime_ns)
{
    if (boottime_ns < marks->cut_ns)
        marks->cut_ns = boottime_ns;
}

/* Keep the oldest MARKS_FOUND_MAX of what a pass comes across. */
static void note_found(struct marks *marks, const struct mark_key *key)
{
    struct key_set *found = &marks->found;

    if (set_has(&marks->applied, key) || is_held(marks, key) || set_has(found, key))
        return;
    if (found->count == MARKS_FOUND_MAX) {
        const struct mark_key *last = &found->keys[found->count - 1];

        if (compare_keys(key, last) > 0) {
            cut_at(marks, key->boottime_ns);
            return;
        }
        cut_at(marks, last->boottime_ns);
        found->count--;
    }
    if (set_room(found) < 0)
        cut_at(marks, key->boottime_ns);
    else
        set_insert(found, key);
}

static void begin_pass(struct marks *marks, uint64_t now)
{
    rewinddir(marks->dir);
    marks->dirty = false;
    marks->cut_ns = UINT64_MAX;
    marks->in_pass = true;
    marks->pass_ns = marks->known_ns = now;
    marks->found.count = 0;
}

/* Being written, or set aside; or the file by which an admin stops the plugin. */
static bool is_no_mark(const char *name)
{
    return name[0] == '.' || strcmp(name, "full") == 0;
}

/* ".NAME.mark.tmp", of a writer that was killed; it would stay until the node reboots. */
static bool is_torn(const char *name, uint64_t now)
{
    static const char end[] = ".tmp";
    char whole[MARK_NAME_SIZE];
    size_t len = strlen(name);
    struct mark_key key;

    if (name[0] != '.' || len <= strlen(end) || len - strlen(end) > sizeof(whole) ||
        strcmp(name + len - strlen(end), end) != 0)
        return false;
    snprintf(whole, sizeof(whole), "%.*s", (int)(len - 1 - strlen(end)), name + 1);
    return key_parse(whole, &key) && now > TORN_AFTER_NS && key.boottime_ns < now - TORN_AFTER_NS;
}

static void go_on_with_pass(struct marks *marks)
{
    uint64_t bad_before = marks->counts.bad;

    for (int i = 0; i < MARKS_ENTRIES_PER_LOOK &&
                    marks->counts.bad - bad_before < MARKS_HELD_MAX; i++) {
        const struct dirent *entry = readdir(marks->dir);
        struct mark_key key;

        if (!entry) {
            marks->in_pass = false;
            return;
        }
        if (is_torn(entry->d_name, marks->pass_ns))
            unlinkat(marks->dir_fd, entry->d_name, 0);
        if (is_no_mark(entry->d_name))
            continue;
        if (key_parse(entry->d_name, &key))
            note_found(marks, &key);
        else
            set_aside(marks, entry->d_name, "no mark has such a name");
    }
}

/*
 * Whether the found mark *key can be held. When all places are taken by later ones, which could
 * not be applied before it, the last of them goes back to the directory.
 */
static bool make_place(struct marks *marks, const struct mark_key *key)
{
    struct held *last = &marks->held[MARKS_HELD_MAX - 1];

    if (marks->n_held < MARKS_HELD_MAX)
        return true;
    if (compare_keys(&last->key, key) < 0)
        return false;
    cut_at(marks, last->key.boottime_ns);
    item_free(last->item);
    marks->counts.seen--;
    marks->n_held--;
    return true;
}

static void take_in_found(struct marks *marks)
{
    struct key_set *found = &marks->found;
    size_t taken = 0;

    while (taken < found->count && taken < MARKS_HELD_MAX &&
           make_place(marks, &found->keys[taken]) && take_in(marks, &found->keys[taken]))
        taken++;
    found->count -= taken;
    memmove(found->keys, found->keys + taken, found->count * sizeof(*found->keys));
    if (!found->count && marks->cut_ns != UINT64_MAX)
        marks->dirty = true;
}

/* What the last pass found comes first: the horizon does not pass it. */
static bool has_found_to_read(const struct marks *marks)
{
    return marks->found.count && marks->n_held < MARKS_HELD_MAX;
}

/* M2 */
static void move_horizon(struct marks *marks)
{
    uint64_t known = marks->known_ns;

    if (marks->cut_ns < known)
        known = marks->cut_ns;
    if (marks->found.count && marks->found.keys[0].boottime_ns < known)
        known = marks->found.keys[0].boottime_ns;
    if (known > marks->horizon_ns)
        marks->horizon_ns = known;
}

void marks_look(struct marks *marks, uint64_t now)
{
    bool due = marks->dirty || marks->inotify_fd < 0 || now - marks->pass_ns >= SAFETY_PASS_NS;

    if (!marks->in_pass && due && !has_found_to_read(marks))
        begin_pass(marks, now);
    else if (!marks->in_pass && !due)
        marks->known_ns = now; /* nothing was announced since */
    if (marks->in_pass)
        go_on_with_pass(marks);
    if (marks->in_pass)
        return;
    if (marks->found.count)
        take_in_found(marks);
    move_horizon(marks);
}

uint64_t marks_horizon(const struct marks *marks)
{
    return marks->horizon_ns;
}

bool marks_behind(const struct marks *marks)
{
    return marks->in_pass || marks->dirty || has_found_to_read(marks);
}

/* --- what was held takes effect -------------------------------------------------------------- */

struct marks_item *marks_first(struct marks *marks)
{
    return marks->n_held ? marks->held[0].item : NULL;
}

const struct marks_item *marks_peek(const struct marks *marks, size_t index)
{
    return marks->held[index].item;
}

int marks_room(struct marks *marks)
{
    return marks->applied.count < MARKS_APPLIED_MAX ? set_room(&marks->applied) : -ENOBUFS;
}

void marks_applied(struct marks *marks)
{
    if (!set_has(&marks->applied, &marks->held[0].key))
        set_insert(&marks->applied, &marks->held[0].key);
    item_free(marks->held[0].item);
    marks->n_held--;
    memmove(&marks->held[0], &marks->held[1], marks->n_held * sizeof(*marks->held));
}

size_t marks_waiting(const struct marks *marks)
{
    return marks->applied.count;
}

size_t marks_held(const struct marks *marks)
{
    return marks->n_held;
}

bool marks_tell_end(const struct marks *marks, uint32_t job_id, uint32_t step_id)
{
    for (size_t i = 0; i < marks->n_held; i++) {
        const struct mark_key *key = &marks->held[i].key;

        if (key->job_id == job_id &&
            (key->edge == MARK_JOB_END || (key->edge == MARK_STEP_END && key->step_id == step_id)))
            return true;
    }
    return false;
}

int marks_consume(const struct marks *marks, struct batch *batch)
{
    for (size_t i = 0; i < marks->applied.count; i++) {
        struct batch_consumed consumed = { 0 };

        key_name(&marks->applied.keys[i], consumed.name);
        if (!batch_push(&batch->consumed, &batch->n_consumed, sizeof(consumed), &consumed))
            return -ENOMEM;
    }
    return 0;
}

void marks_forget(struct marks *marks, const struct batch *batch)
{
    int failed = 0;

    for (size_t i = 0; i < batch->n_consumed; i++) {
        const char *name = batch->consumed[i].name;
        struct mark_key key;
        size_t at;

        if (!key_parse(name, &key))
            continue; /* never a path out of MarkDir, whatever a batch says */
        if (unlinkat(marks->dir_fd, name, 0) < 0 && errno != ENOENT) {
            failed = errno;
            continue;
        }
        at = set_place(&marks->applied, &key);
        if (at < marks->applied.count && compare_keys(&marks->applied.keys[at], &key) == 0)
            set_remove(&marks->applied, at);
    }
    if (failed)
        log_line(LOG_LEVEL_WARNING, "cannot delete used marks: %s; do I own MarkDir?",
                 strerror(failed));
}

int marks_resume(struct marks *marks, const struct batch *checkpoint)
{
    for (size_t i = 0; i < checkpoint->n_consumed; i++) {
        struct mark_key key;

        if (!key_parse(checkpoint->consumed[i].name, &key) || set_has(&marks->applied, &key))
            continue;
        if (set_room(&marks->applied) < 0)
            return -ENOMEM;
        set_insert(&marks->applied, &key);
    }
    marks_forget(marks, checkpoint);
    return 0;
}

const struct marks_counts *marks_count(const struct marks *marks)
{
    return &marks->counts;
}

/* --- the directory --------------------------------------------------------------------------- */

int marks_fd(const struct marks *marks)
{
    return marks->inotify_fd;
}

void marks_drain(struct marks *marks)
{
    union {
        struct inotify_event event; /* for its alignment */
        char bytes[4096];
    } room;
    ssize_t got;

    while ((got = read(marks->inotify_fd, room.bytes, sizeof(room.bytes))) > 0) {
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(room.bytes + at);

            if (event->mask & IN_MOVE_SELF)
                marks->gone = true;
            /* a name with a dot is our own doing: a mark set aside */
            if (!(event->mask & IN_MOVED_TO) || event->name[0] != '.')
                marks->dirty = true;
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
}

bool marks_is_gone(const struct marks *marks)
{
    struct stat st;

    /* no event tells of the deletion of a directory that is held open */
    return marks->gone || (fstat(marks->dir_fd, &st) == 0 && st.st_nlink == 0);
}

/* A forged mark would book its energy on somebody else. */
static int check_dir(int fd, const char *path, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set_errno(err, -errno, "cannot stat MarkDir %s", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return error_set(err, -EPERM, "MarkDir %s belongs to uid %u: whoever owns it can forge "
                         "marks; give it to root (chown root %s)", path, (unsigned)st.st_uid, path);
    if (st.st_mode & S_IWOTH)
        return error_set(err, -EPERM, "MarkDir %s can be written by everybody, who could forge "
                         "marks; chmod 0700 %s", path, path);
    return 0;
}

static int open_dir(struct marks *marks, const char *path, struct error *err)
{
    int fd, rc;

    marks->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (marks->dir_fd < 0)
        return error_set_errno(err, -errno, "cannot open MarkDir %s", path);
    rc = check_dir(marks->dir_fd, path, err);
    if (rc < 0)
        return rc;
    fd = openat(marks->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    marks->dir = fd < 0 ? NULL : fdopendir(fd);
    if (!marks->dir) {
        rc = -errno;
        if (fd >= 0)
            close(fd);
        return error_set_errno(err, rc, "cannot list MarkDir %s", path);
    }
    marks->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (marks->inotify_fd >= 0 &&
        inotify_add_watch(marks->inotify_fd, path, IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR) < 0) {
        close(marks->inotify_fd);
        marks->inotify_fd = -1;
    }
    return 0;
}

int marks_open(const struct marks_options *options, struct marks **ret_marks, struct error *err)
{
    struct marks *marks = calloc(1, sizeof(*marks));
    int rc;

    if (!marks)
        return error_set(err, -ENOMEM, "out of memory");
    marks->dir_fd = marks->inotify_fd = -1;
    marks->dirty = true;
    marks->cut_ns = UINT64_MAX;
    marks->cputime = options->cputime;
    snprintf(marks->node, sizeof(marks->node), "%s", options->node);
    snprintf(marks->boot_id, sizeof(marks->boot_id), "%s", options->boot_id);
    rc = open_dir(marks, options->dir, err);
    if (rc < 0) {
        marks_close(marks);
        return rc;
    }
    *ret_marks = marks;
    return 0;
}

struct marks *marks_close(struct marks *marks)
{
    if (!marks)
        return NULL;
    for (size_t i = 0; i < marks->n_held; i++)
        item_free(marks->held[i].item);
    if (marks->dir)
        closedir(marks->dir);
    if (marks->dir_fd >= 0)
        close(marks->dir_fd);
    if (marks->inotify_fd >= 0)
        close(marks->inotify_fd);
    free(marks->found.keys);
    free(marks->applied.keys);
    free(marks);
    return NULL;
}

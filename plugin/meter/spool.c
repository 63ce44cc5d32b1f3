/*
 * Invariants of the spool:
 *   S1  A file NAME.batch is whole: written under another name, synced, renamed, directory synced.
 *   S2  Rows and checkpoint are one file, so they cannot disagree. The marks that it names are
 *       deleted only after it is on disk (marks.c, M3). So at whatever instant the meter dies, the
 *       newest file plus the marks still in MarkDir plus the counters give the same books:
 *         before the rename   the batch before is the checkpoint; its marks and counters are
 *                             taken up again from there;
 *         after it            the batch counts, and its list keeps its marks from counting twice.
 *   S3  Within a stream, a batch is delivered only when no older one lies here. So when the newest
 *       file is found to be damaged and an older one of its stream is here, the newest was never
 *       delivered, and its sequence number may be used again.
 *   S4  The newest batch is never removed, delivered or not.
 *   S5  A batch that could not be written is kept in memory and written again unchanged; no other
 *       is sealed before it is on disk (meter.c).
 *   S6  What is given up for want of room is the oldest, and it is counted in every later batch.
 */
#include "meter/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/parse.h"
#include "meter/log.h"

#define SUFFIX ".batch"

/* One file; oldest first in the list. */
struct entry {
    uint64_t stream, seq;
    uint64_t size_bytes;
    int64_t mtime_ns; /* while listing: of its stream's oldest file */
    bool delivered;
};

struct spool {
    int dir_fd;
    char node[NODE_NAME_SIZE];
    uint64_t max_bytes;
    struct entry *entries;
    size_t count, room;
};

/* --- names and the list ---------------------------------------------------------------------- */

static void entry_name(const struct spool *spool, const struct entry *entry,
                       char ret_name[BATCH_NAME_SIZE])
{
    struct batch_head head = { .stream = entry->stream, .seq = entry->seq };

    snprintf(head.node, sizeof(head.node), "%s", spool->node);
    batch_file_name(&head, ret_name);
}

/* "<node>-<16 digits>-<12 digits>.batch" of our node, spelt as we spell it. */
static bool name_parse(const struct spool *spool, const char *name, struct entry *ret_entry)
{
    size_t node_len = strlen(spool->node), len = strlen(name);
    char stream[17], seq[17] = "0000", again[BATCH_NAME_SIZE];
    struct entry entry = { 0 };

    if (len != node_len + 1 + 16 + 1 + 12 + strlen(SUFFIX))
        return false;
    memcpy(stream, name + node_len + 1, 16);
    stream[16] = '\0';
    memcpy(seq + 4, name + node_len + 18, 12);
    seq[16] = '\0';
    if (parse_hex64(stream, &entry.stream) < 0 || parse_hex64(seq, &entry.seq) < 0)
        return false;
    entry_name(spool, &entry, again);
    *ret_entry = entry;
    return strcmp(again, name) == 0;
}

static int list_add(struct spool *spool, const struct entry *entry)
{
    if (spool->count == spool->room) {
        size_t room = spool->room ? spool->room * 2 : 16;
        struct entry *entries = realloc(spool->entries, room * sizeof(*entries));

        if (!entries)
            return -ENOMEM;
        spool->entries = entries;
        spool->room = room;
    }
    spool->entries[spool->count++] = *entry;
    return 0;
}

static void list_remove(struct spool *spool, size_t at)
{
    spool->count--;
    memmove(&spool->entries[at], &spool->entries[at + 1],
            (spool->count - at) * sizeof(*spool->entries));
}

static int compare_stream_seq(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;

    if (a->stream != b->stream)
        return a->stream < b->stream ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static int compare_age(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;

    if (a->mtime_ns != b->mtime_ns)
        return a->mtime_ns < b->mtime_ns ? -1 : 1;
    return compare_stream_seq(pa, pb);
}

/* Streams by the age of their oldest file, each stream by seq. */
static void sort_list(struct spool *spool)
{
    struct entry *entries = spool->entries;

    if (!spool->count)
        return;
    qsort(entries, spool->count, sizeof(*entries), compare_stream_seq);
    for (size_t from = 0, to; from < spool->count; from = to) {
        int64_t oldest_ns = entries[from].mtime_ns;

        for (to = from; to < spool->count && entries[to].stream == entries[from].stream; to++)
            if (entries[to].mtime_ns < oldest_ns)
                oldest_ns = entries[to].mtime_ns;
        for (size_t i = from; i < to; i++)
            entries[i].mtime_ns = oldest_ns;
    }
    qsort(entries, spool->count, sizeof(*entries), compare_age);
}

/* Put a stream's entries last: it is the one that goes on. */
static void stream_last(struct spool *spool, uint64_t stream)
{
    for (size_t i = 0; i < spool->count; i++)
        spool->entries[i].mtime_ns = spool->entries[i].stream == stream ? INT64_MAX : (int64_t)i;
    if (spool->count)
        qsort(spool->entries, spool->count, sizeof(*spool->entries), compare_age);
}

/* ".NAME.batch.tmp": a write that was cut short. The lock on the directory is ours. */
static void remove_torn(const struct spool *spool, const char *name)
{
    static const char torn[] = SUFFIX ".tmp";
    size_t len = strlen(name);

    if (name[0] == '.' && len > sizeof(torn) && strcmp(name + len - strlen(torn), torn) == 0)
        unlinkat(spool->dir_fd, name, 0);
}

static int list_files(struct spool *spool, DIR *dir)
{
    const struct dirent *file;
    int rc = 0;

    while (rc == 0 && (file = readdir(dir))) {
        struct entry entry;
        struct stat st;

        remove_torn(spool, file->d_name);
        if (!name_parse(spool, file->d_name, &entry) ||
            fstatat(spool->dir_fd, file->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        entry.size_bytes = (uint64_t)st.st_size;
        entry.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        rc = list_add(spool, &entry);
    }
    sort_list(spool);
    return rc;
}

/* --- reading --------------------------------------------------------------------------------- */

static int read_entry(const struct spool *spool, const struct entry *entry,
                      struct batch *ret_batch, struct error *err)
{
    char name[BATCH_NAME_SIZE], *text = NULL;
    size_t len = 0;
    int rc;

    entry_name(spool, entry, name);
    rc = file_read(spool->dir_fd, name, BATCH_SIZE_MAX, &text, &len, err);
    if (rc == 0)
        rc = batch_read(text, len, ret_batch, err);
    free(text);
    if (rc < 0)
        return rc;
    if (ret_batch->head.stream == entry->stream && ret_batch->head.seq == entry->seq &&
        strcmp(ret_batch->head.node, spool->node) == 0)
        return 0;
    batch_clear(ret_batch);
    return error_set(err, -EBADMSG, "its name and its head do not agree");
}

/* Rename to NAME.bad and take it off the list. */
static void set_aside(struct spool *spool, size_t at, const char *why)
{
    char name[BATCH_NAME_SIZE], bad[BATCH_NAME_SIZE + 4];

    entry_name(spool, &spool->entries[at], name);
    snprintf(bad, sizeof(bad), "%s.bad", name);
    if (renameat(spool->dir_fd, name, spool->dir_fd, bad) < 0)
        log_line(LOG_LEVEL_ERROR, "cannot set batch %s aside: %s", name, strerror(errno));
    log_line(LOG_LEVEL_ERROR, "batch %s cannot be used: %s; it is kept as %s", name, why, bad);
    list_remove(spool, at);
}

/*
 * The newest batch of `stream` that can be read; its damaged ones are set aside. -ENOENT when
 * none is left.
 */
static int read_newest(struct spool *spool, uint64_t stream, struct batch *ret_batch,
                       struct error *err)
{
    size_t i = spool->count;

    while (i-- > 0) {
        struct error why = { "" };
        int rc;

        if (spool->entries[i].stream != stream)
            continue;
        rc = read_entry(spool, &spool->entries[i], ret_batch, &why);
        if (rc == 0)
            return 0;
        if (rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -EACCES)
            return error_set(err, rc, "%s", why.text); /* nothing is wrong with the file itself */
        set_aside(spool, i, why.text);
    }
    return -ENOENT;
}

/* The streams that are here, once each; malloc'ed. */
static int list_streams(const struct spool *spool, uint64_t **ret_streams, size_t *ret_count)
{
    uint64_t *streams = malloc((spool->count + 1) * sizeof(*streams));
    size_t count = 0;

    if (!streams)
        return -ENOMEM;
    for (size_t i = 0; i < spool->count; i++)
        if (count == 0 || streams[count - 1] != spool->entries[i].stream)
            streams[count++] = spool->entries[i].stream;
    *ret_streams = streams;
    *ret_count = count;
    return 0;
}

/* Keep in *best whichever of the two ended later. *other is taken. */
static void keep_later(struct batch *best, bool *have, struct batch *other)
{
    if (*have && best->head.end_boottime_ns >= other->head.end_boottime_ns) {
        batch_clear(other);
        return;
    }
    batch_clear(best);
    *best = *other;
    *have = true;
}

int spool_checkpoint(struct spool *spool, const char *boot_id, struct batch *ret_batch,
                     struct error *err)
{
    struct batch best = { 0 };
    uint64_t *streams;
    size_t count;
    bool have = false;
    int rc = list_streams(spool, &streams, &count);

    if (rc < 0)
        return error_set(err, rc, "out of memory");
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct batch batch;

        rc = read_newest(spool, streams[i], &batch, err);
        if (rc == 0 && strcmp(batch.head.boot_id, boot_id) == 0)
            keep_later(&best, &have, &batch);
        else if (rc == 0)
            batch_clear(&batch);
        else if (rc == -ENOENT)
            rc = 0;
    }
    free(streams);
    if (rc < 0) {
        batch_clear(&best);
        return rc;
    }
    if (!have)
        return -ENOENT;
    stream_last(spool, best.head.stream);
    *ret_batch = best;
    return 0;
}

int spool_last_floors(struct spool *spool, struct batch *ret_batch)
{
    struct batch best = { 0 }, batch;
    uint64_t *streams;
    size_t count;
    int rc = list_streams(spool, &streams, &count);

    for (size_t i = 0; i < count && rc == 0; i++) {
        if (read_newest(spool, streams[i], &batch, NULL) < 0)
            continue;
        if (batch.n_floors && (!best.n_floors || batch.head.end_wall_ns > best.head.end_wall_ns)) {
            batch_clear(&best);
            best = batch;
        } else {
            batch_clear(&batch);
        }
    }
    if (rc < 0)
        return rc;
    free(streams);
    if (!best.n_floors)
        return -ENOENT;
    *ret_batch = best;
    return 0;
}

/* --- after a reboot -------------------------------------------------------------------------- */

static int close_jobs(const struct batch *open, struct batch *closing)
{
    for (size_t i = 0; i < open->n_jobs; i++) {
        struct batch_job job = open->jobs[i];

        if (job.has & JOB_HAS_END)
            continue;
        job.has |= JOB_HAS_END;
        job.end_boottime_ns = open->head.end_boottime_ns;
        job.end_wall_ns = open->head.end_wall_ns;
        job.flags |= FLAG_END_LOST | FLAG_REBOOT;
        if (!batch_push(&closing->jobs, &closing->n_jobs, sizeof(job), &job))
            return -ENOMEM;
    }
    return 0;
}

static int close_steps(const struct batch *open, struct batch *closing)
{
    for (size_t i = 0; i < open->n_steps; i++) {
        struct batch_step step = open->steps[i];

        if ((step.has & STEP_HAS_END) || !batch_find_job(closing, step.ref))
            continue;
        step.has |= STEP_HAS_END;
        step.end_boottime_ns = open->head.end_boottime_ns;
        step.end_wall_ns = open->head.end_wall_ns;
        step.flags |= FLAG_END_LOST | FLAG_REBOOT;
        if (!batch_push(&closing->steps, &closing->n_steps, sizeof(step), &step))
            return -ENOMEM;
    }
    return 0;
}

static int close_counters(const struct batch *open, struct batch *closing)
{
    for (size_t i = 0; i < open->n_counters; i++) {
        struct batch_counter counter = open->counters[i];

        counter.counted_begin_uj = counter.counted_uj;
        if (!batch_push(&closing->counters, &closing->n_counters, sizeof(counter), &counter))
            return -ENOMEM;
    }
    for (size_t i = 0; i < open->n_components; i++) {
        struct batch_component component = open->components[i];

        component.begin_uj = component.end_uj;
        if (!batch_push(&closing->components, &closing->n_components, sizeof(component),
                        &component))
            return -ENOMEM;
    }
    return 0;
}

int spool_closing_batch(const struct batch *open, struct batch *ret_closing)
{
    struct batch closing = { .head = open->head };
    int rc;

    closing.head.seq++;
    closing.head.begin_boottime_ns = open->head.end_boottime_ns;
    closing.head.begin_wall_ns = open->head.end_wall_ns;
    rc = close_counters(open, &closing);
    if (rc == 0)
        rc = close_jobs(open, &closing);
    if (rc == 0)
        rc = close_steps(open, &closing);
    for (size_t i = 0; i < open->n_floors && rc == 0; i++) /* the next stream goes on from them */
        if (!batch_push(&closing.floors, &closing.n_floors, sizeof(open->floors[i]),
                        &open->floors[i]))
            rc = -ENOMEM;
    if (rc < 0)
        batch_clear(&closing);
    else
        *ret_closing = closing;
    return rc;
}

static bool has_open_jobs(const struct batch *batch)
{
    for (size_t i = 0; i < batch->n_jobs; i++)
        if (!(batch->jobs[i].has & JOB_HAS_END))
            return true;
    return false;
}

/* Close one stream, if it is of another boot and has something open. Returns 1 when it did. */
static int close_stream(struct spool *spool, uint64_t stream, const char *boot_id,
                        struct error *err)
{
    struct batch open, closing;
    int rc = read_newest(spool, stream, &open, err);

    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    if (strcmp(open.head.boot_id, boot_id) == 0 || !has_open_jobs(&open)) {
        batch_clear(&open);
        return 0;
    }
    rc = spool_closing_batch(&open, &closing);
    batch_clear(&open);
    if (rc < 0)
        return error_set(err, rc, "out of memory");
    rc = spool_write(spool, &closing, err);
    batch_clear(&closing);
    return rc < 0 ? rc : 1;
}

int spool_close_old_streams(struct spool *spool, const char *boot_id, unsigned *ret_closed,
                            struct error *err)
{
    uint64_t *streams;
    size_t count;
    unsigned closed = 0;
    int rc = list_streams(spool, &streams, &count);

    if (rc < 0)
        return error_set(err, rc, "out of memory");
    for (size_t i = 0; i < count && rc >= 0; i++) {
        rc = close_stream(spool, streams[i], boot_id, err);
        closed += rc == 1;
    }
    free(streams);
    if (rc < 0)
        return rc;
    *ret_closed = closed;
    return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

/* S4: what is delivered and no longer the newest goes. */
static void remove_delivered(struct spool *spool)
{
    for (size_t i = 0; i + 1 < spool->count;) {
        char name[BATCH_NAME_SIZE];

        entry_name(spool, &spool->entries[i], name);
        if (spool->entries[i].delivered &&
            (unlinkat(spool->dir_fd, name, 0) == 0 || errno == ENOENT))
            list_remove(spool, i);
        else
            i++;
    }
}

static int write_text(struct spool *spool, const struct batch *batch, const char *suffix,
                      size_t *ret_len)
{
    char name[BATCH_NAME_SIZE], full[BATCH_NAME_SIZE + 8];
    struct buf buf;
    int rc;

    batch_file_name(&batch->head, name);
    snprintf(full, sizeof(full), "%s%s", name, suffix);
    buf_init(&buf);
    batch_write(&buf, batch);
    rc = buf_failed(&buf) ? -ENOMEM
                          : file_write_atomic(spool->dir_fd, full, buf.data, buf.len, 0600, 1);
    *ret_len = buf.len;
    buf_free(&buf);
    return rc;
}

int spool_write(struct spool *spool, const struct batch *batch, struct error *err)
{
    struct entry entry = { .stream = batch->head.stream, .seq = batch->head.seq };
    size_t len = 0;
    int rc = list_add(spool, &entry);

    if (rc == 0) {
        rc = write_text(spool, batch, "", &len);
        if (rc < 0)
            spool->count--;
    }
    if (rc < 0)
        return error_set_errno(err, rc, "cannot write batch %" PRIu64 " to SpoolDir; it is kept in "
                               "memory and tried again", batch->head.seq);
    spool->entries[spool->count - 1].size_bytes = len;
    remove_delivered(spool);
    return 0;
}

void spool_keep_bad(struct spool *spool, const struct batch *batch)
{
    size_t len;
    int rc = write_text(spool, batch, ".bad", &len);

    if (rc < 0)
        log_line(LOG_LEVEL_ERROR, "cannot keep the bad batch: %s", strerror(-rc));
}

unsigned spool_drop(struct spool *spool)
{
    unsigned dropped = 0;
    uint64_t bytes;

    while (spool_waiting(spool, &bytes) > 1 && bytes > spool->max_bytes && spool->count > 1) {
        char name[BATCH_NAME_SIZE];

        entry_name(spool, &spool->entries[0], name);
        if (unlinkat(spool->dir_fd, name, 0) < 0 && errno != ENOENT)
            break;
        dropped += !spool->entries[0].delivered;
        list_remove(spool, 0);
    }
    return dropped;
}

/* --- delivery -------------------------------------------------------------------------------- */

size_t spool_undelivered(const struct spool *spool, char (*ret_names)[BATCH_NAME_SIZE], size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < spool->count && count < max; i++)
        if (!spool->entries[i].delivered)
            entry_name(spool, &spool->entries[i], ret_names[count++]);
    return count;
}

bool spool_is_newest(const struct spool *spool, const char *name)
{
    char newest[BATCH_NAME_SIZE];

    if (!spool->count)
        return false;
    entry_name(spool, &spool->entries[spool->count - 1], newest);
    return strcmp(newest, name) == 0;
}

void spool_delivered(struct spool *spool, char (*names)[BATCH_NAME_SIZE], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct entry entry;

        if (!name_parse(spool, names[i], &entry))
            continue;
        for (size_t k = 0; k < spool->count; k++)
            if (compare_stream_seq(&spool->entries[k], &entry) == 0)
                spool->entries[k].delivered = true;
    }
    remove_delivered(spool);
}

size_t spool_waiting(const struct spool *spool, uint64_t *ret_bytes)
{
    size_t count = 0;

    *ret_bytes = 0;
    for (size_t i = 0; i < spool->count; i++)
        if (!spool->entries[i].delivered) {
            *ret_bytes += spool->entries[i].size_bytes;
            count++;
        }
    return count;
}

int spool_fd(const struct spool *spool)
{
    return spool->dir_fd;
}

/* --- opening --------------------------------------------------------------------------------- */

int spool_open(const char *dir, const char *node, uint64_t max_bytes, struct spool **ret_spool,
               struct error *err)
{
    struct spool *spool = calloc(1, sizeof(*spool));
    DIR *listing = NULL;
    int fd, rc;

    if (!spool)
        return error_set(err, -ENOMEM, "out of memory");
    snprintf(spool->node, sizeof(spool->node), "%s", node);
    spool->max_bytes = max_bytes;
    spool->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = spool->dir_fd < 0 ? -1 : openat(spool->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    listing = fd < 0 ? NULL : fdopendir(fd);
    rc = listing ? list_files(spool, listing) : -errno;
    if (listing)
        closedir(listing);
    else if (fd >= 0)
        close(fd);
    if (rc < 0) {
        spool_close(spool);
        return error_set_errno(err, rc, "cannot open SpoolDir %s", dir);
    }
    *ret_spool = spool;
    return 0;
}

struct spool *spool_close(struct spool *spool)
{
    if (!spool)
        return NULL;
    if (spool->dir_fd >= 0)
        close(spool->dir_fd);
    free(spool->entries);
    free(spool);
    return NULL;
}

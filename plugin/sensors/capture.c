#include "sensors/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS_STEP 256

void capture_init(struct capture *capture)
{
    *capture = (struct capture){ .n_instants = 1 };
}

void capture_clear(struct capture *capture)
{
    for (size_t i = 0; i < capture->n_records; i++) {
        free(capture->records[i].path);
        free(capture->records[i].data);
    }
    free(capture->records);
    capture_init(capture);
}

/* --- what a path may be ----------------------------------------------------------------------- */

static bool is_plain_name(const char *name, size_t len)
{
    return len > 0 && len < 256 && !(len == 1 && name[0] == '.') &&
           !(len == 2 && memcmp(name, "..", 2) == 0);
}

/* How many names there are in a path, which are all plain; 0 otherwise. */
static size_t count_names(const char *path)
{
    size_t count = 0, len;

    for (;; path += len + 1) {
        len = strcspn(path, "/");
        if (!is_plain_name(path, len))
            return 0;
        count++;
        if (path[len] == '\0')
            return count;
    }
}

static const char *check_path(const char *path)
{
    size_t names = count_names(path);

    if (path[0] == '/')
        return "the path is absolute";
    if (names == 0)
        return "the path has '.', '..' or an empty name in it";
    if (strlen(path) > CAPTURE_PATH_MAX || names > CAPTURE_DEPTH_MAX)
        return "the path is too long";
    return NULL;
}

/*
 * A target may go up first and then down, as those of sysfs do. Going up leads through real
 * directories alone, since the link lies in one, and so can be counted; once it went down, through
 * another link perhaps, it could not.
 */
static const char *check_target(const char *path, const char *target)
{
    size_t depth = count_names(path) - 1;

    for (; strncmp(target, "../", 3) == 0; target += 3)
        if (depth-- == 0)
            return "the link leads out of the capture";
    if (strcmp(target, "..") == 0)
        return depth > 0 ? NULL : "the link leads out of the capture";
    if (target[0] == '/')
        return "the link is absolute";
    if (count_names(target) == 0)
        return "the link goes up after it went down";
    return strlen(target) > CAPTURE_PATH_MAX ? "the link is too long" : NULL;
}

static int refuse(int code, const char *why, const char **ret_why)
{
    if (ret_why)
        *ret_why = why;
    return code;
}

static bool make_room(struct capture *capture)
{
    size_t room = capture->room + capture->room / 2 + RECORDS_STEP;
    struct capture_record *records;

    if (capture->n_records < capture->room)
        return true;
    records = realloc(capture->records, room * sizeof(*records));
    if (!records)
        return false;
    capture->records = records;
    capture->room = room;
    return true;
}

int capture_add(struct capture *capture, enum capture_type type, const char *path,
                const char *data, size_t len, const char **ret_why)
{
    const char *why = check_path(path);
    struct capture_record record = { .type = type, .len = len };

    if (!why && type == CAPTURE_LINK)
        why = check_target(path, data);
    if (why)
        return refuse(-EINVAL, why, ret_why);
    if (len > CAPTURE_FILE_MAX)
        return refuse(-E2BIG, "the file is too long", ret_why);
    if (capture->n_records >= CAPTURE_RECORDS_MAX)
        return refuse(-E2BIG, "there are too many records", ret_why);
    record.path = strdup(path);
    record.data = malloc(len + 1);
    if (!record.path || !record.data || !make_room(capture)) {
        free(record.path);
        free(record.data);
        return refuse(-ENOMEM, "out of memory", ret_why);
    }
    if (len > 0)
        memcpy(record.data, data, len);
    record.data[len] = '\0';
    capture->records[capture->n_records++] = record;
    return 0;
}

int capture_begin_instant(struct capture *capture, uint64_t after_ns)
{
    if (capture->n_instants == CAPTURE_INSTANTS_MAX)
        return -E2BIG;
    if (after_ns <= capture->instants[capture->n_instants - 1].after_ns)
        return -EINVAL;
    capture->instants[capture->n_instants++] =
        (struct capture_instant){ after_ns, capture->n_records };
    return 0;
}

static size_t instant_end(const struct capture *capture, size_t instant)
{
    return instant + 1 < capture->n_instants ? capture->instants[instant + 1].begin
                                             : capture->n_records;
}

size_t capture_count_unreadable(const struct capture *capture)
{
    size_t count = 0;

    for (size_t i = 0; i < instant_end(capture, 0); i++)
        count += capture->records[i].type == CAPTURE_UNREADABLE;
    return count;
}

/* --- laying out ------------------------------------------------------------------------------- */

/* The directory that holds `path`, made where it is missing; *ret_name is the last name. */
static int open_parent(int dir_fd, const char *path, const char **ret_name)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char name[256];
    size_t len;

    if (fd < 0)
        return -errno;
    for (; path[len = strcspn(path, "/")] == '/'; path += len + 1) {
        int next;

        memcpy(name, path, len);
        name[len] = '\0';
        if (mkdirat(fd, name, 0755) < 0 && errno != EEXIST)
            next = -errno;
        else /* never through a link: it could be one of the capture's own */
            next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (next == -1)
            next = -errno;
        close(fd);
        if (next < 0)
            return next;
        fd = next;
    }
    *ret_name = path;
    return fd;
}

static int write_file(int parent, const char *name, const struct capture_record *record)
{
    mode_t mode = record->type == CAPTURE_UNREADABLE ? 0 : 0644;
    int fd = openat(parent, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t done = 0;
    int rc = fd < 0 ? -errno : 0;

    while (rc == 0 && done < record->len) {
        ssize_t got = write(fd, record->data + done, record->len - done);

        if (got < 0 && errno != EINTR)
            rc = -errno;
        done += got > 0 ? (size_t)got : 0;
    }
    if (rc == 0 && fchmod(fd, mode) < 0)
        rc = -errno;
    if (fd >= 0 && close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

/* One that is there already, to the same target, is as good. */
static int write_link(int parent, const char *name, const struct capture_record *record)
{
    char target[CAPTURE_PATH_MAX + 1];
    ssize_t len;

    if (symlinkat(record->data, parent, name) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    len = readlinkat(parent, name, target, sizeof(target));
    return len == (ssize_t)record->len && memcmp(target, record->data, record->len) == 0 ? 0
                                                                                         : -EEXIST;
}

static int write_record(int dir_fd, const struct capture_record *record)
{
    const char *name = NULL;
    int parent = open_parent(dir_fd, record->path, &name);
    int rc = 0;

    if (parent < 0)
        return parent;
    if (record->type == CAPTURE_DIR)
        rc = mkdirat(parent, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
    else if (record->type == CAPTURE_LINK)
        rc = write_link(parent, name, record);
    else
        rc = write_file(parent, name, record);
    close(parent);
    return rc;
}

int capture_unpack(const struct capture *capture, size_t instant, int dir_fd, struct error *err)
{
    for (size_t i = capture->instants[instant].begin; i < instant_end(capture, instant); i++) {
        const struct capture_record *record = &capture->records[i];
        int rc = write_record(dir_fd, record);

        if (rc == -ELOOP || rc == -ENOTDIR || rc == -EEXIST)
            return error_set(err, -EINVAL, "%s: the capture has something else there already, or a "
                             "link or file above it; such a capture is not carbonctl's",
                             record->path);
        if (rc < 0)
            return error_set_errno(err, rc, "cannot lay out %s", record->path);
    }
    return 0;
}

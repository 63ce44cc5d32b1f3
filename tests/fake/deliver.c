/*
 * deliver STAGE DIR SECONDS: the batches below STAGE (as tests/fake/mksite makes them) into DIR,
 * each when its time has come: the first at once, the others as long after it as their ends lie
 * apart, and those of after SECONDS not at all. Waits until all are taken, and prints how long each
 * lay there: from its rename into DIR to its removal, which ingest does behind the commit. Ends
 * with 1 when some still lie there a minute after the last came.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "core/parse.h"

#define NS UINT64_C(1000000000)
#define PATIENCE_NS (60 * NS)

struct file {
    char *path, *name;
    int64_t end_ns; /* as its head says */
    uint64_t came_ns, lag_ns;
};

static struct file *files, **by_name;
static size_t n_files, n_gone;

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "deliver: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* --- what there is ---------------------------------------------------------------------------- */

static int64_t end_of(const char *path)
{
    char text[1024];
    const char *found;
    FILE *file = fopen(path, "r");
    size_t len;

    need(file != NULL, path);
    len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    found = strstr(text, " end_wall_ns=");
    need(found != NULL, path);
    return strtoll(found + 13, NULL, 10);
}

static void add_file(const char *dir, const char *name)
{
    struct file file = { 0 };

    if (n_files % 1024 == 0) {
        files = realloc(files, (n_files + 1024) * sizeof(*files));
        need(files != NULL, "realloc");
    }
    need(asprintf(&file.path, "%s/%s", dir, name) > 0, "asprintf");
    file.name = strrchr(file.path, '/') + 1;
    file.end_ns = end_of(file.path);
    files[n_files++] = file;
}

static void look_through(const char *path, bool below)
{
    const struct dirent *entry;
    DIR *dir = opendir(path);

    need(dir != NULL, path);
    while ((entry = readdir(dir))) {
        char *inner;

        if (entry->d_name[0] == '.')
            continue;
        if (!below) {
            add_file(path, entry->d_name);
            continue;
        }
        need(asprintf(&inner, "%s/%s", path, entry->d_name) > 0, "asprintf");
        look_through(inner, false);
        free(inner);
    }
    closedir(dir);
}

static int compare_ends(const void *va, const void *vb)
{
    const struct file *a = va, *b = vb;

    return a->end_ns < b->end_ns ? -1 : a->end_ns > b->end_ns;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct file *const *)a)->name, (*(struct file *const *)b)->name);
}

static int compare_lags(const void *va, const void *vb)
{
    const struct file *a = va, *b = vb;

    return a->lag_ns < b->lag_ns ? -1 : a->lag_ns > b->lag_ns;
}

/* --- what becomes of them --------------------------------------------------------------------- */

static void note_gone(char *name, uint64_t at_ns)
{
    struct file key = { .name = name }, *pointer = &key, **found;

    found = bsearch(&pointer, by_name, n_files, sizeof(*by_name), compare_names);
    if (!found || !(*found)->came_ns || (*found)->lag_ns)
        return;
    (*found)->lag_ns = at_ns - (*found)->came_ns + 1;
    n_gone++;
}

/* Until something is gone, but no longer than until then. */
static void watch(int watch_fd, uint64_t until_ns)
{
    union {
        struct inotify_event event;
        char room[65536];
    } events;
    uint64_t at_ns = now_ns();
    struct timespec patience = { 0 };
    struct pollfd poll_fd = { .fd = watch_fd, .events = POLLIN };
    ssize_t len;

    if (until_ns > at_ns) {
        patience.tv_sec = (time_t)((until_ns - at_ns) / NS);
        patience.tv_nsec = (long)((until_ns - at_ns) % NS);
    }
    if (ppoll(&poll_fd, 1, &patience, NULL) <= 0)
        return;
    len = read(watch_fd, events.room, sizeof(events.room));
    at_ns = now_ns();
    for (ssize_t at = 0; at < len;) {
        struct inotify_event *event = (struct inotify_event *)(void *)(events.room + at);

        need(!(event->mask & IN_Q_OVERFLOW), "more was removed at once than inotify can hold");
        if (event->len)
            note_gone(event->name, at_ns);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

static void play(const char *dir)
{
    int watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t begin_ns = now_ns(), end_ns;

    need(watch_fd >= 0 && dir_fd >= 0 &&
         inotify_add_watch(watch_fd, dir, IN_DELETE | IN_MOVED_FROM) >= 0, dir);
    for (size_t i = 0; i < n_files; i++) {
        uint64_t due_ns = begin_ns + (uint64_t)(files[i].end_ns - files[0].end_ns);

        while (now_ns() < due_ns)
            watch(watch_fd, due_ns);
        files[i].came_ns = now_ns();
        need(renameat(AT_FDCWD, files[i].path, dir_fd, files[i].name) == 0, files[i].path);
    }
    end_ns = now_ns() + PATIENCE_NS;
    while (n_gone < n_files && now_ns() < end_ns)
        watch(watch_fd, end_ns);
}

static void leave_out(uint64_t seconds)
{
    while (files[n_files - 1].end_ns > files[0].end_ns + (int64_t)(seconds * NS))
        n_files--;
}

static uint64_t lag_ms(size_t percent)
{
    return files[(n_files - 1) * percent / 100].lag_ns / 1000000;
}

int main(int argc, char **argv)
{
    uint64_t seconds;

    if (argc != 4 || parse_u64(argv[3], 1, 86400, &seconds) < 0) {
        fprintf(stderr, "usage: deliver STAGE DIR SECONDS\n");
        return 1;
    }
    look_through(argv[1], true);
    need(n_files > 0, argv[1]);
    qsort(files, n_files, sizeof(*files), compare_ends);
    leave_out(seconds);
    by_name = calloc(n_files, sizeof(struct file *));
    need(by_name != NULL, "calloc");
    for (size_t i = 0; i < n_files; i++)
        by_name[i] = &files[i];
    qsort(by_name, n_files, sizeof(struct file *), compare_names);
    play(argv[2]);
    qsort(files, n_files, sizeof(*files), compare_lags);
    printf("delivered=%zu\nleft=%zu\nlag_median_ms=%" PRIu64 "\nlag_95_ms=%" PRIu64
           "\nlag_most_ms=%" PRIu64 "\n", n_files, n_files - n_gone, lag_ms(50), lag_ms(95),
           lag_ms(100));
    return n_gone == n_files ? 0 : 1;
}

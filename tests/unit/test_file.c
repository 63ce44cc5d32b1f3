#define _GNU_SOURCE /* O_PATH */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

struct room {
    char path[64];
    int dirfd;
};

static int enter_room(void **state)
{
    struct room *room = calloc(1, sizeof(*room));

    if (!room)
        return -1;
    snprintf(room->path, sizeof(room->path), "test_file.XXXXXX");
    if (!mkdtemp(room->path))
        return -1;
    room->dirfd = open(room->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = room;
    return room->dirfd < 0 ? -1 : 0;
}

static int leave_room(void **state)
{
    struct room *room = *state;
    DIR *dir = opendir(room->path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL)
        if (unlinkat(room->dirfd, entry->d_name, 0) < 0)
            unlinkat(room->dirfd, entry->d_name, AT_REMOVEDIR);
    if (dir)
        closedir(dir);
    close(room->dirfd);
    rmdir(room->path);
    free(room);
    return 0;
}

static int count_entries(const struct room *room)
{
    DIR *dir = opendir(room->path);
    struct dirent *entry;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.' || (entry->d_name[1] && entry->d_name[1] != '.');
    closedir(dir);
    return count;
}

static void assert_content(const struct room *room, const char *name, const char *expected)
{
    size_t len;
    char *data;

    assert_int_equal(file_read(room->dirfd, name, 1000, &data, &len, NULL), 0);
    assert_int_equal(len, strlen(expected));
    assert_string_equal(data, expected);
    free(data);
}

static void what_is_written_is_read_and_replaced_whole(void **state)
{
    struct room *room = *state;

    for (int sync = 0; sync <= 1; sync++) {
        assert_int_equal(file_write_atomic(room->dirfd, "f", "old text", 8, 0644, sync), 0);
        assert_content(room, "f", "old text");
        assert_int_equal(file_write_atomic(room->dirfd, "f", "new", 3, 0644, sync), 0);
        assert_content(room, "f", "new");
        assert_int_equal(file_write_atomic(room->dirfd, "f", "", 0, 0644, sync), 0);
        assert_content(room, "f", "");
        assert_int_equal(count_entries(room), 1);
    }
}

static void the_mode_is_applied_whatever_the_umask(void **state)
{
    struct room *room = *state;
    mode_t before = umask(0077);
    struct stat st;

    assert_int_equal(file_write_atomic(room->dirfd, "f", "x", 1, 0664, 0), 0);
    umask(before);
    assert_int_equal(fstatat(room->dirfd, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0664);
}

static void a_link_under_the_name_is_replaced_and_not_followed(void **state)
{
    struct room *room = *state;

    assert_int_equal(file_write_atomic(room->dirfd, "target", "safe", 4, 0644, 0), 0);
    assert_int_equal(symlinkat("target", room->dirfd, "f"), 0);
    assert_int_equal(symlinkat("target", room->dirfd, ".f.tmp"), 0);
    assert_int_equal(file_write_atomic(room->dirfd, "f", "mine", 4, 0644, 0), 0);
    assert_content(room, "target", "safe");
    assert_content(room, "f", "mine");
    assert_int_equal(count_entries(room), 2);
}

static void a_writer_that_was_killed_leaves_no_obstacle(void **state)
{
    struct room *room = *state;

    assert_int_equal(file_write_atomic(room->dirfd, ".f.tmp", "half", 4, 0644, 0), 0);
    assert_int_equal(file_write_atomic(room->dirfd, "f", "whole", 5, 0644, 1), 0);
    assert_content(room, "f", "whole");
    assert_int_equal(count_entries(room), 1);
}

static void a_failed_rename_leaves_nothing(void **state)
{
    struct room *room = *state;

    assert_int_equal(mkdirat(room->dirfd, "f", 0755), 0);
    assert_int_equal(file_write_atomic(room->dirfd, "f", "x", 1, 0644, 0), -EISDIR);
    assert_int_equal(count_entries(room), 1);
}

static void a_full_disk_leaves_nothing_and_the_old_file_stays(void **state)
{
    struct room *room = *state;
    struct rlimit before, small = { 4096, 4096 };
    char data[8192];
    int rc;

    memset(data, 'x', sizeof(data));
    assert_int_equal(file_write_atomic(room->dirfd, "f", "old", 3, 0644, 0), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rc = file_write_atomic(room->dirfd, "f", data, sizeof(data), 0644, 1);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(rc, -EFBIG);
    assert_content(room, "f", "old");
    assert_int_equal(count_entries(room), 1);
}

static void a_directory_that_cannot_be_synced_is_a_failure_that_leaves_nothing(void **state)
{
    struct room *room = *state;
    int path_only = open(room->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    assert_true(path_only >= 0);
    assert_int_equal(file_write_atomic(path_only, "f", "x", 1, 0644, 1), -EBADF);
    assert_int_equal(count_entries(room), 0);
    close(path_only);
}

static void names_too_long_for_their_temporary_are_refused(void **state)
{
    struct room *room = *state;
    char name[300];

    memset(name, 'n', sizeof(name));
    name[251] = '\0';
    assert_int_equal(file_write_atomic(room->dirfd, name, "x", 1, 0644, 0), -ENAMETOOLONG);
    name[250] = '\0';
    assert_int_equal(file_write_atomic(room->dirfd, name, "x", 1, 0644, 0), 0);
    assert_int_equal(count_entries(room), 1);
}

static void the_working_directory_serves_as_dirfd(void **state)
{
    struct room *room = *state;
    int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    assert_int_equal(fchdir(room->dirfd), 0);
    rc = file_write_atomic(AT_FDCWD, "f", "here", 4, 0644, 1);
    assert_int_equal(fchdir(back), 0);
    close(back);
    assert_int_equal(rc, 0);
    assert_content(room, "f", "here");
}

static void file_read_takes_regular_files_within_the_bound_only(void **state)
{
    struct room *room = *state;
    static const struct {
        const char *name;
        size_t max_size;
        int rc;
        const char *reason;
    } rows[] = {
        { "f", 5, 0, NULL },
        { "f", 4, -EFBIG, "f is larger than 4 bytes" },
        { "empty", 0, 0, NULL },
        { "link", 5, -ELOOP, "cannot read link: " },
        { "dir", 5, -EINVAL, "dir is not a regular file" },
        { "fifo", 5, -EINVAL, "fifo is not a regular file" },
        { "none", 5, -ENOENT, "cannot read none: No such file" },
    };

    assert_int_equal(file_write_atomic(room->dirfd, "f", "12345", 5, 0644, 0), 0);
    assert_int_equal(file_write_atomic(room->dirfd, "empty", "", 0, 0644, 0), 0);
    assert_int_equal(symlinkat("f", room->dirfd, "link"), 0);
    assert_int_equal(mkdirat(room->dirfd, "dir", 0755), 0);
    assert_int_equal(mkfifoat(room->dirfd, "fifo", 0644), 0);
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct error err = { "" };
        char *data = NULL;
        size_t len = 77;

        ROW_HOLDS(i, file_read(room->dirfd, rows[i].name, rows[i].max_size, &data, &len, &err) ==
                         rows[i].rc);
        ROW_HOLDS(i, !rows[i].reason == (data != NULL));
        ROW_HOLDS(i, !rows[i].reason == (len != 77));
        if (rows[i].reason && !strstr(err.text, rows[i].reason))
            fail_msg("row %zu: %s", i, err.text);
        free(data);
    }
}

static void small_files_fill_their_room_or_are_too_big(void **state)
{
    struct room *room = *state;
    char small[6];
    size_t len = 77;

    assert_int_equal(file_write_atomic(room->dirfd, "f", "12345", 5, 0644, 0), 0);
    assert_int_equal(symlinkat("f", room->dirfd, "link"), 0);
    assert_int_equal(file_read_small(room->dirfd, "f", small, 5, &len), -EFBIG);
    assert_int_equal(len, 77);
    assert_int_equal(file_read_small(room->dirfd, "f", small, 6, &len), 0);
    assert_string_equal(small, "12345");
    assert_int_equal(len, 5);
    assert_int_equal(file_read_small(room->dirfd, "link", small, 6, NULL), 0);
    assert_int_equal(file_read_small(room->dirfd, "none", small, 6, NULL), -ENOENT);
    assert_int_equal(file_read_small(room->dirfd, ".", small, 6, NULL), -EISDIR);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, enter_room, leave_room)

static void a_line_is_the_first_of_a_file_that_fits(void **state)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        { "", "" }, { "a", "a" }, { "a b\n", "a b" }, { "\nb\n", "" }, { "a\nb\n", "a" },
    };
    struct room *room = *state;
    char line[5];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(file_write_atomic(room->dirfd, "f", cases[i].text, strlen(cases[i].text),
                                           0600, 0), 0);
        assert_int_equal(file_read_line(room->dirfd, "f", line, sizeof(line)), 0);
        assert_string_equal(line, cases[i].line);
    }
    assert_int_equal(file_write_atomic(room->dirfd, "f", "12345", 5, 0600, 0), 0);
    assert_int_equal(file_read_line(room->dirfd, "f", line, sizeof(line)), -EBADMSG);
    assert_int_equal(file_read_line(room->dirfd, "none", line, sizeof(line)), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(a_line_is_the_first_of_a_file_that_fits),
        IN_ROOM(what_is_written_is_read_and_replaced_whole),
        IN_ROOM(the_mode_is_applied_whatever_the_umask),
        IN_ROOM(a_link_under_the_name_is_replaced_and_not_followed),
        IN_ROOM(a_writer_that_was_killed_leaves_no_obstacle),
        IN_ROOM(a_failed_rename_leaves_nothing),
        IN_ROOM(a_full_disk_leaves_nothing_and_the_old_file_stays),
        IN_ROOM(a_directory_that_cannot_be_synced_is_a_failure_that_leaves_nothing),
        IN_ROOM(names_too_long_for_their_temporary_are_refused),
        IN_ROOM(the_working_directory_serves_as_dirfd),
        IN_ROOM(file_read_takes_regular_files_within_the_bound_only),
        IN_ROOM(small_files_fill_their_room_or_are_too_big),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

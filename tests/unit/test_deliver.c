/* Delivery: what arrives, what stays, and what happens when the file system does not answer */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "meter/deliver.h"
#include "tree.h"

static struct tree tree;
static int spool_fd;
static char target[PATH_MAX + 16];
static char names[2][BATCH_NAME_SIZE] = { "n1-0000000000000001-000000000001.batch",
                                          "n1-0000000000000001-000000000002.batch" };

static int make(void **state)
{
    (void)state;
    tree_make(&tree);
    for (size_t i = 0; i < LENGTH(names); i++) {
        char file[512];

        snprintf(file, sizeof(file), "spool/%s", names[i]);
        tree_write(&tree, file, "batch %zu\n", i);
    }
    spool_fd = openat(tree.fd, "spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(target, sizeof(target), "%s/deliver", tree.path);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    close(spool_fd);
    tree_free(&tree);
    return 0;
}

static int is_in(const char *dir, const char *name)
{
    char file[BATCH_NAME_SIZE + 16];

    snprintf(file, sizeof(file), "%s/%s", dir, name);
    return faccessat(tree.fd, file, F_OK, 0) == 0;
}

static void test_what_is_delivered_leaves_the_spool_but_for_the_checkpoint(void **state)
{
    struct deliver_result result;
    struct stat st;

    (void)state;
    assert_int_equal(deliver_copy(target, spool_fd, names, 2, true, &result), 0);
    assert_int_equal(result.delivered, 2);
    assert_string_equal(result.err.text, "");
    assert_true(is_in("deliver", names[0]) && is_in("deliver", names[1]));
    assert_false(is_in("spool", names[0]));
    assert_true(is_in("spool", names[1]));
    assert_int_equal(fstatat(tree.fd, "deliver/n1-0000000000000001-000000000001.batch", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, DELIVERED_MODE);
    assert_int_equal(deliver_copy(target, spool_fd, names + 1, 1, false, &result), 0);
    assert_false(is_in("spool", names[1]));
}

/* Left by a child that was killed after its work, or dropped for want of room. */
static void test_a_batch_that_is_gone_counts_as_delivered(void **state)
{
    struct deliver_result result;

    (void)state;
    tree_remove(&tree, "spool/n1-0000000000000001-000000000001.batch");
    assert_int_equal(deliver_copy(target, spool_fd, names, 2, true, &result), 0);
    assert_int_equal(result.delivered, 2);
    assert_true(is_in("deliver", names[1]));
}

static void test_a_share_that_is_not_mounted_is_not_hidden_by_a_new_directory(void **state)
{
    struct deliver_result result;

    (void)state;
    snprintf(target, sizeof(target), "%s/share/deliver", tree.path);
    assert_int_equal(deliver_copy(target, spool_fd, names, 2, true, &result), -ENOENT);
    assert_int_equal(result.delivered, 0);
    assert_non_null(strstr(result.err.text, "DeliverDir"));
    assert_true(is_in("spool", names[0]));
}

static void test_a_failure_leaves_the_rest_in_the_spool(void **state)
{
    struct deliver_result result;

    (void)state;
    tree_mkdir(&tree, "deliver/n1-0000000000000001-000000000002.batch"); /* in the way */
    assert_int_equal(deliver_copy(target, spool_fd, names, 2, false, &result), -EISDIR);
    assert_int_equal(result.delivered, 1);
    assert_false(is_in("spool", names[0]));
    assert_true(is_in("spool", names[1]));
}

/* Look again and again until the child has ended; a test that cannot end is ended by alarm(). */
static void reap(struct deliver *deliver, uint64_t now, struct deliver_result *ret_result)
{
    const struct timespec nap = { .tv_nsec = 1000000 };

    while (!deliver_reap(deliver, now, ret_result))
        nanosleep(&nap, NULL);
}

static void test_a_child_tells_how_far_it_came(void **state)
{
    struct deliver deliver;
    struct deliver_result result;

    (void)state;
    deliver_init(&deliver, target, "", -1);
    memcpy(deliver.names, names, sizeof(names));
    assert_int_equal(deliver_start(&deliver, spool_fd, 2, true, 1000), 0);
    assert_true(deliver_is_busy(&deliver));
    reap(&deliver, 2000, &result);
    assert_false(deliver_is_busy(&deliver));
    assert_int_equal(result.delivered, 2);
    assert_string_equal(result.err.text, "");
}

static void test_a_child_that_hangs_is_killed_and_told_of(void **state)
{
    struct deliver deliver;
    struct deliver_result result;
    int fds[2];

    (void)state;
    deliver_init(&deliver, target, "", -1);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    deliver.child.pid = fork();
    if (deliver.child.pid == 0)
        for (;;)
            pause(); /* as in the kernel, waiting for a server */
    close(fds[1]);
    deliver.child.report_fd = fds[0];
    assert_false(deliver_reap(&deliver, DELIVER_DEADLINE_S * NS_PER_S - 1, &result));
    assert_true(deliver_is_busy(&deliver));
    reap(&deliver, DELIVER_DEADLINE_S * NS_PER_S, &result);
    assert_int_equal(result.delivered, 0);
    assert_non_null(strstr(result.err.text, "did not answer"));
}

int main(void)
{
#define IN_A_SPOOL(test) cmocka_unit_test_setup_teardown(test, make, unmake)
    const struct CMUnitTest tests[] = {
        IN_A_SPOOL(test_what_is_delivered_leaves_the_spool_but_for_the_checkpoint),
        IN_A_SPOOL(test_a_batch_that_is_gone_counts_as_delivered),
        IN_A_SPOOL(test_a_share_that_is_not_mounted_is_not_hidden_by_a_new_directory),
        IN_A_SPOOL(test_a_failure_leaves_the_rest_in_the_spool),
        IN_A_SPOOL(test_a_child_tells_how_far_it_came),
        IN_A_SPOOL(test_a_child_that_hangs_is_killed_and_told_of),
    };

    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

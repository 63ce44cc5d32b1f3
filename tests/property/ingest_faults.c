/*
 * Ingest, with each call of it and of SQLite to the kernel failing in turn, killed before it, with
 * the power gone before it, or with no memory: N = 1, 2, … until it works to its end. After each
 * the next ingest comes to the same books, and the audit finds them balanced.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "books.h"
#include "core/file.h"
#include "core/parse.h"
#include "fake_meter.h"
#include "faults.h"
#include "spool/ingest.h"

#define NODES 2
#define BATCHES 4

static struct tree tree;
static char disk[PATH_MAX], mirror[PATH_MAX], deliver[PATH_MAX], database[PATH_MAX + 32];
static uint64_t counted_mj;

/* SQLite asks thousands of times for memory: every 41st is tried, by hand (ingest_faults 1) all. */
static uint64_t memory_stride = 41;

/* --- the site: what ingest works on is below disk/ ------------------------------------------- */

static void name_dir(const char *name, char ret_path[PATH_MAX])
{
    tree_mkdir(&tree, name);
    assert_non_null(realpath(tree.path, ret_path));
    strncat(ret_path, "/", PATH_MAX - strlen(ret_path) - 1);
    strncat(ret_path, name, PATH_MAX - strlen(ret_path) - 1);
}

/* Make `to` anew as a copy of `from`; both are names in the tree. */
static void copy_dir(const char *from, const char *to)
{
    int dir_fd = openat(tree.fd, from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fdopendir(dir_fd);
    struct dirent *entry;

    assert_non_null(dir);
    tree_mkdir(&tree, to);
    while ((entry = readdir(dir))) {
        char source[600], target[600], *data;
        size_t len;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
        snprintf(target, sizeof(target), "%s/%s", to, entry->d_name);
        if (entry->d_type == DT_DIR) {
            copy_dir(source, target);
            continue;
        }
        assert_int_equal(file_read(tree.fd, source, 1 << 26, &data, &len, NULL), 0);
        tree_write_bytes(&tree, target, data, len);
        free(data);
    }
    closedir(dir);
}

static void remove_dir(const char *name)
{
    if (faccessat(tree.fd, name, F_OK, 0) == 0)
        tree_remove(&tree, name);
}

/* Some nodes' batches, a file that is none, and an empty database: made once, in made/. */
static int make(void **state)
{
    uint64_t random = 1;
    char made[PATH_MAX];

    (void)state;
    tree_make(&tree);
    name_dir("made/deliver", deliver);
    snprintf(database, sizeof(database), "sqlite:%s/../carbon.db", deliver);
    assert_int_equal(store_create(database, NULL, NULL, NULL), 0);
    for (unsigned n = 0; n < NODES; n++) {
        struct fake_meter meter;
        char name[BATCH_NAME_SIZE];

        snprintf(name, sizeof(name), "n%u", n + 1);
        fake_meter_init(&meter, name, 0x1000 + n, FAKE_BEGIN_S);
        for (unsigned i = 0; i < BATCHES; i++) {
            struct batch batch;

            fake_meter_random(&meter, &random, &batch);
            fake_meter_deliver(&batch, deliver, name);
            batch_clear(&batch);
        }
        for (unsigned c = 0; c < COMPONENT_COUNT; c++)
            counted_mj += meter.counted_uj[c] / 1000;
    }
    tree_write(&tree, "made/deliver/bad.batch", "garbage\n");
    name_dir("made", made);
    name_dir("disk", disk);
    name_dir("mirror", mirror);
    snprintf(deliver, sizeof(deliver), "%.4000s/deliver", disk);
    snprintf(database, sizeof(database), "sqlite:%.4000s/carbon.db", disk);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    tree_free(&tree);
    return 0;
}

/* --- one ingest ------------------------------------------------------------------------------ */

/* As `carbonctl ingest`; what fails must say what. */
static int ingest(void)
{
    struct ingest_report report = { 0 };
    struct ingest ingest = { .deliver_dir = deliver };
    struct error err = { "" };
    int rc = store_open(database, STORE_WRITE, "ingest", &ingest.store, &err);

    if (rc == 0)
        rc = ingest_round(&ingest, &report, &err);
    ingest.store = store_close(ingest.store);
    if (rc < 0 && err.text[0] == '\0') {
        fprintf(stderr, "it failed (%d) and did not say why\n", rc);
        abort();
    }
    return rc;
}

static void take_balance(void *arg, const struct audit_balance *balance)
{
    *(int64_t *)arg += balance->counted_mj;
}

static void take_finding(void *arg, const struct audit_finding *finding)
{
    if (!finding->fails)
        return;
    print_message("  %s: %s\n", finding->rule, finding->text);
    *(int64_t *)arg = INT64_MIN / 2;
}

static int64_t audited_mj(void)
{
    int64_t sum_mj = 0;
    const struct audit_sink sink = { .arg = &sum_mj, .balance = take_balance,
                                     .finding = take_finding };
    struct store *store;

    if (store_open(database, STORE_READ, "audit", &store, NULL) < 0 ||
        store_audit(store, true, &sink, NULL) < 0)
        sum_mj = -1;
    store_close(store);
    return sum_mj;
}

static void check_books(const struct faults_row *row, uint64_t at)
{
    int64_t sum_mj;

    if (ingest() < 0)
        fail_msg("%s at call %llu: the next ingest fails", row->name, (unsigned long long)at);
    sum_mj = audited_mj();
    if (sum_mj != (int64_t)counted_mj)
        fail_msg("%s at call %llu: %lld of %llu mJ", row->name, (unsigned long long)at,
                 (long long)sum_mj, (unsigned long long)counted_mj);
    if (faccessat(tree.fd, "disk/deliver/quarantine/bad.batch", F_OK, 0) < 0 ||
        ingest_is_due(&(struct ingest){ .deliver_dir = deliver }, NULL) != 0)
        fail_msg("%s at call %llu: a file is not where it belongs", row->name,
                 (unsigned long long)at);
}

/* Returns whether it struck. */
static bool try_once(const struct faults_row *row, uint64_t at)
{
    struct faults faults = row->faults;
    int status;
    pid_t pid;

    remove_dir("disk");
    copy_dir("made", "disk");
    faults.at = at;
    faults.below = disk;
    if (faults.mirror) {
        remove_dir("mirror");
        tree_mkdir(&tree, "mirror");
        faults.mirror = mirror;
        faults_mirror(disk, mirror);
    }
    faults_arm(&(struct faults){ 0 }); /* the counts are shared from before the fork on */
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        faults_arm(&faults);
        _exit(ingest() < 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) && (faults.fault != FAULT_KILL || WTERMSIG(status) != SIGKILL))
        fail_msg("%s at call %llu: ingest died of it", row->name, (unsigned long long)at);
    if (faults.mirror && !WIFEXITED(status)) {
        remove_dir("disk");
        copy_dir("mirror/tree", "disk");
    }
    if (faults_hit())
        check_books(row, at);
    return faults_hit();
}

static void whatever_fails_when_the_next_ingest_comes_to_the_same_books(void **state)
{
    (void)state;
    faults_loop(faults_of_files, 1, 30, 30, try_once);
}

static void with_the_power_gone_what_was_committed_is_there(void **state)
{
    (void)state;
    faults_loop(faults_of_power, 1, 30, 30, try_once);
}

static void out_of_memory_the_next_ingest_comes_to_the_same_books(void **state)
{
    (void)state;
    if (!faults_have_memory()) {
        print_message("skipped: out of memory: a sanitizer has malloc()\n");
        skip();
    }
    faults_loop(faults_of_memory, memory_stride, 1000, 30, try_once);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_fails_when_the_next_ingest_comes_to_the_same_books),
        cmocka_unit_test(with_the_power_gone_what_was_committed_is_there),
        cmocka_unit_test(out_of_memory_the_next_ingest_comes_to_the_same_books),
    };

    if (argc > 1 && parse_u64(argv[1], 1, 1000, &memory_stride) < 0)
        return 1;
    faults_use_memory();
    return cmocka_run_group_tests(tests, make, unmake);
}

/*
 * ingest_faults [STRIDE]: ingest, with each call of it and of SQLite to the kernel failing in turn,
 * killed before it, with the power gone before it, or with no memory: N = 1, 2, … until it works to
 * its end. After each the next ingest comes to the same books, and the audit finds them balanced.
 *
 * With BOOKS it has them in PostgreSQL (books.h): calls to the server fail, it is killed before
 * them, or the server ends its connection, or is itself killed, which RESTART_SERVER is the command
 * to do. A try takes longer there: of the calls each STRIDEth is tried.
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
#define LAST_MESSAGES 8
#define PATIENCE_MS 20000 /* the server ends the transaction of who was killed when it notices */

static bool on_server;
static struct books books; /* in PostgreSQL */
static struct tree tree;
static char disk[PATH_MAX], mirror[PATH_MAX], deliver[PATH_MAX], database[PATH_MAX + 32];
static uint64_t counted_mj;

/* All are tried by hand: ingest_faults 1. SQLite asks thousands of times for memory. */
static uint64_t given_stride;

static uint64_t stride_or(uint64_t usual)
{
    return given_stride ? given_stride : usual;
}

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

static void make_database(void)
{
    if (on_server) {
        books_open(&books);
        books.store = store_close(books.store);
        return;
    }
    snprintf(database, sizeof(database), "sqlite:%s/../carbon.db", deliver);
    assert_int_equal(store_create(database, NULL, NULL, NULL), 0);
}

/* As it was made, on the server; a file is copied anew. */
static void empty_database(void)
{
    static const char sql[] =
        "DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(tablename, ', ') ||"
        " ' RESTART IDENTITY CASCADE' FROM pg_tables WHERE schemaname = current_schema()"
        " AND tablename <> 'meta'); DELETE FROM meta WHERE name <> 'schema'; END $$";
    const struct store_turn turn = { .who = "a test", .patience_ms = PATIENCE_MS };
    struct store *store;

    assert_int_equal(store_open_in_turn(database, &turn, &store, NULL), 0);
    assert_int_equal(store_exec(store, sql, NULL), 0);
    store_close(store);
}

/* Some nodes' batches, a file that is none, and an empty database: made once, in made/. */
static int make(void **state)
{
    uint64_t random = 1;
    char made[PATH_MAX];

    (void)state;
    tree_make(&tree);
    name_dir("made/deliver", deliver);
    make_database();
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
    if (on_server)
        snprintf(database, sizeof(database), "%s", books.database);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    if (on_server)
        books_close(&books);
    tree_free(&tree);
    return 0;
}

/* --- one ingest ------------------------------------------------------------------------------ */

/* As `carbonctl ingest`, beside others or alone; what fails must say what. */
static int ingest(bool shared)
{
    const struct store_turn turn = { .who = "ingest", .patience_ms = PATIENCE_MS,
                                     .shared = shared };
    struct ingest_report report = { 0 };
    struct ingest ingest = { .deliver_dir = deliver };
    struct error err = { "" };
    int rc = store_open_in_turn(database, &turn, &ingest.store, &err);

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

    if (ingest(false) < 0)
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

/* --- the server ------------------------------------------------------------------------------ */

static void (*while_stopped)(void); /* what happens to the server where FAULT_STOP strikes */

static void end_connections(void)
{
    static const char sql[] =
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()";
    struct store *store;
    int64_t ended;

    assert_int_equal(store_open(database, STORE_READ, "a test", &store, NULL), 0);
    assert_int_equal(store_integer(store, sql, &ended, NULL), 0);
    store_close(store);
}

static void kill_server(void)
{
    const char *command = getenv("RESTART_SERVER");

    if (!command || system(command) != 0)
        fail_msg("RESTART_SERVER is no command that kills the server and starts it again");
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
        while_stopped();
        kill(pid, SIGCONT);
    }
    return status;
}

/* Returns whether it struck. */
static bool try_once(const struct faults_row *row, uint64_t at)
{
    struct faults faults = row->faults;
    int status;
    pid_t pid;

    remove_dir("disk");
    copy_dir("made", "disk");
    if (on_server)
        empty_database();
    faults.at = at;
    faults.below = faults.sockets ? NULL : disk;
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
        _exit(ingest(true) < 0);
    }
    status = wait_for(pid);
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
    if (on_server)
        faults_loop(faults_of_files, stride_or(9), 20, 1, try_once);
    else
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
    faults_loop(faults_of_memory, stride_or(on_server ? 401 : 41), 1000, 30, try_once);
}

/* Of its hundreds of messages some are tried, and each of the last, where the commit is. */
static void loop_over_messages(const struct faults_row *rows, uint64_t stride)
{
    faults_loop(rows, stride_or(stride), 60, 0, try_once);
    for (const struct faults_row *row = rows; row->name; row++) {
        uint64_t calls;

        if (try_once(row, UINT64_MAX))
            fail_msg("%s: it has no end", row->name);
        calls = faults_calls();
        for (uint64_t back = 0; back < LAST_MESSAGES; back++)
            try_once(row, calls - back);
    }
}

static void whatever_fails_on_the_way_to_the_server_the_next_comes_to_the_same_books(void **state)
{
    static const struct faults_row rows[] = {
        { "kill -9 before a message", { .fault = FAULT_KILL, .times = 1, .sockets = true } },
        { "a connection breaks", { .fault = ECONNRESET, .times = 1, .sockets = true } },
        { NULL, { 0 } },
    };

    (void)state;
    loop_over_messages(rows, 19);
}

static void whatever_the_server_does_the_next_ingest_comes_to_the_same_books(void **state)
{
    static const struct faults_row ends[] = {
        { "pg_terminate_backend", { .fault = FAULT_STOP, .times = 1, .sockets = true } },
        { NULL, { 0 } },
    };
    static const struct faults_row killed[] = {
        { "the server is killed", { .fault = FAULT_STOP, .times = 1, .sockets = true } },
        { NULL, { 0 } },
    };

    (void)state;
    while_stopped = end_connections;
    loop_over_messages(ends, 19);
    while_stopped = kill_server;
    faults_loop(killed, stride_or(71), 60, 0, try_once);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest of_a_file[] = {
        cmocka_unit_test(whatever_fails_when_the_next_ingest_comes_to_the_same_books),
        cmocka_unit_test(with_the_power_gone_what_was_committed_is_there),
        cmocka_unit_test(out_of_memory_the_next_ingest_comes_to_the_same_books),
    };
    const struct CMUnitTest of_a_server[] = {
        cmocka_unit_test(whatever_fails_when_the_next_ingest_comes_to_the_same_books),
        cmocka_unit_test(whatever_fails_on_the_way_to_the_server_the_next_comes_to_the_same_books),
        cmocka_unit_test(whatever_the_server_does_the_next_ingest_comes_to_the_same_books),
        cmocka_unit_test(out_of_memory_the_next_ingest_comes_to_the_same_books),
    };

    if (argc > 1 && parse_u64(argv[1], 1, 1000, &given_stride) < 0)
        return 1;
    on_server = getenv("BOOKS") != NULL;
    faults_use_memory();
    return on_server ? cmocka_run_group_tests(of_a_server, make, unmake)
                     : cmocka_run_group_tests(of_a_file, make, unmake);
}

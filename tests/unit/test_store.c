/* opening, creating and locking the database */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "books.h"
#include "store/sqlite.h"

static void creating_twice_is_harmless_and_the_file_is_not_for_everybody(void **state)
{
    struct books books;
    struct stat st;
    bool created = true;

    (void)state;
    books_open(&books);
    books.store = store_close(books.store);
    assert_int_equal(store_create(books.database, NULL, &created, NULL), 0);
    assert_false(created);
    assert_int_equal(stat(books.database + 7, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    books_close(&books);
}

static void create(const char *database)
{
    struct error err = { "" };

    if (store_create(database, NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void assert_refused(const char *database, enum store_mode mode, int code,
                           const char *message)
{
    struct error err = { "" };
    struct store *store = NULL;
    int rc = store_open(database, mode, "a test", &store, &err);

    if (rc != code || !strstr(err.text, message))
        fail_msg("%s gives %d: %s\nexpected %d: %s", database, rc, err.text, code, message);
    assert_null(store);
}

static void what_is_no_database_of_ours_is_refused_with_its_remedy(void **state)
{
    struct tree tree;
    char name[PATH_MAX];

    (void)state;
    tree_make(&tree);
    snprintf(name, sizeof(name), "sqlite:%.4000s/x.db", tree.path);
    assert_refused(name, STORE_READ, -ENOENT, "`carbonctl init` creates it");
    assert_refused("sqlite:x.db", STORE_READ, -EINVAL, "give sqlite:/absolute/path");
    assert_refused("mysql://x", STORE_READ, -EINVAL, "give sqlite:/absolute/path");
    assert_refused("sqlite:/x?cache=shared", STORE_READ, -EINVAL, "only ?network=yes is");
    tree_write(&tree, "x.db", "this is a text, and long enough to be a header of a database %0100d",
               1);
    assert_refused(name, STORE_READ, -EBADMSG, "not a database; correct Database in");
    tree_remove(&tree, "x.db");
    tree_write(&tree, "x.db", "%s", "");
    assert_refused(name, STORE_READ, -EBADMSG, "is not a database of slurm-carbon");
    tree_free(&tree);
}

static void an_empty_file_left_by_a_killed_init_is_filled(void **state)
{
    struct tree tree;
    char name[PATH_MAX];
    bool created = false;

    (void)state;
    tree_make(&tree);
    snprintf(name, sizeof(name), "sqlite:%.4000s/x.db", tree.path);
    tree_write(&tree, "x.db", "%s", "");
    assert_int_equal(store_create(name, NULL, &created, NULL), 0);
    assert_true(created);
    tree_free(&tree);
}

static void a_newer_schema_is_refused(void **state)
{
    struct books books;
    char sql[64], refusal[96];

    (void)state;
    books_open(&books);
    snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", STORE_SCHEMA_VERSION + 1);
    snprintf(refusal, sizeof(refusal), "has schema %d, and this program knows up to %d",
             STORE_SCHEMA_VERSION + 1, STORE_SCHEMA_VERSION);
    assert_int_equal(store_exec(books.store, sql, NULL), 0);
    books.store = store_close(books.store);
    assert_refused(books.database, STORE_READ, -EPROTO, refusal);
    assert_refused(books.database, STORE_WRITE, -EPROTO, "install the slurm-carbon that wrote it");
    books_close(&books);
}

static void a_second_writer_is_told_who_the_first_is(void **state)
{
    struct books books;
    struct store *reader;

    (void)state;
    books_open(&books);
    assert_refused(books.database, STORE_WRITE, -EBUSY,
                   "carbon.db.lock is held by a test, process");
    assert_int_equal(store_create(books.database, NULL, NULL, NULL), -EBUSY);
    assert_int_equal(store_open(books.database, STORE_READ, NULL, &reader, NULL), 0);
    store_close(reader);
    books.store = store_close(books.store);
    assert_int_equal(store_open(books.database, STORE_WRITE, "next", &books.store, NULL), 0);
    books_close(&books);
}

/* --- turns ------------------------------------------------------------------------------------ */

static struct books *held;    /* by another writer */
static char holder_told[128]; /* to the one that waits */
static volatile sig_atomic_t stopped;

static void let_go(const char *holder, int patience_ms)
{
    assert_int_equal(patience_ms, 60000);
    snprintf(holder_told, sizeof(holder_told), "%s", holder);
    held->store = store_close(held->store);
}

static void stop_waiting(const char *holder, int patience_ms)
{
    (void)holder;
    (void)patience_ms;
    stopped = 1;
}

static void a_writer_that_waits_is_told_for_whom_and_gets_its_turn(void **state)
{
    const struct store_turn turn = { .who = "next", .patience_ms = 60000, .waits = let_go };
    struct books books;

    (void)state;
    books_open(&books);
    held = &books;
    assert_int_equal(store_open_in_turn(books.database, &turn, &books.store, NULL), 0);
    assert_int_equal(strncmp(holder_told, "a test, process ", 16), 0);
    holder_told[0] = '\0';
    assert_int_equal(store_create(books.database, &turn, NULL, NULL), 0);
    assert_int_equal(strncmp(holder_told, "next, process ", 14), 0);
    books_close(&books);
}

static void a_writer_waits_no_longer_than_its_patience_nor_after_a_signal(void **state)
{
    struct store_turn turn = { .who = "next", .patience_ms = 1000 };
    struct error err = { "" };
    struct store *store = NULL;
    struct books books;

    (void)state;
    books_open(&books);
    assert_int_equal(store_open_in_turn(books.database, &turn, &store, &err), -EBUSY);
    assert_non_null(strstr(err.text, "and was not free for 1 s; one process writes at a time"));
    turn = (struct store_turn){ .patience_ms = 3600000, .waits = stop_waiting, .stop = &stopped };
    assert_int_equal(store_open_in_turn(books.database, &turn, &store, &err), -EINTR);
    assert_null(store);
    books_close(&books);
}

static void one_service_loads_and_leaves_the_writers_lock_free(void **state)
{
    struct error err = { "" };
    struct books books;
    int lock;

    (void)state;
    books_open(&books);
    books.store = store_close(books.store);
    lock = store_lock_service(books.database, "the service", NULL);
    assert_true(lock >= 0);
    assert_int_equal(store_lock_service(books.database, "another", &err), -EBUSY);
    assert_non_null(strstr(err.text, "carbon.db.ingest.lock is held by the service, process "));
    assert_int_equal(store_open(books.database, STORE_WRITE, "next", &books.store, NULL), 0);
    store_unlock_service(lock);
    lock = store_lock_service(books.database, "another", NULL);
    assert_true(lock >= 0);
    store_unlock_service(lock);
    assert_int_equal(store_lock_service("sqlite:/nowhere/x.db", "it", NULL), -ENOENT);
    books_close(&books);
}

static void a_reader_cannot_write(void **state)
{
    struct books books;
    struct store *reader;

    (void)state;
    books_open(&books);
    assert_int_equal(store_open(books.database, STORE_READ, NULL, &reader, NULL), 0);
    assert_int_equal(store_exec(reader, "INSERT INTO meta VALUES ('a', 'b')", NULL), -EROFS);
    store_close(reader);
    books_close(&books);
}

static void assert_owner(const char *path, uid_t uid)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, uid);
    assert_int_equal(st.st_mode & (S_IWGRP | S_IRWXO), 0);
}

/* S4 */
static void only_its_owner_may_write_the_database(void **state)
{
    struct error err = { "" };
    struct store *store;
    struct tree tree;
    char name[PATH_MAX], dir[PATH_MAX], lock[PATH_MAX + 8];
    uid_t uid = geteuid() == 0 ? 54321 : geteuid();

    (void)state;
    tree_make(&tree);
    tree_mkdir(&tree, "books");
    snprintf(dir, sizeof(dir), "%.4000s/books", tree.path);
    if (geteuid() == 0) /* root makes it, for the service's user */
        assert_int_equal(chown(dir, uid, uid), 0);
    snprintf(name, sizeof(name), "sqlite:%.4000s/books/x.db", tree.path);
    snprintf(lock, sizeof(lock), "%s.lock", name + 7);
    assert_int_equal(store_create(name, NULL, NULL, &err), 0);
    assert_owner(name + 7, uid);
    assert_owner(lock, uid);
    assert_int_equal(chmod(name + 7, 0660), 0);
    assert_int_equal(store_open(name, STORE_WRITE, "test", &store, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod go-w"));
    assert_int_equal(chmod(name + 7, 0640), 0);
    assert_int_equal(chmod(dir, 0770), 0);
    assert_int_equal(store_open(name, STORE_WRITE, "test", &store, &err), -EPERM);
    assert_non_null(strstr(err.text, "so replace the database; chmod go-w"));
    assert_int_equal(chmod(dir, 0750), 0);
    assert_int_equal(store_open(name, STORE_WRITE, "test", &store, &err), 0);
    store_close(store);
    tree_free(&tree);
}

static void a_directory_that_everybody_may_write_is_refused(void **state)
{
    struct error err = { "" };
    struct tree tree;
    char name[PATH_MAX];

    (void)state;
    tree_make(&tree);
    tree_mkdir(&tree, "open");
    snprintf(name, sizeof(name), "%.4000s/open", tree.path);
    assert_int_equal(chmod(name, 0777), 0);
    snprintf(name, sizeof(name), "sqlite:%.4000s/open/x.db", tree.path);
    assert_int_equal(store_create(name, NULL, NULL, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod go-w"));
    snprintf(name, sizeof(name), "sqlite:%.4000s/absent/x.db", tree.path);
    assert_int_equal(store_create(name, NULL, NULL, &err), -ENOENT);
    assert_non_null(strstr(err.text, "create it"));
    tree_free(&tree);
}

/* as statfs(2) gives them: on some machines negative, since f_type is signed there */
static void network_file_systems_are_known_by_their_magic(void **state)
{
    static const struct {
        long type;
        const char *name;
    } rows[] = {
        { 0x6969, "NFS" }, { 0x0bd00bd0, "Lustre" }, { 0x47504653, "GPFS" },
        { (int)0xff534d42, "CIFS" }, { 0x00c36400, "CephFS" },
        { 0xef53, NULL }, { 0x58465342, NULL }, { 0x01021994, NULL }, { 0x9123683e, NULL },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        const char *name = store_network_name(rows[i].type);

        ROW_HOLDS(i, rows[i].name ? name && strcmp(name, rows[i].name) == 0 : !name);
    }
}

/* what EL8's SQLite 3.26 and PostgreSQL 13 do not both speak stays out of the schema */
static void the_schema_is_plain(void **state)
{
    static const char *const banned[] = { " STRICT", "RETURNING", "GENERATED", "WITHOUT ROWID",
                                          "AUTOINCREMENT", " FILTER" };

    (void)state;
    for (int version = 1; version <= STORE_SCHEMA_VERSION; version++)
        for (size_t i = 0; i < LENGTH(banned); i++) /* behind the words at its head */
            ROW_HOLDS(i, !strstr(strstr(store_schema(version), "\n\n"), banned[i]));
    assert_null(store_schema(0));
    assert_null(store_schema(STORE_SCHEMA_VERSION + 1));
}

static void a_name_with_network_yes_is_the_same_database(void **state)
{
    struct books books;
    char name[PATH_MAX + 16];
    struct store *reader;

    (void)state;
    books_open(&books);
    snprintf(name, sizeof(name), "%s?network=yes", books.database);
    assert_int_equal(store_open(name, STORE_READ, NULL, &reader, NULL), 0);
    assert_string_equal(store_path(reader), books.database + 7);
    store_close(reader);
    books.store = store_close(books.store);
    create(name);
    books_close(&books);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creating_twice_is_harmless_and_the_file_is_not_for_everybody),
        cmocka_unit_test(what_is_no_database_of_ours_is_refused_with_its_remedy),
        cmocka_unit_test(an_empty_file_left_by_a_killed_init_is_filled),
        cmocka_unit_test(a_newer_schema_is_refused),
        cmocka_unit_test(a_second_writer_is_told_who_the_first_is),
        cmocka_unit_test(a_writer_that_waits_is_told_for_whom_and_gets_its_turn),
        cmocka_unit_test(a_writer_waits_no_longer_than_its_patience_nor_after_a_signal),
        cmocka_unit_test(one_service_loads_and_leaves_the_writers_lock_free),
        cmocka_unit_test(a_reader_cannot_write),
        cmocka_unit_test(only_its_owner_may_write_the_database),
        cmocka_unit_test(a_directory_that_everybody_may_write_is_refused),
        cmocka_unit_test(network_file_systems_are_known_by_their_magic),
        cmocka_unit_test(the_schema_is_plain),
        cmocka_unit_test(a_name_with_network_yes_is_the_same_database),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

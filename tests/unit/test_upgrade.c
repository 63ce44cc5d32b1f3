/* a database of schema 1 becomes one of the newest, whole or not at all, and a copy of it stays */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "books.h"
#include "store/sqlite.h"
#include "core/file.h"
#include "fake_meter.h"

/* The newest schema's database beside one of schema 1 with the same rows. */
struct pair {
    struct books books;
    char old[PATH_MAX];          /* the old one's name: "sqlite:/…/old.db" */
    const char *path;            /* … and path */
    char backup[PATH_MAX + 32];  /* where its copy belongs */
};

static void load_some(struct books *books)
{
    uint64_t random = 11;

    for (uint64_t n = 1; n <= 2; n++) {
        char name[8] = { 'n', (char)('0' + n), '\0' };
        struct fake_meter meter;

        /* 2026-09-30T23:50:00Z: the batches go over the end of the month */
        fake_meter_init(&meter, name, n, 1790812200);
        for (int i = 0; i < 30; i++) {
            struct batch batch;

            fake_meter_random(&meter, &random, &batch);
            assert_int_equal(books_load(books, &batch, NULL), STORE_LOADED);
            batch_clear(&batch);
        }
    }
}

static void run_sql(sqlite3 *db, const char *sql)
{
    char *text = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s\nin %s", text, sql);
}

static char *conversion(void)
{
    char path[PATH_MAX], *sql;
    size_t len;

    snprintf(path, sizeof(path), "%s/tests/fake/to_schema_1.sql",
             getenv("top_srcdir") ? getenv("top_srcdir") : ".");
    assert_int_equal(file_read(AT_FDCWD, path, 65536, &sql, &len, NULL), 0);
    return sql;
}

static int set_up(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    char attach[PATH_MAX + 64], *sql = conversion();
    sqlite3 *db;

    books_open(&pair->books);
    load_some(&pair->books);
    snprintf(pair->old, sizeof(pair->old), "sqlite:%.4000s/old.db", pair->books.tree.path);
    pair->path = pair->old + strlen("sqlite:");
    snprintf(pair->backup, sizeof(pair->backup), "%s.schema-1.bak", pair->path);
    assert_int_equal(sqlite3_open(pair->path, &db), SQLITE_OK);
    snprintf(attach, sizeof(attach), "ATTACH '%s' AS new", pair->books.database + 7);
    run_sql(db, attach);
    run_sql(db, store_schema(1));
    run_sql(db, sql);
    sqlite3_close(db);
    free(sql);
    assert_int_equal(chmod(pair->path, 0640), 0);
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;

    books_close(&pair->books);
    free(pair);
    return 0;
}

/* A number from any file. */
static int64_t number_in(const char *path, const char *sql)
{
    struct store store = { .backend = &sqlite_backend, .lock_fd = -1 };
    int64_t number;

    snprintf(store.path, sizeof(store.path), "%s", path);
    assert_int_equal(sqlite3_open_v2(path, &store.db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(store_integer(&store, sql, &number, NULL), 0);
    sqlite3_close(store.db);
    return number;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int open_old(struct pair *pair, struct store **ret_store, struct error *err)
{
    return store_open(pair->old, STORE_WRITE, "a test", ret_store, err);
}

static void upgrade(struct pair *pair)
{
    struct error err = { "" };
    struct store *store;

    if (open_old(pair, &store, &err) < 0)
        fail_msg("%s", err.text);
    store_close(store);
}

static void the_upgraded_database_is_what_loading_would_have_made(void **state)
{
    static const char *const tables[] = { "job_hour", "node_hour", "cluster_hour",
                                          "allocation_month", "power", "energy", "job" };
    struct pair *pair = *state;
    char attach[PATH_MAX + 64];

    upgrade(pair);
    snprintf(attach, sizeof(attach), "ATTACH '%s' AS old", pair->path);
    run_sql(pair->books.store->db, attach);
    /* schema 1 did not tell components apart */
    run_sql(pair->books.store->db,
            "CREATE TEMP TABLE together AS SELECT job_key, node_key, minute_s, 'all',"
            " SUM(energy_mj), MAX(span_ms) FROM main.power GROUP BY job_key, node_key, minute_s;"
            "DELETE FROM main.power; INSERT INTO main.power SELECT * FROM together");
    for (size_t i = 0; i < LENGTH(tables); i++) {
        const char *t = tables[i];

        ROW_HOLDS(i, books_number(&pair->books, "SELECT COUNT(*) FROM main.%s", t) > 0);
        ROW_HOLDS(i, books_number(&pair->books, "SELECT COUNT(*) FROM (SELECT * FROM main.%s EXCEPT"
                                  " SELECT * FROM old.%s)", t, t) == 0);
        ROW_HOLDS(i, books_number(&pair->books, "SELECT COUNT(*) FROM (SELECT * FROM old.%s EXCEPT"
                                  " SELECT * FROM main.%s)", t, t) == 0);
    }
    assert_int_equal(books_number(&pair->books,
                                  "SELECT COUNT(DISTINCT month_s) FROM old.allocation_month"), 2);
}

static void the_upgraded_database_has_a_clean_audit(void **state)
{
    struct pair *pair = *state;
    struct books old = { .store = NULL };

    assert_int_equal(open_old(pair, &old.store, NULL), 0);
    assert_int_equal(books_audit(&old, NULL, false), 0);
    store_close(old.store);
}

/* Schema 2 is what is left of the newest without what came after it; its sums stay as they are. */
static void a_database_of_schema_2_is_upgraded_with_its_sums(void **state)
{
    struct pair *pair = *state;
    char backup[PATH_MAX + 32];
    int64_t sums_mj;
    sqlite3 *db;

    upgrade(pair);
    assert_int_equal(sqlite3_open(pair->path, &db), SQLITE_OK);
    run_sql(db, "DROP INDEX job_to_reconcile; ALTER TABLE job DROP COLUMN state;"
                "ALTER TABLE job DROP COLUMN submit_s; ALTER TABLE job DROP COLUMN alloc_tres;"
                "ALTER TABLE job DROP COLUMN reconciled_s;"
                "DROP TABLE backfill_component; DROP TABLE backfill; DROP TABLE loss;"
                "ALTER TABLE batch DROP COLUMN first_seq;"
                "UPDATE job_hour SET active_mj = active_mj + 1;"
                "PRAGMA user_version = 2");
    sqlite3_close(db);
    sums_mj = number_in(pair->path, "SELECT SUM(active_mj) FROM job_hour");
    upgrade(pair);
    snprintf(backup, sizeof(backup), "%s.schema-2.bak", pair->path);
    assert_int_equal(number_in(backup, "PRAGMA user_version"), 2);
    assert_int_equal(number_in(pair->path, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    assert_int_equal(number_in(pair->path, "SELECT COUNT(*) FROM loss"), 0);
    assert_int_equal(number_in(pair->path, "SELECT SUM(active_mj) FROM job_hour"), sums_mj);
}

static void the_copy_is_the_database_as_it_was(void **state)
{
    struct pair *pair = *state;
    int64_t energy_mj = number_in(pair->path, "SELECT SUM(active_mj + idle_mj) FROM energy");
    struct store *store;
    struct stat st;

    assert_int_equal(open_old(pair, &store, NULL), 0);
    assert_string_equal(store_backup(store), pair->backup);
    store_close(store);
    assert_int_equal(number_in(pair->path, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    assert_int_equal(number_in(pair->backup, "PRAGMA user_version"), 1);
    assert_int_equal(number_in(pair->backup, "PRAGMA application_id"), STORE_APPLICATION_ID);
    assert_int_equal(number_in(pair->backup, "SELECT SUM(active_mj + idle_mj) FROM energy"),
                     energy_mj);
    assert_int_equal(number_in(pair->backup, "SELECT COUNT(*) FROM pragma_table_info('power')"), 5);
    assert_int_equal(stat(pair->backup, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void the_next_opening_changes_nothing(void **state)
{
    struct pair *pair = *state;
    char second[PATH_MAX + 40];
    struct store *store;

    upgrade(pair);
    assert_int_equal(open_old(pair, &store, NULL), 0);
    assert_null(store_backup(store));
    store_close(store);
    snprintf(second, sizeof(second), "%s.2", pair->backup);
    assert_false(is_there(second));
}

static void a_reader_is_told_to_upgrade(void **state)
{
    struct pair *pair = *state;
    struct error err = { "" };
    struct store *store = NULL;

    assert_int_equal(store_open(pair->old, STORE_READ, NULL, &store, &err), -EPROTO);
    assert_non_null(strstr(err.text, "has schema 1, and this program reads schema 6"));
    assert_non_null(strstr(err.text, "run `carbonctl init`"));
    assert_null(store);
    upgrade(pair);
    assert_int_equal(store_open(pair->old, STORE_READ, NULL, &store, &err), 0);
    store_close(store);
}

static void what_breaks_in_the_middle_leaves_the_old_schema_and_no_copy(void **state)
{
    static const char *const breakers[] = {
        "CREATE TABLE cluster_hour (x INTEGER)",               /* in the middle of the schema */
        "CREATE VIEW power_1 AS SELECT 1",                     /* near its end */
        "UPDATE energy SET active_mj = 9223372036854775807",   /* in the sums */
    };
    struct pair *pair = *state;
    char saved[PATH_MAX + 8], command[3 * PATH_MAX];

    snprintf(saved, sizeof(saved), "%s.saved", pair->path);
    snprintf(command, sizeof(command), "cp '%s' '%s'", pair->path, saved);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < LENGTH(breakers); i++) {
        struct error err = { "" };
        struct store *store = NULL;
        sqlite3 *db;

        snprintf(command, sizeof(command), "cp '%s' '%s'", saved, pair->path);
        assert_int_equal(system(command), 0);
        assert_int_equal(sqlite3_open(pair->path, &db), SQLITE_OK);
        run_sql(db, breakers[i]);
        sqlite3_close(db);
        ROW_HOLDS(i, open_old(pair, &store, &err) < 0);
        ROW_HOLDS(i, strncmp(err.text, "upgrade from schema 1 to 6: ", 28) == 0);
        ROW_HOLDS(i, number_in(pair->path, "PRAGMA user_version") == 1);
        ROW_HOLDS(i, number_in(pair->path, "SELECT COUNT(*) FROM sqlite_master WHERE name IN"
                               " ('factor_set', 'job_hour', 'allocation_month')") == 0);
        ROW_HOLDS(i, number_in(pair->path, "SELECT COUNT(*) FROM pragma_table_info('power')") == 5);
        ROW_HOLDS(i, !is_there(pair->backup));
    }
}

static void a_copy_that_is_there_is_never_overwritten(void **state)
{
    struct pair *pair = *state;
    struct error err = { "" };
    struct store *store = NULL;
    char second[PATH_MAX + 40];
    struct stat st;

    tree_write(&pair->books.tree, "old.db.schema-1.bak", "%s", "precious");
    tree_write(&pair->books.tree, "old.db.schema-1.bak.tmp", "%s", "left by one that was killed");
    for (int i = 2; i <= 9; i++) {
        char name[64];

        snprintf(name, sizeof(name), "old.db.schema-1.bak.%d", i);
        tree_write(&pair->books.tree, name, "%s", "precious");
    }
    assert_int_equal(open_old(pair, &store, &err), -EEXIST);
    assert_non_null(strstr(err.text, "remove the others"));
    tree_remove(&pair->books.tree, "old.db.schema-1.bak.2");
    assert_int_equal(open_old(pair, &store, &err), 0);
    snprintf(second, sizeof(second), "%s.2", pair->backup);
    assert_string_equal(store_backup(store), second);
    store_close(store);
    assert_int_equal(number_in(second, "PRAGMA user_version"), 1);
    assert_int_equal(stat(pair->backup, &st), 0);
    assert_int_equal(st.st_size, strlen("precious"));
    snprintf(second, sizeof(second), "%s.tmp", pair->backup);
    assert_false(is_there(second));
}

static void a_damaged_database_is_not_upgraded(void **state)
{
    struct pair *pair = *state;
    struct error err = { "" };
    struct store *store = NULL;
    char garbage[4096];
    FILE *file = fopen(pair->path, "r+");

    memset(garbage, 0xa5, sizeof(garbage));
    assert_non_null(file);
    assert_int_equal(fseek(file, -4096, SEEK_END), 0);
    assert_int_equal(fwrite(garbage, 1, sizeof(garbage), file), sizeof(garbage));
    fclose(file);
    assert_int_equal(open_old(pair, &store, &err), -EUCLEAN);
    assert_non_null(strstr(err.text, "was not upgraded; restore it from a backup"));
    assert_false(is_there(pair->backup));
    assert_int_equal(number_in(pair->path, "PRAGMA user_version"), 1);
}

static void an_empty_database_is_upgraded_too(void **state)
{
    struct pair *pair = *state;
    sqlite3 *db;

    assert_int_equal(unlink(pair->path), 0);
    assert_int_equal(sqlite3_open(pair->path, &db), SQLITE_OK);
    run_sql(db, store_schema(1));
    run_sql(db, "PRAGMA application_id = 1130459746; PRAGMA user_version = 1");
    sqlite3_close(db);
    upgrade(pair);
    assert_int_equal(number_in(pair->path, "SELECT COUNT(*) FROM allocation_month"), 0);
    assert_int_equal(number_in(pair->path, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
}

#define UPGRADE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPGRADE_TEST(the_upgraded_database_is_what_loading_would_have_made),
        UPGRADE_TEST(the_upgraded_database_has_a_clean_audit),
        UPGRADE_TEST(a_database_of_schema_2_is_upgraded_with_its_sums),
        UPGRADE_TEST(the_copy_is_the_database_as_it_was),
        UPGRADE_TEST(the_next_opening_changes_nothing),
        UPGRADE_TEST(a_reader_is_told_to_upgrade),
        UPGRADE_TEST(what_breaks_in_the_middle_leaves_the_old_schema_and_no_copy),
        UPGRADE_TEST(a_copy_that_is_there_is_never_overwritten),
        UPGRADE_TEST(a_damaged_database_is_not_upgraded),
        UPGRADE_TEST(an_empty_database_is_upgraded_too),
    };

    return cmocka_run_group_tests_name("upgrade", tests, NULL, NULL);
}

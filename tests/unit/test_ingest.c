/* from DeliverDir into the books: what is loaded, what is set aside, what stays */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "books.h"
#include "fake_meter.h"
#include "spool/ingest.h"
#include "spool/quarantine.h"

#define GROUP 60 /* batches loaded by one commit here */

struct site {
    struct books books;
    char deliver[PATH_MAX];
    struct ingest ingest;
};

static char said[4096]; /* what ingest said of the last file */

static void hear(const char *text)
{
    snprintf(said, sizeof(said), "%s", text);
}

static int set_up(void **state)
{
    static struct site site;

    books_open(&site.books);
    tree_mkdir(&site.books.tree, "deliver");
    snprintf(site.deliver, sizeof(site.deliver), "%.4000s/deliver", site.books.tree.path);
    site.ingest = (struct ingest){ .store = site.books.store, .deliver_dir = site.deliver,
                                  .group_batches = GROUP,
                                   .say = hear };
    said[0] = '\0';
    *state = &site;
    return 0;
}

static int tear_down(void **state)
{
    struct site *site = *state;

    books_close(&site->books);
    return 0;
}

static struct ingest_report round_of(struct site *site)
{
    struct ingest_report report = { 0 };
    struct error err = { "" };

    if (ingest_round(&site->ingest, &report, &err) < 0)
        fail_msg("%s", err.text);
    return report;
}

static void assert_report(struct site *site, uint64_t loaded, uint64_t duplicates,
                          uint64_t quarantined, uint64_t left)
{
    struct ingest_report report = round_of(site);

    assert_int_equal(report.loaded, loaded);
    assert_int_equal(report.duplicates, duplicates);
    assert_int_equal(report.quarantined, quarantined);
    assert_int_equal(report.left, left);
}

static bool is_there(struct site *site, const char *name)
{
    char path[PATH_MAX + 512];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", site->deliver, name);
    return lstat(path, &st) == 0;
}

/* Deliver the next random batch of a stream. */
static void deliver(struct site *site, struct fake_meter *meter, char name[BATCH_NAME_SIZE])
{
    static uint64_t random = 11;
    struct batch batch;

    fake_meter_random(meter, &random, &batch);
    fake_meter_deliver(&batch, site->deliver, name);
    batch_clear(&batch);
}

static void what_is_delivered_is_loaded_and_removed(void **state)
{
    struct site *site = *state;
    char name[BATCH_NAME_SIZE];
    struct fake_meter meter;

    fake_meter_init(&meter, "n-1", 1, FAKE_BEGIN_S);
    for (int i = 0; i < 2 * GROUP + 10; i++)
        deliver(site, &meter, name);
    tree_write(&site->books.tree, "deliver/.n1.batch.tmp", "half of a batch");
    tree_write(&site->books.tree, "deliver/README", "not ours");
    assert_report(site, 2 * GROUP + 10, 0, 0, 0);
    assert_false(is_there(site, name));
    assert_true(is_there(site, ".n1.batch.tmp"));
    assert_true(is_there(site, "README"));
    assert_int_equal(books_number(&site->books, "SELECT MAX(seq) FROM batch"),
                     2 * GROUP + 10);
    assert_int_equal(books_audit(&site->books, NULL, false), 0);
    assert_report(site, 0, 0, 0, 0);
}

/* Loading these takes above a millisecond anywhere, and a group has no more. */
static void a_turn_ends_between_groups_and_says_that_there_is_more(void **state)
{
    struct site *site = *state;
    struct ingest_report report;
    char name[BATCH_NAME_SIZE];
    struct fake_meter meter;
    uint64_t first;

    fake_meter_init(&meter, "n-1", 1, FAKE_BEGIN_S);
    assert_int_equal(ingest_is_due(&site->ingest, NULL), 0);
    for (int i = 0; i < GROUP + 1; i++)
        deliver(site, &meter, name);
    site->ingest.turn_ms = 1;
    report = round_of(site);
    first = report.loaded;
    assert_in_range(first, 1, GROUP);
    assert_true(report.more);
    assert_int_equal(ingest_is_due(&site->ingest, NULL), 1);
    site->ingest.turn_ms = 0;
    report = round_of(site);
    assert_int_equal(first + report.loaded, GROUP + 1);
    assert_false(report.more);
    assert_int_equal(ingest_is_due(&site->ingest, NULL), 0);
}

static void a_file_that_stays_is_counted_once_however_many_rounds_there_are(void **state)
{
    struct site *site = *state;
    struct ingest_report report = { 0 };

    tree_write(&site->books.tree, "deliver/x.batch", "%s", "torn");
    tree_mkdir(&site->books.tree, "deliver/quarantine");
    tree_mkdir(&site->books.tree, "deliver/quarantine/x.batch.reason"); /* in its reason's way */
    for (int i = 0; i < 3; i++)
        assert_int_equal(ingest_round(&site->ingest, &report, NULL), 0);
    assert_true(is_there(site, "x.batch"));
    assert_int_equal(report.left, 1);
}

static void a_file_that_stays_is_counted_though_the_rest_takes_more_rounds(void **state)
{
    struct site *site = *state;
    struct ingest_report report = { 0 };
    char name[BATCH_NAME_SIZE];
    struct fake_meter meter;
    unsigned rounds = 0;

    tree_write(&site->books.tree, "deliver/a.batch", "%s", "torn");
    tree_mkdir(&site->books.tree, "deliver/quarantine");
    tree_mkdir(&site->books.tree, "deliver/quarantine/a.batch.reason"); /* in its reason's way */
    fake_meter_init(&meter, "n-1", 1, FAKE_BEGIN_S);
    for (unsigned i = 0; i <= GROUP; i++)
        deliver(site, &meter, name);
    site->ingest.turn_ms = 1;
    do {
        assert_int_equal(ingest_round(&site->ingest, &report, NULL), 0);
        rounds++;
    } while (report.more);
    assert_true(rounds > 1);
    assert_int_equal(report.loaded, GROUP + 1);
    assert_int_equal(report.left, 1);
}

static void a_batch_delivered_again_is_a_duplicate(void **state)
{
    struct site *site = *state;
    char name[BATCH_NAME_SIZE];
    struct fake_meter meter;
    uint64_t random = 2;
    struct batch batch;

    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    fake_meter_random(&meter, &random, &batch);
    fake_meter_deliver(&batch, site->deliver, name);
    assert_report(site, 1, 0, 0, 0);
    fake_meter_deliver(&batch, site->deliver, name);
    assert_report(site, 0, 1, 0, 0);
    assert_false(is_there(site, name));
    assert_int_equal(books_audit(&site->books, NULL, false), 0);
    batch_clear(&batch);
}

static void the_same_id_with_other_contents_is_quarantined(void **state)
{
    struct site *site = *state;
    char name[BATCH_NAME_SIZE], aside[BATCH_NAME_SIZE + 32];
    struct fake_meter meter;
    uint64_t random = 2;
    struct batch batch;

    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    fake_meter_random(&meter, &random, &batch);
    fake_meter_deliver(&batch, site->deliver, name);
    assert_report(site, 1, 0, 0, 0);
    for (int i = 1; i <= 2; i++) {
        batch.head.next_ref++;
        fake_meter_deliver(&batch, site->deliver, name);
        assert_report(site, 0, 0, 1, 0);
        assert_false(is_there(site, name));
        assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM quarantine WHERE reason"
                                      " LIKE 'conflicting%%'"), i);
    }
    snprintf(aside, sizeof(aside), "quarantine/%s.2", name);
    assert_true(is_there(site, aside));
    snprintf(aside, sizeof(aside), "quarantine/%s.2.reason", name);
    assert_true(is_there(site, aside));
    assert_int_equal(books_audit(&site->books, NULL, false), 0);
    batch_clear(&batch);
}

/* cut after every byte, and with every byte changed: never loaded, never in the others' way */
static void a_torn_or_altered_batch_is_quarantined_alone(void **state)
{
    struct site *site = *state;
    char name[BATCH_NAME_SIZE], path[PATH_MAX + 512];
    struct fake_meter meter, other;
    struct batch batch;
    char *text;
    size_t len;

    fake_meter_init(&other, "n2", 2, FAKE_BEGIN_S);
    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    fake_meter_begin(&meter, 60, &batch);
    fake_meter_energy(&batch, OWNER_SYSTEM, 0, 0, COMPONENT_CPU, 1500, 0);
    fake_meter_seal(&meter, &batch);
    text = fake_meter_text(&batch, &len);
    batch_file_name(&batch.head, name);
    snprintf(path, sizeof(path), "%s/%s", site->deliver, name);
    for (size_t i = 0; i < 2 * len; i++) {
        size_t at = i % len;
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        text[at] ^= 1;
        assert_int_equal(fwrite(text, 1, i < len ? at : len, file), i < len ? at : len);
        text[at] ^= 1;
        fclose(file);
        deliver(site, &other, (char[BATCH_NAME_SIZE]){ "" });
        assert_report(site, 1, 0, 1, 0);
        tree_remove(&site->books.tree, "deliver/quarantine");
    }
    assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM batch"), 2 * (int64_t)len);
    fake_meter_deliver(&batch, site->deliver, name);
    assert_report(site, 1, 0, 0, 0);
    assert_int_equal(books_audit(&site->books, NULL, false), 0);
    free(text);
    batch_clear(&batch);
}

static void a_name_that_is_not_the_heads_is_quarantined(void **state)
{
    struct site *site = *state;
    char name[BATCH_NAME_SIZE], from[PATH_MAX + BATCH_NAME_SIZE], to[PATH_MAX + 16];
    struct fake_meter meter;

    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    deliver(site, &meter, name);
    snprintf(from, sizeof(from), "%s/%s", site->deliver, name);
    snprintf(to, sizeof(to), "%s/x.batch", site->deliver);
    assert_int_equal(rename(from, to), 0);
    assert_report(site, 0, 0, 1, 0);
    assert_non_null(strstr(said, "x.batch: quarantined: its head says that it is n1-00000000000000"
                                 "01-000000000001.batch"));
    assert_true(is_there(site, "quarantine/x.batch"));
}

static void links_pipes_and_directories_are_quarantined_unread(void **state)
{
    struct site *site = *state;
    char path[PATH_MAX + 16];

    tree_write(&site->books.tree, "secret", "x");
    tree_link(&site->books.tree, "deliver/link.batch", "../secret");
    tree_mkdir(&site->books.tree, "deliver/dir.batch");
    snprintf(path, sizeof(path), "%s/pipe.batch", site->deliver);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_report(site, 0, 0, 3, 0);
    assert_true(is_there(site, "quarantine/link.batch"));
    assert_true(is_there(site, "quarantine/pipe.batch"));
    assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM quarantine"), 3);
}

/* N4: what could be a forgery */
static void what_strangers_may_have_written_is_quarantined(void **state)
{
    struct site *site = *state;
    char name[BATCH_NAME_SIZE], path[PATH_MAX + BATCH_NAME_SIZE], other[PATH_MAX + 16];
    struct fake_meter meter;
    unsigned quarantined = 2;

    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    deliver(site, &meter, name);
    snprintf(path, sizeof(path), "%s/%s", site->deliver, name);
    assert_int_equal(chmod(path, 0646), 0);
    assert_report(site, 0, 0, 1, 0);
    assert_non_null(strstr(said, "quarantined: everybody may write to it"));
    deliver(site, &meter, name);
    snprintf(path, sizeof(path), "%s/%s", site->deliver, name);
    snprintf(other, sizeof(other), "%s/other", site->deliver);
    assert_int_equal(link(path, other), 0);
    assert_report(site, 0, 0, 1, 0);
    assert_non_null(strstr(said, "quarantined: it has 2 names"));
    if (geteuid() == 0) {
        deliver(site, &meter, name);
        snprintf(path, sizeof(path), "%s/%s", site->deliver, name);
        assert_int_equal(chown(path, 54321, 0), 0);
        assert_report(site, 0, 0, 1, 0);
        assert_non_null(strstr(said, "quarantined: it belongs to uid 54321, who is no meter"));
        quarantined++;
        deliver(site, &meter, name);
        snprintf(path, sizeof(path), "%s/%s", site->deliver, name);
        assert_int_equal(chown(path, 54321, 0), 0);
        assert_int_equal(chown(site->deliver, 54321, 0), 0); /* he is whom all may deliver as */
        assert_report(site, 1, 0, 0, 0);
    }
    assert_int_equal(books_number(&site->books, "SELECT COUNT(*) FROM quarantine"), quarantined);
}

static void a_directory_that_everybody_may_write_is_not_read(void **state)
{
    struct site *site = *state;
    struct ingest_report report = { 0 };
    char name[BATCH_NAME_SIZE];
    struct fake_meter meter;
    struct error err = { "" };

    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    deliver(site, &meter, name);
    assert_int_equal(chmod(site->deliver, 01777), 0);
    assert_int_equal(ingest_is_due(&site->ingest, NULL), -EPERM);
    assert_int_equal(ingest_round(&site->ingest, &report, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod o-w"));
    assert_true(is_there(site, name));
    assert_int_equal(chmod(site->deliver, 0770), 0);
    assert_report(site, 1, 0, 0, 0);
}

static void unknown_records_are_skipped(void **state)
{
    static const char future[] = "weather temperature_mk=290000 humidity_ppm=5\n";
    struct site *site = *state;
    struct fake_meter meter;
    uint64_t random = 2;
    struct batch batch;
    char name[BATCH_NAME_SIZE], *text, *changed;
    size_t len;

    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    fake_meter_random(&meter, &random, &batch);
    text = fake_meter_text(&batch, &len);
    changed = calloc(1, len + sizeof(future));
    assert_non_null(changed);
    memcpy(changed, text, len - 13);
    memcpy(changed + len - 13, future, sizeof(future) - 1);
    {
        /* the end line's CRC as RFC 1952 has it, bit by bit */
        size_t body = len - 13 + sizeof(future) - 1;
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < body; i++) {
            crc ^= (unsigned char)changed[i];
            for (int bit = 0; bit < 8; bit++)
                crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        }
        snprintf(changed + body, 14, "end %08x\n", ~crc);
    }
    batch_file_name(&batch.head, name);
    {
        char path[BATCH_NAME_SIZE + 16];

        snprintf(path, sizeof(path), "deliver/%s", name);
        tree_write(&site->books.tree, path, "%s", changed);
    }
    assert_report(site, 1, 0, 0, 0);
    free(text);
    free(changed);
    batch_clear(&batch);
}

static void a_directory_that_is_away_is_an_error_with_its_name(void **state)
{
    struct site *site = *state;
    struct ingest_report report = { 0 };
    struct error err = { "" };

    site->ingest.deliver_dir = "/absent/deliver";
    assert_int_equal(ingest_round(&site->ingest, &report, &err), -ENOENT);
    assert_string_equal(err.text,
                        "cannot open DeliverDir /absent/deliver: No such file or directory");
}

static void a_stop_ends_after_the_batch_in_hand(void **state)
{
    static volatile sig_atomic_t stop = 1;
    struct site *site = *state;
    char name[BATCH_NAME_SIZE];
    struct fake_meter meter;

    fake_meter_init(&meter, "n1", 1, FAKE_BEGIN_S);
    deliver(site, &meter, name);
    site->ingest.stop = &stop;
    assert_report(site, 0, 0, 0, 0);
    assert_true(is_there(site, name));
    stop = 0;
    assert_report(site, 1, 0, 0, 0);
}

static void names_of_quarantine_say_which_batch_they_are(void **state)
{
    static const struct {
        const char *name, *node;
        int64_t seq;
    } rows[] = {
        { "n1-0123456789abcdef-00000000000a.batch", "n1", 10 },
        { "n-1-0123456789abcdef-00000000000a.batch.2", "n-1", 10 },
        { "n1-0123456789abcdef-00000000000a.batch.x", NULL, 0 },
        { "n1-0123456789abcdef-00000000000a", NULL, 0 },
        { "n1-0123456789abcdef-000000000000.batch", NULL, 0 },
        { "n1-0123456789ABCDEF-00000000000a.batch", NULL, 0 },
        { "n1-0123456789abcdef_00000000000a.batch", NULL, 0 },
        { "n1_0123456789abcdef-00000000000a.batch", NULL, 0 },
        { "-0123456789abcdef-00000000000a.batch", NULL, 0 },
        { "n1.batch", NULL, 0 },
        { ".batch", NULL, 0 },
        { "", NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct quarantine_id id = { .seq = 0 };

        ROW_HOLDS(i, quarantine_parse_name(rows[i].name, &id) == (rows[i].node != NULL));
        ROW_HOLDS(i, id.seq == rows[i].seq);
        ROW_HOLDS(i, !rows[i].node || strcmp(id.node, rows[i].node) == 0);
        ROW_HOLDS(i, !rows[i].node || strcmp(id.stream, "0123456789abcdef") == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(what_is_delivered_is_loaded_and_removed),
        TEST(a_turn_ends_between_groups_and_says_that_there_is_more),
        TEST(a_file_that_stays_is_counted_once_however_many_rounds_there_are),
        TEST(a_file_that_stays_is_counted_though_the_rest_takes_more_rounds),
        TEST(a_batch_delivered_again_is_a_duplicate),
        TEST(the_same_id_with_other_contents_is_quarantined),
        TEST(a_torn_or_altered_batch_is_quarantined_alone),
        TEST(a_name_that_is_not_the_heads_is_quarantined),
        TEST(links_pipes_and_directories_are_quarantined_unread),
        TEST(what_strangers_may_have_written_is_quarantined),
        TEST(a_directory_that_everybody_may_write_is_not_read),
        TEST(unknown_records_are_skipped),
        TEST(a_directory_that_is_away_is_an_error_with_its_name),
        TEST(a_stop_ends_after_the_batch_in_hand),
        cmocka_unit_test(names_of_quarantine_say_which_batch_they_are),
    };

    return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}

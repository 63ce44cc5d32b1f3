/* Captures: what is in one, what may be in one, and that nothing gets out of its directory. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "sensors/capture.h"
#include "tree.h"
#include "unit.h"

#define HEAD CAPTURE_FIRST_LINE "\n"

static void assert_file(struct tree *tree, const char *path, const char *data, size_t len)
{
    char room[65536];
    size_t found;

    if (file_read_small(tree->fd, path, room, sizeof(room), &found) < 0)
        fail_msg("%s cannot be read", path);
    assert_int_equal(found, len);
    assert_memory_equal(room, data, len);
}

static void parse(const char *text, struct capture *capture)
{
    struct error err = { "" };

    if (capture_parse("a.capture", text, strlen(text), capture, &err) < 0)
        fail_msg("%s", err.text);
}

static void unpack(const struct capture *capture, size_t instant, struct tree *tree)
{
    struct error err = { "" };

    if (capture_unpack(capture, instant, tree->fd, &err) < 0)
        fail_msg("%s", err.text);
}

static char *text_of(const struct capture *capture)
{
    struct buf text;

    buf_init(&text);
    capture_format(capture, &text);
    assert_false(buf_failed(&text));
    return text.data;
}

/* --- what a record means ---------------------------------------------------------------------- */

struct record_case {
    const char *text, *path, *data;
    size_t len;
};

static const struct record_case record_cases[] = {
    { "line sys/a 12", "sys/a", "12\n", 3 },
    { "line sys/a", "sys/a", "\n", 1 },
    { "line sys/a ", "sys/a", "\n", 1 },
    { "line sys/a  two  blanks ", "sys/a", " two  blanks \n", 14 },
    { "bare sys/a 0x1", "sys/a", "0x1", 3 },
    { "bare sys/a", "sys/a", "", 0 },
    { "text proc/stat\n| cpu  1\n| cpu0 1", "proc/stat", "cpu  1\ncpu0 1\n", 14 },
    { "text proc/stat\n|\n| \n|x", "proc/stat", "\n\nx\n", 4 },
    { "text sys/a", "sys/a", "", 0 },
    { "hex sys/m\n:00ff 10\n: 0A", "sys/m", "\0\xff\x10\x0a", 4 },
    { "hex sys/m", "sys/m", "", 0 },
    { "line sys/with%20blank%25 1", "sys/with blank%", "1\n", 2 },
    { "line sys/a 1\r\n# a comment\r\n\r\nline sys/b 2\r", "sys/b", "2\n", 2 },
    { "line sys/a 1\nline sys/a 2", "sys/a", "2\n", 2 }, /* the later one */
    { "unreadable sys/a EACCES", "sys/a", "", 0 },
    { "link sys/l ../sys/d\ndir sys/d\nline sys/d/f 1", "sys/l/f", "1\n", 2 },
    { "link sys/x/l ..\nline sys/f 1", "sys/x/l/f", "1\n", 2 },
};

static void test_records_become_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(record_cases); i++) {
        const struct record_case *at = &record_cases[i];
        struct capture capture;
        struct tree tree;
        char text[512];

        for (int end = 0; end < 2; end++) { /* the last line may lack its newline */
            snprintf(text, sizeof(text), HEAD "%s%s", at->text, end ? "" : "\n");
            parse(text, &capture);
            tree_make(&tree);
            unpack(&capture, 0, &tree);
            if (geteuid() == 0 || !strstr(at->text, "unreadable"))
                assert_file(&tree, at->path, at->data, at->len);
            tree_free(&tree);
            capture_clear(&capture);
        }
    }
}

static void test_later_instants_change_files(void **state)
{
    struct tree *tree = *state;
    struct capture capture;

    parse(HEAD "line sys/a 1\nline sys/b 1\nafter_ns 1000\nline sys/a 2\n"
               "after_ns 3000\nline sys/a 3\n", &capture);
    assert_int_equal(capture.n_instants, 3);
    assert_int_equal(capture.instants[2].after_ns, 3000);
    for (size_t i = 0; i < 3; i++) {
        char expected[] = { (char)('1' + i), '\n' };

        unpack(&capture, i, tree);
        assert_file(tree, "sys/a", expected, 2);
        assert_file(tree, "sys/b", "1\n", 2);
    }
    capture_clear(&capture);
}

static void test_unreadable_files_are_told_with_their_errno(void **state)
{
    struct tree *tree = *state;
    struct capture capture;
    struct stat st;
    char *text;

    parse(HEAD "unreadable sys/a EACCES\nunreadable sys/b EIO\n", &capture);
    assert_int_equal(capture_count_unreadable(&capture), 2);
    assert_int_equal(capture.records[0].code, -EACCES);
    assert_int_equal(capture.records[1].code, -EIO);
    unpack(&capture, 0, tree);
    assert_int_equal(fstatat(tree->fd, "sys/a", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0);
    text = text_of(&capture);
    assert_non_null(strstr(text, "\nunreadable sys/a EACCES\nunreadable sys/b EIO\n"));
    free(text);
    capture_clear(&capture);
}

/* --- what is refused -------------------------------------------------------------------------- */

struct refusal_case {
    const char *text;
    unsigned line;
    const char *says;
};

static const struct refusal_case refusal_cases[] = {
    { "", 0, "its first line would be" },
    { "carbon-capture 2\n", 1, "its first line would be" },
    { "carbon-batch 1\n", 1, "its first line would be" },
    { HEAD "frob sys/a\n", 2, "no record of a capture" },
    { HEAD "frob\n", 2, "no record of a capture" },
    { HEAD "# fine\n\nline /etc/passwd x\n", 4, "absolute" },
    { HEAD "line ../a x\n", 2, "'..'" },
    { HEAD "line sys/../../a x\n", 2, "'..'" },
    { HEAD "line sys/.. x\n", 2, "'..'" },
    { HEAD "line sys/./a x\n", 2, "'.'" },
    { HEAD "line sys//a x\n", 2, "empty name" },
    { HEAD "line sys/a/ x\n", 2, "empty name" },
    { HEAD "line  x\n", 2, "empty name" },
    { HEAD "line sys/%2e%2e/%2e%2e/a x\n", 2, "'..'" },
    { HEAD "line sys%2Fa%00b x\n", 2, "%" },
    { HEAD "line sys/a%2 x\n", 2, "%" },
    { HEAD "line sys/a% x\n", 2, "%" },
    { HEAD "dir ..\n", 2, "'..'" },
    { HEAD "dir sys/a b\n", 2, "follow the path" },
    { HEAD "link sys/a /etc\n", 2, "absolute" },
    { HEAD "link sys/a ../..\n", 2, "out of the capture" },
    { HEAD "link sys/a ../../etc\n", 2, "out of the capture" },
    { HEAD "link a ..\n", 2, "out of the capture" },
    { HEAD "link sys/a b/../c\n", 2, "up after it went down" },
    { HEAD "link sys/a b/..\n", 2, "up after it went down" },
    { HEAD "link sys/a\n", 2, "up after it went down" },
    { HEAD "link sys/a %2e%2e/%2e%2e/x\n", 2, "out of the capture" },
    { HEAD "hex sys/a\n:0\n", 3, "hexadecimal" },
    { HEAD "hex sys/a\n:0g\n", 3, "hexadecimal" },
    { HEAD "| lost\n", 2, "no record" },
    { HEAD ":00\n", 2, "no record" },
    { HEAD "unreadable sys/a\n", 2, "no failure of this name" },
    { HEAD "unreadable sys/a 13\n", 2, "no failure of this name" },
    { HEAD "after_ns 0\n", 2, "after_ns" },
    { HEAD "after_ns -1\n", 2, "after_ns" },
    { HEAD "after_ns 5\nafter_ns 5\n", 3, "after_ns" },
    { HEAD "cpus packages=0\n", 2, "out of bounds" },
    { HEAD "cpus sockets=2\n", 2, "no such word" },
    { HEAD "cpus packages=64 cores=2048 threads=8\n", 2, "more CPUs" },
};

static void test_what_is_no_capture_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(refusal_cases); i++) {
        const struct refusal_case *at = &refusal_cases[i];
        struct error err = { "" };
        struct capture capture;
        char where[32];

        ROW_HOLDS(i, capture_parse("a.capture", at->text, strlen(at->text), &capture, &err) ==
                         -EINVAL);
        snprintf(where, sizeof(where), "a.capture:%u: ", at->line);
        if (!strstr(err.text, where) || !strstr(err.text, at->says) || !strstr(err.text, "; "))
            fail_msg("row %zu: %s", i, err.text);
        ROW_HOLDS(i, capture.n_records == 0 && !capture.records);
    }
}

static void test_sizes_have_bounds(void **state)
{
    static const char many[] = "dir a\n";
    const size_t room = CAPTURE_FILE_MAX + 64, deep = CAPTURE_DEPTH_MAX + 1;
    struct capture capture;
    struct error err = { "" };
    char *text = calloc(1, sizeof(HEAD) + CAPTURE_RECORDS_MAX * sizeof(many) + room);
    size_t used;

    (void)state;
    assert_non_null(text);
    strcpy(text, HEAD "line sys/a ");
    memset(text + strlen(text), 'x', CAPTURE_FILE_MAX);
    assert_int_equal(capture_parse("a", text, strlen(text), &capture, &err), -E2BIG);
    strcpy(text, HEAD "dir a");
    for (size_t i = 0; i < deep; i++)
        strcat(text, "/a");
    assert_int_equal(capture_parse("a", text, strlen(text), &capture, &err), -EINVAL);
    assert_non_null(strstr(err.text, "too long"));
    used = (size_t)sprintf(text, HEAD);
    for (size_t i = 0; i <= CAPTURE_RECORDS_MAX; i++)
        used += (size_t)sprintf(text + used, "%s", many);
    assert_int_equal(capture_parse("a", text, used, &capture, &err), -E2BIG);
    assert_non_null(strstr(err.text, "too many records"));
    assert_int_equal(capture_parse("a", "a\0b", 3, &capture, &err), -EINVAL);
    free(text);
}

/* Paths that are fine by themselves, and lead out through what the capture made before. */
static void test_nothing_is_written_through_a_link(void **state)
{
    static const char *const texts[] = {
        HEAD "link sys/l ../d\nline sys/l/f 1\n",  /* into the capture's own d */
        HEAD "dir d\nlink sys/l ../d\nline sys/l/f 1\n",
        HEAD "link sys/l ../d\nline sys/l 1\n",
        HEAD "link sys/l ../d\ndir sys/l/e\n",
        HEAD "line sys/f 1\nline sys/f/g 1\n",
        HEAD "line sys/f 1\nlink sys/f ../d\n",
        HEAD "link sys/l ../d\nlink sys/l ../e\n",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        struct error err = { "" };
        struct capture capture;
        struct tree tree;

        tree_make(&tree);
        parse(texts[i], &capture);
        ROW_HOLDS(i, capture_unpack(&capture, 0, tree.fd, &err) == -EINVAL);
        ROW_HOLDS(i, strstr(err.text, "sys/") != NULL);
        ROW_HOLDS(i, faccessat(tree.fd, "d/f", F_OK, 0) < 0);
        capture_clear(&capture);
        tree_free(&tree);
    }
}

/* Any cut and any changed byte of a capture: read or refused, never more. */
static void test_damaged_captures_do_no_harm(void **state)
{
    static const char text[] = HEAD "# x\ndir a\nlink a/b ../c\nline c/d%20e 12\ntext t\n| 1\n| 2\n"
                                    "hex h\n:00ff\n:10\nunreadable u EIO\ncpus cores=2\nbare b x\n"
                                    "after_ns 10\nline c/d%20e 13\n";
    char changed[sizeof(text)];

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++)
        for (int change = 0; change < 6; change++) {
            struct capture capture;
            struct error err;

            memcpy(changed, text, sizeof(text));
            changed[len] = "\n %|:/"[change];
            if (capture_parse("a", changed, change == 0 ? len : sizeof(text) - 1, &capture, &err) ==
                0)
                capture_clear(&capture);
        }
}

/* --- what a capture holds --------------------------------------------------------------------- */

#define POWERCAP "sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/"

static void fill(struct tree *tree)
{
    tree_write(tree, "proc/stat", "%s", "cpu  1 2\ncpu0 1 2\nintr 5 6\nctxt 7\n");
    tree_write(tree, "proc/cpuinfo", "%s",
               "processor\t: 0\nmodel\t\t: 85\nmicrocode\t: 0x1\nflags\t\t: fpu\n\n"
               "processor\t: 1\nSerial\t\t: 4711\n");
    tree_write(tree, "proc/meminfo", "%s", "MemTotal:  1024 kB\nMemFree: 1 kB\n");
    tree_write(tree, "proc/cmdline", "%s", "root=UUID=4711\n");
    tree_write(tree, "proc/1/cmdline", "%s", "secret\n");
    tree_write(tree, "proc/sys/kernel/hostname", "%s", "node4711\n");
    tree_write(tree, "sys/class/dmi/id/product_serial", "%s", "4711\n");
    tree_write(tree, "sys/class/dmi/id/product_uuid", "%s", "4711\n");
    tree_write(tree, "sys/class/dmi/id/product_name", "%s", "Server\n");
    tree_write(tree, "sys/class/net/eth0/address", "%s", "00:47:11:00:47:11\n");
    tree_write(tree, POWERCAP "name", "%s", "package-0\n");
    tree_write(tree, POWERCAP "energy_uj", "%s", "1000\n");
    tree_write(tree, POWERCAP "max_energy_range_uj", "%s", "262143328850\n");
    tree_link(tree, "sys/class/powercap/intel-rapl:0",
              "../../devices/virtual/powercap/intel-rapl/intel-rapl:0");
    tree_write(tree, "sys/devices/pci0/0000:01:00.0/class", "%s", "0x120000\n");
    tree_write(tree, "sys/devices/pci0/0000:01:00.0/unique_id", "%s", "fe4711471147114711\n");
    tree_write(tree, "sys/devices/pci0/0000:01:00.0/serial_number", "%s", "4711\n");
    tree_write(tree, "sys/devices/pci0/0000:02:00.0/class", "%s", "0x020000\n");
    tree_link(tree, "sys/bus/pci/drivers/amdgpu/0000:01:00.0",
              "../../../../devices/pci0/0000:01:00.0");
    tree_link(tree, "sys/bus/pci/devices/0000:01:00.0", "../../../devices/pci0/0000:01:00.0");
    tree_link(tree, "sys/bus/pci/devices/0000:02:00.0", "../../../devices/pci0/0000:02:00.0");
    tree_link(tree, "sys/class/powercap/loop:0", "loop:0");
    tree_link(tree, "sys/class/powercap/out:0", "../../../../../etc");
    tree_link(tree, "sys/class/powercap/far:0", "/etc");
}

static const char expected_capture[] =
    "text proc/cpuinfo\n| processor\t: 0\n| model\t\t: 85\n"
    "line proc/meminfo MemTotal:  1024 kB\n"
    "text proc/stat\n| cpu  1 2\n| cpu0 1 2\n"
    "link sys/bus/pci/devices/0000:01:00.0 ../../../devices/pci0/0000:01:00.0\n"
    "link sys/bus/pci/drivers/amdgpu/0000:01:00.0 ../../../../devices/pci0/0000:01:00.0\n"
    "line sys/class/dmi/id/product_name Server\n"
    "link sys/class/powercap/intel-rapl:0 ../../devices/virtual/powercap/intel-rapl/intel-rapl:0\n"
    "line sys/devices/pci0/0000:01:00.0/class 0x120000\n"
    "line sys/devices/pci0/0000:01:00.0/unique_id 0000000000000001\n"
    "line " POWERCAP "energy_uj 1000\n"
    "line " POWERCAP "max_energy_range_uj 262143328850\n"
    "line " POWERCAP "name package-0\n"
    "\nafter_ns 5\n"
    "line " POWERCAP "energy_uj 2000\n";

static void test_a_capture_holds_what_the_table_names_and_no_more(void **state)
{
    struct tree *tree = *state;
    struct capture capture;
    struct error err = { "" };
    struct fd_count before = count_fds();
    char *text, *records;

    fill(tree);
    capture_init(&capture);
    assert_int_equal(capture_scan(tree->fd, &capture, &err), 0);
    tree_write(tree, POWERCAP "energy_uj", "%s", "2000\n");
    assert_int_equal(capture_scan_again(tree->fd, 5, &capture, &err), 0);
    text = text_of(&capture);
    records = strstr(text, "text proc/cpuinfo");
    assert_non_null(records);
    assert_string_equal(records, expected_capture);
    assert_null(strstr(text, "4711"));
    assert_int_equal(count_fds().all, before.all);
    free(text);
    capture_clear(&capture);
}

static void test_formatting_and_parsing_are_inverse(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } files[] = {
        { "", 0 }, { "\n", 1 }, { "\n\n", 2 }, { "a", 1 }, { "a\n", 2 }, { "a\nb\n", 4 },
        { "a\nb", 3 }, { " a ", 3 }, { "\0\n", 2 }, { "\r\n", 2 }, { "\xff\xfe", 2 }, { "%\n", 2 },
        { "| a\n: b\n# c\n", 12 }, { "a\t\n", 3 },
    };
    struct tree *tree = *state;
    struct capture capture, again;
    char path[64], *text, *text_again;

    capture_init(&capture);
    for (size_t i = 0; i < LENGTH(files); i++) {
        snprintf(path, sizeof(path), "sys/%% dir/f%zu", i);
        assert_int_equal(capture_add(&capture, CAPTURE_FILE, path, files[i].data, files[i].len,
                                     NULL), 0);
    }
    text = text_of(&capture);
    parse(text, &again);
    text_again = text_of(&again);
    assert_string_equal(text, text_again);
    unpack(&again, 0, tree);
    for (size_t i = 0; i < LENGTH(files); i++) {
        snprintf(path, sizeof(path), "sys/%% dir/f%zu", i);
        assert_file(tree, path, files[i].data, files[i].len);
    }
    free(text);
    free(text_again);
    capture_clear(&capture);
    capture_clear(&again);
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_become_files),
        TREE_TEST(test_later_instants_change_files),
        TREE_TEST(test_unreadable_files_are_told_with_their_errno),
        cmocka_unit_test(test_what_is_no_capture_is_refused),
        cmocka_unit_test(test_sizes_have_bounds),
        cmocka_unit_test(test_nothing_is_written_through_a_link),
        cmocka_unit_test(test_damaged_captures_do_no_harm),
        TREE_TEST(test_a_capture_holds_what_the_table_names_and_no_more),
        TREE_TEST(test_formatting_and_parsing_are_inverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

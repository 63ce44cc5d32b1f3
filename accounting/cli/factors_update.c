#include "cli/factors_update.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "carbon/intensity.h"
#include "cli/linediff.h"
#include "cli/plainf.h"
#include "core/file.h"
#include "report/basis.h"
#include "store/factors.h"
#include "store/store.h"

#define FILE_SIZE_MAX (4u << 20) /* bytes; more is no inventory and no table of ours */

const char *const factors_documents[] = { FACTORS_SETTINGS, FACTORS_INVENTORY, FACTORS_GRID,
                                          FACTORS_EMBODIED, FACTORS_EQUIVALENCES, NULL };
#define DOCUMENT_COUNT (sizeof(factors_documents) / sizeof(*factors_documents) - 1)

/* One document: as the newest set has it, and as it would be now. */
struct input {
    const char *name;
    char file[PATH_MAX];
    char *old, *new; /* NULL: there is none */
    bool is_empty;   /* the file is there, and empty: there is to be none */
};

/* --- reading ---------------------------------------------------------------------------------- */

/* Whole text of a file, which may be a link; *ret_text stays NULL when it is not there. */
static int read_text(const char *path, char **ret_text, struct error *err)
{
    char *text = malloc(FILE_SIZE_MAX);
    size_t len = 0;
    int rc = text ? file_read_small(AT_FDCWD, path, text, FILE_SIZE_MAX, &len) : -ENOMEM;

    if (rc == 0 && strlen(text) != len)
        rc = error_set(err, -EINVAL, "%s: holds a NUL byte; it is no text", path);
    else if (rc == -EFBIG)
        error_set(err, rc, "%s: larger than %u bytes; is it the right file?", path, FILE_SIZE_MAX);
    else if (rc < 0 && rc != -ENOENT)
        error_set_errno(err, rc, "cannot read %s", path);
    if (rc == 0)
        *ret_text = strdup(text);
    free(text);
    if (rc == 0 && !*ret_text)
        rc = error_set(err, -ENOMEM, "%s: no memory to read it", path);
    return rc == -ENOENT ? 0 : rc;
}

static int write_settings(const struct conf *conf, char **ret_text, struct error *err)
{
    struct buf buf;

    buf_init(&buf);
    basis_settings_write(conf, &buf);
    if (buf_failed(&buf)) {
        buf_free(&buf);
        return error_set(err, -ENOMEM, "no memory for the settings");
    }
    *ret_text = buf.data;
    return 0;
}

/* A shipped table lies beside the one of grid intensities. */
static void shipped_path(const char *name, char ret_path[PATH_MAX])
{
    char *slash;

    intensity_path(ret_path);
    slash = strrchr(ret_path, '/');
    if (slash)
        snprintf(slash + 1, PATH_MAX - (size_t)(slash + 1 - ret_path), "%s", name);
}

static int read_input(const struct conf *conf, const char *name, struct input *input,
                      struct error *err)
{
    bool is_inventory = strcmp(name, FACTORS_INVENTORY) == 0;
    int rc;

    *input = (struct input){ .name = name };
    if (strcmp(name, FACTORS_SETTINGS) == 0) {
        snprintf(input->file, sizeof(input->file), "carbon.conf");
        return write_settings(conf, &input->new, err);
    }
    if (is_inventory)
        snprintf(input->file, sizeof(input->file), "%s", conf->inventory);
    else
        shipped_path(name, input->file);
    rc = read_text(input->file, &input->new, err);
    if (rc == 0 && is_inventory && input->new && input->new[0] == '\0') { /* said to be none */
        input->is_empty = true;
        free(input->new);
        input->new = NULL;
    }
    if (rc == 0 && !input->new && !is_inventory)
        rc = error_set(err, -ENOENT, "%s is not there: it is installed with slurm-carbon, so "
                       "install that again", input->file);
    return rc;
}

/*
 * A file that went away is more often an editor at work or a file system not mounted than an
 * inventory given up, and would take all embodied emissions with it.
 */
static int check_not_lost(const struct input *input, int64_t newest, struct error *err)
{
    if (!input->old || input->new || input->is_empty)
        return 0;
    return error_set(err, -ENOENT, "%s is not there, but factor set %" PRId64 " has an inventory: "
                     "put it back, or leave an empty file there to do without one", input->file,
                     newest);
}

static int read_inputs(struct store *store, const struct conf *conf, int64_t newest,
                       struct input inputs[DOCUMENT_COUNT], struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < DOCUMENT_COUNT; i++) {
        rc = read_input(conf, factors_documents[i], &inputs[i], err);
        if (rc == 0 && newest > 0)
            rc = factors_document(store, newest, inputs[i].name, &inputs[i].old, err);
        if (rc == 0)
            rc = check_not_lost(&inputs[i], newest, err);
    }
    return rc;
}

static int check_inputs(struct store *store, const struct input inputs[DOCUMENT_COUNT],
                        struct error *err)
{
    struct basis_document documents[DOCUMENT_COUNT];

    for (size_t i = 0; i < DOCUMENT_COUNT; i++)
        documents[i] = (struct basis_document){ inputs[i].name, inputs[i].file, inputs[i].new };
    return basis_check(store, documents, DOCUMENT_COUNT, err);
}

/* --- what differs ----------------------------------------------------------------------------- */

static bool differs(const char *old, const char *new)
{
    return old && new ? strcmp(old, new) != 0 : old || new;
}

/* "PUE 1.2 -> 1.3"; of a first set "PUE 1.2" */
static void describe_settings(const char *old, const char *new, struct buf *out)
{
    for (size_t i = 0; basis_setting_keys[i]; i++) {
        const char *key = basis_setting_keys[i];
        char before[160], after[160];

        basis_setting(old, key, before, sizeof(before));
        basis_setting(new, key, after, sizeof(after));
        if (old && strcmp(before, after) == 0)
            continue;
        buf_printf(out, "%s ", key);
        if (old)
            buf_printf(out, "%s -> ", before[0] ? before : "not set");
        buf_printf(out, "%s\n", after[0] ? after : "not set");
    }
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static int describe_lines(const char *name, const char *old, const char *new, bool whole,
                          struct buf *out, struct error *err)
{
    struct linediff counts;
    struct buf lines;
    int rc;

    buf_init(&lines);
    rc = linediff(old, new, "  ", whole ? &lines : NULL, &counts, err);
    if (rc == 0 && counts.added + counts.removed == 0)
        buf_printf(out, "%s: only the end of its last line differs\n", name);
    else if (rc == 0)
        buf_printf(out, "%s: %zu line%s added, %zu removed\n", name, counts.added,
                   plural(counts.added), counts.removed);
    if (rc == 0 && lines.len > 0)
        buf_add(out, lines.data, lines.len);
    buf_free(&lines);
    return rc;
}

int factors_describe(const char *name, const char *old, const char *new, bool whole,
                     struct buf *out, struct error *err)
{
    int rc = 0;

    if (!differs(old, new))
        return 0;
    if (strcmp(name, FACTORS_SETTINGS) == 0)
        describe_settings(old, new, out);
    else if (old && new)
        rc = describe_lines(name, old, new, whole, out, err);
    else if (new)
        buf_printf(out, "%s: new, %zu line%s\n", name, linediff_lines(new),
                   plural(linediff_lines(new)));
    else
        buf_printf(out, "%s: gone\n", name);
    if (rc == 0 && buf_failed(out))
        rc = error_set(err, -ENOMEM, "no memory to compare %s", name);
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int put_inputs(struct factor_change *change, const struct input inputs[DOCUMENT_COUNT],
                      struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < DOCUMENT_COUNT; i++)
        rc = factors_put_document(change, inputs[i].name, inputs[i].new, err);
    return rc;
}

static int make_set(struct store *store, const char *made_by,
                    const struct input inputs[DOCUMENT_COUNT], int64_t *ret_set,
                    struct error *err)
{
    struct factor_change *change = factors_change_new(store, made_by);
    int rc = change ? store_begin(store, err) : error_set(err, -ENOMEM, "no memory for factors");

    if (rc == 0)
        rc = put_inputs(change, inputs, err);
    if (rc == 0)
        rc = store_commit(store, err);
    if (rc == 0)
        *ret_set = factors_change_set(change);
    else if (change)
        store_rollback(store);
    factors_change_free(change);
    return rc;
}

static int update_inputs(struct store *store, const struct factors_update *update, int64_t newest,
                         struct input inputs[DOCUMENT_COUNT], int64_t *ret_set,
                         struct buf *changes, struct error *err)
{
    bool any = false;
    int rc = read_inputs(store, update->conf, newest, inputs, err);

    if (rc == 0)
        rc = check_inputs(store, inputs, err);
    for (size_t i = 0; rc == 0 && i < DOCUMENT_COUNT; i++) {
        rc = factors_describe(inputs[i].name, inputs[i].old, inputs[i].new, false, changes, err);
        any |= differs(inputs[i].old, inputs[i].new);
        if (rc == 0 && !inputs[i].new && (inputs[i].old || newest == 0))
            buf_printf(changes, "%s is %s: embodied emissions are unknown without it\n",
                       inputs[i].file, inputs[i].is_empty ? "empty" : "not there");
    }
    if (rc < 0 || !any)
        return rc;
    *ret_set = newest + 1;
    return update->dry_run ? 0 : make_set(store, update->made_by, inputs, ret_set, err);
}

int factors_update(struct store *store, const struct factors_update *update, int64_t *ret_set,
                   struct buf *changes, struct error *err)
{
    struct input inputs[DOCUMENT_COUNT] = { 0 };
    struct factor_set newest = { .number = 0 };
    int rc = factors_newest(store, &newest, err);

    *ret_set = 0;
    if (rc == 0 || rc == -ENODATA)
        rc = update_inputs(store, update, newest.number, inputs, ret_set, changes, err);
    for (size_t i = 0; i < DOCUMENT_COUNT; i++) {
        free(inputs[i].old);
        free(inputs[i].new);
    }
    return rc;
}

int factors_update_print(struct store *store, const struct factors_update *update,
                         int64_t *ret_set, struct error *err)
{
    struct buf changes;
    int rc;

    buf_init(&changes);
    rc = factors_update(store, update, ret_set, &changes, err);
    if (rc == 0 && *ret_set > 0)
        plainf("%sfactor set %" PRId64 " %s\n", changes.data ? changes.data : "", *ret_set,
               update->dry_run ? "would be made" : "made");
    buf_free(&changes);
    return rc;
}

/* --- has a file changed? ---------------------------------------------------------------------- */

/* FNV-1a, 64 bits (Fowler, Noll, Vo): enough to see that something is not as it was. */
static uint64_t mix(uint64_t stamp, uint64_t number)
{
    return (stamp ^ number) * UINT64_C(1099511628211);
}

static uint64_t stamp_file(uint64_t stamp, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return mix(stamp, 1);
    stamp = mix(stamp, (uint64_t)st.st_ino);
    stamp = mix(stamp, (uint64_t)st.st_size);
    stamp = mix(stamp, (uint64_t)st.st_mtim.tv_sec);
    return mix(stamp, (uint64_t)st.st_mtim.tv_nsec);
}

uint64_t factors_files_stamp(const struct conf *conf, const char *conf_path)
{
    uint64_t stamp = stamp_file(UINT64_C(14695981039346656037), conf_path);

    stamp = stamp_file(stamp, conf->inventory);
    for (size_t i = 0; i < DOCUMENT_COUNT; i++) {
        char path[PATH_MAX];

        shipped_path(factors_documents[i], path);
        stamp = stamp_file(stamp, path);
    }
    return stamp;
}

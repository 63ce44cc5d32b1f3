/*
 * Moving the books. What tables and columns there are is read from the schema itself, made in
 * memory: a table of a later one cannot be forgotten, and what else a database holds is not ours.
 *
 * Invariants:
 *   V1  nobody writes `from` between the first read and the commit: its writer's lock is held, and
 *       its service's
 *   V2  `to` has all or nothing: schema, rows and mark are of one transaction
 *   V3  what is committed was read again, and is what was read from `from`
 *   V4  where `to` has books, `from` takes no batches: it is marked as moved before `to` is
 *       committed, by the transaction that read it, and so under the lock of V1
 */
#include "store/migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/parse.h"
#include "core/utf8.h"
#include "store/audit.h"
#include "store/sqlite.h"

#define COLUMNS_MAX 64
#define NAME_SIZE 64
#define PROGRESS_ROWS 1024 /* a fraction of a second */
#define BULK_ROWS 5000

struct run {
    struct migration *migration;
    struct store *from, *to;
    struct store *schema; /* in memory, without rows */
    int64_t rows, of_rows; /* for progress */
    struct bulk *bulks;    /* of tables that were written; where `to` is a file, none */
    bool marked;           /* `from` is, or may be */
};

struct table {
    char name[NAME_SIZE];
    char key[NAME_SIZE]; /* the column that counts by itself; "" */
    int count;
    struct column {
        char name[NAME_SIZE];
        bool is_text; /* else an integer */
    } columns[COLUMNS_MAX];
};

/* Of all rows, whatever their order. */
struct sum {
    int64_t rows, bytes, mended;
    uint64_t digest;
};

static void tell(const struct run *run, const char *what, const char *name, bool counts)
{
    char text[NAME_SIZE + 32];

    snprintf(text, sizeof(text), "%s %s", what, name);
    if (run->migration->progress)
        run->migration->progress(text, run->rows, counts ? run->of_rows : 0);
}

/* --- the schema ------------------------------------------------------------------------------ */

static int make_schema(struct store **ret, struct error *err)
{
    struct store *schema = store_new();
    int rc = schema ? 0 : error_set(err, -ENOMEM, "out of memory");

    if (rc == 0) {
        snprintf(schema->path, sizeof(schema->path), ":memory:");
        rc = store_open_handle(schema, STORE_WRITE, err);
    }
    for (int version = 1; rc == 0 && version <= STORE_SCHEMA_VERSION; version++)
        rc = store_apply_schema(schema, version, err);
    *ret = schema;
    return rc;
}

static void add_column(struct table *table, struct stmt *stmt, int *keys)
{
    struct column *column = &table->columns[table->count++];

    snprintf(column->name, sizeof(column->name), "%s", stmt_text(stmt, 0));
    column->is_text = strcmp(stmt_text(stmt, 1), "TEXT") == 0;
    if (stmt_int(stmt, 2) > 0 && ++*keys == 1 && strcmp(stmt_text(stmt, 1), "INTEGER") == 0)
        snprintf(table->key, sizeof(table->key), "%s", column->name);
    if (*keys > 1)
        table->key[0] = '\0';
}

static int describe(struct store *schema, const char *name, struct table *table, struct error *err)
{
    static const char sql[] = "SELECT name, type, pk FROM pragma_table_info(?1)";
    struct stmt *stmt = store_statement(schema, sql, err);
    int rc, keys = 0;

    if (!stmt)
        return -EIO;
    *table = (struct table){ .count = 0 };
    snprintf(table->name, sizeof(table->name), "%s", name);
    stmt_bind_text(stmt, 1, name);
    while ((rc = store_step(schema, stmt, err)) > 0 && table->count < COLUMNS_MAX)
        add_column(table, stmt, &keys);
    if (rc <= 0)
        return rc;
    stmt_reset(stmt);
    return error_set(err, -ENOBUFS, "table %s has more than %d columns: raise COLUMNS_MAX", name,
                     COLUMNS_MAX);
}

/* As they were made: what is referred to comes first. */
static int for_each_table(struct run *run, int (*each)(struct run *, const struct table *,
                                                       struct error *), struct error *err)
{
    static const char sql[] = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid";
    struct stmt *stmt;
    struct table table;
    int step, rc = store_prepare(run->schema, sql, &stmt, err);

    if (rc < 0)
        return rc;
    while (rc == 0 && (step = store_step(run->schema, stmt, err)) != 0) {
        rc = step < 0 ? step : describe(run->schema, stmt_text(stmt, 0), &table, err);
        if (rc == 0)
            rc = each(run, &table, err);
    }
    stmt_free(stmt);
    return rc;
}

/* What of a table moves: not that it was moved, nor PostgreSQL's mark of its schema, which SQLite
   has elsewhere. */
static const char *rows_of(const struct table *table)
{
    return strcmp(table->name, "meta") == 0 ? " WHERE name NOT IN ('schema', '" MOVED_TO "')" : "";
}

/* "a, b, c", or as many "?" */
static void list_columns(const struct table *table, bool marks, struct buf *buf)
{
    for (int i = 0; i < table->count; i++)
        buf_printf(buf, "%s%s", i > 0 ? ", " : "", marks ? "?" : table->columns[i].name);
}

static int prepare(struct store *store, const struct table *table, bool insert, struct stmt **ret,
                   struct error *err)
{
    struct buf sql;
    int rc;

    buf_init(&sql);
    if (insert) {
        buf_printf(&sql, "INSERT INTO %s (", table->name);
        list_columns(table, false, &sql);
        buf_printf(&sql, ") VALUES (");
        list_columns(table, true, &sql);
        buf_printf(&sql, ")");
    } else {
        buf_printf(&sql, "SELECT ");
        list_columns(table, false, &sql);
        buf_printf(&sql, " FROM %s%s", table->name, rows_of(table));
    }
    rc = buf_failed(&sql) ? error_set(err, -ENOMEM, "out of memory")
                          : store_prepare(store, sql.data, ret, err);
    buf_free(&sql);
    return rc;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* FNV-1a, and at the end of a row the finish of splitmix64: rows are added up, so that each has to
   be as good as random. */
static uint64_t digest(uint64_t hash, const void *bytes, size_t len)
{
    for (const unsigned char *at = bytes; len > 0; at++, len--)
        hash = (hash ^ *at) * 0x100000001b3;
    return hash;
}

static uint64_t digest_value(uint64_t hash, const char *text, size_t len)
{
    const uint64_t head = text ? len : UINT64_MAX; /* where a value ends; and NULL is no "" */

    return digest(digest(hash, &head, sizeof(head)), text, len);
}

static uint64_t finish(uint64_t hash)
{
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
    return hash ^ hash >> 31;
}

/* Rows on their way to a server, which takes many at a time. It lives as long as `to`, which keeps
   the statement by the address of `insert`. */
struct bulk {
    struct insert insert;
    char table[NAME_SIZE], types[COLUMNS_MAX + 1];
    struct buf columns;
    struct adds adds; /* texts are the bulk's own */
    struct bulk *next;
};

static int new_bulk(struct run *run, const struct table *table, struct bulk **ret,
                    struct error *err)
{
    struct bulk *bulk = calloc(1, sizeof(*bulk));

    if (!bulk)
        return error_set(err, -ENOMEM, "out of memory");
    buf_init(&bulk->columns);
    bulk->next = run->bulks;
    run->bulks = *ret = bulk;
    snprintf(bulk->table, sizeof(bulk->table), "%s", table->name);
    for (int i = 0; i < table->count; i++)
        bulk->types[i] = table->columns[i].is_text ? 't' : 'i';
    list_columns(table, false, &bulk->columns);
    bulk->insert = (struct insert){ bulk->table, bulk->columns.data, bulk->types, 0, "" };
    bulk->adds.insert = &bulk->insert;
    return buf_failed(&bulk->columns) ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static void empty_bulk(struct bulk *bulk)
{
    size_t cells = bulk->adds.count * strlen(bulk->types);

    for (size_t i = 0; i < cells; i++)
        if (bulk->adds.cells[i].kind == CELL_TEXT)
            free((char *)(uintptr_t)bulk->adds.cells[i].text);
    bulk->adds.count = 0;
}

static void free_bulks(struct run *run)
{
    while (run->bulks) {
        struct bulk *bulk = run->bulks;

        run->bulks = bulk->next;
        empty_bulk(bulk);
        adds_clear(&bulk->adds);
        buf_free(&bulk->columns);
        free(bulk);
    }
}

/* Where a row goes: nowhere, into a file by the statement, or to a server with others. */
struct target {
    struct stmt *insert;
    struct bulk *bulk;
    struct cell row[COLUMNS_MAX];
};

static int explain(int rc, const struct table *table, const struct sum *sum, struct error *err)
{
    if (rc == -EEXIST && sum->mended > 0)
        return error_prefix(err, rc, "table %s has rows that are alike once bytes that are no "
                            "UTF-8 are \"?\"; change or remove one", table->name);
    return rc < 0 ? error_prefix(err, rc, "table %s", table->name) : rc;
}

static int send_bulk(struct run *run, const struct table *table, struct bulk *bulk,
                     const struct sum *sum, struct error *err)
{
    int rc = store_insert(run->to, &bulk->insert, bulk->adds.cells, bulk->adds.count, err);

    empty_bulk(bulk);
    return explain(rc, table, sum, err);
}

static int put_row(struct run *run, const struct table *table, struct target *target,
                   const struct sum *sum, struct error *err)
{
    int rc = 0;

    if (target->insert)
        return explain(store_run(run->to, target->insert, err), table, sum, err);
    for (int i = 0; i < table->count; i++) {
        struct cell *cell = &target->row[i];

        if (cell->kind == CELL_TEXT && !(cell->text = strdup(cell->text)))
            rc = error_set(err, -ENOMEM, "out of memory");
    }
    if (rc == 0 && adds_row(&target->bulk->adds, target->row) < 0)
        rc = error_set(err, -ENOMEM, "out of memory");
    if (rc == 0 && target->bulk->adds.count == BULK_ROWS)
        rc = send_bulk(run, table, target->bulk, sum, err);
    return rc;
}

static int bind_integer(const struct store *store, const struct table *table, int number,
                        const char *text, struct target *target, struct error *err)
{
    int64_t value = 0;

    if (!text) {
        if (target && target->insert)
            stmt_bind_null(target->insert, number + 1);
        return 0;
    }
    if (parse_i64(text, INT64_MIN, INT64_MAX, &value) < 0)
        return error_set(err, -EINVAL, "database %s: table %s, column %s: '%s' is no integer; "
                         "something else than slurm-carbon wrote it: correct it there",
                         store->path, table->name, table->columns[number].name, text);
    if (target && target->insert)
        stmt_bind_int(target->insert, number + 1, value);
    if (target)
        target->row[number] = cell_int(value);
    return 0;
}

/* A text as `to` keeps it; *ret_copy is for the caller to free once the row is written. */
static int keep_text(const struct run *run, const char **text, size_t *len, char **ret_copy,
                     struct sum *sum, struct error *err)
{
    if (store_is_file(run->to) || utf8_find_bad(*text) == *text + *len)
        return 0;
    *ret_copy = strdup(*text); /* up to its NUL */
    if (!*ret_copy)
        return error_set(err, -ENOMEM, "out of memory");
    utf8_mend(*ret_copy);
    *text = *ret_copy;
    *len = strlen(*text);
    sum->mended++;
    return 0;
}

/* A row of `from` or of `to`, into the sum; into `to` if there is a target. */
static int take_row(struct run *run, struct store *store, const struct table *table,
                    struct stmt *stmt, struct target *target, struct sum *sum, struct error *err)
{
    char *copies[COLUMNS_MAX] = { NULL };
    uint64_t hash = 0xcbf29ce484222325;
    int rc = 0;

    for (int i = 0; rc == 0 && i < table->count; i++) {
        const bool is_null = stmt_is_null(stmt, i);
        const char *text = is_null ? NULL : stmt_text(stmt, i);
        size_t len = text ? stmt_bytes(stmt, i) : 0;

        if (target)
            target->row[i] = cell_text(NULL);
        if (!text && !is_null)
            rc = error_set(err, -ENOMEM, "out of memory");
        else if (!table->columns[i].is_text)
            rc = bind_integer(store, table, i, text, target, err);
        else if (text)
            rc = keep_text(run, &text, &len, &copies[i], sum, err);
        if (rc == 0 && target && table->columns[i].is_text) {
            target->row[i] = cell_text(text);
            if (target->insert)
                stmt_bind_bytes(target->insert, i + 1, text, len);
        }
        sum->bytes += (int64_t)len;
        hash = digest_value(hash, text, len);
    }
    sum->rows++;
    sum->digest += finish(hash);
    if (rc == 0 && target)
        rc = put_row(run, table, target, sum, err);
    for (int i = 0; i < table->count; i++)
        free(copies[i]);
    return rc;
}

/* All rows of a table of `store`; what: "copying". */
static int read_rows(struct run *run, struct store *store, const struct table *table,
                     struct target *target, const char *what, struct sum *ret_sum,
                     struct error *err)
{
    struct sum sum = { 0 };
    struct stmt *stmt;
    int step, rc = prepare(store, table, false, &stmt, err);

    if (rc < 0)
        return rc;
    stmt_many(stmt);
    while (rc == 0 && (step = store_step(store, stmt, err)) != 0) {
        if (sum.rows % PROGRESS_ROWS == 0)
            tell(run, what, table->name, true);
        rc = step < 0 ? step : take_row(run, store, table, stmt, target, &sum, err);
        run->rows++;
    }
    stmt_free(stmt);
    if (rc == 0 && target && target->bulk)
        rc = send_bulk(run, table, target->bulk, &sum, err);
    *ret_sum = sum;
    return rc;
}

/* --- tables ---------------------------------------------------------------------------------- */

static int count_table(struct run *run, const struct table *table, struct error *err)
{
    char sql[NAME_SIZE + 64];
    int64_t rows = 0;
    int rc;

    tell(run, "counting", table->name, false);
    snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM %s%s", table->name, rows_of(table));
    rc = store_integer(run->from, sql, &rows, err);
    run->of_rows += rows;
    return rc;
}

/* V3 */
static int compare_table(struct run *run, const struct table *table, const struct sum *expected,
                         struct error *err)
{
    struct sum found;
    int rc = read_rows(run, run->to, table, NULL, "comparing", &found, err);

    if (rc < 0 || (found.rows == expected->rows && found.digest == expected->digest))
        return rc;
    return error_set(err, -EUCLEAN, "database %s: table %s has %" PRId64 " rows, and %" PRId64
                     " were written%s; is its disk sound?", run->to->path, table->name, found.rows,
                     expected->rows, found.rows == expected->rows ? ", but not these" : "");
}

static int move_table(struct run *run, const struct table *table, struct error *err)
{
    struct migration *migration = run->migration;
    struct target target = { .insert = NULL };
    struct sum sum;
    int rc = migration->dry_run           ? 0
             : store_is_file(run->to) ? prepare(run->to, table, true, &target.insert, err)
                                      : new_bulk(run, table, &target.bulk, err);

    if (rc == 0)
        rc = read_rows(run, run->from, table, migration->dry_run ? NULL : &target,
                       migration->dry_run ? "reading" : "copying", &sum, err);
    stmt_free(target.insert);
    if (rc == 0 && !migration->dry_run)
        rc = compare_table(run, table, &sum, err);
    if (rc == 0 && table->key[0] && run->to->backend->count_on)
        rc = run->to->backend->count_on(run->to, table->name, table->key, err);
    if (rc < 0)
        return rc;
    migration->tables++;
    migration->rows += sum.rows;
    migration->bytes += sum.bytes;
    migration->mended += sum.mended;
    return 0;
}

/* --- the audit ------------------------------------------------------------------------------- */

struct verdict {
    unsigned failures;
    char first[sizeof(((struct audit_finding *)NULL)->text)];
};

static void ignore_balance(void *arg, const struct audit_balance *balance)
{
    (void)arg;
    (void)balance;
}

static void take_finding(void *arg, const struct audit_finding *finding)
{
    struct verdict *verdict = arg;

    if (finding->fails && verdict->failures++ == 0)
        snprintf(verdict->first, sizeof(verdict->first), "%s: %.200s", finding->rule,
                 finding->text);
}

/* Whether the books balance. */
static int audit(const struct run *run, struct store *store, const char *remedy, struct error *err)
{
    struct verdict verdict = { 0 };
    const struct audit_sink sink = { &verdict, ignore_balance, take_finding };
    int rc;

    tell(run, "auditing", store == run->from ? "what is there" : "what was written", false);
    rc = store_audit(store, true, &sink, err);
    if (rc < 0 || verdict.failures == 0)
        return rc;
    return error_set(err, -ENOTRECOVERABLE, "the books of %s do not balance, and so nothing was "
                     "moved: %u failures, first %s; %s", store->path, verdict.failures,
                     verdict.first, remedy);
}

/* --- the mark -------------------------------------------------------------------------------- */

static int write_mark(struct store *from, const char *to, struct error *err)
{
    if (to[0])
        return store_note_text(from, MOVED_TO, to, err);
    return store_exec(from, "DELETE FROM meta WHERE name = '" MOVED_TO "'", err);
}

/* V4 */
static int commit(struct run *run, struct error *err)
{
    int rc = write_mark(run->from, run->migration->to, err);

    if (rc == 0)
        rc = store_commit(run->from, err);
    run->marked = rc == 0 || rc == -EIO; /* else it was told that nothing was committed */
    return rc == 0 ? store_commit(run->to, err) : rc;
}

/* --- moving ---------------------------------------------------------------------------------- */

static int move(struct run *run, struct error *err)
{
    int rc = 0;

    /* whoever reads a file keeps others from committing: a dry run does so piece by piece */
    if (!run->migration->dry_run || !store_is_file(run->from))
        rc = store_exec(run->from, run->from->backend->begin_reading, err);
    if (rc == 0)
        rc = audit(run, run->from, "`carbonctl audit --verbose` says what to do about each", err);
    if (rc == 0)
        rc = for_each_table(run, count_table, err);
    if (!run->migration->dry_run)
        run->of_rows *= 2; /* compared too */
    if (rc == 0)
        rc = for_each_table(run, move_table, err);
    if (rc == 0 && !run->migration->dry_run)
        rc = audit(run, run->to, "that is a mistake in slurm-carbon, so report it", err);
    if (rc == 0 && !run->migration->dry_run)
        rc = commit(run, err);
    return rc;
}

/* V2: a file that was made for it goes again; its lock is still held. */
static void abandon(struct store *to)
{
    char journal[PATH_MAX + 16];
    struct stat st;

    store_rollback(to);
    if (!store_is_file(to) || stat(to->path, &st) < 0 || st.st_size > 0)
        return;
    snprintf(journal, sizeof(journal), "%s-journal", to->path);
    unlink(journal);
    unlink(to->path);
}

static int open_from(struct migration *migration, struct store **ret, struct error *err)
{
    struct store_turn turn = *migration->turn;
    int rc;

    turn.moved = true;
    rc = migration->dry_run ? store_open(migration->from, STORE_READ, NULL, ret, err)
                            : store_open_in_turn(migration->from, &turn, ret, err);
    if (rc == 0)
        rc = store_moved_to(*ret, migration->moved_before, err);
    return rc < 0 ? rc : 0;
}

/* `to` could not be committed: when it has no books indeed, those of `from` are in use again. */
static int unmark(const struct run *run, int rc, struct error *err)
{
    const struct migration *migration = run->migration;
    const struct store_turn at_once = { .who = migration->turn->who };
    struct store *to;
    int found = store_begin_new(migration->to, &at_once, &to, NULL);

    if (found == 0) {
        abandon(to);
        store_close(to);
        store_rollback(run->from);
        found = store_begin(run->from, NULL);
    }
    if (found == 0)
        found = write_mark(run->from, migration->moved_before, NULL);
    if (found == 0)
        found = store_commit(run->from, NULL);
    if (found == 0)
        return rc;
    return error_prefix(err, rc, "run this command again: nobody can tell now whether the new "
                        "database has the books, and until then %s may take no batches",
                        run->from->path);
}

/* V1: who goes on loading takes turns, and would be refused when this is done: better now. */
static int lock_service(const struct migration *migration, int *ret_lock, struct error *err)
{
    *ret_lock = -1;
    if (migration->dry_run)
        return 0;
    *ret_lock = store_lock_service(migration->from, migration->turn->who, err);
    if (*ret_lock >= 0)
        return 0;
    return error_prefix(err, *ret_lock, "what would go on loading into the old database has to be "
                        "stopped first");
}

int store_migrate(struct migration *migration, struct error *err)
{
    const struct store_turn at_once = { .who = migration->turn->who };
    struct run run = { .migration = migration };
    int lock, rc = lock_service(migration, &lock, err);

    if (rc == 0)
        rc = open_from(migration, &run.from, err);
    if (rc == 0)
        rc = make_schema(&run.schema, err);
    if (rc == 0)
        rc = store_begin_new(migration->to, &at_once, &run.to, err);
    if (rc == 0)
        rc = move(&run, err);
    if (run.to && (rc < 0 || migration->dry_run))
        abandon(run.to);
    store_close(run.to);
    if (rc < 0 && run.marked)
        rc = unmark(&run, rc, err);
    free_bulks(&run);
    store_close(run.schema);
    store_close(run.from);
    store_unlock_service(lock);
    return rc;
}

/*
 * Factor sets.
 *
 * Invariants:
 *   F1  a fact's since_set and until_set are sets, and since_set < until_set
 *   F2  what was written by an earlier change is never changed, but for its until_set, once
 *   F3  of one document at most one row is in force in any set
 *   F4  intervals in force in one set, of one zone, basis and scope, do not overlap
 *   F5  there is a set only where something differs from the one before, or to begin with
 */
#include "store/factors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/db.h"

struct factor_change {
    struct store *store;
    char made_by[256];
    int64_t set; /* 0: nothing differs so far */
};

/* --- statements ------------------------------------------------------------------------------- */

static void bind_text(struct stmt *stmt, int place, const char *text)
{
    stmt_bind_text(stmt, place, text);
}

static void read_text(struct stmt *stmt, int column, char *room, size_t size)
{
    const char *text = stmt_text(stmt, column);

    snprintf(room, size, "%s", text ? text : "");
}

/* Run a statement with integers for its places ?1, ?2, … */
static int run_integers(struct store *store, const char *sql, const int64_t *integers, int count,
                        struct error *err)
{
    struct stmt *stmt = store_statement(store, sql, err);

    if (!stmt)
        return -EIO;
    for (int i = 0; i < count; i++)
        stmt_bind_int(stmt, i + 1, integers[i]);
    return store_run(store, stmt, err);
}

/* --- sets ------------------------------------------------------------------------------------- */

static void read_set(struct stmt *stmt, struct factor_set *set)
{
    set->number = stmt_int(stmt, 0);
    set->made_s = stmt_int(stmt, 1);
    read_text(stmt, 2, set->made_by, sizeof(set->made_by));
}

int factors_newest(struct store *store, struct factor_set *ret, struct error *err)
{
    static const char sql[] = "SELECT factor_set, made_s, made_by FROM factor_set"
                              " ORDER BY factor_set DESC LIMIT 1";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc = stmt ? store_step(store, stmt, err) : -EIO;

    if (rc == 0)
        return error_set(err, -ENODATA, "the database has no factor set yet: `carbonctl factors "
                         "update` makes one of carbon.conf, inventory.conf and the shipped tables");
    if (rc < 0)
        return rc;
    read_set(stmt, ret);
    stmt_reset(stmt);
    return 0;
}

int factors_get(struct store *store, int64_t number, struct factor_set *ret, struct error *err)
{
    static const char sql[] = "SELECT factor_set, made_s, made_by FROM factor_set"
                              " WHERE factor_set = ?1";
    struct factor_set newest;
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, number);
    rc = store_step(store, stmt, err);
    if (rc > 0) {
        read_set(stmt, ret);
        stmt_reset(stmt);
        return 0;
    }
    if (rc == 0)
        rc = factors_newest(store, &newest, err);
    if (rc < 0)
        return rc;
    return error_set(err, -ENOENT, "there is no factor set %lld: there are 1 to %lld, listed by "
                     "`carbonctl factors list`", (long long)number, (long long)newest.number);
}

int factors_sets(struct store *store, void (*take)(void *arg, const struct factor_set *set),
                 void *arg, struct error *err)
{
    static const char sql[] = "SELECT factor_set, made_s, made_by FROM factor_set"
                              " ORDER BY factor_set";
    struct stmt *stmt = store_statement(store, sql, err);
    struct factor_set set;
    int rc;

    if (!stmt)
        return -EIO;
    while ((rc = store_step(store, stmt, err)) > 0) {
        read_set(stmt, &set);
        take(arg, &set);
    }
    return rc;
}

/* --- documents -------------------------------------------------------------------------------- */

/* The document's row in force in `set` (INT64_MAX: now). 1, or 0 when there is none. */
static int find_document(struct store *store, int64_t set, const char *name,
                         struct stmt **ret_stmt, struct error *err)
{
    static const char sql[] = "SELECT content, since_set FROM factor_document WHERE name = ?1"
                              " AND since_set <= ?2 AND (until_set IS NULL OR ?2 < until_set)";
    struct stmt *stmt = store_statement(store, sql, err);

    if (!stmt)
        return -EIO;
    bind_text(stmt, 1, name);
    stmt_bind_int(stmt, 2, set);
    *ret_stmt = stmt;
    return store_step(store, stmt, err);
}

int factors_document(struct store *store, int64_t set, const char *name, char **ret_text,
                     struct error *err)
{
    const char *text;
    struct stmt *stmt;
    int rc = find_document(store, set, name, &stmt, err);

    if (rc < 0)
        return rc;
    *ret_text = NULL;
    if (rc == 0)
        return 0;
    text = stmt_text(stmt, 0);
    *ret_text = text ? strdup(text) : NULL;
    stmt_reset(stmt);
    return *ret_text ? 0 : error_set(err, -ENOMEM, "no memory for %s", name);
}

int factors_each_document(struct store *store, int64_t set,
                          int (*take)(void *arg, const char *name, const char *text), void *arg,
                          struct error *err)
{
    static const char sql[] = "SELECT name, content FROM factor_document WHERE since_set <= ?1"
                              " AND (until_set IS NULL OR ?1 < until_set)";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, set);
    while ((rc = store_step(store, stmt, err)) > 0) {
        const char *name = stmt_text(stmt, 0), *text = stmt_text(stmt, 1);

        rc = name && text ? take(arg, name, text) : -ENOMEM;
        if (rc < 0) {
            stmt_reset(stmt);
            return error_set(err, rc, "no memory for factor set %lld's documents", (long long)set);
        }
    }
    return rc;
}

/* --- a set in the making ---------------------------------------------------------------------- */

struct factor_change *factors_change_new(struct store *store, const char *made_by)
{
    struct factor_change *change = calloc(1, sizeof(*change));

    if (!change)
        return NULL;
    change->store = store;
    snprintf(change->made_by, sizeof(change->made_by), "%s", made_by);
    return change;
}

struct factor_change *factors_change_free(struct factor_change *change)
{
    free(change);
    return NULL;
}

int64_t factors_change_set(const struct factor_change *change)
{
    return change->set;
}

/* F5: called before the first write. */
static int begin_set(struct factor_change *change, struct error *err)
{
    static const char sql[] = "INSERT INTO factor_set (factor_set, made_s, made_by)"
                              " VALUES (?1, ?2, ?3)";
    struct store *store = change->store;
    struct stmt *stmt;
    int64_t newest;
    int rc;

    if (change->set > 0)
        return 0;
    rc = store_integer(store, "SELECT COALESCE(MAX(factor_set), 0) FROM factor_set", &newest, err);
    if (rc < 0)
        return rc;
    stmt = store_statement(store, sql, err);
    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, newest + 1);
    stmt_bind_int(stmt, 2, clock_wall_ns() / (int64_t)NS_PER_S);
    bind_text(stmt, 3, change->made_by);
    rc = store_run(store, stmt, err);
    if (rc == 0)
        change->set = newest + 1;
    return rc;
}

/* F1, F2: what this change itself wrote goes away; what was there before ends. */
static int end_document(struct factor_change *change, const char *name, bool own,
                        struct error *err)
{
    static const char remove[] = "DELETE FROM factor_document WHERE name = ?1 AND since_set = ?2";
    static const char end[] = "UPDATE factor_document SET until_set = ?2 WHERE name = ?1"
                              " AND until_set IS NULL";
    struct stmt *stmt = store_statement(change->store, own ? remove : end, err);

    if (!stmt)
        return -EIO;
    bind_text(stmt, 1, name);
    stmt_bind_int(stmt, 2, change->set);
    return store_run(change->store, stmt, err);
}

static int add_document(struct factor_change *change, const char *name, const char *text,
                        struct error *err)
{
    static const char sql[] = "INSERT INTO factor_document (name, since_set, content)"
                              " VALUES (?1, ?2, ?3)";
    struct stmt *stmt = store_statement(change->store, sql, err);

    if (!stmt)
        return -EIO;
    bind_text(stmt, 1, name);
    stmt_bind_int(stmt, 2, change->set);
    bind_text(stmt, 3, text);
    return store_run(change->store, stmt, err);
}

int factors_put_document(struct factor_change *change, const char *name, const char *text,
                         struct error *err)
{
    bool same, there, own = false;
    struct stmt *stmt;
    int rc = find_document(change->store, INT64_MAX, name, &stmt, err);

    if (rc < 0)
        return rc;
    there = rc > 0;
    same = !there && !text;
    if (there) {
        const char *old = stmt_text(stmt, 0);

        same = text && old && strcmp(old, text) == 0;
        own = stmt_int(stmt, 1) == change->set;
        stmt_reset(stmt);
    }
    if (same)
        return 0;
    rc = begin_set(change, err);
    if (rc == 0 && there)
        rc = end_document(change, name, own, err);
    if (rc == 0 && text)
        rc = add_document(change, name, text, err);
    return rc;
}

/* --- intervals: what is in force -------------------------------------------------------------- */

struct held {
    struct grid_interval interval;
    int64_t series_key, since_set;
    bool kept; /* one of the new intervals is the same */
    bool hit;  /* another one overlaps it */
};

struct held_list {
    struct held *items;
    size_t count;
};

static void read_interval(struct stmt *stmt, struct grid_interval *interval)
{
    interval->begin_s = stmt_int(stmt, 0);
    interval->end_s = stmt_int(stmt, 1);
    interval->ug_per_kwh = (uint64_t)stmt_int(stmt, 2);
    interval->estimated = stmt_int(stmt, 3) != 0;
}

/* One more item at the end of an array whose room doubles; NULL without memory. */
static void *grow(void **array, size_t *count, size_t item_size)
{
    char *items = *array;

    if ((*count & (*count - 1)) == 0) {
        items = realloc(*array, (*count > 0 ? *count * 2 : 1) * item_size);
        if (!items)
            return NULL;
        *array = items;
    }
    return items + (*count)++ * item_size;
}

/* Everything in force of the zone, basis and scope that touches [from_s, to_s), by begin. */
static int read_held(struct store *store, const struct grid_series *series, int64_t from_s,
                     int64_t to_s, struct held_list *held, struct error *err)
{
    static const char sql[] =
        "SELECT i.begin_s, i.end_s, i.ug_per_kwh, i.estimated, i.series_key, i.since_set"
        " FROM grid_series s JOIN grid_intensity i ON i.series_key = s.series_key"
        " WHERE s.zone = ?1 AND s.basis = ?2 AND s.scope = ?3 AND i.begin_s < ?5 AND i.end_s > ?4"
        " AND i.until_set IS NULL ORDER BY i.begin_s";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    bind_text(stmt, 1, series->zone);
    bind_text(stmt, 2, series->basis);
    bind_text(stmt, 3, series->scope);
    stmt_bind_int(stmt, 4, from_s);
    stmt_bind_int(stmt, 5, to_s);
    while ((rc = store_step(store, stmt, err)) > 0) {
        void *items = held->items;
        struct held *item = grow(&items, &held->count, sizeof(*item));

        held->items = items;
        if (!item) {
            stmt_reset(stmt);
            return error_set(err, -ENOMEM, "no memory for grid intensities");
        }
        *item = (struct held){ .series_key = stmt_int(stmt, 4),
                               .since_set = stmt_int(stmt, 5) };
        read_interval(stmt, &item->interval);
    }
    return rc;
}

static bool overlap(const struct grid_interval *a, const struct grid_interval *b)
{
    return a->begin_s < b->end_s && b->begin_s < a->end_s;
}

static bool same_interval(const struct grid_interval *a, const struct grid_interval *b)
{
    return a->begin_s == b->begin_s && a->end_s == b->end_s && a->ug_per_kwh == b->ug_per_kwh &&
           a->estimated == b->estimated;
}

static int conflict(const struct grid_interval *new, const struct held *held,
                    const struct grid_series *series, struct error *err)
{
    char begin[CLOCK_TEXT_SIZE], end[CLOCK_TEXT_SIZE];
    const char *how = "other figures";

    if (held->series_key != series->series_key)
        how = "figures of another source";
    else if (new->ug_per_kwh == held->interval.ug_per_kwh)
        how = "other bounds, or as an estimate where this is none";
    clock_format_utc(held->interval.begin_s, begin);
    clock_format_utc(held->interval.end_s, end);
    return error_set(err, -EEXIST, "zone %s, %s, %s: %s to %s is in the database already, with %s "
                     "(%.6g g/kWh there, %.6g g/kWh here); --replace takes the new ones from now "
                     "on", series->zone, series->basis, series->scope, begin, end, how,
                     (double)held->interval.ug_per_kwh / 1e6, (double)new->ug_per_kwh / 1e6);
}

/*
 * Mark of the intervals in force those that a new one equals or hits; count. Both are in order and
 * without overlaps, so that one pass is enough.
 */
static int compare_held(struct held_list *held, const struct grid_series *series,
                        const struct grid_interval *intervals, size_t count, bool replace,
                        struct factors_import *ret, struct error *err)
{
    size_t first = 0;

    for (size_t i = 0; i < count; i++) {
        const struct grid_interval *new = &intervals[i];
        bool kept = false;

        while (first < held->count && held->items[first].interval.end_s <= new->begin_s)
            first++;
        for (size_t j = first; j < held->count && overlap(new, &held->items[j].interval); j++) {
            struct held *old = &held->items[j];

            kept = old->series_key == series->series_key && same_interval(new, &old->interval);
            old->kept |= kept;
            old->hit |= !kept;
            if (!kept && !replace)
                return conflict(new, old, series, err);
        }
        ret->same += kept;
        ret->added += !kept;
    }
    for (size_t j = 0; j < held->count; j++)
        ret->replaced += held->items[j].hit;
    return 0;
}

/* --- intervals: writing ----------------------------------------------------------------------- */

static int find_series(struct store *store, struct grid_series *series, struct error *err)
{
    static const char sql[] = "SELECT series_key FROM grid_series WHERE zone = ?1 AND basis = ?2"
                              " AND scope = ?3 AND source = ?4";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    bind_text(stmt, 1, series->zone);
    bind_text(stmt, 2, series->basis);
    bind_text(stmt, 3, series->scope);
    bind_text(stmt, 4, series->source);
    rc = store_step(store, stmt, err);
    series->series_key = rc > 0 ? stmt_int(stmt, 0) : 0;
    if (rc > 0)
        stmt_reset(stmt);
    return rc < 0 ? rc : 0;
}

static int add_series(struct store *store, struct grid_series *series, struct error *err)
{
    static const char sql[] = "INSERT INTO grid_series (zone, basis, scope, source)"
                              " VALUES (?1, ?2, ?3, ?4)";
    struct stmt *stmt;
    int rc;

    if (series->series_key > 0)
        return 0;
    stmt = store_statement(store, sql, err);
    if (!stmt)
        return -EIO;
    bind_text(stmt, 1, series->zone);
    bind_text(stmt, 2, series->basis);
    bind_text(stmt, 3, series->scope);
    bind_text(stmt, 4, series->source);
    rc = store_run(store, stmt, err);
    return rc == 0 ? find_series(store, series, err) : rc;
}

static int add_interval(struct factor_change *change, int64_t series_key,
                        const struct grid_interval *interval, struct error *err)
{
    static const char sql[] = "INSERT INTO grid_intensity (series_key, begin_s, end_s, ug_per_kwh,"
                              " estimated, since_set) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    const int64_t integers[] = { series_key, interval->begin_s, interval->end_s,
                                 (int64_t)interval->ug_per_kwh, interval->estimated, change->set };

    return run_integers(change->store, sql, integers, 6, err);
}

/* F2, as end_document() */
static int end_interval(struct factor_change *change, const struct held *held, struct error *err)
{
    static const char remove[] = "DELETE FROM grid_intensity WHERE series_key = ?1"
                                 " AND begin_s = ?2 AND since_set = ?3";
    static const char end[] = "UPDATE grid_intensity SET until_set = ?4 WHERE series_key = ?1"
                              " AND begin_s = ?2 AND since_set = ?3";
    const int64_t integers[] = { held->series_key, held->interval.begin_s, held->since_set,
                                 change->set };
    bool own = held->since_set == change->set;

    return run_integers(change->store, own ? remove : end, integers, own ? 3 : 4, err);
}

/* What an ended interval covered between `from` and `to` stays in force. */
static int keep_piece(struct factor_change *change, const struct held *held, int64_t from_s,
                      int64_t to_s, struct error *err)
{
    struct grid_interval piece = held->interval;

    if (from_s >= to_s)
        return 0;
    piece.begin_s = from_s;
    piece.end_s = to_s;
    return add_interval(change, held->series_key, &piece, err);
}

/* End an interval that new ones hit, but for its pieces between them. */
static int replace_held(struct factor_change *change, const struct held *held,
                        const struct grid_interval *intervals, size_t count, struct error *err)
{
    int64_t cursor_s = held->interval.begin_s;
    int rc = end_interval(change, held, err);

    for (size_t i = 0; rc == 0 && i < count && intervals[i].begin_s < held->interval.end_s; i++) {
        rc = keep_piece(change, held, cursor_s, intervals[i].begin_s, err);
        cursor_s = intervals[i].end_s;
    }
    return rc == 0 ? keep_piece(change, held, cursor_s, held->interval.end_s, err) : rc;
}

static int write_intervals(struct factor_change *change, const struct grid_series *series,
                           const struct held_list *held, const struct grid_interval *intervals,
                           size_t count, struct error *err)
{
    size_t first = 0, j = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < held->count; i++) {
        while (first < count && intervals[first].end_s <= held->items[i].interval.begin_s)
            first++;
        if (held->items[i].hit)
            rc = replace_held(change, &held->items[i], intervals + first, count - first, err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        while (j < held->count && held->items[j].interval.begin_s < intervals[i].begin_s)
            j++;
        if (j < held->count && held->items[j].kept &&
            held->items[j].interval.begin_s == intervals[i].begin_s)
            continue;
        rc = add_interval(change, series->series_key, &intervals[i], err);
    }
    return rc;
}

static int check_order(const struct grid_interval *intervals, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (intervals[i].begin_s >= intervals[i].end_s ||
            (i > 0 && intervals[i].begin_s < intervals[i - 1].end_s))
            return error_set(err, -EINVAL, "grid intensities are not in order, or overlap");
    }
    return 0;
}

static void upper_case(const char *text, char *room, size_t size)
{
    snprintf(room, size, "%s", text);
    for (; *room != '\0'; room++)
        *room = (char)(*room >= 'a' && *room <= 'z' ? *room - 'a' + 'A' : *room);
}

int factors_put_intervals(struct factor_change *change, const struct grid_series *series,
                          const struct grid_interval *intervals, size_t count, bool replace,
                          struct factors_import *ret, struct error *err)
{
    struct factors_import import = { 0 };
    struct held_list held = { 0 };
    struct grid_series own = *series;
    int rc = check_order(intervals, count, err);

    *ret = import;
    if (rc < 0 || count == 0)
        return rc;
    upper_case(series->zone, own.zone, sizeof(own.zone));
    rc = find_series(change->store, &own, err);
    if (rc == 0)
        rc = read_held(change->store, &own, intervals[0].begin_s, intervals[count - 1].end_s,
                       &held, err);
    if (rc == 0)
        rc = compare_held(&held, &own, intervals, count, replace, &import, err);
    if (rc == 0 && import.added > 0)
        rc = begin_set(change, err);
    if (rc == 0 && import.added > 0)
        rc = add_series(change->store, &own, err);
    if (rc == 0 && import.added > 0)
        rc = write_intervals(change, &own, &held, intervals, count, err);
    free(held.items);
    if (rc == 0)
        *ret = import;
    return rc;
}

/* --- intervals: reading ----------------------------------------------------------------------- */

static void read_series(struct stmt *stmt, int column, struct grid_series *series)
{
    series->series_key = stmt_int(stmt, column);
    read_text(stmt, column + 1, series->zone, sizeof(series->zone));
    read_text(stmt, column + 2, series->basis, sizeof(series->basis));
    read_text(stmt, column + 3, series->scope, sizeof(series->scope));
    read_text(stmt, column + 4, series->source, sizeof(series->source));
}

int factors_series(struct store *store, int64_t set,
                   void (*take)(void *arg, const struct grid_series_summary *series), void *arg,
                   struct error *err)
{
    static const char sql[] =
        "SELECT s.series_key, s.zone, s.basis, s.scope, s.source, MIN(i.begin_s), MAX(i.end_s),"
        " COUNT(*), SUM(i.estimated), SUM(i.end_s - i.begin_s)"
        " FROM grid_series s JOIN grid_intensity i ON i.series_key = s.series_key"
        " WHERE i.since_set <= ?1 AND (i.until_set IS NULL OR ?1 < i.until_set)"
        " GROUP BY s.series_key, s.zone, s.basis, s.scope, s.source"
        " ORDER BY s.zone, s.basis, s.scope, MIN(i.begin_s), s.source";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, set);
    while ((rc = store_step(store, stmt, err)) > 0) {
        struct grid_series_summary summary = {
            .begin_s = stmt_int(stmt, 5),
            .end_s = stmt_int(stmt, 6),
            .intervals = (size_t)stmt_int(stmt, 7),
            .estimated = (size_t)stmt_int(stmt, 8),
        };

        summary.missing_s = summary.end_s - summary.begin_s - stmt_int(stmt, 9);
        read_series(stmt, 0, &summary.series);
        take(arg, &summary);
    }
    return rc;
}

int factors_series_changes(struct store *store, int64_t old, int64_t new,
                           void (*take)(void *arg, const struct grid_series_change *change),
                           void *arg, struct error *err)
{
    static const char sql[] =
        "SELECT series_key, zone, basis, scope, source, SUM(in_old * (1 - in_new)) AS ended,"
        " SUM(in_new * (1 - in_old)) AS added FROM (SELECT s.*,"
        " CASE WHEN i.since_set <= ?1 AND (i.until_set IS NULL OR ?1 < i.until_set) THEN 1 ELSE 0"
        " END AS in_old,"
        " CASE WHEN i.since_set <= ?2 AND (i.until_set IS NULL OR ?2 < i.until_set) THEN 1 ELSE 0"
        " END AS in_new"
        " FROM grid_series s JOIN grid_intensity i ON i.series_key = s.series_key) AS intervals"
        " WHERE in_old <> in_new GROUP BY series_key, zone, basis, scope, source"
        " ORDER BY zone, basis, scope, source";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    stmt_bind_int(stmt, 1, old);
    stmt_bind_int(stmt, 2, new);
    while ((rc = store_step(store, stmt, err)) > 0) {
        struct grid_series_change change = {
            .ended = (size_t)stmt_int(stmt, 5),
            .added = (size_t)stmt_int(stmt, 6),
        };

        read_series(stmt, 0, &change.series);
        take(arg, &change);
    }
    return rc;
}

/* "consumption" where the set has it, else "generation"; "" where it has neither. */
static int choose_scope(struct store *store, int64_t set, const char *zone, const char *basis,
                        char *scope, size_t size, struct error *err)
{
    static const char sql[] =
        "SELECT s.scope FROM grid_series s WHERE s.zone = ?1 AND s.basis = ?2 AND EXISTS"
        " (SELECT 1 FROM grid_intensity i WHERE i.series_key = s.series_key AND i.since_set <= ?3"
        " AND (i.until_set IS NULL OR ?3 < i.until_set)) ORDER BY s.scope LIMIT 1";
    struct stmt *stmt = store_statement(store, sql, err);
    int rc;

    if (!stmt)
        return -EIO;
    bind_text(stmt, 1, zone);
    bind_text(stmt, 2, basis);
    stmt_bind_int(stmt, 3, set);
    rc = store_step(store, stmt, err);
    scope[0] = '\0';
    if (rc > 0) {
        read_text(stmt, 0, scope, size);
        stmt_reset(stmt);
    }
    return rc < 0 ? rc : 0;
}

/* Take all rows of a bound statement. */
static int take_intervals(struct store *store, struct stmt *stmt, struct grid_series *ret_series,
                          struct grid_interval **ret, size_t *ret_count, struct error *err)
{
    void *intervals = NULL;
    size_t count = 0;
    int rc;

    while ((rc = store_step(store, stmt, err)) > 0) {
        struct grid_interval *interval = grow(&intervals, &count, sizeof(*interval));

        if (!interval) {
            stmt_reset(stmt);
            rc = error_set(err, -ENOMEM, "no memory for grid intensities");
            break;
        }
        read_interval(stmt, interval);
        if (count == 1)
            read_series(stmt, 4, ret_series);
    }
    if (rc < 0) {
        free(intervals);
        return rc;
    }
    *ret = intervals;
    *ret_count = count;
    return 0;
}

int factors_intervals(struct store *store, int64_t set, const char *zone, const char *basis,
                      int64_t from_s, int64_t to_s, struct grid_series *ret_series,
                      struct grid_interval **ret, size_t *ret_count, struct error *err)
{
    static const char sql[] =
        "SELECT i.begin_s, i.end_s, i.ug_per_kwh, i.estimated,"
        " s.series_key, s.zone, s.basis, s.scope, s.source"
        " FROM grid_series s JOIN grid_intensity i ON i.series_key = s.series_key"
        " WHERE s.zone = ?1 AND s.basis = ?2 AND s.scope = ?3 AND i.begin_s < ?5 AND i.end_s > ?4"
        " AND i.since_set <= ?6 AND (i.until_set IS NULL OR ?6 < i.until_set) ORDER BY i.begin_s";
    struct grid_series series = { 0 };
    char upper[32], scope[16];
    struct stmt *stmt;
    int rc;

    upper_case(zone, upper, sizeof(upper));
    rc = choose_scope(store, set, upper, basis, scope, sizeof(scope), err);
    if (rc < 0)
        return rc;
    if (scope[0] == '\0') {
        *ret_series = series;
        *ret = NULL;
        *ret_count = 0;
        return 0;
    }
    stmt = store_statement(store, sql, err);
    if (!stmt)
        return -EIO;
    bind_text(stmt, 1, upper);
    bind_text(stmt, 2, basis);
    bind_text(stmt, 3, scope);
    stmt_bind_int(stmt, 4, from_s);
    stmt_bind_int(stmt, 5, to_s);
    stmt_bind_int(stmt, 6, set);
    rc = take_intervals(store, stmt, &series, ret, ret_count, err);
    if (rc == 0)
        *ret_series = series;
    return rc;
}

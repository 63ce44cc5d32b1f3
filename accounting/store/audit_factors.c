/*
 * A8: a fact, document or interval of a grid, covers some time in some sets. Those of the same name
 * (of intervals: zone, basis and scope, whatever the source) must not meet in both. They are read
 * in the order of their begins; only those that have not ended yet need a look.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/audit_rules.h"

/* A document is in force at one instant of no meaning: 0 to 1. */
static const char SQL_FACTS[] =
    "SELECT name, begin_s, end_s, since_set, until_set, here.factor_set, there.factor_set, bad"
    " FROM (SELECT 'document ' || name AS name, 0 AS begin_s, 1 AS end_s, since_set, until_set,"
    " 0 AS bad FROM factor_document"
    " UNION ALL SELECT 'grid ' || COALESCE(s.zone || ' ' || s.basis || ' ' || s.scope,"
    " 'series_key ' || i.series_key), i.begin_s, i.end_s, i.since_set, i.until_set,"
    " CASE WHEN s.series_key IS NULL OR i.begin_s >= i.end_s OR i.ug_per_kwh < 0"
    " OR i.estimated NOT IN (0, 1) THEN 1 ELSE 0 END"
    " FROM grid_intensity AS i LEFT JOIN grid_series AS s ON s.series_key = i.series_key"
    ") AS facts LEFT JOIN factor_set AS here ON here.factor_set = since_set"
    " LEFT JOIN factor_set AS there ON there.factor_set = until_set"
    " ORDER BY name, begin_s, since_set";

struct fact {
    int64_t begin_s, end_s;
    int64_t since_set, until_set; /* INT64_MAX: in force */
};

/* Facts of one name that reach beyond the begin in hand. */
struct facts {
    char name[128];
    struct fact *reaching;
    size_t count, room;
    bool no_memory;
};

static bool meet_in_a_set(const struct fact *a, const struct fact *b)
{
    return a->since_set < b->until_set && b->since_set < a->until_set;
}

static void keep(struct facts *facts, const struct fact *fact)
{
    if (facts->count == facts->room) {
        size_t room = facts->room ? facts->room * 2 : 16;
        struct fact *grown = realloc(facts->reaching, room * sizeof(*grown));

        if (!grown) {
            facts->no_memory = true;
            return;
        }
        facts->reaching = grown;
        facts->room = room;
    }
    facts->reaching[facts->count++] = *fact;
}

/* Drop those that have ended by now, and report those that are in force beside it. */
static void compare_with_earlier(const struct audit *audit, struct facts *facts,
                                 const struct fact *fact)
{
    size_t kept = 0;

    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *earlier = &facts->reaching[i];

        if (earlier->end_s <= fact->begin_s)
            continue;
        if (meet_in_a_set(earlier, fact))
            audit_report(audit, "A8", true, 0, "%s, from %" PRId64 ": of set %" PRId64
                         ", but what set %" PRId64 " says of the same time is still in force",
                         facts->name, fact->begin_s, fact->since_set, earlier->since_set);
        facts->reaching[kept++] = *earlier;
    }
    facts->count = kept;
}

static void take_fact(const struct audit *audit, struct stmt *row, void *state)
{
    struct facts *facts = state;
    const char *name = audit_text(row, 0);
    bool ended = !stmt_is_null(row, 4);
    struct fact fact = { stmt_int(row, 1), stmt_int(row, 2),
                         stmt_int(row, 3),
                         ended ? stmt_int(row, 4) : INT64_MAX };

    if (strcmp(name, facts->name) != 0) {
        facts->count = 0;
        snprintf(facts->name, sizeof(facts->name), "%s", name);
    }
    if (stmt_is_null(row, 5) ||
        (ended && stmt_is_null(row, 6)) || fact.until_set <= fact.since_set)
        audit_report(audit, "A8", true, 0, "%s, from %" PRId64 ": in force from a set to another "
                     "that are not there, or not in this order", facts->name, fact.begin_s);
    if (stmt_int(row, 7))
        audit_report(audit, "A8", true, 0, "%s, from %" PRId64 ": of no series, without duration, "
                     "or an intensity below zero", facts->name, fact.begin_s);
    compare_with_earlier(audit, facts, &fact);
    keep(facts, &fact);
}

int audit_factors(const struct audit *audit)
{
    struct facts facts = { .name = "" };
    int rc = audit_for_each(audit, SQL_FACTS, &facts, take_fact);

    free(facts.reaching);
    if (rc == 0 && facts.no_memory)
        return error_set(audit->err, -ENOMEM, "out of memory");
    return rc;
}

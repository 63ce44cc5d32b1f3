/*
 * columns.h - the fields of a table: one list from which --format, --helpformat, the tables and
 * the tests are fed
 */
#ifndef CARBON_REPORT_COLUMNS_H
#define CARBON_REPORT_COLUMNS_H

#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"
#include "report/row.h"

struct column {
    const char *name;
    int width;        /* text longer than this is cut, with a + at its end; 0: never */
    bool left;        /* to the left; else to the right, as sacct has it */
    const char *help; /* one sentence, with the unit */
    /* Append the row's value; nothing where it does not apply, "unknown" where it is not known. */
    void (*write)(const struct row *row, struct buf *buf);
    unsigned needs; /* QUERY_* of query_details() */
    bool foreign;   /* text that users chose: the table makes it safe */
};

extern const struct column columns[]; /* ends with name NULL */

#define COLUMNS_DEFAULT \
    "JobID,JobName,User,Account,Elapsed,State,EnergyWh,AvgPowerW,CO2eOperationalG,CO2eEmbodiedG," \
    "CO2eTotalG,Coverage"
/* With --by. */
#define COLUMNS_BY \
    "JobID,Period,Energy,AvgPower,CO2eActive,CO2eIdle,CO2eOverhead,CO2eSpread,CO2eEmbodied," \
    "CO2eTotal,Coverage"

/* A column as chosen. */
struct column_choice {
    const struct column *column;
    int width;
    bool fixed; /* "Energy%-12": exactly as wide as that, padded too */
    bool left;
};
struct column_choices {
    struct column_choice *choices; /* malloc'ed */
    size_t count;
};

/*
 * Append the columns that `format` names: "jobid,energy%12,state%-9", or ALL. A name may be cut as
 * long as one column alone begins so (or one of them is the beginning of all others: "elap" is
 * Elapsed, not ElapsedRaw), in any case. -EINVAL names the field and what comes near; -ENOMEM.
 */
MUST_CHECK int columns_choose(const char *format, struct column_choices *choices,
                              struct error *err);
void columns_clear(struct column_choices *choices);
unsigned columns_need(const struct column_choices *choices); /* QUERY_* of all */

#endif

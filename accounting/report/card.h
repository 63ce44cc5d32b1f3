/*
 * card.h - one job on one screen, for someone who has never seen such a thing
 */
#ifndef CARBON_REPORT_CARD_H
#define CARBON_REPORT_CARD_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/error.h"
#include "report/row.h"

/* Append the card of the row's job, with its steps below where `steps`, and with equivalences of
   its total where `compare`. -ENOMEM. */
MUST_CHECK int card_write(const struct row *job_row, bool steps, bool compare, struct buf *buf,
                          struct error *err);

#endif

/*
 * ctl_inventory.h - what the parts of carbonctl inventory share
 */
#ifndef CARBON_CLI_CTL_INVENTORY_H
#define CARBON_CLI_CTL_INVENTORY_H

#include "carbon/factor_table.h"
#include "cli/carbonctl.h"
#include "core/error.h"

#define FACTOR_TABLE_FILE "embodied_factors.csv"

extern const struct command command_inventory_discover, command_inventory_check;

/* Whole text of a file, which may be a link; malloc'ed. The errno of reading, or -EINVAL. */
MUST_CHECK int load_text(const char *path, char **ret_text, struct error *err);

/* The table as installed (or as CARBON_DATA says). */
MUST_CHECK int load_embodied_factors(struct factor_table *ret, struct error *err);

#endif

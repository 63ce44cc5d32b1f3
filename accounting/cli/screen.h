/*
 * screen.h - what standard output can show
 */
#ifndef CARBON_CLI_SCREEN_H
#define CARBON_CLI_SCREEN_H

#include <stdbool.h>

#define SCREEN_COLUMNS_MAX 500

/* A terminal that knows colours, or CLICOLOR_FORCE; and no NO_COLOR. */
bool screen_has_colour(void);

/* COLUMNS, else the terminal's, else 0. */
unsigned screen_columns(void);

#endif

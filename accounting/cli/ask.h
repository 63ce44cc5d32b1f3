/*
 * ask.h - asking carbond, where a tool may not read the database itself
 *
 * carbon-ask does it, a program of its own, so that nobody who reads the database loads libcurl.
 */
#ifndef CARBON_CLI_ASK_H
#define CARBON_CLI_ASK_H

#include "core/conf.h"
#include "core/error.h"

/*
 * Where opening the database failed with rc for want of a database, or of the right to read it, and
 * carbond is configured or has its socket here, become carbon-ask, which prints carbond's answer to
 * this command line, and do not return. Else rc is returned; err then says of both.
 */
MUST_CHECK int ask_carbond(const struct conf *conf, char **argv, int rc, struct error *err);

/* carbon-ask, where it was installed. */
void ask_program(char ret_path[PATH_MAX]);

#endif

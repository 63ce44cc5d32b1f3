/*
 * status.h - SpoolDir/status: what the meter says of itself, for `carbonctl status` and people
 *
 * Lines "key: value", units in the keys. Written anew with each seal and on SIGUSR1; never synced.
 */
#ifndef CARBON_METER_STATUS_H
#define CARBON_METER_STATUS_H

#include "core/buf.h"
#include "meter/meter.h"

#define STATUS_NAME "status"

/* Append the text. `now` is CLOCK_BOOTTIME. */
void status_format(struct buf *buf, const struct meter *meter, const struct meter_options *options,
                   uint64_t now);

MUST_CHECK int status_write(const struct meter *meter, const struct meter_options *options,
                            uint64_t now, struct error *err);

#endif

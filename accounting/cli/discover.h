/*
 * discover.h - what a node is made of, as hwloc sees it
 *
 * The one place besides plugin/sensors that knows hwloc: the meter's topology leaves out just what
 * a bill of materials is about (devices, memory modules, models), and reading a topology of another
 * node from XML belongs to the administrator's command, not to the nodes.
 */
#ifndef CARBON_CLI_DISCOVER_H
#define CARBON_CLI_DISCOVER_H

#include "carbon/bom.h"
#include "core/error.h"

/*
 * This machine's hardware, or that of an hwloc XML file (of hwloc 2; "lstopo --of xml FILE" writes
 * one). Whether a disk turns is asked of /sys on this machine alone. -EINVAL, -E2BIG or the errno
 * of reading, with what to do.
 */
MUST_CHECK int discover_hardware(const char *xml, struct bom_hardware *ret, struct error *err);

#endif

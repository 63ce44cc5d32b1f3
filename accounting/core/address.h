/*
 * address.h - where carbond is: "HOST", "HOST:PORT", "[IPV6]:PORT", or "/path" of its socket
 */
#ifndef CARBON_CORE_ADDRESS_H
#define CARBON_CORE_ADDRESS_H

#include "core/error.h"

#define CARBOND_PORT "6825"
#define CARBOND_SOCKET "/run/carbond/carbond.sock" /* for who is on its machine */
#define CARBOND_USER "slurm-carbon" /* whom its unit starts it as */
#define CARBOND_SCHEME "carbond://"
#define ADDRESS_SIZE 280 /* of any as text */

struct address {
    char host[256]; /* "" where path is; an IPv6 address without its brackets */
    char port[6];
    char path[108]; /* as long as a socket's may be */
};

/* -EINVAL with what is wrong and what to write. */
MUST_CHECK int address_parse(const char *text, struct address *ret, struct error *err);

#endif

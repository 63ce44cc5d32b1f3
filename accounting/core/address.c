#include "core/address.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"

#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
#define IPV6_CHARACTERS "0123456789abcdefABCDEF:.%" HOST_CHARACTERS

static int take_path(const char *text, struct address *ret, struct error *err)
{
    if (strlen(text) >= sizeof(ret->path))
        return error_set(err, -EINVAL, "'%.40s...' is longer than a socket's path can be; give at "
                         "most %zu characters", text, sizeof(ret->path) - 1);
    snprintf(ret->path, sizeof(ret->path), "%s", text);
    return 0;
}

static int take_port(const char *text, struct address *ret, struct error *err)
{
    uint32_t port;

    if (parse_u32(text, 0, UINT16_MAX, &port) < 0)
        return error_set(err, -EINVAL, "'%.40s' is no port; give 1 to 65535, or leave it out for "
                         CARBOND_PORT, text);
    snprintf(ret->port, sizeof(ret->port), "%u", (unsigned)port & UINT16_MAX);
    return 0;
}

int address_parse(const char *text, struct address *ret, struct error *err)
{
    bool bracketed = *text == '[';
    const char *host = text + bracketed;
    size_t len = strspn(host, bracketed ? IPV6_CHARACTERS : HOST_CHARACTERS);
    const char *rest = host + len + (bracketed && host[len] == ']');

    *ret = (struct address){ .port = CARBOND_PORT };
    if (*text == '/')
        return take_path(text, ret, err);
    if (len == 0 || len >= sizeof(ret->host) || (bracketed && rest == host + len) ||
        (*rest != '\0' && *rest != ':'))
        return error_set(err, -EINVAL, "'%.80s' is no address; give HOST, HOST:PORT, [IPV6]:PORT, "
                         "or the path of a socket", text);
    memcpy(ret->host, host, len);
    return *rest == ':' ? take_port(rest + 1, ret, err) : 0;
}

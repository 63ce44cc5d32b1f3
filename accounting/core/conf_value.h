/*
 * conf_value.h - one value of carbon.conf, from text to struct conf; for core/conf*.c, for
 * report/basis.c, which reads values that a factor set kept, and for commands that take one
 */
#ifndef CARBON_CORE_CONF_VALUE_H
#define CARBON_CORE_CONF_VALUE_H

#include "core/conf.h"

/*
 * Check text against the option's type and range and store it. node replaces %n in a
 * CONF_NODE_PATH. -EINVAL with "<what is wrong>; <remedy>" in err, without file, line and key;
 * *conf is untouched then.
 */
MUST_CHECK int conf_value_parse(const struct conf_option *option, const char *text,
                                const char *node, struct conf *conf, struct error *err);

/* The option's own place in *conf. */
void *conf_value_at(struct conf *conf, const struct conf_option *option);

#endif

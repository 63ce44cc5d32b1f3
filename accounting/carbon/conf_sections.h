/*
 * conf_sections.h - a configuration file of sections, with the line of everything
 *
 *     kind "title" {
 *         key = "value"   # comment
 *         kind "title" { … }
 *     }
 *
 * Read by libconfuse, after the text was seen to hold nothing that it would take otherwise than an
 * administrator means it: no variables, no backslashes, no quote over lines, no brace too many.
 * Comments are # and // to the end of the line, and C's. Keys are matched without case. Values are
 * texts: what they mean is the caller's.
 */
#ifndef CARBON_CARBON_CONF_SECTIONS_H
#define CARBON_CARBON_CONF_SECTIONS_H

#include <stddef.h>

#include "core/error.h"

/* What may stand in a section: keys (ends with NULL; may be NULL) and sections (ends with kind
   NULL; may be NULL). */
struct conf_spec {
    const char *kind;
    const char *const *keys;
    const struct conf_spec *sections;
};

struct conf_field {
    const char *key; /* of the spec */
    char *value;
    unsigned line;
};

struct conf_section {
    const char *kind; /* of the spec; "" of the file as a whole */
    char *title;
    unsigned line;    /* of its opening brace */
    struct conf_field *fields;
    size_t n_fields;
    struct conf_section *sections; /* in the order of the file */
    size_t n_sections;
};

/*
 * `spec` describes the file as a whole (its kind is not looked at); it must outlive *ret. No two
 * sections of one kind in one place have the same title, no key stands twice in a section. -EINVAL
 * with "name:line: what is wrong; remedy"; -ENOMEM.
 */
MUST_CHECK int conf_sections_parse(const char *text, const char *name,
                                   const struct conf_spec *spec, struct conf_section *ret,
                                   struct error *err);
void conf_sections_clear(struct conf_section *root);

/* NULL: not in this section. */
const struct conf_field *conf_section_field(const struct conf_section *section, const char *key);

#endif

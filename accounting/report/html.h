/*
 * html.h - text, numbers and tables of an HTML page
 *
 * What is written is HTML5 that is well-formed XML too (empty elements closed, no named entities),
 * so that any XML parser can check it. Callers write tags themselves with buf_printf(); whatever
 * somebody else wrote goes through html_text().
 */
#ifndef CARBON_REPORT_HTML_H
#define CARBON_REPORT_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "report/format.h"

/*
 * Text that others wrote, for element content and quoted attributes alike: markup is escaped;
 * control characters, marks of zero width and of direction come as \x1b or \u202e, as everywhere
 * else in these tools; what is no UTF-8, or no character that XML allows, comes as U+FFFD. NULL:
 * nothing.
 */
void html_text(struct buf *buf, const char *text);

/* The same as a name of something, kept from turning its surroundings: "" and NULL come as
   "(none)". */
void html_name(struct buf *buf, const char *name);

/* A column of a table. */
struct html_column {
    const char *title; /* markup of our own; NULL: this column is left out */
    const char *unit;  /* behind the title; NULL: none */
    bool number;       /* at the right */
};

/*
 * <table> with its <caption> and a head. It lies in a box of its own that scrolls where the page is
 * narrower. `id` is unique in the page; `lead` is markup of our own: the caption's first words, in
 * bold, and `rest` what else there is to know (NULL: nothing).
 */
void html_table_begin(struct buf *buf, const char *id, const char *lead, const char *rest,
                      const struct html_column *columns, size_t count, bool is_long);
/* Before the first line of sums: ends the body. */
void html_table_foot(struct buf *buf);
void html_table_end(struct buf *buf, bool has_foot);

/* One cell of ticks of a scale. */
void html_ticks(struct buf *buf, const struct scale *scale, uint64_t ticks, bool something);
/* The same, of which a part may not be known: "unknown", or ">2.9". */
void html_known_ticks(struct buf *buf, const struct scale *scale, uint64_t ticks, bool something,
                      bool lacks);
/* One cell: part of whole, in percent; a dash where there is no whole. */
void html_percent(struct buf *buf, uint64_t part, uint64_t whole);
/* One cell with a count. */
void html_count(struct buf *buf, uint64_t count);

#endif

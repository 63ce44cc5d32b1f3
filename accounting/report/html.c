#include "config.h"

#include "report/html.h"

#include <string.h>

#include "core/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The escape of a character that markup is made of; NULL: it stands for itself. */
static const char *entity_of(uint32_t code)
{
    switch (code) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void html_text(struct buf *buf, const char *text)
{
    while (text && *text != '\0') {
        uint32_t code;
        size_t len = utf8_decode(text, &code);

        if (len == 0 || (code & 0xfffe) == 0xfffe)
            buf_printf(buf, REPLACEMENT);
        else if (utf8_is_unsafe(code))
            buf_printf(buf, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
        else if (entity_of(code))
            buf_printf(buf, "%s", entity_of(code));
        else
            buf_add(buf, text, len);
        text += len > 0 ? len : 1;
    }
}

void html_name(struct buf *buf, const char *name)
{
    if (!name || *name == '\0') {
        buf_printf(buf, "(none)");
        return;
    }
    buf_printf(buf, "<bdi>");
    html_text(buf, name);
    buf_printf(buf, "</bdi>");
}

void html_table_begin(struct buf *buf, const char *id, const char *lead, const char *rest,
                      const struct html_column *columns, size_t count, bool is_long)
{
    buf_printf(buf, "<div class=\"scroll%s\" role=\"region\" tabindex=\"0\" "
               "aria-labelledby=\"%s-c\">\n<table id=\"%s\">\n<caption id=\"%s-c\"><b>%s</b>",
               is_long ? " long" : "", id, id, id, lead);
    if (rest)
        buf_printf(buf, " <span>%s</span>", rest);
    buf_printf(buf, "</caption>\n<thead><tr>");
    for (size_t i = 0; i < count; i++) {
        if (!columns[i].title)
            continue;
        buf_printf(buf, "<th scope=\"col\"%s>%s", columns[i].number ? " class=\"n\"" : "",
                   columns[i].title);
        if (columns[i].unit)
            buf_printf(buf, " <span class=\"u\">%s</span>", columns[i].unit);
        buf_printf(buf, "</th>");
    }
    buf_printf(buf, "</tr></thead>\n<tbody>\n");
}

void html_table_foot(struct buf *buf)
{
    buf_printf(buf, "</tbody>\n<tfoot>\n");
}

void html_table_end(struct buf *buf, bool has_foot)
{
    buf_printf(buf, "</%s>\n</table>\n</div>\n", has_foot ? "tfoot" : "tbody");
}

void html_ticks(struct buf *buf, const struct scale *scale, uint64_t ticks, bool something)
{
    html_known_ticks(buf, scale, ticks, something, false);
}

void html_known_ticks(struct buf *buf, const struct scale *scale, uint64_t ticks, bool something,
                      bool lacks)
{
    char text[64];
    struct buf room;

    buf_init_fixed(&room, text, sizeof(text));
    scale_write_known(&room, scale, ticks, something, lacks);
    buf_printf(buf, "<td class=\"n\">");
    html_text(buf, text);
    buf_printf(buf, "</td>");
}

void html_percent(struct buf *buf, uint64_t part, uint64_t whole)
{
    char text[32];
    struct buf room;

    if (whole == 0) {
        buf_printf(buf, "<td class=\"n\">–</td>");
        return;
    }
    buf_init_fixed(&room, text, sizeof(text));
    format_percent(&room, part, whole);
    buf_printf(buf, "<td class=\"n\">");
    html_text(buf, text);
    buf_printf(buf, " %%</td>");
}

void html_count(struct buf *buf, uint64_t count)
{
    buf_printf(buf, "<td class=\"n\">%llu</td>", (unsigned long long)count);
}

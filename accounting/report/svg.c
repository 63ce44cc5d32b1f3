#include "config.h"

#include "report/svg.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/utf8.h"
#include "report/format.h"
#include "report/html.h"

#define ELLIPSIS "\xe2\x80\xa6"

void svg_begin(struct buf *buf, const char *id, const char *class, double width, double height,
               const char *title, const char *desc)
{
    buf_printf(buf, "<svg role=\"img\" class=\"%s\" viewBox=\"0 0 %.0f %.0f\" "
               "aria-labelledby=\"%s-t %s-d\">\n<title id=\"%s-t\">", class, width, height, id, id,
               id);
    html_text(buf, title);
    buf_printf(buf, "</title>\n<desc id=\"%s-d\">", id);
    html_text(buf, desc);
    buf_printf(buf, "</desc>\n");
}

void svg_end(struct buf *buf)
{
    buf_printf(buf, "</svg>\n");
}

void svg_rect(struct buf *buf, const char *class, double x, double y, double width, double height,
              const char *tip)
{
    buf_printf(buf, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"",
               class, x, y, width, height);
    if (!tip) {
        buf_printf(buf, "/>\n");
        return;
    }
    buf_printf(buf, "><title>");
    html_text(buf, tip);
    buf_printf(buf, "</title></rect>\n");
}

void svg_line(struct buf *buf, const char *class, double x1, double y1, double x2, double y2)
{
    buf_printf(buf, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class,
               x1, y1, x2, y2);
}

void svg_text(struct buf *buf, const char *class, double x, double y, const char *text)
{
    buf_printf(buf, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    html_text(buf, text);
    buf_printf(buf, "</text>\n");
}

/* --- how wide text is ------------------------------------------------------------------------- */

/* Scripts whose characters are as wide as high, or wider (after Unicode's East_Asian_Width). */
static bool is_wide(uint32_t code)
{
    return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
           (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
           (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
           (code >= 0x1f000 && code <= 0x3fffd);
}

/* Of the size of the font; a little more than those of DejaVu Sans, among the widest in use. */
static double char_em(uint32_t code)
{
    if (code > 0x7e)
        return is_wide(code) ? 1.05 : 0.7;
    if (strchr("ijl.,:;'|!()[]ft/ ", (int)code))
        return 0.41;
    if (strchr("mwMW%@", (int)code))
        return 1.02;
    return code >= 'A' && code <= 'Z' ? 0.78 : 0.65;
}

/* Of the character at `text`, as html_text() will show it; *ret_len: its bytes. */
static double width_at(const char *text, size_t *ret_len)
{
    uint32_t code;

    *ret_len = utf8_decode(text, &code);
    if (*ret_len == 0) {
        *ret_len = 1;
        return 1.05;
    }
    return utf8_is_unsafe(code) ? (code < 0x100 ? 2.4 : 3.8) : char_em(code);
}

double svg_text_width(const char *text, double size)
{
    double width_em = 0;
    size_t len;

    for (; *text != '\0'; text += len)
        width_em += width_at(text, &len);
    return width_em * size;
}

void svg_fit(struct buf *buf, const char *text, double size, double width)
{
    double room_em = width / size - 1.02; /* without the ellipsis */
    const char *at = text;
    size_t len;

    if (svg_text_width(text, size) <= width) {
        buf_printf(buf, "%s", text);
        return;
    }
    while (*at != '\0' && (room_em -= width_at(at, &len)) >= 0)
        at += len;
    buf_add(buf, text, (size_t)(at - text));
    buf_printf(buf, ELLIPSIS);
}

double svg_axis_step(double max)
{
    static const double rounds[] = { 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10 };
    double least = max / AXIS_STEPS, power;

    if (max <= 0)
        return 0;
    power = pow(10, floor(log10(least)));
    for (size_t i = 0; i < sizeof(rounds) / sizeof(*rounds); i++) {
        if (rounds[i] * power >= least * (1 - 1e-9))
            return rounds[i] * power;
    }
    return 10 * power;
}

#include "config.h"

#include "report/format.h"

#include <langinfo.h>
#include <math.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

#include "core/utf8.h"

/* From joules to watt-hours at 10 Wh: below it a user thinks of a laptop, above of a bill. */
const struct unit energy_units[] = {
    { "J", 1e3, 1e3 },      { "kJ", 1e6, 36 },        { "MJ", 1e9, 0 },    { "Wh", 3.6e6, 1e3 },
    { "kWh", 3.6e9, 1e3 },  { "MWh", 3.6e12, 1e3 },   { "GWh", 3.6e15, HUGE_VAL }, { NULL, 0, 0 },
};
const struct unit power_units[] = {
    { "W", 1e3, 1e3 }, { "kW", 1e6, 1e3 }, { "MW", 1e9, HUGE_VAL }, { NULL, 0, 0 },
};
const struct unit mass_units[] = {
    { "mg", 1e3, 1e3 }, { "g", 1e6, 1e3 }, { "kg", 1e9, 1e3 }, { "t", 1e12, HUGE_VAL },
    { NULL, 0, 0 },
};

const struct unit *unit_find(const struct unit *units, const char *name)
{
    for (const struct unit *unit = units; unit->name; unit++) {
        if (strcmp(unit->name, name) == 0)
            return unit;
    }
    for (const struct unit *unit = units; unit->name; unit++) {
        if (strcasecmp(unit->name, name) == 0)
            return unit;
    }
    return NULL;
}

/* Rounded to three significant figures. */
static double round3(double number)
{
    double scale;

    if (number <= 0)
        return 0;
    scale = pow(10, 2 - floor(log10(number)));
    return round(number * scale) / scale;
}

const struct unit *unit_choose(const struct unit *units, double amount)
{
    const struct unit *unit = units;

    if (amount <= 0)
        return units == mass_units ? &mass_units[1] : units; /* "0 g", not "0 mg" */
    while (round3(amount / unit->size) >= unit->below)
        unit++;
    return unit;
}

/* Decimals of three significant figures; below 0 they are the last digits that are not known. */
static int places_of(double number)
{
    double rounded = round3(number);

    return rounded <= 0 ? 0 : 2 - (int)floor(log10(rounded) + 1e-9);
}

static int decimals_of(double number)
{
    int places = places_of(number);

    return places < 0 ? 0 : places;
}

void format_number(struct buf *buf, double number)
{
    buf_printf(buf, "%.*f", decimals_of(number), round3(number));
}

void format_amount(struct buf *buf, double amount, const struct unit *units,
                   const struct unit *unit)
{
    if (!unit)
        unit = unit_choose(units, amount);
    format_number(buf, amount / unit->size);
    buf_printf(buf, " %s", unit->name);
}

struct scale scale_of(const struct unit *units, const struct unit *unit, double sum)
{
    struct scale scale = { .unit = unit ? unit : unit_choose(units, sum) };

    scale.decimals = places_of(sum / scale.unit->size);
    return scale;
}

uint64_t scale_ticks(const struct scale *scale, double amount)
{
    return (uint64_t)llround(amount / scale->unit->size * pow(10, scale->decimals));
}

void scale_write(struct buf *buf, const struct scale *scale, uint64_t ticks, bool something)
{
    double tick = pow(10, -scale->decimals);
    int decimals = scale->decimals < 0 ? 0 : scale->decimals;

    if (ticks == 0 && something)
        buf_printf(buf, "<%.*f", decimals, tick);
    else if (ticks == 0)
        buf_printf(buf, "0");
    else
        buf_printf(buf, "%.*f", decimals, (double)ticks * tick);
}

void scale_write_known(struct buf *buf, const struct scale *scale, uint64_t ticks, bool something,
                       bool lacks)
{
    if (lacks && ticks == 0) {
        buf_printf(buf, "unknown");
        return;
    }
    buf_printf(buf, "%s", lacks ? ">" : "");
    scale_write(buf, scale, ticks, something);
}

uint64_t scale_split(const struct scale *scale, double first, double sum, uint64_t *ret_rest)
{
    uint64_t whole = scale_ticks(scale, sum), ticks = scale_ticks(scale, first);

    if (ticks > whole || first >= sum)
        ticks = whole;
    *ret_rest = whole - ticks;
    return ticks;
}

void format_percent(struct buf *buf, uint64_t part, uint64_t whole)
{
    double percent = whole > 0 ? (double)part / (double)whole * 100 : 0;

    if (part == whole)
        buf_printf(buf, "100");
    else if (part == 0)
        buf_printf(buf, "0");
    else if (percent < 0.1)
        buf_printf(buf, "<0.1");
    else
        buf_printf(buf, "%.1f", percent > 99.9 && part < whole ? 99.9 : percent);
}

void format_elapsed(struct buf *buf, uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (s >= 86400)
        buf_printf(buf, "%llu-", (unsigned long long)(s / 86400));
    buf_printf(buf, "%02u:%02u:%02u", (unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60),
               (unsigned)(s % 60));
}

void format_duration(struct buf *buf, uint64_t ms)
{
    static const struct {
        const char *name, *small_name;
        uint64_t size_s, small_s;
    } scales[] = {
        { "d", "h", 86400, 3600 }, { "h", "min", 3600, 60 }, { "min", "s", 60, 1 },
    };
    uint64_t s = ms / 1000;

    if (s < 60) {
        format_number(buf, (double)ms / 1000);
        buf_printf(buf, " s");
        return;
    }
    for (size_t i = 0; i < sizeof(scales) / sizeof(*scales); i++) {
        uint64_t rest_s = s % scales[i].size_s / scales[i].small_s;

        if (s < scales[i].size_s)
            continue;
        buf_printf(buf, "%llu %s", (unsigned long long)(s / scales[i].size_s), scales[i].name);
        if (rest_s > 0)
            buf_printf(buf, " %llu %s", (unsigned long long)rest_s, scales[i].small_name);
        return;
    }
}

/* --- text ------------------------------------------------------------------------------------- */

static void escape(struct buf *buf, uint32_t code)
{
    if (code < 0x100)
        buf_printf(buf, "\\x%02x", code);
    else
        buf_printf(buf, code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
}

void format_text(struct buf *buf, const char *text, bool utf8, const char *also)
{
    while (text && *text != '\0') {
        uint32_t code;
        size_t len = utf8_decode(text, &code);

        if (len == 0) {
            buf_printf(buf, "\\x%02x", (unsigned char)*text);
            len = 1;
        } else if (utf8_is_unsafe(code) || (!utf8 && code > 0x7e) ||
                   (also && len == 1 && strchr(also, *text))) {
            escape(buf, code);
        } else {
            buf_add(buf, text, len);
        }
        text += len;
    }
}

static size_t char_width(uint32_t code)
{
    int width = code < 0x80 ? 1 : wcwidth((wchar_t)code);

    return width < 0 ? 1 : (size_t)width;
}

size_t format_width(const char *text)
{
    size_t width = 0;

    while (*text != '\0') {
        uint32_t code = '?';
        size_t len = utf8_decode(text, &code);

        width += char_width(code);
        text += len > 0 ? len : 1;
    }
    return width;
}

size_t format_fit(const char *text, size_t width)
{
    const char *at = text;

    while (*at != '\0') {
        uint32_t code = '?';
        size_t len = utf8_decode(at, &code);

        if (char_width(code) > width)
            break;
        width -= char_width(code);
        at += len > 0 ? len : 1;
    }
    return (size_t)(at - text);
}

bool format_locale_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

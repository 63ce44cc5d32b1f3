/*
 * format.h - amounts, durations and foreign text as people read them
 *
 * Amounts have at most three significant figures: no sensor knows more. A unit is chosen so that
 * the number stays short. All functions append to a buf.
 */
#ifndef CARBON_REPORT_FORMAT_H
#define CARBON_REPORT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

/* A unit and what one of it is in the smallest: millijoules, milliwatts or micrograms. */
struct unit {
    const char *name;
    double size;
    double below; /* chosen for amounts below this many of it */
};

extern const struct unit energy_units[]; /* each ends with name NULL */
extern const struct unit power_units[];
extern const struct unit mass_units[];

/* By name, as written, else without case. NULL: no such unit. */
const struct unit *unit_find(const struct unit *units, const char *name);
/* The one in which `amount` (in the smallest unit) reads best. */
const struct unit *unit_choose(const struct unit *units, double amount);

/* Three significant figures, never an exponent: "0", "0.0123", "12.3", "1230". */
void format_number(struct buf *buf, double number);
/* "12.3 Wh"; in `unit`, or the best of `units` when that is NULL. */
void format_amount(struct buf *buf, double amount, const struct unit *units,
                   const struct unit *unit);

/*
 * How a sum and its parts are shown together: all in one unit, with the decimals that give the sum
 * three significant figures. A tick is one of the last decimal; the sum's ticks are apportioned
 * (core/apportion.h), so that the parts as shown add up to the sum as shown.
 */
struct scale {
    const struct unit *unit;
    int decimals;
};
/*
 * Decimals are below 0 where the sum has more than three digits before the point: 12 345 t and its
 * parts are shown in hundreds. For this sum; in `unit`, or the best of `units` when that is NULL.
 */
struct scale scale_of(const struct unit *units, const struct unit *unit, double sum);
uint64_t scale_ticks(const struct scale *scale, double amount);
/* Ticks of the first of two parts, rounded by itself so that it reads the same in every table of
   the scale; the other, which is less well known, is what it lacks to the sum as shown. */
uint64_t scale_split(const struct scale *scale, double first, double sum, uint64_t *ret_rest);
/* "12.3", without the unit; "0" for nothing, "<0.1" for something without a tick. */
void scale_write(struct buf *buf, const struct scale *scale, uint64_t ticks, bool something);
/* The same of an amount that may lack a part which is not known: ">12.3", or "unknown" where
   what is known has no tick: "<0.1" would be less than something, where it may be more. */
void scale_write_known(struct buf *buf, const struct scale *scale, uint64_t ticks, bool something,
                       bool lacks);

/* A share in percent, without " %". 100 only for the whole, 0 only for nothing. */
void format_percent(struct buf *buf, uint64_t part, uint64_t whole);

/* Slurm's [DD-]HH:MM:SS */
void format_elapsed(struct buf *buf, uint64_t ms);
/* "1.53 s", "12 min 3 s", "2 h 30 min", "3 d 4 h" */
void format_duration(struct buf *buf, uint64_t ms);

/*
 * Text that others wrote (a job's name), safe for any terminal: control characters, marks that
 * turn the direction of writing, bytes that are no UTF-8, and characters of `also` (NULL: none)
 * come as \x1b or \u202e; all that is not ASCII does where utf8 is false. NULL text: nothing.
 */
void format_text(struct buf *buf, const char *text, bool utf8, const char *also);
/* Columns of a terminal that a text of format_text() takes. */
size_t format_width(const char *text);
/* Bytes of the text that take at most `width` columns. */
size_t format_fit(const char *text, size_t width);

/* Does the locale's LC_CTYPE say UTF-8? setlocale() must have been called. */
bool format_locale_is_utf8(void);

#endif

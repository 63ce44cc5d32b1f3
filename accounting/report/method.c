#include "report/method.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "report/format.h"

void hour_counts_add(struct hour_counts *sum, const struct hour_counts *part)
{
    sum->hours += part->hours;
    sum->annual += part->annual;
    sum->estimated += part->estimated;
    sum->other_basis += part->other_basis;
}

void hour_counts_note(struct hour_counts *counts, unsigned flags)
{
    counts->hours++;
    counts->annual += (flags & HOUR_ANNUAL) != 0;
    counts->estimated += (flags & HOUR_ESTIMATED) != 0;
    counts->other_basis += (flags & HOUR_OTHER_BASIS) != 0;
}

/* --- the grid --------------------------------------------------------------------------------- */

const struct intensity *method_figure(const struct report_method *method,
                                      const struct hour_counts *counts)
{
    const struct grid *grid = method->grid;
    bool is_annual = grid->n_intervals == 0 || (counts->hours > 0 &&
                                                counts->annual == counts->hours);

    return is_annual && grid->n_annual == 1 ? &grid->annual[0] : NULL;
}

static void write_figure(const struct intensity *figure, struct buf *buf)
{
    format_number(buf, (double)figure->ug_per_kwh / 1e6);
    if (figure->year == 0) /* of --gco2 */
        buf_printf(buf, " g/kWh, as given");
    else
        buf_printf(buf, " g/kWh, annual value of %u, %s", figure->year, figure->basis);
}

static void write_doubts(const struct hour_counts *counts, struct buf *buf)
{
    if (counts->annual > 0)
        buf_printf(buf, "; %zu of %zu h at the annual value", counts->annual, counts->hours);
    if (counts->estimated > 0)
        buf_printf(buf, "; %zu of %zu h estimated", counts->estimated, counts->hours);
    if (counts->other_basis > 0)
        buf_printf(buf, "; %zu of %zu h of another basis", counts->other_basis, counts->hours);
}

void method_write_grid(const struct report_method *method, const struct hour_counts *counts,
                       uint64_t mean_ug_per_kwh, bool utf8, struct buf *buf)
{
    const struct intensity *figure = method_figure(method, counts);
    const struct grid *grid = method->grid;
    bool is_annual = counts->annual == counts->hours;

    if (grid->name[0] != '\0') {
        buf_printf(buf, "zone %s (", grid->zone);
        format_text(buf, grid->name, utf8, NULL);
        buf_printf(buf, "), ");
    }
    if (figure) {
        write_figure(figure, buf);
        return;
    }
    if (mean_ug_per_kwh > 0) {
        format_number(buf, (double)mean_ug_per_kwh / 1e6);
        buf_printf(buf, " g/kWh in the mean of ");
    }
    if (is_annual && grid->n_annual > 0) {
        buf_printf(buf, "each year's value, %s", grid->annual[0].basis);
        return;
    }
    buf_printf(buf, "each hour's own, %s", grid->basis);
    if (grid->scope[0] != '\0')
        buf_printf(buf, ", %s", grid->scope);
    write_doubts(counts, buf);
}

void method_write_source(const struct report_method *method, const struct hour_counts *counts,
                         bool utf8, struct buf *buf)
{
    const struct grid *grid = method->grid;
    bool has_own = counts->hours == 0 || counts->annual < counts->hours;
    bool has_annual = counts->hours == 0 || counts->annual > 0;
    const char *glue = "";

    if (has_own && grid->source[0] != '\0') {
        format_text(buf, grid->source, utf8, NULL);
        glue = "; annual values: ";
    }
    if (has_annual && grid->n_annual > 0) {
        buf_printf(buf, "%s", glue);
        format_text(buf, grid->annual[grid->n_annual - 1].source, utf8, NULL);
    }
}

void method_write_pue(const struct report_method *method, struct buf *buf)
{
    if (method->grid->n_pues > 0)
        buf_printf(buf, "of each hour");
    else
        buf_printf(buf, "%.7g", (double)method->grid->pue_ppm / (double)PPM);
}

/* --- the set and its policies ----------------------------------------------------------------- */

void method_write_set(const struct report_method *method, struct buf *buf)
{
    char made[CLOCK_TEXT_SIZE];

    clock_format_utc(method->basis->set.made_s, made);
    buf_printf(buf, "factor set %lld of %.10s", (long long)method->basis->set.number, made);
}

void method_write_mode(const struct report_method *method, struct buf *buf)
{
    const struct basis *basis = method->basis;

    buf_printf(buf, "%s mode: ", embodied_mode_names[basis->mode]);
    if (basis->mode == MODE_CAPACITY)
        buf_printf(buf, "hours held / hours in service");
    else if (basis->mode == MODE_SHARE)
        buf_printf(buf, "hours held / hours held by all jobs");
    else
        buf_printf(buf, "hours held / (hours in service x %.7g expected utilisation)",
                   (double)basis->utilisation_ppm / (double)PPM);
}

size_t method_not_included(const struct report_method *method,
                           const char *ret_words[NOT_INCLUDED_MAX])
{
    const struct basis *basis = method->basis;
    size_t count = 0;

    if (!basis->spread_idle)
        ret_words[count++] = "idle energy that no job held";
    if (!basis->has_inventory)
        ret_words[count++] = "embodied emissions (making the hardware)";
    else if (basis->mode == MODE_CAPACITY)
        ret_words[count++] = "the making of hardware while no job held it";
    return count;
}

void method_write_not_included(const struct report_method *method, struct buf *buf)
{
    const char *words[NOT_INCLUDED_MAX];
    size_t count = method_not_included(method, words);

    for (size_t i = 0; i < count; i++)
        buf_printf(buf, "%s%s", i > 0 ? "; " : "", words[i]);
}

/* --- compared --------------------------------------------------------------------------------- */

void method_write_compared(const struct report_method *method, double mass_g, int indent, bool utf8,
                           struct buf *buf)
{
    const struct equivalences *all = &method->basis->equivalences;

    for (size_t i = 0; i < all->count; i++) {
        const struct equivalence *one = &all->rows[i];
        char text[32];
        struct buf number;

        buf_init_fixed(&number, text, sizeof(text));
        format_number(&number, one->mg > 0 ? mass_g * 1000 / (double)one->mg : 0);
        buf_printf(buf, "%*s%10s  ", indent, "", text);
        format_text(buf, one->name, utf8, NULL);
        buf_printf(buf, "\n%*s%10s  %.9g kg each (%u, ", indent, "", "", (double)one->mg / 1e6,
                   one->year);
        format_text(buf, one->source, utf8, NULL);
        buf_printf(buf, ")\n");
    }
}

/*
 * explain.c - in sections: energy by hour, idle energy that was spread, hardware by month, the sum
 *
 * Each line is one calculation, with its operands in full: joules to the millijoule, factors to the
 * microgram, grams to the nanogram, kilograms to the microgram.
 */
#include "report/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define LINES_MAX 72 /* of energy; more become days */
#define MS_PER_HOUR 3600000.0
#define J_PER_KWH 3600000.0

/* Sources, each once, in the order in which lines name them. */
struct notes {
    char **texts;
    size_t count;
};

struct explaining {
    const struct row *row;
    const struct basis *basis;
    struct buf *buf;
    struct notes notes;
    bool failed;
};

/* --- notes ------------------------------------------------------------------------------------ */

/* The number of a note, from 1; takes the text. */
static size_t note(struct explaining *ex, struct buf *text)
{
    struct notes *notes = &ex->notes;
    char **grown;

    for (size_t i = 0; text->data && i < notes->count; i++) {
        if (strcmp(notes->texts[i], text->data) == 0) {
            buf_free(text);
            return i + 1;
        }
    }
    grown = realloc(notes->texts, (notes->count + 1) * sizeof(*grown));
    if (grown)
        notes->texts = grown;
    if (!grown || buf_failed(text) || !text->data) {
        ex->failed = true;
        buf_free(text);
        return 0;
    }
    notes->texts[notes->count++] = text->data;
    return notes->count;
}

static void write_notes(struct explaining *ex)
{
    if (ex->notes.count > 0)
        buf_printf(ex->buf, "\nSources\n");
    for (size_t i = 0; i < ex->notes.count; i++) {
        buf_printf(ex->buf, "  [%zu] ", i + 1);
        format_text(ex->buf, ex->notes.texts[i], ex->row->style->utf8, NULL);
        buf_printf(ex->buf, "\n");
        free(ex->notes.texts[i]);
    }
    free(ex->notes.texts);
}

/* The annual value that an hour took whole; NULL: none did. */
static const struct intensity *annual_of(const struct grid *grid, const struct grid_hour *hour)
{
    for (size_t i = grid->n_annual; (hour->flags & HOUR_ANNUAL) && i > 0; i--) {
        if (grid->annual[i - 1].ug_per_kwh == hour->ug_per_kwh)
            return &grid->annual[i - 1];
    }
    return NULL;
}

static size_t note_intensity(struct explaining *ex, const struct grid_hour *hour)
{
    const struct grid *grid = ex->row->method->grid;
    const struct intensity *annual = annual_of(grid, hour);
    struct buf text;

    buf_init(&text);
    if (annual && annual->year == 0)
        buf_printf(&text, "g/kWh: as given with --gco2");
    else if (annual)
        buf_printf(&text, "g/kWh: zone %s, annual value of %u, %s: %s", annual->zone, annual->year,
                   annual->basis, annual->source);
    else
        buf_printf(&text, "g/kWh: zone %s, the hour's own%s, %s%s%s: %s", grid->zone,
                   hour->flags & HOUR_ANNUAL ? " for a part of it and the annual value for the rest"
                   : "", grid->basis, grid->scope[0] ? ", " : "", grid->scope, grid->source);
    if (hour->flags & HOUR_ESTIMATED)
        buf_printf(&text, "; a forecast, or estimated by the source");
    return note(ex, &text);
}

static size_t note_pue(struct explaining *ex, int64_t hour_s)
{
    const struct grid *grid = ex->row->method->grid;
    struct buf text;

    buf_init(&text);
    for (size_t i = 0; i < grid->n_pues && text.len == 0; i++) {
        const struct pue_period *period = &grid->pues[i];

        if (period->from_s <= hour_s && hour_s < period->to_s)
            buf_printf(&text, "PUE %.7g: a pue period of inventory.conf: %s",
                       (double)period->pue_ppm / (double)PPM, period->source);
    }
    if (text.len == 0)
        buf_printf(&text, "PUE %.7g: PUE of carbon.conf, as the factor set has it",
                   (double)grid->pue_ppm / (double)PPM);
    return note(ex, &text);
}

/* --- 1. energy -------------------------------------------------------------------------------- */

/* A line: hours of the same factors, or of one day. */
struct energy_line {
    int64_t from_s, to_s;
    size_t hours;
    uint64_t active_mj, idle_mj;
    struct operational_exact emitted;
    struct grid_hour factors; /* of its first hour */
    bool differ;              /* between its hours */
    char label[PART_LABEL_SIZE];           /* of its day */
};

struct energy_lines {
    struct energy_line *lines;
    size_t count;
};

static struct energy_line *add_line(struct energy_lines *lines)
{
    struct energy_line *grown = lines->lines;

    if ((lines->count & (lines->count - 1)) == 0) {
        grown = realloc(grown, (lines->count ? lines->count * 2 : 1) * sizeof(*grown));
        if (!grown)
            return NULL;
        lines->lines = grown;
    }
    grown += lines->count++;
    memset(grown, 0, sizeof(*grown));
    return grown;
}

static bool same_factors(const struct grid_hour *a, const struct grid_hour *b)
{
    return a->ug_per_kwh == b->ug_per_kwh && a->pue_ppm == b->pue_ppm && a->flags == b->flags;
}

/* Does the hour go on the last line? */
static bool belongs(const struct energy_line *last, const struct grid_hour *factors,
                    const char *label, enum parts_by by)
{
    if (by == PARTS_NONE)
        return same_factors(&last->factors, factors);
    return strcmp(last->label, label) == 0;
}

static bool take_hour(struct energy_lines *lines, const struct usage_hour *hour,
                      const struct grid *grid, enum parts_by by)
{
    struct energy_line *line = lines->count > 0 ? &lines->lines[lines->count - 1] : NULL;
    struct grid_hour factors;
    char label[PART_LABEL_SIZE];

    (void)grid_hour(grid, hour->hour_s, &factors);
    part_label(hour->hour_s, by, label);
    if (!line || !belongs(line, &factors, label, by)) {
        line = add_line(lines);
        if (!line)
            return false;
        line->from_s = hour->hour_s;
        line->factors = factors;
        memcpy(line->label, label, sizeof(label));
    }
    line->to_s = hour->hour_s + S_PER_HOUR;
    line->hours++;
    line->active_mj += hour->active_mj;
    line->idle_mj += hour->idle_mj;
    line->differ |= !same_factors(&line->factors, &factors);
    operational_add(&line->emitted, hour->active_mj, hour->idle_mj, factors.pue_ppm,
                    factors.ug_per_kwh);
    return true;
}

static bool make_lines(const struct row *row, enum parts_by by, struct energy_lines *lines)
{
    const struct usage *usage = row->usage;
    bool good = true;

    lines->count = 0;
    for (size_t i = 0; good && i < usage->n_hours; i++)
        good = take_hour(lines, &usage->hours[i], row->method->grid, by);
    return good;
}

static void write_j(struct buf *buf, uint64_t mj)
{
    char text[32];
    struct buf number;

    buf_init_fixed(&number, text, sizeof(text));
    buf_printf(&number, "%" PRIu64 ".%03u", mj / 1000, (unsigned)(mj % 1000));
    buf_printf(buf, " %17s", text);
}

static void write_energy_line(struct explaining *ex, const struct energy_line *line)
{
    char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];
    struct buf *buf = ex->buf;

    clock_format_utc(line->from_s, from);
    clock_format_utc(line->to_s, to);
    buf_printf(buf, "  %.16sZ %.16sZ %5zu", from, to, line->hours);
    write_j(buf, line->active_mj);
    write_j(buf, line->idle_mj);
    if (line->differ)
        buf_printf(buf, " %12s %9s", "each hour's", "own");
    else
        buf_printf(buf, " %12.10g %9.7g", (double)line->factors.ug_per_kwh / 1e6,
                   (double)line->factors.pue_ppm / (double)PPM);
    buf_printf(buf, " %19.9f %19.9f %19.9f", exact_g(line->emitted.active),
               exact_g(line->emitted.idle), exact_g(line->emitted.overhead));
    if (!line->differ) {
        buf_printf(buf, "  [%zu]", note_intensity(ex, &line->factors));
        buf_printf(buf, " [%zu]", note_pue(ex, line->from_s));
    }
    buf_printf(buf, "\n");
}

/* Of lines whose hours differ: every note that one of the job's hours would have. */
static void write_hours_notes(struct explaining *ex)
{
    const struct usage *usage = ex->row->usage;

    for (size_t i = 0; !ex->failed && i < usage->n_hours; i++) {
        struct grid_hour factors;

        (void)grid_hour(ex->row->method->grid, usage->hours[i].hour_s, &factors);
        (void)note_intensity(ex, &factors);
        (void)note_pue(ex, usage->hours[i].hour_s);
    }
    buf_printf(ex->buf, "  sources of the hours' own factors:");
    for (size_t i = 0; i < ex->notes.count; i++)
        buf_printf(ex->buf, " [%zu]", i + 1);
    buf_printf(ex->buf, "\n");
}

static void write_energy_sum(struct explaining *ex, const struct energy_lines *lines)
{
    struct energy_line sum = { .hours = 0 };

    for (size_t i = 0; i < lines->count; i++) {
        sum.hours += lines->lines[i].hours;
        sum.active_mj += lines->lines[i].active_mj;
        sum.idle_mj += lines->lines[i].idle_mj;
    }
    buf_printf(ex->buf, "  %-35s %5zu", "sum", sum.hours);
    write_j(ex->buf, sum.active_mj);
    write_j(ex->buf, sum.idle_mj);
    buf_printf(ex->buf, " %12s %9s %19.9f %19.9f %19.9f\n", "", "", ex->row->grams.active_g,
               ex->row->grams.idle_g, ex->row->grams.overhead_g);
}

static bool any_differ(const struct energy_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->lines[i].differ)
            return true;
    }
    return false;
}

static void write_energy_head(struct explaining *ex, enum parts_by by)
{
    struct buf *buf = ex->buf;

    buf_printf(buf,
               "\n1. Running it: energy x PUE x grid intensity, by UTC hour\n"
               "  active g   = active J / 3600000 x g/kWh   (3600000 J are 1 kWh)\n"
               "  idle g     = idle J / 3600000 x g/kWh\n"
               "  overhead g = (active J + idle J) / 3600000 x g/kWh x (PUE - 1)\n");
    if (by == PARTS_NONE)
        buf_printf(buf, "  Hours one after another that share their factors are on one line.\n");
    else if (by != PARTS_HOUR)
        buf_printf(buf, "  A line is the sum of its hours, each by its own factors; --by hour with "
                   "--explain shows each.\n");
    buf_printf(buf, "\n  %-17s %-17s %5s %17s %17s %12s %9s %19s %19s %19s\n", "from", "to",
               "hours", "active J", "idle J", "g/kWh", "PUE", "active g", "idle g", "overhead g");
}

static void write_energy(struct explaining *ex, enum parts_by by)
{
    const struct row *row = ex->row;
    struct energy_lines lines = { NULL, 0 };

    if (!row->has_grams) {
        buf_printf(ex->buf, "\n1. Running it: unknown: %s\n",
                   !row->method->grid->has_intensity ? row->method->remedy
                   : !row->usage->has ? "none of its energy has been delivered"
                   : "the zone has no figure for all of its hours");
        return;
    }
    if (!make_lines(row, by, &lines))
        ex->failed = true;
    if (!ex->failed && by == PARTS_NONE && lines.count > LINES_MAX) {
        by = PARTS_DAY;
        ex->failed |= !make_lines(row, by, &lines);
    }
    write_energy_head(ex, by);
    for (size_t i = 0; !ex->failed && i < lines.count; i++)
        write_energy_line(ex, &lines.lines[i]);
    if (!ex->failed)
        write_energy_sum(ex, &lines);
    if (!ex->failed && any_differ(&lines))
        write_hours_notes(ex);
    free(lines.lines);
}

/* --- 2. idle energy that was spread ----------------------------------------------------------- */

static const char *device_hours(enum pool_kind pool)
{
    return pool == POOL_GPU ? "GPU-hours" : "core-hours";
}

static void write_month(const struct embodied_line *line, struct buf *buf)
{
    char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];

    clock_format_utc(line->from_s, from);
    clock_format_utc(line->to_s, to);
    buf_printf(buf, "\n  %.16sZ to %.16sZ, %s pool\n", from, to, pool_names[line->pool]);
}

static void write_spread_line(struct explaining *ex, const struct embodied_line *line)
{
    struct buf *buf = ex->buf;
    uint64_t part_mg = line->spread_mg - line->idle_mg;

    write_month(line, buf);
    buf_printf(buf, "    of the pool's nodes    %.9f kWh, %.3f g\n",
               (double)line->idle_mj / (double)MJ_PER_KWH, (double)line->idle_mg / 1000);
    if (line->outside_mj > 0)
        buf_printf(buf, "    of nodes in no pool    %.9f kWh, %.3f g; the pool's part, by "
                   "node-hours in service: %.3f g\n",
                   (double)line->outside_mj / (double)MJ_PER_KWH, (double)line->outside_mg / 1000,
                   (double)part_mg / 1000);
    buf_printf(buf, "    spread g = %.3f g x %.6f / %.6f %s, held by it and by all jobs = %.9f\n",
               (double)line->spread_mg / 1000, (double)line->held_ms / MS_PER_HOUR,
               (double)line->total_held_ms / MS_PER_HOUR, device_hours(line->pool),
               fine_g(line->spread));
}

static void write_spread(struct explaining *ex)
{
    const struct job_carbon *carbon = ex->row->carbon;

    if (ex->basis->set.number == 0) {
        buf_printf(ex->buf, "\n2. Idle energy that no job held: unknown: no factor set in the "
                   "database says whose it is\n");
        return;
    }
    if (!ex->basis->spread_idle) {
        buf_printf(ex->buf, "\n2. Idle energy that no job held: not attributed to jobs "
                   "(IdlePolicy=separate)\n");
        return;
    }
    buf_printf(ex->buf, "\n2. Idle energy that no job held, spread (IdlePolicy=spread): each UTC "
               "month's, hour by hour\n   with PUE and intensity as in 1, to jobs by %s held\n",
               "GPU-hours or core-hours");
    for (size_t i = 0; i < carbon->n_lines; i++)
        write_spread_line(ex, &carbon->lines[i]);
}

/* --- 3. hardware ------------------------------------------------------------------------------ */

/* "2500 (2500 to 2561)" */
static void write_kg(struct buf *buf, double low, double central, double high, int decimals)
{
    if (decimals > 0)
        buf_printf(buf, "%.*f (%.*f to %.*f)", decimals, central, decimals, low, decimals, high);
    else
        buf_printf(buf, "%.12g (%.12g to %.12g)", central, low, high);
}

static void write_fine_kg(struct buf *buf, const struct range_fine *amount)
{
    write_kg(buf, fine_g(amount->of[0]) / 1000, fine_g(amount->of[1]) / 1000,
             fine_g(amount->of[2]) / 1000, 12);
}

static double amortised_kg(uint64_t piece_mg, const struct asset_part *part)
{
    return (double)piece_mg / 1e6 * ((double)part->service_ms / MS_PER_HOUR) /
           (double)part->asset->lifetime_h;
}

static bool is_shared(const struct asset_part *part)
{
    return part->type < 0 || part->asset->class == ASSET_SHARED;
}

static void write_asset(struct explaining *ex, const struct asset_part *part)
{
    const struct asset *asset = part->asset;
    struct buf *buf = ex->buf, source;

    buf_init(&source);
    buf_printf(&source, "asset \"%s\": %s", asset->name, asset->source);
    buf_printf(buf, "    ");
    format_text(buf, asset->name, ex->row->style->utf8, NULL);
    if (part->type >= 0)
        buf_printf(buf, " of node_type \"%s\"", ex->basis->inventory.types[part->type].name);
    buf_printf(buf, ": %" PRIu64 " in service%s%s [%zu]\n      ", part->pieces,
               part->service_ms == 0 ? ", their lifetime over" : "",
               is_shared(part) ? ", shared" : "", note(ex, &source));
    write_kg(buf, (double)asset->low_mg / 1e6, (double)asset->central_mg / 1e6,
             (double)asset->high_mg / 1e6, 0);
    buf_printf(buf, " kg each x %.6f h in service / %" PRIu64 " h of life = ",
               (double)part->service_ms / MS_PER_HOUR, asset->lifetime_h);
    write_kg(buf, amortised_kg(asset->low_mg, part), amortised_kg(asset->central_mg, part),
             amortised_kg(asset->high_mg, part), 12);
    buf_printf(buf, " kg\n");
}

static bool is_of_pool(const struct explaining *ex, const struct asset_part *part,
                       enum pool_kind pool)
{
    const struct embodied_node node = { "", part->type, 0, 0 };

    return !is_shared(part) && embodied_pool_of(&ex->basis->inventory, &node) == pool;
}

static void write_shared(struct explaining *ex, const struct embodied_line *line)
{
    const struct embodied_period *period = line->period;
    const struct pool *pools = period->pools;
    double pool_h = (double)pools[line->pool].node_ms / MS_PER_HOUR;
    double all_ms = (double)pools[POOL_GPU].node_ms + (double)pools[POOL_CPU].node_ms;
    double all_h = all_ms / MS_PER_HOUR;
    double low = 0, central = 0, high = 0;

    for (size_t i = 0; i < period->n_parts; i++) {
        const struct asset_part *part = &period->parts[i];

        if (!is_shared(part) || part->pieces == 0)
            continue;
        write_asset(ex, part);
        low += amortised_kg(part->asset->low_mg, part);
        central += amortised_kg(part->asset->central_mg, part);
        high += amortised_kg(part->asset->high_mg, part);
    }
    if (high <= 0 || all_h <= 0)
        return;
    buf_printf(ex->buf, "    the pool's part of what is shared, by node-hours in service: %.12g kg "
               "x %.6f / %.6f = ", central, pool_h, all_h);
    write_kg(ex->buf, low * pool_h / all_h, central * pool_h / all_h, high * pool_h / all_h, 12);
    buf_printf(ex->buf, " kg\n");
}

static void write_rule(struct explaining *ex, const struct embodied_line *line)
{
    const struct pool *pool = &line->period->pools[line->pool];
    const char *device = device_hours(line->pool);
    double held_h = (double)line->used_ms / MS_PER_HOUR;
    double service_h = (double)pool->available_ms / MS_PER_HOUR;
    struct buf *buf = ex->buf;

    buf_printf(buf, "    pool kg, the sum of these = ");
    write_fine_kg(buf, &pool->fine);
    buf_printf(buf, "\n    in service %.6f %s (of %.6f node-hours), held by the job %.6f\n",
               service_h, device, (double)pool->node_ms / MS_PER_HOUR, held_h);
    buf_printf(buf, "    embodied kg = pool kg x %.6f / ", held_h);
    if (ex->basis->mode == MODE_SHARE)
        buf_printf(buf, "%.6f held by all jobs = ", (double)line->total_used_ms / MS_PER_HOUR);
    else if (ex->basis->mode == MODE_PLANNED)
        buf_printf(buf, "(%.6f x %.7g expected utilisation) = ", service_h,
                   (double)ex->basis->utilisation_ppm / (double)PPM);
    else
        buf_printf(buf, "%.6f = ", service_h);
    write_fine_kg(buf, &line->amount);
    buf_printf(buf, "\n");
}

static void write_hardware(struct explaining *ex)
{
    const struct job_carbon *carbon = ex->row->carbon;
    struct buf *buf = ex->buf;

    buf_printf(buf, "\n3. Making the hardware (embodied): ");
    if (!ex->row->has_embodied) {
        buf_printf(buf, "unknown: ");
        row_write_embodied_unknown(ex->row, buf);
        buf_printf(buf, "\n");
        return;
    }
    method_write_mode(ex->row->method, buf);
    buf_printf(buf, "\n   for each UTC month and pool; in brackets the low and high estimate\n");
    for (size_t i = 0; i < carbon->n_lines; i++) {
        const struct embodied_line *line = &carbon->lines[i];

        if (line->used_ms == 0)
            continue;
        write_month(line, buf);
        for (size_t j = 0; j < line->period->n_parts; j++) {
            const struct asset_part *part = &line->period->parts[j];

            if (part->pieces > 0 && is_of_pool(ex, part, line->pool))
                write_asset(ex, part);
        }
        write_shared(ex, line);
        write_rule(ex, line);
    }
    if (!carbon->embodied.missing)
        return;
    buf_printf(buf, "\n  MISSING: the making of ");
    row_write_missing_nodes(ex->row, buf);
    buf_printf(buf, ", for which inventory.conf has no asset of class GPU or CPU\n");
}

/* --- 4. the sum ------------------------------------------------------------------------------- */

static void write_sum(struct explaining *ex)
{
    const struct row *row = ex->row;
    struct buf *buf = ex->buf;

    buf_printf(buf, "\n4. Sum\n");
    if (row->has_grams) {
        buf_printf(buf, "  active g      = %.9f\n  idle g        = %.9f\n  spread g      = %.9f\n"
                   "  overhead g    = %.9f\n  operational g = %.9f, their sum\n",
                   row->grams.active_g, row->grams.idle_g, row->spread_g, row->grams.overhead_g,
                   row->operational_g);
    } else {
        buf_printf(buf, "  operational g = unknown\n");
    }
    buf_printf(buf, "  embodied g    = ");
    if (row->has_embodied)
        write_kg(buf, row->embodied.low, row->embodied.central, row->embodied.high, 9);
    else
        buf_printf(buf, "unknown");
    buf_printf(buf, "\n  total g       = ");
    if (row->has_total)
        write_kg(buf, row->total.low, row->total.central, row->total.high, 9);
    else
        buf_printf(buf, "unknown");
    buf_printf(buf, "\n");
    if (row->has_grams)
        buf_printf(buf, "  The card shows three significant figures of the total, and parts that "
                   "add up as shown.\n");
}

/* --- the whole -------------------------------------------------------------------------------- */

static void write_head(struct explaining *ex)
{
    const struct row *row = ex->row;

    buf_printf(ex->buf, "Job ");
    row_job_id(row, false, ex->buf);
    if (row->job->name) {
        buf_printf(ex->buf, "  ");
        format_text(ex->buf, row->job->name, row->style->utf8, NULL);
    }
    buf_printf(ex->buf, "\nHow its emissions were computed");
    if (ex->basis->set.number > 0) {
        buf_printf(ex->buf, ", by ");
        method_write_set(row->method, ex->buf);
    }
    buf_printf(ex->buf, "\n");
    if (row->method->what_if)
        buf_printf(ex->buf, "WHAT IF %s: not what the job emitted\n", row->method->what_if);
    if (row->style->clipped) {
        char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];

        clock_format_utc(row->style->from_s, from);
        clock_format_utc(row->style->to_s, to);
        buf_printf(ex->buf, "Only its time from %s to %s\n", from, to);
    }
    if (row_is_open(row)) {
        char as_of[CLOCK_TEXT_SIZE];

        clock_format_utc(job_as_of_s(row->job), as_of);
        buf_printf(ex->buf, "It runs still: as of %s, the last delivery\n", as_of);
    }
}

int explain_write(const struct row *row, enum parts_by by, struct buf *buf, struct error *err)
{
    struct explaining ex = { .row = row, .basis = row->method->basis, .buf = buf };

    write_head(&ex);
    write_energy(&ex, by);
    write_spread(&ex);
    write_hardware(&ex);
    write_sum(&ex);
    write_notes(&ex);
    return ex.failed || buf_failed(buf) ? error_set(err, -ENOMEM, "no memory to explain a job") : 0;
}

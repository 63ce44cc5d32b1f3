#include "report/card.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/apportion.h"
#include "core/clock.h"
#include "core/timespec.h"

#define NS_PER_S_SIGNED ((int64_t)NS_PER_S)
#define LABEL_WIDTH 10
#define CELL_WIDTH 11
#define TIME_FORMAT "%Y-%m-%d %H:%M:%S %Z"

static const char *const component_titles[] = { "processors", "memory", "GPUs", "rest of node" };

/* The card in the making. */
struct card {
    const struct row *row;
    const struct report_style *style;
    struct buf *buf;
    const char *co2e; /* as the locale can write it */
    bool compare;
};

static void bold(struct card *card, const char *text)
{
    buf_printf(card->buf, card->style->colour ? "\033[1m%s\033[0m" : "%s", text);
}

/* Begin a line: "  Nodes     " */
static void label(struct card *card, const char *text)
{
    buf_printf(card->buf, "  %-*s", LABEL_WIDTH, text);
}

static void foreign(struct card *card, const char *text)
{
    format_text(card->buf, text, card->style->utf8, NULL);
}

static void instant(struct card *card, int64_t instant_s)
{
    char text[TIMESPEC_SIZE];
    const char *format = card->style->time_format;

    timespec_format(instant_s, format && *format ? format : TIME_FORMAT, card->style->now_s, text);
    buf_printf(card->buf, "%s", text);
}

/* --- who, where, when ------------------------------------------------------------------------- */

static void write_title(struct card *card)
{
    const struct state *state = row_state(card->row);
    bool good = strcmp(state->name, "COMPLETED") == 0 || strcmp(state->name, "RUNNING") == 0;
    struct buf id;

    buf_init(&id);
    buf_printf(&id, "Job ");
    row_job_id(card->row, false, &id);
    if (!buf_failed(&id))
        bold(card, id.data);
    card->buf->failed |= buf_failed(&id);
    buf_free(&id);
    if (card->row->job->name) {
        buf_printf(card->buf, "  ");
        foreign(card, card->row->job->name);
    }
    if (card->style->colour)
        buf_printf(card->buf, "  \033[%dm%s\033[0m\n", good ? 32 : 31, state->name);
    else
        buf_printf(card->buf, "  %s\n", state->name);
}

static void write_field(struct card *card, const char *name, const char *text, const char **glue)
{
    if (!text)
        return;
    buf_printf(card->buf, "%s%s ", *glue, name);
    foreign(card, text);
    *glue = ", ";
}

static void write_who(struct card *card)
{
    const struct query_job *job = card->row->job;
    const char *glue = ", ";

    label(card, "User");
    if (job->user)
        foreign(card, job->user);
    else if (job->uid.has)
        buf_printf(card->buf, "%lld", (long long)job->uid.value);
    else
        buf_printf(card->buf, "unknown");
    write_field(card, "account", job->account, &glue);
    write_field(card, "partition", job->partition, &glue);
    write_field(card, "cluster", job->cluster, &glue);
    buf_printf(card->buf, "\n");
}

static void write_held(struct card *card, uint64_t count, const char *one, const char *many)
{
    if (count > 0)
        buf_printf(card->buf, ", %llu %s", (unsigned long long)count, count == 1 ? one : many);
}

static void write_where(struct card *card)
{
    const struct query_job *job = card->row->job;
    uint64_t cores = 0, gpus = 0;
    bool cores_known = true;
    struct buf list;

    buf_init(&list);
    row_node_list(card->row, &list);
    label(card, "Nodes");
    foreign(card, list.data ? list.data : "none reported");
    buf_free(&list);
    for (size_t i = 0; i < job->n_nodes; i++) {
        cores += job->nodes[i].cores;
        cores_known &= job->nodes[i].cores > 0;
        gpus += job->nodes[i].gpus;
    }
    write_held(card, cores_known ? cores : 0, "core", "cores");
    write_held(card, gpus, "GPU", "GPUs");
    if (job->node_count.has && job->node_count.value > (int64_t)job->n_nodes)
        buf_printf(card->buf, "; %zu of %lld nodes reported: the others' energy is missing here",
                   job->n_nodes, (long long)job->node_count.value);
    buf_printf(card->buf, "\n");
}

static void write_when(struct card *card)
{
    label(card, "Time");
    instant(card, row_begin_ns(card->row) / NS_PER_S_SIGNED);
    if (!row_is_open(card->row)) {
        buf_printf(card->buf, " to ");
        instant(card, row_end_ns(card->row) / NS_PER_S_SIGNED);
    }
    buf_printf(card->buf, ", ");
    format_duration(card->buf, row_elapsed_ms(card->row));
    buf_printf(card->buf, "\n");
    if (row_is_open(card->row)) {
        label(card, "");
        buf_printf(card->buf, "as of ");
        instant(card, job_as_of_s(card->row->job));
        buf_printf(card->buf, " (last delivery), still running\n");
    }
    if (card->style->clipped) {
        label(card, "");
        buf_printf(card->buf, "times and energy within ");
        instant(card, card->style->from_s);
        buf_printf(card->buf, " to ");
        instant(card, card->style->to_s);
        buf_printf(card->buf, "\n");
    }
}

/* --- energy ----------------------------------------------------------------------------------- */

static struct scale energy_scale(const struct card *card)
{
    const struct unit *unit = card->style->energy_unit;

    if (!unit && card->style->base_units)
        unit = energy_units;
    return scale_of(energy_units, unit, (double)usage_mj(card->row->usage));
}

/* What the card shows of energy: ticks of the scale, the last place for the sum. */
struct energy_ticks {
    uint64_t active[COMPONENT_COUNT + 1], idle[COMPONENT_COUNT + 1];
};

/* Rows and columns add up: the sum is split into active and idle, either over the components. */
static struct energy_ticks energy_ticks_of(const struct usage *usage, const struct scale *scale)
{
    struct energy_ticks ticks = { { 0 }, { 0 } };
    uint64_t weights[] = { usage_active_mj(usage), usage_idle_mj(usage) }, parts[2];

    (void)apportion(scale_ticks(scale, (double)usage_mj(usage)), weights, 2, parts);
    ticks.active[COMPONENT_COUNT] = parts[0];
    ticks.idle[COMPONENT_COUNT] = parts[1];
    (void)apportion(parts[0], usage->active_mj, COMPONENT_COUNT, ticks.active);
    (void)apportion(parts[1], usage->idle_mj, COMPONENT_COUNT, ticks.idle);
    return ticks;
}

/* One number under a heading */
static void cell(struct card *card, const struct scale *scale, uint64_t ticks, bool something)
{
    char text[64];
    struct buf room;

    buf_init_fixed(&room, text, sizeof(text));
    scale_write(&room, scale, ticks, something);
    buf_printf(card->buf, "%*s", CELL_WIDTH, text);
}

/* Line `i` of the table: a component, or COMPONENT_COUNT for the sum. */
static void energy_line(struct card *card, const struct scale *scale,
                        const struct energy_ticks *ticks, int i)
{
    const struct usage *usage = card->row->usage;
    uint64_t active_mj = i < COMPONENT_COUNT ? usage->active_mj[i] : usage_active_mj(usage);
    uint64_t idle_mj = i < COMPONENT_COUNT ? usage->idle_mj[i] : usage_idle_mj(usage);

    buf_printf(card->buf, "  %-*s", LABEL_WIDTH + 4,
               i < COMPONENT_COUNT ? component_titles[i] : "total");
    cell(card, scale, ticks->active[i] + ticks->idle[i], active_mj + idle_mj > 0);
    buf_printf(card->buf, " %-3s", scale->unit->name);
    cell(card, scale, ticks->active[i], active_mj > 0);
    cell(card, scale, ticks->idle[i], idle_mj > 0);
    buf_printf(card->buf, "\n");
}

static void write_power(struct card *card)
{
    uint64_t mw;

    label(card, "power");
    buf_printf(card->buf, "average ");
    if (row_average_mw(card->row, &mw))
        format_amount(card->buf, (double)mw, power_units, NULL);
    else
        buf_printf(card->buf, "unknown");
    buf_printf(card->buf, ", peak ");
    if (row_peak_mw(card->row, &mw)) {
        format_amount(card->buf, (double)mw, power_units, NULL);
        buf_printf(card->buf, " (highest one-minute mean, ");
        instant(card, card->row->job->peak_minute_s);
        buf_printf(card->buf, ")");
    } else {
        buf_printf(card->buf, "unknown");
    }
    buf_printf(card->buf, "\n");
}

static void write_energy(struct card *card)
{
    const struct usage *usage = card->row->usage;
    struct scale scale = energy_scale(card);
    struct energy_ticks ticks = energy_ticks_of(usage, &scale);

    buf_printf(card->buf, "\n");
    bold(card, "Energy");
    if (!usage->has) {
        buf_printf(card->buf, "      unknown: none of its energy has been delivered\n");
        return;
    }
    buf_printf(card->buf, "%*s%*s%*s\n", LABEL_WIDTH + CELL_WIDTH, "total", CELL_WIDTH + 4,
               "active", CELL_WIDTH, "idle");
    for (int i = 0; i < COMPONENT_COUNT; i++) {
        if (usage->components & 1u << i)
            energy_line(card, &scale, &ticks, i);
    }
    energy_line(card, &scale, &ticks, COMPONENT_COUNT);
    write_power(card);
}

/* --- carbon ----------------------------------------------------------------------------------- */

/* Grams as whole micrograms: weights to share ticks out by. */
static uint64_t micrograms(double mass_g)
{
    return (uint64_t)(mass_g * 1e6 + 0.5);
}

/* The total, or what is known of it. */
static double known_g(const struct row *row)
{
    if (row->has_total)
        return row->total.central;
    return row->has_grams ? row->operational_g : row->embodied.central;
}

static struct scale mass_scale(const struct card *card)
{
    return scale_of(mass_units, card->style->base_units ? &mass_units[1] : NULL,
                    known_g(card->row) * 1e6);
}

static void carbon_line(struct card *card, const char *title, const struct scale *scale,
                        uint64_t ticks, bool something, const char *words)
{
    buf_printf(card->buf, "  %-*s", LABEL_WIDTH + 4, title);
    cell(card, scale, ticks, something);
    buf_printf(card->buf, *words ? " %-3s  %s\n" : " %s%s\n", scale->unit->name, words);
}

/* Parts of the total, in the order of the card. */
enum { PART_ACTIVE, PART_IDLE, PART_SPREAD, PART_OVERHEAD, PART_EMBODIED, PARTS };

/* What the card shows: ticks that add up. */
struct mass_ticks {
    struct scale scale;
    bool something[PARTS];
    uint64_t parts[PARTS], operational, total;
    struct {
        uint64_t low, high;
    } embodied; /* never on the wrong side of the part */
};

static struct mass_ticks mass_ticks_of(const struct card *card)
{
    const struct row *row = card->row;
    struct mass_ticks ticks = { .scale = mass_scale(card) };
    const double grams[PARTS] = { row->grams.active_g, row->grams.idle_g, row->spread_g,
                                  row->grams.overhead_g,
                                  row->has_embodied ? row->embodied.central : 0 };
    uint64_t weights[PARTS], low, high;

    for (int i = 0; i < PARTS; i++) {
        weights[i] = micrograms(grams[i]);
        ticks.something[i] = weights[i] > 0;
    }
    ticks.total = scale_ticks(&ticks.scale, known_g(row) * 1e6);
    (void)apportion(ticks.total, weights, PARTS, ticks.parts);
    ticks.operational = ticks.total - ticks.parts[PART_EMBODIED];
    low = scale_ticks(&ticks.scale, row->embodied.low * 1e6);
    high = scale_ticks(&ticks.scale, row->embodied.high * 1e6);
    if (row->embodied.low >= row->embodied.central || low > ticks.parts[PART_EMBODIED])
        low = ticks.parts[PART_EMBODIED];
    if (row->embodied.high <= row->embodied.central || high < ticks.parts[PART_EMBODIED])
        high = ticks.parts[PART_EMBODIED];
    ticks.embodied.low = low;
    ticks.embodied.high = high;
    return ticks;
}

/* "61.2 to 67.2 g", or nothing where there is no range */
static void write_range(const struct mass_ticks *ticks, uint64_t above, struct buf *buf)
{
    if (ticks->embodied.low == ticks->embodied.high)
        return;
    scale_write(buf, &ticks->scale, above + ticks->embodied.low, true);
    buf_printf(buf, " to ");
    scale_write(buf, &ticks->scale, above + ticks->embodied.high, true);
    buf_printf(buf, " %s", ticks->scale.unit->name);
}

static void write_operational(struct card *card, const struct mass_ticks *ticks)
{
    static const char *const titles[] = { "active", "idle", "spread", "overhead" };
    static const char *const words[] = {
        "what the work drew above idle", "idle draw of what the job held",
        "its part of idle energy that no job held", NULL,
    };
    char overhead[64];

    snprintf(overhead, sizeof(overhead), "cooling and losses of the building (PUE %.7g)",
             (double)card->row->pue_ppm / (double)PPM);
    for (int i = PART_ACTIVE; i <= PART_OVERHEAD; i++) {
        if (i == PART_SPREAD && !card->row->method->basis->spread_idle)
            continue;
        carbon_line(card, titles[i], &ticks->scale, ticks->parts[i], ticks->something[i],
                    words[i] ? words[i] : overhead);
    }
    carbon_line(card, "operational", &ticks->scale, ticks->operational,
                card->row->operational_g > 0, "all of running it: the lines above");
}

static void write_embodied(struct card *card, const struct mass_ticks *ticks)
{
    const struct job_embodied *embodied = &card->row->carbon->embodied;
    char text[160];
    struct buf words;

    buf_init_fixed(&words, text, sizeof(text));
    if (embodied->gpu_ms + embodied->core_ms == 0)
        buf_printf(&words, "GPU nodes are shared by GPU-hours, and it held no GPU");
    else
        buf_printf(&words, "its part of making the hardware, by %s",
                   embodied->core_ms == 0 ? "GPU-hours" : embodied->gpu_ms == 0 ? "core-hours"
                   : "GPU- and core-hours");
    if (ticks->embodied.low < ticks->embodied.high) {
        buf_printf(&words, " (");
        write_range(ticks, 0, &words);
        buf_printf(&words, ")");
    }
    carbon_line(card, "embodied", &ticks->scale, ticks->parts[PART_EMBODIED],
                ticks->something[PART_EMBODIED], text);
}

static void write_total(struct card *card, const struct mass_ticks *ticks)
{
    char text[160] = "";
    struct buf words;

    buf_init_fixed(&words, text, sizeof(text));
    write_range(ticks, ticks->operational, &words);
    buf_printf(&words, "%s", words.len > 0 ? ", by the estimates of embodied" : "");
    carbon_line(card, "total", &ticks->scale, ticks->total, ticks->total > 0, text);
}

static void unknown_line(struct card *card, const char *title, const char *words)
{
    buf_printf(card->buf, "  %-*s%*s      ", LABEL_WIDTH + 4, title, CELL_WIDTH, "unknown");
    foreign(card, words);
    buf_printf(card->buf, "\n");
}

static void write_embodied_unknown(struct card *card)
{
    struct buf why;

    buf_init(&why);
    row_write_embodied_unknown(card->row, &why);
    unknown_line(card, "embodied", why.data);
    unknown_line(card, "total", "more than the operational emissions alone");
    card->buf->failed |= buf_failed(&why);
    buf_free(&why);
}

static void write_how(struct card *card)
{
    const struct row *row = card->row;
    const struct report_method *method = row->method;

    label(card, "running");
    buf_printf(card->buf, "energy x PUE ");
    method_write_pue(method, card->buf);
    buf_printf(card->buf, " x grid intensity%s\n",
               method_figure(method, &row->hours) ? "" : ", summed over UTC hours");
    label(card, "grid");
    method_write_grid(method, &row->hours, row->ug_per_kwh, card->style->utf8, card->buf);
    buf_printf(card->buf, "\n");
    label(card, "source");
    method_write_source(method, &row->hours, card->style->utf8, card->buf);
    buf_printf(card->buf, "\n");
}

static void write_hardware(struct card *card)
{
    const struct row *row = card->row;
    const char *words[NOT_INCLUDED_MAX];

    if (row->method->basis->has_inventory) {
        label(card, "hardware");
        buf_printf(card->buf, "inventory.conf of the factor set; ");
        method_write_mode(row->method, card->buf);
        buf_printf(card->buf, "\n");
    }
    if (row->has_embodied && row->carbon->embodied.missing) {
        label(card, "MISSING");
        buf_printf(card->buf, "the making of ");
        row_write_missing_nodes(row, card->buf);
        buf_printf(card->buf, ", for which inventory.conf has no asset of class GPU or CPU\n");
    }
    if (method_not_included(row->method, words) == 0)
        return;
    buf_printf(card->buf, "  not included: ");
    method_write_not_included(row->method, card->buf);
    buf_printf(card->buf, "\n");
}

static void why_unknown(const struct row *row, struct buf *why)
{
    const struct report_method *method = row->method;

    if (!method->grid->has_intensity)
        buf_printf(why, "%s", method->remedy);
    else if (!row->usage->has)
        buf_printf(why, "none of its energy has been delivered");
    else
        buf_printf(why, "zone %s has no figure for all of its hours; `carbonctl grid import` adds "
                   "them", method->grid->zone);
}

static void write_compared(struct card *card)
{
    const struct row *row = card->row;
    const struct unit *unit = card->style->base_units ? &mass_units[1] : NULL;

    buf_printf(card->buf, "\n");
    bold(card, "Compared");
    if (row->method->basis->equivalences.count == 0) {
        buf_printf(card->buf, "    factor set %lld has no equivalences.csv\n",
                   (long long)row->method->basis->set.number);
        return;
    }
    if (!row->has_grams && !row->has_embodied) {
        buf_printf(card->buf, "    with nothing: its emissions are unknown\n");
        return;
    }
    buf_printf(card->buf, "    the %s ",
               row->has_total ? "total" : row->has_grams ? "operational" : "embodied");
    format_amount(card->buf, known_g(row) * 1e6, mass_units, unit);
    buf_printf(card->buf, " %s is as much as any one of\n", card->co2e);
    method_write_compared(row->method, known_g(row), 2, card->style->utf8, card->buf);
}

/* By which factors, and what is supposed. */
static void write_carbon_head(struct card *card)
{
    const struct report_method *method = card->row->method;

    buf_printf(card->buf, " (%s)  by ", card->co2e);
    method_write_set(method, card->buf);
    if (card->row->has_embodied)
        buf_printf(card->buf, ", embodied in %s mode", embodied_mode_names[method->basis->mode]);
    buf_printf(card->buf, "\n");
    if (method->what_if) {
        buf_printf(card->buf, "  ");
        bold(card, "WHAT IF");
        buf_printf(card->buf, " %s: not what the job emitted\n", method->what_if);
    }
}

/* Running it is unknown: what is known of its hardware is told all the same. */
static void write_carbon_unknown(struct card *card)
{
    struct mass_ticks ticks = mass_ticks_of(card);
    struct buf why;

    buf_init(&why);
    why_unknown(card->row, &why);
    if (card->row->has_embodied) {
        write_carbon_head(card);
        unknown_line(card, "operational", why.data);
        write_embodied(card, &ticks);
        unknown_line(card, "total", "more than the embodied emissions alone");
        write_hardware(card);
    } else {
        buf_printf(card->buf, "      unknown: %s\n", why.data ? why.data : "");
    }
    card->buf->failed |= buf_failed(&why);
    buf_free(&why);
}

static void write_carbon_known(struct card *card)
{
    struct mass_ticks ticks = mass_ticks_of(card);

    write_carbon_head(card);
    write_operational(card, &ticks);
    if (card->row->has_embodied) {
        write_embodied(card, &ticks);
        write_total(card, &ticks);
    } else {
        write_embodied_unknown(card);
    }
    write_how(card);
    write_hardware(card);
}

static void write_carbon(struct card *card)
{
    buf_printf(card->buf, "\n");
    bold(card, "Carbon");
    if (card->row->has_grams)
        write_carbon_known(card);
    else
        write_carbon_unknown(card);
    if (card->compare)
        write_compared(card);
}

/* --- quality ---------------------------------------------------------------------------------- */

static void write_unmetered(struct card *card)
{
    const struct query_job *job = card->row->job;
    unsigned missing = ~card->row->usage->components;
    const char *glue = "not metered: ";
    bool has_gpus = false;

    for (size_t i = 0; i < job->n_nodes; i++)
        has_gpus |= job->nodes[i].gpus > 0;
    for (int i = 0; i < COMPONENT_COUNT; i++) {
        if (!(missing & 1u << i) || (i == COMPONENT_GPU && !has_gpus))
            continue;
        if (*glue == 'n')
            label(card, "");
        buf_printf(card->buf, "%s%s", glue, component_titles[i]);
        glue = ", ";
    }
    buf_printf(card->buf, "%s", *glue == 'n' ? "" : "\n");
}

static void write_shares(struct card *card)
{
    const struct usage *usage = card->row->usage;
    const char *glue = "";

    for (int i = 0; i < QUALITY_COUNT; i++) {
        if (usage->quality_mj[i] == 0)
            continue;
        buf_printf(card->buf, "%s", glue);
        format_percent(card->buf, usage->quality_mj[i], usage_mj(usage));
        buf_printf(card->buf, " %% of the energy %s",
                   i == QUALITY_GAP ? "bridged over a gap" : quality_names[i]);
        glue = ", ";
    }
    if (usage->sensors[0] != '\0') {
        buf_printf(card->buf, " (sensor: ");
        foreign(card, usage->sensors);
        buf_printf(card->buf, ")");
    }
}

static void write_coverage(struct card *card)
{
    const struct usage *usage = card->row->usage;

    label(card, "");
    if (usage->elapsed_ms == 0) {
        buf_printf(card->buf, "coverage unknown\n");
        return;
    }
    format_percent(card->buf, usage->metered_ms, usage->elapsed_ms);
    buf_printf(card->buf, " %% of the time covered");
    if (usage->gap_ms > 0) {
        buf_printf(card->buf, "; gaps ");
        format_percent(card->buf, usage->gap_ms, usage->elapsed_ms);
        buf_printf(card->buf, " %%, whose energy is unknown and not in the figures");
    }
    buf_printf(card->buf, "\n");
}

static void write_quality(struct card *card)
{
    uint32_t flags = row_flags(card->row);

    buf_printf(card->buf, "\n");
    bold(card, "Quality");
    buf_printf(card->buf, "%*s", LABEL_WIDTH + 2 - (int)strlen("Quality"), "");
    if (card->row->usage->has) {
        if (usage_mj(card->row->usage) > 0)
            write_shares(card);
        else
            buf_printf(card->buf, "no energy counted");
        buf_printf(card->buf, "\n");
        write_coverage(card);
        write_unmetered(card);
    } else {
        buf_printf(card->buf, "unknown\n");
    }
    for (unsigned bit = 0; flag_words(bit); bit++) {
        if (flags & 1u << bit) {
            label(card, "note");
            buf_printf(card->buf, "%s\n", flag_words(bit));
        }
    }
}

/* --- steps ------------------------------------------------------------------------------------ */

enum { STEP_COLUMNS = 5 };

/* Amounts of the listed steps as shown: ticks of the job's figures, that add up to those. */
struct shown {
    struct scale energy, mass;
    uint64_t *energy_ticks, *mass_ticks; /* one for each step */
};

static int share_out(const struct card *card, size_t count, struct shown *shown)
{
    uint64_t *weights = calloc(count + 1, sizeof(*weights));
    struct mass_ticks mass = mass_ticks_of(card);

    shown->energy = energy_scale(card);
    shown->mass = mass.scale;
    shown->energy_ticks = calloc(count + 1, sizeof(*shown->energy_ticks));
    shown->mass_ticks = calloc(count + 1, sizeof(*shown->mass_ticks));
    if (!weights || !shown->energy_ticks || !shown->mass_ticks) {
        free(weights);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        weights[i] = usage_mj(&row_step(card->row->job, i)->usage);
    (void)apportion(scale_ticks(&shown->energy, (double)usage_mj(card->row->usage)), weights, count,
                    shown->energy_ticks);
    (void)apportion(mass.operational - mass.parts[PART_SPREAD], weights, count, shown->mass_ticks);
    free(weights);
    return 0;
}

static void step_amount(bool known, const struct scale *scale, uint64_t ticks, bool something,
                        struct buf *text)
{
    if (known)
        scale_write(text, scale, ticks, something);
    buf_printf(text, known ? " %s" : "unknown", scale->unit->name);
}

static void step_texts(const struct card *card, const struct shown *shown, size_t place,
                       struct buf texts[STEP_COLUMNS])
{
    const struct query_step *step = row_step(card->row->job, place);
    struct row row = row_of(card->row->job, step, NULL, card->row->method, card->style);
    const struct state *state = row_state(&row);
    bool something = usage_mj(&step->usage) > 0;

    buf_printf(&texts[0], "  ");
    step_name(step->step_id, &texts[0]);
    if (row_has_times(&row))
        format_duration(&texts[1], row_elapsed_ms(&row));
    step_amount(step->usage.has, &shown->energy, shown->energy_ticks[place], something, &texts[2]);
    step_amount(row.has_grams, &shown->mass, shown->mass_ticks[place], something, &texts[3]);
    buf_printf(&texts[4], "%s", state ? state->name : "outside of steps");
}

static int add_step(struct libscols_table *table, const struct card *card,
                    const struct shown *shown, size_t place)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    struct buf texts[STEP_COLUMNS];
    int rc = line ? 0 : -ENOMEM;

    for (int i = 0; i < STEP_COLUMNS; i++)
        buf_init(&texts[i]);
    step_texts(card, shown, place, texts);
    for (int i = 0; i < STEP_COLUMNS; i++) {
        if (rc == 0)
            rc = buf_failed(&texts[i]) ? -ENOMEM
                                       : scols_line_set_data(line, (size_t)i, texts[i].data);
        buf_free(&texts[i]);
    }
    return rc;
}

static int write_steps(struct card *card, size_t count)
{
    const char *const titles[STEP_COLUMNS] = { "Steps", "elapsed", "energy", "operational",
                                                "state" };
    struct libscols_table *table = scols_new_table();
    struct shown shown = { .energy_ticks = NULL };
    char *text = NULL;
    int rc = table ? share_out(card, count, &shown) : -ENOMEM;

    for (int i = 0; rc == 0 && i < STEP_COLUMNS; i++) {
        int flags = i == 0 || i == STEP_COLUMNS - 1 ? 0 : SCOLS_FL_RIGHT;

        if (!scols_table_new_column(table, titles[i], 0, flags))
            rc = -ENOMEM;
    }
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add_step(table, card, &shown, i);
    if (rc == 0) {
        scols_table_set_column_separator(table, "  ");
        scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
        rc = scols_print_table_to_string(table, &text);
    }
    if (rc == 0 && text)
        buf_printf(card->buf, "\n%s\n", text);
    free(text);
    free(shown.energy_ticks);
    free(shown.mass_ticks);
    scols_unref_table(table);
    return rc;
}

int card_write(const struct row *job_row, bool steps, bool compare, struct buf *buf,
               struct error *err)
{
    struct card card = { job_row, job_row->style, buf,
                         job_row->style->utf8 ? "CO\u2082e" : "CO2e", compare };
    size_t count = 0;
    int rc = 0;

    write_title(&card);
    write_who(&card);
    write_where(&card);
    write_when(&card);
    write_energy(&card);
    write_carbon(&card);
    write_quality(&card);
    while (steps && row_step(job_row->job, count))
        count++;
    if (count > 0)
        rc = write_steps(&card, count);
    return rc < 0 || buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the card") : 0;
}

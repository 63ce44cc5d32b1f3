/*
 * ledger_histories.c - what the ledger promises, held against thousands of random histories
 *
 * Each history is run in several ways: as it came, in shuffled order, with points put halfway
 * between others, closed at arbitrary instants, by a meter that seals and restarts, by one that
 * loses its ticks, and with marks that come late. The letters are those of the promises:
 *   a  every batch balances (batch_check) and goes on where the one before it ended
 *   b  every joule of a counter with good readings is counted; of others never more than that
 *   c  `other` is the node meter less the parts, to the debt
 *   d  the order of arrival changes nothing
 *   e  a point on the line changes no total
 *   f  rows are plausible: nobody gets energy who was not there
 *   g  closing and sealing change no total
 *   h  every owner gets in every hour what the reference gives
 *
 * ledger_histories [--seed N] [--count N] [--verbose]
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/parse.h"
#include "history.h"
#include "reference.h"

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define CLOSES_MAX 8

static bool verbose;

/* What one way of running a history came to. */
struct result {
    const struct history *h;
    const char *way;
    struct books books;
    uint64_t counted_uj[HISTORY_COUNTERS_MAX];
    uint64_t debt_uj, component_uj[COMPONENT_COUNT];
    bool gap[COMPONENT_COUNT]; /* some time or energy of it is stated as not metered */
    struct batch last;         /* the newest batch */
    size_t n_batches;
};

static void fail(const struct result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

static void fail(const struct result *r, const char *fmt, ...)
{
    va_list ap;

    if (verbose)
        history_print(r->h);
    fprintf(stderr, "FAIL --seed %" PRIu64 " --count 1: %s: ", r->h->seed, r->way);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    exit(1);
}

static struct result *begin_result(const struct history *h, const char *way)
{
    struct result *r = calloc(1, sizeof(*r));

    if (!r)
        abort();
    r->h = h;
    r->way = way;
    return r;
}

static struct result *end_result(struct result *r)
{
    batch_clear(&r->last);
    free(r);
    return NULL;
}

/* --- what holds for every batch --------------------------------------------------------------- */

static const struct history_job *job_of(const struct history *h, uint64_t ref)
{
    return &h->jobs[ref - 100];
}

static unsigned owner_of(const struct result *r, const struct batch_energy *row)
{
    if (row->owner == OWNER_SYSTEM)
        return OWNER_OF_SYSTEM;
    if (row->owner == OWNER_UNALLOCATED)
        return OWNER_OF_NOBODY;
    if (row->owner == OWNER_REMAINDER)
        return OWNER_OF_JOB((unsigned)(row->ref - 100));
    for (unsigned i = 0; i < r->h->n_steps; i++)
        if (r->h->steps[i].facts.ref == row->ref && r->h->steps[i].facts.step_id == row->step_id)
            return i;
    fail(r, "f: a row of a step that never was");
}

/* f of one row */
static void check_row(const struct result *r, const struct batch *batch,
                      const struct batch_energy *row)
{
    uint64_t span_ns = batch->head.end_boottime_ns - batch->head.begin_boottime_ns;
    uint64_t energy_uj = row->active_uj + row->idle_uj, counters = 0;

    for (size_t i = 0; i < r->h->n_counters; i++)
        counters += r->h->facts[i].component == row->component;
    if (row->metered_ns > row->elapsed_ns)
        fail(r, "f: metered %" PRIu64 " of %" PRIu64 " ns", row->metered_ns, row->elapsed_ns);
    if (row->elapsed_ns > counters * span_ns)
        fail(r, "f: %" PRIu64 " ns in a batch of %" PRIu64 " ns and %" PRIu64 " counters",
             row->elapsed_ns, span_ns, counters);
    if (energy_uj > UINT64_C(1) << 60)
        fail(r, "f: a row of %" PRIu64 " uJ", energy_uj);
    if (row->quality == QUALITY_GAP && row->metered_ns)
        fail(r, "f: a gap that was metered");
    if (row->quality != QUALITY_GAP && energy_uj && !row->metered_ns)
        fail(r, "f: energy of no time that is no gap's");
    if (row->quality == QUALITY_GAP && energy_uj && row->owner != OWNER_UNALLOCATED)
        fail(r, "f: a gap's energy given to a job");
    if (row->has & ENERGY_HAS_REF && !r->h->clock_steps &&
        (row->hour_s + 3600) * (int64_t)S <=
            (int64_t)job_of(r->h, row->ref)->facts.begin_boottime_ns + r->h->wall_offset_ns)
        fail(r, "f: energy of hour %" PRId64 " for a job that began later", row->hour_s);
}

/* f of one power record, and of it and those before it */
static void check_power(const struct result *r, const struct batch *batch, size_t i)
{
    const struct batch_power *power = &batch->powers[i];

    if (!(power->has & POWER_HAS_COMPONENT))
        fail(r, "f: power of no component");
    if (power->span_ns == 0)
        fail(r, "f: power of no time");
    if (power->span_ns > 60 * S && !r->h->clock_steps)
        fail(r, "f: a minute of %" PRIu64 " ns", power->span_ns);
    for (size_t k = 0; k < i && !r->h->clock_steps; k++) /* set back, a clock repeats minutes */
        if (batch->powers[k].ref == power->ref && batch->powers[k].minute_s == power->minute_s &&
            batch->powers[k].component == power->component)
            fail(r, "f: minute %" PRId64 " comes twice for one job and component",
                 power->minute_s);
}

/* f: the minutes of a job add up to its rows, component by component, and there are some of each
   component that it was metered of */
static void check_powers(const struct result *r, const struct batch *batch)
{
    uint64_t power_uj[HISTORY_JOBS_MAX][COMPONENT_COUNT] = { { 0 } };
    uint64_t power_ns[HISTORY_JOBS_MAX][COMPONENT_COUNT] = { { 0 } };
    uint64_t row_uj[HISTORY_JOBS_MAX][COMPONENT_COUNT] = { { 0 } };
    uint64_t metered_ns[HISTORY_JOBS_MAX][COMPONENT_COUNT] = { { 0 } };

    for (size_t i = 0; i < batch->n_powers; i++) {
        const struct batch_power *power = &batch->powers[i];

        check_power(r, batch, i);
        power_uj[power->ref - 100][power->component] += power->energy_uj;
        power_ns[power->ref - 100][power->component] += power->span_ns;
    }
    for (size_t i = 0; i < batch->n_energies; i++) {
        const struct batch_energy *row = &batch->energies[i];

        if (!(row->has & ENERGY_HAS_REF))
            continue;
        row_uj[row->ref - 100][row->component] += row->active_uj + row->idle_uj;
        metered_ns[row->ref - 100][row->component] += row->metered_ns;
    }
    for (unsigned i = 0; i < r->h->n_jobs; i++)
        for (unsigned c = 0; c < COMPONENT_COUNT; c++) {
            if (power_uj[i][c] != row_uj[i][c])
                fail(r, "f: job %u has %" PRIu64 " uJ of %s in minutes and %" PRIu64
                     " uJ in hours", i, power_uj[i][c], component_names[c], row_uj[i][c]);
            if (power_ns[i][c] > metered_ns[i][c] || (metered_ns[i][c] && !power_ns[i][c]))
                fail(r, "f: job %u was metered %" PRIu64 " ns of %s in hours and %" PRIu64
                     " ns in minutes", i, metered_ns[i][c], component_names[c], power_ns[i][c]);
        }
}

/* a: the batch goes on where the one before it ended */
static void check_chain(const struct result *r, const struct batch *batch)
{
    const struct batch *last = &r->last;

    if (r->n_batches == 0)
        return;
    if (batch->head.begin_boottime_ns != last->head.end_boottime_ns ||
        batch->head.begin_wall_ns != last->head.end_wall_ns)
        fail(r, "a: a batch does not begin where the last ended");
    if (batch->head.next_ref < last->head.next_ref)
        fail(r, "a: job references run backwards");
    for (size_t i = 0; i < batch->n_counters; i++)
        if (batch->counters[i].counted_begin_uj != last->counters[i].counted_uj)
            fail(r, "a: counter %s begins at %" PRIu64 " uJ and ended at %" PRIu64 " uJ",
                 batch->counters[i].source, batch->counters[i].counted_begin_uj,
                 last->counters[i].counted_uj);
    for (size_t i = 0; i < batch->n_components; i++)
        if (batch->components[i].begin_uj != last->components[i].end_uj)
            fail(r, "a: component %s does not begin where it ended",
                 component_names[batch->components[i].component]);
}

static void add_rows(struct result *r, const struct batch *batch)
{
    for (size_t i = 0; i < batch->n_energies; i++) {
        const struct batch_energy *row = &batch->energies[i];
        struct cell *cell =
            &books_hour(&r->books, row->hour_s)[row->component][owner_of(r, row)];

        check_row(r, batch, row);
        cell->energy_uj += (long double)(row->active_uj + row->idle_uj);
        if (row->quality == QUALITY_GAP || row->metered_ns < row->elapsed_ns)
            r->gap[row->component] = true;
    }
}

/* Seal, check, add to the result. */
static void seal(struct result *r, struct ledger *ledger)
{
    struct batch batch = { 0 };
    struct error err;

    if (ledger_seal(ledger, &batch) < 0)
        fail(r, "cannot seal");
    if (batch_check(&batch, &err) < 0)
        fail(r, "a: %s", err.text);
    if (batch.head.end_boottime_ns != ledger_begin(ledger))
        fail(r, "a: the batch does not end at the window's begin");
    check_chain(r, &batch);
    check_powers(r, &batch);
    add_rows(r, &batch);
    r->debt_uj = 0;
    for (size_t i = 0; i < r->h->n_counters; i++) {
        r->counted_uj[i] = batch.counters[i].counted_uj;
        r->debt_uj += batch.counters[i].debt_uj + batch.counters[i].pending_uj;
    }
    for (size_t i = 0; i < batch.n_components; i++)
        r->component_uj[batch.components[i].component] = batch.components[i].end_uj;
    batch_clear(&r->last);
    r->last = batch;
    r->n_batches++;
}

/* --- what holds for every way ----------------------------------------------------------------- */

/* b: of every counter; `lost` when the run threw readings away */
static void check_counters(const struct result *r, bool lost)
{
    for (size_t i = 0; i < r->h->n_counters; i++) {
        const struct history_counter *counter = &r->h->counters[i];
        uint64_t truth_uj = counter->last_uj - counter->first_uj;
        bool exact = counter->exact && !lost;

        /* with the good readings between them lost, two spikes may agree, or a wrap go unseen */
        if (counter->wild || (lost && (r->h->facts[i].range_uj || counter->ever_spiked)))
            continue;
        if (exact ? r->counted_uj[i] != truth_uj : r->counted_uj[i] > truth_uj)
            fail(r, "b: %s counted %" PRIu64 " uJ of %" PRIu64 " uJ", r->h->facts[i].source,
                 r->counted_uj[i], truth_uj);
        if (r->counted_uj[i] < truth_uj && !lost && !counter->hidden &&
            !r->gap[r->h->facts[i].component])
            fail(r, "b: %s lacks energy and no row says so", r->h->facts[i].source);
    }
}

/* c: where the meter was read from the first instant on */
static void check_other(const struct result *r)
{
    size_t meter = r->h->n_counters - 1;
    const struct history_counter *counter = &r->h->counters[meter];
    uint64_t parts_uj = r->component_uj[COMPONENT_CPU] + r->component_uj[COMPONENT_MEMORY] +
                        r->component_uj[COMPONENT_GPU];

    if (!r->h->has_meter || !counter->exact || counter->wild || !counter->read ||
        counter->first_ns != r->h->begin_ns)
        return;
    if (parts_uj + r->component_uj[COMPONENT_OTHER] - r->counted_uj[meter] != r->debt_uj)
        fail(r, "c: parts %" PRIu64 " + other %" PRIu64 " - meter %" PRIu64 " is not the debt %"
             PRIu64, parts_uj, r->component_uj[COMPONENT_OTHER], r->counted_uj[meter],
             r->debt_uj);
}

/*
 * e, g: every counter's total is the same, and every hour's to what rounding at `closes` instants
 * may move from one to the next; `other` is rounded in every slice.
 */
static void check_same_totals(const struct result *r, const struct result *as, uint64_t closes)
{
    for (size_t i = 0; i < r->h->n_counters; i++)
        if (r->counted_uj[i] != as->counted_uj[i])
            fail(r, "g: %s counted %" PRIu64 " uJ, %s %" PRIu64 " uJ", r->h->facts[i].source,
                 r->counted_uj[i], as->way, as->counted_uj[i]);
    for (size_t hour = 0; hour < as->books.n_hours; hour++) {
        for (unsigned c = 0; c < COMPONENT_COUNT; c++) {
            struct cell(*mine)[OWNERS] =
                books_hour((struct books *)&r->books, as->books.hours_s[hour]);
            long double difference_uj = 0;

            for (unsigned owner = 0; owner < OWNERS; owner++)
                difference_uj += as->books.cells[hour][c][owner].energy_uj -
                                 mine[c][owner].energy_uj;
            if (difference_uj < 0)
                difference_uj = -difference_uj;
            if (difference_uj > (long double)(closes * r->h->n_counters) *
                                    (c == COMPONENT_OTHER ? 200 : 1))
                fail(r, "g: %s of hour %" PRId64 " differs by %.0Lf uJ from %s",
                     component_names[c], as->books.hours_s[hour], difference_uj, as->way);
        }
    }
}

static bool all_exact(const struct history *h)
{
    for (size_t i = 0; i < h->n_counters; i++)
        if (!h->counters[i].exact || h->counters[i].wild)
            return false;
    return true;
}

static void describe_owner(unsigned owner, char *text, size_t size)
{
    if (owner < HISTORY_STEPS_MAX)
        snprintf(text, size, "step %u", owner);
    else if (owner < OWNER_OF_SYSTEM)
        snprintf(text, size, "remainder of job %u", owner - HISTORY_STEPS_MAX);
    else
        snprintf(text, size, owner == OWNER_OF_SYSTEM ? "system" : "unallocated");
}

/* h: each owner's energy in each hour */
static void check_reference(struct result *r, const uint64_t *cuts_ns, size_t n_cuts)
{
    static struct books books;

    if (!all_exact(r->h))
        return;
    books.n_hours = 0;
    books.fragile = false;
    reference_run(r->h, cuts_ns, n_cuts, &books);
    if (books.fragile)
        return;
    for (size_t hour = 0; hour < r->books.n_hours; hour++)
        books_hour(&books, r->books.hours_s[hour]);
    for (size_t hour = 0; hour < books.n_hours; hour++) {
        struct cell(*mine)[OWNERS] = books_hour(&r->books, books.hours_s[hour]);

        for (unsigned c = 0; c < COMPONENT_COUNT; c++) {
            for (unsigned owner = 0; owner < OWNERS; owner++) {
                const struct cell *cell = &books.cells[hour][c][owner];
                long double difference_uj = mine[c][owner].energy_uj - cell->energy_uj;
                char text[64];

                if (difference_uj <= cell->slack_uj + 2 && -difference_uj <= cell->slack_uj + 2)
                    continue;
                describe_owner(owner, text, sizeof(text));
                fail(r, "h: %s of %s in hour %" PRId64 ": %.0Lf uJ, reference %.1Lf +- %.1Lf uJ",
                     component_names[c], text, books.hours_s[hour], mine[c][owner].energy_uj,
                     cell->energy_uj, cell->slack_uj);
            }
        }
    }
}

/* --- the ways --------------------------------------------------------------------------------- */

static struct ledger *new_ledger(const struct result *r)
{
    const struct history *h = r->h;
    struct ledger *ledger = ledger_new(&h->node, h->facts, h->n_counters, h->begin_ns);

    if (!ledger)
        abort();
    for (size_t i = 0; i < h->n_counters; i++)
        ledger_floor(ledger, i, h->counters[i].floor_uw);
    return ledger;
}

static void feed(const struct result *r, struct ledger *ledger, const struct event *event)
{
    int rc = history_feed(r->h, ledger, event);

    if (rc < 0)
        fail(r, "event %zu gave %d", (size_t)(event - r->h->events), rc);
}

static void close_at(const struct result *r, struct ledger *ledger, uint64_t at)
{
    if (ledger_close(ledger, at) < 0)
        fail(r, "cannot close");
}

static struct result *run_in_order(const struct history *h, const char *way)
{
    struct result *r = begin_result(h, way);
    struct ledger *ledger = new_ledger(r);

    for (size_t i = 0; i < h->n_events; i++)
        feed(r, ledger, &h->events[i]);
    close_at(r, ledger, h->end_ns);
    seal(r, ledger);
    ledger_free(ledger);
    check_counters(r, false);
    check_other(r);
    return r;
}

/* The job of a mark, or -1. */
static int job_of_event(const struct history *h, const struct event *event)
{
    switch (event->kind) {
    case EVENT_JOB_BEGIN:
    case EVENT_JOB_UPDATE:
    case EVENT_JOB_END:
        return (int)event->index;
    case EVENT_STEP_BEGIN:
    case EVENT_STEP_CPU:
    case EVENT_STEP_END:
        return (int)h->steps[event->index].job;
    default:
        return -1;
    }
}

static void swap(size_t *a, size_t *b)
{
    size_t old = *a;

    *a = *b;
    *b = old;
}

/* Bring the begin of a job (step < 0) or step to the front of all that concerns it. */
static void begin_first(const struct history *h, size_t *order, unsigned job, int step)
{
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < h->n_events; i++) {
        const struct event *event = &h->events[order[i]];
        bool of_step = event->kind >= EVENT_STEP_BEGIN && event->kind <= EVENT_STEP_END;

        if (job_of_event(h, event) != (int)job ||
            (step >= 0 && (!of_step || event->index != (unsigned)step)))
            continue;
        if (first == SIZE_MAX)
            first = i;
        if (event->kind == (step < 0 ? EVENT_JOB_BEGIN : EVENT_STEP_BEGIN)) {
            swap(&order[first], &order[i]);
            return;
        }
    }
}

static void check_shuffled(struct history *h, const struct result *as)
{
    struct result *r = begin_result(h, "shuffled");
    struct ledger *ledger = new_ledger(r);
    size_t *order = calloc(h->n_events, sizeof(*order));
    struct buf mine, other;

    if (!order)
        abort();
    for (size_t i = 0; i < h->n_events; i++) {
        order[i] = i;
        swap(&order[i], &order[history_random(h, i + 1)]);
    }
    for (unsigned job = 0; job < h->n_jobs; job++)
        begin_first(h, order, job, -1);
    for (unsigned step = 0; step < h->n_steps; step++)
        begin_first(h, order, h->steps[step].job, (int)step);
    for (size_t i = 0; i < h->n_events; i++)
        feed(r, ledger, &h->events[order[i]]);
    close_at(r, ledger, h->end_ns);
    seal(r, ledger);
    ledger_free(ledger);
    buf_init(&mine);
    buf_init(&other);
    batch_write(&mine, &r->last);
    batch_write(&other, &as->last);
    if (strcmp(mine.data, other.data) != 0)
        fail(r, "d: the order of arrival changed the batch\n%s\nis not\n%s",
             verbose ? mine.data : "", verbose ? other.data : "");
    buf_free(&mine);
    buf_free(&other);
    free(order);
    end_result(r);
}

/* By time; what is of one instant stays in its order, which qsort() does not promise. */
static void sort_events(struct event *events, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct event event = events[i];
        size_t k = i;

        for (; k > 0 && events[k - 1].at_ns > event.at_ns; k--)
            events[k] = events[k - 1];
        events[k] = event;
    }
}

/* Halfway between this point of a series and the next good one, if there is one. */
static bool halfway(const struct history *h, size_t i, struct event *ret_event)
{
    const struct event *from = &h->events[i];
    uint64_t range_uj = from->kind == EVENT_READING ? h->facts[from->index].range_uj : 0;

    if (from->bad || (from->kind != EVENT_READING && from->kind != EVENT_BUSY &&
                      from->kind != EVENT_STEP_CPU))
        return false;
    if (from->kind == EVENT_READING && !h->counters[from->index].exact)
        return false;
    for (size_t k = i + 1; k < h->n_events; k++) {
        const struct event *to = &h->events[k];
        int64_t growth = (int64_t)(from->kind == EVENT_READING ? to->truth_uj - from->truth_uj
                                                               : to->value - from->value);

        if (to->kind != from->kind || to->index != from->index || to->bad)
            continue;
        *ret_event = *from;
        ret_event->at_ns += (to->at_ns - from->at_ns) / 2;
        ret_event->truth_uj += (uint64_t)growth / 2;
        ret_event->value += (uint64_t)growth / 2;
        if (range_uj)
            ret_event->value %= range_uj;
        return true;
    }
    return false;
}

static void check_halved(struct history *h, const struct result *as)
{
    struct history more = *h;
    struct result *r;

    more.events = NULL;
    more.n_events = 0;
    for (size_t i = 0; i < h->n_events; i++) {
        struct event event;

        if (!batch_push(&more.events, &more.n_events, sizeof(event), &h->events[i]) ||
            (history_random(h, 100) < 20 && halfway(h, i, &event) &&
             !batch_push(&more.events, &more.n_events, sizeof(event), &event)))
            abort();
    }
    sort_events(more.events, more.n_events);
    r = run_in_order(&more, "with points halfway");
    check_same_totals(r, as, 0);
    for (size_t i = 0; i < r->books.n_hours; i++)
        if (memcmp(r->books.cells[i], as->books.cells[i], sizeof(r->books.cells[i])) != 0)
            fail(r, "e: a point on the line moved energy");
    end_result(r);
    free(more.events);
}

static int compare_u64(const void *va, const void *vb)
{
    const uint64_t *a = va, *b = vb;

    return *a < *b ? -1 : *a > *b;
}

/* --- a meter that runs with time -------------------------------------------------------------- */

struct meter {
    struct history *h;
    struct result *r;
    struct ledger *ledger;
    uint64_t patience_ns;
    bool loses_ticks;
    bool lost;
};

/* Through the text, as a restarted meter reads it. */
static void resume(struct meter *m)
{
    const struct history *h = m->h;
    struct batch checkpoint;
    struct error err;
    struct buf text;

    ledger_free(m->ledger);
    m->ledger = NULL;
    buf_init(&text);
    batch_write(&text, &m->r->last);
    if (batch_read(text.data, text.len, &checkpoint, &err) < 0)
        fail(m->r, "a: %s", err.text);
    buf_free(&text);
    m->ledger = ledger_resume(&h->node, h->facts, h->n_counters, &checkpoint);
    batch_clear(&checkpoint);
    if (!m->ledger)
        abort();
}

/* What came behind the checkpoint is told again, up to event `fed`; ticks may be lost. */
static void replay(struct meter *m, size_t fed)
{
    uint64_t end_ns = m->r->last.head.end_boottime_ns;

    for (size_t i = 0; i < fed; i++) {
        const struct event *event = &m->h->events[i];
        bool of_tick = event->kind == EVENT_READING || event->kind == EVENT_BUSY ||
                       event->kind == EVENT_STEP_CPU;

        if (event->at_ns <= end_ns)
            continue;
        if (of_tick && m->loses_ticks && history_random(m->h, 100) < 90) {
            m->lost = true;
            continue;
        }
        feed(m->r, m->ledger, event);
    }
}

/* Everything is known before: then closing, sealing and restarting change nothing at all. */
static void check_closes(struct history *h, const struct result *as)
{
    struct result *r = begin_result(h, "closed at arbitrary instants");
    struct meter m = { .h = h, .r = r, .ledger = new_ledger(r) };
    size_t n_cuts = 1 + history_random(h, CLOSES_MAX);
    uint64_t cuts_ns[CLOSES_MAX];
    bool resumed = false;

    for (size_t i = 0; i < n_cuts; i++)
        cuts_ns[i] = h->begin_ns + history_random(h, h->end_ns - h->begin_ns + 1);
    qsort(cuts_ns, n_cuts, sizeof(cuts_ns[0]), compare_u64);
    for (size_t i = 0; i < h->n_events; i++)
        feed(r, m.ledger, &h->events[i]);
    for (size_t i = 0; i < n_cuts; i++) {
        close_at(r, m.ledger, cuts_ns[i]);
        if (cuts_ns[i] == h->begin_ns || history_random(h, 2))
            continue;
        seal(r, m.ledger);
        if (history_random(h, 2)) {
            resume(&m);
            replay(&m, h->n_events);
            resumed = true;
        }
    }
    close_at(r, m.ledger, h->end_ns);
    seal(r, m.ledger);
    ledger_free(m.ledger);
    check_counters(r, false);
    check_other(r);
    /* a refused reading is not in the checkpoint: after a reset one more interval may be a gap */
    if (!resumed || all_exact(h))
        check_same_totals(r, as, n_cuts);
    check_reference(r, cuts_ns, n_cuts);
    end_result(r);
}

static void restart_now_and_then(struct meter *m, size_t fed)
{
    uint64_t dice = history_random(m->h, 100);

    if (ledger_begin(m->ledger) == m->h->begin_ns)
        return; /* nothing was closed yet: what came at that very instant is in no batch */
    if (dice < 15)
        seal(m->r, m->ledger);
    if ((dice < 5 || dice >= 97) && m->r->n_batches) { /* after a seal, or in mid-window */
        resume(m);
        replay(m, fed);
    }
}

static void run_meter(struct history *h, const char *way, bool loses_ticks)
{
    static const uint64_t patiences_ns[] = { 0, 30 * S, 1000000 * S };
    struct meter m = { .h = h, .r = begin_result(h, way), .loses_ticks = loses_ticks };

    m.ledger = new_ledger(m.r);
    m.patience_ns = patiences_ns[history_random(h, 3)];
    for (size_t i = 0; i < h->n_events; i++) {
        uint64_t now = h->events[i].at_ns;

        feed(m.r, m.ledger, &h->events[i]);
        if (i + 1 < h->n_events && h->events[i + 1].at_ns == now)
            continue;
        if (history_random(h, 2))
            close_at(m.r, m.ledger, ledger_ready(m.ledger, now, m.patience_ns));
        restart_now_and_then(&m, i + 1);
    }
    close_at(m.r, m.ledger, h->end_ns);
    seal(m.r, m.ledger);
    ledger_free(m.ledger);
    check_counters(m.r, m.lost);
    if (!m.lost)
        check_other(m.r);
    end_result(m.r);
}

/* --- late marks ------------------------------------------------------------------------------- */

struct late {
    size_t held[HISTORY_JOBS_MAX];  /* the job's marks wait until this event has passed */
    size_t next[HISTORY_JOBS_MAX];  /* the job's events before this one were fed */
};

/* Feed the job's events of next..until, in order. */
static void release(const struct result *r, struct ledger *ledger, struct late *late, unsigned job,
                    size_t until)
{
    for (; late->next[job] < until; late->next[job]++)
        if (job_of_event(r->h, &r->h->events[late->next[job]]) == (int)job)
            feed(r, ledger, &r->h->events[late->next[job]]);
}

static void check_late_flags(const struct result *r, const struct batch *batch, uint64_t begin_ns)
{
    for (size_t i = 0; i < batch->n_jobs; i++) {
        const struct batch_job *job = &batch->jobs[i];
        bool late = job->flags & FLAG_END_LATE;

        if (late && !(job->has & JOB_HAS_END))
            fail(r, "f: a job that has not ended ended late");
        if (job->has & JOB_HAS_END && job->end_boottime_ns < begin_ns && !late)
            fail(r, "f: a job that ended before the batch is not flagged");
    }
}

static void check_late(struct history *h)
{
    struct result *r = begin_result(h, "late marks");
    struct ledger *ledger = new_ledger(r);
    struct late late = { 0 };

    for (size_t i = 0; i < h->n_events; i++) {
        int job = job_of_event(h, &h->events[i]);

        if (job < 0)
            feed(r, ledger, &h->events[i]);
        else if (late.held[job] <= i && history_random(h, 100) < 20)
            late.held[job] = i + history_random(h, 200);
        for (unsigned k = 0; k < h->n_jobs; k++)
            if (late.held[k] <= i)
                release(r, ledger, &late, k, i + 1);
        if (history_random(h, 100) < 5)
            close_at(r, ledger, h->events[i].at_ns);
        if (history_random(h, 100) < 1) {
            uint64_t begin_ns = r->last.head.end_boottime_ns;

            seal(r, ledger);
            check_late_flags(r, &r->last, begin_ns);
        }
    }
    for (unsigned k = 0; k < h->n_jobs; k++)
        release(r, ledger, &late, k, h->n_events);
    close_at(r, ledger, h->end_ns + S);
    seal(r, ledger);
    ledger_free(ledger);
    check_counters(r, false);
    check_other(r);
    end_result(r);
}

/* --- all of them ------------------------------------------------------------------------------ */

static bool check_history(uint64_t seed)
{
    struct history h;
    struct result *in_order;
    bool exact;

    history_make(&h, seed);
    exact = all_exact(&h);
    in_order = run_in_order(&h, "in order");
    check_reference(in_order, NULL, 0);
    check_shuffled(&h, in_order);
    check_halved(&h, in_order);
    check_closes(&h, in_order);
    run_meter(&h, "a meter that restarts", false);
    run_meter(&h, "a meter that loses ticks", true);
    check_late(&h);
    end_result(in_order);
    history_clear(&h);
    return exact;
}

static int usage(void)
{
    fprintf(stderr, "usage: ledger_histories [--seed N] [--count N] [--verbose]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' },
        { "count", required_argument, NULL, 'c' },
        { "verbose", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    uint64_t seed = 1, count = DEFAULT_COUNT, exact = 0;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 's' && parse_u64(optarg, 1, UINT64_MAX / 2, &seed) == 0)
            continue;
        if (option == 'c' && parse_u64(optarg, 1, UINT32_MAX, &count) == 0)
            continue;
        if (option != 'v')
            return usage();
        verbose = true;
    }
    for (uint64_t i = 0; i < count; i++)
        exact += check_history(seed + i);
    printf("%" PRIu64 " histories from seed %" PRIu64 " on, %" PRIu64
           " of them compared with the reference\n", count, seed, exact);
    return 0;
}

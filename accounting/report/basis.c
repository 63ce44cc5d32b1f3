#include "report/basis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/conf_value.h"
#include "core/file.h"

#define INVENTORY_SIZE_MAX (4u << 20) /* bytes: a line for each of 10 000 nodes is a tenth of it */

/* Keys of carbon.conf that change figures, in the order of the document. */
const char *const basis_setting_keys[] = { "Zone", "PUE", "GridBasis", "IdlePolicy",
                                           "EmbodiedMode", "ExpectedUtilisation", NULL };

/* A document of the set, until it is read. */
struct kept {
    char name[32];
    char *text;
};

/* Where documents come from: a set of the store, or a set in the making. */
struct source {
    struct store *store;
    int64_t set;
    int64_t as_of;                          /* the set, or INT64_MAX: the newest */
    struct kept *kept;
    size_t n_kept;
    const struct basis_document *documents; /* given instead */
    size_t count;
};

struct document {
    char *text; /* owned; NULL: there is none */
    char label[PATH_MAX];
};

static int keep_document(void *arg, const char *name, const char *text)
{
    struct source *source = arg;
    struct kept *kept = realloc(source->kept, (source->n_kept + 1) * sizeof(*kept));

    if (!kept)
        return -ENOMEM;
    source->kept = kept;
    kept += source->n_kept++;
    snprintf(kept->name, sizeof(kept->name), "%s", name);
    kept->text = strdup(text);
    return kept->text ? 0 : -ENOMEM;
}

static void drop_kept(struct source *source)
{
    for (size_t i = 0; i < source->n_kept; i++)
        free(source->kept[i].text);
    free(source->kept);
}

static int read_document(const struct source *source, const char *name, struct document *ret,
                         struct error *err)
{
    *ret = (struct document){ .text = NULL };
    snprintf(ret->label, sizeof(ret->label), "factor set %lld's %s", (long long)source->set, name);
    for (size_t i = 0; i < source->n_kept; i++) {
        if (strcmp(source->kept[i].name, name) != 0)
            continue;
        ret->text = source->kept[i].text;
        source->kept[i].text = NULL;
        return 0;
    }
    for (size_t i = 0; i < source->count; i++) {
        const struct basis_document *given = &source->documents[i];

        if (strcmp(given->name, name) != 0 || !given->text)
            continue;
        snprintf(ret->label, sizeof(ret->label), "%s", given->file);
        ret->text = strdup(given->text);
        return ret->text ? 0 : error_set(err, -ENOMEM, "no memory for %s", given->file);
    }
    return 0;
}

/* --- settings --------------------------------------------------------------------------------- */

static const struct conf_option *option_of(const char *key, size_t len)
{
    for (const struct conf_option *option = conf_options; option->key; option++) {
        if (strlen(option->key) == len && strncmp(option->key, key, len) == 0)
            return option;
    }
    return NULL;
}

static const struct conf_option *setting_option(size_t index)
{
    return option_of(basis_setting_keys[index], strlen(basis_setting_keys[index]));
}

void basis_settings_write(const struct conf *conf, struct buf *buf)
{
    for (size_t i = 0; basis_setting_keys[i]; i++) {
        char text[128];

        conf_format(conf, setting_option(i), text, sizeof(text));
        buf_printf(buf, "%s=%s\n", basis_setting_keys[i], text);
    }
}

/* A set of an older version may lack a key: its default is what that version did. */
static int default_settings(struct conf *conf, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && basis_setting_keys[i]; i++) {
        const struct conf_option *option = setting_option(i);

        rc = conf_value_parse(option, option->fallback ? option->fallback : "", "", conf, err);
    }
    return rc;
}

/* One line Key=Value, of `len` characters. */
static int parse_setting(const char *line, size_t len, struct conf *conf, struct error *err)
{
    char text[160];
    const struct conf_option *option;
    char *equals;
    int rc;

    if (len >= sizeof(text))
        return error_set(err, -EBADMSG, "a line of %zu characters", len);
    snprintf(text, sizeof(text), "%.*s", (int)len, line);
    equals = strchr(text, '=');
    option = equals ? option_of(text, (size_t)(equals - text)) : NULL;
    if (!option)
        return error_set(err, -EBADMSG, "\"%s\" is no setting that this program knows; a newer "
                         "slurm-carbon made the set: install that one", text);
    rc = conf_value_parse(option, equals + 1, "", conf, err);
    return rc < 0 ? error_prefix(err, rc, "%s", option->key) : 0;
}

static int parse_settings(const char *text, struct conf *conf, struct error *err)
{
    int rc = default_settings(conf, err);

    while (rc == 0 && *text != '\0') {
        size_t len = strcspn(text, "\n");

        rc = parse_setting(text, len, conf, err);
        text += len + (text[len] == '\n');
    }
    return rc;
}

static int read_settings(const struct source *source, struct basis *basis, struct error *err)
{
    struct document document;
    int rc = read_document(source, FACTORS_SETTINGS, &document, err);

    if (rc < 0)
        return rc;
    rc = parse_settings(document.text ? document.text : "", &basis->settings, err);
    free(document.text);
    if (rc < 0)
        return error_prefix(err, rc, "%s", document.label);
    basis->mode = (enum embodied_mode)basis->settings.embodied_mode; /* the same order */
    basis->utilisation_ppm = basis->settings.utilisation_ppm;
    basis->spread_idle = basis->settings.idle_policy == IDLE_SPREAD;
    return 0;
}

void basis_setting(const char *text, const char *key, char *ret_value, size_t size)
{
    size_t key_len = strlen(key);

    ret_value[0] = '\0';
    while (text && *text != '\0') {
        size_t len = strcspn(text, "\n");

        if (strncmp(text, key, key_len) == 0 && text[key_len] == '=')
            snprintf(ret_value, size, "%.*s", (int)(len - key_len - 1), text + key_len + 1);
        text += len + (text[len] == '\n');
    }
}

/* --- the grid --------------------------------------------------------------------------------- */

/* Of which bases a zone has intervals in the set. */
struct zone_series {
    const char *zone, *basis;
    bool has, has_other;
};

static void note_series(void *arg, const struct grid_series_summary *summary)
{
    struct zone_series *known = arg;

    if (strcasecmp(summary->series.zone, known->zone) != 0)
        return;
    if (strcmp(summary->series.basis, known->basis) == 0)
        known->has = true;
    else
        known->has_other = true;
}

/* A zone without a row in the annual table serves where it was imported. */
static int check_series(const struct source *source, const struct grid *grid,
                        const struct error *no_row, struct error *err)
{
    struct zone_series known = { .zone = grid->zone, .basis = grid->basis };
    int rc = factors_series(source->store, source->as_of, note_series, &known, err);

    if (rc < 0 || known.has)
        return rc;
    if (known.has_other)
        return error_set(err, -ENOENT, "zone %s has no %s figures, only imported ones of the other "
                         "basis: GridBasis in carbon.conf chooses that", grid->zone, grid->basis);
    return error_set(err, -ENOENT, "%s", no_row->text);
}

static int read_annual(const struct source *source, struct grid *grid, struct error *err)
{
    struct document document;
    struct error no_row = { "" };
    int rc = read_document(source, FACTORS_GRID, &document, err);

    if (rc < 0)
        return rc;
    if (document.text)
        rc = intensity_years(document.text, document.label, grid->zone, grid->basis,
                             &grid->annual, &grid->n_annual, &no_row);
    else
        rc = error_set(&no_row, -ENOENT, "no zone \"%s\": there is no " FACTORS_GRID, grid->zone);
    free(document.text);
    if (rc == -ENOENT)
        return check_series(source, grid, &no_row, err);
    return rc < 0 ? error_set(err, rc, "%s", no_row.text) : 0;
}

/* The zone as it is spelled and called: by its newest annual row, else in upper case. */
static void name_zone(struct grid *grid)
{
    const struct intensity *newest = grid->n_annual > 0 ? &grid->annual[grid->n_annual - 1] : NULL;

    if (newest)
        snprintf(grid->zone, sizeof(grid->zone), "%s", newest->zone);
    for (char *c = grid->zone; !newest && *c != '\0'; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    snprintf(grid->name, sizeof(grid->name), "%s", newest ? newest->name : grid->zone);
}

static int read_zone(const struct source *source, const char *zone, struct grid *grid,
                     struct error *err)
{
    int rc;

    if (strlen(zone) >= sizeof(grid->zone))
        return error_set(err, -ENOENT, "no zone has a name as long as \"%.40s\"", zone);
    snprintf(grid->zone, sizeof(grid->zone), "%s", zone);
    rc = read_annual(source, grid, err);
    if (rc < 0)
        return rc;
    name_zone(grid);
    grid->has_intensity = true;
    return 0;
}

static const char *basis_name(const struct conf *settings)
{
    return settings->grid_basis == BASIS_DIRECT ? "direct" : "lifecycle";
}

static int read_grid(const struct source *source, const char *zone, struct basis *basis,
                     struct error *err)
{
    struct grid *grid = &basis->grid;
    const char *own_zone = basis->settings.zone;
    int rc;

    grid->pue_ppm = basis->settings.pue_ppm;
    snprintf(grid->basis, sizeof(grid->basis), "%s", basis_name(&basis->settings));
    if (zone)
        return read_zone(source, zone, grid, err);
    if (own_zone[0] == '\0')
        return 0;
    rc = read_zone(source, own_zone, grid, err);
    return rc < 0 ? error_prefix(err, rc, "Zone") : 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int read_embodied(const struct source *source, struct basis *basis, struct error *err)
{
    struct document document;
    int rc = read_document(source, FACTORS_EMBODIED, &document, err);

    if (rc == 0 && document.text)
        rc = factor_table_parse(document.text, document.label, &basis->embodied, err);
    free(document.text);
    return rc;
}

static int read_equivalences(const struct source *source, struct basis *basis, struct error *err)
{
    struct document document;
    int rc = read_document(source, FACTORS_EQUIVALENCES, &document, err);

    if (rc == 0 && document.text)
        rc = equivalences_parse(document.text, document.label, &basis->equivalences, err);
    free(document.text);
    return rc;
}

static int read_inventory(const struct source *source, struct basis *basis, struct error *err)
{
    struct document document;
    int rc = read_document(source, FACTORS_INVENTORY, &document, err);

    if (rc < 0 || !document.text)
        return rc;
    basis->inventory_text = document.text;
    rc = inventory_parse(document.text, document.label, &basis->embodied, &basis->inventory, err);
    basis->has_inventory = rc == 0;
    return rc;
}

/* The inventory's periods, where it has some, go before the settings' PUE. */
static int copy_pues(struct basis *basis, struct error *err)
{
    const struct inventory *inventory = &basis->inventory;
    struct grid *grid = &basis->grid;

    if (inventory->n_pues == 0)
        return 0;
    grid->pues = calloc(inventory->n_pues, sizeof(*grid->pues));
    if (!grid->pues)
        return error_set(err, -ENOMEM, "no memory for PUE periods");
    memcpy(grid->pues, inventory->pues, inventory->n_pues * sizeof(*grid->pues));
    grid->n_pues = inventory->n_pues;
    return 0;
}

/* The documents that figures rest on besides the settings. */
static int read_documents(const struct source *source, struct basis *basis, struct error *err)
{
    int rc = read_embodied(source, basis, err);

    if (rc == 0)
        rc = read_equivalences(source, basis, err);
    if (rc == 0)
        rc = read_inventory(source, basis, err);
    return rc == 0 ? copy_pues(basis, err) : rc;
}

static int read_source(const struct source *source, const char *zone, struct basis *basis,
                       struct error *err)
{
    int rc = read_settings(source, basis, err);

    if (rc == 0)
        rc = read_documents(source, basis, err);
    return rc == 0 ? read_grid(source, zone, basis, err) : rc;
}

int basis_load_set(struct store *store, int64_t number, const char *zone, struct basis *ret,
                   struct error *err)
{
    struct source source = { .store = store, .as_of = number > 0 ? number : INT64_MAX };
    int rc;

    *ret = (struct basis){ .as_of = source.as_of };
    rc = number == 0 ? factors_newest(store, &ret->set, err)
                     : factors_get(store, number, &ret->set, err);
    source.set = ret->set.number;
    if (rc == 0)
        rc = factors_each_document(store, source.as_of, keep_document, &source, err);
    if (rc == 0)
        rc = read_source(&source, zone, ret, err);
    drop_kept(&source);
    return rc;
}

int basis_load_hours(struct store *store, int64_t from_s, int64_t to_s, struct basis *basis,
                     struct error *err)
{
    struct grid *grid = &basis->grid;
    struct grid_series series;
    int rc;

    if (!grid->has_intensity)
        return 0;
    rc = factors_intervals(store, basis->as_of, grid->zone, grid->basis, from_s, to_s, &series,
                           &grid->intervals, &grid->n_intervals, err);
    if (rc < 0)
        return rc;
    snprintf(grid->scope, sizeof(grid->scope), "%s", series.scope);
    snprintf(grid->source, sizeof(grid->source), "%s", series.source);
    return 0;
}

int basis_load(struct store *store, int64_t number, const char *zone, int64_t from_s, int64_t to_s,
               struct basis *ret, struct error *err)
{
    int rc = basis_load_set(store, number, zone, ret, err);

    return rc == 0 ? basis_load_hours(store, from_s, to_s, ret, err) : rc;
}

void basis_ask(struct store *store, const char *zone, const struct conf *conf)
{
    struct factor_set set;
    struct grid_series series;
    struct grid_interval *intervals;
    size_t count;
    int rc = factors_newest(store, &set, NULL);

    rc |= factors_each_document(store, INT64_MAX, keep_document, NULL, NULL);
    if (!zone)
        zone = conf->zone;
    if (zone[0] != '\0')
        rc |= factors_intervals(store, INT64_MAX, zone, basis_name(conf), 0, 0, &series, &intervals,
                                &count, NULL);
    (void)rc;
}

int basis_check(struct store *store, const struct basis_document *documents, size_t count,
                struct error *err)
{
    struct source source = { .store = store, .as_of = INT64_MAX, .documents = documents,
                             .count = count };
    struct basis basis = { .has_inventory = false };
    struct factor_set newest = { .number = 0 };
    int rc = factors_newest(store, &newest, err);

    if (rc < 0 && rc != -ENODATA)
        return rc;
    source.set = newest.number;
    rc = read_source(&source, NULL, &basis, err);
    basis_clear(&basis);
    return rc;
}

void basis_clear(struct basis *basis)
{
    grid_clear(&basis->grid);
    equivalences_clear(&basis->equivalences);
    factor_table_clear(&basis->embodied);
    inventory_clear(&basis->inventory);
    free(basis->inventory_text);
    *basis = (struct basis){ .has_inventory = false };
}

/* --- what differs ----------------------------------------------------------------------------- */

/* A sentence in a fixed room; what does not fit is left out. */
static void add_difference(char *text, size_t size, const char *sentence)
{
    size_t used = strlen(text);

    snprintf(text + used, size - used, "%s%s", used > 0 ? "; " : "", sentence);
}

static bool setting_differs(const struct basis *basis, const struct conf *conf, size_t index,
                            char *text, size_t size)
{
    const struct conf_option *option = setting_option(index);
    char here[128], there[128], sentence[400];

    conf_format(conf, option, here, sizeof(here));
    conf_format(&basis->settings, option, there, sizeof(there));
    if (strcmp(here, there) == 0)
        return false;
    snprintf(sentence, sizeof(sentence), "%s is %s in carbon.conf and %s in factor set %lld",
             option->key, here[0] ? here : "not set", there[0] ? there : "not set",
             (long long)basis->set.number);
    add_difference(text, size, sentence);
    return true;
}

static bool inventory_differs(const struct basis *basis, const struct conf *conf, char *text,
                              size_t size)
{
    char *file = malloc(INVENTORY_SIZE_MAX), sentence[PATH_MAX + 64];
    size_t len;
    int rc = file ? file_read_small(AT_FDCWD, conf->inventory, file, INVENTORY_SIZE_MAX, &len)
                  : -ENOMEM;
    const char *how = NULL;

    if (rc == 0 && !basis->inventory_text)
        how = "is not in";
    else if (rc == 0 && strcmp(file, basis->inventory_text) != 0)
        how = "differs from that of";
    free(file);
    if (!how)
        return false;
    snprintf(sentence, sizeof(sentence), "%s %s factor set %lld", conf->inventory, how,
             (long long)basis->set.number);
    add_difference(text, size, sentence);
    return true;
}

bool basis_differs(const struct basis *basis, const struct conf *conf, char *text, size_t size)
{
    bool differs = false;

    text[0] = '\0';
    for (size_t i = 0; basis_setting_keys[i]; i++)
        differs |= setting_differs(basis, conf, i, text, size);
    differs |= inventory_differs(basis, conf, text, size);
    return differs;
}

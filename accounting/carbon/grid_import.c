#include "carbon/grid_import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "carbon/grid_import_file.h"

/*
 * What a format's figures are, where its files do not say (NULL: they do, or an option must).
 * electricitymaps: "attributional, location-based, and consumption-based"
 *     (electricitymaps.com/methodology); the portal's files are under ODbL.
 * uk: "CO2 emissions related to electricity generation only. This includes … interconnector
 *     imports", per kWh "consumed" (carbonintensity.org.uk); CC BY 4.0.
 * eco2mix: emissions of the fuel burnt, per kWh produced (rte-france.com/eco2mix).
 */
static const struct format {
    const char *name, *basis, *scope, *source;
    int (*read)(struct import_file *file);
} formats[GRID_FORMATS] = {
    [GRID_ANY] = { .name = "any" },
    [GRID_CSV] = { .name = "csv", .read = grid_import_csv },
    [GRID_ELECTRICITYMAPS] = { .name = "electricitymaps", .scope = "consumption",
                               .source = "Electricity Maps, data portal, ODbL",
                               .read = grid_import_electricitymaps },
    [GRID_UK] = { .name = "uk", .basis = "direct", .scope = "consumption",
                  .source = "NESO Carbon Intensity API, CC BY 4.0", .read = grid_import_uk },
    [GRID_ECO2MIX] = { .name = "eco2mix", .basis = "direct", .scope = "generation",
                       .source = "RTE eCO2mix", .read = grid_import_eco2mix },
};

const char *grid_format_name(enum grid_format format)
{
    return formats[format].name;
}

enum grid_format grid_format_find(const char *name)
{
    int format = GRID_ANY;

    while (format < GRID_FORMATS && strcasecmp(formats[format].name, name) != 0)
        format++;
    return (enum grid_format)format;
}

struct grid_import *grid_import_new(const struct grid_import_options *options)
{
    struct grid_import *import = calloc(1, sizeof(*import));

    if (import)
        import->options = *options;
    return import;
}

struct grid_import *grid_import_free(struct grid_import *import)
{
    if (!import)
        return NULL;
    for (size_t i = 0; i < import->count; i++) {
        free(import->series[i].intervals);
        free(import->series[i].origins);
    }
    free(import->series);
    free(import->files);
    free(import);
    return NULL;
}

size_t grid_import_count(const struct grid_import *import)
{
    return import->count;
}

const struct grid_import_series *grid_import_at(const struct grid_import *import, size_t index)
{
    return &import->series[index];
}

/* --- from text -------------------------------------------------------------------------------- */

static int refuse_binary(const struct import_file *file)
{
    const char *zero = memchr(file->text, '\0', file->len);

    if (file->len >= 2 && memcmp(file->text, "PK", 2) == 0)
        return error_set(file->err, -EBADMSG, "%s is a zip archive or a spreadsheet: unpack it, or "
                         "save it as CSV in UTF-8", file->name);
    if (file->len >= 2 && memcmp(file->text, "\x1f\x8b", 2) == 0)
        return error_set(file->err, -EBADMSG, "%s is compressed: unpack it with gunzip first",
                         file->name);
    if (zero)
        return error_set(file->err, -EBADMSG, "%s is no text (byte %zu is zero): save it as CSV in "
                         "UTF-8, or fetch it again", file->name,
                         (size_t)(zero - file->text) + 1);
    return 0;
}

static size_t first_line(const struct import_file *file)
{
    return strcspn(file->text, "\r\n");
}

/* By what only that format has in its first line. */
static int detect(const struct import_file *file, enum grid_format *ret)
{
    static const struct {
        const char *sign;
        enum grid_format format;
    } signs[] = {
        { "start_utc", GRID_CSV },        { "datetime(utc)", GRID_ELECTRICITYMAPS },
        { "date_heure", GRID_ECO2MIX },   { "dateetheure", GRID_ECO2MIX },
        { "date-heure", GRID_ECO2MIX },
    };
    const char *begin = file->text + strspn(file->text, " \t\r\n");
    char folded[1024];

    if (*begin == '{' || *begin == '[') {
        *ret = GRID_UK;
        return 0;
    }
    import_fold(file->text, first_line(file), folded, sizeof(folded));
    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
        if (strstr(folded, signs[i].sign)) {
            *ret = signs[i].format;
            return 0;
        }
    }
    return error_set(file->err, -EBADMSG, "%s:1: \"%.*s\" is the header of no format that is "
                     "known: csv has start_utc,end_utc,gco2e_per_kwh; electricitymaps Datetime "
                     "(UTC),…; eco2mix date_heure;…;taux_co2; uk is JSON", file->name,
                     (int)(first_line(file) > 60 ? 60 : first_line(file)), file->text);
}

/* What an option says must be what the format is. */
static int check_fixed(const struct import_file *file, const struct format *format)
{
    const struct grid_import_options *options = file->options;

    if (format->basis && options->basis && strcasecmp(format->basis, options->basis) != 0)
        return error_set(file->err, -EINVAL, "%s: --basis %s: figures of %s are %s; leave --basis "
                         "out", file->name, options->basis, format->name, format->basis);
    if (format->scope && options->scope && strcasecmp(format->scope, options->scope) != 0)
        return error_set(file->err, -EINVAL, "%s: --scope %s: figures of %s are of %s; leave "
                         "--scope out", file->name, options->scope, format->name, format->scope);
    return 0;
}

static int note_file(struct grid_import *import, struct import_file *file)
{
    struct named_file *grown = realloc(import->files, (import->n_files + 1) * sizeof(*grown));

    if (!grown)
        return error_set(file->err, -ENOMEM, "out of memory");
    import->files = grown;
    file->index = import->n_files++;
    grown[file->index] = (struct named_file){ .name = file->name };
    return 0;
}

static size_t count_rows(const struct grid_import *import)
{
    size_t rows = 0;

    for (size_t i = 0; i < import->count; i++)
        rows += import->series[i].count;
    return rows;
}

static int read_as(struct grid_import *import, struct import_file *file, enum grid_format kind)
{
    const struct format *format = &formats[kind];
    struct grid_import_options options = import->options;
    size_t before = count_rows(import);
    int rc = check_fixed(file, format);

    if (rc < 0)
        return rc;
    import->files[file->index].elements = kind == GRID_UK;
    if (!options.basis)
        options.basis = format->basis;
    if (!options.scope)
        options.scope = format->scope;
    if (!options.source)
        options.source = format->source;
    file->options = &options;
    rc = format->read(file);
    if (rc == 0 && count_rows(import) == before)
        rc = error_set(file->err, -EBADMSG, "%s holds no value: fetch it again", file->name);
    return rc;
}

int grid_import_read(struct grid_import *import, const char *name, const char *text, size_t len,
                     enum grid_format *ret_format, struct error *err)
{
    struct import_file file = { .import = import, .options = &import->options, .name = name,
                                .text = text, .len = len, .err = err };
    enum grid_format format = import->options.format;
    int rc = note_file(import, &file);

    if (rc < 0)
        return rc;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        file.text += 3;
        file.len -= 3;
    }
    if (file.text[strspn(file.text, " \t\r\n")] == '\0' && !memchr(file.text, '\0', file.len))
        return error_set(err, -EBADMSG, "%s is empty: fetch it again", name);
    rc = refuse_binary(&file);
    if (rc == 0 && format == GRID_ANY)
        rc = detect(&file, &format);
    if (rc == 0)
        rc = read_as(import, &file, format);
    if (rc == 0 && ret_format)
        *ret_format = format;
    return rc;
}

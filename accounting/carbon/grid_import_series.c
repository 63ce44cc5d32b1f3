#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "carbon/grid_import_file.h"
#include "core/buf.h"

/* --- messages --------------------------------------------------------------------------------- */

const char *import_place(const struct grid_import *import, struct grid_origin origin,
                         char text[PLACE_SIZE])
{
    const struct named_file *file = &import->files[origin.file];

    snprintf(text, PLACE_SIZE, file->elements ? "%.200s: data[%u]" : "%.200s:%u", file->name,
             origin.place);
    return text;
}

int import_field_error(const struct import_file *file, unsigned place, const char *field,
                       const char *text, const char *remedy)
{
    char at[PLACE_SIZE];

    import_place(file->import, (struct grid_origin){ file->index, place }, at);
    return error_set(file->err, -EBADMSG, "%s: %s: \"%.60s\": %s", at, field, text, remedy);
}

/* --- rows to series --------------------------------------------------------------------------- */

static bool is_part_of(const char *part, const char *zone)
{
    size_t len = strlen(zone);

    return strncasecmp(part, zone, len) == 0 && part[len] == '-';
}

/* The zone under which a row is kept, and in *ret_part the file's own where that is narrower. */
static int choose_zone(const struct import_file *file, const struct import_row *row,
                       const char **ret_zone, const char **ret_part)
{
    const char *asked = file->options->zone;
    char remedy[120];

    *ret_part = NULL;
    *ret_zone = asked ? asked : row->zone;
    if (!asked || !row->zone || strcasecmp(asked, row->zone) == 0)
        return 0;
    if (is_part_of(row->zone, asked)) {
        *ret_part = row->zone;
        return 0;
    }
    snprintf(remedy, sizeof(remedy), "--zone asks for %.30s: take a file of that zone, or leave "
             "--zone out", asked);
    return import_field_error(file, row->place, "zone", row->zone, remedy);
}

/* A basis or scope: what the file says and what the option says must agree. */
static int choose_word(const struct import_file *file, const struct import_row *row,
                       const char *field, const char *told, const char *asked, const char *one,
                       const char *other, const char **ret)
{
    const char *word = told ? told : asked;
    char remedy[120];

    *ret = strcasecmp(word, one) == 0 ? one : strcasecmp(word, other) == 0 ? other : NULL;
    if (!*ret) {
        snprintf(remedy, sizeof(remedy), "write %s or %s", one, other);
        return import_field_error(file, row->place, field, word, remedy);
    }
    if (told && asked && strcasecmp(told, asked) != 0) {
        snprintf(remedy, sizeof(remedy), "--%s asks for %.20s; leave it out, the file says it",
                 field, asked);
        return import_field_error(file, row->place, field, told, remedy);
    }
    return 0;
}

/* Zones are ASCII: "FR", "US-CAR-CPLE". Upper case in *room. */
static int write_zone(const struct import_file *file, unsigned place, const char *zone, char *room,
                      size_t size)
{
    size_t len = strlen(zone);

    if (len == 0 || len >= size ||
        strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != len)
        return import_field_error(file, place, "zone", zone, "write a zone such as FR or "
                                  "US-CAR-CPLE: letters, digits and -");
    for (size_t i = 0; i <= len; i++)
        room[i] = (char)toupper((unsigned char)zone[i]);
    return 0;
}

static int write_source(const struct import_file *file, unsigned place, const char *source,
                        const char *part, char *room, size_t size)
{
    json_t *utf8 = json_string(source); /* NULL unless it is UTF-8 */
    bool fine = utf8 && *source;

    json_decref(utf8);
    for (const char *at = source; *at; at++)
        fine = fine && (unsigned char)*at >= ' ' && *at != 0x7f;
    if (!fine)
        return import_field_error(file, place, "source", source,
                                  "say in one line of UTF-8 whose figures these are");
    if ((size_t)snprintf(room, size, part ? "%s (zone %s)" : "%s", source, part) >= size)
        return import_field_error(file, place, "source", source, "shorten it to 200 letters");
    return 0;
}

/* What neither file nor options say is asked for all at once. */
static int check_told(const struct import_file *file, const struct import_row *row)
{
    const struct grid_import_options *options = file->options;
    const struct {
        const char *name, *option;
        bool told;
    } needs[] = {
        { "zone", "--zone ZONE", options->zone || row->zone },
        { "basis", "--basis lifecycle|direct", options->basis || row->basis },
        { "scope", "--scope consumption|generation", options->scope || row->scope },
        { "source", "--source TEXT", options->source || row->source },
    };
    char names_room[80], options_room[160];
    struct buf names, missing;

    buf_init_fixed(&names, names_room, sizeof(names_room));
    buf_init_fixed(&missing, options_room, sizeof(options_room));
    for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++) {
        if (needs[i].told)
            continue;
        buf_printf(&names, "%s%s", names.len ? ", " : "", needs[i].name);
        buf_printf(&missing, "%s%s", missing.len ? " " : "", needs[i].option);
    }
    if (names.len == 0)
        return 0;
    return error_set(file->err, -EINVAL, "%s does not say its %s: give %s, or columns of %s",
                     file->name, names_room, options_room,
                     strchr(names_room, ',') ? "these names" : "this name");
}

/* Fill the key of `ret` from the row, the options and what the format always is. */
static int choose_series(struct import_file *file, const struct import_row *row,
                         struct grid_import_series *ret)
{
    const struct grid_import_options *options = file->options;
    const char *zone, *part, *basis, *scope;
    const char *source = options->source ? options->source : row->source;
    int rc = check_told(file, row);

    if (rc == 0)
        rc = choose_zone(file, row, &zone, &part);
    if (rc == 0)
        rc = choose_word(file, row, "basis", row->basis, options->basis, "lifecycle", "direct",
                         &basis);
    if (rc == 0)
        rc = choose_word(file, row, "scope", row->scope, options->scope, "consumption",
                         "generation", &scope);
    if (rc == 0)
        rc = write_zone(file, row->place, zone, ret->zone, sizeof(ret->zone));
    if (rc == 0)
        rc = write_source(file, row->place, source, part, ret->source, sizeof(ret->source));
    if (rc == 0) {
        snprintf(ret->basis, sizeof(ret->basis), "%s", basis);
        snprintf(ret->scope, sizeof(ret->scope), "%s", scope);
    }
    return rc;
}

bool import_same_kind(const struct grid_import_series *a, const struct grid_import_series *b)
{
    return strcmp(a->zone, b->zone) == 0 && strcmp(a->basis, b->basis) == 0 &&
           strcmp(a->scope, b->scope) == 0;
}

static bool same_series(const struct grid_import_series *a, const struct grid_import_series *b)
{
    return import_same_kind(a, b) && strcmp(a->source, b->source) == 0;
}

static struct grid_import_series *find_series(struct grid_import *import,
                                              const struct grid_import_series *key)
{
    struct grid_import_series *grown;

    if (import->count && same_series(&import->series[import->recent], key))
        return &import->series[import->recent];
    for (size_t i = 0; i < import->count; i++) {
        if (same_series(&import->series[i], key)) {
            import->recent = i;
            return &import->series[i];
        }
    }
    grown = realloc(import->series, (import->count + 1) * sizeof(*grown));
    if (!grown)
        return NULL;
    import->series = grown;
    import->recent = import->count++;
    grown[import->recent] = *key;
    return &grown[import->recent];
}

static bool make_room(struct grid_import_series *series)
{
    size_t room = series->room ? 2 * series->room : 1024;
    struct grid_interval *intervals;
    struct grid_origin *origins;

    if (series->count < series->room)
        return true;
    intervals = realloc(series->intervals, room * sizeof(*intervals));
    if (intervals)
        series->intervals = intervals;
    origins = intervals ? realloc(series->origins, room * sizeof(*origins)) : NULL;
    if (!origins)
        return false;
    series->origins = origins;
    series->room = room;
    return true;
}

int import_add(struct import_file *file, const struct import_row *row)
{
    struct grid_import_series key = { 0 }, *series;
    int rc = choose_series(file, row, &key);

    if (rc < 0)
        return rc;
    series = find_series(file->import, &key);
    if (!series || !make_room(series))
        return error_set(file->err, -ENOMEM, "out of memory");
    series->intervals[series->count] = row->interval;
    series->origins[series->count++] = (struct grid_origin){ file->index, row->place };
    return 0;
}

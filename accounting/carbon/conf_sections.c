/*
 * In named steps: clean the text (refuse what is not plain, blank the comments out, note which
 * brace opens where); have libconfuse read it, noting each value and each closed section as it
 * passes, since libconfuse itself keeps no lines.
 */
#include "carbon/conf_sections.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/nearest.h"

#define DEPTH_MAX 16 /* of braces in braces; the format needs two */

/* One section or field, and whose it is; on a stack until its own section ends. */
struct pending_field {
    const cfg_t *owner;
    struct conf_field field;
};
struct pending_section {
    const cfg_t *owner;
    struct conf_section section;
};

struct reading {
    const char *name;
    const struct conf_spec *spec;
    struct error *err;
    unsigned *opened;          /* lines of opening braces, in the order in which they are closed */
    size_t n_opened, n_closed; /* closed by libconfuse so far */
    struct pending_field *fields;
    size_t n_fields;
    struct pending_section *sections;
    size_t n_sections;
};

/* libconfuse's callbacks know nothing of its caller. */
static _Thread_local struct reading *reading;

/* Room for one more; NULL without memory, the old array then stays. */
static void *grow(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    return realloc(array, (count ? 2 * count : 1) * size);
}

/* --- cleaning the text ------------------------------------------------------------------------ */

struct scan {
    struct reading *to;
    char *at;
    char *begin;
    unsigned line;
    unsigned open[DEPTH_MAX]; /* lines of the braces that are open */
    size_t depth;
};

static int scan_error(const struct scan *scan, unsigned line, const char *what)
{
    return error_set(scan->to->err, -EINVAL, "%s:%u: %s", scan->to->name, line, what);
}

/* Bytes of the UTF-8 character at p (RFC 3629), or 0 when it is none or a control character. */
static size_t character_size(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
                  p[0] < 0xf5 ? 4 : 0;

    if ((p[0] < ' ' && p[0] != '\t' && p[0] != '\n' && p[0] != '\r') || p[0] == 0x7f)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return size;
}

static int check_characters(struct scan *scan)
{
    unsigned line = 1;

    for (const char *p = scan->begin; *p;) {
        size_t size = character_size(p);

        if (size == 0)
            return scan_error(scan, line, "a byte that is no UTF-8 text; write the file in UTF-8, "
                              "without control characters");
        line += *p == '\n';
        p += size;
    }
    return 0;
}

static bool begins_comment(const char *p)
{
    return *p == '#' || (p[0] == '/' && (p[1] == '/' || p[1] == '*'));
}

/* A comment becomes blanks, so that lines stay what they are. */
static int blank_comment(struct scan *scan)
{
    bool block = scan->at[0] == '/' && scan->at[1] == '*';
    unsigned begin = scan->line;
    char *end = block ? strstr(scan->at + 2, "*/") : scan->at + strcspn(scan->at, "\n");

    if (!end)
        return scan_error(scan, begin, "this comment does not end; close it with */");
    if (block)
        end += 2;
    for (; scan->at < end; scan->at++) {
        scan->line += *scan->at == '\n';
        if (*scan->at != '\n')
            *scan->at = ' ';
    }
    return 0;
}

static int skip_quoted(struct scan *scan)
{
    char quote = *scan->at++;

    for (; *scan->at != quote; scan->at++) {
        if (*scan->at == '\0' || *scan->at == '\n')
            return scan_error(scan, scan->line, "a quote is not closed; close it on the same line");
        if (*scan->at == '\\' || (scan->at[0] == '$' && scan->at[1] == '{'))
            return scan_error(scan, scan->line, "backslashes and ${…} have no meaning here; write "
                              "the value itself");
    }
    scan->at++;
    return 0;
}

static int open_brace(struct scan *scan)
{
    if (scan->depth == DEPTH_MAX)
        return scan_error(scan, scan->line, "sections too deep in each other; close the others "
                          "with '}' first");
    scan->open[scan->depth++] = scan->line;
    return 0;
}

static int close_brace(struct scan *scan)
{
    struct reading *to = scan->to;
    unsigned *opened;

    if (scan->depth == 0)
        return scan_error(scan, scan->line, "a '}' too many; take it out, or look for the '{' that "
                          "it was to close");
    opened = grow(to->opened, to->n_opened, sizeof(*opened));
    if (!opened)
        return error_set(to->err, -ENOMEM, "%s: out of memory", to->name);
    to->opened = opened;
    to->opened[to->n_opened++] = scan->open[--scan->depth];
    return 0;
}

static int scan_one(struct scan *scan)
{
    char c = *scan->at;
    int rc = 0;

    if (begins_comment(scan->at)) {
        if (scan->at > scan->begin && !strchr(" \t\r\n{}\"'=", scan->at[-1]))
            return scan_error(scan, scan->line, "a comment begins inside a word; put the value in "
                              "quotes, or a blank before the comment");
        return blank_comment(scan);
    }
    if (c == '"' || c == '\'')
        return skip_quoted(scan);
    if (c == '\\' || (c == '$' && scan->at[1] == '{'))
        return scan_error(scan, scan->line, "backslashes and ${…} have no meaning here; write the "
                          "value itself");
    if (c == '{')
        rc = open_brace(scan);
    else if (c == '}')
        rc = close_brace(scan);
    scan->line += c == '\n';
    scan->at++;
    return rc;
}

static int clean(struct reading *to, char *text)
{
    struct scan scan = { .to = to, .at = text, .begin = text, .line = 1 };
    int rc = check_characters(&scan);

    while (rc == 0 && *scan.at)
        rc = scan_one(&scan);
    if (rc == 0 && scan.depth > 0)
        rc = scan_error(&scan, scan.open[scan.depth - 1], "this '{' is not closed; close the "
                        "section with '}'");
    return rc;
}

/* --- what passes while libconfuse reads ------------------------------------------------------- */

static const struct conf_spec *spec_of(const char *kind, const struct conf_spec *in)
{
    for (const struct conf_spec *s = in->sections; s && s->kind; s++) {
        const struct conf_spec *found = strcasecmp(s->kind, kind) == 0 ? s : spec_of(kind, s);

        if (found)
            return found;
    }
    return NULL;
}

static int out_of_memory(void)
{
    error_set(reading->err, -ENOMEM, "%s: out of memory", reading->name);
    return -1;
}

static int note_field(cfg_t *cfg, cfg_opt_t *opt)
{
    struct pending_field *fields = reading->fields;
    const char *value = cfg_opt_getnstr(opt, 0);

    for (size_t i = reading->n_fields; i > 0 && fields[i - 1].owner == cfg; i--) {
        if (strcmp(fields[i - 1].field.key, opt->name) == 0) {
            error_set(reading->err, -EINVAL, "%s:%d: %s: stands on line %u already; keep one of "
                      "the two", reading->name, cfg->line, opt->name, fields[i - 1].field.line);
            return -1;
        }
    }
    fields = grow(fields, reading->n_fields, sizeof(*fields));
    if (!fields)
        return out_of_memory();
    reading->fields = fields;
    fields += reading->n_fields;
    fields->owner = cfg;
    fields->field.key = opt->name; /* until its section ends, then the spec's */
    fields->field.line = (unsigned)cfg->line;
    fields->field.value = strdup(value ? value : "");
    if (!fields->field.value)
        return out_of_memory();
    reading->n_fields++;
    return 0;
}

/* The spec's own text of a key: libconfuse's goes with its tree. */
static const char *spec_key(const struct conf_spec *spec, const char *key)
{
    for (size_t i = 0; spec->keys && spec->keys[i]; i++)
        if (strcasecmp(spec->keys[i], key) == 0)
            return spec->keys[i];
    return "";
}

/* Take what was noted of `owner` off the stacks, into *section. */
static int take_pending(const cfg_t *owner, const struct conf_spec *spec,
                        struct conf_section *section)
{
    size_t first_field = reading->n_fields, first_section = reading->n_sections;

    while (first_field > 0 && reading->fields[first_field - 1].owner == owner)
        first_field--;
    while (first_section > 0 && reading->sections[first_section - 1].owner == owner)
        first_section--;
    section->fields = calloc(reading->n_fields - first_field + 1, sizeof(*section->fields));
    section->sections = calloc(reading->n_sections - first_section + 1,
                               sizeof(*section->sections));
    if (!section->fields || !section->sections)
        return out_of_memory();
    for (size_t i = first_field; i < reading->n_fields; i++) {
        section->fields[section->n_fields] = reading->fields[i].field;
        section->fields[section->n_fields].key = spec_key(spec, reading->fields[i].field.key);
        section->n_fields++;
    }
    for (size_t i = first_section; i < reading->n_sections; i++)
        section->sections[section->n_sections++] = reading->sections[i].section;
    reading->n_fields = first_field;
    reading->n_sections = first_section;
    return 0;
}

static int note_section(cfg_t *cfg, cfg_opt_t *opt)
{
    const cfg_t *closed = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    const struct conf_spec *spec = spec_of(opt->name, reading->spec);
    struct conf_section section = { .kind = spec->kind };
    struct pending_section *sections;

    if (reading->n_closed < reading->n_opened)
        section.line = reading->opened[reading->n_closed++];
    section.title = strdup(cfg_title((cfg_t *)closed));
    if (!section.title || take_pending(closed, spec, &section) < 0) {
        conf_sections_clear(&section);
        return out_of_memory();
    }
    sections = grow(reading->sections, reading->n_sections, sizeof(*sections));
    if (!sections) {
        conf_sections_clear(&section);
        return out_of_memory();
    }
    reading->sections = sections;
    sections[reading->n_sections].owner = cfg;
    sections[reading->n_sections++].section = section;
    return 0;
}

/* --- what libconfuse complains of, in our words ----------------------------------------------- */

/* Words of a spec, in its order: its keys, then its kinds of section; NULL behind the last. */
static const char *word_of(const struct conf_spec *spec, size_t index)
{
    size_t i = 0;

    for (; spec->keys && spec->keys[i]; i++)
        if (i == index)
            return spec->keys[i];
    for (const struct conf_spec *s = spec->sections; s && s->kind; s++, i++)
        if (i == index)
            return s->kind;
    return NULL;
}

/* "did you mean nodes?", or all that there is when nothing comes near. */
static void suggest(const struct conf_spec *spec, const char *word, char *room, size_t size)
{
    const char *nearest = "", *other;
    unsigned least = (unsigned)-1;

    for (size_t i = 0; (other = word_of(spec, i)) != NULL; i++) {
        unsigned edits = edit_distance(word, other);

        if (edits < least) {
            nearest = other;
            least = edits;
        }
    }
    if (least <= 2) {
        snprintf(room, size, "did you mean %s?", nearest);
        return;
    }
    snprintf(room, size, "there are");
    for (size_t i = 0; (other = word_of(spec, i)) != NULL; i++)
        snprintf(room + strlen(room), size - strlen(room), "%s %s",
                 i == 0 ? "" : word_of(spec, i + 1) ? "," : " and", other);
}

/* A word that is nothing here, with where "here" is and what there is. */
static void report_unknown(const cfg_t *cfg, const char *word)
{
    const char *title = cfg_title((cfg_t *)cfg);
    const struct conf_spec *spec = title ? spec_of(cfg->name, reading->spec) : reading->spec;
    char there_is[256];

    suggest(spec, word, there_is, sizeof(there_is));
    if (title)
        error_set(reading->err, -EINVAL, "%s:%d: %s \"%.64s\": %.64s: no such key here; %s",
                  reading->name, cfg->line, spec->kind, title, word, there_is);
    else
        error_set(reading->err, -EINVAL, "%s:%d: %.64s: no such section; %s", reading->name,
                  cfg->line, word, there_is);
}

static void report_duplicate(const cfg_t *cfg, const char *title)
{
    for (size_t i = reading->n_sections; i > 0; i--) {
        const struct pending_section *other = &reading->sections[i - 1];

        if (other->owner == cfg && strcasecmp(other->section.title, title) == 0) {
            error_set(reading->err, -EINVAL, "%s:%d: %s \"%.64s\": there is one on line %u "
                      "already; give each a name of its own", reading->name, cfg->line,
                      other->section.kind, title, other->section.line);
            return;
        }
    }
}

static void report_word(const cfg_t *cfg, const char *word, const char *what)
{
    error_set(reading->err, -EINVAL, "%s:%d: '%.64s' %s", reading->name, cfg->line, word, what);
}

/* By parts of libconfuse's formats, all of which have one word of the file as their argument. */
static const struct {
    const char *part, *ours;
} complaints[] = {
    { "missing equal sign", "has no '=' after it; write key = \"value\"" },
    { "missing title", "has no title; write a name in quotes before the '{'" },
    { "missing opening brace", "has no '{' after its title; write one" },
    { "unexpected token", "is not expected here; write key = \"value\", with quotes around a value "
                          "that holds blanks or commas" },
    { "append to non-list", "takes one value; write = instead of +=" },
};

static void report_confuse(cfg_t *cfg, const char *fmt, va_list ap)
{
    char text[ERROR_TEXT_SIZE / 2];

    if (strstr(fmt, "no such option")) {
        report_unknown(cfg, va_arg(ap, const char *));
        return;
    }
    if (strstr(fmt, "duplicate title")) {
        report_duplicate(cfg, va_arg(ap, const char *));
        return;
    }
    for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
        if (strstr(fmt, complaints[i].part)) {
            report_word(cfg, va_arg(ap, const char *), complaints[i].ours);
            return;
        }
    }
    vsnprintf(text, sizeof(text), fmt, ap);
    error_set(reading->err, -EINVAL, "%s:%d: %s; write key = \"value\" in a section",
              reading->name, cfg->line, text);
}

/* --- libconfuse ------------------------------------------------------------------------------- */

static void free_opts(cfg_opt_t *opts)
{
    for (size_t i = 0; opts && opts[i].name; i++)
        free_opts(opts[i].subopts);
    free(opts);
}

/* Options of a spec, for cfg_init(), which copies them. NULL without memory. */
static cfg_opt_t *make_opts(const struct conf_spec *spec)
{
    size_t count = 0, at = 0;
    cfg_opt_t *opts;

    for (size_t i = 0; spec->keys && spec->keys[i]; i++)
        count++;
    for (const struct conf_spec *s = spec->sections; s && s->kind; s++)
        count++;
    opts = calloc(count + 1, sizeof(*opts));
    if (!opts)
        return NULL;
    for (size_t i = 0; spec->keys && spec->keys[i]; i++, at++) {
        opts[at] = (cfg_opt_t)CFG_STR(spec->keys[i], NULL, CFGF_NODEFAULT);
        opts[at].validcb = note_field;
    }
    for (const struct conf_spec *s = spec->sections; s && s->kind; s++, at++) {
        cfg_opt_t *inner = make_opts(s);

        opts[at] = (cfg_opt_t)CFG_SEC(s->kind, inner,
                                      CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
        opts[at].validcb = note_section;
        if (!inner) {
            free_opts(opts);
            return NULL;
        }
    }
    return opts;
}

/* The line up to which libconfuse has read; an outer section knows nothing of a later inner one. */
static int line_reached(const cfg_t *cfg)
{
    int line = cfg->line;

    for (cfg_opt_t *opt = cfg->opts; opt->name; opt++)
        for (unsigned i = 0; opt->type == CFGT_SEC && i < cfg_opt_size(opt); i++) {
            int inner = line_reached(cfg_opt_getnsec(opt, i));

            line = inner > line ? inner : line;
        }
    return line;
}

static int read_clean(const char *text, struct conf_section *root)
{
    cfg_opt_t *opts = make_opts(reading->spec);
    cfg_t *cfg = opts ? cfg_init(opts, CFGF_NOCASE) : NULL;
    int rc = 0;

    free_opts(opts);
    if (!cfg)
        return error_set(reading->err, -ENOMEM, "%s: out of memory", reading->name);
    cfg_set_error_function(cfg, report_confuse);
    if (cfg_parse_buf(cfg, text) != CFG_SUCCESS || take_pending(cfg, reading->spec, root) < 0)
        rc = -EINVAL;
    if (rc < 0 && reading->err->text[0] == '\0') /* of the name "" libconfuse says nothing */
        error_set(reading->err, rc, "%s:%d: an empty text where a key or a section begins; take "
                  "the quotes out, or write its name", reading->name, line_reached(cfg));
    cfg_free(cfg);
    return rc;
}

static void forget(struct reading *done)
{
    for (size_t i = 0; i < done->n_fields; i++)
        free(done->fields[i].field.value);
    for (size_t i = 0; i < done->n_sections; i++)
        conf_sections_clear(&done->sections[i].section);
    free(done->fields);
    free(done->sections);
    free(done->opened);
}

/* --- public ----------------------------------------------------------------------------------- */

int conf_sections_parse(const char *text, const char *name, const struct conf_spec *spec,
                        struct conf_section *ret, struct error *err)
{
    struct error why = { "" };
    struct reading here = { .name = name, .spec = spec, .err = &why };
    struct conf_section root = { .kind = "" };
    size_t len = strlen(text);
    char *copy = malloc(len + 2);
    int rc;

    if (!copy)
        return error_set(err, -ENOMEM, "%s: out of memory", name);
    memcpy(copy, text, len);
    memcpy(copy + len, "\n", 2); /* and never empty, which not every libconfuse takes */
    reading = &here;
    rc = clean(&here, copy);
    if (rc == 0)
        rc = read_clean(copy, &root);
    reading = NULL;
    forget(&here);
    free(copy);
    if (rc < 0) {
        conf_sections_clear(&root);
        return error_set(err, rc, "%s", why.text);
    }
    *ret = root;
    return 0;
}

void conf_sections_clear(struct conf_section *root)
{
    for (size_t i = 0; i < root->n_fields; i++)
        free(root->fields[i].value);
    for (size_t i = 0; i < root->n_sections; i++)
        conf_sections_clear(&root->sections[i]);
    free(root->fields);
    free(root->sections);
    free(root->title);
    *root = (struct conf_section){ .kind = "" };
}

const struct conf_field *conf_section_field(const struct conf_section *section, const char *key)
{
    for (size_t i = 0; i < section->n_fields; i++)
        if (strcmp(section->fields[i].key, key) == 0)
            return &section->fields[i];
    return NULL;
}

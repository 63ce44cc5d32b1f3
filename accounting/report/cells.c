#include "report/cells.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/format.h"

void cells_column(struct cells *cells, bool right)
{
    if (cells->n_columns < CELLS_COLUMNS_MAX)
        cells->right[cells->n_columns++] = right;
}

void cells_take(struct cells *cells, struct buf *text)
{
    if ((cells->count & (cells->count - 1)) == 0) {
        size_t room = cells->count ? cells->count * 2 : 1;
        char **texts = realloc(cells->texts, room * sizeof(*texts));

        if (texts)
            cells->texts = texts;
        else
            cells->failed = true;
    }
    if (cells->failed || buf_failed(text)) {
        cells->failed = true;
        buf_free(text);
        return;
    }
    if (!text->data)
        buf_printf(text, "%s", "");
    cells->texts[cells->count++] = text->data;
    buf_init(text);
}

void cells_text(struct cells *cells, const char *text)
{
    struct buf buf;

    buf_init(&buf);
    buf_printf(&buf, "%s", text);
    cells_take(cells, &buf);
}

static void pad(struct buf *buf, size_t count)
{
    buf_printf(buf, "%*s", (int)count, "");
}

/* One row, without blanks at its end. */
static void write_row(const struct cells *cells, size_t row, const size_t *widths, struct buf *buf)
{
    size_t owed = 0;

    for (size_t i = 0; i < cells->n_columns; i++) {
        const char *text = cells->texts[row * cells->n_columns + i];
        size_t space = widths[i] - format_width(text);

        owed += 2 + (cells->right[i] ? space : 0);
        if (*text != '\0') {
            pad(buf, owed);
            buf_printf(buf, "%s", text);
            owed = 0;
        }
        owed += cells->right[i] ? 0 : space;
    }
}

int cells_write(struct cells *cells, bool heading, bool header, bool colour, struct buf *buf,
                struct error *err)
{
    size_t widths[CELLS_COLUMNS_MAX] = { 0 };
    bool failed = cells->failed;

    for (size_t i = 0; i < cells->count; i++) {
        size_t width = format_width(cells->texts[i]);

        if (width > widths[i % cells->n_columns])
            widths[i % cells->n_columns] = width;
    }
    for (size_t row = 0; !failed && row < cells->count / cells->n_columns; row++) {
        bool bold = heading && row == 0 && colour;

        if (heading && row == 0 && !header)
            continue;
        buf_printf(buf, "%s", bold ? "\033[1m" : "");
        write_row(cells, row, widths, buf);
        buf_printf(buf, "%s\n", bold ? "\033[0m" : "");
    }
    for (size_t i = 0; i < cells->count; i++)
        free(cells->texts[i]);
    free(cells->texts);
    *cells = (struct cells){ 0 };
    return failed || buf_failed(buf) ? error_set(err, -ENOMEM, "no memory for the report") : 0;
}

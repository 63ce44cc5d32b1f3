#include "report/csv.h"

#include <string.h>

bool csv_is_formula(const char *text)
{
    static const char *const begins[] = {
        "=", "+", "-", "@", "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0",
    };

    text += strspn(text, " ");
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
        if (strncmp(text, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

void csv_text(struct buf *buf, const char *text)
{
    const char *formula = csv_is_formula(text) ? "'" : "";

    if (!strpbrk(text, ",\"\r\n")) {
        buf_printf(buf, "%s%s", formula, text);
        return;
    }
    buf_printf(buf, "\"%s", formula);
    for (; *text != '\0'; text++)
        buf_printf(buf, *text == '"' ? "\"%c" : "%c", *text);
    buf_printf(buf, "\"");
}

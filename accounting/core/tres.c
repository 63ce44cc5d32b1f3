#include "core/tres.h"

#include <string.h>

#include "core/parse.h"

/* MiB of one unit of memory by its letter; 0: no such letter. Slurm means 1024 by each step. */
static uint64_t mib_of_letter(char letter)
{
    static const char letters[] = "MGTPE";
    const char *found = letter ? strchr(letters, letter) : NULL;

    return found ? UINT64_C(1) << (10 * (found - letters)) : 0;
}

static uint64_t count_of(const char *text, size_t len)
{
    char digits[24];
    size_t whole = strspn(text, "0123456789"), tail = whole;
    uint64_t value, unit;

    if (whole == 0 || whole >= sizeof(digits) || whole > len)
        return 0;
    memcpy(digits, text, whole);
    digits[whole] = '\0';
    if (parse_u64(digits, 0, UINT64_MAX / 2, &value) < 0)
        return 0;
    if (text[tail] == '.') /* "7.50G": whole ones are near enough */
        tail += 1 + strspn(text + tail + 1, "0123456789");
    if (tail == len)
        return value;
    unit = tail + 1 == len ? mib_of_letter(text[tail]) : 0;
    if (unit && value <= UINT64_MAX / 2 / unit)
        return value * unit;
    return text[tail] == 'K' ? value / 1024 : 0;
}

uint64_t tres_count(const char *list, const char *name)
{
    size_t name_len = strlen(name);

    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ",");

        if (len > name_len && at[name_len] == '=' && strncmp(at, name, name_len) == 0)
            return count_of(at + name_len + 1, len - name_len - 1);
        at += len + (at[len] == ',');
    }
    return 0;
}

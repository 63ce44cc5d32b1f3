/* meter_status.h: the first line is the source that is looked for, the rest what a meter said. And
   ledger/floor.h: the rest as a learned histogram. */
#include <stdlib.h>
#include <string.h>

#include "cli/meter_status.h"
#include "fuzz.h"
#include "ledger/floor.h"

static void try_status(const char *source, const char *text)
{
    uint64_t floor_uw = 77;
    bool learned = false;
    const char *line = text;
    size_t len = strlen(source);

    if (!meter_find_floor(text, source, &floor_uw, &learned)) {
        PROMISE(floor_uw == 77 && !learned);
        return;
    }
    for (bool found = false; !found; line = strchr(line, '\n') + 1) {
        found = strncmp(line, "counter: ", 9) == 0 && strncmp(line + 9, source, len) == 0 &&
                line[9 + len] == ' ';
        PROMISE(found || strchr(line, '\n'));
        if (found)
            break;
    }
    PROMISE(strstr(line, " floor_w=") && floor_uw <= UINT64_C(1000000000000));
}

static void try_floor(const char *text)
{
    struct floor floor = { .total = 77 }, again = { 0 };
    char formatted[2048];
    uint64_t uw = 0;

    if (floor_parse(text, &floor) < 0) {
        PROMISE(floor.total == 77);
        return;
    }
    floor_value(&floor, &uw);
    floor_format(&floor, formatted, sizeof(formatted));
    PROMISE(floor_parse(formatted, &again) == 0);
    PROMISE(memcmp(&floor, &again, sizeof(floor)) == 0);
    floor_observe(&floor, uw);
    PROMISE(floor.total <= FLOOR_FULL + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *rest = text;
    const char *source = fuzz_line(&rest);

    try_status(source, rest);
    try_floor(rest);
    free(text);
    return 0;
}

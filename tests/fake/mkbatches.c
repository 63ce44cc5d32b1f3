/*
 * mkbatches DIR NODES BATCHES [SEED [CLUSTER [STREAM]]]: deliver random batches of several nodes of
 * a cluster ("c") into DIR, and print what they counted in millijoules, one line per component.
 * STREAM is the first node's, the next has the next.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/parse.h"
#include "fake_meter.h"

int main(int argc, char **argv)
{
    uint64_t nodes, batches, state = 1, stream = 0x1000, counted_mj[COMPONENT_COUNT] = { 0 };

    if (argc < 4 || parse_u64(argv[2], 1, 100000, &nodes) < 0 ||
        parse_u64(argv[3], 1, 1000000, &batches) < 0 ||
        (argc > 4 && parse_u64(argv[4], 0, UINT64_MAX, &state) < 0) ||
        (argc > 6 && parse_u64(argv[6], 1, UINT64_MAX - nodes, &stream) < 0)) {
        fprintf(stderr, "usage: mkbatches DIR NODES BATCHES [SEED [CLUSTER [STREAM]]]\n");
        return 1;
    }
    for (uint64_t n = 0; n < nodes; n++) {
        struct fake_meter meter;
        char name[BATCH_NAME_SIZE];

        snprintf(name, sizeof(name), "n%" PRIu64, n + 1);
        fake_meter_init(&meter, name, stream + n, FAKE_BEGIN_S);
        if (argc > 5)
            snprintf(meter.cluster, sizeof(meter.cluster), "%s", argv[5]);
        for (uint64_t i = 0; i < batches; i++) {
            struct batch batch;

            fake_meter_random(&meter, &state, &batch);
            fake_meter_deliver(&batch, argv[1], name);
            batch_clear(&batch);
        }
        for (unsigned c = 0; c < COMPONENT_COUNT; c++)
            counted_mj[c] += meter.counted_uj[c] / 1000;
    }
    for (unsigned c = 0; c < COMPONENT_COUNT; c++)
        printf("%s %" PRIu64 "\n", component_names[c], counted_mj[c]);
    return 0;
}

/*
 * nodes.h - how far each node's books are
 */
#ifndef CARBON_STORE_NODES_H
#define CARBON_STORE_NODES_H

#include "store/store.h"

struct node_status {
    const char *cluster, *node;
    int64_t last_s;          /* UTC second up to which its newest batch goes */
    int64_t loaded_s;        /* when that one was loaded */
    int64_t streams, batches; /* since `since_s` */
    int64_t missing;         /* batches: holes in the seqs of those streams */
    int64_t marks_bad;       /* refused, and … */
    int64_t batches_dropped; /* … given up by the meter, over those streams */
};

/* Every node by cluster and name, looking at batches that end at since_s or later. */
MUST_CHECK int store_nodes(struct store *store, int64_t since_s,
                           void (*take)(void *arg, const struct node_status *status), void *arg,
                           struct error *err);

/* How many files were set aside. */
MUST_CHECK int store_quarantined(struct store *store, int64_t *ret_count, struct error *err);

#endif

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
    int64_t missing;         /* batches: holes in those streams' seqs, less what is given up */
    int64_t marks_bad;       /* refused, and … */
    int64_t batches_dropped; /* … given up by the meter, over those streams */
};

/* Every node that ever delivered, by cluster and name, looking at batches that end at since_s or
   later. */
MUST_CHECK int store_nodes(struct store *store, int64_t since_s,
                           void (*take)(void *arg, const struct node_status *status), void *arg,
                           struct error *err);

/* How many files were set aside. */
MUST_CHECK int store_quarantined(struct store *store, int64_t *ret_count, struct error *err);

/* What was noted by store_note_quarantine(), by name; `take` returns 0, or what to end with. */
MUST_CHECK int store_quarantine_notes(struct store *store,
                                      int (*take)(void *arg, const char *file_name,
                                                  const char *reason, int64_t since_s),
                                      void *arg, struct error *err);
MUST_CHECK int store_forget_quarantine(struct store *store, const char *file_name,
                                       struct error *err);

#endif

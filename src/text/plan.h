/*
 * plan.h - the order in which a section of concurrent events is replayed.
 *
 * Nodes are graph runs cut to the section. A node comes after its parents; nodes whose events are
 * in the text already come before all others; else the walk goes depth first, from a node to the
 * child with the least below it, so that it changes branches as seldom as it can: each change costs
 * retreats and advances.
 */
#ifndef TEXT_PLAN_H
#define TEXT_PLAN_H

#include "text/graph.h"

struct plan_node {
    struct span run;
    uint32_t entry;       /* of the graph */
    uint32_t n_waiting;   /* parents in the section that were not visited */
    uint32_t first_child; /* index into links */
    uint32_t n_children;
    uint64_t cost; /* events here and in what hangs on it */
};

struct plan {
    struct plan_node *nodes; /* ascending in LV */
    size_t n_nodes, cap_nodes;
    uint32_t *links; /* the children of each node */
    size_t cap_links;
    uint32_t *order; /* the nodes as they are to be visited */
    size_t cap_order;
    uint32_t *stacks[2]; /* ready nodes: those in the text already, and new ones */
    size_t cap_stacks[2], n_stacked[2];
    uint64_t *sorting;
    size_t cap_sorting;
};

/* What is replayed: the runs of `spans` (ascending, closed under parents) between two LVs; events
 * before `n_merged` are in the text already. */
struct section {
    const struct span *spans;
    size_t n_spans;
    struct span bounds;
    uint32_t n_merged;
};

/* Frees the plan; it is empty and usable again. */
void plan_clear(struct plan *p);
/* The parents of a node, which may lie before the section. *own is room for the parent of a node
 * that begins inside an entry. */
struct version plan_parents(const struct graph *g, const struct plan_node *node, uint32_t *own);
/* Fills p->nodes and p->order. Returns 0 or RAPPORT_NOMEM. */
int plan_make(struct plan *p, const struct graph *g, const struct section *s);

#endif

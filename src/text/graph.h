/*
 * graph.h - which event was made after which: runs of LVs with the parents of their first event.
 *
 * An entry is a run whose later events each have the one before as only parent. Parents are minimal
 * (none is in another's past) and ascending. The frontier is the sorted set of LVs without
 * children. The shadow of an entry is the lowest LV from which on every earlier event is in the
 * entry's past, which answers most questions about linear history at once.
 *
 * A *critical* LV is one that every earlier event is before and every later event is after. They
 * are kept as a stack of ranges: events arrive in LV order, and a run whose latest parent is p ends
 * the criticality of all above p. Source: Eg-walker §3.5, turned into one scan as events come.
 */
#ifndef TEXT_GRAPH_H
#define TEXT_GRAPH_H

#include "text/ids.h"

struct graph_entry {
    uint32_t start; /* the run ends where the next one begins */
    uint32_t shadow;
    uint32_t parents; /* one: its LV; more: index of the first in `pool` */
    uint32_t n_parents;
};

/* A growing list of runs. */
struct spans {
    struct span *runs;
    size_t n, cap;
};

/* Events without children, ascending. */
struct heads {
    uint32_t *lvs;
    size_t n, cap;
};

struct graph {
    struct graph_entry *entries;
    size_t n_entries, cap_entries;
    uint32_t *pool;
    size_t n_pool, cap_pool;
    struct heads frontier;
    struct spans critical;
    uint32_t n_events;
};

/* A greatest-first heap, kept by callers so that its memory is used again. */
struct heap {
    uint64_t *keys;
    size_t n, cap;
};

#define GRAPH_INIT ((struct graph){0})

/* Frees the tables; the graph is empty and usable again. */
void graph_clear(struct graph *g);
/* Room for n more runs with n_parents parents in all. Returns 0 or RAPPORT_NOMEM. */
int graph_reserve(struct graph *g, size_t n, size_t n_parents);
/* Appends n events after `parents` (minimal, ascending, known). Room must be there. */
void graph_push(struct graph *g, const uint32_t *parents, size_t n_parents, uint32_t n);
/* Index of the entry that holds lv. */
size_t graph_find(const struct graph *g, uint32_t lv);
/* LV behind the last event of entry i. */
uint32_t graph_end(const struct graph *g, size_t i);
/* The parents of entry i's first event, ascending. */
const uint32_t *graph_parents(const struct graph *g, size_t i);

/* The version arithmetic. A version is a set of LVs; none has to be minimal or sorted. Each returns
 * 0 or RAPPORT_NOMEM. */
/* Is `lv` one of the version's events or in their past? */
int graph_contains(const struct graph *g, struct heap *h, const uint32_t *version, size_t n,
                   uint32_t lv, bool *out);
/* Reduces a set to its minimal, ascending form in place. */
int graph_reduce(const struct graph *g, struct heap *h, uint32_t *version, size_t *n);
/* A version as an argument. */
struct version {
    const uint32_t *lvs;
    size_t n;
};
/* Appends the events that only one of two versions has, newest first. */
int graph_diff(const struct graph *g, struct heap *h, struct version a, struct version b,
               struct spans *only_a, struct spans *only_b);

/* A run that ends with `last` arrives: its parents are heads no longer, `last` is one. Room for one
 * more must be there. */
void heads_push(struct heads *heads, const uint32_t *parents, size_t n_parents, uint32_t last);
/* Accounts for a run that arrives with latest parent `parent` (LV_NONE: none) in a stack of
 * critical ranges; `alone`: afterwards the run's last event is the whole frontier. Room for one
 * more must be there. */
void critical_push(struct spans *stack, struct span run, uint32_t parent, bool alone);

/* Appends a run, joined with the last one where they touch (`down`: runs come newest first). */
int spans_push(struct spans *s, struct span run, bool down);
/* Frees the list; it is empty and usable again. */
void spans_clear(struct spans *s);
/* Frees the heap; it is empty and usable again. */
void heap_clear(struct heap *h);

#endif

/*
 * history.h - all events of one text: who made them (ids), after what (graph), and what they do
 * (ops), each a table by LV; and the lengths of the text at some critical versions, so that a
 * replay knows how long its base text is.
 */
#ifndef TEXT_HISTORY_H
#define TEXT_HISTORY_H

#include "text/graph.h"
#include "text/ops.h"

/* The text had `length` code points just before event `start`, which is critical. */
struct milestone {
    uint32_t start, length;
};

struct milestones {
    struct milestone *items; /* ascending in start */
    size_t n, cap;
};

struct history {
    struct ids ids;
    struct graph graph;
    struct ops ops;
    struct milestones milestones;
};

#define HISTORY_INIT ((struct history){0})

static inline uint32_t history_n_events(const struct history *h)
{
    return h->graph.n_events;
}

/* Frees the tables; they are empty and usable again. */
void history_clear(struct history *h);

/* New events: `parents` are LVs, minimal and ascending. */
struct new_run {
    uint32_t agent;
    uint64_t seq;
    const uint32_t *parents;
    size_t n_parents;
    struct op_piece piece;
    struct slice text;
};
/* Appends events to all tables; their agent and room for them must be there (history_reserve). */
void history_push(struct history *h, const struct new_run *run);
/* Room for n_runs pushes of this agent with so many parents and bytes of text in all. Returns 0 or
 * RAPPORT_NOMEM. */
int history_reserve(struct history *h, uint32_t agent, size_t n_runs, size_t n_parents,
                    size_t text_len);
/* Remembers a length. Close ones are thinned out, but the last one always stays. Ones at or before
 * the last are ignored. Returns 0 or RAPPORT_NOMEM. */
int milestones_push(struct milestones *m, struct milestone item);
/* The last milestone with start <= lv; {0, 0}, the empty text, when there is none. */
struct milestone milestones_find(const struct milestones *m, uint32_t lv);

#endif

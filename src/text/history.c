/* history.c - the tables together, and the milestones (see history.h). */
#include "text/history.h"

#include <assert.h>

#include "text/vec.h"

enum {
    MILESTONE_EVENTS = 256 /* between all but the last two */
};

void history_clear(struct history *h)
{
    ids_clear(&h->ids);
    graph_clear(&h->graph);
    ops_clear(&h->ops);
    free(h->milestones.items);
    *h = HISTORY_INIT;
}

int history_reserve(struct history *h, uint32_t agent, size_t n_runs, size_t n_parents,
                    size_t text_len)
{
    if (ids_reserve(&h->ids, agent, n_runs) || graph_reserve(&h->graph, n_runs, n_parents))
        return RAPPORT_NOMEM;
    return ops_reserve(&h->ops, n_runs, text_len);
}

void history_push(struct history *h, const struct new_run *run)
{
    struct milestones *m = &h->milestones;
    uint32_t newest = run->n_parents ? run->parents[run->n_parents - 1] : 0;
    ids_push(&h->ids, run->agent, run->seq, run->piece.n);
    graph_push(&h->graph, run->parents, run->n_parents, run->piece.n);
    ops_push(&h->ops, run->piece, run->text);
    /* What is not critical any more goes; the start of all stays true, as the empty text. */
    while (m->n && m->items[m->n - 1].start > newest)
        m->n--;
    if (!run->n_parents)
        m->n = 0;
}

int milestones_push(struct milestones *m, struct milestone item)
{
    if (m->n && item.start <= m->items[m->n - 1].start)
        return 0;
    if (m->n >= 2 && m->items[m->n - 1].start - m->items[m->n - 2].start < MILESTONE_EVENTS) {
        m->items[m->n - 1] = item;
        return 0;
    }
    if (VEC_RESERVE(m->items, m->cap, m->n + 1))
        return RAPPORT_NOMEM;
    m->items[m->n++] = item;
    return 0;
}

struct milestone milestones_find(const struct milestones *m, uint32_t lv)
{
    size_t low = 0, high = m->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->items[mid].start <= lv)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? m->items[low - 1] : (struct milestone){0};
}

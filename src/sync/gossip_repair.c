/*
 * gossip_repair.c - from whom we want each log, and what we do when it does not come (see
 * gossip.h).
 *
 * Eager links are taken away one at a time and only while the link that brought the newest events
 * stays eager, so a log never loses its last source by muting. Two nodes may wait for each other in
 * a circle that the author is not in; heights still reach them, and the graft breaks the circle.
 */
#include "sync/gossip_state.h"

void gossip_set_muted(struct gossip_link *link, uint32_t index, bool muted, uint64_t now_ms)
{
    struct gossip_cell *cell = &link->cells[index];
    cell->our_muted = muted;
    if (cell->told_muted != muted)
        gossip_row_due(link, index, now_ms);
}

bool gossip_has_source(const struct gossip *g, const struct gossip_log *log)
{
    if (log->source == GOSSIP_LOCAL)
        return true;
    const struct gossip_link *source = gossip_find_link(g, log->source);
    return source && !source->cells[log->index].our_muted;
}

/* Looks at the log again at `at` or earlier. */
static void wait_until(struct gossip *g, struct gossip_log *log, uint64_t at)
{
    if (!log->waiting) {
        log->waiting = true;
        log->after_waiting = g->waiting;
        g->waiting = log->index;
    }
    log->check_at = gossip_min(log->check_at, at);
    g->check_at = gossip_min(g->check_at, at);
}

static bool other_eager_has(const struct gossip *g, const struct gossip_link *link,
                            const struct gossip_log *log)
{
    uint64_t next = link->cells[log->index].peer_next;
    for (size_t i = 0; i < g->n_links; i++) {
        const struct gossip_cell *cell = &g->links[i]->cells[log->index];
        if (g->links[i] != link && !cell->our_muted && cell->peer_next >= next)
            return true;
    }
    return false;
}

static uint64_t graft_wait(const struct gossip_link *link)
{
    return gossip_max((uint64_t)2 * link->rtt_ms, GOSSIP_GRAFT_MS);
}

/* With several eager links that have it, one is enough: the others are muted before they send. */
void gossip_announced(struct gossip *g, struct gossip_link *link, struct gossip_log *log,
                      uint64_t now_ms)
{
    bool muted = link->cells[log->index].our_muted;
    wait_until(g, log, now_ms + (muted ? graft_wait(link) : GOSSIP_STALL_MS));
    if (!muted && log->source != link->id && other_eager_has(g, link, log))
        gossip_set_muted(link, log->index, true, now_ms);
}

/* Links that announced more of a log than we have. */
struct candidates {
    struct gossip_link *eager, *muted; /* of each kind the one that has most, or NULL */
    uint64_t active_at;                /* when one of the eager ones last did something */
};

static bool has_more_than(const struct gossip_link *a, const struct gossip_link *b, uint32_t index)
{
    return !b || a->cells[index].peer_next > b->cells[index].peer_next ||
           (a->cells[index].peer_next == b->cells[index].peer_next && a->rtt_ms < b->rtt_ms);
}

static struct candidates find_candidates(const struct gossip *g, const struct gossip_log *log)
{
    struct candidates c = {.active_at = log->asked ? log->asked_at : 0};
    for (size_t i = 0; i < g->n_links; i++) {
        struct gossip_link *link = g->links[i];
        const struct gossip_cell *cell = &link->cells[log->index];
        if (cell->peer_next <= log->next)
            continue;
        struct gossip_link **best = cell->our_muted ? &c.muted : &c.eager;
        if (has_more_than(link, *best, log->index))
            *best = link;
        if (!cell->our_muted)
            c.active_at = gossip_max(c.active_at, gossip_max(link->up_at, link->last_run_at));
    }
    return c;
}

static void ask(struct gossip_log *log, uint64_t now_ms)
{
    log->asked = true;
    log->asked_at = now_ms;
}

static void ask_again(struct gossip_log *log, struct gossip_link *link, uint64_t now_ms)
{
    struct gossip_cell *cell = &link->cells[log->index];
    link->n_needs += !cell->need;
    cell->need = true;
    ask(log, now_ms);
    log->stall_ms = gossip_min(2 * log->stall_ms, GOSSIP_STALL_MOST_MS);
}

/* Returns when to look again, or GOSSIP_NEVER when nothing is missing. */
static uint64_t check(struct gossip *g, struct gossip_log *log, uint64_t now_ms)
{
    struct candidates c = find_candidates(g, log);
    if (!c.eager && !c.muted)
        return GOSSIP_NEVER;
    if (c.eager && now_ms < c.active_at + GOSSIP_STALL_MS)
        return c.active_at + GOSSIP_STALL_MS;
    if (c.muted) {
        gossip_set_muted(c.muted, log->index, false, now_ms);
        ask(log, now_ms);
        return now_ms + GOSSIP_STALL_MS;
    }
    if (!log->asked || now_ms >= log->asked_at + log->stall_ms)
        ask_again(log, c.eager, now_ms);
    return log->asked_at + log->stall_ms;
}

void gossip_tick(struct gossip *g, uint64_t now_ms)
{
    if (now_ms < g->check_at)
        return;
    uint32_t *at = &g->waiting;
    g->check_at = GOSSIP_NEVER;
    while (*at != GOSSIP_NONE) {
        struct gossip_log *log = g->logs[*at];
        if (log->check_at <= now_ms)
            log->check_at = check(g, log, now_ms);
        log->waiting = log->check_at != GOSSIP_NEVER;
        g->check_at = gossip_min(g->check_at, log->check_at);
        if (log->waiting)
            at = &log->after_waiting;
        else
            *at = log->after_waiting;
    }
}

void gossip_lost_link(struct gossip *g, struct gossip_log *log, uint64_t now_ms)
{
    struct gossip_link *best = NULL;
    if (log->waiting)
        wait_until(g, log, now_ms);
    for (size_t i = 0; i < g->n_links; i++) {
        if (!g->links[i]->cells[log->index].our_muted)
            return;
        if (has_more_than(g->links[i], best, log->index))
            best = g->links[i];
    }
    if (best && log->source != GOSSIP_LOCAL)
        gossip_set_muted(best, log->index, false, now_ms);
}

bool gossip_next_need(struct gossip *g, uint32_t id, struct gossip_run *out)
{
    struct gossip_link *link = gossip_find_link(g, id);
    for (size_t i = 0; link && link->n_needs > 0 && i < g->n_logs; i++) {
        if (!link->cells[i].need)
            continue;
        link->cells[i].need = false;
        link->n_needs--;
        memcpy(out->log, g->logs[i]->id, sizeof out->log);
        out->from = g->logs[i]->next;
        return true;
    }
    return false;
}

uint64_t gossip_deadline(const struct gossip *g)
{
    uint64_t at = g->check_at;
    for (size_t i = 0; i < g->n_links; i++)
        at = gossip_min(at, g->links[i]->first ? 0 : g->links[i]->rows_at);
    return at;
}

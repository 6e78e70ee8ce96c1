/*
 * gossip_runs.c - which log to send next on a link (see gossip.h).
 *
 * Two queues a link: logs on which the peer was up to date when they grew (live) and all others
 * (bulk), which take turns, one run at a time. A cell that changed its mind while queued is passed
 * over when its turn comes; whatever makes it sendable again queues it again.
 */
#include "sync/gossip_state.h"

static bool sendable(const struct gossip_log *log, const struct gossip_cell *cell)
{
    return !cell->peer_muted && !cell->in_flight && !cell->resting && log->next > gossip_from(cell);
}

static void push(struct gossip_link *link, struct gossip_queue *queue, uint32_t index)
{
    link->cells[index].after_run = GOSSIP_NONE;
    if (queue->head == GOSSIP_NONE)
        queue->head = index;
    else
        link->cells[queue->tail].after_run = index;
    queue->tail = index;
}

static uint32_t pop(struct gossip_link *link, struct gossip_queue *queue)
{
    uint32_t index = queue->head;
    if (index != GOSSIP_NONE) {
        queue->head = link->cells[index].after_run;
        link->cells[index].queued = false;
    }
    return index;
}

void gossip_queue_run(struct gossip_link *link, const struct gossip_log *log, bool live)
{
    struct gossip_cell *cell = &link->cells[log->index];
    if (cell->queued || !sendable(log, cell))
        return;
    cell->queued = true;
    cell->live = live;
    push(link, live ? &link->live : &link->bulk, log->index);
}

/* The next log of this queue that is still to be sent, or NULL. */
static struct gossip_log *next_of(struct gossip *g, struct gossip_link *link,
                                  struct gossip_queue *queue)
{
    uint32_t index = GOSSIP_NONE;
    while ((index = pop(link, queue)) != GOSSIP_NONE)
        if (sendable(g->logs[index], &link->cells[index]))
            return g->logs[index];
    return NULL;
}

bool gossip_next_run(struct gossip *g, uint32_t id, struct gossip_run *out)
{
    struct gossip_link *link = gossip_find_link(g, id);
    if (!link || !link->complete)
        return false;
    struct gossip_log *log = next_of(g, link, &link->live);
    if (!log && !link->bulk_busy) {
        log = next_of(g, link, &link->bulk);
        link->bulk_busy = log != NULL;
    }
    if (!log)
        return false;
    struct gossip_cell *cell = &link->cells[log->index];
    cell->in_flight = true;
    memcpy(out->log, log->id, sizeof out->log);
    out->from = cell->run_from = gossip_from(cell);
    return true;
}

void gossip_sent(struct gossip *g, uint32_t id, const uint8_t log_id[LOG_ID_BYTES], uint64_t up_to)
{
    struct gossip_link *link = gossip_find_link(g, id);
    const struct gossip_log *log = gossip_find_log(g, log_id);
    if (!link || !log || !link->cells[log->index].in_flight)
        return;
    struct gossip_cell *cell = &link->cells[log->index];
    cell->in_flight = false;
    if (!cell->live)
        link->bulk_busy = false;
    cell->resting = up_to <= cell->run_from;
    if (cell->run_from <= gossip_from(cell)) { /* else a NEED came meanwhile and asks for less */
        gossip_uncount(link, log);
        cell->sent = gossip_max(cell->sent, up_to);
        gossip_count(link, log);
    }
    gossip_queue_run(link, log, cell->live);
}

void gossip_peer_need(struct gossip *g, uint32_t id, const struct gossip_run *need)
{
    struct gossip_link *link = gossip_find_link(g, id);
    const struct gossip_log *log = gossip_find_log(g, need->log);
    if (!link || !log)
        return;
    struct gossip_cell *cell = &link->cells[log->index];
    gossip_uncount(link, log);
    cell->peer_next = gossip_min(cell->peer_next, need->from);
    cell->sent = gossip_min(cell->sent, need->from);
    gossip_count(link, log);
    cell->peer_muted = false;
    cell->resting = false;
    gossip_queue_run(link, log, false);
}

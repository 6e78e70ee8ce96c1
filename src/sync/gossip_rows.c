/*
 * gossip_rows.c - which heights and modes to tell on a link, and when (see gossip.h).
 *
 * A row is due at once when the mode changed, soon when the peer sent us the deltas (it waits for
 * the acknowledgement) or was drawn by lot, and after GOSSIP_ALL_MS otherwise. A peer that was sent
 * the deltas knows already; it hears the height after GOSSIP_STALL_MS all the same, in case that it
 * dropped them. Rows that are due together go together.
 */
#include "sync/gossip_state.h"

/* The peer knows that we have this much. */
static uint64_t known(const struct gossip_cell *cell)
{
    return gossip_max(cell->told, cell->sent);
}

void gossip_row_due(struct gossip_link *link, uint32_t index, uint64_t at)
{
    struct gossip_cell *cell = &link->cells[index];
    if (link->first && index >= link->first_at)
        return;
    if (cell->row_at == GOSSIP_NEVER) {
        cell->after_row = link->rows;
        link->rows = index;
    }
    cell->row_at = gossip_min(cell->row_at, at);
    link->rows_at = gossip_min(link->rows_at, at);
}

void gossip_acknowledge(struct gossip_link *link, const struct gossip_log *log, uint64_t now_ms)
{
    const struct gossip_cell *cell = &link->cells[log->index];
    if (cell->told < log->durable)
        gossip_row_due(link, log->index, gossip_max(now_ms, link->told_at + GOSSIP_ACK_MS));
}

/* May lack the height and is not sent the deltas. */
static bool may_lack(const struct gossip_link *link, const struct gossip_log *log)
{
    const struct gossip_cell *cell = &link->cells[log->index];
    return cell->peer_muted && cell->peer_next < log->durable && known(cell) < log->durable;
}

/* Draws GOSSIP_FEW of those that may lack it (reservoir sampling). */
static void tell_few(struct gossip *g, struct gossip_log *log, uint64_t now_ms)
{
    struct gossip_link *few[GOSSIP_FEW];
    size_t n = 0;
    for (size_t i = 0; i < g->n_links; i++) {
        if (!may_lack(g->links[i], log))
            continue;
        size_t at = n < GOSSIP_FEW ? n : (size_t)rng_below(&g->rng, n + 1);
        if (at < GOSSIP_FEW)
            few[at] = g->links[i];
        n++;
    }
    for (size_t i = 0; i < n && i < GOSSIP_FEW; i++) {
        few[i]->cells[log->index].few = true;
        gossip_row_due(few[i], log->index, now_ms + GOSSIP_FEW_MS);
    }
    if (n > 0)
        log->few_at = now_ms;
}

void gossip_tell(struct gossip *g, struct gossip_log *log, uint64_t now_ms)
{
    for (size_t i = 0; i < g->n_links; i++) {
        struct gossip_link *link = g->links[i];
        const struct gossip_cell *cell = &link->cells[log->index];
        if (cell->ack)
            gossip_acknowledge(link, log, now_ms);
        else if (cell->told < log->durable)
            gossip_row_due(link, log->index,
                           now_ms + (known(cell) < log->durable ? GOSSIP_ALL_MS : GOSSIP_STALL_MS));
    }
    if (log->few_at == 0 || now_ms >= log->few_at + GOSSIP_AGAIN_MS)
        tell_few(g, log, now_ms);
}

static void put_row(struct gossip_link *link, const struct gossip_log *log,
                    struct message_have *out)
{
    struct gossip_cell *cell = &link->cells[log->index];
    struct message_row *row = &out->rows[out->n++];
    memcpy(row->log, log->id, sizeof row->log);
    row->next = cell->told = log->durable;
    row->muted = cell->told_muted = cell->our_muted;
    cell->ack = cell->few = false;
}

/* The vector that a link starts with. Logs that come while it goes out come with it. */
static void first_rows(struct gossip *g, struct gossip_link *link, struct message_have *out)
{
    for (; link->first_at < g->n_logs && out->n < HAVE_MOST_ROWS; link->first_at++) {
        const struct gossip_log *log = g->logs[link->first_at];
        const struct gossip_cell *cell = &link->cells[log->index];
        if (log->durable > 0 || cell->our_muted || cell->told_muted)
            put_row(link, log, out);
    }
    out->more = link->first_at < g->n_logs;
    link->first = out->more;
}

/* One that was drawn by lot and has shown the height meanwhile need not hear it so soon. */
static bool can_wait(const struct gossip_cell *cell, const struct gossip_log *log)
{
    return cell->few && !cell->ack && cell->told_muted == cell->our_muted &&
           cell->peer_next >= log->durable;
}

/* Handles one cell of the list. Returns true when it stays in it. */
static bool changed_row(struct gossip_link *link, const struct gossip_log *log, uint64_t now_ms,
                        struct message_have *out)
{
    struct gossip_cell *cell = &link->cells[log->index];
    if (cell->row_at > now_ms)
        return true;
    if (cell->told_muted == cell->our_muted && cell->told >= log->durable)
        return false;
    if (can_wait(cell, log)) {
        cell->few = false;
        cell->row_at = now_ms + GOSSIP_ALL_MS - GOSSIP_FEW_MS;
        return true;
    }
    if (out->n == HAVE_MOST_ROWS)
        return true;
    put_row(link, log, out);
    return false;
}

static void changed_rows(struct gossip *g, struct gossip_link *link, uint64_t now_ms,
                         struct message_have *out)
{
    uint32_t *at = &link->rows;
    link->rows_at = GOSSIP_NEVER;
    while (*at != GOSSIP_NONE) {
        struct gossip_cell *cell = &link->cells[*at];
        if (changed_row(link, g->logs[*at], now_ms, out)) {
            link->rows_at = gossip_min(link->rows_at, cell->row_at);
            at = &cell->after_row;
        } else {
            cell->row_at = GOSSIP_NEVER;
            cell->few = false;
            *at = cell->after_row;
        }
    }
    out->more = false;
}

bool gossip_next_rows(struct gossip *g, uint32_t id, uint64_t now_ms, struct message_have *out)
{
    struct gossip_link *link = gossip_find_link(g, id);
    if (!link || (!link->first && now_ms < link->rows_at))
        return false;
    bool first = link->first;
    out->n = 0;
    if (first)
        first_rows(g, link, out);
    else
        changed_rows(g, link, now_ms, out);
    if (out->n > 0)
        link->told_at = now_ms;
    return first || out->n > 0;
}

void gossip_tell_all(struct gossip *g, uint32_t id)
{
    struct gossip_link *link = gossip_find_link(g, id);
    if (!link)
        return;
    link->first = true;
    link->first_at = 0;
}

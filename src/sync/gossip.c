/*
 * gossip.c - the tables: logs, links, heights (see gossip.h, gossip_state.h).
 *
 * What follows from a changed height stands elsewhere: gossip_runs.c sends deltas, gossip_rows.c
 * tells heights, gossip_repair.c mutes and unmutes.
 */
#include "sync/gossip.h"

#include <stdlib.h>

#include "rapport/error.h"
#include "sync/gossip_state.h"

enum {
    FIRST_LOGS = 16,
    FIRST_LINKS = 8
};

int gossip_create(uint64_t map_seed, struct rng *rng, struct gossip **out)
{
    struct gossip *g = calloc(1, sizeof *g);
    if (!g)
        return RAPPORT_NOMEM;
    map_init(&g->by_id, LOG_ID_BYTES, map_seed);
    g->waiting = GOSSIP_NONE;
    g->check_at = GOSSIP_NEVER;
    rng_fork(rng, &g->rng);
    *out = g;
    return 0;
}

static void free_link(struct gossip_link *link)
{
    free(link->cells);
    free(link);
}

void gossip_destroy(struct gossip *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_links; i++)
        free_link(g->links[i]);
    for (size_t i = 0; i < g->n_logs; i++)
        free(g->logs[i]);
    free(g->links);
    free(g->logs);
    map_clear(&g->by_id);
    free(g);
}

struct gossip_link *gossip_find_link(const struct gossip *g, uint32_t id)
{
    for (size_t i = 0; i < g->n_links; i++)
        if (g->links[i]->id == id)
            return g->links[i];
    return NULL;
}

struct gossip_log *gossip_find_log(const struct gossip *g, const uint8_t id[LOG_ID_BYTES])
{
    return map_get(&g->by_id, id);
}

/* Sums */

static uint64_t above(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

void gossip_uncount(struct gossip_link *link, const struct gossip_log *log)
{
    const struct gossip_cell *cell = &link->cells[log->index];
    link->unacknowledged -= above(log->next, cell->peer_next);
    link->unsent -= above(log->next, gossip_from(cell));
    link->behind -= above(cell->peer_next, log->next);
}

void gossip_count(struct gossip_link *link, const struct gossip_log *log)
{
    const struct gossip_cell *cell = &link->cells[log->index];
    link->unacknowledged += above(log->next, cell->peer_next);
    link->unsent += above(log->next, gossip_from(cell));
    link->behind += above(cell->peer_next, log->next);
}

/* Tables */

static int grow_cells(struct gossip_link *link, size_t n)
{
    if (n <= link->cap)
        return 0;
    size_t cap = link->cap ? link->cap * 2 : FIRST_LOGS;
    while (cap < n)
        cap *= 2;
    struct gossip_cell *cells = realloc(link->cells, cap * sizeof *cells);
    if (!cells)
        return RAPPORT_NOMEM;
    link->cells = cells;
    link->cap = cap;
    return 0;
}

/* Makes room for one more log everywhere. */
static int grow_logs(struct gossip *g)
{
    if (g->n_logs == LOGS_MOST)
        return RAPPORT_LIMIT;
    for (size_t i = 0; i < g->n_links; i++)
        if (grow_cells(g->links[i], g->n_logs + 1))
            return RAPPORT_NOMEM;
    if (g->n_logs < g->cap_logs)
        return 0;
    size_t cap = g->cap_logs ? g->cap_logs * 2 : FIRST_LOGS;
    struct gossip_log **logs = realloc(g->logs, cap * sizeof(struct gossip_log *));
    if (!logs)
        return RAPPORT_NOMEM;
    g->logs = logs;
    g->cap_logs = cap;
    return 0;
}

static void cell_init(struct gossip_cell *cell)
{
    *cell = (struct gossip_cell){.row_at = GOSSIP_NEVER};
}

/* The log with this id, made when it is new. */
static int get_log(struct gossip *g, const uint8_t id[LOG_ID_BYTES], struct gossip_log **out)
{
    *out = gossip_find_log(g, id);
    if (*out)
        return 0;
    int error = grow_logs(g);
    if (error)
        return error;
    struct gossip_log *log = calloc(1, sizeof *log);
    if (!log || map_put(&g->by_id, id, log)) {
        free(log);
        return RAPPORT_NOMEM;
    }
    memcpy(log->id, id, sizeof log->id);
    log->index = (uint32_t)g->n_logs;
    log->source = GOSSIP_STORED;
    log->check_at = GOSSIP_NEVER;
    log->stall_ms = GOSSIP_STALL_MS;
    g->logs[g->n_logs++] = log;
    for (size_t i = 0; i < g->n_links; i++)
        cell_init(&g->links[i]->cells[log->index]);
    *out = log;
    return 0;
}

/* Links */

static int grow_links(struct gossip *g)
{
    if (g->n_links == GOSSIP_MOST_LINKS)
        return RAPPORT_LIMIT;
    if (g->n_links < g->cap_links)
        return 0;
    size_t cap = g->cap_links ? g->cap_links * 2 : FIRST_LINKS;
    struct gossip_link **links = realloc(g->links, cap * sizeof(struct gossip_link *));
    if (!links)
        return RAPPORT_NOMEM;
    g->links = links;
    g->cap_links = cap;
    return 0;
}

/* A log that comes well by another link already starts muted on this one. */
static void start_cells(struct gossip *g, struct gossip_link *link)
{
    for (size_t i = 0; i < g->n_logs; i++) {
        const struct gossip_log *log = g->logs[i];
        cell_init(&link->cells[i]);
        link->cells[i].our_muted = gossip_has_source(g, log);
        gossip_count(link, log);
    }
}

int gossip_link_up(struct gossip *g, uint32_t id, uint64_t now_ms)
{
    if (gossip_find_link(g, id))
        return RAPPORT_EXISTS;
    int error = grow_links(g);
    if (error)
        return error;
    struct gossip_link *link = calloc(1, sizeof *link);
    if (!link || grow_cells(link, g->n_logs + 1)) {
        free(link);
        return RAPPORT_NOMEM;
    }
    link->id = id;
    link->first = true;
    link->up_at = now_ms;
    link->rows = GOSSIP_NONE;
    link->rows_at = GOSSIP_NEVER;
    link->live = link->bulk = (struct gossip_queue){GOSSIP_NONE, GOSSIP_NONE};
    start_cells(g, link);
    g->links[g->n_links++] = link;
    return 0;
}

void gossip_link_down(struct gossip *g, uint32_t id, uint64_t now_ms)
{
    struct gossip_link *link = gossip_find_link(g, id);
    if (!link)
        return;
    size_t at = 0;
    while (g->links[at] != link)
        at++;
    memmove(&g->links[at], &g->links[at + 1], (g->n_links - at - 1) * sizeof *g->links);
    g->n_links--;
    for (size_t i = 0; i < g->n_logs; i++) {
        if (g->logs[i]->source == id)
            g->logs[i]->source = GOSSIP_STORED;
        if (!link->cells[i].our_muted)
            gossip_lost_link(g, g->logs[i], now_ms);
    }
    free_link(link);
}

void gossip_link_rtt(struct gossip *g, uint32_t id, uint32_t rtt_ms)
{
    struct gossip_link *link = gossip_find_link(g, id);
    if (link)
        link->rtt_ms = rtt_ms;
}

/* Heights */

int gossip_peer_have(struct gossip *g, uint32_t id, const struct message_row *row, uint64_t now_ms)
{
    struct gossip_link *link = gossip_find_link(g, id);
    struct gossip_log *log;
    if (row->next > GOSSIP_MOST_NEXT)
        return RAPPORT_LIMIT;
    int error = link ? get_log(g, row->log, &log) : 0;
    if (error || !link)
        return error;
    struct gossip_cell *cell = &link->cells[log->index];
    gossip_uncount(link, log);
    cell->peer_next = gossip_max(cell->peer_next, row->next);
    gossip_count(link, log);
    cell->peer_muted = row->muted;
    cell->resting = false;
    gossip_queue_run(link, log, false);
    if (cell->peer_next > log->next)
        gossip_announced(g, link, log, now_ms);
    return 0;
}

void gossip_peer_complete(struct gossip *g, uint32_t id, uint64_t now_ms)
{
    struct gossip_link *link = gossip_find_link(g, id);
    if (!link || link->complete)
        return;
    link->complete = true;
    link->up_at = now_ms;
    for (size_t i = 0; i < g->n_logs; i++)
        gossip_queue_run(link, g->logs[i], false);
}

/* The peer of this link has the log up to `next`, since it sent it. */
static void note_sender(struct gossip_link *link, const struct gossip_log *log, uint64_t next,
                        uint64_t now_ms)
{
    struct gossip_cell *cell = &link->cells[log->index];
    gossip_uncount(link, log);
    cell->peer_next = gossip_max(cell->peer_next, next);
    gossip_count(link, log);
    cell->ack = true;
    link->last_run_at = now_ms;
}

static void raise_next(struct gossip *g, struct gossip_log *log, uint64_t next)
{
    uint64_t before = log->next;
    bool behind = false;
    for (size_t i = 0; i < g->n_links; i++)
        gossip_uncount(g->links[i], log);
    log->next = next;
    log->stall_ms = GOSSIP_STALL_MS;
    log->asked = false;
    for (size_t i = 0; i < g->n_links; i++) {
        struct gossip_cell *cell = &g->links[i]->cells[log->index];
        gossip_count(g->links[i], log);
        cell->resting = false;
        behind = behind || cell->peer_next > next;
        gossip_queue_run(g->links[i], log, gossip_from(cell) >= before);
    }
    if (!behind)
        log->check_at = GOSSIP_NEVER; /* gossip_tick takes it off the list */
}

int gossip_our_have(struct gossip *g, const uint8_t id[LOG_ID_BYTES], uint64_t next, bool durable,
                    uint32_t from_link, uint64_t now_ms)
{
    struct gossip_log *log;
    if (next > GOSSIP_MOST_NEXT)
        return RAPPORT_LIMIT;
    int error = get_log(g, id, &log);
    if (error)
        return error;
    struct gossip_link *from = gossip_find_link(g, from_link);
    if (from && next > log->next)
        note_sender(from, log, next, now_ms);
    if (next > log->next) {
        log->source = from || from_link == GOSSIP_LOCAL ? from_link : GOSSIP_STORED;
        raise_next(g, log, next);
    }
    if (durable && next > log->durable) {
        log->durable = next;
        gossip_tell(g, log, now_ms);
    }
    return 0;
}

void gossip_duplicate(struct gossip *g, uint32_t id, const uint8_t log_id[LOG_ID_BYTES],
                      uint64_t next, uint64_t now_ms)
{
    struct gossip_link *link = gossip_find_link(g, id);
    struct gossip_log *log = gossip_find_log(g, log_id);
    if (!link || !log)
        return;
    note_sender(link, log, gossip_min(next, log->next), now_ms);
    if (log->source != id && gossip_has_source(g, log))
        gossip_set_muted(link, log->index, true, now_ms);
    else
        log->source = id;
    gossip_acknowledge(link, log, now_ms);
}

/* Questions */

bool gossip_converged(const struct gossip *g, uint32_t id)
{
    const struct gossip_link *link = gossip_find_link(g, id);
    return link && link->complete && link->unacknowledged == 0 && link->behind == 0;
}

void gossip_counters(const struct gossip *g, uint32_t id, struct gossip_counters *out)
{
    const struct gossip_link *link = gossip_find_link(g, id);
    *out = (struct gossip_counters){0};
    if (!link)
        return;
    out->unacknowledged = link->unacknowledged;
    out->unsent = link->unsent;
    out->behind = link->behind;
    out->complete = link->complete;
    for (size_t i = 0; i < g->n_logs; i++) {
        out->logs_eager_in += !link->cells[i].our_muted;
        out->logs_eager_out += !link->cells[i].peer_muted;
    }
}

/*
 * gossip_state.h - the tables of the gossip books; only gossip*.c include it.
 *
 * Logs and links stand in arrays by index; each link has one cell per log. Lists run through the
 * cells by log index, so nothing is allocated but when a log or a link is new. Iteration is by
 * index and thus the same for the same history of calls.
 *
 * Invariants: every link has room for at least n_logs cells. A link's sums are those of its cells.
 * A cell is in a run queue iff `queued`, in the row list iff row_at is not GOSSIP_NEVER. The
 * earliest row of a link is not before its rows_at, the earliest check of a log not before
 * check_at.
 */
#ifndef SYNC_GOSSIP_STATE_H
#define SYNC_GOSSIP_STATE_H

#include "base/map.h"
#include "sync/gossip.h"

#define GOSSIP_NONE UINT32_MAX /* end of a list; also no index */

/* One log on one link. */
struct gossip_cell {
    uint64_t peer_next;            /* the peer has this much: it said so, or sent it to us */
    uint64_t sent;                 /* handed to the session up to here */
    uint64_t run_from;             /* of the run in flight */
    uint64_t told;                 /* the peer was told that we have this much, by row */
    uint64_t row_at;               /* when a row is due */
    uint32_t after_run, after_row; /* lists, by log index */
    bool peer_muted;               /* it does not want deltas of this log from us */
    bool our_muted, told_muted;    /* we want none from it; and what it was told of that */
    bool queued, live;             /* in a run queue; in that for logs that were up to date */
    bool in_flight;                /* a run was given out and not yet handed over */
    bool resting;                  /* nothing could be sent; until something changes */
    bool ack;                      /* it sent us deltas since the last row */
    bool few;                      /* the row is for one of a few, drawn by lot */
    bool need;                     /* ask it again */
};

struct gossip_queue {
    uint32_t head, tail;
};

struct gossip_link {
    uint32_t id;
    uint32_t rtt_ms;
    bool complete;   /* the peer's first vector is here */
    bool first;      /* our own vector is being told; logs from first_at on are still to come */
    size_t first_at; /* log index */
    uint64_t up_at, last_run_at; /* when it came up; when it last sent us deltas */
    uint64_t told_at;            /* when we last sent rows */
    uint64_t rows_at;            /* earliest row */
    uint32_t rows;               /* list of cells with a row due */
    struct gossip_queue live, bulk;
    bool bulk_busy;
    size_t n_needs;
    uint64_t unacknowledged, unsent, behind;
    struct gossip_cell *cells;
    size_t cap;
};

struct gossip_log {
    uint8_t id[LOG_ID_BYTES];
    uint32_t index;
    uint32_t source; /* the link that brought the newest events, GOSSIP_LOCAL or GOSSIP_STORED */
    uint64_t next, durable;
    uint64_t few_at;   /* when lots were last drawn */
    uint64_t check_at; /* when to see whether an announced height came; GOSSIP_NEVER: not waiting */
    uint64_t asked_at; /* when a link was last unmuted or asked again for it */
    uint64_t stall_ms; /* wait before asking the same link again */
    uint32_t after_waiting;
    bool waiting, asked;
};

struct gossip {
    struct map by_id; /* struct gossip_log * */
    struct gossip_log **logs;
    size_t n_logs, cap_logs;
    struct gossip_link **links;
    size_t n_links, cap_links;
    uint32_t waiting; /* list of logs that are behind */
    uint64_t check_at;
    struct rng rng;
};

static inline uint64_t gossip_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t gossip_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Where the next run to this peer starts. */
static inline uint64_t gossip_from(const struct gossip_cell *cell)
{
    return gossip_max(cell->sent, cell->peer_next);
}

/* The link with this number, or NULL. */
struct gossip_link *gossip_find_link(const struct gossip *g, uint32_t id);
/* The log with this id, or NULL. */
struct gossip_log *gossip_find_log(const struct gossip *g, const uint8_t id[LOG_ID_BYTES]);

/* Takes a cell out of its link's sums, before it or its log's height changes. */
void gossip_uncount(struct gossip_link *link, const struct gossip_log *log);
/* Puts it back in, after the change. */
void gossip_count(struct gossip_link *link, const struct gossip_log *log);

/* gossip_runs.c: queues the log if there is something to send on this link. */
void gossip_queue_run(struct gossip_link *link, const struct gossip_log *log, bool live);

/* gossip_rows.c: a row is due at `at` or earlier. */
void gossip_row_due(struct gossip_link *link, uint32_t log_index, uint64_t at);
/* gossip_rows.c: our durable height moved. */
void gossip_tell(struct gossip *g, struct gossip_log *log, uint64_t now_ms);
/* gossip_rows.c: the peer sent us deltas and shall hear what we have. */
void gossip_acknowledge(struct gossip_link *link, const struct gossip_log *log, uint64_t now_ms);

/* gossip_repair.c: says on this link whether we want the log from it. */
void gossip_set_muted(struct gossip_link *link, uint32_t log_index, bool muted, uint64_t now_ms);
/* gossip_repair.c: true when the log's source is up and eager. */
bool gossip_has_source(const struct gossip *g, const struct gossip_log *log);
/* gossip_repair.c: the peer announced more than we have. */
void gossip_announced(struct gossip *g, struct gossip_link *link, struct gossip_log *log,
                      uint64_t now_ms);
/* gossip_repair.c: a link went; the log gets another eager one if that was its last. */
void gossip_lost_link(struct gossip *g, struct gossip_log *log, uint64_t now_ms);

#endif

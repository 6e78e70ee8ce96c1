/*
 * gossip.h - who gets which delta over which link: the books of one report over all its sessions.
 *
 * Per log and link each side says whether it wants the deltas themselves (eager) or only heights
 * (muted), and per log a node wants one eager link; so in any mesh a delta reaches each peer about
 * once. Nothing is queued: a link is a cursor per log, so a slow peer costs no memory, and
 * forgetting a link forgets nothing that rows do not bring back. A HAVE row is also the durable
 * acknowledgement.
 *
 * How repair works: a height that we learn of and that does not come by an eager link in time makes
 * us unmute whoever announced it (graft); whoever then sends what is here already gets muted.
 * Heights go out by themselves: a few muted links soon, every link that does not know them after a
 * second. So for any sequence of link ups and downs every delta gets to everybody connected.
 *
 * Calls cost O(links) at most, except gossip_link_up, gossip_link_down and gossip_tell_all, which
 * cost O(logs * links); the tables hold one cell per log and link. Source: SSB EBT and Plumtree
 * (Leitao et al. 2007), docs/protocol.md "Wire".
 */
#ifndef SYNC_GOSSIP_H
#define SYNC_GOSSIP_H

#include "crypto/random.h"
#include "sync/message.h"

/* Values of from_link. */
#define GOSSIP_LOCAL  UINT32_MAX       /* made by this device: nobody need send us this log */
#define GOSSIP_STORED (UINT32_MAX - 1) /* from the database or a bundle */

#define GOSSIP_NEVER     UINT64_MAX
#define GOSSIP_MOST_NEXT (UINT64_C(1) << 48) /* events of one log; keeps sums from wrapping */

enum {
    GOSSIP_MOST_LINKS = 256,
    GOSSIP_ACK_MS = 100,    /* acknowledgements on one link at most this often */
    GOSSIP_FEW = 3,         /* random muted links that hear of a moved height ... */
    GOSSIP_FEW_MS = 100,    /* ... after this long, */
    GOSSIP_AGAIN_MS = 300,  /* per log at most this often; */
    GOSSIP_ALL_MS = 1000,   /* and every link that does not know it after this long */
    GOSSIP_GRAFT_MS = 40,   /* wait for an announced height: at least this, or 2 round trips */
    GOSSIP_STALL_MS = 3000, /* without a byte on an eager link that has more: ask elsewhere */
    GOSSIP_STALL_MOST_MS = 48000, /* doubles up to this while nothing helps */
};

struct gossip;

/* A part of a log: from event `from` on. */
struct gossip_run {
    uint8_t log[LOG_ID_BYTES];
    uint64_t from;
};

/* The figures of one link. Events are counted by number, so a delta of 5 characters is 5. */
struct gossip_counters {
    uint64_t unacknowledged; /* events that we have and the peer has not shown to have */
    uint64_t unsent;         /* of those, not yet handed over */
    uint64_t behind;         /* events that the peer announced and we lack */
    uint32_t logs_eager_in;  /* logs that we want from it */
    uint32_t logs_eager_out; /* logs that it wants from us */
    bool complete;           /* its first vector has come in whole */
};

/* Empty books; `rng` is forked, not kept. Returns 0 or RAPPORT_NOMEM. */
int gossip_create(uint64_t map_seed, struct rng *rng, struct gossip **out);
/* NULL is fine. */
void gossip_destroy(struct gossip *g);

/* A session became ready; `link` is any number below GOSSIP_STORED that no other live link has.
   Returns 0, RAPPORT_EXISTS, RAPPORT_LIMIT (GOSSIP_MOST_LINKS) or RAPPORT_NOMEM. */
int gossip_link_up(struct gossip *g, uint32_t link, uint64_t now_ms);
/* A session ended; runs taken for it need no gossip_sent. Unknown links are ignored, here and
 * below. */
void gossip_link_down(struct gossip *g, uint32_t link, uint64_t now_ms);
/* The measured round trip, for the graft wait. */
void gossip_link_rtt(struct gossip *g, uint32_t link, uint32_t rtt_ms);

/* One row of a HAVE from the peer. Returns 0, RAPPORT_LIMIT (more than LOGS_MOST logs, or past
   GOSSIP_MOST_NEXT) or RAPPORT_NOMEM; then nothing changed. */
int gossip_peer_have(struct gossip *g, uint32_t link, const struct message_row *row,
                     uint64_t now_ms);
/* A HAVE with `more` false came (call it for each; the first one counts): from now on the peer is
   sent what it has no row for. */
void gossip_peer_complete(struct gossip *g, uint32_t link, uint64_t now_ms);
/* The peer asked (NEED without a hash) for a log from event `from` on, whatever it was sent. */
void gossip_peer_need(struct gossip *g, uint32_t link, const struct gossip_run *need);

/* We hold a log up to event `next`, from this link (or GOSSIP_LOCAL, GOSSIP_STORED): call it when
   deltas were taken, and again with `durable` when they are on the disk. Only durable heights are
   announced; deltas are passed on as soon as they are here. Heights never go down. A run that
   starts behind our height is no business of the books: send a NEED from our height at once; a run
   that was dropped comes again by itself, but seconds later. Returns 0, or as gossip_peer_have. */
int gossip_our_have(struct gossip *g, const uint8_t log[LOG_ID_BYTES], uint64_t next, bool durable,
                    uint32_t from_link, uint64_t now_ms);
/* A run that ends before event `next` brought nothing new. */
void gossip_duplicate(struct gossip *g, uint32_t link, const uint8_t log[LOG_ID_BYTES],
                      uint64_t next, uint64_t now_ms);

/* The next run to send on this link: logs on which the peer was up to date first, the others in
   turn. Of the latter one run at a time is given out; no log is given out again before
   gossip_sent. Returns false when there is nothing now. */
bool gossip_next_run(struct gossip *g, uint32_t link, struct gossip_run *out);
/* A run was handed to the session up to (without) event `up_to`. With up_to <= its `from` nothing
   could be sent: the log rests on this link until something about it changes. */
void gossip_sent(struct gossip *g, uint32_t link, const uint8_t log[LOG_ID_BYTES], uint64_t up_to);

/* The HAVE to send on this link now. Returns false when none is due. Call it again until then: the
   first vector may take several (it comes once for each link, also when empty). */
bool gossip_next_rows(struct gossip *g, uint32_t link, uint64_t now_ms, struct message_have *out);
/* The NEED (without a hash) to send on this link now; rare: the link is eager, announced more and
   sent nothing. Returns false when there is none. */
bool gossip_next_need(struct gossip *g, uint32_t link, struct gossip_run *out);
/* All rows once more: the peer's digest differs although the books say that all is told. */
void gossip_tell_all(struct gossip *g, uint32_t link);

/* Does what is due; then rows, needs and runs may be there on any link. */
void gossip_tick(struct gossip *g, uint64_t now_ms);
/* When gossip_tick or gossip_next_rows has something to do. */
uint64_t gossip_deadline(const struct gossip *g);

/* True when the peer has all that we have and we have all that it announced. False for an unknown
   link. */
bool gossip_converged(const struct gossip *g, uint32_t link);
/* All zero for an unknown link. */
void gossip_counters(const struct gossip *g, uint32_t link, struct gossip_counters *out);

#endif

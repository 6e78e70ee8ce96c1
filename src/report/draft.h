/*
 * draft.h - events that this device made and that are not in a delta yet, already in payload form
 * and cut so that each piece fits one delta. The node seals the pieces in order and then resets the
 * draft.
 */
#ifndef REPORT_DRAFT_H
#define REPORT_DRAFT_H

#include "report/payload.h"

/* One delta's worth. */
struct draft_piece {
    enum delta_kind kind;
    uint64_t first;
    uint32_t count;
    struct buf plain; /* a finished payload, at most DELTA_MOST_PAYLOAD bytes */
};

struct draft;

/* A draft for events of `log` from number `next` on. */
int draft_create(const uint8_t log[LOG_ID_BYTES], uint64_t next, struct draft **out);
/* Frees the draft with its pieces. NULL is allowed. */
void draft_destroy(struct draft *d);

/* The number that the next event gets. */
uint64_t draft_next_event(const struct draft *d);
/* True when there is nothing to seal. */
bool draft_is_empty(const struct draft *d);
/* True when the next delta must name the heads seen: an event in it names a parent of another log
 * or is no text event (its stamp has to be greater than those that its author saw), or it is the
 * log's first. */
bool draft_builds_on_others(const struct draft *d);

/* Finishes the open piece. Returns 0 or RAPPORT_NOMEM, then it can be called again. */
int draft_finish(struct draft *d);
/* The n-th finished piece; NULL past the last. Borrowed until draft_reset or the next edit. */
const struct draft_piece *draft_piece_at(const struct draft *d, size_t n);
/* Forgets all pieces, which draft_finish must have finished; numbering goes on. */
void draft_reset(struct draft *d);

#endif

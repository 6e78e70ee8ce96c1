/*
 * tracker.h - the document as it is while concurrent events are replayed (Eg-walker §3.2 to §3.4).
 *
 * A B-tree, in document order, of spans of characters. A character's id is the LV of the event that
 * inserted it; those of the text before the replayed section, the base text, have the ids 0 to
 * length - 1, which never meet the others: a text of n characters took at least n events, and the
 * LVs replayed come after these. Each span has two states. The *prepare* state counts: 0 not
 * inserted yet, 1 there, n deleted n - 1 times; it is moved back and forth to the version at which
 * the next event was made. The *effect* state only knows whether any event so far deleted the span.
 * Positions that come in count characters of prepare state 1, positions that go out count those not
 * deleted in effect.
 *
 * Within a span each character's left origin is the one before it, and all have one right origin.
 * A span never leaves the tree and a leaf is never empty but the only one of an empty text. After
 * any error the tracker is fit only for tracker_reset and tracker_clear.
 */
#ifndef TEXT_TRACKER_H
#define TEXT_TRACKER_H

#include "text/ids.h"
#include "text/index.h"

enum {
    LEAF_SPANS = 32,
    NODE_CHILDREN = 16
};

struct tracked {
    uint32_t id, len;
    uint32_t left, right; /* origins; LV_NONE: the start, the end */
    uint32_t state;       /* prepare count, and TRACKED_DELETED */
};

#define TRACKED_DELETED UINT32_C(0x80000000)

/* Characters counted in the two ways. */
struct lengths {
    uint32_t prepare, effect;
};

struct leaf {
    uint32_t n, parent, next;
    struct tracked spans[LEAF_SPANS];
};

struct node {
    uint32_t n, parent, level; /* level 1: the children are leaves */
    uint32_t children[NODE_CHILDREN];
    struct lengths lengths[NODE_CHILDREN];
};

struct tracker {
    const struct ids *ids;
    struct leaf *leaves; /* leaf 0 is always the leftmost */
    size_t n_leaves, cap_leaves;
    struct node *nodes;
    size_t n_nodes, cap_nodes;
    uint32_t root, height; /* height 0: the root is a leaf */
    struct lengths total;
    struct index index;
};

#define TRACKER_INIT ((struct tracker){0})

/* Frees the tracker; tracker_reset makes it usable again. */
void tracker_clear(struct tracker *t);
/* Starts anew with a base text of so many characters; `ids` settles ties. 0 or RAPPORT_NOMEM. */
int tracker_reset(struct tracker *t, const struct ids *ids, uint32_t length);
/* Applies the insert events id .. id + n - 1 at prepare position pos (past the end: at the end).
 * Gives the effect position. Returns 0 or RAPPORT_NOMEM. */
int tracker_insert(struct tracker *t, struct span run, uint32_t pos, uint32_t *effect);

/* What the first events of a delete did. */
struct deleted {
    uint32_t n;      /* events applied */
    uint32_t effect; /* where characters went in effect */
    uint32_t n_gone; /* how many: n, or 0 when they were gone already */
};
/* Applies as many of the delete events `run` as one span takes: the first deletes at prepare
 * position pos, and so do the others, or each one below (backward). Returns 0 or RAPPORT_NOMEM. */
int tracker_delete(struct tracker *t, struct span run, uint32_t pos, bool backward,
                   struct deleted *out);
/* Takes events back out of the prepare state. 0 or RAPPORT_NOMEM. */
int tracker_retreat(struct tracker *t, struct span run);
/* Puts them into it again. 0 or RAPPORT_NOMEM. */
int tracker_advance(struct tracker *t, struct span run);

#endif

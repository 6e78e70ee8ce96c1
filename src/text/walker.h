/*
 * walker.h - from events to changes of the text (Eg-walker §3).
 *
 * The graph falls into stretches that are linear, where each event's own position is right, and
 * sections of concurrent events between two critical versions, which are replayed in a tracker.
 */
#ifndef TEXT_WALKER_H
#define TEXT_WALKER_H

#include "text/history.h"

/* n_deleted code points go at pos, then n_inserted come, from an ordinal of ops on. */
struct change {
    uint32_t pos, n_deleted;
    uint32_t ordinal, n_inserted;
};

struct changes {
    struct change *items;
    size_t n, cap;
};

/* Appends to *out what brings a text with the first n_merged events to all events of the history,
 * and adds milestones on the way. Returns 0 or RAPPORT_NOMEM; what is in *out is then not to be
 * used. */
int walk_merge(struct history *h, uint32_t n_merged, struct changes *out);
/* Appends to *out what makes the text at a version (any set of LVs) from nothing. Returns 0 or
 * RAPPORT_NOMEM. */
int walk_version(const struct history *h, struct version version, struct changes *out);

#endif

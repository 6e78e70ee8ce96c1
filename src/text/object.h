/*
 * object.h - the public object, for the files of this layer that work on it as a whole.
 */
#ifndef TEXT_OBJECT_H
#define TEXT_OBJECT_H

#include "rapport/text.h"
#include "text/history.h"
#include "text/rope.h"
#include "text/walker.h"

struct rapport_text {
    struct history history;
    struct rope rope;       /* the text of the first n_merged events */
    uint32_t n_merged;      /* all LVs below are in the text */
    struct changes changes; /* of the last merge */
    size_t n_read;          /* of these */
    struct heap heap;       /* scratch of the version arithmetic */
};

/* Checks what can be checked of a run without the history, and gives it as a piece: kind, pos, n.
 * Returns 0, RAPPORT_INVALID, RAPPORT_LIMIT or RAPPORT_MALFORMED. */
int run_check(const struct rapport_text_run *run, struct op_piece *piece);
/* Adds the events of a checked run that are new; errors as rapport_text_add. */
int history_add(struct history *h, struct heap *heap, const struct rapport_text_run *run,
                struct op_piece piece);
/* Adds a checked run, all of it new, whose parents are the whole frontier. `length` is that of the
 * text there. Returns 0, RAPPORT_EXISTS, RAPPORT_LIMIT or RAPPORT_NOMEM. */
int history_type(struct history *h, const struct rapport_text_run *run, struct op_piece piece,
                 uint32_t length);

#endif

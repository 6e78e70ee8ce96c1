/*
 * ops.h - what each event does: runs of inserts and deletes by LV, and all inserted text.
 *
 * A run grows while an insert continues at the end of the previous one, or a delete stays at its
 * place (Delete key) or moves one down each time (Backspace). Inserted code points are numbered in
 * LV order (their ordinal); while the text is ASCII an ordinal is an offset, else every
 * OPS_BLOCK-th one has its offset kept.
 */
#ifndef TEXT_OPS_H
#define TEXT_OPS_H

#include "base/slice.h"

enum {
    OPS_BLOCK = 128
};

enum op_kind {
    OP_INSERT,
    OP_DELETE,
    OP_BACKSPACE
};

struct op {
    uint32_t lv; /* the run ends where the next one begins */
    uint32_t pos;
    uint32_t ordinal; /* of the first code point inserted */
    uint32_t kind;
};

struct ops {
    struct op *runs;
    size_t n_runs, cap_runs;
    uint32_t n_events;
    char *text;
    size_t text_len, cap_text;
    uint32_t n_text;  /* code points */
    uint32_t *blocks; /* offset of every OPS_BLOCK-th code point */
    size_t n_blocks, cap_blocks;
};

/* A piece of a run: n events from some LV on. */
struct op_piece {
    enum op_kind kind;
    uint32_t n, pos, ordinal;
};

#define OPS_INIT ((struct ops){0})

/* Frees the tables; they are empty and usable again. */
void ops_clear(struct ops *o);
/* Room for n_runs more runs and the text of text_len bytes. Returns 0 or RAPPORT_NOMEM. */
int ops_reserve(struct ops *o, size_t n_runs, size_t text_len);
/* Appends a piece (its ordinal is ignored) and the text of an insert, valid UTF-8 of n code points.
 * Room must be there. */
void ops_push(struct ops *o, struct op_piece piece, struct slice text);
/* The two halves of ops_push, for a history that is read column by column: runs that insert from an
 * ordinal on, and the n code points of all their text. */
void ops_push_run(struct ops *o, struct op_piece piece, uint32_t ordinal);
/* The second half; see ops_push_run. */
void ops_push_text(struct ops *o, struct slice text, uint32_t n);
/* The events from lv to before `end` as far as they belong to one run. *hint is the index of a run
 * to try first, and of the one found. */
struct op_piece ops_piece(const struct ops *o, uint32_t lv, uint32_t end, size_t *hint);
/* The text of n code points from an ordinal on. */
struct slice ops_text(const struct ops *o, uint32_t ordinal, uint32_t n);
/* The length of the text behind a piece, when it was `length` before it. */
uint32_t op_length_after(struct op_piece piece, uint32_t length);

/* Where a piece takes or puts its code points: [start, start + n). */
struct op_place {
    uint32_t start, n;
};
/* The place of a piece in a text of `length`; a delete past the end has n = 0. */
struct op_place op_place(struct op_piece piece, uint32_t length);

#endif

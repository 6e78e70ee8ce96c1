/*
 * rope.h - the text itself: one gap buffer of UTF-8.
 *
 * While the text is ASCII a code point is a byte and nothing is indexed. The first wider character
 * builds an index: code points for each block of ROPE_BLOCK_BYTES of the buffer as it lies in
 * memory (the gap counts nothing), kept up as bytes come, go and move over the gap, so finding a
 * position costs the distance from the nearest of gap and ends in blocks, not in bytes.
 */
#ifndef TEXT_ROPE_H
#define TEXT_ROPE_H

#include "base/slice.h"

enum {
    ROPE_BLOCK_BYTES = 1024
};

struct rope {
    char *bytes;
    size_t cap;          /* of bytes */
    size_t gap, gap_end; /* the gap is [gap, gap_end) */
    size_t n;            /* code points in all */
    size_t n_before;     /* code points before the gap */
    uint16_t *blocks;    /* code points a block, or NULL while the text is ASCII */
};

#define ROPE_INIT ((struct rope){0})

/* Frees the text; it is empty and usable again. */
void rope_clear(struct rope *r);
/* Makes sure that `len` more bytes can be inserted without allocating, whatever they are (with
 * `wide`: not only ASCII). Returns 0 or RAPPORT_NOMEM. */
int rope_reserve(struct rope *r, size_t len, bool wide);
/* Inserts n code points of valid UTF-8 at code point pos (past the end: at the end). Room must have
 * been reserved. */
void rope_insert(struct rope *r, size_t pos, struct slice text, size_t n);
/* Deletes up to n code points from pos on. */
void rope_delete(struct rope *r, size_t pos, size_t n);
/* Length in bytes. */
static inline size_t rope_size(const struct rope *r)
{
    return r->cap - (r->gap_end - r->gap);
}
/* Offset in the text, in bytes, of code point pos (past the end: the size). */
size_t rope_offset(const struct rope *r, size_t pos);
/* Copies the bytes [from, to) of the text to out. */
void rope_read(const struct rope *r, size_t from, size_t to, char *out);

#endif

/*
 * index.h - where the tracker keeps an event: from ids to leaves, or to what a delete deleted.
 *
 * A total map from ids to places, as runs in sorted chunks under one sorted directory. A run says:
 * an insert (or a character of the base text) that stands in leaf `value`; a delete of `value`,
 * value + 1, ... or of value, value - 1, ...; a delete that deleted nothing; or not seen yet. A run
 * ends where the next one begins. No chunk is ever empty.
 */
#ifndef TEXT_INDEX_H
#define TEXT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INDEX_CHUNK = 64
};

enum place_kind {
    PLACE_UNSEEN,
    PLACE_LEAF,
    PLACE_FORWARD,
    PLACE_BACKWARD,
    PLACE_NOTHING
};

struct place {
    enum place_kind kind;
    uint32_t value;
    uint32_t n; /* ids from the one asked for to the end of its run */
};

struct index_chunk {
    uint32_t n;
    uint32_t starts[INDEX_CHUNK];
    uint32_t values[INDEX_CHUNK];
    uint8_t kinds[INDEX_CHUNK];
};

struct index {
    struct index_chunk *chunks;
    size_t n_chunks, cap_chunks;
    uint32_t *order; /* chunks by their first start */
    size_t cap_order;
    uint32_t *firsts; /* that start, of each in order */
    size_t cap_firsts;
    size_t hint; /* the place in order that was found last */
};

#define INDEX_INIT ((struct index){0})

/* Frees the index; index_reset makes it usable again. */
void index_clear(struct index *ix);
/* Forgets all runs. Returns 0 or RAPPORT_NOMEM. */
int index_reset(struct index *ix);
/* The place of an id. */
struct place index_get(struct index *ix, uint32_t id);
/* Sets the place of n ids from id on. Returns 0 or
 * RAPPORT_NOMEM; then the index is not to be used again before a reset. */
int index_set(struct index *ix, uint32_t id, uint32_t n, enum place_kind kind, uint32_t value);

#endif

/*
 * map.h - an index from byte keys of one fixed length (ids, hashes) to pointers.
 *
 * Open addressing over an array that keeps insertion order, so iteration is the same for the same
 * history of calls: nothing in the core may depend on addresses. Keys are copied. The hash is
 * seeded (a peer can choose ids, so give a seed that it cannot know). Removing keeps the order of
 * the others.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

enum {
    MAP_MOST_KEY_BYTES = 40
};

struct map_entry {
    uint8_t key[MAP_MOST_KEY_BYTES];
    void *value; /* NULL: removed */
};

struct map {
    struct map_entry
        *entries;       /* in insertion order, removed ones in between until the next growth */
    size_t n_used, cap; /* of entries */
    size_t n;           /* live entries */
    uint32_t *slots;    /* 0 empty, else index + 1; a power of two of them */
    size_t n_slots;
    size_t key_len; /* bytes, 1 to MAP_MOST_KEY_BYTES */
    uint64_t seed;
};

/* An empty map for keys of `key_len` bytes. */
void map_init(struct map *m, size_t key_len, uint64_t seed);
/* Frees the index, not the values; the map is empty and usable again. A zeroed map is fine. */
void map_clear(struct map *m);
/* Returns the value at key, or NULL. */
void *map_get(const struct map *m, const void *key);
/* Sets the value (not NULL) at key. Returns 0 or RAPPORT_NOMEM, then nothing changed. */
int map_put(struct map *m, const void *key, void *value);
/* Removes key; returns the value that was there, or NULL. */
void *map_remove(struct map *m, const void *key);
/* Iterates: start with *at = 0; returns the next value in insertion order, or NULL at the end.
 * Removing meanwhile is fine, putting a new key is not. */
void *map_next(const struct map *m, size_t *at);

#endif

/*
 * arena.h - memory that is freed all at once. Blocks double from 4 KiB to 1 MiB; larger requests
 * get their own.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* newest first */
    size_t used, cap;          /* of the newest block, bytes */
    size_t total;              /* all blocks, bytes */
};

#define ARENA_INIT ((struct arena){0})

/* Returns n bytes aligned for any type, zeroed; NULL when out of memory. Freed by arena_clear. */
void *arena_alloc(struct arena *a, size_t n);
/* Copies n bytes (with a NUL behind them that is not counted); NULL when out of memory. */
char *arena_copy(struct arena *a, const void *ptr, size_t n);
/* Frees everything; the arena is empty and usable again. */
void arena_clear(struct arena *a);

#endif

/* arena.c - bump allocation (see arena.h). */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum {
    ARENA_FIRST_BYTES = 4096,
    ARENA_MOST_BYTES = 1 << 20
};

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) unsigned char bytes[];
};

static int arena_grow(struct arena *a, size_t n)
{
    size_t cap = a->cap ? a->cap * 2 : ARENA_FIRST_BYTES;
    if (cap > ARENA_MOST_BYTES)
        cap = ARENA_MOST_BYTES;
    if (cap < n)
        cap = n;
    struct arena_block *block = malloc(sizeof *block + cap);
    if (!block)
        return -1;
    block->next = a->block;
    a->block = block;
    a->used = 0;
    a->cap = cap;
    a->total += cap;
    return 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t align = alignof(max_align_t);
    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + align - 1) & ~(align - 1);
    if ((!a->block || n > a->cap - a->used) && arena_grow(a, n))
        return NULL;
    void *p = a->block->bytes + a->used;
    a->used += n;
    memset(p, 0, n);
    return p;
}

char *arena_copy(struct arena *a, const void *ptr, size_t n)
{
    char *copy = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;
    if (copy && n)
        memcpy(copy, ptr, n);
    return copy;
}

void arena_clear(struct arena *a)
{
    while (a->block) {
        struct arena_block *next = a->block->next;
        free(a->block);
        a->block = next;
    }
    *a = ARENA_INIT;
}

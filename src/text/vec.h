/*
 * vec.h - growing a plain array: pointer, capacity, element size. The arrays of this layer only
 * ever grow, by half, so appending is amortised linear; a failed growth leaves the array as it was.
 */
#ifndef TEXT_VEC_H
#define TEXT_VEC_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rapport/error.h"

/* Makes *(T **)vec hold at least n elements of `size` bytes; see VEC_RESERVE. */
static inline int vec_grow(void *vec, size_t *cap, size_t n, size_t size)
{
    size_t want = *cap + *cap / 2;
    if (want < n)
        want = n;
    if (want < 8)
        want = 8;
    if (want > SIZE_MAX / 2 / size)
        return RAPPORT_NOMEM;
    void *old;
    memcpy(&old, vec, sizeof old);
    void *grown = realloc(old, want * size);
    if (!grown)
        return RAPPORT_NOMEM;
    memcpy(vec, &grown, sizeof grown);
    *cap = want;
    return 0;
}

/* Makes room in array `ptr` for n elements in all. 0 or RAPPORT_NOMEM. */
#define VEC_RESERVE(ptr, cap, n) ((n) <= (cap) ? 0 : vec_grow(&(ptr), &(cap), (n), sizeof *(ptr)))

#endif

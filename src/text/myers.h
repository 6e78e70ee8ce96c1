/*
 * myers.h - the common parts of two sequences of numbers (Myers, "An O(ND) Difference Algorithm",
 * 1986, §4), with bounded effort.
 *
 * A search looks at most MYERS_EFFORT differences far. Where the two differ by more, the path that
 * came furthest is taken and the search starts again at its end: no longer the least edit script,
 * but always a right one, in time (n + m) * MYERS_EFFORT at most and memory that does not grow
 * with n.
 */
#ifndef TEXT_MYERS_H
#define TEXT_MYERS_H

#include <stddef.h>
#include <stdint.h>

enum {
    MYERS_EFFORT = 200
};

/* a[a_start + i] == b[b_start + i] for all i < n. */
struct match {
    uint32_t a, b, n;
};

struct matches {
    struct match *items; /* ascending in a and b, never touching in both */
    size_t n, cap;
};

/* Fills *out with the common parts of a and b, dropping what was in it. Returns 0 or
 * RAPPORT_NOMEM. The list's memory is the caller's to free. */
int myers_match(const uint32_t *a, uint32_t n_a, const uint32_t *b, uint32_t n_b,
                struct matches *out);

#endif

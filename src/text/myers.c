/* myers.c - the greedy search with a bounded number of differences (see myers.h). */
#include "text/myers.h"

#include <stdbool.h>

#include "text/vec.h"

/*
 * reached[d] holds, for each diagonal k = x - y in -d, -d + 2, ..., d, how far along a (x) a path
 * with d differences comes, or -1 where none fits in; it has d + 1 entries and begins at
 * d * (d + 1) / 2.
 */
struct search {
    const uint32_t *a, *b;
    int64_t n, m;
    int32_t reached[(MYERS_EFFORT + 1) * (MYERS_EFFORT + 2) / 2];
};

/* How far d differences come on diagonal k; -1 for what is outside of the table. */
static int64_t reached_at(const struct search *s, int64_t d, int64_t k)
{
    if (k < -d || k > d)
        return -1;
    return s->reached[d * (d + 1) / 2 + (k + d) / 2];
}

/* The start of the last run of equal elements of the best path to diagonal k with d differences;
 * *from is the diagonal that it comes from. -1 when there is no such path. */
static int64_t step(const struct search *s, int64_t d, int64_t k, int64_t *from)
{
    if (d == 0) {
        *from = 0;
        return 0;
    }
    int64_t inserted = reached_at(s, d - 1, k + 1), deleted = reached_at(s, d - 1, k - 1);
    if (inserted >= 0 && inserted - k > s->m)
        inserted = -1;
    deleted = deleted >= 0 && deleted < s->n ? deleted + 1 : -1;
    *from = deleted > inserted ? k - 1 : k + 1;
    return deleted > inserted ? deleted : inserted;
}

static int64_t slide(const struct search *s, int64_t x, int64_t k)
{
    while (x < s->n && x - k < s->m && s->a[x] == s->b[x - k])
        x++;
    return x;
}

/* Appends a match; they come last first and are put in order by the caller. */
static int add_match(struct matches *out, int64_t a, int64_t b, int64_t n)
{
    if (n <= 0)
        return 0;
    if (VEC_RESERVE(out->items, out->cap, out->n + 1))
        return RAPPORT_NOMEM;
    out->items[out->n++] = (struct match){(uint32_t)a, (uint32_t)b, (uint32_t)n};
    return 0;
}

static void reverse(struct match *items, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct match swapped = items[i];
        items[i] = items[n - 1 - i];
        items[n - 1 - i] = swapped;
    }
}

/* Follows the path back from its end on diagonal k. */
static int trace_back(const struct search *s, int64_t d, int64_t k, struct matches *out)
{
    size_t before = out->n;
    for (; d >= 0; d--) {
        int64_t from, x = reached_at(s, d, k), start = step(s, d, k, &from);
        int error = add_match(out, start, start - k, x - start);
        if (error)
            return error;
        k = from;
    }
    if (out->n > before)
        reverse(out->items + before, out->n - before);
    return 0;
}

/* Finds a path to the end or, after the effort, the one that came furthest; appends its matches and
 * gives where it ends. */
static int search(struct search *s, struct matches *out, int64_t *end_x, int64_t *end_y)
{
    int64_t d, best_k = 0;
    bool done = false;
    for (d = 0; !done; d++) {
        int64_t best = -1;
        for (int64_t k = -d; k <= d && !done; k += 2) {
            int64_t from, x = step(s, d, k, &from);
            x = x < 0 ? x : slide(s, x, k);
            s->reached[d * (d + 1) / 2 + (k + d) / 2] = (int32_t)x;
            if (x >= 0 && 2 * x - k > best) {
                best = 2 * x - k;
                best_k = k;
            }
            done = best == s->n + s->m;
        }
        done = done || d == MYERS_EFFORT;
    }
    d--;
    *end_x = reached_at(s, d, best_k);
    *end_y = *end_x - best_k;
    return trace_back(s, d, best_k, out);
}

/* Joins matches that touch in both sequences. */
static void join(struct matches *out)
{
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++) {
        struct match m = out->items[i], *last = n ? &out->items[n - 1] : NULL;
        if (last && last->a + last->n == m.a && last->b + last->n == m.b)
            last->n += m.n;
        else
            out->items[n++] = m;
    }
    out->n = n;
}

int myers_match(const uint32_t *a, uint32_t n_a, const uint32_t *b, uint32_t n_b,
                struct matches *out)
{
    struct search *s = malloc(sizeof *s);
    int64_t x = 0, y = 0;
    int error = s ? 0 : RAPPORT_NOMEM;
    out->n = 0;
    while (!error && x < n_a && y < n_b) {
        size_t before = out->n;
        int64_t end_x, end_y;
        s->a = a + x;
        s->b = b + y;
        s->n = n_a - x;
        s->m = n_b - y;
        error = search(s, out, &end_x, &end_y);
        for (size_t i = before; i < out->n && !error; i++) {
            out->items[i].a += (uint32_t)x;
            out->items[i].b += (uint32_t)y;
        }
        x += end_x;
        y += end_y;
    }
    free(s);
    if (!error)
        join(out);
    return error;
}

/* index.c - the id index of the tracker (see index.h). */
#include "text/index.h"

#include "text/vec.h"

/* A run within its chunk. */
struct run {
    uint32_t start, value;
    enum place_kind kind;
};

void index_clear(struct index *ix)
{
    free(ix->chunks);
    free(ix->order);
    free(ix->firsts);
    *ix = INDEX_INIT;
}

int index_reset(struct index *ix)
{
    if (VEC_RESERVE(ix->chunks, ix->cap_chunks, 1) || VEC_RESERVE(ix->order, ix->cap_order, 1) ||
        VEC_RESERVE(ix->firsts, ix->cap_firsts, 1))
        return RAPPORT_NOMEM;
    struct index_chunk *c = &ix->chunks[0];
    c->n = 1;
    c->starts[0] = c->values[0] = 0;
    c->kinds[0] = PLACE_UNSEEN;
    ix->order[0] = ix->firsts[0] = 0;
    ix->n_chunks = 1;
    ix->hint = 0;
    return 0;
}

/* Sets the hint to the chunk that holds id. */
static struct index_chunk *find_chunk(struct index *ix, uint32_t id)
{
    size_t at = ix->hint;
    if (ix->firsts[at] > id || (at + 1 < ix->n_chunks && ix->firsts[at + 1] <= id)) {
        size_t low = 0, high = ix->n_chunks;
        while (high - low > 1) {
            size_t mid = low + (high - low) / 2;
            if (ix->firsts[mid] <= id)
                low = mid;
            else
                high = mid;
        }
        ix->hint = at = low;
    }
    return &ix->chunks[ix->order[at]];
}

static uint32_t find_run(const struct index_chunk *c, uint32_t id)
{
    uint32_t low = 0, high = c->n;
    if (c->starts[high - 1] <= id)
        return high - 1;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (c->starts[mid] <= id)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static uint32_t run_end(const struct index *ix, const struct index_chunk *c, uint32_t i)
{
    if (i + 1 < c->n)
        return c->starts[i + 1];
    return ix->hint + 1 < ix->n_chunks ? ix->firsts[ix->hint + 1] : UINT32_MAX;
}

static uint32_t value_at(struct run r, uint32_t id)
{
    switch (r.kind) {
    case PLACE_FORWARD:
        return r.value + (id - r.start);
    case PLACE_BACKWARD:
        return r.value - (id - r.start);
    case PLACE_LEAF:
    case PLACE_NOTHING:
    case PLACE_UNSEEN:
        break;
    }
    return r.value;
}

static struct run run_at(const struct index_chunk *c, uint32_t i)
{
    return (struct run){c->starts[i], c->values[i], (enum place_kind)c->kinds[i]};
}

static void put_run(struct index_chunk *c, uint32_t i, struct run r)
{
    c->starts[i] = r.start;
    c->values[i] = r.value;
    c->kinds[i] = (uint8_t)r.kind;
}

struct place index_get(struct index *ix, uint32_t id)
{
    struct index_chunk *c = find_chunk(ix, id);
    uint32_t i = find_run(c, id);
    struct run r = run_at(c, i);
    return (struct place){r.kind, value_at(r, id), run_end(ix, c, i) - id};
}

/* The upper half of the chunk at the hint moves to a new one behind it. */
static int split_chunk(struct index *ix)
{
    size_t n = ix->n_chunks;
    if (VEC_RESERVE(ix->chunks, ix->cap_chunks, n + 1) ||
        VEC_RESERVE(ix->order, ix->cap_order, n + 1) ||
        VEC_RESERVE(ix->firsts, ix->cap_firsts, n + 1))
        return RAPPORT_NOMEM;
    struct index_chunk *low = &ix->chunks[ix->order[ix->hint]], *high = &ix->chunks[n];
    /* Mostly runs are added behind all others; then the old chunk stays full. */
    bool last = ix->hint + 1 == n;
    uint32_t keep = last ? INDEX_CHUNK - 4 : INDEX_CHUNK / 2;
    high->n = low->n - keep;
    low->n = keep;
    memcpy(high->starts, low->starts + keep, high->n * sizeof *high->starts);
    memcpy(high->values, low->values + keep, high->n * sizeof *high->values);
    memcpy(high->kinds, low->kinds + keep, high->n * sizeof *high->kinds);
    size_t at = ix->hint + 1;
    memmove(ix->order + at + 1, ix->order + at, (n - at) * sizeof *ix->order);
    memmove(ix->firsts + at + 1, ix->firsts + at, (n - at) * sizeof *ix->firsts);
    ix->order[at] = (uint32_t)n;
    ix->firsts[at] = high->starts[0];
    ix->n_chunks = n + 1;
    return 0;
}

static bool joins(struct run a, struct run b)
{
    return a.kind == b.kind && value_at(a, b.start) == b.value;
}

/* Replaces `gone` runs at i by n_runs (1 to 3), joined with their neighbours in the chunk. */
static void replace_runs(struct index_chunk *c, uint32_t i, uint32_t gone, const struct run *runs,
                         uint32_t n_runs)
{
    struct run kept[5];
    uint32_t n = 0;
    if (i > 0) {
        kept[n++] = run_at(c, --i);
        gone++;
    }
    for (uint32_t k = 0; k < n_runs; k++)
        if (!n || !joins(kept[n - 1], runs[k]))
            kept[n++] = runs[k];
    if (i + gone < c->n) {
        struct run next = run_at(c, i + gone++);
        if (!joins(kept[n - 1], next))
            kept[n++] = next;
    }
    uint32_t tail = c->n - (i + gone);
    memmove(c->starts + i + n, c->starts + i + gone, tail * sizeof *c->starts);
    memmove(c->values + i + n, c->values + i + gone, tail * sizeof *c->values);
    memmove(c->kinds + i + n, c->kinds + i + gone, tail * sizeof *c->kinds);
    for (uint32_t k = 0; k < n; k++)
        put_run(c, i + k, kept[k]);
    c->n = i + n + tail;
}

/* Sets as many of the n ids as belong to one run until now, and gives how many. */
static int set_some(struct index *ix, uint32_t *n, struct run r)
{
    struct index_chunk *c = find_chunk(ix, r.start);
    if (c->n + 2 > INDEX_CHUNK) {
        if (split_chunk(ix))
            return RAPPORT_NOMEM;
        c = find_chunk(ix, r.start);
    }
    uint32_t i = find_run(c, r.start), end = run_end(ix, c, i);
    struct run old = run_at(c, i), runs[3];
    uint32_t n_runs = 0;
    *n = *n < end - r.start ? *n : end - r.start;
    if (old.start < r.start)
        runs[n_runs++] = old;
    runs[n_runs++] = r;
    if (r.start + *n < end)
        runs[n_runs++] = (struct run){r.start + *n, value_at(old, r.start + *n), old.kind};
    replace_runs(c, i, 1, runs, n_runs);
    return 0;
}

int index_set(struct index *ix, uint32_t id, uint32_t n, enum place_kind kind, uint32_t value)
{
    struct run r = {id, value, kind};
    while (n) {
        uint32_t some = n;
        int error = set_some(ix, &some, r);
        if (error)
            return error;
        n -= some;
        r = (struct run){r.start + some, value_at(r, r.start + some), kind};
    }
    return 0;
}

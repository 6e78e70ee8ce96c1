/* graph.c - the event graph and version arithmetic on it (see graph.h; crdt: Eg-walker §3). */
#include "text/graph.h"

#include <assert.h>

#include "text/vec.h"

void spans_clear(struct spans *s)
{
    free(s->runs);
    *s = (struct spans){0};
}

void heap_clear(struct heap *h)
{
    free(h->keys);
    *h = (struct heap){0};
}

void graph_clear(struct graph *g)
{
    free(g->entries);
    free(g->pool);
    free(g->frontier.lvs);
    spans_clear(&g->critical);
    *g = GRAPH_INIT;
}

int spans_push(struct spans *s, struct span run, bool down)
{
    struct span *last = s->n ? &s->runs[s->n - 1] : NULL;
    if (last && !down && last->end == run.start) {
        last->end = run.end;
        return 0;
    }
    if (last && down && last->start == run.end) {
        last->start = run.start;
        return 0;
    }
    if (VEC_RESERVE(s->runs, s->cap, s->n + 1))
        return RAPPORT_NOMEM;
    s->runs[s->n++] = run;
    return 0;
}

static int heap_push(struct heap *h, uint64_t key)
{
    if (VEC_RESERVE(h->keys, h->cap, h->n + 1))
        return RAPPORT_NOMEM;
    size_t i = h->n++;
    while (i && h->keys[(i - 1) / 2] < key) {
        h->keys[i] = h->keys[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->keys[i] = key;
    return 0;
}

static uint64_t heap_pop(struct heap *h)
{
    uint64_t top = h->keys[0], last = h->keys[--h->n];
    size_t i = 0;
    for (size_t child = 1; child < h->n; child = 2 * i + 1) {
        if (child + 1 < h->n && h->keys[child + 1] > h->keys[child])
            child++;
        if (h->keys[child] <= last)
            break;
        h->keys[i] = h->keys[child];
        i = child;
    }
    h->keys[i] = last;
    return top;
}

size_t graph_find(const struct graph *g, uint32_t lv)
{
    assert(lv < g->n_events);
    size_t low = 0, high = g->n_entries;
    if (g->entries[high - 1].start <= lv)
        return high - 1;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (g->entries[mid].start <= lv)
            low = mid;
        else
            high = mid;
    }
    return low;
}

uint32_t graph_end(const struct graph *g, size_t i)
{
    return i + 1 < g->n_entries ? g->entries[i + 1].start : g->n_events;
}

const uint32_t *graph_parents(const struct graph *g, size_t i)
{
    const struct graph_entry *e = &g->entries[i];
    return e->n_parents > 1 ? g->pool + e->parents : &e->parents;
}

int graph_reserve(struct graph *g, size_t n, size_t n_parents)
{
    if (VEC_RESERVE(g->entries, g->cap_entries, g->n_entries + n) ||
        VEC_RESERVE(g->pool, g->cap_pool, g->n_pool + n_parents) ||
        VEC_RESERVE(g->frontier.lvs, g->frontier.cap, g->frontier.n + n))
        return RAPPORT_NOMEM;
    return VEC_RESERVE(g->critical.runs, g->critical.cap, g->critical.n + n);
}

void critical_push(struct spans *stack, struct span run, uint32_t parent, bool alone)
{
    while (stack->n && (parent == LV_NONE || stack->runs[stack->n - 1].start > parent))
        stack->n--;
    struct span *top = stack->n ? &stack->runs[stack->n - 1] : NULL;
    if (top && top->end > parent + 1)
        top->end = parent + 1;
    if (!alone)
        return;
    if (top && top->end == run.start)
        top->end = run.end;
    else
        stack->runs[stack->n++] = run;
}

void heads_push(struct heads *heads, const uint32_t *parents, size_t n_parents, uint32_t last)
{
    while (n_parents-- > 0) {
        size_t low = 0, high = heads->n;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (heads->lvs[mid] < parents[n_parents])
                low = mid + 1;
            else
                high = mid;
        }
        if (low == heads->n || heads->lvs[low] != parents[n_parents])
            continue;
        heads->n--;
        memmove(heads->lvs + low, heads->lvs + low + 1, (heads->n - low) * sizeof *heads->lvs);
    }
    heads->lvs[heads->n++] = last;
}

static uint32_t shadow_of(const struct graph *g, uint32_t start, const uint32_t *parents,
                          size_t n_parents)
{
    uint32_t shadow = start;
    while (n_parents && shadow && parents[n_parents - 1] >= shadow - 1) {
        if (parents[n_parents - 1] == shadow - 1)
            shadow = g->entries[graph_find(g, shadow - 1)].shadow;
        n_parents--;
    }
    return shadow;
}

void graph_push(struct graph *g, const uint32_t *parents, size_t n_parents, uint32_t n)
{
    uint32_t start = g->n_events;
    assert(n > 0 && n_parents <= RAPPORT_TEXT_MOST_PARENTS);
    if (n_parents != 1 || start == 0 || parents[0] != start - 1) {
        struct graph_entry e = {.start = start,
                                .shadow = shadow_of(g, start, parents, n_parents),
                                .n_parents = (uint32_t)n_parents};
        if (n_parents == 1) {
            e.parents = parents[0];
        } else {
            e.parents = (uint32_t)g->n_pool;
            for (size_t i = 0; i < n_parents; i++)
                g->pool[g->n_pool++] = parents[i];
        }
        g->entries[g->n_entries++] = e;
    }
    g->n_events += n;
    heads_push(&g->frontier, parents, n_parents, g->n_events - 1);
    critical_push(&g->critical, (struct span){start, g->n_events},
                  n_parents ? parents[n_parents - 1] : LV_NONE, g->frontier.n == 1);
}

/* Drops from the heap what entry `start`..`lv` holds (keys are LV << 2 | flags). */
static void drop_down_to(struct heap *h, uint32_t start)
{
    while (h->n && h->keys[0] >> 2 >= start)
        heap_pop(h);
}

int graph_contains(const struct graph *g, struct heap *h, const uint32_t *version, size_t n,
                   uint32_t lv, bool *out)
{
    int error = 0;
    bool found = false;
    h->n = 0;
    for (size_t i = 0; i < n && !error && !found; i++) {
        found = version[i] == lv;
        if (version[i] > lv)
            error = heap_push(h, (uint64_t)version[i] << 2);
    }
    while (h->n && !error && !found) {
        size_t entry = graph_find(g, (uint32_t)(heap_pop(h) >> 2));
        found = g->entries[entry].shadow <= lv;
        drop_down_to(h, g->entries[entry].start);
        const uint32_t *parents = graph_parents(g, entry);
        for (size_t i = 0; i < g->entries[entry].n_parents && !error && !found; i++) {
            found = parents[i] == lv;
            if (parents[i] > lv)
                error = heap_push(h, (uint64_t)parents[i] << 2);
        }
    }
    if (!error)
        *out = found;
    return error;
}

static int compare_lvs(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Keys are LV << 2 | 1 for what was reached from above, so that it comes before an equal member. */
static int reduce_by_walk(const struct graph *g, struct heap *h, uint32_t *version, size_t *n)
{
    uint32_t least = version[0];
    size_t kept = *n; /* members that stay are collected from the top of the array down */
    h->n = 0;
    for (size_t i = 0; i < *n; i++)
        if (heap_push(h, (uint64_t)version[i] << 2))
            return RAPPORT_NOMEM;
    while (h->n) {
        uint64_t key = heap_pop(h);
        uint32_t lv = (uint32_t)(key >> 2);
        if (!(key & 1))
            version[--kept] = lv;
        size_t entry = graph_find(g, lv);
        drop_down_to(h, g->entries[entry].start);
        const uint32_t *parents = graph_parents(g, entry);
        for (size_t i = 0; i < g->entries[entry].n_parents; i++)
            if (parents[i] >= least && heap_push(h, (uint64_t)parents[i] << 2 | 1))
                return RAPPORT_NOMEM;
    }
    *n -= kept;
    memmove(version, version + kept, *n * sizeof *version);
    return 0;
}

int graph_reduce(const struct graph *g, struct heap *h, uint32_t *version, size_t *n)
{
    if (*n < 2)
        return 0;
    qsort(version, *n, sizeof *version, compare_lvs);
    uint32_t last = version[*n - 1];
    if (g->entries[graph_find(g, last)].shadow <= version[0]) {
        version[0] = last;
        *n = 1;
        return 0;
    }
    return reduce_by_walk(g, h, version, n);
}

enum {
    IN_A = 1,
    IN_B = 2,
    IN_BOTH = 3
};

struct diff {
    const struct graph *g;
    struct heap *h;
    size_t n_both; /* keys in the heap that are in both versions */
    struct spans *only[2];
};

static int diff_push(struct diff *d, uint32_t lv, uint64_t flags)
{
    if (heap_push(d->h, (uint64_t)lv << 2 | flags))
        return RAPPORT_NOMEM;
    d->n_both += flags == IN_BOTH;
    return 0;
}

static uint64_t diff_pop(struct diff *d)
{
    uint64_t key = heap_pop(d->h);
    d->n_both -= (key & 3) == IN_BOTH;
    return key;
}

static int diff_emit(struct diff *d, struct span run, uint64_t flags)
{
    return flags == IN_BOTH ? 0 : spans_push(d->only[flags - 1], run, true);
}

/* Takes the newest run off the heap, up to where another one of the heap meets it, and so on down
 * to the start of its entry. */
static int diff_step(struct diff *d)
{
    uint64_t key = diff_pop(d), flags = key & 3;
    uint32_t lv = (uint32_t)(key >> 2);
    size_t entry = graph_find(d->g, lv);
    uint32_t start = d->g->entries[entry].start, end = lv + 1;
    while (d->h->n && d->h->keys[0] >> 2 >= start) {
        uint64_t other = diff_pop(d);
        if ((other & 3) == flags)
            continue;
        uint32_t cut = (uint32_t)(other >> 2) + 1;
        if (cut < end && diff_emit(d, (struct span){cut, end}, flags))
            return RAPPORT_NOMEM;
        end = cut;
        flags |= other & 3;
    }
    if (diff_emit(d, (struct span){start, end}, flags))
        return RAPPORT_NOMEM;
    const uint32_t *parents = graph_parents(d->g, entry);
    for (size_t i = 0; i < d->g->entries[entry].n_parents; i++)
        if (diff_push(d, parents[i], flags))
            return RAPPORT_NOMEM;
    return 0;
}

int graph_diff(const struct graph *g, struct heap *h, struct version a, struct version b,
               struct spans *only_a, struct spans *only_b)
{
    struct diff d = {g, h, 0, {only_a, only_b}};
    int error = 0;
    h->n = 0;
    for (size_t i = 0; i < a.n && !error; i++)
        error = diff_push(&d, a.lvs[i], IN_A);
    for (size_t i = 0; i < b.n && !error; i++)
        error = diff_push(&d, b.lvs[i], IN_B);
    while (!error && d.n_both < h->n)
        error = diff_step(&d);
    return error;
}

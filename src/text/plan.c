/* plan.c - cutting a section into nodes and ordering them (see plan.h; Eg-walker §3.2, §3.7). */
#include "text/plan.h"

#include "text/vec.h"

void plan_clear(struct plan *p)
{
    free(p->nodes);
    free(p->links);
    free(p->order);
    free(p->stacks[0]);
    free(p->stacks[1]);
    free(p->sorting);
    *p = (struct plan){0};
}

static int add_node(struct plan *p, uint32_t entry, struct span run)
{
    if (VEC_RESERVE(p->nodes, p->cap_nodes, p->n_nodes + 1))
        return RAPPORT_NOMEM;
    p->nodes[p->n_nodes++] =
        (struct plan_node){.run = run, .entry = entry, .cost = run.end - run.start};
    return 0;
}

/* Cuts [start, end) at the entries of the graph and where the text's events end. */
static int cut_span(struct plan *p, const struct graph *g, struct span span, uint32_t n_merged)
{
    for (size_t i = graph_find(g, span.start); span.start < span.end; i++) {
        struct span run = {span.start, graph_end(g, i)};
        run.end = run.end < span.end ? run.end : span.end;
        span.start = run.end;
        if (run.start < n_merged && n_merged < run.end) {
            if (add_node(p, (uint32_t)i, (struct span){run.start, n_merged}))
                return RAPPORT_NOMEM;
            run.start = n_merged;
        }
        if (add_node(p, (uint32_t)i, run))
            return RAPPORT_NOMEM;
    }
    return 0;
}

static int cut_section(struct plan *p, const struct graph *g, const struct section *s)
{
    size_t low = 0, high = s->n_spans;
    while (low < high) { /* the first span that ends in the section */
        size_t mid = low + (high - low) / 2;
        if (s->spans[mid].end <= s->bounds.start)
            low = mid + 1;
        else
            high = mid;
    }
    p->n_nodes = 0;
    for (size_t i = low; i < s->n_spans && s->spans[i].start < s->bounds.end; i++) {
        struct span span = s->spans[i];
        span.start = span.start > s->bounds.start ? span.start : s->bounds.start;
        span.end = span.end < s->bounds.end ? span.end : s->bounds.end;
        int error = cut_span(p, g, span, s->n_merged);
        if (error)
            return error;
    }
    return 0;
}

static size_t find_node(const struct plan *p, uint32_t lv)
{
    size_t low = 0, high = p->n_nodes;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (p->nodes[mid].run.start <= lv)
            low = mid;
        else
            high = mid;
    }
    return low;
}

struct version plan_parents(const struct graph *g, const struct plan_node *node, uint32_t *own)
{
    const struct graph_entry *e = &g->entries[node->entry];
    if (node->run.start == e->start)
        return (struct version){graph_parents(g, node->entry), e->n_parents};
    *own = node->run.start - 1;
    return (struct version){own, 1};
}

/* Counts for each node its children and the parents that it waits for, and sums up costs: a node
 * counts for its newest parent. Returns the number of links. */
static size_t count_links(struct plan *p, const struct graph *g, uint32_t start)
{
    size_t n_links = 0;
    for (size_t i = p->n_nodes; i-- > 0;) {
        uint32_t own;
        struct version parents = plan_parents(g, &p->nodes[i], &own);
        for (size_t k = 0; k < parents.n; k++) {
            if (parents.lvs[k] < start)
                continue;
            struct plan_node *parent = &p->nodes[find_node(p, parents.lvs[k])];
            parent->n_children++;
            p->nodes[i].n_waiting++;
            n_links++;
            if (k + 1 == parents.n)
                parent->cost += p->nodes[i].cost;
        }
    }
    return n_links;
}

static void fill_links(struct plan *p, const struct graph *g, uint32_t start)
{
    uint32_t at = 0;
    for (size_t i = 0; i < p->n_nodes; i++) {
        p->nodes[i].first_child = at;
        at += p->nodes[i].n_children;
        p->nodes[i].n_children = 0;
    }
    for (size_t i = 0; i < p->n_nodes; i++) {
        uint32_t own;
        struct version parents = plan_parents(g, &p->nodes[i], &own);
        for (size_t k = 0; k < parents.n; k++) {
            if (parents.lvs[k] < start)
                continue;
            struct plan_node *parent = &p->nodes[find_node(p, parents.lvs[k])];
            p->links[parent->first_child + parent->n_children++] = (uint32_t)i;
        }
    }
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Puts the ready nodes of p->sorting on their stacks, the cheapest on top. */
static void push_ready(struct plan *p, size_t n, uint32_t n_merged)
{
    if (n > 1)
        qsort(p->sorting, n, sizeof *p->sorting, compare_keys);
    while (n > 0) {
        uint32_t node = (uint32_t)p->sorting[--n];
        int is_new = p->nodes[node].run.start >= n_merged;
        p->stacks[is_new][p->n_stacked[is_new]++] = node;
    }
}

static uint64_t sorting_key(const struct plan *p, uint32_t node)
{
    uint64_t cost = p->nodes[node].cost;
    return (cost < UINT32_MAX ? cost : UINT32_MAX) << 32 | node;
}

static void order_nodes(struct plan *p, uint32_t n_merged)
{
    size_t n = 0, visited = 0;
    p->n_stacked[0] = p->n_stacked[1] = 0;
    for (uint32_t i = 0; i < p->n_nodes; i++)
        if (!p->nodes[i].n_waiting)
            p->sorting[n++] = sorting_key(p, i);
    push_ready(p, n, n_merged);
    while (p->n_stacked[0] + p->n_stacked[1]) {
        int from = p->n_stacked[0] ? 0 : 1;
        uint32_t i = p->stacks[from][--p->n_stacked[from]];
        const struct plan_node *node = &p->nodes[i];
        p->order[visited++] = i;
        n = 0;
        for (uint32_t k = 0; k < node->n_children; k++) {
            uint32_t child = p->links[node->first_child + k];
            if (--p->nodes[child].n_waiting == 0)
                p->sorting[n++] = sorting_key(p, child);
        }
        push_ready(p, n, n_merged);
    }
}

int plan_make(struct plan *p, const struct graph *g, const struct section *s)
{
    int error = cut_section(p, g, s);
    if (error)
        return error;
    size_t n = p->n_nodes, n_links = count_links(p, g, s->bounds.start);
    if (VEC_RESERVE(p->links, p->cap_links, n_links) || VEC_RESERVE(p->order, p->cap_order, n) ||
        VEC_RESERVE(p->stacks[0], p->cap_stacks[0], n) ||
        VEC_RESERVE(p->stacks[1], p->cap_stacks[1], n) ||
        VEC_RESERVE(p->sorting, p->cap_sorting, n))
        return RAPPORT_NOMEM;
    fill_links(p, g, s->bounds.start);
    order_nodes(p, s->n_merged);
    return 0;
}

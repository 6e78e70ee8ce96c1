/* oracle.c - the plain model of FugueMax (see oracle.h). Slow and short on purpose. */
#include "bench/oracle.h"

static bool overlap(const struct oracle_set *a, const struct oracle_set *b)
{
    bool any = false;
    for (size_t i = 0; i < ORACLE_EVENTS / 64; i++)
        any = any || (a->words[i] & b->words[i]);
    return any;
}

static bool is_visible(const struct oracle *o, int item, const struct oracle_set *version)
{
    return oracle_in(version, item) && !overlap(&o->items[item].deleters, version);
}

static int compare_ids(const struct oracle_event *a, const struct oracle_event *b)
{
    int order = slice_compare(a->agent, b->agent);
    return order ? order : (a->seq > b->seq) - (a->seq < b->seq);
}

static int place_of(const struct oracle *o, int item)
{
    return item < 0 ? ORACLE_EVENTS : o->places[item];
}

/* Does sibling a stand before sibling b? */
static bool stands_before(const struct oracle *o, int a, int b)
{
    if (!o->items[a].is_left && o->items[a].right != o->items[b].right)
        return place_of(o, o->items[a].right) > place_of(o, o->items[b].right);
    return compare_ids(&o->events[a], &o->events[b]) < 0;
}

/* The children of a node on one side, in order; returns how many. */
static int list_children(const struct oracle *o, int parent, bool left, int *children)
{
    int n = 0;
    for (int i = 0; i < o->n_events; i++) {
        if (!o->events[i].insert || o->items[i].parent != parent || o->items[i].is_left != left)
            continue;
        int at = n++;
        for (; at > 0 && stands_before(o, i, children[at - 1]); at--)
            children[at] = children[at - 1];
        children[at] = i;
    }
    return n;
}

/* Appends the subtree of a node (-1: the root) to `order`. */
static void list_subtree(const struct oracle *o, int node, int *order, int *n)
{
    int children[ORACLE_EVENTS];
    int n_left = list_children(o, node, true, children);
    for (int i = 0; i < n_left; i++)
        list_subtree(o, children[i], order, n);
    if (node >= 0)
        order[(*n)++] = node;
    int n_right = list_children(o, node, false, children);
    for (int i = 0; i < n_right; i++)
        list_subtree(o, children[i], order, n);
}

static bool descends(const struct oracle *o, int node, int ancestor)
{
    while (node >= 0 && node != ancestor)
        node = o->items[node].parent;
    return node == ancestor;
}

static void add_insert(struct oracle *o, int event)
{
    const struct oracle_event *e = &o->events[event];
    int left = -1, at = 0, order[ORACLE_EVENTS], n = 0;
    size_t seen = 0;
    for (int i = 0; i < o->n_order && seen < e->pos; i++) {
        if (!is_visible(o, o->order[i], &e->past))
            continue;
        seen++;
        left = o->order[i];
        at = i + 1;
    }
    while (at < o->n_order && !oracle_in(&e->past, o->order[at]))
        at++;
    int right = at < o->n_order ? o->order[at] : -1;
    bool is_left = right >= 0 && descends(o, right, left);
    o->items[event] =
        (struct oracle_item){.parent = is_left ? right : left, .right = right, .is_left = is_left};
    list_subtree(o, -1, order, &n);
    for (int i = 0; i < n; i++) {
        o->order[i] = order[i];
        o->places[order[i]] = i;
    }
    o->n_order = n;
}

static void add_delete(struct oracle *o, int event)
{
    const struct oracle_event *e = &o->events[event];
    size_t seen = 0;
    for (int i = 0; i < o->n_order; i++) {
        int item = o->order[i];
        if (is_visible(o, item, &e->past) && seen++ == e->pos)
            oracle_put(&o->items[item].deleters, event);
    }
}

void oracle_add(struct oracle *o)
{
    int event = o->n_events++;
    if (o->events[event].insert)
        add_insert(o, event);
    else
        add_delete(o, event);
}

size_t oracle_text(const struct oracle *o, const struct oracle_set *version,
                   uint32_t text[ORACLE_EVENTS])
{
    size_t n = 0;
    for (int i = 0; i < o->n_order; i++)
        if (is_visible(o, o->order[i], version))
            text[n++] = o->events[o->order[i]].character;
    return n;
}

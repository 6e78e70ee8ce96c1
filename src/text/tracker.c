/*
 * tracker.c - the tree of spans and the operations on it (see tracker.h). Arrays of leaves and
 * nodes are indexed by integers and may move whenever something is added: pointers into them are
 * taken anew after each call that can add.
 */
#include "text/tracker.h"

#include <assert.h>

#include "text/vec.h"

/* A character: offset `off` in a span; or a place before a span (off 0, idx up to the leaf's n). */
struct cursor {
    uint32_t leaf, idx, off;
    uint32_t effect; /* effect position */
};

static struct lengths lengths_of(const struct tracked *s)
{
    return (struct lengths){(s->state & ~TRACKED_DELETED) == 1 ? s->len : 0,
                            s->state & TRACKED_DELETED ? 0 : s->len};
}

static struct lengths plus(struct lengths a, struct lengths b)
{
    return (struct lengths){a.prepare + b.prepare, a.effect + b.effect};
}

/* May be negative in each part; unsigned arithmetic wraps back when it is added. */
static struct lengths minus(struct lengths a, struct lengths b)
{
    return (struct lengths){a.prepare - b.prepare, a.effect - b.effect};
}

void tracker_clear(struct tracker *t)
{
    free(t->leaves);
    free(t->nodes);
    index_clear(&t->index);
    *t = TRACKER_INIT;
}

int tracker_reset(struct tracker *t, const struct ids *ids, uint32_t length)
{
    if (VEC_RESERVE(t->leaves, t->cap_leaves, 1) || index_reset(&t->index))
        return RAPPORT_NOMEM;
    struct leaf *first = &t->leaves[0];
    first->n = length ? 1 : 0;
    first->parent = first->next = LV_NONE;
    first->spans[0] = (struct tracked){0, length, LV_NONE, LV_NONE, 1};
    t->ids = ids;
    t->n_leaves = 1;
    t->n_nodes = 0;
    t->root = t->height = 0;
    t->total = (struct lengths){length, length};
    return length ? index_set(&t->index, 0, length, PLACE_LEAF, 0) : 0;
}

static uint32_t slot_of(const struct node *parent, uint32_t child)
{
    uint32_t i = 0;
    while (parent->children[i] != child)
        i++;
    return i;
}

/* Adds `change` to the lengths of everything above a leaf. */
static void add_lengths(struct tracker *t, uint32_t leaf, struct lengths change)
{
    uint32_t child = leaf, parent = t->leaves[leaf].parent;
    t->total = plus(t->total, change);
    while (parent != LV_NONE) {
        struct node *node = &t->nodes[parent];
        uint32_t slot = slot_of(node, child);
        node->lengths[slot] = plus(node->lengths[slot], change);
        child = parent;
        parent = node->parent;
    }
}

static void set_parent(struct tracker *t, uint32_t level, uint32_t child, uint32_t parent)
{
    if (level == 1)
        t->leaves[child].parent = parent;
    else
        t->nodes[child].parent = parent;
}

/* A new node of this level; LV_NONE when out of memory. */
static uint32_t add_node(struct tracker *t, uint32_t level, uint32_t parent)
{
    if (VEC_RESERVE(t->nodes, t->cap_nodes, t->n_nodes + 1))
        return LV_NONE;
    struct node *node = &t->nodes[t->n_nodes];
    node->n = 0;
    node->parent = parent;
    node->level = level;
    return (uint32_t)t->n_nodes++;
}

static int add_child(struct tracker *t, uint32_t level, uint32_t left, uint32_t right,
                     struct lengths moved);

/* The upper half of a full node moves to a new one behind it. */
static int split_node(struct tracker *t, uint32_t old)
{
    uint32_t level = t->nodes[old].level;
    uint32_t made = add_node(t, level, t->nodes[old].parent);
    if (made == LV_NONE)
        return RAPPORT_NOMEM;
    struct node *low = &t->nodes[old], *high = &t->nodes[made];
    struct lengths moved = {0};
    high->n = low->n - NODE_CHILDREN / 2;
    low->n = NODE_CHILDREN / 2;
    memcpy(high->children, low->children + low->n, high->n * sizeof *high->children);
    memcpy(high->lengths, low->lengths + low->n, high->n * sizeof *high->lengths);
    for (uint32_t i = 0; i < high->n; i++) {
        moved = plus(moved, high->lengths[i]);
        set_parent(t, level, high->children[i], made);
    }
    return add_child(t, level + 1, old, made, moved);
}

static int add_root(struct tracker *t, uint32_t level, uint32_t child)
{
    uint32_t root = add_node(t, level, LV_NONE);
    if (root == LV_NONE)
        return RAPPORT_NOMEM;
    t->nodes[root].n = 1;
    t->nodes[root].children[0] = child;
    t->nodes[root].lengths[0] = t->total;
    set_parent(t, level, child, root);
    t->root = root;
    t->height = level;
    return 0;
}

/* Makes `right` the next child behind `left` in its parent, which is of `level`; the lengths
 * `moved` went from one to the other. */
static int add_child(struct tracker *t, uint32_t level, uint32_t left, uint32_t right,
                     struct lengths moved)
{
    uint32_t parent = level == 1 ? t->leaves[left].parent : t->nodes[left].parent;
    int error = 0;
    if (parent == LV_NONE)
        error = add_root(t, level, left);
    else if (t->nodes[parent].n == NODE_CHILDREN)
        error = split_node(t, parent);
    if (error)
        return error;
    parent = level == 1 ? t->leaves[left].parent : t->nodes[left].parent;
    struct node *node = &t->nodes[parent];
    uint32_t slot = slot_of(node, left);
    node->lengths[slot] = minus(node->lengths[slot], moved);
    slot++;
    memmove(node->children + slot + 1, node->children + slot,
            (node->n - slot) * sizeof *node->children);
    memmove(node->lengths + slot + 1, node->lengths + slot,
            (node->n - slot) * sizeof *node->lengths);
    node->children[slot] = right;
    node->lengths[slot] = moved;
    node->n++;
    set_parent(t, level, right, parent);
    return 0;
}

/* Spans from `keep` on move to a new leaf behind this one. */
static int split_leaf(struct tracker *t, uint32_t leaf, uint32_t keep)
{
    if (VEC_RESERVE(t->leaves, t->cap_leaves, t->n_leaves + 1))
        return RAPPORT_NOMEM;
    uint32_t made = (uint32_t)t->n_leaves++;
    struct leaf *low = &t->leaves[leaf], *high = &t->leaves[made];
    struct lengths moved = {0};
    high->n = low->n - keep;
    high->parent = low->parent;
    high->next = low->next;
    low->n = keep;
    low->next = made;
    memcpy(high->spans, low->spans + keep, high->n * sizeof *high->spans);
    for (uint32_t i = 0; i < high->n; i++) {
        const struct tracked *s = &high->spans[i];
        moved = plus(moved, lengths_of(s));
        if (index_set(&t->index, s->id, s->len, PLACE_LEAF, made))
            return RAPPORT_NOMEM;
    }
    return add_child(t, 1, leaf, made, moved);
}

/* Makes room for n <= 2 more spans in the cursor's leaf; the cursor may move to another one. */
static int make_room(struct tracker *t, struct cursor *c, uint32_t n)
{
    if (t->leaves[c->leaf].n + n <= LEAF_SPANS)
        return 0;
    uint32_t keep = LEAF_SPANS / 2;
    int error = split_leaf(t, c->leaf, keep);
    if (!error && c->idx >= keep) {
        c->leaf = t->leaves[c->leaf].next;
        c->idx -= keep;
    }
    return error;
}

/* The character at prepare position pos < total. */
static struct cursor find_prepare(const struct tracker *t, uint32_t pos)
{
    struct cursor c = {.leaf = t->root};
    for (uint32_t level = t->height; level; level--) {
        const struct node *node = &t->nodes[c.leaf];
        uint32_t i = 0;
        for (; pos >= node->lengths[i].prepare; i++) {
            pos -= node->lengths[i].prepare;
            c.effect += node->lengths[i].effect;
        }
        c.leaf = node->children[i];
    }
    const struct leaf *leaf = &t->leaves[c.leaf];
    for (;; c.idx++) {
        struct lengths l = lengths_of(&leaf->spans[c.idx]);
        if (pos < l.prepare)
            break;
        pos -= l.prepare;
        c.effect += l.effect;
    }
    c.off = pos;
    if (!(leaf->spans[c.idx].state & TRACKED_DELETED))
        c.effect += pos;
    return c;
}

/* Where the character with this id is; its effect position is not filled in. */
static struct cursor locate(struct tracker *t, uint32_t id)
{
    struct place place = index_get(&t->index, id);
    assert(place.kind == PLACE_LEAF);
    const struct leaf *leaf = &t->leaves[place.value];
    struct cursor c = {.leaf = place.value};
    while (id - leaf->spans[c.idx].id >= leaf->spans[c.idx].len)
        c.idx++;
    c.off = id - leaf->spans[c.idx].id;
    return c;
}

/* Orders two leaves, by the slots below the lowest node that both are under. */
static int compare_leaves(const struct tracker *t, uint32_t a, uint32_t b)
{
    uint32_t a_up = t->leaves[a].parent, b_up = t->leaves[b].parent;
    while (a_up != b_up) {
        a = a_up;
        b = b_up;
        a_up = t->nodes[a].parent;
        b_up = t->nodes[b].parent;
    }
    const struct node *node = &t->nodes[a_up];
    return slot_of(node, a) < slot_of(node, b) ? -1 : 1;
}

/* Orders two different characters by their places: < 0 or > 0. */
static int compare_places(struct tracker *t, uint32_t a, uint32_t b)
{
    struct cursor x = locate(t, a), y = locate(t, b);
    if (x.leaf != y.leaf)
        return compare_leaves(t, x.leaf, y.leaf);
    if (x.idx != y.idx)
        return x.idx < y.idx ? -1 : 1;
    return x.off < y.off ? -1 : 1;
}

static int compare_left(struct tracker *t, uint32_t a, uint32_t b)
{
    if (a == LV_NONE || b == LV_NONE)
        return a == LV_NONE ? -1 : 1;
    return compare_places(t, a, b);
}

static int compare_right(struct tracker *t, uint32_t a, uint32_t b)
{
    if (a == LV_NONE || b == LV_NONE)
        return a == LV_NONE ? 1 : -1;
    return compare_places(t, a, b);
}

/* The span at the cursor, which moves on over the end of its leaf; NULL at the end of the text. */
static const struct tracked *span_at(const struct tracker *t, struct cursor *c)
{
    const struct leaf *leaf = &t->leaves[c->leaf];
    if (c->idx == leaf->n) {
        if (leaf->next == LV_NONE)
            return NULL;
        c->leaf = leaf->next;
        c->idx = 0;
        leaf = &t->leaves[c->leaf];
    }
    return c->idx < leaf->n ? &leaf->spans[c->idx] : NULL;
}

/* The first character from the cursor on that was inserted at the prepare version. */
static uint32_t right_origin(const struct tracker *t, struct cursor c)
{
    const struct tracked *s;
    while ((s = span_at(t, &c)) && (s->state & ~TRACKED_DELETED) == 0)
        c.idx++;
    return s ? s->id : LV_NONE;
}

/*
 * FugueMax: finds the place of new span `s` among the spans from the cursor on that are not
 * inserted at the prepare version. Siblings with one left origin stand by right origin, the
 * furthest first, then by id; what has its left origin further right is a descendant of a sibling
 * and stepped over.
 */
static struct cursor place_span(struct tracker *t, struct cursor c, const struct tracked *s)
{
    struct cursor here = c, kept = c;
    bool scanning = false;
    for (;;) {
        struct cursor before = here;
        const struct tracked *o = span_at(t, &here);
        if (!o || (o->state & ~TRACKED_DELETED) != 0)
            return scanning ? kept : before;
        if (o->left != s->left) {
            if (compare_left(t, o->left, s->left) < 0)
                return scanning ? kept : before;
        } else if (o->right == s->right) {
            if (ids_compare(t->ids, s->id, o->id) < 0)
                return scanning ? kept : before;
            scanning = false;
        } else if (compare_right(t, o->right, s->right) < 0) {
            kept = scanning ? kept : before;
            scanning = true;
        } else {
            scanning = false;
        }
        here.effect += lengths_of(o).effect;
        here.idx++;
    }
}

static bool joins(const struct tracked *a, const struct tracked *b)
{
    return a->id + a->len == b->id && b->left == b->id - 1 && a->right == b->right &&
           a->state == b->state;
}

static void remove_span(struct leaf *leaf, uint32_t idx)
{
    leaf->n--;
    memmove(leaf->spans + idx, leaf->spans + idx + 1, (leaf->n - idx) * sizeof *leaf->spans);
}

static void insert_span(struct leaf *leaf, uint32_t idx, struct tracked s)
{
    memmove(leaf->spans + idx + 1, leaf->spans + idx, (leaf->n - idx) * sizeof *leaf->spans);
    leaf->spans[idx] = s;
    leaf->n++;
}

/* Cuts the span at idx in two at `off`, inside of it. Room must be there. */
static void cut_span(struct leaf *leaf, uint32_t idx, uint32_t off)
{
    struct tracked *s = &leaf->spans[idx], tail = *s;
    tail.id += off;
    tail.len -= off;
    tail.left = tail.id - 1;
    s->len = off;
    insert_span(leaf, idx + 1, tail);
}

/* Puts a new span before the one at the cursor. */
static int put_span(struct tracker *t, struct cursor c, struct tracked s)
{
    struct leaf *leaf = &t->leaves[c.leaf];
    if (c.idx && joins(&leaf->spans[c.idx - 1], &s)) {
        leaf->spans[c.idx - 1].len += s.len;
    } else {
        int error = make_room(t, &c, 1);
        if (error)
            return error;
        insert_span(&t->leaves[c.leaf], c.idx, s);
    }
    add_lengths(t, c.leaf, lengths_of(&s));
    return index_set(&t->index, s.id, s.len, PLACE_LEAF, c.leaf);
}

int tracker_insert(struct tracker *t, struct span run, uint32_t pos, uint32_t *effect)
{
    struct tracked s = {run.start, run.end - run.start, LV_NONE, LV_NONE, 1};
    struct cursor c = {0};
    pos = pos < t->total.prepare ? pos : t->total.prepare;
    if (pos) {
        c = find_prepare(t, pos - 1);
        int error = make_room(t, &c, 2);
        if (error)
            return error;
        const struct tracked *before = &t->leaves[c.leaf].spans[c.idx];
        s.left = before->id + c.off;
        c.effect += before->state & TRACKED_DELETED ? 0 : 1;
        if (c.off + 1 < before->len)
            cut_span(&t->leaves[c.leaf], c.idx, c.off + 1);
        c.idx++;
    }
    s.right = right_origin(t, c);
    c = place_span(t, c, &s);
    *effect = c.effect;
    return put_span(t, c, s);
}

/* Changes the state of the n characters from the cursor on, all in one span. */
static int change_state(struct tracker *t, struct cursor c, uint32_t n, uint32_t add, uint32_t mark)
{
    int error = make_room(t, &c, 2);
    if (error)
        return error;
    struct leaf *leaf = &t->leaves[c.leaf];
    if (c.off)
        cut_span(leaf, c.idx++, c.off);
    struct tracked *s = &leaf->spans[c.idx];
    if (n < s->len)
        cut_span(leaf, c.idx, n);
    struct lengths old = lengths_of(s);
    s->state = (s->state + add) | mark;
    add_lengths(t, c.leaf, minus(lengths_of(s), old));
    if (c.idx + 1 < leaf->n && joins(s, s + 1)) {
        s->len += s[1].len;
        remove_span(leaf, c.idx + 1);
    }
    if (c.idx && joins(s - 1, s)) {
        s[-1].len += s->len;
        remove_span(leaf, c.idx);
    }
    return 0;
}

int tracker_delete(struct tracker *t, struct span run, uint32_t pos, bool backward,
                   struct deleted *out)
{
    uint32_t n = run.end - run.start;
    if (pos >= t->total.prepare) {
        /* Backspace from past the end comes down to the text after a while. */
        uint32_t past = backward ? pos - t->total.prepare + 1 : n;
        *out = (struct deleted){.n = past < n ? past : n};
        return index_set(&t->index, run.start, out->n, PLACE_NOTHING, 0);
    }
    struct cursor c = find_prepare(t, pos);
    const struct tracked *s = &t->leaves[c.leaf].spans[c.idx];
    uint32_t target = s->id + c.off, most = backward ? c.off + 1 : s->len - c.off;
    bool gone = s->state & TRACKED_DELETED;
    n = n < most ? n : most;
    if (backward) {
        c.off -= n - 1;
        c.effect -= gone ? 0 : n - 1;
    }
    *out = (struct deleted){n, c.effect, gone ? 0 : n};
    if (index_set(&t->index, run.start, n, backward ? PLACE_BACKWARD : PLACE_FORWARD, target))
        return RAPPORT_NOMEM;
    return change_state(t, c, n, 1, TRACKED_DELETED);
}

static int move_characters(struct tracker *t, struct span chars, uint32_t add)
{
    while (chars.start < chars.end) {
        struct cursor c = locate(t, chars.start);
        uint32_t most = t->leaves[c.leaf].spans[c.idx].len - c.off;
        uint32_t n = chars.end - chars.start < most ? chars.end - chars.start : most;
        int error = change_state(t, c, n, add, 0);
        if (error)
            return error;
        chars.start += n;
    }
    return 0;
}

static int move_events(struct tracker *t, struct span run, uint32_t add)
{
    int error = 0;
    while (run.start < run.end && !error) {
        struct place place = index_get(&t->index, run.start);
        uint32_t n = place.n < run.end - run.start ? place.n : run.end - run.start;
        switch (place.kind) {
        case PLACE_LEAF:
            error = move_characters(t, (struct span){run.start, run.start + n}, add);
            break;
        case PLACE_FORWARD:
            error = move_characters(t, (struct span){place.value, place.value + n}, add);
            break;
        case PLACE_BACKWARD:
            error = move_characters(t, (struct span){place.value + 1 - n, place.value + 1}, add);
            break;
        case PLACE_NOTHING:
            break;
        case PLACE_UNSEEN:
            assert(!"an event is moved before it was applied");
        }
        run.start += n;
    }
    return error;
}

int tracker_retreat(struct tracker *t, struct span run)
{
    return move_events(t, run, UINT32_MAX);
}

int tracker_advance(struct tracker *t, struct span run)
{
    return move_events(t, run, 1);
}

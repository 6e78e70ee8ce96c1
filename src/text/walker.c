/*
 * walker.c - merging: fast forward over linear stretches, replay of concurrent sections, and the
 * list of changes that comes out (see walker.h).
 */
#include "text/walker.h"

#include "text/plan.h"
#include "text/tracker.h"
#include "text/vec.h"

enum {
    MILESTONE_PIECES = 64 /* op pieces between milestones in a linear stretch */
};

struct walk {
    const struct history *h;
    struct milestones *milestones; /* NULL: none are kept */
    struct section section;        /* all that is walked; then each section */
    struct tracker tracker;
    struct plan plan;
    struct heap heap;
    struct spans retreats, advances;
    struct changes *out;
    uint32_t length; /* of the text, at a critical version */
    size_t op_hint;
};

static void walk_clear(struct walk *w)
{
    tracker_clear(&w->tracker);
    plan_clear(&w->plan);
    heap_clear(&w->heap);
    spans_clear(&w->retreats);
    spans_clear(&w->advances);
}

static int add_change(struct changes *out, struct change change)
{
    if (VEC_RESERVE(out->items, out->cap, out->n + 1))
        return RAPPORT_NOMEM;
    out->items[out->n++] = change;
    return 0;
}

static int emit_insert(struct changes *out, uint32_t pos, uint32_t ordinal, uint32_t n)
{
    struct change *last = out->n ? &out->items[out->n - 1] : NULL;
    if (last && pos == last->pos + last->n_inserted &&
        (!last->n_inserted || ordinal == last->ordinal + last->n_inserted)) {
        last->ordinal = last->n_inserted ? last->ordinal : ordinal;
        last->n_inserted += n;
        return 0;
    }
    return add_change(out, (struct change){pos, 0, ordinal, n});
}

/* Joins with the change before what is next to it or takes back its end. */
static int emit_delete(struct changes *out, uint32_t pos, uint32_t n)
{
    struct change *last = out->n ? &out->items[out->n - 1] : NULL;
    if (!n)
        return 0;
    if (last && pos == last->pos + last->n_inserted) {
        last->n_deleted += n;
        return 0;
    }
    if (last && n <= last->n_inserted && pos + n == last->pos + last->n_inserted) {
        last->n_inserted -= n;
        return 0;
    }
    if (last && !last->n_inserted && pos + n == last->pos) {
        last->pos = pos;
        last->n_deleted += n;
        return 0;
    }
    return add_change(out, (struct change){pos, n, 0, 0});
}

static int keep_milestone(struct walk *w, uint32_t start)
{
    if (!w->milestones)
        return 0;
    return milestones_push(w->milestones, (struct milestone){start, w->length});
}

/* Linear events: each one's own position is the position in the text. */
static int fast_forward(struct walk *w, struct span run)
{
    const struct ops *ops = &w->h->ops;
    uint32_t n_merged = w->section.n_merged;
    for (size_t n = 0; run.start < run.end; n++) {
        if (n % MILESTONE_PIECES == 0 && keep_milestone(w, run.start))
            return RAPPORT_NOMEM;
        uint32_t end = run.start < n_merged && n_merged < run.end ? n_merged : run.end;
        struct op_piece piece = ops_piece(ops, run.start, end, &w->op_hint);
        struct op_place place = op_place(piece, w->length);
        int error = 0;
        if (run.start >= n_merged)
            error = piece.kind == OP_INSERT
                        ? emit_insert(w->out, place.start, piece.ordinal, place.n)
                        : emit_delete(w->out, place.start, place.n);
        if (error)
            return error;
        w->length = op_length_after(piece, w->length);
        run.start += piece.n;
    }
    return 0;
}

static int apply_delete(struct walk *w, struct span run, struct op_piece piece, bool emit)
{
    bool backward = piece.kind == OP_BACKSPACE;
    while (run.start < run.end) {
        struct deleted d;
        int error = tracker_delete(&w->tracker, run, piece.pos, backward, &d);
        if (!error && emit)
            error = emit_delete(w->out, d.effect, d.n_gone);
        if (error)
            return error;
        run.start += d.n;
        piece.pos -= backward ? d.n : 0;
    }
    return 0;
}

/* Applies a node, whose parents are the tracker's prepare version. */
static int apply(struct walk *w, struct span run)
{
    bool emit = run.start >= w->section.n_merged;
    while (run.start < run.end) {
        struct op_piece piece = ops_piece(&w->h->ops, run.start, run.end, &w->op_hint);
        struct span events = {run.start, run.start + piece.n};
        int error;
        if (piece.kind == OP_INSERT) {
            uint32_t pos;
            error = tracker_insert(&w->tracker, events, piece.pos, &pos);
            if (!error && emit)
                error = emit_insert(w->out, pos, piece.ordinal, piece.n);
        } else {
            error = apply_delete(w, events, piece, emit);
        }
        if (error)
            return error;
        run.start = events.end;
    }
    return 0;
}

/* Brings the tracker's prepare version from one version to another. */
static int change_version(struct walk *w, struct version from, struct version to)
{
    w->retreats.n = w->advances.n = 0;
    int error = graph_diff(&w->h->graph, &w->heap, from, to, &w->retreats, &w->advances);
    for (size_t i = 0; i < w->retreats.n && !error; i++)
        error = tracker_retreat(&w->tracker, w->retreats.runs[i]);
    for (size_t i = w->advances.n; i > 0 && !error; i--)
        error = tracker_advance(&w->tracker, w->advances.runs[i - 1]);
    return error;
}

/* Replays the events of [run.start, run.end) that are walked; `base` is the critical version before
 * them. */
static int replay(struct walk *w, struct span run, struct version base)
{
    const struct graph *g = &w->h->graph;
    w->section.bounds = run;
    int error = plan_make(&w->plan, g, &w->section);
    if (!error)
        error = tracker_reset(&w->tracker, &w->h->ids, w->length);
    struct version at = base;
    uint32_t last = 0;
    for (size_t i = 0; i < w->plan.n_nodes && !error; i++) {
        uint32_t own;
        const struct plan_node *node = &w->plan.nodes[w->plan.order[i]];
        struct version parents = plan_parents(g, node, &own);
        if (parents.n != at.n || (at.n && parents.lvs[0] != at.lvs[0]))
            error = change_version(w, at, parents);
        if (!error)
            error = apply(w, node->run);
        last = node->run.end - 1;
        at = (struct version){&last, 1};
    }
    w->length = w->tracker.total.effect;
    return error;
}

/* Walks from `start`, which is the first event or a critical one, over the critical stretches and
 * what lies between them. */
static int walk(struct walk *w, const struct spans *critical, uint32_t start)
{
    struct version base = {NULL, 0};
    uint32_t last = 0, end = w->section.n_spans ? w->section.spans[w->section.n_spans - 1].end : 0;
    size_t low = 0, high = critical->n;
    while (low < high) { /* the first critical stretch that ends after start */
        size_t mid = low + (high - low) / 2;
        if (critical->runs[mid].end <= start)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < critical->n; low++) {
        struct span run = critical->runs[low];
        int error = 0;
        if (start < run.start)
            error = replay(w, (struct span){start, run.start}, base);
        else
            run.start = start;
        if (!error)
            error = fast_forward(w, run);
        if (error)
            return error;
        start = run.end;
        last = start - 1;
        base = (struct version){&last, 1};
    }
    return start < end ? replay(w, (struct span){start, end}, base) : 0;
}

int walk_merge(struct history *h, uint32_t n_merged, struct changes *out)
{
    struct milestone from = milestones_find(&h->milestones, n_merged);
    struct span all = {from.start, history_n_events(h)};
    struct walk w = {.h = h, .milestones = &h->milestones, .out = out, .length = from.length};
    w.section = (struct section){.spans = &all, .n_spans = 1, .n_merged = n_merged};
    int error = walk(&w, &h->graph.critical, from.start);
    walk_clear(&w);
    return error;
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* The critical stretches of the part of a graph that `spans` (ascending, closed under parents) are.
 */
static int find_critical(const struct graph *g, const struct spans *spans, struct heads *heads,
                         struct spans *critical)
{
    for (size_t i = 0; i < spans->n; i++) {
        struct span rest = spans->runs[i];
        for (size_t e = graph_find(g, rest.start); rest.start < rest.end; e++) {
            uint32_t end = graph_end(g, e);
            struct span run = {rest.start, end < rest.end ? end : rest.end};
            const uint32_t *parents = graph_parents(g, e);
            size_t n = g->entries[e].n_parents;
            if (VEC_RESERVE(heads->lvs, heads->cap, heads->n + 1) ||
                VEC_RESERVE(critical->runs, critical->cap, critical->n + 1))
                return RAPPORT_NOMEM;
            heads_push(heads, parents, n, run.end - 1);
            critical_push(critical, run, n ? parents[n - 1] : LV_NONE, heads->n == 1);
            rest.start = run.end;
        }
    }
    return 0;
}

int walk_version(const struct history *h, struct version version, struct changes *out)
{
    struct spans past = {0}, none = {0}, critical = {0};
    struct heads heads = {0};
    struct walk w = {.h = h, .out = out};
    int error = graph_diff(&h->graph, &w.heap, version, (struct version){0}, &past, &none);
    if (!error && past.n) {
        qsort(past.runs, past.n, sizeof *past.runs, compare_spans);
        w.section = (struct section){.spans = past.runs, .n_spans = past.n};
        error = find_critical(&h->graph, &past, &heads, &critical);
    }
    if (!error)
        error = walk(&w, &critical, 0);
    walk_clear(&w);
    spans_clear(&past);
    spans_clear(&none);
    spans_clear(&critical);
    free(heads.lvs);
    return error;
}

/*
 * add.c - new events into the history: checks, what of a run is known already, parents (see
 * object.h). All room is made before the first table changes, so a failed call changes nothing.
 */
#include <assert.h>

#include "base/utf8.h"
#include "text/object.h"
#include "text/vec.h"

static int check_shape(const struct rapport_text_run *run)
{
    bool delete = run->kind == RAPPORT_TEXT_DELETE;
    if (!run->id.agent || !run->id.agent_len || !run->n_events)
        return RAPPORT_INVALID;
    if (run->kind != RAPPORT_TEXT_INSERT && !delete)
        return RAPPORT_INVALID;
    if (run->backward && (!delete || run->pos < run->n_events - 1))
        return RAPPORT_INVALID;
    return run->id.agent_len > RAPPORT_TEXT_MOST_AGENT_BYTES ? RAPPORT_INVALID : 0;
}

static int check_limits(const struct rapport_text_run *run)
{
    if (run->n_events > RAPPORT_TEXT_MOST_RUN || run->n_parents > RAPPORT_TEXT_MOST_PARENTS ||
        run->id.seq > RAPPORT_TEXT_MOST_SEQ - run->n_events)
        return RAPPORT_LIMIT;
    if (run->pos > RAPPORT_TEXT_MOST_POS)
        return RAPPORT_LIMIT;
    return 0;
}

int run_check(const struct rapport_text_run *run, struct op_piece *piece)
{
    int error = check_shape(run);
    if (!error)
        error = check_limits(run);
    if (error)
        return error;
    enum op_kind kind = run->backward ? OP_BACKSPACE : OP_DELETE;
    if (run->kind == RAPPORT_TEXT_INSERT) {
        struct slice text = slice_of(run->text, run->text_len);
        if (text.len / 4 > RAPPORT_TEXT_MOST_RUN)
            return RAPPORT_LIMIT;
        if (!utf8_valid(text) || utf8_count(text) != run->n_events)
            return RAPPORT_MALFORMED;
        kind = OP_INSERT;
    }
    *piece = (struct op_piece){kind, (uint32_t)run->n_events, (uint32_t)run->pos, 0};
    return 0;
}

/* Is there room by the limits for n more events and len more bytes? */
static int check_room(const struct history *h, uint32_t n, size_t len)
{
    if (n > RAPPORT_TEXT_MOST_EVENTS - history_n_events(h))
        return RAPPORT_LIMIT;
    return len > RAPPORT_TEXT_MOST_BYTES - h->ops.text_len ? RAPPORT_LIMIT : 0;
}

static struct slice inserted_text(const struct rapport_text_run *run)
{
    return run->kind == RAPPORT_TEXT_INSERT ? slice_of(run->text, run->text_len)
                                            : (struct slice){0};
}

/* The next new events of a run, from offset *at on: returns how many, 0 at the end. */
static uint32_t next_new(const struct ids *ids, uint32_t agent, uint64_t seq, uint32_t n,
                         uint32_t *at)
{
    while (*at < n) {
        uint64_t some, left = n - *at;
        uint32_t lv = ids_lv(ids, agent, seq + *at, &some);
        some = some < left ? some : left;
        if (lv == LV_NONE)
            return (uint32_t)some;
        *at += (uint32_t)some;
    }
    return 0;
}

static size_t count_new(const struct ids *ids, uint32_t agent, uint64_t seq, uint32_t n)
{
    size_t count = 0;
    for (uint32_t at = 0, some; (some = next_new(ids, agent, seq, n, &at)); at += some)
        count++;
    return count;
}

/* The parents as a minimal set of LVs. */
static int find_parents(struct history *h, struct heap *heap, const struct rapport_text_run *run,
                        uint32_t *lvs, size_t *n)
{
    struct slice agent = slice_of(run->id.agent, run->id.agent_len);
    for (size_t i = 0; i < run->n_parents; i++) {
        const struct rapport_text_id *p = &run->parents[i];
        if (slice_equal(slice_of(p->agent, p->agent_len), agent) && p->seq >= run->id.seq &&
            p->seq - run->id.seq < run->n_events)
            return RAPPORT_INVALID;
        lvs[i] = ids_find(&h->ids, p);
        if (lvs[i] == LV_NONE)
            return RAPPORT_PARENT;
    }
    *n = run->n_parents;
    return graph_reduce(&h->graph, heap, lvs, n);
}

/* The piece of events [at, at + n) of a run's piece. */
static struct op_piece part_of(struct op_piece piece, uint32_t at, uint32_t n)
{
    switch (piece.kind) {
    case OP_INSERT:
        piece.pos += at;
        break;
    case OP_BACKSPACE:
        piece.pos -= at;
        break;
    case OP_DELETE:
        break;
    }
    piece.n = n;
    return piece;
}

/* Pushes each stretch of new events; room is there. */
static void push_new(struct history *h, const struct rapport_text_run *run,
                     const struct new_run *whole)
{
    struct slice text = whole->text;
    uint32_t passed = 0; /* code points that `text` has lost */
    uint32_t n_events = whole->piece.n;
    for (uint32_t at = 0, n; (n = next_new(&h->ids, whole->agent, run->id.seq, n_events, &at));
         at += n) {
        struct new_run part = *whole;
        uint32_t before = LV_NONE;
        part.seq += at;
        part.piece = part_of(whole->piece, at, n);
        if (at) {
            before = ids_lv(&h->ids, whole->agent, part.seq - 1, NULL);
            part.parents = &before;
            part.n_parents = 1;
        }
        text = slice_skip(text, utf8_offset(text, at - passed));
        part.text = slice_of(text.ptr, n == n_events ? text.len : utf8_offset(text, n));
        passed = at;
        history_push(h, &part);
    }
}

static int add_to_agent(struct history *h, struct heap *heap, const struct rapport_text_run *run,
                        struct new_run *whole)
{
    uint32_t parents[RAPPORT_TEXT_MOST_PARENTS];
    size_t n_new = count_new(&h->ids, whole->agent, whole->seq, whole->piece.n);
    if (!n_new)
        return 0;
    int error = check_room(h, whole->piece.n, whole->text.len);
    if (!error)
        error = find_parents(h, heap, run, parents, &whole->n_parents);
    if (!error)
        error = history_reserve(h, whole->agent, n_new, whole->n_parents, whole->text.len);
    if (error)
        return error;
    whole->parents = parents;
    push_new(h, run, whole);
    whole->parents = NULL;
    return 0;
}

int history_add(struct history *h, struct heap *heap, const struct rapport_text_run *run,
                struct op_piece piece)
{
    struct new_run whole = {.seq = run->id.seq, .piece = piece, .text = inserted_text(run)};
    size_t n_agents = h->ids.n_agents;
    int error = ids_add_agent(&h->ids, slice_of(run->id.agent, run->id.agent_len), &whole.agent);
    if (error)
        return error;
    error = add_to_agent(h, heap, run, &whole);
    if (error && h->ids.n_agents > n_agents)
        ids_drop_agent(&h->ids);
    return error;
}

static int type_as_agent(struct history *h, struct new_run *run, uint32_t length)
{
    uint32_t parents[RAPPORT_TEXT_MOST_PARENTS], start = history_n_events(h), at = 0;
    const struct heads *heads = &h->graph.frontier;
    if (next_new(&h->ids, run->agent, run->seq, run->piece.n, &at) != run->piece.n)
        return RAPPORT_EXISTS;
    if (heads->n > RAPPORT_TEXT_MOST_PARENTS)
        return RAPPORT_LIMIT;
    int error = check_room(h, run->piece.n, run->text.len);
    if (!error)
        error = history_reserve(h, run->agent, 1, heads->n, run->text.len);
    if (!error)
        error = VEC_RESERVE(h->milestones.items, h->milestones.cap, h->milestones.n + 1);
    if (error)
        return error;
    for (size_t i = 0; i < heads->n; i++) /* pushing changes the heads */
        parents[i] = heads->lvs[i];
    run->parents = parents;
    run->n_parents = heads->n;
    history_push(h, run);
    run->parents = NULL;
    error = milestones_push(&h->milestones, (struct milestone){start, length});
    assert(!error);
    return 0;
}

int history_type(struct history *h, const struct rapport_text_run *run, struct op_piece piece,
                 uint32_t length)
{
    struct new_run typed = {.seq = run->id.seq, .piece = piece, .text = inserted_text(run)};
    size_t n_agents = h->ids.n_agents;
    int error = ids_add_agent(&h->ids, slice_of(run->id.agent, run->id.agent_len), &typed.agent);
    if (error)
        return error;
    error = type_as_agent(h, &typed, length);
    if (error && h->ids.n_agents > n_agents)
        ids_drop_agent(&h->ids);
    return error;
}

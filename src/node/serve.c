/*
 * serve.c - what the books (sync/gossip.h) say is to be sent on each link: rows, needs, and runs of
 * deltas, from the newest ones in memory or else by a load. One load a link at a time, nothing
 * while the driver's queue is full.
 */
#include "node/parts.h"

#include <stdlib.h>

/* A DELTAS message under construction; memory of its own. */
struct run {
    struct message_deltas message;
    struct arena memory;
    uint64_t end;
    bool full;
    struct delta delta; /* the last one decoded */
};

void serve_forget(struct link *l)
{
    if (l->loaded)
        arena_clear(&l->loaded->memory);
    free(l->loaded);
    l->loaded = NULL;
    l->load = 0;
}

/* Adds one delta in its wire form. */
static int run_add(const struct rapport_node *n, struct run *run, struct slice bytes)
{
    struct message_deltas *m = &run->message;
    int error = delta_decode(bytes, n->report_id, &run->delta);
    if (error || run->full)
        return error;
    struct buf elided = BUF_INIT;
    delta_elide(&run->delta, &elided);
    if (m->n && !message_deltas_fit(m, elided.len)) {
        run->full = true;
        buf_clear(&elided);
        return 0;
    }
    const char *copy = buf_error(&elided) ? NULL : arena_copy(&run->memory, elided.ptr, elided.len);
    const char *prev =
        copy && !m->n ? arena_copy(&run->memory, run->delta.prev.ptr, run->delta.prev.len) : copy;
    if (copy && prev) {
        if (!m->n) {
            memcpy(m->log, run->delta.log, sizeof m->log);
            m->prev = slice_of(prev, run->delta.prev.len);
        }
        m->deltas[m->n++] = slice_of(copy, elided.len);
        run->end = run->delta.end;
        run->full = m->n == DELTAS_MOST;
    }
    buf_clear(&elided);
    return copy && prev ? 0 : RAPPORT_NOMEM;
}

static void run_send(struct rapport_node *n, struct link *l, struct run *run)
{
    struct buf out = BUF_INIT;
    if (run->message.n) {
        message_put_deltas(&out, &run->message);
        link_message(n, l, &out);
    }
    gossip_sent(n->gossip, l->conn, l->run.log, run->message.n ? run->end : l->run.from);
    buf_clear(&out);
}

/* What we made ourselves goes out when it is in the database, or a crash would use its numbers
   again for something else. */
static bool may_go_out(const struct rapport_node *n, const struct recent *r)
{
    bool own = n->has_own_log && memcmp(r->log, n->own_log, sizeof n->own_log) == 0;
    return !own || r->end <= n->own_written;
}

static void serve_recent(struct rapport_node *n, struct link *l, const struct recent *r)
{
    for (; r && may_go_out(n, r) && !l->loaded->full && !n->damaged; r = r->newer) {
        int error = run_add(n, l->loaded, buf_slice(&r->bytes));
        if (error)
            node_fail(n, error);
    }
    run_send(n, l, l->loaded);
    serve_forget(l);
}

static void serve_run(struct rapport_node *n, struct link *l)
{
    l->loaded = calloc(1, sizeof *l->loaded);
    if (!l->loaded) {
        node_fail(n, RAPPORT_NOMEM);
        return;
    }
    const struct recent *r = recent_find(n, l->run.log, l->run.from);
    if (r) {
        serve_recent(n, l, r);
        return;
    }
    struct load request = {.kind = LOAD_DELTAS, .from = l->run.from, .max_bytes = NODE_LOAD_BYTES};
    memcpy(request.log, l->run.log, sizeof request.log);
    l->load = load_push(n, &request);
}

void serve_row(struct rapport_node *n, struct link *l, const struct load_row *row)
{
    int error = run_add(n, l->loaded, row->value);
    if (error)
        node_fail(n, error == RAPPORT_NOMEM ? error : RAPPORT_CORRUPT);
}

void serve_end(struct rapport_node *n, struct link *l)
{
    run_send(n, l, l->loaded);
    serve_forget(l);
}

static void serve_rows(struct rapport_node *n, struct link *l)
{
    struct message_have *have = malloc(sizeof *have);
    struct buf out = BUF_INIT;
    if (!have) {
        node_fail(n, RAPPORT_NOMEM);
        return;
    }
    while (gossip_next_rows(n->gossip, l->conn, n->now, have)) {
        buf_reset(&out);
        message_put_have(&out, have);
        link_message(n, l, &out);
    }
    struct message_need need = {0};
    for (struct gossip_run run; !n->failure && gossip_next_need(n->gossip, l->conn, &run);) {
        memcpy(need.log, run.log, sizeof need.log);
        need.from = run.from;
        buf_reset(&out);
        message_put_need(&out, &need);
        link_message(n, l, &out);
    }
    buf_clear(&out);
    free(have);
}

static bool may_send(const struct link *l)
{
    return l->ready && !l->blocked && !l->load &&
           l->n_sent + session_queued(l->session) < RAPPORT_HIGH_WATER;
}

bool links_may_serve(const struct rapport_node *n)
{
    return !n->damaged && n->index == INDEX_DONE;
}

void links_serve(struct rapport_node *n)
{
    for (struct link *l = n->links; l && links_may_serve(n); l = l->next) {
        if (!l->ready)
            continue;
        serve_rows(n, l);
        while (may_send(l) && !n->damaged && gossip_next_run(n->gossip, l->conn, &l->run))
            serve_run(n, l);
        if (l->digest_due && n->now >= n->changed_at + NODE_DIGEST_MS)
            link_tell_digest(n, l);
    }
}

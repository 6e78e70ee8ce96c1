/*
 * links.c - connections: a session for each, its bytes in and out, its end. What sessions say is in
 * receive.c.
 */
#include "node/parts.h"

#include <sodium/utils.h>
#include <stdlib.h>

struct link *link_find(const struct rapport_node *n, uint32_t conn)
{
    for (struct link *l = n->links; l; l = l->next)
        if (l->conn == conn)
            return l;
    return NULL;
}

static void push_close(struct rapport_node *n, uint32_t conn)
{
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_CLOSE);
    if (e)
        e->effect.conn = conn;
}

/* The psks that a listener accepts: epochs, newest first, then the newest invites. Used-up invites
   too, since a joiner whose WELCOME was lost comes again with the same ticket. */
static size_t listener_psks(struct rapport_node *n, struct link *l, uint8_t (*psks)[32])
{
    size_t count = 0, at = 0, total = 0, seen = 0;
    l->invites = calloc(SESSION_MOST_PSKS, sizeof *l->invites);
    if (!l->invites)
        return 0;
    for (size_t i = n->n_epochs; i-- > 0 && count < SESSION_MOST_PSKS / 2;)
        memcpy(psks[count++], n->epochs[i].psk, 32);
    l->n_epoch_psks = count;
    while (report_next_invite(n->report, &at))
        total++;
    at = 0;
    for (const struct invite *v; (v = report_next_invite(n->report, &at)); seen++) {
        if (v->revoked || total - seen > SESSION_MOST_PSKS - l->n_epoch_psks)
            continue;
        memcpy(l->invites[count - l->n_epoch_psks], v->public_key, 32);
        invite_psk(psks[count++], v->public_key);
    }
    return count;
}

/* The dialler tries the newest epoch, then older ones, one connection each. */
static size_t dialler_psk(struct rapport_node *n, struct link *l, uint8_t (*psks)[32])
{
    if (n->phase == PHASE_JOINING) {
        uint8_t public[SIGN_PUBLIC_BYTES], secret[SIGN_SECRET_BYTES];
        invite_keys(n->ticket.invite_seed, public, secret);
        invite_psk(psks[0], public);
        sodium_memzero(secret, sizeof secret);
        l->role = LINK_JOINER;
        return 1;
    }
    size_t epochs = n->n_epochs < NODE_MOST_TRIED_EPOCHS ? n->n_epochs : NODE_MOST_TRIED_EPOCHS;
    size_t back = l->candidate && epochs ? l->candidate->epoch_try % epochs : 0;
    if (!n->n_epochs)
        return 0;
    memcpy(psks[0], n->epochs[n->n_epochs - 1 - back].psk, 32);
    return 1;
}

static int start_session(struct rapport_node *n, struct link *l)
{
    uint8_t psks[SESSION_MOST_PSKS][32];
    struct session_config config = {.dialler = l->dialler,
                                    .keys = &n->keys,
                                    .psks = (const uint8_t(*)[32])psks,
                                    .seen = &n->seen,
                                    .now_ms = n->now};
    config.n_psks = l->dialler ? dialler_psk(n, l, psks) : listener_psks(n, l, psks);
    rng_bytes(&n->rng, config.ephemeral, sizeof config.ephemeral);
    int error = config.n_psks ? session_create(&config, &l->session) : RAPPORT_STATE;
    sodium_memzero(psks, sizeof psks);
    sodium_memzero(config.ephemeral, sizeof config.ephemeral);
    return error;
}

void link_open(struct rapport_node *n, const struct rapport_event *e)
{
    size_t n_links = 0;
    for (struct link *l = n->links; l; l = l->next)
        n_links++;
    struct candidate *c = e->dial ? candidate_of_dial(n, e->dial) : NULL;
    /* Before the roster is loaded nobody can be told from anybody. */
    bool may = n->online && !n->damaged && n_links < RAPPORT_MOST_LINKS &&
               (e->dial ? c != NULL : n->phase == PHASE_READY);
    struct link *l = may ? calloc(1, sizeof *l) : NULL;
    if (!l) {
        push_close(n, e->conn);
        if (c)
            candidate_failed(n, c, RAPPORT_LIMIT, false);
        return;
    }
    *l = (struct link){.conn = e->conn,
                       .dialler = e->dial != 0,
                       .candidate = c,
                       .address = e->address,
                       .since_wall_ms = n->wall_ms};
    if (c) {
        c->dial = 0;
        c->conn = e->conn;
        l->address = c->address;
    }
    l->next = n->links;
    n->links = l;
    start_index(n);
    if (start_session(n, l))
        link_end(n, l, BYE_DONE, RAPPORT_STATE);
}

static void link_free(struct rapport_node *n, struct link *l)
{
    for (struct link **at = &n->links; *at; at = &(*at)->next)
        if (*at == l) {
            *at = l->next;
            break;
        }
    gossip_link_down(n->gossip, l->conn, n->now);
    session_destroy(l->session);
    serve_forget(l);
    free(l->invites);
    free(l);
}

/* Another connection that this candidate led to, which has yet to prove itself; 0 none. */
static uint32_t other_conn(const struct rapport_node *n, const struct link *l)
{
    for (const struct link *other = n->links; other; other = other->next)
        if (other != l && other->candidate == l->candidate)
            return other->conn;
    return 0;
}

static void link_release(struct rapport_node *n, struct link *l, int error)
{
    struct candidate *c = l->candidate;
    bool lasted = l->greeted && l->ready_at + NODE_UP_MS <= n->now;
    if (c && c->conn == l->conn) {
        if (!l->ready)
            c->epoch_try++;
        c->conn = other_conn(n, l);
        if (l->ready)
            candidate_ended(n, c, error, lasted);
        else
            candidate_failed(n, c, error, true);
    }
    n->dials_dirty = true;
    link_free(n, l);
}

void link_end(struct rapport_node *n, struct link *l, enum bye_code code, int error)
{
    if (l->session && l->ready) {
        session_bye(l->session, code, "");
        link_send(n, l);
    }
    push_close(n, l->conn);
    link_release(n, l, error);
}

void links_end_all(struct rapport_node *n)
{
    while (n->links)
        link_end(n, n->links, BYE_DONE, RAPPORT_CLOSED);
}

void link_closed(struct rapport_node *n, const struct rapport_event *e)
{
    struct link *l = link_find(n, e->conn);
    if (l)
        link_release(n, l, e->error ? e->error : RAPPORT_CLOSED);
}

/* Hands up what the session has to say, until it is quiet or the link is gone. */
static void link_pump(struct rapport_node *n, struct link *l)
{
    struct session_event event;
    while (session_next(l->session, &event))
        if (!link_event(n, l, &event))
            return;
    if (l->refused)
        link_end(n, l, BYE_MALFORMED, l->refused);
}

void link_receive(struct rapport_node *n, const struct rapport_event *e)
{
    struct link *l = link_find(n, e->conn);
    if (!l)
        return;
    l->last_heard_wall_ms = n->wall_ms;
    session_receive(l->session, slice_of(e->bytes, e->len),
                    n->now); /* its error comes as SESSION_CLOSED */
    link_pump(n, l);
}

/* A session that failed while it sent has yet to say so. */
static bool is_due(const struct rapport_node *n, const struct link *l)
{
    rapport_time_ms at = session_deadline(l->session);
    return at <= n->now || at == SESSION_NEVER || l->asks;
}

void links_tick(struct rapport_node *n)
{
    gossip_tick(n->gossip, n->now);
    for (struct link *l = n->links, *next; l; l = next) {
        next = l->next;
        if (l->join_by && l->join_by <= n->now) {
            link_end(n, l, BYE_TIMEOUT, RAPPORT_TIMEOUT);
        } else if (is_due(n, l)) {
            l->asks = false;
            session_tick(l->session, n->now);
            link_pump(n, l);
        }
    }
}

void links_moved(struct rapport_node *n)
{
    for (struct link *l = n->links; l; l = l->next) {
        session_probe(l->session, n->now, NODE_PROVE_MS);
        l->asks = true;
    }
    dials_restart(n);
}

bool link_is_proven(const struct link *l)
{
    struct session_stats stats;
    session_stats(l->session, &stats);
    return l->ready && !stats.proving;
}

static rapport_time_ms earlier(rapport_time_ms a, rapport_time_ms b)
{
    return a < b ? a : b;
}

rapport_time_ms links_deadline(const struct rapport_node *n)
{
    bool serves = links_may_serve(n);
    rapport_time_ms at = serves ? gossip_deadline(n->gossip) : UINT64_MAX;
    for (const struct link *l = n->links; l; l = l->next) {
        at = earlier(at, session_deadline(l->session));
        if (l->join_by)
            at = earlier(at, l->join_by);
        if (l->digest_due && l->ready && serves)
            at = earlier(at, n->changed_at + NODE_DIGEST_MS);
    }
    return at;
}

void link_message(struct rapport_node *n, struct link *l, const struct buf *message)
{
    int error = buf_error(message);
    if (!error && session_send(l->session, buf_slice(message)) == RAPPORT_NOMEM)
        error = RAPPORT_NOMEM;
    if (error)
        node_fail(n, error);
}

void link_send(struct rapport_node *n, struct link *l)
{
    struct slice out = session_output(l->session);
    if (!out.len)
        return;
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_SEND);
    if (!e)
        return;
    e->effect.conn = l->conn;
    buf_append_slice(&e->bytes, out);
    if (buf_error(&e->bytes))
        node_fail(n, RAPPORT_NOMEM);
    session_output_taken(l->session, out.len);
    l->n_sent += out.len;
    l->blocked = l->n_sent >= RAPPORT_HIGH_WATER;
}

void links_send(struct rapport_node *n)
{
    for (struct link *l = n->links; l; l = l->next)
        link_send(n, l);
}

void links_stored(struct rapport_node *n, uint64_t store)
{
    for (struct link *l = n->links, *next; l; l = next) {
        next = l->next;
        if (l->welcome_after && l->welcome_after <= store) {
            l->welcome_after = 0;
            link_welcome(n, l);
        }
    }
}

/*
 * candidates.c - the one table of addresses where a friend may be. Addresses are hints; identity is
 * the key that answers. Whom to dial when is dial.c.
 *
 * An entry is known by its address; its source is the most trusted one that named it. A *stranger*
 * is an entry that nothing but an unproven hint (LAN, tailnet, an unsigned word) speaks for. The
 * table is full of strangers at worst: what a person typed and where friends were stays, a stranger
 * pushes out only strangers that failed.
 *
 * Every CANDIDATE of LAN or TAILNET is answered by one TRIED, unless its source loses it before.
 *
 * Remembered across starts are the addresses where a session was made:
 *
 *   record "local/peers": array of [family, address bin 16, port, device bin 16 or empty, order]
 *
 * with a greater order where the last session was later; rows without order (0) are read too.
 */
#include "node/parts.h"

#include <stdlib.h>

enum worth {
    WORTH_STRANGER,
    WORTH_HINT,   /* of a known device, never reached there */
    WORTH_FRIEND, /* a session was made there */
    WORTH_TYPED,  /* or in use now: never given up */
};

bool candidate_is_stranger(const struct candidate *c)
{
    return !c->has_device && !c->keep && c->source > RAPPORT_SOURCE_REMEMBERED;
}

static enum worth worth_of(const struct candidate *c)
{
    if (c->source <= RAPPORT_SOURCE_TICKET || c->dial || c->conn)
        return WORTH_TYPED;
    if (candidate_is_stranger(c))
        return WORTH_STRANGER;
    return c->good || c->keep ? WORTH_FRIEND : WORTH_HINT;
}

static enum worth worth_of_source(enum rapport_source source)
{
    switch (source) {
    case RAPPORT_SOURCE_STATIC:
    case RAPPORT_SOURCE_TICKET:
        return WORTH_TYPED;
    case RAPPORT_SOURCE_REMEMBERED:
        return WORTH_FRIEND;
    case RAPPORT_SOURCE_PEER:
        return WORTH_HINT;
    case RAPPORT_SOURCE_LAN:
    case RAPPORT_SOURCE_TAILNET:
    case RAPPORT_SOURCE_INBOUND:
        return WORTH_STRANGER;
    }
    return WORTH_STRANGER;
}

static void tell_tried(struct rapport_node *n, const struct rapport_address *address,
                       enum rapport_source source, int error)
{
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_TRIED);
    if (!e)
        return;
    e->effect.address = *address;
    e->effect.source = source;
    e->effect.error = error;
}

void candidate_tried(struct rapport_node *n, struct candidate *c, int error)
{
    struct rapport_address asked = c->address;
    asked.port = c->asked_port;
    if (c->owes_tried)
        tell_tried(n, &asked, c->asked_by, error);
    c->owes_tried = false;
}

/* Takes it out of the table; a connection that it led to stays. */
static void unlist(struct rapport_node *n, struct candidate *c)
{
    for (struct link *l = n->links; l; l = l->next)
        if (l->candidate == c)
            l->candidate = NULL;
    for (size_t i = 0; i < n->n_candidates; i++)
        if (n->candidates[i] == c)
            n->candidates[i] = n->candidates[--n->n_candidates];
    n->peers_dirty = n->peers_dirty || c->keep;
    n->dials_dirty = true;
}

void candidate_remove(struct rapport_node *n, struct candidate *c)
{
    candidate_cancel(n, c);
    unlist(n, c);
    free(c);
}

/* Equal worth is given up only where dialling has failed, most often first. */
static struct candidate *least_worth(const struct rapport_node *n, enum worth newcomer)
{
    struct candidate *least = NULL;
    for (size_t i = 0; i < n->n_candidates; i++) {
        struct candidate *c = n->candidates[i];
        enum worth worth = worth_of(c);
        if (worth == WORTH_TYPED || worth > newcomer || (worth == newcomer && !c->failures))
            continue;
        if (!least || worth < worth_of(least) ||
            (worth == worth_of(least) && c->failures > least->failures))
            least = c;
    }
    return least;
}

static struct candidate *candidate_make(struct rapport_node *n, enum worth newcomer)
{
    if (n->n_candidates == NODE_MOST_CANDIDATES) {
        struct candidate *least = least_worth(n, newcomer);
        if (!least)
            return NULL;
        candidate_tried(n, least, RAPPORT_LIMIT);
        candidate_remove(n, least);
    }
    struct candidate *c = calloc(1, sizeof *c);
    if (!c) {
        node_fail(n, RAPPORT_NOMEM);
        return NULL;
    }
    n->candidates[n->n_candidates++] = c;
    return c;
}

struct candidate *candidate_find(const struct rapport_node *n,
                                 const struct rapport_address *address)
{
    for (size_t i = 0; i < n->n_candidates; i++)
        if (hint_same(&n->candidates[i]->address, address))
            return n->candidates[i];
    return NULL;
}

struct candidate *candidate_add(struct rapport_node *n, const struct rapport_address *address,
                                enum rapport_source source)
{
    if ((address->family != 4 && address->family != 6) || !address->port)
        return NULL;
    struct candidate *c = candidate_find(n, address);
    if (c) {
        c->source = source < c->source ? source : c->source;
        return c;
    }
    c = candidate_make(n, worth_of_source(source));
    if (!c)
        return NULL;
    c->address = *address;
    c->asked_port = address->port;
    c->source = source;
    c->serial = ++n->last_candidate;
    candidate_fresh(n, c);
    return c;
}

void candidate_fresh(struct rapport_node *n, struct candidate *c)
{
    c->failures = 0;
    c->is_self = false;
    c->next_try = n->now;
    n->dials_dirty = true;
}

bool candidate_same_group(const struct candidate *a, const struct candidate *b)
{
    if (a->has_device && b->has_device)
        return memcmp(a->device, b->device, sizeof a->device) == 0;
    return a == b || (a->who && a->who == b->who && a->who_by == b->who_by);
}

/* So that neither a device nor who claims to be many of them fills the table. */
static void bound_group(struct rapport_node *n, const struct candidate *c)
{
    struct candidate *oldest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < n->n_candidates; i++) {
        struct candidate *other = n->candidates[i];
        if (!candidate_same_group(c, other))
            continue;
        count++;
        if (other == c || worth_of(other) == WORTH_TYPED)
            continue;
        if (!oldest || other->good < oldest->good ||
            (other->good == oldest->good && other->serial < oldest->serial))
            oldest = other;
    }
    if (count <= NODE_MOST_ADDRESSES || !oldest)
        return;
    candidate_tried(n, oldest, RAPPORT_LIMIT);
    candidate_remove(n, oldest);
}

void candidate_name(struct rapport_node *n, struct candidate *c, const uint8_t device[ID_BYTES])
{
    if (c->has_device && memcmp(c->device, device, sizeof c->device) == 0)
        return;
    memcpy(c->device, device, sizeof c->device);
    c->has_device = true;
    bound_group(n, c);
}

static bool is_sought(enum rapport_source source)
{
    return source == RAPPORT_SOURCE_LAN || source == RAPPORT_SOURCE_TAILNET;
}

int candidate_event(struct rapport_node *n, const struct rapport_event *e)
{
    struct candidate *c = candidate_add(n, &e->address, e->source);
    if (!c) {
        int error = n->failure == RAPPORT_NOMEM ? RAPPORT_NOMEM : RAPPORT_LIMIT;
        if (is_sought(e->source))
            tell_tried(n, &e->address, e->source, error);
        return error;
    }
    candidate_fresh(n, c);
    c->on_lan = c->on_lan || e->source == RAPPORT_SOURCE_LAN;
    if (is_sought(e->source)) {
        c->owes_tried = true;
        c->asked_by = e->source;
        c->asked_port = c->address.port;
    }
    if (e->who) {
        c->who = e->who;
        c->who_by = e->source;
        bound_group(n, c);
    }
    if (candidate_is_linked(n, c))
        candidate_tried(n, c, 0);
    return 0;
}

void candidate_lost(struct rapport_node *n, const struct rapport_event *e)
{
    struct candidate *c = candidate_find(n, &e->address);
    if (!c)
        return;
    if (c->asked_by == e->source)
        c->owes_tried = false;
    if (e->source == RAPPORT_SOURCE_LAN)
        c->on_lan = false;
    if (c->source == e->source && candidate_is_stranger(c) && !c->conn)
        candidate_remove(n, c);
}

void candidate_succeeded(struct rapport_node *n, struct candidate *c)
{
    c->keep = true;
    c->good = ++n->last_good;
    c->n_tries = 0;
    n->peers_dirty = n->cache_dirty = true;
}

void candidates_drop_removed(struct rapport_node *n)
{
    size_t at = 0;
    for (const struct member *m; (m = report_next_member(n->report, &at));)
        for (size_t i = n->n_candidates; m->removed && i-- > 0;) {
            struct candidate *c = n->candidates[i];
            if (!c->has_device || memcmp(c->device, m->device, sizeof c->device) != 0)
                continue;
            c->has_device = c->keep = false;
            if (c->source > RAPPORT_SOURCE_TICKET && !c->conn)
                candidate_remove(n, c);
            n->cache_dirty = true;
        }
}

/* ---- across starts ---- */

/* A link-local address means nothing without its link. */
static bool is_kept(const struct candidate *c)
{
    return c->keep && !hint_is_link_local(&c->address);
}

static void candidates_encode(const struct rapport_node *n, struct buf *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->n_candidates; i++)
        kept += is_kept(n->candidates[i]);
    mp_put_array(out, kept);
    for (size_t i = 0; i < n->n_candidates; i++) {
        const struct candidate *c = n->candidates[i];
        if (!is_kept(c))
            continue;
        mp_put_array(out, 5);
        mp_put_u64(out, c->address.family);
        mp_put_bin(out, c->address.bytes, sizeof c->address.bytes);
        mp_put_u64(out, c->address.port);
        mp_put_bin(out, c->device, c->has_device ? sizeof c->device : 0);
        mp_put_u64(out, c->good);
    }
}

void peers_save(struct rapport_node *n)
{
    struct buf peers = BUF_INIT;
    if (!n->peers_dirty)
        return;
    candidates_encode(n, &peers);
    if (buf_error(&peers))
        node_fail(n, RAPPORT_NOMEM);
    else
        job_add_record(n, "local/peers", buf_slice(&peers));
    buf_clear(&peers);
    n->peers_dirty = false;
}

static void read_candidate(struct rapport_node *n, struct mp_array *row)
{
    struct rapport_address address = {0};
    address.family = (uint8_t)mp_u64(row, 6);
    mp_bin_copy(row, address.bytes, sizeof address.bytes);
    address.port = (uint16_t)mp_u64(row, UINT16_MAX);
    struct slice device = mp_bin(row, 0, ID_BYTES);
    uint64_t good = mp_more(row) ? mp_u64(row, UINT64_MAX / 2) : 0;
    if (mp_end(row))
        return;
    struct candidate *c = candidate_add(n, &address, RAPPORT_SOURCE_REMEMBERED);
    if (!c)
        return;
    c->keep = true;
    c->good = good;
    n->last_good = good > n->last_good ? good : n->last_good;
    if (device.len == ID_BYTES)
        candidate_name(n, c, device.ptr);
}

int candidates_decode(struct rapport_node *n, struct slice bytes)
{
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, NODE_MOST_CANDIDATES * 6 + 1);
    if (error)
        return error;
    struct mp_array rows = mp_root(&doc, &error);
    while (mp_more(&rows)) {
        struct mp_array row = mp_sub(&rows, 4, 5);
        read_candidate(n, &row);
    }
    error = mp_end(&rows);
    mp_close(&doc);
    return error;
}

void candidates_clear(struct rapport_node *n)
{
    for (size_t i = 0; i < n->n_candidates; i++)
        free(n->candidates[i]);
    n->n_candidates = 0;
}

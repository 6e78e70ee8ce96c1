/*
 * dial.c - whom to dial and when: the table of candidates. Addresses are hints; identity is the key
 * that answers.
 *
 * Backoff: 1 s, doubled up to 30 s, with up to a quarter of jitter; a candidate whose device is
 * connected, or which turned out to be ourselves, is not dialled. Remembered across starts:
 * addresses where a session was made.
 *
 *   record "local/peers": array of [family, address bin, port, device bin 16 or empty]
 */
#include "node/parts.h"

#include <stdlib.h>

static bool same_address(const struct rapport_address *a, const struct rapport_address *b)
{
    size_t len = a->family == 4 ? 4 : 16;
    return a->family == b->family && a->port == b->port && a->scope == b->scope &&
           memcmp(a->bytes, b->bytes, len) == 0;
}

/* The one to give up for a new address: never dialled with success, not typed by the person. */
static struct candidate *candidate_room(struct rapport_node *n)
{
    if (n->n_candidates < NODE_MOST_CANDIDATES) {
        struct candidate *c = calloc(1, sizeof *c);
        if (c)
            n->candidates[n->n_candidates++] = c;
        return c;
    }
    for (size_t i = 0; i < n->n_candidates; i++) {
        struct candidate *c = n->candidates[i];
        if (!c->dial && !c->conn && c->failures > 3 && c->source != RAPPORT_SOURCE_STATIC) {
            *c = (struct candidate){0};
            return c;
        }
    }
    return NULL;
}

struct candidate *candidate_add(struct rapport_node *n, const struct rapport_address *address,
                                enum rapport_source source)
{
    if ((address->family != 4 && address->family != 6) || !address->port)
        return NULL;
    for (size_t i = 0; i < n->n_candidates; i++)
        if (same_address(&n->candidates[i]->address, address)) {
            if (source < n->candidates[i]->source)
                n->candidates[i]->source = source;
            return n->candidates[i];
        }
    struct candidate *c = candidate_room(n);
    if (!c)
        return NULL;
    c->address = *address;
    c->source = source;
    c->next_try = n->now;
    return c;
}

struct candidate *candidate_of_dial(const struct rapport_node *n, uint32_t dial)
{
    for (size_t i = 0; dial && i < n->n_candidates; i++)
        if (n->candidates[i]->dial == dial)
            return n->candidates[i];
    return NULL;
}

void candidate_failed(struct rapport_node *n, struct candidate *c, int error)
{
    c->dial = 0;
    c->last_error = error;
    uint64_t wait = NODE_DIAL_FIRST_MS;
    for (unsigned i = 0; i < c->failures && wait < NODE_DIAL_MOST_MS; i++)
        wait *= 2;
    if (wait > NODE_DIAL_MOST_MS)
        wait = NODE_DIAL_MOST_MS;
    c->failures++;
    c->next_try = n->now + wait + rng_below(&n->rng, wait / 4 + 1);
}

static bool device_is_linked(const struct rapport_node *n, const struct candidate *c)
{
    for (const struct link *l = n->links; c->has_device && l; l = l->next)
        if (l->has_device && memcmp(l->device, c->device, sizeof l->device) == 0 &&
            (link_is_proven(l) || !l->ready))
            return true;
    return false;
}

static bool may_dial(const struct rapport_node *n, const struct candidate *c)
{
    return !c->dial && !c->conn && !c->is_self && !device_is_linked(n, c);
}

static void dial(struct rapport_node *n, struct candidate *c)
{
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_DIAL);
    if (!e)
        return;
    c->dial = e->effect.dial = ++n->last_dial;
    e->effect.address = c->address;
}

static void dial_cancel(struct rapport_node *n, struct candidate *c)
{
    struct node_effect *e = c->dial ? effect_push(n, RAPPORT_EFFECT_CANCEL) : NULL;
    if (e)
        e->effect.dial = c->dial;
    c->dial = 0;
}

void dials_cancel_to(struct rapport_node *n, const uint8_t device[ID_BYTES])
{
    for (size_t i = 0; i < n->n_candidates; i++) {
        struct candidate *c = n->candidates[i];
        if (c->has_device && memcmp(c->device, device, sizeof c->device) == 0)
            dial_cancel(n, c);
    }
}

void candidate_lost(struct rapport_node *n, const struct rapport_event *event)
{
    for (size_t i = 0; i < n->n_candidates; i++) {
        struct candidate *c = n->candidates[i];
        if (c->source != event->source || c->has_device || c->conn ||
            !same_address(&c->address, &event->address))
            continue;
        dial_cancel(n, c);
        free(c);
        n->candidates[i] = n->candidates[--n->n_candidates];
        return;
    }
}

void dials_forget(struct rapport_node *n)
{
    for (size_t i = 0; i < n->n_candidates; i++)
        n->candidates[i]->dial = 0;
}

/* How many more connections may be begun now. */
static size_t dial_room(const struct rapport_node *n)
{
    size_t busy = 0;
    if (n->phase != PHASE_READY && n->phase != PHASE_JOINING)
        return 0;
    for (const struct link *l = n->links; l; l = l->next)
        busy++;
    for (size_t i = 0; i < n->n_candidates; i++)
        busy += n->candidates[i]->dial != 0;
    return busy < RAPPORT_MOST_LINKS ? RAPPORT_MOST_LINKS - busy : 0;
}

void dial_due(struct rapport_node *n)
{
    size_t room = dial_room(n);
    for (size_t i = 0; i < n->n_candidates && room; i++)
        if (n->candidates[i]->next_try <= n->now && may_dial(n, n->candidates[i])) {
            dial(n, n->candidates[i]);
            room--;
        }
}

rapport_time_ms dial_deadline(const struct rapport_node *n)
{
    rapport_time_ms at = UINT64_MAX;
    if (!dial_room(n))
        return at; /* whatever makes room is a step */
    for (size_t i = 0; i < n->n_candidates; i++)
        if (n->candidates[i]->next_try < at && may_dial(n, n->candidates[i]))
            at = n->candidates[i]->next_try;
    return at;
}

static void candidates_encode(const struct rapport_node *n, struct buf *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->n_candidates; i++)
        kept += n->candidates[i]->keep;
    mp_put_array(out, kept);
    for (size_t i = 0; i < n->n_candidates; i++) {
        const struct candidate *c = n->candidates[i];
        if (!c->keep)
            continue;
        mp_put_array(out, 4);
        mp_put_u64(out, c->address.family);
        mp_put_bin(out, c->address.bytes, sizeof c->address.bytes);
        mp_put_u64(out, c->address.port);
        mp_put_bin(out, c->device, c->has_device ? sizeof c->device : 0);
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
    if (mp_end(row))
        return;
    struct candidate *c = candidate_add(n, &address, RAPPORT_SOURCE_REMEMBERED);
    if (!c)
        return;
    c->keep = true;
    c->has_device = device.len == ID_BYTES;
    if (c->has_device)
        memcpy(c->device, device.ptr, ID_BYTES);
}

int candidates_decode(struct rapport_node *n, struct slice bytes)
{
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, NODE_MOST_CANDIDATES * 5 + 1);
    if (error)
        return error;
    struct mp_array rows = mp_root(&doc, &error);
    while (mp_more(&rows)) {
        struct mp_array row = mp_sub(&rows, 4, 4);
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

/*
 * wire.c - connections between peers: in order, with delay and bandwidth, until somebody cuts them.
 * Bytes in flight when a connection is cut arrive up to a random byte or not at all, as with TCP.
 */
#include <stdlib.h>

#include "sim/world.h"

enum {
    PORT_FIRST = 1000,
    DIAL_TIMEOUT_MS = 3000,
    SEGMENT = 16 * 1024
};

struct rapport_address peer_address(const struct world *w, uint32_t peer)
{
    uint16_t moves = w->peers[peer].n_moves;
    return (struct rapport_address){
        .family = 6,
        .bytes = {0xfd, [13] = (uint8_t)(moves >> 8), [14] = (uint8_t)moves, [15] = 1},
        .port = (uint16_t)(PORT_FIRST + peer)};
}

struct rapport_address no_address(struct world *w)
{
    struct rapport_address a = peer_address(w, 0);
    a.bytes[12] = 1;
    a.bytes[14] = (uint8_t)draw(w, 256);
    return a;
}

/* Who listens there now; as many as there are peers: nobody. */
static uint32_t who_listens(const struct world *w, const struct rapport_address *a)
{
    uint32_t to = (uint32_t)(a->port - PORT_FIRST);
    if (to >= w->config.peers)
        return w->config.peers;
    struct rapport_address now = peer_address(w, to);
    return memcmp(now.bytes, a->bytes, sizeof now.bytes) == 0 ? to : w->config.peers;
}

bool reachable(const struct world *w, uint32_t a, uint32_t b)
{
    return !w->partitioned || w->side[a] == w->side[b];
}

static struct wire *wire_add(struct world *w, uint32_t from, uint32_t to)
{
    if (w->n_wires == w->cap_wires) {
        size_t cap = w->cap_wires ? 2 * w->cap_wires : 256;
        struct wire *wires = need(w, realloc(w->wires, cap * sizeof *wires));
        if (!wires)
            return NULL;
        w->wires = wires;
        w->cap_wires = cap;
    }
    struct wire *wire = &w->wires[w->n_wires++];
    bool slow = has_fault(w, SIM_DELAY);
    *wire = (struct wire){
        .peer = {from, to},
        .life = {w->peers[from].life, w->peers[to].life},
        .open = {true, true},
        .delay_ms = slow ? (uint32_t)(1 + draw(w, 200)) : 1,
        .bytes_per_ms = slow ? (uint32_t)(50 + draw(w, 5000)) : 100000,
    };
    return wire;
}

void wire_dial(struct world *w, uint32_t from, const struct rapport_effect *e)
{
    uint32_t to = who_listens(w, &e->address);
    struct action a = {
        .kind = ACTION_DIAL_FAILED, .peer = from, .life = w->peers[from].life, .dial = e->dial};
    a.address = e->address;
    if (to >= w->config.peers || !w->peers[to].up || w->peers[to].asleep ||
        !reachable(w, from, to)) {
        schedule(w, to < w->config.peers && reachable(w, from, to) ? 5 : DIAL_TIMEOUT_MS, a);
        return;
    }
    struct wire *wire = wire_add(w, from, to);
    if (!wire)
        return;
    a.kind = ACTION_CONNECTED;
    a.wire = (uint32_t)(wire - w->wires);
    uint64_t delay = wire->delay_ms;
    wire->free_at[0] = wire->free_at[1] = w->now + 2 * delay;
    schedule(w, 2 * delay, a);
    struct action in = {.kind = ACTION_CONNECTED,
                        .peer = to,
                        .life = w->peers[to].life,
                        .wire = a.wire,
                        .number = 1};
    in.address = peer_address(w, from);
    in.address.port = (uint16_t)(30000 + from);
    schedule(w, delay, in);
}

void wire_send(struct world *w, uint32_t from, const struct rapport_effect *e)
{
    uint32_t index = (e->conn - 1) / 2, side = (e->conn - 1) & 1;
    (void)from;
    for (size_t at = 0; at < e->len; at += SEGMENT) {
        struct wire *wire = &w->wires[index];
        if (!wire->open[side])
            return;
        size_t len = e->len - at < SEGMENT ? e->len - at : SEGMENT;
        uint8_t *bytes = need(w, malloc(len));
        if (!bytes)
            return;
        memcpy(bytes, e->bytes + at, len);
        uint64_t ready = wire->free_at[side] > w->now ? wire->free_at[side] : w->now;
        if (ready < wire->stalled)
            ready = wire->stalled;
        ready += len / wire->bytes_per_ms;
        uint64_t arrives =
            ready + (wire->free_at[side] > w->now + wire->delay_ms ? 0 : wire->delay_ms);
        wire->free_at[side] = arrives;
        wire->queued[side] += len;
        struct action a = {
            .kind = ACTION_DELIVER, .wire = index, .number = side, .bytes = bytes, .len = len};
        a.peer = wire->peer[1 - side];
        a.life = wire->life[1 - side];
        schedule(w, arrives - w->now, a);
    }
}

void wire_cancel(struct world *w, uint32_t from, uint32_t dial)
{
    for (size_t i = 0; i < w->n_heap; i++) {
        struct action *a = &w->heap[i];
        if (a->peer != from || a->life != w->peers[from].life || a->dial != dial ||
            (a->kind != ACTION_CONNECTED && a->kind != ACTION_DIAL_FAILED))
            continue;
        a->life = UINT32_MAX;
        if (a->kind == ACTION_CONNECTED)
            wire_close(w, from, 2 * a->wire + 1);
        return;
    }
}

struct hash_text {
    char text[33];
};

static struct hash_text bytes_hash(const uint8_t *bytes, size_t len)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    struct hash_text out;
    crypto_generichash(hash, sizeof hash, bytes, len, NULL, 0);
    sodium_bin2hex(out.text, sizeof out.text, hash, sizeof hash);
    return out;
}

static void drained(struct world *w, uint32_t index, uint32_t side, size_t len)
{
    struct wire *wire = &w->wires[index];
    bool was_full = wire->queued[side] >= RAPPORT_LOW_WATER;
    wire->queued[side] -= len;
    struct peer *p = &w->peers[wire->peer[side]];
    if (!wire->open[side] || p->life != wire->life[side] || !p->up)
        return;
    if (wire->queued[side] == 0 || (was_full && wire->queued[side] < RAPPORT_LOW_WATER)) {
        struct rapport_event e = {.kind = RAPPORT_EVENT_DRAINED, .conn = 2 * index + side + 1};
        peer_step(w, wire->peer[side], &e);
    }
}

void wire_deliver(struct world *w, struct action *a)
{
    struct wire *wire = &w->wires[a->wire];
    uint32_t from = (uint32_t)a->number, to = 1 - from;
    struct peer *p = &w->peers[a->peer];
    if (wire->open[to] && p->up && p->life == a->life) {
        if (wire->next_corrupt == from + 1) {
            a->bytes[draw(w, a->len)] ^= (uint8_t)(1u << draw(w, 8));
            wire->next_corrupt = 0;
        }
        trace(w, "%u <- %u %zu %s", a->peer, wire->peer[from], a->len,
              bytes_hash(a->bytes, a->len).text);
        struct rapport_event e = {.kind = RAPPORT_EVENT_RECEIVED,
                                  .conn = 2 * a->wire + to + 1,
                                  .bytes = a->bytes,
                                  .len = a->len};
        peer_step(w, a->peer, &e);
        check_seen(w, a->peer);
    }
    drained(w, a->wire, from, a->len);
}

void wire_cut(struct world *w, uint32_t index, unsigned told)
{
    for (uint32_t side = 0; side < 2; side++) {
        struct wire *wire = &w->wires[index];
        if (!wire->open[side])
            continue;
        if (!(told >> side & 1))
            wire->open[side] = false; /* it goes on sending into nothing */
        else
            schedule(w, 1,
                     (struct action){.kind = ACTION_CLOSED,
                                     .peer = wire->peer[side],
                                     .life = wire->life[side],
                                     .wire = index,
                                     .number = side});
    }
}

bool wire_ends(struct world *w, uint32_t index, uint32_t side)
{
    bool was_open = w->wires[index].open[side];
    w->wires[index].open[side] = false;
    return was_open;
}

void wire_close(struct world *w, uint32_t from, uint32_t conn)
{
    uint32_t index = (conn - 1) / 2, side = (conn - 1) & 1;
    struct wire *wire = &w->wires[index];
    (void)from;
    if (!wire->open[side])
        return;
    wire->open[side] = false;
    /* What was sent before the close still arrives; the other side hears of the end after it. */
    uint64_t after =
        wire->free_at[side] > w->now ? wire->free_at[side] - w->now + 1 : wire->delay_ms;
    schedule(w, after,
             (struct action){.kind = ACTION_CLOSED,
                             .peer = wire->peer[1 - side],
                             .life = wire->life[1 - side],
                             .wire = index,
                             .number = 1 - side});
}

void wires_of_peer_cut(struct world *w, uint32_t peer, unsigned told)
{
    for (uint32_t i = 0; i < w->n_wires; i++) {
        const struct wire *wire = &w->wires[i];
        bool mine = (wire->peer[0] == peer && wire->life[0] == w->peers[peer].life) ||
                    (wire->peer[1] == peer && wire->life[1] == w->peers[peer].life);
        if (mine && (wire->open[0] || wire->open[1]))
            wire_cut(w, i, told);
    }
}

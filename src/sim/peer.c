/*
 * peer.c - one peer: its node and database, driven by the same contract as on real sockets. Effects
 * are carried out in order; a load is answered at once, a sync after some milliseconds.
 */
#include <stdlib.h>

#include "sim/world.h"

enum {
    INVITE_LIVES_S = 30 * 24 * 3600
};
#define SIM_EPOCH_MS UINT64_C(1675501200000) /* Saturday morning, Brussels, 2023 */

static uint64_t wall_clock(const struct world *w, const struct peer *p)
{
    return (uint64_t)((int64_t)(SIM_EPOCH_MS + w->now) + p->clock_off_ms);
}

struct load_target {
    struct world *w;
    struct peer *p;
    uint64_t id;
};

static int loaded_row(void *user, const struct load_row *row)
{
    struct load_target *t = user;
    struct rapport_event e = {.kind = RAPPORT_EVENT_LOADED_ROW, .load = t->id, .row = row};
    e.wall_ms = wall_clock(t->w, t->p);
    rapport_node_step(t->p->node, t->w->now, &e);
    return 0;
}

static void do_load(struct world *w, struct peer *p, const struct rapport_effect *e)
{
    struct load load = *e->request;
    struct load_target target = {w, p, load.id};
    int error = store_load(p->store, &load, loaded_row, &target);
    struct rapport_event end = {.kind = RAPPORT_EVENT_LOADED_END, .load = load.id, .error = error};
    end.wall_ms = wall_clock(w, p);
    rapport_node_step(p->node, w->now, &end);
}

static void do_store(struct world *w, uint32_t peer, const struct rapport_effect *e)
{
    struct peer *p = &w->peers[peer];
    struct rapport_event answer = {.kind = RAPPORT_EVENT_WRITTEN, .store = e->store};
    answer.error = store_commit(p->store, e->batch);
    if (answer.error)
        answer.kind = RAPPORT_EVENT_STORE_FAILED;
    else
        schedule(w, 1 + draw(w, 20),
                 (struct action){
                     .kind = ACTION_SYNC, .peer = peer, .life = p->life, .number = e->store});
    answer.wall_ms = wall_clock(w, p);
    rapport_node_step(p->node, w->now, &answer);
}

static void do_effect(struct world *w, uint32_t peer, const struct rapport_effect *e)
{
    struct peer *p = &w->peers[peer];
    switch (e->kind) {
    case RAPPORT_EFFECT_SEND:
        wire_send(w, peer, e);
        break;
    case RAPPORT_EFFECT_CLOSE:
        wire_close(w, peer, e->conn);
        break;
    case RAPPORT_EFFECT_DIAL:
        wire_dial(w, peer, e);
        break;
    case RAPPORT_EFFECT_STORE:
        do_store(w, peer, e);
        break;
    case RAPPORT_EFFECT_LOAD:
        do_load(w, p, e);
        break;
    case RAPPORT_EFFECT_JOINED:
        p->joined = true;
        break;
    case RAPPORT_EFFECT_REFUSED:
        broken(w, "peer %u was refused with a good ticket: %s", peer, rapport_strerror(e->error));
        break;
    case RAPPORT_EFFECT_CANCEL:
        wire_cancel(w, peer, e->dial);
        break;
    case RAPPORT_EFFECT_TRIED:
    case RAPPORT_EFFECT_CHANGED:
        break;
    }
}

static void arm(struct world *w, uint32_t peer)
{
    struct peer *p = &w->peers[peer];
    uint64_t at = rapport_node_deadline(p->node);
    if (at >= p->timer_at && p->timer_at > w->now)
        return;
    if (at == UINT64_MAX)
        return;
    p->timer_at = at > w->now ? at : w->now + 1;
    schedule(w, p->timer_at - w->now,
             (struct action){.kind = ACTION_TIMER, .peer = peer, .life = p->life});
}

int peer_step(struct world *w, uint32_t peer, struct rapport_event *e)
{
    struct peer *p = &w->peers[peer];
    e->wall_ms = wall_clock(w, p);
    int error = rapport_node_step(p->node, w->now, e);
    struct rapport_effect effect;
    while (rapport_node_next_effect(p->node, &effect))
        do_effect(w, peer, &effect);
    if (rapport_node_failure(p->node) && rapport_node_failure(p->node) != RAPPORT_FULL)
        broken(w, "peer %u failed: %s (%s)", peer, rapport_strerror(rapport_node_failure(p->node)),
               store_error(p->store));
    arm(w, peer);
    return error;
}

char *peer_text(struct world *w, uint32_t peer, const uint8_t note[16], size_t *len)
{
    char *text = NULL;
    int error = RAPPORT_AGAIN;
    for (int tries = 0; error == RAPPORT_AGAIN && tries < 3; tries++) {
        error = rapport_node_note_text(w->peers[peer].node, note, &text, len);
        struct rapport_event e = {.kind = RAPPORT_EVENT_TIMEOUT};
        if (error == RAPPORT_AGAIN)
            peer_step(w, peer, &e);
    }
    return error ? NULL : text;
}

void peer_timer(struct world *w, uint32_t peer)
{
    struct peer *p = &w->peers[peer];
    if (p->timer_at > w->now)
        return; /* an older timer */
    if (p->asleep) {
        p->timer_at = p->wakes_at;
        schedule(w, p->wakes_at > w->now ? p->wakes_at - w->now : 1,
                 (struct action){.kind = ACTION_TIMER, .peer = peer, .life = p->life});
        return;
    }
    p->timer_at = 0;
    struct rapport_event e = {.kind = RAPPORT_EVENT_TIMEOUT};
    peer_step(w, peer, &e);
}

void peer_synced(struct world *w, uint32_t peer, uint64_t store)
{
    struct peer *p = &w->peers[peer];
    struct rapport_event e = {.kind = RAPPORT_EVENT_STORED, .store = store};
    e.error = store_sync(p->store);
    if (e.error)
        e.kind = RAPPORT_EVENT_STORE_FAILED;
    peer_step(w, peer, &e);
    person_saved(w, peer);
}

static int open_store(struct world *w, struct peer *p, bool make)
{
    struct buf why = BUF_INIT;
    int error =
        store_open(p->path, make ? STORE_CREATE : STORE_OPEN, disk_name(p->disk), &p->store, &why);
    if (error)
        broken(w, "%s does not open: %s", p->path, buf_cstr(&why));
    buf_clear(&why);
    return error;
}

static void make_ticket(struct world *w)
{
    struct peer *p = &w->peers[0];
    struct rapport_address address = peer_address(w, 0);
    struct rapport_invite invite = {
        .n_uses = w->config.peers > 1 ? (w->config.peers < 256 ? w->config.peers : 255) : 1};
    uint8_t public_key[32];
    invite.expires_s = (SIM_EPOCH_MS + w->now) / 1000 + INVITE_LIVES_S;
    invite.addresses = &address;
    invite.n_addresses = 1;
    rapport_node_draw_invite(p->node, invite.seed, public_key);
    struct rapport_edit edit = {.kind = RAPPORT_EDIT_INVITE,
                                .public_key = public_key,
                                .n_uses = invite.n_uses,
                                .expires_s = invite.expires_s};
    struct rapport_event e = {.kind = RAPPORT_EVENT_EDIT, .edit = &edit};
    if (peer_step(w, 0, &e) || rapport_node_ticket(p->node, &invite, &w->ticket))
        broken(w, "no ticket");
    draw_bytes(w, w->shared_note, sizeof w->shared_note);
    struct rapport_edit note = {
        .kind = RAPPORT_EDIT_NEW, .note = w->shared_note, .path = "notes/all.md", .text = ""};
    e.edit = &note;
    if (peer_step(w, 0, &e))
        broken(w, "no shared note");
}

/* Ten peers or fewer know everybody; more know a few of those who came before. */
static void tell_addresses(struct world *w, uint32_t peer)
{
    uint32_t few = w->config.peers <= 10 ? peer : SIM_DEGREE;
    for (uint32_t i = 0; i < few && peer > 0; i++) {
        uint32_t other = w->config.peers <= 10 ? i : (uint32_t)draw(w, peer);
        struct rapport_event e = {.kind = RAPPORT_EVENT_CANDIDATE,
                                  .address = peer_address(w, other),
                                  .source = RAPPORT_SOURCE_STATIC};
        peer_step(w, peer, &e);
    }
}

static void go_online(struct world *w, uint32_t peer)
{
    struct rapport_address address = peer_address(w, peer);
    struct rapport_event e = {.kind = RAPPORT_EVENT_ONLINE, .listen = &address, .n_listen = 1};
    peer_step(w, peer, &e);
}

void peer_moves(struct world *w, uint32_t peer, bool roams)
{
    struct rapport_event e = {.kind = RAPPORT_EVENT_MOVED};
    if (!w->peers[peer].up)
        return;
    if (roams) {
        wires_of_peer_cut(w, peer, 0);
        w->peers[peer].n_moves++;
        go_online(w, peer);
    }
    peer_step(w, peer, &e);
}

void peer_start(struct world *w, uint32_t peer)
{
    struct peer *p = &w->peers[peer];
    bool first = p->life == 0;
    if (p->up)
        return;
    if (first) {
        draw_bytes(w, p->device_seed, sizeof p->device_seed);
        snprintf(p->path, sizeof p->path, "p%u/report.db", peer);
        w->error = disk_create(draw(w, UINT64_MAX), &p->disk);
        if (w->error)
            return;
        if (has_fault(w, SIM_CLOCK))
            p->clock_off_ms = (int64_t)draw(w, 2 * 86400000) - 86400000;
        if (peer == 0 || !has_fault(w, SIM_CLOCK))
            p->clock_off_ms = 0;
    }
    char name[24];
    snprintf(name, sizeof name, "peer %u", peer);
    bool again = p->joined;
    struct rapport_node_config config = {.device_seed = p->device_seed,
                                         .name = name,
                                         .title = "A simulation",
                                         .ticket = w->ticket,
                                         .new_log = p->new_log,
                                         .wall_ms = wall_clock(w, p)};
    config.start = again ? RAPPORT_START_OPEN : peer == 0 ? RAPPORT_START_INIT : RAPPORT_START_JOIN;
    draw_bytes(w, config.seed, sizeof config.seed);
    if (open_store(w, p, first))
        return;
    int error = rapport_node_create(&config, &p->node);
    if (error) {
        broken(w, "peer %u: %s", peer, rapport_strerror(error));
        return;
    }
    p->up = true;
    p->life++;
    p->timer_at = 0;
    p->has_log = false;
    trace(w, "%u up, life %u", peer, p->life);
    go_online(w, peer);
    if (peer == 0 && first) {
        p->joined = true;
        make_ticket(w);
    }
    tell_addresses(w, peer);
    if (!first && w->now < w->calm_at)
        schedule(w, draw_delay(w, SIM_EDIT_MS),
                 (struct action){.kind = ACTION_EDIT, .peer = peer, .life = p->life});
}

static uint64_t draw_for_disk(void *user, uint64_t n)
{
    return draw(user, n);
}

void peer_stop(struct world *w, uint32_t peer, bool power)
{
    struct peer *p = &w->peers[peer];
    if (!p->up)
        return;
    trace(w, "%u stops%s", peer, power ? " with the power" : "");
    wires_of_peer_cut(w, peer, 3);
    person_forgets(w, peer);
    rapport_node_destroy(p->node);
    p->node = NULL;
    disk_set_frozen(p->disk, true); /* nothing that closing would write reaches it */
    store_close(p->store);
    disk_set_frozen(p->disk, false);
    if (power)
        disk_power_cut(p->disk, draw_for_disk, w);
    disk_set_full(p->disk, false);
    p->store = NULL;
    p->up = p->asleep = p->full = false;
    p->new_log = power;
}

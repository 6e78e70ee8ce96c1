/* faults.c - what goes wrong: one of the faults that are switched on, at random times, to random
 * victims. */
#include "sim/world.h"

static uint32_t victim(struct world *w)
{
    return (uint32_t)draw(w, w->config.peers);
}

static void heal_later(struct world *w, enum sim_fault fault, uint32_t peer, uint64_t after)
{
    struct action a = {.kind = ACTION_HEAL, .peer = peer, .number = fault};
    schedule(w, after, a);
}

/* A random open connection, or SIZE_MAX. */
static size_t open_wire(struct world *w)
{
    size_t first = w->n_wires ? (size_t)draw(w, w->n_wires) : 0;
    for (size_t i = 0; i < w->n_wires; i++) {
        size_t k = (first + i) % w->n_wires;
        if (w->wires[k].open[0] && w->wires[k].open[1])
            return k;
    }
    return SIZE_MAX;
}

static bool partition(struct world *w)
{
    if (w->partitioned)
        return false;
    w->partitioned = true;
    for (uint32_t i = 0; i < w->config.peers; i++)
        w->side[i] = (uint8_t)draw(w, 2);
    for (uint32_t i = 0; i < w->n_wires; i++) {
        const struct wire *wire = &w->wires[i];
        if ((wire->open[0] || wire->open[1]) && !reachable(w, wire->peer[0], wire->peer[1]))
            wire_cut(w, i, draw(w, 2) ? 3 : 0);
    }
    heal_later(w, SIM_PARTITION, 0, draw_delay(w, 60000));
    return true;
}

static bool fault_of_wire(struct world *w, enum sim_fault fault)
{
    size_t i = open_wire(w);
    if (i == SIZE_MAX)
        return false;
    struct wire *wire = &w->wires[i];
    if (fault == SIM_CUT)
        wire_cut(w, (uint32_t)i, 3);
    else if (fault == SIM_HALF_OPEN)
        wire_cut(w, (uint32_t)i, (unsigned)(1 + draw(w, 2)));
    else if (fault == SIM_CORRUPT)
        wire->next_corrupt = (uint8_t)(1 + draw(w, 2));
    else
        wire->stalled = w->now + draw_delay(w, 8000);
    return true;
}

/* Half of what a LAN says is somebody of the group, half nobody. */
static void announce(struct world *w, uint32_t to)
{
    struct action lost = {
        .kind = ACTION_HEAL, .peer = to, .life = w->peers[to].life, .number = SIM_LAN};
    uint32_t who = victim(w);
    lost.address = draw(w, 2) ? peer_address(w, who) : no_address(w);
    struct rapport_event e = {.kind = RAPPORT_EVENT_CANDIDATE,
                              .address = lost.address,
                              .source = RAPPORT_SOURCE_LAN,
                              .who = 1 + who};
    peer_step(w, to, &e);
    schedule(w, draw_delay(w, 30000), lost);
}

static bool fault_of_peer(struct world *w, enum sim_fault fault)
{
    uint32_t i = victim(w);
    struct peer *p = &w->peers[i];
    if (!p->up || p->asleep)
        return false;
    if (fault == SIM_KILL || fault == SIM_POWER) {
        peer_stop(w, i, fault == SIM_POWER);
        schedule(w, draw_delay(w, 20000), (struct action){.kind = ACTION_START, .peer = i});
    } else if (fault == SIM_FULL) {
        p->full = true;
        disk_set_full(p->disk, true);
        heal_later(w, fault, i, draw_delay(w, 15000));
    } else if (fault == SIM_SLEEP) {
        p->asleep = true;
        p->wakes_at = w->now + draw_delay(w, 120000);
        wires_of_peer_cut(w, i, 0);
        heal_later(w, fault, i, p->wakes_at - w->now);
    } else if (fault == SIM_ROAM) {
        peer_moves(w, i, true);
    } else if (fault == SIM_LAN) {
        announce(w, i);
    } else {
        p->clock_off_ms += (int64_t)draw(w, 7200000) - 3600000;
    }
    return true;
}

static bool make_fault(struct world *w, enum sim_fault fault)
{
    switch (fault) {
    case SIM_DELAY:
        return false; /* always there */
    case SIM_PARTITION:
        return partition(w);
    case SIM_CUT:
    case SIM_STALL:
    case SIM_CORRUPT:
    case SIM_HALF_OPEN:
        return fault_of_wire(w, fault);
    case SIM_KILL:
    case SIM_POWER:
    case SIM_FULL:
    case SIM_SLEEP:
    case SIM_CLOCK:
    case SIM_ROAM:
    case SIM_LAN:
        return fault_of_peer(w, fault);
    case SIM_N_FAULTS:
        break;
    }
    return false;
}

/* One of those that are switched on; slow links are there all the time. */
static enum sim_fault draw_fault(struct world *w)
{
    enum sim_fault on[SIM_N_FAULTS];
    size_t n = 0;
    for (int i = 0; i < SIM_N_FAULTS; i++)
        if (has_fault(w, (enum sim_fault)i) && i != SIM_DELAY)
            on[n++] = (enum sim_fault)i;
    return n ? on[draw(w, n)] : SIM_DELAY;
}

void fault_happens(struct world *w)
{
    if (w->now >= w->calm_at)
        return;
    schedule(w, draw_delay(w, SIM_FAULT_MS * 10 / (w->config.peers < 10 ? 10 : w->config.peers)),
             (struct action){.kind = ACTION_FAULT});
    enum sim_fault fault = draw_fault(w);
    if (!make_fault(w, fault))
        return;
    w->result->faults[fault]++;
    trace(w, "fault %s", sim_fault_name(fault));
}

/* A node whose disk was full takes no more edits until its person starts it again. */
static void restart(struct world *w, uint32_t peer)
{
    peer_stop(w, peer, false);
    peer_start(w, peer);
}

static void lose(struct world *w, const struct action *a)
{
    struct peer *p = &w->peers[a->peer];
    struct rapport_event e = {
        .kind = RAPPORT_EVENT_CANDIDATE_LOST, .address = a->address, .source = RAPPORT_SOURCE_LAN};
    if (p->up && p->life == a->life)
        peer_step(w, a->peer, &e);
}

void fault_heals(struct world *w, const struct action *a)
{
    struct peer *p = &w->peers[a->peer];
    switch ((enum sim_fault)a->number) {
    case SIM_PARTITION:
        w->partitioned = false;
        return;
    case SIM_FULL:
        p->full = false;
        disk_set_full(p->disk, false);
        if (p->up && rapport_node_failure(p->node))
            restart(w, a->peer);
        return;
    case SIM_SLEEP:
        p->asleep = false;
        peer_moves(w, a->peer, false);
        return;
    case SIM_LAN:
        lose(w, a);
        return;
    case SIM_DELAY:
    case SIM_CUT:
    case SIM_STALL:
    case SIM_CORRUPT:
    case SIM_HALF_OPEN:
    case SIM_KILL:
    case SIM_POWER:
    case SIM_CLOCK:
    case SIM_ROAM:
    case SIM_N_FAULTS:
        return;
    }
}

void faults_heal_all(struct world *w)
{
    w->partitioned = false;
    for (uint32_t i = 0; i < w->config.peers; i++) {
        struct peer *p = &w->peers[i];
        bool slept = p->asleep;
        p->asleep = p->full = false;
        disk_set_full(p->disk, false);
        if (p->up && rapport_node_failure(p->node))
            peer_stop(w, i, false);
        peer_start(w, i);
        if (slept)
            peer_moves(w, i, false);
    }
    for (size_t i = 0; i < w->n_wires; i++)
        w->wires[i].stalled = 0;
}

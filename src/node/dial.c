/*
 * dial.c - whom to dial and when. The addresses stand in candidates.c.
 *
 * Addresses of one machine are a group and are raced as RFC 8305 has it: the best is dialled, the
 * next after NODE_RACE_MS unless the first has connected and shown a friend's key, at most
 * NODE_RACE_MOST at once; then the others are cancelled. Best: where a session was last, then IPv6
 * on the link, IPv6, IPv4, and the tailnet, which works from everywhere and is nowhere the shortest
 * way.
 *
 * Backoff: 1 s, doubled, with up to a quarter of jitter, up to a bound by what speaks for the
 * address. Known friends go first; strangers share NODE_MOST_STRANGERS half-open connections and
 * take turns, whoever has waited longest, so made-up instances on a LAN cost friends nothing. Who
 * is connected is not dialled, unless the connection has yet to prove itself since the machine
 * moved.
 *
 * A machine that only the tailnet speaks for is tried once for each CANDIDATE; where something
 * answers that is none of ours, the next ports up to NODE_PORT_LAST are tried too, as another
 * report of the same person may have taken the first.
 */
#include "node/parts.h"

#include <stdlib.h>

struct candidate *candidate_of_dial(const struct rapport_node *n, uint32_t dial)
{
    for (size_t i = 0; dial && i < n->n_candidates; i++)
        if (n->candidates[i]->dial == dial)
            return n->candidates[i];
    return NULL;
}

/* ---- backoff ---- */

static uint64_t most_wait(const struct candidate *c)
{
    if (c->source <= RAPPORT_SOURCE_TICKET)
        return NODE_DIAL_TYPED_MS;
    return c->on_lan ? NODE_DIAL_LAN_MS : NODE_DIAL_MOST_MS;
}

static void back_off(struct rapport_node *n, struct candidate *c)
{
    uint64_t wait = NODE_DIAL_FIRST_MS, most = most_wait(c);
    for (unsigned i = 0; i < c->failures && wait < most; i++)
        wait *= 2;
    wait = wait < most ? wait : most;
    c->failures++;
    c->next_try = n->now + wait + rng_below(&n->rng, wait / 4 + 1);
}

/* Something listens there that is none of ours: the next port, unless it is tried on its own. */
static bool try_next_port(struct rapport_node *n, struct candidate *c)
{
    struct rapport_address next = c->address;
    next.port++;
    if (next.port <= NODE_PORT_FIRST || next.port > NODE_PORT_LAST || candidate_find(n, &next))
        return false;
    c->address = next;
    c->answered = true;
    c->next_try = n->now;
    return true;
}

static bool is_tried_once(const struct candidate *c)
{
    return c->source == RAPPORT_SOURCE_TAILNET && candidate_is_stranger(c) && !c->is_self;
}

void candidate_failed(struct rapport_node *n, struct candidate *c, int error, bool answered)
{
    c->dial = 0;
    c->last_error = error;
    n->dials_dirty = true;
    if (is_tried_once(c) && answered && error != RAPPORT_REFUSED && try_next_port(n, c))
        return;
    answered = answered || c->answered;
    candidate_tried(n, c, answered && error != RAPPORT_REFUSED ? RAPPORT_AUTH : error);
    if (is_tried_once(c))
        candidate_remove(n, c);
    else
        back_off(n, c);
}

void candidate_ended(struct rapport_node *n, struct candidate *c, int error, bool lasted)
{
    if (!lasted) {
        candidate_failed(n, c, error, true);
        return;
    }
    c->failures = 0;
    c->last_error = error;
    c->next_try = n->now + rng_below(&n->rng, NODE_AGAIN_MS);
    n->dials_dirty = true;
    for (size_t i = 0; i < n->n_candidates; i++) { /* it goes first */
        struct candidate *other = n->candidates[i];
        if (candidate_same_group(c, other) && other->next_try < c->next_try)
            other->next_try = c->next_try;
    }
}

/* ---- dialling ---- */

void candidate_cancel(struct rapport_node *n, struct candidate *c)
{
    struct node_effect *e = c->dial ? effect_push(n, RAPPORT_EFFECT_CANCEL) : NULL;
    if (e)
        e->effect.dial = c->dial;
    n->dials_dirty = n->dials_dirty || c->dial;
    c->dial = 0;
}

void dials_cancel_to(struct rapport_node *n, const struct link *l)
{
    for (size_t i = 0; i < n->n_candidates; i++) {
        struct candidate *c = n->candidates[i];
        bool same =
            c->has_device && l->has_device && memcmp(c->device, l->device, sizeof c->device) == 0;
        if (!same && !(l->candidate && candidate_same_group(l->candidate, c)))
            continue;
        candidate_cancel(n, c);
        candidate_tried(n, c, 0);
    }
}

void dials_cancel_all(struct rapport_node *n)
{
    for (size_t i = 0; i < n->n_candidates; i++)
        candidate_cancel(n, n->candidates[i]);
}

void dials_restart(struct rapport_node *n)
{
    dials_cancel_all(n);
    for (size_t i = 0; i < n->n_candidates; i++)
        candidate_fresh(n, n->candidates[i]);
}

/* A link that is with this device, or that this group led to. One that has yet to prove itself
   stops nothing. */
bool candidate_is_linked(const struct rapport_node *n, const struct candidate *c)
{
    for (const struct link *l = n->links; l; l = l->next) {
        if (!l->known || (l->ready && !link_is_proven(l)))
            continue;
        if (c->has_device && l->has_device && memcmp(l->device, c->device, sizeof l->device) == 0)
            return true;
        if (l->candidate && candidate_same_group(l->candidate, c))
            return true;
    }
    return false;
}

static void dial(struct rapport_node *n, struct candidate *c)
{
    struct node_effect *e = effect_push(n, RAPPORT_EFFECT_DIAL);
    if (!e)
        return;
    c->dial = e->effect.dial = ++n->last_dial;
    c->dialled_at = n->now;
    c->n_tries++;
    e->effect.address = c->address;
}

/* How many more connections may be begun now. */
struct rooms {
    size_t all, strangers, hearsay;
};

/* Everybody meets everybody in a small group. */
static bool is_mesh(const struct rapport_node *n)
{
    size_t members = 0, at = 0;
    for (const struct member *m; (m = report_next_member(n->report, &at));)
        members += !m->removed;
    return members <= NODE_MESH_MEMBERS;
}

static size_t left(size_t most, size_t used)
{
    return used < most ? most - used : 0;
}

static struct rooms rooms_of(const struct rapport_node *n)
{
    size_t busy = 0, strangers = 0;
    for (const struct link *l = n->links; l; l = l->next) {
        busy++;
        strangers += l->dialler && l->candidate && candidate_is_stranger(l->candidate);
    }
    for (size_t i = 0; i < n->n_candidates; i++) {
        busy += n->candidates[i]->dial != 0;
        strangers += n->candidates[i]->dial && candidate_is_stranger(n->candidates[i]);
    }
    return (struct rooms){
        .all = left(RAPPORT_MOST_LINKS, busy),
        .strangers = left(NODE_MOST_STRANGERS, strangers),
        .hearsay = left(is_mesh(n) ? RAPPORT_MOST_LINKS : NODE_DEGREE, busy),
    };
}

/* A friend's address where no session was made. In a big group a few links are enough, and these
   are left alone. */
static bool is_hearsay(const struct candidate *c)
{
    return c->source == RAPPORT_SOURCE_PEER && !c->good;
}

static bool may_dial(const struct rapport_node *n, const struct candidate *c)
{
    const struct link *l = c->conn ? link_find(n, c->conn) : NULL;
    bool in_use = l && (!l->ready || link_is_proven(l));
    return !c->dial && !in_use && !c->is_self;
}

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    unsigned rank_a = hint_rank(&a->address), rank_b = hint_rank(&b->address);
    if (a->good != b->good)
        return a->good > b->good;
    return rank_a != rank_b ? rank_a < rank_b : a->serial < b->serial;
}

/* What goes on in one group. */
struct race {
    size_t n_running;
    rapport_time_ms latest; /* when the newest of these was begun */
    struct candidate *best; /* of those that are due */
};

static struct race race_of(const struct rapport_node *n, struct candidate *c)
{
    struct race race = {.best = c};
    for (size_t i = 0; i < n->n_candidates; i++) {
        struct candidate *other = n->candidates[i];
        if (!candidate_same_group(c, other))
            continue;
        const struct link *l = other->conn ? link_find(n, other->conn) : NULL;
        if (other->dial || (l && !l->ready)) {
            race.n_running++;
            race.latest = other->dialled_at > race.latest ? other->dialled_at : race.latest;
        } else if (may_dial(n, other) && other->next_try <= n->now && is_better(other, race.best)) {
            race.best = other;
        }
    }
    return race;
}

static void look_again(struct rapport_node *n, rapport_time_ms at)
{
    n->dial_at = at < n->dial_at ? at : n->dial_at;
}

static void dial_group(struct rapport_node *n, struct candidate *c, struct rooms *rooms)
{
    bool stranger = candidate_is_stranger(c), hearsay = is_hearsay(c);
    if (!rooms->all || (stranger && !rooms->strangers) || (hearsay && !rooms->hearsay) || c->dial ||
        candidate_is_linked(n, c))
        return; /* whatever changes that is a step */
    struct race race = race_of(n, c);
    if (race.n_running >= NODE_RACE_MOST)
        return;
    if (race.n_running && race.latest + NODE_RACE_MS > n->now) {
        look_again(n, race.latest + NODE_RACE_MS);
        return;
    }
    dial(n, race.best);
    rooms->all--;
    rooms->strangers -= stranger;
    rooms->hearsay -= rooms->hearsay > 0;
    if (race.best != c)
        look_again(n, n->now + NODE_RACE_MS);
}

static int by_turn(const void *a, const void *b)
{
    const struct candidate *x = *(struct candidate *const *)a, *y = *(struct candidate *const *)b;
    bool strange_x = candidate_is_stranger(x), strange_y = candidate_is_stranger(y);
    if (strange_x != strange_y)
        return strange_x ? 1 : -1;
    if (x->next_try != y->next_try)
        return x->next_try < y->next_try ? -1 : 1;
    return x->serial < y->serial ? -1 : 1;
}

static bool dials(const struct rapport_node *n)
{
    return n->online && (n->phase == PHASE_READY || n->phase == PHASE_JOINING);
}

void dial_due(struct rapport_node *n)
{
    struct candidate *due[NODE_MOST_CANDIDATES];
    size_t n_due = 0;
    if (!dials(n) || (!n->dials_dirty && n->now < n->dial_at))
        return;
    n->dials_dirty = false;
    n->dial_at = UINT64_MAX;
    for (size_t i = 0; i < n->n_candidates; i++) {
        struct candidate *c = n->candidates[i];
        if (!may_dial(n, c))
            continue;
        if (c->next_try <= n->now)
            due[n_due++] = c;
        else
            look_again(n, c->next_try);
    }
    qsort(due, n_due, sizeof due[0], by_turn);
    struct rooms rooms = rooms_of(n);
    for (size_t i = 0; i < n_due; i++)
        dial_group(n, due[i], &rooms);
}

rapport_time_ms dial_deadline(const struct rapport_node *n)
{
    return dials(n) ? (n->dials_dirty ? n->now : n->dial_at) : UINT64_MAX;
}

/*
 * tailnet_plan.c - see tailnet_plan.h. The figures come from what a probe of a silent machine costs
 * others: tailscaled sends disco pings, a message by relay and a handshake, about 1 KB in all.
 *
 * A machine is a struct machine for as long as a status lists it, a session runs there, or its loss
 * has to be told; so there are at most TAILNET_MOST_PEERS and those of one more status.
 */
#include <stdlib.h>

#include "base/map.h"
#include "net/tailnet_plan.h"
#include "rapport/error.h"

enum {
    IP_KEY_BYTES = 17
};

struct machine {
    uint64_t who;
    struct rapport_address ips[TAILNET_MOST_IPS];
    size_t n_ips;
    struct rapport_address given[TAILNET_MOST_IPS]; /* the node has them from us */
    size_t n_given;
    enum tailnet_skip skip;
    enum plan_outcome outcome, best; /* best: among the answers of the probe in flight */
    unsigned n_failed;               /* in a row, with this outcome */
    unsigned n_answers;
    bool listed, seen, online; /* seen: in the status that is being read */
    bool own, known, lose, probing;
    unsigned n_connected;
    rapport_time_ms due, probed, spoke; /* probed, spoke: 0 never */
    uint64_t order;                     /* among those that are due */
};

struct tailnet_plan {
    struct map machines; /* by `who` */
    struct map by_ip;
    struct map remembered; /* addresses of sessions of earlier runs; the value is the plan */
    uint64_t state;        /* of the generator */
    uint64_t salt;
    uint64_t network; /* hash of our own machine and the tailnet; 0 before the first status */
    bool wanted, swept;
    rapport_time_ms next_at; /* no probe before */
    size_t n_in_flight;
    uint64_t n_probes;
};

/* ---- small things ---- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* splitmix64: only to spread probes, nothing secret hangs on it. */
static uint64_t draw(struct tailnet_plan *p)
{
    return mix(p->state += 0x9e3779b97f4a7c15u);
}

static uint64_t draw_between(struct tailnet_plan *p, uint64_t least, uint64_t most)
{
    return least + draw(p) % (most - least + 1);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = mix(hash ^ (uint8_t)*text);
    return mix(hash + 1);
}

static void ip_key(const struct rapport_address *a, uint8_t out[IP_KEY_BYTES])
{
    memset(out, 0, IP_KEY_BYTES);
    out[0] = a->family;
    memcpy(out + 1, a->bytes, a->family == 4 ? 4 : 16);
}

static bool same_ip(const struct rapport_address *a, const struct rapport_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

static struct machine *find_ip(const struct tailnet_plan *p, const struct rapport_address *a)
{
    uint8_t key[IP_KEY_BYTES];
    ip_key(a, key);
    return map_get(&p->by_ip, key);
}

static bool eligible(const struct machine *m)
{
    return m->listed && m->skip == TAILNET_KEEP && m->n_ips > 0;
}

static bool is_due_ever(const struct machine *m)
{
    return eligible(m) && !m->probing && !m->n_connected && !m->lose && m->due != UINT64_MAX;
}

/* ---- machines ---- */

static void unlink_ips(struct tailnet_plan *p, const struct machine *m)
{
    uint8_t key[IP_KEY_BYTES];
    for (size_t i = 0; i < m->n_ips; i++) {
        ip_key(&m->ips[i], key);
        if (map_get(&p->by_ip, key) == m)
            (void)map_remove(&p->by_ip, key);
    }
}

static int link_ips(struct tailnet_plan *p, struct machine *m)
{
    uint8_t key[IP_KEY_BYTES];
    int error = 0;
    for (size_t i = 0; i < m->n_ips && !error; i++) {
        ip_key(&m->ips[i], key);
        error = map_put(&p->by_ip, key, m);
        m->known = m->known || map_get(&p->remembered, key);
    }
    return error;
}

static void end_probe(struct tailnet_plan *p, struct machine *m)
{
    p->n_in_flight -= m->probing;
    m->probing = false;
}

static void drop(struct tailnet_plan *p, struct machine *m)
{
    end_probe(p, m);
    unlink_ips(p, m);
    (void)map_remove(&p->machines, &m->who);
    free(m);
}

/* The machine is not to be dialled any more; the node is told unless it talks there. */
static void lose(struct tailnet_plan *p, struct machine *m)
{
    end_probe(p, m);
    m->lose = m->n_given > 0 && !m->n_connected;
}

static void become_due(struct tailnet_plan *p, struct machine *m, rapport_time_ms at)
{
    m->due = at;
    m->order = draw(p);
}

static bool same_ips(const struct machine *m, const struct tailnet_peer *peer)
{
    bool same = m->n_ips == peer->n_ips;
    for (size_t i = 0; i < m->n_ips && same; i++)
        same = same_ip(&m->ips[i], &peer->ips[i]);
    return same;
}

static struct machine *add_machine(struct tailnet_plan *p, uint64_t who)
{
    struct machine *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->who = who;
    m->due = UINT64_MAX;
    if (map_put(&p->machines, &who, m)) {
        free(m);
        return NULL;
    }
    return m;
}

/* Takes over the addresses; with other ones it is another machine. */
static int take_ips(struct tailnet_plan *p, struct machine *m, const struct tailnet_peer *peer)
{
    if (same_ips(m, peer) && (m->n_ips == 0 || find_ip(p, &m->ips[0])))
        return 0;
    m->n_connected = 0; /* its end will be told under an address that is not this one's any more */
    lose(p, m);
    unlink_ips(p, m);
    m->online = m->known = false;
    m->outcome = PLAN_UNTRIED;
    m->n_failed = 0;
    m->probed = m->spoke = 0;
    m->n_ips = peer->n_ips;
    memcpy(m->ips, peer->ips, peer->n_ips * sizeof peer->ips[0]);
    return link_ips(p, m);
}

/* ---- a status ---- */

struct reading {
    struct tailnet_plan *p;
    rapport_time_ms now;
    const struct tailnet_status *status;
    const struct plan_filter *filter;
    bool first; /* after the start, or in another tailnet: this is the sweep */
    bool stale; /* the control server is not reachable: who is on line is not known */
    size_t n_flipped;
};

static void forget_all(struct tailnet_plan *p)
{
    struct machine *m;
    for (size_t at = 0; (m = map_next(&p->machines, &at));) {
        m->listed = m->online = m->known = false;
        m->outcome = PLAN_UNTRIED;
        m->n_failed = 0;
        m->probed = m->spoke = 0;
        lose(p, m);
    }
    p->swept = false;
}

static bool is_own(const struct tailnet_status *s, const struct tailnet_peer *peer)
{
    return peer->n_tags == 0 && s->has_self && peer->user == s->self.user;
}

static int read_peer(struct reading *r, const struct tailnet_peer *peer)
{
    struct tailnet_plan *p = r->p;
    uint64_t who = hash_text(p->salt, peer->id);
    struct machine *m = map_get(&p->machines, &who);
    if (!m)
        m = add_machine(p, who);
    if (!m)
        return RAPPORT_NOMEM;
    if (m->seen) /* the same id twice: the first one counts */
        return 0;
    int error = take_ips(p, m, peer);
    bool was_online = m->online;
    bool spoke = m->n_connected || (m->spoke && r->now - m->spoke < PLAN_SPOKE_MS) ||
                 (r->stale && m->listed && was_online);
    m->seen = true;
    m->own = is_own(r->status, peer);
    m->skip = tailnet_skip(r->status, peer, r->filter->own, r->filter->tag, spoke);
    m->online = r->stale && m->listed ? was_online : peer->online;
    r->n_flipped += m->online != was_online;
    /* Those that came on line are given a time when it is known how many they are. */
    m->due = m->online && !was_online ? 0 : m->due;
    m->listed = true;
    return error;
}

static void schedule(struct reading *r, struct machine *m, bool many)
{
    struct tailnet_plan *p = r->p;
    uint64_t wait = 0;
    if (m->known)
        wait = r->first ? 0 : draw_between(p, PLAN_MEMBER_LEAST_MS, PLAN_MEMBER_MOST_MS);
    else if (!r->first && many)
        wait = draw_between(p, 0, PLAN_SPREAD_MS);
    else if (!r->first)
        wait = draw_between(p, PLAN_STRANGER_LEAST_MS, PLAN_STRANGER_MOST_MS);
    rapport_time_ms at = r->now + wait;
    if (!m->known && m->probed && at < m->probed + PLAN_REFUSED_MS)
        at = m->probed + PLAN_REFUSED_MS;
    become_due(p, m, at);
}

static void finish_reading(struct reading *r)
{
    struct tailnet_plan *p = r->p;
    struct machine *m;
    bool many = r->n_flipped > PLAN_FLIP_LEAST && r->n_flipped * 10 > p->machines.n;
    for (size_t at = 0; (m = map_next(&p->machines, &at));) {
        m->listed = m->seen;
        m->seen = false;
        if (!eligible(m))
            lose(p, m);
        if (m->due == 0)
            schedule(r, m, many);
        if (!m->listed && !m->lose && !m->n_connected)
            drop(p, m);
    }
}

int tailnet_plan_status(struct tailnet_plan *p, rapport_time_ms now,
                        const struct tailnet_status *status, const struct plan_filter *filter)
{
    uint64_t network = hash_text(hash_text(p->salt, status->self.id), status->tailnet);
    if (network != p->network)
        forget_all(p);
    p->network = network;
    struct reading r = {p, now, status, filter, !p->swept, false, 0};
    r.stale = status->has_self && !status->self.online;
    int error = 0;
    for (size_t i = 0; i < status->n_peers; i++) {
        int failed = read_peer(&r, &status->peers[i]);
        error = error ? error : failed;
    }
    finish_reading(&r);
    p->swept = true;
    return error;
}

void tailnet_plan_pause(struct tailnet_plan *p)
{
    struct machine *m;
    for (size_t at = 0; (m = map_next(&p->machines, &at));) {
        m->online = false;
        m->due = UINT64_MAX;
        lose(p, m);
    }
}

void tailnet_plan_want(struct tailnet_plan *p, bool wanted)
{
    p->wanted = wanted;
}

void tailnet_plan_wake(struct tailnet_plan *p, rapport_time_ms now)
{
    struct machine *m;
    for (size_t at = 0; (m = map_next(&p->machines, &at));)
        if (m->known && eligible(m) && !m->n_connected && !m->probing)
            become_due(p, m, now + draw_between(p, PLAN_MEMBER_LEAST_MS, PLAN_MEMBER_MOST_MS));
}

/* ---- what came of it ---- */

/* PLAN_UNTRIED: nothing was learned about the other side (memory out, too many connections). */
static enum plan_outcome outcome_of(int error)
{
    switch (error) {
    case 0:
        return PLAN_MEMBER;
    case RAPPORT_TIMEOUT:
        return PLAN_SILENT;
    case RAPPORT_UNREACHABLE:
    case RAPPORT_CLOSED:
        return PLAN_REFUSED;
    case RAPPORT_NOMEM:
    case RAPPORT_LIMIT:
    case RAPPORT_IO:
    case RAPPORT_PERMISSION:
    case RAPPORT_AGAIN:
        return PLAN_UNTRIED;
    default:
        return PLAN_OTHER;
    }
}

/* base, doubled for each failure after the first, at most `most`; up to a tenth more, so that
   machines that were asked together are not asked together for ever. */
static uint64_t backoff(struct tailnet_plan *p, unsigned n_failed, uint64_t base, uint64_t most)
{
    uint64_t wait = base;
    for (unsigned i = 1; i < n_failed && wait < most; i++)
        wait *= 2;
    wait = wait < most ? wait : most;
    return draw_between(p, wait, wait + wait / 10);
}

static void settle_probe(struct tailnet_plan *p, struct machine *m, rapport_time_ms now)
{
    end_probe(p, m);
    uint64_t wait = PLAN_REFUSED_MS;
    if (m->best != PLAN_UNTRIED) {
        m->n_failed = m->best == m->outcome ? m->n_failed + 1 : 1;
        m->outcome = m->best;
    }
    switch (m->best) {
    case PLAN_UNTRIED:
        break;
    case PLAN_REFUSED:
        wait = backoff(p, m->n_failed, PLAN_REFUSED_MS, PLAN_REFUSED_MOST_MS);
        break;
    case PLAN_SILENT:
        wait = backoff(p, m->n_failed, PLAN_SILENT_MS, PLAN_SILENT_MOST_MS);
        break;
    case PLAN_OTHER:
    case PLAN_MEMBER:
        wait = backoff(p, 1, PLAN_RECHECK_MS, PLAN_RECHECK_MS);
        break;
    }
    become_due(p, m, now + wait);
}

void tailnet_plan_tried(struct tailnet_plan *p, rapport_time_ms now,
                        const struct rapport_address *address, int error)
{
    struct machine *m = find_ip(p, address);
    enum plan_outcome outcome = outcome_of(error);
    if (!m)
        return;
    if (outcome == PLAN_MEMBER) {
        m->known = true;
        m->spoke = now;
    }
    if (!m->probing)
        return;
    /* Without IPv6 here its address is refused at once: silence on the other tells more. The order
       of enum plan_outcome says what tells most. */
    if (outcome > m->best)
        m->best = outcome;
    if (outcome == PLAN_MEMBER || ++m->n_answers >= m->n_given)
        settle_probe(p, m, now);
}

void tailnet_plan_connected(struct tailnet_plan *p, rapport_time_ms now,
                            const struct rapport_address *address, bool connected)
{
    struct machine *m = find_ip(p, address);
    if (!m || (!connected && !m->n_connected))
        return;
    m->known = true;
    m->spoke = now;
    if (connected) {
        m->n_connected++;
        m->outcome = PLAN_MEMBER;
        m->n_failed = 0;
        m->lose = false;
        end_probe(p, m);
        return;
    }
    if (--m->n_connected)
        return;
    become_due(p, m, now + draw_between(p, PLAN_MEMBER_LEAST_MS, PLAN_MEMBER_MOST_MS));
    if (!eligible(m))
        lose(p, m);
    if (!m->listed && !m->lose)
        drop(p, m);
}

void tailnet_plan_remember(struct tailnet_plan *p, const struct rapport_address *address)
{
    uint8_t key[IP_KEY_BYTES];
    struct machine *m = find_ip(p, address);
    ip_key(address, key);
    if (m)
        m->known = true;
    if (tailnet_is_address(address) && p->remembered.n < TAILNET_MOST_PEERS)
        (void)map_put(&p->remembered, key, p); /* without it only the order is worse */
}

/* ---- actions ---- */

static bool give_lost(struct tailnet_plan *p, struct plan_action *out)
{
    struct machine *m;
    for (size_t at = 0; (m = map_next(&p->machines, &at));) {
        if (!m->lose)
            continue;
        *out = (struct plan_action){.lost = true, .who = m->who, .n = m->n_given};
        memcpy(out->addresses, m->given, sizeof out->addresses);
        m->n_given = 0;
        m->lose = false;
        if (!m->listed && !m->n_connected)
            drop(p, m);
        return true;
    }
    return false;
}

/* Friends of before, then the person's own machines, then everybody; in these, by chance. */
static bool goes_before(const struct machine *a, const struct machine *b)
{
    int rank_a = a->known ? 0 : a->own ? 1 : 2, rank_b = b->known ? 0 : b->own ? 1 : 2;
    return rank_a != rank_b ? rank_a < rank_b : a->order < b->order;
}

static struct machine *first_due(struct tailnet_plan *p, rapport_time_ms now)
{
    struct machine *m, *first = NULL;
    for (size_t at = 0; (m = map_next(&p->machines, &at));)
        if (is_due_ever(m) && m->due <= now && (!first || goes_before(m, first)))
            first = m;
    return first;
}

static void expire_probes(struct tailnet_plan *p, rapport_time_ms now)
{
    struct machine *m;
    for (size_t at = 0; p->n_in_flight && (m = map_next(&p->machines, &at));)
        if (m->probing && now >= m->probed + PLAN_ANSWER_MS)
            settle_probe(p, m, now);
}

bool tailnet_plan_next(struct tailnet_plan *p, rapport_time_ms now, struct plan_action *out)
{
    expire_probes(p, now);
    if (give_lost(p, out))
        return true;
    if (!p->wanted || now < p->next_at || p->n_in_flight >= PLAN_IN_FLIGHT)
        return false;
    struct machine *m = first_due(p, now);
    if (!m)
        return false;
    m->probing = true;
    m->probed = now;
    m->best = PLAN_UNTRIED;
    m->n_answers = 0;
    m->n_given = m->n_ips;
    memcpy(m->given, m->ips, sizeof m->given);
    p->n_in_flight++;
    p->n_probes++;
    p->next_at = now + PLAN_GAP_MS;
    *out = (struct plan_action){.who = m->who, .n = m->n_ips};
    memcpy(out->addresses, m->ips, sizeof out->addresses);
    return true;
}

rapport_time_ms tailnet_plan_deadline(const struct tailnet_plan *p)
{
    rapport_time_ms first = UINT64_MAX;
    bool may_probe = p->wanted && p->n_in_flight < PLAN_IN_FLIGHT;
    const struct machine *m;
    for (size_t at = 0; (m = map_next(&p->machines, &at));) {
        rapport_time_ms due = UINT64_MAX;
        if (m->lose)
            return 0;
        if (m->probing)
            due = m->probed + PLAN_ANSWER_MS;
        else if (may_probe && is_due_ever(m))
            due = m->due > p->next_at ? m->due : p->next_at;
        first = due < first ? due : first;
    }
    return first;
}

/* ---- life and reading ---- */

int tailnet_plan_create(uint64_t seed, struct tailnet_plan **out)
{
    struct tailnet_plan *p = calloc(1, sizeof *p);
    if (!p)
        return RAPPORT_NOMEM;
    p->state = seed;
    p->salt = draw(p);
    map_init(&p->machines, sizeof(uint64_t), draw(p));
    map_init(&p->by_ip, IP_KEY_BYTES, draw(p));
    map_init(&p->remembered, IP_KEY_BYTES, draw(p));
    *out = p;
    return 0;
}

void tailnet_plan_destroy(struct tailnet_plan *p)
{
    struct machine *m;
    if (!p)
        return;
    for (size_t at = 0; (m = map_next(&p->machines, &at));)
        free(m);
    map_clear(&p->machines);
    map_clear(&p->by_ip);
    map_clear(&p->remembered);
    free(p);
}

void tailnet_plan_counts(const struct tailnet_plan *p, struct plan_counts *out)
{
    const struct machine *m;
    *out = (struct plan_counts){.n_in_flight = p->n_in_flight, .n_probes = p->n_probes};
    for (size_t at = 0; (m = map_next(&p->machines, &at));) {
        out->n_connected += m->n_connected > 0;
        if (!m->listed)
            continue;
        out->listed++;
        out->skipped[m->skip]++;
        if (m->skip == TAILNET_KEEP)
            out->outcomes[m->outcome]++;
    }
}

enum plan_outcome tailnet_plan_outcome(const struct tailnet_plan *p,
                                       const struct rapport_address *address)
{
    const struct machine *m = find_ip(p, address);
    return m && eligible(m) ? m->outcome : PLAN_UNTRIED;
}

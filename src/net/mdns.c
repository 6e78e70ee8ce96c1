/*
 * mdns.c - links, settings and the clock of the discovery on LANs (see mdns.h, mdns_parts.h).
 */
#include <stdlib.h>

#include "net/mdns_parts.h"

/* ---- life ---- */

int mdns_create(const struct mdns_config *config, struct mdns **out)
{
    struct mdns *m = calloc(1, sizeof *m);
    if (!m)
        return RAPPORT_NOMEM;
    if (!buf_reserve(&m->out, OUT_BYTES)) {
        free(m);
        return RAPPORT_NOMEM;
    }
    m->config = *config;
    m->due = MDNS_NEVER;
    m->stale = STALE_LABEL;
    mdns_hash_start(m);
    *out = m;
    return 0;
}

void mdns_destroy(struct mdns *m)
{
    if (!m)
        return;
    buf_clear(&m->out);
    free(m);
}

/* ---- clock ---- */

bool pace_take(struct pace *p, rapport_time_ms now, uint64_t interval_us, unsigned burst)
{
    uint64_t now_us = now * 1000;
    uint64_t at = p->at_us > now_us ? p->at_us : now_us;
    if (at + interval_us > now_us + burst * interval_us)
        return false;
    p->at_us = at + interval_us;
    return true;
}

static void make_stale(struct mdns *m, enum stale why)
{
    if (m->stale < why)
        m->stale = why;
}

void mdns_clock(struct mdns *m, rapport_time_ms now, uint64_t wall_ms)
{
    m->now = now;
    m->wall_ms = wall_ms;
    if (wall_ms / EPOCH_MS != m->epoch) {
        m->epoch = wall_ms / EPOCH_MS;
        make_stale(m, STALE_EPOCH);
        cache_judge(m);
    }
    if (m->judge) {
        m->judge = false;
        cache_judge(m);
    }
    mdns_freshen(m);
}

static void rotate(struct mdns *m)
{
    mdns_relabel(m);
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++) {
        struct line *line = &m->lines[i];
        if (!line->used || !plan_is_quiet(m, line))
            continue;
        line->step = STEPS; /* the goodbye was this quarter of an hour's packet */
        line->announce_due = m->now + EPOCH_MS;
    }
    mdns_freshen(m);
}

void mdns_tick(struct mdns *m, rapport_time_ms now, uint64_t wall_ms)
{
    if (m->config.mode == MDNS_OFF || m->leaving)
        return;
    mdns_clock(m, now, wall_ms);
    cache_tick(m);
    if (mdns_rotation_due(m) <= now)
        rotate(m);
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++)
        if (m->lines[i].used)
            plan_tick(m, &m->lines[i]);
    mdns_settle(m);
}

static rapport_time_ms sooner(rapport_time_ms a, rapport_time_ms b)
{
    return a < b ? a : b;
}

/* When the next tag epoch begins, as far as the clock on the wall tells now. */
static rapport_time_ms epoch_due(const struct mdns *m)
{
    return m->now + EPOCH_MS - m->wall_ms % EPOCH_MS;
}

void mdns_settle(struct mdns *m)
{
    m->due = MDNS_NEVER;
    if (m->config.mode == MDNS_OFF || m->leaving || m->stats.n_links == 0)
        return;
    m->due = sooner(cache_due(m), mdns_rotation_due(m));
    if (m->announcing || m->n_live > 0)
        m->due = sooner(m->due, epoch_due(m));
    if (m->judge || (m->stale != FRESH && m->config.mode == MDNS_ACTIVE))
        m->due = m->now;
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++)
        if (m->lines[i].used)
            m->due = sooner(m->due, plan_due(m, &m->lines[i]));
}

rapport_time_ms mdns_deadline(const struct mdns *m)
{
    return m->due;
}

/* ---- links ---- */

struct line *mdns_line(struct mdns *m, uint32_t id)
{
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++)
        if (m->lines[i].used && m->lines[i].link.id == id)
            return &m->lines[i];
    return NULL;
}

bool mdns_same_host(const struct rapport_address *a, const struct rapport_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

static bool same_link(const struct mdns_link *a, const struct mdns_link *b)
{
    bool same = a->ifindex == b->ifindex && a->family == b->family && a->n_own == b->n_own;
    for (size_t i = 0; same && i < a->n_own; i++)
        same = mdns_same_host(&a->own[i], &b->own[i]) && a->prefix[i] == b->prefix[i];
    return same;
}

static struct line *free_line(struct mdns *m)
{
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++)
        if (!m->lines[i].used)
            return &m->lines[i];
    return NULL;
}

int mdns_link_up(struct mdns *m, rapport_time_ms now, const struct mdns_link *link)
{
    struct line *line = mdns_line(m, link->id);
    if (line && same_link(&line->link, link))
        return 0;
    if (!line) {
        line = free_line(m);
        if (!line)
            return RAPPORT_LIMIT;
        *line = (struct line){.used = true, .answer_due = MDNS_NEVER};
        m->stats.n_links++;
    }
    m->now = now;
    line->link = *link;
    plan_asking(m, line, m->config.mode != MDNS_OFF);
    mdns_relabel(m);
    mdns_settle(m);
    return 0;
}

void mdns_link_down(struct mdns *m, rapport_time_ms now, uint32_t id)
{
    struct line *line = mdns_line(m, id);
    if (!line)
        return;
    m->now = now;
    line->used = false;
    line->owes = 0;
    line->shown = false;
    m->stats.n_links--;
    size_t kept = 0;
    for (size_t i = 0; i < m->n_replies; i++)
        if (&m->lines[m->replies[i].line] != line)
            m->replies[kept++] = m->replies[i];
    m->n_replies = kept;
    cache_drop_line(m, line);
    mdns_settle(m);
}

/* ---- settings ---- */

void mdns_set_port(struct mdns *m, rapport_time_ms now, uint16_t port)
{
    if (m->beacon.port == port)
        return;
    m->now = now;
    mdns_relabel(m);
    m->beacon.port = port;
    mdns_settle(m);
}

void mdns_set_tags(struct mdns *m, rapport_time_ms now)
{
    m->now = now;
    m->judge = true;
    make_stale(m, STALE_TAGS);
    mdns_settle(m);
}

void mdns_set_peers(struct mdns *m, rapport_time_ms now, size_t n_connected)
{
    m->now = now;
    m->n_peers = n_connected;
    mdns_settle(m);
}

static size_t find_connected(const struct mdns *m, const struct rapport_address *a)
{
    for (size_t i = 0; i < m->n_connected; i++)
        if (address_equal(&m->connected[i], a))
            return i;
    return m->n_connected;
}

void mdns_connected(struct mdns *m, rapport_time_ms now, const struct rapport_address *address,
                    bool connected)
{
    size_t at = find_connected(m, address);
    if (connected == (at < m->n_connected) || (connected && m->n_connected == MOST_CONNECTED))
        return;
    m->now = now;
    if (connected)
        m->connected[m->n_connected++] = *address;
    else
        m->connected[at] = m->connected[--m->n_connected];
    cache_connections(m);
    mdns_settle(m);
}

void mdns_restart(struct mdns *m, rapport_time_ms now)
{
    m->now = now;
    m->leaving = false;
    mdns_relabel(m);
    cache_doubt(m);
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++)
        if (m->lines[i].used)
            plan_asking(m, &m->lines[i], m->config.mode != MDNS_OFF);
    mdns_settle(m);
}

void mdns_goodbye(struct mdns *m, rapport_time_ms now)
{
    m->now = now;
    m->leaving = true;
    m->n_replies = 0;
    for (size_t i = 0; i < MDNS_MOST_LINKS; i++) {
        struct line *line = &m->lines[i];
        line->owes = line->used && line->shown ? OWES_BYE : 0;
    }
    mdns_settle(m);
}

/* ---- figures ---- */

void mdns_stats(const struct mdns *m, struct mdns_stats *out)
{
    *out = m->stats;
    out->n_instances = m->n_live;
    out->n_known = m->n_known;
}

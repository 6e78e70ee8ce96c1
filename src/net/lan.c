/*
 * lan.c - the engine of net/mdns.h on a loop: which links there are, packets in and out, its clock.
 * See lan.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "net/address.h"
#include "net/lan_state.h"

static uint64_t wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the engine ---- */

static struct lan_link *link_of(struct lan *l, uint32_t id)
{
    for (size_t i = 0; i < l->n_links; i++)
        if (l->links[i]->at.id == id)
            return l->links[i];
    return NULL;
}

static void on_tick(uv_timer_t *timer);

static void arm(struct lan *l)
{
    rapport_time_ms at = mdns_deadline(l->engine), now = rapport_uv_now();
    if (l->closing)
        return;
    if (at == UINT64_MAX) {
        (void)uv_timer_stop(&l->tick);
        return;
    }
    uv_update_time(l->config.loop);
    (void)uv_timer_start(&l->tick, on_tick, at > now ? at - now : 1, 0);
}

/* After each call of the engine: carries out what follows from it. */
static void drain(struct lan *l)
{
    struct mdns_packet packet;
    struct mdns_found found;
    while (mdns_next_packet(l->engine, &packet)) {
        struct lan_link *k = link_of(l, packet.link);
        if (k)
            lan_link_send(k, &packet);
    }
    while (mdns_next_found(l->engine, &found))
        if (!l->closing)
            l->config.found(l->config.user, &found);
    arm(l);
}

static void on_tick(uv_timer_t *timer)
{
    struct lan *l = timer->data;
    mdns_tick(l->engine, rapport_uv_now(), wall_ms());
    drain(l);
}

void lan_received(struct lan_link *k, const struct rapport_address *source, bool unicast,
                  struct slice bytes)
{
    const struct mdns_arrival arrival = {k->at.id, unicast, *source, bytes};
    mdns_receive(k->lan->engine, rapport_uv_now(), wall_ms(), &arrival);
    drain(k->lan);
}

/* ---- what is announced on a link ---- */

static bool is_usable(const struct links_address *a)
{
    return !a->tentative && !a->deprecated && !address_is_loopback(&a->address);
}

static void add_own(struct mdns_link *link, const struct links_address *a)
{
    if (link->n_own == MDNS_MOST_OWN)
        return;
    link->own[link->n_own] = a->address;
    link->prefix[link->n_own++] = a->prefix;
}

/* A stable address says whose machine it is for as long as it stays: where the same network has
   given a temporary one, that is told. */
static bool has_temporary(const struct links_interface *i, const struct links_address *a)
{
    for (size_t k = 0; k < i->n; k++)
        if (i->list[k].temporary && is_usable(&i->list[k]) &&
            memcmp(i->list[k].address.bytes, a->address.bytes, 8) == 0)
            return true;
    return false;
}

enum rank {
    RANK_LINK_LOCAL, /* IPv6 */
    RANK_TEMPORARY,
    RANK_IPV4,
    RANK_STABLE,
    RANK_NONE,
};

static enum rank rank_of(const struct links_interface *i, const struct links_address *a)
{
    if (!is_usable(a))
        return RANK_NONE;
    if (a->address.family == 4)
        return RANK_IPV4;
    if (address_is_link_local(&a->address))
        return RANK_LINK_LOCAL;
    if (a->temporary)
        return RANK_TEMPORARY;
    return has_temporary(i, a) ? RANK_NONE : RANK_STABLE;
}

/* At most two temporary ones, so that IPv4 has room. */
static void list_own(const struct links_interface *i, struct mdns_link *link)
{
    for (enum rank rank = RANK_LINK_LOCAL; rank < RANK_NONE; rank++) {
        size_t n = 0;
        for (size_t k = 0; k < i->n; k++)
            if (rank_of(i, &i->list[k]) == rank && (rank >= RANK_IPV4 || n++ < 1 + (size_t)rank))
                add_own(link, &i->list[k]);
    }
}

static bool has_family(const struct mdns_link *link)
{
    for (size_t i = 0; i < link->n_own; i++)
        if (link->own[i].family == link->family)
            return true;
    return false;
}

static bool same_own(const struct mdns_link *a, const struct mdns_link *b)
{
    if (a->n_own != b->n_own)
        return false;
    for (size_t i = 0; i < a->n_own; i++)
        if (!address_equal(&a->own[i], &b->own[i]) || a->prefix[i] != b->prefix[i])
            return false;
    return true;
}

/* ---- following the machine's links ---- */

static void drop_link(struct lan *l, size_t at)
{
    struct lan_link *k = l->links[at];
    l->links[at] = l->links[--l->n_links];
    mdns_link_down(l->engine, rapport_uv_now(), k->at.id);
    lan_link_close(k);
}

static void trace_link(const struct lan *l, const struct lan_link *k)
{
    char line[128];
    if (!l->config.trace)
        return;
    (void)snprintf(line, sizeof line, "looking for friends on %s, IPv%u%s", k->name, k->at.family,
                   k->group_error ? " (only by asking: port 5353 is not to be had)" : "");
    l->config.trace(l->config.user, line);
}

static void add_link(struct lan *l, const struct links_interface *i, const struct mdns_link *at)
{
    struct lan_link *k = l->n_links < MDNS_MOST_LINKS ? calloc(1, sizeof *k) : NULL;
    if (!k)
        return; /* deaf there until the next look */
    k->lan = l;
    k->at = *at;
    k->since = rapport_uv_now();
    memcpy(k->name, i->name, sizeof k->name);
    lan_link_open(k);
    l->links[l->n_links++] = k;
    l->n_open++;
    trace_link(l, k);
    (void)mdns_link_up(l->engine, rapport_uv_now(), at);
}

static void look_at(struct lan *l, const struct links_interface *i, uint8_t family)
{
    struct mdns_link at = {
        .id = i->index * 2 + (family == 6), .ifindex = i->index, .family = family};
    struct lan_link *k = link_of(l, at.id);
    list_own(i, &at);
    if (!has_family(&at) || (k && same_own(&k->at, &at)))
        return;
    if (!k) {
        add_link(l, i, &at);
        return;
    }
    k->at = at;
    (void)mdns_link_up(l->engine, rapport_uv_now(), &at);
}

/* Still there, with an address of the family, and both sockets in order. */
static bool is_current(const struct lan_link *k, const struct links_list *list)
{
    for (size_t n = 0; n < list->n; n++) {
        struct mdns_link at = {.family = k->at.family};
        if (list->list[n].index != k->at.ifindex)
            continue;
        list_own(&list->list[n], &at);
        return !links_unsuitable(&list->list[n]) && has_family(&at) && !k->group_error &&
               !k->one_shot_error;
    }
    return false;
}

void lan_look(struct lan *l)
{
    struct links_list list;
    if (l->closing)
        return;
    links_read(&list);
    for (size_t i = l->n_links; i-- > 0;)
        if (!is_current(l->links[i], &list))
            drop_link(l, i);
    for (size_t i = 0; i < list.n; i++) {
        if (links_unsuitable(&list.list[i]))
            continue;
        look_at(l, &list.list[i], 6);
        look_at(l, &list.list[i], 4);
    }
    drain(l);
}

void lan_restart(struct lan *l)
{
    if (l->closing)
        return;
    lan_look(l);
    mdns_restart(l->engine, rapport_uv_now());
    drain(l);
}

/* ---- what the engine is told ---- */

void lan_set_port(struct lan *l, uint16_t port)
{
    l->port = port;
    mdns_set_port(l->engine, rapport_uv_now(), port);
    drain(l);
}

void lan_set_tags(struct lan *l)
{
    mdns_set_tags(l->engine, rapport_uv_now());
    drain(l);
}

void lan_set_peers(struct lan *l, size_t n_connected)
{
    mdns_set_peers(l->engine, rapport_uv_now(), n_connected);
    drain(l);
}

void lan_connected(struct lan *l, const struct rapport_address *address, bool connected)
{
    mdns_connected(l->engine, rapport_uv_now(), address, connected);
    drain(l);
}

void lan_stats(const struct lan *l, struct mdns_stats *out)
{
    mdns_stats(l->engine, out);
}

/* ---- life ---- */

int lan_open(const struct lan_config *config, struct lan **out)
{
    struct mdns_config engine = {
        .mode = config->mode, .user = config->user, .tags = config->tags, .knows = config->knows};
    struct lan *l = calloc(1, sizeof *l);
    if (!l)
        return RAPPORT_NOMEM;
    l->config = *config;
    l->since = rapport_uv_now();
    int error = getrandom(engine.seed, sizeof engine.seed, 0) == (ssize_t)sizeof engine.seed
                    ? mdns_create(&engine, &l->engine)
                    : RAPPORT_IO;
    if (error) {
        free(l);
        return error;
    }
    (void)uv_timer_init(config->loop, &l->tick);
    l->tick.data = l;
    l->n_open = 1;
    lan_look(l);
    *out = l;
    return 0;
}

/* Libuv has let go of the timer or of a link. */
static void release(struct lan *l)
{
    if (--l->n_open)
        return;
    void (*closed)(void *user) = l->closed;
    void *user = l->closed_user;
    mdns_destroy(l->engine);
    free(l);
    closed(user);
}

void lan_link_closed(struct lan_link *k)
{
    struct lan *l = k->lan;
    free(k);
    release(l);
}

static void on_tick_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void close_all(struct lan *l)
{
    while (l->n_links)
        lan_link_close(l->links[--l->n_links]);
    uv_close((uv_handle_t *)&l->tick, on_tick_closed);
}

static void on_goodbye(uv_timer_t *timer)
{
    struct lan *l = timer->data;
    mdns_goodbye(l->engine, rapport_uv_now());
    drain(l);
    close_all(l);
}

void lan_close(struct lan *l, void (*closed)(void *user), void *user)
{
    bool told = l->config.mode == MDNS_ACTIVE && l->port && l->n_links;
    l->closed = closed;
    l->closed_user = user;
    l->closing = true;
    (void)uv_timer_stop(&l->tick);
    if (!told) {
        close_all(l);
        return;
    }
    mdns_goodbye(l->engine, rapport_uv_now());
    drain(l);
    (void)uv_timer_start(&l->tick, on_goodbye, LAN_GOODBYE_MS, 0);
}

/*
 * discover.c - between the driver and those who find friends without addresses: what LAN and
 * tailnet find becomes CANDIDATE and CANDIDATE_LOST, given from the loop; who is connected is told
 * back to them. See discover.h and rapport_uv_discover.
 *
 * They may find something at any time, also within an effect, so it is queued. The queue is
 * bounded: whoever is beyond it is found again with his next announcement.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/lan.h"
#include "net/net.h"
#include "net/tailnet.h"

enum {
    DISCOVER_MOST_FOUND = 256, /* that wait to be given */
    DISCOVER_LOOK_MS = 200,    /* after the node was stepped: who is connected now */
};

struct found {
    struct rapport_address address;
    enum rapport_source source;
    uint64_t who;
    bool lost;
};

struct discover {
    struct rapport_uv *uv;
    enum rapport_uv_lan lan_mode;
    enum rapport_uv_tailnet tailnet_mode;
    char *tailscaled, *tailnet_tag; /* NULL: the default */
    struct lan *lan;                /* NULL: off */
    struct tailnet *tailnet;        /* NULL: off */
    uint8_t tags[RAPPORT_TAGS]
                [RAPPORT_TAG_BYTES]; /* of a beacon that is never sent: to see change */
    uv_timer_t look;
    unsigned n_open; /* the timer, and what else has to close */
    struct found found[DISCOVER_MOST_FOUND];
    size_t n_found;
    struct rapport_address connected[RAPPORT_MOST_LINKS]; /* as was told last */
    size_t n_connected;
};

static struct rapport_node *node_of(const struct discover *d)
{
    return d->uv->config.node(d->uv->config.user);
}

/* ---- what was found ---- */

static void find(struct discover *d, const struct found *found)
{
    if (d->n_found == DISCOVER_MOST_FOUND)
        return;
    d->found[d->n_found++] = *found;
    uv_owe(d->uv);
}

void discover_settle(struct rapport_uv *uv)
{
    struct discover *d = uv->discover;
    struct found found[DISCOVER_MOST_FOUND];
    size_t n = d ? d->n_found : 0;
    if (!n)
        return;
    /* Giving one may find more: those wait a turn. */
    memcpy(found, d->found, n * sizeof found[0]);
    d->n_found = 0;
    for (size_t i = 0; i < n; i++) {
        struct rapport_event event = {.kind = found[i].lost ? RAPPORT_EVENT_CANDIDATE_LOST
                                                            : RAPPORT_EVENT_CANDIDATE,
                                      .address = found[i].address,
                                      .source = found[i].source,
                                      .who = found[i].who};
        uv_give(uv, &event);
    }
}

/* ---- who is connected ---- */

static bool holds(const struct rapport_address *list, size_t n, const struct rapport_address *a)
{
    for (size_t i = 0; i < n; i++)
        if (address_equal(&list[i], a))
            return true;
    return false;
}

static void tell(struct discover *d, const struct rapport_address *address, bool connected)
{
    if (d->lan)
        lan_connected(d->lan, address, connected);
    if (d->tailnet)
        tailnet_connected(d->tailnet, address, connected);
}

/* Joined, invited, another epoch: the report is found by other tags. At a time that stands still,
   so that they do not differ by it. */
static void look_at_tags(struct discover *d)
{
    struct rapport_beacon beacon = {.port = RAPPORT_UV_PORT};
    (void)rapport_node_tags(node_of(d), 0, &beacon);
    if (d->lan && memcmp(d->tags, beacon.tags, sizeof d->tags) != 0)
        lan_set_tags(d->lan);
    memcpy(d->tags, beacon.tags, sizeof d->tags);
}

static void on_look(uv_timer_t *timer)
{
    struct discover *d = timer->data;
    struct rapport_address now[RAPPORT_MOST_LINKS];
    struct rapport_peer_info peer;
    size_t n = 0, at = 0;
    while (rapport_node_next_peer(node_of(d), &at, &peer)) {
        if (peer.state == RAPPORT_LINK_CONNECTED && n < RAPPORT_MOST_LINKS)
            now[n++] = peer.address;
        else if (peer.source == RAPPORT_SOURCE_REMEMBERED && d->tailnet)
            tailnet_remember(d->tailnet, &peer.address);
    }
    for (size_t i = 0; i < d->n_connected; i++)
        if (!holds(now, n, &d->connected[i]))
            tell(d, &d->connected[i], false);
    for (size_t i = 0; i < n; i++)
        if (!holds(d->connected, d->n_connected, &now[i]))
            tell(d, &now[i], true);
    memcpy(d->connected, now, n * sizeof now[0]);
    if (d->lan && n != d->n_connected)
        lan_set_peers(d->lan, n);
    d->n_connected = n;
    look_at_tags(d);
}

void discover_touch(struct rapport_uv *uv)
{
    struct discover *d = uv->discover;
    if (d && !uv->closing && !uv_is_active((uv_handle_t *)&d->look))
        (void)uv_timer_start(&d->look, on_look, DISCOVER_LOOK_MS, 0);
}

void discover_moved(struct rapport_uv *uv, bool woke)
{
    struct discover *d = uv->discover;
    if (d && d->lan && woke)
        lan_restart(d->lan);
    else if (d && d->lan)
        lan_look(d->lan);
    if (d && d->tailnet)
        tailnet_restart(d->tailnet);
}

void discover_tried(struct rapport_uv *uv, const struct rapport_effect *effect)
{
    struct discover *d = uv->discover;
    if (d && d->tailnet)
        tailnet_tried(d->tailnet, &effect->address, effect->error);
}

/* ---- the LAN ---- */

static size_t lan_tags(void *user, uint64_t wall_ms, struct rapport_beacon *beacon)
{
    return rapport_node_tags(node_of(user), wall_ms, beacon);
}

static bool lan_knows(void *user, uint64_t wall_ms, const struct rapport_beacon *beacon)
{
    return rapport_node_knows_beacon(node_of(user), wall_ms, beacon);
}

static void lan_found(void *user, const struct mdns_found *f)
{
    const struct found found = {f->address, RAPPORT_SOURCE_LAN, f->who, f->lost};
    find(user, &found);
}

static void lan_trace(void *user, const char *line)
{
    const struct discover *d = user;
    uv_trace(d->uv, "%s", line);
}

static int open_lan(struct discover *d)
{
    const struct lan_config config = {
        .loop = d->uv->config.loop,
        .mode = d->lan_mode == RAPPORT_UV_LAN_ON ? MDNS_ACTIVE : MDNS_PASSIVE,
        .user = d,
        .tags = lan_tags,
        .knows = lan_knows,
        .found = lan_found,
        .trace = lan_trace,
    };
    if (d->lan_mode == RAPPORT_UV_LAN_OFF)
        return 0;
    int error = lan_open(&config, &d->lan);
    if (error)
        return error;
    d->n_open++;
    lan_set_port(d->lan, listen_port(d->uv));
    return 0;
}

/* ---- the tailnet ---- */

static bool tailnet_wanted(void *user)
{
    return rapport_node_has_company(node_of(user));
}

static void tailnet_found(void *user, const struct rapport_address *address, uint64_t who)
{
    const struct found found = {*address, RAPPORT_SOURCE_TAILNET, who, false};
    find(user, &found);
}

static void tailnet_lost(void *user, const struct rapport_address *address)
{
    const struct found found = {*address, RAPPORT_SOURCE_TAILNET, 0, true};
    find(user, &found);
}

/* With an interface its coming and going is seen among the links; without one only here. */
static void tailnet_moved(void *user)
{
    struct discover *d = user;
    struct rapport_address own[TAILNET_MOST_IPS];
    bool tun;
    size_t n = tailnet_own(d->tailnet, own, TAILNET_MOST_IPS, &tun);
    if (n && !tun)
        listen_moved(d->uv);
}

static int open_tailnet(struct discover *d)
{
    static const enum tailnet_mode modes[] = {[RAPPORT_UV_TAILNET_OFF] = TAILNET_MODE_OFF,
                                              [RAPPORT_UV_TAILNET_OWN] = TAILNET_MODE_OWN,
                                              [RAPPORT_UV_TAILNET_ON] = TAILNET_MODE_ON};
    const struct tailnet_config config = {
        .loop = d->uv->config.loop,
        .mode = modes[d->tailnet_mode],
        .socket = d->tailscaled,
        .tag = d->tailnet_tag,
        .port = RAPPORT_UV_PORT,
        .user = d,
        .wanted = tailnet_wanted,
        .found = tailnet_found,
        .lost = tailnet_lost,
        .moved = tailnet_moved,
    };
    if (d->tailnet_mode == RAPPORT_UV_TAILNET_OFF)
        return 0;
    int error = tailnet_open(&config, &d->tailnet);
    d->n_open += !error;
    return error;
}

size_t discover_own(const struct rapport_uv *uv, struct rapport_address *out, size_t most)
{
    const struct discover *d = uv->discover;
    bool tun = true;
    size_t n = d && d->tailnet ? tailnet_own(d->tailnet, out, most, &tun) : 0;
    return tun ? 0 : n;
}

bool discover_via(const struct rapport_uv *uv, const struct rapport_address *address,
                  struct tailnet_via *out)
{
    const struct discover *d = uv->discover;
    struct rapport_address own;
    if (!d || !d->tailnet)
        return false;
    if (address ? !tailnet_needs_proxy(d->tailnet, address) : !discover_own(uv, &own, 1))
        return false;
    tailnet_via(d->tailnet, out);
    return true;
}

bool discover_machine(const struct rapport_uv *uv, const char *id, struct rapport_address *out)
{
    const struct discover *d = uv->discover;
    return d && d->tailnet && tailnet_machine(d->tailnet, id, out);
}

/* ---- life ---- */

static void release(struct discover *d)
{
    free(d->tailscaled);
    free(d->tailnet_tag);
    free(d);
}

static int copy(const char *from, char **out)
{
    *out = from ? strdup(from) : NULL;
    return from && !*out ? RAPPORT_NOMEM : 0;
}

int rapport_uv_discover(struct rapport_uv *uv, const struct rapport_uv_discovery *what)
{
    if (!uv->config.node || uv->discover || uv->closing)
        return RAPPORT_INVALID;
    struct discover *d = calloc(1, sizeof *d);
    if (!d)
        return RAPPORT_NOMEM;
    d->uv = uv;
    d->lan_mode = what->lan;
    d->tailnet_mode = what->tailnet;
    int error = copy(what->tailscaled, &d->tailscaled);
    error = error ? error : copy(what->tailnet_tag, &d->tailnet_tag);
    if (error) {
        release(d);
        return error;
    }
    (void)uv_timer_init(uv->config.loop, &d->look);
    d->look.data = d;
    d->n_open = 1;
    uv->discover = d;
    uv->n_handles++;
    look_at_tags(d);
    error = open_lan(d);
    return error ? error : open_tailnet(d);
}

static void on_part_closed(void *user)
{
    struct discover *d = user;
    struct rapport_uv *uv = d->uv;
    if (--d->n_open)
        return;
    release(d);
    uv->discover = NULL;
    uv->n_handles--;
    uv_release(uv);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void discover_close(struct rapport_uv *uv)
{
    struct discover *d = uv->discover;
    if (!d)
        return;
    uv_close((uv_handle_t *)&d->look, on_timer_closed);
    if (d->lan)
        lan_close(d->lan, on_part_closed, d);
    if (d->tailnet)
        tailnet_close(d->tailnet, on_part_closed, d);
}

/* ---- asking ---- */

static bool tailnet_has(const struct rapport_uv *uv, const struct rapport_address *address,
                        struct discover_path *out)
{
    static const enum discover_path_kind kinds[] = {[TAILNET_PATH_NONE] = DISCOVER_ROUTED,
                                                    [TAILNET_PATH_DIRECT] = DISCOVER_DIRECT,
                                                    [TAILNET_PATH_RELAYED] = DISCOVER_RELAYED,
                                                    [TAILNET_PATH_UNKNOWN] = DISCOVER_TAILNET};
    const struct discover *d = uv->discover;
    struct tailnet_path path = {.kind = TAILNET_PATH_NONE};
    if (d && d->tailnet)
        tailnet_path(d->tailnet, address, &path);
    if (path.kind == TAILNET_PATH_NONE)
        return false;
    out->kind = kinds[path.kind];
    memcpy(out->relay, path.relay, sizeof out->relay);
    out->offline = path.machine[0] && !path.online && tailnet_is_running(d->tailnet);
    return true;
}

static bool is_own(const struct rapport_uv *uv, const struct rapport_address *address)
{
    for (size_t i = 0; i < uv->n_own; i++) {
        struct rapport_address own = uv->own[i];
        own.port = address->port;
        if (address_equal(&own, address))
            return true;
    }
    return address_is_loopback(address);
}

void discover_path(const struct rapport_uv *uv, const struct rapport_address *address,
                   struct discover_path *out)
{
    *out = (struct discover_path){.kind = DISCOVER_ROUTED};
    if (is_own(uv, address))
        out->kind = DISCOVER_HERE;
    else if (!tailnet_has(uv, address, out) && interfaces_near(links_now(uv->links), address))
        out->kind = DISCOVER_LAN;
}

static void view_lan(const struct discover *d, struct discover_view *out)
{
    struct mdns_stats stats;
    lan_stats(d->lan, &stats);
    out->n_links = stats.n_links;
    out->lan_heard = stats.last_foreign;
    out->friend_heard = stats.last_known;
    out->n_instances = stats.n_instances;
    out->n_friends = stats.n_known;
    out->lan_since = lan_view(d->lan, out->links, sizeof out->links);
}

void discover_view(const struct rapport_uv *uv, struct discover_view *out)
{
    const struct discover *d = uv->discover;
    *out = (struct discover_view){.lan = d ? d->lan_mode : RAPPORT_UV_LAN_OFF,
                                  .tailnet = d ? d->tailnet_mode : RAPPORT_UV_TAILNET_OFF};
    if (d && d->lan)
        view_lan(d, out);
    if (!d || !d->tailnet)
        return;
    out->tailnet_running = tailnet_is_running(d->tailnet);
    out->n_machines = tailnet_asked(d->tailnet);
    (void)snprintf(out->trouble, sizeof out->trouble, "%s", tailnet_trouble(d->tailnet));
}

void discover_findings(const struct rapport_uv *uv, struct findings *f)
{
    const struct discover *d = uv->discover;
    if (d && d->lan)
        lan_findings(d->lan, f);
    else
        finding_add(f, FINDING_NOTE, "lan", NULL, "friends are not looked for on the LAN");
    if (d && d->tailnet)
        tailnet_findings(d->tailnet, f);
    else
        finding_add(f, FINDING_NOTE, "tailnet", NULL, "friends are not looked for on the tailnet");
}

/*
 * service_ways.c - the ways to friends as the host asks for them: path of an address, last word of
 * somebody who is gone, and what is in the way (daemon/trouble.h).
 */
#include <stdio.h>

#include "daemon/service_state.h"
#include "daemon/trouble.h"
#include "host/people.h"

enum {
    LATER_MS = 2000 /* an announcement so much after somebody's last word is of later */
};

static void ways_path(void *user, const struct rapport_address *address, struct host_path *out)
{
    const struct service *r = user;
    struct discover_path path;
    static const struct host_path known[] = {
        [DISCOVER_HERE] = {.kind = "here", .words = "this machine"},
        [DISCOVER_LAN] = {.kind = "lan", .words = "LAN"},
        [DISCOVER_DIRECT] = {.kind = "tailnet-direct", .words = "tailnet, direct"},
        [DISCOVER_RELAYED] = {.kind = "tailnet-relayed", .words = "tailnet, relayed"},
        [DISCOVER_TAILNET] = {.kind = "tailnet", .words = "tailnet"},
        [DISCOVER_ROUTED] = {.kind = "internet", .words = "internet"},
    };
    if (!r->uv)
        return;
    discover_path(r->uv, address, &path);
    *out = known[path.kind];
    out->offline = path.offline;
    if (path.kind == DISCOVER_RELAYED && path.relay[0])
        (void)snprintf(out->words, sizeof out->words, "tailnet, relayed by %s", path.relay);
}

static uint64_t ways_heard(void *user, const uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    return people_heard(user, device);
}

/* ---- what is in the way ---- */

static void count_session(struct service *r, const struct rapport_peer_info *p,
                          struct trouble_facts *t)
{
    struct host_path path;
    people_path(r->host, p, &path);
    t->lan_connected = t->lan_connected || strcmp(path.kind, "lan") == 0;
    t->tailnet_connected = t->tailnet_connected || strncmp(path.kind, "tailnet", 7) == 0;
}

/* He was connected a moment ago, and no announcement since then says that he is still there. */
static bool just_left(const struct people_friend *friend, const struct trouble_facts *t)
{
    uint64_t now = host_wall(), word_ago = now - friend->last_heard;
    bool announced = t->view.friend_heard && t->now - t->view.friend_heard + LATER_MS < word_ago;
    return !friend->connected && friend->last_heard && word_ago < TROUBLE_AWAY_MS && !announced;
}

static void count_friends(struct service *r, struct trouble_facts *t)
{
    struct people_friend friend;
    size_t at = 0;
    while (people_next_friend(r->host, &at, &friend)) {
        t->n_friends++;
        t->n_connected += friend.connected;
        t->n_just_left += just_left(&friend, t);
    }
}

/* One machine announces several addresses, so rows alone are too many. */
static void count_peers(struct service *r, struct trouble_facts *t)
{
    struct rapport_peer_info p;
    size_t at = 0;
    while (rapport_node_next_peer(host_node(r->host), &at, &p)) {
        if (p.state == RAPPORT_LINK_CONNECTED)
            count_session(r, &p, t);
        else
            t->n_unreached += p.on_lan && p.n_tries && p.last_error;
    }
    if (t->n_unreached > t->view.n_friends)
        t->n_unreached = t->view.n_friends;
}

void ways_facts(struct service *r, struct trouble_facts *t)
{
    struct rapport_address at;
    *t = (struct trouble_facts){.now = rapport_uv_now(), .on_network = r->on_network};
    discover_view(r->uv, &t->view);
    count_friends(r, t);
    count_peers(r, t);
    if (rapport_uv_listening(r->uv, &at, 1))
        t->port = at.port;
}

static void ways_trouble(void *user, void *to,
                         void (*say)(void *to, const char *text, const char *todo))
{
    struct service *r = user;
    struct trouble_facts facts;
    struct findings found = {0};
    if (!r->uv)
        return;
    ways_facts(r, &facts);
    trouble_find(&facts, &found);
    for (size_t i = 0; i < found.n; i++)
        say(to, found.list[i].text, found.list[i].todo);
    findings_clear(&found);
}

/* ---- where friends are looked for ---- */

static void put_lan(const struct discover_view *v, struct buf *out)
{
    buf_printf(out, "the LAN (%s%s)", v->links[0] ? v->links : "no interface yet",
               v->lan == RAPPORT_UV_LAN_PASSIVE ? ", without being found" : "");
}

static void put_tailnet(const struct discover_view *v, bool has_company, struct buf *out)
{
    bool own = v->tailnet == RAPPORT_UV_TAILNET_OWN;
    if (!v->tailnet_running) {
        buf_printf(out, "the tailnet (%s)", v->trouble[0] ? v->trouble : "once there is one");
        return;
    }
    buf_printf(out, "the tailnet (%zu %s%s%s; --tailnet %s narrows it)", v->n_machines,
               own ? "of your own " : "", v->n_machines == 1 ? "machine" : "machines",
               has_company ? "" : ", as soon as a friend is invited", own ? "off" : "own or off");
}

void ways_say(struct service *r)
{
    struct discover_view v;
    struct buf line = BUF_INIT;
    discover_view(r->uv, &v);
    bool lan = v.lan != RAPPORT_UV_LAN_OFF, tailnet = v.tailnet != RAPPORT_UV_TAILNET_OFF;
    if (!lan && !tailnet)
        return;
    buf_append_str(&line, "looking for friends on ");
    if (lan)
        put_lan(&v, &line);
    if (lan && tailnet)
        buf_append_str(&line, " and ");
    if (tailnet)
        put_tailnet(&v, rapport_node_has_company(host_node(r->host)), &line);
    if (buf_cstr(&line))
        service_say(r, "%s", (const char *)line.ptr);
    buf_clear(&line);
}

void ways_hooks(struct host_hooks *hooks)
{
    hooks->path = ways_path;
    hooks->last_heard = ways_heard;
    hooks->trouble = ways_trouble;
}

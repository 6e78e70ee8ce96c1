/* ops_people.c - verbs about who is there: peers, members, and the part of status about friends. */
#include <stdio.h>

#include "host/ops_parts.h"
#include "host/people.h"

/* ---- words ---- */

static const char *state_name(enum rapport_link_state state)
{
    switch (state) {
    case RAPPORT_LINK_WAITING:
        return "waiting";
    case RAPPORT_LINK_DIALLING:
        return "dialling";
    case RAPPORT_LINK_HANDSHAKE:
        return "handshake";
    case RAPPORT_LINK_CONNECTED:
        return "connected";
    }
    return "";
}

static const char *source_name(enum rapport_source source)
{
    switch (source) {
    case RAPPORT_SOURCE_STATIC:
        return "static";
    case RAPPORT_SOURCE_TICKET:
        return "ticket";
    case RAPPORT_SOURCE_REMEMBERED:
        return "remembered";
    case RAPPORT_SOURCE_LAN:
        return "lan";
    case RAPPORT_SOURCE_PEER:
        return "peer";
    case RAPPORT_SOURCE_TAILNET:
        return "tailnet";
    case RAPPORT_SOURCE_INBOUND:
        return "inbound";
    }
    return "";
}

/* ---- peers ---- */

static uint64_t last_heard(struct host *h, const struct rapport_peer_info *p)
{
    if (p->last_heard_wall_ms || !p->has_device || !h->hooks.last_heard)
        return p->last_heard_wall_ms;
    return h->hooks.last_heard(h->hooks.user, p->device);
}

/* An address of a friend who is connected by another one is not tried. */
static bool is_spare(struct host *h, const struct rapport_peer_info *p)
{
    struct rapport_peer_info other;
    size_t at = 0;
    while (p->has_device && rapport_node_next_peer(h->node, &at, &other))
        if (other.state == RAPPORT_LINK_CONNECTED && other.has_device &&
            memcmp(other.device, p->device, sizeof p->device) == 0)
            return true;
    return false;
}

static void put_peer(struct host *h, struct buf *b, const struct rapport_peer_info *p)
{
    char address[PEOPLE_ADDRESS_TEXT], why[PEOPLE_WHY_TEXT] = "";
    bool connected = p->state == RAPPORT_LINK_CONNECTED;
    struct host_path path;
    people_address(&p->address, address);
    people_path(h, p, &path);
    bool spare = !connected && is_spare(h, p);
    if (spare)
        (void)snprintf(why, sizeof why, "connected by another address");
    else if (!connected)
        people_why(p, &path, why);
    mp_put_map(b, 18);
    put_str(b, "name", p->name);
    put_id(b, "device", p->device, p->has_device ? sizeof p->device : 0);
    put_str(b, "state", state_name(p->state));
    put_bool(b, "inbound", p->inbound);
    put_str(b, "address", address);
    put_str(b, "source", source_name(p->source));
    put_str(b, "error", p->last_error ? rapport_strerror(p->last_error) : "");
    put_u64(b, "last_heard", last_heard(h, p));
    put_u64(b, "rtt_ms", p->rtt_ms);
    put_u64(b, "unacknowledged", p->n_unacknowledged);
    put_u64(b, "behind", p->n_behind);
    put_bool(b, "converged", p->converged);
    put_bool(b, "digest_equal", p->digest_known && p->digest_equal);
    put_str(b, "path", path.kind);
    put_str(b, "path_text", path.words);
    put_str(b, "why", why);
    put_u64(b, "next_try", spare ? 0 : people_next_try(p));
    put_u64(b, "since", p->since_wall_ms);
}

int op_peers(struct call *c)
{
    struct rows rows = {.buf = BUF_INIT};
    struct rapport_peer_info p;
    size_t at = 0;
    while (rapport_node_next_peer(c->h->node, &at, &p)) {
        put_peer(c->h, &rows.buf, &p);
        rows.n++;
    }
    field_rows(c, "peers", &rows);
    return 0;
}

/* ---- members ---- */

int op_members(struct call *c)
{
    struct rows rows = {.buf = BUF_INIT};
    struct rapport_member_info m;
    size_t at = 0;
    while (rapport_node_next_member(c->h->node, &at, &m)) {
        mp_put_map(&rows.buf, 5);
        put_id(&rows.buf, "device", m.device, sizeof m.device);
        put_str(&rows.buf, "name", m.name);
        put_str(&rows.buf, "role", m.role);
        put_bool(&rows.buf, "self", m.self);
        put_bool(&rows.buf, "removed", m.removed);
        rows.n++;
    }
    field_rows(c, "members", &rows);
    return 0;
}

/* ---- friends ---- */

static void put_friend(struct buf *b, const struct people_friend *f)
{
    const struct rapport_peer_info *p = &f->best;
    mp_put_map(b, 15);
    put_str(b, "name", f->member.name);
    put_id(b, "device", f->member.device, sizeof f->member.device);
    put_bool(b, "connected", f->connected);
    put_str(b, "path", f->connected ? f->path.kind : "");
    put_str(b, "path_text", f->connected ? f->path.words : "");
    put_str(b, "address", f->address);
    put_u64(b, "addresses", f->n_addresses);
    put_u64(b, "rtt_ms", p->rtt_ms);
    put_u64(b, "since", p->since_wall_ms);
    put_u64(b, "last_heard", f->last_heard);
    put_u64(b, "unacknowledged", p->n_unacknowledged);
    put_u64(b, "behind", p->n_behind);
    put_bool(b, "digest_equal", p->digest_known && p->digest_equal);
    put_str(b, "why", f->why);
    put_u64(b, "next_try", f->connected ? 0 : f->next_try);
}

static void put_trouble(void *to, const char *text, const char *todo)
{
    struct rows *rows = to;
    mp_put_map(&rows->buf, 2);
    put_str(&rows->buf, "text", text);
    put_str(&rows->buf, "todo", todo);
    rows->n++;
}

void field_people(struct call *c)
{
    struct rows friends = {.buf = BUF_INIT}, network = {.buf = BUF_INIT};
    struct people_friend f;
    size_t at = 0;
    while (people_next_friend(c->h, &at, &f)) {
        put_friend(&friends.buf, &f);
        friends.n++;
    }
    if (c->h->hooks.trouble)
        c->h->hooks.trouble(c->h->hooks.user, &network, put_trouble);
    field_rows(c, "friends", &friends);
    field_rows(c, "network", &network);
}

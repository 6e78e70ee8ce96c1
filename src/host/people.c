/*
 * people.c - see people.h.
 */
#include "host/people.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "host/state.h"

void people_address(const struct rapport_address *a, char out[PEOPLE_ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "";
    (void)inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, host, sizeof host);
    if (a->family == 4)
        (void)snprintf(out, PEOPLE_ADDRESS_TEXT, "%s:%u", host, a->port);
    else if (a->scope)
        (void)snprintf(out, PEOPLE_ADDRESS_TEXT, "[%s%%%u]:%u", host, a->scope, a->port);
    else
        (void)snprintf(out, PEOPLE_ADDRESS_TEXT, "[%s]:%u", host, a->port);
}

/* The driver knows networks, the node knows that a person typed the address. */
void people_path(struct host *h, const struct rapport_peer_info *p, struct host_path *out)
{
    *out = (struct host_path){.kind = ""};
    if (h->hooks.path)
        h->hooks.path(h->hooks.user, &p->address, out);
    if (strcmp(out->kind, "internet") == 0 && p->source == RAPPORT_SOURCE_STATIC)
        *out = (struct host_path){.kind = "static", .words = "static address"};
}

static bool is_tailnet(const struct host_path *path)
{
    return strncmp(path->kind, "tailnet", 7) == 0;
}

void people_why(const struct rapport_peer_info *p, const struct host_path *path,
                char out[PEOPLE_WHY_TEXT])
{
    const char *why = p->last_error ? rapport_strerror(p->last_error) : "not tried yet";
    if (path->offline && p->state == RAPPORT_LINK_WAITING) {
        (void)snprintf(out, PEOPLE_WHY_TEXT, "the tailnet says that this machine is off line");
        return;
    }
    switch (p->last_error) {
    case RAPPORT_TIMEOUT:
        (void)snprintf(out, PEOPLE_WHY_TEXT,
                       is_tailnet(path)
                           ? "no answer: rapport is not running there, or the tailnet's policy "
                             "blocks port %u"
                           : "no answer: the machine is off, asleep or elsewhere, or a firewall "
                             "blocks port %u",
                       p->address.port);
        return;
    case RAPPORT_UNREACHABLE:
        why = "nothing answers there: rapport is not running, or there is no way there from here";
        break;
    case RAPPORT_AUTH:
    case RAPPORT_REFUSED:
    case RAPPORT_NOKEY:
        why = "another program or somebody else's rapport answers there";
        break;
    case RAPPORT_CLOSED:
        why = "the connection was ended over there";
        break;
    case 0:
        if (p->state == RAPPORT_LINK_DIALLING)
            why = "just being dialled";
        else if (p->state == RAPPORT_LINK_HANDSHAKE)
            why = "just connecting";
        break;
    default:
        break;
    }
    (void)snprintf(out, PEOPLE_WHY_TEXT, "%s", why);
}

uint64_t people_next_try(const struct rapport_peer_info *p)
{
    rapport_time_ms now = host_now();
    if (p->state != RAPPORT_LINK_WAITING || p->next_try == UINT64_MAX)
        return 0;
    return host_wall() + (p->next_try > now ? p->next_try - now : 0);
}

/* ---- friends ---- */

/* Which of a friend's addresses says most about why there is no connection: one under way, then one
   that was tried, and of these the one where something answered. */
static int telling(const struct rapport_peer_info *p)
{
    if (p->state != RAPPORT_LINK_WAITING)
        return p->state == RAPPORT_LINK_CONNECTED ? 5 : 4;
    if (p->last_error == 0)
        return 0;
    return p->last_error == RAPPORT_UNREACHABLE ? 1 : p->last_error == RAPPORT_TIMEOUT ? 2 : 3;
}

static void look_at(struct host *h, const struct rapport_member_info *m, struct people_friend *out)
{
    struct rapport_peer_info p;
    size_t at = 0;
    *out = (struct people_friend){.member = *m};
    while (rapport_node_next_peer(h->node, &at, &p)) {
        if (!p.has_device || memcmp(p.device, m->device, sizeof p.device) != 0)
            continue;
        if (out->n_addresses++ == 0 || telling(&p) > telling(&out->best))
            out->best = p;
        uint64_t next = people_next_try(&p);
        if (next && (!out->next_try || next < out->next_try))
            out->next_try = next;
    }
    out->connected = out->n_addresses && out->best.state == RAPPORT_LINK_CONNECTED;
    out->last_heard = out->best.last_heard_wall_ms;
    if (!out->last_heard && h->hooks.last_heard)
        out->last_heard = h->hooks.last_heard(h->hooks.user, m->device);
    if (out->n_addresses)
        people_path(h, &out->best, &out->path);
    if (out->n_addresses)
        people_address(&out->best.address, out->address);
    if (out->n_addresses && !out->connected)
        people_why(&out->best, &out->path, out->why);
    else if (!out->connected)
        (void)snprintf(out->why, sizeof out->why, "not seen, and no address is known");
}

bool people_next_friend(struct host *h, size_t *at, struct people_friend *out)
{
    struct rapport_member_info m;
    while (rapport_node_next_member(h->node, at, &m))
        if (!m.self && !m.removed) {
            look_at(h, &m, out);
            return true;
        }
    return false;
}

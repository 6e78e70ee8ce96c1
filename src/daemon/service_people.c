/*
 * service_people.c - who is connected, said when it changes: one line each; and when those who are
 * gone were heard last. Names come from peers and are made safe for a terminal first.
 */
#include <stdio.h>

#include "base/utf8.h"
#include "daemon/service_state.h"

static struct person *find(struct service *r, const uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    for (size_t i = 0; i < r->n_people; i++)
        if (memcmp(r->people[i].device, device, RAPPORT_DEVICE_ID_BYTES) == 0)
            return &r->people[i];
    return NULL;
}

static void name_of(char *out, size_t size, const char *name)
{
    struct buf safe = BUF_INIT;
    utf8_printable(&safe, slice_str(name && *name ? name : "a friend"), true);
    size_t len = utf8_prefix(buf_slice(&safe), size - 1);
    if (len)
        memcpy(out, safe.ptr, len);
    out[len] = '\0';
    buf_clear(&safe);
}

/* A place for somebody new: a free one, or that of whoever has been gone for longest. */
static struct person *place(struct service *r)
{
    struct person *oldest = NULL;
    if (r->n_people < SERVICE_MOST_PEOPLE)
        return &r->people[r->n_people++];
    for (size_t i = 0; i < r->n_people; i++) {
        struct person *p = &r->people[i];
        if (!p->said && !p->here && (!oldest || p->heard_ms < oldest->heard_ms))
            oldest = p;
    }
    return oldest;
}

static void came(struct service *r, const struct rapport_peer_info *peer)
{
    char text[RAPPORT_ADDRESS_TEXT];
    struct person *p = find(r, peer->device);
    if (!p && (p = place(r))) {
        *p = (struct person){0};
        memcpy(p->device, peer->device, sizeof p->device);
    }
    if (!p)
        return;
    p->here = true;
    if (peer->last_heard_wall_ms > p->heard_ms)
        p->heard_ms = peer->last_heard_wall_ms;
    if (p->said)
        return;
    p->said = true;
    name_of(p->name, sizeof p->name, peer->name);
    service_say(r, "%s is connected, %s", p->name, rapport_address_print(&peer->address, text));
}

static void say_gone(struct service *r)
{
    for (size_t i = 0; i < r->n_people; i++) {
        struct person *p = &r->people[i];
        if (p->said && !p->here)
            service_say(r, "%s is gone", p->name);
        p->said = p->here;
    }
}

static void say_joined(struct service *r, const uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    struct rapport_member_info member;
    size_t at = 0;
    while (rapport_node_next_member(host_node(r->host), &at, &member)) {
        char name[sizeof r->people[0].name];
        if (memcmp(member.device, device, RAPPORT_DEVICE_ID_BYTES) != 0)
            continue;
        name_of(name, sizeof name, member.name);
        service_say(r, "%s has joined", name);
    }
}

void people_look(struct service *r)
{
    struct rapport_peer_info peer;
    uint8_t device[RAPPORT_DEVICE_ID_BYTES];
    size_t at = 0;
    for (size_t i = 0; i < r->n_people; i++)
        r->people[i].here = false;
    while (rapport_node_next_peer(host_node(r->host), &at, &peer))
        if (peer.state == RAPPORT_LINK_CONNECTED && peer.has_device)
            came(r, &peer);
    say_gone(r);
    while (host_next_joined(r->host, device)) {
        say_joined(r, device);
        waits_joined(r, device);
    }
}

uint64_t people_heard(const struct service *r, const uint8_t device[RAPPORT_DEVICE_ID_BYTES])
{
    for (size_t i = 0; i < r->n_people; i++)
        if (memcmp(r->people[i].device, device, RAPPORT_DEVICE_ID_BYTES) == 0)
            return r->people[i].heard_ms;
    return 0;
}

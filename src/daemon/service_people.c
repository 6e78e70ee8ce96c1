/*
 * service_people.c - who is connected, said when it changes: one line each. Names come from peers
 * and are made safe for a terminal first.
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

static void came(struct service *r, const struct rapport_peer_info *peer)
{
    char text[RAPPORT_ADDRESS_TEXT];
    struct person *p = find(r, peer->device);
    if (!p && r->n_people < SERVICE_MOST_PEOPLE) {
        p = &r->people[r->n_people++];
        memcpy(p->device, peer->device, sizeof p->device);
        p->here = false;
        name_of(p->name, sizeof p->name, peer->name);
        service_say(r, "%s is connected, %s", p->name, rapport_address_print(&peer->address, text));
    }
    if (p)
        p->here = true;
}

static void drop_those_gone(struct service *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->n_people; i++) {
        if (!r->people[i].here)
            service_say(r, "%s is gone", r->people[i].name);
        else
            r->people[kept++] = r->people[i];
    }
    r->n_people = kept;
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
    drop_those_gone(r);
    while (host_next_joined(r->host, device)) {
        say_joined(r, device);
        waits_joined(r, device);
    }
}

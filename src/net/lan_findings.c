/*
 * lan_findings.c - what a person is told about the LAN.
 */
#include <stdio.h>

#include "net/lan_state.h"

enum {
    ALONE_MS = 10000, /* without a packet of anybody else: worth saying */
    LINE_BYTES = 512,
};

/* Sockets of the machine on the port of mDNS, ours among them; 0 where the system does not tell.
   "  12: FB0000E0:14E9 00000000:0000 07 ..." (proc(5)). */
static size_t count_bound(const char *path)
{
    char line[LINE_BYTES];
    FILE *f = fopen(path, "re");
    size_t n = 0;
    unsigned port;
    while (f && fgets(line, sizeof line, f))
        n += sscanf(line, "%*u: %*[0-9A-Fa-f]:%x", &port) == 1 && port == MDNS_PORT;
    if (f)
        (void)fclose(f);
    return n;
}

static void tell_port(const struct lan *l, struct findings *f)
{
    size_t own = 0, deaf = 0;
    for (size_t i = 0; i < l->n_links; i++) {
        own += !l->links[i]->group_error;
        deaf += l->links[i]->group_error != 0;
    }
    size_t all = count_bound("/proc/net/udp") + count_bound("/proc/net/udp6");
    if (deaf)
        finding_add(f, FINDING_PROBLEM, "lan",
                    "look which program has UDP port 5353 for itself alone: ss -ulpn sport = :5353",
                    "UDP port 5353 is not to be had: friends are found by asking, but do not find "
                    "this machine");
    else if (all > own)
        finding_add(f, FINDING_FINE, "lan", NULL,
                    "UDP port 5353 is shared with another program (such as avahi-daemon), as it "
                    "is meant to be");
}

static void tell_link(const struct lan_link *k, struct findings *f)
{
    if (k->send_error)
        finding_add(f, FINDING_PROBLEM, "lan", "see whether a firewall forbids multicast",
                    "%s, IPv%u: nothing can be sent: %s", k->name, k->at.family,
                    uv_strerror(k->send_error));
    else
        finding_add(f, FINDING_FINE, "lan", NULL, "%s, IPv%u: looking for friends", k->name,
                    k->at.family);
}

static void tell_skipped(struct findings *f)
{
    struct links_list list;
    links_read(&list);
    for (size_t i = 0; i < list.n; i++) {
        const char *why = links_unsuitable(&list.list[i]);
        if (why && !(list.list[i].flags & IFF_LOOPBACK))
            finding_add(f, FINDING_NOTE, "lan", NULL, "%s is left out: %s", list.list[i].name, why);
    }
}

static void tell_heard(const struct lan *l, const struct mdns_stats *s, struct findings *f)
{
    if (s->last_foreign)
        finding_add(f, FINDING_FINE, "lan", NULL,
                    "%zu announced themselves, %zu of them friends; %llu packets sent, %llu heard",
                    s->n_instances, s->n_known, (unsigned long long)s->sent,
                    (unsigned long long)s->received);
    else if (l->n_links && rapport_uv_now() - l->since >= ALONE_MS)
        finding_add(
            f, FINDING_NOTE, "lan",
            "if a friend is on it: use the tailnet, a phone's hotspot, or rapport up --peer",
            "nobody else's multicast was heard: this network may filter it");
    if (s->dropped || s->malformed)
        finding_add(f, FINDING_NOTE, "lan", NULL,
                    "%llu packets were dropped, %llu were not as they should be",
                    (unsigned long long)s->dropped, (unsigned long long)s->malformed);
}

void lan_findings(const struct lan *l, struct findings *f)
{
    struct mdns_stats stats;
    mdns_stats(l->engine, &stats);
    if (l->config.mode == MDNS_PASSIVE)
        finding_add(f, FINDING_NOTE, "lan", NULL,
                    "passive: friends are found, this machine is not announced");
    if (!l->n_links)
        finding_add(f, FINDING_NOTE, "lan", NULL, "there is no network to look for friends on");
    for (size_t i = 0; i < l->n_links; i++)
        tell_link(l->links[i], f);
    tell_skipped(f);
    tell_port(l, f);
    tell_heard(l, &stats, f);
}

rapport_time_ms lan_view(const struct lan *l, char *names, size_t size)
{
    rapport_time_ms oldest = 0;
    size_t len = 0;
    names[0] = '\0';
    for (size_t i = 0; i < l->n_links; i++) {
        const struct lan_link *k = l->links[i];
        bool seen = false;
        for (size_t before = 0; before < i; before++)
            seen = seen || strcmp(l->links[before]->name, k->name) == 0;
        if (!oldest || k->since < oldest)
            oldest = k->since;
        if (seen || len + strlen(k->name) + 3 > size)
            continue;
        len += (size_t)snprintf(names + len, size - len, "%s%s", len ? ", " : "", k->name);
    }
    return oldest;
}

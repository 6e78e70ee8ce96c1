/* trouble.c - see trouble.h. */
#include "daemon/trouble.h"

#include <stdio.h>

/* Seen by multicast and not reached by TCP: the signature of client isolation, and of a firewall
   that lets mDNS through and nothing else. */
static void isolated(const struct trouble_facts *t, struct findings *f)
{
    size_t n = t->n_unreached - (t->n_unreached < t->n_just_left ? t->n_unreached : t->n_just_left);
    const char *tailnet = t->view.tailnet_running
                              ? "have your friends start Tailscale too (yours is up)"
                              : "use a tailnet (Tailscale or Headscale) on both machines";
    char todo[256];
    if (n == 0 || t->lan_connected)
        return;
    (void)snprintf(todo, sizeof todo,
                   "%s, or a phone's hotspot, or carry a file: rapport bundle write FILE", tailnet);
    finding_add(f, FINDING_PROBLEM, "network", todo,
                "%zu %s seen on this network, but it does not let devices connect (client "
                "isolation), or a firewall on one of the machines blocks port %u",
                n, n == 1 ? "friend is" : "friends are", t->port);
}

static void deaf(const struct trouble_facts *t, struct findings *f)
{
    const struct discover_view *v = &t->view;
    if (v->lan == RAPPORT_UV_LAN_OFF || !v->lan_since || v->lan_heard || t->n_connected ||
        t->now - v->lan_since < TROUBLE_DEAF_MS)
        return;
    finding_add(f, FINDING_PROBLEM, "network",
                "give an address once: rapport up --peer ADDR; it is remembered afterwards",
                "no other machine is heard on this network (%s): nobody is there, or it filters "
                "multicast",
                v->links);
}

static void tailnet(const struct trouble_facts *t, struct findings *f)
{
    if (t->view.tailnet != RAPPORT_UV_TAILNET_OFF && t->view.trouble[0])
        finding_add(f, FINDING_PROBLEM, "tailnet", NULL, "%s", t->view.trouble);
}

void trouble_find(const struct trouble_facts *t, struct findings *f)
{
    bool missing = t->n_connected < t->n_friends;
    if (missing && !t->on_network) {
        finding_add(f, FINDING_PROBLEM, "network", "join a Wi-Fi, or plug a cable in",
                    "this machine is on no network");
        return;
    }
    if (missing) {
        isolated(t, f);
        deaf(t, f);
    }
    if (missing || t->tailnet_connected)
        tailnet(t, f);
}

/*
 * trouble.h - what keeps friends from being found or reached here, out of facts: for `status`, one
 * line each, and for `doctor`.
 *
 * That a friend is simply away is no trouble: nothing is said while everybody is connected, nor of
 * somebody who was here a moment ago (TROUBLE_AWAY_MS): an announcement outlives who made it. Only
 * that a tailnet in use is ailing is said in any case.
 */
#ifndef DAEMON_TROUBLE_H
#define DAEMON_TROUBLE_H

#include "net/discover.h"

enum {
    TROUBLE_DEAF_MS = 30000,  /* a LAN on which nothing is heard for so long filters multicast */
    TROUBLE_AWAY_MS = 150000, /* an announcement holds for two minutes */
};

struct trouble_facts {
    rapport_time_ms now;
    struct discover_view view;
    size_t n_friends, n_connected; /* members but this device; those of them who are connected */
    bool lan_connected;            /* one of them by a LAN */
    bool tailnet_connected;        /* one of them by the tailnet */
    size_t n_unreached;            /* machines that announce a friend's rapport on a LAN, were
                                      dialled, and did not let us in */
    size_t n_just_left;            /* friends who were connected less than TROUBLE_AWAY_MS ago, and
                                      whose machine has not announced itself since */
    uint16_t port;                 /* where we listen */
    bool on_network;               /* the machine has an address besides loopback */
};

/* Adds findings of the areas "network" and "tailnet": problems where somebody is missing and this
   may be why, else nothing. */
void trouble_find(const struct trouble_facts *facts, struct findings *f);

#endif

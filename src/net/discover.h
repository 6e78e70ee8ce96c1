/*
 * discover.h - what a driver knows of the ways to friends: by which path an address is reached,
 * where friends are looked for and what came of it. For `status`, `peers`, `doctor` and the line
 * that `up` says; what is dialled and when is decided by the node.
 *
 * All texts are safe for a terminal, on one line.
 */
#ifndef NET_DISCOVER_H
#define NET_DISCOVER_H

#include "net/finding.h"
#include "rapport/uv.h"

enum {
    DISCOVER_LINKS_TEXT = 128,  /* bytes of the names of interfaces; further ones are left out */
    DISCOVER_TROUBLE_TEXT = 256 /* of one line about what is wrong */
};

enum discover_path_kind {
    DISCOVER_HERE,    /* this machine */
    DISCOVER_LAN,     /* a link of this machine goes there */
    DISCOVER_DIRECT,  /* the tailnet, without a relay between */
    DISCOVER_RELAYED, /* the tailnet, through a relay */
    DISCOVER_TAILNET, /* the tailnet; no packet has gone there lately */
    DISCOVER_ROUTED,  /* everything else: the internet, or another network of the house */
};

struct discover_path {
    enum discover_path_kind kind;
    char relay[32]; /* DISCOVER_RELAYED: the region, "" unknown */
    bool offline;   /* the tailnet's control server has lost that machine: a hint, it may err */
};

/* By which path an address is reached from here. */
void discover_path(const struct rapport_uv *uv, const struct rapport_address *address,
                   struct discover_path *out);

/* Where friends are looked for, and what came of it so far. */
struct discover_view {
    enum rapport_uv_lan lan;
    size_t n_links;                  /* interfaces and families in use */
    char links[DISCOVER_LINKS_TEXT]; /* "eth0, wlan0"; "" none */
    rapport_time_ms lan_since;       /* since when the oldest of them is in use; 0 none */
    rapport_time_ms lan_heard;       /* when another machine's multicast came last; 0 never */
    rapport_time_ms friend_heard;    /* when a friend's announcement came last; 0 never */
    size_t n_instances, n_friends;   /* rapports that announce themselves; those of our friends */
    enum rapport_uv_tailnet tailnet;
    bool tailnet_running;
    size_t n_machines; /* of the tailnet that are on line and asked for a rapport */
    char trouble[DISCOVER_TROUBLE_TEXT]; /* what keeps the tailnet from working; "" nothing */
};

/* How it stands now; before rapport_uv_discover everything is off. */
void discover_view(const struct rapport_uv *uv, struct discover_view *out);

/* What LAN and tailnet say of themselves (lan_findings, tailnet_findings). */
void discover_findings(const struct rapport_uv *uv, struct findings *f);

#endif

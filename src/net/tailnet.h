/*
 * tailnet.h - friends on a tailnet: asks the local tailscaled who is there, probes our port at each
 * machine by the rules below, and gives what may be a friend as a candidate. Works the same under
 * Tailscale and Headscale.
 *
 * When and whom: net/tailnet_plan.h (no sockets). This file: fetching, the bus as a doorbell,
 * userspace mode (dialling through the daemon or SOCKS5, whois of who comes in), and words for what
 * is wrong.
 */
#ifndef NET_TAILNET_H
#define NET_TAILNET_H

#include "net/finding.h"
#include "net/tailnet_status.h"
#include "rapport/uv.h"

enum tailnet_mode {
    TAILNET_MODE_OFF,
    TAILNET_MODE_OWN,
    TAILNET_MODE_ON,
};

enum tailnet_path_kind {
    TAILNET_PATH_NONE, /* the address is not of the tailnet */
    TAILNET_PATH_DIRECT,
    TAILNET_PATH_RELAYED,
    TAILNET_PATH_UNKNOWN, /* of the tailnet; no packet has gone there lately */
};

struct tailnet_path {
    enum tailnet_path_kind kind;
    char relay[32]; /* region, printable */
    char machine[TAILNET_MOST_NAME + 1];
    bool online; /* as the control server sees it */
};

struct tailnet_config {
    uv_loop_t *loop;
    enum tailnet_mode mode;
    const char *socket; /* NULL: localapi_path */
    const char
        *proxy;      /* "socks5://127.0.0.1:1055"; NULL: $ALL_PROXY, $all_proxy, else the daemon */
    const char *tag; /* "tag:notes" or NULL */
    uint16_t port;   /* to probe: RAPPORT_UV_PORT */
    void *user;
    bool (*wanted)(void *user); /* rapport_node_has_company: before that nobody is probed */
    void (*found)(void *user, const struct rapport_address *address, uint64_t who);
    void (*lost)(void *user, const struct rapport_address *address);
    void (*moved)(void *user); /* our own addresses on the tailnet, or its state, changed */
    rapport_time_ms (*now)(void *user); /* NULL: rapport_uv_now */
};

struct tailnet;

/* Starts to look. Returns 0, RAPPORT_NOMEM, or RAPPORT_INVALID (proxy). */
int tailnet_open(const struct tailnet_config *config, struct tailnet **out);
/* Closes; then `closed` from the loop. */
void tailnet_close(struct tailnet *t, void (*closed)(void *user), void *user);
/* Sleep, roam: asks again at once. */
void tailnet_restart(struct tailnet *t);
/* RAPPORT_EFFECT_TRIED of a tailnet address: what the probe came to. */
void tailnet_tried(struct tailnet *t, const struct rapport_address *address, int error);
/* Whether there is a session with a member at that address. */
void tailnet_connected(struct tailnet *t, const struct rapport_address *address, bool connected);
/* A session was made there in an earlier run: to be asked first. */
void tailnet_remember(struct tailnet *t, const struct rapport_address *address);

/* How connections to the tailnet are made without an interface. */
struct tailnet_via {
    bool socks; /* through `proxy`; else through the daemon at `socket` */
    struct rapport_address proxy;
    const char *socket; /* valid as long as the tailnet */
};

/* Fills it in. */
void tailnet_via(const struct tailnet *t, struct tailnet_via *out);
/* The first address of the machine with this StableID; false: not listed. */
bool tailnet_machine(const struct tailnet *t, const char *id, struct rapport_address *out);
/* True when connections to this address must go through the daemon (userspace networking). */
bool tailnet_needs_proxy(const struct tailnet *t, const struct rapport_address *address);
/* Our own addresses on the tailnet, IPv6 first; 0 while it is not running. `tun`: they are on an
   interface of this machine (may be NULL). */
size_t tailnet_own(const struct tailnet *t, struct rapport_address *out, size_t most, bool *tun);
/* By which path an address is reached. */
void tailnet_path(const struct tailnet *t, const struct rapport_address *address,
                  struct tailnet_path *out);
/* True while the daemon says Running. */
bool tailnet_is_running(const struct tailnet *t);
/* How many machines are on line and asked for a rapport. */
size_t tailnet_asked(const struct tailnet *t);
/* One line for `status` when something keeps the tailnet from working ("Tailscale is logged out:
   run tailscale up"), else "". Valid until the next call. */
const char *tailnet_trouble(const struct tailnet *t);
/* Transport, version, state, machines by reason why not probed, what the probes came to, the policy
   rule to add. */
void tailnet_findings(const struct tailnet *t, struct findings *f);

#endif

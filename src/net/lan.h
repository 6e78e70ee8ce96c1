/*
 * lan.h - multicast DNS on real sockets: one for each suitable interface and family, following the
 * machine's links. What is said and when is net/mdns.h; this file knows sockets and interfaces
 * only.
 *
 * Sockets are bound to the group address (224.0.0.251, ff02::fb), never to the wildcard: that would
 * take unicast answers away from avahi-daemon or systemd-resolved beside us. A second socket for
 * each link has an ephemeral port, for one-shot questions. Where 5353 cannot be had, one-shot
 * questions still work and lan_findings says so.
 *
 * Suitable: up, running, multicast; not loopback or point-to-point; not docker*, br-*, veth*,
 * virbr*, vmnet*, lxcbr*, awdl*, llw* unless the default route goes there.
 */
#ifndef NET_LAN_H
#define NET_LAN_H

#include "net/finding.h"
#include "net/mdns.h"
#include "rapport/uv.h"

struct lan;

struct lan_config {
    uv_loop_t *loop;
    enum mdns_mode mode;
    void *user;
    size_t (*tags)(void *user, uint64_t wall_ms, struct rapport_beacon *beacon);
    bool (*knows)(void *user, uint64_t wall_ms, const struct rapport_beacon *beacon);
    void (*found)(void *user,
                  const struct mdns_found *found); /* may be called from any lan_ call */
    void (*trace)(void *user, const char *line);   /* may be NULL */
};

/* Opens sockets on the links that are there. No link at all is no failure. Returns 0, RAPPORT_NOMEM
   or RAPPORT_IO. */
int lan_open(const struct lan_config *config, struct lan **out);
/* Says goodbye, closes; then `closed` from the loop. */
void lan_close(struct lan *l, void (*closed)(void *user), void *user);
/* The machine's links or addresses changed: looks at them again. */
void lan_look(struct lan *l);
/* It slept or moved: everything is asked and announced anew. */
void lan_restart(struct lan *l);
/* mdns_set_port, mdns_set_tags, mdns_set_peers, mdns_connected. */
void lan_set_port(struct lan *l, uint16_t port);
/* As above. */
void lan_set_tags(struct lan *l);
/* As above. */
void lan_set_peers(struct lan *l, size_t n_connected);
/* As above. */
void lan_connected(struct lan *l, const struct rapport_address *address, bool connected);
/* Figures of the engine. */
void lan_stats(const struct lan *l, struct mdns_stats *out);
/* Writes the names of the interfaces in use, "eth0, wlan0", as many as there is room for. Returns
   since when the oldest of them is in use, 0 for none. */
rapport_time_ms lan_view(const struct lan *l, char *names, size_t size);
/* Interfaces used and skipped with the reason, what was heard, who was recognised. */
void lan_findings(const struct lan *l, struct findings *f);

#endif

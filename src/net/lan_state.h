/*
 * lan_state.h - the inside of struct lan, for lan.c (the engine and its clock), lan_socket.c and
 * lan_findings.c.
 */
#ifndef NET_LAN_STATE_H
#define NET_LAN_STATE_H

#include "net/lan.h"
#include "net/links.h"

enum {
    LAN_GOODBYE_MS = 250, /* between the two goodbyes */
};

/* One interface and family with its two sockets. */
struct lan_link {
    struct lan *lan;
    struct mdns_link at; /* as the engine was told */
    char name[IF_NAMESIZE];
    uv_udp_t group, one_shot;
    int group_error;    /* why there is no group socket; 0 */
    int one_shot_error; /* as above */
    int send_error;     /* of the last packet; 0 it went out */
    unsigned n_handles;
    rapport_time_ms since;
};

struct lan {
    struct lan_config config;
    struct mdns *engine;
    struct lan_link *links[MDNS_MOST_LINKS];
    size_t n_links;
    uv_timer_t tick;
    unsigned n_open; /* the timer and links, until libuv has let go of them */
    uint16_t port;
    bool closing;
    rapport_time_ms since;
    void (*closed)(void *user);
    void *closed_user;
    char buffer[MDNS_MOST_PACKET + 1];
};

/* ---- lan.c ---- */

/* A packet has come. */
void lan_received(struct lan_link *k, const struct rapport_address *source, bool unicast,
                  struct slice bytes);
/* A link's sockets are closed. */
void lan_link_closed(struct lan_link *k);

/* ---- lan_socket.c ---- */

/* Opens both sockets, as far as the system lets us. */
void lan_link_open(struct lan_link *k);
/* Closes them, then frees the link. */
void lan_link_close(struct lan_link *k);
/* Sends; what does not go out now is lost, as on any LAN. */
void lan_link_send(struct lan_link *k, const struct mdns_packet *packet);

#endif

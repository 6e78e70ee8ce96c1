/*
 * net.h - the inside of struct rapport_uv, shared by the files of this layer.
 *
 * Life of a connection:  DIALLING -> OPEN -> LINGERING -> GONE
 *
 * DIALLING and OPEN are known to the node, the others are not; but one that came in and of which
 * tailscaled is asked who it is stays in DIALLING, unknown to the node, with no dial number.
 * LINGERING still sends what is queued, then FIN, and throws away what comes, until the peer has
 * closed too or RAPPORT_UV_LINGER_MS are over (closing a socket with unread bytes would make the
 * kernel send RST, and the peer would lose the BYE). GONE waits for libuv to let go of the handles.
 *
 * Events are given only from libuv's callbacks. What happens while an effect is carried out (a
 * write that fails, a dial that fails at once) is owed and given by uv_later in the next turn of
 * the loop.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "net/address.h"
#include "net/discover.h"
#include "net/gate.h"
#include "net/links.h"
#include "net/localapi.h"
#include "net/socks.h"

enum {
    NET_READ_BYTES = 64 * 1024,
    NET_BACKLOG = 64,
    NET_USER_TIMEOUT_MS = 20000, /* unacknowledged data for so long: the connection is dead */
    NET_NOTSENT_LOWAT = 32 * 1024,
    NET_MOST_FAILED_DIALS = 256,
    NET_MOST_LISTEN_EVENT = 8, /* addresses in ONLINE */
    NET_CONNECT_TAILNET_MS = 5000,
    NET_RESOLVE_MS = 60000, /* until a name that was not found is looked up again */
};

enum conn_state {
    CONN_DIALLING,
    CONN_OPEN,
    CONN_LINGERING,
    CONN_GONE,
};

struct conn {
    struct rapport_uv *uv;
    enum conn_state state;
    uint32_t id;   /* 0 while dialling */
    uint32_t dial; /* 0: inbound */
    struct rapport_address address;
    uv_tcp_t tcp;
    uv_stream_t *stream;             /* the socket, or what tailscaled gave in its place */
    uv_timer_t timer;                /* connect limit, then linger limit */
    struct localapi_request *asking; /* tailscaled dials for us, or says who came in */
    unsigned n_asked;
    struct socks socks;
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    unsigned n_handles;
    rapport_time_ms since; /* accepted or dialled at */
    bool owes_drained;
    int owes_closed; /* CLOSED with this error; 0 none */
};

struct listener {
    struct rapport_uv *uv;
    uv_tcp_t tcp;
    struct rapport_address address;
    bool dual; /* [::] that takes IPv4 too */
};

struct peer;
struct discover;
struct tailnet_via;

struct failed_dial {
    uint32_t dial;
    int error;
};

struct rapport_uv {
    struct rapport_uv_config config;
    unsigned n_handles; /* handles and requests that libuv still holds, but conns' */
    bool closing;
    void (*closed)(void *user);
    void *closed_user;

    uv_prepare_t prepare; /* asks for the deadline before each poll */
    uv_timer_t timer;     /* the deadline */
    uv_idle_t later;      /* runs while something is owed */
    struct links *links;
    rapport_time_ms armed;

    struct conn *conns[RAPPORT_UV_MOST_CONNS];
    size_t n_conns;
    uint32_t last_conn;
    struct failed_dial failed[NET_MOST_FAILED_DIALS];
    size_t n_failed;

    struct listener *listeners[RAPPORT_UV_MOST_LISTEN];
    size_t n_listeners;
    struct gate gate;
    bool online, owes_online, owes_moved;
    struct rapport_address own[NET_MOST_LISTEN_EVENT];
    size_t n_own;
    struct discover *discover; /* NULL before rapport_uv_discover */

    struct peer *peers[RAPPORT_UV_MOST_PEERS];
    size_t n_peers;
    char read_buffer[NET_READ_BYTES];
};

/* ---- uv.c ---- */

/* Gives the event. */
void uv_give(struct rapport_uv *uv, struct rapport_event *event);
/* Has uv_later run in the next turn of the loop. */
void uv_owe(struct rapport_uv *uv);
/* A handle has been let go of; frees the driver after the last one of a closing one. */
void uv_release(struct rapport_uv *uv);
/* printf to config.trace. */
void uv_trace(struct rapport_uv *uv, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- conn.c ---- */

/* A connection with its handles, in the table. NULL when the table is full or memory is out. */
struct conn *conn_create(struct rapport_uv *uv, const struct rapport_address *address);
/* It is open: sets the options, starts to read, gives CONNECTED. */
void conn_open(struct conn *c);
/* The open connection of that id, or NULL. */
struct conn *conn_find(struct rapport_uv *uv, uint32_t id);
/* Takes the stream over, which tailscaled has opened; before conn_open. */
void conn_take_pipe(struct conn *c, uv_pipe_t *pipe);
/* Gives bytes that came otherwise than by reading. */
void conn_received(struct conn *c, struct slice bytes);
/* Sends bytes (copied where they have to wait); a failure ends the connection later. */
void conn_send(struct conn *c, const uint8_t *bytes, size_t len);
/* Sends what is queued, then ends it; no event follows. */
void conn_linger(struct conn *c);
/* Ends it at once; no event follows. */
void conn_destroy(struct conn *c);
/* Gives what is owed: DRAINED, CLOSED. */
void conn_settle(struct conn *c);
/* Breaks the connections whose own address this machine has no more: nothing comes back to it. */
void conns_check_bound(struct rapport_uv *uv);

/* ---- dial.c ---- */

/* Begins the dial that the effect asks for; answered by an event, also on failure. */
void dial_begin(struct rapport_uv *uv, const struct rapport_effect *effect);
/* Ends a dial that is under way; no event follows. */
void dial_cancel(struct rapport_uv *uv, uint32_t dial);
/* Gives DIAL_FAILED for those that failed at once. */
void dial_settle(struct rapport_uv *uv);
/* Ends a dial that is under way and gives DIAL_FAILED. */
void dial_fail(struct conn *c, int error);
/* Connects the dial's socket. Returns 0 or the error; then nothing follows. */
int dial_connect(struct conn *c, const struct rapport_address *to);

/* ---- through.c ---- */

/* Where the address needs it: begins the dial through a proxy or tailscaled, *error says whether it
   could. False: it needs none. */
bool through_begin(struct conn *c, int *error);
/* Opens an accepted connection, after finding out who it is where that takes tailscaled. */
void through_accept(struct conn *c);

/* ---- listen.c ---- */

/* Gives ONLINE and MOVED if they are owed. */
void listen_settle(struct rapport_uv *uv);
/* The links changed, or the machine woke up: ONLINE and MOVED are owed. */
void listen_moved(struct rapport_uv *uv);
/* The port where others reach us, 0 where they do not. */
uint16_t listen_port(const struct rapport_uv *uv);
/* Closes all listening sockets. */
void listen_close(struct rapport_uv *uv);

/* ---- interfaces.c ---- */

/* The machine's usable addresses (port 0), IPv6 first, at most `most`; no link-local ones, loopback
   only where nothing else is. Returns how many. */
size_t interfaces_list(const struct links_list *links, struct rapport_address *out, size_t most);
/* True when the address is on a link of this machine (or loopback, or link-local). */
bool interfaces_near(const struct links_list *links, const struct rapport_address *address);

/* ---- discover.c ---- */

/* Gives CANDIDATE and CANDIDATE_LOST for what LAN and tailnet have found. */
void discover_settle(struct rapport_uv *uv);
/* The node was stepped: who is connected, or what it is found by, may have changed. */
void discover_touch(struct rapport_uv *uv);
/* The machine's links changed, or it woke up. */
void discover_moved(struct rapport_uv *uv, bool woke);
/* How a candidate of ours turned out. */
void discover_tried(struct rapport_uv *uv, const struct rapport_effect *effect);
/* Our own addresses that are on no interface (a tailnet in userspace mode), port 0. */
size_t discover_own(const struct rapport_uv *uv, struct rapport_address *out, size_t most);
/* How to reach an address (NULL: any of the tailnet) that is on no interface; false: as any other.
 */
bool discover_via(const struct rapport_uv *uv, const struct rapport_address *address,
                  struct tailnet_via *out);
/* The address of the tailnet's machine with this id; false: not known. */
bool discover_machine(const struct rapport_uv *uv, const char *id, struct rapport_address *out);
/* Says goodbye; counts as one handle until it has. */
void discover_close(struct rapport_uv *uv);

/* ---- peer.c ---- */

/* Gives CANDIDATE for peers whose addresses are known since the last time. */
void peers_settle(struct rapport_uv *uv);
/* Stops looking names up and forgets them. */
void peers_close(struct rapport_uv *uv);

#endif

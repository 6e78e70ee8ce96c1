/*
 * rapport/uv.h - TCP for a node on a libuv loop, and a whole node on one.
 *
 * Two ways in:
 *
 *   rapport_uv         sockets and timers alone, for whoever steps the node himself. Events go to
 *                      config.step, effects come back through rapport_uv_effect, also while step
 *                      runs. The driver never calls step while rapport_uv_effect, _listen, _peer or
 *                      _wake runs, and never from inside step.
 *   rapport_uv_node    a node with its database: all of the above, and nothing left to carry out.
 *
 * One loop and one thread; only the syncing of the database runs in libuv's pool. Everything that a
 * peer can make grow is bounded (the enum below). The program must ignore SIGPIPE; a library does
 * not.
 */
#ifndef RAPPORT_UV_H
#define RAPPORT_UV_H

#include <uv.h>

#include "rapport/rapport.h"

enum {
    RAPPORT_UV_PORT = 7171,      /* tried first where no port is named */
    RAPPORT_UV_PORTS = 8,        /* tried from there on, before a free one */
    RAPPORT_UV_MOST_LISTEN = 8,  /* sockets that listen */
    RAPPORT_UV_MOST_CONNS = 128, /* connections at once, those being dialled or closed included */
    RAPPORT_UV_MOST_YOUNG = 32,  /* accepted within the last RAPPORT_UV_YOUNG_MS */
    RAPPORT_UV_MOST_YOUNG_SOURCE = 8,  /* of these from one IPv4 address or IPv6 /64 */
    RAPPORT_UV_YOUNG_MS = 6000,        /* longer than a handshake may take */
    RAPPORT_UV_ACCEPTS_PER_S = 10,     /* from one source but loopback, after the first */
    RAPPORT_UV_ACCEPT_BURST = 20,      /* this many; above: accepted and closed */
    RAPPORT_UV_CONNECT_MS = 10000,     /* a dial fails with RAPPORT_TIMEOUT after it, or after */
    RAPPORT_UV_CONNECT_NEAR_MS = 3000, /* this where the address is on-link or loopback */
    RAPPORT_UV_LINGER_MS = 1000,       /* what is queued at CLOSE may still leave for so long */
    RAPPORT_UV_MOST_QUEUED = 8 << 20,  /* bytes that wait for one slow peer; above: closed */
    RAPPORT_UV_MOST_PEERS = 32,        /* rapport_uv_peer */
};

struct rapport_uv;

struct rapport_uv_config {
    uv_loop_t *loop;
    void *user;
    /* Gives the event to the node (filling in wall_ms) and carries out the effects; SEND, CLOSE and
       DIAL through rapport_uv_effect. What it returns is not looked at. */
    int (*step)(void *user, struct rapport_event *event);
    /* rapport_node_deadline, on the clock of rapport_uv_now. */
    rapport_time_ms (*deadline)(void *user);
    /* One line about a connection, safe for a terminal, valid for the call. May be NULL. */
    void (*trace)(void *user, const char *line);
    /* The node that is driven, for reading its tags and peers; needed by rapport_uv_discover only,
       else NULL. */
    struct rapport_node *(*node)(void *user);
};

/* Milliseconds on a clock that never goes back and that counts time asleep. */
rapport_time_ms rapport_uv_now(void);

/* Makes a driver with no sockets yet. The configuration is copied. Returns 0, RAPPORT_NOMEM or
   RAPPORT_IO. */
int rapport_uv_create(const struct rapport_uv_config *config, struct rapport_uv **out);

/* Stops listening and dialling, closes every connection (what is queued may leave for
   RAPPORT_UV_LINGER_MS) and frees the driver; then calls `closed` (may be NULL) from the loop.
   Gives no event any more; give the node OFFLINE before, so that peers hear BYE. */
void rapport_uv_close(struct rapport_uv *uv, void (*closed)(void *user), void *user);

/*
 * Listens on n addresses; a port of 0 takes a free one. With n 0: on every address of the machine,
 * IPv6 and IPv4, at `port`, where that is taken at RAPPORT_UV_PORT or one of the seven after it,
 * and where all are taken at a free one. Then gives ONLINE from the loop, now and whenever the
 * machine's addresses change: its `listen` has, for a socket on every address, the unspecified
 * address with the port, then the machine's own addresses, IPv6 first, no link-local ones, and
 * loopback only where there is no other. All or nothing: on failure nothing listens that did not
 * before. Returns 0, RAPPORT_EXISTS (address in use), RAPPORT_NOTFOUND (no such address here),
 * RAPPORT_PERMISSION, RAPPORT_LIMIT or RAPPORT_IO.
 */
int rapport_uv_listen(struct rapport_uv *uv, const struct rapport_address *addresses, size_t n,
                      uint16_t port);

/* Gives ONLINE without listening, to dial only. */
void rapport_uv_online(struct rapport_uv *uv);

/* The addresses where the sockets listen, with their true ports: the first `most` of them. Returns
   how many there are. */
size_t rapport_uv_listening(const struct rapport_uv *uv, struct rapport_address *out, size_t most);

/* Carries out SEND, CLOSE, DIAL, CANCEL or TRIED; other kinds, and connections that are gone, are
 * ignored. */
void rapport_uv_effect(struct rapport_uv *uv, const struct rapport_effect *effect);

/* To be called when someone else has stepped the node: asks for the deadline again. */
void rapport_uv_wake(struct rapport_uv *uv);

/* Adds a peer by text, "192.0.2.1:7171", "[2001:db8::1]", "host:7171"; the port is RAPPORT_UV_PORT
   where there is none. CANDIDATE follows from the loop for each of its addresses; a name is looked
   up in the pool, and again every minute until it is found. Returns 0, RAPPORT_MALFORMED,
   RAPPORT_LIMIT or RAPPORT_NOMEM. */
int rapport_uv_peer(struct rapport_uv *uv, const char *text);

/* ---- finding friends without addresses ---- */

enum rapport_uv_lan {
    RAPPORT_UV_LAN_OFF,
    RAPPORT_UV_LAN_PASSIVE, /* listens and asks, is not found itself */
    RAPPORT_UV_LAN_ON,
};

enum rapport_uv_tailnet {
    RAPPORT_UV_TAILNET_OFF,
    RAPPORT_UV_TAILNET_OWN, /* machines of the same user, and tagged ones */
    RAPPORT_UV_TAILNET_ON,  /* all that are online, and those shared in */
};

/* Strings are copied; NULL means the default that is named. */
struct rapport_uv_discovery {
    enum rapport_uv_lan lan;
    enum rapport_uv_tailnet tailnet;
    const char *tailscaled;  /* path of its socket: $TS_SOCKET, else the platform's */
    const char *tailnet_tag; /* probe only machines with it, "tag:notes": all */
};

/* Starts to look for friends, and to be found, on LANs (multicast DNS) and the tailnet; config.node
   must be set. To be called once, after rapport_uv_listen. Returns 0, RAPPORT_INVALID,
   RAPPORT_NOMEM or RAPPORT_IO; that there is no LAN or no tailscaled is no failure. */
int rapport_uv_discover(struct rapport_uv *uv, const struct rapport_uv_discovery *what);

/* Connections that are open or being opened. */
size_t rapport_uv_n_conns(const struct rapport_uv *uv);

/* ---- addresses as text ---- */

enum {
    RAPPORT_ADDRESS_TEXT = 80 /* bytes that rapport_address_print needs at most */
};

/* Reads a numeric address: "192.0.2.1:7171", "[2001:db8::1]:7171", "[fe80::1%eth0]:7171", or
   without a port (IPv6 then also without brackets), which is `port` then. Returns 0,
   RAPPORT_MALFORMED, or RAPPORT_NOTFOUND (no such interface). */
int rapport_address_parse(const char *text, uint16_t port, struct rapport_address *out);

/* Writes the text of an address, with its port, to out[RAPPORT_ADDRESS_TEXT]; returns out. */
const char *rapport_address_print(const struct rapport_address *address, char *out);

/* ---- a whole node ---- */

struct rapport_uv_node;

struct rapport_uv_node_config {
    uv_loop_t *loop;
    const char *database; /* path; made unless node->start is RAPPORT_START_OPEN */
    /* seed and wall_ms are filled in here. */
    const struct rapport_node_config *node;
    void *user;
    /* CHANGED, JOINED or REFUSED. May be NULL. May read the node, may not step it. */
    void (*effect)(void *user, const struct rapport_effect *effect);
    void (*trace)(void *user, const char *line); /* as above */
};

/*
 * Opens (or makes) the database and a node on it; it neither listens nor dials yet: see
 * rapport_uv_node_net. Returns 0, RAPPORT_NOTFOUND, RAPPORT_EXISTS, RAPPORT_NOMEM, RAPPORT_IO, or
 * what store or node refuse it for. The caller answers for nobody else having this database open.
 */
int rapport_uv_run_node(const struct rapport_uv_node_config *config, struct rapport_uv_node **out);

/* Seals and syncs what was typed, says BYE, closes everything and frees it; then calls `closed`
   (may be NULL) from the loop with 0 or why the last write failed. */
void rapport_uv_node_close(struct rapport_uv_node *n, void (*closed)(void *user, int error),
                           void *user);

/* Gives an event (EDIT, FLUSH, CANDIDATE) and carries out all that follows. Returns what the node
   returned; an edit whose note had to be loaded has been given again. */
int rapport_uv_node_step(struct rapport_uv_node *n, struct rapport_event *event);

/* The node, for reading; and its driver, for rapport_uv_listen and rapport_uv_peer. */
struct rapport_node *rapport_uv_node_node(struct rapport_uv_node *n);
/* The driver that carries the node, for rapport_uv_listen and rapport_uv_peer. */
struct rapport_uv *rapport_uv_node_net(struct rapport_uv_node *n);

#endif

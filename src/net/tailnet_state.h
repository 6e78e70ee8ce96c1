/*
 * tailnet_state.h - the inside of struct tailnet, shared by tailnet.c (what is asked and when) and
 * tailnet_words.c (what is said about it).
 *
 * The status is the truth, the bus only a doorbell: on a ring the status is fetched, at most every
 * TAILNET_RING_MS, and without a ring every TAILNET_POLL_MS, so a bus that is refused, lags or
 * falls silent costs time and nothing else.
 */
#ifndef NET_TAILNET_STATE_H
#define NET_TAILNET_STATE_H

#include "net/localapi.h"
#include "net/tailnet.h"
#include "net/tailnet_plan.h"

enum {
    TAILNET_RING_MS = 5000,           /* from one fetch to the next, however often it rings */
    TAILNET_POLL_MS = 60000,          /* without a ring; a tenth more or less */
    TAILNET_AWAY_MS = 5000,           /* while nobody answers: asking costs one connect() */
    TAILNET_LOOK_MS = 5000,           /* at most until it is asked again who is wanted */
    TAILNET_BUS_MS = 1000,            /* until the bus is opened again; doubles */
    TAILNET_BUS_MOST_MS = 60000,      /* up to this */
    TAILNET_BUS_REFUSED_MS = 3600000, /* after 400, 403 or 404: another daemon may run by then */
    TAILNET_STARTING_MS = 60000,      /* Starting for so long: no relay is reachable */
    TAILNET_MOST_FAILURES = 2, /* fetches in a row, then what was known is not true any more */
    TAILNET_MOST_ACTIONS = 32, /* of the plan in one turn of the loop */
    TAILNET_TROUBLE_TEXT = 520,
};

/* How tailscaled was met when it was asked last. */
enum tailnet_contact {
    TAILNET_UNASKED,
    TAILNET_ANSWERS,
    TAILNET_NO_SOCKET,    /* there is no socket: most machines have no Tailscale */
    TAILNET_STALE_SOCKET, /* a socket file is left, nobody is behind it */
    TAILNET_FORBIDDEN,    /* this user may not ask */
    TAILNET_HANGS,        /* no answer in time */
    TAILNET_BROKEN,       /* an answer that is none: contact_error, contact_http */
};

struct tailnet {
    struct tailnet_config config;
    char *tag;
    struct buf path; /* of the socket, with a NUL behind */
    bool path_given; /* by the person, so that its absence is a fault */
    bool has_proxy, bad_proxy;
    struct rapport_address proxy;

    struct tailnet_plan *plan;
    bool wanted;

    enum tailnet_contact contact;
    int contact_error;
    unsigned contact_http, n_failures;
    bool met; /* it has answered before */
    char version[64];
    unsigned cap;
    struct tailnet_status status; /* the last one that could be read */
    bool has_status;              /* and it is not outdated */
    rapport_time_ms starting;     /* since when the backend is Starting; 0: it is not */

    struct rapport_address own[TAILNET_MOST_IPS]; /* as `moved` was told last */
    size_t n_own;
    bool own_running, own_tun;

    uv_timer_t timer;
    struct localapi_request *fetch, *bus;
    bool fetch_peers; /* the fetch that is under way asks for them */
    rapport_time_ms fetched, fetch_at, bus_at;
    uint64_t bus_wait;
    unsigned bus_http; /* 0 nothing yet, 200, or why it was refused */
    struct tailnet_bus scanner;

    char trouble[TAILNET_TROUBLE_TEXT];
    bool closing;
    void (*closed)(void *user);
    void *closed_user;
};

/* Does all that is due, and sets the timer to what comes next. For tests that move the clock. */
void tailnet_tick(struct tailnet *t);
/* The clock of the configuration. */
rapport_time_ms tailnet_now(const struct tailnet *t);
/* Writes t->trouble anew. */
void tailnet_words(struct tailnet *t);

#endif

/*
 * service.h - one report that is being served: its host with sockets, watch and syncs around it, on
 * a loop. Knows nothing of control sockets and processes.
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include "daemon/client_run.h"
#include "daemon/watch.h"
#include "net/syncer.h"
#include "rapport/uv.h"

enum {
    SERVICE_AFTER_MS = 40,      /* after something happened: files, people, waits are looked at */
    SERVICE_TELL_MS = 1000,     /* after the start it is said where friends are looked for: the
                                   tailnet has answered by then */
    SERVICE_WAIT_LOOK_MS = 100, /* while somebody waits */
    SERVICE_FIRST_DIALS_MS =
        3000, /* a sync does not wait longer for dials that were never answered */
    SERVICE_LEAST_LOOK_MS = 1000, /* a look around takes at least this long */
    SERVICE_FRIEND_MS = 5000,     /* nor for a friend who joined and is gone again */
    SERVICE_MOST_WAITS = 32,
    SERVICE_MOST_PEOPLE = 64
};

struct service;

struct service_config {
    uv_loop_t *loop;
    struct host_config host;
    const struct rapport_address *listen; /* none: every address of the machine */
    size_t n_listen;
    const char *const *peers;
    size_t n_peers;
    const struct rapport_uv_discovery *discovery; /* NULL: friends are not looked for */
    bool verbose;
    void *user;
    /* A line for the person, safe for a terminal. */
    void (*line)(void *user, struct service *r, const char *line);
    /* Once, when the node knows where it listens: a ticket made now says so. May be NULL. */
    void (*online)(void *user, struct service *r);
};

/*
 * Opens the report, listens, adds the peers. On failure nothing is open (the loop has to turn to
 * let go of handles) and `why` has a sentence. Returns what host_open and rapport_uv_listen return.
 */
int service_open(const struct service_config *config, struct service **out, struct buf *why);

/* Takes the folder in, seals, says BYE, brings everything to the disk; answers the waits as they
   stand; then calls `closed` from the loop with host_close's result. Only once. */
void service_close(struct service *r, void (*closed)(void *user, int error), void *user);

/* The open report of a service; never NULL while it serves. */
struct host *service_host(struct service *r);
/* To be called when someone else has called the host. */
void service_touch(struct service *r);
/* Appends the listening addresses as text, ", " between. */
void service_listening(struct service *r, struct buf *out);
/* Number of peers that are connected. */
size_t service_n_connected(struct service *r);
/* Appends the digest in hex; nothing while it is not known. */
void service_digest_text(struct service *r, struct buf *out);
/* The folder's name, safe for a terminal. */
const char *service_name(const struct service *r);

/* ---- waiting (service_wait.c) ---- */

struct service_wait;

/*
 * Waits for a goal; calls `done` once, from the loop, with the reply (daemon/client.h) when it is
 * reached, when `wait_ms` are over (UINT64_MAX: no limit) or when the report is closed. Returns
 * NULL when too many wait or memory is out; then `done` is not called.
 */
struct service_wait *service_wait(struct service *r, enum daemon_goal goal, uint64_t wait_ms,
                                  void (*done)(void *user, struct slice reply), void *user);
/* Forgets a wait; `done` is not called. */
void service_wait_cancel(struct service *r, struct service_wait *w);

#endif

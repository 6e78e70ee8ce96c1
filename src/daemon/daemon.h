/*
 * daemon.h - the inside of `rapport up`: the reports that one process serves, its control socket,
 * its end. The way in is daemon/client_run.h.
 *
 * Ending is one way for a signal, "daemon.stop" and the last "daemon.close": every report is closed
 * (BYE, disk), then the control socket; then nothing is left on the loop and it returns.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/client_run.h"
#include "daemon/control.h"
#include "daemon/service.h"

/* One served folder. */
struct served {
    struct daemon *daemon;
    struct service *service;       /* NULL while it is being closed */
    struct control_client *closer; /* who asked to close it and waits */
};

/* A client that waits for a goal. */
struct asked {
    struct daemon *daemon;
    struct service *service;
    struct service_wait *wait;
    struct control_client *client; /* NULL: free */
};

struct daemon {
    const struct daemon_config *config;
    char *home, *socket;
    uv_loop_t loop;
    struct control *control;
    uv_signal_t signals[3];
    size_t n_signals;
    struct served *served[DAEMON_MOST_REPORTS];
    size_t n_served;
    struct asked asked[CONTROL_MOST_CLIENTS];
    struct control_client *stopper; /* who asked to stop and waits */
    bool stopping, ended;
    bool interrupted; /* by SIGINT */
};

/* ---- daemon.c ---- */

/* Serves a folder: static peers and listening addresses as text, where those of config are not
   meant. Returns what service_open returns, RAPPORT_LIMIT, or RAPPORT_MALFORMED for an address;
   `why` gets a sentence. */
int daemon_serve(struct daemon *d, const char *dir, const struct daemon_config *net,
                 struct served **out, struct buf *why);
/* Begins the end. */
void daemon_stop(struct daemon *d);
/* Closes one; the daemon ends with the last. */
void daemon_close(struct served *s);
/* The folder's entry by its absolute path, or NULL. */
struct served *daemon_find(struct daemon *d, const char *dir);
/* Reads listening addresses. Returns 0, or RAPPORT_MALFORMED with a sentence. */
int daemon_addresses(const char *const *texts, size_t n, struct rapport_address *out,
                     struct buf *why);

/* ---- discovery.c ---- */

/* Where friends are looked for. The strings are the configuration's or the environment's. Returns
   0, or RAPPORT_INVALID with a sentence for a word of the environment that is none. */
int daemon_discovery(const struct daemon_config *config, struct rapport_uv_discovery *out,
                     struct buf *why);
/* "on", "off" and so on. */
const char *daemon_lan_word(enum rapport_uv_lan lan);
/* As above. */
const char *daemon_tailnet_word(enum rapport_uv_tailnet tailnet);
/* Reads such a word. Returns 0 or RAPPORT_INVALID. */
int daemon_read_lan(const char *word, enum daemon_lan *out);
/* As above. */
int daemon_read_tailnet(const char *word, enum daemon_tailnet *out);

/* ---- daemon_ops.c ---- */

/* One request of a client has come in whole: answers it, now or later. */
void daemon_request(void *user, struct control_client *client, const char *dir,
                    struct slice request);
/* A client has gone: answers that it waited for are dropped. */
void daemon_gone(void *user, struct control_client *client);
/* Replies {ok, stopping} to `client`. */
void daemon_reply_closed(struct daemon *d, struct control_client *client, bool stopping);

/* ---- handover.c ---- */

/* Gives the folders to this user's daemon if one runs. Returns true when one does; then *code is
   the exit code. */
bool daemon_hand_over(const struct daemon_config *config, int *code);

/* ---- detach.c ---- */

/* Where the outcome of the start is said: to the terminal, or through a pipe to a parent that is
   the one whom the person waits for. */
struct detached {
    int fd; /* -1: not detached */
};

/* Forks; returns false in the parent, with *code set once the child has said its outcome. */
bool detach(struct detached *d, const char *home, int *code);
/* Says the outcome: exit code and a line (for 0: which log). Only once. */
void detach_say(struct detached *d, int code, const char *line);

#endif

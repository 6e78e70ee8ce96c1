/*
 * client_run.h - running reports with sockets: `rapport up`, and the same in-process and once, for
 * `sync`, `join` and `invite` where no daemon runs. What the command line starts; it stays in the
 * foreground until it is over.
 *
 * Both ignore SIGPIPE and take over SIGINT, SIGTERM and SIGHUP while they run: the first one ends
 * in order (BYE, everything on the disk), a second SIGINT at once with 130.
 */
#ifndef DAEMON_CLIENT_RUN_H
#define DAEMON_CLIENT_RUN_H

#include "host/host.h"

enum daemon_lan {
    DAEMON_LAN_DEFAULT,
    DAEMON_LAN_ON,
    DAEMON_LAN_OFF,
    DAEMON_LAN_PASSIVE,
};

enum daemon_tailnet {
    DAEMON_TAILNET_DEFAULT,
    DAEMON_TAILNET_ON,
    DAEMON_TAILNET_OWN,
    DAEMON_TAILNET_OFF,
};

enum {
    DAEMON_MOST_REPORTS = 32,
    DAEMON_MOST_ADDRESSES = 8, /* of each of listen and peers */
};

struct daemon_config {
    const char *home;        /* NULL: from the environment */
    const char *const *dirs; /* folders of reports, at least one (daemon_once: not used) */
    size_t n_dirs;
    const char *const *listen; /* "[::]:7171", numeric; none: every address, see rapport/uv.h. With
                                  several folders the ports named here are the first one's */
    size_t n_listen;
    const char *const *peers; /* static peers: numeric or by name, port optional; of every folder */
    size_t n_peers;
    /* DEFAULT: $RAPPORT_LAN and $RAPPORT_TAILNET, else on. */
    enum daemon_lan lan;
    enum daemon_tailnet tailnet;
    /* tailscaled's socket, and the tag that a machine must have to be asked; "": the default, NULL:
       $RAPPORT_TAILSCALED and $RAPPORT_TAILNET_TAG, else the default. */
    const char *tailscaled, *tailnet_tag;
    bool detach;         /* daemon_run: go to the background when everything listens */
    bool quiet;          /* only failures are said */
    bool verbose;        /* connections are said too */
    const char *version; /* for daemon.ping; may be NULL */
};

/*
 * `rapport up`. Opens the folders and serves them until `down` or a signal. Where this user's
 * daemon runs already, hands it the folders, says so in one line each and returns; a folder that it
 * serves already is said to be so, and is no failure. A folder that another process has open is
 * one.
 *
 * Says on stderr: one line a report with its listening addresses and digest, one for each notice of
 * a host, one for each peer that comes or goes. With `detach` the parent says, on stdout, the pid
 * and the path of the log (HOME/log) when all folders listen, or on stderr why not.
 *
 * Returns the exit code for the process (CONTRACT): 0, 1, 2 (an address that cannot be read), 3 (a
 * folder that needs a person), 4 (no report there), 130. Only the failure of the first folder is
 * one; of others it is said.
 */
int daemon_run(const struct daemon_config *config);

enum daemon_goal {
    DAEMON_GOAL_SYNC,   /* this device and every peer that answers have equal digests */
    DAEMON_GOAL_JOIN,   /* the ticket is redeemed, then as SYNC */
    DAEMON_GOAL_FRIEND, /* a friend has joined and has everything that we have */
    DAEMON_GOAL_DOCTOR, /* every friend is connected; to be told what works */
};

struct daemon_once {
    struct host_config host; /* home is taken from here too */
    enum daemon_goal goal;
    uint64_t wait_ms; /* UINT64_MAX: no limit */
    void *user;
    /* Called once when the sockets listen, so a ticket made now has our addresses. May call
       host_call; a result other than 0 ends the run with it. May be NULL. */
    int (*online)(void *user, struct host *h);
    /* A line for the person, safe for a terminal: notices, peers coming and going. May be NULL. */
    void (*line)(void *user, const char *text);
    /* Called at the end, before the report is closed: to read it. May be NULL. */
    void (*last)(void *user, struct host *h);
};

/*
 * Runs one report with its sockets until the goal is reached or the time is over, closes it, and
 * appends the reply: for SYNC and JOIN what the op "sync" replies, for FRIEND what "invite.wait"
 * does, for DOCTOR what "doctor" does (daemon/client.h), also where the report cannot be opened;
 * each with "interrupted": true where a signal came first. A ticket that
 * was refused for good is ok false with the reason.
 *
 * Returns 0 when there is a reply. Else nothing was appended and `why` has a sentence: what
 * host_open returns, RAPPORT_MALFORMED (an address), RAPPORT_EXISTS (address in use), RAPPORT_IO,
 * RAPPORT_NOMEM, or what `online` returned.
 */
int daemon_sync_once(const struct daemon_config *config, const struct daemon_once *once,
                     struct buf *reply, struct buf *why);

#endif

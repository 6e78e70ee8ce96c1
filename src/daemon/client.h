/*
 * client.h - the other end of the daemon's control socket: blocking, with time limits.
 *
 * One socket for each user's state folder (HOME of host/host.h):
 *
 *   HOME/run/control.sock               where RAPPORT_HOME is set or a home is given
 *   $XDG_RUNTIME_DIR/rapport/control.sock   else, where that variable names a folder of ours
 *   /tmp/rapport-UID/HASH.sock          where the path of the above is too long for a socket
 *
 * Its folder is 0700, the socket 0600, and both sides look at the other's uid. The lock file of a
 * report names the socket too, so a verb finds the daemon of a folder whatever RAPPORT_HOME says.
 *
 *   frame    length (u32, big-endian), payload
 *   request  msgpack [dir: bin, request: bin]; `request` as in host/ops.h; `dir` the folder of a
 *            report, absolute, or empty for ops that begin with "daemon."
 *   reply    one msgpack map, as in host/ops.h
 *
 * Ops of the daemon's own; each reply has "ok", and "error" as in host/ops.h:
 *
 *   op            arguments (? optional)           reply
 *   daemon.ping   -                                pid, version, home, reports: [{dir, title,
 *                                                  listen: [str], peers: uint (connected)}]
 *   daemon.open   dir, listen? [str], peers?       already: bool, pid, listen: [str], digest
 *                 [str], lan?, tailnet?,
 *                 tailscaled?, tailnet_tag? str
 *   daemon.close  dir                              stopping: bool (it was the last one: the daemon
 *                                                  ends); sent when the folder is closed
 *   daemon.stop   -                                pid; sent when every folder is closed
 *   sync          wait_s? uint (10)                SYNC; sent when converged, or the time is over
 *   invite.wait   wait_s? uint (0: no limit)       device (hex), name; sent when a friend has
 *                                                  joined and converged; ok false, code TIMEOUT,
 *                                                  else
 *   doctor        version? str (of who asks)       DOCTOR
 *
 *   SYNC    converged: bool, digest (32 hex digits), peers: [PEER of host/ops.h with
 *           "digest_equal" true where equal], connected: uint, waited_ms: uint. ok is true also
 *           where nothing converged; no peer at all gives connected 0, for exit code 5.
 *   DOCTOR  problems: uint, next: str (the one next thing to do, "" nothing), findings: [{state:
 *           fine|note|problem, area, text, todo}]; texts are safe for a terminal. Areas: daemon,
 *           store, disk, files, clock, network, lan, tailnet, listen, firewall, friends, sleep
 *
 * "sync", "invite.wait" and "doctor" are about the report of `dir`.
 */
#ifndef DAEMON_CLIENT_H
#define DAEMON_CLIENT_H

#include "base/buf.h"

struct client;

enum {
    CLIENT_MOST_REPLY_BYTES = 128 << 20,
    CLIENT_CONNECT_MS = 2000, /* also for a daemon that is just starting */
    CLIENT_CALL_MS = 30000,   /* for a reply to an op that does not wait */
};

/* Appends the path of the control socket of the user whose state is in `home` (NULL: from the
   environment). Makes nothing. Returns 0, RAPPORT_NOTFOUND (no home at all), RAPPORT_IO or
   RAPPORT_NOMEM. */
int client_socket_path(const char *home, struct buf *out);

/*
 * Connects to the process that has the report at `dir` open. Returns 0; RAPPORT_NOTFOUND: nobody
 * has it open, so the caller may; RAPPORT_LOCKED: a process without a socket has it (another verb;
 * try again), or one whose socket does not answer; RAPPORT_PERMISSION: the socket is not this
 * user's; RAPPORT_IO, RAPPORT_NOMEM. On failure `why` (may be NULL) gets a sentence. Close with
 * client_close.
 */
int client_connect(const char *dir, struct client **out, struct buf *why);

/* Connects to this user's daemon. As client_connect; RAPPORT_NOTFOUND: none runs. */
int client_connect_home(const char *home, struct client **out, struct buf *why);

/* NULL is allowed. */
void client_close(struct client *c);

/*
 * Sends one request for the report at `dir` (NULL or "": the daemon itself), waits for the reply
 * and appends it. `wait_ms` is the limit, 0 means CLIENT_CALL_MS, UINT64_MAX none. Returns 0 when
 * there is a reply, also one that says ok false; RAPPORT_TIMEOUT, RAPPORT_CLOSED, RAPPORT_LIMIT,
 * RAPPORT_MALFORMED, RAPPORT_IO, RAPPORT_AGAIN (a signal came, e.g. Ctrl-C) or RAPPORT_NOMEM; after
 * one of them only client_close is allowed.
 */
int client_call(struct client *c, const char *dir, struct slice request, uint64_t wait_ms,
                struct buf *reply);

/* The process at the other end, as the system names it. */
int64_t client_daemon_pid(const struct client *c);

/* Waits until the other end has closed (after daemon.stop: the process is at its end). Returns 0 or
   RAPPORT_TIMEOUT. */
int client_wait_end(struct client *c, uint64_t wait_ms);

#endif

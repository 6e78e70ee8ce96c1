/*
 * control.h - the daemon's end of the control socket: who may connect, frames in, replies out.
 * Knows nothing of reports or verbs; the format stands in daemon/client.h.
 *
 * Bounded: CONTROL_MOST_CLIENTS are served at once, others wait in the kernel's backlog; a frame
 * must be whole CONTROL_FRAME_MS after it began (or after the client came), all frames together
 * hold at most CONTROL_MOST_BUFFERED bytes, and memory grows with what has come, never with what is
 * claimed.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <uv.h>

#include "base/buf.h"
#include "host/ops.h"

enum {
    CONTROL_MOST_CLIENTS = 64,
    CONTROL_MOST_FRAME = OPS_MOST_REQUEST_BYTES + 8192,
    CONTROL_MOST_BUFFERED = 96 << 20,
    CONTROL_FRAME_MS = 5000,
    CONTROL_IDLE_MS = 60000, /* between a reply and the next request */
    CONTROL_WRITE_MS = 10000 /* to take a reply off */
};

struct control;
struct control_client;

/*
 * A request has come. Answer it with control_reply, now or later. `gone` of a client that goes
 * before its answer is given is told by config.gone.
 */
struct control_config {
    uv_loop_t *loop;
    const char *path; /* of the socket; copied */
    void *user;
    void (*request)(void *user, struct control_client *client, const char *dir,
                    struct slice request);
    void (*gone)(void *user, struct control_client *client);
};

/*
 * Takes the place: makes the socket's folder (0700, ours), locks PATH.lock, replaces a stale
 * socket, listens. Returns 0; RAPPORT_LOCKED: another daemon has the place; RAPPORT_PERMISSION: the
 * folder is not ours alone; RAPPORT_IO, RAPPORT_NOMEM. On failure `why` has a sentence.
 */
int control_open(const struct control_config *config, struct control **out, struct buf *why);

/* Removes the socket, closes the clients (replies under way are still sent) and frees it. */
void control_close(struct control *c);

/* Sends a reply (copied). The client may ask again then. */
void control_reply(struct control_client *client, struct slice reply);

#endif

/*
 * localapi.h - requests to the local tailscaled over its Unix socket (HTTP), on a libuv loop.
 *
 * Plain requests are HTTP/1.0, so that the body ends with the connection and needs no chunk
 * decoder; only `dial` is 1.1, with Upgrade. Every request has a time limit: a daemon whose backend
 * is not up lets them hang. Bodies are bounded; what is above the limit fails with RAPPORT_LIMIT.
 *
 * tailscaled's words are those of its source (ipn/localapi, client/local); docs/protocol.md does
 * not cover them. Knows nothing of what the answers mean: net/tailnet_status.h reads them.
 */
#ifndef NET_LOCALAPI_H
#define NET_LOCALAPI_H

#include "base/buf.h"
#include "rapport/uv.h"

enum {
    LOCALAPI_MOST_HEAD = 16 * 1024,
    LOCALAPI_MOST_STATUS = 64 << 20, /* bytes of a status: 10,000 peers and room */
    LOCALAPI_MOST_WHOIS = 1 << 20,
    LOCALAPI_REQUEST_MS = 10000,
    LOCALAPI_DIAL_MS = 10000,
};

/* Appends the path of tailscaled's socket: `setting` when not NULL or "", else $TS_SOCKET, else the
   first of the platform's places that holds a socket of root's or of ours, else the first of them.
   Returns 0 or RAPPORT_NOMEM. */
int localapi_path(const char *setting, struct buf *out);

/* The head of an answer. */
struct localapi_head {
    unsigned status;    /* 200, 404, ... */
    unsigned cap;       /* Tailscale-Cap; 0 when absent */
    char version[64];   /* Tailscale-Version, printable ASCII only; "" when absent */
    bool dial_self;     /* Dial-Self: true */
    char dial_addr[80]; /* Dial-Addr; "" when absent */
    int64_t length;     /* Content-Length; -1 when absent: the body ends with the connection */
    bool encoded;       /* Transfer-Encoding: nothing that an answer to HTTP/1.0 may have */
};

/* Reads the head of an HTTP answer (status line to empty line). Returns the number of bytes that it
   takes, 0 when more are needed, RAPPORT_MALFORMED, or RAPPORT_LIMIT past LOCALAPI_MOST_HEAD. */
int localapi_read_head(struct slice bytes, struct localapi_head *out);

struct localapi_request;

/* One GET of `target` ("/localapi/v0/status"), with a body of at most `most` bytes, within
   LOCALAPI_REQUEST_MS. `done` is called once from the loop: error 0 with the head and the whole
   body (whatever the status); RAPPORT_NOTFOUND (no socket, or nobody behind it),
   RAPPORT_PERMISSION, RAPPORT_TIMEOUT, RAPPORT_LIMIT, RAPPORT_MALFORMED, RAPPORT_CLOSED (before the
   end), RAPPORT_NOMEM or RAPPORT_IO, with an empty body, and head NULL when there is none. The
   request is gone when `done` returns. Returns NULL when memory is out; `done` is never called from
   within. */
struct localapi_request *localapi_get(
    uv_loop_t *loop, const char *path, const char *target, size_t most,
    void (*done)(void *user, int error, const struct localapi_head *head, struct slice body),
    void *user);

/* The bus: `piece` gets the head first (body empty), then, when the status is 200, the body's bytes
   as they come, without end. An error other than 0, as above, is the last call. A status other than
   200 is followed by RAPPORT_REFUSED. */
struct localapi_request *localapi_watch(uv_loop_t *loop, const char *path, const char *target,
                                        void (*piece)(void *user, int error,
                                                      const struct localapi_head *head,
                                                      struct slice body),
                                        void *user);

/* Dials a tailnet address through the daemon. `done` once: error 0 with an open stream and the
   bytes that came glued to the head; the stream is the caller's now, who uv_close()s and then
   free()s it. For Dial-Self the stream is NULL: connect to head->dial_addr. Else an error as
   localapi_get has them, or RAPPORT_UNREACHABLE for 502, RAPPORT_REFUSED for any other status
   (404: the daemon was built without). */
struct localapi_request *
localapi_dial(uv_loop_t *loop, const char *path, const struct rapport_address *to,
              void (*done)(void *user, int error, const struct localapi_head *head,
                           uv_pipe_t *stream, struct slice glued),
              void *user);

/* Ends a request; `done` or `piece` is not called any more. Also from within them. NULL: nothing.
 */
void localapi_cancel(struct localapi_request *r);

#endif

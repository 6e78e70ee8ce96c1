/*
 * localapi.c - see localapi.h. One request is one connection:
 *
 *   connect -> write the request -> read the head -> GET: the body until the end of the connection
 *                                                    WATCH: pieces, for ever
 *                                                    DIAL: the pipe goes to the caller
 *
 * `over` is set before the last callback, so that whoever cancels from inside of it does no harm;
 * memory goes with the last handle. Failures at the start are told from the loop too.
 */
#include "net/localapi.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/un.h>

enum {
    READ_BYTES = 64 * 1024
};

enum kind {
    KIND_GET,
    KIND_WATCH,
    KIND_DIAL,
};

struct localapi_request {
    enum kind kind;
    uv_pipe_t *pipe; /* on the heap: a dial gives it away */
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    unsigned n_handles;
    bool over, has_head, writing;
    int owed;        /* the error with which it ends at the next turn of the loop; 0 none */
    struct buf text; /* what is sent */
    struct buf in;   /* head, then for GET the body */
    size_t head_len, most;
    struct localapi_head head;
    void (*done)(void *user, int error, const struct localapi_head *head, struct slice body);
    void (*dialled)(void *user, int error, const struct localapi_head *head, uv_pipe_t *stream,
                    struct slice glued);
    void *user;
    char bytes[READ_BYTES];
};

/* ---- ending ---- */

static void release(struct localapi_request *r)
{
    if (--r->n_handles)
        return;
    buf_clear(&r->text);
    buf_clear(&r->in);
    free(r);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_pipe_closed(uv_handle_t *handle)
{
    struct localapi_request *r = handle->data;
    free(handle);
    release(r);
}

static void close_all(struct localapi_request *r)
{
    uv_pipe_t *pipe = r->pipe;
    r->over = true;
    r->pipe = NULL;
    if (pipe)
        uv_close((uv_handle_t *)pipe, on_pipe_closed);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

void localapi_cancel(struct localapi_request *r)
{
    if (r && !r->over)
        close_all(r);
}

/* What came behind the head, so far. */
static struct slice body_of(const struct localapi_request *r)
{
    return slice_skip(buf_slice(&r->in), r->head_len);
}

static void finish(struct localapi_request *r, int error)
{
    const struct localapi_head *head = r->has_head ? &r->head : NULL;
    struct slice body = error ? slice_of(NULL, 0) : body_of(r);
    if (r->over)
        return;
    if (r->has_head && r->head.length >= 0 && body.len > (size_t)r->head.length)
        body.len = (size_t)r->head.length;
    r->over = true;
    if (r->kind == KIND_DIAL)
        r->dialled(r->user, error, head, NULL, slice_of(NULL, 0));
    else
        r->done(r->user, error, head, body);
    close_all(r);
}

static int error_of(int uv_error)
{
    switch (uv_error) {
    case UV_ENOENT:
    case UV_ENOTDIR:
    case UV_ECONNREFUSED:
    case UV_ENOTSOCK:
    case UV_EPROTOTYPE:
        return RAPPORT_NOTFOUND;
    case UV_EAGAIN: /* its queue is full: nobody accepts */
        return RAPPORT_TIMEOUT;
    case UV_EACCES:
    case UV_EPERM:
        return RAPPORT_PERMISSION;
    case UV_ENOMEM:
        return RAPPORT_NOMEM;
    case UV_EOF:
    case UV_EPIPE:
    case UV_ECONNRESET:
        return RAPPORT_CLOSED;
    default:
        return RAPPORT_IO;
    }
}

/* ---- what came ---- */

/* The stream is the caller's from here on. */
static void hand_over(struct localapi_request *r)
{
    uv_pipe_t *pipe = r->pipe;
    struct slice glued = body_of(r);
    (void)uv_read_stop((uv_stream_t *)pipe);
    pipe->data = NULL;
    r->pipe = NULL;
    r->n_handles--; /* the timer still holds r */
    r->over = true;
    r->dialled(r->user, 0, &r->head, pipe, glued);
    close_all(r);
}

static void dial_answered(struct localapi_request *r)
{
    switch (r->head.status) {
    case 101:
        if (r->writing) /* answered before it was asked */
            finish(r, RAPPORT_MALFORMED);
        else
            hand_over(r);
        return;
    case 200: /* reachable without the daemon's help */
        finish(r, r->head.dial_self && r->head.dial_addr[0] ? 0 : RAPPORT_MALFORMED);
        return;
    case 502:
        finish(r, RAPPORT_UNREACHABLE);
        return;
    default:
        finish(r, RAPPORT_REFUSED);
        return;
    }
}

/* A piece of the bus; nothing of it is kept. */
static void give_piece(struct localapi_request *r, struct slice bytes)
{
    if (bytes.len)
        r->done(r->user, 0, &r->head, bytes);
}

static void head_complete(struct localapi_request *r, size_t len)
{
    r->has_head = true;
    r->head_len = len;
    if (r->kind == KIND_DIAL) {
        dial_answered(r);
    } else if (r->kind == KIND_WATCH) {
        (void)uv_timer_stop(&r->timer); /* from here on silence is normal */
        r->done(r->user, 0, &r->head, slice_of(NULL, 0));
        if (!r->over && r->head.status != 200)
            finish(r, RAPPORT_REFUSED);
        else if (!r->over)
            give_piece(r, body_of(r));
    }
}

/* A GET ends with the length that it was given, else with the connection. */
static void body_grew(struct localapi_request *r)
{
    size_t len = body_of(r).len;
    if (r->head.encoded)
        finish(r, RAPPORT_MALFORMED);
    else if (len > r->most || (r->head.length >= 0 && (uint64_t)r->head.length > r->most))
        finish(r, RAPPORT_LIMIT);
    else if (r->head.length >= 0 && len >= (size_t)r->head.length)
        finish(r, 0);
}

static void take(struct localapi_request *r, struct slice bytes)
{
    if (r->kind == KIND_WATCH && r->has_head) {
        give_piece(r, bytes);
        return;
    }
    buf_append_slice(&r->in, bytes);
    if (buf_error(&r->in)) {
        finish(r, RAPPORT_NOMEM);
        return;
    }
    if (!r->has_head) {
        int len = localapi_read_head(buf_slice(&r->in), &r->head);
        if (len < 0)
            finish(r, len);
        else if (len > 0)
            head_complete(r, (size_t)len);
    }
    if (!r->over && r->kind == KIND_GET && r->has_head)
        body_grew(r);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct localapi_request *r = handle->data;
    (void)suggested;
    *out = uv_buf_init(r->bytes, sizeof r->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct localapi_request *r = stream->data;
    if (!r || r->over || n == 0)
        return;
    if (n > 0)
        take(r, slice_of(bytes->base, (size_t)n));
    else if (n == UV_EOF && r->kind == KIND_GET && r->has_head && r->head.length < 0)
        finish(r, 0);
    else
        finish(r, error_of((int)n));
}

/* ---- asking ---- */

/* A failure is not the end: the daemon may have answered and closed without reading all. */
static void on_written(uv_write_t *write, int status)
{
    struct localapi_request *r = write->data;
    (void)status;
    r->writing = false;
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct localapi_request *r = connect->data;
    if (r->over)
        return;
    uv_buf_t text = uv_buf_init((char *)r->text.ptr, (unsigned)r->text.len);
    if (!status)
        status = uv_read_start((uv_stream_t *)r->pipe, on_alloc, on_read);
    if (!status)
        status = uv_write(&r->write, (uv_stream_t *)r->pipe, &text, 1, on_written);
    r->writing = !status;
    if (status)
        finish(r, error_of(status));
}

static void on_late(uv_timer_t *timer)
{
    struct localapi_request *r = timer->data;
    finish(r, r->owed ? r->owed : RAPPORT_TIMEOUT);
}

/* A request that is not sent yet; its text is the caller's to write. */
static struct localapi_request *request_create(uv_loop_t *loop, enum kind kind, void *user)
{
    struct localapi_request *r = calloc(1, sizeof *r);
    uv_pipe_t *pipe = r ? malloc(sizeof *pipe) : NULL;
    if (!pipe) {
        free(r);
        return NULL;
    }
    r->kind = kind;
    r->user = user;
    r->pipe = pipe;
    (void)uv_pipe_init(loop, pipe, 0);
    (void)uv_timer_init(loop, &r->timer);
    r->n_handles = 2;
    pipe->data = r->timer.data = r->connect.data = r->write.data = r;
    return r;
}

/* Sends it off; every failure from here on comes through the callback. */
static struct localapi_request *request_begin(struct localapi_request *r, const char *path,
                                              uint64_t wait_ms)
{
    if (buf_error(&r->text)) {
        close_all(r);
        return NULL;
    }
    /* libuv would cut a path that is too long, and connect to another one. */
    bool fits = strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path;
    r->owed = fits ? 0 : RAPPORT_NOTFOUND;
    (void)uv_timer_start(&r->timer, on_late, fits ? wait_ms : 0, 0);
    if (fits)
        uv_pipe_connect(&r->connect, r->pipe, path, on_connected);
    return r;
}

static void put_get(struct localapi_request *r, const char *target)
{
    buf_printf(&r->text, "GET %s HTTP/1.0\r\nHost: local-tailscaled.sock\r\n\r\n", target);
}

struct localapi_request *localapi_get(
    uv_loop_t *loop, const char *path, const char *target, size_t most,
    void (*done)(void *user, int error, const struct localapi_head *head, struct slice body),
    void *user)
{
    struct localapi_request *r = request_create(loop, KIND_GET, user);
    if (!r)
        return NULL;
    r->done = done;
    r->most = most;
    put_get(r, target);
    return request_begin(r, path, LOCALAPI_REQUEST_MS);
}

struct localapi_request *localapi_watch(uv_loop_t *loop, const char *path, const char *target,
                                        void (*piece)(void *user, int error,
                                                      const struct localapi_head *head,
                                                      struct slice body),
                                        void *user)
{
    struct localapi_request *r = request_create(loop, KIND_WATCH, user);
    if (!r)
        return NULL;
    r->done = piece;
    put_get(r, target);
    return request_begin(r, path, LOCALAPI_REQUEST_MS);
}

struct localapi_request *
localapi_dial(uv_loop_t *loop, const char *path, const struct rapport_address *to,
              void (*done)(void *user, int error, const struct localapi_head *head,
                           uv_pipe_t *stream, struct slice glued),
              void *user)
{
    char host[INET6_ADDRSTRLEN] = "";
    struct localapi_request *r = request_create(loop, KIND_DIAL, user);
    if (!r)
        return NULL;
    (void)inet_ntop(to->family == 4 ? AF_INET : AF_INET6, to->bytes, host, sizeof host);
    r->dialled = done;
    buf_printf(&r->text,
               "POST /localapi/v0/dial HTTP/1.1\r\nHost: local-tailscaled.sock\r\n"
               "Connection: upgrade\r\nUpgrade: ts-dial\r\nDial-Host: %s\r\nDial-Port: %u\r\n"
               "Dial-Network: tcp\r\nContent-Length: 0\r\n\r\n",
               host, to->port);
    return request_begin(r, path, LOCALAPI_DIAL_MS);
}

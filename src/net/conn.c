/*
 * conn.c - one TCP connection: written to at once where the kernel takes it, queued where not; read
 * into the one buffer that all share, handed over before the next read.
 */
#include <netinet/tcp.h>
#include <stdlib.h>

#include "net/net.h"

static void let_go(struct conn *c)
{
    struct rapport_uv *uv = c->uv;
    if (--c->n_handles)
        return;
    for (size_t i = 0; i < uv->n_conns; i++)
        if (uv->conns[i] == c) {
            uv->conns[i] = uv->conns[--uv->n_conns];
            break;
        }
    free(c);
    uv_release(uv);
}

static void on_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

struct conn *conn_create(struct rapport_uv *uv, const struct rapport_address *address)
{
    if (uv->n_conns == RAPPORT_UV_MOST_CONNS)
        return NULL;
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->uv = uv;
    c->address = *address;
    c->since = rapport_uv_now();
    if (uv_tcp_init(uv->config.loop, &c->tcp)) {
        free(c);
        return NULL;
    }
    (void)uv_timer_init(uv->config.loop, &c->timer);
    c->tcp.data = c->timer.data = c->connect.data = c->shutdown.data = c;
    c->stream = (uv_stream_t *)&c->tcp;
    c->n_handles = 2;
    uv->conns[uv->n_conns++] = c;
    return c;
}

struct conn *conn_find(struct rapport_uv *uv, uint32_t id)
{
    for (size_t i = 0; i < uv->n_conns; i++)
        if (uv->conns[i]->state == CONN_OPEN && uv->conns[i]->id == id)
            return uv->conns[i];
    return NULL;
}

static bool is_pipe(const struct conn *c)
{
    return c->stream != (const uv_stream_t *)&c->tcp;
}

static void on_pipe_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    free(handle);
    let_go(c);
}

void conn_take_pipe(struct conn *c, uv_pipe_t *pipe)
{
    pipe->data = c;
    c->stream = (uv_stream_t *)pipe;
    c->n_handles++;
}

void conn_destroy(struct conn *c)
{
    if (c->state == CONN_GONE)
        return;
    c->state = CONN_GONE;
    if (c->asking)
        localapi_cancel(c->asking);
    c->asking = NULL;
    if (is_pipe(c))
        uv_close((uv_handle_t *)c->stream, on_pipe_closed);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

/* ---- ending ---- */

static void on_linger_over(uv_timer_t *timer)
{
    conn_destroy(timer->data);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    if (status < 0 && status != UV_ECANCELED)
        conn_destroy(req->data);
}

void conn_linger(struct conn *c)
{
    c->state = CONN_LINGERING;
    (void)uv_timer_start(&c->timer, on_linger_over, RAPPORT_UV_LINGER_MS, 0);
    if (uv_shutdown(&c->shutdown, c->stream, on_shutdown))
        conn_destroy(c);
}

/* The connection broke: the node is told, now or, within an effect, by conn_settle. */
static void give_closed(struct conn *c, int error)
{
    struct rapport_event event = {.kind = RAPPORT_EVENT_CLOSED, .conn = c->id, .error = error};
    char text[RAPPORT_ADDRESS_TEXT];
    uv_trace(c->uv, "%s: %s", rapport_address_print(&c->address, text), rapport_strerror(error));
    conn_destroy(c);
    uv_give(c->uv, &event);
}

static void break_later(struct conn *c, int error)
{
    c->owes_closed = error;
    (void)uv_read_stop(c->stream);
    uv_owe(c->uv);
}

/* ---- sending ---- */

struct queued {
    uv_write_t req;
    uint8_t bytes[];
};

static size_t waiting(const struct conn *c)
{
    return uv_stream_get_write_queue_size(c->stream);
}

void conn_settle(struct conn *c)
{
    if (c->state != CONN_OPEN)
        return;
    if (c->owes_closed) {
        give_closed(c, c->owes_closed);
    } else if (c->owes_drained && waiting(c) < RAPPORT_LOW_WATER) {
        struct rapport_event event = {.kind = RAPPORT_EVENT_DRAINED, .conn = c->id};
        c->owes_drained = false;
        uv_give(c->uv, &event);
    }
}

static void on_written(uv_write_t *req, int status)
{
    struct conn *c = req->data;
    free(req);
    if (c->state == CONN_OPEN && status < 0 && !c->owes_closed)
        c->owes_closed = address_error(status);
    conn_settle(c);
}

static void enqueue(struct conn *c, const uint8_t *bytes, size_t len)
{
    if (waiting(c) + len > RAPPORT_UV_MOST_QUEUED) {
        break_later(c, RAPPORT_LIMIT);
        return;
    }
    struct queued *q = malloc(sizeof *q + len);
    if (!q) {
        break_later(c, RAPPORT_NOMEM);
        return;
    }
    memcpy(q->bytes, bytes, len);
    q->req.data = c;
    uv_buf_t buf = uv_buf_init((char *)q->bytes, (unsigned)len);
    int error = uv_write(&q->req, c->stream, &buf, 1, on_written);
    if (error) {
        free(q);
        break_later(c, address_error(error));
    }
}

void conn_send(struct conn *c, const uint8_t *bytes, size_t len)
{
    if (c->owes_closed || len == 0)
        return;
    c->owes_drained = true;
    uv_owe(c->uv);
    size_t taken = 0;
    if (waiting(c) == 0) {
        unsigned first = len < UINT32_MAX ? (unsigned)len : UINT32_MAX;
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, first);
        int n = uv_try_write(c->stream, &buf, 1);
        if (n < 0 && n != UV_EAGAIN) {
            break_later(c, address_error(n));
            return;
        }
        taken = n > 0 ? (size_t)n : 0;
    }
    if (taken < len)
        enqueue(c, bytes + taken, len - taken);
}

static bool is_bound_here(const struct conn *c)
{
    struct sockaddr_storage name;
    struct rapport_address own;
    int len = sizeof name;
    if (is_pipe(c) || uv_tcp_getsockname(&c->tcp, (struct sockaddr *)&name, &len) ||
        address_of_sockaddr((struct sockaddr *)&name, &own))
        return true; /* it breaks by itself */
    return address_is_loopback(&own) || links_holder(links_now(c->uv->links), &own) != NULL;
}

void conns_check_bound(struct rapport_uv *uv)
{
    for (size_t i = 0; i < uv->n_conns; i++)
        if (uv->conns[i]->state == CONN_OPEN && !uv->conns[i]->owes_closed &&
            !is_bound_here(uv->conns[i]))
            break_later(uv->conns[i], RAPPORT_UNREACHABLE);
}

/* ---- receiving ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct conn *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init(c->uv->read_buffer, sizeof c->uv->read_buffer);
}

void conn_received(struct conn *c, struct slice bytes)
{
    struct rapport_event event = {
        .kind = RAPPORT_EVENT_RECEIVED, .conn = c->id, .bytes = bytes.ptr, .len = bytes.len};
    uv_give(c->uv, &event);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    if (c->state == CONN_LINGERING && n < 0)
        conn_destroy(c);
    if (c->state != CONN_OPEN || n == 0 || c->owes_closed)
        return;
    if (n < 0) {
        give_closed(c, address_error((int)n));
        return;
    }
    conn_received(c, slice_of(buf->base, (size_t)n));
}

/* ---- opening ---- */

/* A kernel that does not know an option does without. */
static void set_options(struct conn *c)
{
    uv_os_fd_t fd;
    int timeout = NET_USER_TIMEOUT_MS, lowat = NET_NOTSENT_LOWAT;
    if (is_pipe(c))
        return;
    (void)uv_tcp_nodelay(&c->tcp, 1);
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd))
        return;
#ifdef TCP_USER_TIMEOUT
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
#endif
#ifdef TCP_NOTSENT_LOWAT
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
#endif
}

void conn_open(struct conn *c)
{
    struct rapport_uv *uv = c->uv;
    c->state = CONN_OPEN;
    c->id = ++uv->last_conn;
    set_options(c);
    int error = uv_read_start(c->stream, on_alloc, on_read);
    if (error)
        break_later(c, address_error(error));
    struct rapport_event event = {
        .kind = RAPPORT_EVENT_CONNECTED, .conn = c->id, .dial = c->dial, .address = c->address};
    char text[RAPPORT_ADDRESS_TEXT];
    uv_trace(uv, "%s %s", c->dial ? "connected to" : "accepted from",
             rapport_address_print(&c->address, text));
    uv_give(uv, &event);
}

/*
 * through.c - connections to and from a tailnet that is on no interface of this machine (userspace
 * networking): out through a SOCKS5 proxy or tailscaled's own dial, in by way of loopback.
 *
 * Whoever comes in from loopback is asked for at tailscaled: a tailnet machine gets its address
 * there, so that it is known by it; all others are processes of this machine and stay what they
 * are. tailscaled knows the port only a moment after it has connected, so "not known" is asked
 * again.
 */
#include <stdio.h>

#include "net/net.h"
#include "net/tailnet.h"

enum {
    WHOIS_TRIES = 4,
    WHOIS_RETRY_MS = 150, /* all within 500 ms */
};

/* ---- out, by tailscaled ---- */

static void give_glued(struct conn *c, struct slice glued)
{
    if (c->state == CONN_OPEN && glued.len)
        conn_received(c, glued);
}

static void connect_directly(struct conn *c, const char *text)
{
    struct rapport_address at;
    int error = rapport_address_parse(text, 0, &at);
    if (error || !at.port)
        dial_fail(c, RAPPORT_MALFORMED);
    else if ((error = dial_connect(c, &at)) != 0)
        dial_fail(c, error);
}

static void on_dialled(void *user, int error, const struct localapi_head *head, uv_pipe_t *stream,
                       struct slice glued)
{
    struct conn *c = user;
    c->asking = NULL;
    if (error) {
        dial_fail(c, error == RAPPORT_NOTFOUND || error == RAPPORT_CLOSED ? RAPPORT_UNREACHABLE
                                                                          : error);
    } else if (!stream) {
        connect_directly(c, head->dial_addr);
    } else {
        (void)uv_timer_stop(&c->timer);
        conn_take_pipe(c, stream);
        conn_open(c);
        give_glued(c, glued);
    }
}

/* ---- out, by SOCKS5 ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct conn *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init(c->uv->read_buffer, sizeof c->uv->read_buffer);
}

/* A few bytes into an empty socket: the kernel takes them or the connection is broken. */
static int say(struct conn *c)
{
    uint8_t bytes[SOCKS_MOST_REQUEST];
    unsigned len = (unsigned)socks_output(&c->socks, bytes);
    uv_buf_t buf = uv_buf_init((char *)bytes, len);
    return uv_try_write(c->stream, &buf, 1) == (int)len ? 0 : RAPPORT_IO;
}

static void take(struct conn *c, struct slice bytes)
{
    size_t used = 0;
    enum socks_state before = c->socks.state;
    int error = socks_input(&c->socks, bytes, &used);
    if (!error) {
        (void)uv_timer_stop(&c->timer);
        (void)uv_read_stop(c->stream);
        conn_open(c);
        give_glued(c, slice_of(bytes.ptr + used, bytes.len - used));
    } else if (error != RAPPORT_AGAIN) {
        dial_fail(c, error);
    } else if (c->socks.state != before && (error = say(c)) != 0) {
        dial_fail(c, error);
    } else if (used < bytes.len && c->socks.state != before) {
        take(c, slice_of(bytes.ptr + used, bytes.len - used));
    }
}

static void on_socks_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    if (c->state != CONN_DIALLING || n == 0)
        return;
    if (n < 0)
        dial_fail(c, RAPPORT_UNREACHABLE);
    else
        take(c, slice_of(buf->base, (size_t)n));
}

static void on_proxy(uv_connect_t *req, int status)
{
    struct conn *c = req->data;
    if (c->state != CONN_DIALLING)
        return;
    socks_init(&c->socks, &c->address);
    int error = status ? RAPPORT_UNREACHABLE : say(c);
    if (!error && uv_read_start(c->stream, on_alloc, on_socks_read))
        error = RAPPORT_IO;
    if (error)
        dial_fail(c, error);
}

bool through_begin(struct conn *c, int *error)
{
    struct tailnet_via via;
    if (!discover_via(c->uv, &c->address, &via))
        return false;
    if (via.socks) {
        struct sockaddr_storage to;
        address_to_sockaddr(&via.proxy, &to);
        *error = uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&to, on_proxy)
                     ? RAPPORT_UNREACHABLE
                     : 0;
        return true;
    }
    c->asking = localapi_dial(c->uv->config.loop, via.socket, &c->address, on_dialled, c);
    *error = c->asking ? 0 : RAPPORT_NOMEM;
    return true;
}

/* ---- in ---- */

static void ask(struct conn *c);

static void on_again(uv_timer_t *timer)
{
    struct conn *c = timer->data;
    if (c->state == CONN_DIALLING)
        ask(c);
}

/* The machine's address takes the place of loopback's; its port says nothing. */
static void name(struct conn *c, struct slice json)
{
    struct tailnet_whois who;
    struct rapport_address at;
    if (tailnet_whois_read(json, &who))
        return;
    if (discover_machine(c->uv, who.id, &at)) {
        at.port = c->address.port;
        c->address = at;
    }
    tailnet_whois_clear(&who);
}

static void on_whois(void *user, int error, const struct localapi_head *head, struct slice body)
{
    struct conn *c = user;
    c->asking = NULL;
    if (!error && head->status == 404 && ++c->n_asked < WHOIS_TRIES) {
        (void)uv_timer_start(&c->timer, on_again, WHOIS_RETRY_MS, 0);
        return;
    }
    if (!error && head->status == 200)
        name(c, body);
    conn_open(c);
}

static void ask(struct conn *c)
{
    struct tailnet_via via;
    char target[160], text[RAPPORT_ADDRESS_TEXT];
    (void)snprintf(target, sizeof target, "/localapi/v0/whois?addr=%s&proto=tcp",
                   rapport_address_print(&c->address, text));
    if (discover_via(c->uv, NULL, &via))
        c->asking =
            localapi_get(c->uv->config.loop, via.socket, target, LOCALAPI_MOST_WHOIS, on_whois, c);
    if (!c->asking)
        conn_open(c);
}

void through_accept(struct conn *c)
{
    if (address_is_loopback(&c->address))
        ask(c);
    else
        conn_open(c);
}

/*
 * listen.c - listening sockets, whom to accept, and what is said in ONLINE.
 *
 * Limits before anybody is known: RAPPORT_UV_MOST_YOUNG connections that are younger than a
 * handshake may take, RAPPORT_UV_MOST_YOUNG_SOURCE of one source, and the rate of net/gate.h. Above
 * them a connection is accepted and closed: left in the backlog it would keep others out. Who has
 * finished the handshake no longer counts, so that all friends may sit behind one /64.
 */
#include <stdlib.h>

#include "net/net.h"
#include "net/tailnet.h"

/* ---- accepting ---- */

static void on_turned_away(uv_handle_t *handle)
{
    struct rapport_uv *uv = handle->data;
    free(handle);
    uv->n_handles--;
    uv_release(uv);
}

/* Without the table: it may be full. */
static void turn_away(struct listener *l)
{
    uv_tcp_t *tcp = malloc(sizeof *tcp);
    if (!tcp)
        return;
    if (uv_tcp_init(l->uv->config.loop, tcp)) {
        free(tcp);
        return;
    }
    tcp->data = l->uv;
    l->uv->n_handles++;
    (void)uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)tcp);
    uv_close((uv_handle_t *)tcp, on_turned_away);
}

static bool may_come_in(struct rapport_uv *uv, const struct conn *fresh)
{
    uint8_t source[ADDRESS_PREFIX_BYTES], other[ADDRESS_PREFIX_BYTES];
    size_t young = 0, same = 0;
    address_prefix(&fresh->address, source);
    for (size_t i = 0; i < uv->n_conns; i++) {
        const struct conn *c = uv->conns[i];
        if (c == fresh || c->dial || c->state == CONN_GONE ||
            fresh->since - c->since > RAPPORT_UV_YOUNG_MS)
            continue;
        address_prefix(&c->address, other);
        young++;
        same += memcmp(source, other, sizeof source) == 0;
    }
    return young < RAPPORT_UV_MOST_YOUNG && same < RAPPORT_UV_MOST_YOUNG_SOURCE &&
           gate_admit(&uv->gate, &fresh->address, fresh->since);
}

static int read_peer_name(struct conn *c)
{
    struct sockaddr_storage name;
    int len = sizeof name;
    int error = uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&name, &len);
    return error ? error : address_of_sockaddr((struct sockaddr *)&name, &c->address);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct listener *l = server->data;
    static const struct rapport_address unknown = {.family = 4};
    if (status)
        return;
    struct conn *c = conn_create(l->uv, &unknown);
    if (!c) {
        turn_away(l);
        return;
    }
    if (uv_accept(server, (uv_stream_t *)&c->tcp) || read_peer_name(c)) {
        conn_destroy(c);
    } else if (!may_come_in(l->uv, c)) {
        char text[RAPPORT_ADDRESS_TEXT];
        uv_trace(l->uv, "too many connections from %s", rapport_address_print(&c->address, text));
        conn_destroy(c);
    } else {
        through_accept(c);
    }
}

/* ---- opening ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    struct rapport_uv *uv = l->uv;
    free(l);
    uv->n_handles--;
    uv_release(uv);
}

static int open_listener(struct rapport_uv *uv, const struct rapport_address *at)
{
    if (uv->n_listeners == RAPPORT_UV_MOST_LISTEN)
        return UV_EMFILE;
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return UV_ENOMEM;
    struct sockaddr_storage name;
    int len = sizeof name;
    l->uv = uv;
    address_to_sockaddr(at, &name);
    int error = uv_tcp_init(uv->config.loop, &l->tcp);
    if (error) {
        free(l);
        return error;
    }
    l->tcp.data = l;
    uv->n_handles++;
    error = uv_tcp_bind(&l->tcp, (struct sockaddr *)&name, 0);
    error = error ? error : uv_listen((uv_stream_t *)&l->tcp, NET_BACKLOG, on_connection);
    error = error ? error : uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&name, &len);
    error = error ? error : address_of_sockaddr((struct sockaddr *)&name, &l->address);
    if (error) {
        uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
        return error;
    }
    l->dual = at->family == 6 && address_is_unspecified(at);
    uv->listeners[uv->n_listeners++] = l;
    return 0;
}

static void close_listeners(struct rapport_uv *uv, size_t keep)
{
    while (uv->n_listeners > keep)
        uv_close((uv_handle_t *)&uv->listeners[--uv->n_listeners]->tcp, on_listener_closed);
}

void listen_close(struct rapport_uv *uv)
{
    close_listeners(uv, 0);
}

/* Dual stack, or IPv4 alone where the machine has no IPv6. */
static int open_everywhere(struct rapport_uv *uv, uint16_t port)
{
    const struct rapport_address six = {.family = 6, .port = port};
    const struct rapport_address four = {.family = 4, .port = port};
    int error = open_listener(uv, &six);
    if (error == UV_EAFNOSUPPORT || error == UV_EADDRNOTAVAIL || error == UV_EINVAL)
        error = open_listener(uv, &four);
    return error;
}

/* A free port is the last choice, and not one to keep: a random number that stays would tell whose
   machine it is, day after day. */
static int open_default(struct rapport_uv *uv, uint16_t port)
{
    int error = port ? open_everywhere(uv, port) : UV_EADDRINUSE;
    for (uint16_t i = 0; i < RAPPORT_UV_PORTS && error == UV_EADDRINUSE; i++)
        error = open_everywhere(uv, (uint16_t)(RAPPORT_UV_PORT + i));
    return error == UV_EADDRINUSE ? open_everywhere(uv, 0) : error;
}

int rapport_uv_listen(struct rapport_uv *uv, const struct rapport_address *addresses, size_t n,
                      uint16_t port)
{
    size_t before = uv->n_listeners;
    int error = n ? 0 : open_default(uv, port);
    for (size_t i = 0; i < n && !error; i++)
        error = open_listener(uv, &addresses[i]);
    if (error) {
        close_listeners(uv, before);
        return address_error(error);
    }
    rapport_uv_online(uv);
    return 0;
}

size_t rapport_uv_listening(const struct rapport_uv *uv, struct rapport_address *out, size_t most)
{
    for (size_t i = 0; i < uv->n_listeners && i < most; i++)
        out[i] = uv->listeners[i]->address;
    return uv->n_listeners;
}

/* ---- ONLINE ---- */

struct said {
    struct rapport_address at[NET_MOST_LISTEN_EVENT];
    size_t n;
};

static void say(struct said *s, struct rapport_address address, uint16_t port)
{
    address.port = port;
    for (size_t i = 0; i < s->n; i++)
        if (address_equal(&s->at[i], &address))
            return;
    if (s->n < NET_MOST_LISTEN_EVENT)
        s->at[s->n++] = address;
}

static void say_everywhere(struct said *s, const struct rapport_uv *uv, const struct listener *l)
{
    uint16_t port = l->address.port;
    if (l->address.family == 6)
        say(s, (struct rapport_address){.family = 6}, port);
    if (l->address.family == 4 || l->dual)
        say(s, (struct rapport_address){.family = 4}, port);
    for (size_t i = 0; i < uv->n_own; i++)
        if (uv->own[i].family == l->address.family || l->dual)
            say(s, uv->own[i], port);
}

/* What comes in for them arrives at loopback: there some socket has to listen. */
static void say_proxied(struct said *s, const struct rapport_uv *uv)
{
    static const struct rapport_address here = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct rapport_address own[TAILNET_MOST_IPS];
    size_t n = discover_own(uv, own, TAILNET_MOST_IPS);
    for (size_t i = 0; i < uv->n_listeners; i++) {
        const struct listener *l = uv->listeners[i];
        struct rapport_address at = here;
        at.port = l->address.port;
        if (l->dual || address_equal(&l->address, &at) ||
            (l->address.family == 4 && address_is_unspecified(&l->address)))
            for (size_t k = 0; k < n; k++)
                say(s, own[k], at.port);
    }
}

static void give_online(struct rapport_uv *uv)
{
    struct said said = {.n = 0};
    for (size_t i = 0; i < uv->n_listeners; i++)
        if (address_is_unspecified(&uv->listeners[i]->address))
            say_everywhere(&said, uv, uv->listeners[i]);
        else
            say(&said, uv->listeners[i]->address, uv->listeners[i]->address.port);
    say_proxied(&said, uv);
    struct rapport_event event = {
        .kind = RAPPORT_EVENT_ONLINE, .listen = said.at, .n_listen = said.n};
    uv_give(uv, &event);
}

void listen_settle(struct rapport_uv *uv)
{
    bool online = uv->owes_online, moved = uv->owes_moved;
    uv->owes_online = uv->owes_moved = false;
    if (online)
        give_online(uv);
    if (moved) {
        struct rapport_event event = {.kind = RAPPORT_EVENT_MOVED};
        uv_give(uv, &event);
    }
}

void rapport_uv_online(struct rapport_uv *uv)
{
    uv->n_own = interfaces_list(links_now(uv->links), uv->own, NET_MOST_LISTEN_EVENT);
    uv->online = uv->owes_online = true;
    uv_owe(uv);
}

void listen_moved(struct rapport_uv *uv)
{
    if (!uv->online)
        return;
    uv_trace(uv, "the machine's addresses changed, or it slept: peers are dialled again");
    rapport_uv_online(uv);
    uv->owes_moved = true;
}

uint16_t listen_port(const struct rapport_uv *uv)
{
    for (size_t i = 0; i < uv->n_listeners; i++)
        if (!address_is_loopback(&uv->listeners[i]->address))
            return uv->listeners[i]->address.port;
    return 0;
}

/*
 * peer.c - peers that a person typed: numeric ones are candidates at once, names are looked up in
 * libuv's pool, one request a name at a time.
 */
#include <netdb.h>
#include <stdlib.h>

#include "net/net.h"

enum {
    PEER_MOST_ADDRESSES = 8
};

struct peer {
    struct rapport_uv *uv;
    struct address_parts parts;
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    bool looking, has_timer;
    struct rapport_address found[PEER_MOST_ADDRESSES];
    size_t n_found; /* not given to the node yet */
};

void peers_settle(struct rapport_uv *uv)
{
    for (size_t i = 0; i < uv->n_peers; i++) {
        struct peer *p = uv->peers[i];
        for (size_t k = 0; k < p->n_found; k++) {
            struct rapport_event event = {.kind = RAPPORT_EVENT_CANDIDATE,
                                          .address = p->found[k],
                                          .source = RAPPORT_SOURCE_STATIC};
            uv_give(uv, &event);
        }
        p->n_found = 0;
    }
}

/* ---- ending ---- */

static void let_go(struct peer *p)
{
    struct rapport_uv *uv = p->uv;
    if (p->looking || p->has_timer)
        return;
    free(p);
    uv->n_handles--;
    uv_release(uv);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct peer *p = handle->data;
    p->has_timer = false;
    let_go(p);
}

void peers_close(struct rapport_uv *uv)
{
    for (size_t i = 0; i < uv->n_peers; i++) {
        struct peer *p = uv->peers[i];
        if (p->looking)
            (void)uv_cancel((uv_req_t *)&p->lookup);
        uv_close((uv_handle_t *)&p->timer, on_timer_closed);
    }
    uv->n_peers = 0;
}

/* ---- looking up ---- */

static void look_up(uv_timer_t *timer);

static void on_found(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct peer *p = req->data;
    p->looking = false;
    for (struct addrinfo *a = list; a && p->n_found < PEER_MOST_ADDRESSES; a = a->ai_next)
        if (!address_of_sockaddr(a->ai_addr, &p->found[p->n_found]))
            p->found[p->n_found++].port = p->parts.port;
    uv_freeaddrinfo(list);
    if (p->uv->closing) {
        let_go(p);
        return;
    }
    if (status || p->n_found == 0) {
        uv_trace(p->uv, "%s: no address found", p->parts.host);
        (void)uv_timer_start(&p->timer, look_up, NET_RESOLVE_MS, 0);
    }
    uv_owe(p->uv);
}

static void look_up(uv_timer_t *timer)
{
    struct peer *p = timer->data;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    p->lookup.data = p;
    p->looking =
        !uv_getaddrinfo(p->uv->config.loop, &p->lookup, on_found, p->parts.host, NULL, &hints);
    if (!p->looking)
        (void)uv_timer_start(timer, look_up, NET_RESOLVE_MS, 0);
}

int rapport_uv_peer(struct rapport_uv *uv, const char *text)
{
    struct address_parts parts;
    struct rapport_address address;
    int error = address_split(text, RAPPORT_UV_PORT, &parts);
    if (error || parts.port == 0)
        return RAPPORT_MALFORMED;
    if (uv->n_peers == RAPPORT_UV_MOST_PEERS)
        return RAPPORT_LIMIT;
    bool numeric = !address_of_host(parts.host, parts.port, &address);
    if (!numeric && strpbrk(parts.host, ":%"))
        return RAPPORT_MALFORMED;
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        return RAPPORT_NOMEM;
    p->uv = uv;
    p->parts = parts;
    (void)uv_timer_init(uv->config.loop, &p->timer);
    p->timer.data = p;
    p->has_timer = true;
    uv->n_handles++;
    uv->peers[uv->n_peers++] = p;
    if (numeric)
        p->found[p->n_found++] = address;
    else
        look_up(&p->timer);
    uv_owe(uv);
    return 0;
}

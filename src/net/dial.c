/*
 * dial.c - outgoing connections, with a time limit that libuv does not have.
 *
 * Each DIAL is answered once: CONNECTED, or DIAL_FAILED. The node decides whom to dial and when
 * again, so nothing is retried here.
 */
#include "net/net.h"
#include "net/tailnet_status.h"

static void fail_later(struct rapport_uv *uv, uint32_t dial, int error)
{
    if (uv->n_failed == NET_MOST_FAILED_DIALS)
        return; /* no node has so many candidates */
    uv->failed[uv->n_failed++] = (struct failed_dial){dial, error};
    uv_owe(uv);
}

static void give_failed(struct rapport_uv *uv, uint32_t dial, int error)
{
    struct rapport_event event = {.kind = RAPPORT_EVENT_DIAL_FAILED, .dial = dial, .error = error};
    uv_give(uv, &event);
}

void dial_cancel(struct rapport_uv *uv, uint32_t dial)
{
    for (size_t i = 0; i < uv->n_conns; i++)
        if (uv->conns[i]->state == CONN_DIALLING && uv->conns[i]->dial == dial)
            conn_destroy(uv->conns[i]);
    for (size_t i = 0; i < uv->n_failed; i++)
        if (uv->failed[i].dial == dial)
            uv->failed[i] = uv->failed[--uv->n_failed];
}

void dial_settle(struct rapport_uv *uv)
{
    /* Giving one may make the node dial again, and that may fail at once: those wait a turn. */
    struct failed_dial failed[NET_MOST_FAILED_DIALS];
    size_t n = uv->n_failed;
    memcpy(failed, uv->failed, n * sizeof failed[0]);
    uv->n_failed = 0;
    for (size_t i = 0; i < n; i++)
        give_failed(uv, failed[i].dial, failed[i].error);
}

void dial_fail(struct conn *c, int error)
{
    struct rapport_uv *uv = c->uv;
    uint32_t dial = c->dial;
    char text[RAPPORT_ADDRESS_TEXT];
    uv_trace(uv, "no connection to %s: %s", rapport_address_print(&c->address, text),
             rapport_strerror(error));
    conn_destroy(c);
    give_failed(uv, dial, error);
}

/* No route and no such address both mean to a person that it is not reachable. */
static int dial_error(int uv_error)
{
    int error = address_error(uv_error);
    return error == RAPPORT_NOTFOUND || error == RAPPORT_CLOSED ? RAPPORT_UNREACHABLE : error;
}

static void on_connect(uv_connect_t *req, int status)
{
    struct conn *c = req->data;
    if (c->state != CONN_DIALLING)
        return;
    (void)uv_timer_stop(&c->timer);
    if (status)
        dial_fail(c, dial_error(status));
    else
        conn_open(c);
}

static void on_too_long(uv_timer_t *timer)
{
    struct conn *c = timer->data;
    if (c->state == CONN_DIALLING)
        dial_fail(c, RAPPORT_TIMEOUT);
}

int dial_connect(struct conn *c, const struct rapport_address *address)
{
    struct sockaddr_storage to;
    address_to_sockaddr(address, &to);
    int error = uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&to, on_connect);
    return error ? dial_error(error) : 0;
}

/* On a tailnet the first packet may go by a relay. */
static uint64_t limit_of(const struct rapport_uv *uv, const struct rapport_address *address)
{
    if (interfaces_near(links_now(uv->links), address))
        return RAPPORT_UV_CONNECT_NEAR_MS;
    return tailnet_is_address(address) ? NET_CONNECT_TAILNET_MS : RAPPORT_UV_CONNECT_MS;
}

void dial_begin(struct rapport_uv *uv, const struct rapport_effect *effect)
{
    const struct rapport_address *address = &effect->address;
    if ((address->family != 4 && address->family != 6) || !address->port) {
        fail_later(uv, effect->dial, RAPPORT_INVALID);
        return;
    }
    struct conn *c = conn_create(uv, address);
    if (!c) {
        fail_later(uv, effect->dial, RAPPORT_LIMIT);
        return;
    }
    c->dial = effect->dial;
    int error = 0;
    if (!through_begin(c, &error))
        error = dial_connect(c, address);
    if (error) {
        conn_destroy(c);
        fail_later(uv, effect->dial, error);
        return;
    }
    (void)uv_timer_start(&c->timer, on_too_long, limit_of(uv, address), 0);
}

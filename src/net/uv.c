/*
 * uv.c - the driver's frame: life, deadline, what is owed.
 *
 * The deadline is asked for before each poll, so whoever steps the node from another callback of
 * the same loop need not tell. Timers of libuv do not count sleep; net/links.h notices it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "net/net.h"

rapport_time_ms rapport_uv_now(void)
{
    struct timespec t;
#ifdef CLOCK_BOOTTIME
    (void)clock_gettime(CLOCK_BOOTTIME, &t);
#else
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
#endif
    return (rapport_time_ms)t.tv_sec * 1000 + (rapport_time_ms)t.tv_nsec / 1000000;
}

void uv_trace(struct rapport_uv *uv, const char *format, ...)
{
    if (!uv->config.trace)
        return;
    char line[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    uv->config.trace(uv->config.user, line);
}

void uv_give(struct rapport_uv *uv, struct rapport_event *event)
{
    if (uv->closing)
        return;
    (void)uv->config.step(uv->config.user, event);
    discover_touch(uv);
}

/* ---- deadline ---- */

static void on_deadline(uv_timer_t *timer)
{
    struct rapport_uv *uv = timer->data;
    struct rapport_event event = {.kind = RAPPORT_EVENT_TIMEOUT};
    uv->armed = UINT64_MAX;
    if (uv->config.deadline(uv->config.user) <= rapport_uv_now())
        uv_give(uv, &event);
}

/* At least 1 ms away, so that a deadline that stays in the past does not starve the sockets. */
static void arm(struct rapport_uv *uv)
{
    if (uv->closing)
        return;
    rapport_time_ms at = uv->config.deadline(uv->config.user), now = rapport_uv_now();
    if (at == uv->armed)
        return;
    uv->armed = at;
    if (at == UINT64_MAX) {
        (void)uv_timer_stop(&uv->timer);
        return;
    }
    uv_update_time(uv->config.loop);
    (void)uv_timer_start(&uv->timer, on_deadline, at > now ? at - now : 1, 0);
}

static void on_prepare(uv_prepare_t *prepare)
{
    arm(prepare->data);
}

void rapport_uv_wake(struct rapport_uv *uv)
{
    arm(uv);
    discover_touch(uv);
}

/* ---- owed events ---- */

static void on_later(uv_idle_t *later)
{
    struct rapport_uv *uv = later->data;
    (void)uv_idle_stop(later);
    listen_settle(uv);
    peers_settle(uv);
    discover_settle(uv);
    dial_settle(uv);
    /* Backwards: settling may take connections out of the table. */
    for (size_t i = uv->n_conns; i-- > 0;)
        if (i < uv->n_conns)
            conn_settle(uv->conns[i]);
}

void uv_owe(struct rapport_uv *uv)
{
    if (!uv->closing)
        (void)uv_idle_start(&uv->later, on_later);
}

void rapport_uv_effect(struct rapport_uv *uv, const struct rapport_effect *effect)
{
    struct conn *c = uv->closing ? NULL : conn_find(uv, effect->conn);
    if (effect->kind == RAPPORT_EFFECT_DIAL && !uv->closing)
        dial_begin(uv, effect);
    else if (effect->kind == RAPPORT_EFFECT_CANCEL && !uv->closing)
        dial_cancel(uv, effect->dial);
    else if (effect->kind == RAPPORT_EFFECT_TRIED && !uv->closing)
        discover_tried(uv, effect);
    else if (effect->kind == RAPPORT_EFFECT_SEND && c)
        conn_send(c, effect->bytes, effect->len);
    else if (effect->kind == RAPPORT_EFFECT_CLOSE && c)
        conn_linger(c);
}

/* ---- life ---- */

static void on_links(void *user, bool woke)
{
    struct rapport_uv *uv = user;
    if (uv->closing)
        return;
    conns_check_bound(uv);
    listen_moved(uv);
    discover_moved(uv, woke);
}

/* None of these can fail but for a bug. */
static void init_handles(struct rapport_uv *uv)
{
    uv_loop_t *loop = uv->config.loop;
    (void)uv_prepare_init(loop, &uv->prepare);
    (void)uv_timer_init(loop, &uv->timer);
    (void)uv_idle_init(loop, &uv->later);
    uv->n_handles = 4; /* and the links */
    uv->prepare.data = uv->timer.data = uv->later.data = uv;
    (void)uv_prepare_start(&uv->prepare, on_prepare);
}

int rapport_uv_create(const struct rapport_uv_config *config, struct rapport_uv **out)
{
    struct rapport_uv *uv = calloc(1, sizeof *uv);
    if (!uv)
        return RAPPORT_NOMEM;
    uv->config = *config;
    uv->armed = UINT64_MAX;
    const struct links_config links = {config->loop, uv, on_links};
    int error = links_open(&links, &uv->links);
    if (error) {
        free(uv);
        return error;
    }
    init_handles(uv);
    *out = uv;
    return 0;
}

void uv_release(struct rapport_uv *uv)
{
    if (!uv->closing || uv->n_handles || uv->n_conns)
        return;
    void (*closed)(void *user) = uv->closed;
    void *user = uv->closed_user;
    free(uv);
    if (closed)
        closed(user);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct rapport_uv *uv = handle->data;
    uv->n_handles--;
    uv_release(uv);
}

static void on_links_closed(void *user)
{
    struct rapport_uv *uv = user;
    uv->links = NULL;
    uv->n_handles--;
    uv_release(uv);
}

void rapport_uv_close(struct rapport_uv *uv, void (*closed)(void *user), void *user)
{
    uv->closing = true;
    uv->closed = closed;
    uv->closed_user = user;
    listen_close(uv);
    peers_close(uv);
    discover_close(uv);
    for (size_t i = uv->n_conns; i-- > 0;)
        if (uv->conns[i]->state == CONN_OPEN)
            conn_linger(uv->conns[i]);
        else if (uv->conns[i]->state == CONN_DIALLING)
            conn_destroy(uv->conns[i]);
    uv_close((uv_handle_t *)&uv->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&uv->timer, on_handle_closed);
    uv_close((uv_handle_t *)&uv->later, on_handle_closed);
    links_close(uv->links, on_links_closed, uv);
}

size_t rapport_uv_n_conns(const struct rapport_uv *uv)
{
    size_t n = 0;
    for (size_t i = 0; i < uv->n_conns; i++)
        n += uv->conns[i]->state == CONN_OPEN || uv->conns[i]->state == CONN_DIALLING;
    return n;
}

/*
 * tailnet.c - asks tailscaled, feeds the plan, and gives what the plan wants tried. See tailnet.h;
 * the rules of asking are in tailnet_state.h, those of probing in tailnet_plan.h.
 *
 * Everything is done by tailnet_tick, from one timer; answers only note what is due. While
 * tailscaled does not run, or says that it is not Running, nobody is probed, and what was given is
 * lost; sessions that live go on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "net/address.h"
#include "net/socks.h"
#include "net/tailnet_state.h"

rapport_time_ms tailnet_now(const struct tailnet *t)
{
    return t->config.now ? t->config.now(t->config.user) : rapport_uv_now();
}

/* ---- the timer ---- */

static void on_timer(uv_timer_t *timer)
{
    tailnet_tick(timer->data);
}

static rapport_time_ms sooner(rapport_time_ms a, rapport_time_ms b)
{
    return a < b ? a : b;
}

static void arm(struct tailnet *t)
{
    rapport_time_ms now = tailnet_now(t);
    rapport_time_ms at = sooner(now + TAILNET_LOOK_MS, tailnet_plan_deadline(t->plan));
    if (t->closing)
        return;
    if (!t->fetch)
        at = sooner(at, t->fetch_at);
    if (!t->bus && t->has_status)
        at = sooner(at, t->bus_at);
    uv_update_time(t->config.loop);
    (void)uv_timer_start(&t->timer, on_timer, at > now ? at - now : 1, 0);
}

/* Something changed: the status is wanted as soon as the last fetch allows. */
static void ring(struct tailnet *t)
{
    rapport_time_ms now = tailnet_now(t);
    rapport_time_ms at = t->fetched ? t->fetched + TAILNET_RING_MS : now;
    t->fetch_at = sooner(t->fetch_at, at > now ? at : now);
    arm(t);
}

/* ---- what the state means for others ---- */

static bool is_running(const struct tailnet *t)
{
    return t->has_status && t->status.backend == TAILNET_RUNNING;
}

static bool same_own(const struct tailnet *t, size_t n)
{
    bool same = t->n_own == n;
    for (size_t i = 0; i < n && same; i++)
        same = address_equal(&t->own[i], &t->status.self.ips[i]);
    return same;
}

/* Tells when our own addresses are others than before, or it began or ceased to run. */
static void compare_own(struct tailnet *t)
{
    bool running = is_running(t), tun = running && t->status.tun;
    size_t n = running && t->status.has_self ? t->status.self.n_ips : 0;
    if (running == t->own_running && tun == t->own_tun && same_own(t, n))
        return;
    t->own_running = running;
    t->own_tun = tun;
    t->n_own = n;
    memcpy(t->own, t->status.self.ips, n * sizeof t->own[0]);
    if (t->config.moved)
        t->config.moved(t->config.user);
}

static void note_starting(struct tailnet *t)
{
    bool starting = t->has_status && (t->status.backend == TAILNET_STARTING ||
                                      t->status.backend == TAILNET_NO_STATE);
    if (!starting)
        t->starting = 0;
    else if (!t->starting)
        t->starting = tailnet_now(t);
}

/* ---- the status ---- */

/* A tenth more or less, so that a room full of machines does not ask its daemons in step. */
static rapport_time_ms poll_at(const struct tailnet *t, rapport_time_ms now)
{
    uint16_t noise = 0;
    if (!t->has_status || t->status.backend != TAILNET_RUNNING)
        return now + TAILNET_AWAY_MS;
    (void)getrandom(&noise, sizeof noise, GRND_NONBLOCK);
    return now + TAILNET_POLL_MS * 9 / 10 + noise % (TAILNET_POLL_MS / 5);
}

static enum tailnet_contact contact_of(const struct tailnet *t, int error, unsigned http)
{
    const char *path = (const char *)t->path.ptr;
    if (error == RAPPORT_NOTFOUND)
        return access(path, F_OK) ? TAILNET_NO_SOCKET : TAILNET_STALE_SOCKET;
    if (error == RAPPORT_PERMISSION || (!error && (http == 401 || http == 403)))
        return TAILNET_FORBIDDEN;
    return error == RAPPORT_TIMEOUT ? TAILNET_HANGS : TAILNET_BROKEN;
}

static void forget_status(struct tailnet *t)
{
    t->has_status = false;
    tailnet_plan_pause(t->plan);
}

/* A daemon that is gone is believed at once; one that is slow or broken gets a second chance. */
static void take_failure(struct tailnet *t, int error, unsigned http)
{
    t->contact = contact_of(t, error, http);
    t->contact_error = error;
    t->contact_http = http;
    t->n_failures++;
    if (t->contact == TAILNET_NO_SOCKET || t->contact == TAILNET_STALE_SOCKET ||
        t->n_failures >= TAILNET_MOST_FAILURES)
        forget_status(t);
}

static void feed_plan(struct tailnet *t)
{
    const struct plan_filter filter = {t->config.mode == TAILNET_MODE_OWN, t->tag};
    if (!is_running(t))
        tailnet_plan_pause(t->plan);
    else if (t->fetch_peers)
        (void)tailnet_plan_status(t->plan, tailnet_now(t), &t->status, &filter);
}

static int take_status(struct tailnet *t, const struct localapi_head *head, struct slice body)
{
    struct tailnet_status fresh;
    int error = tailnet_status_read(body, &fresh);
    if (error)
        return error;
    tailnet_status_clear(&t->status);
    t->status = fresh;
    if (!t->has_status && t->bus_http != 200)
        t->bus_at = 0; /* another daemon than the one that refused the bus, perhaps */
    t->has_status = t->met = true;
    t->contact = TAILNET_ANSWERS;
    t->n_failures = 0;
    t->cap = head->cap;
    memcpy(t->version, head->version, sizeof t->version);
    feed_plan(t);
    return 0;
}

static void on_status(void *user, int error, const struct localapi_head *head, struct slice body)
{
    struct tailnet *t = user;
    unsigned http = error ? 0 : head->status;
    t->fetch = NULL;
    if (!error && http == 200)
        error = take_status(t, head, body);
    if (error || http != 200)
        take_failure(t, error, http);
    note_starting(t);
    compare_own(t);
    t->fetch_at = sooner(t->fetch_at, poll_at(t, tailnet_now(t)));
    tailnet_tick(t);
}

static void start_fetch(struct tailnet *t, rapport_time_ms now)
{
    const char *target = t->wanted ? "/localapi/v0/status" : "/localapi/v0/status?peers=false";
    t->fetched = now;
    t->fetch_at = UINT64_MAX;
    t->fetch_peers = t->wanted;
    t->fetch = localapi_get(t->config.loop, (const char *)t->path.ptr, target, LOCALAPI_MOST_STATUS,
                            on_status, t);
    if (!t->fetch)
        t->fetch_at = now + TAILNET_AWAY_MS;
}

/* ---- the bus ---- */

static void bus_ended(struct tailnet *t)
{
    t->bus = NULL;
    t->bus_at = tailnet_now(t) + t->bus_wait;
    t->bus_wait = t->bus_wait * 2 < TAILNET_BUS_MOST_MS ? t->bus_wait * 2 : TAILNET_BUS_MOST_MS;
}

/* Refused for good: a build without it, a mask that it does not know, a user who may not. */
static bool is_refusal(unsigned http)
{
    return http == 400 || http == 403 || http == 404;
}

static void drop_bus(struct tailnet *t)
{
    localapi_cancel(t->bus);
    bus_ended(t);
    if (is_refusal(t->bus_http))
        t->bus_at = tailnet_now(t) + TAILNET_BUS_REFUSED_MS;
}

static void on_bus(void *user, int error, const struct localapi_head *head, struct slice body)
{
    struct tailnet *t = user;
    enum tailnet_ring heard = TAILNET_SILENT;
    if (error) {
        bus_ended(t);
        ring(t); /* most likely the daemon went away */
        return;
    }
    t->bus_http = head->status;
    if (t->bus_http != 200) {
        drop_bus(t);
    } else if (body.len) {
        t->bus_wait = TAILNET_BUS_MS;
        heard = tailnet_bus_feed(&t->scanner, body);
    }
    if (heard == TAILNET_BUS_ENDS)
        drop_bus(t);
    if (heard != TAILNET_SILENT)
        ring(t);
}

static void open_bus(struct tailnet *t)
{
    char target[64];
    (void)snprintf(target, sizeof target, "/localapi/v0/watch-ipn-bus?mask=%u",
                   tailnet_bus_mask(t->cap));
    t->scanner = (struct tailnet_bus){0};
    t->bus = localapi_watch(t->config.loop, (const char *)t->path.ptr, target, on_bus, t);
    if (!t->bus)
        bus_ended(t);
}

/* ---- the turn ---- */

static void look_who_is_wanted(struct tailnet *t)
{
    bool wanted = t->config.wanted && t->config.wanted(t->config.user);
    if (wanted == t->wanted)
        return;
    t->wanted = wanted;
    tailnet_plan_want(t->plan, wanted);
    if (wanted && t->fetched && !t->fetch_peers)
        t->fetch_at = 0; /* once, so it need not wait for the last fetch */
}

static void give_actions(struct tailnet *t, rapport_time_ms now)
{
    struct plan_action action;
    for (int i = 0; i < TAILNET_MOST_ACTIONS; i++) {
        if (!tailnet_plan_next(t->plan, now, &action))
            return;
        for (size_t k = 0; k < action.n; k++) {
            struct rapport_address at = action.addresses[k];
            at.port = t->config.port;
            if (action.lost)
                t->config.lost(t->config.user, &at);
            else
                t->config.found(t->config.user, &at, action.who);
        }
    }
}

void tailnet_tick(struct tailnet *t)
{
    rapport_time_ms now = tailnet_now(t);
    if (t->closing)
        return;
    look_who_is_wanted(t);
    give_actions(t, now);
    if (!t->fetch && now >= t->fetch_at)
        start_fetch(t, now);
    if (!t->bus && t->has_status && now >= t->bus_at)
        open_bus(t);
    tailnet_words(t);
    arm(t);
}

/* ---- life ---- */

/* The environment may name a proxy for other programs, of a kind that we do not speak: left alone.
   One that was asked for must be right. */
static int read_proxy(struct tailnet *t)
{
    const char *text = t->config.proxy;
    if (!text)
        text = getenv("ALL_PROXY");
    if (!text || !*text)
        text = getenv("all_proxy");
    if (!text || !*text)
        return 0;
    int error = socks_proxy(text, &t->proxy);
    t->has_proxy = !error;
    t->bad_proxy = error != 0;
    return t->config.proxy ? error : 0;
}

static int set_up(struct tailnet *t, const struct tailnet_config *config)
{
    uint64_t seed = 0;
    (void)getrandom(&seed, sizeof seed, 0);
    t->config = *config;
    t->tag = config->tag ? strdup(config->tag) : NULL;
    t->path_given = config->socket && *config->socket;
    t->bus_wait = TAILNET_BUS_MS;
    int error = config->tag && !t->tag ? RAPPORT_NOMEM : read_proxy(t);
    error = error ? error : localapi_path(config->socket, &t->path);
    error = error ? error : buf_cstr(&t->path) ? 0 : RAPPORT_NOMEM;
    return error ? error : tailnet_plan_create(seed, &t->plan);
}

static void release(struct tailnet *t)
{
    tailnet_plan_destroy(t->plan);
    tailnet_status_clear(&t->status);
    buf_clear(&t->path);
    free(t->tag);
    free(t);
}

int tailnet_open(const struct tailnet_config *config, struct tailnet **out)
{
    struct tailnet *t = calloc(1, sizeof *t);
    if (!t)
        return RAPPORT_NOMEM;
    int error = set_up(t, config);
    if (error) {
        release(t);
        return error;
    }
    (void)uv_timer_init(config->loop, &t->timer);
    t->timer.data = t;
    (void)uv_timer_start(&t->timer, on_timer, 0, 0);
    *out = t;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct tailnet *t = handle->data;
    void (*closed)(void *user) = t->closed;
    void *user = t->closed_user;
    release(t);
    if (closed)
        closed(user);
}

void tailnet_close(struct tailnet *t, void (*closed)(void *user), void *user)
{
    t->closing = true;
    t->closed = closed;
    t->closed_user = user;
    if (t->fetch)
        localapi_cancel(t->fetch);
    if (t->bus)
        localapi_cancel(t->bus);
    t->fetch = t->bus = NULL;
    uv_close((uv_handle_t *)&t->timer, on_closed);
}

/* ---- what the driver says ---- */

void tailnet_restart(struct tailnet *t)
{
    tailnet_plan_wake(t->plan, tailnet_now(t));
    t->fetch_at = 0;
    arm(t);
}

void tailnet_tried(struct tailnet *t, const struct rapport_address *address, int error)
{
    tailnet_plan_tried(t->plan, tailnet_now(t), address, error);
    arm(t);
}

void tailnet_connected(struct tailnet *t, const struct rapport_address *address, bool connected)
{
    if (!tailnet_is_address(address))
        return;
    tailnet_plan_connected(t->plan, tailnet_now(t), address, connected);
    ring(t); /* whether the path is direct or relayed shows with the first packets */
}

void tailnet_remember(struct tailnet *t, const struct rapport_address *address)
{
    tailnet_plan_remember(t->plan, address);
}

/* ---- asking ---- */

bool tailnet_is_running(const struct tailnet *t)
{
    return is_running(t);
}

bool tailnet_needs_proxy(const struct tailnet *t, const struct rapport_address *address)
{
    return is_running(t) && !t->status.tun && tailnet_is_address(address);
}

size_t tailnet_own(const struct tailnet *t, struct rapport_address *out, size_t most, bool *tun)
{
    size_t n = t->n_own < most ? t->n_own : most;
    memcpy(out, t->own, n * sizeof out[0]);
    if (tun)
        *tun = t->own_tun;
    return n;
}

static bool has_ip(const struct tailnet_peer *p, const struct rapport_address *a)
{
    for (size_t i = 0; i < p->n_ips; i++)
        if (p->ips[i].family == a->family &&
            memcmp(p->ips[i].bytes, a->bytes, a->family == 4 ? 4 : 16) == 0)
            return true;
    return false;
}

static const struct tailnet_peer *find_peer(const struct tailnet *t,
                                            const struct rapport_address *address)
{
    for (size_t i = 0; i < t->status.n_peers; i++)
        if (has_ip(&t->status.peers[i], address))
            return &t->status.peers[i];
    return NULL;
}

void tailnet_via(const struct tailnet *t, struct tailnet_via *out)
{
    *out = (struct tailnet_via){
        .socks = t->has_proxy, .proxy = t->proxy, .socket = (const char *)t->path.ptr};
}

bool tailnet_machine(const struct tailnet *t, const char *id, struct rapport_address *out)
{
    for (size_t i = 0; i < t->status.n_peers; i++)
        if (t->status.peers[i].n_ips && strcmp(t->status.peers[i].id, id) == 0) {
            *out = t->status.peers[i].ips[0];
            return true;
        }
    return false;
}

void tailnet_path(const struct tailnet *t, const struct rapport_address *address,
                  struct tailnet_path *out)
{
    const struct tailnet_peer *p = find_peer(t, address);
    *out = (struct tailnet_path){.kind = TAILNET_PATH_NONE};
    if (!p && !(t->met && tailnet_is_address(address)))
        return; /* where no tailnet was met, 100.64.0.0/10 belongs to a provider */
    out->kind = TAILNET_PATH_UNKNOWN;
    if (!p)
        return;
    out->online = p->online;
    (void)snprintf(out->machine, sizeof out->machine, "%s", p->name);
    if (!is_running(t))
        return;
    if (p->direct) {
        out->kind = TAILNET_PATH_DIRECT;
    } else if (p->active && p->relay[0]) {
        out->kind = TAILNET_PATH_RELAYED;
        (void)snprintf(out->relay, sizeof out->relay, "%s", p->relay);
    }
}

size_t tailnet_asked(const struct tailnet *t)
{
    struct plan_counts counts;
    tailnet_plan_counts(t->plan, &counts);
    return counts.skipped[TAILNET_KEEP];
}

/*
 * service.c - see service.h.
 *
 * Everything that happens (events of the network, files that changed, verbs, syncs that ended) goes
 * through the host and then touches the report: SERVICE_AFTER_MS later what follows from it is done
 * once for all of it: text of peers to the files, lines for the person, answers for those who wait.
 * An idle report wakes up for nothing but its pings.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "daemon/service_state.h"
#include "host/mirror.h"
#include "net/address.h"

/* ---- saying ---- */

void service_say(struct service *r, const char *format, ...)
{
    char raw[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    struct buf line = BUF_INIT;
    utf8_printable(&line, slice_str(raw), true);
    if (buf_cstr(&line))
        r->line(r->user, r, (const char *)line.ptr);
    buf_clear(&line);
}

static void on_notice(void *user, const char *line)
{
    struct service *r = user;
    r->line(r->user, r, line);
}

static void on_trace(void *user, const char *line)
{
    struct service *r = user;
    if (r->verbose)
        service_say(r, "%s", line);
}

static void say_failure(struct service *r)
{
    const char *failure = host_failure(r->host, NULL);
    if (failure && !r->said_failure)
        service_say(r, "%s", failure);
    r->said_failure = failure != NULL;
}

/* ---- the folder ---- */

static void watch_folders(struct service *r)
{
    struct buf path = BUF_INIT;
    size_t at = 0;
    bool seen = true;
    for (const char *folder; r->watching && (folder = mirror_next_folder(r->host, &at));) {
        buf_reset(&path);
        buf_printf(&path, "%s/%s", host_dir(r->host), folder);
        if (buf_cstr(&path))
            seen = watch_folder(&r->watch, (const char *)path.ptr) && seen;
    }
    buf_clear(&path);
    if (!seen && !r->said_blind)
        service_say(r, "the system has no file watches left: files are looked at every %d s",
                    WATCH_RESCAN_BLIND_MS / 1000);
    r->said_blind = r->said_blind || !seen;
}

/* A folder is taken in only when there is a report to take it into. */
void service_settle(struct service *r)
{
    enum host_join join = host_join_state(r->host, NULL);
    if (join == HOST_JOIN_WAITING || join == HOST_JOIN_REFUSED)
        return;
    r->is_joined = true;
    (void)mirror_take(r->host);
    (void)mirror_put(r->host);
    watch_folders(r);
}

static void on_look(void *user)
{
    struct service *r = user;
    if (r->closing)
        return;
    service_settle(r);
    service_touch(r);
}

/* ---- after something happened ---- */

static void say_online(struct service *r)
{
    if (!r->is_online || r->said_online)
        return;
    r->said_online = true;
    if (r->online)
        r->online(r->user, r);
}

static void on_after(uv_timer_t *timer)
{
    struct service *r = timer->data;
    bool more = false;
    r->after_armed = false;
    if (r->closing)
        return;
    if (!r->is_joined)
        service_settle(r);
    else if (mirror_is_dirty(r->host))
        (void)mirror_put_for(r->host, HOST_PUT_MS, &more);
    if (more)
        service_touch(r);
    say_online(r);
    if (r->closing)
        return;
    say_failure(r);
    people_look(r);
    waits_look(r);
    if (r->waits && !r->after_armed && !r->closing) {
        r->after_armed = true;
        (void)uv_timer_start(timer, on_after, SERVICE_WAIT_LOOK_MS, 0);
    }
}

void service_touch(struct service *r)
{
    if (r->uv && !r->closing)
        rapport_uv_wake(r->uv);
    if (r->after_armed || r->closing || !r->has_timers)
        return;
    r->after_armed = true;
    (void)uv_timer_start(&r->after, on_after, SERVICE_AFTER_MS, 0);
}

/* ---- the node's driver ---- */

/* Tickets name where we listen; "every address" says nothing there. */
static void keep_addresses(struct service *r, const struct rapport_event *e)
{
    static const uint8_t zeros[16];
    struct rapport_address own[HOST_MOST_ADDRESSES] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < e->n_listen && n < HOST_MOST_ADDRESSES; i++)
        if (memcmp(e->listen[i].bytes, zeros, sizeof zeros) != 0)
            own[n++] = e->listen[i];
    host_set_addresses(r->host, own, n);
    r->on_network = n == e->n_listen || n == 0 || !address_is_loopback(&own[0]);
    r->is_online = true;
}

static int on_step(void *user, struct rapport_event *event)
{
    struct service *r = user;
    int error = 0;
    if (event->kind == RAPPORT_EVENT_ONLINE)
        keep_addresses(r, event);
    if (event->kind == RAPPORT_EVENT_TIMEOUT)
        host_tick(r->host);
    else
        error = host_step(r->host, event);
    service_touch(r);
    return error;
}

static rapport_time_ms on_deadline(void *user)
{
    const struct service *r = user;
    return host_deadline(r->host);
}

static struct rapport_node *on_node(void *user)
{
    const struct service *r = user;
    return host_node(r->host);
}

static void on_network(void *user, const struct rapport_effect *effect)
{
    struct service *r = user;
    if (r->uv)
        rapport_uv_effect(r->uv, effect);
}

static void on_sync(void *user, uint64_t store_id)
{
    struct service *r = user;
    syncer_want(&r->syncer, store_id);
}

static void on_synced(void *user, uint64_t id, int error)
{
    struct service *r = user;
    host_synced(r->host, id, error);
    service_touch(r);
}

/* ---- the port, kept so that friends find us where we were ---- */

static char *port_path(const struct service *r)
{
    struct buf path = BUF_INIT;
    size_t len;
    buf_printf(&path, "%s/.rapport/port", host_dir(r->host));
    if (!buf_cstr(&path))
        return NULL;
    return (char *)buf_detach(&path, &len);
}

/* A free one that stays would tell on every network whose machine it is. */
static bool is_kept(long port)
{
    return port >= RAPPORT_UV_PORT && port < RAPPORT_UV_PORT + RAPPORT_UV_PORTS;
}

static uint16_t read_port(const struct service *r)
{
    char *path = port_path(r), text[8] = "";
    int fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    long port = n > 0 ? strtol(text, NULL, 10) : 0;
    if (fd >= 0)
        close(fd);
    free(path);
    return is_kept(port) ? (uint16_t)port : 0;
}

/* Best effort: without it another port is taken, and friends are told. */
static void write_port(const struct service *r, uint16_t port)
{
    char *path = port_path(r), text[8];
    int n = snprintf(text, sizeof text, "%u\n", port);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    if (fd >= 0 && write(fd, text, (size_t)n) != n)
        (void)unlink(path);
    if (fd >= 0)
        close(fd);
    free(path);
}

/* Where it was to listen, and why it cannot. */
static void say_deaf(const struct service_config *c, int error, struct buf *why)
{
    char text[RAPPORT_ADDRESS_TEXT];
    buf_append_str(why, "cannot listen at ");
    for (size_t i = 0; i < c->n_listen; i++)
        buf_printf(why, "%s%s", i ? ", " : "", rapport_address_print(&c->listen[i], text));
    buf_printf(why, "%s: %s", c->n_listen ? "" : "any port",
               error == RAPPORT_EXISTS     ? "another program has that port"
               : error == RAPPORT_NOTFOUND ? "this machine has no such address"
                                           : rapport_strerror(error));
}

static int listen_on(struct service *r, const struct service_config *c, struct buf *why)
{
    struct rapport_address at;
    uint16_t port = c->n_listen ? 0 : read_port(r);
    int error = rapport_uv_listen(r->uv, c->listen, c->n_listen, port);
    if (error && why)
        say_deaf(c, error, why);
    /* That the machine has no such address is no report that was not found. */
    if (error == RAPPORT_NOTFOUND)
        error = RAPPORT_IO;
    if (!error && !c->n_listen && rapport_uv_listening(r->uv, &at, 1) && at.port != port &&
        is_kept(at.port))
        write_port(r, at.port);
    return error;
}

/* ---- opening ---- */

static void set_hooks(struct service *r)
{
    struct host_hooks hooks = {
        .user = r, .network = on_network, .sync = on_sync, .notice = on_notice};
    ways_hooks(&hooks);
    syncer_init(&r->syncer, r->loop, host_store(r->host));
    r->syncer.user = r;
    r->syncer.synced = on_synced;
    host_set_hooks(r->host, &hooks);
}

static int set_name(struct service *r)
{
    struct buf name = BUF_INIT;
    const char *slash = strrchr(host_dir(r->host), '/');
    size_t len;
    utf8_printable(&name, slice_str(slash ? slash + 1 : host_dir(r->host)), true);
    if (!buf_cstr(&name))
        return RAPPORT_NOMEM;
    r->name = (char *)buf_detach(&name, &len);
    return 0;
}

static int add_peers(struct service *r, const struct service_config *c, struct buf *why)
{
    int error = 0;
    for (size_t i = 0; i < c->n_peers && !error; i++) {
        error = rapport_uv_peer(r->uv, c->peers[i]);
        if (error != RAPPORT_MALFORMED)
            continue;
        error = RAPPORT_INVALID; /* the person's slip, as an address to listen on is */
        if (why)
            buf_printf(why,
                       "%s: no address to dial; write laptop:7171, 192.0.2.1:7171 or "
                       "[2001:db8::1]:7171",
                       c->peers[i]);
    }
    return error;
}

static void on_tell(uv_timer_t *timer)
{
    struct service *r = timer->data;
    if (!r->closing)
        ways_say(r);
}

static int start(struct service *r, const struct service_config *c, struct buf *why)
{
    struct rapport_uv_config uv = {c->loop, r, on_step, on_deadline, on_trace, on_node};
    int error = set_name(r);
    error = error ? error : rapport_uv_create(&uv, &r->uv);
    if (error)
        return error;
    set_hooks(r);
    (void)uv_timer_init(c->loop, &r->after);
    r->after.data = r;
    (void)uv_timer_init(c->loop, &r->tell);
    r->tell.data = r;
    r->has_timers = true;
    error = watch_open(&r->watch, c->loop, on_look, r);
    r->watching = true;
    service_settle(r);
    error = error ? error : listen_on(r, c, why);
    error = error ? error : add_peers(r, c, why);
    if (error || !c->discovery)
        return error;
    error = rapport_uv_discover(r->uv, c->discovery);
    return error ? error : uv_timer_start(&r->tell, on_tell, SERVICE_TELL_MS, 0);
}

static void ignore_closed(void *user, int error)
{
    (void)user;
    (void)error;
}

int service_open(const struct service_config *c, struct service **out, struct buf *why)
{
    struct service *r = calloc(1, sizeof *r);
    if (!r)
        return RAPPORT_NOMEM;
    r->loop = c->loop;
    r->user = c->user;
    r->line = c->line;
    r->online = c->online;
    r->verbose = c->verbose;
    r->listen_named = c->n_listen > 0;
    r->opened_wall_ms = host_wall();
    r->opened_asleep_ms = service_asleep_ms();
    int error = host_open(&c->host, &r->host, why);
    if (error) {
        free(r);
        return error;
    }
    error = start(r, c, why);
    if (error) {
        if (why && why->len == 0)
            buf_printf(why, "%s: %s", host_dir(r->host), rapport_strerror(error));
        service_close(r, ignore_closed, NULL);
        return error;
    }
    service_touch(r);
    *out = r;
    return 0;
}

/* ---- closing: network, syncs, watch, timer, host ---- */

static void finish(struct service *r)
{
    void (*closed)(void *, int) = r->closed;
    void *user = r->closed_user;
    host_set_hooks(r->host, NULL);
    int error = host_close(r->host);
    free(r->name);
    free(r);
    closed(user, error);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct service *r = handle->data;
    if (--r->n_closing == 0)
        finish(r);
}

static void close_after(void *user)
{
    struct service *r = user;
    if (!r->has_timers) {
        finish(r);
        return;
    }
    r->n_closing = 2;
    uv_close((uv_handle_t *)&r->after, on_timer_closed);
    uv_close((uv_handle_t *)&r->tell, on_timer_closed);
}

static void close_watch(void *user)
{
    struct service *r = user;
    if (r->watching)
        watch_close(&r->watch, close_after);
    else
        close_after(r);
}

static void on_net_closed(void *user)
{
    struct service *r = user;
    r->uv = NULL;
    if (syncer_stop(&r->syncer, close_watch))
        close_watch(r);
}

void service_close(struct service *r, void (*closed)(void *user, int error), void *user)
{
    struct rapport_event offline = {.kind = RAPPORT_EVENT_OFFLINE};
    r->closed = closed;
    r->closed_user = user;
    if (r->uv) {
        service_settle(r);
        (void)host_flush(r->host);
        people_look(r);
        waits_end(r);
        (void)host_step(r->host, &offline);
    }
    r->closing = true;
    if (r->uv)
        rapport_uv_close(r->uv, on_net_closed, r);
    else
        finish(r);
}

/* ---- asking ---- */

/* Two clocks, of which one counts sleep. */
int64_t service_asleep_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)rapport_uv_now() - ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

struct host *service_host(struct service *r)
{
    return r->host;
}

const char *service_name(const struct service *r)
{
    return r->name;
}

void service_listening(struct service *r, struct buf *out)
{
    struct rapport_address at[RAPPORT_UV_MOST_LISTEN];
    char text[RAPPORT_ADDRESS_TEXT];
    size_t n = rapport_uv_listening(r->uv, at, RAPPORT_UV_MOST_LISTEN);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i ? ", " : "", rapport_address_print(&at[i], text));
}

size_t service_n_connected(struct service *r)
{
    struct rapport_peer_info peer;
    size_t at = 0, n = 0;
    while (rapport_node_next_peer(host_node(r->host), &at, &peer))
        n += peer.state == RAPPORT_LINK_CONNECTED;
    return n;
}

void service_digest_text(struct service *r, struct buf *out)
{
    uint8_t digest[RAPPORT_DIGEST_BYTES];
    char hex[2 * RAPPORT_DIGEST_BYTES + 1];
    if (rapport_node_digest(host_node(r->host), digest))
        return;
    hex_encode(hex, digest, sizeof digest);
    buf_append_str(out, hex);
}

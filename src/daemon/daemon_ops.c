/*
 * daemon_ops.c - requests of the control socket: the daemon's own ops (daemon/client.h), waits, and
 * all others handed to the host of the folder.
 */
#include <stdlib.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/doctor.h"
#include "daemon/pack.h"

enum {
    SYNC_WAIT_S = 10,
    MOST_WAIT_S = 86400
};

static void reply_and_clear(struct control_client *client, struct buf *reply)
{
    if (buf_error(reply)) {
        buf_reset(reply);
        pack_failure(reply, RAPPORT_NOMEM, 1, "out of memory");
    }
    control_reply(client, buf_slice(reply));
    buf_clear(reply);
}

static void fail(struct control_client *client, int error, const char *message)
{
    struct buf reply = BUF_INIT;
    pack_failure(&reply, error, host_exit_of(error), message);
    reply_and_clear(client, &reply);
}

/* ---- waits ---- */

static void on_wait_done(void *user, struct slice reply)
{
    struct asked *a = user;
    struct control_client *client = a->client;
    a->client = NULL;
    if (reply.len)
        control_reply(client, reply);
    else
        fail(client, RAPPORT_NOMEM, "out of memory");
}

static void wait_for(struct daemon *d, struct service *r, struct control_client *client,
                     const struct pack_request *request, enum daemon_goal goal)
{
    uint64_t wait_s = goal == DAEMON_GOAL_SYNC ? SYNC_WAIT_S : 0;
    struct asked *a = NULL;
    (void)pack_u64(request, "wait_s", &wait_s);
    if (wait_s > MOST_WAIT_S)
        wait_s = MOST_WAIT_S;
    for (size_t i = 0; i < CONTROL_MOST_CLIENTS && !a; i++)
        if (!d->asked[i].client)
            a = &d->asked[i];
    uint64_t ms = wait_s || goal == DAEMON_GOAL_SYNC ? wait_s * 1000 : UINT64_MAX;
    if (a)
        *a = (struct asked){d, r, NULL, client};
    if (a)
        a->wait = service_wait(r, goal, ms, on_wait_done, a);
    if (!a || !a->wait) {
        if (a)
            a->client = NULL;
        fail(client, RAPPORT_LIMIT, "too many wait for this report already");
    }
}

void daemon_gone(void *user, struct control_client *client)
{
    struct daemon *d = user;
    for (size_t i = 0; i < CONTROL_MOST_CLIENTS; i++)
        if (d->asked[i].client == client) {
            service_wait_cancel(d->asked[i].service, d->asked[i].wait);
            d->asked[i].client = NULL;
        }
    for (size_t i = 0; i < d->n_served; i++)
        if (d->served[i]->closer == client)
            d->served[i]->closer = NULL;
    if (d->stopper == client)
        d->stopper = NULL;
}

/* ---- daemon.* ---- */

static void put_listening(struct buf *b, struct service *r)
{
    struct buf text = BUF_INIT;
    service_listening(r, &text);
    mp_put_cstr(b, "listen");
    size_t n = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == ',';
    mp_put_array(b, n);
    for (size_t i = 0, from = 0; i <= text.len && n; i++)
        if (i == text.len || text.ptr[i] == ',') {
            mp_put_str(b, slice_of(text.ptr + from, i - from));
            from = i + 2;
        }
    buf_clear(&text);
}

static void ping(struct daemon *d, struct control_client *client)
{
    struct buf reply = BUF_INIT;
    size_t n = 0;
    for (size_t i = 0; i < d->n_served; i++)
        n += d->served[i]->service != NULL;
    mp_put_map(&reply, 5);
    pack_put_bool(&reply, "ok", true);
    pack_put_u64(&reply, "pid", (uint64_t)getpid());
    pack_put_str(&reply, "version", d->config->version ? d->config->version : "");
    pack_put_str(&reply, "home", d->home);
    mp_put_cstr(&reply, "reports");
    mp_put_array(&reply, n);
    for (size_t i = 0; i < d->n_served; i++) {
        struct service *r = d->served[i]->service;
        if (!r)
            continue;
        const char *title = rapport_node_setting(host_node(service_host(r)), "title");
        mp_put_map(&reply, 4);
        pack_put_str(&reply, "dir", host_dir(service_host(r)));
        pack_put_str(&reply, "title", title ? title : "");
        put_listening(&reply, r);
        pack_put_u64(&reply, "peers", service_n_connected(r));
    }
    reply_and_clear(client, &reply);
}

static void reply_opened(struct control_client *client, struct service *r, bool already)
{
    struct buf reply = BUF_INIT, digest = BUF_INIT;
    service_digest_text(r, &digest);
    mp_put_map(&reply, 5);
    pack_put_bool(&reply, "ok", true);
    pack_put_bool(&reply, "already", already);
    pack_put_u64(&reply, "pid", (uint64_t)getpid());
    put_listening(&reply, r);
    mp_put_cstr(&reply, "digest");
    mp_put_str(&reply, buf_slice(&digest));
    buf_clear(&digest);
    reply_and_clear(client, &reply);
}

static void open_with(struct daemon *d, struct control_client *client, const char *dir,
                      const struct daemon_config *net)
{
    struct buf why = BUF_INIT;
    struct served *s = daemon_find(d, dir);
    if (s) {
        reply_opened(client, s->service, true);
        return;
    }
    int error = daemon_serve(d, dir, net, &s, &why);
    if (error)
        fail(client, error,
             buf_cstr(&why) && why.len ? (const char *)why.ptr : rapport_strerror(error));
    else
        reply_opened(client, s->service, false);
    buf_clear(&why);
}

/* Without the words: as the daemon's own environment says. */
static int read_ways(const struct pack_request *request, struct daemon_config *net)
{
    char *lan = NULL, *tailnet = NULL;
    int error = 0;
    if (pack_text(request, "lan", &lan))
        error = daemon_read_lan(lan, &net->lan);
    if (!error && pack_text(request, "tailnet", &tailnet))
        error = daemon_read_tailnet(tailnet, &net->tailnet);
    free(lan);
    free(tailnet);
    return error;
}

static void open_one(struct daemon *d, struct control_client *client,
                     const struct pack_request *request)
{
    char *dir = NULL, *listen[PACK_MOST_STRINGS], *peers[PACK_MOST_STRINGS];
    size_t n_listen = 0, n_peers = 0;
    bool well = pack_text(request, "dir", &dir) && dir[0] == '/';
    well = well && pack_texts(request, "listen", listen, &n_listen);
    well = well && pack_texts(request, "peers", peers, &n_peers);
    struct daemon_config net = {.listen = (const char *const *)listen,
                                .n_listen = n_listen,
                                .peers = (const char *const *)peers,
                                .n_peers = n_peers};
    char *tailscaled = NULL, *tag = NULL;
    (void)pack_text(request, "tailscaled", &tailscaled);
    (void)pack_text(request, "tailnet_tag", &tag);
    net.tailscaled = tailscaled;
    net.tailnet_tag = tag;
    if (!well)
        fail(client, RAPPORT_INVALID, "daemon.open wants an absolute dir, and lists of addresses");
    else if (read_ways(request, &net))
        fail(client, RAPPORT_INVALID, "lan takes on, off or passive, tailnet on, own or off");
    else
        open_with(d, client, dir, &net);
    free(tailscaled);
    free(tag);
    pack_free_texts(listen, n_listen);
    pack_free_texts(peers, n_peers);
    free(dir);
}

void daemon_reply_closed(struct daemon *d, struct control_client *client, bool stopping)
{
    struct buf reply = BUF_INIT;
    (void)d;
    mp_put_map(&reply, 3);
    pack_put_bool(&reply, "ok", true);
    pack_put_bool(&reply, "stopping", stopping);
    pack_put_u64(&reply, "pid", (uint64_t)getpid());
    reply_and_clear(client, &reply);
}

static void not_here(struct control_client *client, const char *dir)
{
    struct buf message = BUF_INIT;
    buf_printf(&message, "%s: the daemon does not have this report open; run: rapport up", dir);
    fail(client, RAPPORT_NOTFOUND,
         buf_cstr(&message) ? (const char *)message.ptr : "no such report");
    buf_clear(&message);
}

static void close_one(struct daemon *d, struct control_client *client,
                      const struct pack_request *request)
{
    char *dir = NULL;
    if (!pack_text(request, "dir", &dir)) {
        fail(client, RAPPORT_INVALID, "daemon.close wants a dir");
        return;
    }
    struct served *s = daemon_find(d, dir);
    if (s) {
        s->closer = client;
        daemon_close(s);
    } else {
        not_here(client, dir);
    }
    free(dir);
}

static void daemon_op(struct daemon *d, struct control_client *client,
                      const struct pack_request *request)
{
    if (slice_equal(request->op, slice_str("daemon.ping"))) {
        ping(d, client);
    } else if (d->stopping) {
        fail(client, RAPPORT_STATE, "the daemon is about to end");
    } else if (slice_equal(request->op, slice_str("daemon.open"))) {
        open_one(d, client, request);
    } else if (slice_equal(request->op, slice_str("daemon.close"))) {
        close_one(d, client, request);
    } else if (slice_equal(request->op, slice_str("daemon.stop"))) {
        d->stopper = client;
        daemon_stop(d);
    } else {
        fail(client, RAPPORT_INVALID, "the daemon does not know this");
    }
}

/* ---- a folder's ---- */

static void service_op(struct daemon *d, struct control_client *client, const char *dir,
                       struct slice request)
{
    struct served *s = daemon_find(d, dir);
    struct buf reply = BUF_INIT;
    if (!s) {
        not_here(client, dir);
        return;
    }
    int error = host_call(service_host(s->service), request, &reply);
    service_touch(s->service);
    if (error) {
        buf_reset(&reply);
        pack_failure(&reply, error, host_exit_of(error), rapport_strerror(error));
    }
    reply_and_clear(client, &reply);
}

static void doctor(struct daemon *d, struct service *r, struct control_client *client,
                   const struct pack_request *request)
{
    struct buf reply = BUF_INIT;
    char *asker = NULL;
    (void)pack_text(request, "version", &asker);
    const struct doctor_about about = {
        .daemon = true, .version = d->config->version, .asker = asker};
    doctor_reply(r, &about, &reply);
    free(asker);
    reply_and_clear(client, &reply);
}

static bool is_own_op(struct slice op)
{
    return op.len > 7 && memcmp(op.ptr, "daemon.", 7) == 0;
}

void daemon_request(void *user, struct control_client *client, const char *dir, struct slice bytes)
{
    struct daemon *d = user;
    struct slice op = pack_op(bytes);
    bool sync = slice_equal(op, slice_str("sync"));
    bool friend = slice_equal(op, slice_str("invite.wait"));
    struct pack_request request;
    bool ill = slice_equal(op, slice_str("doctor"));
    if (!sync && !friend && !ill && !is_own_op(op)) {
        service_op(d, client, dir, bytes);
        return;
    }
    int error = pack_open(&request, bytes);
    if (error) {
        fail(client, error, "this is no request");
        return;
    }
    struct served *s = is_own_op(op) ? NULL : daemon_find(d, dir);
    if (is_own_op(op))
        daemon_op(d, client, &request);
    else if (!s)
        not_here(client, dir);
    else if (ill)
        doctor(d, s->service, client, &request);
    else
        wait_for(d, s->service, client, &request, sync ? DAEMON_GOAL_SYNC : DAEMON_GOAL_FRIEND);
    pack_close(&request);
}

/* daemon.c - `rapport up`: see client_run.h and daemon.h. */
#include "daemon/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/client.h"
#include "net/address.h"

enum {
    RETRY_MS = 50,
    RETRY_MOST = 40
};

/* ---- saying ---- */

static void on_line(void *user, struct service *r, const char *line)
{
    const struct daemon *d = user;
    if (!d->config->quiet || host_failure(service_host(r), NULL))
        (void)fprintf(stderr, "%s: %s\n", service_name(r), line);
}

static void say_serving(struct daemon *d, struct service *r)
{
    struct buf line = BUF_INIT;
    if (d->config->quiet)
        return;
    buf_append_str(&line, "listening on ");
    service_listening(r, &line);
    buf_append_str(&line, ", digest ");
    service_digest_text(r, &line);
    if (buf_cstr(&line))
        on_line(d, r, (const char *)line.ptr);
    buf_clear(&line);
}

/* ---- the folders ---- */

int daemon_addresses(const char *const *texts, size_t n, struct rapport_address *out,
                     struct buf *why)
{
    for (size_t i = 0; i < n; i++)
        if (rapport_address_parse(texts[i], RAPPORT_UV_PORT, &out[i])) {
            if (why)
                buf_printf(why,
                           "%s: no address to listen on; write [::]:%d, 192.0.2.1:%d or [::1]:0",
                           texts[i], RAPPORT_UV_PORT, RAPPORT_UV_PORT);
            return RAPPORT_MALFORMED;
        }
    return 0;
}

struct served *daemon_find(struct daemon *d, const char *dir)
{
    for (size_t i = 0; i < d->n_served; i++) {
        struct service *r = d->served[i]->service;
        if (r && strcmp(host_dir(service_host(r)), dir) == 0)
            return d->served[i];
    }
    return NULL;
}

static int open_service(struct daemon *d, const char *dir, const struct daemon_config *net,
                        struct served *s, struct buf *why)
{
    struct rapport_address listen[DAEMON_MOST_ADDRESSES];
    struct rapport_uv_discovery discovery;
    int error = daemon_addresses(net->listen, net->n_listen, listen, why);
    error = error ? error : daemon_discovery(net, &discovery, why);
    if (error)
        return error;
    /* The ports that the person named are the first folder's; others take free ones. */
    for (size_t i = 0; d->n_served && net == d->config && i < net->n_listen; i++)
        listen[i].port = 0;
    const struct service_config config = {
        .loop = &d->loop,
        .host = {.dir = dir, .home = d->home, .start = RAPPORT_START_OPEN},
        .listen = listen,
        .n_listen = net->n_listen,
        .peers = net->peers,
        .n_peers = net->n_peers,
        .discovery = &discovery,
        .verbose = d->config->verbose,
        .user = d,
        .line = on_line,
    };
    return service_open(&config, &s->service, why);
}

int daemon_serve(struct daemon *d, const char *dir, const struct daemon_config *net,
                 struct served **out, struct buf *why)
{
    if (d->n_served == DAEMON_MOST_REPORTS) {
        if (why)
            buf_printf(why, "the daemon serves %d reports already", DAEMON_MOST_REPORTS);
        return RAPPORT_LIMIT;
    }
    struct served *s = calloc(1, sizeof *s);
    if (!s)
        return RAPPORT_NOMEM;
    s->daemon = d;
    int error = open_service(d, dir, net, s, why);
    if (error) {
        free(s);
        return error;
    }
    d->served[d->n_served++] = s;
    (void)host_set_socket(service_host(s->service), d->socket);
    say_serving(d, s->service);
    *out = s;
    return 0;
}

/* ---- the end ---- */

static void end_loop(struct daemon *d)
{
    if (!d->stopping || d->n_served || d->ended)
        return;
    d->ended = true;
    if (d->stopper)
        daemon_reply_closed(d, d->stopper, true);
    d->stopper = NULL;
    if (d->control)
        control_close(d->control);
    for (size_t i = 0; i < d->n_signals; i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
}

static void on_service_closed(void *user, int error)
{
    struct served *s = user;
    struct daemon *d = s->daemon;
    (void)error; /* said when it happened */
    for (size_t i = 0; i < d->n_served; i++)
        if (d->served[i] == s) {
            d->served[i] = d->served[--d->n_served];
            break;
        }
    if (!d->n_served)
        d->stopping = true;
    if (s->closer)
        daemon_reply_closed(d, s->closer, d->stopping);
    free(s);
    end_loop(d);
}

void daemon_close(struct served *s)
{
    struct service *r = s->service;
    if (!r)
        return;
    s->service = NULL;
    service_close(r, on_service_closed, s);
}

void daemon_stop(struct daemon *d)
{
    d->stopping = true;
    for (size_t i = 0; i < d->n_served; i++)
        daemon_close(d->served[i]);
    end_loop(d);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    if (d->stopping && number == SIGINT) {
        (void)unlink(d->socket);
        _exit(130);
    }
    d->interrupted = d->interrupted || number == SIGINT;
    daemon_stop(d);
}

static void watch_signals(struct daemon *d)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uv_signal_t *s = &d->signals[i];
        (void)uv_signal_init(&d->loop, s);
        s->data = d;
        d->n_signals++;
        (void)uv_signal_start(s, on_signal, numbers[i]);
    }
}

/* ---- the start ---- */

/* Absolute, since a detached daemon stands in "/". */
static int find_places(struct daemon *d, struct buf *why)
{
    struct buf home = BUF_INIT, socket = BUF_INIT;
    int error = host_home(d->config->home, &home, why);
    if (!error)
        error = buf_cstr(&home) ? client_socket_path(d->config->home, &socket) : RAPPORT_NOMEM;
    if (!error && buf_cstr(&socket)) {
        size_t len;
        d->home = realpath((const char *)home.ptr, NULL);
        d->socket = (char *)buf_detach(&socket, &len);
    }
    if (!error && (!d->home || !d->socket))
        error = RAPPORT_NOMEM;
    buf_clear(&home);
    buf_clear(&socket);
    return error;
}

static int open_control(struct daemon *d, struct buf *why)
{
    const struct control_config config = {.loop = &d->loop,
                                          .path = d->socket,
                                          .user = d,
                                          .request = daemon_request,
                                          .gone = daemon_gone};
    return control_open(&config, &d->control, why);
}

/* A verb that has the folder open for a moment is waited for. */
static int serve_first(struct daemon *d, const char *dir, struct buf *why)
{
    struct served *s;
    int error;
    for (int tries = 0;; tries++) {
        buf_reset(why);
        error = daemon_serve(d, dir, d->config, &s, why);
        if (error != RAPPORT_LOCKED || tries == RETRY_MOST)
            return error;
        uv_sleep(RETRY_MS);
    }
}

/* Only the first folder's failure ends it: the others should not be without their daemon for it. */
static int serve_all(struct daemon *d, char *const *dirs, struct buf *why)
{
    struct served *s;
    int error = serve_first(d, dirs[0], why);
    for (size_t i = 1; i < d->config->n_dirs && !error; i++) {
        struct buf reason = BUF_INIT;
        if (daemon_serve(d, dirs[i], d->config, &s, &reason) && buf_cstr(&reason))
            (void)fprintf(stderr, "rapport: %s\n", (const char *)reason.ptr);
        buf_clear(&reason);
    }
    return error;
}

/* Two were started at once and the other was faster: it takes the folders, once it listens. */
static bool hand_over_late(struct daemon *d, char *const *dirs, int *code)
{
    struct daemon_config config = *d->config;
    config.dirs = (const char *const *)dirs;
    for (int tries = 0; tries < RETRY_MOST; tries++) {
        uv_sleep(RETRY_MS);
        if (daemon_hand_over(&config, code))
            return true;
    }
    return false;
}

/* Serves until the end. Returns the exit code. */
static int run(struct daemon *d, char *const *dirs, struct detached *outcome)
{
    struct buf why = BUF_INIT;
    if (uv_loop_init(&d->loop)) {
        detach_say(outcome, 1, "the event loop cannot start");
        return 1;
    }
    watch_signals(d);
    int error = open_control(d, &why), code = 0;
    bool late = error == RAPPORT_LOCKED && outcome->fd < 0 && hand_over_late(d, dirs, &code);
    error = error ? error : serve_all(d, dirs, &why);
    code = late ? code : error ? host_exit_of(error) : 0;
    if (error && !late)
        detach_say(outcome, code,
                   buf_cstr(&why) && why.len ? (const char *)why.ptr : rapport_strerror(error));
    else if (!late)
        detach_say(outcome, 0, "");
    buf_clear(&why);
    if (error)
        daemon_stop(d);
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&d->loop);
    return code;
}

/* ---- checking what was asked for ---- */

static int check_config(const struct daemon_config *c, struct buf *why)
{
    struct rapport_address listen[DAEMON_MOST_ADDRESSES];
    struct address_parts parts;
    struct rapport_uv_discovery discovery;
    if (c->n_dirs == 0 || c->n_dirs > DAEMON_MOST_REPORTS || c->n_listen > DAEMON_MOST_ADDRESSES ||
        c->n_peers > DAEMON_MOST_ADDRESSES) {
        buf_printf(why, "at most %d folders, %d addresses and %d peers", DAEMON_MOST_REPORTS,
                   DAEMON_MOST_ADDRESSES, DAEMON_MOST_ADDRESSES);
        return RAPPORT_LIMIT;
    }
    for (size_t i = 0; i < c->n_peers; i++)
        if (address_split(c->peers[i], RAPPORT_UV_PORT, &parts) || !parts.port) {
            buf_printf(why, "%s: no address of a peer; write HOST, HOST:%d or [2001:db8::1]:%d",
                       c->peers[i], RAPPORT_UV_PORT, RAPPORT_UV_PORT);
            return RAPPORT_MALFORMED;
        }
    int error = daemon_addresses(c->listen, c->n_listen, listen, why);
    return error ? error : daemon_discovery(c, &discovery, why);
}

static int absolute_dirs(const struct daemon_config *c, char **dirs, struct buf *why)
{
    for (size_t i = 0; i < c->n_dirs; i++) {
        dirs[i] = realpath(c->dirs[i], NULL);
        if (!dirs[i]) {
            buf_printf(why, "%s: no such folder", c->dirs[i]);
            return RAPPORT_NOTFOUND;
        }
    }
    return 0;
}

static int fail(struct buf *why, int error, int code)
{
    if (buf_cstr(why))
        (void)fprintf(stderr, "rapport: %s\n",
                      why->len ? (const char *)why->ptr : rapport_strerror(error));
    return code;
}

/* Who goes to the background says on the terminal what is looked at; the log has more. */
static void say_looking(const struct daemon_config *c)
{
    static const char *const tailnets[] = {
        [RAPPORT_UV_TAILNET_OWN] = "at your own machines on the tailnet (--tailnet off: not)",
        [RAPPORT_UV_TAILNET_ON] =
            "at every machine of the tailnet that is on line, once a friend is "
            "invited (--tailnet own or off narrows it)"};
    struct rapport_uv_discovery d;
    if (!c->detach || c->quiet || daemon_discovery(c, &d, NULL))
        return;
    bool lan = d.lan != RAPPORT_UV_LAN_OFF, tailnet = d.tailnet != RAPPORT_UV_TAILNET_OFF;
    if (lan || tailnet)
        (void)fprintf(stderr, "looking for friends %s%s%s\n", lan ? "on the LAN" : "",
                      lan && tailnet ? " and " : "", tailnet ? tailnets[d.tailnet] : "");
}

/* From here on in the process that serves. */
static int start(struct daemon *d, char *const *dirs)
{
    int code = 0;
    struct detached outcome = {-1};
    struct daemon_config config = *d->config;
    config.dirs = (const char *const *)dirs;
    if (daemon_hand_over(&config, &code))
        return code;
    say_looking(&config);
    if (config.detach && !detach(&outcome, d->home, &code))
        return code;
    return run(d, dirs, &outcome);
}

int daemon_run(const struct daemon_config *config)
{
    struct daemon *d = calloc(1, sizeof *d);
    char *dirs[DAEMON_MOST_REPORTS] = {NULL};
    struct buf why = BUF_INIT;
    if (!d)
        return 1;
    d->config = config;
    int error = check_config(config, &why), code = error ? 2 : 0;
    if (!error && (error = absolute_dirs(config, dirs, &why)))
        code = 4;
    if (!error && (error = find_places(d, &why)))
        code = host_exit_of(error);
    code = error ? fail(&why, error, code) : start(d, dirs);
    for (size_t i = 0; i < DAEMON_MOST_REPORTS; i++)
        free(dirs[i]);
    buf_clear(&why);
    free(d->home);
    free(d->socket);
    free(d);
    return code;
}

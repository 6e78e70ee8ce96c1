/*
 * once.c - one report with its sockets until a goal is reached, for verbs that need friends while
 * no daemon runs.
 */
#include <signal.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/doctor.h"
#include "daemon/pack.h"
#include "net/address.h"

struct run {
    const struct daemon_config *config;
    const struct daemon_once *once;
    uv_loop_t loop;
    uv_signal_t signals[3];
    struct service *service;
    struct service_wait *wait;
    struct buf *reply;
    bool interrupted, ended;
    int error;
};

static void on_closed(void *user, int error)
{
    struct run *run = user;
    if (error && !run->error)
        run->error = error;
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&run->signals[i], NULL);
}

static void end(struct run *run)
{
    if (run->ended)
        return;
    run->ended = true;
    service_close(run->service, on_closed, run);
}

/* A reply is a small map by construction (service_wait.c): its head counts the pairs. */
static void add_interrupted(struct buf *reply)
{
    if (reply->len && (reply->ptr[0] & 0xf0) == 0x80 && reply->ptr[0] < 0x8f) {
        reply->ptr[0]++;
        pack_put_bool(reply, "interrupted", true);
    }
}

static void on_done(void *user, struct slice reply)
{
    struct run *run = user;
    run->wait = NULL;
    buf_append_slice(run->reply, reply);
    if (run->interrupted)
        add_interrupted(run->reply);
    if (run->once->last)
        run->once->last(run->once->user, service_host(run->service));
    end(run);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;
    if (run->interrupted && number == SIGINT)
        _exit(130);
    run->interrupted = true;
    end(run);
}

static void on_line(void *user, struct service *r, const char *line)
{
    const struct run *run = user;
    (void)r;
    if (run->once->line)
        run->once->line(run->once->user, line);
}

static void on_online(void *user, struct service *r)
{
    struct run *run = user;
    int error = run->once->online ? run->once->online(run->once->user, service_host(r)) : 0;
    if (!error)
        return;
    if (run->wait)
        service_wait_cancel(r, run->wait);
    run->wait = NULL;
    run->error = error;
    end(run);
}

static void watch_signals(struct run *run)
{
    static const int numbers[3] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        (void)uv_signal_init(&run->loop, &run->signals[i]);
        run->signals[i].data = run;
        (void)uv_signal_start(&run->signals[i], on_signal, numbers[i]);
    }
}

static int start(struct run *run, struct buf *why)
{
    const struct daemon_config *c = run->config;
    struct rapport_address listen[DAEMON_MOST_ADDRESSES];
    if (c->n_listen > DAEMON_MOST_ADDRESSES || c->n_peers > DAEMON_MOST_ADDRESSES)
        return RAPPORT_LIMIT;
    struct rapport_uv_discovery discovery;
    int error = daemon_addresses(c->listen, c->n_listen, listen, why);
    error = error ? error : daemon_discovery(c, &discovery, why);
    const struct service_config config = {
        .loop = &run->loop,
        .host = run->once->host,
        .listen = listen,
        .n_listen = c->n_listen,
        .peers = c->peers,
        .n_peers = c->n_peers,
        .discovery = &discovery,
        .verbose = c->verbose,
        .user = run,
        .line = on_line,
        .online = on_online,
    };
    error = error ? error : service_open(&config, &run->service, why);
    if (error)
        return error;
    /* Before the first turn of the loop, so that no friend joins before somebody waits for one. */
    run->wait = service_wait(run->service, run->once->goal, run->once->wait_ms, on_done, run);
    if (!run->wait) {
        run->error = RAPPORT_NOMEM;
        end(run);
    }
    return 0;
}

/* That a report cannot be opened is what a doctor is asked for. */
static int answer_closed(const struct daemon_once *once, int error, struct buf *why,
                         struct buf *answer)
{
    buf_reset(answer);
    doctor_reply_closed(once->host.dir, error, why && why->len ? buf_cstr(why) : NULL, answer);
    return buf_error(answer);
}

int daemon_sync_once(const struct daemon_config *config, const struct daemon_once *once,
                     struct buf *reply, struct buf *why)
{
    struct buf answer = BUF_INIT;
    struct run run = {.config = config, .once = once, .reply = &answer};
    if (uv_loop_init(&run.loop))
        return RAPPORT_IO;
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    watch_signals(&run);
    int error = start(&run, why);
    if (error)
        on_closed(&run, error);
    (void)uv_run(&run.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&run.loop);
    (void)signal(SIGPIPE, before);
    error = error ? error : run.error ? run.error : buf_error(&answer);
    if (error && once->goal == DAEMON_GOAL_DOCTOR)
        error = answer_closed(once, error, why, &answer);
    if (!error)
        buf_append_slice(reply, buf_slice(&answer));
    else if (why && why->len == 0)
        buf_printf(why, "%s: %s", once->host.dir, rapport_strerror(error));
    buf_clear(&answer);
    return error ? error : buf_error(reply);
}

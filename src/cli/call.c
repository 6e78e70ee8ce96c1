/*
 * call.c - finding who has the report, and asking there (see call.h).
 *
 * Nothing can be asked for twice: a request goes out once, and a daemon that ends meanwhile is an
 * error for the person to see, because the change may have been made.
 */
#include "cli/call.h"

#include <time.h>

#include "rapport/error.h"

int call_failed(const struct cli *cli, int error, struct buf *why)
{
    const char *sentence = why && why->len ? buf_cstr(why) : NULL;
    return cli_fail(cli, host_exit_of(error), "%s", sentence ? sentence : rapport_strerror(error));
}

int report_dir(const struct cli *cli, struct buf *dir)
{
    int error = host_find(".", dir);
    if (error == RAPPORT_NOTFOUND)
        return cli_fail(cli, CLI_NOT_FOUND,
                        "not inside a report; make one with: rapport init TITLE");
    if (error || !buf_cstr(dir))
        return cli_fail(cli, CLI_FAILED, "cannot look for the report here: %s",
                        rapport_strerror(error ? error : RAPPORT_NOMEM));
    return 0;
}

/* ---- opening ---- */

static int open_here(struct caller *s, struct buf *why)
{
    struct host_config config = {.dir = (const char *)s->dir.ptr, .start = RAPPORT_START_OPEN};
    return host_open(&config, &s->host, why);
}

static int try_open(struct caller *s, struct buf *why)
{
    buf_reset(why);
    int error = client_connect((const char *)s->dir.ptr, &s->client, why);
    if (error != RAPPORT_NOTFOUND)
        return error;
    buf_reset(why);
    return open_here(s, why);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int caller_open(const struct cli *cli, struct caller *s)
{
    static const struct timespec pause = {.tv_nsec = CALLER_POLL_MS * 1000000L};
    *s = (struct caller){0};
    int code = report_dir(cli, &s->dir);
    if (code)
        return code;
    struct buf why = BUF_INIT;
    uint64_t start = now_ms();
    int error = try_open(s, &why);
    while (error == RAPPORT_LOCKED && now_ms() - start < CALLER_LOCK_MS) {
        (void)nanosleep(&pause, NULL);
        error = try_open(s, &why);
    }
    if (error)
        code = call_failed(cli, error, &why);
    buf_clear(&why);
    return code;
}

int caller_close(const struct cli *cli, struct caller *s)
{
    int error = s->host ? host_close(s->host) : 0;
    client_close(s->client);
    buf_clear(&s->dir);
    *s = (struct caller){0};
    if (error)
        return cli_fail(cli, CLI_FAILED, "the last change is not on the disk: %s",
                        rapport_strerror(error));
    return 0;
}

/* ---- calling ---- */

static int check(const struct cli *cli, int error, struct reply *reply)
{
    if (!error)
        error = reply_open(reply);
    if (error == RAPPORT_CLOSED)
        return cli_fail(cli, CLI_FAILED, "the daemon ended before it answered; try again");
    if (error == RAPPORT_AGAIN)
        return CLI_INTERRUPTED;
    if (error)
        return cli_fail(cli, host_exit_of(error), "no answer: %s", rapport_strerror(error));
    return reply_check(cli, reply);
}

int call_host(const struct cli *cli, struct host *h, struct request *r, struct reply *reply)
{
    struct buf bytes = BUF_INIT;
    int error = request_end(r, &bytes);
    if (!error)
        error = host_call(h, buf_slice(&bytes), &reply->bytes);
    buf_clear(&bytes);
    return check(cli, error, reply);
}

int caller_call_for(const struct cli *cli, struct caller *s, struct request *r, uint64_t wait_ms,
                    struct reply *reply)
{
    if (s->host)
        return call_host(cli, s->host, r, reply);
    struct buf bytes = BUF_INIT;
    int error = request_end(r, &bytes);
    if (!error)
        error = client_call(s->client, (const char *)s->dir.ptr, buf_slice(&bytes), wait_ms,
                            &reply->bytes);
    buf_clear(&bytes);
    return check(cli, error, reply);
}

int caller_call(const struct cli *cli, struct caller *s, struct request *r, struct reply *reply)
{
    return caller_call_for(cli, s, r, 0, reply);
}

static int call(const struct cli *cli, struct request *r, bool changes, struct reply *reply)
{
    struct caller s;
    int code = caller_open(cli, &s);
    bool alone = s.host != NULL;
    if (!code)
        code = caller_call(cli, &s, r, reply);
    else
        buf_clear(&r->args);
    int closed = caller_close(cli, &s);
    if (!code && !closed && changes && alone)
        cli_say(cli, "nothing is running to carry this to friends; start it with: rapport up");
    return code ? code : closed;
}

int call_once(const struct cli *cli, struct request *r, struct reply *reply)
{
    return call(cli, r, false, reply);
}

int call_change(const struct cli *cli, struct request *r, struct reply *reply)
{
    return call(cli, r, true, reply);
}

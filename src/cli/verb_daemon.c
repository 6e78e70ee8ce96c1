/*
 * verb_daemon.c - up, down and sync: the daemon's life, and waiting for friends to have it all.
 */
#include "cli/call.h"
#include "cli/verbs.h"
#include "daemon/client_run.h"
#include "rapport/error.h"
#include "rapport/version.h"

enum {
    SYNC_WAIT_S = 10,
    SYNC_GRACE_S = 5, /* for the answer itself */
    DOWN_WAIT_MS = 10000,
};

void addresses_of(const struct cli *cli, struct daemon_config *config)
{
    config->listen = args_values(&cli->args, "listen", &config->n_listen);
    config->peers = args_values(&cli->args, "peer", &config->n_peers);
}

/* ---- up ---- */

static enum daemon_lan lan_of(const char *word)
{
    if (!word)
        return DAEMON_LAN_DEFAULT;
    if (strcmp(word, "on") == 0)
        return DAEMON_LAN_ON;
    return strcmp(word, "off") == 0 ? DAEMON_LAN_OFF : DAEMON_LAN_PASSIVE;
}

static enum daemon_tailnet tailnet_of(const char *word)
{
    if (!word)
        return DAEMON_TAILNET_DEFAULT;
    if (strcmp(word, "on") == 0)
        return DAEMON_TAILNET_ON;
    return strcmp(word, "own") == 0 ? DAEMON_TAILNET_OWN : DAEMON_TAILNET_OFF;
}

int verb_up(struct cli *cli)
{
    struct buf dir = BUF_INIT;
    int code = report_dir(cli, &dir);
    if (!code) {
        const char *dirs[] = {(const char *)dir.ptr};
        struct daemon_config config = {
            .dirs = dirs,
            .n_dirs = 1,
            .lan = lan_of(args_value(&cli->args, "lan")),
            .tailnet = tailnet_of(args_value(&cli->args, "tailnet")),
            .detach = args_has(&cli->args, "detach"),
            .quiet = cli->quiet,
            .verbose = cli->verbose,
            .version = RAPPORT_VERSION,
        };
        addresses_of(cli, &config);
        code = daemon_run(&config);
    }
    buf_clear(&dir);
    return code;
}

/* ---- down ---- */

/* Asks the daemon and, where it is at its end, waits for that. */
static int ask_down(struct cli *cli, struct client *client, const char *dir)
{
    struct request r = {.op = dir ? "daemon.close" : "daemon.stop"};
    struct reply reply = {0};
    struct buf bytes = BUF_INIT;
    request_str(&r, "dir", dir);
    int error = request_end(&r, &bytes);
    if (!error)
        error = client_call(client, NULL, buf_slice(&bytes), 0, &reply.bytes);
    buf_clear(&bytes);
    if (!error)
        error = reply_open(&reply);
    int code = error ? call_failed(cli, error, NULL) : reply_check(cli, &reply);
    bool ends = !dir || value_bool(reply.map, "stopping");
    if (!code && ends && client_wait_end(client, DOWN_WAIT_MS))
        code = cli_fail(cli, CLI_FAILED, "the daemon (process %lld) said yes but has not ended yet",
                        (long long)client_daemon_pid(client));
    if (!code && cli->json)
        code = json_reply(cli, &reply);
    else if (!code && ends)
        cli_say(cli, "the daemon has ended");
    else if (!code)
        cli_say(cli, "the daemon has let go of %s; it goes on with others", dir);
    reply_close(&reply);
    return code;
}

static int say_idle(struct cli *cli, const char *what)
{
    if (cli->json)
        buf_append_str(&cli->out, "{\"version\":1,\"stopping\":false}\n");
    cli_say(cli, "no daemon runs%s", what);
    return 0;
}

int verb_down(struct cli *cli)
{
    struct client *client = NULL;
    struct buf dir = BUF_INIT, why = BUF_INIT;
    bool all = args_has(&cli->args, "all");
    int code = all ? 0 : report_dir(cli, &dir);
    int error = 0;
    if (!code)
        error = all ? client_connect_home(NULL, &client, &why)
                    : client_connect((const char *)dir.ptr, &client, &why);
    if (error == RAPPORT_NOTFOUND)
        code = say_idle(cli, all ? "" : " for this report");
    else if (error)
        code = call_failed(cli, error, &why);
    else if (!code)
        code = ask_down(cli, client, all ? NULL : (const char *)dir.ptr);
    client_close(client);
    buf_clear(&dir);
    buf_clear(&why);
    return code;
}

/* ---- sync ---- */

static void say_line(void *user, const char *text)
{
    const struct cli *cli = user;
    if (cli->verbose)
        cli_say(cli, "%s", text);
}

static int sync_here(struct cli *cli, const char *dir, uint64_t wait_s, struct reply *reply)
{
    struct daemon_config config = {.quiet = cli->quiet, .verbose = cli->verbose};
    struct daemon_once once = {
        .host = {.dir = dir, .start = RAPPORT_START_OPEN},
        .goal = DAEMON_GOAL_SYNC,
        .wait_ms = wait_s * 1000,
        .user = cli,
        .line = say_line,
    };
    addresses_of(cli, &config);
    struct buf why = BUF_INIT;
    int error = daemon_sync_once(&config, &once, &reply->bytes, &why);
    if (!error)
        error = reply_open(reply);
    int code = error ? call_failed(cli, error, &why) : reply_check(cli, reply);
    buf_clear(&why);
    return code;
}

static int sync_there(struct cli *cli, struct client *client, const char *dir, uint64_t wait_s,
                      struct reply *reply)
{
    struct caller s = {.client = client};
    struct request r = {.op = "sync"};
    request_u64(&r, "wait_s", wait_s);
    buf_append_str(&s.dir, dir);
    int code = CLI_FAILED;
    if (buf_cstr(&s.dir))
        code = caller_call_for(cli, &s, &r, (wait_s + SYNC_GRACE_S) * 1000, reply);
    return caller_close(cli, &s) ? CLI_FAILED : code;
}

/* Who is not there yet, in words; returns the exit code. */
static int show_sync(struct cli *cli, const struct reply *reply)
{
    struct slice digest = value_str(reply->map, "digest");
    uint64_t connected = value_u64(reply->map, "connected");
    bool converged = value_bool(reply->map, "converged");
    int code = connected == 0 ? CLI_NO_PEER : converged ? 0 : CLI_FAILED;
    if (value_bool(reply->map, "interrupted"))
        code = CLI_INTERRUPTED;
    if (cli->json)
        return json_reply(cli, reply) ? CLI_FAILED : code;
    if (connected == 0)
        return cli_fail(cli, code,
                        "nobody could be reached; is a friend up? rapport peers says more");
    if (!converged)
        return cli_fail(cli, code,
                        "not yet the same everywhere; rapport peers says who lacks what");
    cli_print(cli, STYLE_GOOD, "in sync");
    cli_print(cli, STYLE_PLAIN, " with %llu %s, digest %.*s\n", (unsigned long long)connected,
              plural(connected, "peer", "peers"), (int)digest.len, (const char *)digest.ptr);
    return code;
}

int verb_sync(struct cli *cli)
{
    uint64_t wait_s = args_number(&cli->args, "wait", SYNC_WAIT_S);
    struct buf dir = BUF_INIT, why = BUF_INIT;
    struct client *client = NULL;
    struct reply reply = {0};
    int code = report_dir(cli, &dir);
    if (!code) {
        int error = client_connect((const char *)dir.ptr, &client, &why);
        if (error == RAPPORT_NOTFOUND)
            code = sync_here(cli, (const char *)dir.ptr, wait_s, &reply);
        else if (error)
            code = call_failed(cli, error, &why);
        else
            code = sync_there(cli, client, (const char *)dir.ptr, wait_s, &reply);
    }
    if (!code)
        code = show_sync(cli, &reply);
    reply_close(&reply);
    buf_clear(&dir);
    buf_clear(&why);
    return code;
}

/*
 * verb_doctor.c - doctor: what works, what does not, and the one next thing to do. Asks the daemon
 * that has the report; without one it opens the report for a few seconds and looks by itself.
 */
#include "cli/call.h"
#include "cli/verbs.h"
#include "rapport/error.h"
#include "rapport/version.h"

enum {
    DOCTOR_LOOK_MS = 4000,  /* without a daemon: longer than a dial on a LAN may take */
    DOCTOR_ANSWER_MS = 5000 /* a daemon that is well answers at once */
};

static int look_here(struct cli *cli, const char *dir, struct reply *reply)
{
    const struct daemon_config config = {.quiet = true};
    const struct daemon_once once = {
        .host = {.dir = dir, .start = RAPPORT_START_OPEN},
        .goal = DAEMON_GOAL_DOCTOR,
        .wait_ms = DOCTOR_LOOK_MS,
        .user = cli,
    };
    struct buf why = BUF_INIT;
    if (cli->err_terminal)
        cli_say(cli, "no daemon runs here: looking around for up to %d seconds",
                DOCTOR_LOOK_MS / 1000);
    int error = daemon_sync_once(&config, &once, &reply->bytes, &why);
    if (!error)
        error = reply_open(reply);
    int code = error ? call_failed(cli, error, &why) : reply_check(cli, reply);
    buf_clear(&why);
    return code;
}

static int ask_there(struct cli *cli, struct client *client, const char *dir, struct reply *reply)
{
    struct request r = {.op = "doctor"};
    struct buf bytes = BUF_INIT;
    request_str(&r, "version", RAPPORT_VERSION);
    int error = request_end(&r, &bytes);
    if (!error)
        error = client_call(client, dir, buf_slice(&bytes), DOCTOR_ANSWER_MS, &reply->bytes);
    buf_clear(&bytes);
    if (error == RAPPORT_TIMEOUT)
        return cli_fail(cli, CLI_ATTENTION,
                        "the daemon (process %lld) does not answer; end it with: kill %lld",
                        (long long)client_daemon_pid(client), (long long)client_daemon_pid(client));
    if (!error)
        error = reply_open(reply);
    return error ? call_failed(cli, error, NULL) : reply_check(cli, reply);
}

static void put_finding(struct cli *cli, const msgpack_object *one, bool new_area)
{
    struct slice state = value_str(one, "state"), todo = value_str(one, "todo");
    struct slice area = value_str(one, "area");
    bool bad = slice_equal(state, slice_str("problem"));
    bool fine = slice_equal(state, slice_str("fine"));
    cli_print(cli, STYLE_STRONG, "  %-9.*s", new_area ? (int)area.len : 0,
              new_area ? (const char *)area.ptr : "");
    cli_print(cli,
              bad    ? STYLE_BAD
              : fine ? STYLE_GOOD
                     : STYLE_PLAIN,
              "%-8.*s", (int)state.len, (const char *)state.ptr);
    cli_put(cli, value_str(one, "text"));
    buf_append_str(&cli->out, "\n");
    if (todo.len) {
        cli_print(cli, STYLE_PLAIN, "  %-17sdo: ", "");
        cli_put(cli, todo);
        buf_append_str(&cli->out, "\n");
    }
}

static void show_findings(struct cli *cli, const struct reply *reply)
{
    size_t n;
    const msgpack_object *found = value_list(reply->map, "findings", &n);
    uint64_t problems = value_u64(reply->map, "problems");
    struct slice area = {0}, next = value_str(reply->map, "next");
    for (size_t i = 0; i < n; i++) {
        put_finding(cli, &found[i], !slice_equal(area, value_str(&found[i], "area")));
        area = value_str(&found[i], "area");
    }
    if (problems)
        cli_print(cli, STYLE_BAD, "%llu %s\n", (unsigned long long)problems,
                  plural(problems, "problem", "problems"));
    else
        cli_print(cli, STYLE_GOOD, "no problem\n");
    if (next.len) {
        buf_append_str(&cli->out, "next: ");
        cli_put(cli, next);
        buf_append_str(&cli->out, "\n");
    }
}

int verb_doctor(struct cli *cli)
{
    struct buf dir = BUF_INIT, why = BUF_INIT;
    struct client *client = NULL;
    struct reply reply = {0};
    int code = report_dir(cli, &dir);
    int error = code ? 0 : client_connect((const char *)dir.ptr, &client, &why);
    if (!code && (error == RAPPORT_NOTFOUND || error == RAPPORT_LOCKED))
        code = look_here(cli, (const char *)dir.ptr, &reply);
    else if (error)
        code = call_failed(cli, error, &why);
    else if (!code)
        code = ask_there(cli, client, (const char *)dir.ptr, &reply);
    client_close(client);
    if (!code && cli->json)
        code = json_reply(cli, &reply);
    else if (!code)
        show_findings(cli, &reply);
    if (!code && value_u64(reply.map, "problems"))
        code = CLI_ATTENTION;
    reply_close(&reply);
    buf_clear(&dir);
    buf_clear(&why);
    return code;
}

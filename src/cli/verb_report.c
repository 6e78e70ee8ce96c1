/*
 * verb_report.c - init, invite, join: how a report begins, and how friends come in.
 *
 * A ticket is a secret: it goes to stdout where it was asked for and nowhere else, and memory that
 * held it is wiped. A join that fails leaves nothing behind; a folder that had files in it is
 * never emptied.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/person.h"
#include "cli/verbs.h"
#include "daemon/client_run.h"
#include "rapport/error.h"
#include "rapport/uv.h"

enum {
    JOIN_WAIT_S = 60,
    JOIN_MOST_TRIES = 100, /* of names for the new folder: x, x-2, ... */
};

/* Appends the name of a folder for a report of that title. */
static int folder_name(struct slice title, struct buf *out)
{
    int error = host_folder_name(title, out);
    return error ? error : buf_cstr(out) ? 0 : RAPPORT_NOMEM;
}

/* ---- init ---- */

/* What the new report is, after its folder's files were taken in. */
static int init_reply(struct cli *cli, struct host *h, struct reply *reply)
{
    struct request take = {.op = "take"}, status = {.op = "status"};
    struct reply taken = {0};
    int code = call_host(cli, h, &take, &taken);
    reply_close(&taken);
    return code ? code : call_host(cli, h, &status, reply);
}

static int show_init(struct cli *cli, const struct reply *reply, const char *dir)
{
    if (cli->json)
        return json_reply(cli, reply);
    uint64_t notes = value_u64(reply->map, "notes");
    cli_put(cli, value_str(reply->map, "dir"));
    buf_append_str(&cli->out, "\n");
    if (notes)
        cli_say(cli, "%llu %s found in the folder", (unsigned long long)notes,
                plural(notes, "note was", "notes were"));
    cli_say(cli, "next: cd %s, then rapport new TITLE, or rapport invite", dir);
    return 0;
}

static bool is_blank(struct slice text)
{
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = slice_skip(text, 1);
    return text.len == 0;
}

int verb_init(struct cli *cli)
{
    struct buf title = BUF_INIT, dir = BUF_INIT, name = BUF_INIT, why = BUF_INIT;
    struct host_config config = {.start = RAPPORT_START_INIT};
    struct reply reply = {0};
    struct host *h = NULL;
    for (size_t i = 0; i < cli->args.n_operands; i++)
        buf_printf(&title, "%s%s", i ? " " : "", cli->args.operands[i]);
    config.title = buf_cstr(&title);
    config.dir = args_value(&cli->args, "dir");
    int error = config.title ? 0 : RAPPORT_NOMEM;
    bool blank = !error && is_blank(buf_slice(&title));
    if (!error && !blank && !config.dir) {
        error = folder_name(buf_slice(&title), &dir);
        config.dir = (const char *)dir.ptr;
    }
    int code = error ? call_failed(cli, error, NULL) : 0;
    if (blank)
        code = cli_misused(cli, "a new report needs a title");
    if (!code)
        code = person_name(cli, &name, &config.name);
    if (!code) {
        error = host_open(&config, &h, &why);
        code = error ? call_failed(cli, error, &why) : init_reply(cli, h, &reply);
    }
    error = host_close(h);
    if (!code && error)
        code = cli_fail(cli, CLI_FAILED, "not on the disk: %s", rapport_strerror(error));
    if (!code)
        code = show_init(cli, &reply, config.dir);
    reply_close(&reply);
    buf_clear(&title);
    buf_clear(&dir);
    buf_clear(&name);
    buf_clear(&why);
    return code;
}

/* ---- invite ---- */

static struct request invite_request(const struct cli *cli)
{
    struct request r = {.op = "invite"};
    if (args_has(&cli->args, "uses"))
        request_u64(&r, "uses", args_number(&cli->args, "uses", 1));
    if (args_has(&cli->args, "expires"))
        request_u64(&r, "expires_s", args_number(&cli->args, "expires", 0));
    return r;
}

/* The ticket on stdout; around it what a person has to know. */
static int show_ticket(struct cli *cli, const struct reply *reply)
{
    if (cli->json)
        return json_reply(cli, reply);
    uint64_t uses = value_u64(reply->map, "uses");
    char until[32];
    buf_append_slice(&cli->out, value_str(reply->map, "ticket"));
    buf_append_str(&cli->out, "\n");
    int code = cli_flush(cli);
    if (!code && cli->out_terminal)
        cli_say(cli, "for %llu %s, until %s; who holds it can join: rapport join TICKET",
                (unsigned long long)uses, plural(uses, "friend", "friends"),
                time_text(value_u64(reply->map, "expires_s") * 1000, until));
    return code;
}

/* The sockets listen: now the ticket can say where. Returns an error, as the run wants it. */
static int invite_online(void *user, struct host *h)
{
    struct cli *cli = user;
    struct request r = invite_request(cli);
    struct reply reply = {0};
    int code = call_host(cli, h, &r, &reply);
    if (!code)
        code = show_ticket(cli, &reply);
    reply_close(&reply);
    if (!code)
        cli_say(cli, "waiting for your friend; Ctrl-C ends this, the ticket stays valid");
    return code ? RAPPORT_STATE : 0;
}

static void say_line(void *user, const char *text)
{
    const struct cli *cli = user;
    if (cli->verbose || cli->err_terminal)
        cli_say(cli, "%s", text);
}

/* Serves the report until the friend is in. */
static int invite_and_wait(struct cli *cli, const char *dir)
{
    struct daemon_config config = {.quiet = cli->quiet, .verbose = cli->verbose};
    struct daemon_once once = {
        .host = {.dir = dir, .start = RAPPORT_START_OPEN},
        .goal = DAEMON_GOAL_FRIEND,
        .wait_ms = UINT64_MAX,
        .user = cli,
        .online = invite_online,
        .line = say_line,
    };
    addresses_of(cli, &config);
    struct reply reply = {0};
    struct buf why = BUF_INIT;
    int error = daemon_sync_once(&config, &once, &reply.bytes, &why);
    if (!error)
        error = reply_open(&reply);
    int code = error ? call_failed(cli, error, &why) : 0;
    if (!code && value_bool(reply.map, "interrupted"))
        code = CLI_INTERRUPTED;
    if (!code)
        code = reply_check(cli, &reply);
    if (!code) {
        struct slice name = value_str(reply.map, "name");
        cli_say(cli, "%.*s is in and has everything; carry on with: rapport up", (int)name.len,
                (const char *)name.ptr);
    }
    reply_close(&reply);
    buf_clear(&why);
    return code;
}

int verb_invite(struct cli *cli)
{
    struct caller s;
    struct reply reply = {0};
    bool waits = cli->out_terminal && !cli->json && !args_has(&cli->args, "no-wait");
    int code = caller_open(cli, &s);
    bool alone = s.host != NULL;
    if (!code && alone && waits) {
        struct buf dir = s.dir;
        s.dir = BUF_INIT;
        code = caller_close(cli, &s);
        if (!code)
            code = invite_and_wait(cli, (const char *)dir.ptr);
        buf_clear(&dir);
        return code;
    }
    if (!code) {
        struct request r = invite_request(cli);
        code = caller_call(cli, &s, &r, &reply);
    }
    int closed = caller_close(cli, &s);
    if (!code && !closed)
        code = show_ticket(cli, &reply);
    if (!code && alone)
        cli_say(cli, "your friend can join while this runs here: rapport up");
    reply_close(&reply);
    return code ? code : closed;
}

/* ---- join: the ticket ---- */

/* The ticket of the first operand, or from stdin. */
static int read_ticket(const struct cli *cli, struct buf *ticket)
{
    const char *word = args_operand(&cli->args, 0);
    if (strcmp(word, "-") != 0) {
        buf_append_str(ticket, word);
    } else {
        int code = person_read(cli, "-", ticket);
        if (code)
            return code;
    }
    const char *text = buf_cstr(ticket);
    if (!text || memchr(text, 0, ticket->len))
        return cli_fail(cli, CLI_BAD_DATA, "this is not a ticket");
    return 0;
}

/* What is wrong with a ticket, and what to do. Returns the exit code. */
static int refuse_ticket(const struct cli *cli, int error)
{
    if (error == RAPPORT_TRUNCATED)
        return cli_fail(cli, CLI_BAD_DATA, "the end of the ticket is missing; copy all of it");
    if (error == RAPPORT_VERSION)
        return cli_fail(cli, CLI_BAD_DATA, "the ticket is from a newer rapport; update this one");
    if (error == RAPPORT_MALFORMED || error == RAPPORT_LIMIT)
        return cli_fail(cli, CLI_BAD_DATA,
                        "this is not a ticket, or has a slip in it; copy it again as a whole");
    return call_failed(cli, error, NULL);
}

static int check_expiry(const struct cli *cli, const struct rapport_ticket_info *info)
{
    char until[32];
    if ((uint64_t)time(NULL) < info->expires_s)
        return 0;
    return cli_fail(cli, CLI_BAD_DATA,
                    "the ticket was valid until %s; ask for another (or is this clock wrong?)",
                    time_text(info->expires_s * 1000, until));
}

static int show_dry_run(struct cli *cli, const struct rapport_ticket_info *info)
{
    struct buf reply = BUF_INIT;
    char text[RAPPORT_ADDRESS_TEXT], until[32];
    mp_put_map(&reply, 3);
    mp_put_cstr(&reply, "uses");
    mp_put_u64(&reply, info->n_uses);
    mp_put_cstr(&reply, "expires_s");
    mp_put_u64(&reply, info->expires_s);
    mp_put_cstr(&reply, "addresses");
    mp_put_array(&reply, info->n_addresses);
    for (size_t i = 0; i < info->n_addresses; i++)
        mp_put_cstr(&reply, rapport_address_print(&info->addresses[i], text));
    struct reply r = {.bytes = reply};
    int code = reply_open(&r) ? CLI_FAILED : 0;
    if (!code && cli->json)
        code = json_reply(cli, &r);
    if (!code && !cli->json) {
        struct buf addresses = BUF_INIT;
        value_join(r.map, "addresses", &addresses);
        cli_print(cli, STYLE_PLAIN,
                  "a ticket for %u %s, valid until %s\nyour friend was at: ", info->n_uses,
                  plural(info->n_uses, "friend", "friends"),
                  time_text(info->expires_s * 1000, until));
        cli_put(cli, addresses.len ? buf_slice(&addresses) : slice_str("(no address in it)"));
        buf_append_str(&cli->out, "\n");
        buf_clear(&addresses);
    }
    reply_close(&r);
    return code;
}

/* ---- join: the folder ---- */

/* A new folder that has no name yet; the report's title is known only once we are in. */
static int make_folder(const struct cli *cli, struct buf *dir)
{
    buf_append_str(dir, "rapport-join-XXXXXX");
    if (!buf_cstr(dir) || !mkdtemp((char *)dir->ptr) || chmod((char *)dir->ptr, 0755))
        return cli_fail(cli, CLI_FAILED, "cannot make a folder here: %s", strerror(errno));
    return 0;
}

/* Gives it the name of the title: x, else x-2, ... */
static int name_folder(const struct cli *cli, struct slice title, struct buf *dir)
{
    struct buf name = BUF_INIT;
    int code = CLI_FAILED;
    for (int i = 1; i <= JOIN_MOST_TRIES; i++) {
        buf_reset(&name);
        if (folder_name(title, &name))
            break;
        if (i > 1)
            buf_printf(&name, "-%d", i);
        /* mkdir, then rename over the empty folder: no race can make us replace somebody's files.
           */
        if (!buf_cstr(&name) || (mkdir((char *)name.ptr, 0755) && errno != EEXIST))
            break;
        if (rename((char *)dir->ptr, (char *)name.ptr) == 0) {
            code = 0;
            break;
        }
        if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
            break;
    }
    if (code)
        cli_say(cli, "the folder is called %s; it could not be named by the title",
                (const char *)dir->ptr);
    else {
        buf_reset(dir);
        buf_append_slice(dir, buf_slice(&name));
        (void)buf_cstr(dir);
    }
    buf_clear(&name);
    return 0;
}

/* ---- join: the run ---- */

struct join {
    struct cli *cli;
    struct reply status; /* of the report, when we are in */
};

static void join_line(void *user, const char *text)
{
    const struct join *j = user;
    say_line(j->cli, text);
}

static void join_last(void *user, struct host *h)
{
    struct join *j = user;
    struct request r = {.op = "status"};
    if (host_join_state(h, NULL) == HOST_JOIN_DONE)
        (void)call_host(j->cli, h, &r, &j->status);
}

static int join_failed(const struct cli *cli, const struct reply *reply)
{
    if (value_bool(reply->map, "interrupted"))
        return CLI_INTERRUPTED;
    int code = reply_check(cli, reply);
    return code ? code
                : cli_fail(cli, CLI_NO_PEER,
                           "your friend could not be reached; is rapport up running there?");
}

static int run_join(struct join *j, const char *ticket, const char *dir, const char *name)
{
    struct cli *cli = j->cli;
    struct daemon_config config = {.quiet = cli->quiet, .verbose = cli->verbose};
    struct daemon_once once = {
        .host = {.dir = dir, .start = RAPPORT_START_JOIN, .ticket = ticket, .name = name},
        .goal = DAEMON_GOAL_JOIN,
        .wait_ms = args_number(&cli->args, "wait", JOIN_WAIT_S) * 1000,
        .user = j,
        .line = join_line,
        .last = join_last,
    };
    addresses_of(cli, &config);
    struct reply reply = {0};
    struct buf why = BUF_INIT;
    int error = daemon_sync_once(&config, &once, &reply.bytes, &why);
    if (!error)
        error = reply_open(&reply);
    int code = error ? call_failed(cli, error, &why) : 0;
    if (!code && !j->status.map)
        code = join_failed(cli, &reply);
    else if (!code && !value_bool(reply.map, "converged"))
        cli_say(cli, "you are in, but not everything is here yet; rapport up fetches the rest");
    reply_close(&reply);
    buf_clear(&why);
    return code;
}

/* The reply once more: the folder has its name only now. */
static int show_join_json(struct cli *cli, const char *dir)
{
    struct host_config config = {.dir = dir, .start = RAPPORT_START_OPEN};
    struct request r = {.op = "status"};
    struct reply reply = {0};
    struct buf why = BUF_INIT;
    struct host *h = NULL;
    int error = host_open(&config, &h, &why);
    int code = error ? call_failed(cli, error, &why) : call_host(cli, h, &r, &reply);
    if (!code)
        code = json_reply(cli, &reply);
    (void)host_close(h);
    reply_close(&reply);
    buf_clear(&why);
    return code;
}

static int show_join(struct cli *cli, const struct reply *status, const char *dir)
{
    if (cli->json)
        return show_join_json(cli, dir);
    struct slice title = value_str(status->map, "title");
    uint64_t notes = value_u64(status->map, "notes");
    struct buf path = BUF_INIT;
    if (absolute_path(dir, &path) == 0)
        cli_put(cli, buf_slice(&path));
    buf_append_str(&cli->out, "\n");
    buf_clear(&path);
    cli_say(cli, "you are in: %.*s, %llu %s", (int)title.len, (const char *)title.ptr,
            (unsigned long long)notes, plural(notes, "note", "notes"));
    cli_say(cli, "next: cd %s, then rapport up", dir);
    return 0;
}

static int join_folder(struct cli *cli, const char *ticket)
{
    struct join j = {.cli = cli};
    struct buf dir = BUF_INIT, name_text = BUF_INIT;
    const char *given = args_operand(&cli->args, 1), *name;
    int code = person_name(cli, &name_text, &name);
    if (!code && !given)
        code = make_folder(cli, &dir);
    else if (!code)
        buf_append_str(&dir, given);
    if (!code && !buf_cstr(&dir))
        code = call_failed(cli, RAPPORT_NOMEM, NULL);
    if (!code) {
        bool existed = given && access(given, F_OK) == 0;
        code = run_join(&j, ticket, (const char *)dir.ptr, name);
        if (code && !existed)
            (void)rmdir((const char *)dir.ptr);
    }
    if (!code && !given)
        code = name_folder(cli, value_str(j.status.map, "title"), &dir);
    if (!code)
        code = show_join(cli, &j.status, (const char *)dir.ptr);
    reply_close(&j.status);
    buf_clear(&dir);
    buf_clear(&name_text);
    return code;
}

int verb_join(struct cli *cli)
{
    struct buf ticket = BUF_INIT;
    struct rapport_ticket_info info;
    int code = read_ticket(cli, &ticket);
    if (!code) {
        int error = rapport_ticket_read((const char *)ticket.ptr, ticket.len, &info);
        code = error ? refuse_ticket(cli, error) : check_expiry(cli, &info);
    }
    if (!code && args_has(&cli->args, "dry-run"))
        code = show_dry_run(cli, &info);
    else if (!code)
        code = join_folder(cli, (const char *)ticket.ptr);
    buf_wipe(&ticket);
    return code;
}

/*
 * verb_status.c - status, peers and members: what is so, why, and the one next thing to do.
 *
 * Nothing is called saved or sent here but what the host says is on a disk, ours or a friend's.
 */
#include "cli/call.h"
#include "cli/verbs.h"

/* ---- parts ---- */

static bool is_state(const msgpack_object *peer, const char *state)
{
    return slice_equal(value_str(peer, "state"), slice_str(state));
}

/* Name of a peer for people; one that never answered has only an address. */
static struct slice peer_name(const msgpack_object *peer)
{
    struct slice name = value_str(peer, "name");
    return name.len ? name : slice_str("(unknown yet)");
}

/* "has everything", "lacks 12 of our events", "offers 3 more" */
static void put_progress(const msgpack_object *peer, struct buf *out)
{
    uint64_t lacks = value_u64(peer, "unacknowledged"), behind = value_u64(peer, "behind");
    if (!is_state(peer, "connected")) {
        buf_append_slice(out, value_str(peer, "error"));
        return;
    }
    if (lacks)
        buf_printf(out, "has not acknowledged %llu of your events", (unsigned long long)lacks);
    if (behind)
        buf_printf(out, "%ssends %llu more", lacks ? ", " : "", (unsigned long long)behind);
    if (!lacks && !behind)
        buf_append_str(out, value_bool(peer, "digest_equal") ? "has the same report"
                                                             : "has all that you wrote");
}

/* ---- peers ---- */

static void show_peers(struct cli *cli, const struct reply *reply)
{
    size_t n;
    const msgpack_object *peers = value_list(reply->map, "peers", &n);
    static const char *const heads[] = {"NAME", "STATE", "ADDRESS", "FROM", "HEARD", "HOW FAR"};
    struct table t = {.n_columns = sizeof heads / sizeof heads[0]};
    for (size_t i = 0; i < t.n_columns; i++)
        table_put(&t, slice_str(heads[i]));
    for (size_t i = 0; i < n; i++) {
        char heard[32];
        struct buf progress = BUF_INIT;
        put_progress(&peers[i], &progress);
        table_put(&t, peer_name(&peers[i]));
        table_put(&t, value_str(&peers[i], "state"));
        table_put(&t, value_str(&peers[i], "address"));
        table_put(&t, value_str(&peers[i], "source"));
        table_put(&t, slice_str(time_text(value_u64(&peers[i], "last_heard"), heard)));
        table_put(&t, buf_slice(&progress));
        buf_clear(&progress);
    }
    if (n)
        table_end(&t, cli);
    else
        cli_say(cli, "no peers known; let a friend in with: rapport invite");
    buf_clear(&t.cells);
}

int verb_peers(struct cli *cli)
{
    struct request r = {.op = "peers"};
    struct reply reply = {0};
    int code = call_once(cli, &r, &reply);
    if (!code && cli->json)
        code = json_lines(cli, &reply, "peers");
    else if (!code)
        show_peers(cli, &reply);
    reply_close(&reply);
    return code;
}

/* ---- members ---- */

static void show_members(struct cli *cli, const struct reply *reply)
{
    size_t n;
    const msgpack_object *members = value_list(reply->map, "members", &n);
    static const char *const heads[] = {"DEVICE", "ROLE", "NAME", ""};
    struct table t = {.n_columns = sizeof heads / sizeof heads[0]};
    for (size_t i = 0; i < t.n_columns; i++)
        table_put(&t, slice_str(heads[i]));
    for (size_t i = 0; i < n; i++) {
        bool removed = value_bool(&members[i], "removed"), self = value_bool(&members[i], "self");
        table_put(&t, value_str(&members[i], "device"));
        table_put(&t, value_str(&members[i], "role"));
        table_put(&t, value_str(&members[i], "name"));
        table_print(&t, "%s", removed ? "removed" : self ? "this device" : "");
    }
    table_end(&t, cli);
}

int verb_member_ls(struct cli *cli)
{
    struct request r = {.op = "members"};
    struct reply reply = {0};
    int code = call_once(cli, &r, &reply);
    if (!code && cli->json)
        code = json_lines(cli, &reply, "members");
    else if (!code)
        show_members(cli, &reply);
    reply_close(&reply);
    return code;
}

/* ---- status ---- */

static void put_heading(struct cli *cli, const msgpack_object *status)
{
    struct slice title = value_str(status, "title"), dir = value_str(status, "dir");
    struct slice name = value_str(status, "name"), digest = value_str(status, "digest");
    uint64_t notes = value_u64(status, "notes"), trashed = value_u64(status, "trashed");
    cli_print(cli, STYLE_STRONG, "%.*s", (int)title.len, (const char *)title.ptr);
    cli_print(cli, STYLE_PLAIN, ", %llu %s", (unsigned long long)notes,
              plural(notes, "note", "notes"));
    if (trashed)
        cli_print(cli, STYLE_PLAIN, " and %llu in the trash", (unsigned long long)trashed);
    cli_print(cli, STYLE_PLAIN, "\n  folder   %.*s\n  you      %.*s\n  digest   ", (int)dir.len,
              (const char *)dir.ptr, (int)name.len, (const char *)name.ptr);
    cli_print(cli, STYLE_PLAIN, "%.*s\n", (int)digest.len,
              digest.len ? (const char *)digest.ptr : "");
}

static void put_saved(struct cli *cli, const msgpack_object *status)
{
    uint64_t unsaved = value_u64(status, "unsaved");
    struct slice failure = value_str(status, "failure");
    cli_print(cli, STYLE_PLAIN, "  saved    ");
    if (failure.len)
        cli_print(cli, STYLE_BAD, "NO: %.*s\n", (int)failure.len, (const char *)failure.ptr);
    else if (unsaved)
        cli_print(cli, STYLE_BAD, "not yet: %llu %s on the way to the disk\n",
                  (unsigned long long)unsaved, plural(unsaved, "event is", "events are"));
    else
        cli_print(cli, STYLE_GOOD, "everything is on this device's disk\n");
}

static void put_carried(struct cli *cli, const msgpack_object *status)
{
    const msgpack_object *peers = value_of(status, "peers");
    uint64_t connected = value_u64(peers, "connected"), lacks = value_u64(peers, "unacknowledged");
    uint64_t behind = value_u64(peers, "behind"), known = value_u64(peers, "known");
    cli_print(cli, STYLE_PLAIN, "  friends  ");
    if (!value_bool(status, "daemon")) {
        cli_print(cli, STYLE_PLAIN, "nothing is running, so nothing is sent or received\n");
        return;
    }
    if (connected == 0) {
        cli_print(cli, STYLE_BAD, "nobody is connected");
        cli_print(cli, STYLE_PLAIN, "; %llu %s known", (unsigned long long)known,
                  plural(known, "address is", "addresses are"));
        if (lacks && value_u64(status, "members") > 1)
            cli_print(cli, STYLE_PLAIN, "; %llu of your events %s on no friend's disk yet",
                      (unsigned long long)lacks, plural(lacks, "is", "are"));
        cli_print(cli, STYLE_PLAIN, "\n");
        return;
    }
    cli_print(cli, STYLE_GOOD, "%llu connected", (unsigned long long)connected);
    if (lacks)
        cli_print(cli, STYLE_PLAIN, "; %llu of your events not acknowledged yet",
                  (unsigned long long)lacks);
    else
        cli_print(cli, STYLE_PLAIN, "; all that you wrote is on a friend's disk too");
    if (behind)
        cli_print(cli, STYLE_PLAIN, "; %llu on the way here", (unsigned long long)behind);
    cli_print(cli, STYLE_PLAIN, "\n");
}

/* True for another address of a device that is connected: no news for anybody. */
static bool is_spare(const msgpack_object *peers, size_t n, const msgpack_object *peer)
{
    struct slice device = value_str(peer, "device");
    for (size_t i = 0; i < n && device.len && !is_state(peer, "connected"); i++)
        if (is_state(&peers[i], "connected") && slice_equal(value_str(&peers[i], "device"), device))
            return true;
    return false;
}

static void put_peer(struct cli *cli, const msgpack_object *peer)
{
    struct slice address = value_str(peer, "address"), state = value_str(peer, "state");
    struct buf progress = BUF_INIT;
    char heard[32];
    put_progress(peer, &progress);
    buf_append_str(&cli->out, "           ");
    cli_put(cli, peer_name(peer));
    cli_print(cli, STYLE_PLAIN, ", %.*s, %.*s", (int)state.len, (const char *)state.ptr,
              (int)address.len, (const char *)address.ptr);
    if (progress.len) {
        buf_append_str(&cli->out, ": ");
        cli_put(cli, buf_slice(&progress));
    }
    if (!is_state(peer, "connected") && value_u64(peer, "last_heard"))
        cli_print(cli, STYLE_PLAIN, "; last heard %s",
                  time_text(value_u64(peer, "last_heard"), heard));
    buf_append_str(&cli->out, "\n");
    buf_clear(&progress);
}

/* Problems of files, and files that wait for an editor. */
static void put_files(struct cli *cli, const msgpack_object *status, const char *key,
                      const char *heading)
{
    size_t n;
    const msgpack_object *rows = value_list(status, key, &n);
    for (size_t i = 0; i < n; i++) {
        cli_print(cli, i ? STYLE_PLAIN : STYLE_STRONG, "  %-9s", i ? "" : heading);
        cli_put(cli, value_str(&rows[i], "path"));
        buf_append_str(&cli->out, ": ");
        cli_put(cli, value_str(&rows[i], "why"));
        buf_append_str(&cli->out, "\n");
    }
}

static const char *next_step(const msgpack_object *status)
{
    const msgpack_object *peers = value_of(status, "peers");
    if (value_str(status, "failure").len)
        return "make room on the disk, then rapport status again";
    if (value_u64(status, "members") < 2)
        return "rapport invite, to let a friend in";
    if (!value_bool(status, "daemon"))
        return "rapport up, to carry notes to friends";
    if (value_u64(peers, "connected") == 0)
        return "have a friend type rapport up, or give an address: rapport up --peer ADDR";
    if (value_u64(status, "notes") == 0)
        return "rapport new TITLE, to write a note";
    return NULL;
}

static void show_status(struct cli *cli, const struct reply *status, const struct reply *peers)
{
    size_t n;
    const msgpack_object *rows = value_list(peers->map, "peers", &n);
    put_heading(cli, status->map);
    put_saved(cli, status->map);
    put_carried(cli, status->map);
    for (size_t i = 0; i < n && value_bool(status->map, "daemon"); i++)
        if (!is_spare(rows, n, &rows[i]))
            put_peer(cli, &rows[i]);
    put_files(cli, status->map, "waiting", "waits");
    put_files(cli, status->map, "problems", "problem");
    const char *next = next_step(status->map);
    if (next)
        cli_print(cli, STYLE_PLAIN, "next: %s\n", next);
}

int verb_status(struct cli *cli)
{
    struct caller s;
    struct request about = {.op = "status"}, who = {.op = "peers"};
    struct reply status = {0}, peers = {0};
    int code = caller_open(cli, &s);
    if (!code)
        code = caller_call(cli, &s, &about, &status);
    if (!code && !cli->json)
        code = caller_call(cli, &s, &who, &peers);
    int closed = caller_close(cli, &s);
    if (!code && cli->json)
        code = json_reply(cli, &status);
    else if (!code)
        show_status(cli, &status, &peers);
    /* A report that can take no more edits needs somebody. */
    if (!code && value_str(status.map, "failure").len)
        code = CLI_ATTENTION;
    reply_close(&status);
    reply_close(&peers);
    return code ? code : closed;
}

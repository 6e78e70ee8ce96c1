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

/* "has the same report", "has not acknowledged 12 of your events, sends 3 more" */
static void put_progress(const msgpack_object *peer, struct buf *out)
{
    uint64_t lacks = value_u64(peer, "unacknowledged"), behind = value_u64(peer, "behind");
    if (lacks)
        buf_printf(out, "has not acknowledged %llu of your events", (unsigned long long)lacks);
    if (behind)
        buf_printf(out, "%ssends %llu more", lacks ? ", " : "", (unsigned long long)behind);
    if (!lacks && !behind)
        buf_append_str(out, value_bool(peer, "digest_equal") ? "has the same report"
                                                             : "has all that you wrote");
}

/* When it is dialled next: "; next try in 20 s". */
static void put_next_try(const msgpack_object *peer, struct buf *out)
{
    uint64_t next = value_u64(peer, "next_try"), now = wall_now();
    char text[SPAN_TEXT];
    if (next)
        buf_printf(out, "; next try %s%s", next > now + 1000 ? "in " : "",
                   next > now + 1000 ? span_text(next - now, text) : "now");
}

/* ---- peers ---- */

static void put_peer_row(struct table *t, const msgpack_object *peer)
{
    char heard[32], rtt[32] = "-";
    struct buf progress = BUF_INIT;
    bool connected = is_state(peer, "connected");
    uint64_t rtt_ms = value_u64(peer, "rtt_ms");
    if (connected) {
        put_progress(peer, &progress);
    } else {
        buf_append_slice(&progress, value_str(peer, "why"));
        put_next_try(peer, &progress);
    }
    if (connected && rtt_ms)
        (void)snprintf(rtt, sizeof rtt, "%llu ms", (unsigned long long)rtt_ms);
    table_put(t, peer_name(peer));
    table_put(t, value_str(peer, "state"));
    table_put(t, value_str(peer, "path_text"));
    table_put(t, slice_str(rtt));
    table_put(t, slice_str(age_text(value_u64(peer, "last_heard"), heard)));
    table_put(t, value_str(peer, "address"));
    table_put(t, value_str(peer, "source"));
    table_put(t, buf_slice(&progress));
    buf_clear(&progress);
}

static void show_peers(struct cli *cli, const struct reply *reply)
{
    size_t n;
    const msgpack_object *peers = value_list(reply->map, "peers", &n);
    static const char *const heads[] = {"NAME",  "STATE",   "PATH", "TRIP",
                                        "HEARD", "ADDRESS", "FROM", "HOW FAR"};
    struct table t = {.n_columns = sizeof heads / sizeof heads[0]};
    for (size_t i = 0; i < t.n_columns; i++)
        table_put(&t, slice_str(heads[i]));
    for (size_t i = 0; i < n; i++)
        put_peer_row(&t, &peers[i]);
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

/* What of ours is on no friend's disk, or on the way to one. */
static void put_unsent(struct cli *cli, const msgpack_object *status)
{
    const msgpack_object *peers = value_of(status, "peers");
    uint64_t lacks = value_u64(peers, "unacknowledged"), behind = value_u64(peers, "behind");
    bool anybody = value_u64(peers, "connected") > 0;
    if (lacks && anybody)
        cli_print(cli, STYLE_PLAIN, "; %llu of your events not acknowledged yet",
                  (unsigned long long)lacks);
    else if (lacks)
        cli_print(cli, STYLE_PLAIN, "; %llu of your events %s on no friend's disk yet",
                  (unsigned long long)lacks, plural(lacks, "is", "are"));
    else if (anybody)
        cli_print(cli, STYLE_PLAIN, "; all that you wrote is on a friend's disk too");
    if (behind)
        cli_print(cli, STYLE_PLAIN, "; %llu on the way here", (unsigned long long)behind);
    cli_print(cli, STYLE_PLAIN, "\n");
}

static void put_carried(struct cli *cli, const msgpack_object *status)
{
    uint64_t connected = 0;
    size_t n;
    const msgpack_object *friends = value_list(status, "friends", &n);
    for (size_t i = 0; i < n; i++)
        connected += value_bool(&friends[i], "connected");
    cli_print(cli, STYLE_PLAIN, "  friends  ");
    if (!value_bool(status, "daemon")) {
        cli_print(cli, STYLE_PLAIN, "nothing is running, so nothing is sent or received\n");
        return;
    }
    if (n == 0) {
        cli_print(cli, STYLE_PLAIN, "nobody else is in this report yet\n");
        return;
    }
    if (connected == 0)
        cli_print(cli, STYLE_BAD, "nobody is connected");
    else if (connected < n)
        cli_print(cli, STYLE_GOOD, "%llu of %llu connected", (unsigned long long)connected,
                  (unsigned long long)n);
    else
        cli_print(cli, STYLE_GOOD, "%llu connected", (unsigned long long)connected);
    put_unsent(cli, status);
}

static void put_connected(const msgpack_object *friend, struct buf *out)
{
    uint64_t rtt_ms = value_u64(friend, "rtt_ms");
    buf_append_str(out, ", connected (");
    buf_append_slice(out, value_str(friend, "path_text"));
    if (rtt_ms)
        buf_printf(out, ", %llu ms", (unsigned long long)rtt_ms);
    buf_append_str(out, "), ");
    buf_append_slice(out, value_str(friend, "address"));
    buf_append_str(out, ": ");
    put_progress(friend, out);
}

static void put_away(const msgpack_object *friend, struct buf *out)
{
    uint64_t heard = value_u64(friend, "last_heard"), known = value_u64(friend, "addresses");
    struct slice address = value_str(friend, "address");
    char age[32];
    buf_append_str(out, ", not connected");
    if (heard)
        buf_printf(out, ", last heard %s", age_text(heard, age));
    buf_append_str(out, ": ");
    buf_append_slice(out, value_str(friend, "why"));
    if (address.len)
        buf_printf(out, " (%.*s", (int)address.len, (const char *)address.ptr);
    if (known > 1)
        buf_printf(out, " and %llu more", (unsigned long long)(known - 1));
    buf_append_str(out, address.len ? ")" : "");
    put_next_try(friend, out);
}

static void put_friend(struct cli *cli, const msgpack_object *friend)
{
    struct buf line = BUF_INIT;
    buf_append_slice(&line, peer_name(friend));
    if (value_bool(friend, "connected"))
        put_connected(friend, &line);
    else
        put_away(friend, &line);
    buf_append_str(&cli->out, "           ");
    cli_put(cli, buf_slice(&line));
    buf_append_str(&cli->out, "\n");
    buf_clear(&line);
}

/* What keeps friends from being found or reached, each with what to do. */
static void put_network(struct cli *cli, const msgpack_object *status)
{
    size_t n;
    const msgpack_object *rows = value_list(status, "network", &n);
    for (size_t i = 0; i < n; i++) {
        struct slice todo = value_str(&rows[i], "todo");
        cli_print(cli, i ? STYLE_PLAIN : STYLE_STRONG, "  %-9s", i ? "" : "network");
        cli_put(cli, value_str(&rows[i], "text"));
        if (todo.len)
            buf_append_str(&cli->out, "\n           do: ");
        cli_put(cli, todo);
        buf_append_str(&cli->out, "\n");
    }
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
    size_t n_troubles;
    (void)value_list(status, "network", &n_troubles);
    if (value_str(status, "failure").len)
        return "rapport doctor, to see what to do; nothing more is saved until then";
    if (value_u64(status, "members") < 2)
        return "rapport invite, to let a friend in";
    if (!value_bool(status, "daemon"))
        return "rapport up, to carry notes to friends";
    if (value_u64(peers, "connected") == 0 && n_troubles)
        return "rapport doctor, to see what works and what does not";
    if (value_u64(peers, "connected") == 0)
        return "have a friend type rapport up; rapport doctor says what works here";
    if (value_u64(status, "notes") == 0)
        return "rapport new TITLE, to write a note";
    return NULL;
}

static void show_status(struct cli *cli, const struct reply *status)
{
    size_t n;
    const msgpack_object *friends = value_list(status->map, "friends", &n);
    put_heading(cli, status->map);
    put_saved(cli, status->map);
    put_carried(cli, status->map);
    for (size_t i = 0; i < n && value_bool(status->map, "daemon"); i++)
        put_friend(cli, &friends[i]);
    put_network(cli, status->map);
    put_files(cli, status->map, "waiting", "waits");
    put_files(cli, status->map, "problems", "problem");
    const char *next = next_step(status->map);
    if (next)
        cli_print(cli, STYLE_PLAIN, "next: %s\n", next);
}

int verb_status(struct cli *cli)
{
    struct request about = {.op = "status"};
    struct reply status = {0};
    int code = call_once(cli, &about, &status);
    if (!code && cli->json)
        code = json_reply(cli, &status);
    else if (!code)
        show_status(cli, &status);
    /* A report that can take no more edits needs somebody. */
    if (!code && value_str(status.map, "failure").len)
        code = CLI_ATTENTION;
    reply_close(&status);
    return code;
}

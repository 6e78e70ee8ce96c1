/*
 * verb_post.c - verbs about the conference's schedule and about the post.
 */
#include "cli/call.h"
#include "cli/person.h"
#include "cli/verbs.h"
#include "rapport/error.h"

/* ---- schedule import ---- */

static int import(struct cli *cli, struct slice bytes, const char *zone, struct reply *reply)
{
    struct request r = {.op = "schedule_import"};
    request_bin(&r, "bytes", bytes);
    request_str(&r, "zone", zone);
    return call_once(cli, &r, reply);
}

/* A schedule without a time zone, and a person there: asks, and imports once more with the answer.
   */
static int ask_zone(struct cli *cli, struct slice bytes, struct reply *reply)
{
    struct buf zone = BUF_INIT;
    int code = 0;
    if (!person_ask("the schedule names no time zone; the conference's (Europe/Brussels; empty: "
                    "as written)",
                    "", &zone) &&
        zone.len > 0) {
        reply_close(reply);
        code = import(cli, bytes, (const char *)zone.ptr, reply);
    }
    buf_clear(&zone);
    return code;
}

static int show_import(struct cli *cli, const struct reply *reply)
{
    size_t n;
    const msgpack_object *problems = value_list(reply->map, "problems", &n);
    for (size_t i = 0; i < n; i++)
        if (problems[i].type == MSGPACK_OBJECT_STR)
            cli_say(cli, "%.*s", (int)problems[i].via.str.size, problems[i].via.str.ptr);
    if (value_str(reply->map, "zone").len == 0)
        cli_say(cli, "the schedule names no time zone: times are shown as they are written; --zone "
                     "ZONE says which it is");
    if (cli->json)
        return json_reply(cli, reply);
    struct slice title = value_str(reply->map, "title");
    uint64_t talks = value_u64(reply->map, "talks");
    cli_say(cli, "%llu %s of %.*s; write about one with: rapport new --talk ID",
            (unsigned long long)talks, plural(talks, "talk", "talks"), (int)title.len,
            (const char *)title.ptr);
    return 0;
}

int verb_schedule_import(struct cli *cli)
{
    const char *path = args_operand(&cli->args, 0), *zone = args_value(&cli->args, "zone");
    struct buf bytes = BUF_INIT;
    struct reply reply = {0};
    int code = person_read(cli, path, &bytes);
    if (!code)
        code = import(cli, buf_slice(&bytes), zone, &reply);
    if (!code && !zone && cli->asks && value_str(reply.map, "zone").len == 0)
        code = ask_zone(cli, buf_slice(&bytes), &reply);
    if (!code)
        code = show_import(cli, &reply);
    reply_close(&reply);
    buf_clear(&bytes);
    return code;
}

/* ---- schedule ls ---- */

/* "2023-02-04T10:30+01:00" as "10:30": the day has a column of its own. */
static struct slice clock_of(struct slice start)
{
    enum {
        DAY_BYTES = 11, /* "2023-02-04T" */
        CLOCK_BYTES = 5
    };
    if (start.len < DAY_BYTES + CLOCK_BYTES)
        return start;
    return slice_of(start.ptr + DAY_BYTES, CLOCK_BYTES);
}

static void show_talks(struct cli *cli, const struct reply *reply)
{
    static const char *const keys[] = {"id", "day", "start", "room", "track", "title"};
    static const char *const heads[] = {"ID", "DAY", "START", "ROOM", "TRACK", "TITLE"};
    enum {
        N_KEYS = sizeof keys / sizeof keys[0]
    };
    size_t n;
    const msgpack_object *talks = value_list(reply->map, "talks", &n);
    struct table t = {.n_columns = N_KEYS + 1};
    for (size_t k = 0; k + 1 < N_KEYS; k++)
        table_put(&t, slice_str(heads[k]));
    table_print(&t, "NOTE");
    table_print(&t, "%s", heads[N_KEYS - 1]);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k + 1 < N_KEYS; k++) {
            struct slice value = value_str(&talks[i], keys[k]);
            table_put(&t, strcmp(keys[k], "start") == 0 ? clock_of(value) : value);
        }
        table_print(&t, "%s", value_str(&talks[i], "note").len ? "yes" : "-");
        table_put(&t, value_str(&talks[i], keys[N_KEYS - 1]));
    }
    if (n)
        table_end(&t, cli);
    else
        cli_say(cli, "no talks; read a schedule with: rapport schedule import FILE");
    buf_clear(&t.cells);
}

int verb_schedule_ls(struct cli *cli)
{
    static const char *const filters[] = {"day", "track", "room"};
    struct request r = {.op = "schedule_ls"};
    struct reply reply = {0};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        request_str(&r, filters[i], args_value(&cli->args, filters[i]));
    int code = call_once(cli, &r, &reply);
    if (!code && cli->json)
        code = json_lines(cli, &reply, "talks");
    else if (!code)
        show_talks(cli, &reply);
    reply_close(&reply);
    return code;
}

/* ---- the post ---- */

static void say_list(const struct cli *cli, const struct reply *reply, const char *key,
                     const char *before)
{
    size_t n;
    const msgpack_object *lines = value_list(reply->map, key, &n);
    for (size_t i = 0; i < n; i++)
        if (lines[i].type == MSGPACK_OBJECT_STR)
            cli_say(cli, "%s%.*s", before, (int)lines[i].via.str.size, lines[i].via.str.ptr);
}

int verb_outline(struct cli *cli)
{
    struct request r = {.op = "outline"};
    struct reply reply = {0};
    int code = call_change(cli, &r, &reply);
    if (!code && cli->json) {
        code = json_reply(cli, &reply);
    } else if (!code) {
        say_list(cli, &reply, "lines", "");
        if (!value_bool(reply.map, "changed"))
            cli_say(cli, "report.md has every note already");
        cli_put(cli, value_str(reply.map, "file"));
        buf_append_str(&cli->out, "\n");
    }
    reply_close(&reply);
    return code;
}

static int show_post(struct cli *cli, const struct reply *reply)
{
    size_t n, n_kept;
    const msgpack_object *files = value_list(reply->map, "files", &n);
    struct slice out = value_str(reply->map, "out");
    (void)value_list(reply->map, "kept", &n_kept);
    say_list(cli, reply, "problems", "");
    say_list(cli, reply, "kept", "changed by hand since, so it was kept: ");
    int code = cli->json ? json_reply(cli, reply) : 0;
    for (size_t i = 0; i < n && !cli->json; i++) {
        if (files[i].type != MSGPACK_OBJECT_STR)
            continue;
        cli_put(cli, out);
        buf_append_str(&cli->out, "/");
        cli_put(cli, slice_of(files[i].via.str.ptr, files[i].via.str.size));
        buf_append_str(&cli->out, "\n");
    }
    return code ? code : n_kept ? CLI_ATTENTION : 0;
}

int verb_publish(struct cli *cli)
{
    const char *target = args_value(&cli->args, "to"), *out = args_value(&cli->args, "out");
    if (!target)
        return cli_misused(cli, "--to TARGET says what for: markdown, hugo or html");
    struct buf path = BUF_INIT;
    int error = out ? absolute_path(out, &path) : 0;
    if (error) {
        buf_clear(&path);
        return cli_fail(cli, CLI_FAILED, "cannot write to %s: %s", out,
                        error == RAPPORT_NOTFOUND ? "the folder above it is not there"
                                                  : rapport_strerror(error));
    }
    struct request r = {.op = "publish"};
    struct reply reply = {0};
    request_str(&r, "target", target);
    request_str(&r, "out", out ? (const char *)path.ptr : NULL);
    request_true(&r, "draft", args_has(&cli->args, "draft"));
    int code = call_once(cli, &r, &reply);
    if (!code)
        code = show_post(cli, &reply);
    reply_close(&reply);
    buf_clear(&path);
    return code;
}

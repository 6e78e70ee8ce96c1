/*
 * verb_bundle.c - bundle write, bundle read: sync by file. The report's owner (this process or the
 * daemon) reads and writes the file itself; a pipe goes through a temporary file in .rapport, since
 * a daemon has other pipes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/verbs.h"
#include "rapport/error.h"

enum {
    COPY_BYTES = 64 * 1024
};

/* The file that is worked on: the person's, or a temporary one for a pipe. */
struct spool {
    struct buf path;
    bool temporary;
};

static int spool_failed(const struct cli *cli, const char *what)
{
    return cli_fail(cli, CLI_FAILED, "%s: %s", what, strerror(errno));
}

static int copy(const struct cli *cli, int from, int to)
{
    char block[COPY_BYTES];
    for (;;) {
        ssize_t n = read(from, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? spool_failed(cli, "reading") : 0;
        for (ssize_t at = 0; at < n;) {
            ssize_t put = write(to, block + at, (size_t)(n - at));
            if (put < 0 && errno != EINTR)
                return spool_failed(cli, "writing");
            at += put > 0 ? put : 0;
        }
    }
}

static int spool_make(const struct cli *cli, const char *dir, bool fill, struct spool *s)
{
    buf_printf(&s->path, "%s/.rapport/bundle-XXXXXX", dir);
    if (!buf_cstr(&s->path))
        return call_failed(cli, RAPPORT_NOMEM, NULL);
    int fd = mkostemp((char *)s->path.ptr, O_CLOEXEC);
    if (fd < 0)
        return spool_failed(cli, (char *)s->path.ptr);
    s->temporary = true;
    int code = fill ? copy(cli, STDIN_FILENO, fd) : 0;
    close(fd);
    return code;
}

/* Finds where FILE is; `-` is a pipe, to be read first where `fill`. Returns 0 or the exit code. */
static int spool_open(const struct cli *cli, const char *dir, const char *file, bool fill,
                      struct spool *s)
{
    *s = (struct spool){.path = BUF_INIT};
    if (strcmp(file, "-") == 0)
        return spool_make(cli, dir, fill, s);
    int error = absolute_path(file, &s->path);
    if (error == RAPPORT_NOTFOUND)
        return cli_fail(cli, CLI_NOT_FOUND, "%s: its folder is not there", file);
    return error ? call_failed(cli, error, NULL) : 0;
}

static void spool_close(struct spool *s)
{
    if (s->temporary)
        (void)unlink((char *)s->path.ptr);
    buf_clear(&s->path);
}

/* ---- write ---- */

static int spool_print(const struct cli *cli, const struct spool *s)
{
    int fd = open((char *)s->path.ptr, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return spool_failed(cli, (char *)s->path.ptr);
    int code = copy(cli, fd, STDOUT_FILENO);
    close(fd);
    return code;
}

static void say_written(const struct cli *cli, const msgpack_object *map, const char *file)
{
    uint64_t notes = value_u64(map, "notes"), events = value_u64(map, "events"),
             bytes = value_u64(map, "bytes");
    struct slice whom = value_str(map, "for");
    struct buf name = BUF_INIT;
    if (whom.len)
        buf_append_slice(&name, whom);
    else
        buf_append_str(&name, "everybody in this report");
    cli_say(cli, "%s: %llu %s, %llu %s, %llu %s, for %s", file, (unsigned long long)notes,
            plural(notes, "note", "notes"), (unsigned long long)events,
            plural(events, "event", "events"), (unsigned long long)bytes,
            plural(bytes, "byte", "bytes"), buf_cstr(&name) ? (char *)name.ptr : "");
    if (value_bool(map, "whole"))
        cli_say(cli, "nothing is known of what they have, so everything went in");
    buf_clear(&name);
}

static int show_written(struct cli *cli, const struct reply *reply, const struct spool *s,
                        const char *file)
{
    int code = s->temporary ? spool_print(cli, s) : 0;
    if (code)
        return code;
    if (cli->json && !s->temporary)
        return json_reply(cli, reply);
    say_written(cli, reply->map, s->temporary ? "bundle" : file);
    return 0;
}

/* Appends the absolute path of the bundle to answer. */
static int answered(const struct cli *cli, struct buf *out)
{
    const char *path = args_value(&cli->args, "reply-to");
    int error = path ? absolute_path(path, out) : 0;
    return error ? cli_fail(cli, host_exit_of(error), "%s: %s", path, rapport_strerror(error)) : 0;
}

int verb_bundle_write(struct cli *cli)
{
    const char *file = args_operand(&cli->args, 0);
    struct buf reply_to = BUF_INIT;
    struct spool s = {.path = BUF_INIT};
    struct request r = {.op = "bundle_write"};
    struct reply reply = {0};
    struct caller caller = {0};
    if (strcmp(file, "-") == 0 && cli->out_terminal)
        return cli_misused(cli, "a bundle is no text: give a FILE, or send it into a pipe");
    int code = caller_open(cli, &caller);
    if (!code)
        code = spool_open(cli, (char *)caller.dir.ptr, file, false, &s);
    if (!code)
        code = answered(cli, &reply_to);
    if (!code) {
        request_str(&r, "file", (char *)s.path.ptr);
        request_str(&r, "for", args_value(&cli->args, "for"));
        request_str(&r, "reply_to", (char *)reply_to.ptr);
        request_true(&r, "force", s.temporary || args_has(&cli->args, "force"));
        code = caller_call_for(cli, &caller, &r, UINT64_MAX, &reply);
    }
    if (!code)
        code = show_written(cli, &reply, &s, file);
    spool_close(&s);
    int closed = caller_close(cli, &caller);
    reply_close(&reply);
    buf_clear(&reply_to);
    return code ? code : closed;
}

/* ---- read ---- */

static void say_waiting(const struct cli *cli, const msgpack_object *map)
{
    uint64_t waiting = value_u64(map, "waiting");
    struct buf whose = BUF_INIT;
    buf_append_slice(&whose, value_str(map, "waits_for"));
    if (waiting)
        cli_say(cli,
                "%llu %s for changes%s%s that are not here: read the bundle that has them (an "
                "earlier one, or one of everything), then this one again",
                (unsigned long long)waiting, plural(waiting, "delta waits", "deltas wait"),
                whose.len ? " by " : "", buf_cstr(&whose) ? (char *)whose.ptr : "");
    buf_clear(&whose);
}

static int say_read(const struct cli *cli, const msgpack_object *map, const char *file)
{
    struct slice problem = value_str(map, "problem"), from = value_str(map, "from");
    uint64_t taken = value_u64(map, "taken"), events = value_u64(map, "events"),
             refused = value_u64(map, "refused");
    struct buf whose = BUF_INIT;
    buf_append_slice(&whose, from);
    if (taken)
        cli_say(cli, "%s%s%s: %llu new %s, %llu %s", file, from.len ? " from " : "",
                buf_cstr(&whose) ? (char *)whose.ptr : "", (unsigned long long)taken,
                plural(taken, "delta", "deltas"), (unsigned long long)events,
                plural(events, "event", "events"));
    else
        cli_say(cli, "%s%s%s: nothing new", file, from.len ? " from " : "",
                buf_cstr(&whose) ? (char *)whose.ptr : "");
    buf_clear(&whose);
    if (refused)
        cli_say(cli, "%llu %s not valid and left out", (unsigned long long)refused,
                plural(refused, "delta was", "deltas were"));
    say_waiting(cli, map);
    if (problem.len)
        return cli_fail(cli, CLI_BAD_DATA, "%s: %.*s; what came before is kept", file,
                        (int)problem.len, (const char *)problem.ptr);
    return value_u64(map, "waiting") ? CLI_ATTENTION : 0;
}

static int show_read(struct cli *cli, const struct reply *reply, const char *file)
{
    int code = say_read(cli, reply->map, file);
    int printed = cli->json ? json_reply(cli, reply) : 0;
    return code ? code : printed;
}

int verb_bundle_read(struct cli *cli)
{
    const char *file = args_operand(&cli->args, 0);
    struct spool s = {.path = BUF_INIT};
    struct request r = {.op = "bundle_read"};
    struct reply reply = {0};
    struct caller caller = {0};
    int code = caller_open(cli, &caller);
    bool alone = caller.host != NULL;
    if (!code)
        code = spool_open(cli, (char *)caller.dir.ptr, file, true, &s);
    if (!code) {
        request_str(&r, "file", (char *)s.path.ptr);
        code = caller_call_for(cli, &caller, &r, UINT64_MAX, &reply);
    }
    if (!code)
        code = show_read(cli, &reply, s.temporary ? "stdin" : file);
    if (reply.map && alone && value_u64(reply.map, "taken"))
        cli_say(cli, "nothing is running to carry this to friends; start it with: rapport up");
    spool_close(&s);
    int closed = caller_close(cli, &caller);
    reply_close(&reply);
    return code ? code : closed;
}

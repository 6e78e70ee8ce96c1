/*
 * verb_note.c - verbs about notes: each builds a request, calls, and shows the reply. What a verb
 * means stands in host/ops.h.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/utf8.h"
#include "cli/call.h"
#include "cli/person.h"
#include "cli/verbs.h"
#include "rapport/error.h"

/* ---- parts ---- */

/* Operands from `first` on as one text, so that titles and jots need no quotes. */
static int join_operands(const struct args *a, size_t first, struct buf *out)
{
    for (size_t i = first; i < a->n_operands; i++) {
        buf_append_str(out, i > first ? " " : "");
        buf_append_str(out, a->operands[i]);
    }
    (void)buf_cstr(out);
    return buf_error(out);
}

/* Puts argument "note". A file of the report is named by its path in there, so that shells complete
   names, also in a folder below. */
static void request_note(struct request *r, const char *name)
{
    struct buf dir = BUF_INIT;
    struct stat st;
    char *path = lstat(name, &st) == 0 && S_ISREG(st.st_mode) ? realpath(name, NULL) : NULL;
    if (path && host_find(".", &dir) == 0 && strncmp(path, (char *)dir.ptr, dir.len) == 0 &&
        path[dir.len] == '/')
        request_str(r, "note", path + dir.len + 1);
    else
        request_str(r, "note", name);
    free(path);
    buf_clear(&dir);
}

/* Prints a reply of a change: JSON, or `format` with the note's path on stderr. */
static int show_change(struct cli *cli, const struct reply *reply, const char *what)
{
    if (cli->json)
        return json_reply(cli, reply);
    struct slice path = value_str(value_of(reply->map, "note"), "path");
    cli_say(cli, "%s %.*s", what, (int)path.len, (const char *)path.ptr);
    return 0;
}

/* Lets the person edit the file of a reply, and takes it in. */
static int edit_file(struct cli *cli, const struct reply *reply)
{
    struct buf file = BUF_INIT;
    buf_append_slice(&file, value_str(reply->map, "file"));
    int code = buf_cstr(&file) ? person_edit(cli, (const char *)file.ptr) : CLI_FAILED;
    buf_clear(&file);
    if (code)
        return code;
    struct request r = {.op = "take"};
    struct reply taken = {0};
    code = call_change(cli, &r, &taken);
    reply_close(&taken);
    return code;
}

/* ---- making and changing ---- */

int verb_new(struct cli *cli)
{
    struct buf title = BUF_INIT;
    const char *talk = args_value(&cli->args, "talk");
    if (cli->args.n_operands == 0 && !talk)
        return cli_misused(cli, "a title, or --talk ID");
    if (join_operands(&cli->args, 0, &title))
        return cli_fail(cli, CLI_FAILED, "%s", rapport_strerror(RAPPORT_NOMEM));
    bool edits = cli->asks && cli->out_terminal && !cli->json && !args_has(&cli->args, "no-edit");
    struct request r = {.op = "new"};
    struct reply reply = {0};
    request_str(&r, "title", title.len ? (char *)title.ptr : NULL);
    request_str(&r, "talk", talk);
    int code = edits ? call_once(cli, &r, &reply) : call_change(cli, &r, &reply);
    if (!code && value_bool(reply.map, "existed"))
        cli_say(cli, "this note was there already");
    if (!code && cli->json) {
        code = json_reply(cli, &reply);
    } else if (!code) {
        cli_put(cli, value_str(reply.map, "file"));
        buf_append_str(&cli->out, "\n");
        if (edits)
            code = cli_flush(cli);
        if (edits && !code)
            code = edit_file(cli, &reply);
    }
    reply_close(&reply);
    buf_clear(&title);
    return code;
}

int verb_edit(struct cli *cli)
{
    struct request r = {.op = "edit"};
    struct reply reply = {0};
    request_note(&r, args_operand(&cli->args, 0));
    int code = call_once(cli, &r, &reply);
    if (!code)
        code = edit_file(cli, &reply);
    if (!code)
        code = show_change(cli, &reply, "saved");
    reply_close(&reply);
    return code;
}

/* The text of a jot: the operands, or stdin. */
static int jot_text(struct cli *cli, struct buf *text)
{
    const char *first = args_operand(&cli->args, 0);
    if (first && (strcmp(first, "-") != 0 || cli->args.n_operands > 1))
        return join_operands(&cli->args, 0, text) ? CLI_FAILED : 0;
    if (cli->in_terminal && !first)
        cli_say(cli, "type what to jot down; Ctrl-D ends it");
    return person_read(cli, "-", text);
}

int verb_jot(struct cli *cli)
{
    struct buf text = BUF_INIT;
    int code = jot_text(cli, &text);
    if (!code && text.len == 0)
        code = cli_misused(cli, "nothing to jot down");
    if (!code && !utf8_valid(buf_slice(&text)))
        code = cli_fail(cli, CLI_BAD_DATA, "the text is not UTF-8");
    if (!code) {
        struct request r = {.op = "jot"};
        struct reply reply = {0};
        request_slice(&r, "text", buf_slice(&text));
        if (args_has(&cli->args, "note"))
            request_note(&r, args_value(&cli->args, "note"));
        code = call_change(cli, &r, &reply);
        if (!code)
            code = show_change(cli, &reply, "jotted down in");
        reply_close(&reply);
    }
    buf_clear(&text);
    return code;
}

int verb_rm(struct cli *cli)
{
    struct request r = {.op = "rm"};
    struct reply reply = {0};
    request_note(&r, args_operand(&cli->args, 0));
    int code = call_change(cli, &r, &reply);
    if (!code)
        code = show_change(cli, &reply, "in the trash:");
    reply_close(&reply);
    return code;
}

int verb_mv(struct cli *cli)
{
    struct request r = {.op = "mv"};
    struct reply reply = {0};
    request_note(&r, args_operand(&cli->args, 0));
    request_str(&r, "path", args_operand(&cli->args, 1));
    int code = call_change(cli, &r, &reply);
    if (!code)
        code = show_change(cli, &reply, "renamed to");
    reply_close(&reply);
    return code;
}

/* ---- reading ---- */

static void show_notes(struct cli *cli, const struct reply *reply)
{
    size_t n;
    const msgpack_object *notes = value_list(reply->map, "notes", &n);
    struct table t = {.n_columns = 4};
    const char *heads[] = {"CHANGED", "AUTHORS", "PATH", "TITLE"};
    for (size_t i = 0; i < 4; i++)
        table_put(&t, slice_str(heads[i]));
    for (size_t i = 0; i < n; i++) {
        char when[32];
        struct buf authors = BUF_INIT;
        value_join(&notes[i], "authors", &authors);
        table_put(&t, slice_str(time_text(value_u64(&notes[i], "changed"), when)));
        table_put(&t, authors.len ? buf_slice(&authors) : slice_str("-"));
        table_put(&t, value_str(&notes[i], "path"));
        table_put(&t, value_str(&notes[i], "title"));
        buf_clear(&authors);
    }
    if (n == 0)
        cli_say(cli, "no notes; make one with: rapport new TITLE");
    else
        table_end(&t, cli);
    buf_clear(&t.cells);
}

int verb_ls(struct cli *cli)
{
    struct request r = {.op = "ls"};
    struct reply reply = {0};
    request_true(&r, "trash", args_has(&cli->args, "trash"));
    int code = call_once(cli, &r, &reply);
    if (!code && cli->json)
        code = json_lines(cli, &reply, "notes");
    else if (!code)
        show_notes(cli, &reply);
    reply_close(&reply);
    return code;
}

int verb_show(struct cli *cli)
{
    struct request r = {.op = "show"};
    struct reply reply = {0};
    request_note(&r, args_operand(&cli->args, 0));
    request_str(&r, "at", args_value(&cli->args, "at"));
    int code = call_once(cli, &r, &reply);
    if (!code && cli->json)
        code = json_reply(cli, &reply);
    else if (!code && cli->out_terminal)
        utf8_printable(&cli->out, value_str(reply.map, "text"), false);
    else if (!code)
        buf_append_slice(&cli->out, value_str(reply.map, "text"));
    reply_close(&reply);
    return code;
}

/* "made, +120 -3" */
static void put_what(struct table *t, const msgpack_object *line)
{
    static const char *const words[] = {"created", "renamed", "trashed", "control"};
    struct buf what = BUF_INIT;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (value_bool(line, words[i]))
            buf_printf(&what, "%s%s", what.len ? ", " : "", words[i]);
    uint64_t inserted = value_u64(line, "inserted"), deleted = value_u64(line, "deleted");
    if (inserted || deleted)
        buf_printf(&what, "%s+%llu -%llu", what.len ? ", " : "", (unsigned long long)inserted,
                   (unsigned long long)deleted);
    table_put(t, buf_slice(&what));
    buf_clear(&what);
}

static void show_log(struct cli *cli, const struct reply *reply)
{
    size_t n;
    const msgpack_object *lines = value_list(reply->map, "lines", &n);
    struct table t = {.n_columns = 5};
    const char *heads[] = {"VERSION", "WHEN", "WHO", "WHAT", "NOTE"};
    for (size_t i = 0; i < 5; i++)
        table_put(&t, slice_str(heads[i]));
    for (size_t i = 0; i < n; i++) {
        char when[32];
        table_put(&t, value_str(&lines[i], "version"));
        table_put(&t, slice_str(time_text(value_u64(&lines[i], "time"), when)));
        table_put(&t, value_str(&lines[i], "author"));
        put_what(&t, &lines[i]);
        table_put(&t, value_str(&lines[i], "path"));
    }
    table_end(&t, cli);
}

int verb_log(struct cli *cli)
{
    struct request r = {.op = "log"};
    struct reply reply = {0};
    if (cli->args.n_operands)
        request_note(&r, args_operand(&cli->args, 0));
    if (args_has(&cli->args, "limit"))
        request_u64(&r, "limit", args_number(&cli->args, "limit", 0));
    int code = call_once(cli, &r, &reply);
    if (!code && cli->json)
        code = json_lines(cli, &reply, "lines");
    else if (!code)
        show_log(cli, &reply);
    reply_close(&reply);
    return code;
}

/*
 * out.c - the two ways out: gathered data on stdout, lines for a person on stderr (see cli.h).
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/cli.h"
#include "rapport/error.h"

enum {
    OUT_MOST_LINE = 4096
};

/* ---- start and end ---- */

static bool env_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static bool wants_colour(const struct cli *cli)
{
    const char *term = getenv("TERM");
    if (cli->json || args_has(&cli->args, "no-color") || env_set("NO_COLOR"))
        return false;
    return cli->out_terminal && term && *term && strcmp(term, "dumb") != 0;
}

/* A relative RAPPORT_HOME means the folder that we were started in, also with -C. */
static int pin_home(void)
{
    const char *home = getenv("RAPPORT_HOME");
    if (!home || !*home || *home == '/')
        return 0;
    struct buf path = BUF_INIT;
    char *here = getcwd(NULL, 0);
    buf_printf(&path, "%s/%s", here ? here : "", home);
    bool done = here && buf_cstr(&path) && !setenv("RAPPORT_HOME", (const char *)path.ptr, 1);
    free(here);
    buf_clear(&path);
    return done ? 0 : RAPPORT_IO;
}

int cli_start(struct cli *cli)
{
    cli->json = args_has(&cli->args, "json");
    cli->quiet = args_has(&cli->args, "quiet");
    cli->verbose = args_has(&cli->args, "verbose");
    cli->in_terminal = isatty(STDIN_FILENO);
    cli->out_terminal = isatty(STDOUT_FILENO);
    cli->err_terminal = isatty(STDERR_FILENO);
    cli->asks = cli->in_terminal && cli->err_terminal && !args_has(&cli->args, "no-input");
    cli->colour = wants_colour(cli);
    const char *dir = args_value(&cli->args, "directory");
    if (dir && pin_home())
        return cli_fail(cli, CLI_FAILED, "cannot tell which folder RAPPORT_HOME is");
    if (dir && chdir(dir))
        return cli_fail(cli, CLI_FAILED, "cannot go to the folder %s: %s", dir, strerror(errno));
    return 0;
}

static int write_all(const uint8_t *ptr, size_t len)
{
    while (len) {
        ssize_t n = write(STDOUT_FILENO, ptr, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        ptr += n;
        len -= (size_t)n;
    }
    return 0;
}

int cli_flush(struct cli *cli)
{
    if (buf_error(&cli->out))
        return cli_fail(cli, CLI_FAILED, "%s", rapport_strerror(buf_error(&cli->out)));
    int number = write_all(cli->out.ptr, cli->out.len);
    buf_reset(&cli->out);
    if (number == EPIPE) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
    if (number)
        return cli_fail(cli, CLI_FAILED, "cannot write to stdout: %s", strerror(number));
    return 0;
}

int cli_end(struct cli *cli, int code)
{
    int error = cli_flush(cli);
    args_clear(&cli->args);
    buf_clear(&cli->out);
    return error ? error : code;
}

/* ---- stderr ---- */

static void say(const char *verb, const char *format, va_list args)
{
    char raw[OUT_MOST_LINE];
    int n = vsnprintf(raw, sizeof raw, format, args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
    struct buf line = BUF_INIT;
    if (verb)
        buf_printf(&line, "rapport%s%s: ", *verb ? " " : "", verb);
    utf8_printable(&line, slice_of(raw, len), false);
    buf_append_str(&line, "\n");
    if (!buf_error(&line))
        (void)!write(STDERR_FILENO, line.ptr, line.len);
    buf_clear(&line);
}

static const char *verb_of(const struct cli *cli)
{
    return cli->args.command ? cli->args.command->name : "";
}

void cli_say(const struct cli *cli, const char *format, ...)
{
    if (cli->quiet)
        return;
    va_list args;
    va_start(args, format);
    say(NULL, format, args);
    va_end(args);
}

int cli_fail(const struct cli *cli, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(verb_of(cli), format, args);
    va_end(args);
    return code;
}

int cli_misused(const struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(verb_of(cli), format, args);
    va_end(args);
    if (cli->args.command)
        return cli_fail(cli, CLI_USAGE, "see: rapport help %s", cli->args.command->name);
    return CLI_USAGE;
}

/* ---- stdout ---- */

void cli_put(struct cli *cli, struct slice text)
{
    utf8_printable(&cli->out, text, true);
}

void cli_print(struct cli *cli, enum cli_style style, const char *format, ...)
{
    static const char *const codes[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[31m"};
    char raw[OUT_MOST_LINE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    bool styled = cli->colour && style != STYLE_PLAIN;
    if (styled)
        buf_append_str(&cli->out, codes[style]);
    utf8_printable(&cli->out, slice_of(raw, n < 0 ? 0 : strlen(raw)), false);
    if (styled)
        buf_append_str(&cli->out, "\033[0m");
}

size_t cli_columns(const struct cli *cli)
{
    struct winsize size;
    if (!cli->out_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col == 0)
        return SIZE_MAX;
    return size.ws_col;
}

/* ---- words ---- */

const char *time_text(uint64_t wall_ms, char out[32])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (wall_ms == 0 || !localtime_r(&seconds, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M", &tm))
        memcpy(out, "-", 2);
    return out;
}

uint64_t wall_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

const char *age_text(uint64_t wall_ms, char out[32])
{
    uint64_t now = wall_now();
    char span[SPAN_TEXT];
    if (wall_ms == 0)
        memcpy(out, "-", 2);
    else if (now < wall_ms + 2000)
        memcpy(out, "just now", 9);
    else
        (void)snprintf(out, 32, "%s ago", span_text(now - wall_ms, span));
    return out;
}

const char *plural(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

/* realpath, appended. */
static int append_real(const char *path, struct buf *out)
{
    char *real = realpath(path, NULL);
    if (!real)
        return errno == ENOENT ? RAPPORT_NOTFOUND : RAPPORT_IO;
    buf_append_str(out, real);
    free(real);
    (void)buf_cstr(out);
    return buf_error(out);
}

int absolute_path(const char *path, struct buf *out)
{
    int error = append_real(path, out);
    if (error != RAPPORT_NOTFOUND)
        return error;
    /* It is to be made: its folder, then its name. */
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t name = len;
    while (name > 0 && path[name - 1] != '/')
        name--;
    struct buf folder = BUF_INIT;
    buf_append(&folder, path, name);
    error =
        buf_cstr(&folder) ? append_real(name ? (const char *)folder.ptr : ".", out) : RAPPORT_NOMEM;
    buf_clear(&folder);
    if (error)
        return error;
    buf_append_str(out, out->len && out->ptr[out->len - 1] == '/' ? "" : "/");
    buf_append(out, path + name, len - name);
    (void)buf_cstr(out);
    return buf_error(out);
}

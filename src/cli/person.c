/* person.c - questions, input and the editor (see person.h). */
#include "cli/person.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/host.h"

enum {
    READ_STEP = 65536
};

/* ---- questions ---- */

int person_ask(const char *question, const char *fallback, struct buf *answer)
{
    char line[PERSON_MOST_ANSWER];
    if (fprintf(stderr, "%s%s%s%s: ", question, *fallback ? " [" : "", fallback,
                *fallback ? "]" : "") < 0)
        return RAPPORT_CLOSED;
    if (!fgets(line, sizeof line, stdin))
        return RAPPORT_CLOSED;
    line[strcspn(line, "\r\n")] = '\0';
    buf_append_str(answer, *line ? line : fallback);
    (void)buf_cstr(answer);
    return buf_error(answer);
}

static bool has_name(const struct buf *home)
{
    struct buf path = BUF_INIT;
    buf_printf(&path, "%.*s/name", (int)home->len, (const char *)home->ptr);
    bool found = buf_cstr(&path) && access((const char *)path.ptr, F_OK) == 0;
    buf_clear(&path);
    return found;
}

int person_name(const struct cli *cli, struct buf *out, const char **name)
{
    struct buf home = BUF_INIT;
    *name = args_value(&cli->args, "name");
    if (*name || !cli->asks)
        return 0;
    bool known = host_home(NULL, &home, NULL) == 0 && has_name(&home);
    buf_clear(&home);
    if (known)
        return 0;
    const struct passwd *user = getpwuid(getuid());
    int error = person_ask("your name as friends see it", user ? user->pw_name : "", out);
    if (error)
        return cli_fail(cli, CLI_FAILED, "no name; give one with --name");
    *name = (const char *)out->ptr;
    return 0;
}

/* ---- input ---- */

static int read_all(int fd, struct buf *out)
{
    for (;;) {
        uint8_t *room = buf_reserve(out, READ_STEP);
        ssize_t n = room ? read(fd, room, READ_STEP) : -1;
        if (!room)
            return ENOMEM;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return 0;
        out->len += (size_t)n;
        if (out->len > PERSON_MOST_INPUT)
            return EFBIG;
    }
}

int person_read(const struct cli *cli, const char *path, struct buf *out)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    int number = fd < 0 ? errno : read_all(fd, out);
    if (fd >= 0 && !is_stdin)
        (void)close(fd);
    if (number == ENOENT)
        return cli_fail(cli, CLI_NOT_FOUND, "there is no file %s", path);
    if (number)
        return cli_fail(cli, CLI_FAILED, "cannot read %s: %s", is_stdin ? "stdin" : path,
                        strerror(number));
    return 0;
}

/* ---- the editor ---- */

static const char *editor(void)
{
    const char *names[] = {getenv("VISUAL"), getenv("EDITOR")};
    for (size_t i = 0; i < 2; i++)
        if (names[i] && *names[i])
            return names[i];
    return "vi";
}

/* The child: through the shell, because $EDITOR may hold arguments ("code --wait"). */
static _Noreturn void become_editor(const char *command, const char *file)
{
    struct buf line = BUF_INIT;
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    buf_printf(&line, "%s \"$1\"", command);
    if (buf_cstr(&line))
        (void)execl("/bin/sh", "sh", "-c", (const char *)line.ptr, "rapport", file, (char *)NULL);
    _exit(127);
}

int person_edit(const struct cli *cli, const char *file)
{
    const char *command = editor();
    /* Ctrl-C in the editor is the editor's. */
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    (void)sigaction(SIGINT, &ignore, &before);
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        become_editor(command, file);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    (void)sigaction(SIGINT, &before, NULL);
    if (child < 0)
        return cli_fail(cli, CLI_FAILED, "cannot start the editor: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return cli_fail(cli, CLI_FAILED,
                        "cannot run the editor \"%s\"; set $EDITOR; the note is %s", command, file);
    if (status)
        return cli_fail(cli, CLI_FAILED, "the editor \"%s\" failed; what it saved is in %s",
                        command, file);
    return 0;
}

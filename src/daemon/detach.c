/*
 * detach.c - going to the background. The parent waits until the child has said how its start went:
 * one byte, the exit code, then a line. A child that dies before has failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon.h"

enum {
    LOG_MOST_BYTES = 1 << 20 /* a log larger than this is begun anew */
};

static int open_log(const char *home)
{
    struct buf path = BUF_INIT;
    struct stat st;
    buf_printf(&path, "%s/log", home);
    int fd = buf_cstr(&path) ? open((const char *)path.ptr,
                                    O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600)
                             : -1;
    buf_clear(&path);
    if (fd >= 0 && !fstat(fd, &st) && st.st_size > LOG_MOST_BYTES && ftruncate(fd, 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Reads what the child says; returns the exit code. */
static int hear(int fd, pid_t child, const char *home)
{
    struct buf said = BUF_INIT;
    uint8_t *room;
    ssize_t n = 1;
    while (n && (room = buf_reserve(&said, 1024)) != NULL) {
        n = read(fd, room, 1024);
        if (n < 0 && errno != EINTR)
            break;
        said.len += n > 0 ? (size_t)n : 0;
        n = n < 0 ? 1 : n;
    }
    int code = said.len ? said.ptr[0] : 1;
    if (!said.len)
        (void)fprintf(stderr, "rapport: the daemon ended while it started; see %s/log\n", home);
    else if (code)
        (void)fprintf(stderr, "rapport: %.*s\n", (int)said.len - 1, (const char *)said.ptr + 1);
    else
        (void)printf("pid %ld, log %s/log\n", (long)child, home);
    (void)fflush(stdout);
    buf_clear(&said);
    return code;
}

static bool become_daemon(struct detached *d, int fd, int log)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    d->fd = fd;
    (void)setsid();
    bool done = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
                dup2(log, STDERR_FILENO) >= 0 && chdir("/") == 0;
    if (null > STDERR_FILENO)
        close(null);
    close(log);
    return done;
}

bool detach(struct detached *d, const char *home, int *code)
{
    int ends[2], log = open_log(home);
    *code = 1;
    if (log < 0 || pipe2(ends, O_CLOEXEC)) {
        (void)fprintf(stderr, "rapport: %s/log: %s\n", home, strerror(errno));
        return false;
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        if (become_daemon(d, ends[1], log))
            return true;
        _exit(1);
    }
    close(ends[1]);
    close(log);
    if (child > 0)
        *code = hear(ends[0], child, home);
    else
        (void)fprintf(stderr, "rapport: no further process: %s\n", strerror(errno));
    close(ends[0]);
    return false;
}

void detach_say(struct detached *d, int code, const char *line)
{
    if (d->fd < 0) {
        if (code)
            (void)fprintf(stderr, "rapport: %s\n", line);
        return;
    }
    uint8_t byte = (uint8_t)code;
    if (write(d->fd, &byte, 1) == 1 && *line)
        (void)!write(d->fd, line, strlen(line));
    close(d->fd);
    d->fd = -1;
}

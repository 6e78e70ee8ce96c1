/*
 * lock.c - one process has a report open: flock on .rapport/lock, which holds its pid and the
 * path of its control socket.
 *
 * The kernel drops the lock with the process, so a crash leaves none behind; what stands in the
 * file counts only while somebody holds the lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "host/state.h"

enum {
    LOCK_MOST_BYTES = 4096 + 32
};

/* "PID\nSOCKET\n" of an open lock file; a pid of 0 while its holder has not written yet. */
static int read_holder(int fd, int64_t *pid, struct buf *socket)
{
    char text[LOCK_MOST_BYTES + 1];
    ssize_t n = pread(fd, text, LOCK_MOST_BYTES, 0);
    if (n < 0)
        return host_errno(errno);
    text[n] = '\0';
    char *line = strchr(text, '\n');
    char *end = line ? strchr(line + 1, '\n') : NULL;
    *pid = line ? strtoll(text, NULL, 10) : 0;
    if (socket && end)
        buf_append(socket, line + 1, (size_t)(end - line - 1));
    return socket ? buf_error(socket) : 0;
}

int lock_take(int rapport_fd, int *fd, int64_t *holder)
{
    int lock = openat(rapport_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0)
        return host_errno(errno);
    /* Who asks for the holder has the lock shared for a moment. */
    struct timespec moment = {0, 2000000};
    bool taken = !flock(lock, LOCK_EX | LOCK_NB);
    for (int i = 0; !taken && i < 3 && errno == EWOULDBLOCK; i++) {
        (void)nanosleep(&moment, NULL);
        taken = !flock(lock, LOCK_EX | LOCK_NB);
    }
    if (!taken) {
        int error = errno == EWOULDBLOCK ? RAPPORT_LOCKED : host_errno(errno);
        if (error == RAPPORT_LOCKED)
            (void)read_holder(lock, holder, NULL);
        close(lock);
        return error;
    }
    int error = lock_write(lock, "");
    if (error) {
        close(lock);
        return error;
    }
    *fd = lock;
    return 0;
}

int lock_write(int fd, const char *socket)
{
    char text[LOCK_MOST_BYTES];
    int n = snprintf(text, sizeof text, "%ld\n%s\n", (long)getpid(), socket);
    if (n < 0 || (size_t)n >= sizeof text)
        return RAPPORT_LIMIT;
    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n)
        return host_errno(errno);
    return 0;
}

int host_lock_holder(const char *dir, int64_t *pid, struct buf *socket)
{
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/.rapport/lock", dir);
    int fd = buf_cstr(&path) ? open((char *)path.ptr, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    int number = errno, error = buf_error(&path);
    buf_clear(&path);
    if (fd < 0)
        return error ? error : host_errno(number);
    /* A shared lock is refused while the holder has its own, and does not disturb other askers. */
    if (!flock(fd, LOCK_SH | LOCK_NB))
        error = RAPPORT_NOTFOUND;
    else if (errno != EWOULDBLOCK)
        error = host_errno(errno);
    else
        error = read_holder(fd, pid, socket);
    close(fd);
    return error;
}

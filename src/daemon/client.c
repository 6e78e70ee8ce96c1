/*
 * client.c - see client.h. Non-blocking underneath, with poll, so that every wait has its limit.
 */
#include "daemon/client.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/mp.h"
#include "host/host.h"

enum {
    RETRY_MS = 20, /* between tries while a daemon starts or another verb is about to end */
    READ_BYTES = 64 * 1024
};

struct client {
    int fd;
    int64_t pid;
};

/* ---- the path ---- */

static void hashed_path(struct slice path, struct buf *out)
{
    uint8_t hash[16];
    char hex[2 * sizeof hash + 1];
    (void)crypto_generichash(hash, sizeof hash, path.ptr, path.len, NULL, 0);
    hex_encode(hex, hash, sizeof hash);
    buf_printf(out, "/tmp/rapport-%lu/%s.sock", (unsigned long)geteuid(), hex);
}

static bool is_our_folder(const char *path)
{
    struct stat st;
    return path && path[0] == '/' && !stat(path, &st) && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid();
}

int client_socket_path(const char *home, struct buf *out)
{
    const char *own = getenv("RAPPORT_HOME"), *runtime = getenv("XDG_RUNTIME_DIR");
    struct buf path = BUF_INIT;
    int error = 0;
    if (!home && !(own && *own) && is_our_folder(runtime)) {
        buf_printf(&path, "%s/rapport/control.sock", runtime);
    } else {
        error = host_home(home, &path, NULL);
        buf_append_str(&path, "/run/control.sock");
    }
    error = error ? error : buf_error(&path);
    if (!error && path.len < sizeof(((struct sockaddr_un *)NULL)->sun_path))
        buf_append_slice(out, buf_slice(&path));
    else if (!error)
        hashed_path(buf_slice(&path), out);
    buf_clear(&path);
    return error ? error : buf_error(out);
}

/* ---- connecting ---- */

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void rest_a_little(void)
{
    (void)poll(NULL, 0, RETRY_MS);
}

/* Returns 0; RAPPORT_NOTFOUND (nobody listens there), RAPPORT_PERMISSION, RAPPORT_IO. */
static int connect_to(const char *path, struct client **out)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path)
        return RAPPORT_IO;
    memcpy(name.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return RAPPORT_IO;
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof peer;
    int error = 0;
    if (connect(fd, (struct sockaddr *)&name, sizeof name))
        error = errno == ENOENT || errno == ECONNREFUSED ? RAPPORT_NOTFOUND
                : errno == EACCES || errno == EPERM      ? RAPPORT_PERMISSION
                                                         : RAPPORT_IO;
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || peer.uid != geteuid())
        error = RAPPORT_PERMISSION;
    struct client *c = error ? NULL : malloc(sizeof *c);
    if (!error && !c)
        error = RAPPORT_NOMEM;
    if (error) {
        close(fd);
        return error;
    }
    *c = (struct client){fd, peer.pid};
    *out = c;
    return 0;
}

static int say_why(struct buf *why, int error, const char *what)
{
    if (why && error == RAPPORT_PERMISSION)
        buf_printf(why, "%s: the daemon's socket there belongs to another user", what);
    else if (why && error == RAPPORT_NOTFOUND)
        buf_printf(why, "%s: no daemon runs", what);
    else if (why)
        buf_printf(why, "%s: %s", what, rapport_strerror(error));
    return error;
}

int client_connect_home(const char *home, struct client **out, struct buf *why)
{
    struct buf path = BUF_INIT;
    int error = client_socket_path(home, &path);
    const char *text = buf_cstr(&path);
    error = error ? error : !text ? RAPPORT_NOMEM : connect_to(text, out);
    if (error)
        say_why(why, error, text ? text : "control socket");
    buf_clear(&path);
    return error;
}

/* One try. RAPPORT_LOCKED: somebody has it and does not answer (yet). */
static int try_holder(const char *dir, struct client **out, int64_t *pid)
{
    struct buf path = BUF_INIT;
    int error = host_lock_holder(dir, pid, &path);
    const char *text = buf_cstr(&path);
    if (!error && !text)
        error = RAPPORT_NOMEM;
    if (!error && !*text)
        error = RAPPORT_LOCKED;
    if (!error) {
        error = connect_to(text, out);
        if (error == RAPPORT_NOTFOUND)
            error = RAPPORT_LOCKED;
    }
    buf_clear(&path);
    return error;
}

int client_connect(const char *dir, struct client **out, struct buf *why)
{
    uint64_t until = now_ms() + CLIENT_CONNECT_MS;
    int64_t pid = 0;
    int error;
    while ((error = try_holder(dir, out, &pid)) == RAPPORT_LOCKED && now_ms() < until)
        rest_a_little();
    if (error == RAPPORT_LOCKED && why)
        buf_printf(why, "%s: process %lld has this report open and does not answer", dir,
                   (long long)pid);
    else if (error == RAPPORT_NOTFOUND && why)
        buf_printf(why, "%s: nobody has this report open", dir);
    else if (error)
        say_why(why, error, dir);
    return error;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    close(c->fd);
    free(c);
}

int64_t client_daemon_pid(const struct client *c)
{
    return c->pid;
}

/* ---- calling ---- */

/* Waits for `events`. */
static int wait_for(const struct client *c, short events, uint64_t until)
{
    struct pollfd p = {c->fd, events, 0};
    uint64_t now = now_ms();
    if (now >= until)
        return RAPPORT_TIMEOUT;
    int ms = until - now < 60000 ? (int)(until - now) : 60000;
    if (poll(&p, 1, ms) < 0)
        return errno == EINTR ? RAPPORT_AGAIN : RAPPORT_IO;
    return 0;
}

static int socket_error(void)
{
    return errno == EPIPE || errno == ECONNRESET ? RAPPORT_CLOSED : RAPPORT_IO;
}

static int send_all(const struct client *c, struct slice bytes, uint64_t until)
{
    while (bytes.len) {
        int error = wait_for(c, POLLOUT, until);
        if (error)
            return error;
        ssize_t n = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return socket_error();
        bytes = slice_skip(bytes, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

static int receive(const struct client *c, struct buf *b, size_t n, uint64_t until)
{
    while (n) {
        int error = wait_for(c, POLLIN, until);
        uint8_t *room = buf_reserve(b, n < READ_BYTES ? n : READ_BYTES);
        if (error || !room)
            return error ? error : RAPPORT_NOMEM;
        ssize_t got = recv(c->fd, room, n < READ_BYTES ? n : READ_BYTES, MSG_DONTWAIT);
        if (got == 0)
            return RAPPORT_CLOSED;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return socket_error();
        b->len += got > 0 ? (size_t)got : 0;
        n -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int put_request(struct buf *out, const char *dir, struct slice request)
{
    struct buf body = BUF_INIT;
    char *absolute = dir && *dir ? realpath(dir, NULL) : NULL;
    const char *folder = absolute ? absolute : dir ? dir : "";
    mp_put_array(&body, 2);
    mp_put_bin(&body, folder, strlen(folder));
    mp_put_bin(&body, request.ptr, request.len);
    free(absolute);
    buf_u32be(out, (uint32_t)body.len);
    buf_append_slice(out, buf_slice(&body));
    int error = buf_error(&body) ? buf_error(&body) : buf_error(out);
    buf_clear(&body);
    return error;
}

static int get_reply(struct client *c, uint64_t until, struct buf *reply)
{
    struct buf in = BUF_INIT;
    int error = receive(c, &in, 4, until);
    uint32_t len = error ? 0
                         : (uint32_t)in.ptr[0] << 24 | (uint32_t)in.ptr[1] << 16 |
                               (uint32_t)in.ptr[2] << 8 | in.ptr[3];
    if (!error && len > CLIENT_MOST_REPLY_BYTES)
        error = RAPPORT_LIMIT;
    buf_reset(&in);
    error = error ? error : receive(c, &in, len, until);
    error = error ? error : mp_check(buf_slice(&in), MP_MOST_ITEMS);
    if (!error) {
        buf_append_slice(reply, buf_slice(&in));
        error = buf_error(reply);
    }
    buf_clear(&in);
    return error;
}

int client_call(struct client *c, const char *dir, struct slice request, uint64_t wait_ms,
                struct buf *reply)
{
    uint64_t now = now_ms(), limit = wait_ms ? wait_ms : CLIENT_CALL_MS;
    uint64_t until = limit > UINT64_MAX - now ? UINT64_MAX : now + limit;
    struct buf out = BUF_INIT;
    int error = request.len > UINT32_MAX / 2 ? RAPPORT_LIMIT : put_request(&out, dir, request);
    error = error ? error : send_all(c, buf_slice(&out), until);
    /* A daemon that refused and closed may have said why before. */
    if (!error || error == RAPPORT_CLOSED)
        error = get_reply(c, until, reply);
    buf_clear(&out);
    return error;
}

int client_wait_end(struct client *c, uint64_t wait_ms)
{
    uint64_t until = now_ms() + wait_ms;
    char byte;
    for (;;) {
        int error = wait_for(c, POLLIN, until);
        if (error && error != RAPPORT_AGAIN)
            return error;
        ssize_t n = recv(c->fd, &byte, 1, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return 0;
    }
}

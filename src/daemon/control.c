/* control.c - see control.h. */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mp.h"
#include "daemon/pack.h"

enum {
    READ_BYTES = 64 * 1024,
    BACKLOG = 256,
    CONTROL_END_MS = 1000 /* for replies under way when the daemon ends */
};

struct control_client {
    struct control *control;
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    unsigned n_handles;
    struct buf in, out;
    bool waiting; /* for an answer */
    bool writing; /* the answer */
    bool last;    /* close when it is written */
    bool closed;
};

struct control {
    struct control_config config;
    char *path;
    int lock_fd;
    uv_pipe_t server;
    unsigned n_handles; /* the server's */
    bool closing, more; /* a connection waits to be accepted */
    struct control_client *clients[CONTROL_MOST_CLIENTS];
    size_t n_clients, n_buffered;
    char read_buffer[READ_BYTES];
};

static void accept_one(struct control *c);

static void release(struct control *c)
{
    if (!c->closing || c->n_handles || c->n_clients)
        return;
    close(c->lock_fd);
    free(c->path);
    free(c);
}

/* ---- a client ---- */

static void on_client_closed(uv_handle_t *handle)
{
    struct control_client *k = handle->data;
    struct control *c = k->control;
    if (--k->n_handles)
        return;
    for (size_t i = 0; i < c->n_clients; i++)
        if (c->clients[i] == k) {
            c->clients[i] = c->clients[--c->n_clients];
            break;
        }
    c->n_buffered -= k->in.len;
    buf_clear(&k->in);
    buf_clear(&k->out);
    free(k);
    if (c->more && !c->closing)
        accept_one(c);
    release(c);
}

static void close_client(struct control_client *k)
{
    if (k->closed)
        return;
    k->closed = true;
    if (k->waiting)
        k->control->config.gone(k->control->config.user, k);
    uv_close((uv_handle_t *)&k->pipe, on_client_closed);
    uv_close((uv_handle_t *)&k->timer, on_client_closed);
}

static void on_late(uv_timer_t *timer)
{
    close_client(timer->data);
}

static void limit(struct control_client *k, uint64_t ms)
{
    (void)uv_timer_start(&k->timer, on_late, ms, 0);
}

static void on_written(uv_write_t *req, int status)
{
    struct control_client *k = req->data;
    k->writing = false;
    buf_clear(&k->out);
    if (status || k->last || k->control->closing)
        close_client(k);
    else
        limit(k, CONTROL_IDLE_MS);
}

void control_reply(struct control_client *k, struct slice reply)
{
    k->waiting = false;
    if (k->closed)
        return;
    buf_u32be(&k->out, (uint32_t)reply.len);
    buf_append_slice(&k->out, reply);
    uv_buf_t bytes = uv_buf_init((char *)k->out.ptr, (unsigned)k->out.len);
    k->writing =
        !buf_error(&k->out) && !uv_write(&k->write, (uv_stream_t *)&k->pipe, &bytes, 1, on_written);
    if (k->writing)
        limit(k, CONTROL_WRITE_MS);
    else
        close_client(k);
}

static void refuse(struct control_client *k, int error, const char *message)
{
    struct buf reply = BUF_INIT;
    pack_failure(&reply, error, 1, message);
    k->last = true;
    control_reply(k, buf_slice(&reply));
    buf_clear(&reply);
}

/* ---- frames ---- */

/* A whole frame: [dir, request]. */
static void take_frame(struct control_client *k, struct slice payload)
{
    struct mp_doc doc;
    char folder[4096];
    int error = mp_open(&doc, payload, 3);
    if (!error) {
        struct mp_array fields = mp_root(&doc, &error);
        struct slice dir = mp_bin(&fields, 0, sizeof folder - 1);
        struct slice request = mp_bin(&fields, 1, OPS_MOST_REQUEST_BYTES);
        error = mp_end(&fields);
        if (!error && memchr(dir.ptr ? (const void *)dir.ptr : "", 0, dir.len))
            error = RAPPORT_MALFORMED;
        if (!error) {
            memcpy(folder, dir.ptr ? (const void *)dir.ptr : "", dir.len);
            folder[dir.len] = '\0';
            k->waiting = true;
            (void)uv_timer_stop(&k->timer);
            k->control->config.request(k->control->config.user, k, folder, request);
        }
        mp_close(&doc);
    }
    if (error)
        refuse(k, error, "this is no request");
}

static void drop_input(struct control_client *k)
{
    k->control->n_buffered -= k->in.len;
    buf_clear(&k->in);
}

static void look_for_frame(struct control_client *k)
{
    if (k->in.len < 4)
        return;
    const uint8_t *p = k->in.ptr;
    size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (len > CONTROL_MOST_FRAME) {
        refuse(k, RAPPORT_LIMIT, "this request is too large");
        return;
    }
    if (k->in.len > 4 + len) {
        refuse(k, RAPPORT_STATE, "a request came before the answer to the one before it");
        return;
    }
    if (k->in.len < 4 + len)
        return;
    take_frame(k, slice_of(k->in.ptr + 4, len));
    drop_input(k);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct control_client *k = handle->data;
    (void)suggested;
    *buf = uv_buf_init(k->control->read_buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct control_client *k = stream->data;
    if (n == 0 || k->closed || (n > 0 && k->last))
        return;
    if (n < 0 || k->waiting || k->writing) {
        close_client(k); /* gone, or did not wait for its answer */
        return;
    }
    if (k->in.len == 0)
        limit(k, CONTROL_FRAME_MS);
    buf_append(&k->in, buf->base, (size_t)n);
    k->control->n_buffered += (size_t)n;
    if (buf_error(&k->in) || k->control->n_buffered > CONTROL_MOST_BUFFERED) {
        k->control->n_buffered -= buf_error(&k->in) ? (size_t)n : 0;
        refuse(k, RAPPORT_LIMIT, "too much is asked at once; try again");
        return;
    }
    look_for_frame(k);
}

/* ---- accepting ---- */

static bool is_our_user(const uv_pipe_t *pipe)
{
    uv_os_fd_t fd;
    struct ucred peer;
    socklen_t len = sizeof peer;
    return !uv_fileno((const uv_handle_t *)pipe, &fd) &&
           !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.uid == geteuid();
}

static void accept_one(struct control *c)
{
    struct control_client *k = calloc(1, sizeof *k);
    c->more = !k;
    if (!k)
        return;
    k->control = c;
    (void)uv_pipe_init(c->config.loop, &k->pipe, 0);
    (void)uv_timer_init(c->config.loop, &k->timer);
    k->pipe.data = k->timer.data = k->write.data = k;
    k->n_handles = 2;
    c->clients[c->n_clients++] = k;
    if (uv_accept((uv_stream_t *)&c->server, (uv_stream_t *)&k->pipe) || !is_our_user(&k->pipe) ||
        uv_read_start((uv_stream_t *)&k->pipe, on_alloc, on_read))
        close_client(k);
    else
        limit(k, CONTROL_FRAME_MS);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct control *c = server->data;
    if (status || c->closing)
        return;
    c->more = c->n_clients == CONTROL_MOST_CLIENTS;
    if (!c->more)
        accept_one(c);
}

/* ---- the place ---- */

static int fail(struct buf *why, int error, const char *path, const char *what)
{
    if (why)
        buf_printf(why, "%s: %s", path, what);
    return error;
}

static int errno_error(int number)
{
    return number == EACCES || number == EPERM || number == ELOOP ? RAPPORT_PERMISSION
           : number == ENOMEM                                     ? RAPPORT_NOMEM
                                                                  : RAPPORT_IO;
}

/* Makes the folder of `path`, which nobody but us may write to or look into. */
static int make_folder(const char *path, struct buf *why)
{
    char *folder = strdup(path);
    if (!folder)
        return RAPPORT_NOMEM;
    *strrchr(folder, '/') = '\0';
    struct stat st;
    int error = 0;
    if (mkdir(folder, 0700) && errno != EEXIST)
        error = fail(why, errno_error(errno), folder, strerror(errno));
    else if (lstat(folder, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        error = fail(why, RAPPORT_PERMISSION, folder, "this folder is not ours");
    else if ((st.st_mode & 077) && chmod(folder, 0700))
        error = fail(why, errno_error(errno), folder, strerror(errno));
    free(folder);
    return error;
}

static int take_lock(struct control *c, struct buf *why)
{
    struct buf name = BUF_INIT;
    buf_printf(&name, "%s.lock", c->path);
    if (!buf_cstr(&name))
        return RAPPORT_NOMEM;
    c->lock_fd = open((char *)name.ptr, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int error = 0;
    if (c->lock_fd < 0)
        error = fail(why, errno_error(errno), (char *)name.ptr, strerror(errno));
    else if (flock(c->lock_fd, LOCK_EX | LOCK_NB))
        error = fail(why, RAPPORT_LOCKED, c->path, "another daemon is there");
    buf_clear(&name);
    return error;
}

/* With the lock held a socket that is there is a dead daemon's. */
static int bind_socket(struct control *c, struct buf *why)
{
    if (strlen(c->path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return fail(why, RAPPORT_IO, c->path, "this path is too long for a socket");
    if (unlink(c->path) && errno != ENOENT)
        return fail(why, errno_error(errno), c->path, strerror(errno));
    mode_t before = umask(0177);
    int error = uv_pipe_bind(&c->server, c->path);
    (void)umask(before);
    if (!error)
        error = uv_listen((uv_stream_t *)&c->server, BACKLOG, on_connection);
    return error ? fail(why, RAPPORT_IO, c->path, uv_strerror(error)) : 0;
}

int control_open(const struct control_config *config, struct control **out, struct buf *why)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c)
        return RAPPORT_NOMEM;
    c->config = *config;
    c->lock_fd = -1;
    c->path = strdup(config->path);
    int error = c->path ? make_folder(c->path, why) : RAPPORT_NOMEM;
    error = error ? error : take_lock(c, why);
    if (error) {
        if (c->lock_fd >= 0)
            close(c->lock_fd);
        free(c->path);
        free(c);
        return error;
    }
    (void)uv_pipe_init(config->loop, &c->server, 0);
    c->server.data = c;
    c->n_handles = 1;
    error = bind_socket(c, why);
    if (error) {
        control_close(c);
        return error;
    }
    *out = c;
    return 0;
}

static void on_server_closed(uv_handle_t *handle)
{
    struct control *c = handle->data;
    c->n_handles--;
    release(c);
}

void control_close(struct control *c)
{
    c->closing = true;
    (void)unlink(c->path);
    uv_close((uv_handle_t *)&c->server, on_server_closed);
    for (size_t i = c->n_clients; i-- > 0;)
        if (c->clients[i]->writing)
            limit(c->clients[i], CONTROL_END_MS);
        else
            close_client(c->clients[i]);
}

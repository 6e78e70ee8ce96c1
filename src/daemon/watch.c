/* watch.c - see watch.h. inotify(7). */
#include "daemon/watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "rapport/error.h"

enum {
    READ_BYTES = 16 * 1024
};

/* ---- looking ---- */

static void look(struct watch *w)
{
    uint64_t begun = uv_hrtime();
    w->settling = false;
    (void)uv_timer_stop(&w->settle);
    w->look(w->user);
    w->last_look_ms = (uv_hrtime() - begun) / 1000000;
    if (!w->closing)
        (void)uv_timer_again(&w->rescan);
}

static void on_settled(uv_timer_t *timer)
{
    look(timer->data);
}

/* Not put off by further changes: somebody who saves all the time must be seen too. */
static void settle(struct watch *w)
{
    if (w->settling)
        return;
    uint64_t ms = WATCH_SETTLE_MS + 4 * w->last_look_ms;
    w->settling = true;
    (void)uv_timer_start(&w->settle, on_settled,
                         ms < WATCH_SETTLE_MOST_MS ? ms : WATCH_SETTLE_MOST_MS, 0);
}

/* ---- events ---- */

/* A file that goes may be an editor's swap or lock file, for which text of peers waits; one that
   comes matters only when it may be a note. */
static bool matters(const struct inotify_event *e)
{
    if (e->mask &
        (IN_Q_OVERFLOW | IN_ISDIR | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF))
        return true;
    size_t len = e->len ? strnlen(e->name, e->len) : 0;
    return len > 3 && e->name[0] != '.' && memcmp(e->name + len - 3, ".md", 3) == 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    union {
        struct inotify_event first;
        char bytes[READ_BYTES];
    } in;
    (void)events;
    if (status)
        return;
    for (;;) {
        ssize_t n = read(w->fd, in.bytes, sizeof in.bytes);
        if (n <= 0)
            return;
        for (size_t at = 0; at + sizeof in.first <= (size_t)n;) {
            const struct inotify_event *e = (const void *)(in.bytes + at);
            if (matters(e))
                settle(w);
            at += sizeof *e + e->len;
        }
    }
}

/* ---- life ---- */

static void set_rescan(struct watch *w)
{
    uint64_t ms = w->blind ? WATCH_RESCAN_BLIND_MS : WATCH_RESCAN_MS;
    (void)uv_timer_start(&w->rescan, on_settled, ms, ms);
}

int watch_open(struct watch *w, uv_loop_t *loop, void (*look_now)(void *user), void *user)
{
    *w = (struct watch){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .look = look_now};
    w->user = user;
    w->blind = w->fd < 0;
    (void)uv_timer_init(loop, &w->settle);
    (void)uv_timer_init(loop, &w->rescan);
    w->settle.data = w->rescan.data = w->poll.data = w;
    w->n_handles = 2;
    set_rescan(w);
    if (w->blind)
        return 0;
    w->has_poll = !uv_poll_init(loop, &w->poll, w->fd);
    w->n_handles += w->has_poll;
    if (w->has_poll && !uv_poll_start(&w->poll, UV_READABLE, on_readable))
        return 0;
    return RAPPORT_IO;
}

bool watch_folder(struct watch *w, const char *path)
{
    const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
                          IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK;
    if (w->fd >= 0 && inotify_add_watch(w->fd, path, mask) >= 0)
        return true;
    if (w->fd >= 0 && errno != ENOSPC && errno != ENOMEM)
        return true; /* the folder went meanwhile */
    if (!w->blind) {
        w->blind = true;
        set_rescan(w);
    }
    return false;
}

static void on_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    if (--w->n_handles)
        return;
    if (w->fd >= 0)
        close(w->fd);
    w->closed(w->user);
}

void watch_close(struct watch *w, void (*closed)(void *user))
{
    w->closing = true;
    w->closed = closed;
    if (w->has_poll)
        uv_close((uv_handle_t *)&w->poll, on_closed);
    uv_close((uv_handle_t *)&w->settle, on_closed);
    uv_close((uv_handle_t *)&w->rescan, on_closed);
}

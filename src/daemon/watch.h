/*
 * watch.h - tells when something in a report's folders changed. Folders are watched, not files: a
 * watch on a file is lost with the first editor that renames a new one over it.
 *
 * inotify directly, since libuv's fs_event knows no close-write: a file that is still being written
 * must not be read. What is told is only that it is time to look; the mirror finds out what
 * changed. Changes are gathered for WATCH_SETTLE_MS from the first one on, longer where a look
 * takes long. All is looked at every WATCH_RESCAN_MS anyway: a queue can overflow, and a network
 * file system tells nothing.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include <uv.h>

#include "base/slice.h"

enum {
    WATCH_SETTLE_MS = 60,
    WATCH_SETTLE_MOST_MS = 2000,
    WATCH_RESCAN_MS = 60000,
    WATCH_RESCAN_BLIND_MS = 3000 /* where the system gives no watches */
};

struct watch {
    int fd; /* inotify; -1: none to be had */
    uv_poll_t poll;
    uv_timer_t settle, rescan;
    bool has_poll, settling, blind, closing;
    unsigned n_handles;
    uint64_t last_look_ms; /* how long it took */
    void (*look)(void *user);
    void (*closed)(void *user);
    void *user;
};

/* Begins. `look` is called from the loop when it is time to look. Where the system has no watches
   left it only looks more often. Returns 0 or RAPPORT_IO. */
int watch_open(struct watch *w, uv_loop_t *loop, void (*look)(void *user), void *user);

/* Watches a folder too (again is fine). Returns false, and looks more often from now on, when the
   system has no watch for it. */
bool watch_folder(struct watch *w, const char *path);

/* Ends; `closed` is called from the loop when libuv has let go of it. */
void watch_close(struct watch *w, void (*closed)(void *user));

#endif

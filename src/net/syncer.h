/*
 * syncer.h - brings a database to the disk in libuv's pool, one sync in flight: what is written
 * meanwhile is covered by the next one, so a burst of edits costs a few syncs and not one each.
 */
#ifndef NET_SYNCER_H
#define NET_SYNCER_H

#include <uv.h>

#include "base/slice.h"
#include "store/store.h"

struct syncer {
    uv_loop_t *loop;
    struct store *store;
    void *user;
    /* Everything up to `id` is on the disk (error 0), or will not get there. */
    void (*synced)(void *user, uint64_t id, int error);
    void (*stopped)(void *user);
    uv_work_t work;
    bool busy;
    uint64_t wanted, running;
    int error;
};

/* Begins with nothing in flight; the store must outlive it. */
void syncer_init(struct syncer *s, uv_loop_t *loop, struct store *store);
/* The batches up to `id` want to be synced; `synced` follows from the loop. */
void syncer_want(struct syncer *s, uint64_t id);
/* Begins nothing any more. Returns true when nothing is in flight; else `stopped` is called, from
   the loop, when it has ended. */
bool syncer_stop(struct syncer *s, void (*stopped)(void *user));

#endif

/*
 * syncer.c - see syncer.h. In the pool runs store_sync and nothing else.
 */
#include "net/syncer.h"
#include "rapport/error.h"

void syncer_init(struct syncer *s, uv_loop_t *loop, struct store *store)
{
    *s = (struct syncer){.loop = loop, .store = store};
    s->work.data = s;
}

static void run(uv_work_t *work)
{
    struct syncer *s = work->data;
    s->error = store_sync(s->store);
}

static void start(struct syncer *s);

static void on_done(uv_work_t *work, int status)
{
    struct syncer *s = work->data;
    s->busy = false;
    if (s->stopped) {
        s->stopped(s->user);
        return;
    }
    s->synced(s->user, s->running, status ? RAPPORT_IO : s->error);
    start(s);
}

static void start(struct syncer *s)
{
    if (s->busy || s->stopped || s->wanted <= s->running)
        return;
    s->running = s->wanted;
    s->busy = uv_queue_work(s->loop, &s->work, run, on_done) == 0;
}

void syncer_want(struct syncer *s, uint64_t id)
{
    if (id > s->wanted)
        s->wanted = id;
    start(s);
}

bool syncer_stop(struct syncer *s, void (*stopped)(void *user))
{
    s->stopped = stopped;
    return !s->busy;
}

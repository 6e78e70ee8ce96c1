/*
 * run.c - a node with its database on a libuv loop: for programs that are not rapport itself.
 *
 * The whole of what a driver owes a node stands in carry_out. Commits and loads run on the loop,
 * one bounded batch at a time; only the sync, which waits for the disk, goes to the pool.
 */
#include <sodium.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "net/net.h"
#include "net/syncer.h"

enum {
    EDIT_MOST_TRIES = 8 /* loads that one edit may wait for */
};

struct rapport_uv_node {
    struct rapport_uv_node_config config;
    struct rapport_uv *uv;
    struct rapport_node *node;
    struct store *store;
    struct syncer syncer;
    uint64_t written;
    int error; /* of the store; the node knows it too */
    void (*closed)(void *user, int error);
    void *closed_user;
};

static uint64_t wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int step(struct rapport_uv_node *n, struct rapport_event *event)
{
    event->wall_ms = wall_ms();
    return rapport_node_step(n->node, rapport_uv_now(), event);
}

/* ---- effects ---- */

static void answer_store(struct rapport_uv_node *n, uint64_t id, enum rapport_event_kind kind,
                         int error)
{
    struct rapport_event event = {.kind = kind, .store = id, .error = error};
    if (error && !n->error)
        n->error = error;
    (void)step(n, &event);
}

static void store_batch(struct rapport_uv_node *n, const struct rapport_effect *effect)
{
    uint64_t id = effect->store;
    int error = store_commit(n->store, effect->batch);
    if (error) {
        answer_store(n, id, RAPPORT_EVENT_STORE_FAILED, error);
        return;
    }
    n->written = id;
    answer_store(n, id, RAPPORT_EVENT_WRITTEN, 0);
    syncer_want(&n->syncer, id);
}

struct loading {
    struct rapport_uv_node *n;
    uint64_t id;
};

static int give_row(void *user, const struct load_row *row)
{
    struct loading *l = user;
    struct rapport_event event = {.kind = RAPPORT_EVENT_LOADED_ROW, .load = l->id, .row = row};
    return step(l->n, &event);
}

static void load(struct rapport_uv_node *n, const struct rapport_effect *effect)
{
    struct loading l = {n, effect->load};
    struct load request = *effect->request; /* the effect is gone with the first row */
    int error = store_load(n->store, &request, give_row, &l);
    struct rapport_event event = {.kind = RAPPORT_EVENT_LOADED_END, .load = l.id, .error = error};
    (void)step(n, &event);
}

static void carry_out(struct rapport_uv_node *n, const struct rapport_effect *effect)
{
    switch (effect->kind) {
    case RAPPORT_EFFECT_SEND:
    case RAPPORT_EFFECT_CLOSE:
    case RAPPORT_EFFECT_DIAL:
    case RAPPORT_EFFECT_CANCEL:
    case RAPPORT_EFFECT_TRIED:
        rapport_uv_effect(n->uv, effect);
        return;
    case RAPPORT_EFFECT_STORE:
        store_batch(n, effect);
        return;
    case RAPPORT_EFFECT_LOAD:
        load(n, effect);
        return;
    case RAPPORT_EFFECT_CHANGED:
    case RAPPORT_EFFECT_JOINED:
    case RAPPORT_EFFECT_REFUSED:
        if (n->config.effect)
            n->config.effect(n->config.user, effect);
        return;
    }
}

static void drain(struct rapport_uv_node *n)
{
    struct rapport_effect effect;
    while (rapport_node_next_effect(n->node, &effect))
        carry_out(n, &effect);
}

int rapport_uv_node_step(struct rapport_uv_node *n, struct rapport_event *event)
{
    int error = step(n, event);
    drain(n);
    for (int i = 0; i < EDIT_MOST_TRIES; i++) {
        if (error != RAPPORT_AGAIN || event->kind != RAPPORT_EVENT_EDIT)
            break;
        error = step(n, event);
        drain(n);
    }
    return error;
}

/* ---- for the driver ---- */

static int on_step(void *user, struct rapport_event *event)
{
    return rapport_uv_node_step(user, event);
}

static rapport_time_ms on_deadline(void *user)
{
    const struct rapport_uv_node *n = user;
    return rapport_node_deadline(n->node);
}

static struct rapport_node *on_node(void *user)
{
    const struct rapport_uv_node *n = user;
    return n->node;
}

static void on_trace(void *user, const char *line)
{
    const struct rapport_uv_node *n = user;
    if (n->config.trace)
        n->config.trace(n->config.user, line);
}

static void on_synced(void *user, uint64_t id, int error)
{
    struct rapport_uv_node *n = user;
    answer_store(n, id, error ? RAPPORT_EVENT_STORE_FAILED : RAPPORT_EVENT_STORED, error);
    drain(n);
}

/* ---- life ---- */

static int create_node(struct rapport_uv_node *n)
{
    struct rapport_node_config node = *n->config.node;
    node.wall_ms = wall_ms();
    if (getrandom(node.seed, sizeof node.seed, 0) != (ssize_t)sizeof node.seed)
        return RAPPORT_IO;
    int error = rapport_node_create(&node, &n->node);
    sodium_memzero(node.seed, sizeof node.seed);
    return error;
}

static void release(struct rapport_uv_node *n)
{
    if (n->node)
        rapport_node_destroy(n->node);
    store_close(n->store);
    free(n);
}

int rapport_uv_run_node(const struct rapport_uv_node_config *config, struct rapport_uv_node **out)
{
    if (sodium_init() < 0)
        return RAPPORT_IO;
    struct rapport_uv_node *n = calloc(1, sizeof *n);
    if (!n)
        return RAPPORT_NOMEM;
    n->config = *config;
    bool opens = config->node->start == RAPPORT_START_OPEN;
    int error =
        store_open(config->database, opens ? STORE_OPEN : STORE_CREATE, NULL, &n->store, NULL);
    if (!error)
        error = create_node(n);
    if (!error) {
        struct rapport_uv_config uv = {config->loop, n, on_step, on_deadline, on_trace, on_node};
        error = rapport_uv_create(&uv, &n->uv);
    }
    if (error) {
        release(n);
        return error;
    }
    n->config.node = NULL; /* the caller's, for this call only */
    n->config.database = NULL;
    syncer_init(&n->syncer, config->loop, n->store);
    n->syncer.user = n;
    n->syncer.synced = on_synced;
    drain(n);
    *out = n;
    return 0;
}

/* Nothing is in flight any more: what is written goes to the disk here and now. */
static void finish(void *user)
{
    struct rapport_uv_node *n = user;
    void (*closed)(void *, int) = n->closed;
    void *closed_user = n->closed_user;
    int error = n->error ? n->error : store_sync(n->store);
    if (!error)
        error = rapport_node_failure(n->node);
    release(n);
    if (closed)
        closed(closed_user, error);
}

static void on_net_closed(void *user)
{
    struct rapport_uv_node *n = user;
    if (syncer_stop(&n->syncer, finish))
        finish(n);
}

void rapport_uv_node_close(struct rapport_uv_node *n, void (*closed)(void *user, int error),
                           void *user)
{
    struct rapport_event flush = {.kind = RAPPORT_EVENT_FLUSH};
    struct rapport_event offline = {.kind = RAPPORT_EVENT_OFFLINE};
    n->closed = closed;
    n->closed_user = user;
    (void)rapport_uv_node_step(n, &flush);
    (void)rapport_uv_node_step(n, &offline);
    rapport_uv_close(n->uv, on_net_closed, n);
}

struct rapport_node *rapport_uv_node_node(struct rapport_uv_node *n)
{
    return n->node;
}

struct rapport_uv *rapport_uv_node_net(struct rapport_uv_node *n)
{
    return n->uv;
}

/*
 * drive.c - see drive.h. The order in which effects are carried out is that of net/run.c.
 */
#include "bench/drive.h"

#include <sys/random.h>
#include <time.h>

#include "bench/figures.h"
#include "bench/person.h"

enum {
    EDIT_MOST_TRIES = 8,
    PERSON_EDIT_MS = 40, /* so that each of the person's edits leaves as a delta */
};

static uint64_t wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int step(struct drive *d, struct rapport_event *event)
{
    event->wall_ms = wall_ms();
    return rapport_node_step(d->node, d->uv ? rapport_uv_now() : d->now, event);
}

static void answer_store(struct drive *d, uint64_t id, enum rapport_event_kind kind, int error)
{
    struct rapport_event event = {.kind = kind, .store = id, .error = error};
    if (error && !d->error)
        d->error = error;
    (void)step(d, &event);
}

static void sync_alone(struct drive *d)
{
    int error = store_sync(d->store);
    d->n_unsynced = 0;
    d->last_synced = d->last_store;
    answer_store(d, d->last_store, error ? RAPPORT_EVENT_STORE_FAILED : RAPPORT_EVENT_STORED,
                 error);
}

static void store_batch(struct drive *d, const struct rapport_effect *effect)
{
    uint64_t id = effect->store;
    int error = store_commit(d->store, effect->batch);
    answer_store(d, id, error ? RAPPORT_EVENT_STORE_FAILED : RAPPORT_EVENT_WRITTEN, error);
    if (error)
        return;
    d->last_store = id;
    if (d->uv)
        syncer_want(&d->syncer, id);
    else if (++d->n_unsynced >= DRIVE_SYNC_EVERY)
        sync_alone(d);
}

struct loading {
    struct drive *d;
    uint64_t id;
};

static int give_row(void *user, const struct load_row *row)
{
    struct loading *l = user;
    struct rapport_event event = {.kind = RAPPORT_EVENT_LOADED_ROW, .load = l->id, .row = row};
    return step(l->d, &event);
}

static void load(struct drive *d, const struct rapport_effect *effect)
{
    struct loading l = {d, effect->load};
    struct load request = *effect->request; /* the effect is gone with the first row */
    int error = store_load(d->store, &request, give_row, &l);
    struct rapport_event event = {.kind = RAPPORT_EVENT_LOADED_END, .load = l.id, .error = error};
    (void)step(d, &event);
}

static void carry_out(struct drive *d, const struct rapport_effect *effect)
{
    switch (effect->kind) {
    case RAPPORT_EFFECT_SEND:
        d->sent_bytes += effect->len;
        d->n_sends++;
        rapport_uv_effect(d->uv, effect);
        return;
    case RAPPORT_EFFECT_CLOSE:
    case RAPPORT_EFFECT_DIAL:
    case RAPPORT_EFFECT_CANCEL:
    case RAPPORT_EFFECT_TRIED:
        rapport_uv_effect(d->uv, effect);
        return;
    case RAPPORT_EFFECT_STORE:
        store_batch(d, effect);
        return;
    case RAPPORT_EFFECT_LOAD:
        load(d, effect);
        return;
    case RAPPORT_EFFECT_CHANGED:
    case RAPPORT_EFFECT_JOINED:
    case RAPPORT_EFFECT_REFUSED:
        if (d->changed)
            d->changed(d->user, effect);
        return;
    }
}

static void drain(struct drive *d)
{
    struct rapport_effect effect;
    while (rapport_node_next_effect(d->node, &effect))
        carry_out(d, &effect);
}

int drive_step(struct drive *d, struct rapport_event *event)
{
    int error = step(d, event);
    drain(d);
    for (int i = 0; i < EDIT_MOST_TRIES; i++) {
        if (error != RAPPORT_AGAIN || event->kind != RAPPORT_EVENT_EDIT)
            break;
        error = step(d, event);
        drain(d);
    }
    return error;
}

int drive_edit(struct drive *d, const struct rapport_edit *edit)
{
    struct rapport_event event = {.kind = RAPPORT_EVENT_EDIT, .edit = edit};
    return drive_step(d, &event);
}

int drive_flush(struct drive *d)
{
    struct rapport_event event = {.kind = RAPPORT_EVENT_FLUSH};
    int error = drive_step(d, &event);
    if (!d->uv)
        sync_alone(d);
    drain(d);
    if (error)
        return error;
    return d->error ? d->error : rapport_node_failure(d->node);
}

void drive_person(struct drive *d, struct person *p, uint64_t events)
{
    while (p->n_events < events) {
        const struct rapport_edit *edit = person_next(p);
        must(edit ? drive_edit(d, edit) : RAPPORT_NOMEM, "edit");
        d->now += PERSON_EDIT_MS;
    }
}

int drive_open(struct drive *d, const char *path, const struct rapport_node_config *config)
{
    struct rapport_node_config node = *config;
    enum store_mode mode = config->start == RAPPORT_START_OPEN ? STORE_OPEN : STORE_CREATE;
    node.wall_ms = wall_ms();
    if (getrandom(node.seed, sizeof node.seed, 0) != (ssize_t)sizeof node.seed)
        return RAPPORT_IO;
    int error = store_open(path, mode, NULL, &d->store, NULL);
    if (!error)
        error = rapport_node_create(&node, &d->node);
    if (error) {
        store_close(d->store);
        d->store = NULL;
        return error;
    }
    drain(d);
    return 0;
}

static int on_step(void *user, struct rapport_event *event)
{
    struct drive *d = user;
    if (event->kind == RAPPORT_EVENT_RECEIVED)
        d->received_bytes += event->len;
    return drive_step(d, event);
}

static rapport_time_ms on_deadline(void *user)
{
    const struct drive *d = user;
    return rapport_node_deadline(d->node);
}

static void on_synced(void *user, uint64_t id, int error)
{
    struct drive *d = user;
    d->last_synced = id;
    answer_store(d, id, error ? RAPPORT_EVENT_STORE_FAILED : RAPPORT_EVENT_STORED, error);
    drain(d);
}

int drive_online(struct drive *d, uv_loop_t *loop)
{
    struct rapport_uv_config config = {loop, d, on_step, on_deadline, NULL, NULL};
    syncer_init(&d->syncer, loop, d->store);
    d->syncer.user = d;
    d->syncer.synced = on_synced;
    return rapport_uv_create(&config, &d->uv);
}

void drive_close(struct drive *d)
{
    if (d->node)
        rapport_node_destroy(d->node);
    store_close(d->store);
    *d = (struct drive){0};
}

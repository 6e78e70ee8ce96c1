/*
 * drive.h - a node with its database for measuring: the same contract as net/run.c, with every byte
 * counted.
 *
 * Two kinds: on a libuv loop with sockets (drive_online), where the clock is the machine's and
 * syncs run in the pool; or alone, where `now` stands still until the caller moves it and every
 * DRIVE_SYNC_EVERY batches are synced together.
 */
#ifndef BENCH_DRIVE_H
#define BENCH_DRIVE_H

#include "net/syncer.h"
#include "rapport/uv.h"

enum {
    DRIVE_SYNC_EVERY = 256
};

struct drive {
    struct rapport_node *node;
    struct store *store;
    struct rapport_uv *uv; /* NULL: alone */
    struct syncer syncer;
    rapport_time_ms now;  /* alone: moved by the caller */
    uint64_t last_store;  /* newest batch written */
    uint64_t last_synced; /* newest batch on the disk */
    uint64_t n_unsynced;
    uint64_t sent_bytes, received_bytes, n_sends;
    int error; /* of the database */
    void *user;
    void (*changed)(void *user, const struct rapport_effect *effect); /* may be NULL */
};

/* Opens (START_OPEN) or makes the database at `path` and a node on it. config->seed and wall_ms are
   filled in here. Returns 0 or what store and node refuse it for; `d` then owns nothing. */
int drive_open(struct drive *d, const char *path, const struct rapport_node_config *config);

/* Gives the node sockets of this loop. Returns 0, RAPPORT_NOMEM or RAPPORT_IO. */
int drive_online(struct drive *d, uv_loop_t *loop);

/* Gives an event and carries out all that follows; an edit that waits for a text is given again. */
int drive_step(struct drive *d, struct rapport_event *event);

/* The same for an edit. */
int drive_edit(struct drive *d, const struct rapport_edit *edit);

/* Alone: seals, saves the cache, syncs. Returns 0 or the failure of node or database. */
int drive_flush(struct drive *d);

struct person;

/* Alone: has the person make that many events. Ends the program when an edit is refused. */
void drive_person(struct drive *d, struct person *p, uint64_t events);

/* Frees node and database; sockets must be closed before. */
void drive_close(struct drive *d);

#endif

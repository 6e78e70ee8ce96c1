/*
 * disk.h - a disk in memory for tests and the simulator: the VFS hook of the store. It tells what
 * was synced from what was only written, can be full, and can lose its power.
 *
 * Give disk_name() to store_open as `vfs`; paths are then names on that disk. A disk outlives its
 * stores.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include "base/slice.h"

struct disk;

/* Makes an empty disk. `seed` is for what SQLite wants random. Returns 0 or RAPPORT_NOMEM. */
int disk_create(uint64_t seed, struct disk **out);
/* Frees the disk with all files; no store may be open on it. NULL is allowed. */
void disk_destroy(struct disk *d);
/* The name for store_open. */
const char *disk_name(const struct disk *d);

/* A full disk refuses writes that make a file longer. */
void disk_set_full(struct disk *d, bool full);
/* A frozen disk refuses every write, sync and removal: so a store can be closed as a killed process
 * leaves it. */
void disk_set_frozen(struct disk *d, bool frozen);
/* The power goes: each unsynced 512-byte sector survives or not, as does an unsynced length. `draw`
   gives a number below n. No store may be open on the disk, but frozen ones that are closed next.
 */
void disk_power_cut(struct disk *d, uint64_t (*draw)(void *user, uint64_t n), void *user);

#endif

/*
 * store.h - the database of one report: deltas, heads, records, notes. The only folder that says
 * sqlite3_.
 *
 * .rapport/report.db, SQLite in WAL mode, locked by one process from open to close (so no -shm file
 * and one writer); the schema's version is in user_version and migrated upwards in one transaction.
 * Deltas stand in a rowid table whose rowid is the arrival number, with a unique index on (log,
 * end, hash); heads apart.
 *
 *   commit   writes the batch in one transaction: survives a crash of ours (WRITTEN)
 *   sync     makes everything committed so far survive a power cut (STORED): fdatasync of the
 *            write-ahead log; may be called from another thread while the rest goes on
 *
 * Errors: RAPPORT_FULL (disk full), RAPPORT_IO, RAPPORT_CORRUPT, RAPPORT_READONLY, RAPPORT_LOCKED,
 * RAPPORT_PERMISSION, RAPPORT_NOMEM; after one of them nothing of the batch is in the database.
 * store_error gives the sentence for people. But for store_sync, one thread at a time.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "log/batch.h"

struct store;

enum store_mode {
    STORE_CREATE, /* make it; RAPPORT_EXISTS when there is one */
    STORE_OPEN,   /* RAPPORT_NOTFOUND when there is none */
};

/* Opens the database at `path` (":memory:" for tests). `vfs` is the name of a registered SQLite
   VFS, or NULL for the default; the simulator passes its own. On failure *out is NULL and `why`
   (may be NULL) gets a sentence. RAPPORT_VERSION: a newer rapport wrote it. RAPPORT_LOCKED: it is
   open elsewhere. RAPPORT_CORRUPT also when it is not a database of ours. A new file is readable by
   its owner only. */
int store_open(const char *path, enum store_mode mode, const char *vfs, struct store **out,
               struct buf *why);
/* Checkpoints and closes; NULL is allowed. */
void store_close(struct store *s);

/* Writes the batch in one transaction. A delta that is there already (same log, end, hash) is
   skipped. A delta that continues the head moves it; one that continues another delta of its log
   (or starts it anew) is another branch of a forked log: it is kept, and only LOAD_ARRIVED gives
   it. RAPPORT_CHAIN: a delta continues nothing that is here or in front of it in the batch.
   RAPPORT_LIMIT: a key is too long. */
int store_commit(struct store *s, const struct batch *batch);

/* Makes all committed batches durable. A failure sticks: every later call fails too, since the
   system may have dropped what it could not write. */
int store_sync(struct store *s);

/* Runs a load. Calls `row` for each row (slices valid during that call only) until it returns
   non-zero, which is then returned; else 0 or an error. `row` must not call the store. */
int store_load(struct store *s, const struct load *load,
               int (*row)(void *user, const struct load_row *row), void *user);

/* Arrival number of the newest delta; 0 when there is none. */
int store_last_arrival(struct store *s, uint64_t *out);

/* One sentence about the last failure, for people; valid until the next call. */
const char *store_error(const struct store *s);

/* Drops the cache (records but those whose key starts with "local/", and notes), to be rebuilt from
 * the deltas. */
int store_drop_cache(struct store *s);

#endif

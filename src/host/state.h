/*
 * state.h - what the files of this folder share: the open host, the user's state under HOME, and
 * the gathering of several batches into one transaction. Not for other layers.
 */
#ifndef HOST_STATE_H
#define HOST_STATE_H

#include "base/arena.h"
#include "host/host.h"

/* ---- home.c: the user's state ---- */

/* Reads, or makes once, HOME/device.key. Returns 0, RAPPORT_PERMISSION, RAPPORT_MALFORMED (size),
   RAPPORT_IO or RAPPORT_FULL, with a sentence in `why`; the caller wipes the key. */
int home_key(const char *home, uint8_t key[HOST_KEY_BYTES], struct buf *why);

/* The person's name: `given`, else HOME/name, else the user's full name or login. Kept in HOME/name
   when it was given and there is none. Appends it to `out`. Returns 0, RAPPORT_INVALID (not 1 to 64
   bytes of printable UTF-8 on one line), RAPPORT_IO or RAPPORT_NOMEM. */
int home_name(const char *home, const char *given, struct buf *out, struct buf *why);

/*
 * How far a database had come, kept outside of the report's folder. A run that stores deltas
 * draws a token and writes it here before and into the database with its first batch, so a
 * database that holds another token, or fewer deltas than stood here, is a backup or a copy.
 */
enum {
    LAST_TOKEN_BYTES = 16
};
struct last {
    int fd; /* -1: not begun in this run */
    uint8_t token[LAST_TOKEN_BYTES], before[LAST_TOKEN_BYTES];
    uint64_t arrival;
};

/* What the database says of itself. */
struct last_database {
    bool has_token;
    uint8_t token[LAST_TOKEN_BYTES], report[RAPPORT_REPORT_ID_BYTES];
    uint64_t arrival;
    size_t n_records;
};

/* True when this device can be sure that the database holds all that it ever wrote to its log. */
bool last_is_sure(const char *home, const struct last_database *db);
/* Begins a run that stores: draws a token and writes the file of db->report, on the disk. Returns
   0, RAPPORT_IO, RAPPORT_FULL or RAPPORT_PERMISSION. */
int last_begin(struct last *l, const char *home, const struct last_database *db);
/* Notes how far the database is now; only the page cache, a power cut shows by the boot id. */
void last_note(struct last *l, uint64_t arrival);
/* Ends the run; `clean` when everything is on the disk. */
void last_end(struct last *l, bool clean);

/* ---- lock.c ---- */

/* Takes the lock of the open folder .rapport. Returns 0 with *fd, RAPPORT_LOCKED (pid in *holder),
   RAPPORT_READONLY, RAPPORT_PERMISSION or RAPPORT_IO. Released by closing the descriptor. */
int lock_take(int rapport_fd, int *fd, int64_t *holder);
/* Writes our pid and socket path into the lock. Returns 0 or an error. */
int lock_write(int fd, const char *socket);

/* ---- host.c, drive.c ---- */

/* One batch that was copied while gathering. */
struct gathered {
    struct gathered *next;
    uint64_t store;
    struct batch batch;
};

/* STORE effects between gather_begin and gather_end: written in one transaction. */
struct gather {
    bool on;
    int error; /* RAPPORT_NOMEM: cannot be written in whole */
    struct arena arena;
    struct gathered *first, *last;
    size_t n_bytes;
    struct batch_record *records;
    size_t n_records, cap_records;
};

enum {
    GATHER_MOST_BYTES = 4 << 20, /* then the mirror ends this gathering and begins another */
};

struct mirror;

struct host {
    char *dir, *home, *name;
    int dir_fd, rapport_fd, lock_fd;
    enum rapport_start start;
    struct rapport_node *node;
    struct store *store;
    struct host_hooks hooks;
    bool hooked;
    uint64_t written, synced; /* newest store ids; offline all up to written are synced at once */
    int failure;
    struct buf failure_text;
    struct gather gather;
    struct last last;
    struct last_database database;
    bool made; /* the database is new: taken back where opening fails */
    enum host_join join;
    int join_error;
    uint8_t joined[8][RAPPORT_DEVICE_ID_BYTES];
    size_t n_joined;
    struct rapport_address addresses[HOST_MOST_ADDRESSES];
    size_t n_addresses;
    bool calling; /* a verb runs: lines for the person go into its reply */
    char *notices[HOST_MOST_NOTICES];
    size_t n_notices;
    struct mirror *mirror;
};

/* Says one line to the person: printf; made safe for a terminal here. */
void host_say(struct host *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sets the failure, once. `what` was being done. */
void host_fail(struct host *h, int error, const char *what);
/* The error code for errno after a failed system call. */
int host_errno(int number);

/* Carries out all effects that wait. */
void host_drain(struct host *h);
/* Gives the node a local edit (retried while its note is loaded). Returns what the node said. */
int host_edit(struct host *h, const struct rapport_edit *edit);

/* From here STORE effects are kept back. */
void gather_begin(struct host *h);
/* Adds a record to be written in the same transaction (copied); value.ptr NULL removes it. */
void gather_record(struct host *h, struct slice key, struct slice value);
/* Seals, writes everything kept back in one transaction, and (offline) syncs it. Returns 0 or
   host_failure's code. */
int gather_end(struct host *h);

/* Note text and version with loading; free() what they give. RAPPORT_NOTFOUND, RAPPORT_NOMEM. */
int host_note_text(struct host *h, const uint8_t id[RAPPORT_NOTE_ID_BYTES], char **out,
                   size_t *len);
/* Its current version, as the node's bytes. */
int host_note_version(struct host *h, const uint8_t id[RAPPORT_NOTE_ID_BYTES], uint8_t **out,
                      size_t *len);
/* Its text at a version; RAPPORT_NOTFOUND also for a version that is not known here. */
int host_note_at(struct host *h, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                 struct rapport_version version, char **out, size_t *len);

/* ---- mirror.c, for host.c ---- */

/* Makes the mirror and reads its records. Returns 0, RAPPORT_NOMEM or a store error. */
int mirror_create(struct host *h);
/* Frees it; also one that was never made. */
void mirror_destroy(struct host *h);
/* A note changed and may have to be written out. */
void mirror_mark(struct host *h, const uint8_t note[RAPPORT_NOTE_ID_BYTES]);

#endif

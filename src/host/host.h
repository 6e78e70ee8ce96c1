/*
 * host.h - one open report on this device: lock, device key, node, database and file mirror. Does
 * no networking: a driver (the daemon on libuv, a test) gives it hooks; without hooks it works
 * offline, every write synced to the disk before the call returns.
 *
 *   folder/.rapport/lock       flock; holds "PID\nSOCKET\n" of who has the report open
 *   folder/.rapport/report.db  the database (store/store.h)
 *   folder/.rapport/base/      texts that the mirror remembers and that are no version of the note
 *   folder/.rapport/trash/     files of notes that went to the trash
 *   HOME/device.key            32 bytes, the seed of this device's keys; 0600 in a folder of 0700
 *   HOME/name                  the person's display name
 *   HOME/last/REPORT           how far the database had come, with machine and boot: where it
 *                              disagrees with the database, the node begins a new log
 *
 * HOME is $RAPPORT_HOME, else $XDG_DATA_HOME/rapport, else ~/.local/share/rapport. One thread only,
 * but store_sync(host_store(h)) may run on another one.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/buf.h"
#include "rapport/rapport.h"
#include "store/store.h"

struct host;

struct host_config {
    const char *dir;  /* the report's folder; INIT and JOIN make it when it is missing */
    const char *home; /* NULL: from the environment, as above */
    enum rapport_start start;
    const char *title;  /* INIT */
    const char *ticket; /* JOIN */
    const char *name;   /* the person's name; NULL or "": HOME/name, else the user's own */
};

/* By which path an address is reached. */
struct host_path {
    const char *kind; /* static: here, lan, tailnet-direct, tailnet-relayed, tailnet, static,
                         internet; "" unknown */
    bool offline;     /* a hint: the machine there is switched off, asleep or on no network */
    char words[64];   /* the same for people, safe for a terminal: "tailnet, relayed by fra" */
};

/*
 * What a driver with sockets does for the host. None may call back into the host; a driver that
 * cannot send just now queues. All pointers are valid for the call only.
 */
struct host_hooks {
    void *user;
    /* SEND, CLOSE or DIAL. */
    void (*network)(void *user, const struct rapport_effect *effect);
    /* The batches up to `store_id` are written and want store_sync on any thread; several may be
       answered by one host_synced with the newest id. */
    void (*sync)(void *user, uint64_t store_id);
    /* One line for the person, without a line end, safe for a terminal: a file refused, a disk
       full. May be NULL. */
    void (*notice)(void *user, const char *line);
    /* By which path an address is reached from here. Reads only. May be NULL. */
    void (*path)(void *user, const struct rapport_address *address, struct host_path *out);
    /* When a friend who is not connected was heard last, wall clock in ms; 0 unknown. Reads only.
       May be NULL. */
    uint64_t (*last_heard)(void *user, const uint8_t device[RAPPORT_DEVICE_ID_BYTES]);
    /* Calls `say` for each thing that keeps friends from being found or reached here: a sentence
       and what to do about it, safe for a terminal. Reads only. May be NULL. */
    void (*trouble)(void *user, void *to,
                    void (*say)(void *to, const char *text, const char *todo));
};

/* ---- finding ---- */

/* Finds the report's folder from `start` upwards, as git does: the first folder with a folder
   .rapport in it; symlinks are not followed out of a report. Writes its absolute path. Returns 0,
   RAPPORT_NOTFOUND, RAPPORT_IO or RAPPORT_NOMEM. */
int host_find(const char *start, struct buf *dir);

/* Writes the folder of this user's state (given, or from the environment) and makes it, 0700.
   Returns 0, RAPPORT_NOTFOUND (no home at all), RAPPORT_PERMISSION, RAPPORT_IO or RAPPORT_NOMEM;
   `why` (may be NULL) gets a sentence. */
int host_home(const char *given, struct buf *out, struct buf *why);

/* Who has the report at `dir` open: its pid, and the path of its control socket ("" when it has
   none). Returns 0, RAPPORT_NOTFOUND when nobody has, RAPPORT_IO or RAPPORT_NOMEM. */
int host_lock_holder(const char *dir, int64_t *pid, struct buf *socket);

/* Appends the name of the folder that a report of that title is made in: its slug. Returns 0 or
   RAPPORT_NOMEM. */
int host_folder_name(struct slice title, struct buf *out);

/* ---- life ---- */

/*
 * Opens, makes or begins to join a report. On failure *out is NULL and `why` gets a sentence for a
 * person. Returns 0; RAPPORT_LOCKED (why names the pid); RAPPORT_NOTFOUND (no report at dir);
 * RAPPORT_EXISTS (INIT or JOIN where there is one); RAPPORT_PERMISSION (the device key is readable
 * by others, not ours, a symlink; the folder refuses); RAPPORT_CORRUPT; RAPPORT_INVALID (title,
 * name); RAPPORT_MALFORMED, TRUNCATED, VERSION or EXPIRED (ticket or database); RAPPORT_IO,
 * RAPPORT_FULL, RAPPORT_READONLY, RAPPORT_NOMEM. Close with host_close.
 * Does not look at the folder's files yet: mirror_take does.
 */
int host_open(const struct host_config *config, struct host **out, struct buf *why);

/* Seals what was typed, writes and syncs it, saves the cache, releases the lock. A report that was
   never joined leaves no .rapport behind. NULL is allowed. Returns 0 or why the last write failed;
   the host is gone in any case. */
int host_close(struct host *h);

/* Names the control socket in the lock file, for host_lock_holder. Returns 0 or RAPPORT_IO. */
int host_set_socket(struct host *h, const char *path);

/* Sets (copied) or, with NULL, removes the hooks. With hooks, batches that are not synced yet are
   the driver's to sync; set them right after host_open. */
void host_set_hooks(struct host *h, const struct host_hooks *hooks);

/* ---- driving ---- */

/*
 * Gives the node one event and carries out all effects that follow. Sets event->wall_ms. STORE is
 * committed at once and answered with WRITTEN; then, offline, synced and STORED, with hooks handed
 * to hooks->sync. LOAD is answered at once. SEND, CLOSE and DIAL go to hooks->network, or nowhere.
 * Returns what rapport_node_step returned for this event (RAPPORT_AGAIN of an edit is retried after
 * the load, so it is not seen here); a failing store is not an error of this call, see
 * host_failure.
 */
int host_step(struct host *h, struct rapport_event *event);

/* A sync that hooks->sync asked for has ended: everything up to store_id is on the disk (error 0),
   or failed for good. */
void host_synced(struct host *h, uint64_t store_id, int error);

/* When the node or the mirror wants to be looked at again (host_now's clock); UINT64_MAX: never.
   Then call host_tick. */
rapport_time_ms host_deadline(const struct host *h);

/* TIMEOUT for the node, and mirror_take and mirror_put where files wait. */
void host_tick(struct host *h);

/* The clock of host_deadline, ms, never goes back. */
rapport_time_ms host_now(void);

/* The wall clock, ms since 1970. */
uint64_t host_wall(void);

/* Seals and writes what was typed; offline also to the disk. Returns 0 or host_failure's code. */
int host_flush(struct host *h);

/* The addresses that a ticket names as where we listen (copied; more than HOST_MOST_ADDRESSES are
   left out). */
void host_set_addresses(struct host *h, const struct rapport_address *addresses, size_t n);
/* The first `most` of them; returns how many were written. */
size_t host_addresses(const struct host *h, struct rapport_address *out, size_t most);

/* ---- asking ---- */

/* The node, owned by the host; step it through host_step alone. */
struct rapport_node *host_node(struct host *h);
/* The database, owned by the host. */
struct store *host_store(struct host *h);
/* Absolute path of the report's folder. */
const char *host_dir(const struct host *h);
/* Absolute path of this user's state. */
const char *host_home_dir(const struct host *h);
/* The person's name as the node was given it. */
const char *host_name(const struct host *h);
/* True while hooks are set: a daemon carries our edits to friends. */
bool host_is_online(const struct host *h);

/* NULL, or the sentence why this report takes no more edits (disk full, database damaged); *error
   (may be NULL) gets the code. */
const char *host_failure(const struct host *h, int *error);

enum host_join {
    HOST_JOIN_NONE,    /* not started as JOIN */
    HOST_JOIN_WAITING, /* nobody answered yet */
    HOST_JOIN_DONE,
    HOST_JOIN_REFUSED, /* *error says why */
};
/* How a JOIN stands. `error` may be NULL. */
enum host_join host_join_state(const struct host *h, int *error);

/* The device that joined us last (JOINED effects since the last call); false when none did. */
bool host_next_joined(struct host *h, uint8_t device[RAPPORT_DEVICE_ID_BYTES]);

/* Takes the oldest line for the person that neither a notice hook nor a reply took, appended to
   `out` without a line end; false when there is none. At most HOST_MOST_NOTICES are kept. */
bool host_next_notice(struct host *h, struct buf *out);

enum {
    HOST_MOST_NOTICES = 64,
    HOST_PUT_MS = 100, /* with hooks, one go at writing files out takes about this long */
    HOST_MOST_ADDRESSES = 6,
    HOST_KEY_BYTES = 32,
    HOST_MOST_NAME_BYTES = 64,
};

#endif

/*
 * rapport/rapport.h - one report as a step machine: events in, effects out, no I/O.
 *
 * A node holds one report on one device. A driver feeds it events with the time and carries out the
 * effects that it then pulls; rapport/uv.h is such a driver on libuv, the simulator another one.
 * The node draws all randomness from the seed in its configuration: same seed and same events, same
 * bytes out.
 *
 *   step(event) -> 0 or why this event was refused;  next_effect until false;  come back at
 * deadline with TIMEOUT
 *
 * Durability: a STORE effect is answered by WRITTEN (in the database: survives a crash of the
 * process), later by STORED (on the disk: survives a power cut), or by STORE_FAILED; then no STORE
 * that came after it may be carried out, and the node takes no more edits, keeps what it has and
 * says so. A delta of our own is sent only after WRITTEN, acknowledged to peers and called saved
 * only after STORED.
 *
 * Nothing here is thread-safe; pointers in events are borrowed for the call, pointers in effects
 * and infos are valid until the next call that takes the node without const.
 */
#ifndef RAPPORT_RAPPORT_H
#define RAPPORT_RAPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rapport/error.h"

enum {
    RAPPORT_REPORT_ID_BYTES = 32,
    RAPPORT_NOTE_ID_BYTES = 16,
    RAPPORT_DEVICE_ID_BYTES = 16,
    RAPPORT_DIGEST_BYTES = 16,
    RAPPORT_SEED_BYTES = 32,
    RAPPORT_MOST_LINKS = 64, /* connections at once, half-open ones included */
};

typedef uint64_t rapport_time_ms; /* a clock that never goes back; any origin */

struct rapport_node;
struct batch;    /* log/batch.h: hand it to store_commit */
struct load;     /* log/batch.h: hand it to store_load */
struct load_row; /* log/batch.h: as store_load gives it */

struct rapport_address {
    uint8_t family;    /* 4 or 6 */
    uint8_t bytes[16]; /* network order; the first 4 for IPv4 */
    uint16_t port;
    uint32_t scope; /* interface index of an IPv6 link-local address, else 0 */
};

enum rapport_source {      /* where an address came from, the most trusted first */
    RAPPORT_SOURCE_STATIC, /* the person typed it */
    RAPPORT_SOURCE_TICKET,
    RAPPORT_SOURCE_REMEMBERED, /* a session was made there before */
    RAPPORT_SOURCE_LAN,        /* an announcement with a tag of ours (mDNS) */
    RAPPORT_SOURCE_PEER,       /* the peer itself, or another one with its signature, said so */
    RAPPORT_SOURCE_TAILNET, /* the tailnet lists this machine; whether we run there is not known */
    RAPPORT_SOURCE_INBOUND, /* it connected to us */
};

/* ---- events ---- */

enum rapport_event_kind {
    RAPPORT_EVENT_TIMEOUT, /* the deadline has come; harmless at any time */
    RAPPORT_EVENT_ONLINE,  /* sockets exist: dial remembered peers; `listen` says where we listen */
    RAPPORT_EVENT_OFFLINE, /* close all sessions with BYE, dial nobody */
    RAPPORT_EVENT_CONNECTED,      /* conn, dial (0: inbound), address */
    RAPPORT_EVENT_DIAL_FAILED,    /* dial, error */
    RAPPORT_EVENT_RECEIVED,       /* conn, bytes */
    RAPPORT_EVENT_CLOSED,         /* conn, error */
    RAPPORT_EVENT_DRAINED,        /* conn: fewer than RAPPORT_LOW_WATER bytes wait to be sent */
    RAPPORT_EVENT_WRITTEN,        /* store */
    RAPPORT_EVENT_STORED,         /* store: this batch and all before it */
    RAPPORT_EVENT_STORE_FAILED,   /* store, error */
    RAPPORT_EVENT_LOADED_ROW,     /* load, row */
    RAPPORT_EVENT_LOADED_END,     /* load, error */
    RAPPORT_EVENT_CANDIDATE,      /* address, source, who: fresh reason to believe that somebody is
                                   there; dialled at once unless connected */
    RAPPORT_EVENT_CANDIDATE_LOST, /* address, source: that source sees it no more. Ends no session
                                   */
    RAPPORT_EVENT_MOVED,          /* the machine woke up or its links changed: every session must
                                     prove itself within 2 s, everybody else is dialled at once */
    RAPPORT_EVENT_EDIT,           /* edit */
    RAPPORT_EVENT_BUNDLE,         /* bytes: the next ones of a bundle file, cut anywhere; len 0: its
                                     end. RAPPORT_AGAIN: drain the effects and give it again */
    RAPPORT_EVENT_FLUSH,          /* seal what was typed and save the cache now */
};

enum {
    RAPPORT_LOW_WATER = 64 * 1024,
    RAPPORT_HIGH_WATER = 128 * 1024
};

/* A version of a note as opaque bytes (rapport_node_note_version); len 0: the current one. */
struct rapport_version {
    const uint8_t *bytes;
    size_t len;
};

enum rapport_edit_kind {
    RAPPORT_EDIT_NEW,    /* note, path, talk, text (template by the pseudo-agent) */
    RAPPORT_EDIT_TEXT,   /* note, version, text: the whole new text as a change against that version
                          */
    RAPPORT_EDIT_APPEND, /* note, text at its end */
    RAPPORT_EDIT_SPLICE, /* note, pos, n_deleted (code points), text at the current version */
    RAPPORT_EDIT_RENAME, /* note, path */
    RAPPORT_EDIT_TRASH,  /* note */
    RAPPORT_EDIT_SETTING, /* key, text */
    RAPPORT_EDIT_INVITE,  /* public_key, n_uses, expires_s */
};

/* A local edit. RAPPORT_AGAIN: the note's text is being loaded; drain the effects and give it
 * again. */
struct rapport_edit {
    enum rapport_edit_kind kind;
    const uint8_t *note; /* RAPPORT_NOTE_ID_BYTES */
    const char *path, *key;
    const uint8_t *talk; /* rapport_talk_encode */
    size_t talk_len;
    struct rapport_version version;
    const char *text; /* UTF-8 */
    size_t text_len;
    size_t pos, n_deleted;
    const uint8_t *public_key;
    uint32_t n_uses;
    uint64_t expires_s;
};

struct rapport_event {
    enum rapport_event_kind kind;
    uint64_t wall_ms; /* wall clock since 1970, with every event: for claims and expiry only */
    uint32_t conn, dial;
    uint64_t store, load;
    int error;
    const uint8_t *bytes;
    size_t len;
    struct rapport_address address;
    enum rapport_source source;
    uint64_t who; /* CANDIDATE: equal for all addresses of what the source takes for one machine, so
                     that they are raced as one (RFC 8305); 0 unknown */
    const struct rapport_address *listen;
    size_t n_listen;
    const struct load_row *row;
    const struct rapport_edit *edit;
};

/* ---- effects ---- */

enum rapport_effect_kind {
    RAPPORT_EFFECT_SEND,   /* conn, bytes */
    RAPPORT_EFFECT_CLOSE,  /* conn; no CLOSED event follows */
    RAPPORT_EFFECT_DIAL,   /* dial, address: answered by CONNECTED or DIAL_FAILED */
    RAPPORT_EFFECT_CANCEL, /* dial: not wanted any more; no answer follows */
    RAPPORT_EFFECT_TRIED,  /* address, source, error: how a candidate of LAN or TAILNET turned out.
                              0: a member answered; RAPPORT_AUTH or REFUSED: somebody else did; else
                              why no connection came about */
    RAPPORT_EFFECT_STORE,  /* store, batch: answered by WRITTEN and STORED, or STORE_FAILED */
    RAPPORT_EFFECT_LOAD,   /* load, request: answered by LOADED_ROW for each row, then LOADED_END */
    RAPPORT_EFFECT_CHANGED, /* note: its text, path, title or trash state changed; its text is
                               loaded */
    RAPPORT_EFFECT_JOINED,  /* the ticket was redeemed: the report exists now and has an id; or a
                               friend joined us: device */
    RAPPORT_EFFECT_REFUSED, /* the ticket was refused for good: error */
};

struct rapport_effect {
    enum rapport_effect_kind kind;
    uint32_t conn, dial;
    uint64_t store, load;
    const uint8_t *bytes;
    size_t len;
    struct rapport_address address;
    enum rapport_source source;
    const struct batch *batch;
    const struct load *request;
    uint8_t note[RAPPORT_NOTE_ID_BYTES];
    uint8_t device[RAPPORT_DEVICE_ID_BYTES];
    int error;
};

/* ---- life ---- */

enum rapport_start {
    RAPPORT_START_OPEN, /* what the database holds */
    RAPPORT_START_INIT, /* a new report: title */
    RAPPORT_START_JOIN, /* a ticket: joins, then holds the report of the ticket */
};

struct rapport_node_config {
    enum rapport_start start;
    uint8_t seed[RAPPORT_SEED_BYTES]; /* fresh entropy at each start, never from the disk */
    const uint8_t *device_seed;       /* 32 bytes: this device's keys */
    const char *name;   /* display name of the person, 1 to 64 bytes; used when a card is made */
    const char *title;  /* INIT */
    const char *ticket; /* JOIN */
    bool new_log;       /* OPEN: this device is not sure of its log, begin another */
    uint64_t wall_ms;
};

/* Makes a node. Copies what it needs of the configuration. Returns 0, RAPPORT_NOMEM,
   RAPPORT_INVALID (name, title) or what is wrong with the ticket (RAPPORT_MALFORMED, TRUNCATED,
   VERSION, EXPIRED). Free with rapport_node_destroy. */
int rapport_node_create(const struct rapport_node_config *config, struct rapport_node **out);
/* Frees the node; what is not stored is lost. NULL is allowed. */
void rapport_node_destroy(struct rapport_node *node);

/* Takes one event. Returns 0, or why it was refused or failed; a refused event changed nothing. */
int rapport_node_step(struct rapport_node *node, rapport_time_ms now,
                      const struct rapport_event *event);
/* Gives the next effect; false when there is none. */
bool rapport_node_next_effect(struct rapport_node *node, struct rapport_effect *out);
/* When TIMEOUT is due; UINT64_MAX: never. */
rapport_time_ms rapport_node_deadline(const struct rapport_node *node);

/* True once the report is loaded (OPEN), made (INIT) or joined and the own admission received
 * (JOIN), and no note waits for its text; edits are refused with RAPPORT_STATE before. */
bool rapport_node_ready(const struct rapport_node *node);
/* 0, or why this node takes no more edits: a failed store, a damaged database. */
int rapport_node_failure(const struct rapport_node *node);
/* Own events that are not on the disk yet. */
uint64_t rapport_node_unsaved(const struct rapport_node *node);
/* Events of this device's log that no peer has said to have on his disk, connected or not; rather
 * too many than too few after a crash. */
uint64_t rapport_node_unsent(const struct rapport_node *node);

/* ---- being found on a LAN ---- */

enum {
    RAPPORT_TAG_BYTES = 8,
    RAPPORT_TAGS = 4,
    RAPPORT_SALT_BYTES = 8,
    RAPPORT_LABEL_BYTES = 16,
    RAPPORT_TAG_EPOCH_S = 900
};

/* What an announcement on a LAN holds: random names, and blinded tags that only members (and who
   holds a ticket) recognise. tag = BLAKE2b-64(key, salt || epoch || label || port), epoch =
   floor(unix / 900). A tag is a hint: identity is the key that answers. */
struct rapport_beacon {
    uint8_t salt[RAPPORT_SALT_BYTES];
    uint8_t label[RAPPORT_LABEL_BYTES];
    uint16_t port;
    uint8_t tags[RAPPORT_TAGS][RAPPORT_TAG_BYTES];
};

/* Writes the tags of this node for salt, label and port at this wall clock, into the first slots:
   newest epoch, open invites of ours, epoch before. Returns how many (0 while nothing is known to
   be found by); the others the caller fills with random bytes. */
size_t rapport_node_tags(const struct rapport_node *node, uint64_t wall_ms,
                         struct rapport_beacon *beacon);
/* True when one of the beacon's tags is one of this report's (of the ticket's invite, for a
   joiner), in this tag epoch or the one before or after. */
bool rapport_node_knows_beacon(const struct rapport_node *node, uint64_t wall_ms,
                               const struct rapport_beacon *beacon);
/* True once somebody else is, or is invited to be, a member: only then a tailnet is asked. */
bool rapport_node_has_company(const struct rapport_node *node);

/* ---- reading ---- */

struct rapport_note_info {
    uint8_t id[RAPPORT_NOTE_ID_BYTES];
    const char *path; /* as shown: unique; "notes/x.md" */
    const char *title;
    const uint8_t *talk; /* rapport_talk_encode form; NULL when none */
    size_t talk_len;
    bool trashed, loaded;
    size_t n_bytes;
    uint8_t text_hash[32];
    uint64_t changed_ms; /* wall-clock claim */
    size_t n_authors;
};

/* Iterates over notes that exist: start with *at = 0. */
bool rapport_node_next_note(struct rapport_node *node, size_t *at, struct rapport_note_info *out);
/* RAPPORT_NOTFOUND when there is none. */
int rapport_node_note(struct rapport_node *node, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                      struct rapport_note_info *out);
/* Name of the n-th author of a note; a device of which nothing is known yet: its log's id in hex.
 */
const char *rapport_node_note_author(struct rapport_node *node,
                                     const uint8_t id[RAPPORT_NOTE_ID_BYTES], size_t n);
/* The text (allocated, free() it; a NUL follows). RAPPORT_AGAIN: being loaded, drain and ask again.
 */
int rapport_node_note_text(struct rapport_node *node, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                           char **out, size_t *len);
/* The note's current version (allocated, free() it). RAPPORT_AGAIN as above. */
int rapport_node_note_version(struct rapport_node *node, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                              uint8_t **out, size_t *len);
/* The text at an older version. RAPPORT_NOTFOUND, RAPPORT_MALFORMED, RAPPORT_AGAIN. */
int rapport_node_note_at(struct rapport_node *node, const uint8_t id[RAPPORT_NOTE_ID_BYTES],
                         struct rapport_version version, char **out, size_t *len);

/* A scheduled talk as a note carries it. Strings may be empty, never NULL. */
struct rapport_talk {
    const char *key; /* publish/schedule.h talk_key: what the note's id comes from */
    const char *title, *day, *start, *room, *track, *url, *speakers;
    uint32_t duration_min;
};
/* Appends nothing on failure. *out is allocated, free() it. */
int rapport_talk_encode(const struct rapport_talk *talk, uint8_t **out, size_t *len);
/* The strings are copied to `out` which must be freed by rapport_talk_clear. */
int rapport_talk_decode(const uint8_t *bytes, size_t len, struct rapport_talk *out);
/* Frees the strings of a decoded talk. */
void rapport_talk_clear(struct rapport_talk *talk);
/* The id of a talk's note: a hash of the key. */
void rapport_talk_note_id(const char *key, uint8_t out[RAPPORT_NOTE_ID_BYTES]);
/* Draws a fresh note id. */
void rapport_node_draw_note_id(struct rapport_node *node, uint8_t out[RAPPORT_NOTE_ID_BYTES]);

/* One line of the history. */
struct rapport_history {
    uint8_t note[RAPPORT_NOTE_ID_BYTES];
    const char *author;
    uint8_t log[16];
    uint64_t first, end; /* event numbers of the delta */
    uint64_t wall_ms;
    size_t n_inserted, n_deleted;
    bool created, renamed, trashed, control;
};
/* Reads the stored bytes of a delta (a row of LOAD_ARRIVED) for `log`; calls `each` for each note
 * that it touches. */
int rapport_node_describe(struct rapport_node *node, const uint8_t *delta, size_t len,
                          void (*each)(void *user, const struct rapport_history *line), void *user);

/* The report's id; false before it is known (JOIN). */
bool rapport_node_report_id(const struct rapport_node *node, uint8_t out[RAPPORT_REPORT_ID_BYTES]);
/* The value of a setting, "" when unset; valid until the next call. "title" is always set. */
const char *rapport_node_setting(struct rapport_node *node, const char *key);
/* See CONTRACT: equal digests mean equal reports. RAPPORT_AGAIN while notes wait for their text. */
int rapport_node_digest(struct rapport_node *node, uint8_t out[RAPPORT_DIGEST_BYTES]);

/* The id of this device's log; false before its first event. */
bool rapport_node_own_log(const struct rapport_node *node, uint8_t out[16]);
/* The number after the last event of a log that is here; 0 when nothing of it is. */
uint64_t rapport_node_height(const struct rapport_node *node, const uint8_t log[16]);

/* Deltas that came in since the node was made, the first 10 of each log apart. */
struct rapport_counters {
    uint64_t received, taken;           /* copies of all deltas, new ones among them */
    uint64_t received_late, taken_late; /* the same behind the first 10 of each log */
};
/* Reads the counters. */
void rapport_node_counters(const struct rapport_node *node, struct rapport_counters *out);

struct rapport_member_info {
    uint8_t device[RAPPORT_DEVICE_ID_BYTES];
    const char *name, *role;
    bool self, removed;
};
/* Iterates over devices in order of admission: start with *at = 0; false at the end. */
bool rapport_node_next_member(struct rapport_node *node, size_t *at,
                              struct rapport_member_info *out);

enum rapport_link_state {
    RAPPORT_LINK_WAITING, /* will be dialled again */
    RAPPORT_LINK_DIALLING,
    RAPPORT_LINK_HANDSHAKE,
    RAPPORT_LINK_CONNECTED,
};

/* A candidate or a connection. */
struct rapport_peer_info {
    enum rapport_link_state state;
    bool inbound, has_device;
    uint8_t device[RAPPORT_DEVICE_ID_BYTES];
    const char *name; /* "" while unknown */
    struct rapport_address address;
    enum rapport_source source;
    bool on_lan;                 /* announced on the LAN now */
    uint32_t n_tries;            /* dials since the last session there; > 0 and on_lan: seen, but
                                    cannot be reached */
    int last_error;              /* why the last try failed; 0 none */
    rapport_time_ms next_try;    /* WAITING */
    rapport_time_ms last_heard;  /* 0 never */
    uint64_t last_heard_wall_ms; /* 0 never */
    uint64_t since_wall_ms;      /* connected since; 0 not connected */
    bool clock_known;            /* it has said what its wall clock shows */
    int64_t clock_ahead_ms;      /* that less ours, network delay included */
    uint32_t rtt_ms;
    uint64_t n_unacknowledged; /* our events that it has not acknowledged */
    uint64_t n_behind;         /* events that it has announced and we lack */
    bool converged;            /* both hold the same deltas, on disk */
    bool digest_known, digest_equal;
};
/* Iterates over connections, then other candidates: start with *at = 0; false at the end. */
bool rapport_node_next_peer(struct rapport_node *node, size_t *at, struct rapport_peer_info *out);

/* A ticket for an invite that was made by RAPPORT_EDIT_INVITE with this seed's public key. `text`
 * is allocated. */
struct rapport_invite {
    uint8_t seed[32];
    uint32_t n_uses;
    uint64_t expires_s;
    const struct rapport_address *addresses;
    size_t n_addresses;
};
/* Draws an invite: the seed goes into the ticket, the public key into RAPPORT_EDIT_INVITE. */
void rapport_node_draw_invite(struct rapport_node *node, uint8_t seed[32], uint8_t public_key[32]);
/* Writes the ticket of an invite (allocated, wipe and free() it). RAPPORT_INVALID for n_uses not 1
 * to 255. */
int rapport_node_ticket(struct rapport_node *node, const struct rapport_invite *invite,
                        char **text);

/* ---- bundles: sync by file (docs/protocol.md section 5) ---- */

/* Where the reading of a bundle stands, or ended; numbers are of what was read so far. */
struct rapport_bundle_info {
    bool reading;                            /* its end has not come */
    int error;                               /* why it ended early, else 0 */
    bool by_member;                          /* its writer is known and signed what he holds */
    uint8_t device[RAPPORT_DEVICE_ID_BYTES]; /* who wrote it, */
    uint64_t wall_ms;                        /* when by his clock */
    uint64_t n_deltas, n_known;              /* in it; of those here before */
    uint64_t n_taken, n_taken_events;        /* new ones */
    uint64_t n_waiting;                      /* that build on what is not here */
    uint64_t n_refused;                      /* that were not valid, or of a second history */
    uint8_t waits_for[16];                   /* a log that they wait for */
    const char *waits_for_name;              /* whose that is; "" unknown */
};
/* Reading ends with the event of len 0 or with an error: RAPPORT_MALFORMED (no bundle),
   RAPPORT_VERSION, RAPPORT_NOKEY (of another report, or of an epoch that is not here, or damaged in
   front), RAPPORT_AUTH, RAPPORT_TRUNCATED. What was read before it stays, since each delta proves
   itself. The next event begins another bundle. */
void rapport_node_bundle(struct rapport_node *node, struct rapport_bundle_info *out);

/* A bundle being written. */
struct rapport_bundle;

/* Begins one, of everything. Returns 0, RAPPORT_STATE (no report yet), RAPPORT_NOMEM. Destroy it
   before the node. */
int rapport_bundle_create(struct rapport_node *node, struct rapport_bundle **out);
/* Frees and wipes it; NULL is fine. */
void rapport_bundle_destroy(struct rapport_bundle *bundle);
/* Leaves out what that device was last known to have on its disk. Returns 0, RAPPORT_NOTFOUND when
   nothing is known of it: then everything goes in; RAPPORT_NOMEM. */
int rapport_bundle_for(struct rapport_bundle *bundle,
                       const uint8_t device[RAPPORT_DEVICE_ID_BYTES]);
/* Leaves out what the writer of another bundle had: give that file's bytes in order until 0 is
   returned. RAPPORT_AGAIN: more are needed; with len 0 (its end) never. Else as above for reading.
   */
int rapport_bundle_reply_to(struct rapport_bundle *bundle, const uint8_t *bytes, size_t len);
/* Whose bundle that was; the id is zeros before. */
void rapport_bundle_writer(const struct rapport_bundle *bundle,
                           uint8_t device[RAPPORT_DEVICE_ID_BYTES]);
/* Takes the stored bytes of a delta (rows of LOAD_ARRIVED, in order); skips what is left out.
   Returns 0 or an error that sticks. */
int rapport_bundle_put(struct rapport_bundle *bundle, const uint8_t *delta, size_t len);
/* No more deltas. */
int rapport_bundle_end(struct rapport_bundle *bundle);
/* The bytes of the file that are ready, in order; valid until the next call. They count as taken.
 */
void rapport_bundle_take(struct rapport_bundle *bundle, const uint8_t **bytes, size_t *len);
/* What went in so far. */
struct rapport_bundle_counts {
    uint64_t n_notes, n_deltas, n_events;
};
/* Reads the counts. */
void rapport_bundle_counts(const struct rapport_bundle *bundle, struct rapport_bundle_counts *out);

/* What a ticket says without joining. */
struct rapport_ticket_info {
    uint64_t expires_s;
    uint32_t n_uses;
    struct rapport_address addresses[6];
    size_t n_addresses;
};
/* Reads a ticket. Returns 0 or MALFORMED, TRUNCATED, VERSION, LIMIT. */
int rapport_ticket_read(const char *text, size_t len, struct rapport_ticket_info *out);

#endif

/*
 * node.h - the inside of a node, shared by the files of this folder only.
 *
 * The node owns: the report (what the deltas mean), the log set (which deltas are here), the draft
 * (what this device typed and not sealed yet), links (one session each), candidates (whom to dial),
 * the queue of effects, and the store jobs under way. Every public call ends in node_settle, which
 * turns what changed into effects.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "base/arena.h"
#include "crypto/random.h"
#include "crypto/ticket.h"
#include "log/batch.h"
#include "log/have.h"
#include "rapport/rapport.h"
#include "report/report.h"
#include "sync/gossip.h"
#include "sync/session.h"

enum {
    NODE_MOST_EPOCHS = 256, /* fits one WELCOME */
    NODE_MOST_CANDIDATES = 512,
    NODE_MOST_TRIED_EPOCHS = 8, /* by a dialler, one connection each */
    NODE_MOST_PARKED = 1024,    /* deltas that wait for a dep */
    NODE_MOST_PARKED_BYTES = 16 << 20,
    NODE_RECENT_BYTES = 1 << 20, /* newest deltas kept for live push without a load */
    NODE_TYPING_MS = 40,         /* a draft leaves at most this often */
    NODE_CACHE_MS = 5000,        /* a changed note's cache is saved at most this often */
    NODE_CACHE_NOTES = 200,      /* saved in one step, so that no keystroke waits long behind */
    NODE_CACHE_AGAIN_MS = 100,   /* until the next of them */
    NODE_DIGEST_MS = 500,     /* a new digest is told to peers when nothing changed for so long */
    NODE_MOST_LISTEN = 8,     /* addresses of ONLINE */
    NODE_MOST_ADDRESSES = 8,  /* of one device, or of what a source takes for one machine */
    NODE_MOST_STRANGERS = 16, /* half-open connections to who is not known to be a friend */
    NODE_RACE_MOST = 3,       /* dials to one machine at once */
    NODE_RACE_MS = 250,       /* between them */
    NODE_DIAL_FIRST_MS = 1000,
    NODE_DIAL_TYPED_MS = 30000, /* the longest wait for what a person typed or a ticket says, */
    NODE_DIAL_LAN_MS = 60000,   /* for what is seen on the LAN, */
    NODE_DIAL_MOST_MS = 300000, /* for all else */
    NODE_AGAIN_MS = 100, /* within which a session that was up for NODE_UP_MS is dialled again */
    NODE_UP_MS = 3000,
    NODE_MESH_MEMBERS = 11,  /* of more members, each is content with */
    NODE_DEGREE = 8,         /* links, and dials only where it was before or was told to */
    NODE_MOST_RECORDS = 256, /* signed addresses, one record a device */
    NODE_PEERS_MS = 5000,    /* between two PEERS on one link, after the first */
    NODE_PORT_FIRST = 7171,  /* where a machine's reports listen */
    NODE_PORT_LAST = 7178,
    NODE_PROVE_MS = 2000,        /* after MOVED: what has not been heard from by then is dead */
    NODE_LOAD_BYTES = 64 * 1024, /* of one load of deltas: about one message */
    NODE_JOIN_MS = 5000,         /* from the handshake to JOIN */
    NODE_WELCOME_MS = 30000,     /* from JOIN to WELCOME */
    NODE_MOST_HELD = 256,        /* devices whose holdings are remembered */
    NODE_LOADED_NOTES = 256,     /* texts kept in memory beyond those in use */
};
#define NODE_RECORD_MOST_MS  (UINT64_C(30) * 86400000) /* an address record is forgotten */
#define NODE_RECORD_AGAIN_MS (UINT64_C(7) * 86400000)  /* ours is signed anew */
#define NODE_RECORD_AHEAD_MS UINT64_C(86400000)        /* by so much a clock may be ahead */

/* An effect with the memory that it points to. */
struct node_effect {
    struct rapport_effect effect;
    struct buf bytes;
    struct load load;
    struct node_effect *next;
};

/* A batch on its way to the disk; freed when it is stored. */
struct store_job {
    uint64_t id;
    struct batch batch;
    struct buf deltas, records, notes; /* arrays of batch_delta, batch_record, batch_note */
    struct arena memory;               /* the bytes that those point to */
    struct have heights;               /* of all logs that it brings */
    bool written;
    struct store_job *next;
};

/* The rest of a run whose first delta lacks a dep: full deltas one after another. */
struct parked {
    struct buf bytes;
    struct delta_dep missing;
    uint8_t log[LOG_ID_BYTES];
    struct parked *next;
};

/* What a device said to have on its disk, in a session or a bundle. */
struct held {
    uint8_t device[ID_BYTES];
    struct have rows;
    bool dirty;
    struct held *next;
};

/* One of the newest deltas, for live push; in order of arrival, and by log. */
struct recent {
    uint64_t first, end;
    struct buf bytes;
    uint8_t log[LOG_ID_BYTES];
    struct recent *next;          /* arrived after it, any log */
    struct recent *older, *newer; /* of the same log */
};

struct candidate {
    struct rapport_address address;
    enum rapport_source source; /* the most trusted that named it */
    uint64_t serial;            /* order of coming into the table */
    uint64_t who;               /* what `who_by` takes for one machine; 0 unknown */
    enum rapport_source who_by;
    uint8_t device[ID_BYTES];
    bool has_device, is_self, keep; /* keep: remembered across starts */
    bool on_lan;                    /* announced there now */
    bool owes_tried;                /* TRIED has yet to be said to asked_by */
    bool answered;                  /* something that is none of ours, at a port before this one */
    enum rapport_source asked_by;
    uint16_t asked_port;
    uint32_t dial; /* under way, else 0 */
    uint32_t conn; /* connected, else 0 */
    rapport_time_ms dialled_at;
    unsigned failures; /* since there was fresh reason to try */
    unsigned n_tries;  /* since a session was made here, or ever */
    rapport_time_ms next_try;
    int last_error;
    uint64_t good;    /* the greater, the later a session was made here; 0 never */
    size_t epoch_try; /* which epoch's psk the next dial uses, counted from the newest */
};

/* Where a device said that it listens. */
struct address_record {
    struct message_peer peer;
    uint64_t serial; /* order of coming here */
    uint32_t from;   /* the connection that told it; 0 our own, or from the disk */
};

enum link_role {
    LINK_MEMBER, /* both are in the roster */
    LINK_JOINER, /* we redeem our ticket there */
    LINK_ISSUER, /* it redeems a ticket here */
};

/* One connection. */
struct link {
    uint32_t conn;
    bool dialler, ready; /* ready: HELLO said, in the books */
    bool asks;           /* its session has a ping to send */
    enum link_role role;
    struct session *session;
    struct candidate *candidate; /* NULL: inbound and not remembered */
    struct rapport_address address;
    uint8_t device[ID_BYTES], noise_public[32];
    bool has_device;
    bool known; /* its key is that of somebody whom we want to talk to */
    uint8_t handshake_hash[64];
    size_t n_epoch_psks;     /* listener: how many of its psks are epochs'; the rest are invites' */
    uint8_t (*invites)[32];  /* public keys of those invites, owned */
    uint8_t invite[32];      /* public key, for LINK_ISSUER */
    uint64_t welcome_after;  /* store job after which WELCOME is sent; 0 none */
    rapport_time_ms join_by; /* JOIN or WELCOME must have come by then; 0: none is waited for */
    int refused;             /* it sent what is against the rules: the error */
    bool blocked;            /* the driver's queue is above the high water */
    size_t n_sent;           /* bytes handed out since the last DRAINED */
    uint64_t load;           /* a load of deltas under way for it, 0 none */
    struct gossip_run run;   /* what that load is for */
    struct run *loaded;      /* deltas that came by it so far */
    uint8_t digest[16], have_digest[16], digest_told[16];
    bool digest_known;
    bool digest_due; /* what we told last is not true any more */
    uint64_t last_heard_wall_ms, since_wall_ms;
    rapport_time_ms ready_at; /* since when it is ready */
    bool greeted;             /* the other side's HELLO came */
    uint64_t peers_told;      /* the newest address record that it was told */
    rapport_time_ms peers_at; /* not before then again; 0: none sent yet */
    int64_t clock_ahead_ms;   /* its wall clock less ours, as HELLO said */
    struct link *next;
};

enum node_phase {
    PHASE_RECORDS,
    PHASE_HEADS,
    PHASE_NOTES,
    PHASE_REPLAY,  /* OPEN: loads, in this order */
    PHASE_JOINING, /* waits for WELCOME */
    PHASE_READY,
};

enum index_state {
    INDEX_NONE,
    INDEX_LOADING,
    INDEX_DONE
};

struct rapport_node {
    enum node_phase phase;
    int failure;
    bool damaged; /* what is in memory may be wrong or cannot be loaded: nothing more is served */
    rapport_time_ms now;
    uint64_t wall_ms;
    struct rng rng;
    struct device_keys keys;
    struct device_card card;
    char name[DEVICE_MOST_NAME + 1];
    bool new_log, online;

    bool has_report;
    uint8_t report_id[REPORT_ID_BYTES];
    struct ticket ticket; /* JOIN */
    bool has_ticket;
    uint8_t
        inviter[32]; /* Noise key of whom we joined at: the one member known before the roster */
    bool has_inviter;
    struct epoch_keys *epochs; /* oldest first */
    size_t n_epochs;

    struct report *report;
    struct log_set logs;
    enum index_state index;
    uint8_t own_log[LOG_ID_BYTES], own_origin[ORIGIN_BYTES];
    bool has_own_log;
    uint8_t acked_log[LOG_ID_BYTES]; /* our log as some peer has it on his disk: */
    uint64_t acked;                  /* up to here */
    bool acked_dirty;
    uint64_t own_written; /* our log is in the database up to here: not sent further */
    struct draft *draft;  /* NULL until the first edit */
    bool flush;           /* seal and save the cache in this step */
    rapport_time_ms sealed_at, named_at, cache_due;
    struct have named; /* heights of other logs that our log's deps name or imply */
    struct map pasts;  /* struct have *, by log: what each log's head implies of others */
    bool cache_dirty;
    bool roster_moved; /* in this step: a link may be with a device that is no member any more */

    struct link *links;
    struct session_seen seen; /* dials that we answered */
    struct gossip *gossip;
    struct candidate *candidates[NODE_MOST_CANDIDATES];
    size_t n_candidates;
    bool peers_dirty;
    struct address_record *records; /* NODE_MOST_RECORDS, once there is one */
    size_t n_records;
    uint64_t last_record, own_issued_ms; /* 0: none of ours */
    bool records_dirty, own_record_due;
    uint64_t last_candidate, last_good;
    bool dials_dirty;        /* who may be dialled is other than at the last look; */
    rapport_time_ms dial_at; /* the next one is due then */
    struct rapport_address listen[NODE_MOST_LISTEN];
    size_t n_listen;
    uint32_t last_dial;

    struct parked *parked, **parked_last;
    size_t n_parked, parked_bytes;
    struct recent *recent, **recent_last; /* oldest first */
    struct map recent_by_log;             /* the newest of each log */
    size_t recent_bytes;
    struct rapport_counters counters;
    rapport_time_ms changed_at;
    bool digest_valid; /* of the digests below, until something changes */
    uint8_t state_digest[16], have_digest[16];
    struct have durable; /* heights on our disk: what we acknowledge */

    struct store_job *jobs, **jobs_last; /* oldest first */
    struct store_job *open_job;          /* being filled in this step */
    uint64_t last_store, last_load;
    uint64_t failed_store; /* the first batch that could not be stored; 0 none */
    uint64_t phase_load;   /* the load of the current phase, or of the index */
    size_t replay_rows;    /* that the load under way has brought */
    uint64_t replayed;     /* arrival number of the newest delta applied */
    uint64_t note_load;    /* one note is loaded at a time; 0 none */
    uint8_t note_load_id[NOTE_ID_BYTES];
    struct buf note_loaded; /* its stored form as it came */
    bool note_wanted;       /* somebody asked for note_want */
    uint8_t note_want[NOTE_ID_BYTES];

    struct bundle_import *import; /* the bundle being read, or the last one; NULL: none yet */
    struct held *held;            /* what devices were last known to have on disk */
    size_t n_held;

    struct node_effect *effects, **effects_last, *given;
    char *text_out; /* what an accessor lent out last */
};

#endif

/*
 * world.h - the inside of a simulation, shared by the files of this folder only.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <sodium.h>

#include "base/buf.h"
#include "sim/sim.h"
#include "store/disk.h"
#include "store/store.h"

enum {
    SIM_NOTES_EACH = 6,   /* notes that one peer starts at most */
    SIM_DEGREE = 4,       /* addresses that each peer is told beyond ten peers */
    SIM_EDIT_MS = 4000,   /* mean between two edits of one peer */
    SIM_FAULT_MS = 10000, /* mean between two faults in the whole group */
    SIM_OBSERVERS = 8,    /* peers whose latency is sampled */
    SIM_MOST_CHARS = 1080000,
};

/* What waits in the queue. */
enum action_kind {
    ACTION_TIMER,
    ACTION_CONNECTED,
    ACTION_DIAL_FAILED,
    ACTION_DELIVER,
    ACTION_CLOSED,
    ACTION_SYNC,  /* the disk answers STORED */
    ACTION_EDIT,  /* a person does something */
    ACTION_FAULT, /* the next fault */
    ACTION_HEAL,  /* the end of a partition, a full disk or a sleep: number */
    ACTION_START, /* a peer comes (back) up */
};

struct action {
    uint64_t at, order; /* ms; ties by order */
    enum action_kind kind;
    uint32_t peer, life; /* for one life of a peer; life 0: for any */
    uint32_t wire, dial;
    uint64_t number;
    struct rapport_address address;
    uint8_t *bytes;
    size_t len;
};

/* A connection. Side 0 dialled. */
struct wire {
    uint32_t peer[2], life[2];
    bool open[2];
    uint64_t free_at[2]; /* when the last bytes sent by this side arrive */
    uint64_t stalled;    /* until then nothing arrives */
    size_t queued[2];    /* bytes sent by this side and not arrived */
    uint32_t delay_ms;   /* one way */
    uint32_t bytes_per_ms;
    uint8_t next_corrupt; /* this side's next bytes get a bit flipped: 1 or 2, 0 none */
};

/* One inserted character: its code point is unique in the whole run. */
enum char_state {
    CHAR_TYPED,   /* in a draft, may be lost in a crash */
    CHAR_SAVED,   /* reported saved */
    CHAR_DELETED, /* somebody deleted it */
};

struct peer {
    struct rapport_node *node;
    struct store *store;
    struct disk *disk;
    uint32_t life;
    bool up, asleep, full, joined;
    uint16_t n_moves; /* its address changes with each */
    bool new_log;     /* at the next start it is not sure of its log */
    uint64_t wakes_at, timer_at;
    int64_t clock_off_ms;
    uint8_t device_seed[32];
    char path[32];
    uint8_t log[16]; /* own log, when has_log */
    bool has_log;
    uint8_t (*notes)[16]; /* own notes */
    size_t n_notes;
    uint32_t *typed; /* indices of characters that are not saved yet */
    size_t n_typed, cap_typed;
};

/* An own edit waiting to be seen by observers. */
struct sample {
    uint32_t peer;
    uint8_t log[16];
    uint64_t end, at;
    uint32_t missing; /* bit per observer */
};

struct world {
    struct sim_config config;
    struct sim_result *result;
    uint64_t now, rng, order, calm_at; /* calm_at: no edits and faults from then on */
    struct action *heap;
    size_t n_heap, cap_heap;
    struct peer *peers;
    struct wire *wires;
    size_t n_wires, cap_wires;
    uint8_t *side; /* group of each peer in the partition */
    bool partitioned;
    uint8_t shared_note[16];
    char *ticket;
    uint8_t *chars; /* enum char_state by index */
    size_t n_chars;
    struct sample *samples;
    size_t n_samples, cap_samples;
    uint32_t *latencies;
    size_t n_latencies, cap_latencies;
    crypto_generichash_state trace;
    int error;
};

/* world.c */

/* Uniform in 0 to n - 1. */
uint64_t draw(struct world *w, uint64_t n);
/* Exponential with this mean, at least 1. */
uint64_t draw_delay(struct world *w, uint64_t mean);
/* Fills with random bytes. */
void draw_bytes(struct world *w, void *out, size_t n);
/* Queues a copy of `a` at now + delay; takes over a->bytes. */
void schedule(struct world *w, uint64_t delay, struct action a);
/* Records the first broken invariant. */
void broken(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds a line to the trace and its hash. */
void trace(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* True when the fault is switched on. */
bool has_fault(const struct world *w, enum sim_fault fault);
/* Sets the error for out of memory; returns p. */
void *need(struct world *w, void *p);

/* wire.c */

/* Carries out a DIAL effect. */
void wire_dial(struct world *w, uint32_t from, const struct rapport_effect *e);
/* Carries out a CANCEL effect: what came of the dial is never told. */
void wire_cancel(struct world *w, uint32_t from, uint32_t dial);
/* Carries out a SEND effect. */
void wire_send(struct world *w, uint32_t from, const struct rapport_effect *e);
/* Carries out a CLOSE effect. */
void wire_close(struct world *w, uint32_t from, uint32_t conn);
/* Bytes arrive, unless the connection is gone. */
void wire_deliver(struct world *w, struct action *a);
/* A connection is lost; sides with a bit in `told` hear of it. */
void wire_cut(struct world *w, uint32_t wire, unsigned told);
/* The end reaches a side; false when that side had closed it itself. */
bool wire_ends(struct world *w, uint32_t wire, uint32_t side);
/* All connections of a peer are lost. */
void wires_of_peer_cut(struct world *w, uint32_t peer, unsigned told);
/* The address at which a peer listens now. */
struct rapport_address peer_address(const struct world *w, uint32_t peer);
/* An address where nobody ever listens. */
struct rapport_address no_address(struct world *w);
/* True when these two can reach each other now. */
bool reachable(const struct world *w, uint32_t a, uint32_t b);

/* peer.c */

/* Steps a peer and carries out all effects. Returns what the step returned. */
int peer_step(struct world *w, uint32_t peer, struct rapport_event *e);
/* Brings a peer up for the first time or again. */
void peer_start(struct world *w, uint32_t peer);
/* Ends a peer's process; power: unsynced sectors are at risk. */
void peer_stop(struct world *w, uint32_t peer, bool power);
/* The peer's machine woke up, or came up elsewhere (`roams`). */
void peer_moves(struct world *w, uint32_t peer, bool roams);
/* The text of a note as this peer has it (free() it), or NULL when it has none. */
char *peer_text(struct world *w, uint32_t peer, const uint8_t note[16], size_t *len);
/* Fires the peer's timer when it is due, and arms it again. */
void peer_timer(struct world *w, uint32_t peer);
/* The disk's answer to a sync. */
void peer_synced(struct world *w, uint32_t peer, uint64_t store);

/* people.c */

/* A person edits, and plans the next edit. */
void person_edits(struct world *w, uint32_t peer);
/* What was typed is saved when nothing is left unsaved. */
void person_saved(struct world *w, uint32_t peer);
/* What was typed and not saved is forgotten with the process. */
void person_forgets(struct world *w, uint32_t peer);
/* Code point of the n-th character of the run, and back (SIZE_MAX for others). */
uint32_t char_code(size_t index);
/* The index of a code point, SIZE_MAX when it is none of ours. */
size_t char_index(uint32_t code);

/* faults.c */

/* Makes one fault happen, and plans the next. */
void fault_happens(struct world *w);
/* The end of a lasting fault. */
void fault_heals(struct world *w, const struct action *a);
/* Ends all faults. */
void faults_heal_all(struct world *w);

/* check.c */

/* True when all peers are up, have saved all and show one digest. */
bool all_equal(struct world *w);
/* Compares all texts and looks for lost or doubled characters. */
void check_texts(struct world *w);
/* Heights that an observer reached count as seen. */
void check_seen(struct world *w, uint32_t peer);
/* Fills the figures of the result. */
void check_figures(struct world *w);

#endif

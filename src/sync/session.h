/*
 * session.h - one connection: handshake, encryption, frames, liveness. Bytes in, events and bytes
 * out; it never reads a clock, and time is whatever the caller says it is (milliseconds that do not
 * go backwards).
 *
 *     dialler   create -> output: message 1   receive 2 -> KEY -> accept -> output: 3, READY
 *     listener  create   receive message 1 -> output: message 2   receive 3 -> KEY -> accept, READY
 *
 * After each session_receive, session_accept and session_tick call session_next until it returns
 * false, then write out session_output. A failed session says nothing more: the error sticks, is
 * returned by every later call that returns one, and comes last from session_next as
 * SESSION_CLOSED; what session_output still gives then (a BYE, if anything) may be sent before the
 * connection is closed. Before both sides are known nothing is ever sent about a failure and every
 * failure is the same RAPPORT_AUTH, so a stranger learns no difference.
 *
 * Sources: Noise rev. 34 with NOISE_RAPPORT (crypto/noise.h); docs/protocol.md, "Wire".
 */
#ifndef SYNC_SESSION_H
#define SYNC_SESSION_H

#include "crypto/device.h"
#include "crypto/noise.h"
#include "sync/message.h"

#define SESSION_PROLOGUE "rapport/1"
#define SESSION_NEVER    UINT64_MAX

enum {
    SESSION_MOST_PSKS = 64,
    SESSION_SHARED_BYTES = 16 * 1024, /* messages share a frame up to this much plaintext */
    SESSION_HANDSHAKE_MS = 5000,      /* from create to READY */
    SESSION_IDLE_MS = 6000,           /* without a frame from the peer: ping */
    SESSION_LISTENER_MS = 500,        /* a listener waits longer, so that one ping serves both */
    SESSION_PINGS = 2,                /* unanswered, each given SESSION_IDLE_MS: dead */
    SESSION_STALE_MS = 300,           /* after session_probe a frame may have waited here for us */
    SESSION_MOST_HELD = 2 * FRAME_MOST_SEALED, /* bytes taken while KEY waits for accept */
    SESSION_MOST_SEEN = 4096,                  /* dials remembered against replay */
    SESSION_SEEN_BYTES = 16,                   /* of a dialler's ephemeral key */
};

/*
 * Dials that a listener has answered: a recorded message 1 that comes again is refused like a
 * stranger's. All zero is empty; of one report, over all its listening sessions. The newest
 * SESSION_MOST_SEEN are kept; only who holds a psk can push one out.
 */
struct session_seen {
    uint8_t ephemerals[SESSION_MOST_SEEN][SESSION_SEEN_BYTES];
    size_t n; /* how many ever */
};

/* What a session starts from. Everything is copied but `seen`. */
struct session_config {
    bool dialler;
    const struct device_keys *keys;
    const uint8_t (*psks)[NOISE_KEY_BYTES]; /* a listener tries them in this order */
    size_t n_psks;                          /* dialler: 1; listener: 1 to SESSION_MOST_PSKS */
    uint8_t ephemeral[NOISE_KEY_BYTES];     /* 32 fresh random bytes, never used before */
    struct session_seen *seen; /* listener; outlives the session. NULL: replays are answered */
    uint64_t now_ms;
};

struct session;

enum session_event_kind {
    SESSION_KEY,      /* who it is: look `key` up, then session_accept or session_destroy */
    SESSION_READY,    /* messages may go; on the listener's side the dialler is now authenticated */
    SESSION_MESSAGE,  /* the peer said something; unknown odd types do not come up */
    SESSION_PING_DUE, /* send a PING with this cookie (the digests in it are not ours to know) */
    SESSION_CLOSED,   /* the last one: close the connection */
};

struct session_key {
    uint8_t noise_public[NOISE_KEY_BYTES];
    size_t psk_index; /* of config.psks */
};

struct session_event {
    enum session_event_kind kind;
    union {
        struct session_key key;
        uint8_t handshake_hash[NOISE_HASH_BYTES]; /* SESSION_READY; equal on both sides */
        struct message message;               /* slices: valid until the next call on the session */
        uint8_t cookie[MESSAGE_COOKIE_BYTES]; /* SESSION_PING_DUE */
        int error;                            /* SESSION_CLOSED, see session_receive */
    };
};

struct session_stats {
    bool ready;
    uint32_t rtt_ms; /* of the handshake, then of the last answered ping; see rtt_known */
    bool rtt_known;
    bool proving; /* session_probe was called and nothing has shown since that the peer is there */
    uint64_t last_received_ms; /* when the last authentic frame came; creation before that */
    uint64_t bytes_in, bytes_out, frames_in, frames_out; /* on the wire, headers included */
};

/* Makes a session; the dialler's message 1 is then in session_output. Returns 0, RAPPORT_INVALID
   (number of psks) or RAPPORT_NOMEM. */
int session_create(const struct session_config *config, struct session **out);

/* Wipes and frees; NULL is fine. */
void session_destroy(struct session *s);

/* Takes received bytes, any number. Returns 0 or the error that ends the session: RAPPORT_AUTH
   (handshake refused, of whatever kind, or more than SESSION_MOST_HELD before session_accept; a
   frame that is not authentic), RAPPORT_REFUSED (this is ourselves), RAPPORT_MALFORMED,
   RAPPORT_TRUNCATED or RAPPORT_LIMIT (frame or message against the rules), RAPPORT_VERSION (unknown
   even type), RAPPORT_CLOSED (BYE came), RAPPORT_NOMEM. Some of these show only in session_next. At
   most one unfinished frame and the content of these bytes are kept: while session_next still has
   messages nothing is taken and the answer is RAPPORT_STATE, which ends nothing. */
int session_receive(struct session *s, struct slice bytes, uint64_t now_ms);

/* The key of SESSION_KEY is welcome: goes on. The dialler's message 3 is then in session_output.
   Returns 0, RAPPORT_STATE when no key waits, or as session_receive. */
int session_accept(struct session *s, uint64_t now_ms);

/* The next event, one at a time. Returns false when there is none now. */
bool session_next(struct session *s, struct session_event *out);

/* Queues one encoded message. Messages share frames in the order given. Returns 0; RAPPORT_STATE
   before READY or after a failure or BYE; RAPPORT_LIMIT past FRAME_MOST_PLAIN bytes; RAPPORT_NOMEM,
   then nothing was queued. */
int session_send(struct session *s, struct slice message);

/* Queues a BYE (text is cut to BYE_MOST_TEXT bytes at a code point) and ends the session with
   RAPPORT_CLOSED: nothing more is sent or taken. Before READY nothing is sent. */
void session_bye(struct session *s, enum bye_code code, const char *text);

/* Seals what is queued and returns the bytes to send, valid until the next call on the session;
   empty when there are none. */
struct slice session_output(struct session *s);

/* The first n bytes of session_output have been handed to the connection. */
void session_output_taken(struct session *s, size_t n);

/* Bytes queued and not taken; a caller stops asking for bulk above its own bound. */
size_t session_queued(const struct session *s);

/* Does what is due: gives up a handshake, asks for a ping, finds the peer dead. Returns 0 or
   RAPPORT_TIMEOUT, or the error that stuck. Late calls count as one: after hours of sleep the peer
   still gets its pings. */
int session_tick(struct session *s, uint64_t now_ms);

/* The machine slept or moved, so what was heard before proves nothing: asks for a ping, and the
   session ends with RAPPORT_TIMEOUT unless its pong, or any frame later than SESSION_STALE_MS,
   comes within `within_ms`. A handshake under way has that long to end. */
void session_probe(struct session *s, uint64_t now_ms, uint64_t within_ms);

/* When session_tick has something to do; SESSION_NEVER once failed. */
uint64_t session_deadline(const struct session *s);

/* Figures for status. */
void session_stats(const struct session *s, struct session_stats *out);

#endif

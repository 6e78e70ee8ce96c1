/*
 * session_state.h - what is inside a session; only session.c and session_receive.c include it.
 *
 * Invariants: error != 0 iff state is SESSION_ENDED, and then every key is wiped. `pending` is the
 * plaintext of the one frame that is being filled, and `out` always has room for it sealed. `plain`
 * from plain_at on holds whole messages that were checked for shape and not yet decoded.
 */
#ifndef SYNC_SESSION_STATE_H
#define SYNC_SESSION_STATE_H

#include "sync/session.h"

enum session_state {
    SESSION_READ_1, /* listener: waits for message 1 */
    SESSION_READ_2, /* dialler: 1 is written, waits for 2 */
    SESSION_ASK_2,  /* dialler: read 2; SESSION_KEY waits for session_accept */
    SESSION_READ_3, /* listener: 2 is written, waits for 3 */
    SESSION_ASK_3,  /* listener: read 3; SESSION_KEY waits for session_accept */
    SESSION_OPEN,   /* transport */
    SESSION_ENDED,
};

/* Things that session_next has yet to tell. */
struct session_due {
    bool key, ready, ping, closed;
};

struct session {
    enum session_state state;
    bool dialler;
    int error;
    uint64_t now_ms; /* of the newest call */

    /* Handshake: wiped at its end. */
    struct noise noise;
    uint8_t noise_public[NOISE_KEY_BYTES], noise_secret[NOISE_KEY_BYTES];
    uint8_t ephemeral[NOISE_KEY_BYTES];
    struct session_seen *seen;        /* borrowed, may be NULL */
    uint8_t (*psks)[NOISE_KEY_BYTES]; /* listener, until message 1 */
    size_t n_psks, psk_index;
    uint8_t handshake_hash[NOISE_HASH_BYTES];

    /* Receiving. */
    struct cipher recv;
    struct frame_reader reader;
    struct buf held; /* came while a key waits */
    struct buf plain;
    size_t plain_at;

    /* Sending. */
    struct cipher send;
    struct buf pending, out;
    size_t out_at; /* taken */

    /* Liveness. */
    uint64_t timer_ms;
    uint64_t ping_ms, n_pings; /* when the newest (or a handshake message) went out; its number */
    unsigned n_misses;         /* pings since the last frame */
    uint64_t probe_ms;         /* stats.proving: since when */

    struct session_due due;
    struct session_stats stats;
};

/* Ends the session: says BYE where the peer is known and it makes sense, wipes the keys. The first
 * error stays. Returns the session's error. */
int session_fail(struct session *s, int error);

/* session_receive after its checks: takes whole frames out of `bytes` and keeps the rest. */
int session_take(struct session *s, struct slice bytes);

/* Appends our next handshake message, in its frame, to `out`. */
int session_write_handshake(struct session *s);

/* Starts noise with one psk. */
int session_start_noise(struct session *s, const uint8_t psk[NOISE_KEY_BYTES]);

/* The handshake is over: ciphers, READY, and the first idle timer. */
int session_open(struct session *s);

/* A frame came: the peer lives. */
void session_heard(struct session *s);

#endif

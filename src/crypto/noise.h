/*
 * noise.h - the Noise protocol framework, rev. 34, for Noise_*_25519_ChaChaPoly_BLAKE2b.
 *
 * A handshake state for any pattern made of the tokens e, s, ee, es, se, ss and psk, and the cipher
 * state that comes out of it. The product speaks only NOISE_RAPPORT; the other patterns are there
 * because published vectors exist for them and not for it. No entropy: the ephemeral key is an
 * argument. No framing: one call takes or makes one whole Noise message of at most
 * NOISE_MOST_MESSAGE bytes.
 *
 * A handshake that fails once is dead: its secrets are wiped and every later call is RAPPORT_STATE.
 * A responder that knows several psks starts afresh for each (cheap: reading message 1 of XXpsk0
 * costs hashes and one tag, no Diffie-Hellman). Running out of memory is no such failure: it
 * changes nothing and the call can be repeated.
 *
 *     initiator: init, write 1, read 2, check noise_remote_static in the roster, write 3, split
 *     responder: init, read 1, write 2, read 3, check noise_remote_static in the roster, split
 */
#ifndef CRYPTO_NOISE_H
#define CRYPTO_NOISE_H

#include "base/buf.h"

#define NOISE_RAPPORT "Noise_XXpsk0_25519_ChaChaPoly_BLAKE2b"

enum {
    NOISE_KEY_BYTES = 32,  /* DHLEN, cipher keys and psks */
    NOISE_HASH_BYTES = 64, /* HASHLEN of BLAKE2b */
    NOISE_TAG_BYTES = 16,
    NOISE_MOST_MESSAGE = 65535, /* spec section 3: bytes of a whole message, tag included */
    NOISE_MOST_PLAIN = NOISE_MOST_MESSAGE - NOISE_TAG_BYTES,
    NOISE_MOST_PSKS = 4,
    NOISE_MOST_MESSAGES = 4, /* in a pattern (X1X1) */
    NOISE_MOST_TOKENS = 8,   /* in a message: "e ee se s es" and psks around it */

    /* What the three messages of NOISE_RAPPORT are longer than their payloads. */
    NOISE_OVERHEAD_1 = 48, /* e, tag */
    NOISE_OVERHEAD_2 = 96, /* e, s, tag, tag */
    NOISE_OVERHEAD_3 = 64, /* s, tag, tag */

    CIPHER_REKEY_MESSAGES = 1 << 16, /* both sides count, per direction */
};

/* Spec section 5.1. All zero: no key yet, or cleared. Not to be copied: two copies would use a
 * nonce twice. */
struct cipher {
    uint8_t key[NOISE_KEY_BYTES];
    uint64_t n; /* nonce of the next message; 2^64 - 1 is reserved for rekeying */
    bool has_key;
};

/* Seals `plain` (at most NOISE_MOST_PLAIN bytes) with associated data `ad`; appends ciphertext and
   tag to `out` and counts the nonce up. Returns 0; RAPPORT_STATE without a key; RAPPORT_LIMIT for a
   longer text or when the nonces are used up (then the session must end); RAPPORT_NOMEM. A failed
   call changes neither nonce nor bytes. `plain` must not point into `out`. */
int cipher_encrypt(struct cipher *c, struct slice ad, struct slice plain, struct buf *out);
/* Opens one sealed message (tag included) and appends the text to `out`. Returns as cipher_encrypt,
   RAPPORT_TRUNCATED below 16 bytes, or RAPPORT_AUTH: then the nonce does not move (spec 5.1) and
   nothing is written; on a stream the caller closes and never tries to find its place again. */
int cipher_decrypt(struct cipher *c, struct slice ad, struct slice sealed, struct buf *out);
/* Replaces the key by a one-way function of it (spec 4.2, REKEY); the nonce goes on. Needs a key.
 */
void cipher_rekey(struct cipher *c);
/* Call after each transport message sent or received: rekeys when the nonce has come to a multiple
   of CIPHER_REKEY_MESSAGES. Both sides do it, so nothing is said on the wire. */
void cipher_rekey_when_due(struct cipher *c);
/* Wipes the key; only then may the memory go. */
void cipher_clear(struct cipher *c);

/* What a handshake starts from; read during noise_init only (all pointers borrowed for the call).
 */
struct noise_config {
    const char *protocol; /* "Noise_XX_25519_ChaChaPoly_BLAKE2b" and the like */
    bool initiator;
    struct slice prologue;    /* both sides' constant: magic and version */
    const uint8_t *s_private; /* own static key, or NULL where the pattern has none */
    const uint8_t *s_public;  /* given with s_private (so that a responder need not compute it) */
    const uint8_t *e_private; /* fresh 32 random bytes; the only source of ephemerals */
    const uint8_t *rs;        /* the other's static public key, only for a pre-message */
    const uint8_t (*psks)[NOISE_KEY_BYTES]; /* in the order in which the pattern uses them */
    size_t n_psks;
};

/* Spec sections 5.2 and 5.3. Caller owns it; fields are noise.c's. */
struct noise {
    uint8_t ck[NOISE_HASH_BYTES];
    uint8_t h[NOISE_HASH_BYTES];
    struct cipher cipher;
    uint8_t s_private[NOISE_KEY_BYTES], s_public[NOISE_KEY_BYTES];
    uint8_t e_private[NOISE_KEY_BYTES], e_public[NOISE_KEY_BYTES];
    uint8_t rs[NOISE_KEY_BYTES], re[NOISE_KEY_BYTES];
    uint8_t psks[NOISE_MOST_PSKS][NOISE_KEY_BYTES];
    uint8_t tokens[NOISE_MOST_MESSAGES][NOISE_MOST_TOKENS]; /* enum token, 0 at the end */
    uint8_t n_messages, at_message, at_psk;
    bool initiator, one_way, has_rs, psk_mode, alive;
};

/* Starts a handshake: no Diffie-Hellman and no allocation, about one hash. Returns 0, or
   RAPPORT_INVALID for an unknown protocol name or when the keys given are not exactly those that
   the pattern needs (a key too few, a psk too many); then `n` is cleared. */
int noise_init(struct noise *n, const struct noise_config *config);
/* Appends our next handshake message, carrying `payload`, to `out`. Returns 0; RAPPORT_STATE when
   it is not our turn, or after a failure; RAPPORT_LIMIT past NOISE_MOST_MESSAGE; RAPPORT_NOMEM;
   RAPPORT_AUTH when a Diffie-Hellman result is all zero (the other sent a low-order point): dead.
 */
int noise_write(struct noise *n, struct slice payload, struct buf *out);
/* Reads the other's next handshake message and appends its payload to `payload`. Returns 0;
   RAPPORT_STATE, RAPPORT_LIMIT and RAPPORT_NOMEM as noise_write; RAPPORT_TRUNCATED or RAPPORT_AUTH
   for a message that is too short or not authentic (wrong psk too): dead. On failure nothing is
   written. Close in the same way for each of them, so that a stranger learns no difference. */
int noise_read(struct noise *n, struct slice message, struct buf *payload);
/* True when it is our turn to write. */
bool noise_my_turn(const struct noise *n);
/* True when all messages went through and noise_split can follow. */
bool noise_done(const struct noise *n);
/* Gives the two transport ciphers and the handshake hash (for channel binding, crypto/ticket.h),
   then wipes everything but the remote static key. Returns 0, or RAPPORT_STATE before noise_done.
   In a one-way pattern the direction that does not exist gets a cipher without a key. */
int noise_split(struct noise *n, struct cipher *send, struct cipher *recv,
                uint8_t h[NOISE_HASH_BYTES]);
/* The other's static public key (32 bytes, borrowed), also after noise_split; NULL while it is not
   known. Known means read, authentic only with the message that came with it. */
const uint8_t *noise_remote_static(const struct noise *n);
/* Wipes all. Safe on a zeroed one and twice. */
void noise_clear(struct noise *n);

#endif

/*
 * epoch.h - the keys of one epoch of a report, all from its one secret.
 *
 * The secret (32 random bytes, made by the device that rotates, sealed to each member) is never
 * used as a key itself: each use has a BLAKE2b key of its own, keyed by the secret, with its own
 * personal string. The id is public: it names the epoch in delta headers and shows that a secret
 * which was unsealed is the right one.
 */
#ifndef CRYPTO_EPOCH_H
#define CRYPTO_EPOCH_H

#include <stdint.h>

enum {
    EPOCH_SECRET_BYTES = 32,
    EPOCH_ID_BYTES = 8
};

struct epoch_keys {
    uint8_t secret[EPOCH_SECRET_BYTES];
    uint8_t id[EPOCH_ID_BYTES];
    uint8_t content[32];   /* payloads of deltas, crypto/seal.h */
    uint8_t psk[32];       /* Noise XXpsk0 */
    uint8_t discovery[32]; /* blinded tags on the LAN */
    uint8_t blob[32];      /* keys of attachments */
};

/* Derives everything from the secret. */
void epoch_from_secret(struct epoch_keys *e, const uint8_t secret[EPOCH_SECRET_BYTES]);
/* Writes the id that a secret has, without deriving the rest. */
void epoch_id(uint8_t out[EPOCH_ID_BYTES], const uint8_t secret[EPOCH_SECRET_BYTES]);
/* Wipes all of it. */
void epoch_wipe(struct epoch_keys *e);

#endif

/*
 * seal.h - sealing of payloads (everybody with the epoch's secret opens them) and of boxes (one
 * device opens them).
 *
 * A sealed payload is nonce ‖ XChaCha20-Poly1305 ciphertext ‖ tag under the epoch's content key,
 * with the header as associated data. The nonce is a keyed hash over header and plaintext: a
 * restored backup or a copied log can then never use one nonce for two texts; equal header and text
 * give equal bytes, which is what makes a delta reproducible. Nothing is ever compressed inside.
 *
 * A box is libsodium's sealed box byte for byte (ephemeral public key ‖ crypto_box, nonce =
 * BLAKE2b-192 of both public keys), with the ephemeral key from the caller instead of from the
 * system.
 *
 *     payload          offset  bytes        box              offset  bytes
 *     nonce                 0     24        ephemeral key         0     32
 *     ciphertext           24      n        tag                  32     16
 *     tag              24 + n     16        ciphertext           48      n
 */
#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H

#include "crypto/device.h"
#include "crypto/epoch.h"

enum {
    PAYLOAD_OVERHEAD = 40, /* nonce and tag */
    BOX_OVERHEAD = 48,     /* ephemeral key and tag */
    SEAL_MOST_PLAIN = 1 << 24
};

/* Appends the sealed form of `plain` (at most SEAL_MOST_PLAIN bytes; may be empty) to `out`.
   Returns 0, RAPPORT_LIMIT or RAPPORT_NOMEM. Inputs must not point into `out`. */
int payload_seal(const struct epoch_keys *epoch, struct slice header, struct slice plain,
                 struct buf *out);
/* Appends the text of a sealed payload to `plain`. Returns 0; RAPPORT_AUTH when this key does not
   open it with this header, or when its nonce is not the one that its text has (so one text under
   one header has exactly one sealed form); RAPPORT_TRUNCATED below PAYLOAD_OVERHEAD; RAPPORT_LIMIT;
   RAPPORT_NOMEM. Writes only on success. */
int payload_open(const struct epoch_keys *epoch, struct slice header, struct slice sealed,
                 struct buf *plain);

/* Seals to a device. `ephemeral_seed`: 32 fresh random bytes, for this box only. Appends to `out`.
   Returns 0, RAPPORT_AUTH for a seal_public that is a low-order point, RAPPORT_LIMIT,
   RAPPORT_NOMEM. */
int box_seal(const uint8_t seal_public[DEVICE_KEY_BYTES], struct slice plain,
             const uint8_t ephemeral_seed[32], struct buf *out);
/* Opens a box made for this device. Returns 0, RAPPORT_AUTH, RAPPORT_TRUNCATED below BOX_OVERHEAD,
   RAPPORT_LIMIT, RAPPORT_NOMEM. Writes only on success. */
int box_open(const struct device_keys *keys, struct slice sealed, struct buf *plain);

#endif

/*
 * hkdf.h - HMAC and HKDF over BLAKE2b as Noise uses them (rev. 34 sections 4.3 and 5.2; RFC 2104).
 *
 * libsodium has neither. This is not keyed BLAKE2b (crypto/hash.h), and nothing outside of
 * noise.c should want it; the header exists for noise.c and for its known-answer tests.
 */
#ifndef CRYPTO_HKDF_H
#define CRYPTO_HKDF_H

#include "base/slice.h"

enum {
    HKDF_HASH_BYTES = 64,  /* HASHLEN */
    HKDF_BLOCK_BYTES = 128 /* BLOCKLEN */
};

/* HASH(a ‖ b): BLAKE2b-512 without key. `out` may be where a or b is. */
void hkdf_hash(uint8_t out[HKDF_HASH_BYTES], struct slice a, struct slice b);
/* HMAC-HASH(key, a ‖ b). `out` may be where the key, a or b is. */
void hkdf_hmac(uint8_t out[HKDF_HASH_BYTES], const uint8_t key[HKDF_HASH_BYTES], struct slice a,
               struct slice b);
/* HKDF(chaining_key, input, n) with n = 1 to 3 outputs in a row of 64 bytes each. `out` must not be
 * where the inputs are. */
void hkdf(uint8_t (*out)[HKDF_HASH_BYTES], size_t n, const uint8_t chaining_key[HKDF_HASH_BYTES],
          struct slice input);

#endif

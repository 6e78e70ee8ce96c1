/*
 * hash.h - BLAKE2b with domain separation (RFC 7693; libsodium's personal parameter).
 *
 * Every use has a personal string of its own, at most 16 bytes, "rapport " in front, so that no
 * hash made for one purpose is ever valid for another. Streaming adds raw bytes: where fields of
 * varying length follow each other, add the length first (hash_add_u64). Keyed hashing is
 * BLAKE2b's own, not HMAC; Noise's HMAC lives in crypto/noise.c.
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <sodium/crypto_generichash_blake2b.h>

#include "base/slice.h"

enum {
    HASH_BYTES = 32,          /* content hashes: deltas, records */
    ID_BYTES = 16,            /* log ids, device ids, invite ids */
    HASH_PERSONAL_BYTES = 16, /* the longest personal string */
    HASH_MOST_BYTES = 64,     /* the longest output and the longest key */
};

/* Keep it on the stack: libsodium aligns its state to 64 bytes, which malloc does not promise. */
struct hash {
    crypto_generichash_blake2b_state state;
    size_t out_len; /* bytes */
};

/* Starts a hash of out_len bytes (1 to HASH_MOST_BYTES). `personal`: 1 to 16 bytes, a constant of
   the code. `key` may be NULL when key_len is 0, else 1 to HASH_MOST_BYTES bytes. The output length
   is part of the hash: a 16-byte hash is not the front of the 32-byte one. */
void hash_start(struct hash *h, const char *personal, const uint8_t *key, size_t key_len,
                size_t out_len);
/* Adds bytes as they are. */
void hash_add(struct hash *h, struct slice bytes);
/* Adds a number as 8 bytes, big-endian. */
void hash_add_u64(struct hash *h, uint64_t v);
/* Writes out_len bytes to `out` and wipes the state; start again before the next use. */
void hash_end(struct hash *h, void *out);

/* One call, no key: hash of the length of a (8 bytes, big-endian), a, b. So ("ab", "c") and
   ("a", "bc") differ. Either may be empty. */
void hash_of(void *out, size_t out_len, const char *personal, struct slice a, struct slice b);
/* The same under a key of 32 bytes: key derivation, blinded tags. */
void hash_keyed(void *out, size_t out_len, const char *personal, const uint8_t key[32],
                struct slice a, struct slice b);

#endif

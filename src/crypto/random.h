/*
 * random.h - the only generator of the core: deterministic for a seed, forward secure.
 *
 * Fast key erasure: each request runs ChaCha20 under the key, the first 32 bytes of the stream
 * become the next key and the rest goes out, so a state read from memory later tells nothing of
 * what was drawn before. The driver seeds it with 32 fresh bytes at each start and never from disk;
 * the simulator with its seed. What comes out depends on the sequence of calls, not only on how
 * many bytes were drawn. Not for two threads at once.
 */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint8_t key[32];
    uint64_t n; /* keys used up so far; the nonce of the next stream */
};

/* Starts from a seed; the same seed gives the same bytes. The caller wipes its copy of the seed. */
void rng_init(struct rng *r, const uint8_t seed[32]);
/* Writes n random bytes to `out`. */
void rng_bytes(struct rng *r, void *out, size_t n);
/* Returns 64 random bits. */
uint64_t rng_u64(struct rng *r);
/* Returns a number in 0 to n - 1, uniform (no modulo bias); n is at least 1. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* Starts `child` from 32 bytes of `parent`: independent streams, so that drawing more in one place
 * does not change what another place gets. */
void rng_fork(struct rng *parent, struct rng *child);
/* Wipes the state; it must be started again before use. */
void rng_wipe(struct rng *r);

#endif

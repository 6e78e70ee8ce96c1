/* random.c - fast-key-erasure generator over ChaCha20 (see random.h; Bernstein, "Fast-key-erasure
 * random-number generators", 2017). */
#include "crypto/random.h"

#include <assert.h>
#include <sodium/crypto_stream_chacha20.h>
#include <sodium/utils.h>
#include <string.h>

enum {
    RNG_BLOCK_BYTES = 512, /* of one stream: the next key, then what goes out */
    RNG_CHUNK_BYTES = RNG_BLOCK_BYTES - 32
};

void rng_init(struct rng *r, const uint8_t seed[32])
{
    memcpy(r->key, seed, sizeof r->key);
    r->n = 0;
}

static void draw(struct rng *r, uint8_t *out, size_t n)
{
    uint8_t block[RNG_BLOCK_BYTES];
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    for (size_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)(r->n >> (8 * i));
    crypto_stream_chacha20(block, sizeof r->key + n, nonce, r->key);
    memcpy(r->key, block, sizeof r->key);
    memcpy(out, block + sizeof r->key, n);
    r->n++;
    sodium_memzero(block, sizeof block);
}

void rng_bytes(struct rng *r, void *out, size_t n)
{
    uint8_t *p = out;
    while (n > 0) {
        size_t chunk = n < RNG_CHUNK_BYTES ? n : RNG_CHUNK_BYTES;
        draw(r, p, chunk);
        p += chunk;
        n -= chunk;
    }
}

uint64_t rng_u64(struct rng *r)
{
    uint8_t bytes[8];
    rng_bytes(r, bytes, sizeof bytes);
    uint64_t v = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        v = v << 8 | bytes[i]; /* by shifts: the same on every machine */
    return v;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    assert(n > 0);
    uint64_t uneven = (0 - n) % n; /* 2^64 mod n: below it, low results would be too frequent */
    uint64_t v;
    do
        v = rng_u64(r);
    while (v < uneven);
    return v % n;
}

void rng_fork(struct rng *parent, struct rng *child)
{
    uint8_t seed[32];
    rng_bytes(parent, seed, sizeof seed);
    rng_init(child, seed);
    sodium_memzero(seed, sizeof seed);
}

void rng_wipe(struct rng *r)
{
    sodium_memzero(r, sizeof *r);
}

/* hkdf.c - HMAC-BLAKE2b and HKDF (see hkdf.h). */
#include "crypto/hkdf.h"

#include <assert.h>
#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/utils.h>

static void update(crypto_generichash_blake2b_state *state, struct slice s)
{
    if (s.len)
        crypto_generichash_blake2b_update(state, s.ptr, s.len);
}

/* One of HMAC's two hashes: the key, zero-padded to a block and masked, then a and b. */
static void masked_hash(uint8_t out[HKDF_HASH_BYTES], const uint8_t block[HKDF_BLOCK_BYTES],
                        uint8_t mask, struct slice a, struct slice b)
{
    crypto_generichash_blake2b_state state;
    uint8_t masked[HKDF_BLOCK_BYTES];
    for (size_t i = 0; i < sizeof masked; i++)
        masked[i] = block[i] ^ mask;
    crypto_generichash_blake2b_init(&state, NULL, 0, HKDF_HASH_BYTES);
    update(&state, slice_of(masked, sizeof masked));
    update(&state, a);
    update(&state, b);
    crypto_generichash_blake2b_final(&state, out, HKDF_HASH_BYTES);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(masked, sizeof masked);
}

void hkdf_hash(uint8_t out[HKDF_HASH_BYTES], struct slice a, struct slice b)
{
    crypto_generichash_blake2b_state state;
    crypto_generichash_blake2b_init(&state, NULL, 0, HKDF_HASH_BYTES);
    update(&state, a);
    update(&state, b);
    crypto_generichash_blake2b_final(&state, out, HKDF_HASH_BYTES);
}

void hkdf_hmac(uint8_t out[HKDF_HASH_BYTES], const uint8_t key[HKDF_HASH_BYTES], struct slice a,
               struct slice b)
{
    uint8_t block[HKDF_BLOCK_BYTES] = {0};
    uint8_t inner[HKDF_HASH_BYTES];
    memcpy(block, key, HKDF_HASH_BYTES);
    masked_hash(inner, block, 0x36, a, b);
    masked_hash(out, block, 0x5c, slice_of(inner, sizeof inner), (struct slice){0});
    sodium_memzero(block, sizeof block);
    sodium_memzero(inner, sizeof inner);
}

void hkdf(uint8_t (*out)[HKDF_HASH_BYTES], size_t n, const uint8_t chaining_key[HKDF_HASH_BYTES],
          struct slice input)
{
    assert(n >= 1 && n <= 3);
    uint8_t temp_key[HKDF_HASH_BYTES];
    hkdf_hmac(temp_key, chaining_key, input, (struct slice){0});
    struct slice previous = {0};
    for (size_t i = 0; i < n; i++) {
        uint8_t counter = (uint8_t)(i + 1);
        hkdf_hmac(out[i], temp_key, previous, slice_of(&counter, 1));
        previous = slice_of(out[i], HKDF_HASH_BYTES);
    }
    sodium_memzero(temp_key, sizeof temp_key);
}

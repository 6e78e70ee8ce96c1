/* hash.c - BLAKE2b with personal strings (see hash.h). What libsodium refuses here only a bug can
 * ask for, so it is asserted. */
#include "crypto/hash.h"

#include <assert.h>
#include <sodium/utils.h>

_Static_assert(HASH_PERSONAL_BYTES == crypto_generichash_blake2b_PERSONALBYTES, "personal");
_Static_assert(HASH_MOST_BYTES == crypto_generichash_blake2b_BYTES_MAX, "output");
_Static_assert(HASH_MOST_BYTES == crypto_generichash_blake2b_KEYBYTES_MAX, "key");

void hash_start(struct hash *h, const char *personal, const uint8_t *key, size_t key_len,
                size_t out_len)
{
    uint8_t padded[HASH_PERSONAL_BYTES] = {0};
    size_t len = strlen(personal);
    assert(len > 0 && len <= sizeof padded);
    memcpy(padded, personal, len);
    int refused = crypto_generichash_blake2b_init_salt_personal(&h->state, key, key_len, out_len,
                                                                NULL, padded);
    assert(!refused);
    (void)refused;
    h->out_len = out_len;
}

void hash_add(struct hash *h, struct slice bytes)
{
    if (bytes.len)
        crypto_generichash_blake2b_update(&h->state, bytes.ptr, bytes.len);
}

void hash_add_u64(struct hash *h, uint64_t v)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(v >> (56 - 8 * i));
    hash_add(h, slice_of(bytes, sizeof bytes));
}

void hash_end(struct hash *h, void *out)
{
    crypto_generichash_blake2b_final(&h->state, out, h->out_len);
    sodium_memzero(h, sizeof *h);
}

static void hash_pair(struct hash *h, struct slice a, struct slice b, void *out)
{
    hash_add_u64(h, a.len);
    hash_add(h, a);
    hash_add(h, b);
    hash_end(h, out);
}

void hash_of(void *out, size_t out_len, const char *personal, struct slice a, struct slice b)
{
    struct hash h;
    hash_start(&h, personal, NULL, 0, out_len);
    hash_pair(&h, a, b, out);
}

void hash_keyed(void *out, size_t out_len, const char *personal, const uint8_t key[32],
                struct slice a, struct slice b)
{
    struct hash h;
    hash_start(&h, personal, key, 32, out_len);
    hash_pair(&h, a, b, out);
}

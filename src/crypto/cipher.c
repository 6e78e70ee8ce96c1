/* cipher.c - Noise's CipherState (rev. 34 section 5.1) over ChaCha20-Poly1305 (see noise.h). */
#include <assert.h>
#include <sodium/crypto_aead_chacha20poly1305.h>
#include <sodium/utils.h>

#include "crypto/noise.h"
#include "rapport/error.h"

enum {
    NONCE_BYTES = crypto_aead_chacha20poly1305_ietf_NPUBBYTES
};
_Static_assert(NOISE_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(NOISE_KEY_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "key");

/* Section 12.3: 32 zero bits, then n little-endian. */
static void nonce_of(uint8_t out[NONCE_BYTES], uint64_t n)
{
    memset(out, 0, 4);
    for (size_t i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(n >> (8 * i));
}

int cipher_encrypt(struct cipher *c, struct slice ad, struct slice plain, struct buf *out)
{
    if (!c->has_key)
        return RAPPORT_STATE;
    if (plain.len > NOISE_MOST_PLAIN || c->n == UINT64_MAX)
        return RAPPORT_LIMIT;
    uint8_t *room = buf_reserve(out, plain.len + NOISE_TAG_BYTES);
    if (!room)
        return buf_error(out);
    uint8_t nonce[NONCE_BYTES];
    nonce_of(nonce, c->n);
    crypto_aead_chacha20poly1305_ietf_encrypt(room, NULL, plain.ptr, plain.len, ad.ptr, ad.len,
                                              NULL, nonce, c->key);
    out->len += plain.len + NOISE_TAG_BYTES;
    c->n++;
    return 0;
}

int cipher_decrypt(struct cipher *c, struct slice ad, struct slice sealed, struct buf *out)
{
    if (!c->has_key)
        return RAPPORT_STATE;
    if (sealed.len < NOISE_TAG_BYTES)
        return RAPPORT_TRUNCATED;
    if (sealed.len > NOISE_MOST_MESSAGE || c->n == UINT64_MAX)
        return RAPPORT_LIMIT;
    uint8_t *room = buf_reserve(out, sealed.len); /* some even for an empty text */
    if (!room)
        return buf_error(out);
    uint8_t nonce[NONCE_BYTES];
    nonce_of(nonce, c->n);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(room, NULL, NULL, sealed.ptr, sealed.len, ad.ptr,
                                                  ad.len, nonce, c->key) != 0)
        return RAPPORT_AUTH;
    out->len += sealed.len - NOISE_TAG_BYTES;
    c->n++;
    return 0;
}

/* k = the first 32 bytes of ENCRYPT(k, 2^64 - 1, "", 32 zero bytes). */
void cipher_rekey(struct cipher *c)
{
    assert(c->has_key);
    static const uint8_t zeros[NOISE_KEY_BYTES];
    uint8_t nonce[NONCE_BYTES], sealed[NOISE_KEY_BYTES + NOISE_TAG_BYTES];
    nonce_of(nonce, UINT64_MAX);
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, zeros, sizeof zeros, NULL, 0, NULL,
                                              nonce, c->key);
    memcpy(c->key, sealed, sizeof c->key);
    sodium_memzero(sealed, sizeof sealed);
}

void cipher_rekey_when_due(struct cipher *c)
{
    if (c->n % CIPHER_REKEY_MESSAGES == 0)
        cipher_rekey(c);
}

void cipher_clear(struct cipher *c)
{
    sodium_memzero(c, sizeof *c);
}

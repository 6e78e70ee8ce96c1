/* seal.c - sealed payloads and sealed boxes (see seal.h for both layouts). */
#include "crypto/seal.h"

#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_box.h>
#include <sodium/crypto_generichash.h>
#include <sodium/utils.h>

#include "rapport/error.h"

enum {
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES
};
_Static_assert(PAYLOAD_OVERHEAD == NONCE_BYTES + TAG_BYTES, "payload layout");
_Static_assert(BOX_OVERHEAD == crypto_box_SEALBYTES, "box layout");

static void payload_nonce(uint8_t out[NONCE_BYTES], const struct epoch_keys *epoch,
                          struct slice header, struct slice plain)
{
    hash_keyed(out, NONCE_BYTES, "rapport nonce", epoch->content, header, plain);
}

int payload_seal(const struct epoch_keys *epoch, struct slice header, struct slice plain,
                 struct buf *out)
{
    if (plain.len > SEAL_MOST_PLAIN)
        return RAPPORT_LIMIT;
    uint8_t *nonce = buf_reserve(out, PAYLOAD_OVERHEAD + plain.len);
    if (!nonce)
        return buf_error(out);
    payload_nonce(nonce, epoch, header, plain);
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, plain.ptr, plain.len,
                                               header.ptr, header.len, NULL, nonce, epoch->content);
    out->len += PAYLOAD_OVERHEAD + plain.len;
    return 0;
}

int payload_open(const struct epoch_keys *epoch, struct slice header, struct slice sealed,
                 struct buf *plain)
{
    if (sealed.len < PAYLOAD_OVERHEAD)
        return RAPPORT_TRUNCATED;
    if (sealed.len - PAYLOAD_OVERHEAD > SEAL_MOST_PLAIN)
        return RAPPORT_LIMIT;
    uint8_t *room = buf_reserve(plain, sealed.len); /* some even for an empty text */
    if (!room)
        return buf_error(plain);
    struct slice box = slice_skip(sealed, NONCE_BYTES);
    size_t len = box.len - TAG_BYTES;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(room, NULL, NULL, box.ptr, box.len, header.ptr,
                                                   header.len, sealed.ptr, epoch->content) != 0)
        return RAPPORT_AUTH;
    /* Poly1305 alone does not tie a ciphertext to one key; the keyed hash in the nonce does. */
    uint8_t nonce[NONCE_BYTES];
    payload_nonce(nonce, epoch, header, slice_of(room, len));
    if (sodium_memcmp(nonce, sealed.ptr, sizeof nonce) != 0) {
        sodium_memzero(room, len);
        return RAPPORT_AUTH;
    }
    plain->len += len;
    return 0;
}

static void box_nonce(uint8_t out[crypto_box_NONCEBYTES], const uint8_t *ephemeral_public,
                      const uint8_t *seal_public)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, crypto_box_NONCEBYTES);
    crypto_generichash_update(&state, ephemeral_public, crypto_box_PUBLICKEYBYTES);
    crypto_generichash_update(&state, seal_public, crypto_box_PUBLICKEYBYTES);
    crypto_generichash_final(&state, out, crypto_box_NONCEBYTES);
}

int box_seal(const uint8_t seal_public[DEVICE_KEY_BYTES], struct slice plain,
             const uint8_t ephemeral_seed[32], struct buf *out)
{
    if (plain.len > SEAL_MOST_PLAIN)
        return RAPPORT_LIMIT;
    uint8_t *room = buf_reserve(out, BOX_OVERHEAD + plain.len);
    if (!room)
        return buf_error(out);
    uint8_t secret[crypto_box_SECRETKEYBYTES], nonce[crypto_box_NONCEBYTES];
    crypto_box_seed_keypair(room, secret, ephemeral_seed);
    box_nonce(nonce, room, seal_public);
    int refused = crypto_box_easy(room + crypto_box_PUBLICKEYBYTES, plain.ptr, plain.len, nonce,
                                  seal_public, secret);
    sodium_memzero(secret, sizeof secret);
    if (refused)
        return RAPPORT_AUTH;
    out->len += BOX_OVERHEAD + plain.len;
    return 0;
}

int box_open(const struct device_keys *keys, struct slice sealed, struct buf *plain)
{
    if (sealed.len < BOX_OVERHEAD)
        return RAPPORT_TRUNCATED;
    if (sealed.len - BOX_OVERHEAD > SEAL_MOST_PLAIN)
        return RAPPORT_LIMIT;
    uint8_t *room = buf_reserve(plain, sealed.len);
    if (!room)
        return buf_error(plain);
    uint8_t nonce[crypto_box_NONCEBYTES];
    box_nonce(nonce, sealed.ptr, keys->seal_public);
    struct slice box = slice_skip(sealed, crypto_box_PUBLICKEYBYTES);
    if (crypto_box_open_easy(room, box.ptr, box.len, nonce, sealed.ptr, keys->seal_secret) != 0)
        return RAPPORT_AUTH;
    plain->len += sealed.len - BOX_OVERHEAD;
    return 0;
}

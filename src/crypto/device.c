/*
 * device.c - device keys and the card (see device.h).
 *
 *     card = msgpack array
 *     0  1 (format)      uint          4  name         str 1..64
 *     1  sign_public     bin 32        5  made_at_ms   uint, at most DEVICE_MOST_TIME_MS
 *     2  noise_public    bin 32        6  signature    bin 64
 *     3  seal_public     bin 32           over the array of items 0 to 5, context SIGN_CARD
 */
#include "crypto/device.h"

#include <sodium/crypto_scalarmult.h>
#include <sodium/crypto_sign.h>
#include <sodium/utils.h>

#include "base/mp.h"
#include "base/utf8.h"
#include "rapport/error.h"

enum {
    CARD_FORMAT = 1,
    CARD_ITEMS = 7
};

void device_keys_from_seed(struct device_keys *k, const uint8_t seed[DEVICE_KEY_BYTES])
{
    uint8_t sign_seed[crypto_sign_SEEDBYTES];
    struct slice none = {0};
    memcpy(k->seed, seed, sizeof k->seed);
    hash_keyed(sign_seed, sizeof sign_seed, "rapport dev-sign", seed, none, none);
    hash_keyed(k->noise_secret, sizeof k->noise_secret, "rapport dev-nois", seed, none, none);
    hash_keyed(k->seal_secret, sizeof k->seal_secret, "rapport dev-seal", seed, none, none);
    crypto_sign_seed_keypair(k->sign_public, k->sign_secret, sign_seed);
    crypto_scalarmult_base(k->noise_public, k->noise_secret);
    crypto_scalarmult_base(k->seal_public, k->seal_secret);
    sodium_memzero(sign_seed, sizeof sign_seed);
}

void device_keys_wipe(struct device_keys *k)
{
    sodium_memzero(k, sizeof *k);
}

int sign_make(uint8_t out[SIGN_BYTES], const struct device_keys *keys, const char *context,
              struct slice message)
{
    return sign_with(out, keys->sign_secret, context, message);
}

void device_id(uint8_t out[ID_BYTES], const uint8_t sign_public[SIGN_PUBLIC_BYTES])
{
    hash_of(out, ID_BYTES, "rapport device", slice_of(sign_public, SIGN_PUBLIC_BYTES),
            (struct slice){0});
}

/* What a name may not hold: it could hide, reorder or break the line that it is shown in. */
static bool harmful(int32_t cp)
{
    bool control = cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
    bool separator = cp == 0x2028 || cp == 0x2029;
    bool bidi = cp == 0x61c || cp == 0x200e || cp == 0x200f || (cp >= 0x202a && cp <= 0x202e) ||
                (cp >= 0x2066 && cp <= 0x2069);
    bool invisible = cp == 0xfeff || (cp >= 0xfff9 && cp <= 0xfffb) ||
                     (cp >= 0xe0000 && cp <= 0xe007f) || (cp & 0xfffe) == 0xfffe;
    return control || separator || bidi || invisible;
}

bool name_valid(struct slice name)
{
    if (name.len == 0 || name.len > DEVICE_MOST_NAME)
        return false;
    if (name.ptr[0] == ' ' || name.ptr[name.len - 1] == ' ')
        return false;
    for (size_t at = 0; at < name.len;)
        if (harmful(utf8_next(name, &at))) /* -1, not valid, is below 0x20 too */
            return false;
    return true;
}

static void put_fields(const struct device_card *card, struct buf *out)
{
    mp_put_u64(out, CARD_FORMAT);
    mp_put_bin(out, card->sign_public, sizeof card->sign_public);
    mp_put_bin(out, card->noise_public, sizeof card->noise_public);
    mp_put_bin(out, card->seal_public, sizeof card->seal_public);
    mp_put_cstr(out, card->name);
    mp_put_u64(out, card->made_at_ms);
}

static int signed_bytes(const struct device_card *card, struct buf *out)
{
    mp_put_array(out, CARD_ITEMS - 1);
    put_fields(card, out);
    return buf_error(out);
}

int card_make(struct device_card *card, const struct device_keys *keys, struct slice name,
              uint64_t made_at_ms)
{
    if (!name_valid(name) || made_at_ms > DEVICE_MOST_TIME_MS)
        return RAPPORT_INVALID;
    struct device_card c = {.made_at_ms = made_at_ms};
    memcpy(c.sign_public, keys->sign_public, sizeof c.sign_public);
    memcpy(c.noise_public, keys->noise_public, sizeof c.noise_public);
    memcpy(c.seal_public, keys->seal_public, sizeof c.seal_public);
    memcpy(c.name, name.ptr, name.len);
    struct buf b = BUF_INIT;
    int error = signed_bytes(&c, &b);
    if (!error)
        error = sign_make(c.signature, keys, SIGN_CARD, buf_slice(&b));
    if (!error)
        *card = c;
    buf_clear(&b);
    return error;
}

void card_encode(const struct device_card *card, struct buf *out)
{
    mp_put_array(out, CARD_ITEMS);
    put_fields(card, out);
    mp_put_bin(out, card->signature, sizeof card->signature);
}

static int read_fields(struct mp_array *a, struct device_card *card)
{
    uint64_t format = mp_u64(a, UINT64_MAX);
    if (!*a->error && format != CARD_FORMAT)
        mp_fail(a, format > CARD_FORMAT ? RAPPORT_VERSION : RAPPORT_MALFORMED);
    mp_bin_copy(a, card->sign_public, sizeof card->sign_public);
    mp_bin_copy(a, card->noise_public, sizeof card->noise_public);
    mp_bin_copy(a, card->seal_public, sizeof card->seal_public);
    struct slice name = mp_str(a, DEVICE_MOST_NAME);
    card->made_at_ms = mp_u64(a, DEVICE_MOST_TIME_MS);
    mp_bin_copy(a, card->signature, sizeof card->signature);
    if (mp_end(a) == 0 && !name_valid(name))
        mp_fail(a, RAPPORT_MALFORMED);
    if (!*a->error)
        memcpy(card->name, name.ptr, name.len);
    return *a->error;
}

static int verify(const struct device_card *card)
{
    struct buf b = BUF_INIT;
    int error = signed_bytes(card, &b);
    if (!error)
        error = sign_verify(card->sign_public, SIGN_CARD, buf_slice(&b), card->signature);
    buf_clear(&b);
    return error;
}

int card_decode(struct slice bytes, struct device_card *card)
{
    if (bytes.len > DEVICE_MOST_CARD)
        return RAPPORT_LIMIT;
    struct mp_doc doc;
    int error = mp_open(&doc, bytes, DEVICE_MOST_CARD);
    if (error)
        return error;
    struct device_card c = {0};
    struct mp_array root = mp_root(&doc, &error);
    error = read_fields(&root, &c);
    mp_close(&doc);
    if (!error)
        error = verify(&c);
    if (!error)
        *card = c;
    return error;
}

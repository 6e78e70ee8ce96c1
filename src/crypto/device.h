/*
 * device.h - what a device is: three key pairs from one seed, and the signed card that binds them.
 *
 * Ed25519 signs, one X25519 pair is for Noise alone and one for sealed boxes alone (a key used in
 * two protocols has two ways to be lost, and converted Ed25519 keys are not injective). Only the
 * seed is ever stored. The card is public: members show it to each other; it says nothing about
 * membership, which is the roster's business.
 */
#ifndef CRYPTO_DEVICE_H
#define CRYPTO_DEVICE_H

#include "base/buf.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

enum {
    DEVICE_KEY_BYTES = 32,
    DEVICE_MOST_NAME = 64, /* bytes of UTF-8 */
    DEVICE_MOST_CARD = 256 /* bytes of an encoded card; the longest has 245 */
};
#define DEVICE_MOST_TIME_MS UINT64_C(253402300799999) /* the end of the year 9999 */

struct device_keys {
    uint8_t seed[DEVICE_KEY_BYTES];
    uint8_t sign_public[SIGN_PUBLIC_BYTES], sign_secret[SIGN_SECRET_BYTES];
    uint8_t noise_public[DEVICE_KEY_BYTES], noise_secret[DEVICE_KEY_BYTES];
    uint8_t seal_public[DEVICE_KEY_BYTES], seal_secret[DEVICE_KEY_BYTES];
};

struct device_card {
    uint8_t sign_public[SIGN_PUBLIC_BYTES];
    uint8_t noise_public[DEVICE_KEY_BYTES];
    uint8_t seal_public[DEVICE_KEY_BYTES];
    char name[DEVICE_MOST_NAME + 1]; /* name_valid, NUL behind it */
    uint64_t made_at_ms; /* wall clock of the maker: a claim, for display; <= DEVICE_MOST_TIME_MS */
    uint8_t signature[SIGN_BYTES];
};

/* Makes all keys from 32 secret random bytes; each pair from a sub-seed of its own. */
void device_keys_from_seed(struct device_keys *k, const uint8_t seed[DEVICE_KEY_BYTES]);
/* Wipes all of it. */
void device_keys_wipe(struct device_keys *k);
/* Signs with the device's Ed25519 key; see sign_with. */
int sign_make(uint8_t out[SIGN_BYTES], const struct device_keys *keys, const char *context,
              struct slice message);

/* A name that may be shown: 1 to DEVICE_MOST_NAME bytes of valid UTF-8, no control character, line
   or paragraph separator, bidirectional control, invisible tag, byte order mark or noncharacter, no
   blank at either end. Any Unicode normal form. */
bool name_valid(struct slice name);

/* Makes and signs a card. Returns 0, RAPPORT_INVALID for a name that is not name_valid or
   a time past DEVICE_MOST_TIME_MS, RAPPORT_NOMEM. */
int card_make(struct device_card *card, const struct device_keys *keys, struct slice name,
              uint64_t made_at_ms);
/* Appends the msgpack array [1, sign, noise, seal, name, made_at_ms, signature]; errors stick in
 * `out`. */
void card_encode(const struct device_card *card, struct buf *out);
/* Decodes exactly one card and verifies its signature; so a card that was decoded is authentic.
   Returns 0; RAPPORT_VERSION for a later format; RAPPORT_AUTH; RAPPORT_MALFORMED (name not
   name_valid too), RAPPORT_TRUNCATED, RAPPORT_LIMIT, RAPPORT_NOMEM. Writes only on success. */
int card_decode(struct slice bytes, struct device_card *card);

/* The device's id: BLAKE2b-128 of its signing key. */
void device_id(uint8_t out[ID_BYTES], const uint8_t sign_public[SIGN_PUBLIC_BYTES]);

#endif

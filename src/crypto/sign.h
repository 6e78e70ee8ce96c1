/*
 * sign.h - Ed25519 signatures, each bound to what it is for.
 *
 * What is signed is context ‖ 0 ‖ message, with one context string per kind of signed thing, so
 * that a signature made for a card can never be shown as one for a delta. Messages are short
 * (hashes, cards): longer things are hashed first. One verifier for all (libsodium's: refuses
 * non-canonical S and small-order keys), no batch verification, and nothing is ever identified by
 * its signature bytes.
 */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "base/slice.h"

enum {
    SIGN_PUBLIC_BYTES = 32,
    SIGN_SECRET_BYTES = 64, /* seed and public key, as libsodium keeps it */
    SIGN_BYTES = 64,
    SIGN_MOST_BYTES = 1024, /* context, zero byte and message together */
};

/* One per signed thing; a format that changes its meaning gets a new number. */
#define SIGN_CARD      "rapport card 1"
#define SIGN_DELTA     "rapport delta 1"
#define SIGN_INVITE    "rapport invite 1"
#define SIGN_BUNDLE    "rapport bundle 1"
#define SIGN_ADDRESSES "rapport addresses 1"

/* Signs. Returns 0, or RAPPORT_LIMIT past SIGN_MOST_BYTES. */
int sign_with(uint8_t out[SIGN_BYTES], const uint8_t secret[SIGN_SECRET_BYTES], const char *context,
              struct slice message);
/* Returns 0, or RAPPORT_AUTH when it is no signature of that key for that context and message. */
int sign_verify(const uint8_t sign_public[SIGN_PUBLIC_BYTES], const char *context,
                struct slice message, const uint8_t signature[SIGN_BYTES]);

#endif

/*
 * crypto.h - the one call that makes libsodium ready, for main programs.
 *
 * The layer itself draws no entropy: every random byte comes from a seeded generator
 * (crypto/random.h) or an argument. crypto_start lets libsodium pick its fast code for this
 * processor; without it everything here gives the same bytes, only slower. Inline, because
 * libsodium's start opens the system's random source: the core's archive must not ask for that,
 * only a program may.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <sodium/core.h>

#include "rapport/error.h"

/* Call once at the start of a program, before other threads. Returns 0, also when called again, or
 * RAPPORT_IO when libsodium cannot start (no /dev/urandom in a broken chroot). */
static inline int crypto_start(void)
{
    return sodium_init() < 0 ? RAPPORT_IO : 0;
}

#endif

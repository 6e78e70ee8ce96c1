/*
 * pattern.h - Noise handshake patterns (rev. 34 sections 7 and 9) as token lists, from protocol
 * names.
 *
 * All one-way, fundamental and deferred patterns, with psk modifiers; no fallback. For noise.c.
 */
#ifndef CRYPTO_PATTERN_H
#define CRYPTO_PATTERN_H

#include "crypto/noise.h"

enum token {
    TOKEN_END,
    TOKEN_E,
    TOKEN_S,
    TOKEN_EE,
    TOKEN_ES,
    TOKEN_SE,
    TOKEN_SS,
    TOKEN_PSK
};

struct pattern {
    uint8_t tokens[NOISE_MOST_MESSAGES][NOISE_MOST_TOKENS]; /* enum token, TOKEN_END behind */
    uint8_t n_messages;                                     /* the initiator's are 0, 2 */
    uint8_t n_psks;
    bool initiator_pre_s, responder_pre_s; /* pre-messages "-> s" and "<- s" */
};

/* Takes a protocol name such as NOISE_RAPPORT apart. Returns 0, or RAPPORT_INVALID when it is not
   Noise_<pattern>_25519_ChaChaPoly_BLAKE2b with a pattern of the table and psk modifiers in rising
   order, each once, none past the last message. */
int pattern_parse(const char *protocol, struct pattern *out);

/* The keys that one side must have from the start. */
struct pattern_keys {
    bool e, s; /* its own */
    bool rs;   /* the other's static key */
};

/* Tells them from the tokens and pre-messages. */
struct pattern_keys pattern_keys(const struct pattern *p, bool initiator);

#endif

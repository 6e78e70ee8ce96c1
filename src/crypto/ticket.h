/*
 * ticket.h - tickets: what a person pastes, scans or reads out to let a friend in; and the invite
 * behind one.
 *
 * A ticket holds the invite's seed, the inviter's Noise key and address hints, never the report's
 * secret. The seed makes an Ed25519 pair whose public key the members know from the roster (the
 * invite): its hash is the psk under which the joiner is let through to the handshake, and a
 * signature with it over the joiner's card and the handshake hash proves that the joiner holds the
 * ticket, on this very connection.
 *
 * Text: "rapport" ‖ one digit, the version (1) ‖ base32 of the bytes below. Upper case is the same
 * (QR codes are smaller in it); a "rapport:" in front and blanks around are allowed.
 *
 *     offset  bytes  field
 *          0      1  length of all that follows but the checksum, so that a cut is seen as a cut
 *          1      1  flags: bit 0 one_use; others zero
 *          2      1  n_uses, 1 to 255
 *          3     16  report_check
 *         19     32  invite_seed
 *         51     32  inviter_noise
 *         83      8  expires_s, big-endian, at most TICKET_MOST_EXPIRY
 *         91      1  n_addrs, 0 to TICKET_MOST_ADDRS
 *         92         each: family 4 or 6 (1), address (4 or 16), port (2, big-endian, not 0)
 *        end      4  checksum: BLAKE2b of all before, the version digit included
 */
#ifndef CRYPTO_TICKET_H
#define CRYPTO_TICKET_H

#include "base/buf.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

enum {
    TICKET_MOST_ADDRS = 6,
    TICKET_MOST_TEXT = 512, /* bytes of text with prefix and blanks; the longest ticket has 344 */
    TICKET_CODE_BYTES = 24, /* a spoken code with its NUL */
    INVITE_SEED_BYTES = 32
};
#define TICKET_MOST_EXPIRY UINT64_C(253402300799) /* the last second of the year 9999 */

struct ticket_addr {
    uint8_t family;   /* 4 or 6 */
    uint8_t addr[16]; /* network order; the first 4 bytes for family 4, the others zero */
    uint16_t port;    /* host order, not 0 */
};

struct ticket {
    uint8_t report_check[ID_BYTES];
    uint8_t invite_seed[INVITE_SEED_BYTES];
    uint8_t inviter_noise[32];
    uint64_t expires_s; /* seconds since 1970, UTC */
    uint8_t n_uses;     /* 1 to 255 */
    bool one_use;       /* redeemed at the issuer alone; n_uses is then 1 */
    struct ticket_addr addrs[TICKET_MOST_ADDRS]; /* in the order given: IPv6 first by the maker */
    size_t n_addrs;
};

/* Appends the ticket's text (lower case, no newline) to `text`, which then holds a secret: buf_wipe
   it. Returns 0, RAPPORT_INVALID for fields outside of their bounds, RAPPORT_NOMEM. */
int ticket_encode(const struct ticket *t, struct buf *text);
/* Reads a ticket. Returns 0; RAPPORT_MALFORMED: not a ticket, or a slip of the pen (checksum);
   RAPPORT_TRUNCATED: the front of a ticket; RAPPORT_VERSION: made by a newer rapport;
   RAPPORT_LIMIT: longer than TICKET_MOST_TEXT, of which nothing was looked at; RAPPORT_NOMEM.
   Expiry is the caller's to judge. Writes only on success. */
int ticket_decode(struct slice text, struct ticket *t);
/* Wipes all of it. */
void ticket_wipe(struct ticket *t);
/* The report_check of a report id (32 bytes): shows the joiner that he came to the right report,
 * and nothing to anybody who does not know the id. */
void ticket_report_check(uint8_t out[ID_BYTES], const uint8_t report_id[32]);

/* The invite's key pair from the ticket's seed. */
void invite_keys(const uint8_t seed[INVITE_SEED_BYTES], uint8_t public[SIGN_PUBLIC_BYTES],
                 uint8_t secret[SIGN_SECRET_BYTES]);
/* Its id: a hash of the public key. */
void invite_id(uint8_t out[ID_BYTES], const uint8_t invite_public[SIGN_PUBLIC_BYTES]);
/* The Noise psk of a joiner: another hash of the public key, which every member can compute. */
void invite_psk(uint8_t out[32], const uint8_t invite_public[SIGN_PUBLIC_BYTES]);
/* Signs the joiner's encoded card and the hash of the finished handshake with the invite's key. */
void invite_prove(uint8_t out[SIGN_BYTES], const uint8_t invite_secret[SIGN_SECRET_BYTES],
                  struct slice card, const uint8_t handshake_hash[64]);
/* Returns 0, or RAPPORT_AUTH when the proof is not for this invite, card and handshake. */
int invite_verify(const uint8_t invite_public[SIGN_PUBLIC_BYTES], struct slice card,
                  const uint8_t handshake_hash[64], const uint8_t proof[SIGN_BYTES]);

/*
 * The short code that two people compare aloud: 60 bits of the handshake hash as six syllables of
 * consonant, vowel, consonant ("bif-kal-..."), chosen to sound apart; no word list. Writes
 * TICKET_CODE_BYTES with the NUL; `cap` is at least that. Equal on both ends exactly when nobody
 * sits in between.
 */
void spoken_code(char *out, size_t cap, const uint8_t handshake_hash[64]);

#endif

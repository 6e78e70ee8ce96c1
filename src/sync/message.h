/*
 * message.h - what peers say to each other once they know who they are.
 *
 * A message is one msgpack array [type, item…] by the strict rules of base/mp.h; items are
 * positional. A frame holds one or more messages one after the other, each of them whole. Items
 * behind the known ones of a message are ignored; arrays inside a message are exact. An unknown odd
 * type is ignored, an unknown even type ends the session. Decoding copies nothing: slices and
 * pointers in struct message point into the bytes, which must outlive it.
 *
 *      0  HELLO    [0, version, [capability str…], state bin 16, have bin 16, wall_ms,
 *                  [address bin 6|18…], n_heads]
 *      1  PING     [1, cookie bin 8, state bin 16, have bin 16]
 *      2  HAVE     [2, [[log bin 16, next, mode]…], more bool]       mode 0: send me, 1: do not
 *      3  PEERS    [3, [[device bin 16, issued_ms, [address bin 6|18…], signature bin 64]…]]
 *      4  DELTAS   [4, log bin 16, prev bin 32|48, [delta without log and prev, bin…]]
 *      5  PONG     [5, cookie bin 8, state bin 16, have bin 16]
 *      6  NEED     [6, log bin 16, from, hash bin 32]                hash zero: from `from` on
 *      8  JOIN     [8, card bin, invite public key bin 32, proof bin 64]
 *     10  WELCOME  [10, genesis bin, [epoch secret bin 32…], card of the issuer bin]
 *     13  BYE      [13, code, text str]
 *
 * An address is 4 or 16 bytes in network order and a big-endian port.
 */
#ifndef SYNC_MESSAGE_H
#define SYNC_MESSAGE_H

#include "base/mp.h"
#include "crypto/device.h"
#include "log/delta.h"
#include "log/log.h"
#include "sync/frame.h"

enum {
    MESSAGE_VERSION = 1,       /* of the protocol, in HELLO */
    MESSAGE_MOST_ITEMS = 4096, /* msgpack values in one message */
    MESSAGE_DIGEST_BYTES = 16,
    MESSAGE_COOKIE_BYTES = 8,
    MESSAGE_SECRET_BYTES = 32, /* an epoch secret */
    ADDRESS4_BYTES = 6,        /* address and port */
    ADDRESS6_BYTES = 18,
    HELLO_MOST_CAPABILITIES = 32,
    HELLO_MOST_CAPABILITY = 32, /* bytes */
    HELLO_MOST_ADDRESSES = 8,
    HAVE_MOST_ROWS = 256,
    PEERS_MOST = 32,
    PEERS_MOST_ADDRESSES = 6, /* of one peer; so all of a message is below 8 KiB */
    DELTAS_MOST = LOG_RUN_MOST,
    DELTAS_MOST_BYTES = 60 * 1024, /* of deltas in one message, when there is more than one */
    WELCOME_MOST_GENESIS = 32 * 1024,
    WELCOME_MOST_SECRETS = 256,
    BYE_MOST_TEXT = 200, /* bytes */
};

enum message_type {
    MESSAGE_HELLO = 0,
    MESSAGE_PING = 1,
    MESSAGE_HAVE = 2,
    MESSAGE_PEERS = 3,
    MESSAGE_DELTAS = 4,
    MESSAGE_PONG = 5,
    MESSAGE_NEED = 6,
    MESSAGE_JOIN = 8,
    MESSAGE_WELCOME = 10,
    MESSAGE_BYE = 13,
    MESSAGE_UNKNOWN = 127, /* decoded only: an unknown odd type, to be ignored */
};

/* Why a session ends. A code that is not listed here is decoded all the same. */
enum bye_code {
    BYE_DONE = 0,        /* going away in good order */
    BYE_UNSUPPORTED = 1, /* a message that must be understood was not, or the version is too old */
    BYE_MALFORMED = 2,
    BYE_REFUSED = 3,   /* not, or no longer, a member */
    BYE_EPOCH = 4,     /* come again under the new epoch */
    BYE_DUPLICATE = 5, /* another connection with this device is kept */
    BYE_BUSY = 6,      /* too many peers */
    BYE_TIMEOUT = 7,
};

struct message_address {
    uint8_t family; /* 4 or 6 */
    uint8_t addr[16];
    uint16_t port;
};

struct message_hello {
    uint32_t version;
    struct slice capabilities[HELLO_MOST_CAPABILITIES]; /* UTF-8 */
    size_t n_capabilities;
    uint8_t state[MESSAGE_DIGEST_BYTES]; /* digest of what a person sees */
    uint8_t have[MESSAGE_DIGEST_BYTES];  /* have_digest */
    uint64_t wall_ms;                    /* the sender's wall clock: a claim */
    struct message_address addresses[HELLO_MOST_ADDRESSES];
    size_t n_addresses;
    uint64_t n_heads;
};

/* PING and PONG. */
struct message_ping {
    uint8_t cookie[MESSAGE_COOKIE_BYTES]; /* a PONG returns the PING's */
    uint8_t state[MESSAGE_DIGEST_BYTES];
    uint8_t have[MESSAGE_DIGEST_BYTES];
};

/* The sender holds this log durably up to (without) event `next`. */
struct message_row {
    uint8_t log[LOG_ID_BYTES];
    uint64_t next;
    bool muted; /* do not send me this log on this link, heights only */
};

struct message_have {
    struct message_row rows[HAVE_MOST_ROWS];
    size_t n;
    bool more; /* the first vector of a session goes on in the next HAVE */
};

/* Where a device listens, in its own words: whoever carries them cannot change them. */
struct message_peer {
    uint8_t device[ID_BYTES];
    uint64_t issued_ms; /* the device's wall clock: a claim; the greatest counts */
    struct message_address addresses[PEERS_MOST_ADDRESSES];
    size_t n_addresses;
    uint8_t signature[SIGN_BYTES]; /* SIGN_ADDRESSES over report id ‖ message_put_peer_body */
};

struct message_peers {
    struct message_peer peers[PEERS_MOST];
    size_t n;
};

struct message_deltas {
    uint8_t log[LOG_ID_BYTES];
    struct slice prev; /* of the first delta: HASH_BYTES, or ORIGIN_BYTES for a log's first */
    struct slice deltas[DELTAS_MOST]; /* each as delta_elide made it, none empty */
    size_t n;                         /* at least 1 */
};

struct message_need {
    uint8_t log[LOG_ID_BYTES];
    uint64_t from;
    uint8_t hash[HASH_BYTES]; /* all zero: from `from` on; else the delta with this hash */
};

struct message_join {
    struct slice card;
    uint8_t invite_public[SIGN_PUBLIC_BYTES];
    uint8_t proof[SIGN_BYTES]; /* invite_prove */
};

struct message_welcome {
    struct slice genesis;
    const uint8_t *secrets[WELCOME_MOST_SECRETS]; /* MESSAGE_SECRET_BYTES each, oldest first */
    size_t n_secrets;
    struct slice card;
};

struct message_bye {
    uint64_t code; /* enum bye_code */
    struct slice text;
};

struct message {
    enum message_type type;
    union {
        struct message_hello hello;
        struct message_ping ping; /* PING and PONG */
        struct message_have have;
        struct message_peers peers;
        struct message_deltas deltas;
        struct message_need need;
        struct message_join join;
        struct message_welcome welcome;
        struct message_bye bye;
    };
};

/* Decodes exactly one message. Returns 0; RAPPORT_VERSION for an unknown even type;
   RAPPORT_MALFORMED, RAPPORT_TRUNCATED, RAPPORT_LIMIT or RAPPORT_NOMEM. An unknown odd type is
   MESSAGE_UNKNOWN. Writes *out only on success. */
int message_decode(struct slice bytes, struct message *out);

/* Reads one peer, as it stands in PEERS, at a cursor; the error sticks there. */
void message_read_peer(struct mp_array *a, struct message_peer *out);

/* Finds the end of the first message in `bytes`. Returns 0 with its length, or an error of
   mp_check_prefix. */
int message_length(struct slice bytes, size_t *len);

/*
 * Each of these appends one encoded message. Errors stick in `out`; where a limit is passed that is
 * RAPPORT_LIMIT, and nothing was appended.
 */

/* Appends HELLO. RAPPORT_LIMIT past HELLO_MOST_*. */
void message_put_hello(struct buf *out, const struct message_hello *m);
/* Appends PING. Has no limit. */
void message_put_ping(struct buf *out, const struct message_ping *m);
/* Appends PONG. Has no limit. */
void message_put_pong(struct buf *out, const struct message_ping *m);
/* Appends HAVE. RAPPORT_LIMIT past HAVE_MOST_ROWS. */
void message_put_have(struct buf *out, const struct message_have *m);
/* Appends PEERS. RAPPORT_LIMIT past PEERS_MOST*. */
void message_put_peers(struct buf *out, const struct message_peers *m);
/* One peer of PEERS, and what of it is signed: [device, issued_ms, [address…]]. RAPPORT_LIMIT past
   PEERS_MOST_ADDRESSES. */
void message_put_peer(struct buf *out, const struct message_peer *p);
/* As above. */
void message_put_peer_body(struct buf *out, const struct message_peer *p);
/* Appends DELTAS. RAPPORT_LIMIT past DELTAS_MOST*, without a delta, for an empty one or another
   length of prev. */
void message_put_deltas(struct buf *out, const struct message_deltas *m);
/* Appends NEED. Has no limit. */
void message_put_need(struct buf *out, const struct message_need *m);
/* Appends JOIN. RAPPORT_LIMIT for an empty card or past DEVICE_MOST_CARD. */
void message_put_join(struct buf *out, const struct message_join *m);
/* Appends WELCOME. RAPPORT_LIMIT past WELCOME_MOST_*, for a card as JOIN, or without genesis or
   secret. */
void message_put_welcome(struct buf *out, const struct message_welcome *m);
/* Appends BYE. RAPPORT_LIMIT past BYE_MOST_TEXT. */
void message_put_bye(struct buf *out, const struct message_bye *m);

/* True when one more delta of `len` bytes fits into `m` beside those that are there. */
bool message_deltas_fit(const struct message_deltas *m, size_t len);

#endif

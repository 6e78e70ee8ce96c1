/*
 * delta.h - one delta: a contiguous run of events of one log, as its author made it. Stored, hashed
 * and forwarded as those bytes; never encoded again.
 *
 * One msgpack array of 12 items (base/mp.h rules, so one value has one encoding):
 *
 *   #   item       form          meaning
 *   0   version    1
 *   1   kind       uint          DELTA_CONTENT or DELTA_CONTROL
 *   2   log        bin 16        log id = BLAKE2b-128("rapport log", report id, origin)
 *   3   epoch      bin 8         id of the epoch whose content key seals the payload
 *   4   first      uint          number of its first event = end of the delta before it, else 0
 *   5   count      uint          events, 1 to DELTA_MOST_EVENTS
 *   6   lamport    uint          1 + the greatest of the previous delta's and every dep's; checked
 *   7   wall       uint          ms since 1970, the author's claim, for display only
 *   8   prev       bin 32        hash of the delta before it
 *                  bin 48        in a log's first: origin = sign key (32), random (16)
 *   9   deps       array         of [log bin 16, end uint, hash bin 32], ascending by log id: heads
 *                                of other logs that it builds on
 *   10  payload    bin           nonce, ciphertext, tag (crypto/seal.h)
 *   11  signature  bin 64        Ed25519(SIGN_DELTA, report id, hash)
 *
 * header = the bytes of items 0 to 9 as they stand (behind the array's tag). It is the associated
 * data of the seal. hash = hash_of("rapport delta", header, hash_of("rapport payload", payload));
 * the signature is not in it. On the wire a run leaves out items 2 and 8 of each delta:
 * delta_elide, delta_restore. docs/protocol.md section 2 has the frozen example.
 */
#ifndef LOG_DELTA_H
#define LOG_DELTA_H

#include "base/buf.h"
#include "crypto/device.h"
#include "crypto/epoch.h"
#include "crypto/hash.h"

enum {
    DELTA_VERSION = 1,
    DELTA_MOST_PAYLOAD = 48 * 1024, /* plaintext bytes */
    DELTA_MOST_EVENTS = 65535,
    DELTA_MOST_DEPS = 128,
    DELTA_MOST_BYTES = 60 * 1024, /* the whole encoded delta */
    LOG_ID_BYTES = 16,
    REPORT_ID_BYTES = 32,
    ORIGIN_BYTES = 48,
};

enum delta_kind {
    DELTA_CONTENT = 0,
    DELTA_CONTROL = 1,
};

/* Event numbers and lamports stay below 2^63, so that a database can hold them. */
#define DELTA_MOST_NUMBER ((uint64_t)INT64_MAX)

/* The head of another log as its author saw it. */
struct delta_dep {
    uint8_t log[LOG_ID_BYTES];
    uint64_t end; /* number after the last event of that delta */
    uint8_t hash[HASH_BYTES];
};

/* A decoded delta. Slices point into the bytes it was decoded from, which must outlive it. */
struct delta {
    enum delta_kind kind;
    uint8_t log[LOG_ID_BYTES];
    uint8_t epoch[EPOCH_ID_BYTES];
    uint64_t first, end; /* events first to end - 1 */
    uint64_t lamport;
    uint64_t wall_ms;
    struct slice prev; /* 32 bytes, or ORIGIN_BYTES in a log's first delta */
    struct slice header, payload, signature, bytes;
    uint8_t hash[HASH_BYTES];
    size_t n_deps;
    struct delta_dep deps[DELTA_MOST_DEPS]; /* last: only n_deps of them are ever written */
};

/* What delta_make needs; everything is borrowed for the call. */
struct delta_draft {
    enum delta_kind kind;
    const uint8_t *report_id; /* REPORT_ID_BYTES */
    const uint8_t *log;       /* LOG_ID_BYTES */
    const struct epoch_keys *epoch;
    const struct device_keys *keys;
    uint64_t first, lamport, wall_ms;
    uint32_t count;
    struct slice prev;
    const struct delta_dep *deps;
    size_t n_deps;
    struct slice plain; /* the payload, at most DELTA_MOST_PAYLOAD bytes */
};

/* The id of the log that starts with `origin` in this report. */
void log_id_of(uint8_t out[LOG_ID_BYTES], const uint8_t report_id[REPORT_ID_BYTES],
               const uint8_t origin[ORIGIN_BYTES]);

/* Seals, chains, signs; appends the delta's bytes to `out`. Returns 0, RAPPORT_NOMEM or
   RAPPORT_LIMIT; then `out` holds what it held. Deps must be ascending, without the log itself. */
int delta_make(const struct delta_draft *draft, struct buf *out);

/* Decodes and checks all that needs no other delta: encoding, limits, ascending deps without its
   own log, numbers that do not wrap, and that a first delta's origin gives its log id. Computes the
   hash. Verifies no signature. Returns 0, RAPPORT_VERSION, RAPPORT_MALFORMED, RAPPORT_TRUNCATED,
   RAPPORT_LIMIT or RAPPORT_NOMEM; *out only on success. */
int delta_decode(struct slice bytes, const uint8_t report_id[REPORT_ID_BYTES], struct delta *out);

/* True when the delta's own signature is by `sign_public` for this report. */
bool delta_signed_by(const struct delta *d, const uint8_t sign_public[32],
                     const uint8_t report_id[REPORT_ID_BYTES]);

/* Opens the payload into `plain`. Returns 0, RAPPORT_NOKEY when it names another epoch,
 * RAPPORT_AUTH, RAPPORT_NOMEM. */
int delta_open(const struct delta *d, const struct epoch_keys *epoch, struct buf *plain);

/* Finds item 8, prev, without decoding the rest: the store keeps origins and tells branches of a
   fork apart. Returns 0, RAPPORT_MALFORMED or RAPPORT_TRUNCATED. */
int delta_prev(struct slice bytes, struct slice *prev);

/* Appends the wire form: the array without items 2 and 8. */
void delta_elide(const struct delta *d, struct buf *out);

/* Puts log id and prev back: appends the author's bytes to `out`. Only the outer shape is checked
   (delta_decode does the rest). Returns 0, RAPPORT_MALFORMED, RAPPORT_LIMIT or RAPPORT_NOMEM. */
int delta_restore(struct slice elided, const uint8_t log[LOG_ID_BYTES], struct slice prev,
                  struct buf *out);

#endif

/*
 * bundle.h - a bundle: a sealed file with the have vector of its writer and deltas as their authors
 * made them, in an order in which each comes after what it builds on. Sync by file, for when a
 * network keeps peers apart.
 *
 *   offset  bytes  field
 *        0      7  "rapport"
 *        7      1  format version, 1
 *        8     32  salt, random for each file
 *       40         chunks of 65,536 bytes; the last one is 17 to 65,536 bytes
 *
 * A chunk is XChaCha20-Poly1305 ciphertext ‖ tag (16). Key = keyed(32, "rapport bundle", epoch
 * secret, salt), nonce = 15 zeros ‖ 1 in the last chunk, else 0 ‖ number of the chunk (8 bytes),
 * associated data = the 40 bytes in front. So no chunk can be moved, left out or put behind, and
 * nothing in clear links two bundles or says whose they are: a reader tries its epochs on the first
 * chunk. The nonce cannot repeat, because the key is the file's own.
 *
 * What the chunks hold, one after another, is a row of msgpack arrays that do not care where a
 * chunk ends:
 *
 *   [0, device bin 16, wall clock ms, rows, have digest bin 16, signature bin 64]  once, in front
 *   [1, [[log bin 16, next], ...]]          1 to 256 rows each, `rows` in all, ascending by log
 *   [2, delta bin]                          in full; after all rows
 *
 * The signature is by the device over report id ‖ salt ‖ wall clock (8 bytes) ‖ have digest. The
 * reader is streaming: it keeps one chunk and the front of one item, whatever the file claims.
 */
#ifndef SYNC_BUNDLE_H
#define SYNC_BUNDLE_H

#include "base/buf.h"
#include "crypto/epoch.h"
#include "log/have.h"

enum {
    BUNDLE_VERSION = 1,
    BUNDLE_SALT_BYTES = 32,
    BUNDLE_HEADER_BYTES = 8 + BUNDLE_SALT_BYTES,
    BUNDLE_TAG_BYTES = 16,
    BUNDLE_CHUNK_BYTES = 64 * 1024, /* sealed */
    BUNDLE_CHUNK_PLAIN = BUNDLE_CHUNK_BYTES - BUNDLE_TAG_BYTES,
    BUNDLE_ROWS = 256,                        /* of one item */
    BUNDLE_MOST_ITEM = DELTA_MOST_BYTES + 64, /* bytes */
};

/* Who wrote it, when by his clock, and the signature that binds his rows to him. */
struct bundle_head {
    uint8_t device[ID_BYTES];
    uint64_t wall_ms;
    uint64_t n_rows;
    uint8_t have_digest[16];
    uint8_t signature[SIGN_BYTES];
};

/* Signs the head's other fields. */
void bundle_sign(struct bundle_head *head, const struct device_keys *keys,
                 const uint8_t report_id[REPORT_ID_BYTES], const uint8_t salt[BUNDLE_SALT_BYTES]);
/* True when that key signed this head. */
bool bundle_signed_by(const struct bundle_head *head, const uint8_t sign_public[SIGN_PUBLIC_BYTES],
                      const uint8_t report_id[REPORT_ID_BYTES],
                      const uint8_t salt[BUNDLE_SALT_BYTES]);

/* ---- writing ---- */

/* Put what it takes, take what is in `out` off at any time (buf_reset); errors stick in `out`. */
struct bundle_writer {
    uint8_t header[BUNDLE_HEADER_BYTES], key[32];
    uint64_t number; /* of the next chunk */
    struct buf plain, out;
};

/* Starts a file under this epoch; `salt`: BUNDLE_SALT_BYTES fresh random bytes. */
void bundle_write_start(struct bundle_writer *w, const struct epoch_keys *epoch,
                        const uint8_t salt[BUNDLE_SALT_BYTES]);
/* The head, and the rows that it tells of. Once, first. */
void bundle_write_head(struct bundle_writer *w, const struct bundle_head *head,
                       const struct have *have);
/* One delta, as its author made it: at most DELTA_MOST_BYTES. */
void bundle_write_delta(struct bundle_writer *w, struct slice delta);
/* Seals the last chunk. */
void bundle_write_end(struct bundle_writer *w);
/* Frees and wipes it; a zeroed one is fine. */
void bundle_writer_clear(struct bundle_writer *w);

/* ---- reading ---- */

enum bundle_kind {
    BUNDLE_NONE,  /* more bytes are needed */
    BUNDLE_HEAD,  /* head and rows have come in whole, and belong together */
    BUNDLE_DELTA, /* delta: its bytes, not looked at; valid until the next call */
};

struct bundle_reader {
    uint8_t header[BUNDLE_HEADER_BYTES], key[32];
    size_t n_header;
    bool has_key, has_head, head_given, at_end;
    uint64_t number;
    struct buf sealed, plain;
    size_t used; /* bytes of plain that were read */
    struct bundle_head head;
    struct have rows;
    struct slice delta;
    int error;
};

/* Starts reading. */
void bundle_read_start(struct bundle_reader *r);
/*
 * Takes bytes off the front of *in, at most until one chunk is open; then call bundle_next until it
 * gives BUNDLE_NONE, and come again. `epochs` are those
 * held now, the newest last: it is tried first. Returns 0, or an error that sticks:
 * RAPPORT_MALFORMED (no bundle at all), RAPPORT_VERSION (a newer format), RAPPORT_NOKEY (the first
 * chunk opens with no epoch), RAPPORT_AUTH (a later chunk is damaged), RAPPORT_NOMEM.
 */
int bundle_read(struct bundle_reader *r, const struct epoch_keys *epochs, size_t n_epochs,
                struct slice *in);
/* There are no more bytes: opens the last chunk; bundle_next follows. Returns as bundle_read;
   RAPPORT_TRUNCATED where the file ends before its last chunk. */
int bundle_read_end(struct bundle_reader *r, const struct epoch_keys *epochs, size_t n_epochs);
/* The next item in *kind. Returns 0, or an error that sticks: RAPPORT_MALFORMED, RAPPORT_TRUNCATED
   (the end stands inside of an item), RAPPORT_LIMIT, RAPPORT_VERSION (an item of another kind),
   RAPPORT_NOMEM. What bundle_read_end found stays, and what came before can be read all the same.
 */
int bundle_next(struct bundle_reader *r, enum bundle_kind *kind);
/* Frees and wipes it; a zeroed one is fine. */
void bundle_reader_clear(struct bundle_reader *r);

#endif

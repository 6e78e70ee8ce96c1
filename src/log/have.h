/*
 * have.h - have vectors: per log the number of the next event that is missing. Rows are kept sorted
 * by log id, so equal vectors have equal bytes and digests. A row received from a peer is also its
 * durable acknowledgement.
 *
 * msgpack: array of [log bin 16, next uint], ascending by log, no repeats, at most LOGS_MOST rows.
 */
#ifndef LOG_HAVE_H
#define LOG_HAVE_H

#include "base/mp.h"
#include "log/log.h"

struct have_row {
    uint8_t log[LOG_ID_BYTES];
    uint64_t next;
};

struct have {
    struct have_row *rows; /* ascending by log id */
    size_t n, cap;
};

#define HAVE_INIT ((struct have){0})

/* Frees the rows; the vector is empty and usable again. */
void have_clear(struct have *h);
/* The next event wanted of this log; 0 when there is no row. */
uint64_t have_get(const struct have *h, const uint8_t log[LOG_ID_BYTES]);
/* Raises the row to `next`; never lowers. Returns 0, RAPPORT_NOMEM or RAPPORT_LIMIT. */
int have_raise(struct have *h, const uint8_t log[LOG_ID_BYTES], uint64_t next);
/* The rows of a log set. Replaces what was there. Returns 0, or RAPPORT_NOMEM, then it stays. */
int have_of(const struct log_set *set, struct have *h);
/* Appends the array; errors stick in `out`. */
void have_encode(const struct have *h, struct buf *out);
/* Reads the vector that is the next item of `a`. Returns 0 or an error, then *h is left alone. */
int have_decode(struct mp_array *a, struct have *h);
/* True when `a` holds everything that `b` holds. */
bool have_includes(const struct have *a, const struct have *b);
/* BLAKE2b-128("rapport have") over the rows. */
void have_digest(const struct have *h, uint8_t out[16]);

#endif

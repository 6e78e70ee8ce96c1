/*
 * reader.h - the one bounded reader for fixed layouts and varints; msgpack is read through
 * base/mp.h.
 *
 * The error sticks: after it every read returns 0 or an empty slice and moves nothing, so read all
 * fields and check once with reader_end (everything must be consumed) or reader->error.
 */
#ifndef BASE_READER_H
#define BASE_READER_H

#include "base/slice.h"

struct reader {
    struct slice rest;
    int error; /* 0, RAPPORT_TRUNCATED, RAPPORT_MALFORMED or RAPPORT_LIMIT */
};

/* Starts reading `bytes`, which must outlive the reader and every slice read from it. */
static inline struct reader reader_of(struct slice bytes)
{
    return (struct reader){bytes, 0};
}

/* The next byte. */
uint8_t reader_u8(struct reader *r);
/* The next 2 bytes, big-endian. */
uint16_t reader_u16be(struct reader *r);
/* The next 4 bytes, big-endian. */
uint32_t reader_u32be(struct reader *r);
/* The next 8 bytes, big-endian. */
uint64_t reader_u64be(struct reader *r);
/* Unsigned LEB128 of at most `max`; RAPPORT_LIMIT past it, RAPPORT_MALFORMED when not the shortest
 * form. */
uint64_t reader_varint(struct reader *r, uint64_t max);
/* The next n bytes, borrowed. */
struct slice reader_bytes(struct reader *r, size_t n);
/* All that is left, borrowed. */
struct slice reader_rest(struct reader *r);
/* Sets the error if none is set yet; for checks that only the caller can make. */
void reader_fail(struct reader *r, int error);
/* Returns 0 when no error stuck and nothing is left; else the error, RAPPORT_MALFORMED for trailing
 * bytes. */
int reader_end(struct reader *r);

#endif

/*
 * buf.h - a growable byte buffer that is also the one writer.
 *
 * The error sticks: after a failed growth every further append does nothing, so write all fields
 * and ask buf_error once. Invariants: len <= cap; ptr is NULL iff cap is 0; what was written before
 * the error stays.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

struct buf {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    int error; /* 0, RAPPORT_NOMEM or RAPPORT_LIMIT */
};

#define BUF_INIT ((struct buf){0})

/* Frees the memory; the buffer is empty, without error, and usable again. */
void buf_clear(struct buf *b);

/* Wipes what was written, then buf_clear: for secrets. Growth leaves copies behind, so reserve all
 * of a secret's bytes first. */
void buf_wipe(struct buf *b);

/* Forgets the content and the error, keeps the memory. */
void buf_reset(struct buf *b);

/* Makes room for `n` more bytes (0 too). Returns a pointer to that room, or NULL when the error is
 * (or now) set. */
uint8_t *buf_reserve(struct buf *b, size_t n);

/* Appends n bytes, not of this buffer itself; `ptr` may be NULL when n is 0. */
void buf_append(struct buf *b, const void *ptr, size_t n);
/* Appends the bytes of a slice, not of this buffer itself. */
void buf_append_slice(struct buf *b, struct slice s);
/* Appends a C string without its NUL. */
void buf_append_str(struct buf *b, const char *str);
/* Appends formatted text (printf), without a NUL. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends one byte. */
void buf_u8(struct buf *b, uint8_t v);
/* Appends 2 bytes, big-endian. */
void buf_u16be(struct buf *b, uint16_t v);
/* Appends 4 bytes, big-endian. */
void buf_u32be(struct buf *b, uint32_t v);
/* Appends 8 bytes, big-endian. */
void buf_u64be(struct buf *b, uint64_t v);
/* Appends an unsigned LEB128 integer, shortest form, 1 to 10 bytes. */
void buf_varint(struct buf *b, uint64_t v);
/* Drops the first n bytes (n <= len) and moves the rest down. */
void buf_consume(struct buf *b, size_t n);

/* Returns the C string view of the content: adds a NUL behind it that is not counted. NULL on
 * error. */
const char *buf_cstr(struct buf *b);

/* Hands the memory over to the caller (free() it). The buffer is empty and without error then, so
 * ask buf_error first. NULL when nothing was ever reserved. */
uint8_t *buf_detach(struct buf *b, size_t *len);

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->ptr, b->len};
}

/* 0, or the error that stuck. */
static inline int buf_error(const struct buf *b)
{
    return b->error;
}

#endif

/* buf.c - growable buffer with a sticky error (see buf.h). Grows by half, so appending is amortised
 * linear. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rapport/error.h"

enum {
    BUF_FIRST_BYTES = 64
};

void buf_clear(struct buf *b)
{
    free(b->ptr);
    *b = BUF_INIT;
}

void buf_wipe(struct buf *b)
{
    volatile uint8_t *p = b->ptr;
    for (size_t i = 0; i < b->cap; i++)
        p[i] = 0;
    buf_clear(b);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->error = 0;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (b->error)
        return NULL;
    if (b->ptr && n <= b->cap - b->len)
        return b->ptr + b->len;
    if (n > SIZE_MAX / 4 - b->len) {
        b->error = RAPPORT_LIMIT;
        return NULL;
    }
    size_t cap = b->cap + b->cap / 2;
    if (cap < b->len + n)
        cap = b->len + n;
    if (cap < BUF_FIRST_BYTES)
        cap = BUF_FIRST_BYTES;
    uint8_t *ptr = realloc(b->ptr, cap);
    if (!ptr) {
        b->error = RAPPORT_NOMEM;
        return NULL;
    }
    b->ptr = ptr;
    b->cap = cap;
    return b->ptr + b->len;
}

void buf_append(struct buf *b, const void *ptr, size_t n)
{
    if (n == 0)
        return;
    uint8_t *room = buf_reserve(b, n);
    if (!room)
        return;
    memcpy(room, ptr, n);
    b->len += n;
}

void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.ptr, s.len);
}

void buf_append_str(struct buf *b, const char *str)
{
    buf_append(b, str, strlen(str));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    assert(n >= 0);
    uint8_t *room = buf_reserve(b, (size_t)n + 1);
    if (!room)
        return;
    va_start(ap, format);
    vsnprintf((char *)room, (size_t)n + 1, format, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_u8(struct buf *b, uint8_t v)
{
    buf_append(b, &v, 1);
}

void buf_u16be(struct buf *b, uint16_t v)
{
    buf_append(b, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

void buf_u32be(struct buf *b, uint32_t v)
{
    buf_u16be(b, (uint16_t)(v >> 16));
    buf_u16be(b, (uint16_t)v);
}

void buf_u64be(struct buf *b, uint64_t v)
{
    buf_u32be(b, (uint32_t)(v >> 32));
    buf_u32be(b, (uint32_t)v);
}

void buf_varint(struct buf *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    buf_append(b, bytes, n);
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}

const char *buf_cstr(struct buf *b)
{
    uint8_t *room = buf_reserve(b, 1);
    if (!room)
        return NULL;
    *room = 0;
    return (const char *)b->ptr;
}

uint8_t *buf_detach(struct buf *b, size_t *len)
{
    uint8_t *ptr = b->ptr;
    *len = b->len;
    *b = BUF_INIT;
    return ptr;
}

/* hex.c - hex and base32 (RFC 4648 §6, §8; see hex.h). */
#include "base/hex.h"

#include "rapport/error.h"

void hex_encode(char *out, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) {
        *out++ = "0123456789abcdef"[p[i] >> 4];
        *out++ = "0123456789abcdef"[p[i] & 15];
    }
    *out = 0;
}

enum {
    NO_DIGIT = 16
};

static unsigned digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : NO_DIGIT;
}

int hex_decode(void *out, size_t n, struct slice text)
{
    if (text.len % 2 || text.len / 2 != n)
        return RAPPORT_MALFORMED;
    for (size_t i = 0; i < text.len; i++)
        if (digit(text.ptr[i]) == NO_DIGIT)
            return RAPPORT_MALFORMED;
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(digit(text.ptr[2 * i]) << 4 | digit(text.ptr[2 * i + 1]));
    return 0;
}

void base32_encode(struct buf *b, struct slice bytes)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        acc = acc << 8 | bytes.ptr[i];
        for (bits += 8; bits >= 5; bits -= 5)
            buf_u8(b, (uint8_t) "abcdefghijklmnopqrstuvwxyz234567"[acc >> (bits - 5) & 31]);
    }
    if (bits)
        buf_u8(b, (uint8_t) "abcdefghijklmnopqrstuvwxyz234567"[acc << (5 - bits) & 31]);
}

static int base32_append(struct buf *b, struct slice text)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        uint8_t lower = c | 0x20;
        uint32_t v;
        if (lower >= 'a' && lower <= 'z' && c >= 'A')
            v = (uint32_t)(lower - 'a');
        else if (c >= '2' && c <= '7')
            v = (uint32_t)(c - '2' + 26);
        else
            return RAPPORT_MALFORMED;
        acc = acc << 5 | v;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            buf_u8(b, (uint8_t)(acc >> bits));
        }
    }
    if (bits >= 5 || (acc & ((1u << bits) - 1)))
        return RAPPORT_MALFORMED;
    return buf_error(b);
}

int base32_decode(struct buf *b, struct slice text)
{
    size_t start = b->len;
    int error = base32_append(b, text);
    if (error)
        b->len = start;
    return error;
}

/*
 * hex.h - text forms of bytes: lower-case hex, and RFC 4648 base32 in lower case without padding.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

/* Writes 2 * n lower-case digits and a NUL to `out` (2 * n + 1 bytes). */
void hex_encode(char *out, const void *bytes, size_t n);
/* Decodes exactly n bytes from 2 * n digits, either case. Returns 0 or RAPPORT_MALFORMED; writes
 * only on success. */
int hex_decode(void *out, size_t n, struct slice text);
/* Appends base32 (a-z, 2-7), no padding. */
void base32_encode(struct buf *b, struct slice bytes);
/* Appends the bytes of base32 text, either case. Returns 0, RAPPORT_MALFORMED for a foreign
 * character, an impossible length or non-zero spare bits, or the buffer's error; then nothing was
 * appended. */
int base32_decode(struct buf *b, struct slice text);

#endif

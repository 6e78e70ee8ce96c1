/*
 * utf8.h - UTF-8 by RFC 3629: no surrogates, no overlong forms, at most U+10FFFF. Positions are
 * code points.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/* True when all of `s` is valid UTF-8 (NUL allowed). */
bool utf8_valid(struct slice s);
/* Number of code points of valid UTF-8. */
size_t utf8_count(struct slice s);
/* Byte offset of code point `n` in valid UTF-8; s.len when n is past the end. */
size_t utf8_offset(struct slice s, size_t n);
/* Decodes the code point at *at and moves *at behind it. Returns -1 (and moves one byte) where it
 * is not valid. */
int32_t utf8_next(struct slice s, size_t *at);
/* Appends code point `cp` (valid) as UTF-8. */
void utf8_put(struct buf *b, uint32_t cp);
/* Length of the longest prefix of valid UTF-8 that has at most `max` bytes and ends on a code
 * point. */
size_t utf8_prefix(struct slice s, size_t max);
/*
 * Appends `s` so that a terminal shows it and obeys nothing in it: C0 but LF and TAB, DEL and C1
 * become visible symbols (U+2400 block, <U+009B> form for C1), bidirectional controls and U+2028,
 * U+2029 become <U+202E> form, invalid bytes become U+FFFD. With `one_line`, LF and TAB become
 * symbols too.
 */
void utf8_printable(struct buf *b, struct slice s, bool one_line);

#endif

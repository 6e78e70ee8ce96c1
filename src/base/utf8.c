/* utf8.c - validating decoder and what is built on it (see utf8.h; RFC 3629 §4). */
#include "base/utf8.h"

int32_t utf8_next(struct slice s, size_t *at)
{
    const uint8_t *p = s.ptr + *at;
    size_t left = s.len - *at;
    uint8_t b = p[0];
    size_t n = b < 0x80                ? 1
               : b >= 0xc2 && b < 0xe0 ? 2
               : (b & 0xf0) == 0xe0    ? 3
               : b >= 0xf0 && b < 0xf5 ? 4
                                       : 0;
    *at += 1;
    if (n == 1)
        return b;
    if (n == 0 || n > left)
        return -1;
    uint32_t cp = b & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return -1;
        cp = cp << 6 | (p[i] & 0x3fu);
    }
    bool overlong = (n == 3 && cp < 0x800) || (n == 4 && cp < 0x10000);
    if (overlong || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
        return -1;
    *at += n - 1;
    return (int32_t)cp;
}

bool utf8_valid(struct slice s)
{
    size_t at = 0;
    while (at < s.len) {
        if (s.ptr[at] < 0x80)
            at++;
        else if (utf8_next(s, &at) < 0)
            return false;
    }
    return true;
}

size_t utf8_count(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.ptr[i] & 0xc0) != 0x80;
    return n;
}

size_t utf8_offset(struct slice s, size_t n)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.ptr[i] & 0xc0) != 0x80 && n-- == 0)
            return i;
    return s.len;
}

void utf8_put(struct buf *b, uint32_t cp)
{
    if (cp < 0x80) {
        buf_u8(b, (uint8_t)cp);
    } else if (cp < 0x800) {
        buf_append(b, (uint8_t[]){(uint8_t)(0xc0 | cp >> 6), (uint8_t)(0x80 | (cp & 0x3f))}, 2);
    } else if (cp < 0x10000) {
        buf_append(b,
                   (uint8_t[]){(uint8_t)(0xe0 | cp >> 12), (uint8_t)(0x80 | (cp >> 6 & 0x3f)),
                               (uint8_t)(0x80 | (cp & 0x3f))},
                   3);
    } else {
        buf_append(b,
                   (uint8_t[]){(uint8_t)(0xf0 | cp >> 18), (uint8_t)(0x80 | (cp >> 12 & 0x3f)),
                               (uint8_t)(0x80 | (cp >> 6 & 0x3f)), (uint8_t)(0x80 | (cp & 0x3f))},
                   4);
    }
}

size_t utf8_prefix(struct slice s, size_t max)
{
    if (s.len <= max)
        return s.len;
    while (max > 0 && (s.ptr[max] & 0xc0) == 0x80)
        max--;
    return max;
}

static bool is_bidi_control(int32_t cp)
{
    return (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e ||
           cp == 0x200f || cp == 0x061c;
}

/* LINE SEPARATOR and PARAGRAPH SEPARATOR: line ends for some, so never passed on as they are. */
static bool is_separator(int32_t cp)
{
    return cp == 0x2028 || cp == 0x2029;
}

void utf8_printable(struct buf *b, struct slice s, bool one_line)
{
    for (size_t at = 0; at < s.len;) {
        size_t start = at;
        int32_t cp = utf8_next(s, &at);
        if (cp < 0)
            utf8_put(b, 0xfffd);
        else if ((cp == '\n' || cp == '\t') && !one_line)
            buf_u8(b, (uint8_t)cp);
        else if (cp < 0x20)
            utf8_put(b, 0x2400 + (uint32_t)cp);
        else if (cp == 0x7f)
            utf8_put(b, 0x2421);
        else if ((cp >= 0x80 && cp < 0xa0) || is_bidi_control(cp) || is_separator(cp))
            buf_printf(b, "<U+%04X>", (unsigned)cp);
        else
            buf_append(b, s.ptr + start, at - start);
    }
}

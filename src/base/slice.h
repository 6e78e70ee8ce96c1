/*
 * slice.h - a borrowed run of bytes. Owns nothing: valid as long as what it points into.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;         /* bytes */
};

/* A slice of `len` bytes at `ptr`. */
static inline struct slice slice_of(const void *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

/* A slice of a C string, without its NUL. */
static inline struct slice slice_str(const char *str)
{
    return (struct slice){(const uint8_t *)str, strlen(str)};
}

/* True when both hold the same bytes. Not for secrets: use sodium_memcmp there. */
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Orders bytewise, the shorter first on a common prefix: < 0, 0 or > 0. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* `s` without its first `n` bytes; n must not pass its length. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    return (struct slice){n ? s.ptr + n : s.ptr, s.len - n};
}

#endif

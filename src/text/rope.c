/*
 * rope.c - gap buffer with a code-point index by blocks (see rope.h).
 *
 * Two coordinates: an offset counts bytes of the text, an address counts bytes of the buffer with
 * its gap. blocks[i] counts the first bytes of characters at addresses [i * ROPE_BLOCK_BYTES, ...)
 * outside of the gap.
 */
#include "text/rope.h"

#include <assert.h>
#include <stdlib.h>

#include "rapport/error.h"

enum {
    ROPE_FIRST_BYTES = 256
};

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Eight bytes at a time: a continuation byte is one with bit 7 and without bit 6. Every move of the
 * gap counts what it moves over. */
static size_t count_characters(const char *p, size_t n)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t count = n, i = 0;
    for (; i + sizeof ones <= n; i += sizeof ones) {
        uint64_t word;
        memcpy(&word, p + i, sizeof word);
        uint64_t continued = (word >> 7) & ~(word >> 6) & ones;
        count -= (size_t)((continued * ones) >> 56);
    }
    for (; i < n; i++)
        count -= !starts_character(p[i]);
    return count;
}

static size_t n_blocks(size_t cap)
{
    return cap / ROPE_BLOCK_BYTES + 1;
}

/* The characters at addresses [from, to) come to the index, or leave it; of a block that leaves
 * whole, nothing is counted. */
static void count_blocks(struct rope *r, size_t from, size_t to, bool come)
{
    if (!r->blocks)
        return;
    while (from < to) {
        size_t block = from / ROPE_BLOCK_BYTES;
        size_t end = (block + 1) * ROPE_BLOCK_BYTES;
        end = end < to ? end : to;
        bool whole = !come && end - from == ROPE_BLOCK_BYTES;
        size_t n = whole ? r->blocks[block] : count_characters(r->bytes + from, end - from);
        r->blocks[block] = (uint16_t)(come ? r->blocks[block] + n : r->blocks[block] - n);
        from = end;
    }
}

void rope_clear(struct rope *r)
{
    free(r->bytes);
    free(r->blocks);
    *r = ROPE_INIT;
}

static int build_blocks(struct rope *r)
{
    r->blocks = calloc(n_blocks(r->cap), sizeof *r->blocks);
    if (!r->blocks)
        return RAPPORT_NOMEM;
    count_blocks(r, 0, r->gap, true);
    count_blocks(r, r->gap_end, r->cap, true);
    return 0;
}

/* Grows the buffer by a quarter at least; the bytes behind the gap move to its end. */
static int grow(struct rope *r, size_t len)
{
    size_t size = rope_size(r);
    if (len > SIZE_MAX / 4 - size)
        return RAPPORT_NOMEM;
    size_t cap = size + len + (size + len) / 4 + ROPE_FIRST_BYTES;
    struct rope wider = *r;
    wider.blocks = NULL;
    wider.cap = cap;
    wider.gap_end = cap - (r->cap - r->gap_end);
    wider.bytes = malloc(cap);
    if (!wider.bytes)
        return RAPPORT_NOMEM;
    if (r->bytes) {
        memcpy(wider.bytes, r->bytes, r->gap);
        memcpy(wider.bytes + wider.gap_end, r->bytes + r->gap_end, r->cap - r->gap_end);
    }
    if (r->blocks && build_blocks(&wider)) {
        free(wider.bytes);
        return RAPPORT_NOMEM;
    }
    rope_clear(r);
    *r = wider;
    return 0;
}

int rope_reserve(struct rope *r, size_t len, bool wide)
{
    if (len > r->gap_end - r->gap) {
        int error = grow(r, len);
        if (error)
            return error;
    }
    return wide && !r->blocks ? build_blocks(r) : 0;
}

/* Address of character number n (from 0) of those that start at or after address `at`. The gap must
 * not lie between. */
static size_t seek_forward(const struct rope *r, size_t at, size_t n)
{
    size_t end = (at / ROPE_BLOCK_BYTES + 1) * ROPE_BLOCK_BYTES;
    end = end < r->cap ? end : r->cap;
    size_t here = count_characters(r->bytes + at, end - at);
    if (here <= n) {
        n -= here;
        at = end;
        while (at + ROPE_BLOCK_BYTES <= r->cap && r->blocks[at / ROPE_BLOCK_BYTES] <= n) {
            n -= r->blocks[at / ROPE_BLOCK_BYTES];
            at += ROPE_BLOCK_BYTES;
        }
    }
    for (; at < r->cap; at++)
        if (starts_character(r->bytes[at]) && n-- == 0)
            return at;
    return r->cap;
}

/* Address of the n-th character (from 1) before address `at`. The gap must not lie between. */
static size_t seek_backward(const struct rope *r, size_t at, size_t n)
{
    size_t start = (at - 1) / ROPE_BLOCK_BYTES * ROPE_BLOCK_BYTES;
    size_t here = count_characters(r->bytes + start, at - start);
    if (here < n) {
        n -= here;
        at = start;
        while (at >= ROPE_BLOCK_BYTES && r->blocks[at / ROPE_BLOCK_BYTES - 1] < n) {
            at -= ROPE_BLOCK_BYTES;
            n -= r->blocks[at / ROPE_BLOCK_BYTES];
        }
    }
    while (at > 0)
        if (starts_character(r->bytes[--at]) && --n == 0)
            return at;
    return 0;
}

/* Address of character pos <= n; at the gap it is the gap's end, at the end of all the capacity. */
static size_t address_of(const struct rope *r, size_t pos)
{
    if (!r->blocks)
        return pos < r->gap ? pos : pos + (r->gap_end - r->gap);
    if (pos == r->n)
        return r->cap;
    if (pos < r->n_before)
        return pos < r->n_before - pos ? seek_forward(r, 0, pos)
                                       : seek_backward(r, r->gap, r->n_before - pos);
    return pos - r->n_before < r->n - pos ? seek_forward(r, r->gap_end, pos - r->n_before)
                                          : seek_backward(r, r->cap, r->n - pos);
}

size_t rope_offset(const struct rope *r, size_t pos)
{
    if (pos >= r->n)
        return rope_size(r);
    size_t address = address_of(r, pos);
    return address < r->gap ? address : address - (r->gap_end - r->gap);
}

/* Moves the gap so that it starts at character pos <= n. */
static void move_gap(struct rope *r, size_t pos)
{
    if (pos == r->n_before)
        return;
    size_t address = address_of(r, pos);
    if (pos < r->n_before) {
        size_t len = r->gap - address;
        count_blocks(r, address, r->gap, false);
        memmove(r->bytes + r->gap_end - len, r->bytes + address, len);
        r->gap -= len;
        r->gap_end -= len;
        count_blocks(r, r->gap_end, r->gap_end + len, true);
    } else {
        size_t len = address - r->gap_end;
        count_blocks(r, r->gap_end, address, false);
        memmove(r->bytes + r->gap, r->bytes + r->gap_end, len);
        r->gap += len;
        r->gap_end += len;
        count_blocks(r, r->gap - len, r->gap, true);
    }
    r->n_before = pos;
}

void rope_insert(struct rope *r, size_t pos, struct slice text, size_t n)
{
    assert(text.len <= r->gap_end - r->gap && (r->blocks || n == text.len));
    if (!text.len)
        return;
    move_gap(r, pos < r->n ? pos : r->n);
    memcpy(r->bytes + r->gap, text.ptr, text.len);
    r->gap += text.len;
    r->n_before += n;
    r->n += n;
    count_blocks(r, r->gap - text.len, r->gap, true);
}

void rope_delete(struct rope *r, size_t pos, size_t n)
{
    if (pos >= r->n || n == 0)
        return;
    n = n < r->n - pos ? n : r->n - pos;
    /* Backspace at the gap takes from before it, so that nothing moves. */
    if (pos + n == r->n_before) {
        size_t address = n == r->n_before ? 0 : address_of(r, pos);
        count_blocks(r, address, r->gap, false);
        r->gap = address;
        r->n_before = pos;
    } else {
        move_gap(r, pos);
        size_t address = address_of(r, pos + n);
        count_blocks(r, r->gap_end, address, false);
        r->gap_end = address;
    }
    r->n -= n;
}

void rope_read(const struct rope *r, size_t from, size_t to, char *out)
{
    if (from == to)
        return;
    if (from < r->gap) {
        size_t end = to < r->gap ? to : r->gap;
        memcpy(out, r->bytes + from, end - from);
        out += end - from;
        from = end;
    }
    if (from < to)
        memcpy(out, r->bytes + from + (r->gap_end - r->gap), to - from);
}
